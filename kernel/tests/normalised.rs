//! What is in a module that was normalised, and what its shape says.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers as well")]

use tequio_kernel::{Form, KernelParam, Normalised, Shape, ValueType, normalise};
use wasmparser::{ElementKind, Parser, Payload};

fn normalised(wat: &str) -> Normalised {
    let normalised = normalise(&wat::parse_str(wat).unwrap()).unwrap();
    let again = normalise(&normalised.bytes).unwrap();
    assert_eq!(
        (&again.bytes, &again.sha256, &again.shape),
        (&normalised.bytes, &normalised.sha256, &normalised.shape)
    );
    normalised
}

/// The exports, the names of custom sections, and the maximum of the memory.
fn parts(bytes: &[u8]) -> (Vec<String>, Vec<String>, Option<u64>) {
    let (mut exports, mut customs, mut maximum) = (Vec::new(), Vec::new(), None);
    for payload in Parser::new(0).parse_all(bytes) {
        match payload.unwrap() {
            Payload::ExportSection(section) => {
                exports.extend(section.into_iter().map(|export| export.unwrap().name.to_owned()));
            }
            Payload::CustomSection(section) => customs.push(section.name().to_owned()),
            Payload::MemorySection(section) => {
                maximum = section.into_iter().next().unwrap().unwrap().maximum;
            }
            _ => {}
        }
    }
    (exports, customs, maximum)
}

const RUN: &str = "(func (export \"run\") (param f64 i64) (result f64) local.get 0)";

#[test]
fn only_what_hosts_use_is_kept() {
    let all = format!(
        "(module $named (@producers (language \"Rust\" \"1\")) (memory (export \"memory\") 1 9) \
          (global (export \"__heap_base\") i32 (i32.const 1024)) (table (export \"t\") 1 funcref) \
          (func $helper (export \"helper\")) {RUN} (func (export \"_initialize\")) \
          (func (export \"alloc\") (param i32) (result i32) local.get 0))"
    );
    let (exports, customs, maximum) = parts(&normalised(&all).bytes);
    assert_eq!(exports, ["memory", "run", "_initialize"]);
    assert_eq!((customs, maximum), (Vec::new(), Some(9)));
    let data = all.replace(
        "(func $helper",
        "(func (export \"init\") (param i32 i32) (result i32) i32.const 0) (func $helper",
    );
    assert_eq!(
        parts(&normalised(&data).bytes).0,
        ["memory", "init", "run", "_initialize", "alloc"]
    );
    let command = "(module (memory (export \"memory\") 1) (func (export \"_start\")) (func (export \"alloc\") (param i32) (result i32) local.get 0))";
    assert_eq!(parts(&normalised(command).bytes).0, ["memory", "_start"]);
    // Names, debug information and other names of exports make no other kernel.
    let bare = format!("(module (memory (export \"memory\") 1) {RUN})");
    let dressed = format!(
        "(module (memory (export \"memory\") 1) {} (@custom \"x\" \"y\"))",
        RUN.replace("(func", "(func $f (export \"g\")")
    );
    assert_eq!(normalised(&bare).sha256, normalised(&dressed).sha256);
}

#[test]
fn memory_and_tables_have_a_maximum_that_all_engines_have() {
    for (declared, maximum) in
        [("1", 4096), ("1 3", 3), ("1 65536", 4096), ("0 0", 0), ("4096", 4096)]
    {
        let (_, _, written) =
            parts(&normalised(&format!("(module (memory {declared}) {RUN})")).bytes);
        assert_eq!(written, Some(maximum), "{declared}");
    }
    normalised(&format!("(module (table 1 0xffffffff funcref) {RUN})"));
}

#[test]
fn the_global_is_there_where_memory_grows() {
    let grows = format!(
        "(module (memory (export \"memory\") 1) (func (result i32) i32.const 1 memory.grow) {RUN})"
    );
    let (exports, ..) = parts(&normalised(&grows).bytes);
    assert_eq!(exports, ["memory", "run", "tequio.exhausted"]);
    // In unreachable code too, and beside a type that is there already.
    normalised(&grows.replace(
        "(func (result i32)",
        "(type (func (param i32) (result i32))) (func (result i32) unreachable",
    ));
}

#[test]
fn functions_that_only_an_export_declared_stay_declared() {
    let wat = format!(
        "(module (func $f (export \"f\")) (func (result i32) ref.func $f ref.is_null) {RUN})"
    );
    let bytes = normalised(&wat).bytes;
    let declares = Parser::new(0).parse_all(&bytes).any(|payload| match payload.unwrap() {
        Payload::ElementSection(section) => section
            .into_iter()
            .any(|element| matches!(element.unwrap().kind, ElementKind::Declared)),
        _ => false,
    });
    assert!(declares);
}

#[test]
fn parameters_are_as_the_module_names_them() {
    let param = |name: &str, kind, default: Option<&str>, help: Option<&str>| KernelParam {
        name: name.to_owned(),
        kind,
        default: default.map(str::to_owned),
        help: help.map(str::to_owned),
    };
    let form =
        Form::Numbers { params: vec![ValueType::F64, ValueType::I64], result: ValueType::F64 };
    let plain = normalised(&format!("(module {RUN})"));
    let params = vec![
        param("p1", Some(ValueType::F64), None, None),
        param("p2", Some(ValueType::I64), None, None),
    ];
    assert_eq!(plain.shape, Shape { form: form.clone(), params, takes_data: false });
    let json = r#" [{"help":"real part","name":"re","default":"-2..=1:0.01"},\n{"name":"n_2","default":1.5}]\00"#;
    let section =
        |json: &str| format!("(@custom \"tequio.params\" \"{}\")", json.replace('"', "\\\""));
    let named = normalised(&format!("(module {} {RUN})", section(json)));
    let params = vec![
        param("re", Some(ValueType::F64), Some("-2..=1:0.01"), Some("real part")),
        param("n_2", Some(ValueType::I64), Some("1.5"), None),
    ];
    assert_eq!(named.shape, Shape { form, params, takes_data: false });
    assert_eq!(parts(&named.bytes).1, ["tequio.params"]);
    // One way to write it, one kernel.
    let other = r#"[{"name":"re","default":"-2..=1:0.01","help":"real part"},{"name":"n_2","default":"1.5"}]"#;
    assert_eq!(normalised(&format!("(module {} {RUN})", section(other))).sha256, named.sha256);
    assert_ne!(plain.sha256, named.sha256);
    // Other forms take what the module names, or anything.
    let command = format!(
        "(module {} (func (export \"_start\")))",
        section(r#"[{"name":"k","default":"0..9"}]"#)
    );
    assert_eq!(normalised(&command).shape.params, [param("k", None, Some("0..9"), None)]);
    assert_eq!(normalised("(module (func (export \"_start\")))").shape.params, []);
    let text = serde_json::to_string(&named.shape).unwrap();
    assert_eq!(serde_json::from_str::<Shape>(&text).unwrap(), named.shape);
    assert_eq!(
        text,
        r#"{"form":{"numbers":{"params":["f64","i64"],"result":"f64"}},"params":[{"name":"re","kind":"f64","default":"-2..=1:0.01","help":"real part"},{"name":"n_2","kind":"i64","default":"1.5"}],"takes_data":false}"#
    );
}

#[test]
fn a_kernel_s_name_does_not_change() {
    let wat = format!(
        "(module (memory 1) (func (param f32) i32.const 0 local.get 0 f32.store i32.const 1 memory.grow drop) {RUN})"
    );
    let normalised = normalised(&wat);
    assert_eq!(
        normalised.sha256, "ca343549bcdcc551e9342833756893666fa6556c2f175e5600f9621ac796f3f2",
        "the server would not know the kernels of its jobs again"
    );
}
