//! What takes too long, rests, or is to be told of.

use super::slot::{Item, State};
use super::{Uplink, Work};
use crate::worker::Action;
use std::time::Duration;
use tequio_protocol::limits::PROGRESS_INTERVAL;
use tequio_protocol::message::WorkerMessage;

impl Work {
    /// When [`Work::timeout`] has something to do, if ever.
    pub(crate) fn next_timeout(&self) -> Option<Duration> {
        let of_slots = self.slots.iter().filter_map(|slot| match &slot.state {
            State::Running(running) => Some(running.end_at),
            State::Resting { until, .. } => Some(*until),
            State::Idle => None,
        });
        let reports = self.held().map(|held| held.reported_at + PROGRESS_INTERVAL);
        of_slots.chain(reports.filter(|_| self.uplink == Uplink::Open)).min()
    }

    /// Ends what takes too long, goes on after pauses, and says that leases go on of which nothing
    /// was sent for a while.
    pub(crate) fn timeout(&mut self, now: Duration, actions: &mut Vec<Action>) {
        for slot in 0..self.slots.len() {
            match &mut self.slots[slot].state {
                State::Running(running) if running.end_at <= now => {
                    let limit_s = (running.limit.as_secs_f64() * 10.0).round() / 10.0;
                    let reason = format!("it had not ended after {limit_s} s");
                    actions.push(Action::Reset { slot });
                    self.compute_failed(slot, &reason, now, actions);
                }
                State::Resting { until, held } if *until <= now => {
                    let held = held.take();
                    self.slots[slot].state = State::Idle;
                    self.rest_or_go_on(slot, now, held, now, actions);
                }
                State::Running(_) | State::Resting { .. } | State::Idle => {}
            }
        }
        if self.uplink == Uplink::Open {
            self.report_progress(now, actions);
        }
    }

    /// This worker was asleep, and its slots with it: their time counts from now.
    pub(crate) fn woke(&mut self, now: Duration) {
        for running in self.running_mut() {
            running.end_at = now + running.time_max();
        }
    }

    fn report_progress(&mut self, now: Duration, actions: &mut Vec<Action>) {
        let of_slots = self.slots.iter_mut().filter_map(|slot| match &mut slot.state {
            State::Running(running) if running.is_waited_for() => running.item.lease_mut(),
            State::Resting { held, .. } => held.as_mut(),
            State::Running(_) | State::Idle => None,
        });
        for held in of_slots.chain(self.waiting.iter_mut().filter_map(Item::lease_mut)) {
            if held.reported_at + PROGRESS_INTERVAL <= now {
                held.reported_at = now;
                let lease = held.lease.lease;
                actions.push(Action::Send(WorkerMessage::Progress { lease }.write()));
            }
        }
    }
}
