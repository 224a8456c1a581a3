//! JSON values of neighbouring tasks (their inputs, or their results), kept as the text that they travel
//! and are stored as: a server that reads each and writes it again spends most of its time on that.

use crate::limits::FRAME_RESULTS_MAX;
use crate::number::nearest;
use crate::scan::{NUMBER_CHARS_MAX, Scan};
use serde::de::{Deserializer, Error, SeqAccess, Visitor};
use serde::ser::Serializer;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::fmt;
use std::ops::Range;

/// A list of JSON values, kept as a JSON array without white space between them. Each is known to be
/// one; what it means is its op's business.
#[derive(Clone, PartialEq, Eq)]
pub struct Values {
    json: String,
    /// Where each begins in `json`. It ends one byte before the next, or before the closing bracket.
    starts: Vec<u32>,
}

impl Values {
    /// A list of no values.
    pub fn new() -> Values {
        Values { json: "[]".to_owned(), starts: Vec::new() }
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.starts.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.starts.is_empty()
    }

    /// Bytes of memory that they take.
    pub fn bytes(&self) -> usize {
        self.json.len() + self.starts.len() * size_of::<u32>()
    }

    /// The one at a place below [`Values::len`], as it is written.
    #[inline]
    pub fn get(&self, place: usize) -> &str {
        &self.json[self.starts[place] as usize..self.end(place)]
    }

    /// How the one at a place begins, which says what kind of value it is.
    #[inline]
    pub(crate) fn first_byte(&self, place: usize) -> u8 {
        self.json.as_bytes()[self.starts[place] as usize]
    }

    /// All, in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &str> + DoubleEndedIterator + '_ {
        (0..self.len()).map(|place| self.get(place))
    }

    /// Adds one to the end: a JSON value, without white space around it.
    pub fn push(&mut self, value: &str) {
        self.json.pop();
        if !self.starts.is_empty() {
            self.json.push(',');
        }
        self.starts.push(self.json.len() as u32);
        self.json.push_str(value);
        self.json.push(']');
    }

    /// Adds others to the end.
    pub fn append(&mut self, others: &Values) {
        if others.is_empty() {
            return;
        }
        self.json.pop();
        if !self.starts.is_empty() {
            self.json.push(',');
        }
        // The first of the others begins behind a bracket.
        let shift = self.json.len() as u32 - 1;
        self.starts.extend(others.starts.iter().map(|start| start + shift));
        self.json.push_str(&others.json[1..]);
    }

    /// Those at some places.
    pub fn slice(&self, places: Range<usize>) -> Values {
        if places.is_empty() {
            return Values::new();
        }
        let from = self.starts[places.start] as usize;
        let inner = &self.json[from..self.end(places.end - 1)];
        // All of it at once: what grows is copied.
        let mut json = String::with_capacity(inner.len() + 2);
        json.push('[');
        json.push_str(inner);
        json.push(']');
        // Behind the bracket.
        let starts = self.starts[places].iter().map(|start| start - from as u32 + 1).collect();
        Values { json, starts }
    }

    /// Those at some places. All of them are handed over as they are, which costs no copy and leaves
    /// none.
    pub fn take(&mut self, places: Range<usize>) -> Values {
        if places == (0..self.len()) { std::mem::take(self) } else { self.slice(places) }
    }

    /// The JSON array.
    pub fn json(&self) -> &str {
        &self.json
    }

    /// The JSON array.
    pub fn into_json(self) -> String {
        self.json
    }

    /// Reads a JSON array, whatever its values are.
    pub fn read(json: &str) -> Result<Values, serde_json::Error> {
        let mut scan = Scan::new(json);
        match Values::scan(&mut scan).filter(|_| scan.rest().is_empty()) {
            Some(values) => Ok(values),
            None => serde_json::from_str(json),
        }
    }

    /// A JSON array without white space, and where each of its values begins.
    pub(crate) fn of_parts(json: String, starts: Vec<u32>) -> Values {
        Values { json, starts }
    }

    /// What [`Values::of_parts`] makes them of.
    pub(crate) fn into_parts(self) -> (String, Vec<u32>) {
        (self.json, self.starts)
    }

    /// Where the one at a place ends.
    #[inline]
    fn end(&self, place: usize) -> usize {
        match self.starts.get(place + 1) {
            Some(next) => *next as usize - 1,
            None => self.json.len() - 1,
        }
    }

    /// Reads an array as we write it, which `scan` is at: not empty, without white space in it, and
    /// without names that are escaped. None of any other.
    pub(crate) fn scan(scan: &mut Scan<'_>) -> Option<Values> {
        let whole = scan.rest();
        scan.take("[")?;
        // As long as most are: 17 digits, a point and a comma.
        let mut starts = Vec::with_capacity(whole.len() / 19 + 1);
        let mut around = None;
        loop {
            starts.push((whole.len() - scan.rest().len()) as u32);
            if scan.rest().starts_with(['{', '[']) {
                if around.is_none_or(|around| scan.value_like(around).is_none()) {
                    around = scan.value_around()?;
                }
            } else {
                scan.value()?;
            }
            if scan.take(",").is_none() {
                break;
            }
            if starts.len() > FRAME_RESULTS_MAX {
                // More than any message may have.
                return None;
            }
        }
        scan.take("]")?;
        let json = whole[..whole.len() - scan.rest().len()].to_owned();
        Some(Values { json, starts })
    }
}

impl Default for Values {
    fn default() -> Values {
        Values::new()
    }
}

impl<T: AsRef<str>> FromIterator<T> for Values {
    fn from_iter<I: IntoIterator<Item = T>>(values: I) -> Values {
        let mut list = Values::new();
        values.into_iter().for_each(|value| list.push(value.as_ref()));
        list
    }
}

impl fmt::Debug for Values {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.json)
    }
}

impl Serialize for Values {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let raw: &RawValue = serde_json::from_str(&self.json).map_err(serde::ser::Error::custom)?;
        raw.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Values {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Values, D::Error> {
        deserializer.deserialize_seq(ValuesVisitor)
    }
}

/// One JSON value, kept as text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Value(String);

impl Value {
    /// A JSON value, without white space around it.
    pub fn new(json: impl Into<String>) -> Value {
        Value(json.into())
    }

    /// As it is written.
    pub fn json(&self) -> &str {
        &self.0
    }
}

impl Serialize for Value {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let raw: &RawValue = serde_json::from_str(&self.0).map_err(serde::ser::Error::custom)?;
        raw.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Value, D::Error> {
        let raw = Box::<RawValue>::deserialize(deserializer)?;
        Ok(Value(compact(raw.get()).map_err(D::Error::custom)?.into_owned()))
    }
}

struct ValuesVisitor;

impl<'de> Visitor<'de> for ValuesVisitor {
    type Value = Values;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Values, A::Error> {
        let mut values = Values::new();
        while let Some(value) = elements.next_element::<Box<RawValue>>()? {
            values.push(&compact(value.get()).map_err(A::Error::custom)?);
        }
        Ok(values)
    }
}

/// Values within values, beyond which many readers of JSON give up.
const DEPTH_MAX: u32 = 100;

/// A JSON value as we would write it: without white space, and with no number that has more digits than
/// mean something.
///
/// # Errors
///
/// Returns an error where more than [`DEPTH_MAX`] values lie within each other.
pub(crate) fn compact(value: &str) -> Result<Cow<'_, str>, &'static str> {
    let mut scan = Scan::new(value);
    if scan.value().is_some() && scan.rest().is_empty() {
        return Ok(Cow::Borrowed(value));
    }
    let mut rest = value;
    let mut depth = 0;
    let mut text = String::with_capacity(value.len());
    while let Some(first) = rest.chars().next() {
        let (token, behind) = rest.split_at(token_len(rest));
        match first {
            ' ' | '\t' | '\r' | '\n' => {}
            '-' | '0'..='9' if token.len() > NUMBER_CHARS_MAX => text.push_str(&shorter(token)),
            _ => text.push_str(token),
        }
        match first {
            '[' | '{' => depth += 1,
            ']' | '}' => depth -= 1,
            _ => {}
        }
        if depth > DEPTH_MAX {
            return Err("too many values lie within each other");
        }
        rest = behind;
    }
    Ok(Cow::Owned(text))
}

/// How long the token is that a JSON value, or a part of one, begins with.
fn token_len(text: &str) -> usize {
    let mut chars = text.char_indices();
    match chars.next() {
        Some((_, '"')) => {
            let mut is_escaped = false;
            let end = chars.find(|(_, c)| {
                let is_end = *c == '"' && !is_escaped;
                is_escaped = *c == '\\' && !is_escaped;
                is_end
            });
            end.map_or(text.len(), |(at, _)| at + 1)
        }
        Some((_, '-' | '0'..='9')) => {
            let is_part = |c: char| matches!(c, '-' | '+' | '.' | 'e' | 'E' | '0'..='9');
            text.find(|c| !is_part(c)).unwrap_or(text.len())
        }
        Some((_, c)) => c.len_utf8(),
        None => 0,
    }
}

/// The number with as many digits as its value has; what no `f64` holds stays as it is.
fn shorter(number: &str) -> String {
    let written = nearest(number).and_then(|value| serde_json::to_string(&value).ok());
    written.unwrap_or_else(|| number.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    const LISTS: [&str; 5] = [
        "[1.5372656826974733,-0.0,5e-324,\"NaN\",3]",
        "[null,true,false]",
        r#"[{"initial":1.0,"factor":1.5,"times":10},{"n":27}]"#,
        r#"[[],{},[[1,"a b"],{"x":{"y":[]}}],"ñ ]},"]"#,
        r#"["\"","\\",{"a\"]":1}]"#,
    ];

    #[test]
    fn they_are_kept_as_they_are_written() {
        for json in LISTS {
            let values = Values::read(json).unwrap();
            let known: Vec<Box<RawValue>> = serde_json::from_str(json).unwrap();
            assert_eq!(values.len(), known.len(), "{json}");
            for (place, value) in known.iter().enumerate() {
                assert_eq!(values.get(place), value.get(), "{json}");
            }
            assert_eq!(serde_json::to_string(&values).unwrap(), json);
            assert_eq!(serde_json::from_str::<Values>(json).unwrap(), values);
            assert_eq!(values.iter().collect::<Values>(), values);
            assert_eq!(values.json(), json);
        }
    }

    #[test]
    fn parts_of_them_are_lists_as_well() {
        let values = Values::read(LISTS[0]).unwrap();
        assert_eq!(values.slice(1..3).json(), "[-0.0,5e-324]");
        assert_eq!(values.slice(4..4), Values::new());
        let mut left = values.clone();
        assert_eq!(left.take(3..5).json(), "[\"NaN\",3]");
        assert_eq!(left, values);
        assert_eq!(left.take(0..5), values);
        assert!(left.is_empty());
        let mut joined = Values::new();
        for places in [0..0, 0..2, 2..2, 2..3, 3..5] {
            joined.append(&values.slice(places));
        }
        assert_eq!(joined, values);
        assert_eq!(joined.get(2), "5e-324");
        joined.push("{}");
        assert_eq!(joined.get(5), "{}");
    }

    #[test]
    fn other_ways_of_writing_are_made_ours() {
        for (json, ours) in [
            ("[ 1 ,\n2 ]", "[1,2]"),
            (r#"[{ "a b" : [ 1, "\" x" ] }]"#, r#"[{"a b":[1,"\" x"]}]"#),
            ("[]", "[]"),
            ("[1.50]", "[1.50]"),
            (&format!("[1.5{},2]", "0".repeat(1000)), "[1.5,2]"),
            (&format!("[{}e400]", "1".repeat(40)), &format!("[{}e400]", "1".repeat(40))),
        ] {
            assert_eq!(Values::read(json).unwrap().json(), ours, "{json}");
        }
        for json in ["", "[", "[1", "[1,]", "[,1]", "[01]", "[nul]", "[1]]", "{}", "[\"a\nb\"]"] {
            assert!(Values::read(json).is_err(), "{json}");
        }
    }

    #[test]
    fn a_value_that_is_too_deep_is_refused() {
        let nested = |depth: usize| format!("[{}{}]", "[".repeat(depth), "]".repeat(depth));
        assert!(Values::read(&nested(99)).is_ok());
        assert!(Values::read(&nested(1_000_000)).is_err());
    }
}
