//! The one task that knows who is connected and what each was sent. Sessions send it events; it
//! answers into their outboxes. Nothing is shared, so nothing is locked.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Instant;
use tequio_protocol::api::WorkerView;
use tequio_protocol::ids::{TaskId, WorkerId};
use tequio_protocol::limits::{
    AGENT_CHARS_MAX, CONNECTIONS_LISTED_MAX, DISPATCHER_EVENTS_MAX, NOISE_LOGGED_MAX,
    OUTBOX_MESSAGES_MAX,
};
use tequio_protocol::message::{ErrorCode, ErrorMessage, ServerMessage, Task, TaskResult};
use tequio_protocol::number::Number;
use tequio_protocol::op::{Op, RepeatMultiply};
use tequio_protocol::text::printable;
use tokio::sync::{mpsc, oneshot};
use tracing::{info, warn};

/// How far a plain client's result may lie from ours, relatively: browsers' own `Math.pow` and
/// the C libraries under other languages differ from each other in the last bits.
const PLAIN_TOLERANCE: f64 = 1e-12;

/// The id of the welcome task, which is every connection's first.
const WELCOME_TASK_ID: TaskId = TaskId(1);

/// Who connected.
#[derive(Clone, Debug)]
pub struct Peer {
    /// The other end of the socket.
    pub address: SocketAddr,
    /// The path that was asked for.
    pub path: String,
    /// What the HTTP request said in `User-Agent`.
    pub agent: Option<String>,
}

/// What a session receives: the messages to send, in order. It ends when the dispatcher gives the
/// connection up because the outbox was full.
pub type Outbox = mpsc::Receiver<ServerMessage>;

/// The way to the dispatcher, one clone a session. The dispatcher ends when all are gone.
#[derive(Clone, Debug)]
pub struct Dispatcher {
    events: mpsc::Sender<Event>,
}

#[derive(Debug)]
enum Event {
    Connected { peer: Peer, joined: oneshot::Sender<(WorkerId, Outbox)> },
    Result { worker: WorkerId, result: TaskResult },
    Heard { worker: WorkerId },
    Refused { worker: WorkerId },
    Disconnected { worker: WorkerId, reason: String },
    ListWorkers { list: oneshot::Sender<Vec<WorkerView>> },
}

/// The dispatcher's task is gone: it panicked, or the server has stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the dispatcher has stopped")]
pub struct Stopped;

impl Dispatcher {
    /// Starts the task. `welcome` is the input of the task that everyone gets on connecting.
    pub fn start(welcome: Option<RepeatMultiply>) -> Dispatcher {
        let (events, inbox) = mpsc::channel(DISPATCHER_EVENTS_MAX);
        let state = State { welcome, workers: BTreeMap::new(), connections: 0 };
        tokio::spawn(state.run(inbox));
        Dispatcher { events }
    }

    /// Enters a connection and gives its number, and the messages to send to it.
    pub async fn connected(&self, peer: Peer) -> Result<(WorkerId, Outbox), Stopped> {
        let (joined, answer) = oneshot::channel();
        self.send(Event::Connected { peer, joined }).await?;
        answer.await.map_err(|_| Stopped)
    }

    /// A worker sent a result.
    pub async fn result(&self, worker: WorkerId, result: TaskResult) -> Result<(), Stopped> {
        self.send(Event::Result { worker, result }).await
    }

    /// A worker sent something that asks for nothing.
    pub async fn heard(&self, worker: WorkerId) -> Result<(), Stopped> {
        self.send(Event::Heard { worker }).await
    }

    /// A worker sent something that its session refused or ignored.
    pub async fn refused(&self, worker: WorkerId) -> Result<(), Stopped> {
        self.send(Event::Refused { worker }).await
    }

    /// A connection has ended, for `reason` (as the console prints it).
    pub async fn disconnected(&self, worker: WorkerId, reason: String) -> Result<(), Stopped> {
        self.send(Event::Disconnected { worker, reason }).await
    }

    /// Who is connected, in the order of arrival.
    pub async fn list_workers(&self) -> Result<Vec<WorkerView>, Stopped> {
        let (list, answer) = oneshot::channel();
        self.send(Event::ListWorkers { list }).await?;
        answer.await.map_err(|_| Stopped)
    }

    async fn send(&self, event: Event) -> Result<(), Stopped> {
        self.events.send(event).await.map_err(|_| Stopped)
    }
}

struct State {
    welcome: Option<RepeatMultiply>,
    workers: BTreeMap<WorkerId, Worker>,
    /// Connections so far; the newest one's number.
    connections: u64,
}

struct Worker {
    peer: Peer,
    /// `None` once it was full: the session closes, and nothing more is sent.
    outbox: Option<mpsc::Sender<ServerMessage>>,
    held: Option<Task>,
    connected_at: Instant,
    heard_at: Instant,
    tasks: u64,
    results: u64,
    refused: u64,
}

impl State {
    async fn run(mut self, mut inbox: mpsc::Receiver<Event>) {
        while let Some(event) = inbox.recv().await {
            self.handle(event);
        }
    }

    fn handle(&mut self, event: Event) {
        match event {
            Event::Connected { peer, joined } => self.connected(peer, joined),
            Event::Result { worker, result } => self.result(worker, result),
            Event::Heard { worker } => self.heard(worker),
            Event::Refused { worker } => {
                self.heard(worker);
                self.count_refusal(worker);
            }
            Event::Disconnected { worker, reason } => self.disconnected(worker, &reason),
            Event::ListWorkers { list } => {
                // Whoever asked may have left meanwhile; then nobody misses the answer.
                list.send(self.workers.iter().map(|(id, worker)| worker.view(*id)).collect()).ok();
            }
        }
    }

    fn connected(&mut self, peer: Peer, joined: oneshot::Sender<(WorkerId, Outbox)>) {
        self.connections += 1;
        let id = WorkerId(self.connections);
        let (outbox, messages) = mpsc::channel(OUTBOX_MESSAGES_MAX);
        if joined.send((id, messages)).is_err() {
            return;
        }
        info!("#{id} connected from {} path={}", peer.address, peer.path);
        let now = Instant::now();
        let mut worker = Worker {
            peer,
            outbox: Some(outbox),
            held: None,
            connected_at: now,
            heard_at: now,
            tasks: 0,
            results: 0,
            refused: 0,
        };
        let welcome = self.welcome.map(welcome_task);
        if let Some(task) = &welcome {
            worker.give(id, task.clone());
        }
        self.workers.insert(id, worker);
        self.log_connected();
        if let Some(task) = welcome {
            info!("[#{id}] task sent task_id={}", task.task_id);
        }
    }

    fn result(&mut self, id: WorkerId, result: TaskResult) {
        let Some(worker) = self.workers.get_mut(&id) else { return };
        worker.heard_at = Instant::now();
        if let Err(error) = worker.accept(id, result) {
            worker.refused += 1;
            if is_logged(worker.refused) {
                warn!("[#{id}] result refused: {}", error.message);
            }
            worker.send(id, ServerMessage::Error(error));
        }
    }

    fn heard(&mut self, id: WorkerId) {
        if let Some(worker) = self.workers.get_mut(&id) {
            worker.heard_at = Instant::now();
        }
    }

    fn count_refusal(&mut self, id: WorkerId) {
        if let Some(worker) = self.workers.get_mut(&id) {
            worker.refused += 1;
        }
    }

    fn disconnected(&mut self, id: WorkerId, reason: &str) {
        if self.workers.remove(&id).is_some() {
            info!("#{id} disconnected ({reason})");
            self.log_connected();
        }
    }

    fn log_connected(&self) {
        let count = self.workers.len();
        if count == 0 {
            return info!("Connected (0)");
        }
        let mut list: Vec<String> = self
            .workers
            .iter()
            .take(CONNECTIONS_LISTED_MAX)
            .map(|(id, worker)| format!("#{id} {}", worker.peer.address))
            .collect();
        if count > list.len() {
            list.push(format!("and {} more", count - list.len()));
        }
        info!("Connected ({count}): {}", list.join(", "));
    }
}

impl Worker {
    fn give(&mut self, id: WorkerId, task: Task) {
        self.tasks += 1;
        self.held = Some(task.clone());
        self.send(id, ServerMessage::Task(task));
    }

    fn send(&mut self, id: WorkerId, message: ServerMessage) {
        let Some(outbox) = &self.outbox else { return };
        if outbox.try_send(message).is_err() {
            warn!("[#{id}] reads nothing: {OUTBOX_MESSAGES_MAX} messages wait for it");
            self.outbox = None;
        }
    }

    /// Takes the answer to the held task, or says what is wrong with it. A wrong number does not
    /// give the task up: the worker may answer again.
    fn accept(&mut self, id: WorkerId, result: TaskResult) -> Result<(), ErrorMessage> {
        let task_id = result.task_id;
        let refusal = |code, message| ErrorMessage { code, message, task_id: Some(task_id) };
        let Some(task) = self.held.as_ref().filter(|task| task.task_id == task_id) else {
            let message = format!("task {task_id} is not waited for: unknown, or answered before");
            return Err(refusal(ErrorCode::UnknownTask, message));
        };
        let expected = Number(task.input.compute());
        if !is_right(result.result, expected) {
            let got = result.result.map_or("null".to_owned(), |number| number.to_string());
            let message = format!("task {task_id} is {}, which is not {got}", task.input);
            return Err(refusal(ErrorCode::WrongResult, message));
        }
        self.held = None;
        self.results += 1;
        if let Some(agent) = result.agent {
            self.peer.agent = Some(printable(&agent, AGENT_CHARS_MAX));
        }
        let number = result.result.unwrap_or(expected);
        let duration = result.duration_ms.map_or("?".to_owned(), |ms| ms.to_string());
        let agent = self.peer.agent.as_deref().unwrap_or("?");
        info!(
            "[#{id}] result task_id={task_id} result={number} duration_ms={duration} agent={agent}"
        );
        Ok(())
    }

    fn view(&self, id: WorkerId) -> WorkerView {
        WorkerView {
            id,
            address: self.peer.address.to_string(),
            path: self.peer.path.clone(),
            agent: self.peer.agent.clone(),
            connected_s: self.connected_at.elapsed().as_secs_f64(),
            idle_s: self.heard_at.elapsed().as_secs_f64(),
            tasks: self.tasks,
            results: self.results,
            refused: self.refused,
        }
    }
}

/// Whether the `nth` thing of one kind that one worker does wrong is worth a line: the first few
/// are, then each whose number is a power of two. A flood must not fill a disk with log.
pub(crate) fn is_logged(nth: u64) -> bool {
    nth <= NOISE_LOGGED_MAX || nth.is_power_of_two()
}

fn welcome_task(input: RepeatMultiply) -> Task {
    Task { op: Op::RepeatMultiply, task_id: WELCOME_TASK_ID, input }
}

/// Whether a plain client's answer is the expected number. `null` is what JSON makes of a number
/// that it cannot hold.
fn is_right(answer: Option<Number>, expected: Number) -> bool {
    match answer {
        Some(number) => number.is_close(expected, PLAIN_TOLERANCE),
        None => !expected.0.is_finite(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_right_within_the_tolerance_of_plain_clients() {
        let expected = Number(1.5372656826974733);
        assert!(is_right(Some(Number(1.5372656826974737)), expected), "by 2 ulp");
        assert!(!is_right(Some(Number(1.53726568)), expected));
        assert!(!is_right(None, expected));
        assert!(is_right(None, Number(f64::INFINITY)));
        assert!(is_right(None, Number(f64::NAN)));
        assert!(!is_right(Some(Number(f64::NEG_INFINITY)), Number(f64::INFINITY)));
    }
}
