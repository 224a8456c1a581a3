//! Sweeps that make the page move, for `serve --demo`: one after the other for as long as the server
//! runs, each as large as what computes it can do in some seconds. What is over is removed, so that
//! a demo may run for ever.

use crate::dispatcher::{ChangeError, Dispatcher, Progress};
use crate::store::{NewJob, StoreError};
use crate::wall_clock;
use std::collections::VecDeque;
use std::f64::consts::TAU;
use std::time::Duration;
use tequio_protocol::api::JobState;
use tequio_protocol::check::Check;
use tequio_protocol::grid::{Axis, Grid, GridError};
use tequio_protocol::ids::JobId;
use tequio_protocol::op::OpId;
use tokio::sync::watch;
use tokio::time::Instant;
use tracing::error;

/// What a sweep computes.
const OP: &str = "repeat_multiply";

/// Sweeps that are computed at once: two, so that one sees them take turns.
const SWEEPS_MAX: usize = 2;

/// Sweeps that are kept when they are over, for somebody to look at their results.
const OVER_MAX: usize = 2;

/// The pause between two submissions, at least: with many workers a sweep is over at once, and a
/// page on which jobs fly by shows nothing.
const INTERVAL: Duration = Duration::from_secs(4);

/// How long a sweep is to be computed.
const SWEEP: Duration = Duration::from_secs(12);

/// Tasks of the first sweep, of which nobody knows how long it takes.
const TASKS_FIRST: u64 = 50_000;

/// Tasks of a sweep, at most: of all that are kept there are four times as many results, of 8 bytes
/// each.
const TASKS_MAX: u64 = 10_000_000;

/// Arcs of which the picture of a sweep's results consists.
const ARCS: u32 = 5;

/// Points of the picture's wave.
const WAVE_POINTS: u32 = 240;

/// Submits sweeps for as long as it is polled.
pub async fn run(dispatcher: Dispatcher) {
    // A server that has stopped needs no more of them.
    if let Err(error) = Demo::new(dispatcher).go_on().await {
        error!("the demo has ended: {error}");
    }
}

struct Demo {
    dispatcher: Dispatcher,
    running: Vec<Running>,
    /// Those that are over, the oldest first.
    over: VecDeque<JobId>,
    submitted: usize,
    /// Tasks of the next sweep.
    tasks: u64,
}

struct Running {
    id: JobId,
    tasks: u64,
    submitted: Instant,
    /// When it was seen first that a result was on disk.
    began: Option<Instant>,
    progress: watch::Receiver<Progress>,
}

impl Demo {
    fn new(dispatcher: Dispatcher) -> Demo {
        let (running, over) = (Vec::new(), VecDeque::new());
        Demo { dispatcher, running, over, submitted: 0, tasks: TASKS_FIRST }
    }

    async fn go_on(&mut self) -> Result<(), ChangeError> {
        loop {
            self.submit().await?;
            let next = Instant::now() + INTERVAL;
            while self.running.len() >= SWEEPS_MAX || Instant::now() < next {
                tokio::select! {
                    () = self.change() => self.look().await?,
                    () = tokio::time::sleep_until(next), if self.running.len() < SWEEPS_MAX => {}
                }
            }
        }
    }

    async fn submit(&mut self) -> Result<(), ChangeError> {
        let (name, grid) = sweep(self.submitted, self.tasks);
        let total = grid.total();
        let job = NewJob {
            name: name.to_owned(),
            op: OpId::new(OP),
            priority: 0,
            grid: Some(grid),
            block: 1,
            check: Check::Auto,
            submitted_at_ms: wall_clock::unix_ms(),
        };
        let id = self.dispatcher.submit(job).await?;
        self.submitted += 1;
        if let Some(progress) = self.dispatcher.follow(id).await? {
            let submitted = Instant::now();
            self.running.push(Running { id, tasks: total, submitted, began: None, progress });
        }
        Ok(())
    }

    /// Waits until something of a sweep is recorded, or one is over.
    async fn change(&mut self) {
        if self.running.is_empty() {
            return std::future::pending().await;
        }
        let changes = self.running.iter_mut().map(|sweep| Box::pin(sweep.progress.changed()));
        // That somebody has removed one is a change too.
        futures_util::future::select_all(changes).await.0.ok();
    }

    /// Takes those that are over from those that are computed, and removes what is too old.
    async fn look(&mut self) -> Result<(), ChangeError> {
        for sweep in std::mem::take(&mut self.running) {
            match self.look_at(sweep) {
                Looked::Goes(sweep) => self.running.push(sweep),
                Looked::IsOver(id) => self.over.push_back(id),
            }
        }
        while self.over.len() > OVER_MAX
            && let Some(id) = self.over.pop_front()
        {
            match self.dispatcher.remove(id).await {
                // Somebody else has removed it.
                Ok(())
                | Err(ChangeError::Control(_) | ChangeError::Store(StoreError::NoSuchJob(_))) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    fn look_at(&mut self, mut sweep: Running) -> Looked {
        let progress = *sweep.progress.borrow_and_update();
        let is_gone = sweep.progress.has_changed().is_err();
        if progress.state == JobState::Done {
            // What is over at the first look began when it was submitted.
            let began = sweep.began.unwrap_or(sweep.submitted);
            self.tasks = tasks_for(sweep.tasks, began.elapsed());
        }
        if progress.state.is_over() || is_gone {
            return Looked::IsOver(sweep.id);
        }
        if progress.recorded > 0 {
            sweep.began.get_or_insert_with(Instant::now);
        }
        Looked::Goes(sweep)
    }
}

enum Looked {
    Goes(Running),
    IsOver(JobId),
}

/// How many tasks take [`SWEEP`], where `tasks` took `time`.
fn tasks_for(tasks: u64, time: Duration) -> u64 {
    let tasks = tasks as f64 * SWEEP.as_secs_f64() / time.as_secs_f64().max(0.001);
    (tasks as u64).clamp(TASKS_FIRST, TASKS_MAX)
}

/// The `nth` sweep, of about so many tasks: its name, and a grid whose results are a picture.
fn sweep(nth: usize, tasks: u64) -> (&'static str, Grid) {
    let arcs = 1..=ARCS;
    let (name, grid) = match nth % 4 {
        0 => ("Growth", arched(tasks, arcs.map(|arc| 0.5 * f64::from(arc)), 1.0)),
        1 => ("Tides", waved(tasks)),
        2 => ("Half-lives", arched(tasks, arcs.map(|arc| -0.8 * f64::from(arc)), 1.0)),
        _ => ("Echoes", arched(tasks, arcs.map(|arc| -0.6 * f64::from(arc)), -1.0)),
    };
    (name, grid.expect("the axes of a sweep are in range"))
}

/// One arc for each exponent: along it the value goes from 1 to the power of e with that exponent,
/// its sign turning each time where `sign` is -1.
fn arched(tasks: u64, exponents: impl Iterator<Item = f64>, sign: f64) -> Result<Grid, GridError> {
    let times = tasks / u64::from(ARCS);
    let factors = exponents.map(|exponent| sign * (exponent / times as f64).exp()).collect();
    grid(Axis::value_of(1.0)?, Axis::list(factors)?, times)
}

/// A wave that swells and calms down.
fn waved(tasks: u64) -> Result<Grid, GridError> {
    let point = |at: u32| f64::from(at) / f64::from(WAVE_POINTS);
    let height = |at: f64| (TAU * at / 2.0).sin() * (5.0 * TAU * at).sin();
    let wave = (0..WAVE_POINTS).map(|at| height(point(at))).collect();
    let times = tasks / u64::from(WAVE_POINTS);
    let factor = (0.4 / times as f64).exp();
    grid(Axis::list(wave)?, Axis::value_of(factor)?, times)
}

/// From no times on to so many.
fn grid(initial: Axis, factor: Axis, times: u64) -> Result<Grid, GridError> {
    let axes = [("initial", initial), ("factor", factor), ("times", Axis::range(0.0, 1.0, times)?)];
    Grid::new(axes.map(|(name, axis)| (name.to_owned(), axis)).into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use tequio_protocol::op::{self, Computed, Inputs};

    #[test]
    fn every_sweep_has_about_its_tasks_and_finite_results() {
        for tasks in [TASKS_FIRST, 123_457, TASKS_MAX] {
            for nth in 0..4 {
                let (name, grid) = sweep(nth, tasks);
                let total = grid.total();
                assert!(total <= tasks && total > tasks - 1000, "{name}: {total} of {tasks}");
                let op = op::named(OP).unwrap();
                grid.check(op.params()).unwrap();
                // Along an arc or a wave a value goes one way: it is largest at an end.
                let row = grid.axes().last().map_or(1, |(_, axis)| axis.len());
                for end in (0..total).filter(|index| index % row == 0 || index % row == row - 1) {
                    let mut computed = Computed::with_capacity(1);
                    op.compute(end..end + 1, Inputs::Grid(&grid), &mut computed);
                    let result = computed.into_outcomes().unwrap().get(0).show();
                    assert!(result.parse::<f64>().is_ok_and(f64::is_finite), "{name}: {result}");
                }
            }
        }
    }

    #[test]
    fn a_sweep_is_as_large_as_the_last_one_was_fast() {
        let second = Duration::from_secs(1);
        assert_eq!(tasks_for(60_000, SWEEP), 60_000);
        assert_eq!(tasks_for(60_000, SWEEP / 2), 120_000);
        assert_eq!(tasks_for(60_000, Duration::ZERO), TASKS_MAX);
        assert_eq!(tasks_for(60_000, 1000 * second), TASKS_FIRST);
    }
}
