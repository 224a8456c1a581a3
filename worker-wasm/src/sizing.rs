//! How many tasks a slot computes at a stretch.
//!
//! The server has an estimate of its own, by which it sizes leases: a running one of all of a worker's slots, which
//! believes no worker more than the clock. Here the last piece of a slot is enough.

use std::collections::BTreeMap;
use std::time::Duration;
use tequio_protocol::ids::JobId;
use tequio_protocol::limits::{FRAME_RESULTS_MAX, LEASE_GROWTH, SPEEDS_MAX};

/// Below this, a time per task is a clock's grain and no measurement, in seconds.
const TASK_S_MIN: f64 = 1e-9;

/// The size of the next piece of each job.
#[derive(Debug, Default)]
pub(crate) struct PieceSizes {
    by_job: BTreeMap<JobId, Measured>,
}

/// What a job's last piece has shown.
#[derive(Clone, Copy, Debug)]
struct Measured {
    task_s: f64,
    /// The most tasks of its next piece.
    count_max: u64,
}

impl PieceSizes {
    /// The tasks of a piece that is to take about `aim`, whole blocks: one block of a job of which nothing is
    /// known, and never more than [`LEASE_GROWTH`] times what was managed.
    pub(crate) fn of(&self, job: JobId, block: u64, aim: Duration) -> u64 {
        let Some(known) = self.by_job.get(&job) else { return block };
        let count = (aim.as_secs_f64() / known.task_s) as u64;
        let count = count.min(known.count_max).min(FRAME_RESULTS_MAX as u64);
        (count - count % block).max(block)
    }

    /// `count` tasks of a job have taken `duration`.
    pub(crate) fn measure(&mut self, job: JobId, count: u64, duration: Duration) {
        // A clock may be too coarse for a short piece, which then is grown as far as it may.
        let task_s = (duration.as_secs_f64() / count as f64).max(TASK_S_MIN);
        let known = self.by_job.get(&job).map_or(0, |known| known.count_max);
        let count_max = known.max(count.saturating_mul(LEASE_GROWTH));
        self.by_job.insert(job, Measured { task_s, count_max });
        if self.by_job.len() > SPEEDS_MAX {
            // Jobs are numbered in their order, and old ones end first.
            self.by_job.pop_first();
        }
    }
}
