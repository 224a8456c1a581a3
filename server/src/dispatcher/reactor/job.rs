//! One job.

use super::Progress;
use super::rate::Rate;
use crate::scheduler::Intervals;
use crate::store::{NewJob, job_named};
use std::sync::Arc;
use std::time::Duration;
use tequio_protocol::api::JobState;
use tequio_protocol::grid::Grid;
use tequio_protocol::ids::JobId;
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
    pub(super) durable: Intervals,
    pub(super) rate: Rate,
    /// What of it cannot be read.
    pub(super) trouble: Option<String>,
}

impl Job {
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
}

/// Says of which job what cannot be read, and what to do about it.
pub(super) fn warn_of_trouble(id: JobId, job: &Job, what: &str) {
    let named = job_named(id, &job.job.name);
    if job.state.is_over() {
        return warn!("{named}: {what}; its other results can be read");
    }
    warn!(
        "{named} is set aside: {what}. The others go on; `tequio results {id}` gives what can be read \
         of it, `tequio remove {id}` removes it, and a copy of the file of before has it whole"
    );
}
