//! Results and failures that are judged, and what an answer out of shape costs.

use super::*;
use tequio_protocol::limits::{
    DEADLINE_MIN, RETRY_PATIENCE_FACTOR, STRIKES_MAX, TASK_ATTEMPTS_MAX,
};
use tequio_protocol::outcome::Outcome;

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
fn a_task_fails_on_three_workers_and_then_its_error_is_its_outcome() {
    let mut bench = Bench::with_known(100, 1);
    let first = bench.grant_to(1);
    bench.add_worker(2, 1);
    bench.add_worker(3, 1);
    bench.answer_part(&first, 0..5).unwrap();
    assert_accepted(&bench.fail(&first, 5), 0, 0);
    assert_eq!(bench.rest(&first), Some(6..100), "the rest goes on");
    let second = bench.grant_to(2);
    assert_eq!((second.range.clone(), second.is_copy), (5..6, false));
    assert_accepted(&bench.fail(&second, 5), 0, 0);
    let third = bench.grant_to(3);
    assert_eq!(third.range, 5..6);
    let last = bench.fail(&third, 5).unwrap();
    let error = Outcome::Error("trap\u{fffd}");
    assert_eq!((last.job, last.fresh), (Some(JOB), vec![(5, [error].into_iter().collect())]));
    assert_accepted(&bench.answer_part(&first, 6..100), 94, 0);
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
                assert_accepted(&bench.fail(&grant, 0), 0, 0);
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
            assert_accepted(&bench.fail(&grant, 0), settled, 0);
        }
        assert!(bench.scheduler.is_settled(JOB), "{others}");
    }
}

#[test]
fn a_task_waits_for_a_worker_that_has_not_tried_it() {
    let mut bench = Bench::with(3, 2);
    let first = bench.grant_to(1);
    let busy = [bench.grant_to(2), bench.grant_to(1)];
    assert_accepted(&bench.fail(&first, 0), 0, 0);
    let grant = bench.grant().unwrap();
    assert_eq!((grant.worker, grant.range.clone()), (worker(2), 0..1), "worker 1 had room as well");
    assert_accepted(&bench.answer(&grant), 1, 0);
    for grant in &busy {
        assert_accepted(&bench.answer(grant), 1, 0);
    }
    assert!(bench.scheduler.is_settled(JOB));
}

#[test]
fn each_attempt_at_a_task_has_more_time_than_the_last() {
    let mut bench = Bench::with(2, 1);
    let [first, other] = [bench.grant_to(1), bench.grant_to(1)];
    assert_eq!(bench.time_left(&first), DEADLINE_MIN);
    assert_accepted(&bench.fail(&first, 0), 0, 0);
    let second = bench.grant_to(1);
    let patience = DEADLINE_MIN * RETRY_PATIENCE_FACTOR;
    assert_eq!(bench.time_left(&second), patience);
    bench.now += Duration::from_secs(1);
    bench.progress(&second).unwrap();
    bench.progress(&other).unwrap();
    assert_eq!(bench.time_left(&second), patience, "it counts from now");
    assert_eq!(bench.time_left(&other), DEADLINE_MIN, "nothing of this one has failed");
    assert_accepted(&bench.fail(&second, 0), 0, 0);
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
    assert_accepted(&bench.fail(&first, 0), 0, 0);
    assert!(bench.scheduler.jobs[&JOB].retry.is_empty());
    assert_accepted(&bench.answer(&copy), 1, 0);
    assert!(bench.scheduler.jobs[&JOB].attempts.is_empty());
}

#[test]
fn failures_elsewhere_than_at_the_front_do_not_count() {
    let mut bench = Bench::with_known(100, 1);
    let grant = bench.grant_to(1);
    bench.answer_part(&grant, 0..5).unwrap();
    assert_accepted(&bench.fail(&grant, 3), 0, 1);
    let refusal = bench.fail(&grant, 6).unwrap_err();
    assert!(matches!(refusal.reason, RefusalReason::OutOfShape { front: 5, end: 100, .. }));
    assert!(bench.scheduler.jobs[&JOB].attempts.is_empty());
    assert_eq!(bench.rest(&grant), Some(5..100));
}

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
        assert_eq!((lease, got), (grant.lease, results[index as usize].to_string()));
        assert!(refusal.is_turned_away, "bits are everybody's: one wrong result is enough");
        assert_eq!(bench.pending(JOB), [0..tasks]);
        assert!(!bench.scheduler.has_worker(worker(1)));
    }
}

#[test]
fn results_that_come_one_by_one_are_audited_one_by_one() {
    let mut bench = Bench::with_known(100, 1);
    let grant = bench.grant_to(1);
    for index in 0..60 {
        assert_accepted(&bench.answer_part(&grant, index..index + 1), 1, 0);
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
    assert_accepted(&bench.answer_part(&grant, 0..1), 0, 1);
    assert_accepted(&bench.fail(&grant, 0), 0, 1);
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
    assert_accepted(&bench.answer(&grant), 100, 0);
}

#[test]
fn what_cannot_be_infinite_is_wrong_where_it_is_not_audited_too() {
    for bad in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        // What it is computed of allows it at one place, and nowhere else.
        let input = match bad {
            bad if bad.is_nan() => input(0.0, 2.0, 5000),
            bad => input(bad.signum(), 2.0, 5000),
        };
        for allowed in [70, 71] {
            let mut bench = Bench::with_known(100, 1);
            let grant = bench.grant_to(1);
            let inputs = inputs_with(0..100, &[(allowed, input.clone())]);
            bench.act(|scheduler, _| scheduler.set_inputs(grant.lease, inputs));
            let mut results = rights(0..100);
            // That the other one is audited is left to chance: it is as it must be.
            results[allowed as usize] = Number(bad);
            results[70] = Number(bad);
            let answer = bench.send(&grant, 0, &results, None);
            if allowed != 70 {
                let got = Number(bad).to_string();
                let reason = RefusalReason::Wrong { lease: grant.lease, index: 70, got };
                assert_eq!(answer.unwrap_err().reason, reason);
            } else {
                assert_accepted(&answer, 100, 0);
            }
        }
    }
}

#[test]
fn a_nan_that_is_expected_is_right_whatever_its_bits() {
    let mut bench = Bench::with_known(1, 1);
    let grant = bench.grant_to(1);
    let inputs = inputs_with(0..1, &[(0, input(0.0, 2.0, 5000))]);
    bench.act(|scheduler, _| scheduler.set_inputs(grant.lease, inputs));
    let other = f64::from_bits(f64::NAN.to_bits() ^ (1 << 63) ^ 1);
    assert!(other.is_nan());
    assert_accepted(&bench.send(&grant, 0, &[Number(other)], None), 1, 0);
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
            bench.act(|scheduler, now| {
                scheduler.add_worker(worker(1), here(), mode, Skills::plain(), 1, now);
            });
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
fn results_of_what_was_said_to_have_failed_are_audited() {
    let mut bench = Bench::with(40, 1);
    bench.scheduler.jobs.get_mut(&JOB).unwrap().task_s = Some(0.01);
    let grant = bench.grant_to(1);
    for index in grant.range.clone() {
        assert_accepted(&bench.fail(&grant, index), 0, 0);
    }
    assert_eq!(bench.rest(&grant), None);
    let lies = vec![Number(0.5); count(&grant.range) as usize];
    let refusal = bench.send(&grant, 0, &lies, None).unwrap_err();
    assert!(matches!(refusal.reason, RefusalReason::Wrong { .. }));
    assert!(bench.scheduler.jobs[&JOB].spec.settled.is_empty());
}

#[test]
fn a_failure_of_a_lease_that_is_over_is_an_attempt_once() {
    let mut bench = Bench::with(1, 4);
    let mut late = Vec::new();
    for _ in 0..3 {
        late.push(bench.grant().unwrap());
        bench.expire();
    }
    for (attempts, grant) in (1..).zip(&late) {
        assert!(!bench.scheduler.is_settled(JOB));
        let fresh = u64::from(attempts == 3);
        let accepted = bench.fail(grant, 0).unwrap();
        assert_eq!(accepted.fresh.len() as u64, fresh, "{attempts}");
        let again = bench.fail(grant, 0).unwrap();
        assert!(again.fresh.is_empty(), "it is over");
    }
    assert!(bench.scheduler.is_settled(JOB));
}
