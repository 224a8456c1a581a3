//! What a worker has to compute, and on which of its slots: tasks of plain mode as a whole, leases
//! in pieces whose results are sent as they come.
//!
//! What happens to it has a room each: `allowance` is what the person lends, `connection` and `intake` come from the
//! server, `outcomes` from the slots; `time` passes. `slots` says what a slot does next, `slot` is the state of
//! one, and `replies` are what several rooms send.

mod allowance;
mod connection;
mod intake;
mod outcomes;
mod replies;
mod slot;
mod slots;
#[cfg(test)]
mod tests;
mod time;

pub(crate) use replies::{About, notice, refuse, release};

use crate::pace::Share;
use crate::sent::Sent;
use crate::sizing::PieceSizes;
use slot::{Fate, Held, Item, Slot, State};
use std::collections::VecDeque;
use tequio_protocol::limits::LEASES_PER_SLOT;
use tequio_protocol::message::DurationMs;
use tequio_protocol::piece::PieceResults;

/// The slots of a worker, and what waits for them.
#[derive(Debug)]
pub(crate) struct Work {
    agent: String,
    slots: Vec<Slot>,
    /// How many of them take anything; those behind only end what they do.
    lent: usize,
    /// The most that this connection's server was told of: it may have lent for so many.
    lent_max: usize,
    waiting: VecDeque<Item>,
    piece_sizes: PieceSizes,
    share: Share,
    /// Bytes that wait in the socket.
    unsent: usize,
    sent: Sent,
    uplink: Uplink,
}

/// Whether results are sent. The connection itself is the worker's business.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Uplink {
    /// They are sent to the server.
    Open,
    /// They wait: the connection was lost, or the server has not said whether the session goes on.
    OnHold,
}

/// What a slot has computed.
pub(crate) struct Computed {
    pub(crate) slot: usize,
    pub(crate) results: PieceResults,
    pub(crate) duration: DurationMs,
}

impl Work {
    /// Nothing to do, and no slots to do it on.
    pub(crate) fn new(agent: String) -> Work {
        Work {
            agent,
            slots: Vec::new(),
            lent: 0,
            lent_max: 0,
            waiting: VecDeque::new(),
            piece_sizes: PieceSizes::default(),
            share: Share::WHOLE,
            unsent: 0,
            sent: Sent::default(),
            uplink: Uplink::Open,
        }
    }

    pub(crate) fn agent(&self) -> &str {
        &self.agent
    }

    /// How many slots take anything.
    pub(crate) fn lent(&self) -> u32 {
        self.lent as u32
    }

    /// Whether nothing is here that anybody waits for.
    pub(crate) fn is_empty(&self) -> bool {
        let is_at_work = |slot: &Slot| match &slot.state {
            State::Idle => false,
            State::Running(running) => running.fate != Fate::Dropped,
            State::Resting { held, .. } => held.is_some(),
        };
        self.waiting.is_empty() && !self.slots.iter().any(is_at_work)
    }

    /// The leases that the server takes this worker to hold.
    fn held(&self) -> impl Iterator<Item = &Held> {
        let of_slots = self.slots.iter().filter_map(|slot| match &slot.state {
            State::Running(running) if running.is_waited_for() => running.item.lease(),
            State::Resting { held, .. } => held.as_ref(),
            State::Running(_) | State::Idle => None,
        });
        of_slots.chain(self.waiting.iter().filter_map(Item::lease))
    }

    fn leases_max(&self) -> usize {
        self.lent * LEASES_PER_SLOT as usize
    }
}
