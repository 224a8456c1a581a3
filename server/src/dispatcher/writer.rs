//! The one thread that writes to the store. Outcomes that wait are recorded together (group
//! commit); what fails is tried again until it succeeds, and nothing is said to be recorded before.

use super::Event;
use crate::metrics::Metrics;
use crate::store::{NewJob, Recording, Store, StoreError};
use std::collections::VecDeque;
use std::sync::mpsc::{Receiver, RecvTimeoutError, TryRecvError};
use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;
use std::time::Instant;
use tequio_protocol::api::JobState;
use tequio_protocol::ids::JobId;
use tequio_protocol::limits::{COMMIT_TASKS_MAX, STORE_RETRY};
use tequio_protocol::op::RepeatMultiply;
use tokio::sync::oneshot;
use tracing::error;

/// The answer to one write.
pub(super) type Reply<T> = oneshot::Sender<Result<T, StoreError>>;

/// What is to be written.
#[derive(Debug)]
pub(super) enum Write {
    Record(Recording),
    SetState(JobId, JobState, Reply<()>),
    CreateJob(NewJob, Reply<JobId>),
    AppendInputs(JobId, u64, Vec<RepeatMultiply>, Reply<()>),
    Publish(JobId, u64, bool, Reply<()>),
    Discard(JobId, Reply<()>),
}

/// Tells the dispatcher what became of its recordings. Never waits: the dispatcher waits for the
/// writer's replies in places, and two that wait for each other wait for ever.
pub(super) type Report = tokio::sync::mpsc::UnboundedSender<Event>;

/// Starts the thread; it ends when every sender of `writes` is gone and all is written.
pub(super) fn start(
    store: Arc<dyn Store>,
    writes: Receiver<Write>,
    report: Report,
    metrics: Arc<Metrics>,
) -> std::io::Result<JoinHandle<()>> {
    let writer = Writer { store, report, metrics, waiting: VecDeque::new(), failed_at: None };
    std::thread::Builder::new().name("store".to_owned()).spawn(move || writer.run(&writes))
}

struct Writer {
    store: Arc<dyn Store>,
    report: Report,
    metrics: Arc<Metrics>,
    /// Outcomes to be recorded, in order.
    waiting: VecDeque<Recording>,
    /// When recording failed last, while it does.
    failed_at: Option<Instant>,
}

impl Writer {
    fn run(mut self, writes: &mpsc::Receiver<Write>) {
        loop {
            let next = match self.failed_at {
                Some(failed_at) => {
                    writes.recv_timeout(STORE_RETRY.saturating_sub(failed_at.elapsed()))
                }
                None => writes.recv().map_err(|_| RecvTimeoutError::Disconnected),
            };
            let is_last = match next {
                Ok(write) => {
                    self.write(write);
                    self.drain(writes)
                }
                Err(RecvTimeoutError::Timeout) => false,
                Err(RecvTimeoutError::Disconnected) => true,
            };
            if self.failed_at.is_none_or(|at| is_last || at.elapsed() >= STORE_RETRY) {
                self.record_all();
            }
            if is_last {
                return self.give_up();
            }
        }
    }

    /// Takes what else waits, up to a transaction's worth. Says whether no more can come.
    fn drain(&mut self, writes: &mpsc::Receiver<Write>) -> bool {
        let mut tasks = 0;
        while tasks < COMMIT_TASKS_MAX {
            match writes.try_recv() {
                Ok(write) => {
                    tasks += if let Write::Record(r) = &write { r.outcomes.len() as u64 } else { 1 };
                    self.write(write);
                }
                Err(TryRecvError::Empty) => return false,
                Err(TryRecvError::Disconnected) => return true,
            }
        }
        false
    }

    fn write(&mut self, write: Write) {
        match write {
            Write::Record(recording) => self.waiting.push_back(recording),
            Write::SetState(job, state, reply) => {
                // What was taken before is recorded before.
                if self.failed_at.is_none() {
                    self.record_all();
                }
                let done = self.store.set_state(job, state);
                if let Err(error) = &done {
                    error!("job {job} is {}, which is not kept: {error}", state.name());
                }
                answer(reply, done);
            }
            Write::CreateJob(job, reply) => answer(reply, self.store.create_job(&job)),
            Write::AppendInputs(job, first, inputs, reply) => {
                answer(reply, self.store.append_inputs(job, first, &inputs));
            }
            Write::Publish(job, total, is_open, reply) => {
                answer(reply, self.store.publish(job, total, is_open));
            }
            Write::Discard(job, reply) => answer(reply, self.store.discard(job)),
        }
    }

    fn record_all(&mut self) {
        if self.waiting.is_empty() {
            return;
        }
        let began = Instant::now();
        match self.store.record(self.waiting.make_contiguous()) {
            Ok(()) => {
                self.metrics.commit.observe(began.elapsed().as_secs_f64());
                if self.failed_at.take().is_some() {
                    self.tell(Event::StoreFails(None));
                }
                for recording in std::mem::take(&mut self.waiting) {
                    let failed = recording.outcomes.iter().filter(|o| o.is_error()).count() as u64;
                    let end = recording.first + recording.outcomes.len() as u64;
                    let (job, range) = (recording.job, recording.first..end);
                    self.tell(Event::Recorded { job, range, failed });
                }
            }
            Err(error) => {
                self.failed_at = Some(Instant::now());
                self.tell(Event::StoreFails(Some(error.to_string())));
            }
        }
    }

    fn tell(&self, event: Event) {
        // Without a dispatcher the server is stopping, and nobody counts any more.
        self.report.send(event).ok();
    }

    fn give_up(self) {
        let tasks: usize = self.waiting.iter().map(|recording| recording.outcomes.len()).sum();
        if tasks > 0 {
            error!("{tasks} outcomes could not be recorded; they will be computed again");
        }
    }
}

fn answer<T>(reply: Reply<T>, done: Result<T, StoreError>) {
    // Whoever asked may have left; what is written stays written.
    reply.send(done).ok();
}
