//! Rows that are damaged are found, told of, and computed again; and a file of before is taken over.

use crate::damage::{DAMAGED, WHOLE, file_in, folder_after, harm, serve};
use crate::support::{
    Server, Tequio, Worker, binary, eights, eights_of_lines, eights_results, run, until, within,
};
use rusqlite::Connection;
use serde_json::{Value, json};
use std::fs;
use std::path::Path;
use std::process::Stdio;
use tempfile::TempDir;
use tequio_protocol::api::JobState;

/// Turns a bit of the one place in the file that has a text, as a bad disk does: of its last byte.
fn turn_bit(folder: &Path, text: &str) {
    let mut bytes = fs::read(file_in(folder)).unwrap();
    let is_there = |at: &usize| bytes[*at..].starts_with(text.as_bytes());
    let found: Vec<usize> = (0..bytes.len() - text.len()).filter(is_there).collect();
    assert_eq!(found.len(), 1, "{text}");
    bytes[found[0] + text.len() - 1] ^= 1;
    fs::write(file_in(folder), bytes).unwrap();
}

/// A folder whose first job is done.
async fn folder_of_a_done_job() -> TempDir {
    let folder = folder_after("");
    let server = serve(folder.path()).await;
    let worker = Worker::start(&server);
    server.job_over(DAMAGED.0).await;
    worker.stop().await;
    server.stop().await;
    folder
}

#[tokio::test]
async fn a_bit_that_was_turned_is_told_of_and_repaired() {
    let folder = folder_of_a_done_job().await;
    // 40 becomes 41.
    turn_bit(folder.path(), "[32.0,40");
    let server = serve(folder.path()).await;
    let url = server.url();
    assert_eq!(server.job(1).await.state, JobState::Done, "nobody has read it yet");
    let told = run(&url, &["results", "1"]).await;
    assert_eq!(told.code, Some(1), "{told:?}");
    let said = "the outcomes of tasks 4..8 cannot be read: its checksum does not fit";
    assert!(told.err.contains(said), "{told:?}");
    assert_eq!(server.job(1).await.done, 10, "of a job that is over nothing is removed unasked");

    let repaired = run(&url, &["repair", "1"]).await.succeeded();
    assert!(repaired.contains("Damaged rows of outcomes: 1, of 4 tasks"), "{repaired}");
    assert!(repaired.contains("Job 1 is running: 6 of 10 tasks done"), "{repaired}");
    let worker = Worker::start(&server);
    let job = server.job_over(1).await;
    assert_eq!((job.state, job.done, job.trouble), (JobState::Done, 10, None));
    assert_eq!(run(&url, &["results", "1"]).await.succeeded(), eights_results(0..10));
    worker.stop().await;
    let again = server.post("/api/jobs/1/repair", "").await.json();
    assert_eq!(
        (&again["rows"], &again["tasks"], &again["inputs"]),
        (&json!(0), &json!(0), &json!([]))
    );
    assert_eq!(again["job"]["state"], "done");
    server.stop().await;
    let server = serve(folder.path()).await;
    assert_eq!(server.job(1).await.state, JobState::Done);
    assert_eq!(server.get_text("/api/jobs/1/results").await, eights_results(0..10));
}

#[tokio::test]
async fn what_is_damaged_of_a_job_that_goes_on_is_computed_again_once_it_is_read() {
    for path in ["/api/jobs/1/results", "/api/jobs/1/sample"] {
        let folder = folder_after("");
        turn_bit(folder.path(), "[32.0,40");
        let server = serve(folder.path()).await;
        assert_eq!(server.job(1).await.done, 8);
        let (status, body) = server.get(path).await;
        assert_eq!((status, &body["error"]["code"]), (500, &json!("job_damaged")), "{body}");
        let is_removed = async || (server.job(1).await.done == 4).then_some(());
        until(is_removed).await;
        assert_eq!(server.get_text("/api/jobs/1/results").await, eights_results(0..4));
        assert_eq!(server.job(1).await.trouble, None);
        let worker = Worker::start(&server);
        let job = server.job_over(1).await;
        assert_eq!((job.state, job.done, job.failed), (JobState::Done, 10, 0));
        assert_eq!(server.get_text("/api/jobs/1/results").await, eights_results(0..10));
        assert_eq!(server.job_over(WHOLE.0).await.done, 5);
        worker.stop().await;
    }
}

#[tokio::test]
async fn a_job_set_aside_for_its_outcomes_is_repaired() {
    for script in [
        "UPDATE outcome SET count = 0 WHERE first = 4",
        "UPDATE outcome SET count = 6 WHERE first = 0",
        "UPDATE outcome SET count = 9 WHERE first = 4",
        "UPDATE outcome SET count = -4 WHERE first = 4",
        "UPDATE outcome SET failed = 5 WHERE first = 4",
        "UPDATE outcome SET first = 9007199254740000 WHERE first = 4",
        "UPDATE job SET state = 'done' WHERE id = 1",
    ] {
        let folder = folder_after(script);
        let server = serve(folder.path()).await;
        assert!(server.job(1).await.trouble.is_some(), "{script}");
        let repaired = server.post("/api/jobs/1/repair", "").await.json();
        assert_eq!(repaired["job"]["trouble"], Value::Null, "{script}: {repaired}");
        let worker = Worker::start(&server);
        let job = server.job_over(1).await;
        assert_eq!((job.state, job.done, job.trouble), (JobState::Done, 10, None), "{script}");
        assert_eq!(server.get_text("/api/jobs/1/results").await, eights_results(0..10), "{script}");
        worker.stop().await;
        server.stop().await;
        let server = serve(folder.path()).await;
        assert_eq!(server.job(1).await.trouble, None, "{script}");
    }
}

#[tokio::test]
async fn a_cancelled_job_that_is_repaired_stays_cancelled() {
    let folder = folder_after("UPDATE job SET state = 'cancelled' WHERE id = 1");
    turn_bit(folder.path(), "[32.0,40");
    let server = serve(folder.path()).await;
    let repaired = server.post("/api/jobs/1/repair", "").await.json();
    assert_eq!((&repaired["rows"], &repaired["tasks"]), (&json!(1), &json!(4)));
    assert_eq!(
        (&repaired["job"]["state"], &repaired["job"]["done"]),
        (&json!("cancelled"), &json!(4))
    );
    assert_eq!(server.get_text("/api/jobs/1/results").await, eights_results(0..4));
}

#[tokio::test]
async fn inputs_that_are_damaged_are_told_of_and_the_results_are_kept() {
    let folder = tempfile::tempdir().unwrap();
    let server = serve(folder.path()).await;
    let id = server.submit("/api/jobs?op=repeat_multiply", eights(0..3000)).await;
    let worker = Worker::start(&server);
    server.job_over(id).await;
    worker.stop().await;
    server.stop().await;
    turn_bit(folder.path(), r#"{"initial":1500"#);
    let server = serve(folder.path()).await;
    let url = server.url();
    let told = run(&url, &["repair", "1"]).await.succeeded();
    assert!(told.contains("Every row of outcomes of job 1 is as it was written"), "{told}");
    assert!(told.contains("The inputs of tasks 1024..2048 cannot be read"), "{told}");
    assert!(told.contains("Job 1 is done: 3,000 of 3,000"), "{told}");
    assert_eq!(server.get_text("/api/jobs/1/results").await, eights_of_lines(0..3000));
    server.stop().await;

    // An outcome that needs them cannot be computed again: the job is not begun again for it.
    let range = "UPDATE outcome SET outcomes = '[1]' WHERE first <= 1500 AND first + count > 1500";
    harm(folder.path(), range);
    let server = serve(folder.path()).await;
    let repaired = server.post("/api/jobs/1/repair", "").await.json();
    assert_eq!((&repaired["rows"], &repaired["job"]["state"]), (&json!(1), &json!("done")));
    let trouble = repaired["job"]["trouble"].as_str().unwrap();
    assert!(trouble.contains("outcomes are missing"), "{trouble}");
    let first = server.get_text("/api/jobs/1/results?count=1").await;
    assert_eq!(first, eights_of_lines(0..1));
}

#[tokio::test]
async fn there_is_nothing_to_repair_in_memory() {
    let server = Server::start().await;
    let id = server.submit("/api/jobs?op=repeat_multiply", eights(0..3)).await;
    let told = run(&server.url(), &["repair", &id.to_string()]).await.succeeded();
    assert!(told.contains("Every row of outcomes of job 1 is as it was written"), "{told}");
    assert_eq!(server.post("/api/jobs/7/repair", "").await.refusal().1, "unknown_job");
}

/// A folder with the file of format 1 that has a job of each kind.
fn folder_of_format_1() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let packed = include_bytes!("../store/format-1/mixed.sqlite.gz");
    let mut file = fs::File::create(file_in(folder.path())).unwrap();
    std::io::copy(&mut flate2::read::GzDecoder::new(&packed[..]), &mut file).unwrap();
    folder
}

#[tokio::test]
async fn a_file_of_format_1_is_taken_over_and_that_is_said() {
    let folder = folder_of_format_1();
    let server = Tequio::serve_from(&folder, "127.0.0.1:0").await;
    let said = "was of format 1 and is of format 2 now: 21 rows have checksums";
    assert!(server.preface.iter().any(|line| line.contains(said)), "{:?}", server.preface);
    assert_eq!(run(&server.page, &["results", "4"]).await.succeeded(), eights_results(4..7));
}

/// The format that a folder's file has, and how many rows of outcomes.
fn format_and_rows(folder: &Path) -> (i64, u64) {
    let shell = Connection::open(file_in(folder)).unwrap();
    let format = shell.pragma_query_value(None, "user_version", |row| row.get(0)).unwrap();
    let rows = shell.query_row("SELECT count(*) FROM outcome", [], |row| row.get(0)).unwrap();
    let check: String = shell.pragma_query_value(None, "quick_check", |row| row.get(0)).unwrap();
    assert_eq!(check, "ok");
    (format, rows)
}

#[tokio::test]
async fn a_file_that_is_being_taken_over_outlasts_kills() {
    let folder = folder_of_format_1();
    let list = format!("[{}]", vec!["0.125"; 2000].join(","));
    let shell = Connection::open(file_in(folder.path())).unwrap();
    let rows = "WITH RECURSIVE n(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 1200)
        INSERT INTO outcome (job, first, count, failed, worker, agent, recorded_at_ms, outcomes)
        SELECT 5, n * 2000, 2000, 0, 1, '', 2, ?1 FROM n";
    shell.execute(rows, [list]).unwrap();
    shell.execute("UPDATE job SET grid = NULL, total = 3000000 WHERE id = 5", []).unwrap();
    shell.close().unwrap();
    let before = format_and_rows(folder.path()).1;
    let log = file_in(folder.path()).with_extension("sqlite-wal");
    let mut formats = Vec::new();
    for bytes in [1, 1 << 19, 1 << 20] {
        let mut server = binary()
            .args(["serve", "--listen", "127.0.0.1:0", "--data"])
            .arg(folder.path())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        // In the middle of it: what is written is in the log, and there is more to come.
        let has_begun =
            async || fs::metadata(&log).is_ok_and(|log| log.len() >= bytes).then_some(());
        until(has_begun).await;
        within(server.kill()).await.unwrap();
        let (format, rows) = format_and_rows(folder.path());
        assert_eq!(rows, before);
        formats.push(format);
    }
    assert_eq!(formats[0], 1, "the first kill came in the middle of it");
    let server = Tequio::serve_from(&folder, "127.0.0.1:0").await;
    assert_eq!(run(&server.page, &["results", "4"]).await.succeeded(), eights_results(4..7));
    let results = run(&server.page, &["results", "5", "--first", "800000", "--count", "2000"])
        .await
        .succeeded();
    assert_eq!(results.lines().count(), 2000);
    drop(server);
    assert_eq!(format_and_rows(folder.path()), (2, before));
}
