//! What waits for handlers to send it. A lease is up to a hundred kilobytes, so bytes count beside
//! messages; where all together are too many, the connections are given up that are the furthest behind.

use crate::connection::Close;
use crate::outbox::{self, Bounds, Counted, Inlet, NotPut, Outboxes, Waits};
use tequio_protocol::limits::{OUTBOX_MESSAGES_MAX, OUTBOXES_BYTES_MAX};
use tequio_protocol::message::{Lease, LeaseInputs, ServerMessage};

/// What a handler is to do.
#[derive(Clone, Debug, PartialEq)]
pub enum Outgoing {
    /// Send this. Boxed: an outbox keeps room for many, and is empty mostly.
    Message(Box<ServerMessage>),
    /// Close the connection.
    Close(Box<Close>),
}

/// What a handler receives, in order. It ends when the dispatcher gives the connection up because
/// the outbox was full.
#[derive(Debug)]
pub struct Outbox(outbox::Outbox<Waiting>);

impl Outbox {
    /// The next one. Cancelling loses nothing.
    pub async fn recv(&mut self) -> Option<Outgoing> {
        self.0.next().await.map(|waiting| waiting.outgoing)
    }
}

#[derive(Debug)]
struct Waiting {
    outgoing: Outgoing,
    since_ms: u64,
    counted: Counted,
}

impl Waits for Waiting {
    fn since_ms(&self) -> u64 {
        self.since_ms
    }

    fn bytes(&self) -> usize {
        self.counted.bytes()
    }
}

/// The outboxes of all handlers.
#[derive(Debug)]
pub(super) struct All(Outboxes<Waiting>);

/// Where a handler's is filled.
#[derive(Debug)]
pub(super) struct Sender(Inlet<Waiting>);

impl All {
    pub(super) fn new() -> All {
        All(Outboxes::new(Bounds {
            each_max: OUTBOX_MESSAGES_MAX,
            each_bytes_max: usize::MAX,
            all_bytes_max: OUTBOXES_BYTES_MAX,
        }))
    }

    pub(super) fn open(&self) -> (Sender, Outbox) {
        let (inlet, outbox) = self.0.open();
        (Sender(inlet), Outbox(outbox))
    }

    /// Puts one behind the others, at so many milliseconds since 1970.
    pub(super) fn send(
        &self,
        sender: &Sender,
        outgoing: Outgoing,
        now_ms: u64,
    ) -> Result<(), NotPut> {
        let counted = self.0.count(bytes(&outgoing));
        sender.0.put(Waiting { outgoing, since_ms: now_ms, counted })
    }
}

/// The memory that it takes, about.
fn bytes(outgoing: &Outgoing) -> usize {
    let held = match outgoing {
        Outgoing::Message(message) => match &**message {
            ServerMessage::Lease(Lease { inputs: LeaseInputs::Grid(grid), .. }) => grid.bytes(),
            ServerMessage::Lease(Lease { inputs: LeaseInputs::List(list), .. }) => list.bytes(),
            _ => 0,
        },
        Outgoing::Close(_) => 0,
    };
    size_of::<ServerMessage>() + held
}
