//! Grids: the inputs of a job as the product of named axes, so that an index is its input.
//!
//! The order is row-major: the last axis varies fastest.

use crate::limits::{AXIS_VALUES_MAX, INTEGER_MAX, JOB_TASKS_MAX, NAME_CHARS_MAX};
use crate::number::{Number, written};
use crate::op::{Args, Kind, PARAMS_MAX, Param};
use crate::text::quote;
use serde::de::{Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde::ser::{SerializeMap, SerializeStruct, Serializer};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::ops::Range;
use std::str::FromStr;

/// The inputs of a job: 1 to [`PARAMS_MAX`] axes of different names.
#[derive(Clone, Debug, PartialEq)]
pub struct Grid {
    axes: Vec<(String, Axis)>,
}

/// The values of one parameter: at least one, all finite.
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
    /// A grid of these axes, in their order.
    ///
    /// # Errors
    ///
    /// Returns an error where there are too few or too many axes, two of one name, or more tasks than
    /// [`JOB_TASKS_MAX`].
    pub fn new(axes: Vec<(String, Axis)>) -> Result<Grid, GridError> {
        if !(1..=PARAMS_MAX).contains(&axes.len()) {
            let said = format!("a grid has 1 to {PARAMS_MAX} axes, not {}", axes.len());
            return Err(GridError::new("bad_axes", said));
        }
        for (place, (name, _)) in axes.iter().enumerate() {
            if axes[..place].iter().any(|(before, _)| before == name) {
                let said = format!("the axis {} is there twice", quote(name));
                return Err(GridError::new("bad_axes", said));
            }
            if !(1..=NAME_CHARS_MAX).contains(&name.chars().count()) {
                let said = format!("the name of an axis has 1 to {NAME_CHARS_MAX} characters");
                return Err(GridError::new("bad_axes", said));
            }
        }
        let total = axes
            .iter()
            .try_fold(1u64, |total, (_, axis)| total.checked_mul(axis.len()))
            .filter(|total| *total <= JOB_TASKS_MAX);
        if total.is_none() {
            let counts: Vec<String> = axes.iter().map(|(_, axis)| axis.len().to_string()).collect();
            let said = format!(
                "the grid has {} tasks; a job may have {JOB_TASKS_MAX} (2^53 - 1)",
                counts.join(" × ")
            );
            return Err(GridError::new("too_many_tasks", said));
        }
        Ok(Grid { axes })
    }

    /// Returns an error unless the axes are these parameters, in any order, and their values are such as
    /// these take.
    pub fn check(&self, params: &[Param]) -> Result<(), GridError> {
        let names = || params.iter().map(|param| param.name).collect::<Vec<_>>().join(", ");
        for (name, axis) in &self.axes {
            let Some(param) = params.iter().find(|param| param.name == name) else {
                let said = format!("there is no axis {}; there are {}", quote(name), names());
                return Err(GridError::new("unknown_axis", said));
            };
            axis.check(param.kind).map_err(|error| error.of_axis(name))?;
        }
        let has = |param: &&Param| self.axes.iter().any(|(name, _)| name == param.name);
        match params.iter().find(|param| !has(param)) {
            Some(param) => {
                let said = format!("the axis {} is missing; there are {}", param.name, names());
                Err(GridError::new("missing_axis", said))
            }
            None => Ok(()),
        }
    }

    /// The names of its axes with their values, in their order.
    pub fn axes(&self) -> impl ExactSizeIterator<Item = (&str, &Axis)> + DoubleEndedIterator {
        self.axes.iter().map(|(name, axis)| (name.as_str(), axis))
    }

    /// The number of tasks: the product of the axes' lengths, at least 1.
    pub fn total(&self) -> u64 {
        self.axes.iter().map(|(_, axis)| axis.len()).product()
    }

    /// The value that each axis has for task `index`, which must be below [`Grid::total`]; in the order of
    /// the axes.
    pub fn values(&self, index: u64) -> impl ExactSizeIterator<Item = f64> + '_ {
        let at = self.places(index);
        self.axes.iter().zip(at).map(|((_, axis), at)| axis.value(at))
    }

    /// Calls `task` with the values of `params` for each of the tasks `range`, which must end at or below
    /// [`Grid::total`], in order. The axes must be those parameters (see [`Grid::check`]).
    pub fn each(&self, params: &[Param], range: Range<u64>, mut task: impl FnMut(&Args)) {
        // Which parameter each axis is.
        let mut param_of = [0; PARAMS_MAX];
        for (place, (name, _)) in param_of.iter_mut().zip(&self.axes) {
            *place = params.iter().position(|param| param.name == name).unwrap_or_default();
        }
        // Axes of one value behind it would make each task a row of its own.
        let fastest = self.axes.iter().rposition(|(_, axis)| !axis.is_single()).unwrap_or(0);
        let (_, axis) = &self.axes[fastest];
        let place = param_of[fastest];
        let mut args = [0.0; PARAMS_MAX];
        for (param, (_, axis)) in param_of.iter().zip(&self.axes).skip(fastest + 1) {
            args[*param] = axis.value(0);
        }
        let mut at = self.places(range.start);
        let mut left = range.end.saturating_sub(range.start);
        // Rows that follow each other are found by counting: dividing at each takes as long as a power.
        while left > 0 {
            for (axis, param) in param_of[..fastest].iter().enumerate() {
                args[*param] = self.axes[axis].1.value(at[axis]);
            }
            let count = left.min(axis.len() - at[fastest]);
            for index in at[fastest]..at[fastest] + count {
                args[place] = axis.value(index);
                task(&args);
            }
            left -= count;
            at[fastest] = 0;
            for slower in (0..fastest).rev() {
                at[slower] += 1;
                if at[slower] < self.axes[slower].1.len() {
                    break;
                }
                at[slower] = 0;
            }
        }
    }

    /// Where task `index` is on each axis.
    fn places(&self, index: u64) -> [u64; PARAMS_MAX] {
        let mut places = [0; PARAMS_MAX];
        let mut rest = index;
        for (place, (_, axis)) in places.iter_mut().zip(&self.axes).rev() {
            (rest, *place) = (rest / axis.len(), rest % axis.len());
        }
        places
    }

    /// The memory that it takes, about.
    pub fn bytes(&self) -> usize {
        let of = |(name, axis): &(String, Axis)| {
            let listed = match &axis.0 {
                Values::List(values) => size_of_val(&**values),
                Values::Range { .. } => 0,
            };
            size_of::<(String, Axis)>() + name.len() + listed
        };
        size_of::<Grid>() + self.axes.iter().map(of).sum::<usize>()
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
    /// `bad_step`, `empty_range`, `empty_list`, `too_many_values`, `too_many_tasks`, `bad_axes`,
    /// `unknown_axis` or `missing_axis`.
    pub fn code(&self) -> &'static str {
        self.code
    }
}

/// An object whose fields are the axes, in their order.
impl Serialize for Grid {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.axes.len()))?;
        for (name, axis) in &self.axes {
            map.serialize_entry(name, axis)?;
        }
        map.end()
    }
}

impl<'de> Deserialize<'de> for Grid {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Grid, D::Error> {
        deserializer.deserialize_map(GridVisitor)
    }
}

struct GridVisitor;

impl<'de> Visitor<'de> for GridVisitor {
    type Value = Grid;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object with axes")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Grid, A::Error> {
        let mut axes: Vec<(String, Axis)> = Vec::new();
        while let Some(name) = map.next_key::<String>()? {
            if axes.len() == PARAMS_MAX {
                return Err(A::Error::custom(format_args!("a grid has at most {PARAMS_MAX} axes")));
            }
            let axis = map.next_value();
            let axis = axis.map_err(|error| A::Error::custom(format_args!("{name}: {error}")))?;
            axes.push((name, axis));
        }
        Grid::new(axes).map_err(A::Error::custom)
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

    /// Whether it has one value.
    pub fn is_single(&self) -> bool {
        self.len() == 1
    }

    /// Returns an error where a value is none that a parameter of this kind takes.
    pub fn check(&self, kind: Kind) -> Result<(), GridError> {
        let Kind::Integer { min, max } = kind else { return Ok(()) };
        let wrong = |value: f64| {
            let said = format!("{} is no integer from {min} to {max}", Number(value));
            Err(GridError::new("not_an_integer", said))
        };
        match &self.0 {
            Values::List(values) => {
                let bad = values.iter().find(|value| !kind.takes(**value));
                bad.map_or(Ok(()), |value| wrong(*value))
            }
            Values::Range { from, step, count } => {
                let is_within = |value: f64| (min as f64..=max as f64).contains(&value);
                let last = self.value(count - 1);
                if let Some(value) = [*from, last].into_iter().find(|value| !is_within(*value)) {
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
    written(text).ok_or_else(|| {
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
        Some((whole, part)) if written(whole).is_some() && written(part).is_some() => {
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

    fn grid(json: &str) -> Grid {
        serde_json::from_str(json).unwrap()
    }

    const PARAMS: [Param; 3] = [
        Param { name: "a", kind: Kind::Float, example: 1.0 },
        Param { name: "b", kind: Kind::Float, example: 1.0 },
        Param { name: "c", kind: Kind::COUNT, example: 1.0 },
    ];

    fn args(grid: &Grid, range: Range<u64>) -> Vec<[f64; 3]> {
        let mut all = Vec::new();
        grid.each(&PARAMS, range, |args| all.push([args[0], args[1], args[2]]));
        all
    }

    #[test]
    fn a_grid_is_row_major_and_the_last_axis_is_fastest() {
        let json = r#"{"a":[1,2],"b":"0..=1:0.5","c":{"from":7,"step":1,"count":2}}"#;
        let three = grid(json);
        assert_eq!(three.total(), 12);
        let all = args(&three, 0..12);
        assert_eq!(all[..3], [[1.0, 0.0, 7.0], [1.0, 0.0, 8.0], [1.0, 0.5, 7.0]]);
        assert_eq!(all[11], [2.0, 1.0, 8.0]);
        let json = serde_json::to_string(&three).unwrap();
        assert_eq!(
            json,
            r#"{"a":[1.0,2.0],"b":{"from":0.0,"step":0.5,"count":3},"c":{"from":7.0,"step":1.0,"count":2}}"#
        );
        assert_eq!(grid(&json), three);
        // The order is the submitter's; each parameter has its own values.
        let other = grid(r#"{"c":"0..2","a":[1,2],"b":3}"#);
        let rows = [[1.0, 3.0, 0.0], [2.0, 3.0, 0.0], [1.0, 3.0, 1.0], [2.0, 3.0, 1.0]];
        assert_eq!(args(&other, 0..4), rows);
    }

    #[test]
    fn any_part_of_a_grid_is_what_its_tasks_are_one_by_one() {
        for json in [
            r#"{"a":[1,2,3],"b":"0..4","c":"0..5"}"#,
            r#"{"b":7,"c":"0..5","a":[1,2,3]}"#,
            r#"{"a":1,"b":1,"c":1}"#,
        ] {
            let grid = grid(json);
            grid.check(&PARAMS).unwrap();
            let total = grid.total();
            let single = |index| -> [f64; 3] {
                let named: Vec<_> =
                    grid.axes().map(|(name, _)| name).zip(grid.values(index)).collect();
                let value = |name: &str| named.iter().find(|(of, _)| *of == name).unwrap().1;
                ["a", "b", "c"].map(value)
            };
            let all: Vec<[f64; 3]> = (0..total).map(single).collect();
            for start in 0..=total {
                for end in start..=total {
                    assert_eq!(args(&grid, start..end), all[start as usize..end as usize]);
                }
            }
        }
    }

    #[test]
    fn a_grid_that_is_none_says_why() {
        let nine: Vec<String> = (0..9).map(|axis| format!("\"{axis}\":1")).collect();
        for (json, said) in [
            ("{}", "1 to 8 axes, not 0"),
            (&*format!("{{{}}}", nine.join(",")), "at most 8 axes"),
            (r#"{"a":1,"a":2}"#, "a is there twice"),
            (r#"{"":1}"#, "1 to 64 characters"),
            (r#"{"a":[]}"#, "a: a list needs at least one value"),
            (r#"{"a":"0..9007199254740991","b":"1,2"}"#, "2^53 - 1"),
            (r#"{"a":{"from":0,"step":1,"count":0}}"#, "a: the range is empty"),
            (r#"{"a":true}"#, "expected an axis"),
        ] {
            let error = serde_json::from_str::<Grid>(json).unwrap_err().to_string();
            assert!(error.contains(said), "{json}: {error}");
        }
        for (json, code, said) in [
            (r#"{"a":1,"b":1,"c":"0..=1:0.5"}"#, "not_an_integer", "c: 0.5 is no integer from 0"),
            (r#"{"a":1,"b":1,"c":-1}"#, "not_an_integer", "c: -1 is no integer"),
            (r#"{"a":1,"b":1,"c":"9007199254740991,9007199254740992"}"#, "not_an_integer", "c: "),
            (r#"{"a":1,"b":1}"#, "missing_axis", "the axis c is missing; there are a, b, c"),
            (r#"{"a":1,"b":1,"c":1,"d":1}"#, "unknown_axis", "there is no axis d"),
        ] {
            let error = grid(json).check(&PARAMS).unwrap_err();
            assert!(error.to_string().contains(said), "{json}: {error}");
            assert_eq!(error.code(), code);
        }
    }

    #[test]
    fn the_sign_of_zero_survives() {
        let minus = grid(r#"{"a":-0.0}"#);
        let back = grid(&serde_json::to_string(&minus).unwrap());
        for grid in [minus, back] {
            assert!(grid.values(0).all(|value| value == 0.0 && value.is_sign_negative()));
        }
    }
}
