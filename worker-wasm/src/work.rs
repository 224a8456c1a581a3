//! What a worker has to compute, and on which of its slots: tasks of plain mode as a whole, leases
//! in pieces whose results are sent as they come.

use crate::worker::Action;
use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;
use tequio_protocol::ids::{JobId, LeaseId, TaskId};
use tequio_protocol::limits::{
    FRAME_RESULTS_MAX, LEASE_GROWTH, LEASES_PER_SLOT, PACES_MAX, PIECE, PLAIN_TASKS_WAITING_MAX,
    PROGRESS_INTERVAL,
};
use tequio_protocol::message::{
    DurationMs, ErrorCode, ErrorMessage, Lease, LeaseInputs, LeaseResults, Task, TaskFailed,
    TaskResult, WorkerMessage,
};
use tequio_protocol::number::Number;
use tequio_protocol::page::ToPage;
use tequio_protocol::piece::Piece;
use tequio_protocol::text::quote;

/// The slots of a worker, and what waits for them.
#[derive(Debug)]
pub(crate) struct Work {
    agent: String,
    slots: Vec<Option<Running>>,
    waiting: VecDeque<Item>,
    paces: BTreeMap<JobId, Pace>,
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

#[derive(Debug)]
struct Running {
    item: Item,
    piece: Piece,
    /// Nobody waits for it any more: its connection is gone, or its lease was revoked.
    is_dropped: bool,
}

/// How fast the tasks of a job go.
#[derive(Clone, Copy, Debug)]
struct Pace {
    task_s: f64,
    /// The most tasks of its next piece.
    count_max: u64,
}

impl Work {
    pub(crate) fn new(agent: String, slots: u32) -> Work {
        let slots = (0..slots).map(|_| None).collect();
        Work { agent, slots, waiting: VecDeque::new(), paces: BTreeMap::new() }
    }

    pub(crate) fn agent(&self) -> &str {
        &self.agent
    }

    pub(crate) fn slots(&self) -> u32 {
        self.slots.len() as u32
    }

    // ---- What comes from the server -----------------------------------------------------------

    pub(crate) fn take_task(&mut self, task: Task, actions: &mut Vec<Action>) {
        if self.waiting.len() >= PLAIN_TASKS_WAITING_MAX {
            let message = format!("{PLAIN_TASKS_WAITING_MAX} tasks wait already");
            notice(actions, format!("Refused task {}: {message}", task.task_id));
            let about = About::Task(Some(task.task_id));
            return refuse(actions, ErrorCode::TooManyTasks, message, about);
        }
        self.waiting.push_back(Item::Task(task));
        self.fill_slots(actions);
    }

    pub(crate) fn take_lease(&mut self, lease: Lease, now: Duration, actions: &mut Vec<Action>) {
        let leases_max = self.slots.len() * LEASES_PER_SLOT as usize;
        if self.held().count() >= leases_max {
            let message = format!("{leases_max} leases are here already");
            notice(actions, format!("Refused lease {}: {message}", lease.lease));
            let about = About::Lease(Some(lease.lease));
            return refuse(actions, ErrorCode::TooManyLeases, message, about);
        }
        let (next, singly_until) = (lease.first, lease.first);
        self.waiting.push_back(Item::Lease(Held { lease, next, singly_until, reported_at: now }));
        self.fill_slots(actions);
    }

    /// Drops a lease. A piece of it that is being computed cannot be interrupted; its results are
    /// dropped when they come.
    pub(crate) fn revoke(&mut self, lease: LeaseId) {
        let is_it = |item: &Item| matches!(item, Item::Lease(held) if held.lease.lease == lease);
        self.waiting.retain(|item| !is_it(item));
        for running in self.slots.iter_mut().flatten().filter(|running| is_it(&running.item)) {
            running.is_dropped = true;
        }
    }

    /// The connection is gone, and with it all that it brought.
    pub(crate) fn drop_all(&mut self) {
        self.waiting.clear();
        for running in self.slots.iter_mut().flatten() {
            running.is_dropped = true;
        }
    }

    // ---- What comes from the slots ------------------------------------------------------------

    pub(crate) fn computed(
        &mut self,
        slot: usize,
        results: &[f64],
        duration: DurationMs,
        now: Duration,
        actions: &mut Vec<Action>,
    ) {
        let Some(Running { item, piece, is_dropped }) = self.free(slot) else { return };
        if !is_dropped {
            match item {
                Item::Task(task) => self.send_result(&task, results[0], duration, actions),
                Item::Lease(held) => {
                    self.pace(held.lease.job, piece.count, duration);
                    self.send_results(slot, held, &piece, results, duration, now, actions);
                }
            }
        }
        self.fill_slots(actions);
        self.tell_if_idle(actions);
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
        let Some(Running { item, piece, is_dropped }) = self.free(slot) else { return };
        match item {
            _ if is_dropped => {}
            Item::Task(task) => {
                notice(actions, format!("Task {} failed: {reason}", task.task_id));
                let about = About::Task(Some(task.task_id));
                refuse(actions, ErrorCode::ComputeFailed, reason.to_owned(), about);
            }
            Item::Lease(mut held) if piece.count > 1 => {
                held.singly_until = piece.first + piece.count;
                self.go_on(slot, held, actions);
            }
            Item::Lease(held) => {
                let (job, index) = (held.lease.job, held.next);
                notice(actions, format!("Task {index} of job {job} failed: {}", quote(reason)));
                let lease = held.lease.lease;
                let failed = TaskFailed { lease, index, error: reason.to_owned() };
                actions.push(Action::Send(WorkerMessage::Failed(failed).write()));
                self.advance(slot, held, 1, now, actions);
            }
        }
        self.fill_slots(actions);
        self.tell_if_idle(actions);
    }

    // ---- Time -----------------------------------------------------------------------------------

    /// When [`Work::report_progress`] has something to say, if ever.
    pub(crate) fn next_report(&self) -> Option<Duration> {
        self.held().map(|held| held.reported_at + PROGRESS_INTERVAL).min()
    }

    /// Says that leases go on of which nothing was sent for a while.
    pub(crate) fn report_progress(&mut self, now: Duration, actions: &mut Vec<Action>) {
        let running = self.slots.iter_mut().flatten().filter(|running| !running.is_dropped);
        let items = running.map(|running| &mut running.item).chain(&mut self.waiting);
        for item in items {
            if let Item::Lease(held) = item
                && held.reported_at + PROGRESS_INTERVAL <= now
            {
                held.reported_at = now;
                let lease = held.lease.lease;
                actions.push(Action::Send(WorkerMessage::Progress { lease }.write()));
            }
        }
    }

    fn held(&self) -> impl Iterator<Item = &Held> {
        let running = self.slots.iter().flatten().filter(|running| !running.is_dropped);
        running.map(|running| &running.item).chain(&self.waiting).filter_map(|item| match item {
            Item::Lease(held) => Some(held),
            Item::Task(_) => None,
        })
    }

    // ---- Slots ----------------------------------------------------------------------------------

    fn free(&mut self, slot: usize) -> Option<Running> {
        self.slots.get_mut(slot)?.take()
    }

    fn fill_slots(&mut self, actions: &mut Vec<Action>) {
        for slot in 0..self.slots.len() {
            if self.slots[slot].is_none()
                && let Some(item) = self.waiting.pop_front()
            {
                self.begin(slot, item, actions);
            }
        }
    }

    fn begin(&mut self, slot: usize, item: Item, actions: &mut Vec<Action>) {
        match item {
            Item::Task(task) => {
                let (task_id, text) = (task.task_id, task.input.to_string());
                actions.push(Action::Tell(ToPage::Task { task_id, text }));
                let piece = Piece::of_one(task.input);
                self.run(slot, Item::Task(task), piece, actions);
            }
            Item::Lease(held) => {
                let Lease { job, first, count, .. } = held.lease;
                actions.push(Action::Tell(ToPage::Lease { job, first, count }));
                self.go_on(slot, held, actions);
            }
        }
    }

    /// Computes the next piece of a lease.
    fn go_on(&mut self, slot: usize, held: Held, actions: &mut Vec<Action>) {
        let Lease { first, count, inputs, .. } = &held.lease;
        let left = first + count - held.next;
        let wanted = if held.next < held.singly_until { 1 } else { self.piece_size(&held) };
        let (offset, count) = (held.next - first, wanted.min(left));
        let inputs = match inputs {
            LeaseInputs::Grid(grid) => LeaseInputs::Grid(grid.clone()),
            LeaseInputs::List(inputs) => {
                LeaseInputs::List(inputs[offset as usize..(offset + count) as usize].to_vec())
            }
        };
        let piece = Piece { first: held.next, count, inputs };
        self.run(slot, Item::Lease(held), piece, actions);
    }

    fn run(&mut self, slot: usize, item: Item, piece: Piece, actions: &mut Vec<Action>) {
        actions.push(Action::Compute { slot, piece: piece.clone() });
        self.slots[slot] = Some(Running { item, piece, is_dropped: false });
    }

    /// `count` more tasks of a lease have an outcome.
    fn advance(
        &mut self,
        slot: usize,
        mut held: Held,
        count: u64,
        now: Duration,
        actions: &mut Vec<Action>,
    ) {
        held.next += count;
        held.reported_at = now;
        if held.next < held.lease.first + held.lease.count {
            self.go_on(slot, held, actions);
        }
    }

    fn piece_size(&self, held: &Held) -> u64 {
        let Some(pace) = self.paces.get(&held.lease.job) else { return 1 };
        let aim = (PIECE.as_secs_f64() / pace.task_s) as u64;
        aim.min(pace.count_max).clamp(1, FRAME_RESULTS_MAX as u64)
    }

    fn pace(&mut self, job: JobId, count: u64, duration: DurationMs) {
        // A clock may be too coarse for a short piece, which then is grown as far as it may.
        let task_s = (duration.get() / 1000.0 / count as f64).max(1e-9);
        let known = self.paces.get(&job).map_or(0, |pace| pace.count_max);
        let count_max = known.max(count.saturating_mul(LEASE_GROWTH));
        self.paces.insert(job, Pace { task_s, count_max });
        if self.paces.len() > PACES_MAX {
            // Jobs are numbered in their order, and old ones end first.
            self.paces.pop_first();
        }
    }

    // ---- Answers --------------------------------------------------------------------------------

    fn send_result(
        &self,
        task: &Task,
        result: f64,
        duration: DurationMs,
        actions: &mut Vec<Action>,
    ) {
        let result = Number(result);
        let message = WorkerMessage::Result(TaskResult {
            task_id: task.task_id,
            result: Some(result),
            duration_ms: Some(duration),
            agent: Some(self.agent.clone()),
        });
        actions.push(Action::Send(message.write()));
        actions.push(Action::Tell(ToPage::Result {
            task_id: task.task_id,
            text: task.input.to_string(),
            result: result.to_string(),
            duration_ms: duration.get(),
        }));
    }

    #[expect(clippy::too_many_arguments, reason = "one private step of `computed`")]
    fn send_results(
        &mut self,
        slot: usize,
        held: Held,
        piece: &Piece,
        results: &[f64],
        duration: DurationMs,
        now: Duration,
        actions: &mut Vec<Action>,
    ) {
        let message = WorkerMessage::Results(LeaseResults {
            lease: held.lease.lease,
            first: piece.first,
            results: results.iter().copied().map(Number).collect(),
            duration_ms: Some(duration),
            agent: Some(self.agent.clone()),
        });
        actions.push(Action::Send(message.write()));
        actions.push(Action::Tell(ToPage::Results {
            job: held.lease.job,
            last: piece.first + piece.count - 1,
            count: piece.count,
            text: piece.input(piece.count - 1).to_string(),
            result: Number(results[results.len() - 1]).to_string(),
            duration_ms: duration.get(),
        }));
        self.advance(slot, held, piece.count, now, actions);
    }

    fn tell_if_idle(&self, actions: &mut Vec<Action>) {
        if self.slots.iter().all(Option::is_none) {
            actions.push(Action::Tell(ToPage::Idle));
        }
    }
}

/// What a refusal is about.
pub(crate) enum About {
    Task(Option<TaskId>),
    Lease(Option<LeaseId>),
}

pub(crate) fn notice(actions: &mut Vec<Action>, text: String) {
    actions.push(Action::Tell(ToPage::Notice { text }));
}

pub(crate) fn refuse(actions: &mut Vec<Action>, code: ErrorCode, message: String, about: About) {
    let (task_id, lease) = match about {
        About::Task(task_id) => (task_id, None),
        About::Lease(lease) => (None, lease),
    };
    let error = ErrorMessage { code, message, task_id, lease };
    actions.push(Action::Send(WorkerMessage::Error(error).write()));
}
