//! Who may do what: whoever reaches the page may work; who changes something shows the operator
//! token, and does not come from a page of somebody else's.
//!
//! A browser says with `Origin` whose page asks; a client that says nothing is no browser. A page
//! of another site can make a browser send requests here, which is why a request that changes
//! something is not taken from a foreign origin. And it can have its own name point to this address (DNS
//! rebinding), and then read all that guests see as if it were ours: so a server is asked for by the names
//! that it is known to have, and whoever names none, or several, is not served.

use super::error::ApiError;
use super::names::{BadOrigin, HostPort, NULL, PageOrigin};
use super::proxy::{self, Prefix};
use super::{App, socketio, upgrade};
use axum::extract::{Request, State};
use axum::http::header::{
    AUTHORIZATION, CONTENT_SECURITY_POLICY, HOST, ORIGIN, X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use std::hint::black_box;
use tequio_protocol::limits::TOKEN_BYTES_MAX;
use tequio_protocol::text::quote;

/// Where the operator token is shown.
const TEQUIO_TOKEN: HeaderName = HeaderName::from_static("tequio-token");

/// What a server accepts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Who {
    /// Where the server listens: only this machine reaches a loopback address.
    pub is_loopback: bool,
    /// Names by which it may be asked for, beside its addresses, those of this machine that are the same on
    /// each (`localhost`), and those of `allowed_origins`.
    pub names: Vec<HostPort>,
    /// Whose pages are accepted beside the server's own.
    pub allowed_origins: Vec<PageOrigin>,
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

/// Why a request is not served.
#[derive(Debug)]
enum No {
    Because(ApiError),
    /// Its operator token is not the right one.
    WrongToken,
}

impl From<ApiError> for No {
    fn from(error: ApiError) -> No {
        No::Because(error)
    }
}

/// Every request passes here first. Leaves the host that it is for, and whoever sends it, in its extensions.
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
    let socket = *request.extensions().get().expect("the listener says who connects");
    let peer = proxy::peer(&app.who, socket, headers);
    let checked = app.who.check(wish, request.uri(), headers);
    let mut response = match checked {
        Ok(asked) => {
            request.extensions_mut().insert(peer);
            request.extensions_mut().insert(asked);
            next.run(request).await
        }
        Err(No::Because(refusal)) => refusal.into_response(),
        Err(No::WrongToken) => app.tries.answer(peer, app.sockets.stopping()).await,
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
    /// Returns the host that the request is for.
    fn check(&self, wish: Wish, target: &Uri, headers: &HeaderMap) -> Result<HostPort, No> {
        let asked = asked_host(target, headers)?;
        self.check_host(&asked)?;
        if wish == Wish::Look {
            return Ok(asked);
        }
        if let Some(origin) = text(headers, &ORIGIN)
            && !self.accepts_origin(wish, origin, &asked)
        {
            return Err(foreign(origin).into());
        }
        if wish == Wish::Change {
            self.check_token(headers)?;
        }
        Ok(asked)
    }

    fn check_host(&self, asked: &HostPort) -> Result<(), ApiError> {
        if self.is_known_as(asked) {
            return Ok(());
        }
        let listens = if self.is_loopback { "listens on loopback and " } else { "" };
        let message = format!(
            "This server {listens}is not known as {asked}; if that is its name, start it with \
             --host {asked}. A website may have given its own name to this address."
        );
        Err(ApiError::new(StatusCode::FORBIDDEN, "foreign_host", message))
    }

    /// Whether a request for `asked` may be meant for this server. A page whose name was turned to this
    /// address asks for that name, so an address is never one: nobody can point an address elsewhere.
    /// Which addresses lead here the server need not know, as behind a router that forwards a port. One on
    /// loopback has none but those of loopback.
    fn is_known_as(&self, asked: &HostPort) -> bool {
        asked.is_loopback()
            || (!self.is_loopback && asked.address().is_some())
            || self.names.iter().any(|name| name.covers(asked))
            || self.allowed_origins.iter().any(|origin| origin.is_at(asked))
    }

    fn accepts_origin(&self, wish: Wish, origin: &str, asked: &HostPort) -> bool {
        // Classroom clients are pages of another local server, or files (whose origin is `null`).
        let is_local_work = wish == Wish::Work && self.is_loopback;
        match origin.parse::<PageOrigin>() {
            Ok(page) => {
                page.is_of(asked)
                    || self.allowed_origins.contains(&page)
                    || (is_local_work && page.is_local())
            }
            Err(_) => is_local_work && origin == NULL,
        }
    }

    /// What a page of `origin` is told that asks for a socket of the server at `asked`; `None` where it
    /// gets one.
    pub(super) fn refusal_of_socket(&self, origin: &str, asked: &HostPort) -> Option<ApiError> {
        (!self.accepts_origin(Wish::Work, origin, asked)).then(|| foreign(origin))
    }

    fn check_token(&self, headers: &HeaderMap) -> Result<(), No> {
        let Some(token) = &self.operator_token else { return Ok(()) };
        match shown_token(headers) {
            Some(shown) if is_same(shown.trim(), token) => Ok(()),
            Some(_) => Err(No::WrongToken),
            None => {
                let message = "This needs the operator token, which the server printed when it \
                    started: --token TOKEN, or the header `Tequio-Token: TOKEN`.";
                let status = StatusCode::UNAUTHORIZED;
                Err(ApiError::new(status, "unauthorized", message).into())
            }
        }
    }

    /// Whether others come to this server by a name of its own: through a proxy, if it listens on
    /// loopback.
    pub(super) fn has_outside(&self) -> bool {
        self.allowed_origins.iter().any(|origin| !origin.is_local())
            || (self.is_loopback && self.names.iter().any(|name| !name.is_loopback()))
    }
}

/// The host that a request is for. A client that is not of 1999 says it once (RFC 9112, section 3.2), and
/// every browser is one; what says none or two is read differently by each who reads it.
fn asked_host(target: &Uri, headers: &HeaderMap) -> Result<HostPort, ApiError> {
    let bad = |what: &str| {
        let message = format!(
            "{what}. A request says once for which server it is, as in `Host: 192.168.1.5:8765`."
        );
        ApiError::bad("bad_host", message)
    };
    let mut lines = headers.get_all(HOST).iter();
    let line = match (lines.next(), lines.next()) {
        (Some(line), None) => line.to_str().unwrap_or("?"),
        (None, _) => return Err(bad("There is no header `Host`")),
        (Some(_), Some(_)) => return Err(bad("There is more than one header `Host`")),
    };
    let asked: HostPort =
        line.parse().map_err(|_| bad(&format!("`Host: {}` is no host", quote(line))))?;
    // A target may name a host as well, as requests to proxies do.
    let port = if target.scheme_str() == Some("https") { 443 } else { 80 };
    let is_same = |named: HostPort| named.is_same(&asked, port);
    match target.authority().map(|named| named.as_str().parse().is_ok_and(is_same)) {
        Some(false) => Err(bad("The header `Host` names another server than the address does")),
        _ => Ok(asked),
    }
}

/// Whether whoever sent these headers may be told what this server does: not a page of the origin `null`.
/// A file's page has that origin, and so has any page of the web in a sandboxed frame.
pub(super) fn may_watch(headers: &HeaderMap) -> bool {
    !text(headers, &ORIGIN).is_some_and(|origin| origin.eq_ignore_ascii_case(NULL))
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

fn foreign(origin: &str) -> ApiError {
    let shown = quote(origin);
    let how = match origin.parse::<PageOrigin>() {
        Ok(page) => format!("; to accept them, start the server with --allow-origin {page}"),
        Err(BadOrigin::Null) => {
            " (a file's page, or one in a sandboxed frame); open the page from a server".to_owned()
        }
        Err(_) => String::new(),
    };
    let message = format!("Requests from the origin {shown} are not accepted{how}.");
    ApiError::new(StatusCode::FORBIDDEN, "foreign_origin", message)
}

/// The value of a header; of one that is there twice, which only clients of their own making send, what is
/// nobody's.
fn text<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    let mut lines = headers.get_all(name).iter();
    let line = lines.next()?;
    // What is no text is no origin that anybody allowed.
    Some(if lines.next().is_none() { line.to_str().unwrap_or("?") } else { "?" })
}

/// Looks at as many bytes as the longest token has, so that the time it takes tells neither how many were
/// right nor how many there are.
fn is_same(shown: &str, token: &str) -> bool {
    let byte = |text: &str, at| text.as_bytes().get(at).copied().unwrap_or_default();
    let lengths = u8::from(shown.len() != token.len());
    let unlike = (0..TOKEN_BYTES_MAX)
        .fold(lengths, |unlike, at| black_box(unlike | (byte(shown, at) ^ byte(token, at))));
    unlike == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(lines: &[(HeaderName, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(name, value.parse().unwrap());
        }
        headers
    }

    fn on_loopback() -> Who {
        Who { is_loopback: true, ..Who::default() }
    }

    fn on_lan() -> Who {
        Who {
            is_loopback: false,
            names: vec!["teacher-pc".parse().unwrap()],
            allowed_origins: vec!["https://lab.example".parse().unwrap()],
            operator_token: Some("secret".to_owned()),
            ..Who::default()
        }
    }

    fn checked(who: &Who, wish: Wish, headers: &HeaderMap) -> Result<HostPort, No> {
        who.check(wish, &Uri::from_static("/"), headers)
    }

    #[test]
    fn whose_pages_may_work_and_change() {
        // (server, Host, Origin, may work, may change)
        let table = [
            (on_loopback(), "127.0.0.1:8765", None, true, true),
            (on_loopback(), "localhost:8765", Some("http://localhost:8765"), true, true),
            (on_loopback(), "[::1]:8765", Some("http://[::1]:8765"), true, true),
            (on_loopback(), "127.1:8765", Some("http://127.0.0.1:8765"), true, true),
            (on_loopback(), "127.0.0.1:8765", Some("null"), true, false),
            (on_loopback(), "127.0.0.1:8765", Some("http://localhost:8080"), true, false),
            (on_loopback(), "127.0.0.1:8765", Some("http://127.0.0.1:8080"), true, false),
            (on_loopback(), "127.0.0.1:8765", Some("https://evil.example"), false, false),
            (on_loopback(), "127.0.0.1:8765", Some("http://127.0.0.1.evil.example"), false, false),
            (
                on_loopback(),
                "127.0.0.1:8765",
                Some("http://127.0.0.1:1.evil.example"),
                false,
                false,
            ),
            (on_loopback(), "127.0.0.1:8765", Some("http://localhost@evil.example"), false, false),
            (on_loopback(), "127.0.0.1:8765", Some("http://localhost.evil.example"), false, false),
            (on_loopback(), "127.0.0.1:8765", Some("file://"), false, false),
            (on_loopback(), "127.0.0.1:8765", Some("file://localhost"), false, false),
            (on_loopback(), "127.0.0.1:8765", Some("NULL"), false, false),
            (on_loopback(), "127.0.0.1:8765", Some("null, http://localhost"), false, false),
            (on_loopback(), "evil.example:8765", Some("http://evil.example:8765"), false, false),
            (on_loopback(), "evil.example:8765", None, false, false),
            (on_lan(), "192.168.1.5:8765", None, true, true),
            (on_lan(), "192.168.1.5:8765", Some("http://192.168.1.5:8765"), true, true),
            (on_lan(), "teacher-pc:8765", Some("http://teacher-pc:8765"), true, true),
            (on_lan(), "teacher-pc:8765", Some("http://teacher-pc:8080"), false, false),
            (on_lan(), "lab.example", Some("https://lab.example"), true, true),
            (on_lan(), "192.168.1.5:8765", Some("https://lab.example"), true, true),
            (on_lan(), "192.168.1.5:8765", Some("null"), false, false),
            (on_lan(), "192.168.1.5:8765", Some("http://localhost:8080"), false, false),
            (on_lan(), "192.168.1.5:8765", Some("https://evil.example"), false, false),
            (on_lan(), "evil.example:8765", Some("http://evil.example:8765"), false, false),
        ];
        for (who, host, origin, may_work, may_change) in table {
            let mut headers = headers(&[(HOST, host), (TEQUIO_TOKEN, "secret")]);
            headers.extend(origin.map(|origin| (ORIGIN, origin.parse().unwrap())));
            let about = format!("{host} from {origin:?}");
            assert_eq!(checked(&who, Wish::Work, &headers).is_ok(), may_work, "{about} works");
            assert_eq!(
                checked(&who, Wish::Change, &headers).is_ok(),
                may_change,
                "{about} changes"
            );
        }
    }

    #[test]
    fn by_which_names_a_server_may_be_asked_for() {
        let proxied = Who {
            names: vec!["tunnel.example:8443".parse().unwrap()],
            allowed_origins: vec!["https://lab.example".parse().unwrap()],
            ..on_loopback()
        };
        for (who, known, unknown) in [
            (
                on_loopback(),
                &["127.0.0.1", "localhost:1", "LOCALHOST.", "a.localhost", "[::1]:1", "0x7f.1"][..],
                &["192.168.1.5", "teacher-pc", "lab.example", "localhost.evil.example"][..],
            ),
            (
                on_lan(),
                &[
                    "192.168.1.5",
                    "203.0.113.7:80",
                    "[fd00::2]:8765",
                    "localhost",
                    "127.0.0.1:8765",
                    "teacher-pc:1",
                    "Teacher-PC.",
                    "lab.example",
                    "lab.example:8443",
                ],
                &["evil.example", "other-pc", "teacher-pc.evil.example", "192.168.1.5.nip.io"],
            ),
            (
                proxied,
                &["localhost:1", "lab.example", "tunnel.example:8443"],
                &["tunnel.example:8444", "192.168.1.5", "sub.lab.example"],
            ),
        ] {
            for (hosts, is_known) in [(known, true), (unknown, false)] {
                for host in hosts {
                    let checked = checked(&who, Wish::Look, &headers(&[(HOST, host)]));
                    assert_eq!(checked.is_ok(), is_known, "{host}: {checked:?}");
                }
            }
        }
    }

    #[test]
    fn a_request_names_one_host() {
        let look = |target: &str, lines: &[&str]| {
            let lines: Vec<_> = lines.iter().map(|line| (HOST, *line)).collect();
            on_lan().check(Wish::Look, &target.parse().unwrap(), &headers(&lines)).is_ok()
        };
        for (target, host) in [
            ("/", "10.0.0.7:8765"),
            ("http://10.0.0.7:8765/", "10.0.0.7:8765"),
            ("http://10.0.0.7/", "10.0.0.7:80"),
            ("https://lab.example/", "LAB.example"),
        ] {
            assert!(look(target, &[host]), "{target} {host}");
        }
        for (target, lines) in [
            ("/", &[][..]),
            ("/", &["10.0.0.7", "10.0.0.7"]),
            ("/", &["10.0.0.7", "evil.example"]),
            ("/", &["10.0.0.7, evil.example"]),
            ("/", &[""]),
            ("/", &["ana@10.0.0.7"]),
            ("/", &["http://10.0.0.7"]),
            ("/", &["10.0.0.7:x"]),
            ("http://10.0.0.7/", &[]),
            ("http://evil.example/", &["10.0.0.7"]),
            ("http://ana@10.0.0.7/", &["10.0.0.7"]),
            ("http://10.0.0.7:81/", &["10.0.0.7"]),
            ("http://10.0.0.7/", &["evil.example"]),
        ] {
            assert!(!look(target, lines), "{target} {lines:?}");
        }
    }

    #[test]
    fn changes_need_the_token_where_there_is_one() {
        let change = |lines: &[(HeaderName, &str)]| {
            let lines = [&[(HOST, "10.0.0.7")], lines].concat();
            checked(&on_lan(), Wish::Change, &headers(&lines))
        };
        assert!(change(&[(TEQUIO_TOKEN, "secret")]).is_ok());
        assert!(matches!(change(&[]), Err(No::Because(_))));
        for wrong in ["", "secre", "secrex", "secrets", "SECRET", "secret\u{e9}"] {
            let refused = change(&[(TEQUIO_TOKEN, wrong)]);
            assert!(matches!(refused, Err(No::WrongToken)), "{wrong:?}: {refused:?}");
        }
        // One of them could be a guess that is hidden behind another.
        assert!(change(&[(TEQUIO_TOKEN, "secret"), (TEQUIO_TOKEN, "secret")]).is_err());
        let work = headers(&[(HOST, "10.0.0.7")]);
        assert!(checked(&on_lan(), Wish::Work, &work).is_ok());
        assert!(checked(&on_lan(), Wish::Look, &work).is_ok());
    }

    #[test]
    fn a_token_is_the_same_to_its_last_byte() {
        let long = "x".repeat(TOKEN_BYTES_MAX);
        assert!(is_same("a", "a") && is_same(&long, &long));
        let longer = format!("{long}x");
        for (shown, token) in [("", "a"), ("a", "b"), ("a\0", "a"), (&longer, &long), ("ab", "a")] {
            assert!(!is_same(shown, token), "{shown:?} {token:?}");
        }
    }

    #[test]
    fn the_token_is_shown_in_either_header() {
        let shown = |lines: &[(HeaderName, &str)]| {
            let lines = [&[(HOST, "10.0.0.7")], lines].concat();
            checked(&on_lan(), Wish::Change, &headers(&lines)).is_ok()
        };
        for good in ["Bearer secret", "bearer secret", "BEARER   secret", " Bearer secret "] {
            assert!(shown(&[(AUTHORIZATION, good)]), "{good:?}");
        }
        for bad in ["secret", "Basic secret", "Bearersecret", "Bearer secret secret", "Bearer"] {
            assert!(!shown(&[(AUTHORIZATION, bad)]), "{bad:?}");
        }
        let basic = (AUTHORIZATION, "Basic YTpi");
        assert!(shown(&[(TEQUIO_TOKEN, "secret")]));
        assert!(shown(&[basic, (TEQUIO_TOKEN, " secret ")]));
        assert!(!shown(&[(AUTHORIZATION, "Bearer secret"), (TEQUIO_TOKEN, "wrong")]));
        assert!(!shown(&[(AUTHORIZATION, "Bearer secret"), (TEQUIO_TOKEN, "")]));
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
}
