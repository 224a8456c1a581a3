//! `tequio submit`.

use super::asked::{AXES_HELP, Asked, Found};
use super::client::{Client, Remote};
use super::http::Request;
use super::inputs::{Block, Inputs, Patience, Source};
use super::jobs;
use super::misuse;
use super::print;
use super::stop::Stop;
use anyhow::{Context, anyhow, bail};
use clap::Args;
use hyper::http::Method;
use indicatif::HumanCount;
use std::cell::Cell;
use std::path::PathBuf;
use tequio_protocol::api::{DraftView, JobView};
use tequio_protocol::ids::JobId;
use tequio_protocol::limits::UPLOAD_BLOCK_WAIT;
use tequio_protocol::line;
use tequio_protocol::reader::Invalid;

/// Blocks are filled, unless their source is slow: a draft is kept for so long.
const PATIENCE: Patience = Patience { first: UPLOAD_BLOCK_WAIT, rest: UPLOAD_BLOCK_WAIT };

#[derive(Debug, Args)]
#[command(after_help = format!("{AXES_HELP}\n\n{INPUT_HELP}"))]
pub(super) struct Submit {
    #[command(flatten)]
    asked: Asked,

    /// A file of inputs instead: lines of JSON, a JSON array or CSV; - is stdin
    #[arg(long, value_name = "FILE", conflicts_with_all = ["axes", "initial", "factor", "times"])]
    input: Option<PathBuf>,

    /// Count and skip lines of --input that are no inputs, instead of refusing them all
    #[arg(long, requires = "input", conflicts_with_all = ["axes", "initial", "factor", "times"])]
    skip_invalid: bool,

    /// Wait until the job is over; fails unless every task has a result
    #[arg(long)]
    wait: bool,

    #[command(flatten)]
    remote: Remote,
}

const INPUT_HELP: &str = "\
--input has lines of JSON, {\"initial\":1,\"factor\":1.5,\"times\":10}, one JSON array of such objects, or \
CSV whose header has initial, factor and times; other ops have other parameters.";

/// What a job is computed of.
enum Given {
    Grid,
    Lines(Source),
}

impl Submit {
    pub(super) async fn run(self) -> anyhow::Result<()> {
        let given = match &self.input {
            Some(file) => Given::Lines(Source::of(file)),
            None => {
                self.asked.grid_of_built_in().map_err(|said| misuse("submit", &said))?;
                Given::Grid
            }
        };
        let client = self.remote.client();
        let mut stop = Stop::listen().context("signals cannot be listened for")?;
        let draft = Cell::new(None);
        let job = tokio::select! {
            job = self.submit(&client, given, &draft) => job?,
            () = stop.asked() => return Err(stopped(&client, draft.get(), &mut stop).await),
        };
        let id = job.id;
        if !self.wait {
            if self.remote.json {
                return print::json(&job);
            }
            return print::lines(&[
                format!("Job {id} submitted: {} tasks", HumanCount(job.total)),
                format!("`tequio job {id}` shows how far it is, `tequio results {id}` what came"),
            ]);
        }
        print::note(&submitted(&job));
        tokio::select! {
            done = jobs::wait(&client, id, self.remote.json) => done,
            () = stop.asked() => bail!("{}", goes_on(id)),
        }
    }

    /// `draft` is the job that is not submitted to its end, while there is one.
    async fn submit(
        &self,
        client: &Client,
        given: Given,
        draft: &Cell<Option<JobId>>,
    ) -> anyhow::Result<JobView> {
        let found = self.asked.find(client).await?;
        match given {
            Given::Lines(source) => self.submit_lines(client, &found, &source, draft).await,
            Given::Grid => {
                let grid = self.asked.grid(found.op).map_err(|said| misuse("submit", &said))?;
                Ok(self.asked.submit(client, &found, grid).await?)
            }
        }
    }

    async fn submit_lines(
        &self,
        client: &Client,
        found: &Found,
        source: &Source,
        draft: &Cell<Option<JobId>>,
    ) -> anyhow::Result<JobView> {
        let mut job = self.try_submit_lines(client, found, source, draft).await?;
        // A server that was started again has forgotten what it had; a file has not.
        while job.is_none() {
            if *source == Source::Stdin {
                bail!(
                    "the server was started again and has discarded what it was sent of stdin; \
                     nothing is submitted"
                );
            }
            print::note("the server was started again; the file is sent anew");
            job = self.try_submit_lines(client, found, source, draft).await?;
        }
        job.context("nothing is submitted")
    }

    /// Sends all inputs, in one request if they fit. What needs several is a draft until the last of
    /// them; `None` where that is lost.
    async fn try_submit_lines(
        &self,
        client: &Client,
        found: &Found,
        source: &Source,
        draft: &Cell<Option<JobId>>,
    ) -> anyhow::Result<Option<JobView>> {
        let invalid = if self.skip_invalid { Invalid::Skip } else { Invalid::Refuse };
        let op = found.op;
        let command = format!("tequio submit {} --input -", self.asked.what.op);
        let mut inputs = Inputs::open(op.params(), source, invalid, command)?;
        // Whoever may not submit hears of it before everything is read.
        client.send(client.request(Method::POST, "api/operator")).await?;
        let first = inputs.next_block(PATIENCE).await?;
        let job = match first.is_last {
            true if first.count == 0 => {
                bail!("{}", nothing_in(source, &line::example(op.params()), &inputs))
            }
            true => Some(client.json(self.begin(client, found, &first, "false")).await?),
            false => {
                let begun = self.begin(client, found, &first, "true");
                let begun: DraftView = client.json(begun).await?;
                draft.set(Some(begun.id));
                let sent = send_rest(client, begun, &mut inputs).await;
                if sent.is_err() {
                    discard(client, begun.id).await;
                }
                draft.set(None);
                sent?
            }
        };
        if job.is_some() && inputs.skipped().count > 0 {
            print::note(&format!("skipped {}", inputs.skipped()));
        }
        Ok(job)
    }

    fn begin(&self, client: &Client, found: &Found, first: &Block, draft: &str) -> Request {
        let Asked { name, priority, .. } = &self.asked;
        let (priority, line) = (priority.to_string(), first.line.max(1).to_string());
        let what = found.query();
        let mut query: Vec<(&str, &str)> =
            what.iter().map(|(key, value)| (*key, value.as_str())).collect();
        query.extend([("priority", &*priority), ("draft", draft), ("line", &line)]);
        if let Some(name) = name {
            query.push(("name", name));
        }
        let request = client.request(Method::POST, "api/jobs").query(&query);
        request.body(first.text.clone())
    }
}

/// Removes a draft. Where that fails, the server does so in a while.
async fn discard(client: &Client, draft: JobId) {
    let path = format!("api/jobs/{draft}");
    client.send(client.request(Method::DELETE, &path)).await.ok();
}

/// What a person is told who has stopped a submission.
async fn stopped(client: &Client, draft: Option<JobId>, stop: &mut Stop) -> anyhow::Error {
    let Some(draft) = draft else {
        return anyhow!("stopped before it was submitted; `tequio jobs` shows what the server has");
    };
    tokio::select! {
        () = discard(client, draft) => {}
        () = stop.asked() => {}
    }
    anyhow!("stopped before everything was sent; nothing is submitted")
}

/// That a job was submitted, in a note.
pub(super) fn submitted(job: &JobView) -> String {
    format!("job {} submitted: {} tasks", job.id, HumanCount(job.total))
}

/// What a person is told who no longer waits for a job.
pub(super) fn goes_on(id: JobId) -> String {
    format!(
        "job {id} goes on; `tequio job {id}` shows how far it is, `tequio results {id} --follow` its \
         results as they come"
    )
}

fn nothing_in(source: &Source, example: &str, inputs: &Inputs) -> String {
    let name = source.name();
    match inputs.skipped().count {
        0 => format!("there are no inputs in {name}: one JSON object a line, {example}"),
        skipped => format!("none of the {skipped} lines of {name} is an input"),
    }
}

/// Sends what follows the first block of a draft; `None` where the server has lost the draft. Each
/// request may be repeated, so that a server that is started again behind a proxy is waited for.
async fn send_rest(
    client: &Client,
    draft: DraftView,
    inputs: &mut Inputs,
) -> anyhow::Result<Option<JobView>> {
    let DraftView { id, mut total } = draft;
    loop {
        let block = inputs.next_block(PATIENCE).await?;
        let query = [
            ("first", total.to_string()),
            ("draft", (!block.is_last).to_string()),
            ("line", block.line.max(1).to_string()),
        ];
        let request = || inputs_of(client, id).query(&query).body(block.text.clone());
        total += block.count;
        let sent = client.insist(async || client.send(request()).await).await;
        match sent {
            Ok(answer) if block.is_last => return Ok(Some(client.read(answer).await?)),
            Ok(_) => {}
            Err(refused) if refused.is_unknown() => return Ok(None),
            Err(refused) if refused.is_conflict() && block.is_last => {
                // The answer to the last request was lost with its server, and the job is there.
                let job = client.insist(async || client.job(id).await).await?;
                return if job.total == total { Ok(Some(job)) } else { Err(refused.into()) };
            }
            Err(refused) => return Err(refused.into()),
        }
    }
}

/// A request that adds inputs to a job, or to a draft.
pub(super) fn inputs_of(client: &Client, id: JobId) -> Request {
    client.request(Method::POST, &format!("api/jobs/{id}/inputs"))
}
