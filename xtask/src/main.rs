//! Every chore of this repository, for a person and for CI alike: `cargo xtask --help`.
//!
//! A fresh machine needs rustup and Node; whatever else a chore needs, it sets up, or says plainly
//! what is missing.

mod bench;
mod check;
mod classroom;
mod compilers;
mod kernels;
mod limits;
mod minify;
mod packages;
mod page;
mod run;
mod serve;
mod test;
mod tools;
mod vendor;
mod weight;

use bench::{Engines, Load};
use clap::{Parser, Subcommand};
use std::process::ExitCode;

#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", about = "Every chore of Tequio")]
struct Xtask {
    #[command(subcommand)]
    chore: Chore,
}

#[derive(Debug, Subcommand)]
enum Chore {
    /// Build the page and the release server, and run it on 127.0.0.1:8765
    Serve {
        /// What `tequio serve` is given, such as --listen 127.0.0.1:9000; where nothing is, --demo,
        /// and the page of `trunk serve` is allowed
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
    /// Run every test, those in a real browser included
    Test {
        /// Run those in Firefox too
        #[arg(long)]
        firefox: bool,
    },
    /// Run the simulation of the whole system for many seeds, new ones each time; or, with --kernels,
    /// compare all hosts of kernels on modules that nobody wrote; or, with --load, run the release server
    /// itself under workers that come and go, and under the floods of strangers
    Soak {
        /// How many
        #[arg(long, default_value_t = 1000)]
        seeds: u64,
        /// The first seed, to run the same ones again
        #[arg(long)]
        first: Option<u64>,
        /// Compute so many made kernels by wasmi, wasmtime and Chromium, and by Firefox where it is, and
        /// normalise modules of which some bytes were changed
        #[arg(long, value_name = "N", conflicts_with_all = ["seeds", "first", "load"])]
        kernels: Option<u64>,
        /// With --kernels, the seed of the first, to compute the same ones again
        #[arg(long, requires = "kernels")]
        seed: Option<u64>,
        /// Check that thousands of workers that come and go cost a server no result, no memory and no
        /// file; and that nothing that strangers do takes what honest people need
        #[arg(long, conflicts_with_all = ["seeds", "first"])]
        load: bool,
        #[command(flatten)]
        how: Load,
    },
    /// Run the page under `trunk serve` in a real browser (needs trunk and wasm-bindgen-cli)
    Trunk,
    /// Check formatting, lints, the page's types, and that generated files are up to date
    Check,
    /// Write the TypeScript declarations of the types that the page shares with the server
    Types,
    /// Write into docs/limits.md what every limit is and why, from protocol/src/limits.rs
    Limits,
    /// Build the example kernels, into target/kernels
    Kernels,
    /// Leave in `www/vendor` what the page has of others, as trunk needs it
    Vendor,
    /// Leave one file that is all of Tequio: the release server with the page inside
    Dist,
    /// Measure against ceilings, and write bench/RESULTS.md
    Bench {
        /// Build wasmtime too, and measure it (four minutes of CPU)
        #[arg(long)]
        jit: bool,
        /// Measures to run alone, --rounds N, or --help
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
    /// Take the README's screenshots
    Screenshots,
}

fn main() -> ExitCode {
    let done = match Xtask::parse().chore {
        Chore::Serve { arguments } => serve::serve(&arguments),
        Chore::Test { firefox: false } => test::test(),
        Chore::Test { firefox: true } => test::test_with_firefox(),
        Chore::Soak { kernels: Some(count), seed, .. } => test::soak_kernels(count, seed),
        Chore::Soak { load: false, seeds, first, .. } => test::soak(seeds, first),
        Chore::Soak { load: true, how, .. } => bench::soak(&how),
        Chore::Trunk => test::trunk(),
        Chore::Check => check::check(),
        Chore::Types => check::write_types(),
        Chore::Limits => limits::write(),
        Chore::Kernels => kernels::build().map(drop),
        Chore::Vendor => vendor::vendor().map(drop),
        Chore::Dist => serve::dist(),
        Chore::Bench { jit: false, arguments } => bench::bench(Engines::Usual, &arguments),
        Chore::Bench { jit: true, arguments } => bench::bench(Engines::Jit, &arguments),
        Chore::Screenshots => test::screenshots(),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}
