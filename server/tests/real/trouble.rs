//! A store that is in trouble: what is not on disk is not reported, and nothing is lost.

use crate::support::{
    Client, Server, Tequio, Worker, binary, eights, eights_results, ended, until,
};
use serde_json::json;
use std::process::Stdio;
use std::sync::Arc;
use tequio::store::{Options, SqliteStore};
use tequio_protocol::api::JobState;

/// Room for the first outcomes of [`JOB`], and not for all of them.
const PAGES: u32 = 200;
const TASKS: u64 = 200_000;
const JOB: &str = r#"{"op":"repeat_multiply","grid":{"initial":"0..200000","factor":2,"times":3}}"#;

const OTHER: &str = r#"{"op":"repeat_multiply","grid":{"initial":"0..10","factor":2,"times":3}}"#;

#[tokio::test]
async fn when_the_file_is_full_nothing_is_reported_and_nothing_is_lost() {
    let folder = tempfile::tempdir().unwrap();
    let options = Options { max_pages: Some(PAGES) };
    let store = Arc::new(SqliteStore::open_with(folder.path(), &options).unwrap());
    let server = Server::start_on(store.clone()).await;
    assert_eq!(server.get("/healthz").await.0, 200);
    let id = server.submit("/api/jobs", JOB).await;
    let other = server.submit("/api/jobs", OTHER).await;
    assert_eq!(server.post(&format!("/api/jobs/{other}/pause"), "").await.status, 200);
    let worker = Worker::start(&server);

    let refusal = until(async || {
        let (status, body) = server.get("/healthz").await;
        (status != 200).then_some((status, body))
    });
    let (status, body) = refusal.await;
    assert_eq!((status, &body["error"]["code"]), (503, &json!("store_failing")));
    let message = body["error"]["message"].as_str().unwrap();
    assert!(message.contains("disk is full"), "{message}");
    assert!(!message.contains(folder.path().to_str().unwrap()), "{message}");

    // The worker answers what it holds, and is lent no more.
    until(async || (server.job(id).await.leased == 0).then_some(())).await;
    let job = server.job(id).await;
    assert_eq!((job.state, job.failed), (JobState::Running, 0));
    assert!(job.done < TASKS, "{job:?}");
    assert!(server.metric("tequio_tasks_uncommitted").await > 0, "answers wait for the disk");
    assert_eq!(server.metric("tequio_tasks_recorded_total").await, job.done);
    let grants = server.metric("tequio_leases_granted_total").await;
    // A state takes no room. There is work now, and two who would do it.
    assert_eq!(server.post(&format!("/api/jobs/{other}/resume"), "").await.status, 200);
    let mut client = Client::connect(&server).await;
    assert_eq!(client.receive().await["type"], "task", "the welcome task is of no job");
    client.send(r#"{"type":"result","task_id":1,"result":3072}"#).await;
    client.send(r#"{"type":"result","task_id":1,"result":3072}"#).await;
    assert_eq!(client.receive().await["code"], "unknown_task", "no task came before this");
    drop(client);
    let refused = server.post("/api/jobs?op=repeat_multiply", eights(0..50_000)).await;
    assert_eq!(refused.refusal(), (503, "store_failing".to_owned()));
    assert!(!refused.text.contains(folder.path().to_str().unwrap()), "{}", refused.text);
    let jobs = server.get("/api/jobs").await.1;
    assert_eq!(jobs.as_array().map(Vec::len), Some(2), "nothing of it is kept: {jobs}");

    let results = server.get_text(&format!("/api/jobs/{id}/results")).await;
    assert_eq!(results.lines().count() as u64, job.done, "what is given is on disk");
    assert_eq!(server.job(id).await.done, job.done, "and nothing more is");
    assert_eq!(server.metric("tequio_leases_granted_total").await, grants);
    assert_eq!(server.get("/healthz").await.0, 503);

    store.set_max_pages(None).unwrap();
    let job = server.job_over(id).await;
    assert_eq!((job.state, job.done, job.failed), (JobState::Done, TASKS, 0));
    assert_eq!(server.get("/healthz").await.0, 200);
    let results = server.get_text(&format!("/api/jobs/{id}/results")).await;
    assert!(results == eights_results(0..TASKS), "each task once, in order, with its result");
    let other = server.job_over(other).await;
    assert_eq!((other.state, other.done, other.failed), (JobState::Done, 10, 0));
    worker.stop().await;
}

#[tokio::test]
async fn two_servers_on_one_folder_are_one_too_many() {
    let folder = tempfile::tempdir().unwrap();
    let first = Tequio::serve_from(&folder, "127.0.0.1:0").await;
    let path = folder.path().to_str().unwrap();
    let second = binary()
        .args(["serve", "--data", path, "--listen", "127.0.0.1:0"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let second = ended(second).await;
    assert_eq!(second.code, Some(1), "{second:?}");
    assert_eq!(second.err.lines().count(), 1, "{second:?}");
    assert!(second.err.contains(path) && second.err.contains("in use"), "{second:?}");
    assert!(second.err.contains("--data"), "{second:?}");

    first.kill().await;
    let mut third = Tequio::serve_from(&folder, "127.0.0.1:0").await;
    assert_eq!(third.interrupt().await.code(), Some(0), "the folder is free again");
}

#[tokio::test]
async fn a_folder_of_another_program_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("tequio.sqlite");
    std::fs::write(&file, "this is no database, but text of somebody's").unwrap();
    let path = folder.path().to_str().unwrap();
    let server = binary()
        .args(["serve", "--data", path, "--listen", "127.0.0.1:0"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let server = ended(server).await;
    assert_eq!((server.code, server.err.lines().count()), (Some(1), 1), "{server:?}");
    assert!(server.err.contains("tequio.sqlite"), "{server:?}");
    let text = std::fs::read_to_string(&file).unwrap();
    assert_eq!(text, "this is no database, but text of somebody's");
}
