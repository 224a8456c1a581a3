//! Workers that cannot compute all there is.

use super::*;
use std::collections::BTreeSet;
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

/// A kernel of its own; nothing of it is computed here.
fn kernel(digit: char, block: u64) -> &'static dyn Op {
    let module = digit.to_string().repeat(64);
    let id = op::OpId::new(&format!("kernel:{module}:{block}:i64:n=i64"));
    id.adopt().unwrap()
}

fn kernel_job(digit: char, total: u64) -> JobSpec {
    JobSpec { op: kernel(digit, 1), check: Check::None, ..spec(total) }
}

fn cannot(bench: &mut Bench, grant: &Grant) {
    bench.act(|scheduler, _| scheduler.cannot(grant.worker, grant.lease)).unwrap();
}

#[test]
fn who_cannot_load_a_kernel_is_lent_others_and_hides_nobody_who_can() {
    let mut bench = Bench::new();
    for id in 1..=GRANT_SCAN_MAX as u64 + 6 {
        add_with(&mut bench, id, &["kernel"]);
    }
    bench.add_job(JOB, kernel_job('a', 1000));
    let mut unable = BTreeSet::new();
    while let Some(grant) = bench.grant() {
        unable.insert(grant.worker);
        cannot(&mut bench, &grant);
    }
    assert_eq!(unable.len(), GRANT_SCAN_MAX + 6, "each has tried it, once");
    add_with(&mut bench, 900, &["kernel"]);
    assert_eq!(bench.grant_to(900).job, JOB);
    bench.add_job(OTHER, kernel_job('b', 1000));
    let others = bench.grants();
    assert!(others.iter().any(|grant| grant.job == OTHER && unable.contains(&grant.worker)));
    assert!(others.iter().all(|grant| grant.job == OTHER || grant.worker == worker(900)));
}

#[test]
fn who_cannot_load_too_many_is_lent_no_kernels_and_else_what_it_was() {
    let mut bench = Bench::new();
    add_with(&mut bench, 1, &["kernel", "repeat_multiply"]);
    for (id, digit) in (10..).zip(('0'..='9').chain('a'..='f')) {
        bench.add_job(JobId(id), kernel_job(digit, 1));
        let grant = bench.grant_to(1);
        cannot(&mut bench, &grant);
    }
    // The same module with other data is another one.
    let data = format!("kernel:{}+{}:1:i64:n=i64", "a".repeat(64), "b".repeat(64));
    let op = op::OpId::new(&data).adopt().unwrap();
    bench.add_job(JobId(90), JobSpec { op, check: Check::None, ..spec(1) });
    let grant = bench.grant_to(1);
    assert_eq!(grant.job, JobId(90));
    cannot(&mut bench, &grant);
    let data = format!("kernel:{}+{}:1:i64:n=i64", "a".repeat(64), "c".repeat(64));
    let op = op::OpId::new(&data).adopt().unwrap();
    bench.add_job(JobId(91), JobSpec { op, check: Check::None, ..spec(1) });
    assert_eq!(bench.grant(), None, "it is lent no kernels any more");
    bench.add_job(JOB, spec(1));
    assert_eq!(bench.grant_to(1).job, JOB);
}

#[test]
fn a_block_that_failed_does_not_wait_for_who_cannot_load_its_kernel() {
    let mut bench = Bench::new();
    add_with(&mut bench, 1, &["kernel"]);
    let skills = Skills::named(["kernel"]);
    bench.act(|scheduler, now| {
        scheduler.add_worker(worker(2), at(2), Mode::Lease, skills, 1, now);
    });
    bench.add_job(JOB, kernel_job('a', 1));
    let mut able = None;
    for _ in 0..2 {
        let grant = bench.grant().unwrap();
        match grant.worker == worker(2) {
            true => cannot(&mut bench, &grant),
            false => able = Some(grant),
        }
    }
    let grant = able.unwrap();
    bench.fail(&grant, 0).unwrap();
    assert_eq!(bench.grant_to(1).range, 0..1, "there is nobody else");
}

#[test]
fn a_kernels_block_that_takes_far_longer_is_told_and_that_of_a_built_in_op_is_not() {
    for is_kernel in [true, false] {
        let mut bench = Bench::new();
        add_with(&mut bench, 1, &["kernel", "repeat_multiply"]);
        bench.add_job(
            JOB,
            JobSpec {
                lease_tasks_max: 1,
                ..if is_kernel { kernel_job('d', 100) } else { spec(100) }
            },
        );
        for seconds in [0.02, 0.02, 0.02, 12.0, 0.02] {
            let grant = bench.grant_to(1);
            let time = Duration::from_secs_f64(seconds * count(&grant.range) as f64);
            bench.now += time;
            bench.progress(&grant).unwrap();
            bench
                .send(&grant, grant.range.start, &rights(grant.range.clone()), Some(time))
                .unwrap();
        }
        let slowest = bench.scheduler.slowest(JOB);
        assert_eq!(slowest.is_some_and(|slow| slow.seconds >= 12.0), is_kernel, "{slowest:?}");
    }
}

/// How many can compute a job, and at how many addresses.
fn able_for(bench: &Bench, job: JobId) -> (usize, usize) {
    let job = &bench.scheduler.jobs[&job];
    let able = bench.scheduler.able.with(job.skill, job.kernel);
    able.map_or((0, 0), |able| (able.workers(), able.places()))
}

#[test]
fn who_cannot_load_too_many_is_counted_for_none_of_them_any_more() {
    let mut bench = Bench::new();
    add_with(&mut bench, 1, &["kernel"]);
    for (id, digit) in (10..).zip(('0'..='9').chain('a'..='f')) {
        bench.add_job(JobId(id), kernel_job(digit, 2));
        let grant = bench.grant_to(1);
        cannot(&mut bench, &grant);
    }
    let data = format!("kernel:{}+{}:1:i64:n=i64", "a".repeat(64), "b".repeat(64));
    let op = op::OpId::new(&data).adopt().unwrap();
    bench.add_job(JobId(90), JobSpec { op, check: Check::None, ..spec(1) });
    let grant = bench.grant_to(1);
    cannot(&mut bench, &grant);
    let skills = Skills::named(["kernel"]);
    bench.act(|scheduler, now| {
        scheduler.add_worker(worker(2), at(2), Mode::Lease, skills, 1, now);
    });
    assert!((10..26).all(|id| able_for(&bench, JobId(id)) == (1, 1)));
    // It fails one: nobody else is there to try that.
    let grant = bench.grant_to(2);
    bench.fail(&grant, grant.range.start).unwrap();
    assert!(bench.grants().iter().all(|grant| grant.worker == worker(2)));
}

#[test]
fn who_has_said_that_it_cannot_load_a_kernel_is_not_one_of_the_others() {
    let mut bench = Bench::new();
    add_with(&mut bench, 1, &["kernel"]);
    bench.add_job(JOB, kernel_job('a', 2));
    let grant = bench.grant_to(1);
    cannot(&mut bench, &grant);
    assert_eq!(able_for(&bench, JOB), (0, 0));
    // What it holds of it beside that it still answers.
    let job = &bench.scheduler.jobs[&JOB];
    let able = bench.scheduler.able.with(job.skill, job.kernel);
    assert!(job::may_try(
        &[(worker(1), here())],
        worker(1),
        &bench.scheduler.workers,
        able.as_ref()
    ));
}

#[test]
fn who_cannot_load_the_kernel_of_many_jobs_hides_nobody_who_can() {
    let mut bench = Bench::new();
    bench.add_job(JOB, kernel_job('a', 1000));
    for id in 1..=5 {
        add_with(&mut bench, id, &["kernel"]);
        let grant = bench.grant_to(id);
        cannot(&mut bench, &grant);
    }
    for id in 10..10 + (GRANT_SCAN_MAX * GRANT_SCAN_MAX) as u64 / 4 {
        bench.scheduler.add_job(JobId(id), kernel_job('a', 1));
    }
    add_with(&mut bench, 900, &["kernel"]);
    assert_eq!(bench.grant_to(900).worker, worker(900));
}
