//! Judging: whose answers count, what failures are believed, and strikes.

use super::audit::{Failures, Wrong};
use super::claims::{Claim, Cost, Kind};
use super::intervals::count;
use super::job::Attempts;
use super::lease::Lease;
use super::worker::Worker;
use super::{Accepted, By, Mode, Refusal, RefusalReason, Scheduler, Skills};
use std::ops::Range;
use std::time::Duration;
use tequio_protocol::check::Check;
use tequio_protocol::ids::{JobId, LeaseId, WorkerId};
use tequio_protocol::limits::{STRIKES_MAX, TASK_ERROR_CHARS_MAX};
use tequio_protocol::op::{Audits, Op};
use tequio_protocol::outcome::{Outcome, Outcomes};
use tequio_protocol::text::printable;

/// What comes of it where the last attempt at a block has failed as well.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum LastFailure {
    /// The server computes the block again, on threads of its own.
    Audited,
    /// The block has no outcome.
    Believed,
    /// It was one too many to be audited now.
    TriedAgain,
}

impl Scheduler {
    /// A worker says that it could not compute the block that begins with the task `first`, at its lease's
    /// front. Where the server can, its outcomes are recorded, and the failure is held against a worker that
    /// should have been able to. Else others try: an error is the outcome after `TASK_ATTEMPTS_MAX` attempts,
    /// of several workers and addresses where there are any.
    pub fn failed(
        &mut self,
        worker: WorkerId,
        lease: LeaseId,
        first: u64,
        error: &str,
        now: Duration,
    ) -> Result<Accepted, Refusal> {
        let held = self.find_block(worker, lease, first)?;
        self.mark_alive(worker);
        let job_id = held.job;
        let duplicate = Accepted { duplicates: 1, ..Accepted::default() };
        let Some(job) = self.jobs.get_mut(&job_id) else {
            self.advance(worker, lease, first + 1, now);
            return Ok(duplicate);
        };
        let block = job.block(first);
        // Somebody was faster, with outcomes that are settled or wait for a verdict.
        let (skill, is_duplicate) = (job.skill, job.open_in(&block).is_empty());
        let Some(front) = self.leases.get(&lease).map(|lease| lease.rest.start) else {
            let is_late = self.workers.get(&worker).is_some_and(|it| it.late.contains(&lease));
            // Of a lease that is over, what comes behind it may still count.
            self.advance(worker, lease, block.end, now);
            if is_late && !is_duplicate {
                return Ok(self.failed_late(worker, lease, &held, &block, error, now));
            }
            return Ok(duplicate);
        };
        if front != first {
            return Ok(duplicate);
        }
        if is_duplicate {
            self.advance(worker, lease, block.end, now);
            return Ok(Accepted { job: Some(job_id), ..duplicate });
        }
        let refuted = self.failures.refute(job, held.inputs.as_ref(), &block);
        if let Some(ours) = refuted.as_ref().filter(|ours| ours.failed() == 0)
            && self.has_failed_too_often(worker, skill)
        {
            let result = ours.get(0).show();
            let reason = RefusalReason::Refuted { lease, index: first, result };
            return Err(self.send_away(worker, reason, now));
        }
        let outcomes = match refuted {
            Some(ours) => Some((ours, By::Server)),
            None => self.add_attempt(job_id, worker, &block, error).map(|it| (it, By::Worker)),
        };
        let outcomes = match outcomes {
            Some((errors, By::Worker)) => match self.last_failure_of(job_id) {
                LastFailure::Audited => {
                    return Ok(self.claim_failure(worker, lease, &held, errors, first, now));
                }
                LastFailure::Believed => {
                    self.may_fail(job_id, &block).then_some((errors, By::Worker))
                }
                LastFailure::TriedAgain => {
                    self.forget_attempt(job_id, first);
                    None
                }
            },
            outcomes => outcomes,
        };
        let accepted = match outcomes {
            Some((outcomes, by)) => {
                let accepted = self.settle_failed(job_id, &block, outcomes, by);
                self.advance(worker, lease, block.end, now);
                self.revoke_settled(job_id, held.original);
                accepted
            }
            None => {
                self.advance(worker, lease, block.end, now);
                self.back_to_pending(job_id, held.original, block);
                Accepted { job: Some(job_id), ..Accepted::default() }
            }
        };
        self.refresh_job(job_id);
        Ok(accepted)
    }

    /// A block has failed that its worker was to answer long ago. That is an attempt as well: of a task that never ends
    /// each lease is over, or taken over, before its worker gives up.
    fn failed_late(
        &mut self,
        worker: WorkerId,
        lease: LeaseId,
        held: &Lease,
        block: &Range<u64>,
        error: &str,
        now: Duration,
    ) -> Accepted {
        let id = held.job;
        let mut accepted = Accepted { job: Some(id), ..Accepted::default() };
        let Some(job) = self.jobs.get(&id) else { return accepted };
        if job.attempts.get(&block.start).is_some_and(|tried| tried.has(worker)) {
            return accepted;
        }
        let refuted = self.failures.refute(job, held.inputs.as_ref(), block);
        let outcomes = match refuted {
            Some(ours) => Some((ours, By::Server)),
            None => self.add_attempt(id, worker, block, error).map(|it| (it, By::Worker)),
        };
        let outcomes = match outcomes {
            Some((errors, By::Worker)) => match self.last_failure_of(id) {
                LastFailure::Audited if held.inputs.is_some() => {
                    return self.claim_failure(worker, lease, held, errors, block.start, now);
                }
                LastFailure::TriedAgain => {
                    self.forget_attempt(id, block.start);
                    None
                }
                _ => self.may_fail(id, block).then_some((errors, By::Worker)),
            },
            outcomes => outcomes,
        };
        match outcomes {
            Some((outcomes, by)) => {
                accepted = self.settle_failed(id, block, outcomes, by);
                self.revoke_all_settled(id);
            }
            _ => {
                if let Some(job) = self.jobs.get_mut(&id)
                    && (job.pending.contains(block.start) || job.seconds.contains(block.start))
                {
                    job.retry_later(block.start);
                }
            }
        }
        self.refresh_job(id);
        accepted
    }

    /// Whether attempts that failed make an error the outcome of a block: not where somebody has come to something else, which
    /// only the server can refute. It waits for somebody else then.
    pub(super) fn may_fail(&self, job: JobId, block: &Range<u64>) -> bool {
        self.jobs.get(&job).is_none_or(|job| !job.is_voted(block))
    }

    /// What a last failure of this job leads to.
    fn last_failure_of(&self, job: JobId) -> LastFailure {
        let Some(spec) = self.jobs.get(&job).map(|job| &job.spec) else {
            return LastFailure::Believed;
        };
        let is_slow = spec.op.audits() == Audits::OnThreads && spec.check != Check::None;
        match self.failures {
            Failures::Judged if is_slow && !self.claims.is_full() => LastFailure::Audited,
            // Nothing of such a job is believed for want of room.
            Failures::Judged if is_slow && spec.check == Check::All => LastFailure::TriedAgain,
            _ => LastFailure::Believed,
        }
    }

    /// The last attempt at a block is none: another one will be the last.
    fn forget_attempt(&mut self, job: JobId, first: u64) {
        let attempts = self.jobs.get_mut(&job).and_then(|job| job.attempts.get_mut(&first));
        attempts.into_iter().for_each(Attempts::forget_last);
    }

    /// The last attempt at a block has failed: whether it has no outcome is for the server to find out.
    fn claim_failure(
        &mut self,
        worker: WorkerId,
        lease: LeaseId,
        held: &Lease,
        errors: Outcomes,
        first: u64,
        now: Duration,
    ) -> Accepted {
        let block = first..first + errors.len();
        let (Some(inputs), Some(by)) = (held.inputs.clone(), self.workers.get(&worker)) else {
            return Accepted::default();
        };
        let tasks = errors.len();
        let task_s = self.jobs.get(&held.job).and_then(|job| job.task_s).unwrap_or(0.0);
        let claim = Claim {
            worker,
            lease,
            origin: by.origin,
            mode: by.mode,
            inputs,
            held: held.clone(),
            first,
            outcomes: errors,
            fresh: vec![block.clone()],
            runs: vec![block],
            kind: Kind::Failure,
            is_late: false,
            expected_s: task_s * tasks as f64,
            cost: Cost::Budget,
            is_doubted: false,
            once: None,
        };
        self.budget.take(claim.expected_s);
        self.claim(claim, now)
    }

    /// Counts a failure that the server has refuted, and says whether that is one too many. A plain client does
    /// not say what it can compute: one that fails what it never did is not lent that any more.
    pub(super) fn has_failed_too_often(&mut self, id: WorkerId, skill: Skills) -> bool {
        let Some(worker) = self.workers.get_mut(&id) else { return false };
        if worker.mode == Mode::Plain && !worker.shown.has_some_of(skill) {
            let others = worker.skills.without(skill);
            self.set_skills(id, others);
            return false;
        }
        worker.memory.credit.add_refuted()
    }

    /// One more has not computed a block. Gives its outcomes, if that was the last attempt.
    fn add_attempt(
        &mut self,
        job: JobId,
        worker: WorkerId,
        block: &Range<u64>,
        error: &str,
    ) -> Option<Outcomes> {
        let origin = self.workers.get(&worker)?.origin;
        let is_last = self.jobs.get_mut(&job)?.add_attempt(block.start, worker, origin);
        let error = printable(error, TASK_ERROR_CHARS_MAX);
        is_last.then(|| block.clone().map(|_| Outcome::Error(error.as_str())).collect())
    }

    /// A worker in plain mode will not answer the one task of its lease, present or past, and did not
    /// say why. That is an attempt where it leaves the task to nobody: of several that go home with
    /// copies of one task, late ones too, only the last one's is. After the last attempt the server
    /// computes the task itself, where it can.
    pub fn abandoned(
        &mut self,
        worker: WorkerId,
        lease: LeaseId,
        index: u64,
        error: &str,
    ) -> Accepted {
        self.give_back(lease);
        self.forget_late(worker, lease);
        let past = self.workers.get(&worker).and_then(|worker| worker.memory.past(lease));
        let Some(past) = past else { return Accepted::default() };
        let (id, inputs) = (past.job, past.inputs().cloned());
        let Some(job) = self.jobs.get(&id) else { return Accepted::default() };
        let is_pending = job.pending.contains(index) || job.seconds.contains(index);
        if !is_pending && !job.retry.contains(&index) || self.is_somebody_late_with(id, index) {
            // Others have it, or it is settled.
            return Accepted::default();
        }
        let block = job.block(index);
        let mut accepted = Accepted { job: Some(id), ..Accepted::default() };
        if let Some(errors) = self.add_attempt(id, worker, &block, error) {
            let refuted = self
                .jobs
                .get(&id)
                .and_then(|job| self.failures.refute(job, inputs.as_ref(), &block));
            match refuted {
                Some(ours) => accepted = self.settle_failed(id, &block, ours, By::Server),
                None if self.may_fail(id, &block) => {
                    accepted = self.settle_failed(id, &block, errors, By::Worker);
                }
                None => {
                    if let Some(job) = self.jobs.get_mut(&id).filter(|_| is_pending) {
                        job.retry_later(index);
                    }
                }
            }
        } else if let Some(job) = self.jobs.get_mut(&id).filter(|_| is_pending) {
            job.retry_later(index);
        }
        self.refresh_job(id);
        accepted
    }

    /// Whether a plain client may still answer a task. That looks at all workers.
    fn is_somebody_late_with(&self, job: JobId, index: u64) -> bool {
        let is_late = |worker: &Worker| worker.is_late_with(job, &(index..index + 1));
        self.workers.values().any(|worker| worker.mode == Mode::Plain && is_late(worker))
    }

    /// As [`Scheduler::find`], where an answer is about the block that begins with the task `first`.
    fn find_block(&mut self, worker: WorkerId, id: LeaseId, first: u64) -> Result<Lease, Refusal> {
        let job = self.find(worker, id, None)?.job;
        let block = match self.jobs.get(&job) {
            Some(job) if first < job.spec.total => job.block(first),
            _ => first..first.saturating_add(1),
        };
        self.find(worker, id, Some(&block))
    }

    /// The worker's own copy of a lease of its, present or past; where an answer is about `range`,
    /// only if that is not empty, lies within the lease, is of whole blocks and leaves nothing out at its
    /// front.
    pub(super) fn find(
        &mut self,
        worker_id: WorkerId,
        id: LeaseId,
        range: Option<&Range<u64>>,
    ) -> Result<Lease, Refusal> {
        let out = self.leases.get(&id).filter(|lease| lease.worker == worker_id).cloned();
        let memory = self.workers.get(&worker_id).map(|worker| &worker.memory);
        let past = || memory?.lease(id, worker_id);
        // Numbers can be guessed: before it is sent, a lease cannot be checked.
        let Some(lease) = out.or_else(past).filter(|lease| lease.is_sent) else {
            let reason = RefusalReason::UnknownLease(id);
            let before = self.first_lease..memory.map_or(LeaseId(0), |memory| memory.lost_before);
            if before.contains(&id) {
                // It may have been its own, on a connection that it lost.
                return Err(Refusal { reason, is_turned_away: false, saved: Accepted::default() });
            }
            return Err(self.strike(worker_id, reason));
        };
        if let Some(range) = range {
            // What a lost connection took with it is missing at the front.
            let is_lost = memory.is_some_and(|memory| memory.is_lost(id));
            let is_gap = lease.leaves_out(range) && !is_lost;
            let are_blocks = self.jobs.get(&lease.job).is_none_or(|job| job.are_blocks(range));
            if is_gap || !lease.has_had(range) || !are_blocks {
                let reason = RefusalReason::OutOfShape {
                    lease: id,
                    front: lease.rest.start,
                    end: lease.whole.end,
                    first: range.start,
                    last: range.end,
                };
                return Err(self.strike(worker_id, reason));
            }
        }
        Ok(lease)
    }

    /// A result of a message is wrong: of that message only what was found right counts.
    pub(super) fn refuse_results(
        &mut self,
        claim: &Claim,
        op: &'static dyn Op,
        block: u64,
        wrong: Wrong,
        now: Duration,
    ) -> Refusal {
        let outcomes = |run: &Range<u64>| claim.beside(op, block).outcomes_of(run);
        let audited = wrong.right.iter().map(count).sum::<u64>() as u32;
        let saved = self.settle(claim.held.job, &claim.range(), wrong.right, outcomes);
        let refusal = self.wrong(claim.worker, claim.lease, wrong.index, wrong.got, now);
        self.revoke_done(claim.held.job, &claim.held, claim.is_late);
        Refusal { saved: Accepted { duplicates: 0, audited, ..saved }, ..refusal }
    }

    /// A wrong result: the lease goes back whole. In lease mode, where bits are everybody's, that is
    /// enough to be turned away; in plain mode the worker has a strike.
    fn wrong(
        &mut self,
        id: WorkerId,
        lease: LeaseId,
        index: u64,
        got: String,
        now: Duration,
    ) -> Refusal {
        let reason = RefusalReason::Wrong { lease, index, got };
        self.mark_alive(id);
        if self.workers.get(&id).is_some_and(|worker| worker.mode == Mode::Lease) {
            return self.send_away(id, reason, now);
        }
        self.give_back(lease);
        if let Some(worker) = self.workers.get_mut(&id)
            && let Some(past) = worker.memory.past_mut(lease)
        {
            past.refuse();
        }
        // What is left of it need not be computed.
        self.forget_late(id, lease);
        self.revoked.push((id, lease));
        self.strike(id, reason)
    }

    /// A worker is not believed any more, nor the next one at its address at once.
    pub(super) fn send_away(
        &mut self,
        id: WorkerId,
        reason: RefusalReason,
        now: Duration,
    ) -> Refusal {
        if let Some(worker) = self.workers.get(&id) {
            self.suspects.add(worker.origin, now);
        }
        self.forget_votes_of(id);
        self.remove_worker(id);
        Refusal { reason, is_turned_away: true, saved: Accepted::default() }
    }

    /// Counts something that an honest worker does not do, and lets the worker go the third time.
    fn strike(&mut self, id: WorkerId, reason: RefusalReason) -> Refusal {
        let is_turned_away = self.add_strike(id);
        Refusal { reason, is_turned_away, saved: Accepted::default() }
    }

    /// Counts a strike that the caller saw, and says whether the worker is turned away for it.
    pub fn add_strike(&mut self, id: WorkerId) -> bool {
        let Some(worker) = self.workers.get_mut(&id) else { return false };
        worker.memory.strikes += 1;
        let is_turned_away = worker.memory.strikes >= STRIKES_MAX;
        if is_turned_away {
            self.forget_votes_of(id);
            self.remove_worker(id);
        }
        is_turned_away
    }
}
