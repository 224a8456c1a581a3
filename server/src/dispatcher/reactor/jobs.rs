//! Jobs, from when the store has them until it has them no more.

use super::job::{Job, warn_of_trouble};
use super::rate::Rate;
use super::{Effect, Now, Reactor};
use crate::scheduler::{Intervals, JobSpec};
use crate::store::StoredJob;
use std::sync::Arc;
use std::time::Duration;
use tequio_protocol::api::JobState;
use tequio_protocol::ids::JobId;
use tequio_protocol::limits::{LEASE_INPUTS_MAX, LEASE_TASKS_MAX};
use tracing::info;

impl Reactor {
    /// Enters a job that the store has.
    pub fn add_job(&mut self, stored: StoredJob, now: Now) {
        let StoredJob { id, mut job, total, is_open, mut state, done, failed, recorded, .. } =
            stored;
        let trouble = stored.trouble;
        let noted_ms = stored.appended_at_ms;
        let durable: Intervals = recorded.into_iter().collect();
        let mut grid = job.grid.take().map(Arc::new);
        let is_set_aside = trouble.is_some() && !state.is_over();
        if !state.is_over() && !is_open && !is_set_aside && durable.len() == total {
            state = JobState::Done;
            self.effects.push(Effect::SetState(id, state));
        }
        if !state.is_over() && !is_set_aside {
            let lease_tasks_max = if grid.is_some() { LEASE_TASKS_MAX } else { LEASE_INPUTS_MAX };
            let spec = JobSpec {
                op: job.op,
                total,
                priority: job.priority,
                lease_tasks_max,
                is_open,
                is_paused: state == JobState::Paused,
                settled: durable.clone(),
            };
            self.scheduler.add_job(id, spec);
        }
        if state.is_over() {
            // Nothing of it is lent any more.
            grid = None;
        }
        self.grids_bytes += grid.as_ref().map_or(0, |grid| grid.bytes());
        let rate = Rate::default();
        let waits_until = None;
        let job = Job {
            job,
            grid,
            total,
            is_open,
            waits_until,
            noted_ms,
            state,
            done,
            failed,
            durable,
            rate,
            trouble,
        };
        match &job.trouble {
            None => info!("Job {id} {}: {} of {total} tasks done", state.name(), done + failed),
            Some(what) => warn_of_trouble(id, &job, what),
        }
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
        warn_of_trouble(id, job, &what);
        job.trouble = Some(what);
        self.scheduler.remove_job(id);
        self.progressed.insert(id);
        self.wait_for_inputs(id, Duration::ZERO);
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
        let Some(job) = self.jobs.get_mut(&id) else { return };
        let may_go_on = job.is_open || job.trouble.is_some();
        if may_go_on || job.state.is_over() || job.durable.len() < job.total {
            return;
        }
        info!("Job {id} done: {} results, {} errors", job.done, job.failed);
        self.end_job(id, JobState::Done);
    }

    pub(super) fn end_job(&mut self, id: JobId, state: JobState) {
        let Some(job) = self.jobs.get_mut(&id) else { return };
        job.state = state;
        self.grids_bytes -= job.grid.take().map_or(0, |grid| grid.bytes());
        self.scheduler.remove_job(id);
        self.effects.push(Effect::SetState(id, state));
        self.effects.push(Effect::Progress(id, job.progress()));
        self.progressed.remove(&id);
        job.durable = Intervals::default();
        self.wait_for_inputs(id, Duration::ZERO);
    }

    /// Forgets a job that is over, which the store has not any more.
    pub fn forget_job(&mut self, id: JobId) {
        info!("Job {id} removed");
        self.wait_for_inputs(id, Duration::ZERO);
        let job = self.jobs.remove(&id);
        self.grids_bytes -= job.and_then(|job| job.grid).map_or(0, |grid| grid.bytes());
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
