//! A Tequio worker.
//!
//! [`worker`] is the whole behaviour, as a state machine that does no I/O, reads no clock and
//! draws no randomness: a shell feeds it events and carries out the actions that it returns. The
//! shell for browsers is `web`, which exists on wasm32 alone; `tequio work` is another.

pub mod backoff;
#[cfg(test)]
mod bench;
pub mod digest;
mod pace;
mod sent;
mod sizing;
mod tabs;
#[cfg(target_arch = "wasm32")]
pub mod web;
mod work;
pub mod worker;
