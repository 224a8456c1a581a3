//! One suite for every store, and what a store in a file promises beyond it.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers as well")]
#![allow(clippy::single_range_in_vec_init, reason = "one interval is meant, not its indices")]

use proptest::prelude::*;
use std::fs;
use std::ops::Range;
use std::path::Path;
use std::thread;
use tequio::store::{
    Condition, Fresh, MemoryStore, NewJob, Options, PAGE_BYTES, Recording, Run, Sample,
    SqliteStore, Store, StoreError, StoredJob, Tally,
};
use tequio_protocol::api::JobState;
use tequio_protocol::grid::{Axis, Grid};
use tequio_protocol::ids::{JobId, WorkerId};
use tequio_protocol::limits::{INTEGER_MAX, JOB_TASKS_MAX, REMOVED_ROWS_MAX};
use tequio_protocol::number::Number;
use tequio_protocol::op::{Op, RepeatMultiply};
use tequio_protocol::outcome::Outcome;
use tequio_protocol::reader::LineRun;

/// Runs every function of the suite on a new store of each kind.
macro_rules! conformance {
    ($($name:ident)*) => {
        mod memory {
            $(#[test]
            fn $name() {
                super::$name(&super::MemoryStore::new());
            })*
        }

        mod sqlite {
            $(#[test]
            fn $name() {
                let dir = tempfile::tempdir().unwrap();
                super::$name(&super::SqliteStore::open(dir.path()).unwrap());
            })*
        }
    };
}

conformance! {
    a_new_store_has_no_jobs_and_every_load_raises_the_epoch
    jobs_are_kept_as_entered_oldest_first
    a_job_that_is_submitted_at_once_is_as_one_in_two_steps
    a_load_discards_drafts_and_ids_are_never_given_again
    a_discarded_draft_is_gone_and_only_drafts_are_discarded
    a_removed_job_is_gone_at_once_and_only_jobs_that_are_over_are_removed
    what_is_being_removed_takes_no_inputs_and_a_draft_is_not_removed
    states_are_kept_and_set_by_publishing_only_once
    what_is_not_there_is_missing
    drafts_are_missing_to_all_that_is_for_jobs
    inputs_come_back_across_blocks
    inputs_are_appended_right_behind_the_last
    inputs_keep_the_numbers_of_their_lines
    many_jumps_of_lines_are_found_wherever_one_looks
    open_jobs_grow_until_they_are_closed_or_over
    a_job_that_is_set_aside_takes_no_inputs_and_may_be_removed
    when_a_job_was_appended_to_is_kept
    every_kind_of_outcome_comes_back_to_the_bit
    the_first_outcome_stands_and_the_rest_is_recorded
    a_batch_is_all_or_none
    outcomes_and_states_are_written_together_or_not_at_all
    of_a_batch_that_overlaps_itself_the_first_stands
    outcomes_touching_at_their_edges_do_not_overlap
    outcomes_are_clipped_to_the_range
    outcomes_stop_before_too_many_but_give_the_first_run_whole
    jobs_do_not_share_indices
    single_outcomes_are_found_and_gaps_are_known
    a_sample_stops_before_too_much_and_goes_on_where_it_was
    recorded_intervals_are_joined_and_counted
    indices_reach_to_the_largest_and_not_beyond
    readers_see_whole_batches
}

// ---- The suite --------------------------------------------------------------------------------

fn a_new_store_has_no_jobs_and_every_load_raises_the_epoch(store: &dyn Store) {
    for epoch in 0..3 {
        let loaded = store.load().unwrap();
        assert_eq!((loaded.epoch, loaded.jobs), (epoch, vec![]));
    }
}

fn jobs_are_kept_as_entered_oldest_first(store: &dyn Store) {
    let axis = |text: &str| text.parse::<Axis>().unwrap();
    let grid = Grid::new(axis("0.1,-0,1e300"), axis("0..=1:0.25"), axis("7")).unwrap();
    let rich = NewJob {
        name: "¿qué? \u{0} 'x\"; DROP TABLE job".to_owned(),
        op: Op::RepeatMultiply,
        priority: i32::MIN,
        grid: Some(grid.clone()),
        submitted_at_ms: 1_763_700_000_123,
    };
    let first = store.create_job(&rich).unwrap();
    store.publish(first).unwrap();
    let second = running(store, 5);
    let expected = StoredJob {
        id: first,
        job: rich,
        total: 15,
        is_open: false,
        appended_at_ms: 1_763_700_000_123,
        state: JobState::Running,
        done: 0,
        failed: 0,
        recorded: vec![],
        trouble: None,
    };
    let jobs = store.load().unwrap().jobs;
    assert_eq!(jobs[0], expected);
    assert_eq!(jobs.iter().map(|job| job.id).collect::<Vec<_>>(), [first, second]);
}

fn a_job_that_is_submitted_at_once_is_as_one_in_two_steps(store: &dyn Store) {
    let in_two = running(store, 5);
    let at_once = store.submit(&grid_job(5)).unwrap();
    let jobs = store.load().unwrap().jobs;
    assert_eq!((jobs[0].id, jobs[1].id), (in_two, at_once));
    assert_eq!(jobs[1], StoredJob { id: at_once, ..jobs[0].clone() });
    assert_wrong_state(at_once, Condition::In(JobState::Running), store.publish(at_once));
    assert_wrong_state(at_once, Condition::In(JobState::Running), store.discard(at_once));
    store.record(&[numbers(at_once, 0..5)]).unwrap();
}

fn a_load_discards_drafts_and_ids_are_never_given_again(store: &dyn Store) {
    let kept = running(store, 5);
    let draft = store.create_job(&inputs_job()).unwrap();
    store.append_inputs(draft, 0, &inputs(0..3)).unwrap();
    let jobs = store.load().unwrap().jobs;
    assert_eq!(jobs.iter().map(|job| job.id).collect::<Vec<_>>(), [kept]);
    assert_missing(draft, store.inputs(draft, 0..1));
    assert_missing(draft, store.publish(draft));
    let next = store.create_job(&inputs_job()).unwrap();
    assert!(next > draft, "{next} after {draft}");
    assert_out_of_range(next, 0..1, store.inputs(next, 0..1));
}

fn a_discarded_draft_is_gone_and_only_drafts_are_discarded(store: &dyn Store) {
    let draft = store.create_job(&inputs_job()).unwrap();
    store.append_inputs(draft, 0, &inputs(0..3)).unwrap();
    store.discard(draft).unwrap();
    assert_missing(draft, store.discard(draft));
    assert_missing(draft, store.inputs(draft, 0..1));
    let next = store.create_job(&inputs_job()).unwrap();
    assert!(next > draft, "{next} after {draft}");
    store.publish_open(next).unwrap();
    assert_wrong_state(next, Condition::In(JobState::Running), store.discard(next));
}

fn a_removed_job_is_gone_at_once_and_only_jobs_that_are_over_are_removed(store: &dyn Store) {
    let kept = running(store, 5);
    let rows = 3 * REMOVED_ROWS_MAX;
    let job = running(store, rows);
    for index in 0..rows {
        store.record(&[numbers(job, index..index + 1)]).unwrap();
    }
    assert_wrong_state(job, Condition::In(JobState::Running), store.remove(job));
    assert_eq!(store.outcomes(job, 0..rows, rows).unwrap().len() as u64, rows, "it is not over");
    store.set_state(job, JobState::Done).unwrap();
    let mut is_left = store.remove(job).unwrap();
    assert_missing(job, store.outcomes(job, 0..1, 1));
    assert_missing(job, store.set_state(job, JobState::Running));
    assert_missing(job, store.record(&[numbers(job, rows..rows + 1)]));
    assert_missing(job, store.publish_open(job));
    assert_missing(job, store.close(job));
    assert_missing(job, store.discard(job));
    while is_left {
        is_left = store.remove(job).unwrap();
    }
    assert_missing(job, store.remove(job));
    assert_eq!(only_job(store).id, kept);
    // A server that ends in the middle leaves the rest to the next.
    store.set_state(kept, JobState::Cancelled).unwrap();
    store.record(&[numbers(kept, 0..5)]).unwrap();
    store.remove(kept).unwrap();
    assert_eq!(store.load().unwrap().jobs, []);
    assert_missing(kept, store.remove(kept));
    assert!(running(store, 5) > job, "its id is never given again");
}

fn what_is_being_removed_takes_no_inputs_and_a_draft_is_not_removed(store: &dyn Store) {
    let job = store.create_job(&inputs_job()).unwrap();
    store.append_inputs(job, 0, &inputs(0..3)).unwrap();
    assert_missing(job, store.remove(job));
    assert_eq!(store.inputs(job, 0..3).unwrap(), inputs(0..3));
    store.publish_open(job).unwrap();
    store.set_state(job, JobState::Cancelled).unwrap();
    store.remove(job).unwrap();
    assert_missing(job, store.append_inputs(job, 3, &inputs(3..4)));
    assert_missing(job, store.publish(job));
    assert_missing(job, store.close(job));
    assert_missing(job, store.inputs(job, 0..1));
    assert_eq!(store.load().unwrap().jobs, []);
}

fn states_are_kept_and_set_by_publishing_only_once(store: &dyn Store) {
    let job = store.create_job(&inputs_job()).unwrap();
    store.publish_open(job).unwrap();
    assert_eq!(only_job(store).state, JobState::Running);
    for state in [JobState::Paused, JobState::Done, JobState::Cancelled, JobState::Paused] {
        store.set_state(job, state).unwrap();
        assert_eq!(only_job(store).state, state);
    }
    assert_wrong_state(job, Condition::In(JobState::Paused), store.publish(job));
    assert_wrong_state(job, Condition::In(JobState::Paused), store.publish_open(job));
    store.close(job).unwrap();
    assert_eq!(only_job(store).state, JobState::Paused, "it keeps its state");
    assert!(!only_job(store).is_open);
}

fn what_is_not_there_is_missing(store: &dyn Store) {
    running(store, 5);
    for job in [JobId(99), JobId(0), JobId(INTEGER_MAX), JobId(u64::MAX)] {
        assert_missing(job, store.append_inputs(job, 0, &inputs(0..1)));
        assert_missing(job, store.publish(job));
        assert_missing(job, store.publish_open(job));
        assert_missing(job, store.close(job));
        assert_missing(job, store.remove(job));
        assert_missing(job, store.lines(job, 0..1));
        assert_missing(job, store.discard(job));
        assert_missing(job, store.set_state(job, JobState::Paused));
        assert_missing(job, store.record(&[numbers(job, 0..1)]));
        assert_missing(job, store.outcomes(job, 0..1, 1));
        assert_missing(job, store.sample(job, &[0], 1));
        assert_missing(job, store.tally(job));
        assert_missing(job, store.inputs(job, 0..1));
    }
}

fn drafts_are_missing_to_all_that_is_for_jobs(store: &dyn Store) {
    let draft = store.create_job(&inputs_job()).unwrap();
    assert_missing(draft, store.close(draft));
    assert_missing(draft, store.set_state(draft, JobState::Running));
    assert_missing(draft, store.record(&[numbers(draft, 0..1)]));
    assert_missing(draft, store.outcomes(draft, 0..1, 1));
    assert_missing(draft, store.sample(draft, &[], 1));
    assert_missing(draft, store.tally(draft));
}

fn inputs_come_back_across_blocks(store: &dyn Store) {
    let job = store.create_job(&inputs_job()).unwrap();
    for part in [0..3, 3..2500, 2500..2501, 2501..4000] {
        store.append_inputs(job, part.start, &inputs(part.clone())).unwrap();
    }
    assert_eq!(store.inputs(job, 0..4000).unwrap(), inputs(0..4000), "of a draft too");
    store.publish(job).unwrap();
    let edges = [0, 1, 2, 3, 4, 1026, 1027, 1028, 2051, 2499, 2500, 2501, 3524, 3525, 3999, 4000];
    for start in edges {
        for end in edges.into_iter().filter(|end| *end >= start) {
            assert_eq!(
                store.inputs(job, start..end).unwrap(),
                inputs(start..end),
                "{start}..{end}"
            );
        }
    }
    for beyond in [0..4001, 4000..4001, 5000..5001, 0..u64::MAX] {
        assert_out_of_range(job, beyond.clone(), store.inputs(job, beyond));
    }
    assert!(store.has_inputs(job, 1000, &inputs(1000..3000)).unwrap());
    assert!(!store.has_inputs(job, 1000, &inputs(1001..3001)).unwrap());
    assert!(store.has_inputs(job, 4000, &[]).unwrap());
    assert_out_of_range(job, 3999..4001, store.has_inputs(job, 3999, &inputs(3999..4001)));
    let negative = [RepeatMultiply::new(-0.0, 5e-324, INTEGER_MAX).unwrap()];
    let odd = store.create_job(&inputs_job()).unwrap();
    store.append_inputs(odd, 0, &negative).unwrap();
    let back = store.inputs(odd, 0..1).unwrap();
    assert_eq!(back, negative);
    assert!(back[0].initial().is_sign_negative());
}

fn inputs_are_appended_right_behind_the_last(store: &dyn Store) {
    let job = store.create_job(&inputs_job()).unwrap();
    assert_out_of_range(job, 0..1, store.append_inputs(job, 1, &inputs(1..2)));
    store.append_inputs(job, 0, &[]).unwrap();
    store.append_inputs(job, 0, &inputs(0..10)).unwrap();
    for first in [0, 5, 9] {
        let error = store.append_inputs(job, first, &inputs(first..first + 7)).unwrap_err();
        assert_taken(&error, job, first..first + 7);
    }
    assert_out_of_range(job, 10..11, store.append_inputs(job, 11, &inputs(11..12)));
    store.append_inputs(job, 10, &inputs(10..12)).unwrap();
    assert_eq!(store.inputs(job, 0..12).unwrap(), inputs(0..12));
    let grid = running(store, 5);
    assert_out_of_range(grid, 0..1, store.inputs(grid, 0..1));
    let draft = store.create_job(&grid_job(5)).unwrap();
    assert_wrong_state(draft, Condition::OfGrid, store.append_inputs(draft, 0, &inputs(0..1)));
}

fn inputs_keep_the_numbers_of_their_lines(store: &dyn Store) {
    let job = store.create_job(&inputs_job()).unwrap();
    assert_eq!(store.lines(job, 0..0).unwrap(), Some(vec![]));
    // The second run only says what is so anyway.
    let first = [line_run(0, 2), line_run(3, 5), line_run(4, 9)];
    store.append_lines(job, 0, &inputs(0..5), &first).unwrap();
    store.append_lines(job, 5, &inputs(5..8), &[line_run(5, 10)]).unwrap();
    store.publish_open(job).unwrap();
    store.append_inputs(job, 8, &inputs(8..10)).unwrap();
    store.append_lines(job, 10, &inputs(10..12), &[line_run(10, 99)]).unwrap();
    let (start, middle, end) = (line_run(0, 2), line_run(4, 9), line_run(10, 99));
    for (range, runs) in [
        (0..12, vec![start, middle, end]),
        (0..1, vec![start]),
        (3..4, vec![start]),
        (3..5, vec![start, middle]),
        (4..5, vec![middle]),
        (9..10, vec![middle]),
        (11..12, vec![end]),
        (40..50, vec![end]),
    ] {
        assert_eq!(store.lines(job, range.clone()).unwrap(), Some(runs), "{range:?}");
    }
    // What is refused leaves no line.
    store.append_lines(job, 3, &inputs(3..4), &[line_run(3, 77)]).unwrap_err();
    assert_eq!(store.lines(job, 3..4).unwrap(), Some(vec![start]));
    let unknown = store.create_job(&inputs_job()).unwrap();
    store.append_inputs(unknown, 0, &inputs(0..5)).unwrap();
    assert_eq!(store.lines(unknown, 0..5).unwrap(), Some(vec![]));
    let grid = running(store, 5);
    assert_eq!(store.lines(grid, 0..5).unwrap(), None, "a grid has no lines");
    store.set_state(job, JobState::Cancelled).unwrap();
    while store.remove(job).unwrap() {}
    assert_missing(job, store.lines(job, 0..1));
    assert_missing(JobId(99), store.lines(JobId(99), 0..1));
}

fn many_jumps_of_lines_are_found_wherever_one_looks(store: &dyn Store) {
    let job = store.create_job(&inputs_job()).unwrap();
    let runs: Vec<LineRun> = (0..5000).map(|index| line_run(index, index * 2 + 1)).collect();
    for part in runs.chunks(1700) {
        let first = part[0].first;
        store.append_lines(job, first, &inputs(first..first + part.len() as u64), part).unwrap();
    }
    for range in [0..5000, 0..1, 1023..1025, 1699..1701, 2048..4097, 4999..5000] {
        let expected = runs[range.start as usize..range.end as usize].to_vec();
        assert_eq!(store.lines(job, range).unwrap(), Some(expected));
    }
    store.discard(job).unwrap();
    assert_missing(job, store.lines(job, 0..1));
}

fn open_jobs_grow_until_they_are_closed_or_over(store: &dyn Store) {
    let job = store.create_job(&inputs_job()).unwrap();
    store.append_inputs(job, 0, &inputs(0..10)).unwrap();
    store.publish_open(job).unwrap();
    store.record(&[numbers(job, 0..10)]).unwrap();
    store.append_inputs(job, 10, &inputs(10..15)).unwrap();
    let grown = only_job(store);
    assert_eq!((grown.total, grown.is_open), (15, true));
    store.set_state(job, JobState::Cancelled).unwrap();
    let closed = Condition::Closed(JobState::Cancelled);
    assert_wrong_state(job, closed, store.append_inputs(job, 15, &inputs(15..16)));
    assert_wrong_state(job, closed, store.close(job));
    store.set_state(job, JobState::Running).unwrap();
    store.close(job).unwrap();
    let after = only_job(store);
    assert_eq!((after.total, after.is_open, after.done), (15, false, 10));
    let closed = Condition::Closed(JobState::Running);
    assert_wrong_state(job, closed, store.append_inputs(job, 15, &inputs(15..16)));
    assert_wrong_state(job, closed, store.close(job));
    assert_eq!(store.inputs(job, 8..12).unwrap(), inputs(8..12));
}

fn a_job_that_is_set_aside_takes_no_inputs_and_may_be_removed(store: &dyn Store) {
    let job = store.create_job(&inputs_job()).unwrap();
    store.publish_open(job).unwrap();
    store.set_aside(job);
    let aside = Condition::SetAside;
    assert_wrong_state(job, aside, store.append_inputs(job, 0, &inputs(0..1)));
    assert_wrong_state(job, aside, store.publish(job));
    assert_wrong_state(job, aside, store.close(job));
    while store.remove(job).unwrap() {}
    assert_missing(job, store.remove(job));
}

fn when_a_job_was_appended_to_is_kept(store: &dyn Store) {
    let job = store.create_job(&inputs_job()).unwrap();
    assert_missing(job, store.note_appended(job, 7));
    store.publish_open(job).unwrap();
    let submitted = inputs_job().submitted_at_ms;
    assert_eq!(only_job(store).appended_at_ms, submitted);
    for at_ms in [submitted + 1, submitted + 5_000_000] {
        store.note_appended(job, at_ms).unwrap();
        assert_eq!(only_job(store).appended_at_ms, at_ms);
    }
    let other = store.create_job(&inputs_job()).unwrap();
    store.publish_open(other).unwrap();
    let jobs = store.load().unwrap().jobs;
    assert_eq!(jobs[1].appended_at_ms, submitted, "each has its own");
    store.set_state(job, JobState::Cancelled).unwrap();
    while store.remove(job).unwrap() {}
    assert_missing(job, store.note_appended(job, 9));
}

fn every_kind_of_outcome_comes_back_to_the_bit(store: &dyn Store) {
    let job = running(store, 1000);
    let values = [
        1.5372656826974733,
        0.1 + 0.2,
        0.0,
        -0.0,
        3.0,
        -9007199254740993.0,
        5e-324,
        f64::MIN_POSITIVE,
        f64::MAX,
        1e21,
        f64::INFINITY,
        f64::NEG_INFINITY,
        f64::NAN,
    ];
    let mut outcomes: Vec<_> =
        values.into_iter().map(|value| Outcome::Result(Number(value))).collect();
    for text in ["", "NaN", "unreachable \"x\"\n\u{0} ñ 🦀"] {
        outcomes.push(Outcome::Error { error: text.to_owned() });
    }
    let count = outcomes.len() as u64;
    store.record(&[recording(job, 7, outcomes.clone())]).unwrap();
    // Equality of numbers is that of their bits.
    let expected = [Run { first: 7, outcomes }];
    assert_eq!(store.outcomes(job, 0..1000, 1000).unwrap(), expected);
    let loaded = only_job(store);
    assert_eq!((loaded.done, loaded.failed), (count - 3, 3));
}

fn the_first_outcome_stands_and_the_rest_is_recorded(store: &dyn Store) {
    for (late, new) in [
        (100..200, vec![]),
        (100..101, vec![]),
        (120..130, vec![]),
        (199..200, vec![]),
        (300..310, vec![]),
        (50..101, vec![50..100]),
        (99..200, vec![99..100]),
        (199..300, vec![200..300]),
        (100..201, vec![200..201]),
        (150..305, vec![200..300]),
        (200..350, vec![200..300, 310..350]),
        (50..350, vec![50..100, 200..300, 310..350]),
    ] {
        let job = running(store, 1000);
        store.record(&[numbers(job, 100..200), numbers(job, 300..310)]).unwrap();
        let batch = [numbers(job, 0..10), errors(job, late.clone()), numbers(job, 400..410)];
        let fresh = store.record(&batch).unwrap();
        assert_eq!(fresh, [Fresh::All, Fresh::Only(new.clone()), Fresh::All], "{late:?}");
        for stands in [0..10, 100..200, 300..310, 400..410] {
            assert_eq!(store.outcomes(job, stands.clone(), 1000).unwrap(), [run(stands)]);
        }
        for new in &new {
            let expected = [run_of(errors(job, new.clone()))];
            assert_eq!(store.outcomes(job, new.clone(), 1000).unwrap(), expected, "{late:?}");
        }
        let failed = new.iter().map(|new| new.end - new.start).sum();
        let tally = store.tally(job).unwrap();
        assert_eq!((tally.done, tally.failed), (130, failed), "what is new counts: {late:?}");
        let loaded = store.load().unwrap().jobs.pop().unwrap();
        assert_eq!((loaded.done, loaded.failed, loaded.recorded), (130, failed, tally.recorded));
        // Once more: by now there is nothing new in it.
        let again = store.record(&batch[1..2]).unwrap();
        assert_eq!(again, [Fresh::Only(vec![])]);
    }
}

fn a_batch_is_all_or_none(store: &dyn Store) {
    let job = running(store, 1000);
    store.record(&[numbers(job, 100..200)]).unwrap();
    let before = store.outcomes(job, 0..1000, 1000).unwrap();
    let beyond = recording(job, JOB_TASKS_MAX, vec![Outcome::Result(Number(1.0))]);
    let unknown = JobId(99);
    for overlap in [0..10, 150..250] {
        let batch = [numbers(job, overlap.clone()), numbers(unknown, 0..1)];
        assert_missing(unknown, store.record(&batch));
        let result = store.record(&[numbers(job, overlap), beyond.clone()]);
        assert_out_of_range(job, JOB_TASKS_MAX..JOB_TASKS_MAX + 1, result);
        assert_eq!(store.outcomes(job, 0..1000, 1000).unwrap(), before);
    }
    let loaded = only_job(store);
    assert_eq!((loaded.recorded, loaded.done, loaded.failed), (vec![100..200], 100, 0));
    let fresh = store.record(&[numbers(job, 0..10), numbers(job, 400..410)]).unwrap();
    assert_eq!(fresh, [Fresh::All, Fresh::All]);
}

fn outcomes_and_states_are_written_together_or_not_at_all(store: &dyn Store) {
    let (one, other) = (running(store, 10), running(store, 10));
    let states = |store: &dyn Store| -> Vec<JobState> {
        store.load().unwrap().jobs.iter().map(|job| job.state).collect()
    };
    let done = [(one, JobState::Done), (JobId(99), JobState::Done)].into();
    let unknown = [numbers(one, 0..10), numbers(JobId(99), 9..10)];
    assert_missing(JobId(99), store.commit(&unknown, &done));
    assert_eq!(states(store), [JobState::Running, JobState::Running]);
    assert_eq!(store.outcomes(one, 0..10, 10).unwrap(), []);
    let overlapping = [numbers(one, 0..10), numbers(other, 0..5), errors(other, 0..5)];
    let fresh = store.commit(&overlapping, &done).unwrap();
    assert_eq!(fresh, [Fresh::All, Fresh::All, Fresh::Only(vec![])]);
    assert_eq!(states(store), [JobState::Done, JobState::Running], "what is not there is left out");
    store.commit(&[], &[(other, JobState::Paused)].into()).unwrap();
    assert_eq!(states(store), [JobState::Done, JobState::Paused]);
    assert_eq!(store.outcomes(other, 0..10, 10).unwrap(), [run(0..5)]);
}

fn of_a_batch_that_overlaps_itself_the_first_stands(store: &dyn Store) {
    for (one, other, new) in [
        (0..10, 9..12, vec![10..12]),
        (9..12, 0..10, vec![0..9]),
        (0..10, 0..10, vec![]),
        (0..10, 3..4, vec![]),
        (3..4, 0..10, vec![0..3, 4..10]),
    ] {
        let job = running(store, 1000);
        let batch = [numbers(job, one.clone()), errors(job, other.clone())];
        let fresh = store.record(&batch).unwrap();
        assert_eq!(fresh, [Fresh::All, Fresh::Only(new.clone())], "{one:?}, {other:?}");
        assert_eq!(store.outcomes(job, one.clone(), 1000).unwrap(), [run(one.clone())]);
        for new in new {
            let expected = [run_of(errors(job, new.clone()))];
            assert_eq!(store.outcomes(job, new, 1000).unwrap(), expected);
        }
        let tasks = one.start.min(other.start)..one.end.max(other.end);
        assert_eq!(store.tally(job).unwrap().recorded, [tasks]);
    }
}

fn outcomes_touching_at_their_edges_do_not_overlap(store: &dyn Store) {
    let job = running(store, 1000);
    store.record(&[]).unwrap();
    store.record(&[numbers(job, 10..20), numbers(job, 20..30)]).unwrap();
    store.record(&[numbers(job, 0..10)]).unwrap();
    let fresh = store.record(&[numbers(job, 30..31), numbers(job, 15..15)]).unwrap();
    assert_eq!(fresh, [Fresh::All, Fresh::All], "nothing is no overlap");
    assert_eq!(only_job(store).recorded, [0..31]);
}

fn outcomes_are_clipped_to_the_range(store: &dyn Store) {
    let job = running(store, 1000);
    store.record(&[numbers(job, 30..40), numbers(job, 10..20), numbers(job, 20..25)]).unwrap();
    for (range, expected) in [
        (0..1000, vec![10..20, 20..25, 30..40]),
        (0..u64::MAX, vec![10..20, 20..25, 30..40]),
        (0..10, vec![]),
        (0..11, vec![10..11]),
        (19..20, vec![19..20]),
        (19..21, vec![19..20, 20..21]),
        (20..30, vec![20..25]),
        (25..30, vec![]),
        (25..31, vec![30..31]),
        (13..17, vec![13..17]),
        (39..u64::MAX, vec![39..40]),
        (40..41, vec![]),
        (13..13, vec![]),
        (Range { start: 35, end: 12 }, vec![]),
    ] {
        let expected: Vec<Run> = expected.into_iter().map(run).collect();
        assert_eq!(store.outcomes(job, range.clone(), 1000).unwrap(), expected, "{range:?}");
    }
}

fn outcomes_stop_before_too_many_but_give_the_first_run_whole(store: &dyn Store) {
    let job = running(store, 1000);
    store.record(&[numbers(job, 0..10), numbers(job, 10..15), numbers(job, 50..60)]).unwrap();
    for (tasks_max, expected) in [
        (0, vec![0..10]),
        (9, vec![0..10]),
        (14, vec![0..10]),
        (15, vec![0..10, 10..15]),
        (24, vec![0..10, 10..15]),
        (25, vec![0..10, 10..15, 50..60]),
        (u64::MAX, vec![0..10, 10..15, 50..60]),
    ] {
        let expected: Vec<Run> = expected.into_iter().map(run).collect();
        assert_eq!(store.outcomes(job, 0..1000, tasks_max).unwrap(), expected, "{tasks_max}");
    }
    let clipped = store.outcomes(job, 8..1000, 7).unwrap();
    assert_eq!(clipped, [run(8..10), run(10..15)], "what is clipped does not count");
}

fn jobs_do_not_share_indices(store: &dyn Store) {
    let (one, other) = (running(store, 100), running(store, 100));
    store.record(&[numbers(one, 0..10), numbers(other, 5..15), numbers(one, 20..30)]).unwrap();
    assert_eq!(store.outcomes(one, 0..100, 100).unwrap(), [run(0..10), run(20..30)]);
    assert_eq!(store.outcomes(other, 0..100, 100).unwrap(), [run(5..15)]);
    let jobs = store.load().unwrap().jobs;
    assert_eq!(jobs[0].recorded, [0..10, 20..30]);
    assert_eq!(jobs[1].recorded, [5..15]);
}

fn single_outcomes_are_found_and_gaps_are_known(store: &dyn Store) {
    let (job, other) = (running(store, JOB_TASKS_MAX), running(store, 100));
    let last = JOB_TASKS_MAX - 1;
    store.record(&[numbers(job, 20..30), numbers(job, 10..20), numbers(other, 0..10)]).unwrap();
    store.record(&[mixed(job, 40..50), numbers(job, last..last + 1)]).unwrap();
    for (indices, found) in [
        (&[][..], &[][..]),
        (&[0], &[]),
        (&[10], &[10]),
        (&[9, 10, 11, 19, 20, 29, 30], &[10, 11, 19, 20, 29]),
        (&[0, 1, 2, 3], &[]),
        (&[5, 35, 39, 60, 1_000_000], &[]),
        (&[15, 25, 35], &[15, 25]),
        (&[last - 1, last, last + 1, u64::MAX], &[last]),
        (&[u64::MAX], &[]),
    ] {
        let sample = store.sample(job, indices, u64::MAX).unwrap();
        let expected: Vec<_> = found.iter().map(|index| single(*index)).collect();
        assert_eq!((sample.outcomes, sample.looked_at), (expected, indices.len()), "{indices:?}");
    }
    let sample = store.sample(job, &[39, 40, 41, 45], u64::MAX).unwrap();
    let runs = store.outcomes(job, 40..46, u64::MAX).unwrap();
    let expected = [40, 41, 45].map(|index| (index, runs[0].outcomes[index as usize - 40].clone()));
    assert_eq!((sample.outcomes, sample.looked_at), (expected.to_vec(), 4), "errors are outcomes");
    assert!(expected[0].1.is_error());
}

fn a_sample_stops_before_too_much_and_goes_on_where_it_was(store: &dyn Store) {
    let job = running(store, 1000);
    store.record(&[numbers(job, 0..10), numbers(job, 10..15), numbers(job, 50..60)]).unwrap();
    store.set_state(job, JobState::Cancelled).unwrap();
    let indices = [3, 4, 9, 12, 20, 30, 55, 56, 70, 80];
    for (tasks_max, looked_at) in
        [(0, 3), (9, 3), (14, 3), (15, 6), (24, 6), (25, 10), (u64::MAX, 10)]
    {
        let sample = store.sample(job, &indices, tasks_max).unwrap();
        assert_eq!(sample.looked_at, looked_at, "{tasks_max}");
        let (mut outcomes, mut next) = (sample.outcomes, looked_at);
        while next < indices.len() {
            let mut sample = store.sample(job, &indices[next..], tasks_max).unwrap();
            assert!(sample.looked_at > 0, "there is always some progress");
            outcomes.append(&mut sample.outcomes);
            next += sample.looked_at;
        }
        assert_eq!(outcomes, [3, 4, 9, 12, 55, 56].map(single), "{tasks_max}");
    }
    let beyond = store.sample(job, &[20, 30, 70], 0).unwrap();
    assert_eq!(beyond, Sample { outcomes: vec![], looked_at: 3 }, "a gap is nothing to read");
}

fn recorded_intervals_are_joined_and_counted(store: &dyn Store) {
    let job = running(store, 1000);
    let error = || Outcome::Error { error: "trap".to_owned() };
    let mixed = vec![error(), Outcome::Result(Number(1.0)), error()];
    store.record(&[numbers(job, 20..30), recording(job, 17, mixed)]).unwrap();
    store.record(&[numbers(job, 31..40), numbers(job, 0..5)]).unwrap();
    let loaded = only_job(store);
    assert_eq!(loaded.recorded, [0..5, 17..30, 31..40]);
    assert_eq!((loaded.done, loaded.failed), (25, 2));
    for (state, recorded) in [
        (JobState::Paused, vec![0..5, 17..30, 31..40]),
        (JobState::Done, vec![]),
        (JobState::Cancelled, vec![]),
    ] {
        store.set_state(job, state).unwrap();
        let loaded = only_job(store);
        assert_eq!((loaded.done, loaded.failed, loaded.recorded), (25, 2, recorded), "{state:?}");
        let all = Tally { done: 25, failed: 2, recorded: vec![0..5, 17..30, 31..40] };
        assert_eq!(store.tally(job).unwrap(), all, "{state:?}");
    }
    assert_eq!(
        store.outcomes(job, 30..1000, 1000).unwrap(),
        [run(31..40)],
        "of a job that is over"
    );
}

fn indices_reach_to_the_largest_and_not_beyond(store: &dyn Store) {
    let job = running(store, JOB_TASKS_MAX);
    let last = JOB_TASKS_MAX - 3..JOB_TASKS_MAX;
    store.record(&[numbers(job, last.clone())]).unwrap();
    assert_eq!(store.outcomes(job, 0..JOB_TASKS_MAX, 9).unwrap(), [run(last.clone())]);
    assert_eq!(only_job(store).recorded, std::slice::from_ref(&last));
    for first in [JOB_TASKS_MAX, u64::MAX] {
        assert_out_of_range(
            job,
            first..first.saturating_add(1),
            store.record(&[recording(job, first, vec![Outcome::Result(Number(1.0))])]),
        );
    }
}

fn readers_see_whole_batches(store: &dyn Store) {
    let job = running(store, 1000);
    thread::scope(|scope| {
        let writer = scope.spawn(|| {
            for first in (0..500).step_by(10) {
                let far = first + 500;
                store
                    .record(&[numbers(job, first..first + 5), numbers(job, far..far + 5)])
                    .unwrap();
            }
        });
        let mut seen = 0;
        while !writer.is_finished() {
            let runs = store.outcomes(job, 0..1000, 1000).unwrap().len();
            assert!(runs >= seen && runs.is_multiple_of(2), "{runs} runs after {seen}");
            seen = runs;
        }
    });
    assert_eq!(store.outcomes(job, 0..1000, 1000).unwrap().len(), 100);
}

// ---- A model ----------------------------------------------------------------------------------

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
    for (index, outcome) in (recording.first..).zip(recording.outcomes.read()) {
        let entry = &mut table[index as usize];
        if entry.is_some() {
            continue;
        }
        *entry = Some(outcome);
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
        for entry in (run.first..).zip(run.outcomes.iter().cloned()) {
            prop_assert_eq!(Some(entry), expected.next());
        }
    }
    prop_assert_eq!(expected.next(), None);
    let some = store.outcomes(job, range, tasks_max).unwrap();
    prop_assert_eq!(&some[..], &all[..some.len()]);
    let tasks = |runs: &[Run]| runs.iter().map(|run| run.outcomes.len() as u64).sum::<u64>();
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

// ---- What a file promises ---------------------------------------------------------------------

#[test]
fn opening_again_finds_everything() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("made/with its parents");
    let store = SqliteStore::open(&folder).unwrap();
    assert_eq!(store.load().unwrap().epoch, 0);
    let grid = running(&store, 1000);
    store.record(&[mixed(grid, 5..100), mixed(grid, 300..301)]).unwrap();
    let open = store.create_job(&inputs_job()).unwrap();
    store.append_inputs(open, 0, &inputs(0..3000)).unwrap();
    store.publish_open(open).unwrap();
    store.set_state(grid, JobState::Paused).unwrap();
    let jobs = store.load().unwrap().jobs;
    let draft = store.create_job(&inputs_job()).unwrap();
    drop(store);

    let store = SqliteStore::open(&folder).unwrap();
    let loaded = store.load().unwrap();
    assert_eq!((loaded.epoch, loaded.jobs), (2, jobs));
    let runs = store.outcomes(grid, 0..1000, 1000).unwrap();
    assert_eq!(runs, [run_of(mixed(grid, 5..100)), run_of(mixed(grid, 300..301))]);
    assert_eq!(store.inputs(open, 0..3000).unwrap(), inputs(0..3000));
    assert!(store.create_job(&inputs_job()).unwrap() > draft);
}

#[test]
fn a_folder_is_one_servers_at_a_time() {
    let dir = tempfile::tempdir().unwrap();
    let first = SqliteStore::open(dir.path()).unwrap();
    let error = SqliteStore::open(dir.path()).unwrap_err();
    assert!(matches!(error, StoreError::Locked(_)), "{error}");
    assert!(error.to_string().contains(dir.path().to_str().unwrap()), "{error}");
    running(&first, 5);
    drop(first);
    let second = SqliteStore::open(dir.path()).unwrap();
    assert_eq!(second.load().unwrap().jobs.len(), 1);
}

#[test]
fn a_store_that_was_only_opened_loads() {
    let dir = tempfile::tempdir().unwrap();
    drop(SqliteStore::open(dir.path()).unwrap());
    let store = SqliteStore::open(dir.path()).unwrap();
    assert_eq!(store.load().unwrap().epoch, 0);
    running(&store, 5);
}

#[test]
fn what_a_call_returned_is_there_after_a_kill() {
    let dir = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(dir.path()).unwrap();
    assert_eq!(SqliteStore::open(killed(dir.path()).path()).unwrap().load().unwrap().jobs, []);
    let job = running(&store, 1000);
    for first in (0..100).step_by(10) {
        store.record(&[numbers(job, first..first + 10)]).unwrap();
        let copy = killed(dir.path());
        let restarted = SqliteStore::open(copy.path()).unwrap();
        assert_eq!(only_job(&restarted).done, first + 10);
    }
}

/// A power cut may leave any beginning of what was being written.
#[test]
fn a_log_cut_anywhere_holds_whole_calls() {
    let dir = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(dir.path()).unwrap();
    let job = running(&store, 10_000);
    for first in (0..50).step_by(5) {
        let far = (first + 1) * 100;
        store.record(&[numbers(job, first..first + 5), numbers(job, far..far + 95)]).unwrap();
    }
    let log = fs::read(dir.path().join("tequio.sqlite-wal")).unwrap();
    let mut seen = Vec::new();
    for length in (0..=log.len()).step_by(log.len() / 60) {
        let copy = killed(dir.path());
        fs::write(copy.path().join("tequio.sqlite-wal"), &log[..length]).unwrap();
        let jobs = SqliteStore::open(copy.path()).unwrap().load().unwrap().jobs;
        let done = jobs.first().map_or(0, |job| job.done);
        assert!(done.is_multiple_of(100), "half a batch: {done}");
        seen.push(done);
    }
    assert!(seen.is_sorted() && seen.contains(&500), "{seen:?}");
}

#[test]
fn an_empty_file_is_a_new_store() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("tequio.sqlite");
    fs::write(&path, "").unwrap();
    let store = SqliteStore::open(dir.path()).unwrap();
    running(&store, 5);
    drop(store);
    fs::remove_file(&path).unwrap();

    // A crash may come between the switch to a write-ahead log and the tables.
    let connection = rusqlite::Connection::open(&path).unwrap();
    connection.pragma_update(None, "journal_mode", "WAL").unwrap();
    connection.close().unwrap();
    assert!(fs::metadata(&path).unwrap().len() > 0);
    let store = SqliteStore::open(dir.path()).unwrap();
    running(&store, 5);
}

#[test]
fn a_newer_format_is_refused_by_both_numbers() {
    let dir = tempfile::tempdir().unwrap();
    drop(SqliteStore::open(dir.path()).unwrap());
    set_pragma(dir.path(), "user_version", 7);
    let error = SqliteStore::open(dir.path()).unwrap_err();
    assert!(matches!(error, StoreError::Newer { found: 7, known: 1, .. }), "{error:?}");
    let path = dir.path().join("tequio.sqlite");
    let said = format!("{} has format 7, and this tequio knows formats up to 1", path.display());
    assert!(error.to_string().contains(&said), "{error}");
    set_pragma(dir.path(), "user_version", 1);
    SqliteStore::open(dir.path()).unwrap();
}

#[test]
fn databases_of_other_programs_are_refused_and_left_alone() {
    for script in [
        "CREATE TABLE bookmark (url TEXT)",
        "PRAGMA application_id = 252006674",
        "PRAGMA user_version = 1",
        "PRAGMA application_id = 252006674; CREATE TABLE job (id INTEGER PRIMARY KEY)",
    ] {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("tequio.sqlite");
        rusqlite::Connection::open(&path).unwrap().execute_batch(script).unwrap();
        assert_foreign(dir.path(), &fs::read(&path).unwrap());
    }
}

#[test]
fn files_that_are_no_database_are_refused_and_left_alone() {
    let half = {
        let dir = tempfile::tempdir().unwrap();
        drop(SqliteStore::open(dir.path()).unwrap());
        let mut bytes = fs::read(dir.path().join("tequio.sqlite")).unwrap();
        bytes[..16].fill(b'x');
        bytes
    };
    for bytes in
        [b"xy".to_vec(), b"hello, world\n".to_vec(), vec![0; 512], vec![b'y'; 20_000], half]
    {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("tequio.sqlite"), &bytes).unwrap();
        assert_foreign(dir.path(), &bytes);
    }
}

#[test]
fn a_folder_that_cannot_be_is_an_error_with_its_path() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("a file");
    fs::write(&file, "").unwrap();
    let error = SqliteStore::open(&file).unwrap_err();
    assert!(matches!(&error, StoreError::Unavailable(said) if said.contains("a file")), "{error}");
    fs::create_dir_all(dir.path().join("data/tequio.sqlite")).unwrap();
    let error = SqliteStore::open(&dir.path().join("data")).unwrap_err();
    assert!(
        matches!(&error, StoreError::Unavailable(said) if said.contains("tequio.sqlite")),
        "{error}"
    );
}

#[test]
fn a_full_store_keeps_what_it_has_and_goes_on_when_it_may_grow() {
    let dir = tempfile::tempdir().unwrap();
    let options = Options { max_pages: Some(100) };
    let store = SqliteStore::open_with(dir.path(), &options).unwrap();
    let job = running(&store, JOB_TASKS_MAX);
    store.record(&[numbers(job, 0..100)]).unwrap();
    let before = store.outcomes(job, 0..JOB_TASKS_MAX, u64::MAX).unwrap();

    // The first part would fit; the second is larger than the whole store may be.
    let batch = [numbers(job, 100..200), numbers(job, 1000..100_000)];
    for _ in 0..3 {
        let error = store.record(&batch).unwrap_err();
        let text = error.to_string();
        assert!(matches!(error, StoreError::Unavailable(_)), "{error:?}");
        assert!(text.contains("tequio.sqlite") && text.contains("is full"), "{text}");
        assert_eq!(store.outcomes(job, 0..JOB_TASKS_MAX, u64::MAX).unwrap(), before);
    }
    let draft = store.create_job(&inputs_job()).unwrap();
    let error = store.append_inputs(draft, 0, &inputs(0..20_000)).unwrap_err();
    assert!(matches!(error, StoreError::Unavailable(_)), "{error:?}");
    assert_out_of_range(draft, 0..1, store.inputs(draft, 0..1));
    store.set_state(job, JobState::Paused).unwrap();
    store.record(&[numbers(job, 200..210)]).unwrap();

    store.set_max_pages(None).unwrap();
    store.record(&batch).unwrap();
    store.append_inputs(draft, 0, &inputs(0..20_000)).unwrap();
    store.publish(draft).unwrap();
    drop(store);
    let bytes = fs::metadata(dir.path().join("tequio.sqlite")).unwrap().len();
    assert!(bytes > 100 * u64::from(PAGE_BYTES), "{bytes}");
    // A limit below what is there already only stops growth.
    let store = SqliteStore::open_with(dir.path(), &options).unwrap();
    let jobs = store.load().unwrap().jobs;
    assert_eq!(jobs[0].recorded, [0..210, 1000..100_000]);
    assert_eq!(jobs[1].total, 20_000);
    assert!(store.record(&[numbers(job, 100_000..200_000)]).is_err());
}

#[test]
fn readers_do_not_wait_for_writers() {
    let dir = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(dir.path()).unwrap();
    let job = running(&store, 1000);
    store.record(&[numbers(job, 0..10)]).unwrap();
    let shell = rusqlite::Connection::open(dir.path().join("tequio.sqlite")).unwrap();
    shell.execute_batch("BEGIN IMMEDIATE; DELETE FROM outcome").unwrap();
    assert_eq!(store.outcomes(job, 0..1000, 1000).unwrap(), [run(0..10)]);
    shell.execute_batch("ROLLBACK").unwrap();
}

/// The file as tequio 0.1.0 made it: without a table of lines.
#[test]
fn a_file_of_before_is_opened_and_takes_lines_from_then_on() {
    let dir = tempfile::tempdir().unwrap();
    let shell = rusqlite::Connection::open(dir.path().join("tequio.sqlite")).unwrap();
    shell.execute_batch(include_str!("store/format-1.sql")).unwrap();
    drop(shell);
    let store = SqliteStore::open(dir.path()).unwrap();
    let jobs = store.load().unwrap().jobs;
    assert_eq!(jobs.iter().map(|job| (job.total, job.done)).collect::<Vec<_>>(), [(3, 2), (2, 0)]);
    let (closed, open) = (jobs[0].id, jobs[1].id);
    assert_eq!(store.lines(closed, 0..3).unwrap(), Some(vec![]), "they are unknown");
    store.append_lines(open, 2, &inputs(2..4), &[line_run(2, 7)]).unwrap();
    assert_eq!(store.lines(open, 0..2).unwrap(), Some(vec![]));
    assert_eq!(store.lines(open, 0..4).unwrap(), Some(vec![line_run(2, 7)]));
    drop(store);
    let store = SqliteStore::open(dir.path()).unwrap();
    assert_eq!(store.lines(open, 3..4).unwrap(), Some(vec![line_run(2, 7)]));
    store.set_state(closed, JobState::Done).unwrap();
    while store.remove(closed).unwrap() {}
    assert_missing(closed, store.lines(closed, 0..1));
}

/// The statement of the documentation, in the shell's place.
#[test]
fn the_shell_reads_outcomes_with_json_each() {
    let dir = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(dir.path()).unwrap();
    let job = running(&store, 1000);
    let outcomes = vec![
        Outcome::Result(Number(1.5)),
        Outcome::Result(Number(f64::NAN)),
        Outcome::Error { error: "trap".to_owned() },
    ];
    store.record(&[recording(job, 40, outcomes), numbers(job, 7..8)]).unwrap();
    let shell = rusqlite::Connection::open(dir.path().join("tequio.sqlite")).unwrap();
    let mut statement = shell
        .prepare(
            "SELECT first + each.key AS task, each.value AS outcome
             FROM outcome, json_each(outcome.outcomes) AS each WHERE job = 1 ORDER BY task",
        )
        .unwrap();
    let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
    let rows: Vec<(u64, rusqlite::types::Value)> = rows.map(Result::unwrap).collect();
    let text = |text: &str| rusqlite::types::Value::Text(text.to_owned());
    let expected = [
        (7, rusqlite::types::Value::Real(3.5)),
        (40, rusqlite::types::Value::Real(1.5)),
        (41, text("NaN")),
        (42, text(r#"{"error":"trap"}"#)),
    ];
    assert_eq!(rows, expected);
}

#[test]
fn a_row_that_somebody_broke_is_an_error_that_names_it() {
    let dir = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(dir.path()).unwrap();
    let job = running(&store, 1000);
    store.record(&[numbers(job, 10..12), numbers(job, 20..22)]).unwrap();
    let shell = rusqlite::Connection::open(dir.path().join("tequio.sqlite")).unwrap();
    for broken in ["[1]", "[1,2,3]", "[1,true]", "[1,2", "[1,2]x", "{}", ""] {
        let update = "UPDATE outcome SET outcomes = ?1 WHERE first = 20";
        shell.execute(update, [broken]).unwrap();
        let error = store.outcomes(job, 0..1000, 1000).unwrap_err();
        let text = error.to_string();
        assert!(matches!(error, StoreError::Damaged { job: JobId(1), .. }), "{error:?}");
        assert!(text.contains("job 1 (grid)") && text.contains("tasks 20..22"), "{text}");
        let error = store.sample(job, &[10, 20, 21], 1000).unwrap_err();
        assert_eq!(error.to_string(), text);
        assert_eq!(store.outcomes(job, 0..20, 1000).unwrap(), [run(10..12)]);
    }
}

// ---- Helpers ----------------------------------------------------------------------------------

fn grid_job(total: u64) -> NewJob {
    let one = || Axis::value_of(1.0).unwrap();
    let times = Axis::range(0.0, 1.0, total).unwrap();
    NewJob {
        name: "grid".to_owned(),
        op: Op::RepeatMultiply,
        priority: 0,
        grid: Some(Grid::new(one(), one(), times).unwrap()),
        submitted_at_ms: 1,
    }
}

fn inputs_job() -> NewJob {
    NewJob { name: String::new(), grid: None, ..grid_job(1) }
}

/// A running job with a grid of `total` tasks.
fn running(store: &dyn Store, total: u64) -> JobId {
    let job = store.create_job(&grid_job(total)).unwrap();
    store.publish(job).unwrap();
    job
}

fn only_job(store: &dyn Store) -> StoredJob {
    let mut jobs = store.load().unwrap().jobs;
    assert_eq!(jobs.len(), 1);
    jobs.remove(0)
}

/// Inputs that all differ.
fn inputs(range: Range<u64>) -> Vec<RepeatMultiply> {
    range.map(|index| RepeatMultiply::new(index as f64 / 3.0, 1.1, index).unwrap()).collect()
}

fn line_run(first: u64, line: u64) -> LineRun {
    LineRun { first, line }
}

fn recording(job: JobId, first: u64, outcomes: Vec<Outcome>) -> Recording {
    Recording {
        job,
        first,
        outcomes: outcomes.into_iter().collect(),
        worker: WorkerId(3),
        agent: "Mozilla/5.0".to_owned(),
        duration_ms: Some(1.5),
        recorded_at_ms: 1_763_700_000_456,
    }
}

/// A result for each index, which tells the index.
fn numbers(job: JobId, range: Range<u64>) -> Recording {
    let outcomes = range.clone().map(|index| Outcome::Result(Number(index as f64 / 2.0)));
    recording(job, range.start, outcomes.collect())
}

/// As [`numbers`], with an error at each multiple of 5.
fn mixed(job: JobId, range: Range<u64>) -> Recording {
    let outcome = |index: u64| match index % 5 {
        0 => Outcome::Error { error: format!("trap at {index}") },
        _ => Outcome::Result(Number(index as f64 / 3.0)),
    };
    recording(job, range.start, range.map(outcome).collect())
}

/// An error for each index, which tells the index.
fn errors(job: JobId, range: Range<u64>) -> Recording {
    let outcomes = range.clone().map(|index| Outcome::Error { error: format!("late at {index}") });
    recording(job, range.start, outcomes.collect())
}

/// What [`numbers`] gives back.
fn run(range: Range<u64>) -> Run {
    run_of(numbers(JobId(0), range))
}

/// What [`numbers`] gives back of one index.
fn single(index: u64) -> (u64, Outcome) {
    (index, Outcome::Result(Number(index as f64 / 2.0)))
}

fn run_of(recording: Recording) -> Run {
    Run { first: recording.first, outcomes: recording.outcomes.read() }
}

fn assert_missing<T: std::fmt::Debug>(job: JobId, result: Result<T, StoreError>) {
    match result {
        Err(StoreError::NoSuchJob(named)) => assert_eq!(named, job),
        other => panic!("{other:?} instead of NoSuchJob"),
    }
}

fn assert_wrong_state<T: std::fmt::Debug>(
    job: JobId,
    expected: Condition,
    result: Result<T, StoreError>,
) {
    match result {
        Err(StoreError::WrongState { job: named, is }) => assert_eq!((named, is), (job, expected)),
        other => panic!("{other:?} instead of WrongState"),
    }
}

fn assert_out_of_range<T: std::fmt::Debug>(
    job: JobId,
    range: Range<u64>,
    result: Result<T, StoreError>,
) {
    match result {
        Err(StoreError::OutOfRange { job: named, first, end }) => {
            assert_eq!((named, first..end), (job, range));
        }
        other => panic!("{other:?} instead of OutOfRange"),
    }
}

fn assert_taken(error: &StoreError, job: JobId, range: Range<u64>) {
    match error {
        StoreError::Taken { job: named, first, end } => {
            assert_eq!((*named, *first..*end), (job, range));
        }
        other => panic!("{other:?} instead of Taken"),
    }
}

fn assert_foreign(dir: &Path, bytes: &[u8]) {
    let path = dir.join("tequio.sqlite");
    let error = SqliteStore::open(dir).unwrap_err();
    assert!(matches!(error, StoreError::Foreign(_)), "{error:?}");
    assert!(error.to_string().contains(path.to_str().unwrap()), "{error}");
    assert!(fs::read(&path).unwrap() == bytes, "the file was changed");
}

fn set_pragma(dir: &Path, name: &str, value: i64) {
    let connection = rusqlite::Connection::open(dir.join("tequio.sqlite")).unwrap();
    connection.pragma_update(None, name, value).unwrap();
}

/// What a kill would leave now: the files as they are, without the clean-up of a close.
fn killed(dir: &Path) -> tempfile::TempDir {
    let copy = tempfile::tempdir().unwrap();
    for name in ["tequio.sqlite", "tequio.sqlite-wal"] {
        fs::copy(dir.join(name), copy.path().join(name)).unwrap();
    }
    copy
}
