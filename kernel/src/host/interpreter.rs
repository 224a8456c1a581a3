//! wasmi, an interpreter.

use super::machine::{self, Given, Machine, Stop};
use super::wasi::{Ended, State, linker_of};
use super::{Exhausted, Fault};
use crate::EXHAUSTED_GLOBAL;
use crate::result::Trap;
use crate::shape::ValueType;
use wasmi::errors::{ErrorKind, HostError, InstantiationError};
use wasmi::{
    Caller, CompilationMode, Config, Engine, Error, Func, Global, Linker, Memory, Module,
    OperatorCost, ResumableCall, Store, TrapCode, Val,
};

/// How deeply calls may nest: as deeply as in browsers, about.
const CALLS_NESTED_MAX: usize = 16_384;

/// Bytes of the stack of an instance, which grows as it is needed.
const STACK_BYTES_MAX: usize = 4 * 1024 * 1024;

/// How much is computed at a stretch, in the engine's fuel: an instruction is 1, as are 64 bytes that are moved.
/// It is little, because the engine's instructions call each other in tail position: were one of them not
/// compiled as a jump, the stack of the thread would grow at each, but only so often.
const FUEL: u64 = 16_384;

/// How much is computed between two questions whether time is up: some milliseconds.
const FUEL_UNASKED_MAX: u64 = 1_000_000;

/// A module, with everything that it may import.
pub(super) struct Code {
    module: Module,
    linker: Linker<Owned>,
}

/// What the engine keeps of an instance for us.
struct Owned {
    state: State,
    memory: Option<Memory>,
    /// What our own functions cost since the clock was looked at, in fuel.
    charged: u64,
}

/// An instance, with what hosts read of it.
pub(super) struct Instance {
    store: Store<Owned>,
    instance: wasmi::Instance,
    exhausted: Option<Global>,
    stop: Stop,
    /// What was computed since the last question whether time is up.
    unasked: u64,
}

impl Code {
    pub(super) fn compile(module: &[u8]) -> Result<Code, String> {
        let mut config = Config::default();
        // A module that this engine cannot take is refused when it is added, not when it runs.
        config.compilation_mode(CompilationMode::Eager);
        config.consume_fuel(true);
        config.ignore_custom_sections(true);
        // The one instruction that leaves something on the thread's stack (see `tests/stack.rs`): few at a
        // stretch, whatever a kernel does.
        config.operator_cost(OperatorCost { memory_grow: u8::MAX, ..OperatorCost::default() });
        config.set_max_recursion_depth(CALLS_NESTED_MAX);
        config.set_max_stack_height(STACK_BYTES_MAX);
        let engine = Engine::new(&config);
        let module = Module::new(&engine, module).map_err(|error| error.to_string())?;
        let linker = linker(&engine).map_err(|error| error.to_string())?;
        Ok(Code { module, linker })
    }
}

linker_of!(wasmi, |_engine| wasmi::FuncType::new, Error::host);

impl HostError for Ended {}

impl machine::Caller for Caller<'_, Owned> {
    fn parts(&mut self) -> (&mut [u8], &mut State) {
        match self.data().memory {
            Some(memory) => {
                let (memory, owned) = memory.data_and_store_mut(self);
                (memory, &mut owned.state)
            }
            None => (&mut [], &mut self.data_mut().state),
        }
    }

    fn charge(&mut self, cost: u64) {
        let left = self.get_fuel().expect("the engine counts fuel").saturating_sub(cost);
        self.set_fuel(left).expect("the engine counts fuel");
        self.data_mut().charged += cost;
    }
}

impl Machine for Instance {
    type Code = Code;
    type Function = Func;
    type Value = Val;

    fn new(code: &Code, stdin: Vec<u8>, stop: Stop) -> Result<Instance, Fault> {
        let owned = Owned { state: State::new(stdin), memory: None, charged: 0 };
        let mut store = Store::new(code.linker.engine(), owned);
        fuel(&mut store, FUEL);
        let made = code.linker.instantiate_and_start(&mut store, &code.module);
        let instance = made.map_err(|error| fault_of(&error))?;
        store.data_mut().memory = instance.get_memory(&store, "memory");
        let exhausted = instance.get_global(&store, EXHAUSTED_GLOBAL);
        Ok(Instance { store, instance, exhausted, stop, unasked: 0 })
    }

    fn function(&mut self, name: &str) -> Option<Func> {
        self.instance.get_func(&self.store, name)
    }

    fn memory(&mut self) -> &mut [u8] {
        match self.store.data().memory {
            Some(memory) => memory.data_mut(&mut self.store),
            None => &mut [],
        }
    }

    fn state(&self) -> &State {
        &self.store.data().state
    }

    fn value(ty: ValueType, number: f64) -> Val {
        let number = if number.is_nan() { f64::NAN } else { number };
        match ty {
            ValueType::I32 => Val::I32(number as i32),
            ValueType::I64 => Val::I64(number as i64),
            ValueType::F32 => Val::F32(wasmi::F32::from_bits((number as f32).to_bits())),
            ValueType::F64 => Val::F64(wasmi::F64::from_bits(number.to_bits())),
        }
    }

    fn number(value: &Val) -> Given {
        match value {
            Val::I32(value) => Given::Integer(i64::from(*value)),
            Val::I64(value) => Given::Integer(*value),
            Val::F32(value) => Given::Float(f64::from(f32::from_bits(value.to_bits()))),
            Val::F64(value) => Given::Float(f64::from_bits(value.to_bits())),
            other => unreachable!("the shape says that it is a number, not {other:?}"),
        }
    }

    fn call(
        &mut self,
        function: Func,
        args: &[Val],
        results: &mut [Val],
    ) -> Result<Option<Ended>, Fault> {
        let mut called = function.call_resumable(&mut self.store, args, results);
        loop {
            called = match called {
                Ok(ResumableCall::Finished) => return Ok(None),
                Ok(ResumableCall::HostTrap(trap)) => {
                    let ended = trap.into_host_error().downcast::<Ended>();
                    return Ok(Some(ended.expect("our functions have no other error")));
                }
                Ok(ResumableCall::OutOfFuel(paused)) => {
                    let granted = paused.required_fuel().saturating_add(FUEL);
                    if self.is_stopped(granted) {
                        return Err(Fault::Exhausted(Exhausted::Time));
                    }
                    fuel(&mut self.store, granted);
                    paused.resume(&mut self.store, results)
                }
                Err(error) => return Err(self.fault(&error)),
            }
        }
    }
}

impl Instance {
    /// Asks whether time is up, if it is time to ask.
    fn is_stopped(&mut self, granted: u64) -> bool {
        self.unasked += granted + std::mem::take(&mut self.store.data_mut().charged);
        let is_due = self.unasked >= FUEL_UNASKED_MAX;
        if is_due {
            self.unasked = 0;
        }
        is_due && (self.stop)()
    }

    fn fault(&self, error: &Error) -> Fault {
        let is_exhausted = self.exhausted.is_some_and(|global| {
            !matches!(global.get(&self.store), Val::I32(0))
                && error.as_trap_code() == Some(TrapCode::UnreachableCodeReached)
        });
        if is_exhausted { Fault::Exhausted(Exhausted::Memory) } else { fault_of(error) }
    }
}

fn fuel(store: &mut Store<Owned>, fuel: u64) {
    store.set_fuel(fuel).expect("the engine counts fuel");
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
