//! `tequio map`: inputs from stdin to a job, its results to stdout, in order, as they come.

use super::asked::{Found, What, parse_priority};
use super::client::{Client, Remote, RequestError};
use super::inputs::{Block, Inputs, Patience, Source};
use super::jobs;
use super::print;
use super::still::Watcher;
use super::stop::Stop;
use super::stream::{Format, Stream};
use super::submit::inputs_of;
use anyhow::{Context, anyhow, bail};
use clap::Args;
use hyper::http::Method;
use std::cell::Cell;
use std::convert::Infallible;
use tequio_protocol::api::{JobState, JobView};
use tequio_protocol::ids::JobId;
use tequio_protocol::limits::{
    CLIENT_POLL, MAP_AHEAD_TASKS_MAX, MAP_ALIVE_INTERVAL, MAP_BLOCK_WAIT,
};
use tequio_protocol::reader::Invalid;
use tokio::sync::watch;
use tokio::time::sleep;

/// Results come as soon as their inputs do.
const PATIENCE: Patience = Patience { first: MAP_ALIVE_INTERVAL, rest: MAP_BLOCK_WAIT };

#[derive(Debug, Args)]
#[command(after_help = "\
Inputs are lines of JSON, {\"initial\":1,\"factor\":1.5,\"times\":10}, one JSON array of such objects, \
or CSV whose header has initial, factor and times; other ops have other parameters.
Results are lines {\"index\":0,\"line\":1,\"result\":57.6650390625} or \
{\"index\":3,\"line\":5,\"error\":\"...\"}, in the order of the inputs.")]
pub(super) struct Map {
    #[command(flatten)]
    what: What,

    /// Count and skip lines that are no inputs, instead of stopping at them
    #[arg(long)]
    skip_invalid: bool,

    /// The job's name
    #[arg(long)]
    name: Option<String>,

    /// Jobs of a higher priority are computed first
    #[arg(long, default_value_t = 0, allow_hyphen_values = true, value_parser = parse_priority)]
    priority: i32,

    #[command(flatten)]
    remote: Remote,
}

/// The job was ended or closed by somebody else: what it has is theirs.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Elsewhere(String);

impl Map {
    pub(super) async fn run(self) -> anyhow::Result<()> {
        let client = self.remote.client();
        let mut stop = Stop::listen().context("signals cannot be listened for")?;
        let invalid = if self.skip_invalid { Invalid::Skip } else { Invalid::Refuse };
        let found = tokio::select! {
            found = self.what.find(&client, &[]) => found?,
            () = stop.asked() => bail!("stopped before there was a job"),
        };
        let command = format!("tequio map {}", self.what.op);
        let mut inputs = Inputs::open(found.op.params(), &Source::Stdin, invalid, command)?;
        let opened = tokio::select! {
            opened = self.open_job(&client, &found, &mut inputs) => opened?,
            () = stop.asked() => bail!("stopped before there was a job"),
        };
        match opened {
            Some((id, first)) => Mapping::new(&client, id).run(inputs, &first, stop).await,
            // Nothing is nothing.
            None => {
                tell_skipped(&inputs);
                Ok(())
            }
        }
    }

    /// Opens a job with the first inputs, which it says as well. Where there are none, or something is
    /// wrong before the first, there is no job.
    async fn open_job(
        &self,
        client: &Client,
        found: &Found,
        inputs: &mut Inputs,
    ) -> anyhow::Result<Option<(JobId, Block)>> {
        // Whoever may not submit hears of it before anything is typed.
        client.send(client.request(Method::POST, "api/operator")).await?;
        let mut first = inputs.next_block(PATIENCE).await?;
        while first.count == 0 && !first.is_last {
            first = inputs.next_block(PATIENCE).await?;
        }
        if first.count == 0 {
            return Ok(None);
        }
        let (priority, line) = (self.priority.to_string(), first.line.to_string());
        // It is closed in a second step, that its results may be followed from the first on.
        let what = found.query();
        let mut query: Vec<(&str, &str)> =
            what.iter().map(|(key, value)| (*key, value.as_str())).collect();
        query.extend([("priority", &*priority), ("more", "true"), ("line", &line)]);
        if let Some(name) = &self.name {
            query.push(("name", name));
        }
        let request = client.request(Method::POST, "api/jobs").query(&query);
        let job: JobView = client.json(request.body(first.text.clone())).await?;
        Ok(Some((job.id, first)))
    }
}

/// A job that is fed and read.
struct Mapping {
    client: Client,
    id: JobId,
    /// Results that are written.
    written: watch::Sender<u64>,
    /// Whether all of stdin was sent.
    is_fed: Cell<bool>,
}

impl Mapping {
    fn new(client: &Client, id: JobId) -> Mapping {
        let written = watch::Sender::new(0);
        Mapping { client: client.clone(), id, written, is_fed: Cell::new(false) }
    }

    async fn run(&self, inputs: Inputs, first: &Block, mut stop: Stop) -> anyhow::Result<()> {
        let done = tokio::select! {
            done = self.feed_and_write(inputs, first) => done,
            never = show(&self.client, self.id) => match never {},
            () = stop.asked() => return self.leave(&mut stop).await,
        };
        if let Err(error) = done {
            // Ctrl-C in a pipeline ends who writes and who reads too, as the end of a terminal does,
            // and may be heard of a moment later.
            tokio::select! {
                () = sleep(CLIENT_POLL) => return Err(self.give_up(error).await),
                () = stop.asked() => return self.leave(&mut stop).await,
            }
        }
        let id = self.id;
        tokio::select! {
            job = self.client.insist(async || self.client.job(id).await) => self.succeeded(&job?),
            () = stop.asked() => bail!("stopped; `tequio job {id}` shows how job {id} ended"),
        }
    }

    fn succeeded(&self, job: &JobView) -> anyhow::Result<()> {
        jobs::succeeded(job)?;
        if self.is_fed.get() { Ok(()) } else { Err(self.closed(job).into()) }
    }

    /// Each goes on at its own pace, and what is between them is bounded.
    async fn feed_and_write(&self, inputs: Inputs, first: &Block) -> anyhow::Result<()> {
        let (feeding, writing) = (self.feed(inputs, first), self.write_results());
        tokio::pin!(feeding, writing);
        tokio::select! {
            fed = &mut feeding => {
                fed?;
                writing.await
            }
            // The job is over before its inputs are: somebody has cancelled or closed it.
            wrote = &mut writing => wrote,
        }
    }

    /// Reads stdin and appends it to the job, behind the `first` block.
    async fn feed(&self, mut inputs: Inputs, first: &Block) -> anyhow::Result<()> {
        let mut written = self.written.subscribe();
        let (mut sent, mut is_last) = (first.count, first.is_last);
        while !is_last {
            let block = inputs.next_block(PATIENCE).await?;
            // The server keeps what is ahead; what waits here is no more than a block.
            let may_send = |written: &u64| sent - written < MAP_AHEAD_TASKS_MAX;
            written.wait_for(may_send).await.context("results are no longer written")?;
            // One without inputs says that this is still there.
            if block.count > 0 || !block.is_last {
                self.append(sent, &block).await?;
            }
            sent += block.count;
            is_last = block.is_last;
        }
        // Said before the job can be over: that its results end may be seen first.
        tell_skipped(&inputs);
        self.is_fed.set(true);
        Ok(close(&self.client, self.id).await?)
    }

    /// Appends a block behind the `first` inputs of the job. A request that worked, but whose answer was
    /// lost, is seen to have worked.
    async fn append(&self, first: u64, block: &Block) -> anyhow::Result<()> {
        let appended = self.client.insist(async || {
            let line = block.line.max(1).to_string();
            let query = [("first", first.to_string()), ("more", "true".to_owned()), ("line", line)];
            let request = inputs_of(&self.client, self.id).query(&query);
            self.client.send(request.body(block.text.clone())).await.map(drop)
        });
        let Err(refused) = appended.await else { return Ok(()) };
        if !refused.is_conflict() {
            return Err(refused.into());
        }
        let job = self.client.insist(async || self.client.job(self.id).await).await?;
        match job.open {
            true if job.total == first + block.count => Ok(()),
            true => Err(refused.into()),
            false => Err(self.closed(&job).into()),
        }
    }

    fn closed(&self, job: &JobView) -> Elsewhere {
        let id = self.id;
        let written = *self.written.borrow();
        Elsewhere(match job.state {
            JobState::Cancelled => format!("job {id} is cancelled: {}", jobs::describe(job)),
            _ => format!(
                "job {id} was closed before stdin ended: it has {} tasks, and nothing behind them is \
                 computed; `tequio results {id} --first {written} --follow` gives the results that \
                 follow",
                job.total
            ),
        })
    }

    /// Writes results until the job is over.
    async fn write_results(&self) -> anyhow::Result<()> {
        let mut stream = Stream::new(self.client.clone(), self.id, Format::Jsonl, 0, u64::MAX);
        stream.is_following = true;
        while let Some(text) = stream.next().await? {
            // Beside the runtime, so that a reader who takes his time does not hold up Ctrl-C.
            if !tokio::task::spawn_blocking(move || print::bytes(&text)).await?? {
                bail!("nobody reads the results any more");
            }
            self.written.send_replace(stream.next_index());
        }
        Ok(())
    }

    /// The job goes on with the inputs that it has.
    async fn leave(&self, stop: &mut Stop) -> anyhow::Result<()> {
        let (id, written) = (self.id, *self.written.borrow());
        tokio::select! {
            closed = close(&self.client, id) => closed?,
            () = stop.asked() => bail!(
                "job {id} is left as it is: open for more inputs; `tequio close {id}` closes it"
            ),
        }
        bail!(
            "stopped; job {id} goes on with the inputs that it has, and \
             `tequio results {id} --first {written} --follow` gives the results that follow"
        )
    }

    /// Ends the job: what was begun is of no use to anybody. Says what became of it beside why.
    async fn give_up(&self, error: anyhow::Error) -> anyhow::Error {
        if error.is::<Elsewhere>() {
            return error;
        }
        let id = self.id;
        let request = self.client.request(Method::POST, &format!("api/jobs/{id}/cancel"));
        let became = match self.client.json::<JobView>(request).await {
            Ok(job) => format!("job {id} is {}", job.state.name()),
            // It was over before.
            Err(refused) if refused.is_conflict() => match self.client.job(id).await {
                Ok(job) => format!("job {id} is {}", job.state.name()),
                Err(lost) => format!("how job {id} ended is not known: {lost}"),
            },
            Err(refused) if refused.is_unknown() => {
                return anyhow!("job {id} was removed before stdin ended");
            }
            Err(refused) => format!("job {id} could not be cancelled: {refused}"),
        };
        anyhow!("{error:#}; {became}")
    }
}

fn tell_skipped(inputs: &Inputs) {
    if inputs.skipped().count > 0 {
        print::note(&format!("skipped {}", inputs.skipped()));
    }
}

/// Says that no more inputs follow. That is so, too, where it was closed before, or is over.
async fn close(client: &Client, id: JobId) -> Result<(), RequestError> {
    let path = format!("api/jobs/{id}/close");
    let closed = client
        .insist(async || client.send(client.request(Method::POST, &path)).await.map(drop))
        .await;
    match closed {
        Err(refused) if refused.is_conflict() => Ok(()),
        done => done,
    }
}

/// Shows how far the job is, for as long as it is polled.
async fn show(client: &Client, id: JobId) -> Infallible {
    let bar = print::bar();
    let mut watcher = Watcher::new(client);
    loop {
        // What cannot be asked now is asked again; those who need an answer say so.
        if let Ok(job) = client.job(id).await {
            bar.show(&job);
            if let Some(said) = watcher.look(&job).await {
                bar.note(&said);
            }
        }
        sleep(CLIENT_POLL).await;
    }
}
