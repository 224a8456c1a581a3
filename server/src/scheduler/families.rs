//! The leases of one job that are out, by families: a first lease, and the copies of it that idle
//! workers got. Families do not overlap; a copy lies within the range that its first lease had.

use std::collections::BTreeMap;
use tequio_protocol::ids::LeaseId;
use tequio_protocol::limits::LEASE_COPIES_MAX;

/// Families, named by their first leases. The first may have ended while a copy is out.
#[derive(Debug, Default)]
pub(super) struct Families {
    /// Those that may have one more copy. Nearly all are here, and are only looked through when a
    /// job has nothing else left.
    copyable: BTreeMap<LeaseId, Members>,
    /// Those that have all that they may.
    full: BTreeMap<LeaseId, Members>,
}

/// What of a family is out: at least one lease, and no more than a place each.
#[derive(Clone, Copy, Debug)]
struct Members {
    places: [LeaseId; LEASE_COPIES_MAX + 1],
    len: u8,
}

impl Families {
    /// A lease is out, in a family that is new or may have a copy.
    pub(super) fn join(&mut self, family: LeaseId, lease: LeaseId) {
        let members = self.copyable.entry(family).or_insert(Members::NONE);
        members.push(lease);
        if members.is_full() {
            self.full.extend(self.copyable.remove_entry(&family));
        }
    }

    /// A lease is not out any more; its family ends with the last.
    pub(super) fn leave(&mut self, family: LeaseId, lease: LeaseId) {
        self.copyable.extend(self.full.remove_entry(&family));
        let Some(members) = self.copyable.get_mut(&family) else { return };
        members.remove(lease);
        if members.len == 0 {
            self.copyable.remove(&family);
        }
    }

    /// The leases of a family that are out; none of a family that is over.
    pub(super) fn members(&self, family: LeaseId) -> &[LeaseId] {
        let members = self.copyable.get(&family).or_else(|| self.full.get(&family));
        members.map_or(&[], Members::as_slice)
    }

    /// Families that may have one more copy, the oldest first.
    pub(super) fn copyable(&self) -> impl Iterator<Item = LeaseId> {
        self.copyable.keys().copied()
    }

    /// Every lease that is out.
    pub(super) fn leases(&self) -> impl Iterator<Item = LeaseId> {
        self.iter().flat_map(|(_, members)| members).copied()
    }

    /// Every family with what of it is out.
    pub(super) fn iter(&self) -> impl Iterator<Item = (LeaseId, &[LeaseId])> {
        let all = self.copyable.iter().chain(&self.full);
        all.map(|(family, members)| (*family, members.as_slice()))
    }

    pub(super) fn assert_consistent(&self) {
        assert!(self.copyable.values().all(|members| members.len > 0 && !members.is_full()));
        assert!(self.full.values().all(Members::is_full));
        assert!(self.full.keys().all(|family| !self.copyable.contains_key(family)));
    }
}

impl Members {
    const NONE: Members = Members { places: [LeaseId(0); LEASE_COPIES_MAX + 1], len: 0 };

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
        if let Some(at) = self.as_slice().iter().position(|member| *member == lease) {
            self.places[at..usize::from(self.len)].rotate_left(1);
            self.len -= 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIRST: LeaseId = LeaseId(1);

    fn copyable(families: &Families) -> Vec<u64> {
        families.assert_consistent();
        families.copyable().map(|family| family.0).collect()
    }

    #[test]
    fn a_family_with_all_its_copies_is_not_copied_again_until_one_ends() {
        let mut families = Families::default();
        for lease in [1, 2, 3] {
            families.join(LeaseId(lease), LeaseId(lease));
        }
        families.join(FIRST, LeaseId(4));
        assert_eq!(copyable(&families), [1, 2, 3]);
        families.join(FIRST, LeaseId(5));
        assert_eq!(copyable(&families), [2, 3]);
        assert_eq!(families.members(FIRST), [1, 4, 5].map(LeaseId));
        families.leave(FIRST, LeaseId(4));
        assert_eq!(copyable(&families), [1, 2, 3]);
        assert_eq!(families.leases().count(), 4);
    }

    #[test]
    fn a_family_outlives_its_first_lease_and_ends_with_its_last() {
        let mut families = Families::default();
        families.join(FIRST, FIRST);
        families.join(FIRST, LeaseId(2));
        families.leave(FIRST, FIRST);
        families.leave(FIRST, FIRST);
        assert_eq!(families.members(FIRST), [LeaseId(2)]);
        families.leave(FIRST, LeaseId(2));
        families.leave(FIRST, LeaseId(2));
        assert!(copyable(&families).is_empty());
        assert!(families.members(FIRST).is_empty());
    }
}
