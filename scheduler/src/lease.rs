//! One lease: what was lent, to whom, and until when.

use super::Inputs;
use super::intervals::count;
use std::ops::Range;
use std::time::Duration;
use tequio_protocol::ids::{JobId, LeaseId, WorkerId};
use tequio_protocol::limits::{DEADLINE_FACTOR, DEADLINE_MIN, HOLD_MAX};

#[derive(Clone, Debug)]
pub(super) struct Lease {
    pub(super) job: JobId,
    pub(super) worker: WorkerId,
    /// What was lent.
    pub(super) whole: Range<u64>,
    /// What is not answered: a tail of `whole`.
    pub(super) rest: Range<u64>,
    /// What it is a copy of; its own id, if it is none.
    pub(super) original: LeaseId,
    pub(super) deadline: Duration,
    /// How many times longer than others its worker has: tasks in it failed before.
    pub(super) patience: u32,
    pub(super) lent_at: Duration,
    /// When it was lent, or last answered.
    pub(super) answered_at: Duration,
    /// None while its worker cannot have been told of it, and when nothing of it can count.
    pub(super) inputs: Option<Inputs>,
    /// Whether its worker was told of it.
    pub(super) is_sent: bool,
    /// It was given up because of a wrong result; what still comes of it is dropped.
    pub(super) is_refused: bool,
    /// Whether its worker has shown nothing.
    pub(super) is_newcomers: bool,
    /// When its time was over, if its worker said that it goes on.
    pub(super) kept_since: Option<Duration>,
}

impl Lease {
    /// Whether these tasks, at least one, were lent in it.
    pub(super) fn has_had(&self, tasks: &Range<u64>) -> bool {
        !tasks.is_empty() && tasks.start >= self.whole.start && tasks.end <= self.whole.end
    }

    /// Whether an answer to these tasks would leave some at the front without one. What was refused is
    /// missing there in any case.
    pub(super) fn leaves_out(&self, tasks: &Range<u64>) -> bool {
        tasks.start > self.rest.start && !self.is_refused
    }

    /// The time for what it has still to answer, at so many seconds a task.
    pub(super) fn time_left(&self, task_s: f64) -> Duration {
        deadline_after(count(&self.rest) as f64 * task_s).saturating_mul(self.patience)
    }
}

/// The time that a worker has for what is expected to take `seconds`. What is expected follows what
/// workers say, so there is a most.
pub(super) fn deadline_after(seconds: f64) -> Duration {
    let expected = Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX / 8);
    expected.saturating_mul(DEADLINE_FACTOR).clamp(DEADLINE_MIN, HOLD_MAX)
}
