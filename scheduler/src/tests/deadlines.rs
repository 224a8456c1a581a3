//! How long a lease is out.

use super::*;
use tequio_protocol::limits::{DEADLINE_MIN, HOLD_MAX};

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
    assert_accepted(&bench.answer_part(&grant, 0..1), 1, 0);
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
            assert_accepted(&bench.answer_part(&grant, front..front + 1), 1, 0);
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
