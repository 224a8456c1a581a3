//! One worker that is connected.

use super::rate::Rate;
use crate::connection::Peer;
use crate::pace::Pace;
use crate::scheduler::Session;
use std::collections::VecDeque;
use std::time::Duration;
use tequio_protocol::ids::{LeaseId, TaskId};
use tequio_protocol::message::Hello;
use tequio_protocol::op::RepeatMultiply;

#[derive(Debug)]
pub(super) struct Worker {
    pub(super) peer: Peer,
    pub(super) hello: Option<Hello>,
    /// What it may call this connection on its next one; it has said hello.
    pub(super) session: Option<Session>,
    /// Whether it answered the welcome task, on an earlier connection perhaps, or there is none.
    pub(super) is_welcome: bool,
    pub(super) held: Option<Held>,
    /// When it is looked whether it still has that.
    pub(super) look_at: Option<Duration>,
    /// Tasks of plain mode that others have done meanwhile, and that it will answer all the same.
    pub(super) needless: VecDeque<TaskId>,
    pub(super) next_task: u64,
    pub(super) connected_at: Duration,
    pub(super) heard_at: Duration,
    pub(super) tasks: u64,
    pub(super) results: u64,
    pub(super) rate: Rate,
    pub(super) errors: u64,
    pub(super) refused: u64,
    pub(super) lag: Option<Duration>,
    /// What the console says of its tasks of plain mode.
    pub(super) told: Pace<Duration>,
    /// Tasks since the last that the console showed.
    pub(super) untold: u64,
}

/// The one task of a plain worker.
#[derive(Debug)]
pub(super) struct Held {
    pub(super) task_id: TaskId,
    pub(super) input: RepeatMultiply,
    /// None for the welcome task.
    pub(super) lease: Option<(LeaseId, u64)>,
    /// When its worker has had it for too long.
    pub(super) until: Duration,
    /// Whether the console showed it, and is to show its result.
    pub(super) is_told: bool,
}

impl Worker {
    /// When it has had its task of a job for too long, if it has one. The welcome task may take for
    /// ever: nobody waits for it.
    pub(super) fn owed_until(&self) -> Option<Duration> {
        let held = self.held.as_ref().filter(|held| held.lease.is_some());
        held.filter(|_| self.hello.is_none()).map(|held| held.until)
    }
}
