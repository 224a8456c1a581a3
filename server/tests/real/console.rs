//! The binary as a person runs it: what its console says, and how it ends.

use crate::support::{Client, within};
use std::process::{ExitStatus, Stdio};
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStderr, Command};
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;

struct Tequio {
    child: Child,
    console: Lines<BufReader<ChildStderr>>,
    url: String,
}

impl Tequio {
    async fn serve(arguments: &[&str]) -> Tequio {
        let mut child = Command::new(env!("CARGO_BIN_EXE_tequio"))
            .args(["serve", "--memory", "--listen", "127.0.0.1:0"])
            .args(arguments)
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let console = BufReader::new(child.stderr.take().unwrap()).lines();
        let mut tequio = Tequio { child, console, url: String::new() };
        let line = tequio.line_with("Listening on").await;
        let (sockets, page) = line.split_once(" · open ").unwrap();
        tequio.url = sockets.split_once("Listening on ").unwrap().1.to_owned();
        assert_eq!(page, tequio.url.replace("ws://", "http://"));
        tequio
    }

    /// The next line that holds `text`, from where its message begins.
    async fn line_with(&mut self, text: &str) -> String {
        loop {
            let line = within(self.console.next_line()).await.unwrap();
            let line = line.unwrap_or_else(|| panic!("the console ended before {text:?}"));
            if line.contains(text) {
                return line;
            }
        }
    }

    async fn interrupt(&mut self) -> ExitStatus {
        let pid = self.child.id().unwrap().to_string();
        let sent = Command::new("kill").args(["-INT", &pid]).status().await.unwrap();
        assert!(sent.success());
        within(self.child.wait()).await.unwrap()
    }
}

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
async fn a_port_in_use_is_one_clear_line_and_code_1() {
    let tequio = Tequio::serve(&[]).await;
    let address = tequio.url.trim_start_matches("ws://");
    let second = Command::new(env!("CARGO_BIN_EXE_tequio"))
        .args(["serve", "--memory", "--listen", address])
        .output()
        .await
        .unwrap();
    assert_eq!(second.status.code(), Some(1));
    let said = String::from_utf8(second.stderr).unwrap();
    assert_eq!(said.lines().count(), 1, "{said}");
    assert!(said.contains(address) && said.contains("in use"), "{said}");
}

#[tokio::test]
async fn wrong_use_is_code_2() {
    for arguments in [&["--welcome", "1,2"][..], &["--listen", "nowhere"], &["--frobnicate"]] {
        let output = Command::new(env!("CARGO_BIN_EXE_tequio"))
            .arg("serve")
            .args(arguments)
            .output()
            .await
            .unwrap();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
    }
}
