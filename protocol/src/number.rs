//! Numbers as JSON carries them: what JSON has no digits for travels as a string.

use crate::scan::{Scan, Token};
use serde::de::{Deserialize, Deserializer, Error, Unexpected, Visitor};
use serde::ser::{Serialize, Serializer};
use std::fmt;

/// A result: a finite number, or one of the strings `"Infinity"`, `"-Infinity"`, `"NaN"`.
#[derive(Clone, Copy, Debug)]
pub struct Number(pub f64);

impl Number {
    /// Reads a JSON value as [`Values`](crate::values::Values) keep it; none of one that is no number.
    pub fn read(json: &str) -> Option<Number> {
        let value = match json {
            "\"NaN\"" => f64::NAN,
            "\"Infinity\"" => f64::INFINITY,
            "\"-Infinity\"" => f64::NEG_INFINITY,
            _ => {
                let mut scan = Scan::new(json);
                scan.number().filter(|_| scan.rest().is_empty()).and_then(Token::value)?
            }
        };
        Some(Number(value))
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

/// The nearest `f64` of a number as JSON has it, if that is finite.
#[cfg(not(target_family = "wasm"))]
pub(crate) fn nearest(json: &str) -> Option<f64> {
    // The standard library is exact as well, and four times as fast as serde_json.
    json.parse().ok().filter(|value: &f64| value.is_finite())
}

/// The nearest `f64` of a number as JSON has it, if that is finite.
///
/// By serde_json, which every tab has anyway: the standard library's reader with its tables would be a tenth of
/// what a tab loads.
#[cfg(target_family = "wasm")]
pub(crate) fn nearest(json: &str) -> Option<f64> {
    serde_json::from_str(json).ok()
}

/// The nearest `f64` of a number as people write it, if that is finite: as JSON has it, or `+1`, `.5`, `5.`
/// or `007`.
pub(crate) fn written(text: &str) -> Option<f64> {
    let (sign, text) = match text.strip_prefix('-') {
        Some(text) => ("-", text),
        None => ("", text.strip_prefix('+').unwrap_or(text)),
    };
    let (mantissa, exponent) = text.split_at(text.find(['e', 'E']).unwrap_or(text.len()));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    if whole.len() + fraction.len() == 0 || !digits(whole) || !digits(fraction) {
        return None;
    }
    let whole = whole.trim_start_matches('0');
    let zero_of = |part: &str| if part.is_empty() { "0" } else { "" };
    nearest(&format!("{sign}{}{whole}.{fraction}{}{exponent}", zero_of(whole), zero_of(fraction)))
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

    /// Numbers as people write them, and what is none.
    const WRITTEN: [&str; 46] = [
        "0",
        "-0",
        "-0.0",
        "+1",
        ".5",
        "-.5",
        "5.",
        "007",
        "-007.50",
        "1e5",
        "1E+05",
        ".5e-3",
        "5.e2",
        "0.1",
        "0.30000000000000004",
        "1.7976931348623157e308",
        "5e-324",
        "2.2250738585072011e-308",
        "123456789012345678901234567890",
        "1e23",
        "9007199254740993",
        "1.8e308",
        "-1e999",
        "1e-999",
        "1e-99999999999999999999",
        "0e99999999999999999999",
        "",
        "-",
        "+",
        ".",
        "e5",
        "1e",
        "1e+",
        "1.2.3",
        "1e5.0",
        "--1",
        "+-1",
        "1 ",
        " 1",
        "1_000",
        "inf",
        "-Infinity",
        "NaN",
        "0x10",
        "1e5e5",
        "١",
    ];

    #[test]
    fn what_people_write_is_what_the_standard_library_reads() {
        for text in WRITTEN {
            let known = text.parse().ok().filter(|value: &f64| value.is_finite());
            assert_eq!(written(text).map(f64::to_bits), known.map(f64::to_bits), "{text}");
        }
    }

    /// A tab reads numbers by another way than everybody else.
    #[test]
    fn both_ways_of_reading_come_to_the_same_bits() {
        let mut state = 1_u64;
        let random = std::iter::repeat_with(|| {
            state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            format!("{:?}", f64::from_bits(state ^ (state >> 29)))
        });
        for text in WRITTEN.map(str::to_owned).into_iter().chain(random.take(20_000)) {
            let mut scan = Scan::new(&text);
            if scan.number().is_some() && scan.rest().is_empty() {
                let by_serde = serde_json::from_str::<f64>(&text).ok();
                assert_eq!(nearest(&text).map(f64::to_bits), by_serde.map(f64::to_bits), "{text}");
            }
        }
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
