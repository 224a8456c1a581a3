//! Outcomes that count, once, and whom else they spare the work.

use super::*;

#[test]
fn late_results_count_if_nobody_was_faster() {
    let mut bench = Bench::with_known(300, 2);
    let late = bench.grant_to(1);
    bench.act(|scheduler, _| scheduler.set_slots(worker(2), 0));
    assert_eq!(bench.expire(), [late.lease]);
    assert_accepted(&bench.answer_part(&late, 0..40), 40, 0);
    assert_eq!(bench.pending(JOB), [40..300]);
    bench.set_slots(1, 0);
    bench.set_slots(2, 1);
    let anew = bench.grant_to(2);
    assert_eq!(anew.range, 40..140);
    assert_accepted(&bench.answer_part(&anew, 40..60), 20, 0);
    let answer = bench.answer_part(&late, 40..100);
    assert_accepted(&answer, 40, 20);
    assert_eq!(answer.unwrap().fresh, outcomes(60..100));
    assert_accepted(&bench.answer_part(&anew, 60..140), 40, 40);
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
    assert_accepted(&bench.answer_part(&late, 0..99), 99, 0);
    assert_eq!(bench.revoked(), [], "task 99 is waited for");
    assert_accepted(&bench.answer_part(&late, 99..100), 1, 0);
    assert_eq!(bench.revoked(), [(worker(2), anew.lease)]);
    assert!(bench.grant().is_none());
    assert_accepted(&bench.answer(&anew), 0, 100);
}

#[test]
fn a_failed_task_of_an_expired_lease_leaves_no_gap_before_what_comes_late() {
    let mut bench = Bench::with_known(100, 1);
    let late = bench.grant_to(1);
    bench.set_slots(1, 0);
    bench.expire();
    assert_accepted(&bench.answer_part(&late, 0..10), 10, 0);
    assert_accepted(&bench.fail(&late, 10), 0, 0);
    assert_accepted(&bench.answer_part(&late, 11..100), 89, 0);
    assert_eq!(bench.pending(JOB), []);
    assert!(bench.scheduler.jobs[&JOB].retry.contains(&10), "it is tried again");
}

#[test]
fn partial_results_shrink_a_lease_from_its_front() {
    let mut bench = Bench::with_known(100, 1);
    let grant = bench.grant_to(1);
    for (part, rest) in [(0..1, 1..100), (1..60, 60..100), (40..61, 61..100)] {
        bench.answer_part(&grant, part).unwrap();
        assert_eq!(bench.rest(&grant), Some(rest));
    }
    assert_eq!(bench.scheduler.lent(JOB), Lent { tasks: 39, workers: 1, unconfirmed: 0 });
    bench.release(&grant).unwrap();
    assert_eq!(bench.pending(JOB), [61..100]);
    assert_eq!(bench.scheduler.lent(JOB), Lent::default());
}

#[test]
fn what_is_settled_revokes_the_others_that_hold_it() {
    let mut bench = Bench::with_known(100, 1);
    let first = bench.grant_to(1);
    bench.add_worker(2, 1);
    bench.set_speed(2, 0.02);
    let copy = bench.grant_to(2);
    assert_eq!(copy.range, 50..100);
    assert_accepted(&bench.answer(&copy), 50, 0);
    assert_eq!(bench.revoked(), [], "the front is waited for");
    assert_eq!(bench.scheduler.lent(JOB).tasks, 50);
    assert_accepted(&bench.answer_part(&first, 0..49), 49, 0);
    assert_eq!(bench.revoked(), []);
    let results = rights(49..70);
    assert_accepted(&bench.send(&first, 49, &results, None), 1, 20);
    assert_eq!(bench.revoked(), [(worker(1), first.lease)]);
    assert!(bench.scheduler.is_settled(JOB));
    assert_eq!(bench.scheduler.leases_out(), 0);
    assert_accepted(&bench.answer_part(&first, 70..100), 0, 30);
}

#[test]
fn a_last_failure_revokes_the_copies_of_its_task() {
    let mut bench = Bench::with(1, 3);
    let first = bench.grant_to(1);
    let [second, third] = [bench.grant_to(2), bench.grant_to(3)];
    bench.add_worker(4, 1);
    assert_accepted(&bench.fail(&first, 0), 0, 0);
    let fourth = bench.grant_to(4);
    assert!(fourth.is_copy);
    assert_accepted(&bench.fail(&second, 0), 0, 0);
    assert_accepted(&bench.fail(&third, 0), 1, 0);
    assert_eq!(bench.revoked(), [(worker(4), fourth.lease)]);
    assert!(bench.scheduler.is_settled(JOB));
}

#[test]
fn the_same_results_twice_are_duplicates_and_no_offence() {
    let mut bench = Bench::with_known(200, 1);
    let grant = bench.grant_to(1);
    assert_accepted(&bench.answer_part(&grant, 0..60), 60, 0);
    assert_accepted(&bench.answer_part(&grant, 0..60), 0, 60);
    assert_accepted(&bench.answer_part(&grant, 30..100), 40, 30);
    assert_accepted(&bench.answer(&grant), 0, 100);
    assert_eq!(bench.scheduler.workers[&worker(1)].memory.strikes, 0);
}

#[test]
fn tasks_whose_outcomes_are_lost_are_lent_again_unless_somebody_has_them() {
    let mut bench = Bench::with_known(300, 2);
    let late = bench.grant_to(1);
    bench.act(|scheduler, _| scheduler.set_slots(worker(2), 0));
    assert_eq!(bench.expire(), [late.lease]);
    bench.set_slots(1, 0);
    bench.set_slots(2, 1);
    let anew = bench.grant_to(2);
    assert_eq!((late.range.clone(), anew.range.clone()), (0..100, 0..100));
    assert_accepted(&bench.answer_part(&anew, 0..20), 20, 0);
    assert_accepted(&bench.answer_part(&late, 0..60), 40, 20);
    // Of these, 20..60 are in what the second lease still has to answer, and 60..80 have no outcome.
    bench.act(|scheduler, _| scheduler.unsettle(JOB, &(10..80)));
    assert_eq!(bench.pending(JOB), [10..20, 100..300]);
    assert_eq!(bench.scheduler.lent(JOB).tasks, 80);
    assert_accepted(&bench.answer_part(&anew, 20..100), 80, 0);
    let again = bench.grant_to(2);
    assert_eq!(again.range, 10..20);
    assert_accepted(&bench.answer(&again), 10, 0);
    assert_eq!(bench.pending(JOB), [100..300]);
    // Twice does no harm, nor does a job that is not there.
    bench.act(|scheduler, _| scheduler.unsettle(JOB, &(100..300)));
    bench.act(|scheduler, _| scheduler.unsettle(OTHER, &(0..300)));
    assert_eq!(bench.pending(JOB), [100..300]);
}

#[test]
fn a_job_that_is_settled_is_so_no_more_when_an_outcome_is_lost() {
    let mut bench = Bench::with_known(50, 1);
    let all = bench.grant_to(1);
    assert_accepted(&bench.answer(&all), 50, 0);
    assert!(bench.scheduler.is_settled(JOB) && bench.grant().is_none());
    bench.act(|scheduler, _| scheduler.unsettle(JOB, &(49..50)));
    assert!(!bench.scheduler.is_settled(JOB));
    assert_eq!(bench.grant_to(1).range, 49..50);
}
