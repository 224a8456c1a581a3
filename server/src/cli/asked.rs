//! A job of a grid as a command asks for it: an op, and an axis for each of its parameters.

use super::client::{Client, RequestError};
use clap::Args;
use hyper::http::Method;
use std::fmt::Display;
use std::str::FromStr;
use tequio_protocol::api::{JobRequest, JobView};
use tequio_protocol::grid::{Axis, Grid};
use tequio_protocol::number::Number;
use tequio_protocol::op::{self, Op};

/// What an axis is, for the help of commands that take some.
pub(super) const AXES_HELP: &str = "\
An axis is a number (3), a list (1,2,5), or a range: 0..100 without its end, 0..=100 with it, \
0..=1:0.25 in steps. The job has one task for every combination of values, in order; the last axis \
varies fastest.";

#[derive(Debug, Args)]
pub(super) struct Asked {
    /// What is computed; `tequio ops` lists what there is
    #[arg(value_name = "OP", value_parser = parse_op)]
    pub(super) op: &'static dyn Op,

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
    /// The grid, in the order in which its axes are given.
    ///
    /// # Errors
    ///
    /// Returns what is wrong with the axes, in words.
    pub(super) fn grid(&self) -> Result<Grid, String> {
        let flags = [("initial", &self.initial), ("factor", &self.factor), ("times", &self.times)];
        let flags =
            flags.into_iter().filter_map(|(name, axis)| Some((name.to_owned(), axis.clone()?)));
        let axes: Vec<(String, Axis)> = self.axes.iter().cloned().chain(flags).collect();
        if axes.is_empty() {
            let (name, example) = (self.op.name(), example(self.op));
            return Err(format!(
                "{name} needs a value for each of its parameters, such as {example}"
            ));
        }
        let grid = Grid::new(axes).map_err(|error| error.to_string())?;
        grid.check(self.op.params()).map_err(|error| error.to_string())?;
        Ok(grid)
    }

    /// Submits a job of this grid.
    pub(super) async fn submit(
        &self,
        client: &Client,
        grid: Grid,
    ) -> Result<JobView, RequestError> {
        let (op, name, priority) = (self.op.into(), self.name.clone(), self.priority);
        let job = JobRequest { op, grid, name, priority };
        client.json(client.request(Method::POST, "api/jobs").json(&job)).await
    }
}

/// Axes that an op takes, as they are typed.
fn example(op: &dyn Op) -> String {
    let axis = |param: &op::Param| format!("{}={}", param.name, Number(param.example));
    op.params().iter().map(axis).collect::<Vec<_>>().join(" ")
}

pub(super) fn parse_op(name: &str) -> Result<&'static dyn Op, String> {
    op::named(name).ok_or_else(|| format!("there is {}", op::names()))
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
        let (op, name, priority) = (parse_op(op)?, None, 0);
        Asked { op, axes, initial, factor, times, name, priority }.grid()
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
            ("divide", &["n=1"][..], "there is repeat_multiply, collatz"),
            ("collatz", &[], "collatz needs a value for each of its parameters, such as n=27"),
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
