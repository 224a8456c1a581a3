//! Tasks that last, and workers that have shown nothing yet: all that they answer is to be audited, and the
//! server has no time for that.
//!
//! The op is one that takes as long as it is told to, of a server for tests only.

use crate::measure::{Goal, Measure, Reading, Row};
use crate::metrics::Metrics;
use crate::process::{Process, Server};
use crate::setting::Setting;
use crate::tools;
use anyhow::Result;
use std::time::{Duration, Instant};
use tequio_protocol::limits::AUDIT_SAVED_MAX;

pub(super) const MEASURE: Measure = Measure {
    name: "judging",
    rows: &[
        Row {
            id: "judging",
            what: "tasks of 250 ms, 8 native workers of one slot, newcomers all the time",
            against: "what they compute: 8 × 4",
            unit: "tasks/s",
            goal: Goal::AtLeast(0.9),
        },
        Row {
            id: "judging-core",
            what: "the same",
            against: "a server that computes each of them again before it goes on: 4 (not measured)",
            unit: "tasks/s",
            goal: Goal::AtLeast(4.0),
        },
        Row {
            id: "judging-turn",
            what: "the dispatcher's longest turn meanwhile, up to its bucket's end",
            against: "5 ms",
            unit: "ms",
            goal: Goal::AtMost(1.0),
        },
        Row {
            id: "judging-claims",
            what: "claims that wait for a verdict meanwhile, at most",
            against: "audits of as long that a server may owe",
            unit: "claims",
            goal: Goal::AtMost(1.0),
        },
    ],
    rounds_max: 1,
    round,
};

/// What a task takes.
const TASK: Duration = Duration::from_millis(250);

const WORKERS: usize = 8;

/// What is not counted: a server saves time for audits while it has nothing to do, and spends it first.
const WARM: Duration = Duration::from_secs(30);

const TIME: Duration = Duration::from_secs(20);

/// How often `/metrics` is looked at.
const LOOK: Duration = Duration::from_millis(250);

fn round(setting: &Setting) -> Result<Vec<Reading>> {
    let setting = Setting { tequio: tools::test_ops(setting)?, ..setting.clone() };
    let server = Server::start(&setting)?;
    let ms = format!("ms={}", TASK.as_millis());
    server.run(&["submit", "sleep", "n=0..1000000", &ms])?;
    let _workers: Vec<Process> = (0..WORKERS).map(|_| server.work()).collect::<Result<_>>()?;
    tokio::runtime::Runtime::new()?.block_on(watch(&server))
}

async fn watch(server: &Server) -> Result<Vec<Reading>> {
    let client = reqwest::Client::new();
    let recorded = |metrics: &Metrics| metrics.value("tequio_tasks_recorded_total");
    let (began, mut claims) = (Instant::now(), 0.0_f64);
    let mut warm = None;
    let (rate, turn) = loop {
        let metrics = server.metrics(&client).await?;
        claims = claims.max(metrics.value("tequio_claims_waiting"));
        let (since, before) = match warm {
            Some(warm) => warm,
            None if began.elapsed() < WARM => (Instant::now(), 0.0),
            None => *warm.insert((Instant::now(), recorded(&metrics))),
        };
        if since.elapsed() >= TIME {
            let rate = (recorded(&metrics) - before) / since.elapsed().as_secs_f64();
            break (rate, metrics.most("tequio_dispatcher_turn_seconds"));
        }
        tokio::time::sleep(LOOK).await;
    };
    let task_s = TASK.as_secs_f64();
    Ok(vec![
        Reading::new(rate, WORKERS as f64 / task_s),
        Reading::new(rate, 1.0 / task_s),
        Reading::new(turn * 1000.0, 5.0),
        Reading::new(claims, AUDIT_SAVED_MAX.as_secs_f64() / task_s),
    ])
}
