//! A store in one SQLite file. Every SQL statement of the server is here.
//!
//! One connection writes, one reads the inputs that leases need, and a few read for everybody else; with
//! a write-ahead log (WAL) none of these kinds waits for another. A commit is one `fsync` of the log
//! (`synchronous=FULL`).
//!
//! Whoever opens the file with the `sqlite3` shell finds one row a recorded interval:
//!
//! ```sql
//! SELECT first + each.key AS task, each.value AS outcome
//! FROM outcome, json_each(outcome.outcomes) AS each WHERE job = 1 ORDER BY task;
//! ```

mod damage;
mod load;
mod pool;

use super::exclusion::{Exclusion, FILE_NAME, LOCK_NAME};
use super::identity::Identity;
use super::{
    Around, Loaded, NewJob, Recording, Run, Sample, Sampling, Store, StoreError, jumps, runs_within,
};
use pool::Pool;
use rusqlite::config::DbConfig;
use rusqlite::{
    CachedStatement, Connection, ErrorCode, OpenFlags, OptionalExtension, Row, Transaction,
    TransactionBehavior, params,
};
use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, SeqAccess, Visitor};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::fs::{self, File};
use std::iter::Peekable;
use std::marker::PhantomData;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tequio_protocol::api::JobState;
use tequio_protocol::grid::Grid;
use tequio_protocol::ids::JobId;
use tequio_protocol::inputs;
use tequio_protocol::limits::{REMOVED_ROWS_MAX, STORE_READERS};
use tequio_protocol::op::RepeatMultiply;
use tequio_protocol::outcome::Outcome;
use tequio_protocol::reader::LineRun;

/// The bytes of one page: what [`Options::max_pages`] counts.
pub const PAGE_BYTES: u32 = 4096;

/// The file's format, its `user_version`. One more wherever an older tequio would misread it.
const FORMAT: i64 = 1;

/// Marks the file as ours (`PRAGMA application_id`): "Tequ".
const APPLICATION_ID: i64 = 0x5465_7175;

/// Inputs of one row. A row is parsed whole, so it is a small part of what a lease takes; and not
/// one input, since a row's own cost is several of them.
const BLOCK_INPUTS_MAX: usize = 1024;

/// How long a call waits for somebody else's lock on the file: a person with a `sqlite3` shell,
/// since servers exclude each other.
const BUSY_TIMEOUT: Duration = Duration::from_secs(10);

/// What a connection that reads keeps of the file in memory: rows are long, and mostly read once.
const READER_CACHE_KIB: i64 = 512;

/// What the list of jobs has of one, as sentences name it.
const ROW: &str = "what the list of jobs says of it";

/// The statements that a connection keeps prepared: more than there are in this file.
const STATEMENTS_MAX: usize = 64;

/// The write-ahead log is cut to this after a checkpoint; one huge commit must not hold its space
/// for ever.
const WAL_BYTES_MAX: i64 = 64 * 1024 * 1024;

/// What SQLite takes for no limit: the most pages that any file of its may have.
const PAGES_MAX: u32 = 0xffff_fffe;

/// From which lines inputs come: rows of `[[index,line],...]`, each of which holds from its index on to
/// the next, one line an input. A table of its own, which files of before lack until it is needed: an
/// older tequio does not miss it, and opening a file writes nothing.
const LINES: &str = "
    CREATE TABLE IF NOT EXISTS input_line (
        job INTEGER NOT NULL,
        first INTEGER NOT NULL CHECK (first >= 0),
        lines TEXT NOT NULL,
        UNIQUE (job, first)
    ) STRICT;
";

/// When jobs were last appended to, of those that were open for long. A table of its own, made when
/// it is needed: an older tequio does not miss it, and opening a file on a full disk writes nothing.
const APPENDED: &str = "
    CREATE TABLE IF NOT EXISTS appended (job INTEGER PRIMARY KEY, at_ms INTEGER NOT NULL) STRICT;
";

/// `outcome_extent` has all that [`Store::load`] reads of outcomes, so that it need not touch the
/// pages of the outcomes themselves.
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
        submitted_at_ms INTEGER NOT NULL
    ) STRICT;

    CREATE TABLE input (
        job INTEGER NOT NULL REFERENCES job (id),
        first INTEGER NOT NULL CHECK (first >= 0),
        count INTEGER NOT NULL CHECK (count > 0),
        inputs TEXT NOT NULL,
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
        UNIQUE (job, first)
    ) STRICT;
    CREATE INDEX outcome_extent ON outcome (job, first, count, failed);
";

/// A store in one folder, which no other process opens meanwhile.
#[derive(Debug)]
pub struct SqliteStore {
    path: PathBuf,
    // In the order in which they are dropped: the writer last of the connections, since it tidies
    // the log away, and the lock behind all.
    readers: Pool,
    /// Whoever reads results does not keep workers from their inputs.
    inputs: Mutex<Connection>,
    writer: Mutex<Connection>,
    /// The database and the lock: what makes the folder this server's.
    own: Identity,
    /// What SQLite keeps beside the database while it is open.
    log: Identity,
    /// Jobs that were set aside when the store was loaded, or since: nothing is added to them, and they may be
    /// removed whatever their state is.
    aside: Mutex<BTreeSet<JobId>>,
    _exclusion: Exclusion,
}

/// How a store is opened.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// The pages of [`PAGE_BYTES`] that the file may grow to (a file that has more already keeps
    /// them), or `None` for no limit. What would exceed it errs with [`StoreError::Io`], as on a
    /// full disk. The log beside the file, mostly some megabytes, does not count.
    pub max_pages: Option<u32>,
}

impl SqliteStore {
    /// Opens the store in `dir` without a limit to its size; makes the folder, its parents and an
    /// empty store where there is none.
    ///
    /// Errs with [`StoreError::Locked`] while another has it open, with [`StoreError::Newer`] or
    /// [`StoreError::Foreign`] where the file is not for this version, whose
    /// contents then stay as they were, and with [`StoreError::Io`].
    pub fn open(dir: &Path) -> Result<SqliteStore, StoreError> {
        SqliteStore::open_with(dir, &Options::default())
    }

    /// Opens the store in `dir` as [`SqliteStore::open`] does, with `options`.
    pub fn open_with(dir: &Path, options: &Options) -> Result<SqliteStore, StoreError> {
        create_folder(dir)?;
        let exclusion = Exclusion::of(dir)?;
        let path = exclusion.path().to_owned();
        let writer = open_writer(&path, options).map_err(|failure| failure.explain(&path))?;
        let open_reader = || open_reader(&path).map_err(|failure| failure.explain(&path));
        let inputs = Mutex::new(open_reader()?);
        let readers = (0..STORE_READERS).map(|_| open_reader());
        let readers = Pool::new(readers.collect::<Result<_, _>>()?);
        exclusion.check_path()?;
        let own = [dir.join(FILE_NAME), dir.join(LOCK_NAME)];
        let own = Identity::of(&own).map_err(|error| io(&path, error))?;
        let log = ["-wal", "-shm"].map(|end| beside(&path, end));
        let log = Identity::of(&log).map_err(|error| io(&path, error))?;
        let writer = Mutex::new(writer);
        Ok(SqliteStore {
            path,
            readers,
            inputs,
            writer,
            own,
            log,
            aside: Mutex::default(),
            _exclusion: exclusion,
        })
    }

    /// Returns an error if the files are not those that were opened: what is written to them now,
    /// nobody would find again.
    fn check_files(&self) -> Result<(), Failure> {
        let checked = self.own.check().and_then(|()| self.log.check());
        checked.map_err(|said| Failure::Store(StoreError::Io(said)))
    }

    /// Sets [`Options::max_pages`] anew.
    pub fn set_max_pages(&self, max_pages: Option<u32>) -> Result<(), StoreError> {
        limit_pages(&lock(&self.writer), max_pages).map_err(|failure| failure.explain(&self.path))
    }

    /// Does all of `change`, durably, or none of it. Whatever fails, be it the commit, the
    /// connection is as before and takes the same change again.
    fn write<T>(
        &self,
        change: impl FnOnce(&Transaction<'_>) -> Result<T, Failure>,
    ) -> Result<T, StoreError> {
        self.write_or(change, Err)
    }

    /// As [`SqliteStore::write`] does, and `otherwise` where that fails.
    fn write_or<T>(
        &self,
        change: impl FnOnce(&Transaction<'_>) -> Result<T, Failure>,
        otherwise: impl FnOnce(Failure) -> Result<T, Failure>,
    ) -> Result<T, StoreError> {
        let writer = &mut *lock(&self.writer);
        let change = |tx: &Transaction<'_>| {
            let changed = change(tx)?;
            // Behind the change, so that next to no time is left before it is committed.
            self.check_files()?;
            Ok(changed)
        };
        let written = commit(writer, change);
        if written.is_err() {
            self.rescue(writer);
        }
        let written = written.or_else(otherwise);
        written.map_err(|failure| damage::with_name(writer, failure).explain(&self.path))
    }

    /// Where the log alone is lost, brings what is in it into the file, as far as it is not there: after
    /// a crash nobody would find it again.
    fn rescue(&self, writer: &Connection) {
        if self.own.check().is_ok() && self.log.check().is_err() {
            // It is tried again with the next write.
            writer.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).ok();
        }
    }

    fn aside(&self) -> MutexGuard<'_, BTreeSet<JobId>> {
        self.aside.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns an error if a job was set aside: it is as if it took no inputs any more.
    fn check_not_aside(&self, job: JobId) -> Result<(), StoreError> {
        if self.aside().contains(&job) { Err(StoreError::Missing(job)) } else { Ok(()) }
    }

    /// Does `query` on what was committed last.
    fn read<T>(
        &self,
        query: impl FnOnce(&Connection) -> Result<T, Failure>,
    ) -> Result<T, StoreError> {
        self.read_from(&self.readers.lend(), query)
    }

    fn read_from<T>(
        &self,
        reader: &Connection,
        query: impl FnOnce(&Connection) -> Result<T, Failure>,
    ) -> Result<T, StoreError> {
        query(reader).map_err(|failure| damage::with_name(reader, failure).explain(&self.path))
    }
}

impl Drop for SqliteStore {
    /// SQLite tidies the log away when its last connection is closed: by its name, whosever the file
    /// of that name is. So it may only while the folder is this server's.
    fn drop(&mut self) {
        if self.own.check().is_ok() {
            let no_checkpoint = DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE;
            // If it fails the log stays, and is read at the next start.
            lock(&self.writer).set_db_config(no_checkpoint, false).ok();
        }
    }
}

impl Store for SqliteStore {
    fn check(&self) -> Result<(), StoreError> {
        let checked = self.check_files();
        if checked.is_err() {
            self.rescue(&lock(&self.writer));
        }
        checked.map_err(|failure| failure.explain(&self.path))
    }

    fn load(&self) -> Result<Loaded, StoreError> {
        let epoch = self.write(load::begin)?;
        self.write_or(load::tidy, load::pass_over)?;
        let drafts = self.read_from(&lock(&self.writer), load::drafts)?;
        for draft in drafts {
            self.write_or(|tx| delete_any_draft(tx, draft), load::pass_over)?;
        }
        let loaded =
            self.read_from(&lock(&self.writer), |connection| load::load(connection, epoch))?;
        let aside = loaded.jobs.iter().filter(|job| job.trouble.is_some()).map(|job| job.id);
        *self.aside() = aside.collect();
        Ok(loaded)
    }

    fn create_job(&self, job: &NewJob) -> Result<JobId, StoreError> {
        self.write(|tx| insert_draft(tx, job))
    }

    fn submit_all(&self, jobs: &[NewJob]) -> Result<Vec<JobId>, StoreError> {
        self.write(|tx| {
            let submit = |job: &NewJob| {
                let id = insert_draft(tx, job)?;
                update_published(tx, id, false)?;
                Ok(id)
            };
            jobs.iter().map(submit).collect()
        })
    }

    fn append_lines(
        &self,
        job: JobId,
        first: u64,
        inputs: &[RepeatMultiply],
        lines: &[LineRun],
    ) -> Result<(), StoreError> {
        self.check_not_aside(job)?;
        self.write(|tx| {
            let has_grid = select_growing(tx, job)?;
            let end = select_inputs_end(tx, job)?;
            if has_grid || first > end {
                return Err(StoreError::Missing(job).into());
            }
            if first < end {
                let end = first.saturating_add(inputs.len() as u64);
                return Err(StoreError::Overlap { job, first, end }.into());
            }
            insert_inputs(tx, job, first, inputs)?;
            insert_lines(tx, job, lines)?;
            update_total(tx, job, first + inputs.len() as u64)
        })
    }

    fn publish(&self, job: JobId, is_open: bool) -> Result<(), StoreError> {
        self.check_not_aside(job)?;
        self.write(|tx| {
            select_growing(tx, job)?;
            update_published(tx, job, is_open)
        })
    }

    fn note_appended(&self, job: JobId, at_ms: u64) -> Result<(), StoreError> {
        self.write(|tx| {
            select_published(tx, job)?;
            tx.execute_batch(APPENDED)?;
            upsert_appended(tx, job, at_ms)
        })
    }

    fn discard(&self, job: JobId) -> Result<(), StoreError> {
        self.write(|tx| delete_draft(tx, job))
    }

    fn set_aside(&self, job: JobId) {
        self.aside().insert(job);
    }

    fn remove(&self, job: JobId) -> Result<bool, StoreError> {
        let is_aside = self.aside().contains(&job);
        let is_left = self.write(|tx| {
            let is_hidden = if is_aside { hide_any(tx, job)? } else { hide_job(tx, job)? };
            let removed = if is_hidden { Ok(true) } else { delete_part(tx, job) };
            damage::of_job(job, "a part of it that is to be removed", removed)
        })?;
        self.aside().remove(&job);
        Ok(is_left)
    }

    fn set_state(&self, job: JobId, state: JobState) -> Result<(), StoreError> {
        self.write(|tx| damage::of_job(job, ROW, update_state(tx, job, state)))
    }

    fn commit(
        &self,
        recordings: &[Recording],
        states: &BTreeMap<JobId, JobState>,
    ) -> Result<(), StoreError> {
        self.write(|tx| {
            for (job, state) in states {
                match damage::of_job(*job, ROW, update_state(tx, *job, *state)) {
                    Ok(()) | Err(Failure::Store(StoreError::Missing(_))) => {}
                    Err(error) => return Err(error),
                }
            }
            for of_job in recordings.chunk_by(|one, next| one.job == next.job) {
                let job = of_job[0].job;
                select_published(tx, job)?;
                damage::of_job(job, "what is recorded of it", insert_recordings(tx, of_job))?;
            }
            Ok(())
        })
    }

    fn outcomes(
        &self,
        job: JobId,
        range: Range<u64>,
        tasks_max: u64,
    ) -> Result<Vec<Run>, StoreError> {
        self.read(|connection| {
            select_published(connection, job)?;
            let outcomes = select_outcomes(connection, job, &range, tasks_max);
            damage::of_job(job, &outcomes_of(&range), outcomes)
        })
    }

    fn sample(&self, job: JobId, indices: &[u64], tasks_max: u64) -> Result<Sample, StoreError> {
        self.read(|connection| select_published(connection, job))?;
        let mut sampling = Sampling::new(indices, tasks_max);
        // Each interval is a query of its own, so that others who read come in between.
        while let Some(index) = sampling.next() {
            let around = self.read(|connection| {
                let around = select_around(connection, job, index);
                damage::of_job(job, &outcomes_of(&(index..index.saturating_add(1))), around)
            });
            match around? {
                Around::Recorded(interval) => {
                    let Some(wanted) = sampling.wanted_of(&interval) else { break };
                    let outcomes = self.read(|connection| {
                        let outcomes =
                            select_single_outcomes(connection, job, interval.start, wanted);
                        damage::of_job(job, &outcomes_of(&interval), outcomes)
                    })?;
                    sampling.add(wanted, outcomes);
                }
                Around::Gap(end) => sampling.skip(end),
            }
        }
        Ok(sampling.sample)
    }

    fn inputs(&self, job: JobId, range: Range<u64>) -> Result<Vec<RepeatMultiply>, StoreError> {
        self.read_from(&lock(&self.inputs), |connection| {
            select_any(connection, job)?;
            // Asked first, so that a range that reaches too far costs nothing.
            if !range.is_empty() && range.end > select_inputs_end(connection, job)? {
                return Err(StoreError::Missing(job).into());
            }
            let part = format!("its inputs of tasks {}..{}", range.start, range.end);
            damage::of_job(job, &part, select_inputs(connection, job, &range))
        })
    }

    fn lines(&self, job: JobId, range: Range<u64>) -> Result<Option<Vec<LineRun>>, StoreError> {
        self.read(|connection| {
            let has_grid = "SELECT grid IS NOT NULL FROM job WHERE id = ?1 AND total >= 0";
            if find(connection.prepare_cached(has_grid)?, job, |row| row.get(0))? {
                return Ok(None);
            }
            let lines = select_lines(connection, job, &range);
            let lines = damage::of_job(job, "which lines its inputs come from", lines)?;
            Ok(Some(runs_within(&lines, &range)))
        })
    }
}

// ---- Opening ----------------------------------------------------------------------------------

/// Makes `dir` and the parents that it lacks, each of them durably.
fn create_folder(dir: &Path) -> Result<(), StoreError> {
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
fn beside(path: &Path, end: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(end);
    name.into()
}

fn open_writer(path: &Path, options: &Options) -> Result<Connection, Failure> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
        | OpenFlags::SQLITE_OPEN_CREATE
        | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut writer = Connection::open_with_flags(path, flags)?;
    set_up(&writer)?;
    // Before anything is written: what is not ours stays as it is.
    let is_new = check_format(&writer, path)?;
    if is_new {
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
    if is_new {
        commit(&mut writer, create_tables)?;
    }
    open_log(&writer)?;
    Ok(writer)
}

/// Has SQLite open its log: it does so with the first query, by its name, which may be another file's
/// by then. When the connection is closed the log stays, until [`SqliteStore::drop`] says otherwise.
fn open_log(connection: &Connection) -> Result<(), Failure> {
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
    select_format(connection)?;
    Ok(())
}

fn open_reader(path: &Path) -> Result<Connection, Failure> {
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

/// Whether the file is a new one, without a table; errs where it is none of ours.
fn check_format(connection: &Connection, path: &Path) -> Result<bool, Failure> {
    let foreign = || Failure::Store(StoreError::Foreign(path.display().to_string()));
    let (application_id, found, tables) = select_format(connection).map_err(|error| {
        let is_database = error.sqlite_error_code() != Some(ErrorCode::NotADatabase);
        if is_database { error.into() } else { foreign() }
    })?;
    match (application_id, found) {
        (0, 0) if tables == 0 => Ok(true),
        (APPLICATION_ID, FORMAT) => Ok(false),
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

/// In one transaction with what marks the file as ours, so that it is a store or an empty file.
fn create_tables(tx: &Transaction<'_>) -> Result<(), Failure> {
    tx.execute_batch(SCHEMA)?;
    tx.pragma_update(None, "application_id", APPLICATION_ID)?;
    tx.pragma_update(None, "user_version", FORMAT)?;
    Ok(())
}

fn limit_pages(connection: &Connection, max_pages: Option<u32>) -> Result<(), Failure> {
    // 0 would ask for the limit, not set it.
    let pages = max_pages.unwrap_or(PAGES_MAX).clamp(1, PAGES_MAX);
    connection.pragma_update_and_check(None, "max_page_count", pages, |_| Ok(()))?;
    Ok(())
}

// ---- Transactions -----------------------------------------------------------------------------

/// Whoever panicked with the lock held had its transaction rolled back as it unwound, so that it
/// does not lose the store.
fn lock(connection: &Mutex<Connection>) -> MutexGuard<'_, Connection> {
    connection.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Does `change` in a transaction. One that fails is rolled back: by SQLite itself on some errors
/// (a full disk, mostly), else when the [`Transaction`] is dropped, be it that its commit failed.
///
/// Nothing of a failed commit is left to be synced later: the next one writes the log again from
/// where the last good one ended. After a crash in between, a change whose commit erred may yet be
/// found whole in the log.
fn commit<T>(
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
enum Failure {
    Sqlite(rusqlite::Error),
    Store(StoreError),
    /// What this disk or system lacks, or what could not be written.
    Unreadable(String),
    /// What is wrong with the file, such that nothing can be done with it.
    Unusable(String),
}

impl Failure {
    fn explain(self, path: &Path) -> StoreError {
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

pub(super) fn io(path: &Path, said: impl fmt::Display) -> StoreError {
    StoreError::Io(format!("{}: {said}", path.display()))
}

// ---- Jobs -------------------------------------------------------------------------------------

fn insert_draft(tx: &Transaction<'_>, job: &NewJob) -> Result<JobId, Failure> {
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
fn hide_job(tx: &Transaction<'_>, job: JobId) -> Result<bool, Failure> {
    let hide = "UPDATE job SET state = 'draft', total = -1
        WHERE id = ?1 AND state IN ('done', 'cancelled')";
    Ok(tx.prepare_cached(hide)?.execute([int(job.0)])? > 0)
}

/// As [`hide_job`], whatever the job's state is.
fn hide_any(tx: &Transaction<'_>, job: JobId) -> Result<bool, Failure> {
    let hide = "UPDATE job SET state = 'draft', total = -1 WHERE id = ?1 AND total IS NOT -1";
    Ok(tx.prepare_cached(hide)?.execute([int(job.0)])? > 0)
}

/// Removes as much of a job that is being removed as one transaction should, and says whether more
/// of it is left.
fn delete_part(tx: &Transaction<'_>, job: JobId) -> Result<bool, Failure> {
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
fn delete_any_draft(tx: &Transaction<'_>, draft: i64) -> Result<(), Failure> {
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

fn delete_draft(tx: &Transaction<'_>, job: JobId) -> Result<(), Failure> {
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
fn select_any(connection: &Connection, job: JobId) -> Result<(), Failure> {
    let any = "SELECT 1 FROM job WHERE id = ?1 AND total >= 0";
    find(connection.prepare_cached(any)?, job, |_| Ok(()))
}

/// Errs where the job is not there, or a draft.
fn select_published(connection: &Connection, job: JobId) -> Result<(), Failure> {
    let published = "SELECT 1 FROM job WHERE id = ?1 AND state IS NOT 'draft'";
    find(connection.prepare_cached(published)?, job, |_| Ok(()))
}

/// Whether a job that inputs may be added to, a draft or an open one, has a grid.
fn select_growing(tx: &Transaction<'_>, job: JobId) -> Result<bool, Failure> {
    let growing = "SELECT grid IS NOT NULL FROM job WHERE id = ?1 AND total >= 0
        AND (state = 'draft' OR (is_open AND state IN ('running', 'paused')))";
    find(tx.prepare_cached(growing)?, job, |row| row.get(0))
}

fn update_published(tx: &Transaction<'_>, job: JobId, is_open: bool) -> Result<(), Failure> {
    let mut statement = tx.prepare_cached(
        "UPDATE job SET is_open = ?2, state = CASE state WHEN 'draft' THEN 'running' ELSE state END
         WHERE id = ?1",
    )?;
    statement.execute(params![int(job.0), is_open])?;
    Ok(())
}

fn update_total(tx: &Transaction<'_>, job: JobId, total: u64) -> Result<(), Failure> {
    let mut statement = tx.prepare_cached("UPDATE job SET total = ?2 WHERE id = ?1")?;
    statement.execute([int(job.0), int(total)])?;
    Ok(())
}

fn update_state(tx: &Transaction<'_>, job: JobId, state: JobState) -> Result<(), Failure> {
    let mut statement =
        tx.prepare_cached("UPDATE job SET state = ?2 WHERE id = ?1 AND state <> 'draft'")?;
    match statement.execute(params![int(job.0), state.name()])? {
        0 => Err(StoreError::Missing(job).into()),
        _ => Ok(()),
    }
}

fn has_appended(tx: &Connection) -> Result<bool, Failure> {
    let table = "SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name = 'appended'";
    Ok(tx.query_row(table, [], |row| row.get::<_, u64>(0))? > 0)
}

fn upsert_appended(tx: &Transaction<'_>, job: JobId, at_ms: u64) -> Result<(), Failure> {
    let upsert = "INSERT INTO appended (job, at_ms) VALUES (?1, ?2)
        ON CONFLICT (job) DO UPDATE SET at_ms = excluded.at_ms";
    tx.prepare_cached(upsert)?.execute([int(job.0), int(at_ms)])?;
    Ok(())
}

fn to_state(name: &str) -> Option<JobState> {
    use JobState::{Cancelled, Done, Paused, Running};
    [Running, Paused, Done, Cancelled].into_iter().find(|state| state.name() == name)
}

// ---- Outcomes ---------------------------------------------------------------------------------

fn insert_recordings(tx: &Transaction<'_>, recordings: &[Recording]) -> Result<(), Failure> {
    // Where the last interval that starts before another ends, and with it all that do, since they
    // are disjoint.
    let mut select_end = tx.prepare_cached(
        "SELECT first + count FROM outcome INDEXED BY outcome_extent
         WHERE job = ?1 AND first < ?2 ORDER BY first DESC LIMIT 1",
    )?;
    let mut insert = tx.prepare_cached(
        "INSERT INTO outcome
             (job, first, count, failed, duration_ms, worker, agent, recorded_at_ms, outcomes)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
    )?;
    for recording in recordings {
        let end = recording.end()?;
        if recording.outcomes.is_empty() {
            continue;
        }
        let Recording { job, first, .. } = *recording;
        let before: Option<u64> =
            select_end.query_row([int(job.0), int(end)], |row| row.get(0)).optional()?;
        if before.is_some_and(|before| before > first) {
            return Err(StoreError::Overlap { job, first, end }.into());
        }
        insert.execute(params![
            int(job.0),
            int(first),
            int(end - first),
            int(recording.outcomes.failed()),
            recording.duration_ms,
            int(recording.worker.0),
            recording.agent,
            int(recording.recorded_at_ms),
            recording.outcomes.json(),
        ])?;
    }
    Ok(())
}

fn select_outcomes(
    connection: &Connection,
    job: JobId,
    range: &Range<u64>,
    tasks_max: u64,
) -> Result<Vec<Run>, Failure> {
    let mut statement = connection.prepare_cached(
        "SELECT first, count, outcomes FROM outcome
         WHERE job = ?1 AND first < ?3 AND first + count > ?2 AND first >= coalesce(
             (SELECT max(first) FROM outcome WHERE job = ?1 AND first <= ?2), ?2)
         ORDER BY first",
    )?;
    let mut rows = statement.query([int(job.0), int(range.start), int(range.end)])?;
    let mut runs = Vec::new();
    let mut tasks = 0;
    while !range.is_empty()
        && let Some(row) = rows.next()?
    {
        let block = Block::of(row, range)?;
        tasks += block.len();
        if tasks > tasks_max && !runs.is_empty() {
            break;
        }
        runs.push(Run { first: block.start(), outcomes: block.parse(row, job)? });
    }
    Ok(runs)
}

/// Of the index alone: no outcome is read.
fn select_around(connection: &Connection, job: JobId, index: u64) -> Result<Around, Failure> {
    let mut before = connection.prepare_cached(
        "SELECT first, count FROM outcome INDEXED BY outcome_extent
         WHERE job = ?1 AND first <= ?2 ORDER BY first DESC LIMIT 1",
    )?;
    let interval = |row: &Row<'_>| Ok((row.get::<_, u64>(0)?, row.get::<_, u64>(1)?));
    let before = before.query_row([int(job.0), int(index)], interval).optional()?;
    if let Some((first, count)) = before
        && index < first.saturating_add(count)
    {
        return Ok(Around::Recorded(first..first.saturating_add(count)));
    }
    let mut behind = connection.prepare_cached(
        "SELECT first FROM outcome INDEXED BY outcome_extent
         WHERE job = ?1 AND first > ?2 ORDER BY first LIMIT 1",
    )?;
    let behind = behind.query_row([int(job.0), int(index)], |row| row.get(0)).optional()?;
    Ok(Around::Gap(behind))
}

/// The outcomes of `indices`, which lie in the interval from `first` on.
fn select_single_outcomes(
    connection: &Connection,
    job: JobId,
    first: u64,
    indices: &[u64],
) -> Result<Vec<Outcome>, Failure> {
    let mut statement = connection.prepare_cached(
        "SELECT first, count, outcomes FROM outcome WHERE job = ?1 AND first = ?2",
    )?;
    let mut rows = statement.query([int(job.0), int(first)])?;
    let row = rows.next()?.ok_or(StoreError::Missing(job))?;
    parse_places(row, job, indices.iter().map(|index| (index - first) as usize))
}

// ---- Inputs -----------------------------------------------------------------------------------

fn insert_inputs(
    tx: &Transaction<'_>,
    job: JobId,
    first: u64,
    list: &[RepeatMultiply],
) -> Result<(), Failure> {
    let mut statement =
        tx.prepare_cached("INSERT INTO input (job, first, count, inputs) VALUES (?1, ?2, ?3, ?4)")?;
    let firsts = (first..).step_by(BLOCK_INPUTS_MAX);
    for (first, block) in firsts.zip(list.chunks(BLOCK_INPUTS_MAX)) {
        let count = int(block.len() as u64);
        let mut json = String::new();
        inputs::write(block, &mut json);
        statement.execute(params![int(job.0), int(first), count, json])?;
    }
    Ok(())
}

/// How many inputs a job has: its blocks lie side by side from 0.
fn select_inputs_end(connection: &Connection, job: JobId) -> Result<u64, Failure> {
    let mut statement = connection.prepare_cached(
        "SELECT first + count FROM input WHERE job = ?1 ORDER BY first DESC LIMIT 1",
    )?;
    let end = statement.query_row([int(job.0)], |row| row.get(0)).optional()?;
    Ok(end.unwrap_or(0))
}

fn select_inputs(
    connection: &Connection,
    job: JobId,
    range: &Range<u64>,
) -> Result<Vec<RepeatMultiply>, Failure> {
    let mut statement = connection.prepare_cached(
        "SELECT first, count, inputs FROM input
         WHERE job = ?1 AND first < ?3 AND first >= coalesce(
             (SELECT max(first) FROM input WHERE job = ?1 AND first <= ?2), ?2)
         ORDER BY first",
    )?;
    let mut rows = statement.query([int(job.0), int(range.start), int(range.end)])?;
    let mut inputs = Vec::new();
    while !range.is_empty()
        && let Some(row) = rows.next()?
    {
        let Block { skip, take, .. } = Block::of(row, range)?;
        inputs.extend(read_inputs(row, job)?.into_iter().skip(skip).take(take));
    }
    // Fewer where a draft was discarded since its inputs were counted.
    let expected = range.end.saturating_sub(range.start);
    if inputs.len() as u64 != expected { Err(StoreError::Missing(job).into()) } else { Ok(inputs) }
}

/// Whether the file has the table of [`LINES`].
fn has_lines(connection: &Connection) -> Result<bool, Failure> {
    let table = "SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = 'input_line'";
    Ok(connection.prepare_cached(table)?.exists([])?)
}

fn insert_lines(tx: &Transaction<'_>, job: JobId, lines: &[LineRun]) -> Result<(), Failure> {
    if lines.is_empty() {
        return Ok(());
    }
    tx.execute_batch(LINES)?;
    let mut last = tx.prepare_cached(
        "SELECT first, lines FROM input_line WHERE job = ?1 ORDER BY first DESC LIMIT 1",
    )?;
    let mut rows = last.query([int(job.0)])?;
    let last = match rows.next()? {
        Some(row) => read_lines(row, job)?.pop(),
        None => None,
    };
    let mut insert =
        tx.prepare_cached("INSERT INTO input_line (job, first, lines) VALUES (?1, ?2, ?3)")?;
    for row in jumps(last, lines).chunks(BLOCK_INPUTS_MAX) {
        let json = to_json(&row.iter().map(|run| (run.first, run.line)).collect::<Vec<_>>())?;
        insert.execute(params![int(job.0), int(row[0].first), json])?;
    }
    Ok(())
}

/// The rows that have something within a range, whole.
fn select_lines(
    connection: &Connection,
    job: JobId,
    range: &Range<u64>,
) -> Result<Vec<LineRun>, Failure> {
    if !has_lines(connection)? {
        return Ok(Vec::new());
    }
    let mut statement = connection.prepare_cached(
        "SELECT first, lines FROM input_line
         WHERE job = ?1 AND first < ?3 AND first >= coalesce(
             (SELECT max(first) FROM input_line WHERE job = ?1 AND first <= ?2), ?2)
         ORDER BY first",
    )?;
    let mut rows = statement.query([int(job.0), int(range.start), int(range.end)])?;
    let mut lines = Vec::new();
    while let Some(row) = rows.next()? {
        lines.append(&mut read_lines(row, job)?);
    }
    Ok(lines)
}

/// The runs of a row `(first, lines)`.
fn read_lines(row: &Row<'_>, job: JobId) -> Result<Vec<LineRun>, Failure> {
    let first: u64 = row.get(0)?;
    let json = row.get_ref(1)?.as_str().map_err(rusqlite::Error::from)?;
    let pairs: Vec<(u64, u64)> = serde_json::from_str(json).map_err(|error| {
        damage::damaged(
            job,
            format!("the lines of inputs from task {first} on cannot be read ({error})"),
        )
    })?;
    Ok(pairs.into_iter().map(|(first, line)| LineRun { first, line }).collect())
}

// ---- Rows and values --------------------------------------------------------------------------

/// The part of a row `(first, count, array)` that lies within a range.
struct Block {
    first: u64,
    /// What is wanted, counted from `first`.
    skip: usize,
    take: usize,
}

impl Block {
    /// The row and the range must overlap.
    fn of(row: &Row<'_>, range: &Range<u64>) -> Result<Block, Failure> {
        let (first, count): (u64, u64) = (row.get(0)?, row.get(1)?);
        let skip = range.start.saturating_sub(first);
        let take = range.end.min(first.saturating_add(count)).saturating_sub(first + skip);
        Ok(Block { first, skip: skip as usize, take: take as usize })
    }

    fn start(&self) -> u64 {
        self.first + self.skip as u64
    }

    fn len(&self) -> u64 {
        self.take as u64
    }

    /// The elements wanted.
    fn parse<T: for<'de> Deserialize<'de>>(
        &self,
        row: &Row<'_>,
        job: JobId,
    ) -> Result<Vec<T>, Failure> {
        parse_places(row, job, self.skip..self.skip + self.take)
    }
}

/// The inputs of a row `(first, count, array)`.
fn read_inputs(row: &Row<'_>, job: JobId) -> Result<Vec<RepeatMultiply>, Failure> {
    let (first, count): (u64, u64) = (row.get(0)?, row.get(1)?);
    let json = row.get_ref(2)?.as_str().map_err(rusqlite::Error::from)?;
    let tasks = first..first.saturating_add(count);
    let unreadable = |said: String| unreadable_row(job, "the inputs", tasks.clone(), said);
    let inputs = inputs::read(json);
    let inputs = inputs.map_err(|error| unreadable(format!("they are no inputs ({error})")))?;
    let length = inputs.len();
    if length as u64 != count {
        return Err(unreadable(format!("there are {length} of them")));
    }
    Ok(inputs)
}

/// A row names itself by its job and its tasks.
fn unreadable_row(job: JobId, what: &str, tasks: Range<u64>, said: impl fmt::Display) -> Failure {
    let Range { start, end } = tasks;
    damage::damaged(job, format!("{what} of tasks {start}..{end} cannot be read: {said}"))
}

fn outcomes_of(range: &Range<u64>) -> String {
    match range.end {
        u64::MAX => format!("its outcomes from task {} on", range.start),
        end => format!("its outcomes within tasks {}..{end}", range.start),
    }
}

/// The elements at `places`, which ascend, of the array of a row `(first, count, array)`; the others
/// are only skipped over.
fn parse_places<T: for<'de> Deserialize<'de>>(
    row: &Row<'_>,
    job: JobId,
    places: impl Iterator<Item = usize>,
) -> Result<Vec<T>, Failure> {
    let (first, count): (u64, u64) = (row.get(0)?, row.get(1)?);
    let json = row.get_ref(2)?.as_str().map_err(rusqlite::Error::from)?;
    let mut deserializer = serde_json::Deserializer::from_str(json);
    let elements = Elements { count: count as usize, places: places.peekable(), of: PhantomData };
    let elements = deserializer.deserialize_seq(elements);
    elements.and_then(|elements| deserializer.end().map(|()| elements)).map_err(|error| {
        let tasks = first..first.saturating_add(count);
        unreadable_row(job, "the outcomes", tasks, format_args!("they are no outcomes ({error})"))
    })
}

struct Elements<P: Iterator, T> {
    count: usize,
    places: Peekable<P>,
    of: PhantomData<T>,
}

impl<'de, P: Iterator<Item = usize>, T: Deserialize<'de>> Visitor<'de> for Elements<P, T> {
    type Value = Vec<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a list of {}", self.count)
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut seq: A) -> Result<Vec<T>, A::Error> {
        // Not `with_capacity`: a count that a person mistyped in the shell must not exhaust memory.
        let mut elements = Vec::new();
        let mut length = 0;
        loop {
            let is_there = if self.places.next_if_eq(&length).is_some() {
                seq.next_element()?.map(|element| elements.push(element)).is_some()
            } else {
                seq.next_element::<IgnoredAny>()?.is_some()
            };
            if !is_there {
                break;
            }
            length += 1;
        }
        if length == self.count {
            Ok(elements)
        } else {
            let said = format!("there are {length} of them, not {}", self.count);
            Err(serde::de::Error::custom(said))
        }
    }
}

/// The one row of a job; errs where there is none.
fn find<T>(
    mut statement: CachedStatement<'_>,
    job: JobId,
    read: impl FnOnce(&Row<'_>) -> Result<T, rusqlite::Error>,
) -> Result<T, Failure> {
    let found = statement.query_row([int(job.0)], read).optional().map_err(Failure::from);
    damage::of_job(job, ROW, found)?.ok_or(Failure::Store(StoreError::Missing(job)))
}

/// As SQLite keeps it. Nothing that is stored reaches the largest integer; what is asked for, such
/// as the range `0..u64::MAX`, may.
fn int(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

fn to_json<T: serde::Serialize + ?Sized>(value: &T) -> Result<String, Failure> {
    serde_json::to_string(value).map_err(|error| Failure::Unreadable(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use tequio_protocol::op::Op;

    #[test]
    fn inputs_are_read_while_all_others_read_results() {
        let dir = tempfile::tempdir().unwrap();
        let store = SqliteStore::open(dir.path()).unwrap();
        let (name, op) = (String::new(), Op::RepeatMultiply);
        let job = NewJob { name, op, priority: 0, grid: None, submitted_at_ms: 0 };
        let id = store.create_job(&job).unwrap();
        let inputs = [RepeatMultiply::new(1.0, 2.0, 3).unwrap()];
        store.append_inputs(id, 0, &inputs).unwrap();
        let lent: Vec<_> = (0..STORE_READERS).map(|_| store.readers.lend()).collect();
        assert_eq!(store.inputs(id, 0..1).unwrap(), inputs);
        drop(lent);
        store.publish(id, false).unwrap();
        assert_eq!(store.outcomes(id, 0..1, 1).unwrap(), []);
    }
}
