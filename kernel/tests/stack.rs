//! The engine's instructions call each other in tail position. Each must be compiled as a jump, or a kernel
//! could exhaust the stack of the thread, and end the process. In a build that does not optimise the engine
//! goes by a loop instead, and this shows nothing: run it with `--release`.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers as well")]

use tequio_kernel::host::Program;
use tequio_kernel::normalise;

/// A stack that a few bytes of each instruction would fill.
const STACK_BYTES: usize = 96 * 1024;

const INTEGER_BINARY: &str =
    "add sub mul div_s div_u rem_s rem_u and or xor shl shr_s shr_u rotl rotr";
const INTEGER_COMPARE: &str = "eq ne lt_s lt_u gt_s gt_u le_s le_u ge_s ge_u";
const INTEGER_UNARY: &str = "clz ctz popcnt extend8_s extend16_s";
const FLOAT_BINARY: &str = "add sub mul div min max copysign";
const FLOAT_COMPARE: &str = "eq ne lt gt le ge";
const FLOAT_UNARY: &str = "abs neg ceil floor trunc nearest sqrt";
const CONVERSIONS: &str = "i32.wrap_i64 i64.extend_i32_s i64.extend_i32_u i32.trunc_f32_s i32.trunc_f32_u \
    i32.trunc_f64_s i32.trunc_f64_u i64.trunc_f32_s i64.trunc_f32_u i64.trunc_f64_s i64.trunc_f64_u \
    i32.trunc_sat_f32_s i32.trunc_sat_f32_u i32.trunc_sat_f64_s i32.trunc_sat_f64_u i64.trunc_sat_f32_s \
    i64.trunc_sat_f32_u i64.trunc_sat_f64_s i64.trunc_sat_f64_u f32.convert_i32_s f32.convert_i32_u \
    f32.convert_i64_s f32.convert_i64_u f64.convert_i32_s f64.convert_i32_u f64.convert_i64_s f64.convert_i64_u \
    f32.demote_f64 f64.promote_f32 i32.reinterpret_f32 i64.reinterpret_f64 f32.reinterpret_i32 f64.reinterpret_i64 \
    i64.extend32_s";
const LOADS: &str = "i32.load i32.load8_s i32.load8_u i32.load16_s i32.load16_u i64.load i64.load8_s i64.load8_u \
    i64.load16_s i64.load16_u i64.load32_s i64.load32_u f32.load f64.load";
const STORES: &str = "i32.store i32.store8 i32.store16 i64.store i64.store8 i64.store16 i64.store32 f32.store f64.store";

/// Code that leaves the stack of values as it was: each instruction with each kind of operand.
fn codes() -> Vec<String> {
    let mut codes = Vec::new();
    let mut push = |code: String| codes.push(code);
    for ty in ["i32", "i64", "f32", "f64"] {
        let is_integer = ty.starts_with('i');
        let (binary, compare, unary) = match is_integer {
            true => (INTEGER_BINARY, INTEGER_COMPARE, INTEGER_UNARY),
            false => (FLOAT_BINARY, FLOAT_COMPARE, FLOAT_UNARY),
        };
        let (local, other) = (format!("local.get ${ty}"), format!("local.get ${ty}b"));
        let constant = format!("{ty}.const 3");
        let kinds = [[&local, &other], [&local, &constant], [&constant, &local]];
        for [left, right] in kinds {
            for op in binary.split_whitespace() {
                push(format!("{left} {right} {ty}.{op} local.set ${ty}c"));
                push(format!("{left} {right} {ty}.{op} {right} {ty}.{op} drop"));
            }
            for op in compare.split_whitespace() {
                push(format!("{left} {right} {ty}.{op} local.set $i32c"));
                push(format!("block {left} {right} {ty}.{op} br_if 0 end"));
                push(format!("{left} {right} {ty}.{op} if nop else nop end"));
                push(format!("{left} {right} {left} {right} {ty}.{op} select drop"));
                push(format!("{left} {right} {ty}.{op} i32.eqz if nop end"));
            }
            push(format!("{left} {right} local.get $i32 select local.set ${ty}c"));
            push(format!(
                "block (result {ty}) {left} local.get $i32 br_if 0 drop {right} end local.set ${ty}c"
            ));
        }
        for op in unary.split_whitespace() {
            push(format!("{local} {ty}.{op} local.set ${ty}c"));
        }
        if is_integer {
            push(format!("{local} {ty}.eqz drop"));
        }
        push(format!("{local} global.set $g{ty} global.get $g{ty} local.set ${ty}c"));
        push(format!("{constant} global.set $g{ty}"));
        push(format!("{local} call $of_{ty} drop"));
        push(format!("{local} i32.const 0 call_indirect (param {ty}) (result {ty}) drop").replace(
            "i32.const 0",
            &format!(
                "i32.const {}",
                ["i32", "i64", "f32", "f64"].iter().position(|other| *other == ty).unwrap()
            ),
        ));
    }
    for op in CONVERSIONS.split_whitespace() {
        let from = ["i32", "i64", "f32", "f64"]
            .into_iter()
            .find(|ty| op[4..].contains(ty))
            .unwrap_or("i64");
        push(format!("local.get ${from} {op} drop"));
    }
    for address in ["local.get $i32", "i32.const 8"] {
        for offset in ["", " offset=100", " offset=40000"] {
            for op in LOADS.split_whitespace() {
                push(format!("{address} {op}{offset} drop"));
            }
            for op in STORES.split_whitespace() {
                push(format!("{address} local.get ${} {op}{offset}", &op[..3]));
                push(format!("{address} {}.const 3 {op}{offset}", &op[..3]));
            }
        }
    }
    for code in [
        "memory.size drop",
        "i32.const 0 memory.grow drop",
        "i32.const 0 i32.const 8 i32.const 8 memory.copy",
        "i32.const 0 i32.const 8 i32.const 8 memory.fill",
        "i32.const 0 i32.const 0 i32.const 2 memory.init $data",
        "data.drop $data",
        "i32.const 0 table.get drop",
        "i32.const 4 ref.func $of_i32 table.set",
        "table.size drop",
        "i32.const 4 ref.null func i32.const 1 table.fill",
        "i32.const 4 i32.const 0 i32.const 1 table.copy",
        "i32.const 4 i32.const 0 i32.const 1 table.init $elements",
        "elem.drop $elements",
        "ref.null func ref.is_null drop",
        "local.get $i32 call $tail drop",
        "local.get $i32 call $tail_indirect drop",
        "call $several drop drop drop",
        "call $seed drop",
        "block block block local.get $i32 br_table 0 1 2 end end end",
        "block (result i32) block (result i32) i32.const 7 local.get $i32 br_table 0 1 end end drop",
        "local.get $i32 local.set $i32c local.get $i64 local.set $i64c local.get $i32 local.tee $i32c drop",
        "local.get $i32 local.get $i64 local.get $i64b i32.const 1 local.set $i32c drop drop drop",
    ] {
        push(code.to_owned());
    }
    codes
}

fn program(code: &str) -> Program {
    let data = if code.contains("$data") { "(data $data \"ab\")" } else { "" };
    let elements = if code.contains("$elements") { "(elem $elements func $of_i32)" } else { "" };
    // Segments that are dropped cannot be used again.
    let code = match code {
        code if code.contains(".init") => code
            .replace("i32.const 2 memory.init", "i32.const 0 memory.init")
            .replace("i32.const 1 table.init", "i32.const 0 table.init"),
        code => code.to_owned(),
    };
    let kinds = ["i32", "i64", "f32", "f64"];
    let each = |text: &str| kinds.map(|ty| text.replace('T', ty)).join(" ");
    let wat = format!(
        "(module (import \"env\" \"seed\" (func $seed (result f64))) (memory 2) {data} (table 8 funcref) \
           (elem (i32.const 0) $of_i32 $of_i64 $of_f32 $of_f64) {elements} {} {} \
           (func $tail (param i32) (result i32) local.get 0 return_call $of_i32) \
           (func $tail_indirect (param i32) (result i32) local.get 0 i32.const 0 return_call_indirect (param i32) (result i32)) \
           (func $several (result i32 i64 f32) i32.const 1 i64.const 2 f32.const 3) \
           (func (export \"run\") (param $i32 i32) (result i32) (local $n i32) (local $i64 i64) (local $f32 f32) (local $f64 f64) {} {} \
             (local.set $i64 (i64.const 2)) (local.set $f32 (f32.const 2)) (local.set $f64 (f64.const 2)) \
             (local.set $i32b (i32.const 5)) (local.set $i64b (i64.const 5)) (local.set $f32b (f32.const 5)) (local.set $f64b (f64.const 5)) \
             (loop $l {code} (br_if $l (i32.lt_u (local.tee $n (i32.add (local.get $n) (i32.const 1))) (i32.const 20000)))) \
             local.get $n))",
        each("(global $gT (mut T) (T.const 1))"),
        each("(func $of_T (param T) (result T) local.get 0)"),
        each("(local $Tb T)"),
        each("(local $Tc T)"),
    );
    let bytes = wat::parse_str(&wat).unwrap_or_else(|error| panic!("{code}: {error}"));
    Program::compile(&normalise(&bytes).unwrap().bytes).unwrap()
}

#[test]
fn instructions_leave_no_stack_behind() {
    // Not all of them where it shows nothing.
    let step = if cfg!(debug_assertions) { 16 } else { 1 };
    for code in codes().into_iter().step_by(step) {
        let program = program(&code);
        let thread = std::thread::Builder::new().stack_size(STACK_BYTES);
        let name = code.clone();
        let run = move || {
            let ended = program.instance(None, || false).unwrap().run(&[2.0], "");
            assert_eq!(ended, Ok("20000".to_owned()), "{name}");
        };
        thread.spawn(run).unwrap().join().unwrap();
    }
}
