//! Taking a [`Sample`]: which outcomes are read for its sake, and when it is enough.

use super::Sample;
use std::ops::Range;
use tequio_protocol::outcome::Outcome;

/// What one index lies in.
pub(super) enum Around {
    /// The interval of one recording.
    Recorded(Range<u64>),
    /// A gap, and where it ends; it has no end where nothing is recorded behind it.
    Gap(Option<u64>),
}

/// A [`Sample`] that is being taken: which index is next, and what may still be read.
pub(super) struct Sampling<'a> {
    indices: &'a [u64],
    tasks_max: u64,
    tasks: u64,
    pub(super) sample: Sample,
}

impl<'a> Sampling<'a> {
    pub(super) fn new(indices: &'a [u64], tasks_max: u64) -> Sampling<'a> {
        Sampling { indices, tasks_max, tasks: 0, sample: Sample::default() }
    }

    /// The index that is to be looked at, if there is one left.
    pub(super) fn next(&self) -> Option<u64> {
        self.indices.get(self.sample.looked_at).copied()
    }

    /// The indices that lie in `recorded`, as the next one does, for [`Sampling::add`] to be given
    /// their outcomes; `None` where it is too much to read.
    pub(super) fn wanted_of(&mut self, recorded: &Range<u64>) -> Option<&'a [u64]> {
        let is_first = self.tasks == 0;
        self.tasks = self.tasks.saturating_add(recorded.end - recorded.start);
        (is_first || self.tasks <= self.tasks_max).then(|| self.below(Some(recorded.end)))
    }

    pub(super) fn add(&mut self, wanted: &[u64], outcomes: impl IntoIterator<Item = Outcome>) {
        self.sample.outcomes.extend(wanted.iter().copied().zip(outcomes));
        self.sample.looked_at += wanted.len();
    }

    /// Goes on behind a gap in which the next index lies.
    pub(super) fn skip(&mut self, gap_end: Option<u64>) {
        self.sample.looked_at += self.below(gap_end).len();
    }

    /// What is left of the indices, below `end`.
    fn below(&self, end: Option<u64>) -> &'a [u64] {
        let rest = &self.indices[self.sample.looked_at..];
        let count = end.map_or(rest.len(), |end| rest.partition_point(|index| *index < end));
        &rest[..count]
    }
}
