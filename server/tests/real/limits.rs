//! Limits that are found by walking into them: open files.

#![cfg(target_os = "linux")]

use crate::support::{Answer, Client, Tequio, binary, http, until, within};
use std::net::SocketAddr;
use tokio::net::TcpStream;
use tokio_tungstenite::connect_async;
use tokio_tungstenite::tungstenite::Error;

/// A server whose shell has set a limit first.
async fn serve_after(limit: &str) -> Tequio {
    let binary = binary();
    let mut shell = tokio::process::Command::new("sh");
    // The console of so many would fill a pipe that nobody reads.
    shell.env_remove("TEQUIO_TOKEN").env("RUST_LOG", "warn,tequio::cli=info").kill_on_drop(true);
    let serve = format!("{limit} && exec \"$0\" serve --memory --no-welcome --listen 127.0.0.1:0");
    shell.args(["-c", &serve]).arg(binary.as_std().get_program());
    Tequio::start_as(shell).await
}

async fn status(address: SocketAddr, path: &str) -> (u16, String) {
    let request = http().get(format!("http://{address}{path}")).header("Connection", "close");
    let answer = Answer::of(request).await;
    (answer.status, answer.text)
}

#[tokio::test]
async fn the_soft_limit_is_raised_to_the_hard_one() {
    let tequio = serve_after("ulimit -Sn 40").await;
    let limits = std::fs::read_to_string(format!("/proc/{}/limits", tequio.child.id().unwrap()));
    let limits = limits.unwrap();
    let files = limits.lines().find(|line| line.starts_with("Max open files")).unwrap();
    let [soft, hard] = [3, 4].map(|word| files.split_whitespace().nth(word).unwrap());
    assert_eq!(soft, hard, "{files}");
    assert_ne!(soft, "40");
}

#[tokio::test]
async fn when_sockets_are_used_up_requests_are_answered() {
    for path in ["/echo", "/ws"] {
        let mut tequio = serve_after("ulimit -n 96").await;
        let address = tequio.address();
        let url = format!("ws://{address}{path}");
        let mut clients = Vec::new();
        let refusal = loop {
            match Box::pin(within(connect_async(&url))).await {
                Ok((client, _)) => clients.push(Client(client)),
                Err(Error::Http(answer)) => break answer,
                Err(other) => panic!("{} are connected: {other}", clients.len()),
            }
            assert!(clients.len() < 96);
        };
        assert_eq!(refusal.status(), 503);
        assert!(clients.len() > 30, "{}", clients.len());
        let body = String::from_utf8(refusal.body().clone().unwrap()).unwrap();
        assert!(body.contains("\"full\"") && body.contains("limit of open files"), "{body}");
        for path in ["/healthz", "/metrics", "/api/jobs", "/"] {
            assert_eq!(status(address, path).await.0, 200, "{path}");
        }
        for stays in ["/api/events", "/socket.io/?EIO=4&transport=polling"] {
            assert_eq!(status(address, stays).await.0, 503, "{stays}");
        }
        // The other half goes to connections that say nothing; those are given up soon.
        let mut silent = Vec::new();
        for _ in 0..40 {
            silent.push(within(TcpStream::connect(address)).await.unwrap());
        }
        assert_eq!(status(address, "/healthz").await.0, 200);
        drop((clients, silent));
        until(async || Box::pin(connect_async(&url)).await.ok()).await;
        // It is said once, and then each time that it has happened twice as often.
        for times in [1, 2, 4] {
            let line = tequio.line_with("hardly any are free").await;
            assert!(line.contains(&format!("({times} so far)")), "{line}");
        }
    }
}
