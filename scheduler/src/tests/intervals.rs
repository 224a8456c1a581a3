//! Sets of intervals against sets of indices.

use super::*;
use proptest::prelude::*;
use std::collections::BTreeSet;

/// Above every index that the property's ranges have.
const MODEL_TASKS: u64 = 64;

/// Ranges, also empty ones and such that run backwards.
fn range() -> impl Strategy<Value = Range<u64>> {
    (0..MODEL_TASKS, 0..MODEL_TASKS).prop_map(|(start, end)| Range { start, end })
}

fn joined(set: &BTreeSet<u64>) -> Vec<Range<u64>> {
    let mut ranges: Vec<Range<u64>> = Vec::new();
    for &index in set {
        match ranges.last_mut().filter(|last| last.end == index) {
            Some(last) => last.end += 1,
            None => ranges.push(index..index + 1),
        }
    }
    ranges
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..Default::default() })]

    #[test]
    fn intervals_are_what_a_set_of_indices_would_be(
        steps in prop::collection::vec((any::<bool>(), range()), 1..20),
        queries in prop::collection::vec(range(), 8),
        count_max in 1..MODEL_TASKS,
    ) {
        let (mut intervals, mut set) = (Intervals::default(), BTreeSet::new());
        for (is_insert, range) in steps {
            let changed = if is_insert {
                let added = range.clone().filter(|index| set.insert(*index)).count();
                (intervals.insert(range), added)
            } else {
                let removed = range.clone().filter(|index| set.remove(index)).count();
                (intervals.remove(range), removed)
            };
            prop_assert_eq!(changed.0, changed.1 as u64);
            prop_assert_eq!(intervals.len(), set.len() as u64);
        }
        let all = joined(&set);
        prop_assert_eq!(intervals.is_empty(), set.is_empty());
        prop_assert_eq!(intervals.iter().collect::<Vec<_>>(), all.clone());
        prop_assert_eq!(&all.iter().cloned().collect::<Intervals>(), &intervals);
        let front = all.first().map(|first| first.start..first.end.min(first.start + count_max));
        prop_assert_eq!(intervals.front(count_max), front);
        prop_assert_eq!(intervals.front(u64::MAX), all.first().cloned());
        let prefix = (0..).take_while(|index| set.contains(index)).count() as u64;
        prop_assert_eq!(intervals.prefix_end(), prefix);
        for index in 0..MODEL_TASKS {
            prop_assert_eq!(intervals.contains(index), set.contains(&index));
        }
        for query in queries {
            let covers = query.clone().all(|index| set.contains(&index));
            prop_assert_eq!(intervals.covers(&query), covers, "{:?}", query);
            let missing = query.clone().filter(|index| !set.contains(index)).collect();
            prop_assert_eq!(intervals.missing_in(&query), joined(&missing), "{:?}", query);
            let within = query.clone().filter(|index| set.contains(index)).collect();
            let found = intervals.clone_within(&query);
            prop_assert_eq!(found.iter().collect::<Vec<_>>(), joined(&within), "{:?}", query);
        }
    }
}
