//! Who is connected to a service, and what the console says of it.

use super::lines::Lines;
use crate::connection::{Peer, PeerAddress, list_connected};
use crate::metrics::Service;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use tracing::info;

/// Who is connected to a service.
#[derive(Debug)]
pub(super) struct Roster {
    service: Service,
    present: Mutex<Present>,
}

#[derive(Debug, Default)]
struct Present {
    /// The newest connection's number.
    last: u64,
    all: BTreeMap<u64, PeerAddress>,
}

/// A connection on the roster, until it leaves.
#[derive(Debug)]
pub(super) struct Visit {
    roster: Arc<Roster>,
    pub(super) number: u64,
    lines: Lines,
}

impl Roster {
    pub(super) fn new(service: Service) -> Roster {
        Roster { service, present: Mutex::default() }
    }

    /// Enters a connection, and says so.
    pub(super) fn enter(self: &Arc<Self>, peer: &Peer) -> Visit {
        let service = self.service.name();
        let Peer { address, path, .. } = peer;
        let number = self.change(|present| {
            present.last += 1;
            present.all.insert(present.last, *address);
            info!("{service} #{} connected from {address} path={path}", present.last);
            present.last
        });
        let lines = Lines::new(format!("{service} #{number}"));
        Visit { roster: self.clone(), number, lines }
    }

    /// Changes who is there, and says who is; in one go, so that the console's order is what was.
    fn change<T>(&self, change: impl FnOnce(&mut Present) -> T) -> T {
        // Whoever panicked while it wrote a line left the list as it is.
        let mut present = self.present.lock().unwrap_or_else(PoisonError::into_inner);
        let changed = change(&mut present);
        let all = present.all.iter().map(|(number, address)| (format!("#{number}"), *address));
        info!("Connected to {} {}", self.service.name(), list_connected(all));
        changed
    }
}

impl Visit {
    /// Says what was received, unless there is too much of it.
    pub(super) fn tell(&mut self, received: impl FnOnce() -> String) {
        self.lines.tell(received);
    }

    /// Takes the connection off the roster, and says why it ended.
    pub(super) fn leave(mut self, reason: &str) {
        self.lines.end();
        let (service, number) = (self.roster.service.name(), self.number);
        self.roster.change(|present| {
            present.all.remove(&number);
            info!("{service} #{number} disconnected ({reason})");
        });
    }
}
