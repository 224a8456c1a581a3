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
//! A worker that says `hello` is lent leases instead, many tasks at a time:
//!
//! ```text
//! worker → server   {"type":"hello","protocol":1,"agent":"...","slots":8,"worker":"5f0c...","ops":["repeat_multiply"]}
//! server → worker   {"type":"welcome","protocol":1,"worker_id":7,"heartbeat_s":15,"session":"9d1e...","resumed":false}
//! server → worker   {"type":"lease","lease":9,"job":1,"op":"repeat_multiply","first":0,"count":3,"grid":{...},"deadline_ms":10000}
//! server → worker   {"type":"lease","lease":8,"job":2,"op":"collatz","first":64,"count":128,"block":64,"inputs":[...],"deadline_ms":10000}
//! worker → server   {"type":"results","lease":9,"first":0,"results":[1.5,2.5],"duration_ms":3,"agent":"..."}
//! worker → server   {"type":"results","lease":9,"first":2,"results":[null],"errors":{"2":"..."},"duration_ms":3,"agent":"..."}
//! worker → server   {"type":"failed","lease":9,"index":2,"error":"..."}
//! worker → server   {"type":"progress","lease":9}, {"type":"release","lease":9}, {"type":"slots","n":4}
//! server → worker   {"type":"revoke","lease":9}
//! either → other    {"type":"heartbeat"}
//! ```
//!
//! The outcomes of a lease come in order from its front, in as many messages as the worker likes;
//! `index` and `first` are indices of the job. An op may end a task with an error, which is its outcome like any
//! result: `results` has `null` in its place, and `errors` the words by the task's index. `failed` says that the
//! worker has none, of a task that others may well compute. Where a lease has a `block`, whole blocks of so many
//! tasks are answered, and `failed` names a block by its first. The worker sends `heartbeat` every `heartbeat_s`
//! seconds, and the server answers it, after everything that the worker sent before it.
//!
//! A worker that lost its connection may `hello` with `"resume":"9d1e..."`, the session of its last
//! `welcome`. Where the server still knows that session, its `welcome` says `"resumed":true`; the
//! worker may then send once more what it had computed of its leases, since what was on its way when
//! the connection broke may be lost. What arrived after all, or was computed by others meanwhile, is
//! dropped. The leases themselves are the server's again.
//!
//! Whoever connects is sent a task at once. A message of an unknown type, and text that is no
//! JSON, is logged and ignored on both sides; [`ReadError::is_foreign`] tells these from a
//! message that is meant for the reader and wrong, which is answered by an `error`.

use crate::grid::Grid;
use crate::ids::{JobId, LeaseId, TaskId, WorkerId};
use crate::limits::{
    AGENT_CHARS_MAX, FRAME_RESULTS_MAX, HELLO_OPS_MAX, INTEGER_MAX, LEASE_INPUTS_MAX,
    LEASE_TASKS_MAX, NAME_CHARS_MAX, SLOTS_MAX, TASK_ERROR_CHARS_MAX,
};
use crate::op::{Inputs, Op, OpId, Reader, names, write_input};
use crate::outcome::{Errors, Outcomes};
use crate::piece::PieceResults;
use crate::scan::Scan;
use crate::text::quote;
use crate::values::{Value, Values, compact};
use serde::de::{IgnoredAny, SeqAccess, Visitor};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;
use std::ops::Range;

/// What a server sends to a worker.
#[derive(Clone, Debug, PartialEq)]
pub enum ServerMessage {
    /// Compute this and answer with [`WorkerMessage::Result`].
    Task(Task),
    /// The answer to [`WorkerMessage::Hello`].
    Welcome(Welcome),
    /// Compute these and answer with [`WorkerMessage::Results`].
    Lease(Lease),
    /// Drop this lease: its job is cancelled, or others were faster.
    Revoke {
        /// The lease.
        lease: LeaseId,
    },
    /// The answer to [`WorkerMessage::Heartbeat`].
    Heartbeat,
    /// What the worker sent was refused.
    Error(ErrorMessage),
}

/// What a worker sends to a server.
#[derive(Clone, Debug, PartialEq)]
pub enum WorkerMessage {
    /// The answer to a [`ServerMessage::Task`].
    Result(TaskResult),
    /// The worker speaks lease mode.
    Hello(Hello),
    /// Outcomes of a lease, from its front.
    Results(LeaseResults),
    /// The task at a lease's front has no result.
    Failed(TaskFailed),
    /// The lease is being computed: its deadline counts from now.
    Progress {
        /// The lease.
        lease: LeaseId,
    },
    /// The worker gives back what it has not answered of a lease.
    Release {
        /// The lease.
        lease: LeaseId,
    },
    /// The worker has more slots now, or fewer; with none it is lent nothing.
    Slots {
        /// How many, 0 to [`SLOTS_MAX`].
        n: u32,
    },
    /// The worker is there; the server answers with the same.
    Heartbeat,
    /// What the server sent was refused.
    Error(ErrorMessage),
}

/// The protocol's version. Versions differ where an old reader would go wrong; what is only added
/// (a type, a field) is ignored by who does not know it.
pub const PROTOCOL: u32 = 1;

/// How a worker in lease mode begins.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hello {
    /// [`PROTOCOL`] of the worker.
    pub protocol: u32,
    /// The worker's `navigator.userAgent`, of which [`AGENT_CHARS_MAX`] characters are read.
    #[serde(deserialize_with = "cut::<AGENT_CHARS_MAX, _>")]
    pub agent: String,
    /// How many tasks it computes at once, 0 to [`SLOTS_MAX`].
    #[serde(deserialize_with = "slots")]
    pub slots: u32,
    /// A random id that the browser keeps. Servers do without it; older ones refuse a hello that lacks it, so our
    /// workers say it. At most [`NAME_CHARS_MAX`] characters.
    #[serde(default, deserialize_with = "worker")]
    pub worker: String,
    /// The names of the ops that it knows, at most [`HELLO_OPS_MAX`]; a server may well know fewer or
    /// others.
    #[serde(deserialize_with = "ops")]
    pub ops: Vec<String>,
    /// The session that it had on a connection that it lost. No session's name has more than
    /// [`NAME_CHARS_MAX`] characters, and no more are read.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "cut_if_any::<NAME_CHARS_MAX, _>"
    )]
    pub resume: Option<String>,
}

/// How a server begins lease mode.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Welcome {
    /// [`PROTOCOL`] of the server.
    pub protocol: u32,
    /// The connection's number, as on the server's console.
    pub worker_id: WorkerId,
    /// How often the worker is to say [`WorkerMessage::Heartbeat`], in seconds.
    pub heartbeat_s: u64,
    /// Names this connection for a later [`Hello::resume`]; nobody else can guess it. None from a
    /// server that does not resume.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<String>,
    /// Whether the session that the worker asked for goes on: results for its leases are taken.
    #[serde(default)]
    pub resumed: bool,
}

/// An interval of one job's tasks, lent to a worker until a deadline.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(try_from = "RawLease")]
pub struct Lease {
    /// To be repeated in the answers.
    pub lease: LeaseId,
    /// The job.
    pub job: JobId,
    /// What is to be computed.
    pub op: &'static dyn Op,
    /// The first task's index in the job.
    pub first: u64,
    /// How many tasks, at least 1.
    pub count: u64,
    /// How many of them go together, a power of two: where they begin is a multiple of it, and so is where they
    /// end, but at the job's end. They are answered so as well, none without the others.
    pub block: u64,
    /// What they are to be computed of.
    pub inputs: LeaseInputs,
    /// How long the server waits for the next answer, in milliseconds.
    pub deadline_ms: u64,
}

/// The inputs of a lease.
#[derive(Clone, Debug, PartialEq)]
pub enum LeaseInputs {
    /// The whole job's; a task's index is its input.
    Grid(Grid),
    /// The lease's own, one a task.
    List(Values),
}

impl LeaseInputs {
    /// As an op takes them, where a list's first is of the task `first`.
    pub fn from(&self, first: u64) -> Inputs<'_> {
        match self {
            LeaseInputs::Grid(grid) => Inputs::Grid(grid),
            LeaseInputs::List(inputs) => Inputs::List { first, inputs },
        }
    }
}

/// Outcomes of a lease.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(from = "RawResults")]
pub struct LeaseResults {
    /// The lease.
    pub lease: LeaseId,
    /// The index of the first of these.
    pub first: u64,
    /// One a task, in order: 1 to [`FRAME_RESULTS_MAX`].
    pub outcomes: Outcomes,
    /// How long one slot computed these, in milliseconds, fractions allowed.
    pub duration_ms: Option<DurationMs>,
    /// The worker's `navigator.userAgent`, of which [`AGENT_CHARS_MAX`] characters are read.
    pub agent: Option<String>,
}

/// A task that has no result.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskFailed {
    /// The lease.
    pub lease: LeaseId,
    /// The task's index in the job: the front of the lease.
    pub index: u64,
    /// Why, for people; [`TASK_ERROR_CHARS_MAX`] characters of it are read.
    #[serde(deserialize_with = "cut::<TASK_ERROR_CHARS_MAX, _>")]
    pub error: String,
}

/// One task of plain mode.
#[derive(Clone, Debug, PartialEq)]
pub struct Task {
    /// What is to be computed.
    pub op: &'static dyn Op,
    /// To be repeated in the result.
    pub task_id: TaskId,
    /// What it is to be computed of: a JSON object, whose fields are the message's.
    pub input: String,
}

/// The answer to one task of plain mode.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct TaskResult {
    /// The task's id.
    pub task_id: TaskId,
    /// Any JSON value; `null` is what a browser's `JSON.stringify` makes of a number that JSON cannot hold.
    pub result: Value,
    /// How long the worker computed, in milliseconds, fractions allowed.
    pub duration_ms: Option<DurationMs>,
    /// The worker's `navigator.userAgent`, of which [`AGENT_CHARS_MAX`] characters are read.
    #[serde(default, deserialize_with = "cut_if_any::<AGENT_CHARS_MAX, _>")]
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
    /// The lease that it is about, where it is about one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lease: Option<LeaseId>,
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
    /// A `hello` that is out of shape, or a second one.
    BadHello,
    /// A `hello` or a `welcome` of a protocol version that its reader does not speak.
    UnsupportedProtocol,
    /// A lease that is out of shape, or over the limits.
    BadLease,
    /// More leases at once than the worker was to be lent.
    TooManyLeases,
    /// A `lease` that this connection was never lent.
    UnknownLease,
    /// A message of lease mode from a connection that has not said `hello`.
    NoHello,
    /// The code of a lease's job cannot be had, or not be run here.
    CannotLoad,
    /// Another message that is out of shape.
    BadMessage,
    /// Too many wrong results: the worker is turned away.
    TurnedAway,
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
    /// The peer sent a kind of message that this service does not take.
    pub const UNSUPPORTED: u16 = 1003;
    /// The closing frame had no code; never sent.
    pub const NO_STATUS: u16 = 1005;
    /// There was no closing frame; never sent.
    pub const ABNORMAL: u16 = 1006;
    /// The peer sent text that is not UTF-8.
    pub const INVALID_TEXT: u16 = 1007;
    /// The peer sent a frame over the limit.
    pub const TOO_BIG: u16 = 1009;
    /// There is no place for the peer now.
    pub const TRY_AGAIN_LATER: u16 = 1013;
    /// The peer did not read what was sent to it.
    pub const SLOW: u16 = 4008;
    /// The peer sent nothing, not even an answer to a ping.
    pub const SILENT: u16 = 4009;
    /// The peer sent too much that had to be refused.
    pub const NOISE: u16 = 4010;
    /// The peer speaks another version of the protocol.
    pub const UNSUPPORTED_PROTOCOL: u16 = 4011;
    /// The peer sent too many wrong results.
    pub const TURNED_AWAY: u16 = 4012;
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
        /// Its `lease`, where that could be read.
        lease: Option<LeaseId>,
        /// Which field, and what would be right.
        reason: String,
    },
}

/// The types that a [`ReadError::Invalid`] names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "named as on the wire")]
pub enum MessageKind {
    Task,
    Welcome,
    Lease,
    Revoke,
    Result,
    Hello,
    Results,
    Failed,
    Progress,
    Release,
    Slots,
    Error,
}

/// A message whose only field is a lease.
#[derive(Serialize, Deserialize)]
struct OfLease {
    lease: LeaseId,
}

#[derive(Serialize, Deserialize)]
struct OfSlots {
    #[serde(deserialize_with = "slots")]
    n: u32,
}

/// A lease as it travels, before it is checked.
#[derive(Deserialize)]
struct RawLease {
    lease: LeaseId,
    job: JobId,
    op: OpId,
    first: u64,
    count: u64,
    #[serde(default = "one")]
    block: u64,
    #[serde(default)]
    grid: Option<Grid>,
    #[serde(default)]
    inputs: Option<Values>,
    deadline_ms: u64,
}

/// Outcomes of a lease as they travel.
#[derive(Deserialize)]
struct RawResults {
    lease: LeaseId,
    first: u64,
    #[serde(deserialize_with = "results")]
    results: Values,
    /// By the indices of their tasks.
    #[serde(default, deserialize_with = "errors")]
    errors: BTreeMap<u64, String>,
    duration_ms: Option<DurationMs>,
    #[serde(default, deserialize_with = "cut_if_any::<AGENT_CHARS_MAX, _>")]
    agent: Option<String>,
}

impl From<RawResults> for LeaseResults {
    fn from(raw: RawResults) -> LeaseResults {
        let RawResults { lease, first, results, errors, duration_ms, agent } = raw;
        let place = |index: u64| u32::try_from(index.checked_sub(first)?).ok();
        let errors = errors.into_iter().filter_map(|(index, error)| Some((place(index)?, error)));
        LeaseResults { lease, first, outcomes: Outcomes::new(results, errors), duration_ms, agent }
    }
}

impl TryFrom<RawLease> for Lease {
    type Error = String;

    fn try_from(raw: RawLease) -> Result<Lease, String> {
        let RawLease { lease, job, op, first, count, block, grid, inputs, deadline_ms } = raw;
        let Some(op) = op.adopt() else { return Err(unknown(&op)) };
        let (inputs, count_max, total) = match (grid, inputs) {
            (Some(grid), None) => {
                grid.check(op.params()).map_err(|error| error.to_string())?;
                let total = grid.total();
                if first.checked_add(count).is_none_or(|end| end > total) {
                    return Err(format!("{count} tasks from {first}: the grid has {total}"));
                }
                (LeaseInputs::Grid(grid), LEASE_TASKS_MAX, Some(total))
            }
            (None, Some(inputs)) => {
                if inputs.len() as u64 != count || first > INTEGER_MAX - count {
                    return Err(format!("{} inputs for {count} tasks from {first}", inputs.len()));
                }
                (LeaseInputs::List(inputs), LEASE_INPUTS_MAX, None)
            }
            _ => return Err("a lease has either a grid or inputs".to_owned()),
        };
        if !(1..=count_max).contains(&count) {
            return Err(format!("count must be 1 to {count_max}, not {count}"));
        }
        check_block(block, first..first + count, total)?;
        Ok(Lease { lease, job, op, first, count, block, inputs, deadline_ms })
    }
}

/// Returns an error unless these tasks are whole blocks. The last one of a job may be short: of a list nobody
/// says here how long it is.
fn check_block(block: u64, tasks: Range<u64>, total: Option<u64>) -> Result<(), String> {
    const BLOCK_MAX: u64 = FRAME_RESULTS_MAX as u64;
    if !block.is_power_of_two() || block > BLOCK_MAX {
        return Err(format!("block must be a power of two up to {BLOCK_MAX}, not {block}"));
    }
    let ends = tasks.end.is_multiple_of(block) || total.is_none_or(|total| total == tasks.end);
    if !tasks.start.is_multiple_of(block) || !ends {
        let Range { start, end } = tasks;
        return Err(format!("tasks {start} to {end} are no whole blocks of {block}"));
    }
    Ok(())
}

fn one() -> u64 {
    1
}

impl Lease {
    /// The text frame.
    fn write(&self) -> String {
        let Lease { lease, job, op, first, count, block, inputs, deadline_ms } = self;
        let grid;
        let (kind, inputs) = match inputs {
            LeaseInputs::Grid(of) => {
                grid = to_json(of);
                ("grid", grid.as_str())
            }
            LeaseInputs::List(list) => ("inputs", list.json()),
        };
        let op = op.name();
        let block = match block {
            1 => String::new(),
            block => format!(r#","block":{block}"#),
        };
        format!(
            r#"{{"type":"lease","lease":{lease},"job":{job},"op":"{op}","first":{first},"count":{count}{block},"{kind}":{inputs},"deadline_ms":{deadline_ms}}}"#
        )
    }
}

fn unknown(op: &OpId) -> String {
    format!("unknown op {}; there are {}", quote(op.name()), names())
}

impl ServerMessage {
    /// Reads a frame that a server sent.
    pub fn read(text: &str) -> Result<ServerMessage, ReadError> {
        match scan_lease(text) {
            Some(lease) => Ok(ServerMessage::Lease(lease)),
            None => ServerMessage::read_any(text),
        }
    }

    fn read_any(text: &str) -> Result<ServerMessage, ReadError> {
        match kind(text)?.as_ref() {
            "task" => task(text).map(ServerMessage::Task),
            "welcome" => body(text, MessageKind::Welcome).map(ServerMessage::Welcome),
            "lease" => body(text, MessageKind::Lease).map(ServerMessage::Lease),
            "revoke" => body(text, MessageKind::Revoke)
                .map(|OfLease { lease }| ServerMessage::Revoke { lease }),
            "heartbeat" => Ok(ServerMessage::Heartbeat),
            "error" => body(text, MessageKind::Error).map(ServerMessage::Error),
            other => Err(ReadError::UnknownType(quote(other))),
        }
    }

    /// The text frame.
    pub fn write(&self) -> String {
        match self {
            ServerMessage::Task(Task { op, task_id, input }) => {
                // Its fields follow.
                let fields = input.strip_prefix('{').unwrap_or("}");
                format!(r#"{{"type":"task","op":"{}","task_id":{task_id},{fields}"#, op.name())
            }
            ServerMessage::Lease(lease) => lease.write(),
            ServerMessage::Welcome(welcome) => with_type("welcome", welcome),
            ServerMessage::Revoke { lease } => with_type("revoke", &OfLease { lease: *lease }),
            ServerMessage::Heartbeat => r#"{"type":"heartbeat"}"#.to_owned(),
            ServerMessage::Error(error) => with_type("error", error),
        }
    }
}

/// Results that are written already, and errors by their tasks' indices.
fn results_text(
    lease: LeaseId,
    first: u64,
    results: &str,
    errors: &Errors,
    duration: Option<DurationMs>,
    agent: Option<&str>,
) -> String {
    let mut named = String::new();
    for (place, error) in errors {
        named.push_str(if named.is_empty() { r#","errors":{"# } else { "," });
        let index = first + u64::from(*place);
        named.push_str(&format!("\"{index}\":{}", to_json(error)));
    }
    if !named.is_empty() {
        named.push('}');
    }
    let (duration_ms, agent) = (to_json(&duration), to_json(&agent));
    format!(
        r#"{{"type":"results","lease":{lease},"first":{first},"results":{results}{named},"duration_ms":{duration_ms},"agent":{agent}}}"#
    )
}

/// An object with its type in front.
fn with_type(kind: &str, fields: &impl Serialize) -> String {
    let fields = to_json(fields);
    format!(r#"{{"type":"{kind}",{}"#, &fields[1..])
}

impl WorkerMessage {
    /// The text frame of [`WorkerMessage::Results`], of results that are written already.
    pub fn write_results(
        lease: LeaseId,
        first: u64,
        results: &PieceResults,
        duration: DurationMs,
        agent: &str,
    ) -> String {
        let (json, errors) = (results.json(), results.errors());
        results_text(lease, first, json, errors, Some(duration), Some(agent))
    }

    /// Reads a frame that a worker sent.
    pub fn read(text: &str) -> Result<WorkerMessage, ReadError> {
        match scan_results(text) {
            Some(results) => Ok(WorkerMessage::Results(results)),
            None => WorkerMessage::read_any(text),
        }
    }

    fn read_any(text: &str) -> Result<WorkerMessage, ReadError> {
        match kind(text)?.as_ref() {
            "result" => body(text, MessageKind::Result).map(WorkerMessage::Result),
            "results" => body(text, MessageKind::Results).map(WorkerMessage::Results),
            "hello" => body(text, MessageKind::Hello).map(WorkerMessage::Hello),
            "failed" => body(text, MessageKind::Failed).map(WorkerMessage::Failed),
            "progress" => body(text, MessageKind::Progress)
                .map(|OfLease { lease }| WorkerMessage::Progress { lease }),
            "release" => body(text, MessageKind::Release)
                .map(|OfLease { lease }| WorkerMessage::Release { lease }),
            "slots" => {
                body(text, MessageKind::Slots).map(|OfSlots { n }| WorkerMessage::Slots { n })
            }
            "heartbeat" => Ok(WorkerMessage::Heartbeat),
            "error" => body(text, MessageKind::Error).map(|mut error: ErrorMessage| {
                // Read so by the server alone: a worker believes its server.
                error.message = first_chars(&error.message, TASK_ERROR_CHARS_MAX).to_owned();
                WorkerMessage::Error(error)
            }),
            other => Err(ReadError::UnknownType(quote(other))),
        }
    }

    /// The text frame.
    pub fn write(&self) -> String {
        match self {
            WorkerMessage::Result(TaskResult { task_id, result, duration_ms, agent }) => {
                let (duration_ms, agent) = (to_json(duration_ms), to_json(agent));
                let result = result.json();
                format!(
                    r#"{{"type":"result","task_id":{task_id},"result":{result},"duration_ms":{duration_ms},"agent":{agent}}}"#
                )
            }
            WorkerMessage::Results(message) => {
                let LeaseResults { lease, first, outcomes, duration_ms, agent } = message;
                let (json, errors) = (outcomes.results().json(), outcomes.errors());
                results_text(*lease, *first, json, errors, *duration_ms, agent.as_deref())
            }
            WorkerMessage::Hello(hello) => with_type("hello", hello),
            WorkerMessage::Failed(failed) => with_type("failed", failed),
            WorkerMessage::Progress { lease } => with_type("progress", &OfLease { lease: *lease }),
            WorkerMessage::Release { lease } => with_type("release", &OfLease { lease: *lease }),
            WorkerMessage::Slots { n } => with_type("slots", &OfSlots { n: *n }),
            WorkerMessage::Heartbeat => r#"{"type":"heartbeat"}"#.to_owned(),
            WorkerMessage::Error(error) => with_type("error", error),
        }
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
            MessageKind::Welcome => "welcome",
            MessageKind::Lease => "lease",
            MessageKind::Revoke => "revoke",
            MessageKind::Result => "result",
            MessageKind::Hello => "hello",
            MessageKind::Results => "results",
            MessageKind::Failed => "failed",
            MessageKind::Progress => "progress",
            MessageKind::Release => "release",
            MessageKind::Slots => "slots",
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

fn slots<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<u32, D::Error> {
    let slots = u32::deserialize(deserializer)?;
    if slots > SLOTS_MAX {
        let said = format!("slots must be 0 to {SLOTS_MAX}, not {slots}");
        return Err(serde::de::Error::custom(said));
    }
    Ok(slots)
}

/// The first elements of a list, and how many it has.
struct First<T, const MAX: usize> {
    list: Vec<T>,
    count: usize,
}

impl<'de, T: Deserialize<'de>, const MAX: usize> Deserialize<'de> for First<T, MAX> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader<T, const MAX: usize>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>, const MAX: usize> Visitor<'de> for Reader<T, MAX> {
            type Value = First<T, MAX>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a sequence")
            }

            fn visit_seq<A: SeqAccess<'de>>(
                self,
                mut elements: A,
            ) -> Result<First<T, MAX>, A::Error> {
                let mut list = Vec::new();
                while list.len() < MAX {
                    let Some(element) = elements.next_element()? else { break };
                    list.push(element);
                }
                let mut count = list.len();
                // The others are not kept, and need not be what these are.
                while count >= MAX && elements.next_element::<IgnoredAny>()?.is_some() {
                    count += 1;
                }
                Ok(First { list, count })
            }
        }
        deserializer.deserialize_seq(Reader(PhantomData))
    }
}

fn results<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Values, D::Error> {
    let First { list, count } =
        First::<Box<RawValue>, FRAME_RESULTS_MAX>::deserialize(deserializer)?;
    if !(1..=FRAME_RESULTS_MAX).contains(&count) {
        let said = format!("results must be 1 to {FRAME_RESULTS_MAX} values, not {count}");
        return Err(serde::de::Error::custom(said));
    }
    let values: Result<Vec<_>, _> = list.iter().map(|value| compact(value.get())).collect();
    Ok(values.map_err(serde::de::Error::custom)?.iter().collect())
}

fn errors<'de, D: serde::Deserializer<'de>>(
    deserializer: D,
) -> Result<BTreeMap<u64, String>, D::Error> {
    let errors = BTreeMap::<u64, Cut<TASK_ERROR_CHARS_MAX>>::deserialize(deserializer)?;
    Ok(errors.into_iter().map(|(index, Cut(error))| (index, error)).collect())
}

/// The first characters of a text.
fn first_chars(text: &str, chars_max: usize) -> &str {
    text.char_indices().nth(chars_max).map_or(text, |(end, _)| &text[..end])
}

/// A text of which no more than so many characters are read.
struct Cut<const CHARS_MAX: usize>(String);

impl<'de, const CHARS_MAX: usize> Deserialize<'de> for Cut<CHARS_MAX> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader<const CHARS_MAX: usize>;
        impl<const CHARS_MAX: usize> Visitor<'_> for Reader<CHARS_MAX> {
            type Value = String;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string")
            }

            fn visit_str<E>(self, text: &str) -> Result<String, E> {
                Ok(first_chars(text, CHARS_MAX).to_owned())
            }
        }
        deserializer.deserialize_str(Reader::<CHARS_MAX>).map(Cut)
    }
}

fn cut<'de, const CHARS_MAX: usize, D: serde::Deserializer<'de>>(
    deserializer: D,
) -> Result<String, D::Error> {
    Cut::<CHARS_MAX>::deserialize(deserializer).map(|Cut(text)| text)
}

fn cut_if_any<'de, const CHARS_MAX: usize, D: serde::Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<String>, D::Error> {
    Ok(Option::<Cut<CHARS_MAX>>::deserialize(deserializer)?.map(|Cut(text)| text))
}

/// A text that names something: where it is longer than a name is, it is refused.
fn name<E: serde::de::Error>(field: &str, Cut(text): Cut<NAME_READ_CHARS>) -> Result<String, E> {
    if text.chars().count() == NAME_READ_CHARS {
        return Err(E::custom(format!("{field} must have at most {NAME_CHARS_MAX} characters")));
    }
    Ok(text)
}

/// One more than a name may have, so that it is seen where it has more.
const NAME_READ_CHARS: usize = NAME_CHARS_MAX + 1;

fn worker<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    name("worker", Cut::deserialize(deserializer)?)
}

fn ops<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    let First { list, count } = First::<_, HELLO_OPS_MAX>::deserialize(deserializer)?;
    if count > HELLO_OPS_MAX {
        let said = format!("ops must be at most {HELLO_OPS_MAX} names, not {count}");
        return Err(serde::de::Error::custom(said));
    }
    list.into_iter().map(|op| name("a name in ops", op)).collect()
}

/// Reads [`WorkerMessage::Results`] as [`WorkerMessage::write_results`] writes it; none of any other
/// frame, nor of one that is to be refused.
fn scan_results(text: &str) -> Option<LeaseResults> {
    let mut scan = Scan::new(text);
    scan.take(r#"{"type":"results","lease":"#)?;
    let lease = LeaseId(scan.integer()?);
    scan.take(r#","first":"#)?;
    let first = scan.integer()?;
    scan.take(r#","results":"#)?;
    let results = Values::scan(&mut scan).filter(|results| results.len() <= FRAME_RESULTS_MAX)?;
    scan.take(",")?;
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Rest {
        duration_ms: Option<DurationMs>,
        #[serde(default, deserialize_with = "cut_if_any::<AGENT_CHARS_MAX, _>")]
        agent: Option<String>,
    }
    // An agent that is longer than any is left to serde, which reads no more than is kept of it. So are errors.
    let rest = Some(scan.rest()).filter(|rest| rest.len() < 8 * AGENT_CHARS_MAX)?;
    let Rest { duration_ms, agent } = serde_json::from_str(&format!("{{{rest}")).ok()?;
    Some(LeaseResults { lease, first, outcomes: results.into(), duration_ms, agent })
}

/// Reads a [`ServerMessage::Lease`] with a list of inputs as [`ServerMessage::write`] writes it; none of
/// any other frame, nor of one that is to be refused.
fn scan_lease(text: &str) -> Option<Lease> {
    let mut scan = Scan::new(text);
    scan.take(r#"{"type":"lease","lease":"#)?;
    let lease = LeaseId(scan.integer()?);
    scan.take(r#","job":"#)?;
    let job = JobId(scan.integer()?);
    scan.take(r#","op":"#)?;
    let op = OpId::new(scan.string()?);
    scan.take(r#","first":"#)?;
    let first = scan.integer()?;
    scan.take(r#","count":"#)?;
    let count = scan.integer()?;
    let block = match scan.take(r#","block":"#) {
        Some(()) => scan.integer()?,
        None => one(),
    };
    scan.take(r#","inputs":"#)?;
    let inputs = Some(Values::scan(&mut scan)?);
    scan.take(r#","deadline_ms":"#)?;
    let deadline_ms = scan.integer()?;
    scan.take("}")?;
    let raw = RawLease { lease, job, op, first, count, block, grid: None, inputs, deadline_ms };
    Lease::try_from(raw).ok().filter(|_| scan.rest().is_empty())
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

/// A task, whose input is the message's own fields.
fn task(text: &str) -> Result<Task, ReadError> {
    #[derive(Deserialize)]
    struct Head {
        op: OpId,
        task_id: TaskId,
    }
    let Head { op: id, task_id } = body(text, MessageKind::Task)?;
    let invalid = |reason: &str| ReadError::Invalid {
        kind: MessageKind::Task,
        task_id: Some(task_id),
        lease: None,
        reason: quote(reason),
    };
    let op = id.known().ok_or_else(|| invalid(&unknown(&id)))?;
    let mut reader = Reader::new(op.params());
    let args = reader.read(text).map_err(|error| invalid(&error.to_string()))?;
    Ok(Task { op, task_id, input: write_input(op.params(), args) })
}

fn body<'a, T: Deserialize<'a>>(text: &'a str, kind: MessageKind) -> Result<T, ReadError> {
    serde_json::from_str(text).map_err(|error| invalid(text, kind, &error))
}

#[cold]
fn invalid(text: &str, kind: MessageKind, error: &serde_json::Error) -> ReadError {
    #[derive(Deserialize)]
    struct OfTask {
        task_id: TaskId,
    }
    ReadError::Invalid {
        kind,
        task_id: serde_json::from_str::<OfTask>(text).ok().map(|about| about.task_id),
        lease: serde_json::from_str::<OfLease>(text).ok().map(|about| about.lease),
        reason: quote(&error.to_string()),
    }
}

fn to_json(message: &impl Serialize) -> String {
    serde_json::to_string(message).expect("messages have string keys and serialise")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A frame, and all that come of it when one character is changed, dropped or doubled.
    fn mutants(text: &str) -> Vec<String> {
        let mut mutants = vec![text.to_owned()];
        for (at, was) in text.char_indices() {
            let (before, after) = (&text[..at], &text[at + was.len_utf8()..]);
            for to in ["", " ", "0", "1", "-", ".", "e", ",", "\"", "[", "]", "{", "}", "\\", "x"] {
                mutants.push(format!("{before}{to}{after}"));
            }
            mutants.push(format!("{before}{was}{was}{after}"));
        }
        mutants
    }

    #[test]
    fn what_is_read_at_once_is_what_serde_reads() {
        let results = r#"{"type":"results","lease":9,"first":3,"results":[1.5,-0.0,"NaN",5e-324],"duration_ms":2.5,"agent":"T \u00f1"}"#;
        assert!(scan_results(results).is_some(), "it is the usual frame");
        let mut read = 0;
        for text in mutants(results) {
            if let Some(scanned) = scan_results(&text) {
                read += 1;
                let known = WorkerMessage::read_any(&text);
                assert_eq!(known, Ok(WorkerMessage::Results(scanned)), "{text}");
            }
        }
        assert!(read > 50, "{read}");
        for lease in [
            r#"{"type":"lease","lease":9,"job":1,"op":"repeat_multiply","first":4,"count":2,"inputs":[{"initial":-0.0,"factor":1.5,"times":0},{"initial":12.5,"factor":1.00000043,"times":10}],"deadline_ms":10000}"#,
            r#"{"type":"lease","lease":9,"job":1,"op":"collatz","first":4,"count":3,"block":2,"inputs":[{"n":27},[],"x"],"deadline_ms":10000}"#,
        ] {
            let known = ServerMessage::read_any(lease).unwrap();
            assert_eq!(known.write(), lease);
            assert_eq!(scan_lease(lease).map(ServerMessage::Lease), Some(known));
            let mut read = 0;
            for text in mutants(lease) {
                if let Some(scanned) = scan_lease(&text) {
                    read += 1;
                    let known = ServerMessage::read_any(&text);
                    assert_eq!(known, Ok(ServerMessage::Lease(scanned)), "{text}");
                }
            }
            assert!(read > 50, "{read}");
        }
    }

    fn hello(more: &str) -> String {
        format!(r#"{{"type":"hello","protocol":1,"agent":"a","slots":1,{more}}}"#)
    }

    #[test]
    fn what_is_too_long_is_refused_by_its_name_or_cut() {
        let long = "ñ".repeat(600);
        let ops = |count: usize| format!("[{}]", vec![r#""a""#; count].join(","));
        for (more, reason) in [
            (format!(r#""worker":"{long}","ops":[]"#), "worker must have at most 64 characters"),
            (format!(r#""worker":"w","ops":["{long}"]"#), "a name in ops must have at most 64"),
            (format!(r#""worker":"w","ops":{}"#, ops(65)), "ops must be at most 64 names, not 65"),
        ] {
            let error = WorkerMessage::read(&hello(&more)).unwrap_err().to_string();
            assert!(error.contains(reason), "{error}");
        }
        let fits = format!(r#""worker":"{}","ops":{}"#, "ñ".repeat(64), ops(64));
        assert!(WorkerMessage::read(&hello(&fits)).is_ok());
        let unnamed = WorkerMessage::read(&hello(r#""ops":[]"#));
        let Ok(WorkerMessage::Hello(unnamed)) = unnamed else { panic!("{unnamed:?}") };
        assert_eq!(unnamed.worker, "", "a worker need not name itself");
        let many = format!(
            r#"{{"type":"results","lease":1,"first":0,"results":[{}],"duration_ms":1,"agent":null}}"#,
            vec!["1"; FRAME_RESULTS_MAX + 1].join(",")
        );
        let error = WorkerMessage::read(&many).unwrap_err().to_string();
        assert!(error.contains("results must be 1 to 32768 values, not 32769"), "{error}");

        for (text, kept) in [
            (
                r#"{"type":"hello","protocol":1,"agent":"LONG","slots":1,"worker":"w","ops":[]}"#,
                512,
            ),
            (r#"{"type":"results","lease":1,"first":0,"results":[1.0],"agent":"LONG"}"#, 512),
            (r#"{"type":"results","lease":1,"first":0,"results":[1],"agent":"LONG"}"#, 512),
            (r#"{"type":"result","task_id":1,"result":1,"agent":"LONG"}"#, 512),
            (r#"{"type":"failed","lease":1,"index":0,"error":"LONG"}"#, 500),
            (r#"{"type":"error","code":"bad_task","message":"LONG"}"#, 500),
        ] {
            let text = text.replace("LONG", &"ñ".repeat(100_000));
            let read = WorkerMessage::read(&text).unwrap_or_else(|error| panic!("{error}"));
            assert_eq!(read.write().matches('ñ').count(), kept, "{}", &text[..80]);
        }
    }
}
