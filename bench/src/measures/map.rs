//! Lines through a pipe.

use super::lease::write_inputs;
use crate::measure::{Goal, Measure, Reading, Row};
use crate::process::Server;
use crate::setting::Setting;
use anyhow::{Context, Result, ensure};
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::Stdio;
use std::time::Instant;

pub(super) const MEASURE: Measure = Measure {
    name: "map",
    rows: &[Row {
        id: "map",
        what: "`map`, 10^6 lines from stdin to stdout, 2 native workers",
        against: "`submit --input --wait` of the same file",
        unit: "tasks/s",
        goal: Goal::AtLeast(0.7),
    }],
    rounds_max: u32::MAX,
    round,
};

const LINES: u64 = 1_000_000;

fn round(setting: &Setting) -> Result<Vec<Reading>> {
    let path = setting.cache.join("lines.jsonl");
    if !path.exists() {
        write_inputs(&path, LINES)?;
    }
    let (submit, map) = (submit(setting, &path)?, map(setting, &path)?);
    Ok(vec![Reading::new(LINES as f64 / map, LINES as f64 / submit)])
}

/// Seconds from the command's start to its end.
fn submit(setting: &Setting, path: &Path) -> Result<f64> {
    let server = Server::start(setting)?;
    let _workers = [server.work()?, server.work()?];
    let began = Instant::now();
    server.run(&["submit", "repeat_multiply", "--input", &path.to_string_lossy(), "--wait"])?;
    Ok(began.elapsed().as_secs_f64())
}

fn map(setting: &Setting, path: &Path) -> Result<f64> {
    let server = Server::start(setting)?;
    let _workers = [server.work()?, server.work()?];
    let began = Instant::now();
    let mut command = server.command(&["map", "repeat_multiply"]);
    command.stdin(File::open(path)?).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut map = command.spawn()?;
    let results = map.stdout.take().context("it writes to a pipe")?;
    let mut lines = 0;
    for line in BufReader::new(results).lines() {
        line?;
        lines += 1;
    }
    ensure!(map.wait()?.success() && lines == LINES, "{lines} of {LINES} lines came back");
    Ok(began.elapsed().as_secs_f64())
}
