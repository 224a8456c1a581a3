//! A refusal in the middle of an upload arrives, also at a client that sends all before it reads.

use crate::support::{Server, within};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use tequio::web::Who;
use tequio_protocol::limits::BODY_BYTES_MAX;
use tokio::task::spawn_blocking;

const BODY_BYTES: usize = 64 * 1024 * 1024;

/// How often each is tried: on the old code about one in five was lost.
const TRIES: usize = 12;

/// Sends everything, and only then reads, to the end.
fn send_then_read(address: SocketAddr, head: &str, body: impl Iterator<Item = Vec<u8>>) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.write_all(head.as_bytes()).unwrap();
    for (nth, piece) in body.enumerate() {
        stream.write_all(&piece).unwrap_or_else(|error| panic!("at piece {nth}: {error}"));
    }
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

/// A bad line, and then good ones.
fn body(bytes: usize) -> impl Iterator<Item = Vec<u8>> {
    let lines = "{\"initial\":1,\"factor\":2,\"times\":3}\n".repeat(2000).into_bytes();
    let first = b"this is no line\n".to_vec();
    let mut left = bytes - first.len();
    let rest = std::iter::from_fn(move || {
        let size = lines.len().min(left);
        left -= size;
        (size > 0).then(|| lines[..size].to_vec())
    });
    std::iter::once(first).chain(rest)
}

fn chunked(piece: Vec<u8>) -> Vec<u8> {
    let mut chunk = format!("{:x}\r\n", piece.len()).into_bytes();
    chunk.extend(piece);
    chunk.extend(b"\r\n");
    chunk
}

#[tokio::test]
async fn a_refusal_arrives_while_the_body_is_still_sent() {
    let open = Server::start().await;
    let who = Who { operator_token: Some("secret".to_owned()), ..Who::default() };
    let closed = Server::start_for(who).await;
    let (known, too_long) = (BODY_BYTES, BODY_BYTES_MAX + 1);
    for (server, headers, code) in [
        (&open, format!("Content-Length: {known}"), "bad_line"),
        (&open, "Transfer-Encoding: chunked".to_owned(), "bad_line"),
        (&open, format!("Content-Length: {too_long}"), "body_too_big"),
        (&closed, format!("Content-Length: {known}"), "unauthorized"),
    ] {
        for _ in 0..TRIES {
            let (address, about) = (server.address, headers.clone());
            let headers = headers.clone();
            let answer = within(spawn_blocking(move || {
                let head = format!(
                    "POST /api/jobs?op=repeat_multiply HTTP/1.1\r\nHost: {address}\r\n{headers}\r\n\r\n"
                );
                if headers.contains("chunked") {
                    send_then_read(address, &head, body(BODY_BYTES).map(chunked))
                } else {
                    send_then_read(address, &head, body(BODY_BYTES))
                }
            }));
            let answer = answer.await.unwrap_or_else(|error| panic!("{about}: {error}"));
            assert!(answer.contains(code), "{about}: {answer}");
        }
    }
    assert_eq!(open.get("/api/jobs").await.1, serde_json::json!([]));
}

#[tokio::test]
async fn headers_that_are_none_are_refused_while_more_is_sent() {
    let server = Server::start().await;
    for _ in 0..TRIES {
        let address = server.address;
        let answer = spawn_blocking(move || {
            send_then_read(address, "this is no HTTP\r\n\r\n", body(4 * 1024 * 1024))
        });
        let answer = within(answer).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 400"), "{answer}");
    }
}

#[tokio::test]
async fn who_asks_first_is_refused_before_the_body() {
    let server = Server::start().await;
    let (address, too_long) = (server.address, BODY_BYTES_MAX + 1);
    let head = format!(
        "POST /api/jobs?op=repeat_multiply HTTP/1.1\r\nHost: {address}\r\nContent-Length: {too_long}\r\nExpect: 100-continue\r\n\r\n"
    );
    let answer = spawn_blocking(move || send_then_read(address, &head, std::iter::empty()));
    let answer = within(answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 413"), "{answer}");
}
