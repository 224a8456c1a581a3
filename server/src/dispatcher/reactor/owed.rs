//! What plain clients owe: each holds one task, and says nothing until it has computed it. One that
//! goes without an answer counts as an attempt at its task, or a program that ends at a task would be
//! sent it for ever.

use super::complaints::complain;
use super::{Effect, Now, Reactor};
use crate::connection::Close;
use std::collections::BTreeSet;
use std::time::Duration;
use tequio_protocol::ids::WorkerId;
use tequio_protocol::limits::PLAIN_SILENCE_MAX;
use tequio_protocol::live::HowEnded;
use tequio_protocol::message::close_code;
use tequio_scheduler::Accepted;
use tracing::warn;

/// When to look next whether a client still owes what it owed.
#[derive(Debug, Default)]
pub(super) struct Looks {
    /// At most one look for each client, whatever the number of its tasks.
    at: BTreeSet<(Duration, WorkerId)>,
}

impl Looks {
    pub(super) fn next(&self) -> Option<Duration> {
        self.at.first().map(|(at, _)| *at)
    }

    fn take_due(&mut self, now: Duration) -> Option<WorkerId> {
        let (at, _) = self.at.first()?;
        if *at > now {
            return None;
        }
        self.at.pop_first().map(|(_, id)| id)
    }
}

impl Reactor {
    /// A plain client was sent a task of a job.
    pub(super) fn watch_owed(&mut self, id: WorkerId, now: Duration) {
        let Some(worker) = self.workers.get_mut(&id) else { return };
        let Some(held) = worker.held.as_mut().filter(|held| held.lease.is_some()) else { return };
        held.until = now + PLAIN_SILENCE_MAX;
        if worker.look_at.is_none() {
            worker.look_at = Some(held.until);
            self.looks.at.insert((held.until, id));
        }
    }

    /// Lets go whoever has had a task for too long. One that answers its pings is stuck as well.
    pub(super) fn end_overdue(&mut self, now: Now) {
        while let Some(id) = self.looks.take_due(now.at) {
            let Some(worker) = self.workers.get_mut(&id) else { continue };
            worker.look_at = None;
            let Some(until) = worker.owed_until() else { continue };
            if until > now.at {
                worker.look_at = Some(until);
                self.looks.at.insert((until, id));
                continue;
            }
            let reason = format!("no result for {} s", PLAIN_SILENCE_MAX.as_secs());
            self.give_up_owed(id, &reason, now);
            // It is not lent anything more until it is gone.
            self.scheduler.remove_worker(id);
            self.effects.push(Effect::Close(id, Close { code: close_code::SILENT, reason }));
        }
    }

    /// A client is gone, and whatever is watched of it.
    pub(super) fn forget_owed(&mut self, id: WorkerId) {
        if let Some(at) = self.workers.get_mut(&id).and_then(|worker| worker.look_at.take()) {
            self.looks.at.remove(&(at, id));
        }
    }

    /// A plain client will not answer the task that it has: that was an attempt, unless others have it.
    pub(super) fn give_up_owed(&mut self, id: WorkerId, why: &str, now: Now) {
        let Some(worker) = self.workers.get_mut(&id).filter(|worker| !worker.is_in_lease_mode())
        else {
            return;
        };
        let Some((lease, index)) = worker.held.take().and_then(|held| held.lease) else { return };
        worker.errors += 1;
        let error = format!("its worker left without an answer: {why}");
        let accepted: Accepted = self.scheduler.abandoned(id, lease, index, &error);
        if !accepted.fresh.is_empty() {
            complain!(self.complaints, now.at, "[#{id}] left task {index}, as others did: {why}");
        }
        self.live.stream.ended(id, lease, HowEnded::Lost, now.at);
        self.follow_up(id, lease, Ok(accepted), None, now);
    }
}
