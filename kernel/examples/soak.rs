//! `cargo xtask soak --kernels N`, but for browsers: `soak FIRST..END` looks at the kernels of these seeds.
//!
//! What is normalised is valid, and the same when it is normalised again; both engines come to the same outcomes; and
//! of modules some bytes of which were changed the first is true as well. The first seed of which something is not
//! ends it, and is printed.

use std::env;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;
use tequio_kernel::host::Engine;
use tequio_kernel::normalise;
use tequio_kernel_cases::made::{self, Random};
use tequio_kernel_cases::table::is_given_up;
use wasmparser::Validator;

/// How often bytes of each module are changed.
const CHANGED: u64 = 8;

/// What was seen.
#[derive(Debug, Default)]
struct Seen {
    kernels: u64,
    results: u64,
    errors: u64,
    given_up: u64,
    changed: u64,
    changed_accepted: u64,
}

fn main() -> ExitCode {
    let Some(seeds) = env::args().nth(1).as_deref().and_then(range) else {
        eprintln!("soak FIRST..END: which seeds");
        return ExitCode::FAILURE;
    };
    let mut seen = Seen::default();
    for seed in seeds {
        let looked = catch_unwind(AssertUnwindSafe(|| look(seed, &mut seen)));
        let wrong = match looked {
            Ok(Ok(())) => continue,
            Ok(Err(wrong)) => wrong,
            Err(_) => "a panic, see above".to_owned(),
        };
        eprintln!("seed {seed}: {wrong}\nagain: cargo xtask soak --kernels 1 --seed {seed}");
        return ExitCode::FAILURE;
    }
    let Seen { kernels, results, errors, given_up, changed, changed_accepted } = seen;
    println!(
        "{kernels} kernels: {results} results, {errors} errors, {given_up} given up by an engine; \
         {changed} changed modules, {changed_accepted} accepted"
    );
    ExitCode::SUCCESS
}

fn range(text: &str) -> Option<Range<u64>> {
    let (first, end) = text.split_once("..")?;
    Some(first.parse().ok()?..end.parse().ok()?)
}

fn look(seed: u64, seen: &mut Seen) -> Result<(), String> {
    let random = &mut Random::new(seed);
    let Some(module) = made::module(seed, random) else { return Ok(()) };
    check(&module)?;
    compute(seed, seen)?;
    for _ in 0..CHANGED {
        seen.changed += 1;
        seen.changed_accepted += u64::from(check(&change(&module, random))?);
    }
    Ok(())
}

/// Checks what a module is normalised to, and says whether it is accepted.
fn check(module: &[u8]) -> Result<bool, String> {
    let Ok(normalised) = normalise(module) else { return Ok(false) };
    let valid = Validator::new().validate_all(&normalised.bytes);
    valid.map_err(|error| format!("what is normalised is not valid: {error}"))?;
    let again = normalise(&normalised.bytes)
        .map_err(|refused| format!("what is normalised is refused: {refused}"))?;
    match again.bytes == normalised.bytes && again.shape == normalised.shape {
        true => Ok(true),
        false => Err("what is normalised is another when it is normalised again".to_owned()),
    }
}

/// Has both engines compute the kernel of a seed.
fn compute(seed: u64, seen: &mut Seen) -> Result<(), String> {
    let Some(case) = made::case(seed) else { return Ok(()) };
    seen.kernels += 1;
    for (task, other) in case.tasks.iter().zip(case.computed_by(Engine::Wasmtime)) {
        let ours = &task.outcome;
        // How deep calls may nest differs.
        if is_given_up(ours) || is_given_up(&other) {
            seen.given_up += 1;
        } else if *ours != other {
            return Err(format!("of {} wasmi gives {ours}, wasmtime {other}", task.input));
        } else if ours.starts_with("error: ") {
            seen.errors += 1;
        } else {
            seen.results += 1;
        }
    }
    Ok(())
}

/// The module with some bytes changed, put in, taken out or cut off.
fn change(module: &[u8], random: &mut Random) -> Vec<u8> {
    let mut bytes = module.to_vec();
    for _ in 0..=random.below(4) {
        let place = random.below(bytes.len() as u64);
        match random.below(8) {
            0..3 => bytes[place] = random.word() as u8,
            3 => bytes[place] ^= 1 << random.below(8),
            4 => bytes[place] = bytes[place].wrapping_add(1),
            5 => bytes.insert(place, random.word() as u8),
            6 => drop(bytes.remove(place)),
            _ if random.below(8) == 0 => bytes.truncate(place.max(8)),
            _ => {
                let from = random.below(bytes.len() as u64);
                let len = random.below(16).min(bytes.len() - from.max(place));
                bytes.copy_within(from..from + len, place);
            }
        }
        if bytes.is_empty() {
            break;
        }
    }
    bytes
}
