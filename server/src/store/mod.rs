//! The durable truth: jobs, their inputs, and the outcomes recorded of them. Leases are never
//! stored; after a crash they are simply what has no outcome yet.
//!
//! Calls block, and are made from threads that may: one thread writes (see [`crate::dispatcher`]),
//! any may read meanwhile. A call that returns `Ok` is durable. One that errs has changed nothing,
//! and may be made again: it succeeds once what it said is mended.

mod error;
mod exclusion;
mod identity;
mod memory;
mod repair;
mod sampling;
mod sqlite;
mod standing;

pub(crate) use error::job_named;
pub use error::{Condition, StoreError};
pub use memory::MemoryStore;
pub use repair::{Damage, Repaired};
pub use sqlite::{Options, PAGE_BYTES, SqliteStore};

use sampling::{Around, Sampling};
use standing::Standing;
use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::ops::Range;
use tequio_protocol::api::JobState;
use tequio_protocol::check::Check;
use tequio_protocol::grid::Grid;
use tequio_protocol::ids::{JobId, WorkerId};
use tequio_protocol::limits::JOB_TASKS_MAX;
use tequio_protocol::op::OpId;
use tequio_protocol::op::kernel::Sha256;
use tequio_protocol::outcome::{Outcome, Outcomes};
use tequio_protocol::reader::LineRun;
use tequio_protocol::values::Values;

/// What keeps jobs. Every implementation passes one conformance suite (`tests/store/`).
///
/// Every method returns [`StoreError::NoSuchJob`] where there is no such job, and a draft is one to
/// `append_inputs`, `append_lines`, `publish`, `publish_open`, `discard`, `inputs` and `lines` only.
pub trait Store: Send + Sync {
    /// Returns an error if what is written now would be lost: the files were moved, deleted or replaced.
    /// Every call that writes looks by itself; this is for the time in between.
    fn check(&self) -> Result<(), StoreError> {
        Ok(())
    }

    /// What is there, when a server starts: drafts are discarded, and the epoch is raised, so that
    /// no two servers of one store ever have the same. Jobs of which a part cannot be read are set aside
    /// ([`StoredJob::trouble`]): they take no inputs any more, and [`Store::remove`] removes them
    /// whatever their state is.
    fn load(&self) -> Result<Loaded, StoreError>;

    /// Enters a job as a draft, which [`Store::load`] discards unless it is published before.
    fn create_job(&self, job: &NewJob) -> Result<JobId, StoreError>;

    /// Enters a job of a grid as a running one, as [`Store::create_job`] and [`Store::publish`] do in
    /// two steps: nobody waits for two syncs of the disk where one is enough.
    fn submit(&self, job: &NewJob) -> Result<JobId, StoreError> {
        let ids = self.submit_all(std::slice::from_ref(job))?;
        ids.first()
            .copied()
            .ok_or_else(|| StoreError::Unavailable("a job got no number".to_owned()))
    }

    /// Enters several jobs of grids, all or none, as [`Store::submit`] does one: in one transaction, so that
    /// many who submit at once cost one sync of the disk.
    fn submit_all(&self, jobs: &[NewJob]) -> Result<Vec<JobId>, StoreError>;

    /// Adds inputs as [`Store::append_lines`] does, whose lines are unknown, or go on where the last
    /// ones are known.
    fn append_inputs(&self, job: JobId, first: u64, inputs: &Values) -> Result<(), StoreError> {
        self.append_lines(job, first, inputs, &[])
    }

    /// Adds inputs behind the `first` that the job of inputs has already; its tasks are as many as
    /// its inputs, at once. `lines` says from which lines they come, with ascending indices among
    /// theirs; what it says nothing of goes on as before.
    ///
    /// Returns [`StoreError::Taken`] where it has more than `first`, [`StoreError::OutOfRange`] where it
    /// has fewer, and [`StoreError::WrongState`] where it has a grid, is closed, over or set aside.
    fn append_lines(
        &self,
        job: JobId,
        first: u64,
        inputs: &Values,
        lines: &[LineRun],
    ) -> Result<(), StoreError>;

    /// Makes a draft a running job, which takes no more inputs. Returns [`StoreError::WrongState`] where it
    /// is a job already.
    fn publish(&self, job: JobId) -> Result<(), StoreError>;

    /// Makes a draft an open job: a running one to which inputs may be appended. Returns
    /// [`StoreError::WrongState`] where it is a job already.
    fn publish_open(&self, job: JobId) -> Result<(), StoreError>;

    /// Closes an open job, which keeps its state. Returns [`StoreError::WrongState`] where it is not open,
    /// over, or set aside.
    fn close(&self, job: JobId) -> Result<(), StoreError>;

    /// Notes when inputs were last appended to a job, for [`StoredJob::appended_at_ms`].
    fn note_appended(&self, job: JobId, at_ms: u64) -> Result<(), StoreError>;

    /// Removes a draft and its inputs. Returns [`StoreError::WrongState`] where it was published.
    fn discard(&self, job: JobId) -> Result<(), StoreError>;

    /// Says that a job is set aside since this store was loaded: it takes no inputs any more, and
    /// [`Store::remove`] removes it whatever its state is. Nothing of that is written.
    fn set_aside(&self, job: JobId);

    /// Removes a part of a job that is over, and says whether more of it is left to be removed by
    /// further calls: it may be larger than one transaction should be. The first call makes it
    /// missing to all others; what is left when a server ends is removed by [`Store::load`].
    ///
    /// Returns [`StoreError::WrongState`] where the job is neither over nor set aside.
    fn remove(&self, job: JobId) -> Result<bool, StoreError>;

    /// Sets a job's state.
    fn set_state(&self, job: JobId, state: JobState) -> Result<(), StoreError>;

    /// Records outcomes as [`Store::commit`] does.
    fn record(&self, recordings: &[Recording]) -> Result<Vec<Fresh>, StoreError> {
        self.commit(recordings, &BTreeMap::new())
    }

    /// Records outcomes and sets jobs' states, all or nothing of both. Answers of each recording which of
    /// its tasks were new: where an index has an outcome already, also of a recording before in the same
    /// call, the first one stands. An empty recording records nothing. A state of a job that is not there,
    /// since it was removed meanwhile, is left out.
    ///
    /// Returns [`StoreError::OutOfRange`] where no job has so many tasks.
    fn commit(
        &self,
        recordings: &[Recording],
        states: &BTreeMap<JobId, JobState>,
    ) -> Result<Vec<Fresh>, StoreError>;

    /// What is recorded of a job, whatever its state is.
    fn tally(&self, job: JobId) -> Result<Tally, StoreError>;

    /// Outcomes recorded within `range`, in the order of their indices, each run with its first
    /// index; at most about `tasks_max` of them, and the first run whatever its length. A run is
    /// what one [`Recording`] has within `range`, so neighbours are not joined.
    fn outcomes(
        &self,
        job: JobId,
        range: Range<u64>,
        tasks_max: u64,
    ) -> Result<Vec<Run>, StoreError>;

    /// Outcomes recorded of single `indices`, which must ascend. What they lie among is read for
    /// their sake, one [`Recording`] after the other: at most about `tasks_max` outcomes in all, and
    /// the first recording whatever its length.
    fn sample(&self, job: JobId, indices: &[u64], tasks_max: u64) -> Result<Sample, StoreError>;

    /// Reads every row of a job, and says which are not what was written. That takes as long as reading all
    /// results and inputs does, and others read and write meanwhile.
    fn examine(&self, job: JobId) -> Result<Damage, StoreError>;

    /// Removes rows of outcomes that [`Store::examine`] or [`Store::take_damage`] has found, unless they are what
    /// was written after all. Their tasks have no outcomes then. A job that was done and lacks outcomes by then is
    /// a running one again, unless inputs of their tasks are damaged. One that was set aside is so no more, if
    /// nothing else of it is damaged.
    fn repair(&self, job: JobId, damage: &Damage) -> Result<Repaired, StoreError>;

    /// The rows of outcomes that readers have found not to be what was written since this was called last, of jobs
    /// that are neither over nor set aside: they may be repaired at once.
    fn take_damage(&self) -> Vec<(JobId, Damage)> {
        Vec::new()
    }

    /// The inputs of tasks `range` of a job that was given inputs. Returns [`StoreError::OutOfRange`] unless
    /// all of them are there.
    fn inputs(&self, job: JobId, range: Range<u64>) -> Result<Values, StoreError>;

    /// Whether a job has exactly these inputs from `first` on, where it has as many. Leases do not wait for
    /// that, however many they are.
    fn has_inputs(&self, job: JobId, first: u64, inputs: &Values) -> Result<bool, StoreError> {
        Ok(self.inputs(job, first..first.saturating_add(inputs.len() as u64))? == *inputs)
    }

    /// The grid of a job, whatever its state is; `None` of one that was given inputs.
    fn grid(&self, job: JobId) -> Result<Option<Grid>, StoreError>;

    /// Keeps a kernel and its module, which has the hash `kernel.sha256`. One that is there already stays as it
    /// is, under its name. Returns [`StoreError::NameTaken`] where another has the name.
    fn add_kernel(&self, kernel: &StoredKernel, module: &[u8]) -> Result<(), StoreError>;

    /// The kernels that are kept, oldest first.
    fn kernels(&self) -> Result<Vec<StoredKernel>, StoreError>;

    /// Removes a kernel. Returns [`StoreError::KernelInUse`] where there are jobs of it, whatever their state is, and
    /// [`StoreError::NoSuchKernel`] where it is not kept.
    fn remove_kernel(&self, sha256: &Sha256) -> Result<(), StoreError>;

    /// Keeps the data that a job's kernels are given, which has the hash `sha256`. [`Store::load`] removes what no
    /// job names.
    fn add_data(&self, sha256: &Sha256, data: &[u8]) -> Result<(), StoreError>;

    /// The module, or the data, of this hash, as it was kept; `None` where there is none.
    fn blob(&self, sha256: &Sha256) -> Result<Option<Vec<u8>>, StoreError>;

    /// From which lines the inputs of tasks `range` come: the run that reaches into it, if there is
    /// one, and those that begin within it. `None` of a job of a grid, which has no lines. What was
    /// entered without lines has no run.
    fn lines(&self, job: JobId, range: Range<u64>) -> Result<Option<Vec<LineRun>>, StoreError>;
}

/// What a store holds when a server starts.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Loaded {
    /// How often this store was loaded before.
    pub epoch: u64,
    /// Its jobs, oldest first.
    pub jobs: Vec<StoredJob>,
}

/// A job to be entered.
#[derive(Clone, Debug, PartialEq)]
pub struct NewJob {
    /// Its name, or nothing.
    pub name: String,
    /// What is computed.
    pub op: OpId,
    /// Jobs of a higher priority come first.
    pub priority: i32,
    /// The grid, or `None` where inputs are appended.
    pub grid: Option<Grid>,
    /// Tasks in a block: a power of two.
    pub block: u64,
    /// How its results are checked.
    pub check: Check,
    /// Milliseconds since 1970, UTC.
    pub submitted_at_ms: u64,
}

#[cfg(test)]
impl NewJob {
    /// A job of which nothing else is said, for unit tests.
    pub(crate) fn of(op: OpId, grid: Option<Grid>) -> NewJob {
        let (name, check) = (String::new(), Check::default());
        NewJob { name, op, priority: 0, grid, block: 1, check, submitted_at_ms: 0 }
    }
}

/// A kernel as it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredKernel {
    /// The hash of its module.
    pub sha256: Sha256,
    /// What people call it. No two have the same name.
    pub name: String,
    /// What is known of the module, as JSON.
    pub about: String,
    /// When it was added: milliseconds since 1970, UTC.
    pub added_at_ms: u64,
}

/// A job as it is kept.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredJob {
    /// Its number.
    pub id: JobId,
    /// As it was entered.
    pub job: NewJob,
    /// Tasks that it has.
    pub total: u64,
    /// Whether more inputs may be appended.
    pub is_open: bool,
    /// When it was submitted or, where that was noted later, last appended to: milliseconds since
    /// 1970, UTC.
    pub appended_at_ms: u64,
    /// Its state, as it was last set.
    pub state: JobState,
    /// Tasks with a result.
    pub done: u64,
    /// Tasks with an error.
    pub failed: u64,
    /// Tasks whose outcomes the server has computed itself, as [`Recording::audited`] says. What was recorded again
    /// after damage counts twice.
    pub audited: u64,
    /// The intervals that have outcomes, in order, neighbours joined; left empty where the state
    /// is over, since nobody asks then.
    pub recorded: Vec<Range<u64>>,
    /// What of it cannot be read. It is not computed then, and what is said here of the rest may be
    /// nothing.
    pub trouble: Option<String>,
}

/// Outcomes of one interval, and where they come from.
#[derive(Clone, Debug, PartialEq)]
pub struct Recording {
    /// The job.
    pub job: JobId,
    /// The first task's index.
    pub first: u64,
    /// One a task, at least one.
    pub outcomes: Outcomes,
    /// Who computed them.
    pub worker: WorkerId,
    /// Its user agent.
    pub agent: String,
    /// How long that took, in milliseconds.
    pub duration_ms: Option<f64>,
    /// How many of them the server has computed itself as well.
    pub audited: u64,
    /// When they were taken: milliseconds since 1970, UTC.
    pub recorded_at_ms: u64,
}

/// Which tasks of a [`Recording`] were new to the store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fresh {
    /// All of them, as nearly always.
    All,
    /// These, in order. The others had outcomes already, and those stand.
    Only(Vec<Range<u64>>),
}

/// What is recorded of a job.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Tasks with a result.
    pub done: u64,
    /// Tasks with an error.
    pub failed: u64,
    /// The intervals that have outcomes, in order, neighbours joined.
    pub recorded: Vec<Range<u64>>,
}

/// Neighbouring outcomes, at least one.
#[derive(Clone, Debug, PartialEq)]
pub struct Run {
    /// The first one's index.
    pub first: u64,
    /// One a task.
    pub outcomes: Outcomes,
}

/// Outcomes of single indices.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Sample {
    /// Those that are recorded, each with its index, in order.
    pub outcomes: Vec<(u64, Outcome)>,
    /// How many of the indices, from the first, were looked at: of these, one that is not among the
    /// outcomes has none. Fewer than all where there was too much to read.
    pub looked_at: usize,
}

impl StoredJob {
    /// A running job of which nothing is recorded.
    pub fn new(id: JobId, job: NewJob, total: u64, is_open: bool) -> StoredJob {
        StoredJob {
            id,
            appended_at_ms: job.submitted_at_ms,
            job,
            total,
            is_open,
            state: JobState::Running,
            done: 0,
            failed: 0,
            audited: 0,
            recorded: Vec::new(),
            trouble: None,
        }
    }
}

impl Recording {
    /// What it has of `tasks`, which lie in its interval.
    pub fn part(&self, tasks: &Range<u64>) -> Recording {
        let place = |index: u64| (index - self.first) as usize;
        let outcomes = self.outcomes.slice(place(tasks.start)..place(tasks.end));
        let audited = self.audited.min(outcomes.len());
        Recording { first: tasks.start, outcomes, agent: self.agent.clone(), audited, ..*self }
    }

    /// The index behind the last. Returns an error where no job has such a task.
    fn end(&self) -> Result<u64, StoreError> {
        let Recording { job, first, .. } = *self;
        let end = first.saturating_add(self.outcomes.len());
        if end <= JOB_TASKS_MAX { Ok(end) } else { Err(StoreError::OutOfRange { job, first, end }) }
    }
}

/// Returns an error unless `count` inputs from `first` on go right behind the `end` that a job has.
fn check_append(job: JobId, first: u64, count: usize, end: u64) -> Result<(), StoreError> {
    let new_end = first.saturating_add(count as u64);
    match first.cmp(&end) {
        Ordering::Less => Err(StoreError::Taken { job, first, end: new_end }),
        Ordering::Equal => Ok(()),
        Ordering::Greater => Err(StoreError::OutOfRange { job, first: end, end: first }),
    }
}

/// Those of `lines` that do not just go on from `last`, or from each other.
fn jumps(mut last: Option<LineRun>, lines: &[LineRun]) -> Vec<LineRun> {
    let mut jumps = Vec::new();
    for run in lines {
        let goes_on =
            |last: LineRun| last.line.checked_add(run.first - last.first) == Some(run.line);
        if !last.is_some_and(goes_on) {
            jumps.push(*run);
        }
        last = Some(*run);
    }
    jumps
}

/// The runs that say something of `range`, of all that are given in order.
fn runs_within(runs: &[LineRun], range: &Range<u64>) -> Vec<LineRun> {
    let from = runs.partition_point(|run| run.first <= range.start).saturating_sub(1);
    let reaching = runs[from..].iter().take_while(|run| run.first < range.end);
    reaching.copied().collect()
}
