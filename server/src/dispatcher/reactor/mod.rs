//! What the dispatcher decides, without I/O and without a clock: events in, effects out. The
//! tokio task around it, and the simulation in the tests, carry the effects out.
//!
//! Here are the types that others use, the state, and what time and the end of a turn bring. What happens has a
//! room each:
//!
//! - `connections`: workers come, say something, and leave; `hello`: how they begin;
//! - `plain`: tasks of plain mode and their results; `owed`: those that nobody answers;
//! - `lending`: leases, their inputs, and their ends; `answers`: what workers answer to them;
//! - `refusals`: what is wrong with that, and who is turned away; `complaints`: how often the console says so;
//! - `recording`: outcomes on their way to the disk; `overlap`: those that were there already;
//! - `jobs`: from the store into the scheduler, and to their ends; `open`: those that wait for inputs;
//!   `control`: what a person does to them; `repair`: those of which damaged rows were removed;
//! - `views`: jobs and workers as they are shown; `live`: what is new of them, `stream` and `throughput`: the
//!   charts.
//!
//! The state of one thing, and what touches nothing else, is beside them: `job`, `worker`, `rate`.

mod answers;
mod complaints;
mod connections;
mod control;
mod hello;
mod job;
mod jobs;
mod lending;
mod live;
mod open;
mod overlap;
mod owed;
mod plain;
mod rate;
mod recording;
mod refusals;
mod repair;
mod stream;
mod throughput;
mod views;
mod worker;

pub use control::{Control, ControlError, Removable};
pub use live::Sampled;
pub use overlap::Overlap;
pub use recording::Recorded;
pub(crate) use refusals::is_logged;

use crate::connection::Close;
use crate::metrics::Metrics;
use crate::store::{Recording, StoredJob};
use answers::Claimant;
use complaints::Complaints;
use job::Job;
use live::Live;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;
use tequio_protocol::api::JobState;
use tequio_protocol::ids::{JobId, LeaseId, WorkerId};
use tequio_protocol::live::HowEnded;
use tequio_protocol::message::{ServerMessage, WorkerMessage};
use tequio_protocol::op::Op;
use tequio_scheduler::{Audit, ClaimId, Grant, Scheduler, SessionId, Trust};
use worker::Worker;

/// The task that everyone gets on connecting, which belongs to no job.
#[derive(Clone, Debug, PartialEq)]
pub struct WelcomeTask {
    /// What is computed.
    pub op: &'static dyn Op,
    /// What it is computed of.
    pub input: String,
}

/// When something happens.
#[derive(Clone, Copy, Debug)]
pub struct Now {
    /// On a clock that never jumps, since an origin of the caller's.
    pub at: Duration,
    /// On the wall's clock, for people: milliseconds since 1970, UTC.
    pub unix_ms: u64,
}

/// What happens on a worker's connection, as its handler tells it.
#[derive(Clone, Debug, PartialEq)]
pub enum FromWorker {
    /// A message that is in shape.
    Message(WorkerMessage),
    /// The answer to a ping, so long after that was sent. A browser answers by itself: it says nothing of
    /// its worker.
    Pong(Duration),
    /// Something that asks for nothing.
    Nothing,
    /// Something that its handler ignored or refused; whether an honest worker may send it.
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
    /// Close a connection; its handler reports the end as any other.
    Close(WorkerId, Close),
    /// Read inputs of a job and hand them to [`Reactor::inputs_read`].
    ReadInputs {
        /// The lease that they are for.
        lease: LeaseId,
        /// Its job.
        job: JobId,
        /// Its tasks.
        range: Range<u64>,
    },
    /// Compute tasks again, beside all else, and hand what they come to to [`Reactor::audited`].
    Audit(Audit),
    /// Nobody waits for what is still to be computed of a job.
    ForgetAudits(JobId),
    /// Record outcomes, then tell [`Reactor::recorded`].
    Record(Recording),
    /// Set a job's state in the store.
    SetState(JobId, JobState),
    /// Note that a job was appended to, at that many milliseconds since 1970.
    NoteAppended(JobId, u64),
    /// Close a job that nobody appends to any more, then tell [`Reactor::close_job`].
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

/// The state of a server.
#[derive(Debug)]
pub struct Reactor {
    welcome: Option<WelcomeTask>,
    workers: BTreeMap<WorkerId, Worker>,
    /// The connections that have said hello, by what a later one calls them.
    sessions: HashMap<SessionId, WorkerId>,
    jobs: BTreeMap<JobId, Job>,
    scheduler: Scheduler,
    /// Whose claims wait for a verdict.
    claimants: HashMap<ClaimId, Claimant>,
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

impl Reactor {
    /// A server that nobody is connected to. `jobs` are what its store holds, and leases are
    /// numbered so that those of another `epoch` differ; `trust` decides what is believed of workers.
    pub fn new(
        welcome: Option<WelcomeTask>,
        epoch: u64,
        jobs: Vec<StoredJob>,
        trust: impl Into<Trust>,
        metrics: Arc<Metrics>,
        now: Now,
    ) -> Reactor {
        // 2^32 leases in each of 2^20 epochs.
        let first_lease = LeaseId(((epoch & 0xf_ffff) << 32) + 1);
        let mut reactor = Reactor {
            welcome,
            workers: BTreeMap::new(),
            sessions: HashMap::new(),
            jobs: BTreeMap::new(),
            scheduler: Scheduler::new(first_lease, trust),
            claimants: HashMap::new(),
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
            reactor.add_job(job, now);
        }
        reactor
    }

    /// What is to be done since the last call, in order.
    pub fn effects(&mut self, now: Now) -> Vec<Effect> {
        // Before anything is lent: who is lent more has to know first that it holds less.
        for (worker, lease) in self.scheduler.drain_revoked() {
            self.revoked(worker, lease);
            self.live.stream.ended(worker, lease, HowEnded::Returned, now.at);
        }
        self.turn_away_convicted(now.at);
        self.grant(now);
        for expired in self.scheduler.drain_taken_over() {
            self.expired(expired, now);
        }
        self.effects.extend(self.scheduler.drain_audits().into_iter().map(Effect::Audit));
        for id in std::mem::take(&mut self.progressed) {
            if let Some(job) = self.jobs.get(&id) {
                self.effects.push(Effect::Progress(id, job.progress()));
            }
        }
        std::mem::take(&mut self.effects)
    }

    /// When [`Reactor::timeout`] has something to do or [`Reactor::effects`] more to lend, if ever.
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

    /// Measures that are looked at, not counted.
    pub fn gauge(&self) {
        self.metrics.leases.set(self.scheduler.leases_out() as i64);
        self.metrics.workers.set(self.workers.len() as i64);
        self.metrics.uncommitted.set(self.uncommitted as i64);
        self.metrics.claims.set(self.scheduler.claims_waiting() as i64);
    }

    /// The policy's state, for a test to check.
    pub fn scheduler(&self) -> &Scheduler {
        &self.scheduler
    }

    fn send(&mut self, id: WorkerId, message: ServerMessage) {
        self.effects.push(Effect::Send(id, message));
    }
}
