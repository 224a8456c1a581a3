//! What measures need on the machine: found, or installed, or named as missing.

use anyhow::{Context, Result, bail, ensure};
use std::env;
use std::fs;
use std::path::PathBuf;
use std::process::Command;

/// A program that a measure runs.
struct Program {
    /// What a sentence calls it.
    name: &'static str,
    /// The variable with which a person names one.
    variable: &'static str,
    /// What it is called on `PATH`.
    programs: &'static [&'static str],
    /// What Debian's packages are called.
    packages: &'static [&'static str],
}

/// A Chromium, or a Chrome.
pub(crate) fn chromium() -> Result<PathBuf> {
    let programs = &["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];
    get(&Program { name: "Chromium", variable: "CHROME", programs, packages: &["chromium"] })
}

/// The one that its variable names, or one of the usual names; on Debian as root it is installed.
fn get(program: &Program) -> Result<PathBuf> {
    let Program { name, variable, programs, packages } = program;
    if let Some(chosen) = env::var_os(variable) {
        let chosen = PathBuf::from(chosen);
        ensure!(chosen.is_file(), "{variable} names {}, which is no file", chosen.display());
        return Ok(chosen);
    }
    if on_path(programs).is_none() && can_apt_get() {
        apt_get_install(packages)?;
    }
    on_path(programs).with_context(|| {
        format!(
            "no {name} found, and this measure needs a real one: install it (Debian's {}), or set \
             {variable} to its path",
            packages.join(" "),
        )
    })
}

/// The first program of one of these names on `PATH`.
fn on_path(names: &[&str]) -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let folders: Vec<PathBuf> = env::split_paths(&path).collect();
    let all = names.iter().flat_map(|name| folders.iter().map(move |folder| folder.join(name)));
    { all }.find(|program| program.is_file())
}

fn can_apt_get() -> bool {
    let is_root =
        Command::new("id").arg("-u").output().is_ok_and(|id| id.stdout.trim_ascii() == b"0");
    // Ubuntu's package of Chromium only points at a snap, which a container cannot run.
    let is_debian = fs::read_to_string("/etc/os-release")
        .is_ok_and(|release| release.lines().any(|line| line == "ID=debian"));
    is_root && is_debian && on_path(&["apt-get"]).is_some()
}

fn apt_get_install(packages: &[&str]) -> Result<()> {
    eprintln!("▸ apt-get install {}", packages.join(" "));
    let apt_get = |arguments: &[&str]| {
        run(Command::new("apt-get").env("DEBIAN_FRONTEND", "noninteractive").args(arguments))
    };
    apt_get(&["update", "-qq"])?;
    let install = ["install", "-y", "-qq", "--no-install-recommends"];
    apt_get(&[&install, packages].concat())
}

/// Runs a command, which must succeed.
fn run(command: &mut Command) -> Result<()> {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    let line = words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ");
    let status = command.status().with_context(|| format!("`{line}` could not be started"))?;
    if !status.success() {
        bail!("`{line}` failed ({status})");
    }
    Ok(())
}
