//! Clients of Socket.IO that are told of jobs, workers and results. What each is still to be told is
//! kept as the things that have changed, and not as what was said of them: one that reads slowly is
//! told how they are then, and memory follows the things, never the changes.

use super::view::{Thing, View};
use crate::connection::{Stopping, stopped};
use crate::dispatcher::{Dispatcher, Stopped};
use crate::metrics::Tally;
use socketioxide::extract::SocketRef;
use socketioxide::socket::Sid;
use socketioxide::{SendError, SocketError, TransportType};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use tequio_protocol::limits::{LIVE_INTERVAL, SOCKETIO_POLLED_MAX, SOCKETIO_TOLD_MAX};
use tokio::sync::Notify;
use tokio::sync::broadcast::error::RecvError;
use tokio::time::{MissedTickBehavior, interval};
use tracing::warn;

/// Who is told.
#[derive(Debug)]
pub(super) struct Dashboards {
    /// Never held across an `await`: clients that come, go and poll wait for it.
    members: Mutex<BTreeMap<Sid, Member>>,
    /// Somebody came, went or polled.
    changed: Notify,
    tally: Tally,
    /// What all are owed together.
    owed_max: usize,
}

#[derive(Debug)]
struct Member {
    socket: SocketRef,
    /// Whether it was told of nothing yet.
    is_new: bool,
    /// What it is to be told of, in this order.
    owed: BTreeSet<Thing>,
    /// How many events it may be sent now.
    allowance: usize,
}

impl Dashboards {
    pub(super) fn new(tally: Tally, owed_max: usize) -> Dashboards {
        Dashboards { members: Mutex::default(), changed: Notify::new(), tally, owed_max }
    }

    /// Takes a client in, or begins anew with it.
    pub(super) fn join(&self, socket: &SocketRef) {
        self.members().insert(socket.id, Member::new(socket.clone()));
        self.changed.notify_one();
    }

    /// Lets a client go, if it is there.
    pub(super) fn leave(&self, sid: Sid) {
        if self.members().remove(&sid).is_some() {
            self.changed.notify_one();
        }
    }

    /// A client has asked for what there is.
    pub(super) fn polled(&self, sid: Sid) {
        if let Some(member) = self.members().get_mut(&sid) {
            member.allowance = SOCKETIO_POLLED_MAX;
            self.changed.notify_one();
        }
    }

    /// Tells all members of what changes, until the server stops. While there are none, nothing is
    /// watched.
    pub(super) async fn tell(&self, dispatcher: Dispatcher, mut stopping: Stopping) {
        let telling = async {
            loop {
                self.anybody().await;
                if let Err(Stopped) = self.tell_while_anybody(&dispatcher).await {
                    return;
                }
            }
        };
        tokio::select! {
            () = telling => {}
            () = stopped(&mut stopping) => {}
        }
    }

    async fn anybody(&self) {
        while self.members().is_empty() {
            self.changed.notified().await;
        }
    }

    async fn tell_while_anybody(&self, dispatcher: &Dispatcher) -> Result<(), Stopped> {
        let mut watch = dispatcher.watch().await?;
        let mut view = View::default();
        view.take(&watch.snapshot);
        let mut tick = interval(LIVE_INTERVAL);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        while !self.members().is_empty() {
            tokio::select! {
                _ = tick.tick() => self.allow(),
                () = self.changed.notified() => {}
                told = watch.changes.recv() => match told {
                    Ok(told) => self.owe(&view.take(&told)),
                    Err(RecvError::Closed) => return Err(Stopped),
                    // What was missed is in how everything is now.
                    Err(RecvError::Lagged(_)) => {
                        watch = dispatcher.watch().await?;
                        self.owe(&view.take(&watch.snapshot));
                    }
                },
            }
            let mut members = self.members();
            members.retain(|_, member| member.pay(&view, &self.tally));
            forgive(&mut members, self.owed_max);
        }
        Ok(())
    }

    /// Lets those that do not poll be sent more.
    fn allow(&self) {
        for member in self.members().values_mut() {
            if member.socket.transport_type() == TransportType::Websocket {
                member.allowance = SOCKETIO_TOLD_MAX;
            }
        }
    }

    fn owe(&self, things: &[Thing]) {
        for member in self.members().values_mut() {
            member.owed.extend(things);
        }
    }

    fn members(&self) -> MutexGuard<'_, BTreeMap<Sid, Member>> {
        // Whoever panicked left a member with what it was owed, or less.
        self.members.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Tells those no more that are owed the most, while all together are owed too much.
fn forgive(members: &mut BTreeMap<Sid, Member>, owed_max: usize) {
    let mut owed: usize = members.values().map(|member| member.owed.len()).sum();
    while owed > owed_max {
        let most = members.iter().max_by_key(|(_, member)| member.owed.len());
        let Some(sid) = most.map(|(sid, _)| *sid) else { return };
        if let Some(member) = members.remove(&sid) {
            owed -= member.owed.len();
            warn!("[socket.io {sid}] is told no more: {} events wait for it", member.owed.len());
        }
    }
}

impl Member {
    fn new(socket: SocketRef) -> Member {
        // A poll of it may be waiting.
        let allowance = SOCKETIO_POLLED_MAX;
        Member { socket, is_new: true, owed: BTreeSet::new(), allowance }
    }

    /// Sends what it is owed, as far as that may be now; `false` where it is gone.
    fn pay(&mut self, view: &View, tally: &Tally) -> bool {
        if std::mem::take(&mut self.is_new) {
            self.owed.extend(view.things());
        }
        while self.allowance > 0
            && let Some(thing) = self.owed.first().copied()
        {
            match view.emit(thing, &self.socket) {
                Ok(()) => drop(tally.sent.inc()),
                // It is told when there is place again, and given up where it answers no ping.
                Err(SendError::Socket(SocketError::InternalChannelFull)) => return true,
                Err(_) => return false,
            }
            self.owed.pop_first();
            self.allowance -= 1;
        }
        true
    }
}
