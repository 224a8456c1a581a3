//! Hosts and origins, as browsers, clients and operators write them. Names are read as browsers read
//! them (`url`, after WHATWG's standard), so that what is taken for this machine here is what a browser
//! takes for it: `127.1` and `0x7f.1` are addresses, and `127.0.0.1:1.evil.example` is nothing.

use crate::connect::is_loopback;
use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;
use tequio_protocol::limits::HOST_BYTES_MAX;
use url::Host;

/// A host, and a port where one is said: `lab.example`, `10.0.0.7:8765`, `[::1]:8765`. Names are in lower
/// case and without a dot at their end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostPort {
    host: Host<String>,
    port: Option<u16>,
}

/// Why a text is no host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a host is NAME or NAME:PORT, without http://, a path, a user or a wildcard")]
pub struct BadHost;

impl FromStr for HostPort {
    type Err = BadHost;

    fn from_str(text: &str) -> Result<HostPort, BadHost> {
        if text.len() > HOST_BYTES_MAX {
            return Err(BadHost);
        }
        let (host, port) = match text.rsplit_once(':') {
            // The last colon of `[::1]` is within its brackets.
            Some((host, port)) if !port.ends_with(']') => (host, parse_port(port)?),
            _ => (text, None),
        };
        Ok(HostPort { host: parse_host(host)?, port })
    }
}

/// The port after a colon, where nothing means the usual one (RFC 3986, section 3.2.3).
fn parse_port(text: &str) -> Result<Option<u16>, BadHost> {
    if text.is_empty() {
        return Ok(None);
    }
    let is_number = text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|_| is_number).map(Some).ok_or(BadHost)
}

fn parse_host(text: &str) -> Result<Host<String>, BadHost> {
    // `url` reads percent signs as well, which nobody writes who is honest.
    let is_allowed =
        |char: char| !char.is_ascii() || char.is_ascii_alphanumeric() || "-._[]:".contains(char);
    if !text.chars().all(is_allowed) {
        return Err(BadHost);
    }
    match Host::parse(text).map_err(|_| BadHost)? {
        Host::Domain(name) => match name.strip_suffix('.').unwrap_or(&name) {
            name if name.split('.').any(str::is_empty) => Err(BadHost),
            name => Ok(Host::Domain(name.to_owned())),
        },
        address => Ok(address),
    }
}

impl HostPort {
    /// The address that the host is; `None` for a name.
    pub(super) fn address(&self) -> Option<IpAddr> {
        match self.host {
            Host::Domain(_) => None,
            Host::Ipv4(address) => Some(address.into()),
            Host::Ipv6(address) => Some(address.into()),
        }
    }

    /// Whether it is, on each machine, that machine itself, and no browser asks others for it.
    pub fn is_loopback(&self) -> bool {
        match &self.host {
            Host::Domain(name) => is_loopback(name),
            _ => self.address().is_some_and(|address| address.to_canonical().is_loopback()),
        }
    }

    /// Whether whoever connects to it comes to their own machine. `0.0.0.0` is no address to connect to,
    /// but systems that are asked for it connect to themselves.
    pub(super) fn means_this_machine(&self) -> bool {
        self.is_loopback() || self.address().is_some_and(|address| address.is_unspecified())
    }

    /// Whether both have the same host, whatever their ports.
    fn is_same_host(&self, other: &HostPort) -> bool {
        self.host == other.host
    }

    /// Whether a server of this name may be asked for as `asked`: a name without a port has any.
    pub(super) fn covers(&self, asked: &HostPort) -> bool {
        let has_port = |port| match asked.port {
            Some(asked) => asked == port,
            None => [Scheme::Http, Scheme::Https].map(Scheme::port).contains(&port),
        };
        self.is_same_host(asked) && self.port.is_none_or(has_port)
    }

    /// Whether both are the same where the usual port is `port`.
    pub(super) fn is_same(&self, other: &HostPort, port: u16) -> bool {
        let ports = [self, other].map(|host| host.port.unwrap_or(port));
        self.is_same_host(other) && ports[0] == ports[1]
    }
}

impl fmt::Display for HostPort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.port {
            Some(port) => write!(f, "{}:{port}", self.host),
            None => write!(f, "{}", self.host),
        }
    }
}

/// How pages are asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Scheme {
    Http,
    Https,
}

impl Scheme {
    fn port(self) -> u16 {
        match self {
            Scheme::Http => 80,
            Scheme::Https => 443,
        }
    }
}

/// Whose pages: `https://lab.example`, `http://10.0.0.7:8080`. A port is said where it is not the usual
/// one, as browsers do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PageOrigin {
    scheme: Scheme,
    host: HostPort,
}

/// What a browser says of a page that has no origin: a file's, and any page of the web in a sandboxed
/// frame.
pub(super) const NULL: &str = "null";

/// Why a text is no origin that may be allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadOrigin {
    /// It would let everybody in.
    #[error(
        "every website can have the origin null, by a frame that is sandboxed, so this would let all of \
         them in; serve the files from a server (`python3 -m http.server`) and allow its origin, \
         such as http://localhost:8000"
    )]
    Null,
    /// Wildcards mean nothing here.
    #[error("a wildcard would let everybody in; allow each origin by itself")]
    Wildcard,
    /// Something follows the host.
    #[error("an origin ends with its host or port: leave the path out, and the slash before it")]
    Path,
    /// A user, and perhaps a password.
    #[error("an origin has no user and no password")]
    User,
    /// Not the scheme of a page that comes from a server.
    #[error("an origin is http(s)://HOST or http(s)://HOST:PORT")]
    Other,
}

impl FromStr for PageOrigin {
    type Err = BadOrigin;

    fn from_str(text: &str) -> Result<PageOrigin, BadOrigin> {
        if text.eq_ignore_ascii_case(NULL) {
            return Err(BadOrigin::Null);
        }
        if text.contains('*') {
            return Err(BadOrigin::Wildcard);
        }
        let (scheme, host) = text.split_once("://").ok_or(BadOrigin::Other)?;
        let scheme = match scheme.to_ascii_lowercase().as_str() {
            "http" => Scheme::Http,
            "https" => Scheme::Https,
            _ => return Err(BadOrigin::Other),
        };
        if host.contains(['/', '?', '#']) {
            return Err(BadOrigin::Path);
        }
        if host.contains('@') {
            return Err(BadOrigin::User);
        }
        let HostPort { host, port } = host.parse().map_err(|BadHost| BadOrigin::Other)?;
        let port = port.filter(|port| *port != scheme.port());
        Ok(PageOrigin { scheme, host: HostPort { host, port } })
    }
}

impl PageOrigin {
    /// Whether it is a page of this machine's, of another server on it perhaps.
    pub fn is_local(&self) -> bool {
        self.host.is_loopback()
    }

    /// Whether it is a page of the server that is asked for as `asked`.
    pub(super) fn is_of(&self, asked: &HostPort) -> bool {
        self.host.is_same(asked, self.scheme.port())
    }

    /// Whether its server has the name `asked`, at whatever port.
    pub(super) fn is_at(&self, asked: &HostPort) -> bool {
        self.host.is_same_host(asked)
    }
}

impl fmt::Display for PageOrigin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = match self.scheme {
            Scheme::Http => "http",
            Scheme::Https => "https",
        };
        write!(f, "{scheme}://{}", self.host)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host(text: &str) -> HostPort {
        text.parse().unwrap_or_else(|_| panic!("{text:?} is a host"))
    }

    fn origin(text: &str) -> PageOrigin {
        text.parse().unwrap_or_else(|error| panic!("{text:?}: {error}"))
    }

    #[test]
    fn hosts_are_read_as_browsers_read_them() {
        for (text, read) in [
            ("lab.example", "lab.example"),
            ("LAB.example:8765", "lab.example:8765"),
            ("lab.example.:8765", "lab.example:8765"),
            ("lab.example:", "lab.example"),
            ("my_service:80", "my_service:80"),
            ("münchen.example", "xn--mnchen-3ya.example"),
            ("10.0.0.7", "10.0.0.7"),
            ("127.1:8765", "127.0.0.1:8765"),
            ("0x7f.1", "127.0.0.1"),
            ("2130706433", "127.0.0.1"),
            ("127.0.0.1.", "127.0.0.1"),
            ("[::1]", "[::1]"),
            ("[0:0::1]:8765", "[::1]:8765"),
        ] {
            assert_eq!(host(text).to_string(), read, "{text}");
        }
        let long = "a".repeat(HOST_BYTES_MAX + 1);
        for text in [
            "",
            ".",
            ".local",
            "a..b",
            "?",
            "*",
            "*.example",
            "a b",
            "a,b",
            "a, b",
            "a@b",
            "user@lab.example:80",
            "a/b",
            "a#c",
            "a\\b",
            "a%2eb",
            "http://lab",
            ":80",
            "lab:x",
            "lab:+80",
            "lab:65536",
            "lab:80:80",
            "127.0.0.1:1.evil.example",
            "::1",
            "[::1",
            "::1]",
            "[::1]x",
            "[::1]:x",
            "[lab]",
            "1.2.3.4.5",
            "256.1.1.1",
            "0x7f.1.evil:1:2",
            &long,
        ] {
            assert_eq!(text.parse::<HostPort>(), Err(BadHost), "{text}");
        }
    }

    #[test]
    fn this_machine_is_what_every_browser_takes_for_it() {
        for text in [
            "localhost",
            "LOCALHOST:1",
            "localhost.",
            "me.localhost",
            "127.0.0.1",
            "127.9.9.9:1",
            "127.1",
            "0x7f.1",
            "2130706433",
            "[::1]:1",
            "[::ffff:127.0.0.1]",
        ] {
            assert!(host(text).is_loopback(), "{text}");
        }
        for text in [
            "localhost.evil.example",
            "127.0.0.1.evil.example",
            "evil-localhost",
            "localhost.com",
            "0.0.0.0",
            "[::]",
            "128.0.0.1",
            "10.0.0.7",
            "[::2]",
            "127.0.0.1.nip.io",
        ] {
            assert!(!host(text).is_loopback(), "{text}");
        }
    }

    #[test]
    fn a_name_without_a_port_has_any() {
        for (name, asked, is_covered) in [
            ("lab", "lab", true),
            ("lab", "LAB.:9", true),
            ("lab:9", "lab:9", true),
            ("lab:9", "lab:8", false),
            ("lab:9", "lab", false),
            ("lab:443", "lab", true),
            ("lab", "lab.example", false),
            ("lab.example", "lab", false),
        ] {
            assert_eq!(host(name).covers(&host(asked)), is_covered, "{name} {asked}");
        }
    }

    #[test]
    fn origins_are_a_scheme_and_a_host() {
        for (text, read) in [
            ("https://lab.example", "https://lab.example"),
            ("HTTPS://Lab.Example.:443", "https://lab.example"),
            ("http://lab.example:443", "http://lab.example:443"),
            ("http://lab.example:80", "http://lab.example"),
            ("http://10.0.0.2:8080", "http://10.0.0.2:8080"),
            ("http://[::1]:80", "http://[::1]"),
        ] {
            assert_eq!(origin(text).to_string(), read);
        }
        for (text, error) in [
            ("null", BadOrigin::Null),
            ("NULL", BadOrigin::Null),
            ("*", BadOrigin::Wildcard),
            ("https://*.example", BadOrigin::Wildcard),
            ("https://lab.example/", BadOrigin::Path),
            ("https://lab.example/tequio", BadOrigin::Path),
            ("https://lab.example?x", BadOrigin::Path),
            ("https://lab.example#x", BadOrigin::Path),
            ("https://ana:x@lab.example", BadOrigin::User),
            ("lab.example", BadOrigin::Other),
            ("lab.example:443", BadOrigin::Other),
            ("https://", BadOrigin::Other),
            ("https:lab.example", BadOrigin::Other),
            ("https:\\\\lab.example", BadOrigin::Other),
            ("ws://lab.example", BadOrigin::Other),
            ("file://", BadOrigin::Other),
            ("file://lab", BadOrigin::Other),
            ("data:text/html,x", BadOrigin::Other),
            ("http://127.0.0.1:1.evil.example", BadOrigin::Other),
            ("http://a http://b", BadOrigin::Path),
            (" http://a", BadOrigin::Other),
            ("", BadOrigin::Other),
        ] {
            assert_eq!(text.parse::<PageOrigin>(), Err(error), "{text}");
        }
    }

    #[test]
    fn a_page_is_of_the_server_that_it_asks() {
        for (page, asked, is_of) in [
            ("http://lab:8765", "lab:8765", true),
            ("http://lab", "lab", true),
            ("http://lab", "lab:80", true),
            ("https://lab", "lab:443", true),
            // Behind a proxy that speaks TLS.
            ("https://lab", "lab", true),
            ("http://lab:8080", "lab:8765", false),
            ("http://lab", "lab:8765", false),
            ("http://lab.evil", "lab", false),
            ("http://127.0.0.1:8765", "127.1:8765", true),
        ] {
            assert_eq!(origin(page).is_of(&host(asked)), is_of, "{page} {asked}");
        }
    }
}
