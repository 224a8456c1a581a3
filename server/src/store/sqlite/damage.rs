//! What is wrong with a file that cannot be read, in our words, and whose fault it is: one row's, or the
//! whole file's.

use super::rows::int;
use super::transaction::Failure;
use crate::store::StoreError;
use rusqlite::{Connection, Error, ErrorCode, OptionalExtension, ffi};
use std::ops::Range;
use std::path::Path;
use tequio_protocol::ids::JobId;

/// What to do about a file of which no part can be told to be whole.
const REPAIR: &str = "put back a copy of the file, or save what can be with \
    `sqlite3 FILE .recover | sqlite3 NEW`, or choose another folder with --data";

/// What is wrong with what `error` was about; `None` where that may be whole, and it was the disk that
/// failed, or was full, or somebody had it locked.
pub(super) fn of(error: &Error) -> Option<String> {
    Some(match error {
        Error::SqliteFailure(code, said) => match code.code {
            ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase => {
                format!("a page of the file is damaged (SQLite error {})", code.extended_code)
            }
            _ if code.extended_code == ffi::SQLITE_CONSTRAINT_UNIQUE => {
                "a row of it is there that an index does not list".to_owned()
            }
            _ if code.extended_code == ffi::SQLITE_ERROR => lost(said.as_deref()?)?,
            _ => return None,
        },
        Error::SqlInputError { msg, .. } => lost(msg)?,
        Error::InvalidColumnType(_, name, found) => {
            format!("`{name}` has a value of the wrong kind ({found})")
        }
        Error::IntegralValueOutOfRange(_, value) => format!("a number is out of range ({value})"),
        Error::FromSqlConversionFailure(_, found, _) => {
            format!("a value is of the wrong kind ({found})")
        }
        Error::Utf8Error(..) => "a text is no UTF-8".to_owned(),
        _ => return None,
    })
}

/// What is wrong with a file that lacks what a statement names; `None` for other faults of a statement.
fn lost(said: &str) -> Option<String> {
    let is_lost = said.starts_with("no such ") || said.contains("has no column");
    let is_nonsense = said.starts_with("integer overflow");
    (is_lost || is_nonsense).then(|| format!("a part of the file is not what it was ({said})"))
}

/// Says of what a job has that it is damaged, where that is so.
pub(super) fn of_job<T>(job: JobId, part: &str, done: Result<T, Failure>) -> Result<T, Failure> {
    done.map_err(|failure| match failure {
        Failure::Sqlite(error) => match of(&error) {
            Some(what) => damaged(job, format!("{part} cannot be read: {what}")),
            None => Failure::Sqlite(error),
        },
        failure => failure,
    })
}

/// A part of a job that cannot be read.
pub(super) fn damaged(job: JobId, what: String) -> Failure {
    Failure::Store(StoreError::Damaged { job, name: String::new(), what, outcomes: None })
}

/// A row of outcomes that is not what was written, by its tasks.
pub(super) fn of_outcomes(job: JobId, tasks: Range<u64>, said: &str) -> Failure {
    let what = of_row("the outcomes", &tasks, said);
    let (name, outcomes) = (String::new(), Some(tasks));
    Failure::Store(StoreError::Damaged { job, name, what, outcomes })
}

/// A row names itself by its tasks.
pub(super) fn of_row(what: &str, tasks: &Range<u64>, said: &str) -> String {
    format!("{what} of tasks {}..{} cannot be read: {said}", tasks.start, tasks.end)
}

/// Names the job as well, if its name can be read.
pub(super) fn with_name(connection: &Connection, failure: Failure) -> Failure {
    let Failure::Store(StoreError::Damaged { job, what, outcomes, .. }) = failure else {
        return failure;
    };
    let select = || {
        let mut statement = connection.prepare_cached("SELECT name FROM job WHERE id = ?1")?;
        statement.query_row([int(job.0)], |row| row.get(0)).optional()
    };
    let name = select().ok().flatten().unwrap_or_default();
    Failure::Store(StoreError::Damaged { job, name, what, outcomes })
}

/// A file that no server can start with.
pub(super) fn unusable(path: &Path, what: &str) -> StoreError {
    StoreError::Unusable(format!("{} is damaged: {what}; {REPAIR}", path.display()))
}
