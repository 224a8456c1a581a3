//! What the dispatcher's task is sent.

use super::core::{
    Control, ControlError, FromWorker, HowLeft, Overlap, Progress, Recorded, Removable,
};
use super::feed::Watch;
use super::outgoing::Outbox;
use super::{Health, writer};
use crate::connection::Peer;
use crate::store::{StoreError, StoredJob};
use tequio_protocol::api::{JobView, WorkerView};
use tequio_protocol::ids::{JobId, LeaseId, WorkerId};
use tequio_protocol::op::RepeatMultiply;
use tokio::sync::{OwnedSemaphorePermit, oneshot, watch};

/// What happens, or is asked.
#[derive(Debug)]
pub(super) enum Event {
    Connected {
        peer: Peer,
        joined: oneshot::Sender<(WorkerId, Outbox)>,
    },
    /// Boxed: a session's task keeps room for what it sends, in each of its functions.
    Heard {
        worker: WorkerId,
        message: Box<FromWorker>,
        /// What it takes of the room for large ones.
        room: Option<OwnedSemaphorePermit>,
    },
    Disconnected {
        worker: WorkerId,
        reason: String,
        how: HowLeft,
    },
    ListWorkers(Option<WorkerId>, usize, oneshot::Sender<Vec<WorkerView>>),
    ListJobs(Option<JobId>, usize, oneshot::Sender<Vec<JobView>>),
    Job(JobId, oneshot::Sender<Option<JobView>>),
    Follow(JobId, oneshot::Sender<Option<watch::Receiver<Progress>>>),
    Control(JobId, Control, oneshot::Sender<Result<Controlled, ControlError>>),
    Published(Box<StoredJob>, writer::Reply<JobId>),
    Grown(JobId, u64, bool, writer::Reply<()>),
    IsOpen(JobId, oneshot::Sender<Result<(), ControlError>>),
    Closed(JobId, writer::Reply<()>),
    IsOver(JobId, oneshot::Sender<Result<Removable, ControlError>>),
    Removed(JobId, writer::Reply<()>),
    Stop,
    Health(oneshot::Sender<Health>),
    Watch(oneshot::Sender<Watch>),
    /// What one transaction has recorded.
    Recorded(Vec<Recorded>),
    /// What it did not record of a job, since it was there; it comes behind what it did.
    Overlapped(Overlap),
    StoreFails(Option<String>),
    InputsRead {
        lease: LeaseId,
        inputs: Result<Vec<RepeatMultiply>, StoreError>,
    },
    /// A job cannot be written to; so many outcomes of it that were taken are lost.
    SetAside {
        job: JobId,
        what: String,
        lost: u64,
    },
}

/// Ends when a job's new state is on disk.
pub(super) type OnDisk = oneshot::Receiver<Result<(), StoreError>>;

/// A job as it is once it was controlled, and the way to wait for that; none where it was so before.
pub(super) type Controlled = (JobView, Option<OnDisk>);
