//! The scheduler alone, in this process: it lends and takes whole leases, over and over, with so many
//! workers entered.

use crate::input;
use crate::measure::{Goal, Measure, Reading, Row};
use crate::setting::Setting;
use anyhow::{Context, Result, anyhow};
use std::hint::black_box;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tequio_protocol::check::Check;
use tequio_protocol::grid::Grid;
use tequio_protocol::ids::{JobId, LeaseId, WorkerId};
use tequio_protocol::limits::{LEASE_TARGET, LEASE_TASKS_MAX};
use tequio_protocol::outcome::{Outcome, Outcomes};
use tequio_scheduler::{Grant, Inputs, Intervals, JobSpec, Mode, Origin, Scheduler, Skills};

pub(super) const MEASURE: Measure = Measure {
    name: "scheduler",
    rows: &[
        Row {
            id: "scheduler",
            what: "scheduler alone, 1,000 workers: a lease granted and taken back whole",
            against: "a million a second",
            unit: "leases/s",
            goal: Goal::AtLeast(1.0),
        },
        Row {
            id: "scheduler-100k",
            what: "the same with 100,000 workers",
            against: "with 1,000",
            unit: "ns a lease",
            goal: Goal::AtMost(1.5),
        },
        Row {
            id: "scheduler-1m",
            what: "the same with 1,000,000 workers",
            against: "with 1,000",
            unit: "ns a lease",
            goal: Goal::AtMost(1.5),
        },
    ],
    rounds_max: u32::MAX,
    round,
};

/// Leases that are lent and taken for one figure.
const LEASES: u32 = 1_000_000;

fn round(_: &Setting) -> Result<Vec<Reading>> {
    let few = lease_ns(1_000)?;
    let many = lease_ns(100_000)?;
    let most = lease_ns(1_000_000)?;
    Ok(vec![Reading::new(1e9 / few, 1e6), Reading::new(many, few), Reading::new(most, few)])
}

/// What one lease costs, in nanoseconds: one task of a grid, answered by the worker that waited the
/// longest. Every worker holds all the leases that it may, so that each answer makes room for a grant.
fn lease_ns(workers: u64) -> Result<f64> {
    // As slow as a lease's target, so that the next lease is one task as well.
    let mut lender = Lender::new(workers, 1_000_000_000, LEASE_TARGET)?;
    let mut out = std::collections::VecDeque::new();
    while let Some(grant) = lender.lend() {
        out.push_back(grant);
    }
    let mut turn = |count: u32| -> Result<()> {
        for _ in 0..count {
            let grant = out.pop_front().context("nothing is out")?;
            lender.take(&grant)?;
            out.push_back(lender.lend().context("nothing is lent")?);
        }
        Ok(())
    };
    // Caches and trees are as they stay.
    turn(LEASES / 10)?;
    let began = Instant::now();
    turn(LEASES)?;
    Ok(began.elapsed().as_secs_f64() * 1e9 / f64::from(LEASES))
}

/// A scheduler with one job, whose tasks all come to 1, and time that goes on with each answer.
pub(super) struct Lender {
    scheduler: Scheduler,
    grid: Arc<Grid>,
    /// What workers say that a task takes.
    task: Duration,
    now: Duration,
    results: Outcomes,
    /// As many of them as were sent last.
    answer: Outcomes,
}

impl Lender {
    /// With workers of one slot, in lease mode.
    pub(super) fn new(workers: u64, tasks: u64, task: Duration) -> Result<Lender> {
        let grid = format!(r#"{{"initial":1,"factor":1,"times":"0..{tasks}"}}"#);
        let grid: Arc<Grid> = Arc::new(serde_json::from_str(&grid)?);
        let mut scheduler = Scheduler::new(LeaseId(1), 7);
        let spec = JobSpec {
            op: input::op(),
            total: tasks,
            block: 1,
            check: Check::Auto,
            priority: 0,
            lease_tasks_max: LEASE_TASKS_MAX,
            is_open: false,
            is_paused: false,
            settled: Intervals::default(),
        };
        scheduler.add_job(JobId(1), spec);
        let here = Origin::from(IpAddr::from(Ipv4Addr::LOCALHOST));
        let skills = Skills::named([input::OP]);
        for id in 1..=workers {
            scheduler.add_worker(WorkerId(id), here, Mode::Lease, skills, 1, Duration::ZERO);
        }
        let one = |_| Outcome::Result("1.0");
        let results: Outcomes = (0..LEASE_TASKS_MAX).map(one).collect();
        let answer = results.slice(0..1);
        Ok(Lender { scheduler, grid, task, now: Duration::ZERO, results, answer })
    }

    /// What the dispatcher does to lend something, but for sending it.
    pub(super) fn lend(&mut self) -> Option<Grant> {
        let grant = self.scheduler.grant(self.now)?;
        self.scheduler.set_inputs(grant.lease, Inputs::Grid(self.grid.clone()));
        Some(grant)
    }

    /// The whole answer to what was lent; gives its number of tasks.
    pub(super) fn take(&mut self, grant: &Grant) -> Result<u64> {
        let Grant { worker, lease, range, .. } = grant;
        let tasks = range.end - range.start;
        let duration = self.task.saturating_mul(tasks as u32);
        // Nobody is late: each answer comes when it is due.
        self.now += duration;
        if self.answer.len() != tasks {
            self.answer = self.results.slice(0..tasks as usize);
        }
        let results = self.answer.clone();
        let taken =
            self.scheduler.results(*worker, *lease, range.start, results, Some(duration), self.now);
        let taken = taken.map_err(|refusal| anyhow!("refused: {}", refusal.reason))?;
        black_box(taken.fresh);
        // As the dispatcher does before it lends.
        black_box(self.scheduler.drain_revoked());
        Ok(tasks)
    }
}
