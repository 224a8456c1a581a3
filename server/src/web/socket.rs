//! WebSockets: the upgrade, and axum's socket as a session's link.

use super::{App, assets, error::ApiError};
use crate::dispatcher::{Close, Peer};
use crate::session::{self, Frame, Link, LinkError, Stopping};
use axum::body::Bytes;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::extract::ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade};
use axum::extract::{ConnectInfo, State};
use axum::http::header::{UPGRADE, USER_AGENT};
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use std::net::SocketAddr;
use tequio_protocol::limits::{
    AGENT_CHARS_MAX, FRAME_BYTES_MAX, SOCKET_READ_BUFFER_BYTES, SOCKET_WRITE_BUFFER_BYTES_MAX,
};
use tequio_protocol::text::{printable, quote};
use tokio::sync::mpsc;
use tokio_tungstenite::tungstenite;
use tracing::{debug, error};

/// What every socket needs of the server: word of its end, and to be waited for.
#[derive(Clone, Debug)]
pub(super) struct Sockets {
    stopping: Stopping,
    /// Held by each socket; the last one dropped ends [`AllClosed::wait`].
    open: mpsc::Sender<()>,
}

/// Waits for sockets to close.
#[derive(Debug)]
pub(super) struct AllClosed(mpsc::Receiver<()>);

impl Sockets {
    pub(super) fn new(stopping: Stopping) -> (Sockets, AllClosed) {
        let (open, closed) = mpsc::channel(1);
        (Sockets { stopping, open }, AllClosed(closed))
    }

    /// Word of the server's end.
    pub(super) fn stopping(&self) -> Stopping {
        self.stopping.clone()
    }
}

impl AllClosed {
    /// Ends when every socket is closed and no handler is left that could open one.
    pub(super) async fn wait(&mut self) {
        // Nothing is ever sent: this ends when the last sender is gone.
        while self.0.recv().await.is_some() {}
    }
}

/// What an upgrade needs to know of its request.
type Upgrade = Result<WebSocketUpgrade, WebSocketUpgradeRejection>;

/// `GET /`: a worker where an upgrade is asked for, the page otherwise.
pub(super) async fn or_page(
    upgrade: Upgrade,
    app: State<App>,
    address: ConnectInfo<SocketAddr>,
    uri: Uri,
    headers: HeaderMap,
) -> Response {
    if headers.contains_key(UPGRADE) {
        self::upgrade(upgrade, app, address, uri, headers).await
    } else {
        assets::index(&headers)
    }
}

/// `GET /ws`: a worker.
pub(super) async fn upgrade(
    upgrade: Upgrade,
    State(app): State<App>,
    ConnectInfo(address): ConnectInfo<SocketAddr>,
    uri: Uri,
    headers: HeaderMap,
) -> Response {
    let upgrade = match upgrade {
        Ok(upgrade) => upgrade,
        Err(rejection) => return not_a_socket(&rejection).into_response(),
    };
    let agent = headers.get(USER_AGENT).map(|agent| String::from_utf8_lossy(agent.as_bytes()));
    let peer = Peer {
        address,
        path: quote(uri.path()),
        agent: agent.map(|agent| printable(&agent, AGENT_CHARS_MAX)),
    };
    upgrade
        .max_message_size(FRAME_BYTES_MAX)
        .max_frame_size(FRAME_BYTES_MAX)
        .read_buffer_size(SOCKET_READ_BUFFER_BYTES)
        // Nothing is gained by keeping frames back: a session has already taken all that waits.
        .write_buffer_size(0)
        .max_write_buffer_size(SOCKET_WRITE_BUFFER_BYTES_MAX)
        .on_failed_upgrade(move |error| debug!("{address}: upgrade failed: {error}"))
        .on_upgrade(move |socket| serve(socket, peer, app))
}

async fn serve(socket: WebSocket, peer: Peer, app: App) {
    let App { dispatcher, sockets: Sockets { stopping, open }, .. } = app;
    if let Err(stopped) = session::run(socket, peer, dispatcher, stopping).await {
        error!("a connection ended early: {stopped}");
    }
    drop(open);
}

fn not_a_socket(rejection: &WebSocketUpgradeRejection) -> ApiError {
    let message = format!("This address is for WebSockets: {rejection}");
    ApiError::new(StatusCode::UPGRADE_REQUIRED, "not_a_websocket", message)
}

impl Link for WebSocket {
    async fn receive(&mut self) -> Option<Result<Frame, LinkError>> {
        let message = self.recv().await?;
        Some(message.map(frame).map_err(link_error))
    }

    async fn send(&mut self, frame: Frame) -> Result<(), LinkError> {
        WebSocket::send(self, message(frame)).await.map_err(link_error)
    }
}

fn frame(message: Message) -> Frame {
    match message {
        Message::Text(text) => Frame::Text(text.as_str().to_owned()),
        Message::Binary(bytes) => Frame::Binary { bytes: bytes.len() },
        Message::Ping(_) => Frame::Ping,
        Message::Pong(_) => Frame::Pong,
        Message::Close(Some(close)) => {
            Frame::Close(Close { code: close.code, reason: close.reason.as_str().to_owned() })
        }
        Message::Close(None) => Frame::Close(Close { code: 1005, reason: String::new() }),
    }
}

fn message(frame: Frame) -> Message {
    match frame {
        Frame::Text(text) => Message::Text(text.into()),
        Frame::Binary { bytes } => Message::Binary(vec![0; bytes].into()),
        Frame::Ping => Message::Ping(Bytes::new()),
        Frame::Pong => Message::Pong(Bytes::new()),
        Frame::Close(Close { code, reason }) => {
            Message::Close(Some(CloseFrame { code, reason: reason.into() }))
        }
    }
}

fn link_error(error: axum::Error) -> LinkError {
    use tungstenite::Error as Ws;
    match error.into_inner().downcast::<Ws>().map(|error| *error) {
        Ok(Ws::Capacity(error)) => LinkError::TooBig(error.to_string()),
        Ok(Ws::Utf8(_)) => LinkError::NotUtf8,
        Ok(Ws::Protocol(tungstenite::error::ProtocolError::ResetWithoutClosingHandshake)) => {
            LinkError::Lost("no closing frame".to_owned())
        }
        Ok(Ws::Protocol(error)) => LinkError::Malformed(error.to_string()),
        Ok(error) => LinkError::Lost(error.to_string()),
        Err(error) => LinkError::Lost(error.to_string()),
    }
}
