//! Opening the file: its format, its tables, and the connections that are kept.

use super::transaction::{Failure, commit, io};
use super::{Options, PAGE_BYTES, kernels, take_over};
use crate::store::StoreError;
use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, OpenFlags, Row, Transaction};
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The file's format, its `user_version`. One more wherever an older tequio would misread it.
pub(super) const FORMAT: i64 = 2;

/// Marks the file as ours (`PRAGMA application_id`): "Tequ".
const APPLICATION_ID: i64 = 0x5465_7175;

/// How long a call waits for somebody else's lock on the file: a person with a `sqlite3` shell,
/// since servers exclude each other.
const BUSY_TIMEOUT: Duration = Duration::from_secs(10);

/// What a connection that reads keeps of the file in memory: rows are long, and mostly read once.
const READER_CACHE_KIB: i64 = 512;

/// The statements that a connection keeps prepared: more than there are in this file.
const STATEMENTS_MAX: usize = 64;

/// The write-ahead log is cut to this after a checkpoint; one huge commit must not hold its space
/// for ever.
const WAL_BYTES_MAX: i64 = 64 * 1024 * 1024;

/// What SQLite takes for no limit: the most pages that any file of its may have.
const PAGES_MAX: u32 = 0xffff_fffe;

/// `outcome_extent` has all that `Store::load` reads of outcomes, so that it need not touch the
/// pages of the outcomes themselves.
///
/// `outcomes` is an array with `null` where a task failed, and `errors` an object of what those said, by
/// their places in the row. `lines` is `[[index,line],...]`, each of which holds from its index on to the
/// next, one line an input. No row fits the checksum -1, which is what a row gets that says none.
///
/// Columns come in the order in which format 1 got them, see `take_over`.
const SCHEMA: &str = "
    CREATE TABLE meta (epoch INTEGER NOT NULL) STRICT;
    INSERT INTO meta (epoch) VALUES (0);

    CREATE TABLE job (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        name TEXT NOT NULL,
        op TEXT NOT NULL,
        priority INTEGER NOT NULL,
        grid TEXT,
        total INTEGER NOT NULL,
        is_open INTEGER NOT NULL CHECK (is_open IN (0, 1)),
        state TEXT NOT NULL
            CHECK (state IN ('draft', 'running', 'paused', 'done', 'cancelled')),
        submitted_at_ms INTEGER NOT NULL,
        block INTEGER NOT NULL DEFAULT 1,
        checks TEXT NOT NULL DEFAULT 'auto'
    ) STRICT;

    CREATE TABLE input (
        job INTEGER NOT NULL REFERENCES job (id),
        first INTEGER NOT NULL CHECK (first >= 0),
        count INTEGER NOT NULL CHECK (count > 0),
        inputs TEXT NOT NULL,
        checksum INTEGER NOT NULL DEFAULT -1,
        UNIQUE (job, first)
    ) STRICT;

    CREATE TABLE outcome (
        job INTEGER NOT NULL REFERENCES job (id),
        first INTEGER NOT NULL CHECK (first >= 0),
        count INTEGER NOT NULL CHECK (count > 0),
        failed INTEGER NOT NULL CHECK (failed BETWEEN 0 AND count),
        duration_ms REAL,
        worker INTEGER NOT NULL,
        agent TEXT NOT NULL,
        recorded_at_ms INTEGER NOT NULL,
        outcomes TEXT NOT NULL,
        errors TEXT,
        checksum INTEGER NOT NULL DEFAULT -1,
        UNIQUE (job, first)
    ) STRICT;
    CREATE INDEX outcome_extent ON outcome (job, first, count, failed);
";

/// The tables that files of format 1 got when they were needed: which lines inputs come from, and when jobs
/// were last appended to, of those that were open for long. The first has two indices as `outcome` has, so that
/// one tells what the other hides.
pub(super) const LATER: &str = "
    CREATE TABLE IF NOT EXISTS input_line (
        job INTEGER NOT NULL,
        first INTEGER NOT NULL CHECK (first >= 0),
        lines TEXT NOT NULL,
        checksum INTEGER NOT NULL DEFAULT -1,
        UNIQUE (job, first)
    ) STRICT;
    CREATE INDEX IF NOT EXISTS input_line_first ON input_line (job, first);
    CREATE TABLE IF NOT EXISTS appended (job INTEGER PRIMARY KEY, at_ms INTEGER NOT NULL) STRICT;
";

/// What files of format 2 got since: how many tasks of a job the server has computed itself. It is no column of
/// `job`, whose rows may be long, and each change writes a row whole.
pub(super) const AUDITED: &str = "
    CREATE TABLE IF NOT EXISTS audited (job INTEGER PRIMARY KEY, tasks INTEGER NOT NULL) STRICT;
";

/// The column that says how a job is checked, which the first files of format 2 lack. An older tequio reads the
/// others by their names.
const CHECKS: &str = "ALTER TABLE job ADD COLUMN checks TEXT NOT NULL DEFAULT 'auto'";

/// Makes `dir` and the parents that it lacks, each of them durably.
pub(super) fn create_folder(dir: &Path) -> Result<(), StoreError> {
    let lacking: Vec<&Path> = dir.ancestors().take_while(|path| !path.exists()).collect();
    fs::create_dir_all(dir).map_err(|error| io(dir, error))?;
    // A folder's name is in its parent, and after a power cut is there only if that was synced.
    // Not every system can (Windows opens no folder), and none needs it to go on.
    for parent in lacking.iter().filter_map(|path| path.parent()) {
        let parent = if parent.as_os_str().is_empty() { Path::new(".") } else { parent };
        let _ = File::open(parent).and_then(|folder| folder.sync_all());
    }
    Ok(())
}

/// A file that SQLite keeps beside a database, under its name and this ending.
pub(super) fn beside(path: &Path, end: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(end);
    name.into()
}

pub(super) fn open_writer(path: &Path, options: &Options) -> Result<Connection, Failure> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
        | OpenFlags::SQLITE_OPEN_CREATE
        | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut writer = Connection::open_with_flags(path, flags)?;
    set_up(&writer)?;
    // Before anything is written: what is not ours stays as it is.
    let found = check_format(&writer, path)?;
    if found == Format::None {
        writer.pragma_update(None, "page_size", PAGE_BYTES)?;
    }
    let mode: String =
        writer.pragma_update_and_check(None, "journal_mode", "WAL", |row| row.get(0))?;
    if mode != "wal" {
        let said = format!("this disk allows no write-ahead log (SQLite keeps to {mode:?})");
        return Err(Failure::Unreadable(said));
    }
    writer.pragma_update(None, "synchronous", "FULL")?;
    writer.pragma_update(None, "foreign_keys", true)?;
    writer.pragma_update_and_check(None, "journal_size_limit", WAL_BYTES_MAX, |_| Ok(()))?;
    limit_pages(&writer, options.max_pages)?;
    match found {
        Format::None => commit(&mut writer, create_tables)?,
        Format::First => take_over::take_over(&mut writer, path)?,
        Format::Current => commit(&mut writer, add_later)?,
    }
    open_log(&writer)?;
    Ok(writer)
}

/// Has SQLite open its log: it does so with the first query, by its name, which may be another file's
/// by then. When the connection is closed the log stays, until the drop of `SqliteStore` says otherwise.
fn open_log(connection: &Connection) -> Result<(), Failure> {
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
    select_format(connection)?;
    Ok(())
}

pub(super) fn open_reader(path: &Path) -> Result<Connection, Failure> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let reader = Connection::open_with_flags(path, flags)?;
    set_up(&reader)?;
    reader.pragma_update(None, "cache_size", -READER_CACHE_KIB)?;
    open_log(&reader)?;
    Ok(reader)
}

fn set_up(connection: &Connection) -> Result<(), Failure> {
    connection.busy_timeout(BUSY_TIMEOUT)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS_MAX);
    Ok(())
}

/// What a file is that this version can open.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Format {
    /// A new one, without a table.
    None,
    /// 1, which is taken over.
    First,
    /// [`FORMAT`].
    Current,
}

/// What the file is; errs where it is none of ours.
fn check_format(connection: &Connection, path: &Path) -> Result<Format, Failure> {
    let foreign = || Failure::Store(StoreError::Foreign(path.display().to_string()));
    let (application_id, found, tables) = select_format(connection).map_err(|error| {
        let is_database = error.sqlite_error_code() != Some(ErrorCode::NotADatabase);
        if is_database { error.into() } else { foreign() }
    })?;
    match (application_id, found) {
        (0, 0) if tables == 0 => Ok(Format::None),
        (APPLICATION_ID, 1) => Ok(Format::First),
        (APPLICATION_ID, FORMAT) => Ok(Format::Current),
        (APPLICATION_ID, found) if found > FORMAT => {
            let path = path.display().to_string();
            Err(StoreError::Newer { path, found, known: FORMAT }.into())
        }
        _ => Err(foreign()),
    }
}

fn select_format(connection: &Connection) -> Result<(i64, i64, i64), rusqlite::Error> {
    connection.query_row(
        "SELECT application_id, user_version, (SELECT count(*) FROM sqlite_schema)
         FROM pragma_application_id, pragma_user_version",
        [],
        |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)),
    )
}

/// What a file of format 2 lacks that was written before there was such a thing.
fn add_later(tx: &Transaction<'_>) -> Result<(), Failure> {
    tx.execute_batch(kernels::TABLES)?;
    tx.execute_batch(AUDITED)?;
    // A file without the table is refused when it is loaded.
    let columns = "SELECT count(*), count(*) FILTER (WHERE name = 'checks')
        FROM pragma_table_info('job')";
    let read = |row: &Row<'_>| Ok((row.get::<_, u64>(0)?, row.get::<_, u64>(1)?));
    let (columns, checks) = tx.query_row(columns, [], read)?;
    if columns > 0 && checks == 0 {
        tx.execute_batch(CHECKS)?;
    }
    Ok(())
}

/// In one transaction with what marks the file as ours, so that it is a store or an empty file.
fn create_tables(tx: &Transaction<'_>) -> Result<(), Failure> {
    tx.execute_batch(SCHEMA)?;
    tx.execute_batch(LATER)?;
    tx.execute_batch(kernels::TABLES)?;
    tx.execute_batch(AUDITED)?;
    tx.pragma_update(None, "application_id", APPLICATION_ID)?;
    tx.pragma_update(None, "user_version", FORMAT)?;
    Ok(())
}

pub(super) fn limit_pages(connection: &Connection, max_pages: Option<u32>) -> Result<(), Failure> {
    // 0 would ask for the limit, not set it.
    let pages = max_pages.unwrap_or(PAGES_MAX).clamp(1, PAGES_MAX);
    connection.pragma_update_and_check(None, "max_page_count", pages, |_| Ok(()))?;
    Ok(())
}
