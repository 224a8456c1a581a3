//! What can be checked without running anything.

use crate::limits;
use crate::page::Page;
use crate::run::{cargo, command, output, root, run, step};
use crate::tools::{WASM_TARGET, node_packages, npx, wasm_target};
use crate::weight;
use anyhow::{Context, Result, ensure};
use std::fs;

/// The declarations that the page's types come from, and the file that holds them.
const TYPES: &str = "www/js/protocol.d.ts";

/// Checks everything.
pub(crate) fn check() -> Result<()> {
    wasm_target()?;
    step("formatting", || {
        run(cargo().args(["fmt", "--all", "--check"]))?;
        // The ops are modules that a macro declares, which rustfmt does not follow.
        let ops = fs::read_dir(root().join("protocol/src/op"))?;
        let ops = ops.map(|op| Ok(op?.path())).collect::<Result<Vec<_>>>()?;
        run(command("rustfmt").args(["--check", "--edition", "2024"]).args(ops))
    })?;
    step("lints", || {
        let deny = ["--", "-D", "warnings"];
        run(cargo().args(["clippy", "--workspace", "--all-targets"]).args(deny))?;
        run(cargo()
            .args(["clippy", "--package", "tequio-protocol", "--all-targets"])
            .args(["--features", "typescript"])
            .args(deny))?;
        run(cargo()
            .args(["clippy", "--package", "tequio-protocol", "--package", "tequio-worker"])
            .args(["--package", "tequio-scheduler", "--package", "tequio-server"])
            .args(["--all-targets", "--features", "test-ops"])
            .args(deny))
    })?;
    step("lints (WebAssembly)", || {
        run(cargo()
            .args(["clippy", "--package", "tequio-protocol", "--package", "tequio-worker"])
            .args(["--target", WASM_TARGET, "--", "-D", "warnings"]))
    })?;
    step("generated types", || {
        let written = fs::read_to_string(root().join(TYPES)).unwrap_or_default();
        ensure!(written == types()?, "{TYPES} is out of date: run `cargo xtask types`");
        Ok(())
    })?;
    step("the list of limits", limits::check)?;
    node_packages()?;
    step("types of the page and of its tests", || {
        let tsc = |folder: &str| {
            run(command(npx()).args(["tsc", "--project", folder]).current_dir(root().join("www")))
        };
        tsc(".")?;
        // The page again, with no more of JavaScript than its oldest browsers have.
        tsc("tsconfig.page.json")?;
        tsc("../classroom")
    })?;
    let page = Page::real().build()?;
    step("the page's weight", || weight::check(&page))
}

/// Writes the declarations.
pub(crate) fn write_types() -> Result<()> {
    fs::write(root().join(TYPES), types()?).with_context(|| format!("writing {TYPES}"))
}

fn types() -> Result<String> {
    output(cargo().args(["run", "--quiet", "--package", "tequio-protocol"]).args([
        "--features",
        "typescript",
        "--example",
        "typescript",
    ]))
}
