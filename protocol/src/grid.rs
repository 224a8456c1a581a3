//! Grids: the inputs of a job as the product of axes, so that an index is its input.
//!
//! The order is row-major in the order of the op's fields: of `initial`, `factor` and `times`, the
//! last varies fastest.

use crate::limits::{AXIS_VALUES_MAX, INTEGER_MAX, JOB_TASKS_MAX};
use crate::number::Number;
use crate::op::RepeatMultiply;
use crate::text::quote;
use serde::de::{Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde::ser::{SerializeStruct, Serializer};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::ops::Range;
use std::str::FromStr;

/// The inputs of a `repeat_multiply` job. Every input of a value of this type is in range.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Axes")]
pub struct Grid {
    initial: Axis,
    factor: Axis,
    times: Axis,
}

/// The values of one input field: at least one, all finite.
///
/// Written by people as `3`, `1,2,5`, `0..100` (without 100), `0..=100` (with), `0..=1:0.25` (by
/// steps); in JSON as a number, an array of numbers, such a string, or `{"from","step","count"}`.
#[derive(Clone, Debug, PartialEq)]
pub struct Axis(Values);

#[derive(Clone, Debug, PartialEq)]
enum Values {
    List(Vec<f64>),
    /// The i-th value is `from + i × step`, each operation rounded once.
    Range {
        from: f64,
        step: f64,
        count: u64,
    },
}

/// Why a grid was refused: which axis, and what would be right.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct GridError {
    code: &'static str,
    message: String,
}

impl Grid {
    /// Errs where a `times` is no integer from 0 to 2^53 - 1, or where the product of the axes is
    /// above [`JOB_TASKS_MAX`].
    pub fn new(initial: Axis, factor: Axis, times: Axis) -> Result<Grid, GridError> {
        times.check_times().map_err(|error| error.of_axis("times"))?;
        let total = [&initial, &factor, &times]
            .into_iter()
            .try_fold(1u64, |total, axis| total.checked_mul(axis.len()))
            .filter(|total| *total <= JOB_TASKS_MAX);
        if total.is_none() {
            let said = format!(
                "the grid has {} × {} × {} tasks; a job may have {JOB_TASKS_MAX} (2^53 - 1)",
                initial.len(),
                factor.len(),
                times.len()
            );
            return Err(GridError::new("too_many_tasks", said));
        }
        Ok(Grid { initial, factor, times })
    }

    /// The number of tasks: the product of the axes' lengths, at least 1.
    pub fn total(&self) -> u64 {
        self.initial.len() * self.factor.len() * self.times.len()
    }

    /// The input of task `index`, which must be below [`Grid::total`].
    pub fn input(&self, index: u64) -> RepeatMultiply {
        let at = self.indices(index);
        self.input_of(self.row(at), at[2])
    }

    /// Where task `index` is on each axis.
    fn indices(&self, index: u64) -> [u64; 3] {
        let (row, times) = (index / self.times.len(), index % self.times.len());
        [row / self.factor.len(), row % self.factor.len(), times]
    }

    fn row(&self, [initial, factor, _]: [u64; 3]) -> (f64, f64) {
        (self.initial.value(initial), self.factor.value(factor))
    }

    fn input_of(&self, (initial, factor): (f64, f64), times: u64) -> RepeatMultiply {
        RepeatMultiply::new(initial, factor, self.times.value(times) as u64)
            .expect("every input of a grid is in range")
    }

    /// The inputs of tasks `range`, which must end at or below [`Grid::total`].
    pub fn inputs(&self, range: Range<u64>) -> impl Iterator<Item = RepeatMultiply> + '_ {
        let left = range.end.saturating_sub(range.start);
        let rows = Rows { grid: self, left, at: self.indices(range.start) };
        rows.flat_map(move |(row, times)| times.map(move |times| self.input_of(row, times)))
    }

    /// The memory that it takes, about.
    pub fn bytes(&self) -> usize {
        let listed = |axis: &Axis| match &axis.0 {
            Values::List(values) => size_of_val(&**values),
            Values::Range { .. } => 0,
        };
        size_of::<Grid>() + listed(&self.initial) + listed(&self.factor) + listed(&self.times)
    }

    /// Whether every result is finite for certain; false where some may be finite or not.
    pub fn is_surely_finite(&self) -> bool {
        let magnitude = |axis: &Axis| axis.extremes().into_iter().map(f64::abs).fold(0.0, f64::max);
        let corner = RepeatMultiply::new(
            magnitude(&self.initial),
            magnitude(&self.factor),
            magnitude(&self.times) as u64,
        );
        corner.is_ok_and(|corner| corner.is_surely_finite())
    }
}

/// Rows that follow each other, found by counting: dividing at each would take as long as a power.
struct Rows<'a> {
    grid: &'a Grid,
    /// How many tasks they have still.
    left: u64,
    /// Where the next row begins on its axes.
    at: [u64; 3],
}

impl Iterator for Rows<'_> {
    /// The initial and the factor of a row, and which of `times` are in it.
    type Item = ((f64, f64), Range<u64>);

    fn next(&mut self) -> Option<Self::Item> {
        if self.left == 0 {
            return None;
        }
        let [initial, factor, times] = self.at;
        let count = self.left.min(self.grid.times.len() - times);
        self.left -= count;
        let is_last = factor + 1 == self.grid.factor.len();
        self.at = if is_last { [initial + 1, 0, 0] } else { [initial, factor + 1, 0] };
        Some((self.grid.row([initial, factor, times]), times..times + count))
    }
}

impl GridError {
    fn new(code: &'static str, message: impl Into<String>) -> GridError {
        GridError { code, message: message.into() }
    }

    fn of_axis(self, name: &str) -> GridError {
        GridError { message: format!("{name}: {}", self.message), ..self }
    }

    /// What is wrong, in a word that stays as it is, so that a page can say it in another language:
    /// `not_a_number`, `decimal_comma`, `three_dots`, `not_finite`, `not_an_integer`, `backwards`,
    /// `bad_step`, `empty_range`, `empty_list`, `too_many_values` or `too_many_tasks`.
    pub fn code(&self) -> &'static str {
        self.code
    }
}

/// A grid before it is checked.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Axes {
    #[serde(deserialize_with = "initial")]
    initial: Axis,
    #[serde(deserialize_with = "factor")]
    factor: Axis,
    #[serde(deserialize_with = "times")]
    times: Axis,
}

fn initial<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Axis, D::Error> {
    named("initial", deserializer)
}

fn factor<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Axis, D::Error> {
    named("factor", deserializer)
}

fn times<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Axis, D::Error> {
    named("times", deserializer)
}

/// An axis whose error says which one it is.
fn named<'de, D: Deserializer<'de>>(name: &str, deserializer: D) -> Result<Axis, D::Error> {
    Axis::deserialize(deserializer).map_err(|error| D::Error::custom(format!("{name}: {error}")))
}

impl TryFrom<Axes> for Grid {
    type Error = GridError;

    fn try_from(axes: Axes) -> Result<Grid, GridError> {
        Grid::new(axes.initial, axes.factor, axes.times)
    }
}

impl Axis {
    /// One value.
    pub fn value_of(value: f64) -> Result<Axis, GridError> {
        Axis::list(vec![value])
    }

    /// Values in their order.
    pub fn list(values: Vec<f64>) -> Result<Axis, GridError> {
        if values.is_empty() {
            return Err(GridError::new("empty_list", "a list needs at least one value"));
        }
        if values.len() > AXIS_VALUES_MAX {
            let said = format!(
                "a list of {} values; an axis may list {AXIS_VALUES_MAX}: give more as inputs",
                values.len()
            );
            return Err(GridError::new("too_many_values", said));
        }
        match values.iter().find(|value| !value.is_finite()) {
            Some(value) => {
                Err(GridError::new("not_finite", format!("values must be finite, not {value}")))
            }
            None => Ok(Axis(Values::List(values))),
        }
    }

    /// The values `from + i × step` for `i` from 0 to `count - 1`.
    pub fn range(from: f64, step: f64, count: u64) -> Result<Axis, GridError> {
        if count == 0 {
            return Err(GridError::new("empty_range", "the range is empty"));
        }
        let last = from + (count - 1) as f64 * step;
        let is_finite = from.is_finite() && step.is_finite() && last.is_finite();
        if !is_finite || count > JOB_TASKS_MAX {
            let code = if is_finite { "too_many_values" } else { "not_finite" };
            return Err(GridError::new(code, "a range needs finite bounds and a finite step"));
        }
        Ok(Axis(Values::Range { from, step, count }))
    }

    /// How many values there are, at least 1.
    pub fn len(&self) -> u64 {
        match &self.0 {
            Values::List(values) => values.len() as u64,
            Values::Range { count, .. } => *count,
        }
    }

    /// Never: an axis has at least one value.
    pub fn is_empty(&self) -> bool {
        false
    }

    /// The value at `index`, which must be below [`Axis::len`].
    pub fn value(&self, index: u64) -> f64 {
        match &self.0 {
            Values::List(values) => values[index as usize],
            Values::Range { from, step, .. } => from + index as f64 * step,
        }
    }

    /// Values between which all others lie.
    fn extremes(&self) -> [f64; 2] {
        match &self.0 {
            Values::List(values) => {
                let lowest = values.iter().copied().fold(f64::INFINITY, f64::min);
                [lowest, values.iter().copied().fold(f64::NEG_INFINITY, f64::max)]
            }
            Values::Range { from, count, .. } => [*from, self.value(count - 1)],
        }
    }

    /// Errs where a value is no integer from 0 to 2^53 - 1, as those of `times` are.
    pub fn check_times(&self) -> Result<(), GridError> {
        let is_times = |value: f64| (0.0..=INTEGER_MAX as f64).contains(&value);
        let wrong = |value: f64| {
            let said = format!("{} is no integer from 0 to {INTEGER_MAX}", Number(value));
            Err(GridError::new("not_an_integer", said))
        };
        match &self.0 {
            Values::List(values) => {
                let bad = values.iter().find(|value| !is_times(**value) || value.fract() != 0.0);
                bad.map_or(Ok(()), |value| wrong(*value))
            }
            Values::Range { from, step, count } => {
                let last = self.value(count - 1);
                if let Some(value) = [*from, last].into_iter().find(|value| !is_times(*value)) {
                    return wrong(value);
                }
                if from.fract() != 0.0 || (step.fract() != 0.0 && *count > 1) {
                    return wrong(if from.fract() != 0.0 { *from } else { from + step });
                }
                Ok(())
            }
        }
    }
}

impl FromStr for Axis {
    type Err = GridError;

    fn from_str(text: &str) -> Result<Axis, GridError> {
        if text.contains("...") || text.contains('…') {
            // Two dots and a fraction, for a machine; no person means that.
            let said = format!("`{}` has three dots; a range has two, as in 0..5", quote(text));
            return Err(GridError::new("three_dots", said));
        }
        if let Some((from, rest)) = text.split_once("..") {
            parse_range(text, from, rest)
        } else {
            Axis::list(text.split(',').map(parse_value).collect::<Result<_, _>>()?)
        }
    }
}

fn parse_value(text: &str) -> Result<f64, GridError> {
    let text = text.trim();
    text.parse::<f64>().ok().filter(|value| value.is_finite()).ok_or_else(|| {
        let said = format!(
            "`{}` is no number; an axis is 3, or 1,2,5, or 0..100, or 0..=1:0.25",
            quote(text)
        );
        GridError::new("not_a_number", said)
    })
}

/// A bound of a range, or its step: a number alone, of which a comma is no part.
fn parse_bound(text: &str) -> Result<f64, GridError> {
    parse_value(text).map_err(|error| match text.trim().split_once(',') {
        Some((whole, part)) if whole.parse::<f64>().is_ok() && part.parse::<f64>().is_ok() => {
            let said = format!(
                "`{}` has a comma, which parts the values of a list; a fraction is written with a \
                 point, as in 0.5",
                quote(text.trim())
            );
            GridError::new("decimal_comma", said)
        }
        _ => error,
    })
}

fn parse_range(text: &str, from: &str, rest: &str) -> Result<Axis, GridError> {
    let (to, step) = rest.split_once(':').unwrap_or((rest, "1"));
    let (to, is_inclusive) = match to.strip_prefix('=') {
        Some(to) => (to, true),
        None => (to, false),
    };
    let (from, to, step) = (parse_bound(from)?, parse_bound(to)?, parse_bound(step)?);
    let text = quote(text);
    if step <= 0.0 {
        return Err(GridError::new("bad_step", format!("`{text}`: the step must be above 0")));
    }
    if from > to {
        let said = format!("`{text}` runs backwards: the first bound is the lower one");
        return Err(GridError::new("backwards", said));
    }
    let count = steps(from, to, step, is_inclusive);
    match count {
        Some(0) => {
            let said = format!("`{text}` is empty; `..=` includes the last bound");
            Err(GridError::new("empty_range", said))
        }
        Some(count) => Axis::range(from, step, count),
        None => {
            let said = format!("`{text}` has more than {JOB_TASKS_MAX} values");
            Err(GridError::new("too_many_values", said))
        }
    }
}

/// How many values a range has; `None` if more than a job may have.
///
/// Integers are counted exactly. Fractions such as 0.1 are not what they look like, so a bound that
/// is missed by a few roundings counts as met, as 0.3 is in `0..=0.3:0.1`.
fn steps(from: f64, to: f64, step: f64, is_inclusive: bool) -> Option<u64> {
    let is_integer = |value: f64| value.fract() == 0.0 && value.abs() <= INTEGER_MAX as f64;
    let count = if [from, to, step].into_iter().all(is_integer) {
        let (span, step) = (to as i128 - from as i128, step as i128);
        if is_inclusive { span / step + 1 } else { (span + step - 1) / step }
    } else {
        let span = (to - from) / step;
        let slack = 8.0 * f64::EPSILON * ((from.abs() + to.abs()) / step).max(1.0);
        // Far from 0 a few roundings are more than a step, and steps are counted all the same.
        let slack = slack.min(1.0 / 16.0);
        let count = if is_inclusive { (span + slack).floor() + 1.0 } else { (span - slack).ceil() };
        // Saturates; what is no number of tasks is refused below.
        count.max(0.0) as i128
    };
    u64::try_from(count).ok().filter(|count| *count <= JOB_TASKS_MAX)
}

impl Serialize for Axis {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match &self.0 {
            Values::List(values) if values.len() == 1 => serializer.serialize_f64(values[0]),
            Values::List(values) => values.serialize(serializer),
            Values::Range { from, step, count } => {
                let mut range = serializer.serialize_struct("Axis", 3)?;
                range.serialize_field("from", from)?;
                range.serialize_field("step", step)?;
                range.serialize_field("count", count)?;
                range.end()
            }
        }
    }
}

impl<'de> Deserialize<'de> for Axis {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Axis, D::Error> {
        deserializer.deserialize_any(AxisVisitor)
    }
}

struct AxisVisitor;

impl<'de> Visitor<'de> for AxisVisitor {
    type Value = Axis;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "an axis: a number, an array of numbers, a string such as \"0..=1:0.25\", \
             or {\"from\", \"step\", \"count\"}",
        )
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Axis, E> {
        Axis::value_of(value).map_err(E::custom)
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Axis, E> {
        self.visit_f64(value as f64)
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Axis, E> {
        self.visit_f64(value as f64)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Axis, E> {
        text.parse().map_err(E::custom)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Axis, A::Error> {
        let mut values = Vec::new();
        while let Some(value) = seq.next_element()? {
            if values.len() > AXIS_VALUES_MAX {
                break;
            }
            values.push(value);
        }
        Axis::list(values).map_err(A::Error::custom)
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Axis, A::Error> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Fields {
            from: f64,
            step: f64,
            count: u64,
        }
        let fields = Fields::deserialize(serde::de::value::MapAccessDeserializer::new(map))?;
        Axis::range(fields.from, fields.step, fields.count).map_err(A::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(text: &str) -> Vec<f64> {
        let axis: Axis = text.parse().unwrap();
        (0..axis.len()).map(|index| axis.value(index)).collect()
    }

    #[test]
    fn axes_are_written_as_people_write_them() {
        assert_eq!(values("3"), [3.0]);
        assert_eq!(values("1, 2,5"), [1.0, 2.0, 5.0]);
        assert_eq!(values("0..4"), [0.0, 1.0, 2.0, 3.0]);
        assert_eq!(values("-1..=1"), [-1.0, 0.0, 1.0]);
        assert_eq!(values("0..=1:0.25"), [0.0, 0.25, 0.5, 0.75, 1.0]);
        assert_eq!(values("0..1:0.25"), [0.0, 0.25, 0.5, 0.75]);
        assert_eq!(values("5..=5"), [5.0]);
        assert_eq!(values("0..10:3"), [0.0, 3.0, 6.0, 9.0]);
        assert_eq!(values("0..=0.3:0.1").len(), 4, "0.3 is meant, though 3 × 0.1 misses it");
        assert_eq!(values("0..0.3:0.1").len(), 3);
        assert_eq!(values("1e3..=1.002e3"), [1000.0, 1001.0, 1002.0]);
    }

    #[test]
    fn what_is_no_axis_is_refused_with_what_is_wrong() {
        for (text, code, said) in [
            ("", "not_a_number", "`` is no number"),
            ("x", "not_a_number", "`x` is no number"),
            ("1,,2", "not_a_number", "`` is no number"),
            ("inf", "not_a_number", "`inf` is no number"),
            ("3..1", "backwards", "runs backwards"),
            ("3..3", "empty_range", "is empty"),
            ("0..1:0", "bad_step", "step must be above 0"),
            ("0..1:-1", "bad_step", "step must be above 0"),
            ("0..1:2:3", "not_a_number", "`2:3` is no number"),
            ("0...5", "three_dots", "`0...5` has three dots"),
            ("0 … 5", "three_dots", "as in 0..5"),
            ("0...=5:0.5", "three_dots", "as in 0..5"),
            ("0,5..2", "decimal_comma", "`0,5` has a comma"),
            ("0..=1,5", "decimal_comma", "`1,5` has a comma"),
            ("0..=1:0,25", "decimal_comma", "as in 0.5"),
            ("0..x,5", "not_a_number", "`x,5` is no number"),
            ("0..1,x", "not_a_number", "`1,x` is no number"),
            ("0..1e300", "too_many_values", "more than 9007199254740991"),
        ] {
            let error = text.parse::<Axis>().unwrap_err();
            assert!(error.to_string().contains(said), "{text}: {error}");
            assert_eq!(error.code(), code, "{text}: {error}");
        }
    }

    #[test]
    fn what_no_text_says_is_refused_as_well() {
        for (axis, code, said) in [
            (Axis::list(vec![]), "empty_list", "at least one value"),
            (Axis::list(vec![0.0; AXIS_VALUES_MAX + 1]), "too_many_values", "1025 values"),
            (Axis::list(vec![f64::NAN]), "not_finite", "not NaN"),
            (Axis::range(0.0, 1.0, 0), "empty_range", "is empty"),
            (Axis::range(0.0, f64::MAX, 3), "not_finite", "finite bounds"),
            (Axis::range(0.0, 1.0, JOB_TASKS_MAX + 1), "too_many_values", "finite bounds"),
        ] {
            let error = axis.unwrap_err();
            assert!(error.to_string().contains(said), "{error}");
            assert_eq!(error.code(), code, "{error}");
        }
    }

    #[test]
    fn a_grid_is_row_major_and_the_last_axis_is_fastest() {
        let grid: Grid = serde_json::from_str(
            r#"{"initial":[1,2],"factor":"0..=1:0.5","times":{"from":7,"step":1,"count":2}}"#,
        )
        .unwrap();
        assert_eq!(grid.total(), 12);
        let inputs: Vec<_> =
            grid.inputs(0..12).map(|i| (i.initial(), i.factor(), i.times())).collect();
        assert_eq!(inputs[..3], [(1.0, 0.0, 7), (1.0, 0.0, 8), (1.0, 0.5, 7)]);
        assert_eq!(inputs[11], (2.0, 1.0, 8));
        let json = serde_json::to_string(&grid).unwrap();
        assert_eq!(
            json,
            r#"{"initial":[1.0,2.0],"factor":{"from":0.0,"step":0.5,"count":3},"times":{"from":7.0,"step":1.0,"count":2}}"#
        );
        assert_eq!(serde_json::from_str::<Grid>(&json).unwrap(), grid);
    }

    #[test]
    fn a_grid_out_of_range_names_the_axis() {
        for (grid, said) in [
            (r#"{"initial":1,"factor":1,"times":"0..=1:0.5"}"#, "times: 0.5 is no integer"),
            (r#"{"initial":1,"factor":1,"times":-1}"#, "times: -1 is no integer"),
            (r#"{"initial":1,"factor":1,"times":[]}"#, "at least one value"),
            (r#"{"initial":"0..9007199254740991","factor":"1,2","times":1}"#, "2^53 - 1"),
            (r#"{"initial":1,"factor":1}"#, "missing field `times`"),
            (r#"{"initial":1,"factor":1,"times":1,"color":2}"#, "unknown field `color`"),
            (r#"{"initial":{"from":0,"step":1,"count":0},"factor":1,"times":1}"#, "is empty"),
            (r#"{"initial":true,"factor":1,"times":1}"#, "expected an axis"),
        ] {
            let error = serde_json::from_str::<Grid>(grid).unwrap_err().to_string();
            assert!(error.contains(said), "{grid}: {error}");
        }
    }

    #[test]
    fn a_grid_knows_whether_its_results_are_finite() {
        let is_sure = |json: &str| serde_json::from_str::<Grid>(json).unwrap().is_surely_finite();
        assert!(is_sure(r#"{"initial":[-1,2],"factor":"-1..=1:0.5","times":"0..1000000"}"#));
        assert!(!is_sure(r#"{"initial":1,"factor":[-2,1],"times":[1,1024]}"#));
    }

    #[test]
    fn the_sign_of_zero_survives() {
        let grid: Grid = serde_json::from_str(r#"{"initial":-0.0,"factor":1,"times":1}"#).unwrap();
        assert!(grid.input(0).initial().is_sign_negative());
        let back: Grid = serde_json::from_str(&serde_json::to_string(&grid).unwrap()).unwrap();
        assert!(back.input(0).initial().is_sign_negative());
    }
}
