//! Servers behind TLS, as a reverse proxy gives it: commands and workers find them by `https://`.

use crate::support::{Server, binary, eights, eights_of_lines, ended, interrupt, until};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::Arc;
use tempfile::TempDir;
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::process::Child;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring::default_provider;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;

/// What ends TLS in front of a server, with a certificate that is nobody else's.
struct Proxy {
    url: String,
    folder: TempDir,
}

impl Proxy {
    async fn start(server: SocketAddr) -> Proxy {
        let certified = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("certificate.pem"), certified.cert.pem()).unwrap();
        let key = PrivateKeyDer::Pkcs8(certified.signing_key.serialize_der().into());
        let config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certified.cert.der().clone()], key)
            .unwrap();
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("https://localhost:{}", listener.local_addr().unwrap().port());
        tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                let acceptor = acceptor.clone();
                tokio::spawn(async move {
                    // A client that does not trust the certificate goes away.
                    let Ok(mut outside) = acceptor.accept(socket).await else { return };
                    let mut inside = TcpStream::connect(server).await.unwrap();
                    copy_bidirectional(&mut outside, &mut inside).await.ok();
                });
            }
        });
        Proxy { url, folder }
    }

    fn certificate(&self) -> PathBuf {
        self.folder.path().join("certificate.pem")
    }

    /// A command that trusts this certificate and no other.
    fn spawn(&self, arguments: &[&str]) -> Child {
        binary()
            .args(arguments)
            .env("TEQUIO_URL", &self.url)
            .env("SSL_CERT_FILE", self.certificate())
            .env_remove("SSL_CERT_DIR")
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap()
    }
}

#[tokio::test]
async fn commands_and_workers_reach_a_server_behind_tls() {
    let server = Server::start().await;
    let proxy = Proxy::start(server.address).await;
    let id = server.submit("/api/jobs?op=repeat_multiply", eights(0..100)).await;
    let mut work = proxy.spawn(&["work", "--slots", "1"]);
    server.job_over(id).await;
    let results = ended(proxy.spawn(&["results", "1", "--follow"])).await;
    assert_eq!((results.code, results.out), (Some(0), eights_of_lines(0..100)), "{}", results.err);
    until(async || (server.workers().await.len() == 1).then_some(())).await;
    interrupt(&mut work).await;
    let worked = ended(work).await;
    assert_eq!(worked.code, Some(0), "{worked:?}");
}

#[tokio::test]
async fn a_certificate_of_nobody_known_is_not_trusted() {
    let server = Server::start().await;
    let (proxy, other) = (Proxy::start(server.address).await, Proxy::start(server.address).await);
    let url = ["jobs", "--url", other.url.as_str()];
    let refused = ended(proxy.spawn(&url)).await;
    assert_eq!((refused.code, refused.out.as_str()), (Some(1), ""), "{refused:?}");
    assert!(refused.err.contains("certificate"), "{refused:?}");
}
