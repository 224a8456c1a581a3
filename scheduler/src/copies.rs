//! The leases of one job that are out, in groups: an original, and the copies of it that idle workers
//! got. Groups do not overlap; a copy lies within the range that its original had.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use tequio_protocol::ids::LeaseId;
use tequio_protocol::limits::LEASE_COPIES_MAX;

/// The groups, by the ids of their originals. An original may have ended while a copy is out.
#[derive(Debug, Default)]
pub(super) struct Copies {
    /// Those that may have one more copy. Nearly all are here, and are only looked through when a
    /// job has nothing else left.
    copyable: BTreeMap<LeaseId, Group>,
    /// Those that have all that they may.
    full: BTreeMap<LeaseId, Group>,
}

/// What is out of a group: at least one lease, and no more than a place each.
#[derive(Clone, Copy, Debug)]
struct Group {
    places: [LeaseId; LEASE_COPIES_MAX + 1],
    len: u8,
}

impl Copies {
    /// A lease is out: an original, or a copy of one that may have one more.
    pub(super) fn join(&mut self, original: LeaseId, lease: LeaseId) {
        let group = self.copyable.entry(original).or_insert(Group::NONE);
        group.push(lease);
        if group.is_full() {
            self.full.extend(self.copyable.remove_entry(&original));
        }
    }

    /// A lease is not out any more. Its group ends with the last.
    pub(super) fn leave(&mut self, original: LeaseId, lease: LeaseId) {
        self.copyable.extend(self.full.remove_entry(&original));
        let Entry::Occupied(mut group) = self.copyable.entry(original) else { return };
        group.get_mut().remove(lease);
        if group.get().len == 0 {
            group.remove();
        }
    }

    /// What is out of an original and its copies; nothing of a group that is over.
    pub(super) fn of(&self, original: LeaseId) -> &[LeaseId] {
        let group = self.copyable.get(&original).or_else(|| self.full.get(&original));
        group.map_or(&[], Group::as_slice)
    }

    /// Originals of which there may be one more copy, the oldest first.
    pub(super) fn copyable(&self) -> impl Iterator<Item = LeaseId> {
        self.copyable.keys().copied()
    }

    /// Every lease that is out.
    pub(super) fn leases(&self) -> impl Iterator<Item = LeaseId> {
        self.iter().flat_map(|(_, group)| group).copied()
    }

    /// Every group with what is out of it.
    pub(super) fn iter(&self) -> impl Iterator<Item = (LeaseId, &[LeaseId])> {
        let all = self.copyable.iter().chain(&self.full);
        all.map(|(original, group)| (*original, group.as_slice()))
    }

    pub(super) fn assert_consistent(&self) {
        assert!(self.copyable.values().all(|group| group.len > 0 && !group.is_full()));
        assert!(self.full.values().all(Group::is_full));
        assert!(self.full.keys().all(|original| !self.copyable.contains_key(original)));
    }
}

impl Group {
    const NONE: Group = Group { places: [LeaseId(0); LEASE_COPIES_MAX + 1], len: 0 };

    fn as_slice(&self) -> &[LeaseId] {
        &self.places[..usize::from(self.len)]
    }

    fn is_full(&self) -> bool {
        usize::from(self.len) == self.places.len()
    }

    fn push(&mut self, lease: LeaseId) {
        self.places[usize::from(self.len)] = lease;
        self.len += 1;
    }

    fn remove(&mut self, lease: LeaseId) {
        if let Some(at) = self.as_slice().iter().position(|other| *other == lease) {
            self.places[at..usize::from(self.len)].rotate_left(1);
            self.len -= 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIRST: LeaseId = LeaseId(1);

    fn copyable(copies: &Copies) -> Vec<u64> {
        copies.assert_consistent();
        copies.copyable().map(|original| original.0).collect()
    }

    #[test]
    fn an_original_with_all_its_copies_is_not_copied_again_until_one_ends() {
        let mut copies = Copies::default();
        for lease in [1, 2, 3] {
            copies.join(LeaseId(lease), LeaseId(lease));
        }
        copies.join(FIRST, LeaseId(4));
        assert_eq!(copyable(&copies), [1, 2, 3]);
        copies.join(FIRST, LeaseId(5));
        assert_eq!(copyable(&copies), [2, 3]);
        assert_eq!(copies.of(FIRST), [1, 4, 5].map(LeaseId));
        copies.leave(FIRST, LeaseId(4));
        assert_eq!(copyable(&copies), [1, 2, 3]);
        assert_eq!(copies.leases().count(), 4);
    }

    #[test]
    fn a_group_outlives_its_original_and_ends_with_its_last() {
        let mut copies = Copies::default();
        copies.join(FIRST, FIRST);
        copies.join(FIRST, LeaseId(2));
        copies.leave(FIRST, FIRST);
        copies.leave(FIRST, FIRST);
        assert_eq!(copies.of(FIRST), [LeaseId(2)]);
        copies.leave(FIRST, LeaseId(2));
        copies.leave(FIRST, LeaseId(2));
        assert!(copyable(&copies).is_empty());
        assert!(copies.of(FIRST).is_empty());
    }
}
