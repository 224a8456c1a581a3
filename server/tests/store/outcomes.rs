//! What is recorded.

use crate::helpers::*;
use std::ops::Range;
use std::thread;
use tequio::store::{Fresh, Recording, Run, Sample, Store, Tally};
use tequio_protocol::api::JobState;
use tequio_protocol::ids::JobId;
use tequio_protocol::limits::JOB_TASKS_MAX;
use tequio_protocol::outcome::Outcome;

pub(crate) fn every_kind_of_outcome_comes_back_to_the_bit(store: &dyn Store) {
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
    let mut outcomes: Vec<_> = values.into_iter().map(result).collect();
    for json in [r#"{"error":"no"}"#, "null", "[1,[2]]", r#""ñ 🦀 \" ""#, "18446744073709551615"]
    {
        outcomes.push(Outcome::Result(json.to_owned()));
    }
    for text in ["", "NaN", "unreachable \"x\"\n\u{0} ñ 🦀"] {
        outcomes.push(Outcome::Error(text.to_owned()));
    }
    let count = outcomes.len() as u64;
    store.record(&[recording(job, 7, outcomes.clone())]).unwrap();
    // Equality of numbers is that of their bits.
    let expected = [Run { first: 7, outcomes: outcomes.into_iter().collect() }];
    assert_eq!(store.outcomes(job, 0..1000, 1000).unwrap(), expected);
    let loaded = only_job(store);
    assert_eq!((loaded.done, loaded.failed), (count - 3, 3));
}

pub(crate) fn the_first_outcome_stands_and_the_rest_is_recorded(store: &dyn Store) {
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

pub(crate) fn a_batch_is_all_or_none(store: &dyn Store) {
    let job = running(store, 1000);
    store.record(&[numbers(job, 100..200)]).unwrap();
    let before = store.outcomes(job, 0..1000, 1000).unwrap();
    let beyond = recording(job, JOB_TASKS_MAX, vec![result(1.0)]);
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

pub(crate) fn outcomes_and_states_are_written_together_or_not_at_all(store: &dyn Store) {
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

pub(crate) fn of_a_batch_that_overlaps_itself_the_first_stands(store: &dyn Store) {
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

pub(crate) fn outcomes_touching_at_their_edges_do_not_overlap(store: &dyn Store) {
    let job = running(store, 1000);
    store.record(&[]).unwrap();
    store.record(&[numbers(job, 10..20), numbers(job, 20..30)]).unwrap();
    store.record(&[numbers(job, 0..10)]).unwrap();
    let fresh = store.record(&[numbers(job, 30..31), numbers(job, 15..15)]).unwrap();
    assert_eq!(fresh, [Fresh::All, Fresh::All], "nothing is no overlap");
    assert_eq!(only_job(store).recorded, [0..31]);
}

pub(crate) fn outcomes_are_clipped_to_the_range(store: &dyn Store) {
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

pub(crate) fn outcomes_stop_before_too_many_but_give_the_first_run_whole(store: &dyn Store) {
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

pub(crate) fn jobs_do_not_share_indices(store: &dyn Store) {
    let (one, other) = (running(store, 100), running(store, 100));
    store.record(&[numbers(one, 0..10), numbers(other, 5..15), numbers(one, 20..30)]).unwrap();
    assert_eq!(store.outcomes(one, 0..100, 100).unwrap(), [run(0..10), run(20..30)]);
    assert_eq!(store.outcomes(other, 0..100, 100).unwrap(), [run(5..15)]);
    let jobs = store.load().unwrap().jobs;
    assert_eq!(jobs[0].recorded, [0..10, 20..30]);
    assert_eq!(jobs[1].recorded, [5..15]);
}

pub(crate) fn single_outcomes_are_found_and_gaps_are_known(store: &dyn Store) {
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
    let expected =
        [40, 41, 45].map(|index| (index, runs[0].outcomes.get(index as usize - 40).to_owned()));
    assert_eq!((sample.outcomes, sample.looked_at), (expected.to_vec(), 4), "errors are outcomes");
    assert!(expected[0].1.is_error());
}

pub(crate) fn a_sample_stops_before_too_much_and_goes_on_where_it_was(store: &dyn Store) {
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

pub(crate) fn recorded_intervals_are_joined_and_counted(store: &dyn Store) {
    let job = running(store, 1000);
    let error = || Outcome::Error("trap".to_owned());
    let mixed = vec![error(), result(1.0), error()];
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

pub(crate) fn indices_reach_to_the_largest_and_not_beyond(store: &dyn Store) {
    let job = running(store, JOB_TASKS_MAX);
    let last = JOB_TASKS_MAX - 3..JOB_TASKS_MAX;
    store.record(&[numbers(job, last.clone())]).unwrap();
    assert_eq!(store.outcomes(job, 0..JOB_TASKS_MAX, 9).unwrap(), [run(last.clone())]);
    assert_eq!(only_job(store).recorded, std::slice::from_ref(&last));
    for first in [JOB_TASKS_MAX, u64::MAX] {
        assert_out_of_range(
            job,
            first..first.saturating_add(1),
            store.record(&[recording(job, first, vec![result(1.0)])]),
        );
    }
}

pub(crate) fn readers_see_whole_batches(store: &dyn Store) {
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

pub(crate) fn what_the_server_has_audited_is_counted_with_what_is_recorded(store: &dyn Store) {
    let (job, other) = (running(store, 1000), running(store, 10));
    let audited = |recording: Recording, audited: u64| Recording { audited, ..recording };
    let count = |store: &dyn Store| -> Vec<u64> {
        store.load().unwrap().jobs.iter().map(|job| job.audited).collect()
    };
    store.record(&[audited(numbers(job, 0..100), 7), audited(numbers(other, 0..2), 2)]).unwrap();
    store.record(&[audited(numbers(job, 200..300), 100)]).unwrap();
    assert_eq!(count(store), [107, 2]);
    // Of what is there already nothing counts.
    store.record(&[audited(numbers(job, 0..100), 100)]).unwrap();
    store.record(&[audited(numbers(job, 90..103), 13)]).unwrap();
    assert_eq!(count(store), [110, 2]);
    let beyond = recording(job, JOB_TASKS_MAX, vec![result(1.0)]);
    assert!(store.record(&[audited(numbers(job, 400..410), 10), beyond]).is_err());
    assert_eq!(count(store), [110, 2]);
    store.set_state(job, JobState::Cancelled).unwrap();
    while store.remove(job).unwrap() {}
    assert_eq!(count(store), [2]);
}
