//! The task around what [`reactor`](super::reactor) decides: takes what comes, and carries out what was decided.

use super::audits::Audits;
use super::event::{Controlled, Event, OnDisk, Question, Report};
use super::feed::Feed;
use super::outgoing::{self, Outbox, Outgoing};
use super::reactor::{Control, ControlError, Effect, HowLeft, Now, Progress, Reactor};
use super::write::{Change, Queued, Write, answer};
use super::{Health, inputs};
use crate::connection::Peer;
use crate::metrics::Metrics;
use crate::outbox::NotPut;
use crate::store::{Repaired, StoreError};
use crate::wall_clock;
use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, mpsc as sync_mpsc};
use tequio_protocol::ids::{JobId, LeaseId, WorkerId};
use tequio_protocol::limits::{DISPATCHER_BATCH, DISPATCHER_QUESTIONS};
use tequio_protocol::values::Values;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::Instant;
use tracing::{error, warn};

/// What jobs hold, as the dispatcher's task last said.
#[derive(Debug, Default)]
pub(super) struct Kept {
    pub(super) jobs: AtomicUsize,
    pub(super) grids_bytes: AtomicUsize,
}

/// The state of the task.
pub(super) struct State {
    pub(super) reactor: Reactor,
    pub(super) outboxes: HashMap<WorkerId, outgoing::Sender>,
    pub(super) all_outboxes: outgoing::All,
    /// One a job that was followed or may be.
    pub(super) followers: HashMap<JobId, watch::Sender<Progress>>,
    pub(super) inputs: sync_mpsc::Sender<inputs::Wanted>,
    pub(super) audits: Audits,
    pub(super) writes: sync_mpsc::Sender<Queued>,
    pub(super) metrics: Arc<Metrics>,
    pub(super) feed: Feed,
    pub(super) origin: Instant,
    pub(super) kept: Arc<Kept>,
    pub(super) is_stopping: bool,
}

impl State {
    pub(super) async fn run(
        mut self,
        mut inbox: mpsc::Receiver<Event>,
        mut asked: mpsc::Receiver<Question>,
        mut reported: mpsc::UnboundedReceiver<Report>,
    ) {
        let mut now = self.now();
        self.carry_out(now);
        let (mut reports, mut events, mut questions) = (Vec::new(), Vec::new(), Vec::new());
        while !self.is_stopping {
            let due = self.reactor.next_timeout(now.at);
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
            for report in reports.drain(..) {
                self.follow(report, now);
            }
            for event in events.drain(..) {
                if !self.is_stopping {
                    self.handle(event, now);
                }
            }
            // Also where messages never end; and behind them, since those came in time.
            if due.is_some_and(|at| at <= now.at) {
                self.reactor.timeout(now);
            }
            self.carry_out(now);
            // They come behind what has happened, and have their turn also where that never ends.
            while questions.len() < DISPATCHER_QUESTIONS
                && let Ok(question) = asked.try_recv()
            {
                questions.push(question);
            }
            for question in questions.drain(..) {
                self.answer(question, now);
            }
            self.tell_kept();
            self.feed.tell_if_due(&mut self.reactor, now);
            self.metrics.turn.observe((self.now().at - now.at).as_secs_f64());
        }
        self.write(Write::Stop);
    }

    fn now(&self) -> Now {
        Now { at: self.origin.elapsed(), unix_ms: wall_clock::unix_ms() }
    }

    pub(super) fn tell_kept(&self) {
        self.kept.jobs.store(self.reactor.jobs_kept(), Ordering::Relaxed);
        self.kept.grids_bytes.store(self.reactor.grids_bytes(), Ordering::Relaxed);
    }

    /// Answers go to whoever asked; who has left meanwhile does not miss them.
    fn handle(&mut self, event: Event, now: Now) {
        match event {
            Event::Connected { peer, joined } => self.connected(peer, joined, now),
            Event::Received { worker, message, place, room } => {
                self.reactor.received(worker, *message, now);
                drop((place, room));
            }
            Event::Disconnected { worker, reason, how } => {
                self.outboxes.remove(&worker);
                self.reactor.disconnected(worker, &reason, how, now);
            }
            Event::Control(id, control, done) => {
                drop(done.send(self.control(id, control, now)));
            }
            Event::IsOpen(id, is_open) => drop(is_open.send(self.reactor.check_open(id))),
            Event::IsOver(id, is_over) => drop(is_over.send(self.reactor.check_over(id))),
            Event::Stop => self.is_stopping = true,
        }
    }

    fn answer(&mut self, question: Question, now: Now) {
        match question {
            Question::ListWorkers(last, count, list) => {
                drop(list.send(self.reactor.workers_behind(last, count, now.at)));
            }
            Question::ListJobs(last, count, list) => {
                drop(list.send(self.reactor.jobs_behind(last, count, now.at)));
            }
            Question::Job(id, job) => drop(job.send(self.reactor.job(id, now.at))),
            Question::Follow(id, progress) => {
                drop(progress.send(self.followers.get(&id).map(watch::Sender::subscribe)));
            }
            Question::Health(health) => {
                self.reactor.gauge();
                self.metrics.pages.set(self.feed.pages() as i64);
                let workers = self.reactor.workers_connected();
                let store_error = self.reactor.store_error().map(str::to_owned);
                drop(health.send(Health { workers, store_error }));
            }
            Question::Watch(watch) => drop(watch.send(self.feed.watch(&mut self.reactor, now))),
        }
    }

    /// Does what follows from what is in the store, or could not be.
    fn follow(&mut self, report: Report, now: Now) {
        match report {
            Report::Recorded(recorded) => {
                for recorded in recorded {
                    self.reactor.recorded(recorded, now);
                }
            }
            Report::Overlapped(overlap) => self.reactor.overlapped(overlap),
            Report::Changed(change) => self.change(change, now),
            Report::Repaired(repaired, reply) => {
                self.reactor.repaired(Repaired::clone(&repaired), now);
                self.carry_out(now);
                if let Some(reply) = reply {
                    answer(reply, Ok(*repaired));
                }
            }
            Report::StoreFails(error) => self.reactor.set_store_error(error),
            Report::Audited { claim, ours, took } => self.reactor.audited(claim, ours, took, now),
            Report::InputsRead { lease, inputs } => self.inputs_read(lease, inputs, now),
            Report::SetAside { job, what, lost } => self.reactor.set_aside(job, what, lost),
        }
    }

    /// Makes a change that the store has made, and answers whoever asked for it.
    fn change(&mut self, change: Change, now: Now) {
        match change {
            Change::Publish(job, reply) => {
                let id = job.id;
                self.reactor.add_job(*job, now);
                self.carry_out(now);
                self.tell_kept();
                answer(reply, Ok(id));
            }
            Change::Grow { job, total, is_open, reply } => {
                self.reactor.grow_job(job, total, is_open, now);
                answer(reply, Ok(()));
            }
            Change::Close(job, reply) => {
                self.reactor.close_job(job);
                self.carry_out(now);
                answer(reply, Ok(()));
            }
            Change::Remove(job, _, reply) => {
                self.reactor.forget_job(job);
                self.followers.remove(&job);
                self.tell_kept();
                answer(reply, Ok(()));
            }
        }
    }

    fn inputs_read(&mut self, lease: LeaseId, inputs: Result<Values, StoreError>, now: Now) {
        match inputs {
            Ok(inputs) => self.reactor.inputs_read(lease, Ok(inputs), now),
            Err(StoreError::Damaged { what, .. }) => self.reactor.inputs_damaged(lease, what),
            Err(StoreError::NoSuchJob(_) | StoreError::OutOfRange { .. }) => {
                self.reactor.inputs_damaged(lease, "inputs of it are missing".to_owned());
            }
            Err(error) => self.reactor.inputs_read(lease, Err(error.to_string()), now),
        }
    }

    fn control(
        &mut self,
        id: JobId,
        control: Control,
        now: Now,
    ) -> Result<Controlled, ControlError> {
        self.reactor.control(id, control)?;
        let on_disk = self.carry_out(now);
        let view = self.reactor.job(id, now.at).ok_or(ControlError::Unknown(id))?;
        Ok((view, on_disk))
    }

    fn connected(&mut self, peer: Peer, joined: oneshot::Sender<(WorkerId, Outbox)>, now: Now) {
        let (outbox, messages) = self.all_outboxes.open();
        let id = self.reactor.connected(peer, now);
        self.outboxes.insert(id, outbox);
        if joined.send((id, messages)).is_err() {
            self.outboxes.remove(&id);
            self.reactor.disconnected(id, "it left before it was served", HowLeft::Closed, now);
        }
    }

    /// Does what was decided; gives the way to wait for a state that was set, if one was.
    fn carry_out(&mut self, now: Now) -> Option<OnDisk> {
        let mut on_disk = None;
        for effect in self.reactor.effects(now) {
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
                Effect::Audit(audit) => self.audits.ask(audit),
                Effect::ForgetAudits(job) => self.audits.forget_job(job),
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
                    self.write(Write::Change(Change::Close(job, reply)));
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
            // Its handler has ended, and says so next.
            Err(NotPut::Gone) => {}
            Err(NotPut::Overfull) => {
                warn!("[#{worker}] reads nothing: too many messages wait for it");
                // The handler reads what there is, then the outbox's end, and closes.
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
