//! Scripts and style sheets as they are sent: without comments and long names, which are for who reads
//! them where they lie. Each script stays a file of its own, with the names that others import, but for the
//! languages, which become a part of what chooses among them; the style sheets become one. What is alike is
//! smaller in gzip together, and fails together anyway.

use crate::page::{Files, write};
use crate::run::{command, root, run, target_dir};
use crate::tools::npx;
use anyhow::{Context, Result, ensure};
use std::fs;
use std::path::{Path, PathBuf};

/// The oldest browsers that run the page. What they lack is the coordinator's script, which is a module
/// (Firefox 114, Safari 15), and references in its wasm (Chrome 96, Safari 15). `www/tsconfig.page.json`
/// names the year of the same, for what JavaScript can do.
const TARGET: &str = "--target=chrome96,edge96,firefox114,safari15";

/// Files that become one with some that they import.
const JOINED: [&str; 2] = ["style.css", "js/strings.js"];

/// Whether a file is a part of one of [`JOINED`], and not sent by itself.
fn is_part(name: &Path) -> bool {
    name.starts_with("css")
        || ["js/strings/en.js", "js/strings/es.js"].contains(&&*name.to_string_lossy())
}

/// Makes ours smaller; what others have made is left as they want it sent.
pub(crate) fn minify(files: &mut Files) -> Result<()> {
    if let Some(html) = files.get_mut(Path::new("index.html")) {
        *html = slim(str::from_utf8(html).context("index.html")?).into_bytes();
    }
    let folder = target_dir().join("minify");
    let ours: Files = files
        .iter()
        .filter(|(name, _)| is_minified(name))
        .map(|(name, content)| (name.clone(), content.clone()))
        .collect();
    write(&folder, &ours)?;
    files.retain(|name, _| !is_part(name));
    let (joined, alone): (Vec<PathBuf>, Vec<PathBuf>) = ours
        .into_keys()
        .filter(|name| !is_part(name))
        .partition(|name| JOINED.iter().any(|joined| name == Path::new(joined)));
    let at = |name: &PathBuf| folder.join(name);
    // All but the parts stay what is imported from elsewhere.
    let others = alone.iter().map(|name| format!("--external:{}", at(name).display()));
    let bundle = [vec!["--bundle".to_owned()], others.collect()].concat();
    // First, while the parts are as they were written.
    for name in &joined {
        let to = format!("--outfile={}", at(name).display());
        esbuild(&[bundle.as_slice(), &[to]].concat(), &[at(name)])?;
    }
    let to = ["base", "dir"].map(|out| format!("--out{out}={}", folder.display()));
    esbuild(&to, &alone.iter().map(at).collect::<Vec<_>>())?;
    for name in joined.into_iter().chain(alone) {
        let path = folder.join(&name);
        let content = fs::read(&path).with_context(|| format!("reading {}", path.display()))?;
        ensure!(!content.is_empty(), "{} has become nothing", path.display());
        files.insert(name, content);
    }
    Ok(())
}

/// Makes files smaller, where they lie.
fn esbuild(how: &[String], paths: &[PathBuf]) -> Result<()> {
    run(command(npx())
        .args([
            "--no-install",
            "esbuild",
            "--minify",
            "--format=esm",
            "--log-level=warning",
            TARGET,
        ])
        .arg("--allow-overwrite")
        .args(how)
        .args(paths)
        .current_dir(root().join("www")))
}

/// A page without what is for its developers: comments, and what indents its lines. Spaces within a line
/// stay, where they may mean something.
fn slim(html: &str) -> String {
    let mut parts = html.split("<!--");
    let mut rest = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        rest.push_str(part.split_once("-->").map_or("", |(_, after)| after));
    }
    let lines = rest.lines().map(str::trim).filter(|line| !line.is_empty());
    lines.fold(String::new(), |text, line| text + line + "\n")
}

fn is_minified(name: &Path) -> bool {
    let is_ours = !name.starts_with("vendor");
    is_ours && name.extension().is_some_and(|extension| extension == "js" || extension == "css")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_loses_its_comments_and_its_indentation() {
        let html = "<!doctype html>\n  <p>\n    a  b <!-- one\n  two --> c\n  </p>\n\n<!-- d -->\n";
        assert_eq!(slim(html), "<!doctype html>\n<p>\na  b  c\n</p>\n");
        assert_eq!(slim("a <!-- b"), "a\n");
    }

    #[test]
    fn our_scripts_and_style_sheets_are_minified() {
        for (name, is_so) in [
            ("js/main.js", true),
            ("style.css", true),
            ("css/page.css", true),
            ("worker.js", true),
            ("vendor/uPlot.esm.js", false),
            ("index.html", false),
            ("worker_bg.wasm", false),
        ] {
            assert_eq!(is_minified(Path::new(name)), is_so, "{name}");
        }
    }

    #[test]
    fn languages_and_style_sheets_are_parts() {
        for (name, is_so) in [
            ("css/jobs.css", true),
            ("js/strings/es.js", true),
            ("js/strings/measures.js", false),
            ("js/strings.js", false),
            ("style.css", false),
        ] {
            assert_eq!(is_part(Path::new(name)), is_so, "{name}");
        }
    }
}
