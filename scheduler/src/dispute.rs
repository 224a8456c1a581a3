//! Disputes: workers come to different outcomes of a block of a job that is computed twice. The server computes the
//! block itself, twice, before it holds that against anybody, and where it cannot, somebody else's vote decides.

use super::claims::{Claim, ClaimId, Judged, Kind};
use super::intervals::count;
use super::{Accepted, By, Convicted, Origin, Refusal, RefusalReason, Scheduler};
use std::ops::Range;
use std::time::Duration;
use tequio_protocol::ids::{LeaseId, WorkerId};
use tequio_protocol::limits::{DISPUTES_PAUSE, DISPUTES_WAITING_MAX};
use tequio_protocol::op::{Audits, Exactness, Op};
use tequio_protocol::outcome::Outcomes;
use tequio_protocol::ranges::push_joined;

/// What the server does about a job's disputes.
#[derive(Debug, Default)]
pub(super) struct Disputes {
    /// How many it computes.
    waiting: usize,
    /// It could not compute one, and asks for none before.
    paused_until: Duration,
}

/// A vote that is not what the server came to.
pub(super) struct Wrong {
    pub(super) worker: WorkerId,
    pub(super) origin: Origin,
    pub(super) lease: LeaseId,
    pub(super) index: u64,
    /// As people read it.
    pub(super) got: String,
}

impl Disputes {
    /// One more is to be computed, unless there are too many, or that is of no use.
    fn begin(&mut self, now: Duration) -> bool {
        let may = self.waiting < DISPUTES_WAITING_MAX && now >= self.paused_until;
        self.waiting += usize::from(may);
        may
    }

    fn end(&mut self) {
        self.waiting -= 1;
    }

    fn pause(&mut self, now: Duration) {
        self.paused_until = now.saturating_add(DISPUTES_PAUSE);
    }

    pub(super) fn waiting(&self) -> usize {
        self.waiting
    }
}

impl Scheduler {
    /// Somebody came to different outcomes of these blocks than others: the server finds out who is wrong of the first of
    /// them, at once or on its threads.
    pub(super) fn dispute(
        &mut self,
        claim: &Claim,
        blocks: &[Range<u64>],
        accepted: &mut Accepted,
        now: Duration,
    ) -> Result<(), Refusal> {
        let (Some(block), Some(job)) = (blocks.first(), self.jobs.get(&claim.held.job)) else {
            return Ok(());
        };
        match job.spec.op.audits() {
            Audits::OnTheSpot => self.decide_at_once(claim, block, accepted, now),
            Audits::OnThreads => {
                accepted.claim = self.ask_who_is_wrong(claim, blocks, now);
                Ok(())
            }
            // A third worker decides.
            Audits::Never => Ok(()),
        }
    }

    /// Has the first of these blocks computed. All of them are lent to nobody before the verdict: who agrees with a liar
    /// would be the second of two.
    fn ask_who_is_wrong(
        &mut self,
        claim: &Claim,
        blocks: &[Range<u64>],
        now: Duration,
    ) -> Option<ClaimId> {
        let (block, last) = (blocks.first()?, blocks.last()?);
        let job = self.jobs.get_mut(&claim.held.job)?;
        if !job.votes.disputes.begin(now) {
            // A third worker decides.
            return None;
        }
        let task_s = job.task_s.unwrap_or(0.0);
        let place = |index: u64| (index - claim.first) as usize;
        let mut fresh = Vec::new();
        blocks.iter().for_each(|block| push_joined(&mut fresh, block.clone()));
        let disputed = Claim {
            held: claim.held.clone(),
            inputs: claim.inputs.clone(),
            first: block.start,
            outcomes: claim.outcomes.slice(place(block.start)..place(last.end)),
            fresh,
            runs: vec![block.clone()],
            kind: Kind::Dispute,
            expected_s: task_s * count(block) as f64,
            is_doubted: false,
            once: None,
            ..*claim
        };
        self.budget.take(disputed.expected_s);
        Some(self.wait_for_audit(disputed))
    }

    /// Finds out who is wrong about a block where that takes no time. If who claims is, the others' votes stay.
    fn decide_at_once(
        &mut self,
        claim: &Claim,
        block: &Range<u64>,
        accepted: &mut Accepted,
        now: Duration,
    ) -> Result<(), Refusal> {
        let Some(job) = self.jobs.get(&claim.held.job) else { return Ok(()) };
        let op = job.spec.op;
        let ours = claim.inputs.compute(op, block);
        // A second time: nobody is turned away for a bit that flipped here.
        if ours != claim.inputs.compute(op, block) {
            return Ok(());
        }
        let mut wrong = job.wrong_votes(block, &ours);
        wrong.retain(|vote| vote.worker != claim.worker);
        let own = claim.beside(op, job.spec.block).find_other(block, &ours);
        if own.is_none() {
            let decided = self.settle_failed(claim.held.job, block, ours, By::Server);
            accepted.fresh.extend(decided.fresh);
            accepted.audited += decided.audited;
        }
        wrong.into_iter().for_each(|wrong| self.convict(wrong, now));
        own.map_or(Ok(()), |index| Err(self.convict_claimant(claim, index, now)))
    }

    /// The server has computed a block on which workers differ, or could not.
    pub(super) fn judge_dispute(
        &mut self,
        id: ClaimId,
        mut claim: Claim,
        ours: Option<Vec<Outcomes>>,
        now: Duration,
    ) -> Option<Judged> {
        let op = self.jobs.get(&claim.held.job)?.spec.op;
        let ours = ours.and_then(|ours| ours.into_iter().next());
        let decided = match (ours, claim.once.take()) {
            (Some(ours), None) if !self.is_undisputed(&claim, &ours) => {
                self.doubt(id, Claim { once: Some(ours), ..claim });
                return None;
            }
            (Some(ours), Some(once)) => are_same(op, &ours, &once).then_some(ours),
            (ours, _) => ours,
        };
        if let Some(job) = self.jobs.get_mut(&claim.held.job) {
            job.votes.disputes.end();
            if decided.is_none() {
                job.votes.disputes.pause(now);
            }
        }
        let judged = match decided {
            Some(ours) => self.decide(&claim, ours, now),
            None => {
                // A third worker decides.
                self.put_back_claimed(&claim);
                Ok(Accepted { job: Some(claim.held.job), ..Accepted::default() })
            }
        };
        Some(Judged { worker: claim.worker, lease: claim.lease, judged })
    }

    /// Whether all that is claimed or voted of a disputed block is what the server came to.
    fn is_undisputed(&self, claim: &Claim, ours: &Outcomes) -> bool {
        let (Some(job), Some(block)) = (self.jobs.get(&claim.held.job), claim.runs.first()) else {
            return true;
        };
        let own = claim.beside(job.spec.op, job.spec.block).find_other(block, ours);
        own.is_none() && job.wrong_votes(block, ours).is_empty()
    }

    /// What the server came to is the outcome of a block on which workers differ. Who was wrong is gone, with all its votes,
    /// before anybody is lent the other blocks.
    fn decide(
        &mut self,
        claim: &Claim,
        ours: Outcomes,
        now: Duration,
    ) -> Result<Accepted, Refusal> {
        let id = claim.held.job;
        let (Some(job), Some(block)) = (self.jobs.get(&id), claim.runs.first()) else {
            return Ok(Accepted::default());
        };
        let mut wrong = job.wrong_votes(block, &ours);
        wrong.retain(|vote| vote.worker != claim.worker);
        let own = claim.beside(job.spec.op, job.spec.block).find_other(block, &ours);
        let by = if own.is_some() { By::Server } else { By::Worker };
        let decided = self.settle_failed(id, block, ours, By::Server);
        let decided = Accepted { by, ..decided };
        self.put_back_claimed(claim);
        wrong.into_iter().for_each(|wrong| self.convict(wrong, now));
        let decided = match own {
            None => Ok(decided),
            Some(index) => {
                let refusal = self.convict_claimant(claim, index, now);
                Err(Refusal { saved: decided, ..refusal })
            }
        };
        self.revoke_done(id, &claim.held, true);
        decided
    }

    /// What was claimed is wrong, as the server found: who claimed it is not believed any more.
    fn convict_claimant(&mut self, claim: &Claim, index: u64, now: Duration) -> Refusal {
        let got = claim.outcomes.get((index - claim.first) as usize).show();
        let reason = RefusalReason::Wrong { lease: claim.lease, index, got };
        self.sessions.forget_worker(claim.worker);
        self.suspects.add(claim.origin, now);
        self.send_away(claim.worker, reason, now)
    }

    /// A worker's vote is wrong, as the server found: it is not believed any more.
    fn convict(&mut self, wrong: Wrong, now: Duration) {
        let Wrong { worker, origin, lease, index, got } = wrong;
        let reason = RefusalReason::Wrong { lease, index, got };
        self.sessions.forget_worker(worker);
        // It may have left.
        self.suspects.add(origin, now);
        let refusal = self.send_away(worker, reason, now);
        self.convicted.push(Convicted { worker, lease, refusal });
    }

    /// Workers whose answers were found wrong since the last call, by what others answered. They are gone from the
    /// scheduler where their refusals say so, and may have left before.
    pub fn drain_convicted(&mut self) -> Vec<Convicted> {
        std::mem::take(&mut self.convicted)
    }
}

/// Whether the server came to the same twice.
fn are_same(op: &dyn Op, ours: &Outcomes, once: &Outcomes) -> bool {
    let mut both = ours.iter().zip(once.iter());
    ours.len() == once.len() && both.all(|(ours, once)| op.agrees(ours, once, Exactness::Exact))
}
