//! What the page's files have of others: uPlot, which draws its charts, and the client library of
//! Socket.IO, which the server has for other pages. They come from their npm packages, are sent as they
//! are, and are not committed.

use crate::kernels;
use crate::page::{Files, write};
use crate::run::root;
use crate::tools::page_packages;
use anyhow::{Context, Result, ensure};
use std::fs;
use std::path::Path;

/// Where the client library of Socket.IO lies among the page's files. The page does not load it.
const SOCKET_IO: &str = "vendor/socket.io";

/// How the paths begin of scripts that a guest's visit does not load: those that run kernels, which a slot loads with
/// the first kernel only, and the form of a new job, which is loaded when it is opened.
const LATER: [&str; 4] = ["js/kernel", "js/new-job-", "js/new-job.js", "js/strings/kernels"];

/// What begins like these and is loaded all the same: the button that opens the form.
const AT_ONCE: &str = "js/new-job-door.js";

/// What Node's server has of it, but for the maps, which weigh three times as much.
const SOCKET_IO_SCRIPTS: [&str; 4] =
    ["socket.io.js", "socket.io.min.js", "socket.io.esm.min.js", "socket.io.msgpack.min.js"];

/// Whether a visit of the page loads this file of it.
pub(crate) fn is_visited(name: &Path) -> bool {
    let is_later = name
        .to_str()
        .is_some_and(|name| name != AT_ONCE && LATER.iter().any(|later| name.starts_with(later)));
    !name.starts_with(SOCKET_IO) && !name.starts_with(kernels::IN_PAGE) && !is_later
}

/// Leaves the files in `www/vendor/`, where trunk and tests find them, and gives them, by their path
/// in the page. Those that are right are not touched, so that trunk does not build again for them.
pub(crate) fn vendor() -> Result<Files> {
    page_packages()?;
    let uplot = |name: &str| package_file("uplot", name);
    let mut files: Files = [
        ("vendor/uPlot.esm.js".into(), module(&uplot("dist/uPlot.iife.min.js")?)?.into()),
        ("vendor/uPlot.min.css".into(), uplot("dist/uPlot.min.css")?.into()),
        // Its licence asks for this.
        ("vendor/uPlot.LICENSE.txt".into(), uplot("LICENSE")?.into()),
    ]
    .into();
    for script in SOCKET_IO_SCRIPTS {
        let content = package_file("socket.io-client", &format!("dist/{script}"))?;
        files.insert(Path::new(SOCKET_IO).join(script), content.into());
    }
    write(&root().join("www"), &files)?;
    Ok(files)
}

fn package_file(package: &str, name: &str) -> Result<String> {
    let path = root().join("www/node_modules").join(package).join(name);
    fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))
}

/// How uPlot writes numbers, which it decides when it is loaded. Some browsers call their language what
/// is none (`C`, `en-US@posix`), and uPlot then does not load. The page writes the numbers of its charts
/// itself.
const BY_LANGUAGE: &str = r#"new Intl.NumberFormat(_?k.language:"en-US")"#;
const BY_DEFAULT: &str = r#"new Intl.NumberFormat("en-US")"#;

/// uPlot's minified build, which is a script that declares one variable, as a module. The module in
/// its package is not minified, and twice as heavy on its way to a tab.
fn module(script: &str) -> Result<String> {
    let is_known =
        script.contains("\nvar uPlot=function(){") && script.trim_end().ends_with("}();");
    let is_known = is_known && script.matches(BY_LANGUAGE).count() == 1;
    ensure!(is_known, "uPlot's script is not what it was: see xtask/src/vendor.rs");
    let script = script.trim_end().replace(BY_LANGUAGE, BY_DEFAULT);
    Ok(format!(
        "// Licence: uPlot.LICENSE.txt; changed: \"{BY_DEFAULT}\"\n{script}\nexport default uPlot;\n"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_script_becomes_a_module_and_anything_else_is_refused() {
        let script =
            format!("/*! uPlot */\nvar uPlot=function(){{const el={BY_LANGUAGE};return 1}}();\n");
        let module_of = format!(
            "// Licence: uPlot.LICENSE.txt; changed: \"{BY_DEFAULT}\"\n/*! uPlot */\n\
             var uPlot=function(){{const el={BY_DEFAULT};return 1}}();\nexport default uPlot;\n"
        );
        assert_eq!(module(&script).expect("it is a script"), module_of);
        let language_read_otherwise = "/*! uPlot */\nvar uPlot=function(){return 1}();\n";
        for other in [
            "",
            "export default 1;",
            "/*! uPlot */\nvar uPlot=1;",
            "\nlet uPlot=2}();",
            language_read_otherwise,
        ] {
            assert!(module(other).is_err(), "{other}");
        }
    }
}
