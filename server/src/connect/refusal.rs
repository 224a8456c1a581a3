//! Answers that are no success: the server's own sentence, or what a proxy's, a filter's or another
//! program's answer means here.

use super::address::Address;
use hyper::http::header::{AUTHORIZATION, CONTENT_TYPE, LOCATION, RETRY_AFTER, SERVER};
use hyper::http::{HeaderMap, HeaderName, StatusCode};
use std::time::{Duration, SystemTime};
use tequio_protocol::api::ErrorBody;
use tequio_protocol::limits::{CLIENT_RETRY_AFTER_MAX, REFUSAL_CHARS_MAX};
use tequio_protocol::text::printable;

/// An answer that is no success.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{message}")]
pub(crate) struct Refusal {
    status: StatusCode,
    message: String,
    /// Whether the server itself says so.
    is_own: bool,
    retry_after: Option<Duration>,
}

impl Refusal {
    /// Reads an answer of a status that is no success. `now` is what a `Retry-After` with a date is
    /// compared with.
    pub(crate) fn read(
        address: &Address,
        status: StatusCode,
        headers: &HeaderMap,
        body: &[u8],
        now: SystemTime,
    ) -> Refusal {
        let (message, is_own) = match serde_json::from_slice::<ErrorBody>(body) {
            Ok(own) => (own.error.message, true),
            Err(_) => (foreign(address, status, headers, body), false),
        };
        let retry_after = text(headers, &RETRY_AFTER).and_then(|value| retry_after(value, now));
        let message = printable(&message, REFUSAL_CHARS_MAX);
        Refusal { status, message, is_own, retry_after }
    }

    /// An answer that is a success, and no Tequio's.
    pub(crate) fn stranger(address: &Address, status: StatusCode, headers: &HeaderMap) -> Refusal {
        let who = answerer(headers);
        let kind = text(headers, &CONTENT_TYPE).unwrap_or("no type");
        let message = format!(
            "{address} answers {status}{who} with what no tequio sends ({kind}): another program, or \
             the page of a network's login or filter, answers there"
        );
        let message = printable(&message, REFUSAL_CHARS_MAX);
        Refusal { status, message, is_own: false, retry_after: None }
    }

    /// The status.
    pub(crate) fn status(&self) -> StatusCode {
        self.status
    }

    /// Whether the server itself says so, which does not name itself.
    pub(crate) fn is_own(&self) -> bool {
        self.is_own
    }

    /// How long the answer asks to wait, if it says so; bounded.
    pub(crate) fn retry_after(&self) -> Option<Duration> {
        self.retry_after
    }

    /// Whether the same request may be answered later: the server is stopping, its disk is full, or a
    /// proxy does not reach it or has enough for now. What the server itself has enough of are wrong tokens,
    /// and none of them becomes right.
    pub(crate) fn may_pass(&self) -> bool {
        if self.is_own && self.status == StatusCode::TOO_MANY_REQUESTS {
            return false;
        }
        // From 520 to 524 they are Cloudflare's words for a server that is not there.
        matches!(self.status.as_u16(), 408 | 425 | 429 | 502 | 503 | 504 | 520..=524)
    }
}

fn foreign(address: &Address, status: StatusCode, headers: &HeaderMap, body: &[u8]) -> String {
    let who = answerer(headers);
    let what = match status.as_u16() {
        301 | 302 | 303 | 307 | 308 => moved(address, headers),
        400 if speaks_tls(body) => {
            "it speaks TLS there: the address begins with https:// or wss://".to_owned()
        }
        401 if address.authorization().is_some() => {
            "a proxy before the server does not take this user and password".to_owned()
        }
        401 => format!(
            "a proxy before the server wants a user and a password: \
             --url {}://USER:PASSWORD@{}",
            address.url().scheme(),
            &address.url()[url::Position::BeforeHost..]
        ),
        403 => "a proxy or a filter before the server does not let this through".to_owned(),
        404 | 405 | 410 => {
            "there is no tequio at this address; one behind a proxy may be below a path, such as \
             /tequio/"
                .to_owned()
        }
        407 => "a proxy on the way wants a user and a password: \
                http_proxy=http://USER:PASSWORD@PROXY"
            .to_owned(),
        408 | 504 => "a proxy before the server had no answer in time".to_owned(),
        411 | 413 => {
            "a proxy before the server takes no bodies of this length: its limit is called \
                      client_max_body_size in nginx, LimitRequestBody in Apache, \
                      request_body max_size in Caddy"
                .to_owned()
        }
        414 | 431 => {
            "a proxy before the server takes no addresses or headers of this length".to_owned()
        }
        425 | 429 => "a proxy before the server takes no more requests for now".to_owned(),
        426 => "a proxy before the server does not pass WebSockets on: it is to pass the headers \
                Upgrade and Connection"
            .to_owned(),
        502 | 503 | 520..=524 => "a proxy there does not reach the server".to_owned(),
        511 => "the network wants a login first: open a page in a browser".to_owned(),
        _ => "it is no tequio that answers".to_owned(),
    };
    format!("{address} answers {status}{who}: {what}")
}

/// Who says of itself that it answers.
fn answerer(headers: &HeaderMap) -> String {
    text(headers, &SERVER).map(|server| format!(" ({server})")).unwrap_or_default()
}

fn moved(address: &Address, headers: &HeaderMap) -> String {
    let Some(location) = text(headers, &LOCATION) else {
        return "it sends on, and does not say where to".to_owned();
    };
    match address.url().join(location) {
        Ok(url) => format!("it sends on to {}; --url names where the server is", without_user(url)),
        Err(_) => format!("it sends on to {location}; --url names where the server is"),
    }
}

fn without_user(mut url: url::Url) -> url::Url {
    // A URL without a host has none to begin with.
    url.set_username("").and_then(|()| url.set_password(None)).ok();
    url
}

/// What nginx, Apache and Go say to a request in clear at a port for TLS.
fn speaks_tls(body: &[u8]) -> bool {
    let body = String::from_utf8_lossy(body).to_ascii_lowercase();
    ["https port", "https server", "ssl-enabled"].iter().any(|words| body.contains(words))
}

/// RFC 9110, section 10.2.3: seconds, or a date.
fn retry_after(value: &str, now: SystemTime) -> Option<Duration> {
    let pause = match value.trim().parse() {
        Ok(seconds) => Duration::from_secs(seconds),
        Err(_) => {
            let at = httpdate::parse_http_date(value.trim()).ok()?;
            at.duration_since(now).unwrap_or_default()
        }
    };
    Some(pause.min(CLIENT_RETRY_AFTER_MAX))
}

fn text<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    debug_assert_ne!(name, AUTHORIZATION, "it is never shown");
    headers.get(name).and_then(|value| value.to_str().ok())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::UNIX_EPOCH;

    fn read(status: u16, headers: &[(&'static str, &str)], body: &str) -> Refusal {
        let headers = headers
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), value.parse().unwrap()))
            .collect();
        let address = "http://ana:secret@lab:8765/api/jobs".parse().unwrap();
        let status = StatusCode::from_u16(status).unwrap();
        Refusal::read(&address, status, &headers, body.as_bytes(), UNIX_EPOCH)
    }

    #[test]
    fn the_servers_own_sentence_is_given_as_it_is() {
        let refusal =
            read(413, &[], r#"{"error":{"code":"body_too_big","message":"The body is too big."}}"#);
        assert_eq!(refusal.to_string(), "The body is too big.");
    }

    #[test]
    fn foreign_answers_say_what_they_mean_here() {
        for (status, headers, body, said) in [
            (413, &[("server", "nginx/1.22.1")][..], "<html>", "client_max_body_size"),
            (413, &[("server", "nginx/1.22.1")], "<html>", "(nginx/1.22.1)"),
            (401, &[], "", "does not take this user and password"),
            (403, &[], "", "filter"),
            (302, &[("location", "https://x:y@lab/a")], "", "it sends on to https://lab/a;"),
            (301, &[("location", "/tequio/")], "", "it sends on to http://lab:8765/tequio/;"),
            (308, &[], "", "does not say where"),
            (400, &[], "The plain HTTP request was sent to HTTPS port", "https://"),
            (404, &[], "", "below a path"),
            (426, &[], "", "does not pass WebSockets on"),
            (502, &[], "", "does not reach the server"),
            (504, &[], "", "no answer in time"),
            (418, &[], "\u{1b}[2J", "no tequio"),
        ] {
            let said_is = read(status, headers, body).to_string();
            assert!(said_is.contains(said), "{status}: {said_is}");
            assert!(!said_is.contains("secret"), "{said_is}");
        }
    }

    #[test]
    fn what_a_proxy_says_of_a_server_that_starts_may_pass() {
        for status in [408, 429, 502, 503, 504, 522] {
            assert!(read(status, &[], "").may_pass(), "{status}");
        }
        for status in [301, 400, 401, 403, 404, 413, 500, 501] {
            assert!(!read(status, &[], "").may_pass(), "{status}");
        }
        let own = r#"{"error":{"code":"too_many_tries","message":"Another wrong token."}}"#;
        assert!(!read(429, &[], own).may_pass());
    }

    #[test]
    fn retry_after_is_seconds_or_a_date_and_bounded() {
        for (value, seconds) in [
            ("7", Some(7)),
            (" 0 ", Some(0)),
            ("Thu, 01 Jan 1970 00:00:30 GMT", Some(30)),
            ("999999999", Some(CLIENT_RETRY_AFTER_MAX.as_secs())),
            ("soon", None),
            ("-1", None),
        ] {
            let pause = read(429, &[("retry-after", value)], "").retry_after();
            assert_eq!(pause, seconds.map(Duration::from_secs), "{value}");
        }
    }
}
