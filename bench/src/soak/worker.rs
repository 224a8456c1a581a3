//! One worker of the crowd: what a tab does, at the cost of some kilobytes.
//!
//! It computes its tasks for real and takes its time with them: so long for each, as if the op were
//! slow. That is what keeps thousands of them at a pace that two cores and a disk can take.

use crate::input::OP;
use anyhow::{Context, Result, bail, ensure};
use futures_util::{SinkExt, StreamExt};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tequio_protocol::ids::LeaseId;
use tequio_protocol::limits::{HEARTBEAT, SOCKET_READ_BUFFER_BYTES};
use tequio_protocol::message::{
    DurationMs, Hello, Lease, LeaseInputs, PROTOCOL, ServerMessage, Task, TaskResult, Welcome,
    WorkerMessage,
};
use tequio_protocol::outcome::Outcome;
use tequio_protocol::piece::{Piece, PieceResults};
use tequio_protocol::values::Value;
use tokio::net::TcpStream;
use tokio::sync::{Semaphore, mpsc};
use tokio::time::{Instant, Interval, MissedTickBehavior, interval_at, sleep, timeout};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, WebSocketConfig};
use tokio_tungstenite::{WebSocketStream, client_async_with_config};

const AGENT: &str = "tequio-bench (soak)";

/// What a worker in lease mode takes for a task, at its quickest; the slowest takes four times as long.
const TASK_TIME_MIN: Duration = Duration::from_millis(12);

/// What a plain client takes for a task.
const PLAIN_TASK_TIME: Duration = Duration::from_millis(250);

/// What a worker computes of a lease before it sends it: half of the lease that it gets for a second, so
/// that most leave in the middle of one.
const PIECE_TIME: Duration = Duration::from_millis(500);

/// How long a worker is away that comes back to its session, at most.
const AWAY_MAX: Duration = Duration::from_secs(3);

/// How long the server may take to accept a connection, or to answer a close.
const ANSWER_PATIENCE: Duration = Duration::from_secs(20);

/// What a worker does while it is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// It says hello, and answers leases.
    Leases,
    /// It says nothing, and answers tasks.
    Plain,
    /// It reads, and never says anything.
    Mute,
    /// It says hello, and then does not even read: what it is lent it keeps.
    Frozen,
}

/// How a worker leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Leaving {
    /// It gives its leases back, and says goodbye.
    Releasing,
    /// It says goodbye in the middle of a lease.
    Closing,
    /// Its connection ends without a goodbye.
    Dropping,
    /// Its connection is reset.
    Resetting,
    /// Its connection ends, and it comes back to its session.
    Returning,
}

/// What the crowd did.
#[derive(Debug, Default)]
pub(super) struct Tally {
    pub(super) came: AtomicU64,
    pub(super) left: AtomicU64,
    /// Of those that left, those that held a lease.
    pub(super) left_holding: AtomicU64,
    /// Workers that came back, and whose session went on.
    pub(super) resumed: AtomicU64,
    /// Workers that came back, and were not known any more.
    pub(super) forgotten: AtomicU64,
    /// Tasks of leases that were answered.
    pub(super) answered: AtomicU64,
    /// Jobs that are done, and whose results were read and found right.
    pub(super) jobs_checked: AtomicU64,
}

/// A worker, whether it is connected or not.
#[derive(Debug)]
pub(super) struct Worker {
    address: SocketAddr,
    number: u64,
    kind: Kind,
    task_time: Duration,
    random: StdRng,
    orders: mpsc::Receiver<Leaving>,
    connecting: Arc<Semaphore>,
    tally: Arc<Tally>,
    /// Its session on the connection that it lost.
    session: Option<String>,
    /// Frames of which it cannot know that they arrived.
    unsure: Vec<String>,
    /// Messages with results that it has sent.
    answers: u64,
}

type Socket = WebSocketStream<TcpStream>;

/// The right answer to a task of plain mode, as a client says it that goes under this name.
pub(super) fn answer_to(task: &Task, agent: &str) -> Result<WorkerMessage> {
    let results = PieceResults::new(Piece::of_one(task.op, &task.input).compute());
    let results = results.context("a task has an outcome")?;
    let Outcome::Result(result) = results.only() else { bail!("{} fails", task.input) };
    Ok(WorkerMessage::Result(TaskResult {
        task_id: task.task_id,
        result: Value::new(result),
        duration_ms: Some(DurationMs::new(1.0)),
        agent: Some(agent.to_owned()),
    }))
}

impl Worker {
    pub(super) fn new(
        address: SocketAddr,
        number: u64,
        kind: Kind,
        orders: mpsc::Receiver<Leaving>,
        connecting: Arc<Semaphore>,
        tally: Arc<Tally>,
    ) -> Worker {
        let mut random = StdRng::seed_from_u64(number);
        let task_time = TASK_TIME_MIN.mul_f64(random.random_range(1.0..4.0));
        let (session, unsure) = (None, Vec::new());
        Worker {
            address,
            number,
            kind,
            task_time,
            random,
            orders,
            connecting,
            tally,
            session,
            unsure,
            answers: 0,
        }
    }

    /// A worker that takes so long for a task at its quickest; the slowest takes four times as long.
    pub(super) fn with_task_time(mut self, task_time_min: Duration) -> Worker {
        self.task_time = task_time_min.mul_f64(self.task_time.div_duration_f64(TASK_TIME_MIN));
        self
    }

    /// Comes, works and leaves as it is told. Errs where the server does what no honest worker has
    /// deserved.
    pub(super) async fn live(mut self) -> Result<()> {
        loop {
            let socket = self.connect().await?;
            self.tally.came.fetch_add(1, Ordering::Relaxed);
            let leaving = Visit::new(&mut self, socket).stay().await?;
            self.tally.left.fetch_add(1, Ordering::Relaxed);
            if leaving != Leaving::Returning {
                return Ok(());
            }
            let away = AWAY_MAX.mul_f64(self.random.random());
            sleep(away).await;
        }
    }

    async fn connect(&self) -> Result<Socket> {
        // More at once than a listener keeps waiting would be refused.
        let _one_of_few = self.connecting.acquire().await?;
        let connect = async {
            let stream = TcpStream::connect(self.address).await?;
            stream.set_nodelay(true)?;
            let limits = WebSocketConfig::default().read_buffer_size(SOCKET_READ_BUFFER_BYTES);
            let url = format!("ws://{}/ws", self.address);
            let (socket, _) = client_async_with_config(url, stream, Some(limits)).await?;
            anyhow::Ok(socket)
        };
        let connected = timeout(ANSWER_PATIENCE, connect).await.context("no answer")?;
        connected.with_context(|| format!("worker {} cannot connect", self.number))
    }

    fn hello(&self) -> WorkerMessage {
        WorkerMessage::Hello(Hello {
            protocol: PROTOCOL,
            agent: AGENT.to_owned(),
            slots: 1,
            worker: format!("{:016x}", self.number),
            ops: vec![OP.to_owned()],
            resume: self.session.clone(),
        })
    }
}

/// A worker on one connection.
struct Visit<'a> {
    worker: &'a mut Worker,
    socket: Socket,
    heartbeat: Interval,
    /// Whether the server has answered its hello.
    is_welcome: bool,
    /// The task of plain mode that it computes.
    task: Option<Task>,
    /// What it is lent; it computes the one in front.
    held: VecDeque<Held>,
    /// What it computes now.
    computing: Option<Computing>,
    /// The last results that it sent.
    last: Option<String>,
}

struct Held {
    lease: Lease,
    answered: u64,
}

#[derive(Clone, Copy)]
struct Computing {
    began: Instant,
    ends: Instant,
    tasks: u64,
}

impl Visit<'_> {
    fn new(worker: &mut Worker, socket: Socket) -> Visit<'_> {
        let mut heartbeat = interval_at(Instant::now() + HEARTBEAT, HEARTBEAT);
        heartbeat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Visit {
            worker,
            socket,
            heartbeat,
            is_welcome: false,
            task: None,
            held: VecDeque::new(),
            computing: None,
            last: None,
        }
    }

    async fn stay(mut self) -> Result<Leaving> {
        if matches!(self.worker.kind, Kind::Leases | Kind::Frozen) {
            self.send(self.worker.hello().write()).await?;
        }
        loop {
            let is_frozen = self.worker.kind == Kind::Frozen && !self.held.is_empty();
            let ends = self.computing.map(|computing| computing.ends);
            tokio::select! {
                order = self.worker.orders.recv() => {
                    return self.leave(order.unwrap_or(Leaving::Closing)).await;
                }
                frame = self.socket.next(), if !is_frozen => match frame {
                    Some(Ok(Message::Text(text))) => self.read(&text).await?,
                    Some(Ok(Message::Close(close))) => bail!("the server closed: {close:?}"),
                    Some(Ok(_)) => {}
                    Some(Err(error)) => bail!("the server was lost: {error}"),
                    None => bail!("the server was lost"),
                },
                () = until(ends), if !is_frozen => self.answer().await?,
                _ = self.heartbeat.tick(), if self.worker.kind == Kind::Leases => {
                    self.send(WorkerMessage::Heartbeat.write()).await?;
                }
            }
        }
    }

    async fn send(&mut self, text: String) -> Result<()> {
        Ok(self.socket.send(Message::text(text)).await?)
    }

    // ---- Working --------------------------------------------------------------------------------

    async fn read(&mut self, text: &str) -> Result<()> {
        match ServerMessage::read(text)? {
            ServerMessage::Task(task) => match self.worker.kind {
                Kind::Leases | Kind::Frozen => self.answer_task(&task).await?,
                Kind::Plain => {
                    self.task = Some(task);
                    self.compute(1, PLAIN_TASK_TIME);
                }
                Kind::Mute => {}
            },
            ServerMessage::Welcome(welcome) => self.welcome(welcome).await?,
            ServerMessage::Lease(lease) => {
                self.held.push_back(Held { lease, answered: 0 });
                self.compute_next();
            }
            ServerMessage::Revoke { lease } => self.revoke(lease),
            ServerMessage::Heartbeat => {}
            ServerMessage::Error(error) => bail!("the server refuses an honest worker: {error:?}"),
        }
        Ok(())
    }

    async fn welcome(&mut self, welcome: Welcome) -> Result<()> {
        if self.worker.session.is_some() {
            let tally = &self.worker.tally;
            let count = if welcome.resumed { &tally.resumed } else { &tally.forgotten };
            count.fetch_add(1, Ordering::Relaxed);
        }
        let unsure = std::mem::take(&mut self.worker.unsure);
        if welcome.resumed {
            for frame in unsure {
                self.send(frame).await?;
            }
        }
        self.worker.session = welcome.session;
        self.is_welcome = true;
        Ok(())
    }

    fn revoke(&mut self, lease: LeaseId) {
        if self.held.front().is_some_and(|held| held.lease.lease == lease) {
            self.computing = None;
        }
        self.held.retain(|held| held.lease.lease != lease);
        self.compute_next();
    }

    /// Goes on with the lease in front, where nothing is being computed.
    fn compute_next(&mut self) {
        if self.computing.is_some() {
            return;
        }
        if let Some(held) = self.held.front() {
            let piece = PIECE_TIME.as_secs_f64() / self.worker.task_time.as_secs_f64();
            let tasks = (piece as u64).clamp(1, held.lease.count - held.answered);
            self.compute(tasks, self.worker.task_time.mul_f64(tasks as f64));
        }
    }

    fn compute(&mut self, tasks: u64, time: Duration) {
        let began = Instant::now();
        self.computing = Some(Computing { began, ends: began + time, tasks });
    }

    async fn answer(&mut self) -> Result<()> {
        let Some(computing) = self.computing.take() else { return Ok(()) };
        match self.task.take() {
            Some(task) => self.answer_task(&task).await,
            None => {
                if let Some(frame) = self.results(computing.tasks, computing.began.elapsed()) {
                    self.last = Some(frame.clone());
                    self.send(frame).await?;
                }
                self.compute_next();
                Ok(())
            }
        }
    }

    async fn answer_task(&mut self, task: &Task) -> Result<()> {
        self.send(answer_to(task, AGENT)?.write()).await
    }

    /// Computes the next tasks of the lease in front, and writes what they come to.
    fn results(&mut self, tasks: u64, took: Duration) -> Option<String> {
        let held = self.held.front_mut()?;
        let first = held.lease.first + held.answered;
        let inputs = match &held.lease.inputs {
            LeaseInputs::Grid(grid) => LeaseInputs::Grid(grid.clone()),
            LeaseInputs::List(inputs) => {
                let from = held.answered as usize;
                LeaseInputs::List(inputs.slice(from..from + tasks as usize))
            }
        };
        let piece = Piece { op: held.lease.op, first, count: tasks, inputs };
        let results = PieceResults::new(piece.compute())?;
        let took = DurationMs::new(took.as_secs_f64() * 1000.0);
        let lease = held.lease.lease;
        self.worker.tally.answered.fetch_add(tasks, Ordering::Relaxed);
        self.worker.answers += 1;
        held.answered += tasks;
        if held.answered == held.lease.count {
            self.held.pop_front();
        }
        Some(WorkerMessage::write_results(lease, first, &results, took, AGENT))
    }

    // ---- Leaving --------------------------------------------------------------------------------

    async fn leave(mut self, how: Leaving) -> Result<Leaving> {
        if !self.held.is_empty() {
            self.worker.tally.left_holding.fetch_add(1, Ordering::Relaxed);
        }
        if self.worker.kind == Kind::Frozen {
            // It may have been given up long ago, and is nobody that is known.
            self.worker.session = None;
            return Ok(how);
        }
        // The session that it asked for may have been taken up, or not; and where many are kept, those go
        // first of whom nothing was recorded. Its last answer may not have arrived.
        if !self.is_welcome || self.worker.answers < 2 {
            self.worker.session = None;
        }
        match how {
            Leaving::Releasing => {
                for held in std::mem::take(&mut self.held) {
                    let release = WorkerMessage::Release { lease: held.lease.lease };
                    self.send(release.write()).await?;
                }
                self.say_goodbye().await?;
            }
            Leaving::Closing => {
                self.send_begun().await?;
                self.say_goodbye().await?;
            }
            Leaving::Dropping => self.send_begun().await?,
            Leaving::Resetting => {
                self.send_begun().await?;
                self.socket.get_ref().set_zero_linger()?;
            }
            Leaving::Returning => {
                // What was sent last may have been lost, and what is computed now is not sent yet.
                let begun = self.begun();
                self.worker.unsure = self.last.take().into_iter().chain(begun).collect();
                if self.worker.random.random() {
                    self.socket.get_ref().set_zero_linger()?;
                }
            }
        }
        Ok(how)
    }

    /// Sends what is computed of the piece at hand, as one in two does.
    async fn send_begun(&mut self) -> Result<()> {
        if self.worker.random.random()
            && let Some(frame) = self.begun()
        {
            self.send(frame).await?;
        }
        Ok(())
    }

    /// What is computed of the piece at hand.
    fn begun(&mut self) -> Option<String> {
        if self.task.is_some() {
            return None;
        }
        let computing = self.computing.take()?;
        let took = computing.began.elapsed();
        let tasks = took.as_secs_f64() / self.worker.task_time.as_secs_f64();
        let tasks = (tasks as u64).min(computing.tasks);
        if tasks == 0 { None } else { self.results(tasks, took) }
    }

    /// Closes, and waits until the server has closed as well.
    async fn say_goodbye(&mut self) -> Result<()> {
        let frame = CloseFrame { code: CloseCode::Away, reason: "the worker leaves".into() };
        self.socket.close(Some(frame)).await?;
        let closing = async {
            let mut is_answered = false;
            while let Some(frame) = self.socket.next().await {
                is_answered |= matches!(frame?, Message::Close(_));
            }
            ensure!(is_answered, "the server ended without an answer to a close");
            Ok(())
        };
        timeout(ANSWER_PATIENCE, closing).await.context("a close is not answered")?
    }
}

async fn until(at: Option<Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at).await,
        None => std::future::pending().await,
    }
}
