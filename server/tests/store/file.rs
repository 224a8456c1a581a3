//! What a store in a file promises beyond the suite.

use crate::helpers::*;
use rusqlite::Row;
use rusqlite::types::Value;
use std::fs;
use tequio::store::{NewJob, Options, PAGE_BYTES, SqliteStore, Store, StoreError};
use tequio_protocol::api::JobState;
use tequio_protocol::check::Check;
use tequio_protocol::ids::JobId;
use tequio_protocol::limits::JOB_TASKS_MAX;
use tequio_protocol::outcome::Outcome;

#[test]
fn opening_again_finds_everything() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("made/with its parents");
    let store = SqliteStore::open(&folder).unwrap();
    assert_eq!(store.load().unwrap().epoch, 0);
    let grid = running(&store, 1000);
    store.record(&[mixed(grid, 5..100), mixed(grid, 300..301)]).unwrap();
    let open = store.create_job(&inputs_job()).unwrap();
    store.append_inputs(open, 0, &inputs(0..3000)).unwrap();
    store.publish_open(open).unwrap();
    store.set_state(grid, JobState::Paused).unwrap();
    let jobs = store.load().unwrap().jobs;
    let draft = store.create_job(&inputs_job()).unwrap();
    drop(store);

    let store = SqliteStore::open(&folder).unwrap();
    let loaded = store.load().unwrap();
    assert_eq!((loaded.epoch, loaded.jobs), (2, jobs));
    let runs = store.outcomes(grid, 0..1000, 1000).unwrap();
    assert_eq!(runs, [run_of(mixed(grid, 5..100)), run_of(mixed(grid, 300..301))]);
    assert_eq!(store.inputs(open, 0..3000).unwrap(), inputs(0..3000));
    assert!(store.create_job(&inputs_job()).unwrap() > draft);
}

#[test]
fn a_folder_is_one_servers_at_a_time() {
    let dir = tempfile::tempdir().unwrap();
    let first = SqliteStore::open(dir.path()).unwrap();
    let error = SqliteStore::open(dir.path()).unwrap_err();
    assert!(matches!(error, StoreError::Locked(_)), "{error}");
    assert!(error.to_string().contains(dir.path().to_str().unwrap()), "{error}");
    running(&first, 5);
    drop(first);
    let second = SqliteStore::open(dir.path()).unwrap();
    assert_eq!(second.load().unwrap().jobs.len(), 1);
}

#[test]
fn a_store_that_was_only_opened_loads() {
    let dir = tempfile::tempdir().unwrap();
    drop(SqliteStore::open(dir.path()).unwrap());
    let store = SqliteStore::open(dir.path()).unwrap();
    assert_eq!(store.load().unwrap().epoch, 0);
    running(&store, 5);
}

#[test]
fn what_a_call_returned_is_there_after_a_kill() {
    let dir = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(dir.path()).unwrap();
    assert_eq!(SqliteStore::open(killed(dir.path()).path()).unwrap().load().unwrap().jobs, []);
    let job = running(&store, 1000);
    for first in (0..100).step_by(10) {
        store.record(&[numbers(job, first..first + 10)]).unwrap();
        let copy = killed(dir.path());
        let restarted = SqliteStore::open(copy.path()).unwrap();
        assert_eq!(only_job(&restarted).done, first + 10);
    }
}

/// A power cut may leave any beginning of what was being written.
#[test]
fn a_log_cut_anywhere_holds_whole_calls() {
    let dir = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(dir.path()).unwrap();
    let job = running(&store, 10_000);
    for first in (0..50).step_by(5) {
        let far = (first + 1) * 100;
        store.record(&[numbers(job, first..first + 5), numbers(job, far..far + 95)]).unwrap();
    }
    let log = fs::read(dir.path().join("tequio.sqlite-wal")).unwrap();
    let mut seen = Vec::new();
    for length in (0..=log.len()).step_by(log.len() / 60) {
        let copy = killed(dir.path());
        fs::write(copy.path().join("tequio.sqlite-wal"), &log[..length]).unwrap();
        let jobs = SqliteStore::open(copy.path()).unwrap().load().unwrap().jobs;
        let done = jobs.first().map_or(0, |job| job.done);
        assert!(done.is_multiple_of(100), "half a batch: {done}");
        seen.push(done);
    }
    assert!(seen.is_sorted() && seen.contains(&500), "{seen:?}");
}

#[test]
fn an_empty_file_is_a_new_store() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("tequio.sqlite");
    fs::write(&path, "").unwrap();
    let store = SqliteStore::open(dir.path()).unwrap();
    running(&store, 5);
    drop(store);
    fs::remove_file(&path).unwrap();

    // A crash may come between the switch to a write-ahead log and the tables.
    let connection = rusqlite::Connection::open(&path).unwrap();
    connection.pragma_update(None, "journal_mode", "WAL").unwrap();
    connection.close().unwrap();
    assert!(fs::metadata(&path).unwrap().len() > 0);
    let store = SqliteStore::open(dir.path()).unwrap();
    running(&store, 5);
}

#[test]
fn a_newer_format_is_refused_by_both_numbers() {
    let dir = tempfile::tempdir().unwrap();
    drop(SqliteStore::open(dir.path()).unwrap());
    set_pragma(dir.path(), "user_version", 7);
    let error = SqliteStore::open(dir.path()).unwrap_err();
    assert!(matches!(error, StoreError::Newer { found: 7, known: 2, .. }), "{error:?}");
    let path = dir.path().join("tequio.sqlite");
    let said = format!("{} has format 7, and this tequio knows formats up to 2", path.display());
    assert!(error.to_string().contains(&said), "{error}");
    set_pragma(dir.path(), "user_version", 2);
    SqliteStore::open(dir.path()).unwrap();
}

#[test]
fn databases_of_other_programs_are_refused_and_left_alone() {
    for script in [
        "CREATE TABLE bookmark (url TEXT)",
        "PRAGMA application_id = 252006674",
        "PRAGMA user_version = 1",
        "PRAGMA application_id = 252006674; CREATE TABLE job (id INTEGER PRIMARY KEY)",
    ] {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("tequio.sqlite");
        rusqlite::Connection::open(&path).unwrap().execute_batch(script).unwrap();
        assert_foreign(dir.path(), &fs::read(&path).unwrap());
    }
}

#[test]
fn files_that_are_no_database_are_refused_and_left_alone() {
    let half = {
        let dir = tempfile::tempdir().unwrap();
        drop(SqliteStore::open(dir.path()).unwrap());
        let mut bytes = fs::read(dir.path().join("tequio.sqlite")).unwrap();
        bytes[..16].fill(b'x');
        bytes
    };
    for bytes in
        [b"xy".to_vec(), b"hello, world\n".to_vec(), vec![0; 512], vec![b'y'; 20_000], half]
    {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("tequio.sqlite"), &bytes).unwrap();
        assert_foreign(dir.path(), &bytes);
    }
}

#[test]
fn a_folder_that_cannot_be_is_an_error_with_its_path() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("a file");
    fs::write(&file, "").unwrap();
    let error = SqliteStore::open(&file).unwrap_err();
    assert!(matches!(&error, StoreError::Unavailable(said) if said.contains("a file")), "{error}");
    fs::create_dir_all(dir.path().join("data/tequio.sqlite")).unwrap();
    let error = SqliteStore::open(&dir.path().join("data")).unwrap_err();
    assert!(
        matches!(&error, StoreError::Unavailable(said) if said.contains("tequio.sqlite")),
        "{error}"
    );
}

#[test]
fn a_full_store_keeps_what_it_has_and_goes_on_when_it_may_grow() {
    let dir = tempfile::tempdir().unwrap();
    let options = Options { max_pages: Some(100) };
    let store = SqliteStore::open_with(dir.path(), &options).unwrap();
    let job = running(&store, JOB_TASKS_MAX);
    store.record(&[numbers(job, 0..100)]).unwrap();
    let before = store.outcomes(job, 0..JOB_TASKS_MAX, u64::MAX).unwrap();

    // The first part would fit; the second is larger than the whole store may be.
    let batch = [numbers(job, 100..200), numbers(job, 1000..100_000)];
    for _ in 0..3 {
        let error = store.record(&batch).unwrap_err();
        let text = error.to_string();
        assert!(matches!(error, StoreError::Unavailable(_)), "{error:?}");
        assert!(text.contains("tequio.sqlite") && text.contains("is full"), "{text}");
        assert_eq!(store.outcomes(job, 0..JOB_TASKS_MAX, u64::MAX).unwrap(), before);
    }
    let draft = store.create_job(&inputs_job()).unwrap();
    let error = store.append_inputs(draft, 0, &inputs(0..20_000)).unwrap_err();
    assert!(matches!(error, StoreError::Unavailable(_)), "{error:?}");
    assert_out_of_range(draft, 0..1, store.inputs(draft, 0..1));
    store.set_state(job, JobState::Paused).unwrap();
    store.record(&[numbers(job, 200..210)]).unwrap();

    store.set_max_pages(None).unwrap();
    store.record(&batch).unwrap();
    store.append_inputs(draft, 0, &inputs(0..20_000)).unwrap();
    store.publish(draft).unwrap();
    drop(store);
    let bytes = fs::metadata(dir.path().join("tequio.sqlite")).unwrap().len();
    assert!(bytes > 100 * u64::from(PAGE_BYTES), "{bytes}");
    // A limit below what is there already only stops growth.
    let store = SqliteStore::open_with(dir.path(), &options).unwrap();
    let jobs = store.load().unwrap().jobs;
    assert_eq!(jobs[0].recorded, [0..210, 1000..100_000]);
    assert_eq!(jobs[1].total, 20_000);
    assert!(store.record(&[numbers(job, 100_000..200_000)]).is_err());
}

#[test]
fn readers_do_not_wait_for_writers() {
    let dir = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(dir.path()).unwrap();
    let job = running(&store, 1000);
    store.record(&[numbers(job, 0..10)]).unwrap();
    let shell = rusqlite::Connection::open(dir.path().join("tequio.sqlite")).unwrap();
    shell.execute_batch("BEGIN IMMEDIATE; DELETE FROM outcome").unwrap();
    assert_eq!(store.outcomes(job, 0..1000, 1000).unwrap(), [run(0..10)]);
    shell.execute_batch("ROLLBACK").unwrap();
}

/// The file as tequio 0.1.0 made it: without a table of lines.
#[test]
fn a_file_of_before_is_opened_and_takes_lines_from_then_on() {
    let dir = tempfile::tempdir().unwrap();
    let shell = rusqlite::Connection::open(dir.path().join("tequio.sqlite")).unwrap();
    shell.execute_batch(include_str!("format-1.sql")).unwrap();
    drop(shell);
    let store = SqliteStore::open(dir.path()).unwrap();
    let jobs = store.load().unwrap().jobs;
    assert_eq!(jobs.iter().map(|job| (job.total, job.done)).collect::<Vec<_>>(), [(3, 2), (2, 0)]);
    let (closed, open) = (jobs[0].id, jobs[1].id);
    assert_eq!(store.lines(closed, 0..3).unwrap(), Some(vec![]), "they are unknown");
    store.append_lines(open, 2, &inputs(2..4), &[line_run(2, 7)]).unwrap();
    assert_eq!(store.lines(open, 0..2).unwrap(), Some(vec![]));
    assert_eq!(store.lines(open, 0..4).unwrap(), Some(vec![line_run(2, 7)]));
    drop(store);
    let store = SqliteStore::open(dir.path()).unwrap();
    assert_eq!(store.lines(open, 3..4).unwrap(), Some(vec![line_run(2, 7)]));
    store.set_state(closed, JobState::Done).unwrap();
    while store.remove(closed).unwrap() {}
    assert_missing(closed, store.lines(closed, 0..1));
}

/// The statement of the documentation, in the shell's place.
#[test]
fn the_shell_reads_outcomes_with_json_each() {
    let dir = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(dir.path()).unwrap();
    let job = running(&store, 1000);
    let outcomes = vec![result(1.5), result(f64::NAN), Outcome::Error("trap".to_owned())];
    store.record(&[recording(job, 40, outcomes), numbers(job, 7..8)]).unwrap();
    let shell = rusqlite::Connection::open(dir.path().join("tequio.sqlite")).unwrap();
    let mut statement = shell
        .prepare(
            "SELECT first + each.key AS task, each.value AS result,
                 json_extract(errors, '$.' || each.key) AS error
             FROM outcome, json_each(outcome.outcomes) AS each WHERE job = 1 ORDER BY task",
        )
        .unwrap();
    let columns = |row: &Row<'_>| Ok((row.get(0)?, row.get(1)?, row.get(2)?));
    let rows = statement.query_map([], columns).unwrap();
    let rows: Vec<(u64, Value, Option<String>)> = rows.map(Result::unwrap).collect();
    let expected = [
        (7, Value::Real(3.5), None),
        (40, Value::Real(1.5), None),
        (41, Value::Text("NaN".to_owned()), None),
        (42, Value::Null, Some("trap".to_owned())),
    ];
    assert_eq!(rows, expected);
}

#[test]
fn a_row_that_somebody_broke_is_an_error_that_names_it() {
    let dir = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(dir.path()).unwrap();
    let job = running(&store, 1000);
    store.record(&[numbers(job, 10..12), numbers(job, 20..22)]).unwrap();
    let shell = rusqlite::Connection::open(dir.path().join("tequio.sqlite")).unwrap();
    for broken in ["[1]", "[1,2,3]", "[1,true]", "[1,2", "[1,2]x", "{}", ""] {
        let update = "UPDATE outcome SET outcomes = ?1 WHERE first = 20";
        shell.execute(update, [broken]).unwrap();
        let error = store.outcomes(job, 0..1000, 1000).unwrap_err();
        let text = error.to_string();
        assert!(matches!(error, StoreError::Damaged { job: JobId(1), .. }), "{error:?}");
        assert!(text.contains("job 1 (grid)") && text.contains("tasks 20..22"), "{text}");
        let error = store.sample(job, &[10, 20, 21], 1000).unwrap_err();
        assert_eq!(error.to_string(), text);
        assert_eq!(store.outcomes(job, 0..20, 1000).unwrap(), [run(10..12)]);
    }
}

#[test]
fn a_file_from_before_jobs_said_how_they_are_checked_is_opened_as_it_is() {
    let dir = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(dir.path()).unwrap();
    let old = running(&store, 10);
    drop(store);
    let shell = rusqlite::Connection::open(dir.path().join("tequio.sqlite")).unwrap();
    shell.execute_batch("ALTER TABLE job DROP COLUMN checks; DROP TABLE audited").unwrap();
    drop(shell);
    for _ in 0..2 {
        let store = SqliteStore::open(dir.path()).unwrap();
        let jobs = store.load().unwrap().jobs;
        assert_eq!((jobs[0].id, jobs[0].job.check, jobs[0].audited), (old, Check::Auto, 0));
        assert_eq!(jobs[0].trouble, None);
    }
    let store = SqliteStore::open(dir.path()).unwrap();
    let new = NewJob { check: Check::Twice, ..grid_job(3) };
    store.submit(&new).unwrap();
    assert_eq!(store.load().unwrap().jobs[1].job.check, Check::Twice);
}
