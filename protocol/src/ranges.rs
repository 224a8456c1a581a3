//! Ranges of tasks.

use std::ops::Range;

/// The parts of `tasks` that are in none of the intervals `taken`, which reach into it, in order, and do
/// not overlap.
pub fn gaps(tasks: &Range<u64>, taken: impl IntoIterator<Item = Range<u64>>) -> Vec<Range<u64>> {
    let mut gaps = Vec::new();
    let mut start = tasks.start;
    for taken in taken {
        if start < taken.start {
            gaps.push(start..taken.start);
        }
        start = start.max(taken.end);
    }
    if start < tasks.end {
        gaps.push(start..tasks.end);
    }
    gaps
}

/// Adds `next`, which lies behind all of `recorded`, joined to the last of them if it touches it.
pub fn push_joined(recorded: &mut Vec<Range<u64>>, next: Range<u64>) {
    match recorded.last_mut() {
        Some(last) if last.end == next.start => last.end = next.end,
        _ => recorded.push(next),
    }
}
