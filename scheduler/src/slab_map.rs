//! A table by ids whose entries are large: they lie side by side in a slab, and the table has only
//! their keys in it. What is entered next takes the place that became free last, which is in the cache
//! still: a worker's next lease is where the one was that it has just answered.

use super::ids_hash::IdMap;
use slab::Slab;
use std::hash::Hash;
use std::ops::Index;

#[derive(Debug)]
pub(super) struct SlabMap<Id, T> {
    keys: IdMap<Id, u32>,
    entries: Slab<(Id, T)>,
}

impl<Id: Copy + Eq + Hash, T> SlabMap<Id, T> {
    pub(super) fn len(&self) -> usize {
        self.keys.len()
    }

    pub(super) fn contains_key(&self, id: &Id) -> bool {
        self.keys.contains_key(id)
    }

    pub(super) fn get(&self, id: &Id) -> Option<&T> {
        let key = *self.keys.get(id)?;
        self.entries.get(key as usize).map(|(_, entry)| entry)
    }

    pub(super) fn get_mut(&mut self, id: &Id) -> Option<&mut T> {
        let key = *self.keys.get(id)?;
        self.entries.get_mut(key as usize).map(|(_, entry)| entry)
    }

    /// Enters something, in place of what has this id already.
    pub(super) fn insert(&mut self, id: Id, entry: T) {
        self.remove(&id);
        let key = self.entries.insert((id, entry));
        self.keys.insert(id, u32::try_from(key).expect("memory ends before the keys do"));
    }

    pub(super) fn remove(&mut self, id: &Id) -> Option<T> {
        let key = self.keys.remove(id)?;
        self.entries.try_remove(key as usize).map(|(_, entry)| entry)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (Id, &T)> {
        self.entries.iter().map(|(_, (id, entry))| (*id, entry))
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = (Id, &mut T)> {
        self.entries.iter_mut().map(|(_, (id, entry))| (*id, entry))
    }

    pub(super) fn values(&self) -> impl Iterator<Item = &T> {
        self.iter().map(|(_, entry)| entry)
    }

    pub(super) fn assert_consistent(&self) {
        assert_eq!(self.keys.len(), self.entries.len());
        for (id, key) in &self.keys {
            assert!(self.entries.get(*key as usize).is_some_and(|(other, _)| other == id));
        }
    }
}

impl<Id, T> Default for SlabMap<Id, T> {
    fn default() -> SlabMap<Id, T> {
        SlabMap { keys: IdMap::default(), entries: Slab::new() }
    }
}

impl<Id: Copy + Eq + Hash, T> Index<&Id> for SlabMap<Id, T> {
    type Output = T;

    fn index(&self, id: &Id) -> &T {
        self.get(id).expect("it is entered")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tequio_protocol::ids::LeaseId;

    #[test]
    fn the_place_that_became_free_last_is_taken_next() {
        let mut table = SlabMap::default();
        for id in 1..=4 {
            table.insert(LeaseId(id), id);
        }
        assert_eq!(table.remove(&LeaseId(1)), Some(1));
        assert_eq!(table.remove(&LeaseId(3)), Some(3));
        assert_eq!(table.remove(&LeaseId(3)), None);
        table.insert(LeaseId(5), 5);
        table.insert(LeaseId(5), 50);
        table.assert_consistent();
        let entries: Vec<_> = table.iter().map(|(id, entry)| (id.0, *entry)).collect();
        assert_eq!(entries, [(2, 2), (5, 50), (4, 4)]);
        assert!(!table.contains_key(&LeaseId(1)) && table[&LeaseId(4)] == 4);
    }
}
