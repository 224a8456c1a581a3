//! The `tequio` binary: the library with the page inside.

use clap::Parser;
use std::process::ExitCode;
use tequio::cli::Cli;
use tequio::web::{Damaged, Page};

/// The page, as `cargo xtask` leaves it; empty where it has not.
static PACK: &[u8] = include_bytes!("../../target/page.pack");

/// The same files, each by itself.
const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../target/page");

#[tokio::main]
async fn main() -> ExitCode {
    let cli = Cli::parse();
    let run = async { cli.run(page()?).await };
    match run.await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("tequio: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// A release binary carries the page inside; a debug one reads it from disk.
fn page() -> Result<Page, Damaged> {
    if cfg!(debug_assertions) { Ok(Page::folder(FOLDER)) } else { Page::packed(PACK) }
}
