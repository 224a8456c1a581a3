//! `tequio results`.

use super::asked::whole;
use super::client::Remote;
use super::jobs::parse_id;
use super::print;
use super::still;
use super::stop::Stop;
use super::stream::{Format, Stream};
use anyhow::{Context, bail};
use clap::Args;
use tequio_protocol::ids::JobId;
use tequio_protocol::limits::CLIENT_PAUSED;
use tokio::time::Instant;

#[derive(Debug, Args)]
pub(super) struct Results {
    /// The job's number
    #[arg(value_name = "ID", value_parser = parse_id)]
    id: JobId,

    /// How a result is written
    #[arg(long, value_enum, default_value = "jsonl")]
    format: Format,

    /// The first task
    #[arg(long, value_name = "N", default_value_t = 0, value_parser = parse_count)]
    first: u64,

    /// How many tasks; all that follow where nothing is said
    #[arg(long, value_name = "N", value_parser = parse_count)]
    count: Option<u64>,

    /// Wait for results that are not there yet, until the job is over
    #[arg(long)]
    follow: bool,

    /// Put each task's input beside its result
    #[arg(long)]
    inputs: bool,

    #[command(flatten)]
    remote: Remote,
}

fn parse_count(text: &str) -> Result<u64, String> {
    whole(text, 0, u64::MAX)
}

impl Results {
    pub(super) async fn run(self) -> anyhow::Result<()> {
        let end = self.count.map_or(u64::MAX, |count| self.first.saturating_add(count));
        let client = self.remote.client();
        let mut stream = Stream::new(client.clone(), self.id, self.format, self.first, end);
        stream.has_inputs = self.inputs;
        if !self.follow {
            return write_all(&mut stream).await;
        }
        stream.is_following = true;
        let mut stop = Stop::listen().context("signals cannot be listened for")?;
        tokio::select! {
            done = write_all(&mut stream) => return done,
            never = still::tell(&client, self.id) => match never {},
            () = stop.asked() => {}
        }
        let (id, next, more) = (self.id, stream.next_index(), stream.options());
        bail!("stopped; `tequio results {id} --first {next} --follow{more}` goes on from there")
    }
}

/// Writes results to stdout, until there are no more or nobody reads them.
pub(super) async fn write_all(stream: &mut Stream) -> anyhow::Result<()> {
    while let Some(text) = stream.next().await? {
        let began = Instant::now();
        if !print::bytes(&text)? {
            break;
        }
        // A pager that nobody scrolls, for one. The server waits a while for those who take nothing.
        stream.was_paused |= began.elapsed() >= CLIENT_PAUSED;
    }
    Ok(())
}
