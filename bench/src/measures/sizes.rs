//! What a job's size costs: time for each task, and memory.

use super::scheduler::Lender;
use crate::measure::{Goal, Measure, Reading, Row};
use crate::process::{PATIENCE, Process, Server};
use crate::setting::Setting;
use anyhow::{Context, Result, ensure};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

pub(super) const MEASURE: Measure = Measure {
    name: "sizes",
    rows: &[
        Row {
            id: "size-10m",
            what: "a grid of 10^7 tasks, submitted to done, 2 native workers",
            against: "of 10^5",
            unit: "ns a task",
            goal: Goal::AtMost(1.2),
        },
        Row {
            id: "size-10m-memory",
            what: "the server's peak memory with it, above that with 10^5",
            against: "32 MiB",
            unit: "MiB",
            goal: Goal::AtMost(1.0),
        },
        Row {
            id: "size-1g",
            what: "10^9 tasks through the scheduler alone, leases of 65,536",
            against: "10^5",
            unit: "ns a task",
            goal: Goal::AtMost(1.2),
        },
        Row {
            id: "size-1g-memory",
            what: "a process's peak memory with it, above that with 10^5",
            against: "32 MiB",
            unit: "MiB",
            goal: Goal::AtMost(1.0),
        },
    ],
    rounds_max: 3,
    round,
};

const SMALL: u64 = 100_000;
const LARGE: u64 = 10_000_000;
const HUGE: u64 = 1_000_000_000;

const MIB: f64 = 1024.0 * 1024.0;

/// What a size costs.
struct Cost {
    task_ns: f64,
    peak_bytes: f64,
}

fn round(setting: &Setting) -> Result<Vec<Reading>> {
    let real = [served(setting, SMALL)?, served(setting, LARGE)?];
    let alone = [simulated(SMALL)?, simulated(HUGE)?];
    let readings = [real, alone].into_iter().flat_map(|[small, large]| {
        let more_bytes = (large.peak_bytes - small.peak_bytes).max(0.0);
        [Reading::new(large.task_ns, small.task_ns), Reading::new(more_bytes / MIB, 32.0)]
    });
    Ok(readings.collect())
}

/// By a real server and its workers.
fn served(setting: &Setting, tasks: u64) -> Result<Cost> {
    let server = Server::start(setting)?;
    let _workers = [server.work()?, server.work()?];
    let times = format!("0..{tasks}");
    let began = Instant::now();
    let grid = ["--initial", "1.0000054", "--factor", "1.00000043", "--times", &times, "--wait"];
    server.run(&[["submit", "repeat_multiply"].as_slice(), &grid].concat())?;
    let task_ns = began.elapsed().as_secs_f64() * 1e9 / tasks as f64;
    Ok(Cost { task_ns, peak_bytes: server.process.resident_peak()? as f64 })
}

/// By a scheduler in a process of its own.
fn simulated(tasks: u64) -> Result<Cost> {
    let mut command = Command::new(std::env::current_exe()?);
    let mut process =
        Process::start(command.args(["simulate", &tasks.to_string()]).stdout(Stdio::piped()))?;
    let stdout = process.child().stdout.take().context("it answers through a pipe")?;
    let said = std::io::read_to_string(stdout)?;
    let (task_ns, peak_bytes) = said.trim().split_once(' ').context("it says two figures")?;
    Ok(Cost { task_ns: task_ns.parse()?, peak_bytes: peak_bytes.parse()? })
}

/// Lends and takes a job of so many tasks, with a hundred workers, and says what it cost.
pub(super) fn simulate(tasks: &str) -> Result<()> {
    const WORKERS: u64 = 100;
    let tasks: u64 = tasks.parse()?;
    let mut times = 0;
    let mut elapsed = Duration::ZERO;
    let began = Instant::now();
    // A small job is over before a clock has moved: it is repeated.
    while elapsed < Duration::from_millis(300) {
        let mut lender = Lender::new(WORKERS, tasks, Duration::from_micros(10))?;
        let since = Instant::now();
        let mut out = std::collections::VecDeque::new();
        let mut taken = 0;
        while taken < tasks {
            while let Some(grant) = lender.lend() {
                out.push_back(grant);
            }
            let grant = out.pop_front().context("nothing is out")?;
            taken += lender.take(&grant)?;
            ensure!(began.elapsed() < PATIENCE, "{taken} of {tasks} tasks after {PATIENCE:?}");
        }
        elapsed += since.elapsed();
        times += 1;
    }
    let task_ns = elapsed.as_secs_f64() * 1e9 / (tasks * times) as f64;
    println!("{task_ns} {}", crate::process::resident_peak(std::process::id())?);
    Ok(())
}
