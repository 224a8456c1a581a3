//! A job of a grid, as the body of a request has it; what is wrong with one is said in words of our own.

use crate::api::JobRequest;
use crate::fault::{Field, Kind, fields};
use crate::grid::{Axis, Grid};
use crate::limits::AXIS_VALUES_MAX;
use crate::line::NAMES;
use crate::op::Op;
use crate::text::quote;
use serde::de::IgnoredAny;
use serde_json::Value;

/// What a job looks like.
pub const EXAMPLE: &str =
    r#"{"op":"repeat_multiply","grid":{"initial":1,"factor":1.5,"times":"0..100"}}"#;

/// Why a text is no job: clauses without a full stop.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum JobError {
    /// It is no JSON.
    Json(String),
    /// It is JSON, and no job.
    Job(String),
    /// There is no op of this name.
    Op(String),
}

/// Reads a job of a grid.
///
/// # Errors
///
/// Returns what is wrong and where.
pub fn read(text: &[u8]) -> Result<JobRequest, JobError> {
    let text = str::from_utf8(text).map_err(|error| {
        JobError::Json(format!("byte {} is no text in UTF-8", error.valid_up_to() + 1))
    })?;
    let fields = fields(text.trim_start_matches('\u{feff}')).map_err(|fault| {
        let (line, column) = fault.place_in(text);
        let said = format!("line {line}, column {column}: {}", fault.said);
        let is_json = serde_json::from_str::<IgnoredAny>(text).is_ok();
        if is_json { JobError::Job(said) } else { JobError::Json(said) }
    })?;
    let op = match required("op", &fields).map_err(JobError::Job)? {
        op if op.kind == Kind::Text => text_of(op),
        op => return Err(JobError::Job(format!("\"op\" is {}; it must be an op's name", op.is()))),
    };
    let op = Op::named(&op).ok_or(JobError::Op(op))?;
    rest(op, &fields).map_err(JobError::Job)
}

fn rest(op: Op, given: &[Field<'_>]) -> Result<JobRequest, String> {
    known(given, &["op", "grid", "name", "priority"], "a job")?;
    let grid = match required("grid", given)? {
        grid if grid.kind == Kind::Object => grid_of(grid.value)?,
        grid => return Err(format!("\"grid\" is {}; it must be an object with axes", grid.is())),
    };
    let name = match optional("name", given) {
        Some(name) if name.kind == Kind::Text => Some(text_of(name)),
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
    Ok(JobRequest { op, grid, name, priority })
}

fn grid_of(text: &str) -> Result<Grid, String> {
    let given = fields(text).map_err(|fault| fault.said)?;
    known(&given, &NAMES, "a grid")?;
    let axis = |name: &str| axis_of(name, required(name, &given)?);
    let [initial, factor, times] = NAMES.map(axis);
    Grid::new(initial?, factor?, times?).map_err(|error| error.to_string())
}

fn axis_of(name: &str, field: &Field<'_>) -> Result<Axis, String> {
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

    #[test]
    fn what_serde_reads_is_read_as_it_reads_it() {
        let minus = r#"{"op":"repeat_multiply","grid":{"initial":-0.0,"factor":-0,"times":1e1}}"#;
        for text in [EXAMPLE, FULL, minus, &FULL.replace("-1", "null").replace("null", "7")] {
            let read = read(text.as_bytes()).unwrap();
            let expected: JobRequest = serde_json::from_str(text).unwrap();
            assert_eq!(
                serde_json::to_string(&read).unwrap(),
                serde_json::to_string(&expected).unwrap()
            );
        }
    }

    #[test]
    fn what_is_wrong_is_said_without_types() {
        let job = |said: &str| JobError::Job(said.to_owned());
        for (from, to, expected) in [
            ("\"op\"", "\"Op\"", job("\"op\" is missing")),
            ("\"repeat_multiply\"", "3", job("\"op\" is 3; it must be an op's name")),
            ("repeat_multiply", "divide", JobError::Op("divide".to_owned())),
            ("\"name\"", "\"nam\"", job("a job has no \"nam\"; it has op, grid, name, priority")),
            ("\"name\"", "\"op\"", job("\"op\" is there twice")),
            ("\"a \\u00f1\"", "[]", job("\"name\" is a list; it must be a text")),
            (
                "-1",
                "1.5",
                job(
                    "\"priority\" is 1.5; it must be a whole number from -2147483648 to 2147483647",
                ),
            ),
            ("\"times\"", "\"time\"", job("a grid has no \"time\"; it has initial, factor, times")),
            (",\"times\":\"0..100\"", "", job("\"times\" is missing")),
            (
                "\"0..100\"",
                "\"5..5\"",
                job("times: `5..5` is empty; `..=` includes the last bound"),
            ),
        ] {
            let text = FULL.replacen(from, to, 1);
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
            let Err(JobError::Job(said)) = read(text.as_bytes()) else { panic!("{text} is taken") };
            assert!(said.starts_with("initial: ") && said.contains("is no axis"), "{said}");
        }
        for (text, said) in [
            ("", "line 1, column 1: it is empty"),
            ("{\"op\":", "line 1, column 7: it breaks off: a value is missing"),
            ("{\n\n!}", "line 3, column 1: ! is here, and not a name in double quotes"),
        ] {
            assert_eq!(read(text.as_bytes()), Err(JobError::Json(said.to_owned())));
        }
        assert!(matches!(read(b"[]"), Err(JobError::Job(_))));
        assert!(matches!(read(b"\xff"), Err(JobError::Json(_))));
    }

    proptest! {
        #[test]
        fn whatever_is_changed_serde_says_the_same_of_it(
            at in 0..FULL.len(), to in "[\\{\\}\\[\\]\",:a-z0-9.-]{0,2}",
        ) {
            let text = format!("{}{to}{}", &FULL[..at], &FULL[at + 1..]);
            let serde = serde_json::from_str::<JobRequest>(&text);
            match read(text.as_bytes()) {
                Ok(job) => prop_assert_eq!(Some(job), serde.ok(), "{}", text),
                Err(JobError::Json(said) | JobError::Job(said)) => {
                    prop_assert!(serde.is_err(), "{text}: {said}");
                    let leaks = ["expected", "invalid", "struct", "i32", "u64", "f64", "trailing"];
                    prop_assert!(!leaks.iter().any(|leak| said.contains(leak)), "{text}: {said}");
                }
                Err(JobError::Op(_)) => prop_assert!(serde.is_err(), "{text}"),
            }
        }
    }
}
