//! The commands, one file each.

mod serve;

use clap::{Parser, Subcommand};

/// Turns browser tabs into a compute cluster.
#[derive(Debug, Parser)]
#[command(name = "tequio", version)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve the page, and hand out tasks to every tab that opens it
    Serve(serve::Serve),
}

impl Cli {
    /// Runs the command to its end.
    pub async fn run(self) -> anyhow::Result<()> {
        match self.command {
            Command::Serve(serve) => serve.run().await,
        }
    }
}
