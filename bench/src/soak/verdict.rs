//! Whether all is well, and if not, what is not and by how much.

use super::crowd::Faults;
use super::jobs::Finished;
use super::worker::Tally;
use super::{Left, Samples, mib};
use crate::measure::median;
use crate::report::figure;
use anyhow::{Result, bail};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// The part of the time in which a server fills its caches and its allocator finds its size.
const WARM: f64 = 0.2;

/// What the rate of the last fifth may fall to, as a part of that after the warm-up. A machine is busy
/// with something else at times; what piles up with each worker or job makes it less and less.
const RATE_LEFT_MIN: f64 = 0.25;

/// What the server's memory may grow by after the warm-up. No task and no worker that is gone costs it
/// any; a job that is done costs what is told of it. What grows for some minutes is the allocator's:
/// glibc has up to eight arenas a core, which the threads that read and write the store fill one after
/// the other, 3 MiB each (with `MALLOC_ARENA_MAX=2` growth is 1 MiB, not 9). A worker that left anything
/// behind would do so 48,000 times in the eight minutes after the warm-up: 700 bytes each would be seen.
const MEMORY_GROWTH_MAX: u64 = 32 << 20;

/// Descriptors that may be open beside those from before the workers came: HTTP connections that are
/// kept alive.
pub(super) const DESCRIPTORS_MORE: usize = 4;

/// What is 0 when nobody is there and nothing is to be done.
pub(super) const GAUGES: [&str; 5] = [
    "tequio_connections",
    "tequio_workers_connected",
    "tequio_leases_out",
    "tequio_tasks_uncommitted",
    "tequio_dispatcher_queue",
];

/// What stays 0 where all workers are honest.
const COUNTERS: [&str; 2] = ["tequio_wrong_results_total", "tequio_workers_turned_away_total"];

/// Everything that was looked at.
#[derive(Debug, Default)]
pub(super) struct Verdict(Vec<Check>);

#[derive(Debug)]
struct Check {
    name: &'static str,
    found: String,
    is_well: bool,
}

impl Verdict {
    fn add(&mut self, name: &'static str, is_well: bool, found: String) {
        self.0.push(Check { name, found, is_well });
    }

    /// Every job that was submitted is among these: a result that was missing or wrong was an error.
    pub(super) fn jobs(&mut self, finished: &[Finished]) {
        let tasks: u64 = finished.iter().map(|job| job.total).sum();
        let found = format!(
            "{tasks} tasks of {} jobs: each has one result, and the right one",
            finished.len()
        );
        self.add("results", tasks > 0, found);
    }

    pub(super) fn crowd(&mut self, faults: &Faults, tally: &Tally) {
        let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let (left, holding) = (count(&tally.left), count(&tally.left_holding));
        let came = count(&tally.came);
        let found = format!("{came} came, {left} left, {holding} of them in the middle of a lease");
        self.add("workers", came == left && holding > left / 2, found);
        let (resumed, forgotten) = (count(&tally.resumed), count(&tally.forgotten));
        let found = format!("{resumed} came back and went on, {forgotten} were not known any more");
        self.add("sessions", resumed > 0 && forgotten == 0, found);
        let first: String = faults.first.iter().map(|fault| format!("\n    {fault}")).collect();
        let found = format!("{} workers met what they had not deserved{first}", faults.count);
        self.add("faults", faults.count == 0, found);
    }

    pub(super) fn samples(&mut self, samples: &Samples, time: Duration) {
        let after = samples.rate_between(time, WARM, 2.0 * WARM);
        let last = samples.rate_between(time, 1.0 - WARM, f64::INFINITY);
        let rows = samples.rates_after(time, WARM);
        if rows.is_empty() || !after.is_finite() || !last.is_finite() {
            return self.add("samples", false, "the server answered too few requests".to_owned());
        }
        let found = format!(
            "{} tasks/s after the warm-up, {} at the end (at least {} of that); of 10 s each, \
             lowest {}, median {}, highest {}",
            figure(after),
            figure(last),
            RATE_LEFT_MIN,
            figure(rows[0]),
            figure(median(&rows)),
            figure(rows[rows.len() - 1]),
        );
        self.add("rate", last >= after * RATE_LEFT_MIN, found);

        let after = samples.resident_between(time, WARM, 2.0 * WARM);
        let last = samples.resident_between(time, 1.0 - WARM, f64::INFINITY);
        let grown = (last - after) / f64::from(1 << 20);
        let found = format!(
            "{} after the warm-up, {} at the end: {grown:+.1} MiB (at most {}); never above {}",
            mib(after as u64),
            mib(last as u64),
            mib(MEMORY_GROWTH_MAX),
            mib(samples.resident_max()),
        );
        self.add("memory", last - after <= MEMORY_GROWTH_MAX as f64, found);
    }

    pub(super) fn left_behind(&mut self, left: &Left) {
        let waited = left.waited.as_secs_f64();
        let (before, after) = (left.descriptors_before, left.descriptors);
        let found = format!(
            "{before} before the workers came, {after} {waited:.1} s after all had left (at most \
             {DESCRIPTORS_MORE} more)"
        );
        self.add("files", after <= before + DESCRIPTORS_MORE, found);
        let listed = left.workers_listed;
        self.add("list", listed == 0, format!("/api/workers has {listed}"));
        for name in GAUGES.into_iter().chain(COUNTERS) {
            let value = left.metrics.value(name);
            self.add("metrics", value == 0.0, format!("{name} is {value}"));
        }
        let said = |name: &str| figure(left.metrics.value(name));
        let found = format!(
            "{} leases granted, {} expired; {} outcomes were there already",
            said("tequio_leases_granted_total"),
            said("tequio_leases_expired_total"),
            said("tequio_duplicates_dropped_total"),
        );
        self.add("metrics", true, found);
    }

    pub(super) fn kept(&mut self, whole: usize, jobs: usize, listed: usize) {
        let found = format!(
            "killed and started again, the server lists {listed} jobs, {whole} of {jobs} whole"
        );
        self.add("kept", whole == jobs && listed == jobs, found);
    }

    pub(super) fn console(&mut self, complaints: &[String]) {
        let lines: String = complaints.iter().map(|line| format!("\n    {line}")).collect();
        let found = format!("{} errors on the server's console{lines}", complaints.len());
        self.add("console", complaints.is_empty(), found);
    }

    /// Prints all of it, and errs where something is not well.
    pub(super) fn say(&self) -> Result<()> {
        println!();
        for Check { name, found, is_well } in &self.0 {
            let mark = if *is_well { "ok" } else { "FAILED" };
            println!("{mark:>6} {name:<9} {found}");
        }
        let failed: Vec<&str> =
            self.0.iter().filter(|check| !check.is_well).map(|check| check.name).collect();
        if !failed.is_empty() {
            bail!("not all is well: {}", failed.join(", "));
        }
        Ok(())
    }
}
