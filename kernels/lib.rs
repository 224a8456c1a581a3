//! The kernels that Tequio brings. Each file is one, and is compiled by itself: `rustc` makes a few kilobytes of
//! WebAssembly of it (see `xtask/src/kernels.rs`). Here they are modules of one crate, so that `cargo test` tests
//! what they compute.

#![allow(clippy::duplicate_mod, reason = "each kernel has its own copy of what it needs")]
#![allow(dead_code, reason = "nothing but tests calls a kernel here")]

mod align;
#[path = "collatz-kernel.rs"]
mod collatz_kernel;
mod ep;
mod mandelbrot;
mod pi;
mod search;
mod sir;

#[cfg(test)]
mod tests {
    use serde_json::Value;

    #[test]
    fn each_kernel_names_its_parameters() {
        for (params, names) in [
            (super::align::PARAMS, "n"),
            (super::collatz_kernel::PARAMS, "n"),
            (super::ep::PARAMS, "k"),
            (super::mandelbrot::PARAMS, "re im"),
            (super::pi::PARAMS, "block"),
            (super::search::PARAMS, "n"),
            (super::sir::PARAMS, "beta gamma i0 days"),
        ] {
            let params: Vec<Value> = serde_json::from_slice(params).unwrap();
            let named: Vec<_> =
                params.iter().map(|param| param["name"].as_str().unwrap()).collect();
            assert_eq!(named.join(" "), names);
            assert!(params.iter().all(|param| param["help"].is_string()), "{names}");
        }
    }
}
