//! Connections to servers, for all that is not a browser: over TLS where the address says so, and
//! with the same limits for every peer.

use futures_util::StreamExt;
use std::fmt;
use tequio_protocol::limits::{FRAME_BYTES_MAX, SOCKET_READ_BUFFER_BYTES};
use tequio_protocol::text::quote;
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{self, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async_with_config};

/// A connection that is open.
pub(crate) type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// What a connection receives next.
pub(crate) type Received = Option<Result<Message, tungstenite::Error>>;

/// What browsers say of a connection that ended with a closing frame without a code.
const NO_STATUS: u16 = 1005;

/// What browsers say of a connection that ended without a closing frame.
const ABNORMAL: u16 = 1006;

/// Connects to `ws://` or `wss://`.
pub(crate) async fn connect(url: &str) -> Result<Socket, tungstenite::Error> {
    let limits = WebSocketConfig::default()
        .max_message_size(Some(FRAME_BYTES_MAX))
        .max_frame_size(Some(FRAME_BYTES_MAX))
        .read_buffer_size(SOCKET_READ_BUFFER_BYTES);
    // Small messages go out at once.
    connect_async_with_config(url, Some(limits), true).await.map(|(socket, _)| socket)
}

/// How a connection ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Closed {
    /// As browsers report it.
    pub(crate) code: u16,
    /// What the peer said, or the error; may be empty.
    pub(crate) reason: String,
}

impl Closed {
    /// It broke, or it was never there.
    pub(crate) fn broken(error: &tungstenite::Error) -> Closed {
        Closed { code: ABNORMAL, reason: words(error) }
    }

    /// It was given up.
    pub(crate) fn given_up(reason: &str) -> Closed {
        Closed { code: ABNORMAL, reason: reason.to_owned() }
    }
}

/// The code and the reason; where there is none, what the code means (RFC 6455, section 7.4.1).
impl fmt::Display for Closed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let meaning = match self.code {
            1000 => "normal closure",
            1001 => "going away",
            NO_STATUS => "no status",
            ABNORMAL => "it broke off",
            _ => "no reason given",
        };
        match self.reason.as_str() {
            "" => write!(f, "{} {meaning}", self.code),
            reason => write!(f, "{} {}", self.code, quote(reason)),
        }
    }
}

/// The frame that was received, or how the connection closed.
pub(crate) fn read(received: Received) -> Result<Message, Closed> {
    match received {
        Some(Ok(Message::Close(Some(close)))) => {
            Err(Closed { code: close.code.into(), reason: close.reason.as_str().to_owned() })
        }
        Some(Ok(Message::Close(None))) => Err(Closed { code: NO_STATUS, reason: String::new() }),
        Some(Ok(frame)) => Ok(frame),
        Some(Err(error)) => Err(Closed::broken(&error)),
        None => Err(Closed { code: ABNORMAL, reason: String::new() }),
    }
}

/// Reads on until the connection closes: what it still says is dropped.
pub(crate) async fn closing(
    frames: &mut (impl StreamExt<Item = Result<Message, tungstenite::Error>> + Unpin),
) -> Closed {
    loop {
        if let Err(closed) = read(frames.next().await) {
            return closed;
        }
    }
}

/// An error, as short as it can be said.
pub(crate) fn words(error: &tungstenite::Error) -> String {
    match error {
        tungstenite::Error::Io(error) => error.to_string(),
        tungstenite::Error::Http(response) => {
            let said = response.body().as_deref().map(String::from_utf8_lossy);
            format!("{} {}", response.status(), said.unwrap_or_default())
        }
        error => error.to_string(),
    }
}
