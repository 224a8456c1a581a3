//! The binary as a person runs it: what its console says, and how it ends.

use crate::support::{Answer, Client, Tequio, Worker, binary, http, interrupt, until, within};
use futures_util::SinkExt;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;

#[tokio::test]
async fn the_console_tells_what_happens() {
    let mut tequio = Tequio::serve(&["--welcome", "1.0000054,1.00000043,1000000"]).await;
    let mut client = Client::connect_to(&tequio.url).await;
    let line = tequio.line_with("#1 connected from 127.0.0.1:").await;
    assert!(line.ends_with(" path=/"), "{line}");
    tequio.line_with("Connected (1): #1 127.0.0.1:").await;
    tequio.line_with("[#1] task sent task_id=1").await;
    client.receive().await;
    client
        .send(r#"{"type":"result","task_id":1,"result":1.5372656826974733,"duration_ms":3,"agent":"Mozilla/5.0 \u001b[31mred\nINFO forged"}"#)
        .await;
    let line = tequio.line_with("[#1] result").await;
    let expected = "[#1] result task_id=1 result=1.5372656826974733 duration_ms=3 \
        agent=Mozilla/5.0 \u{fffd}[31mred\u{fffd}INFO forged";
    assert!(line.ends_with(expected), "{line}");
    client.send("rubbish").await;
    tequio.line_with("[#1] ignored: no message").await;
    client.0.close(None).await.unwrap();
    tequio.line_with("#1 disconnected (1005 no status)").await;
    tequio.line_with("Connected (0)").await;
}

#[tokio::test]
async fn control_c_closes_every_socket_with_1001_and_exits_0() {
    let mut tequio = Tequio::serve(&[]).await;
    let mut client = Client::connect_to(&tequio.url).await;
    let closing = tokio::spawn(async move { client.closing().await });
    tequio.line_with("[#1] task sent").await;
    let status = tequio.interrupt().await;
    assert_eq!(status.code(), Some(0));
    assert_eq!(closing.await.unwrap().code, CloseCode::Away);
}

#[tokio::test]
async fn no_welcome_sends_no_task() {
    let mut tequio = Tequio::serve(&["--no-welcome"]).await;
    let mut client = Client::connect_to(&tequio.url).await;
    client.send(r#"{"type":"result","task_id":1,"result":1}"#).await;
    assert_eq!(client.receive().await["code"], "unknown_task");
    tequio.line_with("[#1] result refused: task 1 is not waited for").await;
}

#[tokio::test]
async fn a_demo_goes_on_for_as_long_as_somebody_computes() {
    let mut tequio = Tequio::serve(&["--demo"]).await;
    let worker = Worker::start_at(tequio.address());
    for line in ["Job 1 running: 0 of 50000", "Job 1 done", "Job 2 running", "Job 3 running"] {
        tequio.line_with(line).await;
    }
    tequio.line_with(" done: ").await;
    worker.stop().await;
}

/// A server whose console is a file, and where clients connect.
async fn serve_to_file(file: &std::path::Path) -> (tokio::process::Child, String) {
    let mut command = binary();
    command.args(["serve", "--memory", "--listen", "127.0.0.1:0"]);
    let child = command.stderr(std::fs::File::create(file).unwrap()).spawn().unwrap();
    let url = until(async || {
        let said = std::fs::read_to_string(file).unwrap();
        let (_, behind) = said.split_once("Listening on ")?;
        behind.split_once(" · ").map(|(url, _)| url.to_owned())
    });
    let url = url.await;
    (child, url)
}

/// What a console has in the end.
async fn console_of(mut child: tokio::process::Child, file: &std::path::Path) -> String {
    interrupt(&mut child).await;
    assert_eq!(within(child.wait()).await.unwrap().code(), Some(0));
    std::fs::read_to_string(file).unwrap()
}

#[tokio::test]
async fn clients_that_come_and_go_do_not_fill_a_disk_with_lines() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let (child, url) = serve_to_file(file.path()).await;
    // Some stay: each of them is named each time.
    let mut staying = Vec::new();
    for _ in 0..50 {
        staying.push(Client::connect_to(&url).await);
    }
    for _ in 0..2000 {
        Client::connect_to(&url).await.0.close(None).await.unwrap();
    }
    drop(staying);
    let said = console_of(child, file.path()).await;
    assert!(said.len() < 300_000, "{} bytes, which were 9 million", said.len());
    assert!(said.contains("more like this before)"), "what is left out is counted");
    assert!(said.contains("INFO Stopped") && said.contains("INFO Connected (0)"), "{said}");
    let longest = said.lines().map(str::len).max();
    assert!(longest < Some(500), "{longest:?}");
}

#[tokio::test]
async fn rubbish_does_not_fill_a_disk_with_lines() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let (child, url) = serve_to_file(file.path()).await;
    for _ in 0..40 {
        let mut client = Client::connect_to(&url).await;
        client.hello_after_its_task().await;
        for nth in 0..100 {
            let failed = format!(r#"{{"type":"failed","lease":{nth},"index":1,"error":"x"}}"#);
            // It may be turned away meanwhile.
            client.0.send(Message::text(failed)).await.ok();
            client.0.send(Message::text(format!("rubbish {nth}"))).await.ok();
        }
        client.0.close(None).await.ok();
    }
    let said = console_of(child, file.path()).await;
    assert!(said.len() < 300_000, "{} bytes", said.len());
}

#[tokio::test]
async fn a_console_that_nobody_reads_holds_up_nobody() {
    // Far more lines than a pipe takes, and nobody at its other end.
    let tequio = Tequio::serve(&[]).await;
    for _ in 0..400 {
        let mut client = Client::connect_to(&tequio.url).await;
        client.send("rubbish").await;
        client.0.close(None).await.unwrap();
    }
    let health = Answer::of(http().get(format!("{}/healthz", tequio.page))).await;
    assert_eq!(health.status, 200);
}

#[tokio::test]
async fn a_port_in_use_is_one_clear_line_and_code_1() {
    let tequio = Tequio::serve(&[]).await;
    let address = tequio.url.trim_start_matches("ws://");
    let second = binary().args(["serve", "--memory", "--listen", address]).output().await.unwrap();
    assert_eq!(second.status.code(), Some(1));
    let said = String::from_utf8(second.stderr).unwrap();
    assert_eq!(said.lines().count(), 1, "{said}");
    assert!(said.contains(address) && said.contains("in use"), "{said}");
}

#[tokio::test]
async fn wrong_use_is_code_2() {
    for arguments in [&["--welcome", "1,2"][..], &["--listen", "nowhere:port"], &["--frobnicate"]] {
        let output = binary().arg("serve").args(arguments).output().await.unwrap();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
    }
}
