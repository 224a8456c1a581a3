//! What must always hold, for tests and the simulation.

use super::intervals::count;
use super::job::Job;
use super::{Inputs, Intervals, Scheduler, Skills};
use std::collections::BTreeSet;
use tequio_protocol::check::Check;
use tequio_protocol::ids::{JobId, LeaseId};
use tequio_protocol::limits::LEASE_COPIES_MAX;

/// Where a task is, see [the stages](super#the-stages-of-a-task-and-the-states-of-a-lease).
#[derive(Clone, Copy, Debug)]
enum Stage {
    Pending,
    Leased,
    Claimed,
    Settled,
}

impl Scheduler {
    /// Checks what must always hold: every task is in exactly one stage; nothing is out in more than
    /// the allowed copies, nor twice to one worker. For tests, since it costs what is out.
    ///
    /// # Panics
    ///
    /// Where something does not hold.
    pub fn assert_consistent(&self) {
        for (id, job) in &self.jobs {
            job.copies.assert_consistent();
            job.holders.assert_counts(job.copies.leases().map(|id| self.leases[&id].worker));
            self.assert_in_one_stage(*id, job);
            job.votes.assert_consistent(&job.spec, &job.seconds);
            assert_eq!(job.votes.disputes.waiting(), self.claims.disputes_of(*id), "job {id}");
        }
        for (id, job) in &self.jobs {
            assert_eq!(job.spec.check == Check::Twice, self.voted.contains(id));
            let said = job.votes.bytes_by_said();
            assert_eq!(job.votes.counted().of_job(), said.values().sum::<usize>(), "job {id}");
        }
        let said = self.jobs.values().flat_map(|job| job.votes.bytes_by_said());
        assert_eq!(self.votes_bytes.get(), said.map(|(_, bytes)| bytes).sum::<usize>());
        self.leases.assert_consistent();
        self.workers.assert_consistent();
        for (id, lease) in self.leases.iter() {
            assert!(self.workers[&lease.worker].leases.contains(&id));
            assert!(self.deadlines.contains(&(lease.deadline, id)));
            assert!(self.jobs[&lease.job].copies.of(lease.original).contains(&id));
        }
        assert_eq!(self.deadlines.len(), self.leases.len());
        let tasks_out: u64 = self.leases.values().map(|lease| count(&lease.rest)).sum();
        assert_eq!(self.tasks_out, tasks_out);
        let inputs = self.leases.values().filter_map(|lease| lease.inputs.as_ref());
        assert_eq!(self.inputs_bytes, inputs.map(Inputs::bytes).sum::<usize>());
        for worker in self.workers.values() {
            assert!(worker.late.iter().all(|lease| worker.memory.past(*lease).is_some()));
            assert!(worker.leases.is_sorted());
            assert!(worker.cannot.is_empty() || worker.skills.has_some_of(Skills::kernels()));
            worker.memory.assert_consistent();
        }
        self.sessions.assert_consistent();
        self.claims.assert_consistent();
        let held: usize = self.workers.values().map(|worker| worker.leases.len()).sum();
        assert_eq!(held, self.leases.len());
        let able = self.workers.values().filter(|worker| worker.is_able).count();
        assert_eq!(able, self.able.workers());
        self.able.assert_consistent();
        self.assert_holding_consistent();
    }

    /// Checks that each task of a job is in exactly one stage.
    fn assert_in_one_stage(&self, id: JobId, job: &Job) {
        let stages = [
            (Stage::Pending, pending(job)),
            (Stage::Leased, self.leased(job)),
            (Stage::Claimed, job.claimed.clone()),
            (Stage::Settled, job.spec.settled.clone()),
        ];
        assert_eq!(job.claimed, self.claims.claimed_of(id), "job {id}");
        let mut all = Intervals::default();
        for (stage, tasks) in stages {
            for part in tasks.iter() {
                let is_only_there = all.insert(part.clone()) == count(&part);
                assert!(is_only_there, "job {id}: {part:?} is {stage:?} and in another stage");
            }
        }
        assert!(all.covers(&(0..job.spec.total)), "job {id}: a task is in no stage");
        assert_eq!(all.len(), job.spec.total, "job {id}: there are tasks behind its last");
    }

    /// The tasks that leases still have to answer, and that nobody has answered.
    fn leased(&self, job: &Job) -> Intervals {
        let mut leased = Intervals::default();
        for (original, group) in job.copies.iter() {
            assert!(!group.is_empty() && group.len() <= LEASE_COPIES_MAX + 1, "{original}");
            let holders: BTreeSet<_> = group.iter().map(|l| self.leases[l].worker).collect();
            assert_eq!(holders.len(), group.len(), "{original} is out twice to one worker");
            let rests = group.iter().map(|lease| self.leases[lease].rest.clone());
            for range in rests.collect::<Intervals>().iter() {
                for gap in job.open_in(&range) {
                    let is_new = leased.insert(gap.clone()) == count(&gap);
                    assert!(is_new, "copies of two leases overlap at {gap:?}");
                }
            }
        }
        leased
    }

    /// What must hold of what stalls and of what newcomers hold. For tests.
    fn assert_holding_consistent(&self) {
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

/// The tasks that nobody has, those that are to be retried among them.
fn pending(job: &Job) -> Intervals {
    let mut pending = job.pending.clone();
    for second in job.seconds.iter() {
        let is_new = pending.insert(second.clone()) == count(&second);
        assert!(is_new, "{second:?} is pending twice");
    }
    for first in &job.retry {
        let block = job.block(*first);
        assert_eq!(pending.insert(block.clone()), count(&block), "{block:?} is pending twice");
        assert!(job.attempts.contains_key(first));
    }
    pending
}
