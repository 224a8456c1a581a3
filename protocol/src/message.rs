//! The messages on a worker's WebSocket: JSON objects in text frames, told apart by `type`.
//!
//! Plain mode, one task at a time, is all there is to know for a client in a dozen lines:
//!
//! ```text
//! server → worker   {"type":"task","op":"repeat_multiply","task_id":1,"initial":1.0000054,"factor":1.00000043,"times":1000000}
//! worker → server   {"type":"result","task_id":1,"result":1.5372656826974733,"duration_ms":3,"agent":"Mozilla/5.0 ..."}
//! either → other    {"type":"error","code":"bad_result","message":"...","task_id":1}
//! ```
//!
//! Whoever connects is sent a task at once. A message of an unknown type, and text that is no
//! JSON, is logged and ignored on both sides; [`ReadError::is_foreign`] tells these from a
//! message that is meant for the reader and wrong, which is answered by an `error`.

use crate::ids::TaskId;
use crate::number::Number;
use crate::op::{Op, RepeatMultiply};
use crate::text::quote;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::fmt;

/// What a server sends to a worker.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum ServerMessage {
    /// Compute this and answer with [`WorkerMessage::Result`].
    Task(Task),
    /// What the worker sent was refused.
    Error(ErrorMessage),
}

/// What a worker sends to a server.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum WorkerMessage {
    /// The answer to a [`ServerMessage::Task`].
    Result(TaskResult),
    /// What the server sent was refused.
    Error(ErrorMessage),
}

/// One task of plain mode.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Task {
    /// What is to be computed.
    pub op: Op,
    /// To be repeated in the result.
    pub task_id: TaskId,
    /// What it is to be computed of.
    #[serde(flatten)]
    pub input: RepeatMultiply,
}

/// The answer to one task of plain mode.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TaskResult {
    /// The task's id.
    pub task_id: TaskId,
    /// The number; `None`, JSON's `null`, is what a browser's `JSON.stringify` makes of a number
    /// that JSON cannot hold.
    #[serde(deserialize_with = "present")]
    pub result: Option<Number>,
    /// How long the worker computed, in milliseconds, fractions allowed.
    pub duration_ms: Option<DurationMs>,
    /// The worker's `navigator.userAgent`.
    pub agent: Option<String>,
}

/// A refusal, with a code for programs and a sentence for people.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErrorMessage {
    /// Which kind of error.
    pub code: ErrorCode,
    /// What was wrong, where, and what would be right.
    pub message: String,
    /// The task that it is about, where it is about one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub task_id: Option<TaskId>,
}

/// The kinds of [`ErrorMessage`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ErrorCode {
    /// A task that cannot be computed as it was written.
    BadTask,
    /// More tasks at once than the worker keeps.
    TooManyTasks,
    /// The worker could not compute the task.
    ComputeFailed,
    /// A result that is out of shape.
    BadResult,
    /// A result that is not the right number.
    WrongResult,
    /// A `task_id` that this connection does not hold, or no longer.
    UnknownTask,
    /// A binary frame.
    BinaryFrame,
    /// A code of another version.
    #[serde(other)]
    Other,
}

/// A duration in milliseconds: finite, not negative, written without a fraction where it has none.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct DurationMs(f64);

/// Close codes of Tequio's own, in the range 4000-4999 that is left to applications, and those of
/// RFC 6455 (section 7.4.1) that it uses.
pub mod close_code {
    /// The peer leaves, or the server stops.
    pub const GOING_AWAY: u16 = 1001;
    /// The peer sent a frame that was no WebSocket.
    pub const PROTOCOL: u16 = 1002;
    /// The peer sent text that is not UTF-8.
    pub const INVALID_TEXT: u16 = 1007;
    /// The peer sent a frame over the limit.
    pub const TOO_BIG: u16 = 1009;
    /// The peer did not read what was sent to it.
    pub const SLOW: u16 = 4008;
    /// The peer sent nothing, not even an answer to a ping.
    pub const SILENT: u16 = 4009;
    /// The peer sent too much that had to be refused.
    pub const NOISE: u16 = 4010;
}

/// Why a frame could not be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// Not an object with a `type`.
    #[error("no message: {0}")]
    NotAMessage(String),
    /// A `type` that the reader does not know.
    #[error("unknown message type \"{0}\"")]
    UnknownType(String),
    /// A known type whose fields are wrong.
    #[error("bad {kind}: {reason}")]
    Invalid {
        /// The message's type.
        kind: MessageKind,
        /// Its `task_id`, where that could be read.
        task_id: Option<TaskId>,
        /// Which field, and what would be right.
        reason: String,
    },
}

/// The types that a [`ReadError::Invalid`] names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "named as on the wire")]
pub enum MessageKind {
    Task,
    Result,
    Error,
}

impl ServerMessage {
    /// Reads a frame that a server sent.
    pub fn read(text: &str) -> Result<ServerMessage, ReadError> {
        match kind(text)?.as_ref() {
            "task" => body(text, MessageKind::Task).map(ServerMessage::Task),
            "error" => body(text, MessageKind::Error).map(ServerMessage::Error),
            other => Err(ReadError::UnknownType(quote(other))),
        }
    }

    /// The text frame.
    pub fn write(&self) -> String {
        to_json(self)
    }
}

impl WorkerMessage {
    /// Reads a frame that a worker sent.
    pub fn read(text: &str) -> Result<WorkerMessage, ReadError> {
        match kind(text)?.as_ref() {
            "result" => body(text, MessageKind::Result).map(WorkerMessage::Result),
            "error" => body(text, MessageKind::Error).map(WorkerMessage::Error),
            other => Err(ReadError::UnknownType(quote(other))),
        }
    }

    /// The text frame.
    pub fn write(&self) -> String {
        to_json(self)
    }
}

impl ReadError {
    /// Whether the frame was not meant for the reader: it is logged and ignored, never answered.
    pub fn is_foreign(&self) -> bool {
        !matches!(self, ReadError::Invalid { .. })
    }
}

impl MessageKind {
    /// The `type` on the wire.
    pub const fn name(self) -> &'static str {
        match self {
            MessageKind::Task => "task",
            MessageKind::Result => "result",
            MessageKind::Error => "error",
        }
    }
}

impl fmt::Display for MessageKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl DurationMs {
    /// `ms` milliseconds, rounded to the microsecond (clocks of browsers are no finer); a clock
    /// that went backwards counts as no time.
    pub fn new(ms: f64) -> DurationMs {
        let rounded = (ms * 1000.0).round() / 1000.0;
        DurationMs(if rounded.is_finite() { rounded.max(0.0) } else { 0.0 })
    }

    /// Milliseconds.
    pub fn get(self) -> f64 {
        self.0
    }
}

impl fmt::Display for DurationMs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Serialize for DurationMs {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.0.fract() == 0.0 && self.0 <= crate::limits::INTEGER_MAX as f64 {
            serializer.serialize_u64(self.0 as u64)
        } else {
            serializer.serialize_f64(self.0)
        }
    }
}

impl<'de> Deserialize<'de> for DurationMs {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<DurationMs, D::Error> {
        let ms = f64::deserialize(deserializer)?;
        if ms >= 0.0 {
            Ok(DurationMs(ms))
        } else {
            Err(serde::de::Error::custom("duration_ms must not be negative"))
        }
    }
}

/// Reads an `Option` whose key must be there: `null` is an answer, a missing key is none.
fn present<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<Number>, D::Error> {
    Option::deserialize(deserializer)
}

/// The `type` of a frame; the rest of it is only skipped, so a wrong field elsewhere cannot hide
/// what kind of message it is.
fn kind(text: &str) -> Result<Cow<'_, str>, ReadError> {
    #[derive(Deserialize)]
    struct Envelope<'a> {
        #[serde(borrow, rename = "type")]
        kind: Cow<'a, str>,
    }
    serde_json::from_str::<Envelope<'_>>(text)
        .map(|envelope| envelope.kind)
        .map_err(|error| ReadError::NotAMessage(quote(&error.to_string())))
}

fn body<'a, T: Deserialize<'a>>(text: &'a str, kind: MessageKind) -> Result<T, ReadError> {
    #[derive(Deserialize)]
    struct About {
        task_id: Option<TaskId>,
    }
    serde_json::from_str(text).map_err(|error| ReadError::Invalid {
        kind,
        task_id: serde_json::from_str::<About>(text).ok().and_then(|about| about.task_id),
        reason: quote(&error.to_string()),
    })
}

fn to_json(message: &impl Serialize) -> String {
    serde_json::to_string(message).expect("messages have string keys and serialise")
}
