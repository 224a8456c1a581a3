//! Rows and files that cannot be read: what is whole goes on, and people hear what is not.

use crate::support::{
    Server, Worker, binary, eights, eights_of_lines, eights_results, ended, new_job, run, until,
};
use rusqlite::Connection;
use serde_json::{Value, json};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use tempfile::TempDir;
use tequio::store::{NewJob, Recording, SqliteStore, Store, StoreError};
use tequio_protocol::api::JobState;
use tequio_protocol::ids::{JobId, WorkerId};
use tequio_protocol::values::Values;

/// The job that is damaged, and one beside it that is whole.
pub(crate) const DAMAGED: JobId = JobId(1);
pub(crate) const WHOLE: JobId = JobId(2);

fn job(name: &str, grid: Option<&str>) -> NewJob {
    let grid = grid.map(|initial| format!(r#"{{"initial":"{initial}","factor":2,"times":3}}"#));
    new_job(name, "repeat_multiply", grid.as_deref())
}

fn eights_recorded(job: JobId, first: u64, count: u64) -> Recording {
    let results: Values = (first..first + count).map(|index| format!("{}.0", index * 8)).collect();
    Recording {
        job,
        first,
        outcomes: results.into(),
        worker: WorkerId(1),
        agent: "Test/1.0".to_owned(),
        duration_ms: None,
        audited: 0,
        recorded_at_ms: 2,
    }
}

/// A folder with two jobs of grids, of the first of which tasks 0..4 and 4..8 are recorded, and then what
/// somebody did to it in the shell.
pub(crate) fn folder_after(script: &str) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(folder.path()).unwrap();
    assert_eq!(store.submit(&job("sweep", Some("0..10"))).unwrap(), DAMAGED);
    assert_eq!(store.submit(&job("whole", Some("0..5"))).unwrap(), WHOLE);
    store.record(&[eights_recorded(DAMAGED, 0, 4), eights_recorded(DAMAGED, 4, 4)]).unwrap();
    drop(store);
    harm(folder.path(), script);
    folder
}

pub(crate) fn file_in(folder: &Path) -> PathBuf {
    folder.join("tequio.sqlite")
}

/// Runs a script in the shell's place, past all checks: a damaged disk does not ask what may be.
pub(crate) fn harm(folder: &Path, script: &str) {
    let shell = Connection::open(file_in(folder)).unwrap();
    let unchecked = "PRAGMA ignore_check_constraints = ON; PRAGMA foreign_keys = OFF;
        PRAGMA writable_schema = ON;
        UPDATE sqlite_schema SET sql = replace(replace(sql, ') STRICT', ')'), ' NOT NULL', '');
        PRAGMA writable_schema = RESET;";
    shell.execute_batch(unchecked).unwrap();
    shell.execute_batch(script).unwrap();
    shell.close().unwrap();
}

pub(crate) async fn serve(folder: &Path) -> Server {
    // The last connection of a server that was stopped may still be on its way out.
    let store = until(async || match SqliteStore::open(folder) {
        Err(StoreError::Locked(_)) => None,
        opened => Some(opened.unwrap()),
    });
    Server::start_on(Arc::new(store.await)).await
}

/// What a server says that does not start on a folder.
async fn refusal(folder: &Path) -> String {
    let refused = async || {
        let server = binary()
            .args(["serve", "--data", folder.to_str().unwrap(), "--listen", "127.0.0.1:0"])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let server = ended(server).await;
        assert_eq!(server.code, Some(1), "{server:?}");
        // A program that another test has just started has this one's files until it begins.
        let said = server.err.lines().last().unwrap().to_owned();
        (!said.contains("in use")).then_some(said)
    };
    until(refused).await
}

#[tokio::test]
async fn a_job_that_cannot_be_read_is_set_aside_and_the_others_go_on() {
    for (script, said) in [
        ("UPDATE job SET state = 'sleeping' WHERE id = 1", "sleeping is unknown to this tequio"),
        ("UPDATE job SET state = NULL WHERE id = 1", "state cannot be read"),
        (
            "UPDATE job SET op = 'divide' WHERE id = 1",
            "its op divide is none that this server knows: those are repeat_multiply, collatz",
        ),
        ("UPDATE job SET op = x'00ff' WHERE id = 1", "op cannot be read"),
        ("UPDATE job SET grid = '{\"initial\"' WHERE id = 1", "grid cannot be read: it is no grid"),
        ("UPDATE job SET total = 11 WHERE id = 1", "it has 10 tasks, and the job 11"),
        ("UPDATE job SET total = -3 WHERE id = 1", "total cannot be read"),
        ("UPDATE job SET total = 9007199254740993 WHERE id = 1", "more than a job has"),
        ("UPDATE job SET priority = 1e300 WHERE id = 1", "priority cannot be read"),
        ("UPDATE job SET submitted_at_ms = NULL WHERE id = 1", "submitted_at_ms cannot be read"),
        ("UPDATE job SET is_open = 'perhaps' WHERE id = 1", "is_open cannot be read"),
        ("UPDATE job SET grid = NULL, total = 10 WHERE id = 1", "10 tasks, and inputs of 0"),
        ("UPDATE outcome SET count = -4 WHERE first = 4", "what is recorded of it cannot be read"),
        ("UPDATE outcome SET count = 0 WHERE first = 4", "says 0 tasks"),
        ("UPDATE outcome SET count = 6 WHERE first = 0", "in other rows"),
        ("UPDATE outcome SET count = 9 WHERE first = 4", "says 9 tasks"),
        ("UPDATE outcome SET failed = 5 WHERE first = 4", "of which 5 failed"),
        ("UPDATE outcome SET first = 'x' WHERE first = 4", "cannot be read"),
    ] {
        let folder = folder_after(script);
        let server = serve(folder.path()).await;
        let worker = Worker::start(&server);
        let (_, view) = server.get("/api/jobs/1").await;
        let trouble = view["trouble"].as_str().unwrap_or_else(|| panic!("{script}: {view}"));
        assert!(trouble.contains(said), "{script}: {trouble}");
        assert_eq!(
            (&view["name"], &view["state"]),
            (&json!("sweep"), &json!("paused")),
            "{script}"
        );
        let whole = server.job_over(WHOLE.0).await;
        assert_eq!((whole.done, whole.trouble), (5, None), "{script}");
        assert_eq!(server.job(1).await.leased, 0, "{script}: it is not lent");
        for change in ["resume", "pause", "cancel", "close"] {
            let refused = server.post(&format!("/api/jobs/1/{change}"), "").await;
            assert_eq!(refused.refusal(), (409, "job_set_aside".to_owned()), "{script}");
        }
        worker.stop().await;
        server.stop().await;

        // It is neither mended nor deleted by that, until somebody says so.
        let server = serve(folder.path()).await;
        assert_eq!(server.get("/api/jobs/1").await.1["trouble"], json!(trouble), "{script}");
        let listed = server.get("/api/jobs").await.1;
        assert_eq!(listed.as_array().map(Vec::len), Some(2), "{script}: {listed}");
        let removed = run(&server.url(), &["remove", "1"]).await;
        assert_eq!(removed.code, Some(0), "{script}: {removed:?}");
        assert_eq!(server.get("/api/jobs/1").await.0, 404, "{script}");
        server.stop().await;
        let server = serve(folder.path()).await;
        assert_eq!(server.get("/api/jobs/1").await.0, 404, "{script}");
    }
}

#[tokio::test]
async fn people_see_which_job_is_damaged_and_its_other_results() {
    let folder = folder_after("UPDATE outcome SET failed = 5 WHERE first = 4");
    let server = serve(folder.path()).await;
    let url = server.url();
    let jobs = run(&url, &["jobs"]).await.out;
    assert!(jobs.contains("paused,damaged"), "{jobs}");
    let shown = run(&url, &["job", "1"]).await.out;
    assert!(shown.contains("of which 5 failed") && shown.contains("tequio remove 1"), "{shown}");
    let told = run(&url, &["results", "1"]).await;
    assert_eq!(told.code, Some(1), "{told:?}");
    assert!(told.err.contains("the outcomes of tasks 4..8 cannot be read"), "{told:?}");
    let before = run(&url, &["results", "1", "--count", "4"]).await.succeeded();
    assert_eq!(before, eights_results(0..4));
    let followed = run(&url, &["results", "1", "--follow"]).await;
    assert_eq!(followed.code, Some(1), "{followed:?}");
    assert!(followed.err.contains("is set aside"), "{followed:?}");
}

#[tokio::test]
async fn a_job_that_is_done_and_lacks_outcomes_says_so() {
    let folder = folder_after("UPDATE job SET state = 'done' WHERE id = 1");
    let server = serve(folder.path()).await;
    let view = server.job(1).await;
    assert_eq!(view.state, JobState::Done);
    assert!(view.trouble.is_some_and(|said| said.contains("2 of its 10 outcomes are missing")));
    assert_eq!(server.get_text("/api/jobs/1/results").await, eights_results(0..8));
    assert_eq!(run(&server.url(), &["remove", "1"]).await.code, Some(0));
}

#[tokio::test]
async fn a_file_that_lacks_a_part_is_refused_in_words_that_help() {
    for (script, said) in [
        ("DROP TABLE outcome", "its table `outcome` is missing"),
        ("DROP TABLE input", "its table `input` is missing"),
        ("DROP TABLE job", "its table `job` is missing"),
        ("DROP TABLE meta", "its table `meta` is missing"),
        ("DELETE FROM meta", "its table `meta` does not say"),
        ("UPDATE meta SET epoch = 'x'", "its table `meta` does not say"),
        ("ALTER TABLE job RENAME COLUMN priority TO rank", "its list of jobs cannot be read"),
    ] {
        let folder = folder_after(script);
        let dump = || -> Vec<String> {
            let shell = Connection::open(file_in(folder.path())).unwrap();
            let schema = "SELECT coalesce(sql, '') FROM sqlite_schema";
            let mut statement = shell.prepare(schema).unwrap();
            statement.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
        };
        let before = dump();
        let refused = refusal(folder.path()).await;
        let path = file_in(folder.path());
        assert!(refused.contains(said), "{script}: {refused}");
        assert!(refused.contains(path.to_str().unwrap()), "{script}: {refused}");
        assert!(refused.contains("put back a copy") && refused.contains(".recover"), "{refused}");
        assert_eq!(dump(), before, "{script}: it is left as it was");
    }
}

#[tokio::test]
async fn an_index_that_was_dropped_is_made_again() {
    let folder = folder_after("DROP INDEX outcome_extent");
    let server = serve(folder.path()).await;
    let worker = Worker::start(&server);
    assert_eq!(server.job_over(1).await.done, 10);
    assert_eq!(server.get_text("/api/jobs/1/results").await, eights_results(0..10));
    worker.stop().await;
}

/// Overwrites the page that a table or an index begins with, as a bad sector does.
fn overwrite(folder: &Path, name: &str) {
    let root = "SELECT rootpage FROM sqlite_schema WHERE name = ?1";
    let shell = Connection::open(file_in(folder)).unwrap();
    let page: usize = shell.query_row(root, [name], |row| row.get(0)).unwrap();
    shell.close().unwrap();
    let mut bytes = fs::read(file_in(folder)).unwrap();
    bytes[(page - 1) * 4096..page * 4096].fill(0xa5);
    fs::write(file_in(folder), bytes).unwrap();
}

/// Overwrites each page that has a text, as a bad sector does: one in the middle of a long value, so that
/// the pages behind it cannot be found either.
fn overwrite_text(folder: &Path, text: &str) {
    let mut bytes = fs::read(file_in(folder)).unwrap();
    let has_text = |page: &[u8]| page.windows(text.len()).any(|found| found == text.as_bytes());
    let pages: Vec<_> = bytes.chunks_mut(4096).filter(|page| has_text(page)).collect();
    assert!(!pages.is_empty(), "{text} is in the file");
    pages.into_iter().for_each(|page| page.fill(0xa5));
    fs::write(file_in(folder), bytes).unwrap();
}

/// A list of long values that takes several pages, with [`MIDDLE`] in the middle of them.
fn long_list() -> String {
    let values = 1_000_000_000_000_u64..1_000_000_001_000;
    values.map(|value| value.to_string()).collect::<Vec<_>>().join(",")
}

const MIDDLE: &str = "1000000000500";

/// A store of two jobs, one of whose rows is damaged.
fn with_a_damaged_row() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(folder.path()).unwrap();
    assert_eq!(store.submit(&job("sweep", Some(&long_list()))).unwrap(), DAMAGED);
    assert_eq!(store.submit(&job("whole", Some("0..5"))).unwrap(), WHOLE);
    drop(store);
    overwrite_text(folder.path(), MIDDLE);
    folder
}

#[test]
fn a_state_that_cannot_be_written_is_told_of_its_job_and_of_no_other() {
    let folder = with_a_damaged_row();
    let store = SqliteStore::open(folder.path()).unwrap();
    let states = [DAMAGED, WHOLE].map(|job| (job, JobState::Paused));
    let damaged = store.commit(&[], &states.into()).unwrap_err();
    assert!(matches!(damaged, StoreError::Damaged { job: DAMAGED, .. }), "{damaged}");
    store.commit(&[eights_recorded(WHOLE, 0, 5)], &states[1..].iter().copied().collect()).unwrap();
    let damaged = store.record(&[eights_recorded(DAMAGED, 0, 5)]).unwrap_err();
    assert!(matches!(damaged, StoreError::Damaged { job: DAMAGED, .. }), "{damaged}");
}

#[tokio::test]
async fn a_job_whose_row_is_on_a_damaged_page_is_set_aside_and_the_others_go_on() {
    let folder = with_a_damaged_row();
    let server = serve(folder.path()).await;
    let worker = Worker::start(&server);
    assert_eq!(server.job_over(WHOLE.0).await.done, 5);
    let view = server.job(DAMAGED.0).await;
    assert_eq!((view.name.as_str(), view.state), ("sweep", JobState::Paused));
    assert!(view.trouble.is_some_and(|said| said.contains("a page of the file is damaged")));
    let (status, body) = server.get("/api/jobs/1/results").await;
    assert_eq!((status, &body["error"]["code"]), (500, &json!("job_damaged")), "{body}");
    assert_eq!(server.get("/healthz").await.0, 200);
    worker.stop().await;
}

#[test]
fn a_draft_that_cannot_be_read_keeps_no_other() {
    let folder = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(folder.path()).unwrap();
    for first in [100_000, 200_000, 300_000] {
        let inputs: Values = eights(first..first + 1024).lines().collect();
        let draft = store.create_job(&job("draft", None)).unwrap();
        store.append_inputs(draft, 0, &inputs).unwrap();
    }
    drop(store);
    overwrite_text(folder.path(), "200500");
    let store = SqliteStore::open(folder.path()).unwrap();
    assert_eq!(store.load().unwrap().jobs, []);
    drop(store);
    let shell = Connection::open(file_in(folder.path())).unwrap();
    for (count, left) in [("SELECT count(*) FROM job", 1), ("SELECT count(*) FROM input", 1)] {
        let found: u64 = shell.query_row(count, [], |row| row.get(0)).unwrap();
        assert_eq!(found, left, "{count}");
    }
}

#[tokio::test]
async fn a_file_that_is_damaged_as_a_whole_is_refused_in_words_that_help() {
    let cut = |bytes: usize| {
        let folder = folder_after("");
        let whole = fs::read(file_in(folder.path())).unwrap();
        fs::write(file_in(folder.path()), &whole[..bytes]).unwrap();
        folder
    };
    let overwritten = |name: &str| {
        let folder = folder_after("");
        overwrite(folder.path(), name);
        folder
    };
    for (case, folder) in [
        ("the list of jobs", overwritten("job")),
        ("the number of starts", overwritten("meta")),
        ("cut off behind its first page", cut(4096)),
        ("cut off within a page", cut(2 * 4096 + 100)),
    ] {
        let refused = refusal(folder.path()).await;
        assert!(refused.contains("tequio.sqlite is damaged: "), "{case}: {refused}");
        assert!(refused.contains("put back a copy") && refused.contains(".recover"), "{refused}");
    }
}

#[tokio::test]
async fn results_on_a_damaged_page_are_an_error_and_their_job_is_known() {
    let folder = folder_after("UPDATE job SET state = 'cancelled' WHERE id = 1");
    overwrite(folder.path(), "outcome");
    let server = serve(folder.path()).await;
    assert_eq!(server.job(1).await.done, 8, "the index is whole");
    let (status, body) = server.get("/api/jobs/1/results").await;
    assert_eq!((status, &body["error"]["code"]), (500, &json!("job_damaged")), "{body}");
    let said = body["error"]["message"].as_str().unwrap();
    assert!(said.contains("Job 1 (sweep): its outcomes within tasks 0.."), "{said}");
    // What is left of it is in nobody's way.
    assert_eq!(run(&server.url(), &["remove", "1"]).await.code, Some(0));
    assert_eq!(server.get("/api/jobs/1").await.0, 404);
    assert_eq!(server.get("/healthz").await.0, 200);
}

#[tokio::test]
async fn a_damaged_page_stops_the_jobs_that_need_it_and_no_others() {
    let folder = folder_after("");
    overwrite(folder.path(), "outcome_extent");
    let server = serve(folder.path()).await;
    let view = server.job(1).await;
    assert!(view.trouble.is_some_and(|said| said.contains("a page of the file is damaged")));
    assert_eq!(server.get("/healthz").await.0, 200);
    // A job whose outcomes cannot be written is set aside when they come; the server goes on.
    let new =
        r#"{"op":"repeat_multiply","name":"new","grid":{"initial":"0..5","factor":2,"times":3}}"#;
    let new = server.submit("/api/jobs", new).await;
    let worker = Worker::start(&server);
    let trouble = until(async || server.job(new).await.trouble).await;
    assert!(trouble.contains("a page of the file is damaged"), "{trouble}");
    assert_eq!(server.get("/healthz").await.0, 200);
    let uncommitted = server.metric("tequio_tasks_uncommitted").await;
    assert_eq!(uncommitted, 0, "what is lost is not waited for");
    assert_eq!(run(&server.url(), &["remove", &new.to_string()]).await.code, Some(0));
    assert_eq!(server.get(&format!("/api/jobs/{new}")).await.0, 404);
    worker.stop().await;
}

#[tokio::test]
async fn inputs_that_cannot_be_read_set_their_job_aside_while_others_go_on() {
    for (script, said) in [
        ("DELETE FROM input WHERE first = 1024", "are missing"),
        ("UPDATE input SET inputs = '[{]' WHERE first = 1024", "the inputs of tasks 1024..2048"),
        ("UPDATE input SET inputs = '[]' WHERE first = 1024", "its checksum does not fit"),
        ("UPDATE input SET inputs = x'00' WHERE first = 1024", "cannot be read"),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let store = SqliteStore::open(folder.path()).unwrap();
        let inputs: Values = eights(0..3000).lines().collect();
        let id = store.create_job(&job("of lines", None)).unwrap();
        store.append_inputs(id, 0, &inputs).unwrap();
        store.publish(id).unwrap();
        store.submit(&job("whole", Some("0..2000"))).unwrap();
        drop(store);
        harm(folder.path(), script);

        let server = serve(folder.path()).await;
        let worker = Worker::start(&server);
        let trouble = until(async || server.job(id.0).await.trouble).await;
        assert!(trouble.contains(said), "{script}: {trouble}");
        assert_eq!(server.job_over(WHOLE.0).await.done, 2000, "{script}");
        // It was set aside while the server runs, and is removed as one from before is.
        let removed = run(&server.url(), &["remove", &id.to_string()]).await;
        assert_eq!(removed.code, Some(0), "{script}: {removed:?}");
        assert_eq!(server.get(&format!("/api/jobs/{id}")).await.0, 404, "{script}");
        worker.stop().await;
    }
}

#[tokio::test]
async fn outcomes_that_cannot_be_read_are_told_and_what_is_behind_them_is_given() {
    let folder = folder_after("UPDATE outcome SET outcomes = '[32.0,40.0,tr' WHERE first = 4");
    let server = serve(folder.path()).await;
    let worker = Worker::start(&server);
    assert_eq!(server.job_over(1).await.done, 10);
    worker.stop().await;
    let damaged = |refused: (u16, Value)| {
        let (status, body) = refused;
        assert_eq!((status, &body["error"]["code"]), (500, &json!("job_damaged")), "{body}");
        let said = body["error"]["message"].as_str().unwrap().to_owned();
        assert!(said.contains("Job 1 (sweep)") && said.contains("of tasks 4..8"), "{said}");
        assert!(!said.contains(folder.path().to_str().unwrap()), "{said}");
    };
    damaged(server.get("/api/jobs/1/results?first=5&count=1").await);
    damaged(server.get("/api/jobs/1/results?first=4&follow=true").await);
    damaged(server.get("/api/jobs/1/sample").await);
    let rest = server.get_text("/api/jobs/1/results?first=8").await;
    assert_eq!(rest, "{\"index\":8,\"result\":64.0}\n{\"index\":9,\"result\":72.0}\n");
    for follow in
        [&["results", "1", "--first", "4"][..], &["results", "1", "--first=4", "--follow"]]
    {
        let told = run(&server.url(), follow).await;
        assert_eq!(told.code, Some(1), "{told:?}");
        assert!(told.err.contains("of tasks 4..8 cannot be read"), "{told:?}");
    }
}

/// Many more results than one chunk has come before those that cannot be read.
#[tokio::test]
async fn an_answer_breaks_off_where_outcomes_cannot_be_read() {
    let folder = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(folder.path()).unwrap();
    let id = store.submit(&job("sweep", Some("0..40000"))).unwrap();
    let recorded = |first: u64| eights_recorded(id, first, 10_000);
    store.record(&[recorded(0), recorded(10_000), recorded(20_000), recorded(30_000)]).unwrap();
    drop(store);
    harm(folder.path(), "UPDATE outcome SET outcomes = '[1]' WHERE first = 30000");
    let server = serve(folder.path()).await;
    for follow in [&["results", "1"][..], &["results", "1", "--follow"]] {
        let told = run(&server.url(), follow).await;
        assert_eq!(told.code, Some(1), "{}", told.err);
        let before = eights_results(0..30_000);
        assert!(before.starts_with(&told.out), "only what comes before is given");
        // Who follows asks again, and gets what was on its way when the first answer broke off.
        let is_all = told.out == before;
        assert!(is_all || !follow.contains(&"--follow"), "{} bytes", told.out.len());
        let is_told =
            told.err.contains("break off before task") || told.err.contains("30000..40000");
        assert!(is_told, "{}", told.err);
    }
}

#[tokio::test]
async fn an_open_job_that_is_set_aside_takes_no_inputs_and_is_not_closed() {
    let folder = tempfile::tempdir().unwrap();
    let server = serve(folder.path()).await;
    let id = server.submit("/api/jobs?op=repeat_multiply&more=true", eights(0..5)).await;
    server.stop().await;
    harm(folder.path(), "UPDATE job SET priority = 'high'");
    let server = serve(folder.path()).await;
    let path = format!("/api/jobs/{id}/inputs?first=5&more=true");
    let refused = server.post(&path, eights(5..6)).await;
    assert_eq!(refused.refusal(), (409, "not_growing".to_owned()), "{}", refused.text);
    server.stop().await;
    // Once it is mended it goes on.
    harm(folder.path(), "UPDATE job SET priority = 0");
    let server = serve(folder.path()).await;
    let worker = Worker::start(&server);
    let path = format!("/api/jobs/{id}/inputs?first=5");
    assert_eq!(server.post(&path, eights(5..6)).await.status, 200);
    server.job_over(id).await;
    let results = server.get_text(&format!("/api/jobs/{id}/results")).await;
    assert_eq!(results, eights_of_lines(0..6));
    worker.stop().await;
}
