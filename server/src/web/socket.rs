//! WebSockets: who is served what, and the socket as a connection's link.

use super::api::Params;
use super::limits::Limits;
use super::link::Socket;
use super::names::HostPort;
use super::reading::Messages;
use super::upgrade::{Handshake, is_wanted};
use super::who::may_watch;
use super::{App, assets, error::ApiError};
use crate::begun::Begun;
use crate::connection::{Connection, Peer, Stopping};
use crate::handler;
use crate::metrics::Service;
use crate::services::chat::{self, Before, Format, Member, MemberName, RoomName};
use crate::services::echo;
use axum::extract::rejection::PathRejection;
use axum::extract::{FromRequestParts, Path, Query, Request, State};
use axum::http::header::USER_AGENT;
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use axum::routing::any;
use serde::Deserialize;
use tequio_protocol::limits::{
    CHAT_MESSAGE_BYTES_MAX, ECHO_PREFIX_CHARS_MAX, FRAME_BYTES_MAX, SOCKET_IDLE_BUFFER_BYTES,
    SOCKET_READ_BUFFER_BYTES, SOCKET_WRITE_BUFFER_BYTES_MAX,
};
use tequio_protocol::text::quote;
use tokio::sync::mpsc;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tower::ServiceExt;
use tracing::{debug, error};

/// What every socket needs of the server: word of its end, and to be waited for.
#[derive(Clone, Debug)]
pub(super) struct Sockets {
    stopping: Stopping,
    /// Held by each socket; the last one dropped ends [`AllClosed::wait`].
    open: mpsc::Sender<()>,
    /// What messages that are begun hold.
    pub(super) messages: Messages,
    /// What frames hold that wait for their peers.
    pub(super) unread: Begun,
}

/// Waits for sockets to close.
#[derive(Debug)]
pub(super) struct AllClosed(mpsc::Receiver<()>);

impl Sockets {
    pub(super) fn new(stopping: Stopping, limits: &Limits) -> (Sockets, AllClosed) {
        let (open, closed) = mpsc::channel(1);
        let messages = Messages {
            begun: Begun::new(limits.begun_bytes_max, limits.begun_grace),
            time_max: limits.begun_time_max,
            free_bytes: SOCKET_READ_BUFFER_BYTES,
        };
        let unread = Begun::new(limits.unread_bytes_max, limits.begun_grace);
        (Sockets { stopping, open, messages, unread }, AllClosed(closed))
    }

    /// Word of the server's end.
    pub(super) fn stopping(&self) -> Stopping {
        self.stopping.clone()
    }
}

impl AllClosed {
    /// Ends when every socket is closed and no handler is left that could open one.
    pub(super) async fn wait(&mut self) {
        // Nothing is ever sent: this ends when the last sender is gone.
        while self.0.recv().await.is_some() {}
    }
}

/// What a WebSocket at the bare address gets: classroom clients have that address written into them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Root {
    /// Tasks, as at `/ws`.
    #[default]
    Tasks,
    /// What it sends, with `echo: ` before it, as at `/echo`.
    Echo,
    /// What it sends, as at `/echo?prefix=`.
    Mirror,
    /// What all the others send, as at `/chat`.
    Chat,
}

/// Somebody who asks for a WebSocket.
pub(super) struct Caller {
    handshake: Handshake,
    before: Before,
    peer: Peer,
    app: App,
}

impl FromRequestParts<App> for Caller {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Caller, ApiError> {
        let address = *parts.extensions.get().expect("the listener says who connects");
        let handshake = Handshake::read(parts).map_err(|refusal| no_socket(refusal, parts, app))?;
        app.crowd.admit()?;
        // What was said is for those who were there, and for pages that are somebody's.
        let may_watch = may_watch(&parts.headers);
        let before = if may_watch { Before::Told } else { Before::Untold };
        let agent = parts.headers.get(USER_AGENT);
        let agent = agent.map(|agent| String::from_utf8_lossy(agent.as_bytes()));
        let peer = Peer {
            address,
            path: quote(parts.uri.path()),
            agent: agent.map(|agent| tequio_protocol::text::agent(&agent)),
        };
        Ok(Caller { handshake, before, peer, app: app.clone() })
    }
}

/// `GET /`: what [`Root`] says where a WebSocket is asked for, the page otherwise.
pub(super) async fn or_page(State(app): State<App>, request: Request) -> Response {
    if !is_wanted(request.headers()) {
        return assets::index(&app.page, request.headers());
    }
    let service = match app.root {
        Root::Tasks => any(tasks),
        Root::Echo => any(echo),
        Root::Mirror => any(mirror),
        Root::Chat => any(chat),
    };
    service.with_state(app).oneshot(request).await.into_response()
}

/// `GET /ws`: a worker.
pub(super) async fn tasks(caller: Caller) -> Response {
    let (dispatcher, stopping) = (caller.app.dispatcher.clone(), caller.app.sockets.stopping());
    caller.serve(Service::Tasks, FRAME_BYTES_MAX, async move |connection, peer| {
        let stopped = handler::run(connection, peer, dispatcher).await;
        // At a stop, those that take their time to close find nobody to tell.
        if let Err(stopped) = stopped
            && !*stopping.borrow()
        {
            error!("a connection ended early: {stopped}");
        }
    })
}

/// What a client of the echo asks for.
#[derive(Debug, Deserialize)]
pub(super) struct EchoParams {
    prefix: Option<String>,
}

/// `GET /echo`: what is sent comes back, after a prefix.
pub(super) async fn echo(
    caller: Caller,
    Params(EchoParams { prefix }): Params<EchoParams>,
) -> Result<Response, ApiError> {
    let prefix = prefix.unwrap_or_else(|| echo::PREFIX.to_owned());
    if prefix.chars().count() > ECHO_PREFIX_CHARS_MAX {
        let message = format!("A prefix has at most {ECHO_PREFIX_CHARS_MAX} characters.");
        return Err(ApiError::bad("bad_prefix", message));
    }
    Ok(caller.echo(prefix))
}

/// What is sent comes back as it is.
async fn mirror(caller: Caller) -> Response {
    caller.echo(String::new())
}

/// What a member of a chat asks for.
#[derive(Debug, Deserialize)]
pub(super) struct ChatParams {
    name: Option<String>,
    format: Option<String>,
}

/// `GET /chat`: the room without a name.
pub(super) async fn chat(
    caller: Caller,
    Params(params): Params<ChatParams>,
) -> Result<Response, ApiError> {
    caller.chat(RoomName::none(), params)
}

/// `GET /chat/NAME`: a room.
pub(super) async fn room(
    caller: Caller,
    room: Result<Path<String>, PathRejection>,
    Params(params): Params<ChatParams>,
) -> Result<Response, ApiError> {
    let room = match room {
        Ok(Path(name)) => RoomName::parse(&name),
        Err(rejection) => Err(rejection.body_text()),
    };
    let room =
        room.map_err(|reason| ApiError::bad("bad_room", format!("No such room: {reason}.")))?;
    caller.chat(room, params)
}

impl Caller {
    fn echo(self, prefix: String) -> Response {
        let services = self.app.services.clone();
        self.serve(Service::Echo, FRAME_BYTES_MAX, async move |connection, peer| {
            echo::run(connection, &peer, &prefix, &services).await;
        })
    }

    fn chat(self, room: RoomName, params: ChatParams) -> Result<Response, ApiError> {
        let ChatParams { name, format } = params;
        // An empty field of a form is no name.
        let name = name.filter(|name| !name.is_empty());
        let name = name.map(|name| MemberName::parse(&name)).transpose();
        let name =
            name.map_err(|reason| ApiError::bad("bad_name", format!("No name: {reason}.")))?;
        let format = format.map_or(Ok(Format::default()), |format| Format::parse(&format));
        let format = format
            .map_err(|reason| ApiError::bad("bad_format", format!("No format: {reason}.")))?;
        let member = Member { name, format, before: self.before };
        let services = self.app.services.clone();
        let bytes_max = CHAT_MESSAGE_BYTES_MAX;
        Ok(self.serve(Service::Chat, bytes_max, async move |connection, peer| {
            chat::run(connection, &peer, &room, member, &services).await;
        }))
    }

    /// Answers the request, and then serves the connection; its messages have `bytes_max` bytes at
    /// most. What `run` needs of the server it has with it: all that handlers share is half a kilobyte, and
    /// there are as many of these as connections.
    fn serve<F>(
        self,
        service: Service,
        bytes_max: usize,
        run: impl FnOnce(Connection<Socket>, Peer) -> F + Send + 'static,
    ) -> Response
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let Caller { handshake, peer, app, .. } = self;
        let config = WebSocketConfig::default()
            .max_message_size(Some(bytes_max))
            .max_frame_size(Some(bytes_max))
            .read_buffer_size(SOCKET_IDLE_BUFFER_BYTES)
            // Nothing is gained by keeping frames back: a handler has already taken all that waits.
            .write_buffer_size(0)
            .max_write_buffer_size(SOCKET_WRITE_BUFFER_BYTES_MAX);
        let Sockets { stopping, open, messages, unread } = app.sockets.clone();
        let tally = app.services.tally(service);
        let (response, carrier) = handshake.answer(messages);
        // In a box, which is gone when `run` begins: a task keeps room for all that it has ever held.
        let opening = Box::pin(async move {
            let socket = Socket::new(carrier.await?, config, &unread);
            Ok::<_, hyper::Error>(Connection::new(socket, stopping, tally))
        });
        app.services.spawn(service, async move {
            match opening.await {
                Ok(connection) => run(connection, peer).await,
                Err(error) => debug!("{}: upgrade failed: {error}", peer.address),
            }
            drop(open);
        });
        response
    }
}

/// What a page adds to a plain request for a socket's address, when no socket has opened there and its
/// browser does not say why. Browsers send no `Origin` with such a request.
#[derive(Debug, Deserialize)]
struct Asker {
    origin: Option<String>,
}

/// Says why there is no socket: the one that a page of the asker's origin asked for was refused, or this
/// is none that is asked for, perhaps because a proxy has taken its headers away.
fn no_socket(refusal: ApiError, parts: &Parts, app: &App) -> ApiError {
    let asker = Query::<Asker>::try_from_uri(&parts.uri).ok();
    let origin = asker.and_then(|Query(asker)| asker.origin);
    let asked = parts.extensions.get::<HostPort>();
    let refused = origin.zip(asked);
    refused.and_then(|(origin, asked)| app.who.refusal_of_socket(&origin, asked)).unwrap_or(refusal)
}
