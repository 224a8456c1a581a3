//! `tequio run`: a job from its submission to its results.

use super::asked::{AXES_HELP, Asked};
use super::client::{Client, Remote};
use super::jobs;
use super::misuse;
use super::print;
use super::results::write_all;
use super::stop::Stop;
use super::stream::{Format, Stream};
use super::submit::{goes_on, submitted};
use anyhow::{Context, bail};
use clap::Args;
use tequio_protocol::api::JobView;

#[derive(Debug, Args)]
#[command(after_help = AXES_HELP)]
pub(super) struct Run {
    #[command(flatten)]
    asked: Asked,

    /// How a result is written
    #[arg(long, value_enum, default_value = "jsonl")]
    format: Format,

    /// Put each task's input beside its result
    #[arg(long)]
    inputs: bool,

    #[command(flatten)]
    remote: Remote,
}

impl Run {
    pub(super) async fn run(self) -> anyhow::Result<()> {
        self.asked.grid_of_built_in().map_err(|said| misuse("run", &said))?;
        let client = self.remote.client();
        let mut stop = Stop::listen().context("signals cannot be listened for")?;
        let job = tokio::select! {
            job = self.submit(&client) => job?,
            () = stop.asked() => {
                bail!("stopped before it was submitted; `tequio jobs` shows what the server has")
            }
        };
        let id = job.id;
        print::note(&submitted(&job));
        let job = tokio::select! {
            job = jobs::until_over(&client, id) => job?,
            () = stop.asked() => bail!("{}", goes_on(id)),
        };
        let mut stream = Stream::new(client, id, self.format, 0, u64::MAX);
        stream.has_inputs = self.inputs;
        tokio::select! {
            done = write_all(&mut stream) => done?,
            () = stop.asked() => {
                let (next, more) = (stream.next_index(), stream.options());
                bail!("stopped; `tequio results {id} --first {next}{more}` gives the rest")
            }
        }
        jobs::succeeded(&job)
    }

    async fn submit(&self, client: &Client) -> anyhow::Result<JobView> {
        let found = self.asked.find(client).await?;
        let grid = self.asked.grid(found.op).map_err(|said| misuse("run", &said))?;
        Ok(self.asked.submit(client, &found, grid).await?)
    }
}
