//! The floods: what strangers did to a server with ordinary clients, each bounded in size and time.
//!
//! A flood is a process of its own, so that its end is that of all its connections, and its memory and
//! its runtime are not those of the honest client beside it. [`ALL`] says what there is to play;
//! `siege` plays it, and looks how the server is meanwhile.

mod client;
mod questions;
mod sockets;
mod unfinished;
mod unread;
mod workers;

use anyhow::{Context, Result, bail};
use client::End;
use std::io::Read as _;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tequio_protocol::ids::JobId;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::sleep;

/// Connections of a flood that are being made at once: more than a listener keeps waiting would be
/// refused by the system, and not by the server.
const CONNECTING_MAX: usize = 64;

/// How long a peer waits that was refused, or whose connection the server ended, before it comes again.
/// An attacker would not wait; this machine's ports have to last.
const AGAIN: Duration = Duration::from_millis(250);

/// What all floods at once are scaled by: a server has so many descriptors only, and this machine so
/// many cores.
const TOGETHER: f64 = 0.3;

/// Connections of the flood that has the most.
pub(super) const DESCRIPTORS_MAX: u64 = 5000;

/// One kind of flood.
#[derive(Debug)]
pub(super) struct Flood {
    pub(super) name: &'static str,
    /// What it does, for people.
    pub(super) what: &'static str,
    /// What it is played beside.
    pub(super) beside: Beside,
    play: fn(Target) -> Played,
}

/// What honest workers compute beside a flood.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Beside {
    /// A grid, by a hundred workers.
    Grid,
    /// A list of lines, by as many slower ones: each lease's inputs are read from the store.
    Lines,
    /// A grid, by as few and slow ones that each result that is recorded can be looked at.
    Checked,
    /// A grid, by a few workers, to whom a little of what may be in flight is enough.
    Few,
    /// A grid; and the server is asked to end while the flood goes on.
    Stopped,
}

type Played = Pin<Box<dyn Future<Output = Result<()>> + Send>>;

/// Every flood, those that only hold first.
pub(super) const ALL: &[Flood] = &[
    Flood {
        name: "events",
        what: "400 streams of events that nobody reads",
        beside: Beside::Grid,
        play: |target| Box::pin(unread::events(target)),
    },
    Flood {
        name: "list",
        what: "400 unread lists and snapshots of 1,000 workers whose agents are as long as may be",
        beside: Beside::Grid,
        play: |target| Box::pin(unread::list(target)),
    },
    Flood {
        name: "downloads",
        what: "1,000 downloads of results that nobody reads",
        beside: Beside::Grid,
        play: |target| Box::pin(unread::downloads(target)),
    },
    Flood {
        name: "chat",
        what: "300 rooms of a chat in which seven talk and nobody reads",
        beside: Beside::Grid,
        play: |target| Box::pin(unread::chat(target)),
    },
    Flood {
        name: "echoes",
        what: "200 messages of 1 MiB after each other whose echoes nobody reads",
        beside: Beside::Grid,
        play: |target| Box::pin(unread::echoes(target)),
    },
    Flood {
        name: "dashboards",
        what: "400 dashboards of Socket.IO that are told of all and read nothing",
        beside: Beside::Grid,
        play: |target| Box::pin(unread::dashboards(target)),
    },
    Flood {
        name: "silent",
        what: "5,000 connections on which nothing is said, or half a request",
        beside: Beside::Grid,
        play: |target| Box::pin(unfinished::silent(target)),
    },
    Flood {
        name: "posts",
        what: "400 posts of Socket.IO that never end",
        beside: Beside::Grid,
        play: |target| Box::pin(unfinished::posts(target)),
    },
    Flood {
        name: "bodies",
        what: "400 submissions and appends whose bodies never end",
        beside: Beside::Grid,
        play: |target| Box::pin(unfinished::bodies(target)),
    },
    Flood {
        name: "messages",
        what: "500 messages of 1 MiB that never end, in one frame or in several",
        beside: Beside::Grid,
        play: |target| Box::pin(unfinished::messages(target)),
    },
    Flood {
        name: "handshakes",
        what: "handshakes of Socket.IO by polling that nobody goes on with",
        beside: Beside::Grid,
        play: |target| Box::pin(questions::handshakes(target)),
    },
    Flood {
        name: "hellos",
        what: "900 workers whose hello has 1 MiB",
        beside: Beside::Grid,
        play: |target| Box::pin(sockets::hellos(target)),
    },
    Flood {
        name: "leavers",
        what: "guests who say hello and leave",
        beside: Beside::Grid,
        play: |target| Box::pin(sockets::leavers(target)),
    },
    Flood {
        name: "comers",
        what: "connections that come and go",
        beside: Beside::Grid,
        play: |target| Box::pin(sockets::comers(target)),
    },
    Flood {
        name: "chatter",
        what: "200 guests who say heartbeat and nonsense without an end",
        beside: Beside::Grid,
        play: |target| Box::pin(sockets::chatter(target)),
    },
    Flood {
        name: "views",
        what: "a job asked for 60 at a time, beside 500 guests with leases",
        beside: Beside::Grid,
        play: |target| Box::pin(questions::views(target)),
    },
    Flood {
        name: "results",
        what: "500 readers of single results",
        beside: Beside::Lines,
        play: |target| Box::pin(questions::results(target)),
    },
    Flood {
        name: "submissions",
        what: "5,000 submissions",
        beside: Beside::Grid,
        play: |target| Box::pin(questions::submissions(target)),
    },
    Flood {
        name: "holders",
        what: "8 guests of 1,024 slots who take all that they may, and say progress",
        beside: Beside::Few,
        play: |target| Box::pin(workers::holders(target)),
    },
    Flood {
        name: "failures",
        what: "6 workers that report failures",
        beside: Beside::Grid,
        play: |target| Box::pin(workers::failures(target)),
    },
    Flood {
        name: "lies",
        what: "6 of 20 workers lie in 5 % of their results, and come back",
        beside: Beside::Checked,
        play: |target| Box::pin(workers::lies(target)),
    },
    Flood {
        name: "duplicates",
        what: "the same, beside results that they have sent before",
        beside: Beside::Checked,
        play: |target| Box::pin(workers::duplicates(target)),
    },
    Flood {
        name: "followers",
        what: "1,000 who follow events and results, half of whom do not read",
        beside: Beside::Stopped,
        play: |target| Box::pin(unread::followers(target)),
    },
];

/// Every flood of [`ALL`] at once, which is one as well.
pub(super) const ALL_AT_ONCE: Flood = Flood {
    name: "together",
    what: "all of them at once",
    beside: Beside::Grid,
    play: |target| Box::pin(together(target)),
};

/// The floods that a person names: `all`, `none`, or a list with commas.
pub(super) fn named(list: &str) -> Result<Vec<&'static Flood>> {
    let known = || ALL.iter().chain([&ALL_AT_ONCE]);
    match list {
        "all" => return Ok(known().collect()),
        "none" => return Ok(Vec::new()),
        _ => {}
    }
    let one = |name: &str| match known().find(|flood| flood.name == name) {
        Some(flood) => Ok(flood),
        None => {
            let names: Vec<&str> = known().map(|flood| flood.name).collect();
            bail!("there is no flood \"{name}\"; there are all, none, {}", names.join(", "))
        }
    };
    list.split(',').map(str::trim).map(one).collect()
}

async fn together(target: Target) -> Result<()> {
    let target = Target { scale: target.scale * TOGETHER, ..target };
    let mut playing: JoinSet<Result<()>> =
        ALL.iter().map(|flood| (flood.play)(target.clone())).collect();
    while let Some(ended) = playing.join_next().await {
        ended??;
    }
    Ok(())
}

// ---- One flood's process --------------------------------------------------------------------------

/// What a flood is played against.
#[derive(Clone, Debug)]
struct Target {
    address: SocketAddr,
    /// The job that honest workers compute.
    job: JobId,
    /// 1 for the numbers of the floods as they were met.
    scale: f64,
    connecting: Arc<Semaphore>,
    toll: Arc<Toll>,
}

/// What came of a flood's peers.
#[derive(Debug, Default)]
struct Toll {
    begun: AtomicU64,
    answered: AtomicU64,
    refused: AtomicU64,
    ended: AtomicU64,
    lost: AtomicU64,
}

/// The command line of a flood's process, behind the name of the part that it is.
pub(super) fn arguments(flood: &Flood, address: SocketAddr, job: JobId, scale: f64) -> [String; 4] {
    [flood.name.to_owned(), address.to_string(), job.to_string(), scale.to_string()]
}

/// Plays a flood until its stdin ends, and prints what came of it.
pub(crate) fn play(name: &str) -> Result<()> {
    let [flood] = named(name)?[..] else { bail!("a process plays one flood, and not {name}") };
    let mut arguments = std::env::args().skip(3);
    let mut next = || arguments.next().context("a flood is told its target, its job and its scale");
    let toll = Arc::new(Toll::default());
    let target = Target {
        address: next()?.parse()?,
        job: JobId(next()?.parse()?),
        scale: next()?.parse()?,
        connecting: Arc::new(Semaphore::new(CONNECTING_MAX)),
        toll: toll.clone(),
    };
    let runtime = tokio::runtime::Runtime::new()?;
    let playing = runtime.spawn((flood.play)(target));
    let mut rest = Vec::new();
    std::io::stdin().read_to_end(&mut rest)?;
    if playing.is_finished() {
        runtime.block_on(playing)??;
    }
    println!("{}", toll.said());
    // Its connections end with it, in the middle of whatever they are in.
    std::process::exit(0);
}

impl Toll {
    fn said(&self) -> String {
        let count = |what: &AtomicU64| what.load(Ordering::Relaxed);
        let others = [
            (&self.answered, "answered"),
            (&self.refused, "refused"),
            (&self.ended, "ended by the server"),
            (&self.lost, "lost"),
        ];
        let others = others.iter().filter(|(counter, _)| count(counter) > 0);
        let others: String =
            others.map(|(counter, name)| format!(", {} {name}", count(counter))).collect();
        format!("{} begun{others}", count(&self.begun))
    }

    fn note(&self, end: Result<End>) {
        let counter = match end {
            Ok(End::Answered) => &self.answered,
            Ok(End::Refused) => &self.refused,
            Ok(End::Ended) => &self.ended,
            Err(_) => &self.lost,
        };
        counter.fetch_add(1, Ordering::Relaxed);
    }
}

impl Target {
    fn scaled(&self, count: u64) -> u64 {
        ((count as f64 * self.scale) as u64).max(1)
    }

    /// So many peers at the target's scale, each of which comes again, after `pause`, when it has ended.
    /// Returns an error if one panics, and nothing else.
    async fn beset<P, F>(&self, count: u64, pause: Duration, peer: P) -> Result<()>
    where
        P: Fn(Target, u64) -> F + Clone + Send + 'static,
        F: Future<Output = Result<End>> + Send,
    {
        let mut peers = JoinSet::new();
        for nth in 0..self.scaled(count) {
            let (target, peer) = (self.clone(), peer.clone());
            peers.spawn(async move {
                loop {
                    target.toll.begun.fetch_add(1, Ordering::Relaxed);
                    let end = peer(target.clone(), nth).await;
                    let pause = if matches!(end, Ok(End::Answered)) { pause } else { AGAIN };
                    target.toll.note(end);
                    sleep(pause).await;
                }
            });
        }
        peers.join_next().await.map_or(Ok(()), |panicked| Ok(panicked?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn floods_are_named_one_by_one_or_all_together() {
        assert_eq!(named("all").unwrap().len(), ALL.len() + 1);
        assert!(named("none").unwrap().is_empty());
        let names: Vec<_> =
            named("events, silent").unwrap().iter().map(|flood| flood.name).collect();
        assert_eq!(names, ["events", "silent"]);
        let error = named("rain").unwrap_err().to_string();
        assert!(error.contains("\"rain\"") && error.contains("events"), "{error}");
    }
}
