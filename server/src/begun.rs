//! What is begun and not ended: messages that are still being read, bodies of requests, frames that
//! wait for a peer to take them. All of them together may hold so many bytes. Where there is no more
//! room, the slowest is given up first: a peer that stands still becomes slower with each moment, and
//! one that does its part is done before it counts as slow, whatever address it has.

use std::collections::HashMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;
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
    bytes: usize,
    began_at: Instant,
    state: State,
    /// Whether it is among those that wait for room.
    is_waiting: bool,
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
}

impl Begun {
    /// All together may hold `bytes_max`. What is younger than `grace` is not given up.
    pub(crate) fn new(bytes_max: usize, grace: Duration) -> Begun {
        Begun(Arc::new(Shared { bytes_max, grace, all: Mutex::default() }))
    }

    /// For one peer, which has begun nothing yet.
    pub(crate) fn share(&self) -> Share {
        Share { begun: self.clone(), number: None }
    }

    fn lock(&self) -> MutexGuard<'_, All> {
        self.0.all.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl All {
    /// Gives up the slowest ones until there would be room within `bytes_max`; `false` where those that
    /// may be given up are not enough.
    fn make_room(&mut self, bytes_max: usize, grace: Duration, now: Instant) -> bool {
        if self.bytes - self.leaving <= bytes_max {
            return true;
        }
        let age = |part: &Part| now.duration_since(part.began_at);
        let going = self.parts.values_mut().filter(|part| part.state == State::Going);
        let mut going: Vec<&mut Part> = going.filter(|part| age(part) >= grace).collect();
        // At least 1: of two that have sent nothing, the older is slower.
        let speed = |part: &Part| part.bytes.max(1) as f64 / age(part).as_secs_f64();
        going.sort_by(|a, b| speed(a).total_cmp(&speed(b)));
        for slowest in going {
            slowest.state = State::GivenUp;
            self.leaving += slowest.bytes;
            if let Some(waker) = slowest.waker.take() {
                waker.wake();
            }
            if self.bytes - self.leaving <= bytes_max {
                return true;
            }
        }
        false
    }
}

impl Share {
    /// Holds `bytes` from now on, of something that began at `began_at`. Waits where there is no room
    /// yet; the caller then asks again when it is woken, or after a while. It holds them in any case,
    /// since they are there already: who waits begins no more.
    ///
    /// Returns an error if this was given up, or is given up now.
    pub(crate) fn hold(
        &mut self,
        bytes: usize,
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
            began_at,
            state: State::Going,
            is_waiting: false,
            waker: None,
        });
        if part.state == State::GivenUp {
            return Poll::Ready(Err(GivenUp));
        }
        all.bytes = all.bytes - part.bytes + bytes;
        part.bytes = bytes;
        part.state = State::Going;
        if !part.waker.as_ref().is_some_and(|waker| waker.will_wake(cx.waker())) {
            part.waker = Some(cx.waker().clone());
        }
        if all.bytes <= bytes_max {
            return Poll::Ready(Ok(()));
        }
        let has_room = all.make_room(bytes_max, grace, now);
        if all.parts.get(&number).is_some_and(|part| part.state == State::GivenUp) {
            return Poll::Ready(Err(GivenUp));
        }
        if has_room && all.bytes <= bytes_max {
            return Poll::Ready(Ok(()));
        }
        if let Some(part) = all.parts.get_mut(&number)
            && !std::mem::replace(&mut part.is_waiting, true)
        {
            all.waiting.push(number);
        }
        Poll::Pending
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
                part.is_waiting = false;
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
    fn the_slowest_makes_room() {
        let begun = Begun::new(100, GRACE);
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        let [mut stalled, mut slow, mut quick] = [begun.share(), begun.share(), begun.share()];
        assert_eq!(stalled.hold(10, start, at(0), &mut cx()), Poll::Ready(Ok(())));
        assert_eq!(slow.hold(60, start, at(0), &mut cx()), Poll::Ready(Ok(())));
        // Nobody is given up who has just begun.
        assert_eq!(quick.hold(40, at(10), at(10), &mut cx()), Poll::Pending);
        assert!(!stalled.is_given_up() && !slow.is_given_up());
        // What is given up holds its room until it is dropped.
        assert_eq!(quick.hold(40, at(10), at(150), &mut cx()), Poll::Pending);
        assert!(stalled.is_given_up() && !slow.is_given_up());
        assert_eq!(stalled.hold(20, start, at(150), &mut cx()), Poll::Ready(Err(GivenUp)));
        drop(stalled);
        assert_eq!(quick.hold(40, at(10), at(151), &mut cx()), Poll::Ready(Ok(())));
        // Later the other one is slower: it has sent less in the same time.
        assert_eq!(slow.hold(61, start, at(9000), &mut cx()), Poll::Pending);
        assert!(quick.is_given_up());
        drop(quick);
        assert_eq!(slow.hold(61, start, at(9000), &mut cx()), Poll::Ready(Ok(())));
        // Whoever asks may be the slowest itself.
        assert_eq!(slow.hold(101, start, at(9000), &mut cx()), Poll::Ready(Err(GivenUp)));
        slow.end();
        let all = begun.lock();
        assert_eq!((all.bytes, all.leaving, all.parts.len()), (0, 0, 0));
    }

    #[test]
    fn what_waits_for_this_server_is_not_given_up() {
        let begun = Begun::new(100, GRACE);
        let start = Instant::now();
        let later = start + 10 * GRACE;
        let [mut whole, mut next] = [begun.share(), begun.share()];
        assert!(whole.hold(90, start, start, &mut cx()).is_ready());
        whole.complete();
        assert_eq!(next.hold(20, later, later, &mut cx()), Poll::Pending);
        assert!(!whole.is_given_up());
        whole.end();
        assert_eq!(next.hold(20, later, later, &mut cx()), Poll::Ready(Ok(())));
    }
}
