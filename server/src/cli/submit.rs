//! `tequio submit`.

use super::client::{Client, Remote};
use super::jobs;
use super::print;
use anyhow::Context;
use clap::Args;
use hyper::http::Method;
use indicatif::HumanCount;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use tequio_protocol::api::{JobView, NewJob};
use tequio_protocol::grid::{Axis, Grid};
use tequio_protocol::op::Op;

#[derive(Debug, Args)]
#[command(after_help = "\
A value of a grid is a number (3), a list (1,2,5), or a range: 0..100 without its end, 0..=100 with \
it, 0..=1:0.25 in steps. The job has one task for every combination, in order; the last value \
varies fastest.

Lines of --input are JSON objects: {\"initial\":1,\"factor\":1.5,\"times\":10}")]
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

    /// A file of inputs instead, one JSON object a line; - is stdin
    #[arg(long, value_name = "FILE", conflicts_with = "initial")]
    input: Option<PathBuf>,

    /// Count and skip lines of --input that are no inputs, instead of refusing them all
    #[arg(long, requires = "input", conflicts_with = "initial")]
    skip_invalid: bool,

    /// The job's name
    #[arg(long)]
    name: Option<String>,

    /// Jobs of a higher priority are computed first
    #[arg(long, default_value_t = 0, allow_hyphen_values = true)]
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

impl Submit {
    pub(super) async fn run(self) -> anyhow::Result<()> {
        let client = self.remote.client();
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
            let mut text = Vec::new();
            io::stdin().read_to_end(&mut text)?;
            text
        } else {
            let read = std::fs::read(file);
            read.with_context(|| format!("{} cannot be read", file.display()))?
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
        let skipped = response.headers().get("tequio-skipped-lines").cloned();
        if let Some(skipped) = skipped.as_ref().and_then(|skipped| skipped.to_str().ok())
            && skipped != "0"
        {
            eprintln!("tequio: skipped lines that are no inputs: {skipped}");
        }
        Ok(client.read(response).await?)
    }
}
