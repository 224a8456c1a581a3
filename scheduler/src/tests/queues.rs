//! Jobs that come, grow, wait and are paused.

use super::*;

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
    assert_accepted(&bench.answer(&grant), 100, 0);
    bench.act(|scheduler, _| scheduler.set_paused(JOB, true));
    assert!(bench.grant().is_none());
    bench.act(|scheduler, _| scheduler.set_paused(JOB, false));
    assert_eq!(bench.grant_to(1).range, 100..200);
    bench.add_job(OTHER, JobSpec { is_paused: true, priority: 9, ..spec(10) });
    assert_eq!(bench.grant_to(1).job, JOB);
}

#[test]
fn an_open_job_grows_and_is_settled_when_it_can_grow_no_more() {
    let mut bench = Bench::new();
    bench.add_job(JOB, JobSpec { is_open: true, ..spec(0) });
    bench.add_worker(1, 1);
    assert!(bench.grant().is_none() && !bench.scheduler.is_settled(JOB));
    bench.act(|scheduler, _| scheduler.grow_job(JOB, 1, true));
    let grant = bench.grant_to(1);
    assert_accepted(&bench.answer(&grant), 1, 0);
    assert!(!bench.scheduler.is_settled(JOB));
    bench.act(|scheduler, _| scheduler.grow_job(JOB, 5, true));
    bench.act(|scheduler, _| scheduler.grow_job(JOB, 3, false));
    assert_eq!(bench.pending(JOB), [1..5], "it never shrinks");
    let grant = bench.grant_to(1);
    assert_eq!(grant.range, 1..5);
    assert_accepted(&bench.answer(&grant), 4, 0);
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
        assert_accepted(&bench.answer(&grant), count(&grant.range), 0);
        ranges.push(grant.range);
    }
    assert_eq!(ranges, [10..20, 30..95]);
    assert!(bench.scheduler.is_settled(JOB));
    let all = [0..100].into_iter().collect();
    bench.add_job(OTHER, JobSpec { settled: all, ..spec(100) });
    assert!(bench.scheduler.is_settled(OTHER) && bench.grant().is_none());
}
