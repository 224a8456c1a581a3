//! Connections to servers, for all that is not a browser: by the same way for all of them, and with the
//! same limits for every peer.

mod address;
mod refusal;
mod route;

pub(crate) use address::is_loopback;
pub use address::{Address, BadAddress};
pub(crate) use refusal::Refusal;
pub(crate) use route::{Cause, NoWay, Proxy, Stream, Use, open};

use crate::connection::Close;
use futures_util::StreamExt;
use hyper::http::header::AUTHORIZATION;
use std::time::SystemTime;
use tequio_protocol::limits::{ANSWER_BYTES_MAX, SOCKET_READ_BUFFER_BYTES};
use tequio_protocol::message::close_code;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{self, Message};
use tokio_tungstenite::{WebSocketStream, client_async_with_config};

/// A connection that is open.
pub(crate) type Socket = WebSocketStream<Stream>;

/// What a connection receives next.
pub(crate) type Received = Option<Result<Message, tungstenite::Error>>;

/// Why there is no socket.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NoSocket {
    /// Nobody is reached.
    #[error(transparent)]
    NoWay(#[from] NoWay),
    /// Who was reached said no.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// Who was reached does not speak as a WebSocket does, or has gone.
    #[error("{}", words(.0))]
    Broken(Box<tungstenite::Error>),
}

impl NoSocket {
    /// Whether the same may be answered later.
    pub(crate) fn may_pass(&self) -> bool {
        match self {
            NoSocket::NoWay(error) => error.may_pass(),
            NoSocket::Refused(refusal) => refusal.may_pass(),
            NoSocket::Broken(_) => true,
        }
    }
}

/// Connects to `ws://` or `wss://`.
pub(crate) async fn connect(address: &Address) -> Result<Socket, NoSocket> {
    let limits = WebSocketConfig::default()
        .max_message_size(Some(ANSWER_BYTES_MAX))
        .max_frame_size(Some(ANSWER_BYTES_MAX))
        .read_buffer_size(SOCKET_READ_BUFFER_BYTES);
    let broken = |error| NoSocket::Broken(Box::new(error));
    let mut request = address.url().as_str().into_client_request().map_err(broken)?;
    if let Some(authorization) = address.authorization() {
        request.headers_mut().insert(AUTHORIZATION, authorization.clone());
    }
    let stream = open(address, Use::Frames).await?;
    match client_async_with_config(request, stream, Some(limits)).await {
        Ok((socket, _)) => Ok(socket),
        Err(tungstenite::Error::Http(answer)) => {
            let body = answer.body().as_deref().unwrap_or_default();
            let (status, headers) = (answer.status(), answer.headers());
            Err(Refusal::read(address, status, headers, body, SystemTime::now()).into())
        }
        Err(error) => Err(broken(error)),
    }
}

/// How a connection ended that broke.
pub(crate) fn broken(error: &tungstenite::Error) -> Close {
    Close { code: close_code::ABNORMAL, reason: words(error) }
}

/// The frame that was received, or how the connection closed.
pub(crate) fn read(received: Received) -> Result<Message, Close> {
    match received {
        Some(Ok(Message::Close(Some(close)))) => {
            Err(Close { code: close.code.into(), reason: close.reason.as_str().to_owned() })
        }
        Some(Ok(Message::Close(None))) => {
            Err(Close { code: close_code::NO_STATUS, reason: String::new() })
        }
        Some(Ok(frame)) => Ok(frame),
        Some(Err(error)) => Err(broken(&error)),
        None => Err(Close { code: close_code::ABNORMAL, reason: String::new() }),
    }
}

/// Reads on until the connection closes: what it still says is dropped.
pub(crate) async fn closing(
    frames: &mut (impl StreamExt<Item = Result<Message, tungstenite::Error>> + Unpin),
) -> Close {
    loop {
        if let Err(closed) = read(frames.next().await) {
            return closed;
        }
    }
}

/// An error, as short as it can be said.
fn words(error: &tungstenite::Error) -> String {
    match error {
        tungstenite::Error::Io(error) => error.to_string(),
        error => error.to_string(),
    }
}
