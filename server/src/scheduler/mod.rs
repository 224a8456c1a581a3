//! Who computes what: pure policy. No I/O and no clock (every call takes `now`, a time since an
//! origin that the caller chooses once), and no chance but what follows from a seed.
//!
//! A job is an interval of indices. Of each job the scheduler keeps what is *settled* (an outcome
//! was taken), what is out in leases, and what is *pending*, as sets of intervals; every index is
//! in one of them. So memory and cost follow the leases out, not the tasks; only a task that
//! failed has an entry of its own.
//!
//! What is settled here is not yet durable: the caller records it, and reports it after that.

mod families;
mod holders;
mod ids_hash;
mod intervals;
mod sessions;
mod slots;
mod speeds;
#[cfg(test)]
mod tests;

pub use intervals::Intervals;
pub use sessions::Session;

use families::Families;
use holders::Holders;
use ids_hash::IdMap;
use intervals::count;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use sessions::{Memory, Past, Sessions};
use slots::Slots;
use speeds::Speed;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;
use tequio_protocol::grid::Grid;
use tequio_protocol::ids::{JobId, LeaseId, WorkerId};
use tequio_protocol::limits::{
    DEADLINE_FACTOR, DEADLINE_MIN, GRANT_SCAN_MAX, HOLD_MAX, LEASE_COPIES_MAX, LEASE_GROWTH,
    LEASE_TARGET, LEASES_PER_SLOT, RETRY_PATIENCE_FACTOR, SAMPLE_EVERY, SAMPLES_MIN, STRIKES_MAX,
    TASK_ATTEMPTS_MAX, TASK_ERROR_CHARS_MAX, WORKER_TASKS_MAX,
};
use tequio_protocol::number::Number;
use tequio_protocol::numbers::Numbers;
use tequio_protocol::op::{Op, RepeatMultiply};
use tequio_protocol::outcome::{Outcome, Outcomes};
use tequio_protocol::text::printable;

/// How far a plain client's result may lie from ours, relatively: browsers' own `Math.pow` and
/// the C libraries under other languages differ from each other in the last bits.
pub const PLAIN_TOLERANCE: f64 = 1e-12;

/// A share of the newest measurement in a running estimate: half, so that three leases make an
/// old speed a memory.
const NEWEST_SHARE: f64 = 0.5;

/// Below this, a time per task is a clock's grain and no measurement, in seconds.
const TASK_S_MIN: f64 = 1e-9;

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
}

/// Why an answer was refused; nothing of it counts.
#[derive(Clone, Debug, PartialEq)]
pub struct Refusal {
    /// What was wrong.
    pub reason: RefusalReason,
    /// Whether the worker has now been wrong too often: it is gone from the scheduler, and the
    /// caller turns it away.
    pub is_turned_away: bool,
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
    /// Workers that answer in time and have slots.
    able: usize,
    /// Leases that their workers are to be told to drop.
    revoked: Vec<(WorkerId, LeaseId)>,
    random: StdRng,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Hunger {
    /// A slot is idle.
    Idle,
    /// Every slot has work, and none waits behind it.
    Ahead,
}

#[derive(Debug)]
struct Job {
    spec: JobSpec,
    pending: Intervals,
    /// Tasks that failed and wait for another attempt.
    retry: BTreeSet<u64>,
    attempts: BTreeMap<u64, Attempts>,
    /// What is out.
    families: Families,
    /// Who has that.
    holders: Holders,
    task_s: Option<f64>,
    turn: u64,
    is_ready: bool,
}

#[derive(Debug, Default)]
struct Attempts {
    by: Vec<WorkerId>,
}

#[derive(Debug)]
struct Worker {
    mode: Mode,
    slots: u32,
    /// Those that it holds, the oldest first.
    leases: Vec<LeaseId>,
    /// Leases that expired, while nothing is heard of any lease: it may be frozen.
    overdue: u32,
    /// Leases that expired and that it may be computing all the same: they take their places
    /// until they are answered or released, since its slots are busy with them.
    late: BTreeSet<LeaseId>,
    memory: Memory,
    turn: u64,
    hunger: Option<Hunger>,
    is_able: bool,
}

#[derive(Clone, Debug)]
struct Lease {
    job: JobId,
    worker: WorkerId,
    /// What was lent.
    whole: Range<u64>,
    /// What is not answered: a tail of `whole`.
    rest: Range<u64>,
    family: LeaseId,
    deadline: Duration,
    /// How many times longer than others its worker has: tasks in it failed before.
    patience: u32,
    lent_at: Duration,
    /// When it was lent, or last answered.
    heard_at: Duration,
    /// None while its worker cannot have been told of it, and when nothing of it can count.
    inputs: Option<Inputs>,
    /// Whether its worker was told of it.
    is_sent: bool,
    /// It was given up because of a wrong result; what still comes of it is dropped.
    is_refused: bool,
}

impl Scheduler {
    /// A scheduler without jobs or workers. Leases are numbered from `first_lease`; which tasks
    /// are checked follows from `seed`, which no worker may guess.
    pub fn new(first_lease: LeaseId, seed: u64) -> Scheduler {
        Scheduler {
            jobs: IdMap::default(),
            workers: Slots::default(),
            leases: Slots::default(),
            sessions: Sessions::default(),
            first_lease,
            next_lease: first_lease,
            tasks_out: 0,
            turn: 0,
            ready: BTreeSet::new(),
            hungry: BTreeSet::new(),
            deadlines: BTreeSet::new(),
            able: 0,
            revoked: Vec::new(),
            random: StdRng::seed_from_u64(seed),
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
    pub fn add_worker(&mut self, id: WorkerId, mode: Mode, slots: u32) {
        let worker = Worker {
            mode,
            slots,
            leases: Vec::new(),
            overdue: 0,
            late: BTreeSet::new(),
            memory: Memory::new(slots),
            turn: self.turn,
            hunger: None,
            is_able: false,
        };
        self.workers.insert(id, worker);
        self.refresh_worker(id);
    }

    /// Whether the worker is entered.
    pub fn has_worker(&self, id: WorkerId) -> bool {
        self.workers.contains_key(&id)
    }

    /// A worker has more slots, or fewer. What it holds it keeps.
    pub fn set_slots(&mut self, id: WorkerId, slots: u32) {
        if let Some(worker) = self.workers.get_mut(&id) {
            worker.slots = slots;
            worker.memory.make_room(slots);
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
            self.sessions.keep(session, id, worker.memory, now);
        }
    }

    /// A worker in lease mode goes on with a session that is kept: results of what it held then
    /// count if nobody was faster. Tells who it was then, if there is such a session.
    pub fn resume_worker(
        &mut self,
        id: WorkerId,
        slots: u32,
        session: Session,
        now: Duration,
    ) -> Option<WorkerId> {
        let (was, memory) = self.sessions.take(session, now)?;
        if !self.has_worker(id) {
            self.add_worker(id, Mode::Lease, slots);
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
        self.able -= usize::from(worker.is_able);
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
        self.grant_pending(now).or_else(|| self.grant_copy(now))
    }

    fn grant_pending(&mut self, now: Duration) -> Option<Grant> {
        let (workers, jobs, able) = (&self.workers, &mut self.jobs, self.able);
        let mut hungry = self.hungry.iter().map(|(_, _, worker)| *worker).take(GRANT_SCAN_MAX);
        let (worker, job, range) = hungry.find_map(|worker| {
            let mut ready = self.ready.iter().map(|(_, _, job)| *job).take(GRANT_SCAN_MAX);
            ready.find_map(|id| {
                let range = jobs.get_mut(&id)?.take(id, worker, workers, able)?;
                Some((worker, id, range))
            })
        })?;
        Some(self.lend(job, worker, range, None, now))
    }

    /// When nothing is pending, an idle worker gets a copy of the oldest lease that may have one:
    /// of its tail, since its holder goes on from the front.
    fn grant_copy(&mut self, now: Duration) -> Option<Grant> {
        let idle: Vec<WorkerId> = self
            .hungry
            .iter()
            .take_while(|(hunger, _, _)| *hunger == Hunger::Idle)
            .take(GRANT_SCAN_MAX)
            .map(|(_, _, worker)| *worker)
            .collect();
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
        let size = job.size_for(worker, id).min(count(&unsettled));
        let range = unsettled.end - size..unsettled.end;
        let mut attempts = job.attempts.range(range.clone());
        let has_failed = attempts.any(|(_, attempts)| attempts.by.contains(&worker_id));
        (!has_failed).then_some(range)
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
        };
        let job = self.jobs.get_mut(&job_id).expect("the job was looked up");
        job.families.join(lease.family, id);
        job.holders.join(worker_id);
        self.leases.insert(id, lease);
        self.deadlines.insert((deadline, id));
        let worker = self.workers.get_mut(&worker_id).expect("the worker was looked up");
        worker.leases.push(id);
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

    // ---- Answers ----------------------------------------------------------------------------

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
        let mode = self.workers[&worker].mode;
        let samples = self.samples(&range);
        if let Some((index, got)) = held.wrong(&range, &results, &samples, inputs, mode) {
            return Err(self.wrong(worker, lease, index, got));
        }
        let job = held.job;
        self.heard(worker);
        self.measure(worker, &held, count(&range), duration, now);
        // A plain client's bits are its browser's; ours are everybody's.
        let mut results = match mode {
            Mode::Plain => range.clone().map(|index| inputs.compute(index)).collect(),
            Mode::Lease => results,
        };
        let accepted = self.settle(job, &range, |gap| {
            let place = |index: u64| (index - first) as usize;
            results.take(place(gap.start)..place(gap.end)).into()
        });
        let is_late = !self.leases.contains_key(&lease);
        self.advance(worker, lease, range.end, now);
        if is_late && !accepted.fresh.is_empty() {
            // Its tasks may have been lent anew, in any leases.
            self.revoke_all_settled(job);
        } else {
            self.revoke_settled(job, held.family);
        }
        self.refresh_job(job);
        Ok(accepted)
    }

    /// Which results of a message are checked: drawn after they came, so that nobody can know.
    fn samples(&mut self, range: &Range<u64>) -> Vec<u64> {
        let tasks = count(range);
        let wanted = SAMPLES_MIN + tasks / SAMPLE_EVERY;
        if tasks <= wanted {
            return range.clone().collect();
        }
        (0..wanted).map(|_| self.random.random_range(range.clone())).collect()
    }

    /// A worker could not compute the task at its lease's front. The error is the outcome after
    /// [`TASK_ATTEMPTS_MAX`] attempts; before that another worker tries, where there is one.
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
        let mut accepted = Accepted { job: Some(job_id), ..Accepted::default() };
        if job.spec.settled.contains(index) {
            accepted.duplicates = 1;
            self.advance(worker, lease, range.end, now);
            return Ok(accepted);
        }
        let attempts = job.attempts.entry(index).or_default();
        attempts.by.push(worker);
        if attempts.by.len() >= TASK_ATTEMPTS_MAX {
            let error = printable(error, TASK_ERROR_CHARS_MAX);
            let failed = || Outcome::Error { error: error.clone() };
            accepted = self.settle(job_id, &range, |_| [failed()].into_iter().collect());
            self.advance(worker, lease, range.end, now);
            self.revoke_settled(job_id, held.family);
        } else {
            self.advance(worker, lease, range.end, now);
            self.back_to_pending(job_id, held.family, range);
        }
        self.refresh_job(job_id);
        Ok(accepted)
    }

    /// A worker in plain mode will not answer the one task of its lease, present or past, and did not
    /// say why. That is an attempt where it leaves the task to nobody: of several that go home with
    /// copies of one task, late ones too, only the last one's is.
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
        let Some(id) = past.map(|past| past.job) else { return Accepted::default() };
        let is_late = self.workers.values().any(|worker| worker.is_late_with(id, index));
        let Some(job) = self.jobs.get_mut(&id) else { return Accepted::default() };
        let is_pending = job.pending.contains(index);
        if is_late || !is_pending && !job.retry.contains(&index) {
            // Others have it, or it is settled.
            return Accepted::default();
        }
        let attempts = job.attempts.entry(index).or_default();
        attempts.by.push(worker);
        let mut accepted = Accepted { job: Some(id), ..Accepted::default() };
        if attempts.by.len() >= TASK_ATTEMPTS_MAX {
            let error = printable(error, TASK_ERROR_CHARS_MAX);
            let range = index..index + 1;
            accepted = self.settle(id, &range, |_| {
                [Outcome::Error { error: error.clone() }].into_iter().collect()
            });
        } else if is_pending {
            job.pending.remove(index..index + 1);
            job.retry.insert(index);
        }
        self.refresh_job(id);
        accepted
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
        self.extend(lease, now, HOLD_MAX);
        let is_late = self.workers[&worker].late.contains(&lease);
        let is_settled = |job: &Job| job.spec.settled.covers(&held.rest);
        if is_late && self.jobs.get(&held.job).is_none_or(is_settled) {
            // Others were faster.
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
            past.forget_inputs();
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
                return Err(Refusal { reason, is_turned_away: false });
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

    /// Settles what of `range` is not settled, and says which that was, with its `outcomes`.
    fn settle(
        &mut self,
        id: JobId,
        range: &Range<u64>,
        mut outcomes: impl FnMut(&Range<u64>) -> Outcomes,
    ) -> Accepted {
        let Some(job) = self.jobs.get_mut(&id) else {
            return Accepted { duplicates: count(range), ..Accepted::default() };
        };
        let mut fresh = Vec::new();
        let mut fresh_count = 0;
        for gap in job.spec.settled.missing_in(range) {
            fresh_count += count(&gap);
            job.pending.remove(gap.clone());
            job.forget_attempts(&gap);
            job.spec.settled.insert(gap.clone());
            fresh.push((gap.start, outcomes(&gap)));
        }
        Accepted { job: Some(id), fresh, duplicates: count(range) - fresh_count }
    }

    /// The front of a lease has moved to `front`; at its end the lease is over.
    fn advance(&mut self, worker_id: WorkerId, id: LeaseId, front: u64, now: Duration) {
        let Some(lease) = self.leases.get_mut(&id) else {
            if let Some(worker) = self.workers.get_mut(&worker_id)
                && let Some(past) = worker.memory.past_mut(id)
                && past.advance(front)
            {
                self.forget_late(worker_id, id);
            }
            return;
        };
        if front <= lease.rest.start {
            // Sent before: it is no sign that the lease goes on.
            return;
        }
        self.tasks_out -= front - lease.rest.start;
        lease.rest.start = front;
        lease.heard_at = now;
        if lease.rest.is_empty() {
            self.end(id);
        } else {
            self.extend(id, now, Duration::MAX);
        }
    }

    /// Counts the time of a lease from now, until `hold_max` after it was lent or last answered.
    fn extend(&mut self, id: LeaseId, now: Duration, hold_max: Duration) {
        let Some(lease) = self.leases.get(&id) else { return };
        let job = &self.jobs[&lease.job];
        let task_s = job.task_s_of(&self.workers[&lease.worker], lease.job).unwrap_or(0.0);
        let expected = deadline_after(count(&lease.rest) as f64 * task_s);
        let time = expected.saturating_mul(lease.patience);
        let last = lease.heard_at.saturating_add(hold_max.max(time));
        let deadline = lease.deadline.max(now.saturating_add(time).min(last));
        self.deadlines.remove(&(lease.deadline, id));
        self.deadlines.insert((deadline, id));
        if let Some(lease) = self.leases.get_mut(&id) {
            lease.deadline = deadline;
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
    fn forget_late(&mut self, id: WorkerId, lease: LeaseId) {
        if let Some(worker) = self.workers.get_mut(&id)
            && worker.late.remove(&lease)
        {
            self.refresh_worker(id);
        }
    }

    /// A wrong result: the lease goes back whole, and the worker has a strike.
    fn wrong(&mut self, worker: WorkerId, lease: LeaseId, index: u64, got: Number) -> Refusal {
        self.heard(worker);
        self.give_back(lease);
        if let Some(worker) = self.workers.get_mut(&worker)
            && let Some(past) = worker.memory.past_mut(lease)
        {
            past.refuse();
        }
        // What is left of it need not be computed.
        self.forget_late(worker, lease);
        self.revoked.push((worker, lease));
        self.strike(worker, RefusalReason::Wrong { lease, index, got })
    }

    /// Counts something that an honest worker does not do, and lets the worker go the third time.
    fn strike(&mut self, id: WorkerId, reason: RefusalReason) -> Refusal {
        let is_turned_away = self.add_strike(id);
        Refusal { reason, is_turned_away }
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

    // ---- The end of leases ------------------------------------------------------------------

    /// When [`Scheduler::expire`] has something to do, if ever.
    pub fn next_timeout(&self) -> Option<Duration> {
        let deadline = self.deadlines.first().map(|(deadline, _)| *deadline);
        [deadline, self.sessions.next_timeout()].into_iter().flatten().min()
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
        let lease = self.leases.remove(&id)?;
        self.tasks_out -= count(&lease.rest);
        self.deadlines.remove(&(lease.deadline, id));
        if let Some(job) = self.jobs.get_mut(&lease.job) {
            job.families.leave(lease.family, id);
            job.holders.leave(lease.worker);
        }
        if let Some(worker) = self.workers.get_mut(&lease.worker) {
            if let Ok(at) = worker.leases.binary_search(&id) {
                worker.leases.remove(at);
            }
            let settled = self.jobs.get(&lease.job).map(|job| &job.spec.settled);
            let is_settled = settled.is_some_and(|settled| settled.covers(&lease.whole));
            worker.memory.remember(Past::new(id, &lease, is_settled), &worker.late);
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
        let Some(worker) = self.workers.get_mut(&id) else { return };
        let hunger = worker.hunger_now();
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
        self.able = self.able + usize::from(is_able) - usize::from(worker.is_able);
        worker.is_able = is_able;
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
        assert_eq!(able, self.able);
    }
}

impl Job {
    fn is_settled(&self) -> bool {
        !self.spec.is_open && self.spec.settled.len() == self.spec.total
    }

    fn lent(&self) -> u64 {
        let elsewhere = self.spec.settled.len() + self.pending.len() + self.retry.len() as u64;
        self.spec.total - elsewhere
    }

    /// How many tasks the worker's next lease of this job has.
    fn size_for(&self, worker: &Worker, id: JobId) -> u64 {
        if worker.mode == Mode::Plain {
            return 1;
        }
        let Some(task_s) = self.task_s_of(worker, id) else { return 1 };
        let aim = (LEASE_TARGET.as_secs_f64() / task_s) as u64;
        let count_max = worker.memory.speeds.get(id).map_or(LEASE_GROWTH, |speed| speed.count_max);
        // What is in flight is everybody's: no worker may hold so much that others get nothing.
        let share = WORKER_TASKS_MAX / u64::from(worker.slots * LEASES_PER_SLOT).max(1);
        aim.min(count_max).min(self.spec.lease_tasks_max).min(share).max(1)
    }

    /// Takes the next tasks for a worker out of what is pending. Of the `workers`, so many are `able`.
    fn take(
        &mut self,
        id: JobId,
        worker_id: WorkerId,
        workers: &Slots<WorkerId, Worker>,
        able: usize,
    ) -> Option<Range<u64>> {
        let worker = &workers[&worker_id];
        let retry = self.retry.iter().take(GRANT_SCAN_MAX).copied().find(|index| {
            let tried = &self.attempts[index].by;
            let others = able - usize::from(worker.is_able);
            let tried_others = tried.iter().filter(|id| {
                **id != worker_id && workers.get(id).is_some_and(|worker| worker.is_able)
            });
            !tried.contains(&worker_id) || tried_others.count() >= others
        });
        if let Some(index) = retry {
            self.retry.remove(&index);
            return Some(index..index + 1);
        }
        let range = self.pending.front(self.size_for(worker, id))?;
        self.pending.remove(range.clone());
        Some(range)
    }

    /// Seconds a task: the worker's own, or else what others have shown.
    fn task_s_of(&self, worker: &Worker, id: JobId) -> Option<f64> {
        worker.memory.speeds.get(id).map(|speed| speed.task_s).or(self.task_s)
    }

    /// How many times longer than for others a worker has for these tasks: more for each attempt
    /// at one of them that failed.
    fn patience_for(&self, range: &Range<u64>) -> u32 {
        let attempts = self.attempts.range(range.clone()).map(|(_, attempts)| attempts.by.len());
        RETRY_PATIENCE_FACTOR.saturating_pow(attempts.max().unwrap_or(0) as u32)
    }

    fn forget_attempts(&mut self, range: &Range<u64>) {
        while let Some((&index, _)) = self.attempts.range(range.clone()).next() {
            self.attempts.remove(&index);
            self.retry.remove(&index);
        }
    }
}

impl Worker {
    /// Whether it is a plain client that may still be computing a task that it was to answer long ago.
    fn is_late_with(&self, job: JobId, index: u64) -> bool {
        let mut past = self.late.iter().filter_map(|lease| self.memory.past(*lease));
        self.mode == Mode::Plain && past.any(|past| past.job == job && past.holds(index))
    }

    fn hunger_now(&self) -> Option<Hunger> {
        if self.overdue > 0 {
            return None;
        }
        let held = (self.leases.len() + self.late.len()) as u32;
        let room = match self.mode {
            Mode::Plain => 1,
            Mode::Lease => self.slots * LEASES_PER_SLOT,
        };
        if held < self.slots && held < room {
            Some(Hunger::Idle)
        } else if held < room {
            Some(Hunger::Ahead)
        } else {
            None
        }
    }
}

impl Lease {
    /// A result that cannot be right, with its index: of the samples, or one that is not finite and
    /// must be.
    fn wrong(
        &self,
        range: &Range<u64>,
        results: &Numbers,
        samples: &[u64],
        inputs: &Inputs,
        mode: Mode,
    ) -> Option<(u64, Number)> {
        let got = |index: u64| results.get((index - range.start) as usize);
        let is_wrong = |index: &u64| match mode {
            Mode::Lease => !got(*index).same_bits(inputs.compute(*index)),
            Mode::Plain => !got(*index).is_close(inputs.compute(*index), PLAIN_TOLERANCE),
        };
        let impossible = || {
            let mut indices = results.not_finite().map(|place| range.start + place as u64);
            indices.find(|index| inputs.of(*index).is_surely_finite())
        };
        let index = samples.iter().copied().find(is_wrong).or_else(impossible)?;
        Some((index, got(index)))
    }
}

fn blend(old: Option<f64>, new: f64) -> f64 {
    old.map_or(new, |old| old + NEWEST_SHARE * (new - old))
}

/// The time that a worker has for what is expected to take `seconds`.
fn deadline_after(seconds: f64) -> Duration {
    let expected = Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX / 8);
    DEADLINE_MIN.max(expected.saturating_mul(DEADLINE_FACTOR))
}
