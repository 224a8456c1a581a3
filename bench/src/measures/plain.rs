//! Plain mode: clients that take one task at a time, the ceiling's own.

use super::ceiling::{self, Shape};
use crate::measure::{Goal, Measure, Reading, Row};
use crate::process::Server;
use crate::setting::Setting;
use anyhow::Result;
use std::time::Duration;

pub(super) const MEASURE: Measure = Measure {
    name: "plain",
    rows: &[Row {
        id: "plain",
        what: "plain mode, one task a frame, on disk, 64 connections",
        against: "bare exchange of one task a frame, 64 connections",
        unit: "tasks/s",
        goal: Goal::AtLeast(0.5),
    }],
    rounds_max: u32::MAX,
    round,
};

const TIME: Duration = Duration::from_secs(4);
const CONNECTIONS: usize = 64;

/// Processes that hold them: one would be the bottleneck of both.
const CLIENTS: usize = 2;

fn round(setting: &Setting) -> Result<Vec<Reading>> {
    let against = ceiling::rate(Shape::Tasks, CLIENTS, CONNECTIONS, TIME)?;
    let server = Server::start(setting)?;
    let grid = ["--initial", "1.0000054", "--factor", "1.00000043", "--times", "0..1000000000"];
    server.run(&[["submit", "repeat_multiply"].as_slice(), &grid].concat())?;
    let clients: Result<Vec<_>> =
        (0..CLIENTS).map(|_| ceiling::client(&server.socket(), CONNECTIONS / CLIENTS)).collect();
    let _clients = clients?;
    let rate = tokio::runtime::Runtime::new()?.block_on(server.rate(1, 10_000, TIME))?;
    Ok(vec![Reading::new(rate, against)])
}
