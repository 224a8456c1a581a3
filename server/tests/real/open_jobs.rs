//! Jobs that wait for inputs: how they say so, and how they come to an end.

use crate::support::{
    Client, Server, Tequio, Worker, binary, eights, eights_of_lines, ended, new_job, run, run_with,
    signal, spawn, until, within,
};
use serde_json::json;
use std::process::Stdio;
use std::sync::Arc;
use std::time::SystemTime;
use tequio::dispatcher::Dispatcher;
use tequio::metrics::Metrics;
use tequio::store::{MemoryStore, NewJob, Store};
use tequio_protocol::api::JobState;
use tequio_protocol::values::Values;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};

const MAP: &[&str] = &["map", "repeat_multiply"];

const OPEN: &str = "/api/jobs?op=repeat_multiply&more=true";

#[tokio::test]
async fn an_open_job_says_so_and_is_closed_with_what_it_has() {
    let server = Server::start().await;
    let url = server.url();
    let id = server.submit(OPEN, eights(0..3)).await;
    let view = server.get("/api/jobs/1").await.1;
    assert_eq!((&view["state"], &view["open"]), (&json!("running"), &json!(true)));
    let shown = run(&url, &["job", "1"]).await.out;
    assert!(shown.contains("waits for inputs") && shown.contains("tequio close 1"), "{shown}");
    let table = run(&url, &["jobs"]).await.out;
    assert!(table.contains("running,open"), "{table}");

    let worker = Worker::start(&server);
    let closed = server.post("/api/jobs/1/close", "").await;
    assert_eq!((closed.status, &closed.json()["open"]), (200, &json!(false)));
    let job = server.job_over(id).await;
    assert_eq!((job.state, job.done, job.open), (JobState::Done, 3, false));
    assert_eq!(run(&url, &["results", "1"]).await.out, eights_of_lines(0..3));

    let again = server.post("/api/jobs/1/close", "").await;
    assert_eq!(again.refusal(), (409, "job_not_open".to_owned()));
    assert_eq!(
        again.message(),
        "Job 1 is done and does not wait for inputs: there is nothing to close."
    );
    let late = server.post("/api/jobs/1/inputs?first=3", eights(3..4)).await;
    assert_eq!(late.status, 409);
    assert_eq!(server.post("/api/jobs/9/close", "").await.status, 404);
    worker.stop().await;
}

#[tokio::test]
async fn closing_fits_whatever_state_a_job_is_in() {
    let server = Server::start().await;
    let url = server.url();
    // Without any inputs there is nothing to do.
    server.submit(OPEN, "").await;
    let said = run(&url, &["close", "1"]).await;
    assert_eq!(said.code, Some(0), "{said:?}");
    assert!(said.out.starts_with("Job 1 is done: 0 of 0 tasks done"), "{said:?}");
    // A paused one stays so, and has an end once it goes on.
    server.submit(OPEN, eights(0..2)).await;
    server.post("/api/jobs/2/pause", "").await;
    let closed = server.post("/api/jobs/2/close", "").await.json();
    assert_eq!((&closed["state"], &closed["open"]), (&json!("paused"), &json!(false)));
    // A cancelled one is not open, whatever it was.
    server.submit(OPEN, eights(0..2)).await;
    let cancelled = server.post("/api/jobs/3/cancel", "").await.json();
    assert_eq!((&cancelled["state"], &cancelled["open"]), (&json!("cancelled"), &json!(false)));
    let said = run(&url, &["close", "3"]).await;
    assert_eq!(said.code, Some(1));
    assert!(said.err.contains("Job 3 is cancelled and does not wait for inputs"), "{said:?}");
    // Nor is one that was never open.
    server.submit("/api/jobs?op=repeat_multiply", eights(0..2)).await;
    assert_eq!(server.post("/api/jobs/4/close", "").await.refusal().0, 409);
}

/// On virtual time, which goes on when nothing else does.
#[tokio::test(start_paused = true)]
async fn a_job_that_whoever_fed_it_has_left_is_closed_by_itself() {
    let store = Arc::new(MemoryStore::new());
    let metrics = Arc::new(Metrics::default());
    let started = Dispatcher::start(None, store.clone(), metrics, 1).await;
    let (dispatcher, _ended) = started.unwrap();
    let job = NewJob { submitted_at_ms: wall_clock_ms(), ..new_job("", "repeat_multiply", None) };
    let id = dispatcher.create_job(job.clone()).await.unwrap();
    dispatcher.publish(id, job, 0, true).await.unwrap();
    let inputs: Values = eights(1..2).lines().collect();
    dispatcher.grow(id, 0, inputs.clone(), Vec::new(), true).await.unwrap();
    let mut progress = dispatcher.follow(id).await.unwrap().unwrap();
    while progress.borrow_and_update().is_open {
        progress.changed().await.unwrap();
    }
    let job = dispatcher.job(id).await.unwrap().unwrap();
    assert_eq!((job.state, job.open, job.total), (JobState::Running, false, 1));
    assert!(!store.load().unwrap().jobs[0].is_open, "the store knows");
    assert!(dispatcher.grow(id, 1, inputs, Vec::new(), true).await.is_err());
}

fn wall_clock_ms() -> u64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_millis() as u64
}

// ---- What map leaves behind -------------------------------------------------------------------

#[tokio::test]
async fn map_that_is_told_to_end_leaves_its_job_with_what_it_has() {
    let server = Server::start().await;
    let url = server.url();
    for (id, name) in (1..).zip(["TERM", "HUP", "INT"]) {
        let mut map = spawn(&url, MAP);
        let mut stdin = map.stdin.take().unwrap();
        stdin.write_all(eights(0..3).as_bytes()).await.unwrap();
        until(async || (server.get(&format!("/api/jobs/{id}")).await.0 == 200).then_some(())).await;
        assert!(server.job(id).await.open, "{name}");
        signal(&mut map, name).await;
        let ran = ended(map).await;
        assert_eq!((ran.code, ran.out.as_str()), (Some(1), ""), "{name}: {ran:?}");
        let says = format!("job {id} goes on with the inputs that it has");
        assert!(ran.err.contains(&says), "{name}: {ran:?}");
        let job = server.job(id).await;
        assert_eq!((job.state, job.open, job.total), (JobState::Running, false, 3), "{name}");
        drop(stdin);
    }
    let worker = Worker::start(&server);
    for id in 1..=3 {
        assert_eq!(server.job_over(id).await.state, JobState::Done);
    }
    worker.stop().await;
}

#[tokio::test]
async fn whoever_waits_is_told_to_end_in_words() {
    let server = Server::start().await;
    let url = server.url();
    server.submit("/api/jobs?op=repeat_multiply", eights(0..3)).await;
    // No worker of below ends it.
    assert_eq!(server.post("/api/jobs/1/pause", "").await.status, 200);
    for name in ["TERM", "HUP"] {
        let mut following = spawn(&url, &["results", "1", "--follow", "--first", "1"]);
        signal(&mut following, name).await;
        let ran = ended(following).await;
        assert_eq!(ran.code, Some(1), "{name}: {ran:?}");
        let said = "stopped; `tequio results 1 --first 1 --follow` goes on from there";
        assert!(ran.err.contains(said), "{name}: {ran:?}");
        let inputs = ["submit", "repeat_multiply", "--input", "-", "--wait"];
        let mut waiting = spawn(&url, &inputs);
        let mut stdin = waiting.stdin.take().unwrap();
        stdin.write_all(eights(0..3).as_bytes()).await.unwrap();
        drop(stdin);
        let mut says = BufReader::new(waiting.stderr.take().unwrap()).lines();
        let first = within(says.next_line()).await.unwrap().unwrap();
        assert!(first.contains("submitted: 3 tasks"), "{first}");
        signal(&mut waiting, name).await;
        let second = within(says.next_line()).await.unwrap().unwrap();
        assert!(second.contains("goes on; `tequio job"), "{name}: {second}");
        assert_eq!(ended(waiting).await.code, Some(1), "{name}");
        // These have nothing to leave behind, and end well.
        let mut work = spawn(&url, &["work", "--slots", "1"]);
        until(async || (server.workers().await.len() == 1).then_some(())).await;
        signal(&mut work, name).await;
        assert_eq!(ended(work).await.code, Some(0), "{name}");
        until(async || server.workers().await.is_empty().then_some(())).await;
        let mut serving = Tequio::serve(&[]).await;
        signal(&mut serving.child, name).await;
        serving.line_with("Stopped").await;
        assert_eq!(within(serving.child.wait()).await.unwrap().code(), Some(0), "{name}");
    }
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn what_nohup_started_outlasts_its_terminal() {
    let serve =
        format!("exec {} serve --memory --listen 127.0.0.1:0", env!("CARGO_BIN_EXE_tequio"));
    let mut child = tokio::process::Command::new("sh")
        .args(["-c", &format!("trap '' HUP; {serve}")])
        .stdin(Stdio::null())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut says = BufReader::new(child.stderr.take().unwrap()).lines();
    while !within(says.next_line()).await.unwrap().unwrap().contains("Listening") {}
    signal(&mut child, "HUP").await;
    signal(&mut child, "TERM").await;
    let mut rest = String::new();
    while let Some(line) = within(says.next_line()).await.unwrap() {
        rest += &line;
    }
    assert!(rest.contains("Stopped"), "{rest}");
    assert_eq!(within(child.wait()).await.unwrap().code(), Some(0));
}

#[tokio::test]
async fn map_that_has_nothing_to_compute_leaves_no_job() {
    let server = Server::start().await;
    let url = server.url();
    for (stdin, more, code) in [
        ("", &[][..], 0),
        ("\n\r\n", &[], 0),
        ("rubbish\n", &[], 1),
        ("rubbish\n{}\n", &["--skip-invalid"], 0),
    ] {
        let ran = run_with(&url, &[MAP, more].concat(), stdin).await;
        assert_eq!((ran.code, ran.out.as_str()), (Some(code), ""), "{stdin:?}: {ran:?}");
    }
    // A folder can be opened, and not read.
    let folder = std::fs::File::open("/").unwrap();
    let unreadable = binary().args(MAP).env("TEQUIO_URL", &url).stdin(folder).output();
    let unreadable = within(unreadable).await.unwrap();
    assert_eq!(unreadable.status.code(), Some(1));
    assert_eq!(server.get("/api/jobs").await.1, json!([]));
}

#[tokio::test]
async fn map_whose_job_is_closed_by_somebody_else_does_not_take_that_for_its_end() {
    let server = Server::start().await;
    let url = server.url();
    let worker = Worker::start(&server);
    let mut map = spawn(&url, MAP);
    let mut stdin = map.stdin.take().unwrap();
    stdin.write_all(eights(0..2).as_bytes()).await.unwrap();
    until(async || (server.get("/api/jobs/1").await.1["done"] == 2).then_some(())).await;
    assert_eq!(run(&url, &["close", "1"]).await.code, Some(0));
    let ran = ended(map).await;
    assert_eq!((ran.code, ran.out), (Some(1), eights_of_lines(0..2)));
    assert!(ran.err.contains("job 1 was closed before stdin ended"), "{}", ran.err);
    assert_eq!(server.job(1).await.state, JobState::Done, "it has its results");
    drop(stdin);
    worker.stop().await;

    // While it computes, it is closed and goes on.
    let client = Client::connect(&server).await;
    let mut map = spawn(&url, MAP);
    let mut stdin = map.stdin.take().unwrap();
    stdin.write_all(eights(0..2).as_bytes()).await.unwrap();
    until(async || (server.get("/api/jobs/2").await.0 == 200).then_some(())).await;
    assert_eq!(server.post("/api/jobs/2/close", "").await.status, 200);
    stdin.write_all(eights(2..4).as_bytes()).await.unwrap();
    let ran = ended(map).await;
    assert_eq!(ran.code, Some(1), "{ran:?}");
    assert!(ran.err.contains("job 2 was closed before stdin ended"), "{}", ran.err);
    assert_eq!(server.job(2).await.state, JobState::Running, "it is not cancelled");
    drop((stdin, client));

    // Or removed with all that it has.
    let mut map = spawn(&url, MAP);
    let mut stdin = map.stdin.take().unwrap();
    stdin.write_all(eights(0..2).as_bytes()).await.unwrap();
    until(async || (server.get("/api/jobs/3").await.0 == 200).then_some(())).await;
    for command in ["cancel", "remove"] {
        run(&url, &[command, "3"]).await;
    }
    let ran = ended(map).await;
    assert_eq!((ran.code, ran.err.lines().count()), (Some(1), 1), "{ran:?}");
    assert!(ran.err.contains("job 3 "), "{}", ran.err);
    drop(stdin);
}
