//! What a person asks for: to work, with how much, and to stop.

use super::{Action, ConnectionState, Start, Will, Worker};
use crate::pace::Share;
use std::time::Duration;
use tequio_protocol::limits::SLOTS_MAX;
use tequio_protocol::message::WorkerMessage;
use tequio_protocol::page::{Allowance, ToPage};

impl Worker {
    pub(super) fn start(&mut self, start: Start, now: Duration, actions: &mut Vec<Action>) {
        if self.connection == ConnectionState::Broken {
            return;
        }
        let Start { worker, tab, allowance } = start;
        self.name = worker;
        if let Some(tab) = tab {
            self.tabs.join(&tab, now, actions);
        }
        self.will = Will::Working;
        self.work.go_on_after_all();
        self.told = None;
        self.allow(allowance, now, actions);
        if matches!(self.connection, ConnectionState::Idle | ConnectionState::Ended) {
            self.connect_soon(now, actions);
        }
    }

    pub(super) fn allow(&mut self, allowance: Allowance, now: Duration, actions: &mut Vec<Action>) {
        self.allowance = allowance;
        self.work.set_share(Share::from_percent(allowance.share_percent));
        self.share_out(now, actions);
    }

    /// Gives this tab its part of the cores.
    pub(super) fn share_out(&mut self, now: Duration, actions: &mut Vec<Action>) {
        if self.will != Will::Working {
            return;
        }
        let slots = match self.name {
            Some(_) => self.tabs.part_of(self.allowance.cores.clamp(1, SLOTS_MAX)),
            // One task at a time is all that plain mode knows.
            None => 1,
        };
        if slots != self.work.lent() {
            self.work.set_slots(slots, now, actions);
        }
        self.tell_slots(actions);
        let told = (slots, self.tabs.count());
        if self.told != Some(told) {
            self.told = Some(told);
            actions.push(Action::Tell(ToPage::Lent { slots: told.0, tabs: told.1 }));
        }
    }

    /// Slots that the server is to lend for.
    pub(super) fn slots_offered(&self) -> u32 {
        if self.will == Will::Working { self.work.lent() } else { 0 }
    }

    pub(super) fn tell_slots(&mut self, actions: &mut Vec<Action>) {
        let offered = self.slots_offered();
        if let ConnectionState::Open { slots: Some(known), .. } = &mut self.connection
            && *known != offered
        {
            *known = offered;
            actions.push(Action::Send(WorkerMessage::Slots { n: offered }.write()));
        }
    }

    /// Takes nothing more on.
    pub(super) fn wind_up(&mut self, actions: &mut Vec<Action>) {
        if self.will == Will::Stopped || self.connection == ConnectionState::Broken {
            return;
        }
        self.will = Will::Stopping;
        self.tell_slots(actions);
        if !matches!(self.connection, ConnectionState::Open { .. }) {
            // Nobody is there to take what is left.
            self.stop(actions);
        }
    }

    pub(super) fn stop(&mut self, actions: &mut Vec<Action>) {
        self.will = Will::Stopped;
        self.work.clear(actions);
        self.tabs.leave(actions);
        self.session = None;
        if !matches!(self.connection, ConnectionState::Idle | ConnectionState::Ended) {
            actions.push(Action::Disconnect);
        }
        self.connection = ConnectionState::Idle;
        actions.push(Action::Tell(ToPage::Paused));
    }
}
