//! The modules themselves, as a server has them: normalised, and computed by its engine.
//!
//! `cargo xtask kernels` builds them. Without it these tests have nothing to look at, and say so; `cargo xtask test`
//! sets a variable, with which all must be there.

use serde_json::{Value, json};
use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tequio_kernel::host::{Fault, Program};
use tequio_kernel::{Form, ValueType, normalise};

/// The folder that holds `NAME.wasm` of each.
const KERNELS: &str = "TEQUIO_KERNELS";

/// The most that one may weigh, in bytes: each is to be read by people who want to write their own.
const BYTES_MAX: usize = 8 * 1024;

/// A kernel, normalised and compiled. `None` if they are not built.
fn program(name: &str) -> Option<Program> {
    let module = module(name)?;
    let normalised = normalise(&module).unwrap_or_else(|refused| panic!("{name}: {refused}"));
    assert!(normalised.notes.is_empty(), "{name}: {:?}", normalised.notes);
    Some(Program::compile(&normalised.bytes).expect("the engine takes it"))
}

fn module(name: &str) -> Option<Vec<u8>> {
    let usual = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/kernels");
    let chosen = env::var_os(KERNELS).map(PathBuf::from);
    let module = fs::read(chosen.as_ref().unwrap_or(&usual).join(format!("{name}.wasm"))).ok();
    if module.is_none() {
        assert!(chosen.is_none(), "{name} is not built");
        eprintln!("{name} is not built: `cargo xtask kernels` does it");
    }
    module
}

/// Computes tasks in one instance, each of some text: values or an input.
fn computed(program: &Program, data: Option<&[u8]>, tasks: &[&str]) -> Vec<Result<String, Fault>> {
    let mut instance = program.instance(data.map(Arc::from), || false).expect("an instance");
    let run = |task: &&str| match program.shape().form {
        Form::Numbers { .. } => {
            let values: Vec<f64> =
                task.split(' ').map(|value| value.parse().expect("a number")).collect();
            instance.run(&values, "")
        }
        _ => instance.run(&[], task),
    };
    tasks.iter().map(run).collect()
}

/// Checks results, of tasks that each have one.
fn assert_results<const N: usize>(name: &str, tasks: [(&str, &str); N]) {
    let Some(program) = program(name) else { return };
    let outcomes = computed(&program, None, &tasks.map(|(task, _)| task));
    for ((task, expected), outcome) in tasks.into_iter().zip(outcomes) {
        assert_eq!(outcome.as_deref(), Ok(expected), "{name} {task}");
    }
}

fn error(words: &str) -> Result<String, Fault> {
    Err(Fault::Error(words.to_owned()))
}

#[test]
fn each_is_small_and_of_its_form() {
    use ValueType::{F64, I32, I64};
    let numbers = |params: &[ValueType], result| Form::Numbers { params: params.to_vec(), result };
    for (name, form, takes_data, params) in [
        ("align", numbers(&[I64], I64), true, "n"),
        ("collatz-kernel", numbers(&[I64], I64), false, "n"),
        ("ep", Form::Json, false, "k"),
        ("mandelbrot", numbers(&[F64, F64], I32), false, "re im"),
        ("pi", numbers(&[I64], I64), false, "block"),
        ("search", numbers(&[I64], I32), false, "n"),
        ("sir", Form::Json, false, "beta gamma i0 days"),
    ] {
        let (Some(module), Some(program)) = (module(name), program(name)) else { return };
        assert!(module.len() <= BYTES_MAX, "{name} has {} bytes", module.len());
        let shape = program.shape();
        assert_eq!((&shape.form, shape.takes_data), (&form, takes_data), "{name}");
        let named: Vec<_> = shape.params.iter().map(|param| param.name.as_str()).collect();
        assert_eq!(named.join(" "), params);
    }
}

#[test]
fn mandelbrot() {
    // Those of the native tests, and c = -0.75 + e i, which leaves after about pi / e steps.
    let tasks =
        [("0 0", "1000"), ("2 0", "2"), ("1 0", "3"), ("0.5 0", "5"), ("-0.75 0.01", "315")];
    assert_results("mandelbrot", tasks);
}

#[test]
fn collatz() {
    // OEIS A006577, and the records of A006877 with A006878.
    let tasks = [("1", "0"), ("27", "111"), ("837799", "524"), ("8528817511", "726")];
    assert_results("collatz-kernel", tasks);
    let Some(program) = program("collatz-kernel") else { return };
    let trap = error("trap: unreachable");
    let outcomes = computed(&program, None, &["0", "-1", "12327829503", "3"]);
    assert_eq!(outcomes, [trap.clone(), trap.clone(), trap, Ok("7".to_owned())]);
}

#[test]
fn pi() {
    assert_results("pi", [("0", "51526"), ("1", "51321"), ("1000000", "51408")]);
}

#[test]
fn search() {
    assert_results(
        "search",
        [("87962", "1"), ("158619", "1"), ("87963", "0"), ("0", "0"), ("-1", "0")],
    );
}

#[test]
fn align() {
    let Some(program) = program("align") else { return };
    let data = b">query\nACGT\nAC\n>one\ntta\ncgt\n>none\n>two\nACGTGAC\n";
    let outcomes = computed(&program, Some(data), &["0", "1", "2", "3", "4", "3", "-1"]);
    let (score, trap) = (|score: &str| Ok(score.to_owned()), error("trap: unreachable"));
    let expected = ["12", "8", "0", "10"].map(score);
    assert_eq!(outcomes[..4], expected);
    assert_eq!(outcomes[4..], [trap.clone(), score("10"), trap.clone()]);
    assert_eq!(computed(&program, None, &["0"]), [trap]);
    let nothing = program.instance(Some((*b" \n").into()), || false);
    assert_eq!(nothing.unwrap_err(), Fault::Error("init gave 1".to_owned()));

    // Data and a query of more than one page of memory.
    let long = [b"ACGT".repeat(5_000), b"\nACGTACGT\nTTTT".to_vec()].concat();
    assert_eq!(computed(&program, Some(&long), &["1", "2"]), [score("16"), score("2")]);
}

#[test]
fn sir() {
    let curve = r#"{"peak":0.153426,"peak_day":79.9375,"final":0.0,"attack":0.796812}"#;
    assert_results("sir", [(r#"{"beta":0.4,"gamma":0.2,"i0":1e-7,"days":1000}"#, curve)]);
    let Some(program) = program("sir") else { return };
    let outcomes = computed(&program, None, &[r#"{"beta":0.4,"gamma":0.2,"i0":2,"days":9}"#, "{}"]);
    let words = "the input is not an object with one number for each parameter";
    assert_eq!(outcomes, [error("i0 must be from 0 to 1"), error(words)]);
}

#[test]
fn ep() {
    // As the native code has it, whose sums over class S are those that are published.
    let tasks = [
        (
            r#"{"k":0}"#,
            r#"{"sx":77.723214541955,"sy":27.905540154722,"q":[24010,22707,4297,265,6,0,0,0,0,0]}"#,
        ),
        (
            r#"{"k":255}"#,
            r#"{"sx":-137.939146406511,"sy":-217.646332650775,"q":[24124,22858,4327,243,6,0,0,0,0,0]}"#,
        ),
    ];
    assert_results("ep", tasks);
    let Some(program) = program("ep") else { return };
    let words = "k must be a whole number from 0 to 134217727";
    assert_eq!(computed(&program, None, &[r#"{"k":0.5}"#]), [error(words)]);
}

/// Class S of the NAS Parallel Benchmarks, in full. An interpreter that is not optimised takes minutes for it.
#[test]
#[cfg_attr(debug_assertions, ignore = "it is for `cargo test --release`")]
fn ep_gives_what_is_published() {
    let Some(program) = program("ep") else { return };
    let inputs: Vec<String> = (0..256).map(|k| format!("{{\"k\":{k}}}")).collect();
    let inputs: Vec<&str> = inputs.iter().map(String::as_str).collect();
    let (mut sx, mut sy, mut q) = (0.0, 0.0, [0; 10]);
    for outcome in computed(&program, None, &inputs) {
        let block: Value = serde_json::from_str(&outcome.unwrap()).unwrap();
        sx += block["sx"].as_f64().unwrap();
        sy += block["sy"].as_f64().unwrap();
        for (count, more) in q.iter_mut().zip(block["q"].as_array().unwrap()) {
            *count += more.as_u64().unwrap();
        }
    }
    assert!((sx / -3.247_834_652_034_74e3 - 1.0).abs() < 1e-12, "{sx}");
    assert!((sy / -6.958_407_078_382_301e3 - 1.0).abs() < 1e-12, "{sy}");
    assert_eq!(json!(q), json!([6_140_517, 5_865_300, 1_100_361, 68_546, 1_648, 17, 0, 0, 0, 0]));
}
