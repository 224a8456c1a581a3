//! What is asked for and not read.

use super::client::{self, End, Socket, Window};
use super::{AGAIN, Target};
use anyhow::Result;
use futures_util::{SinkExt, StreamExt};
use std::time::Duration;
use tequio_protocol::limits::{
    AGENT_CHARS_MAX, CHAT_BURST_MAX, CHAT_MESSAGE_BYTES_MAX, CHAT_PACE, FRAME_BYTES_MAX,
};
use tequio_protocol::message::WorkerMessage;
use tokio::time::{sleep, timeout};
use tokio_tungstenite::tungstenite::Message;

const EVENTS: &str = "/api/events";

/// Members of each room: with their bursts, more than may wait for one of them is said.
const MEMBERS: u64 = 7;

/// How long the workers of a long list have to come before the list is asked for.
const GATHER: Duration = Duration::from_secs(3);

/// The pause between two messages whose answers are not read.
const SAY_PAUSE: Duration = Duration::from_millis(50);

pub(super) async fn events(target: Target) -> Result<()> {
    target.beset(400, AGAIN, |target, _| client::unread(target, EVENTS.to_owned())).await
}

pub(super) async fn list(target: Target) -> Result<()> {
    let ask = async {
        sleep(GATHER).await;
        let lists = ["/api/workers", "/api/workers", "/api/events?once=true", "/api/jobs"];
        let ask =
            move |target, nth: u64| client::unread(target, lists[(nth % 4) as usize].to_owned());
        target.beset(400, AGAIN, ask).await
    };
    tokio::try_join!(target.beset(1000, AGAIN, long_named), ask).map(drop)
}

/// A worker whose agent is as long as it may be, each character of four bytes.
async fn long_named(target: Target, nth: u64) -> Result<End> {
    let mut socket = match client::open(&target, "/ws", Window::Usual).await? {
        Ok(socket) => socket,
        Err(end) => return Ok(end),
    };
    let mut hello = client::hello(format!("long{nth}"), 0);
    hello.agent = "\u{1f33d}".repeat(AGENT_CHARS_MAX);
    socket.send(Message::text(WorkerMessage::Hello(hello).write())).await?;
    Ok(listen(socket).await)
}

/// Reads until the server ends the connection.
async fn listen(mut socket: Socket) -> End {
    while let Some(Ok(frame)) = socket.next().await {
        if matches!(frame, Message::Close(_)) {
            break;
        }
    }
    End::Ended
}

pub(super) async fn downloads(target: Target) -> Result<()> {
    let results = format!("/api/jobs/{}/results", target.job);
    target.beset(1000, AGAIN, move |target, _| client::unread(target, results.clone())).await
}

pub(super) async fn chat(target: Target) -> Result<()> {
    target.beset(300 * MEMBERS, AGAIN, member).await
}

/// Says as much as a member may, and reads nothing of what the others say.
async fn member(target: Target, nth: u64) -> Result<End> {
    let path = format!("/chat/flood-{}?format=json", nth / MEMBERS);
    let mut socket = match client::open(&target, &path, Window::Small).await? {
        Ok(socket) => socket,
        Err(end) => return Ok(end),
    };
    let text = "x".repeat(CHAT_MESSAGE_BYTES_MAX);
    for said in 0_u32.. {
        // What takes no more for so long is a server that waits for this one to read.
        match timeout(client::PATIENCE, socket.send(Message::text(text.clone()))).await {
            Ok(Ok(())) => {}
            Ok(Err(_)) => break,
            Err(_) => sleep(client::PATIENCE).await,
        }
        if said > CHAT_BURST_MAX {
            sleep(CHAT_PACE).await;
        }
    }
    Ok(End::Ended)
}

pub(super) async fn echoes(target: Target) -> Result<()> {
    let said = "x".repeat(FRAME_BYTES_MAX);
    let say = move |target, nth: u64| {
        // With the usual prefix the echo would be too long: that is refused, and said on all the same.
        let path = if nth.is_multiple_of(4) { "/echo" } else { "/echo?prefix=" };
        say_on(target, path, None, said.clone())
    };
    target.beset(200, AGAIN, say).await
}

pub(super) async fn dashboards(target: Target) -> Result<()> {
    const PATH: &str = "/socket.io/?EIO=4&transport=websocket";
    // Each event is acknowledged, and each acknowledgement waits as well.
    let said = "427[\"hola\"]".to_owned();
    let join = move |target, _| say_on(target, PATH, Some(["40", "42[\"join\"]"]), said.clone());
    target.beset(400, AGAIN, join).await
}

/// Says the same again and again, behind what comes first, and reads nothing.
async fn say_on(
    target: Target,
    path: &'static str,
    first: Option<[&'static str; 2]>,
    said: String,
) -> Result<End> {
    let mut socket = match client::open(&target, path, Window::Small).await? {
        Ok(socket) => socket,
        Err(end) => return Ok(end),
    };
    for said in first.into_iter().flatten() {
        socket.send(Message::text(said)).await?;
    }
    loop {
        match timeout(client::PATIENCE, socket.send(Message::text(said.clone()))).await {
            // It is as quick as the server reads, but not at the cost of all else here.
            Ok(Ok(())) => sleep(SAY_PAUSE).await,
            Ok(Err(_)) => return Ok(End::Ended),
            Err(_) => sleep(client::PATIENCE).await,
        }
    }
}

pub(super) async fn followers(target: Target) -> Result<()> {
    let follow = format!("/api/jobs/{}/results?follow=true", target.job);
    let ask = move |target, nth: u64| {
        let path = if nth.is_multiple_of(2) { EVENTS.to_owned() } else { follow.clone() };
        async move {
            if nth % 4 < 2 { client::unread(target, path).await } else { read(target, path).await }
        }
    };
    target.beset(1000, AGAIN, ask).await
}

/// Reads an answer that goes on.
async fn read(target: Target, path: String) -> Result<End> {
    let mut answer = reqwest::get(format!("http://{}{path}", target.address)).await?;
    if !answer.status().is_success() {
        return Ok(End::Refused);
    }
    while let Ok(Some(_)) = answer.chunk().await {}
    Ok(End::Ended)
}
