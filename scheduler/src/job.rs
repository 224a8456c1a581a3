//! One job: which of its tasks are where, and which come next.

use super::able::{Able, AbleHere};
use super::copies::Copies;
use super::holders::Holders;
use super::intervals::count;
use super::lease::Lease;
use super::skills::KernelKey;
use super::slab_map::SlabMap;
use super::slow::Slowness;
use super::twice::Votes;
use super::worker::Worker;
use super::{Intervals, JobSpec, Mode, Origin, Skills};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::time::Duration;
use tequio_protocol::ids::{JobId, LeaseId, WorkerId};
use tequio_protocol::limits::{
    GRANT_SCAN_MAX, LEASE_GROWTH, LEASE_TARGET, RETRY_PATIENCE_FACTOR, TASK_ATTEMPTS_MAX,
};

#[derive(Debug)]
pub(super) struct Job {
    pub(super) spec: JobSpec,
    /// What computing it takes.
    pub(super) skill: Skills,
    /// Its kernel, if it is computed by one.
    pub(super) kernel: Option<KernelKey>,
    pub(super) pending: Intervals,
    /// Tasks whose outcomes wait for a verdict.
    pub(super) claimed: Intervals,
    /// Whether tasks of it are lent that nobody has sent outcomes of: not while too many outcomes wait to be judged.
    pub(super) may_begin: bool,
    /// What workers have sent that another is to confirm, and the tasks of that which nobody else computes yet.
    pub(super) votes: Votes,
    pub(super) seconds: Intervals,
    /// Blocks that failed and wait for another attempt, by their first tasks.
    pub(super) retry: BTreeSet<u64>,
    /// Of blocks that failed, by their first tasks.
    pub(super) attempts: BTreeMap<u64, Attempts>,
    /// What is out.
    pub(super) copies: Copies,
    /// Who has that.
    pub(super) holders: Holders,
    pub(super) task_s: Option<f64>,
    pub(super) slowness: Slowness,
    pub(super) turn: u64,
    pub(super) is_ready: bool,
}

/// Who has tried a block, and where.
#[derive(Debug, Default)]
pub(super) struct Attempts {
    by: Vec<(WorkerId, Origin)>,
}

impl Job {
    /// A job that waits behind those that were served in an earlier turn.
    pub(super) fn new(spec: JobSpec, turn: u64) -> Job {
        let pending = spec.settled.missing_in(&(0..spec.total)).into_iter().collect();
        let skill = Skills::of(spec.op, spec.block);
        let kernel = spec.op.kernel().map(|kernel| KernelKey::of(kernel.id()));
        Job {
            spec,
            skill,
            kernel,
            pending,
            claimed: Intervals::default(),
            may_begin: true,
            votes: Votes::default(),
            seconds: Intervals::default(),
            retry: BTreeSet::new(),
            attempts: BTreeMap::new(),
            copies: Copies::default(),
            holders: Holders::default(),
            task_s: None,
            slowness: Slowness::default(),
            turn,
            is_ready: false,
        }
    }

    /// The block that begins with the task `first`.
    pub(super) fn block(&self, first: u64) -> Range<u64> {
        first..first.saturating_add(self.spec.block).min(self.spec.total)
    }

    /// Whether these tasks, which it has, are whole blocks.
    pub(super) fn are_blocks(&self, tasks: &Range<u64>) -> bool {
        let is_edge = |index: u64| index.is_multiple_of(self.spec.block);
        is_edge(tasks.start) && (is_edge(tasks.end) || tasks.end == self.spec.total)
    }

    /// The blocks of which these tasks are made, in order.
    pub(super) fn blocks_in(&self, tasks: &Range<u64>) -> impl Iterator<Item = Range<u64>> + '_ {
        tasks.clone().step_by(self.spec.block as usize).map(|first| self.block(first))
    }

    /// Has `total` tasks from now on, if that is more than it has.
    pub(super) fn grow(&mut self, total: u64) {
        self.pending.insert(self.spec.total..total);
        self.spec.total = self.spec.total.max(total);
    }

    /// Whether a worker can compute it.
    pub(super) fn is_for(&self, worker: &Worker) -> bool {
        let can_load = |kernel| !worker.cannot.contains(&kernel);
        worker.skills.has_some_of(self.skill) && self.kernel.is_none_or(can_load)
    }

    /// Whether something of it may be lent.
    pub(super) fn has_work(&self) -> bool {
        let has_pending = self.may_begin && self.next_pending(1).is_some();
        let has_work = has_pending || !self.retry.is_empty() || !self.seconds.is_empty();
        has_work && !self.spec.is_paused
    }

    /// The first pending tasks, at most so many. More may come to the last block of a job that may grow.
    fn next_pending(&self, count_max: u64) -> Option<Range<u64>> {
        let front = self.pending.front(count_max.max(self.spec.block))?;
        let is_short = self.spec.is_open && front.end == self.spec.total;
        let end = if is_short { front.end - front.end % self.spec.block } else { front.end };
        (front.start < end).then_some(front.start..end)
    }

    /// Its place among the jobs that have work: by priority, and then by turns.
    pub(super) fn place(&self, id: JobId) -> (Reverse<i32>, u64, JobId) {
        (Reverse(self.spec.priority), self.turn, id)
    }

    pub(super) fn is_settled(&self) -> bool {
        !self.spec.is_open && self.spec.settled.len() == self.spec.total
    }

    pub(super) fn lent(&self) -> u64 {
        let to_retry = self.retry.iter().map(|first| count(&self.block(*first))).sum::<u64>();
        let here = self.pending.len() + to_retry + self.seconds.len();
        self.spec.total - (self.spec.settled.len() + self.claimed.len() + here)
    }

    /// Seconds a task: the worker's own, or else what others have shown.
    pub(super) fn task_s_of(&self, worker: &Worker, id: JobId) -> Option<f64> {
        worker.memory.speeds.get(id).map(|speed| speed.task_s).or(self.task_s)
    }

    /// How many tasks the worker's next lease of this job has, where leases have so many out: whole blocks,
    /// at least one.
    pub(super) fn size_for(&self, worker: &Worker, id: JobId, tasks_out: u64) -> u64 {
        let size = self.size_wanted(worker, id, tasks_out);
        (size - size % self.spec.block).max(self.spec.block)
    }

    fn size_wanted(&self, worker: &Worker, id: JobId, tasks_out: u64) -> u64 {
        if worker.mode == Mode::Plain {
            return 1;
        }
        let Some(task_s) = self.task_s_of(worker, id) else { return 1 };
        let aim = (LEASE_TARGET.as_secs_f64() / task_s) as u64;
        let count_max = worker.memory.speeds.get(id).map_or(LEASE_GROWTH, |speed| speed.count_max);
        let size = aim.min(count_max).min(self.spec.lease_tasks_max);
        size.min(worker.share()).min(worker.room(tasks_out))
    }

    /// How many times longer than for others a worker has for these tasks: more for each attempt
    /// at one of them that failed.
    pub(super) fn patience_for(&self, range: &Range<u64>) -> u32 {
        let attempts = self.attempts.range(range.clone()).map(|(_, attempts)| attempts.by.len());
        RETRY_PATIENCE_FACTOR.saturating_pow(attempts.max().unwrap_or(0) as u32)
    }

    /// Takes a block for a worker that others have failed, and it has not. Such blocks are lent one by
    /// one, so it has one of them at a time: the others would wait for the network meanwhile.
    pub(super) fn pop_retry(
        &mut self,
        id: WorkerId,
        workers: &SlabMap<WorkerId, Worker>,
        leases: &SlabMap<LeaseId, Lease>,
        able: &Able,
    ) -> Option<Range<u64>> {
        if self.retry.is_empty() {
            return None;
        }
        let worker = &workers[&id];
        let has_one = worker.leases.iter().any(|lease| leases[lease].patience > 1);
        if has_one && !self.pending.is_empty() {
            return None;
        }
        let mut candidates = self.retry.iter().take(GRANT_SCAN_MAX).copied();
        let able = able.with(self.skill, self.kernel);
        let first = candidates.find(|first| self.may_retry(*first, id, workers, able.as_ref()))?;
        self.retry.remove(&first);
        Some(self.block(first))
    }

    /// Whether a worker may try a block that others have failed.
    fn may_retry(
        &self,
        first: u64,
        id: WorkerId,
        workers: &SlabMap<WorkerId, Worker>,
        able: Option<&AbleHere<'_>>,
    ) -> bool {
        let failed = &self.attempts[&first].by;
        if self.votes.is_empty() {
            return may_try(failed, id, workers, able);
        }
        // Who has computed it need not try it again.
        let mut by = self.votes.voters(&self.block(first));
        let has_voted = by.iter().any(|(voter, _)| *voter == id);
        // Nor who has failed as often as makes an error of a block without votes.
        let tries = failed.iter().filter(|(tried, _)| *tried == id).count();
        let has_tried = !by.is_empty() && tries >= TASK_ATTEMPTS_MAX;
        by.extend(failed);
        !has_voted && !has_tried && may_try(&by, id, workers, able)
    }

    /// Whether what waits for another attempt or a second worker, as far as it is looked at for one grant, is for
    /// workers at other addresses than this.
    pub(super) fn is_for_elsewhere(&self, origin: Origin, able: &Able, now: Duration) -> bool {
        let Some(able) = able.with(self.skill, self.kernel) else { return false };
        let tried = self.retry.iter().take(GRANT_SCAN_MAX).map(|first| {
            let mut by = self.votes.voters(&self.block(*first));
            by.extend(&self.attempts[first].by);
            by
        });
        let mut by = tried.chain(self.voters_of_seconds(now));
        by.all(|by| has_to_be_elsewhere(&by, origin, &able))
    }

    pub(super) fn pop_pending(&mut self, count_max: u64) -> Option<Range<u64>> {
        if !self.may_begin {
            return None;
        }
        let range = self.next_pending(count_max)?;
        self.pending.remove(range.clone());
        Some(range)
    }

    /// Takes the front of what was just given back out of where it is now: pending, to be tried again,
    /// or in copies, of which it is one more then.
    pub(super) fn pop_front_of(
        &mut self,
        range: Range<u64>,
        original: LeaseId,
    ) -> (Range<u64>, Option<LeaseId>) {
        let first = range.start;
        if self.retry.remove(&first) {
            return (self.block(first), None);
        }
        if self.seconds.contains(first) {
            let end = self.seconds.missing_in(&range).first().map_or(range.end, |gap| gap.start);
            self.seconds.remove(first..end);
            return (first..end, None);
        }
        if !self.pending.contains(first) {
            // What lies behind it may be pending, where its copies cover no more.
            let pending = self.pending.clone_within(&range).front(1).map(|front| front.start);
            let retry = self.retry.range(range.clone()).next().copied();
            let second = self.seconds.clone_within(&range).front(1).map(|front| front.start);
            let all = [pending, retry, second];
            let end = all.into_iter().flatten().min().unwrap_or(range.end);
            return (first..end, Some(original));
        }
        let end = self.pending.missing_in(&range).first().map_or(range.end, |gap| gap.start);
        self.pending.remove(first..end);
        (first..end, None)
    }

    /// Nobody has these tasks any more. Those that were tried wait for others than the rest does.
    pub(super) fn put_back(&mut self, tasks: Range<u64>) {
        let tried: Vec<u64> = self.attempts.range(tasks.clone()).map(|(index, _)| *index).collect();
        self.pending.insert(tasks.clone());
        self.put_to_seconds(&tasks);
        for first in tried {
            self.retry_later(first);
        }
    }

    /// A pending block waits for others than those that have tried it.
    pub(super) fn retry_later(&mut self, first: u64) {
        self.pending.remove(self.block(first));
        self.seconds.remove(self.block(first));
        self.retry.insert(first);
    }

    /// One more has not computed a block. Says whether that was the last attempt.
    pub(super) fn add_attempt(&mut self, first: u64, worker: WorkerId, origin: Origin) -> bool {
        let attempts = self.attempts.entry(first).or_default();
        attempts.by.push((worker, origin));
        attempts.by.len() >= TASK_ATTEMPTS_MAX
    }

    /// Those of these tasks that have no outcome, and for which none waits for a verdict.
    pub(super) fn open_in(&self, tasks: &Range<u64>) -> Vec<Range<u64>> {
        let unsettled = self.spec.settled.missing_in(tasks);
        if self.claimed.is_empty() {
            return unsettled;
        }
        unsettled.iter().flat_map(|gap| self.claimed.missing_in(gap)).collect()
    }

    /// Outcomes of these tasks, whole blocks of which nobody else has one, wait for a verdict.
    pub(super) fn claim(&mut self, tasks: &Range<u64>) {
        self.pending.remove(tasks.clone());
        self.seconds.remove(tasks.clone());
        let to_retry: Vec<u64> = self.retry.range(tasks.clone()).copied().collect();
        for first in to_retry {
            self.retry.remove(&first);
        }
        self.claimed.insert(tasks.clone());
    }

    /// The verdict on these tasks is there: they are settled or put back next.
    pub(super) fn unclaim(&mut self, tasks: &Range<u64>) {
        self.claimed.remove(tasks.clone());
    }

    /// These tasks have outcomes from now on.
    pub(super) fn settle(&mut self, tasks: &Range<u64>) {
        self.pending.remove(tasks.clone());
        self.forget_attempts(tasks);
        self.forget_votes(tasks);
        self.spec.settled.insert(tasks.clone());
    }

    /// What of these tasks has an outcome has none any more. What is not among the `leased` is pending.
    pub(super) fn unsettle(&mut self, tasks: &Range<u64>, leased: &Intervals) {
        for lost in self.spec.settled.clone_within(tasks).iter() {
            for pending in leased.missing_in(&lost) {
                self.pending.insert(pending);
            }
            self.spec.settled.remove(lost);
        }
    }

    fn forget_attempts(&mut self, range: &Range<u64>) {
        while let Some((&index, _)) = self.attempts.range(range.clone()).next() {
            self.attempts.remove(&index);
            self.retry.remove(&index);
        }
    }
}

impl Attempts {
    pub(super) fn has(&self, id: WorkerId) -> bool {
        self.by.iter().any(|(worker, _)| *worker == id)
    }

    /// The last one does not count.
    pub(super) fn forget_last(&mut self) {
        self.by.pop();
    }
}

/// Whether a worker is to compute a block next that was tried `by` these: first others are to, at other addresses,
/// where there are any.
pub(super) fn may_try(
    by: &[(WorkerId, Origin)],
    id: WorkerId,
    workers: &SlabMap<WorkerId, Worker>,
    able: Option<&AbleHere<'_>>,
) -> bool {
    let Some(able) = able else { return true };
    let worker = &workers[&id];
    let is_able = |id: &WorkerId| workers.get(id).is_some_and(|worker| able.counts(worker));
    if !by.iter().any(|(_, origin)| *origin == worker.origin) {
        return true;
    }
    if has_to_be_elsewhere(by, worker.origin, able) {
        return false;
    }
    let tried: BTreeSet<WorkerId> = by.iter().map(|(worker, _)| *worker).collect();
    // One that has said since that it cannot compute this is none of them.
    let others = able.workers() - usize::from(able.counts(worker));
    !tried.contains(&id) || tried.iter().filter(|by| **by != id && is_able(by)).count() >= others
}

/// Whether a block that was tried `by` these, some of them at this address, waits for somebody able where nobody has
/// tried it.
fn has_to_be_elsewhere(by: &[(WorkerId, Origin)], origin: Origin, able: &AbleHere<'_>) -> bool {
    let places: BTreeSet<Origin> = by.iter().map(|(_, origin)| *origin).collect();
    let places_able = || places.iter().filter(|origin| able.has(**origin)).count();
    places.contains(&origin) && places_able() < able.places()
}
