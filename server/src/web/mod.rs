//! Everything that speaks HTTP. All routes are in [`routes`].

mod api;
mod assets;
mod listen;
mod socket;

use crate::dispatcher::Dispatcher;
use axum::Router;
use axum::routing::get;
use socket::Sockets;
use tequio_protocol::limits::CLOSE_TIMEOUT;
use tequio_protocol::op::RepeatMultiply;
use tokio::net::TcpListener;
use tokio::sync::watch;

/// What a server does, beyond where it listens.
#[derive(Clone, Debug, Default)]
pub struct Config {
    /// The task that everyone is sent on connecting.
    pub welcome: Option<RepeatMultiply>,
}

/// What handlers share.
#[derive(Clone, Debug)]
struct App {
    dispatcher: Dispatcher,
    sockets: Sockets,
}

fn routes(app: App) -> Router {
    Router::new()
        .route("/", get(socket::or_page))
        .route("/ws", get(socket::upgrade))
        .route("/healthz", get(api::health))
        .route("/api/workers", get(api::workers))
        .route("/api/{*rest}", get(api::not_found).post(api::not_found))
        .method_not_allowed_fallback(api::method_not_allowed)
        .fallback(assets::file)
        .with_state(app)
}

/// Serves on `listener` until `stop` ends; then closes every socket with 1001 and returns when all
/// are gone, or have had their time.
pub async fn serve(listener: TcpListener, config: Config, stop: impl Future<Output = ()>) {
    let (stopping, is_stopping) = watch::channel(false);
    let (sockets, mut all_closed) = Sockets::new(is_stopping);
    let app = App { dispatcher: Dispatcher::start(config.welcome), sockets };
    listen::accept(listener, routes(app), stop, || {
        stopping.send_replace(true);
    })
    .await;
    // A peer that does not answer its close in time is dropped with the process.
    tokio::time::timeout(CLOSE_TIMEOUT, all_closed.wait()).await.ok();
}
