//! The handshake of a WebSocket (RFC 6455, section 4.2): which requests ask for one, and the answer.
//!
//! `Upgrade` names other protocols as well: `curl --http2` and Java's HTTP client offer `h2c` with every
//! request. Whoever offers a protocol that this server does not speak is answered as if it had not
//! (RFC 9110, section 7.8).

use super::error::ApiError;
use super::patience::Patience;
use super::reading::{Messages, Reading};
use axum::body::Body;
use axum::extract::Request;
use axum::http::header::{
    CONNECTION, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_PROTOCOL,
    SEC_WEBSOCKET_VERSION, UPGRADE,
};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use axum::response::Response;
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

/// The connection of a WebSocket that a client has asked for.
pub(super) type Carrier = Reading<TokioIo<Upgraded>>;

/// Whether a request asks for a WebSocket.
pub(super) fn is_wanted(headers: &HeaderMap) -> bool {
    has_token(headers, &UPGRADE, "websocket")
}

/// Has a request that offers other protocols offer none. Who keeps the way to an upgrade, as Socket.IO's
/// sessions do, would keep the connection too when it has ended.
pub(super) fn ignore_offers(request: &mut Request) {
    request.headers_mut().remove(UPGRADE);
    request.extensions_mut().remove::<OnUpgrade>();
}

/// A request for a WebSocket that can be answered with one.
#[derive(Debug)]
pub(super) struct Handshake {
    accept: HeaderValue,
    /// What the client is told that it talks.
    protocol: Option<HeaderValue>,
    upgrade: OnUpgrade,
    patience: Option<Patience>,
}

impl Handshake {
    /// Reads a request. Returns an error with what it lacks if it is none for a WebSocket.
    pub(super) fn read(parts: &mut Parts) -> Result<Handshake, ApiError> {
        let headers = &parts.headers;
        if parts.method != Method::GET {
            return Err(not_a_socket("the method is not GET"));
        }
        if !is_wanted(headers) {
            return Err(not_a_socket(
                "the request has no `Upgrade: websocket`, which a proxy in between must pass on",
            ));
        }
        if !has_token(headers, &CONNECTION, "upgrade") {
            return Err(not_a_socket(
                "the request has no `Connection: Upgrade`, which a proxy in between must pass on",
            ));
        }
        if headers.get(SEC_WEBSOCKET_VERSION).is_none_or(|version| version != "13") {
            return Err(not_a_socket("`Sec-WebSocket-Version` is not 13"));
        }
        let key = headers.get(SEC_WEBSOCKET_KEY);
        let key = key.ok_or_else(|| not_a_socket("there is no `Sec-WebSocket-Key`"))?;
        let accept = HeaderValue::try_from(derive_accept_key(key.as_bytes()));
        let accept = accept.expect("base64 is a header's value");
        let protocol = first_protocol(headers);
        let upgrade = parts.extensions.remove::<OnUpgrade>();
        let upgrade =
            upgrade.ok_or_else(|| not_a_socket("the request's HTTP version has no upgrade"))?;
        let patience = parts.extensions.get::<Patience>().cloned();
        Ok(Handshake { accept, protocol, upgrade, patience })
    }

    /// The answer that makes the connection a WebSocket, and what carries it once it is one.
    pub(super) fn answer(
        self,
        messages: Messages,
    ) -> (Response, impl Future<Output = Result<Carrier, hyper::Error>> + Send + 'static) {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
        let headers = response.headers_mut();
        headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
        headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
        headers.insert(SEC_WEBSOCKET_ACCEPT, self.accept);
        if let Some(protocol) = self.protocol {
            headers.insert(SEC_WEBSOCKET_PROTOCOL, protocol);
        }
        if let Some(patience) = self.patience {
            patience.upgraded();
        }
        let upgrade = self.upgrade;
        let carrier = async move { Ok(Reading::new(TokioIo::new(upgrade.await?), messages)) };
        (response, carrier)
    }
}

/// The first subprotocol that a client offers. What is sent here is the same whatever it is called, and
/// a browser that has offered one fails a connection that names none.
fn first_protocol(headers: &HeaderMap) -> Option<HeaderValue> {
    let offered = tokens(headers, &SEC_WEBSOCKET_PROTOCOL);
    let mut named = offered.filter(|protocol| protocol.bytes().all(is_token_byte));
    named.find_map(|protocol| HeaderValue::from_str(protocol).ok())
}

/// A byte of a token (RFC 9110, section 5.6.2).
fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

/// Whether a header that is a list, in one line or several, has `token` in any case.
fn has_token(headers: &HeaderMap, name: &HeaderName, token: &str) -> bool {
    tokens(headers, name).any(|found| found.eq_ignore_ascii_case(token))
}

fn tokens<'a>(headers: &'a HeaderMap, name: &HeaderName) -> impl Iterator<Item = &'a str> {
    let lines = headers.get_all(name).iter().filter_map(|line| line.to_str().ok());
    lines.flat_map(|line| line.split(',')).map(str::trim).filter(|token| !token.is_empty())
}

fn not_a_socket(reason: &str) -> ApiError {
    let message = format!("This address is for WebSockets: {reason}.");
    ApiError::new(StatusCode::UPGRADE_REQUIRED, "not_a_websocket", message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(lines: &[(&'static str, &'static str)]) -> HeaderMap {
        let line = |(name, value): &(&'static str, &'static str)| {
            (HeaderName::from_static(name), HeaderValue::from_static(value))
        };
        lines.iter().map(line).collect()
    }

    #[test]
    fn only_the_token_websocket_asks_for_a_websocket() {
        for (lines, is_asked) in [
            (&[("upgrade", "websocket")][..], true),
            (&[("upgrade", "WebSocket")], true),
            (&[("upgrade", "h2c, websocket")], true),
            (&[("upgrade", "h2c"), ("upgrade", " websocket ,")], true),
            (&[("upgrade", "h2c")], false),
            (&[("upgrade", "")], false),
            (&[("upgrade", "websockets")], false),
            (&[("upgrade", "TLS/1.0, HTTP/2.0")], false),
            (&[], false),
        ] {
            assert_eq!(is_wanted(&headers(lines)), is_asked, "{lines:?}");
        }
    }

    #[test]
    fn the_first_subprotocol_is_chosen() {
        for (lines, chosen) in [
            (&[][..], None),
            (&[("sec-websocket-protocol", "echo-protocol")][..], Some("echo-protocol")),
            (&[("sec-websocket-protocol", " chat , superchat")], Some("chat")),
            (&[("sec-websocket-protocol", ",a"), ("sec-websocket-protocol", "b")], Some("a")),
            (&[("sec-websocket-protocol", "no token, b")], Some("b")),
            (&[("sec-websocket-protocol", " ,")], None),
        ] {
            let found = first_protocol(&headers(lines));
            assert_eq!(found.as_ref().map(|value| value.to_str().unwrap()), chosen, "{lines:?}");
        }
    }
}
