//! Inputs, and the lines that they come from.

use crate::helpers::*;
use tequio::store::{Condition, Store};
use tequio_protocol::api::JobState;
use tequio_protocol::ids::JobId;
use tequio_protocol::reader::LineRun;
use tequio_protocol::values::Values;

pub(crate) fn inputs_come_back_across_blocks(store: &dyn Store) {
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
    assert!(store.has_inputs(job, 4000, &Values::new()).unwrap());
    assert_out_of_range(job, 3999..4001, store.has_inputs(job, 3999, &inputs(3999..4001)));
    let negative = [r#"{"initial":-0.0,"factor":5e-324,"times":9007199254740991}"#];
    let negative: Values = negative.into_iter().collect();
    let odd = store.create_job(&inputs_job()).unwrap();
    store.append_inputs(odd, 0, &negative).unwrap();
    let back = store.inputs(odd, 0..1).unwrap();
    assert_eq!(back, negative);
}

pub(crate) fn inputs_are_appended_right_behind_the_last(store: &dyn Store) {
    let job = store.create_job(&inputs_job()).unwrap();
    assert_out_of_range(job, 0..1, store.append_inputs(job, 1, &inputs(1..2)));
    store.append_inputs(job, 0, &Values::new()).unwrap();
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

pub(crate) fn inputs_keep_the_numbers_of_their_lines(store: &dyn Store) {
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

pub(crate) fn many_jumps_of_lines_are_found_wherever_one_looks(store: &dyn Store) {
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
