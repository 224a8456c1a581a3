//! Messages that are begun and not ended, and frames that nobody reads: with small bounds.

use crate::support::{Client, Server, until, within};
use futures_util::{SinkExt, StreamExt};
use std::time::Duration;
use tequio::web::Limits;
use tequio_protocol::limits::FRAME_BYTES_MAX;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio_tungstenite::tungstenite::Message;

/// The paths at which a WebSocket can be had.
const PATHS: [&str; 4] = ["/ws", "/echo", "/chat", "/"];

async fn small() -> Server {
    let limits =
        Limits { begun_bytes_max: 64 * 1024, begun_grace: Duration::ZERO, ..Limits::default() };
    Server::start_limited(limits).await
}

/// A WebSocket whose bytes the test writes itself.
#[derive(Debug)]
pub(crate) struct Raw(pub(crate) TcpStream);

impl Raw {
    pub(crate) async fn open(server: &Server, path: &str) -> Raw {
        Raw::try_open(server, path).await.unwrap()
    }

    /// Or the status that it is refused with.
    pub(crate) async fn try_open(server: &Server, path: &str) -> Result<Raw, u16> {
        let mut stream = within(TcpStream::connect(server.address)).await.unwrap();
        let request = format!(
            "GET {path} HTTP/1.1\r\nHost: {}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n",
            server.address
        );
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(within(stream.read_u8()).await.unwrap());
        }
        let status = std::str::from_utf8(&head[9..12]).unwrap().parse().unwrap();
        if status == 101 { Ok(Raw(stream)) } else { Err(status) }
    }

    pub(crate) async fn send(&mut self, bytes: &[u8]) {
        self.0.write_all(bytes).await.unwrap();
    }

    /// The code of the closing frame that comes after whatever else.
    pub(crate) async fn close_code(&mut self) -> u16 {
        loop {
            let first = within(self.0.read_u8()).await.expect("a closing frame");
            let length = match within(self.0.read_u8()).await.unwrap() {
                126 => usize::from(self.0.read_u16().await.unwrap()),
                length => usize::from(length),
            };
            let mut content = vec![0; length];
            within(self.0.read_exact(&mut content)).await.unwrap();
            if first == 0x88 {
                return u16::from_be_bytes([content[0], content[1]]);
            }
        }
    }
}

/// The head of a frame with a mask of zeros.
pub(crate) fn head(first: u8, length: usize) -> Vec<u8> {
    let mut head = vec![first];
    if let Ok(length) = u16::try_from(length) {
        head.push(0x80 | 126);
        head.extend(length.to_be_bytes());
    } else {
        head.push(0x80 | 127);
        head.extend((length as u64).to_be_bytes());
    }
    head.extend([0; 4]);
    head
}

const TEXT: u8 = 0x81;
const TEXT_BEGINS: u8 = 0x01;
const GOES_ON: u8 = 0x00;
const PING: u8 = 0x89;

#[tokio::test]
async fn the_slowest_of_those_that_have_begun_a_message_makes_room() {
    let server = small().await;
    // A chat's messages are no longer than what a connection may hold for nothing.
    for path in ["/ws", "/echo", "/"] {
        let (closed, mut closings) = mpsc::unbounded_channel();
        for _ in 0..20 {
            let mut raw = Raw::open(&server, path).await;
            raw.send(&[head(TEXT, 20_000), vec![b'x'; 19_999]].concat()).await;
            let closed = closed.clone();
            tokio::spawn(async move { closed.send(raw.close_code().await) });
        }
        // Four of them fit.
        for _ in 0..16 {
            assert_eq!(within(closings.recv()).await, Some(1013), "{path}");
        }
        // A whole message finds its way beside them.
        let mut client = Client::connect_to(&format!("ws://{}/echo", server.address)).await;
        client.0.send(Message::text("x".repeat(40_000))).await.unwrap();
        let answer = client.next().await.into_text().unwrap();
        assert_eq!(answer.len(), "echo: ".len() + 40_000, "{path}");
    }
    server.stop().await;
}

#[tokio::test]
async fn fragments_are_one_message_that_is_begun_whatever_comes_between_them() {
    // One message in fragments has room, since nobody knows how long it gets, and there are two copies of
    // it; and two have not.
    let limits = Limits {
        begun_bytes_max: 2 * FRAME_BYTES_MAX,
        begun_grace: Duration::ZERO,
        ..Limits::default()
    };
    let server = Server::start_limited(limits).await;
    let (closed, mut closings) = mpsc::unbounded_channel();
    for _ in 0..2 {
        let mut raw = Raw::open(&server, "/ws").await;
        raw.send(&[head(TEXT_BEGINS, 10_000), vec![b'x'; 10_000]].concat()).await;
        for _ in 0..20 {
            let part = [head(PING, 0), head(GOES_ON, 10_000), vec![b'x'; 10_000]].concat();
            raw.send(&part).await;
        }
        let closed = closed.clone();
        tokio::spawn(async move { closed.send(raw.close_code().await) });
    }
    assert_eq!(within(closings.recv()).await, Some(1013));
    server.stop().await;
}

#[tokio::test]
async fn a_message_has_its_time() {
    let limits = Limits { begun_time_max: Duration::from_millis(50), ..Limits::default() };
    let server = Server::start_limited(limits).await;
    for path in PATHS {
        for begun in [
            vec![TEXT],
            head(TEXT, 4000),
            [head(TEXT, 4000), vec![b'x'; 9]].concat(),
            [head(TEXT_BEGINS, 3), vec![b'x'; 3], head(PING, 0)].concat(),
            head(0x02, 0),
        ] {
            let mut raw = Raw::open(&server, path).await;
            raw.send(&begun).await;
            assert_eq!(raw.close_code().await, 4009, "{path} {begun:?}");
        }
    }
    // Whoever is only silent stays.
    let mut client = Client::connect_to(&format!("ws://{}/echo", server.address)).await;
    client.0.send(Message::text("here")).await.unwrap();
    assert_eq!(client.next().await.into_text().unwrap().as_str(), "echo: here");
    tokio::time::sleep(Duration::from_millis(120)).await;
    client.0.send(Message::text("still here")).await.unwrap();
    assert_eq!(client.next().await.into_text().unwrap().as_str(), "echo: still here");
    server.stop().await;
}

#[tokio::test]
async fn whoever_is_refused_may_say_on_and_reads_why() {
    const CLOSE: u8 = 0x88;
    const UNKNOWN: u8 = 0x83;
    /// More messages than the sockets in between take of what nobody reads.
    const SAID_ON: usize = 16;
    let server = Server::start().await;
    let frame = |first, length| [head(first, length), vec![b'x'; length]].concat();
    let longest = frame(TEXT, FRAME_BYTES_MAX);
    for (path, refused, code) in [
        ("/echo", longest.clone(), 1009_u16),
        ("/ws", frame(TEXT, FRAME_BYTES_MAX + 1), 1009),
        ("/chat", [head(TEXT, 1), vec![0xff]].concat(), 1007),
        ("/ws", frame(UNKNOWN, 5), 1002),
    ] {
        let mut raw = Raw::open(&server, path).await;
        raw.send(&refused).await;
        for _ in 0..SAID_ON {
            within(raw.0.write_all(&longest)).await.expect("what is said on is taken");
        }
        raw.send(&[head(CLOSE, 2), code.to_be_bytes().to_vec()].concat()).await;
        assert_eq!(raw.close_code().await, code, "{path}");
        assert_eq!(within(raw.0.read(&mut [0; 1])).await.unwrap(), 0, "{path}: it ends");
    }
    server.stop().await;
}

#[tokio::test]
async fn what_a_peer_does_not_take_has_a_bound_together() {
    let limits =
        Limits { begun_grace: Duration::ZERO, unread_bytes_max: 64 * 1024, ..Limits::default() };
    let server = Server::start_limited(limits).await;
    // More than a system takes for a socket that is not read.
    const MESSAGES: usize = 40;
    let text = "x".repeat(1_000_000);
    let deaf = async |path: &str| {
        let mut client = Client::connect_to(&format!("ws://{}{path}", server.address)).await.0;
        for _ in 0..MESSAGES {
            // The server reads no more while its answer waits; so sending may wait too.
            let sent =
                tokio::time::timeout(Duration::from_secs(1), client.send(Message::text(&text)));
            if !matches!(sent.await, Ok(Ok(()))) {
                break;
            }
        }
        client
    };
    let (first, mut second) = tokio::join!(deaf("/echo"), deaf("/echo"));
    // One of the two holds a megabyte, which is more than both may.
    drop(first);
    let ended = async {
        while let Some(Ok(message)) = second.next().await {
            if message.is_close() {
                break;
            }
        }
    };
    within(ended).await;
    until(async || {
        let metrics = server.get_text("/metrics").await;
        let open = metrics
            .lines()
            .find(|line| line.starts_with("tequio_service_connections") && line.contains("echo"));
        open.is_none_or(|line| line.ends_with(" 0")).then_some(())
    })
    .await;
    server.stop().await;
}

#[tokio::test]
async fn many_large_messages_and_small_ones_arrive_whole_and_in_order() {
    let server = Server::start().await;
    let mut client = Client::connect_to(&format!("ws://{}/echo?prefix=", server.address)).await;
    let sizes = [1, 20_000, 3, 0, 1_000_000, 16_384, 16_385, 5000, 70_000, 2];
    for at_once in [1, 3, sizes.len()] {
        for sizes in sizes.chunks(at_once) {
            for size in sizes {
                client.0.feed(Message::text("x".repeat(*size))).await.unwrap();
                client.0.feed(Message::Ping(vec![7; 3].into())).await.unwrap();
            }
            client.0.flush().await.unwrap();
            for size in sizes {
                let text = loop {
                    match client.next().await {
                        Message::Text(text) => break text,
                        Message::Pong(content) => assert_eq!(content.as_ref(), [7; 3]),
                        other => panic!("{other:?}"),
                    }
                };
                assert_eq!(text.len(), *size);
            }
        }
    }
    server.stop().await;
}

#[tokio::test]
async fn a_socket_of_socketio_that_begins_a_message_makes_room_too() {
    const PATH: &str = "/socket.io/?EIO=4&transport=websocket";
    let server = small().await;
    let (closed, mut closings) = mpsc::unbounded_channel();
    for _ in 0..20 {
        let mut raw = Raw::open(&server, PATH).await;
        raw.send(&[head(TEXT, 2), b"40".to_vec(), head(TEXT, 20_000), vec![b'4'; 19_999]].concat())
            .await;
        let closed = closed.clone();
        tokio::spawn(async move { closed.send(raw.close_code().await) });
    }
    for _ in 0..16 {
        assert_eq!(within(closings.recv()).await, Some(1013));
    }
    server.stop().await;
}

/// What a request over `stream` is answered, its head and its body.
async fn ask(stream: &mut TcpStream, request: &str) -> (u16, String) {
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(within(stream.read_u8()).await.unwrap());
    }
    let head = String::from_utf8(head).unwrap().to_ascii_lowercase();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
    let mut body = vec![0; length.map_or(0, |length| length.parse().unwrap())];
    within(stream.read_exact(&mut body)).await.unwrap();
    (head[9..12].parse().unwrap(), String::from_utf8(body).unwrap())
}

fn polling(method: &str, sid: &str, more: &str) -> String {
    format!(
        "{method} /socket.io/?EIO=4&transport=polling{sid} HTTP/1.1\r\nHost: 127.0.0.1\r\n{more}\r\n"
    )
}

async fn open_session(stream: &mut TcpStream) -> String {
    let (status, body) = ask(stream, &polling("GET", "", "")).await;
    assert_eq!(status, 200, "{body}");
    let sid = body.split_once("\"sid\":\"").unwrap().1.split_once('"').unwrap().0;
    format!("&sid={sid}")
}

#[tokio::test]
async fn of_handshakes_that_nobody_goes_on_with_the_oldest_are_let_go() {
    let limits = Limits { socketio_opening_max: 5, socketio_polling_max: 3, ..Limits::default() };
    let server = Server::start_limited(limits).await;
    let mut stream = within(TcpStream::connect(server.address)).await.unwrap();
    let mut sessions = Vec::new();
    for _ in 0..12 {
        sessions.push(open_session(&mut stream).await);
    }
    // The library has let them go at once, and not after its time.
    for sid in &sessions[..7] {
        until(async || (ask(&mut stream, &polling("GET", sid, "")).await.0 == 400).then_some(()))
            .await;
    }
    // Those that go on are in the namespace, of which there are so many.
    for sid in &sessions[7..] {
        let body = "Content-Length: 2\r\n";
        let (status, text) = ask(&mut stream, &(polling("POST", sid, body) + "40")).await;
        assert_eq!((status, text.as_str()), (200, "ok"));
    }
    for sid in &sessions[7..9] {
        until(async || (ask(&mut stream, &polling("GET", sid, "")).await.0 == 400).then_some(()))
            .await;
    }
    let (status, text) = ask(&mut stream, &polling("GET", &sessions[11], "")).await;
    assert_eq!(status, 200, "{text}");
    server.stop().await;
}

#[tokio::test]
async fn posts_that_are_not_ended_have_a_bound_together_and_one_a_session() {
    let limits = Limits {
        socketio_bodies_bytes_max: 64 * 1024,
        begun_grace: Duration::ZERO,
        ..Limits::default()
    };
    let server = Server::start_limited(limits).await;
    let (refused, mut refusals) = mpsc::unbounded_channel();
    for _ in 0..10 {
        let mut stream = within(TcpStream::connect(server.address)).await.unwrap();
        let sid = open_session(&mut stream).await;
        let post = polling("POST", &sid, "Content-Length: 30000\r\n") + &"4".repeat(20_000);
        let refused = refused.clone();
        tokio::spawn(async move { refused.send(ask(&mut stream, &post).await) });
    }
    // Three of them fit.
    for _ in 0..7 {
        let (status, text) = within(refusals.recv()).await.unwrap();
        assert_eq!(status, 503, "{text}");
        assert!(text.contains("unfinished"), "{text}");
    }
    // A whole one finds its way beside them; a second one at the same time does not.
    let mut stream = within(TcpStream::connect(server.address)).await.unwrap();
    let sid = open_session(&mut stream).await;
    let mut begun = within(TcpStream::connect(server.address)).await.unwrap();
    begun
        .write_all((polling("POST", &sid, "Content-Length: 2\r\n") + "4").as_bytes())
        .await
        .unwrap();
    let post = polling("POST", &sid, "Content-Length: 2\r\n") + "40";
    until(async || (ask(&mut stream, &post).await.0 == 400).then_some(())).await;
    let (status, text) = ask(&mut begun, "0").await;
    assert_eq!((status, text.as_str()), (200, "ok"));
    server.stop().await;
}

#[tokio::test]
async fn sockets_that_leave_before_they_have_connected_leave_nothing() {
    const PATH: &str = "/socket.io/?EIO=4&transport=websocket";
    let limits = Limits { socketio_sockets_max: 3, ..Limits::default() };
    let server = Server::start_limited(limits).await;
    for rest in [vec![], vec![TEXT], [head(TEXT, 2), b"40".to_vec()].concat()] {
        for _ in 0..5 {
            // There is a place again as soon as the last one is gone.
            let mut raw = until(async || Raw::try_open(&server, PATH).await.ok()).await;
            raw.send(&rest).await;
        }
    }
    // They are as many as may be.
    let mut held = Vec::new();
    for _ in 0..3 {
        held.push(until(async || Raw::try_open(&server, PATH).await.ok()).await);
    }
    assert_eq!(Raw::try_open(&server, PATH).await.err(), Some(503));
    server.stop().await;
}

#[tokio::test]
async fn attachments_that_never_come_make_room_over_either_transport() {
    let limits = Limits {
        begun_bytes_max: 64 * 1024,
        socketio_bodies_bytes_max: 64 * 1024,
        begun_grace: Duration::ZERO,
        ..Limits::default()
    };
    let server = Server::start_limited(limits).await;
    let event = br#"452-["message",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]"#;
    let (closed, mut closings) = mpsc::unbounded_channel();
    for _ in 0..10 {
        let mut raw = Raw::open(&server, "/socket.io/?EIO=4&transport=websocket").await;
        let frames = [
            [head(TEXT, 2), b"40".to_vec()],
            [head(TEXT, event.len()), event.to_vec()],
            [head(0x82, 20_000), vec![0; 20_000]],
        ];
        raw.send(&frames.concat().concat()).await;
        let closed = closed.clone();
        tokio::spawn(async move { closed.send(raw.close_code().await) });
    }
    // Four of them fit, less than what a buffer holds in any case.
    for _ in 0..6 {
        assert_eq!(within(closings.recv()).await, Some(1013));
    }
    // A session that polls ends, as any does that is over.
    let mut stream = within(TcpStream::connect(server.address)).await.unwrap();
    let mut sessions = Vec::new();
    for _ in 0..5 {
        let sid = open_session(&mut stream).await;
        let attachment =
            format!("40\u{1e}{}\u{1e}b{}", str::from_utf8(event).unwrap(), "A".repeat(20_000));
        let length = format!("Content-Length: {}\r\n", attachment.len());
        let post = polling("POST", &sid, &length) + &attachment;
        assert_eq!(ask(&mut stream, &post).await.0, 200);
        sessions.push(sid);
    }
    for sid in &sessions[..2] {
        until(async || (ask(&mut stream, &polling("GET", sid, "")).await.0 == 400).then_some(()))
            .await;
    }
    server.stop().await;
}
