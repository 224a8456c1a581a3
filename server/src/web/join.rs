//! How others join: the address at which they reach this server, as a link and as a QR code.
//!
//! The address that a page was opened at is often one that leads nowhere on another machine
//! (`localhost`), and the one that a server listens at is no address at all (`0.0.0.0`).

use super::App;
use super::api::Params;
use super::error::ApiError;
use super::names::{HostPort, PageOrigin};
use super::who::Who;
use axum::Extension;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::IntoResponse;
use qrcode::QrCode;
use qrcode::render::svg;
use serde::Deserialize;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use tequio_protocol::limits::JOIN_PATH_BYTES_MAX;

/// What of the link only the page knows.
#[derive(Debug, Deserialize)]
pub(super) struct CodeParams {
    /// The folder that a proxy has put the page into, with a slash at both ends.
    path: Option<String>,
}

/// `GET /api/join.svg`
pub(super) async fn code(
    State(app): State<App>,
    Extension(asked): Extension<HostPort>,
    Params(CodeParams { path }): Params<CodeParams>,
) -> Result<impl IntoResponse, ApiError> {
    let path = path.unwrap_or_else(|| "/".to_owned());
    if !is_folder(&path) {
        let message = format!(
            "A path begins and ends with a slash, has at most {JOIN_PATH_BYTES_MAX} bytes, and is \
             written as in an address."
        );
        return Err(ApiError::bad("bad_path", message));
    }
    let link = link(&app, &asked).ok_or_else(|| {
        no_link(
            "Nobody else reaches this server: it listens on loopback. \
             Start it with --listen 0.0.0.0:8765, or name its outside with --allow-origin.",
        )
    })?;
    // A name that is allowed may be of any length; a code is of 2,331 bytes at the most.
    let code = QrCode::new(at_path(&link, &path))
        .map_err(|_| no_link("The link is too long for a QR code."))?;
    // Dark on white, whatever the page's colours are, in a margin of four modules: readers count on
    // both (ISO/IEC 18004).
    let image = code.render::<svg::Color<'_>>().quiet_zone(true).build();
    Ok(([(CONTENT_TYPE, "image/svg+xml"), (CACHE_CONTROL, "no-cache")], image))
}

/// The link to a page in a folder of the server. A root is said without its slash.
fn at_path(link: &str, path: &str) -> String {
    if path == "/" { link.to_owned() } else { format!("{link}{path}") }
}

/// Whether `path` may be a folder's, as an address has it: it comes from whoever asks, and goes into a
/// link (RFC 3986, 3.3).
fn is_folder(path: &str) -> bool {
    let is_allowed =
        |byte: u8| byte.is_ascii_alphanumeric() || b"/-._~%!$&'()*+,;=:@".contains(&byte);
    let is_long = path.len() > JOIN_PATH_BYTES_MAX;
    path.starts_with('/') && path.ends_with('/') && !is_long && path.bytes().all(is_allowed)
}

fn no_link(message: &str) -> ApiError {
    ApiError::new(StatusCode::NOT_FOUND, "no_join_link", message)
}

/// Where whoever asked may send others; nothing where nobody else reaches this server.
pub(super) fn link(app: &App, asked: &HostPort) -> Option<String> {
    choose(&app.who.allowed_origins, Some(asked), app.address, own_address)
}

/// Where whoever started a server that listens at `address` may send others; `None` if nobody else
/// reaches it.
pub fn join_link(who: &Who, address: SocketAddr) -> Option<String> {
    choose(&who.allowed_origins, None, address, own_address)
}

/// An address at which this machine reaches a server that listens at `address`: `0.0.0.0` and `::`
/// stand for all that it has, and are none to connect to.
pub fn opening_address(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, address.port())
}

/// The first of these that others can reach: what the asker typed, if that is an address or one of the
/// operator's names; what the operator named first; any other name that the asker typed; this
/// machine's address in its network; the address listened at.
fn choose(
    allowed_origins: &[PageOrigin],
    asked: Option<&HostPort>,
    listening: SocketAddr,
    own_address: impl FnOnce(IpAddr) -> Option<IpAddr>,
) -> Option<String> {
    let asked = asked.filter(|asked| !asked.means_this_machine());
    let is_asked = |origin: &&PageOrigin| asked.is_some_and(|asked| origin.is_of(asked));
    if let Some(asked) = allowed_origins.iter().find(is_asked) {
        return Some(asked.to_string());
    }
    // A proxy may ask by a name that it alone knows; nobody has an address for himself.
    let is_address = asked.is_some_and(|asked| asked.address().is_some());
    let outside = allowed_origins.iter().find(|origin| !origin.is_local() && !is_address);
    if let Some(outside) = outside {
        return Some(outside.to_string());
    }
    if let Some(asked) = asked {
        return Some(format!("http://{asked}"));
    }
    let address = match listening.ip() {
        any if any.is_unspecified() => own_address(any)?,
        one => one,
    };
    let is_reached = !address.is_loopback();
    is_reached.then(|| format!("http://{}", SocketAddr::new(address, listening.port())))
}

/// This machine's address in its network, of a family that a server which listens at `listening`
/// takes: the one that the system would send from. Nothing is sent: a datagram socket that is
/// connected has only chosen its way. Its far end is an address that is nobody's (RFC 5737 and 3849).
fn own_address(listening: IpAddr) -> Option<IpAddr> {
    let v4 = || address_towards(Ipv4Addr::UNSPECIFIED.into(), Ipv4Addr::new(192, 0, 2, 1).into());
    let v6 = || {
        let documentation = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1);
        address_towards(Ipv6Addr::UNSPECIFIED.into(), documentation.into())
    };
    // What listens at `::` takes both, and an IPv4 address is what any phone in the room reaches.
    v4().or_else(|| listening.is_ipv6().then(v6).flatten())
}

fn address_towards(from: IpAddr, to: IpAddr) -> Option<IpAddr> {
    // Any port will do (9 discards).
    let socket = UdpSocket::bind((from, 0)).ok()?;
    socket.connect((to, 9)).ok()?;
    let own = socket.local_addr().ok()?.ip();
    (!own.is_unspecified()).then_some(own)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_link_is_an_address_that_others_reach() {
        let lan = "192.168.1.5:8765";
        // (--allow-origin, Host, listening at, the link)
        for (allowed, host, listening, link) in [
            // What was asked for, if it was an address or one of the operator's names.
            (&["https://lab.example"][..], Some(lan), lan, Some("http://192.168.1.5:8765")),
            (
                &["https://other.example", "https://lab.example"],
                Some("lab.example"),
                lan,
                Some("https://lab.example"),
            ),
            // A proxy's outside, where the proxy asked by a name of its own, or on loopback.
            (&["https://lab.example"], Some("tequio:8765"), lan, Some("https://lab.example")),
            (
                &["https://lab.example"],
                Some("127.0.0.1"),
                "127.0.0.1:80",
                Some("https://lab.example"),
            ),
            (&["http://localhost:8080", "http://a", "http://b"], None, lan, Some("http://a")),
            // What is local is nobody's outside.
            (&["http://localhost:8080"], Some("localhost:1"), "127.0.0.1:1", None),
            // What others can type as well.
            (&[], Some(lan), "0.0.0.0:8765", Some("http://192.168.1.5:8765")),
            (&[], Some("box.lan"), "0.0.0.0:8765", Some("http://box.lan")),
            (&[], Some("[fd00::2]:8765"), "[::]:8765", Some("http://[fd00::2]:8765")),
            (&["http://localhost:8080"], Some("box:1"), "0.0.0.0:1", Some("http://box:1")),
            // What means another machine on each is not passed on.
            (&[], Some("localhost:8765"), "0.0.0.0:8765", Some("http://10.0.0.7:8765")),
            (&[], Some("me.localhost:1"), "0.0.0.0:1", Some("http://10.0.0.7:1")),
            (&[], Some("127.0.0.1:9"), "0.0.0.0:8765", Some("http://10.0.0.7:8765")),
            (&[], Some("0.0.0.0:8765"), "0.0.0.0:8765", Some("http://10.0.0.7:8765")),
            (&[], Some("[::]:8765"), "[::]:8765", Some("http://[fd00::7]:8765")),
            (&[], Some("[::1]:8765"), "[::]:8765", Some("http://[fd00::7]:8765")),
            (&[], None, "0.0.0.0:8765", Some("http://10.0.0.7:8765")),
            // One address.
            (&[], Some("localhost:8765"), lan, Some("http://192.168.1.5:8765")),
            (&[], None, "[fd00::2]:8765", Some("http://[fd00::2]:8765")),
            // Nobody else reaches loopback.
            (&[], Some("127.0.0.1:8765"), "127.0.0.1:8765", None),
            (&[], None, "[::1]:8765", None),
        ] {
            let allowed: Vec<PageOrigin> =
                allowed.iter().map(|text| text.parse().unwrap()).collect();
            let host: Option<HostPort> = host.map(|text| text.parse().unwrap());
            let own_address = |listening: IpAddr| {
                let own = if listening.is_ipv4() { "10.0.0.7" } else { "fd00::7" };
                own.parse().ok()
            };
            let chosen = choose(&allowed, host.as_ref(), listening.parse().unwrap(), own_address);
            assert_eq!(chosen.as_deref(), link, "{allowed:?} {host:?} {listening}");
        }
    }

    #[test]
    fn the_link_goes_on_into_the_folder_that_a_proxy_has_put_the_page_into() {
        let link = "https://lab.example";
        for (path, whole) in [
            ("/", "https://lab.example"),
            ("/tequio/", "https://lab.example/tequio/"),
            ("/user/ana%20b/proxy/8765/", "https://lab.example/user/ana%20b/proxy/8765/"),
        ] {
            assert!(is_folder(path), "{path}");
            assert_eq!(at_path(link, path), whole);
        }
        let long = format!("/{}/", "a".repeat(JOIN_PATH_BYTES_MAX));
        for other in ["", "x", "/x", "x/", "/a b/", "/ñ/", "/?x=/", "/#/", "/\"/", &long] {
            assert!(!is_folder(other), "{other}");
        }
    }

    #[test]
    fn a_machine_without_a_network_has_no_link() {
        for own_address in [None, Some(Ipv4Addr::LOCALHOST.into())] {
            let listening = "0.0.0.0:8765".parse().unwrap();
            let asked = "localhost:8765".parse().unwrap();
            assert_eq!(choose(&[], Some(&asked), listening, |_| own_address), None);
        }
    }
}
