//! What is written to the store, and the changes that the dispatcher makes once they are.

use super::reactor::Removable;
use crate::store::{Damage, NewJob, Recording, Repaired, StoreError, StoredJob};
use std::sync::Arc;
use tequio_protocol::api::JobState;
use tequio_protocol::ids::JobId;
use tequio_protocol::reader::LineRun;
use tequio_protocol::values::Values;
use tokio::sync::{OwnedSemaphorePermit, oneshot};

/// The answer to one write.
pub(super) type Reply<T> = oneshot::Sender<Result<T, StoreError>>;

/// What is to be written.
#[derive(Debug)]
pub(super) enum Write {
    Record(Recording),
    SetState(JobId, JobState, Reply<()>),
    /// When a job was last appended to, for the next start; that it could not be noted is no news.
    NoteAppended(JobId, u64),
    CreateJob(NewJob, Reply<JobId>),
    /// Inputs of a draft.
    AppendInputs(NewInputs, Reply<()>),
    Discard(JobId, Reply<()>),
    /// A job of a grid. It has a number once it is written, and is a [`Change::Publish`] from then on.
    Submit(NewJob, Reply<JobId>),
    /// Inputs of an open job, and the [`Change::Grow`] that follows.
    Grow(NewInputs, Change),
    Change(Change),
    /// Remove damaged rows of a job that were found.
    Repair(JobId, Damage, Reply<Repaired>),
    /// No more follows.
    Stop,
}

/// Inputs to be appended to a job behind the `first` that it has, and from which lines they come.
#[derive(Debug)]
pub(super) struct NewInputs {
    pub(super) job: JobId,
    pub(super) first: u64,
    pub(super) inputs: Arc<Values>,
    pub(super) lines: Vec<LineRun>,
}

/// A change to a job that is made in the store first. Then the dispatcher makes it too, and answers.
#[derive(Debug)]
pub(super) enum Change {
    /// A draft becomes a job.
    Publish(Box<StoredJob>, Reply<JobId>),
    /// An open job has so many tasks, and stays open or is closed.
    Grow { job: JobId, total: u64, is_open: bool, reply: Reply<()> },
    /// An open job takes no more inputs.
    Close(JobId, Reply<()>),
    /// A job that is over or set aside is gone.
    Remove(JobId, Removable, Reply<()>),
}

impl Change {
    /// Answers that it was not made.
    pub(super) fn refuse(self, error: StoreError) {
        match self {
            Change::Publish(_, reply) => answer(reply, Err(error)),
            Change::Grow { reply, .. } | Change::Close(_, reply) | Change::Remove(_, _, reply) => {
                answer(reply, Err(error));
            }
        }
    }
}

/// Whoever asked may have left; what is written stays written.
pub(super) fn answer<T>(reply: Reply<T>, done: Result<T, StoreError>) {
    reply.send(done).ok();
}

/// A write on its way, and the room that it takes until it is done.
#[derive(Debug)]
pub(super) struct Queued {
    pub(super) write: Write,
    pub(super) room: Option<OwnedSemaphorePermit>,
}

impl From<Write> for Queued {
    /// A write that nobody outside can ask for at will.
    fn from(write: Write) -> Queued {
        Queued { write, room: None }
    }
}
