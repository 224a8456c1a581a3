//! How many workers answer in time and have slots, and where, of each op that they can compute.

use super::{Origin, Skills};
use std::collections::{BTreeMap, HashMap};

/// Workers that answer in time and have slots, by what they can compute.
#[derive(Debug, Default)]
pub(super) struct Able {
    of: BTreeMap<Skills, AbleFor>,
    workers: usize,
}

/// Those that can compute one op.
#[derive(Debug, Default)]
pub(super) struct AbleFor {
    pub(super) workers: usize,
    /// How many there are at each address that has some.
    pub(super) at: HashMap<Origin, usize>,
}

impl Able {
    pub(super) fn add(&mut self, origin: Origin, skills: Skills) {
        self.workers += 1;
        for skill in skills.each() {
            let able = self.of.entry(skill).or_default();
            able.workers += 1;
            *able.at.entry(origin).or_default() += 1;
        }
    }

    pub(super) fn remove(&mut self, origin: Origin, skills: Skills) {
        self.workers -= 1;
        for skill in skills.each() {
            let Some(able) = self.of.get_mut(&skill) else { continue };
            able.workers -= 1;
            if let Some(count) = able.at.get_mut(&origin) {
                *count -= 1;
                if *count == 0 {
                    able.at.remove(&origin);
                }
            }
        }
    }

    /// Those that can compute this op; none where there were none yet.
    pub(super) fn with(&self, skill: Skills) -> Option<&AbleFor> {
        self.of.get(&skill)
    }

    /// How many can compute anything or nothing.
    pub(super) fn workers(&self) -> usize {
        self.workers
    }

    pub(super) fn assert_consistent(&self) {
        for able in self.of.values() {
            assert_eq!(able.workers, able.at.values().sum::<usize>());
        }
    }
}
