//! wasmtime, which compiles to the processor's code.

use super::machine::{self, Given, Machine, Stop};
use super::wasi::{Ended, State, linker_of};
use super::{Exhausted, Fault};
use crate::EXHAUSTED_GLOBAL;
use crate::result::Trap;
use crate::shape::ValueType;
use std::sync::{Condvar, LazyLock, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;
use wasmparser::{Parser, Payload};
use wasmtime::{
    Caller, Config, Engine, Error, Func, FuncType, Global, InstancePre, Memory, Module, Store,
    UpdateDeadline, Val,
};

/// Bytes of the thread's stack that calls may nest on: as deeply as in browsers, about, and half of what a
/// thread has.
const STACK_BYTES_MAX: usize = 1024 * 1024;

/// The most of all functions together, each one's bytes squared. A function that is nothing but loops takes a time
/// that grows with its square: one of 383 kB took a busy core 57 s. Of these 140 kB are taken, or 4 MiB in functions
/// of 4 KiB.
const SQUARES_MAX: u64 = 20_000_000_000;

/// How long is computed between two questions whether time is up.
const TICK: Duration = Duration::from_millis(5);

/// A module, with what it imports.
pub(super) struct Code(InstancePre<Owned>);

/// What the engine keeps of an instance for us.
struct Owned {
    state: State,
    memory: Option<Memory>,
}

/// An instance, with what hosts read of it.
pub(super) struct Instance {
    store: Store<Owned>,
    instance: wasmtime::Instance,
    exhausted: Option<Global>,
    /// Somebody is asked whether time is up for as long as there is one.
    _ticking: Ticking,
}

/// One for all modules: what it costs to make is paid once, and one thread ticks for all.
static ENGINE: LazyLock<Result<Engine, String>> =
    LazyLock::new(|| Engine::new(&config()).map_err(|error| error.to_string()));

/// No more than the normaliser lets pass, and nothing of what would help to find out where a trap was.
///
/// NaNs are as the processor makes them: modules are normalised.
fn config() -> Config {
    let mut config = Config::new();
    config.epoch_interruption(true);
    config.max_wasm_stack(STACK_BYTES_MAX);
    config.wasm_backtrace_max_frames(None);
    config.generate_address_map(false);
    config.wasm_bulk_memory(true);
    config.wasm_multi_value(true);
    config.wasm_tail_call(true);
    config.wasm_extended_const(true);
    config.wasm_relaxed_simd(false);
    config.wasm_simd(false);
    config.wasm_multi_memory(false);
    config.wasm_memory64(false);
    config.wasm_custom_page_sizes(false);
    config.wasm_wide_arithmetic(false);
    config
}

fn engine() -> Result<&'static Engine, String> {
    ENGINE.as_ref().map_err(Clone::clone)
}

impl Code {
    pub(super) fn compile(module: &[u8]) -> Result<Code, String> {
        if squares(module) > SQUARES_MAX {
            return Err("its functions are too long to be compiled in seconds".to_owned());
        }
        let engine = engine()?;
        let made = Module::new(engine, module)
            .and_then(|module| linker(engine)?.instantiate_pre(&module))
            .map_err(|error| format!("{error:#}"))?;
        Ok(Code(made))
    }
}

/// The sum of the squares of functions' bytes.
fn squares(module: &[u8]) -> u64 {
    let payloads = Parser::new(0).parse_all(module).filter_map(Result::ok);
    let squares = payloads.filter_map(|payload| match payload {
        Payload::CodeSectionEntry(body) => Some((body.range().len() as u64).pow(2)),
        _ => None,
    });
    squares.sum()
}

linker_of!(wasmtime, |engine| |params, results| FuncType::new(engine, params, results), Error::new);

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

    /// The clock is looked at by itself, whatever has been done.
    fn charge(&mut self, _cost: u64) {}
}

impl Machine for Instance {
    type Code = Code;
    type Function = Func;
    type Value = Val;

    fn new(Code(code): &Code, stdin: Vec<u8>, stop: Stop) -> Result<Instance, Fault> {
        let ticking = Ticking::begin(code.module().engine());
        let owned = Owned { state: State::new(stdin), memory: None };
        let mut store = Store::new(code.module().engine(), owned);
        store.set_epoch_deadline(1);
        store.epoch_deadline_callback(move |_| match stop() {
            true => Ok(UpdateDeadline::Interrupt),
            false => Ok(UpdateDeadline::Continue(1)),
        });
        let instance = code.instantiate(&mut store).map_err(|error| fault_of(&error))?;
        store.data_mut().memory = instance.get_memory(&mut store, "memory");
        let exhausted = instance.get_global(&mut store, EXHAUSTED_GLOBAL);
        Ok(Instance { store, instance, exhausted, _ticking: ticking })
    }

    fn function(&mut self, name: &str) -> Option<Func> {
        self.instance.get_func(&mut self.store, name)
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
            ValueType::F32 => Val::F32((number as f32).to_bits()),
            ValueType::F64 => Val::F64(number.to_bits()),
        }
    }

    fn number(value: &Val) -> Given {
        match value {
            Val::I32(value) => Given::Integer(i64::from(*value)),
            Val::I64(value) => Given::Integer(*value),
            Val::F32(bits) => Given::Float(f64::from(f32::from_bits(*bits))),
            Val::F64(bits) => Given::Float(f64::from_bits(*bits)),
            other => unreachable!("the shape says that it is a number, not {other:?}"),
        }
    }

    fn call(
        &mut self,
        function: Func,
        args: &[Val],
        results: &mut [Val],
    ) -> Result<Option<Ended>, Fault> {
        let Err(error) = function.call(&mut self.store, args, results) else { return Ok(None) };
        match error.downcast::<Ended>() {
            Ok(ended) => Ok(Some(ended)),
            Err(error) => Err(self.fault(&error)),
        }
    }
}

impl Instance {
    fn fault(&mut self, error: &Error) -> Fault {
        let is_unreachable = error.downcast_ref() == Some(&wasmtime::Trap::UnreachableCodeReached);
        let store = &mut self.store;
        let is_exhausted = is_unreachable
            && self.exhausted.is_some_and(|global| !matches!(global.get(store), Val::I32(0)));
        if is_exhausted { Fault::Exhausted(Exhausted::Memory) } else { fault_of(error) }
    }
}

/// What an error of the engine means.
fn fault_of(error: &Error) -> Fault {
    use wasmtime::Trap as Code;
    let trap = |trap: Trap| Fault::Error(trap.error());
    match error.downcast_ref::<Code>() {
        Some(Code::UnreachableCodeReached) => trap(Trap::Unreachable),
        Some(Code::MemoryOutOfBounds | Code::TableOutOfBounds) => trap(Trap::OutOfBounds),
        Some(Code::IndirectCallToNull | Code::BadSignature) => trap(Trap::BadIndirectCall),
        Some(Code::IntegerDivisionByZero) => trap(Trap::DivisionByZero),
        Some(Code::IntegerOverflow | Code::BadConversionToInteger) => trap(Trap::Overflow),
        Some(Code::StackOverflow) => Fault::Exhausted(Exhausted::Stack),
        Some(Code::Interrupt) => Fault::Exhausted(Exhausted::Time),
        // Only memory is left to be missing.
        _ => Fault::Exhausted(Exhausted::Memory),
    }
}

/// The instances that somebody ticks for. While there is none, nobody wakes up.
static INSTANCES: Mutex<Instances> = Mutex::new(Instances { count: 0, has_thread: false });

/// Told when there is an instance again.
static CAME: Condvar = Condvar::new();

struct Instances {
    count: usize,
    has_thread: bool,
}

/// An instance for which the engine's epoch goes on.
struct Ticking;

impl Ticking {
    fn begin(engine: &Engine) -> Ticking {
        let mut instances = instances();
        instances.count += 1;
        if !instances.has_thread {
            let engine = engine.clone();
            let started =
                thread::Builder::new().name("epochs".to_owned()).spawn(move || tick(&engine));
            // Where there are no more threads the next instance tries again; this one cannot be stopped so long.
            instances.has_thread = started.is_ok();
        } else if instances.count == 1 {
            CAME.notify_one();
        }
        Ticking
    }
}

impl Drop for Ticking {
    fn drop(&mut self) {
        instances().count -= 1;
    }
}

fn instances() -> MutexGuard<'static, Instances> {
    INSTANCES.lock().unwrap_or_else(PoisonError::into_inner)
}

fn tick(engine: &Engine) -> ! {
    loop {
        let some = CAME.wait_while(instances(), |instances| instances.count == 0);
        drop(some);
        thread::sleep(TICK);
        engine.increment_epoch();
    }
}
