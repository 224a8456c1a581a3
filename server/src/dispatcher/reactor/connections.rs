//! Connections: workers come, say something, and leave.

use super::refusals::TOO_MANY_FAULTS;
use super::worker::Worker;
use super::{FromWorker, HowLeft, Now, Reactor, WelcomeTask};
use crate::connection::{Peer, list_connected};
use std::time::Duration;
use tequio_protocol::ids::WorkerId;
use tequio_protocol::live::HowEnded;
use tequio_protocol::message::{ErrorCode, WorkerMessage};
use tracing::{debug_span, info};

impl Reactor {
    /// Enters a connection.
    pub fn connected(&mut self, peer: Peer, now: Now) -> WorkerId {
        self.connections += 1;
        let id = WorkerId(self.connections);
        info!("#{id} connected from {} path={}", peer.address, peer.path);
        let worker = Worker::new(peer, self.welcome.is_none(), now.at);
        self.workers.insert(id, worker);
        self.live.changed.insert(id);
        self.log_connected();
        match self.welcome.clone() {
            Some(WelcomeTask { op, input }) => self.give(id, op, input, None, now.at),
            None => self.begin(id, now.at),
        }
        id
    }

    /// Removes a connection; what it held is handed to others. One that has said hello may come
    /// back; one that was turned away is not in the scheduler any more, and nothing of it is kept.
    pub fn disconnected(&mut self, id: WorkerId, reason: &str, how: HowLeft, now: Now) {
        if how == HowLeft::Broken {
            self.give_up_owed(id, reason, now);
        }
        self.forget_owed(id);
        let Some(worker) = self.workers.remove(&id) else { return };
        self.live.left(id, now.at);
        match worker.session {
            Some(session) => {
                self.sessions.remove(&session);
                self.scheduler.keep_worker(id, session, now.at);
            }
            None => self.scheduler.remove_worker(id),
        }
        info!("#{id} disconnected ({reason})");
        self.log_connected();
    }

    /// Takes what a worker sent.
    pub fn received(&mut self, id: WorkerId, message: FromWorker, now: Now) {
        let _span = debug_span!("worker", %id).entered();
        let Some(worker) = self.workers.get_mut(&id) else { return };
        worker.heard_at = now.at;
        self.live.busy.insert(id);
        match message {
            FromWorker::Message(message) => self.message(id, message, now),
            FromWorker::Pong(lag) => worker.lag = Some(lag),
            FromWorker::Nothing => {}
            FromWorker::Rubbish { is_strike } => {
                worker.refused += 1;
                let is_strike = is_strike && worker.is_in_lease_mode();
                if is_strike && self.scheduler.add_strike(id) {
                    self.turn_away(id, TOO_MANY_FAULTS, now.at);
                }
            }
        }
    }

    fn message(&mut self, id: WorkerId, message: WorkerMessage, now: Now) {
        match message {
            WorkerMessage::Result(result) => self.result(id, result, now),
            WorkerMessage::Hello(hello) => self.hello(id, hello, now),
            WorkerMessage::Results(results) => self.results(id, results, now),
            WorkerMessage::Failed(failed) => self.failed(id, failed, now),
            WorkerMessage::Progress { lease } => {
                let progress = self.scheduler.progress(id, lease, now.at);
                self.answered(id, lease, progress, now.at);
            }
            WorkerMessage::Release { lease } => {
                let released = self.scheduler.release(id, lease);
                self.live.stream.ended(id, lease, HowEnded::Returned, now.at);
                self.answered(id, lease, released, now.at);
            }
            WorkerMessage::Slots { n } => self.slots(id, n, now.at),
            WorkerMessage::Error(error) => self.refused_by_worker(id, &error, now),
            WorkerMessage::Heartbeat => self.scheduler.mark_alive(id),
        }
    }

    fn slots(&mut self, id: WorkerId, slots: u32, now: Duration) {
        let Some(worker) = self.workers.get_mut(&id) else { return };
        let Some(mode) = &mut worker.lease_mode else {
            let message = "slots is for workers that have said hello".to_owned();
            return self.refuse(id, ErrorCode::NoHello, message, None, now);
        };
        mode.slots = slots;
        self.scheduler.set_slots(id, slots);
        self.live.changed.insert(id);
    }

    fn log_connected(&self) {
        let all = self.workers.iter().map(|(id, worker)| (format!("#{id}"), worker.peer.address));
        info!("Connected {}", list_connected(all));
    }
}
