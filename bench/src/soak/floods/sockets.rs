//! Connections that say too much, or come and go.

use super::client::{self, End, Window};
use super::{AGAIN, Target};
use anyhow::Result;
use futures_util::{SinkExt, StreamExt};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tequio_protocol::ids::LeaseId;
use tequio_protocol::limits::FRAME_BYTES_MAX;
use tequio_protocol::message::{ServerMessage, WorkerMessage};
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Message;

/// Connections of those that come and go, at once.
const AT_ONCE: u64 = 32;

/// So many have come, each under a name of its own.
static CAME: AtomicU64 = AtomicU64::new(0);

pub(super) async fn hellos(target: Target) -> Result<()> {
    target.beset(900, AGAIN, long_hello).await
}

/// A worker that knows as many ops as fit into a message, or whose name has its length.
async fn long_hello(target: Target, nth: u64) -> Result<End> {
    let mut socket = match client::open(&target, "/ws", Window::Usual).await? {
        Ok(socket) => socket,
        Err(end) => return Ok(end),
    };
    let mut hello = client::hello(format!("long{nth}"), 1);
    let room = FRAME_BYTES_MAX - 1024;
    match nth % 4 {
        0 => hello.worker = "w".repeat(room),
        1 => hello.resume = Some("r".repeat(room)),
        // Each is written as four bytes, and kept as thirty and more.
        _ => hello.ops = vec!["o".to_owned(); room / 4],
    }
    socket.send(Message::text(WorkerMessage::Hello(hello).write())).await?;
    while let Some(Ok(frame)) = socket.next().await {
        if let Message::Close(_) = frame {
            break;
        }
    }
    Ok(End::Ended)
}

pub(super) async fn leavers(target: Target) -> Result<()> {
    target.beset(AT_ONCE, Duration::ZERO, |target, _| leaver(target)).await
}

/// Says hello, waits for its session, and is gone without a word.
async fn leaver(target: Target) -> Result<End> {
    let mut socket = match client::open(&target, "/ws", Window::Usual).await? {
        Ok(socket) => socket,
        Err(end) => return Ok(end),
    };
    let nth = CAME.fetch_add(1, Ordering::Relaxed);
    let hello = WorkerMessage::Hello(client::hello(format!("leaver{nth}"), 1));
    socket.send(Message::text(hello.write())).await?;
    while let Ok(Some(Ok(Message::Text(text)))) = timeout(client::PATIENCE, socket.next()).await {
        match ServerMessage::read(&text) {
            Ok(ServerMessage::Task(task)) => socket.send(client::answer(&task)?).await?,
            Ok(ServerMessage::Welcome(_)) => {
                // No port waits for what may still come.
                socket.get_ref().set_zero_linger()?;
                return Ok(End::Answered);
            }
            _ => {}
        }
    }
    Ok(End::Ended)
}

pub(super) async fn comers(target: Target) -> Result<()> {
    target.beset(AT_ONCE, Duration::ZERO, comer).await
}

async fn comer(target: Target, nth: u64) -> Result<End> {
    let paths = ["/ws", "/echo", "/chat", "/chat/flood", "/socket.io/?EIO=4&transport=websocket"];
    let path = paths[(nth % paths.len() as u64) as usize];
    let mut socket = match client::open(&target, path, Window::Usual).await? {
        Ok(socket) => socket,
        Err(end) => return Ok(end),
    };
    if path.starts_with("/socket.io") {
        // Into the namespace: only then is it somebody.
        socket.send(Message::text("40")).await?;
        socket.next().await;
    }
    socket.get_ref().set_zero_linger()?;
    Ok(End::Answered)
}

pub(super) async fn chatter(target: Target) -> Result<()> {
    target.beset(200, AGAIN, chatterer).await
}

/// Says what costs it nothing, as quickly as it is taken, and reads the answers.
async fn chatterer(target: Target, nth: u64) -> Result<End> {
    let mut socket = match client::open(&target, "/ws", Window::Usual).await? {
        Ok(socket) => socket,
        Err(end) => return Ok(end),
    };
    let hello = WorkerMessage::Hello(client::hello(format!("chatter{nth}"), 0));
    socket.send(Message::text(hello.write())).await?;
    let said = match nth % 4 {
        0 | 1 => WorkerMessage::Heartbeat.write(),
        2 => r#"{"type":"nothing"}"#.to_owned(),
        _ => WorkerMessage::Progress { lease: LeaseId(1) }.write(),
    };
    let (mut speak, mut hear) = socket.split();
    let speaking = async { while speak.send(Message::text(said.clone())).await.is_ok() {} };
    let hearing = async { while let Some(Ok(_)) = hear.next().await {} };
    tokio::select! {
        () = speaking => {}
        () = hearing => {}
    }
    Ok(End::Ended)
}
