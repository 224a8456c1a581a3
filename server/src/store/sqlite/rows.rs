//! Rows and values: numbers, JSON, and the part of a row that is asked for.

use super::damage;
use super::transaction::Failure;
use crate::store::StoreError;
use rusqlite::{CachedStatement, OptionalExtension, Row};
use std::ops::Range;
use tequio_protocol::ids::JobId;

/// What the list of jobs has of one, as sentences name it.
pub(super) const ROW: &str = "what the list of jobs says of it";

/// What is wrong with a row whose checksum is another.
pub(super) const MISFIT: &str = "its checksum does not fit";

/// The part of a row of `tasks` that lies within a range, counted from its first task. They must overlap.
pub(super) fn places_within(tasks: &Range<u64>, range: &Range<u64>) -> Range<usize> {
    let start = range.start.max(tasks.start) - tasks.start;
    let end = range.end.min(tasks.end).saturating_sub(tasks.start);
    start as usize..end as usize
}

/// The one row of a job; errs where there is none.
pub(super) fn find<T>(
    mut statement: CachedStatement<'_>,
    job: JobId,
    read: impl FnOnce(&Row<'_>) -> Result<T, rusqlite::Error>,
) -> Result<T, Failure> {
    let found = statement.query_row([int(job.0)], read).optional().map_err(Failure::from);
    damage::of_job(job, ROW, found)?.ok_or(Failure::Store(StoreError::NoSuchJob(job)))
}

/// As SQLite keeps it. Nothing that is stored reaches the largest integer; what is asked for, such
/// as the range `0..u64::MAX`, may.
pub(super) fn int(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

pub(super) fn to_json<T: serde::Serialize + ?Sized>(value: &T) -> Result<String, Failure> {
    serde_json::to_string(value).map_err(|error| Failure::Unreadable(error.to_string()))
}
