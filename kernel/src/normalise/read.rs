//! Reads and validates a module, in one go: what is not allowed is refused by name before the validator
//! sees it, so that its words are only needed for modules that are broken.

use super::code::{Needs, Scanner};
use super::features::{ALLOWED, Feature, of_operator, of_type};
use super::imports;
use super::weight::{self, Weight};
use crate::refused::Refused;
use crate::{
    EXHAUSTED_GLOBAL, MEMORY_PAGES_MAX, MODULE_BYTES_MAX, PARAMS_SECTION, TABLE_ENTRIES_MAX,
};
use std::collections::BTreeSet;
use std::fmt::Write;
use tequio_protocol::text::quote;
use wasmparser::{
    BinaryReaderError, CompositeInnerType, ConstExpr, DataSectionReader, ElementItems,
    ElementSectionReader, Encoding, Export, FuncType, FuncValidatorAllocations, FunctionBody,
    GlobalSectionReader, GlobalType, KnownCustom, MemoryType, Name, Operator, Parser, Payload,
    RefType, TableInit, TableType, TypeRef, ValType, ValidPayload, Validator,
};

/// A valid module of allowed parts.
#[derive(Default)]
pub(super) struct Module<'a> {
    pub(super) types: Vec<FuncType>,
    pub(super) imports: Vec<FunctionImport<'a>>,
    /// The types of the functions that are not imported.
    pub(super) functions: Vec<u32>,
    pub(super) table: Option<TableType>,
    pub(super) memory: Option<MemoryType>,
    pub(super) globals: Option<GlobalSectionReader<'a>>,
    /// The last global, and what it begins with where that is one `i32.const`.
    pub(super) last_global: Option<(GlobalType, Option<i32>)>,
    pub(super) globals_count: u32,
    pub(super) exports: Vec<Export<'a>>,
    pub(super) elements: Option<ElementSectionReader<'a>>,
    pub(super) data_count: Option<u32>,
    pub(super) data: Option<DataSectionReader<'a>>,
    pub(super) bodies: Vec<Body<'a>>,
    /// What a custom section says of the parameters.
    pub(super) params: Option<&'a [u8]>,
    /// Functions that `ref.func` names in code.
    pub(super) referred: BTreeSet<u32>,
    /// Functions that may be named so because segments or globals name them as well.
    pub(super) declared: BTreeSet<u32>,
    /// What grows with code in ways other than its length.
    weight: Weight,
}

pub(super) struct FunctionImport<'a> {
    pub(super) module: &'a str,
    pub(super) name: &'a str,
    pub(super) type_index: u32,
}

pub(super) struct Body<'a> {
    pub(super) body: FunctionBody<'a>,
    pub(super) needs: Needs,
    /// How many parameters and locals it has.
    pub(super) locals: u32,
}

impl<'a> Module<'a> {
    /// Reads a module.
    pub(super) fn read(bytes: &'a [u8]) -> Result<Module<'a>, Refused> {
        check_header(bytes)?;
        let mut reader = Reader {
            bytes,
            module: Module::default(),
            validator: Validator::new_with_features(ALLOWED),
            allocations: FuncValidatorAllocations::default(),
        };
        for payload in Parser::new(0).parse_all(bytes) {
            let payload = payload.map_err(|error| reader.cut_short_or_broken(&error))?;
            reader.payload(payload)?;
        }
        Ok(reader.module)
    }

    pub(super) fn type_of(&self, type_index: u32) -> &FuncType {
        &self.types[type_index as usize]
    }

    /// The type of a function, imported or not.
    pub(super) fn function_type(&self, function: u32) -> &FuncType {
        self.known_function_type(function).expect("the validator has seen it")
    }

    /// The type of a function that may not be there.
    pub(super) fn known_function_type(&self, function: u32) -> Option<&FuncType> {
        let function = function as usize;
        let type_index = match self.imports.get(function) {
            Some(import) => import.type_index,
            None => *self.functions.get(function - self.imports.len())?,
        };
        self.types.get(type_index as usize)
    }

    pub(super) fn export(&self, name: &str) -> Option<&Export<'a>> {
        self.exports.iter().find(|export| export.name == name)
    }

    /// How many pages its memory may have.
    pub(super) fn pages_max(&self) -> u64 {
        let declared = self.memory.and_then(|memory| memory.maximum);
        declared.map_or(MEMORY_PAGES_MAX, |declared| declared.min(MEMORY_PAGES_MAX))
    }
}

/// Says of what is not a core module what it is.
fn check_header(bytes: &[u8]) -> Result<(), Refused> {
    if bytes.len() > MODULE_BYTES_MAX {
        let said = format!(
            "the module has {} bytes; a kernel has at most {MODULE_BYTES_MAX} (4 MiB): compile for size, and \
             strip debug information",
            bytes.len()
        );
        return Err(Refused::new("too_large", said));
    }
    let said = match bytes {
        [] => "this is no WebAssembly module: it is empty".to_owned(),
        [0, b'a', b's', b'm', 1, 0, 0, 0, ..] => return Ok(()),
        [0, b'a', b's', b'm', _, _, 1, 0, ..] => {
            "this is a WebAssembly component, and a kernel is a core module: compile for \
             wasm32-unknown-unknown or wasm32-wasip1"
                .to_owned()
        }
        [0, b'a', b's', b'm', _, _, _, _, ..] => {
            "this is a WebAssembly module of a version other than 1".to_owned()
        }
        _ if b"\0asm\x01\0\0\0".starts_with(bytes) => {
            format!("this WebAssembly module is cut short: it has {} bytes", bytes.len())
        }
        _ => format!("this is no WebAssembly module: it begins with {}", beginning(bytes)),
    };
    Err(Refused::new("not_wasm", said))
}

fn beginning(bytes: &[u8]) -> String {
    let first = &bytes[..bytes.len().min(16)];
    if first.iter().all(|byte| matches!(byte, b' '..=b'~' | b'\n' | b'\r' | b'\t')) {
        let text = String::from_utf8_lossy(first).replace(['\n', '\r', '\t'], " ");
        let is_text =
            text.trim_start().starts_with("(module") || text.trim_start().starts_with(";;");
        let advice =
            if is_text { ", which is its text form: make it binary with wat2wasm" } else { "" };
        return format!("\"{text}\"{advice}");
    }
    first.iter().take(8).map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().join(" ")
}

/// A function's type as the text format has it: `(i32, i32) -> i32`.
pub(super) fn show_type(ty: &FuncType) -> String {
    let join =
        |types: &[ValType]| types.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    let results = match ty.results() {
        [] => "nothing".to_owned(),
        [one] => one.to_string(),
        several => format!("({})", join(several)),
    };
    format!("({}) -> {results}", join(ty.params()))
}

struct Reader<'a> {
    bytes: &'a [u8],
    module: Module<'a>,
    validator: Validator,
    allocations: FuncValidatorAllocations,
}

impl<'a> Reader<'a> {
    fn payload(&mut self, payload: Payload<'a>) -> Result<(), Refused> {
        self.look(&payload)?;
        let valid = self.validator.payload(&payload).map_err(|error| self.broken(&error))?;
        if let ValidPayload::Func(function, body) = valid {
            let allocations = std::mem::take(&mut self.allocations);
            let mut validator = function.into_validator(allocations);
            self.body(body, &mut validator)?;
            self.allocations = validator.into_allocations();
        }
        Ok(())
    }

    /// Refuses what is not allowed, and keeps the rest.
    fn look(&mut self, payload: &Payload<'a>) -> Result<(), Refused> {
        match payload {
            Payload::Version { encoding: Encoding::Module, .. } | Payload::End(_) => {}
            Payload::TypeSection(section) => self.types(section.clone())?,
            Payload::ImportSection(section) => self.imports(section.clone())?,
            Payload::FunctionSection(section) => {
                Weight::check_functions(section.count() as usize)?;
                for function in section.clone() {
                    self.module.functions.push(self.ok(function)?);
                }
            }
            Payload::TableSection(section) => self.tables(section.clone())?,
            Payload::MemorySection(section) => self.memories(section.clone())?,
            Payload::TagSection(section) => {
                return Err(Feature::EXCEPTIONS.refused(at(section.range().start)));
            }
            Payload::GlobalSection(section) => self.globals(section.clone())?,
            Payload::ExportSection(section) => {
                for export in section.clone() {
                    self.module.exports.push(self.ok(export)?);
                }
            }
            Payload::StartSection { func, .. } => {
                let said = format!(
                    "kernels have no start function, and {} is one: export it as _initialize instead",
                    self.function_name(*func)
                );
                return Err(Refused::new("feature", said));
            }
            Payload::ElementSection(section) => self.elements(section.clone())?,
            Payload::DataCountSection { count, .. } => self.module.data_count = Some(*count),
            Payload::DataSection(section) => {
                for data in section.clone() {
                    let data = self.ok(data)?;
                    if let wasmparser::DataKind::Active { offset_expr, .. } = data.kind {
                        self.constant(&offset_expr)?;
                    }
                }
                self.module.data = Some(section.clone());
            }
            Payload::CustomSection(section) if section.name() == PARAMS_SECTION => {
                if self.module.params.is_some() {
                    let said = format!("the custom section {PARAMS_SECTION} is there twice");
                    return Err(Refused::new("params", said));
                }
                self.module.params = Some(section.data());
            }
            // The validator has words for what is not known.
            _ => {}
        }
        Ok(())
    }

    fn types(&mut self, section: wasmparser::TypeSectionReader<'a>) -> Result<(), Refused> {
        Weight::check_types(section.count() as usize)?;
        for group in section.into_iter_with_offsets() {
            let (offset, group) = self.ok(group)?;
            if group.is_explicit_rec_group() {
                return Err(Feature::GC.refused(at(offset)));
            }
            for ty in group.into_types() {
                if ty.composite_type.shared {
                    return Err(Feature::THREADS.refused(at(offset)));
                }
                let CompositeInnerType::Func(function) = ty.composite_type.inner else {
                    return Err(Feature::GC.refused(at(offset)));
                };
                if ty.supertype_idx.is_some() || !ty.is_final {
                    return Err(Feature::GC.refused(at(offset)));
                }
                for ty in function.params().iter().chain(function.results()) {
                    self.allow(*ty, offset)?;
                }
                self.module.types.push(function);
            }
        }
        Ok(())
    }

    fn imports(&mut self, section: wasmparser::ImportSectionReader<'a>) -> Result<(), Refused> {
        for import in section.into_imports() {
            let import = self.ok(import)?;
            let kind = match import.ty {
                TypeRef::Func(type_index) => {
                    let (module, name) = (import.module, import.name);
                    self.module.imports.push(FunctionImport { module, name, type_index });
                    continue;
                }
                TypeRef::FuncExact(_) => {
                    return Err(Feature::FUNCTION_REFERENCES.refused("an import"));
                }
                TypeRef::Memory(_) => "memory",
                TypeRef::Table(_) => "table",
                TypeRef::Global(_) => "global",
                TypeRef::Tag(_) => "tag",
            };
            return Err(imports::not_a_function(import.module, import.name, kind));
        }
        Ok(())
    }

    fn tables(&mut self, section: wasmparser::TableSectionReader<'a>) -> Result<(), Refused> {
        for table in section.into_iter_with_offsets() {
            let (offset, table) = self.ok(table)?;
            let ty = table.ty;
            if ty.table64 {
                return Err(Feature::MEMORY64.refused(at(offset)));
            }
            if ty.shared {
                return Err(Feature::THREADS.refused(at(offset)));
            }
            if ty.element_type != RefType::FUNCREF {
                self.allow(ValType::Ref(ty.element_type), offset)?;
            }
            if let TableInit::Expr(_) = table.init {
                return Err(Feature::FUNCTION_REFERENCES.refused(at(offset)));
            }
            if self.module.table.is_some() {
                let said =
                    format!("kernels have at most 1 table, and there is a second ({})", at(offset));
                return Err(Refused::new("limit", said));
            }
            if ty.initial > TABLE_ENTRIES_MAX {
                let said = format!(
                    "the table has {} entries; a kernel's has at most {TABLE_ENTRIES_MAX} ({})",
                    ty.initial,
                    at(offset)
                );
                return Err(Refused::new("limit", said));
            }
            self.module.table = Some(ty);
        }
        Ok(())
    }

    fn memories(&mut self, section: wasmparser::MemorySectionReader<'a>) -> Result<(), Refused> {
        for memory in section.into_iter_with_offsets() {
            let (offset, ty) = self.ok(memory)?;
            if ty.memory64 {
                return Err(Feature::MEMORY64.refused(at(offset)));
            }
            if ty.shared {
                return Err(Feature::THREADS.refused(at(offset)));
            }
            if ty.page_size_log2.is_some() {
                return Err(Feature::PAGE_SIZES.refused(at(offset)));
            }
            if self.module.memory.is_some() {
                let said = format!(
                    "kernels have at most 1 memory, and there is a second ({})",
                    at(offset)
                );
                return Err(Refused::new("limit", said));
            }
            if ty.initial > MEMORY_PAGES_MAX {
                let said = format!(
                    "the memory begins with {} pages of 64 KiB; a kernel has at most {MEMORY_PAGES_MAX} \
                     (256 MiB): link with a smaller --initial-memory",
                    ty.initial
                );
                return Err(Refused::new("limit", said));
            }
            self.module.memory = Some(ty);
        }
        Ok(())
    }

    fn globals(&mut self, section: GlobalSectionReader<'a>) -> Result<(), Refused> {
        Weight::check_globals(section.count() as usize)?;
        for global in section.clone().into_iter_with_offsets() {
            let (offset, global) = self.ok(global)?;
            if global.ty.shared {
                return Err(Feature::THREADS.refused(at(offset)));
            }
            self.allow(global.ty.content_type, offset)?;
            self.constant(&global.init_expr)?;
            self.module.last_global = Some((global.ty, only_integer(&global.init_expr)));
        }
        self.module.globals_count = section.count();
        self.module.globals = Some(section);
        Ok(())
    }

    fn elements(&mut self, section: ElementSectionReader<'a>) -> Result<(), Refused> {
        for element in section.clone().into_iter_with_offsets() {
            let (offset, element) = self.ok(element)?;
            if let wasmparser::ElementKind::Active { offset_expr, .. } = &element.kind {
                self.constant(offset_expr)?;
            }
            match element.items {
                ElementItems::Functions(functions) => {
                    for function in functions {
                        let function = self.ok(function)?;
                        self.module.declared.insert(function);
                    }
                }
                ElementItems::Expressions(ty, expressions) => {
                    self.allow(ValType::Ref(ty), offset)?;
                    for expression in expressions {
                        self.constant(&self.ok(expression)?)?;
                    }
                }
            }
        }
        self.module.elements = Some(section);
        Ok(())
    }

    /// Looks at an expression outside of functions.
    fn constant(&mut self, expression: &ConstExpr<'a>) -> Result<(), Refused> {
        let mut operators = expression.get_operators_reader();
        let mut count = 0;
        while !operators.eof() {
            let offset = operators.original_position();
            let operator = self.ok(operators.read())?;
            if let Some(feature) = of_operator(&operator) {
                return Err(feature.refused(at(offset)));
            }
            count += 1;
            if !Weight::is_constant_short(count) {
                return Err(Weight::long_constant(&at(offset)));
            }
            if let Operator::RefFunc { function_index } = operator {
                self.module.declared.insert(function_index);
            }
        }
        Ok(())
    }

    fn body(
        &mut self,
        body: FunctionBody<'a>,
        validator: &mut wasmparser::FuncValidator<wasmparser::ValidatorResources>,
    ) -> Result<(), Refused> {
        let index = self.module.imports.len() as u32 + self.module.bodies.len() as u32;
        let ty = self.module.known_function_type(index);
        let params = ty.map_or(0, |ty| ty.params().len() + ty.results().len());
        self.module.weight.add_locals(params as u32)?;
        let mut locals = self.ok(body.get_locals_reader())?;
        for _ in 0..locals.get_count() {
            let offset = locals.original_position();
            let (count, ty) = self.ok(locals.read())?;
            self.module.weight.add_locals(count)?;
            if let Some(feature) = of_type(ty) {
                return Err(feature.refused(self.within(index, offset)));
            }
        }
        let mut reader = body.get_binary_reader();
        validator.read_locals(&mut reader).map_err(|error| self.broken_in(index, &error))?;
        let mut scanner = Scanner::default();
        let mut needs = Needs::default();
        let mut operators = self.ok(body.get_operators_reader())?;
        while !operators.eof() {
            let offset = operators.original_position();
            let operator = operators.read().map_err(|error| self.broken_in(index, &error))?;
            if let Some(feature) = of_operator(&operator).or_else(|| of_block(&operator)) {
                return Err(feature.refused(self.within(index, offset)));
            }
            let weight = weight::of(&operator, &self.module, validator);
            if !self.module.weight.add_values(weight) {
                return Err(Weight::too_many_values(&self.within(index, offset)));
            }
            validator.op(offset, &operator).map_err(|error| self.broken_in(index, &error))?;
            if let Operator::RefFunc { function_index } = operator {
                self.module.referred.insert(function_index);
            }
            needs.add(&scanner, &operator);
            scanner.step(&operator);
        }
        operators.finish().map_err(|error| self.broken_in(index, &error))?;
        let locals = validator.len_locals();
        self.module.bodies.push(Body { body, needs, locals });
        Ok(())
    }

    fn allow(&self, ty: ValType, offset: usize) -> Result<(), Refused> {
        of_type(ty).map_or(Ok(()), |feature| Err(feature.refused(at(offset))))
    }

    fn ok<T>(&self, read: Result<T, BinaryReaderError>) -> Result<T, Refused> {
        read.map_err(|error| self.broken(&error))
    }

    fn broken(&self, error: &BinaryReaderError) -> Refused {
        self.broken_at(at(error.offset()), error)
    }

    fn broken_in(&self, function: u32, error: &BinaryReaderError) -> Refused {
        self.broken_at(self.within(function, error.offset()), error)
    }

    fn broken_at(&self, place: String, error: &BinaryReaderError) -> Refused {
        let said = format!("this is not valid WebAssembly ({place}): {}", quote(error.message()));
        Refused::new("invalid", said)
    }

    /// The refusal of a module whose sections end behind its last byte.
    fn cut_short_or_broken(&self, error: &BinaryReaderError) -> Refused {
        if !error.message().starts_with("unexpected end") {
            return self.broken(error);
        }
        let said =
            format!("this WebAssembly module is cut short: it has {} bytes", self.bytes.len());
        Refused::new("not_wasm", said)
    }

    fn within(&self, function: u32, offset: usize) -> String {
        format!("{}, {}", self.function_name(function), at(offset))
    }

    /// A function for people: its index, and its name where the name section has it.
    fn function_name(&self, function: u32) -> String {
        let mut said = format!("function {function}");
        if let Some(name) = name_of(self.bytes, function) {
            let _ = write!(said, " \"{}\"", quote(&name));
        }
        said
    }
}

fn at(offset: usize) -> String {
    format!("byte {offset}")
}

fn of_block(operator: &Operator<'_>) -> Option<Feature> {
    match operator {
        Operator::Block { blockty } | Operator::Loop { blockty } | Operator::If { blockty } => {
            match blockty {
                wasmparser::BlockType::Type(ty) => of_type(*ty),
                _ => None,
            }
        }
        _ => None,
    }
}

/// The value of an expression that is one `i32.const`.
fn only_integer(expression: &ConstExpr<'_>) -> Option<i32> {
    let mut operators = expression.get_operators_reader();
    let Ok(Operator::I32Const { value }) = operators.read() else { return None };
    matches!(operators.read(), Ok(Operator::End)).then_some(value)
}

/// A function's name in the name section. Broken sections have none.
fn name_of(bytes: &[u8], function: u32) -> Option<String> {
    for payload in Parser::new(0).parse_all(bytes) {
        let Payload::CustomSection(section) = payload.ok()? else { continue };
        let KnownCustom::Name(names) = section.as_known() else { continue };
        for name in names {
            let Name::Function(functions) = name.ok()? else { continue };
            for naming in functions {
                let naming = naming.ok()?;
                if naming.index == function {
                    return Some(naming.name.to_owned());
                }
            }
        }
    }
    None
}

/// The refusal of a module that takes the name of our own global for something else.
pub(super) fn reserved() -> Refused {
    Refused::new(
        "reserved",
        format!("the export \"{EXHAUSTED_GLOBAL}\" is reserved: name it otherwise"),
    )
}
