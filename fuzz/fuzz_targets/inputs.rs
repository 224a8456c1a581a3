#![no_main]

#[allow(dead_code, reason = "each target calls one of its checks")]
#[path = "../../protocol/tests/decoding/mod.rs"]
mod decoding;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    decoding::inputs(bytes);
});
