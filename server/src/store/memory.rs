//! A store that lasts as long as its process: for `--memory`, tests and the simulation.

use super::{
    Around, Condition, Damage, Fresh, Loaded, NewJob, Recording, Repaired, Run, Sample, Sampling,
    Standing, Store, StoreError, StoredJob, StoredKernel, Tally, check_append, jumps, runs_within,
};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::{Mutex, MutexGuard, PoisonError};
use tequio_protocol::api::JobState;
use tequio_protocol::grid::Grid;
use tequio_protocol::ids::JobId;
use tequio_protocol::op::kernel::{KernelId, Sha256};
use tequio_protocol::outcome::{Errors, Outcomes};
use tequio_protocol::ranges::{gaps, push_joined};
use tequio_protocol::reader::LineRun;
use tequio_protocol::values::Values;

/// Keeps everything in memory, and nothing behind it. It never errs with [`StoreError::Unavailable`].
#[derive(Debug, Default)]
pub struct MemoryStore {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    epoch: u64,
    /// The newest id, so that none is given twice.
    last: u64,
    jobs: BTreeMap<JobId, Job>,
    /// Oldest first.
    kernels: Vec<StoredKernel>,
    /// Modules and data.
    blobs: BTreeMap<Sha256, Vec<u8>>,
}

#[derive(Debug)]
struct Job {
    entered: NewJob,
    total: u64,
    is_open: bool,
    appended_at_ms: u64,
    audited: u64,
    /// `None` for a draft.
    state: Option<JobState>,
    inputs: Values,
    lines: Vec<LineRun>,
    /// The outcomes recorded, by their first index; disjoint, none empty.
    runs: BTreeMap<u64, Kept>,
    is_set_aside: bool,
}

/// The outcomes of neighbouring tasks, as short as they are kept anywhere.
#[derive(Debug)]
struct Kept {
    /// A JSON array.
    results: Box<str>,
    len: u64,
    errors: Errors,
}

impl Kept {
    fn of(outcomes: &Outcomes) -> Kept {
        let results = outcomes.results();
        Kept {
            results: results.json().into(),
            len: outcomes.len(),
            errors: outcomes.errors().clone(),
        }
    }

    fn len(&self) -> u64 {
        self.len
    }

    fn read(&self) -> Outcomes {
        let results = Values::read(&self.results).expect("what was written is read");
        Outcomes::new(results, self.errors.clone())
    }
}

impl MemoryStore {
    /// An empty store.
    pub fn new() -> MemoryStore {
        MemoryStore::default()
    }

    /// No call leaves the state half changed, so one that panicked does not lose the store.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Store for MemoryStore {
    fn load(&self) -> Result<Loaded, StoreError> {
        let mut state = self.lock();
        state.jobs.retain(|_, job| job.state.is_some());
        state.drop_unused_data();
        let jobs = state.jobs.iter().filter_map(|(id, job)| job.stored(*id)).collect();
        let epoch = state.epoch;
        state.epoch += 1;
        Ok(Loaded { epoch, jobs })
    }

    fn create_job(&self, job: &NewJob) -> Result<JobId, StoreError> {
        Ok(self.lock().enter(job, None))
    }

    fn submit_all(&self, jobs: &[NewJob]) -> Result<Vec<JobId>, StoreError> {
        let mut state = self.lock();
        Ok(jobs.iter().map(|job| state.enter(job, Some(JobState::Running))).collect())
    }

    fn append_lines(
        &self,
        job: JobId,
        first: u64,
        inputs: &Values,
        lines: &[LineRun],
    ) -> Result<(), StoreError> {
        let mut state = self.lock();
        let growing = state.whole(job)?;
        let end = growing.inputs.len() as u64;
        growing.standing().check_growing(job)?;
        check_append(job, first, inputs.len(), end)?;
        let jumps = jumps(growing.lines.last().copied(), lines);
        growing.lines.extend(jumps);
        growing.inputs.append(inputs);
        growing.total = growing.inputs.len() as u64;
        Ok(())
    }

    fn publish(&self, job: JobId) -> Result<(), StoreError> {
        let mut state = self.lock();
        let draft = state.whole(job)?;
        draft.standing().check_draft(job)?;
        draft.state = Some(JobState::Running);
        Ok(())
    }

    fn publish_open(&self, job: JobId) -> Result<(), StoreError> {
        let mut state = self.lock();
        let draft = state.whole(job)?;
        draft.standing().check_draft(job)?;
        draft.state = Some(JobState::Running);
        draft.is_open = true;
        Ok(())
    }

    fn close(&self, job: JobId) -> Result<(), StoreError> {
        let mut state = self.lock();
        let open = state.whole(job)?;
        open.standing().check_open(job)?;
        open.is_open = false;
        Ok(())
    }

    fn note_appended(&self, job: JobId, at_ms: u64) -> Result<(), StoreError> {
        self.lock().published(job)?.appended_at_ms = at_ms;
        Ok(())
    }

    fn add_kernel(&self, kernel: &StoredKernel, module: &[u8]) -> Result<(), StoreError> {
        let state = &mut *self.lock();
        if state.kernels.iter().any(|known| known.sha256 == kernel.sha256) {
            return Ok(());
        }
        if let Some(other) = state.kernels.iter().find(|known| known.name == kernel.name) {
            let by = other.sha256.to_string();
            return Err(StoreError::NameTaken { name: kernel.name.clone(), by });
        }
        state.kernels.push(kernel.clone());
        state.blobs.insert(kernel.sha256.clone(), module.to_vec());
        Ok(())
    }

    fn kernels(&self) -> Result<Vec<StoredKernel>, StoreError> {
        Ok(self.lock().kernels.clone())
    }

    fn remove_kernel(&self, sha256: &Sha256) -> Result<(), StoreError> {
        let state = &mut *self.lock();
        let jobs = state.jobs.iter().filter(|(_, job)| {
            let id = job.entered.op.name().parse::<KernelId>();
            id.is_ok_and(|id| id.module == *sha256)
        });
        let jobs: Vec<JobId> = jobs.map(|(id, _)| *id).collect();
        if let Some(first) = jobs.first() {
            let (jobs, first) = (jobs.len() as u64, first.0);
            return Err(StoreError::KernelInUse { sha256: sha256.clone(), jobs, first });
        }
        let Some(place) = state.kernels.iter().position(|known| known.sha256 == *sha256) else {
            return Err(StoreError::NoSuchKernel(sha256.clone()));
        };
        state.kernels.remove(place);
        state.blobs.remove(sha256);
        Ok(())
    }

    fn add_data(&self, sha256: &Sha256, data: &[u8]) -> Result<(), StoreError> {
        self.lock().blobs.entry(sha256.clone()).or_insert_with(|| data.to_vec());
        Ok(())
    }

    fn blob(&self, sha256: &Sha256) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(self.lock().blobs.get(sha256).cloned())
    }

    fn discard(&self, job: JobId) -> Result<(), StoreError> {
        let mut state = self.lock();
        state.any(job)?.standing().check_draft(job)?;
        state.jobs.remove(&job);
        Ok(())
    }

    fn set_aside(&self, job: JobId) {
        if let Ok(published) = self.lock().published(job) {
            published.is_set_aside = true;
        }
    }

    fn remove(&self, job: JobId) -> Result<bool, StoreError> {
        let mut state = self.lock();
        let found = state.any(job)?;
        if !found.is_set_aside && !found.state.is_some_and(JobState::is_over) {
            return Err(found.standing().refuse_removal(job));
        }
        state.jobs.remove(&job);
        Ok(false)
    }

    fn set_state(&self, job: JobId, to: JobState) -> Result<(), StoreError> {
        self.lock().published(job)?.state = Some(to);
        Ok(())
    }

    fn commit(
        &self,
        recordings: &[Recording],
        states: &BTreeMap<JobId, JobState>,
    ) -> Result<Vec<Fresh>, StoreError> {
        let mut state = self.lock();
        // All of them are looked at first, so that none is recorded where one cannot be.
        for recording in recordings {
            state.published(recording.job)?;
            recording.end()?;
        }
        let fresh = recordings.iter().map(|recording| state.record_one(recording));
        let fresh = fresh.collect::<Result<_, _>>()?;
        for (job, to) in states {
            // One that was removed has none.
            if let Ok(published) = state.published(*job) {
                published.state = Some(*to);
            }
        }
        Ok(fresh)
    }

    fn tally(&self, job: JobId) -> Result<Tally, StoreError> {
        Ok(self.lock().published(job)?.tally())
    }

    fn outcomes(
        &self,
        job: JobId,
        range: Range<u64>,
        tasks_max: u64,
    ) -> Result<Vec<Run>, StoreError> {
        let mut state = self.lock();
        let published = state.published(job)?;
        let mut runs = Vec::new();
        let mut tasks = 0;
        for (first, outcomes) in published.overlapping(&range) {
            let start = range.start.max(*first);
            let end = range.end.min(first + outcomes.len());
            tasks += end - start;
            if tasks > tasks_max && !runs.is_empty() {
                break;
            }
            let places = (start - first) as usize..(end - first) as usize;
            runs.push(Run { first: start, outcomes: outcomes.read().take(places) });
        }
        Ok(runs)
    }

    fn sample(&self, job: JobId, indices: &[u64], tasks_max: u64) -> Result<Sample, StoreError> {
        let mut state = self.lock();
        let published = state.published(job)?;
        let mut sampling = Sampling::new(indices, tasks_max);
        while let Some(index) = sampling.next() {
            match published.around(index) {
                Around::Recorded(interval) => {
                    let Some(wanted) = sampling.wanted_of(&interval) else { break };
                    let run = published.runs[&interval.start].read();
                    let outcome =
                        |index: &u64| run.get((index - interval.start) as usize).to_owned();
                    sampling.add(wanted, wanted.iter().map(outcome));
                }
                Around::Gap(end) => sampling.skip(end),
            }
        }
        Ok(sampling.sample)
    }

    /// What is in memory is what was written.
    fn examine(&self, job: JobId) -> Result<Damage, StoreError> {
        self.lock().published(job)?;
        Ok(Damage::default())
    }

    /// There is nothing to repair.
    fn repair(&self, job: JobId, _: &Damage) -> Result<Repaired, StoreError> {
        let stored = self.lock().published(job)?.stored(job);
        let job = stored.ok_or(StoreError::NoSuchJob(job))?;
        Ok(Repaired { removed: Vec::new(), inputs: Vec::new(), job })
    }

    fn inputs(&self, job: JobId, range: Range<u64>) -> Result<Values, StoreError> {
        let mut state = self.lock();
        let found = state.any(job)?;
        let Range { start: first, end } = range;
        if range.is_empty() {
            return Ok(Values::new());
        }
        if end > found.inputs.len() as u64 {
            return Err(StoreError::OutOfRange { job, first, end });
        }
        Ok(found.inputs.slice(range.start as usize..range.end as usize))
    }

    fn grid(&self, job: JobId) -> Result<Option<Grid>, StoreError> {
        Ok(self.lock().published(job)?.entered.grid.clone())
    }

    fn lines(&self, job: JobId, range: Range<u64>) -> Result<Option<Vec<LineRun>>, StoreError> {
        let mut state = self.lock();
        let found = state.any(job)?;
        let has_grid = found.entered.grid.is_some();
        Ok((!has_grid).then(|| runs_within(&found.lines, &range)))
    }
}

impl State {
    fn drop_unused_data(&mut self) {
        let ids = self.jobs.values().filter_map(|job| job.entered.op.name().parse().ok());
        let used: BTreeSet<Sha256> = ids.filter_map(|id: KernelId| id.data).collect();
        let modules: BTreeSet<Sha256> =
            self.kernels.iter().map(|kernel| kernel.sha256.clone()).collect();
        self.blobs.retain(|sha256, _| used.contains(sha256) || modules.contains(sha256));
    }

    /// Enters a job; without a state it is a draft.
    fn enter(&mut self, job: &NewJob, state: Option<JobState>) -> JobId {
        self.last += 1;
        let id = JobId(self.last);
        let entered = Job {
            entered: job.clone(),
            total: job.grid.as_ref().map_or(0, Grid::total),
            is_open: false,
            appended_at_ms: job.submitted_at_ms,
            audited: 0,
            state,
            inputs: Values::new(),
            lines: Vec::new(),
            runs: BTreeMap::new(),
            is_set_aside: false,
        };
        self.jobs.insert(id, entered);
        id
    }

    /// A job that is no draft.
    fn published(&mut self, job: JobId) -> Result<&mut Job, StoreError> {
        let found = self.jobs.get_mut(&job).filter(|found| found.state.is_some());
        found.ok_or(StoreError::NoSuchJob(job))
    }

    /// A job or a draft.
    fn any(&mut self, job: JobId) -> Result<&mut Job, StoreError> {
        self.jobs.get_mut(&job).ok_or(StoreError::NoSuchJob(job))
    }

    /// A job or a draft that is not set aside.
    fn whole(&mut self, job: JobId) -> Result<&mut Job, StoreError> {
        let found = self.any(job)?;
        match found.is_set_aside {
            true => Err(StoreError::WrongState { job, is: Condition::SetAside }),
            false => Ok(found),
        }
    }

    /// Records what is new of a recording.
    fn record_one(&mut self, recording: &Recording) -> Result<Fresh, StoreError> {
        let published = self.published(recording.job)?;
        let tasks = recording.first..recording.end()?;
        if tasks.is_empty() {
            return Ok(Fresh::All);
        }
        let mut taken = published.overlapping(&tasks).peekable();
        if taken.peek().is_none() {
            drop(taken);
            published.runs.insert(tasks.start, Kept::of(&recording.outcomes));
            published.audited += recording.audited;
            return Ok(Fresh::All);
        }
        let new = gaps(&tasks, taken.map(|(first, run)| *first..first + run.len()));
        for tasks in &new {
            published.runs.insert(tasks.start, Kept::of(&recording.part(tasks).outcomes));
        }
        let count = new.iter().map(|tasks| tasks.end - tasks.start).sum();
        published.audited += recording.audited.min(count);
        Ok(Fresh::Only(new))
    }
}

impl Job {
    fn standing(&self) -> Standing {
        let has_grid = self.entered.grid.is_some();
        Standing { state: self.state, is_open: self.is_open, has_grid }
    }

    /// `None` for a draft.
    fn stored(&self, id: JobId) -> Option<StoredJob> {
        let state = self.state?;
        let Tally { done, failed, recorded } = self.tally();
        Some(StoredJob {
            id,
            job: self.entered.clone(),
            total: self.total,
            is_open: self.is_open,
            appended_at_ms: self.appended_at_ms,
            state,
            done,
            failed,
            audited: self.audited,
            recorded: if state.is_over() { Vec::new() } else { recorded },
            trouble: None,
        })
    }

    fn tally(&self) -> Tally {
        let mut tally = Tally::default();
        for (first, run) in &self.runs {
            let failed = run.errors.len() as u64;
            tally.failed += failed;
            tally.done += run.len() - failed;
            push_joined(&mut tally.recorded, *first..first + run.len());
        }
        tally
    }

    fn around(&self, index: u64) -> Around {
        let before = self.runs.range(..=index).next_back();
        let interval = before.map(|(first, run)| *first..*first + run.len());
        match interval.filter(|interval| interval.contains(&index)) {
            Some(interval) => Around::Recorded(interval),
            None => Around::Gap(self.runs.range(index..).next().map(|(first, _)| *first)),
        }
    }

    /// The runs that have an index within `range`, in order.
    fn overlapping(&self, range: &Range<u64>) -> impl Iterator<Item = (&u64, &Kept)> {
        let (start, end) = (range.start, range.end.max(range.start));
        let before = self.runs.range(..start).next_back();
        let before = before.filter(move |(first, run)| *first + run.len() > start);
        before.filter(|_| end > start).into_iter().chain(self.runs.range(start..end))
    }
}
