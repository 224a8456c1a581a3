//! What a person does to jobs.

use super::{Effect, Reactor};
use tequio_protocol::api::JobState;
use tequio_protocol::ids::JobId;
use tracing::info;

/// What a person does to a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Control {
    /// Hand out no more of it.
    Pause,
    /// Go on.
    Resume,
    /// End it, with the outcomes that it has.
    Cancel,
}

impl Control {
    /// What a job is that this was done to.
    pub const fn participle(self) -> &'static str {
        match self {
            Control::Pause => "paused",
            Control::Resume => "resumed",
            Control::Cancel => "cancelled",
        }
    }
}

/// Why a job may be removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Removable {
    /// It is over.
    Over,
    /// A part of it cannot be read, and its state says nothing of that.
    SetAside,
}

/// Why a job was not controlled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ControlError {
    /// There is no such job.
    #[error("there is no job {0}")]
    Unknown(JobId),
    /// The job is over, and what was to be done with it cannot be done any more.
    #[error("job {0} is {state}, and cannot be {control} any more",
        state = .1.name(), control = .2.participle())]
    Over(JobId, JobState, Control),
    /// The job does not wait for inputs.
    #[error("job {0} is {state} and does not wait for inputs", state = .1.name())]
    NotOpen(JobId, JobState),
    /// The job is not over.
    #[error("job {0} is {state}", state = .1.name())]
    NotOver(JobId, JobState),
    /// A part of the job cannot be read.
    #[error("job {0} is set aside, since a part of it cannot be read")]
    SetAside(JobId),
}

impl Reactor {
    /// Pauses, resumes or cancels a job. Doing it twice does no harm.
    pub fn control(&mut self, id: JobId, control: Control) -> Result<(), ControlError> {
        let job = self.jobs.get_mut(&id).ok_or(ControlError::Unknown(id))?;
        if job.is_set_aside() {
            return Err(ControlError::SetAside(id));
        }
        let state = match control {
            Control::Pause => JobState::Paused,
            Control::Resume => JobState::Running,
            Control::Cancel => JobState::Cancelled,
        };
        if job.state == state {
            // It may not be on disk: whoever asks again asks for that too.
            self.effects.push(Effect::SetState(id, state));
            return Ok(());
        }
        if job.state.is_over() {
            return Err(ControlError::Over(id, job.state, control));
        }
        info!("Job {id} {}", state.name());
        if state == JobState::Cancelled {
            self.end_job(id, state);
            return Ok(());
        }
        job.state = state;
        self.scheduler.set_paused(id, state == JobState::Paused);
        self.effects.push(Effect::SetState(id, state));
        self.progressed.insert(id);
        Ok(())
    }

    /// Why a job may be removed; an error where it is neither over nor set aside, or not there.
    pub fn check_over(&self, id: JobId) -> Result<Removable, ControlError> {
        let job = self.jobs.get(&id).ok_or(ControlError::Unknown(id))?;
        if job.state.is_over() {
            Ok(Removable::Over)
        } else if job.is_set_aside() {
            Ok(Removable::SetAside)
        } else {
            Err(ControlError::NotOver(id, job.state))
        }
    }
}
