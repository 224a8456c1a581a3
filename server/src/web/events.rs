//! `GET /api/events`: everything that a page shows, as it changes.

use super::App;
use super::api::Params;
use super::bodies::Kind;
use super::error::ApiError;
use super::line::Line;
use crate::bounds::Held;
use crate::connection::{Stopping, stopped};
use crate::dispatcher::{Dispatcher, Telling, Watch};
use axum::body::{Body, Bytes};
use axum::extract::{Extension, State};
use axum::http::HeaderName;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::IntoResponse;
use futures_util::stream::unfold;
use futures_util::{Stream, StreamExt};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
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
    Extension(line): Extension<Arc<Line>>,
    Params(EventsParams { once }): Params<EventsParams>,
) -> Result<impl IntoResponse, ApiError> {
    if !once {
        app.crowd.admit()?;
    }
    let seat = app.crowd.room_for_events().await?;
    let events = Events::of(app, line, seat).await?;
    let count_max = if once { 1 } else { usize::MAX };
    let about = [(CONTENT_TYPE, "text/event-stream"), (CACHE_CONTROL, "no-cache")];
    let body = Body::from_stream(events.stream().take(count_max));
    Ok((UNBUFFERED, about, Extension(Kind::Events), body))
}

/// What is being told, and whom: all share one copy of each telling, but those who read slowly keep
/// different ones.
#[derive(Clone)]
pub(super) struct Told {
    bytes_max: usize,
    tellings: Arc<Mutex<Tellings>>,
}

/// By their numbers, which ascend.
#[derive(Default)]
struct Tellings {
    all: BTreeMap<u64, Readers>,
    bytes: usize,
}

/// Those who are being told one thing.
struct Readers {
    bytes: usize,
    lines: Vec<Arc<Line>>,
}

/// Being told one thing, until it is dropped.
struct Hearing {
    told: Told,
    number: u64,
    line: Arc<Line>,
}

impl Told {
    /// All tellings that are being read have `bytes_max` together.
    pub(super) fn new(bytes_max: usize) -> Told {
        Told { bytes_max, tellings: Arc::default() }
    }

    /// Somebody is told something from now on. Where that is too much together, the oldest is told no
    /// more: its readers end, and begin anew when they come back.
    fn tell(&self, number: u64, bytes: usize, line: &Arc<Line>) -> Hearing {
        let mut tellings = self.tellings();
        if !tellings.all.contains_key(&number) {
            tellings.bytes += bytes;
            tellings.all.insert(number, Readers { bytes, lines: Vec::new() });
        }
        if let Some(readers) = tellings.all.get_mut(&number) {
            readers.lines.push(line.clone());
        }
        while tellings.bytes > self.bytes_max
            && tellings.all.len() > 1
            && let Some((_, oldest)) = tellings.all.pop_first()
        {
            tellings.bytes -= oldest.bytes;
            oldest.lines.iter().for_each(|line| line.end());
        }
        Hearing { told: self.clone(), number, line: line.clone() }
    }

    fn tellings(&self) -> MutexGuard<'_, Tellings> {
        // Each change is made whole.
        self.tellings.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Hearing {
    fn drop(&mut self) {
        let mut tellings = self.told.tellings();
        let Some(readers) = tellings.all.get_mut(&self.number) else { return };
        if let Some(at) = readers.lines.iter().position(|line| Arc::ptr_eq(line, &self.line)) {
            readers.lines.swap_remove(at);
        }
        if readers.lines.is_empty() {
            let bytes = readers.bytes;
            tellings.all.remove(&self.number);
            tellings.bytes -= bytes;
        }
    }
}

struct Events {
    dispatcher: Dispatcher,
    told: Told,
    line: Arc<Line>,
    /// A snapshot that is not sent yet.
    snapshot: Option<Arc<Telling>>,
    changes: broadcast::Receiver<Arc<Telling>>,
    /// What it is told right now.
    hearing: Option<Hearing>,
    stopping: Stopping,
    _seat: Held,
}

impl Events {
    async fn of(app: App, line: Arc<Line>, seat: Held) -> Result<Events, ApiError> {
        let Watch { snapshot, changes } = app.dispatcher.watch().await?;
        Ok(Events {
            told: app.told,
            line,
            snapshot: Some(snapshot),
            changes,
            hearing: None,
            stopping: app.sockets.stopping(),
            dispatcher: app.dispatcher,
            _seat: seat,
        })
    }

    fn stream(self) -> impl Stream<Item = Result<Bytes, Infallible>> {
        unfold(self, |mut events| async {
            // Whoever asks for the next event has taken the last.
            events.hearing = None;
            let next = events.next().await?;
            let wire = next.wire();
            events.hearing = Some(events.told.tell(next.number, wire.len(), &events.line));
            Some((Ok(wire), events))
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
    use crate::bounds::Bound;
    use crate::connection::Peer;
    use crate::metrics::Metrics;
    use crate::store::MemoryStore;
    use tequio_protocol::limits::{LIVE_INTERVAL, LIVE_SILENCE, LIVE_WAITING_MAX};
    use tokio::sync::watch;

    fn line() -> Arc<Line> {
        Arc::new(Line::new(tokio::time::Instant::now(), LIVE_INTERVAL))
    }

    async fn events() -> (Events, watch::Sender<bool>) {
        let store = Arc::new(MemoryStore::new());
        let started = Dispatcher::start(None, store, Arc::new(Metrics::default()), 1).await;
        let (dispatcher, _) = started.unwrap();
        let Watch { snapshot, changes } = dispatcher.watch().await.unwrap();
        let (stop, stopping) = watch::channel(false);
        let events = Events {
            dispatcher,
            told: Told::new(1),
            line: line(),
            snapshot: Some(snapshot),
            changes,
            hearing: None,
            stopping,
            _seat: Bound::new(1).take(1).unwrap(),
        };
        (events, stop)
    }

    fn text(telling: &Telling) -> String {
        String::from_utf8(telling.wire().to_vec()).unwrap()
    }

    #[test]
    fn who_is_behind_the_most_is_told_no_more() {
        let told = Told::new(10);
        let [a, b, c, d] = [(); 4].map(|()| line());
        let ended = || [&a, &b, &c, &d].map(|line| line.is_ended());
        let first = told.tell(1, 6, &a);
        let _shares = told.tell(1, 6, &b);
        let _second = told.tell(2, 4, &c);
        assert_eq!(ended(), [false; 4], "6 bytes are there once, and 4");
        let third = told.tell(3, 40, &d);
        assert_eq!(ended(), [true, true, true, false], "one there must be");
        drop(first);
        drop(third);
        let tellings = told.tellings();
        assert_eq!((tellings.bytes, tellings.all.len()), (0, 0));
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
        assert!(text(&events.next().await.unwrap()).contains("snapshot"));
        for _ in 0..2 * LIVE_WAITING_MAX {
            events.dispatcher.connected(peer()).await.unwrap();
            tokio::time::sleep(LIVE_INTERVAL).await;
        }
        let next = events.next().await.unwrap();
        let next = text(&next);
        assert!(next.starts_with(r#"data: {"type":"snapshot""#), "{next}");
        assert!(next.contains(&format!(r#""id":{}"#, 2 * LIVE_WAITING_MAX)), "{next}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_server_to_which_nothing_happens_says_so_now_and_then() {
        let (mut events, _stop) = events().await;
        events.next().await;
        let began = tokio::time::Instant::now();
        let next = events.next().await.unwrap();
        let next = text(&next);
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
