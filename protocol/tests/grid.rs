//! Grids beside what three nested loops would do.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers as well")]

use proptest::prelude::*;
use tequio_protocol::grid::{Axis, Grid};
use tequio_protocol::limits::INTEGER_MAX;

/// What a person may write for an axis, and the values that they mean.
type Written = (String, Vec<f64>);

/// Values as text that reads back to the same bits.
fn list(values: Vec<f64>) -> Written {
    let texts: Vec<String> = values.iter().map(|value| format!("{value:?}")).collect();
    (texts.join(","), values)
}

/// `from`, `to` and `step` are multiples of `unit`, whose sums are exact.
fn counted(from: i64, span: u64, step: u64, is_inclusive: bool, unit: f64) -> Written {
    let to = from + span as i64;
    let dots = if is_inclusive { "..=" } else { ".." };
    let colon =
        if step == 1 && unit == 1.0 { String::new() } else { format!(":{:?}", step as f64 * unit) };
    let text = format!("{:?}{dots}{:?}{colon}", from as f64 * unit, to as f64 * unit);
    let is_before_end = |at: &i64| if is_inclusive { *at <= to } else { *at < to };
    let values = std::iter::successors(Some(from), |at| Some(at + step as i64))
        .take_while(is_before_end)
        .map(|at| at as f64 * unit);
    (text, values.collect())
}

fn values() -> impl Strategy<Value = Written> {
    let finite = any::<f64>().prop_filter("finite", |value| value.is_finite());
    let small = (-40..40i32).prop_map(|value| f64::from(value) / 8.0);
    let listed = prop::collection::vec(prop_oneof![finite, small], 1..6).prop_map(list);
    prop_oneof![listed, ranges(1.0), ranges(0.125)]
}

fn ranges(unit: f64) -> impl Strategy<Value = Written> {
    let from = prop_oneof![-50..50i64, -1_000_000_000_000_000..1_000_000_000_000_000i64];
    (from, 0..40u64, 1..9u64, any::<bool>()).prop_map(move |(from, span, step, is_inclusive)| {
        counted(from, span, step, is_inclusive || span == 0, unit)
    })
}

fn times() -> impl Strategy<Value = Written> {
    let any_times = prop_oneof![0..100u64, 0..=INTEGER_MAX].prop_map(|times| times as f64);
    let range =
        (prop_oneof![0..100i64, 0..INTEGER_MAX as i64 - 40], 0..40u64, 1..9u64, any::<bool>())
            .prop_map(|(from, span, step, is_inclusive)| {
                counted(from, span, step, is_inclusive || span == 0, 1.0)
            });
    prop_oneof![prop::collection::vec(any_times, 1..6).prop_map(list), range]
}

fn read(written: &Written) -> Axis {
    written.0.parse().unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..Default::default() })]

    #[test]
    fn an_axis_has_the_values_that_are_meant_and_they_survive_json(written in values()) {
        let axis = read(&written);
        prop_assert_eq!(axis.len(), written.1.len() as u64, "{}", written.0);
        for (index, value) in (0..).zip(&written.1) {
            prop_assert_eq!(axis.value(index), *value, "{} at {}", written.0, index);
        }
        let json = serde_json::to_string(&axis).unwrap();
        prop_assert_eq!(&serde_json::from_str::<Axis>(&json).unwrap(), &axis, "{}", json);
        let quoted = serde_json::to_string(&written.0).unwrap();
        prop_assert_eq!(&serde_json::from_str::<Axis>(&quoted).unwrap(), &axis, "{}", quoted);
        for index in 0..axis.len() {
            let back: Axis = serde_json::from_str(&json).unwrap();
            prop_assert_eq!(back.value(index).to_bits(), axis.value(index).to_bits());
        }
    }

    #[test]
    fn a_grid_is_three_nested_loops(one in values(), two in values(), three in times()) {
        let grid = Grid::new(read(&one), read(&two), read(&three)).unwrap();
        prop_assert_eq!(grid.total(), (one.1.len() * two.1.len() * three.1.len()) as u64);
        let mut index = 0;
        let all: Vec<_> = grid.inputs(0..grid.total()).collect();
        for initial in &one.1 {
            for factor in &two.1 {
                for times in &three.1 {
                    let input = grid.input(index);
                    let found = (input.initial(), input.factor(), input.times());
                    prop_assert_eq!(found, (*initial, *factor, *times as u64), "task {}", index);
                    prop_assert_eq!(all[index as usize], input);
                    index += 1;
                }
            }
        }
        prop_assert_eq!(index, grid.total());
        let json = serde_json::to_string(&grid).unwrap();
        prop_assert_eq!(serde_json::from_str::<Grid>(&json).unwrap(), grid);
        let text = serde_json::json!({"initial": one.0, "factor": two.0, "times": three.0});
        let of_text: Grid = serde_json::from_value(text).unwrap();
        prop_assert_eq!(serde_json::to_string(&of_text).unwrap(), json);
    }

    #[test]
    fn what_is_surely_finite_is_finite(
        one in values(),
        two in prop_oneof![values(), (0.5..3.0).prop_map(|value| list(vec![value, -value]))],
        three in prop_oneof![times(), (0..3000u64).prop_map(|times| list(vec![times as f64]))],
    ) {
        let grid = Grid::new(read(&one), read(&two), read(&three)).unwrap();
        if grid.is_surely_finite() {
            for input in grid.inputs(0..grid.total()) {
                prop_assert!(input.compute().is_finite(), "{}", input);
                prop_assert!(input.is_surely_finite(), "{}", input);
            }
        }
    }
}

#[test]
fn grids_right_at_the_edge_are_known_for_what_they_are() {
    let mut sure = 0;
    let mut random: u64 = 1;
    for _ in 0..200_000 {
        random = random.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        let factor = 1.0 + (random >> 33) as f64 / f64::from(1u32 << 31);
        // The largest power that is finite, and its neighbours.
        let edge = (1024.0 / factor.log2()) as u64;
        for times in edge.saturating_sub(2)..=edge.saturating_add(1).min(INTEGER_MAX) {
            let axis = |value| Axis::value_of(value).unwrap();
            let grid =
                Grid::new(axis(0.5), axis(factor), axis(times.min(INTEGER_MAX) as f64)).unwrap();
            if grid.is_surely_finite() {
                sure += 1;
                assert!(grid.input(0).compute().is_finite(), "{factor}^{times}");
            }
        }
    }
    assert!(sure > 1000, "the edge is never met: {sure}");
}
