//! Workers that hold leases: one that says that it goes on, and answers nothing, keeps what it has only
//! for as long as nobody else has room for it.

use super::job::Job;
use super::past::Past;
use super::{Expired, Refusal, Scheduler};
use std::time::Duration;
use tequio_protocol::ids::{LeaseId, WorkerId};
use tequio_protocol::limits::{HOLD_MAX, IN_FLIGHT_TASKS_MAX, LEASES_OUT_MAX};

impl Scheduler {
    /// A worker has begun a lease, or goes on with it: its time counts from now.
    pub fn progress(
        &mut self,
        worker: WorkerId,
        lease: LeaseId,
        now: Duration,
    ) -> Result<(), Refusal> {
        let held = self.find(worker, lease, None)?;
        self.mark_alive(worker);
        self.keep(lease, now);
        let is_late = self.workers[&worker].late.contains(&lease);
        let is_settled = |job: &Job| job.spec.settled.covers(&held.rest);
        if is_late && self.jobs.get(&held.job).is_none_or(is_settled) {
            // Others were faster.
            let late = self.workers.get_mut(&worker).and_then(|it| it.memory.past_mut(lease));
            late.map(Past::forget_inputs);
            self.forget_late(worker, lease);
            self.revoked.push((worker, lease));
        }
        Ok(())
    }

    /// A worker says something by itself, which shows that it is not frozen.
    pub fn mark_alive(&mut self, id: WorkerId) {
        if let Some(worker) = self.workers.get_mut(&id)
            && worker.overdue > 0
        {
            worker.overdue = 0;
            self.refresh_worker(id);
        }
    }

    /// A worker says that it goes on with a lease, and nothing else of it. Beyond the time that it had
    /// for an answer that is only believed as long as nobody else has room for it.
    fn keep(&mut self, id: LeaseId, now: Duration) {
        let Some(due) = self.extend(id, now, HOLD_MAX) else { return };
        if let Some(lease) = self.leases.get_mut(&id)
            && lease.deadline > due
            && lease.kept_since.is_none()
        {
            lease.kept_since = Some(due);
            self.kept.insert((due, id));
        }
    }

    /// Something was answered of a lease, or it is over.
    pub(super) fn end_keeping(&mut self, id: LeaseId) {
        let lease = self.leases.get_mut(&id);
        if let Some(due) = lease.and_then(|lease| lease.kept_since.take()) {
            self.kept.remove(&(due, id));
            self.stalled.remove(&id);
        }
    }

    /// Counts the time of a lease from now, until `hold_max` after it was lent or last answered.
    /// Returns when its time would have been over if it was counted from then.
    pub(super) fn extend(
        &mut self,
        id: LeaseId,
        now: Duration,
        hold_max: Duration,
    ) -> Option<Duration> {
        let lease = self.leases.get(&id)?;
        let job = &self.jobs[&lease.job];
        let task_s = job.task_s_of(&self.workers[&lease.worker], lease.job).unwrap_or(0.0);
        let time = lease.time_left(task_s);
        let last = lease.answered_at.saturating_add(hold_max.max(time));
        let deadline = lease.deadline.max(now.saturating_add(time).min(last));
        let due = lease.answered_at.saturating_add(time);
        self.deadlines.remove(&(lease.deadline, id));
        self.deadlines.insert((deadline, id));
        if let Some(lease) = self.leases.get_mut(&id) {
            lease.deadline = deadline;
        }
        Some(due)
    }

    /// A worker has shown that it computes: its leases are as safe as anybody's.
    pub(super) fn clear_newcomer(&mut self, id: WorkerId) {
        let Some(worker) = self.workers.get(&id) else { return };
        for lease in worker.leases.clone() {
            self.newcomers.remove(&lease);
            if let Some(lease) = self.leases.get_mut(&lease) {
                lease.is_newcomers = false;
            }
        }
    }

    /// Leases of which nothing came in their time, though their workers say that they go on, are
    /// anybody's who has room; where there is no room, they are over.
    pub(super) fn open_stalled(&mut self, now: Duration) {
        while let Some(&(due, id)) = self.kept.first()
            && due <= now
        {
            self.kept.remove(&(due, id));
            self.stalled.insert(id);
        }
        while self.has_little_room()
            && let Some(id) = self.stalled.first().copied()
        {
            self.end_early(id);
        }
    }

    /// Whether what stalls is in the way of what others might do.
    fn has_little_room(&self) -> bool {
        self.tasks_out > IN_FLIGHT_TASKS_MAX / 2 || self.leases.len() > LEASES_OUT_MAX / 2
    }

    /// Ends a lease before its deadline.
    pub(super) fn end_early(&mut self, id: LeaseId) {
        let lease = &self.leases[&id];
        let (job, worker) = (lease.job, lease.worker);
        self.taken_over.push(Expired { lease: id, job, worker });
        self.give_back(id);
        if let Some(holder) = self.workers.get_mut(&worker) {
            // It said that it goes on: it need not show everything anew, but has less each time.
            holder.memory.credit.standing /= 2;
            holder.late.insert(id);
            self.refresh_worker(worker);
        }
    }

    /// Leases that ended before their deadlines since the last call: others compute what was in them.
    pub fn drain_taken_over(&mut self) -> Vec<Expired> {
        std::mem::take(&mut self.taken_over)
    }
}
