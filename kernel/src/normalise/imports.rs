//! What a kernel may import, and what the hosts give it.

use super::read::{Module, show_type};
use crate::refused::Refused;
use tequio_protocol::text::quote;
use wasmparser::{FuncType, ValType};

/// The module of WASI preview 1.
pub(crate) const WASI: &str = "wasi_snapshot_preview1";

/// The functions of WASI preview 1, with their parameters (`i` is an `i32`, `I` an `i64`). All give an
/// `i32`, but for `proc_exit`.
pub(crate) const WASI_FUNCTIONS: [(&str, &str); 46] = [
    ("args_get", "ii"),
    ("args_sizes_get", "ii"),
    ("clock_res_get", "ii"),
    ("clock_time_get", "iIi"),
    ("environ_get", "ii"),
    ("environ_sizes_get", "ii"),
    ("fd_advise", "iIIi"),
    ("fd_allocate", "iII"),
    ("fd_close", "i"),
    ("fd_datasync", "i"),
    ("fd_fdstat_get", "ii"),
    ("fd_fdstat_set_flags", "ii"),
    ("fd_fdstat_set_rights", "iII"),
    ("fd_filestat_get", "ii"),
    ("fd_filestat_set_size", "iI"),
    ("fd_filestat_set_times", "iIIi"),
    ("fd_pread", "iiiIi"),
    ("fd_prestat_dir_name", "iii"),
    ("fd_prestat_get", "ii"),
    ("fd_pwrite", "iiiIi"),
    ("fd_read", "iiii"),
    ("fd_readdir", "iiiIi"),
    ("fd_renumber", "ii"),
    ("fd_seek", "iIii"),
    ("fd_sync", "i"),
    ("fd_tell", "ii"),
    ("fd_write", "iiii"),
    ("path_create_directory", "iii"),
    ("path_filestat_get", "iiiii"),
    ("path_filestat_set_times", "iiiiIIi"),
    ("path_link", "iiiiiii"),
    ("path_open", "iiiiiIIii"),
    ("path_readlink", "iiiiii"),
    ("path_remove_directory", "iii"),
    ("path_rename", "iiiiii"),
    ("path_symlink", "iiiii"),
    ("path_unlink_file", "iii"),
    ("poll_oneoff", "iiii"),
    ("proc_exit", "i"),
    ("proc_raise", "i"),
    ("random_get", "ii"),
    ("sched_yield", ""),
    ("sock_accept", "iii"),
    ("sock_recv", "iiiiii"),
    ("sock_send", "iiiii"),
    ("sock_shutdown", "ii"),
];

/// The most imports: there are 48 functions to import, and each costs time when an instance is made.
const IMPORTS_MAX: usize = 100;

/// Refuses what no host gives, and says what the hosts give in a way of their own.
pub(super) fn check(module: &Module<'_>, notes: &mut Vec<String>) -> Result<(), Refused> {
    if module.imports.len() > IMPORTS_MAX {
        let said = format!(
            "the module has {} imports; a kernel has at most {IMPORTS_MAX}",
            module.imports.len()
        );
        return Err(Refused::new("limit", said));
    }
    let mut absent = Vec::new();
    let mut is_wasi_used = false;
    for import in &module.imports {
        let (from, name) = (import.module, import.name);
        let expected = match (from, name) {
            ("env", "abort") => FuncType::new([ValType::I32; 4], []),
            ("env", "seed") => FuncType::new([], [ValType::F64]),
            (WASI, name) => wasi_type(name).ok_or_else(|| unknown(from, name))?,
            _ => return Err(unknown(from, name)),
        };
        let actual = module.type_of(import.type_index);
        if *actual != expected {
            let (expected, actual) = (show_type(&expected), show_type(actual));
            let said =
                format!("the import {from}.{name} must have the type {expected}, not {actual}");
            return Err(Refused::new("import", said));
        }
        is_wasi_used |= from == WASI;
        match note(name) {
            Some(Note::Words(words)) => push_once(notes, format!("{name}: {words}")),
            Some(Note::Absent) => push_once(&mut absent, name.to_owned()),
            None => {}
        }
    }
    if !absent.is_empty() {
        notes.push(format!("not there (ENOSYS): {}", absent.join(", ")));
    }
    if is_wasi_used && module.export("memory").is_none() {
        let said = "a module that imports WASI must export its memory as \"memory\"";
        return Err(Refused::new("exports", said));
    }
    Ok(())
}

fn push_once(list: &mut Vec<String>, item: String) {
    if !list.contains(&item) {
        list.push(item);
    }
}

fn wasi_type(name: &str) -> Option<FuncType> {
    let (_, params) = WASI_FUNCTIONS.iter().find(|(known, _)| *known == name)?;
    let params = params.chars().map(|c| if c == 'I' { ValType::I64 } else { ValType::I32 });
    let results = if name == "proc_exit" { &[][..] } else { &[ValType::I32] };
    Some(FuncType::new(params, results.iter().copied()))
}

enum Note {
    Words(&'static str),
    Absent,
}

/// What people should know of a function that is not as elsewhere.
fn note(name: &str) -> Option<Note> {
    let words = match name {
        "seed" | "random_get" => "the same in every instance",
        "clock_time_get" => "the clock stands at 0",
        "clock_res_get" => "the clock stands still",
        "args_get" | "args_sizes_get" => "there are no arguments",
        "environ_get" | "environ_sizes_get" => "the environment is empty",
        "fd_prestat_get" | "fd_prestat_dir_name" => "there are no files",
        "abort" | "fd_write" | "fd_read" | "fd_close" | "fd_fdstat_get" | "fd_seek" | "fd_tell"
        | "proc_exit" | "sched_yield" => return None,
        _ => return Some(Note::Absent),
    };
    Some(Note::Words(words))
}

fn unknown(from: &str, name: &str) -> Refused {
    let advice =
        if from.starts_with("__wbindgen") || name.starts_with("__wbindgen") || from == "wbg" {
            "build a cdylib without wasm-bindgen: #[no_mangle] pub extern \"C\" fn run"
        } else if from == "wasi_unstable" {
            "compile for WASI preview 1"
        } else if from == WASI {
            "WASI preview 1 has no such function"
        } else if from.starts_with("wasi:") {
            "compile for WASI preview 1, not 2"
        } else if from == "env"
            && (name.starts_with("emscripten_") || name.starts_with("_emscripten"))
        {
            "compile with -sSTANDALONE_WASM, or with clang alone"
        } else if from == "env" && matches!(name, "trace" | "console.log") {
            "take the logging out"
        } else if from == "env" {
            "link the function in (linkers import what they do not find)"
        } else {
            "a kernel computes by itself: link it in, or leave it out"
        };
    let said = format!("no host gives the import {}.{}: {advice}", quote(from), quote(name));
    Refused::new("import", said)
}

/// The refusal of a memory, a table, a global or a tag that is imported.
pub(super) fn not_a_function(from: &str, name: &str, kind: &str) -> Refused {
    let advice = match kind {
        "memory" => "link without --import-memory",
        "table" => "link without --import-table",
        _ => "define it in the module",
    };
    let (from, name) = (quote(from), quote(name));
    Refused::new(
        "import",
        format!("kernels import functions only, and {from}.{name} is a {kind}: {advice}"),
    )
}
