//! How many workers answer in time and have slots, and where.

use super::Origin;
use std::collections::HashMap;

/// Workers that answer in time and have slots.
#[derive(Debug, Default)]
pub(super) struct Able {
    pub(super) workers: usize,
    /// How many there are at each address that has some.
    pub(super) at: HashMap<Origin, usize>,
}

impl Able {
    pub(super) fn add(&mut self, origin: Origin) {
        self.workers += 1;
        *self.at.entry(origin).or_default() += 1;
    }

    pub(super) fn remove(&mut self, origin: Origin) {
        self.workers -= 1;
        if let Some(count) = self.at.get_mut(&origin) {
            *count -= 1;
            if *count == 0 {
                self.at.remove(&origin);
            }
        }
    }
}
