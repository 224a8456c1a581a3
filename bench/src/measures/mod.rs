//! The measures, in the order of the report.

mod ceiling;
mod idle;
mod judging;
mod kernels;
mod latency;
mod lease;
mod map;
mod peers;
mod plain;
mod recovery;
mod scheduler;
mod sizes;
mod tab;
mod tab_kernels;

use crate::measure::Measure;
use anyhow::{Result, bail};

/// Every measure.
const ALL: &[&Measure] = &[
    &lease::MEASURE,
    &plain::MEASURE,
    &tab::MEASURE,
    &map::MEASURE,
    &kernels::MEASURE,
    &tab_kernels::MEASURE,
    &latency::MEASURE,
    &scheduler::MEASURE,
    &sizes::MEASURE,
    &idle::MEASURE,
    &judging::MEASURE,
    &recovery::MEASURE,
    &peers::MEASURE,
];

/// Those of these names; all where none is given.
pub(crate) fn named(names: &[String]) -> Result<Vec<&'static Measure>> {
    if names.is_empty() {
        return Ok(ALL.to_vec());
    }
    let one = |name: &String| match ALL.iter().find(|measure| measure.name == name) {
        Some(measure) => Ok(*measure),
        None => {
            let known: Vec<&str> = ALL.iter().map(|measure| measure.name).collect();
            bail!("there is no measure \"{name}\"; there are {}", known.join(", "))
        }
    };
    names.iter().map(one).collect()
}

/// What a measure runs against is often a program of its own, and is this one, asked for by its first
/// argument. Gives what came of it, if it was asked for.
pub(crate) fn part_of_this() -> Option<Result<()>> {
    let mut arguments = std::env::args().skip(1);
    match (arguments.next()?.as_str(), arguments.next()) {
        ("ceiling-server", Some(shape)) => Some(ceiling::serve(&shape)),
        ("ceiling-client", Some(url)) => Some(ceiling::answer(&url)),
        ("simulate", Some(tasks)) => Some(sizes::simulate(&tasks)),
        ("bare-socket", Some(_)) => Some(idle::bare()),
        ("crowd", Some(url)) => Some(idle::gather(&url)),
        (part::FLOOD, Some(name)) => Some(crate::soak::play_flood(&name)),
        _ => None,
    }
}

/// Names of parts that others start.
pub(crate) mod part {
    /// A flood of the soak.
    pub(crate) const FLOOD: &str = "flood";
}
