//! Modules that nobody wrote: what is normalised is valid, the same when it is normalised again, and means
//! what it meant before. Whatever comes, nothing panics.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers as well")]

use arbitrary::Unstructured;
use tequio_kernel::host::{Fault, Program};
use tequio_kernel::{normalise, shape};
use tequio_kernel_cases::made::Random;
use tequio_kernel_cases::made::smith::{EXPORTS, all, allowed};
use wasm_smith::Module;

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
    let mut random = Random::new(1);
    let (mut accepted, mut refused) = (0, 0);
    for seed in 0..300u64 {
        let bytes = Random::new(seed).bytes(2048);
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
    let mut random = Random::new(2);
    for seed in 0..200 {
        let Some(mut bytes) = allowed(seed) else { continue };
        for _ in 0..=random.below(4) {
            let place = random.below(bytes.len() as u64);
            bytes[place] = random.word() as u8;
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
            let block = program.instance(None, stop);
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
