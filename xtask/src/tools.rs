//! What a chore needs on the machine: found, or installed, or named as missing.

use crate::run::{command, output, root, run, step};
use anyhow::{Context, Result, bail};
use serde_json::Value;
use std::env;
use std::fs;
use std::path::{Path, PathBuf};

/// The target that the page's workers are built for.
pub(crate) const WASM_TARGET: &str = "wasm32-unknown-unknown";

/// The oldest Node that is tested with.
const NODE_MAJOR_MIN: u32 = 20;

/// A copy of the lock file that all packages came from: npm leaves none that can be compared.
const INSTALLED_FROM: &str = "node_modules/.installed-from.json";

/// A program that tests run, such as a browser.
struct Program {
    /// What a sentence calls it.
    name: &'static str,
    /// The variable with which a person names one.
    variable: &'static str,
    /// What it is called on `PATH`.
    programs: &'static [&'static str],
    /// Where it is when it is not there.
    paths: &'static [&'static str],
    /// What it must be able to do: with these arguments it succeeds. Without any, it is not asked.
    proof: &'static [&'static str],
    /// What Debian's packages are called.
    packages: &'static [&'static str],
}

const CHROMIUM: Program = Program {
    name: "Chromium",
    variable: "CHROME",
    programs: &["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"],
    paths: &[
        "/Applications/Chromium.app/Contents/MacOS/Chromium",
        "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    ],
    proof: &[],
    packages: &["chromium"],
};

const FIREFOX: Program = Program {
    name: "Firefox",
    variable: "FIREFOX",
    programs: &["firefox", "firefox-esr"],
    paths: &["/Applications/Firefox.app/Contents/MacOS/firefox"],
    proof: &[],
    packages: &["firefox-esr"],
};

const PYTHON: Program = Program {
    name: "Python (3.10 or newer, with venv and pip)",
    variable: "PYTHON",
    programs: &["python3", "python"],
    paths: &[],
    // Debian has the second of these modules in a package of its own.
    proof: &["-c", "import venv, ensurepip, sys; sys.exit(sys.version_info < (3, 10))"],
    packages: &["python3", "python3-venv"],
};

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
    let installed = www.join(INSTALLED_FROM);
    if fs::read(&installed).is_ok_and(|lock| lock == wanted) {
        return Ok(());
    }
    step("npm ci", || {
        npm_ci(&www, &[])?;
        fs::write(&installed, &wanted).context("writing into www/node_modules")
    })
}

/// Installs the packages that are part of the page, if they are not what is installed; those of its
/// developers only where they have been before.
pub(crate) fn page_packages() -> Result<()> {
    let www = root().join("www");
    let wanted = json(&www.join("package.json"))?;
    let wanted = wanted["dependencies"].as_object().context("www/package.json: dependencies")?;
    let is_installed = |(name, version): (&String, &Value)| {
        let installed = json(&www.join("node_modules").join(name).join("package.json"));
        installed.is_ok_and(|package| package["version"] == *version)
    };
    if wanted.iter().all(is_installed) {
        return Ok(());
    }
    if www.join(INSTALLED_FROM).exists() {
        return node_packages();
    }
    check_node().context("what draws the page's charts comes from npm")?;
    step("npm ci --omit=dev", || npm_ci(&www, &["--omit=dev"]))
}

/// Installs into a folder what its `package-lock.json` names.
pub(crate) fn npm_ci(folder: &Path, arguments: &[&str]) -> Result<()> {
    let quiet = ["ci", "--no-audit", "--no-fund", "--loglevel=error"];
    run(command(npm()).args(quiet).args(arguments).current_dir(folder))
}

fn json(path: &Path) -> Result<Value> {
    let text = fs::read(path).with_context(|| format!("reading {}", path.display()))?;
    serde_json::from_slice(&text).with_context(|| path.display().to_string())
}

/// A Chromium, or a Chrome.
pub(crate) fn chromium() -> Result<PathBuf> {
    CHROMIUM.get()
}

/// A Firefox.
pub(crate) fn firefox() -> Result<PathBuf> {
    FIREFOX.get()
}

/// A Python that makes environments of its own.
pub(crate) fn python() -> Result<PathBuf> {
    PYTHON.get()
}

impl Program {
    /// The one that its variable names, or one of the usual names; on Debian as root it is
    /// installed.
    fn get(&self) -> Result<PathBuf> {
        let Program { name, variable, packages, .. } = self;
        if let Some(chosen) = env::var_os(variable) {
            let chosen = PathBuf::from(chosen);
            if !chosen.is_file() {
                bail!("{variable} names {}, which is no file", chosen.display());
            }
            if !self.is_proven(&chosen) {
                bail!("{variable} names {}, which is no {name}", chosen.display());
            }
            return Ok(chosen);
        }
        if let Some(found) = self.find() {
            return Ok(found);
        }
        if can_apt_get() {
            let line = format!("apt-get install {}", packages.join(" "));
            step(&line, || apt_get_install(packages))?;
        }
        self.find().with_context(|| {
            format!(
                "no {name} found, and these tests need a real one: install it, or set {variable} \
                 to its path"
            )
        })
    }

    fn find(&self) -> Option<PathBuf> {
        let on_path = self.programs.iter().flat_map(|name| all_on_path(name));
        let elsewhere = self.paths.iter().map(PathBuf::from).filter(|path| path.is_file());
        on_path.chain(elsewhere).find(|program| self.is_proven(program))
    }

    fn is_proven(&self, program: &Path) -> bool {
        self.proof.is_empty() || output(command(program).args(self.proof)).is_ok()
    }
}

/// The first program of this name on `PATH`.
pub(crate) fn on_path(name: &str) -> Option<PathBuf> {
    all_on_path(name).into_iter().next()
}

/// Every program of this name on `PATH`, in its order.
fn all_on_path(name: &str) -> Vec<PathBuf> {
    let file = format!("{name}{}", env::consts::EXE_SUFFIX);
    let path = env::var_os("PATH").unwrap_or_default();
    let programs = env::split_paths(&path).map(|dir| dir.join(&file));
    programs.filter(|program| program.is_file()).collect()
}

pub(crate) fn npx() -> &'static str {
    if cfg!(windows) { "npx.cmd" } else { "npx" }
}

fn npm() -> &'static str {
    if cfg!(windows) { "npm.cmd" } else { "npm" }
}

pub(crate) fn check_node() -> Result<()> {
    let wanted = format!(
        "Node {NODE_MAJOR_MIN} or newer, with npm, is needed for this (https://nodejs.org)"
    );
    let version = output(command("node").arg("--version")).context(wanted.clone())?;
    let major = version.trim().trim_start_matches('v').split('.').next();
    match major.and_then(|major| major.parse::<u32>().ok()) {
        // Some systems have npm in a package of its own.
        Some(major) if major >= NODE_MAJOR_MIN => {
            output(command(npm()).arg("--version")).context(wanted).map(drop)
        }
        _ => bail!("{wanted}; `node --version` says {}", version.trim()),
    }
}

fn can_apt_get() -> bool {
    let is_root = output(command("id").arg("-u")).is_ok_and(|id| id.trim() == "0");
    // Ubuntu's package only points at a snap, which a container cannot run.
    let is_debian = fs::read_to_string("/etc/os-release")
        .is_ok_and(|release| release.lines().any(|line| line == "ID=debian"));
    is_root && is_debian && on_path("apt-get").is_some()
}

fn apt_get_install(packages: &[&str]) -> Result<()> {
    let apt_get = |arguments: &[&str]| {
        run(command("apt-get").env("DEBIAN_FRONTEND", "noninteractive").args(arguments))
    };
    apt_get(&["update", "-qq"])?;
    let install = ["install", "-y", "-qq", "--no-install-recommends"];
    apt_get(&[&install, packages].concat())
}
