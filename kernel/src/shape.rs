//! What a kernel is, seen from outside.

use serde::{Deserialize, Serialize};
pub use tequio_protocol::op::kernel::ValueType;

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
