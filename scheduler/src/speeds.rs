//! How fast a worker has shown to be, at each job that it had tasks of.

use tequio_protocol::ids::JobId;
use tequio_protocol::limits::LEASE_GROWTH;

/// A share of the newest measurement in a running estimate: half, so that three leases make an
/// old speed a memory.
const NEWEST_SHARE: f64 = 0.5;

/// Below this, a time per task is a clock's grain and no measurement, in seconds.
pub(super) const TASK_S_MIN: f64 = 1e-9;

#[derive(Clone, Copy, Debug)]
pub(super) struct Speed {
    /// Seconds a task, a running estimate.
    pub(super) task_s: f64,
    /// The most tasks of its next lease.
    pub(super) count_max: u64,
}

/// A worker's speeds: one or a few, so a sorted list of them.
#[derive(Debug, Default)]
pub(super) struct Speeds {
    by_job: Vec<(JobId, Speed)>,
}

impl Speeds {
    pub(super) fn get(&self, job: JobId) -> Option<&Speed> {
        self.find(job).ok().map(|at| &self.by_job[at].1)
    }

    pub(super) fn get_mut(&mut self, job: JobId) -> Option<&mut Speed> {
        self.find(job).ok().map(|at| &mut self.by_job[at].1)
    }

    /// So many tasks of a job took it `task_s` seconds each.
    pub(super) fn measure(&mut self, job: JobId, task_s: f64, tasks: u64) {
        let known = self.get(job);
        let speed = Speed {
            task_s: blend(known.map(|speed| speed.task_s), task_s),
            count_max: known.map_or(0, |speed| speed.count_max).max(tasks * LEASE_GROWTH),
        };
        self.insert(job, speed);
    }

    pub(super) fn insert(&mut self, job: JobId, speed: Speed) {
        match self.find(job) {
            Ok(at) => self.by_job[at].1 = speed,
            Err(at) => self.by_job.insert(at, (job, speed)),
        }
    }

    pub(super) fn remove(&mut self, job: JobId) {
        if let Ok(at) = self.find(job) {
            self.by_job.remove(at);
        }
    }

    #[cfg(test)]
    pub(super) fn clear(&mut self) {
        self.by_job.clear();
    }

    fn find(&self, job: JobId) -> Result<usize, usize> {
        self.by_job.binary_search_by_key(&job, |(job, _)| *job)
    }
}

/// A running estimate that was `old`, after a `new` measurement.
pub(super) fn blend(old: Option<f64>, new: f64) -> f64 {
    old.map_or(new, |old| old + NEWEST_SHARE * (new - old))
}
