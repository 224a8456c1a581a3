//! Tests: cargo's, those that drive the page in a real browser against the real server, and those
//! in which a classroom's own clients meet it.

use crate::classroom;
use crate::compilers::{self, COMPILERS};
use crate::kernels::{self, KERNELS};
use crate::page::Page;
use crate::run::{built, cargo, command, root, run, step, target_dir};
use crate::serve;
use crate::tools::{chromium, firefox, node_packages, on_path};
use anyhow::{Context, Result, ensure};
use std::ffi::{OsStr, OsString};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{SystemTime, UNIX_EPOCH};

/// The ops that are for tests only.
const TEST_OPS: [&str; 2] = ["--features", "tequio-server/test-ops"];

/// Test files that run side by side. Most of their time they wait: for delays that are real, and for a
/// browser to start.
const BROWSERS: u32 = 3;

/// Files in `www/tests` that measure what cores do.
const MEASURING: [&str; 3] = ["charts.test.mjs", "page.test.mjs", "worker.test.mjs"];

/// Every test but those in Firefox.
pub(crate) fn test() -> Result<()> {
    let mut browser = Browser::set_up()?;
    let compilers = browser.add_what_all_need()?;
    test_in(&browser, &compilers)
}

/// Every test.
pub(crate) fn test_with_firefox() -> Result<()> {
    let firefox = firefox()?;
    let mut browser = Browser::set_up()?;
    let compilers = browser.add_what_all_need()?;
    browser.variables.push(("FIREFOX", firefox));
    test_in(&browser, &compilers)?;
    step("Firefox tests", || browser.run(&tests_in("www/tests/firefox")?, 1))
}

fn test_in(browser: &Browser, compilers: &OsStr) -> Result<()> {
    // With the ops for tests, as the server that browser tests run against: it is built once. All that fails is
    // told at once.
    step("cargo test", || {
        run(cargo()
            .args(["test", "--workspace", "--no-fail-fast"])
            .args(TEST_OPS)
            .env(COMPILERS, compilers)
            .env(KERNELS, kernels::folder()))
    })?;
    // As a release server computes them: optimised code differs most from the other where kernels run.
    step("kernels, optimised", || {
        run(cargo()
            .args(["test", "--release", "--package", "tequio-kernels"])
            .args(["--package", "tequio-kernel"])
            .env(KERNELS, kernels::folder()))
    })?;
    // Not optimised: that takes two minutes of CPU to build, and four otherwise.
    step("kernels, by both engines", || {
        run(cargo().args(["test", "--package", "tequio-kernel", "--features", "jit"]).args([
            "--test",
            "engines",
            "--test",
            "meaning",
            "--test",
            "computing",
        ]))
    })?;
    let (alone, beside) =
        tests_in("www/tests")?.into_iter().partition::<Vec<_>, _>(|file| is_alone(file));
    step("browser tests", || browser.run(&beside, BROWSERS))?;
    step("browser tests that measure", || browser.run(&alone, 1))?;
    step("classroom tests", || browser.run(&tests_in("classroom/tests")?, BROWSERS))
}

/// Whether a file measures what cores do: then no other may use them meanwhile.
fn is_alone(file: &Path) -> bool {
    MEASURING.iter().any(|name| file.ends_with(name))
}

/// A seed that was not there before.
fn new_seed() -> u64 {
    let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    since_1970.as_secs() * 1_000_000
}

/// Kernels that a browser is given at once: some megabytes.
const KERNELS_AT_ONCE: u64 = 500;

/// Made kernels on every host.
pub(crate) fn soak_kernels(count: u64, first: Option<u64>) -> Result<()> {
    let first = first.unwrap_or_else(new_seed);
    let end = first.saturating_add(count);
    let range = format!("{first}..{end}");
    step(&format!("seeds {range}, wasmi and wasmtime"), || {
        let soak = ["run", "--package", "tequio-kernel", "--features", "jit", "--example", "soak"];
        run(cargo().args(soak).arg("--").arg(&range))
    })?;
    let mut browser = Browser::set_up()?;
    let mut files = vec![PathBuf::from("www/tests/kernels.test.mjs")];
    match firefox() {
        Ok(firefox) => {
            browser.variables.push(("FIREFOX", firefox));
            files.push("www/tests/firefox/kernels.test.mjs".into());
        }
        Err(error) => eprintln!("  without Firefox: {error}"),
    }
    for from in (first..end).step_by(KERNELS_AT_ONCE as usize) {
        let seeds = format!("{from}..{}", end.min(from + KERNELS_AT_ONCE));
        step(&format!("seeds {seeds} in browsers"), || {
            let mut node = browser.node(&["--test".into(), "--test-concurrency=1".into()]);
            node.args(["--test-name-pattern", "computes kernels as"]);
            run(node.args(&files).env("TEQUIO_KERNEL_SEEDS", &seeds))
        })?;
    }
    Ok(())
}

/// The simulation, optimised, since it is to run for long.
pub(crate) fn soak(seeds: u64, first: Option<u64>) -> Result<()> {
    let first = first.unwrap_or_else(new_seed);
    let range = format!("{first}..{}", first + seeds);
    step(&format!("seeds {range}"), || {
        run(cargo()
            .args(["test", "--release", "--package", "tequio-server", "--test", "simulation"])
            .args(TEST_OPS)
            .env("TEQUIO_SEEDS", &range))
    })
}

/// The page as trunk serves it.
pub(crate) fn trunk() -> Result<()> {
    let trunk = on_path("trunk").context(
        "trunk is not on PATH: `cargo install trunk --version 0.21.14 --locked` installs it",
    )?;
    let mut browser = Browser::set_up()?;
    browser.variables.push(("TRUNK", trunk));
    browser.variables.push(("TEQUIO_TRUNK_TARGET", target_dir().join("trunk")));
    step("trunk test", || browser.run(&tests_in("www/tests/trunk")?, 1))
}

/// The pictures in the README.
pub(crate) fn screenshots() -> Result<()> {
    let browser = Browser::set_up()?;
    step("screenshots", || run(&mut browser.node(&["www/tests/screenshots.mjs".into()])))
}

/// What browser tests need: a browser, the page, and programs to run against.
struct Browser {
    variables: Vec<(&'static str, PathBuf)>,
}

impl Browser {
    fn set_up() -> Result<Browser> {
        let chrome = chromium()?;
        node_packages()?;
        // The server that people get, with the page inside.
        serve::build()?;
        step("native reference", || {
            run(cargo().args(["build", "--package", "tequio-protocol", "--example", "compute"]))?;
            run(cargo().args(["build", "--package", "tequio-kernel", "--example", "meaning"]))
        })?;
        let artifacts = target_dir().join("artifacts");
        fs::create_dir_all(&artifacts).context("target/artifacts")?;
        Ok(Browser {
            variables: vec![
                ("CHROME", chrome),
                ("TEQUIO_BIN", built("release", "tequio")),
                ("TEQUIO_COMPUTE", built("debug/examples", "compute")),
                ("TEQUIO_KERNEL_CASES", built("debug/examples", "meaning")),
                ("TEQUIO_ARTIFACTS", artifacts),
                ("TEQUIO_PAGE", Page::real().folder().to_owned()),
            ],
        })
    }

    /// Adds what the tests of a whole run need beside that, and gives the folders of compilers.
    fn add_what_all_need(&mut self) -> Result<OsString> {
        self.add_test_ops()?;
        self.variables.extend(classroom::set_up()?);
        let compilers = compilers::set_up()?;
        self.variables.push((COMPILERS, PathBuf::from(&compilers)));
        Ok(compilers)
    }

    /// Adds a page and a server that know the ops for tests only.
    fn add_test_ops(&mut self) -> Result<()> {
        let page = Page::with_test_ops();
        page.build()?;
        step("server with test ops", || {
            run(cargo().args(["build", "--workspace", "--example", "test-ops"]).args(TEST_OPS))
        })?;
        self.variables.push(("TEQUIO_TEST_OPS_PAGE", page.folder().to_owned()));
        self.variables.push(("TEQUIO_TEST_OPS_BIN", built("debug/examples", "test-ops")));
        Ok(())
    }

    /// Runs test files, so many at a time.
    fn run(&self, files: &[PathBuf], at_a_time: u32) -> Result<()> {
        let concurrency = format!("--test-concurrency={at_a_time}");
        let mut node = self.node(&["--test".into(), concurrency.into()]);
        run(node.args(files))
    }

    fn node(&self, arguments: &[PathBuf]) -> Command {
        let mut node = command("node");
        node.args(arguments).envs(self.variables.iter().map(|(name, value)| (name, value)));
        node
    }
}

fn tests_in(folder: &str) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(root().join(folder)).with_context(|| folder.to_owned())? {
        let path = entry?.path();
        if path.to_string_lossy().ends_with(".test.mjs") {
            files.push(path);
        }
    }
    ensure!(!files.is_empty(), "{folder} holds no test");
    files.sort();
    Ok(files)
}
