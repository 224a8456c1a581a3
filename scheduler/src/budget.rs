//! What audits that take long may cost: a share of the server's time, as a bucket that fills while time
//! passes. One audit may take more than is in it, and what it took too much is missing then. So however long
//! a task lasts, some are audited.

use std::time::Duration;
use tequio_protocol::limits::AUDIT_SAVED_MAX;

/// Seconds of computing that audits may take.
#[derive(Debug)]
pub(super) struct Budget {
    /// Cores that they take at the most, on average.
    cores: f64,
    /// Below 0 where an audit has taken more than there was.
    seconds: f64,
    /// When that was so.
    at: Duration,
}

/// Whose claim it is that an audit is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// Nothing of it was audited yet, or little: it goes first.
    Newcomer,
    /// Enough of it was found right.
    Known,
}

impl Budget {
    /// One of which nothing is spent yet.
    pub(super) fn new(cores: f64) -> Budget {
        Budget { cores, seconds: AUDIT_SAVED_MAX.as_secs_f64(), at: Duration::ZERO }
    }

    /// Whether an audit may begin. Half of what can be saved is for newcomers' claims.
    pub(super) fn allows(&mut self, standing: Standing, now: Duration) -> bool {
        let saved_max = AUDIT_SAVED_MAX.as_secs_f64();
        let passed = now.saturating_sub(self.at).as_secs_f64();
        self.seconds = (self.seconds + passed * self.cores).min(saved_max);
        self.at = self.at.max(now);
        match standing {
            Standing::Newcomer => self.seconds > 0.0,
            Standing::Known => self.seconds > saved_max / 2.0,
        }
    }

    /// An audit is expected to take so long.
    pub(super) fn take(&mut self, seconds: f64) {
        self.seconds -= seconds;
    }

    /// One that was expected to take so long took another time.
    pub(super) fn correct(&mut self, expected: f64, took: Duration) {
        self.seconds += expected - took.as_secs_f64();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tequio_protocol::limits::AUDIT_CORES;

    #[test]
    fn audits_take_their_share_of_the_time_and_no_more_however_long_one_is() {
        for (task_s, cores) in [(0.01, AUDIT_CORES), (1.0, AUDIT_CORES), (100.0, 0.5), (0.1, 3.0)] {
            for standing in [Standing::Newcomer, Standing::Known] {
                let mut budget = Budget::new(cores);
                let (mut spent, mut count) = (0.0, 0);
                for ms in 0..1_000_000 {
                    if budget.allows(standing, Duration::from_millis(ms)) {
                        budget.take(task_s);
                        spent += task_s;
                        count += 1;
                    }
                }
                let most = 1000.0 * cores + AUDIT_SAVED_MAX.as_secs_f64() + task_s;
                assert!(spent <= most && count > 0, "{task_s}: {spent} {count}");
                assert!(spent >= 1000.0 * cores - task_s, "{task_s}: {spent}");
            }
        }
    }

    #[test]
    fn what_is_left_goes_to_newcomers_and_wrong_guesses_are_made_good() {
        let mut budget = Budget::new(AUDIT_CORES);
        budget.take(AUDIT_SAVED_MAX.as_secs_f64() * 0.75);
        assert!(budget.allows(Standing::Newcomer, Duration::ZERO));
        assert!(!budget.allows(Standing::Known, Duration::ZERO));
        budget.correct(AUDIT_SAVED_MAX.as_secs_f64() * 0.75, Duration::ZERO);
        assert!(budget.allows(Standing::Known, Duration::ZERO));
    }
}
