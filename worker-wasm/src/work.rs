//! What a worker has to compute, and on which of its slots: tasks of plain mode as a whole, leases
//! in pieces whose results are sent as they come.

use crate::pace::{Pace, Share};
use crate::sent::Sent;
use crate::sizing::Speeds;
use crate::worker::Action;
use std::collections::VecDeque;
use std::time::Duration;
use tequio_protocol::ids::{LeaseId, TaskId};
use tequio_protocol::limits::{
    DEADLINE_MIN, HOLD_MAX, LEASES_PER_SLOT, PIECE, PLAIN_TASKS_WAITING_MAX, PROGRESS_INTERVAL,
    SLOT_START_MAX, STOP_GRACE, UNSENT_BYTES_MAX, UNSENT_POLL,
};
use tequio_protocol::message::{
    DurationMs, ErrorCode, ErrorMessage, Lease, LeaseInputs, Task, TaskFailed, TaskResult,
    WorkerMessage,
};
use tequio_protocol::page::ToPage;
use tequio_protocol::piece::{Piece, PieceResults};
use tequio_protocol::text::quote;

/// The slots of a worker, and what waits for them.
#[derive(Debug)]
pub(crate) struct Work {
    agent: String,
    slots: Vec<Slot>,
    /// How many of them take anything; those behind only end what they do.
    lent: usize,
    /// The most that this connection's server was told of: it may have lent for so many.
    lent_max: usize,
    waiting: VecDeque<Item>,
    speeds: Speeds,
    share: Share,
    /// Bytes that wait in the socket.
    unsent: usize,
    sent: Sent,
    link: Link,
}

/// Where results go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Link {
    /// To the server.
    Open,
    /// Nowhere yet: the connection was lost, or the server has not said whether it goes on.
    Lost,
}

#[derive(Debug, Default)]
struct Slot {
    pace: Pace,
    state: State,
}

#[derive(Debug, Default)]
enum State {
    #[default]
    Idle,
    Running(Running),
    /// Between two pieces, for the sake of the share, or until the socket has drained.
    Resting {
        until: Duration,
        /// What it goes on with.
        held: Option<Held>,
    },
}

#[derive(Debug)]
struct Running {
    item: Item,
    piece: Piece,
    began: Duration,
    /// How long it may take.
    limit: Duration,
    /// When it is ended in the middle.
    end_at: Duration,
    /// It waits for its slot's program, and no task is to blame for that.
    is_waiting: bool,
    fate: Fate,
}

/// What becomes of a piece and its lease.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    /// Its results are sent, and the lease goes on.
    GoesOn,
    /// Its results are sent, and the rest of the lease is given back.
    Last,
    /// It was begun for a connection that was lost. Its results are sent if the session goes on.
    Orphan,
    /// Nobody waits for it.
    Dropped,
}

#[derive(Debug)]
enum Item {
    Task(Task),
    Lease(Held),
}

/// A lease, and how far it is.
#[derive(Debug)]
struct Held {
    lease: Lease,
    /// The first task that has no outcome.
    next: u64,
    /// Tasks before this are computed one at a time, since one of them cannot be computed.
    singly_until: u64,
    /// When the server last heard of it.
    reported_at: Duration,
}

/// What a slot has computed.
pub(crate) struct Computed {
    pub(crate) slot: usize,
    pub(crate) results: PieceResults,
    pub(crate) duration: DurationMs,
}

impl Work {
    /// Nothing to do, and no slots to do it on.
    pub(crate) fn new(agent: String) -> Work {
        Work {
            agent,
            slots: Vec::new(),
            lent: 0,
            lent_max: 0,
            waiting: VecDeque::new(),
            speeds: Speeds::default(),
            share: Share::WHOLE,
            unsent: 0,
            sent: Sent::default(),
            link: Link::Open,
        }
    }

    pub(crate) fn agent(&self) -> &str {
        &self.agent
    }

    /// How many slots take anything.
    pub(crate) fn lent(&self) -> u32 {
        self.lent as u32
    }

    /// Whether nothing is here that anybody waits for.
    pub(crate) fn is_empty(&self) -> bool {
        let is_at_work = |slot: &Slot| match &slot.state {
            State::Idle => false,
            State::Running(running) => running.fate != Fate::Dropped,
            State::Resting { held, .. } => held.is_some(),
        };
        self.waiting.is_empty() && !self.slots.iter().any(is_at_work)
    }

    // ---- What a person lends --------------------------------------------------------------------

    pub(crate) fn set_share(&mut self, share: Share) {
        self.share = share;
    }

    pub(crate) fn set_unsent(&mut self, bytes: usize) {
        self.unsent = bytes;
    }

    /// A slot's results have cost so much more.
    pub(crate) fn add_cost(&mut self, slot: usize, cost: Duration) {
        let Some(slot) = self.slots.get_mut(slot) else { return };
        if let State::Resting { until, .. } = &mut slot.state {
            *until += slot.pace.add(cost, self.share);
        }
    }

    /// Has `count` slots from now on. What others have begun they end; what waits and is too much
    /// for those left is given back.
    pub(crate) fn set_slots(&mut self, count: u32, now: Duration, actions: &mut Vec<Action>) {
        self.lent = count as usize;
        self.lent_max = self.lent_max.max(self.lent);
        while self.slots.len() < self.lent {
            self.slots.push(Slot::default());
        }
        for slot in self.lent..self.slots.len() {
            if !matches!(self.slots[slot].state, State::Running(_)) {
                self.close(slot, actions);
            }
        }
        self.trim();
        while self.held().count() > self.leases_max()
            && let Some(at) = self.waiting.iter().rposition(|item| matches!(item, Item::Lease(_)))
            && let Some(Item::Lease(held)) = self.waiting.remove(at)
        {
            release(held.lease.lease, actions);
        }
        self.fill_slots(now, actions);
    }

    /// Takes nothing more on: what is not begun is given back, and what is begun ends with its
    /// piece.
    pub(crate) fn drain(&mut self, actions: &mut Vec<Action>) {
        for item in std::mem::take(&mut self.waiting) {
            if let Item::Lease(held) = item {
                release(held.lease.lease, actions);
            }
        }
        for slot in &mut self.slots {
            match &mut slot.state {
                State::Running(running) if running.fate == Fate::GoesOn => {
                    running.fate = Fate::Last;
                }
                State::Resting { held, .. } => {
                    if let Some(held) = held.take() {
                        release(held.lease.lease, actions);
                    }
                }
                State::Running(_) | State::Idle => {}
            }
        }
    }

    /// Goes on with what was to be given back, where it is still here.
    pub(crate) fn go_on_after_all(&mut self) {
        for running in self.running_mut().filter(|running| running.fate == Fate::Last) {
            running.fate = Fate::GoesOn;
            running.end_at = running.began + running.time_max();
        }
    }

    /// Lets no piece go on for long.
    pub(crate) fn hurry(&mut self, now: Duration) {
        for running in self.running_mut() {
            running.end_at = running.end_at.min(now + STOP_GRACE);
        }
    }

    /// Ends everything in the middle, for good.
    pub(crate) fn clear(&mut self, actions: &mut Vec<Action>) {
        self.waiting.clear();
        self.sent.clear();
        actions.extend((0..self.slots.len()).map(|slot| Action::Reset { slot }));
        self.slots.clear();
        (self.lent, self.lent_max) = (0, 0);
    }

    // ---- The connection -------------------------------------------------------------------------

    /// The connection is gone. What waited is the server's to give again. What is being computed
    /// goes on: in a session its results may still count.
    pub(crate) fn lost(&mut self, has_session: bool, now: Duration) {
        self.link = Link::Lost;
        self.unsent = 0;
        self.waiting.clear();
        if !has_session {
            self.sent.clear();
        }
        for slot in &mut self.slots {
            match &mut slot.state {
                State::Running(running)
                    if has_session && running.is_waited_for() && running.item.lease().is_some() =>
                {
                    running.fate = Fate::Orphan;
                }
                State::Running(running) if has_session && running.fate == Fate::Orphan => {}
                State::Running(running) => running.drop_at(now),
                State::Resting { held, .. } => *held = None,
                State::Idle => {}
            }
        }
    }

    /// There is a connection again. Where the worker is in a session, nothing of the last one is
    /// sent before [`Work::resumed`].
    pub(crate) fn opened(&mut self, has_session: bool) {
        self.sent.restart();
        self.lent_max = self.lent;
        self.link = if has_session { Link::Lost } else { Link::Open };
    }

    /// The server says whether the session goes on.
    pub(crate) fn resumed(&mut self, goes_on: bool, now: Duration, actions: &mut Vec<Action>) {
        if self.link == Link::Open {
            return;
        }
        self.link = Link::Open;
        if goes_on {
            let frames = self.sent.frames().map(|text| Action::Send(text.to_owned()));
            actions.extend(frames);
            return;
        }
        self.sent.clear();
        for running in self.running_mut().filter(|running| running.fate == Fate::Orphan) {
            running.drop_at(now);
        }
    }

    pub(crate) fn heartbeat(&mut self) {
        self.sent.heartbeat();
    }

    pub(crate) fn heartbeat_answered(&mut self) {
        self.sent.heartbeat_answered();
    }

    // ---- What comes from the server -----------------------------------------------------------

    pub(crate) fn take_task(&mut self, task: Task, now: Duration, actions: &mut Vec<Action>) {
        if self.waiting.len() >= PLAIN_TASKS_WAITING_MAX {
            let message = format!("{PLAIN_TASKS_WAITING_MAX} tasks wait already");
            notice(actions, format!("Refused task {}: {message}", task.task_id));
            let about = About::Task(Some(task.task_id));
            return refuse(actions, ErrorCode::TooManyTasks, message, about);
        }
        self.waiting.push_back(Item::Task(task));
        self.fill_slots(now, actions);
    }

    pub(crate) fn take_lease(&mut self, lease: Lease, now: Duration, actions: &mut Vec<Action>) {
        let held = Held { next: lease.first, singly_until: lease.first, lease, reported_at: now };
        let count = self.held().count();
        let told_max = self.lent_max * LEASES_PER_SLOT as usize;
        if count >= told_max {
            let lease = held.lease.lease;
            let message = format!("{told_max} leases are here already");
            notice(actions, format!("Refused lease {lease}: {message}"));
            return refuse(actions, ErrorCode::TooManyLeases, message, About::Lease(Some(lease)));
        }
        if count >= self.leases_max() {
            // It was on its way while slots were taken away.
            return release(held.lease.lease, actions);
        }
        self.waiting.push_back(Item::Lease(held));
        self.fill_slots(now, actions);
    }

    /// Drops a lease, and soon ends what of it is being computed.
    pub(crate) fn revoke(&mut self, lease: LeaseId, now: Duration) {
        let is_it = |item: &Item| matches!(item, Item::Lease(held) if held.lease.lease == lease);
        self.waiting.retain(|item| !is_it(item));
        for slot in &mut self.slots {
            match &mut slot.state {
                State::Running(running) if is_it(&running.item) => running.drop_at(now),
                State::Resting { held, .. } => {
                    held.take_if(|held| held.lease.lease == lease);
                }
                State::Running(_) | State::Idle => {}
            }
        }
    }

    // ---- What comes from the slots ------------------------------------------------------------

    pub(crate) fn computed(
        &mut self,
        computed: &Computed,
        now: Duration,
        actions: &mut Vec<Action>,
    ) {
        let slot = computed.slot;
        let Some(running) = self.take_running(slot) else { return };
        let done_before = actions.len();
        let took = Duration::from_secs_f64(computed.duration.get() / 1000.0);
        let turn = match self.share {
            // Two clocks are compared below, and one grain of theirs would be a pause.
            Share::WHOLE => now,
            share => self.slots[slot].pace.computed(running.began, took, now, share),
        };
        let Running { item, piece, fate, .. } = running;
        let mut goes_on = None;
        match item {
            _ if fate == Fate::Dropped => {}
            Item::Task(task) => self.send_result(&task, computed, actions),
            Item::Lease(mut held) => {
                self.speeds.measure(held.lease.job, piece.count, took);
                self.send_results(&held, &piece, computed, actions);
                held.reported_at = now;
                goes_on = self.advance(held, piece.count, fate, actions);
            }
        }
        self.rest_or_go_on(slot, turn, goes_on, now, actions);
        // First of all the slot goes on: to send its results takes as long as to compute some.
        let is_compute = |action: &Action| matches!(action, Action::Compute { .. });
        let (first, later): (Vec<_>, Vec<_>) = actions.drain(done_before..).partition(is_compute);
        actions.extend(first.into_iter().chain(later));
    }

    /// A slot's piece waits for the slot's program.
    pub(crate) fn waits(&mut self, slot: usize, now: Duration) {
        self.begin_anew(slot, now, true);
    }

    /// A slot's piece, which has waited, is being computed.
    pub(crate) fn began(&mut self, slot: usize, now: Duration) {
        self.begin_anew(slot, now, false);
    }

    fn begin_anew(&mut self, slot: usize, now: Duration, is_waiting: bool) {
        if let Some(Slot { state: State::Running(running), .. }) = self.slots.get_mut(slot)
            && !(is_waiting && running.is_waiting)
        {
            running.is_waiting = is_waiting;
            running.began = now;
            if running.fate == Fate::GoesOn {
                running.end_at = now + running.time_max();
            }
        }
    }

    /// A piece could not be computed. Of several tasks any may be the one at fault, so they are
    /// computed again one by one; the one that fails by itself is reported.
    pub(crate) fn compute_failed(
        &mut self,
        slot: usize,
        reason: &str,
        now: Duration,
        actions: &mut Vec<Action>,
    ) {
        let Some(Running { item, piece, fate, is_waiting, .. }) = self.take_running(slot) else {
            return;
        };
        let mut goes_on = None;
        match item {
            _ if matches!(fate, Fate::Dropped | Fate::Orphan) => {}
            // Who pauses, or has no program, does not say that a task cannot be computed.
            Item::Task(_) if fate == Fate::Last || is_waiting => {}
            Item::Lease(held) if fate == Fate::Last || is_waiting => {
                release(held.lease.lease, actions);
            }
            Item::Task(task) => {
                notice(actions, format!("Task {} failed: {}", task.task_id, quote(reason)));
                let about = About::Task(Some(task.task_id));
                refuse(actions, ErrorCode::ComputeFailed, reason.to_owned(), about);
            }
            Item::Lease(mut held) if piece.count > 1 => {
                held.singly_until = piece.first + piece.count;
                goes_on = Some(held);
            }
            Item::Lease(mut held) => {
                let (job, index) = (held.lease.job, held.next);
                notice(actions, format!("Task {index} of job {job} failed: {}", quote(reason)));
                let lease = held.lease.lease;
                let failed = TaskFailed { lease, index, error: reason.to_owned() };
                actions.push(Action::Send(WorkerMessage::Failed(failed).write()));
                held.reported_at = now;
                goes_on = self.advance(held, 1, fate, actions);
            }
        }
        self.rest_or_go_on(slot, now, goes_on, now, actions);
    }

    /// `count` more tasks of a lease have an outcome. Gives it back to its slot if it goes on there.
    fn advance(
        &self,
        mut held: Held,
        count: u64,
        fate: Fate,
        actions: &mut Vec<Action>,
    ) -> Option<Held> {
        held.next += count;
        if held.next >= held.lease.first + held.lease.count {
            return None;
        }
        match fate {
            Fate::GoesOn => Some(held),
            Fate::Last => {
                release(held.lease.lease, actions);
                None
            }
            // The server has the rest again.
            Fate::Orphan | Fate::Dropped => None,
        }
    }

    // ---- Time -----------------------------------------------------------------------------------

    /// When [`Work::timeout`] has something to do, if ever.
    pub(crate) fn next_timeout(&self) -> Option<Duration> {
        let of_slots = self.slots.iter().filter_map(|slot| match &slot.state {
            State::Running(running) => Some(running.end_at),
            State::Resting { until, .. } => Some(*until),
            State::Idle => None,
        });
        let reports = self.held().map(|held| held.reported_at + PROGRESS_INTERVAL);
        of_slots.chain(reports.filter(|_| self.link == Link::Open)).min()
    }

    /// Ends what takes too long, goes on after pauses, and says that leases go on of which nothing
    /// was sent for a while.
    pub(crate) fn timeout(&mut self, now: Duration, actions: &mut Vec<Action>) {
        for slot in 0..self.slots.len() {
            match &mut self.slots[slot].state {
                State::Running(running) if running.end_at <= now => {
                    let limit_s = (running.limit.as_secs_f64() * 10.0).round() / 10.0;
                    let reason = format!("it had not ended after {limit_s} s");
                    actions.push(Action::Reset { slot });
                    self.compute_failed(slot, &reason, now, actions);
                }
                State::Resting { until, held } if *until <= now => {
                    let held = held.take();
                    self.slots[slot].state = State::Idle;
                    self.rest_or_go_on(slot, now, held, now, actions);
                }
                State::Running(_) | State::Resting { .. } | State::Idle => {}
            }
        }
        if self.link == Link::Open {
            self.report_progress(now, actions);
        }
    }

    /// This worker was asleep, and its slots with it: their time counts from now.
    pub(crate) fn woke(&mut self, now: Duration) {
        for running in self.running_mut() {
            running.end_at = now + running.time_max();
        }
    }

    fn report_progress(&mut self, now: Duration, actions: &mut Vec<Action>) {
        let of_slots = self.slots.iter_mut().filter_map(|slot| match &mut slot.state {
            State::Running(running) if running.is_waited_for() => running.item.lease_mut(),
            State::Resting { held, .. } => held.as_mut(),
            State::Running(_) | State::Idle => None,
        });
        for held in of_slots.chain(self.waiting.iter_mut().filter_map(Item::lease_mut)) {
            if held.reported_at + PROGRESS_INTERVAL <= now {
                held.reported_at = now;
                let lease = held.lease.lease;
                actions.push(Action::Send(WorkerMessage::Progress { lease }.write()));
            }
        }
    }

    /// The leases that the server takes this worker to hold.
    fn held(&self) -> impl Iterator<Item = &Held> {
        let of_slots = self.slots.iter().filter_map(|slot| match &slot.state {
            State::Running(running) if running.is_waited_for() => running.item.lease(),
            State::Resting { held, .. } => held.as_ref(),
            State::Running(_) | State::Idle => None,
        });
        of_slots.chain(self.waiting.iter().filter_map(Item::lease))
    }

    fn leases_max(&self) -> usize {
        self.lent * LEASES_PER_SLOT as usize
    }

    // ---- Slots ----------------------------------------------------------------------------------

    fn running_mut(&mut self) -> impl Iterator<Item = &mut Running> {
        self.slots.iter_mut().filter_map(|slot| match &mut slot.state {
            State::Running(running) => Some(running),
            State::Resting { .. } | State::Idle => None,
        })
    }

    fn take_running(&mut self, slot: usize) -> Option<Running> {
        let state = &mut self.slots.get_mut(slot)?.state;
        match std::mem::take(state) {
            State::Running(running) => Some(running),
            other => {
                *state = other;
                None
            }
        }
    }

    /// What comes after a piece: a pause until `turn`, or at once the next piece, of the same lease
    /// if there is one.
    fn rest_or_go_on(
        &mut self,
        slot: usize,
        turn: Duration,
        held: Option<Held>,
        now: Duration,
        actions: &mut Vec<Action>,
    ) {
        let drained_at = if self.unsent > UNSENT_BYTES_MAX { now + UNSENT_POLL } else { now };
        let until = turn.max(drained_at);
        if slot >= self.lent {
            self.slots[slot].state = State::Resting { until, held };
            self.close(slot, actions);
            self.trim();
        } else if until > now {
            self.slots[slot].state = State::Resting { until, held };
        } else if let Some(held) = held {
            self.go_on(slot, held, now, actions);
        }
        self.fill_slots(now, actions);
        if let Some(State::Idle) = self.slots.get(slot).map(|slot| &slot.state) {
            actions.push(Action::Tell(ToPage::Idle { slot: slot as u32 }));
        }
    }

    /// Ends a slot's program. What the slot held is the others', before everything else.
    fn close(&mut self, slot: usize, actions: &mut Vec<Action>) {
        let closed = std::mem::take(&mut self.slots[slot]);
        if let State::Resting { held: Some(held), .. } = closed.state {
            self.waiting.push_front(Item::Lease(held));
        }
        actions.push(Action::Reset { slot });
    }

    /// Forgets closed slots that no other is behind.
    fn trim(&mut self) {
        let is_idle = |slot: &Slot| matches!(slot.state, State::Idle);
        while self.slots.len() > self.lent && self.slots.last().is_some_and(is_idle) {
            self.slots.pop();
        }
    }

    fn fill_slots(&mut self, now: Duration, actions: &mut Vec<Action>) {
        for slot in 0..self.lent.min(self.slots.len()) {
            if matches!(self.slots[slot].state, State::Idle)
                && let Some(item) = self.waiting.pop_front()
            {
                self.begin(slot, item, now, actions);
            }
        }
    }

    fn begin(&mut self, slot: usize, item: Item, now: Duration, actions: &mut Vec<Action>) {
        match item {
            Item::Task(task) => {
                let (task_id, text) = (task.task_id, task.input.to_string());
                actions.push(Action::Tell(ToPage::Task { slot: slot as u32, task_id, text }));
                let piece = Piece::of_one(task.op, task.input);
                self.run(slot, Item::Task(task), piece, now, actions);
            }
            Item::Lease(held) => {
                let Lease { job, op, first, count, .. } = held.lease;
                let slot_told = slot as u32;
                actions.push(Action::Tell(ToPage::Lease {
                    slot: slot_told,
                    op,
                    job,
                    first,
                    count,
                }));
                self.go_on(slot, held, now, actions);
            }
        }
    }

    /// Computes the next piece of a lease.
    fn go_on(&mut self, slot: usize, held: Held, now: Duration, actions: &mut Vec<Action>) {
        let Lease { op, job, first, count, inputs, .. } = &held.lease;
        let left = first + count - held.next;
        // Shorter pieces for a smaller share, so that the pauses are short as well.
        let aim = self.share.of(PIECE);
        let wanted =
            if held.next < held.singly_until { 1 } else { self.speeds.piece_size(*job, aim) };
        let (offset, count) = (held.next - first, wanted.min(left));
        let inputs = match inputs {
            LeaseInputs::Grid(grid) => LeaseInputs::Grid(grid.clone()),
            LeaseInputs::List(inputs) => {
                LeaseInputs::List(inputs[offset as usize..(offset + count) as usize].to_vec())
            }
        };
        let piece = Piece { op: *op, first: held.next, count, inputs };
        self.run(slot, Item::Lease(held), piece, now, actions);
    }

    fn run(
        &mut self,
        slot: usize,
        item: Item,
        piece: Piece,
        now: Duration,
        actions: &mut Vec<Action>,
    ) {
        actions.push(Action::Compute { slot, piece: piece.clone() });
        // Plain mode knows no deadline.
        let limit =
            item.lease().map_or(HOLD_MAX, |held| Duration::from_millis(held.lease.deadline_ms));
        // What a server gives less is what the way of a lease has left of its time.
        let limit = limit.clamp(DEADLINE_MIN, HOLD_MAX);
        let (began, end_at, is_waiting, fate) = (now, now + limit, false, Fate::GoesOn);
        let running = Running { item, piece, began, limit, end_at, is_waiting, fate };
        self.slots[slot].state = State::Running(running);
    }

    // ---- Answers --------------------------------------------------------------------------------

    fn send_result(&self, task: &Task, computed: &Computed, actions: &mut Vec<Action>) {
        let result = computed.results.last();
        let message = WorkerMessage::Result(TaskResult {
            task_id: task.task_id,
            result: Some(result),
            duration_ms: Some(computed.duration),
            agent: Some(self.agent.clone()),
        });
        actions.push(Action::Send(message.write()));
        actions.push(Action::Tell(ToPage::Result {
            slot: computed.slot as u32,
            task_id: task.task_id,
            text: task.input.to_string(),
            result: result.to_string(),
            duration_ms: computed.duration.get(),
        }));
    }

    fn send_results(
        &mut self,
        held: &Held,
        piece: &Piece,
        computed: &Computed,
        actions: &mut Vec<Action>,
    ) {
        let Computed { slot, results, duration } = computed;
        let (lease, first) = (held.lease.lease, piece.first);
        let text = WorkerMessage::write_results(lease, first, results, *duration, &self.agent);
        self.sent.push(text.clone());
        if self.link == Link::Open {
            actions.push(Action::Send(text));
        }
        actions.push(Action::Tell(ToPage::Results {
            slot: *slot as u32,
            job: held.lease.job,
            last: piece.first + piece.count - 1,
            count: piece.count,
            text: piece.input(piece.count - 1).to_string(),
            result: results.last().to_string(),
            duration_ms: duration.get(),
        }));
    }
}

impl Running {
    /// How long it may go on from where it began.
    fn time_max(&self) -> Duration {
        if self.is_waiting { SLOT_START_MAX } else { self.limit }
    }

    fn is_waited_for(&self) -> bool {
        matches!(self.fate, Fate::GoesOn | Fate::Last)
    }

    /// Nobody waits for it any more. If it is nearly done it ends by itself; a slot is not to be
    /// started anew for each lease that others were faster with.
    fn drop_at(&mut self, now: Duration) {
        self.fate = Fate::Dropped;
        self.end_at = self.end_at.min(now + STOP_GRACE);
    }
}

impl Item {
    fn lease(&self) -> Option<&Held> {
        match self {
            Item::Lease(held) => Some(held),
            Item::Task(_) => None,
        }
    }

    fn lease_mut(&mut self) -> Option<&mut Held> {
        match self {
            Item::Lease(held) => Some(held),
            Item::Task(_) => None,
        }
    }
}

/// Gives back what of a lease has no outcome.
pub(crate) fn release(lease: LeaseId, actions: &mut Vec<Action>) {
    actions.push(Action::Send(WorkerMessage::Release { lease }.write()));
}

/// What a refusal is about.
pub(crate) enum About {
    Nothing,
    Task(Option<TaskId>),
    Lease(Option<LeaseId>),
}

pub(crate) fn notice(actions: &mut Vec<Action>, text: String) {
    actions.push(Action::Tell(ToPage::Notice { text }));
}

pub(crate) fn refuse(actions: &mut Vec<Action>, code: ErrorCode, message: String, about: About) {
    let (task_id, lease) = match about {
        About::Nothing => (None, None),
        About::Task(task_id) => (task_id, None),
        About::Lease(lease) => (None, lease),
    };
    let error = ErrorMessage { code, message, task_id, lease };
    actions.push(Action::Send(WorkerMessage::Error(error).write()));
}

#[cfg(test)]
mod tests;
