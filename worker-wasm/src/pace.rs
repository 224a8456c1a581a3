//! How hard a slot works: a share of its core's time, kept by pausing between small pieces.

use std::time::Duration;

/// How far the start of a piece may lie before its slot's turn came without losing the time in
/// between: timers are late by as much, and pauses would grow by it.
const SLACK: Duration = Duration::from_millis(50);

/// The most that a piece counts for, in times of computing it.
const COST_FACTOR_MAX: u32 = 4;

/// A share of a core's time, above 0 and at most 1.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Share(f64);

impl Share {
    /// The whole core.
    pub(crate) const WHOLE: Share = Share(1.0);

    /// From percent; what is out of range is brought into it.
    pub(crate) fn from_percent(percent: u32) -> Share {
        Share(f64::from(percent.clamp(1, 100)) / 100.0)
    }

    /// The computing that fits into `time`.
    pub(crate) fn of(self, time: Duration) -> Duration {
        time.mul_f64(self.0)
    }

    /// The time that `computing` is to fill.
    fn stretch(self, computing: Duration) -> Duration {
        computing.div_f64(self.0)
    }
}

/// One slot's computing, measured piece by piece.
///
/// Each piece moves the slot's next turn on by its cost over the share. It costs the time from its
/// beginning until its results are here: carrying many short results costs as much of the machine
/// as computing them, and a machine that is busy with other things is left alone for longer. But no
/// more than [`COST_FACTOR_MAX`] times the computing, since the tab may have been asleep. A piece that began late
/// is counted from its turn, so that late timers do not lower the share; only within [`SLACK`], so
/// that a slot that had nothing to do does not work harder afterwards.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Pace {
    turn: Duration,
}

impl Pace {
    /// A piece that began at `began` and took `computing` is here at `now`. Gives when the next may
    /// begin.
    pub(crate) fn computed(
        &mut self,
        began: Duration,
        computing: Duration,
        now: Duration,
        share: Share,
    ) -> Duration {
        let cost_max = computing.saturating_mul(COST_FACTOR_MAX) + SLACK;
        let cost = now.saturating_sub(began).min(cost_max);
        let counted_from = self.turn.max(began.saturating_sub(SLACK));
        self.turn = counted_from + share.stretch(cost);
        self.turn
    }

    /// The last piece cost more. Gives by how much its slot's turn moves on.
    pub(crate) fn add(&mut self, cost: Duration, share: Share) -> Duration {
        let more = share.stretch(cost);
        self.turn += more;
        more
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    /// The share of `pieces` pieces' time that a slot computes when its timers are late by `late`.
    fn measured(percent: u32, piece: Duration, late: Duration, pieces: u32) -> f64 {
        let (mut pace, share) = (Pace::default(), Share::from_percent(percent));
        let (mut now, mut computing) = (Duration::from_secs(100), Duration::ZERO);
        let began = now;
        for _ in 0..pieces {
            computing += piece;
            now += piece;
            let turn = pace.computed(now - piece, piece, now, share);
            if turn > now {
                now = turn + late;
            }
        }
        computing.as_secs_f64() / (now - began + SLACK).as_secs_f64()
    }

    #[test]
    fn the_share_is_kept_whatever_the_pieces_and_the_timers() {
        for percent in [1, 25, 50, 75, 90, 100] {
            for piece in [MS, 10 * MS, 60 * MS, 3000 * MS] {
                for late in [Duration::ZERO, MS, 16 * MS] {
                    let share = measured(percent, piece, late, 10_000);
                    let asked = f64::from(percent) / 100.0;
                    assert!(
                        share <= asked * 1.000_001,
                        "{percent} %, {piece:?}, {late:?}: {share}"
                    );
                    // Timers that are later than a whole pause are beyond making up.
                    let pause = piece.mul_f64(1.0 / asked - 1.0);
                    let least = if pause > late { 0.98 } else { 0.05 };
                    assert!(share >= asked * least, "{percent} %, {piece:?}, {late:?}: {share}");
                }
            }
        }
    }

    #[test]
    fn who_rested_for_long_does_not_make_up_for_it() {
        let (mut pace, half) = (Pace::default(), Share::from_percent(50));
        pace.computed(1000 * MS, 100 * MS, 1100 * MS, half);
        let turn = pace.computed(60_000 * MS, 100 * MS, 60_100 * MS, half);
        assert!(turn >= 60_000 * MS + 200 * MS - SLACK);
    }

    #[test]
    fn carrying_results_counts_and_sleep_does_not() {
        let half = Share::from_percent(50);
        let turn = Pace::default().computed(1000 * MS, 10 * MS, 1030 * MS, half);
        assert_eq!(turn, 1000 * MS - SLACK + 60 * MS);
        let turn = Pace::default().computed(1000 * MS, 10 * MS, 3_600_000 * MS, half);
        assert_eq!(turn, 1000 * MS - SLACK + 2 * (40 * MS + SLACK));
    }

    #[test]
    fn percents_out_of_range_are_brought_into_it() {
        assert_eq!(Share::from_percent(0), Share::from_percent(1));
        assert_eq!(Share::from_percent(u32::MAX), Share::WHOLE);
    }
}
