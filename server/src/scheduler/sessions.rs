//! What is known of a worker beyond the leases that it holds, and how that outlives its connection:
//! a tab that loses its line for some seconds comes back with results that nobody has.

use super::audit::Credit;
use super::ids_hash::IdMap;
use super::job::Job;
use super::lease::Lease;
use super::speeds::Speeds;
use super::{Inputs, Intervals, Origin};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::fmt;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tequio_protocol::ids::{JobId, LeaseId, WorkerId};
use tequio_protocol::limits::{
    LATE_INPUTS_BYTES_MAX, PAST_LEASES_MAX, SESSION_INPUTS_BYTES_MAX, SESSION_KEPT,
    SESSIONS_KEPT_BYTES_MAX, SESSIONS_KEPT_MAX,
};
use tequio_protocol::op::RepeatMultiply;

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

/// A lease that ended.
#[derive(Debug)]
pub(super) struct Past {
    id: LeaseId,
    pub(super) job: JobId,
    whole: Range<u64>,
    /// None of what nothing more can come of: it was answered to its end, and all of it is settled.
    /// That is most of them, so most cost no more than this.
    open: Option<Box<Lease>>,
    /// The inputs of a list that it keeps, counted with everybody's.
    counted: Option<Counted>,
}

/// Bytes of inputs that are kept for leases that ended, of all workers.
#[derive(Clone, Debug, Default)]
pub(super) struct LateInputs(Arc<AtomicUsize>);

impl LateInputs {
    fn bytes(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }

    /// What one worker may keep: no more than half of what others leave free.
    fn bytes_max(&self, own: usize) -> usize {
        let others = self.bytes().saturating_sub(own);
        SESSION_INPUTS_BYTES_MAX.min(LATE_INPUTS_BYTES_MAX.saturating_sub(others) / 2)
    }

    fn count(&self, bytes: usize) -> Counted {
        self.0.fetch_add(bytes, Ordering::Relaxed);
        Counted { all: self.clone(), bytes }
    }
}

/// A part of these, until it is dropped.
#[derive(Debug)]
struct Counted {
    all: LateInputs,
    bytes: usize,
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.all.0.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

impl Past {
    pub(super) fn new(id: LeaseId, lease: &Lease, is_settled: bool, all: &LateInputs) -> Past {
        let is_over = is_settled && lease.rest.is_empty() && lease.is_sent && !lease.is_refused;
        let open = (!is_over).then(|| {
            // Where nothing more of it can count, nothing of it needs to be checked.
            let inputs = lease.inputs.as_ref().filter(|_| !is_settled).cloned();
            Box::new(Lease {
                inputs,
                whole: lease.whole.clone(),
                rest: lease.rest.clone(),
                kept_since: None,
                ..*lease
            })
        });
        let mut past = Past { id, job: lease.job, whole: lease.whole.clone(), open, counted: None };
        past.counted = Some(past.inputs_bytes()).filter(|bytes| *bytes > 0).map(|b| all.count(b));
        past
    }

    /// The lease as it was left, or what amounts to the same.
    fn to_lease(&self, worker: WorkerId) -> Lease {
        self.open.as_deref().cloned().unwrap_or_else(|| Lease {
            job: self.job,
            worker,
            whole: self.whole.clone(),
            rest: self.whole.end..self.whole.end,
            family: self.id,
            deadline: Duration::ZERO,
            patience: 1,
            lent_at: Duration::ZERO,
            heard_at: Duration::ZERO,
            inputs: None,
            is_sent: true,
            is_refused: false,
            is_newcomers: false,
            kept_since: None,
        })
    }

    /// Whether it had some of these tasks, and no answer to them.
    pub(super) fn holds(&self, tasks: &Range<u64>) -> bool {
        let overlaps = |rest: &Range<u64>| rest.start < tasks.end && tasks.start < rest.end;
        self.open.as_ref().is_some_and(|lease| overlaps(&lease.rest))
    }

    fn is_sent(&self) -> bool {
        self.open.as_ref().is_none_or(|lease| lease.is_sent)
    }

    fn is_refused(&self) -> bool {
        self.open.as_ref().is_some_and(|lease| lease.is_refused)
    }

    /// Whether nothing of it can count any more.
    pub(super) fn is_settled_in(&self, settled: &Intervals) -> bool {
        settled.covers(&self.whole)
    }

    fn is_answered(&self) -> bool {
        self.open.as_ref().is_none_or(|lease| lease.rest.is_empty())
    }

    /// Everything before `front` was answered. Says whether that is all of it.
    pub(super) fn advance(&mut self, front: u64) -> bool {
        if let Some(lease) = &mut self.open {
            lease.rest.start = lease.rest.start.max(front);
        }
        self.is_answered()
    }

    /// It was given up because of a wrong result.
    pub(super) fn refuse(&mut self) {
        if let Some(lease) = &mut self.open {
            lease.is_refused = true;
        }
    }

    /// Nothing more of it can count.
    pub(super) fn forget_inputs(&mut self) {
        if let Some(lease) = &mut self.open {
            lease.inputs = None;
        }
        self.counted = None;
    }

    /// Its worker has given it back, and sends nothing of it any more.
    pub(super) fn close(&mut self) {
        if self.is_sent() && !self.is_refused() {
            self.open = None;
            self.counted = None;
        }
    }

    /// What its tasks are computed of, as long as something of it can count.
    pub(super) fn inputs(&self) -> Option<&Inputs> {
        self.open.as_ref().and_then(|lease| lease.inputs.as_ref())
    }

    /// Tasks whose inputs are in memory for this lease alone; a grid is its job's.
    fn inputs_kept(&self) -> usize {
        match self.inputs() {
            Some(Inputs::List { inputs, .. }) => inputs.len(),
            Some(Inputs::Grid(_)) | None => 0,
        }
    }

    fn inputs_bytes(&self) -> usize {
        self.inputs_kept() * size_of::<RepeatMultiply>()
    }

    /// What it takes in memory.
    fn bytes(&self) -> usize {
        let lease = self.open.as_ref().map_or(0, |_| size_of::<Lease>());
        size_of::<Past>() + lease + self.inputs_bytes()
    }
}

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

    fn all(&self) -> impl Iterator<Item = &Past> {
        self.ended.iter().chain(self.lost.values())
    }

    fn all_mut(&mut self) -> impl Iterator<Item = &mut Past> {
        self.ended.iter_mut().chain(self.lost.values_mut())
    }

    /// What it takes to keep.
    fn bytes(&self) -> usize {
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

/// What is kept of workers whose connections were lost.
#[derive(Debug, Default)]
pub(super) struct Sessions {
    /// The one that was lost first in front, which is over first.
    kept: VecDeque<Kept>,
    /// What they take together.
    bytes: usize,
}

/// One of them.
#[derive(Debug)]
pub(super) struct Kept {
    session: Session,
    worker: WorkerId,
    origin: Origin,
    until: Duration,
    memory: Memory,
    bytes: usize,
}

impl Kept {
    pub(super) fn new(
        session: Session,
        worker: WorkerId,
        origin: Origin,
        memory: Memory,
        now: Duration,
    ) -> Kept {
        let bytes = memory.bytes();
        let until = now.saturating_add(SESSION_KEPT);
        Kept { session, worker, origin, until, memory, bytes }
    }
}

impl Sessions {
    /// Keeps what is known of a worker. Where that is too much, others are dropped for it.
    pub(super) fn keep(&mut self, kept: Kept) {
        self.bytes += kept.bytes;
        self.kept.push_back(kept);
        while self.kept.len() > SESSIONS_KEPT_MAX || self.bytes > SESSIONS_KEPT_BYTES_MAX {
            let Some(least) = self.least() else { return };
            self.remove(least);
        }
    }

    /// Which to drop first: of the address that has the most, the one with the fewest results, and of
    /// several such ones the oldest. Those without a result are nobody's loss, wherever they are.
    fn least(&self) -> Option<usize> {
        let mut of_origin: HashMap<Origin, usize> = HashMap::new();
        for kept in &self.kept {
            *of_origin.entry(kept.origin).or_default() += 1;
        }
        let worth = |kept: &Kept| {
            let taken = kept.memory.credit.taken;
            (taken > 0).then(|| (Reverse(of_origin[&kept.origin]), taken))
        };
        let all = self.kept.iter().enumerate();
        all.min_by_key(|(at, kept)| (worth(kept), *at)).map(|(at, _)| at)
    }

    fn remove(&mut self, at: usize) -> Option<Kept> {
        let kept = self.kept.remove(at)?;
        self.bytes -= kept.bytes;
        Some(kept)
    }

    /// Hands a session out, once, if it is not over.
    pub(super) fn take(&mut self, session: Session, now: Duration) -> Option<(WorkerId, Memory)> {
        let is_it = |kept: &Kept| kept.session == session && kept.until > now;
        let at = self.kept.iter().position(is_it)?;
        self.remove(at).map(|kept| (kept.worker, kept.memory))
    }

    pub(super) fn next_timeout(&self) -> Option<Duration> {
        self.kept.front().map(|kept| kept.until)
    }

    pub(super) fn expire(&mut self, now: Duration) {
        while self.next_timeout().is_some_and(|until| until <= now) {
            self.remove(0);
        }
    }

    pub(super) fn forget_job(&mut self, id: JobId) {
        for kept in &mut self.kept {
            kept.memory.forget_job(id);
            let bytes = kept.memory.bytes();
            self.bytes = self.bytes - std::mem::replace(&mut kept.bytes, bytes) + bytes;
        }
    }

    pub(super) fn assert_consistent(&self) {
        assert!(self.kept.len() <= SESSIONS_KEPT_MAX && self.bytes <= SESSIONS_KEPT_BYTES_MAX);
        assert_eq!(self.bytes, self.kept.iter().map(|kept| kept.bytes).sum::<usize>());
        assert!(self.kept.iter().is_sorted_by_key(|kept| kept.until));
        for kept in &self.kept {
            assert_eq!(kept.bytes, kept.memory.bytes());
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

    pub(super) fn inputs_kept(&self) -> usize {
        let leases = self.kept.iter().flat_map(|kept| kept.memory.all());
        leases.map(Past::inputs_kept).sum()
    }
}

#[cfg(test)]
impl LateInputs {
    pub(super) fn bytes_kept(&self) -> usize {
        self.bytes()
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
