//! Modules that nobody wrote: what is normalised is valid, the same when it is normalised again, and means
//! what it meant before. Whatever comes, nothing panics.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers as well")]

use arbitrary::Unstructured;
use tequio_kernel::host::{Fault, Program};
use tequio_kernel::{normalise, shape};
use wasm_smith::{Config, InstructionKind, InstructionKinds, MemoryOffsetChoices, Module};

/// SplitMix64: each seed gives the same bytes everywhere.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, end: u64) -> usize {
        (self.next() % end) as usize
    }

    fn bytes(&mut self, len: usize) -> Vec<u8> {
        (0..len.div_ceil(8)).flat_map(|_| self.next().to_le_bytes()).take(len).collect()
    }
}

const EXPORTS: [&str; 4] = [
    "(module (func (export \"run\") (param i64 i32) (result i64) unreachable))",
    "(module (memory (export \"memory\") 1 3) (func (export \"run\") (param f64 i32) (result f64) unreachable))",
    "(module (memory (export \"memory\") 1) (func (export \"alloc\") (param i32) (result i32) unreachable) \
      (func (export \"run\") (param i32 i32) (result i32) unreachable) \
      (func (export \"init\") (param i32 i32) (result i32) unreachable))",
    "(module (memory (export \"memory\") 0 9) (func (export \"_start\") unreachable))",
];

/// A module of the features that are allowed, with one of the exports.
fn allowed(seed: u64) -> Option<Vec<u8>> {
    let mut random = Random(seed);
    let bytes = random.bytes(4096);
    let mut config = all();
    config.exports = Some(wat::parse_str(EXPORTS[seed as usize % EXPORTS.len()]).unwrap());
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
    let module = Module::new(config, &mut Unstructured::new(&bytes)).ok()?;
    Some(module.to_bytes())
}

fn all() -> Config {
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

#[test]
fn what_is_normalised_stays_as_it_is() {
    let mut accepted = 0;
    for seed in 0..240 {
        let Some(bytes) = allowed(seed) else { continue };
        let normalised = match normalise(&bytes) {
            Ok(normalised) => normalised,
            // A second memory, which the exports brought.
            Err(refused) if refused.code() == "limit" => continue,
            Err(refused) => panic!("{seed}: {refused}"),
        };
        accepted += 1;
        wasmparser::Validator::new().validate_all(&normalised.bytes).unwrap();
        let again = normalise(&normalised.bytes).unwrap();
        assert!(again.bytes == normalised.bytes && again.sha256 == normalised.sha256, "{seed}");
        assert_eq!(again.shape, normalised.shape);
        assert_eq!(shape(&normalised.bytes), Ok(normalised.shape));
    }
    assert!(accepted > 120, "{accepted}");
}

#[test]
fn modules_of_all_features_are_normalised_or_refused() {
    let mut random = Random(1);
    let (mut accepted, mut refused) = (0, 0);
    for seed in 0..300u64 {
        let bytes = Random(seed).bytes(2048);
        let mut config = all();
        if seed % 4 != 3 {
            config.exports = Some(wat::parse_str(EXPORTS[seed as usize % EXPORTS.len()]).unwrap());
            config.max_imports = 0;
        }
        // One feature more than is allowed, or all of them.
        let only = random.below(10);
        config.exceptions_enabled = only == 0 || only > 7;
        config.gc_enabled = only == 1 || only > 7;
        config.simd_enabled = only == 2 || only > 7;
        config.relaxed_simd_enabled = only > 7;
        config.threads_enabled = only == 3 || only > 7;
        config.memory64_enabled = only == 4 || only > 7;
        config.allow_start_export = only == 5 || only > 7;
        config.reference_types_enabled = only == 6 || only > 7;
        config.allow_invalid_funcs = only >= 7;
        let Ok(module) = Module::new(config, &mut Unstructured::new(&bytes)) else { continue };
        match normalise(&module.to_bytes()) {
            Ok(normalised) => {
                accepted += 1;
                wasmparser::Validator::new().validate_all(&normalised.bytes).unwrap();
                assert!(normalise(&normalised.bytes).unwrap().bytes == normalised.bytes, "{seed}");
            }
            Err(error) => {
                refused += 1;
                assert!(!error.to_string().contains('\n'), "{error}");
            }
        }
    }
    assert!(accepted > 15 && refused > 50, "{accepted} and {refused}");
}

#[test]
fn broken_modules_are_refused_without_a_panic() {
    let mut random = Random(2);
    for seed in 0..200 {
        let Some(mut bytes) = allowed(seed) else { continue };
        for _ in 0..=random.below(4) {
            let place = random.below(bytes.len() as u64);
            bytes[place] = random.next() as u8;
        }
        bytes.truncate(bytes.len() - random.below(3));
        if let Ok(normalised) = normalise(&bytes) {
            wasmparser::Validator::new().validate_all(&normalised.bytes).unwrap();
            assert!(normalise(&normalised.bytes).unwrap().bytes == normalised.bytes, "{seed}");
        }
    }
}

/// Modules without floats mean the same before and after.
#[test]
fn what_is_normalised_means_what_it_meant() {
    let (mut results, mut errors) = (0, 0);
    for seed in (0..1600).filter(|seed| seed % 8 == 0) {
        let Some(bytes) = allowed(seed) else { continue };
        let program = Program::compile(&normalise(&bytes).unwrap().bytes).unwrap();
        for args in [[0, 0], [1, -1], [1 << 40, 77]] {
            let stop = || true;
            let block = program.instance(None, &stop);
            let ours = block.and_then(|mut block| block.run(&args.map(|arg| arg as f64), ""));
            match (ours, plain(&bytes, args)) {
                (Err(Fault::Exhausted(_)), _) | (_, Plain::Unknown) => {}
                (Ok(ours), Plain::Result(plain)) => {
                    results += 1;
                    assert_eq!(ours, plain.to_string(), "{seed}");
                }
                (Err(Fault::Error(_)), Plain::Trap) => errors += 1,
                (ours, plain) => panic!("{seed}: {ours:?} and {plain:?}"),
            }
        }
    }
    assert!(results > 30 && errors > 30, "{results} and {errors}");
}

#[derive(Debug)]
enum Plain {
    Result(i64),
    Trap,
    Unknown,
}

/// What the module gives as it came.
fn plain(bytes: &[u8], [long, short]: [i64; 2]) -> Plain {
    let mut config = wasmi::Config::default();
    config.consume_fuel(true).set_max_recursion_depth(16_384).set_max_stack_height(4 << 20);
    let engine = wasmi::Engine::new(&config);
    let module = wasmi::Module::new(&engine, bytes).unwrap();
    let mut store = wasmi::Store::new(&engine, ());
    store.set_fuel(900_000).unwrap();
    let call = |store: &mut wasmi::Store<()>| {
        let instance = wasmi::Linker::new(&engine).instantiate_and_start(&mut *store, &module)?;
        instance
            .get_typed_func::<(i64, i32), i64>(&*store, "run")
            .unwrap()
            .call(&mut *store, (long, short as i32))
    };
    match call(&mut store) {
        Ok(result) => Plain::Result(result),
        Err(error) => match error.as_trap_code() {
            Some(wasmi::TrapCode::OutOfFuel | wasmi::TrapCode::StackOverflow) => Plain::Unknown,
            _ => Plain::Trap,
        },
    }
}
