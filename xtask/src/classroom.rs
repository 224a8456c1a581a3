//! What the clients of a classroom run on: the libraries that they were written for, each as its
//! registry has it, in folders of their own below `target/classroom`.

use crate::run::{command, output, root, run, step, target_dir};
use crate::tools::{check_node, npm_ci, python};
use anyhow::{Context, Result};
use std::fs;
use std::path::{Path, PathBuf};

/// What a folder was installed from, in the folder: it is written last, so that what was interrupted
/// is installed anew.
const INSTALLED_FROM: &str = ".installed-from";

/// Installs what is not there as it is pinned, and gives the variables that tell the tests of it.
pub(crate) fn set_up() -> Result<Vec<(&'static str, PathBuf)>> {
    let python = python()?;
    Ok(vec![
        ("PYTHON", environment(&python, "python", "requirements.txt")?),
        ("PYTHON_OLDER", environment(&python, "python-older", "requirements-older.txt")?),
        ("NODE_PATH", node_packages()?),
    ])
}

/// Python with the packages that `pins` names, and none of the machine's. Gives its program.
fn environment(python: &Path, name: &str, pins: &str) -> Result<PathBuf> {
    let pins = root().join("classroom").join(pins);
    let folder = target_dir().join("classroom").join(name);
    let program = folder.join(if cfg!(windows) { "Scripts/python.exe" } else { "bin/python" });
    // An environment is of one Python, and lies where it was made.
    let version = output(command(python).args(["-c", "import sys; print(sys.version)"]))?;
    let wanted = format!("{version}{}\n{}", folder.display(), read(&pins)?);
    install(&folder, &wanted, || {
        run(command(python).args(["-m", "venv"]).arg(&folder))?;
        let quiet = ["--quiet", "--disable-pip-version-check"];
        run(command(&program)
            .args(["-m", "pip", "install"])
            .args(quiet)
            .arg("--requirement")
            .arg(&pins))
    })?;
    Ok(program)
}

/// The packages of Node's clients. Gives their folder.
fn node_packages() -> Result<PathBuf> {
    check_node()?;
    let classroom = root().join("classroom");
    let folder = target_dir().join("classroom").join("node");
    install(&folder, &read(&classroom.join("package-lock.json"))?, || {
        fs::create_dir_all(&folder).with_context(|| folder.display().to_string())?;
        for file in ["package.json", "package-lock.json"] {
            fs::copy(classroom.join(file), folder.join(file)).context(file)?;
        }
        npm_ci(&folder, &[])
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
