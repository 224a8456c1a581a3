//! What a chore needs on the machine: found, or installed, or named as missing.

use crate::run::{command, output, root, run, step};
use anyhow::{Context, Result, bail};
use std::env;
use std::fs;
use std::path::{Path, PathBuf};

/// The target that the page's workers are built for.
pub(crate) const WASM_TARGET: &str = "wasm32-unknown-unknown";

/// The oldest Node that is tested with.
const NODE_MAJOR_MIN: u32 = 20;

const CHROMIUM_NAMES: &[&str] =
    &["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];
const CHROMIUM_PATHS: &[&str] = &[
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
];

/// Adds the wasm target to the toolchain that builds this, if it is not there.
pub(crate) fn wasm_target() -> Result<()> {
    let sysroot = output(command("rustc").args(["--print", "sysroot"]))?;
    if Path::new(sysroot.trim()).join("lib/rustlib").join(WASM_TARGET).is_dir() {
        return Ok(());
    }
    step(&format!("rustup target add {WASM_TARGET}"), || {
        run(command("rustup").args(["target", "add", WASM_TARGET])).with_context(|| {
            format!("the Rust target {WASM_TARGET} is missing, and rustup could not add it")
        })
    })
}

/// Installs what `www/package-lock.json` names, if it is not what is installed.
pub(crate) fn node_packages() -> Result<()> {
    check_node()?;
    let www = root().join("www");
    let wanted = fs::read(www.join("package-lock.json")).context("www/package-lock.json")?;
    // A copy of the lock file that the packages came from: npm leaves none that can be compared.
    let installed = www.join("node_modules/.installed-from.json");
    if fs::read(&installed).is_ok_and(|lock| lock == wanted) {
        return Ok(());
    }
    step("npm ci", || {
        let quiet = ["ci", "--no-audit", "--no-fund", "--loglevel=error"];
        run(command(npm()).args(quiet).current_dir(&www))?;
        fs::write(&installed, &wanted).context("writing into www/node_modules")
    })
}

/// A Chromium: `CHROME`, or one of the usual names; on Debian as root it is installed.
pub(crate) fn chromium() -> Result<PathBuf> {
    if let Some(chosen) = env::var_os("CHROME") {
        let chosen = PathBuf::from(chosen);
        if !chosen.is_file() {
            bail!("CHROME names {}, which is no file", chosen.display());
        }
        return Ok(chosen);
    }
    if let Some(found) = find_chromium() {
        return Ok(found);
    }
    if can_apt_get() {
        step("apt-get install chromium", install_chromium)?;
    }
    find_chromium().context(
        "no Chromium found, and the tests need a real browser: install Chromium or Chrome, \
         or set CHROME to its path",
    )
}

/// The first program of this name on `PATH`.
pub(crate) fn on_path(name: &str) -> Option<PathBuf> {
    let file = format!("{name}{}", env::consts::EXE_SUFFIX);
    let path = env::var_os("PATH")?;
    env::split_paths(&path).map(|dir| dir.join(&file)).find(|program| program.is_file())
}

pub(crate) fn npx() -> &'static str {
    if cfg!(windows) { "npx.cmd" } else { "npx" }
}

fn npm() -> &'static str {
    if cfg!(windows) { "npm.cmd" } else { "npm" }
}

fn check_node() -> Result<()> {
    let wanted = format!("Node {NODE_MAJOR_MIN} or newer is needed for this (https://nodejs.org)");
    let version = output(command("node").arg("--version")).context(wanted.clone())?;
    let major = version.trim().trim_start_matches('v').split('.').next();
    match major.and_then(|major| major.parse::<u32>().ok()) {
        Some(major) if major >= NODE_MAJOR_MIN => Ok(()),
        _ => bail!("{wanted}; `node --version` says {}", version.trim()),
    }
}

fn find_chromium() -> Option<PathBuf> {
    let by_name = CHROMIUM_NAMES.iter().find_map(|name| on_path(name));
    by_name.or_else(|| CHROMIUM_PATHS.iter().map(PathBuf::from).find(|path| path.is_file()))
}

fn can_apt_get() -> bool {
    let is_root = output(command("id").arg("-u")).is_ok_and(|id| id.trim() == "0");
    // Ubuntu's package only points at a snap, which a container cannot run.
    let is_debian = fs::read_to_string("/etc/os-release")
        .is_ok_and(|release| release.lines().any(|line| line == "ID=debian"));
    is_root && is_debian && on_path("apt-get").is_some()
}

fn install_chromium() -> Result<()> {
    let apt_get = |arguments: &[&str]| {
        run(command("apt-get").env("DEBIAN_FRONTEND", "noninteractive").args(arguments))
    };
    apt_get(&["update", "-qq"])?;
    apt_get(&["install", "-y", "-qq", "--no-install-recommends", "chromium"])
}
