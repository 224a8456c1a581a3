//! `kill -9`, ten times over: the real binary is killed at random moments of a job of two million
//! tasks, with real workers, of which one is killed as well. In the end every task has its
//! result, once, and it is the right one.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers as well")]

mod process;

use process::{serve, submit, tequio, wait_for, work};
use rand::rngs::{StdRng, SysRng};
use rand::{RngExt, SeedableRng, TryRng};
use std::thread::sleep;
use std::time::Duration;
use tequio::store::{SqliteStore, Store};
use tequio_protocol::api::JobState;
use tequio_protocol::ids::JobId;
use tequio_protocol::op;
use tequio_protocol::outcome::Outcome;
use tequio_protocol::piece::Piece;

const TASKS: u64 = 2_000_000;
const KILLS: u64 = 10;

#[test]
fn nothing_is_lost_or_counted_twice_when_the_server_is_killed_again_and_again() {
    let seed = SysRng.try_next_u64().unwrap();
    eprintln!("the moments follow from the seed {seed}");
    let mut random = StdRng::seed_from_u64(seed);
    let folder = tempfile::tempdir().unwrap();
    let (mut server, url) = serve("127.0.0.1:0", folder.path());
    let address = url.trim_start_matches("http://");
    submit(&url, TASKS);
    let mut workers = [work(&url), work(&url)];
    for kill in 0..KILLS {
        // A part of the job's first half each time. The second half is more than the workers
        // compute between the server's start and the next look at the job.
        let enough = (kill * TASKS + random.random_range(0..TASKS)) / KILLS / 2;
        let before = wait_for(&url, |job| job.done >= enough);
        sleep(Duration::from_millis(random.random_range(0..40)));
        drop(server);
        if random.random_bool(0.3) {
            workers[0] = work(&url);
        }
        server = serve(address, folder.path()).0;
        let after = wait_for(&url, |_| true);
        assert!(
            after.done >= before.done,
            "{} were reported, {} are there",
            before.done,
            after.done
        );
        assert_ne!(after.state, JobState::Done, "the job is to outlast the kills");
    }
    let done = wait_for(&url, |job| job.state == JobState::Done);
    assert_eq!((done.done, done.failed), (TASKS, 0));
    check_lines(&tequio(&url, &["results", "1"]));
    drop(server);
    check_file(&SqliteStore::open(folder.path()).unwrap());
}

fn check_lines(lines: &str) {
    assert_eq!(lines.lines().count() as u64, TASKS);
    for (index, line) in (0..).zip(lines.lines()) {
        let number = line
            .strip_prefix(&format!("{{\"index\":{index},\"result\":"))
            .and_then(|rest| rest.strip_suffix('}'))
            .unwrap_or_else(|| panic!("task {index}: {line}"));
        let number: f64 = number.parse().unwrap();
        assert_eq!(number.to_bits(), right(index).to_bits(), "task {index}");
    }
}

fn check_file(store: &SqliteStore) {
    let jobs = store.load().unwrap().jobs;
    assert_eq!((jobs[0].state, jobs[0].done, jobs[0].failed), (JobState::Done, TASKS, 0));
    let mut next = 0;
    for run in store.outcomes(JobId(1), 0..TASKS, TASKS).unwrap() {
        assert_eq!(run.first, next, "every task once, and none left out");
        for outcome in run.outcomes.iter() {
            let Outcome::Result(result) = outcome else { panic!("task {next}: {outcome:?}") };
            let result: f64 = result.parse().unwrap();
            assert_eq!(result.to_bits(), right(next).to_bits(), "task {next}");
            next += 1;
        }
    }
    assert_eq!(next, TASKS);
}

/// What task `index` comes to.
fn right(index: u64) -> f64 {
    let op = op::named("repeat_multiply").unwrap();
    let input = format!(r#"{{"initial":1.0,"factor":1.00000043,"times":{}}}"#, index + 1);
    let outcomes = Piece::of_one(op, &input).compute();
    let Outcome::Result(result) = outcomes.get(0) else { panic!("{outcomes:?}") };
    result.parse().unwrap()
}
