//! Whether the files of a store are still where they were opened. Somebody may delete, move or replace
//! them while a server runs: it then goes on writing to files that nobody finds again, or that another
//! server has made in their place.

use std::path::{Path, PathBuf};

/// Files as they were opened: of each path, which file that was.
#[derive(Debug)]
pub(super) struct Identity(Vec<(PathBuf, Id)>);

/// The device and the inode of a file.
#[cfg(unix)]
type Id = (u64, u64);

/// Systems that do not tell keep open files from being deleted and moved.
#[cfg(not(unix))]
type Id = ();

impl Identity {
    /// What the files are now. Returns an error if one is not there.
    pub(super) fn of(paths: &[PathBuf]) -> std::io::Result<Identity> {
        let with_id = |path: &PathBuf| Ok((path.clone(), id_of(path)?));
        paths.iter().map(with_id).collect::<std::io::Result<_>>().map(Identity)
    }

    /// Returns an error that names the first file that is not the one that was opened.
    pub(super) fn check(&self) -> Result<(), String> {
        self.0.iter().try_for_each(|(path, id)| match id_of(path) {
            Ok(found) if found == *id => Ok(()),
            Ok(_) => Err(lost(path, "is another file now")),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                Err(lost(path, "was deleted or moved"))
            }
            Err(error) => Err(lost(path, &error.to_string())),
        })
    }
}

fn lost(path: &Path, what: &str) -> String {
    format!(
        "{} {what} while this server runs; put the files back that it opened, or stop it and start \
         it again",
        path.display()
    )
}

#[cfg(unix)]
fn id_of(path: &Path) -> std::io::Result<Id> {
    use std::os::unix::fs::MetadataExt;
    let found = std::fs::metadata(path)?;
    Ok((found.dev(), found.ino()))
}

#[cfg(not(unix))]
fn id_of(path: &Path) -> std::io::Result<Id> {
    std::fs::metadata(path).map(drop)
}
