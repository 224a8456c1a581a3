//! Which job and which worker come next, how large a lease is, and copies of leases.

use super::*;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use tequio_protocol::limits::{
    GRANT_SCAN_MAX, INTEGER_MAX, LEASE_COPIES_MAX, LEASE_GROWTH, LEASE_TARGET, LEASES_PER_SLOT,
};

#[test]
fn the_first_lease_is_one_task_and_the_next_grow_until_they_take_their_time() {
    let mut bench = Bench::with(1_000_000, 1);
    let mut sizes = Vec::new();
    for _ in 0..5 {
        let grant = bench.grant().unwrap();
        sizes.push(count(&grant.range));
        assert_accepted(&bench.answer(&grant), count(&grant.range), 0);
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
            assert_accepted(
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
        assert_accepted(&bench.answer(&grant), size, 0);
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
        assert_accepted(&bench.send(&grant, 0, &[right(0)], Some(time)), 1, 0);
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
        assert_accepted(&bench.answer(&grants[0]), 1, 0);
    }
    let held = bench.grant_to(1);
    bench.act(|scheduler, _| scheduler.set_lease_mode(worker(1), Skills::plain()));
    bench.set_slots(1, 2);
    assert_eq!(bench.grants().len(), 3, "it has said hello; what it holds it keeps");
    assert_accepted(&bench.answer(&held), 1, 0);
}

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
    assert_eq!(bench.scheduler.lent(JOB), Lent { tasks: 200, workers: 5, unconfirmed: 0 });
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
        assert_accepted(&answer, count(&copy.range), 0);
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
    assert_accepted(&bench.fail(&first, 0), 0, 0);
    assert!(bench.grant().is_none(), "worker 1 is idle, and has failed");
    bench.add_worker(3, 1);
    assert_eq!(bench.grant_to(3).range, 0..1);
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
        assert_accepted(&bench.send(&grant, grant.range.start, &results, time), tasks, 0);
        out.extend(bench.grants());
        let job = &bench.scheduler.jobs[&JOB];
        assert!(job.pending.iter().count() <= 1);
        assert!(job.spec.settled.iter().count() <= out.len() + 1);
        assert_eq!(job.copies.iter().count(), out.len());
        assert!(job.attempts.is_empty() && job.retry.is_empty());
    }
    let job = &bench.scheduler.jobs[&JOB];
    assert!(job.spec.settled.len() > 300 * 1000, "{}", job.spec.settled.len());
    assert_eq!(job.spec.settled.len() + job.pending.len() + job.lent(), INTEGER_MAX);
}

#[test]
fn blocks_wait_for_no_plain_client_however_many_there_are() {
    const BLOCK: u64 = 4;
    let mut bench = Bench::new();
    (1..=GRANT_SCAN_MAX as u64).for_each(|id| bench.add_plain(id));
    bench.add_job(JOB, JobSpec { block: BLOCK, ..spec(BLOCK) });
    assert_eq!(bench.grant(), None, "they take single tasks");
    bench.add_worker(100, 1);
    bench.add_worker(101, 1);
    let first = bench.grant_to(100);
    assert_eq!(first.range, 0..BLOCK);
    bench.fail(&first, 0).unwrap();
    let second = bench.grant_to(101);
    bench.fail(&second, 0).unwrap();
    assert_eq!(bench.grant().map(|grant| grant.range), Some(0..BLOCK), "nobody else can try it");
}

#[test]
fn a_plain_client_gets_single_tasks_however_many_jobs_have_blocks() {
    let mut bench = Bench::new();
    for id in 1..=GRANT_SCAN_MAX as u64 {
        bench.add_job(JobId(id), JobSpec { block: 4, priority: 1, ..spec(4) });
    }
    bench.add_job(JobId(100), spec(1));
    bench.add_plain(1);
    assert_eq!(bench.grant_to(1).job, JobId(100));
}

#[test]
fn the_inputs_of_leases_out_are_counted_until_they_come_back() {
    let mut bench = Bench::with_known(300, 2);
    let grants = bench.grants();
    let of = |grant: &Grant| inputs_with(grant.range.clone(), &[]).bytes();
    let all: usize = grants.iter().map(of).sum();
    assert!(all > 300 * 20 && bench.scheduler.inputs_bytes() == all);
    bench.answer(&grants[0]).unwrap();
    assert_eq!(bench.scheduler.inputs_bytes(), all - of(&grants[0]));
    for id in 1..=2 {
        bench.act(|scheduler, _| scheduler.remove_worker(worker(id)));
    }
    assert_eq!(bench.scheduler.inputs_bytes(), 0);
}
