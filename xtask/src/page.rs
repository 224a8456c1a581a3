//! Assembles the page: the files of `www/`, minified, what it has of others, and the workers' wasm.
//! Files of the same names are what trunk makes of `www/index.html`, there as they were written.

use crate::kernels;
use crate::minify::minify;
use crate::run::{cargo, root, run, step, target_dir};
use crate::tools::{WASM_TARGET, wasm_target};
use crate::vendor::vendor;
use anyhow::{Context, Result};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use wasm_bindgen_cli_support::Bindgen;

/// What of `www/` is the page; the rest is for its developers.
const FILES: &[&str] = &["index.html", "style.css"];
const FOLDERS: &[&str] = &["css", "js"];

/// The script that starts the wasm in the coordinator, as trunk's `data-loader-shim` writes it.
const LOADER: &str = "import init from './worker.js';await init();";

/// What the worker's wasm is called in the page.
pub(crate) const WORKER_WASM: &str = "worker_bg.wasm";

/// Which page: the worker in it, and the folder that it is assembled in.
pub(crate) struct Page {
    /// What the steps of its build are called by.
    name: &'static str,
    profile: &'static str,
    features: &'static str,
    folder: PathBuf,
}

impl Page {
    /// The one that people get.
    pub(crate) fn real() -> Page {
        // The server's build looks here, wherever cargo's own target folder may be.
        let folder = root().join("target/page");
        Page { name: "page", profile: "wasm-release", features: "", folder }
    }

    /// One whose worker computes the ops that are for tests only. Of another profile, so that
    /// neither build undoes the other's.
    pub(crate) fn with_test_ops() -> Page {
        let folder = target_dir().join("page-test-ops");
        Page { name: "page with test ops", profile: "release", features: "test-ops", folder }
    }

    /// The folder that holds its files once it is built.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Builds it, and gives its files. The example kernels are among them, so that a server has
    /// them wherever it has the page.
    pub(crate) fn build(&self) -> Result<Files> {
        wasm_target()?;
        let kernels = kernels::build()?;
        let vendored = vendor()?;
        step(&format!("{}: worker (WebAssembly)", self.name), || {
            run(cargo()
                .args(["build", "--quiet", "--package", "tequio-worker", "--bin", "worker"])
                .args(["--target", WASM_TARGET, "--profile", self.profile])
                .args(["--features", self.features]))
        })?;
        step(self.name, || {
            let mut files = self.files()?;
            minify(&mut files)?;
            files.extend(vendored);
            files.extend(kernels);
            write_all(&self.folder, &files)?;
            write_pack(&self.folder.with_extension("pack"), &files)?;
            Ok(files)
        })
    }

    fn files(&self) -> Result<Files> {
        let www = root().join("www");
        let mut files = BTreeMap::new();
        for name in FILES {
            add(&mut files, &www, Path::new(name))?;
        }
        for folder in FOLDERS {
            add_folder(&mut files, &www, Path::new(folder))?;
        }
        let built = target_dir().join(WASM_TARGET).join(self.profile);
        add_worker(&mut files, &built.join("worker.wasm"))?;
        Ok(files)
    }
}

/// A page's files, by their path in it.
pub(crate) type Files = BTreeMap<PathBuf, Vec<u8>>;

fn add(files: &mut Files, www: &Path, name: &Path) -> Result<()> {
    let path = www.join(name);
    let content = fs::read(&path).with_context(|| format!("reading {}", path.display()))?;
    files.insert(name.to_owned(), content);
    Ok(())
}

fn add_folder(files: &mut Files, www: &Path, folder: &Path) -> Result<()> {
    let path = www.join(folder);
    for entry in fs::read_dir(&path).with_context(|| format!("reading {}", path.display()))? {
        let entry = entry?;
        let name = folder.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            add_folder(files, www, &name)?;
        } else if !entry.file_name().to_string_lossy().ends_with(".d.ts") {
            add(files, www, &name)?;
        }
    }
    Ok(())
}

fn add_worker(files: &mut Files, wasm: &Path) -> Result<()> {
    let mut output = Bindgen::new()
        .input_path(wasm)
        .web(true)?
        .typescript(false)
        .omit_default_module_path(false)
        .remove_name_section(true)
        .remove_producers_section(true)
        .generate_output()
        .with_context(|| format!("wasm-bindgen on {}", wasm.display()))?;
    let mut module = output.wasm_mut().emit_wasm();
    let script = output.js();
    let build = build_of(script);
    module.extend(empty_section(&build));
    files.insert("worker.js".into(), format!("{script}export const build={build:?};").into_bytes());
    files.insert(WORKER_WASM.into(), module);
    files.insert("worker_loader.js".into(), LOADER.as_bytes().to_vec());
    Ok(())
}

/// What a script of wasm-bindgen's and its wasm know each other by. A tab may be older than what the
/// server has by now, and `www/js/slot.js` must not run the wasm of one build by the script of another.
fn build_of(script: &str) -> String {
    let mut crc = flate2::Crc::new();
    crc.update(script.as_bytes());
    format!("{:08x}", crc.sum())
}

/// A custom section of a wasm module that holds nothing but its name.
fn empty_section(name: &str) -> Vec<u8> {
    // Numbers below 128 are a byte each.
    let name_length = u8::try_from(name.len()).ok().filter(|length| *length < 127);
    let name_length = name_length.expect("a short name");
    [&[0, name_length + 1, name_length], name.as_bytes()].concat()
}

/// All files in one, which the server's binary carries inside: see `Page::packed` there. It is not touched
/// where nothing has changed, so that the binary is not built again for nothing.
fn write_pack(path: &Path, files: &Files) -> Result<()> {
    let mut pack = Vec::new();
    for (name, content) in files {
        // As the page asks for them, on every system.
        let parts: Vec<_> = name.iter().map(|part| part.to_string_lossy()).collect();
        let name = parts.join("/");
        for length in [name.len(), content.len()] {
            let length = u32::try_from(length).context("a file is far too long for a page")?;
            pack.extend_from_slice(&length.to_le_bytes());
        }
        pack.extend_from_slice(name.as_bytes());
        pack.extend_from_slice(content);
    }
    if fs::read(path).is_ok_and(|old| old == pack) {
        return Ok(());
    }
    fs::write(path, pack).with_context(|| format!("writing {}", path.display()))
}

/// Makes `dir` hold these files and no others.
fn write_all(dir: &Path, files: &Files) -> Result<()> {
    remove_others(dir, dir, files)?;
    write(dir, files)
}

/// Makes `dir` hold these files. What is the same is not touched, so that a server which embeds them
/// is not built again for nothing.
pub(crate) fn write(dir: &Path, files: &Files) -> Result<()> {
    for (name, content) in files {
        let path = dir.join(name);
        if fs::read(&path).is_ok_and(|old| old == *content) {
            continue;
        }
        let parent = path.parent().context("a file lies in a folder")?;
        fs::create_dir_all(parent)
            .and_then(|()| fs::write(&path, content))
            .with_context(|| format!("writing {}", path.display()))?;
    }
    Ok(())
}

fn remove_others(dir: &Path, top: &Path, files: &Files) -> Result<()> {
    if !dir.is_dir() {
        return Ok(());
    }
    for entry in fs::read_dir(dir)? {
        let path = entry?.path();
        let name = path.strip_prefix(top).context("an entry lies in its folder")?;
        if path.is_dir() {
            remove_others(&path, top, files)?;
        } else if !files.contains_key(name) {
            fs::remove_file(&path).with_context(|| format!("removing {}", path.display()))?;
        }
    }
    Ok(())
}
