//! The policy, step by step on virtual time; after each step everything must be consistent.

#![allow(clippy::single_range_in_vec_init, reason = "one interval is meant, not its indices")]

mod any_order;
mod blocks;
#[cfg(feature = "test-ops")]
mod claims;
mod deadlines;
#[cfg(feature = "test-ops")]
mod disputes;
mod end;
mod hold;
mod intervals;
mod judge;
mod lend;
mod queues;
mod sessions;
mod settle;
mod skills;
mod trust;
mod twice;

use super::intervals::count;
use super::speeds::Speed;
use super::*;
use std::net::{IpAddr, Ipv4Addr};
use tequio_protocol::limits::{CLAIMS_BYTES_MAX, CLAIMS_HELD_BYTES_MAX, LEASE_TASKS_MAX};
use tequio_protocol::number::Number;
use tequio_protocol::outcome::Outcome;

const JOB: JobId = JobId(1);
const OTHER: JobId = JobId(2);

/// A time per task at which a lease of many tasks aims at 100.
const TASK_TIME: Duration = Duration::from_millis(10);

/// A scheduler on virtual time, and workers that know what is right.
struct Bench {
    scheduler: Scheduler,
    now: Duration,
}

/// What task `index` comes to.
fn right(index: u64) -> Number {
    Number(index as f64 / 3.0)
}

/// The input of a task of `repeat_multiply`.
fn input(initial: f64, factor: f64, times: u64) -> String {
    format!(r#"{{"initial":{initial:?},"factor":{factor:?},"times":{times}}}"#)
}

/// Inputs that come to [`right`], but for some that come to something else.
fn inputs_with(range: Range<u64>, other: &[(u64, String)]) -> Inputs {
    let input = |index: u64| {
        let known = other.iter().find(|(at, _)| *at == index).map(|(_, input)| input.clone());
        known.unwrap_or_else(|| input(right(index).0, 1.0, 0))
    };
    let inputs: Values = range.clone().map(input).collect();
    Inputs::List { first: range.start, inputs: inputs.into() }
}

/// Results as they are sent.
fn texts(results: &[Number]) -> Outcomes {
    let texts = results.iter().map(|number| serde_json::to_string(number).unwrap());
    Outcomes::from(texts.collect::<Values>())
}

fn rights(range: Range<u64>) -> Vec<Number> {
    range.map(right).collect()
}

fn outcomes(range: Range<u64>) -> Vec<(u64, Outcomes)> {
    vec![(range.start, texts(&rights(range)))]
}

fn spec(total: u64) -> JobSpec {
    JobSpec {
        op: op::named("repeat_multiply").unwrap(),
        total,
        block: 1,
        check: Check::Auto,
        priority: 0,
        lease_tasks_max: LEASE_TASKS_MAX,
        is_open: false,
        is_paused: false,
        settled: Intervals::default(),
    }
}

fn all_skills() -> Skills {
    Skills::named(op::ALL.iter().map(|op| op.name()))
}

fn worker(id: u64) -> WorkerId {
    WorkerId(id)
}

/// Where everybody is, unless a test says otherwise.
fn here() -> Origin {
    at(1)
}

fn at(place: u8) -> Origin {
    Origin::from(IpAddr::from(Ipv4Addr::new(10, 0, 0, place)))
}

fn tasks_of(result: &Result<Accepted, Refusal>) -> Option<(u64, u64)> {
    let accepted = result.as_ref().ok()?;
    let fresh = accepted.fresh.iter().map(|(_, outcomes)| outcomes.len()).sum();
    Some((fresh, accepted.duplicates))
}

/// What is accepted of an answer: fresh outcomes, and duplicates.
#[track_caller]
fn assert_accepted(result: &Result<Accepted, Refusal>, fresh: u64, duplicates: u64) {
    assert_eq!(tasks_of(result), Some((fresh, duplicates)), "{result:?}");
}

impl Bench {
    /// Nobody can compute what is said to have failed.
    fn new() -> Bench {
        Bench::with_failures(Failures::Believed)
    }

    fn with_failures(failures: Failures) -> Bench {
        let trust = Trust { failures, ..Trust::from(7) };
        Bench { scheduler: Scheduler::new(LeaseId(1), trust), now: Duration::from_secs(1000) }
    }

    /// One job and some workers of one slot each.
    fn with(total: u64, workers: u64) -> Bench {
        let mut bench = Bench::new();
        bench.add_job(JOB, spec(total));
        for id in 1..=workers {
            bench.add_worker(id, 1);
        }
        bench
    }

    /// As [`Bench::with`], and every worker is known for [`TASK_TIME`], in so large a lease that
    /// nothing but the aim bounds the next.
    fn with_known(total: u64, workers: u64) -> Bench {
        let mut bench = Bench::with(total, workers);
        for id in 1..=workers {
            bench.set_speed(id, TASK_TIME.as_secs_f64());
        }
        bench
    }

    /// What a worker has shown so far: how long a task takes it, and that it computes any number.
    fn set_speed(&mut self, id: u64, task_s: f64) {
        let memory = &mut self.scheduler.workers.get_mut(&worker(id)).unwrap().memory;
        memory.speeds.insert(JOB, Speed { task_s, count_max: 1 << 20 });
        memory.credit.add_accepted(1 << 20);
        self.scheduler.clear_newcomer(worker(id));
        self.scheduler.refresh_worker(worker(id));
    }

    /// So many results of a worker were found right that the fewest are audited.
    fn set_audited(&mut self, id: u64) {
        self.scheduler.workers.get_mut(&worker(id)).unwrap().memory.credit.audited = 1 << 30;
    }

    fn act<T>(&mut self, action: impl FnOnce(&mut Scheduler, Duration) -> T) -> T {
        let answer = action(&mut self.scheduler, self.now);
        self.scheduler.assert_consistent();
        answer
    }

    fn add_job(&mut self, id: JobId, spec: JobSpec) {
        self.act(|scheduler, _| scheduler.add_job(id, spec));
    }

    fn add_worker(&mut self, id: u64, slots: u32) {
        self.add_worker_at(here(), id, slots);
    }

    fn add_worker_at(&mut self, origin: Origin, id: u64, slots: u32) {
        self.act(|scheduler, now| {
            scheduler.add_worker(worker(id), origin, Mode::Lease, all_skills(), slots, now);
        });
    }

    fn add_plain(&mut self, id: u64) {
        self.act(|scheduler, now| {
            scheduler.add_worker(worker(id), here(), Mode::Plain, Skills::plain(), 1, now);
        });
    }

    /// A worker's connection is lost.
    fn lose(&mut self, id: u64) -> SessionId {
        let session = self.act(|scheduler, _| scheduler.new_session_id());
        self.act(|scheduler, now| scheduler.keep_worker(worker(id), session, now));
        session
    }

    fn resume(&mut self, id: u64, slots: u32, session: SessionId) -> Option<WorkerId> {
        self.act(|scheduler, now| {
            scheduler.resume_worker(worker(id), here(), all_skills(), slots, session, now)
        })
    }

    fn set_slots(&mut self, id: u64, slots: u32) {
        self.act(|scheduler, _| scheduler.set_slots(worker(id), slots));
    }

    /// The next lease, sent to its worker.
    fn grant(&mut self) -> Option<Grant> {
        let grant = self.act(|scheduler, now| scheduler.grant(now))?;
        let inputs = inputs_with(grant.range.clone(), &[]);
        self.act(|scheduler, _| scheduler.set_inputs(grant.lease, inputs));
        Some(grant)
    }

    fn grants(&mut self) -> Vec<Grant> {
        std::iter::from_fn(|| self.grant()).collect()
    }

    /// The next lease, which must be to this worker.
    #[track_caller]
    fn grant_to(&mut self, id: u64) -> Grant {
        let grant = self.grant().expect("something is to be granted");
        assert_eq!(grant.worker, worker(id), "{grant:?}");
        grant
    }

    fn send(
        &mut self,
        grant: &Grant,
        first: u64,
        results: &[Number],
        duration: Option<Duration>,
    ) -> Result<Accepted, Refusal> {
        let (worker, lease) = (grant.worker, grant.lease);
        let results = texts(results);
        self.act(|scheduler, now| scheduler.results(worker, lease, first, results, duration, now))
    }

    /// Right results of a part, after the time that they take.
    fn answer_part(&mut self, grant: &Grant, part: Range<u64>) -> Result<Accepted, Refusal> {
        let time = TASK_TIME * count(&part) as u32;
        self.now += time;
        self.send(grant, part.start, &rights(part), Some(time))
    }

    fn answer(&mut self, grant: &Grant) -> Result<Accepted, Refusal> {
        self.answer_part(grant, grant.range.clone())
    }

    fn fail(&mut self, grant: &Grant, index: u64) -> Result<Accepted, Refusal> {
        let (worker, lease) = (grant.worker, grant.lease);
        self.act(|scheduler, now| scheduler.failed(worker, lease, index, "trap\n", now))
    }

    fn progress(&mut self, grant: &Grant) -> Result<(), Refusal> {
        self.act(|scheduler, now| scheduler.progress(grant.worker, grant.lease, now))
    }

    fn release(&mut self, grant: &Grant) -> Result<(), Refusal> {
        self.act(|scheduler, _| scheduler.release(grant.worker, grant.lease))
    }

    /// Lets time pass to the next deadline, and past it.
    fn expire(&mut self) -> Vec<LeaseId> {
        self.now = self.now.max(self.scheduler.next_timeout().expect("a lease is out"));
        let expired = self.act(|scheduler, now| scheduler.expire(now));
        expired.into_iter().map(|expired| expired.lease).collect()
    }

    fn revoked(&mut self) -> Vec<(WorkerId, LeaseId)> {
        self.act(|scheduler, _| scheduler.drain_revoked())
    }

    fn pending(&self, job: JobId) -> Vec<Range<u64>> {
        self.scheduler.jobs[&job].pending.iter().collect()
    }

    fn rest(&self, grant: &Grant) -> Option<Range<u64>> {
        self.scheduler.rest_of(grant.lease).map(|(_, rest)| rest)
    }

    /// How much later than now a lease's deadline is.
    fn time_left(&self, grant: &Grant) -> Duration {
        self.scheduler.leases[&grant.lease].deadline - self.now
    }

    /// How many tasks the next lease of the worker, which answers all, has.
    fn next_size(&mut self) -> u64 {
        count(&self.grant().unwrap().range)
    }
}
