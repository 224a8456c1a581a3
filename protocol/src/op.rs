//! Ops: what a task computes.

use crate::limits::INTEGER_MAX;
use crate::number::Number;
use crate::power::{self, Power};
use serde::de::{Deserializer, Error, Unexpected, Visitor};
use serde::{Deserialize, Serialize};
use std::fmt;

/// The name of an op, as it travels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
#[serde(rename_all = "snake_case")]
pub enum Op {
    /// [`RepeatMultiply`].
    RepeatMultiply,
    /// Computes what `repeat_multiply` does, but never ends where `factor` is [`ENDLESS`] and traps
    /// where it is [`TRAP`].
    #[cfg(feature = "test-ops")]
    Misbehave,
}

/// The factor with which [`Op::Misbehave`] never ends.
#[cfg(feature = "test-ops")]
pub const ENDLESS: f64 = -1.0;

/// The factor with which [`Op::Misbehave`] traps.
#[cfg(feature = "test-ops")]
pub const TRAP: f64 = -2.0;

impl Op {
    /// Every op that this version knows.
    pub const ALL: &[Op] = &[
        Op::RepeatMultiply,
        #[cfg(feature = "test-ops")]
        Op::Misbehave,
    ];

    /// The op of this name, if this version knows it.
    pub fn named(name: &str) -> Option<Op> {
        Op::ALL.iter().copied().find(|op| op.name() == name)
    }

    /// The name on the wire.
    pub const fn name(self) -> &'static str {
        match self {
            Op::RepeatMultiply => "repeat_multiply",
            #[cfg(feature = "test-ops")]
            Op::Misbehave => "misbehave",
        }
    }

    /// The result of one task.
    pub fn compute(self, input: &RepeatMultiply) -> f64 {
        match self {
            Op::RepeatMultiply => input.compute(),
            #[cfg(feature = "test-ops")]
            Op::Misbehave if input.factor() == ENDLESS => loop {
                std::hint::spin_loop();
            },
            #[cfg(feature = "test-ops")]
            Op::Misbehave if input.factor() == TRAP => {
                panic!("a task that traps, as it was told to")
            }
            #[cfg(feature = "test-ops")]
            Op::Misbehave => input.compute(),
        }
    }

    /// Gives the results of tasks one after the other, the same as [`Op::compute`] does. Of those
    /// that follow each other with the same factor, what they have in common is computed once.
    pub fn computer(self) -> impl FnMut(&RepeatMultiply) -> f64 {
        let mut known = Power::of(1.0);
        move |input| match self {
            Op::RepeatMultiply => {
                if !known.is_of(input.factor) {
                    known = Power::of(input.factor);
                }
                input.compute_with(&known)
            }
            #[cfg(feature = "test-ops")]
            Op::Misbehave => self.compute(input),
        }
    }
}

impl fmt::Display for Op {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// One input of `repeat_multiply`: `initial × factor^times`.
///
/// Values of this type are in range: they are made by [`RepeatMultiply::new`] or by
/// deserialising, and both refuse what is not.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
pub struct RepeatMultiply {
    #[serde(deserialize_with = "initial")]
    initial: f64,
    #[serde(deserialize_with = "factor")]
    factor: f64,
    #[serde(deserialize_with = "times")]
    #[cfg_attr(feature = "typescript", ts(type = "number"))]
    times: u64,
}

/// Why an input of `repeat_multiply` was refused.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
pub enum InputError {
    /// `initial` or `factor` is NaN or infinite.
    #[error("{field} must be a finite number, not {value}")]
    NotFinite {
        /// The field's name.
        field: &'static str,
        /// What it held.
        value: f64,
    },
    /// `times` is above 2^53 - 1.
    #[error("times must be an integer from 0 to 9007199254740991, not {0}")]
    TimesTooLarge(u64),
}

impl RepeatMultiply {
    /// `initial` and `factor` finite, `times` from 0 to 2^53 - 1.
    pub fn new(initial: f64, factor: f64, times: u64) -> Result<RepeatMultiply, InputError> {
        for (field, value) in [("initial", initial), ("factor", factor)] {
            if !value.is_finite() {
                return Err(InputError::NotFinite { field, value });
            }
        }
        if times > INTEGER_MAX {
            return Err(InputError::TimesTooLarge(times));
        }
        Ok(RepeatMultiply { initial, factor, times })
    }

    /// The start value.
    pub fn initial(&self) -> f64 {
        self.initial
    }

    /// What it is multiplied by.
    pub fn factor(&self) -> f64 {
        self.factor
    }

    /// How many times.
    pub fn times(&self) -> u64 {
        self.times
    }

    /// Whether the result is finite for certain. False where it may be finite or not.
    ///
    /// `|initial| × |factor|^times` is at most 2^(log2 |initial| + times × log2 |factor|); 1023
    /// leaves more room for roundings than they need. A factor of at most 1 cannot grow.
    pub fn is_surely_finite(&self) -> bool {
        let growth = power::log2(self.factor.abs()) * self.times as f64;
        self.factor.abs() <= 1.0
            || (growth < 1023.0 && growth + power::log2(self.initial.abs()) < 1023.0)
    }

    /// `initial * pow(factor, times)`: one rounding of the power and one of the product.
    ///
    /// The power is our own on every target ([`Power`]), never the platform's: browsers and C
    /// libraries differ from each other in the last bit.
    /// The result may be infinite, or NaN (`0 × ∞`); so is `initial * Math.pow(factor, times)`.
    pub fn compute(&self) -> f64 {
        self.compute_with(&Power::of(self.factor))
    }

    /// The result, where `power` is of its factor.
    fn compute_with(&self, power: &Power) -> f64 {
        self.initial * power.raise(self.times)
    }
}

impl fmt::Display for RepeatMultiply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (initial, factor) = (Number(self.initial), Number(self.factor));
        write!(f, "{initial} × {factor}^{}", self.times)
    }
}

fn initial<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
    deserializer.deserialize_f64(Finite("initial must be a finite number"))
}

fn factor<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
    deserializer.deserialize_f64(Finite("factor must be a finite number"))
}

fn times<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    deserializer.deserialize_any(Times)
}

/// Reads a finite number; its field is the sentence that the error gives.
struct Finite(&'static str);

impl Visitor<'_> for Finite {
    type Value = f64;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<f64, E> {
        if value.is_finite() {
            Ok(value)
        } else {
            Err(E::invalid_value(Unexpected::Float(value), &self))
        }
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<f64, E> {
        Ok(value as f64)
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<f64, E> {
        Ok(value as f64)
    }
}

/// Reads an integer from 0 to 2^53 - 1, also where its writer had it as a float (`1e6`, `3.0`).
struct Times;

impl Visitor<'_> for Times {
    type Value = u64;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "times must be an integer from 0 to {INTEGER_MAX}")
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<u64, E> {
        if value <= INTEGER_MAX {
            Ok(value)
        } else {
            Err(E::invalid_value(Unexpected::Unsigned(value), &self))
        }
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<u64, E> {
        u64::try_from(value).map_err(|_| E::invalid_value(Unexpected::Signed(value), &self))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<u64, E> {
        if value.fract() == 0.0 && (0.0..=INTEGER_MAX as f64).contains(&value) {
            Ok(value as u64)
        } else {
            Err(E::invalid_value(Unexpected::Float(value), &self))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn compute(initial: f64, factor: f64, times: u64) -> f64 {
        RepeatMultiply::new(initial, factor, times).unwrap().compute()
    }

    #[test]
    fn computes_the_power_and_its_edges() {
        assert_eq!(compute(3.0, 2.0, 10), 3072.0);
        assert_eq!(compute(3.0, 0.0, 0), 3.0, "0^0 is 1");
        assert_eq!(compute(1.0, -2.0, 3), -8.0);
        assert_eq!(compute(1.0, 2.0, 2000), f64::INFINITY);
        assert_eq!(compute(-1.0, 2.0, 2000), f64::NEG_INFINITY);
        assert!(compute(0.0, 2.0, 2000).is_nan(), "0 × ∞");
        assert_eq!(compute(1.0, 0.5, 1074), 5e-324);
        assert_eq!(compute(1.0, -1.0, INTEGER_MAX), -1.0, "2^53 - 1 is odd");
        assert_eq!(compute(1.0000054, 1.00000043, 1_000_000), 1.5372656826974733);
    }

    #[test]
    fn what_is_surely_finite_is_finite() {
        let is_sure = |initial, factor, times| {
            RepeatMultiply::new(initial, factor, times).unwrap().is_surely_finite()
        };
        assert!(is_sure(1.0, 1.00000043, 1_000_000));
        assert!(is_sure(1e308, -1.0, INTEGER_MAX));
        assert!(is_sure(0.0, 2.0, 1000));
        assert!(!is_sure(1.0, 2.0, 1024), "it is infinite");
        assert!(!is_sure(0.0, 2.0, 2000), "it is NaN");
        assert!(!is_sure(1e300, 1e10, 1), "it is infinite");
        assert!(is_sure(5e-324, 2.0, 1022));
    }

    #[test]
    fn new_refuses_what_is_out_of_range() {
        assert!(RepeatMultiply::new(f64::NAN, 1.0, 1).is_err());
        assert!(RepeatMultiply::new(1.0, f64::INFINITY, 1).is_err());
        let error = RepeatMultiply::new(1.0, 1.0, INTEGER_MAX + 1).unwrap_err();
        assert!(error.to_string().contains("9007199254740992"));
    }

    #[test]
    fn reading_names_the_field_and_what_would_be_right() {
        let read = |json: &str| serde_json::from_str::<RepeatMultiply>(json);
        for (times, said) in [
            ("-1", "integer `-1`, expected times must be an integer from 0"),
            ("1.5", "floating point `1.5`"),
            ("9007199254740992", "integer `9007199254740992`"),
            ("\"3\"", "string \"3\""),
            ("null", "null"),
        ] {
            let error = read(&format!(r#"{{"initial":1,"factor":1,"times":{times}}}"#));
            let text = error.unwrap_err().to_string();
            assert!(text.contains(said) && text.contains("times must"), "{text}");
        }
        let text = read(r#"{"initial":"x","factor":1,"times":1}"#).unwrap_err().to_string();
        assert!(text.contains("initial must be a finite number"), "{text}");
        assert!(read(r#"{"initial":1e999,"factor":1,"times":1}"#).is_err());
        let text = read(r#"{"initial":1,"times":1}"#).unwrap_err().to_string();
        assert!(text.contains("missing field `factor`"), "{text}");
    }

    #[test]
    fn whole_floats_are_integers() {
        let input: RepeatMultiply =
            serde_json::from_str(r#"{"initial":1,"factor":2,"times":1e1}"#).unwrap();
        assert_eq!(input, RepeatMultiply::new(1.0, 2.0, 10).unwrap());
    }
}
