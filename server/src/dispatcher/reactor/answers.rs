//! What workers answer to leases: outcomes and failures, judged by the scheduler.

use super::complaints::complain;
use super::refusals::TOO_MANY_FAULTS;
use super::{Now, Reactor};
use std::time::Duration;
use tequio_protocol::ids::{LeaseId, WorkerId};
use tequio_protocol::live::HowEnded;
use tequio_protocol::message::{DurationMs, ErrorCode, ErrorMessage, LeaseResults, TaskFailed};
use tequio_protocol::outcome::Outcomes;
use tequio_protocol::text::quote;
use tequio_scheduler::{Accepted, ClaimId, Convicted, Judged, Refusal, RefusalReason};
use tracing::{debug, debug_span, warn};

/// Who has sent an outcome, as it is recorded with it; it may have left by then.
#[derive(Debug)]
pub(super) struct Claimant {
    pub(super) worker: WorkerId,
    pub(super) agent: String,
    pub(super) duration_ms: Option<DurationMs>,
}

impl Reactor {
    pub(super) fn results(&mut self, id: WorkerId, message: LeaseResults, now: Now) {
        let Some(worker) = self.workers.get_mut(&id) else { return };
        if !worker.is_in_lease_mode() {
            let said = "results is for workers that have said hello".to_owned();
            return self.refuse(id, ErrorCode::NoHello, said, Some(message.lease), now.at);
        }
        if worker.update_agent(message.agent.as_deref()) {
            self.live.changed.insert(id);
        }
        let LeaseResults { lease, first, outcomes, duration_ms, .. } = message;
        let _span = debug_span!("lease", id = %lease).entered();
        let duration = duration_of(duration_ms);
        let count = outcomes.len();
        let judged = self.scheduler.results(id, lease, first, outcomes, duration, now.at);
        if judged.is_ok() {
            worker.count_results(count, now.at);
        }
        debug!(first, count, "[#{id}] results");
        self.follow_up(id, lease, judged, duration_ms, now);
    }

    pub(super) fn failed(&mut self, id: WorkerId, message: TaskFailed, now: Now) {
        let Some(worker) = self.workers.get_mut(&id) else { return };
        let TaskFailed { lease, index, error } = message;
        if !worker.is_in_lease_mode() {
            let said = "failed is for workers that have said hello".to_owned();
            return self.refuse(id, ErrorCode::NoHello, said, Some(lease), now.at);
        }
        let _span = debug_span!("lease", id = %lease).entered();
        worker.errors += 1;
        complain!(self.complaints, now.at, "[#{id}] task failed: {} index={index}", quote(&error));
        let judged = self.scheduler.failed(id, lease, index, &error, now.at);
        self.follow_up(id, lease, judged, None, now);
    }

    /// A worker that cannot take what it was sent: what it holds of it goes to others.
    pub(super) fn refused_by_worker(&mut self, id: WorkerId, error: &ErrorMessage, now: Now) {
        let Some(worker) = self.workers.get_mut(&id) else { return };
        if let Some(held) = worker.held.take_if(|held| Some(held.task_id) == error.task_id)
            && let Some((lease, index)) = held.lease
        {
            let judged = self.scheduler.failed(id, lease, index, &error.message, now.at);
            return self.follow_up(id, lease, judged, None, now);
        }
        let Some(lease) = error.lease else { return };
        let cannot_load = error.code == ErrorCode::CannotLoad;
        let released = match cannot_load {
            true => self.scheduler.cannot(id, lease),
            false => self.scheduler.release(id, lease),
        };
        if let Err(refusal) = released {
            return self.answer_refusal(id, lease, &refusal, now.at);
        }
        self.live.stream.ended(id, lease, HowEnded::Returned, now.at);
        if cannot_load {
            let said = quote(&error.message);
            complain!(
                self.complaints,
                now.at,
                "[#{id}] cannot load a kernel, and is lent no more of it: {said}"
            );
        } else if self.scheduler.add_strike(id) {
            // It would be lent the same again, and refuse it again.
            self.turn_away(id, TOO_MANY_FAULTS, now.at);
        }
    }

    /// Records what is new of an answer, or says why it was refused.
    pub(super) fn follow_up(
        &mut self,
        id: WorkerId,
        lease: LeaseId,
        judged: Result<Accepted, Refusal>,
        duration_ms: Option<DurationMs>,
        now: Now,
    ) {
        let Some(worker) = self.workers.get(&id) else { return };
        let agent = worker.peer.agent.clone().unwrap_or_default();
        let claimant = Claimant { worker: id, agent, duration_ms };
        self.show_answer(id, lease, &judged, now.at);
        self.take_verdict(claimant, lease, judged, now);
    }

    /// What tasks came to that were computed again, or nothing where they could not be.
    pub fn audited(
        &mut self,
        claim: ClaimId,
        ours: Option<Vec<Outcomes>>,
        took: Duration,
        now: Now,
    ) {
        let judged = self.scheduler.audited(claim, ours, took, now.at);
        if self.scheduler.is_waiting(claim) {
            // It is computed once more.
            return;
        }
        let claimant = self.claimants.remove(&claim);
        let (Some(judged), Some(claimant)) = (judged, claimant) else { return };
        let Judged { worker, lease, judged } = judged;
        if judged.is_err()
            && let Some(worker) = self.workers.get_mut(&worker)
        {
            worker.errors += 1;
        }
        self.take_verdict(Claimant { worker, ..claimant }, lease, judged, now);
    }

    fn take_verdict(
        &mut self,
        claimant: Claimant,
        lease: LeaseId,
        judged: Result<Accepted, Refusal>,
        now: Now,
    ) {
        self.count_refusal(&judged, &claimant.agent, now.at);
        match judged {
            Ok(accepted) => {
                self.metrics.duplicates.inc_by(accepted.duplicates);
                let claim = accepted.claim;
                self.record(&claimant, accepted, now);
                if let Some(claim) = claim {
                    self.claimants.insert(claim, claimant);
                }
            }
            Err(mut refusal) => {
                let saved = std::mem::take(&mut refusal.saved);
                self.record(&claimant, saved, now);
                self.answer_refusal(claimant.worker, lease, &refusal, now.at);
            }
        }
    }

    /// Turns away whose answers were found wrong by what others answered.
    pub(super) fn turn_away_convicted(&mut self, now: Duration) {
        for Convicted { worker: id, lease, refusal } in self.scheduler.drain_convicted() {
            // Who has left is counted as well, without a name.
            let worker = self.workers.get_mut(&id);
            let agent = worker.map(|worker| {
                worker.errors += 1;
                worker.peer.agent.clone().unwrap_or_default()
            });
            let judged = Err::<(), _>(refusal);
            self.count_refusal(&judged, &agent.unwrap_or_default(), now);
            if let Err(refusal) = judged
                && self.workers.contains_key(&id)
            {
                self.answer_refusal(id, lease, &refusal, now);
            }
        }
    }

    /// Shows in the task stream what an answer did to its lease.
    fn show_answer<T>(
        &mut self,
        id: WorkerId,
        lease: LeaseId,
        answer: &Result<T, Refusal>,
        now: Duration,
    ) {
        let stream = &mut self.live.stream;
        match answer {
            Ok(_) => {
                stream.answered(id, lease);
                if self.scheduler.rest_of(lease).is_none() {
                    stream.ended(id, lease, HowEnded::Answered, now);
                }
            }
            Err(Refusal { reason: RefusalReason::Wrong { .. }, .. }) => {
                stream.ended(id, lease, HowEnded::Lost, now);
                if let Some(worker) = self.workers.get_mut(&id) {
                    worker.errors += 1;
                }
            }
            Err(_) => {}
        }
    }

    pub(super) fn answered(
        &mut self,
        id: WorkerId,
        lease: LeaseId,
        answer: Result<(), Refusal>,
        now: Duration,
    ) {
        if let Err(refusal) = answer {
            self.answer_refusal(id, lease, &refusal, now);
        }
    }
}

pub(super) fn duration_of(ms: Option<DurationMs>) -> Option<Duration> {
    ms.and_then(|ms| Duration::try_from_secs_f64(ms.get() / 1000.0).ok())
}
