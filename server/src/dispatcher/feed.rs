//! What pages and dashboards are told of everything, each telling written once for all of them.

use super::core::{Core, Now, Sampled};
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
    json: OnceLock<String>,
}

impl Telling {
    fn new(event: LiveEvent, samples: Vec<Sampled>) -> Telling {
        Telling { event, samples, json: OnceLock::new() }
    }

    /// The event as JSON, written when it is asked for first, and not by the dispatcher.
    pub fn json(&self) -> &str {
        self.json.get_or_init(|| serde_json::to_string(&self.event).expect("events are plain data"))
    }
}

#[derive(Debug)]
pub(super) struct Feed {
    changes: broadcast::Sender<Arc<Telling>>,
    /// The snapshot that was asked for since the last telling.
    snapshot: Option<Arc<Telling>>,
    next_at: Instant,
    told_at: Instant,
}

impl Feed {
    pub(super) fn new(now: Instant) -> Feed {
        let changes = broadcast::Sender::new(LIVE_WAITING_MAX);
        Feed { changes, snapshot: None, next_at: now, told_at: now }
    }

    /// When the next telling is due; never while nobody looks.
    pub(super) fn next_at(&self) -> Option<Instant> {
        (self.pages() > 0).then_some(self.next_at)
    }

    /// How many are told.
    pub(super) fn pages(&self) -> usize {
        self.changes.receiver_count()
    }

    pub(super) fn watch(&mut self, core: &mut Core, now: Now) -> Watch {
        // A class that opens its browsers together costs one snapshot.
        let snapshot = match &self.snapshot {
            Some(snapshot) => snapshot.clone(),
            None => {
                // What is told next begins where this snapshot ends.
                self.tell(core, now);
                let snapshot = LiveEvent::Snapshot(core.snapshot(now));
                self.snapshot.insert(Arc::new(Telling::new(snapshot, Vec::new()))).clone()
            }
        };
        Watch { snapshot, changes: self.changes.subscribe() }
    }

    /// Tells what is new, if it is time to.
    pub(super) fn tell_if_due(&mut self, core: &mut Core, now: Now) {
        let at = Instant::now();
        if self.next_at > at {
            return;
        }
        if self.pages() == 0 {
            self.snapshot = None;
            return core.unwatch();
        }
        self.tell(core, now);
    }

    fn tell(&mut self, core: &mut Core, now: Now) {
        let at = Instant::now();
        self.next_at = at + LIVE_INTERVAL;
        self.snapshot = None;
        let changes = core.changes(now);
        let is_silent = at - self.told_at >= LIVE_SILENCE;
        if core.is_news(&changes) || is_silent {
            self.told_at = at;
            // Whoever has left meanwhile does not miss it.
            let telling = Telling::new(LiveEvent::Changes(changes), core.take_samples());
            self.changes.send(Arc::new(telling)).ok();
        }
    }
}
