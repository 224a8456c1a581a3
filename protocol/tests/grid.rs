//! Grids beside what nested loops would do.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers as well")]

use proptest::prelude::*;
use tequio_protocol::grid::{Axis, Grid};
use tequio_protocol::limits::INTEGER_MAX;
use tequio_protocol::op::{self, Args, Inputs, Kind, Op, PARAMS_MAX, Param};
use tequio_protocol::outcome::Outcome;
use tequio_protocol::piece::Piece;

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

/// Axes of these values, by names that are of use to nobody.
fn grid_of(names: &[&str], written: &[Written]) -> Grid {
    let axes = names.iter().zip(written).map(|(name, axis)| ((*name).to_owned(), read(axis)));
    Grid::new(axes.collect()).unwrap()
}

const NAMES: [&str; PARAMS_MAX] = ["a", "b", "c", "d", "e", "f", "g", "h"];

/// What nested loops over these give, the last one innermost.
fn nested(written: &[Written]) -> Vec<Vec<f64>> {
    written.iter().fold(vec![Vec::new()], |rows, (_, values)| {
        let with =
            |row: &Vec<f64>| values.iter().map(|value| [&row[..], &[*value]].concat()).collect();
        rows.iter().flat_map(|row: &Vec<f64>| -> Vec<Vec<f64>> { with(row) }).collect()
    })
}

fn repeat_multiply() -> &'static dyn Op {
    op::named("repeat_multiply").unwrap()
}

fn compute(args: &Args) -> Outcome {
    let input = op::write_input(repeat_multiply().params(), args);
    Piece::of_one(repeat_multiply(), &input).compute().get(0).to_owned()
}

/// Whether the op says at once that no claim of an infinite result can be right; where it does, it is not.
fn is_sure(args: &Args) -> bool {
    let infinite = Outcome::Result("\"Infinity\"");
    let is_sure = repeat_multiply().is_impossible(infinite, &mut || *args);
    if is_sure {
        let Outcome::Result(result) = compute(args) else { panic!("no result of {args:?}") };
        assert!(!result.starts_with('"'), "{result} of {args:?}");
    }
    is_sure
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
    fn a_grid_is_nested_loops(
        written in prop::collection::vec(values(), 1..4),
        single in prop::collection::vec(any::<i32>(), 0..=4),
        at in any::<prop::sample::Index>(),
    ) {
        // Axes of one value among the others.
        let mut written = written;
        for value in single {
            written.insert(at.index(written.len() + 1), list(vec![f64::from(value)]));
        }
        let grid = grid_of(&NAMES, &written);
        let expected = nested(&written);
        prop_assert_eq!(grid.total(), expected.len() as u64);
        for (index, row) in (0..).zip(&expected) {
            prop_assert_eq!(&grid.values(index).collect::<Vec<_>>(), row, "task {}", index);
        }
        let json = serde_json::to_string(&grid).unwrap();
        prop_assert_eq!(&serde_json::from_str::<Grid>(&json).unwrap(), &grid);
        let texts = NAMES.iter().zip(&written).map(|(name, axis)| format!("\"{name}\":\"{}\"", axis.0));
        let text = format!("{{{}}}", texts.collect::<Vec<_>>().join(","));
        let of_text: Grid = serde_json::from_str(&text).unwrap();
        prop_assert_eq!(serde_json::to_string(&of_text).unwrap(), json);
    }

    /// Parameters are found by their names, whatever the order of the axes is, from any task to any other.
    #[test]
    fn tasks_have_the_values_of_their_parameters(
        written in prop::collection::vec(values(), 1..4),
        turn in 0..4usize,
        from in any::<prop::sample::Index>(),
        count in 0..50usize,
    ) {
        let grid = grid_of(&NAMES, &written);
        let rows = nested(&written);
        let mut params: Vec<Param> = NAMES[..written.len()].iter()
            .map(|name| Param { name, kind: Kind::Float, example: 0.0 })
            .collect();
        params.rotate_left(turn % written.len());
        grid.check(&params).unwrap();
        let first = from.index(rows.len());
        let end = rows.len().min(first + count);
        let mut found = Vec::new();
        grid.each(&params, first as u64..end as u64, |args| found.push(*args));
        prop_assert_eq!(found.len(), end - first);
        for (index, (args, row)) in (first..).zip(found.iter().zip(&rows[first..end])) {
            for (param, value) in params.iter().zip(args) {
                let axis = NAMES.iter().position(|name| *name == param.name).unwrap();
                prop_assert_eq!(value.to_bits(), row[axis].to_bits(), "{} of task {}", param.name, index);
            }
            prop_assert!(args[params.len()..].iter().all(|value| *value == 0.0));
            let text = Inputs::Grid(&grid).text(&params, index as u64);
            let mut reader = op::Reader::new(&params);
            prop_assert_eq!(reader.read(&text).unwrap(), args);
        }
    }

    #[test]
    fn what_is_surely_finite_is_finite(
        one in values(),
        two in prop_oneof![values(), (0.5..3.0).prop_map(|value| list(vec![value, -value]))],
        three in prop_oneof![times(), (0..3000u64).prop_map(|times| list(vec![times as f64]))],
    ) {
        let grid = grid_of(&["initial", "factor", "times"], &[one, two, three]);
        grid.each(repeat_multiply().params(), 0..grid.total(), |args| {
            is_sure(args);
            let right = compute(args);
            let is_impossible = repeat_multiply().is_impossible(right.as_ref(), &mut || *args);
            assert!(!is_impossible, "{right:?} of {args:?}");
        });
    }
}

#[test]
fn tasks_right_at_the_edge_are_known_for_what_they_are() {
    let mut sure = 0;
    let mut random: u64 = 1;
    for _ in 0..200_000 {
        random = random.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        let factor = 1.0 + (random >> 33) as f64 / f64::from(1u32 << 31);
        // The largest power that is finite, and its neighbours.
        let edge = (1024.0 / factor.log2()) as u64;
        for times in edge.saturating_sub(2)..=edge.saturating_add(1).min(INTEGER_MAX) {
            let mut args: Args = [0.0; PARAMS_MAX];
            args[..3].copy_from_slice(&[0.5, factor, times as f64]);
            sure += u64::from(is_sure(&args));
        }
    }
    assert!(sure > 1000, "the edge is never met: {sure}");
}
