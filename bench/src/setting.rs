//! Where things are, for every measure.

use anyhow::{Context, Result};
use std::fs;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// What a measure runs with.
#[derive(Clone, Debug)]
pub(crate) struct Setting {
    /// The release binary of `tequio`, the page inside.
    pub(crate) tequio: PathBuf,
    /// The repository.
    pub(crate) root: PathBuf,
    /// Where cargo builds.
    pub(crate) target: PathBuf,
    /// What measures install and keep, as `target/bench/...`.
    pub(crate) cache: PathBuf,
}

impl Setting {
    pub(crate) fn new(tequio: PathBuf, root: PathBuf, target: &Path) -> Result<Setting> {
        let cache = target.join("bench");
        fs::create_dir_all(&cache).with_context(|| format!("creating {}", cache.display()))?;
        Ok(Setting { tequio, root, target: target.to_owned(), cache })
    }

    /// A new folder on the disk that cargo builds on, gone when dropped: a system's folder for
    /// temporary files may be memory, where nothing has to be written.
    pub(crate) fn folder(&self) -> Result<TempDir> {
        TempDir::new_in(&self.cache)
            .with_context(|| format!("creating a folder in {}", self.cache.display()))
    }
}
