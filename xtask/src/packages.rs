//! Packages that tests need, each as its registry has it, in folders below `target`.

use crate::run::{command, output, run, step};
use crate::tools::{check_node, npm_ci};
use anyhow::{Context, Result};
use std::fs;
use std::path::{Path, PathBuf};

/// What a folder was installed from, in the folder: it is written last, so that what was interrupted
/// is installed anew.
const INSTALLED_FROM: &str = ".installed-from";

/// Makes a folder an environment of Python with the packages that `pins` names, and none of the machine's. Gives
/// its program.
pub(crate) fn of_python(python: &Path, folder: &Path, pins: &Path) -> Result<PathBuf> {
    let program = folder.join(if cfg!(windows) { "Scripts/python.exe" } else { "bin/python" });
    // An environment is of one Python, and lies where it was made.
    let version = output(command(python).args(["-c", "import sys; print(sys.version)"]))?;
    let wanted = format!("{version}{}\n{}", folder.display(), read(pins)?);
    install(folder, &wanted, || {
        run(command(python).args(["-m", "venv"]).arg(folder))?;
        let quiet = ["--quiet", "--disable-pip-version-check"];
        run(command(&program)
            .args(["-m", "pip", "install"])
            .args(quiet)
            .arg("--requirement")
            .arg(pins))
    })?;
    Ok(program)
}

/// Installs into a folder what the `package-lock.json` in the folder `pins` names. Gives the packages' folder.
pub(crate) fn of_node(folder: &Path, pins: &Path) -> Result<PathBuf> {
    check_node()?;
    install(folder, &read(&pins.join("package-lock.json"))?, || {
        fs::create_dir_all(folder).with_context(|| folder.display().to_string())?;
        for file in ["package.json", "package-lock.json"] {
            fs::copy(pins.join(file), folder.join(file)).context(file)?;
        }
        npm_ci(folder, &[])
    })?;
    Ok(folder.join("node_modules"))
}

/// Has `work` fill the folder, unless it was filled from `wanted` before.
fn install(folder: &Path, wanted: &str, work: impl FnOnce() -> Result<()>) -> Result<()> {
    let mark = folder.join(INSTALLED_FROM);
    if fs::read_to_string(&mark).is_ok_and(|installed| installed == wanted) {
        return Ok(());
    }
    step(&format!("installing into {}", folder.display()), || {
        if folder.exists() {
            fs::remove_dir_all(folder).with_context(|| folder.display().to_string())?;
        }
        work()?;
        fs::write(&mark, wanted).with_context(|| mark.display().to_string())
    })
}

fn read(path: &Path) -> Result<String> {
    fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))
}
