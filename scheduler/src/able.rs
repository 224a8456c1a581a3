//! How many workers answer in time and have slots, and where, of each op that they can compute.

use super::skills::KernelKey;
use super::worker::Worker;
use super::{Origin, Skills};
use std::cell::OnceCell;
use std::collections::{BTreeMap, HashMap};

/// Workers that answer in time and have slots, by what they can compute.
#[derive(Debug, Default)]
pub(super) struct Able {
    of: BTreeMap<Skills, AbleFor>,
    /// Those that compute kernels, and not this one.
    cannot: HashMap<KernelKey, AbleFor>,
    workers: usize,
}

/// Those that can compute one op.
#[derive(Debug, Default)]
struct AbleFor {
    workers: usize,
    /// How many there are at each address that has some.
    at: HashMap<Origin, usize>,
}

/// Those that can compute one job.
pub(super) struct AbleHere<'a> {
    skill: Skills,
    kernel: Option<KernelKey>,
    all: &'a AbleFor,
    cannot: Option<&'a AbleFor>,
    /// Counted when it is asked for: that looks at all addresses of those that cannot.
    places: OnceCell<usize>,
}

impl AbleFor {
    fn add(&mut self, origin: Origin) {
        self.workers += 1;
        *self.at.entry(origin).or_default() += 1;
    }

    fn remove(&mut self, origin: Origin) {
        self.workers -= 1;
        if let Some(count) = self.at.get_mut(&origin) {
            *count -= 1;
            if *count == 0 {
                self.at.remove(&origin);
            }
        }
    }

    fn count_at(&self, origin: Origin) -> usize {
        self.at.get(&origin).copied().unwrap_or(0)
    }
}

impl AbleHere<'_> {
    /// How many there are.
    pub(super) fn workers(&self) -> usize {
        self.all.workers - self.cannot.map_or(0, |cannot| cannot.workers)
    }

    /// Whether this worker is one of them.
    pub(super) fn counts(&self, worker: &Worker) -> bool {
        let can_load = |kernel| !worker.cannot.contains(&kernel);
        let has_skill = worker.skills.has_some_of(self.skill);
        worker.is_able && has_skill && self.kernel.is_none_or(can_load)
    }

    /// At how many addresses.
    pub(super) fn places(&self) -> usize {
        let is_without = |origin: &&Origin| !self.has(**origin);
        let without =
            || self.cannot.map_or(0, |cannot| cannot.at.keys().filter(is_without).count());
        *self.places.get_or_init(|| self.all.at.len() - without())
    }

    /// Whether there are some at this address.
    pub(super) fn has(&self, origin: Origin) -> bool {
        let cannot = self.cannot.map_or(0, |cannot| cannot.count_at(origin));
        self.all.count_at(origin) > cannot
    }
}

impl Able {
    pub(super) fn add(&mut self, origin: Origin, skills: Skills, cannot: &[KernelKey]) {
        self.workers += 1;
        skills.each().for_each(|skill| self.of.entry(skill).or_default().add(origin));
        for kernel in cannot {
            self.cannot.entry(*kernel).or_default().add(origin);
        }
    }

    pub(super) fn remove(&mut self, origin: Origin, skills: Skills, cannot: &[KernelKey]) {
        self.workers -= 1;
        for skill in skills.each() {
            if let Some(able) = self.of.get_mut(&skill) {
                able.remove(origin);
            }
        }
        for kernel in cannot {
            let Some(unable) = self.cannot.get_mut(kernel) else { continue };
            unable.remove(origin);
            if unable.workers == 0 {
                self.cannot.remove(kernel);
            }
        }
    }

    /// Those that can compute an op, and this kernel if it is one; none where there were none yet.
    pub(super) fn with(&self, skill: Skills, kernel: Option<KernelKey>) -> Option<AbleHere<'_>> {
        let all = self.of.get(&skill)?;
        let cannot = kernel.and_then(|kernel| self.cannot.get(&kernel));
        Some(AbleHere { skill, kernel, all, cannot, places: OnceCell::new() })
    }

    /// How many can compute anything or nothing.
    pub(super) fn workers(&self) -> usize {
        self.workers
    }

    pub(super) fn assert_consistent(&self) {
        for able in self.of.values().chain(self.cannot.values()) {
            assert_eq!(able.workers, able.at.values().sum::<usize>());
        }
        // Who cannot load a kernel is among those that compute kernels.
        for skill in Skills::kernels().each().filter(|_| !self.cannot.is_empty()) {
            let all = &self.of[&skill];
            let unable = self.cannot.values().flat_map(|cannot| &cannot.at);
            unable.for_each(|(origin, count)| assert!(all.count_at(*origin) >= *count));
        }
    }
}
