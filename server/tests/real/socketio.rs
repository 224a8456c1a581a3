//! `/socket.io/`, as its clients meet it: packets over polling and over WebSockets.

use crate::support::{Answer, Client, Server, Tequio, Worker, http, until, within};
use futures_util::SinkExt;
use reqwest::{Body, Method};
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::time::Duration;
use tequio::web::Who;
use tequio_protocol::limits::{FRAME_BYTES_MAX, SOCKETIO_BODY_BYTES_MAX};
use tokio_tungstenite::connect_async;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;

/// What separates packets in the body of a request or an answer.
const SEPARATOR: char = '\x1e';

/// A client that polls.
struct Polling {
    http: reqwest::Client,
    url: String,
    sid: String,
}

impl Polling {
    /// After the handshake of Engine.IO.
    async fn open(address: SocketAddr) -> Polling {
        let url = format!("http://{address}/socket.io/?EIO=4&transport=polling");
        let http = http();
        let answer = Answer::of(http.get(&url)).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        let open: Value = serde_json::from_str(answer.text.strip_prefix('0').unwrap()).unwrap();
        assert_eq!((&open["pingInterval"], &open["pingTimeout"]), (&json!(20000), &json!(30000)));
        assert_eq!(
            (&open["upgrades"], &open["maxPayload"]),
            (&json!(["websocket"]), &json!(SOCKETIO_BODY_BYTES_MAX))
        );
        Polling { http, url, sid: open["sid"].as_str().unwrap().to_owned() }
    }

    /// In the namespace.
    async fn connect(address: SocketAddr) -> Polling {
        let client = Polling::open(address).await;
        client.say("40").await;
        client.hear("40{").await;
        client
    }

    fn url(&self) -> String {
        format!("{}&sid={}", self.url, self.sid)
    }

    async fn post(&self, body: impl Into<Body>) -> Answer {
        Answer::of(self.http.post(self.url()).body(body)).await
    }

    async fn say(&self, packets: &str) {
        let answer = self.post(packets.to_owned()).await;
        assert_eq!((answer.status, answer.text.as_str()), (200, "ok"));
    }

    /// What there is.
    async fn poll(&self) -> Answer {
        Answer::of(self.http.get(self.url())).await
    }

    /// The packets of the next answer; pings are answered.
    async fn packets(&self) -> Vec<String> {
        let answer = self.poll().await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        let packets: Vec<String> = answer.text.split(SEPARATOR).map(str::to_owned).collect();
        if packets.iter().any(|packet| packet == "2") {
            self.say("3").await;
        }
        packets
    }

    /// The first packet that begins with `start`.
    async fn hear(&self, start: &str) -> String {
        loop {
            let packets = self.packets().await;
            if let Some(packet) = packets.into_iter().find(|packet| packet.starts_with(start)) {
                return packet;
            }
        }
    }
}

fn websocket_url(address: SocketAddr) -> String {
    format!("ws://{address}/socket.io/?EIO=4&transport=websocket")
}

/// A client with a WebSocket, in the namespace.
async fn connect(address: SocketAddr) -> Client {
    let mut client = Client::connect_to(&websocket_url(address)).await;
    assert!(hear(&mut client, "0{").await.contains("\"upgrades\":[]"));
    client.send("40").await;
    hear(&mut client, "40{\"sid\":").await;
    client
}

/// The first packet that begins with `start`; pings are answered.
async fn hear(client: &mut Client, start: &str) -> String {
    loop {
        match client.next().await {
            Message::Text(text) if text.starts_with(start) => return text.to_string(),
            Message::Text(text) if text.as_str() == "2" => client.send("3").await,
            Message::Text(_) => {}
            other => panic!("expected {start}, got {other:?}"),
        }
    }
}

/// The first event of that name that `is_it` says it is.
async fn event(client: &mut Client, name: &str, is_it: impl Fn(&Value) -> bool) -> Value {
    loop {
        let packet = hear(client, &format!("42[\"{name}\",")).await;
        let mut event: Value = serde_json::from_str(&packet[2..]).unwrap();
        if is_it(&event[1]) {
            return event[1].take();
        }
    }
}

/// Whether a client is served as ever.
async fn is_well(client: &mut Client) {
    client.send(r#"427["message","still here"]"#).await;
    assert_eq!(hear(client, "437").await, r#"437[{"status":"ok"}]"#);
}

fn grid(times: &str) -> String {
    json!({"op": "repeat_multiply", "grid": {"initial": 1, "factor": 1.5, "times": times}})
        .to_string()
}

#[tokio::test]
async fn a_message_is_logged_and_acknowledged_over_either_transport() {
    let mut tequio = Tequio::serve(&[]).await;
    let polling = Polling::connect(tequio.address()).await;
    let sid = polling.sid.clone();
    tequio.line_with(&format!("socket.io {sid} connected from 127.0.0.1:")).await;
    assert!(tequio.line_with("Connected to socket.io").await.contains(&format!("(1): {sid}")));
    polling.say(r#"420["message","hola"]"#).await;
    assert_eq!(polling.hear("43").await, r#"430[{"status":"ok"}]"#);
    tequio.line_with(&format!(r#"[socket.io {sid}] message "hola""#)).await;

    let mut client = connect(tequio.address()).await;
    tequio.line_with("Connected to socket.io (2): ").await;
    client.send(r#"42["message",{"any":[1,null,"\u001b[31m"]},2,true]"#).await;
    tequio.line_with(r#"message {"any":[1,null,"\u001b[31m"]}, 2, true"#).await;
    client.send(r#"451-12["message",{"_placeholder":true,"num":0}]"#).await;
    client.0.send(Message::binary(vec![1, 2, 3])).await.unwrap();
    assert_eq!(hear(&mut client, "43").await, r#"4312[{"status":"ok"}]"#);
    tequio.line_with("with 1 attachment of 3 bytes").await;
    client.send(r#"423["message"]"#).await;
    assert_eq!(hear(&mut client, "43").await, r#"433[{"status":"ok"}]"#);

    polling.say("41").await;
    tequio.line_with(&format!("socket.io {sid} disconnected (the client said goodbye)")).await;
    tequio.line_with("Connected to socket.io (1): ").await;
    drop(client);
    tequio.line_with("Connected to socket.io (0)").await;
}

/// Events as clients write them, and how the console shows them.
const NAMES: &[(&str, &str)] = &[
    // Python escapes what is not ASCII.
    (r#"["ma\u00f1ana","\u00a1hola!"]"#, r#"mañana "¡hola!""#),
    (r#"["mañana"]"#, "mañana"),
    (r#"["other",1]"#, "other 1"),
    (r#"["\u006d\u0065ssage","escaped"]"#, r#"message "escaped""#),
    (r#"["\ud83d\ude00 hola",{"a":"\ud83d\ude00"}]"#, r#"😀 hola {"a":"😀"}"#),
    (r#"["dice \"hola\"",2]"#, r#"dice "hola" 2"#),
    (r#"["C:\\temp\\","a\\"]"#, r#"C:\temp\ "a\\""#),
    (r#"["a\/b","c\/d"]"#, r#"a/b "c/d""#),
    (r#"["line\nfeed\u001b[31m"]"#, "line\u{fffd}feed\u{fffd}[31m"),
    (r#"["half \ud83d"]"#, "half \u{fffd}"),
    (r#"["",3]"#, r#""" 3"#),
    (r#"[42,"a number"]"#, r#"42 "a number""#),
    (r#"["connect",4]"#, "connect 4"),
    (r#"["disconnect",5]"#, "disconnect 5"),
    (r#"["constructor","__proto__"]"#, r#"constructor "__proto__""#),
];

#[tokio::test]
async fn an_event_of_any_name_is_logged_and_acknowledged() {
    let mut tequio = Tequio::serve(&[]).await;
    let polling = Polling::connect(tequio.address()).await;
    let mut client = connect(tequio.address()).await;
    let long = "ñ\\u00f1".repeat(4096 / 8);
    let long = [(format!("[\"{long}\",1]"), "ññññ".to_owned())];
    let names = NAMES.iter().map(|(event, line)| (event.to_string(), line.to_string()));
    for (number, (event, line)) in names.chain(long).enumerate() {
        let acknowledged = format!(r#"43{number}[{{"status":"ok"}}]"#);
        polling.say(&format!("42{number}{event}")).await;
        assert_eq!(polling.hear("43").await, acknowledged, "{event}");
        tequio.line_with(&format!("] {line}")).await;
        client.send(&format!("42{number}{event}")).await;
        assert_eq!(hear(&mut client, "43").await, acknowledged, "{event}");
        tequio.line_with(&format!("] {line}")).await;
    }
    // With attachments, which come after it.
    client.send(r#"451-77["canci\u00f3n",{"_placeholder":true,"num":0}]"#).await;
    client.0.send(Message::binary(vec![1, 2, 3])).await.unwrap();
    assert_eq!(hear(&mut client, "43").await, r#"4377[{"status":"ok"}]"#);
    tequio.line_with("] canción ").await;
    let attached = "451-78[\"canci\\u00f3n\",{\"_placeholder\":true,\"num\":0}]\u{1e}bAQID";
    polling.say(attached).await;
    assert_eq!(polling.hear("43").await, r#"4378[{"status":"ok"}]"#);
    tequio.line_with("with 1 attachment of 3 bytes").await;
}

#[tokio::test]
async fn what_node_takes_is_taken_over_polling_and_more_is_refused_in_words() {
    let mut tequio = Tequio::serve(&[]).await;
    let base64 = |bytes: usize| format!("b{}", "AAAA".repeat(bytes.div_ceil(3)));
    let event = r#"451-7["message",{"_placeholder":true,"num":0}]"#;
    for bytes in [786_432, 1_000_000, FRAME_BYTES_MAX - 3] {
        let polling = Polling::connect(tequio.address()).await;
        polling.say(&format!("{event}{SEPARATOR}{}", base64(bytes))).await;
        assert_eq!(polling.hear("43").await, r#"437[{"status":"ok"}]"#, "{bytes}");
        polling.say("41").await;
    }
    let polling = Polling::connect(tequio.address()).await;
    let body = format!("{event}{SEPARATOR}{}", base64(FRAME_BYTES_MAX + 100_000));
    assert_eq!(polling.post(body).await.status, 413);
    let refused = format!("(it sent a request of more than {SOCKETIO_BODY_BYTES_MAX} bytes)");
    tequio.line_with(&refused).await;

    // Over a WebSocket it is closed with a reason, whether the message is text or bytes.
    let text = Message::text(format!("42[\"message\",\"{}\"]", "x".repeat(FRAME_BYTES_MAX)));
    for message in [text, Message::binary(vec![0; FRAME_BYTES_MAX + 1])] {
        let mut client = connect(tequio.address()).await;
        client.send(r#"420["message","first"]"#).await;
        assert_eq!(hear(&mut client, "43").await, r#"430[{"status":"ok"}]"#);
        client.0.send(message).await.unwrap();
        assert_eq!(client.closing().await.code, CloseCode::Size);
        tequio.line_with("disconnected (it sent a message of more than 1048576 bytes)").await;
    }
}

#[tokio::test]
async fn the_client_library_is_served_as_nodes_server_does() {
    let server = Server::start().await;
    let scripts = ["socket.io.js", "socket.io.min.js", "socket.io.esm.min.js"];
    for script in scripts.into_iter().chain(["socket.io.msgpack.min.js"]) {
        let request = server.request(Method::GET, &format!("/socket.io/{script}"));
        let answer = Answer::of(request.header("origin", "https://elsewhere.example")).await;
        assert_eq!(answer.header("access-control-allow-origin"), Some("*"), "{script}");
        assert_eq!(answer.header("cross-origin-resource-policy"), None, "{script}");
        // A server that was built without its page has none.
        if answer.status == 503 {
            assert_eq!(answer.refusal().1, "no_page");
            continue;
        }
        assert_eq!((answer.status, answer.header("content-type")), (200, Some("text/javascript")));
        assert!(answer.text.contains("Socket.IO v4") && answer.header("etag").is_some());
    }
    for nothing in ["socket.io.min.js.map", "index.html", "..%2Findex.html", "%ff"] {
        let answer =
            Answer::of(server.request(Method::GET, &format!("/socket.io/{nothing}"))).await;
        assert!([400, 404].contains(&answer.status), "{nothing}: {}", answer.status);
    }
    let posted = server.post("/socket.io/socket.io.js", "").await;
    assert_eq!(posted.refusal(), (405, "method_not_allowed".to_owned()));
}

#[tokio::test]
async fn a_flood_is_acknowledged_in_order_and_not_all_of_it_is_logged() {
    let mut tequio = Tequio::serve(&[]).await;
    let mut client = connect(tequio.address()).await;
    for number in 0..500 {
        client.send(&format!(r#"42{number}["message",{number}]"#)).await;
    }
    for number in 0..500 {
        assert_eq!(hear(&mut client, "43").await, format!(r#"43{number}[{{"status":"ok"}}]"#));
    }
    client.send("41").await;
    tequio.line_with("] received ").await;
}

#[tokio::test]
async fn a_client_that_polls_changes_over_to_a_websocket() {
    let server = Server::start().await;
    let polling = Polling::connect(server.address).await;
    let url = format!("{}&sid={}", websocket_url(server.address), polling.sid);
    let mut client = Client::connect_to(&url).await;
    client.send("2probe").await;
    assert_eq!(hear(&mut client, "3").await, "3probe");
    client.send("5").await;
    is_well(&mut client).await;
    let refused = polling.poll().await;
    assert_eq!(refused.status, 400, "it is a WebSocket now: {}", refused.text);
}

#[tokio::test]
async fn clients_of_before_2020_are_taken_too() {
    let server = Server::start().await;
    let url = "/socket.io/?EIO=3&transport=polling";
    let open = server.get_text(url).await;
    let (length, packet) = open.split_once(":0").unwrap();
    assert_eq!(length.parse::<usize>().unwrap(), packet.len() + 1);
    let open: Value = serde_json::from_str(packet).unwrap();
    let url = format!("{url}&sid={}", open["sid"].as_str().unwrap());
    assert_eq!(server.get_text(&url).await, "2:40");
    assert_eq!(server.post(&url, r#"20:420["message","old"]"#).await.text, "ok");
    assert!(server.get_text(&url).await.contains(r#"430[{"status":"ok"}]"#));
    assert_eq!(server.post(&url, r#"18:421["ma\u00f1ana"]"#).await.text, "ok");
    assert!(server.get_text(&url).await.contains(r#"431[{"status":"ok"}]"#));
}

#[tokio::test]
async fn whoever_joins_is_told_of_jobs_workers_and_results() {
    let server = Server::start().await;
    let old = server.submit("/api/jobs", grid("0..40")).await;
    let mut client = connect(server.address).await;
    client.send(r#"42["join"]"#).await;
    assert_eq!(event(&mut client, "job", |_| true).await["id"], old);

    let worker = Worker::start(&server);
    let told = event(&mut client, "worker", |worker| worker["slots"] == 2).await;
    assert_eq!((&told["id"], &told["kind"]), (&json!(1), &json!("native")));
    let result = event(&mut client, "result", |result| result["job"] == old).await;
    let index = result["index"].as_u64().unwrap();
    assert_eq!(result["result"], 1.5_f64.powi(index as i32));
    assert!(result["agent"].as_str().unwrap().starts_with("tequio/"));

    // What is beyond JSON's numbers is a string.
    let infinite = server.submit("/api/jobs", grid("100000")).await;
    let result = event(&mut client, "result", |result| result["job"] == infinite).await;
    assert_eq!(result["result"], "Infinity");
    event(&mut client, "job", |job| job["id"] == infinite && job["state"] == "done").await;
    // Its view is whole, though pages are told of what changes.
    server.submit("/api/jobs", grid("0..40")).await;
    let told = event(&mut client, "worker", |worker| worker["results"].as_u64() > Some(42)).await;
    assert_eq!((&told["slots"], &told["path"]), (&json!(2), &json!("/ws")));

    worker.stop().await;
    assert_eq!(event(&mut client, "worker", |worker| worker["left"] == true).await["id"], 1);
    let removed = server.request(Method::DELETE, "/api/jobs/1").send().await.unwrap();
    assert_eq!(removed.status(), 204);
    let told = event(&mut client, "job", |job| job["removed"] == true).await;
    assert_eq!(told, json!({"id": 1, "removed": true}));
}

#[tokio::test]
async fn nobody_who_has_joined_costs_nothing() {
    let server = Server::start().await;
    let mut client = connect(server.address).await;
    let is_watched = async || server.metric("tequio_pages_watching").await == 1;
    is_well(&mut client).await;
    assert!(!is_watched().await);
    client.send(r#"428["join"]"#).await;
    until(async || is_watched().await.then_some(())).await;
    client.send(r#"429["leave"]"#).await;
    until(async || (!is_watched().await).then_some(())).await;
    // Whoever joins again begins anew, and may vanish without a word.
    server.submit("/api/jobs", grid("0..40")).await;
    client.send(r#"42["join"]"#).await;
    event(&mut client, "job", |job| job["id"] == 1).await;
    drop(client);
    until(async || (!is_watched().await).then_some(())).await;
}

#[tokio::test]
async fn who_polls_is_told_no_more_at_once_than_pythons_clients_take() {
    let server = Server::start().await;
    for _ in 0..24 {
        server.submit("/api/jobs", grid("0..40")).await;
    }
    let client = Polling::connect(server.address).await;
    client.say(r#"42["join"]"#).await;
    let mut told = 0;
    while told < 24 {
        let packets = client.packets().await;
        assert!(packets.len() <= 16, "{} packets", packets.len());
        told += packets.iter().filter(|packet| packet.starts_with(r#"42["job""#)).count();
    }
}

#[tokio::test]
async fn a_page_of_nobodys_is_acknowledged_and_told_of_nothing_else() {
    let local = Server::start().await;
    for (server, origin, is_told) in [
        (&local, Some("null"), false),
        (&local, Some("http://localhost:5500"), true),
        (&local, None, true),
    ] {
        let mut request = websocket_url(server.address).into_client_request().unwrap();
        if let Some(origin) = origin {
            request.headers_mut().insert("Origin", origin.parse().unwrap());
        }
        let mut client = Client(Box::pin(within(connect_async(request))).await.unwrap().0);
        client.send("40").await;
        hear(&mut client, "40{\"sid\":").await;
        let mut other = connect(server.address).await;
        other.send(r#"42["join"]"#).await;
        client.send(r#"421["join"]"#).await;
        let answer = hear(&mut client, "431").await;
        assert_eq!(answer.contains(r#""status":"ok""#), is_told, "{origin:?}: {answer}");
        assert_eq!(answer.contains("origin null"), !is_told, "{origin:?}: {answer}");
        let open = server.request(Method::POST, "/api/jobs").body(grid("0..3"));
        let id = Answer::of(open.header("Tequio-Token", "secret")).await.json()["id"].clone();
        if is_told {
            event(&mut client, "job", |job| job["id"] == id).await;
        } else {
            // Others are told at the same time.
            event(&mut other, "job", |job| job["id"] == id).await;
            client.send(r#"427["message","hola"]"#).await;
            assert_eq!(hear(&mut client, "4").await, r#"437[{"status":"ok"}]"#);
        }
        is_well(&mut client).await;
    }
}

#[tokio::test]
async fn pages_of_foreign_origins_are_refused_and_others_may_read_what_they_are_answered() {
    let lan = Who {
        is_loopback: false,
        allowed_origins: vec!["https://lab.example".parse().unwrap()],
        operator_token: Some("secret".to_owned()),
        ..Who::default()
    };
    let loopback = Server::start().await;
    let lan = Server::start_for(lan).await;
    let own = loopback.url();
    let table = [
        (&loopback, "null", true),
        (&loopback, "http://localhost:3000", true),
        (&loopback, own.as_str(), true),
        (&loopback, "https://evil.example", false),
        (&lan, "https://lab.example", true),
        (&lan, "http://localhost:3000", false),
        (&lan, "null", false),
    ];
    for (server, origin, is_accepted) in table {
        let client = Polling::open(server.address).await;
        let path = format!("/socket.io/?EIO=4&transport=polling&sid={}", client.sid);
        for method in [Method::OPTIONS, Method::POST, Method::GET] {
            let about = format!("{method} from {origin}");
            let request = server.request(method.clone(), &path).header("origin", origin);
            let request = request.header("access-control-request-headers", "x-lab").body("40");
            let answer = Answer::of(request).await;
            let shared = answer.header("access-control-allow-origin");
            if !is_accepted {
                assert_eq!(answer.refusal(), (403, "foreign_origin".to_owned()), "{about}");
                assert_eq!(shared, None, "{about}");
                continue;
            }
            assert_eq!(shared, Some(origin), "{about}: {}", answer.text);
            assert_eq!(answer.header("access-control-allow-credentials"), Some("true"));
            assert_eq!(answer.header("vary"), Some("origin"));
            assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
            assert_eq!(answer.status, if method == Method::OPTIONS { 204 } else { 200 });
        }
        let handshake = server.request(Method::GET, "/socket.io/?EIO=4&transport=polling");
        let answer = Answer::of(handshake.header("origin", origin)).await;
        assert_eq!(answer.status == 200, is_accepted, "a handshake from {origin}");
    }
    // It is here only.
    let request = loopback.request(Method::GET, "/api/jobs").header("origin", "null");
    assert_eq!(Answer::of(request).await.header("access-control-allow-origin"), None);
}

#[tokio::test]
async fn rubbish_is_answered_and_nobody_else_notices() {
    let server = Server::start().await;
    let mut other = connect(server.address).await;
    let over = "x".repeat(SOCKETIO_BODY_BYTES_MAX);
    for (body, status) in [
        (Body::from("rubbish"), 400),
        (Body::from("9"), 400),
        (Body::from("4\u{1e}\u{1e}"), 400),
        (Body::from(vec![b'4', b'2', 0xff, 0xfe]), 400),
        (Body::from(format!("42[\"message\",\"{over}\"]")), 413),
        (Body::from("b!!!"), 400),
        // As packets they are right; as Socket.IO they are not, which ends the session.
        (Body::from("4"), 200),
        (Body::from("42[\"message\""), 200),
        (Body::from("42{}"), 200),
        (Body::from("4299999999999999999999[\"message\"]"), 200),
        (Body::from("4510001-[\"message\"]"), 200),
        (Body::from("45-"), 200),
        (Body::from("43"), 200),
        (Body::from("44{}"), 200),
        (Body::from("42/é,[\"é\"]"), 200),
        (Body::from("40/nowhere,"), 200),
    ] {
        let client = Polling::connect(server.address).await;
        let about = format!("{body:?}");
        assert_eq!(client.post(body).await.status, status, "{about}");
        is_well(&mut other).await;
    }
    let unknown = |sid: &str| format!("/socket.io/?EIO=4&transport=polling&sid={sid}");
    for path in [
        &unknown("AAAAAAAAAAAAAAAA"),
        &unknown("%ff"),
        "/socket.io/",
        "/socket.io/?EIO=5&transport=polling",
        "/socket.io/?EIO=4&transport=carrier-pigeon",
    ] {
        assert_eq!(server.get(path).await.0, 400, "{path}");
        assert_eq!(server.post(path, "40").await.status, 400, "{path}");
    }
    for frame in [
        Message::text("rubbish"),
        Message::text(format!("42[\"message\",\"{over}\"]")),
        Message::binary(vec![1, 2, 3]),
    ] {
        let mut client = connect(server.address).await;
        // It may be closed before it has sent all of it.
        client.0.send(frame).await.ok();
        ended(&mut client).await;
        is_well(&mut other).await;
    }
    let page = Answer::of(server.request(Method::GET, "/")).await;
    assert!(page.text.starts_with("<!doctype html>"), "{}", page.text);
    let nothing = server.get("/api/socket.io").await;
    assert_eq!((nothing.0, &nothing.1["error"]["code"]), (404, &json!("not_found")));
}

/// Waits until a WebSocket is closed, or cut off.
async fn ended(client: &mut Client) {
    use futures_util::StreamExt;
    while let Some(Ok(_)) = within(client.0.next()).await {}
}

#[tokio::test]
async fn a_server_that_stops_says_so_and_waits_for_no_poll() {
    let server = Server::start().await;
    let mut client = connect(server.address).await;
    let polling = Polling::connect(server.address).await;
    polling.say(r#"42["join"]"#).await;
    // It has no namespace yet: only the poll knows of it.
    let silent = Polling::open(server.address).await;
    assert_eq!(silent.poll().await.text, "2");
    // Whichever poll comes too late finds nobody there.
    let polls = [polling, silent].map(|client| {
        tokio::spawn(async move {
            let get = || async { client.http.get(client.url()).send().await };
            while let Ok(answer) = within(get()).await
                && answer.status() == 200
            {
                answer.text().await.unwrap();
            }
        })
    });
    // Of a client that polls, a poll is mostly there by now.
    tokio::time::sleep(Duration::from_millis(250)).await;
    server.stop().await;
    assert_eq!(client.closing().await.code, CloseCode::Away);
    for poll in polls {
        within(poll).await.unwrap();
    }
}
