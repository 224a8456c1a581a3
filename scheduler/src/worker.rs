//! One worker: what it holds, and what it may hold, which is as much as it has shown to compute. Slots
//! and speeds are claims.

use super::memory::Memory;
use super::skills::KernelKey;
use super::{Mode, Origin, Skills};
use std::collections::BTreeSet;
use std::ops::Range;
use std::time::Duration;
use tequio_protocol::ids::{JobId, LeaseId};
use tequio_protocol::limits::{
    IN_FLIGHT_TASKS_MAX, LEASE_GROWTH, LEASES_OUT_MAX, LEASES_PER_SLOT, NEWCOMER_LEASES,
    WORKER_TASKS_MAX,
};

/// What a worker may hold of what is free, 1 / this: a dynamic threshold, as for queues that share a
/// buffer (A. Choudhury, E. Hahne, 1998). However many hold all that they may, something is free.
const FREE_SHARE: u64 = 2;

/// Leases that a worker may hold however few are free: two slots are busy with them.
const LEASES_UNSHARED: usize = 2 * LEASES_PER_SLOT as usize;

#[derive(Debug)]
pub(super) struct Worker {
    pub(super) origin: Origin,
    pub(super) mode: Mode,
    /// What it can compute; changed by `set_skills` only.
    pub(super) skills: Skills,
    /// Kernels that it can neither get nor compile; changed by `cannot` only.
    pub(super) cannot: Vec<KernelKey>,
    /// What it has computed rightly.
    pub(super) shown: Skills,
    pub(super) slots: u32,
    /// Those that it holds, the oldest first.
    pub(super) leases: Vec<LeaseId>,
    /// What these still have to answer.
    pub(super) tasks_held: u64,
    /// Leases that expired, while nothing is heard of any lease: it may be frozen.
    pub(super) overdue: u32,
    /// Leases that expired and that it may be computing all the same: they take their places
    /// until they are answered or released, since its slots are busy with them.
    pub(super) late: BTreeSet<LeaseId>,
    pub(super) memory: Memory,
    /// Until when it waits for its first lease.
    pub(super) rests_until: Option<Duration>,
    pub(super) turn: u64,
    pub(super) demand: Option<Demand>,
    pub(super) is_able: bool,
}

/// How urgently a worker wants a lease; the most urgent first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Demand {
    /// A slot is idle.
    Idle,
    /// The same of a worker that has shown nothing.
    IdleNewcomer,
    /// Every slot has work, and none waits behind it.
    Prefetch,
}

impl Worker {
    /// A worker that waits behind those that were served in an earlier turn.
    pub(super) fn new(origin: Origin, mode: Mode, skills: Skills, slots: u32, turn: u64) -> Worker {
        Worker {
            origin,
            mode,
            skills,
            cannot: Vec::new(),
            shown: Skills::default(),
            slots,
            leases: Vec::new(),
            tasks_held: 0,
            overdue: 0,
            late: BTreeSet::new(),
            memory: Memory::default(),
            rests_until: None,
            turn,
            demand: None,
            is_able: false,
        }
    }

    /// Whether it has shown nothing, or nothing since it last held up others.
    pub(super) fn is_newcomer(&self) -> bool {
        self.memory.credit.standing == 0
    }

    /// What is in flight is everybody's: no worker may hold so much that others get nothing.
    pub(super) fn share(&self) -> u64 {
        WORKER_TASKS_MAX / u64::from(self.slots * LEASES_PER_SLOT).max(1)
    }

    /// How many tasks more it may hold, where leases have so many out.
    pub(super) fn room(&self, tasks_out: u64) -> u64 {
        let shown = LEASE_GROWTH.saturating_mul(1 + self.memory.credit.standing);
        let free = IN_FLIGHT_TASKS_MAX.saturating_sub(tasks_out) / FREE_SHARE;
        shown.min(free).saturating_sub(self.tasks_held)
    }

    /// How many leases it is lent at once.
    fn leases_max(&self) -> u32 {
        if self.mode == Mode::Plain {
            return 1;
        }
        (self.slots * LEASES_PER_SLOT).min(self.leases_shown())
    }

    /// How many leases it may hold for what it has shown.
    fn leases_shown(&self) -> u32 {
        let shown = u32::try_from(self.memory.credit.standing).unwrap_or(u32::MAX);
        NEWCOMER_LEASES.saturating_add(shown)
    }

    /// Whether it may hold as many leases as its slots could take, and would gain nothing by more results.
    pub(super) fn may_hold_all(&self) -> bool {
        !self.is_newcomer() && self.leases_shown() >= self.slots * LEASES_PER_SLOT
    }

    /// Whether it holds all that it may of what everybody may hold: beyond a few leases, no more than
    /// is free. It looks again whenever something of its own comes back.
    fn has_its_share(&self, leases_out: usize, tasks_out: u64) -> bool {
        let free = LEASES_OUT_MAX.saturating_sub(leases_out) / FREE_SHARE as usize;
        self.leases.len() >= free.max(LEASES_UNSHARED)
            || self.tasks_held > 0 && self.room(tasks_out) == 0
    }

    /// Whether it may be lent more where so much is out, and how urgent that is.
    pub(super) fn demand_now(&self, leases_out: usize, tasks_out: u64) -> Option<Demand> {
        let held = (self.leases.len() + self.late.len()) as u32;
        if self.overdue > 0
            || self.rests_until.is_some()
            || held >= self.leases_max()
            || self.has_its_share(leases_out, tasks_out)
        {
            return None;
        }
        match (held < self.slots, self.is_newcomer()) {
            (true, false) => Some(Demand::Idle),
            (true, true) => Some(Demand::IdleNewcomer),
            (false, _) => Some(Demand::Prefetch),
        }
    }

    /// Whether a task that others have failed may wait for it: one that is busy with what is late may
    /// never come to anything else.
    pub(super) fn is_able_now(&self) -> bool {
        self.slots > 0 && self.overdue == 0 && self.late.is_empty()
    }

    /// A lease of the job has expired, which it was told of: it was asked for too much, or it is gone.
    /// It begins with little again.
    pub(super) fn miss(&mut self, job: JobId) {
        self.overdue += 1;
        self.memory.credit.standing = 0;
        if let Some(speed) = self.memory.speeds.get_mut(job) {
            speed.count_max = 1;
        }
    }

    /// Whether it may still be computing some of these tasks, which it was to answer long ago.
    pub(super) fn is_late_with(&self, job: JobId, tasks: &Range<u64>) -> bool {
        let mut past = self.late.iter().filter_map(|lease| self.memory.past(*lease));
        past.any(|past| past.job == job && past.holds(tasks))
    }
}
