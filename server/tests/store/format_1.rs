//! Files of format 1, as tequio 0.1.0 wrote them, are taken over.
//!
//! `format-1/mixed` has a job of each kind, and a draft that a crash left. `format-1/killed` was killed in the
//! middle of two jobs: all that it has is in the log.

use crate::helpers::*;
use flate2::read::GzDecoder;
use rusqlite::Connection;
use std::collections::BTreeMap;
use std::fs;
use std::io::Read;
use std::ops::Range;
use std::path::Path;
use tempfile::TempDir;
use tequio::store::{Options, PAGE_BYTES, SqliteStore, Store, StoreError};
use tequio_protocol::api::JobState;
use tequio_protocol::ids::JobId;
use tequio_protocol::outcome::{Outcome, OutcomeRef};
use tequio_protocol::values::Values;

const FILE: &str = "tequio.sqlite";
const LOG: &str = "tequio.sqlite-wal";

fn unpacked(packed: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    GzDecoder::new(packed).read_to_end(&mut bytes).unwrap();
    bytes
}

fn mixed() -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    let file = unpacked(include_bytes!("format-1/mixed.sqlite.gz"));
    fs::write(dir.path().join(FILE), file).unwrap();
    dir
}

fn killed() -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    let file = unpacked(include_bytes!("format-1/killed.sqlite.gz"));
    fs::write(dir.path().join(FILE), file).unwrap();
    let log = unpacked(include_bytes!("format-1/killed.sqlite-wal.gz"));
    fs::write(dir.path().join(LOG), log).unwrap();
    dir
}

/// What a file has of each job, read in the shell's place.
#[derive(Debug, Default, PartialEq)]
struct Rows {
    outcomes: BTreeMap<(u64, u64), Vec<Outcome>>,
    inputs: BTreeMap<(u64, u64), Values>,
    jobs: Vec<(u64, String, String, u64)>,
}

/// All of a file of format 1.
fn rows_of_format_1(shell: &Connection) -> Rows {
    assert_eq!(format(shell), 1);
    let mut rows = Rows::default();
    let mut select = shell.prepare("SELECT job, first, outcomes FROM outcome").unwrap();
    let mut found = select.query([]).unwrap();
    while let Some(row) = found.next().unwrap() {
        let json: String = row.get(2).unwrap();
        let key = (row.get(0).unwrap(), row.get(1).unwrap());
        let outcome = |json: &str| match json.strip_prefix(r#"{"error":"#) {
            Some(error) => {
                Outcome::Error(serde_json::from_str(error.trim_end_matches('}')).unwrap())
            }
            None => Outcome::Result(json.to_owned()),
        };
        let outcomes = Values::read(&json).unwrap();
        rows.outcomes.insert(key, outcomes.iter().map(outcome).collect());
    }
    let drafts = "SELECT id FROM job WHERE state = 'draft'";
    let select = format!("SELECT job, first, inputs FROM input WHERE job NOT IN ({drafts})");
    let mut select = shell.prepare(&select).unwrap();
    let mut found = select.query([]).unwrap();
    while let Some(row) = found.next().unwrap() {
        let json: String = row.get(2).unwrap();
        let key = (row.get(0).unwrap(), row.get(1).unwrap());
        rows.inputs.insert(key, serde_json::from_str(&json).unwrap());
    }
    let jobs = "SELECT id, name, state, total FROM job WHERE state <> 'draft' ORDER BY id";
    let mut select = shell.prepare(jobs).unwrap();
    let jobs = select
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)))
        .unwrap();
    rows.jobs = jobs.map(Result::unwrap).collect();
    rows
}

fn format(shell: &Connection) -> i64 {
    shell.pragma_query_value(None, "user_version", |row| row.get(0)).unwrap()
}

/// What a store says of the same, where its rows are those.
fn rows_of(store: &SqliteStore, like: &Rows) -> Rows {
    let mut rows = Rows::default();
    for job in store.load().unwrap().jobs {
        assert_eq!(job.trouble, None);
        for run in store.outcomes(job.id, 0..u64::MAX, u64::MAX).unwrap() {
            rows.outcomes.insert(
                (job.id.0, run.first),
                run.outcomes.iter().map(OutcomeRef::to_owned).collect(),
            );
        }
        for ((of, first), list) in &like.inputs {
            if *of == job.id.0 {
                let range = *first..first + list.len() as u64;
                rows.inputs.insert((*of, *first), store.inputs(job.id, range).unwrap());
            }
        }
        let state = job.state.name().to_owned();
        rows.jobs.push((job.id.0, job.job.name, state, job.total));
    }
    rows
}

/// A copy of a folder's files, as they are.
fn copy_of(dir: &Path) -> TempDir {
    let copy = tempfile::tempdir().unwrap();
    for name in [FILE, LOG] {
        if dir.join(name).exists() {
            fs::copy(dir.join(name), copy.path().join(name)).unwrap();
        }
    }
    copy
}

/// What a folder of format 1 has, whose files stay as they are.
fn rows_before(dir: &Path) -> Rows {
    let copy = copy_of(dir);
    rows_of_format_1(&Connection::open(copy.path().join(FILE)).unwrap())
}

#[test]
fn a_file_of_format_1_is_taken_over_whole() {
    let dir = mixed();
    let before = rows_before(dir.path());
    let states: Vec<&str> = before.jobs.iter().map(|job| job.2.as_str()).collect();
    assert_eq!(states, ["done", "done", "running", "paused", "cancelled", "running"]);
    for _ in 0..2 {
        let store = SqliteStore::open(dir.path()).unwrap();
        assert_eq!(rows_of(&store, &before), before);
        let failed = store.load().unwrap().jobs[2].failed;
        assert_eq!(failed, 2);
        let lines = store.lines(JobId(2), 0..3).unwrap();
        assert_eq!(lines, Some(vec![line_run(0, 2), line_run(1, 4), line_run(2, 6)]));
    }
    let shell = Connection::open(dir.path().join(FILE)).unwrap();
    assert_eq!(format(&shell), 2);
    let drafts = "SELECT count(*) FROM job WHERE state = 'draft'";
    assert_eq!(shell.query_row(drafts, [], |row| row.get::<_, u64>(0)).unwrap(), 0);
    let errors = "SELECT outcomes, errors FROM outcome WHERE job = 3 AND first = 0";
    let row: (String, String) =
        shell.query_row(errors, [], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
    assert_eq!(row.0, r#"[0.0,null,"Infinity","NaN",-0.0,1.0625]"#);
    assert_eq!(row.1, r#"{"1":"trap: \"unreachable\" é"}"#);
}

#[test]
fn a_file_that_was_taken_over_has_the_tables_of_a_new_one() {
    let columns = |dir: &Path| -> Vec<(String, String, String, bool, Option<String>)> {
        let shell = Connection::open(dir.join(FILE)).unwrap();
        let columns = "SELECT t.name, c.name, c.type, c.\"notnull\", c.dflt_value
            FROM sqlite_schema AS t, pragma_table_info(t.name) AS c
            WHERE t.type = 'table' ORDER BY t.name, c.cid";
        let mut columns = shell.prepare(columns).unwrap();
        let read = |row: &rusqlite::Row<'_>| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?))
        };
        columns.query_map([], read).unwrap().map(Result::unwrap).collect()
    };
    let new = tempfile::tempdir().unwrap();
    drop(SqliteStore::open(new.path()).unwrap());
    for old in [mixed(), killed()] {
        drop(SqliteStore::open(old.path()).unwrap());
        assert_eq!(columns(old.path()), columns(new.path()));
        let shell = Connection::open(old.path().join(FILE)).unwrap();
        let check: String =
            shell.pragma_query_value(None, "integrity_check", |row| row.get(0)).unwrap();
        assert_eq!(check, "ok");
    }
}

#[test]
fn a_file_that_was_killed_in_the_middle_of_its_work_is_taken_over_and_goes_on() {
    let dir = killed();
    let before = rows_before(dir.path());
    let store = SqliteStore::open(dir.path()).unwrap();
    assert_eq!(rows_of(&store, &before), before);
    let jobs = store.load().unwrap().jobs;
    assert!(jobs.iter().all(|job| job.state == JobState::Running && job.done > 0), "{jobs:?}");
    let gaps = |range: Range<u64>, taken: &[Range<u64>]| {
        range.filter(|index| !taken.iter().any(|taken| taken.contains(index))).count() as u64
    };
    for job in jobs {
        assert_eq!(gaps(0..job.total, &job.recorded), job.total - job.done);
        store.record(&[numbers(job.id, 0..job.total)]).unwrap();
        let tally = store.tally(job.id).unwrap();
        assert_eq!((tally.done, tally.recorded), (job.total, vec![0..job.total]));
    }
}

/// A kill, or a power cut, leaves any beginning of what was being written.
#[test]
fn a_file_that_is_taken_over_half_is_a_whole_one_of_format_1() {
    let dir = mixed();
    let before = rows_before(dir.path());
    let store = SqliteStore::open(dir.path()).unwrap();
    let (file, log) = {
        let copy = copy_of(dir.path());
        (fs::read(dir.path().join(FILE)).unwrap(), fs::read(copy.path().join(LOG)).unwrap())
    };
    drop(store);
    let mut formats = Vec::new();
    for length in (0..=log.len()).step_by(log.len() / 40).chain([log.len()]) {
        let cut = tempfile::tempdir().unwrap();
        fs::write(cut.path().join(FILE), &file).unwrap();
        fs::write(cut.path().join(LOG), &log[..length]).unwrap();
        let copy = copy_of(cut.path());
        let shell = Connection::open(copy.path().join(FILE)).unwrap();
        formats.push(format(&shell));
        if format(&shell) == 1 {
            assert_eq!(rows_of_format_1(&shell), before);
        }
        assert_eq!(rows_of(&SqliteStore::open(cut.path()).unwrap(), &before), before);
    }
    assert!(formats.is_sorted(), "{formats:?}");
    assert!(formats.iter().filter(|format| **format == 1).count() > 30, "{formats:?}");
    assert_eq!(formats.last(), Some(&2));
}

#[test]
fn a_disk_without_room_leaves_a_file_as_it_was() {
    let dir = mixed();
    let before = rows_before(dir.path());
    let pages = fs::metadata(dir.path().join(FILE)).unwrap().len() / u64::from(PAGE_BYTES);
    let full = Options { max_pages: Some(pages as u32) };
    let error = SqliteStore::open_with(dir.path(), &full).unwrap_err();
    let StoreError::Unavailable(said) = error else { panic!("{error:?}") };
    assert!(said.contains("full") && said.contains("it is of format 1 still"), "{said}");
    assert_eq!(rows_before(dir.path()), before);
    let store = SqliteStore::open(dir.path()).unwrap();
    assert_eq!(rows_of(&store, &before), before);
}

/// A row that is damaged already is told of when it is read, and keeps no other.
#[test]
fn a_damaged_row_of_format_1_keeps_no_file_from_being_taken_over() {
    let dir = mixed();
    let shell = Connection::open(dir.path().join(FILE)).unwrap();
    shell
        .execute("UPDATE outcome SET outcomes = '[0.0,{' WHERE job = 3 AND first = 0", [])
        .unwrap();
    drop(shell);
    let store = SqliteStore::open(dir.path()).unwrap();
    let error = store.outcomes(JobId(3), 0..10, 10).unwrap_err();
    assert!(error.to_string().contains("the outcomes of tasks 0..6 cannot be read"), "{error}");
    assert_eq!(store.outcomes(JobId(3), 100..101, 10).unwrap().len(), 1);
    assert_eq!(store.outcomes(JobId(1), 0..40, 100).unwrap().len(), 4);
}
