//! Jobs and drafts: entered, published, changed, and removed.

use super::inputs::has_lines;
use super::rows::{find, int, to_json};
use super::transaction::Failure;
use crate::store::{NewJob, StoreError};
use rusqlite::{Connection, Transaction, params};
use tequio_protocol::api::JobState;
use tequio_protocol::grid::Grid;
use tequio_protocol::ids::JobId;
use tequio_protocol::limits::REMOVED_ROWS_MAX;

/// When jobs were last appended to, of those that were open for long. A table of its own, made when
/// it is needed: an older tequio does not miss it, and opening a file on a full disk writes nothing.
pub(super) const APPENDED: &str = "
    CREATE TABLE IF NOT EXISTS appended (job INTEGER PRIMARY KEY, at_ms INTEGER NOT NULL) STRICT;
";

pub(super) fn insert_draft(tx: &Transaction<'_>, job: &NewJob) -> Result<JobId, Failure> {
    let grid = job.grid.as_ref().map(to_json).transpose()?;
    let mut statement = tx.prepare_cached(
        "INSERT INTO job (name, op, priority, grid, total, is_open, state, submitted_at_ms)
         VALUES (?1, ?2, ?3, ?4, ?5, FALSE, 'draft', ?6)",
    )?;
    let total = job.grid.as_ref().map_or(0, Grid::total);
    let id = statement.insert(params![
        job.name,
        job.op.name(),
        job.priority,
        grid,
        int(total),
        int(job.submitted_at_ms)
    ])?;
    Ok(JobId(id as u64))
}

/// Begins to remove a job that is over; `false` where it is not over. What is being removed is a draft
/// of -1 tasks: nobody sees it, nothing is added to it, and it goes with the drafts at the next start.
pub(super) fn hide_job(tx: &Transaction<'_>, job: JobId) -> Result<bool, Failure> {
    let hide = "UPDATE job SET state = 'draft', total = -1
        WHERE id = ?1 AND state IN ('done', 'cancelled')";
    Ok(tx.prepare_cached(hide)?.execute([int(job.0)])? > 0)
}

/// As [`hide_job`], whatever the job's state is.
pub(super) fn hide_any(tx: &Transaction<'_>, job: JobId) -> Result<bool, Failure> {
    let hide = "UPDATE job SET state = 'draft', total = -1 WHERE id = ?1 AND total IS NOT -1";
    Ok(tx.prepare_cached(hide)?.execute([int(job.0)])? > 0)
}

/// Removes as much of a job that is being removed as one transaction should, and says whether more
/// of it is left.
pub(super) fn delete_part(tx: &Transaction<'_>, job: JobId) -> Result<bool, Failure> {
    let hidden = "SELECT 1 FROM job WHERE id = ?1 AND total < 0";
    find(tx.prepare_cached(hidden)?, job, |_| Ok(()))?;
    let tables = ["outcome", "input", "input_line"];
    for table in &tables[..if has_lines(tx)? { 3 } else { 2 }] {
        let delete = format!(
            "DELETE FROM {table} WHERE rowid IN (SELECT rowid FROM {table} WHERE job = ?1 LIMIT ?2)"
        );
        let rows = [int(job.0), int(REMOVED_ROWS_MAX)];
        if tx.prepare_cached(&delete)?.execute(rows)? > 0 {
            return Ok(true);
        }
    }
    if has_appended(tx)? {
        tx.prepare_cached("DELETE FROM appended WHERE job = ?1")?.execute([int(job.0)])?;
    }
    tx.prepare_cached("DELETE FROM job WHERE id = ?1")?.execute([int(job.0)])?;
    Ok(false)
}

/// Deletes a draft, or what is left of a job whose removal was interrupted, which has outcomes too.
pub(super) fn delete_any_draft(tx: &Transaction<'_>, draft: i64) -> Result<(), Failure> {
    let tables = ["outcome", "input", "input_line"];
    for table in &tables[..if has_lines(tx)? { 3 } else { 2 }] {
        let delete = format!("DELETE FROM {table} WHERE job = ?1");
        tx.prepare_cached(&delete)?.execute([draft])?;
    }
    if has_appended(tx)? {
        tx.prepare_cached("DELETE FROM appended WHERE job = ?1")?.execute([draft])?;
    }
    tx.prepare_cached("DELETE FROM job WHERE id = ?1")?.execute([draft])?;
    Ok(())
}

pub(super) fn delete_draft(tx: &Transaction<'_>, job: JobId) -> Result<(), Failure> {
    let draft = "SELECT 1 FROM job WHERE id = ?1 AND state = 'draft' AND total >= 0";
    find(tx.prepare_cached(draft)?, job, |_| Ok(()))?;
    tx.prepare_cached("DELETE FROM input WHERE job = ?1")?.execute([int(job.0)])?;
    if has_lines(tx)? {
        tx.prepare_cached("DELETE FROM input_line WHERE job = ?1")?.execute([int(job.0)])?;
    }
    tx.prepare_cached("DELETE FROM job WHERE id = ?1")?.execute([int(job.0)])?;
    Ok(())
}

/// Errs where there is no such job, not even a draft.
pub(super) fn select_any(connection: &Connection, job: JobId) -> Result<(), Failure> {
    let any = "SELECT 1 FROM job WHERE id = ?1 AND total >= 0";
    find(connection.prepare_cached(any)?, job, |_| Ok(()))
}

/// Errs where the job is not there, or a draft.
pub(super) fn select_published(connection: &Connection, job: JobId) -> Result<(), Failure> {
    let published = "SELECT 1 FROM job WHERE id = ?1 AND state IS NOT 'draft'";
    find(connection.prepare_cached(published)?, job, |_| Ok(()))
}

/// Whether a job that inputs may be added to, a draft or an open one, has a grid.
pub(super) fn select_growing(tx: &Transaction<'_>, job: JobId) -> Result<bool, Failure> {
    let growing = "SELECT grid IS NOT NULL FROM job WHERE id = ?1 AND total >= 0
        AND (state = 'draft' OR (is_open AND state IN ('running', 'paused')))";
    find(tx.prepare_cached(growing)?, job, |row| row.get(0))
}

pub(super) fn update_published(
    tx: &Transaction<'_>,
    job: JobId,
    is_open: bool,
) -> Result<(), Failure> {
    let mut statement = tx.prepare_cached(
        "UPDATE job SET is_open = ?2, state = CASE state WHEN 'draft' THEN 'running' ELSE state END
         WHERE id = ?1",
    )?;
    statement.execute(params![int(job.0), is_open])?;
    Ok(())
}

pub(super) fn update_total(tx: &Transaction<'_>, job: JobId, total: u64) -> Result<(), Failure> {
    let mut statement = tx.prepare_cached("UPDATE job SET total = ?2 WHERE id = ?1")?;
    statement.execute([int(job.0), int(total)])?;
    Ok(())
}

pub(super) fn update_state(
    tx: &Transaction<'_>,
    job: JobId,
    state: JobState,
) -> Result<(), Failure> {
    let mut statement =
        tx.prepare_cached("UPDATE job SET state = ?2 WHERE id = ?1 AND state <> 'draft'")?;
    match statement.execute(params![int(job.0), state.name()])? {
        0 => Err(StoreError::Missing(job).into()),
        _ => Ok(()),
    }
}

pub(super) fn has_appended(tx: &Connection) -> Result<bool, Failure> {
    let table = "SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name = 'appended'";
    Ok(tx.query_row(table, [], |row| row.get::<_, u64>(0))? > 0)
}

pub(super) fn upsert_appended(tx: &Transaction<'_>, job: JobId, at_ms: u64) -> Result<(), Failure> {
    let upsert = "INSERT INTO appended (job, at_ms) VALUES (?1, ?2)
        ON CONFLICT (job) DO UPDATE SET at_ms = excluded.at_ms";
    tx.prepare_cached(upsert)?.execute([int(job.0), int(at_ms)])?;
    Ok(())
}

pub(super) fn to_state(name: &str) -> Option<JobState> {
    use JobState::{Cancelled, Done, Paused, Running};
    [Running, Paused, Done, Cancelled].into_iter().find(|state| state.name() == name)
}
