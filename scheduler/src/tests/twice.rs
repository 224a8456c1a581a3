//! Jobs that are checked in other ways than by the budget: `all`, `none`, and `twice`.

use super::*;
use tequio_protocol::limits::{STRIKES_MAX, TASK_ATTEMPTS_MAX};

fn twice(total: u64) -> JobSpec {
    JobSpec { check: Check::Twice, ..spec(total) }
}

/// Workers at these places, known to be fast, and a job.
fn bench(job: JobSpec, places: &[u8]) -> Bench {
    let mut bench = Bench::new();
    bench.add_job(JOB, job);
    for (id, place) in (1..).zip(places) {
        bench.add_worker_at(at(*place), id, 1);
    }
    bench
}

/// Answers everything that is lent, rightly, until nothing is lent any more.
fn answer_all(bench: &mut Bench) -> u64 {
    let mut settled = 0;
    while let Some(grant) = bench.grant() {
        let accepted = bench.answer(&grant).unwrap();
        settled += accepted.fresh.iter().map(|(_, outcomes)| outcomes.len()).sum::<u64>();
    }
    settled
}

fn lie(bench: &mut Bench, grant: &Grant) -> Result<Accepted, Refusal> {
    let lies: Vec<Number> = grant.range.clone().map(|_| Number(-7.0)).collect();
    bench.send(grant, grant.range.start, &lies, Some(TASK_TIME))
}

#[test]
fn one_worker_alone_settles_nothing_and_a_second_confirms_what_it_did() {
    let mut bench = bench(twice(100), &[1]);
    assert_eq!(answer_all(&mut bench), 0);
    assert_eq!(bench.scheduler.lent(JOB), Lent { tasks: 0, workers: 0, unconfirmed: 100 });
    bench.add_worker_at(at(2), 2, 1);
    assert_eq!(answer_all(&mut bench), 100);
    assert!(bench.scheduler.is_settled(JOB));
    assert_eq!(bench.scheduler.votes_bytes.get(), 0);
}

#[test]
fn a_second_is_elsewhere_where_there_is_anybody() {
    let mut bench = bench(twice(1), &[1, 1]);
    let first = bench.grant().unwrap();
    bench.answer(&first).unwrap();
    // At the same address, since there is no other.
    let second = bench.grant_to(1 + first.worker.0 % 2);
    assert_eq!(second.range, first.range);
    let mut bench = self::bench(twice(1), &[1, 1, 2]);
    bench.set_slots(3, 0);
    let first = bench.grant().unwrap();
    assert_ne!(first.worker, worker(3));
    bench.set_slots(3, 1);
    bench.answer(&first).unwrap();
    assert_eq!(bench.grant_to(3).range, 0..1);
    assert_eq!(bench.grant(), None, "nobody else is to compute it");
}

#[test]
fn who_is_wrong_is_found_out_and_away_whoever_came_first() {
    for is_first in [true, false] {
        let mut bench = bench(twice(1), &[1, 2]);
        let first = bench.grant().unwrap();
        let judged = match is_first {
            true => lie(&mut bench, &first),
            false => bench.answer(&first),
        };
        assert_accepted(&judged, 0, 0);
        let second = bench.grant().unwrap();
        assert_ne!(first.worker, second.worker);
        if is_first {
            // What the server came to is what the second did.
            let accepted = bench.answer(&second).unwrap();
            assert_eq!((accepted.fresh, accepted.audited), (outcomes(0..1), 1));
            let convicted = bench.act(|scheduler, _| scheduler.drain_convicted());
            assert_eq!(convicted[0].worker, first.worker);
            assert!(convicted[0].refusal.is_turned_away);
            assert!(!bench.scheduler.has_worker(first.worker));
            assert!(bench.scheduler.is_settled(JOB));
        } else {
            let refusal = lie(&mut bench, &second).unwrap_err();
            assert!(refusal.is_turned_away && refusal.saved.fresh.is_empty());
            assert!(!bench.scheduler.is_settled(JOB), "one vote is not two");
            bench.add_worker_at(at(3), 3, 1);
            let third = bench.grant_to(3);
            assert_accepted(&bench.answer(&third), 1, 0);
        }
    }
}

#[test]
fn a_worker_does_not_confirm_itself_under_its_session() {
    let mut bench = bench(twice(2), &[1]);
    let grant = bench.grant().unwrap();
    bench.answer(&grant).unwrap();
    let session = bench.lose(1);
    bench.resume(2, 1, session).unwrap();
    assert_eq!(answer_all(&mut bench), 0);
    bench.add_worker(3, 1);
    assert_eq!(answer_all(&mut bench), 2);
}

#[test]
fn copies_and_late_answers_are_votes_too() {
    let mut bench = bench(twice(1), &[1, 2]);
    let first = bench.grant().unwrap();
    let copy = bench.grant().unwrap();
    assert!(copy.is_copy);
    bench.answer(&copy).unwrap();
    assert_eq!(bench.grant(), None, "the first is the second vote");
    bench.expire();
    assert_accepted(&bench.answer(&first), 1, 0);
    assert!(bench.scheduler.is_settled(JOB));
}

#[test]
fn a_block_that_fails_with_one_is_tried_by_others_than_have_computed_it() {
    let mut bench = bench(twice(1), &[1, 2]);
    let first = bench.grant().unwrap();
    bench.answer(&first).unwrap();
    let second = bench.grant().unwrap();
    bench.fail(&second, 0).unwrap();
    let again = bench.grant_to(second.worker.0);
    assert_accepted(&bench.answer(&again), 1, 0);
}

#[test]
fn what_waits_is_bounded_and_seconds_are_lent_all_the_same() {
    let total = 1 << 22;
    let mut bench = bench(twice(total), &[1]);
    bench.set_speed(1, 1e-6);
    let mut firsts = Vec::new();
    while let Some(grant) = bench.grant() {
        bench.send(&grant, grant.range.start, &rights(grant.range.clone()), None).unwrap();
        firsts.push(grant);
    }
    let held = bench.scheduler.votes_bytes.get();
    assert!((CLAIMS_BYTES_MAX..CLAIMS_HELD_BYTES_MAX).contains(&held), "{held}");
    assert!(bench.scheduler.lent(JOB).unconfirmed < total);
    // Half of it is confirmed before something is begun again.
    bench.add_worker_at(at(2), 2, 1);
    bench.set_speed(2, 1e-6);
    let mut seconds = 0;
    let begun = loop {
        let grant = bench.grant().unwrap();
        if grant.worker == worker(1) {
            break grant;
        }
        bench.send(&grant, grant.range.start, &rights(grant.range.clone()), None).unwrap();
        seconds += 1;
    };
    assert!(bench.scheduler.votes_bytes.get() <= CLAIMS_BYTES_MAX / 2);
    assert!(seconds >= firsts.len() / 2 && begun.range.start >= firsts.last().unwrap().range.end);
}

#[test]
fn of_a_job_that_is_audited_whole_every_lie_is_found_and_of_one_that_is_not_none() {
    for (check, audited) in [(Check::All, 1000), (Check::None, 0)] {
        let mut bench = bench(JobSpec { check, ..spec(1000) }, &[1]);
        bench.set_speed(1, TASK_TIME.as_secs_f64() / 100.0);
        bench.set_audited(1);
        let grant = bench.grant().unwrap();
        assert_eq!(grant.range, 0..1000);
        let mut results = rights(0..1000);
        let accepted = bench.send(&grant, 0, &results[..500], None).unwrap();
        assert_eq!(accepted.audited, audited / 2);
        results[777] = Number(-7.0);
        let judged = bench.send(&grant, 500, &results[500..], None);
        assert_eq!(judged.is_err(), check == Check::All, "{judged:?}");
    }
}

#[test]
fn the_server_computes_what_clients_leave_again_and_again_behind_a_vote() {
    let mut bench = Bench::with_failures(Failures::Judged);
    bench.add_job(JOB, twice(1));
    bench.add_worker(1, 1);
    let first = bench.grant_to(1);
    assert_accepted(&bench.answer(&first), 0, 0);
    for attempt in 1..=TASK_ATTEMPTS_MAX {
        let id = 10 + attempt as u64;
        bench.add_plain(id);
        let grant = bench.grant_to(id);
        let accepted =
            bench.act(|scheduler, _| scheduler.abandoned(worker(id), grant.lease, 0, "gone"));
        bench.act(|scheduler, _| scheduler.remove_worker(worker(id)));
        assert_eq!(!accepted.fresh.is_empty(), attempt == TASK_ATTEMPTS_MAX, "{accepted:?}");
    }
    assert!(bench.scheduler.is_settled(JOB));
}

#[test]
fn who_is_turned_away_for_strikes_has_no_votes_left() {
    let mut bench = bench(twice(10), &[1]);
    answer_all(&mut bench);
    assert_eq!(bench.scheduler.lent(JOB).unconfirmed, 10);
    let strikes: Vec<bool> = (0..STRIKES_MAX)
        .map(|_| bench.act(|scheduler, _| scheduler.add_strike(worker(1))))
        .collect();
    assert_eq!(strikes.last(), Some(&true));
    assert_eq!(bench.scheduler.lent(JOB).unconfirmed, 0);
    assert_eq!(bench.pending(JOB), [0..10]);
    assert_eq!(bench.scheduler.votes_bytes.get(), 0);
}

#[test]
fn many_at_one_address_hide_nobody_elsewhere_who_is_to_confirm_what_they_came_to() {
    let places: Vec<u8> = [[1; 70].as_slice(), &[2]].concat();
    let mut bench = bench(twice(200), &places);
    for id in 1..=71 {
        bench.set_speed(id, TASK_TIME.as_secs_f64());
    }
    assert_eq!(answer_all(&mut bench), 200);
    assert!(bench.scheduler.is_settled(JOB));
}

/// Sends right results of everything that is lent, until nothing is.
fn send_all(bench: &mut Bench) -> u64 {
    let mut settled = 0;
    while let Some(grant) = bench.grant() {
        let results = rights(grant.range.clone());
        let accepted = bench.send(&grant, grant.range.start, &results, None).unwrap();
        settled += accepted.fresh.iter().map(|(_, outcomes)| outcomes.len()).sum::<u64>();
    }
    settled
}

#[test]
fn a_job_that_waits_for_a_second_worker_holds_no_other() {
    for is_paused in [false, true] {
        let mut bench = bench(twice(1 << 22), &[1]);
        bench.set_speed(1, 1e-6);
        send_all(&mut bench);
        assert!(!bench.scheduler.jobs[&JOB].may_begin);
        bench.act(|scheduler, _| scheduler.set_paused(JOB, is_paused));
        bench.add_job(OTHER, twice(1000));
        bench.add_job(JobId(3), JobSpec { check: Check::All, ..spec(1000) });
        assert_eq!(send_all(&mut bench), 1000, "the one that is audited");
        assert_eq!(bench.scheduler.lent(OTHER).unconfirmed, 1000);
        // It has a share of its own, and no more.
        bench.act(|scheduler, _| scheduler.remove_job(OTHER));
        bench.add_job(OTHER, twice(1 << 22));
        send_all(&mut bench);
        let other = &bench.scheduler.jobs[&OTHER];
        let own = other.votes.counted().of_job();
        assert!((CLAIMS_BYTES_MAX / 2..CLAIMS_BYTES_MAX).contains(&own), "{own}");
        assert!(!other.may_begin);
    }
}

#[test]
fn what_has_waited_for_somebody_elsewhere_is_confirmed_at_the_same_address() {
    let mut bench = bench(JobSpec { lease_tasks_max: 1, ..twice(8) }, &[1, 1, 2]);
    for id in 1..=3 {
        bench.set_speed(id, TASK_TIME.as_secs_f64());
    }
    // Who is elsewhere is busy with what it has.
    let mut elsewhere = Vec::new();
    while let Some(grant) = bench.grant() {
        if grant.worker == worker(3) {
            elsewhere.push(grant);
        } else {
            assert_accepted(&bench.answer(&grant), 0, 0);
        }
    }
    assert!(!elsewhere.is_empty() && bench.scheduler.lent(JOB).unconfirmed > 0);
    bench.now = bench.scheduler.seconds_due.expect("they are looked at again");
    for grant in &elsewhere {
        bench.progress(grant).unwrap();
    }
    bench.act(|scheduler, now| scheduler.expire(now));
    assert!(bench.scheduler.workers[&worker(3)].is_able);
    let grant = bench.grant().unwrap();
    assert_ne!(grant.worker, worker(3));
    assert_accepted(&bench.answer(&grant), 1, 0);
}

#[test]
fn who_comes_back_has_its_votes_and_they_go_with_it() {
    let mut bench = bench(twice(4), &[1]);
    assert_eq!(answer_all(&mut bench), 0);
    let session = bench.lose(1);
    bench.resume(2, 1, session).unwrap();
    let votes = |bench: &Bench, id: u64| bench.scheduler.jobs[&JOB].votes.has(worker(id), &(0..4));
    assert!(votes(&bench, 2) && !votes(&bench, 1));
    bench.act(|scheduler, _| scheduler.forget_votes_of(worker(1)));
    assert!(votes(&bench, 2));
    bench.act(|scheduler, _| scheduler.forget_votes_of(worker(2)));
    assert!(!votes(&bench, 2));
    assert_eq!((bench.scheduler.votes_bytes.get(), bench.pending(JOB)), (0, vec![0..4]));
}
