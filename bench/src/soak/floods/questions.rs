//! Questions that are asked again and again.

use super::client::{self, End, Window};
use super::{AGAIN, Target};
use anyhow::Result;
use futures_util::{SinkExt, StreamExt};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tequio_protocol::limits::HEARTBEAT;
use tequio_protocol::message::{ServerMessage, WorkerMessage};
use tokio::time::interval;
use tokio_tungstenite::tungstenite::Message;

/// Those who ask for a job.
const ASKING: u64 = 60;

/// Those who submit jobs.
const SUBMITTING: u64 = 500;

/// Slots of a guest who answers nothing.
const IDLER_SLOTS: u32 = 64;

/// Jobs that are submitted.
const SUBMITTED_MAX: u64 = 5000;

pub(super) async fn handshakes(target: Target) -> Result<()> {
    let (http, url) = asking(&target, "/socket.io/?EIO=4&transport=polling");
    let ask = move |_, _| ask(http.get(&url));
    target.beset(64, Duration::ZERO, ask).await
}

pub(super) async fn views(target: Target) -> Result<()> {
    let (http, url) = asking(&target, &format!("/api/jobs/{}", target.job));
    let ask = move |_, _| ask(http.get(&url));
    let asked = target.beset(ASKING, Duration::ZERO, ask);
    tokio::try_join!(asked, target.beset(500, AGAIN, idler)).map(drop)
}

/// A guest who takes leases and answers none of them.
async fn idler(target: Target, nth: u64) -> Result<End> {
    let mut socket = match client::open(&target, "/ws", Window::Usual).await? {
        Ok(socket) => socket,
        Err(end) => return Ok(end),
    };
    let hello = WorkerMessage::Hello(client::hello(format!("idler{nth}"), IDLER_SLOTS));
    socket.send(Message::text(hello.write())).await?;
    let mut heartbeat = interval(HEARTBEAT);
    loop {
        tokio::select! {
            _ = heartbeat.tick() => {
                socket.send(Message::text(WorkerMessage::Heartbeat.write())).await?;
            }
            frame = socket.next() => match frame {
                Some(Ok(Message::Text(text))) => {
                    if let Ok(ServerMessage::Task(task)) = ServerMessage::read(&text) {
                        socket.send(client::answer(&task)?).await?;
                    }
                }
                Some(Ok(Message::Close(_)) | Err(_)) | None => return Ok(End::Ended),
                Some(Ok(_)) => {}
            },
        }
    }
}

pub(super) async fn results(target: Target) -> Result<()> {
    let (http, url) = asking(&target, &format!("/api/jobs/{}/results", target.job));
    let ask = move |_, nth: u64| ask(http.get(format!("{url}?first={}&count=1", nth * 1000)));
    target.beset(500, Duration::ZERO, ask).await
}

pub(super) async fn submissions(target: Target) -> Result<()> {
    let (http, url) = asking(&target, "/api/jobs");
    let submitted = Arc::new(AtomicU64::new(0));
    let submitted_max = target.scaled(SUBMITTED_MAX);
    let submit = move |_, nth: u64| {
        let (http, url, submitted) = (http.clone(), url.clone(), submitted.clone());
        async move {
            if submitted.fetch_add(1, Ordering::Relaxed) >= submitted_max {
                return std::future::pending().await;
            }
            // One in two is a grid, the others are lines; they wait behind the honest job.
            let grid = r#"{"op":"repeat_multiply","priority":-9,"grid":{"initial":1,"factor":1,"times":1}}"#;
            let line = "{\"initial\":1,\"factor\":1,\"times\":1}\n";
            ask(if nth.is_multiple_of(2) {
                http.post(url).header("Content-Type", "application/json").body(grid)
            } else {
                http.post(format!("{url}?op=repeat_multiply&priority=-9")).body(line)
            })
            .await
        }
    };
    target.beset(SUBMITTING, Duration::ZERO, submit).await
}

fn asking(target: &Target, path: &str) -> (reqwest::Client, String) {
    (reqwest::Client::new(), format!("http://{}{path}", target.address))
}

/// Asks, and reads the answer.
async fn ask(question: reqwest::RequestBuilder) -> Result<End> {
    let answer = question.send().await?;
    let end = if answer.status().is_success() { End::Answered } else { End::Refused };
    answer.bytes().await?;
    Ok(end)
}
