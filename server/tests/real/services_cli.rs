//! `tequio echo` and `tequio chat` against other people's servers, written here in a few lines each.

use crate::support::{Ran, ended, interrupt, run, run_with, spawn, within};
use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use std::future::pending;
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::net::{TcpListener, TcpStream};
use tokio::process::{Child, ChildStderr, ChildStdin, ChildStdout};
use tokio::sync::{broadcast, mpsc};
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::{Message, protocol::CloseFrame};
use tokio_tungstenite::{WebSocketStream, accept_async};

// ---- Servers ----------------------------------------------------------------------------------

type Socket = WebSocketStream<TcpStream>;

/// A server of which each connection is served by `serve`, with its number. Gives its address.
async fn start<F>(serve: impl Fn(Socket, usize) -> F + Send + 'static) -> String
where
    F: Future<Output = ()> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("ws://{}/any", listener.local_addr().unwrap());
    tokio::spawn(async move {
        for number in 0.. {
            let (socket, _) = listener.accept().await.unwrap();
            let socket = accept_async(socket).await.unwrap();
            tokio::spawn(serve(socket, number));
        }
    });
    url
}

/// The next message, if there is one; pings are answered by the way.
async fn next(socket: &mut Socket) -> Option<Message> {
    loop {
        match socket.next().await?.ok()? {
            message @ (Message::Text(_) | Message::Binary(_)) => return Some(message),
            Message::Close(_) => return None,
            _ => {}
        }
    }
}

async fn echo(mut socket: Socket, _: usize) {
    while let Some(message) = next(&mut socket).await {
        let answer = match message.to_text().unwrap() {
            "bytes" => Message::binary(vec![0; 5]),
            text => Message::text(format!("echo: {text}")),
        };
        socket.send(answer).await.ok();
    }
}

async fn close(mut socket: Socket, code: u16, reason: &'static str) {
    let frame = CloseFrame { code: CloseCode::from(code), reason: reason.into() };
    socket.close(Some(frame)).await.ok();
    while next(&mut socket).await.is_some() {}
}

/// A room of plain text, as any chat server has it, of which the test is a member too.
#[derive(Clone)]
struct Room {
    said: broadcast::Sender<String>,
    /// What was sent, by whoever connected.
    heard: mpsc::UnboundedSender<String>,
}

impl Room {
    fn new() -> (Room, mpsc::UnboundedReceiver<String>) {
        let (heard, hears) = mpsc::unbounded_channel();
        (Room { said: broadcast::channel(1024).0, heard }, hears)
    }

    async fn serve(self, mut socket: Socket) {
        let mut said = self.said.subscribe();
        self.heard.send("(connected)".to_owned()).ok();
        loop {
            tokio::select! {
                text = said.recv() => drop(socket.send(Message::text(text.unwrap())).await),
                message = next(&mut socket) => {
                    let Some(message) = message else { break };
                    let text = message.to_text().unwrap().to_owned();
                    self.heard.send(text.clone()).ok();
                    self.said.send(text).ok();
                }
            }
        }
        self.heard.send("(left)".to_owned()).ok();
    }
}

// ---- Commands ---------------------------------------------------------------------------------

/// A chat under way.
struct Chatting {
    child: Child,
    stdin: Option<ChildStdin>,
    out: Lines<BufReader<ChildStdout>>,
    err: Lines<BufReader<ChildStderr>>,
}

impl Chatting {
    fn start(url: &str, arguments: &[&str]) -> Chatting {
        let mut child = spawn(url, &[&["chat"], arguments].concat());
        Chatting {
            stdin: child.stdin.take(),
            out: BufReader::new(child.stdout.take().unwrap()).lines(),
            err: BufReader::new(child.stderr.take().unwrap()).lines(),
            child,
        }
    }

    async fn say(&mut self, line: &str) {
        let stdin = self.stdin.as_mut().unwrap();
        stdin.write_all(format!("{line}\n").as_bytes()).await.unwrap();
    }

    async fn prints(&mut self, line: &str) {
        assert_eq!(within(self.out.next_line()).await.unwrap().as_deref(), Some(line));
    }

    /// The next line about the chat itself.
    async fn notice(&mut self) -> String {
        within(self.err.next_line()).await.unwrap().expect("a line, not the end")
    }

    /// Ends stdin; gives the code, and what was still printed.
    async fn end(mut self) -> (Option<i32>, String) {
        drop(self.stdin.take());
        let mut rest = String::new();
        while let Some(line) = within(self.out.next_line()).await.unwrap() {
            rest += &(line + "\n");
        }
        (within(self.child.wait()).await.unwrap().code(), rest)
    }
}

#[track_caller]
fn one_line_and_code_1(ran: &Ran) -> &str {
    assert_eq!((ran.code, ran.out.as_str()), (Some(1), ""), "{ran:?}");
    assert_eq!(ran.err.lines().count(), 1, "{ran:?}");
    &ran.err
}

async fn nowhere() -> String {
    // The port is free again.
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    format!("ws://{}/any", listener.local_addr().unwrap())
}

// ---- Echo -------------------------------------------------------------------------------------

#[tokio::test]
async fn a_text_is_sent_and_its_answer_printed() {
    let url = start(echo).await;
    for (text, out) in [
        ("Hola, Servidor!", "> Hola, Servidor!\n< echo: Hola, Servidor!\n"),
        ("bytes", "> bytes\n< (5 bytes)\n"),
        ("", "> \n< echo: \n"),
    ] {
        let ran = run("", &["echo", &url, text]).await;
        assert_eq!((ran.code, ran.out.as_str(), ran.err.as_str()), (Some(0), out, ""));
    }
}

#[tokio::test]
async fn lines_of_stdin_are_answered_one_by_one() {
    let url = start(echo).await;
    let ran = run_with(&url, &["echo"], "uno\r\nexit\n\nñ\u{1b}").await;
    let out =
        "> uno\n< echo: uno\n> exit\n< echo: exit\n> \n< echo: \n> ñ\u{1b}\n< echo: ñ\u{fffd}\n";
    assert_eq!((ran.code, ran.out.as_str(), ran.err.as_str()), (Some(0), out, ""));
}

#[tokio::test]
async fn round_trips_are_counted_and_measured() {
    let url = start(echo).await;
    let ran = run(&url, &["echo", "--count", "20", "--json"]).await;
    let measured: Value = serde_json::from_str(&ran.out).unwrap();
    assert_eq!((&measured["count"], &measured["bytes"]), (&json!(20), &json!(6)), "{ran:?}");
    let ms = |name: &str| measured[name].as_f64().unwrap();
    assert!(0.0 < ms("min_ms") && ms("min_ms") <= ms("median_ms"), "{ran:?}");
    assert!(ms("median_ms") <= ms("p99_ms"), "{ran:?}");
    let ran = run("", &["echo", &url, "ñ", "--count", "3"]).await;
    assert_eq!(ran.code, Some(0));
    assert!(ran.out.starts_with("3 round trips of 2 bytes\nmin "), "{ran:?}");
    for name in ["median", "p99"] {
        assert!(ran.out.contains(name), "{ran:?}");
    }
}

#[tokio::test]
async fn a_server_that_is_not_there_or_closes_is_one_clear_line() {
    let gone = nowhere().await;
    let closes = start(|socket, _| close(socket, 1009, "at most 1 byte")).await;
    let breaks = start(async |socket, _| drop(socket)).await;
    for (url, said) in
        [(&gone, "is the server there"), (&closes, "1009 at most 1 byte"), (&breaks, "1006")]
    {
        let mut ran = run("", &["echo", url, "hola"]).await;
        ran.out = ran.out.replace("> hola\n", "");
        assert!(one_line_and_code_1(&ran).contains(said), "{ran:?}");
    }
    let ran = run("", &["chat", &gone]).await;
    assert!(one_line_and_code_1(&ran).contains("is the server there"), "{ran:?}");
}

#[tokio::test]
async fn a_refusal_is_said_with_its_status_and_sentence() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let asked = Arc::new(Mutex::new(Vec::new()));
    let asks = asked.clone();
    tokio::spawn(async move {
        loop {
            let (mut socket, _) = listener.accept().await.unwrap();
            let mut request = vec![0; 4096];
            let read = socket.read(&mut request).await.unwrap();
            let line = String::from_utf8_lossy(&request[..read]).lines().next().unwrap().to_owned();
            asks.lock().unwrap().push(line);
            let body = r##"{"error":{"code":"bad_name","message":"a name begins without #\n"}}"##;
            let length = body.len();
            let answer =
                format!("HTTP/1.1 400 Bad Request\r\nContent-Length: {length}\r\n\r\n{body}");
            socket.write_all(answer.as_bytes()).await.unwrap();
        }
    });
    for arguments in [&["echo"][..], &["chat", "--name", "#1"]] {
        let ran = run(&url, arguments).await;
        let said = one_line_and_code_1(&ran);
        assert!(said.contains("400 Bad Request a name begins without #"), "{said}");
    }
    let asked = asked.lock().unwrap();
    assert_eq!(asked[0], "GET /echo HTTP/1.1");
    assert_eq!(asked[1], "GET /chat?name=%231&format=json HTTP/1.1");
}

#[tokio::test]
async fn wrong_use_is_code_2() {
    for arguments in [
        &["echo", "Hola"][..],
        &["echo", "ws://x", "a", "--count", "0"],
        &["echo", "ws://x", "a", "--json"],
        &["chat", "ftp://x"],
        &["chat", "--frobnicate"],
    ] {
        let ran = run("ws://127.0.0.1:1", arguments).await;
        assert_eq!((ran.code, ran.out.as_str()), (Some(2), ""), "{ran:?}");
    }
}

/// A server that reads and says nothing.
async fn silent(mut socket: Socket, _: usize) {
    while next(&mut socket).await.is_some() {}
}

#[tokio::test]
async fn a_server_that_never_answers_is_given_up_or_left() {
    let url = start(silent).await;
    let mut waiting = spawn(&url, &["echo", "--count", "1"]);
    interrupt(&mut waiting).await;
    let ran = ended(waiting).await;
    assert!(one_line_and_code_1(&ran).contains("stopped before there was an answer"));
    let mut ran = run("", &["echo", &url, "hola"]).await;
    ran.out = ran.out.replace("> hola\n", "");
    assert!(one_line_and_code_1(&ran).contains("no answer from ws://127.0.0.1:"), "{ran:?}");
}

// ---- Chat -------------------------------------------------------------------------------------

#[tokio::test]
async fn what_one_says_arrives_and_what_the_others_say_is_printed() {
    let (room, mut hears) = Room::new();
    let joined = room.clone();
    let url = start(move |socket, _| joined.clone().serve(socket)).await;
    let mut chat = Chatting::start(&url, &[]);
    assert_eq!(within(hears.recv()).await.unwrap(), "(connected)");
    room.said.send("hi \u{1b}[31mall".to_owned()).unwrap();
    chat.prints("hi \u{fffd}[31mall").await;
    chat.say("hola").await;
    assert_eq!(within(hears.recv()).await.unwrap(), "hola");
    room.said.send("hola".to_owned()).unwrap();
    // One's own is not printed again, but whoever says the same is.
    chat.prints("hola").await;
    chat.say("").await;
    chat.say("adiós").await;
    let (code, rest) = chat.end().await;
    assert_eq!((code, rest.as_str()), (Some(0), ""));
    for heard in ["adiós", "(left)"] {
        assert_eq!(within(hears.recv()).await.unwrap(), heard);
    }
}

#[tokio::test]
async fn a_file_arrives_whole_and_in_order_before_the_chat_is_left() {
    let (room, mut hears) = Room::new();
    let url = start(move |socket, _| room.clone().serve(socket)).await;
    let lines: Vec<String> = (0..500).map(|line| format!("line {line}")).collect();
    let ran = run_with(&url, &["chat"], &lines.join("\n")).await;
    assert_eq!((ran.code, ran.out.as_str(), ran.err.as_str()), (Some(0), "", ""));
    assert_eq!(within(hears.recv()).await.unwrap(), "(connected)");
    for line in lines {
        assert_eq!(within(hears.recv()).await.unwrap(), line);
    }
}

#[tokio::test]
async fn exit_and_ctrl_c_leave_with_code_0() {
    let (room, mut hears) = Room::new();
    let url = start(move |socket, _| room.clone().serve(socket)).await;
    let ran = run_with(&url, &["chat"], "one\n exit \ntwo\n").await;
    assert_eq!((ran.code, ran.err.as_str()), (Some(0), ""));
    let mut chat = Chatting::start(&url, &[]);
    for heard in ["(connected)", "one", "(left)", "(connected)"] {
        assert_eq!(within(hears.recv()).await.unwrap(), heard);
    }
    interrupt(&mut chat.child).await;
    assert_eq!(within(hears.recv()).await.unwrap(), "(left)");
    assert_eq!(within(chat.child.wait()).await.unwrap().code(), Some(0));
}

/// What a room of Tequio's says: a history, who comes and goes, and what is said, with names.
#[tokio::test]
async fn a_room_that_tells_names_is_shown_with_them() {
    let url = start(async |mut socket: Socket, _| {
        let at = "2026-01-02T03:04:05.678Z";
        let said = |from: &str, text: &str| json!({"from": from, "text": text, "at": at});
        let joined = json!({"joined": "Ana", "members": 3, "at": at});
        for event in [said("Eva", "before"), said("Ana", "hola"), joined] {
            socket.send(Message::text(event.to_string())).await.unwrap();
        }
        let heard = next(&mut socket).await.unwrap();
        assert_eq!(heard.to_text().unwrap(), "hola");
        let left = json!({"left": "Eva", "members": 2, "at": at});
        for event in [said("#7", "hola"), said("Ana", "hola"), left] {
            socket.send(Message::text(event.to_string())).await.unwrap();
        }
        while next(&mut socket).await.is_some() {}
    })
    .await;
    let ran = run_with(&url, &["chat", "--name", "Ana"], "hola\n").await;
    let out = "Eva: before\nAna: hola\n* Ana joined (3 here)\n#7: hola\n";
    assert_eq!((ran.code, ran.err.as_str()), (Some(0), ""), "{ran:?}");
    assert!(ran.out.starts_with(out), "{ran:?}");
}

#[tokio::test]
async fn a_server_that_is_lost_is_said_and_connected_to_again() {
    let (room, mut hears) = Room::new();
    let joined = room.clone();
    let url = start(move |socket, number| {
        let room = joined.clone();
        async move {
            match number {
                0 => close(socket, 1001, "the server stops").await,
                1 => drop(socket),
                _ => room.serve(socket).await,
            }
        }
    })
    .await;
    let mut chat = Chatting::start(&url, &[]);
    let notices = ["connection lost (1001 the server stops)", "connected again"];
    for (index, said) in notices.iter().enumerate() {
        let notice = chat.notice().await;
        assert!(notice.starts_with("* ") && notice.contains(said), "{index}: {notice}");
    }
    assert!(chat.notice().await.contains("connection lost (1006"));
    assert!(chat.notice().await.contains("connected again"));
    assert_eq!(within(hears.recv()).await.unwrap(), "(connected)");
    chat.say("still here").await;
    assert_eq!(within(hears.recv()).await.unwrap(), "still here");
    let (code, rest) = chat.end().await;
    assert_eq!((code, rest.as_str()), (Some(0), ""));
}

#[tokio::test]
async fn a_server_that_objects_is_not_come_back_to() {
    for (code, reason) in [(4008, "you read too slowly"), (1003, "text only"), (1008, "no")] {
        let url = start(move |socket, _| close(socket, code, reason)).await;
        let ran = run_with(&url, &["chat"], "hola\n").await;
        assert!(one_line_and_code_1(&ran).contains(&format!("{code} {reason}")), "{ran:?}");
    }
}

#[tokio::test]
async fn a_line_that_is_too_long_is_not_sent_and_that_is_said() {
    let (room, mut hears) = Room::new();
    let url = start(move |socket, _| room.clone().serve(socket)).await;
    let ran = run_with(&url, &["chat"], &format!("{}\nshort\n", "x".repeat(4097))).await;
    assert_eq!((ran.code, ran.out.as_str()), (Some(1), ""), "a program is told by the code");
    assert!(ran.err.starts_with("* not sent (4097 bytes"), "{ran:?}");
    for heard in ["(connected)", "short"] {
        assert_eq!(within(hears.recv()).await.unwrap(), heard);
    }
}

/// A server that reads, says nothing, and answers a goodbye.
async fn mute(mut socket: Socket, _: usize) {
    while next(&mut socket).await.is_some() {}
    // tungstenite has put the answer where it waits for this.
    socket.flush().await.ok();
}

/// A server that reads nothing.
async fn deaf(socket: Socket, _: usize) {
    pending::<()>().await;
    drop(socket);
}

/// A server that does not tell a member of itself is no reason to wait for ever.
#[tokio::test]
async fn a_server_that_returns_nothing_is_left_all_the_same() {
    let url = start(mute).await;
    let ran = run_with(&url, &["chat"], "hola\n").await;
    assert_eq!((ran.code, ran.out.as_str(), ran.err.as_str()), (Some(0), "", ""));
}

#[tokio::test]
async fn what_may_not_have_arrived_is_a_failure() {
    let url = start(deaf).await;
    let ran = run_with(&url, &["chat"], "hola\nadios\n").await;
    assert!(one_line_and_code_1(&ran).contains("2 messages may not have arrived"), "{ran:?}");
}
