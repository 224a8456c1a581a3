//! Scripts and style sheets as they are sent: without comments and long names, which are for who reads
//! them where they lie. Each stays a file of its own, with the names that others import.

use crate::page::{Files, write};
use crate::run::{command, root, run, target_dir};
use crate::tools::npx;
use anyhow::{Context, Result, ensure};
use std::fs;
use std::path::{Path, PathBuf};

/// Makes ours smaller; what others have made is left as they want it sent.
pub(crate) fn minify(files: &mut Files) -> Result<()> {
    let (from, to) = (target_dir().join("minify/from"), target_dir().join("minify/to"));
    let ours: Files = files
        .iter()
        .filter(|(name, _)| is_minified(name))
        .map(|(name, content)| (name.clone(), content.clone()))
        .collect();
    write(&from, &ours)?;
    let paths: Vec<PathBuf> = ours.keys().map(|name| from.join(name)).collect();
    run(command(npx())
        .args(["--no-install", "esbuild", "--minify", "--format=esm", "--log-level=warning"])
        .arg(format!("--outbase={}", from.display()))
        .arg(format!("--outdir={}", to.display()))
        .args(paths)
        .current_dir(root().join("www")))?;
    for name in ours.into_keys() {
        let path = to.join(&name);
        let content = fs::read(&path).with_context(|| format!("reading {}", path.display()))?;
        ensure!(!content.is_empty(), "{} has become nothing", path.display());
        files.insert(name, content);
    }
    Ok(())
}

fn is_minified(name: &Path) -> bool {
    let is_ours = !name.starts_with("vendor");
    is_ours && name.extension().is_some_and(|extension| extension == "js" || extension == "css")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_scripts_and_style_sheets_are_minified() {
        for (name, is_so) in [
            ("js/main.js", true),
            ("style.css", true),
            ("worker.js", true),
            ("vendor/uPlot.esm.js", false),
            ("index.html", false),
            ("worker_bg.wasm", false),
        ] {
            assert_eq!(is_minified(Path::new(name)), is_so, "{name}");
        }
    }
}
