//! What is believed, and of whom.

use super::*;
use std::collections::BTreeSet;
use tequio_protocol::limits::{
    AUDITED_FIRST, GRANT_SCAN_MAX, NEWCOMER_PAUSE, REFUTED_MAX, SUSPICION, TASK_ATTEMPTS_MAX,
};

#[test]
fn duplicates_do_not_hide_a_lie() {
    for lie in 90..100 {
        let mut bench = Bench::with_known(100, 1);
        bench.set_audited(1);
        let grant = bench.grant_to(1);
        // Of what is new four are audited at the least, whatever was sent before it.
        assert_accepted(&bench.answer_part(&grant, 0..96), 96, 0);
        let mut results = rights(0..100);
        results[lie as usize] = Number(0.5);
        let answer = bench.send(&grant, 0, &results, None);
        assert_eq!(answer.is_err(), lie >= 96, "a lie about {lie}");
    }
}

#[test]
fn of_a_newcomers_message_what_was_right_counts_and_the_lie_is_computed_anew() {
    let mut bench = Bench::with_known(100, 2);
    bench.set_slots(2, 0);
    let grant = bench.grant_to(1);
    let mut results = rights(0..100);
    for lie in [0, 50, 51, 99] {
        results[lie] = Number(0.5);
    }
    let refusal = bench.send(&grant, 0, &results, None).unwrap_err();
    assert!(refusal.is_turned_away);
    let saved: Vec<Range<u64>> = refusal
        .saved
        .fresh
        .iter()
        .map(|(first, outcomes)| {
            assert_eq!(*outcomes, outcomes_of(*first..*first + outcomes.len()));
            *first..*first + outcomes.len()
        })
        .collect();
    assert_eq!(saved, [1..50, 52..99]);
    bench.set_slots(2, 1);
    let mut left: Vec<u64> = Vec::new();
    while let Some(grant) = bench.grant() {
        left.extend(grant.range.clone());
        bench.answer(&grant).unwrap();
    }
    assert_eq!(left, [0, 50, 51, 99]);
    assert!(bench.scheduler.is_settled(JOB));
}

fn outcomes_of(range: Range<u64>) -> Outcomes {
    outcomes(range).remove(0).1
}

#[test]
fn a_failure_of_what_the_server_can_compute_is_its_result_and_held_against_the_worker() {
    let mut bench = Bench::with_failures(Failures::Judged);
    bench.add_job(JOB, spec(1000));
    bench.add_worker(1, 1);
    for failures in 1..=REFUTED_MAX {
        let grant = bench.grant_to(1);
        let index = grant.range.start;
        let accepted = bench.fail(&grant, index).unwrap();
        assert_eq!(accepted.fresh, outcomes(index..index + 1));
        assert_eq!((accepted.by, bench.scheduler.jobs[&JOB].retry.len()), (By::Server, 0));
        assert!(bench.scheduler.jobs[&JOB].attempts.is_empty(), "after {failures}");
    }
    let grant = bench.grant_to(1);
    let refusal = bench.fail(&grant, grant.range.start).unwrap_err();
    assert!(matches!(refusal.reason, RefusalReason::Refuted { .. }) && refusal.is_turned_away);
    assert!(!bench.scheduler.has_worker(worker(1)));
    assert_eq!(bench.pending(JOB), [grant.range.start..1000], "that is somebody else's");
}

#[test]
fn who_computes_may_fail_now_and_then() {
    let mut bench = Bench::with_failures(Failures::Judged);
    bench.add_job(JOB, spec(1 << 20));
    bench.add_worker(1, 1);
    for _ in 0..10 * REFUTED_MAX {
        let grant = bench.grant_to(1);
        let first = grant.range.start;
        bench.fail(&grant, first).unwrap();
        let mut answered = 1;
        bench.answer_part(&grant, first + 1..grant.range.end).ok();
        answered += count(&grant.range) - 1;
        while answered < AUDITED_FIRST {
            let grant = bench.grant_to(1);
            answered += count(&grant.range);
            bench.answer(&grant).unwrap();
        }
    }
    assert!(bench.scheduler.has_worker(worker(1)));
}

#[test]
fn who_comes_where_somebody_was_turned_away_waits_a_moment_once() {
    let mut bench = Bench::with(1000, 2);
    bench.add_worker_at(at(2), 3, 1);
    let lying = bench.grant_to(1);
    bench.send(&lying, 0, &[Number(0.5)], None).unwrap_err();
    let held = bench.grant_to(2);
    bench.answer(&held).unwrap();
    let session = bench.lose(2);
    bench.grants();
    bench.add_worker(4, 1);
    assert!(bench.grant().is_none(), "it may be the same one again");
    let nothing = bench.lose(4);
    bench.resume(4, 1, nothing).unwrap();
    assert!(bench.grant().is_none(), "one that has shown nothing waits, as often as it comes back");
    bench.resume(5, 1, session).unwrap();
    bench.grant_to(5);
    bench.add_worker_at(at(2), 6, 1);
    bench.grant_to(6);
    bench.grants();
    assert_eq!(bench.scheduler.next_timeout(), Some(bench.now + NEWCOMER_PAUSE));
    bench.now += NEWCOMER_PAUSE;
    bench.act(|scheduler, now| scheduler.expire(now));
    bench.grant_to(4);
    bench.now += SUSPICION;
    bench.add_worker(7, 1);
    bench.grant_to(7);
}

#[test]
fn the_server_computes_what_clients_leave_again_and_again() {
    let mut bench = Bench::with_failures(Failures::Judged);
    bench.add_job(JOB, spec(1));
    for attempt in 1..=TASK_ATTEMPTS_MAX {
        let id = attempt as u64;
        bench.add_plain(id);
        let grant = bench.grant_to(id);
        let accepted =
            bench.act(|scheduler, _| scheduler.abandoned(worker(id), grant.lease, 0, "gone"));
        bench.act(|scheduler, _| scheduler.remove_worker(worker(id)));
        match attempt {
            TASK_ATTEMPTS_MAX => assert_eq!(accepted.fresh, outcomes(0..1)),
            _ => assert_eq!(accepted.fresh, []),
        }
    }
    assert!(bench.scheduler.is_settled(JOB));
}

#[test]
fn what_failed_is_tried_at_another_address_where_there_is_one() {
    let mut bench = Bench::with(1, 0);
    bench.add_worker_at(at(1), 1, 1);
    let first = bench.grant_to(1);
    bench.add_worker_at(at(1), 2, 1);
    bench.add_worker_at(at(2), 3, 0);
    assert_accepted(&bench.fail(&first, 0), 0, 0);
    let second = bench.grant_to(2);
    assert_accepted(&bench.fail(&second, 0), 0, 0);
    bench.set_slots(3, 1);
    bench.add_worker_at(at(1), 4, 1);
    let third = bench.grant_to(3);
    assert_eq!(third.range, 0..1, "worker 4 had not tried it either");
    assert_accepted(&bench.fail(&third, 0), 1, 0);
}

#[test]
fn tasks_to_be_tried_again_leave_room_for_others() {
    let mut bench = Bench::with_known(10_000, 1);
    let failing = bench.grant_to(1);
    for index in failing.range.clone() {
        bench.fail(&failing, index).unwrap();
    }
    bench.act(|scheduler, _| scheduler.remove_worker(worker(1)));
    bench.add_worker(2, 4);
    bench.set_speed(2, TASK_TIME.as_secs_f64());
    let mut sizes: Vec<u64> = bench.grants().iter().map(|grant| count(&grant.range)).collect();
    sizes.sort_unstable();
    assert_eq!(sizes, [1, 100, 100, 100, 100, 100, 100, 100], "one at a time");
    assert!(failing.range.end as usize > GRANT_SCAN_MAX);
}

#[test]
fn a_session_or_an_audit_cannot_be_guessed_from_64_bits() {
    let drawn = |seed: [u8; 32]| {
        let trust = Trust { seed, ..Trust::from(0) };
        Scheduler::new(LeaseId(1), trust).new_session_id()
    };
    let mut seeds = [[7; 32]; 4];
    for (at, seed) in seeds.iter_mut().enumerate() {
        seed[8 * at] ^= 1;
    }
    let names: BTreeSet<String> = seeds.map(|seed| drawn(seed).to_string()).into();
    assert_eq!(names.len(), seeds.len(), "every part of the seed counts");
}
