//! Workers that cannot compute all there is.

use super::*;
use tequio_protocol::limits::GRANT_SCAN_MAX;

fn of(op: &str, total: u64) -> JobSpec {
    JobSpec { op: op::named(op).unwrap(), ..spec(total) }
}

fn add_with(bench: &mut Bench, id: u64, ops: &[&str]) {
    let skills = Skills::named(ops);
    bench.act(|scheduler, now| {
        scheduler.add_worker(worker(id), here(), Mode::Lease, skills, 1, now);
    });
}

fn collatz_inputs(range: &Range<u64>) -> Inputs {
    let inputs: Values = range.clone().map(|index| format!(r#"{{"n":{}}}"#, index + 1)).collect();
    Inputs::List { first: range.start, inputs: inputs.into() }
}

#[test]
fn a_job_is_lent_only_to_workers_that_can_compute_it() {
    let mut bench = Bench::new();
    bench.add_job(JOB, of("collatz", 10));
    bench.add_job(OTHER, spec(10));
    add_with(&mut bench, 1, &["repeat_multiply"]);
    add_with(&mut bench, 2, &["collatz", "of another version"]);
    add_with(&mut bench, 3, &[]);
    let mut by_worker: Vec<(u64, u64)> =
        bench.grants().iter().map(|grant| (grant.worker.0, grant.job.0)).collect();
    by_worker.sort_unstable();
    by_worker.dedup();
    assert_eq!(by_worker, [(1, OTHER.0), (2, JOB.0)]);
}

#[test]
fn many_who_cannot_hold_up_nobody_who_can() {
    let mut bench = Bench::new();
    bench.add_job(JOB, of("collatz", 10));
    for id in 1..=2 * GRANT_SCAN_MAX as u64 {
        add_with(&mut bench, id, &["repeat_multiply"]);
    }
    assert_eq!(bench.grant(), None);
    add_with(&mut bench, 1000, &["collatz"]);
    assert_eq!(bench.grant_to(1000).job, JOB);
    // Nor are jobs that nobody can compute in the way of others.
    for id in 10..10 + 2 * GRANT_SCAN_MAX as u64 {
        bench.add_job(JobId(id), JobSpec { priority: 9, ..of("collatz", 1) });
    }
    bench.add_job(OTHER, spec(10));
    bench.act(|scheduler, _| scheduler.remove_worker(worker(1000)));
    assert_eq!(bench.grant().map(|grant| grant.job), Some(OTHER));
}

#[test]
fn who_cannot_compute_a_task_is_not_waited_for_where_it_has_failed() {
    let mut bench = Bench::new();
    bench.add_job(JOB, of("collatz", 1));
    add_with(&mut bench, 1, &["collatz"]);
    add_with(&mut bench, 2, &["repeat_multiply"]);
    for attempt in 1..=3 {
        let grant = bench.grant_to(1);
        assert_accepted(&bench.fail(&grant, 0), u64::from(attempt == 3), 0);
    }
    assert!(bench.scheduler.is_settled(JOB));
}

#[test]
fn no_copy_goes_to_who_cannot_compute_it() {
    let mut bench = Bench::new();
    bench.add_job(JOB, of("collatz", 1));
    add_with(&mut bench, 1, &["collatz"]);
    bench.grant_to(1);
    add_with(&mut bench, 2, &["repeat_multiply"]);
    assert_eq!(bench.grant(), None);
    add_with(&mut bench, 3, &["repeat_multiply", "collatz"]);
    assert!(bench.grant_to(3).is_copy);
}

#[test]
fn a_plain_client_that_fails_what_it_never_did_is_lent_that_no_more_and_is_no_liar() {
    let mut bench = Bench::with_failures(Failures::Judged);
    bench.add_job(JOB, of("collatz", 3));
    bench.add_plain(1);
    let grant = bench.grant_to(1);
    let inputs = collatz_inputs(&grant.range);
    bench.act(|scheduler, _| scheduler.set_inputs(grant.lease, inputs));
    let settled = bench.fail(&grant, 0).unwrap();
    assert_eq!(settled.by, By::Server);
    assert_eq!(settled.fresh[0].1.get(0), Outcome::Result("0"));
    assert_eq!(bench.grant(), None, "it does not know this op");
    bench.add_job(OTHER, spec(1));
    assert_eq!(bench.grant_to(1).job, OTHER);
}

#[test]
fn an_error_that_the_op_comes_to_is_an_outcome_that_a_plain_client_may_say_in_its_own_words() {
    let mut bench = Bench::with_failures(Failures::Judged);
    bench.add_job(JOB, of("collatz", 1));
    bench.add_plain(1);
    let grant = bench.grant_to(1);
    let inputs: Values = [r#"{"n":12327829503}"#].into_iter().collect();
    let inputs = Inputs::List { first: 0, inputs: inputs.into() };
    bench.act(|scheduler, _| scheduler.set_inputs(grant.lease, inputs));
    let settled = bench.fail(&grant, 0).unwrap();
    assert_eq!(settled.fresh[0].1.failed(), 1);
    assert!(bench.scheduler.is_settled(JOB));
    assert_eq!(bench.scheduler.workers[&worker(1)].memory.strikes, 0);
}
