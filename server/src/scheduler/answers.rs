//! What workers answer: results, failures, what goes on and what is given back.

use super::audit::{Claims, draw};
use super::intervals::count;
use super::job::Job;
use super::lease::Lease;
use super::past::Past;
use super::speeds::{Speed, TASK_S_MIN, blend};
use super::worker::Worker;
use super::{Accepted, By, Mode, Refusal, RefusalReason, Scheduler};
use std::ops::Range;
use std::time::Duration;
use tequio_protocol::ids::{JobId, LeaseId, WorkerId};
use tequio_protocol::limits::{LEASE_GROWTH, STRIKES_MAX, TASK_ATTEMPTS_MAX, TASK_ERROR_CHARS_MAX};
use tequio_protocol::number::Number;
use tequio_protocol::numbers::Numbers;
use tequio_protocol::outcome::{Outcome, Outcomes};
use tequio_protocol::text::printable;

impl Scheduler {
    /// Takes results of a lease, from its front. `duration` is how long the worker says that it
    /// computed these.
    pub fn results(
        &mut self,
        worker: WorkerId,
        lease: LeaseId,
        first: u64,
        results: Numbers,
        duration: Option<Duration>,
        now: Duration,
    ) -> Result<Accepted, Refusal> {
        let range = first..first.saturating_add(results.len() as u64);
        let held = self.find(worker, lease, Some(&range))?;
        let Some(inputs) = held.inputs.as_ref().filter(|_| !held.is_refused) else {
            self.heard(worker);
            self.advance(worker, lease, range.end, now);
            return Ok(Accepted { duplicates: count(&range), ..Accepted::default() });
        };
        let (mode, credit) = (self.workers[&worker].mode, self.workers[&worker].memory.credit);
        let job = held.job;
        let fresh = match self.jobs.get(&job) {
            Some(job) => job.spec.settled.missing_in(&range),
            None => Vec::new(),
        };
        let drawn = draw(&mut self.random, credit, &fresh, mode);
        let claims = Claims { first, results: &results, inputs, mode };
        let is_late = !self.leases.contains_key(&lease);
        if let Some((index, got)) = claims.find_wrong(&drawn, &fresh) {
            // Of one that lies from the first on nothing is lost: what was audited is known to be right.
            let is_all = drawn.len() as u64 == fresh.iter().map(count).sum::<u64>();
            let right = if is_all { claims.find_right(&drawn) } else { Vec::new() };
            let place = |index: u64| (index - first) as usize;
            let outcomes =
                |run: &Range<u64>| results.slice(place(run.start)..place(run.end)).into();
            let saved = self.settle(job, &range, right, outcomes);
            let refusal = self.wrong(worker, lease, index, got, now);
            self.revoke_done(job, &held, is_late);
            return Err(Refusal { saved: Accepted { duplicates: 0, ..saved }, ..refusal });
        }
        self.heard(worker);
        if !fresh.is_empty() {
            self.measure(worker, &held, count(&range), duration, now);
            self.add_credit(worker, drawn.len() as u64, fresh.iter().map(count).sum());
        }
        // A plain client's bits are its browser's; ours are everybody's.
        let mut results = match mode {
            Mode::Plain => range.clone().map(|index| inputs.compute(index)).collect(),
            Mode::Lease => results,
        };
        let accepted = self.settle(job, &range, fresh, |gap| {
            let place = |index: u64| (index - first) as usize;
            results.take(place(gap.start)..place(gap.end)).into()
        });
        self.advance(worker, lease, range.end, now);
        self.revoke_done(job, &held, is_late && !accepted.fresh.is_empty());
        Ok(accepted)
    }

    /// Something of a lease was settled, perhaps after it was over: others may hold it for nothing.
    fn revoke_done(&mut self, job: JobId, lease: &Lease, is_late: bool) {
        if is_late {
            // Its tasks may have been lent anew, in any leases.
            self.revoke_all_settled(job);
        } else {
            self.revoke_settled(job, lease.family);
        }
        self.refresh_job(job);
    }

    /// A worker has shown something, and may be lent more.
    fn add_credit(&mut self, id: WorkerId, audited: u64, taken: u64) {
        let Some(worker) = self.workers.get_mut(&id) else { return };
        let (was_newcomer, had_all) = (worker.is_newcomer(), worker.may_hold_all());
        worker.memory.credit.audited += audited;
        worker.memory.credit.add_taken(taken);
        if was_newcomer {
            self.no_newcomer_any_more(id);
        }
        if !had_all {
            self.refresh_worker(id);
        }
    }

    /// A worker says that it could not compute the task at its lease's front. Where the server can, its
    /// result is recorded, and the failure is held against the worker. Else others try: an error is the
    /// outcome after [`TASK_ATTEMPTS_MAX`] attempts, of several workers and addresses where there are any.
    pub fn failed(
        &mut self,
        worker: WorkerId,
        lease: LeaseId,
        index: u64,
        error: &str,
        now: Duration,
    ) -> Result<Accepted, Refusal> {
        let range = index..index.saturating_add(1);
        let held = self.find(worker, lease, Some(&range))?;
        self.heard(worker);
        let job_id = held.job;
        let duplicate = Accepted { duplicates: 1, ..Accepted::default() };
        let Some(front) = self.leases.get(&lease).map(|lease| lease.rest.start) else {
            // Of a lease that is over, what comes behind it may still count.
            self.advance(worker, lease, range.end, now);
            return Ok(duplicate);
        };
        if front != index {
            return Ok(duplicate);
        }
        let Some(job) = self.jobs.get_mut(&job_id) else { return Ok(Accepted::default()) };
        if job.spec.settled.contains(index) {
            self.advance(worker, lease, range.end, now);
            return Ok(Accepted { job: Some(job_id), ..duplicate });
        }
        let refuted = self.failures.refute(job, held.inputs.as_ref(), index);
        let outcome = match refuted {
            Some(number) => {
                if self.has_failed_too_often(worker) {
                    let reason = RefusalReason::Refuted { lease, index, number };
                    return Err(self.send_away(worker, reason, now));
                }
                Some(Outcome::Result(number))
            }
            None => self.add_attempt(job_id, worker, index, error),
        };
        let accepted = match outcome {
            Some(outcome) => {
                let accepted = self.settle_failed(job_id, index, outcome);
                self.advance(worker, lease, range.end, now);
                self.revoke_settled(job_id, held.family);
                accepted
            }
            None => {
                self.advance(worker, lease, range.end, now);
                self.back_to_pending(job_id, held.family, range);
                Accepted { job: Some(job_id), ..Accepted::default() }
            }
        };
        self.refresh_job(job_id);
        Ok(accepted)
    }

    fn has_failed_too_often(&mut self, id: WorkerId) -> bool {
        self.workers.get_mut(&id).is_some_and(|worker| worker.memory.credit.add_refuted())
    }

    /// One more has not computed a task. Gives its outcome, if that was the last attempt.
    fn add_attempt(
        &mut self,
        job: JobId,
        worker: WorkerId,
        index: u64,
        error: &str,
    ) -> Option<Outcome> {
        let origin = self.workers.get(&worker)?.origin;
        let attempts = self.jobs.get_mut(&job)?.attempts.entry(index).or_default();
        attempts.by.push((worker, origin));
        let is_last = attempts.by.len() >= TASK_ATTEMPTS_MAX;
        is_last.then(|| Outcome::Error { error: printable(error, TASK_ERROR_CHARS_MAX) })
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
        let is_pending = job.pending.contains(index);
        if !is_pending && !job.retry.contains(&index) || self.is_somebody_late_with(id, index) {
            // Others have it, or it is settled.
            return Accepted::default();
        }
        let mut accepted = Accepted { job: Some(id), ..Accepted::default() };
        if let Some(outcome) = self.add_attempt(id, worker, index, error) {
            let refuted = self
                .jobs
                .get(&id)
                .and_then(|job| self.failures.refute(job, inputs.as_ref(), index));
            accepted = self.settle_failed(id, index, refuted.map_or(outcome, Outcome::Result));
        } else if let Some(job) = self.jobs.get_mut(&id).filter(|_| is_pending) {
            job.pending.remove(index..index + 1);
            job.retry.insert(index);
        }
        self.refresh_job(id);
        accepted
    }

    /// Whether a plain client may still answer a task. That looks at all workers.
    fn is_somebody_late_with(&self, job: JobId, index: u64) -> bool {
        let is_late = |worker: &Worker| worker.is_late_with(job, &(index..index + 1));
        self.workers.values().any(|worker| worker.mode == Mode::Plain && is_late(worker))
    }

    /// A worker has begun a lease, or goes on with it: its time counts from now.
    pub fn progress(
        &mut self,
        worker: WorkerId,
        lease: LeaseId,
        now: Duration,
    ) -> Result<(), Refusal> {
        let held = self.find(worker, lease, None)?;
        self.heard(worker);
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

    /// A worker gives back what it has not answered.
    pub fn release(&mut self, worker: WorkerId, lease: LeaseId) -> Result<(), Refusal> {
        self.find(worker, lease, None)?;
        self.heard(worker);
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

    /// A lease cannot be sent to its worker after all (its inputs cannot be read).
    pub fn take_back(&mut self, lease: LeaseId) {
        self.give_back(lease);
    }

    /// The worker's own copy of a lease of its, present or past; where an answer is about `range`,
    /// only if that is not empty, lies within the lease and leaves nothing out at its front.
    fn find(
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
            let is_within = range.start >= lease.whole.start && range.end <= lease.whole.end;
            // What was refused of a given-up lease is missing at its front, and what a connection
            // took with it.
            let is_lost = memory.is_some_and(|memory| memory.is_lost(id));
            let is_gap = range.start > lease.rest.start && !lease.is_refused && !is_lost;
            if range.is_empty() || !is_within || is_gap {
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

    /// Settles of `range` what is `fresh`, with its `outcomes`.
    fn settle(
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
            job.pending.remove(gap.clone());
            job.forget_attempts(&gap);
            job.spec.settled.insert(gap.clone());
            runs.push((gap.start, outcomes(&gap)));
        }
        let duplicates = count(range) - fresh_count;
        Accepted { job: Some(id), fresh: runs, duplicates, by: By::Worker }
    }

    /// Settles a task that is not settled, and that a worker has failed.
    fn settle_failed(&mut self, id: JobId, index: u64, outcome: Outcome) -> Accepted {
        let by = if outcome.is_error() { By::Worker } else { By::Server };
        let range = index..index + 1;
        let outcomes = |_: &Range<u64>| [outcome.clone()].into_iter().collect();
        let accepted = self.settle(id, &range, vec![range.clone()], outcomes);
        Accepted { by, ..accepted }
    }

    /// The front of a lease has moved to `front`; at its end the lease is over.
    fn advance(&mut self, worker_id: WorkerId, id: LeaseId, front: u64, now: Duration) {
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
        lease.heard_at = now;
        if let Some(worker) = self.workers.get_mut(&worker_id) {
            worker.tasks_held -= answered;
        }
        self.is_not_kept(id);
        if self.leases[&id].rest.is_empty() {
            self.end(id);
        } else {
            self.extend(id, now, Duration::MAX);
            // It may have had all the tasks that it may hold.
            self.refresh_worker(worker_id);
        }
    }

    /// A worker says something by itself, which shows that it is not frozen.
    pub fn heard(&mut self, id: WorkerId) {
        if let Some(worker) = self.workers.get_mut(&id)
            && worker.overdue > 0
        {
            worker.overdue = 0;
            self.refresh_worker(id);
        }
    }

    fn measure(
        &mut self,
        worker: WorkerId,
        lease: &Lease,
        tasks: u64,
        duration: Option<Duration>,
        now: Duration,
    ) {
        let elapsed = now.saturating_sub(lease.heard_at);
        // Nothing took longer than the lease was out, whatever a worker says.
        let held = now.saturating_sub(lease.lent_at);
        let duration = duration.unwrap_or(elapsed).min(held);
        let task_s = (duration.as_secs_f64() / tasks as f64).max(TASK_S_MIN);
        let Some(job) = self.jobs.get_mut(&lease.job) else { return };
        job.task_s = Some(blend(job.task_s, task_s));
        let Some(worker) = self.workers.get_mut(&worker) else { return };
        let known = worker.memory.speeds.get(lease.job);
        let speed = Speed {
            task_s: blend(known.map(|speed| speed.task_s), task_s),
            count_max: known.map_or(0, |speed| speed.count_max).max(tasks * LEASE_GROWTH),
        };
        worker.memory.speeds.insert(lease.job, speed);
    }

    /// An expired lease is not being computed any more.
    pub(super) fn forget_late(&mut self, id: WorkerId, lease: LeaseId) {
        if let Some(worker) = self.workers.get_mut(&id)
            && worker.late.remove(&lease)
        {
            self.refresh_worker(id);
        }
    }

    /// A wrong result: the lease goes back whole. In lease mode, where bits are everybody's, that is
    /// enough to be turned away; in plain mode the worker has a strike.
    fn wrong(
        &mut self,
        id: WorkerId,
        lease: LeaseId,
        index: u64,
        got: Number,
        now: Duration,
    ) -> Refusal {
        let reason = RefusalReason::Wrong { lease, index, got };
        self.heard(id);
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
    fn send_away(&mut self, id: WorkerId, reason: RefusalReason, now: Duration) -> Refusal {
        if let Some(worker) = self.workers.get(&id) {
            self.suspects.add(worker.origin, now);
        }
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
            self.remove_worker(id);
        }
        is_turned_away
    }
}
