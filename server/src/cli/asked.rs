//! A job of a grid as a command asks for it: an op, and an axis for each of its parameters.

use super::client::{Client, RequestError};
use crate::kernels::op_of;
use anyhow::{Context, anyhow, bail, ensure};
use clap::Args;
use hyper::http::Method;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;
use std::fmt::Display;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use tequio_kernel::{DATA_BYTES_MAX, MODULE_BYTES_MAX};
use tequio_protocol::api::{JobRequest, JobView, KernelView};
use tequio_protocol::check::Check;
use tequio_protocol::grid::{Axis, Grid};
use tequio_protocol::limits::NAME_CHARS_MAX;
use tequio_protocol::number::Number;
use tequio_protocol::op::{self, Op, OpId};

/// What an axis is, for the help of commands that take some.
pub(super) const AXES_HELP: &str = "\
An axis is a number (3), a list (1,2,5), or a range: 0..100 without its end, 0..=100 with it, \
0..=1:0.25 in steps. The job has one task for every combination of values, in order; the last axis \
varies fastest.";

/// What is computed.
#[derive(Debug, Args)]
pub(super) struct What {
    /// What is computed: an op (see `tequio ops`), a kernel's name or hash (see `tequio kernel list`), or a file with
    /// a kernel, which is added
    #[arg(value_name = "OP")]
    pub(super) op: String,

    /// Tasks in a block of a kernel, a power of two; measured where nothing is said
    #[arg(long, value_name = "N")]
    block: Option<u64>,

    /// A file that a kernel is given before its tasks
    #[arg(long, value_name = "FILE")]
    data: Option<PathBuf>,

    /// How results are checked: auto (the server computes some again), all (it computes all again), none, or twice
    /// (two workers compute each)
    #[arg(long, value_name = "HOW", default_value_t)]
    check: Check,
}

/// What is computed, once the server has been asked.
#[derive(Debug)]
pub(super) struct Found {
    /// What its parameters are.
    pub(super) op: &'static dyn Op,
    /// What a request calls it.
    pub(super) id: String,
    pub(super) block: Option<u64>,
    /// The hash of the data.
    pub(super) data: Option<String>,
    pub(super) check: Check,
}

impl What {
    /// Finds out what is to be computed; adds a kernel, and data, that are files here.
    ///
    /// # Errors
    ///
    /// Returns what is not there, or why it is not taken.
    pub(super) async fn find(&self, client: &Client, axes: &[String]) -> anyhow::Result<Found> {
        let What { op, block, data, check } = self;
        let check = *check;
        if let Some(op) = op::named(op) {
            let flag = if block.is_some() { "--block" } else { "--data" };
            ensure!(
                block.is_none() && data.is_none(),
                "{flag} is for kernels; {} is none",
                op.name()
            );
            return Ok(Found { op, id: op.name().to_owned(), block: None, data: None, check });
        }
        let kernel = find_kernel(client, op).await?;
        let data = match data {
            Some(file) => Some(send_data(client, file).await?),
            None => None,
        };
        let hash = data.as_ref().map(|data| data.parse()).transpose()?;
        let id =
            op_of(&kernel, axes, block.unwrap_or(1), hash).map_err(|said| anyhow!("{said}"))?;
        let op = OpId::new(&id.to_string()).adopt().context("there are too many kernels")?;
        Ok(Found { op, id: kernel.id, block: *block, data, check })
    }
}

impl Found {
    /// What a request for a job of lines says of it.
    pub(super) fn query(&self) -> Vec<(&'static str, String)> {
        let block = self.block.map(|block| ("block", block.to_string()));
        let data = self.data.clone().map(|data| ("data", data));
        let check = (!self.check.is_default()).then(|| ("check", self.check.to_string()));
        [Some(("op", self.id.clone())), block, data, check].into_iter().flatten().collect()
    }
}

/// The kernel of a name or a hash; or of a file, which is added.
async fn find_kernel(client: &Client, what: &str) -> anyhow::Result<KernelView> {
    let file = Path::new(what);
    if file.is_file() {
        return add_kernel(client, file, None).await;
    }
    let looks_like_a_file = what.contains(['/', '\\']) || file.extension().is_some();
    ensure!(!looks_like_a_file, "there is no file {what}");
    match client.json(client.request(Method::GET, &kernel_path(what))).await {
        Err(error) if error.is_unknown() => bail!(
            "there is no op and no kernel {what}; there is {}, and `tequio kernel list` shows kernels",
            op::names()
        ),
        found => Ok(found?),
    }
}

/// Where the server has the kernel of a name or a hash.
pub(super) fn kernel_path(what: &str) -> String {
    format!("api/kernels/{}", utf8_percent_encode(what, NON_ALPHANUMERIC))
}

/// Adds the kernel of a file, under a name, that of the file, or one that the server chooses where another has that.
pub(super) async fn add_kernel(
    client: &Client,
    file: &Path,
    name: Option<&str>,
) -> anyhow::Result<KernelView> {
    let module = read_file(file, MODULE_BYTES_MAX).await?;
    let stem = file.file_stem().and_then(|stem| kernel_name(&stem.to_string_lossy()));
    let add = async |name: Option<&str>| {
        let request = client.request(Method::POST, "api/kernels").body(module.clone());
        let query: Vec<_> = name.map(|name| ("name", name)).into_iter().collect();
        client.json(request.query(&query)).await
    };
    let added = match name {
        Some(name) => add(Some(name)).await,
        None => match add(stem.as_deref()).await {
            // The file was changed since it was added: that is another kernel.
            Err(error) if error.is_conflict() => add(None).await,
            added => added,
        },
    };
    added.with_context(|| format!("{} was not added", file.display()))
}

/// A file's name as a kernel's; `None` if that is an op's, or nothing is left of it.
fn kernel_name(stem: &str) -> Option<String> {
    let allowed =
        |c: char| if c.is_alphanumeric() || matches!(c, '-' | '_' | '.') { c } else { '-' };
    let name: String = stem.chars().take(NAME_CHARS_MAX).map(allowed).collect();
    (!name.is_empty() && op::named(&name).is_none()).then_some(name)
}

async fn send_data(client: &Client, file: &Path) -> anyhow::Result<String> {
    #[derive(Deserialize)]
    struct Kept {
        sha256: String,
    }
    let data = read_file(file, DATA_BYTES_MAX).await?;
    let kept: Kept = client.json(client.request(Method::POST, "api/data").body(data)).await?;
    Ok(kept.sha256)
}

async fn read_file(file: &Path, bytes_max: usize) -> anyhow::Result<Vec<u8>> {
    let name = file.display();
    let length = tokio::fs::metadata(file).await.map(|about| about.len());
    let length = length.with_context(|| format!("{name} cannot be read"))?;
    ensure!(
        length <= bytes_max as u64,
        "{name} has {length} bytes; at most {bytes_max} are possible"
    );
    tokio::fs::read(file).await.with_context(|| format!("{name} cannot be read"))
}

#[derive(Debug, Args)]
pub(super) struct Asked {
    #[command(flatten)]
    pub(super) what: What,

    /// The values of each parameter, such as n=1..=100
    #[arg(value_name = "NAME=AXIS", value_parser = parse_axis)]
    axes: Vec<(String, Axis)>,

    /// The same as initial=VALUES
    #[arg(long, value_name = "VALUES", conflicts_with = "axes", allow_hyphen_values = true)]
    initial: Option<Axis>,

    /// The same as factor=VALUES
    #[arg(long, value_name = "VALUES", conflicts_with = "axes", allow_hyphen_values = true)]
    factor: Option<Axis>,

    /// The same as times=VALUES
    #[arg(long, value_name = "VALUES", conflicts_with = "axes", allow_hyphen_values = true)]
    times: Option<Axis>,

    /// The job's name
    #[arg(long)]
    pub(super) name: Option<String>,

    /// Jobs of a higher priority are computed first
    #[arg(long, default_value_t = 0, allow_hyphen_values = true, value_parser = parse_priority)]
    pub(super) priority: i32,
}

impl Asked {
    /// What is computed, for the axes that are given.
    pub(super) async fn find(&self, client: &Client) -> anyhow::Result<Found> {
        let names: Vec<String> = self.axes().into_iter().map(|(name, _)| name).collect();
        self.what.find(client, &names).await
    }

    fn axes(&self) -> Vec<(String, Axis)> {
        let flags = [("initial", &self.initial), ("factor", &self.factor), ("times", &self.times)];
        let flags =
            flags.into_iter().filter_map(|(name, axis)| Some((name.to_owned(), axis.clone()?)));
        self.axes.iter().cloned().chain(flags).collect()
    }

    /// The grid, in the order in which its axes are given. `None` if the op is to be asked for first: it is no
    /// built-in one.
    ///
    /// # Errors
    ///
    /// Returns what is wrong with the axes, in words.
    pub(super) fn grid_of_built_in(&self) -> Result<Option<Grid>, String> {
        op::named(&self.what.op).map(|op| self.grid(op)).transpose()
    }

    /// The grid, in the order in which its axes are given.
    ///
    /// # Errors
    ///
    /// Returns what is wrong with the axes, in words.
    pub(super) fn grid(&self, op: &dyn Op) -> Result<Grid, String> {
        let axes = self.axes();
        if axes.is_empty() {
            let name = if op.kernel().is_some() { &*self.what.op } else { op.name() };
            let example = if op.params().is_empty() { "n=1..=100".to_owned() } else { example(op) };
            return Err(format!(
                "{name} needs a value for each of its parameters, such as {example}"
            ));
        }
        let grid = Grid::new(axes).map_err(|error| error.to_string())?;
        grid.check(op.params()).map_err(|error| error.to_string())?;
        Ok(grid)
    }

    /// Submits a job of this grid.
    pub(super) async fn submit(
        &self,
        client: &Client,
        found: &Found,
        grid: Grid,
    ) -> Result<JobView, RequestError> {
        let Found { id, block, data, check, .. } = found;
        let (op, name, priority) = (OpId::new(id), self.name.clone(), self.priority);
        let (block, data, check) = (*block, data.clone(), *check);
        let job = JobRequest { op, grid, name, priority, block, data, check };
        client.json(client.request(Method::POST, "api/jobs").json(&job)).await
    }
}

/// Axes that an op takes, as they are typed.
fn example(op: &dyn Op) -> String {
    let axis = |param: &op::Param| format!("{}={}", param.name, Number(param.example));
    op.params().iter().map(axis).collect::<Vec<_>>().join(" ")
}

fn parse_axis(text: &str) -> Result<(String, Axis), String> {
    let Some((name, axis)) = text.split_once('=') else {
        return Err("expected NAME=AXIS, such as n=1..=100".to_owned());
    };
    let axis = axis.parse().map_err(|error| format!("{name}: {error}"))?;
    Ok((name.trim().to_owned(), axis))
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

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(op: &str, axes: &[&str]) -> Result<Grid, String> {
        let axes = axes.iter().map(|axis| parse_axis(axis)).collect::<Result<_, String>>()?;
        let (initial, factor, times) = (None, None, None);
        let what = What { op: op.to_owned(), block: None, data: None, check: Check::Auto };
        let (name, priority) = (None, 0);
        Asked { what, axes, initial, factor, times, name, priority }.grid(op::named(op).unwrap())
    }

    #[test]
    fn axes_are_kept_in_the_order_in_which_they_are_typed() {
        let grid = asked("repeat_multiply", &["times=0..=3", "initial=-1", "factor=2,3"]).unwrap();
        let names: Vec<&str> = grid.axes().map(|(name, _)| name).collect();
        assert_eq!((grid.total(), names), (8, vec!["times", "initial", "factor"]));
    }

    #[test]
    fn what_an_op_does_not_take_is_named() {
        for (op, axes, said) in [
            ("collatz", &[][..], "collatz needs a value for each of its parameters, such as n=27"),
            ("collatz", &["n=0..3"], "n: 0 is no integer from 1 to"),
            ("collatz", &["n=1..2:0.5"], "n: 1.5 is no integer"),
            ("collatz", &["n=2..1"], "n: `2..1` runs backwards"),
            ("collatz", &["n=1", "m=2"], "there is no axis m; there are n"),
            ("collatz", &["n=1", "n=2"], "the axis n is there twice"),
            ("collatz", &["1..5"], "expected NAME=AXIS, such as n=1..=100"),
            ("repeat_multiply", &["initial=1", "times=3"], "the axis factor is missing"),
        ] {
            let error = asked(op, axes).unwrap_err();
            assert!(error.contains(said), "{op} {axes:?}: {error}");
        }
    }
}
