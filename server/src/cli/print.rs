//! What commands print: results and tables on stdout, progress on stderr.

use anyhow::Context;
use indicatif::{HumanCount, ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde::Serialize;
use std::io::{self, IsTerminal, Write};
use tequio_protocol::api::{JobState, JobView};

/// A line about the command itself on stderr, which is no output for a program. A stderr that is full
/// or closed is no reason to fail.
pub(super) fn note(said: &str) {
    line(&format!("tequio: {said}"));
}

/// A line on stderr, as it is.
pub(super) fn line(line: &str) {
    // At once: two who write must not come between each other's words.
    io::stderr().write_all(format!("{line}\n").as_bytes()).ok();
}

/// One JSON document.
pub(super) fn json(value: &impl Serialize) -> anyhow::Result<()> {
    let text = serde_json::to_string(value).context("this cannot be JSON")?;
    lines(&[text])
}

/// Lines on stdout. A reader that has seen enough (`| head`) is no error.
pub(super) fn lines(lines: &[String]) -> anyhow::Result<()> {
    bytes((lines.join("\n") + "\n").as_bytes()).map(drop)
}

/// Bytes on stdout; `false` when nobody reads any more.
pub(super) fn bytes(bytes: &[u8]) -> anyhow::Result<bool> {
    let mut out = io::stdout().lock();
    match out.write_all(bytes).and_then(|()| out.flush()) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(false),
        Err(error) => Err(error).context("stdout cannot be written to"),
    }
}

/// Columns, each as wide as its widest cell; the last one is left as it is.
pub(super) struct Table<const N: usize> {
    rows: Vec<[String; N]>,
}

impl<const N: usize> Table<N> {
    pub(super) fn new(head: [&str; N]) -> Table<N> {
        Table { rows: vec![head.map(str::to_owned)] }
    }

    pub(super) fn add(&mut self, row: [String; N]) {
        self.rows.push(row);
    }

    pub(super) fn print(&self) -> anyhow::Result<()> {
        let width = |column: usize| {
            self.rows.iter().map(|row| row[column].chars().count()).max().unwrap_or_default()
        };
        let widths: Vec<usize> = (0..N).map(width).collect();
        let line = |row: &[String; N]| {
            let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}"));
            cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
        };
        lines(&self.rows.iter().map(line).collect::<Vec<_>>())
    }
}

/// A job's progress, drawn on stderr when that is a terminal.
pub(super) struct Bar(ProgressBar);

pub(super) fn bar() -> Bar {
    let target = if io::stderr().is_terminal() {
        ProgressDrawTarget::stderr()
    } else {
        ProgressDrawTarget::hidden()
    };
    let template = "{prefix} {wide_bar} {human_pos}/{human_len} · {msg}";
    let style = ProgressStyle::with_template(template).expect("the template is right");
    Bar(ProgressBar::with_draw_target(Some(0), target).with_style(style))
}

impl Bar {
    pub(super) fn show(&self, job: &JobView) {
        let left = job.eta_s.map(|left| format!(" · {} left", super::client::duration(left)));
        self.0.set_message(match job.state {
            JobState::Running => {
                format!("{} a second{}", HumanCount(job.rate as u64), left.unwrap_or_default())
            }
            state => state.name().to_owned(),
        });
        self.0.set_prefix(format!("Job {}", job.id));
        // Each of these draws: what is shown first is right in all its parts.
        self.0.set_length(job.total);
        self.0.set_position(job.done + job.failed);
    }

    /// A line above the bar.
    pub(super) fn note(&self, said: &str) {
        self.0.suspend(|| note(said));
    }

    pub(super) fn end(&self) {
        self.0.finish_and_clear();
    }
}
