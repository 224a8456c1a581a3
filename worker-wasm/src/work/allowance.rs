//! What a person lends: how many slots, and how much of each; and the end of that.

use super::Work;
use super::replies::release;
use super::slot::{Fate, Item, Slot, State};
use crate::pace::Share;
use crate::worker::Action;
use std::time::Duration;
use tequio_protocol::limits::STOP_GRACE;

impl Work {
    pub(crate) fn set_share(&mut self, share: Share) {
        self.share = share;
    }

    pub(crate) fn set_unsent(&mut self, bytes: usize) {
        self.unsent = bytes;
    }

    /// A slot's results have cost so much more.
    pub(crate) fn add_cost(&mut self, slot: usize, cost: Duration) {
        let Some(slot) = self.slots.get_mut(slot) else { return };
        if let State::Resting { until, .. } = &mut slot.state {
            *until += slot.pace.add(cost, self.share);
        }
    }

    /// Has `count` slots from now on. What others have begun they end; what waits and is too much
    /// for those left is given back.
    pub(crate) fn set_slots(&mut self, count: u32, now: Duration, actions: &mut Vec<Action>) {
        self.lent = count as usize;
        self.lent_max = self.lent_max.max(self.lent);
        while self.slots.len() < self.lent {
            self.slots.push(Slot::default());
        }
        for slot in self.lent..self.slots.len() {
            if !matches!(self.slots[slot].state, State::Running(_)) {
                self.close(slot, actions);
            }
        }
        self.trim();
        while self.held().count() > self.leases_max()
            && let Some(at) = self.waiting.iter().rposition(|item| matches!(item, Item::Lease(_)))
            && let Some(Item::Lease(held)) = self.waiting.remove(at)
        {
            release(held.lease.lease, actions);
        }
        self.fill_slots(now, actions);
    }

    /// Takes nothing more on: what is not begun is given back, and what is begun ends with its
    /// piece.
    pub(crate) fn drain(&mut self, actions: &mut Vec<Action>) {
        for item in std::mem::take(&mut self.waiting) {
            if let Item::Lease(held) = item {
                release(held.lease.lease, actions);
            }
        }
        for slot in &mut self.slots {
            match &mut slot.state {
                State::Running(running) if running.fate == Fate::GoesOn => {
                    running.fate = Fate::Last;
                }
                State::Resting { held, .. } => {
                    if let Some(held) = held.take() {
                        release(held.lease.lease, actions);
                    }
                }
                State::Running(_) | State::Idle => {}
            }
        }
    }

    /// Goes on with what was to be given back, where it is still here.
    pub(crate) fn go_on_after_all(&mut self) {
        for running in self.running_mut().filter(|running| running.fate == Fate::Last) {
            running.fate = Fate::GoesOn;
            running.end_at = running.began + running.time_max();
        }
    }

    /// Lets no piece go on for long.
    pub(crate) fn hurry(&mut self, now: Duration) {
        for running in self.running_mut() {
            running.end_at = running.end_at.min(now + STOP_GRACE);
        }
    }

    /// Ends everything in the middle, for good.
    pub(crate) fn clear(&mut self, actions: &mut Vec<Action>) {
        self.waiting.clear();
        self.sent.clear();
        actions.extend((0..self.slots.len()).map(|slot| Action::Reset { slot }));
        self.slots.clear();
        (self.lent, self.lent_max) = (0, 0);
    }
}
