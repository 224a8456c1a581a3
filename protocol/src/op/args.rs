//! Inputs as text: a JSON object with a number for each parameter.

use super::{Args, PARAMS_MAX, Param};
use crate::scan::Scan;
use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, Visitor};
use std::borrow::Cow;
use std::fmt;

/// Why a text is no input.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ArgsError(String);

/// Reads inputs of one op, one after the other. Of neighbours many have the same values but for one, as in
/// every sweep of a parameter, and these are read once.
#[derive(Debug)]
pub struct Reader<'a> {
    params: &'a [Param],
    args: Args,
    /// The texts that `args` were read of.
    texts: [&'a str; PARAMS_MAX],
    /// The input that `args` were read of, up to the last of them.
    before_last: &'a str,
}

impl<'a> Reader<'a> {
    /// A reader of inputs with these parameters.
    pub fn new(params: &'a [Param]) -> Reader<'a> {
        Reader { params, args: [0.0; PARAMS_MAX], texts: [""; PARAMS_MAX], before_last: "" }
    }

    /// The values of an input, which may have other fields as well.
    ///
    /// # Errors
    ///
    /// Returns which parameter is missing, there twice, or not what it must be.
    pub fn read(&mut self, input: &'a str) -> Result<&Args, ArgsError> {
        if self.params.is_empty() {
            // It is any JSON, which was looked at where it came in.
            return Ok(&self.args);
        }
        if self.scan_last(input).is_none() && self.scan(input).is_none() {
            (self.texts, self.before_last) = ([""; PARAMS_MAX], "");
            self.args = read_any(self.params, input)?;
        }
        Ok(&self.args)
    }

    /// Reads an input that is like the one before it but for the last parameter.
    fn scan_last(&mut self, input: &'a str) -> Option<()> {
        let last = self.params.len().checked_sub(1).filter(|_| !self.before_last.is_empty())?;
        let mut scan = Scan::new(input);
        scan.take(self.before_last)?;
        let token = scan.number()?;
        scan.take("}").filter(|()| scan.rest().is_empty())?;
        self.args[last] = token.value().filter(|value| self.params[last].kind.takes(*value))?;
        self.texts[last] = token.text;
        Some(())
    }

    /// Reads an input as [`write`] writes it; none of any other, nor of one that is to be refused.
    fn scan(&mut self, input: &'a str) -> Option<()> {
        let mut scan = Scan::new(input);
        for (place, param) in self.params.iter().enumerate() {
            scan.take(if place == 0 { "{\"" } else { ",\"" })?;
            scan.take(param.name)?;
            scan.take("\":")?;
            let before = input.len() - scan.rest().len();
            let token = scan.number()?;
            if token.text != self.texts[place] {
                self.args[place] = token.value().filter(|value| param.kind.takes(*value))?;
                self.texts[place] = token.text;
            }
            self.before_last = &input[..before];
        }
        scan.take("}").filter(|()| scan.rest().is_empty())
    }
}

/// The input with these values, each of which its parameter takes.
pub fn write(params: &[Param], args: &Args) -> String {
    write_texts(params, params.iter().zip(args).map(|(param, value)| param.kind.text(*value)))
}

/// The input with these values as JSON.
pub(crate) fn write_texts<T: AsRef<str>>(
    params: &[Param],
    texts: impl IntoIterator<Item = T>,
) -> String {
    let mut json = String::with_capacity(params.len() * 32);
    for (param, text) in params.iter().zip(texts) {
        json.push_str(if json.is_empty() { "{\"" } else { ",\"" });
        json.push_str(param.name);
        json.push_str("\":");
        json.push_str(text.as_ref());
    }
    json.push('}');
    json
}

/// Reads an input in whatever way it is written.
fn read_any(params: &[Param], input: &str) -> Result<Args, ArgsError> {
    let mut deserializer = serde_json::Deserializer::from_str(input);
    let said = |error: serde_json::Error| ArgsError(error.to_string());
    let args = deserializer.deserialize_map(Fields { params }).map_err(said)?;
    deserializer.end().map_err(said)?;
    Ok(args)
}

struct Fields<'a> {
    params: &'a [Param],
}

impl<'de> Visitor<'de> for Fields<'_> {
    type Value = Args;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Args, A::Error> {
        let mut args = [None; PARAMS_MAX];
        while let Some(name) = map.next_key::<Cow<'de, str>>()? {
            let place = self.params.iter().position(|param| param.name == name);
            let Some(place) = place else {
                map.next_value::<IgnoredAny>()?;
                continue;
            };
            let value = map.next_value_seed(Value(&self.params[place]))?;
            if args[place].replace(value).is_some() {
                return Err(A::Error::custom(format_args!("duplicate field `{name}`")));
            }
        }
        for (param, value) in self.params.iter().zip(&args) {
            if value.is_none() {
                return Err(A::Error::custom(format_args!("missing field `{}`", param.name)));
            }
        }
        Ok(args.map(Option::unwrap_or_default))
    }
}

/// Reads a value of a parameter, also where its writer had an integer as a float (`1e6`, `3.0`).
struct Value<'a>(&'a Param);

impl<'de> DeserializeSeed<'de> for Value<'_> {
    type Value = f64;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<f64, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl Visitor<'_> for Value<'_> {
    type Value = f64;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} must be {}", self.0.name, self.0.kind)
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<f64, E> {
        match self.0.kind.takes(value) {
            true => Ok(value),
            false => Err(E::invalid_value(serde::de::Unexpected::Float(value), &self)),
        }
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<f64, E> {
        match self.0.kind.takes(value as f64) {
            true => Ok(value as f64),
            false => Err(E::invalid_value(serde::de::Unexpected::Signed(value), &self)),
        }
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<f64, E> {
        match self.0.kind.takes(value as f64) {
            true => Ok(value as f64),
            false => Err(E::invalid_value(serde::de::Unexpected::Unsigned(value), &self)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Kind;
    use super::*;

    const PARAMS: [Param; 2] = [
        Param { name: "x", kind: Kind::Float, example: 1.5 },
        Param { name: "n", kind: Kind::COUNT, example: 10.0 },
    ];

    fn read(input: &str) -> Result<[f64; 2], ArgsError> {
        Reader::new(&PARAMS).read(input).map(|args| [args[0], args[1]])
    }

    #[test]
    fn inputs_are_read_in_any_way_they_are_written() {
        for input in [
            r#"{"x":1.5,"n":10}"#,
            r#"{"n":10,"x":1.5}"#,
            r#" { "x" : 15e-1, "n" : 1e1 } "#,
            r#"{"id":[7],"x":1.5,"n":10.0}"#,
            "{\"\\u0078\":1.5,\"n\":10}",
        ] {
            assert_eq!(read(input), Ok([1.5, 10.0]), "{input}");
        }
        for (x, n) in [(-0.0, 0.0), (5e-324, 1.0), (f64::MAX, 9007199254740991.0), (0.1 + 0.2, 7.0)]
        {
            let mut args = [0.0; PARAMS_MAX];
            (args[0], args[1]) = (x, n);
            let text = write(&PARAMS, &args);
            let mut reader = Reader::new(&PARAMS);
            assert!(reader.scan(&text).is_some(), "{text}");
            assert_eq!(reader.args.map(f64::to_bits), args.map(f64::to_bits), "{text}");
            assert_eq!(
                read(&text).map(|args| args.map(f64::to_bits)),
                Ok([x, n].map(f64::to_bits))
            );
        }
    }

    #[test]
    fn neighbours_are_read_as_if_each_was_the_first() {
        let texts = [
            r#"{"x":1.5,"n":10}"#,
            r#"{"x":1.5,"n":11}"#,
            r#"{"n":3,"x":2.5}"#,
            r#"{"x":2.5,"n":11}"#,
            r#"{"x":1.5,"n":-1}"#,
            r#"{"x":1.5,"n":10}"#,
        ];
        let mut reader = Reader::new(&PARAMS);
        for text in texts {
            assert_eq!(reader.read(text).map(|args| [args[0], args[1]]), read(text));
        }
    }

    #[test]
    fn what_is_no_input_says_what_would_be_one() {
        for (input, said) in [
            (r#"{"x":1.5}"#, "missing field `n`"),
            (r#"{"x":1.5,"n":1,"x":1}"#, "duplicate field `x`"),
            (r#"{"x":"1.5","n":1}"#, "x must be a finite number"),
            (r#"{"x":1,"n":-1}"#, "integer `-1`, expected n must be a whole number from 0 to"),
            (r#"{"x":1,"n":1.5}"#, "floating point `1.5`"),
            (r#"{"x":1,"n":9007199254740992}"#, "integer `9007199254740992`"),
            (r#"{"x":1e999,"n":1}"#, "out of range"),
            (r#"{"x":1,"n":1} x"#, "trailing"),
            ("[1,2]", "expected an object"),
        ] {
            let error = read(input).unwrap_err().to_string();
            assert!(error.contains(said), "{input}: {error}");
        }
    }
}
