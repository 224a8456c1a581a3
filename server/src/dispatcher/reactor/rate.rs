//! Tasks a second, over the last seconds, idle ones too: for people, and for foretelling a job's end. What
//! is lent follows the scheduler's estimate of a worker's speed, which is of the time that its tasks took.

use std::collections::VecDeque;
use std::time::Duration;
use tequio_protocol::limits::{RATE_STEADY_S, RATE_WINDOW_S};

/// Tasks in each of the last seconds.
#[derive(Debug, Default)]
pub(super) struct Rate {
    seconds: VecDeque<(u64, u64)>,
}

impl Rate {
    pub(super) fn count(&mut self, now: Duration, tasks: u64) {
        let second = now.as_secs();
        match self.seconds.back_mut() {
            Some((last, sum)) if *last == second => *sum += tasks,
            _ => self.seconds.push_back((second, tasks)),
        }
        while self.seconds.front().is_some_and(|(first, _)| first + RATE_WINDOW_S < second) {
            self.seconds.pop_front();
        }
    }

    /// Tasks a second over the window, or since the first of them if that is shorter.
    pub(super) fn per_second(&self, now: Duration) -> f64 {
        let Some((first, _)) = self.recent(now).next() else { return 0.0 };
        let tasks: u64 = self.recent(now).map(|(_, tasks)| tasks).sum();
        tasks as f64 / (now.as_secs_f64() - *first as f64).max(1.0)
    }

    /// Whether this is long enough to foretell an end: a job begins with single tasks.
    pub(super) fn is_steady(&self, now: Duration) -> bool {
        self.recent(now).next().is_some_and(|(first, _)| first + RATE_STEADY_S <= now.as_secs())
    }

    fn recent(&self, now: Duration) -> impl Iterator<Item = &(u64, u64)> {
        let oldest = now.as_secs().saturating_sub(RATE_WINDOW_S);
        self.seconds.iter().filter(move |(second, _)| *second >= oldest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_of_the_last_seconds() {
        let mut rate = Rate::default();
        let at = Duration::from_secs;
        assert_eq!(rate.per_second(at(5)), 0.0);
        rate.count(at(100), 50);
        assert_eq!(rate.per_second(at(100)), 50.0, "over a second at least");
        assert!(!rate.is_steady(at(101)) && rate.is_steady(at(102)));
        rate.count(at(101), 50);
        assert_eq!(rate.per_second(at(105)), 20.0);
        assert_eq!(rate.per_second(at(112)), 0.0);
    }
}
