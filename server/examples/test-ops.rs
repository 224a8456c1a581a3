//! `tequio` with the ops that are for tests only, under a name of its own: building it leaves the
//! binary that has none of them alone.

use clap::Parser;
use tequio::cli::Cli;
use tequio::web::Page;

/// The page, as `cargo xtask` leaves it.
const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../target/page");

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    Cli::parse().run(Page::folder(FOLDER)).await
}
