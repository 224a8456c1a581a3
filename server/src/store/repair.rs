//! What of a job is not what was written, and what came of repairing that.

use super::StoredJob;
use std::ops::Range;
use tequio_protocol::ids::JobId;
use tequio_protocol::ranges::push_joined;

/// The rows of a job that are not what was written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Damage {
    /// Of outcomes: the tasks of each, as far as they are known.
    pub outcomes: Vec<Range<u64>>,
    /// Of inputs: their tasks, neighbours joined.
    pub inputs: Vec<Range<u64>>,
}

/// What was repaired of a job.
#[derive(Clone, Debug, PartialEq)]
pub struct Repaired {
    /// The rows of outcomes that were removed, since they are not what was written: the tasks of each.
    pub removed: Vec<Range<u64>>,
    /// Tasks whose inputs cannot be read. Nobody can compute these again.
    pub inputs: Vec<Range<u64>>,
    /// The job, as it is now.
    pub job: StoredJob,
}

impl Damage {
    /// Adds inputs that are not what was written, behind those that are known.
    pub(super) fn add_inputs(&mut self, tasks: Range<u64>) {
        push_joined(&mut self.inputs, tasks);
    }
}

impl Repaired {
    /// The job's number.
    pub fn id(&self) -> JobId {
        self.job.id
    }

    /// How many tasks the rows had that were removed.
    pub fn tasks(&self) -> u64 {
        self.removed.iter().map(|tasks| tasks.end - tasks.start).sum()
    }
}
