//! `tequio map`: inputs from stdin to a job, its results to stdout, in order, as they come.

use super::client::{Client, Remote, RequestError};
use super::jobs;
use super::print;
use super::results::{Format, Lines};
use super::submit::{parse_op, parse_priority};
use anyhow::{Context, bail};
use clap::Args;
use reqwest::Method;
use std::io::{self, BufRead};
use tequio_protocol::api::JobView;
use tequio_protocol::ids::JobId;
use tequio_protocol::limits::{
    CLIENT_POLL, INPUTS_BLOCK, MAP_AHEAD_TASKS_MAX, MAP_BLOCK_WAIT, MAP_BLOCKS_WAITING_MAX,
};
use tequio_protocol::op::{Op, RepeatMultiply};
use tequio_protocol::reader::{InputLines, Invalid, Numbering, Reader, Refused, Skipped, Start};
use tokio::signal::ctrl_c;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep, timeout_at};

#[derive(Debug, Args)]
#[command(after_help = "\
Inputs are lines of JSON, {\"initial\":1,\"factor\":1.5,\"times\":10}, one JSON array of such objects, \
or CSV with a header.
Results are lines {\"index\":0,\"line\":1,\"result\":57.6650390625} or \
{\"index\":3,\"line\":5,\"error\":\"...\"}, in the order of the inputs.")]
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
    #[arg(long, default_value_t = 0, allow_hyphen_values = true, value_parser = parse_priority)]
    priority: i32,

    #[command(flatten)]
    remote: Remote,
}

/// What stdin says.
enum Read {
    /// An input, and the number of its line.
    Input(u64, RepeatMultiply),
    /// What is wrong, with the line's number.
    Bad(String),
    Broken(io::Error),
    /// There is no more; these lines are no inputs.
    End(Skipped),
}

impl Map {
    pub(super) async fn run(self) -> anyhow::Result<()> {
        let client = self.remote.client()?;
        let id = self.open_job(&client).await?;
        let (written, is_written) = watch::channel(0);
        let feed = Feed {
            client: client.clone(),
            id,
            invalid: if self.skip_invalid { Invalid::Skip } else { Invalid::Refuse },
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
    invalid: Invalid,
    sent: u64,
    written: watch::Receiver<u64>,
}

impl Feed {
    async fn run(mut self) -> anyhow::Result<()> {
        let mut lines = read_stdin(self.invalid);
        let mut held = None;
        let mut skipped = Skipped::default();
        loop {
            let (block, is_last) = self.next_block(&mut lines, &mut held, &mut skipped).await?;
            // The server keeps what is ahead; what waits here is no more than a block.
            let may_send = |written: &u64| self.sent - written < MAP_AHEAD_TASKS_MAX;
            self.written.wait_for(may_send).await.context("results are no longer written")?;
            append(&self.client, self.id, self.sent, &block).await?;
            self.sent += block.count;
            if is_last {
                // Said before the job can be over: that its results end may be seen first.
                if skipped.count > 0 {
                    eprintln!("tequio: skipped {skipped}");
                }
                close(&self.client, self.id).await?;
                return Ok(());
            }
        }
    }

    /// A block of inputs as they are sent, full or as much as came in a short while; whether it is
    /// the last. `held` is the input that begins the next block.
    async fn next_block(
        &self,
        lines: &mut mpsc::Receiver<Read>,
        held: &mut Option<Read>,
        skipped: &mut Skipped,
    ) -> anyhow::Result<(InputLines, bool)> {
        let mut block = InputLines::default();
        let mut until = None;
        for _ in 0..INPUTS_BLOCK {
            let next = match (held.take(), until) {
                (Some(held), _) => Some(held),
                (None, None) => lines.recv().await,
                (None, Some(until)) => match timeout_at(until, lines.recv()).await {
                    Ok(next) => next,
                    Err(_) => return Ok((block, false)),
                },
            };
            until.get_or_insert_with(|| Instant::now() + MAP_BLOCK_WAIT);
            match next {
                None => return Ok((block, true)),
                Some(Read::Input(line, input)) => {
                    if !block.takes(line) {
                        *held = Some(Read::Input(line, input));
                        return Ok((block, false));
                    }
                    block.push(line, &input);
                }
                Some(Read::End(lines)) => {
                    *skipped = lines;
                    return Ok((block, true));
                }
                Some(Read::Bad(reason)) => bail!(reason),
                Some(Read::Broken(error)) => return Err(error).context("stdin cannot be read"),
            }
        }
        Ok((block, false))
    }
}

/// Appends lines behind the `first` inputs of a job. A request that worked, but whose answer was
/// lost, is seen to have worked.
async fn append(
    client: &Client,
    id: JobId,
    first: u64,
    lines: &InputLines,
) -> Result<(), RequestError> {
    let count = lines.count;
    if count == 0 {
        return Ok(());
    }
    let line = Some(lines.first_line);
    let attempt = async || match grow(client, id, first, line, &lines.text, true).await {
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
        match grow(client, id, total, None, "", false).await {
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
    line: Option<u64>,
    lines: &str,
    more: bool,
) -> Result<(), RequestError> {
    let mut query = vec![("first", first.to_string()), ("more", more.to_string())];
    query.extend(line.map(|line| ("line", line.to_string())));
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

/// Reads inputs in a thread of its own, since reading stdin cannot be interrupted.
fn read_stdin(invalid: Invalid) -> mpsc::Receiver<Read> {
    let (read, lines) = mpsc::channel(INPUTS_BLOCK * MAP_BLOCKS_WAITING_MAX);
    std::thread::spawn(move || {
        let mut reader = Reader::new(Start { index: 0, line: 1 }, invalid);
        let mut stdin = io::stdin().lock();
        let mut numbers = Numbering::default();
        loop {
            let (count, is_last) = match stdin.fill_buf() {
                Ok(bytes) if bytes.is_empty() => (0, Some(end(&mut reader))),
                Ok(bytes) => {
                    let refused = reader.push(bytes).err().map(refusal);
                    (bytes.len(), refused)
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => (0, Some(Read::Broken(error))),
            };
            stdin.consume(count);
            // What came before an end is computed.
            for (line, input) in numbers.number(reader.take()) {
                // Nobody listens any more where the command is over.
                if read.blocking_send(Read::Input(line, input)).is_err() {
                    return;
                }
            }
            if let Some(last) = is_last {
                read.blocking_send(last).ok();
                return;
            }
        }
    });
    lines
}

fn end(reader: &mut Reader) -> Read {
    match reader.end() {
        Ok(()) => Read::End(reader.skipped().clone()),
        Err(refused) => refusal(refused),
    }
}

fn refusal(refused: Refused) -> Read {
    Read::Bad(refused.message("tequio map repeat_multiply"))
}
