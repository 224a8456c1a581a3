//! What an engine does for a host: the only part of a host that there is once for each engine.

use super::Fault;
use super::wasi::{Ended, State};
use crate::shape::ValueType;
use std::sync::Arc;

/// Says whether time is up.
pub(super) type Stop = Arc<dyn Fn() -> bool + Send + Sync>;

/// An instance in an engine.
pub(super) trait Machine: Sized {
    /// A module that is compiled, with everything that it may import.
    type Code;
    /// A function that is exported.
    type Function: Copy;
    /// A value as the engine has it.
    type Value: Clone;

    /// Makes an instance, and calls nothing.
    ///
    /// `stop` is asked every few milliseconds in each call.
    fn new(code: &Self::Code, stdin: Vec<u8>, stop: Stop) -> Result<Self, Fault>;

    /// The function that is exported by this name.
    fn function(&mut self, name: &str) -> Option<Self::Function>;

    /// The memory that is exported as `memory`: no bytes where there is none.
    fn memory(&mut self) -> &mut [u8];

    /// What it has beside its memory.
    fn state(&self) -> &State;

    /// A number that fits, as the module takes it. A NaN is the canonical one.
    fn value(ty: ValueType, number: f64) -> Self::Value;

    /// A number that the module gave.
    fn number(value: &Self::Value) -> Given;

    /// Calls a function, with arguments and as many results as its type says. Gives `None` where it returned.
    ///
    /// After anything else but `Ok(None)` nobody knows what state the instance is in.
    fn call(
        &mut self,
        function: Self::Function,
        args: &[Self::Value],
        results: &mut [Self::Value],
    ) -> Result<Option<Ended>, Fault>;
}

/// What our own functions, which modules import, see of the instance that calls them.
pub(super) trait Caller {
    /// The memory that is exported, and the rest. No memory is one of no bytes.
    fn parts(&mut self) -> (&mut [u8], &mut State);

    /// Takes what work for the module costs off what it may compute until the clock is looked at: an
    /// instruction, or 64 bytes that are moved, are 1.
    fn charge(&mut self, cost: u64);
}

/// A number that a module gave.
#[derive(Clone, Copy, Debug)]
pub(super) enum Given {
    /// An `i32` or an `i64`.
    Integer(i64),
    /// An `f32`, widened, or an `f64`.
    Float(f64),
}
