//! Finding the rows of a job that are not what was written, and removing those that can be computed again.
//!
//! Both indices of the outcomes are asked, so that what one hides the other tells. Where one is damaged itself,
//! it is made anew of the rows.

use super::inputs::read_inputs;
use super::load::load_one;
use super::outcome_row::{self, SELECT};
use super::rows::int;
use super::transaction::Failure;
use super::{damage, jobs};
use crate::store::{Damage, Repaired, StoreError, StoredJob};
use rusqlite::{Connection, Row, Transaction, params_from_iter};
use std::collections::BTreeSet;
use std::ops::Range;
use tequio_protocol::api::JobState;
use tequio_protocol::ids::JobId;
use tequio_protocol::limits::REPAIR_ROWS;
use tequio_protocol::ranges::gaps;

/// Rows of outcomes that are not what was written.
#[derive(Default)]
pub(super) struct Misfits {
    rows: Vec<Misfit>,
    /// Whether an index lists what is not there, or not all that is.
    is_index_damaged: bool,
    /// Where it was looked at last, of a job of which more is left to look at.
    pub(super) next: Option<i64>,
}

struct Misfit {
    rowid: i64,
    tasks: Range<u64>,
}

/// What an index lists of a row.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Listed {
    first: i64,
    rowid: i64,
}

impl Misfits {
    /// The tasks of the rows; all that was looked at, where it is an index that is damaged.
    pub(super) fn tasks(&self, looked_at: Range<i64>) -> Vec<Range<u64>> {
        let rows = self.rows.iter().map(|misfit| misfit.tasks.clone());
        let index = self.is_index_damaged.then_some(looked_at.start as u64..looked_at.end as u64);
        rows.chain(index).collect()
    }
}

/// Looks at some rows of outcomes of a job, of those from the task `from` on.
pub(super) fn examine_outcomes(
    connection: &Connection,
    job: JobId,
    from: i64,
) -> Result<(Range<i64>, Misfits), Failure> {
    let next = "SELECT first FROM outcome INDEXED BY outcome_extent
        WHERE job = ?1 AND first >= ?2 ORDER BY first LIMIT 1 OFFSET ?3";
    let bounds = [int(job.0), from, REPAIR_ROWS as i64];
    let mut select = connection.prepare_cached(next)?;
    // An index that cannot be read says nothing of where they end.
    let next = lenient(select.query_map(bounds, |row| row.get(0)).and_then(Iterator::collect))?;
    let next =
        next.and_then(|firsts: Vec<i64>| firsts.first().copied()).filter(|next| *next > from);
    let looked_at = from..next.unwrap_or(i64::MAX);
    let misfits = misfits(connection, job, &looked_at)?;
    Ok((looked_at, Misfits { next, ..misfits }))
}

/// The rows of outcomes, with first tasks within `firsts`, that are not what was written.
fn misfits(connection: &Connection, job: JobId, firsts: &Range<i64>) -> Result<Misfits, Failure> {
    let listed = |index: &str| -> Result<Option<BTreeSet<Listed>>, Failure> {
        let select = format!(
            "SELECT first, rowid FROM outcome INDEXED BY {index}
             WHERE job = ?1 AND first >= ?2 AND first < ?3"
        );
        let mut select = connection.prepare_cached(&select)?;
        let read = |row: &Row<'_>| Ok(Listed { first: row.get(0)?, rowid: row.get(1)? });
        let rows = select.query_map([int(job.0), firsts.start, firsts.end], read);
        lenient(rows.and_then(Iterator::collect))
    };
    let (extents, others) = (listed("outcome_extent")?, listed("sqlite_autoindex_outcome_1")?);
    let mut found = Misfits { is_index_damaged: extents != others, ..Misfits::default() };
    let all = extents.iter().chain(&others).flatten().copied().collect::<BTreeSet<_>>();
    for listed in all {
        if !fits(connection, job, outcome_row::SELECT_BARE, &[listed.rowid])? {
            let tasks = listed_tasks(connection, job, listed)?;
            found.rows.push(Misfit { rowid: listed.rowid, tasks });
        } else if !found.is_index_damaged {
            let by_index = format!("{SELECT} WHERE x.job = ?1 AND x.first = ?2");
            found.is_index_damaged =
                !fits(connection, job, &by_index, &[int(job.0), listed.first])?;
        }
    }
    Ok(found)
}

/// Whether the one row that is selected is there, and is what was written.
fn fits(connection: &Connection, job: JobId, select: &str, of: &[i64]) -> Result<bool, Failure> {
    let read = || -> Result<bool, Failure> {
        let mut select = connection.prepare_cached(select)?;
        let mut rows = select.query(params_from_iter(of))?;
        let Some(row) = rows.next()? else { return Ok(false) };
        outcome_row::read(row, job).map(|_| true)
    };
    is_whole(read())
}

/// Damage is `false`.
fn is_whole(read: Result<bool, Failure>) -> Result<bool, Failure> {
    match read {
        Err(Failure::Store(StoreError::Damaged { .. })) => Ok(false),
        Err(Failure::Sqlite(error)) if damage::of(&error).is_some() => Ok(false),
        done => done,
    }
}

/// The tasks of a row as the index lists them: what was taken for recorded. At least the first.
fn listed_tasks(
    connection: &Connection,
    job: JobId,
    listed: Listed,
) -> Result<Range<u64>, Failure> {
    let end = "SELECT first + count FROM outcome INDEXED BY outcome_extent
        WHERE job = ?1 AND first = ?2 AND rowid = ?3";
    let mut end = connection.prepare_cached(end)?;
    let ends = end.query_map([int(job.0), listed.first, listed.rowid], |row| row.get(0));
    let ends: Vec<i64> = lenient(ends.and_then(Iterator::collect))?.unwrap_or_default();
    let first = listed.first.max(0) as u64;
    let end = ends.first().map_or(0, |end| (*end).max(0) as u64);
    Ok(first..end.max(first + 1))
}

/// What was read; `None` where it is damaged.
fn lenient<T>(read: Result<T, rusqlite::Error>) -> Result<Option<T>, Failure> {
    match read {
        Ok(value) => Ok(Some(value)),
        Err(error) if damage::of(&error).is_some() => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Looks at some rows of inputs of a job, of those from the task `from` on, and says where to go on.
pub(super) fn examine_inputs(
    connection: &Connection,
    job: JobId,
    from: u64,
    damage: &mut Damage,
) -> Result<Option<u64>, Failure> {
    let total = "SELECT total FROM job WHERE id = ?1 AND grid IS NULL AND total >= 0";
    let total: Option<u64> = lenient(
        connection
            .prepare_cached(total)?
            .query_map([int(job.0)], |row| row.get(0))
            .and_then(|mut rows| rows.next().transpose()),
    )?
    .flatten();
    let Some(total) = total.filter(|total| from < *total) else { return Ok(None) };
    let keys = "SELECT first FROM input WHERE job = ?1 AND first >= ?2 ORDER BY first LIMIT ?3";
    let mut keys = connection.prepare_cached(keys)?;
    let keys = keys.query_map([int(job.0), int(from), REPAIR_ROWS as i64 + 1], |row| row.get(0));
    let Some(mut keys) = lenient(keys.and_then(Iterator::collect::<Result<Vec<u64>, _>>))? else {
        damage.add_inputs(from..total);
        return Ok(None);
    };
    let next = (keys.len() > REPAIR_ROWS).then(|| keys.pop()).flatten();
    let end = next.unwrap_or(total);
    if keys.first() != Some(&from) {
        damage.add_inputs(from..keys.first().copied().unwrap_or(end).min(end));
    }
    for (place, first) in keys.iter().enumerate() {
        let tasks = *first..keys.get(place + 1).copied().unwrap_or(end);
        if !inputs_fit(connection, job, &tasks)? {
            damage.add_inputs(tasks);
        }
    }
    Ok(next)
}

/// Whether the row of inputs of these tasks is what was written.
fn inputs_fit(connection: &Connection, job: JobId, tasks: &Range<u64>) -> Result<bool, Failure> {
    let select = "SELECT first, count, inputs, checksum FROM input WHERE job = ?1 AND first = ?2";
    let read = || -> Result<bool, Failure> {
        let mut select = connection.prepare_cached(select)?;
        let mut rows = select.query([int(job.0), int(tasks.start)])?;
        let Some(row) = rows.next()? else { return Ok(false) };
        Ok(read_inputs(row, job)?.0 == *tasks)
    };
    is_whole(read())
}

/// Removes what was found, as far as it is still so.
pub(super) fn repair(
    tx: &Transaction<'_>,
    job: JobId,
    found: &Damage,
) -> Result<Repaired, Failure> {
    jobs::select_published(tx, job)?;
    let mut removed = Vec::new();
    let mut is_index_damaged = false;
    for tasks in &found.outcomes {
        let misfits = misfits(tx, job, &(int(tasks.start)..int(tasks.end)))?;
        is_index_damaged |= misfits.is_index_damaged;
        for Misfit { rowid, tasks } in misfits.rows {
            is_index_damaged |= delete(tx, rowid)?;
            removed.push(tasks);
        }
    }
    if is_index_damaged {
        tx.execute_batch("REINDEX outcome")?;
    }
    for tasks in &found.outcomes {
        if let Some(left) = misfits(tx, job, &(int(tasks.start)..int(tasks.end)))?.rows.first() {
            return Err(damage::of_outcomes(
                job,
                left.tasks.clone(),
                "it cannot be removed either",
            ));
        }
    }
    let stored = set_going(tx, load_one(tx, job)?, &found.inputs)?;
    Ok(Repaired { removed, inputs: found.inputs.clone(), job: stored })
}

/// Deletes a row of outcomes, and says whether an index lists something else of it, or one that is not there.
fn delete(tx: &Transaction<'_>, rowid: i64) -> Result<bool, Failure> {
    let delete = "DELETE FROM outcome WHERE rowid = ?1";
    match tx.execute(delete, [rowid]) {
        Ok(deleted) => Ok(deleted == 0),
        Err(error) if damage::of(&error).is_some() => {
            // Then an index that lacks it is no error. It is made anew.
            tx.execute_batch("PRAGMA writable_schema = ON")?;
            let deleted = tx.execute(delete, [rowid]);
            tx.execute_batch("PRAGMA writable_schema = OFF")?;
            deleted?;
            Ok(true)
        }
        Err(error) => Err(error.into()),
    }
}

/// A job that was done and lacks outcomes runs again. One whose missing outcomes need inputs that cannot be read
/// is in trouble.
fn set_going(
    tx: &Transaction<'_>,
    mut job: StoredJob,
    damaged_inputs: &[Range<u64>],
) -> Result<StoredJob, Failure> {
    let is_done = job.state == JobState::Done;
    if is_done && job.done + job.failed < job.total {
        jobs::update_state(tx, job.id, JobState::Running)?;
        let running = load_one(tx, job.id)?;
        if !lacks_inputs(&running, damaged_inputs) {
            return Ok(running);
        }
        jobs::update_state(tx, job.id, JobState::Done)?;
    } else if !job.state.is_over() && lacks_inputs(&job, damaged_inputs) {
        job.trouble.get_or_insert_with(|| {
            let tasks = &damaged_inputs[0];
            format!("the inputs of tasks {}..{} cannot be read", tasks.start, tasks.end)
        });
    }
    Ok(job)
}

/// Whether inputs that cannot be read are those of tasks without an outcome.
fn lacks_inputs(job: &StoredJob, damaged: &[Range<u64>]) -> bool {
    let overlaps =
        |one: &Range<u64>, other: &Range<u64>| one.start < other.end && other.start < one.end;
    let missing = gaps(&(0..job.total), job.recorded.iter().cloned());
    damaged.iter().any(|damaged| missing.iter().any(|missing| overlaps(damaged, missing)))
}
