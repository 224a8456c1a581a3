//! `tequio kernel new`: projects to start a kernel from, in several languages. Each is a few files that one command
//! builds; the first lines of its source say which, and what the JSON form is.

use anyhow::{Context, bail};
use clap::ValueEnum;
use std::fmt;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// What a kernel is written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Language {
    /// Rust, with cargo
    Rust,
    /// C, with Zig's compiler or with clang
    C,
    /// Zig
    Zig,
    /// AssemblyScript, which looks like TypeScript, with Node
    #[value(name = "assemblyscript")]
    AssemblyScript,
}

/// A project that was written. Displayed, it says what to do next.
#[derive(Debug)]
pub(crate) struct Project {
    dir: PathBuf,
    language: Language,
}

/// A file: its path in the project, and what is in it.
type File = (&'static str, &'static str);

macro_rules! files {
    ($folder:literal: $($path:literal),+) => {
        &[$(($path, include_str!(concat!("kernel_new/", $folder, "/", $path)))),+]
    };
}

/// Writes a project into a folder, which is made if it is not there.
///
/// Returns an error if there is something in it already, which is left as it is, or if it cannot be written.
pub(crate) fn write(language: Language, dir: &Path) -> anyhow::Result<Project> {
    let shown = dir.display();
    match fs::read_dir(dir) {
        Ok(mut entries) => {
            if entries.next().is_some() {
                bail!("{shown} is not empty: name a folder that is, or that is not there yet");
            }
        }
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        Err(error) if error.kind() == ErrorKind::NotADirectory => bail!("{shown} is no folder"),
        Err(error) => return Err(error).with_context(|| format!("{shown} cannot be read")),
    }
    for (path, content) in language.files() {
        let path = dir.join(path);
        let folder = path.parent().expect("a file lies in a folder");
        fs::create_dir_all(folder)
            .and_then(|()| fs::write(&path, content))
            .with_context(|| format!("{} cannot be written", path.display()))?;
    }
    Ok(Project { dir: dir.to_owned(), language })
}

impl Language {
    fn files(self) -> &'static [File] {
        match self {
            Language::Rust => {
                files!("rust": "Cargo.toml", "src/lib.rs", ".cargo/config.toml", ".gitignore")
            }
            Language::C => files!("c": "kernel.c"),
            Language::Zig => files!("zig": "kernel.zig"),
            Language::AssemblyScript => {
                files!("assemblyscript": "kernel.ts", "package.json", "tsconfig.json", ".gitignore")
            }
        }
    }

    /// What builds it, typed in its folder.
    fn build(self) -> &'static str {
        match self {
            Language::Rust => "cargo build --release --target wasm32-unknown-unknown",
            Language::C => {
                "zig cc -target wasm32-freestanding -nostdlib -Wl,--no-entry -Wl,--export=run \
                 -Wl,-z,stack-size=65536 -O2 -s -o kernel.wasm kernel.c"
            }
            Language::Zig => {
                "zig build-exe kernel.zig -target wasm32-freestanding -fno-entry --export=run \
                 -OReleaseSmall --stack 65536"
            }
            Language::AssemblyScript => "npm install && npm run build",
        }
    }

    /// Where its module is once it is built, in its folder.
    fn module(self) -> &'static str {
        match self {
            Language::Rust => "target/wasm32-unknown-unknown/release/kernel.wasm",
            Language::C | Language::Zig | Language::AssemblyScript => "kernel.wasm",
        }
    }
}

impl fmt::Display for Project {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "cd {}", self.dir.display())?;
        writeln!(f, "{}", self.language.build())?;
        write!(f, "tequio kernel test {} n=1234", self.language.module())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::env;
    use std::process::Command;
    use tequio_kernel::host::Program;

    /// Where the compilers are, as `cargo xtask test` installs them: folders, as in `PATH`. Without it no project
    /// is built.
    const COMPILERS: &str = "TEQUIO_COMPILERS";

    /// Runs a command that people type.
    fn run(command: &str, dir: &Path, compilers: &str) {
        let mut words = command.split(' ').map(str::to_owned);
        let mut program = words.next().unwrap();
        if cfg!(windows) && program == "npm" {
            program.push_str(".cmd");
        }
        let path = env::var("PATH").unwrap();
        let folders = env::split_paths(compilers).chain(env::split_paths(&path));
        let path = env::join_paths(folders).unwrap();
        let found = env::split_paths(&path).map(|folder| folder.join(&program));
        let program = found.into_iter().find(|program| program.is_file()).expect("it is installed");
        let output = Command::new(program)
            .args(words)
            .current_dir(dir)
            .env("PATH", &path)
            .env_remove("CARGO_TARGET_DIR")
            .output()
            .unwrap();
        assert!(output.status.success(), "{command}: {}", String::from_utf8_lossy(&output.stderr));
    }

    fn assert_computes(language: Language, module: &[u8]) {
        let normalised = tequio_kernel::normalise(module);
        let normalised = normalised.unwrap_or_else(|refused| panic!("{language:?}: {refused}"));
        assert!(normalised.notes.is_empty(), "{language:?}: {:?}", normalised.notes);
        let program = Program::compile(&normalised.bytes).unwrap();
        let mut instance = program.instance(None, || false).unwrap();
        for (n, expected) in
            [(0_i64, "0"), (1234, "30"), (-99, "162"), (9_007_199_254_740_991, "566")]
        {
            let result = instance.run(&[n as f64], "");
            assert_eq!(result.as_deref(), Ok(expected), "{language:?} {n}");
        }
    }

    #[test]
    fn each_project_is_built_by_the_command_that_it_names() {
        let Ok(compilers) = env::var(COMPILERS) else {
            eprintln!("{COMPILERS} is not set, so nothing is built: `cargo xtask test` sets it");
            return;
        };
        let parent = tempfile::tempdir().unwrap();
        for language in Language::value_variants() {
            let dir = parent.path().join(format!("{language:?}"));
            write(*language, &dir).unwrap();
            // What npm would install is there.
            let command = language.build();
            run(command.strip_prefix("npm install && ").unwrap_or(command), &dir, &compilers);
            let module = fs::read(dir.join(language.module())).unwrap();
            assert!(module.len() < 1024, "{language:?}: {} bytes", module.len());
            assert_computes(*language, &module);
        }
    }

    #[test]
    fn each_project_says_how_it_is_built() {
        let parent = tempfile::tempdir().unwrap();
        for language in Language::value_variants() {
            let dir = parent.path().join(format!("{language:?}"));
            let said = write(*language, &dir).unwrap().to_string();
            let lines: Vec<_> = said.lines().collect();
            assert_eq!(lines[0], format!("cd {}", dir.display()));
            let (_, first) = language.files()[0];
            assert!(first.contains(lines[1]), "{language:?}");
            assert!(lines[2].starts_with("tequio kernel test "));
            for (path, content) in language.files() {
                assert_eq!(fs::read_to_string(dir.join(path)).unwrap(), *content);
            }
        }
    }

    #[test]
    fn an_empty_folder_is_filled() {
        let dir = tempfile::tempdir().unwrap();
        write(Language::C, dir.path()).unwrap();
        assert!(dir.path().join("kernel.c").is_file());
    }

    #[test]
    fn what_is_there_is_not_touched() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("kernel.c");
        fs::write(&file, "mine").unwrap();
        for (path, expected) in [(dir.path(), "is not empty"), (&file, "is no folder")] {
            let error = write(Language::C, path).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        }
        assert_eq!(fs::read_to_string(&file).unwrap(), "mine");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }
}
