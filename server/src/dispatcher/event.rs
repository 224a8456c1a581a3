//! What the dispatcher's task is sent: what happens, what is asked, and what the store's threads report.

use super::Health;
use super::feed::Watch;
use super::outgoing::Outbox;
use super::reactor::{
    Control, ControlError, FromWorker, HowLeft, Overlap, Progress, Recorded, Removable,
};
use super::write::{Change, Reply};
use crate::connection::Peer;
use crate::store::{Repaired, StoreError};
use std::time::Duration;
use tequio_protocol::api::{JobView, WorkerView};
use tequio_protocol::ids::{JobId, LeaseId, WorkerId};
use tequio_protocol::outcome::Outcomes;
use tequio_protocol::values::Values;
use tequio_scheduler::ClaimId;
use tokio::sync::{OwnedSemaphorePermit, mpsc, oneshot, watch};

/// What happens.
#[derive(Debug)]
pub(super) enum Event {
    Connected {
        peer: Peer,
        joined: oneshot::Sender<(WorkerId, Outbox)>,
    },
    /// Boxed: a handler's task keeps room for what it sends, in each of its functions.
    Received {
        worker: WorkerId,
        message: Box<FromWorker>,
        /// Its place among its worker's, until it is handled.
        place: OwnedSemaphorePermit,
        /// What it takes of the room for large ones.
        room: Option<OwnedSemaphorePermit>,
    },
    Disconnected {
        worker: WorkerId,
        reason: String,
        how: HowLeft,
    },
    Control(JobId, Control, oneshot::Sender<Result<Controlled, ControlError>>),
    /// Whether a job may be closed.
    IsOpen(JobId, oneshot::Sender<Result<(), ControlError>>),
    /// Whether a job may be removed.
    IsOver(JobId, oneshot::Sender<Result<Removable, ControlError>>),
    Stop,
}

/// What somebody asks, which changes nothing.
#[derive(Debug)]
pub(super) enum Question {
    ListWorkers(Option<WorkerId>, usize, oneshot::Sender<Vec<WorkerView>>),
    ListJobs(Option<JobId>, usize, oneshot::Sender<Vec<JobView>>),
    Job(JobId, oneshot::Sender<Option<JobView>>),
    Follow(JobId, oneshot::Sender<Option<watch::Receiver<Progress>>>),
    Health(oneshot::Sender<Health>),
    Watch(oneshot::Sender<Watch>),
}

/// What became of what the store's threads were to do.
#[derive(Debug)]
pub(super) enum Report {
    /// What one transaction has recorded.
    Recorded(Vec<Recorded>),
    /// What it did not record of a job, since it was there; it comes behind what it did.
    Overlapped(Overlap),
    /// A change is made in the store, and is to be made here.
    Changed(Change),
    /// Damaged rows of a job are removed; whoever asked for that is to be answered.
    Repaired(Box<Repaired>, Option<Reply<Repaired>>),
    /// The store cannot write, or can again.
    StoreFails(Option<String>),
    /// What an audit came to; nothing where it could not be computed.
    Audited {
        claim: ClaimId,
        ours: Option<Vec<Outcomes>>,
        took: Duration,
    },
    InputsRead {
        lease: LeaseId,
        inputs: Result<Values, StoreError>,
    },
    /// A job cannot be written to; so many outcomes of it that were taken are lost.
    SetAside {
        job: JobId,
        what: String,
        lost: u64,
    },
}

/// Where the store's threads report. That never waits: the dispatcher waits for the writer's replies in
/// places, and two that wait for each other wait for ever.
pub(super) type Reports = mpsc::UnboundedSender<Report>;

/// Ends when a job's new state is on disk.
pub(super) type OnDisk = oneshot::Receiver<Result<(), StoreError>>;

/// A job as it is once it was controlled, and the way to wait for that; none where it was so before.
pub(super) type Controlled = (JobView, Option<OnDisk>);
