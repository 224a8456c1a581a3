//! Jobs, from when the store has them until it has them no more.

use super::job::Job;
use super::{Effect, Now, Reactor};
use crate::store::StoredJob;
use std::time::Duration;
use tequio_protocol::api::JobState;
use tequio_protocol::ids::JobId;
use tequio_scheduler::Intervals;
use tracing::info;

impl Reactor {
    /// Enters a job that the store has.
    pub fn add_job(&mut self, stored: StoredJob, now: Now) {
        let id = stored.id;
        let mut job = Job::new(stored);
        if job.is_complete() {
            job.state = JobState::Done;
            job.drop_grid();
            self.effects.push(Effect::SetState(id, job.state));
        }
        if let Some(op) = job.job.op.known()
            && !job.state.is_over()
            && !job.is_set_aside()
        {
            self.scheduler.add_job(id, job.spec(op));
        }
        self.grids_bytes += job.grid.as_ref().map_or(0, |grid| grid.bytes());
        let (state, outcomes) = (job.state.name(), job.done + job.failed);
        match &job.trouble {
            None => info!("Job {id} {state}: {outcomes} of {} tasks done", job.total),
            Some(what) => job.warn_of_trouble(id, what),
        }
        let noted_ms = job.noted_ms;
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
        job.warn_of_trouble(id, &what);
        job.trouble = Some(what);
        self.remove_from_scheduler(id);
        self.progressed.insert(id);
        self.wait_for_inputs(id, Duration::ZERO);
    }

    fn remove_from_scheduler(&mut self, id: JobId) {
        if self.scheduler.claims_waiting() > 0 {
            self.effects.push(Effect::ForgetAudits(id));
        }
        self.scheduler.remove_job(id);
    }

    pub(super) fn resize_job(&mut self, id: JobId, total: u64, is_open: bool) {
        let Some(job) = self.jobs.get_mut(&id) else { return };
        // Two that grow it at once may be told of in another order than they were written.
        job.total = job.total.max(total);
        job.is_open &= is_open;
        self.scheduler.grow_job(id, job.total, job.is_open);
        self.progressed.insert(id);
        self.finish_if_complete(id);
    }

    pub(super) fn finish_if_complete(&mut self, id: JobId) {
        let Some(job) = self.jobs.get(&id) else { return };
        if job.is_complete() {
            info!("Job {id} done: {} results, {} errors", job.done, job.failed);
            self.end_job(id, JobState::Done);
        }
    }

    pub(super) fn end_job(&mut self, id: JobId, state: JobState) {
        let Some(job) = self.jobs.get_mut(&id) else { return };
        job.state = state;
        job.slowest = self.scheduler.slowest(id).or(job.slowest);
        self.grids_bytes -= job.drop_grid();
        let progress = job.progress();
        job.durable = Intervals::default();
        self.remove_from_scheduler(id);
        self.effects.push(Effect::SetState(id, state));
        self.effects.push(Effect::Progress(id, progress));
        self.progressed.remove(&id);
        self.wait_for_inputs(id, Duration::ZERO);
    }

    /// Forgets a job that is over, which the store has not any more.
    pub fn forget_job(&mut self, id: JobId) {
        info!("Job {id} removed");
        self.wait_for_inputs(id, Duration::ZERO);
        if let Some(mut job) = self.jobs.remove(&id) {
            self.grids_bytes -= job.drop_grid();
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
}
