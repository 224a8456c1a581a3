//! The way from a command to a service beside the tasks, such as `/echo`.

use super::client::parse_url;
use crate::connect::{self, Address, Cause, NoSocket, Socket};
use crate::connection::Close;
use anyhow::anyhow;
use futures_util::SinkExt;
use tequio_protocol::limits::{CLIENT_CONNECT_TIMEOUT, CLOSE_TIMEOUT, REFUSAL_CHARS_MAX};
use tequio_protocol::text::printable;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Message;
use url::Url;

/// The socket of a service that the address of a server's page, `http(s)://`, has beside it. A
/// socket's own address, `ws(s)://`, is used as it is.
pub(super) fn parse_socket(text: &str, service: &str) -> anyhow::Result<Address> {
    let expected = format!(
        "expected a server such as http://192.168.1.20:8765, \
         or a socket such as ws://192.168.1.20:8765/{service}"
    );
    let mut address: Address = text.parse().map_err(|error| anyhow!("{error}; {expected}"))?;
    if matches!(address.url().scheme(), "ws" | "wss") {
        return Ok(address);
    }
    let path = parse_url(text)?.url().path().trim_end_matches('/').to_owned();
    // Who copied an address of the service itself, such as a room's, means that one.
    let is_service = path.split('/').any(|part| part == service);
    address.change(|url| {
        url.set_path(&if is_service { path } else { format!("{path}/{service}") });
    });
    address.set_ws();
    Ok(address)
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
#[error("{}", self.sentence())]
pub(super) struct ConnectError {
    address: Address,
    why: Why,
}

#[derive(Debug)]
enum Why {
    NoSocket(NoSocket),
    /// It took too long.
    Silent,
}

impl ConnectError {
    fn sentence(&self) -> String {
        let (address, reason) = (&self.address, printable(&self.reason(), REFUSAL_CHARS_MAX));
        match &self.why {
            Why::NoSocket(NoSocket::Refused(refusal)) if refusal.is_own() => {
                format!("{address} refuses: {} {reason}", refusal.status())
            }
            Why::NoSocket(NoSocket::Refused(_)) => reason,
            Why::NoSocket(NoSocket::NoWay(no_way)) if no_way.cause() != Cause::Silent => {
                format!("no way to {address}: {reason}")
            }
            _ => format!(
                "no answer from {address} ({reason}); is the server there? `tequio serve` starts one"
            ),
        }
    }

    /// Whether the same may be answered later: nobody answers, or the server or what stands before it
    /// is in trouble.
    pub(super) fn may_pass(&self) -> bool {
        match &self.why {
            Why::NoSocket(error) => error.may_pass(),
            Why::Silent => true,
        }
    }

    /// What happened, without where.
    pub(super) fn reason(&self) -> String {
        match &self.why {
            Why::NoSocket(error) => error.to_string(),
            Why::Silent => format!("nothing within {} s", CLIENT_CONNECT_TIMEOUT.as_secs()),
        }
    }
}

/// Connects, within a time.
pub(super) async fn connect(address: &Address) -> Result<Socket, ConnectError> {
    let why = match timeout(CLIENT_CONNECT_TIMEOUT, Box::pin(connect::connect(address))).await {
        Ok(Ok(socket)) => return Ok(socket),
        Ok(Err(error)) => Why::NoSocket(error),
        Err(_) => Why::Silent,
    };
    Err(ConnectError { address: address.clone(), why })
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
            assert_eq!(parse_socket(given, "echo").unwrap().url().as_str(), meant, "{given}");
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
