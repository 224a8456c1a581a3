//! Sets of task indices, kept as disjoint intervals: their cost follows the intervals, not the
//! indices in them.

use rangemap::RangeSet;
use std::ops::Range;

/// A set of indices.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Intervals {
    set: RangeSet<u64>,
    len: u64,
}

impl Intervals {
    /// How many indices it holds.
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Whether it holds none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Adds a range and says how many of its indices are new.
    pub fn insert(&mut self, range: Range<u64>) -> u64 {
        if range.is_empty() {
            return 0;
        }
        let added = count(&range) - self.count_in(&range);
        self.set.insert(range);
        self.len += added;
        added
    }

    /// Takes a range out and says how many of its indices were there.
    pub fn remove(&mut self, range: Range<u64>) -> u64 {
        if range.is_empty() {
            return 0;
        }
        let removed = self.count_in(&range);
        if removed > 0 {
            self.set.remove(range);
        }
        self.len -= removed;
        removed
    }

    /// The first interval, cut to `count_max` indices.
    pub fn front(&self, count_max: u64) -> Option<Range<u64>> {
        let first = self.set.first()?;
        Some(first.start..first.end.min(first.start.saturating_add(count_max)))
    }

    /// Whether `index` is in it.
    pub fn contains(&self, index: u64) -> bool {
        self.set.contains(&index)
    }

    /// Whether every index of `range` is in it.
    pub fn covers(&self, range: &Range<u64>) -> bool {
        range.is_empty() || self.set.get(&range.start).is_some_and(|found| found.end >= range.end)
    }

    /// The parts of `range` that are not in it, in order.
    pub fn missing_in(&self, range: &Range<u64>) -> Vec<Range<u64>> {
        if range.is_empty() {
            return Vec::new();
        }
        self.set.gaps(range).collect()
    }

    /// Those of its indices that lie in `range`.
    pub fn clone_within(&self, range: &Range<u64>) -> Intervals {
        let within = self.set.overlapping(range);
        within.map(|found| found.start.max(range.start)..found.end.min(range.end)).collect()
    }

    /// Where the interval that begins at 0 ends; 0 if there is none.
    pub fn prefix_end(&self) -> u64 {
        self.set.get(&0).map_or(0, |first| first.end)
    }

    /// The intervals, in order; no two touch.
    pub fn iter(&self) -> impl Iterator<Item = Range<u64>> + '_ {
        self.set.iter().cloned()
    }

    fn count_in(&self, range: &Range<u64>) -> u64 {
        let overlapping = self.set.overlapping(range);
        overlapping.map(|found| found.end.min(range.end) - found.start.max(range.start)).sum()
    }
}

impl FromIterator<Range<u64>> for Intervals {
    fn from_iter<I: IntoIterator<Item = Range<u64>>>(ranges: I) -> Intervals {
        let mut intervals = Intervals::default();
        for range in ranges {
            intervals.insert(range);
        }
        intervals
    }
}

/// How many indices a range holds.
pub(crate) fn count(range: &Range<u64>) -> u64 {
    range.end.saturating_sub(range.start)
}
