//! Lending: which job and which worker come next, copies for idle workers, and what they take over.

use super::intervals::count;
use super::lease::{Lease, deadline_after};
use super::skills::KernelKey;
use super::twice::Others;
use super::worker::Worker;
use super::{Grant, Inputs, Origin, Scheduler, Skills};
use std::collections::BTreeSet;
use std::ops::Range;
use std::time::Duration;
use tequio_protocol::ids::{JobId, LeaseId, WorkerId};
use tequio_protocol::limits::{DEADLINE_MIN, GRANT_SCAN_MAX, SECOND_WAIT};

/// A look for who is lent something next: how much of it is left, and who has nothing to expect.
struct Scan<'a> {
    /// Jobs that are still looked at, whomever they are for.
    looks: usize,
    /// Workers that nothing was there for, though they can compute something of it.
    workers: usize,
    passed: Vec<Passed<'a>>,
}

/// Nothing is there for workers like this one.
struct Passed<'a> {
    skills: Skills,
    cannot: &'a [KernelKey],
    /// Where they are, if that is why.
    origin: Option<Origin>,
}

/// Jobs that a worker can compute, and gets nothing of.
#[derive(Default)]
struct Refused {
    jobs: usize,
    /// Others at its address might be lent something.
    is_its_own: bool,
}

impl<'a> Scan<'a> {
    fn new() -> Scan<'a> {
        Scan { looks: GRANT_SCAN_MAX * GRANT_SCAN_MAX, workers: 0, passed: Vec::new() }
    }

    fn is_over(&self) -> bool {
        self.looks == 0 || self.workers == GRANT_SCAN_MAX
    }

    /// Whether somebody else than those who were looked at might be lent something, elsewhere.
    fn has_refused_for_places(&self) -> bool {
        self.passed.iter().any(|passed| passed.origin.is_some())
    }

    /// Whether it is known already that there is nothing for this worker: however many there are of its kind, they
    /// hide nobody.
    fn passes_by(&mut self, worker: &Worker) -> bool {
        let passes = self.passed.iter().any(|passed| passed.is_like(worker));
        self.looks -= usize::from(passes);
        passes
    }

    fn pass_by(&mut self, worker: &'a Worker, refused: &Refused) {
        self.workers += usize::from(refused.jobs > 0);
        if !refused.is_its_own && self.passed.len() < GRANT_SCAN_MAX {
            let origin = (refused.jobs > 0).then_some(worker.origin);
            let (skills, cannot) = (worker.skills, &worker.cannot);
            self.passed.push(Passed { skills, cannot, origin });
        }
    }
}

impl Passed<'_> {
    /// Whether a worker can compute no more, and is nowhere else if that matters.
    fn is_like(&self, worker: &Worker) -> bool {
        worker.skills == self.skills
            && self.origin.is_none_or(|origin| origin == worker.origin)
            && self.cannot.iter().all(|kernel| worker.cannot.contains(kernel))
    }
}

impl Scheduler {
    /// The next lease to grant, if a worker has room and a job has something for it.
    pub fn grant(&mut self, now: Duration) -> Option<Grant> {
        let granted = self.grant_pending(now).or_else(|| self.grant_copy(now));
        granted.or_else(|| self.grant_taken_over(now))
    }

    fn grant_pending(&mut self, now: Duration) -> Option<Grant> {
        let (worker, job, range) = self.pop_next(now)?;
        Some(self.lend(job, worker, range, None, now))
    }

    /// Takes what is lent next, for the first worker that something is there for. Who cannot load the kernels that wait
    /// is passed by, and hides nobody.
    fn pop_next(&mut self, now: Duration) -> Option<(WorkerId, JobId, Range<u64>)> {
        let (workers, jobs, leases) = (&self.workers, &mut self.jobs, &self.leases);
        let (able, out) = (&self.able, self.tasks_out);
        let mut scan = Scan::new();
        for (_, _, worker) in self.waiting.with(self.ready.skills()) {
            let state = &workers[&worker];
            if scan.is_over() {
                break;
            }
            if scan.passes_by(state) {
                continue;
            }
            let mut refused = Refused::default();
            for (_, _, id) in self.ready.with(state.skills) {
                if refused.jobs == GRANT_SCAN_MAX || scan.looks == 0 {
                    break;
                }
                scan.looks -= 1;
                let Some(job) = jobs.get_mut(&id).filter(|job| job.is_for(state)) else { continue };
                let size = job.size_for(state, id, out);
                let range = job
                    .pop_retry(worker, workers, leases, able)
                    .or_else(|| job.pop_second(worker, &Others { workers, able, now }, size))
                    .or_else(|| job.pop_pending(size));
                if let Some(range) = range {
                    return Some((worker, id, range));
                }
                refused.jobs += 1;
                refused.is_its_own |= !job.is_for_elsewhere(state.origin, able, now);
            }
            scan.pass_by(state, &refused);
        }
        if scan.has_refused_for_places() && !self.voted.is_empty() && self.seconds_due.is_none() {
            self.seconds_due = Some(now.saturating_add(SECOND_WAIT));
        }
        None
    }

    /// When nothing is pending, an idle worker gets a copy of the oldest lease that may have one:
    /// of its tail, since its holder goes on from the front.
    fn grant_copy(&mut self, now: Duration) -> Option<Grant> {
        self.idle(self.waiting.skills()).next()?;
        let wanted = self.jobs.values().filter(|job| !job.spec.is_paused);
        let skills = wanted.map(|job| job.skill).fold(Skills::default(), Skills::with);
        let idle: Vec<WorkerId> = self.idle(skills).take(GRANT_SCAN_MAX).collect();
        if idle.is_empty() {
            return None;
        }
        let mut copyable: Vec<(LeaseId, JobId)> = self
            .jobs
            .iter()
            .filter(|(_, job)| !job.spec.is_paused)
            .flat_map(|(id, job)| {
                job.copies.copyable().take(GRANT_SCAN_MAX).map(|original| (original, *id))
            })
            .collect();
        copyable.sort_unstable();
        copyable.truncate(GRANT_SCAN_MAX);
        for worker in idle {
            for &(original, job) in &copyable {
                if let Some(range) = self.copy_for(worker, job, original, now) {
                    return Some(self.lend(job, worker, range, Some(original), now));
                }
            }
        }
        None
    }

    fn copy_for(
        &self,
        worker_id: WorkerId,
        id: JobId,
        original: LeaseId,
        now: Duration,
    ) -> Option<Range<u64>> {
        let (job, worker) = (&self.jobs[&id], &self.workers[&worker_id]);
        if !job.is_for(worker) {
            return None;
        }
        let group = || job.copies.of(original).iter().map(|lease| &self.leases[lease]);
        if group().any(|lease| lease.worker == worker_id) {
            return None;
        }
        // The longest rest is the one that would be waited for. Its tail may be settled by a copy.
        let rest = group().map(|lease| lease.rest.clone()).max_by_key(count)?;
        let unsettled = job.open_in(&rest).pop()?;
        let size = job.size_for(worker, id, self.tasks_out).min(count(&unsettled));
        // Of whole blocks, of which the last may be short.
        let start = (unsettled.end - size).next_multiple_of(job.spec.block);
        let last = (unsettled.end - 1) - (unsettled.end - 1) % job.spec.block;
        let range = start.min(last)..unsettled.end;
        let mut attempts = job.attempts.range(range.clone());
        let has_failed = attempts.any(|(_, attempts)| attempts.has(worker_id));
        let holders = group().map(|lease| (lease.worker, self.workers[&lease.worker].origin));
        let others = Others { workers: &self.workers, able: &self.able, now };
        let may = job.may_copy(worker_id, &range, holders, &others);
        (!has_failed && may && !worker.is_late_with(id, &range)).then_some(range)
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
        let skills = held.iter().map(|lease| self.jobs[&self.leases[lease].job].skill);
        let skills = skills.fold(Skills::default(), Skills::with);
        let idle: Vec<WorkerId> = self.idle(skills).take(GRANT_SCAN_MAX).collect();
        let mut pairs =
            idle.iter().flat_map(|worker| held.iter().map(move |lease| (*worker, *lease)));
        let (worker, lease) =
            pairs.find(|(worker, lease)| self.may_take_over(*worker, *lease, now))?;
        self.take_over(worker, lease, now)
    }

    fn may_take_over(&self, worker_id: WorkerId, id: LeaseId, now: Duration) -> bool {
        let (worker, lease) = (&self.workers[&worker_id], &self.leases[&id]);
        let job = &self.jobs[&lease.job];
        let Some(front) = job.open_in(&lease.rest).first().map(|gap| gap.start) else {
            return false;
        };
        let is_newcomers = !self.stalled.contains(&id);
        let has_copy =
            job.copies.of(lease.original).iter().any(|of| self.leases[of].worker == worker_id);
        let has_failed = job.attempts.get(&front).is_some_and(|tried| tried.has(worker_id));
        let others = Others { workers: &self.workers, able: &self.able, now };
        let may = job.may_copy(worker_id, &job.block(front), std::iter::empty(), &others);
        lease.is_sent
            && job.is_for(worker)
            && !(is_newcomers && worker.is_newcomer())
            && may
            && !(has_copy || has_failed || worker.is_late_with(lease.job, &lease.rest))
    }

    /// Lends the front of a lease to somebody else. What its holder still answers counts if it is
    /// faster; until then that takes a place of its own.
    fn take_over(&mut self, worker_id: WorkerId, id: LeaseId, now: Duration) -> Option<Grant> {
        let lease = &self.leases[&id];
        let (job_id, original, rest) = (lease.job, lease.original, lease.rest.clone());
        self.end_early(id);
        let worker = self.workers.get(&worker_id)?;
        let job = self.jobs.get_mut(&job_id)?;
        let gap = job.open_in(&rest).into_iter().next()?;
        let size = job.size_for(worker, job_id, self.tasks_out);
        let range = gap.start..gap.end.min(gap.start + size);
        let range = job.without_votes_of(worker_id, range);
        let (range, copy_of) = job.pop_front_of(range, original);
        self.refresh_job(job_id);
        Some(self.lend(job_id, worker_id, range, copy_of, now))
    }

    fn lend(
        &mut self,
        job_id: JobId,
        worker_id: WorkerId,
        range: Range<u64>,
        copy_of: Option<LeaseId>,
        now: Duration,
    ) -> Grant {
        let id = self.next_lease;
        self.next_lease = LeaseId(id.0 + 1);
        self.tasks_out += count(&range);
        self.turn += 1;
        let patience = self.jobs[&job_id].patience_for(&range);
        let time = self.time_for(job_id, worker_id, count(&range)).saturating_mul(patience);
        let deadline = now.saturating_add(time);
        let lease = Lease {
            job: job_id,
            worker: worker_id,
            whole: range.clone(),
            rest: range.clone(),
            original: copy_of.unwrap_or(id),
            deadline,
            patience,
            lent_at: now,
            answered_at: now,
            inputs: None,
            is_sent: false,
            is_refused: false,
            is_newcomers: self.workers[&worker_id].is_newcomer(),
            kept_since: None,
        };
        if lease.is_newcomers {
            self.newcomers.insert(id);
        }
        let job = self.jobs.get_mut(&job_id).expect("the job was looked up");
        job.copies.join(lease.original, id);
        job.holders.join(worker_id);
        self.leases.insert(id, lease);
        self.deadlines.insert((deadline, id));
        let worker = self.workers.get_mut(&worker_id).expect("the worker was looked up");
        worker.leases.push(id);
        worker.tasks_held += count(&range);
        worker.memory.make_room(worker.leases.len() + worker.late.len());
        self.move_turn(job_id, worker_id);
        let is_copy = copy_of.is_some();
        Grant { lease: id, job: job_id, worker: worker_id, range, deadline, is_copy }
    }

    /// The time that a worker has for `tasks` more, behind what it holds already.
    fn time_for(&self, job: JobId, worker: WorkerId, tasks: u64) -> Duration {
        let (Some(worker), Some(job_state)) = (self.workers.get(&worker), self.jobs.get(&job))
        else {
            return DEADLINE_MIN;
        };
        let mut seconds = tasks as f64 * job_state.task_s_of(worker, job).unwrap_or(0.0);
        for lease in worker.leases.iter().map(|id| &self.leases[id]) {
            let task_s = self.jobs[&lease.job].task_s_of(worker, lease.job).unwrap_or(0.0);
            seconds += count(&lease.rest) as f64 * task_s / f64::from(worker.slots.max(1));
        }
        deadline_after(seconds)
    }

    /// Tells what the tasks of a new lease are computed of. Until then no answer to it is
    /// accepted: its worker is to be told of the lease after this.
    pub fn set_inputs(&mut self, lease: LeaseId, inputs: Inputs) {
        if let Some(lease) = self.leases.get_mut(&lease) {
            self.inputs_bytes += inputs.bytes();
            self.inputs_bytes -= lease.inputs.replace(inputs).map_or(0, |old| old.bytes());
            lease.is_sent = true;
        }
    }
}
