//! What keeps other servers away from a store: three locks, each of which holds where others are lost.
//!
//! - A lock on the file `lock` in the folder: what every tequio since the first looks for.
//! - A lock on the folder itself, where a system has that: somebody may delete the file.
//! - A lock on the database file itself, which goes where the file goes: another folder may have it
//!   too, by a link or since it was moved there.
//!
//! The last one must not be in the way of SQLite, which locks bytes of the same file (from 2^30 on, the
//! "pending byte"), so it is of a byte far behind all that SQLite ever locks. It belongs to the open file
//! and, on Linux, not to the process (`F_OFD_SETLK`): locks of a process end when it closes *any* descriptor of the
//! file, as SQLite's "How To Corrupt" says. Locks of `flock` would do on a local disk, but become locks of
//! all bytes on NFS, which SQLite would then wait for.
//!
//! Locks end with the files' handles, however the process ends.

use super::StoreError;
use super::sqlite::io;
use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};

/// The file in the data folder, and the one that a server locks while it runs.
pub(super) const FILE_NAME: &str = "tequio.sqlite";
pub(super) const LOCK_NAME: &str = "lock";

/// The byte of the database that is locked: no file is so long, and SQLite locks none beyond 2^30 + 512.
#[cfg(unix)]
const LOCKED_BYTE: nix::libc::off_t = nix::libc::off_t::MAX - 1;

/// A folder whose database this process alone has open.
#[derive(Debug)]
pub(super) struct Exclusion {
    _lock: File,
    _folder: Option<File>,
    /// The database. It is opened before SQLite opens it, and closed after: on systems where locks end
    /// when any descriptor of a file is closed, this is not closed under SQLite.
    database: File,
    path: PathBuf,
}

impl Exclusion {
    /// Locks the folder `dir` and the database in it, which is made, empty, where there is none.
    ///
    /// Returns [`StoreError::Locked`] while another has one of them.
    pub(super) fn of(dir: &Path) -> Result<Exclusion, StoreError> {
        let path = dir.join(LOCK_NAME);
        let file = File::options().create(true).truncate(false).write(true).open(&path);
        let lock = file.map_err(|error| io(&path, error))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(locked(dir)),
            Err(TryLockError::Error(error)) => return Err(io(&path, error)),
        }
        // Not every system opens a folder, nor locks one on every disk.
        let folder = File::open(dir).ok();
        if let Some(Err(TryLockError::WouldBlock)) = folder.as_ref().map(File::try_lock) {
            return Err(locked(dir));
        }
        let path = dir.join(FILE_NAME);
        let mut options = File::options();
        options.create(true).truncate(false).read(true).write(true);
        let database = options.open(&path).map_err(|error| io(&path, error))?;
        lock_database(&database, &path)?;
        // SQLite keeps its log beside the file itself, not beside a link to it.
        let path = fs::canonicalize(&path).map_err(|error| io(&path, error))?;
        Ok(Exclusion { _lock: lock, _folder: folder, database, path })
    }

    /// Where the database is, all links followed.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Returns an error if the path leads to another file than the one that is locked: somebody has
    /// replaced it in between.
    pub(super) fn check_path(&self) -> Result<(), StoreError> {
        let (path, locked) = (self.path(), self.database.metadata());
        let found = fs::metadata(path).map_err(|error| io(path, error))?;
        let locked = locked.map_err(|error| io(path, error))?;
        if is_same(&found, &locked) {
            return Ok(());
        }
        Err(io(path, "it was replaced while this server started; start it again"))
    }
}

fn locked(place: &Path) -> StoreError {
    StoreError::Locked(place.display().to_string())
}

#[cfg(unix)]
fn lock_database(database: &File, path: &Path) -> Result<(), StoreError> {
    use nix::fcntl::{FcntlArg, fcntl};
    use nix::libc;
    let lock = libc::flock {
        l_type: libc::F_WRLCK as libc::c_short,
        l_whence: libc::SEEK_SET as libc::c_short,
        l_start: LOCKED_BYTE,
        l_len: 1,
        // The system asks for that, where the lock is the open file's.
        l_pid: 0,
    };
    #[cfg(all(any(target_os = "linux", target_os = "android"), target_pointer_width = "64"))]
    let lock = FcntlArg::F_OFD_SETLK(&lock);
    // A lock of the process, SQLite's own kind: this process closes no other descriptor of the file while
    // the store is open but those of SQLite, which knows of this.
    #[cfg(not(all(any(target_os = "linux", target_os = "android"), target_pointer_width = "64")))]
    let lock = FcntlArg::F_SETLK(&lock);
    match fcntl(database, lock) {
        Ok(_) => Ok(()),
        Err(error) => without_lock(error, path),
    }
}

/// What it means that the database was not locked. Some systems that pass for Linux (WSL 1, gVisor) know
/// no locks of open files: there the other two have to do.
#[cfg(unix)]
fn without_lock(error: nix::errno::Errno, path: &Path) -> Result<(), StoreError> {
    use nix::errno::Errno;
    match error {
        Errno::EAGAIN | Errno::EACCES => Err(locked(path)),
        Errno::EINVAL | Errno::ENOSYS | Errno::EOPNOTSUPP => {
            tracing::warn!(
                "this system cannot lock {} itself ({error}), only its folder: see that no second \
                 server opens it by another path",
                path.display()
            );
            Ok(())
        }
        error => Err(io(path, format_args!("it cannot be locked: {error}"))),
    }
}

/// Other systems keep an open file from being deleted and moved, so that its folder's lock is enough.
#[cfg(not(unix))]
fn lock_database(_: &File, _: &Path) -> Result<(), StoreError> {
    Ok(())
}

#[cfg(unix)]
fn is_same(one: &fs::Metadata, other: &fs::Metadata) -> bool {
    use std::os::unix::fs::MetadataExt;
    (one.dev(), one.ino()) == (other.dev(), other.ino())
}

#[cfg(not(unix))]
fn is_same(_: &fs::Metadata, _: &fs::Metadata) -> bool {
    true
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use nix::errno::Errno;

    #[test]
    fn a_system_without_locks_of_open_files_does_with_the_others() {
        let path = Path::new("tequio.sqlite");
        for error in [Errno::EINVAL, Errno::ENOSYS, Errno::EOPNOTSUPP] {
            assert!(without_lock(error, path).is_ok(), "{error}");
        }
        for error in [Errno::EAGAIN, Errno::EACCES] {
            assert!(matches!(without_lock(error, path), Err(StoreError::Locked(_))), "{error}");
        }
        assert!(matches!(without_lock(Errno::EIO, path), Err(StoreError::Unavailable(_))));
    }
}
