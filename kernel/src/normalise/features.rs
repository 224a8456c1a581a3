//! Which parts of WebAssembly a kernel may use, and how the others are named to people.

use crate::refused::Refused;
use wasmparser::{AbstractHeapType, HeapType, Operator, RefType, ValType, WasmFeatures};

/// What every engine that people have knows, and does in the same way.
pub(super) const ALLOWED: WasmFeatures = WasmFeatures::FLOATS
    .union(WasmFeatures::MUTABLE_GLOBAL)
    .union(WasmFeatures::SIGN_EXTENSION)
    .union(WasmFeatures::SATURATING_FLOAT_TO_INT)
    .union(WasmFeatures::BULK_MEMORY)
    .union(WasmFeatures::MULTI_VALUE)
    .union(WasmFeatures::REFERENCE_TYPES)
    .union(WasmFeatures::TAIL_CALL)
    .union(WasmFeatures::EXTENDED_CONST);

/// A part of WebAssembly that a kernel may not use.
#[derive(Clone, Copy, Debug)]
pub(super) struct Feature {
    name: &'static str,
    advice: &'static str,
}

impl Feature {
    pub(super) const SIMD: Feature = Feature {
        name: "SIMD",
        advice: "compile without -msimd128 (Rust: without -C target-feature=+simd128)",
    };
    pub(super) const RELAXED_SIMD: Feature =
        Feature { name: "relaxed SIMD", advice: "compile without -mrelaxed-simd" };
    pub(super) const THREADS: Feature = Feature {
        name: "threads and shared memory",
        advice: "compile without -pthread and -matomics",
    };
    pub(super) const EXCEPTIONS: Feature = Feature {
        name: "exceptions",
        advice: "compile with -fno-exceptions (Rust: -C panic=abort)",
    };
    pub(super) const GC: Feature =
        Feature { name: "GC", advice: "use a language that manages memory by itself" };
    pub(super) const FUNCTION_REFERENCES: Feature =
        Feature { name: "typed function references", advice: "call through the table" };
    pub(super) const HOST_REFERENCES: Feature =
        Feature { name: "references to the host's values", advice: "use numbers and memory only" };
    pub(super) const MEMORY64: Feature = Feature { name: "memory64", advice: "compile for wasm32" };
    pub(super) const PAGE_SIZES: Feature =
        Feature { name: "pages of other sizes", advice: "use pages of 64 KiB" };
    pub(super) const TABLE_GROW: Feature =
        Feature { name: "table.grow", advice: "declare the table as large as it has to be" };

    fn other(name: &'static str) -> Feature {
        Feature { name, advice: "compile without it" }
    }

    /// The refusal of a module that uses it at `place`.
    pub(super) fn refused(self, place: impl std::fmt::Display) -> Refused {
        let Feature { name, advice } = self;
        Refused::new("feature", format!("kernels cannot use {name} ({place}): {advice}"))
    }
}

/// The feature that an instruction needs and no kernel may use.
pub(super) fn of_operator(operator: &Operator<'_>) -> Option<Feature> {
    if let Operator::TableGrow { .. } = operator {
        return Some(Feature::TABLE_GROW);
    }
    match proposal(operator) {
        "mvp" | "sign_extension" | "saturating_float_to_int" | "bulk_memory" | "tail_call" => None,
        "reference_types" => of_reference_operator(operator),
        "simd" => Some(Feature::SIMD),
        "relaxed_simd" => Some(Feature::RELAXED_SIMD),
        "threads" => Some(Feature::THREADS),
        "exceptions" | "legacy_exceptions" => Some(Feature::EXCEPTIONS),
        "gc" => Some(Feature::GC),
        "function_references" => Some(Feature::FUNCTION_REFERENCES),
        other => Some(Feature::other(other)),
    }
}

fn of_reference_operator(operator: &Operator<'_>) -> Option<Feature> {
    match operator {
        Operator::TypedSelect { ty } => of_type(*ty),
        Operator::RefNull { hty } => of_heap_type(*hty),
        _ => None,
    }
}

/// The feature that a type needs and no kernel may use.
pub(super) fn of_type(ty: ValType) -> Option<Feature> {
    match ty {
        ValType::I32 | ValType::I64 | ValType::F32 | ValType::F64 => None,
        ValType::V128 => Some(Feature::SIMD),
        ValType::Ref(RefType::FUNCREF) => None,
        ValType::Ref(reference) => {
            Some(of_heap_type(reference.heap_type()).unwrap_or(Feature::FUNCTION_REFERENCES))
        }
    }
}

fn of_heap_type(ty: HeapType) -> Option<Feature> {
    use AbstractHeapType::{Exn, Extern, Func, NoExn, NoExtern};
    match ty {
        HeapType::Abstract { shared: true, .. } => Some(Feature::THREADS),
        HeapType::Abstract { ty: Func, .. } => None,
        HeapType::Abstract { ty: Extern | NoExtern, .. } => Some(Feature::HOST_REFERENCES),
        HeapType::Abstract { ty: Exn | NoExn, .. } => Some(Feature::EXCEPTIONS),
        HeapType::Abstract { .. } => Some(Feature::GC),
        HeapType::Concrete(_) | HeapType::Exact(_) => Some(Feature::FUNCTION_REFERENCES),
    }
}

/// The name of the proposal that brought an instruction.
fn proposal(operator: &Operator<'_>) -> &'static str {
    macro_rules! names {
        ($( @$proposal:ident $op:ident $({ $($arg:ident: $argty:ty),* })? => $visit:ident ($($ann:tt)*) )*) => {
            match operator {
                $( Operator::$op { .. } => stringify!($proposal), )*
                _ => "an unknown instruction",
            }
        };
    }
    wasmparser::for_each_operator!(names)
}
