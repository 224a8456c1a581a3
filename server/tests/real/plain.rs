//! Plain mode over real sockets: any client in a dozen lines is served, and rubbish from one is
//! nobody else's loss.

use crate::support::{Client, Server, welcome, within};
use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tequio_protocol::limits::{FRAME_BYTES_MAX, REFUSALS_MAX};
use tokio_tungstenite::connect_async;
use tokio_tungstenite::tungstenite::protocol::frame::{
    Frame,
    coding::{CloseCode, Data, OpCode},
};
use tokio_tungstenite::tungstenite::{Bytes, Message};

const RIGHT: &str =
    r#"{"type":"result","task_id":1,"result":3072,"duration_ms":3,"agent":"Test/1.0"}"#;

#[tokio::test]
async fn a_client_in_a_dozen_lines_is_served() {
    let server = Server::start().await;
    let (mut socket, _) = connect_async(format!("ws://{}", server.address)).await.unwrap();
    let task: Value =
        serde_json::from_str(socket.next().await.unwrap().unwrap().to_text().unwrap()).unwrap();
    let result = task["initial"].as_f64().unwrap()
        * task["factor"].as_f64().unwrap().powf(task["times"].as_f64().unwrap());
    let answer = json!({"type": "result", "task_id": task["task_id"], "result": result, "duration_ms": 3, "agent": "Test/1.0"});
    socket.send(Message::text(answer.to_string())).await.unwrap();

    let worker = loop {
        match &server.workers().await[..] {
            [worker] if worker.pulse.results == 1 => break worker.clone(),
            [_] => tokio::task::yield_now().await,
            workers => panic!("one worker, not {workers:?}"),
        }
    };
    assert_eq!((worker.pulse.id.0, worker.path.as_str()), (1, "/"));
    assert_eq!(worker.agent.as_deref(), Some("Test/1.0"));
    assert_eq!((worker.pulse.tasks, worker.pulse.refused), (1, 0));
}

#[tokio::test]
async fn the_task_is_to_the_letter_on_both_paths() {
    let server = Server::start().await;
    for path in ["", "/", "/ws"] {
        let url = format!("ws://{}{path}", server.address);
        let (mut socket, _) = connect_async(url).await.unwrap();
        let frame = within(socket.next()).await.unwrap().unwrap();
        assert_eq!(
            frame.to_text().unwrap(),
            r#"{"type":"task","op":"repeat_multiply","task_id":1,"initial":3.0,"factor":2.0,"times":10}"#
        );
    }
}

#[tokio::test]
async fn three_connections_are_three_workers_with_a_task_each() {
    let server = Server::start().await;
    let mut clients = Vec::new();
    for _ in 0..3 {
        clients.push(Client::connect(&server).await);
    }
    for client in &mut clients {
        assert_eq!(client.receive().await["task_id"], 1);
    }
    let ids: Vec<u64> = server.workers().await.iter().map(|worker| worker.pulse.id.0).collect();
    assert_eq!(ids, [1, 2, 3]);
}

/// What a worker may send wrongly, and the code of the answer; `None` is what is ignored.
const RUBBISH: &[(&str, Option<&str>)] = &[
    ("", None),
    ("hello", None),
    ("[1,2]", None),
    (r#"{"type":"result","task_id":1,"result":NaN}"#, None),
    (r#"{"type":"chat","text":"hi"}"#, None),
    (r#"{"type":"result","task_id":1}"#, Some("bad_result")),
    (r#"{"type":"result","task_id":1,"result":"3072"}"#, Some("bad_result")),
    (r#"{"type":"result","task_id":1,"result":[3072]}"#, Some("bad_result")),
    (r#"{"type":"result","task_id":"one","result":3072}"#, Some("bad_result")),
    (r#"{"type":"result","task_id":1,"result":3072,"duration_ms":-1}"#, Some("bad_result")),
    (r#"{"type":"result","task_id":1,"result":3073}"#, Some("wrong_result")),
    (r#"{"type":"result","task_id":1,"result":null}"#, Some("wrong_result")),
    (r#"{"type":"result","task_id":1,"result":"NaN"}"#, Some("wrong_result")),
    (r#"{"type":"result","task_id":2,"result":3072}"#, Some("unknown_task")),
];

#[tokio::test]
async fn rubbish_is_answered_or_ignored_and_nobody_elses_loss() {
    let server = Server::start().await;
    let mut other = Client::connect(&server).await;
    other.receive().await;
    let mut client = Client::connect(&server).await;
    client.receive().await;

    for (text, _) in RUBBISH {
        client.send(text).await;
    }
    client.0.send(Message::binary(vec![1, 2, 3])).await.unwrap();
    let expected = RUBBISH.iter().filter_map(|(_, code)| *code).chain(["binary_frame"]);
    // What a session refuses by itself overtakes what the dispatcher refuses.
    let mut expected: Vec<&str> = expected.collect();
    let mut got = Vec::new();
    for _ in 0..expected.len() {
        let answer = client.receive().await;
        assert_eq!(answer["type"], "error");
        assert!(!answer["message"].as_str().unwrap().is_empty());
        got.push(answer["code"].as_str().unwrap().to_owned());
    }
    expected.sort_unstable();
    got.sort_unstable();
    assert_eq!(got, expected);

    client.send(RIGHT).await;
    client.send(RIGHT).await;
    let answer = client.receive().await;
    assert_eq!(answer["code"], "unknown_task", "the second is a repetition: {answer}");
    other.send(RIGHT).await;
    other.send(RIGHT).await;
    assert_eq!(other.receive().await["code"], "unknown_task");
    let workers = server.workers().await;
    assert_eq!(workers.iter().map(|worker| worker.pulse.results).collect::<Vec<_>>(), [1, 1]);
    assert_eq!(workers[1].pulse.refused as usize, RUBBISH.len() + 2);
}

#[tokio::test]
async fn null_stands_for_a_number_that_json_cannot_hold() {
    let server = Server::start_with(Some(welcome(1.0, 2.0, 5000))).await;
    for answer in ["null", "\"Infinity\""] {
        let mut client = Client::connect(&server).await;
        client.receive().await;
        let text = format!(r#"{{"type":"result","task_id":1,"result":{answer}}}"#);
        client.send(&text).await;
        client.send(&text).await;
        assert_eq!(client.receive().await["code"], "unknown_task", "{answer} was right");
    }
}

#[tokio::test]
async fn without_a_welcome_nothing_is_sent() {
    let server = Server::start_with(None).await;
    let mut client = Client::connect(&server).await;
    client.send(RIGHT).await;
    assert_eq!(client.receive().await["code"], "unknown_task", "the first frame is an answer");
}

#[tokio::test]
async fn a_frame_over_the_limit_closes_with_1009() {
    let server = Server::start().await;
    let mut client = Client::connect(&server).await;
    client.0.send(Message::text(" ".repeat(FRAME_BYTES_MAX + 1))).await.unwrap();
    let closing = client.closing().await;
    assert_eq!(closing.code, CloseCode::Size);
    assert!(closing.reason.contains("limit"), "{}", closing.reason);
}

#[tokio::test]
async fn text_that_is_not_utf_8_closes_with_1007() {
    let server = Server::start().await;
    let mut client = Client::connect(&server).await;
    let bytes = Bytes::from_static(b"\xff\xfe");
    let frame = Frame::message(bytes, OpCode::Data(Data::Text), true);
    client.0.send(Message::Frame(frame)).await.unwrap();
    assert_eq!(client.closing().await.code, CloseCode::Invalid);
}

#[tokio::test]
async fn what_is_ignored_is_never_fatal() {
    let server = Server::start().await;
    let mut client = Client::connect(&server).await;
    client.receive().await;
    for _ in 0..2 * REFUSALS_MAX {
        client.0.feed(Message::text("rubbish")).await.unwrap();
    }
    client.send(RIGHT).await;
    client.send(RIGHT).await;
    assert_eq!(client.receive().await["code"], "unknown_task", "the first one was right");
}

#[tokio::test]
async fn endless_refusals_are_closed_whoever_refuses() {
    let server = Server::start().await;
    for refused in [r#"{"type":"result"}"#, r#"{"type":"result","task_id":1,"result":1}"#] {
        let mut client = Client::connect(&server).await;
        for _ in 0..=REFUSALS_MAX {
            client.send(refused).await;
            // Reading is what keeps the outbox from overflowing first.
            client.next().await;
        }
        assert_eq!(u16::from(client.closing().await.code), 4010, "{refused}");
    }
}

#[tokio::test]
async fn a_close_is_answered() {
    let server = Server::start().await;
    let mut client = Client::connect(&server).await;
    client.0.close(None).await.unwrap();
    loop {
        match within(client.0.next()).await {
            Some(Ok(Message::Close(_))) => break,
            Some(Ok(_)) => {}
            other => panic!("no closing frame, but {other:?}"),
        }
    }
}

#[tokio::test]
async fn a_client_that_vanishes_is_forgotten() {
    let server = Server::start().await;
    let client = Client::connect(&server).await;
    let stays = Client::connect(&server).await;
    drop(client);
    within(async {
        while server.workers().await.len() > 1 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    assert_eq!(server.workers().await[0].pulse.id.0, 2);
    drop(stays);
}

#[tokio::test]
async fn stopping_closes_every_socket_with_1001() {
    let server = Server::start().await;
    let mut clients = Vec::new();
    for _ in 0..20 {
        let mut client = Client::connect(&server).await;
        client.receive().await;
        clients.push(client);
    }
    let closings = tokio::spawn(async move {
        for client in &mut clients {
            assert_eq!(client.closing().await.code, CloseCode::Away);
        }
    });
    server.stop().await;
    within(closings).await.unwrap();
}

#[tokio::test]
async fn http_answers_have_a_status_a_code_and_a_sentence() {
    let server = Server::start().await;
    let (status, health) = server.get("/healthz").await;
    assert_eq!((status, &health["status"]), (200, &json!("ok")));
    assert_eq!(server.get("/api/workers").await, (200, json!([])));
    for (path, expected, code) in [
        ("/api/nothing", 404, "not_found"),
        ("/nothing.html", 404, "not_found"),
        ("/../Cargo.toml", 404, "not_found"),
        ("/ws", 426, "not_a_websocket"),
    ] {
        let (status, body) = server.get(path).await;
        assert_eq!((status, body["error"]["code"].as_str()), (expected, Some(code)), "{path}");
        assert!(body["error"]["message"].as_str().is_some_and(|message| message.len() > 10));
    }
}
