//! `tequio submit`.

use super::client::{Client, Remote};
use super::jobs;
use super::print;
use anyhow::Context;
use clap::Args;
use futures_util::stream::{poll_fn, try_unfold};
use indicatif::HumanCount;
use reqwest::{Body, Method};
use std::fmt::Display;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use tequio_protocol::api::{JobView, NewJob};
use tequio_protocol::grid::{Axis, Grid};
use tequio_protocol::limits::READ_BYTES;
use tequio_protocol::op::Op;
use tequio_protocol::reader::Skipped;
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::sync::mpsc;

#[derive(Debug, Args)]
#[command(after_help = "\
A value of a grid is a number (3), a list (1,2,5), or a range: 0..100 without its end, 0..=100 with \
it, 0..=1:0.25 in steps. The job has one task for every combination, in order; the last value \
varies fastest.

--input has lines of JSON, {\"initial\":1,\"factor\":1.5,\"times\":10}, one JSON array of such objects, or \
CSV whose header has initial, factor and times.")]
pub(super) struct Submit {
    /// What is computed: repeat_multiply, which is INITIAL × FACTOR^TIMES
    #[arg(value_name = "OP", value_parser = parse_op)]
    op: Op,

    /// The values to begin with
    #[arg(long, value_name = "VALUES", requires_all = ["factor", "times"])]
    #[arg(required_unless_present = "input", allow_hyphen_values = true)]
    initial: Option<Axis>,

    /// The values to multiply by
    #[arg(long, value_name = "VALUES", requires = "initial", allow_hyphen_values = true)]
    factor: Option<Axis>,

    /// How many times
    #[arg(long, value_name = "VALUES", requires = "initial", allow_hyphen_values = true)]
    times: Option<Axis>,

    /// A file of inputs instead: lines of JSON, a JSON array or CSV; - is stdin
    #[arg(long, value_name = "FILE", conflicts_with = "initial")]
    input: Option<PathBuf>,

    /// Count and skip lines of --input that are no inputs, instead of refusing them all
    #[arg(long, requires = "input", conflicts_with = "initial")]
    skip_invalid: bool,

    /// The job's name
    #[arg(long)]
    name: Option<String>,

    /// Jobs of a higher priority are computed first
    #[arg(long, default_value_t = 0, allow_hyphen_values = true, value_parser = parse_priority)]
    priority: i32,

    /// Wait until the job is over; fails unless every task has a result
    #[arg(long)]
    wait: bool,

    #[command(flatten)]
    remote: Remote,
}

pub(super) fn parse_op(name: &str) -> Result<Op, String> {
    let names: Vec<&str> = Op::ALL.iter().map(|op| op.name()).collect();
    Op::named(name).ok_or_else(|| format!("there is {}", names.join(", ")))
}

pub(super) fn parse_priority(text: &str) -> Result<i32, String> {
    whole(text, i32::MIN, i32::MAX)
}

/// A whole number within bounds. What the standard library says of others is about digits in strings.
pub(super) fn whole<T: FromStr + PartialOrd + Display>(
    text: &str,
    least: T,
    most: T,
) -> Result<T, String> {
    let value = text.trim().parse().ok().filter(|value| (&least..=&most).contains(&value));
    value.ok_or_else(|| format!("it must be a whole number from {least} to {most}"))
}

impl Submit {
    pub(super) async fn run(self) -> anyhow::Result<()> {
        let client = self.remote.client()?;
        let job = match &self.input {
            Some(file) => self.submit_lines(&client, file).await?,
            None => self.submit_grid(&client).await?,
        };
        let id = job.id;
        if !self.wait {
            if self.remote.json {
                return print::json(&job);
            }
            let tasks = HumanCount(job.total);
            return print::lines(&[
                format!("Job {id} submitted: {tasks} tasks"),
                format!("`tequio job {id}` shows how far it is, `tequio results {id}` what came"),
            ]);
        }
        tokio::select! {
            done = jobs::wait(&client, id, self.remote.json) => done,
            _ = tokio::signal::ctrl_c() => anyhow::bail!(
                "job {id} goes on; `tequio job {id}` shows how far it is, \
                 `tequio results {id} --follow` its results as they come"
            ),
        }
    }

    async fn submit_grid(&self, client: &Client) -> anyhow::Result<JobView> {
        let axes = (self.initial.clone(), self.factor.clone(), self.times.clone());
        let (Some(initial), Some(factor), Some(times)) = axes else {
            anyhow::bail!("a grid needs --initial, --factor and --times");
        };
        let grid = Grid::new(initial, factor, times)?;
        let job = NewJob { op: self.op, grid, name: self.name.clone(), priority: self.priority };
        let request = client.request(Method::POST, "api/jobs").json(&job);
        Ok(client.json(request).await?)
    }

    async fn submit_lines(&self, client: &Client, file: &Path) -> anyhow::Result<JobView> {
        let body = if file == Path::new("-") {
            stdin()
        } else {
            let opened = tokio::fs::File::open(file).await;
            stream(opened.with_context(|| format!("{} cannot be read", file.display()))?)
        };
        let priority = self.priority.to_string();
        let skip = self.skip_invalid.to_string();
        let mut query =
            vec![("op", self.op.name()), ("priority", &priority), ("skip_invalid", &skip)];
        if let Some(name) = &self.name {
            query.push(("name", name));
        }
        let request = client.request(Method::POST, "api/jobs").query(&query).body(body);
        let response = client.send(request).await?;
        let header = |name| response.headers().get(name).and_then(|value| value.to_str().ok());
        let skipped = Skipped {
            count: header("tequio-skipped-lines").and_then(|count| count.parse().ok()).unwrap_or(0),
            first: header("tequio-skipped-first")
                .map(|first| first.split(',').filter_map(|line| line.parse().ok()).collect())
                .unwrap_or_default(),
        };
        if skipped.count > 0 {
            eprintln!("tequio: skipped {skipped}");
        }
        Ok(client.read(response).await?)
    }
}

/// Stdin as a body, read in a thread of its own: reading it cannot be interrupted, and a command
/// that was refused does not wait for what somebody may still type.
fn stdin() -> Body {
    let (read, mut chunks) = mpsc::channel(1);
    std::thread::spawn(move || {
        let mut stdin = io::stdin().lock();
        loop {
            let mut bytes = vec![0; READ_BYTES];
            let chunk = match stdin.read(&mut bytes) {
                Ok(0) => return,
                Ok(count) => Ok(bytes[..count].to_vec()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => Err(error),
            };
            let is_broken = chunk.is_err();
            // Nobody listens any more where the command is over.
            if read.blocking_send(chunk).is_err() || is_broken {
                return;
            }
        }
    });
    Body::wrap_stream(poll_fn(move |context| chunks.poll_recv(context)))
}

/// A body that is read as it is sent.
fn stream(file: impl AsyncRead + Send + Unpin + 'static) -> Body {
    Body::wrap_stream(try_unfold(file, |mut file| async {
        let mut bytes = Vec::with_capacity(READ_BYTES);
        let read = file.read_buf(&mut bytes).await?;
        Ok::<_, std::io::Error>((read > 0).then_some((bytes, file)))
    }))
}
