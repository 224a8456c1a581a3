//! `GET /api/events`: everything that a page shows, as it changes.

use super::App;
use super::error::ApiError;
use crate::dispatcher::{Dispatcher, Watch};
use crate::session::{Stopping, stopped};
use axum::extract::State;
use axum::http::HeaderName;
use axum::response::IntoResponse;
use axum::response::sse::{Event, Sse};
use futures_util::Stream;
use futures_util::stream::unfold;
use std::convert::Infallible;
use std::sync::Arc;
use tokio::sync::broadcast;
use tokio::sync::broadcast::error::RecvError;

/// What keeps a proxy (nginx knows it) from collecting events before it passes them on.
const UNBUFFERED: [(HeaderName, &str); 1] = [(HeaderName::from_static("x-accel-buffering"), "no")];

/// `GET /api/events`: server-sent events, each with a
/// [`LiveEvent`](tequio_protocol::live::LiveEvent) as its data.
pub(super) async fn get(State(app): State<App>) -> Result<impl IntoResponse, ApiError> {
    let events = Events::of(app).await?;
    Ok((UNBUFFERED, Sse::new(events.stream())))
}

struct Events {
    dispatcher: Dispatcher,
    /// A snapshot that is not sent yet.
    snapshot: Option<Arc<str>>,
    changes: broadcast::Receiver<Arc<str>>,
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
            Some((Ok(Event::default().data(&*next)), events))
        })
    }

    /// The next event; `None` when the server stops.
    async fn next(&mut self) -> Option<Arc<str>> {
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
