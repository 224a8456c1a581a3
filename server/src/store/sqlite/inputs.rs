//! Inputs, in blocks, and from which lines they come.

use super::damage;
use super::jobs::select_any;
use super::rows::{Block, int, to_json, unreadable_row};
use super::transaction::Failure;
use crate::store::{StoreError, jumps};
use rusqlite::{Connection, OptionalExtension, Row, Transaction, params};
use std::ops::Range;
use tequio_protocol::ids::JobId;
use tequio_protocol::reader::LineRun;
use tequio_protocol::values::Values;

/// Inputs of one row. A row is parsed whole, so it is a small part of what a lease takes; and not
/// one input, since a row's own cost is several of them.
const BLOCK_INPUTS_MAX: usize = 1024;

/// From which lines inputs come: rows of `[[index,line],...]`, each of which holds from its index on to
/// the next, one line an input. A table of its own, which files of before lack until it is needed: an
/// older tequio does not miss it, and opening a file writes nothing.
const LINES: &str = "
    CREATE TABLE IF NOT EXISTS input_line (
        job INTEGER NOT NULL,
        first INTEGER NOT NULL CHECK (first >= 0),
        lines TEXT NOT NULL,
        UNIQUE (job, first)
    ) STRICT;
";

pub(super) fn insert_inputs(
    tx: &Transaction<'_>,
    job: JobId,
    first: u64,
    list: &Values,
) -> Result<(), Failure> {
    let mut statement =
        tx.prepare_cached("INSERT INTO input (job, first, count, inputs) VALUES (?1, ?2, ?3, ?4)")?;
    let firsts = (first..).step_by(BLOCK_INPUTS_MAX);
    let places = (0..list.len()).step_by(BLOCK_INPUTS_MAX);
    let blocks = places.map(|at| list.slice(at..list.len().min(at + BLOCK_INPUTS_MAX)));
    for (first, block) in firsts.zip(blocks) {
        let count = int(block.len() as u64);
        let json = block.json();
        statement.execute(params![int(job.0), int(first), count, json])?;
    }
    Ok(())
}

/// A job lacks inputs of `range`.
fn out_of_range(job: JobId, range: &Range<u64>) -> Failure {
    StoreError::OutOfRange { job, first: range.start, end: range.end }.into()
}

/// How many inputs a job has: its blocks lie side by side from 0.
pub(super) fn select_inputs_end(connection: &Connection, job: JobId) -> Result<u64, Failure> {
    let mut statement = connection.prepare_cached(
        "SELECT first + count FROM input WHERE job = ?1 ORDER BY first DESC LIMIT 1",
    )?;
    let end = statement.query_row([int(job.0)], |row| row.get(0)).optional()?;
    Ok(end.unwrap_or(0))
}

/// The inputs of `range`, all of which must be there.
pub(super) fn select_all_inputs(
    connection: &Connection,
    job: JobId,
    range: &Range<u64>,
) -> Result<Values, Failure> {
    select_any(connection, job)?;
    // Asked first, so that a range that reaches too far costs nothing.
    if !range.is_empty() && range.end > select_inputs_end(connection, job)? {
        return Err(out_of_range(job, range));
    }
    let part = format!("its inputs of tasks {}..{}", range.start, range.end);
    damage::of_job(job, &part, select_inputs(connection, job, range))
}

fn select_inputs(
    connection: &Connection,
    job: JobId,
    range: &Range<u64>,
) -> Result<Values, Failure> {
    let mut statement = connection.prepare_cached(
        "SELECT first, count, inputs FROM input
         WHERE job = ?1 AND first < ?3 AND first >= coalesce(
             (SELECT max(first) FROM input WHERE job = ?1 AND first <= ?2), ?2)
         ORDER BY first",
    )?;
    let mut rows = statement.query([int(job.0), int(range.start), int(range.end)])?;
    let mut inputs = Values::new();
    while !range.is_empty()
        && let Some(row) = rows.next()?
    {
        let Block { skip, take, .. } = Block::of(row, range)?;
        inputs.append(&read_inputs(row, job)?.take(skip..skip + take));
    }
    // Fewer where a draft was discarded since its inputs were counted.
    if inputs.len() as u64 == range.end.saturating_sub(range.start) {
        Ok(inputs)
    } else {
        Err(out_of_range(job, range))
    }
}

/// The inputs of a row `(first, count, array)`.
fn read_inputs(row: &Row<'_>, job: JobId) -> Result<Values, Failure> {
    let (first, count): (u64, u64) = (row.get(0)?, row.get(1)?);
    let json = row.get_ref(2)?.as_str().map_err(rusqlite::Error::from)?;
    let tasks = first..first.saturating_add(count);
    let unreadable = |said: String| unreadable_row(job, "the inputs", tasks.clone(), said);
    let inputs = Values::read(json);
    let inputs = inputs.map_err(|error| unreadable(format!("they are no inputs ({error})")))?;
    let length = inputs.len();
    if length as u64 != count {
        return Err(unreadable(format!("there are {length} of them")));
    }
    Ok(inputs)
}

/// Whether the file has the table of [`LINES`].
pub(super) fn has_lines(connection: &Connection) -> Result<bool, Failure> {
    let table = "SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = 'input_line'";
    Ok(connection.prepare_cached(table)?.exists([])?)
}

pub(super) fn insert_lines(
    tx: &Transaction<'_>,
    job: JobId,
    lines: &[LineRun],
) -> Result<(), Failure> {
    if lines.is_empty() {
        return Ok(());
    }
    tx.execute_batch(LINES)?;
    let mut last = tx.prepare_cached(
        "SELECT first, lines FROM input_line WHERE job = ?1 ORDER BY first DESC LIMIT 1",
    )?;
    let mut rows = last.query([int(job.0)])?;
    let last = match rows.next()? {
        Some(row) => read_lines(row, job)?.pop(),
        None => None,
    };
    let mut insert =
        tx.prepare_cached("INSERT INTO input_line (job, first, lines) VALUES (?1, ?2, ?3)")?;
    for row in jumps(last, lines).chunks(BLOCK_INPUTS_MAX) {
        let json = to_json(&row.iter().map(|run| (run.first, run.line)).collect::<Vec<_>>())?;
        insert.execute(params![int(job.0), int(row[0].first), json])?;
    }
    Ok(())
}

/// The rows that have something within a range, whole.
pub(super) fn select_lines(
    connection: &Connection,
    job: JobId,
    range: &Range<u64>,
) -> Result<Vec<LineRun>, Failure> {
    if !has_lines(connection)? {
        return Ok(Vec::new());
    }
    let mut statement = connection.prepare_cached(
        "SELECT first, lines FROM input_line
         WHERE job = ?1 AND first < ?3 AND first >= coalesce(
             (SELECT max(first) FROM input_line WHERE job = ?1 AND first <= ?2), ?2)
         ORDER BY first",
    )?;
    let mut rows = statement.query([int(job.0), int(range.start), int(range.end)])?;
    let mut lines = Vec::new();
    while let Some(row) = rows.next()? {
        lines.append(&mut read_lines(row, job)?);
    }
    Ok(lines)
}

/// The runs of a row `(first, lines)`.
fn read_lines(row: &Row<'_>, job: JobId) -> Result<Vec<LineRun>, Failure> {
    let first: u64 = row.get(0)?;
    let json = row.get_ref(1)?.as_str().map_err(rusqlite::Error::from)?;
    let pairs: Vec<(u64, u64)> = serde_json::from_str(json).map_err(|error| {
        damage::damaged(
            job,
            format!("the lines of inputs from task {first} on cannot be read ({error})"),
        )
    })?;
    Ok(pairs.into_iter().map(|(first, line)| LineRun { first, line }).collect())
}
