//! The whole system on virtual time: the real reactor of the dispatcher with its scheduler, the memory
//! store, and real worker state machines over a network that delays, reorders, repeats and loses;
//! tabs that freeze, vanish and lie, a disk that fails, and a server that crashes, at any step.
//! Jobs are of every op and of a kernel, in blocks of 1, 4 and 64, and are checked in every way; those of a slow op
//! are audited some time later. Tasks of kernels trap, hang, and exhaust whoever computes them.
//!
//! Everything follows from a seed, and a failure prints it. `TEQUIO_SEEDS=7` runs that one,
//! `TEQUIO_SEEDS=1000..2000` a range; `cargo xtask soak --seeds N` runs as many as asked.
//!
//! `world` is the state and what comes next. What happens has a module each: `jobs`, `server`, `audits`,
//! `network`, `workers`, `chaos`, `kernels`; `checks` is what must hold, for which `people` tells who is who.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers as well")]

mod audits;
mod chaos;
mod checks;
mod jobs;
mod kernels;
mod network;
mod people;
mod server;
mod workers;
mod world;

use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use world::Simulation;

/// Seeds of one run of the tests.
const SEEDS: Range<u64> = 0..300;

#[test]
fn whatever_goes_wrong_every_task_is_recorded_once_and_right() {
    let seeds = std::env::var("TEQUIO_SEEDS").map_or(SEEDS, |text| parse_seeds(&text));
    let next = AtomicU64::new(seeds.start);
    let threads = std::thread::available_parallelism().map_or(1, |cores| cores.get());
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= seeds.end {
                        return;
                    }
                    run(seed);
                }
            });
        }
    });
}

fn parse_seeds(text: &str) -> Range<u64> {
    let number = |text: &str| text.parse::<u64>().expect("TEQUIO_SEEDS is N or FIRST..END");
    match text.split_once("..") {
        Some((first, end)) => number(first)..number(end),
        None => number(text)..number(text) + 1,
    }
}

fn run(seed: u64) {
    let mut simulation = Simulation::new(seed);
    let ended = catch_unwind(AssertUnwindSafe(|| simulation.run()));
    if let Err(panic) = ended {
        eprintln!("the last of what happened with TEQUIO_SEEDS={seed}:");
        for line in simulation.last() {
            eprintln!("  {line}");
        }
        eprintln!(
            "TEQUIO_SEEDS={seed} cargo test --features test-ops --test simulation repeats it"
        );
        resume_unwind(panic);
    }
}
