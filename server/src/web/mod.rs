//! Everything that speaks HTTP. All routes are in [`routes`].

mod api;
mod appends;
mod assets;
mod bodies;
mod crowd;
mod drafts;
mod error;
mod events;
mod frames;
mod grid;
mod gzip;
mod jobs;
mod join;
mod kernels;
mod limits;
mod line;
mod lines;
mod link;
mod list;
mod listen;
mod names;
mod page;
mod patience;
mod proxy;
mod readers;
mod reading;
mod results;
mod sample;
mod socket;
mod socketio;
mod tries;
mod upgrade;
mod who;

pub use join::{join_link, opening_address};
pub use limits::Limits;
pub use names::{BadHost, BadOrigin, HostPort, PageOrigin};
pub use page::{Damaged, Page};
pub use proxy::Prefix;
pub use socket::Root;
pub use who::{Who, parse_token};

use crate::demo;
use crate::dispatcher::{Dispatcher, WelcomeTask};
use crate::engine;
use crate::files;
use crate::kernels::Kernels;
use crate::metrics::{Metrics, Service};
use crate::services::Services;
use crate::store::{Store, StoreError};
use appends::Appends;
use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware::from_fn_with_state;
use axum::routing::{any, get, post};
use crowd::Crowd;
use drafts::Drafts;
use events::Told;
use futures_util::future::BoxFuture;
use kernels::Blobs;
use readers::Readers;
use sample::Samples;
use socket::Sockets;
use std::net::SocketAddr;
use std::sync::Arc;
use tequio_protocol::limits::CLOSE_TIMEOUT;
use tequio_scheduler::Trust;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::time::Instant;
use tries::Tries;

/// What a server does.
pub struct Config {
    /// Where its listener listens.
    pub address: SocketAddr,
    /// The task that everyone is sent on connecting.
    pub welcome: Option<WelcomeTask>,
    /// Whether it submits jobs for people to look at, for as long as it runs.
    pub demo: bool,
    /// What a WebSocket at the bare address gets.
    pub root: Root,
    /// What it shows in a browser.
    pub page: Page,
    /// What it keeps its jobs in.
    pub store: Arc<dyn Store>,
    /// Whom it accepts.
    pub who: Who,
    /// What it believes of its workers.
    pub trust: Trust,
    /// What peers may hold of it.
    pub limits: Limits,
}

/// What handlers share.
#[derive(Clone)]
struct App {
    address: SocketAddr,
    page: Arc<Page>,
    dispatcher: Dispatcher,
    kernels: Kernels,
    blobs: Blobs,
    drafts: Drafts,
    store: Arc<dyn Store>,
    readers: Readers,
    told: Told,
    samples: Samples,
    appends: Appends,
    metrics: Arc<Metrics>,
    sockets: Sockets,
    services: Services,
    root: Root,
    socketio: socketio::Hub,
    who: Arc<Who>,
    tries: Tries,
    crowd: Crowd,
}

fn routes(app: App) -> Router {
    let [socketio, socketio_bare] = socketio::PATHS;
    Router::new()
        .route("/", get(socket::or_page))
        .route("/ws", get(socket::tasks))
        .route("/echo", get(socket::echo))
        .route("/echo/", get(socket::echo))
        .route("/chat", get(socket::chat))
        .route("/chat/", get(socket::chat))
        .route("/chat/{room}", get(socket::room))
        .route(socketio, any(socketio::serve))
        .route(socketio_bare, any(socketio::serve))
        .route("/socket.io/{script}", get(socketio::script))
        .route("/healthz", get(api::health))
        .route("/metrics", get(api::metrics))
        .route("/api/server", get(api::server))
        .route("/api/join.svg", get(join::code))
        .route("/api/operator", post(api::operator))
        .route("/api/ops", get(grid::ops))
        .route("/api/grid", get(grid::check))
        .route("/api/workers", get(api::workers))
        .route("/api/events", get(events::get))
        .route("/api/jobs", get(jobs::list).post(jobs::submit))
        .route("/api/jobs/{id}", get(jobs::get).delete(jobs::remove))
        .route("/api/jobs/{id}/inputs", post(jobs::append))
        .route("/api/jobs/{id}/pause", post(jobs::pause))
        .route("/api/jobs/{id}/resume", post(jobs::resume))
        .route("/api/jobs/{id}/cancel", post(jobs::cancel))
        .route("/api/jobs/{id}/close", post(jobs::close))
        .route("/api/jobs/{id}/repair", post(jobs::repair))
        .route("/api/jobs/{id}/results", get(results::get))
        .route("/api/jobs/{id}/sample", get(sample::get))
        .route("/api/kernels", get(kernels::list).post(kernels::add))
        .route("/api/kernels/{id}", get(kernels::one).delete(kernels::remove))
        .route("/api/data", post(kernels::add_data))
        .route("/kernels/{file}", get(kernels::module))
        .route("/data/{sha256}", get(kernels::data))
        .route("/api/{*rest}", any(api::not_found))
        .method_not_allowed_fallback(api::method_not_allowed)
        .fallback(assets::file)
        .layer(from_fn_with_state(app.clone(), who::check))
        // Each handler that takes a body has a limit of its own.
        .layer(DefaultBodyLimit::disable())
        .with_state(app)
}

/// Serves on `listener` until `stop` ends; then closes every socket with 1001 and returns when all
/// are gone, or have had their time, and what they sent is recorded.
///
/// Returns an error if the store cannot be read.
///
/// Boxed, so that what serves is compiled here, and not again in each program and test that calls this.
pub fn serve(
    listener: TcpListener,
    config: Config,
    stop: impl Future<Output = ()> + Send + 'static,
) -> BoxFuture<'static, Result<(), StoreError>> {
    Box::pin(serve_until(listener, config, Box::pin(stop)))
}

async fn serve_until(
    listener: TcpListener,
    config: Config,
    stop: BoxFuture<'static, ()>,
) -> Result<(), StoreError> {
    let Config { address, welcome, demo, root, page, store, who, trust, limits } = config;
    let metrics = Arc::new(Metrics::default());
    let (dispatcher, ended) =
        Dispatcher::start(welcome, store.clone(), metrics.clone(), trust).await?;
    let kernels = Kernels::new(store.clone(), page.examples());
    let source = kernels.source();
    engine::add_source(&source);
    let (stopping, is_stopping) = watch::channel(false);
    let (sockets, mut all_closed) = Sockets::new(is_stopping, &limits);
    let who = Arc::new(who);
    let tally = metrics.tally(Service::SocketIo);
    let socketio = socketio::Hub::start(dispatcher.clone(), sockets.clone(), tally, &limits);
    let chat = limits.chat;
    let crowd = Crowd::new(files::limit(), limits);
    let drafts = Drafts::new(dispatcher.clone());
    let sweep = tokio::spawn(drafts.clone().sweep());
    let give_back = tokio::spawn(crowd.clone().give_back());
    let app = App {
        address,
        page: Arc::new(page),
        dispatcher: dispatcher.clone(),
        kernels,
        blobs: Blobs::default(),
        drafts: drafts.clone(),
        readers: Readers::new(store.clone()),
        told: Told::new(crowd.limits().events_bytes_max),
        store,
        samples: Samples::default(),
        appends: Appends::default(),
        services: Services::within(metrics.clone(), chat),
        metrics,
        sockets,
        root,
        socketio,
        who,
        tries: Tries::new(Instant::now()),
        crowd: crowd.clone(),
    };
    let demo = demo.then(|| tokio::spawn(demo::run(dispatcher.clone())));
    let mut until = Instant::now();
    listen::accept(listener, routes(app), &crowd, stop, || {
        stopping.send_replace(true);
        until = Instant::now() + CLOSE_TIMEOUT;
        until
    })
    .await;
    sweep.abort();
    give_back.abort();
    if let Some(demo) = demo {
        demo.abort();
    }
    // A peer that does not answer its close in time is dropped with the process. Requests and sockets
    // have this time together.
    tokio::time::timeout_at(until, all_closed.wait()).await.ok();
    dispatcher.stop().await;
    ended.wait().await;
    Ok(())
}
