//! One job.

use super::Progress;
use super::rate::Rate;
use crate::store::{NewJob, StoredJob, job_named};
use crate::wall_clock::rfc3339;
use std::sync::Arc;
use std::time::Duration;
use tequio_protocol::api::{JobState, JobView, SlowBlock};
use tequio_protocol::grid::Grid;
use tequio_protocol::ids::JobId;
use tequio_protocol::limits::{LEASE_INPUTS_MAX, LEASE_TASKS_MAX};
use tequio_protocol::op::{self, Op};
use tequio_protocol::text::quote;
use tequio_scheduler::{Intervals, JobSpec, Lent};
use tracing::warn;

#[derive(Debug)]
pub(super) struct Job {
    /// As it was entered, but for its grid.
    pub(super) job: NewJob,
    pub(super) grid: Option<Arc<Grid>>,
    pub(super) total: u64,
    pub(super) is_open: bool,
    /// Until when it waits for inputs, if it is open.
    pub(super) waits_until: Option<Duration>,
    /// When it was appended to, as far as that is noted: milliseconds since 1970.
    pub(super) noted_ms: u64,
    pub(super) state: JobState,
    pub(super) done: u64,
    pub(super) failed: u64,
    /// Tasks on disk that the server has computed as well.
    pub(super) audited: u64,
    /// What is known of its slowest block, once it is over.
    pub(super) slowest: Option<SlowBlock>,
    pub(super) durable: Intervals,
    pub(super) rate: Rate,
    /// What of it cannot be read.
    pub(super) trouble: Option<String>,
}

impl Job {
    /// A job as the store has it.
    pub(super) fn new(stored: StoredJob) -> Job {
        let StoredJob { mut job, total, is_open, state, done, failed, recorded, audited, .. } =
            stored;
        // Nothing is lent any more of one that is over.
        let grid = job.grid.take().filter(|_| !state.is_over()).map(Arc::new);
        let trouble = stored.trouble.or_else(|| unknown_op(&job));
        Job {
            job,
            grid,
            total,
            is_open,
            waits_until: None,
            noted_ms: stored.appended_at_ms,
            state,
            done,
            failed,
            audited,
            slowest: None,
            durable: recorded.into_iter().collect(),
            rate: Rate::default(),
            trouble,
        }
    }

    /// What the scheduler is to know of it.
    pub(super) fn spec(&self, op: &'static dyn Op) -> JobSpec {
        let is_grid = self.grid.is_some();
        JobSpec {
            op,
            total: self.total,
            block: self.job.block,
            check: self.job.check,
            priority: self.job.priority,
            lease_tasks_max: if is_grid { LEASE_TASKS_MAX } else { LEASE_INPUTS_MAX },
            is_open: self.is_open,
            is_paused: self.state == JobState::Paused,
            settled: self.durable.clone(),
        }
    }

    /// Nothing of it is lent any more; gives how many bytes its grid held.
    pub(super) fn drop_grid(&mut self) -> usize {
        self.grid.take().map_or(0, |grid| grid.bytes())
    }

    pub(super) fn progress(&self) -> Progress {
        Progress {
            prefix: self.durable.prefix_end(),
            recorded: self.done + self.failed,
            failed: self.failed,
            total: self.total,
            is_open: self.is_open,
            state: self.state,
            is_set_aside: self.is_set_aside(),
            has_grid: self.grid.is_some(),
        }
    }

    /// Whether nothing of it is computed since a part of it cannot be read.
    pub(super) fn is_set_aside(&self) -> bool {
        self.trouble.is_some() && !self.state.is_over()
    }

    /// Whether more may come of it: it was neither closed nor is it over.
    pub(super) fn may_grow(&self) -> bool {
        self.is_open && !self.state.is_over()
    }

    /// Whether every task has an outcome on disk, and nobody has said so yet.
    pub(super) fn is_complete(&self) -> bool {
        let may_go_on = self.is_open || self.trouble.is_some();
        !may_go_on && !self.state.is_over() && self.durable.len() >= self.total
    }

    /// How it is shown, `lent` being what is out of it.
    pub(super) fn view(&self, id: JobId, lent: Lent, now: Duration) -> JobView {
        let rate = self.rate.per_second(now);
        let left = self.total.saturating_sub(self.done + self.failed);
        let state = if self.is_set_aside() { JobState::Paused } else { self.state };
        let moves = rate > 0.0 && self.rate.is_steady(now) && state == JobState::Running;
        JobView {
            id,
            name: self.job.name.clone(),
            op: self.job.op.clone(),
            kernel: self.job.op.kernel().map(str::to_owned),
            axes: None,
            block: self.job.block,
            check: self.job.check,
            audited: self.audited.min(self.done + self.failed),
            unconfirmed: lent.unconfirmed,
            slowest: self.slowest,
            state,
            open: self.may_grow(),
            total: self.total,
            done: self.done,
            failed: self.failed,
            leased: lent.tasks,
            workers: lent.workers,
            rate,
            eta_s: moves.then(|| left as f64 / rate),
            submitted_at: rfc3339(self.job.submitted_at_ms),
            trouble: self.trouble.clone(),
        }
    }

    /// Says on the console what of it cannot be read, and what to do about that.
    pub(super) fn warn_of_trouble(&self, id: JobId, what: &str) {
        let named = job_named(id, &self.job.name);
        if self.state.is_over() {
            return warn!(
                "{named}: {what}; its other results can be read, and `tequio repair {id}` has lost ones \
                 computed again"
            );
        }
        warn!(
            "{named} is set aside: {what}. The others go on; `tequio results {id}` gives what can be \
             read of it, `tequio repair {id}` has lost outcomes computed again, `tequio remove {id}` removes \
             it, and a copy of the file of before has it whole"
        );
    }
}

/// What is wrong with a job whose op this version does not know.
fn unknown_op(job: &NewJob) -> Option<String> {
    job.op.known().is_none().then(|| {
        let known = op::names();
        format!("its op {} is none that this server knows: those are {known}", quote(job.op.name()))
    })
}
