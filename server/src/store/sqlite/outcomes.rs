//! What is recorded: an interval a row.

use super::damage;
use super::outcome_row::{self, SELECT, listed_tasks};
use super::rows::{find, int, places_within};
use super::transaction::Failure;
use crate::store::{Around, Fresh, Recording, Run, Tally};
use rusqlite::{Connection, OptionalExtension, Row, Transaction};
use std::cmp::Ordering;
use std::ops::Range;
use tequio_protocol::ids::JobId;
use tequio_protocol::outcome::Outcome;
use tequio_protocol::ranges::{gaps, push_joined};

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
    let mut insert = outcome_row::prepare_insert(tx)?;
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
            outcome_row::insert(&mut insert, recording)?;
            fresh.push(Fresh::All);
            continue;
        }
        let new = gaps(&tasks, select_extents(tx, job, &tasks)?);
        for tasks in &new {
            outcome_row::insert(&mut insert, &recording.part(tasks))?;
        }
        fresh.push(Fresh::Only(new));
    }
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

/// Within one transaction, since gaps are looked at once more.
pub(super) fn select_outcomes(
    connection: &Connection,
    job: JobId,
    range: &Range<u64>,
    tasks_max: u64,
) -> Result<Vec<Run>, Failure> {
    let mut statement = connection.prepare_cached(&format!(
        "{SELECT}
         WHERE x.job = ?1 AND x.first < ?3 AND x.first + x.count > ?2 AND x.first >= coalesce(
             (SELECT max(first) FROM outcome INDEXED BY outcome_extent
              WHERE job = ?1 AND first <= ?2), ?2)
         ORDER BY x.first"
    ))?;
    let mut rows = statement.query([int(job.0), int(range.start), int(range.end)])?;
    let mut runs: Vec<Run> = Vec::new();
    let (mut tasks, mut next) = (0, range.start);
    while next < range.end {
        let Some(row) = rows.next()? else {
            check_gap(connection, job, next..range.end)?;
            break;
        };
        let of_row = listed_tasks(row)?;
        let places = places_within(&of_row, range);
        tasks += places.len() as u64;
        if tasks > tasks_max && !runs.is_empty() {
            break;
        }
        let first = of_row.start.max(range.start);
        match first.cmp(&next) {
            Ordering::Less => return Err(damage::of_outcomes(job, of_row, OVERLAP)),
            Ordering::Equal => {}
            Ordering::Greater => check_gap(connection, job, next..first)?,
        }
        next = of_row.end;
        runs.push(Run { first, outcomes: outcome_row::read(row, job)?.take(places) });
    }
    Ok(runs)
}

/// What is wrong with a row that has tasks of one before.
const OVERLAP: &str = "the row before them has some of them too";

/// Returns an error unless `outcome_extent` lists the last row that the other index lists before a gap's end, and
/// that row ends where the gap begins, or before: a damaged index hides rows.
fn check_gap(connection: &Connection, job: JobId, gap: Range<u64>) -> Result<(), Failure> {
    let mut statement = connection.prepare_cached(
        "SELECT y.first, x.first + x.count
         FROM (SELECT max(first) AS first FROM outcome INDEXED BY sqlite_autoindex_outcome_1
               WHERE job = ?1 AND first < ?2) AS y
         LEFT JOIN outcome AS x INDEXED BY outcome_extent ON x.job = ?1 AND x.first = y.first",
    )?;
    let last = |row: &Row<'_>| Ok((row.get::<_, Option<u64>>(0)?, row.get::<_, Option<u64>>(1)?));
    match statement.query_row([int(job.0), int(gap.end)], last)? {
        (None, _) => Ok(()),
        (Some(_), Some(end)) if end <= gap.start => Ok(()),
        (Some(first), _) => {
            let said = "one index lists them, and another does not";
            Err(damage::of_outcomes(job, first..first + 1, said))
        }
    }
}

/// Of the indices alone: no outcome is read. Within one transaction, as [`select_outcomes`].
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
    check_gap(connection, job, index..behind.unwrap_or(u64::MAX))?;
    Ok(Around::Gap(behind))
}

/// The outcomes of `indices`, which lie in the interval from `first` on; none where that has gone meanwhile.
pub(super) fn select_single_outcomes(
    connection: &Connection,
    job: JobId,
    first: u64,
    indices: &[u64],
) -> Result<Vec<Outcome>, Failure> {
    let mut statement =
        connection.prepare_cached(&format!("{SELECT} WHERE x.job = ?1 AND x.first = ?2"))?;
    let mut rows = statement.query([int(job.0), int(first)])?;
    let Some(row) = rows.next()? else { return Ok(Vec::new()) };
    let outcomes = outcome_row::read(row, job)?;
    let wanted = indices.iter().map(|index| outcomes.get((index - first) as usize).to_owned());
    Ok(wanted.collect())
}

pub(super) fn outcomes_of(range: &Range<u64>) -> String {
    match range.end {
        u64::MAX => format!("its outcomes from task {} on", range.start),
        end => format!("its outcomes within tasks {}..{end}", range.start),
    }
}
