//! A job of a grid, as the body of a request has it; what is wrong with one is said in words of our own.

use crate::api::JobRequest;
use crate::check::Check;
use crate::fault::{Field, Kind as ValueKind, fields};
use crate::grid::{Axis, Grid};
use crate::limits::AXIS_VALUES_MAX;
use crate::number::Number;
use crate::op::{self, Kind, Op, OpId, Param};
use crate::text::quote;
use serde::de::IgnoredAny;
use serde_json::Value;

/// Why a text is no job: clauses without a full stop.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum JobError {
    /// It is no JSON.
    Json(String),
    /// It is JSON, and no job.
    Job {
        /// The op that it asks for, if that is known.
        op: Option<OpId>,
        /// What is wrong.
        said: String,
    },
    /// There is no op of this name.
    Op(String),
}

/// What a job asks to be computed, before anybody has looked whether there is such a thing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    /// The op's name, or a kernel's name or hash.
    pub op: String,
    /// The names of its axes, in order.
    pub axes: Vec<String>,
    /// Tasks in a block, where that is said.
    pub block: Option<u64>,
    /// The hash of the data that a kernel is given, if there is any.
    pub data: Option<String>,
}

impl JobError {
    /// What a job looks like: of the op that was asked for, where it asked for one.
    pub fn example(&self) -> String {
        let asked = match self {
            JobError::Job { op: Some(op), .. } => op.known(),
            _ => None,
        };
        example(asked.unwrap_or(op::ALL[0]))
    }
}

/// What a job of this op looks like: a value for each parameter, and a range for the last one.
pub fn example(op: &dyn Op) -> String {
    let params = op.params();
    let axis = |(place, param): (usize, &Param)| {
        let is_last = place + 1 == params.len();
        let values = if is_last { range(param) } else { Number(param.example).to_string() };
        format!("\"{}\":{values}", param.name)
    };
    let axes = params.iter().enumerate().map(axis).collect::<Vec<_>>().join(",");
    match op.kernel() {
        Some(kernel) => {
            let hash = &kernel.id().module.as_str()[..8];
            format!(r#"{{"kernel":"{hash}","axes":{{{axes}}}}}"#)
        }
        None => format!(r#"{{"op":"{}","axes":{{{axes}}}}}"#, op.name()),
    }
}

/// A range of values that a parameter takes, as JSON.
fn range(param: &Param) -> String {
    match param.kind {
        Kind::Float => r#""0..=1:0.25""#.to_owned(),
        Kind::Integer { min, max } => {
            let from = min.max(0).min(max);
            match max - from {
                0 => from.to_string(),
                100.. if from == 0 => r#""0..100""#.to_owned(),
                room => format!("\"{from}..={}\"", from + room.min(99)),
            }
        }
    }
}

/// Reads a job of a grid, of an op that is built in or that this process knows.
///
/// # Errors
///
/// Returns what is wrong and where.
pub fn read(text: &[u8]) -> Result<JobRequest, JobError> {
    read_with(text, |asked| op::named(&asked.op).ok_or(JobError::Op(asked.op)))
}

/// Reads a job of a grid, of an op that `find` finds.
///
/// # Errors
///
/// Returns what is wrong and where.
pub fn read_with(
    text: &[u8],
    find: impl FnOnce(Asked) -> Result<&'static dyn Op, JobError>,
) -> Result<JobRequest, JobError> {
    let text = str::from_utf8(text).map_err(|error| {
        JobError::Json(format!("byte {} is no text in UTF-8", error.valid_up_to() + 1))
    })?;
    let bad = |said| JobError::Job { op: None, said };
    let fields = fields(text.trim_start_matches('\u{feff}')).map_err(|fault| {
        let (line, column) = fault.place_in(text);
        let said = format!("line {line}, column {column}: {}", fault.said);
        let is_json = serde_json::from_str::<IgnoredAny>(text).is_ok();
        if is_json { bad(said) } else { JobError::Json(said) }
    })?;
    let asked = asked(&fields).map_err(bad)?;
    let (block, data) = (asked.block, asked.data.clone());
    let op = find(asked)?;
    rest(op, &fields)
        .map(|job| JobRequest { block, data, ..job })
        .map_err(|said| JobError::Job { op: Some(op.into()), said })
}

fn asked(given: &[Field<'_>]) -> Result<Asked, String> {
    let name = match (optional("op", given), optional("kernel", given)) {
        (Some(_), Some(_)) => {
            return Err("\"op\" and \"kernel\" are both there; a job has one of them".to_owned());
        }
        (None, Some(kernel)) => kernel,
        _ => required("op", given)?,
    };
    if name.kind != ValueKind::Text {
        return Err(format!("\"{}\" is {}; it must be an op's name", name.name, name.is()));
    }
    let data = match optional("data", given) {
        Some(data) if data.kind == ValueKind::Text => Some(text_of(data)),
        Some(data) => return Err(format!("\"data\" is {}; it must be a hash", data.is())),
        None => None,
    };
    let block = match optional("block", given) {
        Some(block) => Some(block.value.parse().map_err(|_| {
            format!("\"block\" is {}; it must be a power of two, such as 64", block.is())
        })?),
        None => None,
    };
    let axes = optional("axes", given).or_else(|| optional("grid", given));
    let axes = axes.and_then(|axes| fields(axes.value).ok()).unwrap_or_default();
    let axes = axes.into_iter().map(|axis| axis.name).collect();
    Ok(Asked { op: text_of(name), axes, block, data })
}

fn rest(op: &'static dyn Op, given: &[Field<'_>]) -> Result<JobRequest, String> {
    let mut names = vec!["op", "axes", "grid", "name", "priority", "check"];
    if op.kernel().is_some() {
        names.extend(["kernel", "block", "data"]);
    }
    known(given, &names, "a job")?;
    let grid = grid(op.params(), given)?;
    let name = match optional("name", given) {
        Some(name) if name.kind == ValueKind::Text => Some(text_of(name)),
        Some(name) => return Err(format!("\"name\" is {}; it must be a text", name.is())),
        None => None,
    };
    let priority = match optional("priority", given) {
        Some(priority) => priority.value.parse().map_err(|_| {
            let (least, most) = (i32::MIN, i32::MAX);
            let is = priority.is();
            format!("\"priority\" is {is}; it must be a whole number from {least} to {most}")
        })?,
        None => 0,
    };
    let check = match optional("check", given) {
        Some(check) if check.kind == ValueKind::Text => {
            text_of(check).parse().map_err(|said| format!("\"check\" is {}; {said}", check.is()))?
        }
        Some(check) => return Err(format!("\"check\" is {}; it must be a text", check.is())),
        None => Check::default(),
    };
    Ok(JobRequest { op: op.into(), grid, name, priority, block: None, data: None, check })
}

/// The grid of a job, which says it in one of two ways: `axes` in their order, or `grid` in the order of the
/// op's parameters.
fn grid(params: &[Param], given: &[Field<'_>]) -> Result<Grid, String> {
    let (key, object) = match (optional("axes", given), optional("grid", given)) {
        (Some(axes), None) => ("axes", axes),
        (None, Some(grid)) => ("grid", grid),
        (None, None) => return Err("\"axes\" or \"grid\" is missing".to_owned()),
        (Some(_), Some(_)) => {
            return Err("\"axes\" and \"grid\" are both there; a job has one of them".to_owned());
        }
    };
    if object.kind != ValueKind::Object {
        return Err(format!("\"{key}\" is {}; it must be an object with axes", object.is()));
    }
    let given = fields(object.value).map_err(|fault| fault.said)?;
    let names: Vec<&str> = params.iter().map(|param| param.name).collect();
    known(&given, &names, "a grid")?;
    for name in &names {
        required(name, &given)?;
    }
    let mut given: Vec<&Field<'_>> = given.iter().collect();
    if key == "grid" {
        given.sort_by_key(|field| names.iter().position(|name| *name == field.name));
    }
    let axis = |field: &&Field<'_>| Ok((field.name.clone(), axis_of(field)?));
    let grid = Grid::new(given.iter().map(axis).collect::<Result<_, String>>()?);
    let grid = grid.map_err(|error| error.to_string())?;
    grid.check(params).map_err(|error| error.to_string())?;
    Ok(grid)
}

fn axis_of(field: &Field<'_>) -> Result<Axis, String> {
    let name = &field.name;
    let wrong = |is: &str| {
        Err(format!(
            "{name}: {is} is no axis; an axis is a number, an array of numbers, a text such as \
             \"0..=1:0.25\", or an object with \"from\", \"step\" and \"count\""
        ))
    };
    let Ok(value) = serde_json::from_str::<Value>(field.value) else { return wrong(&field.is()) };
    match &value {
        Value::Null | Value::Bool(_) => return wrong(&field.is()),
        Value::Array(values) if values.len() <= AXIS_VALUES_MAX => {
            if let Some(odd) = values.iter().find(|value| !value.is_number()) {
                return wrong(&format!("an array with {}", quote(&odd.to_string())));
            }
        }
        Value::Object(range) => {
            let is_range = range.len() == 3
                && ["from", "step"].iter().all(|key| range.get(*key).is_some_and(Value::is_number))
                && range.get("count").is_some_and(Value::is_u64);
            if !is_range {
                return wrong(&quote(field.value));
            }
        }
        Value::Number(_) | Value::String(_) | Value::Array(_) => {}
    }
    serde_json::from_value(value).map_err(|error| format!("{name}: {error}"))
}

/// Says which field is none of `names`, or is there twice.
fn known(given: &[Field<'_>], names: &[&str], what: &str) -> Result<(), String> {
    for (place, field) in given.iter().enumerate() {
        let name = field.name.as_str();
        if !names.contains(&name) {
            let names = names.join(", ");
            return Err(format!("{what} has no \"{}\"; it has {names}", quote(name)));
        }
        if given[..place].iter().any(|before| before.name == name) {
            return Err(format!("\"{name}\" is there twice"));
        }
    }
    Ok(())
}

fn required<'a, 'b>(name: &str, given: &'a [Field<'b>]) -> Result<&'a Field<'b>, String> {
    let found = given.iter().find(|field| field.name == name);
    found.ok_or_else(|| format!("\"{name}\" is missing"))
}

fn optional<'a, 'b>(name: &str, given: &'a [Field<'b>]) -> Option<&'a Field<'b>> {
    given.iter().find(|field| field.name == name && field.value != "null")
}

/// The text that a field has.
fn text_of(field: &Field<'_>) -> String {
    serde_json::from_str(field.value).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const FULL: &str = r#"{"op":"repeat_multiply","grid":{"initial":[1,2],"factor":{"from":1,"step":0.5,"count":3},"times":"0..100"},"name":"a \u00f1","priority":-1}"#;

    /// Axes in another order than that of the parameters.
    const AXES: &str = r#"{"op":"repeat_multiply","axes":{"times":"0..100","initial":[1,2],"factor":{"from":1,"step":0.5,"count":3}},"priority":7}"#;

    const COLLATZ: &str = r#"{"op":"collatz","axes":{"n":"1..=100"},"name":"x"}"#;

    fn full() -> Vec<(&'static str, Axis)> {
        vec![
            ("initial", Axis::list(vec![1.0, 2.0]).unwrap()),
            ("factor", Axis::range(1.0, 0.5, 3).unwrap()),
            ("times", Axis::range(0.0, 1.0, 100).unwrap()),
        ]
    }

    fn job(op: &str, axes: Vec<(&str, Axis)>, name: Option<&str>, priority: i32) -> JobRequest {
        let axes = axes.into_iter().map(|(name, axis)| (name.to_owned(), axis)).collect();
        let (op, grid) = (OpId::new(op), Grid::new(axes).unwrap());
        let name = name.map(str::to_owned);
        JobRequest { op, grid, name, priority, block: None, data: None, check: Check::Auto }
    }

    #[test]
    fn a_job_is_read_with_its_axes_in_their_order() {
        let n = Axis::range(1.0, 1.0, 100).unwrap();
        let mut turned = full();
        turned.rotate_right(1);
        let with_factor_first = FULL.replace(
            r#""initial":[1,2],"factor":{"from":1,"step":0.5,"count":3}"#,
            r#""factor":{"from":1,"step":0.5,"count":3},"initial":[1,2]"#,
        );
        for (text, expected) in [
            (FULL, job("repeat_multiply", full(), Some("a ñ"), -1)),
            (&with_factor_first, job("repeat_multiply", full(), Some("a ñ"), -1)),
            (&FULL.replace("-1", "null"), job("repeat_multiply", full(), Some("a ñ"), 0)),
            (AXES, job("repeat_multiply", turned, None, 7)),
            (COLLATZ, job("collatz", vec![("n", n.clone())], Some("x"), 0)),
            (&COLLATZ.replace("axes", "grid"), job("collatz", vec![("n", n)], Some("x"), 0)),
        ] {
            assert_eq!(read(text.as_bytes()), Ok(expected), "{text}");
        }
        let minus = r#"{"op":"repeat_multiply","grid":{"initial":-0.0,"factor":-0,"times":1e1},"axes":null}"#;
        let minus = read(minus.as_bytes()).unwrap().grid.values(0).collect::<Vec<_>>();
        assert_eq!(
            minus.iter().map(|value| value.to_bits()).collect::<Vec<_>>(),
            [(-0.0f64).to_bits(), (-0.0f64).to_bits(), 10f64.to_bits()]
        );
    }

    #[test]
    fn what_is_written_is_read() {
        for text in [FULL, AXES, COLLATZ] {
            let job = read(text.as_bytes()).unwrap();
            assert_eq!(read(&serde_json::to_vec(&job).unwrap()), Ok(job));
        }
    }

    #[test]
    fn an_example_is_a_job() {
        for op in op::ALL {
            let example = example(*op);
            let job = read(example.as_bytes()).unwrap();
            assert!(job.op.known() == Some(*op) && job.grid.total() > 1, "{example}");
        }
        let of = |text: &str| read(text.as_bytes()).unwrap_err().example();
        let multiply =
            r#"{"op":"repeat_multiply","axes":{"initial":1,"factor":1.5,"times":"0..100"}}"#;
        assert_eq!(of(r#"{"op":"collatz"}"#), r#"{"op":"collatz","axes":{"n":"1..=100"}}"#);
        assert_eq!(of(r#"{"op":"repeat_multiply"}"#), multiply);
        assert_eq!(of("{}"), multiply);
        assert_eq!(of(""), multiply);
    }

    #[test]
    fn a_range_is_what_its_parameter_takes() {
        for (kind, expected) in [
            (Kind::COUNT, r#""0..100""#),
            (Kind::Integer { min: -5, max: 50 }, r#""0..=50""#),
            (Kind::Integer { min: 1, max: 600 }, r#""1..=100""#),
            (Kind::Integer { min: -500, max: -5 }, "-5"),
            (Kind::Integer { min: 3, max: 3 }, "3"),
            (Kind::Float, r#""0..=1:0.25""#),
        ] {
            let param = Param { name: "x", kind, example: 3.0 };
            assert_eq!(range(&param), expected);
            let axis: Axis = serde_json::from_str(expected).unwrap();
            axis.check(kind).unwrap();
        }
    }

    #[test]
    fn what_is_wrong_is_said_without_types() {
        let said = |said: &str| {
            Err(JobError::Job { op: Some(OpId::new("repeat_multiply")), said: said.to_owned() })
        };
        let unsaid = |said: &str| Err(JobError::Job { op: None, said: said.to_owned() });
        for (from, to, expected) in [
            ("\"op\"", "\"Op\"", unsaid("\"op\" is missing")),
            ("\"repeat_multiply\"", "3", unsaid("\"op\" is 3; it must be an op's name")),
            ("repeat_multiply", "divide", Err(JobError::Op("divide".to_owned()))),
            (
                "\"name\"",
                "\"nam\"",
                said("a job has no \"nam\"; it has op, axes, grid, name, priority, check"),
            ),
            ("\"name\"", "\"op\"", said("\"op\" is there twice")),
            ("\"a \\u00f1\"", "[]", said("\"name\" is a list; it must be a text")),
            (
                "-1",
                "1.5",
                said(
                    "\"priority\" is 1.5; it must be a whole number from -2147483648 to 2147483647",
                ),
            ),
            (
                "\"times\"",
                "\"time\"",
                said("a grid has no \"time\"; it has initial, factor, times"),
            ),
            ("\"times\"", "\"factor\"", said("\"factor\" is there twice")),
            (",\"times\":\"0..100\"", "", said("\"times\" is missing")),
            (
                "\"0..100\"",
                "\"5..5\"",
                said("times: `5..5` is empty; `..=` includes the last bound"),
            ),
            (
                "\"0..100\"",
                "\"0..=1:0.5\"",
                said("times: 0.5 is no integer from 0 to 9007199254740991"),
            ),
            (
                "\"name\"",
                "\"axes\":{},\"name\"",
                said("\"axes\" and \"grid\" are both there; a job has one of them"),
            ),
            (
                "\"grid\"",
                "\"grid\":null,\"x\"",
                said("a job has no \"x\"; it has op, axes, grid, name, priority, check"),
            ),
        ] {
            let text = FULL.replacen(from, to, 1);
            assert_eq!(read(text.as_bytes()), expected, "{text}");
        }
        for (text, said) in [
            (r#"{"op":"collatz"}"#, "\"axes\" or \"grid\" is missing"),
            (r#"{"op":"collatz","grid":null}"#, "\"axes\" or \"grid\" is missing"),
            (
                r#"{"op":"collatz","axes":["n"]}"#,
                "\"axes\" is a list; it must be an object with axes",
            ),
            (r#"{"op":"collatz","grid":3}"#, "\"grid\" is 3; it must be an object with axes"),
            (r#"{"op":"collatz","axes":{}}"#, "\"n\" is missing"),
            (r#"{"op":"collatz","axes":{"n":1,"m":1}}"#, "a grid has no \"m\"; it has n"),
            (r#"{"op":"collatz","axes":{"n":1,"n":2}}"#, "\"n\" is there twice"),
            (
                r#"{"op":"collatz","axes":{"n":[1,0]}}"#,
                "n: 0 is no integer from 1 to 9007199254740991",
            ),
            (
                r#"{"op":"collatz","axes":{"n":1.5}}"#,
                "n: 1.5 is no integer from 1 to 9007199254740991",
            ),
        ] {
            let expected = JobError::Job { op: Some(OpId::new("collatz")), said: said.to_owned() };
            assert_eq!(read(text.as_bytes()), Err(expected), "{text}");
        }
        for axis in [
            "null",
            "true",
            "[1,\"2\"]",
            "[[1]]",
            "{\"from\":1}",
            "{\"from\":1,\"step\":1,\"count\":-1}",
        ] {
            let text = FULL.replace("[1,2]", axis);
            let Err(JobError::Job { said, .. }) = read(text.as_bytes()) else {
                panic!("{text} is taken")
            };
            assert!(said.starts_with("initial: ") && said.contains("is no axis"), "{said}");
        }
        for (text, said) in [
            ("", "line 1, column 1: it is empty"),
            ("{\"op\":", "line 1, column 7: it breaks off: a value is missing"),
            ("{\n\n!}", "line 3, column 1: ! is here, and not a name in double quotes"),
        ] {
            assert_eq!(read(text.as_bytes()), Err(JobError::Json(said.to_owned())));
        }
        assert!(matches!(read(b"[]"), Err(JobError::Job { op: None, .. })));
        assert!(matches!(read(b"\xff"), Err(JobError::Json(_))));
    }

    proptest! {
        #[test]
        fn whatever_is_changed_is_a_job_or_said_in_our_own_words(
            whole in prop_oneof![Just(FULL), Just(AXES), Just(COLLATZ)],
            at in any::<proptest::sample::Index>(),
            to in "[\\{\\}\\[\\]\",:a-z0-9.-]{0,2}",
        ) {
            let at = at.index(whole.len());
            let text = format!("{}{to}{}", &whole[..at], &whole[at + 1..]);
            match read(text.as_bytes()) {
                Ok(job) => {
                    let json: Value = serde_json::from_str(&text).unwrap();
                    prop_assert_eq!(json["op"].as_str(), Some(job.op.name()));
                    let params = job.op.known().unwrap().params();
                    prop_assert!(job.grid.check(params).is_ok());
                    prop_assert_eq!(read(&serde_json::to_vec(&job).unwrap()), Ok(job), "{}", text);
                }
                Err(JobError::Json(said)) => {
                    let is_json = serde_json::from_str::<IgnoredAny>(&text).is_ok();
                    prop_assert!(!is_json && !leaks(&said), "{text}: {said}");
                }
                Err(JobError::Job { said, .. }) => {
                    let is_json = serde_json::from_str::<IgnoredAny>(&text).is_ok();
                    prop_assert!(is_json && !leaks(&said), "{text}: {said}");
                }
                Err(JobError::Op(name)) => prop_assert!(op::named(&name).is_none(), "{text}"),
            }
        }
    }

    /// Whether a text has words of serde's, or of Rust's types.
    fn leaks(said: &str) -> bool {
        let leaks = ["expected", "invalid", "struct", "i32", "u64", "f64", "trailing"];
        leaks.iter().any(|leak| said.contains(leak))
    }
}
