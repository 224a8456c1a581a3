//! Claims that wait for a verdict: outcomes of ops that take long to compute again. Their tasks are
//! *claimed*: nobody is lent them, and nothing of them is recorded. Others compute what was drawn of them
//! (see [`Scheduler::drain_audits`]), and [`Scheduler::audited`] judges by that. They are kept in memory: a
//! crash loses them, and their tasks are pending again.

use super::audit::Claims;
use super::budget::Standing;
use super::intervals::count;
use super::lease::Lease;
use super::{Accepted, By, Inputs, Intervals, Mode, Origin, Refusal, RefusalReason, Scheduler};
use std::collections::BTreeMap;
use std::num::NonZeroU64;
use std::ops::Range;
use std::time::Duration;
use tequio_protocol::ids::{JobId, LeaseId, WorkerId};
use tequio_protocol::limits::{AUDIT_TASK_S_MIN, AUDITED_FIRST, CLAIMS_BYTES_MAX};
use tequio_protocol::op::{GaveUp, Op};
use tequio_protocol::outcome::Outcomes;
use tequio_protocol::ranges::push_joined;

/// Names a claim that waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClaimId(NonZeroU64);

/// What is to be computed again to judge a claim.
#[derive(Clone, Debug, PartialEq)]
pub struct Audit {
    /// The claim.
    pub claim: ClaimId,
    /// Of which job.
    pub job: JobId,
    /// What is computed.
    pub op: &'static dyn Op,
    /// Of what.
    pub inputs: Inputs,
    /// Which tasks: whole blocks.
    pub runs: Vec<Range<u64>>,
    /// Whether the budget counts it.
    pub cost: Cost,
    /// A result was found wrong, and this decides: by another engine than before, where there is one.
    pub is_doubted: bool,
}

impl Audit {
    /// What the server comes to: one list of outcomes for each of the runs.
    ///
    /// # Errors
    ///
    /// Returns why that could not be computed here: the verdict is unknown then.
    pub fn compute(&self) -> Result<Vec<Outcomes>, GaveUp> {
        let compute = |run| self.inputs.try_compute_runs(self.op, std::slice::from_ref(run));
        self.runs.iter().map(compute).collect()
    }
}

/// What an audit is paid from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cost {
    /// The budget of all jobs.
    Budget,
    /// Nothing: the job is to be audited whole. Others are computed first.
    Job,
}

/// Whose claim was judged, and what came of it.
#[derive(Debug)]
pub struct Judged {
    /// Who claimed; it may have left.
    pub worker: WorkerId,
    /// The lease that it was of.
    pub lease: LeaseId,
    /// As if the worker had said it now.
    pub judged: Result<Accepted, Refusal>,
}

/// The claims that wait.
#[derive(Debug)]
pub(super) struct Waiting {
    claims: BTreeMap<ClaimId, Claim>,
    next: NonZeroU64,
    /// What those hold that the budget pays for.
    paid_bytes: usize,
    /// What the others hold, of jobs that are audited whole, and how long they take to be judged, about, in seconds.
    unpaid_bytes: usize,
    unpaid_s: f64,
    /// Audits that nobody was asked for yet.
    audits: Vec<Audit>,
}

/// Outcomes of one message, and what is needed to judge and record them.
#[derive(Debug)]
pub(super) struct Claim {
    pub(super) worker: WorkerId,
    pub(super) lease: LeaseId,
    pub(super) held: Lease,
    pub(super) inputs: Inputs,
    pub(super) origin: Origin,
    pub(super) mode: Mode,
    pub(super) first: u64,
    pub(super) outcomes: Outcomes,
    /// What of it is claimed.
    pub(super) fresh: Vec<Range<u64>>,
    /// What of that is audited.
    pub(super) runs: Vec<Range<u64>>,
    pub(super) kind: Kind,
    /// Whether its lease was over when it came.
    pub(super) is_late: bool,
    /// How long the audit is expected to take, in seconds.
    pub(super) expected_s: f64,
    pub(super) cost: Cost,
    /// A result was found wrong, and is computed once more before that is held against anybody.
    pub(super) is_doubted: bool,
    /// What the server came to before, of a dispute that it computes again.
    pub(super) once: Option<Outcomes>,
}

/// What is claimed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Outcomes that a worker computed.
    Outcomes,
    /// That a block has none, as the last attempt at it says.
    Failure,
    /// Outcomes of blocks on which another worker does not agree.
    Dispute,
}

impl Default for Waiting {
    fn default() -> Waiting {
        let (claims, audits) = (BTreeMap::new(), Vec::new());
        let (paid_bytes, unpaid_bytes, unpaid_s) = (0, 0, 0.0);
        Waiting { claims, next: NonZeroU64::MIN, paid_bytes, unpaid_bytes, unpaid_s, audits }
    }
}

impl Waiting {
    pub(super) fn len(&self) -> usize {
        self.claims.len()
    }

    /// Whether no more of those may wait that the budget pays for: of other jobs as many wait beside them.
    pub(super) fn is_full(&self) -> bool {
        self.paid_bytes >= CLAIMS_BYTES_MAX
    }

    /// Bytes that those hold that no budget counts.
    pub(super) fn unpaid_bytes(&self) -> usize {
        self.unpaid_bytes
    }

    /// How long those take to be judged that no budget counts, about, in seconds.
    pub(super) fn unpaid_s(&self) -> f64 {
        self.unpaid_s
    }

    fn new_id(&mut self) -> ClaimId {
        let id = self.next;
        self.next = id.saturating_add(1);
        ClaimId(id)
    }

    fn bytes_of(&mut self, cost: Cost) -> &mut usize {
        match cost {
            Cost::Budget => &mut self.paid_bytes,
            Cost::Job => &mut self.unpaid_bytes,
        }
    }

    fn insert(&mut self, id: ClaimId, claim: Claim) {
        *self.bytes_of(claim.cost) += claim.bytes();
        self.unpaid_s += claim.unpaid_s();
        self.claims.insert(id, claim);
    }

    fn remove(&mut self, id: ClaimId) -> Option<Claim> {
        let claim = self.claims.remove(&id)?;
        *self.bytes_of(claim.cost) -= claim.bytes();
        self.unpaid_s -= claim.unpaid_s();
        if self.claims.is_empty() {
            // Nothing is left of what was rounded.
            self.unpaid_s = 0.0;
        }
        Some(claim)
    }

    /// Nobody waits for claims of this job any more.
    pub(super) fn forget_job(&mut self, job: JobId) {
        let of_job = self.claims.iter().filter(|(_, claim)| claim.held.job == job);
        for id in of_job.map(|(id, _)| *id).collect::<Vec<_>>() {
            self.remove(id);
        }
        self.audits.retain(|audit| audit.job != job);
    }

    /// Who claimed as `was` is known as `now` from now on.
    pub(super) fn rename_worker(&mut self, was: WorkerId, now: WorkerId) {
        let of_it = self.claims.values_mut().filter(|claim| claim.worker == was);
        of_it.for_each(|claim| claim.worker = now);
    }

    /// What is claimed of a job.
    pub(super) fn claimed_of(&self, job: JobId) -> Intervals {
        let of_job = self.claims.values().filter(|claim| claim.held.job == job);
        of_job.flat_map(|claim| claim.fresh.iter().cloned()).collect()
    }

    /// How many of a job's claims are disputes.
    pub(super) fn disputes_of(&self, job: JobId) -> usize {
        let is_dispute = |claim: &&Claim| claim.held.job == job && claim.kind == Kind::Dispute;
        self.claims.values().filter(is_dispute).count()
    }

    pub(super) fn assert_consistent(&self) {
        for (cost, bytes) in [(Cost::Budget, self.paid_bytes), (Cost::Job, self.unpaid_bytes)] {
            let paid_so = self.claims.values().filter(|claim| claim.cost == cost);
            assert_eq!(bytes, paid_so.map(Claim::bytes).sum::<usize>(), "{cost:?}");
        }
    }
}

impl Claim {
    /// The tasks that it is about.
    pub(super) fn range(&self) -> Range<u64> {
        self.first..self.first.saturating_add(self.outcomes.len())
    }

    /// Its outcomes beside what they are computed of.
    pub(super) fn beside(&self, op: &'static dyn Op, block: u64) -> Claims<'_> {
        let (first, outcomes, inputs, mode) = (self.first, &self.outcomes, &self.inputs, self.mode);
        Claims { op, block, first, outcomes, inputs, mode }
    }

    fn unpaid_s(&self) -> f64 {
        if self.cost == Cost::Job { self.expected_s } else { 0.0 }
    }

    fn bytes(&self) -> usize {
        let once = self.once.as_ref().map_or(0, Outcomes::bytes);
        size_of::<Claim>() + self.outcomes.bytes() + self.inputs.bytes() + once
    }
}

impl Scheduler {
    /// Of what was drawn of a claim, no more is computed again than the budget allows.
    pub(super) fn cut_to_budget(&mut self, claim: &mut Claim, now: Duration) {
        let drawn = std::mem::take(&mut claim.runs);
        let Some(job) = self.jobs.get(&claim.held.job).filter(|_| !self.claims.is_full()) else {
            return;
        };
        let credit = self.workers.get(&claim.worker).map(|worker| worker.memory.credit);
        let is_known = credit.is_some_and(|credit| credit.audited >= AUDITED_FIRST);
        let standing = if is_known { Standing::Known } else { Standing::Newcomer };
        let task_s = job.task_s.unwrap_or(0.0).max(AUDIT_TASK_S_MIN);
        for block in drawn.iter().flat_map(|run| job.blocks_in(run)) {
            if !self.budget.allows(standing, now) {
                break;
            }
            let expected_s = task_s * count(&block) as f64;
            self.budget.take(expected_s);
            claim.expected_s += expected_s;
            push_joined(&mut claim.runs, block);
        }
    }

    /// Keeps a claim until its audit is done.
    pub(super) fn wait_for_audit(&mut self, claim: Claim) -> ClaimId {
        let id = self.claims.new_id();
        self.wait_as(id, claim);
        id
    }

    fn wait_as(&mut self, id: ClaimId, claim: Claim) {
        let Some(job) = self.jobs.get_mut(&claim.held.job) else { return };
        let inputs = claim.inputs.clone();
        claim.fresh.iter().for_each(|run| job.claim(run));
        let (op, runs, job, cost) = (job.spec.op, claim.runs.clone(), claim.held.job, claim.cost);
        let is_doubted = claim.is_doubted;
        self.claims.insert(id, claim);
        self.claims.audits.push(Audit { claim: id, job, op, inputs, runs, cost, is_doubted });
        self.refresh_job(job);
        self.hold_or_free_audited();
    }

    /// What is to be computed since the last call. The outcomes go to [`Scheduler::audited`].
    pub fn drain_audits(&mut self) -> Vec<Audit> {
        std::mem::take(&mut self.claims.audits)
    }

    /// How many claims wait for their verdicts.
    pub fn claims_waiting(&self) -> usize {
        self.claims.len()
    }

    /// Whether a claim waits for its verdict.
    pub fn is_waiting(&self, claim: ClaimId) -> bool {
        self.claims.claims.contains_key(&claim)
    }

    /// What an audit came to, one list of outcomes for each of its runs, and how long that took; nothing
    /// where it could not be computed here, which says nothing about the claim. Judges the claim by that, if
    /// it still waits.
    pub fn audited(
        &mut self,
        id: ClaimId,
        ours: Option<Vec<Outcomes>>,
        took: Duration,
        now: Duration,
    ) -> Option<Judged> {
        let mut claim = self.claims.remove(id)?;
        if claim.cost == Cost::Budget {
            self.budget.correct(claim.expected_s, took);
        }
        self.hold_or_free_audited();
        let job = self.jobs.get_mut(&claim.held.job)?;
        let (op, block) = (job.spec.op, job.spec.block);
        claim.fresh.iter().for_each(|run| job.unclaim(run));
        let (worker, lease) = (claim.worker, claim.lease);
        if claim.kind == Kind::Failure {
            let judged = self.judge_failure(&claim, ours, now);
            return Some(Judged { worker, lease, judged });
        }
        if claim.kind == Kind::Dispute {
            return self.judge_dispute(id, claim, ours, now);
        }
        let claims = claim.beside(op, block);
        let wrong = claim.runs.iter().zip(ours.iter().flatten()).find_map(|(run, ours)| {
            let index = claims.find_other(run, ours)?;
            Some((index, claims.block_of(index, run)))
        });
        let judged = match wrong {
            None => {
                if ours.is_none() {
                    claim.runs.clear();
                }
                let accepted = self.accept(&mut claim);
                self.revoke_done_of(&claim, &accepted);
                // Those were counted when they came.
                Ok(Accepted { duplicates: 0, ..accepted })
            }
            Some((index, _)) if claim.is_doubted => {
                let got = claims.show(index);
                Err(self.refuse_claim(&claim, index, got, now))
            }
            Some((_, block)) => {
                claim.runs = vec![block];
                self.doubt(id, claim);
                return None;
            }
        };
        Some(Judged { worker, lease, judged })
    }

    /// Has a claim computed a second time: nobody is turned away for a bit that flipped here.
    pub(super) fn doubt(&mut self, id: ClaimId, claim: Claim) {
        self.wait_as(id, Claim { expected_s: 0.0, is_doubted: true, ..claim });
    }

    /// What was claimed is wrong: its tasks are pending again, and its worker is not believed any more.
    fn refuse_claim(&mut self, claim: &Claim, index: u64, got: String, now: Duration) -> Refusal {
        let reason = RefusalReason::Wrong { lease: claim.lease, index, got };
        self.put_back_claimed(claim);
        self.sessions.forget_worker(claim.worker);
        // It may have left.
        self.suspects.add(claim.origin, now);
        self.send_away(claim.worker, reason, now)
    }

    /// The last attempt at a block has failed as well. What the server comes to is its outcome.
    fn judge_failure(
        &mut self,
        claim: &Claim,
        ours: Option<Vec<Outcomes>>,
        now: Duration,
    ) -> Result<Accepted, Refusal> {
        let job = claim.held.job;
        let Some(skill) = self.jobs.get(&job).map(|job| job.skill) else {
            return Ok(Accepted::default());
        };
        let block = claim.range();
        let ours = ours.and_then(|ours| ours.into_iter().next());
        let (outcomes, by) = match ours {
            Some(ours) => (ours, By::Server),
            None if !self.may_fail(job, &block) => {
                self.put_back_claimed(claim);
                return Ok(Accepted { job: Some(job), ..Accepted::default() });
            }
            None => (claim.outcomes.clone(), By::Worker),
        };
        let is_refuted = by == By::Server && outcomes.failed() == 0;
        let result = outcomes.first().map_or_else(String::new, |first| first.show());
        let accepted = self.settle_failed(job, &block, outcomes, by);
        self.revoke_done(job, &claim.held, claim.is_late);
        if is_refuted && self.has_failed_too_often(claim.worker, skill) {
            let reason = RefusalReason::Refuted { lease: claim.lease, index: claim.first, result };
            let refusal = self.send_away(claim.worker, reason, now);
            return Err(Refusal { saved: accepted, ..refusal });
        }
        Ok(accepted)
    }

    /// Nobody claims these tasks any more: what no lease covers is pending again.
    pub(super) fn put_back_claimed(&mut self, claim: &Claim) {
        let Some(job) = self.jobs.get_mut(&claim.held.job) else { return };
        for run in &claim.fresh {
            let mut elsewhere = job.spec.settled.clone_within(run);
            for lease in job.copies.leases() {
                elsewhere.insert(self.leases[&lease].rest.clone());
            }
            for gap in elsewhere.missing_in(run) {
                job.put_back(gap);
            }
        }
        self.refresh_job(claim.held.job);
    }
}

#[cfg(all(test, feature = "test-ops"))]
impl Waiting {
    /// As if so much waited.
    pub(super) fn set_bytes(&mut self, cost: Cost, bytes: usize) {
        *self.bytes_of(cost) = bytes;
    }
}
