//! What is refused, and how that is said.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers as well")]

use tequio_kernel::{MODULE_BYTES_MAX, normalise, shape};

/// A module of the numbers form with something beside it.
fn with(rest: &str) -> String {
    format!("(module {rest} (func (export \"run\") (param i32) (result i32) local.get 0))")
}

fn refusal(wat: &str) -> (&'static str, String) {
    let bytes = wat::parse_str(wat).unwrap_or_else(|error| panic!("{wat}: {error}"));
    match normalise(&bytes) {
        Ok(_) => panic!("not refused: {wat}"),
        Err(refused) => (refused.code(), refused.to_string()),
    }
}

#[track_caller]
fn is_refused(wat: &str, code: &str, parts: &[&str]) {
    let (said_code, said) = refusal(wat);
    assert_eq!(said_code, code, "{wat}: {said}");
    for part in parts {
        assert!(said.contains(part), "{wat}: {said}: no {part:?}");
    }
}

#[test]
fn features_are_named_with_their_place_and_what_to_do() {
    let body = |code: &str| with(&format!("(memory 1) (func $foo {code})"));
    for (wat, parts) in [
        (
            body("v128.const i32x4 0 0 0 0 drop"),
            ["use SIMD (", "function 0 \"foo\", byte ", "without -msimd128"],
        ),
        (body("(local v128)"), ["use SIMD (", "function 0 \"foo\", byte ", "-msimd128"]),
        (
            body("unreachable i32x4.relaxed_trunc_f32x4_s drop"),
            ["relaxed SIMD", "\"foo\"", "-mrelaxed-simd"],
        ),
        (body("atomic.fence"), ["threads", "\"foo\"", "-pthread"]),
        (body("(block (result v128) unreachable) drop"), ["use SIMD", "\"foo\"", "byte"]),
        (body("unreachable struct.new 0 drop"), ["GC", "\"foo\"", "byte"]),
        (body("i32.const 0 ref.i31 drop"), ["GC", "\"foo\"", "byte"]),
        (
            body("unreachable ref.as_non_null drop"),
            ["typed function references", "\"foo\"", "byte"],
        ),
        (body("ref.null extern drop"), ["references to the host's values", "\"foo\"", "byte"]),
        (body("try_table end"), ["exceptions", "\"foo\"", "-fno-exceptions"]),
        (
            body("i64.const 0 i64.const 0 i64.mul_wide_u drop drop"),
            ["wide_arithmetic", "\"foo\"", "byte"],
        ),
        (
            with("(table 1 funcref) (func ref.null func i32.const 1 table.grow 0 drop)"),
            ["table.grow", "byte", "declare"],
        ),
        (with("(memory i64 1)"), ["memory64", "byte", "wasm32"]),
        (with("(table i64 1 funcref)"), ["memory64", "byte", "wasm32"]),
        (with("(memory 1 1 shared)"), ["threads and shared memory", "byte", "-pthread"]),
        (with("(memory 1 (pagesize 1))"), ["pages of other sizes", "byte", "64 KiB"]),
        (with("(tag)"), ["exceptions", "byte", "panic=abort"]),
        (with("(type (struct))"), ["GC", "byte", ""]),
        (with("(rec (type (func)) (type (func)))"), ["GC", "byte", ""]),
        (with("(type (func (param v128)))"), ["SIMD", "byte", "-msimd128"]),
        (with("(type (func (param externref)))"), ["references to the host's values", "byte", ""]),
        (with("(type (func (param (ref func))))"), ["typed function references", "byte", ""]),
        (with("(global v128 (v128.const i64x2 0 0))"), ["SIMD", "byte", ""]),
        (with("(table 1 externref)"), ["references to the host's values", "byte", ""]),
        (with("(func $go) (start $go)"), ["no start function", "function 0 \"go\"", "_initialize"]),
    ] {
        is_refused(&wat, "feature", &parts);
    }
}

#[test]
fn sizes_are_limited() {
    for (wat, parts) in [
        (with("(memory 1) (memory 1)"), ["at most 1 memory", "byte"]),
        (with("(table 1 funcref) (table 1 funcref)"), ["at most 1 table", "byte"]),
        (with("(memory 4097)"), ["4097 pages", "at most 4096"]),
        (with("(table 65537 funcref)"), ["65537 entries", "at most 65536"]),
        (
            format!(
                "(module {} (func (export \"run\") (param i32)))",
                "(import \"env\" \"seed\" (func (result f64)))".repeat(101)
            ),
            ["101 imports", "at most 100"],
        ),
    ] {
        is_refused(&wat, "limit", &parts);
    }
    // What is small to write and large to compile.
    let wide = "i32 ".repeat(500);
    let body = |code: &str| {
        with(&format!("(type $t (func (param {wide}) (result {wide}))) (func $f (type $t) {code})"))
    };
    for (wat, parts) in [
        (with(&"(func)".repeat(30_000)), ["30001 functions", "at most 30000"]),
        (
            with(&format!(
                "(type $p (func (param {}))) {}",
                "i32 ".repeat(1000),
                "(func (type $p))".repeat(1001)
            )),
            ["more than 1000000 locals", ""],
        ),
        (
            body(&"unreachable call $f ".repeat(20_000)),
            ["more than 16777216 values", "function 0 \"f\", byte"],
        ),
        (
            body(&"unreachable block (type $t) end ".repeat(10_000)),
            ["more than 16777216 values", "function 0 \"f\", byte"],
        ),
        (
            body(&format!("unreachable {}", "br 0 ".repeat(40_000))),
            ["more than 16777216 values", "function 0 \"f\", byte"],
        ),
        (
            body(&format!("unreachable {}", "return ".repeat(40_000))),
            ["more than 16777216 values", "function 0 \"f\", byte"],
        ),
        (
            body(&format!("unreachable br_table {}", "0 ".repeat(40_000))),
            ["more than 16777216 values", "function 0 \"f\", byte"],
        ),
    ] {
        is_refused(&wat, "limit", &parts);
    }
    let huge = with(&format!("(memory 1) (data \"{}\")", "x".repeat(MODULE_BYTES_MAX)));
    let len = wat::parse_str(&huge).unwrap().len();
    is_refused(&huge, "too_large", &[&len.to_string(), "4194304"]);
    // Small as it comes, too large when it is written: each store becomes seven instructions.
    let store = "i32.const 0 local.get 0 f32.store ".repeat(215_000);
    let swelling = with(&format!("(memory 1) (func (param f32) {store})"));
    is_refused(&swelling, "too_large", &["when it is normalised"]);
    // As many locals as engines take, and no room for ours.
    let full = with(&format!(
        "(memory 1) (func (param f32) (local {}) i32.const 0 local.get 0 f32.store)",
        "f32 ".repeat(49_999)
    ));
    is_refused(&full, "limit", &["at a limit of engines"]);
}

#[test]
fn what_is_no_module_is_told_apart() {
    for (bytes, code, part) in [
        (&b""[..], "not_wasm", "it is empty"),
        (b"\0as", "not_wasm", "cut short: it has 3 bytes"),
        (b"#!/usr/bin/env python3", "not_wasm", "begins with \"#!/usr/bin/env p\""),
        (b"(module\n (func))", "not_wasm", "make it binary with wat2wasm"),
        (b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0\0\0", "not_wasm", "begins with 7f 45 4c 46"),
        (b"\0asm\x0d\0\x01\0", "not_wasm", "a WebAssembly component"),
        (b"\0asm\x02\0\0\0", "not_wasm", "version other than 1"),
        (b"\0asm\x01\0\0\0\x01\x05\x01", "not_wasm", "cut short"),
        (b"\0asm\x01\0\0\0\x63\x01\0", "invalid", "not valid WebAssembly (byte "),
        (b"\0asm\x01\0\0\0\x03\x02\x01\x07", "invalid", "not valid WebAssembly (byte "),
    ] {
        let refused = normalise(bytes).unwrap_err();
        assert_eq!(refused.code(), code, "{refused}");
        assert!(refused.to_string().contains(part), "{refused}");
    }
    let whole = wat::parse_str(with("(memory 1) (data (i32.const 0) \"abc\")")).unwrap();
    let is_cut: Vec<usize> =
        (0..whole.len()).filter(|len| normalise(&whole[..*len]).is_ok()).collect();
    // Between the functions and what follows them nobody can tell.
    assert!(is_cut.len() <= 2 && !is_cut.contains(&(whole.len() - 1)), "{is_cut:?}");
    let wrong = wat::parse_str(with("(func $bad (result i32) f32.const 0)")).unwrap();
    let said = normalise(&wrong).unwrap_err().to_string();
    assert!(said.contains("function 0 \"bad\", byte") && said.contains("type mismatch"), "{said}");
}

#[test]
fn imports_are_refused_by_name() {
    let import = |import: &str| {
        format!(
            "(module {import} (memory (export \"memory\") 1) (func (export \"run\") (param i32) (result i32) local.get 0))"
        )
    };
    for (item, parts) in [
        (
            "(import \"env\" \"sin\" (func (param f64) (result f64)))",
            ["env.sin", "link the function in"],
        ),
        ("(import \"env\" \"memory\" (memory 1))", ["env.memory is a memory", "--import-memory"]),
        ("(import \"env\" \"t\" (table 1 funcref))", ["env.t is a table", "--import-table"]),
        ("(import \"env\" \"g\" (global i32))", ["env.g is a global", "define it"]),
        ("(import \"wbg\" \"__wbg_log\" (func))", ["wbg.__wbg_log", "without wasm-bindgen"]),
        (
            "(import \"__wbindgen_placeholder__\" \"x\" (func))",
            ["__wbindgen_placeholder__.x", "cdylib"],
        ),
        (
            "(import \"env\" \"emscripten_notify_memory_growth\" (func (param i32)))",
            ["emscripten_notify", "STANDALONE_WASM"],
        ),
        ("(import \"wasi_unstable\" \"fd_write\" (func))", ["wasi_unstable.fd_write", "preview 1"]),
        ("(import \"wasi:cli/run\" \"x\" (func))", ["wasi:cli/run", "preview 1, not 2"]),
        (
            "(import \"wasi_snapshot_preview1\" \"nope\" (func))",
            ["preview1.nope", "no such function"],
        ),
        (
            "(import \"wasi_snapshot_preview1\" \"fd_write\" (func (param i32 i32 i32) (result i32)))",
            [
                "wasi_snapshot_preview1.fd_write must have the type (i32, i32, i32, i32) -> i32",
                "not (i32, i32, i32) -> i32",
            ],
        ),
        (
            "(import \"wasi_snapshot_preview1\" \"proc_exit\" (func (param i32) (result i32)))",
            ["(i32) -> nothing", "not (i32) -> i32"],
        ),
        (
            "(import \"env\" \"abort\" (func (param i32 i32 i32)))",
            ["env.abort must have the type (i32, i32, i32, i32) -> nothing", "not (i32, i32, i32)"],
        ),
        ("(import \"env\" \"seed\" (func (result f32)))", ["env.seed", "() -> f64"]),
    ] {
        is_refused(&import(item), "import", &parts);
    }
    let without = "(module (import \"wasi_snapshot_preview1\" \"sched_yield\" (func (result i32))) (func (export \"run\") (param i32) (result i32) local.get 0))";
    is_refused(without, "exports", &["must export its memory"]);
}

#[test]
fn exports_that_are_nearly_a_kernel_s_are_explained() {
    let alloc = "(memory (export \"memory\") 1) (func (export \"alloc\") (param i32) (result i32) i32.const 0)";
    let run = "(func (export \"run\") (param i32 i32) (result i32) i32.const 0)";
    for (wat, parts) in [
        (
            "(module)".to_owned(),
            vec![
                "neither run nor _start",
                "exports nothing",
                "cdylib",
                "--export=run",
                "export function run",
            ],
        ),
        (
            "(module (func (export \"main\")) (func (export \"Run\")))".to_owned(),
            vec!["its exports are main, Run."],
        ),
        (with("(func (export \"_start\"))"), vec!["both run and _start"]),
        (
            "(module (func (export \"_start\")) (func (export \"_initialize\")))".to_owned(),
            vec!["both _start and _initialize"],
        ),
        (
            "(module (func (export \"_start\") (result i32) i32.const 0))".to_owned(),
            vec!["_start must take and give nothing", "() -> i32"],
        ),
        (
            "(module (global (export \"run\") i32 (i32.const 0)))".to_owned(),
            vec!["\"run\" must be a function"],
        ),
        (
            "(module (func (export \"run\") (param i32)))".to_owned(),
            vec!["gives nothing", "(i32) -> nothing"],
        ),
        (
            "(module (func (export \"run\") (param i32) (result i32 i32) unreachable))".to_owned(),
            vec!["gives 2", "(i32, i32)"],
        ),
        (
            "(module (func (export \"run\") (result i32) i32.const 0))".to_owned(),
            vec!["takes 0", "1 to 8"],
        ),
        (
            format!(
                "(module (func (export \"run\") (param {}) (result i32) i32.const 0))",
                "f64 ".repeat(9)
            ),
            vec!["takes 9", "1 to 8"],
        ),
        (
            "(module (func (export \"run\") (param funcref) (result i32) i32.const 0))".to_owned(),
            vec!["funcref is none"],
        ),
        (
            with("(func (export \"_initialize\") (param i32))"),
            vec!["_initialize must take and give nothing"],
        ),
        (
            with("(func (export \"init\") (param i32 i32) (result i32) i32.const 0)"),
            vec!["init(ptr, len) also needs the export alloc"],
        ),
        (
            with(&format!("{alloc} (func (export \"init\") (param i32) (result i32) i32.const 0)")),
            vec!["init must be (ptr: i32, len: i32) -> i32", "(i32) -> i32"],
        ),
        (
            format!(
                "(module (func (export \"alloc\") (param i32) (result i32) i32.const 0) {run})"
            ),
            vec!["memory to be exported"],
        ),
        (
            format!(
                "(module (memory (export \"memory\") 1) (func (export \"alloc\") (param i32 i32) (result i32) i32.const 0) {run})"
            ),
            vec!["alloc must be (len: i32) -> i32", "(i32, i32) -> i32"],
        ),
        (with("(global (export \"memory\") i32 (i32.const 0))"), vec!["\"memory\" is no memory"]),
    ] {
        is_refused(&wat, "exports", &parts);
    }
}

#[test]
fn the_name_of_our_global_is_reserved() {
    let grow = "(func $grow (param i32) (result i32) (local i32) \
        memory.size i64.extend_i32_u local.get 0 i64.extend_i32_u i64.add i64.const 4096 i64.gt_u \
        if i32.const -1 return end \
        local.get 0 memory.grow local.tee 1 i32.const -1 i32.eq \
        if i32.const 1 global.set $g unreachable end local.get 1)";
    let module = |global: &str, last: &str| {
        with(&format!("(type (func (param i32) (result i32))) (memory 1) {global}"))
            .replace("local.get 0))", &format!("local.get 0) {last})"))
    };
    let exported = |init: &str| format!("(global $g (export \"tequio.exhausted\") {init})");
    // As we would write it.
    let ours = wat::parse_str(module(&exported("(mut i32) (i32.const 0)"), grow)).unwrap();
    assert!(normalise(&ours).is_ok());
    for wat in [
        module(&exported("(mut i32) (i32.const 1)"), grow),
        module(&exported("(mut i64) (i64.const 0)"), "").replace("$g", ""),
        module(&exported("(mut i32) (i32.const 0)"), ""),
        module(&exported("(mut i32) (i32.const 0)"), &format!("{grow} (func)")),
        module(&exported("(mut i32) (i32.const 0)"), &grow.replace("4096", "4097")),
        module(
            &format!("{} (global i32 (i32.const 0))", exported("(mut i32) (i32.const 0)")),
            grow,
        ),
        with("(func (export \"tequio.exhausted\"))"),
        with("(memory (export \"tequio.exhausted\") 1)"),
    ] {
        is_refused(&wat, "reserved", &["\"tequio.exhausted\" is reserved"]);
    }
}

#[test]
fn parameters_are_refused_where_they_are_wrong() {
    let section = |json: &str| {
        with(&format!("(@custom \"tequio.params\" \"{}\")", json.replace('"', "\\\"")))
    };
    let many = format!("[{}]", [r#"{"name":"a"}"#; 9].join(","));
    let long = format!(r#"[{{"name":"{}"}}]"#, "x".repeat(65));
    let help = format!(r#"[{{"name":"a","help":"{}"}}]"#, "x".repeat(401));
    let size = format!(r#"[{}{{"name":"a"}}]"#, " ".repeat(20_000));
    for (json, part) in [
        ("", "EOF"),
        ("{}", "expected a sequence"),
        ("[", "EOF"),
        ("[1]", "line 1 column 2"),
        (r#"[{"nam":"a"}]"#, "unknown field `nam`"),
        (r#"[{}]"#, "missing field `name`"),
        (r#"[{"name":"a","default":true}]"#, "a default is a number, or an axis as text"),
        (r#"[{"name":"a","default":"1..x"}]"#, "parameter 1, \"a\": its default is no axis"),
        (r#"[{"name":"a","default":null}]"#, "a default is a number"),
        (r#"[{"name":"a","help":null}]"#, "invalid type: null"),
        (r#"[{"name":"1a"}]"#, "parameter 1, \"1a\": a name has 1 to 64 letters"),
        (r#"[{"name":""}]"#, "a name has 1 to 64"),
        (r#"[{"name":"a b"}]"#, "a name has 1 to 64"),
        (r#"[{"name":"op"}]"#, "means something else"),
        (r#"[{"name":"grid"}]"#, "means something else"),
        (r#"[{"name":"a"},{"name":"a"}]"#, "parameter 2, \"a\": it is there twice"),
        (r#"[{"name":"a"},{"name":"b"}]"#, "it names 2 parameters, and run takes 1"),
        ("[]", "it names 0 parameters, and run takes 1"),
        (&many, "it has 9 parameters, and may have 8"),
        (&long, "a name has 1 to 64"),
        (&help, "its help may have 400 characters"),
        (&size, "and may have 16384"),
    ] {
        is_refused(
            &section(json),
            "params",
            &["the custom section tequio.params cannot be read", part],
        );
    }
    let twice =
        section(r#"[{"name":"a"}]"#).replace("(func", "(@custom \"tequio.params\" \"[]\") (func");
    is_refused(&twice, "params", &["is there twice"]);
}

#[test]
fn only_what_was_normalised_has_a_shape() {
    let module = wat::parse_str(with("(func $named)")).unwrap();
    assert_eq!(shape(&module).unwrap_err().code(), "not_normalised");
    let normalised = normalise(&module).unwrap();
    assert_eq!(shape(&normalised.bytes), Ok(normalised.shape));
    assert_eq!(shape(b"").unwrap_err().code(), "not_wasm");
}
