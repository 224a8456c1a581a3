//! What waits for one member: in order, and no more than so many bytes.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tequio_protocol::limits::CHAT_WAITING_BYTES_MAX;
use tokio::sync::mpsc;

/// What a message costs beside its text: its place in the queue, and in the memory.
const MESSAGE_BYTES: usize = 64;

/// The room's end.
#[derive(Debug)]
pub(super) struct Inlet {
    messages: mpsc::UnboundedSender<Arc<str>>,
    waiting_bytes: Arc<AtomicUsize>,
}

/// The member's end. It ends when the room gives the member up.
#[derive(Debug)]
pub(super) struct Outbox {
    messages: mpsc::UnboundedReceiver<Arc<str>>,
    waiting_bytes: Arc<AtomicUsize>,
}

/// The member does not read, or is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Overfull;

pub(super) fn outbox() -> (Inlet, Outbox) {
    // What bounds it is bytes, which the channel does not count.
    let (sender, messages) = mpsc::unbounded_channel();
    let waiting_bytes = Arc::<AtomicUsize>::default();
    let outbox = Outbox { messages, waiting_bytes: waiting_bytes.clone() };
    (Inlet { messages: sender, waiting_bytes }, outbox)
}

fn cost(message: &str) -> usize {
    MESSAGE_BYTES + message.len()
}

impl Inlet {
    /// Puts a message behind the others. Only one at a time does: whoever holds the room.
    pub(super) fn put(&self, message: &Arc<str>) -> Result<(), Overfull> {
        let cost = cost(message);
        if self.waiting_bytes.load(Ordering::Relaxed) + cost > CHAT_WAITING_BYTES_MAX {
            return Err(Overfull);
        }
        self.waiting_bytes.fetch_add(cost, Ordering::Relaxed);
        self.messages.send(message.clone()).map_err(|_| Overfull)
    }
}

impl Outbox {
    /// The next message. Cancelling loses nothing.
    pub(super) async fn next(&mut self) -> Option<Arc<str>> {
        let message = self.messages.recv().await?;
        self.waiting_bytes.fetch_sub(cost(&message), Ordering::Relaxed);
        Some(message)
    }

    /// What waits.
    #[cfg(test)]
    pub(super) fn take_all(&mut self) -> Vec<String> {
        let mut all = Vec::new();
        while let Ok(message) = self.messages.try_recv() {
            self.waiting_bytes.fetch_sub(cost(&message), Ordering::Relaxed);
            all.push(message.to_string());
        }
        all
    }

    /// Whether nothing waits, and nothing will.
    #[cfg(test)]
    pub(super) fn has_ended(&mut self) -> bool {
        self.messages.try_recv() == Err(mpsc::error::TryRecvError::Disconnected)
    }
}
