//! Kernels: WebAssembly modules that people bring, made such that every engine computes the same bits.
//!
//! A module is read once, when it is added: [`normalise`](fn@normalise) refuses what engines do differently,
//! writes the rest anew, and says of which form it is. What comes out is known by its SHA-256, and is what
//! every host computes with. [`host`] is the host outside of browsers; its documentation is the contract of
//! all hosts. [`result`] is what every host does with what a kernel gives, and needs no engine.

#[cfg(feature = "host")]
pub mod host;
#[cfg(feature = "normalise")]
mod normalise;
#[cfg(feature = "normalise")]
mod refused;
pub mod result;
mod shape;

#[cfg(feature = "normalise")]
pub use normalise::{Normalised, normalise, sha256, shape};
#[cfg(feature = "normalise")]
pub use refused::Refused;
pub use shape::{Form, KernelParam, Shape, ValueType};

/// The largest module, in bytes, as it comes and as it is normalised: design and messages count on it, and
/// an interpreter of Python fits with room to spare.
pub const MODULE_BYTES_MAX: usize = 4 * 1024 * 1024;

/// The most memory of an instance, in pages of 64 KiB: 256 MiB, so that a phone can lend it.
pub const MEMORY_PAGES_MAX: u64 = 4096;

/// The most entries of a table. Engines stop at different numbers, all above this.
pub const TABLE_ENTRIES_MAX: u64 = 65_536;

/// The longest shared data of a job, in bytes.
pub const DATA_BYTES_MAX: usize = 16 * 1024 * 1024;

/// The custom section in which a kernel says what its parameters are.
pub const PARAMS_SECTION: &str = "tequio.params";

/// The longest of these sections, in bytes.
pub const PARAMS_SECTION_BYTES_MAX: usize = 16 * 1024;

/// The exported global that is 1 after a `memory.grow` failed for want of memory.
pub const EXHAUSTED_GLOBAL: &str = "tequio.exhausted";
