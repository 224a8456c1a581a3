//! The `tequio` binary.

use clap::Parser;
use std::process::ExitCode;
use tequio::cli::Cli;

#[tokio::main]
async fn main() -> ExitCode {
    match Cli::parse().run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("tequio: {error:#}");
            ExitCode::FAILURE
        }
    }
}
