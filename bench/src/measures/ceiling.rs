//! The ceiling: the same frames over bare tokio-tungstenite. They are parsed, computed and answered,
//! but nothing is scheduled, checked or stored.
//!
//! Its server and its clients are processes of their own, as Tequio's are. Each connection is sent two
//! leases at once, as a slot of Tequio's is, or one task, as a plain client; and another for each
//! answer. The server makes the inputs and writes them for each frame; it reads the results into
//! numbers, and counts them.

use crate::input::{Input, OP};
use crate::process::Process;
use anyhow::{Context, Result, ensure};
use futures_util::{SinkExt, StreamExt};
use serde::{Deserialize, Serialize};
use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{WebSocketStream, accept_async, connect_async};

/// What its frames carry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    /// A lease of [`LEASE_TASKS`] tasks with their inputs.
    Leases,
    /// One task of plain mode.
    Tasks,
}

/// Tasks of a frame of [`Shape::Leases`].
pub(crate) const LEASE_TASKS: u64 = 1024;

impl Shape {
    fn name(self) -> &'static str {
        match self {
            Shape::Leases => "leases",
            Shape::Tasks => "tasks",
        }
    }

    /// Frames that a connection has at once.
    fn ahead(self) -> usize {
        match self {
            Shape::Leases => 2,
            Shape::Tasks => 1,
        }
    }

    fn tasks_per_frame(self) -> u64 {
        match self {
            Shape::Leases => LEASE_TASKS,
            Shape::Tasks => 1,
        }
    }
}

/// Tasks a second, with so many connections, each by a client of its own where `clients` is as many.
pub(crate) fn rate(
    shape: Shape,
    clients: usize,
    connections: usize,
    time: Duration,
) -> Result<f64> {
    let (mut server, url) = start(shape)?;
    let _clients: Vec<Process> =
        (0..clients).map(|_| client(&url, connections / clients)).collect::<Result<_>>()?;
    rate_of(&mut server, shape.tasks_per_frame() * connections as u64 * 16, time)
}

/// Tasks a second that a server of [`start`] is answered, over `time` from `warm` tasks on. It is
/// asked once.
pub(crate) fn rate_of(server: &mut Process, warm: u64, time: Duration) -> Result<f64> {
    // Its count is asked for by a line, and answered by one.
    let stdin = server.child().stdin.take().context("it is asked through a pipe")?;
    let stdout = server.child().stdout.take().context("it answers through a pipe")?;
    let (mut stdin, mut stdout) = (stdin, BufReader::new(stdout));
    let mut count = || -> Result<u64> {
        writeln!(stdin)?;
        let mut line = String::new();
        stdout.read_line(&mut line)?;
        Ok(line.trim().parse()?)
    };
    let started = Instant::now();
    while count()? < warm {
        ensure!(started.elapsed() < crate::process::PATIENCE, "the ceiling does not get on");
        std::thread::sleep(Duration::from_millis(5));
    }
    let (began, before) = (Instant::now(), count()?);
    std::thread::sleep(time);
    Ok((count()? - before) as f64 / began.elapsed().as_secs_f64())
}

/// A server of the ceiling, and its address.
pub(crate) fn start(shape: Shape) -> Result<(Process, String)> {
    let mut command = Command::new(std::env::current_exe()?);
    command.args(["ceiling-server", shape.name()]);
    let mut process = Process::start(
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()),
    )?;
    let console = process.child().stderr.take().context("its console is a pipe")?;
    let mut url = String::new();
    BufReader::new(console).read_line(&mut url)?;
    Ok((process, url.trim().to_owned()))
}

/// A client of any server that sends such frames.
pub(crate) fn client(url: &str, connections: usize) -> Result<Process> {
    let mut command = Command::new(std::env::current_exe()?);
    command.args(["ceiling-client", url, &connections.to_string()]);
    Process::start(command.stderr(Stdio::null()))
}

// ---- The server ---------------------------------------------------------------------------------

#[derive(Serialize)]
struct LeaseFrame<'a> {
    r#type: &'static str,
    lease: u64,
    job: u64,
    op: &'static str,
    first: u64,
    count: u64,
    inputs: &'a [Input],
    deadline_ms: u64,
}

#[derive(Serialize)]
struct TaskFrame {
    r#type: &'static str,
    op: &'static str,
    task_id: u64,
    initial: f64,
    factor: f64,
    times: u64,
}

/// What a server reads of an answer, of either shape: a tagged enum would cost a second pass.
#[derive(Deserialize)]
struct Answer {
    #[serde(default)]
    results: Vec<f64>,
    result: Option<f64>,
}

/// Serves until it is ended. Whoever writes it a line is answered with how many tasks are answered.
pub(super) fn serve(shape: &str) -> Result<()> {
    let shape = if shape == Shape::Leases.name() { Shape::Leases } else { Shape::Tasks };
    let answered = Arc::new(AtomicU64::new(0));
    let asked = answered.clone();
    std::thread::spawn(move || {
        for _ in std::io::stdin().lines() {
            println!("{}", asked.load(Ordering::Relaxed));
        }
    });
    tokio::runtime::Runtime::new()?.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        eprintln!("ws://{}", listener.local_addr()?);
        loop {
            let (stream, _) = listener.accept().await?;
            stream.set_nodelay(true)?;
            let answered = answered.clone();
            tokio::spawn(async move {
                // A client is ended in the middle of whatever it does.
                serve_one(stream, shape, &answered).await.ok();
            });
        }
    })
}

async fn serve_one(stream: TcpStream, shape: Shape, answered: &AtomicU64) -> Result<()> {
    let mut socket: WebSocketStream<TcpStream> = accept_async(stream).await?;
    let mut frames = 0;
    for _ in 0..shape.ahead() {
        socket.send(Message::text(write(shape, frames)?)).await?;
        frames += 1;
    }
    while let Some(message) = socket.next().await {
        let Message::Text(text) = message? else { continue };
        let Answer { results, result } = serde_json::from_str(&text)?;
        answered.fetch_add(results.len() as u64 + u64::from(result.is_some()), Ordering::Relaxed);
        socket.send(Message::text(write(shape, frames)?)).await?;
        frames += 1;
    }
    Ok(())
}

fn write(shape: Shape, frame: u64) -> Result<String> {
    Ok(match shape {
        Shape::Leases => {
            let first = frame * LEASE_TASKS;
            let inputs: Vec<Input> = (first..first + LEASE_TASKS).map(Input::nth).collect();
            serde_json::to_string(&LeaseFrame {
                r#type: "lease",
                lease: frame + 1,
                job: 1,
                op: OP,
                first,
                count: LEASE_TASKS,
                inputs: &inputs,
                deadline_ms: 10_000,
            })?
        }
        Shape::Tasks => {
            let Input { initial, factor, times } = Input::nth(frame);
            serde_json::to_string(&TaskFrame {
                r#type: "task",
                op: OP,
                task_id: frame + 1,
                initial,
                factor,
                times,
            })?
        }
    })
}

// ---- The client ---------------------------------------------------------------------------------

/// What a client reads of a frame, of either shape.
#[derive(Deserialize)]
struct Order {
    #[serde(default)]
    lease: u64,
    #[serde(default)]
    first: u64,
    #[serde(default)]
    inputs: Vec<Input>,
    task_id: Option<u64>,
    #[serde(default)]
    initial: f64,
    #[serde(default)]
    factor: f64,
    #[serde(default)]
    times: u64,
}

#[derive(Serialize)]
struct ResultsFrame<'a> {
    r#type: &'static str,
    lease: u64,
    first: u64,
    results: Vec<f64>,
    duration_ms: f64,
    agent: &'a str,
}

#[derive(Serialize)]
struct ResultFrame<'a> {
    r#type: &'static str,
    task_id: u64,
    result: f64,
    duration_ms: f64,
    agent: &'a str,
}

/// Answers until it is ended, on as many connections as the third argument says.
pub(super) fn answer(url: &str) -> Result<()> {
    let connections: usize =
        std::env::args().nth(3).context("it is told how many connections")?.parse()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let all = (0..connections).map(|_| answer_on(url));
        futures_util::future::try_join_all(all).await.map(drop)
    })
}

async fn answer_on(url: &str) -> Result<()> {
    const AGENT: &str = "tequio-bench (ceiling)";
    let (mut socket, _) = connect_async(url).await?;
    while let Some(message) = socket.next().await {
        let Message::Text(text) = message? else { continue };
        let began = Instant::now();
        let duration_ms = |began: Instant| began.elapsed().as_secs_f64() * 1000.0;
        let order: Order = serde_json::from_str(&text)?;
        let answer = match order.task_id {
            None => {
                let results = order.inputs.iter().map(Input::compute).collect();
                serde_json::to_string(&ResultsFrame {
                    r#type: "results",
                    lease: order.lease,
                    first: order.first,
                    results,
                    duration_ms: duration_ms(began),
                    agent: AGENT,
                })?
            }
            Some(task_id) => {
                let Order { initial, factor, times, .. } = order;
                serde_json::to_string(&ResultFrame {
                    r#type: "result",
                    task_id,
                    result: Input { initial, factor, times }.compute(),
                    duration_ms: duration_ms(began),
                    agent: AGENT,
                })?
            }
        };
        socket.send(Message::text(answer)).await?;
    }
    Ok(())
}
