//! The way to a server: through a proxy where the environment names one, over TLS where the address
//! says so. HTTP and sockets take the same one.

use super::address::{Address, is_loopback};
use hyper::client::conn::http1;
use hyper::http::header::{HOST, PROXY_AUTHORIZATION};
use hyper::http::{Method, Request, StatusCode, Uri};
use hyper_util::client::proxy::matcher::{Intercept, Matcher};
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore};
use std::io;
use std::net::IpAddr;
use std::sync::{Arc, OnceLock};
use tequio_protocol::limits::CLIENT_CONNECT_TIMEOUT;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, lookup_host};
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

/// Bytes to a server and back, whatever is between.
pub(crate) type Stream = Box<dyn Duplex>;

/// What can be read from and written to.
pub(crate) trait Duplex: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Duplex for T {}

/// What a proxy is to do with a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Use {
    /// Requests in clear, which a proxy is told one by one.
    Requests,
    /// Frames, which a proxy passes on.
    Frames,
}

/// Why there is no way to a server.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{reason}")]
pub(crate) struct NoWay {
    reason: String,
    cause: Cause,
}

/// What stands in the way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cause {
    /// Nobody answers: the server may be started again.
    Silent,
    /// The host's name is not known.
    Name,
    /// The peer's certificate is not trusted, or it does not speak TLS.
    Tls,
    /// A proxy, which is named.
    Proxy,
}

impl NoWay {
    /// What stands in the way.
    pub(crate) fn cause(&self) -> Cause {
        self.cause
    }

    /// Whether it may be better in a while. Networks come back, and names with them; certificates
    /// do not become better.
    pub(crate) fn may_pass(&self) -> bool {
        self.cause != Cause::Tls
    }

    fn silent(error: &io::Error) -> NoWay {
        NoWay { reason: error.to_string(), cause: Cause::Silent }
    }
}

/// A proxy, as the environment names it.
pub(crate) struct Proxy(Intercept);

impl Proxy {
    /// The proxy that stands between this machine and a server; `None` for a server of this machine's
    /// own, whatever the environment says.
    pub(crate) fn of(address: &Address) -> Option<Proxy> {
        static MATCHER: OnceLock<Matcher> = OnceLock::new();
        if is_here(address.host()) {
            return None;
        }
        let matcher = MATCHER.get_or_init(Matcher::from_env);
        // A socket takes the way of the page beside it.
        let scheme = if address.is_secure() { "https" } else { "http" };
        let url = address.url();
        let destination =
            format!("{scheme}://{}/", &url[url::Position::BeforeHost..url::Position::AfterPort]);
        matcher.intercept(&destination.parse().ok()?).map(Proxy)
    }

    /// What the header `Proxy-Authorization` is to say.
    pub(crate) fn authorization(&self) -> Option<&hyper::http::HeaderValue> {
        self.0.basic_auth()
    }

    /// Its address, without a password.
    pub(crate) fn name(&self) -> String {
        let uri = self.0.uri();
        let host = uri.host().unwrap_or_default();
        let port = uri.port_u16().map(|port| format!(":{port}")).unwrap_or_default();
        format!("{}://{host}{port}", uri.scheme_str().unwrap_or("http"))
    }

    fn error(&self, address: &Address, what: &str) -> NoWay {
        let (name, host) = (self.name(), address.host());
        let variable = if address.is_secure() { "https_proxy" } else { "http_proxy" };
        let reason = format!(
            "through the proxy {name}, which {variable} or all_proxy names: {what}; \
             no_proxy={host} goes without it"
        );
        NoWay { reason, cause: Cause::Proxy }
    }

    async fn connect(&self, address: &Address) -> Result<TcpStream, NoWay> {
        let uri = self.0.uri();
        if uri.scheme_str() != Some("http") {
            return Err(self.error(address, "only proxies with http:// are known here"));
        }
        let host = uri.host().unwrap_or_default();
        let host = host.trim_start_matches('[').trim_end_matches(']');
        let connected = tcp(host, uri.port_u16().unwrap_or(80)).await;
        connected.map_err(|error| self.error(address, &error.to_string()))
    }

    /// Has the proxy pass bytes on (RFC 9110, section 9.3.6).
    async fn tunnel(&self, address: &Address) -> Result<Stream, NoWay> {
        let stream = self.connect(address).await?;
        let failed = |error: &dyn std::error::Error| self.error(address, &error.to_string());
        let (mut sender, connection) =
            http1::handshake(TokioIo::new(stream)).await.map_err(|error| failed(&error))?;
        tokio::spawn(connection.with_upgrades());
        let url = address.url();
        let host = &url[url::Position::BeforeHost..url::Position::AfterHost];
        let authority = format!("{host}:{}", address.port());
        let mut request = Request::builder()
            .method(Method::CONNECT)
            .uri(authority.parse::<Uri>().map_err(|error| failed(&error))?)
            .header(HOST, &authority);
        if let Some(authorization) = self.authorization() {
            request = request.header(PROXY_AUTHORIZATION, authorization);
        }
        let request = request.body(String::new()).map_err(|error| failed(&error))?;
        let answer = sender.send_request(request).await.map_err(|error| failed(&error))?;
        match answer.status() {
            StatusCode::OK => {}
            StatusCode::PROXY_AUTHENTICATION_REQUIRED => {
                return Err(self.error(address, "it wants a user and a password"));
            }
            status => return Err(self.error(address, &format!("it answers {status}"))),
        }
        let upgraded = hyper::upgrade::on(answer).await.map_err(|error| failed(&error))?;
        Ok(Box::new(TokioIo::new(upgraded)))
    }
}

/// Connects to the host of `address`, within a time. What a proxy is to be told with each request is
/// the caller's to tell it.
pub(crate) async fn open(address: &Address, usage: Use) -> Result<Stream, NoWay> {
    match timeout(CLIENT_CONNECT_TIMEOUT, open_at_leisure(address, usage)).await {
        Ok(opened) => opened,
        Err(_) => {
            let reason = format!("nothing within {} s", CLIENT_CONNECT_TIMEOUT.as_secs());
            Err(match Proxy::of(address) {
                Some(proxy) => proxy.error(address, &reason),
                None => NoWay { reason, cause: Cause::Silent },
            })
        }
    }
}

async fn open_at_leisure(address: &Address, usage: Use) -> Result<Stream, NoWay> {
    let stream: Stream = match Proxy::of(address) {
        None => Box::new(tcp(address.host(), address.port()).await?),
        Some(proxy) if usage == Use::Requests && !address.is_secure() => {
            Box::new(proxy.connect(address).await?)
        }
        Some(proxy) => proxy.tunnel(address).await?,
    };
    if address.is_secure() { secure(address, stream).await } else { Ok(stream) }
}

async fn tcp(host: &str, port: u16) -> Result<TcpStream, NoWay> {
    let found: Vec<_> = match lookup_host((host, port)).await {
        Ok(found) => found.collect(),
        Err(error) => {
            let reason = format!("the name {host} is not known: {}", resolver_words(&error));
            return Err(NoWay { reason, cause: Cause::Name });
        }
    };
    let stream =
        TcpStream::connect(found.as_slice()).await.map_err(|error| NoWay::silent(&error))?;
    // Small messages go out at once. Where that cannot be had they are only later.
    stream.set_nodelay(true).ok();
    Ok(stream)
}

/// What the system's resolver said, without the standard library's own words before it.
fn resolver_words(error: &io::Error) -> String {
    let said = error.to_string();
    said.strip_prefix("failed to lookup address information: ").unwrap_or(&said).to_owned()
}

async fn secure(address: &Address, stream: Stream) -> Result<Stream, NoWay> {
    let failed = |reason: String| NoWay { reason, cause: Cause::Tls };
    let name = ServerName::try_from(address.host().to_owned()).map_err(|_| {
        failed(format!("{} is no name that a certificate can have", address.host()))
    })?;
    match TlsConnector::from(roots()).connect(name, stream).await {
        Ok(stream) => Ok(Box::new(stream)),
        Err(error) => Err(tls_error(address, &error)),
    }
}

fn tls_error(address: &Address, error: &io::Error) -> NoWay {
    use rustls::Error;
    let failed = |reason: String| NoWay { reason, cause: Cause::Tls };
    match error.get_ref().and_then(|inner| inner.downcast_ref::<Error>()) {
        Some(Error::InvalidCertificate(reason)) => failed(format!(
            "its certificate is not trusted: {reason:?}; SSL_CERT_FILE can name a file with the \
             certificates to trust"
        )),
        Some(Error::InvalidMessage(_)) => {
            let scheme = if address.url().scheme() == "wss" { "ws" } else { "http" };
            failed(format!("it does not speak TLS: its address may begin with {scheme}://"))
        }
        Some(other) => failed(format!("TLS: {other}")),
        // A server that is started again closes connections in the middle, too.
        None => NoWay::silent(error),
    }
}

/// Trusts whom the system trusts.
fn roots() -> Arc<ClientConfig> {
    static CONFIG: OnceLock<Arc<ClientConfig>> = OnceLock::new();
    let config = CONFIG.get_or_init(|| {
        let mut roots = RootCertStore::empty();
        // What cannot be read is not trusted, and a connection says so.
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        let config = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
        Arc::new(config)
    });
    config.clone()
}

/// Whether a host is this machine, which no proxy stands before. `0.0.0.0` leads here as well.
fn is_here(host: &str) -> bool {
    let is_unspecified = |address: IpAddr| address.to_canonical().is_unspecified();
    is_loopback(host) || host.parse().is_ok_and(is_unspecified)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_proxy_stands_before_this_machine() {
        for host in ["localhost", "LOCALHOST", "a.localhost", "127.0.0.1", "127.9.9.9", "::1"] {
            assert!(is_here(host), "{host}");
        }
        assert!(is_here("::ffff:127.0.0.1") && is_here("0.0.0.0"));
        for host in ["lab", "localhost.example", "192.168.1.1", "::2"] {
            assert!(!is_here(host), "{host}");
        }
    }
}
