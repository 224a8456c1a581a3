//! Jobs, inputs and outcomes to test with, and how refusals are told apart.

use std::fs;
use std::ops::Range;
use std::path::Path;
use tequio::store::{Condition, NewJob, Recording, Run, SqliteStore, Store, StoreError, StoredJob};
use tequio_protocol::check::Check;
use tequio_protocol::grid::{Axis, Grid};
use tequio_protocol::ids::{JobId, WorkerId};
use tequio_protocol::number::Number;
use tequio_protocol::op::OpId;
use tequio_protocol::outcome::Outcome;
use tequio_protocol::reader::LineRun;
use tequio_protocol::values::Values;

pub(crate) fn grid_job(total: u64) -> NewJob {
    let one = |name: &str| (name.to_owned(), Axis::value_of(1.0).unwrap());
    let times = ("times".to_owned(), Axis::range(0.0, 1.0, total).unwrap());
    NewJob {
        name: "grid".to_owned(),
        op: OpId::new("repeat_multiply"),
        priority: 0,
        grid: Some(Grid::new(vec![one("initial"), one("factor"), times]).unwrap()),
        block: 1,
        check: Check::Auto,
        submitted_at_ms: 1,
    }
}

pub(crate) fn inputs_job() -> NewJob {
    NewJob { name: String::new(), grid: None, ..grid_job(1) }
}

/// A running job with a grid of `total` tasks.
pub(crate) fn running(store: &dyn Store, total: u64) -> JobId {
    let job = store.create_job(&grid_job(total)).unwrap();
    store.publish(job).unwrap();
    job
}

pub(crate) fn only_job(store: &dyn Store) -> StoredJob {
    let mut jobs = store.load().unwrap().jobs;
    assert_eq!(jobs.len(), 1);
    jobs.remove(0)
}

/// Inputs that all differ.
pub(crate) fn inputs(range: Range<u64>) -> Values {
    let input = |index: u64| {
        format!(r#"{{"initial":{:?},"factor":1.1,"times":{index}}}"#, index as f64 / 3.0)
    };
    range.map(input).collect()
}

/// A number as a result.
pub(crate) fn result(value: f64) -> Outcome {
    Outcome::Result(serde_json::to_string(&Number(value)).unwrap())
}

pub(crate) fn line_run(first: u64, line: u64) -> LineRun {
    LineRun { first, line }
}

pub(crate) fn recording(job: JobId, first: u64, outcomes: Vec<Outcome>) -> Recording {
    Recording {
        job,
        first,
        outcomes: outcomes.into_iter().collect(),
        worker: WorkerId(3),
        agent: "Mozilla/5.0".to_owned(),
        duration_ms: Some(1.5),
        audited: 0,
        recorded_at_ms: 1_763_700_000_456,
    }
}

/// A result for each index, which tells the index.
pub(crate) fn numbers(job: JobId, range: Range<u64>) -> Recording {
    let outcomes = range.clone().map(|index| result(index as f64 / 2.0));
    recording(job, range.start, outcomes.collect())
}

/// As [`numbers`], with an error at each multiple of 5.
pub(crate) fn mixed(job: JobId, range: Range<u64>) -> Recording {
    let outcome = |index: u64| match index % 5 {
        0 => Outcome::Error(format!("trap at {index}")),
        _ => result(index as f64 / 3.0),
    };
    recording(job, range.start, range.map(outcome).collect())
}

/// An error for each index, which tells the index.
pub(crate) fn errors(job: JobId, range: Range<u64>) -> Recording {
    let outcomes = range.clone().map(|index| Outcome::Error(format!("late at {index}")));
    recording(job, range.start, outcomes.collect())
}

/// What [`numbers`] gives back.
pub(crate) fn run(range: Range<u64>) -> Run {
    run_of(numbers(JobId(0), range))
}

/// What [`numbers`] gives back of one index.
pub(crate) fn single(index: u64) -> (u64, Outcome) {
    (index, result(index as f64 / 2.0))
}

pub(crate) fn run_of(recording: Recording) -> Run {
    Run { first: recording.first, outcomes: recording.outcomes }
}

pub(crate) fn assert_missing<T: std::fmt::Debug>(job: JobId, result: Result<T, StoreError>) {
    match result {
        Err(StoreError::NoSuchJob(named)) => assert_eq!(named, job),
        other => panic!("{other:?} instead of NoSuchJob"),
    }
}

pub(crate) fn assert_wrong_state<T: std::fmt::Debug>(
    job: JobId,
    expected: Condition,
    result: Result<T, StoreError>,
) {
    match result {
        Err(StoreError::WrongState { job: named, is }) => assert_eq!((named, is), (job, expected)),
        other => panic!("{other:?} instead of WrongState"),
    }
}

pub(crate) fn assert_out_of_range<T: std::fmt::Debug>(
    job: JobId,
    range: Range<u64>,
    result: Result<T, StoreError>,
) {
    match result {
        Err(StoreError::OutOfRange { job: named, first, end }) => {
            assert_eq!((named, first..end), (job, range));
        }
        other => panic!("{other:?} instead of OutOfRange"),
    }
}

pub(crate) fn assert_taken(error: &StoreError, job: JobId, range: Range<u64>) {
    match error {
        StoreError::Taken { job: named, first, end } => {
            assert_eq!((*named, *first..*end), (job, range));
        }
        other => panic!("{other:?} instead of Taken"),
    }
}

pub(crate) fn assert_foreign(dir: &Path, bytes: &[u8]) {
    let path = dir.join("tequio.sqlite");
    let error = SqliteStore::open(dir).unwrap_err();
    assert!(matches!(error, StoreError::Foreign(_)), "{error:?}");
    assert!(error.to_string().contains(path.to_str().unwrap()), "{error}");
    assert!(fs::read(&path).unwrap() == bytes, "the file was changed");
}

pub(crate) fn set_pragma(dir: &Path, name: &str, value: i64) {
    let connection = rusqlite::Connection::open(dir.join("tequio.sqlite")).unwrap();
    connection.pragma_update(None, name, value).unwrap();
}

/// What a kill would leave now: the files as they are, without the clean-up of a close.
pub(crate) fn killed(dir: &Path) -> tempfile::TempDir {
    let copy = tempfile::tempdir().unwrap();
    for name in ["tequio.sqlite", "tequio.sqlite-wal"] {
        fs::copy(dir.join(name), copy.path().join(name)).unwrap();
    }
    copy
}
