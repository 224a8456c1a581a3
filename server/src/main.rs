//! The `tequio` binary: the library with the page inside.

use clap::Parser;
use std::io::{self, ErrorKind, Write};
use std::process::ExitCode;
use tequio::cli::Cli;
use tequio::web::{Damaged, Page};

/// The page, as `cargo xtask` leaves it; empty where it has not.
static PACK: &[u8] = include_bytes!("../../target/page.pack");

/// The same files, each by itself.
const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../target/page");

#[tokio::main]
async fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(said) => return answer(&said),
    };
    let run = async { cli.run(page()?).await };
    match run.await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => match error.downcast::<clap::Error>() {
            Ok(said) => answer(&said),
            Err(error) => {
                // Nobody reads it where stderr is full or closed, and nothing can be done about that.
                let line = format!("tequio: {error:#}\n");
                io::stderr().write_all(line.as_bytes()).ok();
                ExitCode::FAILURE
            }
        },
    }
}

/// A release binary carries the page inside; a debug one reads it from disk.
fn page() -> Result<Page, Damaged> {
    if cfg!(debug_assertions) { Ok(Page::folder(FOLDER)) } else { Page::packed(PACK) }
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
