//! How long a server takes to start on a store that another left when it was killed.

use crate::measure::{Goal, Measure, Reading, Row};
use crate::process::{PATIENCE, Server};
use crate::setting::Setting;
use anyhow::{Result, ensure};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

pub(super) const MEASURE: Measure = Measure {
    name: "recovery",
    rows: &[Row {
        id: "recovery",
        what: "start on a store with 10^7 recorded tasks of a running job, whose server was killed",
        against: "reading its files once",
        unit: "ms",
        goal: Goal::AtMost(3.0),
    }],
    rounds_max: u32::MAX,
    round,
};

const TASKS: u64 = 10_000_000;

fn round(setting: &Setting) -> Result<Vec<Reading>> {
    let left = left_store(setting)?;
    let folder = setting.folder()?;
    for file in fs::read_dir(&left)? {
        let file = file?;
        fs::copy(file.path(), folder.path().join(file.file_name()))?;
    }
    // Both find the files in the system's cache.
    read(folder.path())?;
    let began = Instant::now();
    read(folder.path())?;
    let against = began.elapsed();
    let began = Instant::now();
    let server = Server::start_on(setting, folder.path())?;
    let measured = began.elapsed();
    drop(server);
    let ms = |time: Duration| time.as_secs_f64() * 1000.0;
    Ok(vec![Reading::new(ms(measured), ms(against))])
}

fn read(folder: &Path) -> Result<()> {
    for file in fs::read_dir(folder)? {
        std::hint::black_box(fs::read(file?.path())?);
    }
    Ok(())
}

/// The folder of a server that was killed when it had recorded [`TASKS`] tasks of a job that has more.
fn left_store(setting: &Setting) -> Result<PathBuf> {
    let left = setting.cache.join("left-store");
    if left.exists() {
        return Ok(left);
    }
    let folder = setting.folder()?;
    let server = Server::start_on(setting, folder.path())?;
    let workers = [server.work()?, server.work()?];
    let grid = ["--initial", "1.0000054", "--factor", "1.00000043", "--times", "0..1000000000"];
    server.run(&[["submit", "repeat_multiply"].as_slice(), &grid].concat())?;
    let runtime = tokio::runtime::Runtime::new()?;
    let client = reqwest::Client::new();
    let began = Instant::now();
    while runtime.block_on(server.job(&client, 1))?.done < TASKS {
        ensure!(began.elapsed() < PATIENCE, "{TASKS} tasks are not done");
        std::thread::sleep(Duration::from_millis(10));
    }
    drop((server, workers));
    fs::rename(folder.keep(), &left)?;
    Ok(left)
}
