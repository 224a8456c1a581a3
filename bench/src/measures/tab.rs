//! A tab: a Chromium's, of one slot, against what plain JavaScript and a native worker do instead.

use super::ceiling::{self, LEASE_TASKS, Shape};
use super::lease;
use crate::browser::Browser;
use crate::measure::{Goal, Measure, Reading, Row};
use crate::process::Server;
use crate::setting::Setting;
use anyhow::Result;
use std::time::Duration;

pub(super) const MEASURE: Measure = Measure {
    name: "tab",
    rows: &[
        Row {
            id: "tab-js",
            what: "a Chromium tab of one slot, inputs sent, on disk",
            against: "a bare tab in JavaScript, in the page or in a worker, 1,024 tasks a frame",
            unit: "tasks/s",
            goal: Goal::AtLeast(0.8),
        },
        Row {
            id: "tab-grid",
            what: "a Chromium tab of one slot, grid, on disk",
            against: "the same",
            unit: "tasks/s",
            goal: Goal::AtLeast(0.8),
        },
        Row {
            id: "tab-native",
            what: "a Chromium tab of one slot, grid, on disk",
            against: "a native worker of one slot, the same job",
            unit: "tasks/s",
            goal: Goal::AtLeast(0.6),
        },
    ],
    rounds_max: u32::MAX,
    round,
};

/// What each part is measured for.
pub(super) const TIME: Duration = Duration::from_secs(4);

/// Tasks of the job whose inputs are sent: more than are done in [`TIME`].
const INPUTS: u64 = 8_000_000;

/// Tasks that are not counted: pages are loaded, code is compiled and leases have grown by then.
const WARM: u64 = LEASE_TASKS * 512;

/// What the page is told that the machine has. It leaves one to its person: that is one slot.
pub(super) const CORES: u32 = 2;

fn round(setting: &Setting) -> Result<Vec<Reading>> {
    let bare = bare(setting)?;
    let inputs = inputs(setting)?;
    let grid = grid(setting)?;
    let native = native(setting)?;
    Ok(vec![Reading::new(inputs, bare), Reading::new(grid, bare), Reading::new(grid, native)])
}

/// A bare tab answers in the page's own thread, or in a worker as Tequio does: which is faster differs
/// from round to round.
fn bare(setting: &Setting) -> Result<f64> {
    let in_worker = bare_in(setting, "worker")?;
    let in_page = bare_in(setting, "page")?;
    Ok(in_worker.max(in_page))
}

fn bare_in(setting: &Setting, thread: &str) -> Result<f64> {
    let (mut server, address) = ceiling::start(Shape::Leases)?;
    let page = setting.root.join("bench/tab/bare.html");
    let mut browser = Browser::start(setting)?;
    browser.open(&format!("file://{}?server={address}&in={thread}", page.display()), CORES)?;
    ceiling::rate_of(&mut server, WARM, TIME)
}

fn inputs(setting: &Setting) -> Result<f64> {
    let server = Server::start(setting)?;
    lease::submit_inputs(setting, &server, INPUTS)?;
    in_tab(setting, &server)
}

fn grid(setting: &Setting) -> Result<f64> {
    let server = Server::start(setting)?;
    lease::submit_grid(&server)?;
    in_tab(setting, &server)
}

fn native(setting: &Setting) -> Result<f64> {
    let server = Server::start(setting)?;
    lease::submit_grid(&server)?;
    let _worker = server.work()?;
    rate(&server, WARM)
}

/// The rate of the server's first job with a tab of one slot, which begins as it is opened.
fn in_tab(setting: &Setting, server: &Server) -> Result<f64> {
    let mut browser = Browser::start(setting)?;
    browser.open(&server.url, CORES)?;
    rate(server, WARM)
}

/// The rate of the server's first job once so many tasks are done.
pub(super) fn rate(server: &Server, warm: u64) -> Result<f64> {
    tokio::runtime::Runtime::new()?.block_on(server.rate(1, warm, TIME))
}
