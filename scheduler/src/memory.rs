//! What is known of a worker beyond the leases that it holds.

use super::audit::Credit;
use super::ids_hash::IdMap;
use super::job::Job;
use super::lease::Lease;
use super::past::{LateInputs, Past};
use super::sessions::Kept;
use super::speeds::Speeds;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use tequio_protocol::ids::{JobId, LeaseId, WorkerId};
use tequio_protocol::limits::{PAST_LEASES_MAX, SESSION_INPUTS_BYTES_MAX};

/// What is known of a worker.
#[derive(Debug)]
pub(super) struct Memory {
    /// Leases that ended on this connection, and those of earlier ones that were answered to their
    /// end, as many as there is room for; the one that ended first in front.
    ended: VecDeque<Past>,
    /// Those that were not answered to their end when an earlier connection was lost: what the
    /// worker said of them last may be lost as well. They make no room for those that end now, since
    /// a task that was begun before the loss may take long.
    lost: BTreeMap<LeaseId, Past>,
    /// How many of each of these two are remembered.
    room: usize,
    /// Leases below this one were lent before the connection was lost. A worker cannot know which
    /// of its results arrived, and may send some once more that are forgotten here.
    pub(super) lost_before: LeaseId,
    pub(super) speeds: Speeds,
    pub(super) strikes: u32,
    pub(super) credit: Credit,
}

impl Default for Memory {
    fn default() -> Memory {
        Memory {
            ended: VecDeque::new(),
            lost: BTreeMap::new(),
            room: PAST_LEASES_MAX,
            lost_before: LeaseId(0),
            speeds: Speeds::default(),
            strikes: 0,
            credit: Credit::default(),
        }
    }
}

impl Memory {
    /// Twice what it holds is remembered, once it holds so many leases. It never gets less: with fewer
    /// slots a worker still holds what it was lent for more.
    pub(super) fn make_room(&mut self, leases: usize) {
        self.room = self.room.max(leases * 2);
    }

    /// A lease has ended. Those that are `late` are still to be answered, and not forgotten for it.
    pub(super) fn remember(&mut self, past: Past, late: &BTreeSet<LeaseId>) {
        while self.ended.len() >= self.room
            && let Some(at) = self.ended.iter().position(|past| !late.contains(&past.id))
        {
            self.ended.remove(at);
        }
        let all = past.counted.as_ref().map(|counted| counted.all.clone());
        self.ended.push_back(past);
        if let Some(all) = all {
            self.bound_late_inputs(&all);
        }
    }

    /// Forgets the inputs of the leases that ended first, where it keeps more of them than it may. What
    /// still comes of those is dropped.
    fn bound_late_inputs(&mut self, all: &LateInputs) {
        let mut own = self.all().map(Past::inputs_bytes).sum();
        let bytes_max = all.bytes_max(own);
        for past in self.lost.values_mut().chain(&mut self.ended) {
            if own <= bytes_max {
                return;
            }
            own -= past.inputs_bytes();
            past.forget_inputs();
        }
    }

    /// A past lease. What is looked for has mostly just ended.
    pub(super) fn past(&self, id: LeaseId) -> Option<&Past> {
        self.ended.iter().rev().find(|past| past.id == id).or_else(|| self.lost.get(&id))
    }

    pub(super) fn past_mut(&mut self, id: LeaseId) -> Option<&mut Past> {
        self.ended.iter_mut().rev().find(|past| past.id == id).or_else(|| self.lost.get_mut(&id))
    }

    /// A past lease of this `worker` as it was left.
    pub(super) fn lease(&self, id: LeaseId, worker: WorkerId) -> Option<Lease> {
        self.past(id).map(|past| past.to_lease(worker))
    }

    /// Whether what the worker said of a past lease may have been lost with its connection.
    pub(super) fn is_lost(&self, lease: LeaseId) -> bool {
        self.lost.contains_key(&lease)
    }

    pub(super) fn forget_job(&mut self, id: JobId) {
        self.speeds.remove(id);
        for past in self.all_mut().filter(|past| past.job == id) {
            past.forget_inputs();
        }
    }

    /// The connection is lost, and every lease of it has ended. `next_lease` is what the next one
    /// of anybody will be called; `jobs` tell what can still count.
    pub(super) fn lose(&mut self, jobs: &IdMap<JobId, Job>, next_lease: LeaseId) {
        self.lost_before = next_lease;
        for past in std::mem::take(&mut self.ended) {
            if past.is_sent() && past.is_answered() {
                self.ended.push_back(past);
            } else if past.is_sent() {
                self.lost.insert(past.id, past);
            }
        }
        while self.lost.len() > self.room {
            self.lost.pop_first();
        }
        for past in self.all_mut() {
            let is_settled = |job: &Job| job.spec.settled.covers(&past.whole);
            if past.is_refused() || jobs.get(&past.job).is_none_or(is_settled) {
                past.forget_inputs();
            }
        }
        self.bound_inputs();
    }

    /// Keeps the inputs of the newest leases, and no more than [`SESSION_INPUTS_BYTES_MAX`] of them.
    fn bound_inputs(&mut self) {
        let mut all: Vec<&mut Past> = self.all_mut().collect();
        all.sort_unstable_by_key(|past| Reverse(past.id));
        let mut bytes = 0;
        for past in all {
            bytes += past.inputs_bytes();
            if bytes > SESSION_INPUTS_BYTES_MAX {
                past.forget_inputs();
            }
        }
    }

    /// The worker goes on with what was known of it `before`; what it did on this connection, in
    /// plain mode perhaps, is added.
    pub(super) fn resume(&mut self, before: Memory) {
        let since = std::mem::replace(self, before);
        self.ended.extend(since.ended);
        self.room = self.room.max(since.room);
        self.strikes += since.strikes;
        self.credit.add(since.credit);
    }

    pub(super) fn all(&self) -> impl Iterator<Item = &Past> {
        self.ended.iter().chain(self.lost.values())
    }

    fn all_mut(&mut self) -> impl Iterator<Item = &mut Past> {
        self.ended.iter_mut().chain(self.lost.values_mut())
    }

    /// What it takes to keep.
    pub(super) fn bytes(&self) -> usize {
        size_of::<Kept>() + self.all().map(Past::bytes).sum::<usize>()
    }

    pub(super) fn assert_consistent(&self) {
        let ids: BTreeSet<LeaseId> = self.all().map(|past| past.id).collect();
        assert_eq!(ids.len(), self.ended.len() + self.lost.len(), "a past lease is there twice");
        assert!(self.lost.iter().all(|(id, past)| *id == past.id));
        assert!(self.lost.len() <= self.room);
        for past in self.all() {
            let counted = past.counted.as_ref().map_or(0, |counted| counted.bytes);
            assert_eq!(counted, past.inputs_bytes(), "{}", past.id);
        }
    }
}

#[cfg(test)]
impl Memory {
    pub(super) fn leases_ended(&self) -> usize {
        self.ended.len()
    }

    pub(super) fn late_inputs_bytes(&self) -> usize {
        self.all().map(Past::inputs_bytes).sum()
    }
}
