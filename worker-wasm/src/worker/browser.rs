//! What the browser does to a worker: it is frozen, and thawed.

use super::{Action, ConnectionState, Will, Worker};
use std::time::Duration;

impl Worker {
    pub(super) fn suspend(&mut self, actions: &mut Vec<Action>) {
        match self.will {
            Will::Working => {
                self.will = Will::Suspended;
                self.tell_slots(actions);
                self.work.drain(actions);
                self.tabs.leave(actions);
            }
            Will::Stopping => self.stop(actions),
            Will::Stopped | Will::Suspended => {}
        }
    }

    pub(super) fn resume(&mut self, now: Duration, actions: &mut Vec<Action>) {
        if self.will == Will::Suspended {
            self.will = Will::Working;
            if !matches!(self.connection, ConnectionState::Ended | ConnectionState::Broken) {
                self.tabs.rejoin(now, actions);
            }
        }
        if self.will == Will::Working {
            self.reconnect(now, actions);
            self.share_out(now, actions);
        }
    }

    /// The clock has jumped: this worker was frozen, or the machine was asleep.
    pub(super) fn woke(&mut self, now: Duration, actions: &mut Vec<Action>) {
        self.work.woke(now);
        if self.will == Will::Working {
            self.reconnect(now, actions);
        }
    }

    /// The server may have given this worker up long ago without its having heard of that.
    fn reconnect(&mut self, now: Duration, actions: &mut Vec<Action>) {
        match self.connection {
            ConnectionState::Open { .. } | ConnectionState::Connecting { .. } => {
                self.work.lost(self.session.is_some(), now);
                actions.push(Action::Disconnect);
                self.connect_soon(now, actions);
            }
            ConnectionState::Waiting { .. } => self.connect_soon(now, actions),
            ConnectionState::Idle | ConnectionState::Ended | ConnectionState::Broken => {}
        }
    }
}
