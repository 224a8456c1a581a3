//! Lease mode: two native workers of one slot, and a job on disk.

use super::ceiling::{self, LEASE_TASKS, Shape};
use crate::input::Input;
use crate::measure::{Goal, Measure, Reading, Row};
use crate::process::{Process, Server};
use crate::setting::Setting;
use anyhow::Result;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::time::Duration;

pub(super) const MEASURE: Measure = Measure {
    name: "lease",
    rows: &[
        Row {
            id: "lease-inputs",
            what: "lease mode, inputs sent, on disk, 2 native workers",
            against: "bare exchange of 1,024 tasks a frame, 2 clients",
            unit: "tasks/s",
            goal: Goal::AtLeast(0.5),
        },
        Row {
            id: "lease-grid",
            what: "lease mode, grid, on disk, 2 native workers",
            against: "the same",
            unit: "tasks/s",
            goal: Goal::AtLeast(0.8),
        },
    ],
    rounds_max: u32::MAX,
    round,
};

/// What each part is measured for.
const TIME: Duration = Duration::from_secs(4);

/// Tasks of the job whose inputs are sent: more than are done in [`TIME`].
const INPUTS: u64 = 16_000_000;

/// Workers, and clients of the ceiling.
const WORKERS: usize = 2;

fn round(setting: &Setting) -> Result<Vec<Reading>> {
    let against = ceiling::rate(Shape::Leases, WORKERS, WORKERS, TIME)?;
    let inputs = inputs(setting)?;
    let grid = grid(setting)?;
    Ok(vec![Reading::new(inputs, against), Reading::new(grid, against)])
}

fn inputs(setting: &Setting) -> Result<f64> {
    let server = Server::start(setting)?;
    submit_inputs(setting, &server, INPUTS)?;
    rate(&server)
}

pub(super) fn grid(setting: &Setting) -> Result<f64> {
    let server = Server::start(setting)?;
    submit_grid(&server)?;
    rate(&server)
}

/// A job of so many inputs, each sent.
pub(super) fn submit_inputs(setting: &Setting, server: &Server, count: u64) -> Result<()> {
    let path = setting.cache.join(format!("inputs-{count}.jsonl"));
    if !path.exists() {
        write_inputs(&path, count)?;
    }
    server.run(&["submit", "repeat_multiply", "--input", &path.to_string_lossy()]).map(drop)
}

/// A job that never ends, whose workers make their inputs.
pub(super) fn submit_grid(server: &Server) -> Result<()> {
    let grid = ["--initial", "1.0000054", "--factor", "1.00000043", "--times", "0..1000000000"];
    server.run(&[["submit", "repeat_multiply"].as_slice(), &grid].concat()).map(drop)
}

fn rate(server: &Server) -> Result<f64> {
    let _workers: Vec<Process> = (0..WORKERS).map(|_| server.work()).collect::<Result<_>>()?;
    // Leases have grown to their size by then.
    let warm = LEASE_TASKS * 256;
    tokio::runtime::Runtime::new()?.block_on(server.rate(1, warm, TIME))
}

/// Leaves a file of as many inputs.
pub(super) fn write_inputs(path: &std::path::Path, count: u64) -> Result<()> {
    // Whoever finds it finds all of it.
    let unfinished = path.with_extension("part");
    let mut file = BufWriter::new(File::create(&unfinished)?);
    for index in 0..count {
        serde_json::to_writer(&mut file, &Input::nth(index))?;
        writeln!(file)?;
    }
    file.into_inner()?.sync_all()?;
    Ok(std::fs::rename(unfinished, path)?)
}
