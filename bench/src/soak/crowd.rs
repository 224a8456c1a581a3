//! The crowd: who is there, who comes and who leaves.

use super::worker::{Kind, Leaving, Tally, Worker};
use super::{Over, Soak};
use crate::process::Server;
use anyhow::{Context, Result};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch::Receiver;
use tokio::sync::{Semaphore, mpsc};
use tokio::task::{JoinError, JoinSet};
use tokio::time::interval;

/// Workers that connect at once: more than a listener keeps waiting would be refused.
const CONNECTING_MAX: usize = 64;

/// Of a hundred workers, those that are of each kind.
const KINDS: [(Kind, u32); 4] =
    [(Kind::Leases, 92), (Kind::Plain, 5), (Kind::Mute, 2), (Kind::Frozen, 1)];

/// Of a hundred workers that leave, those that leave in each way.
const LEAVINGS: [(Leaving, u32); 5] = [
    (Leaving::Releasing, 10),
    (Leaving::Closing, 30),
    (Leaving::Dropping, 25),
    (Leaving::Resetting, 15),
    (Leaving::Returning, 20),
];

/// Orders that wait for a worker that is just away.
const ORDERS_MAX: usize = 4;

/// Faults after which nothing is to be learnt from going on.
const FAULTS_MAX: u64 = 100;

/// Faults that are told one by one.
const FAULTS_TOLD: usize = 5;

/// All workers.
#[derive(Debug)]
pub(super) struct Crowd {
    address: SocketAddr,
    size: usize,
    pause: Duration,
    seats: Vec<mpsc::Sender<Leaving>>,
    workers: JoinSet<Result<()>>,
    born: u64,
    random: StdRng,
    connecting: Arc<Semaphore>,
    tally: Arc<Tally>,
    faults: Faults,
}

/// What honest workers met that they should not have.
#[derive(Debug, Default)]
pub(super) struct Faults {
    pub(super) count: u64,
    pub(super) first: Vec<String>,
}

/// One that comes, works for a moment and leaves.
pub(super) async fn one(server: &Server, tally: &Arc<Tally>, number: u64) -> Result<()> {
    let (order, orders) = mpsc::channel(1);
    let connecting = Arc::new(Semaphore::new(1));
    let address = address(server)?;
    let one = Worker::new(address, number, Kind::Leases, orders, connecting, tally.clone());
    let one = tokio::spawn(one.live());
    tokio::time::sleep(Duration::from_millis(500)).await;
    order.send(Leaving::Closing).await.context("the first worker is gone")?;
    one.await?
}

pub(super) fn address(server: &Server) -> Result<SocketAddr> {
    let address = server.url.strip_prefix("http://").context("it is served without TLS")?;
    Ok(address.parse()?)
}

impl Crowd {
    pub(super) fn new(soak: &Soak, server: &Server, tally: Arc<Tally>) -> Result<Crowd> {
        Ok(Crowd {
            address: address(server)?,
            size: soak.workers as usize,
            pause: Duration::from_secs(1) / soak.churn,
            seats: Vec::new(),
            workers: JoinSet::new(),
            born: 0,
            random: StdRng::seed_from_u64(0),
            connecting: Arc::new(Semaphore::new(CONNECTING_MAX)),
            tally,
            faults: Faults::default(),
        })
    }

    /// Lets all come, and then one leave and one come in turn, until it is over and all have left; or
    /// until too many have met faults.
    pub(super) async fn come_and_go(mut self, mut over: Receiver<Over>) -> Faults {
        while self.seats.len() < self.size {
            self.come();
        }
        // Turns that came late are made up for: so many a second it is.
        let mut turn = interval(self.pause);
        loop {
            tokio::select! {
                _ = turn.tick() => self.turn(),
                Some(ended) = self.workers.join_next() => {
                    self.ended(ended);
                    if self.faults.count >= FAULTS_MAX {
                        return self.faults;
                    }
                }
                _ = over.wait_for(|over| over.workers) => break,
            }
        }
        for seat in std::mem::take(&mut self.seats) {
            let leaving = match self.draw(&LEAVINGS) {
                Leaving::Returning => Leaving::Closing,
                leaving => leaving,
            };
            // Who is full of orders is leaving, and leaves for good once nobody can give it more.
            seat.try_send(leaving).ok();
        }
        while let Some(ended) = self.workers.join_next().await {
            self.ended(ended);
        }
        self.faults
    }

    fn come(&mut self) {
        self.born += 1;
        let kind = self.draw(&KINDS);
        let (seat, orders) = mpsc::channel(ORDERS_MAX);
        let (connecting, tally) = (self.connecting.clone(), self.tally.clone());
        let worker = Worker::new(self.address, self.born, kind, orders, connecting, tally);
        self.workers.spawn(worker.live());
        self.seats.push(seat);
    }

    /// One leaves, and one comes: another, or the same.
    fn turn(&mut self) {
        let leaving = self.draw(&LEAVINGS);
        let seat = self.random.random_range(0..self.seats.len());
        let is_told = self.seats[seat].try_send(leaving).is_ok();
        if !is_told || leaving != Leaving::Returning {
            self.seats.swap_remove(seat);
            self.come();
        }
    }

    fn draw<T: Copy>(&mut self, shares: &[(T, u32)]) -> T {
        let mut drawn = self.random.random_range(0..shares.iter().map(|(_, share)| share).sum());
        for (one, share) in shares {
            if drawn < *share {
                return *one;
            }
            drawn -= share;
        }
        shares[0].0
    }

    fn ended(&mut self, ended: Result<Result<()>, JoinError>) {
        let fault = match ended {
            Ok(Ok(())) => return,
            Ok(Err(fault)) => format!("{fault:#}"),
            Err(panicked) => panicked.to_string(),
        };
        self.faults.count += 1;
        if self.faults.first.len() < FAULTS_TOLD {
            self.faults.first.push(fault);
        }
    }
}
