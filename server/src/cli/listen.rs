//! `--listen`: what people type for an address, and a listener there.

use anyhow::{anyhow, bail};
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::str::FromStr;
use tokio::net::{TcpListener, lookup_host};

/// The port where none is said.
const PORT: u16 = 8765;

/// Where to listen: `127.0.0.1:8765`, `localhost:8765`, `:8765`, `8765`, `0.0.0.0`, `[::]:8765`, `::1`,
/// `myhost:0`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Listen {
    host: Host,
    port: u16,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Host {
    Address(IpAddr),
    Name(String),
}

impl FromStr for Listen {
    type Err = String;

    fn from_str(text: &str) -> Result<Listen, String> {
        let text = text.trim();
        if text.contains("://") || text.contains('/') {
            return Err("expected ADDRESS:PORT, without http:// and without a path".to_owned());
        }
        let at = |address: IpAddr, port| Listen { host: Host::Address(address), port };
        if let Ok(address) = text.parse::<SocketAddr>() {
            return Ok(at(address.ip(), address.port()));
        }
        let bare = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
        if let Ok(address) = bare.unwrap_or(text).parse::<IpAddr>() {
            return Ok(at(address, PORT));
        }
        if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
            return Ok(at(Ipv4Addr::LOCALHOST.into(), parse_port(text)?));
        }
        let (host, port) = match text.rsplit_once(':') {
            Some((host, port)) => (host, parse_port(port)?),
            None => (text, PORT),
        };
        Ok(Listen { host: parse_host(host, text)?, port })
    }
}

fn parse_port(text: &str) -> Result<u16, String> {
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let port = if is_number { text.parse().ok() } else { None };
    port.ok_or_else(|| format!("a port is a number from 0 to 65535, not `{text}`"))
}

/// The part before the port of `whole`. None means this machine alone, as by default: nobody opens a
/// server to others without saying so.
fn parse_host(host: &str, whole: &str) -> Result<Host, String> {
    let is_name = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
    let looks_like_address = || host.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    match host {
        "" if whole.starts_with(':') => Ok(Host::Address(Ipv4Addr::LOCALHOST.into())),
        "*" => Ok(Host::Address(Ipv4Addr::UNSPECIFIED.into())),
        _ if host.contains(':') => Err(format!(
            "an IPv6 address before a port is in brackets, such as [::1]:{PORT}; `{host}` is none"
        )),
        _ if host.is_empty() || !host.bytes().all(is_name) || looks_like_address() => Err(format!(
            "expected ADDRESS:PORT, such as 127.0.0.1:{PORT} or localhost:{PORT}, or a port alone"
        )),
        name => Ok(Host::Name(name.to_owned())),
    }
}

impl Listen {
    /// The name that was typed, if it was none of an address.
    pub(super) fn name(&self) -> Option<&str> {
        match &self.host {
            Host::Address(_) => None,
            Host::Name(name) => Some(name),
        }
    }

    /// Listens at the address; of a name, at the first of its addresses that this machine has, IPv4
    /// before IPv6.
    pub(super) async fn bind(&self) -> anyhow::Result<TcpListener> {
        let mut last = None;
        for address in self.resolve().await? {
            match TcpListener::bind(address).await {
                Ok(listener) => return Ok(listener),
                // A name may have addresses of a family that is switched off here, or of others.
                Err(error) if is_elsewhere(&error) => last = Some((address, error)),
                Err(error) => bail!(cannot_listen(address, &error)),
            }
        }
        let (address, error) = last.ok_or_else(|| anyhow!("{self} has no address"))?;
        bail!(cannot_listen(address, &error))
    }

    async fn resolve(&self) -> anyhow::Result<Vec<SocketAddr>> {
        let name = match &self.host {
            Host::Address(address) => return Ok(vec![SocketAddr::new(*address, self.port)]),
            Host::Name(name) => name,
        };
        match lookup_host((name.as_str(), self.port)).await {
            Ok(found) => {
                let mut found: Vec<SocketAddr> = found.collect();
                found.sort_by_key(SocketAddr::is_ipv6);
                Ok(found)
            }
            Err(error) => bail!(
                "cannot listen at {self}: {name} is no name that this machine knows ({error}); \
                 name an address, such as 127.0.0.1:{port}, or 0.0.0.0:{port} for all that there are",
                port = self.port
            ),
        }
    }
}

impl std::fmt::Display for Listen {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.host {
            Host::Address(address) => write!(f, "{}", SocketAddr::new(*address, self.port)),
            Host::Name(name) => write!(f, "{name}:{}", self.port),
        }
    }
}

fn is_elsewhere(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::AddrNotAvailable | io::ErrorKind::Unsupported)
        || error.raw_os_error() == Some(FAMILY_NOT_SUPPORTED)
}

/// `EAFNOSUPPORT`, which the standard library has no name for.
const FAMILY_NOT_SUPPORTED: i32 = if cfg!(target_os = "linux") { 97 } else { 47 };

fn cannot_listen(address: SocketAddr, error: &io::Error) -> String {
    let ip = address.ip();
    match error.kind() {
        io::ErrorKind::AddrInUse => {
            let other = SocketAddr::new(ip, 0).to_string();
            let other = other.trim_end_matches('0');
            format!(
                "{address} is in use: another program, or another tequio, listens there; \
                 choose another port with --listen {other}PORT"
            )
        }
        io::ErrorKind::PermissionDenied => {
            format!("{address} may not be listened on: ports below 1024 need privileges")
        }
        io::ErrorKind::AddrNotAvailable => format!(
            "cannot listen on {address}: this machine does not have the address {ip}; \
             --listen 0.0.0.0:{} takes all that it has",
            address.port()
        ),
        _ => format!("cannot listen on {address}: {error}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_what_people_type() {
        for (text, means) in [
            ("127.0.0.1:8765", "127.0.0.1:8765"),
            ("0.0.0.0:80", "0.0.0.0:80"),
            ("0.0.0.0", "0.0.0.0:8765"),
            ("192.168.1.5", "192.168.1.5:8765"),
            ("*:80", "0.0.0.0:80"),
            ("[::]:8765", "[::]:8765"),
            ("[::1]", "[::1]:8765"),
            ("::1", "[::1]:8765"),
            ("::", "[::]:8765"),
            ("8765", "127.0.0.1:8765"),
            ("0", "127.0.0.1:0"),
            (":9000", "127.0.0.1:9000"),
            ("localhost:9000", "localhost:9000"),
            ("localhost", "localhost:8765"),
            (" my-host.lan:0 ", "my-host.lan:0"),
        ] {
            assert_eq!(text.parse::<Listen>().unwrap().to_string(), means, "{text}");
        }
        for (text, said) in [
            ("", "expected ADDRESS:PORT"),
            (":", "a port is a number"),
            ("localhost:", "a port is a number"),
            ("localhost:http", "a port is a number"),
            ("localhost:+80", "a port is a number"),
            ("65536", "a port is a number"),
            ("0.0.0.0:99999", "a port is a number"),
            ("http://localhost:8765", "without http://"),
            ("localhost:8765/", "without http://"),
            ("fe80::1::2:80", "in brackets"),
            ("256.0.0.1:80", "expected ADDRESS:PORT"),
            ("1.2.3:80", "expected ADDRESS:PORT"),
            ("my host:80", "expected ADDRESS:PORT"),
        ] {
            let error = text.parse::<Listen>().unwrap_err();
            assert!(error.contains(said), "{text}: {error}");
        }
    }
}
