//! A table by ids whose entries are large: they lie side by side in slots, and the table has only
//! their numbers. What is entered next takes the slot that became free last, which is in the cache
//! still: a worker's next lease is where the one was that it has just answered.

use super::ids_hash::IdMap;
use std::hash::Hash;
use std::ops::Index;

#[derive(Debug)]
pub(super) struct Slots<Id, T> {
    numbers: IdMap<Id, u32>,
    slots: Vec<Option<(Id, T)>>,
    /// Slots without an entry, the one that became free last at the end.
    free: Vec<u32>,
}

impl<Id: Copy + Eq + Hash, T> Slots<Id, T> {
    pub(super) fn len(&self) -> usize {
        self.numbers.len()
    }

    pub(super) fn contains_key(&self, id: &Id) -> bool {
        self.numbers.contains_key(id)
    }

    pub(super) fn get(&self, id: &Id) -> Option<&T> {
        let number = *self.numbers.get(id)?;
        self.slots[number as usize].as_ref().map(|(_, entry)| entry)
    }

    pub(super) fn get_mut(&mut self, id: &Id) -> Option<&mut T> {
        let number = *self.numbers.get(id)?;
        self.slots[number as usize].as_mut().map(|(_, entry)| entry)
    }

    /// Enters something, in place of what has this id already.
    pub(super) fn insert(&mut self, id: Id, entry: T) {
        self.remove(&id);
        let number = self.free.pop().unwrap_or_else(|| {
            self.slots.push(None);
            u32::try_from(self.slots.len() - 1).expect("memory ends before the numbers do")
        });
        self.slots[number as usize] = Some((id, entry));
        self.numbers.insert(id, number);
    }

    pub(super) fn remove(&mut self, id: &Id) -> Option<T> {
        let number = self.numbers.remove(id)?;
        self.free.push(number);
        self.slots[number as usize].take().map(|(_, entry)| entry)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (Id, &T)> {
        self.slots.iter().flatten().map(|(id, entry)| (*id, entry))
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = (Id, &mut T)> {
        self.slots.iter_mut().flatten().map(|(id, entry)| (*id, entry))
    }

    pub(super) fn values(&self) -> impl Iterator<Item = &T> {
        self.iter().map(|(_, entry)| entry)
    }

    pub(super) fn assert_consistent(&self) {
        assert_eq!(self.numbers.len() + self.free.len(), self.slots.len());
        assert!(self.free.iter().all(|number| self.slots[*number as usize].is_none()));
        for (id, number) in &self.numbers {
            assert!(self.slots[*number as usize].as_ref().is_some_and(|(other, _)| other == id));
        }
    }
}

impl<Id, T> Default for Slots<Id, T> {
    fn default() -> Slots<Id, T> {
        Slots { numbers: IdMap::default(), slots: Vec::new(), free: Vec::new() }
    }
}

impl<Id: Copy + Eq + Hash, T> Index<&Id> for Slots<Id, T> {
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
    fn the_slot_that_became_free_last_is_taken_next() {
        let mut slots = Slots::default();
        for id in 1..=4 {
            slots.insert(LeaseId(id), id);
        }
        assert_eq!(slots.remove(&LeaseId(1)), Some(1));
        assert_eq!(slots.remove(&LeaseId(3)), Some(3));
        assert_eq!(slots.remove(&LeaseId(3)), None);
        slots.insert(LeaseId(5), 5);
        slots.insert(LeaseId(5), 50);
        slots.assert_consistent();
        let entries: Vec<_> = slots.iter().map(|(id, entry)| (id.0, *entry)).collect();
        assert_eq!(entries, [(2, 2), (5, 50), (4, 4)]);
        assert!(!slots.contains_key(&LeaseId(1)) && slots[&LeaseId(4)] == 4);
    }
}
