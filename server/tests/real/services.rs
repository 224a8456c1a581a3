//! Echo and chat: over real sockets, and on virtual time where patience decides.

use crate::link::{closing, link, peer};
use crate::support::{Answer, Client, Server, Tequio, within};
use futures_util::SinkExt;
use reqwest::Method;
use serde_json::Value;
use std::sync::Arc;
use std::time::Duration;
use tequio::connection::{Connection, Frame};
use tequio::metrics::{Metrics, Service};
use tequio::services::Services;
use tequio::services::chat::{self, Format, Member, MemberName, RoomName};
use tequio::web::Who;
use tequio_protocol::limits::{
    CHAT_BURST_MAX, CHAT_MESSAGE_BYTES_MAX, CHAT_PACE, CHAT_WAITING_BYTES_MAX, FRAME_BYTES_MAX,
    PLAIN_SILENCE_MAX,
};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{Data, OpCode};
use tokio_tungstenite::tungstenite::protocol::frame::{Frame as RawFrame, coding::CloseCode};

async fn connect(server: &Server, path: &str) -> Client {
    Client::connect_to(&format!("ws://{}{path}", server.address)).await
}

/// The next text, whatever it is.
async fn text(client: &mut Client) -> String {
    match client.next().await {
        Message::Text(text) => text.to_string(),
        other => panic!("expected text, got {other:?}"),
    }
}

// ---- Echo -------------------------------------------------------------------------------------

#[tokio::test]
async fn no_echo_is_longer_than_pythons_clients_take() {
    let server = Server::start().await;
    for (path, prefix) in [("/echo", "echo: "), ("/echo?prefix=%C3%B1", "ñ"), ("/echo?prefix=", "")]
    {
        let mut client = connect(&server, path).await;
        let longest = "x".repeat(FRAME_BYTES_MAX - prefix.len());
        client.send(&longest).await;
        assert_eq!(text(&mut client).await, format!("{prefix}{longest}"), "{path}");
        client.send(&format!("{longest}x")).await;
        let closing = client.closing().await;
        assert_eq!(closing.code, CloseCode::Size, "{path}");
        let wanted = if prefix.is_empty() { "limit" } else { "with its prefix" };
        assert!(closing.reason.contains(wanted), "{path}: {}", closing.reason);
    }
}

#[tokio::test]
async fn what_is_sent_comes_back_after_the_prefix_that_was_asked_for() {
    let server = Server::start().await;
    for (path, expected) in [
        ("/echo", "echo: ¡Hola, \"Servidor\"!\n"),
        ("/echo?prefix=", "¡Hola, \"Servidor\"!\n"),
        ("/echo?prefix=%C2%BB%20", "» ¡Hola, \"Servidor\"!\n"),
    ] {
        let mut client = connect(&server, path).await;
        client.send("¡Hola, \"Servidor\"!\n").await;
        assert_eq!(text(&mut client).await, expected, "{path}");
        client.send("").await;
        assert_eq!(text(&mut client).await, expected.split('¡').next().unwrap(), "{path}");
        let bytes = Message::binary(vec![0, 255, 7]);
        client.0.send(bytes.clone()).await.unwrap();
        assert_eq!(client.next().await, bytes, "{path}");
    }
    server.stop().await;
}

#[tokio::test]
async fn an_echo_has_the_limits_of_every_connection() {
    let server = Server::start().await;
    let mut bystander = connect(&server, "/echo").await;
    let mut client = connect(&server, "/echo?prefix=").await;
    let longest = "x".repeat(FRAME_BYTES_MAX);
    client.send(&longest).await;
    assert_eq!(text(&mut client).await, longest);
    // The server may close before all of it is written.
    client.0.send(Message::text(longest + "x")).await.ok();
    assert_eq!(client.closing().await.code, CloseCode::Size);

    let mut client = connect(&server, "/echo").await;
    let frame = RawFrame::message(vec![0xff, 0xfe], OpCode::Data(Data::Text), true);
    client.0.send(Message::Frame(frame)).await.unwrap();
    assert_eq!(client.closing().await.code, CloseCode::Invalid);

    bystander.send("still there").await;
    assert_eq!(text(&mut bystander).await, "echo: still there");
    server.stop().await;
}

// ---- Chat -------------------------------------------------------------------------------------

#[tokio::test]
async fn all_members_of_a_room_get_everything_in_one_order() {
    let server = Server::start().await;
    let mut members = Vec::new();
    for _ in 0..5 {
        members.push(connect(&server, "/chat/sala%201").await);
    }
    let mut elsewhere = connect(&server, "/chat/sala").await;
    elsewhere.send("first").await;
    assert_eq!(text(&mut elsewhere).await, "first");
    for (number, member) in members.iter_mut().enumerate() {
        for message in 0..100 {
            member.send(&format!("{number} {message}")).await;
        }
    }
    let mut orders = Vec::new();
    for member in &mut members {
        let mut order = Vec::new();
        for _ in 0..500 {
            order.push(text(member).await);
        }
        orders.push(order);
    }
    assert!(orders.iter().all(|order| *order == orders[0]), "one order for all");
    for number in 0..5 {
        let own: Vec<&String> =
            orders[0].iter().filter(|text| text.starts_with(&format!("{number} "))).collect();
        assert!(own.iter().enumerate().all(|(n, text)| **text == format!("{number} {n}")));
    }
    elsewhere.send("second").await;
    assert_eq!(text(&mut elsewhere).await, "second", "another room is another room");
    assert_eq!(server.metric("tequio_connections{service=\"chat\"}").await, 6);
    assert_eq!(server.metric("tequio_messages_received_total{service=\"chat\"}").await, 502);
    assert_eq!(server.metric("tequio_messages_sent_total{service=\"chat\"}").await, 2502);
    server.stop().await;
}

#[tokio::test]
async fn who_asks_for_json_is_told_who_said_it_and_who_came_and_left() {
    let server = Server::start().await;
    let mut plain = connect(&server, "/chat").await;
    plain.send("is anybody here?").await;
    assert_eq!(text(&mut plain).await, "is anybody here?");
    let mut ana = connect(&server, "/chat?name=Ana&format=json").await;
    let history = ana.receive().await;
    assert_eq!((&history["from"], &history["text"]), (&"#1".into(), &"is anybody here?".into()));
    assert!(history["at"].as_str().unwrap().ends_with('Z'), "{history}");
    let joined = ana.receive().await;
    assert_eq!((&joined["joined"], &joined["members"]), (&"Ana".into(), &2.into()));
    let mut luz = connect(&server, "/chat?name=Luz").await;
    assert_eq!(ana.receive().await["joined"], "Luz");
    luz.send("{\"from\":\"Ana\"}").await;
    let said = ana.receive().await;
    assert_eq!((&said["from"], &said["text"]), (&"Luz".into(), &"{\"from\":\"Ana\"}".into()));
    assert_eq!(text(&mut plain).await, "{\"from\":\"Ana\"}");
    drop(luz);
    let left = ana.receive().await;
    assert_eq!((&left["left"], &left["members"]), (&"Luz".into(), &2.into()));
    server.stop().await;
}

#[tokio::test]
async fn who_hangs_up_without_reading_has_said_what_it_sent() {
    let server = Server::start().await;
    let mut ana = connect(&server, "/chat").await;
    for round in 0..5 {
        let mut hasty = connect(&server, "/chat").await;
        for number in 0..CHAT_BURST_MAX {
            hasty.0.feed(Message::text(format!("{round} {number}"))).await.unwrap();
        }
        hasty.0.flush().await.unwrap();
        // What the room says to it meets a closed socket, while more of what it said waits.
        drop(hasty);
        for number in 0..CHAT_BURST_MAX {
            assert_eq!(text(&mut ana).await, format!("{round} {number}"));
        }
    }
    server.stop().await;
}

#[tokio::test]
async fn a_slash_at_the_end_is_no_other_address() {
    let server = Server::start().await;
    let mut ana = connect(&server, "/chat").await;
    let mut luz = connect(&server, "/chat/").await;
    luz.send("hola").await;
    assert_eq!(text(&mut ana).await, "hola");
    let mut echo = connect(&server, "/echo/").await;
    echo.send("hola").await;
    assert_eq!(text(&mut echo).await, "echo: hola");
    server.stop().await;
}

#[tokio::test]
async fn what_a_chat_does_not_take_is_answered_and_nobody_else_notices() {
    let server = Server::start().await;
    let mut bystander = connect(&server, "/chat").await;

    let mut client = connect(&server, "/chat").await;
    client.send(&"x".repeat(CHAT_MESSAGE_BYTES_MAX + 1)).await;
    let close = client.closing().await;
    assert_eq!(close.code, CloseCode::Size);
    assert!(close.reason.contains("4096"), "{}", close.reason);

    let mut client = connect(&server, "/chat").await;
    client.0.send(Message::binary(vec![1, 2])).await.unwrap();
    let close = client.closing().await;
    assert_eq!(close.code, CloseCode::Unsupported);
    assert!(close.reason.contains("text"), "{}", close.reason);

    let mut client = connect(&server, "/chat").await;
    let frame = RawFrame::message(vec![0xc3, 0x28], OpCode::Data(Data::Text), true);
    client.0.send(Message::Frame(frame)).await.unwrap();
    assert_eq!(client.closing().await.code, CloseCode::Invalid);

    let longest = "ñ".repeat(CHAT_MESSAGE_BYTES_MAX / 2);
    bystander.send(&longest).await;
    assert_eq!(text(&mut bystander).await, longest, "the first that it got");
    server.stop().await;
}

/// Asks for a WebSocket, and is refused.
async fn refusal(server: &Server, path: &str, origin: Option<&str>) -> (u16, String) {
    let mut request = server.request(Method::GET, path);
    for (name, value) in [
        ("Connection", "Upgrade"),
        ("Upgrade", "websocket"),
        ("Sec-WebSocket-Version", "13"),
        ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
    ] {
        request = request.header(name, value);
    }
    if let Some(origin) = origin {
        request = request.header("Origin", origin);
    }
    Answer::of(request).await.refusal()
}

#[tokio::test]
async fn who_asks_for_what_there_is_not_is_told_what() {
    let server = Server::start().await;
    let long = "x".repeat(10_000);
    for (path, code) in [
        ("/chat?name=%23".to_owned() + "7", "bad_name"),
        ("/chat?name=%0A".to_owned(), "bad_name"),
        (format!("/chat?name={long}"), "bad_name"),
        ("/chat?format=xml".to_owned(), "bad_format"),
        ("/chat?name=a&name=b".to_owned(), "bad_query"),
        (format!("/chat/{long}"), "bad_room"),
        ("/chat/%1B%5B31m".to_owned(), "bad_room"),
        ("/chat/%FF".to_owned(), "bad_room"),
        ("/chat/%20".to_owned(), "bad_room"),
        ("/chat/a%2Fb".to_owned(), "bad_room"),
        (format!("/echo?prefix={long}"), "bad_prefix"),
    ] {
        assert_eq!(refusal(&server, &path, None).await, (400, code.to_owned()), "{path:.40}");
    }
    for path in ["/echo", "/chat", "/chat/room"] {
        let foreign = refusal(&server, path, Some("https://evil.example")).await;
        assert_eq!(foreign, (403, "foreign_origin".to_owned()), "{path}");
        let plain = Answer::of(server.request(Method::GET, path)).await.refusal();
        assert_eq!(plain, (426, "not_a_websocket".to_owned()), "{path}");
    }
    server.stop().await;
}

#[tokio::test]
async fn services_need_no_token_where_submitting_does() {
    let who = Who { operator_token: Some("secret".to_owned()), ..Who::default() };
    let server = Server::start_for(who).await;
    let mut client = connect(&server, "/echo").await;
    client.send("a").await;
    assert_eq!(text(&mut client).await, "echo: a");
    server.stop().await;
}

// ---- The binary -------------------------------------------------------------------------------

#[tokio::test]
async fn the_bare_address_is_what_root_says() {
    for (root, sent, expected) in [
        ("echo", "Hola", Some("echo: Hola")),
        ("mirror", "Hola", Some("Hola")),
        ("chat", "Hola", Some("Hola")),
        ("tasks", "Hola", None),
    ] {
        let tequio = Tequio::serve(&["--root", root]).await;
        // As a client says it that has the address written into it: without a slash.
        let mut client = Client::connect_to(&tequio.url).await;
        client.send(sent).await;
        let answer = text(&mut client).await;
        match expected {
            Some(expected) => assert_eq!(answer, expected, "{root}"),
            None => assert!(answer.contains("\"task_id\":1"), "{answer}"),
        }
        let mut tab = Client::connect_to(&format!("{}/ws", tequio.url)).await;
        assert_eq!(tab.receive().await["task_id"], 1, "tabs ask for tasks, whatever the root is");
        let page = reqwest_get(&tequio.url.replace("ws://", "http://")).await;
        assert!(page.contains("<!doctype html>") || page.contains("<!DOCTYPE html>"), "{root}");
    }
}

async fn reqwest_get(url: &str) -> String {
    within(async { crate::support::http().get(url).send().await.unwrap().text().await.unwrap() })
        .await
}

#[tokio::test]
async fn the_console_tells_of_every_service() {
    let mut tequio = Tequio::serve(&["--root", "chat"]).await;
    let mut client = Client::connect_to(&format!("{}/echo", tequio.url)).await;
    let line = tequio.line_with("echo #1 connected from 127.0.0.1:").await;
    assert!(line.ends_with(" path=/echo"), "{line}");
    tequio.line_with("Connected to echo (1): #1 127.0.0.1:").await;
    client.send("Hola\u{1b}[31m").await;
    tequio.line_with("[echo #1] received \"Hola\u{fffd}[31m\"").await;
    client.0.send(Message::binary(vec![1, 2, 3])).await.unwrap();
    tequio.line_with("[echo #1] received 3 bytes").await;
    client.0.close(None).await.unwrap();
    tequio.line_with("echo #1 disconnected (1005 no status)").await;
    tequio.line_with("Connected to echo (0)").await;

    let mut ana = Client::connect_to(&tequio.url).await;
    let line = tequio.line_with("chat #1 connected from 127.0.0.1:").await;
    assert!(line.ends_with(" path=/"), "{line}");
    let mut luz = Client::connect_to(&format!("{}/chat", tequio.url)).await;
    tequio.line_with("Connected to chat (2): #1 127.0.0.1:").await;
    luz.send("Hola").await;
    tequio.line_with("[chat #2] received \"Hola\" in /chat: sent to 2").await;
    for number in 0..CHAT_BURST_MAX {
        ana.send(&number.to_string()).await;
    }
    // All of it has been received when the other has all of it.
    for _ in 0..=CHAT_BURST_MAX {
        text(&mut luz).await;
    }
    drop(luz);
    ana.0.close(None).await.unwrap();
    let line = tequio.line_with(" more").await;
    assert!(line.contains("[chat #1] "), "not every message of a flood has a line: {line}");
    tequio.line_with("Connected to chat (0)").await;
}

#[tokio::test]
async fn when_the_server_stops_all_are_told() {
    let mut tequio = Tequio::serve(&[]).await;
    let mut all = Vec::new();
    for path in ["/echo", "/chat", "/chat/room?format=json&name=Ana"] {
        all.push(Client::connect_to(&format!("{}{path}", tequio.url)).await);
    }
    let closings = all.into_iter().map(|mut client| {
        tokio::spawn(async move {
            loop {
                if let Message::Close(close) = client.next().await {
                    return close.expect("a close code").code;
                }
            }
        })
    });
    let closings: Vec<_> = closings.collect();
    assert_eq!(tequio.interrupt().await.code(), Some(0));
    for closing in closings {
        assert_eq!(closing.await.unwrap(), CloseCode::Away);
    }
}

// ---- On virtual time --------------------------------------------------------------------------

/// A member whose link is the test's own.
struct OnTime {
    from_peer: mpsc::UnboundedSender<Frame>,
    to_peer: mpsc::UnboundedReceiver<Frame>,
    ended: JoinHandle<()>,
    _stop: watch::Sender<bool>,
}

impl OnTime {
    fn join(services: &Services, name: &str, takes_frames: bool) -> OnTime {
        let (link, from_peer, to_peer) = link(takes_frames);
        let (stop, stopping) = watch::channel(false);
        let connection = Connection::new(link, stopping, services.tally(Service::Chat));
        let name = MemberName::parse(name).ok();
        let member = Member { name, format: Format::Json, ..Member::default() };
        let services = services.clone();
        let ended = tokio::spawn(async move {
            chat::run(connection, &peer("/chat"), &RoomName::none(), member, &services).await;
        });
        OnTime { from_peer, to_peer, ended, _stop: stop }
    }

    fn say(&self, text: &str) {
        self.from_peer.send(Frame::Text(text.to_owned())).unwrap();
    }

    /// The next event; pings are answered.
    async fn hear(&mut self) -> Value {
        loop {
            match self.to_peer.recv().await.expect("an event") {
                Frame::Text(text) => return serde_json::from_str(&text).unwrap(),
                Frame::Ping => self.from_peer.send(Frame::Pong).unwrap(),
                other => panic!("{other:?}"),
            }
        }
    }
}

fn services() -> Services {
    Services::new(Arc::new(Metrics::default()))
}

#[tokio::test(start_paused = true)]
async fn who_talks_too_fast_is_read_more_slowly_and_loses_nothing() {
    let services = services();
    let mut flood = OnTime::join(&services, "Flood", true);
    assert_eq!(flood.hear().await["joined"], "Flood");
    let mut ana = OnTime::join(&services, "Ana", true);
    assert_eq!(ana.hear().await["joined"], "Ana");
    let count = CHAT_BURST_MAX + 100;
    for number in 0..count {
        flood.say(&number.to_string());
    }
    let began = Instant::now();
    for number in 0..CHAT_BURST_MAX {
        assert_eq!(ana.hear().await["text"], number.to_string());
    }
    assert!(began.elapsed() < CHAT_PACE, "a burst is not slowed");
    ana.say("may I?");
    let mut heard = Vec::new();
    for _ in 0..101 {
        heard.push(ana.hear().await["text"].as_str().unwrap().to_owned());
    }
    let mine = heard.iter().position(|text| text == "may I?").unwrap();
    assert!(mine <= 1, "who talks at leisure does not wait for who does not: {mine}");
    heard.remove(mine);
    let rest: Vec<String> = (CHAT_BURST_MAX..count).map(|number| number.to_string()).collect();
    assert_eq!(heard, rest);
    assert!(began.elapsed() >= 99 * CHAT_PACE, "{:?}", began.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_member_that_reads_nothing_is_dropped_and_does_not_slow_the_room() {
    let services = services();
    let mut ana = OnTime::join(&services, "Ana", true);
    assert_eq!(ana.hear().await["joined"], "Ana");
    let slow = OnTime::join(&services, "Slow", false);
    assert_eq!(ana.hear().await["joined"], "Slow");
    let began = Instant::now();
    let mut has_left = false;
    // Many talkers, since one has a pace.
    let text = "x".repeat(4000);
    let talkers = CHAT_WAITING_BYTES_MAX / (text.len() * CHAT_BURST_MAX as usize) + 1;
    for talker in 0..talkers {
        let talker = OnTime::join(&services, &format!("Talker {talker}"), true);
        for number in 0..CHAT_BURST_MAX {
            talker.say(&format!("{text}{number}"));
        }
        let mut said = 0;
        while said < CHAT_BURST_MAX {
            let event = ana.hear().await;
            said += u32::from(event.get("text").is_some());
            has_left |= event["left"] == "Slow";
        }
    }
    assert!(has_left, "the room does not wait for who reads nothing");
    assert!(began.elapsed() < Duration::from_secs(1), "nor did anybody else");
    slow.ended.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn what_was_said_while_the_server_stood_still_is_heard() {
    let services = services();
    let mut ana = OnTime::join(&services, "Ana", true);
    assert_eq!(ana.hear().await["joined"], "Ana");
    ana.say("is anybody there?");
    // Nobody runs meanwhile, as when a process is stopped and continued.
    tokio::time::advance(2 * PLAIN_SILENCE_MAX).await;
    assert_eq!(ana.hear().await["text"], "is anybody there?");
    ana.say("good");
    assert_eq!(ana.hear().await["text"], "good");
}

#[tokio::test(start_paused = true)]
async fn a_silent_member_is_given_up() {
    let services = services();
    let mut silent = OnTime::join(&services, "Silent", true);
    assert_eq!(closing(&mut silent.to_peer).await.code, 4009);
    silent.ended.await.unwrap();
}
