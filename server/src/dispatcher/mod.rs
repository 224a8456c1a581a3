//! The one task that knows who is connected, who computes what, and what time it is. Handlers
//! send it events; it answers into their outboxes and feeds the store. Nothing is shared, so
//! nothing is locked. What it decides is in [`reactor`].

mod audits;
mod event;
mod feed;
mod inputs;
mod outgoing;
pub mod reactor;
mod task;
mod write;
mod writer;

pub use feed::{Telling, Watch};
pub use outgoing::{Outbox, Outgoing};
pub use reactor::{Control, ControlError, FromWorker, HowLeft, Progress, Sampled, WelcomeTask};

use crate::connection::Peer;
use crate::metrics::Metrics;
use crate::store::{Damage, NewJob, Repaired, Store, StoreError, StoredJob};
use crate::wall_clock;
use event::{Event, Question};
use feed::Feed;
use reactor::{Now, Reactor};
use std::collections::HashMap;
use std::sync::atomic::Ordering;
use std::sync::{Arc, mpsc as sync_mpsc};
use task::{Kept, State};
use tequio_protocol::api::{JobView, WorkerView};
use tequio_protocol::grid::Grid;
use tequio_protocol::ids::{JobId, WorkerId};
use tequio_protocol::limits::{
    DISPATCHER_EVENTS_BYTES_MAX, DISPATCHER_EVENTS_EACH_MAX, DISPATCHER_EVENTS_MAX,
    GRIDS_BYTES_MAX, JOBS_MAX, SOCKET_READ_BUFFER_BYTES, WRITE_ROOM_WAIT, WRITES_WAITING_KIB_MAX,
};
use tequio_protocol::message::WorkerMessage;
use tequio_protocol::reader::LineRun;
use tequio_protocol::values::Values;
use tequio_scheduler::Trust;
use tokio::sync::{Semaphore, mpsc, oneshot, watch};
use tokio::time::{Instant, timeout};
use tracing::error;
use write::{Change, NewInputs, Queued, Reply, Write};

/// The way to the dispatcher, one clone a handler. The dispatcher ends when all are gone.
#[derive(Clone, Debug)]
pub struct Dispatcher {
    events: mpsc::Sender<Event>,
    /// What somebody asks, beside what happens.
    questions: mpsc::Sender<Question>,
    writes: sync_mpsc::Sender<Queued>,
    /// For what may wait to be written, in KiB.
    room: Arc<Semaphore>,
    /// For large messages of workers that wait to be handled, in KiB.
    received_room: Arc<Semaphore>,
    kept: Arc<Kept>,
    jobs_max: usize,
    grids_bytes_max: usize,
}

/// The places of one worker's messages that wait to be handled: whoever sends many holds up nobody but
/// itself.
#[derive(Debug)]
pub struct Places(Arc<Semaphore>);

impl Default for Places {
    /// For [`DISPATCHER_EVENTS_EACH_MAX`] messages.
    fn default() -> Places {
        Places(Arc::new(Semaphore::new(DISPATCHER_EVENTS_EACH_MAX)))
    }
}

/// How a server is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Health {
    /// Connections.
    pub workers: usize,
    /// What the store says while it cannot write; nothing is lent then.
    pub store_error: Option<String>,
}

/// The dispatcher's task is gone: it panicked, or the server has stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the dispatcher has stopped")]
pub struct Stopped;

/// Why a change to a job was not made.
#[derive(Debug, thiserror::Error)]
pub enum ChangeError {
    /// See [`Stopped`].
    #[error(transparent)]
    Stopped(#[from] Stopped),
    /// The store refused it, or cannot write.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The job is not there, or not in a state for it.
    #[error(transparent)]
    Control(#[from] ControlError),
    /// There are as many jobs as the server keeps.
    #[error("{0} jobs are kept, and no more; remove some that are over")]
    TooManyJobs(usize),
    /// The grids of jobs that are not over hold as much as they may.
    #[error("jobs that are not over hold as much as they may; try again when one is over")]
    TooManyGrids,
    /// Too much waits to be written.
    #[error("too many changes to jobs wait to be written; try again")]
    Busy,
}

/// Waits for the dispatcher's end, and for all that was taken to be on disk.
#[derive(Debug)]
pub struct Ended {
    task: tokio::task::JoinHandle<()>,
    threads: Vec<std::thread::JoinHandle<()>>,
}

impl Ended {
    /// Ends after [`Dispatcher::stop`], when everything is written.
    pub async fn wait(self) {
        if let Err(error) = self.task.await {
            error!("the dispatcher failed: {error}");
        }
        let join_all = || self.threads.into_iter().try_for_each(std::thread::JoinHandle::join);
        let ended = tokio::task::spawn_blocking(join_all).await;
        if !matches!(ended, Ok(Ok(()))) {
            error!("a thread of the store failed");
        }
    }
}

/// Errs where the store cannot be read, or no thread can be started.
pub type Started = Result<(Dispatcher, Ended), StoreError>;

impl Dispatcher {
    /// Starts the task and the store's thread. `welcome` is the task that everyone gets
    /// on connecting; `trust` decides what is believed of workers.
    pub async fn start(
        welcome: Option<WelcomeTask>,
        store: Arc<dyn Store>,
        metrics: Arc<Metrics>,
        trust: impl Into<Trust>,
    ) -> Started {
        let trust = trust.into();
        let loading = store.clone();
        let loaded = tokio::task::spawn_blocking(move || loading.load())
            .await
            .map_err(|error| StoreError::Unavailable(format!("the store failed: {error}")))??;
        let (events, inbox) = mpsc::channel(DISPATCHER_EVENTS_MAX);
        let (questions, asked) = mpsc::channel(DISPATCHER_EVENTS_MAX);
        let (reports, reported) = mpsc::unbounded_channel();
        let (writes, written) = sync_mpsc::channel();
        let writer = writer::start(store.clone(), written, reports.clone(), metrics.clone())
            .map_err(|error| {
                StoreError::Unavailable(format!("no thread for the store: {error}"))
            })?;
        let (inputs, inputs_thread) = inputs::start(store, reports.clone())
            .map_err(|error| StoreError::Unavailable(format!("no thread for inputs: {error}")))?;
        let audits = audits::start(&reports, trust.cores)
            .map_err(|error| StoreError::Unavailable(format!("no thread for audits: {error}")))?;
        let kept = Arc::new(Kept::default());
        let origin = Instant::now();
        let now = Now { at: origin.elapsed(), unix_ms: wall_clock::unix_ms() };
        let state = State {
            reactor: Reactor::new(welcome, loaded.epoch, loaded.jobs, trust, metrics.clone(), now),
            outboxes: HashMap::new(),
            all_outboxes: outgoing::All::new(),
            followers: HashMap::new(),
            inputs,
            audits,
            writes: writes.clone(),
            metrics,
            feed: Feed::new(origin),
            origin,
            kept: kept.clone(),
            is_stopping: false,
        };
        state.tell_kept();
        let task = tokio::spawn(state.run(inbox, asked, reported));
        let room = Arc::new(Semaphore::new(WRITES_WAITING_KIB_MAX));
        let received_room = Arc::new(Semaphore::new(DISPATCHER_EVENTS_BYTES_MAX / 1024));
        let (jobs_max, grids_bytes_max) = (JOBS_MAX, GRIDS_BYTES_MAX);
        Ok((
            Dispatcher {
                events,
                questions,
                writes,
                room,
                received_room,
                kept,
                jobs_max,
                grids_bytes_max,
            },
            Ended { task, threads: vec![writer, inputs_thread] },
        ))
    }

    /// Lets the task end; what it was told before is recorded, and what follows is
    /// [`Stopped`].
    pub async fn stop(&self) {
        // It may have stopped by itself.
        self.send(Event::Stop).await.ok();
    }

    // ---- Handlers ---------------------------------------------------------------------------

    /// Enters a connection and gives its number, and what to send to it.
    pub async fn connected(&self, peer: Peer) -> Result<(WorkerId, Outbox), Stopped> {
        self.ask(|joined| Event::Connected { peer, joined }).await
    }

    /// A worker sent something, which waits in one of the worker's `places`.
    pub fn received<'a>(
        &'a self,
        worker: WorkerId,
        places: &'a Places,
        message: FromWorker,
    ) -> impl Future<Output = Result<(), Stopped>> + 'a {
        let message = Box::new(message);
        async move {
            // Waiting is boxed for the same reason: most messages find room.
            let place = match places.0.clone().try_acquire_owned() {
                Ok(place) => place,
                Err(_) => {
                    let place = Box::pin(places.0.clone().acquire_owned()).await;
                    place.map_err(|_| Stopped)?
                }
            };
            let room = match large_kib(&message) {
                Some(kib) => {
                    Some(Box::pin(self.received_room.clone().acquire_many_owned(kib)).await)
                }
                None => None,
            };
            let room = room.transpose().map_err(|_| Stopped)?;
            self.send(Event::Received { worker, message, place, room }).await
        }
    }

    /// A connection has ended, for `reason` (as the console prints it).
    pub async fn disconnected(
        &self,
        worker: WorkerId,
        reason: String,
        how: HowLeft,
    ) -> Result<(), Stopped> {
        self.send(Event::Disconnected { worker, reason, how }).await
    }

    // ---- Looking ----------------------------------------------------------------------------

    /// Who is connected, in the order of arrival.
    pub async fn list_workers(&self) -> Result<Vec<WorkerView>, Stopped> {
        self.list_workers_behind(None, usize::MAX).await
    }

    /// The first `count` who are connected, of those that came after the worker `last`.
    pub async fn list_workers_behind(
        &self,
        last: Option<WorkerId>,
        count: usize,
    ) -> Result<Vec<WorkerView>, Stopped> {
        self.look(|list| Question::ListWorkers(last, count, list)).await
    }

    /// The first `count` jobs, in the order of submission, of those that came after the job `last`.
    pub async fn list_jobs_behind(
        &self,
        last: Option<JobId>,
        count: usize,
    ) -> Result<Vec<JobView>, Stopped> {
        self.look(|list| Question::ListJobs(last, count, list)).await
    }

    /// One job.
    pub async fn job(&self, id: JobId) -> Result<Option<JobView>, Stopped> {
        self.look(|job| Question::Job(id, job)).await
    }

    /// How far a job is on disk, now and whenever that changes.
    pub async fn follow(&self, id: JobId) -> Result<Option<watch::Receiver<Progress>>, Stopped> {
        self.look(|progress| Question::Follow(id, progress)).await
    }

    /// How the server is. Also brings the gauges of its metrics up to date.
    pub async fn health(&self) -> Result<Health, Stopped> {
        self.look(Question::Health).await
    }

    /// How everything is, and then what is new.
    pub async fn watch(&self) -> Result<Watch, Stopped> {
        self.look(Question::Watch).await
    }

    // ---- Changing jobs ----------------------------------------------------------------------

    /// Enters a job of a grid, which is computed from now on.
    pub async fn submit(&self, job: NewJob) -> Result<JobId, ChangeError> {
        let bytes = job.grid.as_ref().map_or(0, Grid::bytes);
        self.check_jobs(bytes)?;
        self.write(bytes, |reply| Write::Submit(job, reply)).await
    }

    /// Enters a job as a draft, for inputs to be appended.
    pub async fn create_job(&self, job: NewJob) -> Result<JobId, ChangeError> {
        self.check_jobs(0)?;
        self.write(0, |reply| Write::CreateJob(job, reply)).await
    }

    /// Appends inputs, which come from `lines`, behind the `first` that a draft has.
    pub async fn append_inputs(
        &self,
        id: JobId,
        first: u64,
        inputs: Values,
        lines: Vec<LineRun>,
    ) -> Result<(), ChangeError> {
        let bytes = inputs.bytes() + size_of_val(&*lines);
        let inputs = NewInputs { job: id, first, inputs: Arc::new(inputs), lines };
        self.write(bytes, |reply| Write::AppendInputs(inputs, reply)).await
    }

    /// Removes a draft, now or as soon as the store's thread comes to it.
    pub fn discard(&self, id: JobId) {
        // Nobody waits for the answer: a draft that stays is discarded when the store is loaded.
        let (reply, _) = oneshot::channel();
        self.writes.send(Write::Discard(id, reply).into()).ok();
    }

    /// Makes a draft of `total` tasks a running job, to which inputs may be added if `is_open`.
    pub async fn publish(
        &self,
        id: JobId,
        job: NewJob,
        total: u64,
        is_open: bool,
    ) -> Result<(), ChangeError> {
        let stored = StoredJob::new(id, job, total, is_open);
        let publish = |reply| Write::Change(Change::Publish(Box::new(stored), reply));
        self.write(0, publish).await.map(drop)
    }

    /// Appends inputs, which come from `lines`, behind the `first` that an open job has, and closes
    /// it unless `is_open`.
    pub async fn grow(
        &self,
        id: JobId,
        first: u64,
        inputs: impl Into<Arc<Values>>,
        lines: Vec<LineRun>,
        is_open: bool,
    ) -> Result<(), ChangeError> {
        let inputs = inputs.into();
        let bytes = inputs.bytes() + size_of_val(&*lines);
        let total = first + inputs.len() as u64;
        let inputs = NewInputs { job: id, first, inputs, lines };
        let grow = |reply| Change::Grow { job: id, total, is_open, reply };
        self.write(bytes, |reply| Write::Grow(inputs, grow(reply))).await
    }

    /// Closes an open job with the inputs that it has. One without any is done then.
    pub async fn close(&self, id: JobId) -> Result<(), ChangeError> {
        self.ask(|is_open| Event::IsOpen(id, is_open)).await??;
        match self.write(0, |reply| Write::Change(Change::Close(id, reply))).await {
            // Somebody else was faster.
            Err(ChangeError::Store(StoreError::NoSuchJob(_) | StoreError::WrongState { .. })) => {
                self.ask(|is_open| Event::IsOpen(id, is_open)).await??;
                Ok(())
            }
            done => done,
        }
    }

    /// Pauses, resumes or cancels a job. It is so when this returns, and on disk. The view is of that
    /// moment: somebody may remove the job right after.
    pub async fn control(&self, id: JobId, control: Control) -> Result<JobView, ChangeError> {
        let (view, on_disk) = self.ask(|done| Event::Control(id, control, done)).await??;
        if let Some(on_disk) = on_disk {
            on_disk.await.map_err(|_| Stopped)??;
        }
        Ok(view)
    }

    /// Removes a job that is over or set aside, with all that is recorded of it.
    pub async fn remove(&self, id: JobId) -> Result<(), ChangeError> {
        let why = self.ask(|is_over| Event::IsOver(id, is_over)).await??;
        self.write(0, |reply| Write::Change(Change::Remove(id, why, reply))).await
    }

    /// Has rows of a job removed that were found damaged, and what can be computed again computed again. The view is
    /// of the moment behind that.
    pub async fn repair(
        &self,
        id: JobId,
        damage: Damage,
    ) -> Result<(Repaired, JobView), ChangeError> {
        if self.job(id).await?.is_none() {
            return Err(ControlError::Unknown(id).into());
        }
        // A job that was over holds its grid again.
        if self.kept.grids_bytes.load(Ordering::Relaxed) >= self.grids_bytes_max {
            return Err(ChangeError::TooManyGrids);
        }
        let repaired = self.write(0, |reply| Write::Repair(id, damage, reply)).await?;
        let view = self.job(id).await?.ok_or(ControlError::Unknown(id))?;
        Ok((repaired, view))
    }

    /// Returns an error where there is no place for one more job, whose grid has so many bytes. Those that
    /// are on their way are not counted: they are few.
    fn check_jobs(&self, grid_bytes: usize) -> Result<(), ChangeError> {
        if self.kept.jobs.load(Ordering::Relaxed) >= self.jobs_max {
            return Err(ChangeError::TooManyJobs(self.jobs_max));
        }
        let bytes = self.kept.grids_bytes.load(Ordering::Relaxed);
        if grid_bytes > 0 && bytes + grid_bytes > self.grids_bytes_max {
            return Err(ChangeError::TooManyGrids);
        }
        Ok(())
    }

    /// Has something written that carries so many bytes, and waits until it is on disk.
    async fn write<T>(
        &self,
        bytes: usize,
        write: impl FnOnce(Reply<T>) -> Write,
    ) -> Result<T, ChangeError> {
        let kib = (1 + bytes / 1024).min(WRITES_WAITING_KIB_MAX) as u32;
        let room = timeout(WRITE_ROOM_WAIT, self.room.clone().acquire_many_owned(kib)).await;
        // It is never closed.
        let room = room.ok().and_then(Result::ok).ok_or(ChangeError::Busy)?;
        let (reply, answer) = oneshot::channel();
        let queued = Queued { write: write(reply), room: Some(room) };
        self.writes.send(queued).map_err(|_| Stopped)?;
        Ok(answer.await.map_err(|_| Stopped)??)
    }

    async fn ask<T>(&self, event: impl FnOnce(oneshot::Sender<T>) -> Event) -> Result<T, Stopped> {
        let (reply, answer) = oneshot::channel();
        self.send(event(reply)).await?;
        answer.await.map_err(|_| Stopped)
    }

    /// As [`Dispatcher::ask`] does, where nothing changes: workers' messages go first.
    async fn look<T>(
        &self,
        question: impl FnOnce(oneshot::Sender<T>) -> Question,
    ) -> Result<T, Stopped> {
        let (reply, answer) = oneshot::channel();
        self.questions.send(question(reply)).await.map_err(|_| Stopped)?;
        answer.await.map_err(|_| Stopped)
    }

    async fn send(&self, event: Event) -> Result<(), Stopped> {
        self.events.send(event).await.map_err(|_| Stopped)
    }
}

/// The KiB that a message needs room for, if it is a large one.
fn large_kib(message: &FromWorker) -> Option<u32> {
    let FromWorker::Message(WorkerMessage::Results(results)) = message else { return None };
    let bytes = results.outcomes.bytes();
    let kib = bytes.min(DISPATCHER_EVENTS_BYTES_MAX).div_ceil(1024) as u32;
    (bytes > SOCKET_READ_BUFFER_BYTES).then_some(kib)
}

#[cfg(test)]
mod tests;
