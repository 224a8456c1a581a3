//! Builds the example kernels: each file of `kernels/` by itself, with nothing but `rustc`.

use crate::page::Files;
use crate::run::{command, output, root, run, step};
use crate::tools::{WASM_TARGET, wasm_target};
use anyhow::{Context, Result, ensure};
use std::fs;
use std::path::{Path, PathBuf};

/// Where they are.
const SOURCES: &str = "kernels";

/// The file that makes a crate of them for tests; every other one is a kernel.
const CRATE: &str = "lib.rs";

/// What `rustc` is told. An instance takes longer to make the more memory it has, and Rust's stack would be 1 MiB.
const FLAGS: [&str; 9] = [
    "--edition=2024",
    "--crate-type=cdylib",
    "-Copt-level=3",
    "-Clto=fat",
    "-Ccodegen-units=1",
    "-Cpanic=abort",
    "-Cstrip=symbols",
    "-Clink-arg=-zstack-size=8192",
    "-Dwarnings",
];

/// What they were built from is kept here, beside their folder.
const BUILT_FROM: &str = "built-from";

/// Where they are in a page.
pub(crate) const IN_PAGE: &str = "examples";

/// The variable that tells tests of the folder.
pub(crate) const KERNELS: &str = "TEQUIO_KERNELS";

/// The folder that holds `NAME.wasm` of each once they are built.
pub(crate) fn folder() -> PathBuf {
    // Tests look here, wherever cargo's own target folder may be.
    root().join("target/kernels")
}

/// Builds them, unless they were built from the same before. Gives the modules, by their paths in a page.
pub(crate) fn build() -> Result<Files> {
    wasm_target()?;
    let folder = folder();
    let mark = folder.with_extension(BUILT_FROM);
    let sources = sources()?;
    let from = built_from(&sources)?;
    if !fs::read(&mark).is_ok_and(|old| old == from) {
        step("example kernels (WebAssembly)", || {
            fs::create_dir_all(root().join("target")).context("target")?;
            // What is interrupted is not taken for built.
            fs::write(&mark, "").with_context(|| format!("writing {}", mark.display()))?;
            compile_all(&sources, &folder)?;
            fs::write(&mark, from).with_context(|| format!("writing {}", mark.display()))
        })?;
    }
    let mut built = Files::new();
    for name in names(&sources) {
        let file = format!("{name}.wasm");
        let module = fs::read(folder.join(&file)).with_context(|| format!("reading {file}"))?;
        built.insert(Path::new(IN_PAGE).join(file), module);
    }
    ensure!(!built.is_empty(), "{SOURCES} holds no kernel");
    Ok(built)
}

fn compile_all(sources: &Files, folder: &Path) -> Result<()> {
    // None of a kernel that is no more.
    if folder.exists() {
        fs::remove_dir_all(folder).with_context(|| folder.display().to_string())?;
    }
    fs::create_dir_all(folder).with_context(|| folder.display().to_string())?;
    names(sources).try_for_each(|name| {
        run(command("rustc")
            .args(["--target", WASM_TARGET])
            .args(FLAGS)
            .arg("-o")
            .arg(folder.join(name).with_extension("wasm"))
            .arg(root().join(SOURCES).join(name).with_extension("rs")))
        .with_context(|| format!("the kernel {name}"))
    })
}

/// Names of kernels, without `.rs`.
fn names(sources: &Files) -> impl Iterator<Item = &str> {
    let names =
        sources.keys().filter(|path| path.components().count() == 1 && *path != Path::new(CRATE));
    names.filter_map(|path| path.file_stem()?.to_str())
}

/// Every source, by its path in the folder.
fn sources() -> Result<Files> {
    let mut sources = Files::new();
    for folder in ["", "support"] {
        let path = root().join(SOURCES).join(folder);
        for entry in fs::read_dir(&path).with_context(|| format!("reading {}", path.display()))? {
            let name = Path::new(folder).join(entry?.file_name());
            if name.extension().is_some_and(|extension| extension == "rs") {
                let path = root().join(SOURCES).join(&name);
                let source =
                    fs::read(&path).with_context(|| format!("reading {}", path.display()))?;
                sources.insert(name, source);
            }
        }
    }
    Ok(sources)
}

/// Everything that decides what is built.
fn built_from(sources: &Files) -> Result<Vec<u8>> {
    let mut from = output(command("rustc").arg("-vV"))?.into_bytes();
    from.extend(FLAGS.join(" ").bytes());
    for (path, source) in sources {
        from.extend(format!("\n{}: {} bytes\n", path.display(), source.len()).bytes());
        from.extend(source);
    }
    Ok(from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kernels_are_the_files_beside_the_crate() {
        let files = ["lib.rs", "a.rs", "b-c.rs", "support/json.rs"];
        let sources = files.iter().map(|file| (file.into(), Vec::new())).collect();
        assert!(names(&sources).eq(["a", "b-c"]));
    }
}
