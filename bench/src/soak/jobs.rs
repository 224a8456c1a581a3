//! The jobs: one after the other, so that there is always one to work at; and what came of each.

use super::worker::Tally;
use super::{Api, Over};
use crate::input::{self, Input, OP};
use anyhow::{Context, Result, ensure};
use serde::Deserialize;
use std::fmt::Write as _;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tequio_protocol::api::{JobRequest, JobState, JobView};
use tequio_protocol::check::Check;
use tequio_protocol::grid::{Axis, Grid};
use tequio_protocol::ids::JobId;
use tequio_protocol::number::Number;
use tokio::sync::mpsc;
use tokio::sync::watch::Receiver;
use tokio::time::sleep;

/// Values of each axis of a grid: half a million tasks, some seconds of a crowd's work.
const GRID: [u64; 3] = [4, 2, 62_500];

/// Inputs of a job that is a list.
const INPUTS: u64 = 200_000;

/// Values of the longest axis of a grid that is not done before its server is.
const ENDLESS: u64 = 1_000_000_000;

/// Lines of a job beside a flood: its workers do less in the time.
const LINES: u64 = 4_000_000;

/// Every so many jobs, one is a list; the first is, so that a server knows all of its work early.
const LIST_EVERY: u64 = 3;

/// Tasks that are left of all jobs when the next one is submitted: they last until it is there.
const TASKS_LEFT_MIN: u64 = 500_000;

/// How often it is looked.
const POLL: Duration = Duration::from_millis(250);

/// All jobs, in turn.
#[derive(Debug)]
pub(super) struct Jobs {
    api: Api,
    tally: Arc<Tally>,
    submitted: u64,
    running: Vec<(Work, JobView)>,
}

/// A job whose results were read, and were all there and right.
#[derive(Clone, Debug)]
pub(super) struct Finished {
    pub(super) id: JobId,
    pub(super) total: u64,
}

/// What a job computes.
#[derive(Clone, Debug)]
pub(super) enum Work {
    Grid(Grid),
    List {
        /// The start of its inputs' `initial`.
        initial: f64,
        count: u64,
    },
}

impl Jobs {
    pub(super) fn new(api: Api, tally: Arc<Tally>) -> Jobs {
        Jobs { api, tally, submitted: 0, running: Vec::new() }
    }

    /// Submits jobs until it is over; ends when all are done and their results were read. Errs where a
    /// result is missing or wrong.
    pub(super) async fn keep_running(mut self, over: Receiver<Over>) -> Result<Vec<Finished>> {
        let (done, to_check) = mpsc::unbounded_channel();
        let mut checking = tokio::spawn(check(self.api.clone(), self.tally.clone(), to_check));
        loop {
            let is_over = over.borrow().jobs;
            if is_over && self.running.is_empty() {
                drop(done);
                return checking.await?;
            }
            if !is_over && self.tasks_left() < TASKS_LEFT_MIN {
                self.submit().await?;
            }
            tokio::select! {
                () = sleep(POLL) => {}
                // It goes on for as long as jobs come, unless one of them is wrong.
                failed = &mut checking => return failed?,
            }
            self.look(&done).await?;
        }
    }

    fn tasks_left(&self) -> u64 {
        self.running.iter().map(|(_, job)| job.total - job.done).sum()
    }

    async fn submit(&mut self) -> Result<()> {
        let nth = self.submitted;
        let work = Work::nth(nth)?;
        // Later ones wait for earlier ones.
        let job = work.submit(&self.api, -i32::try_from(nth)?).await.context("submitting a job")?;
        ensure!(job.total == work.total(), "{} tasks became {}", work.total(), job.total);
        self.submitted += 1;
        self.running.push((work, job));
        Ok(())
    }

    /// Looks how the jobs are, and has those checked that are done.
    async fn look(&mut self, done: &mpsc::UnboundedSender<(Work, JobView)>) -> Result<()> {
        for (work, mut job) in std::mem::take(&mut self.running) {
            job = self.api.get(&format!("/api/jobs/{}", job.id)).await?;
            if job.state == JobState::Done {
                done.send((work, job)).context("nobody checks results any more")?;
            } else {
                self.running.push((work, job));
            }
        }
        Ok(())
    }
}

/// Reads the results of jobs that are done, one after the other.
async fn check(
    api: Api,
    tally: Arc<Tally>,
    mut done: mpsc::UnboundedReceiver<(Work, JobView)>,
) -> Result<Vec<Finished>> {
    let mut finished = Vec::new();
    while let Some((work, job)) = done.recv().await {
        ensure!(job.failed == 0, "{} tasks of job {} failed", job.failed, job.id);
        work.check(&api, job.id).await.with_context(|| format!("results of job {}", job.id))?;
        tally.jobs_checked.fetch_add(1, Ordering::Relaxed);
        finished.push(Finished { id: job.id, total: job.total });
    }
    Ok(finished)
}

/// One line of results.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    index: u64,
    /// Where its input was, in a job of lines: none of them is skipped here.
    line: Option<u64>,
    result: Number,
}

impl Work {
    /// The `nth` job: none is like another, so that one's results are not taken for another's.
    fn nth(nth: u64) -> Result<Work> {
        let initial = 1.0 + nth as f64 / 1024.0;
        if nth.is_multiple_of(LIST_EVERY) {
            return Ok(Work::List { initial, count: INPUTS });
        }
        let [initials, factors, times] = GRID;
        Work::grid(
            Axis::range(initial, 0.25, initials)?,
            Axis::range(1.000_000_43, 0.000_000_01, factors)?,
            Axis::range(0.0, 1.0, times)?,
        )
    }

    fn grid(initial: Axis, factor: Axis, times: Axis) -> Result<Work> {
        let axes = [("initial", initial), ("factor", factor), ("times", times)];
        let named = axes.map(|(name, axis)| (name.to_owned(), axis));
        Ok(Work::Grid(Grid::new(named.into())?))
    }

    /// A grid that lasts for hours.
    pub(super) fn endless() -> Result<Work> {
        Work::grid(
            Axis::range(1.0, 0.25, 4)?,
            Axis::range(1.000_000_43, 0.000_000_01, 2)?,
            Axis::range(0.0, 1.0, ENDLESS)?,
        )
    }

    /// Lines that last for as long as a flood.
    pub(super) fn lines() -> Work {
        Work::List { initial: 1.0, count: LINES }
    }

    fn total(&self) -> u64 {
        match self {
            Work::Grid(grid) => grid.total(),
            Work::List { count, .. } => *count,
        }
    }

    fn input(&self, index: u64) -> Input {
        match self {
            Work::Grid(grid) => {
                let mut values = grid.values(index);
                // Its axes are in this order.
                let [initial, factor, times] = [(); 3].map(|()| values.next().unwrap_or_default());
                Input { initial, factor, times: times as u64 }
            }
            Work::List { initial, .. } => {
                let initial = initial + index as f64 / 1e6;
                Input { initial, factor: 1.000_000_43, times: index }
            }
        }
    }

    pub(super) async fn submit(&self, api: &Api, priority: i32) -> Result<JobView> {
        let to = format!("{}/api/jobs", api.url);
        let request = match self {
            Work::Grid(grid) => {
                let grid = grid.clone();
                let op = input::op().into();
                let check = Check::Auto;
                let job =
                    JobRequest { op, grid, name: None, priority, block: None, data: None, check };
                api.client.post(to).json(&job)
            }
            Work::List { .. } => {
                let mut lines = String::new();
                for index in 0..self.total() {
                    writeln!(lines, "{}", serde_json::to_string(&self.input(index))?)?;
                }
                api.client.post(format!("{to}?op={OP}&priority={priority}")).body(lines)
            }
        };
        Ok(request.send().await?.error_for_status()?.json().await?)
    }

    /// Compares each line of the results with what is right: every index once, in order.
    async fn check(&self, api: &Api, id: JobId) -> Result<()> {
        let mut answer = api.response(&format!("/api/jobs/{id}/results")).await?;
        let (mut rest, mut next) = (Vec::new(), 0);
        while let Some(chunk) = answer.chunk().await? {
            rest.extend_from_slice(&chunk);
            let whole = rest.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
            for line in rest[..whole].split_inclusive(|byte| *byte == b'\n') {
                self.check_line(next, line)?;
                next += 1;
            }
            rest.drain(..whole);
        }
        ensure!(rest.is_empty(), "they end in the middle of a line");
        ensure!(next == self.total(), "there are {next}, and not {}", self.total());
        Ok(())
    }

    /// Looks at every result that is recorded of a job; gives how many are wrong, and how many there are.
    pub(super) async fn wrong_results(&self, api: &Api, id: JobId) -> Result<(u64, u64)> {
        let mut answer = api.response(&format!("/api/jobs/{id}/results")).await?;
        let (mut rest, mut wrong, mut all) = (Vec::new(), 0, 0);
        while let Some(chunk) = answer.chunk().await? {
            rest.extend_from_slice(&chunk);
            let whole = rest.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
            for line in rest[..whole].split_inclusive(|byte| *byte == b'\n') {
                all += 1;
                let Ok(Line { index, result, .. }) = serde_json::from_slice(line) else {
                    wrong += 1;
                    continue;
                };
                let right = Number(self.input(index).compute());
                wrong += u64::from(!result.same_bits(right));
            }
            rest.drain(..whole);
        }
        Ok((wrong, all))
    }

    fn check_line(&self, index: u64, line: &[u8]) -> Result<()> {
        let said = || String::from_utf8_lossy(line).trim().to_owned();
        ensure!(index < self.total(), "one more than there are tasks: {}", said());
        let read: Line = serde_json::from_slice(line)
            .with_context(|| format!("no result of task {index}: {}", said()))?;
        let right = Number(self.input(index).compute());
        ensure!(
            read.line.is_none_or(|line| line == index + 1),
            "task {index} is of another line: {}",
            said(),
        );
        ensure!(
            read.index == index && read.result.same_bits(right),
            "task {index} comes to {right}, and not {}",
            said(),
        );
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_right_line_is_right() {
        let work = Work::nth(0).unwrap();
        let right = work.input(7).compute();
        let line = |index: u64, result: f64| format!("{{\"index\":{index},\"result\":{result}}}\n");
        work.check_line(7, line(7, right).as_bytes()).unwrap();
        work.check_line(7, line(8, right).as_bytes()).unwrap_err();
        let of_line = |line: u64| format!("{{\"index\":7,\"line\":{line},\"result\":{right}}}\n");
        work.check_line(7, of_line(8).as_bytes()).unwrap();
        work.check_line(7, of_line(7).as_bytes()).unwrap_err();
        work.check_line(7, line(7, right.next_up()).as_bytes()).unwrap_err();
        work.check_line(7, b"{\"index\":7,\"error\":\"no\"}\n").unwrap_err();
        work.check_line(INPUTS, line(INPUTS, right).as_bytes()).unwrap_err();
    }
}
