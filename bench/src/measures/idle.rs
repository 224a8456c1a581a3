//! What a worker costs that is connected and has nothing to do.

use crate::input::{Input, OP};
use crate::measure::{Goal, Measure, Reading, Row};
use crate::process::{Process, Server};
use crate::setting::Setting;
use anyhow::{Context, Result, ensure};
use futures_util::{SinkExt, StreamExt};
use serde_json::json;
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::{accept_async_with_config, connect_async};

pub(super) const MEASURE: Measure = Measure {
    name: "idle",
    rows: &[
        Row {
            id: "idle",
            what: "10,000 idle workers in lease mode: the server's memory for each",
            against: "12 KiB",
            unit: "KiB",
            goal: Goal::AtMost(1.0),
        },
        Row {
            id: "idle-bare",
            what: "the same",
            against: "a bare WebSocket with a 4 KiB read buffer",
            unit: "KiB",
            goal: Goal::AtMost(2.0),
        },
    ],
    rounds_max: 3,
    round,
};

const WORKERS: usize = 10_000;

/// Slots of each, where nothing else is asked for.
const SLOTS: u32 = 4;

/// Their tries at once: more than a listener keeps waiting would be refused.
const CONNECTING: usize = 64;

/// As Tequio's sockets have.
const READ_BUFFER_BYTES: usize = 4096;

fn round(setting: &Setting) -> Result<Vec<Reading>> {
    let bare = {
        let mut command = Command::new(std::env::current_exe()?);
        let mut process =
            Process::start(command.arg("bare-socket").arg("-").stdout(Stdio::piped()))?;
        let stdout = process.child().stdout.take().context("it answers through a pipe")?;
        let mut url = String::new();
        BufReader::new(stdout).read_line(&mut url)?;
        kib_each(&process, url.trim())?
    };
    let server = Server::start(setting)?;
    let tequio = kib_each(&server.process, &server.socket())?;
    Ok(vec![Reading::new(tequio, 12.0), Reading::new(tequio, bare)])
}

/// KiB of a server's memory for each of the workers that come.
fn kib_each(server: &Process, url: &str) -> Result<f64> {
    // One comes first: what is there once for all is not theirs.
    let _first = crowd(url, 1)?;
    let before = server.resident()?;
    let _all = crowd(url, WORKERS)?;
    // What was needed for the upgrades only is given back.
    std::thread::sleep(Duration::from_secs(2));
    Ok((server.resident()? as f64 - before as f64) / 1024.0 / WORKERS as f64)
}

/// A process with so many workers, all of them connected.
fn crowd(url: &str, workers: usize) -> Result<Process> {
    let mut command = Command::new(std::env::current_exe()?);
    command.args(["crowd", url, &workers.to_string()]);
    let mut process = Process::start(command.stdout(Stdio::piped()))?;
    let stdout = process.child().stdout.take().context("it answers through a pipe")?;
    let mut line = String::new();
    let began = Instant::now();
    BufReader::new(stdout).read_line(&mut line)?;
    ensure!(line.trim() == "all are there", "the workers failed after {:?}", began.elapsed());
    Ok(process)
}

/// Connects so many workers that say hello, answer the welcome task and then nothing but heartbeats; of
/// as many slots each as it is told behind that.
pub(super) fn gather(url: &str) -> Result<()> {
    let workers: usize = std::env::args().nth(3).context("it is told how many")?.parse()?;
    let slots: u32 = std::env::args().nth(4).map_or(Ok(SLOTS), |slots| slots.parse())?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let come = futures_util::stream::iter(0..workers).map(|nth| one(url, nth, slots));
        let mut sockets = Vec::new();
        let mut come = come.buffer_unordered(CONNECTING);
        while let Some(socket) = come.next().await {
            sockets.push(socket?);
        }
        println!("all are there");
        // Pings are answered while a socket is read.
        let listen = sockets.into_iter().map(
            async |mut socket| {
                while let Some(Ok(_)) = socket.next().await {}
            },
        );
        futures_util::future::join_all(listen).await;
        Ok(())
    })
}

type Socket =
    tokio_tungstenite::WebSocketStream<tokio_tungstenite::MaybeTlsStream<tokio::net::TcpStream>>;

async fn one(url: &str, nth: usize, slots: u32) -> Result<Socket> {
    let (mut socket, _) = connect_async(url).await?;
    let agent = "tequio-bench";
    let hello = json!({
        "type": "hello", "protocol": 1, "agent": agent, "slots": slots,
        "worker": format!("{nth:016x}"), "ops": [OP],
    });
    socket.send(Message::text(hello.to_string())).await?;
    // The bare server says nothing, and is not waited for.
    let first = tokio::time::timeout(Duration::from_secs(1), socket.next()).await;
    if let Ok(Some(Ok(Message::Text(_)))) = first {
        let input = Input { times: 1_000_000, ..Input::nth(0) };
        let answer = json!({
            "type": "result", "task_id": 1, "result": input.compute(), "duration_ms": 1,
            "agent": agent,
        });
        socket.send(Message::text(answer.to_string())).await?;
    }
    Ok(socket)
}

/// Serves sockets that are read, and no more.
pub(super) fn bare() -> Result<()> {
    tokio::runtime::Runtime::new()?.block_on(async {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
        println!("ws://{}", listener.local_addr()?);
        loop {
            let (stream, _) = listener.accept().await?;
            tokio::spawn(async {
                let config = WebSocketConfig::default().read_buffer_size(READ_BUFFER_BYTES);
                let socket = accept_async_with_config(stream, Some(config)).await;
                let Ok(mut socket) = socket else { return };
                // As Tequio greets who comes, so that the crowd need not wait.
                socket.send(Message::text("{}")).await.ok();
                while let Some(Ok(_)) = socket.next().await {}
            });
        }
    })
}
