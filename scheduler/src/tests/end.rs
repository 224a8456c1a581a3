//! Leases, jobs and workers that end.

use super::*;
use tequio_protocol::limits::{LEASE_GROWTH, PAST_LEASES_MAX};

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
            "results" => assert_accepted(&bench.answer_part(&grant, 0..2), 2, 0),
            "failed" => assert_accepted(&bench.fail(&grant, 0), 0, 0),
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
    bench.act(|scheduler, _| scheduler.withdraw(grant.lease));
    assert_eq!(bench.pending(JOB), [0..100]);
    let grant = bench.act(|scheduler, now| scheduler.grant(now)).unwrap();
    assert_eq!(bench.expire(), [grant.lease]);
    assert!(bench.grant().is_some(), "the worker has missed nothing");
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
        assert_accepted(&answer, count(&grant.range), 0);
    }
    bench.now = Duration::MAX;
    let all = bench.grants();
    assert!(!all.is_empty() && all.iter().all(|grant| grant.deadline == Duration::MAX));
    bench.progress(&all[0]).unwrap();
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
    assert_accepted(&bench.answer(&copy), 50, 0);
    assert_eq!(bench.pending(JOB), [10..50]);
    assert_eq!(bench.grant_to(2).range, 10..50);
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
    assert_accepted(&bench.answer(&long), 0, 1);
    let refusal = bench.answer(&short).unwrap_err();
    assert_eq!(refusal.reason, RefusalReason::UnknownLease(short.lease));
    let memory = &bench.scheduler.workers[&worker(1)].memory;
    assert_eq!(memory.leases_ended(), PAST_LEASES_MAX);
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
    assert_accepted(&bench.fail(&grants[0], grants[0].range.start), 0, 1);
    assert!(!bench.scheduler.is_settled(JOB));
    assert_eq!(bench.scheduler.lent(JOB), Lent::default());
    bench.act(|scheduler, _| scheduler.remove_job(JOB));
    bench.act(|scheduler, _| scheduler.set_paused(JOB, false));
    bench.act(|scheduler, _| scheduler.grow_job(JOB, 5, true));
    assert!(bench.grant().is_none());
}
