//! Inputs, in blocks, and from which lines they come.

use super::checksum::Checksum;
use super::damage;
use super::jobs::select_any;
use super::rows::{MISFIT, int, places_within, to_json};
use super::transaction::Failure;
use crate::store::{StoreError, jumps};
use rusqlite::{Connection, OptionalExtension, Row, Transaction, params};
use std::ops::Range;
use tequio_protocol::ids::JobId;
use tequio_protocol::reader::LineRun;
use tequio_protocol::values::Values;

/// Inputs of one row. A row is parsed whole, so it is a small part of what a lease takes; and not
/// one input, since a row's own cost is several of them.
const ROW_INPUTS_MAX: usize = 1024;

pub(super) fn insert_inputs(
    tx: &Transaction<'_>,
    job: JobId,
    first: u64,
    list: &Values,
) -> Result<(), Failure> {
    let mut statement = tx.prepare_cached(
        "INSERT INTO input (job, first, count, inputs, checksum) VALUES (?1, ?2, ?3, ?4, ?5)",
    )?;
    let firsts = (first..).step_by(ROW_INPUTS_MAX);
    let places = (0..list.len()).step_by(ROW_INPUTS_MAX);
    let rows = places.map(|at| list.slice(at..list.len().min(at + ROW_INPUTS_MAX)));
    for (first, row) in firsts.zip(rows) {
        let (job, first, count) = (int(job.0), int(first), int(row.len() as u64));
        let json = row.json();
        let checksum = checksum_of_inputs(job, first, count, json);
        statement.execute(params![job, first, count, json, checksum])?;
    }
    Ok(())
}

/// The checksum of a row of inputs.
pub(super) fn checksum_of_inputs(job: i64, first: i64, count: i64, json: &str) -> i64 {
    Checksum::new().integer(job).integer(first).integer(count).text(json).sum()
}

/// The checksum of a row of lines.
pub(super) fn checksum_of_lines(job: i64, first: i64, json: &str) -> i64 {
    Checksum::new().integer(job).integer(first).text(json).sum()
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
        "SELECT first, count, inputs, checksum FROM input
         WHERE job = ?1 AND first < ?3 AND first >= coalesce(
             (SELECT max(first) FROM input WHERE job = ?1 AND first <= ?2), ?2)
         ORDER BY first",
    )?;
    let mut rows = statement.query([int(job.0), int(range.start), int(range.end)])?;
    let (mut inputs, mut next) = (Values::new(), range.start);
    while next < range.end
        && let Some(row) = rows.next()?
    {
        let (tasks, mut list) = read_inputs(row, job)?;
        if tasks.start > next {
            let said = format!("the inputs of tasks {next}..{} are missing", tasks.start);
            return Err(damage::damaged(job, said));
        }
        if !tasks.contains(&next) || (!inputs.is_empty() && tasks.start != next) {
            let said = format!("the inputs of task {next} are expected there");
            return Err(unreadable_inputs(job, &tasks, &said));
        }
        inputs.append(&list.take(places_within(&tasks, range)));
        next = tasks.end;
    }
    // Fewer where a draft was discarded since its inputs were counted.
    if inputs.len() as u64 == range.end.saturating_sub(range.start) {
        Ok(inputs)
    } else {
        Err(out_of_range(job, range))
    }
}

/// The tasks and the inputs of a row `(first, count, array, checksum)` that is what was written.
pub(super) fn read_inputs(row: &Row<'_>, job: JobId) -> Result<(Range<u64>, Values), Failure> {
    let (first, count): (u64, u64) = (row.get(0)?, row.get(1)?);
    let tasks = first..first.saturating_add(count);
    let read =
        || -> Result<(&str, i64), rusqlite::Error> { Ok((row.get_ref(2)?.as_str()?, row.get(3)?)) };
    let (json, checksum) = read().map_err(|error| match damage::of(&error) {
        Some(what) => unreadable_inputs(job, &tasks, &what),
        None => error.into(),
    })?;
    if checksum_of_inputs(int(job.0), int(first), int(count), json) != checksum {
        return Err(unreadable_inputs(job, &tasks, MISFIT));
    }
    let inputs = Values::read(json).map_err(|error| {
        unreadable_inputs(job, &tasks, &format!("they are no inputs ({error})"))
    })?;
    match inputs.len() as u64 {
        length if length == count => Ok((tasks, inputs)),
        length => Err(unreadable_inputs(job, &tasks, &format!("there are {length} of them"))),
    }
}

fn unreadable_inputs(job: JobId, tasks: &Range<u64>, said: &str) -> Failure {
    damage::damaged(job, damage::of_row("the inputs", tasks, said))
}

pub(super) fn insert_lines(
    tx: &Transaction<'_>,
    job: JobId,
    lines: &[LineRun],
) -> Result<(), Failure> {
    if lines.is_empty() {
        return Ok(());
    }
    let mut last = tx.prepare_cached(&format!(
        "{SELECT_LINES} WHERE x.job = ?1 ORDER BY x.first DESC LIMIT 1"
    ))?;
    let mut rows = last.query([int(job.0)])?;
    let last = match rows.next()? {
        Some(row) => read_lines(row, job)?.pop(),
        None => None,
    };
    let mut insert = tx.prepare_cached(
        "INSERT INTO input_line (job, first, lines, checksum) VALUES (?1, ?2, ?3, ?4)",
    )?;
    for row in jumps(last, lines).chunks(ROW_INPUTS_MAX) {
        let json = to_json(&row.iter().map(|run| (run.first, run.line)).collect::<Vec<_>>())?;
        let (job, first) = (int(job.0), int(row[0].first));
        insert.execute(params![job, first, json, checksum_of_lines(job, first, &json)])?;
    }
    Ok(())
}

/// The rows that have something within a range, whole. Both indices must list the same: what one hides would be
/// other lines. Within one transaction, so that both are of one time.
pub(super) fn select_lines(
    connection: &Connection,
    job: JobId,
    range: &Range<u64>,
) -> Result<Vec<LineRun>, Failure> {
    let bounds = [int(job.0), int(range.start), int(range.end)];
    let of = |index: &str| {
        format!(
            "WHERE x.job = ?1 AND x.first < ?3 AND x.first >= coalesce(
                 (SELECT max(first) FROM input_line INDEXED BY {index}
                  WHERE job = ?1 AND first <= ?2), ?2)
             ORDER BY x.first"
        )
    };
    let mut statement = connection
        .prepare_cached(&format!("{SELECT_LINES} {}", of("sqlite_autoindex_input_line_1")))?;
    let mut rows = statement.query(bounds)?;
    let (mut lines, mut firsts) = (Vec::new(), Vec::new());
    while let Some(row) = rows.next()? {
        lines.append(&mut read_lines(row, job)?);
        firsts.push(row.get::<_, u64>(0)?);
    }
    let mut other = connection.prepare_cached(&format!(
        "SELECT first FROM input_line AS x INDEXED BY input_line_first {}",
        of("input_line_first")
    ))?;
    let listed = other.query_map(bounds, |row| row.get(0))?.collect::<Result<Vec<u64>, _>>()?;
    if listed == firsts {
        return Ok(lines);
    }
    let Range { start, end } = range;
    let said = "one index lists rows that another does not";
    let part = format!("the lines of inputs of tasks {start}..{end}");
    Err(damage::damaged(job, format!("{part} cannot be read: {said}")))
}

/// Rows of lines: what their index lists, and all that the row says.
const SELECT_LINES: &str = "
    SELECT x.first, l.job, l.first, l.lines, l.checksum
    FROM input_line AS x INDEXED BY sqlite_autoindex_input_line_1
    LEFT JOIN input_line AS l ON l.rowid = x.rowid";

/// The runs of a row of [`SELECT_LINES`] that is what was written.
fn read_lines(row: &Row<'_>, job: JobId) -> Result<Vec<LineRun>, Failure> {
    let first: u64 = row.get(0)?;
    let unreadable = |said: &str| {
        let part = format!("the lines of inputs from task {first} on");
        damage::damaged(job, format!("{part} cannot be read: {said}"))
    };
    let read = || -> Result<_, rusqlite::Error> {
        let listed: (Option<i64>, Option<i64>) = (row.get(1)?, row.get(2)?);
        Ok((listed, row.get_ref(3)?.as_str()?, row.get::<_, i64>(4)?))
    };
    let (listed, json, checksum) = read().map_err(|error| match damage::of(&error) {
        Some(what) => unreadable(&what),
        None => error.into(),
    })?;
    if listed != (Some(int(job.0)), Some(int(first))) {
        return Err(unreadable("the index lists others"));
    }
    if checksum_of_lines(int(job.0), int(first), json) != checksum {
        return Err(unreadable(MISFIT));
    }
    let pairs: Vec<(u64, u64)> =
        serde_json::from_str(json).map_err(|error| unreadable(&error.to_string()))?;
    Ok(pairs.into_iter().map(|(first, line)| LineRun { first, line }).collect())
}
