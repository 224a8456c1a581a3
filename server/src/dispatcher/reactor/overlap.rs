//! Outcomes that were taken of tasks that had others on disk already: of another server that writes to
//! the same store, or through a fault of this one. The store's stand.

use super::Reactor;
use crate::store::Tally;
use tequio_protocol::ids::JobId;

/// Tasks of a job had outcomes already when others of them were to be recorded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Overlap {
    /// The job.
    pub job: JobId,
    /// How many outcomes were dropped.
    pub dropped: u64,
    /// What is recorded of the job by then.
    pub tally: Tally,
}

impl Reactor {
    /// Outcomes were dropped, since their tasks had others. Whoever recorded those may have recorded more
    /// that nobody has told of here, so what the store counts replaces what was counted.
    pub fn overlapped(&mut self, overlap: Overlap) {
        let Overlap { job: id, dropped, tally } = overlap;
        self.uncommitted -= dropped;
        self.metrics.duplicates.inc_by(dropped);
        let Some(job) = self.jobs.get_mut(&id) else { return };
        (job.done, job.failed) = (tally.done, tally.failed);
        if !job.state.is_over() {
            job.durable = tally.recorded.into_iter().collect();
            self.progressed.insert(id);
        }
        self.finish_if_complete(id);
    }
}
