//! Workers that hold and do not compute.

use super::*;
use std::collections::BTreeSet;
use tequio_protocol::limits::{
    DEADLINE_MIN, GRANT_SCAN_MAX, IN_FLIGHT_TASKS_MAX, LEASE_GROWTH, LEASES_OUT_MAX,
    LEASES_PER_SLOT, NEWCOMER_LEASES, SLOTS_MAX,
};

#[test]
fn what_a_newcomer_is_lent_follows_what_it_answers_and_not_what_it_claims() {
    let mut bench = Bench::with(1_000_000, 0);
    bench.add_worker(1, SLOTS_MAX);
    let mut held = bench.grants();
    assert_eq!(held.len() as u32, NEWCOMER_LEASES);
    let mut answered = 0;
    for _ in 0..20 {
        let grant = held.pop().unwrap();
        answered += count(&grant.range);
        bench.answer(&grant).unwrap();
        held.extend(bench.grants());
        let tasks: u64 = held.iter().map(|grant| count(&grant.range)).sum();
        assert!(held.len() as u64 <= u64::from(NEWCOMER_LEASES) + answered, "{answered} answered");
        assert!(tasks <= LEASE_GROWTH * (1 + answered) + held.len() as u64, "{answered} answered");
    }
    assert!(held.len() > 8 * NEWCOMER_LEASES as usize, "it has shown much by now");
}

#[test]
fn however_many_hold_all_that_they_may_something_is_free() {
    let mut bench = Bench::with(1 << 30, 0);
    for id in 1..=8 {
        bench.scheduler.add_worker(worker(id), here(), Mode::Lease, Skills::plain(), 8, bench.now);
        bench.set_speed(id, 1e-6);
    }
    while bench.scheduler.grant(bench.now).is_some() {}
    let free = IN_FLIGHT_TASKS_MAX - bench.scheduler.tasks_out();
    assert!(free > IN_FLIGHT_TASKS_MAX / 10, "{free}");
    for worker in bench.scheduler.workers.values() {
        assert!(worker.tasks_held > IN_FLIGHT_TASKS_MAX / 20, "{}", worker.tasks_held);
    }
    bench.scheduler.assert_consistent();
}

#[test]
fn who_has_shown_something_takes_over_from_newcomers_at_once() {
    let mut bench = Bench::with(4, 0);
    for id in 1..=3 {
        bench.add_worker(id, SLOTS_MAX);
    }
    let held = bench.grants();
    assert!(held.len() > 4, "all, and copies");
    bench.add_worker(9, 1);
    assert!(bench.grant().is_none(), "one that has shown nothing waits");
    bench.set_speed(9, 0.01);
    let mut answered = 0;
    while let Some(grant) = bench.grant() {
        assert_eq!(grant.worker, worker(9));
        answered += count(&grant.range);
        bench.answer(&grant).unwrap();
    }
    assert_eq!(answered, 4);
    assert!(bench.scheduler.is_settled(JOB));
    let taken_over = bench.act(|scheduler, _| scheduler.drain_taken_over());
    assert!(!taken_over.is_empty());
    for lease in &held {
        let first = lease.range.start;
        assert_accepted(&bench.send(lease, first, &rights(first..first + 1), None), 0, 1);
    }
}

#[test]
fn what_progress_alone_keeps_is_anybodys_after_its_time() {
    let mut bench = Bench::with_known(100, 1);
    let held = bench.grant_to(1);
    bench.add_worker(2, 1);
    bench.add_worker(3, 1);
    let copies = [bench.grant_to(2), bench.grant_to(3)];
    bench.add_worker(4, 1);
    for _ in 0..2 {
        bench.now += Duration::from_secs(4);
        for grant in copies.iter().chain([&held]) {
            bench.progress(grant).unwrap();
        }
        assert!(bench.act(|scheduler, now| scheduler.expire(now)).is_empty());
        assert!(bench.grant().is_none());
    }
    bench.now = bench.scheduler.next_timeout().unwrap();
    assert_eq!(bench.now, Duration::from_secs(1000) + DEADLINE_MIN);
    assert!(bench.act(|scheduler, now| scheduler.expire(now)).is_empty());
    let taken = bench.grant_to(4);
    assert_eq!(taken.range.start, 0);
    // What its holder sends all the same counts, if it is faster.
    assert_accepted(&bench.answer_part(&held, 0..100), 100, 0);
    assert!(bench.scheduler.is_settled(JOB));
}

#[test]
fn what_stalls_goes_back_where_there_is_little_room() {
    let mut bench = Bench::with(1 << 30, 0);
    for id in 1..=8 {
        bench.add_worker(id, 2);
        bench.set_speed(id, 1e-6);
    }
    let held = bench.grants();
    assert!(bench.scheduler.tasks_out() > IN_FLIGHT_TASKS_MAX / 2);
    bench.now += DEADLINE_MIN - Duration::from_secs(1);
    for grant in &held {
        bench.progress(grant).unwrap();
    }
    bench.now += Duration::from_secs(1);
    let expired = bench.act(|scheduler, now| scheduler.expire(now));
    assert!(expired.is_empty(), "their workers say that they go on");
    let left = bench.scheduler.tasks_out();
    assert!(left <= IN_FLIGHT_TASKS_MAX / 2 && left > IN_FLIGHT_TASKS_MAX / 4, "{left}");
    assert!(bench.grant().is_none(), "what came back is not for who stalls");
    bench.add_worker(9, 1);
    bench.grant_to(9);
}

#[test]
fn nobody_takes_over_what_it_may_still_be_computing_itself() {
    let mut bench = Bench::with_known(1, 1);
    bench.set_slots(1, 2);
    bench.add_worker(2, 2);
    bench.set_speed(2, TASK_TIME.as_secs_f64());
    let first = bench.grant().unwrap();
    let mut copies = bench.grants();
    assert_eq!(copies.len(), 1, "each of the two has it");
    // One that has shown something, and has no lease yet, takes it over when it stalls.
    bench.add_worker(3, 2);
    bench.set_speed(3, TASK_TIME.as_secs_f64());
    copies.extend(bench.grants());
    copies.push(first);
    assert_eq!(copies.len(), 3);
    for id in 4..=5 {
        bench.add_worker(id, 2);
        bench.set_speed(id, TASK_TIME.as_secs_f64());
    }
    let mut lent = Vec::new();
    for _ in 0..40 {
        bench.now += Duration::from_secs(2);
        for grant in copies.iter().chain(&lent) {
            bench.progress(grant).unwrap();
        }
        bench.act(|scheduler, now| scheduler.expire(now));
        lent.extend(bench.grants());
    }
    assert_eq!(lent.len(), 2, "one for each that has not had it");
    for id in 1..=5 {
        let worker = &bench.scheduler.workers[&worker(id)];
        assert!(worker.demand.is_some() && !worker.is_newcomer(), "{id} may do something else");
    }
}

#[test]
fn however_many_slots_are_claimed_leases_are_free_for_others() {
    let mut bench = Bench::new();
    bench.add_job(JOB, JobSpec { lease_tasks_max: 1, ..spec(1 << 30) });
    bench.add_worker(900, 128);
    bench.set_speed(900, 1.0);
    for id in 1..=64 {
        bench.scheduler.add_worker(
            worker(id),
            here(),
            Mode::Lease,
            Skills::plain(),
            SLOTS_MAX,
            bench.now,
        );
        bench.set_speed(id, 1.0);
    }
    while bench.scheduler.grant(bench.now).is_some() {}
    let free = LEASES_OUT_MAX - bench.scheduler.leases_out();
    assert!(free > LEASES_OUT_MAX / 100, "{free}");
    assert_eq!(bench.scheduler.leases_of(worker(900)), 128 * LEASES_PER_SLOT, "a real machine");
    bench.add_worker(901, 64);
    bench.set_speed(901, 1.0);
    let mut lent = 0;
    while let Some(grant) = bench.scheduler.grant(bench.now) {
        assert_eq!(grant.worker, worker(901));
        lent += 1;
    }
    assert_eq!(lent, 64 * LEASES_PER_SLOT);
    bench.scheduler.assert_consistent();
}

#[test]
fn a_worker_that_holds_its_share_looks_again_when_something_comes_back() {
    let mut bench = Bench::with_known(1_000_000, 1);
    bench.set_slots(1, 64);
    let held = bench.grants();
    assert_eq!(held.len() as u32, 64 * LEASES_PER_SLOT);
    let one = &bench.scheduler.workers[&worker(1)];
    let few = LEASES_OUT_MAX - 100;
    assert!(one.demand_now(few, 0).is_none());
    assert!(one.demand_now(0, IN_FLIGHT_TASKS_MAX).is_none());
    bench.answer(&held[0]).unwrap();
    let one = &bench.scheduler.workers[&worker(1)];
    assert!(one.demand_now(few, 0).is_none(), "it holds more than is free");
    assert!(one.demand_now(0, IN_FLIGHT_TASKS_MAX).is_none());
    assert_eq!(one.demand, Some(super::super::worker::Demand::Prefetch), "there is room now");
    bench.grant_to(1);
}

#[test]
fn what_stalls_of_a_paused_job_hides_nothing_behind_it() {
    let mut bench = Bench::new();
    bench.add_job(OTHER, spec(2 * GRANT_SCAN_MAX as u64));
    for id in 1..=2 * GRANT_SCAN_MAX as u64 {
        bench.add_worker(id, 1);
        bench.grant_to(id);
    }
    bench.act(|scheduler, _| scheduler.set_paused(OTHER, true));
    bench.add_job(JOB, spec(1));
    bench.add_worker(1000, 1);
    bench.add_worker(1001, 1);
    bench.add_worker(1002, 1);
    let held: BTreeSet<JobId> = bench.grants().iter().map(|grant| grant.job).collect();
    assert_eq!(held, BTreeSet::from([JOB]));
    bench.add_worker(2000, 1);
    bench.set_speed(2000, 1.0);
    assert_eq!(bench.grant_to(2000).job, JOB, "it is a newcomers'");
}

#[test]
fn what_is_taken_over_beside_copies_is_no_more_than_they_cover() {
    let original = LeaseId(1);
    let taken_over = |pending: Range<u64>, retry: Option<u64>| {
        let mut job = crate::job::Job::new(spec(8), 0);
        job.pending.remove(0..8);
        job.pending.insert(pending);
        job.retry.extend(retry);
        let taken = job.pop_front_of(0..8, original);
        (taken, job.pending)
    };
    let pending = |range: Range<u64>| Intervals::from_iter([range]);
    // All of it is in copies.
    assert_eq!(taken_over(8..8, None), ((0..8, Some(original)), Intervals::default()));
    // What lies behind them was given back, or waits to be tried again.
    assert_eq!(taken_over(5..8, None), ((0..5, Some(original)), pending(5..8)));
    assert_eq!(taken_over(5..8, Some(3)), ((0..3, Some(original)), pending(5..8)));
    // None of its front is.
    assert_eq!(taken_over(0..5, None), ((0..5, None), Intervals::default()));
    assert_eq!(taken_over(5..8, Some(0)), ((0..1, None), pending(5..8)));
}
