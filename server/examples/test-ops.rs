//! `tequio` with the ops that are for tests only, under a name of its own: building it leaves the
//! binary that has none of them alone.

use clap::Parser;
use tequio::cli::Cli;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    Cli::parse().run().await
}
