//! Peers: what else people compute such tasks with, each in the way that its users do, on this
//! machine. They do other things than Tequio, and are made for tasks that take longer; what is compared
//! is what one short task costs.

use super::ceiling;
use super::lease;
use crate::measure::{Goal, Measure, Reading, Row};
use crate::process::{PATIENCE, Process, Server};
use crate::setting::Setting;
use crate::tools;
use anyhow::{Context, Result, ensure};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use std::io::{BufRead, BufReader};
use std::net::{TcpListener, TcpStream};
use std::process::{ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

pub(super) const MEASURE: Measure = Measure {
    name: "peers",
    rows: &[
        Row {
            id: "peer-dask",
            what: "lease mode, grid, on disk, 2 native workers",
            against: "Dask, 2 worker processes, `map` and `gather`, in memory",
            unit: "tasks/s",
            goal: Goal::AtLeast(1000.0),
        },
        Row {
            id: "peer-bullmq",
            what: "lease mode, grid, on disk, 2 native workers",
            against: "BullMQ, 2 worker processes, Redis without persistence",
            unit: "tasks/s",
            goal: Goal::AtLeast(100.0),
        },
        Row {
            id: "peer-websockets",
            what: "lease mode, grid, on disk, 2 native workers",
            against: "a task server with Python's websockets, a task a frame, 16 connections, in memory",
            unit: "tasks/s",
            goal: Goal::AtLeast(10.0),
        },
        // Nothing but the server differs here: what leases are worth is not in it.
        Row {
            id: "peer-websockets-plain",
            what: "plain mode, 16 connections, on disk",
            against: "the same, the same clients",
            unit: "tasks/s",
            goal: Goal::AtLeast(1.0),
        },
    ],
    rounds_max: 3,
    round,
};

/// What each part is measured for, where that is not as long as it takes.
const TIME: Duration = Duration::from_secs(4);

/// Connections of plain mode.
const CONNECTIONS: usize = 16;

/// Tasks of plain mode that are not counted.
const WARM: u64 = 5_000;

fn round(setting: &Setting) -> Result<Vec<Reading>> {
    let dask = dask(setting).context("Dask")?;
    let lease = lease::grid(setting)?;
    let bullmq = bullmq(setting).context("BullMQ")?;
    let websockets = websockets(setting).context("websockets")?;
    let plain = plain(setting)?;
    Ok(vec![
        Reading::new(lease, dask),
        Reading::new(lease, bullmq),
        Reading::new(lease, websockets),
        Reading::new(plain, websockets),
    ])
}

/// What a peer's program prints in the end.
#[derive(Deserialize)]
struct Rate {
    tasks_per_second: f64,
}

/// What a peer's program prints that waits for clients.
#[derive(Deserialize)]
struct Listening {
    url: String,
}

fn dask(setting: &Setting) -> Result<f64> {
    let mut command = Command::new(tools::python(setting)?);
    let (mut dask, mut said) = peer(command.arg(setting.root.join("bench/peers/dask_tasks.py")))?;
    let rate = read::<Rate>(&mut said)?.tasks_per_second;
    // Its processes end as it does; killed, it would leave them.
    dask.child().wait()?;
    Ok(rate)
}

fn bullmq(setting: &Setting) -> Result<f64> {
    let folder = tools::node_folder(setting, "bullmq.mjs")?;
    let (_redis, port) = redis(setting)?;
    let mut command = Command::new("node");
    command.args(["bullmq.mjs", &port.to_string()]).current_dir(folder);
    let (mut bullmq, mut said) = peer(&mut command)?;
    let rate = read::<Rate>(&mut said)?.tasks_per_second;
    bullmq.child().wait()?;
    Ok(rate)
}

/// Redis as it is fastest: it writes nothing to the disk.
fn redis(setting: &Setting) -> Result<(Process, u16)> {
    // It takes no port 0; whoever takes this one in between ends the measure.
    let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
    let mut command = Command::new(tools::redis()?);
    command.args(["--bind", "127.0.0.1", "--port", &port.to_string()]);
    command.args(["--save", "", "--appendonly", "no"]).current_dir(&setting.cache);
    let mut redis = Process::start(command.stdout(Stdio::null()))?;
    let started = Instant::now();
    while TcpStream::connect(("127.0.0.1", port)).is_err() {
        let is_there = redis.child().try_wait()?.is_none() && started.elapsed() < PATIENCE;
        ensure!(is_there, "Redis does not listen");
        std::thread::sleep(Duration::from_millis(5));
    }
    Ok((redis, port))
}

fn websockets(setting: &Setting) -> Result<f64> {
    let mut command = Command::new(tools::python(setting)?);
    command.arg(setting.root.join("bench/peers/websockets_server.py"));
    let (_server, mut said) = peer(command.arg(TIME.as_secs_f64().to_string()))?;
    let Listening { url } = read(&mut said)?;
    let _client = ceiling::client(&url, CONNECTIONS)?;
    Ok(read::<Rate>(&mut said)?.tasks_per_second)
}

fn plain(setting: &Setting) -> Result<f64> {
    let server = Server::start(setting)?;
    lease::submit_grid(&server)?;
    let _client = ceiling::client(&server.socket(), CONNECTIONS)?;
    tokio::runtime::Runtime::new()?.block_on(server.rate(1, WARM, TIME))
}

/// Starts a peer's program, and gives what it says.
fn peer(command: &mut Command) -> Result<(Process, BufReader<ChildStdout>)> {
    let mut peer = Process::start(command.stdout(Stdio::piped()))?;
    let said = peer.child().stdout.take().context("it prints into a pipe")?;
    Ok((peer, BufReader::new(said)))
}

/// The next line of JSON that a peer's program prints.
fn read<T: DeserializeOwned>(said: &mut BufReader<ChildStdout>) -> Result<T> {
    let mut line = String::new();
    ensure!(
        said.read_line(&mut line)? > 0,
        "its program ended without a word of what it is to say"
    );
    serde_json::from_str(&line).with_context(|| format!("its program said {line:?}"))
}
