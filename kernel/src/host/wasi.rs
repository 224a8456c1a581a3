//! What is given to modules that import: WASI preview 1 with nothing behind it, and AssemblyScript's two.
//! Rules 8 and 9 of [the meaning](super).

use super::machine::Caller;
use crate::result::{RESULT_BYTES_MAX, STDERR_BYTES_KEPT, of_abort};
use std::fmt;
use std::ops::Range;

pub(super) const SUCCESS: i32 = 0;
pub(super) const EBADF: i32 = 8;
const EFAULT: i32 = 21;
const EINVAL: i32 = 28;
pub(super) const ENOSYS: i32 = 52;
pub(super) const ESPIPE: i32 = 70;

/// What is kept of stdout: enough to see that it is too long, whatever line break is at its end.
const STDOUT_BYTES_KEPT: usize = RESULT_BYTES_MAX + 3;

/// Units of UTF-16 that are read of a text of AssemblyScript.
const TEXT_UNITS_MAX: usize = 500;

/// What `env.seed` gives.
pub(super) const SEED: f64 = 1.0;

/// What an instance has beside its own memory.
pub(super) struct State {
    stdin: Vec<u8>,
    /// How much of it was read.
    read: usize,
    pub(super) stdout: Vec<u8>,
    pub(super) stderr: Vec<u8>,
    random: u64,
}

impl State {
    pub(super) fn new(stdin: Vec<u8>) -> State {
        State { stdin, read: 0, stdout: Vec::new(), stderr: Vec::new(), random: 0 }
    }

    fn write(&mut self, file: i32, bytes: &[u8]) {
        if file == 1 {
            let room = STDOUT_BYTES_KEPT - self.stdout.len();
            self.stdout.extend_from_slice(&bytes[..bytes.len().min(room)]);
            return;
        }
        let bytes = &bytes[bytes.len().saturating_sub(STDERR_BYTES_KEPT)..];
        self.stderr.extend_from_slice(bytes);
        let over = self.stderr.len().saturating_sub(STDERR_BYTES_KEPT);
        self.stderr.drain(..over);
    }

    /// The next word of SplitMix64 (Steele, Lea and Flood 2014).
    fn next_word(&mut self) -> u64 {
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.random;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}

/// Why a call ended without returning.
#[derive(Debug)]
pub(super) enum Ended {
    /// `proc_exit`.
    Exit(i32),
    /// `env.abort`, with the error's words.
    Abort(String),
}

impl fmt::Display for Ended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Ended::Exit(code) => write!(f, "exit code {code}"),
            Ended::Abort(words) => f.write_str(words),
        }
    }
}

impl std::error::Error for Ended {}

/// Defines `linker`, which gives an engine's linker everything that a module may import. There is one text for
/// all engines, whose linkers are alike but for how the type of a function is made, and an error.
macro_rules! linker_of {
    ($engine:ident, |$of:ident| $function_type:expr, $error:path) => {
        fn linker(engine: &$engine::Engine) -> Result<$engine::Linker<Owned>, $engine::Error> {
            use crate::host::wasi::{self, EBADF, ENOSYS, ESPIPE, SEED, SUCCESS};
            use crate::normalise::imports::{WASI, WASI_FUNCTIONS};
            use $engine::{Caller, Error, Linker, Val, ValType};

            type In<'a> = Caller<'a, Owned>;
            let end = |ended: Ended| -> Result<(), Error> { Err($error(ended)) };
            let mut linker = Linker::<Owned>::new(engine);
            linker.func_wrap("env", "seed", || SEED)?;
            linker.func_wrap(
                "env",
                "abort",
                move |mut caller: In<'_>, message: i32, file: i32, line: i32, column: i32| {
                    end(wasi::abort(&mut caller, [message, file], line, column))
                },
            )?;
            for (name, params) in WASI_FUNCTIONS {
                match name {
                    "args_get" | "environ_get" => {
                        linker.func_wrap(WASI, name, |_: i32, _: i32| SUCCESS)?
                    }
                    "args_sizes_get" | "environ_sizes_get" => linker.func_wrap(
                        WASI,
                        name,
                        |mut caller: In<'_>, count: i32, size: i32| {
                            wasi::write_all(&mut caller, [(count, &[0; 4]), (size, &[0; 4])])
                        },
                    )?,
                    "clock_time_get" => linker.func_wrap(
                        WASI,
                        name,
                        |mut caller: In<'_>, _: i32, _: i64, place: i32| {
                            wasi::write_all(&mut caller, [(place, &0u64.to_le_bytes())])
                        },
                    )?,
                    "clock_res_get" => {
                        linker.func_wrap(WASI, name, |mut caller: In<'_>, _: i32, place: i32| {
                            wasi::write_all(&mut caller, [(place, &1u64.to_le_bytes())])
                        })?
                    }
                    "fd_close" => {
                        linker.func_wrap(WASI, name, |file: i32| wasi::of_file(file, SUCCESS))?
                    }
                    "fd_fdstat_get" => linker.func_wrap(
                        WASI,
                        name,
                        |mut caller: In<'_>, file: i32, place: i32| {
                            wasi::fd_fdstat_get(&mut caller, file, place)
                        },
                    )?,
                    "fd_prestat_get" => linker.func_wrap(WASI, name, |_: i32, _: i32| EBADF)?,
                    "fd_prestat_dir_name" => {
                        linker.func_wrap(WASI, name, |_: i32, _: i32, _: i32| EBADF)?
                    }
                    "fd_read" => linker.func_wrap(
                        WASI,
                        name,
                        |mut caller: In<'_>, file: i32, list: i32, buffers: i32, count: i32| {
                            wasi::fd_read(&mut caller, file, list, buffers, count)
                        },
                    )?,
                    "fd_seek" => {
                        linker.func_wrap(WASI, name, |file: i32, _: i64, _: i32, _: i32| {
                            wasi::of_file(file, ESPIPE)
                        })?
                    }
                    "fd_tell" => linker
                        .func_wrap(WASI, name, |file: i32, _: i32| wasi::of_file(file, ESPIPE))?,
                    "fd_write" => linker.func_wrap(
                        WASI,
                        name,
                        |mut caller: In<'_>, file: i32, list: i32, buffers: i32, count: i32| {
                            wasi::fd_write(&mut caller, file, list, buffers, count)
                        },
                    )?,
                    "proc_exit" => {
                        linker.func_wrap(WASI, name, move |code: i32| end(Ended::Exit(code)))?
                    }
                    "random_get" => linker.func_wrap(
                        WASI,
                        name,
                        |mut caller: In<'_>, place: i32, len: i32| {
                            wasi::random_get(&mut caller, place, len)
                        },
                    )?,
                    "sched_yield" => linker.func_wrap(WASI, name, || SUCCESS)?,
                    _ => {
                        let param = |c| if c == b'I' { ValType::I64 } else { ValType::I32 };
                        let params = params.bytes().map(param);
                        let $of = engine;
                        let ty = ($function_type)(params, [ValType::I32]);
                        linker.func_new(WASI, name, ty, |_, _, results| {
                            results[0] = Val::I32(ENOSYS);
                            Ok(())
                        })?
                    }
                };
            }
            Ok(linker)
        }
    };
}
pub(super) use linker_of;

/// What a function gives that knows the three files only.
pub(super) fn of_file(file: i32, code: i32) -> i32 {
    if (0..=2).contains(&file) { code } else { EBADF }
}

/// A place in memory, if all of it is.
fn within(memory: &[u8], place: u32, len: u32) -> Option<Range<usize>> {
    let range = place as usize..place as usize + len as usize;
    memory.get(range.clone()).map(|_| range)
}

/// Writes all, or nothing where one of the places is not within memory.
pub(super) fn write_all<const N: usize>(
    caller: &mut impl Caller,
    writes: [(i32, &[u8]); N],
) -> i32 {
    let (memory, _) = caller.parts();
    let is_within =
        |(place, bytes): &(i32, &[u8])| within(memory, *place as u32, bytes.len() as u32).is_some();
    if !writes.iter().all(is_within) {
        return EFAULT;
    }
    for (place, bytes) in writes {
        let place = place as u32 as usize;
        memory[place..place + bytes.len()].copy_from_slice(bytes);
    }
    SUCCESS
}

pub(super) fn fd_fdstat_get(caller: &mut impl Caller, file: i32, place: i32) -> i32 {
    const CHARACTER_DEVICE: u8 = 2;
    const RIGHT_TO_READ: u8 = 2;
    const RIGHT_TO_WRITE: u8 = 64;
    if !(0..=2).contains(&file) {
        return EBADF;
    }
    let mut stat = [0; 24];
    stat[0] = CHARACTER_DEVICE;
    stat[8] = if file == 0 { RIGHT_TO_READ } else { RIGHT_TO_WRITE };
    write_all(caller, [(place, &stat)])
}

/// The bytes of all buffers of a list, if the list, the buffers and the place of the count are in memory.
fn total(memory: &[u8], list: i32, buffers: i32, count: i32) -> Result<u32, i32> {
    let all = list_of(memory, list, buffers).ok_or(EFAULT)?;
    let mut total = 0u64;
    for buffer in all {
        let (place, len) = buffer_of(buffer);
        within(memory, place, len).ok_or(EFAULT)?;
        total += u64::from(len);
    }
    within(memory, count as u32, 4).ok_or(EFAULT)?;
    u32::try_from(total).map_err(|_| EINVAL)
}

/// The list of buffers: a place and a length each.
fn list_of(memory: &[u8], list: i32, buffers: i32) -> Option<std::slice::ChunksExact<'_, u8>> {
    let bytes = (buffers as u32).checked_mul(8)?;
    Some(memory[within(memory, list as u32, bytes)?].chunks_exact(8))
}

fn buffer_of(entry: &[u8]) -> (u32, u32) {
    let number = |bytes: &[u8]| u32::from_le_bytes(bytes.try_into().expect("4 bytes"));
    (number(&entry[..4]), number(&entry[4..]))
}

pub(super) fn fd_write(
    caller: &mut impl Caller,
    file: i32,
    list: i32,
    buffers: i32,
    count: i32,
) -> i32 {
    if !(1..=2).contains(&file) {
        return EBADF;
    }
    caller.charge(u64::from(buffers as u32));
    let (memory, state) = caller.parts();
    let total = match total(memory, list, buffers, count) {
        Ok(total) => total,
        Err(code) => return code,
    };
    for entry in list_of(memory, list, buffers).into_iter().flatten() {
        let (place, len) = buffer_of(entry);
        state.write(file, &memory[place as usize..place as usize + len as usize]);
    }
    write_all(caller, [(count, &total.to_le_bytes())])
}

pub(super) fn fd_read(
    caller: &mut impl Caller,
    file: i32,
    list: i32,
    buffers: i32,
    count: i32,
) -> i32 {
    if file != 0 {
        return EBADF;
    }
    caller.charge(u64::from(buffers as u32));
    let (memory, state) = caller.parts();
    if let Err(code) = total(memory, list, buffers, count) {
        return code;
    }
    let before = state.read;
    for place in 0..buffers as u32 as usize {
        if state.read == state.stdin.len() {
            break;
        }
        // Read anew each time: a buffer may lie over the list.
        let entry = list as u32 as usize + 8 * place;
        let (to, len) = buffer_of(&memory[entry..entry + 8]);
        let left = &state.stdin[state.read..];
        let taken = left.len().min(len as usize);
        let Some(range) = within(memory, to, taken as u32) else { break };
        memory[range].copy_from_slice(&left[..taken]);
        state.read += taken;
    }
    let read = (state.read - before) as u32;
    write_all(caller, [(count, &read.to_le_bytes())])
}

pub(super) fn random_get(caller: &mut impl Caller, place: i32, len: i32) -> i32 {
    caller.charge(u64::from(len as u32) / 4);
    let (memory, state) = caller.parts();
    let Some(range) = within(memory, place as u32, len as u32) else { return EFAULT };
    for bytes in memory[range].chunks_mut(8) {
        bytes.copy_from_slice(&state.next_word().to_le_bytes()[..bytes.len()]);
    }
    SUCCESS
}

/// What a call ends with that calls `env.abort`, whose texts are a message and the name of a file.
pub(super) fn abort(caller: &mut impl Caller, texts: [i32; 2], line: i32, column: i32) -> Ended {
    let (memory, _) = caller.parts();
    let [message, file] = texts.map(|place| text(memory, place as u32).unwrap_or_default());
    Ended::Abort(of_abort(&message, &file, line as u32, column as u32))
}

/// A text of AssemblyScript.
fn text(memory: &[u8], place: u32) -> Option<String> {
    let len = within(memory, place.checked_sub(4)?, 4)?;
    let len = u32::from_le_bytes(memory[len].try_into().expect("4 bytes"));
    let units = (len as usize / 2).min(TEXT_UNITS_MAX);
    let bytes = &memory[within(memory, place, 2 * units as u32)?];
    let units: Vec<u16> =
        bytes.chunks_exact(2).map(|unit| u16::from_le_bytes([unit[0], unit[1]])).collect();
    Some(String::from_utf16_lossy(&units))
}
