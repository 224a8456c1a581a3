//! What is begun and not ended: messages that are still being read, bodies of requests, frames that
//! wait for a peer to take them. All of them together may hold so many bytes. Where there is no more
//! room, the slowest is given up first: the one that holds much and has stood still for long. A peer that
//! does its part never stands still, whatever address it has; and what waits for room does not either,
//! since it is this server that does not go on.

use std::collections::HashMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;
use tequio_protocol::limits::{BEGUN_GRACE_KNOWN, BEGUN_PACE_BYTES_S};
use tokio::time::Instant;

/// What all that is begun may hold together. Cloning it costs nothing, and is the same bound.
#[derive(Clone, Debug)]
pub(crate) struct Begun(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    bytes_max: usize,
    /// Nothing is given up that has just begun.
    grace: Duration,
    all: Mutex<All>,
}

#[derive(Debug, Default)]
struct All {
    bytes: usize,
    /// Of these, what is held by parts that were given up and are not dropped yet.
    leaving: usize,
    last: u64,
    /// Only those that hold something.
    parts: HashMap<u64, Part>,
    /// Those that wait for room.
    waiting: Vec<u64>,
}

#[derive(Debug)]
struct Part {
    /// What counts for it: the room that it was given.
    bytes: usize,
    /// What has come of it.
    come: usize,
    /// Until when the peer has done its part: what it sends takes it on at [`BEGUN_PACE_BYTES_S`], and
    /// never beyond now. So a byte now and then is little better than nothing, and much at once, with
    /// nothing behind it, no better than that.
    kept_up_to: Instant,
    state: State,
    /// See [`Share::prove`].
    is_proven: bool,
    /// Whether this server has still to read what has come: that none was taken is not the peer's doing.
    is_to_be_read: bool,
    /// Whether there was no room when it asked last.
    is_waiting: bool,
    /// Whether it is among those that are woken when there is room.
    is_listed: bool,
    /// Wakes the task that is to give it up, or may go on.
    waker: Option<Waker>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// The peer has to do its part.
    Going,
    /// The peer has done its part; what it sent is still being handled.
    Whole,
    GivenUp,
}

/// It was given up: others needed its room, and it was the slowest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("this server holds as many unfinished messages as it may, and this was the slowest")]
pub(crate) struct GivenUp;

impl From<GivenUp> for io::Error {
    fn from(given_up: GivenUp) -> io::Error {
        io::Error::other(given_up)
    }
}

/// One thing after the other that is begun by one peer. What it holds is given back when this is dropped.
#[derive(Debug)]
pub(crate) struct Share {
    begun: Begun,
    /// While it holds something.
    number: Option<u64>,
    is_proven: bool,
    /// Whether what has come is read after each [`Share::hold`].
    is_reader: bool,
}

impl Begun {
    /// All together may hold `bytes_max`. What is younger than `grace` is not given up.
    pub(crate) fn new(bytes_max: usize, grace: Duration) -> Begun {
        Begun(Arc::new(Shared { bytes_max, grace, all: Mutex::default() }))
    }

    /// For one peer, which has begun nothing yet.
    pub(crate) fn share(&self) -> Share {
        Share { begun: self.clone(), number: None, is_proven: false, is_reader: false }
    }

    /// The same, where what has come is read after each [`Share::hold`], and [`Share::stand_still`] says
    /// that nothing had.
    pub(crate) fn share_of_reader(&self) -> Share {
        Share { begun: self.clone(), number: None, is_proven: false, is_reader: true }
    }

    fn lock(&self) -> MutexGuard<'_, All> {
        self.0.all.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl All {
    /// Gives up the slowest ones until there would be room for `more` within `bytes_max`; `false` where
    /// those that may be given up are not enough.
    fn make_room(&mut self, more: usize, bytes_max: usize, grace: Duration, now: Instant) -> bool {
        if self.bytes - self.leaving + more <= bytes_max {
            return true;
        }
        let lag = |part: &Part| now.saturating_duration_since(part.kept_up_to);
        let grace = |part: &Part| if part.is_proven { BEGUN_GRACE_KNOWN.max(grace) } else { grace };
        let stands = |part: &&mut Part| part.state == State::Going && !part.is_to_be_read;
        let going = self.parts.values_mut().filter(stands);
        let mut victims: Vec<&mut Part> =
            going.filter(|part| part.bytes > 0 && lag(part) >= grace(part)).collect();
        let held_for_nothing = |part: &Part| part.bytes as f64 * lag(part).as_secs_f64();
        // Whoever is known will end this as well, however slow its way is.
        victims.sort_by(|a, b| {
            let by_worth = held_for_nothing(b).total_cmp(&held_for_nothing(a));
            a.is_proven.cmp(&b.is_proven).then(by_worth)
        });
        for slowest in victims {
            slowest.state = State::GivenUp;
            self.leaving += slowest.bytes;
            if let Some(waker) = slowest.waker.take() {
                waker.wake();
            }
            if self.bytes - self.leaving + more <= bytes_max {
                return true;
            }
        }
        false
    }
}

impl Part {
    /// So many bytes more have come.
    fn keep_up(&mut self, bytes: usize, now: Instant) {
        let worth = Duration::from_secs(bytes as u64) / BEGUN_PACE_BYTES_S;
        self.kept_up_to = (self.kept_up_to + worth).min(now.max(self.kept_up_to));
    }

    /// There is room: what it has waited is no fault of its peer.
    fn go_on(&mut self, now: Instant) {
        if std::mem::take(&mut self.is_waiting) {
            self.kept_up_to = now;
        }
    }
}

impl Share {
    /// Holds `room` from now on for something that began at `began_at`, of which `come` bytes have come.
    /// Waits where there is no room yet; the caller then asks again when it is woken, or after a while.
    /// What waits counts no more than it has been given, and is not given up: so room is asked for at
    /// once, before more than a little has come. What has come already counts in any case.
    ///
    /// Returns an error if this was given up, or is given up now.
    pub(crate) fn hold(
        &mut self,
        come: usize,
        room: usize,
        began_at: Instant,
        now: Instant,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), GivenUp>> {
        let Shared { bytes_max, grace, .. } = *self.begun.0;
        let mut all = self.begun.lock();
        let all = &mut *all;
        let number = *self.number.get_or_insert_with(|| {
            all.last += 1;
            all.last
        });
        let part = all.parts.entry(number).or_insert_with(|| Part {
            bytes: 0,
            come: 0,
            kept_up_to: began_at,
            state: State::Going,
            is_proven: false,
            is_to_be_read: false,
            is_waiting: false,
            is_listed: false,
            waker: None,
        });
        if part.state == State::GivenUp {
            return Poll::Ready(Err(GivenUp));
        }
        part.keep_up(come.saturating_sub(part.come), now);
        part.come = come;
        part.state = State::Going;
        part.is_proven = self.is_proven;
        part.is_to_be_read = self.is_reader;
        if !part.waker.as_ref().is_some_and(|waker| waker.will_wake(cx.waker())) {
            part.waker = Some(cx.waker().clone());
        }
        if room <= come {
            // It is there already.
            all.bytes = all.bytes - part.bytes + room;
            part.bytes = room;
        }
        let more = room.saturating_sub(part.bytes);
        if all.bytes + more > bytes_max && (more > 0 || room <= come) {
            let has_room = all.make_room(more, bytes_max, grace, now);
            let part = all.parts.get_mut(&number).expect("it was entered above");
            if part.state == State::GivenUp {
                return Poll::Ready(Err(GivenUp));
            }
            if !has_room || all.bytes + more > bytes_max {
                part.is_waiting = true;
                if !std::mem::replace(&mut part.is_listed, true) {
                    all.waiting.push(number);
                }
                return Poll::Pending;
            }
        }
        let part = all.parts.get_mut(&number).expect("it was entered above");
        all.bytes += more;
        part.bytes += more;
        if more > 0 {
            part.go_on(now);
        }
        Poll::Ready(Ok(()))
    }

    /// From now on this is given up after those of which less is known: its peer is known from before, or has
    /// begun and ended such messages.
    pub(crate) fn prove(&mut self) {
        self.is_proven = true;
    }

    /// All that had come is taken, and the peer has to go on.
    pub(crate) fn stand_still(&mut self) {
        let Some(number) = self.number else { return };
        if let Some(part) = self.begun.lock().parts.get_mut(&number) {
            part.is_to_be_read = false;
        }
    }

    /// Whether this was given up.
    pub(crate) fn is_given_up(&self) -> bool {
        let Some(number) = self.number else { return false };
        let all = self.begun.lock();
        all.parts.get(&number).is_some_and(|part| part.state == State::GivenUp)
    }

    /// The peer has done its part: what is held now waits for this server.
    pub(crate) fn complete(&mut self) {
        let Some(number) = self.number else { return };
        let mut all = self.begun.lock();
        if let Some(part) = all.parts.get_mut(&number)
            && part.state == State::Going
        {
            part.state = State::Whole;
        }
    }

    /// Gives everything back: there is nothing of it any more.
    pub(crate) fn end(&mut self) {
        let Some(number) = self.number.take() else { return };
        let mut all = self.begun.lock();
        let Some(part) = all.parts.remove(&number) else { return };
        all.bytes -= part.bytes;
        if part.state == State::GivenUp {
            all.leaving -= part.bytes;
        }
        for number in std::mem::take(&mut all.waiting) {
            if let Some(part) = all.parts.get_mut(&number) {
                part.is_listed = false;
                part.waker.take().into_iter().for_each(Waker::wake);
            }
        }
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.end();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GRACE: Duration = Duration::from_millis(100);

    fn cx() -> Context<'static> {
        Context::from_waker(Waker::noop())
    }

    #[test]
    fn what_holds_much_and_stands_still_makes_room() {
        let begun = Begun::new(100, GRACE);
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        let [mut much, mut little, mut next] = [begun.share(), begun.share(), begun.share()];
        assert_eq!(much.hold(1, 60, start, at(0), &mut cx()), Poll::Ready(Ok(())));
        assert_eq!(little.hold(1, 10, start, at(0), &mut cx()), Poll::Ready(Ok(())));
        // Nobody is given up who has just begun.
        assert_eq!(next.hold(1, 40, at(10), at(10), &mut cx()), Poll::Pending);
        assert!(!much.is_given_up() && !little.is_given_up());
        // What is given up holds its room until it is dropped.
        assert_eq!(next.hold(1, 40, at(10), at(150), &mut cx()), Poll::Pending);
        assert!(much.is_given_up() && !little.is_given_up());
        assert_eq!(much.hold(2, 60, start, at(150), &mut cx()), Poll::Ready(Err(GivenUp)));
        drop(much);
        assert_eq!(next.hold(1, 40, at(10), at(151), &mut cx()), Poll::Ready(Ok(())));
        drop((next, little));
        let all = begun.lock();
        assert_eq!((all.bytes, all.leaving, all.parts.len()), (0, 0, 0));
    }

    #[test]
    fn who_waits_for_room_is_not_given_up() {
        let begun = Begun::new(100, GRACE);
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        let [mut flood, mut next, mut honest] = [begun.share(), begun.share(), begun.share()];
        assert!(flood.hold(90, 90, start, at(0), &mut cx()).is_ready());
        assert_eq!(honest.hold(1, 20, start, at(1), &mut cx()), Poll::Pending);
        // It waits for long, and so does another; the flood goes, and then it has room.
        assert_eq!(next.hold(1, 90, start, at(5000), &mut cx()), Poll::Pending);
        assert_eq!(honest.hold(1, 20, start, at(5000), &mut cx()), Poll::Pending);
        assert!(flood.is_given_up() && !honest.is_given_up() && !next.is_given_up());
        drop(flood);
        assert_eq!(honest.hold(1, 20, start, at(5001), &mut cx()), Poll::Ready(Ok(())));
        // It has not stood still for what it waited.
        assert_eq!(next.hold(1, 90, start, at(5002), &mut cx()), Poll::Pending);
        assert!(!honest.is_given_up());
    }

    #[test]
    fn whoever_has_ended_as_much_before_is_given_up_last() {
        let begun = Begun::new(100, GRACE);
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        let [mut known, mut flood, mut next] = [begun.share(), begun.share(), begun.share()];
        known.prove();
        assert!(known.hold(1, 70, start, at(0), &mut cx()).is_ready());
        assert!(flood.hold(1, 30, at(200), at(200), &mut cx()).is_ready());
        assert_eq!(next.hold(1, 30, at(350), at(350), &mut cx()), Poll::Pending);
        assert!(flood.is_given_up() && !known.is_given_up());
        assert_eq!(next.hold(1, 90, at(350), at(1999), &mut cx()), Poll::Pending);
        assert!(!known.is_given_up());
        assert_eq!(next.hold(1, 90, at(350), at(2000), &mut cx()), Poll::Pending);
        assert!(known.is_given_up());
    }

    #[test]
    fn what_this_server_has_not_looked_at_is_not_given_up() {
        let begun = Begun::new(100, GRACE);
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        let (mut read, mut next) = (begun.share_of_reader(), begun.share());
        assert!(read.hold(1, 90, start, at(0), &mut cx()).is_ready());
        assert_eq!(next.hold(1, 30, at(500), at(500), &mut cx()), Poll::Pending);
        assert!(!read.is_given_up());
        read.stand_still();
        assert_eq!(next.hold(1, 30, at(500), at(501), &mut cx()), Poll::Pending);
        assert!(read.is_given_up());
    }

    #[test]
    fn a_byte_now_and_then_is_standing_still() {
        let begun = Begun::new(100, GRACE);
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        let [mut trickle, mut next] = [begun.share(), begun.share()];
        for turn in 0..10 {
            let come = trickle.hold(turn, 90, start, at(turn as u64 * 50), &mut cx());
            assert!(come.is_ready());
        }
        assert_eq!(next.hold(1, 20, at(450), at(451), &mut cx()), Poll::Pending);
        assert!(trickle.is_given_up());
    }

    #[test]
    fn what_has_come_counts_in_any_case() {
        let begun = Begun::new(100, GRACE);
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        let [mut older, mut newer] = [begun.share(), begun.share()];
        assert!(older.hold(60, 60, start, at(0), &mut cx()).is_ready());
        assert_eq!(newer.hold(60, 60, at(50), at(50), &mut cx()), Poll::Pending);
        assert_eq!(begun.lock().bytes, 120);
        assert_eq!(newer.hold(60, 60, at(50), at(120), &mut cx()), Poll::Pending);
        assert!(older.is_given_up() && !newer.is_given_up());
        drop(older);
        assert_eq!(newer.hold(60, 60, at(50), at(121), &mut cx()), Poll::Ready(Ok(())));
        // Alone it may be too much.
        assert_eq!(newer.hold(101, 101, at(50), at(400), &mut cx()), Poll::Ready(Err(GivenUp)));
    }

    #[test]
    fn what_waits_for_this_server_is_not_given_up() {
        let begun = Begun::new(100, GRACE);
        let start = Instant::now();
        let later = start + 10 * GRACE;
        let [mut whole, mut next] = [begun.share(), begun.share()];
        assert!(whole.hold(90, 90, start, start, &mut cx()).is_ready());
        whole.complete();
        assert_eq!(next.hold(20, 20, later, later, &mut cx()), Poll::Pending);
        assert!(!whole.is_given_up());
        whole.end();
        assert_eq!(next.hold(20, 20, later, later, &mut cx()), Poll::Ready(Ok(())));
    }
}
