//! Recording outcomes and states of jobs, and how much of them the server has computed itself.

use super::damage;
use super::jobs::{select_published, update_state, upsert_audited};
use super::outcomes::{OUTCOMES, insert_recordings};
use super::rows::ROW;
use super::transaction::Failure;
use crate::store::{Fresh, Recording, StoreError};
use rusqlite::Transaction;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU8, Ordering};
use tequio_protocol::api::JobState;
use tequio_protocol::ids::JobId;
use tracing::warn;

/// Whether it is counted how much of jobs was audited: not once that table was found damaged. It lies beside those of jobs,
/// and nothing else is the worse for it.
#[derive(Debug, Default)]
pub(super) struct AuditedCount(AtomicU8);

const IS_FOUND_LOST: u8 = 1;
const IS_LOST: u8 = 2;

impl AuditedCount {
    fn add(&self, tx: &Transaction<'_>, job: JobId, tasks: u64) -> Result<(), Failure> {
        if tasks == 0 || self.0.load(Ordering::Relaxed) != 0 {
            return Ok(());
        }
        let added = upsert_audited(tx, job, tasks);
        if let Err(Failure::Sqlite(error)) = &added
            && let Some(what) = damage::of(error)
        {
            warn!("how many results are audited is not counted any more: {what}");
            self.0.store(IS_FOUND_LOST, Ordering::Relaxed);
        }
        added
    }

    /// Whether it was found damaged since the last call.
    pub(super) fn is_lost_now(&self) -> bool {
        let change =
            self.0.compare_exchange(IS_FOUND_LOST, IS_LOST, Ordering::Relaxed, Ordering::Relaxed);
        change.is_ok()
    }
}

/// Records outcomes, and states of jobs; gives what of the outcomes was new.
pub(super) fn record(
    tx: &Transaction<'_>,
    recordings: &[Recording],
    states: &BTreeMap<JobId, JobState>,
    audited: &AuditedCount,
) -> Result<Vec<Fresh>, Failure> {
    for (job, state) in states {
        match damage::of_job(*job, ROW, update_state(tx, *job, *state)) {
            Ok(()) | Err(Failure::Store(StoreError::NoSuchJob(_))) => {}
            Err(error) => return Err(error),
        }
    }
    let mut fresh = Vec::with_capacity(recordings.len());
    for of_job in recordings.chunk_by(|one, next| one.job == next.job) {
        let job = of_job[0].job;
        select_published(tx, job)?;
        let inserted = insert_recordings(tx, of_job, &mut fresh);
        damage::of_job(job, OUTCOMES, inserted)?;
        audited.add(tx, job, audited_in(of_job, &fresh[fresh.len() - of_job.len()..]))?;
    }
    Ok(fresh)
}

/// How many of the tasks that were new the server has computed itself.
fn audited_in(recordings: &[Recording], fresh: &[Fresh]) -> u64 {
    let audited = |(recording, fresh): (&Recording, &Fresh)| match fresh {
        Fresh::All => recording.audited,
        Fresh::Only(new) => {
            recording.audited.min(new.iter().map(|tasks| tasks.end - tasks.start).sum())
        }
    };
    recordings.iter().zip(fresh).map(audited).sum()
}
