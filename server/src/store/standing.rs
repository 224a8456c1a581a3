//! Which jobs take which change: the same in every store.

use super::{Condition, StoreError};
use tequio_protocol::api::JobState;
use tequio_protocol::ids::JobId;

/// What decides whether a job, or a draft, takes a change.
#[derive(Clone, Copy, Debug)]
pub(super) struct Standing {
    /// `None` for a draft.
    pub(super) state: Option<JobState>,
    pub(super) is_open: bool,
    pub(super) has_grid: bool,
}

impl Standing {
    /// Returns an error unless inputs may be appended: to a draft or an open job, of inputs.
    pub(super) fn check_growing(self, job: JobId) -> Result<(), StoreError> {
        match self.state {
            _ if self.has_grid => Err(StoreError::WrongState { job, is: Condition::OfGrid }),
            None => Ok(()),
            Some(_) => self.check_open(job),
        }
    }

    /// Returns an error unless it is a draft.
    pub(super) fn check_draft(self, job: JobId) -> Result<(), StoreError> {
        match self.state {
            None => Ok(()),
            Some(state) => Err(StoreError::WrongState { job, is: Condition::In(state) }),
        }
    }

    /// Returns an error unless it is an open job that is not over.
    pub(super) fn check_open(self, job: JobId) -> Result<(), StoreError> {
        match self.state {
            None => Err(StoreError::NoSuchJob(job)),
            Some(state) if self.is_open && !state.is_over() => Ok(()),
            Some(state) => Err(StoreError::WrongState { job, is: Condition::Closed(state) }),
        }
    }

    /// Why it is not removed, where it is neither over nor set aside.
    pub(super) fn refuse_removal(self, job: JobId) -> StoreError {
        match self.state {
            None => StoreError::NoSuchJob(job),
            Some(state) => StoreError::WrongState { job, is: Condition::In(state) },
        }
    }
}
