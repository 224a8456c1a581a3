//! Taking over a file of format 1: rows get checksums, errors a column of their own, and jobs the size of their
//! blocks. That is one transaction: where it is interrupted the file is as it was, and is taken over at the next
//! start.
//!
//! Rows stay where they are, so that the file does not grow; the log beside it has all of it for a while.

use super::inputs::{checksum_of_inputs, checksum_of_lines};
use super::open::{AUDITED, FORMAT, LATER};
use super::transaction::{Failure, commit};
use super::{damage, kernels, outcome_row};
use crate::store::StoreError;
use rusqlite::{Connection, Transaction};
use std::path::Path;
use tracing::info;

/// What rows and jobs get.
const COLUMNS: &str = "
    ALTER TABLE job ADD COLUMN block INTEGER NOT NULL DEFAULT 1;
    ALTER TABLE job ADD COLUMN checks TEXT NOT NULL DEFAULT 'auto';
    ALTER TABLE input ADD COLUMN checksum INTEGER NOT NULL DEFAULT -1;
    ALTER TABLE outcome ADD COLUMN errors TEXT;
    ALTER TABLE outcome ADD COLUMN checksum INTEGER NOT NULL DEFAULT -1;
";

pub(super) fn take_over(writer: &mut Connection, path: &Path) -> Result<(), Failure> {
    let rows = commit(writer, take_over_all).map_err(|failure| match failure.explain(path) {
        StoreError::Unavailable(said) => Failure::Store(StoreError::Unavailable(format!(
            "{said}; it is of format 1 still, and to take it over needs as much room again as it has"
        ))),
        error => Failure::Store(error),
    })?;
    let path = path.display();
    info!("{path} was of format 1 and is of format {FORMAT} now: {rows} rows have checksums");
    Ok(())
}

/// Gives how many rows there were.
fn take_over_all(tx: &Transaction<'_>) -> Result<usize, Failure> {
    // It may have been made before it was needed, and then lacks its new column.
    let lines = "SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = 'input_line'";
    if tx.prepare(lines)?.exists([])? {
        tx.execute_batch("ALTER TABLE input_line ADD COLUMN checksum INTEGER NOT NULL DEFAULT -1")?;
    }
    tx.execute_batch(LATER)?;
    tx.execute_batch(kernels::TABLES)?;
    tx.execute_batch(AUDITED)?;
    tx.execute_batch(COLUMNS)?;
    let mut rows = 0;
    rows += take_over_rows(tx, "input", take_over_inputs)?;
    rows += take_over_rows(tx, "input_line", take_over_lines)?;
    rows += take_over_rows(tx, "outcome", outcome_row::take_over)?;
    tx.pragma_update(None, "user_version", FORMAT)?;
    Ok(rows)
}

/// Takes over each row of a table. One that is damaged stays as it is, without a checksum: whoever reads it hears
/// of it.
fn take_over_rows(
    tx: &Transaction<'_>,
    table: &str,
    take_over: impl Fn(&Transaction<'_>, i64) -> Result<(), Failure>,
) -> Result<usize, Failure> {
    let rowids = select_rowids(tx, table)?;
    for rowid in &rowids {
        match take_over(tx, *rowid) {
            // The index lists a row that is not there.
            Err(Failure::Sqlite(rusqlite::Error::QueryReturnedNoRows)) => {}
            Err(Failure::Sqlite(error)) if damage::of(&error).is_some() => {}
            done => done?,
        }
    }
    Ok(rowids.len())
}

/// The numbers of a table's rows: of its index, which is small; of the table, where that is damaged.
fn select_rowids(tx: &Transaction<'_>, table: &str) -> Result<Vec<i64>, Failure> {
    let select = |how: &str| -> Result<Vec<i64>, rusqlite::Error> {
        let mut select = tx.prepare(&format!("SELECT rowid FROM {table} {how}"))?;
        select.query_map([], |row| row.get(0))?.collect()
    };
    let rowids = select(&format!("INDEXED BY sqlite_autoindex_{table}_1"));
    Ok(rowids.or_else(|_| select("NOT INDEXED"))?)
}

fn take_over_inputs(tx: &Transaction<'_>, rowid: i64) -> Result<(), Failure> {
    let mut select =
        tx.prepare_cached("SELECT job, first, count, inputs FROM input WHERE rowid = ?1")?;
    let checksum = select.query_row([rowid], |row| {
        let json = row.get_ref(3)?.as_str()?;
        Ok(checksum_of_inputs(row.get(0)?, row.get(1)?, row.get(2)?, json))
    })?;
    let mut update = tx.prepare_cached("UPDATE input SET checksum = ?2 WHERE rowid = ?1")?;
    update.execute([rowid, checksum])?;
    Ok(())
}

fn take_over_lines(tx: &Transaction<'_>, rowid: i64) -> Result<(), Failure> {
    let mut select =
        tx.prepare_cached("SELECT job, first, lines FROM input_line WHERE rowid = ?1")?;
    let checksum = select.query_row([rowid], |row| {
        Ok(checksum_of_lines(row.get(0)?, row.get(1)?, row.get_ref(2)?.as_str()?))
    })?;
    let mut update = tx.prepare_cached("UPDATE input_line SET checksum = ?2 WHERE rowid = ?1")?;
    update.execute([rowid, checksum])?;
    Ok(())
}
