//! The host outside of browsers: kernels confined and interruptible, in wasmi, an interpreter, or with the feature
//! `jit` in wasmtime, which compiles them to the processor's code. Both come to the same outcomes, and what they do
//! not share is behind [`machine::Machine`].
//!
//! # The meaning
//!
//! What a host does, to the letter: every host comes to the same outcomes by these rules. All that is written
//! or read as text is done by [`crate::result`], which browsers run as well.
//!
//! 1. **Instance.** A block has one instance, made before its first task. A command has a fresh instance for
//!    each task instead, and nothing is made before.
//! 2. **Making one.** The module is instantiated; then `_initialize()` is called if it is exported; then, if
//!    `init` is exported and the job has data (if only of 0 bytes): `alloc(length)`, the data is written
//!    there, `init(place, length)`. An `init` that does not give 0 is the error `init gave N`. A job without
//!    data never calls `init`, and data for a kernel without `init` is not used. A command gets neither.
//! 3. **Failing to make one.** Whatever goes wrong in rule 2 is an outcome by rules 10 to 13, and it is the
//!    outcome of the task for which the instance was wanted. The next task wants one again.
//! 4. **A spent instance.** A call that does not return (a trap, `abort`, `proc_exit`), in whichever function,
//!    spends the instance: the next task of the block begins with a fresh one (rule 2). An `init` that does
//!    not give 0 spends it too. All other errors leave the instance as it is.
//! 5. **Numbers form.** The count of the values is checked first, then each in order
//!    ([`check_argument`](crate::result::check_argument)): a value that does not fit is the task's error, and
//!    nothing is called. An `i32` or `i64` is the integer, where -0 is 0; an `f32` is the nearest one; an
//!    `f64` as it is. `run` is called. Integers are written with their sign, in full
//!    ([`of_integer`](crate::result::of_integer)); an `f32` is widened, and floats are written by
//!    [`of_float`](crate::result::of_float), in which a NaN is `"NaN"` whatever its bits are.
//! 6. **JSON form.** The input is as it was submitted, in UTF-8. `alloc(length)`; a place that does not lie
//!    within memory with all of the length is the error `alloc gave a place outside memory`; the input is
//!    written there; `run(place, length)` gives a place. 0 is the result `null`. Else there are 4 bytes of a
//!    length, little endian, and behind them so many bytes. With the highest bit of the length set (it does
//!    not count) these are the words of an error ([`of_error`](crate::result::of_error)); else they are the
//!    result ([`of_json`](crate::result::of_json)). Places and lengths have no sign. In this order: a length
//!    that does not lie within memory is the error `run gave a place outside memory`; a result of more than
//!    65536 bytes is `the result is longer than 65536 bytes`; bytes that do not lie within memory are `run
//!    gave a place outside memory`. An error's words may be of any length, and are cut.
//! 7. **Command form.** stdin is the input and a line break (`\n`). `_start()` is called. If it returns or calls
//!    `proc_exit`, [`of_command`](crate::result::of_command) makes the outcome: of the first 65539 bytes of
//!    stdout, of the last 4096 bytes of stderr, and of the exit code, 0 where it returned. A trap is rule 11,
//!    whatever was written.
//! 8. **WASI** (preview 1) in all forms. Of two errors the one that is named first counts, and nothing has
//!    been written or read then. A place that is not within memory is `EFAULT` (21).
//!    - `args_sizes_get`, `environ_sizes_get`: 0 and 0 are written; `args_get`, `environ_get`: nothing is.
//!    - `clock_time_get` writes 0 and `clock_res_get` 1, each in 8 bytes, for any clock.
//!    - `random_get`: words of 8 bytes, little endian, of SplitMix64, which begins with the state 0 in each
//!      instance. Each call begins a new word; what it does not need of its last word is lost.
//!    - `fd_write`: a file other than 1 and 2 is `EBADF` (8); then the list, the buffers in order, and the
//!      place of the count are looked at; more than 2^32 - 1 bytes in all is `EINVAL` (28). All is written,
//!      to stdout (1) or stderr (2).
//!    - `fd_read`: the same, of file 0; the buffers are filled in order with what is left of stdin, which is
//!      empty but in the command form. An entry of the list is read when it is its turn: a buffer may lie
//!      over it, and one that then is not within memory ends the reading. The count is written last.
//!    - `fd_fdstat_get`: other files than 0, 1, 2 are `EBADF`. 24 bytes: 2 (a character device), 0s, and at
//!      byte 8 the rights: 2 for file 0, 64 for the others.
//!    - `fd_close` gives 0 and does nothing, `fd_seek` and `fd_tell` give `ESPIPE` (70); other files than 0,
//!      1, 2 are `EBADF`.
//!    - `fd_prestat_get`, `fd_prestat_dir_name`: `EBADF`. `sched_yield`: 0.
//!    - `proc_exit` ends the call. In other forms than the command's it is the error
//!      [`of_exit`](crate::result::of_exit), also with the code 0.
//!    - Everything else gives `ENOSYS` (52) and does nothing.
//! 9. **AssemblyScript.** `env.seed` gives 1. `env.abort(message, file, line, column)` ends the call with the
//!    error [`of_abort`](crate::result::of_abort). A text has its length in bytes, little endian, in the 4
//!    bytes before its place, and is UTF-16, little endian, of which the first 500 units are read; what is no
//!    character is U+FFFD. It is empty where the place is 0, or the length or so many units are not within
//!    the exported memory.
//! 10. **Errors** are outcomes, the same on all hosts, and have at most 500 characters.
//! 11. **Traps** are errors: `trap: unreachable`, `trap: integer division by zero`, `trap: integer overflow`
//!     (also of turning a float into an integer, a NaN included), `trap: out of bounds` (memory, table, bulk
//!     operations, and segments when an instance is made), `trap: bad indirect call` (an empty entry or
//!     another type). After a trap by `unreachable` the exported global `tequio.exhausted`, if there is one,
//!     is looked at: if it is not 0, the memory is exhausted (rule 12).
//! 12. **Exhausted** are the stack (calls nest too deeply for this engine), memory (the engine has no more) and
//!     time (the host was told to stop). None of these is an outcome: the block is given up and tried
//!     elsewhere.
//! 13. **Floats** that a host hands over have no NaN but the canonical one.

mod interpreter;
#[cfg(feature = "jit")]
mod jit;
mod live;
mod machine;
mod wasi;

use crate::refused::Refused;
use crate::result;
use crate::shape::{Form, Shape};
use live::{Live, Task};
use machine::{Machine, Stop};
use std::fmt;
use std::sync::Arc;

/// What runs kernels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Engine {
    /// wasmi, an interpreter, which is in every build.
    Wasmi,
    /// wasmtime, a compiler: some four times as fast, and minutes of building.
    #[cfg(feature = "jit")]
    Wasmtime,
}

impl Engine {
    /// All that this build has, the fastest first.
    pub const ALL: &[Engine] = &[
        #[cfg(feature = "jit")]
        Engine::Wasmtime,
        Engine::Wasmi,
    ];

    /// What kernels are computed by.
    pub const FIRST: Engine = Engine::ALL[0];

    /// What decides where a computation is doubted: another engine than the first, if this build has two.
    pub const SECOND: Engine = Engine::Wasmi;

    /// Its name, for people.
    pub const fn name(self) -> &'static str {
        match self {
            Engine::Wasmi => "wasmi",
            #[cfg(feature = "jit")]
            Engine::Wasmtime => "wasmtime",
        }
    }

    /// How many times faster browsers compute, about.
    pub const fn browsers_are_faster(self) -> u32 {
        match self {
            Engine::Wasmi => 4,
            #[cfg(feature = "jit")]
            Engine::Wasmtime => 1,
        }
    }
}

impl fmt::Display for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A kernel that is compiled. Clones share it.
#[derive(Clone)]
pub struct Program(Arc<Compiled>);

struct Compiled {
    shape: Shape,
    code: Code,
}

/// A module as an engine has it.
enum Code {
    Interpreted(interpreter::Code),
    #[cfg(feature = "jit")]
    Jitted(jit::Code),
}

impl Program {
    /// Compiles what [`normalise`](fn@crate::normalise) gave, for the first engine that takes it.
    ///
    /// # Errors
    ///
    /// Returns what [`Program::compile_for`] does for [`Engine::SECOND`]: what is taken is the same in all builds.
    pub fn compile(normalised: &[u8]) -> Result<Program, Refused> {
        match Program::compile_for(Engine::FIRST, normalised) {
            Err(_) if Engine::FIRST != Engine::SECOND => {
                Program::compile_for(Engine::SECOND, normalised)
            }
            compiled => compiled,
        }
    }

    /// Compiles what [`normalise`](fn@crate::normalise) gave, for an engine.
    ///
    /// # Errors
    ///
    /// Returns an error where the module is not normalised, and where the engine cannot take it: for wasmi a
    /// function with thousands of values at once, for wasmtime functions that it would compile for minutes.
    pub fn compile_for(engine: Engine, normalised: &[u8]) -> Result<Program, Refused> {
        let shape = crate::shape(normalised)?;
        let code = match engine {
            Engine::Wasmi => interpreter::Code::compile(normalised).map(Code::Interpreted),
            #[cfg(feature = "jit")]
            Engine::Wasmtime => jit::Code::compile(normalised).map(Code::Jitted),
        };
        let code = code.map_err(|error| {
            let said = format!("the server's engine cannot take this module: {error}");
            Refused::new("engine", said)
        })?;
        Ok(Program(Arc::new(Compiled { shape, code })))
    }

    /// What the kernel is given and gives.
    pub fn shape(&self) -> &Shape {
        &self.0.shape
    }

    /// What computes it.
    pub fn engine(&self) -> Engine {
        match self.0.code {
            Code::Interpreted(_) => Engine::Wasmi,
            #[cfg(feature = "jit")]
            Code::Jitted(_) => Engine::Wasmtime,
        }
    }

    /// Makes the instance of a block, by rules 1 and 2. `stop` is asked every few milliseconds whether time is
    /// up, here and in each task.
    ///
    /// A thread that computes has a stack of 2 MiB at least, which is what Rust gives its threads.
    ///
    /// # Errors
    ///
    /// Returns what becomes of every task of the block: an error that they all end with, or what was
    /// exhausted.
    pub fn instance(
        &self,
        data: Option<Arc<[u8]>>,
        stop: impl Fn() -> bool + Send + Sync + 'static,
    ) -> Result<Instance, Fault> {
        let data = data.filter(|_| self.0.shape.takes_data);
        let mut instance =
            Instance { program: self.clone(), data, stop: Arc::new(stop), live: None };
        if self.0.shape.form != Form::Command {
            instance.live = Some(instance.fresh(Vec::new())?);
        }
        Ok(instance)
    }
}

impl fmt::Debug for Program {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Program").field("shape", self.shape()).finish_non_exhaustive()
    }
}

/// Why a task has no result.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// An outcome: every host comes to these words.
    #[error("{0}")]
    Error(String),
    /// No outcome: another host, or this one later, may come to one.
    #[error("{0}")]
    Exhausted(Exhausted),
}

/// What a host had too little of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Exhausted {
    /// Calls nest too deeply.
    #[error("the stack is exhausted: calls nest too deeply")]
    Stack,
    /// The engine could not get more memory.
    #[error("memory is exhausted")]
    Memory,
    /// The host was told to stop.
    #[error("it took too long")]
    Time,
}

/// The instance of a block. It computes one task after the other.
pub struct Instance {
    program: Program,
    /// `None` where the kernel takes none.
    data: Option<Arc<[u8]>>,
    stop: Stop,
    /// `None` where the next task begins with a fresh one.
    live: Option<AnyLive>,
}

/// What lives in one of the engines.
enum AnyLive {
    /// Nearly 2 KB, which each task would move.
    Interpreted(Box<Live<interpreter::Instance>>),
    #[cfg(feature = "jit")]
    Jitted(Live<jit::Instance>),
}

impl Instance {
    /// Computes one task: of `args` in the numbers form, of `input`, JSON text, in the others. Gives the
    /// result as JSON text without white space.
    ///
    /// # Errors
    ///
    /// Returns the error that the task ends with; the block goes on. Or what was exhausted; the block is then
    /// to be given up.
    pub fn run(&mut self, args: &[f64], input: &str) -> Result<String, Fault> {
        let program = self.program.clone();
        let shape = &program.0.shape;
        match &shape.form {
            Form::Numbers { params, .. } => {
                if args.len() != params.len() {
                    return Err(Fault::Error(result::wrong_count(params.len(), args.len())));
                }
                for (param, value) in shape.params.iter().zip(args) {
                    result::check_argument(param, *value).map_err(Fault::Error)?;
                }
                self.within(Task::Numbers { params, args })
            }
            Form::Json => self.within(Task::Json { input }),
            Form::Command => self.fresh(format!("{input}\n").into_bytes())?.run(Task::Command),
        }
    }

    /// Gives a task to the living instance, or to a fresh one, and lets that go if it is spent.
    fn within(&mut self, task: Task<'_>) -> Result<String, Fault> {
        let mut live = match self.live.take() {
            Some(live) => live,
            None => self.fresh(Vec::new())?,
        };
        let result = live.run(task);
        if !live.is_spent() {
            self.live = Some(live);
        }
        result
    }

    fn fresh(&self, stdin: Vec<u8>) -> Result<AnyLive, Fault> {
        match &self.program.0.code {
            Code::Interpreted(code) => {
                let live = self.fresh_in(code, stdin)?;
                Ok(AnyLive::Interpreted(Box::new(live)))
            }
            #[cfg(feature = "jit")]
            Code::Jitted(code) => self.fresh_in(code, stdin).map(AnyLive::Jitted),
        }
    }

    fn fresh_in<M: Machine>(&self, code: &M::Code, stdin: Vec<u8>) -> Result<Live<M>, Fault> {
        let mut live = Live::new(M::new(code, stdin, self.stop.clone())?);
        if self.program.0.shape.form != Form::Command {
            live.initialize(self.data.as_deref())?;
        }
        Ok(live)
    }
}

impl AnyLive {
    fn run(&mut self, task: Task<'_>) -> Result<String, Fault> {
        match self {
            AnyLive::Interpreted(live) => live.run(task),
            #[cfg(feature = "jit")]
            AnyLive::Jitted(live) => live.run(task),
        }
    }

    fn is_spent(&self) -> bool {
        match self {
            AnyLive::Interpreted(live) => live.is_spent(),
            #[cfg(feature = "jit")]
            AnyLive::Jitted(live) => live.is_spent(),
        }
    }
}

impl fmt::Debug for Instance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Instance").field("program", &self.program).finish_non_exhaustive()
    }
}
