//! What is recorded: an interval a row.

use super::rows::{Block, int, parse_places};
use super::transaction::Failure;
use crate::store::{Around, Recording, Run, StoreError};
use rusqlite::{Connection, OptionalExtension, Row, Transaction, params};
use std::ops::Range;
use tequio_protocol::ids::JobId;
use tequio_protocol::outcome::Outcome;

pub(super) fn insert_recordings(
    tx: &Transaction<'_>,
    recordings: &[Recording],
) -> Result<(), Failure> {
    // Where the last interval that starts before another ends, and with it all that do, since they
    // are disjoint.
    let mut select_end = tx.prepare_cached(
        "SELECT first + count FROM outcome INDEXED BY outcome_extent
         WHERE job = ?1 AND first < ?2 ORDER BY first DESC LIMIT 1",
    )?;
    let mut insert = tx.prepare_cached(
        "INSERT INTO outcome
             (job, first, count, failed, duration_ms, worker, agent, recorded_at_ms, outcomes)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
    )?;
    for recording in recordings {
        let end = recording.end()?;
        if recording.outcomes.is_empty() {
            continue;
        }
        let Recording { job, first, .. } = *recording;
        let before: Option<u64> =
            select_end.query_row([int(job.0), int(end)], |row| row.get(0)).optional()?;
        if before.is_some_and(|before| before > first) {
            return Err(StoreError::Overlap { job, first, end }.into());
        }
        insert.execute(params![
            int(job.0),
            int(first),
            int(end - first),
            int(recording.outcomes.failed()),
            recording.duration_ms,
            int(recording.worker.0),
            recording.agent,
            int(recording.recorded_at_ms),
            recording.outcomes.json(),
        ])?;
    }
    Ok(())
}

pub(super) fn select_outcomes(
    connection: &Connection,
    job: JobId,
    range: &Range<u64>,
    tasks_max: u64,
) -> Result<Vec<Run>, Failure> {
    let mut statement = connection.prepare_cached(
        "SELECT first, count, outcomes FROM outcome
         WHERE job = ?1 AND first < ?3 AND first + count > ?2 AND first >= coalesce(
             (SELECT max(first) FROM outcome WHERE job = ?1 AND first <= ?2), ?2)
         ORDER BY first",
    )?;
    let mut rows = statement.query([int(job.0), int(range.start), int(range.end)])?;
    let mut runs = Vec::new();
    let mut tasks = 0;
    while !range.is_empty()
        && let Some(row) = rows.next()?
    {
        let block = Block::of(row, range)?;
        tasks += block.len();
        if tasks > tasks_max && !runs.is_empty() {
            break;
        }
        runs.push(Run { first: block.start(), outcomes: block.parse(row, job)? });
    }
    Ok(runs)
}

/// Of the index alone: no outcome is read.
pub(super) fn select_around(
    connection: &Connection,
    job: JobId,
    index: u64,
) -> Result<Around, Failure> {
    let mut before = connection.prepare_cached(
        "SELECT first, count FROM outcome INDEXED BY outcome_extent
         WHERE job = ?1 AND first <= ?2 ORDER BY first DESC LIMIT 1",
    )?;
    let interval = |row: &Row<'_>| Ok((row.get::<_, u64>(0)?, row.get::<_, u64>(1)?));
    let before = before.query_row([int(job.0), int(index)], interval).optional()?;
    if let Some((first, count)) = before
        && index < first.saturating_add(count)
    {
        return Ok(Around::Recorded(first..first.saturating_add(count)));
    }
    let mut behind = connection.prepare_cached(
        "SELECT first FROM outcome INDEXED BY outcome_extent
         WHERE job = ?1 AND first > ?2 ORDER BY first LIMIT 1",
    )?;
    let behind = behind.query_row([int(job.0), int(index)], |row| row.get(0)).optional()?;
    Ok(Around::Gap(behind))
}

/// The outcomes of `indices`, which lie in the interval from `first` on.
pub(super) fn select_single_outcomes(
    connection: &Connection,
    job: JobId,
    first: u64,
    indices: &[u64],
) -> Result<Vec<Outcome>, Failure> {
    let mut statement = connection.prepare_cached(
        "SELECT first, count, outcomes FROM outcome WHERE job = ?1 AND first = ?2",
    )?;
    let mut rows = statement.query([int(job.0), int(first)])?;
    let row = rows.next()?.ok_or(StoreError::Missing(job))?;
    parse_places(row, job, indices.iter().map(|index| (index - first) as usize))
}

pub(super) fn outcomes_of(range: &Range<u64>) -> String {
    match range.end {
        u64::MAX => format!("its outcomes from task {} on", range.start),
        end => format!("its outcomes within tasks {}..{end}", range.start),
    }
}
