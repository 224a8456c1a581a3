//! Accepts connections and serves HTTP/1.1 on each. `axum::serve` would do, but gives a client
//! all the time in the world to send its headers.

use super::crowd::{Crowd, Place, Rarely};
use super::patience::{Patience, Patient};
use crate::connection::{PeerAddress, Stopping, stopped};
use axum::Router;
use axum::extract::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use std::net::SocketAddr;
use std::pin::pin;
use std::time::Duration;
use tequio_protocol::limits::{
    ACCEPT_RETRY_DELAY, CLOSE_TIMEOUT, HEADERS_TIMEOUT, HEADERS_TIMEOUT_TIGHT,
};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::time::Instant;
use tower::ServiceExt;
use tracing::{debug, warn};

/// Serves `router` until `stop` ends; then calls `stopping` and lets requests under way finish.
pub(super) async fn accept(
    listener: TcpListener,
    router: Router,
    crowd: &Crowd,
    stop: impl Future<Output = ()>,
    stopping: impl FnOnce(),
) {
    // Held by each connection; it is closed when the last one is gone.
    let (finish, finishing) = watch::channel(false);
    let mut stop = pin!(stop);
    let mut failures = Rarely::default();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = &mut stop => break,
        };
        match accepted {
            Ok((stream, address)) => {
                // The one that waits here has a file already: one of those that are reserved.
                let place = tokio::select! {
                    place = crowd.enter() => place,
                    () = &mut stop => break,
                };
                let timeout =
                    if crowd.is_tight() { HEADERS_TIMEOUT_TIGHT } else { HEADERS_TIMEOUT };
                let stream = Arriving { stream, address, place, headers_timeout: timeout };
                serve_one(stream, router.clone(), finishing.clone());
            }
            Err(error) => {
                if let Some(times) = failures.count(Instant::now()) {
                    warn!("a connection was not accepted ({times} so far): {error}");
                }
                tokio::time::sleep(ACCEPT_RETRY_DELAY).await;
            }
        }
    }
    drop((listener, finishing));
    stopping();
    finish.send_replace(true);
    if tokio::time::timeout(CLOSE_TIMEOUT, finish.closed()).await.is_err() {
        warn!("some requests were cut off: they took over {} s", CLOSE_TIMEOUT.as_secs());
    }
}

/// A connection that was accepted.
struct Arriving {
    stream: TcpStream,
    address: SocketAddr,
    place: Place,
    headers_timeout: Duration,
}

fn serve_one(arriving: Arriving, router: Router, mut finishing: Stopping) {
    let Arriving { stream, address, place, headers_timeout } = arriving;
    // Frames are small and wait for each other: none should wait for a full packet.
    if let Err(error) = stream.set_nodelay(true) {
        debug!("{address}: TCP_NODELAY: {error}");
    }
    let patience = Patience::default();
    let stream = Patient::new(stream, patience.clone(), Some(place));
    let service = service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(PeerAddress::from(address));
        request.extensions_mut().insert(patience.clone());
        router.clone().oneshot(request)
    });
    let mut builder = http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(headers_timeout);
    let connection = builder.serve_connection(TokioIo::new(stream), service).with_upgrades();
    tokio::spawn(async move {
        let mut connection = pin!(connection);
        let served = tokio::select! {
            served = connection.as_mut() => served,
            () = stopped(&mut finishing) => {
                connection.as_mut().graceful_shutdown();
                connection.await
            }
        };
        // A client that leaves in the middle of its request is no news.
        if let Err(error) = served {
            debug!("{address}: {error}");
        }
    });
}
