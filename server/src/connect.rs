//! Connections to servers, for all that is not a browser: over TLS where the address says so, and
//! with the same limits for every peer.

use crate::connection::Close;
use futures_util::StreamExt;
use tequio_protocol::limits::{ANSWER_BYTES_MAX, SOCKET_READ_BUFFER_BYTES};
use tequio_protocol::message::close_code;
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{self, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async_with_config};

/// A connection that is open.
pub(crate) type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// What a connection receives next.
pub(crate) type Received = Option<Result<Message, tungstenite::Error>>;

/// Connects to `ws://` or `wss://`.
pub(crate) async fn connect(url: &str) -> Result<Socket, tungstenite::Error> {
    let limits = WebSocketConfig::default()
        .max_message_size(Some(ANSWER_BYTES_MAX))
        .max_frame_size(Some(ANSWER_BYTES_MAX))
        .read_buffer_size(SOCKET_READ_BUFFER_BYTES);
    // Small messages go out at once.
    connect_async_with_config(url, Some(limits), true).await.map(|(socket, _)| socket)
}

/// How a connection ended that broke, or was never there.
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
