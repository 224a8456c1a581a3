//! Who computes what: pure policy. No I/O and no clock (every call takes `now`, a time since an
//! origin that the caller chooses once), and no chance but what follows from a seed.
//!
//! A job is an interval of indices. Of each job the scheduler keeps which tasks are *pending*, which
//! are *leased* and which are *settled*, as sets of intervals. So memory and cost follow the leases
//! out, not the tasks; only a task that failed has an entry of its own.
//!
//! What is settled here is not yet durable: the caller records it, and reports it after that.
//!
//! # The modules
//!
//! [`Scheduler`] owns all state, and state lies beside verbs. What touches one job, worker or lease only
//! is a method of that; each verb is a module with a part of `impl Scheduler`.
//!
//! State:
//! - `job`, with the `copies` of its leases and their `holders`; `lease`; `worker`, with its `memory`:
//!   leases that are `past`, `speeds`, and credit (`audit`);
//! - `sessions` of workers that may come back, `suspects` (addresses), and which workers are `able`;
//! - below these `intervals`, and tables by ids: `slab_map` and `ids_hash`.
//!
//! Verbs:
//! - `enter`: jobs and workers come, and change;
//! - `queues`: which of them wait, and who is next;
//! - `lend`: a worker is given a lease, a copy of one, or what another holds in vain;
//! - `hold`: a worker says that it goes on, and is believed for a while;
//! - `judge`: whose answers count, what failures are believed, strikes;
//! - `settle`: results that are right are accepted, once;
//! - `twice`: those of jobs that are computed twice, once two workers agree; `dispute`: where they do not;
//! - `full`: nothing more is begun where too much waits to be judged;
//! - `end`: leases expire, go back or are revoked; jobs and workers leave.
//!
//! An answer passes through them like this: `judge` finds its lease, `audit` draws which of its results
//! are computed again, `settle` accepts what is new and moves the lease's front, and at the end of the
//! lease `end` moves that to its worker's past. Whatever changes a job or a worker puts it into its queue
//! last. `invariants` says what must hold after each call.
//!
//! # The stages of a task, and the states of a lease
//!
//! ARCHITECTURE.md draws them, under "States".

mod able;
mod audit;
mod budget;
mod claims;
mod copies;
mod dispute;
mod end;
mod enter;
mod full;
mod hold;
mod holders;
mod ids_hash;
mod intervals;
mod invariants;
mod job;
mod judge;
mod lease;
mod lend;
mod memory;
mod origin;
mod past;
mod queues;
mod sessions;
mod settle;
mod skills;
mod slab_map;
mod slow;
mod speeds;
mod suspects;
#[cfg(test)]
mod tests;
mod twice;
mod worker;

pub use audit::{Failures, Trust};
pub use claims::{Audit, ClaimId, Cost, Judged};
pub use intervals::Intervals;
pub use origin::Origin;
pub use sessions::SessionId;
pub use skills::Skills;

use able::Able;
use budget::Budget;
use ids_hash::IdMap;
use job::Job;
use lease::Lease;
use past::LateInputs;
use queues::{Ready, Waiting};
use rand::SeedableRng;
use rand::rngs::StdRng;
use sessions::Sessions;
use slab_map::SlabMap;
use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;
use suspects::Suspects;
use tequio_protocol::api::SlowBlock;
use tequio_protocol::check::Check;
use tequio_protocol::grid::Grid;
use tequio_protocol::ids::{JobId, LeaseId, WorkerId};
use tequio_protocol::op::{self, Computed, GaveUp, Op};
use tequio_protocol::outcome::Outcomes;
use tequio_protocol::values::Values;
use twice::VotesBytes;
use worker::Worker;

/// A job, as the scheduler needs to know it.
#[derive(Clone, Debug)]
pub struct JobSpec {
    /// What is computed.
    pub op: &'static dyn Op,
    /// Tasks that it has.
    pub total: u64,
    /// Tasks in a block, a power of two. Blocks are what is lent, tried again, answered, audited and settled;
    /// the last one may be shorter. While a job may grow, a short one is not lent.
    pub block: u64,
    /// How its results are checked.
    pub check: Check,
    /// Higher ones come first; equal ones share the workers in turn.
    pub priority: i32,
    /// The most tasks of one lease.
    pub lease_tasks_max: u64,
    /// Whether it may grow.
    pub is_open: bool,
    /// Whether it is handed out.
    pub is_paused: bool,
    /// What has an outcome already.
    pub settled: Intervals,
}

/// How a worker takes its tasks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// One task at a time; its results may be somewhat off, as its own language computes them.
    Plain,
    /// Leases; its results must match to the bit.
    Lease,
}

/// What a worker is lent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    /// The new lease.
    pub lease: LeaseId,
    /// The job.
    pub job: JobId,
    /// To whom.
    pub worker: WorkerId,
    /// Which tasks: whole blocks, at least one.
    pub range: Range<u64>,
    /// Until when.
    pub deadline: Duration,
    /// Whether others hold these tasks as well.
    pub is_copy: bool,
}

/// What the tasks of a lease are computed of; cloning it costs nothing.
#[derive(Clone, Debug, PartialEq)]
pub enum Inputs {
    /// The job's grid.
    Grid(Arc<Grid>),
    /// A list whose first element is the task `first`'s.
    List {
        /// The first task.
        first: u64,
        /// One a task.
        inputs: Arc<Values>,
    },
}

impl Inputs {
    /// Bytes that they take for one lease alone; a grid is its job's.
    fn bytes(&self) -> usize {
        match self {
            Inputs::List { inputs, .. } => inputs.bytes(),
            Inputs::Grid(_) => 0,
        }
    }

    /// What these tasks come to; the op is one that is audited on the spot.
    fn compute(&self, op: &'static dyn Op, tasks: &Range<u64>) -> Outcomes {
        self.compute_runs(op, std::slice::from_ref(tasks))
    }

    /// What the tasks of these runs come to; the op is one that is audited on the spot.
    fn compute_runs(&self, op: &'static dyn Op, runs: &[Range<u64>]) -> Outcomes {
        self.try_compute_runs(op, runs).expect("an op that is built in never gives up")
    }

    /// What the tasks of these runs come to, if that can be computed here.
    fn try_compute_runs(
        &self,
        op: &'static dyn Op,
        runs: &[Range<u64>],
    ) -> Result<Outcomes, GaveUp> {
        let tasks: u64 = runs.iter().map(intervals::count).sum();
        let mut computed = Computed::with_capacity(tasks as usize);
        runs.iter().for_each(|run| op.compute(run.clone(), self.as_op(), &mut computed));
        computed.into_outcomes()
    }

    /// As an op takes them.
    pub fn as_op(&self) -> op::Inputs<'_> {
        match self {
            Inputs::Grid(grid) => op::Inputs::Grid(grid),
            Inputs::List { first, inputs } => op::Inputs::List { first: *first, inputs },
        }
    }
}

/// What came of an answer.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Accepted {
    /// The job, if it is still there.
    pub job: Option<JobId>,
    /// Outcomes that are the first of their tasks, to be recorded: runs with their first index.
    pub fresh: Vec<(u64, Outcomes)>,
    /// How many of these the server has computed as well; a message has few enough for 32 bits.
    pub audited: u32,
    /// Outcomes that were dropped, because their tasks had one.
    pub duplicates: u64,
    /// Outcomes that wait for a verdict, which [`Scheduler::audited`] gives.
    pub claim: Option<ClaimId>,
    /// Who came to the fresh ones.
    pub by: By,
}

/// Who came to an outcome.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum By {
    /// The worker that sent it.
    #[default]
    Worker,
    /// The server, where the worker said that nobody could.
    Server,
}

/// Why an answer was refused.
#[derive(Clone, Debug, PartialEq)]
pub struct Refusal {
    /// What was wrong.
    pub reason: RefusalReason,
    /// Whether the worker has now been wrong too often: it is gone from the scheduler, and the
    /// caller turns it away.
    pub is_turned_away: bool,
    /// What of it was found right, where all of it was audited; nothing else of it counts.
    pub saved: Accepted,
}

/// What was wrong with an answer.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[expect(missing_docs, reason = "the messages say it")]
pub enum RefusalReason {
    #[error("lease {0} is not this worker's, and was not lately")]
    UnknownLease(LeaseId),
    #[error("lease {lease} is {front}..{end} now, and this is about {first}..{last}")]
    OutOfShape { lease: LeaseId, front: u64, end: u64, first: u64, last: u64 },
    #[error("the result of task {index} is not {got}")]
    Wrong { lease: LeaseId, index: u64, got: String },
    #[error("task {index} has not failed: its result is {result}")]
    Refuted { lease: LeaseId, index: u64, result: String },
}

/// A worker whose answer was found wrong by what others answered.
#[derive(Debug)]
pub struct Convicted {
    /// Who; it may have left.
    pub worker: WorkerId,
    /// The lease that the answer was of.
    pub lease: LeaseId,
    /// As if it had answered that now.
    pub refusal: Refusal,
}

/// A lease that its worker did not answer in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Expired {
    /// The lease.
    pub lease: LeaseId,
    /// Its job.
    pub job: JobId,
    /// Its worker.
    pub worker: WorkerId,
}

/// What is out of a job.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Lent {
    /// Tasks in leases, each once.
    pub tasks: u64,
    /// Workers that hold them.
    pub workers: u32,
    /// Tasks that one worker has computed, and that nobody computes a second time yet.
    pub unconfirmed: u64,
}

/// The policy and its state.
#[derive(Debug)]
pub struct Scheduler {
    jobs: IdMap<JobId, Job>,
    workers: SlabMap<WorkerId, Worker>,
    leases: SlabMap<LeaseId, Lease>,
    /// What is known of workers that may come back.
    sessions: Sessions,
    /// Claims that wait for a verdict, and what judging them may cost.
    claims: claims::Waiting,
    budget: Budget,
    /// Whether so much waits to be judged that no more is begun of jobs that are audited whole.
    is_held: bool,
    /// Jobs that are computed twice, what their votes hold, and whether no more is begun of some of them for that.
    voted: BTreeSet<JobId>,
    votes_bytes: VotesBytes,
    is_some_voted_held: bool,
    /// When idle workers are looked at again that what waits for a second worker was not for, where they are.
    seconds_due: Option<Duration>,
    /// Who was found wrong by what others answered.
    convicted: Vec<Convicted>,
    late_inputs: LateInputs,
    first_lease: LeaseId,
    next_lease: LeaseId,
    /// Tasks that leases still have to answer, copies counted each.
    tasks_out: u64,
    /// Bytes of the inputs that are kept for leases out.
    inputs_bytes: usize,
    /// Counts grants: who was served longest ago has the lowest.
    turn: u64,
    ready: Ready,
    waiting: Waiting,
    deadlines: BTreeSet<(Duration, LeaseId)>,
    /// Leases that are out for longer than their time because their workers say that they go on, by
    /// when that was over; and those for which it is by now.
    kept: BTreeSet<(Duration, LeaseId)>,
    stalled: BTreeSet<LeaseId>,
    /// Leases of workers that had shown nothing when they were lent.
    newcomers: BTreeSet<LeaseId>,
    /// Where somebody was turned away lately, and who waits there for a first lease.
    suspects: Suspects,
    resting: BTreeSet<(Duration, WorkerId)>,
    able: Able,
    /// Leases that their workers are to be told to drop.
    revoked: Vec<(WorkerId, LeaseId)>,
    /// Leases that ended before their deadlines.
    taken_over: Vec<Expired>,
    failures: Failures,
    random: StdRng,
}

impl Scheduler {
    /// A scheduler without jobs or workers. Leases are numbered from `first_lease`.
    pub fn new(first_lease: LeaseId, trust: impl Into<Trust>) -> Scheduler {
        let trust = trust.into();
        Scheduler {
            jobs: IdMap::default(),
            workers: SlabMap::default(),
            leases: SlabMap::default(),
            sessions: Sessions::default(),
            claims: claims::Waiting::default(),
            budget: Budget::new(trust.cores),
            votes_bytes: VotesBytes::default(),
            is_held: false,
            voted: BTreeSet::new(),
            is_some_voted_held: false,
            seconds_due: None,
            convicted: Vec::new(),
            late_inputs: LateInputs::default(),
            first_lease,
            next_lease: first_lease,
            tasks_out: 0,
            inputs_bytes: 0,
            turn: 0,
            ready: Ready::default(),
            waiting: Waiting::default(),
            deadlines: BTreeSet::new(),
            kept: BTreeSet::new(),
            stalled: BTreeSet::new(),
            newcomers: BTreeSet::new(),
            suspects: Suspects::default(),
            resting: BTreeSet::new(),
            able: Able::default(),
            revoked: Vec::new(),
            taken_over: Vec::new(),
            failures: trust.failures,
            random: StdRng::from_seed(trust.seed),
        }
    }

    /// Whether every task of the job is settled, and no more can come.
    pub fn is_settled(&self, id: JobId) -> bool {
        self.jobs.get(&id).is_some_and(Job::is_settled)
    }

    /// What is out of a job. It costs no more where much is: whoever looks at a job asks.
    pub fn lent(&self, id: JobId) -> Lent {
        let Some(job) = self.jobs.get(&id) else { return Lent::default() };
        let workers = job.holders.len() as u32;
        Lent { tasks: job.lent(), workers, unconfirmed: job.seconds.len() }
    }

    /// The block of a job's kernel that took longest, if that was far longer than it should have been.
    pub fn slowest(&self, id: JobId) -> Option<SlowBlock> {
        self.jobs.get(&id)?.slowness.slowest()
    }

    /// Whether the worker is entered.
    pub fn has_worker(&self, id: WorkerId) -> bool {
        self.workers.contains_key(&id)
    }

    /// The range that a lease out still has to answer, and its job.
    pub fn rest_of(&self, id: LeaseId) -> Option<(JobId, Range<u64>)> {
        self.leases.get(&id).map(|lease| (lease.job, lease.rest.clone()))
    }

    /// How many leases a worker holds.
    pub fn leases_of(&self, id: WorkerId) -> u32 {
        self.workers.get(&id).map_or(0, |worker| worker.leases.len() as u32)
    }

    /// How many tasks leases still have to answer, copies counted each.
    pub fn tasks_out(&self) -> u64 {
        self.tasks_out
    }

    /// Bytes of the inputs that are kept for leases out.
    pub fn inputs_bytes(&self) -> usize {
        self.inputs_bytes
    }

    /// How many leases are out.
    pub fn leases_out(&self) -> usize {
        self.leases.len()
    }
}
