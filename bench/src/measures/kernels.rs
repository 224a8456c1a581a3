//! The engines that compute kernels outside of browsers, as `tequio work` and audits do: `collatz-kernel`, block by
//! block, each in an instance of its own. Against the same code built for this machine.
//!
//! `cargo xtask bench --jit kernels` measures both engines.

use crate::measure::{Goal, Measure, Reading, Row};
use crate::setting::Setting;
use anyhow::{Context, Result, ensure};
use std::fs;
use std::hint::black_box;
use std::time::Instant;
use tequio_kernel::host::{Engine, Program};
use tequio_kernel::{normalise, result};

pub(super) const MEASURE: Measure = Measure {
    name: "kernels",
    rows: &[
        #[cfg(feature = "jit")]
        Row {
            id: "kernels-wasmtime",
            what: "collatz-kernel, n from 1 to 10^5, in wasmtime",
            against: "the same code, built for this machine",
            unit: "tasks/s",
            goal: Goal::AtLeast(0.5),
        },
        Row {
            id: "kernels-wasmi",
            what: "collatz-kernel, n from 1 to 10^5, in wasmi",
            against: "the same code, built for this machine",
            unit: "tasks/s",
            goal: Goal::AtLeast(0.1),
        },
    ],
    rounds_max: u32::MAX,
    round,
};

/// Tasks of a figure.
const TASKS: u64 = 100_000;

/// Tasks of an instance: as many as a browser computes in some milliseconds.
const BLOCK: u64 = 8192;

/// Steps of all tasks, so that nobody computes something else.
const STEPS: u64 = 10_753_840;

fn round(setting: &Setting) -> Result<Vec<Reading>> {
    let file = setting.root.join("target/kernels/collatz-kernel.wasm");
    let module = fs::read(&file).with_context(|| format!("reading {}", file.display()))?;
    let module = normalise(&module)?.bytes;
    let native = speed(|first, end| Ok((first..end).map(|n| result::of_integer(steps(n)))))?;
    let mut readings = Vec::new();
    for engine in Engine::ALL {
        let program = Program::compile_for(*engine, &module)?;
        let speed = speed(|first, end| {
            let mut instance = program.instance(None, || false)?;
            let outcomes = (first..end).map(move |n| instance.run(&[n as f64], ""));
            Ok(outcomes.map(|outcome| outcome.unwrap_or_else(|fault| fault.to_string())))
        })?;
        readings.push(Reading::new(speed, native));
    }
    Ok(readings)
}

/// Tasks a second, of blocks whose results `compute` gives as JSON.
fn speed<R: Iterator<Item = String>>(compute: impl Fn(u64, u64) -> Result<R>) -> Result<f64> {
    let began = Instant::now();
    let mut results = Vec::with_capacity(TASKS as usize);
    let mut first = 1;
    while first <= TASKS {
        let end = (first + BLOCK).min(TASKS + 1);
        results.extend(compute(first, end)?);
        first = end;
    }
    let took = began.elapsed().as_secs_f64();
    let steps: u64 = results.iter().filter_map(|result| result.parse::<u64>().ok()).sum();
    ensure!(steps == STEPS, "all have {STEPS} steps together, not {steps}");
    Ok(TASKS as f64 / took)
}

/// As in `kernels/collatz-kernel.rs`.
fn steps(n: u64) -> i64 {
    let mut n = black_box(n);
    let mut steps = 0;
    while n != 1 {
        n = if n.is_multiple_of(2) { n / 2 } else { 3 * n + 1 };
        steps += 1;
    }
    steps
}
