//! How the peers of a flood connect.

use super::super::worker::answer_to;
use super::Target;
use crate::input::OP;
use anyhow::{Context, Result};
use std::time::Duration;
use tequio_protocol::limits::SOCKET_READ_BUFFER_BYTES;
use tequio_protocol::message::{Hello, PROTOCOL, Task};
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::{sleep, timeout};
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{WebSocketStream, client_async_with_config};

/// How a peer ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// It got what it asked for.
    Answered,
    /// The server had no room for it, or did not want it.
    Refused,
    /// The server ended its connection.
    Ended,
}

/// What of an answer waits on the peer's side of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Window {
    /// As much as the system likes.
    Usual,
    /// As little as it lets, so that what is not read waits in the server.
    Small,
}

pub(super) type Socket = WebSocketStream<TcpStream>;

/// What the system is asked for as [`Window::Small`]; it takes its least.
const SMALL_BYTES: u32 = 2048;

/// How long a peer waits for the server: a flood does not give up early.
pub(super) const PATIENCE: Duration = Duration::from_secs(60);

/// How often a peer that does not read looks whether its connection is still there.
const LOOK: Duration = Duration::from_millis(500);

/// The name under which the peers of a flood go.
pub(super) const AGENT: &str = "tequio-bench (flood)";

pub(super) async fn connect(target: &Target, window: Window) -> Result<TcpStream> {
    let _one_of_few = target.connecting.acquire().await?;
    let socket = TcpSocket::new_v4()?;
    if window == Window::Small {
        socket.set_recv_buffer_size(SMALL_BYTES)?;
    }
    let stream = timeout(PATIENCE, socket.connect(target.address)).await;
    Ok(stream.context("no connection")??)
}

/// Opens a WebSocket; gives how it ended instead where it is refused.
pub(super) async fn open(
    target: &Target,
    path: &str,
    window: Window,
) -> Result<std::result::Result<Socket, End>> {
    let stream = connect(target, window).await?;
    let config = WebSocketConfig::default().read_buffer_size(SOCKET_READ_BUFFER_BYTES);
    let url = format!("ws://{}{path}", target.address);
    let opening = client_async_with_config(url, stream, Some(config));
    match timeout(PATIENCE, opening).await.context("no upgrade")? {
        Ok((socket, _)) => Ok(Ok(socket)),
        Err(Error::Http(_)) => Ok(Err(End::Refused)),
        Err(error) => Err(error.into()),
    }
}

/// A request's head.
pub(super) fn head(target: &Target, method: &str, path: &str, fields: &str) -> String {
    format!("{method} {path} HTTP/1.1\r\nHost: {}\r\n{fields}\r\n", target.address)
}

/// Sends a request whose answer is never read, and waits for the connection's end.
pub(super) async fn unread(target: Target, path: String) -> Result<End> {
    let mut stream = connect(&target, Window::Small).await?;
    stream.write_all(head(&target, "GET", &path, "").as_bytes()).await?;
    // What is looked at stays unread.
    let mut status = [0; "HTTP/1.1 200".len()];
    let looking = async {
        while stream.peek(&mut status).await? < status.len() {
            sleep(LOOK).await;
        }
        std::io::Result::Ok(())
    };
    timeout(PATIENCE, looking).await.context("no answer")??;
    if !status.ends_with(b"200") {
        return Ok(End::Refused);
    }
    loop {
        sleep(LOOK).await;
        if stream.take_error()?.is_some() {
            return Ok(End::Ended);
        }
    }
}

pub(super) fn hello(worker: String, slots: u32) -> Hello {
    let ops = vec![OP.to_owned()];
    Hello { protocol: PROTOCOL, agent: AGENT.to_owned(), slots, worker, ops, resume: None }
}

/// The right answer to a task of plain mode.
pub(super) fn answer(task: &Task) -> Result<Message> {
    Ok(Message::text(answer_to(task, AGENT)?.write()))
}
