//! Who computes what: pure policy. No I/O and no clock (every call takes `now`, a time since an
//! origin that the caller chooses once), and no chance but what follows from a seed.
//!
//! A job is an interval of indices. Of each job the scheduler keeps what is *settled* (an outcome
//! was taken), what is out in leases, and what is *pending*, as sets of intervals; every index is
//! in one of them. So memory and cost follow the leases out, not the tasks; only a task that
//! failed has an entry of its own.
//!
//! What is settled here is not yet durable: the caller records it, and reports it after that.

mod able;
mod answers;
mod audit;
mod families;
mod holders;
mod holding;
mod ids_hash;
mod intervals;
mod job;
mod lease;
mod memory;
mod past;
mod sessions;
mod slots;
mod speeds;
mod suspects;
#[cfg(test)]
mod tests;
mod worker;

pub use crate::bounds::Origin;
pub use audit::{Failures, PLAIN_TOLERANCE, Trust};
pub use intervals::Intervals;
pub use sessions::Session;

use able::Able;
use families::Families;
use holders::Holders;
use ids_hash::IdMap;
use intervals::count;
use job::Job;
use lease::{Lease, deadline_after};
use memory::Memory;
use past::{LateInputs, Past};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use sessions::{Kept, Sessions};
use slots::Slots;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;
use suspects::Suspects;
use tequio_protocol::grid::Grid;
use tequio_protocol::ids::{JobId, LeaseId, WorkerId};
use tequio_protocol::limits::{DEADLINE_MIN, GRANT_SCAN_MAX, LEASE_COPIES_MAX};
use tequio_protocol::number::Number;
use tequio_protocol::op::{Op, RepeatMultiply};
use tequio_protocol::outcome::Outcomes;
use worker::{Hunger, Worker};

/// A job, as the scheduler needs to know it.
#[derive(Clone, Debug)]
pub struct JobSpec {
    /// What is computed.
    pub op: Op,
    /// Tasks that it has.
    pub total: u64,
    /// Higher ones come first; equal ones share the workers in turn.
    pub priority: i32,
    /// The most tasks of one lease.
    pub lease_tasks_max: u64,
    /// Whether it may grow.
    pub is_open: bool,
    /// Whether it is handed out.
    pub is_paused: bool,
    /// What has an outcome already.
    pub settled: Intervals,
}

/// How a worker takes its tasks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// One task at a time; its results may differ by [`PLAIN_TOLERANCE`].
    Plain,
    /// Leases; its results must match to the bit.
    Lease,
}

/// What a worker is lent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    /// The new lease.
    pub lease: LeaseId,
    /// The job.
    pub job: JobId,
    /// To whom.
    pub worker: WorkerId,
    /// Which tasks, at least one.
    pub range: Range<u64>,
    /// Until when.
    pub deadline: Duration,
    /// Whether others hold these tasks as well.
    pub is_copy: bool,
}

/// What the tasks of a lease are computed of; cloning it costs nothing.
#[derive(Clone, Debug)]
pub enum Inputs {
    /// The job's grid.
    Grid(Arc<Grid>),
    /// A list whose first element is the task `first`'s.
    List {
        /// The first task.
        first: u64,
        /// One a task.
        inputs: Arc<[RepeatMultiply]>,
    },
}

impl Inputs {
    /// What task `index` comes to.
    fn compute(&self, index: u64) -> Number {
        Number(self.of(index).compute())
    }

    /// The input of task `index`.
    fn of(&self, index: u64) -> RepeatMultiply {
        match self {
            Inputs::Grid(grid) => grid.input(index),
            Inputs::List { first, inputs } => inputs[(index - first) as usize],
        }
    }
}

/// What came of an answer.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Accepted {
    /// The job, if it is still there.
    pub job: Option<JobId>,
    /// Outcomes that are the first of their tasks, to be recorded: runs with their first index.
    pub fresh: Vec<(u64, Outcomes)>,
    /// Outcomes that were dropped, because their tasks had one.
    pub duplicates: u64,
    /// Who came to the fresh ones.
    pub by: By,
}

/// Who came to an outcome.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum By {
    /// The worker that sent it.
    #[default]
    Worker,
    /// The server, where the worker said that nobody could.
    Server,
}

/// Why an answer was refused.
#[derive(Clone, Debug, PartialEq)]
pub struct Refusal {
    /// What was wrong.
    pub reason: RefusalReason,
    /// Whether the worker has now been wrong too often: it is gone from the scheduler, and the
    /// caller turns it away.
    pub is_turned_away: bool,
    /// What of it was found right, where all of it was audited; nothing else of it counts.
    pub saved: Accepted,
}

/// What was wrong with an answer.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[expect(missing_docs, reason = "the messages say it")]
pub enum RefusalReason {
    #[error("lease {0} is not this worker's, and was not lately")]
    UnknownLease(LeaseId),
    #[error("lease {lease} is {front}..{end} now, and this is about {first}..{last}")]
    OutOfShape { lease: LeaseId, front: u64, end: u64, first: u64, last: u64 },
    #[error("the result of task {index} is not {got}")]
    Wrong { lease: LeaseId, index: u64, got: Number },
    #[error("task {index} has not failed: its result is {number}")]
    Refuted { lease: LeaseId, index: u64, number: Number },
}

/// A lease that its worker did not answer in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Expired {
    /// The lease.
    pub lease: LeaseId,
    /// Its job.
    pub job: JobId,
    /// Its worker.
    pub worker: WorkerId,
}

/// What is out of a job.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Lent {
    /// Tasks in leases, each once.
    pub tasks: u64,
    /// Workers that hold them.
    pub workers: u32,
}

/// The policy and its state.
#[derive(Debug)]
pub struct Scheduler {
    jobs: IdMap<JobId, Job>,
    workers: Slots<WorkerId, Worker>,
    leases: Slots<LeaseId, Lease>,
    /// What is known of workers that may come back.
    sessions: Sessions,
    late_inputs: LateInputs,
    first_lease: LeaseId,
    next_lease: LeaseId,
    /// Tasks that leases still have to answer, copies counted each.
    tasks_out: u64,
    /// Counts grants: who was served longest ago has the lowest.
    turn: u64,
    /// Jobs that have something to hand out, the next one first.
    ready: BTreeSet<(Reverse<i32>, u64, JobId)>,
    /// Workers that may take more: those with an idle slot first, then by turns.
    hungry: BTreeSet<(Hunger, u64, WorkerId)>,
    deadlines: BTreeSet<(Duration, LeaseId)>,
    /// Leases that are out for longer than their time because their workers say that they go on, by
    /// when that was over; and those for which it is by now.
    kept: BTreeSet<(Duration, LeaseId)>,
    stalled: BTreeSet<LeaseId>,
    /// Leases of workers that had shown nothing when they were lent.
    newcomers: BTreeSet<LeaseId>,
    /// Where somebody was turned away lately, and who waits there for a first lease.
    suspects: Suspects,
    resting: BTreeSet<(Duration, WorkerId)>,
    able: Able,
    /// Leases that their workers are to be told to drop.
    revoked: Vec<(WorkerId, LeaseId)>,
    /// Leases that ended before their deadlines.
    taken_over: Vec<Expired>,
    failures: Failures,
    random: StdRng,
}

impl Scheduler {
    /// A scheduler without jobs or workers. Leases are numbered from `first_lease`.
    pub fn new(first_lease: LeaseId, trust: impl Into<Trust>) -> Scheduler {
        let trust = trust.into();
        Scheduler {
            jobs: IdMap::default(),
            workers: Slots::default(),
            leases: Slots::default(),
            sessions: Sessions::default(),
            late_inputs: LateInputs::default(),
            first_lease,
            next_lease: first_lease,
            tasks_out: 0,
            turn: 0,
            ready: BTreeSet::new(),
            hungry: BTreeSet::new(),
            deadlines: BTreeSet::new(),
            kept: BTreeSet::new(),
            stalled: BTreeSet::new(),
            newcomers: BTreeSet::new(),
            suspects: Suspects::default(),
            resting: BTreeSet::new(),
            able: Able::default(),
            revoked: Vec::new(),
            taken_over: Vec::new(),
            failures: trust.failures,
            random: StdRng::from_seed(trust.seed),
        }
    }

    // ---- Jobs -------------------------------------------------------------------------------

    /// Enters a job.
    pub fn add_job(&mut self, id: JobId, spec: JobSpec) {
        let pending = spec.settled.missing_in(&(0..spec.total)).into_iter().collect();
        let job = Job {
            spec,
            pending,
            retry: BTreeSet::new(),
            attempts: BTreeMap::new(),
            families: Families::default(),
            holders: Holders::default(),
            task_s: None,
            turn: self.turn,
            is_ready: false,
        };
        self.jobs.insert(id, job);
        self.refresh_job(id);
    }

    /// Lets an open job grow to `total` tasks, and to no more unless `is_open`.
    pub fn grow_job(&mut self, id: JobId, total: u64, is_open: bool) {
        let Some(job) = self.jobs.get_mut(&id) else { return };
        job.pending.insert(job.spec.total..total);
        job.spec.total = job.spec.total.max(total);
        job.spec.is_open = is_open;
        self.refresh_job(id);
    }

    /// Stops or resumes handing a job out. What is out is taken all the same.
    pub fn set_paused(&mut self, id: JobId, is_paused: bool) {
        let Some(job) = self.jobs.get_mut(&id) else { return };
        job.spec.is_paused = is_paused;
        self.refresh_job(id);
    }

    /// Forgets a job that is over, and revokes what is out of it.
    pub fn remove_job(&mut self, id: JobId) {
        let Some(job) = self.jobs.get_mut(&id) else { return };
        let out: Vec<LeaseId> = job.families.leases().collect();
        for lease in out {
            self.revoke(lease);
        }
        if let Some(job) = self.jobs.remove(&id)
            && job.is_ready
        {
            self.ready.remove(&(Reverse(job.spec.priority), job.turn, id));
        }
        self.sessions.forget_job(id);
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

    /// Whether every task of the job is settled, and no more can come.
    pub fn is_settled(&self, id: JobId) -> bool {
        self.jobs.get(&id).is_some_and(Job::is_settled)
    }

    /// What is out of a job. It costs no more where much is: whoever looks at a job asks.
    pub fn lent(&self, id: JobId) -> Lent {
        let Some(job) = self.jobs.get(&id) else { return Lent::default() };
        Lent { tasks: job.lent(), workers: job.holders.len() as u32 }
    }

    // ---- Workers ----------------------------------------------------------------------------

    /// Enters a worker, which is lent something from now on.
    pub fn add_worker(
        &mut self,
        id: WorkerId,
        origin: Origin,
        mode: Mode,
        slots: u32,
        now: Duration,
    ) {
        let worker = Worker {
            origin,
            mode,
            slots,
            leases: Vec::new(),
            tasks_held: 0,
            overdue: 0,
            late: BTreeSet::new(),
            memory: Memory::default(),
            rests_until: self.suspects.rest(origin, now),
            turn: self.turn,
            hunger: None,
            is_able: false,
        };
        self.resting.extend(worker.rests_until.map(|until| (until, id)));
        self.workers.insert(id, worker);
        self.refresh_worker(id);
    }

    /// A worker need not wait for a lease any more.
    fn wake(&mut self, id: WorkerId) {
        let worker = self.workers.get_mut(&id);
        if let Some(until) = worker.and_then(|worker| worker.rests_until.take()) {
            self.resting.remove(&(until, id));
            self.refresh_worker(id);
        }
    }

    /// Whether the worker is entered.
    pub fn has_worker(&self, id: WorkerId) -> bool {
        self.workers.contains_key(&id)
    }

    /// A worker has more slots, or fewer. What it holds it keeps.
    pub fn set_slots(&mut self, id: WorkerId, slots: u32) {
        if let Some(worker) = self.workers.get_mut(&id) {
            worker.slots = slots;
            self.refresh_worker(id);
        }
    }

    /// A worker has said hello: from now on it takes leases. What it holds it keeps.
    pub fn set_mode(&mut self, id: WorkerId, mode: Mode) {
        if let Some(worker) = self.workers.get_mut(&id) {
            worker.mode = mode;
            self.refresh_worker(id);
        }
    }

    /// A worker is gone for good: what it held is pending again.
    pub fn remove_worker(&mut self, id: WorkerId) {
        self.take_worker(id);
    }

    /// A name for what a worker will have on its connection. It comes from the generator that draws
    /// the samples: a second one of the same seed would tell in its names what is checked.
    pub fn new_session(&mut self) -> Session {
        Session(self.random.random())
    }

    /// A worker is gone and may come back as `session`: what it held is pending again, and what is
    /// known of it is kept for a while.
    pub fn keep_worker(&mut self, id: WorkerId, session: Session, now: Duration) {
        if let Some(mut worker) = self.take_worker(id) {
            worker.memory.lose(&self.jobs, self.next_lease);
            let Worker { origin, memory, .. } = worker;
            self.sessions.keep(Kept::new(session, id, origin, memory, now));
        }
    }

    /// A worker in lease mode goes on with a session that is kept: results of what it held then
    /// count if nobody was faster, and it need not wait as a newcomer does if some were taken before.
    /// Tells who it was then, if there is such a session.
    pub fn resume_worker(
        &mut self,
        id: WorkerId,
        origin: Origin,
        slots: u32,
        session: Session,
        now: Duration,
    ) -> Option<WorkerId> {
        let (was, memory) = self.sessions.take(session, now)?;
        if !self.has_worker(id) {
            self.add_worker(id, origin, Mode::Lease, slots, now);
        }
        if memory.credit.taken > 0 {
            self.wake(id);
        }
        self.set_mode(id, Mode::Lease);
        self.workers.get_mut(&id)?.memory.resume(memory);
        self.set_slots(id, slots);
        Some(was)
    }

    fn take_worker(&mut self, id: WorkerId) -> Option<Worker> {
        for lease in self.workers.get(&id)?.leases.clone() {
            self.give_back(lease);
        }
        let worker = self.workers.remove(&id)?;
        if let Some(hunger) = worker.hunger {
            self.hungry.remove(&(hunger, worker.turn, id));
        }
        if let Some(until) = worker.rests_until {
            self.resting.remove(&(until, id));
        }
        if worker.is_able {
            self.able.remove(worker.origin);
        }
        Some(worker)
    }

    /// The range that a lease out still has to answer, and its job.
    pub fn rest_of(&self, id: LeaseId) -> Option<(JobId, Range<u64>)> {
        self.leases.get(&id).map(|lease| (lease.job, lease.rest.clone()))
    }

    /// How many leases a worker holds.
    pub fn leases_of(&self, id: WorkerId) -> u32 {
        self.workers.get(&id).map_or(0, |worker| worker.leases.len() as u32)
    }

    /// How many tasks leases still have to answer, copies counted each.
    pub fn tasks_out(&self) -> u64 {
        self.tasks_out
    }

    /// How many leases are out.
    pub fn leases_out(&self) -> usize {
        self.leases.len()
    }

    // ---- Granting ---------------------------------------------------------------------------

    /// The next lease to grant, if a worker has room and a job has something for it.
    pub fn grant(&mut self, now: Duration) -> Option<Grant> {
        let granted = self.grant_pending(now).or_else(|| self.grant_copy(now));
        granted.or_else(|| self.grant_taken_over(now))
    }

    fn grant_pending(&mut self, now: Duration) -> Option<Grant> {
        let (workers, jobs, leases) = (&self.workers, &mut self.jobs, &self.leases);
        let (able, out) = (&self.able, self.tasks_out);
        let mut hungry = self.hungry.iter().map(|(_, _, worker)| *worker).take(GRANT_SCAN_MAX);
        let (worker, job, range) = hungry.find_map(|worker| {
            let mut ready = self.ready.iter().map(|(_, _, job)| *job).take(GRANT_SCAN_MAX);
            ready.find_map(|id| {
                let job = jobs.get_mut(&id)?;
                let range = job
                    .take_retry(worker, workers, leases, able)
                    .or_else(|| job.take_pending(job.size_for(&workers[&worker], id, out)));
                Some((worker, id, range?))
            })
        })?;
        Some(self.lend(job, worker, range, None, now))
    }

    /// When nothing is pending, an idle worker gets a copy of the oldest lease that may have one:
    /// of its tail, since its holder goes on from the front.
    fn grant_copy(&mut self, now: Duration) -> Option<Grant> {
        let idle: Vec<WorkerId> = self.idle().take(GRANT_SCAN_MAX).collect();
        if idle.is_empty() {
            return None;
        }
        let mut copyable: Vec<(LeaseId, JobId)> = self
            .jobs
            .iter()
            .filter(|(_, job)| !job.spec.is_paused)
            .flat_map(|(id, job)| {
                job.families.copyable().take(GRANT_SCAN_MAX).map(|root| (root, *id))
            })
            .collect();
        copyable.sort_unstable();
        copyable.truncate(GRANT_SCAN_MAX);
        for worker in idle {
            for &(root, job) in &copyable {
                if let Some(range) = self.copy_for(worker, job, root) {
                    return Some(self.lend(job, worker, range, Some(root), now));
                }
            }
        }
        None
    }

    fn copy_for(&self, worker_id: WorkerId, id: JobId, root: LeaseId) -> Option<Range<u64>> {
        let (job, worker) = (&self.jobs[&id], &self.workers[&worker_id]);
        let members = || job.families.members(root).iter().map(|lease| &self.leases[lease]);
        if members().any(|lease| lease.worker == worker_id) {
            return None;
        }
        // The longest rest is the one that would be waited for. Its tail may be settled by a copy.
        let rest = members().map(|lease| lease.rest.clone()).max_by_key(count)?;
        let unsettled = job.spec.settled.missing_in(&rest).pop()?;
        let size = job.size_for(worker, id, self.tasks_out).min(count(&unsettled));
        let range = unsettled.end - size..unsettled.end;
        let mut attempts = job.attempts.range(range.clone());
        let has_failed = attempts.any(|(_, attempts)| attempts.has(worker_id));
        (!has_failed && !worker.is_late_with(id, &range)).then_some(range)
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
            family: copy_of.unwrap_or(id),
            deadline,
            patience,
            lent_at: now,
            heard_at: now,
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
        job.families.join(lease.family, id);
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

    /// Who was served goes to the end of its queue.
    fn move_turn(&mut self, job_id: JobId, worker_id: WorkerId) {
        if let Some(job) = self.jobs.get_mut(&job_id) {
            if job.is_ready {
                self.ready.remove(&(Reverse(job.spec.priority), job.turn, job_id));
                job.is_ready = false;
            }
            job.turn = self.turn;
        }
        if let Some(worker) = self.workers.get_mut(&worker_id) {
            if let Some(hunger) = worker.hunger.take() {
                self.hungry.remove(&(hunger, worker.turn, worker_id));
            }
            worker.turn = self.turn;
        }
        self.refresh_job(job_id);
        self.refresh_worker(worker_id);
    }

    /// Tells what the tasks of a new lease are computed of. Until then nothing is taken as an answer
    /// to it: its worker is to be told of the lease after this.
    pub fn set_inputs(&mut self, lease: LeaseId, inputs: Inputs) {
        if let Some(lease) = self.leases.get_mut(&lease) {
            lease.inputs = Some(inputs);
            lease.is_sent = true;
        }
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

    // ---- The end of leases ------------------------------------------------------------------

    /// When [`Scheduler::expire`] has something to do, if ever.
    pub fn next_timeout(&self) -> Option<Duration> {
        let deadline = self.deadlines.first().map(|(deadline, _)| *deadline);
        let kept = self.kept.first().map(|(due, _)| *due);
        let resting = self.resting.first().map(|(until, _)| *until);
        [deadline, kept, resting, self.sessions.next_timeout()].into_iter().flatten().min()
    }

    /// Takes back every lease whose deadline has passed, and drops the sessions that were kept for
    /// long enough. What the worker of a lease still sends counts if nobody was faster.
    pub fn expire(&mut self, now: Duration) -> Vec<Expired> {
        self.sessions.expire(now);
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
                worker.overdue += 1;
                worker.memory.credit.standing = 0;
                // It was asked for too much, or it is gone: it begins with little again.
                if let Some(speed) = worker.memory.speeds.get_mut(job) {
                    speed.count_max = 1;
                }
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
    pub fn take_revoked(&mut self) -> Vec<(WorkerId, LeaseId)> {
        std::mem::take(&mut self.revoked)
    }

    /// Ends a lease; what it had not answered is pending again, unless a copy covers it.
    fn give_back(&mut self, id: LeaseId) {
        if let Some(lease) = self.end(id) {
            self.back_to_pending(lease.job, lease.family, lease.rest);
            self.refresh_job(lease.job);
        }
    }

    fn revoke(&mut self, id: LeaseId) {
        if let Some(lease) = self.end(id) {
            self.revoked.push((lease.worker, id));
        }
    }

    /// What others of a family hold that is settled by now is not waited for.
    fn revoke_settled(&mut self, job: JobId, family: LeaseId) {
        let Some(state) = self.jobs.get(&job) else { return };
        let members = state.families.members(family).to_vec();
        self.revoke_those_settled(job, &members);
    }

    fn revoke_all_settled(&mut self, job: JobId) {
        let Some(state) = self.jobs.get(&job) else { return };
        let out: Vec<LeaseId> = state.families.leases().collect();
        self.revoke_those_settled(job, &out);
    }

    fn revoke_those_settled(&mut self, job: JobId, leases: &[LeaseId]) {
        let Some(state) = self.jobs.get(&job) else { return };
        let needless: Vec<LeaseId> = leases
            .iter()
            .filter(|lease| state.spec.settled.covers(&self.leases[lease].rest))
            .copied()
            .collect();
        for lease in needless {
            self.revoke(lease);
        }
    }

    /// Moves a lease from those out to its worker's past.
    fn end(&mut self, id: LeaseId) -> Option<Lease> {
        self.is_not_kept(id);
        let lease = self.leases.remove(&id)?;
        if lease.is_newcomers {
            self.newcomers.remove(&id);
        }
        self.tasks_out -= count(&lease.rest);
        self.deadlines.remove(&(lease.deadline, id));
        if let Some(job) = self.jobs.get_mut(&lease.job) {
            job.families.leave(lease.family, id);
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

    fn back_to_pending(&mut self, id: JobId, family: LeaseId, range: Range<u64>) {
        let Some(job) = self.jobs.get_mut(&id) else { return };
        let mut covered = job.spec.settled.clone_within(&range);
        for member in job.families.members(family) {
            covered.insert(self.leases[member].rest.clone());
        }
        for gap in covered.missing_in(&range) {
            let tried: Vec<u64> =
                job.attempts.range(gap.clone()).map(|(index, _)| *index).collect();
            job.pending.insert(gap);
            for index in tried {
                job.pending.remove(index..index + 1);
                job.retry.insert(index);
            }
        }
    }

    // ---- Queues -----------------------------------------------------------------------------

    /// Puts a job where its state says that it belongs.
    fn refresh_job(&mut self, id: JobId) {
        let Some(job) = self.jobs.get_mut(&id) else { return };
        let has_work = !job.pending.is_empty() || !job.retry.is_empty();
        let is_ready = has_work && !job.spec.is_paused;
        if is_ready != job.is_ready {
            job.is_ready = is_ready;
            let entry = (Reverse(job.spec.priority), job.turn, id);
            if is_ready {
                self.ready.insert(entry);
            } else {
                self.ready.remove(&entry);
            }
        }
    }

    /// Puts a worker where its state says that it belongs.
    fn refresh_worker(&mut self, id: WorkerId) {
        let (leases_out, tasks_out) = (self.leases.len(), self.tasks_out);
        let Some(worker) = self.workers.get_mut(&id) else { return };
        let hunger = worker.hunger_now(leases_out, tasks_out);
        if hunger != worker.hunger {
            if let Some(old) = worker.hunger {
                self.hungry.remove(&(old, worker.turn, id));
            }
            if let Some(new) = hunger {
                self.hungry.insert((new, worker.turn, id));
            }
            worker.hunger = hunger;
        }
        // One that is busy with what is late may never come to anything else: no retry waits for it.
        let is_able = worker.slots > 0 && worker.overdue == 0 && worker.late.is_empty();
        match (std::mem::replace(&mut worker.is_able, is_able), is_able) {
            (false, true) => self.able.add(worker.origin),
            (true, false) => self.able.remove(worker.origin),
            _ => {}
        }
    }

    /// Checks what must always hold: every index of every job is in exactly one of *settled*,
    /// *pending*, *to be retried* and *out*; nothing is out in more than the allowed copies, nor
    /// twice to one worker. For tests, since it costs what is out.
    ///
    /// # Panics
    ///
    /// Where something does not hold.
    pub fn assert_consistent(&self) {
        for (id, job) in &self.jobs {
            let mut out = Intervals::default();
            job.families.assert_consistent();
            job.holders.assert_counts(job.families.leases().map(|id| self.leases[&id].worker));
            for (root, members) in job.families.iter() {
                assert!(!members.is_empty() && members.len() <= LEASE_COPIES_MAX + 1, "{root}");
                let holders: BTreeSet<_> = members.iter().map(|l| self.leases[l].worker).collect();
                assert_eq!(holders.len(), members.len(), "{root} is out twice to one worker");
                let mut family = Intervals::default();
                for member in members {
                    family.insert(self.leases[member].rest.clone());
                }
                for range in family.iter() {
                    let unsettled = job.spec.settled.missing_in(&range);
                    for gap in unsettled {
                        assert_eq!(out.insert(gap.clone()), count(&gap), "families overlap");
                    }
                }
            }
            for index in &job.retry {
                assert_eq!(out.insert(*index..index + 1), 1, "{index} is out and to be retried");
                assert!(job.attempts.contains_key(index));
            }
            for part in job.pending.iter().chain(job.spec.settled.iter()) {
                assert_eq!(out.insert(part.clone()), count(&part), "{part:?} is in two places");
            }
            assert_eq!(out.len(), job.spec.total, "job {id}: every index is somewhere");
        }
        self.leases.assert_consistent();
        self.workers.assert_consistent();
        for (id, lease) in self.leases.iter() {
            assert!(self.workers[&lease.worker].leases.contains(&id));
            assert!(self.deadlines.contains(&(lease.deadline, id)));
            assert!(self.jobs[&lease.job].families.members(lease.family).contains(&id));
        }
        assert_eq!(self.deadlines.len(), self.leases.len());
        let tasks_out: u64 = self.leases.values().map(|lease| count(&lease.rest)).sum();
        assert_eq!(self.tasks_out, tasks_out);
        for worker in self.workers.values() {
            assert!(worker.late.iter().all(|lease| worker.memory.past(*lease).is_some()));
            assert!(worker.leases.is_sorted());
            worker.memory.assert_consistent();
        }
        self.sessions.assert_consistent();
        let held: usize = self.workers.values().map(|worker| worker.leases.len()).sum();
        assert_eq!(held, self.leases.len());
        let able = self.workers.values().filter(|worker| worker.is_able).count();
        assert_eq!((able, able), (self.able.workers, self.able.at.values().sum()));
        self.assert_holding_consistent();
    }
}
