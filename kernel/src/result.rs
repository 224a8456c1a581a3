//! What every host does with what a kernel is given and gives: bytes and numbers become an outcome here, and
//! nowhere else, so that all hosts come to the same text. A browser's host runs this code too.

use crate::shape::{KernelParam, ValueType};
use tequio_protocol::limits::{INTEGER_MAX, TASK_ERROR_CHARS_MAX};
use tequio_protocol::number::Number;
use tequio_protocol::outcome::Outcome;
use tequio_protocol::text::printable;
use tequio_protocol::values::Value;

/// The longest result, in bytes, as a kernel gives it: sixteen of them fit a message.
pub const RESULT_BYTES_MAX: usize = 64 * 1024;

/// How much of what a command writes to stderr is kept, in bytes: its end.
pub const STDERR_BYTES_KEPT: usize = 4096;

/// The error of a kernel whose `alloc` gives a place that is not within its memory.
pub const ALLOC_OUTSIDE: &str = "alloc gave a place outside memory";

/// The error of a kernel whose `run` points to a result that is not within its memory.
pub const RESULT_OUTSIDE: &str = "run gave a place outside memory";

/// The error of a kernel whose result is text but not JSON, or is nested too deeply.
pub const NOT_JSON: &str = "the result is not JSON";

/// The bit of a length that says that the bytes are an error's words.
pub const ERROR_BIT: u32 = 1 << 31;

/// A trap of the module's own. It is an outcome like any other, and the same in all engines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trap {
    /// `unreachable` was reached: what a panic or an assertion ends with.
    Unreachable,
    /// An integer was divided by 0.
    DivisionByZero,
    /// The result of a division, or of turning a float into an integer, is no integer of that size. Engines
    /// do not tell these apart in the same way, so one word stands for all.
    Overflow,
    /// A place outside memory or the table, also of a bulk operation or when an instance is made.
    OutOfBounds,
    /// The entry of the table is empty, or is a function of another type.
    BadIndirectCall,
}

impl Trap {
    /// What happened.
    pub fn words(self) -> &'static str {
        match self {
            Trap::Unreachable => "unreachable",
            Trap::DivisionByZero => "integer division by zero",
            Trap::Overflow => "integer overflow",
            Trap::OutOfBounds => "out of bounds",
            Trap::BadIndirectCall => "bad indirect call",
        }
    }

    /// The error that a task ends with.
    pub fn error(self) -> String {
        format!("trap: {}", self.words())
    }
}

/// Checks a value that the numbers form is given.
///
/// # Errors
///
/// Returns the task's error where an integer parameter is given a fraction, or an integer that is out of its
/// range: that of 32 bits, or ±(2^53 - 1) for 64.
pub fn check_argument(param: &KernelParam, value: f64) -> Result<(), String> {
    let (min, max) = match param.kind {
        Some(ValueType::I32) => (f64::from(i32::MIN), f64::from(i32::MAX)),
        Some(ValueType::I64) => (-(INTEGER_MAX as f64), INTEGER_MAX as f64),
        Some(ValueType::F32 | ValueType::F64) | None => return Ok(()),
    };
    if value.fract() == 0.0 && (min..=max).contains(&value) {
        return Ok(());
    }
    let (name, value) = (&param.name, Number(value));
    Err(format!("{name} must be a whole number from {min} to {max}, not {value}"))
}

/// The error of a task that gives the numbers form too many or too few values.
pub fn wrong_count(takes: usize, given: usize) -> String {
    format!("the kernel takes {takes} numbers, not {given}")
}

/// An integer that `run` gave, as JSON text.
pub fn of_integer(value: i64) -> String {
    value.to_string()
}

/// A float that `run` gave, as JSON text. An `f32` is widened first.
pub fn of_float(value: f64) -> String {
    serde_json::to_string(&Number(value)).expect("a number serialises")
}

/// The error of a result that is longer than [`RESULT_BYTES_MAX`].
pub fn too_long() -> String {
    format!("the result is longer than {RESULT_BYTES_MAX} bytes")
}

/// What the bytes are that `run` of the JSON form points to, at most [`RESULT_BYTES_MAX`]: JSON text in
/// UTF-8, or [`NOT_JSON`].
///
/// The text is kept as it is, but for white space between tokens, which goes, and for numbers of more than
/// 32 characters, which become the shortest text of the nearest 64-bit float. At most 100 values lie within
/// each other.
pub fn of_json(bytes: &[u8]) -> Outcome {
    if bytes.len() > RESULT_BYTES_MAX {
        return Outcome::Error(too_long());
    }
    let compacted = std::str::from_utf8(bytes).ok().and_then(compact);
    compacted.map_or_else(|| Outcome::Error(NOT_JSON.to_owned()), Outcome::Result)
}

/// What a command ended with that exited with `code`: 0, also where `_start` returned.
///
/// Of `stdout` it is given at most `RESULT_BYTES_MAX + 3` bytes, of `stderr` the last
/// [`STDERR_BYTES_KEPT`]. The result is stdout without the line break at its end: JSON, or else as a string,
/// in which bytes that are not UTF-8 are U+FFFD.
pub fn of_command(code: i32, stdout: &[u8], stderr: &[u8]) -> Outcome {
    if code != 0 {
        return Outcome::Error(of_exit(code, stderr));
    }
    let line = stdout.strip_suffix(b"\n").unwrap_or(stdout);
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    match of_json(line) {
        Outcome::Error(error) if error == NOT_JSON => {
            let text = String::from_utf8_lossy(line);
            Outcome::Result(serde_json::to_string(&text).expect("a string serialises"))
        }
        outcome => outcome,
    }
}

/// The error of a module that exited with `code`: the last line of `stderr` that is more than white space,
/// or the code.
pub fn of_exit(code: i32, stderr: &[u8]) -> String {
    let text = String::from_utf8_lossy(stderr);
    match text.lines().map(str::trim).rfind(|line| !line.is_empty()) {
        Some(line) => words(line),
        None => format!("exit code {code}"),
    }
}

/// The words of an error that a kernel of the JSON form gives.
pub fn of_error(bytes: &[u8]) -> String {
    // A character has at most 4 bytes, and a broken one at least 1.
    let kept = &bytes[..bytes.len().min(4 * TASK_ERROR_CHARS_MAX)];
    match String::from_utf8_lossy(kept).trim() {
        "" => "the kernel gave an error without words".to_owned(),
        text => words(text),
    }
}

/// The error of an `init` that gave another number than 0.
pub fn of_init(code: i32) -> String {
    format!("init gave {code}")
}

/// The error of AssemblyScript's `abort`, whose texts may be empty.
pub fn of_abort(message: &str, file: &str, line: u32, column: u32) -> String {
    let message = if message.is_empty() { "no message" } else { message };
    let file = if file.is_empty() { "unknown file" } else { file };
    words(&format!("abort: {message} at {file}:{line}:{column}"))
}

/// As many characters as an error is kept with, none of them a control character.
pub fn words(text: &str) -> String {
    // The character behind what is cut counts too.
    printable(text, TASK_ERROR_CHARS_MAX - 1)
}

fn compact(text: &str) -> Option<String> {
    let value: Value = serde_json::from_str(text).ok()?;
    Some(value.json().to_owned())
}
