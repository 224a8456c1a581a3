//! The release server: built with the page inside, and run.

use crate::page::Page;
use crate::run::{Background, built, cargo, command, run, step};
use anyhow::{Context, Result};
use std::process::Command;

/// Where `trunk serve` has the page: jobs can be changed there too.
const TRUNK_ORIGINS: [&str; 2] = ["http://127.0.0.1:8080", "http://localhost:8080"];

/// Builds all and becomes `tequio serve`. Who says nothing of what it is to do sees what it can do.
pub(crate) fn serve(arguments: &[String]) -> Result<()> {
    build()?;
    let mut server = command(built("release", "tequio"));
    server.arg("serve").args(arguments);
    if arguments.is_empty() {
        server.arg("--demo");
        for origin in TRUNK_ORIGINS {
            server.args(["--allow-origin", origin]);
        }
    }
    become_process(&mut server)
}

/// Builds all and says where it is.
pub(crate) fn dist() -> Result<()> {
    build()?;
    println!("{}", built("release", "tequio").display());
    Ok(())
}

/// Builds the page, and the server with the page inside. The server's library does without the page, and
/// is built beside it: each has times when it can use one core only.
pub(crate) fn build() -> Result<()> {
    let server = ["build", "--release", "--package", "tequio-server"];
    step("page and server", || {
        let library = Background::start(cargo().args(server).arg("--lib"))?;
        Page::real().build()?;
        library.succeed()?;
        run(cargo().args(server))
    })
}

/// Ctrl-C, and the exit code, are then the server's own.
#[cfg(unix)]
fn become_process(command: &mut Command) -> Result<()> {
    use std::os::unix::process::CommandExt;
    Err(command.exec()).context("tequio could not be started")
}

#[cfg(not(unix))]
fn become_process(command: &mut Command) -> Result<()> {
    let status = command.status().context("tequio could not be started")?;
    std::process::exit(status.code().unwrap_or(1))
}
