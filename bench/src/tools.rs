//! What measures need on the machine: found, or installed, or named as missing.

use crate::setting::Setting;
use anyhow::{Context, Result, bail, ensure};
use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// What a folder was installed from, in the folder: it is written last, so that what was interrupted
/// is installed anew.
const INSTALLED_FROM: &str = ".installed-from";

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

/// Redis' server.
pub(crate) fn redis() -> Result<PathBuf> {
    let programs = &["redis-server"];
    get(&Program { name: "Redis", variable: "REDIS", programs, packages: &["redis-server"] })
}

/// The server with the ops that are for tests only, built for speed.
pub(crate) fn test_ops(setting: &Setting) -> Result<PathBuf> {
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut build = Command::new(cargo);
    build.args(["build", "--release", "--package", "tequio-server", "--example", "test-ops"]);
    build.args(["--features", "test-ops", "--target-dir"]).arg(&setting.target);
    run(build.current_dir(&setting.root))?;
    let program = format!("test-ops{}", env::consts::EXE_SUFFIX);
    Ok(setting.target.join("release/examples").join(program))
}

/// Python with the packages that `bench/peers/requirements.txt` names, and none of the machine's.
pub(crate) fn python(setting: &Setting) -> Result<PathBuf> {
    let packages = &["python3", "python3-venv"];
    let programs = &["python3", "python"];
    let python = get(&Program { name: "Python", variable: "PYTHON", programs, packages })?;
    let pins = setting.root.join("bench/peers/requirements.txt");
    let folder = setting.cache.join("python");
    let program = folder.join("bin/python");
    // An environment is of one Python, and lies where it was made.
    let wanted = format!("{}\n{}\n{}", python.display(), folder.display(), read(&pins)?);
    install(&folder, &wanted, || {
        run(Command::new(&python).args(["-m", "venv"]).arg(&folder))?;
        let quiet = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check"];
        run(Command::new(&program).args(quiet).arg("--requirement").arg(&pins))
    })?;
    Ok(program)
}

/// A folder that has the programs of `bench/peers` for Node beside the packages that they import.
pub(crate) fn node_folder(setting: &Setting, program: &str) -> Result<PathBuf> {
    let peers = setting.root.join("bench/peers");
    let folder = setting.cache.join("node");
    install(&folder, &read(&peers.join("package-lock.json"))?, || {
        fs::create_dir_all(&folder).with_context(|| folder.display().to_string())?;
        for file in ["package.json", "package-lock.json"] {
            fs::copy(peers.join(file), folder.join(file)).context(file)?;
        }
        let quiet = ["ci", "--no-audit", "--no-fund", "--loglevel=error"];
        run(Command::new("npm").args(quiet).current_dir(&folder))
            .context("Node 20 or newer, with npm, is needed for this (https://nodejs.org)")
    })?;
    // It may have changed since; a program of Node's finds packages beside itself.
    fs::copy(peers.join(program), folder.join(program)).context(program.to_owned())?;
    Ok(folder)
}

/// Has `work` fill the folder, unless it was filled from `wanted` before.
fn install(folder: &Path, wanted: &str, work: impl FnOnce() -> Result<()>) -> Result<()> {
    let mark = folder.join(INSTALLED_FROM);
    if fs::read_to_string(&mark).is_ok_and(|installed| installed == wanted) {
        return Ok(());
    }
    eprintln!("▸ installing into {}", folder.display());
    if folder.exists() {
        fs::remove_dir_all(folder).with_context(|| folder.display().to_string())?;
    }
    work()?;
    fs::write(&mark, wanted).with_context(|| mark.display().to_string())
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

fn read(path: &Path) -> Result<String> {
    fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))
}
