//! The table, and `bench/RESULTS.md`.

use crate::measure::{Goal, Measured, MeasuredRow, Reading, Row};
use crate::setting::Setting;
use anyhow::{Context, Result};
use std::fmt::Write as _;
use std::fs;
use std::process::Command;

/// One reading, for whoever watches.
pub(crate) fn line(row: &Row, reading: &Reading) -> String {
    let Reading { measured, against } = reading;
    let (unit, ratio) = (row.unit, reading.ratio());
    format!("{} against {} {unit}: {ratio:.2}", figure(*measured), figure(*against))
}

/// All rows, in Markdown.
pub(crate) fn table(measured: &[Measured]) -> String {
    let mut table =
        "| measure | against | measured | ceiling | unit | ratio | lowest to highest | goal |\n\
                     |---|---|---:|---:|---|---:|---:|---|\n"
            .to_owned();
    for row in measured.iter().flat_map(|measured| &measured.rows) {
        let MeasuredRow { row: Row { id, what, against, unit, goal }, ratio, .. } = row;
        let (low, high) = row.spread;
        let mark = if goal.is_met_by(*ratio) { "met" } else { "**missed**" };
        let goal = match goal {
            Goal::AtLeast(least) => format!("≥ {least}"),
            Goal::AtMost(most) => format!("≤ {most}"),
        };
        let (measured, ceiling) = (figure(row.measured), figure(row.against));
        writeln!(
            table,
            "| `{id}`: {what} | {against} | {measured} | {ceiling} | {unit} | {} | {} to {} | {goal}, {mark} |",
            short(*ratio), short(low), short(high),
        )
        .expect("a string takes text");
    }
    table
}

/// Writes `bench/RESULTS.md`.
pub(crate) fn write(setting: &Setting, rounds: u32, measured: &[Measured]) -> Result<()> {
    let notes_path = setting.root.join("bench/NOTES.md");
    let notes = fs::read_to_string(&notes_path)
        .with_context(|| format!("reading {}", notes_path.display()))?;
    let mut page = format!(
        "# Results\n\n\
         Written by `cargo xtask bench`: medians of {rounds} rounds (fewer of what takes minutes), in each \
         of which a thing and what it is measured against ran in turn. The machine did other things \
         meanwhile, so only the ratios mean something. What each row does, and what was tried, is in \
         [NOTES.md](NOTES.md).\n\n\
         {}\n{}",
        circumstances(setting)?,
        table(measured),
    );
    let missed: Vec<_> = measured
        .iter()
        .flat_map(|measured| &measured.rows)
        .filter(|row| !row.row.goal.is_met_by(row.ratio))
        .collect();
    if !missed.is_empty() {
        page.push_str("\n## What misses, and why\n");
    }
    for row in missed {
        let id = row.row.id;
        let why = why(&notes, id).unwrap_or("NOTES.md has no reason yet.");
        write!(page, "\n**`{id}`:** {why}\n").expect("a string takes text");
    }
    let path = setting.root.join("bench/RESULTS.md");
    fs::write(&path, page).with_context(|| format!("writing {}", path.display()))
}

/// The paragraph of the notes that says why a row misses its goal.
fn why<'a>(notes: &'a str, id: &str) -> Option<&'a str> {
    let (_, rest) = notes.split_once(&format!("**Why `{id}` misses:**"))?;
    Some(rest.split("\n\n").next().unwrap_or(rest).trim())
}

/// When, where, and of what.
fn circumstances(setting: &Setting) -> Result<String> {
    let said = |program: &str, arguments: &[&str]| -> Option<String> {
        let output =
            Command::new(program).args(arguments).current_dir(&setting.root).output().ok()?;
        output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
    };
    let commit = said("git", &["describe", "--always", "--dirty", "--exclude", "*"]);
    let cores = std::thread::available_parallelism()?;
    let facts = [
        ("date", Some(chrono::Utc::now().format("%Y-%m-%d").to_string())),
        ("commit", commit),
        ("processor", processor().map(|name| format!("{name}, {cores} cores"))),
        ("memory", memory()),
        ("system", said("uname", &["-sr"])),
        ("rustc", said("rustc", &["--version"])),
        ("tequio", said(&setting.tequio.to_string_lossy(), &["--version"])),
        ("chromium", said("chromium", &["--version"])),
        ("node", said("node", &["--version"])),
    ];
    let mut list = String::new();
    for (name, fact) in facts {
        writeln!(list, "- {name}: {}", fact.as_deref().unwrap_or("unknown"))?;
    }
    Ok(list)
}

fn processor() -> Option<String> {
    let info = fs::read_to_string("/proc/cpuinfo").ok()?;
    let line = info.lines().find(|line| line.starts_with("model name"))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}

fn memory() -> Option<String> {
    let info = fs::read_to_string("/proc/meminfo").ok()?;
    let kib: u64 = info.lines().next()?.split_whitespace().nth(1)?.parse().ok()?;
    Some(format!("{} GiB", kib.div_ceil(1024 * 1024)))
}

/// Three digits, and groups of three.
/// A figure of three or four digits, for people.
pub(crate) fn figure(value: f64) -> String {
    if value >= 1e6 {
        format!("{:.2} M", value / 1e6)
    } else if value >= 1e4 {
        format!("{:.1} k", value / 1e3)
    } else {
        short(value)
    }
}

fn short(value: f64) -> String {
    match value {
        100.0.. => format!("{value:.0}"),
        10.0..100.0 => format!("{value:.1}"),
        1.0..10.0 => format!("{value:.2}"),
        _ => format!("{value:.3}"),
    }
}
