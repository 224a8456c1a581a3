//! Jobs and drafts: entered, published, changed, and removed.

use super::damage;
use super::rows::{find, int, to_json};
use super::transaction::Failure;
use crate::store::{NewJob, Standing, StoreError};
use rusqlite::{Connection, Row, Transaction, params};
use tequio_protocol::api::JobState;
use tequio_protocol::grid::Grid;
use tequio_protocol::ids::JobId;
use tequio_protocol::limits::REMOVED_ROWS_MAX;
use tequio_protocol::text::quote;

/// What a job has beside its row, in the order in which it is removed.
const TABLES: [&str; 5] = ["outcome", "input", "input_line", "appended", "audited"];

pub(super) fn insert_draft(tx: &Transaction<'_>, job: &NewJob) -> Result<JobId, Failure> {
    let grid = job.grid.as_ref().map(to_json).transpose()?;
    let mut statement = tx.prepare_cached(
        "INSERT INTO job (name, op, priority, grid, total, is_open, state, submitted_at_ms, block, checks)
         VALUES (?1, ?2, ?3, ?4, ?5, FALSE, 'draft', ?6, ?7, ?8)",
    )?;
    let total = job.grid.as_ref().map_or(0, Grid::total);
    let id = statement.insert(params![
        job.name,
        job.op.name(),
        job.priority,
        grid,
        int(total),
        int(job.submitted_at_ms),
        int(job.block),
        job.check.name()
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
    let hidden = "SELECT total < 0 FROM job WHERE id = ?1";
    if !find(tx.prepare_cached(hidden)?, job, |row| row.get(0))? {
        return Err(select_standing(tx, job)?.refuse_removal(job).into());
    }
    for table in TABLES {
        let delete = format!(
            "DELETE FROM {table} WHERE rowid IN (SELECT rowid FROM {table} WHERE job = ?1 LIMIT ?2)"
        );
        let rows = [int(job.0), int(REMOVED_ROWS_MAX)];
        if tx.prepare_cached(&delete)?.execute(rows)? > 0 {
            return Ok(true);
        }
    }
    tx.prepare_cached("DELETE FROM job WHERE id = ?1")?.execute([int(job.0)])?;
    Ok(false)
}

/// Deletes a draft, or what is left of a job whose removal was interrupted, which has outcomes too.
pub(super) fn delete_any_draft(tx: &Transaction<'_>, draft: i64) -> Result<(), Failure> {
    for table in TABLES {
        let delete = format!("DELETE FROM {table} WHERE job = ?1");
        tx.prepare_cached(&delete)?.execute([draft])?;
    }
    tx.prepare_cached("DELETE FROM job WHERE id = ?1")?.execute([draft])?;
    Ok(())
}

pub(super) fn delete_draft(tx: &Transaction<'_>, job: JobId) -> Result<(), Failure> {
    select_standing(tx, job)?.check_draft(job)?;
    delete_any_draft(tx, int(job.0))
}

/// Returns an error where there is no such job, not even a draft.
pub(super) fn select_any(connection: &Connection, job: JobId) -> Result<(), Failure> {
    let any = "SELECT 1 FROM job WHERE id = ?1 AND total >= 0";
    find(connection.prepare_cached(any)?, job, |_| Ok(()))
}

/// Returns an error where the job is not there, or a draft.
pub(super) fn select_published(connection: &Connection, job: JobId) -> Result<(), Failure> {
    let published = "SELECT 1 FROM job WHERE id = ?1 AND state IS NOT 'draft'";
    find(connection.prepare_cached(published)?, job, |_| Ok(()))
}

/// Whether a job is neither over nor a draft.
pub(super) fn select_is_to_go_on(connection: &Connection, job: JobId) -> Result<bool, Failure> {
    let going = "SELECT state IN ('running', 'paused') FROM job WHERE id = ?1";
    find(connection.prepare_cached(going)?, job, |row| row.get(0))
}

/// What decides whether a job, or a draft, takes a change.
pub(super) fn select_standing(tx: &Transaction<'_>, job: JobId) -> Result<Standing, Failure> {
    let standing = "SELECT state, is_open, grid IS NOT NULL FROM job WHERE id = ?1 AND total >= 0";
    let read = |row: &Row<'_>| Ok((row.get::<_, String>(0)?, row.get(1)?, row.get(2)?));
    let (name, is_open, has_grid) = find(tx.prepare_cached(standing)?, job, read)?;
    let state = match name.as_str() {
        "draft" => None,
        name => Some(to_state(name).ok_or_else(|| {
            damage::damaged(job, format!("its state cannot be read: {} is unknown", quote(name)))
        })?),
    };
    Ok(Standing { state, is_open, has_grid })
}

/// Makes a draft a job, to which inputs may be added if it is an open one.
pub(super) fn update_published(
    tx: &Transaction<'_>,
    job: JobId,
    is_open: bool,
) -> Result<(), Failure> {
    let publish = "UPDATE job SET is_open = ?2, state = 'running' WHERE id = ?1";
    tx.prepare_cached(publish)?.execute(params![int(job.0), is_open])?;
    Ok(())
}

pub(super) fn update_closed(tx: &Transaction<'_>, job: JobId) -> Result<(), Failure> {
    tx.prepare_cached("UPDATE job SET is_open = FALSE WHERE id = ?1")?.execute([int(job.0)])?;
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
        0 => Err(StoreError::NoSuchJob(job).into()),
        _ => Ok(()),
    }
}

pub(super) fn upsert_appended(tx: &Transaction<'_>, job: JobId, at_ms: u64) -> Result<(), Failure> {
    let upsert = "INSERT INTO appended (job, at_ms) VALUES (?1, ?2)
        ON CONFLICT (job) DO UPDATE SET at_ms = excluded.at_ms";
    tx.prepare_cached(upsert)?.execute([int(job.0), int(at_ms)])?;
    Ok(())
}

/// So many more tasks of a job were computed by the server itself.
pub(super) fn upsert_audited(tx: &Transaction<'_>, job: JobId, tasks: u64) -> Result<(), Failure> {
    let upsert = "INSERT INTO audited (job, tasks) VALUES (?1, ?2)
        ON CONFLICT (job) DO UPDATE SET tasks = tasks + excluded.tasks";
    tx.prepare_cached(upsert)?.execute([int(job.0), int(tasks)])?;
    Ok(())
}

pub(super) fn to_state(name: &str) -> Option<JobState> {
    use JobState::{Cancelled, Done, Paused, Running};
    [Running, Paused, Done, Cancelled].into_iter().find(|state| state.name() == name)
}
