//! What ends: leases that expire, are given back or revoked, and jobs and workers that leave.

use super::intervals::count;
use super::lease::Lease;
use super::past::Past;
use super::sessions::Kept;
use super::worker::Worker;
use super::{Expired, Inputs, Refusal, Scheduler, SessionId, Skills};
use std::ops::Range;
use std::time::Duration;
use tequio_protocol::ids::{JobId, LeaseId, WorkerId};
use tequio_protocol::limits::WORKER_KERNELS_CANNOT_MAX;

impl Scheduler {
    /// Forgets a job that is over, and revokes what is out of it.
    pub fn remove_job(&mut self, id: JobId) {
        let Some(job) = self.jobs.get_mut(&id) else { return };
        let out: Vec<LeaseId> = job.copies.leases().collect();
        for lease in out {
            self.revoke(lease);
        }
        if let Some(job) = self.jobs.remove(&id)
            && job.is_ready
        {
            self.ready.remove(job.skill, &job.place(id));
        }
        self.sessions.forget_job(id);
        self.claims.forget_job(id);
        self.voted.remove(&id);
        self.hold_or_free_audited();
        self.hold_or_free_voted();
        let mut late = Vec::new();
        for (worker_id, worker) in self.workers.iter_mut() {
            worker.memory.forget_job(id);
            let of_job = worker
                .late
                .iter()
                .filter(|lease| worker.memory.past(**lease).is_some_and(|past| past.job == id));
            late.extend(of_job.map(|lease| (worker_id, *lease)));
        }
        for (worker, lease) in late {
            self.forget_late(worker, lease);
            self.revoked.push((worker, lease));
        }
    }

    /// A worker is gone for good: what it held is pending again.
    pub fn remove_worker(&mut self, id: WorkerId) {
        self.detach_worker(id);
    }

    /// A worker is gone and may come back as `session`: what it held is pending again, and what is
    /// known of it is kept for a while.
    pub fn keep_worker(&mut self, id: WorkerId, session: SessionId, now: Duration) {
        if let Some(mut worker) = self.detach_worker(id) {
            worker.memory.lose(&self.jobs, self.next_lease);
            let Worker { origin, memory, .. } = worker;
            self.sessions.keep(Kept::new(session, id, origin, memory, now));
        }
    }

    fn detach_worker(&mut self, id: WorkerId) -> Option<Worker> {
        for lease in self.workers.get(&id)?.leases.clone() {
            self.give_back(lease);
        }
        self.leave_queues(id);
        let worker = self.workers.remove(&id)?;
        if let Some(until) = worker.rests_until {
            self.resting.remove(&(until, id));
        }
        Some(worker)
    }

    /// A worker gives back what it has not answered.
    pub fn release(&mut self, worker: WorkerId, lease: LeaseId) -> Result<(), Refusal> {
        self.find(worker, lease, None)?;
        self.mark_alive(worker);
        self.give_back(lease);
        self.forget_late(worker, lease);
        // It need not be remembered for its results: an honest worker sends none any more.
        if let Some(worker) = self.workers.get_mut(&worker)
            && let Some(past) = worker.memory.past_mut(lease)
        {
            past.close();
        }
        Ok(())
    }

    /// The worker gives a lease back as [`Scheduler::release`] does, and is lent nothing of its kernel any more: it cannot
    /// compute that. One that says so of too many is lent no kernels at all.
    ///
    /// # Errors
    ///
    /// Returns a refusal if the worker does not hold the lease.
    pub fn cannot(&mut self, id: WorkerId, lease: LeaseId) -> Result<(), Refusal> {
        let job = self.leases.get(&lease).and_then(|lease| self.jobs.get(&lease.job));
        let job = job.map(|job| (job.spec.op, job.kernel));
        self.release(id, lease)?;
        let (Some((op, kernel)), Some(worker)) = (job, self.workers.get(&id)) else {
            return Ok(());
        };
        match kernel {
            Some(kernel) if worker.cannot.contains(&kernel) => {}
            Some(kernel) if worker.cannot.len() < WORKER_KERNELS_CANNOT_MAX => {
                // Its queues and counts follow from that.
                self.leave_queues(id);
                if let Some(worker) = self.workers.get_mut(&id) {
                    worker.cannot.push(kernel);
                }
                self.refresh_worker(id);
            }
            _ => {
                let others = worker.skills.without(Skills::of_any_block(op));
                self.set_skills(id, others);
            }
        }
        Ok(())
    }

    /// A lease cannot be sent to its worker after all (its inputs cannot be read).
    pub fn withdraw(&mut self, lease: LeaseId) {
        self.give_back(lease);
    }

    /// When [`Scheduler::expire`] has something to do, if ever.
    pub fn next_timeout(&self) -> Option<Duration> {
        let deadline = self.deadlines.first().map(|(deadline, _)| *deadline);
        let kept = self.kept.first().map(|(due, _)| *due);
        let resting = self.resting.first().map(|(until, _)| *until);
        let all = [deadline, kept, resting, self.seconds_due, self.sessions.next_timeout()];
        all.into_iter().flatten().min()
    }

    /// Takes back every lease whose deadline has passed, and drops the sessions that were kept for
    /// long enough. What the worker of a lease still sends counts if nobody was faster.
    pub fn expire(&mut self, now: Duration) -> Vec<Expired> {
        self.sessions.expire(now);
        // Whoever asks for the next lease then looks again.
        self.seconds_due = self.seconds_due.filter(|due| *due > now);
        let mut expired = Vec::new();
        while let Some(&(deadline, id)) = self.deadlines.first()
            && deadline <= now
        {
            let lease = &self.leases[&id];
            let (job, worker_id) = (lease.job, lease.worker);
            expired.push(Expired { lease: id, job, worker: worker_id });
            let was_sent = lease.is_sent;
            if let Some(worker) = self.workers.get_mut(&worker_id)
                && was_sent
            {
                worker.miss(job);
            }
            self.give_back(id);
            if let Some(worker) = self.workers.get_mut(&worker_id)
                && was_sent
            {
                worker.late.insert(id);
                self.refresh_worker(worker_id);
            }
        }
        self.open_stalled(now);
        while let Some(&(until, id)) = self.resting.first()
            && until <= now
        {
            self.wake(id);
        }
        expired
    }

    /// Leases that were revoked since the last call, and whose worker is to be told.
    pub fn drain_revoked(&mut self) -> Vec<(WorkerId, LeaseId)> {
        std::mem::take(&mut self.revoked)
    }

    /// Ends a lease; what it had not answered is pending again, unless a copy covers it.
    pub(super) fn give_back(&mut self, id: LeaseId) {
        if let Some(lease) = self.end(id) {
            self.back_to_pending(lease.job, lease.original, lease.rest);
            self.refresh_job(lease.job);
        }
    }

    /// Moves a lease from those out to its worker's past.
    pub(super) fn end(&mut self, id: LeaseId) -> Option<Lease> {
        self.end_keeping(id);
        let lease = self.leases.remove(&id)?;
        if lease.is_newcomers {
            self.newcomers.remove(&id);
        }
        self.tasks_out -= count(&lease.rest);
        self.inputs_bytes -= lease.inputs.as_ref().map_or(0, Inputs::bytes);
        self.deadlines.remove(&(lease.deadline, id));
        if let Some(job) = self.jobs.get_mut(&lease.job) {
            job.copies.leave(lease.original, id);
            job.holders.leave(lease.worker);
        }
        if let Some(worker) = self.workers.get_mut(&lease.worker) {
            if let Ok(at) = worker.leases.binary_search(&id) {
                worker.leases.remove(at);
                worker.tasks_held -= count(&lease.rest);
            }
            let settled = self.jobs.get(&lease.job).map(|job| &job.spec.settled);
            let is_settled = settled.is_some_and(|settled| settled.covers(&lease.whole));
            let past = Past::new(id, &lease, is_settled, &self.late_inputs);
            worker.memory.remember(past, &worker.late);
            self.refresh_worker(lease.worker);
        }
        Some(lease)
    }

    pub(super) fn back_to_pending(&mut self, id: JobId, original: LeaseId, range: Range<u64>) {
        let Some(job) = self.jobs.get_mut(&id) else { return };
        let mut covered = job.spec.settled.clone_within(&range);
        job.claimed.clone_within(&range).iter().for_each(|claimed| {
            covered.insert(claimed);
        });
        for lease in job.copies.of(original) {
            covered.insert(self.leases[lease].rest.clone());
        }
        for gap in covered.missing_in(&range) {
            job.put_back(gap);
        }
    }

    /// An expired lease is not being computed any more.
    pub(super) fn forget_late(&mut self, id: WorkerId, lease: LeaseId) {
        if let Some(worker) = self.workers.get_mut(&id)
            && worker.late.remove(&lease)
        {
            self.refresh_worker(id);
        }
    }

    fn revoke(&mut self, id: LeaseId) {
        if let Some(lease) = self.end(id) {
            self.revoked.push((lease.worker, id));
        }
    }

    /// What an original and its copies hold is not waited for once it is settled.
    pub(super) fn revoke_settled(&mut self, job: JobId, original: LeaseId) {
        let Some(state) = self.jobs.get(&job) else { return };
        let group = state.copies.of(original).to_vec();
        self.revoke_those_settled(job, &group);
    }

    pub(super) fn revoke_all_settled(&mut self, job: JobId) {
        let Some(state) = self.jobs.get(&job) else { return };
        let out: Vec<LeaseId> = state.copies.leases().collect();
        self.revoke_those_settled(job, &out);
    }

    fn revoke_those_settled(&mut self, job: JobId, leases: &[LeaseId]) {
        let Some(state) = self.jobs.get(&job) else { return };
        let settled: Vec<LeaseId> = leases
            .iter()
            .filter(|lease| state.spec.settled.covers(&self.leases[lease].rest))
            .copied()
            .collect();
        for lease in settled {
            self.revoke(lease);
        }
    }
}
