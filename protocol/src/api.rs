//! What the HTTP API takes and answers: plain JSON objects and arrays.

use crate::check::Check;
use crate::grid::Grid;
use crate::ids::{JobId, WorkerId};
use crate::number::Number;
use crate::op::{Kind, OpId, Param};
use crate::values::Value;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What `GET /api/server` answers: what a page needs to know of its server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
pub struct ServerView {
    /// Its version.
    pub version: String,
    /// Whether submitting and controlling jobs needs the operator token.
    pub needs_token: bool,
    /// The address at which other machines reach it; none where only its own does.
    pub join: Option<String>,
}

/// One element of `GET /api/ops`, which answers an array of the ops that this server knows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
pub struct OpView {
    /// Its name.
    pub name: String,
    /// What it takes, in order.
    pub params: Vec<ParamView>,
}

/// A parameter of an op.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
pub struct ParamView {
    /// Its name.
    pub name: String,
    /// `float`, or `integer`.
    pub kind: ParamKind,
    /// The least value of an integer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "typescript", ts(optional, type = "number"))]
    pub min: Option<i64>,
    /// The greatest one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "typescript", ts(optional, type = "number"))]
    pub max: Option<i64>,
    /// A value that it may have.
    #[cfg_attr(feature = "typescript", ts(type = "number"))]
    pub example: Number,
}

/// What the values of a parameter are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
#[serde(rename_all = "snake_case")]
pub enum ParamKind {
    /// Finite numbers.
    Float,
    /// Integers.
    Integer,
}

impl From<&Param> for ParamView {
    fn from(param: &Param) -> ParamView {
        let (kind, min, max) = match param.kind {
            Kind::Float => (ParamKind::Float, None, None),
            Kind::Integer { min, max } => (ParamKind::Integer, Some(min), Some(max)),
        };
        let (name, example) = (param.name.to_owned(), Number(param.example));
        ParamView { name, kind, min, max, example }
    }
}

/// What `GET /api/grid?op=NAME&PARAM=AXIS...` answers: what a job of these axes, as a person has typed
/// them, would be. Without `op` it is `repeat_multiply`. `GET /api/grid?kernel=ID&NAME=AXIS...` answers the same of a
/// kernel.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
pub struct GridView {
    /// Tasks that it would have; none where anything is wrong.
    #[cfg_attr(feature = "typescript", ts(type = "number | null"))]
    pub total: Option<u64>,
    /// What is wrong: with each axis by its name, and with `grid`, which right ones make together.
    #[cfg_attr(feature = "typescript", ts(type = "Partial<Record<string, ErrorDetail>>"))]
    pub errors: BTreeMap<String, ErrorDetail>,
    /// What each axis has, of those that are right, whatever the others are.
    #[cfg_attr(feature = "typescript", ts(type = "Partial<Record<string, AxisView>>"))]
    pub axes: BTreeMap<String, AxisView>,
    /// The op's id that a kernel with axes of these names has, in blocks of one task: what a page computes one
    /// as. None of an op that is built in, and where the names are wrong.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "typescript", ts(optional))]
    pub op: Option<String>,
}

/// The values of one axis, so that whoever has typed a range sees whether its end is in it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
pub struct AxisView {
    /// How many there are.
    #[cfg_attr(feature = "typescript", ts(type = "number"))]
    pub count: u64,
    /// The first one.
    #[cfg_attr(feature = "typescript", ts(type = "number"))]
    pub first: Number,
    /// The last one.
    #[cfg_attr(feature = "typescript", ts(type = "number"))]
    pub last: Number,
}

/// One element of `GET /api/workers`, which answers an array of them in the order of arrival.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
pub struct WorkerView {
    /// Its number, and what changes of it while it computes; fields of the same object.
    #[serde(flatten)]
    pub pulse: Pulse,
    /// The peer's address and port.
    pub address: String,
    /// The path that it connected to.
    pub path: String,
    /// The user agent: that of its newest result, before the first that of its HTTP request.
    pub agent: Option<String>,
    /// What it is, as its agent says.
    pub kind: WorkerKind,
    /// Its browser or program with its version, as its agent says (`Firefox 153`); empty where it
    /// says nothing that is known.
    pub program: String,
    /// Its operating system, likewise (`Windows`).
    pub system: String,
    /// Seconds since it connected.
    pub connected_s: f64,
    /// Tasks that it computes at once; a client that has not said hello has one.
    pub slots: u32,
}

/// What changes of a [`WorkerView`] while the worker computes; events tell of it alone.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
pub struct Pulse {
    /// The connection's number.
    pub id: WorkerId,
    /// Seconds since its last message.
    pub idle_s: f64,
    /// Milliseconds that a ping took to it and back, the newest one's; none before the first.
    pub lag_ms: Option<f64>,
    /// Leases out to it.
    pub leases: u32,
    /// Tasks that it was sent.
    #[cfg_attr(feature = "typescript", ts(type = "number"))]
    pub tasks: u64,
    /// Results of it that were accepted.
    #[cfg_attr(feature = "typescript", ts(type = "number"))]
    pub results: u64,
    /// Results a second that were accepted, over the last seconds.
    pub rate: f64,
    /// Tasks that failed with it, or whose results were wrong.
    #[cfg_attr(feature = "typescript", ts(type = "number"))]
    pub errors: u64,
    /// Messages of it that were refused or ignored.
    #[cfg_attr(feature = "typescript", ts(type = "number"))]
    pub refused: u64,
}

/// What a worker is, by its user agent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
#[serde(rename_all = "snake_case")]
pub enum WorkerKind {
    /// Chrome, Chromium, and browsers that are them under another name.
    Chrome,
    /// Microsoft's Edge.
    Edge,
    /// Firefox.
    Firefox,
    /// Safari, and every browser on iOS that does not say another name.
    Safari,
    /// `tequio work`.
    Native,
    /// Any other: classroom clients, mostly.
    Other,
}

impl WorkerKind {
    /// Every kind, in the order of their declaration.
    pub const ALL: [WorkerKind; 6] = [
        WorkerKind::Chrome,
        WorkerKind::Edge,
        WorkerKind::Firefox,
        WorkerKind::Safari,
        WorkerKind::Native,
        WorkerKind::Other,
    ];
}

/// The body of `POST /api/jobs` that gives a grid: what is asked for, before the server has named or numbered
/// it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct JobRequest {
    /// What is to be computed.
    pub op: OpId,
    /// What it is to be computed of.
    #[serde(rename = "axes")]
    pub grid: Grid,
    /// The job's name, for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Jobs of a higher priority are computed first; 0 where nothing is said.
    pub priority: i32,
    /// Tasks in a block of a kernel; the server measures what is best where nothing is said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub block: Option<u64>,
    /// The hash of the data that a kernel is given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub data: Option<String>,
    /// How its results are checked.
    #[serde(skip_serializing_if = "Check::is_default")]
    pub check: Check,
}

/// A kernel, as `GET /api/kernels` lists it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
pub struct KernelView {
    /// Its hash: what `GET /kernels/SHA256.wasm` is asked for.
    pub id: String,
    /// What people call it.
    pub name: String,
    /// How it is called: `numbers`, `json` or `command`.
    pub form: String,
    /// The type of a number that it gives: `i32`, `i64`, `f32` or `f64`. None of the other forms.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "typescript", ts(optional))]
    pub result: Option<String>,
    /// Its parameters, in order. None where it takes any JSON.
    pub params: Vec<KernelParamView>,
    /// Whether it takes a job's data.
    pub takes_data: bool,
    /// Bytes of the module.
    #[cfg_attr(feature = "typescript", ts(type = "number"))]
    pub bytes: u64,
    /// The SHA-256 of the module.
    pub sha256: String,
    /// What the server did to it, or gives it nothing of, in sentences.
    pub notes: Vec<String>,
    /// Whether the server has brought it.
    pub example: bool,
}

/// A parameter of a kernel.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
pub struct KernelParamView {
    /// Its name: `p1`, `p2` and so on where the kernel gives none, and axes may have any names.
    pub name: String,
    /// The type of its values; none where any number does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "typescript", ts(optional))]
    pub kind: Option<String>,
    /// An axis to begin with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "typescript", ts(optional))]
    pub default: Option<String>,
    /// What it is, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "typescript", ts(optional))]
    pub help: Option<String>,
}

/// A job, as `GET /api/jobs/ID` answers it; `GET /api/jobs` answers an array of them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
pub struct JobView {
    /// Its number.
    pub id: JobId,
    /// Its name, empty where it has none.
    pub name: String,
    /// What is computed.
    pub op: OpId,
    /// The SHA-256 of its kernel, if it is computed by one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "typescript", ts(optional))]
    pub kernel: Option<String>,
    /// Its axes, in their order, where one job is asked for: lists of jobs would be long. None of a job of
    /// inputs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "typescript", ts(optional, type = "Record<string, unknown>"))]
    pub axes: Option<Box<Grid>>,
    /// Tasks in a block.
    #[serde(default = "one")]
    #[cfg_attr(feature = "typescript", ts(type = "number"))]
    pub block: u64,
    /// How its results are checked.
    #[serde(default)]
    pub check: Check,
    /// Tasks with an outcome on disk that the server has computed itself as well: an audit of a worker's, or the
    /// result of one that nobody else could compute. The others are believed or, of a job that is checked
    /// `twice`, what two workers came to.
    #[serde(default)]
    #[cfg_attr(feature = "typescript", ts(type = "number"))]
    pub audited: u64,
    /// Tasks that one worker has computed, and that wait for a second one: of a job that is checked `twice` only.
    #[serde(default)]
    #[cfg_attr(feature = "typescript", ts(type = "number"))]
    pub unconfirmed: u64,
    /// The block of a kernel that took longest, if that was far longer than it should have been. As far as is known
    /// since the server started.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "typescript", ts(optional))]
    pub slowest: Option<SlowBlock>,
    /// Where it is.
    pub state: JobState,
    /// Whether it waits for more inputs. Such a job is not done before it is closed.
    pub open: bool,
    /// Tasks that it has; of a job whose inputs are still being sent, so far.
    #[cfg_attr(feature = "typescript", ts(type = "number"))]
    pub total: u64,
    /// Tasks with a result on disk.
    #[cfg_attr(feature = "typescript", ts(type = "number"))]
    pub done: u64,
    /// Tasks with an error on disk, after their last attempt.
    #[cfg_attr(feature = "typescript", ts(type = "number"))]
    pub failed: u64,
    /// Tasks that workers hold now.
    #[cfg_attr(feature = "typescript", ts(type = "number"))]
    pub leased: u64,
    /// Workers that hold them.
    pub workers: u32,
    /// Tasks a second, over the last seconds.
    pub rate: f64,
    /// Seconds to its end at this rate; none where nothing moves, or only just.
    pub eta_s: Option<f64>,
    /// When it was submitted: RFC 3339, UTC.
    pub submitted_at: String,
    /// What of it the server cannot read: which part, and what is wrong with it. Unless it is over, such
    /// a job is set aside: it says that it is paused, nothing of it is computed, and it may be removed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "typescript", ts(optional))]
    pub trouble: Option<String>,
}

/// A block that took far longer than others of its job.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
pub struct SlowBlock {
    /// Its first task.
    #[cfg_attr(feature = "typescript", ts(type = "number"))]
    pub first: u64,
    /// How many tasks it has; of several blocks that were answered together, all of theirs: one of them is it.
    #[cfg_attr(feature = "typescript", ts(type = "number"))]
    pub tasks: u64,
    /// How long it took, in seconds.
    pub seconds: f64,
    /// How many times as long as it should have: as most blocks of the job took, or as blocks are to take, if that is
    /// longer.
    pub times: f64,
}

/// What older servers mean, who do not say it.
fn one() -> u64 {
    1
}

/// A job that is not submitted to its end: what `POST /api/jobs?draft=true` answers, and
/// `POST /api/jobs/ID/inputs?draft=true` after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DraftView {
    /// The number that the job will have.
    pub id: JobId,
    /// Inputs that it has.
    pub total: u64,
}

/// What `POST /api/jobs/ID/repair` answers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
pub struct RepairView {
    /// Rows of outcomes that were not what was written. They are removed.
    #[cfg_attr(feature = "typescript", ts(type = "number"))]
    pub rows: u64,
    /// The tasks that these had. They have no outcomes now.
    #[cfg_attr(feature = "typescript", ts(type = "number"))]
    pub tasks: u64,
    /// Inputs that cannot be read, and cannot be computed again: intervals of tasks, each the first and the one
    /// behind the last.
    #[cfg_attr(feature = "typescript", ts(type = "Array<[number, number]>"))]
    pub inputs: Vec<(u64, u64)>,
    /// The job after that: a running one again, where it was done and something is missing.
    pub job: JobView,
}

/// What `GET /api/jobs/ID/sample` answers: results of so many places of a job, whatever its size, to
/// be drawn. While the job has as many tasks as before, the places are the same.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
pub struct SampleView {
    /// The job's number.
    pub job: JobId,
    /// Tasks that it has.
    #[cfg_attr(feature = "typescript", ts(type = "number"))]
    pub total: u64,
    /// How many places there are: every task of a job that has few.
    #[cfg_attr(feature = "typescript", ts(type = "number"))]
    pub wanted: u64,
    /// Index and result of those that have one, in the order of the indices.
    #[cfg_attr(feature = "typescript", ts(type = "Array<[number, unknown]>"))]
    pub points: Vec<(u64, Value)>,
    /// How many of the places ended with an error.
    #[cfg_attr(feature = "typescript", ts(type = "number"))]
    pub errors: u64,
    /// Whether that is all that is recorded of them; where not, asking again gives more.
    pub complete: bool,
}

/// Where a job is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
#[serde(rename_all = "snake_case")]
pub enum JobState {
    /// Its tasks are handed out.
    Running,
    /// What is out is still taken; nothing more is handed out.
    Paused,
    /// Every task has an outcome.
    Done,
    /// No more of it is computed or taken.
    Cancelled,
}

impl JobState {
    /// The word on the wire, in the store and for people.
    pub const fn name(self) -> &'static str {
        match self {
            JobState::Running => "running",
            JobState::Paused => "paused",
            JobState::Done => "done",
            JobState::Cancelled => "cancelled",
        }
    }

    /// Whether no outcome can follow.
    pub const fn is_over(self) -> bool {
        matches!(self, JobState::Done | JobState::Cancelled)
    }
}

/// The body of every answer with a status of 400 or above.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
pub struct ErrorBody {
    /// What went wrong.
    pub error: ErrorDetail,
}

/// What went wrong, for programs and for people.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
pub struct ErrorDetail {
    /// A short word in `snake_case`.
    pub code: String,
    /// A sentence.
    pub message: String,
}
