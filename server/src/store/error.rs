//! Why a store could not do what it was asked.

use tequio_protocol::ids::JobId;
use tequio_protocol::text::quote;

/// Why a store could not do it.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The data folder is in use by another server.
    #[error("{0} is in use by another tequio; stop that one, or choose another folder with --data")]
    Locked(String),
    /// The file is of a newer format.
    #[error(
        "{path} has format {found}, and this tequio knows formats up to {known}: use a newer tequio"
    )]
    Newer {
        /// The file.
        path: String,
        /// Its format.
        found: i64,
        /// The newest that this version knows.
        known: i64,
    },
    /// The file is no store of Tequio's.
    #[error(
        "{0} is no store of tequio's but a file of another program; choose another folder with --data"
    )]
    Foreign(String),
    /// An index has an outcome, or an input, already.
    #[error("job {job} has outcomes or inputs within {first}..{end} already")]
    Overlap {
        /// The job.
        job: JobId,
        /// The first index.
        first: u64,
        /// The one behind the last.
        end: u64,
    },
    /// There is no such job, or no such inputs of it.
    #[error("job {0} is not there, or lacks what was asked for")]
    Missing(JobId),
    /// A part of a job cannot be read, or be written to. The rest of the file may be whole.
    #[error("{}: {what}", job_named(*.job, .name))]
    Damaged {
        /// The job.
        job: JobId,
        /// Its name, empty where it has none or that cannot be read.
        name: String,
        /// Which part, and what is wrong with it.
        what: String,
    },
    /// The file cannot be read as a whole: which it is, what is wrong with it, and what to do.
    #[error("{0}")]
    Unusable(String),
    /// The disk is full, or fails: the file, and what the system said.
    #[error("{0}")]
    Io(String),
}

/// A job as sentences name it: `job 3 (sweep)`.
pub(crate) fn job_named(id: JobId, name: &str) -> String {
    match name {
        "" => format!("job {id}"),
        name => format!("job {id} ({})", quote(name)),
    }
}
