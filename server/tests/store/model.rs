//! Both stores against a table of one outcome an index.

use crate::helpers::*;
use proptest::prelude::*;
use std::ops::Range;
use tequio::store::{Fresh, MemoryStore, Recording, Run, SqliteStore, Store, StoredJob};
use tequio_protocol::ids::JobId;
use tequio_protocol::outcome::Outcome;

/// Above every index that the property's recordings have.
const MODEL_TASKS: u64 = 400;

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..Default::default() })]

    /// Whatever is recorded in whatever order, and whoever comes late: both stores hold what a
    /// table of one outcome an index would.
    #[test]
    fn any_order_of_recordings_is_what_a_table_would_hold(
        batches in batches(),
        queries in prop::collection::vec((0..MODEL_TASKS, 0..MODEL_TASKS, 0..60u64), 8),
    ) {
        let dir = tempfile::tempdir().unwrap();
        let stores: [Box<dyn Store>; 2] =
            [Box::new(MemoryStore::new()), Box::new(SqliteStore::open(dir.path()).unwrap())];
        for store in stores {
            let job = running(&*store, MODEL_TASKS);
            let mut table = vec![None; MODEL_TASKS as usize];
            for batch in &batches {
                let batch: Vec<_> = batch.iter().map(|range| mixed(job, range.clone())).collect();
                let fresh: Vec<_> =
                    batch.iter().map(|recording| enter(&mut table, recording)).collect();
                prop_assert_eq!(store.record(&batch).unwrap(), fresh);
            }
            check_recorded(&only_job(&*store), &table)?;
            for (start, end, tasks_max) in &queries {
                let range = *start.min(end)..*start.max(end);
                check_outcomes(&*store, job, range.clone(), *tasks_max, &table)?;
                check_sample(&*store, job, range, *tasks_max, &table)?;
            }
        }
    }
}

/// Disjoint intervals in any order and any batches, with some that overlap anything among them.
fn batches() -> impl Strategy<Value = Vec<Vec<Range<u64>>>> {
    let disjoint = prop::collection::vec((0..4u64, 1..20u64), 1..20).prop_map(|steps| {
        let mut end = 0;
        let next = |(gap, count)| {
            let first = end + gap;
            end = first + count;
            first..end
        };
        steps.into_iter().map(next).filter(|range| range.end <= MODEL_TASKS).collect::<Vec<_>>()
    });
    let late = (0..MODEL_TASKS - 30, 1..30u64).prop_map(|(first, count)| first..first + count);
    let late = prop::collection::vec(late, 0..4);
    let cuts = prop::collection::vec(1..4usize, 24);
    (disjoint.prop_shuffle(), late, cuts).prop_map(|(disjoint, late, cuts)| {
        let (before, after) = disjoint.split_at(disjoint.len() / 2);
        let mut rest = [before, &late, after].concat();
        let batch = |size: usize| rest.drain(..size.min(rest.len())).collect::<Vec<_>>();
        cuts.into_iter().map(batch).collect()
    })
}

/// Enters in `table` what is free of a recording, and says what that was.
fn enter(table: &mut [Option<Outcome>], recording: &Recording) -> Fresh {
    let mut new: Vec<Range<u64>> = Vec::new();
    for (index, outcome) in (recording.first..).zip(recording.outcomes.iter()) {
        let entry = &mut table[index as usize];
        if entry.is_some() {
            continue;
        }
        *entry = Some(outcome.to_owned());
        match new.last_mut() {
            Some(last) if last.end == index => last.end += 1,
            _ => new.push(index..index + 1),
        }
    }
    let all = recording.first..recording.first + recording.outcomes.len();
    if new == [all] { Fresh::All } else { Fresh::Only(new) }
}

fn check_recorded(job: &StoredJob, table: &[Option<Outcome>]) -> Result<(), TestCaseError> {
    let in_recorded = |index: u64| job.recorded.iter().any(|range| range.contains(&index));
    for (index, entry) in table.iter().enumerate() {
        prop_assert_eq!(in_recorded(index as u64), entry.is_some(), "index {}", index);
    }
    for (one, next) in job.recorded.iter().zip(job.recorded.iter().skip(1)) {
        prop_assert!(one.end < next.start, "{:?} is not joined or not in order", job.recorded);
    }
    let failed = table.iter().flatten().filter(|outcome| outcome.is_error()).count() as u64;
    let done = table.iter().flatten().count() as u64 - failed;
    prop_assert_eq!((job.done, job.failed), (done, failed));
    Ok(())
}

fn check_outcomes(
    store: &dyn Store,
    job: JobId,
    range: Range<u64>,
    tasks_max: u64,
    table: &[Option<Outcome>],
) -> Result<(), TestCaseError> {
    let all = store.outcomes(job, range.clone(), u64::MAX).unwrap();
    let mut expected = range
        .clone()
        .filter_map(|index| table[index as usize].clone().map(|outcome| (index, outcome)));
    for run in &all {
        for entry in (run.first..).zip(run.outcomes.iter()) {
            let (index, outcome) = entry;
            prop_assert_eq!(Some((index, outcome.to_owned())), expected.next());
        }
    }
    prop_assert_eq!(expected.next(), None);
    let some = store.outcomes(job, range, tasks_max).unwrap();
    prop_assert_eq!(&some[..], &all[..some.len()]);
    let tasks = |runs: &[Run]| runs.iter().map(|run| run.outcomes.len()).sum::<u64>();
    prop_assert!(some.len() <= 1 || tasks(&some) <= tasks_max);
    if some.len() < all.len() {
        prop_assert!(tasks(&all[..=some.len()]) > tasks_max && !some.is_empty());
    }
    Ok(())
}

/// Every third index of `range`.
fn check_sample(
    store: &dyn Store,
    job: JobId,
    range: Range<u64>,
    tasks_max: u64,
    table: &[Option<Outcome>],
) -> Result<(), TestCaseError> {
    let indices: Vec<u64> = range.step_by(3).collect();
    let entry = |index: &u64| Some((*index, table[*index as usize].clone()?));
    let all = store.sample(job, &indices, u64::MAX).unwrap();
    prop_assert_eq!(all.looked_at, indices.len());
    prop_assert_eq!(all.outcomes, indices.iter().filter_map(entry).collect::<Vec<_>>());
    let some = store.sample(job, &indices, tasks_max).unwrap();
    let looked_at = &indices[..some.looked_at];
    prop_assert_eq!(some.outcomes, looked_at.iter().filter_map(entry).collect::<Vec<_>>());
    prop_assert!(some.looked_at > 0 || indices.is_empty());
    Ok(())
}
