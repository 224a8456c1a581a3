//! One input as a JSON object, as people write it on a line of a file.

use crate::fault::{Fault, Field, Kind as ValueKind, fields};
use crate::limits::LINE_BYTES_MAX;
use crate::number::Number;
use crate::op::{self, Kind, PARAMS_MAX, Param};
use crate::scan::{Scan, Token};
use crate::text::quote;
use crate::values::Value;
use std::borrow::Cow;

/// The characters of the longest number that we write ourselves: `-2.2250738585072014e-308`.
const NUMBER_CHARS_MAX: usize = 24;

/// A name of fewer characters than this is near to no other: much begins with an `n` or with `ms`.
const NEAR_CHARS_MIN: usize = 3;

/// What an input with these parameters looks like.
pub fn example(params: &[Param]) -> String {
    let field = |param: &Param| format!("\"{}\":{}", param.name, Number(param.example));
    format!("{{{}}}", params.iter().map(field).collect::<Vec<_>>().join(","))
}

/// The input of one line, with its line break or without, as a text that [`op::Reader`] reads at once: the
/// parameters in their order, no other fields, no white space. `None` if the line is blank.
///
/// # Errors
///
/// Returns what is wrong, and where in the line.
pub fn read<'a>(params: &[Param], line: &'a [u8]) -> Result<Option<Cow<'a, str>>, Fault> {
    if line.iter().all(u8::is_ascii_whitespace) {
        return Ok(None);
    }
    if line.len() > LINE_BYTES_MAX {
        return Err(Fault::new(0, format!("it is longer than {LINE_BYTES_MAX} bytes")));
    }
    let text = str::from_utf8(line).map_err(|error| not_utf8(line, error.valid_up_to()))?;
    let trimmed = text.trim_end();
    if params.is_empty() {
        return any_json(trimmed).map(Some);
    }
    if is_canonical(params, trimmed) {
        return Ok(Some(Cow::Borrowed(trimmed)));
    }
    if let Some(input) = scan(params, trimmed) {
        return Ok(Some(Cow::Owned(input)));
    }
    match op::Reader::new(params).read(text) {
        Ok(args) => Ok(Some(Cow::Owned(op::write_input(params, args)))),
        Err(_) => Err(fault(params, text)),
    }
}

/// An input that may be any JSON value.
fn any_json(text: &str) -> Result<Cow<'_, str>, Fault> {
    let value = serde_json::from_str::<Value>(text)
        .map_err(|error| Fault::new(error.column().saturating_sub(1), "it is no JSON"))?;
    Ok(Cow::Owned(value.json().to_owned()))
}

/// Whether a text is an input as it is to be kept.
fn is_canonical(params: &[Param], text: &str) -> bool {
    let mut scan = Scan::new(text);
    let mut is_field = |(place, param): (usize, &Param)| {
        scan.take(if place == 0 { "{\"" } else { ",\"" })?;
        scan.take(param.name)?;
        scan.take("\":")?;
        scan.number().filter(|token| is_ours(*token, param.kind))
    };
    let are_fields = params.iter().enumerate().all(|field| is_field(field).is_some());
    are_fields && scan.rest() == "}"
}

/// Reads an input whose numbers can be kept as they are written, many times as fast as serde_json: almost every
/// input. Returns `None` for any other text.
fn scan(params: &[Param], text: &str) -> Option<String> {
    let mut scan = Scan::new(text);
    let mut numbers = [("", ""); PARAMS_MAX];
    scan.skip_space();
    scan.take("{")?;
    loop {
        scan.skip_space();
        let name = scan.string()?;
        scan.skip_space();
        scan.take(":")?;
        scan.skip_space();
        match params.iter().position(|param| param.name == name) {
            Some(place) if numbers[place].0.is_empty() => {
                numbers[place] = kept(scan.number()?, params[place].kind)?;
            }
            Some(_) => return None,
            None => scan.value()?,
        }
        scan.skip_space();
        if scan.take(",").is_none() {
            break;
        }
    }
    scan.take("}")?;
    if !scan.rest().is_empty() || numbers[..params.len()].contains(&("", "")) {
        return None;
    }
    let mut input = String::with_capacity(text.len() + 2 * params.len());
    for (param, (number, end)) in params.iter().zip(numbers) {
        input.push_str(if input.is_empty() { "{\"" } else { ",\"" });
        for part in [param.name, "\":", number, end] {
            input.push_str(part);
        }
    }
    input.push('}');
    Some(input)
}

/// A text as the number of an input; `None` if it is not one that the parameter takes, or has to be written anew.
pub(crate) fn number(text: &str, kind: Kind) -> Option<Cow<'_, str>> {
    let mut scan = Scan::new(text);
    let token = scan.number().filter(|_| scan.rest().is_empty())?;
    match kept(token, kind)? {
        (text, "") => Some(Cow::Borrowed(text)),
        (text, end) => Some(Cow::Owned([text, end].concat())),
    }
}

/// A number as it is written, and what has to stand behind it: nothing, or `.0`.
fn kept(token: Token<'_>, kind: Kind) -> Option<(&str, &'static str)> {
    const POINT: &str = ".0";
    if is_ours(token, kind) {
        return Some((token.text, ""));
    }
    let is_whole = kind == Kind::Float && !has(token, b".eE");
    let is_short = token.text.len() + POINT.len() <= NUMBER_CHARS_MAX;
    (is_whole && is_short).then_some((token.text, POINT))
}

/// Whether a number is one that the parameter takes, and is written as we might. Many languages tell integers
/// from floats by their text: a float has a point or an exponent, and an integer has digits only.
fn is_ours(token: Token<'_>, kind: Kind) -> bool {
    match kind {
        Kind::Float if token.text.len() > NUMBER_CHARS_MAX => false,
        Kind::Float if has(token, b"eE") => token.value().is_some(),
        // So few digits are a finite number.
        Kind::Float => has(token, b"."),
        Kind::Integer { min, max } => {
            let value = token.text.parse::<i64>();
            value.is_ok_and(|value| (min..=max).contains(&value)) && token.text != "-0"
        }
    }
}

fn has(token: Token<'_>, any_of: &[u8]) -> bool {
    token.text.bytes().any(|byte| any_of.contains(&byte))
}

fn not_utf8(line: &[u8], at: usize) -> Fault {
    let byte = line[at];
    let said = format!("it is no text in UTF-8: the byte 0x{byte:02X} is none of its characters");
    Fault::new(at, said)
}

/// What is wrong with a text that is no input.
fn fault(params: &[Param], text: &str) -> Fault {
    let fields = match fields(text) {
        Ok(fields) => fields,
        Err(fault) => return fault,
    };
    let of = |param: &Param| fields.iter().filter(|field| field.name == param.name).collect();
    let mut missing = None;
    for param in params {
        let found: Vec<&Field<'_>> = of(param);
        match found[..] {
            [] => missing = missing.or(Some(param)),
            [field] => {
                if let Some(said) = value_fault(param, field) {
                    return Fault::new(field.at, said);
                }
            }
            [_, again, ..] => {
                return Fault::new(again.at, format!("\"{}\" is there twice", param.name));
            }
        }
    }
    let end = text.trim_end().len().saturating_sub(1);
    match missing {
        Some(param) => Fault::new(end, missing_said(params, param.name, &fields)),
        None => Fault::new(0, "it cannot be read"),
    }
}

fn missing_said(params: &[Param], name: &str, fields: &[Field<'_>]) -> String {
    if fields.is_empty() {
        return "the object is empty".to_owned();
    }
    let is_param = |field: &Field<'_>| params.iter().any(|param| param.name == field.name);
    let near = fields.iter().find(|field| !is_param(field) && is_near(&field.name, name));
    if let Some(near) = near {
        return format!("\"{name}\" is missing; there is \"{}\"", quote(&near.name));
    }
    let list = fields.iter().find(|field| matches!(field.kind, ValueKind::List));
    match list {
        Some(list) if !fields.iter().any(is_param) => format!(
            "\"{name}\" is missing, and \"{0}\" is a list: give its elements (`jq -c '.{0}[]' FILE`)",
            quote(&list.name)
        ),
        _ => format!("\"{name}\" is missing"),
    }
}

/// Whether somebody who wrote `found` may have meant the parameter `wanted`.
fn is_near(found: &str, wanted: &str) -> bool {
    let (found, wanted) = (found.trim().to_lowercase(), wanted.to_lowercase());
    let start = wanted.get(..NEAR_CHARS_MIN);
    found == wanted || start.is_some_and(|start| found.starts_with(start))
}

fn value_fault(param: &Param, field: &Field<'_>) -> Option<String> {
    let Param { name, kind, .. } = param;
    let is = field.is();
    match field.kind {
        ValueKind::Text if field.value.trim_matches(['"', ' ']).parse::<f64>().is_ok() => {
            Some(format!("\"{name}\" is {is}; it must be {kind}, without quotes"))
        }
        ValueKind::Number if field.value.parse().is_ok_and(|value| kind.takes(value)) => None,
        _ => Some(format!("\"{name}\" is {is}; it must be {kind}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn params(op: &str) -> &'static [Param] {
        op::named(op).unwrap().params()
    }

    fn multiply(line: &[u8]) -> Result<Option<Cow<'_, str>>, Fault> {
        read(params("repeat_multiply"), line)
    }

    #[test]
    fn an_example_is_an_input() {
        assert_eq!(example(params("repeat_multiply")), r#"{"initial":1,"factor":1.5,"times":10}"#);
        assert_eq!(example(params("collatz")), r#"{"n":27}"#);
        for op in op::ALL {
            let example = example(op.params());
            let read = read(op.params(), example.as_bytes()).unwrap().unwrap();
            let again = self::read(op.params(), read.as_bytes()).unwrap().unwrap();
            assert!(matches!(again, Cow::Borrowed(_)) && again == read, "{example}");
        }
    }

    #[test]
    fn a_line_is_an_input_or_blank() {
        for (line, input) in [
            (r#"{"initial":1.0,"factor":1.50,"times":10}"#, ("1.0", "1.50", "10")),
            (r#"{"initial":1,"factor":-0,"times":10}"#, ("1.0", "-0.0", "10")),
            (" {\"factor\":1.5,\"initial\":1,\"times\":10} \r\n", ("1.0", "1.5", "10")),
            (
                r#"{ "initial": 1, "id": {"a":[]}, "factor": 15e-1, "times": 10 }"#,
                ("1.0", "15e-1", "10"),
            ),
            ("{\"initial\":1,\"f\\u0061ctor\":1.5,\"times\":10}", ("1.0", "1.5", "10")),
            (r#"{"id":["\n"],"factor":15e-1,"initial":-0.0,"times":1e1}"#, ("-0.0", "1.5", "10")),
            (r#"{"initial":1,"factor":1.5,"times":10.0}"#, ("1.0", "1.5", "10")),
            (r#"{"initial":1,"factor":1.5,"times":-0}"#, ("1.0", "1.5", "0")),
            (
                r#"{"initial":1.00000000000000000000000,"factor":12345678901234567890123,"times":1}"#,
                ("1.0", "1.2345678901234568e+22", "1"),
            ),
        ] {
            let input = op::write_texts(params("repeat_multiply"), <[&str; 3]>::from(input));
            assert_eq!(multiply(line.as_bytes()), Ok(Some(Cow::from(input))), "{line}");
        }
        for blank in [&b""[..], b"\n", b" \t\r\n"] {
            assert_eq!(multiply(blank), Ok(None));
        }
        for (line, input) in [
            ("{\"n\":27}\r\n", r#"{"n":27}"#),
            ("{\"n\" : 27.0, \"id\": \"a\"}", r#"{"n":27}"#),
            ("{\"n\":9007199254740991}", r#"{"n":9007199254740991}"#),
        ] {
            assert_eq!(read(params("collatz"), line.as_bytes()), Ok(Some(Cow::from(input))));
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
            let fault = multiply(&bad).unwrap_err();
            assert!(fault.said.contains(said), "{}: {fault:?}", String::from_utf8_lossy(&bad));
        }
    }

    #[test]
    fn a_name_of_one_letter_is_told_from_others() {
        let must_be = "it must be a whole number from 1 to 9007199254740991";
        for (bad, said) in [
            (r#"{"n":-1}"#, format!("\"n\" is -1; {must_be}")),
            (r#"{"n":0}"#, format!("\"n\" is 0; {must_be}")),
            (r#"{"n":1.5}"#, format!("\"n\" is 1.5; {must_be}")),
            (r#"{"n":"27"}"#, format!("\"n\" is the text \"27\"; {must_be}, without quotes")),
            (r#"{"N":27}"#, "\"n\" is missing; there is \"N\"".to_owned()),
            (r#"{" n ":27}"#, "\"n\" is missing; there is \" n \"".to_owned()),
            (r#"{"name":"a","number":27}"#, "\"n\" is missing".to_owned()),
            (r#"{"ñ":27}"#, "\"n\" is missing".to_owned()),
            (
                r#"{"n_list":[1]}"#,
                "\"n\" is missing, and \"n_list\" is a list: give its elements (`jq -c '.n_list[]' FILE`)"
                    .to_owned(),
            ),
            (r#"{"n":1,"n":2}"#, "\"n\" is there twice".to_owned()),
            ("{n:1}", "a name is in double quotes, such as \"n\"".to_owned()),
        ] {
            let fault = read(params("collatz"), bad.as_bytes()).unwrap_err();
            assert_eq!(fault.said, said, "{bad}");
        }
    }

    #[test]
    fn no_name_is_too_short_or_too_odd_for_advice() {
        for (found, wanted, expected) in [
            ("ms", "MS", true),
            ("msec", "ms", false),
            ("Seeds", "seed", true),
            ("se", "seed", false),
            ("", "n", false),
            ("öäü", "abc", false),
            ("n", "initial", false),
        ] {
            assert_eq!(is_near(found, wanted), expected, "{found} for {wanted}");
        }
    }

    /// What serde_json, serde and the standard library say of types and texts.
    const LEAKS: [&str; 12] = [
        "struct",
        "expected",
        "field",
        "invalid type",
        "invalid value",
        "f64",
        "u64",
        "i64",
        "map",
        "EOF",
        "trailing",
        "cannot be read",
    ];

    proptest! {
        #[test]
        fn whatever_is_changed_in_a_line_is_said_in_our_own_words(
            op in prop_oneof![Just("repeat_multiply"), Just("collatz")],
            at in any::<proptest::sample::Index>(),
            to in prop_oneof![
                Just(String::new()),
                proptest::string::string_regex("[ -~]").unwrap(),
                proptest::string::string_regex("[\\{\\}\\[\\]\",:'0-9eE.+-]{1,3}").unwrap(),
                Just("\u{feff}".to_owned()), Just("NaN".to_owned()), Just("\\u0069".to_owned()),
            ],
        ) {
            let example = example(params(op));
            let at = at.index(example.len());
            let line = format!("{}{to}{}", &example[..at], &example[at + 1..]);
            match read(params(op), line.as_bytes()) {
                Ok(Some(input)) => {
                    // What was read is read as it is, and means the same.
                    let again = read(params(op), input.as_bytes()).unwrap();
                    prop_assert!(matches!(again, Some(Cow::Borrowed(text)) if text == input));
                    let (mut ours, mut theirs) =
                        (op::Reader::new(params(op)), op::Reader::new(params(op)));
                    prop_assert_eq!(ours.read(&input).unwrap(), theirs.read(&line).unwrap());
                }
                Ok(None) => prop_assert!(line.trim().is_empty()),
                Err(fault) => {
                    let said = fault.said.split('"').step_by(2).collect::<String>();
                    for leak in LEAKS {
                        prop_assert!(!said.contains(leak), "{line}: {fault:?}");
                    }
                    prop_assert!(fault.at <= line.len());
                }
            }
        }
    }
}
