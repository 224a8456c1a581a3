//! What kernels compute, and what becomes of those that do not: the meaning, rule by rule.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers as well")]

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use tequio_kernel::host::{Exhausted, Fault, Program};
use tequio_kernel::{Form, ValueType, normalise, shape};

fn program(wat: &str) -> Program {
    let bytes = wat::parse_str(wat).unwrap_or_else(|error| panic!("{wat}: {error}"));
    let normalised = normalise(&bytes).unwrap_or_else(|refused| panic!("{wat}: {refused}"));
    assert_eq!(normalise(&normalised.bytes).unwrap().bytes, normalised.bytes, "{wat}");
    assert_eq!(shape(&normalised.bytes).unwrap(), normalised.shape);
    Program::compile(&normalised.bytes).unwrap()
}

fn error(words: &str) -> Result<String, Fault> {
    Err(Fault::Error(words.to_owned()))
}

fn result(json: &str) -> Result<String, Fault> {
    Ok(json.to_owned())
}

fn data(text: &str) -> Option<Arc<[u8]>> {
    Some(text.as_bytes().into())
}

/// The first task of a block.
fn first(program: &Program, args: &[f64], input: &str) -> Result<String, Fault> {
    program.instance(None, || false)?.run(args, input)
}

fn numbers(wat: &str, args: &[f64]) -> Result<String, Fault> {
    first(&program(wat), args, "")
}

/// Stops a while after it was asked first: what goes on for ever is ended.
fn soon() -> impl Fn() -> bool {
    let asked = AtomicU32::new(0);
    move || asked.fetch_add(1, Ordering::Relaxed) >= 3
}

#[test]
fn a_program_can_be_shared() {
    fn is_shared<T: Send + Sync + Clone>() {}
    is_shared::<Program>();
}

#[test]
fn numbers_of_each_type_come_and_go() {
    let same = |ty: &str| {
        format!("(module (func (export \"run\") (param {ty}) (result {ty}) local.get 0))")
    };
    for (ty, value, expected) in [
        ("i32", 7.0, result("7")),
        ("i32", -0.0, result("0")),
        ("i32", -2147483648.0, result("-2147483648")),
        (
            "i32",
            2147483648.0,
            error("p1 must be a whole number from -2147483648 to 2147483647, not 2147483648"),
        ),
        ("i32", 0.5, error("p1 must be a whole number from -2147483648 to 2147483647, not 0.5")),
        (
            "i32",
            f64::NAN,
            error("p1 must be a whole number from -2147483648 to 2147483647, not NaN"),
        ),
        ("i64", 9007199254740991.0, result("9007199254740991")),
        ("i64", -9007199254740991.0, result("-9007199254740991")),
        (
            "i64",
            9007199254740992.0,
            error(
                "p1 must be a whole number from -9007199254740991 to 9007199254740991, not 9007199254740992",
            ),
        ),
        ("f32", 0.1, result("0.10000000149011612")),
        ("f32", 1e300, result("\"Infinity\"")),
        ("f64", 0.1, result("0.1")),
        ("f64", 1.0, result("1.0")),
        ("f64", -0.0, result("-0.0")),
        ("f64", 1e21, result("1e+21")),
        ("f64", f64::NEG_INFINITY, result("\"-Infinity\"")),
        ("f64", f64::NAN, result("\"NaN\"")),
    ] {
        assert_eq!(numbers(&same(ty), &[value]), expected, "{ty} {value}");
    }
    let long =
        "(module (func (export \"run\") (param i32) (result i64) i64.const -9223372036854775808))";
    assert_eq!(numbers(long, &[0.0]), result("-9223372036854775808"));
    assert_eq!(numbers(&same("i32"), &[]), error("the kernel takes 1 numbers, not 0"));
    assert_eq!(numbers(&same("i32"), &[1.0, 2.0]), error("the kernel takes 1 numbers, not 2"));
}

#[test]
fn eight_parameters_are_named_and_ordered() {
    let names = ["a", "b", "c", "d", "e", "f", "g", "h"]
        .map(|name| format!("{{\\\"name\\\":\\\"{name}\\\"}}"));
    let wat = format!(
        "(module (@custom \"tequio.params\" \"[{}]\") \
         (func (export \"run\") (param i32 i64 f32 f64 i32 i64 f32 f64) (result f64) \
           (f64.add (f64.mul (f64.convert_i32_s (local.get 0)) (f64.const 1000)) (local.get 7))))",
        names.join(", ")
    );
    let program = program(&wat);
    let Form::Numbers { params, result: ValueType::F64 } = &program.shape().form else { panic!() };
    assert_eq!(params[..4], [ValueType::I32, ValueType::I64, ValueType::F32, ValueType::F64]);
    assert_eq!(program.shape().params[7].name, "h");
    assert_eq!(first(&program, &[2.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.5], ""), result("2000.5"));
    let wrong = first(&program, &[2.0, 0.5, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0], "");
    assert!(matches!(wrong, Err(Fault::Error(words)) if words.starts_with("b must be")));
}

#[test]
fn traps_have_one_word_each() {
    let head = "(module (memory 1) (table 3 funcref) (elem $e (i32.const 1) $g) (data $d \"ab\") \
                (func $g (param f32)) (type $t (func)) (func (export \"run\") (param i32) (result i32) ";
    for (code, words) in [
        ("unreachable", "unreachable"),
        ("i32.const 1 i32.const 0 i32.div_s", "integer division by zero"),
        ("i32.const 1 i32.const 0 i32.rem_u", "integer division by zero"),
        ("i64.const 1 i64.const 0 i64.div_u i32.wrap_i64", "integer division by zero"),
        ("i32.const 0x80000000 i32.const -1 i32.div_s", "integer overflow"),
        ("i64.const 0x8000000000000000 i64.const -1 i64.div_s i32.wrap_i64", "integer overflow"),
        ("f64.const 1e10 i32.trunc_f64_s", "integer overflow"),
        ("f64.const nan i32.trunc_f64_s", "integer overflow"),
        ("f32.const -1 i64.trunc_f32_u i32.wrap_i64", "integer overflow"),
        ("i32.const 65533 i32.load", "out of bounds"),
        ("i32.const -1 i32.load8_u", "out of bounds"),
        ("i32.const 65535 i32.const 0 i32.store16 i32.const 0", "out of bounds"),
        ("i32.const 0 i32.const 1 i32.const 65536 memory.copy i32.const 0", "out of bounds"),
        ("i32.const 1 i32.const 0 i32.const 65536 memory.fill i32.const 0", "out of bounds"),
        ("i32.const 0 i32.const 1 i32.const 2 memory.init $d i32.const 0", "out of bounds"),
        ("i32.const 3 call_indirect (type $t) i32.const 0", "out of bounds"),
        ("i32.const 3 table.get drop i32.const 0", "out of bounds"),
        ("i32.const 0 i32.const 1 i32.const 3 table.copy i32.const 0", "out of bounds"),
        ("i32.const 0 call_indirect (type $t) i32.const 0", "bad indirect call"),
        ("i32.const 1 call_indirect (type $t) i32.const 0", "bad indirect call"),
    ] {
        assert_eq!(
            numbers(&format!("{head} {code}))"), &[0.0]),
            error(&format!("trap: {words}")),
            "{code}"
        );
    }
    // -2^31 % -1 is 0 and no overflow.
    assert_eq!(
        numbers(&format!("{head} i32.const 0x80000000 i32.const -1 i32.rem_s))"), &[0.0]),
        result("0")
    );
    // Segments that do not fit.
    for segment in ["(data (i32.const 65535) \"ab\")", "(elem (i32.const 3) $g)"] {
        let wat = format!("{head} i32.const 0) {segment})");
        assert_eq!(numbers(&wat, &[0.0]), error("trap: out of bounds"), "{segment}");
    }
}

/// Each way in which the bits of a NaN show, with a NaN that is not canonical.
#[test]
fn nans_show_no_bits() {
    let run = |ty: &str, code: &str| {
        let wat = format!(
            "(module (memory 1) (func (export \"run\") (param f64) (result {ty}) (local f32 f64) {code}))"
        );
        numbers(&wat, &[f64::NAN]).unwrap()
    };
    let (wide, narrow) = ("f64.const -nan:0x123", "f32.const -nan:0x123");
    let canonical_64 = "9221120237041090560";
    let canonical_32 = "2143289344";
    for code in [
        format!("{wide} i64.reinterpret_f64"),
        format!("{wide} local.tee 2 local.get 2 drop i64.reinterpret_f64"),
        format!("{wide} i32.const 1 f64.const 0 local.set 2 drop i64.reinterpret_f64"),
        format!("i32.const 0 {wide} f64.store i32.const 0 i64.load"),
        format!("i32.const 0 {wide} f64.store offset=3 align=1 i32.const 3 i64.load"),
        format!("{wide} f64.const 1 i32.const 1 select i64.reinterpret_f64"),
        format!("(block (result f64) {wide} i32.const 1 br_if 0) i64.reinterpret_f64"),
        format!(
            "(if (result f64) (i32.const 0) (then f64.const 1) (else {wide})) i64.reinterpret_f64"
        ),
        format!("{wide} f64.neg f64.abs f64.neg i64.reinterpret_f64"),
        "i32.const 8 i64.const 0xfff0000000000001 i64.store i32.const 8 f64.load i64.reinterpret_f64".to_owned(),
        format!("{narrow} f64.promote_f32 i64.reinterpret_f64"),
        "f64.const 0 f64.const 0 f64.div f64.neg i64.reinterpret_f64".to_owned(),
        "local.get 0 i64.reinterpret_f64".to_owned(),
    ] {
        assert_eq!(run("i64", &code), canonical_64, "{code}");
    }
    for code in [
        format!("{narrow} i32.reinterpret_f32"),
        format!("i32.const 0 {narrow} f32.store i32.const 0 i32.load"),
        format!("{wide} f32.demote_f64 f32.neg i32.reinterpret_f32"),
        format!(
            "i32.const 0 {narrow} {wide} i64.reinterpret_f64 drop f32.store i32.const 0 i32.load"
        ),
    ] {
        assert_eq!(run("i32", &code), canonical_32, "{code}");
    }
    // The sign of a NaN does not show, that of a number does.
    assert_eq!(run("f64", &format!("f64.const 2 {wide} f64.copysign")), "2.0");
    assert_eq!(run("f32", &format!("f32.const 2 {narrow} f32.copysign")), "2.0");
    assert_eq!(run("f64", "f64.const 2 f64.const -0 f64.copysign"), "-2.0");
    assert_eq!(run("f64", "f64.const 2 f64.const -inf f64.copysign"), "-2.0");
    assert_eq!(run("f64", &format!("{wide} f64.const 1 f64.copysign")), "\"NaN\"");
    // Numbers pass unharmed, as does what is no float.
    assert_eq!(run("i64", "f64.const -0 i64.reinterpret_f64"), i64::MIN.to_string());
    assert_eq!(run("i64", "f64.const 5e-324 f64.neg f64.neg i64.reinterpret_f64"), "1");
    assert_eq!(
        run("i32", "i32.const 0 i32.const 0x7f800123 i32.store i32.const 0 i32.load"),
        0x7f80_0123.to_string()
    );
    // Data that holds such bits is moved as it is.
    let moved = "(module (memory 1) (data (i32.const 8) \"\\01\\00\\80\\ff\") (func (export \"run\") (param i32) (result i32) \
         i32.const 0 i32.const 8 i32.const 4 memory.copy i32.const 0 i32.load))";
    assert_eq!(numbers(moved, &[0.0]), result(&(0xff80_0001u32 as i32).to_string()));
}

#[test]
fn what_cannot_be_a_nan_costs_nothing() {
    let size = |code: &str| {
        let wat =
            format!("(module (memory 1) (func (export \"run\") (param f64) (result i64) {code}))");
        let bytes = normalise(&wat::parse_str(wat).unwrap()).unwrap().bytes;
        wasm_instructions(&bytes)
    };
    assert_eq!(size("f64.const 1 i64.reinterpret_f64"), 3);
    assert_eq!(size("f64.const nan i64.reinterpret_f64"), 3);
    assert_eq!(size("f64.const -nan i64.reinterpret_f64"), 9);
    assert_eq!(size("i32.const 1 f64.convert_i32_u i64.reinterpret_f64"), 4);
    assert_eq!(size("local.get 0 i64.reinterpret_f64"), 9);
    // Our own sequence by way of another's local, and sequences that are not quite ours.
    let own = "local.get 0 local.tee 0 f64.const nan local.get 0 local.get 0 f64.eq select i64.reinterpret_f64";
    assert_eq!(size(own), 9);
    assert_eq!(size(&own.replace("f64.eq", "f64.ne")), 15);
    assert_eq!(size(&own.replace("nan", "nan:0x123")), 15);
    assert_eq!(size(&format!("(local f64) {}", own.replacen("local.tee 0", "local.tee 1", 1))), 15);
    assert_eq!(
        size(&own.replacen(
            "local.get 0 local.get 0 f64.eq",
            "local.get 0 local.get 0 nop f64.eq",
            1
        )),
        16
    );
}

fn wasm_instructions(bytes: &[u8]) -> usize {
    wasmparser::Parser::new(0)
        .parse_all(bytes)
        .filter_map(|payload| match payload.unwrap() {
            wasmparser::Payload::CodeSectionEntry(body) => {
                Some(body.get_operators_reader().unwrap().into_iter().count())
            }
            _ => None,
        })
        .sum()
}

#[test]
fn memory_grows_to_its_maximum_and_gives_minus_one_beyond() {
    let grow = |memory: &str| {
        program(&format!(
            "(module (memory {memory}) (func (export \"run\") (param i32) (result i32) local.get 0 memory.grow))"
        ))
    };
    let small = grow("1 3");
    let mut instance = small.instance(None, || false).unwrap();
    for (by, before) in [
        (0.0, "1"),
        (1.0, "1"),
        (2.0, "-1"),
        (-1.0, "-1"),
        (-2147483648.0, "-1"),
        (1.0, "2"),
        (0.0, "3"),
        (1.0, "-1"),
    ] {
        assert_eq!(instance.run(&[by], ""), result(before), "{by}");
    }
    // 256 MiB, whatever the module says.
    for memory in ["0", "0 65536", "0 4096"] {
        let large = grow(memory);
        let mut instance = large.instance(None, || false).unwrap();
        assert_eq!(instance.run(&[4097.0], ""), result("-1"), "{memory}");
        assert_eq!(instance.run(&[65536.0], ""), result("-1"), "{memory}");
    }
    // The function that grows is called through each place, in recursive and in unreachable code.
    let twice = "(module (memory 0 2) (func $g (result i32) i32.const 1 memory.grow) \
        (func (export \"run\") (param i32) (result i32) call $g call $g i32.add return i32.const 0 memory.grow))";
    assert_eq!(numbers(twice, &[0.0]), result("1"));
}

#[test]
fn unreachable_behind_our_global_is_exhausted_memory() {
    // A module that comes with our function, and calls it exhausted itself.
    let wat = "(module (type (func (param i32) (result i32))) (memory 1) (global $g (export \"tequio.exhausted\") (mut i32) (i32.const 0)) \
        (func (export \"run\") (param i32) (result i32) local.get 0 global.set $g unreachable) \
        (func $grow (param i32) (result i32) (local i32) \
        memory.size i64.extend_i32_u local.get 0 i64.extend_i32_u i64.add i64.const 4096 i64.gt_u \
        if i32.const -1 return end \
        local.get 0 memory.grow local.tee 1 i32.const -1 i32.eq \
        if i32.const 1 global.set $g unreachable end local.get 1))";
    assert_eq!(numbers(wat, &[1.0]), Err(Fault::Exhausted(Exhausted::Memory)));
    assert_eq!(numbers(wat, &[0.0]), error("trap: unreachable"));
}

#[test]
fn deep_calls_exhaust_the_stack() {
    let wat = "(module (func $f (export \"run\") (param i32) (result i32) local.get 0 i32.const 1 i32.add call $f i32.const 1 i32.add))";
    assert_eq!(numbers(wat, &[0.0]), Err(Fault::Exhausted(Exhausted::Stack)));
    let wide = format!(
        "(module (func $f (export \"run\") (param i32) (result i32) (local {}) local.get 0 call $f))",
        "i64 ".repeat(2000)
    );
    assert_eq!(numbers(&wide, &[0.0]), Err(Fault::Exhausted(Exhausted::Stack)));
    // As deep as in browsers is well; tail calls nest not at all.
    let deep = "(module (func $f (export \"run\") (param i32) (result i32) local.get 0 i32.eqz if (result i32) i32.const 0 else local.get 0 i32.const 1 i32.sub call $f i32.const 1 i32.add end))";
    assert_eq!(numbers(deep, &[8000.0]), result("8000"));
    let tail = "(module (func $f (export \"run\") (param i32) (result i32) local.get 0 i32.eqz if (result i32) i32.const 5 else local.get 0 i32.const 1 i32.sub return_call $f end))";
    assert_eq!(numbers(tail, &[100000.0]), result("5"));
}

#[test]
fn what_goes_on_for_ever_is_ended() {
    let forever = "(loop $l br $l) unreachable";
    let module = |name: &str| {
        let body =
            |of: &str, else_: &str| if of == name { forever.to_owned() } else { else_.to_owned() };
        format!(
            "(module (memory (export \"memory\") 1) \
              (func (export \"_initialize\") {}) \
              (func (export \"alloc\") (param i32) (result i32) {}) \
              (func (export \"init\") (param i32 i32) (result i32) {}) \
              (func (export \"run\") (param i32 i32) (result i32) {}))",
            body("_initialize", ""),
            body("alloc", "i32.const 8"),
            body("init", "i32.const 0"),
            body("run", "i32.const 0")
        )
    };
    for name in ["_initialize", "alloc", "init", "run"] {
        let program = program(&module(name));
        let stop = soon();
        let ended = program.instance(data("data"), stop).and_then(|mut block| block.run(&[], "{}"));
        assert_eq!(ended, Err(Fault::Exhausted(Exhausted::Time)), "{name}");
    }
    let command = program(
        "(module (memory (export \"memory\") 1) (func (export \"_start\") (loop $l br $l)))",
    );
    let stop = soon();
    assert_eq!(
        command.instance(None, stop).unwrap().run(&[], "1"),
        Err(Fault::Exhausted(Exhausted::Time))
    );
    // Loops whose work is done by the engine or by the host.
    for code in [
        "i32.const 0 i32.const 1 i32.const 0x1000000 memory.fill",
        "i32.const 0 i32.const 0x1000000 call $random drop",
        "i32.const 1 i32.const 0 i32.const 0x200000 i32.const 0 call $write drop",
    ] {
        let wat = format!(
            "(module (import \"wasi_snapshot_preview1\" \"random_get\" (func $random (param i32 i32) (result i32))) \
              (import \"wasi_snapshot_preview1\" \"fd_write\" (func $write (param i32 i32 i32 i32) (result i32))) \
              (memory (export \"memory\") 256) (func (export \"run\") (param i32) (result i32) (loop $l {code} br $l) unreachable))"
        );
        let program = program(&wat);
        let stop = soon();
        let ended = program.instance(None, stop).unwrap().run(&[0.0], "");
        assert_eq!(ended, Err(Fault::Exhausted(Exhausted::Time)), "{code}");
    }
}

#[test]
fn a_block_has_one_instance_until_it_is_spent() {
    // Counts its calls; an argument of 99 traps, once the call was counted.
    let counting = "(module (global $n (mut i32) (i32.const 0)) (func (export \"_initialize\") i32.const 10 global.set $n) \
        (func (export \"run\") (param i32) (result i32) \
          global.get $n i32.const 1 i32.add global.set $n \
          local.get 0 i32.const 99 i32.eq if unreachable end global.get $n))";
    let counting = program(counting);
    let mut block = counting.instance(None, || false).unwrap();
    assert_eq!(block.run(&[0.0], ""), result("11"));
    assert_eq!(block.run(&[0.0], ""), result("12"));
    assert!(block.run(&[0.5], "").is_err());
    assert_eq!(block.run(&[0.0], ""), result("13"));
    assert_eq!(block.run(&[99.0], ""), error("trap: unreachable"));
    assert_eq!(block.run(&[0.0], ""), result("11"));
    assert_eq!(counting.instance(None, || false).unwrap().run(&[0.0], ""), result("11"));
}

/// A kernel of the JSON form that puts all at 1024, and gives `place`; its data is `data` at 16.
fn json(place: u32, data: &str) -> Program {
    program(&format!(
        "(module (memory (export \"memory\") 2) (data (i32.const 16) \"{data}\") \
          (func (export \"alloc\") (param i32) (result i32) i32.const 130000) \
          (func (export \"run\") (param i32 i32) (result i32) i32.const {place}))"
    ))
}

/// Bytes as the text format has them, behind their length.
fn sized(header: u32, bytes: &[u8]) -> String {
    let all = header.to_le_bytes().into_iter().chain(bytes.iter().copied());
    all.map(|byte| format!("\\{byte:02x}")).collect()
}

#[test]
fn results_of_the_json_form_are_read_by_one_rule() {
    assert_eq!(json(0, "").shape().form, Form::Json);
    assert_eq!(first(&json(0, ""), &[], "{}"), result("null"));
    let deep = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    let digits = format!("1.5{}", "0".repeat(40));
    for (text, expected) in [
        (&b"1"[..], result("1")),
        (b" { \"a\" : [ 1 , 2.50 ] }\n", result("{\"a\":[1,2.50]}")),
        (b"{\"a\":1,\"a\":2}", result("{\"a\":1,\"a\":2}")),
        (b"\"\\ud800\"", result("\"\\ud800\"")),
        (b"1e999", result("1e999")),
        (b"-0", result("-0")),
        (b"12345678901234567890", result("12345678901234567890")),
        (digits.as_bytes(), result("1.5")),
        ("\"ñ\"".as_bytes(), result("\"ñ\"")),
        (deep(100).as_bytes(), result(&deep(100))),
        (deep(101).as_bytes(), error("the result is not JSON")),
        (deep(20_000).as_bytes(), error("the result is not JSON")),
        (b"", error("the result is not JSON")),
        (b"1 2", error("the result is not JSON")),
        (b"NaN", error("the result is not JSON")),
        (b"{'a':1}", error("the result is not JSON")),
        (b"01", error("the result is not JSON")),
        (b"\"a\nb\"", error("the result is not JSON")),
        (b"\"\xff\"", error("the result is not JSON")),
        (b"\xef\xbb\xbf1", error("the result is not JSON")),
    ] {
        let text_shown = String::from_utf8_lossy(&text[..text.len().min(40)]);
        assert_eq!(
            first(&json(16, &sized(text.len() as u32, text)), &[], "{}"),
            expected,
            "{text_shown}"
        );
    }
    let string = |len: usize| format!("\"{}\"", "x".repeat(len - 2));
    for (len, expected) in
        [(65536, result(&string(65536))), (65537, error("the result is longer than 65536 bytes"))]
    {
        assert_eq!(
            first(&json(16, &sized(len as u32, string(len).as_bytes())), &[], "{}"),
            expected,
            "{len}"
        );
    }
    // Places and lengths outside memory, which has 131072 bytes.
    let outside = error("run gave a place outside memory");
    assert_eq!(first(&json(131_069, ""), &[], "{}"), outside);
    assert_eq!(first(&json(u32::MAX, ""), &[], "{}"), outside);
    assert_eq!(first(&json(131_068, ""), &[], "{}"), error("the result is not JSON"));
    assert_eq!(
        first(&json(16, &sized(200_000, b"")), &[], "{}"),
        error("the result is longer than 65536 bytes")
    );
    assert_eq!(first(&json(16, &sized(0x8002_0000, b"")), &[], "{}"), outside);
}

#[test]
fn a_kernel_s_own_errors_are_cut_and_printable() {
    let words =
        |bytes: &[u8]| first(&json(16, &sized((1 << 31) | bytes.len() as u32, bytes)), &[], "{}");
    assert_eq!(words(b"no such k"), error("no such k"));
    assert_eq!(words(b" a\nb\x1b[31m "), error("a\u{fffd}b\u{fffd}[31m"));
    assert_eq!(words(b"\xff!"), error("\u{fffd}!"));
    assert_eq!(words(b""), error("the kernel gave an error without words"));
    let long = words("ñ".repeat(40_000).as_bytes());
    assert_eq!(long, error(&format!("{}…", "ñ".repeat(499))));
}

#[test]
fn inputs_are_written_where_alloc_says() {
    // Gives its input back, as the text that it is.
    let echo = program(
        "(module (memory (export \"memory\") 1) (global $next (mut i32) (i32.const 100)) \
          (func (export \"alloc\") (param i32) (result i32) global.get $next i32.const 4 i32.add \
            global.get $next local.get 0 i32.add i32.const 8 i32.add global.set $next) \
          (func (export \"run\") (param i32 i32) (result i32) \
            local.get 0 i32.const 4 i32.sub local.get 1 i32.store local.get 0 i32.const 4 i32.sub))",
    );
    let mut block = echo.instance(None, || false).unwrap();
    for input in ["{\"k\":3}", "[]", "\"ñ\""] {
        assert_eq!(block.run(&[], input), result(input));
    }
    let alloc = |place: &str| {
        program(&format!(
            "(module (memory (export \"memory\") 1) (func (export \"alloc\") (param i32) (result i32) {place}) \
              (func (export \"run\") (param i32 i32) (result i32) i32.const 0))"
        ))
    };
    let outside = error("alloc gave a place outside memory");
    assert_eq!(first(&alloc("i32.const 65534"), &[], "{}"), result("null"));
    assert_eq!(first(&alloc("i32.const 65535"), &[], "{}"), outside);
    assert_eq!(first(&alloc("i32.const -1"), &[], "{}"), outside);
    assert_eq!(first(&alloc("unreachable"), &[], "{}"), error("trap: unreachable"));
}

#[test]
fn data_is_handed_over_once_an_instance() {
    // Sums its data in init; run gives the sum, or traps at 0; init fails of data that begins with "!".
    let summing = program(
        "(module (memory (export \"memory\") 1) (global $sum (mut i32) (i32.const 0)) \
          (func (export \"alloc\") (param i32) (result i32) i32.const 64) \
          (func (export \"init\") (param $at i32) (param $len i32) (result i32) \
            (block $done (loop $next (br_if $done (i32.eqz (local.get $len))) \
              (global.set $sum (i32.add (global.get $sum) (i32.load8_u (local.get $at)))) \
              (local.set $at (i32.add (local.get $at) (i32.const 1))) \
              (local.set $len (i32.sub (local.get $len) (i32.const 1))) (br $next))) \
            (i32.mul (i32.const 7) (i32.eq (i32.load8_u (i32.const 64)) (i32.const 33)))) \
          (func (export \"run\") (param i64) (result i32) \
            (if (i64.eqz (local.get 0)) (then unreachable)) \
            (global.set $sum (i32.add (global.get $sum) (i32.const 1))) (global.get $sum)))",
    );
    assert!(summing.shape().takes_data && matches!(summing.shape().form, Form::Numbers { .. }));
    let mut block = summing.instance(data("\x01\x02\x03"), || false).unwrap();
    assert_eq!(block.run(&[1.0], ""), result("7"));
    assert_eq!(block.run(&[1.0], ""), result("8"));
    assert_eq!(block.run(&[0.0], ""), error("trap: unreachable"));
    assert_eq!(block.run(&[1.0], ""), result("7"));
    // Without data nothing is called; of no bytes it is.
    assert_eq!(first(&summing, &[1.0], ""), result("1"));
    assert_eq!(summing.instance(data(""), || false).unwrap().run(&[1.0], ""), result("1"));
    assert_eq!(
        summing.instance(data("!"), || false).unwrap_err(),
        Fault::Error("init gave 7".to_owned())
    );
    let large = vec![0; 70_000];
    let outside = Fault::Error("alloc gave a place outside memory".to_owned());
    assert_eq!(summing.instance(Some(large.into()), || false).unwrap_err(), outside);
}

/// The functions of WASI, and a memory.
const WASI: &str = "(module \
    (import \"wasi_snapshot_preview1\" \"fd_write\" (func $write (param i32 i32 i32 i32) (result i32))) \
    (import \"wasi_snapshot_preview1\" \"fd_read\" (func $read (param i32 i32 i32 i32) (result i32))) \
    (import \"wasi_snapshot_preview1\" \"fd_fdstat_get\" (func $stat (param i32 i32) (result i32))) \
    (import \"wasi_snapshot_preview1\" \"fd_seek\" (func $seek (param i32 i64 i32 i32) (result i32))) \
    (import \"wasi_snapshot_preview1\" \"fd_close\" (func $close (param i32) (result i32))) \
    (import \"wasi_snapshot_preview1\" \"fd_prestat_get\" (func $prestat (param i32 i32) (result i32))) \
    (import \"wasi_snapshot_preview1\" \"path_open\" (func $open (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32))) \
    (import \"wasi_snapshot_preview1\" \"clock_time_get\" (func $clock (param i32 i64 i32) (result i32))) \
    (import \"wasi_snapshot_preview1\" \"clock_res_get\" (func $resolution (param i32 i32) (result i32))) \
    (import \"wasi_snapshot_preview1\" \"random_get\" (func $random (param i32 i32) (result i32))) \
    (import \"wasi_snapshot_preview1\" \"args_sizes_get\" (func $args (param i32 i32) (result i32))) \
    (import \"wasi_snapshot_preview1\" \"sched_yield\" (func $yield (result i32))) \
    (import \"wasi_snapshot_preview1\" \"proc_exit\" (func $exit (param i32))) \
    (import \"env\" \"abort\" (func $abort (param i32 i32 i32 i32))) \
    (import \"env\" \"seed\" (func $seed (result f64))) \
    (memory (export \"memory\") 3) ";

/// Writes bytes at 1024 to a file, as a command does.
fn writing(file: u32, bytes: &[u8], behind: &str) -> String {
    let data: String = bytes.iter().map(|byte| format!("\\{byte:02x}")).collect();
    let list = sized(1024, &(bytes.len() as u32).to_le_bytes());
    format!(
        "{WASI} (data (i32.const 1024) \"{data}\") (data (i32.const 16) \"{list}\") \
         (func (export \"_start\") i32.const {file} i32.const 16 i32.const 1 i32.const 8 call $write drop {behind}))"
    )
}

fn command(wat: &str, input: &str) -> Result<String, Fault> {
    let program = program(wat);
    assert_eq!(program.shape().form, Form::Command);
    first(&program, &[], input)
}

#[test]
fn a_command_s_line_is_json_or_a_string() {
    for (line, expected) in [
        (&b"42\n"[..], result("42")),
        (b"42", result("42")),
        (b"{\"a\": 1}\r\n", result("{\"a\":1}")),
        (b"[1,\n2]\n", result("[1,2]")),
        (b"hello, \"world\"\n", result("\"hello, \\\"world\\\"\"")),
        (b"two\nlines\n\n", result("\"two\\nlines\\n\"")),
        (b"", result("\"\"")),
        (b"\n", result("\"\"")),
        (b"NaN\n", result("\"NaN\"")),
        (b"\xff\n", result("\"\u{fffd}\"")),
    ] {
        assert_eq!(command(&writing(1, line, ""), "{}"), expected, "{line:?}");
    }
    let exact = [vec![b'7'; 65536], b"\r\n".to_vec()].concat();
    assert!(command(&writing(1, &exact, ""), "{}").is_ok());
    for long in
        [vec![b'7'; 65537], vec![b'x'; 70_000], [vec![b'7'; 65537], b"\n".to_vec()].concat()]
    {
        assert_eq!(
            command(&writing(1, &long, ""), "{}"),
            error("the result is longer than 65536 bytes")
        );
    }
}

#[test]
fn a_command_that_fails_says_why() {
    let exit = |code: u32| format!("i32.const {code} call $exit");
    assert_eq!(command(&writing(1, b"7", &exit(0)), "{}"), result("7"));
    assert_eq!(command(&writing(1, b"7", &exit(3)), "{}"), error("exit code 3"));
    assert_eq!(
        command(&writing(2, b"first\nlast words\n \n", &exit(1)), "{}"),
        error("last words")
    );
    assert_eq!(command(&writing(2, b"only a warning", ""), "{}"), result("\"\""));
    assert_eq!(command(&writing(2, b"panicked", "unreachable"), "{}"), error("trap: unreachable"));
    let long = [vec![b'x'; 10_000], b"\nend\n".to_vec()].concat();
    assert_eq!(command(&writing(2, &long, &exit(1)), "{}"), error("end"));
    assert_eq!(command(&writing(7, b"7", ""), "{}"), result("\"\""));
}

#[test]
fn a_command_reads_its_input_and_begins_anew_each_time() {
    // Reads into two buffers of 3 and 1000 bytes, writes what it read, and counts in memory that is not kept.
    let echo = format!(
        "{WASI} (data (i32.const 16) \"{}{}\") \
          (func (export \"_start\") \
            (i32.store (i32.const 64) (i32.add (i32.load (i32.const 64)) (i32.const 1))) \
            (if (i32.ne (i32.load (i32.const 64)) (i32.const 1)) (then unreachable)) \
            (drop (call $read (i32.const 0) (i32.const 16) (i32.const 2) (i32.const 32))) \
            (i32.store (i32.const 28) (i32.sub (i32.load (i32.const 32)) (i32.const 3))) \
            (drop (call $write (i32.const 1) (i32.const 16) (i32.const 2) (i32.const 36))) \
            (if (i32.ne (i32.load (i32.const 36)) (i32.load (i32.const 32))) (then unreachable)) \
            (drop (call $read (i32.const 0) (i32.const 16) (i32.const 2) (i32.const 32))) \
            (if (i32.load (i32.const 32)) (then unreachable))))",
        sized(1024, &3u32.to_le_bytes()),
        sized(2048, &1000u32.to_le_bytes())
    );
    let echo = program(&echo);
    let mut block = echo.instance(None, || false).unwrap();
    for input in ["{\"n\":27}", "[1,2,3]"] {
        assert_eq!(block.run(&[], input), result(input));
    }
}

#[test]
fn stubs_are_the_same_everywhere() {
    let run = |code: &str| {
        let wat = format!("{WASI} (func (export \"run\") (param i32) (result i64) {code}))");
        numbers(&wat, &[0.0])
    };
    let extended = |code: &str| run(&format!("{code} i64.extend_i32_u"));
    for (code, expected) in [
        ("i32.const 0 i32.const 0 call $prestat", "8"),
        ("i32.const 3 i32.const 64 call $stat", "8"),
        ("i32.const 1 i32.const 64 call $stat", "0"),
        ("i32.const 1 i32.const 196600 call $stat", "21"),
        ("i32.const 0 i64.const 0 i32.const 0 i32.const 0 call $seek", "70"),
        ("i32.const 3 i64.const 0 i32.const 0 i32.const 0 call $seek", "8"),
        ("i32.const 2 call $close", "0"),
        ("i32.const 3 call $close", "8"),
        ("call $yield", "0"),
        (
            "i32.const 3 i32.const 0 i32.const 0 i32.const 0 i32.const 0 i64.const 0 i64.const 0 i32.const 0 i32.const 0 call $open",
            "52",
        ),
        ("i32.const 0 i32.const 1 i32.const 0 i32.const 0 call $write", "8"),
        ("i32.const 1 i32.const 0 i32.const 0 i32.const 0 call $read", "8"),
        ("i32.const 1 i32.const 196604 i32.const 1 i32.const 0 call $write", "21"),
        ("i32.const 1 i32.const 0 i32.const -1 i32.const 0 call $write", "21"),
        ("i32.const 1 i32.const 0 i32.const 0 i32.const 196605 call $write", "21"),
        ("i32.const 8 i32.const 196607 call $args", "21"),
        ("i32.const 196607 i32.const 2 call $random", "21"),
        (
            "i32.const 8 i32.const 4 i32.store i32.const 8 i32.const -1 i32.store offset=4 i32.const 1 i32.const 8 i32.const 1 i32.const 0 call $write",
            "21",
        ),
    ] {
        assert_eq!(extended(code), result(expected), "{code}");
    }
    // The buffers of a list may be more than any length: 30000 times the whole memory.
    let many = "(loop $l (i64.store (i32.shl (local.get 0) (i32.const 3)) (i64.const 0x0003000000000000)) \
        (br_if $l (i32.lt_u (local.tee 0 (i32.add (local.get 0) (i32.const 1))) (i32.const 24576)))) \
        i32.const 1 i32.const 0 i32.const 24576 i32.const 0 call $write i64.extend_i32_u";
    assert_eq!(run(many), result("28"));
    assert_eq!(
        run("i32.const 0 i64.const 0 i32.const 64 call $clock drop i32.const 64 i64.load"),
        result("0")
    );
    assert_eq!(
        run("i32.const 0 i32.const 64 call $resolution drop i32.const 64 i64.load"),
        result("1")
    );
    assert_eq!(run("call $seed i64.reinterpret_f64"), result(&1f64.to_bits().to_string()));
    assert_eq!(run("i32.const 1 i32.const 64 call $stat drop i32.const 64 i64.load"), result("2"));
    assert_eq!(run("i32.const 0 i32.const 64 call $stat drop i32.const 72 i64.load"), result("2"));
    assert_eq!(run("i32.const 2 i32.const 64 call $stat drop i32.const 72 i64.load"), result("64"));
    // SplitMix64 from 0: the published first and third words. A call that wants 3 bytes uses a word up.
    let first = (0xe220_a839_7b1d_cdafu64 as i64).to_string();
    let third = (0x06c4_5d18_8009_454fu64 as i64).to_string();
    assert_eq!(
        run("i32.const 64 i32.const 8 call $random drop i32.const 64 i64.load"),
        result(&first)
    );
    assert_eq!(
        run(
            "i32.const 64 i32.const 11 call $random drop i32.const 64 i32.const 8 call $random drop i32.const 64 i64.load"
        ),
        result(&third)
    );
    // Outside of commands an exit is an error, whatever its code, and output goes nowhere.
    assert_eq!(run("i32.const 0 call $exit i64.const 0"), error("exit code 0"));
    assert_eq!(run("i32.const -1 call $exit i64.const 0"), error("exit code -1"));
}

#[test]
fn assemblyscript_s_abort_is_read() {
    let text = |text: &str| {
        let units: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
        sized(units.len() as u32, &units)
    };
    let run = |message: u32, file: u32| {
        let wat = format!(
            "{WASI} (data (i32.const 64) \"{}\") (data (i32.const 256) \"{}\") (data (i32.const 512) \"{}\") \
             (data (i32.const 4096) \"{}\") \
             (func (export \"run\") (param i32) (result i32) \
               i32.const {message} i32.const {file} i32.const 12 i32.const 3 call $abort i32.const 0))",
            text("índice fuera"),
            text("assembly/index.ts"),
            sized(4, &[0x00, 0xd8, 0x41, 0x00]),
            text(&"x".repeat(2000)),
        );
        numbers(&wat, &[0.0])
    };
    assert_eq!(run(68, 260), error("abort: índice fuera at assembly/index.ts:12:3"));
    assert_eq!(run(0, 0), error("abort: no message at unknown file:12:3"));
    assert_eq!(run(3, 196_610), error("abort: no message at unknown file:12:3"));
    assert_eq!(run(516, 260), error("abort: \u{fffd}A at assembly/index.ts:12:3"));
    let long = run(4100, 260);
    assert!(matches!(long, Err(Fault::Error(words)) if words.chars().count() == 500));
}

#[test]
fn stubs_and_limits_are_noted() {
    let notes = |wat: &str| normalise(&wat::parse_str(wat).unwrap()).unwrap().notes;
    let run = "(func (export \"run\") (param i32) (result i32) local.get 0)";
    assert_eq!(notes(&format!("(module {run})")), Vec::<String>::new());
    assert_eq!(
        notes(&format!("(module (memory 1 65536) {run})")),
        ["the memory grows to 256 MiB at most; the module says 4096 MiB"]
    );
    let wasi = notes(&format!("{WASI} {run})"));
    assert!(wasi.contains(&"clock_time_get: the clock stands at 0".to_owned()), "{wasi:?}");
    assert!(wasi.contains(&"random_get: the same in every instance".to_owned()), "{wasi:?}");
    assert_eq!(wasi.last().unwrap(), "not there (ENOSYS): path_open");
    let pair = notes(
        "(module (memory (export \"memory\") 1) (func (export \"run\") (param i32 i32) (result i32) local.get 0))",
    );
    assert!(pair[0].contains("also needs alloc"), "{pair:?}");
}
