//! Sessions of Socket.IO, of which there are only so many. Whoever polls has no connection that would
//! count: a handshake is one small request, and what the library keeps for it stays until it has heard
//! nothing for a while. So where there are too many, the ones go that have not gone on, or are silent,
//! for the longest; those of the address first that has the most of them.
//!
//! The library lets go of a session at once that has connected and is closed; one that has not
//! connected is kept until its time is over, closed or not. So that one is connected first, and then
//! closed.

use super::Service;
use crate::begun::{GivenUp, Share};
use crate::bounds::Held;
use crate::web::frames::attachments;
use axum::body::Body;
use axum::extract::Request;
use axum::http::Method;
use socketioxide::socket::Sid;
use std::collections::HashMap;
use std::future::poll_fn;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::task::Poll;
use std::time::Duration;
use tequio_protocol::limits::SOCKETIO_PATIENCE;
use tequio_scheduler::Origin;
use tokio::task::AbortHandle;
use tokio::time::{Instant, timeout_at};
use tower::ServiceExt;
use tracing::debug;

/// All sessions that began with a poll. Cloning it costs nothing.
#[derive(Clone)]
pub(super) struct Sessions(Arc<Shared>);

struct Shared {
    /// Sessions that have not connected.
    opening_max: usize,
    /// Sessions that have.
    polling_max: usize,
    all: Mutex<HashMap<Sid, Session>>,
    /// What the library is told in the name of a client.
    service: OnceLock<Service>,
}

#[derive(Debug)]
struct Session {
    origin: Origin,
    state: State,
    began_at: Instant,
    heard_at: Instant,
    /// Requests of it that are under way.
    requests: usize,
    is_posting: bool,
    /// Held while it changes over to a WebSocket and has not connected.
    changing: Option<Held>,
    /// An event whose attachments have not all come.
    partial: Option<Partial>,
}

/// What the library keeps until the attachments of an event have come.
#[derive(Debug)]
struct Partial {
    /// Attachments that are still to come.
    left: usize,
    bytes: usize,
    began_at: Instant,
    /// Ends the session when it has had its time, or others need its room.
    waiting: Option<AbortHandle>,
}

impl Drop for Partial {
    fn drop(&mut self) {
        self.waiting.take().inspect(AbortHandle::abort);
    }
}

/// Counts the attachments that a body leaves to be sent, where `left` were before. One of Engine.IO 3 has
/// lengths before its packets, and a colon.
fn attachments_left(body: &[u8], mut left: usize) -> usize {
    for packet in body.split(|byte| matches!(byte, 0x1e | b':')) {
        match packet.first() {
            Some(b'4') => left = left.max(attachments(packet)),
            Some(b'b') => left = left.saturating_sub(1),
            _ => {}
        }
    }
    left
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// It has not connected to the namespace.
    Opening,
    Connected,
    /// It is let go of as soon as it has connected.
    Ending,
}

/// A request of a session, until it is dropped.
pub(super) struct Asking {
    sessions: Sessions,
    sid: Sid,
    is_post: bool,
}

/// There is such a request already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Overlapping;

impl Sessions {
    pub(super) fn new(opening_max: usize, polling_max: usize) -> Sessions {
        let all = Mutex::default();
        Sessions(Arc::new(Shared { opening_max, polling_max, all, service: OnceLock::new() }))
    }

    /// Where sessions are.
    pub(super) fn serve(&self, service: Service) {
        // There is one.
        self.0.service.set(service).ok();
    }

    /// A session has begun; one of Engine.IO 3 is connected at once. Ends another one where there are too
    /// many now.
    pub(super) fn opened(&self, sid: Sid, origin: Origin, state: State, now: Instant) {
        let mut all = self.all();
        // The library has closed those by itself, and said so to nobody.
        all.retain(|_, session| {
            session.state == State::Connected
                || now.duration_since(session.began_at) <= SOCKETIO_PATIENCE
        });
        let session = Session {
            origin,
            state,
            began_at: now,
            heard_at: now,
            requests: 0,
            is_posting: false,
            changing: None,
            partial: None,
        };
        all.insert(sid, session);
        if state == State::Connected {
            drop(all);
            return self.connected(sid);
        }
        let is_opening = |session: &Session| session.state == State::Opening;
        let rank = |session: &Session| (session.requests, session.began_at);
        if let Some(oldest) = one_of_too_many(&all, self.0.opening_max, is_opening, rank) {
            drop(all);
            self.left(oldest);
        }
    }

    /// A session is in the namespace. Ends it, or another one, where there are too many.
    pub(super) fn connected(&self, sid: Sid) {
        let mut all = self.all();
        let Some(session) = all.get_mut(&sid) else { return };
        session.changing = None;
        let ended = if session.state == State::Ending {
            Some(sid)
        } else {
            session.state = State::Connected;
            let is_connected = |session: &Session| session.state == State::Connected;
            let rank = |session: &Session| (session.requests, session.heard_at);
            one_of_too_many(&all, self.0.polling_max, is_connected, rank)
        };
        if let Some(sid) = ended {
            all.remove(&sid);
            drop(all);
            self.say(sid, "1");
        }
    }

    /// A session changes over to a WebSocket; what it holds for that it gives back when it has connected.
    pub(super) fn changes(&self, sid: Sid, held: Held) {
        if let Some(session) = self.all().get_mut(&sid)
            && session.state == State::Opening
        {
            session.changing = Some(held);
        }
    }

    /// A session has sent `body`, which is held by `share`. Where attachments are still to come, the
    /// library keeps what there is; so that counts until they have come, for no longer than `time_max`.
    pub(super) fn sent(
        &self,
        sid: Sid,
        body: &[u8],
        mut share: Share,
        time_max: Duration,
        now: Instant,
    ) {
        let mut all = self.all();
        let Some(session) = all.get_mut(&sid) else { return };
        let before = session.partial.take();
        let was_left = before.as_ref().map_or(0, |partial| partial.left);
        let left = attachments_left(body, was_left);
        if left == 0 {
            return;
        }
        let (was_bytes, began_at) =
            before.as_ref().map_or((0, now), |partial| (partial.bytes, partial.began_at));
        let bytes = was_bytes + body.len();
        let sessions = self.clone();
        let waiting = tokio::spawn(async move {
            let given_up =
                poll_fn(|cx| match share.hold(bytes, bytes, began_at, Instant::now(), cx) {
                    Poll::Ready(Err(GivenUp)) => Poll::Ready(()),
                    _ => Poll::Pending,
                });
            timeout_at(began_at + time_max, given_up).await.ok();
            drop(share);
            sessions.left(sid);
        });
        let waiting = Some(waiting.abort_handle());
        session.partial = Some(Partial { left, bytes, began_at, waiting });
    }

    /// A session does not go on.
    pub(super) fn left(&self, sid: Sid) {
        let mut all = self.all();
        let Some(session) = all.get_mut(&sid) else { return };
        let packets = match session.state {
            State::Ending => return,
            State::Opening => {
                session.state = State::Ending;
                "40"
            }
            State::Connected => {
                all.remove(&sid);
                "1"
            }
        };
        drop(all);
        self.say(sid, packets);
    }

    /// Whether a session connects only to be let go of.
    pub(super) fn is_ending(&self, sid: Sid) -> bool {
        self.all().get(&sid).is_some_and(|session| session.state == State::Ending)
    }

    /// A session is over, or is not one any more that polls.
    pub(super) fn gone(&self, sid: Sid) {
        self.all().remove(&sid);
    }

    /// A session asks for something; `None` for one that is not known here.
    ///
    /// Returns an error if it is a post, and one is under way already: two at once have no order, and
    /// clients send none.
    pub(super) fn asks(
        &self,
        sid: Sid,
        method: &Method,
        now: Instant,
    ) -> Result<Option<Asking>, Overlapping> {
        let is_post = *method == Method::POST;
        let mut all = self.all();
        let Some(session) = all.get_mut(&sid) else { return Ok(None) };
        if is_post && std::mem::replace(&mut session.is_posting, true) {
            return Err(Overlapping);
        }
        session.requests += 1;
        session.heard_at = now;
        Ok(Some(Asking { sessions: self.clone(), sid, is_post }))
    }

    /// How many there are.
    #[cfg(test)]
    fn count(&self) -> usize {
        self.all().len()
    }

    /// Tells the library something as if the client had.
    fn say(&self, sid: Sid, packets: &'static str) {
        let Some(service) = self.0.service.get().cloned() else { return };
        let uri = format!("/socket.io/?EIO=4&transport=polling&sid={sid}");
        let request = Request::builder().method(Method::POST).uri(uri).body(Body::from(packets));
        let request = request.expect("it is a request");
        tokio::spawn(async move {
            let Ok(response) = service.oneshot(request).await;
            debug!("socket.io {sid} was let go: {packets}: {}", response.status());
        });
    }

    fn all(&self) -> MutexGuard<'_, HashMap<Sid, Session>> {
        self.0.all.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The one to end of those of a kind, if there are more than `count_max`: of the origin that has the
/// most of them the first one in the order of `rank`.
fn one_of_too_many<R: Ord>(
    all: &HashMap<Sid, Session>,
    count_max: usize,
    is_one: impl Fn(&Session) -> bool,
    rank: impl Fn(&Session) -> R,
) -> Option<Sid> {
    let mut counts: HashMap<Origin, usize> = HashMap::new();
    for session in all.values().filter(|session| is_one(session)) {
        *counts.entry(session.origin).or_default() += 1;
    }
    if counts.values().sum::<usize>() <= count_max {
        return None;
    }
    let (most, _) = counts.into_iter().max_by_key(|(origin, count)| (*count, *origin))?;
    let its = all.iter().filter(|(_, session)| session.origin == most && is_one(session));
    its.min_by_key(|(_, session)| rank(session)).map(|(sid, _)| *sid)
}

impl Drop for Asking {
    fn drop(&mut self) {
        let mut all = self.sessions.all();
        let Some(session) = all.get_mut(&self.sid) else { return };
        session.requests -= 1;
        if self.is_post {
            session.is_posting = false;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::IpAddr;
    use std::time::Duration;

    #[test]
    fn attachments_that_have_not_come_are_counted() {
        for (body, before, left) in [
            (&b"42[1]"[..], 0, 0),
            (b"452-[1]", 0, 2),
            (b"452-[1]\x1ebAAAA", 0, 1),
            (b"bAAAA", 1, 0),
            (b"3\x1ebAAAA\x1e42[1]", 2, 1),
            (b"8:451-5[1]6:b4AAAA", 0, 0),
            (b"8:451-5[1]", 0, 1),
        ] {
            assert_eq!(attachments_left(body, before), left, "{body:?}");
        }
    }

    fn origin(last: u8) -> Origin {
        Origin::from(IpAddr::from([10, 0, 0, last]))
    }

    #[tokio::test]
    async fn the_longest_silent_of_those_that_have_the_most_goes_first() {
        let sessions = Sessions::new(3, 2);
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        let ids: Vec<Sid> = (0..8).map(|_| Sid::new()).collect();
        // One of another address, before all others.
        sessions.opened(ids[0], origin(1), State::Opening, at(0));
        for (number, sid) in ids.iter().enumerate().skip(1).take(4) {
            sessions.opened(*sid, origin(2), State::Opening, at(number as u64));
        }
        let ending: Vec<bool> = ids[..5].iter().map(|sid| sessions.is_ending(*sid)).collect();
        assert_eq!(ending, [false, true, true, false, false]);
        // It connects, and is gone.
        sessions.connected(ids[1]);
        assert_eq!(sessions.count(), 4);
        // Of those that have connected, one that asks for nothing now.
        let asking = sessions.asks(ids[3], &Method::GET, at(10)).unwrap();
        sessions.connected(ids[3]);
        sessions.connected(ids[4]);
        let twice = sessions.asks(ids[4], &Method::POST, at(11)).unwrap();
        assert_eq!(sessions.asks(ids[4], &Method::POST, at(11)).err(), Some(Overlapping));
        drop((asking, twice));
        assert!(sessions.asks(ids[4], &Method::POST, at(12)).is_ok());
        assert!(sessions.asks(ids[7], &Method::POST, at(12)).unwrap().is_none());
        // Of those that never connected nothing is left after their time.
        sessions.gone(ids[3]);
        sessions.gone(ids[4]);
        sessions.opened(ids[5], origin(3), State::Opening, at(30_000));
        assert_eq!(sessions.count(), 1);
    }
}
