//! Jobs of which two workers compute each block, where they do not agree, and the server takes a while to find out who is
//! wrong, or cannot. The op is one of tests; its result is its input's `n`.

use super::*;
use tequio_protocol::limits::{DISPUTES_PAUSE, DISPUTES_WAITING_MAX, TASK_ATTEMPTS_MAX};

const BLOCK: u64 = 4;
const TOTAL: u64 = 100 * BLOCK;

/// Known workers at these places, and a job of an op that is audited on threads.
fn bench(places: &[u8]) -> Bench {
    let mut bench = Bench::with_failures(Failures::Judged);
    let op = op::named("sleep").unwrap();
    bench.add_job(JOB, JobSpec { op, block: BLOCK, check: Check::Twice, ..spec(TOTAL) });
    for (id, place) in (1..).zip(places) {
        add(&mut bench, id, *place);
    }
    bench
}

/// One more worker, which is fast enough to be lent the whole job.
fn add(bench: &mut Bench, id: u64, place: u8) {
    bench.act(|scheduler, now| {
        let skills = Skills::named(["sleep"]);
        scheduler.add_worker(worker(id), at(place), Mode::Lease, skills, 1, now);
    });
    bench.set_speed(id, 1e-6);
}

/// The next lease, if there is any; its tasks come to their indices.
fn grant(bench: &mut Bench) -> Option<Grant> {
    let grant = bench.act(|scheduler, now| scheduler.grant(now))?;
    let inputs = grant.range.clone().map(|index| format!(r#"{{"n":{index},"ms":0}}"#));
    let inputs = inputs.collect::<Values>().into();
    let inputs = Inputs::List { first: grant.range.start, inputs };
    bench.act(|scheduler, _| scheduler.set_inputs(grant.lease, inputs));
    Some(grant)
}

#[track_caller]
fn grant_to(bench: &mut Bench, id: u64) -> Grant {
    let grant = grant(bench).expect("something is to be granted");
    assert_eq!(grant.worker, worker(id), "{grant:?}");
    grant
}

/// Answers a part of a lease, all off by as much.
fn send(bench: &mut Bench, grant: &Grant, part: Range<u64>, off: u64) -> Result<Accepted, Refusal> {
    let results: Values = part.clone().map(|index| (index + off).to_string()).collect();
    let (id, lease) = (grant.worker, grant.lease);
    bench.act(|scheduler, now| scheduler.results(id, lease, part.start, results.into(), None, now))
}

/// Answers a lease and every one that follows, until nothing is lent to anybody.
fn answer_all(bench: &mut Bench, off: impl Fn(WorkerId) -> u64) -> Vec<(u64, Outcomes)> {
    let mut recorded = Vec::new();
    while let Some(grant) = grant(bench) {
        let off = off(grant.worker);
        recorded.extend(send(bench, &grant, grant.range.clone(), off).unwrap().fresh);
    }
    recorded
}

/// What the server says to the next audits: what they come to, or that it cannot.
fn audit(bench: &mut Bench, ours: impl Fn(&Audit) -> Option<Vec<Outcomes>>) -> Vec<Judged> {
    let audits = bench.act(|scheduler, _| scheduler.drain_audits());
    let judge = |audit: Audit| {
        let ours = ours(&audit);
        bench.act(|scheduler, now| scheduler.audited(audit.claim, ours, Duration::ZERO, now))
    };
    audits.into_iter().filter_map(judge).collect()
}

fn computed(audit: &Audit) -> Option<Vec<Outcomes>> {
    Some(audit.compute().unwrap())
}

#[track_caller]
fn assert_right(recorded: &[(u64, Outcomes)]) {
    for (first, outcomes) in recorded {
        for (index, outcome) in (*first..).zip(outcomes.iter()) {
            assert_eq!(outcome, Outcome::Result(index.to_string().as_str()));
        }
    }
}

/// Worker 1 at one address has voted rightly on all, and worker 2 at another one has sent lies.
fn lied() -> Bench {
    let mut bench = bench(&[1]);
    let first = grant_to(&mut bench, 1);
    assert_eq!(first.range, 0..TOTAL);
    send(&mut bench, &first, 0..TOTAL, 0).unwrap();
    add(&mut bench, 2, 2);
    let second = grant_to(&mut bench, 2);
    assert_eq!(second.range, 0..TOTAL);
    assert!(send(&mut bench, &second, 0..TOTAL, 7).unwrap().claim.is_some());
    bench
}

#[test]
fn what_a_message_disputes_is_lent_to_nobody_before_the_verdict() {
    let mut bench = lied();
    add(&mut bench, 3, 2);
    assert_eq!(grant(&mut bench), None, "all of it is claimed");
    assert!(audit(&mut bench, computed).is_empty(), "a bit may have flipped here");
    assert_eq!(grant(&mut bench), None);
    let judged = audit(&mut bench, computed);
    let [Judged { worker: by, judged: Err(refusal), .. }] = &judged[..] else {
        panic!("{judged:?}")
    };
    assert_eq!(*by, worker(2));
    assert_right(&refusal.saved.fresh);
    assert_eq!(refusal.saved.audited as u64, BLOCK);
    assert!(!bench.scheduler.has_worker(worker(2)));
    // The lies are gone: what is left has the first vote only, and a second lie is disputed again.
    assert_eq!(bench.scheduler.lent(JOB).unconfirmed, TOTAL - BLOCK);
    bench.now += Duration::from_secs(3600);
    bench.act(|scheduler, now| scheduler.expire(now));
    let third = grant_to(&mut bench, 3);
    let lies = send(&mut bench, &third, third.range.clone(), 7).unwrap();
    assert!(lies.fresh.is_empty() && lies.claim.is_some(), "{lies:?}");
}

#[test]
fn an_accomplice_at_the_same_address_settles_no_lie_where_the_server_cannot_compute() {
    let mut bench = lied();
    add(&mut bench, 3, 2);
    for _ in 0..10 {
        assert_eq!(answer_all(&mut bench, |_| 7), []);
        audit(&mut bench, |_| None);
        // However long it waits.
        bench.now += Duration::from_secs(3600);
        bench.act(|scheduler, now| scheduler.expire(now));
    }
    assert_eq!(bench.scheduler.jobs[&JOB].spec.settled.len(), 0);
    assert_eq!(bench.scheduler.lent(JOB).unconfirmed, TOTAL, "it waits for somebody elsewhere");
    add(&mut bench, 4, 3);
    let recorded = answer_all(&mut bench, |_| 0);
    assert_right(&recorded);
    assert!(bench.scheduler.is_settled(JOB));
    assert_eq!(bench.scheduler.votes_bytes.get(), 0);
}

#[test]
fn somebody_honest_beside_a_liar_confirms_what_was_voted_elsewhere() {
    let mut bench = lied();
    audit(&mut bench, |_| None);
    add(&mut bench, 3, 2);
    assert_right(&answer_all(&mut bench, |_| 0));
    assert!(bench.scheduler.is_settled(JOB));
}

#[test]
fn a_server_that_comes_to_two_different_outcomes_holds_neither_against_anybody() {
    let mut bench = lied();
    assert!(audit(&mut bench, computed).is_empty());
    let flipped = |audit: &Audit| {
        let ours: Values = audit.runs[0].clone().map(|index| (index + 1).to_string()).collect();
        Some(vec![ours.into()])
    };
    let judged = audit(&mut bench, flipped);
    assert_accepted(&judged[0].judged, 0, 0);
    assert!([1, 2].iter().all(|id| bench.scheduler.has_worker(worker(*id))));
    assert_eq!(bench.scheduler.lent(JOB).unconfirmed, TOTAL, "a third worker decides");
}

/// Sends lies of a lease in so many messages, and gives how many of these the server looks at.
fn lie_in_messages(bench: &mut Bench, grant: &Grant, messages: u64) -> usize {
    let parts = (0..messages).map(|at| grant.range.start + at * BLOCK);
    let sent = parts.map(|first| send(bench, grant, first..first + BLOCK, 7).unwrap());
    sent.filter(|accepted| accepted.claim.is_some()).count()
}

#[test]
fn few_disputes_of_a_job_wait_for_the_server_and_none_for_a_while_after_one_that_it_cannot_compute()
{
    let mut bench = bench(&[1]);
    let first = grant_to(&mut bench, 1);
    send(&mut bench, &first, 0..TOTAL, 0).unwrap();
    add(&mut bench, 2, 2);
    let second = grant_to(&mut bench, 2);
    assert_eq!(lie_in_messages(&mut bench, &second, 50), DISPUTES_WAITING_MAX);
    assert_eq!(audit(&mut bench, |_| None).len(), DISPUTES_WAITING_MAX);
    let later = Grant { range: 50 * BLOCK..TOTAL, ..second };
    assert_eq!(lie_in_messages(&mut bench, &later, 10), 0);
    bench.now += DISPUTES_PAUSE;
    let later = Grant { range: 60 * BLOCK..TOTAL, ..later };
    assert_eq!(lie_in_messages(&mut bench, &later, 40), DISPUTES_WAITING_MAX);
    assert!(audit(&mut bench, computed).is_empty());
    assert!(audit(&mut bench, computed)[0].judged.is_err());
    assert!(!bench.scheduler.has_worker(worker(2)));
}

#[test]
fn a_third_vote_is_kept_only_where_there_is_room() {
    let mut bench = lied();
    audit(&mut bench, |_| None);
    let votes = |bench: &Bench| bench.scheduler.votes_bytes.get();
    for (id, is_kept) in [(3, true), (4, false)] {
        let before = votes(&bench);
        add(&mut bench, id, 2 + id as u8);
        let room = if is_kept { 0 } else { CLAIMS_HELD_BYTES_MAX };
        let filled = bench.scheduler.jobs[&JOB].votes.counted().fill(room);
        let lent = bench.scheduler.grant(bench.now).unwrap();
        assert_eq!(lent.worker, worker(id));
        let inputs = lent.range.clone().map(|index| format!(r#"{{"n":{index},"ms":0}}"#));
        let inputs =
            Inputs::List { first: lent.range.start, inputs: inputs.collect::<Values>().into() };
        bench.scheduler.set_inputs(lent.lease, inputs);
        let results: Values = lent.range.clone().map(|index| (index + id).to_string()).collect();
        let first = lent.range.start;
        bench
            .scheduler
            .results(lent.worker, lent.lease, first, results.into(), None, bench.now)
            .unwrap();
        drop(filled);
        bench.scheduler.assert_consistent();
        assert_eq!(votes(&bench) > before, is_kept);
    }
}

#[test]
fn who_fails_again_and_again_does_not_outvote_who_has_computed_it() {
    for failures in [Failures::Judged, Failures::Believed] {
        let mut bench = bench(&[1]);
        bench.scheduler.failures = failures;
        let first = grant_to(&mut bench, 1);
        send(&mut bench, &first, 0..BLOCK, 0).unwrap();
        bench.release(&first).unwrap();
        bench.set_slots(1, 0);
        add(&mut bench, 2, 2);
        for _ in 0..TASK_ATTEMPTS_MAX {
            let again = loop {
                let lent = grant_to(&mut bench, 2);
                if lent.range.start == 0 {
                    break lent;
                }
                send(&mut bench, &lent, lent.range.clone(), 0).unwrap();
            };
            assert_accepted(&bench.fail(&again, 0), 0, 0);
        }
        let judged = audit(&mut bench, |_| None);
        assert_eq!(judged.len(), usize::from(failures == Failures::Judged));
        assert_eq!(bench.scheduler.jobs[&JOB].spec.settled.len(), 0);
        while let Some(lent) = grant(&mut bench) {
            assert_ne!(lent.range.start, 0, "it has tried often enough");
            send(&mut bench, &lent, lent.range.clone(), 0).unwrap();
        }
        add(&mut bench, 3, 3);
        assert_right(&answer_all(&mut bench, |_| 0));
        assert!(bench.scheduler.jobs[&JOB].spec.settled.contains(0));
    }
}
