//! Kernels, and the bytes of modules and data, by their hashes.

use super::rows::int;
use super::transaction::Failure;
use crate::store::{StoreError, StoredKernel};
use rusqlite::{Connection, OptionalExtension, Row, Transaction, params};
use tequio_protocol::op::kernel::Sha256;

/// The tables that files of format 2 got once they could keep kernels. An older tequio does not look at them.
pub(super) const TABLES: &str = "
    CREATE TABLE IF NOT EXISTS kernel (
        sha256 TEXT PRIMARY KEY,
        name TEXT NOT NULL UNIQUE,
        about TEXT NOT NULL,
        added_at_ms INTEGER NOT NULL
    ) STRICT;
    CREATE TABLE IF NOT EXISTS blob (sha256 TEXT PRIMARY KEY, bytes BLOB NOT NULL) STRICT;
";

pub(super) fn insert_kernel(
    tx: &Transaction<'_>,
    kernel: &StoredKernel,
    module: &[u8],
) -> Result<(), Failure> {
    let StoredKernel { sha256, name, about, added_at_ms } = kernel;
    let other = "SELECT sha256 FROM kernel WHERE name = ?1 AND sha256 IS NOT ?2";
    let other = tx.prepare_cached(other)?.query_row([name, sha256.as_str()], |row| row.get(0));
    if let Some(by) = other.optional()? {
        return Err(StoreError::NameTaken { name: name.clone(), by }.into());
    }
    let insert = "INSERT INTO kernel (sha256, name, about, added_at_ms) VALUES (?1, ?2, ?3, ?4)
        ON CONFLICT (sha256) DO NOTHING";
    let row = params![sha256.as_str(), name, about, int(*added_at_ms)];
    tx.prepare_cached(insert)?.execute(row)?;
    insert_blob(tx, sha256, module)
}

pub(super) fn insert_blob(
    tx: &Transaction<'_>,
    sha256: &Sha256,
    bytes: &[u8],
) -> Result<(), Failure> {
    let insert = "INSERT INTO blob (sha256, bytes) VALUES (?1, ?2) ON CONFLICT DO NOTHING";
    tx.prepare_cached(insert)?.execute(params![sha256.as_str(), bytes])?;
    Ok(())
}

pub(super) fn select_kernels(connection: &Connection) -> Result<Vec<StoredKernel>, Failure> {
    let select = "SELECT sha256, name, about, added_at_ms FROM kernel ORDER BY added_at_ms, rowid";
    let mut statement = connection.prepare_cached(select)?;
    let read = |row: &Row<'_>| {
        Ok((row.get::<_, String>(0)?, row.get(1)?, row.get(2)?, row.get::<_, i64>(3)?))
    };
    let rows = statement.query_map([], read)?;
    rows.map(|row| {
        let (sha256, name, about, added_at_ms) = row?;
        let sha256 = sha256.parse().map_err(|error| {
            Failure::Unreadable(format!("the hash of the kernel {name} cannot be read: {error}"))
        })?;
        let added_at_ms = u64::try_from(added_at_ms).unwrap_or_default();
        Ok(StoredKernel { sha256, name, about, added_at_ms })
    })
    .collect()
}

pub(super) fn select_blob(
    connection: &Connection,
    sha256: &Sha256,
) -> Result<Option<Vec<u8>>, Failure> {
    let select = "SELECT bytes FROM blob WHERE sha256 = ?1";
    let bytes = connection.prepare_cached(select)?.query_row([sha256.as_str()], |row| row.get(0));
    Ok(bytes.optional()?)
}

pub(super) fn delete_kernel(tx: &Transaction<'_>, sha256: &Sha256) -> Result<(), Failure> {
    let of_jobs = "SELECT count(*), min(id) FROM job WHERE op GLOB 'kernel:' || ?1 || '*'";
    let read = |row: &Row<'_>| Ok((row.get::<_, u64>(0)?, row.get::<_, Option<u64>>(1)?));
    let (jobs, first) = tx.prepare_cached(of_jobs)?.query_row([sha256.as_str()], read)?;
    if jobs > 0 {
        let first = first.unwrap_or_default();
        return Err(StoreError::KernelInUse { sha256: sha256.clone(), jobs, first }.into());
    }
    let delete = "DELETE FROM kernel WHERE sha256 = ?1";
    if tx.prepare_cached(delete)?.execute([sha256.as_str()])? == 0 {
        return Err(StoreError::NoSuchKernel(sha256.clone()).into());
    }
    tx.prepare_cached("DELETE FROM blob WHERE sha256 = ?1")?.execute([sha256.as_str()])?;
    Ok(())
}

/// Removes data that no job is computed of any more.
pub(super) fn delete_unused_data(tx: &Transaction<'_>) -> Result<(), Failure> {
    let delete = "DELETE FROM blob WHERE sha256 NOT IN (SELECT sha256 FROM kernel)
        AND NOT EXISTS (SELECT 1 FROM job WHERE op GLOB 'kernel:*+' || blob.sha256 || ':*')";
    tx.execute(delete, [])?;
    Ok(())
}
