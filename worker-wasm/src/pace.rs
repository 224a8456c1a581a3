//! How hard a slot works: a share of its core's time, kept by pausing between small pieces.

use std::time::Duration;

/// How far the start of a piece may lie before its slot's turn came without losing the time in
/// between: timers are late by as much, and pauses would grow by it.
const SLACK: Duration = Duration::from_millis(50);

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
/// Each piece moves the slot's next turn on by its length over the share. A piece that began late
/// is counted from its turn, so that late timers do not lower the share; only within [`SLACK`], so
/// that a slot that had nothing to do does not work harder afterwards.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Pace {
    turn: Duration,
}

impl Pace {
    /// A piece that began at `began` has taken `computing`. Gives when the next may begin.
    pub(crate) fn computed(
        &mut self,
        began: Duration,
        computing: Duration,
        share: Share,
    ) -> Duration {
        let counted_from = self.turn.max(began.saturating_sub(SLACK));
        self.turn = counted_from + share.stretch(computing);
        self.turn
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
            let turn = pace.computed(now, piece, share);
            computing += piece;
            now += piece;
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
        pace.computed(1000 * MS, 100 * MS, half);
        let turn = pace.computed(60_000 * MS, 100 * MS, half);
        assert!(turn >= 60_000 * MS + 200 * MS - SLACK);
    }

    #[test]
    fn percents_out_of_range_are_brought_into_it() {
        assert_eq!(Share::from_percent(0), Share::from_percent(1));
        assert_eq!(Share::from_percent(u32::MAX), Share::WHOLE);
    }
}
