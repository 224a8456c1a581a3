//! A row of outcomes: what it says, and whether it is what was written.
//!
//! A row is found by what the index `outcome_extent` lists of it, and read by its number, so that both can be
//! compared: neither a bit of the row nor one of the index is believed alone.

use super::checksum::Checksum;
use super::damage;
use super::rows::{MISFIT, int};
use super::transaction::Failure;
use crate::store::Recording;
use rusqlite::{CachedStatement, Error, Row, Transaction, params};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::ops::Range;
use tequio_protocol::ids::JobId;
use tequio_protocol::outcome::{Errors, Outcomes};
use tequio_protocol::values::Values;

/// What the index lists of a row, and all that the row says, where it is there.
pub(super) const SELECT: &str = "
    SELECT x.first, x.count, x.failed, o.job, o.first, o.count, o.failed, o.duration_ms, o.worker,
        o.agent, o.recorded_at_ms, o.outcomes, o.errors, o.checksum
    FROM outcome AS x INDEXED BY outcome_extent LEFT JOIN outcome AS o ON o.rowid = x.rowid";

/// One row by its number, whatever an index lists: in its place is what the row says of itself.
pub(super) const SELECT_BARE: &str = "
    SELECT o.first, o.count, o.failed, o.job, o.first, o.count, o.failed, o.duration_ms, o.worker,
        o.agent, o.recorded_at_ms, o.outcomes, o.errors, o.checksum
    FROM outcome AS o WHERE o.rowid = ?1";

/// A row as it lies in the file.
struct Fields<'a> {
    job: i64,
    first: i64,
    count: i64,
    failed: i64,
    duration_ms: Option<f64>,
    worker: i64,
    agent: &'a str,
    recorded_at_ms: i64,
    outcomes: &'a str,
    errors: Option<&'a str>,
}

impl<'a> Fields<'a> {
    /// The row of [`SELECT`] with its checksum; `None` where the index lists one that is not there.
    fn read(row: &'a Row<'_>) -> Result<Option<(Fields<'a>, i64)>, Error> {
        let Some(job) = row.get(3)? else { return Ok(None) };
        let text = |at: usize| row.get_ref(at)?.as_str().map_err(Error::from);
        let fields = Fields {
            job,
            first: row.get(4)?,
            count: row.get(5)?,
            failed: row.get(6)?,
            duration_ms: row.get(7)?,
            worker: row.get(8)?,
            agent: text(9)?,
            recorded_at_ms: row.get(10)?,
            outcomes: text(11)?,
            errors: row.get_ref(12)?.as_str_or_null().map_err(Error::from)?,
        };
        Ok(Some((fields, row.get(13)?)))
    }

    fn checksum(&self) -> i64 {
        Checksum::new()
            .integer(self.job)
            .integer(self.first)
            .integer(self.count)
            .integer(self.failed)
            .real(self.duration_ms)
            .integer(self.worker)
            .text(self.agent)
            .integer(self.recorded_at_ms)
            .text(self.outcomes)
            .optional_text(self.errors)
            .sum()
    }
}

/// What the row of [`SELECT`] of a job says. Returns an error that names it where it is not what was written.
pub(super) fn read(row: &Row<'_>, job: JobId) -> Result<Outcomes, Failure> {
    let (tasks, failed): (_, u64) = (listed_tasks(row)?, row.get(2)?);
    let misfit = |said: &str| damage::of_outcomes(job, tasks.clone(), said);
    let fields = Fields::read(row).map_err(|error| match damage::of(&error) {
        Some(what) => misfit(&what),
        None => error.into(),
    })?;
    let Some((fields, checksum)) = fields else {
        return Err(misfit("the index lists them, and they are not there"));
    };
    if fields.checksum() != checksum {
        return Err(misfit(MISFIT));
    }
    let listed = [job.0, tasks.start, tasks.end - tasks.start, failed].map(int);
    if [fields.job, fields.first, fields.count, fields.failed] != listed {
        return Err(misfit("the index lists other tasks, or another number of errors"));
    }
    read_outcomes(&fields, &tasks, failed).map_err(|said| misfit(&said))
}

/// The tasks of the row of [`SELECT`], as the index lists them.
pub(super) fn listed_tasks(row: &Row<'_>) -> Result<Range<u64>, Error> {
    let (first, count): (u64, u64) = (row.get(0)?, row.get(1)?);
    Ok(first..first.saturating_add(count))
}

/// What a row says of its tasks, of which there must be as many as it says.
fn read_outcomes(fields: &Fields<'_>, tasks: &Range<u64>, failed: u64) -> Result<Outcomes, String> {
    let results =
        Values::read(fields.outcomes).map_err(|error| format!("they are no outcomes ({error})"))?;
    let count = tasks.end - tasks.start;
    if results.len() as u64 != count {
        return Err(format!("there are {} of them, not {count}", results.len()));
    }
    let errors: BTreeMap<u32, String> = fields
        .errors
        .map_or(Ok(BTreeMap::new()), serde_json::from_str)
        .map_err(|error| format!("their errors cannot be read ({error})"))?;
    let length = errors.len() as u64;
    let outcomes = Outcomes::new(results, errors);
    if length == failed && outcomes.failed() == failed {
        Ok(outcomes)
    } else {
        Err(format!("there are {length} errors of them, not {failed}"))
    }
}

/// What tasks failed with, by their places, as the file keeps that.
fn errors_text(outcomes: &Outcomes) -> Option<String> {
    let by_place = outcomes.errors().iter().map(|(place, error)| (*place, error.as_str()));
    let errors = Some(by_place.collect::<BTreeMap<u32, &str>>()).filter(|it| !it.is_empty())?;
    Some(serde_json::to_string(&errors).expect("it is numbers and text"))
}

/// The statement of [`insert`].
pub(super) fn prepare_insert<'tx>(
    tx: &'tx Transaction<'_>,
) -> Result<CachedStatement<'tx>, Failure> {
    Ok(tx.prepare_cached(
        "INSERT INTO outcome (job, first, count, failed, duration_ms, worker, agent,
             recorded_at_ms, outcomes, errors, checksum)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
    )?)
}

pub(super) fn insert(
    statement: &mut CachedStatement<'_>,
    recording: &Recording,
) -> Result<(), Failure> {
    let errors = errors_text(&recording.outcomes);
    let fields = Fields {
        job: int(recording.job.0),
        first: int(recording.first),
        count: int(recording.outcomes.len()),
        failed: int(recording.outcomes.failed()),
        duration_ms: recording.duration_ms,
        worker: int(recording.worker.0),
        agent: &recording.agent,
        recorded_at_ms: int(recording.recorded_at_ms),
        outcomes: recording.outcomes.results().json(),
        errors: errors.as_deref(),
    };
    statement.execute(params![
        fields.job,
        fields.first,
        fields.count,
        fields.failed,
        fields.duration_ms,
        fields.worker,
        fields.agent,
        fields.recorded_at_ms,
        fields.outcomes,
        fields.errors,
        fields.checksum(),
    ])?;
    Ok(())
}

/// Makes a row of format 1, which has its errors among its outcomes, one of this format. One that is not what
/// format 1 writes stays without a checksum.
pub(super) fn take_over(tx: &Transaction<'_>, rowid: i64) -> Result<(), Failure> {
    // No row of that format has errors, or a checksum that fits.
    let mut select = tx.prepare_cached(SELECT_BARE)?;
    let mut rows = select.query([rowid])?;
    let Some(row) = rows.next()? else { return Ok(()) };
    let Some((fields, _)) = Fields::read(row)? else { return Ok(()) };
    if fields.failed == 0 {
        let mut update = tx.prepare_cached("UPDATE outcome SET checksum = ?2 WHERE rowid = ?1")?;
        update.execute([rowid, fields.checksum()])?;
        return Ok(());
    }
    let Some(outcomes) = of_format_1(fields.outcomes) else { return Ok(()) };
    let errors = errors_text(&outcomes);
    let fields =
        Fields { outcomes: outcomes.results().json(), errors: errors.as_deref(), ..fields };
    let mut update = tx.prepare_cached(
        "UPDATE outcome SET outcomes = ?2, errors = ?3, checksum = ?4 WHERE rowid = ?1",
    )?;
    update.execute(params![rowid, fields.outcomes, fields.errors, fields.checksum()])?;
    Ok(())
}

/// Outcomes as format 1 has them: numbers, and `{"error":"..."}` among them.
fn of_format_1(json: &str) -> Option<Outcomes> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Failed {
        error: String,
    }
    let list = Values::read(json).ok()?;
    let failed = |(place, outcome)| {
        let Failed { error } = serde_json::from_str(outcome).ok()?;
        Some((place as u32, error))
    };
    let errors: Errors = list.iter().enumerate().filter_map(failed).collect();
    Some(Outcomes::new(list, errors))
}
