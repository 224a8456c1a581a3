//! What is kept of jobs and drafts, and which changes they take.

use crate::helpers::*;
use tequio::store::{Condition, NewJob, Store, StoredJob};
use tequio_protocol::api::JobState;
use tequio_protocol::check::Check;
use tequio_protocol::grid::{Axis, Grid};
use tequio_protocol::ids::JobId;
use tequio_protocol::limits::{INTEGER_MAX, REMOVED_ROWS_MAX};
use tequio_protocol::op::OpId;

pub(crate) fn a_new_store_has_no_jobs_and_every_load_raises_the_epoch(store: &dyn Store) {
    for epoch in 0..3 {
        let loaded = store.load().unwrap();
        assert_eq!((loaded.epoch, loaded.jobs), (epoch, vec![]));
    }
}

pub(crate) fn jobs_are_kept_as_entered_oldest_first(store: &dyn Store) {
    let axis = |text: &str| text.parse::<Axis>().unwrap();
    let grid = Grid::new(vec![
        ("times".to_owned(), axis("7")),
        ("initial".to_owned(), axis("0.1,-0,1e300")),
        ("factor".to_owned(), axis("0..=1:0.25")),
    ])
    .unwrap();
    let rich = NewJob {
        name: "¿qué? \u{0} 'x\"; DROP TABLE job".to_owned(),
        op: OpId::new("repeat_multiply"),
        priority: i32::MIN,
        grid: Some(grid.clone()),
        block: 64,
        check: Check::Twice,
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
        audited: 0,
        failed: 0,
        recorded: vec![],
        trouble: None,
    };
    let jobs = store.load().unwrap().jobs;
    assert_eq!(jobs[0], expected);
    assert_eq!(jobs.iter().map(|job| job.id).collect::<Vec<_>>(), [first, second]);
}

pub(crate) fn a_job_that_is_submitted_at_once_is_as_one_in_two_steps(store: &dyn Store) {
    let in_two = running(store, 5);
    let at_once = store.submit(&grid_job(5)).unwrap();
    let jobs = store.load().unwrap().jobs;
    assert_eq!((jobs[0].id, jobs[1].id), (in_two, at_once));
    assert_eq!(jobs[1], StoredJob { id: at_once, ..jobs[0].clone() });
    assert_wrong_state(at_once, Condition::In(JobState::Running), store.publish(at_once));
    assert_wrong_state(at_once, Condition::In(JobState::Running), store.discard(at_once));
    store.record(&[numbers(at_once, 0..5)]).unwrap();
}

pub(crate) fn a_load_discards_drafts_and_ids_are_never_given_again(store: &dyn Store) {
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

pub(crate) fn a_discarded_draft_is_gone_and_only_drafts_are_discarded(store: &dyn Store) {
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

pub(crate) fn a_removed_job_is_gone_at_once_and_only_jobs_that_are_over_are_removed(
    store: &dyn Store,
) {
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

pub(crate) fn what_is_being_removed_takes_no_inputs_and_a_draft_is_not_removed(store: &dyn Store) {
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

pub(crate) fn states_are_kept_and_set_by_publishing_only_once(store: &dyn Store) {
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

pub(crate) fn what_is_not_there_is_missing(store: &dyn Store) {
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

pub(crate) fn drafts_are_missing_to_all_that_is_for_jobs(store: &dyn Store) {
    let draft = store.create_job(&inputs_job()).unwrap();
    assert_missing(draft, store.close(draft));
    assert_missing(draft, store.set_state(draft, JobState::Running));
    assert_missing(draft, store.record(&[numbers(draft, 0..1)]));
    assert_missing(draft, store.outcomes(draft, 0..1, 1));
    assert_missing(draft, store.sample(draft, &[], 1));
    assert_missing(draft, store.tally(draft));
}

pub(crate) fn open_jobs_grow_until_they_are_closed_or_over(store: &dyn Store) {
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

pub(crate) fn a_job_that_is_set_aside_takes_no_inputs_and_may_be_removed(store: &dyn Store) {
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

pub(crate) fn when_a_job_was_appended_to_is_kept(store: &dyn Store) {
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
