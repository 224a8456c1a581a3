//! What the dispatcher decides, without I/O and without a clock: events in, effects out. The
//! tokio task around it, and the simulation in the tests, carry the effects out.

mod complaints;
mod hello;
mod live;
mod open;
mod owed;
mod stream;
mod throughput;

use crate::agent::Agent;
use crate::connection::{Close, Peer, list_connected};
use crate::metrics::Metrics;
use crate::native;
use crate::pace::Pace;
use crate::scheduler::PLAIN_TOLERANCE;
use crate::scheduler::{
    Accepted, By, Expired, Grant, Inputs, Intervals, JobSpec, Refusal, RefusalReason, Scheduler,
    SessionId, Trust,
};
use crate::store::{NewJob, Recording, StoredJob, job_named};
use crate::wall_clock::rfc3339;
use complaints::{Complaints, complain};
use live::Live;
pub use live::Sampled;
use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;
use tequio_protocol::api::{JobState, JobView, WorkerKind, WorkerView};
use tequio_protocol::grid::Grid;
use tequio_protocol::ids::{JobId, LeaseId, TaskId, WorkerId};
use tequio_protocol::limits::{
    DISPATCHER_LEASES, IN_FLIGHT_TASKS_MAX, LEASE_INPUTS_MAX, LEASE_TASKS_MAX, LEASES_OUT_MAX,
    NOISE_LOGGED_MAX, PLAIN_REVOKED_MAX, RATE_STEADY_S, RATE_WINDOW_S, SERVICE_LINE_PACE,
    SERVICE_LINES_BURST, STORE_RETRY, UNCOMMITTED_TASKS_MAX,
};
use tequio_protocol::live::HowEnded;
use tequio_protocol::message::{
    DurationMs, ErrorCode, ErrorMessage, Hello, Lease, LeaseInputs, LeaseResults, ServerMessage,
    Task, TaskFailed, TaskResult, close_code,
};
use tequio_protocol::number::Number;
use tequio_protocol::op::{Op, RepeatMultiply};
use tequio_protocol::outcome::Outcome;
use tequio_protocol::text::quote;
use tracing::{debug, debug_span, info, warn};

/// The id of the welcome task, which is every connection's first.
const WELCOME_TASK_ID: TaskId = TaskId(1);

/// Why workers are turned away.
const A_WRONG_RESULT: &str = "a wrong result";
const TOO_MANY_FAULTS: &str = "too many wrong results";
const TOO_MANY_FAILURES: &str = "too many failures of tasks that have a result";

/// When something happens.
#[derive(Clone, Copy, Debug)]
pub struct Now {
    /// On a clock that never jumps, since an origin of the caller's.
    pub at: Duration,
    /// On the wall's clock, for people: milliseconds since 1970, UTC.
    pub unix_ms: u64,
}

/// What a worker sends that is in shape.
#[derive(Clone, Debug, PartialEq)]
pub enum FromWorker {
    /// See [`tequio_protocol::message::WorkerMessage`], whose variants these are.
    Result(TaskResult),
    /// It speaks lease mode.
    Hello(Hello),
    /// Outcomes of a lease.
    Results(LeaseResults),
    /// A task without a result.
    Failed(TaskFailed),
    /// It goes on with a lease.
    Progress(LeaseId),
    /// It gives a lease back.
    Release(LeaseId),
    /// It has more slots, or fewer.
    Slots(u32),
    /// It could not compute what it was sent.
    Refused(ErrorMessage),
    /// It is there: its own word, not its browser's.
    Alive,
    /// It has answered a ping, so long after that was sent.
    Pong(Duration),
    /// Something that asks for nothing.
    Nothing,
    /// Something that its session ignored or refused; whether an honest worker may send it.
    Rubbish {
        /// It was an answer of lease mode, out of shape.
        is_strike: bool,
    },
}

/// How a connection came to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HowLeft {
    /// The worker said that it goes away, as the browser of a page does that is closed.
    Closed,
    /// In any other way: its program ended, its line broke, or it was let go.
    Broken,
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq)]
pub enum Effect {
    /// Send a message.
    Send(WorkerId, ServerMessage),
    /// Close a connection; the session reports its end as any other.
    Close(WorkerId, Close),
    /// Read inputs of a job and hand them to [`Core::inputs_read`].
    ReadInputs {
        /// The lease that they are for.
        lease: LeaseId,
        /// Its job.
        job: JobId,
        /// Its tasks.
        range: Range<u64>,
    },
    /// Record outcomes, then tell [`Core::recorded`].
    Record(Recording),
    /// Set a job's state in the store.
    SetState(JobId, JobState),
    /// Note that a job was appended to, at that many milliseconds since 1970.
    NoteAppended(JobId, u64),
    /// Close a job that nobody appends to any more, then tell [`Core::close_job`].
    CloseJob(JobId),
    /// What a follower of this job may now read has changed.
    Progress(JobId, Progress),
}

/// How far a job is, on disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Every task below this index has an outcome on disk.
    pub prefix: u64,
    /// Tasks with an outcome on disk.
    pub recorded: u64,
    /// Of those, the ones with an error.
    pub failed: u64,
    /// Tasks that there are.
    pub total: u64,
    /// Whether more may come.
    pub is_open: bool,
    /// Where the job is.
    pub state: JobState,
    /// Whether it is set aside: nothing more comes of it while this server runs.
    pub is_set_aside: bool,
    /// Whether its inputs are a grid's, and of no lines.
    pub has_grid: bool,
}

/// What a person does to a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Control {
    /// Hand out no more of it.
    Pause,
    /// Go on.
    Resume,
    /// End it, with the outcomes that it has.
    Cancel,
}

impl Control {
    /// What a job is that this was done to.
    pub const fn participle(self) -> &'static str {
        match self {
            Control::Pause => "paused",
            Control::Resume => "resumed",
            Control::Cancel => "cancelled",
        }
    }
}

/// Why a job may be removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Removable {
    /// It is over.
    Over,
    /// A part of it cannot be read, and its state says nothing of that.
    SetAside,
}

/// Why a job was not controlled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ControlError {
    /// There is no such job.
    #[error("there is no job {0}")]
    Unknown(JobId),
    /// The job is over, and what was to be done with it cannot be done any more.
    #[error("job {0} is {state}, and cannot be {control} any more",
        state = .1.name(), control = .2.participle())]
    Over(JobId, JobState, Control),
    /// The job does not wait for inputs.
    #[error("job {0} is {state} and does not wait for inputs", state = .1.name())]
    NotOpen(JobId, JobState),
    /// The job is not over.
    #[error("job {0} is {state}", state = .1.name())]
    NotOver(JobId, JobState),
    /// A part of the job cannot be read.
    #[error("job {0} is set aside, since a part of it cannot be read")]
    SetAside(JobId),
}

/// The state of a server.
#[derive(Debug)]
pub struct Core {
    welcome: Option<RepeatMultiply>,
    workers: BTreeMap<WorkerId, Worker>,
    /// The connections that have said hello, by what a later one calls them.
    sessions: HashMap<SessionId, WorkerId>,
    jobs: BTreeMap<JobId, Job>,
    scheduler: Scheduler,
    /// Leases whose inputs are being read.
    reading: HashMap<LeaseId, Grant>,
    /// Connections so far; the newest one's number.
    connections: u64,
    /// Outcomes taken and not on disk, in tasks.
    uncommitted: u64,
    /// What the store says while it cannot write.
    store_error: Option<String>,
    /// After a failed read, nothing is lent before this.
    no_grants_until: Duration,
    /// Whether lending has stopped so that others have their turn.
    may_lend_more: bool,
    metrics: Arc<Metrics>,
    /// When to look whether plain clients still owe what they owed.
    looks: owed::Looks,
    /// What pages are shown.
    live: Live,
    /// Open jobs by when they have waited long enough.
    waiting: BTreeSet<(Duration, JobId)>,
    /// What the grids of jobs that are not over hold.
    grids_bytes: usize,
    /// Jobs whose followers are to be told, once for all that happened.
    progressed: BTreeSet<JobId>,
    /// What the console says of workers' failures and faults.
    complaints: Complaints,
    effects: Vec<Effect>,
}

/// Outcomes that are on disk.
#[derive(Clone, Debug, PartialEq)]
pub struct Recorded {
    /// Of which job.
    pub job: JobId,
    /// Which tasks.
    pub range: Range<u64>,
    /// How many of them are errors.
    pub failed: u64,
    /// What computed them.
    pub kind: WorkerKind,
    /// The first of them, and the user agent that computed it.
    pub first: Option<(Outcome, String)>,
}

#[derive(Debug)]
struct Worker {
    peer: Peer,
    hello: Option<Hello>,
    /// What it may call this connection on its next one; it has said hello.
    session: Option<SessionId>,
    /// Whether it answered the welcome task, on an earlier connection perhaps, or there is none.
    is_welcome: bool,
    held: Option<Held>,
    /// When it is looked whether it still has that.
    look_at: Option<Duration>,
    /// Tasks of plain mode that others have done meanwhile, and that it will answer all the same.
    needless: VecDeque<TaskId>,
    next_task: u64,
    connected_at: Duration,
    heard_at: Duration,
    tasks: u64,
    results: u64,
    rate: Rate,
    errors: u64,
    refused: u64,
    lag: Option<Duration>,
    /// What the console says of its tasks of plain mode.
    told: Pace<Duration>,
    /// Tasks since the last that the console showed.
    untold: u64,
}

/// The one task of a plain worker.
#[derive(Debug)]
struct Held {
    task_id: TaskId,
    input: RepeatMultiply,
    /// None for the welcome task.
    lease: Option<(LeaseId, u64)>,
    /// When its worker has had it for too long.
    until: Duration,
    /// Whether the console showed it, and is to show its result.
    is_told: bool,
}

#[derive(Debug)]
struct Job {
    /// As it was entered, but for its grid.
    job: NewJob,
    grid: Option<Arc<Grid>>,
    total: u64,
    is_open: bool,
    /// Until when it waits for inputs, if it is open.
    waits_until: Option<Duration>,
    /// When it was appended to, as far as that is noted: milliseconds since 1970.
    noted_ms: u64,
    state: JobState,
    done: u64,
    failed: u64,
    durable: Intervals,
    rate: Rate,
    /// What of it cannot be read.
    trouble: Option<String>,
}

impl Recorded {
    /// What is on disk once these are: neighbours are often of one kind of worker.
    pub fn all(recordings: impl IntoIterator<Item = Recording>) -> Vec<Recorded> {
        let mut known: Option<(String, WorkerKind)> = None;
        let recorded = recordings.into_iter().map(|recording| {
            let agent = &recording.agent;
            let kind = match known.as_ref().filter(|(of, _)| of == agent) {
                Some((_, kind)) => *kind,
                None => {
                    let kind = Agent::parse(Some(agent)).kind;
                    known = Some((agent.clone(), kind));
                    kind
                }
            };
            Recorded::by(kind, recording)
        });
        recorded.collect()
    }

    fn by(kind: WorkerKind, recording: Recording) -> Recorded {
        let end = recording.first + recording.outcomes.len();
        Recorded {
            job: recording.job,
            range: recording.first..end,
            failed: recording.outcomes.failed(),
            kind,
            first: recording.outcomes.first().map(|first| (first, recording.agent)),
        }
    }
}

/// Tasks in each of the last seconds.
#[derive(Debug, Default)]
struct Rate {
    seconds: VecDeque<(u64, u64)>,
}

impl Core {
    /// A server that nobody is connected to. `jobs` are what its store holds, and leases are
    /// numbered so that those of another `epoch` differ; `trust` decides what is believed of workers.
    pub fn new(
        welcome: Option<RepeatMultiply>,
        epoch: u64,
        jobs: Vec<StoredJob>,
        trust: impl Into<Trust>,
        metrics: Arc<Metrics>,
        now: Now,
    ) -> Core {
        // 2^32 leases in each of 2^20 epochs.
        let first_lease = LeaseId(((epoch & 0xf_ffff) << 32) + 1);
        let mut core = Core {
            welcome,
            workers: BTreeMap::new(),
            sessions: HashMap::new(),
            jobs: BTreeMap::new(),
            scheduler: Scheduler::new(first_lease, trust),
            reading: HashMap::new(),
            connections: 0,
            uncommitted: 0,
            store_error: None,
            no_grants_until: Duration::ZERO,
            may_lend_more: false,
            metrics,
            looks: owed::Looks::default(),
            live: Live::default(),
            waiting: BTreeSet::new(),
            grids_bytes: 0,
            progressed: BTreeSet::new(),
            complaints: Complaints::new(now.at),
            effects: Vec::new(),
        };
        for job in jobs {
            core.add_job(job, now);
        }
        core
    }

    /// What is to be done since the last call, in order.
    pub fn effects(&mut self, now: Now) -> Vec<Effect> {
        // Before anything is lent: who is lent more has to know first that it holds less.
        for (worker, lease) in self.scheduler.drain_revoked() {
            self.revoked(worker, lease);
            self.live.stream.ended(worker, lease, HowEnded::Returned, now.at);
        }
        self.grant(now);
        for expired in self.scheduler.drain_taken_over() {
            self.expired(expired, now);
        }
        for id in std::mem::take(&mut self.progressed) {
            if let Some(job) = self.jobs.get(&id) {
                self.effects.push(Effect::Progress(id, job.progress()));
            }
        }
        std::mem::take(&mut self.effects)
    }

    /// When [`Core::timeout`] has something to do or [`Core::effects`] more to lend, if ever.
    pub fn next_timeout(&self, now: Duration) -> Option<Duration> {
        if self.may_lend_more {
            return Some(now);
        }
        let pause = (self.no_grants_until > now).then_some(self.no_grants_until);
        let waited = self.waiting.first().map(|(at, _)| *at);
        let others = [pause, waited, self.looks.next()];
        others.into_iter().chain([self.scheduler.next_timeout()]).flatten().min()
    }

    /// Takes back leases whose time is over, forgets workers that did not come back, and closes jobs
    /// that nobody appends to any more.
    pub fn timeout(&mut self, now: Now) {
        self.close_forgotten(now.at);
        for expired in self.scheduler.expire(now.at) {
            self.expired(expired, now);
        }
        self.end_overdue(now);
    }

    fn expired(&mut self, expired: Expired, now: Now) {
        let Expired { lease, job, worker } = expired;
        self.metrics.expiries.inc();
        debug!(%lease, %job, "[#{worker}] lease expired");
        self.live.stream.ended(worker, lease, HowEnded::Lost, now.at);
        self.live.busy.insert(worker);
    }

    // ---- Connections ------------------------------------------------------------------------

    /// Enters a connection.
    pub fn connected(&mut self, peer: Peer, now: Now) -> WorkerId {
        self.connections += 1;
        let id = WorkerId(self.connections);
        info!("#{id} connected from {} path={}", peer.address, peer.path);
        let worker = Worker {
            peer,
            hello: None,
            session: None,
            is_welcome: self.welcome.is_none(),
            held: None,
            look_at: None,
            needless: VecDeque::new(),
            next_task: WELCOME_TASK_ID.0,
            connected_at: now.at,
            heard_at: now.at,
            tasks: 0,
            results: 0,
            rate: Rate::default(),
            errors: 0,
            refused: 0,
            lag: None,
            told: Pace::new(SERVICE_LINES_BURST, SERVICE_LINE_PACE, now.at),
            untold: 0,
        };
        self.workers.insert(id, worker);
        self.live.changed.insert(id);
        self.log_connected();
        match self.welcome {
            Some(input) => self.give(id, Op::RepeatMultiply, input, None, now.at),
            None => self.begin(id, now.at),
        }
        id
    }

    /// Removes a connection; what it held is handed to others. One that has said hello may come
    /// back; one that was turned away is not in the scheduler any more, and nothing of it is kept.
    pub fn disconnected(&mut self, id: WorkerId, reason: &str, how: HowLeft, now: Now) {
        if how == HowLeft::Broken {
            self.give_up_owed(id, reason, now);
        }
        self.forget_owed(id);
        let Some(worker) = self.workers.remove(&id) else { return };
        self.live.left(id, now.at);
        match worker.session {
            Some(session) => {
                self.sessions.remove(&session);
                self.scheduler.keep_worker(id, session, now.at);
            }
            None => self.scheduler.remove_worker(id),
        }
        info!("#{id} disconnected ({reason})");
        self.log_connected();
    }

    /// Takes what a worker sent.
    pub fn heard(&mut self, id: WorkerId, message: FromWorker, now: Now) {
        let _span = debug_span!("worker", %id).entered();
        let Some(worker) = self.workers.get_mut(&id) else { return };
        worker.heard_at = now.at;
        self.live.busy.insert(id);
        match message {
            FromWorker::Result(result) => self.result(id, result, now),
            FromWorker::Hello(hello) => self.hello(id, hello, now),
            FromWorker::Results(results) => self.results(id, results, now),
            FromWorker::Failed(failed) => self.failed(id, failed, now),
            FromWorker::Progress(lease) => {
                let progress = self.scheduler.progress(id, lease, now.at);
                self.answered(id, lease, progress, now.at);
            }
            FromWorker::Release(lease) => {
                let released = self.scheduler.release(id, lease);
                self.live.stream.ended(id, lease, HowEnded::Returned, now.at);
                self.answered(id, lease, released, now.at);
            }
            FromWorker::Slots(slots) => self.slots(id, slots, now.at),
            FromWorker::Refused(error) => self.refused_by_worker(id, &error, now),
            FromWorker::Alive => self.scheduler.mark_alive(id),
            FromWorker::Pong(lag) => worker.lag = Some(lag),
            FromWorker::Nothing => {}
            FromWorker::Rubbish { is_strike } => {
                worker.refused += 1;
                let is_strike = is_strike && worker.hello.is_some();
                if is_strike && self.scheduler.add_strike(id) {
                    self.turn_away(id, TOO_MANY_FAULTS, now.at);
                }
            }
        }
    }

    /// Who is connected, in the order of arrival.
    pub fn workers(&self, now: Duration) -> Vec<WorkerView> {
        self.workers.iter().map(|(id, worker)| self.worker_view(*id, worker, now)).collect()
    }

    /// How many are connected.
    pub fn workers_connected(&self) -> usize {
        self.workers.len()
    }

    fn worker_view(&self, id: WorkerId, worker: &Worker, now: Duration) -> WorkerView {
        let Agent { kind, program, system } = Agent::parse(worker.peer.agent.as_deref());
        WorkerView {
            id,
            address: worker.peer.address.to_string(),
            path: worker.peer.path.clone(),
            agent: worker.peer.agent.clone(),
            kind,
            program,
            system: system.to_owned(),
            connected_s: now.saturating_sub(worker.connected_at).as_secs_f64(),
            idle_s: now.saturating_sub(worker.heard_at).as_secs_f64(),
            lag_ms: worker.lag.map(|lag| lag.as_secs_f64() * 1000.0),
            slots: worker.hello.as_ref().map_or(1, |hello| hello.slots),
            leases: self.scheduler.leases_of(id),
            tasks: worker.tasks,
            results: worker.results,
            rate: worker.rate.per_second(now),
            errors: worker.errors,
            refused: worker.refused,
        }
    }

    fn log_connected(&self) {
        let all = self.workers.iter().map(|(id, worker)| (format!("#{id}"), worker.peer.address));
        info!("Connected {}", list_connected(all));
    }

    fn slots(&mut self, id: WorkerId, slots: u32, now: Duration) {
        let Some(worker) = self.workers.get_mut(&id) else { return };
        let Some(hello) = &mut worker.hello else {
            let message = "slots is for workers that have said hello".to_owned();
            return self.refuse(id, ErrorCode::NoHello, message, None, now);
        };
        hello.slots = slots;
        self.scheduler.set_slots(id, slots);
        self.live.changed.insert(id);
    }

    // ---- Plain mode -------------------------------------------------------------------------

    fn give(
        &mut self,
        id: WorkerId,
        op: Op,
        input: RepeatMultiply,
        lease: Option<(LeaseId, u64)>,
        now: Duration,
    ) {
        let Some(worker) = self.workers.get_mut(&id) else { return };
        let task_id = TaskId(worker.next_task);
        worker.next_task += 1;
        worker.tasks += 1;
        let is_told = worker.told.take(now);
        worker.held = Some(Held { task_id, input, lease, until: now, is_told });
        if !is_told {
            worker.untold += 1;
        } else {
            match std::mem::take(&mut worker.untold) {
                0 => info!("[#{id}] task sent task_id={task_id}"),
                untold => info!("[#{id}] task sent task_id={task_id} (and {untold} before)"),
            }
        }
        self.send(id, ServerMessage::Task(Task { op, task_id, input }));
        self.watch_owed(id, now);
    }

    fn result(&mut self, id: WorkerId, result: TaskResult, now: Now) {
        let Some(worker) = self.workers.get_mut(&id) else { return };
        let task_id = result.task_id;
        if let Some(at) = worker.needless.iter().position(|needless| *needless == task_id) {
            worker.needless.remove(at);
            self.metrics.duplicates.inc();
            return;
        }
        let Some(held) = worker.held.take_if(|held| held.task_id == task_id) else {
            let message = format!("task {task_id} is not waited for: unknown, or answered before");
            return self.refuse_task(id, ErrorCode::UnknownTask, message, task_id, now.at);
        };
        if let Some(agent) = &result.agent
            && worker.peer.agent.as_deref() != Some(agent)
        {
            worker.peer.agent = Some(tequio_protocol::text::agent(agent));
            self.live.changed.insert(id);
        }
        let expected = Number(held.input.compute());
        let is_exact = worker.hello.is_some();
        if !is_right(result.result, expected, is_exact) {
            let got = result.result.map_or("null".to_owned(), |number| number.to_string());
            let message = format!("task {task_id} is {}, which is not {got}", held.input);
            match held.lease {
                // A wrong number does not give the welcome task up: the worker may answer again.
                None => worker.held = Some(held),
                Some((lease, index)) => {
                    let wrong = result.result.unwrap_or(Number(f64::NAN));
                    let answer = if wrong == expected { Number(f64::NAN) } else { wrong };
                    let answers = [answer].into_iter().collect();
                    worker.errors += 1;
                    let refused = self.scheduler.results(id, lease, index, answers, None, now.at);
                    self.live.stream.ended(id, lease, HowEnded::Lost, now.at);
                    self.count_refusal(&refused);
                    if refused.is_err_and(|refusal| refusal.is_turned_away) {
                        self.refuse_task(id, ErrorCode::WrongResult, message, task_id, now.at);
                        return self.turn_away(id, TOO_MANY_FAULTS, now.at);
                    }
                }
            }
            return self.refuse_task(id, ErrorCode::WrongResult, message, task_id, now.at);
        }
        worker.results += 1;
        worker.rate.count(now.at, 1);
        let number = result.result.unwrap_or(expected);
        if held.is_told {
            let duration = result.duration_ms.map_or("?".to_owned(), |ms| ms.to_string());
            let agent = worker.peer.agent.as_deref().unwrap_or("?");
            info!(
                "[#{id}] result task_id={task_id} result={number} duration_ms={duration} \
                 agent={agent}"
            );
        }
        match held.lease {
            // One that goes on with a session has begun already.
            None if worker.is_welcome => {}
            None => {
                worker.is_welcome = true;
                self.begin(id, now.at);
            }
            Some((lease, index)) => {
                let duration = duration_of(result.duration_ms);
                let answer = [number].into_iter().collect();
                let taken = self.scheduler.results(id, lease, index, answer, duration, now.at);
                self.take(id, lease, taken, result.duration_ms, now);
            }
        }
    }

    // ---- Lease mode -------------------------------------------------------------------------

    fn results(&mut self, id: WorkerId, message: LeaseResults, now: Now) {
        let Some(worker) = self.workers.get_mut(&id) else { return };
        if worker.hello.is_none() {
            let said = "results is for workers that have said hello".to_owned();
            return self.refuse(id, ErrorCode::NoHello, said, Some(message.lease), now.at);
        }
        if let Some(agent) = &message.agent
            && worker.peer.agent.as_deref() != Some(agent)
        {
            worker.peer.agent = Some(tequio_protocol::text::agent(agent));
            self.live.changed.insert(id);
        }
        let LeaseResults { lease, first, results, duration_ms, .. } = message;
        let _span = debug_span!("lease", id = %lease).entered();
        let duration = duration_of(duration_ms);
        let count = results.len() as u64;
        let taken = self.scheduler.results(id, lease, first, results, duration, now.at);
        if taken.is_ok() {
            worker.results += count;
            worker.rate.count(now.at, count);
        }
        debug!(first, count, "[#{id}] results");
        self.take(id, lease, taken, duration_ms, now);
    }

    fn failed(&mut self, id: WorkerId, message: TaskFailed, now: Now) {
        let Some(worker) = self.workers.get_mut(&id) else { return };
        let TaskFailed { lease, index, error } = message;
        if worker.hello.is_none() {
            let said = "failed is for workers that have said hello".to_owned();
            return self.refuse(id, ErrorCode::NoHello, said, Some(lease), now.at);
        }
        let _span = debug_span!("lease", id = %lease).entered();
        worker.errors += 1;
        complain!(self.complaints, now.at, "[#{id}] task failed: {} index={index}", quote(&error));
        let taken = self.scheduler.failed(id, lease, index, &error, now.at);
        self.take(id, lease, taken, None, now);
    }

    /// A worker that cannot take what it was sent: what it holds of it goes to others.
    fn refused_by_worker(&mut self, id: WorkerId, error: &ErrorMessage, now: Now) {
        let Some(worker) = self.workers.get_mut(&id) else { return };
        if let Some(held) = worker.held.take_if(|held| Some(held.task_id) == error.task_id)
            && let Some((lease, index)) = held.lease
        {
            let taken = self.scheduler.failed(id, lease, index, &error.message, now.at);
            return self.take(id, lease, taken, None, now);
        }
        let Some(lease) = error.lease else { return };
        if let Err(refusal) = self.scheduler.release(id, lease) {
            return self.answer_refusal(id, lease, &refusal, now.at);
        }
        self.live.stream.ended(id, lease, HowEnded::Returned, now.at);
        if self.scheduler.add_strike(id) {
            // It would be lent the same again, and refuse it again.
            self.turn_away(id, TOO_MANY_FAULTS, now.at);
        }
    }

    /// Records what is new of an answer, or says why it was refused.
    fn take(
        &mut self,
        id: WorkerId,
        lease: LeaseId,
        taken: Result<Accepted, Refusal>,
        duration_ms: Option<DurationMs>,
        now: Now,
    ) {
        self.count_refusal(&taken);
        self.show_answer(id, lease, &taken, now.at);
        match taken {
            Ok(accepted) => {
                self.metrics.duplicates.inc_by(accepted.duplicates);
                self.record(id, accepted, duration_ms, now);
            }
            Err(mut refusal) => {
                let saved = std::mem::take(&mut refusal.saved);
                self.record(id, saved, duration_ms, now);
                self.answer_refusal(id, lease, &refusal, now.at);
            }
        }
    }

    fn record(
        &mut self,
        id: WorkerId,
        accepted: Accepted,
        duration_ms: Option<DurationMs>,
        now: Now,
    ) {
        let (Some(job), Some(worker)) = (accepted.job, self.workers.get(&id)) else { return };
        let agent = match accepted.by {
            By::Worker => worker.peer.agent.clone().unwrap_or_default(),
            By::Server => native::agent(),
        };
        let _job = debug_span!("job", id = %job).entered();
        for (first, outcomes) in accepted.fresh {
            debug!(first, count = outcomes.len(), "to be recorded");
            self.uncommitted += outcomes.len();
            self.effects.push(Effect::Record(Recording {
                job,
                first,
                outcomes,
                worker: id,
                agent: agent.clone(),
                duration_ms: duration_ms.map(DurationMs::get),
                recorded_at_ms: now.unix_ms,
            }));
        }
    }

    /// Shows in the task stream what an answer did to its lease.
    fn show_answer<T>(
        &mut self,
        id: WorkerId,
        lease: LeaseId,
        answer: &Result<T, Refusal>,
        now: Duration,
    ) {
        let stream = &mut self.live.stream;
        match answer {
            Ok(_) => {
                stream.answered(id, lease);
                if self.scheduler.rest_of(lease).is_none() {
                    stream.ended(id, lease, HowEnded::Answered, now);
                }
            }
            Err(Refusal { reason: RefusalReason::Wrong { .. }, .. }) => {
                stream.ended(id, lease, HowEnded::Lost, now);
                if let Some(worker) = self.workers.get_mut(&id) {
                    worker.errors += 1;
                }
            }
            Err(_) => {}
        }
    }

    fn answered(
        &mut self,
        id: WorkerId,
        lease: LeaseId,
        answer: Result<(), Refusal>,
        now: Duration,
    ) {
        self.count_refusal(&answer);
        if let Err(refusal) = answer {
            self.answer_refusal(id, lease, &refusal, now);
        }
    }

    fn answer_refusal(&mut self, id: WorkerId, lease: LeaseId, refusal: &Refusal, now: Duration) {
        let (code, why) = match refusal.reason {
            RefusalReason::UnknownLease(_) => (ErrorCode::UnknownLease, TOO_MANY_FAULTS),
            RefusalReason::OutOfShape { .. } => (ErrorCode::BadResult, TOO_MANY_FAULTS),
            RefusalReason::Wrong { .. } => (ErrorCode::WrongResult, A_WRONG_RESULT),
            RefusalReason::Refuted { .. } => (ErrorCode::WrongResult, TOO_MANY_FAILURES),
        };
        self.refuse(id, code, refusal.reason.to_string(), Some(lease), now);
        if refusal.is_turned_away {
            self.turn_away(id, why, now);
        }
    }

    fn count_refusal<T>(&self, answer: &Result<T, Refusal>) {
        if let Err(Refusal { reason: RefusalReason::Wrong { .. }, .. }) = answer {
            self.metrics.wrong.inc();
        }
    }

    fn turn_away(&mut self, id: WorkerId, why: &str, now: Duration) {
        self.metrics.turned_away.inc();
        complain!(self.complaints, now, "[#{id}] turned away: {why}");
        let reason = why.to_owned();
        let error = ErrorMessage {
            code: ErrorCode::TurnedAway,
            message: reason.clone(),
            task_id: None,
            lease: None,
        };
        self.send(id, ServerMessage::Error(error));
        let code = close_code::TURNED_AWAY;
        self.effects.push(Effect::Close(id, Close { code, reason }));
    }

    // ---- Leases -----------------------------------------------------------------------------

    /// Lends what can be lent, as long as what is taken can be recorded; after [`DISPATCHER_LEASES`]
    /// others have their turn first.
    fn grant(&mut self, now: Now) {
        let mut lent = 0;
        self.may_lend_more = false;
        while self.store_error.is_none()
            && self.uncommitted < UNCOMMITTED_TASKS_MAX
            && now.at >= self.no_grants_until
        {
            if lent == DISPATCHER_LEASES {
                self.may_lend_more = true;
                break;
            }
            let Some(grant) = self.next_grant(now.at) else { break };
            lent += 1;
            self.metrics.grants.inc();
            let Some(job) = self.jobs.get(&grant.job) else { continue };
            let Grant { worker, lease, range, is_copy, .. } = &grant;
            let _job = debug_span!("job", id = %grant.job).entered();
            let _lease = debug_span!("lease", id = %lease).entered();
            debug!(?range, is_copy, "[#{worker}] lease");
            match &job.grid {
                Some(grid) => {
                    let grid = grid.clone();
                    let inputs = Inputs::Grid(grid.clone());
                    self.scheduler.set_inputs(grant.lease, inputs);
                    self.deliver(&grant, LeaseInputs::Grid(Grid::clone(&grid)), now.at);
                }
                None => {
                    self.effects.push(Effect::ReadInputs {
                        lease: grant.lease,
                        job: grant.job,
                        range: grant.range.clone(),
                    });
                    self.reading.insert(grant.lease, grant);
                }
            }
        }
    }

    /// Where as much is out as may be, what stalls is still anybody's who has room.
    fn next_grant(&mut self, now: Duration) -> Option<Grant> {
        let tasks = self.uncommitted + self.scheduler.tasks_out();
        if tasks < IN_FLIGHT_TASKS_MAX && self.scheduler.leases_out() < LEASES_OUT_MAX {
            self.scheduler.grant(now)
        } else {
            self.scheduler.grant_taken_over(now)
        }
    }

    /// The inputs that [`Effect::ReadInputs`] asked for are damaged, or gone: their job is set aside, and
    /// the others go on.
    pub fn inputs_damaged(&mut self, lease: LeaseId, what: String) {
        if let Some(grant) = self.reading.remove(&lease) {
            self.set_aside(grant.job, what, 0);
        }
    }

    /// The inputs that [`Effect::ReadInputs`] asked for are there, or cannot be read now.
    pub fn inputs_read(
        &mut self,
        lease: LeaseId,
        inputs: Result<Vec<RepeatMultiply>, String>,
        now: Now,
    ) {
        let Some(grant) = self.reading.remove(&lease) else { return };
        let inputs = match inputs {
            Ok(inputs) => inputs,
            Err(error) => {
                warn!(%lease, job = %grant.job, "inputs cannot be read: {error}");
                self.no_grants_until = now.at + STORE_RETRY;
                return self.scheduler.withdraw(lease);
            }
        };
        let known = Inputs::List { first: grant.range.start, inputs: inputs.clone().into() };
        self.scheduler.set_inputs(lease, known);
        // It may have expired or been revoked meanwhile; then nobody waits for it.
        if self.scheduler.rest_of(lease).is_some() {
            self.deliver(&grant, LeaseInputs::List(inputs), now.at);
        }
    }

    fn deliver(&mut self, grant: &Grant, inputs: LeaseInputs, now: Duration) {
        let Grant { lease, job, worker: id, range, deadline, .. } = grant;
        let (Some(worker), Some(op)) =
            (self.workers.get_mut(id), self.jobs.get(job).map(|job| job.job.op))
        else {
            return;
        };
        let count = range.end - range.start;
        let slots = worker.hello.as_ref().map_or(1, |hello| hello.slots);
        self.live.stream.lent(*id, slots, *lease, *job, count, now);
        if worker.hello.is_none() {
            let input = match &inputs {
                LeaseInputs::Grid(grid) => grid.input(range.start),
                LeaseInputs::List(inputs) => inputs[0],
            };
            return self.give(*id, op, input, Some((*lease, range.start)), now);
        }
        worker.tasks += count;
        let message = Lease {
            lease: *lease,
            job: *job,
            op,
            first: range.start,
            count,
            inputs,
            deadline_ms: deadline.saturating_sub(now).as_millis() as u64,
        };
        self.send(*id, ServerMessage::Lease(message));
    }

    fn revoked(&mut self, id: WorkerId, lease: LeaseId) {
        let Some(worker) = self.workers.get_mut(&id) else { return };
        if worker.hello.is_some() {
            return self.send(id, ServerMessage::Revoke { lease });
        }
        // A plain client knows no revoking: it answers, and what it answers is dropped.
        let is_it = |held: &mut Held| held.lease.is_some_and(|(of, _)| of == lease);
        if let Some(held) = worker.held.take_if(is_it) {
            if worker.needless.len() >= PLAIN_REVOKED_MAX {
                worker.needless.pop_front();
            }
            worker.needless.push_back(held.task_id);
        }
    }

    // ---- Jobs -------------------------------------------------------------------------------

    /// Enters a job that the store has.
    pub fn add_job(&mut self, stored: StoredJob, now: Now) {
        let StoredJob { id, mut job, total, is_open, mut state, done, failed, recorded, .. } =
            stored;
        let trouble = stored.trouble;
        let noted_ms = stored.appended_at_ms;
        let durable: Intervals = recorded.into_iter().collect();
        let mut grid = job.grid.take().map(Arc::new);
        let is_set_aside = trouble.is_some() && !state.is_over();
        if !state.is_over() && !is_open && !is_set_aside && durable.len() == total {
            state = JobState::Done;
            self.effects.push(Effect::SetState(id, state));
        }
        if !state.is_over() && !is_set_aside {
            let lease_tasks_max = if grid.is_some() { LEASE_TASKS_MAX } else { LEASE_INPUTS_MAX };
            let spec = JobSpec {
                op: job.op,
                total,
                priority: job.priority,
                lease_tasks_max,
                is_open,
                is_paused: state == JobState::Paused,
                settled: durable.clone(),
            };
            self.scheduler.add_job(id, spec);
        }
        if state.is_over() {
            // Nothing of it is lent any more.
            grid = None;
        }
        self.grids_bytes += grid.as_ref().map_or(0, |grid| grid.bytes());
        let rate = Rate::default();
        let waits_until = None;
        let job = Job {
            job,
            grid,
            total,
            is_open,
            waits_until,
            noted_ms,
            state,
            done,
            failed,
            durable,
            rate,
            trouble,
        };
        match &job.trouble {
            None => info!("Job {id} {}: {} of {total} tasks done", state.name(), done + failed),
            Some(what) => warn_of_trouble(id, &job, what),
        }
        self.jobs.insert(id, job);
        self.wait_since(id, noted_ms, now);
        self.progressed.insert(id);
    }

    /// Hands out no more of a job of which a part cannot be read, or be written; `lost` outcomes of it
    /// that were taken are not recorded. It is as it was when the server is started again.
    pub fn set_aside(&mut self, id: JobId, what: String, lost: u64) {
        self.uncommitted -= lost;
        let Some(job) = self.jobs.get_mut(&id) else { return };
        if job.trouble.is_some() || job.state.is_over() {
            return;
        }
        warn_of_trouble(id, job, &what);
        job.trouble = Some(what);
        self.scheduler.remove_job(id);
        self.progressed.insert(id);
        self.wait_for_inputs(id, Duration::ZERO);
    }

    fn resize_job(&mut self, id: JobId, total: u64, is_open: bool) {
        let Some(job) = self.jobs.get_mut(&id) else { return };
        // Two that grow it at once may be told of in another order than they were written.
        job.total = job.total.max(total);
        job.is_open &= is_open;
        self.scheduler.grow_job(id, job.total, job.is_open);
        self.progressed.insert(id);
        self.finish_if_complete(id);
    }

    /// Outcomes are on disk.
    pub fn recorded(&mut self, recorded: Recorded, now: Now) {
        let Recorded { job: id, range, failed, kind, first } = recorded;
        let count = range.end - range.start;
        self.live.history.count(now.at, kind, count);
        self.uncommitted -= count;
        self.metrics.recorded.inc_by(count);
        let Some(job) = self.jobs.get_mut(&id) else { return };
        if let Some((outcome, agent)) = first {
            self.live.sample(Sampled { job: id, index: range.start, outcome, agent });
        }
        job.done += count - failed;
        job.failed += failed;
        job.rate.count(now.at, count);
        if !job.state.is_over() {
            job.durable.insert(range);
            self.progressed.insert(id);
        }
        self.finish_if_complete(id);
    }

    fn finish_if_complete(&mut self, id: JobId) {
        let Some(job) = self.jobs.get_mut(&id) else { return };
        let may_go_on = job.is_open || job.trouble.is_some();
        if may_go_on || job.state.is_over() || job.durable.len() < job.total {
            return;
        }
        info!("Job {id} done: {} results, {} errors", job.done, job.failed);
        self.end_job(id, JobState::Done);
    }

    fn end_job(&mut self, id: JobId, state: JobState) {
        let Some(job) = self.jobs.get_mut(&id) else { return };
        job.state = state;
        self.grids_bytes -= job.grid.take().map_or(0, |grid| grid.bytes());
        self.scheduler.remove_job(id);
        self.effects.push(Effect::SetState(id, state));
        self.effects.push(Effect::Progress(id, job.progress()));
        self.progressed.remove(&id);
        job.durable = Intervals::default();
        self.wait_for_inputs(id, Duration::ZERO);
    }

    /// Pauses, resumes or cancels a job. Doing it twice does no harm.
    pub fn control(&mut self, id: JobId, control: Control) -> Result<(), ControlError> {
        let job = self.jobs.get_mut(&id).ok_or(ControlError::Unknown(id))?;
        if job.is_set_aside() {
            return Err(ControlError::SetAside(id));
        }
        let state = match control {
            Control::Pause => JobState::Paused,
            Control::Resume => JobState::Running,
            Control::Cancel => JobState::Cancelled,
        };
        if job.state == state {
            // It may not be on disk: whoever asks again asks for that too.
            self.effects.push(Effect::SetState(id, state));
            return Ok(());
        }
        if job.state.is_over() {
            return Err(ControlError::Over(id, job.state, control));
        }
        info!("Job {id} {}", state.name());
        if state == JobState::Cancelled {
            self.end_job(id, state);
            return Ok(());
        }
        job.state = state;
        self.scheduler.set_paused(id, state == JobState::Paused);
        self.effects.push(Effect::SetState(id, state));
        self.progressed.insert(id);
        Ok(())
    }

    /// Why a job may be removed; an error where it is neither over nor set aside, or not there.
    pub fn check_over(&self, id: JobId) -> Result<Removable, ControlError> {
        let job = self.jobs.get(&id).ok_or(ControlError::Unknown(id))?;
        if job.state.is_over() {
            Ok(Removable::Over)
        } else if job.is_set_aside() {
            Ok(Removable::SetAside)
        } else {
            Err(ControlError::NotOver(id, job.state))
        }
    }

    /// Forgets a job that is over, which the store has not any more.
    pub fn forget_job(&mut self, id: JobId) {
        info!("Job {id} removed");
        self.wait_for_inputs(id, Duration::ZERO);
        let job = self.jobs.remove(&id);
        self.grids_bytes -= job.and_then(|job| job.grid).map_or(0, |grid| grid.bytes());
    }

    /// One job.
    pub fn job(&self, id: JobId, now: Duration) -> Option<JobView> {
        self.jobs.get(&id).map(|job| self.job_view(id, job, now))
    }

    /// All jobs, in the order of submission.
    pub fn jobs(&self, now: Duration) -> Vec<JobView> {
        self.jobs.iter().map(|(id, job)| self.job_view(*id, job, now)).collect()
    }

    fn job_view(&self, id: JobId, job: &Job, now: Duration) -> JobView {
        let lent = self.scheduler.lent(id);
        let rate = job.rate.per_second(now);
        let left = job.total.saturating_sub(job.done + job.failed);
        let state = if job.is_set_aside() { JobState::Paused } else { job.state };
        let moves = rate > 0.0 && job.rate.is_steady(now) && state == JobState::Running;
        JobView {
            id,
            name: job.job.name.clone(),
            op: job.job.op,
            state,
            open: job.is_open && !job.state.is_over(),
            total: job.total,
            done: job.done,
            failed: job.failed,
            leased: lent.tasks,
            workers: lent.workers,
            rate,
            eta_s: moves.then(|| left as f64 / rate),
            submitted_at: rfc3339(job.job.submitted_at_ms),
            trouble: job.trouble.clone(),
        }
    }

    /// How many jobs there are.
    pub fn jobs_kept(&self) -> usize {
        self.jobs.len()
    }

    /// What the grids of jobs that are not over hold.
    pub fn grids_bytes(&self) -> usize {
        self.grids_bytes
    }

    // ---- The store's health -----------------------------------------------------------------

    /// The store cannot write, or can again. While it cannot, nothing is lent.
    pub fn set_store_error(&mut self, error: Option<String>) {
        match (&self.store_error, &error) {
            (None, Some(error)) => warn!("nothing can be recorded, and nothing is lent: {error}"),
            (Some(_), None) => info!("outcomes are recorded again"),
            _ => {}
        }
        self.store_error = error;
    }

    /// What the store says while it cannot write.
    pub fn store_error(&self) -> Option<&str> {
        self.store_error.as_deref()
    }

    /// Measures that are looked at, not counted.
    pub fn gauge(&self) {
        self.metrics.leases.set(self.scheduler.leases_out() as i64);
        self.metrics.workers.set(self.workers.len() as i64);
        self.metrics.uncommitted.set(self.uncommitted as i64);
    }

    /// The policy's state, for a test to check.
    pub fn scheduler(&self) -> &Scheduler {
        &self.scheduler
    }

    // ---- Messages ---------------------------------------------------------------------------

    fn send(&mut self, id: WorkerId, message: ServerMessage) {
        self.effects.push(Effect::Send(id, message));
    }

    fn refuse(
        &mut self,
        id: WorkerId,
        code: ErrorCode,
        message: String,
        lease: Option<LeaseId>,
        now: Duration,
    ) {
        self.log_refusal(id, &message, now);
        let error = ErrorMessage { code, message, task_id: None, lease };
        self.send(id, ServerMessage::Error(error));
    }

    fn refuse_task(
        &mut self,
        id: WorkerId,
        code: ErrorCode,
        message: String,
        task_id: TaskId,
        now: Duration,
    ) {
        self.log_refusal(id, &message, now);
        let error = ErrorMessage { code, message, task_id: Some(task_id), lease: None };
        self.send(id, ServerMessage::Error(error));
    }

    fn log_refusal(&mut self, id: WorkerId, message: &str, now: Duration) {
        let Some(worker) = self.workers.get_mut(&id) else { return };
        worker.refused += 1;
        if is_logged(worker.refused) {
            complain!(self.complaints, now, "[#{id}] result refused: {message}");
        }
    }
}

impl Worker {
    /// When it has had its task of a job for too long, if it has one. The welcome task may take for
    /// ever: nobody waits for it.
    fn owed_until(&self) -> Option<Duration> {
        let held = self.held.as_ref().filter(|held| held.lease.is_some());
        held.filter(|_| self.hello.is_none()).map(|held| held.until)
    }
}

impl Job {
    fn progress(&self) -> Progress {
        Progress {
            prefix: self.durable.prefix_end(),
            recorded: self.done + self.failed,
            failed: self.failed,
            total: self.total,
            is_open: self.is_open,
            state: self.state,
            is_set_aside: self.is_set_aside(),
            has_grid: self.grid.is_some(),
        }
    }

    /// Whether nothing of it is computed since a part of it cannot be read.
    fn is_set_aside(&self) -> bool {
        self.trouble.is_some() && !self.state.is_over()
    }
}

/// Says of which job what cannot be read, and what to do about it.
fn warn_of_trouble(id: JobId, job: &Job, what: &str) {
    let named = job_named(id, &job.job.name);
    if job.state.is_over() {
        return warn!("{named}: {what}; its other results can be read");
    }
    warn!(
        "{named} is set aside: {what}. The others go on; `tequio results {id}` gives what can be read \
         of it, `tequio remove {id}` removes it, and a copy of the file of before has it whole"
    );
}

impl Rate {
    fn count(&mut self, now: Duration, tasks: u64) {
        let second = now.as_secs();
        match self.seconds.back_mut() {
            Some((last, sum)) if *last == second => *sum += tasks,
            _ => self.seconds.push_back((second, tasks)),
        }
        while self.seconds.front().is_some_and(|(first, _)| first + RATE_WINDOW_S < second) {
            self.seconds.pop_front();
        }
    }

    /// Tasks a second over the window, or since the first of them if that is shorter.
    fn per_second(&self, now: Duration) -> f64 {
        let Some((first, _)) = self.recent(now).next() else { return 0.0 };
        let tasks: u64 = self.recent(now).map(|(_, tasks)| tasks).sum();
        tasks as f64 / (now.as_secs_f64() - *first as f64).max(1.0)
    }

    /// Whether this is long enough to foretell an end: a job begins with single tasks.
    fn is_steady(&self, now: Duration) -> bool {
        self.recent(now).next().is_some_and(|(first, _)| first + RATE_STEADY_S <= now.as_secs())
    }

    fn recent(&self, now: Duration) -> impl Iterator<Item = &(u64, u64)> {
        let oldest = now.as_secs().saturating_sub(RATE_WINDOW_S);
        self.seconds.iter().filter(move |(second, _)| *second >= oldest)
    }
}

/// Whether the `nth` thing of one kind that one worker does wrong is worth a line: the first few
/// are, then each whose number is a power of two. A flood must not fill a disk with log.
pub(crate) fn is_logged(nth: u64) -> bool {
    nth <= NOISE_LOGGED_MAX || nth.is_power_of_two()
}

/// Whether an answer is the expected number: to the bit of a worker in lease mode, within
/// [`PLAIN_TOLERANCE`] of others. `null` is what JSON makes of a number that it cannot hold.
fn is_right(answer: Option<Number>, expected: Number, is_exact: bool) -> bool {
    match answer {
        Some(number) if is_exact => number.same_bits(expected),
        Some(number) => number.is_close(expected, PLAIN_TOLERANCE),
        None => !expected.0.is_finite(),
    }
}

fn duration_of(ms: Option<DurationMs>) -> Option<Duration> {
    ms.and_then(|ms| Duration::try_from_secs_f64(ms.get() / 1000.0).ok())
}

#[cfg(test)]
mod tests {
    use super::*;
    use tequio_protocol::limits::STRIKES_MAX;
    use tequio_protocol::message::PROTOCOL;

    #[test]
    fn answers_are_right_within_the_tolerance_of_plain_clients() {
        let expected = Number(1.5372656826974733);
        let is_close = |answer| is_right(answer, expected, false);
        assert!(is_close(Some(Number(1.5372656826974737))), "by 2 ulp");
        assert!(!is_right(Some(Number(1.5372656826974737)), expected, true), "not the same bits");
        assert!(is_right(Some(expected), expected, true));
        assert!(!is_close(Some(Number(1.53726568))));
        assert!(!is_close(None));
        assert!(is_right(None, Number(f64::INFINITY), false));
        assert!(is_right(None, Number(f64::NAN), false));
        assert!(!is_right(Some(Number(f64::NEG_INFINITY)), Number(f64::INFINITY), false));
    }

    #[test]
    fn a_rate_is_of_the_last_seconds() {
        let mut rate = Rate::default();
        let at = Duration::from_secs;
        assert_eq!(rate.per_second(at(5)), 0.0);
        rate.count(at(100), 50);
        assert_eq!(rate.per_second(at(100)), 50.0, "over a second at least");
        assert!(!rate.is_steady(at(101)) && rate.is_steady(at(102)));
        rate.count(at(101), 50);
        assert_eq!(rate.per_second(at(105)), 20.0);
        assert_eq!(rate.per_second(at(112)), 0.0);
    }

    #[test]
    fn who_refuses_leases_that_it_never_had_is_told_and_closed() {
        let now = Now { at: Duration::ZERO, unix_ms: 0 };
        let mut core = Core::new(None, 0, Vec::new(), 1, Metrics::default().into(), now);
        let address = std::net::SocketAddr::from(([127, 0, 0, 1], 1)).into();
        let id = core.connected(Peer { address, path: "/".to_owned(), agent: None }, now);
        let hello = Hello {
            protocol: PROTOCOL,
            agent: String::new(),
            slots: 1,
            worker: String::new(),
            ops: Vec::new(),
            resume: None,
        };
        core.heard(id, FromWorker::Hello(hello), now);
        core.effects(now);
        let error = ErrorMessage {
            code: ErrorCode::ComputeFailed,
            message: String::new(),
            task_id: None,
            lease: Some(LeaseId(u64::MAX)),
        };
        let closed = (1..=STRIKES_MAX).map(|_| {
            core.heard(id, FromWorker::Refused(error.clone()), now);
            let effects = core.effects(now);
            assert!(effects.iter().any(|effect| matches!(effect, Effect::Send(..))), "it is told");
            effects.iter().any(|effect| matches!(effect, Effect::Close(..)))
        });
        assert_eq!(closed.collect::<Vec<_>>(), [false, false, true]);
    }
}
