//! An instance in wasmi: its calls, and what they end with.

use super::wasi::{Ended, State};
use super::{Exhausted, Fault};
use crate::EXHAUSTED_GLOBAL;
use crate::result::{self, RESULT_BYTES_MAX, Trap};
use crate::shape::ValueType;
use std::ops::Range;
use tequio_protocol::outcome::Outcome;
use wasmi::errors::{ErrorKind, InstantiationError};
use wasmi::{Error, Func, Global, Linker, Memory, Module, ResumableCall, Store, TrapCode, Val};

/// How much is computed at a stretch, in the engine's fuel: an instruction is 1, as are 64 bytes that are moved.
/// It is little, because the engine's instructions call each other in tail position: were one of them not
/// compiled as a jump, the stack of the thread would grow at each, but only so often.
const FUEL: u64 = 16_384;

/// How much is computed between two questions whether time is up: some milliseconds.
const FUEL_UNASKED_MAX: u64 = 1_000_000;

/// An instance, with what hosts call and read of it.
pub(super) struct Live {
    store: Store<State>,
    instance: wasmi::Instance,
    run: Option<Func>,
    alloc: Option<Func>,
    memory: Option<Memory>,
    exhausted: Option<Global>,
    /// Kept for what they hold.
    args: Vec<Val>,
    /// What was computed since the last question whether time is up.
    unasked: u64,
    is_spent: bool,
}

impl Live {
    pub(super) fn new(
        module: &Module,
        linker: &Linker<State>,
        stdin: Vec<u8>,
    ) -> Result<Live, Fault> {
        let mut store = Store::new(linker.engine(), State::new(stdin));
        fuel(&mut store, FUEL);
        let made = linker.instantiate_and_start(&mut store, module);
        let instance = made.map_err(|error| fault_of(&error))?;
        let memory = instance.get_memory(&store, "memory");
        store.data_mut().memory = memory;
        Ok(Live {
            run: instance.get_func(&store, "run").or_else(|| instance.get_func(&store, "_start")),
            alloc: instance.get_func(&store, "alloc"),
            memory,
            exhausted: instance.get_global(&store, EXHAUSTED_GLOBAL),
            instance,
            store,
            args: Vec::new(),
            unasked: 0,
            is_spent: false,
        })
    }

    /// Whether a call did not return, so that nobody knows what state it is in.
    pub(super) fn is_spent(&self) -> bool {
        self.is_spent
    }

    pub(super) fn initialize(
        &mut self,
        data: Option<&[u8]>,
        stop: &dyn Fn() -> bool,
    ) -> Result<(), Fault> {
        if let Some(initialize) = self.instance.get_func(&self.store, "_initialize") {
            self.call(initialize, &[], &mut [], stop)?;
        }
        let init = self.instance.get_func(&self.store, "init");
        if let (Some(init), Some(data)) = (init, data) {
            let [place, len] = self.hand_over(data, stop)?;
            match self.call_for_integer(init, &[place, len], stop)? {
                0 => {}
                code => return Err(Fault::Error(result::of_init(code))),
            }
        }
        Ok(())
    }

    /// A task of the numbers form, whose values are checked.
    pub(super) fn numbers(
        &mut self,
        params: &[ValueType],
        args: &[f64],
        stop: &dyn Fn() -> bool,
    ) -> Result<String, Fault> {
        let mut given = std::mem::take(&mut self.args);
        given.clear();
        given.extend(params.iter().zip(args).map(|(ty, value)| argument(*ty, *value)));
        let mut results = [Val::I32(0)];
        let called = self.call(self.run(), &given, &mut results, stop);
        self.args = given;
        called?;
        Ok(match &results[0] {
            Val::I32(value) => result::of_integer(i64::from(*value)),
            Val::I64(value) => result::of_integer(*value),
            Val::F32(value) => result::of_float(f64::from(f32::from_bits(value.to_bits()))),
            Val::F64(value) => result::of_float(f64::from_bits(value.to_bits())),
            other => unreachable!("the shape says that run gives a number, not {other:?}"),
        })
    }

    /// A task of the JSON form.
    pub(super) fn json(&mut self, input: &str, stop: &dyn Fn() -> bool) -> Result<String, Fault> {
        let given = self.hand_over(input.as_bytes(), stop)?;
        let place = self.call_for_integer(self.run(), &given, stop)? as u32;
        if place == 0 {
            return Ok("null".to_owned());
        }
        let memory = self.memory().data(&self.store);
        let outside = || Fault::Error(result::RESULT_OUTSIDE.to_owned());
        let header = memory.get(range(place, 4)).ok_or_else(outside)?;
        let header = u32::from_le_bytes(header.try_into().expect("4 bytes"));
        let len = header & !result::ERROR_BIT;
        if header == len && len as usize > RESULT_BYTES_MAX {
            return Err(Fault::Error(result::too_long()));
        }
        let behind = range(place, 4).end;
        let bytes = memory.get(behind..behind + len as usize).ok_or_else(outside)?;
        if header == len {
            of(result::of_json(bytes))
        } else {
            Err(Fault::Error(result::of_error(bytes)))
        }
    }

    /// The task of a command.
    pub(super) fn command(mut self, stop: &dyn Fn() -> bool) -> Result<String, Fault> {
        let code = match self.call_or_end(self.run(), &[], &mut [], stop)? {
            None => 0,
            Some(Ended::Exit(code)) => code,
            Some(Ended::Abort(words)) => return Err(Fault::Error(words)),
        };
        let State { stdout, stderr, .. } = self.store.data();
        of(result::of_command(code, stdout, stderr))
    }

    /// Asks the module for a place, writes bytes there, and gives the place and their length.
    fn hand_over(&mut self, bytes: &[u8], stop: &dyn Fn() -> bool) -> Result<[Val; 2], Fault> {
        let outside = || Fault::Error(result::ALLOC_OUTSIDE.to_owned());
        let len = i32::try_from(bytes.len()).map_err(|_| outside())?;
        let alloc = self.alloc.expect("the shape says that alloc is exported");
        let place = self.call_for_integer(alloc, &[Val::I32(len)], stop)?;
        let memory = self.memory().data_mut(&mut self.store);
        let room = memory.get_mut(range(place as u32, len as u32)).ok_or_else(outside)?;
        room.copy_from_slice(bytes);
        Ok([Val::I32(place), Val::I32(len)])
    }

    fn run(&self) -> Func {
        self.run.expect("the shape says that run or _start is exported")
    }

    fn memory(&self) -> Memory {
        self.memory.expect("the shape says that the memory is exported")
    }

    fn call_for_integer(
        &mut self,
        function: Func,
        args: &[Val],
        stop: &dyn Fn() -> bool,
    ) -> Result<i32, Fault> {
        let mut results = [Val::I32(0)];
        self.call(function, args, &mut results, stop)?;
        Ok(results[0].i32().expect("the shape says that it gives an i32"))
    }

    /// Calls a function that is to return.
    fn call(
        &mut self,
        function: Func,
        args: &[Val],
        results: &mut [Val],
        stop: &dyn Fn() -> bool,
    ) -> Result<(), Fault> {
        match self.call_or_end(function, args, results, stop)? {
            None => Ok(()),
            Some(Ended::Exit(code)) => {
                Err(Fault::Error(result::of_exit(code, &self.store.data().stderr)))
            }
            Some(Ended::Abort(words)) => Err(Fault::Error(words)),
        }
    }

    /// Calls a function. Gives `None` where it returned.
    fn call_or_end(
        &mut self,
        function: Func,
        args: &[Val],
        results: &mut [Val],
        stop: &dyn Fn() -> bool,
    ) -> Result<Option<Ended>, Fault> {
        let mut called = function.call_resumable(&mut self.store, args, results);
        loop {
            called = match called {
                Ok(ResumableCall::Finished) => return Ok(None),
                Ok(ResumableCall::HostTrap(trap)) => {
                    self.is_spent = true;
                    let ended = trap.into_host_error().downcast::<Ended>();
                    return Ok(Some(ended.expect("our functions have no other error")));
                }
                Ok(ResumableCall::OutOfFuel(paused)) => {
                    let granted = paused.required_fuel().saturating_add(FUEL);
                    if self.is_stopped(granted, stop) {
                        self.is_spent = true;
                        return Err(Fault::Exhausted(Exhausted::Time));
                    }
                    fuel(&mut self.store, granted);
                    paused.resume(&mut self.store, results)
                }
                Err(error) => {
                    self.is_spent = true;
                    return Err(self.fault(&error));
                }
            }
        }
    }

    /// Asks whether time is up, if it is time to ask.
    fn is_stopped(&mut self, granted: u64, stop: &dyn Fn() -> bool) -> bool {
        self.unasked += granted + std::mem::take(&mut self.store.data_mut().charged);
        let is_due = self.unasked >= FUEL_UNASKED_MAX;
        if is_due {
            self.unasked = 0;
        }
        is_due && stop()
    }

    fn fault(&self, error: &Error) -> Fault {
        let is_exhausted = self.exhausted.is_some_and(|global| {
            !matches!(global.get(&self.store), Val::I32(0))
                && error.as_trap_code() == Some(TrapCode::UnreachableCodeReached)
        });
        if is_exhausted { Fault::Exhausted(Exhausted::Memory) } else { fault_of(error) }
    }
}

fn fuel(store: &mut Store<State>, fuel: u64) {
    store.set_fuel(fuel).expect("the engine counts fuel");
}

fn range(place: u32, len: u32) -> Range<usize> {
    place as usize..place as usize + len as usize
}

fn of(outcome: Outcome) -> Result<String, Fault> {
    match outcome {
        Outcome::Result(result) => Ok(result),
        Outcome::Error(error) => Err(Fault::Error(error)),
    }
}

/// A value that fits, as the module takes it.
fn argument(ty: ValueType, value: f64) -> Val {
    let value = if value.is_nan() { f64::NAN } else { value };
    match ty {
        ValueType::I32 => Val::I32(value as i32),
        ValueType::I64 => Val::I64(value as i64),
        ValueType::F32 => Val::F32(wasmi::F32::from_bits((value as f32).to_bits())),
        ValueType::F64 => Val::F64(wasmi::F64::from_bits(value.to_bits())),
    }
}

/// What an error of the engine means.
fn fault_of(error: &Error) -> Fault {
    let trap = |trap: Trap| Fault::Error(trap.error());
    match error.as_trap_code() {
        Some(TrapCode::UnreachableCodeReached) => return trap(Trap::Unreachable),
        Some(TrapCode::MemoryOutOfBounds | TrapCode::TableOutOfBounds) => {
            return trap(Trap::OutOfBounds);
        }
        Some(TrapCode::IndirectCallToNull | TrapCode::BadSignature) => {
            return trap(Trap::BadIndirectCall);
        }
        Some(TrapCode::IntegerDivisionByZero) => return trap(Trap::DivisionByZero),
        Some(TrapCode::IntegerOverflow | TrapCode::BadConversionToInteger) => {
            return trap(Trap::Overflow);
        }
        Some(TrapCode::StackOverflow) => return Fault::Exhausted(Exhausted::Stack),
        Some(TrapCode::OutOfFuel) => return Fault::Exhausted(Exhausted::Time),
        Some(TrapCode::GrowthOperationLimited | TrapCode::OutOfSystemMemory) | None => {}
    }
    match error.kind() {
        ErrorKind::Instantiation(InstantiationError::ElementSegmentDoesNotFit { .. }) => {
            trap(Trap::OutOfBounds)
        }
        // Only memory is left to be missing.
        _ => Fault::Exhausted(Exhausted::Memory),
    }
}
