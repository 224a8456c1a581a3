//! What pages and dashboards are told of everything, each telling written once for all of them.

use super::reactor::{Now, Reactor, Sampled};
use bytes::Bytes;
use std::sync::{Arc, OnceLock};
use tequio_protocol::limits::{LIVE_INTERVAL, LIVE_SILENCE, LIVE_WAITING_MAX};
use tequio_protocol::live::LiveEvent;
use tokio::sync::broadcast;
use tokio::time::Instant;

/// What whoever looks is given: how everything is, and then what is new. What comes first may be in
/// the snapshot already. Whoever reads too slowly is told so, and looks anew.
#[derive(Debug)]
pub struct Watch {
    /// A [`LiveEvent::Snapshot`].
    pub snapshot: Arc<Telling>,
    /// [`LiveEvent::Changes`].
    pub changes: broadcast::Receiver<Arc<Telling>>,
}

/// What all who look are told at once.
#[derive(Debug)]
pub struct Telling {
    /// What pages are told.
    pub event: LiveEvent,
    /// What dashboards are told as well: pages draw samples of their own.
    pub samples: Vec<Sampled>,
    /// They ascend.
    pub number: u64,
    wire: OnceLock<Bytes>,
}

impl Telling {
    fn new(number: u64, event: LiveEvent, samples: Vec<Sampled>) -> Telling {
        Telling { event, samples, number, wire: OnceLock::new() }
    }

    /// The event as a server-sent one, whose data is JSON: written when it is asked for first, and not by
    /// the dispatcher. All who are told share these bytes.
    pub fn wire(&self) -> Bytes {
        let wire = self.wire.get_or_init(|| {
            let mut wire = b"data: ".to_vec();
            serde_json::to_writer(&mut wire, &self.event).expect("events are plain data");
            wire.extend_from_slice(b"\n\n");
            wire.shrink_to_fit();
            wire.into()
        });
        wire.clone()
    }
}

#[derive(Debug)]
pub(super) struct Feed {
    changes: broadcast::Sender<Arc<Telling>>,
    /// The snapshot that was asked for since the last telling.
    snapshot: Option<Arc<Telling>>,
    next: u64,
    next_at: Instant,
    told_at: Instant,
}

impl Feed {
    pub(super) fn new(now: Instant) -> Feed {
        let changes = broadcast::Sender::new(LIVE_WAITING_MAX);
        Feed { changes, snapshot: None, next: 0, next_at: now, told_at: now }
    }

    /// When the next telling is due; never while nobody looks.
    pub(super) fn next_at(&self) -> Option<Instant> {
        (self.pages() > 0).then_some(self.next_at)
    }

    /// How many are told.
    pub(super) fn pages(&self) -> usize {
        self.changes.receiver_count()
    }

    pub(super) fn watch(&mut self, reactor: &mut Reactor, now: Now) -> Watch {
        // A class that opens its browsers together costs one snapshot.
        let snapshot = match &self.snapshot {
            Some(snapshot) => snapshot.clone(),
            None => {
                // What is told next begins where this snapshot ends.
                self.tell(reactor, now);
                let snapshot = LiveEvent::Snapshot(reactor.snapshot(now));
                let telling = self.number(snapshot, Vec::new());
                self.snapshot.insert(telling).clone()
            }
        };
        Watch { snapshot, changes: self.changes.subscribe() }
    }

    /// Tells what is new, if it is time to.
    pub(super) fn tell_if_due(&mut self, reactor: &mut Reactor, now: Now) {
        let at = Instant::now();
        if self.next_at > at {
            return;
        }
        if self.pages() == 0 {
            self.snapshot = None;
            return reactor.unwatch();
        }
        self.tell(reactor, now);
    }

    fn tell(&mut self, reactor: &mut Reactor, now: Now) {
        let at = Instant::now();
        self.next_at = at + LIVE_INTERVAL;
        self.snapshot = None;
        let changes = reactor.changes(now);
        let is_silent = at - self.told_at >= LIVE_SILENCE;
        if reactor.is_news(&changes) || is_silent {
            self.told_at = at;
            // Whoever has left meanwhile does not miss it.
            let telling = self.number(LiveEvent::Changes(changes), reactor.take_samples());
            self.changes.send(telling).ok();
        }
    }

    fn number(&mut self, event: LiveEvent, samples: Vec<Sampled>) -> Arc<Telling> {
        let number = self.next;
        self.next += 1;
        Arc::new(Telling::new(number, event, samples))
    }
}
