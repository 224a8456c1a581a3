//! What comes from the server.

use super::Work;
use super::replies::{About, notice, refuse, release};
use super::slot::{Held, Item, State};
use crate::worker::Action;
use std::time::Duration;
use tequio_protocol::ids::LeaseId;
use tequio_protocol::limits::{LEASES_PER_SLOT, PLAIN_TASKS_WAITING_MAX};
use tequio_protocol::message::{ErrorCode, Lease, Task};

impl Work {
    pub(crate) fn take_task(&mut self, task: Task, now: Duration, actions: &mut Vec<Action>) {
        if self.waiting.len() >= PLAIN_TASKS_WAITING_MAX {
            let message = format!("{PLAIN_TASKS_WAITING_MAX} tasks wait already");
            notice(actions, format!("Refused task {}: {message}", task.task_id));
            let about = About::Task(Some(task.task_id));
            return refuse(actions, ErrorCode::TooManyTasks, message, about);
        }
        self.waiting.push_back(Item::Task(task));
        self.fill_slots(now, actions);
    }

    pub(crate) fn take_lease(&mut self, lease: Lease, now: Duration, actions: &mut Vec<Action>) {
        let held = Held { next: lease.first, singly_until: lease.first, lease, reported_at: now };
        let count = self.held().count();
        let told_max = self.lent_max * LEASES_PER_SLOT as usize;
        if count >= told_max {
            let lease = held.lease.lease;
            let message = format!("{told_max} leases are here already");
            notice(actions, format!("Refused lease {lease}: {message}"));
            return refuse(actions, ErrorCode::TooManyLeases, message, About::Lease(Some(lease)));
        }
        if count >= self.leases_max() {
            // It was on its way while slots were taken away.
            return release(held.lease.lease, actions);
        }
        self.waiting.push_back(Item::Lease(held));
        self.fill_slots(now, actions);
    }

    /// Drops a lease, and soon ends what of it is being computed.
    pub(crate) fn revoke(&mut self, lease: LeaseId, now: Duration) {
        let is_it = |item: &Item| matches!(item, Item::Lease(held) if held.lease.lease == lease);
        self.waiting.retain(|item| !is_it(item));
        for slot in &mut self.slots {
            match &mut slot.state {
                State::Running(running) if is_it(&running.item) => running.drop_at(now),
                State::Resting { held, .. } => {
                    held.take_if(|held| held.lease.lease == lease);
                }
                State::Running(_) | State::Idle => {}
            }
        }
    }
}
