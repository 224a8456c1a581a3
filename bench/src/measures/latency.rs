//! How long one task takes, from its submission to its result, read back when that is on disk.

use super::ceiling::{self, Shape};
use crate::input;
use crate::measure::{Goal, Measure, Reading, Row, sorted};
use crate::process::Server;
use crate::setting::Setting;
use anyhow::{Context, Result, ensure};
use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use std::time::Instant;
use tequio::store::{NewJob, Recording, SqliteStore, Store};
use tequio_protocol::check::Check;
use tequio_protocol::ids::WorkerId;
use tequio_protocol::outcome::Outcome;
use tokio_tungstenite::connect_async;
use tokio_tungstenite::tungstenite::Message;

pub(super) const MEASURE: Measure = Measure {
    name: "latency",
    rows: &[
        Row {
            id: "latency-p50",
            what: "one task, from its submission to its durable result read back, median",
            against: "a bare round trip and a commit with fsync, median",
            unit: "ms",
            goal: Goal::AtMost(2.0),
        },
        Row {
            id: "latency-p99",
            what: "the same, 99th percentile",
            against: "the same, 99th percentile",
            unit: "ms",
            goal: Goal::AtMost(2.0),
        },
    ],
    rounds_max: u32::MAX,
    round,
};

/// Times that are taken for one figure.
const TIMES: u64 = 400;

fn round(setting: &Setting) -> Result<Vec<Reading>> {
    let runtime = tokio::runtime::Runtime::new()?;
    let bare = runtime.block_on(bare(setting))?;
    let whole = runtime.block_on(whole(setting))?;
    let percentile = |times: &[f64], share: f64| times[((times.len() - 1) as f64 * share) as usize];
    let reading = |share| Reading::new(percentile(&whole, share), percentile(&bare, share));
    Ok(vec![reading(0.5), reading(0.99)])
}

/// A job of one task each, over one HTTP connection, with a native worker waiting.
async fn whole(setting: &Setting) -> Result<Vec<f64>> {
    let server = Server::start(setting)?;
    let _worker = server.work()?;
    let client = reqwest::Client::new();
    let mut times = Vec::new();
    for nth in 0..TIMES {
        let grid = json!({"initial": 1.0000054, "factor": 1.00000043, "times": nth});
        let began = Instant::now();
        let body = json!({"op": "repeat_multiply", "grid": grid});
        let submit = client.post(format!("{}/api/jobs", server.url)).json(&body).send().await?;
        let job: Value = submit.error_for_status()?.json().await?;
        let id = job["id"].as_u64().context("a job has an id")?;
        let results = format!("{}/api/jobs/{id}/results?follow=true", server.url);
        let lines = client.get(results).send().await?.error_for_status()?.text().await?;
        times.push(began.elapsed().as_secs_f64() * 1000.0);
        ensure!(lines.contains("\"result\""), "no result: {lines}");
    }
    // The first ones open connections, and find the worker not yet there.
    Ok(sorted(times.split_off(TIMES as usize / 10)))
}

/// A frame there and back, and one outcome on disk.
async fn bare(setting: &Setting) -> Result<Vec<f64>> {
    let (_server, url) = ceiling::start(Shape::Tasks)?;
    let (mut socket, _) = connect_async(&url).await?;
    let folder = setting.folder()?;
    let store = SqliteStore::open(folder.path())?;
    let grid = serde_json::from_value(
        json!({"initial": 1.0000054, "factor": 1.00000043, "times": "0..1000000"}),
    )?;
    let (op, name) = (input::op().into(), String::new());
    let job = NewJob {
        name,
        op,
        priority: 0,
        grid: Some(grid),
        block: 1,
        check: Check::Auto,
        submitted_at_ms: 0,
    };
    let job = store.create_job(&job)?;
    store.publish(job)?;
    let mut times = Vec::new();
    for first in 0..TIMES {
        let began = Instant::now();
        socket.next().await.context("the ceiling hangs up")??;
        let answer = json!({"type": "result", "task_id": first + 1, "result": 1.5});
        socket.send(Message::text(answer.to_string())).await?;
        store.record(&[Recording {
            job,
            first,
            outcomes: [Outcome::Result("1.5")].into_iter().collect(),
            worker: WorkerId(1),
            agent: "tequio-bench".to_owned(),
            duration_ms: Some(0.01),
            audited: 0,
            recorded_at_ms: 0,
        }])?;
        times.push(began.elapsed().as_secs_f64() * 1000.0);
    }
    Ok(sorted(times.split_off(TIMES as usize / 10)))
}
