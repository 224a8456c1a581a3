//! Workers that take and do not give, or give what is wrong.

use super::client::{self, End, Socket, Window};
use super::{AGAIN, Target};
use anyhow::Result;
use futures_util::{SinkExt, StreamExt};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tequio_protocol::ids::LeaseId;
use tequio_protocol::limits::{HEARTBEAT, PROGRESS_INTERVAL, SLOTS_MAX};
use tequio_protocol::message::{DurationMs, Lease, ServerMessage, TaskFailed, WorkerMessage};
use tequio_protocol::outcome::{Outcome, OutcomeRef, Outcomes};
use tequio_protocol::piece::{Piece, PieceResults};
use tokio::time::{Instant, interval, sleep};
use tokio_tungstenite::tungstenite::Message;

/// For how long a holder answers, as if it were quick, so that it is lent more.
const GROWING: Duration = Duration::from_secs(8);

/// The share of a liar's results that are wrong.
const LIES: f64 = 0.05;

/// What a liar says instead: no task of ours comes to it.
const LIE: OutcomeRef<'_> = Outcome::Result("0.125");

/// Results of a liar's message.
const TOLD: usize = 500;

/// New results of a message that is otherwise of old ones.
const NEW: usize = 50;

/// What a liar takes for a task: a fifth of what the quickest of the honest ones take.
const TASK_TIME: Duration = Duration::from_micros(20);

/// So many have come, each under a name of its own.
static CAME: AtomicU64 = AtomicU64::new(0);

/// A worker that has said hello under a new name.
struct Guest {
    socket: Socket,
}

impl Guest {
    async fn come(target: &Target, slots: u32) -> Result<Result<Guest, End>> {
        let mut socket = match client::open(target, "/ws", Window::Usual).await? {
            Ok(socket) => socket,
            Err(end) => return Ok(Err(end)),
        };
        let name = format!("{:016x}", CAME.fetch_add(1, Ordering::Relaxed));
        let hello = WorkerMessage::Hello(client::hello(name, slots));
        socket.send(Message::text(hello.write())).await?;
        Ok(Ok(Guest { socket }))
    }

    /// The next thing that the server says of leases; `None` when it ends the connection.
    async fn next(&mut self) -> Result<Option<ServerMessage>> {
        loop {
            match self.socket.next().await {
                Some(Ok(Message::Text(text))) => match ServerMessage::read(&text)? {
                    ServerMessage::Task(task) => self.socket.send(client::answer(&task)?).await?,
                    message => return Ok(Some(message)),
                },
                Some(Ok(Message::Close(_)) | Err(_)) | None => return Ok(None),
                Some(Ok(_)) => {}
            }
        }
    }

    async fn say(&mut self, message: &WorkerMessage) -> Result<()> {
        Ok(self.socket.send(Message::text(message.write())).await?)
    }

    /// Sends results of a lease, the first of them being `from` behind the lease's first.
    async fn tell(&mut self, lease: &Lease, from: usize, outcomes: Outcomes) -> Result<()> {
        let Some(results) = PieceResults::new(outcomes) else { return Ok(()) };
        let first = lease.first + from as u64;
        let took = DurationMs::new(0.001);
        let frame = WorkerMessage::write_results(lease.lease, first, &results, took, client::AGENT);
        Ok(self.socket.send(Message::text(frame)).await?)
    }
}

fn compute(lease: &Lease) -> Outcomes {
    let Lease { op, first, count, inputs, .. } = lease.clone();
    Piece { op, first, count, inputs }.compute()
}

pub(super) async fn holders(target: Target) -> Result<()> {
    target.beset(8, AGAIN, |target, _| hold(target)).await
}

/// Shows that it is quick; then takes what it is lent, and says that it goes on with it.
async fn hold(target: Target) -> Result<End> {
    let mut guest = match Guest::come(&target, SLOTS_MAX).await? {
        Ok(guest) => guest,
        Err(end) => return Ok(end),
    };
    let came = Instant::now();
    let mut held: Vec<LeaseId> = Vec::new();
    let mut progress = interval(PROGRESS_INTERVAL);
    loop {
        tokio::select! {
            _ = progress.tick() => {
                for lease in held.clone() {
                    guest.say(&WorkerMessage::Progress { lease }).await?;
                }
            }
            message = guest.next() => match message? {
                Some(ServerMessage::Lease(lease)) if came.elapsed() < GROWING => {
                    guest.tell(&lease, 0, compute(&lease)).await?;
                }
                Some(ServerMessage::Lease(lease)) => held.push(lease.lease),
                Some(ServerMessage::Revoke { lease }) => held.retain(|held| *held != lease),
                Some(_) => {}
                None => return Ok(End::Ended),
            },
        }
    }
}

pub(super) async fn failures(target: Target) -> Result<()> {
    target.beset(6, AGAIN, |target, _| fail(target)).await
}

/// Says of every task that it failed.
async fn fail(target: Target) -> Result<End> {
    let mut guest = match Guest::come(&target, 4).await? {
        Ok(guest) => guest,
        Err(end) => return Ok(end),
    };
    while let Some(message) = guest.next().await? {
        let ServerMessage::Lease(lease) = message else { continue };
        for index in lease.first..lease.first + lease.count {
            let error = "this machine will not".to_owned();
            guest
                .say(&WorkerMessage::Failed(TaskFailed { lease: lease.lease, index, error }))
                .await?;
        }
    }
    Ok(End::Ended)
}

pub(super) async fn lies(target: Target) -> Result<()> {
    target.beset(6, AGAIN, |target, nth| lie(target, nth, Manner::Plainly)).await
}

pub(super) async fn duplicates(target: Target) -> Result<()> {
    target.beset(6, AGAIN, |target, nth| lie(target, nth, Manner::BesideOldOnes)).await
}

/// How a liar sends its results.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Manner {
    /// In messages of new ones.
    Plainly,
    /// In messages that are mostly what it has sent before.
    BesideOldOnes,
}

/// Computes, and falsifies some of what it sends.
async fn lie(target: Target, nth: u64, manner: Manner) -> Result<End> {
    let mut guest = match Guest::come(&target, 1).await? {
        Ok(guest) => guest,
        Err(end) => return Ok(end),
    };
    let mut random = StdRng::seed_from_u64(nth);
    let mut heartbeat = interval(HEARTBEAT);
    loop {
        let message = tokio::select! {
            _ = heartbeat.tick() => {
                guest.say(&WorkerMessage::Heartbeat).await?;
                continue;
            }
            message = guest.next() => message?,
        };
        let lease = match message {
            Some(ServerMessage::Lease(lease)) => lease,
            Some(_) => continue,
            None => return Ok(End::Ended),
        };
        let outcomes: Outcomes = compute(&lease)
            .iter()
            .map(|outcome| if random.random_bool(LIES) { LIE } else { outcome })
            .collect();
        let count = outcomes.len() as usize;
        let (new, old) = match manner {
            Manner::Plainly => (TOLD, 0),
            Manner::BesideOldOnes => (NEW, TOLD - NEW),
        };
        for from in (0..count).step_by(new) {
            let to = count.min(from + new);
            let first = from.saturating_sub(old);
            sleep(TASK_TIME * (to - from) as u32).await;
            guest.tell(&lease, first, outcomes.slice(first..to)).await?;
        }
    }
}
