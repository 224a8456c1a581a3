//! The `tequio` binary.

use clap::Parser;
use std::io::{self, ErrorKind, Write};
use std::process::ExitCode;
use tequio::cli::Cli;

#[tokio::main]
async fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(said) => return answer(&said),
    };
    match cli.run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Nobody reads it where stderr is full or closed, and nothing can be done about that.
            let line = format!("tequio: {error:#}\n");
            io::stderr().write_all(line.as_bytes()).ok();
            ExitCode::FAILURE
        }
    }
}

/// Prints help, or what is wrong with the arguments.
fn answer(said: &clap::Error) -> ExitCode {
    let printed = said.print();
    match printed {
        // A reader that has seen enough (`| head`) is no error.
        Err(error) if !said.use_stderr() && error.kind() != ErrorKind::BrokenPipe => {
            ExitCode::FAILURE
        }
        _ => ExitCode::from(said.exit_code() as u8),
    }
}
