//! What is known of a worker beyond the leases that it holds, and how that outlives its connection:
//! a tab that loses its line for some seconds comes back with results that nobody has.

use super::ids_hash::IdMap;
use super::{Inputs, Job, Lease, Speed};
use std::collections::{BTreeSet, VecDeque};
use std::fmt;
use std::time::Duration;
use tequio_protocol::ids::{JobId, LeaseId, WorkerId};
use tequio_protocol::limits::{
    LEASES_PER_SLOT, PAST_LEASES_MAX, SESSION_KEPT, SESSIONS_KEPT_MAX, SESSIONS_KEPT_TASKS_MAX,
    WORKER_TASKS_MAX,
};

/// Names what a worker has on one connection, for its next one. Whoever knows it is that worker, so
/// it is chosen where nobody can guess it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Session(pub(super) u128);

impl Session {
    const DIGITS: usize = 32;

    /// Reads a name as it is written; none of any other text.
    pub fn parse(name: &str) -> Option<Session> {
        let is_digit = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
        let is_name = name.len() == Session::DIGITS && name.bytes().all(is_digit);
        is_name.then(|| u128::from_str_radix(name, 16).ok()).flatten().map(Session)
    }
}

impl fmt::Display for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:0digits$x}", self.0, digits = Session::DIGITS)
    }
}

/// What is known of a worker.
#[derive(Debug)]
pub(super) struct Memory {
    /// Leases that ended, as many as there is room for.
    pub(super) past: IdMap<LeaseId, Lease>,
    /// Those that ended on this connection, and those of earlier ones that were answered to their
    /// end; the one that ended first in front.
    order: VecDeque<LeaseId>,
    /// Those that were not answered to their end when an earlier connection was lost: what the
    /// worker said of them last may be lost as well. They make no room for those that end now, since
    /// a task that was begun before the loss may take long.
    lost: BTreeSet<LeaseId>,
    /// How many of each of these two are remembered.
    room: usize,
    /// Leases below this one were lent before the connection was lost. A worker cannot know which
    /// of its results arrived, and may send some once more that are forgotten here.
    pub(super) lost_before: LeaseId,
    pub(super) speeds: IdMap<JobId, Speed>,
    pub(super) strikes: u32,
}

impl Memory {
    pub(super) fn new(slots: u32) -> Memory {
        let mut memory = Memory {
            past: IdMap::default(),
            order: VecDeque::new(),
            lost: BTreeSet::new(),
            room: PAST_LEASES_MAX,
            lost_before: LeaseId(0),
            speeds: IdMap::default(),
            strikes: 0,
        };
        memory.make_room(slots);
        memory
    }

    /// Twice what so many slots hold is remembered. It never gets less: with fewer slots a worker
    /// still holds what it was lent for more.
    pub(super) fn make_room(&mut self, slots: u32) {
        self.room = self.room.max((slots * LEASES_PER_SLOT) as usize * 2);
    }

    /// A lease has ended. Those that are `late` are still to be answered, and not forgotten for it.
    pub(super) fn remember(&mut self, id: LeaseId, lease: Lease, late: &BTreeSet<LeaseId>) {
        while self.order.len() >= self.room
            && let Some(at) = self.order.iter().position(|lease| !late.contains(lease))
            && let Some(oldest) = self.order.remove(at)
        {
            self.past.remove(&oldest);
        }
        self.order.push_back(id);
        self.past.insert(id, lease);
    }

    /// Whether what the worker said of a past lease may have been lost with its connection.
    pub(super) fn is_lost(&self, lease: LeaseId) -> bool {
        self.lost.contains(&lease)
    }

    pub(super) fn forget_job(&mut self, id: JobId) {
        self.speeds.remove(&id);
        for past in self.past.values_mut().filter(|past| past.job == id) {
            past.inputs = None;
        }
    }

    /// The connection is lost, and every lease of it has ended. `next_lease` is what the next one
    /// of anybody will be called; `jobs` tell what can still count.
    pub(super) fn lose(&mut self, jobs: &IdMap<JobId, Job>, next_lease: LeaseId) {
        self.lost_before = next_lease;
        for id in std::mem::take(&mut self.order) {
            let lease = &self.past[&id];
            if !lease.is_sent {
                self.past.remove(&id);
            } else if lease.rest.is_empty() {
                self.order.push_back(id);
            } else {
                self.lost.insert(id);
            }
        }
        while self.lost.len() > self.room
            && let Some(oldest) = self.lost.pop_first()
        {
            self.past.remove(&oldest);
        }
        for lease in self.past.values_mut() {
            let is_settled = |job: &Job| job.spec.settled.covers(&lease.whole);
            if lease.is_refused || jobs.get(&lease.job).is_none_or(is_settled) {
                lease.inputs = None;
            }
        }
        self.bound_inputs();
    }

    /// Keeps the inputs of the newest leases, of no more tasks than a worker may hold: otherwise
    /// those of one that comes and goes would pile up.
    fn bound_inputs(&mut self) {
        let mut ids: Vec<LeaseId> = self.past.keys().copied().collect();
        ids.sort_unstable();
        let mut tasks = 0;
        for id in ids.into_iter().rev() {
            let Some(lease) = self.past.get_mut(&id) else { continue };
            tasks += lease.inputs_kept();
            if tasks > WORKER_TASKS_MAX {
                lease.inputs = None;
            }
        }
    }

    /// The worker goes on with what was known of it `before`; what it did on this connection, in
    /// plain mode perhaps, is added.
    pub(super) fn resume(&mut self, before: Memory) {
        let since = std::mem::replace(self, before);
        self.past.extend(since.past);
        self.order.extend(since.order);
        self.room = self.room.max(since.room);
        self.strikes += since.strikes;
    }

    /// What it costs to keep, in tasks of lists.
    fn cost(&self) -> u64 {
        self.past.values().map(|lease| 1 + lease.inputs_kept()).sum()
    }

    pub(super) fn assert_consistent(&self) {
        assert_eq!(self.past.len(), self.order.len() + self.lost.len());
        assert!(self.order.iter().chain(&self.lost).all(|lease| self.past.contains_key(lease)));
        assert!(self.lost.len() <= self.room);
    }
}

impl Lease {
    /// Tasks whose inputs are in memory for this lease alone; a grid is its job's.
    fn inputs_kept(&self) -> u64 {
        match &self.inputs {
            Some(Inputs::List { inputs, .. }) => inputs.len() as u64,
            Some(Inputs::Grid(_)) | None => 0,
        }
    }
}

/// What is kept of workers whose connections were lost.
#[derive(Debug, Default)]
pub(super) struct Sessions {
    /// The one that was lost first in front, which is over first.
    kept: VecDeque<Kept>,
}

#[derive(Debug)]
struct Kept {
    session: Session,
    worker: WorkerId,
    until: Duration,
    memory: Memory,
    cost: u64,
}

impl Sessions {
    /// Keeps what is known of a worker; the oldest are dropped where that is too much.
    pub(super) fn keep(
        &mut self,
        session: Session,
        worker: WorkerId,
        memory: Memory,
        now: Duration,
    ) {
        let cost = memory.cost();
        let until = now.saturating_add(SESSION_KEPT);
        self.kept.push_back(Kept { session, worker, until, memory, cost });
        while self.kept.len() > SESSIONS_KEPT_MAX || self.cost() > SESSIONS_KEPT_TASKS_MAX {
            self.kept.pop_front();
        }
    }

    /// Hands a session out, once, if it is not over.
    pub(super) fn take(&mut self, session: Session, now: Duration) -> Option<(WorkerId, Memory)> {
        let is_it = |kept: &Kept| kept.session == session && kept.until > now;
        let at = self.kept.iter().position(is_it)?;
        self.kept.remove(at).map(|kept| (kept.worker, kept.memory))
    }

    pub(super) fn next_timeout(&self) -> Option<Duration> {
        self.kept.front().map(|kept| kept.until)
    }

    pub(super) fn expire(&mut self, now: Duration) {
        while self.next_timeout().is_some_and(|until| until <= now) {
            self.kept.pop_front();
        }
    }

    pub(super) fn forget_job(&mut self, id: JobId) {
        for kept in &mut self.kept {
            kept.memory.forget_job(id);
            kept.cost = kept.memory.cost();
        }
    }

    fn cost(&self) -> u64 {
        self.kept.iter().map(|kept| kept.cost).sum()
    }

    pub(super) fn assert_consistent(&self) {
        assert!(self.kept.len() <= SESSIONS_KEPT_MAX && self.cost() <= SESSIONS_KEPT_TASKS_MAX);
        assert!(self.kept.iter().is_sorted_by_key(|kept| kept.until));
        for kept in &self.kept {
            assert_eq!(kept.cost, kept.memory.cost());
            kept.memory.assert_consistent();
        }
    }
}

/// The state of a scheduler's sessions, for its tests.
#[cfg(test)]
impl Sessions {
    pub(super) fn len(&self) -> usize {
        self.kept.len()
    }

    pub(super) fn inputs_kept(&self) -> u64 {
        let leases = self.kept.iter().flat_map(|kept| kept.memory.past.values());
        leases.map(Lease::inputs_kept).sum()
    }
}
