//! A store in one SQLite file. Every SQL statement of the server is in this
//! module, in the room of what it is about.
//!
//! One connection writes, one reads the inputs that leases need, and a few read for everybody else; with
//! a write-ahead log (WAL) none of these kinds waits for another. A commit is one `fsync` of the log
//! (`synchronous=FULL`).
//!
//! Whoever opens the file with the `sqlite3` shell finds one row a recorded interval:
//!
//! ```sql
//! SELECT first + each.key AS task, each.value AS result, json_extract(errors, '$.' || each.key) AS error
//! FROM outcome, json_each(outcome.outcomes) AS each WHERE job = 1 ORDER BY task;
//! ```
//!
//! Each row of inputs, lines and outcomes has a checksum, which is looked at whenever the row is read: a bit that
//! was turned in the file is an error that names the row, and never another result.

mod checksum;
mod damage;
mod inputs;
mod jobs;
mod kernels;
mod load;
mod open;
mod outcome_row;
mod outcomes;
mod pool;
mod record;
mod repair;
mod rows;
mod take_over;
mod transaction;

pub(super) use transaction::io;

use super::exclusion::{Exclusion, FILE_NAME, LOCK_NAME};
use super::identity::Identity;
use super::{
    Around, Condition, Damage, Fresh, Loaded, NewJob, Recording, Repaired, Run, Sample, Sampling,
    Store, StoreError, StoredKernel, Tally, check_append, runs_within,
};
use inputs::{insert_inputs, insert_lines, select_all_inputs, select_inputs_end, select_lines};
use jobs::{
    delete_any_draft, delete_draft, delete_part, hide_any, hide_job, insert_draft,
    select_is_to_go_on, select_published, select_standing, update_closed, update_published,
    update_state, update_total, upsert_appended,
};
use open::{beside, create_folder, limit_pages, open_reader, open_writer};
use outcomes::{
    OUTCOMES, outcomes_of, select_around, select_outcomes, select_single_outcomes, select_tally,
};
use pool::Pool;
use record::{AuditedCount, record};
use repair::{examine_inputs, examine_outcomes};
use rows::{ROW, find};
use rusqlite::config::DbConfig;
use rusqlite::{Connection, Transaction};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use tequio_protocol::api::JobState;
use tequio_protocol::grid::Grid;
use tequio_protocol::ids::JobId;
use tequio_protocol::limits::{DAMAGE_SEEN_MAX, STORE_READERS};
use tequio_protocol::op::kernel::Sha256;
use tequio_protocol::reader::LineRun;
use tequio_protocol::values::Values;
use transaction::{Failure, commit, lock};

/// The bytes of one page: what [`Options::max_pages`] counts.
pub const PAGE_BYTES: u32 = 4096;

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
    /// What readers have found damaged, for [`Store::take_damage`].
    seen: Mutex<Vec<(JobId, Range<u64>)>>,
    audited: AuditedCount,
    _exclusion: Exclusion,
}

/// How a store is opened.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// The pages of [`PAGE_BYTES`] that the file may grow to (a file that has more already keeps
    /// them), or `None` for no limit. What would exceed it errs with [`StoreError::Unavailable`], as on a
    /// full disk. The log beside the file, mostly some megabytes, does not count.
    pub max_pages: Option<u32>,
}

impl SqliteStore {
    /// Opens the store in `dir` without a limit to its size; makes the folder, its parents and an
    /// empty store where there is none.
    ///
    /// Errs with [`StoreError::Locked`] while another has it open, with [`StoreError::Newer`] or
    /// [`StoreError::Foreign`] where the file is not for this version, whose
    /// contents then stay as they were, and with [`StoreError::Unavailable`].
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
            seen: Mutex::default(),
            audited: AuditedCount::default(),
            _exclusion: exclusion,
        })
    }

    /// Returns an error if the files are not those that were opened: what is written to them now,
    /// nobody would find again.
    fn check_files(&self) -> Result<(), Failure> {
        let checked = self.own.check().and_then(|()| self.log.check());
        checked.map_err(|said| Failure::Store(StoreError::Unavailable(said)))
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

    /// Returns an error if a job was set aside: it takes no inputs any more.
    fn check_not_aside(&self, job: JobId) -> Result<(), StoreError> {
        match self.aside().contains(&job) {
            true => Err(StoreError::WrongState { job, is: Condition::SetAside }),
            false => Ok(()),
        }
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
        query(reader).map_err(|failure| {
            let error = damage::with_name(reader, failure).explain(&self.path);
            if let StoreError::Damaged { job, outcomes: Some(tasks), .. } = &error {
                self.note_damage(*job, tasks);
            }
            error
        })
    }

    fn note_damage(&self, job: JobId, tasks: &Range<u64>) {
        let mut seen = self.seen();
        let is_known = seen.iter().any(|known| *known == (job, tasks.clone()));
        // What has no room is seen again.
        if !is_known && seen.len() < DAMAGE_SEEN_MAX {
            seen.push((job, tasks.clone()));
        }
    }

    fn seen(&self) -> MutexGuard<'_, Vec<(JobId, Range<u64>)>> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
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
        self.write(kernels::delete_unused_data)?;
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
        inputs: &Values,
        lines: &[LineRun],
    ) -> Result<(), StoreError> {
        self.check_not_aside(job)?;
        self.write(|tx| {
            select_standing(tx, job)?.check_growing(job)?;
            check_append(job, first, inputs.len(), select_inputs_end(tx, job)?)?;
            insert_inputs(tx, job, first, inputs)?;
            insert_lines(tx, job, lines)?;
            update_total(tx, job, first + inputs.len() as u64)
        })
    }

    fn publish(&self, job: JobId) -> Result<(), StoreError> {
        self.check_not_aside(job)?;
        self.write(|tx| {
            select_standing(tx, job)?.check_draft(job)?;
            update_published(tx, job, false)
        })
    }

    fn publish_open(&self, job: JobId) -> Result<(), StoreError> {
        self.check_not_aside(job)?;
        self.write(|tx| {
            select_standing(tx, job)?.check_draft(job)?;
            update_published(tx, job, true)
        })
    }

    fn close(&self, job: JobId) -> Result<(), StoreError> {
        self.check_not_aside(job)?;
        self.write(|tx| {
            select_standing(tx, job)?.check_open(job)?;
            update_closed(tx, job)
        })
    }

    fn note_appended(&self, job: JobId, at_ms: u64) -> Result<(), StoreError> {
        self.write(|tx| {
            select_published(tx, job)?;
            upsert_appended(tx, job, at_ms)
        })
    }

    fn discard(&self, job: JobId) -> Result<(), StoreError> {
        self.write(|tx| delete_draft(tx, job))
    }

    fn add_kernel(&self, kernel: &StoredKernel, module: &[u8]) -> Result<(), StoreError> {
        self.write(|tx| kernels::insert_kernel(tx, kernel, module))
    }

    fn kernels(&self) -> Result<Vec<StoredKernel>, StoreError> {
        self.read(kernels::select_kernels)
    }

    fn remove_kernel(&self, sha256: &Sha256) -> Result<(), StoreError> {
        self.write(|tx| kernels::delete_kernel(tx, sha256))
    }

    fn add_data(&self, sha256: &Sha256, data: &[u8]) -> Result<(), StoreError> {
        self.write(|tx| kernels::insert_blob(tx, sha256, data))
    }

    fn blob(&self, sha256: &Sha256) -> Result<Option<Vec<u8>>, StoreError> {
        self.read(|connection| kernels::select_blob(connection, sha256))
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
    ) -> Result<Vec<Fresh>, StoreError> {
        let write = || self.write(|tx| record(tx, recordings, states, &self.audited));
        match write() {
            // What has met a damaged page cannot be committed: once more, without that.
            Err(_) if self.audited.is_lost_now() => write(),
            committed => committed,
        }
    }

    /// Of the connection that writes: whoever records does not wait for those who read.
    fn tally(&self, job: JobId) -> Result<Tally, StoreError> {
        self.read_from(&lock(&self.writer), |connection| {
            damage::of_job(job, OUTCOMES, select_tally(connection, job))
        })
    }

    fn outcomes(
        &self,
        job: JobId,
        range: Range<u64>,
        tasks_max: u64,
    ) -> Result<Vec<Run>, StoreError> {
        self.read(|connection| {
            let tx = connection.unchecked_transaction()?;
            select_published(&tx, job)?;
            let outcomes = select_outcomes(&tx, job, &range, tasks_max);
            damage::of_job(job, &outcomes_of(&range), outcomes)
        })
    }

    fn sample(&self, job: JobId, indices: &[u64], tasks_max: u64) -> Result<Sample, StoreError> {
        self.read(|connection| select_published(connection, job))?;
        let mut sampling = Sampling::new(indices, tasks_max);
        // Each interval is a query of its own, so that others who read come in between.
        while let Some(index) = sampling.next() {
            let around = self.read(|connection| {
                let tx = connection.unchecked_transaction()?;
                let around = select_around(&tx, job, index);
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

    fn examine(&self, job: JobId) -> Result<Damage, StoreError> {
        self.read(|connection| select_published(connection, job))?;
        let mut found = Damage::default();
        let mut next = Some(0);
        while let Some(from) = next {
            // Each part is a query of its own, so that others who read come in between.
            let (looked_at, misfits) = self.read(|connection| {
                let tx = connection.unchecked_transaction()?;
                damage::of_job(job, OUTCOMES, examine_outcomes(&tx, job, from))
            })?;
            found.outcomes.extend(misfits.tasks(looked_at));
            next = misfits.next;
        }
        let mut next = Some(0);
        while let Some(from) = next {
            next = self.read(|connection| {
                let tx = connection.unchecked_transaction()?;
                let examined = examine_inputs(&tx, job, from, &mut found);
                damage::of_job(job, "its inputs", examined)
            })?;
        }
        Ok(found)
    }

    fn repair(&self, job: JobId, damage: &Damage) -> Result<Repaired, StoreError> {
        let repaired = self.write(|tx| {
            damage::of_job(job, "what is to be repaired of it", repair::repair(tx, job, damage))
        })?;
        match repaired.job.trouble {
            Some(_) => self.aside().insert(job),
            None => self.aside().remove(&job),
        };
        Ok(repaired)
    }

    fn take_damage(&self) -> Vec<(JobId, Damage)> {
        let seen = std::mem::take(&mut *self.seen());
        let mut damage: BTreeMap<JobId, Damage> = BTreeMap::new();
        for (job, tasks) in seen {
            let writer = lock(&self.writer);
            let is_to_go_on = || self.read_from(&writer, |tx| select_is_to_go_on(tx, job));
            if !self.aside().contains(&job) && is_to_go_on().unwrap_or(false) {
                damage.entry(job).or_default().outcomes.push(tasks);
            }
        }
        damage.into_iter().collect()
    }

    fn inputs(&self, job: JobId, range: Range<u64>) -> Result<Values, StoreError> {
        self.read_from(&lock(&self.inputs), |connection| select_all_inputs(connection, job, &range))
    }

    fn has_inputs(&self, job: JobId, first: u64, inputs: &Values) -> Result<bool, StoreError> {
        let range = first..first.saturating_add(inputs.len() as u64);
        self.read(|connection| Ok(select_all_inputs(connection, job, &range)? == *inputs))
    }

    fn grid(&self, job: JobId) -> Result<Option<Grid>, StoreError> {
        self.read(|connection| {
            let grid = "SELECT grid FROM job WHERE id = ?1 AND state IS NOT 'draft'";
            let grid: Option<String> =
                find(connection.prepare_cached(grid)?, job, |row| row.get(0))?;
            let read = |json: String| {
                serde_json::from_str(&json)
                    .map_err(|error| damage::damaged(job, format!("its grid is none ({error})")))
            };
            grid.map(read).transpose()
        })
    }

    fn lines(&self, job: JobId, range: Range<u64>) -> Result<Option<Vec<LineRun>>, StoreError> {
        self.read(|connection| {
            let has_grid = "SELECT grid IS NOT NULL FROM job WHERE id = ?1 AND total >= 0";
            if find(connection.prepare_cached(has_grid)?, job, |row| row.get(0))? {
                return Ok(None);
            }
            let tx = connection.unchecked_transaction()?;
            let lines = select_lines(&tx, job, &range);
            let lines = damage::of_job(job, "which lines its inputs come from", lines)?;
            Ok(Some(runs_within(&lines, &range)))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tequio_protocol::op::OpId;

    #[test]
    fn inputs_are_read_while_all_others_read_results() {
        let dir = tempfile::tempdir().unwrap();
        let store = SqliteStore::open(dir.path()).unwrap();
        let op = OpId::new("collatz");
        let job = NewJob::of(op, None);
        let id = store.create_job(&job).unwrap();
        let inputs = [r#"{"n":3}"#].into_iter().collect();
        store.append_inputs(id, 0, &inputs).unwrap();
        let lent: Vec<_> = (0..STORE_READERS).map(|_| store.readers.lend()).collect();
        assert_eq!(store.inputs(id, 0..1).unwrap(), inputs);
        drop(lent);
        let leases = lock(&store.inputs);
        assert!(store.has_inputs(id, 0, &inputs).unwrap(), "others do not read with theirs");
        drop(leases);
        store.publish(id).unwrap();
        assert_eq!(store.outcomes(id, 0..1, 1).unwrap(), []);
    }
}
