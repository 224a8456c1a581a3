//! Which workers hold leases of one job: counted as leases come and go, since a look at a job must not
//! walk all that is out of it.

use super::ids_hash::IdMap;
use tequio_protocol::ids::WorkerId;

/// How many leases of a job each worker holds; only those that hold any.
#[derive(Debug, Default)]
pub(super) struct Holders(IdMap<WorkerId, u32>);

impl Holders {
    /// A worker holds one lease more.
    pub(super) fn join(&mut self, worker: WorkerId) {
        *self.0.entry(worker).or_insert(0) += 1;
    }

    /// A worker holds one lease fewer.
    pub(super) fn leave(&mut self, worker: WorkerId) {
        if let Some(leases) = self.0.get_mut(&worker) {
            *leases -= 1;
            if *leases == 0 {
                self.0.remove(&worker);
            }
        }
    }

    /// How many workers hold any.
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// Checks that it says what walking all leases says: `workers` has one entry a lease.
    pub(super) fn assert_counts(&self, workers: impl Iterator<Item = WorkerId>) {
        let mut counted = Holders::default();
        workers.for_each(|worker| counted.join(worker));
        assert_eq!(self.0, counted.0);
    }
}
