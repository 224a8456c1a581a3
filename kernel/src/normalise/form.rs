//! Of which form a module is, seen from its exports.

use super::params::{self, Said};
use super::read::{Module, show_type};
use crate::refused::Refused;
use crate::shape::{Form, KernelParam, Shape, ValueType};
use tequio_protocol::op::PARAMS_MAX;
use tequio_protocol::text::quote;
use wasmparser::{Export, ExternalKind, FuncType, ValType};

/// How many exports a refusal names.
const EXPORTS_NAMED_MAX: usize = 10;

/// A module's shape, and which of its exports a host calls or reads.
pub(super) struct Seen {
    pub(super) shape: Shape,
    pub(super) kept: &'static [&'static str],
    /// What the module says of its parameters.
    pub(super) said: Option<Vec<Said>>,
}

pub(super) fn see(module: &Module<'_>, notes: &mut Vec<String>) -> Result<Seen, Refused> {
    let said = module.params.map(params::read).transpose()?;
    let seen = match (module.export("run"), module.export("_start")) {
        (Some(_), Some(_)) => {
            return Err(refused(
                "it exports both run and _start, and a kernel is either a function or a command: take one away",
            ));
        }
        (None, None) => return Err(neither(module)),
        (None, Some(start)) => command(module, start, said)?,
        (Some(run), None) => function(module, run, said, notes)?,
    };
    Ok(seen)
}

fn refused(message: impl Into<String>) -> Refused {
    Refused::new("exports", message)
}

fn neither(module: &Module<'_>) -> Refused {
    let names: Vec<String> = module.exports.iter().map(|export| quote(export.name)).collect();
    let named = &names[..names.len().min(EXPORTS_NAMED_MAX)];
    let exports = match (named, names.len() - named.len()) {
        ([], _) => "it exports nothing".to_owned(),
        (named, 0) => format!("its exports are {}", named.join(", ")),
        (named, more) => format!("its exports are {} and {more} more", named.join(", ")),
    };
    refused(format!(
        "it exports neither run nor _start; {exports}. Rust: #[unsafe(no_mangle)] pub extern \"C\" fn run in a \
         crate of the type cdylib; C: link with -Wl,--export=run; AssemblyScript: export function run"
    ))
}

fn command(
    module: &Module<'_>,
    start: &Export<'_>,
    said: Option<Vec<Said>>,
) -> Result<Seen, Refused> {
    let ty = function_of(module, start)?;
    if !is_type(ty, &[], &[]) {
        return Err(refused(format!(
            "_start must take and give nothing, and is {}",
            show_type(ty)
        )));
    }
    if module.export("_initialize").is_some() {
        return Err(refused(
            "it exports both _start and _initialize, and a command has _start only: build a command or a reactor",
        ));
    }
    if let Some(memory) = module.export("memory") {
        check_memory(memory)?;
    }
    let params = params::named(said.as_deref());
    let shape = Shape { form: Form::Command, params, takes_data: false };
    Ok(Seen { shape, kept: &["memory", "_start"], said })
}

fn function(
    module: &Module<'_>,
    run: &Export<'_>,
    said: Option<Vec<Said>>,
    notes: &mut Vec<String>,
) -> Result<Seen, Refused> {
    const I32: ValType = ValType::I32;
    let ty = function_of(module, run)?;
    if let Some(initialize) = module.export("_initialize") {
        let ty = function_of(module, initialize)?;
        if !is_type(ty, &[], &[]) {
            return Err(refused(format!(
                "_initialize must take and give nothing, and is {}",
                show_type(ty)
            )));
        }
    }
    let alloc = module.export("alloc");
    let init = module.export("init");
    let is_json = alloc.is_some() && is_type(ty, &[I32, I32], &[I32]);
    if is_json || init.is_some() {
        let why = if is_json { "run(ptr, len) -> ptr" } else { "init(ptr, len)" };
        check_alloc(module, alloc, why)?;
    }
    if let Some(memory) = module.export("memory") {
        check_memory(memory)?;
    }
    if let Some(init) = init {
        let ty = function_of(module, init)?;
        if !is_type(ty, &[I32, I32], &[I32]) {
            let ty = show_type(ty);
            return Err(refused(format!("init must be (ptr: i32, len: i32) -> i32, and is {ty}")));
        }
    }
    let takes_data = init.is_some();
    let kept = match (is_json, takes_data) {
        (false, false) => &["memory", "run", "_initialize"][..],
        (true, false) => &["memory", "alloc", "run", "_initialize"],
        (_, true) => &["memory", "alloc", "run", "init", "_initialize"],
    };
    let (form, params) = if is_json {
        (Form::Json, params::named(said.as_deref()))
    } else {
        if is_type(ty, &[I32, I32], &[I32]) && module.export("memory").is_some() {
            notes.push(
                "run(i32, i32) -> i32 is called with two numbers; the JSON form also needs alloc(len: i32) -> ptr"
                    .to_owned(),
            );
        }
        let (params, result) = numbers(ty)?;
        let named = params::of_numbers(said.as_deref(), &params)?;
        (Form::Numbers { params, result }, named)
    };
    Ok(Seen { shape: Shape { form, params, takes_data }, kept, said })
}

fn check_memory(memory: &Export<'_>) -> Result<(), Refused> {
    if memory.kind == ExternalKind::Memory {
        return Ok(());
    }
    Err(refused("its export \"memory\" is no memory: name it otherwise"))
}

fn check_alloc(module: &Module<'_>, alloc: Option<&Export<'_>>, why: &str) -> Result<(), Refused> {
    let Some(alloc) = alloc else {
        return Err(refused(format!("{why} also needs the export alloc(len: i32) -> ptr")));
    };
    let ty = function_of(module, alloc)?;
    if !is_type(ty, &[ValType::I32], &[ValType::I32]) {
        return Err(refused(format!("alloc must be (len: i32) -> i32, and is {}", show_type(ty))));
    }
    if module.export("memory").is_none() {
        return Err(refused(format!("{why} also needs the memory to be exported as \"memory\"")));
    }
    Ok(())
}

/// The types of the numbers form.
fn numbers(ty: &FuncType) -> Result<(Vec<ValueType>, ValueType), Refused> {
    let shown = show_type(ty);
    let number = |ty: &ValType| match ty {
        ValType::I32 => Ok(ValueType::I32),
        ValType::I64 => Ok(ValueType::I64),
        ValType::F32 => Ok(ValueType::F32),
        ValType::F64 => Ok(ValueType::F64),
        other => {
            Err(refused(format!("run takes and gives numbers, and {other} is none: it is {shown}")))
        }
    };
    let result = match ty.results() {
        [result] => number(result)?,
        [] => {
            return Err(refused(format!(
                "run must give one number, and gives nothing: it is {shown}"
            )));
        }
        several => {
            let count = several.len();
            return Err(refused(format!(
                "run must give one number, and gives {count}: it is {shown}"
            )));
        }
    };
    let count = ty.params().len();
    if !(1..=PARAMS_MAX).contains(&count) {
        return Err(refused(format!(
            "run must take 1 to {PARAMS_MAX} numbers, and takes {count}: it is {shown}"
        )));
    }
    Ok((ty.params().iter().map(number).collect::<Result<_, _>>()?, result))
}

fn function_of<'m>(module: &'m Module<'_>, export: &Export<'_>) -> Result<&'m FuncType, Refused> {
    match export.kind {
        ExternalKind::Func => Ok(module.function_type(export.index)),
        _ => Err(refused(format!("its export \"{}\" must be a function", quote(export.name)))),
    }
}

fn is_type(ty: &FuncType, params: &[ValType], results: &[ValType]) -> bool {
    ty.params() == params && ty.results() == results
}

/// The names of parameters that a module does not name: `p1`, `p2` and so on.
pub(super) fn unnamed(place: usize) -> KernelParam {
    KernelParam { name: format!("p{}", place + 1), kind: None, default: None, help: None }
}
