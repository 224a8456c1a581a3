//! What the HTTP API refuses: a status, a code for programs, and a sentence that says what is
//! wrong and where.

use crate::support::{Server, Worker, eights, eights_of_lines, line, within};
use reqwest::Method;
use serde_json::json;
use std::sync::Arc;
use tequio::store::SqliteStore;
use tequio_protocol::limits::{
    APPEND_BYTES_MAX, BODY_BYTES_MAX, GRID_BYTES_MAX, JOB_NAME_CHARS_MAX, LINE_BYTES_MAX,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const JOBS: &str = "/api/jobs";
const LINES: &str = "/api/jobs?op=repeat_multiply";

fn grid(initial: &str, factor: &str, times: &str) -> String {
    format!(
        r#"{{"op":"repeat_multiply","grid":{{"initial":{initial},"factor":{factor},"times":{times}}}}}"#
    )
}

/// What is refused: method, path and body; status, code, and what the sentence says.
type Refused = (&'static str, String, String, u16, &'static str, &'static [&'static str]);

fn grids() -> Vec<Refused> {
    let bad = |body: String, said: &'static [&'static str]| -> Refused {
        ("POST", JOBS.to_owned(), body, 400, "bad_job", said)
    };
    vec![
        bad(grid("[]", "2", "3"), &["initial:", "at least one value"]),
        bad(grid("1", "[]", "3"), &["factor:", "at least one value"]),
        bad(grid("1", "2", "\"10..0\""), &["times:", "10..0", "backwards"]),
        bad(grid("\"5..5\"", "2", "3"), &["initial:", "5..5", "is empty"]),
        bad(grid("\"0..1:0\"", "2", "3"), &["initial:", "step must be above 0"]),
        bad(grid("\"x\"", "2", "3"), &["initial:", "`x` is no number"]),
        bad(grid("1", "null", "3"), &["factor: null is no axis; an axis is a number"]),
        bad(grid("1", "2", "-1"), &["times:", "-1", "integer from 0"]),
        bad(grid("1", "2", "[1,2.5]"), &["times:", "2.5", "integer from 0"]),
        bad(
            grid("\"0..94906266\"", "\"0..94906266\"", "3"),
            &["94906266 × 94906266 × 1 tasks", "9007199254740991"],
        ),
        bad(grid("\"0..1e300\"", "2", "3"), &["initial:", "0..1e300", "9007199254740991"]),
        bad(r#"{"op":"repeat_multiply"}"#.to_owned(), &["\"axes\" or \"grid\" is missing"]),
        bad(
            r#"{"op":"repeat_multiply","grid":{"initial":1,"factor":2}}"#.to_owned(),
            &["\"times\" is missing"],
        ),
        bad(
            grid("1", "2", "3").replace("\"grid\"", "\"colour\":\"red\",\"grid\""),
            &["a job has no \"colour\"; it has op, axes, grid, name, priority"],
        ),
        bad(
            grid("1", "2", "3").replace("\"grid\"", "\"priority\":1.5,\"grid\""),
            &["1.5", "whole number"],
        ),
        bad("[]".to_owned(), &["A job is {\"op\":"]),
        (
            "POST",
            JOBS.into(),
            String::new(),
            400,
            "bad_json",
            &["it is empty", "A job is {\"op\":"],
        ),
        (
            "POST",
            JOBS.into(),
            "{\"op\":".into(),
            400,
            "bad_json",
            &["line 1, column 7: it breaks off"],
        ),
        ("POST", JOBS.into(), "{\n\n!}".into(), 400, "bad_json", &["line 3, column 1"]),
        (
            "POST",
            JOBS.into(),
            grid("1", "2", "3").replace("repeat_multiply", "divide"),
            400,
            "unknown_op",
            &["divide", "there is repeat_multiply"],
        ),
        (
            "POST",
            JOBS.into(),
            grid("1", "2", "3")
                .replace("\"grid\"", &format!("\"name\":\"{}\",\"grid\"", "ñ".repeat(201))),
            400,
            "bad_name",
            &["at most 200 characters"],
        ),
    ]
}

fn lines() -> Vec<Refused> {
    let bad = |body: String, said: &'static [&'static str]| -> Refused {
        ("POST", LINES.to_owned(), body, 400, "bad_line", said)
    };
    let good = eights(0..20_000);
    vec![
        bad(
            "rubbish\n".into(),
            &["Line 1, column 1: it is no JSON object", "reads rubbish;", "Nothing of this"],
        ),
        bad(
            good.clone() + "\n{\"initial\":1}\n",
            &["Line 20002, column 13: \"factor\" is missing"],
        ),
        bad(
            good + "{\"initial\":1,\"factor\":2,\"times\":",
            &["Line 20001, column 33: it breaks off"],
        ),
        bad(
            line(1.0, 2.0, 3) + "{\"initial\":1,\"factor\":2,\"times\":-1}",
            &["Line 2, column 33: \"times\" is -1; it must be"],
        ),
        bad(
            " ".repeat(LINE_BYTES_MAX) + &line(1.0, 2.0, 3),
            &["Line 1, column 1:", "longer than 4096"],
        ),
        ("POST", LINES.into(), String::new(), 400, "empty_job", &["no inputs in the body"]),
        ("POST", LINES.into(), "\n  \n".into(), 400, "empty_job", &["no inputs in the body"]),
        (
            "POST",
            format!("{LINES}&skip_invalid=true"),
            "a\nb\n".into(),
            400,
            "empty_job",
            &["None of the 2 lines is an input"],
        ),
        (
            "POST",
            "/api/jobs?op=divide".into(),
            eights(0..1),
            400,
            "unknown_op",
            &["divide", "there is repeat_multiply"],
        ),
        (
            "POST",
            format!("{LINES}&name={}", "n".repeat(JOB_NAME_CHARS_MAX + 1)),
            eights(0..1),
            400,
            "bad_name",
            &["at most 200 characters"],
        ),
        (
            "POST",
            format!("{LINES}&x=1"),
            eights(0..1),
            400,
            "bad_query",
            &["there is no `x` here", "more"],
        ),
        (
            "POST",
            format!("{LINES}&skip_invalid=maybe"),
            eights(0..1),
            400,
            "bad_query",
            &["skip_invalid", "true"],
        ),
        (
            "POST",
            format!("{LINES}&priority=high"),
            eights(0..1),
            400,
            "bad_query",
            &["`priority` is `high`; it must be a whole number"],
        ),
    ]
}

fn paths() -> Vec<Refused> {
    let mut table: Vec<Refused> = Vec::new();
    for id in ["99", "0", "abc", "-1", "1.5", "18446744073709551616", "%00"] {
        for (method, rest) in [
            ("GET", ""),
            ("GET", "/results"),
            ("POST", "/pause"),
            ("POST", "/resume"),
            ("POST", "/cancel"),
            ("POST", "/inputs?first=0"),
        ] {
            let path = format!("/api/jobs/{id}{rest}");
            table.push((method, path, String::new(), 404, "unknown_job", &["There is no job "]));
        }
    }
    let get = |path: &str, said| -> Refused {
        ("GET", path.to_owned(), String::new(), 400, "bad_query", said)
    };
    table.extend([
        get("/api/jobs/1/results?colour=red", &["there is no `colour` here; there is format"][..]),
        get("/api/jobs/1/results?format=xml", &["format", "xml", "jsonl", "csv"]),
        get(
            "/api/jobs/1/results?first=-1",
            &["`first` is `-1`; it must be a whole number of 0 or more"],
        ),
        get("/api/jobs/1/results?count=x", &["`count` is `x`; it must be a whole number"]),
        get("/api/jobs/1/results?follow=1", &["follow", "true"]),
    ]);
    let post = |path: &str, said| -> Refused {
        ("POST", path.to_owned(), String::new(), 400, "bad_query", said)
    };
    table.extend([
        post("/api/jobs/1/inputs", &["`first` is missing"][..]),
        post("/api/jobs/1/inputs?first=x", &["`first` is `x`; it must be a whole number"]),
        post("/api/jobs/1/inputs?first=0&last=1", &["there is no `last` here"]),
    ]);
    for (method, path) in [
        ("DELETE", "/api/jobs"),
        ("PUT", "/api/jobs/1"),
        ("POST", "/api/jobs/1"),
        ("GET", "/api/jobs/1/pause"),
        ("GET", "/api/jobs/1/inputs"),
        ("POST", "/api/workers"),
        ("POST", "/healthz"),
        ("PATCH", "/metrics"),
        ("POST", "/"),
    ] {
        let (code, said) = ("method_not_allowed", &["does not take"]);
        table.push((method, path.to_owned(), String::new(), 405, code, said));
    }
    for (method, path) in [
        ("GET", "/api/"),
        ("GET", "/api/job"),
        ("POST", "/api/jobs/1/stop"),
        ("GET", "/api/jobs/1/results/2"),
        ("GET", "/nothing"),
        ("GET", "/../../etc/passwd"),
        ("GET", "/..%2f..%2fetc%2fpasswd"),
        ("GET", "//etc/passwd"),
    ] {
        table.push((method, path.to_owned(), String::new(), 404, "not_found", &["There is no "]));
    }
    table
}

/// A server that keeps its jobs in a folder, so that there is a path to leak.
async fn server_in(folder: &tempfile::TempDir) -> Server {
    let server = Server::start_on(Arc::new(SqliteStore::open(folder.path()).unwrap())).await;
    let paused = server.submit("/api/jobs", grid("1", "2", "3")).await;
    server.post(&format!("/api/jobs/{paused}/pause"), "").await;
    server
}

#[tokio::test]
async fn what_is_wrong_is_refused_by_name_and_nothing_of_it_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    let server = server_in(&folder).await;
    let places =
        [folder.path().to_str().unwrap(), env!("CARGO_MANIFEST_DIR"), "tequio.sqlite", ".rs"];
    for (method, path, body, status, code, said) in [grids(), lines(), paths()].concat() {
        let about = format!("{method} {path} {}", &body[body.len().saturating_sub(80)..]);
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        // As it is written: a client's URL would tidy it.
        let answer = raw(&server, &format!("{method} {path}"), body.as_bytes()).await;
        assert_eq!((answer.status, answer.code.as_str()), (status, code), "{about}: {answer:?}");
        for said in said {
            assert!(answer.message.contains(said), "{about}: no {said:?} in {answer:?}");
        }
        assert!(answer.message.ends_with('.'), "a sentence: {answer:?}");
        for place in places {
            assert!(!answer.message.contains(place), "{about} leaks {place}: {answer:?}");
        }
    }
    let jobs = server.get("/api/jobs").await.1;
    assert_eq!(jobs.as_array().map(Vec::len), Some(1), "nothing is kept: {jobs}");
    let file = rusqlite::Connection::open(folder.path().join("tequio.sqlite")).unwrap();
    for (table, kept) in [("job", 1), ("input", 0)] {
        let count = format!("SELECT count(*) FROM {table}");
        // Drafts are discarded by the thread that writes, which answers what was asked before.
        let rows = crate::support::until(async || {
            let rows: u64 = file.query_row(&count, (), |row| row.get(0)).unwrap();
            (rows == kept).then_some(rows)
        });
        assert_eq!(rows.await, kept, "{table}");
    }
}

#[tokio::test]
async fn lines_that_are_no_inputs_are_skipped_and_counted_where_that_is_wished() {
    let server = Server::start().await;
    let worker = Worker::start(&server);
    let good = eights(0..3);
    let mixed = good.lines().collect::<Vec<_>>().join("\nrubbish\n\n");
    for (query, body, lines, skipped) in [
        ("", &good, [1, 2, 3], None),
        ("&skip_invalid=false", &good, [1, 2, 3], None),
        ("&skip_invalid=true", &good, [1, 2, 3], Some(("0", ""))),
        ("&skip_invalid=true", &mixed, [1, 4, 7], Some(("2", "2,5"))),
    ] {
        let answer = server.post(&format!("{LINES}{query}"), body.clone()).await;
        assert_eq!(answer.status, 201, "{query}: {}", answer.text);
        let headers =
            answer.header("tequio-skipped-lines").zip(answer.header("tequio-skipped-first"));
        assert_eq!(headers, skipped, "{query}");
        let job = answer.json();
        assert_eq!(job["total"], json!(3), "{query}");
        let id = job["id"].as_u64().unwrap();
        server.job_over(id).await;
        let results = server.get_text(&format!("/api/jobs/{id}/results")).await;
        let mut expected = eights_of_lines(0..3);
        for (index, line) in lines.into_iter().enumerate().rev() {
            expected =
                expected.replace(&format!("\"line\":{},", index + 1), &format!("\"line\":{line},"));
        }
        assert_eq!(results, expected, "{query}");
    }
    worker.stop().await;
}

#[tokio::test]
async fn a_body_that_says_that_it_is_too_long_is_refused_before_it_is_sent() {
    let server = Server::start().await;
    let open = server.submit("/api/jobs?op=repeat_multiply&more=true", "").await;
    let append = format!("/api/jobs/{open}/inputs?first=0");
    for (path, bytes_max) in
        [(LINES, BODY_BYTES_MAX), (JOBS, GRID_BYTES_MAX), (&append, APPEND_BYTES_MAX)]
    {
        let head = format!("POST {path}");
        let length = format!("Content-Length: {}", bytes_max as u64 + 1);
        let answer = exchange(&server, &head, &length, b"").await;
        assert_eq!((answer.status, answer.code.as_str()), (413, "body_too_big"), "{path}");
        assert!(answer.message.contains(&format!("limit of {bytes_max} bytes")), "{answer:?}");
    }
}

#[tokio::test]
async fn a_body_that_grows_too_long_is_refused_when_it_has() {
    let server = Server::start().await;
    let open = server.submit("/api/jobs?op=repeat_multiply&more=true", "").await;
    let append = format!("/api/jobs/{open}/inputs?first=0");
    for (path, bytes_max) in [(JOBS, GRID_BYTES_MAX), (&append, APPEND_BYTES_MAX)] {
        let mut body = format!("{:x}\r\n", bytes_max + 1).into_bytes();
        body.resize(body.len() + bytes_max + 1, b' ');
        let chunked = "Transfer-Encoding: chunked";
        let answer = exchange(&server, &format!("POST {path}"), chunked, &body).await;
        assert_eq!((answer.status, answer.code.as_str()), (413, "body_too_big"), "{path}");
        assert!(answer.message.contains(&format!("limit of {bytes_max} bytes")), "{answer:?}");
    }
    assert_eq!(server.job(open).await.total, 0);
}

#[derive(Debug)]
struct Refusal {
    status: u16,
    code: String,
    message: String,
}

/// A request to the letter, whole.
async fn raw(server: &Server, request: &str, body: &[u8]) -> Refusal {
    exchange(server, request, &format!("Content-Length: {}", body.len()), body).await
}

/// A request to the letter: what it is answered while its sender still waits.
async fn exchange(server: &Server, request: &str, length: &str, body: &[u8]) -> Refusal {
    let mut socket = TcpStream::connect(server.address).await.unwrap();
    let head = format!("{request} HTTP/1.1\r\nHost: {}\r\n{length}\r\n\r\n", server.address);
    let (mut from, mut to) = socket.split();
    let send = async {
        // Who is refused in the middle need not be listened to.
        if to.write_all(head.as_bytes()).await.is_ok() {
            to.write_all(body).await.ok();
        }
        std::future::pending::<()>().await;
    };
    let receive = async {
        let mut answer = Vec::new();
        loop {
            if let Some(refusal) = read(&answer) {
                return refusal;
            }
            let bytes = from.read_buf(&mut answer).await.unwrap();
            assert!(bytes > 0, "{request}: cut off at {:?}", String::from_utf8_lossy(&answer));
        }
    };
    tokio::select! {
        () = send => unreachable!(),
        refusal = within(receive) => refusal,
    }
}

/// A refusal, if the answer is whole.
fn read(answer: &[u8]) -> Option<Refusal> {
    let text = std::str::from_utf8(answer).ok()?;
    let (head, body) = text.split_once("\r\n\r\n")?;
    let status = head.split(' ').nth(1)?.parse().unwrap();
    let body: serde_json::Value = serde_json::from_str(body).ok()?;
    let text = |field: &str| body["error"][field].as_str().unwrap_or_default().to_owned();
    Some(Refusal { status, code: text("code"), message: text("message") })
}
