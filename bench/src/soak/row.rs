//! What a flood came to: a row of the table, and whether it was held.

use super::floods::Flood;
use super::honest::Waits;
use super::siege::{Met, Pace};
use super::{Complaints, mib};
use crate::report::figure;
use std::time::Duration;

/// The memory that a server may have in use with 10,000 idle workers, whatever is done to it.
const MEMORY_MAX: u64 = 256 << 20;

/// What it may keep after a flood of what it had not before: its caches, and what its allocator does not
/// give back.
pub(super) const KEPT_MAX: u64 = 48 << 20;

/// Threads of a server at any moment: those of its runtime, one for each core, the store's, and as many
/// as read the store for answers. A thread for each peer would be hundreds.
const THREADS_MAX: u64 = 64;

/// Bytes of log beside a flood: 10,000 lines say what there is to say of it.
const LOG_BYTES_MAX: u64 = 1 << 20;

/// The share of recorded results that may be wrong, and the share of tasks that may end as errors, where
/// three workers in ten lie.
const WRONG_SHARE_MAX: f64 = 0.001;

/// What an honest client waits at its 99th percentile, at most: the aim.
const WAIT_AIM: Duration = Duration::from_millis(100);

/// What it may wait longer than before the flood without a failure of the soak. On a machine of few cores
/// the flood and the workers take turns with the server, and whatever else runs there does: so a wait of
/// some scheduler's turns says nothing. What was met on a server without bounds was 1 to 4 s.
const WAIT_MORE_MAX: Duration = Duration::from_millis(500);

/// What is recorded beside a flood, as a part of what was recorded before it: work goes on. The cores are
/// shared with the flood, so there is less of it.
const RATE_LEFT_MIN: f64 = 0.2;

/// The longest time in which nothing may be seen to be recorded. Workers say what they have each half
/// second, or each second after a lease.
const STOOD_STILL_MAX: Duration = Duration::from_secs(3);

/// How long a server that is asked to end may take: all connections have the time for one close
/// (`CLOSE_TIMEOUT`), and the store has some more.
const END_MAX: Duration = Duration::from_secs(5);

/// Faults of one kind that are told one by one.
const FAULTS_TOLD: usize = 3;

/// What a flood came to.
#[derive(Debug, Default)]
pub(super) struct Row {
    pub(super) name: &'static str,
    pub(super) memory_before: u64,
    pub(super) memory_peak: u64,
    /// After all are gone.
    pub(super) memory_after: u64,
    pub(super) threads: u64,
    pub(super) log_bytes: u64,
    pub(super) before: Pace,
    pub(super) during: Pace,
    pub(super) waits_before: Waits,
    pub(super) waits: Waits,
    /// The share of recorded results that are wrong, where that was looked at.
    pub(super) wrong_share: Option<f64>,
    /// The share of tasks that ended as errors: none of them has a reason to.
    pub(super) failed_share: f64,
    /// How long the server took to end, where it was asked to beside the flood.
    pub(super) end: Option<Duration>,
    /// What the flood says of itself.
    pub(super) toll: String,
    /// What should not have been, in words.
    pub(super) faults: Vec<String>,
}

impl Row {
    pub(super) fn of(flood: &Flood) -> Row {
        Row { name: flood.name, ..Row::default() }
    }

    pub(super) fn note_workers(&mut self, met: Met) {
        let Met { faults, resumed: _, forgotten } = met;
        if !faults.is_empty() {
            let first = faults[..faults.len().min(FAULTS_TOLD)].join("; ");
            self.faults.push(format!("{} honest workers were turned away: {first}", faults.len()));
        }
        if forgotten > 0 {
            self.faults.push(format!("{forgotten} honest workers came back and were not known"));
        }
    }

    pub(super) fn console(&mut self, complaints: &Complaints) {
        let lines = complaints.lines();
        if let Some(first) = lines.first() {
            self.faults.push(format!("{} errors on the console: {first}", lines.len()));
        }
    }

    /// Why the flood was not held, in words.
    pub(super) fn failures(&self) -> Vec<String> {
        let mut failures = self.faults.clone();
        let mut check = |is_well: bool, found: String| {
            if !is_well {
                failures.push(found);
            }
        };
        let (peak, after) = (self.memory_peak, self.memory_after);
        check(peak <= MEMORY_MAX, format!("{} of memory (at most {})", mib(peak), mib(MEMORY_MAX)));
        let kept = after.saturating_sub(self.memory_before);
        let found = format!("{} were not given back (at most {})", mib(kept), mib(KEPT_MAX));
        check(kept <= KEPT_MAX, found);
        let threads = self.threads;
        check(threads <= THREADS_MAX, format!("{threads} threads (at most {THREADS_MAX})"));
        let (log, log_max) = (mib(self.log_bytes), mib(LOG_BYTES_MAX));
        check(self.log_bytes <= LOG_BYTES_MAX, format!("{log} of log (at most {log_max})"));
        for (share, what) in [
            (self.wrong_share.unwrap_or_default(), "results that are recorded are wrong"),
            (self.failed_share, "tasks ended as errors"),
        ] {
            let found = format!("{} of {what} (at most {})", part(share), part(WRONG_SHARE_MAX));
            check(share <= WRONG_SHARE_MAX, found);
        }
        let (before, wait) = (self.waits_before.percentile(99), self.waits.percentile(99));
        let found = format!("an honest client waits {wait:.0?}, and {before:.0?} before");
        check(wait <= before + WAIT_MORE_MAX, found);
        let (faults, asked) = (self.waits.faults, self.waits.count());
        let first = self.waits.first.join("; ");
        check(faults == 0, format!("{faults} of {asked} honest questions failed: {first}"));
        let found = format!("{} of the work went on", part(self.rate_left()));
        check(self.rate_left() >= RATE_LEFT_MIN, found);
        let still = self.during.stood_still;
        check(still <= STOOD_STILL_MAX, format!("nothing was recorded for {still:.1?}"));
        if let Some(end) = self.end {
            check(end <= END_MAX, format!("the server took {end:.1?} to end"));
        }
        failures
    }

    fn rate_left(&self) -> f64 {
        self.during.tasks_a_second / self.before.tasks_a_second
    }

    pub(super) fn print_head() {
        println!(
            "\n{:<11} {:>9} {:>9} {:>9} {:>7} {:>9} {:>9} {:>6} {:>6} {:>7} {:>7} {:>7} {:>7}  what came of it",
            "flood",
            "before",
            "peak",
            "after",
            "threads",
            "log",
            "tasks/s",
            "left",
            "still",
            "p50",
            "p99",
            "wrong",
            "end",
        );
    }

    /// Prints it, and what is not well about it.
    pub(super) fn print(&self) {
        let ms = |wait: Duration| format!("{:.0} ms", wait.as_secs_f64() * 1000.0);
        let wrong = self.wrong_share.unwrap_or(self.failed_share);
        println!(
            "{:<11} {:>9} {:>9} {:>9} {:>7} {:>9} {:>9} {:>6} {:>6} {:>7} {:>7} {:>7} {:>7}  {}",
            self.name,
            mib(self.memory_before),
            mib(self.memory_peak),
            if self.end.is_some() { String::new() } else { mib(self.memory_after) },
            self.threads,
            format!("{} kB", self.log_bytes / 1000),
            figure(self.during.tasks_a_second),
            format!("{:.0} %", self.rate_left() * 100.0),
            format!("{:.1} s", self.during.stood_still.as_secs_f64()),
            ms(self.waits.percentile(50)),
            ms(self.waits.percentile(99)),
            part(wrong),
            self.end.map(|end| format!("{:.1} s", end.as_secs_f64())).unwrap_or_default(),
            self.toll,
        );
        if self.waits.percentile(99) > WAIT_AIM {
            println!("       note  the aim is to wait {WAIT_AIM:?} at most");
        }
        for failure in self.failures() {
            println!("     FAILED  {failure}");
        }
    }
}

/// A share, for people.
fn part(share: f64) -> String {
    format!("{:.2} %", share * 100.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn held() -> Row {
        let pace = Pace { tasks_a_second: 1000.0, stood_still: Duration::from_secs(1) };
        Row { before: pace, during: pace, ..Row::default() }
    }

    #[test]
    fn a_row_within_its_bounds_has_no_failure_and_one_beyond_each_has_one() {
        assert_eq!(held().failures(), Vec::<String>::new());
        let still = Pace { stood_still: STOOD_STILL_MAX * 2, ..held().during };
        let slow = Pace { tasks_a_second: 1.0, ..held().during };
        for row in [
            Row { memory_peak: MEMORY_MAX + 1, ..held() },
            Row { memory_after: KEPT_MAX + 1, ..held() },
            Row { threads: THREADS_MAX + 1, ..held() },
            Row { log_bytes: LOG_BYTES_MAX + 1, ..held() },
            Row { wrong_share: Some(0.01), ..held() },
            Row { failed_share: 0.01, ..held() },
            Row { waits: Waits { faults: 1, ..Waits::default() }, ..held() },
            Row { during: still, ..held() },
            Row { during: slow, ..held() },
            Row { end: Some(END_MAX * 2), ..held() },
            Row { faults: vec!["lost".to_owned()], ..held() },
        ] {
            assert_eq!(row.failures().len(), 1, "{row:?}");
        }
    }
}
