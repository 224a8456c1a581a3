//! The one thread that writes to the store. Outcomes that wait are recorded together (group
//! commit); what fails is tried again until it succeeds, and nothing is said to be recorded before.
//!
//! Outcomes and all else take turns: what waits of outcomes is one transaction, then one of all else is
//! done, or one group of submissions. However many submit, recording waits for one of them.

use super::event::{Report, Reports};
use super::reactor::{Overlap, Recorded, Removable};
use super::write::{Change, NewInputs, Queued, Reply, Write, answer};
use crate::metrics::Metrics;
use crate::pace::Pace;
use crate::store::{Damage, Fresh, Recording, Repaired, Store, StoreError, StoredJob};
use std::collections::{BTreeMap, VecDeque};
use std::ops::Range;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use tequio_protocol::api::JobState;
use tequio_protocol::grid::Grid;
use tequio_protocol::ids::JobId;
use tequio_protocol::limits::{
    COMMIT_BUSY, COMMIT_GATHER, COMMIT_SUBMISSIONS_MAX, COMMIT_TASKS_MAX, COMPLAINT_LINE_PACE,
    COMPLAINT_LINES_BURST, STATES_WAIT, STORE_CHECK, STORE_RETRY,
};
use tequio_protocol::ranges::gaps;
use tokio::sync::oneshot;
use tracing::{error, warn};

/// Starts the thread; it ends at [`Write::Stop`], with all written that can be.
pub(super) fn start(
    store: Arc<dyn Store>,
    writes: Receiver<Queued>,
    reports: Reports,
    metrics: Arc<Metrics>,
) -> std::io::Result<JoinHandle<()>> {
    let writer = Writer::new(store, reports, metrics);
    std::thread::Builder::new().name("store".to_owned()).spawn(move || writer.run(&writes))
}

struct Writer {
    store: Arc<dyn Store>,
    reports: Reports,
    metrics: Arc<Metrics>,
    /// Outcomes to be recorded, in order.
    waiting: VecDeque<Recording>,
    /// States that are not written yet, which jobs are in all the same.
    states: BTreeMap<JobId, JobState>,
    /// Since when.
    states_since: Option<Instant>,
    /// States that somebody waits for.
    settings: Vec<(JobId, JobState, Reply<()>)>,
    /// What else is to be written, in order.
    others: VecDeque<Queued>,
    /// How many of the first of them are submissions that failed together, and are tried one by one.
    alone: usize,
    /// Jobs of which a part is left to be removed.
    removing: VecDeque<JobId>,
    /// When writing failed last, while it does.
    failed_at: Option<Instant>,
    /// Until when the next transaction may wait for more, where the last one had much.
    gather_until: Option<Instant>,
    /// What the console says of outcomes that were there already.
    overlap_lines: Pace<Instant>,
    is_stopping: bool,
}

impl Writer {
    fn new(store: Arc<dyn Store>, reports: Reports, metrics: Arc<Metrics>) -> Writer {
        Writer {
            store,
            reports,
            metrics,
            waiting: VecDeque::new(),
            states: BTreeMap::new(),
            states_since: None,
            settings: Vec::new(),
            others: VecDeque::new(),
            alone: 0,
            removing: VecDeque::new(),
            failed_at: None,
            gather_until: None,
            overlap_lines: Pace::new(COMPLAINT_LINES_BURST, COMPLAINT_LINE_PACE, Instant::now()),
            is_stopping: false,
        }
    }

    fn run(mut self, writes: &mpsc::Receiver<Queued>) {
        loop {
            match writes.recv_timeout(self.patience()) {
                Ok(queued) => {
                    self.take(queued);
                    self.gather();
                    self.drain(writes);
                }
                Err(RecvTimeoutError::Timeout) if self.is_busy() => {}
                Err(RecvTimeoutError::Timeout) if !self.removing.is_empty() => self.remove_part(),
                Err(RecvTimeoutError::Timeout) => self.check(),
                Err(RecvTimeoutError::Disconnected) => self.is_stopping = true,
            }
            let is_last = self.is_stopping;
            // States alone wait for something that is written anyway, for a while.
            let is_late = self.states_since.is_some_and(|since| since.elapsed() >= STATES_WAIT);
            let is_due = is_last || is_late || self.failed_at.is_some() || !self.waiting.is_empty();
            if is_due && self.failed_at.is_none_or(|at| is_last || at.elapsed() >= STORE_RETRY) {
                self.record_all();
            }
            self.take_turn();
            self.repair_seen();
            if is_last {
                while self.is_busy() {
                    self.take_turn();
                }
                return self.give_up();
            }
        }
    }

    /// Whether something waits for its turn.
    fn is_busy(&self) -> bool {
        !self.others.is_empty() || !self.settings.is_empty()
    }

    /// How long there is nothing to do unless something comes.
    fn patience(&self) -> Duration {
        let left = |since: Instant, wait: Duration| wait.saturating_sub(since.elapsed());
        match (self.failed_at, self.states_since) {
            _ if self.is_busy() => Duration::ZERO,
            (Some(failed_at), _) => left(failed_at, STORE_RETRY),
            (None, Some(since)) => left(since, STATES_WAIT),
            // What is removed is in nobody's way: whatever else there is comes first.
            (None, None) if !self.removing.is_empty() => Duration::ZERO,
            (None, None) => STORE_CHECK,
        }
    }

    /// Where outcomes come by the dozen, waits for some more: a sync of the disk for each handful costs
    /// more than all else, and so does to be woken by each. Who sends so much does not wait for it.
    fn gather(&mut self) {
        let Some(until) = self.gather_until.take() else { return };
        if !self.is_stopping && !self.is_busy() {
            std::thread::sleep(until.saturating_duration_since(Instant::now()));
        }
    }

    /// Takes what else waits, up to a transaction's worth.
    fn drain(&mut self, writes: &mpsc::Receiver<Queued>) {
        let mut tasks = 0;
        while tasks < COMMIT_TASKS_MAX && !self.is_stopping {
            // That nobody can send any more is seen by the next wait.
            let Ok(queued) = writes.try_recv() else { return };
            tasks += if let Write::Record(r) = &queued.write { r.outcomes.len() } else { 1 };
            self.take(queued);
        }
    }

    /// Puts a write where it waits for its turn.
    fn take(&mut self, queued: Queued) {
        match queued.write {
            Write::Record(recording) => self.waiting.push_back(recording),
            // Behind what was asked of the job before, the last state stands.
            Write::SetState(job, JobState::Done, reply) if !self.is_setting(job) => {
                // It follows from what is recorded, and is found to be so when a store is loaded: no
                // sync of the disk is spent on it alone as long as there is something to do.
                self.states.insert(job, JobState::Done);
                self.states_since.get_or_insert_with(Instant::now);
                answer(reply, Ok(()));
            }
            Write::SetState(job, state, reply) => self.settings.push((job, state, reply)),
            Write::Stop => self.is_stopping = true,
            _ => self.others.push_back(queued),
        }
    }

    /// Whether somebody waits for a state of a job.
    fn is_setting(&self, job: JobId) -> bool {
        self.settings.iter().any(|(set, ..)| *set == job)
    }

    /// Writes a part of what waits beside outcomes: all states, and then one write, or as many
    /// submissions as one transaction takes.
    fn take_turn(&mut self) {
        if !self.settings.is_empty() {
            self.set_states();
        }
        let is_submission = |queued: &&Queued| matches!(queued.write, Write::Submit(..));
        let most = if self.alone > 0 { 1 } else { COMMIT_SUBMISSIONS_MAX };
        self.alone = self.alone.saturating_sub(1);
        let submissions = self.others.iter().take(most);
        match submissions.take_while(is_submission).count() {
            0 => {
                if let Some(Queued { write, room: _room }) = self.others.pop_front() {
                    self.write(write);
                }
            }
            count => self.submit(count),
        }
    }

    /// Writes the states that somebody waits for, all together.
    fn set_states(&mut self) {
        // What was taken before is recorded before.
        if self.failed_at.is_none() {
            self.record_all();
        }
        let mut settings = std::mem::take(&mut self.settings);
        let mut states: BTreeMap<JobId, JobState> =
            settings.iter().map(|(job, state, _)| (*job, *state)).collect();
        let done = loop {
            match self.store.commit(&[], &states) {
                Err(StoreError::Damaged { job, name, what, .. })
                    if states.remove(&job).is_some() =>
                {
                    for (_, _, reply) in settings.extract_if(.., |(of, ..)| *of == job) {
                        let (name, what) = (name.clone(), what.clone());
                        let outcomes = None;
                        answer(reply, Err(StoreError::Damaged { job, name, what, outcomes }));
                    }
                    self.set_aside(job, what);
                }
                done => break done,
            }
        };
        match done {
            Ok(_) => {
                for (job, _, reply) in settings {
                    self.states.remove(&job);
                    answer(reply, Ok(()));
                }
                if self.states.is_empty() {
                    self.states_since = None;
                }
            }
            Err(error) => {
                error!("the states of {} jobs are not on disk yet: {error}", states.len());
                self.states.extend(states);
                self.states_since.get_or_insert_with(Instant::now);
                self.fail(&error);
                for (_, _, reply) in settings {
                    answer(reply, Err(StoreError::Unavailable(error.to_string())));
                }
            }
        }
    }

    /// Enters the next `count` of what waits, which are submissions, in one transaction.
    fn submit(&mut self, count: usize) {
        let mut rooms = Vec::with_capacity(count);
        let (mut jobs, mut replies) = (Vec::with_capacity(count), Vec::with_capacity(count));
        for queued in self.others.drain(..count) {
            if let Write::Submit(job, reply) = queued.write {
                jobs.push(job);
                replies.push(reply);
                rooms.push(queued.room);
            }
        }
        match self.store.submit_all(&jobs) {
            Ok(ids) => {
                for ((id, job), reply) in ids.into_iter().zip(jobs).zip(replies) {
                    let total = job.grid.as_ref().map_or(0, Grid::total);
                    let stored = StoredJob::new(id, job, total, false);
                    self.tell(Report::Changed(Change::Publish(Box::new(stored), reply)));
                }
            }
            // It may be one of them that does not fit.
            Err(_) if count > 1 => {
                let writes = jobs.into_iter().zip(replies).map(|(job, to)| Write::Submit(job, to));
                let again = writes.zip(rooms).map(|(write, room)| Queued { write, room });
                again.rev().for_each(|queued| self.others.push_front(queued));
                self.alone = count;
            }
            Err(error) => {
                for reply in replies {
                    answer(reply, Err(StoreError::Unavailable(error.to_string())));
                }
            }
        }
    }

    fn write(&mut self, write: Write) {
        match write {
            // These have their own places, see `take`.
            Write::Record(_) | Write::SetState(..) | Write::Submit(..) | Write::Stop => {}
            Write::NoteAppended(job, at_ms) => drop(self.store.note_appended(job, at_ms)),
            Write::CreateJob(job, reply) => answer(reply, self.store.create_job(&job)),
            Write::AppendInputs(inputs, reply) => answer(reply, self.append(&inputs)),
            Write::Discard(job, reply) => answer(reply, self.store.discard(job)),
            Write::Grow(inputs, growth) => match self.append(&inputs) {
                Ok(()) => self.change(growth),
                Err(error) => growth.refuse(error),
            },
            Write::Change(change) => self.change(change),
            Write::Repair(job, damage, reply) => match self.repair(job, &damage) {
                Ok(repaired) => self.tell(Report::Repaired(Box::new(repaired), Some(reply))),
                Err(error) => answer(reply, Err(error)),
            },
        }
    }

    /// Removes what readers have found damaged, of jobs that go on: it is computed again.
    fn repair_seen(&mut self) {
        if self.failed_at.is_some() {
            // It is done when the disk is well again, if somebody reads it again.
            return;
        }
        for (job, damage) in self.store.take_damage() {
            match self.repair(job, &damage) {
                Ok(repaired) => self.tell(Report::Repaired(Box::new(repaired), None)),
                Err(error) => match error.of_job() {
                    Some((job, what)) => self.set_aside(job, what),
                    None => error!("job {job} is not repaired: {error}"),
                },
            }
        }
    }

    fn repair(&mut self, job: JobId, damage: &Damage) -> Result<Repaired, StoreError> {
        self.record_before(job)?;
        self.store.repair(job, damage)
    }

    /// What was taken of a job before, and its state, is recorded before what follows.
    fn record_before(&mut self, job: JobId) -> Result<(), StoreError> {
        if self.failed_at.is_none() {
            self.record_all();
        }
        let is_written = || self.waiting.iter().all(|recording| recording.job != job);
        if self.failed_at.is_some() && !is_written() {
            let said = format!("job {job} has outcomes that wait for the disk");
            return Err(StoreError::Unavailable(said));
        }
        Ok(())
    }

    fn append(&self, inputs: &NewInputs) -> Result<(), StoreError> {
        self.store.append_lines(inputs.job, inputs.first, &inputs.inputs, &inputs.lines)
    }

    /// Makes a change in the store, and has the dispatcher make it too.
    fn change(&mut self, change: Change) {
        let changed = match &change {
            Change::Publish(job, _) if job.is_open => self.store.publish_open(job.id),
            Change::Publish(job, _) => self.store.publish(job.id),
            // Its inputs are there.
            Change::Grow { is_open: true, .. } => Ok(()),
            Change::Grow { job, .. } | Change::Close(job, _) => self.store.close(*job),
            Change::Remove(job, why, _) => self.remove(*job, *why),
        };
        match (changed, change) {
            (Ok(()), change) => self.tell(Report::Changed(change)),
            (Err(error), Change::Grow { job, total, reply, .. }) => {
                // It has grown all the same, and is closed when that is asked again.
                let (grown, _) = oneshot::channel();
                self.tell(Report::Changed(Change::Grow {
                    job,
                    total,
                    is_open: true,
                    reply: grown,
                }));
                answer(reply, Err(error));
            }
            (Err(error), change) => change.refuse(error),
        }
    }

    fn remove(&mut self, job: JobId, why: Removable) -> Result<(), StoreError> {
        if self.removing.contains(&job) {
            return Err(StoreError::NoSuchJob(job));
        }
        self.record_before(job)?;
        if why == Removable::SetAside {
            // Its state in the store is what it was before.
            self.store.set_aside(job);
        }
        let is_left = self.store.remove(job)?;
        self.removing.extend(is_left.then_some(job));
        Ok(())
    }

    fn remove_part(&mut self) {
        let Some(job) = self.removing.pop_front() else { return };
        match self.store.remove(job) {
            Ok(is_left) => {
                self.removing.extend(is_left.then_some(job));
                if self.waiting.is_empty() && self.states.is_empty() {
                    self.recover();
                }
            }
            Err(StoreError::NoSuchJob(_)) => {}
            // Nobody sees it any more, and the rest of it is in nobody's way.
            Err(error @ StoreError::Damaged { .. }) => error!("it stays in the file: {error}"),
            Err(error) => {
                self.removing.push_front(job);
                self.fail(&error);
            }
        }
    }

    /// Writes what waits; what fails goes on waiting.
    fn record_all(&mut self) {
        if self.waiting.is_empty() && self.states.is_empty() {
            return;
        }
        let began = Instant::now();
        match self.commit() {
            Ok(fresh) => {
                self.metrics.commit.observe(began.elapsed().as_secs_f64());
                self.states.clear();
                self.states_since = None;
                self.recover();
                self.gather_until =
                    (self.waiting.len() >= COMMIT_BUSY).then(|| began + COMMIT_GATHER);
                let dropped = self.drop_known(fresh);
                let recorded = Recorded::all(self.waiting.drain(..));
                self.tell(Report::Recorded(recorded));
                for (job, dropped) in dropped {
                    self.tell_of_overlap(job, dropped);
                }
            }
            Err(error) => self.fail(&error),
        }
    }

    /// Commits what waits. A job that alone is the reason why that cannot be, since it is damaged where its
    /// outcomes or its state belong or is not there, is set aside: the others need not wait for it.
    fn commit(&mut self) -> Result<Vec<Fresh>, StoreError> {
        loop {
            match self.store.commit(self.waiting.make_contiguous(), &self.states) {
                Err(error)
                    if let Some((job, what)) = error.of_job()
                        && (self.states.contains_key(&job)
                            || self.waiting.iter().any(|recording| recording.job == job)) =>
                {
                    self.set_aside(job, what);
                }
                done => return done,
            }
        }
    }

    /// Leaves what was new of that which was committed, and gives how many outcomes of which jobs were
    /// not: others of their tasks were there already. That is no failure, and recording goes on.
    fn drop_known(&mut self, fresh: Vec<Fresh>) -> BTreeMap<JobId, u64> {
        let mut dropped = BTreeMap::new();
        if fresh.iter().all(|fresh| *fresh == Fresh::All) {
            return dropped;
        }
        for (recording, fresh) in std::mem::take(&mut self.waiting).into_iter().zip(fresh) {
            let Fresh::Only(new) = fresh else {
                self.waiting.push_back(recording);
                continue;
            };
            let tasks = recording.first..recording.first + recording.outcomes.len();
            let known = gaps(&tasks, new.iter().cloned());
            self.warn_of_overlap(recording.job, &known);
            let count: u64 = known.iter().map(|tasks| tasks.end - tasks.start).sum();
            *dropped.entry(recording.job).or_default() += count;
            self.waiting.extend(new.iter().map(|tasks| recording.part(tasks)));
        }
        dropped
    }

    fn warn_of_overlap(&mut self, job: JobId, known: &[Range<u64>]) {
        let (Some(first), Some(last)) = (known.first(), known.last()) else { return };
        if self.overlap_lines.take(Instant::now()) {
            warn!(
                "job {job}: tasks within {}..{} have outcomes already, which stand: another server \
                 writes to this store, or it is a fault of this one",
                first.start, last.end
            );
        }
    }

    fn tell_of_overlap(&self, job: JobId, dropped: u64) {
        self.tell(match self.store.tally(job) {
            Ok(tally) => Report::Overlapped(Overlap { job, dropped, tally }),
            // What is recorded of it is not known then, and is at the next start.
            Err(error) => {
                let what = error.of_job().map_or_else(|| error.to_string(), |(_, what)| what);
                Report::SetAside { job, what, lost: dropped }
            }
        });
    }

    /// Drops what waits of a job that cannot be written to.
    fn set_aside(&mut self, job: JobId, what: String) {
        let is_of_it = |recording: &&Recording| recording.job == job;
        let lost = self.waiting.iter().filter(is_of_it);
        let lost = lost.map(|recording| recording.outcomes.len()).sum();
        self.waiting.retain(|recording| recording.job != job);
        self.states.remove(&job);
        self.tell(Report::SetAside { job, what, lost });
    }

    /// Looks whether what will be written can be, while there is nothing to write.
    fn check(&mut self) {
        if !self.waiting.is_empty() || !self.states.is_empty() {
            return;
        }
        match self.store.check() {
            Ok(()) => self.recover(),
            Err(error) => self.fail(&error),
        }
    }

    /// What was written last succeeded.
    fn recover(&mut self) {
        if self.failed_at.take().is_some() {
            self.tell(Report::StoreFails(None));
        }
    }

    fn fail(&mut self, error: &StoreError) {
        self.failed_at = Some(Instant::now());
        self.tell(Report::StoreFails(Some(error.to_string())));
    }

    fn tell(&self, report: Report) {
        // Without a dispatcher the server is stopping, and nobody counts any more.
        self.reports.send(report).ok();
    }

    fn give_up(self) {
        let tasks: u64 = self.waiting.iter().map(|recording| recording.outcomes.len()).sum();
        if tasks > 0 {
            error!("{tasks} outcomes could not be recorded; they will be computed again");
        }
    }
}

#[cfg(test)]
mod tests;
