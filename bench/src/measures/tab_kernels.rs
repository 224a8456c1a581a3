//! Kernels that take numbers in a tab: a Chromium's, of one slot, against a bare worker that calls the same module in
//! a loop and writes the same JSON, with nobody to send it to.

use super::tab::{CORES, TIME, rate};
use crate::browser::Browser;
use crate::measure::{Goal, Measure, Reading, Row};
use crate::process::Server;
use crate::setting::Setting;
use anyhow::{Context, Result};
use serde_json::json;
use std::fs;

pub(super) const MEASURE: Measure = Measure {
    name: "tab-kernels",
    rows: &[
        Row {
            id: "tab-kernel-i64",
            what: "a Chromium tab of one slot, `collatz-kernel`, on disk",
            against: "a bare worker that calls the same module and writes the same JSON",
            unit: "tasks/s",
            goal: Goal::AtLeast(0.7),
        },
        Row {
            id: "tab-kernel-f64",
            what: "the same, `mandelbrot`",
            against: "the same",
            unit: "tasks/s",
            goal: Goal::AtLeast(0.7),
        },
    ],
    rounds_max: u32::MAX,
    round,
};

/// A kernel, its axes as `submit` takes them, and as the bare worker does: where each begins, its step, its length.
struct Sweep {
    kernel: &'static str,
    axes: &'static [&'static str],
    bare: &'static [[f64; 3]],
    takes_bigints: bool,
}

/// More tasks than are done in [`TIME`].
const SWEEPS: [Sweep; 2] = [
    Sweep {
        kernel: "collatz-kernel",
        axes: &["n=1..=1000000000"],
        bare: &[[1.0, 1.0, 1e9]],
        takes_bigints: true,
    },
    Sweep {
        kernel: "mandelbrot",
        axes: &["re=-2..1:0.0001", "im=-1.2..1.2:0.0001"],
        bare: &[[-2.0, 0.0001, 30_000.0], [-1.2, 0.0001, 24_000.0]],
        takes_bigints: false,
    },
];

/// Tasks that are not counted: code is compiled and leases have grown by then.
const WARM: u64 = 500_000;

/// The page's script is there.
const LOADED: &str = "new Promise((resolve) => \
    document.readyState === 'complete' ? resolve() : addEventListener('load', resolve))";

fn round(setting: &Setting) -> Result<Vec<Reading>> {
    SWEEPS
        .iter()
        .map(|sweep| Ok(Reading::new(in_tab(setting, sweep)?, bare(setting, sweep)?)))
        .collect()
}

fn in_tab(setting: &Setting, sweep: &Sweep) -> Result<f64> {
    let server = Server::start(setting)?;
    server.run(&[&["submit", sweep.kernel], sweep.axes].concat())?;
    let mut browser = Browser::start(setting)?;
    browser.open(&server.url, CORES)?;
    rate(&server, WARM)
}

fn bare(setting: &Setting, sweep: &Sweep) -> Result<f64> {
    let file = setting.target.join("kernels").join(format!("{}.wasm", sweep.kernel));
    let module = fs::read(&file).with_context(|| format!("reading {}", file.display()))?;
    let asked = json!({
        "module": module,
        "axes": sweep.bare,
        "takes_bigints": sweep.takes_bigints,
        "warm": WARM,
        "time_ms": TIME.as_millis() as u64,
    });
    let mut browser = Browser::start(setting)?;
    let page = setting.root.join("bench/tab/kernel.html");
    let tab = browser.open(&format!("file://{}", page.display()), CORES)?;
    let rate = browser.evaluate(&tab, &format!("{LOADED}.then(() => rateOf({asked}))"))?;
    rate.as_f64().context("a rate is a number")
}
