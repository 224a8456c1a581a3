//! Makes a module such that all engines compute the same of it.
//!
//! # Where the bits of a NaN are seen
//!
//! Arithmetic gives *a* NaN, and WebAssembly leaves open which: engines and processors differ in its sign and
//! its payload. That does no harm where nobody looks at the bits. Of the instructions that a kernel may use,
//! these take a float and give something else that depends on its bits:
//!
//! - `f32.store` and `f64.store` give bytes of memory;
//! - `i32.reinterpret_f32` and `i64.reinterpret_f64` give an integer;
//! - `copysign` gives a number with the sign of its second operand, which may be a NaN.
//!
//! Before each of these the float is made the canonical NaN if it is one. All others are blind to the bits:
//!
//! - comparisons with a NaN are false (`ne` is true), conversions to integers trap or give 0, and `min`, `max`
//!   and arithmetic give a NaN, of any bits;
//! - `abs`, `neg`, `promote`, `demote`, and the first operand of `copysign` carry bits on, as locals, globals,
//!   parameters, results, blocks and `select` do: into one of the above at last, or nowhere;
//! - loads and constants give bits that are the same everywhere;
//! - bulk instructions move bytes, which were made by stores or come from the module;
//! - tables hold functions only, and no other instruction has a float as operand: there is no SIMD, no GC and
//!   no `throw`;
//! - no function that is imported takes a float, no global with a float is exported, and what `run` gives is
//!   made canonical by the host.
//!
//! # What else differs between engines
//!
//! - `memory.grow` may fail for want of memory, at a size that depends on the machine. Each one becomes a call
//!   of a function at the end of the module. It gives -1 where the result would be above the maximum, which
//!   all engines agree upon. Where the engine fails below that, it sets the global [`EXHAUSTED_GLOBAL`] to 1
//!   and traps: a host knows by it that the trap is not the module's own.
//! - Engines stop at different sizes of memories and tables: there are limits below these.
//! - How deep calls may nest differs. A host knows an exhausted stack by its engine's own error.
//!
//! # What comes out
//!
//! The output is valid, is at most [`MODULE_BYTES_MAX`] bytes, and is the same if it is normalised again. The
//! function that grows the memory is known by its type, its place and its body, together with its global: a
//! module that comes with exactly these has them already, whoever wrote it.

mod code;
mod features;
mod form;
pub(crate) mod imports;
mod params;
mod read;
mod weight;

use crate::refused::Refused;
use crate::shape::Shape;
use crate::{
    EXHAUSTED_GLOBAL, MEMORY_PAGES_MAX, MODULE_BYTES_MAX, PARAMS_SECTION, TABLE_ENTRIES_MAX,
};
use form::Seen;
use read::Module;
use sha2::{Digest, Sha256};
use std::borrow::Cow;
use wasm_encoder::reencode::{Reencode, RoundtripReencoder};
use wasm_encoder::{
    CodeSection, ConstExpr, CustomSection, DataCountSection, DataSection, ElementSection, Elements,
    EntityType, ExportKind, ExportSection, FunctionSection, GlobalSection, GlobalType,
    ImportSection, MemorySection, TableSection, TypeSection, ValType,
};
use wasmparser::{ExternalKind, FuncType, Validator};

/// A module that every host computes the same of.
#[derive(Clone, Debug, PartialEq)]
pub struct Normalised {
    /// The module.
    pub bytes: Vec<u8>,
    /// The SHA-256 of these bytes, in lower-case hexadecimal: the kernel's name.
    pub sha256: String,
    /// What the kernel is given and gives.
    pub shape: Shape,
    /// What is not as the module's author may expect, a sentence each: stubs, and limits that were lowered.
    pub notes: Vec<String>,
}

/// Makes of a module one that every host computes the same of. Takes time in proportion to its length.
///
/// # Errors
///
/// Returns why it is refused: it is no valid module, uses what engines do differently, imports what no host
/// gives, is too large, or has none of the forms of a kernel.
pub fn normalise(module: &[u8]) -> Result<Normalised, Refused> {
    let module = Module::read(module)?;
    let mut notes = Vec::new();
    imports::check(&module, &mut notes)?;
    let seen = form::see(&module, &mut notes)?;
    let grow = Grow::of(&module)?;
    note_limits(&module, &mut notes);
    let bytes = write(&module, &seen, grow).map_err(|error| {
        Refused::new("invalid", format!("this module cannot be written anew: {error}"))
    })?;
    check(&bytes)?;
    Ok(Normalised { sha256: sha256(&bytes), bytes, shape: seen.shape, notes })
}

/// The SHA-256 of bytes, in lower-case hexadecimal.
pub fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// What a module that was normalised says of itself.
///
/// # Errors
///
/// Returns an error where these bytes are not what [`normalise`](fn@normalise) gives.
pub fn shape(normalised: &[u8]) -> Result<Shape, Refused> {
    let again = normalise(normalised)?;
    if again.bytes != normalised {
        return Err(Refused::new(
            "not_normalised",
            "this module is not normalised: add it to a server first",
        ));
    }
    Ok(again.shape)
}

/// Checks what is written: a module at the limits of engines may have gone beyond them.
fn check(bytes: &[u8]) -> Result<(), Refused> {
    if bytes.len() > MODULE_BYTES_MAX {
        let said = format!(
            "the module has {} bytes when it is normalised; a kernel has at most {MODULE_BYTES_MAX} (4 MiB)",
            bytes.len()
        );
        return Err(Refused::new("too_large", said));
    }
    if let Err(error) = Validator::new_with_features(features::ALLOWED).validate_all(bytes) {
        let said =
            format!("the module is at a limit of engines, and normalised it is beyond: {error}");
        return Err(Refused::new("limit", said));
    }
    Ok(())
}

fn note_limits(module: &Module<'_>, notes: &mut Vec<String>) {
    let declared = module.memory.and_then(|memory| memory.maximum).unwrap_or(0);
    if declared > MEMORY_PAGES_MAX {
        notes.push(format!(
            "the memory grows to 256 MiB at most; the module says {} MiB",
            declared / 16
        ));
    }
}

/// Where the function that grows the memory is, and its global.
#[derive(Clone, Copy)]
struct Grow {
    /// The type of the function, which may be one behind the module's last.
    type_index: u32,
    function: u32,
    global: u32,
    /// Whether the module has them already.
    is_there: bool,
}

impl Grow {
    fn of(module: &Module<'_>) -> Result<Option<Grow>, Refused> {
        let ty = FuncType::new([wasmparser::ValType::I32], [wasmparser::ValType::I32]);
        let known = module.types.iter().position(|known| *known == ty);
        let type_index = known.unwrap_or(module.types.len()) as u32;
        if let Some(export) = module.export(EXHAUSTED_GLOBAL) {
            let function = (module.imports.len() + module.functions.len()).wrapping_sub(1) as u32;
            let global = module.globals_count.wrapping_sub(1);
            let is_global = export.kind == ExternalKind::Global
                && export.index == global
                && module.last_global.is_some_and(|(ty, value)| {
                    ty.content_type == wasmparser::ValType::I32 && ty.mutable && value == Some(0)
                });
            let is_function = module.functions.last() == Some(&type_index)
                && module
                    .bodies
                    .last()
                    .is_some_and(|body| code::is_grow_function(body, module.pages_max(), global));
            if !is_global || !is_function {
                return Err(read::reserved());
            }
            return Ok(Some(Grow { type_index, function, global, is_there: true }));
        }
        if !module.bodies.iter().any(|body| body.needs.grows) {
            return Ok(None);
        }
        let function = (module.imports.len() + module.functions.len()) as u32;
        Ok(Some(Grow { type_index, function, global: module.globals_count, is_there: false }))
    }
}

type Error = wasm_encoder::reencode::Error<std::convert::Infallible>;

/// Writes the module anew: its sections in their order, each where it is not empty.
fn write(module: &Module<'_>, seen: &Seen, grow: Option<Grow>) -> Result<Vec<u8>, Error> {
    let reencoder = &mut RoundtripReencoder;
    let added = grow.filter(|grow| !grow.is_there);
    let mut out = wasm_encoder::Module::new();

    let mut types = TypeSection::new();
    for ty in &module.types {
        types.ty().func_type(&reencoder.func_type(ty.clone())?);
    }
    if added.is_some_and(|added| added.type_index == types.len()) {
        types.ty().function([ValType::I32], [ValType::I32]);
    }
    if !types.is_empty() {
        out.section(&types);
    }

    let mut imports = ImportSection::new();
    for import in &module.imports {
        imports.import(import.module, import.name, EntityType::Function(import.type_index));
    }
    if !imports.is_empty() {
        out.section(&imports);
    }

    let mut functions = FunctionSection::new();
    for type_index in module.functions.iter().copied().chain(added.map(|added| added.type_index)) {
        functions.function(type_index);
    }
    if !functions.is_empty() {
        out.section(&functions);
    }

    if let Some(mut ty) = module.table {
        ty.maximum = ty.maximum.map(|maximum| maximum.min(TABLE_ENTRIES_MAX));
        let mut tables = TableSection::new();
        tables.table(reencoder.table_type(ty)?);
        out.section(&tables);
    }
    if let Some(mut ty) = module.memory {
        ty.maximum = Some(module.pages_max());
        let mut memories = MemorySection::new();
        memories.memory(reencoder.memory_type(ty)?);
        out.section(&memories);
    }

    let mut globals = GlobalSection::new();
    if let Some(section) = &module.globals {
        reencoder.parse_global_section(&mut globals, section.clone())?;
    }
    if added.is_some() {
        let ty = GlobalType { val_type: ValType::I32, mutable: true, shared: false };
        globals.global(ty, &ConstExpr::i32_const(0));
    }
    if !globals.is_empty() {
        out.section(&globals);
    }

    let mut exports = ExportSection::new();
    for export in module.exports.iter().filter(|export| seen.kept.contains(&export.name)) {
        exports.export(export.name, reencoder.export_kind(export.kind)?, export.index);
    }
    if let Some(grow) = grow {
        exports.export(EXHAUSTED_GLOBAL, ExportKind::Global, grow.global);
    }
    if !exports.is_empty() {
        out.section(&exports);
    }

    let mut elements = ElementSection::new();
    if let Some(section) = &module.elements {
        reencoder.parse_element_section(&mut elements, section.clone())?;
    }
    // Exports that are dropped no longer allow `ref.func`.
    let undeclared: Vec<u32> = module.referred.difference(&module.declared).copied().collect();
    if !undeclared.is_empty() {
        elements.declared(Elements::Functions(Cow::Owned(undeclared)));
    }
    if !elements.is_empty() {
        out.section(&elements);
    }

    if let Some(count) = module.data_count {
        out.section(&DataCountSection { count });
    }

    let mut codes = CodeSection::new();
    let (last, others) = match (grow.filter(|grow| grow.is_there), module.bodies.split_last()) {
        (Some(_), Some((last, others))) => (Some(last), others),
        _ => (None, &module.bodies[..]),
    };
    for body in others {
        codes.function(&code::rewrite(body, grow.map(|grow| grow.function))?);
    }
    if let Some(last) = last {
        codes.raw(last.body.as_bytes());
    } else if let Some(grow) = grow {
        codes.function(&code::grow_function(module.pages_max(), grow.global));
    }
    if !codes.is_empty() {
        out.section(&codes);
    }

    let mut data = DataSection::new();
    if let Some(section) = &module.data {
        reencoder.parse_data_section(&mut data, section.clone())?;
    }
    if !data.is_empty() {
        out.section(&data);
    }

    if let Some(said) = &seen.said {
        let data = Cow::Owned(params::write(said));
        out.section(&CustomSection { name: Cow::Borrowed(PARAMS_SECTION), data });
    }
    Ok(out.finish())
}
