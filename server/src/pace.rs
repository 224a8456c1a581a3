//! How often something may happen: so many times at once, and then one each while.

use std::ops::{Add, Sub};
use std::time::Duration;
use tokio::time::Instant;

/// A token bucket, kept as the one moment at which it is full again: the generic cell rate algorithm
/// of ITU-T I.371. `T` is a moment: an [`Instant`], or the time since somebody's origin.
#[derive(Clone, Debug)]
pub(crate) struct Pace<T = Instant> {
    /// The time that a burst takes at the pace, but for its first.
    ahead: Duration,
    each: Duration,
    full_at: T,
}

impl<T> Pace<T>
where
    T: Copy + Ord + Add<Duration, Output = T> + Sub<Duration, Output = T>,
{
    /// A full bucket: `burst` at once, at least 1, and one more after `each`.
    pub(crate) fn new(burst: u32, each: Duration, now: T) -> Pace<T> {
        Pace { ahead: each * (burst - 1), each, full_at: now }
    }

    /// When the next may go; that is `now` where it may already.
    pub(crate) fn next_at(&self, now: T) -> T {
        // In this order, since there may be no moment so long ago.
        if self.full_at <= now + self.ahead { now } else { self.full_at - self.ahead }
    }

    /// Lets `count` go together, whether or not they may: what follows waits for longer.
    pub(crate) fn take_many(&mut self, count: u32, now: T) {
        self.full_at = self.full_at.max(now) + self.each * count;
    }

    /// Lets one go, if it may.
    pub(crate) fn take(&mut self, now: T) -> bool {
        let may = self.next_at(now) <= now;
        if may {
            self.full_at = self.full_at.max(now) + self.each;
        }
        may
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_and_then_one_each_while() {
        let at = Duration::from_millis;
        let mut pace = Pace::new(3, at(10), at(0));
        let taken: Vec<bool> =
            [0, 0, 0, 0, 9, 10, 10, 25, 25, 30].map(|ms| pace.take(at(ms))).into();
        let expected = [true, true, true, false, false, true, false, true, false, true];
        assert_eq!(taken, expected);
        assert_eq!(pace.next_at(at(31)), at(40));
        // After a rest it is full again, and no fuller.
        let taken: Vec<bool> = [9000, 9000, 9000, 9000].map(|ms| pace.take(at(ms))).into();
        assert_eq!(taken, [true, true, true, false]);
    }
}
