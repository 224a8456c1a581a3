//! What an op takes: named parameters, whose values are numbers.

use crate::limits::INTEGER_MAX;
use crate::number::Number;
use std::fmt;

/// The most parameters that an op may take, and axes that a grid may have.
pub const PARAMS_MAX: usize = 8;

/// The values of an op's parameters for one task, in the parameters' order; those behind the last
/// parameter are 0. Integers up to 2^53 - 1 are exact.
pub type Args = [f64; PARAMS_MAX];

/// One parameter of an op.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Param {
    /// Its name: in inputs, as an axis, on the command line and in the form.
    pub name: &'static str,
    /// What its values are.
    pub kind: Kind,
    /// A value that it may have, as an example for people.
    pub example: f64,
}

/// What the values of a parameter are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Finite numbers.
    Float,
    /// Integers from a least to a greatest one, both within ±(2^53 - 1).
    Integer {
        /// The least.
        min: i64,
        /// The greatest.
        max: i64,
    },
}

impl Kind {
    /// Integers from 0 on that JSON keeps.
    pub const COUNT: Kind = Kind::Integer { min: 0, max: INTEGER_MAX as i64 };

    /// Whether a parameter may have this value.
    pub fn takes(self, value: f64) -> bool {
        match self {
            Kind::Float => value.is_finite(),
            Kind::Integer { min, max } => {
                // Faster than to ask for its fraction.
                let integer = value as i64;
                integer as f64 == value && (min..=max).contains(&integer)
            }
        }
    }

    /// A value that [`Kind::takes`], as JSON has it.
    pub(crate) fn text(self, value: f64) -> String {
        match self {
            Kind::Float => serde_json::to_string(&Number(value)).expect("a number serialises"),
            Kind::Integer { .. } => (value as i64).to_string(),
        }
    }
}

/// What a value must be, as a sentence says it.
impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Kind::Float => f.write_str("a finite number"),
            Kind::Integer { min, max } => write!(f, "a whole number from {min} to {max}"),
        }
    }
}
