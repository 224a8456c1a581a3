//! What kernels are compiled with in other languages than Rust: Zig, which compiles C too, and AssemblyScript, in
//! folders of their own below `target/compilers`.

use crate::packages;
use crate::run::{command, output, root, target_dir};
use crate::tools::python;
use anyhow::{Context, Result};
use std::env;
use std::ffi::OsString;
use std::path::Path;

/// The variable that tells tests of them: folders, as in `PATH`.
pub(crate) const COMPILERS: &str = "TEQUIO_COMPILERS";

/// Prints where Zig is.
const ZIG: &str = "import os, ziglang; print(os.path.dirname(ziglang.__file__))";

/// Installs what is not there as it is pinned, and gives the folders that they are in.
pub(crate) fn set_up() -> Result<OsString> {
    let pins = root().join("kernels/compilers");
    let folder = target_dir().join("compilers");
    let pinned = pins.join("requirements.txt");
    let python = packages::of_python(&python()?, &folder.join("python"), &pinned)?;
    let zig = output(command(python).args(["-c", ZIG]))?;
    let node = packages::of_node(&folder.join("node"), &pins)?;
    env::join_paths([Path::new(zig.trim()), &node.join(".bin")]).context("the target folder's path")
}
