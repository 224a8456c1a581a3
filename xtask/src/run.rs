//! Commands and steps: each step says what it does, and how long it took.

use anyhow::{Context, Result, bail, ensure};
use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus};
use std::time::Instant;

/// The variable with which a person tells cargo where to build.
const TARGET_DIR: &str = "CARGO_TARGET_DIR";

/// The repository's root.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("xtask/ lies in the repository")
}

/// Where cargo builds: the cargo that built this, and every cargo that this runs.
pub(crate) fn target_dir() -> PathBuf {
    chosen_target_dir().unwrap_or_else(|| root().join("target"))
}

/// What `CARGO_TARGET_DIR` names, if it names anything.
fn chosen_target_dir() -> Option<PathBuf> {
    let chosen = env::var_os(TARGET_DIR)?;
    let standing = env::current_dir().expect("cargo stood in this folder a moment ago");
    Some(meant_from(&standing, chosen.as_ref()))
}

/// A path as somebody who stands in the folder `standing` means it.
fn meant_from(standing: &Path, path: &Path) -> PathBuf {
    // What is absolute stays as it is. Cargo does the same, so both name one folder.
    standing.join(path)
}

/// A program that cargo built.
pub(crate) fn built(profile_dir: &str, name: &str) -> PathBuf {
    target_dir().join(profile_dir).join(format!("{name}{}", env::consts::EXE_SUFFIX))
}

/// The cargo that runs this.
pub(crate) fn cargo() -> Command {
    command(env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo")))
}

/// A command that runs in the repository's root.
pub(crate) fn command(program: impl Into<OsString>) -> Command {
    let mut command = Command::new(program.into());
    command.current_dir(root());
    // A relative one would mean another folder there.
    if let Some(dir) = chosen_target_dir() {
        command.env(TARGET_DIR, dir);
    }
    command
}

/// Runs a command, which must succeed.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    let name = line_of(command);
    let status = command.status().with_context(|| format!("`{name}` could not be started"))?;
    check(&name, status)
}

fn check(name: &str, status: ExitStatus) -> Result<()> {
    ensure!(status.success(), "`{name}` failed ({status})");
    Ok(())
}

/// A command that runs beside what follows, and ends with it.
pub(crate) struct Background {
    name: String,
    child: Child,
}

impl Background {
    /// Starts a command.
    pub(crate) fn start(command: &mut Command) -> Result<Background> {
        let name = line_of(command);
        let child = command.spawn().with_context(|| format!("`{name}` could not be started"))?;
        Ok(Background { name, child })
    }

    /// Waits for its end; it must succeed.
    pub(crate) fn succeed(mut self) -> Result<()> {
        let status = self.child.wait().with_context(|| self.name.clone())?;
        check(&self.name, status)
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        // One that has ended is not there to be ended, which is no news.
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// Runs a command, which must succeed, for what it prints.
pub(crate) fn output(command: &mut Command) -> Result<String> {
    let name = line_of(command);
    let output = command.output().with_context(|| format!("`{name}` could not be started"))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        bail!("`{name}` failed ({}): {}", output.status, said.trim());
    }
    String::from_utf8(output.stdout).with_context(|| format!("`{name}` printed no UTF-8"))
}

/// Does `work`, saying what it is before and how long it took after.
pub(crate) fn step<T>(name: &str, work: impl FnOnce() -> Result<T>) -> Result<T> {
    eprintln!("▸ {name}");
    let began = Instant::now();
    let done = work().with_context(|| format!("failed: {name}"))?;
    eprintln!("  {name}: {:.1} s", began.elapsed().as_secs_f64());
    Ok(done)
}

fn line_of(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_relative_folder_is_meant_from_where_a_person_stands() {
        let standing = root().join("www");
        for (chosen, meant) in [
            ("built", standing.join("built")),
            ("../built", standing.join("../built")),
            (root().to_str().expect("the path is UTF-8"), root().to_owned()),
        ] {
            assert_eq!(meant_from(&standing, chosen.as_ref()), meant);
        }
    }
}
