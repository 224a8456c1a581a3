//! Jobs and workers as they are shown.

use super::Reactor;
use super::job::Job;
use super::worker::Worker;
use crate::agent::Agent;
use crate::wall_clock::rfc3339;
use std::ops::Bound::{Excluded, Unbounded};
use std::time::Duration;
use tequio_protocol::api::{JobState, JobView, WorkerView};
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
}
