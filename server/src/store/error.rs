//! Why a store could not do what it was asked.

use std::fmt;
use std::ops::Range;
use tequio_protocol::api::JobState;
use tequio_protocol::ids::JobId;
use tequio_protocol::op::kernel::Sha256;
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
    /// There is no such job. What is being removed is none any more, and a draft is one to few calls.
    #[error("there is no job {0}")]
    NoSuchJob(JobId),
    /// The job is nothing that this can be done to.
    #[error("job {job} is {is}")]
    WrongState {
        /// The job.
        job: JobId,
        /// What it is.
        is: Condition,
    },
    /// The job has no such tasks, or no inputs of them.
    #[error("job {job} has no inputs, or no tasks, within {first}..{end}")]
    OutOfRange {
        /// The job.
        job: JobId,
        /// The first index.
        first: u64,
        /// The one behind the last.
        end: u64,
    },
    /// The job has inputs there already.
    #[error("job {job} has inputs within {first}..{end} already")]
    Taken {
        /// The job.
        job: JobId,
        /// The first index.
        first: u64,
        /// The one behind the last.
        end: u64,
    },
    /// Another kernel has the name.
    #[error(
        "the name {name} is another kernel's ({by}); choose another with --name, or remove that one"
    )]
    NameTaken {
        /// The name.
        name: String,
        /// The other's hash.
        by: String,
    },
    /// Jobs are computed with the kernel.
    #[error(
        "the kernel {sha256} is used by {jobs} jobs, job {first} the first: remove them before"
    )]
    KernelInUse {
        /// The kernel's hash.
        sha256: Sha256,
        /// How many.
        jobs: u64,
        /// The first one's number.
        first: u64,
    },
    /// There is no such kernel.
    #[error("there is no kernel {0}")]
    NoSuchKernel(Sha256),
    /// A part of a job cannot be read, or be written to. The rest of the file may be whole.
    #[error("{}: {what}", job_named(*.job, .name))]
    Damaged {
        /// The job.
        job: JobId,
        /// Its name, empty where it has none or that cannot be read.
        name: String,
        /// Which part, and what is wrong with it.
        what: String,
        /// Where it is one row of outcomes: of which tasks. These can be computed again.
        outcomes: Option<Range<u64>>,
    },
    /// The file cannot be read as a whole: which it is, what is wrong with it, and what to do.
    #[error("{0}")]
    Unusable(String),
    /// The disk is full, or fails: the file, and what the system said.
    #[error("{0}")]
    Unavailable(String),
}

/// What a job is, where that is in the way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Condition {
    /// A job in this state.
    In(JobState),
    /// A job in this state that takes no more inputs.
    Closed(JobState),
    /// One of a grid, which takes no inputs.
    OfGrid,
    /// Set aside, since a part of it cannot be read or written.
    SetAside,
}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Condition::In(state) => f.write_str(state.name()),
            Condition::Closed(state) => write!(f, "{} and takes no more inputs", state.name()),
            Condition::OfGrid => f.write_str("one of a grid, which takes no inputs"),
            Condition::SetAside => f.write_str("set aside, since a part of it cannot be read"),
        }
    }
}

impl StoreError {
    /// Whether the job, as it is, does not allow what was asked, and nothing is wrong with the store.
    pub fn is_refusal(&self) -> bool {
        matches!(
            self,
            StoreError::NoSuchJob(_)
                | StoreError::WrongState { .. }
                | StoreError::OutOfRange { .. }
                | StoreError::Taken { .. }
                | StoreError::NameTaken { .. }
                | StoreError::KernelInUse { .. }
                | StoreError::NoSuchKernel(_)
        )
    }

    /// The job that alone it is about, and what is wrong with that; `None` where it is the file or the
    /// disk, so that no other job can go on either.
    pub fn of_job(&self) -> Option<(JobId, String)> {
        match self {
            StoreError::Damaged { job, what, .. } => Some((*job, what.clone())),
            StoreError::NoSuchJob(job)
            | StoreError::WrongState { job, .. }
            | StoreError::OutOfRange { job, .. }
            | StoreError::Taken { job, .. } => Some((*job, self.to_string())),
            StoreError::NameTaken { .. }
            | StoreError::KernelInUse { .. }
            | StoreError::NoSuchKernel(_)
            | StoreError::Locked(_)
            | StoreError::Newer { .. }
            | StoreError::Foreign(_)
            | StoreError::Unusable(_)
            | StoreError::Unavailable(_) => None,
        }
    }
}

/// A job as sentences name it: `job 3 (sweep)`.
pub(crate) fn job_named(id: JobId, name: &str) -> String {
    match name {
        "" => format!("job {id}"),
        name => format!("job {id} ({})", quote(name)),
    }
}
