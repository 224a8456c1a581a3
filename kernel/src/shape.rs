//! What a kernel is, seen from outside.

use serde::{Deserialize, Serialize};
use std::fmt;

/// What a kernel is given, and what it gives.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shape {
    /// How it is called.
    pub form: Form,
    /// Its parameters, in order. All of them for the numbers form; of the other forms those that the module
    /// names, which may be none: such a kernel takes any axes.
    pub params: Vec<KernelParam>,
    /// Whether it takes a job's shared data: it exports `init`.
    pub takes_data: bool,
}

/// How a kernel is called.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Form {
    /// `run(p1 .. p8)`: numbers to a number.
    Numbers {
        /// The types of `run`'s parameters: 1 to 8.
        params: Vec<ValueType>,
        /// The type of its result.
        result: ValueType,
    },
    /// `alloc(len) -> ptr`, `run(ptr, len) -> ptr`: JSON text to JSON text.
    Json,
    /// `_start()`: a line on stdin to a line on stdout.
    Command,
}

impl Form {
    /// Its name, for people and programs: `numbers`, `json` or `command`.
    pub fn name(&self) -> &'static str {
        match self {
            Form::Numbers { .. } => "numbers",
            Form::Json => "json",
            Form::Command => "command",
        }
    }
}

/// The type of a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ValueType {
    /// Integers of 32 bits, with a sign.
    I32,
    /// Integers of 64 bits, with a sign.
    I64,
    /// Floats of 32 bits.
    F32,
    /// Floats of 64 bits.
    F64,
}

impl ValueType {
    /// Whether its values are integers.
    pub fn is_integer(self) -> bool {
        matches!(self, ValueType::I32 | ValueType::I64)
    }
}

/// As WebAssembly's text format has it.
impl fmt::Display for ValueType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            ValueType::I32 => "i32",
            ValueType::I64 => "i64",
            ValueType::F32 => "f32",
            ValueType::F64 => "f64",
        })
    }
}

/// A parameter of a kernel.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KernelParam {
    /// Its name. Where the module names none: `p1`, `p2` and so on.
    pub name: String,
    /// What its values are. `None` in the JSON and the command form, which take any number.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub kind: Option<ValueType>,
    /// The axis that a form begins with, as people type axes.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub default: Option<String>,
    /// What it means, for people.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub help: Option<String>,
}
