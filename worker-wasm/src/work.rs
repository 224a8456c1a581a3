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
                Item::Task(task) => self.send_result(slot, &task, results[0], duration, actions),
                Item::Lease(held) => {
                    self.pace(held.lease.job, piece.count, duration);
                    self.send_results(slot, held, &piece, results, duration, now, actions);
                }
            }
        }
        self.fill_slots(actions);
        self.tell_if_idle(slot, actions);
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
        self.tell_if_idle(slot, actions);
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
                actions.push(Action::Tell(ToPage::Task { slot: slot as u32, task_id, text }));
                let piece = Piece::of_one(task.op, task.input);
                self.run(slot, Item::Task(task), piece, actions);
            }
            Item::Lease(held) => {
                let Lease { job, op, first, count, .. } = held.lease;
                actions.push(Action::Tell(ToPage::Lease {
                    slot: slot as u32,
                    op,
                    job,
                    first,
                    count,
                }));
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
        let piece = Piece { op: held.lease.op, first: held.next, count, inputs };
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
        slot: usize,
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
            slot: slot as u32,
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
            slot: slot as u32,
            job: held.lease.job,
            last: piece.first + piece.count - 1,
            count: piece.count,
            text: piece.input(piece.count - 1).to_string(),
            result: Number(results[results.len() - 1]).to_string(),
            duration_ms: duration.get(),
        }));
        self.advance(slot, held, piece.count, now, actions);
    }

    fn tell_if_idle(&self, slot: usize, actions: &mut Vec<Action>) {
        if self.slots[slot].is_none() {
            actions.push(Action::Tell(ToPage::Idle { slot: slot as u32 }));
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::worker::{Event, Worker};
    use std::ops::Range;
    use tequio_protocol::grid::{Axis, Grid};
    use tequio_protocol::ids::WorkerId;
    use tequio_protocol::limits::{HEARTBEAT, HEARTBEAT_SILENCE_MAX, INTEGER_MAX};
    use tequio_protocol::message::{PROTOCOL, ServerMessage, Welcome, close_code};
    use tequio_protocol::op::{Op, RepeatMultiply};

    /// A connected worker that has said hello, on virtual time, and a shell that computes what it
    /// is asked to.
    struct Bench {
        worker: Worker,
        now: Duration,
        /// What each slot computes.
        pieces: Vec<Option<Piece>>,
    }

    /// What a worker did.
    #[derive(Debug, Default)]
    struct Done {
        sent: Vec<WorkerMessage>,
        /// Slots that began a piece, and its tasks.
        begun: Vec<(usize, Range<u64>)>,
        told: Vec<ToPage>,
        others: Vec<Action>,
    }

    impl Bench {
        fn new(slots: u32) -> Bench {
            let mut bench = Bench::unnamed(slots);
            bench.handle(Event::Start { worker: Some("5f0c".to_owned()) });
            bench.open();
            bench
        }

        fn unnamed(slots: u32) -> Bench {
            let worker = Worker::new("Test/1.0", slots, 1);
            Bench { worker, now: Duration::ZERO, pieces: vec![None; slots as usize] }
        }

        fn open(&mut self) -> Done {
            let done = self.handle(Event::Opened);
            let heartbeat_s = HEARTBEAT.as_secs();
            let welcome = Welcome {
                protocol: PROTOCOL,
                worker_id: WorkerId(7),
                heartbeat_s,
                session: None,
                resumed: false,
            };
            assert!(self.receive(&ServerMessage::Welcome(welcome)).sent.is_empty());
            done
        }

        fn handle(&mut self, event: Event) -> Done {
            let mut done = Done::default();
            for action in self.worker.handle(event, self.now) {
                match action {
                    Action::Send(text) => done.sent.push(WorkerMessage::read(&text).unwrap()),
                    Action::Compute { slot, piece } => {
                        assert!((1..=FRAME_RESULTS_MAX as u64).contains(&piece.count));
                        done.begun.push((slot, piece.first..piece.first + piece.count));
                        let before = self.pieces[slot].replace(piece);
                        assert_eq!(before, None, "slot {slot} has two pieces");
                    }
                    Action::Tell(told) => done.told.push(told),
                    other => done.others.push(other),
                }
            }
            done
        }

        fn receive(&mut self, message: &ServerMessage) -> Done {
            self.handle(Event::Text(message.write()))
        }

        fn lend(&mut self, id: u64, range: Range<u64>) -> Done {
            self.receive(&lease(id, range))
        }

        fn revoke(&mut self, id: u64) -> Done {
            self.receive(&ServerMessage::Revoke { lease: LeaseId(id) })
        }

        /// A slot computes its piece, each task in `task_ms`.
        fn compute(&mut self, slot: usize, task_ms: f64) -> Done {
            let piece = self.pieces[slot].take().expect("the slot has a piece");
            let duration_ms = task_ms * piece.count as f64;
            self.now += Duration::from_secs_f64(duration_ms / 1000.0);
            self.handle(Event::Computed { slot, results: piece.compute(), duration_ms })
        }

        fn fail(&mut self, slot: usize) -> Done {
            assert!(self.pieces[slot].take().is_some());
            self.handle(Event::ComputeFailed { slot, reason: "trap".to_owned() })
        }

        fn close(&mut self, code: u16) -> Done {
            self.handle(Event::Closed { code, reason: "no".to_owned() })
        }

        /// Lets time pass to the next timeout.
        fn pass(&mut self) -> Done {
            self.now = self.now.max(self.worker.next_timeout().expect("it waits for a time"));
            self.handle(Event::Timeout)
        }

        fn is_idle(&self) -> bool {
            self.pieces.iter().all(Option::is_none)
        }
    }

    impl Done {
        /// The leases and tasks whose results were sent.
        fn results(&self) -> Vec<(u64, Range<u64>)> {
            let results = self.sent.iter().filter_map(|message| match message {
                WorkerMessage::Results(results) => Some(results),
                _ => None,
            });
            results
                .map(|results| {
                    for (index, result) in (results.first..).zip(&results.results) {
                        assert_eq!(*result, Number(input(index).compute()), "task {index}");
                    }
                    let end = results.first + results.results.len() as u64;
                    (results.lease.0, results.first..end)
                })
                .collect()
        }

        fn errors(&self) -> Vec<(ErrorCode, Option<u64>)> {
            let errors = self.sent.iter().filter_map(|message| match message {
                WorkerMessage::Error(error) => Some((error.code, error.lease.map(|id| id.0))),
                _ => None,
            });
            errors.collect()
        }

        fn progress(&self) -> Vec<u64> {
            let progress = self.sent.iter().filter_map(|message| match message {
                WorkerMessage::Progress { lease } => Some(lease.0),
                _ => None,
            });
            progress.collect()
        }
    }

    fn input(index: u64) -> RepeatMultiply {
        RepeatMultiply::new(1.5, 1.000_001, index).unwrap()
    }

    fn lease_of(id: u64, job: u64, range: Range<u64>, inputs: LeaseInputs) -> ServerMessage {
        ServerMessage::Lease(Lease {
            lease: LeaseId(id),
            job: JobId(job),
            op: Op::RepeatMultiply,
            first: range.start,
            count: range.end - range.start,
            inputs,
            deadline_ms: 10_000,
        })
    }

    /// A lease of a grid, or of a list where its number is even.
    fn lease(id: u64, range: Range<u64>) -> ServerMessage {
        let inputs = if id.is_multiple_of(2) {
            LeaseInputs::List(range.clone().map(input).collect())
        } else {
            let axis = |text: &str| text.parse::<Axis>().unwrap();
            let grid = Grid::new(axis("1.5"), axis("1.000001"), axis("0..1000000000"));
            LeaseInputs::Grid(grid.unwrap())
        };
        lease_of(id, 1, range, inputs)
    }

    #[test]
    fn hello_is_said_only_by_who_has_a_name() {
        let mut bench = Bench::unnamed(3);
        bench.handle(Event::Start { worker: None });
        assert!(bench.handle(Event::Opened).sent.is_empty());

        let mut bench = Bench::unnamed(3);
        bench.handle(Event::Start { worker: Some("5f0c".to_owned()) });
        for _ in 0..3 {
            let sent = bench.handle(Event::Opened).sent;
            let [WorkerMessage::Hello(hello)] = &sent[..] else { panic!("{sent:?}") };
            assert_eq!((hello.protocol, hello.slots), (PROTOCOL, 3));
            assert_eq!((&*hello.agent, &*hello.worker), ("Test/1.0", "5f0c"));
            assert_eq!(hello.ops, ["repeat_multiply"]);
            bench.close(1006);
            bench.pass();
        }
    }

    #[test]
    fn pieces_grow_until_they_take_their_time_and_results_come_in_order() {
        for (id, task_ms, sizes) in [
            (1, 1.0, [1, 16, 250]),
            (2, 10.0, [1, 16, 25]),
            (3, 0.001, [1, 16, 256]),
            (4, 900.0, [1, 1, 1]),
        ] {
            let mut bench = Bench::new(1);
            let begun = bench.lend(id, 100..1100).begun;
            assert_eq!(begun, [(0, 100..101)]);
            let (mut next, mut found) = (100, Vec::new());
            while !bench.is_idle() {
                let done = bench.compute(0, task_ms);
                let [(lease, range)] = &done.results()[..] else { panic!("{done:?}") };
                assert_eq!((*lease, range.start), (id, next));
                found.push(range.end - range.start);
                next = range.end;
            }
            assert_eq!(next, 1100);
            assert_eq!(found[..3], sizes, "{task_ms} ms a task");
        }
    }

    #[test]
    fn a_piece_is_no_more_than_a_frame_of_results() {
        let mut bench = Bench::new(1);
        bench.lend(1, 0..65_536);
        let mut largest = 0;
        while !bench.is_idle() {
            let count = bench.pieces[0].as_ref().unwrap().count;
            largest = largest.max(count);
            bench.compute(0, 0.0);
        }
        assert_eq!(largest, FRAME_RESULTS_MAX as u64);
    }

    #[test]
    fn what_is_known_of_a_job_counts_for_its_next_lease() {
        let mut bench = Bench::new(1);
        bench.lend(1, 0..17);
        bench.compute(0, 1.0);
        bench.compute(0, 1.0);
        assert_eq!(bench.lend(2, 500..1000).begun, [(0, 500..750)]);
        let inputs = LeaseInputs::List(vec![input(0); 9]);
        let other = bench.receive(&lease_of(3, 2, 0..9, inputs));
        assert!(other.begun.is_empty());
        bench.revoke(2);
        assert_eq!(bench.compute(0, 1.0).begun, [(0, 0..1)], "another job begins with one task");
    }

    #[test]
    fn as_many_leases_are_computed_at_once_as_there_are_slots() {
        let mut bench = Bench::new(3);
        for id in 0..6 {
            let begun = bench.lend(id, id * 10..id * 10 + 2).begun;
            let expected: Vec<_> =
                (id < 3).then(|| (id as usize, id * 10..id * 10 + 1)).into_iter().collect();
            assert_eq!(begun, expected);
        }
        assert_eq!(bench.compute(1, 1.0).results(), [(1, 10..11)]);
        let done = bench.compute(1, 1.0);
        assert_eq!(done.results(), [(1, 11..12)]);
        assert_eq!(done.begun, [(1, 30..32)], "the next one that waits");
        assert_eq!(bench.compute(0, 1.0).begun, [(0, 1..2)]);
        assert_eq!(bench.compute(2, 1.0).begun, [(2, 21..22)]);
        assert_eq!(bench.compute(2, 1.0).begun, [(2, 40..42)]);
        assert_eq!(bench.compute(0, 1.0).begun, [(0, 50..52)]);
        for slot in [0, 1] {
            let told = bench.compute(slot, 1.0).told;
            assert!(told.contains(&ToPage::Idle { slot: slot as u32 }));
        }
        assert!(bench.compute(2, 1.0).told.contains(&ToPage::Idle { slot: 2 }));
    }

    #[test]
    fn of_a_failed_piece_only_the_task_at_fault_is_reported() {
        for culprits in [vec![1], vec![9], vec![16], vec![1, 2, 16], (1..17).collect()] {
            let mut bench = Bench::new(1);
            bench.lend(1, 0..40);
            bench.compute(0, 1.0);
            let done = bench.fail(0);
            assert_eq!(done.begun, [(0, 1..2)], "one by one");
            assert!(done.sent.is_empty());
            let (mut settled, mut failed) = (vec![0], Vec::new());
            while let Some(piece) = &bench.pieces[0] {
                let (first, count) = (piece.first, piece.count);
                assert!(count == 1 || first >= 17, "{first} and {count} more");
                let done =
                    if culprits.contains(&first) { bench.fail(0) } else { bench.compute(0, 1.0) };
                for message in &done.sent {
                    match message {
                        WorkerMessage::Failed(task) => {
                            assert_eq!((task.lease.0, &*task.error), (1, "trap"));
                            failed.push(task.index);
                        }
                        WorkerMessage::Results(_) => {}
                        other => panic!("{other:?}"),
                    }
                    let next = settled.last().unwrap() + 1;
                    settled.extend(next..next + if first < 17 { 1 } else { count });
                }
            }
            assert_eq!(failed, culprits);
            assert_eq!(settled, (0..40).collect::<Vec<_>>());
        }
    }

    #[test]
    fn a_revoked_lease_is_dropped_whether_it_waits_or_runs() {
        let mut bench = Bench::new(1);
        bench.lend(1, 0..40);
        bench.lend(2, 40..80);
        assert!(bench.revoke(2).sent.is_empty());
        assert!(bench.revoke(99).sent.is_empty());
        bench.lend(3, 80..120);
        bench.revoke(1);
        assert!(!bench.is_idle(), "what is computed cannot be interrupted");
        let done = bench.compute(0, 1.0);
        assert!(done.sent.is_empty(), "{done:?}");
        assert_eq!(done.begun, [(0, 80..81)]);
        bench.revoke(3);
        let done = bench.fail(0);
        assert!(done.sent.is_empty() && bench.is_idle());
        assert!(done.told.contains(&ToPage::Idle { slot: 0 }));
    }

    #[test]
    fn more_leases_than_two_a_slot_are_refused_by_their_number() {
        let mut bench = Bench::new(2);
        for id in 0..4 {
            assert!(bench.lend(id, id * 10..id * 10 + 10).errors().is_empty());
        }
        let refused = [(ErrorCode::TooManyLeases, Some(4))];
        assert_eq!(bench.lend(4, 40..50).errors(), refused);
        bench.revoke(0);
        assert!(bench.lend(5, 50..60).errors().is_empty(), "what is revoked does not count");
        assert_eq!(bench.lend(4, 40..50).errors(), refused);
    }

    #[test]
    fn a_bad_lease_is_answered_and_the_others_go_on() {
        let mut bench = Bench::new(1);
        bench.lend(1, 0..10);
        let whole = lease(3, 0..10).write();
        for (from, to, lease) in [
            ("0,\"count\":10,", "0,\"count\":0,", Some(3)),
            ("0,\"count\":10,", "0,\"count\":-1,", Some(3)),
            ("\"first\":0", "\"first\":9007199254740991", Some(3)),
            ("repeat_multiply", "mine_bitcoin", Some(3)),
            ("\"grid\"", "\"mesh\"", Some(3)),
            ("\"lease\":3", "\"lease\":\"3\"", None),
        ] {
            assert!(whole.contains(from), "{whole}");
            let done = bench.handle(Event::Text(whole.replace(from, to)));
            assert_eq!(done.errors(), [(ErrorCode::BadLease, lease)], "{to}");
            assert!(done.begun.is_empty());
        }
        assert_eq!(bench.compute(0, 1.0).results(), [(1, 0..1)]);
    }

    #[test]
    fn progress_is_said_of_leases_of_which_nothing_was_sent_for_a_while() {
        let mut bench = Bench::new(1);
        bench.lend(1, 0..10);
        bench.now += Duration::from_secs(1);
        bench.lend(2, 10..20);
        assert_eq!(bench.worker.next_timeout(), Some(PROGRESS_INTERVAL));
        bench.now = PROGRESS_INTERVAL - Duration::from_millis(1);
        assert!(bench.handle(Event::Timeout).sent.is_empty());
        assert_eq!(bench.pass().progress(), [1]);
        assert_eq!(bench.pass().progress(), [2], "what waits is held too");
        assert_eq!(bench.now, PROGRESS_INTERVAL + Duration::from_secs(1));
        bench.now += Duration::from_secs(2);
        bench.compute(0, 1.0);
        let answered_at = bench.now;
        assert_eq!(bench.pass().progress(), [2]);
        assert_eq!(bench.pass().progress(), [1]);
        assert_eq!(bench.now, answered_at + PROGRESS_INTERVAL);
        bench.revoke(1);
        bench.revoke(2);
        assert_eq!(bench.worker.next_timeout(), Some(HEARTBEAT), "nothing to report");
    }

    #[test]
    fn a_worker_says_that_it_is_there_and_gives_up_after_silence() {
        let mut bench = Bench::new(1);
        for _ in 0..10 {
            let before = bench.now;
            let done = bench.pass();
            assert_eq!(done.sent, [WorkerMessage::Heartbeat]);
            assert_eq!(bench.now, before + HEARTBEAT);
            assert!(bench.receive(&ServerMessage::Heartbeat).sent.is_empty());
        }
        let heard_at = bench.now;
        assert_eq!(bench.pass().sent, [WorkerMessage::Heartbeat]);
        assert_eq!(bench.pass().sent, [WorkerMessage::Heartbeat]);
        let done = bench.pass();
        assert_eq!(bench.now, heard_at + HEARTBEAT_SILENCE_MAX);
        assert_eq!(done.others, [Action::Disconnect]);
        let [ToPage::Disconnected { reason, .. }] = &done.told[..] else { panic!("{done:?}") };
        assert_eq!(reason, "nothing heard for 35 s");
        assert_eq!(bench.pass().others, [Action::Connect]);
    }

    #[test]
    fn anything_that_arrives_is_a_sign_of_life() {
        let mut bench = Bench::new(1);
        for at in 1..20 {
            bench.now = at * (HEARTBEAT_SILENCE_MAX - Duration::from_millis(1));
            let event = match at % 3 {
                0 => Event::Text("rubbish".to_owned()),
                1 => Event::Binary { bytes: 1 },
                _ => Event::Text(r#"{"type":"heartbeat"}"#.to_owned()),
            };
            bench.handle(event);
            assert!(bench.handle(Event::Timeout).others.is_empty(), "given up");
        }
    }

    #[test]
    fn without_a_welcome_there_are_no_heartbeats_and_no_silence() {
        let mut bench = Bench::unnamed(1);
        bench.handle(Event::Start { worker: None });
        bench.handle(Event::Opened);
        assert_eq!(bench.worker.next_timeout(), None);
        bench.now += Duration::from_secs(3600);
        let done = bench.handle(Event::Timeout);
        assert!(done.sent.is_empty() && done.others.is_empty(), "{done:?}");
    }

    #[test]
    fn whatever_interval_a_server_asks_for_it_is_not_given_up() {
        for heartbeat_s in [0, 1, 14, 15, 16, 35, 3600, INTEGER_MAX, u64::MAX] {
            let mut bench = Bench::new(1);
            bench.now += Duration::from_secs(5);
            let welcome = Welcome {
                protocol: PROTOCOL,
                worker_id: WorkerId(7),
                heartbeat_s,
                session: None,
                resumed: false,
            };
            bench.receive(&ServerMessage::Welcome(welcome));
            for _ in 0..100 {
                let before = bench.now;
                assert_eq!(bench.pass().sent, [WorkerMessage::Heartbeat], "{heartbeat_s}");
                let every = Duration::from_secs(heartbeat_s.clamp(1, HEARTBEAT.as_secs()));
                assert_eq!(bench.now, before + every);
                bench.receive(&ServerMessage::Heartbeat);
            }
        }
    }

    #[test]
    fn results_of_a_lost_connection_are_never_sent() {
        let mut bench = Bench::new(2);
        for id in 0..4 {
            bench.lend(id, id * 10..id * 10 + 5);
        }
        bench.close(1006);
        assert!(bench.compute(0, 1.0).sent.is_empty(), "while there is no connection");
        bench.pass();
        bench.open();
        assert_eq!(bench.lend(7, 70..75).begun, [(0, 70..71)]);
        assert!(bench.lend(8, 80..85).begun.is_empty(), "slot 1 is busy still");
        let done = bench.compute(1, 1.0);
        assert!(done.sent.is_empty(), "it was for the lost connection");
        assert_eq!(done.begun, [(1, 80..81)]);
        assert_eq!(bench.compute(0, 1.0).results(), [(7, 70..71)]);
        bench.close(1006);
        bench.pass();
        bench.open();
        assert!(bench.fail(0).sent.is_empty(), "nor failures");
        assert!(bench.compute(1, 1.0).sent.is_empty());
        assert!(bench.is_idle());
    }

    #[test]
    fn a_worker_that_is_turned_away_ends_for_good() {
        let mut bench = Bench::new(1);
        bench.lend(1, 0..5);
        let done = bench.close(close_code::TURNED_AWAY);
        assert_eq!(done.others, [Action::Disconnect]);
        let [ToPage::Failed { text, .. }] = &done.told[..] else { panic!("{done:?}") };
        assert_eq!(text, "The server has turned this worker away: no");
        assert_eq!(bench.worker.next_timeout(), None);
        bench.now += Duration::from_secs(3600);
        for event in [
            Event::RetryNow,
            Event::Timeout,
            Event::Opened,
            Event::Start { worker: Some("again".to_owned()) },
            Event::Text(lease(2, 0..5).write()),
            Event::Closed { code: 1006, reason: String::new() },
        ] {
            let done = bench.handle(event.clone());
            assert!(done.sent.is_empty() && done.begun.is_empty(), "{event:?}: {done:?}");
            assert!(done.others.is_empty() && done.told.is_empty(), "{event:?}: {done:?}");
        }
        assert!(bench.compute(0, 1.0).sent.is_empty());
    }

    #[test]
    fn other_close_codes_are_followed_by_another_attempt() {
        for code in [1000, 1001, 1006, 1011, close_code::SLOW, close_code::NOISE, 4999] {
            let mut bench = Bench::new(1);
            assert_eq!(bench.close(code).others, [Action::Disconnect]);
            assert_eq!(bench.pass().others, [Action::Connect], "{code}");
        }
    }
}
