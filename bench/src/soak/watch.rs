//! How the server is meanwhile: samples each few seconds, and a row of them now and then.

use super::worker::Tally;
use super::{Api, mib};
use crate::measure::{median, sorted};
use crate::process::Server;
use crate::report::figure;
use anyhow::Result;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use tokio::time::{MissedTickBehavior, interval};

/// The pause between two samples.
const SAMPLE_PAUSE: Duration = Duration::from_secs(2);

/// Samples of a row: its rate is over as long.
const SAMPLES_PER_ROW: usize = 5;

/// A server that is watched.
#[derive(Debug)]
pub(super) struct Watch<'a> {
    server: &'a Server,
    folder: PathBuf,
    api: Api,
    tally: Arc<Tally>,
    began: Instant,
    pub(super) samples: Samples,
}

/// All samples, in the order of time.
#[derive(Debug, Default)]
pub(super) struct Samples(Vec<Sample>);

/// How the server was at one moment.
#[derive(Clone, Copy, Debug)]
struct Sample {
    at: Duration,
    recorded: u64,
    resident: u64,
    descriptors: usize,
    workers: u64,
    uncommitted: u64,
    on_disk: u64,
}

impl<'a> Watch<'a> {
    pub(super) async fn new(
        server: &'a Server,
        folder: &Path,
        api: &Api,
        tally: &Arc<Tally>,
    ) -> Result<Watch<'a>> {
        let (folder, api, tally) = (folder.to_owned(), api.clone(), tally.clone());
        let (began, samples) = (Instant::now(), Samples::default());
        let mut watch = Watch { server, folder, api, tally, began, samples };
        watch.sample().await?;
        Ok(watch)
    }

    /// Watches for so long, and prints rows.
    pub(super) async fn go_on(&mut self, time: Duration) -> Result<()> {
        println!(
            "{:>6} {:>7} {:>7} {:>7} {:>7} {:>9} {:>5} {:>10} {:>6} {:>8} {:>10}",
            "time",
            "workers",
            "came",
            "left",
            "resumed",
            "tasks/s",
            "jobs",
            "memory",
            "files",
            "waiting",
            "on disk",
        );
        let mut pause = interval(SAMPLE_PAUSE);
        pause.set_missed_tick_behavior(MissedTickBehavior::Delay);
        // The first one is at once, and was taken.
        pause.tick().await;
        while self.began.elapsed() < time {
            pause.tick().await;
            self.sample().await?;
            if self.samples.0.len() % SAMPLES_PER_ROW == 1 {
                self.print_row();
            }
        }
        Ok(())
    }

    async fn sample(&mut self) -> Result<()> {
        let metrics = self.api.metrics().await?;
        self.samples.0.push(Sample {
            at: self.began.elapsed(),
            recorded: metrics.value("tequio_tasks_recorded_total") as u64,
            resident: self.server.process.resident()?,
            descriptors: self.server.process.descriptors()?,
            workers: metrics.value("tequio_workers_connected") as u64,
            uncommitted: metrics.value("tequio_tasks_uncommitted") as u64,
            on_disk: bytes_in(&self.folder)?,
        });
        Ok(())
    }

    fn print_row(&self) {
        let samples = &self.samples.0;
        let Some(now) = samples.last() else { return };
        let before = &samples[samples.len().saturating_sub(SAMPLES_PER_ROW + 1)];
        let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        println!(
            "{:>4} s {:>7} {:>7} {:>7} {:>7} {:>9} {:>5} {:>10} {:>6} {:>8} {:>10}",
            now.at.as_secs(),
            now.workers,
            count(&self.tally.came),
            count(&self.tally.left),
            count(&self.tally.resumed),
            figure(rate(before, now)),
            count(&self.tally.jobs_checked),
            mib(now.resident),
            now.descriptors,
            figure(now.uncommitted as f64),
            mib(now.on_disk),
        );
    }
}

impl Samples {
    /// Tasks a second from one fraction of `time` to another.
    pub(super) fn rate_between(&self, time: Duration, from: f64, to: f64) -> f64 {
        match self.between(time, from, to) {
            [first, .., last] => rate(first, last),
            _ => f64::NAN,
        }
    }

    /// Tasks a second of each row after a fraction of `time`, in ascending order.
    pub(super) fn rates_after(&self, time: Duration, from: f64) -> Vec<f64> {
        let samples = self.between(time, from, f64::INFINITY);
        let rows = samples.windows(SAMPLES_PER_ROW + 1).step_by(SAMPLES_PER_ROW);
        sorted(rows.map(|row| rate(&row[0], &row[row.len() - 1])).collect())
    }

    /// The server's memory from one fraction of `time` to another: the median of the samples.
    pub(super) fn resident_between(&self, time: Duration, from: f64, to: f64) -> f64 {
        let samples = self.between(time, from, to).iter();
        median(&sorted(samples.map(|sample| sample.resident as f64).collect()))
    }

    /// The most of the server's memory in any sample, in bytes.
    pub(super) fn resident_max(&self) -> u64 {
        self.0.iter().map(|sample| sample.resident).max().unwrap_or_default()
    }

    fn between(&self, time: Duration, from: f64, to: f64) -> &[Sample] {
        let place = |part: f64| {
            let end = time.as_secs_f64() * part;
            self.0.partition_point(|sample| sample.at.as_secs_f64() < end)
        };
        &self.0[place(from)..place(to)]
    }
}

fn rate(from: &Sample, to: &Sample) -> f64 {
    (to.recorded - from.recorded) as f64 / (to.at - from.at).as_secs_f64()
}

/// Bytes of all files in a folder.
fn bytes_in(folder: &Path) -> Result<u64> {
    let mut bytes = 0;
    for entry in fs::read_dir(folder)? {
        // The log beside the store may go while it is looked at.
        bytes += entry?.metadata().map_or(0, |metadata| metadata.len());
    }
    Ok(bytes)
}
