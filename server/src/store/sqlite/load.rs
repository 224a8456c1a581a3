//! What is there when a server starts. A job of which a part cannot be read is set aside with the reason;
//! a file without the list of jobs, or without one of its tables, is refused.

use super::damage;
use super::inputs::select_inputs_end;
use super::jobs::to_state;
use super::outcomes::select_recorded;
use super::rows::{ROW, int};
use super::transaction::Failure;
use crate::store::{Loaded, NewJob, StoreError, StoredJob};
use rusqlite::types::FromSql;
use rusqlite::{Connection, OptionalExtension, Row, Transaction};
use std::collections::BTreeMap;
use tequio_protocol::api::JobState;
use tequio_protocol::check::Check;
use tequio_protocol::grid::Grid;
use tequio_protocol::ids::JobId;
use tequio_protocol::limits::JOB_TASKS_MAX;
use tequio_protocol::op::OpId;
use tequio_protocol::text::quote;
use tracing::warn;

/// Tables without which there is no telling what there was.
const TABLES: [&str; 5] = ["meta", "job", "input", "input_line", "outcome"];

/// What a new file has as well. It has nothing of its own, so that it is made again where it is missing.
const INDEX: &str = "CREATE INDEX IF NOT EXISTS outcome_extent
    ON outcome (job, first, count, failed)";

/// Sees that the file has what a store has, and raises the epoch; gives the one before.
pub(super) fn begin(tx: &Transaction<'_>) -> Result<u64, Failure> {
    check_tables(tx)?;
    raise_epoch(tx)
}

/// Makes the index of outcomes again, if somebody has dropped it.
pub(super) fn tidy(tx: &Transaction<'_>) -> Result<(), Failure> {
    let has_index = "SELECT 1 FROM sqlite_schema WHERE type = 'index' AND name = 'outcome_extent'";
    if !tx.prepare(has_index)?.exists([])? {
        tx.execute_batch(INDEX)?;
    }
    Ok(())
}

/// The drafts, and what is left of removed jobs, each to be deleted by itself: one that is damaged stays
/// as it is, since nobody sees it, and keeps no other.
pub(super) fn drafts(tx: &Connection) -> Result<Vec<i64>, Failure> {
    let mut select = tx.prepare("SELECT 1 FROM job WHERE id = ?1 AND state = 'draft'")?;
    let mut drafts = Vec::new();
    for id in select_ids(tx)? {
        match select.exists([id]) {
            Ok(true) => drafts.push(id),
            Ok(false) => {}
            // Whether it is one cannot be told.
            Err(error) if damage::of(&error).is_some() => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(drafts)
}

/// The number of every row of the list of jobs. Nothing else of a row is read, so that one that is
/// damaged behind its first page is among them.
fn select_ids(tx: &Connection) -> Result<Vec<i64>, Failure> {
    let read = || -> Result<Vec<i64>, rusqlite::Error> {
        tx.prepare("SELECT id FROM job ORDER BY id")?.query_map([], |row| row.get(0))?.collect()
    };
    whole(read().map_err(Failure::from), "its list of jobs cannot be read")
}

/// Whether what cannot be read or written is damaged, which is said, or another trouble.
pub(super) fn pass_over(failure: Failure) -> Result<(), Failure> {
    match failure {
        Failure::Sqlite(error) => match damage::of(&error) {
            Some(what) => warn!("what is left of removed jobs stays in the file: {what}"),
            None => return Err(error.into()),
        },
        failure => return Err(failure),
    }
    Ok(())
}

/// Reads all.
pub(super) fn load(tx: &Connection, epoch: u64) -> Result<Loaded, Failure> {
    let mut jobs = whole(select_jobs(tx), "its list of jobs cannot be read")?;
    for job in &mut jobs {
        fill_in(tx, job)?;
    }
    add_beside(tx, &mut jobs)?;
    Ok(Loaded { epoch, jobs })
}

/// Reads one job, as [`load`] does.
pub(super) fn load_one(tx: &Connection, id: JobId) -> Result<StoredJob, Failure> {
    let mut job = select_job(tx, id)?.ok_or(StoreError::NoSuchJob(id))?;
    fill_in(tx, &mut job)?;
    add_beside(tx, std::slice::from_mut(&mut job))?;
    Ok(job)
}

/// Adds what jobs have in tables beside theirs. Where one of these is damaged it says nothing.
fn add_beside(tx: &Connection, jobs: &mut [StoredJob]) -> Result<(), Failure> {
    let appended = add_number(tx, "SELECT job, at_ms FROM appended", jobs, |job, at_ms| {
        job.appended_at_ms = at_ms;
    });
    let audited = add_number(tx, "SELECT job, tasks FROM audited", jobs, |job, tasks| {
        job.audited = tasks;
    });
    for added in [appended, audited] {
        match added {
            Err(Failure::Sqlite(error)) if damage::of(&error).is_some() => {}
            done => done?,
        }
    }
    Ok(())
}

/// Adds what a job has beside its row, and what is wrong with that.
fn fill_in(tx: &Connection, job: &mut StoredJob) -> Result<(), Failure> {
    if let Some(what) = trouble_with_rest(tx, job)? {
        job.trouble.get_or_insert(what);
    }
    Ok(())
}

/// What concerns the file as a whole, where it cannot be read.
fn whole<T>(read: Result<T, Failure>, part: &str) -> Result<T, Failure> {
    read.map_err(|failure| match failure {
        Failure::Sqlite(error) => match damage::of(&error) {
            Some(what) => Failure::Unusable(format!("{part}: {what}")),
            None => Failure::Sqlite(error),
        },
        failure => failure,
    })
}

fn check_tables(tx: &Transaction<'_>) -> Result<(), Failure> {
    for name in TABLES {
        let table = "SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = ?1";
        if !tx.prepare(table)?.exists([name])? {
            return Err(Failure::Unusable(format!("its table `{name}` is missing")));
        }
    }
    Ok(())
}

/// The epoch before it was raised.
fn raise_epoch(tx: &Transaction<'_>) -> Result<u64, Failure> {
    let raise = "UPDATE meta SET epoch = epoch + 1 WHERE typeof(epoch) = 'integer'
        RETURNING epoch - 1";
    let raised = tx.query_row(raise, [], |row| row.get(0)).optional().map_err(Failure::from);
    let raised = whole(raised, "how often it was opened cannot be read (table `meta`)")?;
    let said = || "its table `meta` does not say how often it was opened".to_owned();
    raised.ok_or_else(|| Failure::Unusable(said()))
}

/// Every job but drafts, without what is recorded of it: row by row, so that one that is damaged does not
/// hide the others.
fn select_jobs(tx: &Connection) -> Result<Vec<StoredJob>, Failure> {
    let mut jobs = Vec::new();
    for id in select_ids(tx)? {
        match u64::try_from(id) {
            Ok(number) => jobs.extend(select_job(tx, JobId(number))?),
            Err(_) => {
                warn!("a row of the table `job` has the id {id}, which no job has: it is left");
            }
        }
    }
    Ok(jobs)
}

fn select_job(tx: &Connection, id: JobId) -> Result<Option<StoredJob>, Failure> {
    let mut statement = tx.prepare_cached(
        "SELECT id, name, op, priority, grid, submitted_at_ms, total, is_open, state, block,
                checks
         FROM job WHERE id = ?1 AND state IS NOT 'draft'",
    )?;
    match statement.query_row([int(id.0)], |row| Ok(read_job(row, id))).optional() {
        Ok(found) => Ok(found),
        Err(error) => match damage::of(&error) {
            Some(what) => Ok(Some(lost_job(tx, id, &what))),
            None => Err(error.into()),
        },
    }
}

/// A job whose row cannot be read to its end: its name may be, which is at the beginning.
fn lost_job(tx: &Connection, id: JobId, what: &str) -> StoredJob {
    let name = "SELECT name FROM job WHERE id = ?1";
    let name = tx.query_row(name, [int(id.0)], |row| row.get(0)).unwrap_or_default();
    let (op, priority, submitted_at_ms) = (OpId::new("unknown"), 0, 0);
    let job =
        NewJob { name, op, priority, grid: None, block: 1, check: Check::Auto, submitted_at_ms };
    let trouble = Some(format!("{ROW} cannot be read: {what}"));
    StoredJob { state: JobState::Paused, trouble, ..StoredJob::new(id, job, 0, false) }
}

/// A job as far as it can be read: what cannot be is as if nothing was said, and its trouble.
fn read_job(row: &Row<'_>, id: JobId) -> StoredJob {
    let mut fields = Fields { row, trouble: None };
    let name = fields.get(1, "name").unwrap_or_default();
    let op = fields.read(2, "op", |name: String| {
        let op = OpId::new(&name);
        // A kernel is known from now on.
        op.adopt();
        Ok(op)
    });
    let priority = fields.get(3, "priority").unwrap_or_default();
    let submitted_at_ms = fields.get(5, "submitted_at_ms").unwrap_or_default();
    let total = fields.read(6, "total", |total: u64| match total {
        0..=JOB_TASKS_MAX => Ok(total),
        _ => Err(format!("{total} tasks are more than a job has")),
    });
    let total = total.unwrap_or_default();
    let grid = fields.read(4, "grid", |json: Option<String>| {
        let Some(json) = json else { return Ok(None) };
        let grid: Grid =
            serde_json::from_str(&json).map_err(|error| format!("it is no grid ({error})"))?;
        if grid.total() != total {
            return Err(format!("it has {} tasks, and the job {total}", grid.total()));
        }
        if let Some(op) = op.as_ref().and_then(OpId::known) {
            grid.check(op.params()).map_err(|error| error.to_string())?;
        }
        Ok(Some(grid))
    });
    let block = fields.read(9, "block", |block: u64| match block.is_power_of_two() {
        true => Ok(block),
        false => Err(format!("{block} is no power of two")),
    });
    let check = fields.read(10, "checks", |name: String| name.parse::<Check>());
    let is_open = fields.get(7, "is_open").unwrap_or_default();
    let state = fields.read(8, "state", |name: String| {
        to_state(&name).ok_or_else(|| format!("{} is unknown to this tequio", quote(&name)))
    });
    let op = op.unwrap_or_else(|| OpId::new("unknown"));
    let (grid, block) = (grid.flatten(), block.unwrap_or(1));
    let check = check.unwrap_or_default();
    let job = NewJob { name, op, priority, grid, block, check, submitted_at_ms };
    StoredJob {
        state: state.unwrap_or(JobState::Paused),
        trouble: fields.trouble,
        ..StoredJob::new(id, job, total, is_open)
    }
}

/// The columns of a row, and what is wrong with the first that cannot be read.
struct Fields<'a> {
    row: &'a Row<'a>,
    trouble: Option<String>,
}

impl Fields<'_> {
    fn get<T: FromSql>(&mut self, at: usize, name: &str) -> Option<T> {
        self.read(at, name, Ok)
    }

    fn read<F: FromSql, T>(
        &mut self,
        at: usize,
        name: &str,
        read: impl FnOnce(F) -> Result<T, String>,
    ) -> Option<T> {
        let found = self
            .row
            .get(at)
            .map_err(|error| damage::of(&error).unwrap_or_else(|| error.to_string()));
        match found.and_then(read) {
            Ok(value) => Some(value),
            Err(said) => {
                self.trouble.get_or_insert_with(|| format!("its {name} cannot be read: {said}"));
                None
            }
        }
    }
}

/// Fills in what is recorded of a job, and says what is wrong with that, or with what it has of inputs.
fn trouble_with_rest(tx: &Connection, job: &mut StoredJob) -> Result<Option<String>, Failure> {
    let of_outcomes = match add_recorded(tx, job) {
        Err(Failure::Sqlite(error)) => match damage::of(&error) {
            Some(what) => Some(format!("what is recorded of it cannot be read: {what}")),
            None => return Err(error.into()),
        },
        done => done?,
    };
    if of_outcomes.is_some() || job.job.grid.is_some() || job.state.is_over() {
        return Ok(of_outcomes);
    }
    match select_inputs_end(tx, job.id) {
        Ok(end) if end == job.total => Ok(None),
        Ok(end) => Ok(Some(format!("it has {} tasks, and inputs of {end}", job.total))),
        Err(Failure::Sqlite(error)) => match damage::of(&error) {
            Some(what) => Ok(Some(format!("its inputs cannot be read: {what}"))),
            None => Err(error.into()),
        },
        Err(failure) => Err(failure),
    }
}

/// What [`StoredJob`] has of outcomes, and what is wrong with it. `INDEXED BY` fails, rather than be
/// slow, should the index ever lack what is read.
fn add_recorded(tx: &Connection, job: &mut StoredJob) -> Result<Option<String>, Failure> {
    let is_over = job.state.is_over();
    let (tasks, failed) = if is_over {
        let mut statement = tx.prepare_cached(
            "SELECT coalesce(sum(count), 0), coalesce(sum(failed), 0)
             FROM outcome INDEXED BY outcome_extent WHERE job = ?1",
        )?;
        statement.query_row([int(job.id.0)], |row| Ok((row.get(0)?, row.get(1)?)))?
    } else {
        match select_recorded(tx, job.id, job.total, &mut job.recorded)? {
            Ok(counts) => counts,
            Err(what) => {
                job.recorded.clear();
                return Ok(Some(what));
            }
        }
    };
    if failed > tasks || tasks > job.total {
        return Ok(Some(format!(
            "it has {} tasks, {tasks} outcomes are recorded, and {failed} of them are errors",
            job.total
        )));
    }
    job.failed = failed;
    job.done = tasks - failed;
    let lacks = job.state == JobState::Done && tasks < job.total;
    Ok(lacks.then(|| {
        format!("it is done, and {} of its {} outcomes are missing", job.total - tasks, job.total)
    }))
}

/// Has each job get its number of those that are selected.
fn add_number(
    tx: &Connection,
    select: &str,
    jobs: &mut [StoredJob],
    add: impl Fn(&mut StoredJob, u64),
) -> Result<(), Failure> {
    let mut statement = tx.prepare(select)?;
    let noted =
        statement.query_map([], |row| Ok((row.get::<_, u64>(0)?, row.get::<_, u64>(1)?)))?;
    let noted = noted.collect::<Result<BTreeMap<u64, u64>, _>>()?;
    for job in jobs {
        if let Some(number) = noted.get(&job.id.0) {
            add(job, *number);
        }
    }
    Ok(())
}
