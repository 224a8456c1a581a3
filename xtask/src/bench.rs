//! Figures, against ceilings: see `bench/`.

use crate::run::{built, cargo, command, root, run, step, target_dir};
use crate::serve;
use anyhow::Result;

/// Builds all for speed and measures. `arguments` are those of the program in `bench/`.
pub(crate) fn bench(arguments: &[String]) -> Result<()> {
    serve::build()?;
    step("measures", || run(cargo().args(["build", "--release", "--package", "tequio-bench"])))?;
    let mut bench = command(built("release", "tequio-bench"));
    bench.arg("--tequio").arg(built("release", "tequio")).arg("--root").arg(root());
    run(bench.arg("--target").arg(target_dir()).args(arguments))
}
