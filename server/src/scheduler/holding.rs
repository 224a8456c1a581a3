//! Workers that hold and do not compute: one that says that it goes on, and answers nothing, keeps what
//! it has only for as long as nobody else has room for it.

use super::intervals::count;
use super::lease::deadline_after;
use super::worker::Hunger;
use super::{Expired, Grant, Scheduler};
use std::collections::BTreeSet;
use std::time::Duration;
use tequio_protocol::ids::{LeaseId, WorkerId};
use tequio_protocol::limits::{GRANT_SCAN_MAX, HOLD_MAX, IN_FLIGHT_TASKS_MAX, LEASES_OUT_MAX};

impl Scheduler {
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
        let expected = deadline_after(count(&lease.rest) as f64 * task_s);
        let time = expected.saturating_mul(lease.patience);
        let last = lease.heard_at.saturating_add(hold_max.max(time));
        let deadline = lease.deadline.max(now.saturating_add(time).min(last));
        let due = lease.heard_at.saturating_add(time);
        self.deadlines.remove(&(lease.deadline, id));
        self.deadlines.insert((deadline, id));
        if let Some(lease) = self.leases.get_mut(&id) {
            lease.deadline = deadline;
        }
        Some(due)
    }

    /// A worker says that it goes on with a lease, and nothing else of it. Beyond the time that it had
    /// for an answer that is only believed as long as nobody else has room for it.
    pub(super) fn keep(&mut self, id: LeaseId, now: Duration) {
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
    pub(super) fn is_not_kept(&mut self, id: LeaseId) {
        let lease = self.leases.get_mut(&id);
        if let Some(due) = lease.and_then(|lease| lease.kept_since.take()) {
            self.kept.remove(&(due, id));
            self.stalled.remove(&id);
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
            self.take_from_holder(id);
        }
    }

    /// Whether what stalls is in the way of what others might do.
    fn has_little_room(&self) -> bool {
        self.tasks_out > IN_FLIGHT_TASKS_MAX / 2 || self.leases.len() > LEASES_OUT_MAX / 2
    }

    /// A worker has shown that it computes: its leases are as safe as anybody's.
    pub(super) fn no_newcomer_any_more(&mut self, id: WorkerId) {
        let Some(worker) = self.workers.get(&id) else { return };
        for lease in worker.leases.clone() {
            self.newcomers.remove(&lease);
            if let Some(lease) = self.leases.get_mut(&lease) {
                lease.is_newcomers = false;
            }
        }
    }

    /// When an idle worker finds nothing pending and nothing to copy, it takes over what stalls, or what
    /// is held by somebody who has shown nothing, if itself it has. That makes no more leases nor tasks
    /// than are out.
    pub fn grant_taken_over(&mut self, now: Duration) -> Option<Grant> {
        if self.stalled.is_empty() && self.newcomers.is_empty() {
            return None;
        }
        let is_handed_out = |id: &&LeaseId| !self.jobs[&self.leases[*id].job].spec.is_paused;
        let first = |of| BTreeSet::iter(of).filter(is_handed_out).take(GRANT_SCAN_MAX);
        let held: Vec<LeaseId> =
            first(&self.stalled).chain(first(&self.newcomers)).copied().collect();
        let idle: Vec<WorkerId> = self.idle().take(GRANT_SCAN_MAX).collect();
        let mut pairs =
            idle.iter().flat_map(|worker| held.iter().map(move |lease| (*worker, *lease)));
        let (worker, lease) = pairs.find(|(worker, lease)| self.may_take_over(*worker, *lease))?;
        self.take_over(worker, lease, now)
    }

    fn may_take_over(&self, worker_id: WorkerId, id: LeaseId) -> bool {
        let (worker, lease) = (&self.workers[&worker_id], &self.leases[&id]);
        let job = &self.jobs[&lease.job];
        let Some(front) = job.spec.settled.missing_in(&lease.rest).first().map(|gap| gap.start)
        else {
            return false;
        };
        let is_newcomers = !self.stalled.contains(&id);
        let is_member =
            job.families.members(lease.family).iter().any(|of| self.leases[of].worker == worker_id);
        let has_failed = job.attempts.get(&front).is_some_and(|tried| tried.has(worker_id));
        lease.is_sent
            && !(is_newcomers && worker.is_newcomer())
            && !(is_member || has_failed || worker.is_late_with(lease.job, &lease.rest))
    }

    /// Lends the front of a lease to somebody else. What its holder still answers counts if it is
    /// faster; until then that takes a place of its own.
    fn take_over(&mut self, worker_id: WorkerId, id: LeaseId, now: Duration) -> Option<Grant> {
        let lease = &self.leases[&id];
        let (job_id, family, rest) = (lease.job, lease.family, lease.rest.clone());
        self.take_from_holder(id);
        let worker = self.workers.get(&worker_id)?;
        let job = self.jobs.get_mut(&job_id)?;
        let gap = job.spec.settled.missing_in(&rest).into_iter().next()?;
        let size = job.size_for(worker, job_id, self.tasks_out);
        let range = gap.start..gap.end.min(gap.start + size);
        let (range, copy_of) = job.take_front_of(range, family);
        self.refresh_job(job_id);
        Some(self.lend(job_id, worker_id, range, copy_of, now))
    }

    /// Ends a lease before its deadline.
    fn take_from_holder(&mut self, id: LeaseId) {
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
    pub fn take_taken_over(&mut self) -> Vec<Expired> {
        std::mem::take(&mut self.taken_over)
    }

    /// Workers with an idle slot, those first that have shown something.
    pub(super) fn idle(&self) -> impl Iterator<Item = WorkerId> {
        let is_idle = |hunger: Hunger| matches!(hunger, Hunger::Idle | Hunger::IdleNewcomer);
        let idle = self.hungry.iter().take_while(move |(hunger, _, _)| is_idle(*hunger));
        idle.map(|(_, _, worker)| *worker)
    }

    /// What must hold of what stalls and of what newcomers hold. For tests.
    pub(super) fn assert_holding_consistent(&self) {
        for (id, lease) in self.leases.iter() {
            let is_waiting = lease.kept_since.is_some_and(|due| self.kept.contains(&(due, id)));
            assert!(!(is_waiting && self.stalled.contains(&id)));
            assert_eq!(
                lease.kept_since.is_some(),
                is_waiting || self.stalled.contains(&id),
                "{id}: {lease:?}"
            );
            assert_eq!(lease.is_newcomers, self.newcomers.contains(&id), "{id}: {lease:?}");
        }
        let is_out = |id: &LeaseId| self.leases.contains_key(id);
        assert!(self.kept.iter().all(|(_, id)| is_out(id)));
        assert!(self.stalled.iter().chain(&self.newcomers).all(is_out));
        for (id, worker) in self.workers.iter() {
            let held = worker.leases.iter().map(|lease| count(&self.leases[lease].rest));
            assert_eq!(worker.tasks_held, held.sum::<u64>(), "{id}");
        }
    }
}
