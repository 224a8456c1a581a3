use super::*;
use crate::dispatcher::tests::grid_job;
use crate::store::{Loaded, MemoryStore, NewJob, Run, Sample, StoredKernel, Tally};
use std::sync::Mutex;
use tequio_protocol::grid::Grid;
use tequio_protocol::ids::WorkerId;
use tequio_protocol::op::kernel::Sha256;
use tequio_protocol::outcome::Outcome;
use tequio_protocol::reader::LineRun;
use tequio_protocol::values::Values;

/// The name of a job that does not fit on the disk.
const TOO_LARGE: &str = "too large";

/// A store that notes its transactions.
#[derive(Default)]
struct Noting {
    store: MemoryStore,
    notes: Mutex<Vec<String>>,
    /// What the first commits fail with.
    failing: Mutex<Vec<StoreError>>,
}

impl Noting {
    fn note(&self, note: String) {
        self.notes.lock().unwrap().push(note);
    }
}

impl Store for Noting {
    fn load(&self) -> Result<Loaded, StoreError> {
        self.store.load()
    }

    fn add_kernel(&self, kernel: &StoredKernel, module: &[u8]) -> Result<(), StoreError> {
        self.store.add_kernel(kernel, module)
    }

    fn kernels(&self) -> Result<Vec<StoredKernel>, StoreError> {
        self.store.kernels()
    }

    fn remove_kernel(&self, sha256: &Sha256) -> Result<(), StoreError> {
        self.store.remove_kernel(sha256)
    }

    fn add_data(&self, sha256: &Sha256, data: &[u8]) -> Result<(), StoreError> {
        self.store.add_data(sha256, data)
    }

    fn blob(&self, sha256: &Sha256) -> Result<Option<Vec<u8>>, StoreError> {
        self.store.blob(sha256)
    }

    fn create_job(&self, job: &NewJob) -> Result<JobId, StoreError> {
        self.note("create".to_owned());
        self.store.create_job(job)
    }

    fn submit_all(&self, jobs: &[NewJob]) -> Result<Vec<JobId>, StoreError> {
        self.note(format!("submit {}", jobs.len()));
        if jobs.iter().any(|job| job.name == TOO_LARGE) {
            return Err(StoreError::Unavailable("the disk is full".to_owned()));
        }
        self.store.submit_all(jobs)
    }

    fn append_lines(
        &self,
        job: JobId,
        first: u64,
        inputs: &Values,
        lines: &[LineRun],
    ) -> Result<(), StoreError> {
        self.store.append_lines(job, first, inputs, lines)
    }

    fn publish(&self, job: JobId) -> Result<(), StoreError> {
        self.store.publish(job)
    }

    fn publish_open(&self, job: JobId) -> Result<(), StoreError> {
        self.store.publish_open(job)
    }

    fn close(&self, job: JobId) -> Result<(), StoreError> {
        self.store.close(job)
    }

    fn note_appended(&self, job: JobId, at_ms: u64) -> Result<(), StoreError> {
        self.store.note_appended(job, at_ms)
    }

    fn discard(&self, job: JobId) -> Result<(), StoreError> {
        self.store.discard(job)
    }

    fn set_aside(&self, job: JobId) {
        self.store.set_aside(job);
    }

    fn examine(&self, job: JobId) -> Result<Damage, StoreError> {
        self.store.examine(job)
    }

    fn repair(&self, job: JobId, damage: &Damage) -> Result<Repaired, StoreError> {
        self.note(format!("repair {job}"));
        self.store.repair(job, damage)
    }

    fn remove(&self, job: JobId) -> Result<bool, StoreError> {
        self.store.remove(job)
    }

    fn set_state(&self, job: JobId, state: JobState) -> Result<(), StoreError> {
        self.store.set_state(job, state)
    }

    fn commit(
        &self,
        recordings: &[Recording],
        states: &BTreeMap<JobId, JobState>,
    ) -> Result<Vec<Fresh>, StoreError> {
        self.note(format!("commit {} {}", recordings.len(), states.len()));
        match self.failing.lock().unwrap().pop() {
            Some(error) => Err(error),
            None => self.store.commit(recordings, states),
        }
    }

    fn tally(&self, job: JobId) -> Result<Tally, StoreError> {
        self.store.tally(job)
    }

    fn outcomes(&self, job: JobId, range: Range<u64>, max: u64) -> Result<Vec<Run>, StoreError> {
        self.store.outcomes(job, range, max)
    }

    fn sample(&self, job: JobId, indices: &[u64], max: u64) -> Result<Sample, StoreError> {
        self.store.sample(job, indices, max)
    }

    fn inputs(&self, job: JobId, range: Range<u64>) -> Result<Values, StoreError> {
        self.store.inputs(job, range)
    }

    fn grid(&self, job: JobId) -> Result<Option<Grid>, StoreError> {
        self.store.grid(job)
    }

    fn lines(&self, job: JobId, range: Range<u64>) -> Result<Option<Vec<LineRun>>, StoreError> {
        self.store.lines(job, range)
    }
}

fn job() -> NewJob {
    grid_job(100)
}

fn record(job: JobId, first: u64) -> Write {
    Write::Record(Recording {
        job,
        first,
        outcomes: [Outcome::Result("1.0")].into_iter().collect(),
        worker: WorkerId(1),
        agent: String::new(),
        duration_ms: None,
        audited: 0,
        recorded_at_ms: 0,
    })
}

/// What becomes of writes that all wait when the thread starts, and what the dispatcher is told.
fn written(store: Arc<Noting>, writes: Vec<Write>) -> (Vec<String>, Vec<Report>) {
    let (queue, queued) = mpsc::channel();
    for write in writes.into_iter().chain([Write::Stop]) {
        queue.send(Queued::from(write)).unwrap();
    }
    let (to, mut reports) = tokio::sync::mpsc::unbounded_channel();
    let metrics = Arc::new(Metrics::default());
    start(store.clone(), queued, to, metrics).unwrap().join().unwrap();
    let mut told = Vec::new();
    while let Ok(event) = reports.try_recv() {
        told.push(event);
    }
    let notes = std::mem::take(&mut *store.notes.lock().unwrap());
    (notes, told)
}

fn reply<T>() -> Reply<T> {
    oneshot::channel().0
}

#[test]
fn outcomes_do_not_wait_for_submissions_and_these_are_entered_in_groups() {
    let store = Arc::new(Noting::default());
    let id = store.store.submit(&job()).unwrap();
    let submissions = 2 * COMMIT_SUBMISSIONS_MAX + 5;
    let mut writes: Vec<Write> = (0..submissions).map(|_| Write::Submit(job(), reply())).collect();
    writes.push(record(id, 0));
    let (notes, told) = written(store, writes);
    let all = format!("submit {COMMIT_SUBMISSIONS_MAX}");
    assert_eq!(notes, ["commit 1 0", &all, &all, "submit 5"]);
    assert!(matches!(told[0], Report::Recorded(_)), "{:?}", told[0]);
    assert_eq!(told.len(), 1 + submissions, "each of them is told of");
}

#[test]
fn a_submission_that_does_not_fit_keeps_no_other() {
    let store = Arc::new(Noting::default());
    let id = store.store.submit(&job()).unwrap();
    let (too_large, mut refused) = oneshot::channel();
    let large = NewJob { name: TOO_LARGE.to_owned(), ..job() };
    let writes = vec![
        Write::Submit(job(), reply()),
        Write::Submit(large, too_large),
        Write::Submit(job(), reply()),
        Write::CreateJob(job(), reply()),
        Write::Submit(job(), reply()),
        Write::Submit(job(), reply()),
        record(id, 0),
    ];
    let (notes, told) = written(store, writes);
    let all = ["commit 1 0", "submit 3", "submit 1", "submit 1", "submit 1", "create", "submit 2"];
    assert_eq!(notes, all);
    assert!(matches!(refused.try_recv(), Ok(Err(StoreError::Unavailable(_)))));
    assert_eq!(told.len(), 1 + 4, "the others are entered: {told:?}");
}

#[test]
fn states_that_wait_are_written_together_behind_what_was_taken_before() {
    let store = Arc::new(Noting::default());
    let id = store.store.submit(&job()).unwrap();
    let states = [JobState::Paused, JobState::Running].into_iter().cycle().take(1000);
    let mut writes: Vec<Write> = states.map(|state| Write::SetState(id, state, reply())).collect();
    writes.insert(500, record(id, 0));
    let (notes, _) = written(store.clone(), writes);
    assert_eq!(notes, ["commit 1 0", "commit 0 1"]);
    assert_eq!(store.load().unwrap().jobs[0].state, JobState::Running, "the last one stands");
}

#[test]
fn a_state_that_cannot_be_written_does_not_keep_others_from_being_recorded() {
    for (state, commits) in [(JobState::Done, 2), (JobState::Paused, 1)] {
        let store = Arc::new(Noting::default());
        let [damaged, whole] = [(); 2].map(|()| store.store.submit(&job()).unwrap());
        let what = "a page is damaged".to_owned();
        let error = StoreError::Damaged { job: damaged, name: String::new(), what, outcomes: None };
        let (to, mut reports) = tokio::sync::mpsc::unbounded_channel();
        let mut writer = Writer::new(store.clone(), to, Arc::default());
        let (reply, mut answered) = oneshot::channel();
        writer.take(Write::SetState(damaged, state, reply).into());
        if state == JobState::Paused {
            store.failing.lock().unwrap().push(error);
            writer.set_states();
            assert!(matches!(answered.try_recv(), Ok(Err(StoreError::Damaged { .. }))));
        } else {
            store.failing.lock().unwrap().push(error);
        }
        writer.take(record(whole, 0).into());
        store.notes.lock().unwrap().clear();
        writer.record_all();
        assert_eq!(store.notes.lock().unwrap().len(), commits, "{state:?}");
        let told = std::iter::from_fn(|| reports.try_recv().ok());
        let told: Vec<Report> = told.collect();
        let is_aside = |report: &Report| match report {
            Report::SetAside { job, lost: 0, .. } => *job == damaged,
            _ => false,
        };
        assert!(told.len() == 2 && is_aside(&told[0]), "{told:?}");
        assert!(matches!(told[1], Report::Recorded(_)), "{told:?}");
    }
}

#[test]
fn the_last_state_of_a_job_stands_also_where_writing_failed() {
    for failures in 0..3 {
        let store = Arc::new(Noting::default());
        let id = store.store.submit(&job()).unwrap();
        let io = || StoreError::Unavailable("the disk is full".to_owned());
        store.failing.lock().unwrap().extend((0..failures).map(|_| io()));
        let (to, _reports) = tokio::sync::mpsc::unbounded_channel();
        let mut writer = Writer::new(store.clone(), to, Arc::default());
        for state in [JobState::Paused, JobState::Done] {
            writer.take(Write::SetState(id, state, reply()).into());
        }
        writer.set_states();
        for _ in 0..failures {
            writer.record_all();
        }
        assert!(writer.states.is_empty(), "after {failures} failures");
        let state = store.load().unwrap().jobs[0].state;
        assert_eq!(state, JobState::Done, "after {failures} failures");
    }
}

#[test]
fn outcomes_that_are_there_already_do_not_keep_others_from_being_recorded() {
    let store = Arc::new(Noting::default());
    let [one, other] = [(); 2].map(|()| store.store.submit(&job()).unwrap());
    let writes = vec![record(one, 0), record(one, 0), record(other, 7), record(one, 3)];
    let Write::Record(foreign) = record(one, 3) else { unreachable!() };
    store.store.record(&[foreign]).unwrap();
    let (notes, told) = written(store.clone(), writes);
    assert_eq!(notes, ["commit 4 0"], "it is not tried again");
    let [Report::Recorded(recorded), Report::Overlapped(overlap)] = &told[..] else {
        panic!("{told:?}");
    };
    let recorded = recorded.iter().map(|recorded| (recorded.job, recorded.range.clone()));
    assert_eq!(recorded.collect::<Vec<_>>(), [(one, 0..1), (other, 7..8)]);
    let tally = store.tally(one).unwrap();
    assert_eq!((tally.done, &tally.recorded), (2, &vec![0..1, 3..4]));
    assert_eq!(*overlap, Overlap { job: one, dropped: 2, tally });
}

#[test]
fn a_job_that_cannot_be_written_to_does_not_keep_others_from_being_recorded() {
    let store = Arc::new(Noting::default());
    let [damaged, whole] = [(); 2].map(|()| store.store.submit(&job()).unwrap());
    let what = "a page is damaged".to_owned();
    let error = StoreError::Damaged {
        job: damaged,
        name: String::new(),
        what: what.clone(),
        outcomes: None,
    };
    store.failing.lock().unwrap().push(error);
    let writes = vec![record(damaged, 0), record(whole, 0), record(damaged, 1)];
    let (notes, told) = written(store, writes);
    assert_eq!(notes, ["commit 3 0", "commit 1 0"]);
    let is_aside = |report: &Report| match report {
        Report::SetAside { job, what: said, lost: 2 } => *job == damaged && *said == what,
        _ => false,
    };
    assert!(is_aside(&told[0]), "{:?}", told[0]);
    assert!(matches!(&told[1], Report::Recorded(recorded) if recorded[0].job == whole));
}

#[test]
fn only_what_is_the_disks_fault_is_tried_again() {
    let store = Arc::new(Noting::default());
    let id = store.store.submit(&job()).unwrap();
    let writes = vec![record(JobId(99), 0), record(id, u64::MAX), record(id, 0)];
    let (notes, told) = written(store.clone(), writes);
    assert_eq!(notes, ["commit 3 0", "commit 2 0", "commit 0 0"]);
    let [Report::SetAside { job, .. }, Report::SetAside { job: other, lost: 2, .. }, ..] =
        &told[..]
    else {
        panic!("{told:?}");
    };
    assert_eq!((*job, *other), (JobId(99), id));
}
