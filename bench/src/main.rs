//! Measures Tequio against named ceilings, and writes what it found: `cargo xtask bench`. And puts it
//! under the load of many, which is a test: `cargo xtask soak --load`, in [`soak`].
//!
//! A measure runs in rounds. In each round it runs what is measured and what that is measured
//! against in turn, so that a machine that is busy with something else is so for both; what counts
//! is the median of the rounds' ratios. A measure is no test: no figure of it is asserted.

mod browser;
mod input;
mod measure;
mod measures;
mod metrics;
mod process;
mod report;
mod setting;
mod soak;
mod tools;

use anyhow::{Context, Result, anyhow};
use clap::{Parser, Subcommand};
use measure::{Measure, Measured};
use setting::Setting;
use soak::Soak;
use std::path::PathBuf;

#[derive(Debug, Parser)]
#[command(name = "cargo xtask bench", about = "Measures Tequio against named ceilings")]
struct Bench {
    #[command(subcommand)]
    instead: Option<Instead>,

    /// Which measures to run [default: all, and write bench/RESULTS.md]
    #[arg(value_name = "MEASURE")]
    names: Vec<String>,

    /// Rounds of each measure
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,

    /// The release binary of `tequio`
    #[arg(long, value_name = "FILE", hide = true)]
    tequio: PathBuf,

    /// The repository's root
    #[arg(long, value_name = "DIR", hide = true)]
    root: PathBuf,

    /// Where cargo builds; data of the measures is kept there while they run
    #[arg(long, value_name = "DIR", hide = true)]
    target: PathBuf,
}

/// What this does instead of measuring.
#[derive(Debug, Subcommand)]
enum Instead {
    /// Put a server under the load of workers that come and go
    #[command(hide = true)]
    Soak(Soak),
}

fn main() -> Result<()> {
    if let Some(part) = measures::part_of_this() {
        return part;
    }
    let Bench { instead, names, rounds, tequio, root, target } = Bench::parse();
    // Every client of HTTP wants one, also where nothing is encrypted.
    let provider = rustls::crypto::ring::default_provider();
    provider.install_default().map_err(|_| anyhow!("TLS was set up before"))?;
    let setting = Setting::new(tequio, root, &target)?;
    if let Some(Instead::Soak(soak)) = instead {
        return soak::run(&setting, &soak);
    }
    let chosen = measures::named(&names)?;
    let mut measured = Vec::new();
    for measure in chosen {
        measured.push(run(measure, rounds, &setting)?);
    }
    print!("{}", report::table(&measured));
    if names.is_empty() {
        report::write(&setting, rounds, &measured)?;
    }
    Ok(())
}

fn run(measure: &Measure, rounds: u32, setting: &Setting) -> Result<Measured> {
    let mut readings = Vec::new();
    let rounds = rounds.min(measure.rounds_max);
    // What a round leaves in caches helps the next: the first is to warm them, and is not counted.
    let first = if rounds == 1 { 1 } else { 0 };
    for round in first..=rounds {
        eprintln!("▸ {} ({round})", measure.name);
        let read =
            (measure.round)(setting).with_context(|| format!("measuring {}", measure.name))?;
        for (row, reading) in measure.rows.iter().zip(&read) {
            eprintln!("  {}: {}", row.id, report::line(row, reading));
        }
        if round > 0 {
            readings.push(read);
        }
    }
    Ok(Measured::new(measure, &readings))
}
