//! `tequio map`: inputs from stdin to a job, its results to stdout, in order, as they come.

use super::client::{Client, Remote, RequestError};
use super::jobs;
use super::print;
use super::results::{Format, Lines};
use super::submit::parse_op;
use anyhow::{Context, bail};
use clap::Args;
use hyper::http::Method;
use std::io::{self, BufRead, Read as _};
use tequio_protocol::api::JobView;
use tequio_protocol::ids::JobId;
use tequio_protocol::limits::{
    CLIENT_POLL, INPUTS_BLOCK, LINE_BYTES_MAX, MAP_AHEAD_TASKS_MAX, MAP_BLOCK_WAIT,
    MAP_BLOCKS_WAITING_MAX,
};
use tequio_protocol::line;
use tequio_protocol::op::{Op, RepeatMultiply};
use tokio::signal::ctrl_c;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep, timeout_at};

#[derive(Debug, Args)]
#[command(after_help = "\
Lines are JSON objects: {\"initial\":1,\"factor\":1.5,\"times\":10}
Results are lines {\"index\":0,\"result\":57.6650390625} or {\"index\":3,\"error\":\"...\"}, in the \
order of the inputs.")]
pub(super) struct Map {
    /// What is computed: repeat_multiply
    #[arg(value_name = "OP", value_parser = parse_op)]
    op: Op,

    /// Count and skip lines that are no inputs, instead of stopping at them
    #[arg(long)]
    skip_invalid: bool,

    /// The job's name
    #[arg(long)]
    name: Option<String>,

    /// Jobs of a higher priority are computed first
    #[arg(long, default_value_t = 0, allow_hyphen_values = true)]
    priority: i32,

    #[command(flatten)]
    remote: Remote,
}

/// What stdin says, line by line.
enum Read {
    Input(RepeatMultiply),
    /// What is wrong, with the line's number.
    Bad(String),
    Broken(io::Error),
}

impl Map {
    pub(super) async fn run(self) -> anyhow::Result<()> {
        let client = self.remote.client();
        let id = self.open_job(&client).await?;
        let (written, is_written) = watch::channel(0);
        let feed = Feed {
            client: client.clone(),
            id,
            skip_invalid: self.skip_invalid,
            sent: 0,
            written: is_written,
        };
        // Each goes on at its own pace, and what is between them is bounded.
        let both = async {
            let (feeding, writing) = (feed.run(), write_results(&client, id, &written));
            tokio::pin!(feeding, writing);
            tokio::select! {
                fed = &mut feeding => {
                    fed?;
                    writing.await
                }
                // The job is over before its inputs are: somebody has cancelled it.
                wrote = &mut writing => wrote,
            }
        };
        let done = tokio::select! {
            done = both => done,
            never = show(&client, id) => never,
            _ = ctrl_c() => return self.leave(&client, id, *written.borrow()).await,
        };
        if let Err(error) = done {
            self.cancel(&client, id).await;
            return Err(error);
        }
        tokio::select! {
            job = client.insist(async || client.job(id).await) => jobs::succeeded(&job?),
            _ = ctrl_c() => bail!("stopped; `tequio job {id}` shows how job {id} ended"),
        }
    }

    async fn open_job(&self, client: &Client) -> Result<JobId, RequestError> {
        let priority = self.priority.to_string();
        let mut query = vec![("op", self.op.name()), ("priority", &priority), ("more", "true")];
        if let Some(name) = &self.name {
            query.push(("name", name));
        }
        let request = client.request(Method::POST, "api/jobs").query(&query);
        Ok(client.json::<JobView>(request).await?.id)
    }

    /// The job goes on with the inputs that it has.
    async fn leave(&self, client: &Client, id: JobId, written: u64) -> anyhow::Result<()> {
        tokio::select! {
            closed = close(client, id) => closed?,
            _ = ctrl_c() => bail!("job {id} is left as it is: open for more inputs"),
        }
        bail!(
            "stopped; job {id} goes on with the inputs that it has, and \
             `tequio results {id} --first {written} --follow` gives the results that follow"
        )
    }

    /// What was begun is of no use to anybody; that it could not be ended is no news beside why.
    async fn cancel(&self, client: &Client, id: JobId) {
        let request = client.request(Method::POST, &format!("api/jobs/{id}/cancel"));
        if let Err(error) = client.send(request).await {
            eprintln!("tequio: job {id} could not be cancelled: {error}");
        }
    }
}

/// Reads stdin and appends it to the job.
struct Feed {
    client: Client,
    id: JobId,
    skip_invalid: bool,
    sent: u64,
    written: watch::Receiver<u64>,
}

impl Feed {
    async fn run(mut self) -> anyhow::Result<()> {
        let mut lines = read_stdin();
        let mut skipped = 0;
        loop {
            let (block, is_last) = self.next_block(&mut lines, &mut skipped).await?;
            let count = block.lines().count() as u64;
            // The server keeps what is ahead; what waits here is no more than a block.
            let may_send = |written: &u64| self.sent - written < MAP_AHEAD_TASKS_MAX;
            self.written.wait_for(may_send).await.context("results are no longer written")?;
            append(&self.client, self.id, self.sent, &block).await?;
            self.sent += count;
            if is_last {
                // Said before the job can be over: that its results end may be seen first.
                if skipped > 0 {
                    eprintln!("tequio: skipped lines that are no inputs: {skipped}");
                }
                close(&self.client, self.id).await?;
                return Ok(());
            }
        }
    }

    /// A block of inputs as they are sent, full or as much as came in a short while; whether it is
    /// the last.
    async fn next_block(
        &self,
        lines: &mut mpsc::Receiver<Read>,
        skipped: &mut u64,
    ) -> anyhow::Result<(String, bool)> {
        let mut block = String::new();
        let mut until = None;
        for _ in 0..INPUTS_BLOCK {
            let next = match until {
                None => lines.recv().await,
                Some(until) => match timeout_at(until, lines.recv()).await {
                    Ok(next) => next,
                    Err(_) => return Ok((block, false)),
                },
            };
            until.get_or_insert_with(|| Instant::now() + MAP_BLOCK_WAIT);
            match next {
                None => return Ok((block, true)),
                Some(Read::Input(input)) => {
                    block += &serde_json::to_string(&input).context("an input is JSON")?;
                    block.push('\n');
                }
                Some(Read::Bad(_)) if self.skip_invalid => *skipped += 1,
                Some(Read::Bad(reason)) => bail!(reason),
                Some(Read::Broken(error)) => return Err(error).context("stdin cannot be read"),
            }
        }
        Ok((block, false))
    }
}

/// Appends lines behind the `first` inputs of a job. A request that worked, but whose answer was
/// lost, is seen to have worked.
async fn append(client: &Client, id: JobId, first: u64, lines: &str) -> Result<(), RequestError> {
    let count = lines.lines().count() as u64;
    if count == 0 {
        return Ok(());
    }
    let attempt = async || match grow(client, id, first, lines, true).await {
        Err(refused) if refused.is_conflict() => {
            let has_grown = client.job(id).await?.total == first + count;
            if has_grown { Ok(()) } else { Err(refused) }
        }
        done => done,
    };
    client.insist(attempt).await
}

/// Says that no more inputs follow.
async fn close(client: &Client, id: JobId) -> Result<(), RequestError> {
    let attempt = async || loop {
        let total = client.job(id).await?.total;
        match grow(client, id, total, "", false).await {
            // It was closed before, or is over; or what was on its way has arrived meanwhile.
            Err(refused) if refused.is_conflict() => {
                if client.job(id).await?.total == total {
                    return Ok(());
                }
            }
            done => return done,
        }
    };
    client.insist(attempt).await
}

async fn grow(
    client: &Client,
    id: JobId,
    first: u64,
    lines: &str,
    more: bool,
) -> Result<(), RequestError> {
    let query = [("first", first.to_string()), ("more", more.to_string())];
    let request = client.request(Method::POST, &format!("api/jobs/{id}/inputs"));
    client.send(request.query(&query).body(lines.to_owned())).await.map(drop)
}

/// Writes results until the job is over.
async fn write_results(
    client: &Client,
    id: JobId,
    written: &watch::Sender<u64>,
) -> anyhow::Result<()> {
    let mut lines = Lines::new(client.clone(), id, Format::Jsonl, 0, u64::MAX);
    lines.is_following = true;
    while let Some(text) = lines.next().await? {
        // Beside the runtime, so that a reader who takes his time does not hold up Ctrl-C.
        if !tokio::task::spawn_blocking(move || print::bytes(&text)).await?? {
            // Ctrl-C in a pipeline ends the reader too, and may be heard of a moment later.
            sleep(CLIENT_POLL).await;
            bail!("nobody reads the results any more; job {id} is cancelled");
        }
        written.send_replace(lines.next_index());
    }
    Ok(())
}

/// Shows how far the job is, for as long as it is polled.
async fn show(client: &Client, id: JobId) -> anyhow::Result<()> {
    let bar = print::bar();
    loop {
        // What cannot be asked now is asked again; those who need an answer say so.
        if let Ok(job) = client.job(id).await {
            bar.show(&job);
        }
        sleep(CLIENT_POLL).await;
    }
}

/// Reads lines in a thread of its own, since reading stdin cannot be interrupted.
fn read_stdin() -> mpsc::Receiver<Read> {
    let (read, lines) = mpsc::channel(INPUTS_BLOCK * MAP_BLOCKS_WAITING_MAX);
    std::thread::spawn(move || {
        let mut stdin = io::stdin().lock();
        for number in 1u64.. {
            let line = match next_line(&mut stdin) {
                Ok(None) => return,
                Ok(Some(text)) => read_line(number, &text),
                Err(error) => Some(Read::Broken(error)),
            };
            let is_broken = matches!(line, Some(Read::Broken(_)));
            // Nobody listens any more where the command is over.
            if line.is_some_and(|line| read.blocking_send(line).is_err()) || is_broken {
                return;
            }
        }
    });
    lines
}

/// The next line, or a byte more than is allowed of one that is too long.
fn next_line(stdin: &mut impl BufRead) -> io::Result<Option<Vec<u8>>> {
    let mut text = Vec::new();
    let bytes_max = LINE_BYTES_MAX as u64 + 1;
    if stdin.by_ref().take(bytes_max).read_until(b'\n', &mut text)? == 0 {
        return Ok(None);
    }
    if text.len() as u64 == bytes_max && text.last() != Some(&b'\n') {
        stdin.skip_until(b'\n')?;
    }
    Ok(Some(text))
}

/// What a line says; nothing where it is blank.
fn read_line(number: u64, text: &[u8]) -> Option<Read> {
    match line::read(text) {
        Ok(input) => input.map(Read::Input),
        Err(said) => Some(Read::Bad(format!("line {number}: {said}"))),
    }
}
