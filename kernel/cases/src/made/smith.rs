//! Modules of `wasm-smith`.

use super::Random;
use arbitrary::Unstructured;
use wasm_smith::{Config, InstructionKind, InstructionKinds, MemoryOffsetChoices, Module};

/// What a module exports: each of the forms.
pub const EXPORTS: [&str; 4] = [
    "(module (func (export \"run\") (param i64 i32) (result i64) unreachable))",
    "(module (memory (export \"memory\") 1 3) (func (export \"run\") (param f64 i32) (result f64) unreachable))",
    "(module (memory (export \"memory\") 1) (func (export \"alloc\") (param i32) (result i32) unreachable) \
      (func (export \"run\") (param i32 i32) (result i32) unreachable) \
      (func (export \"init\") (param i32 i32) (result i32) unreachable))",
    "(module (memory (export \"memory\") 0 9) (func (export \"_start\") unreachable))",
];

/// Loops and calls of an instance, until it traps.
const FUEL: u32 = 300;

/// A module of the features that are allowed, with one of the exports.
pub fn allowed(seed: u64) -> Option<Vec<u8>> {
    made(seed).map(|module| module.to_bytes())
}

/// The same, which ends.
pub fn terminating(seed: u64) -> Option<Vec<u8>> {
    let mut module = made(seed)?;
    module.ensure_termination(FUEL).ok()?;
    Some(module.to_bytes())
}

fn made(seed: u64) -> Option<Module> {
    let mut random = Random::new(seed);
    let bytes = random.bytes(4096);
    let mut config = all();
    config.exports = wat::parse_str(EXPORTS[seed as usize % EXPORTS.len()]).ok();
    config.exceptions_enabled = false;
    config.gc_enabled = false;
    config.simd_enabled = false;
    config.relaxed_simd_enabled = false;
    config.threads_enabled = false;
    config.memory64_enabled = false;
    config.reference_types_enabled = false;
    config.allow_start_export = false;
    config.max_imports = 0;
    config.max_memories = 1;
    config.max_memory32_bytes = 4 << 20;
    config.max_table_elements = 1000;
    config.max_tables = 1;
    config.allow_floats = seed % 8 >= 4;
    Module::new(config, &mut Unstructured::new(&bytes)).ok()
}

/// Every feature.
pub fn all() -> Config {
    Config {
        max_instructions: 300,
        memory_offset_choices: MemoryOffsetChoices(95, 4, 1),
        allowed_instructions: InstructionKinds::new(&[
            InstructionKind::Numeric,
            InstructionKind::Vector,
            InstructionKind::Reference,
            InstructionKind::Parametric,
            InstructionKind::Variable,
            InstructionKind::Table,
            InstructionKind::Memory,
            InstructionKind::Control,
            InstructionKind::Aggregate,
        ]),
        generate_custom_sections: true,
        ..Config::default()
    }
}
