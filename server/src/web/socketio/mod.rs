//! `/socket.io/`: a server for clients of Socket.IO, which polls or a WebSocket carry. Any event is
//! logged, and acknowledged where that is asked for; whoever sends `join` is told of jobs, workers and
//! results as they change, until `leave`.
//!
//! The protocol is socketioxide's business, with its own WebSockets. What it says itself at a stop means
//! to clients that they are not wanted, and Python's would not come back to a server that is started
//! again; so the stream under a WebSocket ends it with 1001, and polls are refused.

mod bodies;
mod carried;
mod clients;
mod dashboards;
mod sessions;
mod view;

use super::error::{ApiError, FULL};
use super::limits::Limits;
use super::patience::Patience;
use super::socket::Sockets;
use super::upgrade::Handshake;
use super::who::may_watch;
use super::{App, assets};
use crate::begun::Begun;
use crate::bounds::{Bound, Full};
use crate::connection::{PeerAddress, Stopping, stopped};
use crate::dispatcher::Dispatcher;
use crate::metrics::Tally;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{Path, Request, State};
use axum::http::header::{
    ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS,
    ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_REQUEST_HEADERS, CACHE_CONTROL, CONTENT_TYPE,
    ORIGIN, VARY,
};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use bodies::Bodies;
use carried::{Carried, Connecting};
use clients::{Clients, Excess, OnEvent, Seat};
use dashboards::Dashboards;
use sessions::{Overlapping, Sessions, State as Stage};
use socketioxide::extract::SocketRef;
use socketioxide::handler::ConnectHandler;
use socketioxide::socket::{DisconnectReason, Sid};
use socketioxide::{ParserConfig, SocketIo, SocketIoBuilder};
use std::convert::Infallible;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use tequio_protocol::limits::{
    FRAME_BYTES_MAX, PING_INTERVAL, SOCKET_IDLE_BUFFER_BYTES, SOCKETIO_ATTACHMENTS_MAX,
    SOCKETIO_BODY_BYTES_MAX, SOCKETIO_PATIENCE, SOCKETIO_PONG_TIMEOUT, SOCKETIO_WAITING_MAX,
};
use tequio_scheduler::Origin;
use tokio::time::Instant;
use tower::util::BoxCloneSyncService;
use tower::{ServiceExt, service_fn};
use tracing::debug;

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

/// The library, as it is asked.
type Service = BoxCloneSyncService<Request, Response, Infallible>;

/// The library, as it takes connections that are WebSockets already.
type Takes = BoxCloneSyncService<(Carried, axum::http::Request<()>), (), String>;

/// What answers requests of Socket.IO clients.
#[derive(Clone)]
pub(super) struct Hub {
    service: Service,
    takes: Takes,
    clients: Arc<Clients>,
    dashboards: Arc<Dashboards>,
    sessions: Sessions,
    bodies: Bodies,
    /// WebSockets.
    places: Bound,
    /// Of these, the ones that change over from polling and are not known to have connected.
    changing: Bound,
    unread: Begun,
    sockets: Sockets,
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
    pub(super) fn start(
        dispatcher: Dispatcher,
        sockets: Sockets,
        tally: Tally,
        limits: &Limits,
    ) -> Hub {
        let dashboards = Arc::new(Dashboards::new(tally.clone(), limits.socketio_owed_max));
        let clients = Arc::new(Clients::new(tally));
        let sessions = Sessions::new(limits.socketio_opening_max, limits.socketio_polling_max);
        let (service, io) = builder().build_with_inner_svc(service_fn(not_found));
        let (all, told, stopping) = (clients.clone(), dashboards.clone(), sockets.stopping());
        let known = sessions.clone();
        // Before the client knows that it is connected, so that nothing that it sends is missed.
        let welcome = async move |socket: SocketRef| {
            if !is_let_go(&socket, &known) {
                attend(&socket, &all, &told, &known, &stopping);
            }
            Ok::<(), Infallible>(())
        };
        let known = sessions.clone();
        let connected = async move |socket: SocketRef| {
            if let Some(connecting) = socket.req_parts().extensions.get::<Connecting>() {
                connecting.connected();
            }
            known.connected(socket.id);
        };
        io.ns(ROOT, connected.with(welcome));
        let takes =
            ServiceExt::<(Carried, axum::http::Request<()>)>::map_err(service.clone(), |error| {
                error.to_string()
            });
        let service =
            ServiceExt::<Request>::map_response(service, |response| response.map(Body::new));
        let service = BoxCloneSyncService::new(service);
        sessions.serve(service.clone());
        let hub = Hub {
            service,
            takes: BoxCloneSyncService::new(takes),
            clients: clients.clone(),
            dashboards: dashboards.clone(),
            sessions,
            bodies: Bodies::new(limits),
            places: Bound::new(limits.socketio_sockets_max),
            changing: Bound::new(limits.socketio_changing_max),
            unread: sockets.unread.clone(),
            sockets: sockets.clone(),
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

    async fn answer(&self, request: Request) -> Response {
        let asked = Asked::of(&request);
        if asked.is_socket {
            return self.connect(request, &asked);
        }
        self.poll(request, &asked).await
    }

    /// A request of a client that polls.
    async fn poll(&self, request: Request, asked: &Asked) -> Response {
        let now = Instant::now();
        let excess = asked.sid.map_or_else(Excess::default, |sid| self.clients.excess_of(sid));
        let asking = match asked.sid {
            Some(sid) => match self.sessions.asks(sid, request.method(), now) {
                Ok(asking) => asking,
                Err(Overlapping) => return overlapping(),
            },
            None => None,
        };
        if let Some(sid) = asked.sid.filter(|_| is_poll(&request)) {
            self.dashboards.polled(sid);
        }
        let (mut request, body) = asked.stripped(request, excess.clone());
        // A body is read before the library is: it would keep what there is of it for as long as it likes.
        let mut held = None;
        if *request.method() == Method::POST {
            match self.bodies.read(body).await {
                Ok((body, share)) => {
                    if body.len() > SOCKETIO_BODY_BYTES_MAX {
                        excess.note("request", SOCKETIO_BODY_BYTES_MAX);
                    }
                    let body = Bytes::from(body);
                    *request.body_mut() = Body::from(body.clone());
                    held = Some((body, share));
                }
                Err(refusal) => return refusal.into_response(),
            }
        }
        let mut stopping = self.stopping.clone();
        let response = tokio::select! {
            biased;
            Ok(response) = self.service.clone().oneshot(request) => response,
            () = stopped(&mut stopping) => StatusCode::SERVICE_UNAVAILABLE.into_response(),
        };
        drop(asking);
        if let (Some(sid), Some((body, share))) = (asked.sid, held)
            && response.status() == StatusCode::OK
        {
            let time_max = self.bodies.time_max;
            self.sessions.sent(sid, &body, share, time_max, Instant::now());
        }
        if asked.sid.is_none() { self.note_session(response, asked).await } else { response }
    }

    /// Counts the session that an answer tells of.
    async fn note_session(&self, response: Response, asked: &Asked) -> Response {
        let (parts, body) = response.into_parts();
        let Ok(body) = to_bytes(body, SOCKETIO_BODY_BYTES_MAX).await else {
            return StatusCode::INTERNAL_SERVER_ERROR.into_response();
        };
        if let Some(sid) = told_session(&body) {
            let state = if asked.is_old { Stage::Connected } else { Stage::Opening };
            self.sessions.opened(sid, asked.origin, state, Instant::now());
        }
        Response::from_parts(parts, Body::from(body))
    }

    /// A request for a WebSocket.
    fn connect(&self, request: Request, asked: &Asked) -> Response {
        let place = match self.places.take(1) {
            Ok(place) => place,
            Err(full) => return no_place(full),
        };
        // The library keeps what it has of one that has not connected for a while after it has left.
        let changing = match asked.sid {
            None => None,
            Some(_) => match self.changing.take(1) {
                Ok(place) => Some(place),
                Err(full) => return no_place(full),
            },
        };
        let (mut parts, body) = request.into_parts();
        let handshake = match Handshake::read(&mut parts) {
            Ok(handshake) => handshake,
            Err(refusal) => return refusal.into_response(),
        };
        let connection = parts.extensions.get::<Patience>().cloned();
        let excess = asked.sid.map_or_else(Excess::default, |sid| self.clients.excess_of(sid));
        let (request, _) = asked.stripped(Request::from_parts(parts, body), excess.clone());
        let mut request = request.map(drop);
        let connecting = Connecting::default();
        request.extensions_mut().insert(connecting.clone());
        let (response, carrier) = handshake.answer(self.sockets.messages.clone());
        if let Some(connection) = connection {
            connection.end(self.stopping.clone());
            // What comes after this answer are frames.
            connection.limit_messages(move || excess.note("message", FRAME_BYTES_MAX));
        }
        if let (Some(sid), Some(changing)) = (asked.sid, changing) {
            self.sessions.changes(sid, changing);
        }
        let Hub { takes, unread, sessions, sockets, .. } = self.clone();
        let sid = asked.sid;
        tokio::spawn(async move {
            let Ok(carrier) = carrier.await else { return };
            let carrier = carrier.with_attachments();
            let carried = match sid {
                Some(sid) => Carried::changing(carrier, sessions, sid, &unread),
                None => Carried::opening(carrier, connecting, &unread),
            };
            if let Err(error) = takes.oneshot((carried.with((place, sockets)), request)).await {
                debug!("socket.io: {error}");
            }
        });
        response
    }
}

/// Whether a client connects only to be let go of.
fn is_let_go(socket: &SocketRef, sessions: &Sessions) -> bool {
    let connecting = socket.req_parts().extensions.get::<Connecting>();
    connecting.is_some_and(Connecting::has_left) || sessions.is_ending(socket.id)
}

fn overlapping() -> Response {
    let message = "A session sends one request with packets at a time; another one is under way.";
    ApiError::bad("overlapping", message).into_response()
}

fn no_place(_: Full) -> Response {
    let message = "This server has as many Socket.IO connections as it takes; try again later.";
    ApiError::new(StatusCode::SERVICE_UNAVAILABLE, FULL, message).into_response()
}

/// The session that an answer to a handshake tells of.
fn told_session(body: &[u8]) -> Option<Sid> {
    let text = std::str::from_utf8(body).ok()?;
    let (_, rest) = text.split_once("\"sid\":\"")?;
    rest.split_once('"')?.0.parse().ok()
}

/// What a request asks for.
struct Asked {
    sid: Option<Sid>,
    origin: Origin,
    is_socket: bool,
    /// Whether it is of Engine.IO 3, whose sessions are connected at once.
    is_old: bool,
    /// The address with what the library looks at, and nothing else: it keeps that of the first request
    /// for as long as the session.
    uri: Uri,
}

impl Asked {
    fn of(request: &Request) -> Asked {
        let uri = request.uri();
        let query = uri.query().unwrap_or_default();
        let of = |key: &str| query.split('&').find(|part| part.starts_with(key));
        let [version, transport] = ["EIO=", "transport="].map(of);
        let parts = [version, transport, of("sid="), of("b64=")];
        let kept: Vec<&str> = parts.into_iter().flatten().filter(|part| part.len() <= 64).collect();
        let kept = format!("{}?{}", PATHS[0], kept.join("&"));
        let address = request.extensions().get::<PeerAddress>().copied();
        let unknown = Origin::from(IpAddr::from(Ipv4Addr::UNSPECIFIED));
        Asked {
            sid: session(uri),
            origin: address.map_or(unknown, Origin::from),
            is_socket: *request.method() == Method::GET
                && transport == Some("transport=websocket")
                && matches!(version, Some("EIO=3" | "EIO=4")),
            is_old: version == Some("EIO=3"),
            uri: kept.parse().unwrap_or_else(|_| Uri::from_static("/socket.io/")),
        }
    }

    /// The request without what is not looked at, and its body.
    fn stripped(&self, request: Request, excess: Excess) -> (Request, Body) {
        let (parts, body) = request.into_parts();
        let mut stripped = Request::new(Body::empty());
        *stripped.method_mut() = parts.method;
        *stripped.uri_mut() = self.uri.clone();
        for name in [ORIGIN, CONTENT_TYPE] {
            if let Some(value) = parts.headers.get(&name).filter(|value| value.len() <= 1024) {
                // A copy: a part of the buffer that was read would keep all of it.
                let value = HeaderValue::from_bytes(value.as_bytes());
                stripped.headers_mut().extend(value.ok().map(|value| (name, value)));
            }
        }
        if let Some(address) = parts.extensions.get::<PeerAddress>() {
            stripped.extensions_mut().insert(*address);
        }
        stripped.extensions_mut().insert(excess);
        (stripped, body)
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
        .ws_read_buffer_size(SOCKET_IDLE_BUFFER_BYTES)
}

/// What a new client may say, and what its end is.
fn attend(
    socket: &SocketRef,
    clients: &Arc<Clients>,
    dashboards: &Arc<Dashboards>,
    sessions: &Sessions,
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
    let (dashboards, sessions) = (dashboards.clone(), sessions.clone());
    let stopping = stopping.clone();
    socket.on_disconnect(async move |socket: SocketRef, reason: DisconnectReason| {
        dashboards.leave(socket.id);
        sessions.gone(socket.id);
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
