//! `GET /api/events`: everything that a page shows, as it changes.

use super::App;
use super::api::Params;
use super::error::ApiError;
use crate::connection::{Stopping, stopped};
use crate::dispatcher::{Dispatcher, Telling, Watch};
use axum::extract::State;
use axum::http::HeaderName;
use axum::response::IntoResponse;
use axum::response::sse::{Event, Sse};
use futures_util::stream::unfold;
use futures_util::{Stream, StreamExt};
use serde::Deserialize;
use std::convert::Infallible;
use std::sync::Arc;
use tokio::sync::broadcast;
use tokio::sync::broadcast::error::RecvError;

/// What keeps a proxy (nginx knows it) from collecting events before it passes them on.
pub(super) const UNBUFFERED: [(HeaderName, &str); 1] =
    [(HeaderName::from_static("x-accel-buffering"), "no")];

/// What a reader of events asks for.
#[derive(Debug, Deserialize)]
pub(super) struct EventsParams {
    /// Ends the answer after the first event, which tells of everything: for readers that keep no
    /// connection.
    #[serde(default)]
    once: bool,
}

/// `GET /api/events`: server-sent events, each with a
/// [`LiveEvent`](tequio_protocol::live::LiveEvent) as its data.
pub(super) async fn get(
    State(app): State<App>,
    Params(EventsParams { once }): Params<EventsParams>,
) -> Result<impl IntoResponse, ApiError> {
    if !once {
        app.crowd.admit()?;
    }
    let events = Events::of(app).await?;
    let count_max = if once { 1 } else { usize::MAX };
    Ok((UNBUFFERED, Sse::new(events.stream().take(count_max))))
}

struct Events {
    dispatcher: Dispatcher,
    /// A snapshot that is not sent yet.
    snapshot: Option<Arc<Telling>>,
    changes: broadcast::Receiver<Arc<Telling>>,
    stopping: Stopping,
}

impl Events {
    async fn of(app: App) -> Result<Events, ApiError> {
        let Watch { snapshot, changes } = app.dispatcher.watch().await?;
        let (dispatcher, stopping) = (app.dispatcher, app.sockets.stopping());
        Ok(Events { dispatcher, snapshot: Some(snapshot), changes, stopping })
    }

    fn stream(self) -> impl Stream<Item = Result<Event, Infallible>> {
        unfold(self, |mut events| async {
            let next = events.next().await?;
            Some((Ok(Event::default().data(next.json())), events))
        })
    }

    /// The next event; `None` when the server stops.
    async fn next(&mut self) -> Option<Arc<Telling>> {
        loop {
            if let Some(snapshot) = self.snapshot.take() {
                return Some(snapshot);
            }
            let change = tokio::select! {
                change = self.changes.recv() => change,
                () = stopped(&mut self.stopping) => return None,
            };
            match change {
                Ok(change) => return Some(change),
                Err(RecvError::Closed) => return None,
                // What it missed is in how everything is now.
                Err(RecvError::Lagged(_)) => {
                    let watch = self.dispatcher.watch().await.ok()?;
                    (self.snapshot, self.changes) = (Some(watch.snapshot), watch.changes);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::connection::Peer;
    use crate::metrics::Metrics;
    use crate::store::MemoryStore;
    use tequio_protocol::limits::{LIVE_INTERVAL, LIVE_SILENCE, LIVE_WAITING_MAX};
    use tokio::sync::watch;

    async fn events() -> (Events, watch::Sender<bool>) {
        let store = Arc::new(MemoryStore::new());
        let started = Dispatcher::start(None, store, Arc::new(Metrics::default()), 1).await;
        let (dispatcher, _) = started.unwrap();
        let Watch { snapshot, changes } = dispatcher.watch().await.unwrap();
        let (stop, stopping) = watch::channel(false);
        (Events { dispatcher, snapshot: Some(snapshot), changes, stopping }, stop)
    }

    fn peer() -> Peer {
        Peer {
            address: std::net::SocketAddr::from(([127, 0, 0, 1], 1)).into(),
            path: "/".to_owned(),
            agent: None,
        }
    }

    #[tokio::test(start_paused = true)]
    async fn who_reads_too_slowly_begins_anew() {
        let (mut events, _stop) = events().await;
        assert!(events.next().await.unwrap().json().contains("snapshot"));
        for _ in 0..2 * LIVE_WAITING_MAX {
            events.dispatcher.connected(peer()).await.unwrap();
            tokio::time::sleep(LIVE_INTERVAL).await;
        }
        let next = events.next().await.unwrap();
        let next = next.json();
        assert!(next.starts_with(r#"{"type":"snapshot""#), "{next}");
        assert!(next.contains(&format!(r#""id":{}"#, 2 * LIVE_WAITING_MAX)), "{next}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_server_to_which_nothing_happens_says_so_now_and_then() {
        let (mut events, _stop) = events().await;
        events.next().await;
        let began = tokio::time::Instant::now();
        let next = events.next().await.unwrap();
        let next = next.json();
        assert!(next.contains(r#""workers":[]"#), "{next}");
        assert!(began.elapsed() <= LIVE_SILENCE + LIVE_INTERVAL);
    }

    #[tokio::test(start_paused = true)]
    async fn the_stream_ends_when_the_server_stops() {
        let (mut events, stop) = events().await;
        events.next().await;
        stop.send_replace(true);
        assert!(events.next().await.is_none());
    }
}
