//! A connection as the server sees it from outside: what it is doing, since when it stands still, and
//! the way to end it. Whoever runs short of places or of memory looks at these, and ends what stands
//! still the longest.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};

/// What a connection is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Doing {
    /// It has said nothing yet.
    Silent,
    /// No request is under way: the next one's headers are not whole, or have not begun.
    Idle,
    /// A request is under way.
    Asked,
    /// The answer is written, as far as the server is concerned; the system has not taken it all.
    Answered,
    /// It is a WebSocket, which has bounds of its own.
    Socket,
}

/// What stands still.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Still {
    /// Connections on which no request is under way.
    Idle,
    /// Answers of which nothing is taken.
    Unread,
    /// Those of them that hold some of the room of answers.
    UnreadRoom,
    /// Streams of events of which nothing is taken.
    UnreadEvents,
    /// Headers and bodies that do not come on.
    Unsent,
    /// Those of them that hold some of the room of bodies.
    UnsentRoom,
    /// Requests under way, whatever they wait for.
    Asked,
}

/// See the module.
#[derive(Debug)]
pub(super) struct Line {
    state: Mutex<State>,
    is_ended: AtomicBool,
    end: Notify,
}

#[derive(Debug)]
struct State {
    doing: Doing,
    /// Since when it does that.
    since: Instant,
    /// Since when nothing was taken of what is to be written.
    unread: Option<Instant>,
    /// What came of headers that are not whole.
    head: usize,
    /// Since when nothing came of a body that is waited for.
    unsent: Option<Instant>,
    /// What was handed over of an answer and was not taken by the system.
    unwritten: usize,
    /// What waits for that to be written.
    waker: Option<Waker>,
    /// Whether what it is answered are events.
    is_live: bool,
    /// How long it may take nothing.
    patience: Duration,
    /// Whether its answer holds some of the room of answers.
    has_answer_room: bool,
    /// Whether its headers or its body hold some of the room of bodies.
    has_body_room: bool,
}

impl Line {
    /// A connection that was accepted, whose answers have `patience`.
    pub(super) fn new(now: Instant, patience: Duration) -> Line {
        let state = State {
            doing: Doing::Silent,
            since: now,
            unread: None,
            head: 0,
            unsent: None,
            unwritten: 0,
            waker: None,
            is_live: false,
            patience,
            has_answer_room: false,
            has_body_room: false,
        };
        Line { state: Mutex::new(state), is_ended: AtomicBool::new(false), end: Notify::new() }
    }

    // ---- What it does -----------------------------------------------------------------------

    pub(super) fn doing(&self) -> Doing {
        self.lock().doing
    }

    /// It does something else from `now` on.
    pub(super) fn turns(&self, doing: Doing, now: Instant) {
        let mut state = self.lock();
        (state.doing, state.since, state.unsent, state.head) = (doing, now, None, 0);
        (state.has_answer_room, state.has_body_room) = (false, false);
    }

    /// Some bytes came. Returns how many there are of headers that are not whole.
    pub(super) fn read(&self, bytes: usize) -> usize {
        let mut state = self.lock();
        if matches!(state.doing, Doing::Silent | Doing::Idle) {
            state.head += bytes;
        }
        state.head
    }

    /// Its answer is given from here on, and may be left untaken for `patience`.
    pub(super) fn answers(&self, patience: Duration, is_live: bool) {
        let mut state = self.lock();
        (state.patience, state.is_live) = (patience, is_live);
    }

    /// From now on its answer holds some of the room of answers.
    pub(super) fn has_answer_room(&self) {
        self.lock().has_answer_room = true;
    }

    /// From now on its headers, or its body, hold some of the room of bodies.
    pub(super) fn has_body_room(&self) {
        self.lock().has_body_room = true;
    }

    /// How long it may take nothing.
    pub(super) fn patience(&self) -> Duration {
        self.lock().patience
    }

    /// A piece of its answer is handed over.
    pub(super) fn hand(&self, bytes: usize) {
        self.lock().unwritten += bytes;
    }

    /// The answer has come to its end at `now`.
    pub(super) fn answered(&self, now: Instant) {
        let mut state = self.lock();
        state.has_answer_room = false;
        if state.doing == Doing::Asked {
            let doing = if state.unwritten > 0 { Doing::Answered } else { Doing::Idle };
            (state.doing, state.since, state.unsent) = (doing, now, None);
        }
    }

    /// Ready when everything that was handed over was taken.
    pub(super) fn poll_written(&self, cx: &Context<'_>) -> Poll<()> {
        let mut state = self.lock();
        if state.unwritten == 0 {
            return Poll::Ready(());
        }
        state.waker = Some(cx.waker().clone());
        Poll::Pending
    }

    /// The system took some bytes.
    pub(super) fn wrote(&self, bytes: usize) {
        let mut state = self.lock();
        state.unread = None;
        state.unwritten = state.unwritten.saturating_sub(bytes);
        if state.unwritten == 0 {
            wake(state.waker.take());
        }
    }

    /// Everything was taken by `now`.
    pub(super) fn flushed(&self, now: Instant) {
        let mut state = self.lock();
        (state.unread, state.unwritten) = (None, 0);
        if state.doing == Doing::Answered {
            (state.doing, state.since) = (Doing::Idle, now);
        }
        wake(state.waker.take());
    }

    /// Nothing more is taken at `now`.
    pub(super) fn is_unread(&self, now: Instant) {
        self.lock().unread.get_or_insert(now);
    }

    /// Nothing of its body is there at `now`.
    pub(super) fn is_unsent(&self, now: Instant) {
        self.lock().unsent.get_or_insert(now);
    }

    /// A part of its body came.
    pub(super) fn was_sent(&self) {
        self.lock().unsent = None;
    }

    // ---- Standing still ---------------------------------------------------------------------

    /// Since when it stands still in this way; `None` where it does not, or is ended already.
    pub(super) fn still_since(&self, still: Still) -> Option<Instant> {
        if self.is_ended() {
            return None;
        }
        let state = self.lock();
        let is_idle = matches!(state.doing, Doing::Silent | Doing::Idle);
        let unsent = || state.unsent.or_else(|| (state.head > 0).then_some(state.since));
        match still {
            Still::Idle => is_idle.then_some(state.since),
            _ if state.doing == Doing::Socket => None,
            Still::Unread => state.unread,
            Still::UnreadEvents => state.unread.filter(|_| state.is_live),
            Still::UnreadRoom => state.unread.filter(|_| state.has_answer_room),
            Still::Unsent => unsent(),
            Still::UnsentRoom => unsent().filter(|_| state.has_body_room),
            Still::Asked => (state.doing == Doing::Asked).then_some(state.since),
        }
    }

    /// Ends once no request's headers have come for `headers_timeout`.
    pub(super) async fn overdue(&self, headers_timeout: Duration) {
        loop {
            let now = Instant::now();
            let due = match self.still_since(Still::Idle) {
                Some(since) if now.duration_since(since) >= headers_timeout => return,
                Some(since) => since + headers_timeout,
                None => now + headers_timeout,
            };
            sleep_until(due).await;
        }
    }

    // ---- Ending -----------------------------------------------------------------------------

    /// Ends it for want of room.
    pub(super) fn end(&self) {
        self.is_ended.store(true, Ordering::Relaxed);
        self.end.notify_one();
    }

    /// Whether it was ended: nobody lingers for it.
    pub(super) fn is_ended(&self) -> bool {
        self.is_ended.load(Ordering::Relaxed)
    }

    /// Ends when it is ended.
    pub(super) async fn ended(&self) {
        self.end.notified().await;
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Each change is made whole.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn wake(waker: Option<Waker>) {
    if let Some(waker) = waker {
        waker.wake();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::task::noop_waker_ref;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn a_piece_is_waited_for_until_it_is_written_and_the_answer_until_it_is_flushed() {
        let start = Instant::now();
        let line = Line::new(start, SECOND);
        let cx = Context::from_waker(noop_waker_ref());
        line.turns(Doing::Asked, start + SECOND);
        line.hand(10);
        assert!(line.poll_written(&cx).is_pending());
        line.wrote(4);
        line.is_unread(start + 2 * SECOND);
        line.is_unread(start + 3 * SECOND);
        assert_eq!(line.still_since(Still::Unread), Some(start + 2 * SECOND));
        assert_eq!(line.still_since(Still::UnreadEvents), None);
        line.answered(start + 3 * SECOND);
        assert_eq!(line.doing(), Doing::Answered);
        assert_eq!(line.still_since(Still::Idle), None);
        line.flushed(start + 4 * SECOND);
        assert!(line.poll_written(&cx).is_ready());
        assert_eq!(line.still_since(Still::Unread), None);
        assert_eq!(line.still_since(Still::Idle), Some(start + 4 * SECOND));
    }

    #[tokio::test(start_paused = true)]
    async fn only_what_is_asked_is_not_overdue() {
        let start = Instant::now();
        let line = Line::new(start, SECOND);
        line.overdue(SECOND).await;
        assert_eq!(start.elapsed(), SECOND);
        line.turns(Doing::Asked, Instant::now());
        tokio::time::timeout(10 * SECOND, line.overdue(SECOND)).await.unwrap_err();
        line.turns(Doing::Idle, Instant::now());
        line.overdue(SECOND).await;
        assert_eq!(start.elapsed(), 12 * SECOND);
        line.end();
        line.ended().await;
        assert_eq!(line.still_since(Still::Idle), None, "it is chosen once");
    }
}
