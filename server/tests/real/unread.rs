//! Answers that nobody reads: they hold little, end, and keep nobody else waiting.

use crate::support::{Client, Server, Tequio, eights, new_job, recording, until, within};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tequio::store::{MemoryStore, Store};
use tequio::web::Limits;
use tequio_protocol::limits::{ANSWER_PIECE_BYTES, FRAME_RESULTS_MAX, LIST_ROWS};
use tequio_protocol::values::Values;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};

/// Far more than the system holds of a connection of [`Server::start_within`].
const LARGE_BYTES: usize = 2 * 1024 * 1024;

/// A store with a job whose results have [`LARGE_BYTES`] as text.
fn large() -> Arc<MemoryStore> {
    let store = MemoryStore::new();
    let rows = LARGE_BYTES / (FRAME_RESULTS_MAX * 30);
    let total = rows * FRAME_RESULTS_MAX;
    let grid = format!(r#"{{"initial":"0..{total}","factor":2,"times":3}}"#);
    let job = store.submit(&new_job("", "repeat_multiply", Some(&grid))).unwrap();
    for row in 0..rows {
        let first = (row * FRAME_RESULTS_MAX) as u64;
        let results = first..first + FRAME_RESULTS_MAX as u64;
        let results: Values = results.map(|index| format!("{index}.125")).collect();
        store.record(&[recording(job, first, results)]).unwrap();
    }
    Arc::new(store)
}

/// Somebody who asks, and has as little room for the answer as a system gives.
async fn ask(address: SocketAddr, path: &str) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4096).unwrap();
    let mut stream = within(socket.connect(address)).await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    stream
}

/// Reads until the connection ends, however it does.
async fn rest(stream: &mut TcpStream) -> Vec<u8> {
    let mut all = Vec::new();
    let mut part = vec![0; 64 * 1024];
    while let Ok(count @ 1..) = within(stream.read(&mut part)).await {
        all.extend_from_slice(&part[..count]);
    }
    all
}

/// The status of an answer's head.
async fn status(stream: &mut TcpStream) -> u16 {
    let mut head = [0; 12];
    within(stream.read_exact(&mut head)).await.unwrap();
    std::str::from_utf8(&head[9..]).unwrap().parse().unwrap()
}

/// Workers whose list is more than a system holds of a connection.
async fn crowd(server: &Server) -> Vec<Client> {
    let agent = "x".repeat(500);
    let mut workers = Vec::new();
    for _ in 0..400 {
        let mut client = Client::connect(server).await;
        let hello = serde_json::json!({"type": "hello", "protocol": 1, "agent": agent, "slots": 1,
            "worker": "w", "ops": ["repeat_multiply"]});
        client.send(&hello.to_string()).await;
        workers.push(client);
    }
    workers
}

fn is_whole(answer: &[u8]) -> bool {
    answer.ends_with(b"0\r\n\r\n")
}

#[tokio::test]
async fn an_answer_that_nobody_reads_ends_and_one_that_is_read_slowly_does_not() {
    let patience = Duration::from_millis(300);
    let limits =
        Limits { answer_patience: patience, headers_timeout: patience, ..Limits::default() };
    let server = Server::start_within(limits, large()).await;
    let mut unread = ask(server.address, "/api/jobs/1/results").await;
    let mut slow = ask(server.address, "/api/jobs/1/results").await;
    // It takes some, again and again, for longer than one may take nothing.
    let mut all = Vec::new();
    let mut part = vec![0; 32 * 1024];
    for _ in 0..16 {
        within(slow.read_exact(&mut part)).await.unwrap();
        all.extend_from_slice(&part);
        tokio::time::sleep(patience / 8).await;
    }
    all.extend(rest(&mut slow).await);
    assert!(is_whole(&all) && all.len() > LARGE_BYTES / 2, "{} bytes", all.len());
    let broken = rest(&mut unread).await;
    assert!(!is_whole(&broken) && broken.len() < all.len(), "{} bytes", broken.len());
}

#[tokio::test]
async fn unread_answers_make_room_for_those_that_are_read() {
    // There is room for two that are under way.
    let limits = Limits { answers_bytes_max: 2 * (ANSWER_PIECE_BYTES + 8192), ..Limits::default() };
    let server = Server::start_within(limits, large()).await;
    let mut unread = Vec::new();
    for _ in 0..6 {
        unread.push(ask(server.address, "/api/jobs/1/results").await);
    }
    let whole = server.get_text("/api/jobs/1/results").await;
    assert!(whole.len() > LARGE_BYTES / 2);
    let mut kept = 0;
    for stream in &mut unread {
        kept += usize::from(is_whole(&rest(stream).await));
    }
    assert!(kept <= 2, "{kept} of those that nobody read were kept");
}

#[tokio::test]
async fn downloads_that_nobody_reads_take_no_threads_and_leave_the_store_to_others() {
    let server = Server::start_within(Limits::default(), large()).await;
    let mut unread = Vec::new();
    for _ in 0..100 {
        unread.push(ask(server.address, "/api/jobs/1/results").await);
    }
    assert_eq!(server.get_text("/api/jobs/1/results?first=1000&count=1").await.lines().count(), 1);
    let whole = server.get_text("/api/jobs/1/results").await;
    assert!(whole.lines().last().unwrap().starts_with("{\"index\":"));
    drop(unread);
}

#[tokio::test]
async fn streams_of_events_that_nobody_reads_make_room_and_where_all_are_read_others_wait() {
    let limits = Limits { event_streams_max: 2, ..Limits::default() };
    let server = Server::start_within(limits, Arc::new(MemoryStore::new())).await;
    let mut first = ask(server.address, "/api/events").await;
    let mut second = ask(server.address, "/api/events").await;
    assert_eq!([status(&mut first).await, status(&mut second).await], [200, 200]);
    let mut third = ask(server.address, "/api/events").await;
    let refused = String::from_utf8(rest(&mut third).await).unwrap();
    assert!(refused.starts_with("HTTP/1.1 503"), "{refused}");
    assert!(refused.to_ascii_lowercase().contains("\r\nretry-after: "), "{refused}");
    drop(first);
    until(async || {
        let mut next = ask(server.address, "/api/events").await;
        (status(&mut next).await == 200).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_stream_that_is_behind_ends_where_what_it_was_told_is_too_much() {
    let limits = Limits { events_bytes_max: 1, ..Limits::default() };
    let server = Server::start_within(limits, Arc::new(MemoryStore::new())).await;
    let workers = crowd(&server).await;
    let mut behind = ask(server.address, "/api/events").await;
    assert_eq!(status(&mut behind).await, 200);
    drop(workers);
    // Others are told of what came later.
    until(async || {
        let told = server.get_text("/api/events?once=true").await;
        told.contains(r#""workers":[]"#).then_some(())
    })
    .await;
    let rest = String::from_utf8(rest(&mut behind).await).unwrap();
    assert!(rest.contains("\"type\":\"snapshot\"") && !rest.contains("\n\n"), "{rest}");
}

#[tokio::test]
async fn a_stream_of_events_that_nobody_reads_ends() {
    let patience = Duration::from_millis(300);
    let limits = Limits { events_patience: patience, ..Limits::default() };
    let server = Server::start_within(limits, Arc::new(MemoryStore::new())).await;
    let _workers = crowd(&server).await;
    let mut unread = ask(server.address, "/api/events").await;
    assert_eq!(status(&mut unread).await, 200);
    until(async || (server.metric("tequio_pages_watching").await == 0).then_some(())).await;
    assert!(!is_whole(&rest(&mut unread).await));
}

#[tokio::test]
async fn a_long_list_is_the_same_in_parts() {
    let server = Server::start().await;
    for name in 0..2 * LIST_ROWS + 3 {
        let job = format!(
            r#"{{"op":"repeat_multiply","name":"{name}","grid":{{"initial":1,"factor":2,"times":3}}}}"#
        );
        server.submit("/api/jobs", job).await;
    }
    let (status, jobs) = server.get("/api/jobs").await;
    let names: Vec<&str> =
        jobs.as_array().unwrap().iter().map(|job| job["name"].as_str().unwrap()).collect();
    assert_eq!(status, 200);
    assert!(names.iter().copied().eq((0..2 * LIST_ROWS + 3).map(|n| n.to_string())), "{names:?}");
}

#[tokio::test]
async fn a_server_stops_at_once_beside_those_who_follow_or_read_nothing() {
    let server = Server::start_within(Limits::default(), large()).await;
    server.submit("/api/jobs?op=repeat_multiply&more=true", eights(0..1)).await;
    let mut followers = Vec::new();
    for path in
        ["/api/jobs/2/results?follow=true", "/api/events", "/api/jobs/1/results", "/api/workers"]
    {
        for _ in 0..5 {
            followers.push(ask(server.address, path).await);
        }
    }
    let silent = TcpStream::connect(server.address).await.unwrap();
    server.stop().await;
    drop((followers, silent));
}

/// The time is the server's own: how long it says that it waited is no measure of this machine.
#[tokio::test]
async fn nobody_who_follows_or_reads_nothing_is_waited_for() {
    let mut tequio = Tequio::serve(&[]).await;
    let address = tequio.address();
    let job = r#"{"op":"repeat_multiply","grid":{"initial":1,"factor":2,"times":3}}"#;
    let request = format!(
        "POST /api/jobs HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{job}",
        job.len()
    );
    crate::support::raw(address, &request).await;
    let mut followers = Vec::new();
    for _ in 0..20 {
        let mut follower = ask(address, "/api/jobs/1/results?follow=true").await;
        assert_eq!(status(&mut follower).await, 200);
        followers.push(follower);
    }
    assert!(tequio.interrupt().await.success());
    let mut said = Vec::new();
    while let Some(line) = tequio.next_line().await {
        said.push(line);
    }
    assert!(!said.iter().any(|line| line.contains("cut off")), "{said:?}");
    assert!(said.iter().any(|line| line.contains("Stopped")), "{said:?}");
}
