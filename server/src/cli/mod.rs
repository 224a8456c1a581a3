//! The commands, one file each but for the smallest.

mod asked;
mod chat;
mod client;
mod echo;
mod http;
mod inputs;
mod jobs;
mod kernel;
mod kernel_new;
mod listen;
mod map;
mod ops;
mod own_names;
mod print;
mod results;
mod run;
mod serve;
mod service;
mod still;
mod stop;
mod stream;
mod submit;
mod terminal;
mod work;

use crate::web::Page;
use anyhow::anyhow;
use clap::error::ErrorKind;
use clap::{CommandFactory, Parser, Subcommand};
use futures_util::future::LocalBoxFuture;

/// What `--version` says: of two builds that differ in nothing else, which of them computes kernels faster.
#[cfg(not(feature = "jit"))]
const VERSION: &str = env!("CARGO_PKG_VERSION");
#[cfg(feature = "jit")]
const VERSION: &str = concat!(env!("CARGO_PKG_VERSION"), " (jit: kernels in wasmtime)");

/// Turns browser tabs into a compute cluster.
#[derive(Debug, Parser)]
#[command(name = "tequio", version = VERSION)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve the page, and hand out tasks to every tab that opens it
    Serve(serve::Serve),
    /// Submit a job: a grid of values, or a file of inputs
    Submit(submit::Submit),
    /// Submit a job of a grid, wait for it, and write its results to stdout
    Run(run::Run),
    /// Compute what stdin says, and write the results to stdout, in order, as they come
    Map(map::Map),
    /// List all jobs
    Jobs(jobs::List),
    /// Show a job
    Job(jobs::One),
    /// Write a job's results, in the order of its tasks
    Results(results::Results),
    /// Hand out no more of a job, until it is resumed
    Pause(jobs::One),
    /// Go on with a job
    Resume(jobs::One),
    /// Close a job that waits for inputs: it ends with those that it has
    Close(jobs::One),
    /// End a job, with the results that it has
    Cancel(jobs::One),
    /// Remove a job that is over, with its results
    Remove(jobs::One),
    /// List what a job may compute
    Ops(ops::Ops),
    /// Add, list, try and begin kernels: code of your own
    Kernel(kernel::Kernel),
    /// Look through a job for damage in the file, and have lost results computed again
    Repair(jobs::One),
    /// List who is connected
    Workers(jobs::List),
    /// Compute for a server, without a browser, on every core
    Work(work::Work),
    /// Send text to a server that answers with it, and print the answers
    Echo(echo::Echo),
    /// Talk to whoever else is in a room
    Chat(chat::Chat),
}

impl Cli {
    /// Runs the command to its end. A server shows `page`.
    ///
    /// Boxed, so that what runs is compiled here, and not again in each program that calls this.
    pub fn run(self, page: Page) -> LocalBoxFuture<'static, anyhow::Result<()>> {
        Box::pin(self.run_here(page))
    }

    async fn run_here(self, page: Page) -> anyhow::Result<()> {
        // One library for TLS, said once: whoever speaks it finds it here.
        let provider = rustls::crypto::ring::default_provider();
        provider.install_default().map_err(|_| anyhow!("TLS was set up before"))?;
        match self.command {
            Command::Serve(serve) => serve.run(page).await,
            Command::Submit(submit) => submit.run().await,
            Command::Run(run) => run.run().await,
            Command::Map(map) => map.run().await,
            Command::Jobs(list) => list.jobs().await,
            Command::Job(one) => one.show().await,
            Command::Results(results) => results.run().await,
            Command::Pause(one) => one.change("pause").await,
            Command::Resume(one) => one.change("resume").await,
            Command::Close(one) => one.change("close").await,
            Command::Cancel(one) => one.change("cancel").await,
            Command::Remove(one) => one.remove().await,
            Command::Ops(ops) => ops.run().await,
            Command::Kernel(kernel) => kernel.run().await,
            Command::Repair(one) => one.repair().await,
            Command::Workers(list) => list.workers().await,
            Command::Work(work) => work.run().await,
            Command::Echo(echo) => echo.run().await,
            Command::Chat(chat) => chat.run().await,
        }
    }
}

/// The error of arguments that are wrong for `command`, which only the command itself sees. It ends the
/// process as one that the parser of arguments sees: with the usage and the code 2.
fn misuse(command: &str, said: &str) -> anyhow::Error {
    let mut cli = Cli::command();
    cli.build();
    let command = cli.find_subcommand_mut(command).expect("a command has its own name");
    command.error(ErrorKind::ValueValidation, said).into()
}
