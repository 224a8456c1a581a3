//! Figures, against ceilings, and a server under load: see `bench/`.

use crate::run::{built, cargo, command, root, run, step, target_dir};
use crate::serve;
use anyhow::Result;
use std::process::Command;

/// Builds all for speed and measures. `arguments` are those of the program in `bench/`.
pub(crate) fn bench(arguments: &[String]) -> Result<()> {
    run(build()?.args(arguments))
}

/// Puts the release server under the load of workers that come and go.
pub(crate) fn soak(minutes: u32, workers: u32, churn: u32) -> Result<()> {
    let mut soak = build()?;
    soak.arg("soak").args(["--minutes", &minutes.to_string()]);
    run(soak.args(["--workers", &workers.to_string(), "--churn", &churn.to_string()]))
}

/// Builds all for speed; gives the program, told where everything is.
fn build() -> Result<Command> {
    serve::build()?;
    step("measures", || run(cargo().args(["build", "--release", "--package", "tequio-bench"])))?;
    let mut bench = command(built("release", "tequio-bench"));
    bench.arg("--tequio").arg(built("release", "tequio")).arg("--root").arg(root());
    bench.arg("--target").arg(target_dir());
    Ok(bench)
}
