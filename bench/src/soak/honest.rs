//! The honest client beside a flood: what a person's browser asks for, and how long each answer takes.

use crate::input::OP;
use anyhow::{Context, Result, bail, ensure};
use futures_util::{SinkExt, StreamExt};
use std::net::SocketAddr;
use std::time::Duration;
use tequio_protocol::ids::JobId;
use tequio_protocol::message::{Hello, PROTOCOL, ServerMessage, WorkerMessage};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep, timeout};
use tokio_tungstenite::client_async;
use tokio_tungstenite::tungstenite::Message;

/// Questions that a percentile is taken of, at least.
pub(super) const QUESTIONS_MIN: usize = 100;

/// The pause between two questions: a person's page asks no faster.
const PAUSE: Duration = Duration::from_millis(20);

/// How long it waits for an answer.
const PATIENCE: Duration = Duration::from_secs(20);

/// Faults that are told.
const FAULTS_TOLD: usize = 3;

/// One that asks for one thing after the other, each on a connection of its own.
#[derive(Clone, Debug)]
pub(super) struct Honest {
    http: reqwest::Client,
    address: SocketAddr,
    job: JobId,
}

/// What it met.
#[derive(Debug, Default)]
pub(super) struct Waits {
    /// How long each answer took, in ascending order.
    pub(super) sorted: Vec<Duration>,
    /// Questions that were not answered as they should be.
    pub(super) faults: usize,
    pub(super) first: Vec<String>,
}

impl Honest {
    pub(super) fn new(address: SocketAddr, job: JobId) -> Result<Honest> {
        // A connection each: whether there is room for one more is a part of the question.
        let http = reqwest::Client::builder().pool_max_idle_per_host(0).build()?;
        Ok(Honest { http, address, job })
    }

    /// Asks for so long, and as often as a percentile needs.
    pub(super) async fn ask_on(&self, time: Duration) -> Waits {
        let mut waits = Waits::default();
        let began = Instant::now();
        for nth in 0.. {
            // Where each answer takes seconds, so many are never got; those few say it all.
            let is_enough = waits.sorted.len() >= QUESTIONS_MIN || began.elapsed() > 3 * time;
            if began.elapsed() >= time && is_enough {
                break;
            }
            let asked = Instant::now();
            let answer = timeout(PATIENCE, self.ask(nth)).await;
            waits.sorted.push(asked.elapsed());
            if let Err(fault) = answer.context("no answer").and_then(|answer| answer) {
                waits.faults += 1;
                if waits.first.len() < FAULTS_TOLD {
                    waits.first.push(format!("{fault:#}"));
                }
            }
            sleep(PAUSE).await;
        }
        waits.sorted.sort_unstable();
        waits
    }

    async fn ask(&self, nth: u64) -> Result<()> {
        match nth % 4 {
            0 => self.get("/healthz").await,
            1 => self.get("/").await,
            2 => self.get(&format!("/api/jobs/{}", self.job)).await,
            _ => self.say_hello(nth).await.context("saying hello"),
        }
    }

    async fn get(&self, path: &str) -> Result<()> {
        let answer = self.http.get(format!("http://{}{path}", self.address)).send().await?;
        let status = answer.status();
        let text = answer.text().await.with_context(|| format!("reading {path}"))?;
        ensure!(status.is_success(), "{path}: {status} {}", text.trim());
        Ok(())
    }

    /// Comes as a worker without slots, until it is welcome.
    async fn say_hello(&self, nth: u64) -> Result<()> {
        let stream = TcpStream::connect(self.address).await?;
        let (mut socket, _) = client_async(format!("ws://{}/ws", self.address), stream).await?;
        let hello = WorkerMessage::Hello(Hello {
            protocol: PROTOCOL,
            agent: "tequio-bench (honest)".to_owned(),
            slots: 0,
            worker: format!("honest{nth}"),
            ops: vec![OP.to_owned()],
            resume: None,
        });
        socket.send(Message::text(hello.write())).await?;
        while let Some(frame) = socket.next().await {
            match frame? {
                Message::Text(text) => {
                    if matches!(ServerMessage::read(&text)?, ServerMessage::Welcome(_)) {
                        socket.close(None).await.ok();
                        return Ok(());
                    }
                }
                Message::Close(close) => bail!("the server closed: {close:?}"),
                _ => {}
            }
        }
        bail!("the connection ended")
    }
}

impl Waits {
    pub(super) fn count(&self) -> usize {
        self.sorted.len()
    }

    /// The wait that `percent` of the questions do not exceed.
    pub(super) fn percentile(&self, percent: usize) -> Duration {
        let place = (self.sorted.len() * percent).div_ceil(100);
        self.sorted.get(place.saturating_sub(1)).copied().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percentile_is_one_of_the_waits() {
        let of = |count: u64| Waits {
            sorted: (1..=count).map(Duration::from_millis).collect(),
            ..Waits::default()
        };
        assert_eq!(of(200).percentile(50), Duration::from_millis(100));
        assert_eq!(of(200).percentile(99), Duration::from_millis(198));
        assert_eq!(of(1).percentile(99), Duration::from_millis(1));
        assert_eq!(of(0).percentile(99), Duration::ZERO);
    }
}
