//! Inputs that are sent in several requests: all of them become a job, or none.

use crate::support::{
    Answer, Ran, Server, Tequio, Worker, eights, eights_of_lines, ended, run, run_with, signal,
    spawn, until,
};
use reqwest::Method;
use serde_json::json;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tequio_protocol::api::{JobState, JobView};
use tequio_protocol::limits::UPLOAD_BYTES_MAX;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

const DRAFT: &str = "/api/jobs?op=repeat_multiply&draft=true";
const SUBMIT: &[&str] = &["submit", "repeat_multiply", "--input", "-", "--json"];

async fn delete(server: &Server, path: &str) -> u16 {
    Answer::of(server.request(Method::DELETE, path)).await.status
}

// ---- The requests -----------------------------------------------------------------------------

#[tokio::test]
async fn a_draft_is_no_job_until_its_last_request() {
    let server = Server::start().await;
    let worker = Worker::start(&server);
    let begun = server.post(DRAFT, eights(0..3)).await;
    assert_eq!((begun.status, begun.json()), (202, json!({"id": 1, "total": 3})));
    let more = server.post("/api/jobs/1/inputs?first=3&draft=true", eights(3..5)).await;
    assert_eq!((more.status, more.json()), (202, json!({"id": 1, "total": 5})));
    assert_eq!(server.get("/api/jobs").await.1, json!([]));
    for path in ["/api/jobs/1", "/api/jobs/1/results"] {
        assert_eq!(server.get(path).await.0, 404, "{path}");
    }
    for path in ["/api/jobs/1/pause", "/api/jobs/1/cancel", "/api/jobs/1/close"] {
        assert_eq!(server.post(path, "").await.status, 404, "{path}");
    }
    let last = server.post("/api/jobs/1/inputs?first=5", eights(5..6)).await;
    assert_eq!((last.status, &last.json()["total"]), (201, &json!(6)), "{}", last.text);
    assert_eq!(last.json()["open"], false);
    let job = server.job_over(1).await;
    assert_eq!((job.state, job.done), (JobState::Done, 6));
    assert_eq!(server.get_text("/api/jobs/1/results").await, eights_of_lines(0..6));
    worker.stop().await;
}

#[tokio::test]
async fn a_request_for_a_draft_that_is_repeated_is_seen_to_be() {
    let server = Server::start().await;
    server.post(DRAFT, eights(0..3)).await;
    for _ in 0..2 {
        let more = server.post("/api/jobs/1/inputs?first=3&draft=true", eights(3..5)).await;
        assert_eq!((more.status, more.json()), (202, json!({"id": 1, "total": 5})));
    }
    for (query, lines) in [
        ("first=4&draft=true", eights(4..6)),
        ("first=9&draft=true", eights(9..10)),
        ("first=0&draft=true", eights(0..3)),
    ] {
        let refused = server.post(&format!("/api/jobs/1/inputs?{query}"), lines).await;
        assert_eq!(refused.refusal(), (409, "not_growing".to_owned()), "{query}");
        assert!(refused.message().contains("has 5 inputs"), "{}", refused.message());
    }
    for _ in 0..2 {
        let last = server.post("/api/jobs/1/inputs?first=5", eights(5..6)).await;
        assert_eq!((last.status, &last.json()["total"]), (201, &json!(6)));
    }
    let late = server.post("/api/jobs/1/inputs?first=6", eights(6..7)).await;
    assert_eq!(late.refusal(), (409, "not_growing".to_owned()));
    let jobs: Vec<JobView> = serde_json::from_value(server.get("/api/jobs").await.1).unwrap();
    assert_eq!(jobs.iter().map(|job| job.total).collect::<Vec<_>>(), [6], "one job, once");
    // It may be open as well.
    server.post(DRAFT, "").await;
    let open = server.post("/api/jobs/2/inputs?first=0&more=true", eights(0..1)).await;
    assert_eq!((open.status, &open.json()["open"]), (201, &json!(true)));
}

#[tokio::test]
async fn nothing_is_kept_of_a_draft_with_a_bad_line() {
    let server = Server::start().await;
    server.post(DRAFT, eights(0..3)).await;
    let path = "/api/jobs/1/inputs?first=3&draft=true&line=1000";
    let bad = server.post(path, eights(3..5) + "rubbish\n").await;
    assert_eq!(bad.refusal(), (400, "bad_line".to_owned()));
    assert!(bad.message().starts_with("Line 1002, column 1: "), "{}", bad.message());
    let gone = server.post("/api/jobs/1/inputs?first=3&draft=true", eights(3..5)).await;
    assert_eq!(gone.refusal(), (404, "unknown_draft".to_owned()));
    assert_eq!(server.post("/api/jobs/1/inputs?first=3", eights(3..5)).await.status, 404);

    // Or it is skipped, in each request for itself.
    let skip = |path: &str| format!("{path}&skip_invalid=true");
    let begun = server.post(&skip(DRAFT), eights(0..3) + "rubbish\n{}\n").await;
    assert_eq!(begun.header("tequio-skipped-lines"), Some("2"));
    let rest = skip("/api/jobs/2/inputs?first=3&line=6");
    let last = server.post(&rest, "rubbish\n".to_owned() + &eights(3..4)).await;
    assert_eq!((last.status, last.header("tequio-skipped-lines")), (201, Some("1")));
    assert_eq!(server.job(2).await.total, 4);

    // A draft without anything is no job.
    server.post(DRAFT, "").await;
    let empty = server.post("/api/jobs/3/inputs?first=0", "").await;
    assert_eq!(empty.refusal(), (400, "empty_job".to_owned()));
    // Nor is one that is given up.
    server.post(DRAFT, eights(0..3)).await;
    assert_eq!(delete(&server, "/api/jobs/4").await, 204);
    assert_eq!(delete(&server, "/api/jobs/4").await, 404);
    assert_eq!(server.post("/api/jobs/4/inputs?first=3", "").await.status, 404);
    // What was never a draft is none.
    let wrong = server.post("/api/jobs/2/inputs?first=4&draft=true", eights(4..5)).await;
    assert_eq!(wrong.status, 409, "{}", wrong.text);
    assert_eq!(server.job(2).await.total, 4);
}

// ---- The commands -----------------------------------------------------------------------------

/// A proxy that takes bodies of 1 MiB and no more, as nginx does, and forwards what it takes.
struct Proxy {
    address: SocketAddr,
    requests: Arc<AtomicUsize>,
    /// Requests from this one on wait.
    held_from: watch::Sender<usize>,
}

impl Proxy {
    async fn before(server: SocketAddr) -> Proxy {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let requests = Arc::new(AtomicUsize::new(0));
        let (held_from, is_held) = watch::channel(usize::MAX);
        let count = requests.clone();
        tokio::spawn(async move {
            loop {
                let (client, _) = listener.accept().await.unwrap();
                tokio::spawn(forward(client, server, count.clone(), is_held.clone()));
            }
        });
        Proxy { address, requests, held_from }
    }

    fn hold_from(&mut self, number: usize) {
        self.held_from.send_replace(number);
    }
}

/// Forwards one request and its answer, and closes.
async fn forward(
    client: TcpStream,
    server: SocketAddr,
    requests: Arc<AtomicUsize>,
    mut held_from: watch::Receiver<usize>,
) {
    let mut client = BufReader::new(client);
    let (mut head, mut length) = (String::new(), 0);
    loop {
        let mut line = String::new();
        if client.read_line(&mut line).await.unwrap_or(0) == 0 {
            return;
        }
        let lower = line.to_ascii_lowercase();
        assert!(!lower.starts_with("transfer-encoding"), "its length is said");
        if let Some(said) = lower.strip_prefix("content-length:") {
            length = said.trim().parse().unwrap();
        }
        if line == "\r\n" {
            head += "Connection: close\r\n\r\n";
            break;
        }
        if !lower.starts_with("connection:") {
            head += &line;
        }
    }
    let number = requests.fetch_add(1, Ordering::Relaxed);
    held_from.wait_for(|held| number < *held).await.unwrap();
    if length > 1024 * 1024 {
        let refusal = b"HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\nConnection: close\r\n\r\nno";
        client.write_all(refusal).await.ok();
        return;
    }
    let mut body = vec![0; length];
    client.read_exact(&mut body).await.unwrap();
    let mut server = TcpStream::connect(server).await.unwrap();
    server.write_all(head.as_bytes()).await.unwrap();
    server.write_all(&body).await.unwrap();
    tokio::io::copy(&mut server, &mut client).await.ok();
    client.shutdown().await.ok();
}

#[tokio::test]
async fn what_a_proxy_would_not_take_at_once_is_sent_in_parts() {
    let server = Server::start().await;
    let proxy = Proxy::before(server.address).await;
    let url = format!("http://{}", proxy.address);
    let inputs = eights(0..60_000);
    assert!(inputs.len() > 2 * 1024 * 1024, "{}", inputs.len());
    let ran = run_with(&url, SUBMIT, &inputs).await;
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let job: JobView = serde_json::from_str(&ran.out).unwrap();
    assert_eq!((job.id.0, job.total, job.open), (1, 60_000, false));
    assert!(proxy.requests.load(Ordering::Relaxed) >= inputs.len() / UPLOAD_BYTES_MAX);
    let worker = Worker::start(&server);
    server.job_over(1).await;
    let results = server.get_text("/api/jobs/1/results").await;
    assert!(results == eights_of_lines(0..60_000), "{} lines", results.lines().count());

    let mapped = run_with(&url, &["map", "repeat_multiply"], &inputs).await;
    assert_eq!((mapped.code, mapped.err.as_str()), (Some(0), ""));
    assert!(mapped.out == eights_of_lines(0..60_000), "{} lines", mapped.out.lines().count());
    worker.stop().await;
}

#[tokio::test]
async fn a_bad_line_far_behind_is_named_by_its_number_in_the_file() {
    let server = Server::start().await;
    let url = server.url();
    // Blank lines count, too.
    let inputs = eights(0..30_000) + "\n\r\n" + &eights(0..5_000) + "rubbish\n" + &eights(0..9);
    let ran = run_with(&url, SUBMIT, &inputs).await;
    assert_eq!((ran.code, ran.out.as_str()), (Some(1), ""));
    assert!(ran.err.contains("Line 35003, column 1: "), "{}", ran.err);
    assert_eq!(server.get("/api/jobs").await.1, json!([]), "nothing is kept");
    // Nor is its draft: it was discarded at once.
    assert_eq!(delete(&server, "/api/jobs/1").await, 404);
    let ran = run_with(&url, &[SUBMIT, &["--skip-invalid"]].concat(), &inputs).await;
    assert_eq!((ran.code, ran.err.lines().count()), (Some(0), 1), "{ran:?}");
    let job: JobView = serde_json::from_str(&ran.out).unwrap();
    assert_eq!(job.total, 35_009);
}

#[tokio::test]
async fn a_submission_that_is_stopped_in_the_middle_leaves_nothing() {
    let server = Server::start().await;
    let mut submit = spawn(&server.url(), SUBMIT);
    let mut stdin = submit.stdin.take().unwrap();
    stdin.write_all(eights(0..30_000).as_bytes()).await.unwrap();
    // A draft tells of itself by what it refuses.
    let probe = "/api/jobs/1/inputs?first=1&draft=true";
    until(async || (server.post(probe, "").await.status == 409).then_some(())).await;
    signal(&mut submit, "TERM").await;
    let ran = ended(submit).await;
    assert_eq!((ran.code, ran.out.as_str()), (Some(1), ""), "{ran:?}");
    assert!(ran.err.contains("nothing is submitted"), "{}", ran.err);
    assert_eq!(server.post(probe, "").await.refusal(), (404, "unknown_draft".to_owned()));
    assert_eq!(server.get("/api/jobs").await.1, json!([]));
    drop(stdin);
}

#[tokio::test]
async fn a_folder_is_no_file_of_inputs() {
    let server = Server::start().await;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().to_str().unwrap();
    let ran = run(&server.url(), &["submit", "repeat_multiply", "--input", path]).await;
    assert_eq!(ran.code, Some(1));
    assert!(ran.err.contains("is a folder; expected a file of inputs"), "{}", ran.err);
    assert_eq!(server.get("/api/jobs").await.1, json!([]));
}

/// Submits 60,000 inputs with `arguments` and `stdin` to a server that is killed after their first block
/// has arrived, and started anew; gives what the command said, and the jobs that there are.
async fn across_a_crash(arguments: &[&str], stdin: &str) -> (Ran, Vec<JobView>) {
    let folder = tempfile::tempdir().unwrap();
    let server = Tequio::serve_from(&folder, "127.0.0.1:0").await;
    let address = server.address();
    let mut proxy = Proxy::before(address).await;
    // The first asks whether it may, the second has the first block.
    proxy.hold_from(2);
    let url = format!("http://{}", proxy.address);
    let command = async { run_with(&url, arguments, stdin).await };
    let crash = async {
        until(async || (proxy.requests.load(Ordering::Relaxed) == 3).then_some(())).await;
        server.kill().await;
        let server = Tequio::serve_from(&folder, &address.to_string()).await;
        proxy.hold_from(usize::MAX);
        server
    };
    let (ran, server) = tokio::join!(command, crash);
    let jobs = run(&server.url, &["jobs", "--json"]).await.out;
    (ran, serde_json::from_str(&jobs).unwrap())
}

#[tokio::test]
async fn a_file_whose_server_forgot_it_is_sent_anew() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("inputs.jsonl");
    std::fs::write(&file, eights(0..60_000)).unwrap();
    let submit = ["submit", "repeat_multiply", "--input", file.to_str().unwrap()];
    let (ran, jobs) = across_a_crash(&submit, "").await;
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert!(ran.err.contains("the file is sent anew"), "{}", ran.err);
    assert_eq!(jobs.iter().map(|job| job.total).collect::<Vec<_>>(), [60_000]);
}

#[tokio::test]
async fn stdin_whose_server_forgot_it_is_an_error_and_no_half_of_a_job() {
    let (ran, jobs) = across_a_crash(SUBMIT, &eights(0..60_000)).await;
    assert_eq!(ran.code, Some(1), "{ran:?}");
    assert!(ran.err.contains("has discarded what it was sent of stdin"), "{}", ran.err);
    assert!(jobs.is_empty(), "{jobs:?}");
}
