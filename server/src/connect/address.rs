//! Addresses of servers and of their sockets. A user and a password in one are sent with each request,
//! and never shown: what is printed or logged has neither.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use hyper::http::HeaderValue;
use percent_encoding::percent_decode_str;
use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;
use url::Url;

/// Where a server, or a socket of it, is.
#[derive(Clone, PartialEq, Eq)]
pub struct Address {
    /// Without a user and a password.
    url: Url,
    /// Both of them, as `Authorization` has them.
    authorization: Option<HeaderValue>,
}

/// What is no address.
#[derive(Debug, thiserror::Error)]
pub enum BadAddress {
    /// It cannot be read as a URL.
    #[error("{0}")]
    Url(#[from] url::ParseError),
    /// It names no host.
    #[error("no host in it")]
    NoHost,
    /// A server is not asked this way.
    #[error("{0}:// is no scheme of a server")]
    Scheme(String),
}

impl FromStr for Address {
    type Err = BadAddress;

    fn from_str(text: &str) -> Result<Address, BadAddress> {
        let mut url: Url = text.trim().parse()?;
        if !["http", "https", "ws", "wss"].contains(&url.scheme()) {
            // `lab:8765` reads as the scheme `lab`.
            return Err(BadAddress::Scheme(url.scheme().to_owned()));
        }
        if url.host_str().is_none_or(str::is_empty) {
            return Err(BadAddress::NoHost);
        }
        let authorization = authorization(&url);
        let has_none = url.set_username("").and_then(|()| url.set_password(None));
        has_none.map_err(|()| BadAddress::NoHost)?;
        url.set_fragment(None);
        Ok(Address { url, authorization })
    }
}

/// RFC 7617. `None` where the address names nobody.
fn authorization(url: &Url) -> Option<HeaderValue> {
    if url.username().is_empty() && url.password().is_none() {
        return None;
    }
    let mut pair: Vec<u8> = percent_decode_str(url.username()).collect();
    pair.push(b':');
    pair.extend(percent_decode_str(url.password().unwrap_or_default()));
    let value = format!("Basic {}", BASE64_STANDARD.encode(pair));
    let mut value = HeaderValue::try_from(value).expect("Base64 is text");
    value.set_sensitive(true);
    Some(value)
}

impl Address {
    /// The URL, without a user and a password.
    pub fn url(&self) -> &Url {
        &self.url
    }

    /// What the header `Authorization` is to say.
    pub fn authorization(&self) -> Option<&HeaderValue> {
        self.authorization.as_ref()
    }

    /// Changes the URL, which keeps its user and password.
    pub fn change<T>(&mut self, change: impl FnOnce(&mut Url) -> T) -> T {
        change(&mut self.url)
    }

    /// Makes it the address of a page, `http(s)://`: over TLS if it was before.
    pub fn set_http(&mut self) {
        let scheme = if self.is_secure() { "https" } else { "http" };
        self.set_scheme(scheme);
    }

    /// Makes it the address of a socket, `ws(s)://`: over TLS if it was before.
    pub fn set_ws(&mut self) {
        let scheme = if self.is_secure() { "wss" } else { "ws" };
        self.set_scheme(scheme);
    }

    fn set_scheme(&mut self, scheme: &str) {
        // All four are schemes of the same kind, so this is possible.
        self.url.set_scheme(scheme).ok();
    }

    /// Whether it is spoken to over TLS.
    pub fn is_secure(&self) -> bool {
        matches!(self.url.scheme(), "https" | "wss")
    }

    /// The host, an IPv6 address without its brackets.
    pub fn host(&self) -> &str {
        self.url.host_str().unwrap_or_default().trim_start_matches('[').trim_end_matches(']')
    }

    /// The port, also where it is not written.
    pub fn port(&self) -> u16 {
        self.url.port_or_known_default().unwrap_or(if self.is_secure() { 443 } else { 80 })
    }
}

impl fmt::Display for Address {
    /// Without its query, which is long and says nothing about where it leads.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let url = self.url.as_str();
        out.write_str(url.split('?').next().unwrap_or(url))
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, out)
    }
}

/// Whether `host`, an IPv6 address without its brackets, always means this machine.
pub(crate) fn is_loopback(host: &str) -> bool {
    // `*.localhost` is this machine's too (RFC 6761, section 6.3), and so are both with a dot at their end.
    let host = host.strip_suffix('.').unwrap_or(host);
    let is_localhost =
        host.eq_ignore_ascii_case("localhost") || host.to_ascii_lowercase().ends_with(".localhost");
    is_localhost || host.parse().is_ok_and(|address: IpAddr| address.to_canonical().is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_sent_and_not_shown() {
        for (given, shown, sent) in [
            ("http://lab:8765", "http://lab:8765/", None),
            // RFC 7617, section 2.
            (
                "https://Aladdin:open%20sesame@lab/x?y#z",
                "https://lab/x",
                Some("Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="),
            ),
            ("ws://ana@lab/ws", "ws://lab/ws", Some("Basic YW5hOg==")),
            ("http://:se%3Acret@[::1]:1/", "http://[::1]:1/", Some("Basic OnNlOmNyZXQ=")),
        ] {
            let address: Address = given.parse().unwrap();
            assert_eq!(address.to_string(), shown);
            assert_eq!(format!("{address:?}"), shown);
            assert!(!address.url().as_str().contains('@'));
            let value = address.authorization().map(|value| value.to_str().unwrap());
            assert_eq!(value, sent, "{given}");
        }
    }

    #[test]
    fn what_is_no_address_is_said_to_be_none_without_repeating_it() {
        for (given, said) in [
            ("lab:8765", "lab:// is no scheme"),
            ("ftp://u:secret@lab", "ftp:// is no scheme"),
            ("http://", "empty host"),
            ("", "relative URL without a base"),
            ("http://u:secret@lab:99999", "invalid port"),
        ] {
            let error = given.parse::<Address>().unwrap_err().to_string();
            assert!(error.contains(said) && !error.contains("secret"), "{given}: {error}");
        }
    }

    #[test]
    fn hosts_and_ports_are_what_is_connected_to() {
        for (given, host, port) in [
            ("http://lab", "lab", 80),
            ("wss://lab", "lab", 443),
            ("ws://[::1]:8765", "::1", 8765),
            ("http://münchen.example:1", "xn--mnchen-3ya.example", 1),
        ] {
            let address: Address = given.parse().unwrap();
            assert_eq!((address.host(), address.port()), (host, port), "{given}");
        }
    }
}
