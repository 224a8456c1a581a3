//! The one task that knows who is connected, who computes what, and what time it is. Sessions
//! send it events; it answers into their outboxes and feeds the store. Nothing is shared, so
//! nothing is locked. What it decides is in [`core`].

pub mod core;
mod feed;
mod inputs;
mod outgoing;
mod writer;

pub use core::{Control, ControlError, FromWorker, HowLeft, Progress, Sampled};
pub use feed::{Telling, Watch};
pub use outgoing::{Outbox, Outgoing};

use crate::connection::Peer;
use crate::metrics::Metrics;
use crate::outbox::NotPut;
use crate::scheduler::Trust;
use crate::store::{NewJob, Store, StoreError, StoredJob};
use crate::wall_clock;
use core::{Core, Effect, Now, Overlap, Recorded, Removable};
use feed::Feed;
use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, mpsc as sync_mpsc};
use tequio_protocol::api::{JobView, WorkerView};
use tequio_protocol::grid::Grid;
use tequio_protocol::ids::{JobId, LeaseId, WorkerId};
use tequio_protocol::limits::{
    DISPATCHER_BATCH, DISPATCHER_EVENTS_BYTES_MAX, DISPATCHER_EVENTS_MAX, DISPATCHER_QUESTIONS,
    GRIDS_BYTES_MAX, JOBS_MAX, SOCKET_READ_BUFFER_BYTES, WRITE_ROOM_WAIT, WRITES_WAITING_KIB_MAX,
};
use tequio_protocol::op::RepeatMultiply;
use tequio_protocol::reader::LineRun;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot, watch};
use tokio::time::{Instant, timeout};
use tracing::{error, warn};
use writer::{Queued, Write};

/// The way to the dispatcher, one clone a session. The dispatcher ends when all are gone.
#[derive(Clone, Debug)]
pub struct Dispatcher {
    events: mpsc::Sender<Event>,
    /// What somebody asks, beside what happens.
    questions: mpsc::Sender<Event>,
    writes: sync_mpsc::Sender<Queued>,
    /// For what may wait to be written, in KiB.
    room: Arc<Semaphore>,
    /// For large messages of workers that wait to be handled, in KiB.
    heard_room: Arc<Semaphore>,
    kept: Arc<Kept>,
    jobs_max: usize,
    grids_bytes_max: usize,
}

/// What jobs hold, as the dispatcher's task last said.
#[derive(Debug, Default)]
struct Kept {
    jobs: AtomicUsize,
    grids_bytes: AtomicUsize,
}

#[derive(Debug)]
enum Event {
    Connected {
        peer: Peer,
        joined: oneshot::Sender<(WorkerId, Outbox)>,
    },
    /// Boxed: a session's task keeps room for what it sends, in each of its functions.
    Heard {
        worker: WorkerId,
        message: Box<FromWorker>,
        /// What it takes of the room for large ones.
        room: Option<OwnedSemaphorePermit>,
    },
    Disconnected {
        worker: WorkerId,
        reason: String,
        how: HowLeft,
    },
    ListWorkers(Option<WorkerId>, usize, oneshot::Sender<Vec<WorkerView>>),
    ListJobs(Option<JobId>, usize, oneshot::Sender<Vec<JobView>>),
    Job(JobId, oneshot::Sender<Option<JobView>>),
    Follow(JobId, oneshot::Sender<Option<watch::Receiver<Progress>>>),
    Control(JobId, Control, oneshot::Sender<Result<Controlled, ControlError>>),
    Published(Box<StoredJob>, writer::Reply<JobId>),
    Grown(JobId, u64, bool, writer::Reply<()>),
    IsOpen(JobId, oneshot::Sender<Result<(), ControlError>>),
    Closed(JobId, writer::Reply<()>),
    IsOver(JobId, oneshot::Sender<Result<Removable, ControlError>>),
    Removed(JobId, writer::Reply<()>),
    Stop,
    Health(oneshot::Sender<Health>),
    Watch(oneshot::Sender<Watch>),
    /// What one transaction has recorded.
    Recorded(Vec<Recorded>),
    /// What it did not record of a job, since it was there; it comes behind what it did.
    Overlapped(Overlap),
    StoreFails(Option<String>),
    InputsRead {
        lease: LeaseId,
        inputs: Result<Vec<RepeatMultiply>, StoreError>,
    },
    /// A job cannot be written to; so many outcomes of it that were taken are lost.
    SetAside {
        job: JobId,
        what: String,
        lost: u64,
    },
}

/// Ends when a job's new state is on disk.
type OnDisk = oneshot::Receiver<Result<(), StoreError>>;

/// A job as it is once it was controlled, and the way to wait for that; none where it was so before.
type Controlled = (JobView, Option<OnDisk>);

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
    /// Starts the task and the store's thread. `welcome` is the input of the task that everyone
    /// gets on connecting; `trust` decides what is believed of workers.
    pub async fn start(
        welcome: Option<RepeatMultiply>,
        store: Arc<dyn Store>,
        metrics: Arc<Metrics>,
        trust: impl Into<Trust>,
    ) -> Started {
        let loading = store.clone();
        let loaded = tokio::task::spawn_blocking(move || loading.load())
            .await
            .map_err(|error| StoreError::Unavailable(format!("the store failed: {error}")))??;
        let (events, inbox) = mpsc::channel(DISPATCHER_EVENTS_MAX);
        let (questions, asked) = mpsc::channel(DISPATCHER_EVENTS_MAX);
        let (reports, reported) = mpsc::unbounded_channel();
        let (writes, written) = sync_mpsc::channel();
        let writer = writer::start(store.clone(), written, reports.clone(), metrics.clone())
            .map_err(|error| StoreError::Unavailable(format!("no thread for the store: {error}")))?;
        let (inputs, inputs_thread) = inputs::start(store, reports.clone())
            .map_err(|error| StoreError::Unavailable(format!("no thread for inputs: {error}")))?;
        let kept = Arc::new(Kept::default());
        let origin = Instant::now();
        let now = Now { at: origin.elapsed(), unix_ms: wall_clock::unix_ms() };
        let state = State {
            core: Core::new(welcome, loaded.epoch, loaded.jobs, trust, metrics.clone(), now),
            outboxes: HashMap::new(),
            all_outboxes: outgoing::All::new(),
            followers: HashMap::new(),
            inputs,
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
        let heard_room = Arc::new(Semaphore::new(DISPATCHER_EVENTS_BYTES_MAX / 1024));
        let (jobs_max, grids_bytes_max) = (JOBS_MAX, GRIDS_BYTES_MAX);
        Ok((
            Dispatcher {
                events,
                questions,
                writes,
                room,
                heard_room,
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

    // ---- Sessions ---------------------------------------------------------------------------

    /// Enters a connection and gives its number, and what to send to it.
    pub async fn connected(&self, peer: Peer) -> Result<(WorkerId, Outbox), Stopped> {
        self.ask(|joined| Event::Connected { peer, joined }).await
    }

    /// A worker sent something.
    pub fn heard(
        &self,
        worker: WorkerId,
        message: FromWorker,
    ) -> impl Future<Output = Result<(), Stopped>> + '_ {
        let message = Box::new(message);
        async move {
            // Boxed for the same reason: most messages are small.
            let room = match large_kib(&message) {
                Some(kib) => Some(Box::pin(self.heard_room.clone().acquire_many_owned(kib)).await),
                None => None,
            };
            let room = room.transpose().map_err(|_| Stopped)?;
            self.send(Event::Heard { worker, message, room }).await
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
        self.look(|list| Event::ListWorkers(last, count, list)).await
    }

    /// The first `count` jobs, in the order of submission, of those that came after the job `last`.
    pub async fn list_jobs_behind(
        &self,
        last: Option<JobId>,
        count: usize,
    ) -> Result<Vec<JobView>, Stopped> {
        self.look(|list| Event::ListJobs(last, count, list)).await
    }

    /// One job.
    pub async fn job(&self, id: JobId) -> Result<Option<JobView>, Stopped> {
        self.look(|job| Event::Job(id, job)).await
    }

    /// How far a job is on disk, now and whenever that changes.
    pub async fn follow(&self, id: JobId) -> Result<Option<watch::Receiver<Progress>>, Stopped> {
        self.look(|progress| Event::Follow(id, progress)).await
    }

    /// How the server is. Also brings the gauges of its metrics up to date.
    pub async fn health(&self) -> Result<Health, Stopped> {
        self.look(Event::Health).await
    }

    /// How everything is, and then what is new.
    pub async fn watch(&self) -> Result<Watch, Stopped> {
        self.look(Event::Watch).await
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
        inputs: Vec<RepeatMultiply>,
        lines: Vec<LineRun>,
    ) -> Result<(), ChangeError> {
        let bytes = size_of_val(&*inputs) + size_of_val(&*lines);
        self.write(bytes, |reply| Write::AppendInputs(id, first, inputs, lines, reply)).await
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
        self.write(0, |reply| Write::Publish(Box::new(stored), reply)).await.map(drop)
    }

    /// Appends inputs, which come from `lines`, behind the `first` that an open job has, and closes
    /// it unless `is_open`.
    pub async fn grow(
        &self,
        id: JobId,
        first: u64,
        inputs: impl Into<Arc<Vec<RepeatMultiply>>>,
        lines: Vec<LineRun>,
        is_open: bool,
    ) -> Result<(), ChangeError> {
        let inputs = inputs.into();
        let bytes = size_of_val(&**inputs) + size_of_val(&*lines);
        self.write(bytes, |reply| Write::Grow(id, first, inputs, lines, is_open, reply)).await
    }

    /// Closes an open job with the inputs that it has. One without any is done then.
    pub async fn close(&self, id: JobId) -> Result<(), ChangeError> {
        self.ask(|is_open| Event::IsOpen(id, is_open)).await??;
        match self.write(0, |reply| Write::Close(id, reply)).await {
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
        self.write(0, |reply| Write::Remove(id, why, reply)).await
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
        write: impl FnOnce(writer::Reply<T>) -> Write,
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
    async fn look<T>(&self, event: impl FnOnce(oneshot::Sender<T>) -> Event) -> Result<T, Stopped> {
        let (reply, answer) = oneshot::channel();
        self.questions.send(event(reply)).await.map_err(|_| Stopped)?;
        answer.await.map_err(|_| Stopped)
    }

    async fn send(&self, event: Event) -> Result<(), Stopped> {
        self.events.send(event).await.map_err(|_| Stopped)
    }
}

/// The KiB that a message needs room for, if it is a large one.
fn large_kib(message: &FromWorker) -> Option<u32> {
    let FromWorker::Results(results) = message else { return None };
    let bytes = results.results.bytes();
    let kib = bytes.min(DISPATCHER_EVENTS_BYTES_MAX).div_ceil(1024) as u32;
    (bytes > SOCKET_READ_BUFFER_BYTES).then_some(kib)
}

struct State {
    core: Core,
    outboxes: HashMap<WorkerId, outgoing::Sender>,
    all_outboxes: outgoing::All,
    /// One a job that was followed or may be.
    followers: HashMap<JobId, watch::Sender<Progress>>,
    inputs: sync_mpsc::Sender<inputs::Wanted>,
    writes: sync_mpsc::Sender<Queued>,
    metrics: Arc<Metrics>,
    feed: Feed,
    origin: Instant,
    kept: Arc<Kept>,
    is_stopping: bool,
}

impl State {
    async fn run(
        mut self,
        mut inbox: mpsc::Receiver<Event>,
        mut asked: mpsc::Receiver<Event>,
        mut reported: mpsc::UnboundedReceiver<Event>,
    ) {
        let mut now = self.now();
        self.carry_out(now);
        let (mut reports, mut events, mut questions) = (Vec::new(), Vec::new(), Vec::new());
        while !self.is_stopping {
            let due = self.core.next_timeout(now.at);
            let timeout = due.map(|at| self.origin + at);
            let timeout = [timeout, self.feed.next_at()].into_iter().flatten().min();
            tokio::select! {
                // What is on disk first: it makes room.
                biased;
                // There is always one who may report: the thread that this has inputs read by.
                _ = reported.recv_many(&mut reports, DISPATCHER_BATCH) => {}
                count = inbox.recv_many(&mut events, DISPATCHER_BATCH) => {
                    self.is_stopping = count == 0;
                }
                _ = asked.recv_many(&mut questions, DISPATCHER_QUESTIONS) => {}
                () = sleep_until(timeout) => {}
            }
            self.metrics.events.set(inbox.len() as i64);
            // What waits together has come at one time, and is carried out together.
            now = self.now();
            for event in reports.drain(..).chain(events.drain(..)) {
                if !self.is_stopping {
                    self.handle(event, now);
                }
            }
            // Also where messages never end; and behind them, since those came in time.
            if due.is_some_and(|at| at <= now.at) {
                self.core.timeout(now);
            }
            self.carry_out(now);
            // They come behind what has happened, and have their turn also where that never ends.
            while questions.len() < DISPATCHER_QUESTIONS
                && let Ok(question) = asked.try_recv()
            {
                questions.push(question);
            }
            for question in questions.drain(..) {
                self.handle(question, now);
            }
            self.tell_kept();
            self.feed.tell_if_due(&mut self.core, now);
        }
        self.write(Write::Stop);
    }

    fn now(&self) -> Now {
        Now { at: self.origin.elapsed(), unix_ms: wall_clock::unix_ms() }
    }

    fn tell_kept(&self) {
        self.kept.jobs.store(self.core.jobs_kept(), Ordering::Relaxed);
        self.kept.grids_bytes.store(self.core.grids_bytes(), Ordering::Relaxed);
    }

    /// Answers go to whoever asked; who has left meanwhile does not miss them.
    fn handle(&mut self, event: Event, now: Now) {
        match event {
            Event::Connected { peer, joined } => self.connected(peer, joined, now),
            Event::Heard { worker, message, room } => {
                self.core.heard(worker, *message, now);
                drop(room);
            }
            Event::Disconnected { worker, reason, how } => {
                self.outboxes.remove(&worker);
                self.core.disconnected(worker, &reason, how, now);
            }
            Event::ListWorkers(last, count, list) => {
                drop(list.send(self.core.workers_behind(last, count, now.at)));
            }
            Event::ListJobs(last, count, list) => {
                drop(list.send(self.core.jobs_behind(last, count, now.at)));
            }
            Event::Job(id, job) => drop(job.send(self.core.job(id, now.at))),
            Event::Follow(id, progress) => {
                drop(progress.send(self.followers.get(&id).map(watch::Sender::subscribe)));
            }
            Event::Control(id, control, done) => {
                drop(done.send(self.control(id, control, now)));
            }
            Event::Published(job, entered) => {
                let id = job.id;
                self.core.add_job(*job, now);
                self.carry_out(now);
                self.tell_kept();
                drop(entered.send(Ok(id)));
            }
            Event::Grown(id, total, is_open, grown) => {
                self.core.grow_job(id, total, is_open, now);
                drop(grown.send(Ok(())));
            }
            Event::IsOpen(id, is_open) => drop(is_open.send(self.core.check_open(id))),
            Event::Closed(id, closed) => {
                self.core.close_job(id);
                self.carry_out(now);
                drop(closed.send(Ok(())));
            }
            Event::IsOver(id, is_over) => drop(is_over.send(self.core.check_over(id))),
            Event::Removed(id, removed) => {
                self.core.forget_job(id);
                self.followers.remove(&id);
                self.tell_kept();
                drop(removed.send(Ok(())));
            }
            Event::Health(health) => {
                self.core.gauge();
                self.metrics.pages.set(self.feed.pages() as i64);
                let workers = self.core.workers_connected();
                let store_error = self.core.store_error().map(str::to_owned);
                drop(health.send(Health { workers, store_error }));
            }
            Event::Watch(watch) => drop(watch.send(self.feed.watch(&mut self.core, now))),
            Event::Recorded(recorded) => {
                for recorded in recorded {
                    self.core.recorded(recorded, now);
                }
            }
            Event::Overlapped(overlap) => self.core.overlapped(overlap),
            Event::StoreFails(error) => self.core.set_store_error(error),
            Event::Stop => self.is_stopping = true,
            Event::InputsRead { lease, inputs } => self.inputs_read(lease, inputs, now),
            Event::SetAside { job, what, lost } => self.core.set_aside(job, what, lost),
        }
    }

    fn inputs_read(
        &mut self,
        lease: LeaseId,
        inputs: Result<Vec<RepeatMultiply>, StoreError>,
        now: Now,
    ) {
        match inputs {
            Ok(inputs) => self.core.inputs_read(lease, Ok(inputs), now),
            Err(StoreError::Damaged { what, .. }) => self.core.inputs_damaged(lease, what),
            Err(StoreError::NoSuchJob(_) | StoreError::OutOfRange { .. }) => {
                self.core.inputs_damaged(lease, "inputs of it are missing".to_owned());
            }
            Err(error) => self.core.inputs_read(lease, Err(error.to_string()), now),
        }
    }

    fn control(
        &mut self,
        id: JobId,
        control: Control,
        now: Now,
    ) -> Result<Controlled, ControlError> {
        self.core.control(id, control)?;
        let on_disk = self.carry_out(now);
        let view = self.core.job(id, now.at).ok_or(ControlError::Unknown(id))?;
        Ok((view, on_disk))
    }

    fn connected(&mut self, peer: Peer, joined: oneshot::Sender<(WorkerId, Outbox)>, now: Now) {
        let (outbox, messages) = self.all_outboxes.open();
        let id = self.core.connected(peer, now);
        self.outboxes.insert(id, outbox);
        if joined.send((id, messages)).is_err() {
            self.outboxes.remove(&id);
            self.core.disconnected(id, "it left before it was served", HowLeft::Closed, now);
        }
    }

    /// Does what was decided; gives the way to wait for a state that was set, if one was.
    fn carry_out(&mut self, now: Now) -> Option<OnDisk> {
        let mut on_disk = None;
        for effect in self.core.effects(now) {
            match effect {
                Effect::Send(worker, message) => {
                    self.send(worker, Outgoing::Message(Box::new(message)), now);
                }
                Effect::Close(worker, close) => {
                    self.send(worker, Outgoing::Close(Box::new(close)), now);
                }
                Effect::ReadInputs { lease, job, range } => {
                    self.read_inputs(inputs::Wanted { lease, job, range });
                }
                Effect::Record(recording) => self.write(Write::Record(recording)),
                Effect::SetState(job, state) => {
                    let (reply, answer) = oneshot::channel();
                    self.write(Write::SetState(job, state, reply));
                    on_disk = Some(answer);
                }
                Effect::NoteAppended(job, at_ms) => self.write(Write::NoteAppended(job, at_ms)),
                Effect::CloseJob(job) => {
                    // It is closed again in a while where it is not now.
                    let (reply, _) = oneshot::channel();
                    self.write(Write::Close(job, reply));
                }
                Effect::Progress(job, progress) => self.progress(job, progress),
            }
        }
        on_disk
    }

    fn send(&mut self, worker: WorkerId, outgoing: Outgoing, now: Now) {
        let Some(outbox) = self.outboxes.get(&worker) else { return };
        match self.all_outboxes.send(outbox, outgoing, now.unix_ms) {
            Ok(()) => {}
            // Its session has ended, and says so next.
            Err(NotPut::Gone) => {}
            Err(NotPut::Overfull) => {
                warn!("[#{worker}] reads nothing: too many messages wait for it");
                // The session reads what there is, then the outbox's end, and closes.
                self.outboxes.remove(&worker);
            }
        }
    }

    fn write(&self, write: Write) {
        if self.writes.send(write.into()).is_err() {
            error!("the store's thread is gone; outcomes are no longer recorded");
        }
    }

    fn read_inputs(&self, wanted: inputs::Wanted) {
        if self.inputs.send(wanted).is_err() {
            error!("the thread that reads inputs is gone; jobs of inputs are no longer lent");
        }
    }

    fn progress(&mut self, job: JobId, progress: Progress) {
        match self.followers.get(&job) {
            Some(follower) => drop(follower.send_replace(progress)),
            None => drop(self.followers.insert(job, watch::Sender::new(progress))),
        }
    }
}

async fn sleep_until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => tokio::time::sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{Fresh, MemoryStore, Recording};
    use std::net::SocketAddr;
    use std::time::Duration;
    use tequio_protocol::api::JobState;
    use tequio_protocol::grid::Axis;
    use tequio_protocol::message::{Hello, LeaseInputs, LeaseResults, PROTOCOL, ServerMessage};
    use tequio_protocol::number::Number;
    use tequio_protocol::op::Op;
    use tequio_protocol::outcome::Outcome;

    async fn start() -> (Dispatcher, Ended) {
        let store = Arc::new(MemoryStore::new());
        Dispatcher::start(None, store, Arc::new(Metrics::default()), 1).await.unwrap()
    }

    /// A job of a grid whose first axis lists so many values.
    fn job(values: u32) -> NewJob {
        let one = || Axis::value_of(1.0).unwrap();
        let list = Axis::list((0..values).map(f64::from).collect()).unwrap();
        let grid = Some(Grid::new(list, one(), one()).unwrap());
        NewJob {
            name: String::new(),
            op: Op::RepeatMultiply,
            priority: 0,
            grid,
            submitted_at_ms: 0,
        }
    }

    /// A worker that computes whatever it is lent of grids.
    async fn work(dispatcher: Dispatcher) {
        let address = SocketAddr::from(([127, 0, 0, 1], 1)).into();
        let peer = Peer { address, path: "/".to_owned(), agent: None };
        let (worker, mut outbox) = dispatcher.connected(peer).await.unwrap();
        let hello = Hello {
            protocol: PROTOCOL,
            agent: String::new(),
            slots: 1,
            worker: String::new(),
            ops: Vec::new(),
            resume: None,
        };
        dispatcher.heard(worker, FromWorker::Hello(hello)).await.unwrap();
        while let Some(Outgoing::Message(message)) = outbox.recv().await {
            let ServerMessage::Lease(lease) = *message else { continue };
            let LeaseInputs::Grid(grid) = &lease.inputs else { panic!("{lease:?}") };
            let inputs = grid.inputs(lease.first..lease.first + lease.count);
            let results = LeaseResults {
                lease: lease.lease,
                first: lease.first,
                results: inputs.map(|input| Number(input.compute())).collect(),
                duration_ms: None,
                agent: None,
            };
            dispatcher.heard(worker, FromWorker::Results(results)).await.unwrap();
        }
    }

    /// Errors that another server records of `tasks`.
    fn foreign(job: JobId, tasks: std::ops::Range<u64>) -> Recording {
        let error = || Outcome::Error { error: "of another server".to_owned() };
        Recording {
            job,
            first: tasks.start,
            outcomes: tasks.map(|_| error()).collect(),
            worker: WorkerId(99),
            agent: String::new(),
            duration_ms: None,
            recorded_at_ms: 0,
        }
    }

    #[tokio::test]
    async fn outcomes_that_are_there_already_stand_and_their_job_comes_to_its_end() {
        let store = Arc::new(MemoryStore::new());
        let metrics = Arc::new(Metrics::default());
        let started = Dispatcher::start(None, store.clone(), metrics.clone(), 1).await;
        let (dispatcher, _ended) = started.unwrap();
        let id = dispatcher.submit(job(1000)).await.unwrap();
        let mut progress = dispatcher.follow(id).await.unwrap().unwrap();
        let foreign = [0..1, 10..30, 500..503].map(|tasks| foreign(id, tasks));
        assert_eq!(store.record(&foreign).unwrap(), [Fresh::All, Fresh::All, Fresh::All]);
        let worker = tokio::spawn(work(dispatcher.clone()));
        let over = progress.wait_for(|progress| progress.state.is_over());
        let over = *timeout(Duration::from_secs(60), over).await.unwrap().unwrap();
        assert_eq!((over.state, over.recorded, over.failed), (JobState::Done, 1000, 24));
        let view = dispatcher.job(id).await.unwrap().unwrap();
        let tally = store.tally(id).unwrap();
        assert_eq!((view.done, view.failed), (976, 24));
        assert_eq!((tally.done, tally.failed), (976, 24), "the first ones stand");
        // Those of the other server that are known by then need not be computed here as well.
        let dropped = metrics.duplicates.get();
        assert!(metrics.recorded.get() == 976 && (1..=24).contains(&dropped), "{dropped}");
        assert_eq!(dispatcher.health().await.unwrap().store_error, None);
        worker.abort();
    }

    #[tokio::test]
    async fn jobs_have_a_bound_and_make_room_when_they_are_removed() {
        let (mut dispatcher, _ended) = start().await;
        dispatcher.jobs_max = 2;
        let first = dispatcher.submit(job(1)).await.unwrap();
        dispatcher.submit(job(1)).await.unwrap();
        let refused = dispatcher.submit(job(1)).await;
        assert!(matches!(refused, Err(ChangeError::TooManyJobs(2))), "{refused:?}");
        assert!(dispatcher.create_job(NewJob { grid: None, ..job(1) }).await.is_err());
        dispatcher.control(first, Control::Cancel).await.unwrap();
        dispatcher.remove(first).await.unwrap();
        dispatcher.submit(job(1)).await.unwrap();
    }

    #[tokio::test]
    async fn grids_have_a_bound_until_their_jobs_are_over() {
        let (mut dispatcher, _ended) = start().await;
        dispatcher.grids_bytes_max = 3000;
        let first = dispatcher.submit(job(200)).await.unwrap();
        let refused = dispatcher.submit(job(200)).await;
        assert!(matches!(refused, Err(ChangeError::TooManyGrids)), "{refused:?}");
        dispatcher.submit(job(2)).await.unwrap();
        dispatcher.control(first, Control::Cancel).await.unwrap();
        let second = dispatcher.submit(job(200)).await.unwrap();
        assert_eq!(dispatcher.job(second).await.unwrap().unwrap().state, JobState::Running);
    }

    #[tokio::test(start_paused = true)]
    async fn what_waits_to_be_written_has_a_bound_and_gives_it_back() {
        let (dispatcher, _ended) = start().await;
        for _ in 0..10 {
            dispatcher.submit(job(1000)).await.unwrap();
        }
        assert_eq!(dispatcher.room.available_permits(), WRITES_WAITING_KIB_MAX);
        let all = dispatcher.room.clone().acquire_many_owned(WRITES_WAITING_KIB_MAX as u32);
        let all = all.await.unwrap();
        let refused = dispatcher.submit(job(1)).await;
        assert!(matches!(refused, Err(ChangeError::Busy)), "{refused:?}");
        drop(all);
        dispatcher.submit(job(1)).await.unwrap();
    }
}
