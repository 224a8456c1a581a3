//! Jobs of which each block is computed by two workers that must come to the same: the second of them confirms what
//! the first has sent. What a worker has sent of such a job is its *vote*. The block is pending all the same,
//! but for others only: at other addresses, where there are any, and such that have waited for these in vain.
//!
//! Where two differ, the server computes the block itself, and decides (`dispute`). Where it cannot, a third worker does:
//! what two of them agree on is recorded, at different addresses where there are any.

use super::able::Able;
use super::claims::Claim;
use super::dispute::{Disputes, Wrong};
use super::intervals::count;
use super::job::{Job, may_try};
use super::slab_map::SlabMap;
use super::worker::Worker;
use super::{Accepted, Intervals, JobSpec, Origin, Refusal, Scheduler};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tequio_protocol::check::Check;
use tequio_protocol::ids::{JobId, LeaseId, WorkerId};
use tequio_protocol::limits::{CLAIMS_HELD_BYTES_MAX, GRANT_SCAN_MAX, SECOND_WAIT};
use tequio_protocol::op::{Exactness, Op};
use tequio_protocol::outcome::Outcomes;
use tequio_protocol::ranges::push_joined;

/// Bytes of what votes say, of all jobs and of one.
#[derive(Clone, Debug, Default)]
pub(super) struct VotesBytes {
    all: Arc<AtomicUsize>,
    of_job: Arc<AtomicUsize>,
}

/// What workers have sent of a job's tasks that have no outcome yet.
#[derive(Debug, Default)]
pub(super) struct Votes {
    /// The first vote of each block that has any: disjoint intervals, by their first tasks.
    first: BTreeMap<u64, (u64, Vote)>,
    /// Those that differ from it, by the first tasks of their blocks.
    others: BTreeMap<u64, Vec<Vote>>,
    pub(super) disputes: Disputes,
    /// Who has voted since there were none, and perhaps no vote is left of: of others none is looked for.
    voters: BTreeSet<WorkerId>,
    counted: VotesBytes,
}

/// What a worker came to.
#[derive(Clone, Debug)]
struct Vote {
    worker: WorkerId,
    origin: Origin,
    lease: LeaseId,
    /// When it came.
    at: Duration,
    /// Of these tasks and perhaps more.
    said: Arc<Said>,
}

#[derive(Debug)]
struct Said {
    first: u64,
    outcomes: Outcomes,
    counted: VotesBytes,
}

/// What an answer does to the votes that there are.
#[derive(Debug, Default)]
struct Tally {
    /// Others came to the same.
    agreed: Vec<Range<u64>>,
    /// Blocks of which others came to something else.
    disputed: Vec<Range<u64>>,
    /// Nobody has voted on these.
    new: Vec<Range<u64>>,
}

/// All workers, to find out whether others than those who have voted are to.
pub(super) struct Others<'a> {
    pub(super) workers: &'a SlabMap<WorkerId, Worker>,
    pub(super) able: &'a Able,
    pub(super) now: Duration,
}

impl VotesBytes {
    /// Of all jobs.
    pub(super) fn get(&self) -> usize {
        self.all.load(Ordering::Relaxed)
    }

    pub(super) fn of_job(&self) -> usize {
        self.of_job.load(Ordering::Relaxed)
    }

    /// Of one job more.
    pub(super) fn of_new_job(&self) -> VotesBytes {
        VotesBytes { all: self.all.clone(), of_job: Arc::default() }
    }
}

impl Said {
    fn new(first: u64, outcomes: Outcomes, counted: &VotesBytes) -> Arc<Said> {
        let said = Said { first, outcomes, counted: counted.clone() };
        counted.all.fetch_add(said.bytes(), Ordering::Relaxed);
        counted.of_job.fetch_add(said.bytes(), Ordering::Relaxed);
        Arc::new(said)
    }

    fn bytes(&self) -> usize {
        size_of::<Said>() + size_of::<Vote>() + self.outcomes.bytes()
    }
}

impl Drop for Said {
    fn drop(&mut self) {
        self.counted.all.fetch_sub(self.bytes(), Ordering::Relaxed);
        self.counted.of_job.fetch_sub(self.bytes(), Ordering::Relaxed);
    }
}

impl Vote {
    fn voter(&self) -> (WorkerId, Origin) {
        (self.worker, self.origin)
    }

    /// The first of these tasks of which others come to something else. `theirs` begins with the task `first`.
    fn find_other(
        &self,
        op: &dyn Op,
        tasks: Range<u64>,
        first: u64,
        theirs: &Outcomes,
    ) -> Option<u64> {
        let Said { first: own_first, outcomes, .. } = &*self.said;
        tasks.into_iter().find(|index| {
            let theirs = theirs.get((index - first) as usize);
            !op.agrees(theirs, outcomes.get((index - own_first) as usize), Exactness::Exact)
        })
    }

    fn wrong_at(&self, index: u64) -> Wrong {
        let got = self.said.outcomes.get((index - self.said.first) as usize).show();
        Wrong { worker: self.worker, origin: self.origin, lease: self.lease, index, got }
    }
}

impl Votes {
    pub(super) fn new(counted: VotesBytes) -> Votes {
        Votes { counted, ..Votes::default() }
    }

    pub(super) fn counted(&self) -> &VotesBytes {
        &self.counted
    }

    pub(super) fn is_empty(&self) -> bool {
        self.first.is_empty()
    }

    /// The intervals within `tasks` that one worker has voted on first, in order.
    fn within<'a>(
        &'a self,
        tasks: &Range<u64>,
    ) -> impl Iterator<Item = (Range<u64>, &'a Vote)> + use<'a> {
        let (start, end) = (tasks.start, tasks.end);
        let before = self.first.range(..start).next_back().filter(|(_, (last, _))| *last > start);
        let all = before.into_iter().chain(self.first.range(start..end.max(start)));
        all.map(move |(first, (last, vote))| (*first.max(&start)..*last.min(&end), vote))
    }

    /// Who has voted on a block, and where.
    pub(super) fn voters(&self, block: &Range<u64>) -> Vec<(WorkerId, Origin)> {
        self.of_block(block).map(Vote::voter).collect()
    }

    fn of_block<'a>(&'a self, block: &Range<u64>) -> impl Iterator<Item = &'a Vote> + use<'a> {
        let others = self.others.get(&block.start).into_iter().flatten();
        self.within(block).map(|(_, vote)| vote).chain(others)
    }

    /// Whether a worker has voted on some of these tasks.
    pub(super) fn has(&self, worker: WorkerId, tasks: &Range<u64>) -> bool {
        let is_its = |vote: &Vote| vote.worker == worker;
        self.within(tasks).any(|(_, vote)| is_its(vote))
            || self.others.range(tasks.clone()).any(|(_, votes)| votes.iter().any(is_its))
    }

    /// An interval that was voted on at once is two from here on.
    fn split_at(&mut self, at: u64) {
        let before = self.first.range_mut(..at).next_back();
        if let Some((_, (end, vote))) = before
            && *end > at
        {
            let behind = (std::mem::replace(end, at), vote.clone());
            self.first.insert(at, behind);
        }
    }

    /// Nobody has voted on these tasks any more.
    fn remove(&mut self, tasks: &Range<u64>) {
        self.split_at(tasks.start);
        self.split_at(tasks.end);
        while let Some((&first, _)) = self.first.range(tasks.clone()).next() {
            self.first.remove(&first);
        }
        while let Some((&first, _)) = self.others.range(tasks.clone()).next() {
            self.others.remove(&first);
        }
        if self.first.is_empty() {
            self.voters.clear();
        }
    }

    /// Who voted as `was` is known as `now` from now on.
    fn rename(&mut self, was: WorkerId, now: WorkerId) {
        if !self.voters.remove(&was) {
            return;
        }
        self.voters.insert(now);
        let first = self.first.values_mut().map(|(_, vote)| vote);
        let all = first.chain(self.others.values_mut().flatten());
        all.filter(|vote| vote.worker == was).for_each(|vote| vote.worker = now);
    }

    /// What a worker has voted counts no more; of blocks with other votes the next one is the first.
    fn forget_worker(&mut self, worker: WorkerId, block: u64) {
        if !self.voters.remove(&worker) {
            return;
        }
        let voters = std::mem::take(&mut self.voters);
        self.others.retain(|_, votes| {
            votes.retain(|vote| vote.worker != worker);
            !votes.is_empty()
        });
        let of_it = self.first.iter().filter(|(_, (_, vote))| vote.worker == worker);
        let of_it: Vec<Range<u64>> = of_it.map(|(first, (end, _))| *first..*end).collect();
        for tasks in of_it {
            let others: Vec<(u64, Vec<Vote>)> = self
                .others
                .range(tasks.clone())
                .map(|(first, votes)| (*first, votes.clone()))
                .collect();
            self.remove(&tasks);
            for (first, mut votes) in others {
                let next = votes.remove(0);
                self.first.insert(first, ((first + block).min(tasks.end), next));
                if !votes.is_empty() {
                    self.others.insert(first, votes);
                }
            }
        }
        if !self.is_empty() {
            self.voters = voters;
        }
    }

    pub(super) fn assert_consistent(&self, job: &JobSpec, seconds: &Intervals) {
        assert!(self.is_empty() || job.check == Check::Twice);
        let first = self.first.values().map(|(_, vote)| vote);
        let mut all = first.chain(self.others.values().flatten());
        assert!(all.all(|vote| self.voters.contains(&vote.worker)), "{:?}", self.voters);
        let mut last = 0;
        for (first, (end, vote)) in &self.first {
            assert!(*first >= last && first < end, "two first votes on {first}");
            assert!(*first >= vote.said.first);
            assert!(*end <= vote.said.first + vote.said.outcomes.len());
            assert!(first.is_multiple_of(job.block));
            let settled = job.settled.clone_within(&(*first..*end));
            assert!(settled.is_empty(), "votes wait on {settled:?}, which are settled");
            last = *end;
        }
        for first in self.others.keys() {
            assert!(self.within(&(*first..*first + 1)).next().is_some(), "{first}: no first vote");
        }
        let voted: Intervals = self.first.iter().map(|(first, (end, _))| *first..*end).collect();
        for tasks in seconds.iter() {
            assert!(voted.covers(&tasks), "{tasks:?} wait for a second vote without a first");
        }
    }

    /// What they say, each once.
    pub(super) fn bytes_by_said(&self) -> BTreeMap<usize, usize> {
        let first = self.first.values().map(|(_, vote)| vote);
        let all = first.chain(self.others.values().flatten());
        all.map(|vote| (Arc::as_ptr(&vote.said) as usize, vote.said.bytes())).collect()
    }
}

impl Job {
    /// Whether somebody has voted on a block.
    pub(super) fn is_voted(&self, block: &Range<u64>) -> bool {
        self.votes.within(block).next().is_some()
    }

    /// Tasks of these that have a vote wait for another worker.
    pub(super) fn put_to_seconds(&mut self, tasks: &Range<u64>) {
        if self.votes.is_empty() {
            return;
        }
        for (voted, _) in self.votes.within(tasks) {
            for pending in self.pending.clone_within(&voted).iter() {
                self.pending.remove(pending.clone());
                self.seconds.insert(pending);
            }
        }
    }

    /// These tasks have an outcome.
    pub(super) fn forget_votes(&mut self, tasks: &Range<u64>) {
        if !self.votes.is_empty() {
            self.votes.remove(tasks);
            self.seconds.remove(tasks.clone());
        }
    }

    /// Takes tasks for a worker that somebody else has voted on, elsewhere if there is anybody.
    pub(super) fn pop_second(
        &mut self,
        id: WorkerId,
        others: &Others<'_>,
        count_max: u64,
    ) -> Option<Range<u64>> {
        if self.seconds.is_empty() {
            return None;
        }
        let tasks = self.find_second(id, others, count_max)?;
        self.seconds.remove(tasks.clone());
        Some(tasks)
    }

    fn find_second(&self, id: WorkerId, all: &Others<'_>, count_max: u64) -> Option<Range<u64>> {
        let able = all.able.with(self.skill, self.kernel);
        let waiting = self.seconds.iter().take(GRANT_SCAN_MAX);
        let candidates = waiting.flat_map(|tasks| self.votes.within(&tasks)).take(GRANT_SCAN_MAX);
        let mut candidates = candidates.map(|(tasks, _)| tasks);
        candidates.find_map(|tasks| {
            // Where votes differ, each block has its own.
            let first = self.block(tasks.start);
            let voters = self.votes.voters(&first);
            let may = !voters.iter().any(|(by, _)| *by == id);
            let may_be_here = || self.has_waited(&first, all.now);
            if !may || !(may_try(&voters, id, all.workers, able.as_ref()) || may_be_here()) {
                return None;
            }
            let others = self.votes.others.range(tasks.clone()).map(|(first, _)| *first);
            let end = match voters.len() {
                1 => others.min().unwrap_or(tasks.end),
                _ => first.end,
            };
            Some(tasks.start..end.min(tasks.start.saturating_add(count_max)))
        })
    }

    /// Who has voted on what waits for another worker, as far as it is looked at for one grant.
    pub(super) fn voters_of_seconds(
        &self,
        now: Duration,
    ) -> impl Iterator<Item = Vec<(WorkerId, Origin)>> + '_ {
        let waiting = self.seconds.iter().take(GRANT_SCAN_MAX);
        let candidates = waiting.flat_map(|tasks| self.votes.within(&tasks)).take(GRANT_SCAN_MAX);
        candidates.map(move |(tasks, _)| {
            let first = self.block(tasks.start);
            // What has waited is for others at any address.
            if self.has_waited(&first, now) { Vec::new() } else { self.votes.voters(&first) }
        })
    }

    /// Whether somebody at the address of the only one that has voted on these tasks may confirm that as well: it has
    /// waited for somebody elsewhere, or nothing more of the job is begun before.
    fn has_waited(&self, tasks: &Range<u64>, now: Duration) -> bool {
        let is_over = |vote: &Vote| vote.at.saturating_add(SECOND_WAIT) <= now;
        self.votes.others.range(tasks.clone()).next().is_none()
            && self.votes.within(tasks).all(|(_, vote)| !self.may_begin || is_over(vote))
    }

    /// The tasks of these before the first that a worker has voted on.
    pub(super) fn without_votes_of(&self, worker: WorkerId, tasks: Range<u64>) -> Range<u64> {
        if self.votes.is_empty() {
            return tasks;
        }
        let mut blocks = self.blocks_in(&tasks);
        let voted = blocks.find(|block| self.votes.has(worker, block)).map(|block| block.start);
        drop(blocks);
        tasks.start..voted.unwrap_or(tasks.end)
    }

    /// What a claim does to the votes on what of it is open.
    fn tally(&self, claim: &Claim, others: &Others<'_>) -> Tally {
        let mut tally = Tally::default();
        for open in &claim.fresh {
            let mut next = open.start;
            for (voted, vote) in self.votes.within(open) {
                if next < voted.start {
                    push_joined(&mut tally.new, next..voted.start);
                }
                next = voted.end;
                let may_confirm = self.may_confirm(&[vote.voter()], claim.worker, others)
                    || self.has_waited(&voted, others.now);
                self.compare(claim, voted, may_confirm, others, &mut tally);
            }
            if next < open.end {
                push_joined(&mut tally.new, next..open.end);
            }
        }
        tally
    }

    /// Whether a worker may confirm what these came to, or others elsewhere are to.
    fn may_confirm(
        &self,
        voters: &[(WorkerId, Origin)],
        id: WorkerId,
        others: &Others<'_>,
    ) -> bool {
        let able = others.able.with(self.skill, self.kernel);
        may_try(voters, id, others.workers, able.as_ref())
    }

    /// Whether a worker may be lent a copy of tasks that others hold or have voted on.
    pub(super) fn may_copy(
        &self,
        id: WorkerId,
        tasks: &Range<u64>,
        holders: impl Iterator<Item = (WorkerId, Origin)>,
        others: &Others<'_>,
    ) -> bool {
        if self.spec.check != Check::Twice {
            return true;
        }
        let votes = self.votes.within(tasks).map(|(_, vote)| vote);
        let votes = votes.chain(self.votes.others.range(tasks.clone()).flat_map(|(_, all)| all));
        let voters: Vec<(WorkerId, Origin)> = votes.map(Vote::voter).collect();
        let holders: Vec<(WorkerId, Origin)> = holders.collect();
        // It is to confirm what is voted, or what its holders will.
        voters.iter().all(|(by, _)| *by != id)
            && (self.may_confirm(&voters, id, others) || self.has_waited(tasks, others.now))
            && self.may_confirm(&holders, id, others)
    }

    /// Compares what is claimed of these tasks with the votes on them, block by block. `may_confirm` is whether who claims
    /// may confirm the first vote.
    fn compare(
        &self,
        claim: &Claim,
        tasks: Range<u64>,
        may_confirm: bool,
        others: &Others<'_>,
        tally: &mut Tally,
    ) {
        for block in self.blocks_in(&tasks) {
            if self.votes.has(claim.worker, &block) {
                continue;
            }
            let op = self.spec.op;
            let agrees = |vote: &Vote| {
                vote.find_other(op, block.clone(), claim.first, &claim.outcomes).is_none()
            };
            let mut agreeing = self.votes.of_block(&block).filter(|vote| agrees(vote)).peekable();
            let is_disputed =
                agreeing.peek().is_none() || self.votes.others.contains_key(&block.start);
            // Two at one address do not outvote somebody elsewhere.
            let confirms = |vote: &Vote| self.may_confirm(&[vote.voter()], claim.worker, others);
            let is_agreed = if is_disputed { agreeing.any(confirms) } else { may_confirm };
            if is_agreed {
                push_joined(&mut tally.agreed, block);
            } else if is_disputed {
                tally.disputed.push(block);
            }
        }
    }

    /// The votes on a block that are not these outcomes.
    pub(super) fn wrong_votes(&self, block: &Range<u64>, ours: &Outcomes) -> Vec<Wrong> {
        let wrong = |vote: &Vote| {
            let index = vote.find_other(self.spec.op, block.clone(), block.start, ours)?;
            Some(vote.wrong_at(index))
        };
        self.votes.of_block(block).filter_map(wrong).collect()
    }
}

impl Scheduler {
    /// Takes what a worker has sent of a job whose blocks are computed twice. What another came to as well is
    /// settled.
    pub(super) fn vote(
        &mut self,
        mut claim: Claim,
        duration: Option<Duration>,
        now: Duration,
    ) -> Result<Accepted, Refusal> {
        let (id, range) = (claim.held.job, claim.range());
        self.mark_alive(claim.worker);
        if !claim.fresh.is_empty() {
            self.measure(&claim, duration, now);
        }
        let duplicates = count(&range) - claim.fresh.iter().map(count).sum::<u64>();
        let others = Others { workers: &self.workers, able: &self.able, now };
        let tally = self.jobs[&id].tally(&claim, &others);
        self.cast(&claim, &tally, now);
        let front = self.leases.get(&claim.lease).map(|lease| lease.rest.start);
        claim.fresh.clone_from(&tally.agreed);
        self.credit_voters(id, &tally.agreed);
        let mut accepted = self.accept(&mut claim);
        accepted.duplicates = duplicates;
        let judged = self.dispute(&claim, &tally.disputed, &mut accepted, now);
        if judged.is_ok() {
            self.advance(claim.worker, claim.lease, range.end, now);
            if let Some(front) = front {
                let answered = front.max(range.start)..range.end;
                self.back_to_pending(id, claim.held.original, answered);
            }
        }
        self.revoke_done_of(&claim, &accepted);
        self.refresh_job(id);
        self.hold_or_free_voted();
        match judged {
            Ok(()) => Ok(Accepted { job: Some(id), ..accepted }),
            Err(refusal) => Err(Refusal { saved: accepted, ..refusal }),
        }
    }

    /// Keeps what nobody came to before, as long as there is room. What there is none for is computed again.
    fn cast(&mut self, claim: &Claim, tally: &Tally, at: Duration) {
        let share = self.votes_held_share();
        let Some(job) = self.jobs.get_mut(&claim.held.job) else { return };
        let counted = &job.votes.counted.clone();
        job.votes.voters.insert(claim.worker);
        let is_full = counted.get() >= CLAIMS_HELD_BYTES_MAX && counted.of_job() >= share;
        let vote = |tasks: &Range<u64>| {
            let place = |index: u64| (index - claim.first) as usize;
            let outcomes = claim.outcomes.slice(place(tasks.start)..place(tasks.end));
            let said = Said::new(tasks.start, outcomes, counted);
            Vote { worker: claim.worker, origin: claim.origin, lease: claim.lease, at, said }
        };
        for tasks in tally.new.iter().filter(|_| !is_full) {
            job.votes.first.insert(tasks.start, (tasks.end, vote(tasks)));
            job.put_to_seconds(tasks);
        }
        // There are no more of these than of first ones, unless there is room.
        for block in &tally.disputed {
            if is_full && job.votes.others.contains_key(&block.start) {
                continue;
            }
            job.votes.others.entry(block.start).or_default().push(vote(block));
        }
    }

    /// Those who voted first have shown something as well.
    fn credit_voters(&mut self, id: JobId, agreed: &[Range<u64>]) {
        let Some(job) = self.jobs.get(&id) else { return };
        let skill = job.skill;
        let voters = agreed.iter().flat_map(|tasks| job.votes.within(tasks));
        let voters: Vec<(WorkerId, u64)> =
            voters.map(|(tasks, vote)| (vote.worker, count(&tasks))).collect();
        for (worker, tasks) in voters {
            self.add_credit(worker, skill, 0, tasks);
        }
    }

    /// What a worker has voted counts no more.
    pub(super) fn forget_votes_of(&mut self, worker: WorkerId) {
        let has_voted = |id: &&JobId| self.jobs[*id].votes.voters.contains(&worker);
        for id in self.voted.iter().filter(has_voted).copied().collect::<Vec<_>>() {
            let Some(job) = self.jobs.get_mut(&id) else { continue };
            job.votes.forget_worker(worker, job.spec.block);
            let waiting: Vec<Range<u64>> = job.seconds.iter().collect();
            for tasks in waiting {
                let voted: Intervals = job.votes.within(&tasks).map(|(tasks, _)| tasks).collect();
                for unvoted in voted.missing_in(&tasks) {
                    job.seconds.remove(unvoted.clone());
                    job.pending.insert(unvoted);
                }
            }
            self.refresh_job(id);
        }
        self.hold_or_free_voted();
    }

    /// Who voted as `was` is known as `now` from now on.
    pub(super) fn rename_voter(&mut self, was: WorkerId, now: WorkerId) {
        for id in &self.voted {
            if let Some(job) = self.jobs.get_mut(id) {
                job.votes.rename(was, now);
            }
        }
    }
}

/// As if a job's votes held so many bytes more, until it is dropped.
#[cfg(all(test, feature = "test-ops"))]
pub(super) struct Filled(VotesBytes, usize);

#[cfg(all(test, feature = "test-ops"))]
impl VotesBytes {
    pub(super) fn fill(&self, bytes: usize) -> Filled {
        self.all.fetch_add(bytes, Ordering::Relaxed);
        self.of_job.fetch_add(bytes, Ordering::Relaxed);
        Filled(self.clone(), bytes)
    }
}

#[cfg(all(test, feature = "test-ops"))]
impl Drop for Filled {
    fn drop(&mut self) {
        self.0.all.fetch_sub(self.1, Ordering::Relaxed);
        self.0.of_job.fetch_sub(self.1, Ordering::Relaxed);
    }
}
