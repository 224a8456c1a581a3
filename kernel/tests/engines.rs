//! Both engines come to the same bytes: on kernels that nobody wrote, and on arguments and inputs of all kinds.
//!
//! `cargo xtask soak --kernels N` goes on from here, for as long as one likes, and in browsers too.

#![cfg(feature = "jit")]

use proptest::prelude::*;
use std::sync::LazyLock;
use tequio_kernel::host::{Engine, Program};
use tequio_kernel::{ValueType, normalise};
use tequio_kernel_cases::made;
use tequio_kernel_cases::table::{is_given_up, shown};

/// As many seeds as take some seconds in a build that is not optimised.
const SEEDS: u64 = 240;

#[test]
fn kernels_that_nobody_wrote_are_computed_alike() {
    let (mut cases, mut results, mut errors) = (0, 0, 0);
    for case in (0..SEEDS).filter_map(made::case) {
        cases += 1;
        for (task, outcome) in case.tasks.iter().zip(case.computed_by(Engine::Wasmtime)) {
            let (name, input) = (&case.name, &task.input);
            // How deep calls may nest differs.
            if !is_given_up(&outcome) && !is_given_up(&task.outcome) {
                assert_eq!(outcome, task.outcome, "{name}: {input}");
            }
            match outcome.starts_with("error: ") {
                true => errors += 1,
                false => results += 1,
            }
        }
    }
    assert!(cases > 160 && results > 500 && errors > 200, "{cases}: {results} and {errors}");
}

#[test]
fn what_would_be_compiled_for_minutes_is_interpreted() {
    let wat = format!(
        "(module (func (export \"run\") (param i32) (result i32) (local i32) {} local.get 1))",
        "loop local.get 1 i32.const 1 i32.add local.tee 1 local.get 0 i32.lt_s br_if 0 end "
            .repeat(12_000)
    );
    let bytes = wat::parse_str(&wat).expect("it is a module");
    let module = normalise(&bytes).expect("it is a kernel").bytes;
    let refused = Program::compile_for(Engine::Wasmtime, &module).expect_err("it is too long");
    assert_eq!(refused.code(), "engine");
    let program = Program::compile(&module).expect("wasmi takes it");
    assert_eq!(program.engine(), Engine::Wasmi);
    let result = program.instance(None, || false).expect("an instance").run(&[7.0], "");
    assert_eq!(result, Ok("12006".to_owned()));
}

/// A kernel in both engines.
struct Both([Program; 2]);

impl Both {
    fn of(wat: &str) -> Both {
        let bytes = wat::parse_str(wat).unwrap_or_else(|error| panic!("{wat}: {error}"));
        let module = normalise(&bytes).expect("it is a kernel").bytes;
        let compile = |engine| Program::compile_for(engine, &module).expect("engines take it");
        Both([compile(Engine::Wasmi), compile(Engine::Wasmtime)])
    }

    /// What both come to of tasks of one block.
    fn compute(&self, tasks: &[(Vec<f64>, String)]) -> [Vec<String>; 2] {
        self.0.each_ref().map(|program| {
            let mut block = program.instance(None, || false).expect("an instance");
            tasks.iter().map(|(args, input)| shown(block.run(args, input))).collect()
        })
    }
}

/// Each kind of a parameter, with what looks at its bits.
static NUMBERS: LazyLock<Vec<(ValueType, Both)>> = LazyLock::new(|| {
    let seen = |ty, see: &str, gives| {
        let wat = format!(
            "(module (func (export \"run\") (param {ty}) (result {gives}) local.get 0 {see}))"
        );
        (ty, Both::of(&wat))
    };
    vec![
        seen(ValueType::I32, "", "i32"),
        seen(ValueType::I32, "f32.reinterpret_i32", "f32"),
        seen(ValueType::I64, "i64.const 0x7ff0000000000000 i64.add f64.reinterpret_i64", "f64"),
        seen(ValueType::I64, "local.get 0 i64.mul", "i64"),
        seen(ValueType::F32, "i32.reinterpret_f32", "i32"),
        seen(ValueType::F32, "f32.neg f32.sqrt f64.promote_f32", "f64"),
        seen(ValueType::F32, "i32.trunc_f32_u", "i32"),
        seen(ValueType::F64, "i64.reinterpret_f64", "i64"),
        seen(
            ValueType::F64,
            "f64.const 1 f64.add f64.const 3 local.get 0 f64.copysign f64.mul",
            "f64",
        ),
        seen(ValueType::F64, "f32.demote_f64 f32.nearest", "f32"),
        seen(ValueType::F64, "i64.trunc_f64_s", "i64"),
    ]
});

fn number() -> impl Strategy<Value = f64> {
    prop_oneof![
        any::<u64>().prop_map(f64::from_bits),
        any::<i32>().prop_map(f64::from),
        any::<f32>().prop_map(f64::from),
        (any::<bool>(), 0u64..1 << 52).prop_map(|(sign, payload)| {
            f64::from_bits((u64::from(sign) << 63) | (0x7ff << 52) | payload)
        }),
        prop::sample::select(vec![
            0.0,
            -0.0,
            1.5,
            -1.0,
            2147483647.0,
            -2147483648.0,
            2147483648.0,
            4294967295.0,
            9007199254740991.0,
            -9007199254740991.0,
            9007199254740992.0,
            1e300,
            5e-324,
        ]),
    ]
}

/// A JSON kernel that gives its input as its result, and one that gives it as an error's words.
static ECHOES: LazyLock<[Both; 3]> = LazyLock::new(|| {
    let json = |flag: &str| {
        Both::of(&format!(
            "(module (memory (export \"memory\") 2) \
              (func (export \"alloc\") (param i32) (result i32) i32.const 1028) \
              (func (export \"run\") (param i32 i32) (result i32) \
                (i32.store (i32.const 1024) (i32.or (local.get 1) (i32.const {flag}))) i32.const 1024))"
        ))
    };
    let command = "(module (import \"wasi_snapshot_preview1\" \"fd_read\" (func $in (param i32 i32 i32 i32) (result i32))) \
        (import \"wasi_snapshot_preview1\" \"fd_write\" (func $out (param i32 i32 i32 i32) (result i32))) \
        (import \"wasi_snapshot_preview1\" \"proc_exit\" (func $exit (param i32))) \
        (memory (export \"memory\") 2) (data (i32.const 0) \"\\00\\04\\00\\00\\ff\\ff\\00\\00\") \
        (func (export \"_start\") \
          (drop (call $in (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 4))) \
          (drop (call $out (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8))) \
          (drop (call $out (i32.const 2) (i32.const 0) (i32.const 1) (i32.const 8))) \
          (call $exit (i32.and (i32.load8_u (i32.const 1024)) (i32.const 1)))))";
    [json("0"), json("0x80000000"), Both::of(command)]
});

/// JSON, and text that is nearly JSON.
fn input() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        Just("null".to_owned()),
        number().prop_map(|value| format!("{value:?}")),
        any::<i64>().prop_map(|value| value.to_string()),
        any::<String>().prop_map(|text| serde_json::to_string(&text).expect("a string serialises")),
        "[ -~\n\t]{0,12}",
        "-?[0-9]{1,40}(\\.[0-9]{1,40})?([eE][+-]?[0-9]{1,3})?",
    ];
    leaf.prop_recursive(4, 32, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6)
                .prop_map(|items| format!("[ {}]", items.join(", "))),
            prop::collection::vec(inner, 0..4).prop_map(|items| {
                let fields =
                    items.iter().enumerate().map(|(at, item)| format!("\"k{at}\" :{item}"));
                format!("{{{}\n}}", fields.collect::<Vec<_>>().join(","))
            }),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn numbers_of_all_kinds_are_given_alike(args in prop::collection::vec(number(), 1..6)) {
        for (kind, both) in NUMBERS.iter() {
            let tasks: Vec<_> = args.iter().map(|arg| (vec![*arg], String::new())).collect();
            let [ours, other] = both.compute(&tasks);
            prop_assert_eq!(ours, other, "{} {:?}", kind, args);
        }
    }

    #[test]
    fn inputs_of_all_kinds_are_given_alike(inputs in prop::collection::vec(input(), 1..4)) {
        for both in ECHOES.iter() {
            let tasks: Vec<_> = inputs.iter().map(|input| (Vec::new(), input.clone())).collect();
            let [ours, other] = both.compute(&tasks);
            prop_assert_eq!(ours, other, "{:?}", inputs);
        }
    }
}
