//! One slot: what it computes, and what becomes of that.

use crate::pace::Pace;
use std::ops::Range;
use std::time::Duration;
use tequio_protocol::limits::{SLOT_START_MAX, STOP_GRACE};
use tequio_protocol::message::{Lease, Task};

#[derive(Debug, Default)]
pub(super) struct Slot {
    pub(super) pace: Pace,
    pub(super) state: State,
}

#[derive(Debug, Default)]
pub(super) enum State {
    #[default]
    Idle,
    Running(Running),
    /// Between two pieces, for the sake of the share, or until the socket has drained.
    Resting {
        until: Duration,
        /// What it goes on with.
        held: Option<Held>,
    },
}

#[derive(Debug)]
pub(super) struct Running {
    pub(super) item: Item,
    /// The tasks of its piece.
    pub(super) tasks: Range<u64>,
    pub(super) began: Duration,
    /// How long it may take.
    pub(super) limit: Duration,
    /// When it is ended in the middle.
    pub(super) end_at: Duration,
    /// It waits for its slot's program, and no task is to blame for that.
    pub(super) is_waiting: bool,
    pub(super) fate: Fate,
}

/// What becomes of a piece and its lease.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// Its results are sent, and the lease goes on.
    GoesOn,
    /// Its results are sent, and the rest of the lease is given back.
    Last,
    /// It was begun for a connection that was lost. Its results are sent if the session goes on.
    Orphan,
    /// Nobody waits for it.
    Dropped,
}

#[derive(Debug)]
pub(super) enum Item {
    Task(Task),
    Lease(Held),
}

/// A lease, and how far it is.
#[derive(Debug)]
pub(super) struct Held {
    pub(super) lease: Lease,
    /// The first task that has no outcome: a block begins there.
    pub(super) next: u64,
    /// Blocks before this are computed one at a time, since one of them cannot be computed.
    pub(super) singly_until: u64,
    /// When the server last heard of it.
    pub(super) reported_at: Duration,
}

impl Running {
    /// How long it may go on from where it began.
    pub(super) fn time_max(&self) -> Duration {
        if self.is_waiting { SLOT_START_MAX } else { self.limit }
    }

    pub(super) fn is_waited_for(&self) -> bool {
        matches!(self.fate, Fate::GoesOn | Fate::Last)
    }

    /// Nobody waits for it any more. If it is nearly done it ends by itself; a slot is not to be
    /// started anew for each lease that others were faster with.
    pub(super) fn drop_at(&mut self, now: Duration) {
        self.fate = Fate::Dropped;
        self.end_at = self.end_at.min(now + STOP_GRACE);
    }
}

impl Item {
    pub(super) fn lease(&self) -> Option<&Held> {
        match self {
            Item::Lease(held) => Some(held),
            Item::Task(_) => None,
        }
    }

    pub(super) fn lease_mut(&mut self) -> Option<&mut Held> {
        match self {
            Item::Lease(held) => Some(held),
            Item::Task(_) => None,
        }
    }
}
