//! Who may do what: whoever reaches the page may work; who changes something shows the operator
//! token, and does not come from a page of somebody else's.
//!
//! A browser says with `Origin` whose page asks; a client that says nothing is no browser. A page
//! of another site can make a browser send requests here, which is why a request that changes
//! something is not taken from a foreign origin; and it can have its own name point to this
//! address (DNS rebinding), which is why a server that listens on loopback is asked for by a
//! loopback name only.

use super::error::ApiError;
use super::proxy::{self, Prefix};
use super::{App, socketio, upgrade};
use crate::connect::is_loopback;
use axum::extract::{Request, State};
use axum::http::header::{
    AUTHORIZATION, CONTENT_SECURITY_POLICY, HOST, ORIGIN, X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use tequio_protocol::limits::TOKEN_BYTES_MAX;
use tequio_protocol::text::quote;

/// Where the operator token is shown.
const TEQUIO_TOKEN: HeaderName = HeaderName::from_static("tequio-token");

/// What a server accepts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Who {
    /// Where the server listens: only this machine reaches a loopback address.
    pub is_loopback: bool,
    /// Origins beside the server's own (`https://host`, `http://host:port`, `null`).
    pub allowed_origins: Vec<String>,
    /// What whoever changes something must show.
    pub operator_token: Option<String>,
    /// Proxies that say whom they speak for.
    pub trusted_proxies: Vec<Prefix>,
}

/// What a request wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wish {
    Look,
    Work,
    Change,
}

/// Every request passes here first.
pub(super) async fn check(State(app): State<App>, mut request: Request, next: Next) -> Response {
    if !upgrade::is_wanted(request.headers()) {
        upgrade::ignore_offers(&mut request);
    }
    let headers = request.headers();
    let wish = match *request.method() {
        // Its sockets are made of requests too.
        _ if socketio::PATHS.contains(&request.uri().path()) => Wish::Work,
        Method::GET if upgrade::is_wanted(headers) => Wish::Work,
        Method::GET | Method::HEAD | Method::OPTIONS => Wish::Look,
        _ => Wish::Change,
    };
    let checked = app.who.check(wish, headers);
    if let Some(socket) = request.extensions().get().copied() {
        let peer = proxy::peer(&app.who, socket, headers);
        request.extensions_mut().insert(peer);
    }
    let mut response = match checked {
        Ok(()) => next.run(request).await,
        Err(refusal) => refusal.into_response(),
    };
    harden(response.headers_mut());
    response
}

/// Keeps browsers from taking an answer for what it is not: of what the page's files do not say
/// themselves, nothing is run, and nothing is shown in anybody's frame.
fn harden(headers: &mut HeaderMap) {
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    let nothing = HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'");
    headers.entry(CONTENT_SECURITY_POLICY).or_insert(nothing);
}

impl Who {
    fn check(&self, wish: Wish, headers: &HeaderMap) -> Result<(), ApiError> {
        let host = text(headers, &HOST);
        if let Some(host) = host {
            self.check_host(host)?;
        }
        if wish == Wish::Look {
            return Ok(());
        }
        if let Some(origin) = text(headers, &ORIGIN)
            && !self.accepts_origin(wish, origin, host)
        {
            return Err(foreign(origin));
        }
        if wish == Wish::Change { self.check_token(headers) } else { Ok(()) }
    }

    fn check_host(&self, host: &str) -> Result<(), ApiError> {
        let is_allowed = || {
            let mut hosts = self.allowed_origins.iter().filter_map(|origin| host_of(origin));
            hosts.any(|allowed| allowed.eq_ignore_ascii_case(host))
        };
        if !self.is_loopback || is_loopback_name(host) || is_allowed() {
            return Ok(());
        }
        let host = quote(host);
        let message = format!(
            "This server listens on loopback and is not known as {host}; \
             if that is its name, start it with --allow-origin http://{host}."
        );
        Err(ApiError::new(StatusCode::FORBIDDEN, "foreign_host", message))
    }

    fn accepts_origin(&self, wish: Wish, origin: &str, host: Option<&str>) -> bool {
        let is_own = host.is_some_and(|host| {
            host_of(origin).is_some_and(|from| from.eq_ignore_ascii_case(host))
        });
        // Classroom clients are pages of another local server, or files (whose origin is `null`).
        is_own
            || self.allowed_origins.iter().any(|allowed| allowed.eq_ignore_ascii_case(origin))
            || (wish == Wish::Work && self.is_loopback && is_local(origin))
    }

    /// What a page of `origin` is told that asks for a socket; `None` where it gets one. `headers` are
    /// those of a request to the same address.
    pub(super) fn refusal_of_socket(&self, origin: &str, headers: &HeaderMap) -> Option<ApiError> {
        let is_accepted = self.accepts_origin(Wish::Work, origin, text(headers, &HOST));
        (!is_accepted).then(|| foreign(origin))
    }

    fn check_token(&self, headers: &HeaderMap) -> Result<(), ApiError> {
        let Some(token) = &self.operator_token else { return Ok(()) };
        let message = match shown_token(headers) {
            Some(shown) if is_same(shown.trim(), token) => return Ok(()),
            Some(_) => "This is not the operator token that the server printed when it started.",
            None => {
                "This needs the operator token, which the server printed when it started: \
                 --token TOKEN, or the header `Tequio-Token: TOKEN`."
            }
        };
        Err(ApiError::new(StatusCode::UNAUTHORIZED, "unauthorized", message))
    }

    /// Whether others come to this server by a name of its own: through a proxy, if it listens on
    /// loopback.
    pub(super) fn has_outside(&self) -> bool {
        self.allowed_origins.iter().any(|origin| !is_local(origin))
    }

    /// Whether whoever sent these headers may be told what this server does: not a page of the origin
    /// `null` unless the operator has named it. A file's page has that origin, and so has any page of
    /// the web in a sandboxed frame.
    pub(super) fn may_watch(&self, headers: &HeaderMap) -> bool {
        let is_nobodys = |origin: &str| origin.eq_ignore_ascii_case("null");
        !text(headers, &ORIGIN).is_some_and(is_nobodys)
            || self.allowed_origins.iter().any(|allowed| is_nobodys(allowed))
    }
}

/// The operator token that a request shows. Where a proxy asks for a password, `Authorization` is the
/// proxy's; so a request that has `Tequio-Token` shows that and nothing else.
fn shown_token(headers: &HeaderMap) -> Option<&str> {
    if let Some(shown) = text(headers, &TEQUIO_TOKEN) {
        return Some(shown);
    }
    let (scheme, shown) = text(headers, &AUTHORIZATION)?.trim().split_once(' ')?;
    scheme.eq_ignore_ascii_case("Bearer").then_some(shown)
}

/// What may be an operator token: white space at its ends is none of it, since headers lose it (and a
/// file ends with a line end). Says what is wrong with what nobody could show.
pub fn parse_token(text: &str) -> Result<String, String> {
    let token = text.trim();
    if token.is_empty() {
        return Err("it is empty; leave it out, or give one".to_owned());
    }
    if token.len() > TOKEN_BYTES_MAX {
        return Err(format!("it is longer than {TOKEN_BYTES_MAX} bytes"));
    }
    match token.chars().find(|char| !char.is_ascii_graphic()) {
        None => Ok(token.to_owned()),
        Some(char) => Err(format!(
            "it has the character {char:?}, which cannot be sent in a header; \
             use letters, digits and signs of ASCII, without spaces"
        )),
    }
}

/// Whether an origin is a page of this machine: a local server's, or a file's.
pub fn is_local(origin: &str) -> bool {
    origin == "null" || host_of(origin).is_some_and(is_loopback_name)
}

/// Whether `text` can be one of [`Who::allowed_origins`]; says what is wrong if not.
pub fn parse_origin(text: &str) -> Result<String, String> {
    let is_origin = host_of(text).is_some_and(|host| !host.is_empty() && !host.contains('/'));
    if is_origin || text == "null" {
        Ok(text.to_owned())
    } else {
        Err("an origin is http(s)://HOST or http(s)://HOST:PORT, or null".to_owned())
    }
}

fn foreign(origin: &str) -> ApiError {
    let origin = quote(origin);
    let message = format!(
        "Requests from the origin {origin} are not accepted; \
         to accept them, start the server with --allow-origin {origin}."
    );
    ApiError::new(StatusCode::FORBIDDEN, "foreign_origin", message)
}

/// The value of a header.
pub(super) fn text<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    // What is no text is no origin that anybody allowed.
    headers.get(name).map(|value| value.to_str().unwrap_or("?"))
}

/// `host:port` of an origin.
pub(super) fn host_of(origin: &str) -> Option<&str> {
    let (scheme, host) = origin.split_once("://")?;
    ["http", "https"].contains(&scheme).then_some(host)
}

/// Whether `host`, with a port or without, always means this machine.
pub(super) fn is_loopback_name(host: &str) -> bool {
    is_loopback(name_of(host))
}

/// `host` without its port, and an IPv6 address without its brackets.
pub(super) fn name_of(host: &str) -> &str {
    match host.strip_prefix('[') {
        Some(v6) => v6.split(']').next().unwrap_or_default(),
        None => host.split(':').next().unwrap_or_default(),
    }
}

/// Looks at every byte, so that the time it takes does not tell how many were right.
fn is_same(shown: &str, token: &str) -> bool {
    let pairs = shown.bytes().zip(token.bytes());
    shown.len() == token.len() && pairs.fold(0, |seen, (a, b)| seen | (a ^ b)) == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(host: &str, origin: Option<&str>, token: Option<&str>) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(HOST, host.parse().unwrap());
        if let Some(origin) = origin {
            headers.insert(ORIGIN, origin.parse().unwrap());
        }
        if let Some(token) = token {
            headers.insert(AUTHORIZATION, format!("Bearer {token}").parse().unwrap());
        }
        headers
    }

    fn on_loopback() -> Who {
        Who { is_loopback: true, ..Who::default() }
    }

    fn on_lan() -> Who {
        Who {
            is_loopback: false,
            allowed_origins: vec!["https://lab.example".to_owned()],
            operator_token: Some("secret".to_owned()),
            ..Who::default()
        }
    }

    #[test]
    fn whose_pages_may_work_and_change() {
        // (server, Host, Origin, may work, may change)
        let table = [
            (on_loopback(), "127.0.0.1:8765", None, true, true),
            (on_loopback(), "localhost:8765", Some("http://localhost:8765"), true, true),
            (on_loopback(), "[::1]:8765", Some("http://[::1]:8765"), true, true),
            (on_loopback(), "127.0.0.1:8765", Some("null"), true, false),
            (on_loopback(), "127.0.0.1:8765", Some("http://localhost:8080"), true, false),
            (on_loopback(), "127.0.0.1:8765", Some("http://127.0.0.1:8080"), true, false),
            (on_loopback(), "127.0.0.1:8765", Some("https://evil.example"), false, false),
            (on_loopback(), "127.0.0.1:8765", Some("http://127.0.0.1.evil.example"), false, false),
            (on_loopback(), "127.0.0.1:8765", Some("file://"), false, false),
            (on_loopback(), "evil.example:8765", Some("http://evil.example:8765"), false, false),
            (on_loopback(), "evil.example:8765", None, false, false),
            (on_lan(), "192.168.1.5:8765", None, true, true),
            (on_lan(), "192.168.1.5:8765", Some("http://192.168.1.5:8765"), true, true),
            (on_lan(), "lab.example", Some("https://lab.example"), true, true),
            (on_lan(), "192.168.1.5:8765", Some("https://lab.example"), true, true),
            (on_lan(), "192.168.1.5:8765", Some("null"), false, false),
            (on_lan(), "192.168.1.5:8765", Some("http://localhost:8080"), false, false),
            (on_lan(), "192.168.1.5:8765", Some("https://evil.example"), false, false),
        ];
        for (who, host, origin, may_work, may_change) in table {
            let headers = headers(host, origin, Some("secret"));
            let about = format!("{host} from {origin:?}");
            assert_eq!(who.check(Wish::Work, &headers).is_ok(), may_work, "{about} works");
            assert_eq!(who.check(Wish::Change, &headers).is_ok(), may_change, "{about} changes");
        }
    }

    #[test]
    fn changes_need_the_token_where_there_is_one() {
        let change =
            |who: Who, token| who.check(Wish::Change, &headers("h:1", None, token)).is_ok();
        assert!(change(on_lan(), Some("secret")));
        for wrong in [None, Some(""), Some("secre"), Some("secrex"), Some("secrets")] {
            assert!(!change(on_lan(), wrong), "{wrong:?}");
        }
        let work = headers("h:1", None, None);
        assert!(on_lan().check(Wish::Work, &work).is_ok());
        assert!(on_lan().check(Wish::Look, &work).is_ok());
    }

    #[test]
    fn the_token_is_shown_in_either_header() {
        let shown = |lines: &[(&'static str, &'static str)]| {
            let mut headers = headers("h:1", None, None);
            for (name, value) in lines {
                headers.append(HeaderName::from_static(name), HeaderValue::from_static(value));
            }
            on_lan().check(Wish::Change, &headers).is_ok()
        };
        for good in ["Bearer secret", "bearer secret", "BEARER   secret", " Bearer secret "] {
            assert!(shown(&[("authorization", good)]), "{good:?}");
        }
        for bad in ["secret", "Basic secret", "Bearersecret", "Bearer secret secret", "Bearer"] {
            assert!(!shown(&[("authorization", bad)]), "{bad:?}");
        }
        let basic = ("authorization", "Basic YTpi");
        assert!(shown(&[("tequio-token", "secret")]));
        assert!(shown(&[basic, ("tequio-token", " secret ")]));
        assert!(!shown(&[("authorization", "Bearer secret"), ("tequio-token", "wrong")]));
        assert!(!shown(&[("authorization", "Bearer secret"), ("tequio-token", "")]));
    }

    #[test]
    fn a_token_is_what_a_header_can_carry() {
        for (text, token) in [("abc", "abc"), (" abc\r\n", "abc"), ("a-._~+/=!:b", "a-._~+/=!:b")] {
            assert_eq!(parse_token(text).as_deref(), Ok(token));
        }
        let long = "x".repeat(TOKEN_BYTES_MAX + 1);
        for bad in ["", " \n", "a b", "a\nb", "a\tb", "contraseña", "a\u{7f}", "a\u{a0}b", &long] {
            assert!(parse_token(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_host_that_was_allowed_is_known() {
        let mut who = on_loopback();
        let proxied = headers("lab.example", Some("https://lab.example"), None);
        assert!(who.check(Wish::Look, &proxied).is_err());
        who.allowed_origins = vec!["https://lab.example".to_owned()];
        assert!(who.check(Wish::Change, &proxied).is_ok());
    }

    #[test]
    fn origins_are_a_scheme_and_a_host() {
        for good in ["https://lab.example", "http://10.0.0.2:8080", "http://[::1]:80", "null"] {
            assert_eq!(parse_origin(good).as_deref(), Ok(good));
        }
        for bad in ["lab.example", "https://", "https://lab.example/", "ws://lab.example", "*"] {
            assert!(parse_origin(bad).is_err(), "{bad}");
        }
    }
}
