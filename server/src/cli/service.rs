//! The way from a command to a service beside the tasks, such as `/echo`.

use super::client::parse_url;
use crate::connect::{self, Socket, words};
use crate::connection::Close;
use anyhow::{anyhow, bail};
use futures_util::SinkExt;
use reqwest::Url;
use tequio_protocol::api::ErrorBody;
use tequio_protocol::limits::{CLIENT_CONNECT_TIMEOUT, CLOSE_TIMEOUT};
use tequio_protocol::text::quote;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::{self, Message};

/// The socket of a service that the address of a server's page, `http(s)://`, has beside it. A
/// socket's own address, `ws(s)://`, is used as it is.
pub(super) fn parse_socket(text: &str, service: &str) -> anyhow::Result<Url> {
    let expected = format!(
        "expected a server such as http://192.168.1.20:8765, \
         or a socket such as ws://192.168.1.20:8765/{service}"
    );
    let mut url: Url = text.parse().map_err(|error| anyhow!("{error}; {expected}"))?;
    if url.host_str().is_none_or(str::is_empty) {
        bail!(expected);
    }
    let scheme = match url.scheme() {
        "ws" | "wss" => {
            url.set_fragment(None);
            return Ok(url);
        }
        "http" => "ws",
        "https" => "wss",
        other => bail!("{other}:// is no scheme of a server; {expected}"),
    };
    let path = parse_url(text)?.path().trim_end_matches('/').to_owned();
    // Who copied an address of the service itself, such as a room's, means that one.
    let is_service = path.split('/').any(|part| part == service);
    url.set_path(&if is_service { path } else { format!("{path}/{service}") });
    url.set_fragment(None);
    url.set_scheme(scheme).map_err(|()| anyhow!(expected))?;
    Ok(url)
}

/// Gives a parameter of the query its value, percent-encoded, in place of one that it may have; all
/// others stay as they were written.
pub(super) fn set_parameter(url: &mut Url, name: &str, value: &str) {
    let mut alone = url.clone();
    alone.query_pairs_mut().clear().append_pair(name, value);
    // A form's `+` is a space to those only who take a query for a form.
    let added = alone.query().unwrap_or_default().replace('+', "%20");
    let is_other = |part: &&str| !part.is_empty() && part.split('=').next() != Some(name);
    let query = url.query().unwrap_or_default();
    let parts: Vec<&str> = query.split('&').filter(is_other).chain([added.as_str()]).collect();
    let query = parts.join("&");
    url.set_query(Some(&query));
}

/// The value of a parameter of the query.
pub(super) fn parameter(url: &Url, name: &str) -> Option<String> {
    url.query_pairs().find(|(other, _)| other == name).map(|(_, value)| value.into_owned())
}

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
pub(super) enum ConnectError {
    /// Nobody answers, or not as a WebSocket does: it may be better in a while.
    #[error("no answer from {url} ({reason}); is the server there? `tequio serve` starts one")]
    NoAnswer {
        /// The socket.
        url: String,
        /// What happened.
        reason: String,
    },
    /// The server said no.
    #[error("{url} refuses: {status} {message}")]
    Refused {
        /// The socket.
        url: String,
        /// The status of HTTP, such as `400 Bad Request`.
        status: tungstenite::http::StatusCode,
        /// The server's sentence.
        message: String,
    },
}

impl ConnectError {
    fn new(url: &Url, error: &tungstenite::Error) -> ConnectError {
        let tungstenite::Error::Http(response) = error else {
            return ConnectError::NoAnswer { url: shown(url), reason: quote(&words(error)) };
        };
        let body = response.body().as_deref().unwrap_or_default();
        let message = match serde_json::from_slice::<ErrorBody>(body) {
            Ok(body) => body.error.message,
            Err(_) => String::from_utf8_lossy(body).trim().to_owned(),
        };
        let status = response.status();
        ConnectError::Refused { url: shown(url), status, message: quote(&message) }
    }

    /// Whether the same may be answered later: nobody answers, or the server or what stands before it
    /// is in trouble.
    pub(super) fn may_pass(&self) -> bool {
        match self {
            ConnectError::NoAnswer { .. } => true,
            ConnectError::Refused { status, .. } => status.is_server_error(),
        }
    }

    /// What happened, without where.
    pub(super) fn reason(&self) -> String {
        match self {
            ConnectError::NoAnswer { reason, .. } => reason.clone(),
            ConnectError::Refused { status, message, .. } => format!("{status} {message}"),
        }
    }
}

/// An address without its query, which is long and says nothing about where it leads.
pub(super) fn shown(url: &Url) -> String {
    let mut url = url.clone();
    url.set_query(None);
    url.to_string()
}

/// Connects, within a time.
pub(super) async fn connect(url: &Url) -> Result<Socket, ConnectError> {
    match timeout(CLIENT_CONNECT_TIMEOUT, Box::pin(connect::connect(url.as_str()))).await {
        Ok(connected) => connected.map_err(|error| ConnectError::new(url, &error)),
        Err(_) => {
            let reason = format!("nothing within {} s", CLIENT_CONNECT_TIMEOUT.as_secs());
            Err(ConnectError::NoAnswer { url: shown(url), reason })
        }
    }
}

/// Says goodbye and waits for the answer, which a server gives once it has read what came before.
pub(super) async fn leave(mut socket: Socket) {
    let goodbye = async {
        socket.send(Message::Close(None)).await.ok()?;
        Some(connect::closing(&mut socket).await)
    };
    // A server that does not answer is left without.
    timeout(CLOSE_TIMEOUT, goodbye).await.ok();
}

/// The error of a connection that the server ended.
pub(super) fn ended(closed: &Close) -> anyhow::Error {
    anyhow!("the server closed the connection: {closed}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sockets_are_used_as_they_are_and_pages_have_services() {
        for (given, meant) in [
            ("ws://lab:8765", "ws://lab:8765/"),
            ("ws://lab:8765/ws", "ws://lab:8765/ws"),
            ("wss://lab.example/chat/room?name=Ana#x", "wss://lab.example/chat/room?name=Ana"),
            ("http://127.0.0.1:8765", "ws://127.0.0.1:8765/echo"),
            ("http://127.0.0.1:8765/ws", "ws://127.0.0.1:8765/echo"),
            ("http://127.0.0.1:8765/echo", "ws://127.0.0.1:8765/echo"),
            ("http://127.0.0.1:8765/echo/room", "ws://127.0.0.1:8765/echo/room"),
            ("https://lab.example/tequio/?prefix=", "wss://lab.example/tequio/echo?prefix="),
        ] {
            assert_eq!(parse_socket(given, "echo").unwrap().as_str(), meant, "{given}");
        }
        for bad in ["lab:8765", "127.0.0.1", "ftp://lab", "http://", "ws://", "", "Hola"] {
            let error = parse_socket(bad, "echo").unwrap_err().to_string();
            assert!(error.contains("/echo"), "{bad}: {error}");
        }
    }

    #[test]
    fn parameters_are_encoded_and_the_others_stay() {
        for (given, set) in [
            ("ws://lab/chat", "name=Ana%20%26%20%C3%91o%2B1"),
            ("ws://lab/chat?", "name=Ana%20%26%20%C3%91o%2B1"),
            ("ws://lab/chat?name=x&a=%7e+b", "a=%7e+b&name=Ana%20%26%20%C3%91o%2B1"),
            ("ws://lab/chat?named=x", "named=x&name=Ana%20%26%20%C3%91o%2B1"),
        ] {
            let mut url: Url = given.parse().unwrap();
            set_parameter(&mut url, "name", "Ana & Ño+1");
            assert_eq!(url.query(), Some(set), "{given}");
            assert_eq!(parameter(&url, "name").as_deref(), Some("Ana & Ño+1"));
        }
        assert_eq!(parameter(&"ws://lab/".parse().unwrap(), "name"), None);
    }
}
