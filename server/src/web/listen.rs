//! Accepts connections and serves HTTP/1.1 on each, and nothing else: HTTP/2 in clear, which is asked
//! for by its preface or by an upgrade, is not spoken. `axum::serve` would do, but gives a client all
//! the time in the world to send its headers, and to read its answer.

use super::bodies::{self, answer};
use super::crowd::{Crowd, Place, Rarely};
use super::line::{Doing, Line, Still};
use super::patience::{Patience, Patient};
use crate::connection::{PeerAddress, Stopping, stopped};
use axum::Router;
use axum::extract::Request;
use axum::http::StatusCode;
use axum::response::Response;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;
use tequio_protocol::limits::{ACCEPT_RETRY_DELAY, HEADERS_BYTES_MAX, ROOM_LOOK, STOP_PATIENCE};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout_at};
use tower::ServiceExt;
use tracing::{debug, warn};

/// What every connection needs.
#[derive(Clone)]
struct Served {
    router: Router,
    crowd: Crowd,
    finishing: Stopping,
}

/// Serves `router` until `stop` ends; then calls `stopping`, which says until when requests under way
/// may finish, and waits for them.
pub(super) async fn accept(
    listener: TcpListener,
    router: Router,
    crowd: &Crowd,
    stop: impl Future<Output = ()>,
    stopping: impl FnOnce() -> Instant,
) {
    // Held by each connection; it is closed when the last one is gone.
    let (finish, finishing) = watch::channel(false);
    let served = Served { router, crowd: crowd.clone(), finishing };
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
                tokio::spawn(serve_one(Arriving { stream, address, place }, served.clone()));
            }
            Err(error) => {
                if let Some(times) = failures.count(Instant::now()) {
                    warn!("a connection was not accepted ({times} so far): {error}");
                }
                sleep(ACCEPT_RETRY_DELAY).await;
            }
        }
    }
    drop((listener, served));
    let until = stopping();
    finish.send_replace(true);
    if timeout_at(until, finish.closed()).await.is_err() {
        warn!("some requests were cut off: they took too long");
    }
}

/// A connection that was accepted.
struct Arriving {
    stream: TcpStream,
    address: SocketAddr,
    place: Place,
}

async fn serve_one(arriving: Arriving, mut served: Served) {
    // One that says nothing costs no more than this.
    if speaks(&arriving, &mut served).await {
        arriving.place.speaks();
        Box::pin(serve_http(arriving, served)).await;
    }
}

/// Waits until there is something to read.
async fn speaks(arriving: &Arriving, served: &mut Served) -> bool {
    let line = arriving.place.line();
    let mut first = [0];
    tokio::select! {
        // Whether it is readable is sometimes said too early.
        came = arriving.stream.peek(&mut first) => came.is_ok_and(|bytes| bytes > 0),
        () = line.overdue(served.crowd.limits().headers_timeout) => false,
        () = line.ended() => false,
        () = stopped(&mut served.finishing) => false,
    }
}

async fn serve_http(arriving: Arriving, served: Served) {
    let Arriving { stream, address, place } = arriving;
    let Served { router, crowd, mut finishing } = served;
    // Frames are small and wait for each other: none should wait for a full packet.
    if let Err(error) = stream.set_nodelay(true) {
        debug!("{address}: TCP_NODELAY: {error}");
    }
    let patience = Patience::default();
    let (line, number) = (place.line().clone(), place.number());
    let stream = Patient::new(stream, patience.clone(), Some(place));
    let headers_timeout = crowd.limits().headers_timeout;
    let asked = Asked { router, crowd, patience, address, number, line: line.clone() };
    let service = service_fn(move |request| asked.clone().answer(request));
    let mut builder = http1::Builder::new();
    // A connection's own time is kept by its line: hyper's would count while an answer is read.
    builder.header_read_timeout(None).max_buf_size(HEADERS_BYTES_MAX);
    let connection = builder.serve_connection(TokioIo::new(stream), service).with_upgrades();
    let mut connection = pin!(connection);
    let served = tokio::select! {
        // What is to make room does nothing more.
        biased;
        () = ended(&line, headers_timeout) => {
            line.end();
            debug!("{address}: it stands still");
            return;
        }
        served = connection.as_mut() => served,
        () = stopped(&mut finishing) => {
            connection.as_mut().graceful_shutdown();
            tokio::select! {
                served = connection.as_mut() => served,
                () = unread(&line) => {
                    line.end();
                    return;
                }
            }
        }
    };
    // A client that leaves in the middle of its request is no news.
    if let Err(error) = served {
        debug!("{address}: {error}");
    }
}

/// Ends when a connection has to end: for want of room, or since it says nothing.
async fn ended(line: &Line, headers_timeout: Duration) {
    tokio::select! {
        () = line.ended() => {}
        () = line.overdue(headers_timeout) => {}
    }
}

/// Ends when nobody seems to read an answer, once the server stops.
async fn unread(line: &Line) {
    loop {
        match line.still_since(Still::Unread) {
            Some(since) if since.elapsed() >= STOP_PATIENCE => return,
            _ => sleep(ROOM_LOOK).await,
        }
    }
}

/// What answers the requests of one connection.
#[derive(Clone)]
struct Asked {
    router: Router,
    crowd: Crowd,
    patience: Patience,
    address: SocketAddr,
    number: u64,
    line: Arc<Line>,
}

impl Asked {
    async fn answer(
        self,
        request: Request<Incoming>,
    ) -> Result<Response<bodies::Answer>, Infallible> {
        let Asked { router, crowd, patience, address, number, line } = self;
        line.turns(Doing::Asked, Instant::now());
        let address = PeerAddress::from(address);
        let mut request = bodies::asked(request, &line, &crowd);
        request.extensions_mut().insert(address);
        request.extensions_mut().insert(patience);
        request.extensions_mut().insert(line.clone());
        let Ok(response) = router.oneshot(request).await;
        if response.status() == StatusCode::SWITCHING_PROTOCOLS {
            crowd.is_socket(number);
        }
        Ok(answer(response, &line, &crowd).await)
    }
}
