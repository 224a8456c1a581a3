//! Jobs over HTTP, from their submission to their results.

use crate::support::{
    Answer, Client, Server, Worker, eights, eights_of_lines, eights_results, product, until, within,
};
use reqwest::Method;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;
use tequio::store::SqliteStore;
use tequio_protocol::api::JobState;
use tequio_protocol::limits::INPUTS_BLOCK;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

/// Submits inputs without an end.
const OPEN: &str = "/api/jobs?op=repeat_multiply&more=true";
const LINES: &str = "/api/jobs?op=repeat_multiply";

fn grid(initial: &str, factor: &str, times: &str) -> String {
    let grid = json!({"initial": initial, "factor": factor, "times": times});
    json!({"op": "repeat_multiply", "grid": grid}).to_string()
}

/// What comes of an answer, as it comes.
struct Stream {
    answer: reqwest::Response,
    text: String,
}

impl Stream {
    async fn of(server: &Server, path: &str) -> Stream {
        let answer = within(server.request(Method::GET, path).send()).await.unwrap();
        assert_eq!(answer.status(), 200);
        Stream { answer, text: String::new() }
    }

    /// The next line; `None` at the answer's end.
    async fn line(&mut self) -> Option<String> {
        loop {
            if let Some((line, rest)) = self.text.split_once('\n') {
                let line = line.to_owned();
                self.text = rest.to_owned();
                return Some(line);
            }
            let chunk = within(self.answer.chunk()).await.unwrap();
            self.text += std::str::from_utf8(&chunk?).unwrap();
        }
    }
}

#[tokio::test]
async fn a_grid_is_computed_to_its_end_in_its_order() {
    let server = Server::start().await;
    let worker = Worker::start(&server);
    let id = server.submit("/api/jobs", grid("0,0.5,-3", "1..4", "0..=70")).await;
    let job = server.job_over(id).await;
    assert_eq!((job.state, job.total, job.done, job.failed), (JobState::Done, 639, 639, 0));
    assert_eq!((job.leased, job.workers, job.eta_s), (0, 0, None));
    let mut expected = String::new();
    let mut index = 0;
    for initial in [0.0, 0.5, -3.0] {
        for factor in [1.0, 2.0, 3.0] {
            for times in 0..=70 {
                let result = product(initial, factor, times);
                let result = serde_json::to_string(&result).unwrap();
                expected += &format!("{{\"index\":{index},\"result\":{result}}}\n");
                index += 1;
            }
        }
    }
    assert_eq!(server.get_text(&format!("/api/jobs/{id}/results")).await, expected);
    worker.stop().await;
}

#[tokio::test]
async fn lines_are_computed_to_their_end_in_their_order() {
    let server = Server::start().await;
    let worker = Worker::start(&server);
    let id = server.submit(LINES, eights(0..5000)).await;
    let job = server.job_over(id).await;
    assert_eq!((job.state, job.total, job.done, job.failed), (JobState::Done, 5000, 5000, 0));
    let results = server.get_text(&format!("/api/jobs/{id}/results")).await;
    assert_eq!(results, eights_of_lines(0..5000));
    worker.stop().await;
}

#[tokio::test]
async fn results_are_given_in_part_and_as_csv() {
    let server = Server::start().await;
    let worker = Worker::start(&server);
    let id = server.submit("/api/jobs", grid("0..100", "2", "3")).await;
    server.job_over(id).await;
    let jsonl = "application/x-ndjson";
    let csv = "text/csv; charset=utf-8";
    let head = "index,result,error\n";
    for (query, content_type, expected) in [
        ("", jsonl, eights_results(0..100)),
        ("?format=jsonl&follow=false", jsonl, eights_results(0..100)),
        ("?first=97", jsonl, eights_results(97..100)),
        ("?first=10&count=3", jsonl, eights_results(10..13)),
        ("?count=2", jsonl, eights_results(0..2)),
        ("?count=0", jsonl, String::new()),
        ("?first=100", jsonl, String::new()),
        ("?first=99&count=18446744073709551615", jsonl, eights_results(99..100)),
        ("?first=10&count=3&follow=true", jsonl, eights_results(10..13)),
        ("?format=csv&first=98", csv, format!("{head}98,784.0,\n99,792.0,\n")),
        ("?format=csv&first=100", csv, head.to_owned()),
    ] {
        let path = format!("/api/jobs/{id}/results{query}");
        let answer = Answer::of(server.request(Method::GET, &path)).await;
        assert_eq!(answer.status, 200, "{query}");
        assert_eq!(answer.header("content-type"), Some(content_type), "{query}");
        assert_eq!(answer.text, expected, "{query}");
    }
    worker.stop().await;
}

#[tokio::test]
async fn results_that_are_followed_come_as_they_are_recorded_and_end_with_the_job() {
    let server = Server::start().await;
    let worker = Worker::start(&server);
    let id = server.submit(OPEN, "").await;
    let mut follower = Stream::of(&server, &format!("/api/jobs/{id}/results?follow=true")).await;
    let mut part =
        Stream::of(&server, &format!("/api/jobs/{id}/results?follow=true&first=1&count=1")).await;
    for index in 0..3 {
        let more = index < 2;
        let path = format!("/api/jobs/{id}/inputs?first={index}&more={more}");
        let grown = server.post(&path, eights(index..index + 1)).await;
        assert_eq!((grown.status, &grown.json()["total"]), (200, &json!(index + 1)));
        let expected = eights_of_lines(index..index + 1);
        assert_eq!(follower.line().await.as_deref(), Some(expected.trim_end()));
        assert!(server.job(id).await.done > index, "what is given is on disk");
    }
    assert_eq!(follower.line().await, None);
    assert_eq!(server.job_over(id).await.state, JobState::Done);
    assert_eq!(part.line().await.as_deref(), Some(eights_of_lines(1..2).trim_end()));
    assert_eq!(part.line().await, None, "what was asked for is there");
    worker.stop().await;
}

#[tokio::test]
async fn results_that_are_followed_end_when_their_job_is_cancelled() {
    let server = Server::start().await;
    let id = server.submit("/api/jobs", grid("0..10", "2", "3")).await;
    let mut follower = Stream::of(&server, &format!("/api/jobs/{id}/results?follow=true")).await;
    assert_eq!(server.post(&format!("/api/jobs/{id}/cancel"), "").await.status, 200);
    assert_eq!(follower.line().await, None);
}

#[tokio::test]
async fn a_job_reads_as_documented() {
    let server = Server::start().await;
    let body = json!({
        "op": "repeat_multiply",
        "grid": {"initial": [1, 2], "factor": {"from": 1, "step": 0.5, "count": 3}, "times": 7},
        "name": "¿qué?\u{7}",
        "priority": -1,
    });
    let answer = server.post("/api/jobs", body.to_string()).await;
    assert_eq!((answer.status, answer.header("location")), (201, Some("/api/jobs/1")));
    let fields = [
        "audited",
        "block",
        "check",
        "done",
        "eta_s",
        "failed",
        "id",
        "leased",
        "name",
        "op",
        "open",
        "rate",
        "state",
        "submitted_at",
        "total",
        "unconfirmed",
        "workers",
    ];
    let mut seen = answer.json();
    assert_eq!(seen.as_object().unwrap().keys().collect::<Vec<_>>(), fields);
    let mut alone = server.get("/api/jobs/1").await.1;
    let axes = json!({
        "initial": [1.0, 2.0], "factor": {"from": 1.0, "step": 0.5, "count": 3}, "times": 7.0,
    });
    assert_eq!(alone.as_object_mut().unwrap().remove("axes"), Some(axes));
    assert_eq!(alone, seen);
    assert_eq!(server.get("/api/jobs").await, (200, json!([seen.clone()])));
    let submitted_at = seen.as_object_mut().unwrap().remove("submitted_at").unwrap();
    let submitted_at = submitted_at.as_str().unwrap();
    assert!(chrono::DateTime::parse_from_rfc3339(submitted_at).is_ok(), "{submitted_at}");
    assert!(submitted_at.ends_with('Z'), "{submitted_at}");
    let expected = json!({
        "id": 1, "name": "¿qué?\u{fffd}", "op": "repeat_multiply", "state": "running",
        "open": false, "block": 1, "check": "auto", "audited": 0, "unconfirmed": 0,
        "total": 6, "done": 0, "failed": 0, "leased": 0, "workers": 0, "rate": 0.0,
        "eta_s": null,
    });
    assert_eq!(seen, expected);

    let answer = server.post(&format!("{LINES}&name=lines"), eights(0..2)).await;
    assert_eq!((answer.status, answer.header("location")), (201, Some("/api/jobs/2")));
    let job = answer.json();
    assert_eq!((&job["name"], &job["total"]), (&json!("lines"), &json!(2)));
    let ids: Vec<Value> = server.get("/api/jobs").await.1.as_array().unwrap().clone();
    assert_eq!(ids.iter().map(|job| &job["id"]).collect::<Vec<_>>(), [1, 2]);
}

#[tokio::test]
async fn a_job_says_who_holds_it() {
    let server = Server::start_with(None).await;
    let mut client = Client::connect(&server).await;
    let id = server.submit("/api/jobs", grid("0..10", "2", "3")).await;
    client.receive().await;
    let job = server.job(id).await;
    assert_eq!((job.leased, job.workers, job.done), (1, 1, 0));
    assert_eq!(server.workers().await[0].pulse.leases, 1);
    assert_eq!(server.metric("tequio_leases_out").await, 1);
}

#[tokio::test]
async fn a_paused_job_is_handed_out_again_when_it_is_resumed() {
    let server = Server::start_with(None).await;
    let id = server.submit("/api/jobs", grid("5..7", "2", "3")).await;
    for _ in 0..2 {
        let paused = server.post(&format!("/api/jobs/{id}/pause"), "").await;
        assert_eq!((paused.status, &paused.json()["state"]), (200, &json!("paused")));
    }
    let mut client = Client::connect(&server).await;
    client.send(r#"{"type":"result","task_id":9,"result":1}"#).await;
    assert_eq!(client.receive().await["code"], "unknown_task", "no task came before this");
    for _ in 0..2 {
        let resumed = server.post(&format!("/api/jobs/{id}/resume"), "").await;
        assert_eq!((resumed.status, &resumed.json()["state"]), (200, &json!("running")));
    }
    let task = client.receive().await;
    assert_eq!((&task["type"], &task["initial"]), (&json!("task"), &json!(5.0)));

    // What is out is still taken.
    server.post(&format!("/api/jobs/{id}/pause"), "").await;
    let task_id = &task["task_id"];
    client.send(&json!({"type": "result", "task_id": task_id, "result": 40}).to_string()).await;
    until(async || (server.job(id).await.done == 1).then_some(())).await;
    assert_eq!(server.job(id).await.state, JobState::Paused);
    assert_eq!(
        server.get_text(&format!("/api/jobs/{id}/results")).await,
        "{\"index\":0,\"result\":40.0}\n"
    );
}

#[tokio::test]
async fn a_job_is_removed_once_whatever_else_is_asked_of_it_at_the_same_time() {
    let folder = tempfile::tempdir().unwrap();
    let store = Arc::new(SqliteStore::open(folder.path()).unwrap());
    let server = Server::start_on(store).await;
    for _ in 0..50 {
        let id = server.submit("/api/jobs", grid("5..7", "2", "3")).await;
        let path = format!("/api/jobs/{id}");
        assert_eq!(server.post(&format!("{path}/cancel"), "").await.status, 200);
        let cancel = format!("{path}/cancel");
        let delete = || Answer::of(server.request(Method::DELETE, &path));
        let (one, again, other) = tokio::join!(delete(), server.post(&cancel, ""), delete());
        let mut removed = [one.status, other.status];
        removed.sort_unstable();
        assert_eq!(removed, [204, 404]);
        assert!([200, 404].contains(&again.status), "{}", again.text);
    }
    assert_eq!(server.get("/healthz").await.0, 200, "what was removed holds nothing up");
    assert_eq!(server.get("/api/jobs").await.1, json!([]));
    let id = server.submit("/api/jobs", grid("5..7", "2", "3")).await;
    let worker = Worker::start(&server);
    assert_eq!(server.job_over(id).await.done, 2);
    worker.stop().await;
}

#[tokio::test]
async fn a_cancelled_job_keeps_its_results_and_takes_no_more() {
    let server = Server::start_with(None).await;
    let id = server.submit("/api/jobs", grid("5..7", "2", "3")).await;
    let mut client = Client::connect(&server).await;
    client.receive().await;
    client.send(r#"{"type":"result","task_id":1,"result":40}"#).await;
    assert_eq!(client.receive().await["task_id"], 2);
    until(async || (server.job(id).await.done == 1).then_some(())).await;
    let cancelled = server.post(&format!("/api/jobs/{id}/cancel"), "").await;
    assert_eq!((cancelled.status, &cancelled.json()["state"]), (200, &json!("cancelled")));
    client.send(r#"{"type":"result","task_id":2,"result":48}"#).await;
    let next = server.submit("/api/jobs", grid("9", "2", "3")).await;
    assert_eq!(client.receive().await["initial"], 9.0, "the client goes on with what is left");
    assert_ne!(next, id);
    assert_eq!(server.job(id).await.done, 1);
    assert_eq!(
        server.get_text(&format!("/api/jobs/{id}/results")).await,
        "{\"index\":0,\"result\":40.0}\n"
    );
}

#[tokio::test]
async fn a_job_that_is_over_is_not_controlled() {
    let server = Server::start().await;
    let worker = Worker::start(&server);
    let done = server.submit("/api/jobs", grid("1", "2", "3")).await;
    server.job_over(done).await;
    let cancelled = server.submit(OPEN, "").await;
    assert_eq!(server.post(&format!("/api/jobs/{cancelled}/cancel"), "").await.status, 200);
    let again = server.post(&format!("/api/jobs/{cancelled}/cancel"), "").await;
    assert_eq!(again.status, 200, "cancelling twice does no harm");
    for (id, change, never, state) in [
        (done, "pause", "paused", "done"),
        (done, "resume", "resumed", "done"),
        (done, "cancel", "cancelled", "done"),
        (cancelled, "pause", "paused", "cancelled"),
        (cancelled, "resume", "resumed", "cancelled"),
    ] {
        let answer = server.post(&format!("/api/jobs/{id}/{change}"), "").await;
        assert_eq!(answer.refusal(), (409, "job_over".to_owned()), "{change} what is {state}");
        let said = format!("Job {id} is {state} already, and cannot be {never} any more.");
        assert_eq!(answer.message(), said);
        assert_eq!(server.job(id).await.state.name(), state);
    }
    worker.stop().await;
}

#[tokio::test]
async fn an_open_job_grows_until_it_is_closed_and_a_repetition_is_seen() {
    let server = Server::start().await;
    let worker = Worker::start(&server);
    let id = server.submit(OPEN, eights(0..2)).await;
    let grow = async |query: &str, lines: String| {
        server.post(&format!("/api/jobs/{id}/inputs?{query}"), lines).await
    };
    until(async || (server.job(id).await.done == 2).then_some(())).await;
    assert_eq!(server.job(id).await.state, JobState::Running, "more may come");

    let grown = grow("first=2&more=true", eights(2..5)).await;
    assert_eq!((grown.status, &grown.json()["total"]), (200, &json!(5)));
    for (query, lines) in [
        ("first=2&more=true", eights(2..5)),
        ("first=2&more=false", eights(3..6)),
        ("first=4", eights(4..6)),
        ("first=6&more=true", eights(6..7)),
    ] {
        let refused = grow(query, lines).await;
        assert_eq!(refused.refusal(), (409, "not_growing".to_owned()), "{query}");
        assert!(refused.message().contains("has 5 inputs"), "{}", refused.message());
    }
    let bad = grow("first=5", eights(5..6) + "rubbish\n").await;
    assert_eq!(bad.refusal(), (400, "bad_line".to_owned()));
    assert!(bad.message().starts_with("Line 7, column 1: "), "{}", bad.message());
    assert_eq!(server.job(id).await.total, 5, "all lines are kept, or none");

    let closed = grow("first=2&more=false", eights(2..5)).await;
    assert_eq!(closed.status, 200, "its lines are there already, and now it is closed");
    let refused = grow("first=5&more=true", eights(5..6)).await;
    assert_eq!(refused.refusal(), (409, "not_growing".to_owned()));
    assert_eq!(server.job_over(id).await.state, JobState::Done);
    assert_eq!(grow("first=5", eights(5..6)).await.status, 409);
    let results = server.get_text(&format!("/api/jobs/{id}/results")).await;
    assert_eq!(results, eights_of_lines(0..5));

    let closed = server.submit("/api/jobs", grid("1", "2", "3")).await;
    let refused = server.post(&format!("/api/jobs/{closed}/inputs?first=1"), eights(0..1)).await;
    assert_eq!(refused.refusal(), (409, "not_growing".to_owned()), "a grid does not grow");
    worker.stop().await;
}

#[tokio::test]
async fn a_task_that_fails_everywhere_has_an_error_for_an_outcome() {
    let server = Server::that_believes_failures().await;
    let mut client = Client::connect(&server).await;
    client.hello().await;
    let id = server.submit("/api/jobs", grid("1", "2", "3")).await;
    let failing = client.fail_everything("no \"op\"");
    let job = tokio::select! {
        job = server.job_over(id) => job,
        _ = failing => unreachable!(),
    };
    assert_eq!((job.state, job.done, job.failed), (JobState::Done, 0, 1));
    let path = format!("/api/jobs/{id}/results");
    let error = "{\"index\":0,\"error\":\"no \\\"op\\\"\"}\n";
    assert_eq!(server.get_text(&path).await, error);
    let csv = "index,result,error\n0,,\"no \"\"op\"\"\"\n";
    assert_eq!(server.get_text(&format!("{path}?format=csv")).await, csv);
}

#[tokio::test]
async fn the_metrics_are_what_prometheus_reads() {
    let server = Server::start().await;
    let worker = Worker::start(&server);
    let id = server.submit("/api/jobs", grid("0..100", "2", "3")).await;
    server.job_over(id).await;
    let answer = Answer::of(server.request(Method::GET, "/metrics")).await;
    let content_type = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    assert_eq!((answer.status, answer.header("content-type")), (200, Some(content_type)));
    let mut values = BTreeMap::new();
    let mut lines = answer.text.lines().peekable();
    while let Some(line) = lines.next() {
        if let Some(comment) = line.strip_prefix("# ") {
            let kind = comment.split(' ').next().unwrap();
            assert!(["HELP", "TYPE", "UNIT", "EOF"].contains(&kind), "{line}");
            assert_eq!(kind == "EOF", lines.peek().is_none(), "{line}");
            continue;
        }
        let (name, value) = line.rsplit_once(' ').unwrap_or_else(|| panic!("no metric: {line}"));
        values.insert(name.to_owned(), value.parse::<f64>().unwrap());
    }
    for (name, expected) in [
        ("tequio_tasks_recorded_total", 100.0),
        ("tequio_leases_out", 0.0),
        ("tequio_leases_expired_total", 0.0),
        ("tequio_duplicates_dropped_total", 0.0),
        ("tequio_wrong_results_total", 0.0),
        ("tequio_workers_turned_away_total", 0.0),
        ("tequio_workers_connected", 1.0),
        ("tequio_tasks_uncommitted", 0.0),
    ] {
        assert_eq!(values.get(name), Some(&expected), "{name}");
    }
    let grants = values["tequio_leases_granted_total"];
    let commits = values["tequio_commit_seconds_count"];
    assert!((1.0..=100.0).contains(&grants), "{grants}");
    assert!((1.0..=100.0).contains(&commits), "{commits}");
    assert_eq!(values["tequio_commit_seconds_bucket{le=\"+Inf\"}"], commits);
    assert!(values["tequio_commit_seconds_sum"] > 0.0);
    assert!(values.contains_key("tequio_dispatcher_queue"));
    worker.stop().await;
}

#[tokio::test]
async fn wrong_results_are_counted_and_not_kept() {
    let server = Server::start_with(None).await;
    let id = server.submit("/api/jobs", grid("1", "2", "3")).await;
    let mut client = Client::connect(&server).await;
    client.receive().await;
    client.send(r#"{"type":"result","task_id":1,"result":9}"#).await;
    until(async || (server.metric("tequio_wrong_results_total").await == 1).then_some(())).await;
    assert_eq!(server.job(id).await.done, 0);
    assert_eq!(server.get_text(&format!("/api/jobs/{id}/results")).await, "");
}

#[tokio::test]
async fn a_submission_that_breaks_off_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(folder.path()).unwrap();
    let server = Server::start_on(Arc::new(store)).await;
    let file = rusqlite::Connection::open(folder.path().join("tequio.sqlite")).unwrap();
    let count = |table: &str| -> u64 {
        let sql = format!("SELECT count(*) FROM {table}");
        file.query_row(&sql, (), |row| row.get(0)).unwrap()
    };

    let mut socket = TcpStream::connect(server.address).await.unwrap();
    let head = format!(
        "POST {LINES} HTTP/1.1\r\nHost: {}\r\nContent-Length: 100000000\r\n\r\n",
        server.address
    );
    socket.write_all(head.as_bytes()).await.unwrap();
    socket.write_all(eights(0..2 * INPUTS_BLOCK as u64).as_bytes()).await.unwrap();
    until(async || (count("input") > 0).then_some(())).await;
    assert_eq!(count("job"), 1);
    assert_eq!(server.get("/api/jobs").await, (200, json!([])), "a draft is no job");
    drop(socket);
    until(async || (count("job") == 0).then_some(())).await;
    assert_eq!(count("input"), 0);
    assert_eq!(server.get("/api/jobs").await, (200, json!([])));
}
