//! Whoever keeps an answer sees whether it is whole: results that end with a line that says so, and
//! HTTP/1.0, which has no chunks.

use crate::support::{Server, Worker, eights, eights_of_lines, parts, raw, within};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

async fn get_1_0(server: &Server, path: &str) -> (String, String) {
    let request = format!("GET {path} HTTP/1.0\r\nHost: {}\r\n\r\n", server.address);
    let answer = raw(server.address, &request).await;
    let (head, body) = parts(&answer);
    (head, body.to_owned())
}

fn length(head: &str) -> Option<usize> {
    let line = head.lines().find_map(|line| line.strip_prefix("content-length: "));
    line.map(|length| length.parse().unwrap())
}

/// A server with two jobs of 20,000 tasks, the first of them done, and no worker.
async fn with_jobs() -> Server {
    let server = Server::start().await;
    let worker = Worker::start(&server);
    let id = server.submit("/api/jobs?op=repeat_multiply", eights(0..20_000)).await;
    server.job_over(id).await;
    worker.stop().await;
    server.submit("/api/jobs?op=repeat_multiply", eights(0..20_000)).await;
    server
}

#[tokio::test]
async fn an_answer_without_chunks_says_its_length() {
    let server = with_jobs().await;
    for (query, lines) in [
        ("", 0..20_000),
        ("?count=3", 0..3),
        ("?first=19990", 19_990..20_000),
        ("?first=5000&count=9000", 5000..14_000),
        ("?first=30000", 0..0),
        ("?count=0", 0..0),
    ] {
        let (head, body) = get_1_0(&server, &format!("/api/jobs/1/results{query}")).await;
        assert!(head.starts_with("http/1.0 200") || head.starts_with("http/1.1 200"), "{head}");
        assert_eq!(length(&head), Some(body.len()), "{query}: {head}");
        let all = eights_of_lines(0..20_000);
        let expected: Vec<&str> = all.lines().skip(lines.start).take(lines.len()).collect();
        assert_eq!(body.lines().collect::<Vec<_>>(), expected, "{query}");
    }
    let (head, body) = get_1_0(&server, "/api/jobs/1/results?format=csv").await;
    assert_eq!((length(&head), body.lines().count()), (Some(body.len()), 20_001), "{head}");
    assert!(body.starts_with("index,result,error,line\n0,0.0,,1\n1,8.0,,2\n"), "{}", &body[..99]);
    let (head, body) = get_1_0(&server, "/api/jobs/2/results").await;
    assert_eq!((length(&head), body.as_str()), (Some(0), ""), "nothing is recorded of it");
    for path in ["/", "/healthz", "/metrics", "/api/jobs", "/style.css", "/api/jobs/9/results"] {
        let (head, body) = get_1_0(&server, path).await;
        assert_eq!(length(&head), Some(body.len()), "{path}: {head}");
    }
    let poll = "/socket.io/?EIO=4&transport=polling";
    let (head, body) = get_1_0(&server, poll).await;
    assert_eq!(length(&head), Some(body.len()), "{poll}: {head}");
}

#[tokio::test]
async fn nobody_follows_without_seeing_the_end() {
    let server = with_jobs().await;
    let (head, body) = get_1_0(&server, "/api/jobs/1/results?follow=true").await;
    assert!(head.contains(" 505 "), "{head}");
    assert!(body.contains("end=true") && body.contains("proxy_http_version 1.1"), "{body}");
    for query in ["?follow=true&end=true", "?end=true"] {
        let (head, body) = get_1_0(&server, &format!("/api/jobs/1/results{query}")).await;
        assert!(head.contains(" 200 "), "{head}");
        assert_eq!(body, eights_of_lines(0..20_000) + "{\"end\":20000}\n", "{query}");
    }
    let follow = server.request(reqwest::Method::GET, "/api/jobs/1/results?follow=true");
    let follow = crate::support::Answer::of(follow).await;
    assert_eq!(follow.header("x-accel-buffering"), Some("no"));
    assert_eq!(follow.text, eights_of_lines(0..20_000));
}

#[tokio::test]
async fn the_last_line_says_how_many_there_were() {
    let server = with_jobs().await;
    for (query, last, lines) in [
        ("end=true", "{\"end\":20000}", 20_001),
        ("end=true&count=7", "{\"end\":7}", 8),
        ("end=true&first=19999&follow=true", "{\"end\":1}", 2),
        ("end=true&first=20000", "{\"end\":0}", 1),
        ("end=true&format=csv&count=7", "end,7,,", 9),
        ("end=true&format=csv&count=0", "end,0,,", 2),
        ("end=false&count=1", "{\"index\":0,\"line\":1,\"result\":0.0}", 1),
    ] {
        let text = server.get_text(&format!("/api/jobs/1/results?{query}")).await;
        assert_eq!(text.lines().next_back(), Some(last), "{query}");
        assert_eq!(text.lines().count(), lines, "{query}");
        assert!(text.ends_with('\n'), "{query}");
    }
    // What is there now of one that is running.
    let text = server.get_text("/api/jobs/2/results?end=true").await;
    assert_eq!(text, "{\"end\":0}\n");
}

#[tokio::test]
async fn what_breaks_off_has_no_last_line() {
    let server = with_jobs().await;
    let mut stream = within(TcpStream::connect(server.address)).await.unwrap();
    let query = "follow=true&end=true";
    let request =
        format!("GET /api/jobs/2/results?{query} HTTP/1.0\r\nHost: {}\r\n\r\n", server.address);
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    while !answer.ends_with(b"\r\n\r\n") {
        answer.push(within(stream.read_u8()).await.unwrap());
    }
    // Somebody follows it, and the server stops.
    server.stop().await;
    stream.read_to_end(&mut answer).await.ok();
    let answer = String::from_utf8(answer).unwrap();
    assert!(answer.contains(" 200 ") && !answer.contains("\"end\""), "{answer}");
}
