//! Connections on which nothing happens: they end, whatever they have said, and make way for others.

use crate::support::{PATIENCE, Server, raw, within};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tequio::store::MemoryStore;
use tequio::web::Limits;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const TIMEOUT: Duration = Duration::from_millis(300);

async fn server(limits: Limits) -> Server {
    Server::start_within(limits, Arc::new(MemoryStore::new())).await
}

async fn connect(address: SocketAddr, said: &str) -> TcpStream {
    let mut stream = within(TcpStream::connect(address)).await.unwrap();
    stream.write_all(said.as_bytes()).await.unwrap();
    stream
}

/// What still comes, until the connection ends, however it does.
async fn rest(stream: &mut TcpStream) -> String {
    let mut said = Vec::new();
    let mut part = [0; 4096];
    while let Ok(count @ 1..) = within(stream.read(&mut part)).await {
        said.extend_from_slice(&part[..count]);
    }
    String::from_utf8_lossy(&said).into_owned()
}

#[tokio::test]
async fn a_connection_without_a_request_ends_whatever_it_has_said() {
    let server = server(Limits { headers_timeout: TIMEOUT, ..Limits::default() }).await;
    let host = server.address;
    let whole = format!("GET /healthz HTTP/1.1\r\nHost: {host}\r\n\r\n");
    for (said, answers) in [
        (String::new(), 0),
        ("\r\n".to_owned(), 0),
        ("GET /heal".to_owned(), 0),
        (format!("GET /healthz HTTP/1.1\r\nHost: {host}\r\nA: b"), 0),
        (whole.clone(), 1),
        (format!("{whole}GET /"), 1),
    ] {
        let mut stream = connect(server.address, &said).await;
        let answer = rest(&mut stream).await;
        assert_eq!(answer.matches("HTTP/1.1 200").count(), answers, "{said:?}: {answer}");
    }
}

#[tokio::test]
async fn a_byte_now_and_then_is_no_request() {
    let server = server(Limits { headers_timeout: TIMEOUT, ..Limits::default() }).await;
    let mut stream = connect(server.address, "GET / HTTP/1.1\r\nA: ").await;
    let sending = async {
        // For ever, were it not for the server.
        while stream.write_all(b"b").await.is_ok() {
            tokio::time::sleep(TIMEOUT / 10).await;
        }
    };
    within(sending).await;
}

#[tokio::test]
async fn http_2_in_clear_is_not_spoken() {
    let server = server(Limits { headers_timeout: TIMEOUT, ..Limits::default() }).await;
    let address = server.address;
    // By its preface, with what follows it: settings.
    let mut stream = connect(address, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0").await;
    let answer = rest(&mut stream).await;
    assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 4"), "{answer}");
    // By an upgrade: it is answered as if it had not been offered, under the same rules.
    for (host, status) in [(address.to_string(), 200), ("evil.example".to_owned(), 403)] {
        let request = format!(
            "GET /healthz HTTP/1.1\r\nHost: {host}\r\nConnection: Upgrade, HTTP2-Settings, close\r\n\
             Upgrade: h2c\r\nHTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA\r\n\r\n"
        );
        let answer = raw(address, &request).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{answer}");
    }
    // Its first frames instead of a request.
    let mut stream = connect(address, "\0\0\0\x04\0\0\0\0\0\r\n\r\n").await;
    let answer = rest(&mut stream).await;
    assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 4"), "{answer}");
}

#[tokio::test]
async fn who_is_silent_the_longest_makes_way() {
    let limits = Limits { connections_silent_max: 3, connections_idle_max: 3, ..Limits::default() };
    let server = server(limits).await;
    for said in ["", "GET / HT"] {
        let mut streams = Vec::new();
        for _ in 0..8 {
            streams.push(connect(server.address, said).await);
        }
        // Others are served meanwhile.
        assert_eq!(server.get("/healthz").await.0, 200);
        for stream in &mut streams[..4] {
            assert_eq!(rest(stream).await, "");
        }
    }
}

#[tokio::test]
async fn a_body_that_does_not_come_on_is_given_up() {
    let server = server(Limits { body_patience: TIMEOUT, ..Limits::default() }).await;
    let address = server.address;
    let lines = "{\"initial\":1,\"factor\":2,\"times\":3}\n";
    for (path, begun) in [
        ("/api/jobs?op=repeat_multiply", ""),
        ("/api/jobs?op=repeat_multiply", lines),
        ("/api/jobs", "{"),
        ("/api/kernels?name=some", "\0asm"),
        ("/api/data", "some"),
    ] {
        let head = format!(
            "POST {path} HTTP/1.1\r\nHost: {address}\r\n\
             Connection: close\r\nContent-Length: 5000\r\n\r\n{begun}"
        );
        let mut stream = connect(address, &head).await;
        let answer = rest(&mut stream).await;
        assert!(answer.contains("body_cut_off"), "{path}: {answer}");
    }
    // A byte now and then is no body either.
    let head = format!(
        "POST /api/jobs?op=repeat_multiply HTTP/1.1\r\nHost: {address}\r\n\
         Content-Length: 5000\r\n\r\n"
    );
    let mut stream = connect(address, &head).await;
    let sending = async {
        while stream.write_all(b" ").await.is_ok() {
            tokio::time::sleep(TIMEOUT / 10).await;
        }
    };
    within(sending).await;
    assert_eq!(server.get("/api/jobs").await.1, serde_json::json!([]));
}

#[tokio::test]
async fn bodies_that_stand_still_make_room_for_those_that_come() {
    let room_wait = PATIENCE;
    let limits = Limits { bodies_bytes_max: 128 * 1024, room_wait, ..Limits::default() };
    let server = server(limits).await;
    let address = server.address;
    let lines = "{\"initial\":1,\"factor\":2,\"times\":3}\n".repeat(1000);
    let head = format!(
        "POST /api/jobs?op=repeat_multiply HTTP/1.1\r\nHost: {address}\r\n\
         Content-Length: 100000\r\n\r\n{lines}"
    );
    let mut still = Vec::new();
    for _ in 0..5 {
        still.push(connect(address, &head).await);
    }
    server.submit("/api/jobs?op=repeat_multiply", lines).await;
    // Whoever held the room had to go.
    let ended = still.iter_mut().map(|stream| Box::pin(rest(stream)));
    let (said, _, _) = futures_util::future::select_all(ended).await;
    assert!(!said.contains("HTTP/1.1 20"), "{said}");
}
