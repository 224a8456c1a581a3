//! Blocks of a kernel that take far longer than others: a person may choose smaller ones.

use std::ops::Range;
use tequio_protocol::api::SlowBlock;
use tequio_protocol::limits::{KERNEL_BLOCK_AIM, SLOW_BLOCK_FACTOR};

/// Answers that the usual time follows from.
const KEPT: usize = 15;

/// How long blocks of a job take.
#[derive(Debug, Default)]
pub(super) struct Slowness {
    /// Seconds a block of the answers that came last; the next one takes the place of the oldest.
    last: [f32; KEPT],
    answers: usize,
    /// The longest that a block took: the tasks that were answered with it, and seconds.
    longest: Option<(Range<u64>, f64)>,
}

impl Slowness {
    /// So many blocks, with these tasks, took so many seconds.
    pub(super) fn note(&mut self, tasks: &Range<u64>, blocks: u64, seconds: f64) {
        self.last[self.answers % KEPT] = (seconds / blocks as f64) as f32;
        self.answers += 1;
        // At most one of several was slow.
        let others = (blocks - 1) as f64 * self.usual_s().unwrap_or(0.0);
        let own = (seconds - others).max(seconds / blocks as f64);
        if self.longest.as_ref().is_none_or(|(_, longest)| own > *longest) {
            self.longest = Some((tasks.clone(), own));
        }
    }

    /// The block that took longest, if that was far longer than it should be.
    pub(super) fn slowest(&self) -> Option<SlowBlock> {
        let (tasks, seconds) = self.longest.as_ref()?;
        let should = self.usual_s()?.max(KERNEL_BLOCK_AIM.as_secs_f64());
        let (times, first) = (seconds / should, tasks.start);
        let tasks = tasks.end - tasks.start;
        (times > SLOW_BLOCK_FACTOR).then_some(SlowBlock { first, tasks, seconds: *seconds, times })
    }

    /// How long most blocks take: the median of what came last.
    fn usual_s(&self) -> Option<f64> {
        let mut last = self.last;
        let known = &mut last[..self.answers.min(KEPT)];
        known.sort_unstable_by(f32::total_cmp);
        known.get(known.len() / 2).map(|median| f64::from(*median))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_that_takes_far_longer_than_others_is_noted_whenever_it_comes() {
        for place in [0, 7, 19] {
            let mut slowness = Slowness::default();
            for block in 0..20u64 {
                let seconds = if block == place { 12.0 } else { 0.03 };
                slowness.note(&(block * 64..(block + 1) * 64), 1, seconds);
            }
            let slow = slowness.slowest().unwrap();
            assert_eq!((slow.first, slow.tasks, slow.seconds), (place * 64, 64, 12.0));
            assert_eq!(slow.times.round(), 400.0);
        }
    }

    #[test]
    fn one_of_several_is_found_by_what_the_others_take() {
        let mut slowness = Slowness::default();
        for block in 0..10 {
            slowness.note(&(block..block + 1), 1, 0.02);
        }
        slowness.note(&(10..20), 10, 2.18);
        let slow = slowness.slowest().unwrap();
        assert_eq!((slow.first, slow.tasks), (10, 10));
        assert!((slow.seconds - 2.0).abs() < 1e-6, "{slow:?}");
    }

    #[test]
    fn what_all_take_and_what_is_short_is_not_noted() {
        let mut slowness = Slowness::default();
        for block in 0..20 {
            slowness.note(&(block..block + 1), 1, 3.0 + f64::from(block as u32));
        }
        assert_eq!(slowness.slowest(), None);
        let mut slowness = Slowness::default();
        for block in 0..20u64 {
            // Many times the median, but no longer than a block is to be.
            slowness.note(&(block..block + 1), 1, if block == 3 { 0.2 } else { 0.0001 });
        }
        assert_eq!(slowness.slowest(), None);
    }
}
