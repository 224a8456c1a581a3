//! Workers that come and go by the hundred while jobs run, for minutes, against a release server that
//! keeps its jobs on disk: `cargo xtask soak --load`. After it come the floods of strangers.
//!
//! It is a test, and fails where something is lost, left behind or slower and slower. [`crowd`] brings
//! the workers and takes them away, [`jobs`] sees to it that there is always work and reads what came
//! of it, [`watch`] looks at the server meanwhile, and [`verdict`] says whether all of that is well.

mod crowd;
mod floods;
mod honest;
mod jobs;
mod row;
mod siege;
mod verdict;
mod watch;
mod worker;

use crate::metrics::Metrics;
use crate::process::Server;
use crate::report::figure;
use crate::setting::Setting;
use anyhow::{Context, Result, bail, ensure};
use clap::Args;
use crowd::Crowd;
use jobs::{Finished, Jobs};
use serde::de::DeserializeOwned;
use std::fs;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tequio_protocol::api::{JobState, JobView};
use tokio::sync::watch as signal;
use tokio::time::{sleep, timeout};
use verdict::Verdict;
use watch::{Samples, Watch};
use worker::Tally;

pub(crate) use floods::play as play_flood;

/// How a soak is.
#[derive(Debug, Args)]
pub(crate) struct Soak {
    /// For how long workers come and go; 0 leaves that out
    #[arg(long, default_value_t = 10)]
    minutes: u32,

    /// Workers that are there at once
    #[arg(long, default_value_t = 2000, value_parser = clap::value_parser!(u32).range(1..))]
    workers: u32,

    /// Workers that come each second, as many others leaving
    // Sessions of more than these would be forgotten before their workers are back.
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=200))]
    churn: u32,

    /// Floods that are played after it: all, none, or their names with commas
    #[arg(long, default_value = "all")]
    floods: String,

    /// For how long each flood is looked at
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u64).range(1..))]
    flood_seconds: u64,

    /// What the numbers of the floods are multiplied by
    #[arg(long, default_value_t = 1.0)]
    flood_scale: f64,

    /// Idle workers that are connected beside each flood
    #[arg(long, default_value_t = 10_000)]
    idle: u32,
}

/// How long the last jobs may take to end once nothing more is submitted: a lease that nobody answers
/// runs for 10 s, and what it held is lent anew.
const JOBS_PATIENCE: Duration = Duration::from_secs(180);

/// How long all workers together may take to leave, and the server to let go of what was theirs.
const LEAVE_PATIENCE: Duration = Duration::from_secs(60);

/// Descriptors of a process beside its workers' sockets, with room: files, requests, the runtime's own.
const OTHER_DESCRIPTORS: u64 = 256;

/// Lines of a console that are kept, where it says what should not be.
const COMPLAINTS_KEPT: usize = 10;

/// Runs it, and errs where not all is well.
pub(crate) fn run(setting: &Setting, soak: &Soak) -> Result<()> {
    let floods = floods::named(&soak.floods)?;
    check_descriptors(soak)?;
    if soak.minutes > 0 {
        run_churn(setting, soak)?;
    }
    if !floods.is_empty() {
        siege::run(setting, soak, &floods)?;
    }
    Ok(())
}

/// Lets workers come and go.
fn run_churn(setting: &Setting, soak: &Soak) -> Result<()> {
    let folder = setting.folder()?;
    let complaints = Complaints::default();
    let hear = |complaints: &Complaints| {
        let complaints = complaints.clone();
        move |line: String| complaints.hear(line)
    };
    let server = Server::start_heard(setting, folder.path(), hear(&complaints))?;
    let runtime = tokio::runtime::Runtime::new()?;
    let mut verdict = Verdict::default();
    let jobs = runtime.block_on(load(soak, &server, folder.path(), &mut verdict))?;
    // It is killed, and what it had said to be on disk is there for the next one.
    drop(server);
    let server = Server::start_heard(setting, folder.path(), hear(&complaints))?;
    runtime.block_on(check_kept(&server, &jobs, &mut verdict))?;
    verdict.console(&complaints.lines());
    verdict.say()
}

/// Both ends of each connection are on this machine, and each process may open only so many files.
fn check_descriptors(soak: &Soak) -> Result<()> {
    let limits = fs::read_to_string("/proc/self/limits")
        .context("a soak reads how the server is in /proc, which this system has not")?;
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"));
    let soft = line.and_then(|line| line.split_whitespace().next()).context("no limit of files")?;
    let flood = (floods::DESCRIPTORS_MAX as f64 * soak.flood_scale) as u64;
    let needed = match (soak.minutes, soak.floods.as_str()) {
        (_, "none") => u64::from(soak.workers),
        (0, _) => u64::from(soak.idle) + flood,
        _ => u64::from(soak.workers).max(u64::from(soak.idle) + flood),
    } + OTHER_DESCRIPTORS;
    ensure!(
        soft.parse().is_ok_and(|soft: u64| soft >= needed) || soft == "unlimited",
        "so many workers need {needed} open files, and a process may have {soft} here: raise that \
         (`ulimit -n {needed}`), or ask for fewer --workers or --idle"
    );
    Ok(())
}

/// Lets workers come and go while jobs run, and judges; gives the jobs that it submitted.
async fn load(
    soak: &Soak,
    server: &Server,
    folder: &Path,
    verdict: &mut Verdict,
) -> Result<Vec<Finished>> {
    let api = Api { client: reqwest::Client::new(), url: server.url.clone() };
    let tally = Arc::new(Tally::default());
    let (is_over, over) = signal::channel(Over::default());
    // One comes first and goes: what is there once for all is not theirs.
    crowd::one(server, &tally, 0).await?;
    let mut watch = Watch::new(server, folder, &api, &tally).await?;
    let before = server.process.descriptors()?;

    let mut jobs = tokio::spawn(Jobs::new(api.clone(), tally.clone()).keep_running(over.clone()));
    let crowd = Crowd::new(soak, server, tally.clone())?;
    let mut crowd = tokio::spawn(crowd.come_and_go(over));
    let time = Duration::from_secs(u64::from(soak.minutes) * 60);
    tokio::select! {
        watched = watch.go_on(time) => watched?,
        failed = &mut jobs => {
            failed??;
            bail!("the jobs ended before the time was over");
        }
        faults = &mut crowd => {
            bail!("workers met what honest ones do not deserve: {:#?}", faults?.first);
        }
    }
    is_over.send_modify(|over| over.jobs = true);
    let finished = timeout(JOBS_PATIENCE, jobs).await.with_context(|| {
        format!("nothing is submitted any more, and jobs run on after {JOBS_PATIENCE:?}")
    })???;
    is_over.send_modify(|over| over.workers = true);
    let faults = timeout(LEAVE_PATIENCE, crowd)
        .await
        .with_context(|| format!("workers cannot leave within {LEAVE_PATIENCE:?}"))??;

    verdict.jobs(&finished);
    verdict.crowd(&faults, &tally);
    verdict.samples(&watch.samples, time);
    verdict.left_behind(&left_behind(server, &api, before).await?);
    Ok(finished)
}

/// What the soak is to end with, one after the other.
#[derive(Clone, Copy, Debug, Default)]
struct Over {
    /// Nothing more is submitted.
    jobs: bool,
    /// All workers leave.
    workers: bool,
}

/// How a server is whose workers have all left.
#[derive(Debug)]
struct Left {
    workers_listed: usize,
    metrics: Metrics,
    descriptors: usize,
    descriptors_before: usize,
    waited: Duration,
}

impl Left {
    /// Whether nothing of the workers is there any more.
    fn is_nothing(&self) -> bool {
        self.workers_listed == 0
            && verdict::GAUGES.iter().all(|gauge| self.metrics.value(gauge) == 0.0)
            && self.descriptors <= self.descriptors_before + verdict::DESCRIPTORS_MORE
    }
}

/// Waits for the server to let go of everything, for so long and no longer.
async fn left_behind(server: &Server, api: &Api, descriptors_before: usize) -> Result<Left> {
    let began = Instant::now();
    loop {
        let workers: Vec<serde_json::Value> = api.get("/api/workers").await?;
        let left = Left {
            workers_listed: workers.len(),
            metrics: api.metrics().await?,
            descriptors: server.process.descriptors()?,
            descriptors_before,
            waited: began.elapsed(),
        };
        if left.is_nothing() || left.waited > LEAVE_PATIENCE {
            return Ok(left);
        }
        sleep(Duration::from_millis(200)).await;
    }
}

/// Checks that a server that was started anew knows what the one before it had said to be done.
async fn check_kept(server: &Server, jobs: &[Finished], verdict: &mut Verdict) -> Result<()> {
    let api = Api { client: reqwest::Client::new(), url: server.url.clone() };
    let kept: Vec<JobView> = api.get("/api/jobs").await?;
    let is_kept = |job: &&Finished| {
        kept.iter().any(|kept| {
            let is_whole = kept.state == JobState::Done && kept.done == job.total;
            kept.id == job.id && is_whole && kept.total == job.total && kept.failed == 0
        })
    };
    verdict.kept(jobs.iter().filter(is_kept).count(), jobs.len(), kept.len());
    Ok(())
}

/// A server's HTTP API.
#[derive(Clone, Debug)]
struct Api {
    client: reqwest::Client,
    url: String,
}

impl Api {
    async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T> {
        let answer = self.response(path).await?;
        answer.json().await.with_context(|| format!("reading {path}"))
    }

    async fn response(&self, path: &str) -> Result<reqwest::Response> {
        let answer = self.client.get(format!("{}{path}", self.url)).send().await?;
        answer.error_for_status().with_context(|| format!("asking for {path}"))
    }

    async fn metrics(&self) -> Result<Metrics> {
        Ok(Metrics(self.response("/metrics").await?.text().await?))
    }
}

/// What a console says of errors.
#[derive(Clone, Debug, Default)]
struct Complaints(Arc<Mutex<Vec<String>>>);

impl Complaints {
    fn hear(&self, line: String) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let is_one = line.contains(" ERROR ") || line.contains("panicked at");
        if is_one && kept.len() < COMPLAINTS_KEPT {
            kept.push(line);
        }
    }

    fn lines(&self) -> Vec<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Bytes, for people.
fn mib(bytes: u64) -> String {
    format!("{} MiB", figure(bytes as f64 / f64::from(1 << 20)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_measure_is_the_sum_of_its_labels() {
        let metrics = Metrics(
            "# TYPE tequio_connections gauge\n\
             tequio_connections{service=\"tasks\"} 3\ntequio_connections{service=\"echo\"} 1\n\
             tequio_connections_other 9\ntequio_leases_out 0\n# EOF\n"
                .to_owned(),
        );
        assert_eq!(metrics.value("tequio_connections"), 4.0);
        assert_eq!(metrics.value("tequio_leases_out"), 0.0);
        assert!(metrics.value("tequio_nothing").is_nan());
    }
}
