//! Accepts connections and serves HTTP/1.1 on each. `axum::serve` would do, but gives a client
//! all the time in the world to send its headers.

use super::patience::{Patience, Patient};
use axum::Router;
use axum::extract::{ConnectInfo, Request};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::server::graceful::GracefulShutdown;
use std::net::SocketAddr;
use std::pin::pin;
use tequio_protocol::limits::{ACCEPT_RETRY_DELAY, CLOSE_TIMEOUT, HEADERS_TIMEOUT};
use tokio::net::{TcpListener, TcpStream};
use tower::ServiceExt;
use tracing::{debug, warn};

/// Serves `router` until `stop` ends; then calls `stopping` and lets requests under way finish.
pub(super) async fn accept(
    listener: TcpListener,
    router: Router,
    stop: impl Future<Output = ()>,
    stopping: impl FnOnce(),
) {
    let requests = GracefulShutdown::new();
    let mut stop = pin!(stop);
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = &mut stop => break,
        };
        match accepted {
            Ok((stream, address)) => serve_one(stream, address, router.clone(), &requests),
            Err(error) => {
                warn!("a connection was not accepted: {error}");
                tokio::time::sleep(ACCEPT_RETRY_DELAY).await;
            }
        }
    }
    drop(listener);
    stopping();
    if tokio::time::timeout(CLOSE_TIMEOUT, requests.shutdown()).await.is_err() {
        warn!("some requests were cut off: they took over {} s", CLOSE_TIMEOUT.as_secs());
    }
}

fn serve_one(stream: TcpStream, address: SocketAddr, router: Router, requests: &GracefulShutdown) {
    // Frames are small and wait for each other: none should wait for a full packet.
    if let Err(error) = stream.set_nodelay(true) {
        debug!("{address}: TCP_NODELAY: {error}");
    }
    let patience = Patience::default();
    let stream = Patient::new(stream, patience.clone());
    let service = service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(ConnectInfo(address));
        request.extensions_mut().insert(patience.clone());
        router.clone().oneshot(request)
    });
    let mut builder = auto::Builder::new(TokioExecutor::new()).http1_only();
    builder.http1().timer(TokioTimer::new()).header_read_timeout(HEADERS_TIMEOUT);
    let connection = builder.serve_connection_with_upgrades(TokioIo::new(stream), service);
    let connection = requests.watch(connection.into_owned());
    tokio::spawn(async move {
        // A client that leaves in the middle of its request is no news.
        if let Err(error) = connection.await {
            debug!("{address}: {error}");
        }
    });
}
