//! One input as a JSON object, as people write it on a line of a file.

use crate::fault::{Fault, Field, Kind, fields};
use crate::inputs;
use crate::limits::{INTEGER_MAX, LINE_BYTES_MAX};
use crate::op::RepeatMultiply;
use crate::text::quote;

/// What an input looks like.
pub const EXAMPLE: &str = r#"{"initial":1,"factor":1.5,"times":10}"#;

/// The names of an input's parameters.
pub(crate) const NAMES: [&str; 3] = ["initial", "factor", "times"];

/// The input of one line, with its line break or without; `None` of a blank line.
///
/// # Errors
///
/// Returns what is wrong, and where in the line.
pub fn read(line: &[u8]) -> Result<Option<RepeatMultiply>, Fault> {
    if line.iter().all(u8::is_ascii_whitespace) {
        return Ok(None);
    }
    if line.len() > LINE_BYTES_MAX {
        return Err(Fault::new(0, format!("it is longer than {LINE_BYTES_MAX} bytes")));
    }
    let text = str::from_utf8(line).map_err(|error| not_utf8(line, error.valid_up_to()))?;
    let known = inputs::read_one(text.trim_end());
    if known.is_some() {
        return Ok(known);
    }
    // A list of three would do for serde_json.
    let is_object = text.trim_start().starts_with('{');
    let read = serde_json::from_str(text).ok().filter(|_| is_object);
    read.map(Some).ok_or_else(|| fault(text))
}

fn not_utf8(line: &[u8], at: usize) -> Fault {
    let byte = line[at];
    let said = format!("it is no text in UTF-8: the byte 0x{byte:02X} is none of its characters");
    Fault::new(at, said)
}

/// What is wrong with a text that is no input.
fn fault(text: &str) -> Fault {
    let fields = match fields(text) {
        Ok(fields) => fields,
        Err(fault) => return fault,
    };
    let of = |name: &str| fields.iter().filter(|field| field.name == name).collect::<Vec<_>>();
    for name in NAMES {
        match of(name)[..] {
            [] => {}
            [field] => match value_fault(name, field) {
                Some(said) => return Fault::new(field.at, said),
                None => continue,
            },
            [_, again, ..] => return Fault::new(again.at, format!("\"{name}\" is there twice")),
        }
    }
    let missing = NAMES.into_iter().find(|name| of(name).is_empty());
    let end = text.trim_end().len().saturating_sub(1);
    match missing {
        Some(name) => Fault::new(end, missing_said(name, &fields)),
        None => Fault::new(0, "it cannot be read"),
    }
}

fn missing_said(name: &str, fields: &[Field<'_>]) -> String {
    if fields.is_empty() {
        return "the object is empty".to_owned();
    }
    let is_near = |field: &&Field<'_>| {
        let (found, wanted) = (field.name.to_lowercase(), name.to_lowercase());
        !NAMES.contains(&field.name.as_str())
            && (found.starts_with(&wanted[..3]) || found.trim() == wanted)
    };
    if let Some(near) = fields.iter().find(is_near) {
        return format!("\"{name}\" is missing; there is \"{}\"", quote(&near.name));
    }
    let list = fields.iter().find(|field| matches!(field.kind, Kind::List));
    match list {
        Some(list) if !fields.iter().any(|field| NAMES.contains(&field.name.as_str())) => format!(
            "\"{name}\" is missing, and \"{0}\" is a list: give its elements (`jq -c '.{0}[]' FILE`)",
            quote(&list.name)
        ),
        _ => format!("\"{name}\" is missing"),
    }
}

fn value_fault(name: &str, field: &Field<'_>) -> Option<String> {
    let wanted = wanted(name);
    let is = field.is();
    match field.kind {
        Kind::Text if field.value.trim_matches(['"', ' ']).parse::<f64>().is_ok() => {
            Some(format!("\"{name}\" is {is}; it must be {wanted}, without quotes"))
        }
        Kind::Number => {
            let value: f64 = field.value.parse().unwrap_or(f64::NAN);
            let is_right = match name {
                "times" => is_times(field.value, value),
                _ => value.is_finite(),
            };
            (!is_right).then(|| format!("\"{name}\" is {is}; it must be {wanted}"))
        }
        _ => Some(format!("\"{name}\" is {is}; it must be {wanted}")),
    }
}

/// What the parameter of this name must be.
pub(crate) fn wanted(name: &str) -> String {
    match name {
        "times" => format!("a whole number from 0 to {INTEGER_MAX}"),
        _ => "a finite number".to_owned(),
    }
}

/// Whether a number, as it is written, is what `times` may be.
fn is_times(text: &str, value: f64) -> bool {
    match text.parse::<u64>() {
        Ok(whole) => whole <= INTEGER_MAX,
        Err(_) => value.fract() == 0.0 && (0.0..=INTEGER_MAX as f64).contains(&value),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_line_is_an_input_or_blank() {
        let input = RepeatMultiply::new(1.0, 1.5, 10).ok();
        for line in [
            &br#"{"initial":1,"factor":1.5,"times":10}"#[..],
            b" {\"factor\":1.5,\"initial\":1,\"times\":10} \r\n",
            b"{\"id\":[7],\"factor\":1.5,\"initial\":1,\"times\":1e1}",
        ] {
            assert_eq!(read(line), Ok(input));
        }
        for blank in [&b""[..], b"\n", b" \t\r\n"] {
            assert_eq!(read(blank), Ok(None));
        }
    }

    #[test]
    fn a_line_that_is_no_input_says_what_is_wrong() {
        let long = vec![b'x'; LINE_BYTES_MAX + 1];
        let with = |field: &str, value: &str| {
            let mut line = serde_json::json!({"initial": 1, "factor": 1.5, "times": 10});
            line[field] = serde_json::json!("VALUE");
            line.to_string().replace("\"VALUE\"", value).into_bytes()
        };
        for (bad, said) in [
            (b"nonsense".to_vec(), "it is no JSON object"),
            (b"[1,1.5,10]".to_vec(), "it is a list"),
            (b"{}".to_vec(), "the object is empty"),
            (b"{\"initial\":1}".to_vec(), "\"factor\" is missing"),
            (br#"{"Initial":1,"factor":2,"times":3}"#.to_vec(), "there is \"Initial\""),
            (br#"{"initial":1,"factor":2,"time":3}"#.to_vec(), "\"times\" is missing"),
            (br#"{"inputs":[{"initial":1}]}"#.to_vec(), "`jq -c '.inputs[]' FILE`"),
            (br#"{"initial":1,"initial":1,"factor":2,"times":3}"#.to_vec(), "is there twice"),
            (
                with("factor", "\"1.5\""),
                "\"factor\" is the text \"1.5\"; it must be a finite number, without quotes",
            ),
            (
                with("factor", "\"one\""),
                "\"factor\" is the text \"one\"; it must be a finite number",
            ),
            (with("initial", "{\"x\":1}"), "\"initial\" is an object"),
            (with("initial", "[1]"), "\"initial\" is a list"),
            (with("initial", "null"), "\"initial\" is null"),
            (with("initial", "1e400"), "1e400 is too large"),
            (with("times", "true"), "\"times\" is true; it must be a whole number from 0"),
            (with("times", "-1"), "\"times\" is -1"),
            (with("times", "1.5"), "\"times\" is 1.5"),
            (with("times", "9007199254740992"), "\"times\" is 9007199254740992"),
            (with("times", "\"3\""), "without quotes"),
            (b"{\"initial\":\xff}".to_vec(), "the byte 0xFF"),
            (long, "longer than 4096 bytes"),
        ] {
            let fault = read(&bad).unwrap_err();
            assert!(fault.said.contains(said), "{}: {fault:?}", String::from_utf8_lossy(&bad));
        }
    }

    /// What serde_json, serde and the standard library say of types and texts.
    const LEAKS: [&str; 11] = [
        "struct",
        "expected",
        "field",
        "invalid type",
        "invalid value",
        "f64",
        "u64",
        "map",
        "EOF",
        "trailing",
        "cannot be read",
    ];

    proptest! {
        #[test]
        fn whatever_is_changed_in_a_line_is_said_in_our_own_words(
            at in 0..EXAMPLE.len(),
            to in prop_oneof![
                Just(String::new()),
                proptest::string::string_regex("[ -~]").unwrap(),
                proptest::string::string_regex("[\\{\\}\\[\\]\",:'0-9eE.+-]{1,3}").unwrap(),
                Just("\u{feff}".to_owned()), Just("NaN".to_owned()), Just("\\u0069".to_owned()),
            ],
        ) {
            let line = format!("{}{to}{}", &EXAMPLE[..at], &EXAMPLE[at + 1..]);
            if let Err(fault) = read(line.as_bytes()) {
                let said = fault.said.split('"').step_by(2).collect::<String>();
                for leak in LEAKS {
                    prop_assert!(!said.contains(leak), "{line}: {fault:?}");
                }
                prop_assert!(fault.at <= line.len());
            }
        }
    }
}
