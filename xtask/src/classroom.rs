//! What the clients of a classroom run on: the libraries that they were written for, in folders of their own
//! below `target/classroom`.

use crate::packages;
use crate::run::{root, target_dir};
use crate::tools::python;
use anyhow::Result;
use std::path::PathBuf;

/// Installs what is not there as it is pinned, and gives the variables that tell the tests of it.
pub(crate) fn set_up() -> Result<Vec<(&'static str, PathBuf)>> {
    let (python, pins) = (python()?, root().join("classroom"));
    let folder = target_dir().join("classroom");
    let environment =
        |name: &str, file: &str| packages::of_python(&python, &folder.join(name), &pins.join(file));
    Ok(vec![
        ("PYTHON", environment("python", "requirements.txt")?),
        ("PYTHON_OLDER", environment("python-older", "requirements-older.txt")?),
        ("NODE_PATH", packages::of_node(&folder.join("node"), &pins)?),
    ])
}
