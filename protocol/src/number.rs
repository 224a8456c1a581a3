//! Numbers as JSON carries them: what JSON has no digits for travels as a string.

use crate::scan::{Scan, Token};
use serde::de::{Deserialize, Deserializer, Error, Unexpected, Visitor};
use serde::ser::{Serialize, Serializer};
use std::fmt;

/// A result: a finite number, or one of the strings `"Infinity"`, `"-Infinity"`, `"NaN"`.
#[derive(Clone, Copy, Debug)]
pub struct Number(pub f64);

impl Number {
    /// Reads a JSON value; none of one that is no number.
    pub fn read(json: &str) -> Option<Number> {
        let mut scan = Scan::new(json);
        let token = scan.number().filter(|_| scan.rest().is_empty());
        match token.and_then(Token::value) {
            Some(value) => Some(Number(value)),
            None => serde_json::from_str(json).ok(),
        }
    }

    /// Whether both are the same 64 bits, any NaN being equal to any other (which NaN an
    /// operation gives is the one thing that WebAssembly leaves open).
    pub fn same_bits(self, other: Number) -> bool {
        self.0.to_bits() == other.0.to_bits() || (self.0.is_nan() && other.0.is_nan())
    }

    /// Whether both differ by at most `tolerance` relative to the larger magnitude.
    pub fn is_close(self, other: Number, tolerance: f64) -> bool {
        self.same_bits(other)
            || (self.0 - other.0).abs() <= tolerance * self.0.abs().max(other.0.abs())
                && self.0.is_finite()
                && other.0.is_finite()
    }
}

impl PartialEq for Number {
    fn eq(&self, other: &Number) -> bool {
        self.same_bits(*other)
    }
}

impl fmt::Display for Number {
    /// Writes as JavaScript prints it, as far as people care: `1.5`, `3`, `1e300`, `Infinity`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let magnitude = self.0.abs();
        if let Some(name) = name_of(self.0) {
            f.write_str(name)
        } else if magnitude != 0.0 && !(1e-6..1e21).contains(&magnitude) {
            write!(f, "{:e}", self.0)
        } else {
            write!(f, "{}", self.0)
        }
    }
}

impl Serialize for Number {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match name_of(self.0) {
            Some(name) => serializer.serialize_str(name),
            None => serializer.serialize_f64(self.0),
        }
    }
}

impl<'de> Deserialize<'de> for Number {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Number, D::Error> {
        deserializer.deserialize_any(NumberVisitor)
    }
}

fn name_of(value: f64) -> Option<&'static str> {
    if value.is_nan() {
        Some("NaN")
    } else if value == f64::INFINITY {
        Some("Infinity")
    } else if value == f64::NEG_INFINITY {
        Some("-Infinity")
    } else {
        None
    }
}

struct NumberVisitor;

impl Visitor<'_> for NumberVisitor {
    type Value = Number;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a number, \"Infinity\", \"-Infinity\" or \"NaN\"")
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Number, E> {
        Ok(Number(value))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Number, E> {
        Ok(Number(value as f64))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Number, E> {
        Ok(Number(value as f64))
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Number, E> {
        match value {
            "NaN" => Ok(Number(f64::NAN)),
            "Infinity" => Ok(Number(f64::INFINITY)),
            "-Infinity" => Ok(Number(f64::NEG_INFINITY)),
            _ => Err(E::invalid_value(Unexpected::Str(value), &self)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_keeps_every_bit_and_names_what_json_cannot_write() {
        for (value, json) in [
            (1.537265682697473_f64, "1.537265682697473"),
            (-0.0, "-0.0"),
            (5e-324, "5e-324"),
            (f64::MAX, "1.7976931348623157e+308"),
            (f64::INFINITY, "\"Infinity\""),
            (f64::NEG_INFINITY, "\"-Infinity\""),
            (f64::NAN, "\"NaN\""),
        ] {
            assert_eq!(serde_json::to_string(&Number(value)).unwrap(), json);
            let back: Number = serde_json::from_str(json).unwrap();
            assert!(back.same_bits(Number(value)), "{json}");
        }
    }

    #[test]
    fn other_strings_and_types_are_refused_by_name() {
        let error = serde_json::from_str::<Number>("\"inf\"").unwrap_err();
        assert!(error.to_string().contains("expected a number, \"Infinity\""));
        assert!(serde_json::from_str::<Number>("true").is_err());
    }

    #[test]
    fn closeness_is_relative_and_exact_for_what_is_not_finite() {
        assert!(Number(1.0).is_close(Number(1.0 + 1e-13), 1e-12));
        assert!(!Number(1.0).is_close(Number(1.0 + 1e-11), 1e-12));
        assert!(!Number(f64::INFINITY).is_close(Number(f64::MAX), 1e-12));
        assert!(!Number(f64::NAN).is_close(Number(0.0), 1e-12));
        assert!(Number(0.0).is_close(Number(-0.0), 1e-12));
    }

    #[test]
    fn text_for_people_is_short() {
        let texts = [3.0, 1.5, 1e300, 1e-300, f64::NAN, 0.0].map(|v| Number(v).to_string());
        assert_eq!(texts, ["3", "1.5", "1e300", "1e-300", "NaN", "0"]);
    }
}
