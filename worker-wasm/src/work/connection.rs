//! The connection: it is lost, and there is another.

use super::slot::{Fate, State};
use super::{Uplink, Work};
use crate::worker::Action;
use std::time::Duration;

impl Work {
    /// The connection is gone. What waited is the server's to give again. What is being computed
    /// goes on: in a session its results may still count.
    pub(crate) fn lost(&mut self, has_session: bool, now: Duration) {
        self.uplink = Uplink::OnHold;
        self.unsent = 0;
        self.waiting.clear();
        if !has_session {
            self.sent.clear();
        }
        for slot in &mut self.slots {
            match &mut slot.state {
                State::Running(running)
                    if has_session && running.is_waited_for() && running.item.lease().is_some() =>
                {
                    running.fate = Fate::Orphan;
                }
                State::Running(running) if has_session && running.fate == Fate::Orphan => {}
                State::Running(running) => running.drop_at(now),
                State::Resting { held, .. } => *held = None,
                State::Idle => {}
            }
        }
    }

    /// There is a connection again. Where the worker is in a session, nothing of the last one is
    /// sent before [`Work::resumed`].
    pub(crate) fn opened(&mut self, has_session: bool) {
        self.sent.restart();
        self.lent_max = self.lent;
        self.uplink = if has_session { Uplink::OnHold } else { Uplink::Open };
    }

    /// The server says whether the session goes on.
    pub(crate) fn resumed(&mut self, goes_on: bool, now: Duration, actions: &mut Vec<Action>) {
        if self.uplink == Uplink::Open {
            return;
        }
        self.uplink = Uplink::Open;
        if goes_on {
            let frames = self.sent.frames().map(|text| Action::Send(text.to_owned()));
            actions.extend(frames);
            return;
        }
        self.sent.clear();
        for running in self.running_mut().filter(|running| running.fate == Fate::Orphan) {
            running.drop_at(now);
        }
    }

    pub(crate) fn heartbeat(&mut self) {
        self.sent.heartbeat();
    }

    pub(crate) fn heartbeat_answered(&mut self) {
        self.sent.heartbeat_answered();
    }
}
