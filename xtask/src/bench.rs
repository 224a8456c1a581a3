//! Figures, against ceilings, and a server under load: see `bench/`.

use crate::run::{built, cargo, command, root, run, step, target_dir};
use crate::serve;
use anyhow::Result;
use clap::Args;
use std::process::Command;

/// Which engines of kernels are built.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Engines {
    /// wasmi alone, as people build Tequio.
    Usual,
    /// wasmtime too.
    Jit,
}

/// Builds all for speed and measures. `arguments` are those of the program in `bench/`.
pub(crate) fn bench(engines: Engines, arguments: &[String]) -> Result<()> {
    run(build(engines)?.args(arguments))
}

/// How a server is put under load.
#[derive(Debug, Args)]
pub(crate) struct Load {
    /// For how long workers come and go, with --load; 0 leaves that out
    #[arg(long, default_value_t = 10, requires = "load")]
    minutes: u32,
    /// Workers that are there at once, with --load
    #[arg(long, default_value_t = 2000, requires = "load")]
    workers: u32,
    /// Workers that come each second, as many others leaving, with --load
    #[arg(long, default_value_t = 100, requires = "load")]
    churn: u32,
    /// Floods that are played after it, with --load: all, none, or their names with commas
    #[arg(long, default_value = "all", requires = "load")]
    floods: String,
    /// For how many seconds each flood is looked at, with --load
    #[arg(long, default_value_t = 20, requires = "load")]
    flood_seconds: u64,
    /// What the numbers of the floods are multiplied by, with --load
    #[arg(long, default_value_t = 1.0, requires = "load")]
    flood_scale: f64,
    /// Idle workers that are connected beside each flood, with --load
    #[arg(long, default_value_t = 10_000, requires = "load")]
    idle: u32,
}

/// Puts the release server under the load of workers that come and go, and of strangers.
pub(crate) fn soak(how: &Load) -> Result<()> {
    let Load { minutes, workers, churn, floods, flood_seconds, flood_scale, idle } = how;
    let mut soak = build(Engines::Usual)?;
    soak.arg("soak");
    soak.args(["--minutes", &minutes.to_string(), "--workers", &workers.to_string()]);
    soak.args(["--churn", &churn.to_string(), "--floods", floods, "--idle", &idle.to_string()]);
    soak.args(["--flood-seconds", &flood_seconds.to_string()]);
    run(soak.args(["--flood-scale", &flood_scale.to_string()]))
}

/// Builds all for speed; gives the program, told where everything is.
fn build(engines: Engines) -> Result<Command> {
    serve::build()?;
    let features: &[&str] = match engines {
        Engines::Usual => &[],
        Engines::Jit => &["--features", "jit"],
    };
    let build = ["build", "--release", "--package", "tequio-bench"];
    step("measures", || run(cargo().args(build).args(features)))?;
    let mut bench = command(built("release", "tequio-bench"));
    bench.arg("--tequio").arg(built("release", "tequio")).arg("--root").arg(root());
    bench.arg("--target").arg(target_dir());
    Ok(bench)
}
