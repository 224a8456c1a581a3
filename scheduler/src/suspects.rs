//! Addresses at which somebody was turned away lately. Who comes there next may be the same one, under
//! a new name, or somebody else at the same school: it waits a moment before it is lent anything.

use super::Origin;
use std::collections::HashMap;
use std::time::Duration;
use tequio_protocol::limits::{NEWCOMER_PAUSE, SUSPECTS_MAX, SUSPICION};

/// These addresses, and until when.
#[derive(Debug, Default)]
pub(super) struct Suspects(HashMap<Origin, Duration>);

impl Suspects {
    /// Somebody there was turned away.
    pub(super) fn add(&mut self, origin: Origin, now: Duration) {
        if self.0.len() >= SUSPECTS_MAX {
            self.0.retain(|_, until| *until > now);
        }
        if self.0.len() < SUSPECTS_MAX || self.0.contains_key(&origin) {
            self.0.insert(origin, now.saturating_add(SUSPICION));
        }
    }

    /// Until when a newcomer there waits, if it does.
    pub(super) fn rest(&self, origin: Origin, now: Duration) -> Option<Duration> {
        let is_suspect = self.0.get(&origin).is_some_and(|until| *until > now);
        is_suspect.then(|| now.saturating_add(NEWCOMER_PAUSE))
    }
}
