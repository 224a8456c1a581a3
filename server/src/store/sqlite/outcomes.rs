//! What is recorded: an interval a row.

use super::damage;
use super::rows::{Block, find, int, parse_places};
use super::transaction::Failure;
use crate::ranges::{gaps, push_joined};
use crate::store::{Around, Fresh, Recording, Run, StoreError, Tally};
use rusqlite::{CachedStatement, Connection, OptionalExtension, Row, Transaction, params};
use std::ops::Range;
use tequio_protocol::ids::JobId;
use tequio_protocol::outcome::Outcome;

/// What a job has here, as sentences name it.
pub(super) const OUTCOMES: &str = "what is recorded of it";

/// Records what is new of each, in order, and adds that to `fresh`.
pub(super) fn insert_recordings(
    tx: &Transaction<'_>,
    recordings: &[Recording],
    fresh: &mut Vec<Fresh>,
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
        let Recording { job, first, .. } = *recording;
        let tasks = first..recording.end()?;
        if tasks.is_empty() {
            fresh.push(Fresh::All);
            continue;
        }
        let before: Option<u64> =
            select_end.query_row([int(job.0), int(tasks.end)], |row| row.get(0)).optional()?;
        if before.is_none_or(|before| before <= first) {
            insert_recording(&mut insert, recording)?;
            fresh.push(Fresh::All);
            continue;
        }
        let new = gaps(&tasks, select_extents(tx, job, &tasks)?);
        for tasks in &new {
            insert_recording(&mut insert, &recording.part(tasks))?;
        }
        fresh.push(Fresh::Only(new));
    }
    Ok(())
}

fn insert_recording(
    insert: &mut CachedStatement<'_>,
    recording: &Recording,
) -> Result<(), Failure> {
    insert.execute(params![
        int(recording.job.0),
        int(recording.first),
        int(recording.outcomes.len()),
        int(recording.outcomes.failed()),
        recording.duration_ms,
        int(recording.worker.0),
        recording.agent,
        int(recording.recorded_at_ms),
        format_1(&recording.outcomes),
    ])?;
    Ok(())
}

/// The intervals that have outcomes and reach into `tasks`, in order. Of the index alone.
fn select_extents(
    connection: &Connection,
    job: JobId,
    tasks: &Range<u64>,
) -> Result<Vec<Range<u64>>, Failure> {
    let mut statement = connection.prepare_cached(
        "SELECT first, first + count FROM outcome INDEXED BY outcome_extent
         WHERE job = ?1 AND first < ?3 AND first + count > ?2 AND first >= coalesce(
             (SELECT max(first) FROM outcome WHERE job = ?1 AND first <= ?2), ?2)
         ORDER BY first",
    )?;
    let bounds = [int(job.0), int(tasks.start), int(tasks.end)];
    let extents = statement.query_map(bounds, |row| Ok(row.get(0)?..row.get(1)?))?;
    Ok(extents.collect::<Result<_, _>>()?)
}

/// What is recorded of a job, in whatever state it is.
pub(super) fn select_tally(connection: &Connection, job: JobId) -> Result<Tally, Failure> {
    let total = "SELECT total FROM job WHERE id = ?1 AND state IS NOT 'draft'";
    let total = find(connection.prepare_cached(total)?, job, |row| row.get(0))?;
    let mut recorded = Vec::new();
    match select_recorded(connection, job, total, &mut recorded)? {
        Ok((tasks, failed)) => Ok(Tally { done: tasks - failed, failed, recorded }),
        Err(what) => Err(damage::damaged(job, what)),
    }
}

/// Fills `recorded`; gives the number of its tasks, and how many of them failed; or what is wrong.
pub(super) fn select_recorded(
    tx: &Connection,
    job: JobId,
    total: u64,
    recorded: &mut Vec<Range<u64>>,
) -> Result<Result<(u64, u64), String>, Failure> {
    let mut statement = tx.prepare_cached(
        "SELECT first, count, failed FROM outcome INDEXED BY outcome_extent
         WHERE job = ?1 ORDER BY first",
    )?;
    let mut rows = statement.query([int(job.0)])?;
    let (mut tasks, mut failed_tasks, mut last_end) = (0, 0, 0);
    while let Some(row) = rows.next()? {
        let (first, count, failed): (u64, u64, u64) = (row.get(0)?, row.get(1)?, row.get(2)?);
        let end = first.saturating_add(count);
        if count == 0 || failed > count || first < last_end || end > total {
            return Ok(Err(format!(
                "the row of its outcomes from task {first} on says {count} tasks, of which {failed} \
                 failed, and that cannot be: it has {total} tasks, and those before {last_end} are in \
                 other rows"
            )));
        }
        push_joined(recorded, first..end);
        tasks += count;
        failed_tasks += failed;
        last_end = end;
    }
    Ok(Ok((tasks, failed_tasks)))
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
        let outcomes: Vec<Outcome> =
            block.parse::<Kept>(row, job)?.into_iter().map(|kept| kept.0).collect();
        runs.push(Run {
            first: block.start(),
            outcomes: outcomes.iter().map(Outcome::as_ref).collect(),
        });
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
    let row = rows.next()?.ok_or(StoreError::NoSuchJob(job))?;
    let kept =
        parse_places::<Kept>(row, job, indices.iter().map(|index| (index - first) as usize))?;
    Ok(kept.into_iter().map(|kept| kept.0).collect())
}

pub(super) fn outcomes_of(range: &Range<u64>) -> String {
    match range.end {
        u64::MAX => format!("its outcomes from task {} on", range.start),
        end => format!("its outcomes within tasks {}..{end}", range.start),
    }
}

fn format_1(outcomes: &tequio_protocol::outcome::Outcomes) -> String {
    let text = |outcome: tequio_protocol::outcome::OutcomeRef<'_>| match outcome {
        Outcome::Result(result) => result.to_owned(),
        Outcome::Error(error) => serde_json::json!({ "error": error }).to_string(),
    };
    format!("[{}]", outcomes.iter().map(text).collect::<Vec<_>>().join(","))
}

struct Kept(Outcome);

impl<'de> serde::Deserialize<'de> for Kept {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Kept, D::Error> {
        let value = serde_json::Value::deserialize(deserializer)?;
        Ok(Kept(match value.get("error").and_then(|error| error.as_str()) {
            Some(error) => Outcome::Error(error.to_owned()),
            None => Outcome::Result(value.to_string()),
        }))
    }
}
