//! Claims of a slow op, which wait for their verdicts: most of this is the simulation's.

use super::*;
use tequio_protocol::limits::TASK_ATTEMPTS_MAX;

const BLOCK: u64 = 64;

/// A job of one block, and workers that know its op. Failures are judged.
fn bench_with(workers: u64) -> Bench {
    let mut bench = Bench::with_failures(Failures::Judged);
    let op = op::named("sleep").unwrap();
    bench.add_job(JOB, JobSpec { op, block: BLOCK, ..spec(BLOCK) });
    for id in 1..=workers {
        bench.add_worker(id, 1);
    }
    bench
}

fn grant(bench: &mut Bench) -> Grant {
    let grant = bench.act(|scheduler, now| scheduler.grant(now)).unwrap();
    let input = |n: u64| format!(r#"{{"n":{n},"ms":0}}"#);
    let inputs: Values = grant.range.clone().map(input).collect();
    let inputs = Inputs::List { first: grant.range.start, inputs: inputs.into() };
    bench.act(|scheduler, _| scheduler.set_inputs(grant.lease, inputs));
    grant
}

/// Sends what the tasks of a lease come to, but for a lie about one of them, and gives the audit that follows.
fn claim(bench: &mut Bench, grant: &Grant, lie: Option<u64>) -> Audit {
    let said = |n: u64| if lie == Some(n) { "7.5".to_owned() } else { n.to_string() };
    let outcomes = Outcomes::from(grant.range.clone().map(said).collect::<Values>());
    let (worker, lease, first) = (grant.worker, grant.lease, grant.range.start);
    let answer = bench.act(|scheduler, now| {
        scheduler.results(worker, lease, first, outcomes, Some(Duration::ZERO), now)
    });
    let waiting = answer.unwrap().claim.unwrap();
    let audits = bench.act(|scheduler, _| scheduler.drain_audits());
    let [audit] = &audits[..] else { panic!("{audits:?}") };
    assert_eq!((audit.claim, &audit.runs[..]), (waiting, &[grant.range.clone()][..]));
    audit.clone()
}

/// Computes an audit.
fn verdict_on(bench: &mut Bench, audit: &Audit) -> Option<Judged> {
    let ours = audit.runs.iter().map(|run| audit.inputs.compute(audit.op, run)).collect();
    bench.act(|scheduler, now| scheduler.audited(audit.claim, Some(ours), Duration::ZERO, now))
}

#[test]
fn a_failure_of_a_block_that_another_claims_is_a_duplicate() {
    let mut bench = bench_with(2);
    let (first, copy) = (grant(&mut bench), grant(&mut bench));
    assert!(copy.is_copy);
    for id in 0..TASK_ATTEMPTS_MAX as u64 - 1 {
        bench.scheduler.jobs.get_mut(&JOB).unwrap().add_attempt(0, worker(100 + id), at(9));
    }
    let audit = claim(&mut bench, &first, None);
    assert_accepted(&bench.fail(&copy, 0), 0, 1);
    assert_accepted(&verdict_on(&mut bench, &audit).unwrap().judged, BLOCK, 0);
    assert!(bench.scheduler.is_settled(JOB));
}

#[test]
fn a_lie_goes_back_to_pending_but_for_what_others_hold() {
    for is_held in [true, false] {
        let mut bench = bench_with(if is_held { 2 } else { 1 });
        let first = grant(&mut bench);
        let copy = is_held.then(|| grant(&mut bench));
        let audit = claim(&mut bench, &first, Some(40));
        assert!(verdict_on(&mut bench, &audit).is_none(), "it is computed once more");
        let audits = bench.act(|scheduler, _| scheduler.drain_audits());
        let judged = verdict_on(&mut bench, &audits[0]).unwrap();
        let refusal = judged.judged.unwrap_err();
        let got = "7.5".to_owned();
        assert_eq!(refusal.reason, RefusalReason::Wrong { lease: first.lease, index: 40, got });
        assert!(refusal.is_turned_away && !bench.scheduler.has_worker(first.worker));
        let pending = if is_held { Vec::new() } else { vec![0..BLOCK] };
        assert_eq!(bench.pending(JOB), pending);
        if let Some(copy) = copy {
            let audit = claim(&mut bench, &copy, None);
            assert_accepted(&verdict_on(&mut bench, &audit).unwrap().judged, BLOCK, 0);
        }
    }
}
