//! Kernels that nobody wrote: each seed makes one, with inputs, the same everywhere. Half of the modules are
//! `wasm-smith`'s, which knows every instruction; the others are code of our own kind, which seldom traps at once
//! and whose outcomes depend on all that was computed.

mod code;
mod forms;
mod random;
pub mod smith;

use crate::table::{Case, Task};
pub use random::Random;
use tequio_kernel::host::Engine;
use tequio_kernel::{Form, Normalised, ValueType, normalise};

/// Tasks of each.
const TASKS: usize = 6;

/// The kernel of a seed with its inputs, and the outcomes that wasmi comes to. `None` where the seed makes none.
///
/// # Panics
///
/// Panics if what is made is no kernel.
pub fn case(seed: u64) -> Option<Case> {
    let mut random = Random::new(seed);
    let bytes = module(seed, &mut random)?;
    let module = match normalise(&bytes) {
        Ok(Normalised { bytes, .. }) => bytes,
        // A second memory, or a table too many, which the exports brought.
        Err(refused) if refused.code() == "limit" => return None,
        Err(refused) => panic!("seed {seed}: {refused}"),
    };
    let mut case = Case::new(format!("seed {seed}"), module);
    case.block = 4;
    case.data = (random.below(2) == 0).then(|| {
        let len = random.below(40);
        random.bytes(len).into()
    });
    for _ in 0..TASKS {
        let input = input(&case, &mut random);
        case.tasks.push(Task { input, outcome: String::new() });
    }
    let outcomes = case.computed_by(Engine::Wasmi);
    for (task, outcome) in case.tasks.iter_mut().zip(outcomes) {
        task.outcome = outcome;
    }
    Some(case)
}

/// The module of a seed, not normalised.
///
/// # Panics
///
/// Panics if it is no module.
pub fn module(seed: u64, random: &mut Random) -> Option<Vec<u8>> {
    match seed % 2 {
        0 => smith::terminating(seed / 2),
        _ => {
            let wat = forms::module(random);
            Some(wat::parse_str(&wat).unwrap_or_else(|error| panic!("seed {seed}: {error}\n{wat}")))
        }
    }
}

fn input(case: &Case, random: &mut Random) -> String {
    match &case.shape.form {
        Form::Numbers { params, .. } => {
            let values: Vec<String> = params.iter().map(|ty| value(*ty, random)).collect();
            case.input(&values.join(" "))
        }
        Form::Json | Form::Command => text(random, 3),
    }
}

/// A number that a parameter of this type may be given. What it may not be given comes to no kernel: inputs are read
/// before.
fn value(ty: ValueType, random: &mut Random) -> String {
    let integers: [i64; 11] =
        [0, 1, -1, 2, 7, 255, -(1 << 31), (1 << 31) - 1, 1 << 31, 1 << 52, (1 << 53) - 1];
    let floats =
        [0.5, -1.5, 1e-310, 5e-324, 1e300, -1e39, 3.4e38, 16777217.0, 2147483648.0, 9.3e18];
    let number = match (ty, random.below(3)) {
        (_, 0) if random.below(8) == 0 => -0.0,
        (ValueType::I32, 0) => integers[random.below(8)] as f64,
        (_, 0) => integers[random.below(11)] as f64,
        (ValueType::I32, _) | (_, 1) => f64::from(random.word() as i32 >> random.below(31)),
        (ValueType::I64, _) => (random.word() as i64 >> (11 + random.below(40))) as f64,
        _ if random.below(2) == 0 => floats[random.below(10)],
        _ => match f64::from_bits(random.word()) {
            number if number.is_finite() => number,
            _ => 1.0,
        },
    };
    match number.fract() == 0.0 && number.abs() < 1e15 && number.to_bits() != (-0.0f64).to_bits() {
        true => format!("{number:.0}"),
        false => serde_json::to_string(&number).expect("a number serialises"),
    }
}

/// JSON without white space.
fn text(random: &mut Random, depth: u32) -> String {
    let strings = ["", "a", "né", "\\u0000", "\\\"\\\\", "日本", "\\n", "😀", "x\\u00e9"];
    match random.below(if depth == 0 { 5 } else { 8 }) {
        0 => "null".to_owned(),
        1 => "true".to_owned(),
        2 | 3 => value(ValueType::F64, random),
        4 => format!("\"{}\"", strings[random.below(strings.len() as u64)]),
        5 => {
            let items = (0..random.below(4)).map(|_| text(random, depth - 1));
            format!("[{}]", items.collect::<Vec<_>>().join(","))
        }
        _ => {
            let items =
                (0..random.below(4)).map(|at| format!("\"k{at}\":{}", text(random, depth - 1)));
            format!("{{{}}}", items.collect::<Vec<_>>().join(","))
        }
    }
}
