//! The policy, step by step on virtual time; after each step everything must be consistent.

#![allow(clippy::single_range_in_vec_init, reason = "one interval is meant, not its indices")]

mod holding;
mod sessions;
mod trust;

use super::speeds::Speed;
use super::*;
use proptest::prelude::*;
use rand::RngExt;
use std::net::{IpAddr, Ipv4Addr};
use tequio_protocol::limits::{
    HOLD_MAX, INTEGER_MAX, LEASE_GROWTH, LEASE_TARGET, LEASE_TASKS_MAX, LEASES_PER_SLOT,
    PAST_LEASES_MAX, STRIKES_MAX, TASK_ATTEMPTS_MAX,
};
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

/// Inputs that come to [`right`], but for some that come to something else.
fn inputs_with(range: Range<u64>, other: &[(u64, RepeatMultiply)]) -> Inputs {
    let input = |index: u64| {
        let known = other.iter().find(|(at, _)| *at == index).map(|(_, input)| *input);
        known.unwrap_or_else(|| RepeatMultiply::new(right(index).0, 1.0, 0).unwrap())
    };
    Inputs::List { first: range.start, inputs: range.map(input).collect() }
}

fn rights(range: Range<u64>) -> Vec<Number> {
    range.map(right).collect()
}

fn outcomes(range: Range<u64>) -> Vec<(u64, Outcomes)> {
    vec![(range.start, range.map(|index| Outcome::Result(right(index))).collect())]
}

fn spec(total: u64) -> JobSpec {
    JobSpec {
        op: Op::RepeatMultiply,
        total,
        priority: 0,
        lease_tasks_max: LEASE_TASKS_MAX,
        is_open: false,
        is_paused: false,
        settled: Intervals::default(),
    }
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

/// What is taken of an answer: fresh outcomes, and duplicates.
#[track_caller]
fn assert_taken(result: &Result<Accepted, Refusal>, fresh: u64, duplicates: u64) {
    assert_eq!(tasks_of(result), Some((fresh, duplicates)), "{result:?}");
}

impl Bench {
    /// Nobody can compute what is said to have failed.
    fn new() -> Bench {
        Bench::that_takes(Failures::Believed)
    }

    fn that_takes(failures: Failures) -> Bench {
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
        memory.credit.add_taken(1 << 20);
        self.scheduler.no_newcomer_any_more(worker(id));
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
            scheduler.add_worker(worker(id), origin, Mode::Lease, slots, now);
        });
    }

    fn add_plain(&mut self, id: u64) {
        self.act(|scheduler, now| scheduler.add_worker(worker(id), here(), Mode::Plain, 1, now));
    }

    /// A worker's connection is lost.
    fn lose(&mut self, id: u64) -> Session {
        let session = self.act(|scheduler, _| scheduler.new_session());
        self.act(|scheduler, now| scheduler.keep_worker(worker(id), session, now));
        session
    }

    fn resume(&mut self, id: u64, slots: u32, session: Session) -> Option<WorkerId> {
        self.act(|scheduler, now| scheduler.resume_worker(worker(id), here(), slots, session, now))
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
        let results = results.iter().copied().collect();
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
        self.act(|scheduler, _| scheduler.take_revoked())
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

// ---- Sizing -------------------------------------------------------------------------------------

#[test]
fn the_first_lease_is_one_task_and_the_next_grow_until_they_take_their_time() {
    let mut bench = Bench::with(1_000_000, 1);
    let mut sizes = Vec::new();
    for _ in 0..5 {
        let grant = bench.grant().unwrap();
        sizes.push(count(&grant.range));
        assert_taken(&bench.answer(&grant), count(&grant.range), 0);
    }
    assert_eq!(sizes, [1, LEASE_GROWTH, 100, 100, 100]);
    assert_eq!(LEASE_TARGET, TASK_TIME * 100);
}

#[test]
fn leases_follow_the_speed_that_is_measured() {
    for (ms, size) in [(1, 1000), (2, 500), (500, 2), (5000, 1)] {
        let mut bench = Bench::with_known(1_000_000, 1);
        for _ in 0..40 {
            let grant = bench.grant().unwrap();
            let time = Duration::from_millis(ms) * count(&grant.range) as u32;
            bench.now += time;
            let results = rights(grant.range.clone());
            assert_taken(
                &bench.send(&grant, grant.range.start, &results, Some(time)),
                count(&grant.range),
                0,
            );
        }
        let found = bench.next_size();
        assert!(found.abs_diff(size) <= 1, "{ms} ms a task: {found} tasks instead of {size}");
    }
}

#[test]
fn a_lease_has_no_more_tasks_than_the_job_allows() {
    let mut bench = Bench::new();
    bench.add_job(JOB, JobSpec { lease_tasks_max: 33, ..spec(1000) });
    bench.add_worker(1, 1);
    for size in [1, LEASE_GROWTH, 33, 33] {
        let grant = bench.grant_to(1);
        assert_eq!(count(&grant.range), size);
        assert_taken(&bench.answer(&grant), size, 0);
    }
}

#[test]
fn without_a_duration_the_time_on_the_servers_clock_counts() {
    let mut bench = Bench::with_known(10_000, 1);
    bench.scheduler.workers.get_mut(&worker(1)).unwrap().memory.speeds.clear();
    for _ in 0..20 {
        let grant = bench.grant_to(1);
        bench.now += TASK_TIME * count(&grant.range) as u32;
        let results = rights(grant.range.clone());
        bench.send(&grant, grant.range.start, &results, None).unwrap();
    }
    assert_eq!(bench.next_size(), 100);
}

#[test]
fn no_duration_that_a_worker_invents_does_harm() {
    for seconds in [0.0, 600.0, 1e6, 1e15, 5e18, 1e19, 1.8e19] {
        let mut bench = Bench::with(10_000, 2);
        let grant = bench.grant_to(1);
        bench.now += Duration::from_secs(1);
        let time = Duration::from_secs_f64(seconds);
        assert_taken(&bench.send(&grant, 0, &[right(0)], Some(time)), 1, 0);
        for grant in bench.grants() {
            let left = bench.time_left(&grant);
            assert!(left <= Duration::from_secs(64), "{seconds} s said: {left:?} left");
        }
    }
}

#[test]
fn each_slot_has_two_leases_at_most() {
    let mut bench = Bench::with(1_000_000, 0);
    for (id, slots) in [(1, 1), (2, 3), (3, 0), (4, 100)] {
        bench.add_worker(id, slots);
        bench.set_speed(id, 1.0);
        let grants = bench.grants();
        assert!(grants.iter().all(|grant| grant.worker == worker(id)));
        assert_eq!(grants.len() as u32, slots * LEASES_PER_SLOT);
        assert_eq!(bench.scheduler.leases_of(worker(id)), slots * LEASES_PER_SLOT);
    }
    bench.set_slots(1, 2);
    assert_eq!(bench.grants().len(), 2, "one slot more");
    bench.set_slots(1, 0);
    assert_eq!(bench.scheduler.leases_of(worker(1)), 4, "what it holds it keeps");
    assert!(bench.grant().is_none());
}

#[test]
fn idle_slots_come_before_leases_that_wait_behind_others() {
    let mut bench = Bench::with(1000, 3);
    let order: Vec<u64> = bench.grants().iter().map(|grant| grant.worker.0).collect();
    assert_eq!(order, [1, 2, 3, 1, 2, 3]);
}

#[test]
fn a_plain_worker_has_one_task_at_a_time_however_fast_it_is() {
    let mut bench = Bench::with(1000, 0);
    bench.add_plain(1);
    for index in 0..20 {
        let grants = bench.grants();
        assert_eq!(grants.len(), 1);
        assert_eq!(grants[0].range, index..index + 1);
        assert_taken(&bench.answer(&grants[0]), 1, 0);
    }
    let held = bench.grant_to(1);
    bench.act(|scheduler, _| scheduler.set_mode(worker(1), Mode::Lease));
    bench.set_slots(1, 2);
    assert_eq!(bench.grants().len(), 3, "it has said hello; what it holds it keeps");
    assert_taken(&bench.answer(&held), 1, 0);
}

// ---- Deadlines ----------------------------------------------------------------------------------

#[test]
fn the_time_for_an_answer_is_four_times_what_is_expected_and_ten_seconds_at_least() {
    for (ms, count, left) in [(10, 100, DEADLINE_MIN), (4000, 1, 16 * Duration::from_secs(1))] {
        let mut bench = Bench::with_known(1000, 1);
        let task_s = Duration::from_millis(ms).as_secs_f64();
        bench.set_speed(1, task_s);
        let grant = bench.grant_to(1);
        assert_eq!((super::count(&grant.range), bench.time_left(&grant)), (count, left), "{ms} ms");
        assert_eq!(grant.deadline - bench.now, left);
    }
}

#[test]
fn what_a_worker_holds_already_is_part_of_what_is_expected() {
    let mut bench = Bench::with_known(1000, 1);
    bench.set_speed(1, 4.0);
    bench.grant_to(1);
    let second = bench.grant_to(1);
    assert_eq!(bench.time_left(&second), Duration::from_secs(32));
}

#[test]
fn progress_and_answers_extend_a_deadline_and_nothing_shortens_it() {
    let mut bench = Bench::with_known(1000, 1);
    let grant = bench.grant_to(1);
    bench.now += Duration::from_secs(6);
    bench.progress(&grant).unwrap();
    assert_eq!(bench.time_left(&grant), DEADLINE_MIN);
    bench.now += Duration::from_secs(6);
    assert!(bench.act(|scheduler, now| scheduler.expire(now)).is_empty());
    assert_taken(&bench.answer_part(&grant, 0..1), 1, 0);
    assert_eq!(bench.time_left(&grant), DEADLINE_MIN);
    assert_eq!(bench.expire(), [grant.lease]);
}

#[test]
fn progress_alone_holds_a_lease_for_so_long_and_no_longer() {
    let mut bench = Bench::with_known(1000, 1);
    let grant = bench.grant_to(1);
    let lent_at = bench.now;
    for _ in 0..1000 {
        if bench.rest(&grant).is_some() {
            bench.progress(&grant).unwrap();
            bench.now += Duration::from_secs(4);
            bench.act(|scheduler, now| scheduler.expire(now));
        }
    }
    let held = bench.now - lent_at;
    assert!(held >= HOLD_MAX && held <= HOLD_MAX + Duration::from_secs(4), "{held:?}");

    let mut bench = Bench::with_known(1000, 1);
    let grant = bench.grant_to(1);
    for _ in 0..400 {
        bench.progress(&grant).unwrap();
        bench.now += Duration::from_secs(4);
        assert!(bench.act(|scheduler, now| scheduler.expire(now)).is_empty());
        if bench.now.as_secs().is_multiple_of(400) {
            let front = bench.rest(&grant).unwrap().start;
            assert_taken(&bench.answer_part(&grant, front..front + 1), 1, 0);
        }
    }
}

#[test]
fn however_long_a_worker_says_that_its_tasks_take_they_are_held_for_so_long_and_no_longer() {
    let mut bench = Bench::with_known(1000, 1);
    bench.set_speed(1, 1000.0);
    let grant = bench.grant_to(1);
    assert_eq!(bench.time_left(&grant), HOLD_MAX);
    bench.now += HOLD_MAX - Duration::from_secs(10);
    bench.progress(&grant).unwrap();
    assert_eq!(bench.expire(), [grant.lease], "not twice as long");
    assert_eq!(bench.now, Duration::from_secs(1000) + HOLD_MAX);
}

// ---- Leases that end early ----------------------------------------------------------------------

#[test]
fn an_expired_lease_is_pending_again_and_its_worker_waits_until_it_is_heard() {
    for heard in ["results", "failed", "progress", "release"] {
        let mut bench = Bench::with_known(1000, 1);
        let grant = bench.grant_to(1);
        assert_eq!(bench.expire(), [grant.lease]);
        assert_eq!(bench.pending(JOB), [0..1000]);
        assert!(bench.grant().is_none(), "the worker may be frozen");
        bench.set_slots(1, 8);
        assert!(bench.grant().is_none(), "slots are no sign of life");
        match heard {
            "results" => assert_taken(&bench.answer_part(&grant, 0..2), 2, 0),
            "failed" => assert_taken(&bench.fail(&grant, 0), 0, 1),
            "progress" => bench.progress(&grant).unwrap(),
            _ => bench.release(&grant).unwrap(),
        }
        let next = bench.grant_to(1);
        assert_eq!(bench.scheduler.workers[&worker(1)].overdue, 0);
        let is_careful = count(&next.range) <= 2 * LEASE_GROWTH;
        assert!(is_careful, "{heard}: it begins with little again, not {:?}", next.range);
    }
}

#[test]
fn a_worker_that_expired_goes_on_for_others() {
    let mut bench = Bench::with_known(1000, 2);
    let [one, two] = [bench.grant_to(1), bench.grant_to(2)];
    bench.now += Duration::from_secs(9);
    bench.progress(&two).unwrap();
    assert_eq!(bench.expire(), [one.lease]);
    let again = bench.grant_to(2);
    assert_eq!(again.range, one.range);
    assert!(!again.is_copy);
}

#[test]
fn a_worker_that_was_frozen_has_room_when_it_has_answered_what_it_holds() {
    let mut bench = Bench::with_known(10_000, 1);
    let [one, two] = [bench.grant_to(1), bench.grant_to(1)];
    assert_eq!(bench.expire().len(), 2);
    bench.progress(&one).unwrap();
    bench.progress(&two).unwrap();
    assert!(bench.grant().is_none(), "it computes both still, and would refuse a third");
    bench.answer_part(&one, 0..99).unwrap();
    assert!(bench.grant().is_none());
    bench.answer_part(&one, 99..100).unwrap();
    bench.grant_to(1);
    assert!(bench.grant().is_none());
    bench.release(&two).unwrap();
    bench.grant_to(1);
    assert!(bench.grant().is_none());

    let mut bench = Bench::with_known(10_000, 1);
    let one = bench.grant_to(1);
    bench.grant_to(1);
    bench.expire();
    bench.progress(&one).unwrap();
    bench.add_job(OTHER, spec(100));
    bench.act(|scheduler, _| scheduler.remove_job(JOB));
    assert_eq!(bench.revoked().len(), 2, "its job is over");
    assert_eq!(bench.grants().len(), 2);
}

#[test]
fn late_results_count_if_nobody_was_faster() {
    let mut bench = Bench::with_known(300, 2);
    let late = bench.grant_to(1);
    bench.act(|scheduler, _| scheduler.set_slots(worker(2), 0));
    assert_eq!(bench.expire(), [late.lease]);
    assert_taken(&bench.answer_part(&late, 0..40), 40, 0);
    assert_eq!(bench.pending(JOB), [40..300]);
    bench.set_slots(1, 0);
    bench.set_slots(2, 1);
    let anew = bench.grant_to(2);
    assert_eq!(anew.range, 40..140);
    assert_taken(&bench.answer_part(&anew, 40..60), 20, 0);
    let answer = bench.answer_part(&late, 40..100);
    assert_taken(&answer, 40, 20);
    assert_eq!(answer.unwrap().fresh, outcomes(60..100));
    assert_taken(&bench.answer_part(&anew, 60..140), 40, 40);
    assert_eq!(bench.pending(JOB), [140..300]);
}

#[test]
fn late_results_revoke_the_leases_in_which_their_tasks_were_lent_anew() {
    let mut bench = Bench::with_known(100, 2);
    bench.set_slots(2, 0);
    let late = bench.grant_to(1);
    bench.expire();
    bench.set_slots(2, 1);
    let anew = bench.grant_to(2);
    assert_eq!(anew.range, late.range);
    assert_taken(&bench.answer_part(&late, 0..99), 99, 0);
    assert_eq!(bench.revoked(), [], "task 99 is waited for");
    assert_taken(&bench.answer_part(&late, 99..100), 1, 0);
    assert_eq!(bench.revoked(), [(worker(2), anew.lease)]);
    assert!(bench.grant().is_none());
    assert_taken(&bench.answer(&anew), 0, 100);
}

#[test]
fn a_failed_task_of_an_expired_lease_leaves_no_gap_before_what_comes_late() {
    let mut bench = Bench::with_known(100, 1);
    let late = bench.grant_to(1);
    bench.set_slots(1, 0);
    bench.expire();
    assert_taken(&bench.answer_part(&late, 0..10), 10, 0);
    assert_taken(&bench.fail(&late, 10), 0, 1);
    assert_taken(&bench.answer_part(&late, 11..100), 89, 0);
    assert_eq!(bench.pending(JOB), [10..11]);
}

#[test]
fn partial_results_shrink_a_lease_from_its_front() {
    let mut bench = Bench::with_known(100, 1);
    let grant = bench.grant_to(1);
    for (part, rest) in [(0..1, 1..100), (1..60, 60..100), (40..61, 61..100)] {
        bench.answer_part(&grant, part).unwrap();
        assert_eq!(bench.rest(&grant), Some(rest));
    }
    assert_eq!(bench.scheduler.lent(JOB), Lent { tasks: 39, workers: 1 });
    bench.release(&grant).unwrap();
    assert_eq!(bench.pending(JOB), [61..100]);
    assert_eq!(bench.scheduler.lent(JOB), Lent::default());
}

#[test]
fn a_released_lease_is_somebodys_at_once() {
    let mut bench = Bench::with_known(100, 2);
    bench.set_slots(2, 0);
    let grant = bench.grant_to(1);
    bench.answer_part(&grant, 0..30).unwrap();
    bench.set_slots(1, 0);
    bench.release(&grant).unwrap();
    bench.release(&grant).unwrap();
    bench.set_slots(2, 1);
    assert_eq!(bench.grant_to(2).range, 30..100);
}

#[test]
fn what_a_worker_held_that_is_gone_is_pending_again() {
    let mut bench = Bench::with_known(1000, 2);
    let grants = bench.grants();
    assert_eq!(grants.len(), 4);
    bench.answer_part(&grants[0], 0..10).unwrap();
    bench.act(|scheduler, _| scheduler.remove_worker(worker(1)));
    assert!(!bench.scheduler.has_worker(worker(1)));
    assert_eq!(bench.pending(JOB), [10..100, 200..300, 400..1000]);
    let Err(refusal) = bench.answer_part(&grants[2], grants[2].range.clone()) else {
        panic!("a worker that is gone has answered");
    };
    assert_eq!(refusal.reason, RefusalReason::UnknownLease(grants[2].lease));
    assert!(!refusal.is_turned_away);
}

#[test]
fn a_lease_that_was_not_sent_is_taken_back_without_blame() {
    let mut bench = Bench::with_known(100, 1);
    let grant = bench.act(|scheduler, now| scheduler.grant(now)).unwrap();
    bench.act(|scheduler, _| scheduler.take_back(grant.lease));
    assert_eq!(bench.pending(JOB), [0..100]);
    let grant = bench.act(|scheduler, now| scheduler.grant(now)).unwrap();
    assert_eq!(bench.expire(), [grant.lease]);
    assert!(bench.grant().is_some(), "the worker has missed nothing");
}

#[test]
fn a_lease_is_answered_only_after_it_was_sent() {
    let mut bench = Bench::with_known(100, 1);
    let grant = bench.act(|scheduler, now| scheduler.grant(now)).unwrap();
    let guess = vec![Number(0.5); 100];
    let refusal = bench.send(&grant, 0, &guess, None).unwrap_err();
    assert_eq!(refusal.reason, RefusalReason::UnknownLease(grant.lease));
    assert_eq!(bench.rest(&grant), Some(0..100));
    bench.expire();
    assert!(bench.send(&grant, 0, &guess, None).is_err(), "nor is its past");
}

#[test]
fn everything_expires_when_the_clock_jumps() {
    let mut bench = Bench::with_known(20_000, 50);
    let grants = bench.grants();
    assert_eq!(grants.len(), 100);
    bench.now += Duration::from_secs(u64::MAX / 2);
    let expired = bench.act(|scheduler, now| scheduler.expire(now));
    assert_eq!(expired.len(), 100);
    assert_eq!(bench.scheduler.next_timeout(), None);
    assert_eq!(bench.pending(JOB), [0..20_000]);
    for grant in &grants {
        let first = grant.range.start;
        let answer = bench.send(grant, first, &rights(grant.range.clone()), None);
        assert_taken(&answer, count(&grant.range), 0);
    }
    bench.now = Duration::MAX;
    let all = bench.grants();
    assert!(!all.is_empty() && all.iter().all(|grant| grant.deadline == Duration::MAX));
    bench.progress(&all[0]).unwrap();
}

// ---- Stragglers ---------------------------------------------------------------------------------

#[test]
fn copies_are_made_when_nothing_is_pending_and_of_the_oldest_lease_first() {
    let mut bench = Bench::with_known(200, 2);
    let [one, two] = [bench.grant_to(1), bench.grant_to(2)];
    assert!(bench.grant().is_none(), "both slots have work: nobody is idle");
    bench.add_worker(3, 1);
    bench.add_worker(4, 1);
    let [third, fourth] = [bench.grant_to(3), bench.grant_to(4)];
    assert!(third.is_copy && fourth.is_copy);
    for copy in [&third, &fourth] {
        assert!(copy.range.end == one.range.end && copy.range.start >= one.range.start, "{copy:?}");
    }
    bench.add_worker(5, 1);
    let fifth = bench.grant_to(5);
    assert_eq!(fifth.range.end, two.range.end, "of the first there are {LEASE_COPIES_MAX}");
    assert_eq!(bench.scheduler.lent(JOB), Lent { tasks: 200, workers: 5 });
}

#[test]
fn there_are_no_copies_while_something_is_pending_nor_of_paused_jobs() {
    let mut bench = Bench::with_known(100, 1);
    bench.add_job(OTHER, spec(1));
    let first = bench.grant_to(1);
    assert_eq!(first.range, 0..100);
    bench.add_worker(2, 1);
    let second = bench.grant_to(2);
    assert_eq!((second.job, second.is_copy), (OTHER, false));
    bench.add_worker(3, 1);
    bench.act(|scheduler, _| scheduler.set_paused(JOB, true));
    bench.act(|scheduler, _| scheduler.set_paused(OTHER, true));
    assert!(bench.grant().is_none());
    bench.act(|scheduler, _| scheduler.set_paused(JOB, false));
    let copy = bench.grant_to(3);
    assert!(copy.is_copy && copy.job == JOB);
}

#[test]
fn a_copy_is_of_the_tail_and_never_to_who_holds_it() {
    let mut bench = Bench::with_known(100, 3);
    bench.set_slots(2, 0);
    bench.set_slots(3, 0);
    let first = bench.grant_to(1);
    bench.set_slots(1, 8);
    assert!(bench.grant().is_none(), "idle slots of the holder are no use");
    bench.set_speed(2, 0.04);
    bench.answer_part(&first, 0..20).unwrap();
    bench.set_slots(2, 8);
    let copy = bench.grant_to(2);
    assert_eq!((copy.range.clone(), copy.is_copy), (75..100, true));
    assert!(bench.grant().is_none());
    bench.set_slots(3, 8);
    let second = bench.grant_to(3);
    assert_eq!(second.range, 20..100, "of the longest rest");
    assert!(bench.grant().is_none());
    bench.add_worker(4, 1);
    assert!(bench.grant().is_none(), "two copies and no more");
    bench.act(|scheduler, _| scheduler.remove_worker(worker(2)));
    assert!(bench.grant_to(4).is_copy);
}

#[test]
fn what_is_settled_revokes_the_others_that_hold_it() {
    let mut bench = Bench::with_known(100, 1);
    let first = bench.grant_to(1);
    bench.add_worker(2, 1);
    bench.set_speed(2, 0.02);
    let copy = bench.grant_to(2);
    assert_eq!(copy.range, 50..100);
    assert_taken(&bench.answer(&copy), 50, 0);
    assert_eq!(bench.revoked(), [], "the front is waited for");
    assert_eq!(bench.scheduler.lent(JOB).tasks, 50);
    assert_taken(&bench.answer_part(&first, 0..49), 49, 0);
    assert_eq!(bench.revoked(), []);
    let results = rights(49..70);
    assert_taken(&bench.send(&first, 49, &results, None), 1, 20);
    assert_eq!(bench.revoked(), [(worker(1), first.lease)]);
    assert!(bench.scheduler.is_settled(JOB));
    assert_eq!(bench.scheduler.leases_out(), 0);
    assert_taken(&bench.answer_part(&first, 70..100), 0, 30);
}

#[test]
fn a_holder_that_is_gone_leaves_its_copies_what_they_have() {
    let mut bench = Bench::with_known(100, 1);
    let first = bench.grant_to(1);
    bench.add_worker(2, 1);
    bench.set_speed(2, 0.02);
    let copy = bench.grant_to(2);
    bench.answer_part(&first, 0..10).unwrap();
    bench.act(|scheduler, _| scheduler.remove_worker(worker(1)));
    assert_eq!(bench.pending(JOB), [10..50]);
    assert_taken(&bench.answer(&copy), 50, 0);
    assert_eq!(bench.pending(JOB), [10..50]);
    assert_eq!(bench.grant_to(2).range, 10..50);
}

#[test]
fn what_a_copy_has_settled_is_not_copied_again() {
    let mut bench = Bench::with_known(100, 1);
    let first = bench.grant_to(1);
    bench.add_worker(2, 1);
    bench.set_speed(2, 0.04);
    let mut copied = Vec::new();
    while let Some(copy) = bench.grant() {
        assert_eq!(copy.worker, worker(2));
        bench.now += Duration::from_secs(1);
        bench.progress(&first).unwrap();
        let time = Duration::from_millis(40) * count(&copy.range) as u32;
        let results = rights(copy.range.clone());
        let answer = bench.send(&copy, copy.range.start, &results, Some(time));
        assert_taken(&answer, count(&copy.range), 0);
        copied.push(copy.range);
    }
    assert_eq!(copied, [75..100, 50..75, 25..50, 0..25]);
    assert_eq!(bench.revoked(), [(worker(1), first.lease)]);
}

#[test]
fn a_copy_is_not_for_who_has_failed_its_task() {
    let mut bench = Bench::with(1, 2);
    let [first, second] = [bench.grant_to(1), bench.grant_to(2)];
    assert!(second.is_copy);
    assert_taken(&bench.fail(&first, 0), 0, 0);
    assert!(bench.grant().is_none(), "worker 1 is idle, and has failed");
    bench.add_worker(3, 1);
    assert_eq!(bench.grant_to(3).range, 0..1);
}

#[test]
fn a_last_failure_revokes_the_copies_of_its_task() {
    let mut bench = Bench::with(1, 3);
    let first = bench.grant_to(1);
    let [second, third] = [bench.grant_to(2), bench.grant_to(3)];
    bench.add_worker(4, 1);
    assert_taken(&bench.fail(&first, 0), 0, 0);
    let fourth = bench.grant_to(4);
    assert!(fourth.is_copy);
    assert_taken(&bench.fail(&second, 0), 0, 0);
    assert_taken(&bench.fail(&third, 0), 1, 0);
    assert_eq!(bench.revoked(), [(worker(4), fourth.lease)]);
    assert!(bench.scheduler.is_settled(JOB));
}

// ---- Failing tasks ------------------------------------------------------------------------------

#[test]
fn a_task_fails_on_three_workers_and_then_its_error_is_its_outcome() {
    let mut bench = Bench::with_known(100, 1);
    let first = bench.grant_to(1);
    bench.add_worker(2, 1);
    bench.add_worker(3, 1);
    bench.answer_part(&first, 0..5).unwrap();
    assert_taken(&bench.fail(&first, 5), 0, 0);
    assert_eq!(bench.rest(&first), Some(6..100), "the rest goes on");
    let second = bench.grant_to(2);
    assert_eq!((second.range.clone(), second.is_copy), (5..6, false));
    assert_taken(&bench.fail(&second, 5), 0, 0);
    let third = bench.grant_to(3);
    assert_eq!(third.range, 5..6);
    let last = bench.fail(&third, 5).unwrap();
    let error = Outcome::Error { error: "trap\u{fffd}".to_owned() };
    assert_eq!((last.job, last.fresh), (Some(JOB), vec![(5, [error].into_iter().collect())]));
    assert_taken(&bench.answer_part(&first, 6..100), 94, 0);
    assert!(bench.scheduler.is_settled(JOB));
    assert!(bench.scheduler.jobs[&JOB].attempts.is_empty());
}

#[test]
fn a_task_fails_three_times_on_the_only_worker_there_is() {
    for others in ["none", "without slots", "overdue", "tried and gone"] {
        let mut bench = Bench::with(1, 1);
        match others {
            "without slots" => bench.add_worker(2, 0),
            "overdue" => {
                bench.add_worker(2, 1);
                bench.act(|scheduler, _| scheduler.set_slots(worker(1), 0));
                bench.grant_to(2);
                bench.expire();
                bench.set_slots(1, 1);
            }
            "tried and gone" => {
                bench.add_worker(2, 1);
                bench.set_slots(1, 0);
                let grant = bench.grant_to(2);
                assert_taken(&bench.fail(&grant, 0), 0, 0);
                assert!(bench.grant().is_some(), "it is the only one that is able");
                bench.act(|scheduler, _| scheduler.remove_worker(worker(2)));
                bench.set_slots(1, 1);
            }
            _ => {}
        }
        let attempts = TASK_ATTEMPTS_MAX - usize::from(others == "tried and gone");
        for attempt in 1..=attempts {
            let grant = bench.grant_to(1);
            let settled = u64::from(attempt == attempts);
            assert_taken(&bench.fail(&grant, 0), settled, 0);
        }
        assert!(bench.scheduler.is_settled(JOB), "{others}");
    }
}

#[test]
fn a_task_waits_for_a_worker_that_has_not_tried_it() {
    let mut bench = Bench::with(3, 2);
    let first = bench.grant_to(1);
    let busy = [bench.grant_to(2), bench.grant_to(1)];
    assert_taken(&bench.fail(&first, 0), 0, 0);
    let grant = bench.grant().unwrap();
    assert_eq!((grant.worker, grant.range.clone()), (worker(2), 0..1), "worker 1 had room as well");
    assert_taken(&bench.answer(&grant), 1, 0);
    for grant in &busy {
        assert_taken(&bench.answer(grant), 1, 0);
    }
    assert!(bench.scheduler.is_settled(JOB));
}

#[test]
fn each_attempt_at_a_task_has_more_time_than_the_last() {
    let mut bench = Bench::with(2, 1);
    let [first, other] = [bench.grant_to(1), bench.grant_to(1)];
    assert_eq!(bench.time_left(&first), DEADLINE_MIN);
    assert_taken(&bench.fail(&first, 0), 0, 0);
    let second = bench.grant_to(1);
    let patience = DEADLINE_MIN * RETRY_PATIENCE_FACTOR;
    assert_eq!(bench.time_left(&second), patience);
    bench.now += Duration::from_secs(1);
    bench.progress(&second).unwrap();
    bench.progress(&other).unwrap();
    assert_eq!(bench.time_left(&second), patience, "it counts from now");
    assert_eq!(bench.time_left(&other), DEADLINE_MIN, "nothing of this one has failed");
    assert_taken(&bench.fail(&second, 0), 0, 0);
    let third = bench.grant_to(1);
    assert_eq!(bench.time_left(&third), patience * RETRY_PATIENCE_FACTOR);
    bench.add_worker(2, 2);
    let copies: Vec<Grant> = bench.grants().into_iter().filter(|grant| grant.is_copy).collect();
    let copy = copies.iter().find(|copy| copy.range == third.range).expect("a copy of it");
    assert_eq!(bench.time_left(copy), patience * RETRY_PATIENCE_FACTOR, "so has a copy");
}

#[test]
fn what_a_copy_still_covers_is_not_tried_elsewhere() {
    let mut bench = Bench::with(1, 2);
    let [first, copy] = [bench.grant_to(1), bench.grant_to(2)];
    assert!(copy.is_copy);
    assert_taken(&bench.fail(&first, 0), 0, 0);
    assert!(bench.scheduler.jobs[&JOB].retry.is_empty());
    assert_taken(&bench.answer(&copy), 1, 0);
    assert!(bench.scheduler.jobs[&JOB].attempts.is_empty());
}

#[test]
fn failures_elsewhere_than_at_the_front_do_not_count() {
    let mut bench = Bench::with_known(100, 1);
    let grant = bench.grant_to(1);
    bench.answer_part(&grant, 0..5).unwrap();
    assert_taken(&bench.fail(&grant, 3), 0, 1);
    let refusal = bench.fail(&grant, 6).unwrap_err();
    assert!(matches!(refusal.reason, RefusalReason::OutOfShape { front: 5, end: 100, .. }));
    assert!(bench.scheduler.jobs[&JOB].attempts.is_empty());
    assert_eq!(bench.rest(&grant), Some(5..100));
}

// ---- Checking -----------------------------------------------------------------------------------

#[test]
fn a_wrong_result_gives_the_lease_back_whole() {
    for tasks in [1, 5, 100, 5000] {
        let mut bench = Bench::with_known(tasks, 1);
        bench.set_speed(1, 1e-6);
        let grant = bench.grant_to(1);
        assert_eq!(grant.range, 0..tasks);
        // All off by one bit, so that whichever is looked at is wrong.
        let off = |number: Number| Number(number.0.next_up());
        let results: Vec<Number> = rights(0..tasks).into_iter().map(off).collect();
        let refusal = bench.send(&grant, 0, &results, None).unwrap_err();
        let RefusalReason::Wrong { lease, index, got } = refusal.reason else {
            panic!("{refusal:?}");
        };
        assert_eq!((lease, got), (grant.lease, results[index as usize]));
        assert!(refusal.is_turned_away, "bits are everybody's: one wrong result is enough");
        assert_eq!(bench.pending(JOB), [0..tasks]);
        assert!(!bench.scheduler.has_worker(worker(1)));
    }
}

#[test]
fn results_that_come_one_by_one_are_checked_one_by_one() {
    let mut bench = Bench::with_known(100, 1);
    let grant = bench.grant_to(1);
    for index in 0..60 {
        assert_taken(&bench.answer_part(&grant, index..index + 1), 1, 0);
    }
    assert!(bench.send(&grant, 60, &[Number(0.5)], None).is_err());
    assert_eq!(bench.pending(JOB), [60..100]);
}

#[test]
fn what_still_comes_of_a_refused_lease_is_dropped_without_another_strike() {
    let mut bench = Bench::with(100, 0);
    bench.add_plain(1);
    let grant = bench.grant_to(1);
    assert!(bench.send(&grant, 0, &[Number(0.5)], None).is_err());
    assert_eq!(bench.revoked(), [(worker(1), grant.lease)]);
    assert_taken(&bench.answer_part(&grant, 0..1), 0, 1);
    assert_taken(&bench.fail(&grant, 0), 0, 1);
    bench.progress(&grant).unwrap();
    bench.release(&grant).unwrap();
    assert_eq!(bench.scheduler.workers[&worker(1)].memory.strikes, 1);
    assert_eq!(bench.pending(JOB), [0..100]);
}

#[test]
fn a_plain_client_is_turned_away_at_its_third_wrong_result() {
    let mut bench = Bench::with(100, 0);
    bench.add_plain(1);
    for strike in 1..=STRIKES_MAX {
        let grant = bench.grant_to(1);
        let refusal = bench.send(&grant, grant.range.start, &[Number(0.5)], None).unwrap_err();
        assert_eq!(refusal.is_turned_away, strike == STRIKES_MAX);
    }
    assert!(!bench.scheduler.has_worker(worker(1)));
    assert_eq!(bench.pending(JOB), [0..100]);
}

#[test]
fn three_strikes_turn_a_worker_away_whatever_they_are_for() {
    type Lie = fn(&mut Bench, &Grant) -> Refusal;
    let lies: [(&str, Lie); 5] = [
        ("unknown lease", |bench, grant| {
            let grant = Grant { lease: LeaseId(999), ..grant.clone() };
            bench.answer(&grant).unwrap_err()
        }),
        ("before its range", |bench, grant| {
            bench.send(grant, grant.range.start - 1, &[Number(0.0)], None).unwrap_err()
        }),
        ("behind its range", |bench, grant| {
            bench.send(grant, grant.range.end, &[Number(0.0)], None).unwrap_err()
        }),
        ("a gap", |bench, grant| {
            bench.send(grant, grant.range.start + 1, &[Number(0.0)], None).unwrap_err()
        }),
        ("far away", |bench, grant| {
            bench.send(grant, u64::MAX, &[Number(0.0); 2], None).unwrap_err()
        }),
    ];
    for (name, lie) in lies {
        let mut bench = Bench::with_known(10_000, 2);
        bench.grant_to(1);
        for strike in 1..=STRIKES_MAX {
            bench.set_slots(1, 0);
            for other in bench.grants() {
                bench.answer(&other).unwrap();
            }
            bench.set_slots(1, 4);
            let grant = std::iter::from_fn(|| bench.grant()).find(|grant| grant.worker.0 == 1);
            let refusal = lie(&mut bench, &grant.unwrap());
            assert_eq!(refusal.is_turned_away, strike == STRIKES_MAX, "{name}: {refusal:?}");
        }
        assert!(!bench.scheduler.has_worker(worker(1)), "{name}");
        assert_eq!(bench.scheduler.leases_of(worker(1)), 0);
        assert!(bench.scheduler.workers[&worker(2)].memory.strikes == 0);
    }
}

#[test]
fn a_lease_of_another_is_unknown() {
    let mut bench = Bench::with_known(1000, 2);
    let grant = bench.grant_to(1);
    let stolen = Grant { worker: worker(2), ..grant.clone() };
    let answers =
        [bench.answer(&stolen).map(drop), bench.fail(&stolen, 0).map(drop), bench.release(&stolen)];
    for (strike, answer) in (1..).zip(answers) {
        let refusal = answer.unwrap_err();
        assert_eq!(refusal.reason, RefusalReason::UnknownLease(grant.lease));
        assert_eq!(refusal.is_turned_away, strike == STRIKES_MAX);
    }
    assert_taken(&bench.answer(&grant), 100, 0);
}

#[test]
fn what_cannot_be_infinite_is_wrong_where_it_is_not_checked_too() {
    for bad in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        // What it is computed of allows it at one place, and nowhere else.
        let input = match bad {
            bad if bad.is_nan() => RepeatMultiply::new(0.0, 2.0, 5000),
            bad => RepeatMultiply::new(bad.signum(), 2.0, 5000),
        };
        for allowed in [70, 71] {
            let mut bench = Bench::with_known(100, 1);
            let grant = bench.grant_to(1);
            let inputs = inputs_with(0..100, &[(allowed, input.unwrap())]);
            bench.act(|scheduler, _| scheduler.set_inputs(grant.lease, inputs));
            let mut results = rights(0..100);
            // That the other one is checked is left to chance: it is as it must be.
            results[allowed as usize] = Number(bad);
            results[70] = Number(bad);
            let answer = bench.send(&grant, 0, &results, None);
            if allowed != 70 {
                let got = Number(bad);
                let reason = RefusalReason::Wrong { lease: grant.lease, index: 70, got };
                assert_eq!(answer.unwrap_err().reason, reason);
            } else {
                assert_taken(&answer, 100, 0);
            }
        }
    }
}

#[test]
fn a_nan_that_is_expected_is_right_whatever_its_bits() {
    let mut bench = Bench::with_known(1, 1);
    let grant = bench.grant_to(1);
    let nan = RepeatMultiply::new(0.0, 2.0, 5000).unwrap();
    assert!(nan.compute().is_nan());
    let inputs = inputs_with(0..1, &[(0, nan)]);
    bench.act(|scheduler, _| scheduler.set_inputs(grant.lease, inputs));
    let other = f64::from_bits(f64::NAN.to_bits() ^ (1 << 63) ^ 1);
    assert!(other.is_nan());
    assert_taken(&bench.send(&grant, 0, &[Number(other)], None), 1, 0);
}

#[test]
fn clients_that_leave_with_copies_of_a_task_are_one_attempt() {
    let mut bench = Bench::new();
    bench.add_job(JOB, spec(1));
    for id in 1..=3 {
        bench.add_plain(id);
    }
    for attempt in 1..=TASK_ATTEMPTS_MAX {
        let held: Vec<Grant> = std::iter::from_fn(|| bench.grant()).collect();
        assert_eq!(held.len(), 3, "it and two copies");
        // One of them is late before they leave.
        bench.expire();
        for (left, grant) in held.iter().enumerate() {
            let accepted = bench.act(|scheduler, _| {
                let accepted = scheduler.abandoned(grant.worker, grant.lease, 0, "gone");
                scheduler.remove_worker(grant.worker);
                accepted
            });
            let is_over = attempt == TASK_ATTEMPTS_MAX && left == 2;
            assert_eq!(!accepted.fresh.is_empty(), is_over, "attempt {attempt}, {left} before");
        }
        for id in 1..=3 {
            bench.add_plain(10 * attempt as u64 + id);
        }
    }
    assert!(bench.scheduler.is_settled(JOB));
}

#[test]
fn a_plain_client_may_be_off_by_a_little_and_the_servers_own_bits_are_recorded() {
    for (factor, is_right) in
        [(1.0, true), (1.0 + 1e-13, true), (1.0 - 1e-13, true), (1.0 + 1e-11, false)]
    {
        for mode in [Mode::Plain, Mode::Lease] {
            let mut bench = Bench::with(10, 0);
            bench.act(|scheduler, now| scheduler.add_worker(worker(1), here(), mode, 1, now));
            let skipped = bench.grant_to(1);
            bench.answer(&skipped).unwrap();
            let grant = bench.grant_to(1);
            bench.now += TASK_TIME;
            let answer = bench.send(&grant, 1, &[Number(right(1).0 * factor)], None);
            match mode {
                Mode::Plain if is_right => assert_eq!(answer.unwrap().fresh, outcomes(1..2)),
                Mode::Lease if factor == 1.0 => assert_eq!(answer.unwrap().fresh, outcomes(1..2)),
                _ => assert!(matches!(answer.unwrap_err().reason, RefusalReason::Wrong { .. })),
            }
        }
    }
}

#[test]
fn the_same_results_twice_are_duplicates_and_no_offence() {
    let mut bench = Bench::with_known(200, 1);
    let grant = bench.grant_to(1);
    assert_taken(&bench.answer_part(&grant, 0..60), 60, 0);
    assert_taken(&bench.answer_part(&grant, 0..60), 0, 60);
    assert_taken(&bench.answer_part(&grant, 30..100), 40, 30);
    assert_taken(&bench.answer(&grant), 0, 100);
    assert_eq!(bench.scheduler.workers[&worker(1)].memory.strikes, 0);
}

#[test]
fn results_of_what_was_said_to_have_failed_are_checked() {
    let mut bench = Bench::with(40, 1);
    bench.scheduler.jobs.get_mut(&JOB).unwrap().task_s = Some(0.01);
    let grant = bench.grant_to(1);
    for index in grant.range.clone() {
        assert_taken(&bench.fail(&grant, index), 0, 0);
    }
    assert_eq!(bench.rest(&grant), None);
    let lies = vec![Number(0.5); count(&grant.range) as usize];
    let refusal = bench.send(&grant, 0, &lies, None).unwrap_err();
    assert!(matches!(refusal.reason, RefusalReason::Wrong { .. }));
    assert!(bench.scheduler.jobs[&JOB].spec.settled.is_empty());
}

#[test]
fn the_leases_that_ended_last_are_remembered_and_those_before_are_not() {
    let mut bench = Bench::with_known(1_000_000, 0);
    bench.add_worker(1, 3);
    let long = bench.grant_to(1);
    let short = bench.grant_to(1);
    bench.answer(&short).unwrap();
    for _ in 0..PAST_LEASES_MAX - 1 {
        let grant = bench.grant_to(1);
        bench.answer(&grant).unwrap();
    }
    bench.release(&long).unwrap();
    let last = bench.grant_to(1);
    bench.answer(&last).unwrap();
    bench.now += TASK_TIME;
    assert_taken(&bench.answer(&long), 0, 1);
    let refusal = bench.answer(&short).unwrap_err();
    assert_eq!(refusal.reason, RefusalReason::UnknownLease(short.lease));
    let memory = &bench.scheduler.workers[&worker(1)].memory;
    assert_eq!(memory.leases_ended(), PAST_LEASES_MAX);
}

// ---- Jobs ---------------------------------------------------------------------------------------

#[test]
fn jobs_of_equal_priority_share_the_workers_in_turn() {
    let mut bench = Bench::new();
    for job in 1..=3 {
        bench.add_job(JobId(job), spec(1000));
    }
    bench.add_worker(1, 4);
    bench.set_speed(1, 1.0);
    let order: Vec<u64> = bench.grants().iter().map(|grant| grant.job.0).collect();
    assert_eq!(order, [1, 2, 3, 1, 2, 3, 1, 2]);
    bench.add_job(JobId(4), spec(1000));
    bench.add_worker(2, 2);
    let order: Vec<u64> = bench.grants().iter().map(|grant| grant.job.0).collect();
    assert_eq!(order, [3, 1, 2, 4], "a new job is behind those that wait for longer");
}

#[test]
fn a_higher_priority_comes_first_until_nothing_of_it_is_pending() {
    let mut bench = Bench::new();
    for (job, priority) in [(1, 0), (2, 5), (3, -1), (4, 5)] {
        bench.add_job(JobId(job), JobSpec { priority, ..spec(2) });
    }
    bench.add_worker(1, 8);
    bench.set_speed(1, 1.0);
    let order: Vec<u64> = bench.grants().iter().map(|grant| grant.job.0).collect();
    assert_eq!(order, [2, 4, 2, 4, 1, 1, 3, 3]);
}

#[test]
fn a_paused_job_is_not_handed_out_and_what_is_out_is_taken() {
    let mut bench = Bench::with_known(1000, 1);
    let grant = bench.grant_to(1);
    bench.act(|scheduler, _| scheduler.set_paused(JOB, true));
    assert!(bench.grant().is_none());
    assert_taken(&bench.answer(&grant), 100, 0);
    bench.act(|scheduler, _| scheduler.set_paused(JOB, true));
    assert!(bench.grant().is_none());
    bench.act(|scheduler, _| scheduler.set_paused(JOB, false));
    assert_eq!(bench.grant_to(1).range, 100..200);
    bench.add_job(OTHER, JobSpec { is_paused: true, priority: 9, ..spec(10) });
    assert_eq!(bench.grant_to(1).job, JOB);
}

#[test]
fn a_job_that_is_over_is_forgotten_and_what_is_out_of_it_revoked() {
    let mut bench = Bench::with_known(1000, 2);
    let mut grants = bench.grants();
    bench.act(|scheduler, _| scheduler.remove_job(JOB));
    let mut revoked = bench.revoked();
    let mut out: Vec<_> = grants.iter().map(|grant| (grant.worker, grant.lease)).collect();
    revoked.sort_unstable();
    out.sort_unstable();
    assert_eq!(revoked, out);
    assert_eq!(bench.revoked(), [], "once");
    assert_eq!((bench.scheduler.leases_out(), bench.scheduler.next_timeout()), (0, None));
    let late = bench.answer(&grants.remove(0)).unwrap();
    assert_eq!(late, Accepted { job: None, duplicates: 100, ..Accepted::default() });
    assert_taken(&bench.fail(&grants[0], grants[0].range.start), 0, 1);
    assert!(!bench.scheduler.is_settled(JOB));
    assert_eq!(bench.scheduler.lent(JOB), Lent::default());
    bench.act(|scheduler, _| scheduler.remove_job(JOB));
    bench.act(|scheduler, _| scheduler.set_paused(JOB, false));
    bench.act(|scheduler, _| scheduler.grow_job(JOB, 5, true));
    assert!(bench.grant().is_none());
}

#[test]
fn an_open_job_grows_and_is_settled_when_it_can_grow_no_more() {
    let mut bench = Bench::new();
    bench.add_job(JOB, JobSpec { is_open: true, ..spec(0) });
    bench.add_worker(1, 1);
    assert!(bench.grant().is_none() && !bench.scheduler.is_settled(JOB));
    bench.act(|scheduler, _| scheduler.grow_job(JOB, 1, true));
    let grant = bench.grant_to(1);
    assert_taken(&bench.answer(&grant), 1, 0);
    assert!(!bench.scheduler.is_settled(JOB));
    bench.act(|scheduler, _| scheduler.grow_job(JOB, 5, true));
    bench.act(|scheduler, _| scheduler.grow_job(JOB, 3, false));
    assert_eq!(bench.pending(JOB), [1..5], "it never shrinks");
    let grant = bench.grant_to(1);
    assert_eq!(grant.range, 1..5);
    assert_taken(&bench.answer(&grant), 4, 0);
    assert!(bench.scheduler.is_settled(JOB));
}

#[test]
fn what_is_settled_when_a_job_enters_is_not_handed_out() {
    let mut bench = Bench::new();
    let settled: Intervals = [0..10, 20..30, 95..100].into_iter().collect();
    bench.add_job(JOB, JobSpec { settled, ..spec(100) });
    bench.add_worker(1, 1);
    bench.scheduler.jobs.get_mut(&JOB).unwrap().task_s = Some(0.01);
    let mut ranges = Vec::new();
    while let Some(grant) = bench.grant() {
        assert_taken(&bench.answer(&grant), count(&grant.range), 0);
        ranges.push(grant.range);
    }
    assert_eq!(ranges, [10..20, 30..95]);
    assert!(bench.scheduler.is_settled(JOB));
    let all = [0..100].into_iter().collect();
    bench.add_job(OTHER, JobSpec { settled: all, ..spec(100) });
    assert!(bench.scheduler.is_settled(OTHER) && bench.grant().is_none());
}

#[test]
fn a_job_of_every_index_there_is_costs_what_its_leases_do() {
    let mut bench = Bench::with_known(INTEGER_MAX, 20);
    for id in 1..=20 {
        bench.set_speed(id, 1e-6);
        bench.set_audited(id);
    }
    let mut random = StdRng::seed_from_u64(3);
    let mut out = bench.grants();
    for _ in 0..300 {
        let grant = out.swap_remove(random.random_range(0..out.len()));
        let tasks = count(&grant.range);
        bench.now += Duration::from_millis(1);
        let results = rights(grant.range.clone());
        let time = Some(Duration::from_micros(tasks));
        assert_taken(&bench.send(&grant, grant.range.start, &results, time), tasks, 0);
        out.extend(bench.grants());
        let job = &bench.scheduler.jobs[&JOB];
        assert!(job.pending.iter().count() <= 1);
        assert!(job.spec.settled.iter().count() <= out.len() + 1);
        assert_eq!(job.families.iter().count(), out.len());
        assert!(job.attempts.is_empty() && job.retry.is_empty());
    }
    let job = &bench.scheduler.jobs[&JOB];
    assert!(job.spec.settled.len() > 300 * 1000, "{}", job.spec.settled.len());
    assert_eq!(job.spec.settled.len() + job.pending.len() + job.lent(), INTEGER_MAX);
}

// ---- Any order of events ------------------------------------------------------------------------

/// Something that happens, as numbers from which it follows when it does.
#[derive(Clone, Debug)]
enum Step {
    AddWorker {
        mode: Mode,
        slots: u32,
    },
    RemoveWorker {
        at: usize,
    },
    /// A connection is lost, and of each lease a share (in eighths) of what is left with it.
    Lose {
        at: usize,
        eighths: u64,
    },
    Resume {
        at: usize,
        slots: u32,
    },
    SetSlots {
        at: usize,
        slots: u32,
    },
    Grant,
    GrantAll,
    /// A grant whose inputs cannot be read.
    TakeBack,
    /// Right results of a share (in eighths) of what a lease has left, or of all it had.
    Answer {
        at: usize,
        eighths: u64,
        is_again: bool,
    },
    Lie {
        at: usize,
    },
    Fail {
        at: usize,
    },
    Progress {
        at: usize,
    },
    Release {
        at: usize,
    },
    Pass {
        ms: u64,
    },
    Pause {
        job: u64,
        is_paused: bool,
    },
    Grow {
        by: u64,
    },
    RemoveJob {
        job: u64,
    },
}

fn step() -> impl Strategy<Value = Step> {
    let at = 0..64usize;
    let mode = prop_oneof![Just(Mode::Lease), Just(Mode::Lease), Just(Mode::Plain)];
    prop_oneof![
        2 => (mode, 0..4u32).prop_map(|(mode, slots)| Step::AddWorker { mode, slots }),
        1 => at.clone().prop_map(|at| Step::RemoveWorker { at }),
        1 => (at.clone(), 0..8u64).prop_map(|(at, eighths)| Step::Lose { at, eighths }),
        2 => (at.clone(), 0..4u32).prop_map(|(at, slots)| Step::Resume { at, slots }),
        1 => (at.clone(), 0..4u32).prop_map(|(at, slots)| Step::SetSlots { at, slots }),
        6 => Just(Step::Grant),
        4 => Just(Step::GrantAll),
        1 => Just(Step::TakeBack),
        16 => (at.clone(), 0..9u64, any::<bool>())
            .prop_map(|(at, eighths, is_again)| Step::Answer { at, eighths, is_again }),
        1 => at.clone().prop_map(|at| Step::Lie { at }),
        4 => at.clone().prop_map(|at| Step::Fail { at }),
        2 => at.clone().prop_map(|at| Step::Progress { at }),
        2 => at.prop_map(|at| Step::Release { at }),
        4 => prop_oneof![0..100u64, 0..20_000u64].prop_map(|ms| Step::Pass { ms }),
        1 => (1..4u64, any::<bool>()).prop_map(|(job, is_paused)| Step::Pause { job, is_paused }),
        1 => (0..60u64).prop_map(|by| Step::Grow { by }),
        1 => (2..4u64).prop_map(|job| Step::RemoveJob { job }),
    ]
}

/// The scheduler beside a table of what was settled.
struct Model {
    bench: Bench,
    workers: Vec<u64>,
    /// Workers that may come back.
    lost: Vec<(u64, Session)>,
    /// Every lease ever sent, with the front that its worker is at.
    sent: Vec<(Grant, u64)>,
    settled: BTreeSet<(JobId, u64)>,
    next_worker: u64,
    total: u64,
}

impl Model {
    fn new() -> Model {
        let mut bench = Bench::new();
        bench.add_job(JobId(1), JobSpec { is_open: true, ..spec(100) });
        bench.add_job(JobId(2), JobSpec { priority: 1, ..spec(40) });
        bench.add_job(JobId(3), JobSpec { lease_tasks_max: 7, ..spec(300) });
        Model {
            bench,
            workers: Vec::new(),
            lost: Vec::new(),
            sent: Vec::new(),
            settled: BTreeSet::new(),
            next_worker: 1,
            total: 100,
        }
    }

    fn run(&mut self, step: &Step) -> Result<(), TestCaseError> {
        match *step {
            Step::AddWorker { mode, slots } => {
                let id = self.next_worker;
                self.next_worker += 1;
                self.workers.push(id);
                self.bench.act(|scheduler, now| {
                    scheduler.add_worker(worker(id), here(), mode, slots, now);
                });
            }
            Step::RemoveWorker { at } => {
                if !self.workers.is_empty() {
                    let id = self.workers.swap_remove(at % self.workers.len());
                    self.bench.act(|scheduler, _| scheduler.remove_worker(worker(id)));
                }
            }
            Step::Lose { at, eighths } => self.lose(at, eighths),
            Step::Resume { at, slots } => self.resume(at, slots),
            Step::SetSlots { at, slots } => {
                if let Some(id) = self.workers.get(at % self.workers.len().max(1)).copied() {
                    self.bench.set_slots(id, slots);
                }
            }
            Step::Grant => drop(self.grant()?),
            Step::GrantAll => while self.grant()? {},
            Step::TakeBack => {
                if let Some(grant) = self.bench.act(|scheduler, now| scheduler.grant(now)) {
                    self.bench.act(|scheduler, _| scheduler.take_back(grant.lease));
                }
            }
            Step::Answer { at, eighths, is_again } => self.answer(at, eighths, is_again)?,
            Step::Lie { at } => {
                if let Some((grant, front)) = self.pick(at) {
                    let results = vec![Number(0.5); (grant.range.end - front) as usize];
                    // A lie that no sample shows is recorded as well; it is a single outcome still.
                    let answer = self.bench.send(&grant, front, &results, None);
                    self.settle(&grant, answer)?;
                }
            }
            Step::Fail { at } => {
                if let Some((grant, front)) = self.pick(at)
                    && front < grant.range.end
                {
                    let answer = self.bench.fail(&grant, front);
                    prop_assert!(answer.is_ok() || !self.is_known(&grant), "{:?}", answer);
                    self.settle(&grant, answer)?;
                    self.move_front(at, front + 1);
                }
            }
            Step::Progress { at } => {
                if let Some((grant, _)) = self.pick(at) {
                    let _ = self.bench.progress(&grant);
                }
            }
            Step::Release { at } => {
                if let Some((grant, _)) = self.pick(at) {
                    let _ = self.bench.release(&grant);
                }
            }
            Step::Pass { ms } => {
                self.bench.now += Duration::from_millis(ms);
                self.bench.act(|scheduler, now| scheduler.expire(now));
                let now = self.bench.now;
                prop_assert!(self.bench.scheduler.next_timeout().is_none_or(|next| next > now));
            }
            Step::Pause { job, is_paused } => {
                self.bench.act(|scheduler, _| scheduler.set_paused(JobId(job), is_paused));
            }
            Step::Grow { by } => {
                self.total += by;
                let total = self.total;
                self.bench.act(|scheduler, _| scheduler.grow_job(JobId(1), total, true));
            }
            Step::RemoveJob { job } => {
                self.bench.act(|scheduler, _| scheduler.remove_job(JobId(job)));
            }
        }
        self.bench.revoked();
        self.check()
    }

    fn lose(&mut self, at: usize, eighths: u64) {
        if self.workers.is_empty() {
            return;
        }
        let id = self.workers.swap_remove(at % self.workers.len());
        let session = self.bench.lose(id);
        self.lost.push((id, session));
        for (grant, front) in self.sent.iter_mut().filter(|(grant, _)| grant.worker == worker(id)) {
            *front += (grant.range.end - *front) * eighths / 8;
        }
    }

    /// A session may be over by now.
    fn resume(&mut self, at: usize, slots: u32) {
        if self.lost.is_empty() {
            return;
        }
        let (was, session) = self.lost.swap_remove(at % self.lost.len());
        let id = self.next_worker;
        self.next_worker += 1;
        if self.bench.resume(id, slots, session).is_none() {
            return;
        }
        self.workers.push(id);
        for (grant, _) in self.sent.iter_mut().filter(|(grant, _)| grant.worker == worker(was)) {
            grant.worker = worker(id);
        }
    }

    fn pick(&self, at: usize) -> Option<(Grant, u64)> {
        self.sent.get(at % self.sent.len().max(1)).cloned()
    }

    fn move_front(&mut self, at: usize, front: u64) {
        let count = self.sent.len();
        self.sent[at % count].1 = front;
    }

    /// Whether its worker is there; of so few leases none is forgotten.
    fn is_known(&self, grant: &Grant) -> bool {
        self.bench.scheduler.has_worker(grant.worker)
    }

    fn grant(&mut self) -> Result<bool, TestCaseError> {
        let Some(grant) = self.bench.grant() else { return Ok(false) };
        prop_assert!(!grant.range.is_empty() && grant.deadline >= self.bench.now + DEADLINE_MIN);
        let is_new = grant.range.clone().any(|index| !self.settled.contains(&(grant.job, index)));
        prop_assert!(is_new, "all of {:?} is settled", grant);
        self.sent.push((grant, 0));
        let (grant, front) = self.sent.last_mut().unwrap();
        *front = grant.range.start;
        Ok(true)
    }

    /// An honest answer, in time or not: never refused.
    fn answer(&mut self, at: usize, eighths: u64, is_again: bool) -> Result<(), TestCaseError> {
        let Some((grant, front)) = self.pick(at) else { return Ok(()) };
        let left = grant.range.end - front;
        let end = front + (left * eighths).div_ceil(8);
        let first = if is_again { grant.range.start } else { front };
        if first >= end {
            return Ok(());
        }
        let is_known = self.is_known(&grant);
        let answer = self.bench.answer_part(&grant, first..end);
        prop_assert_eq!(answer.is_ok(), is_known, "{:?}", answer);
        self.move_front(at, end);
        self.settle(&grant, answer)
    }

    /// Every index is settled once at most, and everything is fresh or a duplicate.
    fn settle(
        &mut self,
        grant: &Grant,
        answer: Result<Accepted, Refusal>,
    ) -> Result<(), TestCaseError> {
        self.workers.retain(|id| self.bench.scheduler.has_worker(worker(*id)));
        let accepted = answer.unwrap_or_else(|refusal| refusal.saved);
        for (first, outcomes) in accepted.fresh {
            for index in first..first + outcomes.len() {
                prop_assert!(grant.range.contains(&index));
                let is_first = self.settled.insert((grant.job, index));
                prop_assert!(is_first, "{}/{} is settled twice", grant.job, index);
            }
        }
        Ok(())
    }

    fn check(&self) -> Result<(), TestCaseError> {
        for (id, job) in &self.bench.scheduler.jobs {
            let known = self.settled.range((*id, 0)..(JobId(id.0 + 1), 0)).count() as u64;
            prop_assert_eq!(job.spec.settled.len(), known, "job {}", id);
            for (_, index) in self.settled.range((*id, 0)..(JobId(id.0 + 1), 0)) {
                prop_assert!(job.spec.settled.contains(*index));
            }
        }
        Ok(())
    }

    /// However things stand, honest workers bring every job to its end.
    fn finish(&mut self) -> Result<(), TestCaseError> {
        for job in 1..4 {
            self.bench.act(|scheduler, _| scheduler.set_paused(JobId(job), false));
        }
        let total = self.total;
        self.bench.act(|scheduler, _| scheduler.grow_job(JobId(1), total, false));
        self.run(&Step::AddWorker { mode: Mode::Lease, slots: 2 })?;
        for _ in 0..2000 {
            let id = self.next_worker - 1;
            let Some(grant) = self.bench.grant() else {
                // What others hold comes back at its deadline.
                if self.bench.scheduler.next_timeout().is_none() {
                    break;
                }
                self.bench.expire();
                continue;
            };
            if grant.worker == worker(id) {
                let answer = self.bench.answer(&grant);
                prop_assert!(answer.is_ok());
                self.settle(&grant, answer)?;
            }
        }
        for id in self.bench.scheduler.jobs.keys() {
            prop_assert!(self.bench.scheduler.is_settled(*id), "job {} is stuck", id);
        }
        self.check()
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..Default::default() })]

    #[test]
    fn every_index_is_settled_once_whatever_happens_and_nothing_is_stuck(
        steps in prop::collection::vec(step(), 1..120),
    ) {
        let mut model = Model::new();
        for step in &steps {
            model.run(step)?;
        }
        model.finish()?;
    }
}

// ---- Intervals ----------------------------------------------------------------------------------

/// Above every index that the property's ranges have.
const MODEL_TASKS: u64 = 64;

/// Ranges, also empty ones and such that run backwards.
fn range() -> impl Strategy<Value = Range<u64>> {
    (0..MODEL_TASKS, 0..MODEL_TASKS).prop_map(|(start, end)| Range { start, end })
}

fn joined(set: &BTreeSet<u64>) -> Vec<Range<u64>> {
    let mut ranges: Vec<Range<u64>> = Vec::new();
    for &index in set {
        match ranges.last_mut().filter(|last| last.end == index) {
            Some(last) => last.end += 1,
            None => ranges.push(index..index + 1),
        }
    }
    ranges
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..Default::default() })]

    #[test]
    fn intervals_are_what_a_set_of_indices_would_be(
        steps in prop::collection::vec((any::<bool>(), range()), 1..20),
        queries in prop::collection::vec(range(), 8),
        count_max in 1..MODEL_TASKS,
    ) {
        let (mut intervals, mut set) = (Intervals::default(), BTreeSet::new());
        for (is_insert, range) in steps {
            let changed = if is_insert {
                let added = range.clone().filter(|index| set.insert(*index)).count();
                (intervals.insert(range), added)
            } else {
                let removed = range.clone().filter(|index| set.remove(index)).count();
                (intervals.remove(range), removed)
            };
            prop_assert_eq!(changed.0, changed.1 as u64);
            prop_assert_eq!(intervals.len(), set.len() as u64);
        }
        let all = joined(&set);
        prop_assert_eq!(intervals.is_empty(), set.is_empty());
        prop_assert_eq!(intervals.iter().collect::<Vec<_>>(), all.clone());
        prop_assert_eq!(&all.iter().cloned().collect::<Intervals>(), &intervals);
        let front = all.first().map(|first| first.start..first.end.min(first.start + count_max));
        prop_assert_eq!(intervals.front(count_max), front);
        prop_assert_eq!(intervals.front(u64::MAX), all.first().cloned());
        let prefix = (0..).take_while(|index| set.contains(index)).count() as u64;
        prop_assert_eq!(intervals.prefix_end(), prefix);
        for index in 0..MODEL_TASKS {
            prop_assert_eq!(intervals.contains(index), set.contains(&index));
        }
        for query in queries {
            let covers = query.clone().all(|index| set.contains(&index));
            prop_assert_eq!(intervals.covers(&query), covers, "{:?}", query);
            let missing = query.clone().filter(|index| !set.contains(index)).collect();
            prop_assert_eq!(intervals.missing_in(&query), joined(&missing), "{:?}", query);
            let within = query.clone().filter(|index| set.contains(index)).collect();
            let found = intervals.clone_within(&query);
            prop_assert_eq!(found.iter().collect::<Vec<_>>(), joined(&within), "{:?}", query);
        }
    }
}
