//! Ops that take long to compute again: their outcomes wait for a verdict. The op is one of tests that takes as
//! long as it is told to, here no time; its result is its input's `n`.

use super::*;
use tequio_protocol::limits::{AUDIT_SAVED_MAX, CLAIMS_BYTES_MAX, TASK_ATTEMPTS_MAX};

const BLOCK: u64 = 4;

fn slow(total: u64) -> JobSpec {
    JobSpec { op: op::named("sleep").unwrap(), block: BLOCK, ..spec(total) }
}

/// A job of `total` tasks, and workers that know its op.
fn bench(total: u64, workers: u64) -> Bench {
    bench_with(Bench::with_failures(Failures::Judged), total, workers)
}

fn bench_with(mut bench: Bench, total: u64, workers: u64) -> Bench {
    bench.add_job(JOB, slow(total));
    for id in 1..=workers {
        bench.act(|scheduler, now| {
            let skills = Skills::named(["sleep"]);
            scheduler.add_worker(worker(id), here(), Mode::Lease, skills, 2, now);
        });
    }
    bench
}

/// The next lease, whose tasks come to their indices.
fn grant(bench: &mut Bench) -> Grant {
    let grant = bench.act(|scheduler, now| scheduler.grant(now)).expect("something is pending");
    let inputs = grant.range.clone().map(|index| format!(r#"{{"n":{index},"ms":0}}"#));
    let inputs =
        Inputs::List { first: grant.range.start, inputs: inputs.collect::<Values>().into() };
    bench.act(|scheduler, _| scheduler.set_inputs(grant.lease, inputs));
    grant
}

fn answer_with(
    bench: &mut Bench,
    grant: &Grant,
    result: impl Fn(u64) -> u64,
) -> Result<Accepted, Refusal> {
    let results: Values = grant.range.clone().map(|index| result(index).to_string()).collect();
    let (id, lease, first) = (grant.worker, grant.lease, grant.range.start);
    bench.act(|scheduler, now| scheduler.results(id, lease, first, results.into(), None, now))
}

/// Computes what is asked for, and gives what that leads to.
fn audit(bench: &mut Bench) -> Vec<Judged> {
    let audits = bench.act(|scheduler, _| scheduler.drain_audits());
    let judge = |audit: Audit| {
        let ours = audit.compute().unwrap();
        bench.act(|scheduler, now| scheduler.audited(audit.claim, Some(ours), Duration::ZERO, now))
    };
    audits.into_iter().filter_map(judge).collect()
}

#[track_caller]
fn claimed(answer: Result<Accepted, Refusal>) -> ClaimId {
    let accepted = answer.unwrap();
    assert!(accepted.fresh.is_empty(), "{accepted:?}");
    accepted.claim.expect("it waits for a verdict")
}

#[test]
fn what_is_claimed_is_lent_to_nobody_and_recorded_after_its_verdict() {
    let mut bench = bench(4, 2);
    let lent = grant(&mut bench);
    claimed(answer_with(&mut bench, &lent, |index| index));
    assert_eq!(bench.scheduler.claims_waiting(), 1);
    assert_eq!(bench.scheduler.lent(JOB).tasks, 0);
    assert_eq!(bench.act(|scheduler, now| scheduler.grant(now)), None, "there is no copy of it");
    assert!(!bench.scheduler.is_settled(JOB));
    let judged = audit(&mut bench);
    let [Judged { worker: by, judged: Ok(accepted), .. }] = &judged[..] else {
        panic!("{judged:?}")
    };
    assert_eq!(*by, lent.worker);
    assert_eq!(accepted.fresh.len(), 1);
    assert!(accepted.fresh[0].1.iter().eq(["0", "1", "2", "3"].map(Outcome::Result)));
    assert!(bench.scheduler.is_settled(JOB));
    assert_eq!(bench.scheduler.claims_waiting(), 0);
    let credit = bench.scheduler.workers[&lent.worker].memory.credit;
    assert_eq!((credit.audited, credit.accepted), (1, 4));
}

#[test]
fn a_wrong_claim_is_computed_once_more_and_then_its_worker_is_out() {
    let mut bench = bench(8, 1);
    let lent = grant(&mut bench);
    claimed(answer_with(&mut bench, &lent, |index| if index == 2 { 77 } else { index }));
    assert!(audit(&mut bench).is_empty(), "a bit may have flipped here");
    assert_eq!(bench.scheduler.claims_waiting(), 1);
    let judged = audit(&mut bench);
    let [Judged { judged: Err(refusal), .. }] = &judged[..] else { panic!("{judged:?}") };
    let reason = RefusalReason::Wrong { lease: lent.lease, index: 2, got: "77".to_owned() };
    assert_eq!(refusal.reason, reason);
    assert!(refusal.is_turned_away && !bench.scheduler.has_worker(lent.worker));
    assert_eq!(bench.pending(JOB), [0..8]);
}

#[test]
fn an_audit_that_is_wrong_itself_once_costs_nobody_anything() {
    let mut bench = bench(4, 1);
    let lent = grant(&mut bench);
    let claim = claimed(answer_with(&mut bench, &lent, |index| index));
    bench.act(|scheduler, _| scheduler.drain_audits());
    let flipped: Values = ["0", "1", "3", "3"].into_iter().collect();
    let judged = bench.act(|scheduler, now| {
        scheduler.audited(claim, Some(vec![flipped.into()]), Duration::ZERO, now)
    });
    assert!(judged.is_none() && bench.scheduler.is_waiting(claim));
    assert!(audit(&mut bench)[0].judged.is_ok());
    assert!(bench.scheduler.is_settled(JOB));
}

#[test]
fn what_cannot_be_computed_here_says_nothing_about_a_claim() {
    let mut bench = bench(4, 1);
    let lent = grant(&mut bench);
    let claim = claimed(answer_with(&mut bench, &lent, |index| index));
    let judged =
        bench.act(|scheduler, now| scheduler.audited(claim, None, Duration::ZERO, now)).unwrap();
    assert_accepted(&judged.judged, 4, 0);
    assert_eq!(bench.scheduler.workers[&lent.worker].memory.credit.audited, 0);
}

#[test]
fn who_leaves_before_the_verdict_is_judged_all_the_same() {
    for is_liar in [false, true] {
        let mut bench = bench(4, 1);
        let lent = grant(&mut bench);
        claimed(answer_with(&mut bench, &lent, |index| index + u64::from(is_liar)));
        let session = bench.lose(1);
        let mut judged = audit(&mut bench);
        if is_liar {
            judged = audit(&mut bench);
        }
        assert_eq!(judged[0].judged.is_err(), is_liar);
        assert_eq!(bench.scheduler.is_settled(JOB), !is_liar);
        assert_eq!(bench.resume(2, 1, session).is_none(), is_liar, "a liar does not come back");
    }
}

#[test]
fn who_resumes_before_the_verdict_is_judged_as_who_it_is_now() {
    let mut bench = bench(4, 1);
    let lent = grant(&mut bench);
    claimed(answer_with(&mut bench, &lent, |index| index + 1));
    let session = bench.lose(1);
    bench.resume(2, 1, session).unwrap();
    audit(&mut bench);
    let judged = audit(&mut bench);
    assert_eq!(judged[0].worker, worker(2));
    assert!(!bench.scheduler.has_worker(worker(2)));
}

#[test]
fn a_wrong_claim_gives_back_only_what_nobody_else_holds() {
    let mut bench = bench(4, 2);
    let first = grant(&mut bench);
    // It is late, and its tasks are lent anew.
    bench.expire();
    let second = grant(&mut bench);
    assert_eq!(second.range, first.range);
    claimed(answer_with(&mut bench, &first, |index| index + 1));
    audit(&mut bench);
    assert!(audit(&mut bench)[0].judged.is_err());
    assert!(bench.pending(JOB).is_empty(), "the other one has it");
    claimed(answer_with(&mut bench, &second, |index| index));
    assert!(audit(&mut bench)[0].judged.is_ok());
    assert!(bench.scheduler.is_settled(JOB));
}

#[test]
fn what_others_answer_meanwhile_is_a_duplicate_and_computed_anew_if_the_claim_was_wrong() {
    let mut bench = bench(4, 2);
    let first = grant(&mut bench);
    bench.expire();
    let second = grant(&mut bench);
    claimed(answer_with(&mut bench, &first, |index| index + 1));
    assert_accepted(&answer_with(&mut bench, &second, |index| index), 0, 4);
    audit(&mut bench);
    assert!(audit(&mut bench)[0].judged.is_err());
    assert_eq!(bench.pending(JOB), [0..4]);
}

#[test]
fn claims_of_a_job_that_is_over_are_forgotten() {
    let mut bench = bench(4, 1);
    let lent = grant(&mut bench);
    let claim = claimed(answer_with(&mut bench, &lent, |index| index));
    bench.act(|scheduler, _| scheduler.remove_job(JOB));
    assert!(!bench.scheduler.is_waiting(claim));
    assert!(audit(&mut bench).is_empty());
}

#[test]
fn beyond_the_budget_results_are_believed_and_later_ones_are_audited_again() {
    let mut bench = bench(1 << 20, 1);
    bench.set_speed(1, 1.0);
    bench.scheduler.jobs.get_mut(&JOB).unwrap().task_s = Some(10.0);
    let mut audited = Vec::new();
    for _ in 0..40 {
        let lent = grant(&mut bench);
        bench.now += Duration::from_secs(10);
        let answer = answer_with(&mut bench, &lent, |index| index).unwrap();
        audited.push(answer.claim.is_some());
        let audits = bench.act(|scheduler, _| scheduler.drain_audits());
        for audit in audits {
            let ours = audit.compute().unwrap();
            let took = Duration::from_secs(10) * BLOCK as u32;
            bench.act(|scheduler, now| scheduler.audited(audit.claim, Some(ours), took, now));
        }
    }
    let count = audited.iter().filter(|is_audited| **is_audited).count();
    assert!(audited[0], "there is something saved at first");
    // 400 seconds pay for as many cores as there are, and one audit takes 40.
    assert!((2..=8).contains(&count), "{audited:?}");
    assert!(AUDIT_SAVED_MAX < Duration::from_secs(40));
}

#[test]
fn so_many_bytes_of_claims_wait_and_no_more() {
    let mut bench = bench(1 << 20, 1);
    let lent = grant(&mut bench);
    claimed(answer_with(&mut bench, &lent, |index| index));
    let lent = grant(&mut bench);
    bench.scheduler.claims.set_bytes(Cost::Budget, CLAIMS_BYTES_MAX);
    let (id, lease) = (lent.worker, lent.lease);
    let results: Values = lent.range.clone().map(|index| index.to_string()).collect();
    let first = lent.range.start;
    let now = bench.now;
    let answer = bench.scheduler.results(id, lease, first, results.into(), None, now);
    assert_accepted(&answer, count(&lent.range), 0);
}

#[test]
fn a_last_failure_is_computed_by_the_server_before_it_is_believed() {
    for failures in [Failures::Judged, Failures::Believed] {
        let mut bench = bench_with(Bench::with_failures(failures), 4, 1);
        for attempt in 1..=TASK_ATTEMPTS_MAX {
            let lent = grant(&mut bench);
            let answer = bench.fail(&lent, 0);
            match (attempt == TASK_ATTEMPTS_MAX, failures) {
                (false, _) => assert_accepted(&answer, 0, 0),
                (true, Failures::Believed) => assert_accepted(&answer, 4, 0),
                (true, Failures::Judged) => {
                    claimed(answer);
                    let judged = audit(&mut bench);
                    let accepted = judged[0].judged.as_ref().unwrap();
                    assert_eq!(accepted.by, By::Server);
                    assert_eq!(accepted.fresh[0].1.failed(), 0);
                }
            }
        }
        assert!(bench.scheduler.is_settled(JOB));
    }
}

#[test]
fn a_failure_of_a_block_that_another_claims_is_a_duplicate() {
    let mut bench = bench(4, 1);
    let first = grant(&mut bench);
    bench.act(|scheduler, now| {
        let skills = Skills::named(["sleep"]);
        scheduler.add_worker(worker(2), here(), Mode::Lease, skills, 2, now);
    });
    let copy = grant(&mut bench);
    assert!(copy.is_copy);
    for id in 0..TASK_ATTEMPTS_MAX as u64 - 1 {
        bench.scheduler.jobs.get_mut(&JOB).unwrap().add_attempt(0, worker(100 + id), at(9));
    }
    claimed(answer_with(&mut bench, &first, |index| index));
    assert_accepted(&bench.fail(&copy, 0), 0, 1);
    assert_accepted(&audit(&mut bench)[0].judged, 4, 0);
    assert!(bench.scheduler.is_settled(JOB));
}

#[test]
fn what_waits_of_a_job_that_is_audited_whole_leaves_others_audited() {
    let mut bench = bench(1 << 20, 1);
    let lent = grant(&mut bench);
    bench.scheduler.claims.set_bytes(Cost::Job, CLAIMS_BYTES_MAX);
    let results: Values = lent.range.clone().map(|index| index.to_string()).collect();
    let (first, now) = (lent.range.start, bench.now);
    let answer = bench.scheduler.results(lent.worker, lent.lease, first, results.into(), None, now);
    claimed(answer);
}

#[test]
fn a_last_failure_is_not_believed_for_want_of_room_where_everything_is_audited() {
    for (check, settled) in [(Check::Auto, BLOCK), (Check::All, 0)] {
        let mut bench = Bench::with_failures(Failures::Judged);
        bench.add_job(JOB, JobSpec { check, ..slow(BLOCK) });
        bench.act(|scheduler, now| {
            let skills = Skills::named(["sleep"]);
            scheduler.add_worker(worker(1), here(), Mode::Lease, skills, 2, now);
        });
        for attempt in 1..=TASK_ATTEMPTS_MAX {
            let lent = grant(&mut bench);
            let is_last = attempt == TASK_ATTEMPTS_MAX;
            if is_last {
                bench.scheduler.claims.set_bytes(Cost::Budget, CLAIMS_BYTES_MAX);
            }
            let (id, lease, now) = (lent.worker, lent.lease, bench.now);
            let answer = bench.scheduler.failed(id, lease, 0, "trap", now);
            assert_accepted(&answer, if is_last { settled } else { 0 }, 0);
        }
        bench.scheduler.claims.set_bytes(Cost::Budget, 0);
        if check == Check::All {
            // There is room again.
            let lent = grant(&mut bench);
            claimed(bench.fail(&lent, 0));
            assert_accepted(&audit(&mut bench)[0].judged, BLOCK, 0);
        }
        assert!(bench.scheduler.is_settled(JOB));
    }
}
