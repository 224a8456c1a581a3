//! Doing a change whole or not at all, and why one failed.

use super::damage;
use crate::store::StoreError;
use rusqlite::{Connection, Transaction, TransactionBehavior};
use std::fmt;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Whoever panicked with the lock held had its transaction rolled back as it unwound, so that it
/// does not lose the store.
pub(super) fn lock(connection: &Mutex<Connection>) -> MutexGuard<'_, Connection> {
    connection.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Does `change` in a transaction. One that fails is rolled back: by SQLite itself on some errors
/// (a full disk, mostly), else when the [`Transaction`] is dropped, be it that its commit failed.
///
/// Nothing of a failed commit is left to be synced later: the next one writes the log again from
/// where the last good one ended. After a crash in between, a change whose commit erred may yet be
/// found whole in the log.
pub(super) fn commit<T>(
    connection: &mut Connection,
    change: impl FnOnce(&Transaction<'_>) -> Result<T, Failure>,
) -> Result<T, Failure> {
    if !connection.is_autocommit() {
        // A roll-back failed too, on a disk that did nothing at all; now it may.
        connection.execute_batch("ROLLBACK")?;
    }
    // Immediate: waits for other writers here, where waiting helps, not at the first change.
    let tx = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let value = change(&tx)?;
    tx.commit()?;
    Ok(value)
}

/// Why something failed, before it is known of which file.
pub(super) enum Failure {
    Sqlite(rusqlite::Error),
    Store(StoreError),
    /// What this disk or system lacks, or what could not be written.
    Unreadable(String),
    /// What is wrong with the file, such that nothing can be done with it.
    Unusable(String),
}

impl Failure {
    pub(super) fn explain(self, path: &Path) -> StoreError {
        match self {
            Failure::Store(error) => error,
            Failure::Unreadable(said) => io(path, said),
            Failure::Unusable(what) => damage::unusable(path, &what),
            Failure::Sqlite(error) if let Some(what) = damage::of(&error) => {
                damage::unusable(path, &what)
            }
            Failure::Sqlite(error) => match error.sqlite_error() {
                // The code is what a search for help finds; "disk I/O error" says little.
                Some(code) => io(path, format!("{error} (SQLite error {})", code.extended_code)),
                None => io(path, error),
            },
        }
    }
}

impl From<rusqlite::Error> for Failure {
    fn from(error: rusqlite::Error) -> Failure {
        Failure::Sqlite(error)
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Failure {
        Failure::Store(error)
    }
}

pub(in crate::store) fn io(path: &Path, said: impl fmt::Display) -> StoreError {
    StoreError::Unavailable(format!("{}: {said}", path.display()))
}
