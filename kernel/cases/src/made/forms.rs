//! Modules of our own kind, of each form. What they end with depends on all of their memory and globals.

use super::Random;
use super::code::{ENTRIES, HELPERS, Place, Risk, TYPES};

/// A module, as text.
pub(super) fn module(random: &mut Random) -> String {
    let risk = if random.below(3) == 0 { Risk::Some } else { Risk::None };
    let top = Place { callable: 0, loops: 2, risk };
    let form = match random.below(4) {
        0 => json(random, top),
        1 => command(random, top),
        _ => numbers(random, top),
    };
    let helpers: String = (0..HELPERS).map(|at| helper(random, at, risk)).collect();
    let globals =
        TYPES.map(|ty| format!("(global $g{ty} (mut {ty}) ({ty}.const {}))", random.below(9)));
    let maximum = random.of(&["", "2", "3", "9"]);
    let pages = 1 + random.below(2);
    let entries = (0..HELPERS).map(|at| format!(" $h{at}")).collect::<String>();
    format!(
        "(module (import \"env\" \"seed\" (func $seed (result f64)))\n{}\
         (memory (export \"memory\") {pages} {maximum}) (table {ENTRIES} funcref) (elem (i32.const 0){entries}) \
         (elem $elements func $h1) (data (i32.const 8) \"some data\") (data $data \"more\")\n{}\n\
         (global $fuel (mut i32) (i32.const 0))\n\
         (func $burn (if (i32.eqz (global.get $fuel)) (then unreachable)) \
           (global.set $fuel (i32.sub (global.get $fuel) (i32.const 1))))\n{HASH}\n{WRITE}\n{helpers}\n{})",
        form.imports,
        globals.join(" "),
        form.functions
    )
}

struct Parts {
    imports: &'static str,
    functions: String,
}

/// What the first 32 KiB of memory and the globals are: each 8 bytes once. What is given and written lies behind.
const HASH: &str = "(func $hash (result i64) (local $at i32) (local $h i64) \
    (local.set $h (i64.xor (i64.extend_i32_u (global.get $gi32)) (global.get $gi64))) \
    (local.set $h (i64.xor (local.get $h) (i64.extend_i32_u (i32.reinterpret_f32 (global.get $gf32))))) \
    (local.set $h (i64.xor (local.get $h) (i64.reinterpret_f64 (global.get $gf64)))) \
    (loop $l \
      (local.set $h (i64.mul (i64.xor (local.get $h) (i64.load (local.get $at))) (i64.const 0x100000001b3))) \
      (local.set $h (i64.rotl (local.get $h) (i64.const 29))) \
      (br_if $l (i32.lt_u (local.tee $at (i32.add (local.get $at) (i32.const 8))) (i32.const 32768)))) \
    (local.get $h))";

/// Writes a value as 16 hexadecimal digits in quotes.
const WRITE: &str = "(func $write (param $to i32) (param $h i64) (local $at i32) (local $digit i32) \
    (i32.store8 (local.get $to) (i32.const 34)) \
    (i32.store8 offset=17 (local.get $to) (i32.const 34)) \
    (loop $l \
      (local.set $digit (i32.wrap_i64 (i64.and (local.get $h) (i64.const 15)))) \
      (i32.store8 offset=1 (i32.add (local.get $to) (local.get $at)) \
        (i32.add (local.get $digit) (select (i32.const 87) (i32.const 48) (i32.gt_u (local.get $digit) (i32.const 9))))) \
      (local.set $h (i64.shr_u (local.get $h) (i64.const 4))) \
      (br_if $l (i32.lt_u (local.tee $at (i32.add (local.get $at) (i32.const 1))) (i32.const 16)))))";

/// Locals of each type, but for those that are parameters.
fn locals(params: &[(&str, usize)]) -> String {
    let all = TYPES.iter().flat_map(|ty| [(*ty, 0), (*ty, 1)]);
    let mut text: String = all
        .filter(|local| !params.contains(local))
        .map(|(ty, at)| format!("(local ${ty}{at} {ty})"))
        .collect();
    text.push_str("(local $c1 i32) (local $c2 i32)");
    text
}

/// A function that code calls.
fn helper(random: &mut Random, at: usize, risk: Risk) -> String {
    let (ty, place) = (TYPES[at], Place { callable: at + 1, loops: 1, risk });
    let code = random.statements(2, place);
    let result = random.expression(ty, 4, place);
    let locals = locals(&[("i32", 0), ("f64", 0)]);
    // A call in tail position, which comes back here until the fuel is burnt, or not at all.
    let again = match random.below(6) {
        0 => format!(
            "(if (i32.gt_s (local.get $i320) (i32.const 0)) (then (return_call $h{at} \
             (i32.shr_u (local.get $i320) (i32.const 3)) (f64.neg (local.get $f640)))))"
        ),
        _ => String::new(),
    };
    format!(
        "(func $h{at} (param $i320 i32) (param $f640 f64) (result {ty}) {locals} (call $burn) {code} {again} {result})\n"
    )
}

/// The values of 1 to 3 parameters, and a number.
fn numbers(random: &mut Random, top: Place) -> Parts {
    let mut params: Vec<(&str, usize)> = Vec::new();
    for _ in 0..1 + random.below(3) {
        let ty = random.of(&TYPES);
        let taken = params.iter().filter(|(known, _)| *known == ty).count();
        if taken < 2 {
            params.push((ty, taken));
        }
    }
    let declared: String =
        params.iter().map(|(ty, at)| format!("(param ${ty}{at} {ty})")).collect();
    let ty = random.of(&TYPES);
    let count = 3 + random.below(8) as u64;
    let code = random.statements(count, top);
    let result = match (random.below(3), ty) {
        (0, "i64") | (1, "i64") => "(call $hash)".to_owned(),
        (0, "i32") | (1, "i32") => "(i32.wrap_i64 (call $hash))".to_owned(),
        (0, "f64") => "(f64.reinterpret_i64 (call $hash))".to_owned(),
        (0, "f32") => "(f32.reinterpret_i32 (i32.wrap_i64 (call $hash)))".to_owned(),
        _ => random.expression(ty, 5, top),
    };
    let functions = format!(
        "(func (export \"run\") {declared} (result {ty}) {} (global.set $fuel (i32.const 2000)) {code} {result})",
        locals(&params)
    );
    Parts { imports: "", functions }
}

/// Reads the first bytes at `$at` into locals.
const TAKE: &str = "(local.set $i321 (local.get $len)) (local.set $i640 (i64.load (local.get $at))) \
    (local.set $f641 (f64.load (local.get $at))) (local.set $f320 (f32.load offset=3 (local.get $at)))";

/// A JSON kernel, with data.
fn json(random: &mut Random, top: Place) -> Parts {
    let code = random.statements(8, top);
    let header = random.of(&[
        "18",
        "18",
        "18",
        "18",
        "18",
        "18",
        "18",
        "18",
        "18",
        "18",
        "0x80000012",
        "17",
        "-1",
        "0x7fffffff",
    ]);
    let result = match random.below(12) {
        0 => "(i32.const 0)".to_owned(),
        1 => random.expression("i32", 2, top),
        _ => "(i32.const 60000)".to_owned(),
    };
    let fails = match random.below(8) {
        0 => "(i32.and (local.get $len) (i32.const 3))",
        _ => "(i32.const 0)",
    };
    let alloc = match random.below(24) {
        0 => "(i32.sub (i32.const 65550) (local.get $len))",
        _ => "(i32.const 40000)",
    };
    let functions = format!(
        "(func (export \"_initialize\") (global.set $gi32 (i32.const 7)))\n\
         (func (export \"alloc\") (param $len i32) (result i32) {alloc})\n\
         (func (export \"init\") (param $at i32) (param $len i32) (result i32) \
           (global.set $gi64 (i64.load (local.get $at))) (memory.copy (i32.const 100) (local.get $at) (local.get $len)) {fails})\n\
         (func (export \"run\") (param $at i32) (param $len i32) (result i32) {} (global.set $fuel (i32.const 2000)) \
           {TAKE} (memory.copy (i32.const 200) (local.get $at) (local.get $len)) {code} \
           (i32.store (i32.const 60000) (i32.const {header})) (call $write (i32.const 60004) (call $hash)) {result})",
        locals(&[])
    );
    Parts { imports: "", functions }
}

/// A command that reads a line and writes one, or two.
fn command(random: &mut Random, top: Place) -> Parts {
    let code = random.statements(8, top);
    let exit = match random.below(4) {
        0 => "(call $exit (i32.and (local.get $i320) (i32.const 3)))",
        1 => {
            "(drop (call $out (i32.const 2) (i32.const 36008) (i32.const 1) (i32.const 36016))) (call $exit (local.get $i321))"
        }
        _ => "",
    };
    let abort = match random.below(6) {
        0 => {
            "(if (i32.lt_s (local.get $i320) (i32.const 0)) (then (call $abort (i32.const 12) (i32.const 0) (local.get $i320) (i32.const 3))))"
        }
        _ => "",
    };
    let (len, random_len) = (17 + random.below(3), random.below(50));
    let functions = format!(
        "(func (export \"_start\") {} (local $at i32) (local $len i32) (global.set $fuel (i32.const 2000)) \
           (drop (call $random (i32.const 300) (i32.const {random_len}))) \
           (drop (call $clock (i32.const 0) (i64.const 1) (i32.const 400))) \
           (drop (call $args (i32.const 408) (i32.const 412))) (drop (call $stat (i32.const 1) (i32.const 416))) \
           (i32.store (i32.const 420) (call $seek (i32.const 0) (i64.const 0) (i32.const 0) (i32.const 0))) \
           (i32.store (i32.const 424) (call $open (i32.const 3) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i64.const 0) (i64.const 0) (i32.const 0) (i32.const 0))) \
           (i32.store (i32.const 36000) (i32.const 40000)) (i32.store (i32.const 36004) (i32.const 64)) \
           (drop (call $in (i32.const 0) (i32.const 36000) (i32.const 1) (i32.const 36016))) \
           (local.set $len (i32.load (i32.const 36016))) (local.set $at (i32.const 40000)) \
           {TAKE} (memory.copy (i32.const 200) (local.get $at) (local.get $len)) {code} \
           (call $write (i32.const 50000) (call $hash)) (i32.store8 (i32.const 50018) (i32.const 10)) (i32.store8 (i32.const 50019) (i32.const 65)) \
           (i32.store (i32.const 36008) (i32.const 50000)) (i32.store (i32.const 36012) (i32.const {len})) \
           (drop (call $out (i32.const 1) (i32.const 36008) (i32.const 1) (i32.const 36016))) {abort} {exit})",
        locals(&[])
    );
    Parts { imports: IMPORTS, functions }
}

const IMPORTS: &str = "(import \"wasi_snapshot_preview1\" \"fd_read\" (func $in (param i32 i32 i32 i32) (result i32))) \
    (import \"wasi_snapshot_preview1\" \"fd_write\" (func $out (param i32 i32 i32 i32) (result i32))) \
    (import \"wasi_snapshot_preview1\" \"random_get\" (func $random (param i32 i32) (result i32))) \
    (import \"wasi_snapshot_preview1\" \"clock_time_get\" (func $clock (param i32 i64 i32) (result i32))) \
    (import \"wasi_snapshot_preview1\" \"args_sizes_get\" (func $args (param i32 i32) (result i32))) \
    (import \"wasi_snapshot_preview1\" \"fd_fdstat_get\" (func $stat (param i32 i32) (result i32))) \
    (import \"wasi_snapshot_preview1\" \"fd_seek\" (func $seek (param i32 i64 i32 i32) (result i32))) \
    (import \"wasi_snapshot_preview1\" \"path_open\" (func $open (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32))) \
    (import \"wasi_snapshot_preview1\" \"proc_exit\" (func $exit (param i32))) \
    (import \"env\" \"abort\" (func $abort (param i32 i32 i32 i32)))\n";
