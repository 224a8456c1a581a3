//! Jobs and workers as they are shown.

use super::Reactor;
use super::job::Job;
use super::worker::Worker;
use std::ops::Bound::{Excluded, Unbounded};
use std::time::Duration;
use tequio_protocol::api::{JobView, WorkerView};
use tequio_protocol::ids::{JobId, WorkerId};

impl Reactor {
    /// Who is connected, in the order of arrival.
    pub fn workers(&self, now: Duration) -> Vec<WorkerView> {
        self.workers.iter().map(|(id, worker)| self.worker_view(*id, worker, now)).collect()
    }

    /// How many are connected.
    pub fn workers_connected(&self) -> usize {
        self.workers.len()
    }

    pub(super) fn worker_view(&self, id: WorkerId, worker: &Worker, now: Duration) -> WorkerView {
        worker.view(id, self.scheduler.leases_of(id), now)
    }

    /// One job.
    pub fn job(&self, id: JobId, now: Duration) -> Option<JobView> {
        self.jobs.get(&id).map(|job| self.job_view(id, job, now))
    }

    /// All jobs, in the order of submission.
    pub fn jobs(&self, now: Duration) -> Vec<JobView> {
        self.jobs.iter().map(|(id, job)| self.job_view(*id, job, now)).collect()
    }

    /// The first `count` who are connected, in the order of arrival, of those behind `last`.
    pub fn workers_behind(
        &self,
        last: Option<WorkerId>,
        count: usize,
        now: Duration,
    ) -> Vec<WorkerView> {
        let behind = self.workers.range((last.map_or(Unbounded, Excluded), Unbounded));
        behind.take(count).map(|(id, worker)| self.worker_view(*id, worker, now)).collect()
    }

    /// The first `count` jobs, in the order of submission, of those behind `last`.
    pub fn jobs_behind(&self, last: Option<JobId>, count: usize, now: Duration) -> Vec<JobView> {
        let behind = self.jobs.range((last.map_or(Unbounded, Excluded), Unbounded));
        behind.take(count).map(|(id, job)| self.job_view(*id, job, now)).collect()
    }

    pub(super) fn job_view(&self, id: JobId, job: &Job, now: Duration) -> JobView {
        let slowest = self.scheduler.slowest(id).or(job.slowest);
        JobView { slowest, ..job.view(id, self.scheduler.lent(id), now) }
    }
}
