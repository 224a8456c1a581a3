//! `/socket.io/`: a server for clients of Socket.IO, which polls or a WebSocket carry. Any event is
//! logged, and acknowledged where that is asked for; whoever sends `join` is told of jobs, workers and
//! results as they change, until `leave`.
//!
//! The protocol is socketioxide's business, with its own WebSockets. What it says itself at a stop means
//! to clients that they are not wanted, and Python's would not come back to a server that is started
//! again; so the stream under a WebSocket ends it with 1001, and polls are refused.

mod clients;
mod dashboards;
mod frames;
mod view;

pub(super) use frames::Frames;

use super::patience::Patience;
use super::socket::Sockets;
use super::upgrade;
use super::who::may_watch;
use super::{App, assets};
use crate::connection::{Stopping, stopped};
use crate::dispatcher::Dispatcher;
use crate::metrics::Tally;

use axum::body::Body;
use axum::extract::{Path, Request, State};
use axum::http::header::{
    ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS,
    ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_REQUEST_HEADERS, CACHE_CONTROL, ORIGIN, VARY,
};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use clients::{Clients, Excess, OnEvent, Seat};
use dashboards::Dashboards;
use futures_util::TryStreamExt;
use socketioxide::extract::SocketRef;
use socketioxide::handler::ConnectHandler;
use socketioxide::socket::{DisconnectReason, Sid};
use socketioxide::{ParserConfig, SocketIo, SocketIoBuilder};
use std::convert::Infallible;
use std::sync::Arc;
use tequio_protocol::limits::{
    FRAME_BYTES_MAX, PING_INTERVAL, SOCKET_READ_BUFFER_BYTES, SOCKETIO_ATTACHMENTS_MAX,
    SOCKETIO_BODY_BYTES_MAX, SOCKETIO_PATIENCE, SOCKETIO_PONG_TIMEOUT, SOCKETIO_WAITING_MAX,
};
use tower::util::BoxCloneSyncService;
use tower::{ServiceExt, service_fn};

/// Where clients of Socket.IO look for their server, with the slash and without.
pub(super) const PATHS: [&str; 2] = ["/socket.io/", "/socket.io"];

/// What a page of nobody's is answered that wants to be told of jobs.
const NO_DASHBOARD: &str = "a page of the origin null (a file's, or one in a sandboxed frame) is told \
    of no jobs, workers and results: open it from a server";

/// The one namespace.
const ROOT: &str = "/";

/// The client library, as every tutorial's page loads it from its server; Node's server has the same.
const SCRIPTS: [&str; 4] =
    ["socket.io.js", "socket.io.min.js", "socket.io.esm.min.js", "socket.io.msgpack.min.js"];

/// What answers requests of Socket.IO clients.
#[derive(Clone)]
pub(super) struct Hub {
    service: BoxCloneSyncService<Request, Response, Infallible>,
    clients: Arc<Clients>,
    dashboards: Arc<Dashboards>,
    stopping: Stopping,
}

/// Every request for [`PATHS`], of an origin that may work here.
pub(super) async fn serve(State(app): State<App>, request: Request) -> Response {
    let origin = request.headers().get(ORIGIN).cloned();
    let mut response = match (request.method(), app.crowd.admit()) {
        (&Method::OPTIONS, _) => preflight(request.headers()),
        (_, Ok(())) => app.socketio.answer(request).await,
        (_, Err(full)) => full.into_response(),
    };
    share(response.headers_mut(), origin);
    response
}

/// `GET /socket.io/socket.io.js` and the like: for pages of any origin, since it is no secret.
pub(super) async fn script(
    app: State<App>,
    Path(name): Path<String>,
    uri: Uri,
    headers: HeaderMap,
) -> Response {
    if !SCRIPTS.contains(&name.as_str()) {
        return assets::file(app, Method::GET, uri, headers).await;
    }
    let mut response = assets::vendored(&app.page, &format!("socket.io/{name}"), &headers);
    let anybody = HeaderValue::from_static("*");
    response.headers_mut().insert(ACCESS_CONTROL_ALLOW_ORIGIN, anybody);
    response
}

impl Hub {
    /// Starts to take clients, until `sockets` says that the server stops.
    pub(super) fn start(dispatcher: Dispatcher, sockets: Sockets, tally: Tally) -> Hub {
        let dashboards = Arc::new(Dashboards::new(tally.clone()));
        let clients = Arc::new(Clients::new(tally));
        let (service, io) = builder().build_with_inner_svc(service_fn(not_found));
        let (all, told, stopping) = (clients.clone(), dashboards.clone(), sockets.stopping());
        // Before the client knows that it is connected, so that nothing that it sends is missed.
        let welcome = async move |socket: SocketRef| {
            attend(&socket, &all, &told, &stopping);
            Ok::<(), Infallible>(())
        };
        io.ns(ROOT, (async || {}).with(welcome));
        let service =
            ServiceExt::<Request>::map_response(service, |response| response.map(Body::new));
        let hub = Hub {
            service: BoxCloneSyncService::new(service),
            clients: clients.clone(),
            dashboards: dashboards.clone(),
            stopping: sockets.stopping(),
        };
        tokio::spawn(async move {
            dashboards.tell(dispatcher, sockets.stopping()).await;
            stopped(&mut sockets.stopping()).await;
            clients.dismiss();
            // Until here the server has waited for what holds these.
            drop((sockets, io));
        });
        hub
    }

    /// The library closes a session whose request brings too much, and does not say why.
    fn count(request: Request, excess: Excess) -> Request {
        let mut bytes = 0;
        request.map(|body| {
            Body::from_stream(body.into_data_stream().inspect_ok(move |chunk| {
                bytes += chunk.len();
                if bytes > SOCKETIO_BODY_BYTES_MAX {
                    excess.note("request", SOCKETIO_BODY_BYTES_MAX);
                }
            }))
        })
    }

    async fn answer(&self, mut request: Request) -> Response {
        let sid = session(request.uri());
        if upgrade::is_wanted(request.headers())
            && let Some(patience) = request.extensions().get::<Patience>()
        {
            patience.end(self.stopping.clone());
        }
        let connection = request.extensions().get::<Patience>().cloned();
        let excess = sid.map_or_else(Excess::default, |sid| self.clients.excess_of(sid));
        request.extensions_mut().insert(excess.clone());
        if let Some(sid) = sid.filter(|_| is_poll(&request)) {
            self.dashboards.polled(sid);
        }
        if *request.method() == Method::POST {
            request = Hub::count(request, excess.clone());
        }
        let mut stopping = self.stopping.clone();
        let response = tokio::select! {
            biased;
            Ok(response) = self.service.clone().oneshot(request) => response,
            () = stopped(&mut stopping) => StatusCode::SERVICE_UNAVAILABLE.into_response(),
        };
        if response.status() == StatusCode::SWITCHING_PROTOCOLS
            && let Some(connection) = connection
        {
            // What comes after this answer are frames.
            connection.limit_messages(move || excess.note("message", FRAME_BYTES_MAX));
        }
        response
    }
}

/// Whose request it is.
fn session(uri: &Uri) -> Option<Sid> {
    uri.query()?.split('&').find_map(|part| part.strip_prefix("sid="))?.parse().ok()
}

fn is_poll(request: &Request) -> bool {
    let query = request.uri().query().unwrap_or_default();
    *request.method() == Method::GET && query.split('&').any(|part| part == "transport=polling")
}

fn builder() -> SocketIoBuilder {
    let parser = ParserConfig::common()
        .max_incoming_binaries(SOCKETIO_ATTACHMENTS_MAX)
        // What one request can bring is never too much for the event that it belongs to.
        .max_incoming_binary_buf_size(SOCKETIO_BODY_BYTES_MAX)
        .packet_completion_timeout(SOCKETIO_PATIENCE);
    SocketIo::builder()
        .with_parser(parser)
        .req_path("/socket.io")
        .ping_interval(PING_INTERVAL)
        .ping_timeout(SOCKETIO_PONG_TIMEOUT)
        .connect_timeout(SOCKETIO_PATIENCE)
        .upgrade_timeout(SOCKETIO_PATIENCE)
        .max_payload(SOCKETIO_BODY_BYTES_MAX as u64)
        .max_buffer_size(SOCKETIO_WAITING_MAX)
        .ws_max_message_size(FRAME_BYTES_MAX)
        .ws_max_frame_size(FRAME_BYTES_MAX)
        .ws_read_buffer_size(SOCKET_READ_BUFFER_BYTES)
}

/// What a new client may say, and what its end is.
fn attend(
    socket: &SocketRef,
    clients: &Arc<Clients>,
    dashboards: &Arc<Dashboards>,
    stopping: &Stopping,
) {
    let seat = Arc::new(Seat::enter(clients, socket));
    let on = |take: fn(&Dashboards, &SocketRef)| {
        let (seat, dashboards) = (seat.clone(), dashboards.clone());
        OnEvent::new(seat, move |socket| take(&dashboards, socket))
    };
    socket.on("message", on(|_, _| {}));
    if may_watch(&socket.req_parts().headers) {
        socket.on("join", on(Dashboards::join));
    } else {
        socket.on("join", OnEvent::refused(seat.clone(), NO_DASHBOARD));
    }
    socket.on("leave", on(|dashboards, socket| dashboards.leave(socket.id)));
    // A classroom's events have names of its own.
    socket.on_fallback(on(|_, _| {}));
    let (dashboards, stopping) = (dashboards.clone(), stopping.clone());
    socket.on_disconnect(async move |socket: SocketRef, reason: DisconnectReason| {
        dashboards.leave(socket.id);
        // Of its own stop the library is not told.
        let reason = if *stopping.borrow() { DisconnectReason::ClosingServer } else { reason };
        seat.leave(clients::describe(reason));
    });
}

// ---- Pages of other origins -------------------------------------------------------------------
//
// tower-http has a layer for this. It would ask a second time which origins are accepted; whoever
// comes here is one of them, and then there is nothing to decide.

fn preflight(asked: &HeaderMap) -> Response {
    let mut response = StatusCode::NO_CONTENT.into_response();
    let headers = response.headers_mut();
    headers.insert(ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static("GET, POST"));
    // Headers that a client adds mean nothing here.
    if let Some(wanted) = asked.get(ACCESS_CONTROL_REQUEST_HEADERS) {
        headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, wanted.clone());
    }
    response
}

/// Lets the page of an accepted origin read the answer.
fn share(headers: &mut HeaderMap, origin: Option<HeaderValue>) {
    headers.append(VARY, HeaderValue::from_static("origin"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    let Some(origin) = origin else { return };
    headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
    // A client may ask for them (`withCredentials`); there are none that this server knows.
    headers.insert(ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
}

/// The router knows only the paths that the service takes.
async fn not_found(_: Request) -> Result<Response, Infallible> {
    Ok(StatusCode::NOT_FOUND.into_response())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_poll_is_a_get_that_names_its_session() {
        let sid = "AAAAAAAAAAAAAAAA";
        let whose = |method, query: &str| {
            let uri: Uri = format!("/socket.io/?{query}").parse().unwrap();
            let request = Request::builder().method(method).uri(&uri).body(Body::empty()).unwrap();
            session(&uri).filter(|_| is_poll(&request)).map(|sid| sid.to_string())
        };
        let poll = format!("EIO=4&transport=polling&t=x&sid={sid}");
        assert_eq!(whose(Method::GET, &poll).as_deref(), Some(sid));
        assert_eq!(whose(Method::POST, &poll), None);
        assert_eq!(whose(Method::GET, "EIO=4&transport=polling"), None);
        assert_eq!(whose(Method::GET, "EIO=4&transport=polling&sid=short"), None);
        assert_eq!(whose(Method::GET, &format!("EIO=4&transport=websocket&sid={sid}")), None);
    }
}
