//! Workers that lose their connections and come back.

use super::*;
use tequio_protocol::limits::{
    LATE_INPUTS_BYTES_MAX, LEASE_INPUTS_MAX, PAST_LEASES_MAX, SESSION_INPUTS_BYTES_MAX,
    SESSION_KEPT, SESSIONS_KEPT_BYTES_MAX, SESSIONS_KEPT_MAX, STRIKES_MAX,
};

/// A grant as the worker has it that came back as `id`.
fn as_of(grant: &Grant, id: u64) -> Grant {
    Grant { worker: worker(id), ..grant.clone() }
}

/// A lease of 100 tasks whose worker answered ten, lost its connection and came back as worker 2,
/// without slots.
fn resumed() -> (Bench, Grant) {
    let mut bench = Bench::with_known(100, 1);
    let grant = bench.grant_to(1);
    assert_accepted(&bench.answer_part(&grant, 0..10), 10, 0);
    let session = bench.lose(1);
    assert_eq!(bench.pending(JOB), [10..100]);
    assert_eq!(bench.resume(2, 0, session), Some(worker(1)));
    (bench, as_of(&grant, 2))
}

fn strikes(bench: &Bench, id: u64) -> u32 {
    bench.scheduler.workers[&worker(id)].memory.strikes
}

#[test]
fn results_of_before_count_once() {
    let (mut bench, grant) = resumed();
    assert_accepted(&bench.answer_part(&grant, 0..40), 30, 10);
    assert_accepted(&bench.answer_part(&grant, 40..100), 60, 0);
    assert!(bench.scheduler.is_settled(JOB));
    assert_accepted(&bench.answer(&grant), 0, 100);
    assert_eq!(strikes(&bench, 2), 0);
}

#[test]
fn what_was_lost_on_the_way_is_a_gap_and_no_offence() {
    let (mut bench, grant) = resumed();
    assert_accepted(&bench.answer_part(&grant, 50..80), 30, 0);
    assert_eq!(bench.pending(JOB), [10..50, 80..100]);
    assert_accepted(&bench.fail(&grant, 90), 0, 1);
    assert_accepted(&bench.answer_part(&grant, 10..50), 40, 0);
    assert_accepted(&bench.answer_part(&grant, 91..100), 9, 0);
    assert_eq!(bench.pending(JOB), [80..91]);
    assert!(bench.scheduler.jobs[&JOB].attempts.is_empty(), "it is to be computed anew");
    assert_eq!(strikes(&bench, 2), 0);
    let beyond = bench.send(&grant, 100, &[right(100)], None).unwrap_err();
    assert!(matches!(beyond.reason, RefusalReason::OutOfShape { .. }));
    assert_eq!(strikes(&bench, 2), 1);
}

#[test]
fn what_was_lost_takes_no_places() {
    let mut bench = Bench::with_known(10_000, 1);
    let first = bench.grant_to(1);
    bench.grant_to(1);
    bench.expire();
    let session = bench.lose(1);
    bench.resume(2, 1, session).unwrap();
    let sizes: Vec<u64> = bench.grants().iter().map(|grant| count(&grant.range)).collect();
    assert_eq!(sizes, [1, 1], "two leases for a slot; it let one expire, and begins with little");
    bench.progress(&as_of(&first, 2)).unwrap();
    bench.release(&as_of(&first, 2)).unwrap();
    assert_eq!(strikes(&bench, 2), 0);
}

#[test]
fn a_worker_is_as_fast_as_before() {
    let mut bench = Bench::with_known(10_000, 1);
    let session = bench.lose(1);
    bench.resume(2, 1, session).unwrap();
    assert_eq!(bench.next_size(), 100);
}

#[test]
fn leases_in_which_it_was_lent_anew_are_revoked() {
    let mut bench = Bench::with_known(100, 1);
    let grant = bench.grant_to(1);
    let session = bench.lose(1);
    bench.add_worker(3, 1);
    bench.set_speed(3, TASK_TIME.as_secs_f64());
    let anew = bench.grant_to(3);
    assert_eq!(anew.range, grant.range);
    bench.resume(2, 0, session).unwrap();
    assert_accepted(&bench.answer_part(&as_of(&grant, 2), 0..99), 99, 0);
    assert_eq!(bench.revoked(), [], "task 99 is waited for");
    assert_accepted(&bench.answer_part(&as_of(&grant, 2), 99..100), 1, 0);
    assert_eq!(bench.revoked(), [(worker(3), anew.lease)]);
    assert_accepted(&bench.answer(&anew), 0, 100);
}

#[test]
fn wrong_results_of_before_are_wrong() {
    let (mut bench, grant) = resumed();
    let refusal = bench.send(&grant, 50, &vec![Number(0.5); 50], None).unwrap_err();
    assert!(matches!(refusal.reason, RefusalReason::Wrong { .. }) && refusal.is_turned_away);
    assert_eq!(bench.pending(JOB), [10..100]);
}

#[test]
fn who_comes_back_has_shown_what_it_had_and_who_was_turned_away_nothing() {
    let (mut bench, grant) = resumed();
    let shown = bench.scheduler.workers[&worker(2)].memory.credit;
    assert_eq!(shown.audited, 10);
    assert_accepted(&bench.answer_part(&grant, 10..20), 10, 0);
    let session = bench.lose(2);
    bench.resume(3, 0, session).unwrap();
    assert_eq!(bench.scheduler.workers[&worker(3)].memory.credit.audited, 20);
    bench.send(&as_of(&grant, 3), 50, &[Number(0.5)], None).unwrap_err();
    let session = bench.lose(3);
    assert_eq!(bench.resume(4, 1, session), None);
}

#[test]
fn strikes_are_kept_and_who_is_turned_away_is_not() {
    let mut bench = Bench::with(100, 1);
    for strike in 1..STRIKES_MAX {
        assert!(!bench.act(|scheduler, _| scheduler.add_strike(worker(1))));
        let session = bench.lose(1);
        bench.resume(1, 1, session).unwrap();
        assert_eq!(strikes(&bench, 1), strike);
    }
    assert!(bench.act(|scheduler, _| scheduler.add_strike(worker(1))));
    let session = bench.lose(1);
    assert_eq!(bench.resume(2, 1, session), None);
    assert!(!bench.scheduler.has_worker(worker(2)));
}

#[test]
fn a_session_is_resumed_once_and_in_time() {
    let mut bench = Bench::with_known(100, 1);
    let grant = bench.grant_to(1);
    let first = bench.lose(1);
    assert_eq!(bench.scheduler.next_timeout(), Some(bench.now + SESSION_KEPT));
    bench.now += SESSION_KEPT - Duration::from_millis(1);
    bench.resume(2, 0, first).unwrap();
    assert_eq!(bench.resume(3, 0, first), None, "it was resumed");
    let second = bench.lose(2);
    bench.now += SESSION_KEPT;
    assert_eq!(bench.resume(3, 0, second), None, "it is over");
    assert_eq!(bench.scheduler.sessions.len(), 1);
    bench.act(|scheduler, now| scheduler.expire(now));
    assert_eq!((bench.scheduler.sessions.len(), bench.scheduler.next_timeout()), (0, None));
    bench.add_worker(3, 0);
    assert!(bench.answer(&as_of(&grant, 3)).is_err(), "a newcomer has no leases");
}

#[test]
fn the_oldest_sessions_are_dropped_when_there_are_too_many() {
    let mut bench = Bench::new();
    let mut sessions = Vec::new();
    for id in 0..=SESSIONS_KEPT_MAX as u64 {
        bench.scheduler.add_worker(worker(id), here(), Mode::Lease, Skills::plain(), 1, bench.now);
        let session = bench.scheduler.new_session_id();
        bench.scheduler.keep_worker(worker(id), session, bench.now);
        sessions.push(session);
    }
    bench.scheduler.assert_consistent();
    assert_eq!(bench.resume(0, 1, sessions[0]), None);
    assert_eq!(bench.resume(1, 1, sessions[1]), Some(worker(1)));
}

#[test]
fn sessions_keep_a_bounded_number_of_inputs_each_and_all() {
    let mut bench = Bench::new();
    bench.add_job(JOB, JobSpec { lease_tasks_max: LEASE_INPUTS_MAX, ..spec(1 << 30) });
    let mut sessions = Vec::new();
    for id in 0..2 * (SESSIONS_KEPT_BYTES_MAX / SESSION_INPUTS_BYTES_MAX) as u64 {
        bench.scheduler.add_worker(worker(id), here(), Mode::Lease, Skills::plain(), 16, bench.now);
        bench.set_speed(id, 1e-6);
        let grants = bench.grants();
        let inputs = grants.iter().map(|grant| inputs_with(grant.range.clone(), &[]));
        let bytes = inputs.map(|inputs| match inputs {
            Inputs::List { inputs, .. } => inputs.bytes(),
            Inputs::Grid(_) => 0,
        });
        assert!(bytes.sum::<usize>() > SESSION_INPUTS_BYTES_MAX);
        sessions.push(bench.lose(id));
        let kept = bench.scheduler.sessions.inputs_bytes();
        let most = (SESSION_INPUTS_BYTES_MAX * sessions.len()).min(SESSIONS_KEPT_BYTES_MAX);
        assert!(kept <= most && kept > SESSION_INPUTS_BYTES_MAX / 2, "{kept}");
    }
    assert!(bench.resume(100, 1, sessions[0]).is_none());
    assert!(bench.resume(101, 1, sessions[sessions.len() - 1]).is_some());
}

#[test]
fn who_says_hello_and_leaves_makes_nobody_forgotten() {
    let mut bench = Bench::with_known(100, 1);
    let grant = bench.grant_to(1);
    bench.answer_part(&grant, 0..10).unwrap();
    let worker_with_results = bench.lose(1);
    let mut leave = |id: u64, accepted: u64, origin: Origin| {
        bench.scheduler.add_worker(worker(id), origin, Mode::Lease, Skills::plain(), 0, bench.now);
        let memory = &mut bench.scheduler.workers.get_mut(&worker(id)).unwrap().memory;
        memory.credit.add_accepted(accepted);
        let session = bench.scheduler.new_session_id();
        bench.scheduler.keep_worker(worker(id), session, bench.now);
        session
    };
    for id in 10..10 + 2 * SESSIONS_KEPT_MAX as u64 {
        leave(id, 0, here());
    }
    // Elsewhere somebody has many, with more results than the one that is here.
    let all = 6000..6000 + 2 * SESSIONS_KEPT_MAX as u64;
    let elsewhere: Vec<SessionId> = all.map(|id| leave(id, 1 << 21, at(2))).collect();
    bench.scheduler.assert_consistent();
    assert_eq!(bench.scheduler.sessions.len(), SESSIONS_KEPT_MAX);
    assert_eq!(bench.resume(2, 0, worker_with_results), Some(worker(1)));
    // Where many come and go for good, the newest may still come back.
    assert_eq!(bench.resume(3, 0, elsewhere[SESSIONS_KEPT_MAX]), None);
    for (id, session) in (4..).zip(&elsewhere[SESSIONS_KEPT_MAX + 1..]) {
        assert!(bench.resume(id, 0, *session).is_some());
    }
}

#[test]
fn a_job_that_is_over_takes_the_inputs_with_it() {
    let mut bench = Bench::with_known(100, 1);
    let grant = bench.grant_to(1);
    let session = bench.lose(1);
    assert!(bench.scheduler.sessions.inputs_bytes() > 100 * 20);
    bench.act(|scheduler, _| scheduler.remove_job(JOB));
    assert_eq!(bench.scheduler.sessions.inputs_bytes(), 0);
    bench.resume(2, 1, session).unwrap();
    let answer = bench.answer(&as_of(&grant, 2));
    assert_accepted(&answer, 0, 100);
    assert_eq!(answer.unwrap().job, None);
    assert_eq!(strikes(&bench, 2), 0);
}

#[test]
fn what_can_no_longer_count_is_kept_without_its_inputs() {
    let mut bench = Bench::with_known(100, 2);
    let [grant, copy] = [bench.grant_to(1), bench.grant_to(2)];
    assert!(copy.is_copy);
    bench.answer_part(&grant, 0..50).unwrap();
    bench.answer(&copy).unwrap();
    let session = bench.lose(1);
    assert_eq!(bench.scheduler.sessions.inputs_bytes(), 0);
    bench.resume(3, 1, session).unwrap();
    assert_accepted(&bench.answer(&as_of(&grant, 3)), 0, 100);
}

#[test]
fn all_that_many_slots_held_is_remembered_though_none_are_left() {
    let mut bench = Bench::with(1_000_000, 0);
    bench.add_worker(1, 100);
    bench.set_speed(1, 1.0);
    let grants = bench.grants();
    assert_eq!(grants.len(), 200);
    bench.set_slots(1, 0);
    let session = bench.lose(1);
    bench.resume(2, 0, session).unwrap();
    let again = bench.lose(2);
    bench.resume(3, 0, again).unwrap();
    for grant in &grants {
        assert_accepted(&bench.answer(&as_of(grant, 3)), 1, 0);
    }
    assert_eq!(bench.grants(), []);
}

#[test]
fn what_was_lost_is_remembered_while_other_leases_come_and_go() {
    let mut bench = Bench::with_known(1_000_000, 1);
    let grant = bench.grant_to(1);
    let session = bench.lose(1);
    bench.resume(2, 1, session).unwrap();
    for _ in 0..2 * PAST_LEASES_MAX {
        let grant = bench.grant_to(2);
        bench.answer(&grant).unwrap();
    }
    // They began with what it had held, which was pending again.
    assert_accepted(&bench.answer(&as_of(&grant, 2)), 0, 100);
}

#[test]
fn results_of_before_that_are_forgotten_are_refused_and_no_offence() {
    let mut bench = Bench::with_known(1_000_000, 1);
    let first = bench.grant_to(1);
    bench.answer(&first).unwrap();
    for _ in 0..PAST_LEASES_MAX {
        let grant = bench.grant_to(1);
        bench.answer(&grant).unwrap();
    }
    let session = bench.lose(1);
    bench.resume(2, 1, session).unwrap();
    let refusal = bench.answer(&as_of(&first, 2)).unwrap_err();
    assert_eq!(refusal.reason, RefusalReason::UnknownLease(first.lease));
    assert_eq!(strikes(&bench, 2), 0);
    for (strike, lease) in [(1, LeaseId(0)), (2, LeaseId(1 << 33))] {
        let never = Grant { lease, ..as_of(&first, 2) };
        bench.answer(&never).unwrap_err();
        assert_eq!(strikes(&bench, 2), strike, "nobody was ever lent {lease}");
    }
}

#[test]
fn a_lease_that_was_not_sent_is_not_remembered() {
    let mut bench = Bench::with_known(1000, 1);
    let grant = bench.act(|scheduler, now| scheduler.grant(now)).unwrap();
    let session = bench.lose(1);
    bench.resume(2, 1, session).unwrap();
    assert!(bench.answer(&as_of(&grant, 2)).is_err());
}

#[test]
fn a_worker_that_began_plain_keeps_what_it_did_since() {
    let mut bench = Bench::with_known(1000, 1);
    let before = bench.grant_to(1);
    bench.act(|scheduler, _| scheduler.add_strike(worker(1)));
    let session = bench.lose(1);
    bench.add_plain(2);
    let held = bench.grant_to(2);
    bench.answer(&held).unwrap();
    let plain = bench.grant_to(2);
    bench.act(|scheduler, _| scheduler.add_strike(worker(2)));
    bench.resume(2, 2, session).unwrap();
    assert_eq!(strikes(&bench, 2), 2);
    assert_eq!(bench.grants().len(), 3, "four leases for two slots, of which it holds one");
    for (grant, fresh, again) in [(as_of(&before, 2), 99, 1), (held, 0, 1), (plain, 0, 1)] {
        assert_accepted(&bench.answer(&grant), fresh, again);
    }
}

#[test]
fn a_name_is_read_as_it_was_written_and_nothing_else_is_one() {
    let mut bench = Bench::new();
    let session = bench.scheduler.new_session_id();
    assert_ne!(session, bench.scheduler.new_session_id());
    assert_eq!(SessionId::parse(&session.to_string()), Some(session));
    assert_eq!(SessionId::parse(&SessionId(10).to_string()), Some(SessionId(10)));
    let upper = session.to_string().to_uppercase();
    for name in ["", "9d1e", "+0000000000000000000000000000001", &upper, &"0".repeat(33), "é"] {
        assert_eq!(SessionId::parse(name), None, "{name}");
    }
}

#[test]
fn what_is_late_keeps_a_bounded_number_of_inputs_each_and_all() {
    let mut bench = Bench::new();
    bench.add_job(JOB, JobSpec { lease_tasks_max: LEASE_INPUTS_MAX, ..spec(1 << 30) });
    let workers = (2 * LATE_INPUTS_BYTES_MAX / SESSION_INPUTS_BYTES_MAX) as u64;
    let mut first_lent = Vec::new();
    for id in 1..=workers {
        bench.scheduler.add_worker(worker(id), here(), Mode::Lease, Skills::plain(), 8, bench.now);
        bench.set_speed(id, 1e-6);
        let mut lent = Vec::new();
        while let Some(grant) = bench.scheduler.grant(bench.now) {
            let inputs = inputs_with(grant.range.clone(), &[]);
            bench.scheduler.set_inputs(grant.lease, inputs);
            lent.push(grant);
        }
        if id == 1 {
            first_lent = lent;
        }
        bench.expire();
        let bytes = bench.scheduler.workers[&worker(id)].memory.late_inputs_bytes();
        assert!(bytes <= SESSION_INPUTS_BYTES_MAX, "{bytes}");
        let all = bench.scheduler.late_inputs.bytes_kept();
        assert!(all < LATE_INPUTS_BYTES_MAX, "{all}");
    }
    assert!(bench.scheduler.late_inputs.bytes_kept() > LATE_INPUTS_BYTES_MAX / 2);
    assert_eq!(first_lent.len(), 16);
    let all = bench.scheduler.late_inputs.bytes_kept();
    for grant in [&first_lent[0], &first_lent[15]] {
        let answer = bench.answer(grant);
        let tasks = count(&grant.range);
        let is_oldest = grant.lease == first_lent[0].lease;
        assert_accepted(
            &answer,
            if is_oldest { 0 } else { tasks },
            if is_oldest { tasks } else { 0 },
        );
    }
    assert_eq!(strikes(&bench, 1), 0);
    assert!(bench.scheduler.late_inputs.bytes_kept() < all, "what is settled is not kept");
    for id in 1..=workers {
        bench.scheduler.remove_worker(worker(id));
    }
    assert_eq!(bench.scheduler.late_inputs.bytes_kept(), 0);
}
