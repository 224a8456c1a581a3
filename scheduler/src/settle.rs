//! Settling: results that are accepted, and what follows for their leases and workers.

use super::audit::draw;
use super::claims::{Claim, Cost, Kind};
use super::intervals::count;
use super::lease::Lease;
use super::speeds::{TASK_S_MIN, blend};
use super::{Accepted, By, Mode, Refusal, Scheduler, Skills};
use std::ops::Range;
use std::time::Duration;
use tequio_protocol::check::Check;
use tequio_protocol::ids::{JobId, LeaseId, WorkerId};
use tequio_protocol::limits::{AUDIT_TASK_S_MIN, CLAIMS_HELD_BYTES_MAX};
use tequio_protocol::op::{Audits, Op};
use tequio_protocol::outcome::Outcomes;

impl Scheduler {
    /// Takes outcomes of a lease, from its front: whole blocks. `duration` is how long the worker says that
    /// it computed these.
    pub fn results(
        &mut self,
        worker: WorkerId,
        lease: LeaseId,
        first: u64,
        outcomes: Outcomes,
        duration: Option<Duration>,
        now: Duration,
    ) -> Result<Accepted, Refusal> {
        let range = first..first.saturating_add(outcomes.len());
        let mut held = self.find(worker, lease, Some(&range))?;
        let inputs = held.inputs.take().filter(|_| !held.is_refused);
        let known = (inputs, self.jobs.get(&held.job), self.workers.get(&worker));
        let (Some(inputs), Some(job), Some(by)) = known else {
            self.mark_alive(worker);
            self.advance(worker, lease, range.end, now);
            return Ok(Accepted { duplicates: count(&range), ..Accepted::default() });
        };
        let claim = Claim {
            worker,
            lease,
            origin: by.origin,
            mode: by.mode,
            inputs,
            first,
            outcomes,
            fresh: job.open_in(&range),
            runs: Vec::new(),
            held,
            kind: Kind::Outcomes,
            is_late: !self.leases.contains_key(&lease),
            expected_s: 0.0,
            cost: Cost::Budget,
            is_doubted: false,
            once: None,
        };
        self.judge_outcomes(claim, duration, now)
    }

    /// Judges outcomes on the spot, or has them wait for what takes longer.
    fn judge_outcomes(
        &mut self,
        mut claim: Claim,
        duration: Option<Duration>,
        now: Duration,
    ) -> Result<Accepted, Refusal> {
        let (op, block, check) = {
            let spec = &self.jobs[&claim.held.job].spec;
            (spec.op, spec.block, spec.check)
        };
        if let Some(wrong) = claim.beside(op, block).find_impossible(&claim.fresh) {
            return Err(self.refuse_results(&claim, op, block, wrong, now));
        }
        if check == Check::Twice && claim.mode == Mode::Lease {
            return self.vote(claim, duration, now);
        }
        self.choose_audits(&mut claim, op, block, check);
        match op.audits() {
            Audits::OnTheSpot => match claim.beside(op, block).judge(&claim.runs, &claim.fresh) {
                Err(wrong) => return Err(self.refuse_results(&claim, op, block, wrong, now)),
                // A plain client's bits are its browser's; ours are everybody's.
                Ok(ours) if claim.mode == Mode::Plain => {
                    let is_all = claim.runs == [claim.range()];
                    claim.outcomes =
                        if is_all { ours } else { claim.inputs.compute(op, &claim.range()) };
                }
                Ok(_) => {}
            },
            Audits::OnThreads if check == Check::All => {
                if self.is_out_of_room() {
                    return Ok(self.drop_claim(&claim, now));
                }
                claim.cost = Cost::Job;
                claim.expected_s = self.expected_s(&claim);
            }
            // What the budget has nothing left for is believed.
            Audits::OnThreads => self.cut_to_budget(&mut claim, now),
            Audits::Never => {}
        }
        self.mark_alive(claim.worker);
        if !claim.fresh.is_empty() {
            self.measure(&claim, duration, now);
        }
        if op.audits() == Audits::OnThreads && !claim.runs.is_empty() {
            return Ok(self.claim(claim, now));
        }
        let end = claim.range().end;
        let accepted = self.accept(&mut claim);
        self.advance(claim.worker, claim.lease, end, now);
        self.revoke_done_of(&claim, &accepted);
        Ok(accepted)
    }

    /// Which of what is new is computed again: all that a plain client has sent in any case, since its bits are its
    /// own language's.
    fn choose_audits(&mut self, claim: &mut Claim, op: &dyn Op, block: u64, check: Check) {
        if op.audits() == Audits::Never {
            return;
        }
        claim.runs = match check {
            Check::None if claim.mode == Mode::Lease => Vec::new(),
            Check::All => claim.fresh.clone(),
            Check::Auto | Check::None | Check::Twice => {
                let credit = self.workers[&claim.worker].memory.credit;
                draw(&mut self.random, credit, &claim.fresh, block, claim.mode)
            }
        };
    }

    /// How long it takes to compute what is drawn of a claim, about, in seconds.
    fn expected_s(&self, claim: &Claim) -> f64 {
        let task_s = self.jobs.get(&claim.held.job).and_then(|job| job.task_s);
        let tasks: u64 = claim.runs.iter().map(count).sum();
        task_s.unwrap_or(0.0).max(AUDIT_TASK_S_MIN) * tasks as f64
    }

    /// Whether so much of jobs that are audited whole waits to be judged that no more can.
    fn is_out_of_room(&self) -> bool {
        self.claims.unpaid_bytes() >= CLAIMS_HELD_BYTES_MAX
    }

    /// There is no room for what was sent, and it may not be believed: it is computed again.
    fn drop_claim(&mut self, claim: &Claim, now: Duration) -> Accepted {
        self.mark_alive(claim.worker);
        let (id, range) = (claim.held.job, claim.range());
        let front = self.leases.get(&claim.lease).map(|lease| lease.rest.start);
        self.advance(claim.worker, claim.lease, range.end, now);
        if let Some(front) = front {
            self.back_to_pending(id, claim.held.original, front.max(range.start)..range.end);
            self.refresh_job(id);
        }
        Accepted { job: Some(id), ..Accepted::default() }
    }

    /// Outcomes of a lease wait for their verdict, and the lease goes on behind them.
    pub(super) fn claim(&mut self, claim: Claim, now: Duration) -> Accepted {
        let (worker, lease, job, range) =
            (claim.worker, claim.lease, claim.held.job, claim.range());
        let duplicates = count(&range) - claim.fresh.iter().map(count).sum::<u64>();
        let claim = self.wait_for_audit(claim);
        self.advance(worker, lease, range.end, now);
        self.refresh_job(job);
        Accepted { job: Some(job), duplicates, claim: Some(claim), ..Accepted::default() }
    }

    /// What was claimed is believed: what of it is new is settled, and taken out of the claim.
    pub(super) fn accept(&mut self, claim: &mut Claim) -> Accepted {
        let id = claim.held.job;
        let Some(job) = self.jobs.get(&id) else { return Accepted::default() };
        let (skill, block) = (job.skill, job.spec.block);
        let fresh = std::mem::take(&mut claim.fresh);
        if !fresh.is_empty() {
            let audited = claim.runs.iter().map(|run| count(run).div_ceil(block)).sum();
            self.add_credit(claim.worker, skill, audited, fresh.iter().map(count).sum());
        }
        let (first, range) = (claim.first, claim.range());
        let audited = claim.runs.iter().map(count).sum::<u64>() as u32;
        let accepted = self.settle(id, &range, fresh, |run| {
            let place = |index: u64| (index - first) as usize;
            claim.outcomes.take(place(run.start)..place(run.end))
        });
        Accepted { audited, ..accepted }
    }

    /// Something of a lease was accepted, perhaps after it was over: others may hold it for nothing.
    pub(super) fn revoke_done_of(&mut self, claim: &Claim, accepted: &Accepted) {
        let is_late = claim.is_late && !accepted.fresh.is_empty();
        self.revoke_done(claim.held.job, &claim.held, is_late);
    }

    /// A worker has shown something, and may be lent more.
    pub(super) fn add_credit(&mut self, id: WorkerId, skill: Skills, audited: u64, accepted: u64) {
        let Some(worker) = self.workers.get_mut(&id) else { return };
        worker.shown = worker.shown.with(skill);
        let (was_newcomer, had_all) = (worker.is_newcomer(), worker.may_hold_all());
        worker.memory.credit.audited += audited;
        worker.memory.credit.add_accepted(accepted);
        if was_newcomer {
            self.clear_newcomer(id);
        }
        if !had_all {
            self.refresh_worker(id);
        }
    }

    pub(super) fn measure(&mut self, claim: &Claim, duration: Option<Duration>, now: Duration) {
        let (lease, tasks) = (&claim.held, count(&claim.range()));
        let elapsed = now.saturating_sub(lease.answered_at);
        // Nothing took longer than the lease was out, whatever a worker says.
        let held = now.saturating_sub(lease.lent_at);
        let duration = duration.unwrap_or(elapsed).min(held);
        let task_s = (duration.as_secs_f64() / tasks as f64).max(TASK_S_MIN);
        let Some(job) = self.jobs.get_mut(&lease.job) else { return };
        if job.kernel.is_some() {
            let blocks = tasks.div_ceil(job.spec.block);
            job.slowness.note(&claim.range(), blocks, duration.as_secs_f64());
        }
        job.task_s = Some(blend(job.task_s, task_s));
        let Some(worker) = self.workers.get_mut(&claim.worker) else { return };
        worker.memory.speeds.measure(lease.job, task_s, tasks);
    }

    /// Settles of `range` what is `fresh`, with its `outcomes`.
    pub(super) fn settle(
        &mut self,
        id: JobId,
        range: &Range<u64>,
        fresh: Vec<Range<u64>>,
        mut outcomes: impl FnMut(&Range<u64>) -> Outcomes,
    ) -> Accepted {
        let Some(job) = self.jobs.get_mut(&id) else {
            return Accepted { duplicates: count(range), ..Accepted::default() };
        };
        let fresh_count: u64 = fresh.iter().map(count).sum();
        let mut runs = Vec::with_capacity(fresh.len());
        for gap in fresh {
            job.settle(&gap);
            runs.push((gap.start, outcomes(&gap)));
        }
        if self.is_some_voted_held {
            self.hold_or_free_voted();
        }
        let duplicates = count(range) - fresh_count;
        let job = Some(id);
        Accepted { job, fresh: runs, audited: 0, duplicates, claim: None, by: By::Worker }
    }

    /// The outcomes of these tasks are lost, as far as they were settled: they are pending again, unless a lease
    /// that is out still has to answer them.
    pub fn unsettle(&mut self, id: JobId, tasks: &Range<u64>) {
        let Some(job) = self.jobs.get_mut(&id) else { return };
        let rest = |lease: LeaseId| self.leases[&lease].rest.clone();
        let leased = job.copies.leases().map(rest).collect();
        job.unsettle(tasks, &leased);
        self.refresh_job(id);
    }

    /// Settles a block that is not settled, and that a worker has failed.
    pub(super) fn settle_failed(
        &mut self,
        id: JobId,
        block: &Range<u64>,
        outcomes: Outcomes,
        by: By,
    ) -> Accepted {
        let whole = vec![block.clone()];
        let accepted = self.settle(id, block, whole, |_| outcomes.clone());
        let audited = if by == By::Server { count(block) as u32 } else { 0 };
        Accepted { by, audited, ..accepted }
    }

    /// The front of a lease has moved to `front`; at its end the lease is over.
    pub(super) fn advance(&mut self, worker_id: WorkerId, id: LeaseId, front: u64, now: Duration) {
        let Some(lease) = self.leases.get_mut(&id) else {
            if let Some(worker) = self.workers.get_mut(&worker_id)
                && let Some(past) = worker.memory.past_mut(id)
                && past.advance(front)
            {
                let job = self.jobs.get(&past.job);
                if job.is_none_or(|job| past.is_settled_in(&job.spec.settled)) {
                    past.forget_inputs();
                }
                self.forget_late(worker_id, id);
            }
            return;
        };
        if front <= lease.rest.start {
            // Sent before: it is no sign that the lease goes on.
            return;
        }
        let answered = front - lease.rest.start;
        self.tasks_out -= answered;
        lease.rest.start = front;
        lease.answered_at = now;
        let is_over = lease.rest.is_empty();
        if let Some(worker) = self.workers.get_mut(&worker_id) {
            worker.tasks_held -= answered;
        }
        if is_over {
            self.end(id);
        } else {
            self.end_keeping(id);
            self.extend(id, now, Duration::MAX);
            // It may have had all the tasks that it may hold.
            self.refresh_worker(worker_id);
        }
    }

    /// Something of a lease was settled, perhaps after it was over: others may hold it for nothing.
    pub(super) fn revoke_done(&mut self, job: JobId, lease: &Lease, is_late: bool) {
        if is_late {
            // Its tasks may have been lent anew, in any leases.
            self.revoke_all_settled(job);
        } else {
            self.revoke_settled(job, lease.original);
        }
        self.refresh_job(job);
    }
}
