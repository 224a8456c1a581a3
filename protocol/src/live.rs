//! What `GET /api/events` tells a page, as server-sent events of one JSON object each: a
//! [`Snapshot`] first, then [`Changes`], at most a few a second. Whoever loses the stream connects
//! again and begins with a new snapshot; a change that a snapshot has already does no harm, since
//! each gives things as they are now and not what was added to them.
//!
//! Times are milliseconds since the server started, so that nobody's clock need agree with its.

use crate::api::{JobView, Pulse, WorkerKind, WorkerView};
use crate::ids::{JobId, WorkerId};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// One event.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum LiveEvent {
    /// Everything; what was told before is void.
    Snapshot(Snapshot),
    /// What is new since.
    Changes(Changes),
}

/// How the server is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
pub struct Snapshot {
    /// When this is so.
    #[cfg_attr(feature = "typescript", ts(type = "number"))]
    pub at_ms: u64,
    /// When the server started, in milliseconds since 1970 on its own clock: it tells one start from
    /// another, after which ids may mean other things.
    #[cfg_attr(feature = "typescript", ts(type = "number"))]
    pub started_at_ms: u64,
    /// Jobs, oldest first: all that are not over, and the newest of the others, up to
    /// [`JOBS_SHOWN_MAX`](crate::limits::JOBS_SHOWN_MAX) in all.
    pub jobs: Vec<JobView>,
    /// Jobs that are not among them.
    pub jobs_omitted: u32,
    /// Who is connected, in the order of arrival.
    pub workers: Vec<WorkerView>,
    /// What was recorded in the last [`HISTORY_S`](crate::limits::HISTORY_S) seconds.
    pub throughput: Throughput,
    /// Who has rows in the task stream, in their order.
    pub rows: Vec<StreamRows>,
    /// The task stream's last [`STREAM_SPAN`](crate::limits::STREAM_SPAN).
    pub bars: Vec<Bar>,
}

/// What is new.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
pub struct Changes {
    /// When this is so.
    #[cfg_attr(feature = "typescript", ts(type = "number"))]
    pub at_ms: u64,
    /// Jobs that are new or have changed.
    pub jobs: Vec<JobView>,
    /// Jobs that are not shown any more.
    pub jobs_gone: Vec<JobId>,
    /// See [`Snapshot::jobs_omitted`].
    pub jobs_omitted: u32,
    /// Workers that are new, or are other than they were.
    pub workers: Vec<WorkerView>,
    /// What changes of those that compute.
    pub pulses: Vec<Pulse>,
    /// Workers that have left.
    pub workers_gone: Vec<WorkerId>,
    /// The seconds that have ended since.
    pub throughput: Throughput,
    /// All of [`Snapshot::rows`], if they have changed.
    pub rows: Option<Vec<StreamRows>>,
    /// Bars that are new or have changed.
    pub bars: Vec<Bar>,
}

/// Tasks recorded in each of some consecutive seconds.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
pub struct Throughput {
    /// The first of the seconds, since the server started.
    #[cfg_attr(feature = "typescript", ts(type = "number"))]
    pub first_s: u64,
    /// How many seconds there are.
    pub count: u32,
    /// Of each kind of worker that recorded anything, the tasks of each second.
    #[cfg_attr(feature = "typescript", ts(type = "Partial<Record<WorkerKind, number[]>>"))]
    pub tasks: BTreeMap<WorkerKind, Vec<u64>>,
}

/// The rows of one worker in the task stream: one a slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
pub struct StreamRows {
    /// The worker; it may have left.
    pub worker: WorkerId,
    /// How many.
    pub slots: u32,
}

/// A lease in the task stream: which slot was busy with it, and from when to when. Which slot of
/// its worker that was is a guess, since the server is not told: leases take the rows that are
/// free, and wait behind each other where none is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
pub struct Bar {
    /// Its number; a bar that is told of again replaces the former.
    #[cfg_attr(feature = "typescript", ts(type = "number"))]
    pub id: u64,
    /// The worker.
    pub worker: WorkerId,
    /// The worker's row, from 0.
    pub slot: u32,
    /// The lease's job.
    pub job: JobId,
    /// Tasks that were lent.
    #[cfg_attr(feature = "typescript", ts(type = "number"))]
    pub tasks: u64,
    /// When it began.
    #[cfg_attr(feature = "typescript", ts(type = "number"))]
    pub from_ms: u64,
    /// When it ended, and how; none while it is out.
    pub end: Option<BarEnd>,
}

/// The end of a lease.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
pub struct BarEnd {
    /// When.
    #[cfg_attr(feature = "typescript", ts(type = "number"))]
    pub at_ms: u64,
    /// How.
    pub how: HowEnded,
}

/// How a lease ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
#[serde(rename_all = "snake_case")]
pub enum HowEnded {
    /// Every task of it was answered.
    Answered,
    /// Its worker gave it back, or was told that it is not needed any more.
    Returned,
    /// Its worker vanished, was too late, or was wrong: its tasks are lent anew.
    Lost,
}
