//! A living instance, in whichever engine: its calls, and what they end with.

use super::Fault;
use super::machine::{Given, Machine};
use super::wasi::{Ended, State};
use crate::result::{self, RESULT_BYTES_MAX};
use crate::shape::ValueType;
use std::ops::Range;
use tequio_protocol::outcome::Outcome;

/// What is asked of an instance.
#[derive(Clone, Copy, Debug)]
pub(super) enum Task<'a> {
    /// `run` of the numbers form, whose values are checked.
    Numbers { params: &'a [ValueType], args: &'a [f64] },
    /// `run` of the JSON form.
    Json { input: &'a str },
    /// `_start`.
    Command,
}

/// An instance, with what hosts call of it.
pub(super) struct Live<M: Machine> {
    machine: M,
    run: Option<M::Function>,
    alloc: Option<M::Function>,
    /// Kept for what they hold.
    args: Vec<M::Value>,
    is_spent: bool,
}

impl<M: Machine> Live<M> {
    pub(super) fn new(mut machine: M) -> Live<M> {
        let run = machine.function("run").or_else(|| machine.function("_start"));
        let alloc = machine.function("alloc");
        Live { machine, run, alloc, args: Vec::new(), is_spent: false }
    }

    /// Whether a call did not return, so that nobody knows what state it is in.
    pub(super) fn is_spent(&self) -> bool {
        self.is_spent
    }

    pub(super) fn initialize(&mut self, data: Option<&[u8]>) -> Result<(), Fault> {
        if let Some(initialize) = self.machine.function("_initialize") {
            self.call(initialize, &[], &mut [])?;
        }
        let Some(data) = data else { return Ok(()) };
        let Some(init) = self.machine.function("init") else { return Ok(()) };
        let given = self.hand_over(data)?;
        match self.call_for_integer(init, &given)? {
            0 => Ok(()),
            code => Err(Fault::Error(result::of_init(code))),
        }
    }

    pub(super) fn run(&mut self, task: Task<'_>) -> Result<String, Fault> {
        match task {
            Task::Numbers { params, args } => self.numbers(params, args),
            Task::Json { input } => self.json(input),
            Task::Command => self.command(),
        }
    }

    fn numbers(&mut self, params: &[ValueType], args: &[f64]) -> Result<String, Fault> {
        let mut given = std::mem::take(&mut self.args);
        given.clear();
        given.extend(params.iter().zip(args).map(|(ty, value)| M::value(*ty, *value)));
        let mut results = [zero::<M>()];
        let called = self.call(self.run_function(), &given, &mut results);
        self.args = given;
        called?;
        Ok(match M::number(&results[0]) {
            Given::Integer(value) => result::of_integer(value),
            Given::Float(value) => result::of_float(value),
        })
    }

    fn json(&mut self, input: &str) -> Result<String, Fault> {
        let given = self.hand_over(input.as_bytes())?;
        let place = self.call_for_integer(self.run_function(), &given)? as u32;
        if place == 0 {
            return Ok("null".to_owned());
        }
        let memory = self.machine.memory();
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

    fn command(&mut self) -> Result<String, Fault> {
        let code = match self.call_or_end(self.run_function(), &[], &mut [])? {
            None => 0,
            Some(Ended::Exit(code)) => code,
            Some(Ended::Abort(words)) => return Err(Fault::Error(words)),
        };
        let State { stdout, stderr, .. } = self.machine.state();
        of(result::of_command(code, stdout, stderr))
    }

    /// Asks the module for a place, writes bytes there, and gives the place and their length.
    fn hand_over(&mut self, bytes: &[u8]) -> Result<[M::Value; 2], Fault> {
        let outside = || Fault::Error(result::ALLOC_OUTSIDE.to_owned());
        let len = i32::try_from(bytes.len()).map_err(|_| outside())?;
        let alloc = self.alloc.expect("the shape says that alloc is exported");
        let place = self.call_for_integer(alloc, &[integer::<M>(len)])?;
        let memory = self.machine.memory();
        let room = memory.get_mut(range(place as u32, len as u32)).ok_or_else(outside)?;
        room.copy_from_slice(bytes);
        Ok([integer::<M>(place), integer::<M>(len)])
    }

    fn run_function(&self) -> M::Function {
        self.run.expect("the shape says that run or _start is exported")
    }

    fn call_for_integer(&mut self, function: M::Function, args: &[M::Value]) -> Result<i32, Fault> {
        let mut results = [zero::<M>()];
        self.call(function, args, &mut results)?;
        match M::number(&results[0]) {
            Given::Integer(value) => Ok(value as i32),
            Given::Float(_) => unreachable!("the shape says that it gives an i32"),
        }
    }

    /// Calls a function that is to return.
    fn call(
        &mut self,
        function: M::Function,
        args: &[M::Value],
        results: &mut [M::Value],
    ) -> Result<(), Fault> {
        match self.call_or_end(function, args, results)? {
            None => Ok(()),
            Some(Ended::Exit(code)) => {
                Err(Fault::Error(result::of_exit(code, &self.machine.state().stderr)))
            }
            Some(Ended::Abort(words)) => Err(Fault::Error(words)),
        }
    }

    /// Calls a function. Gives `None` where it returned.
    fn call_or_end(
        &mut self,
        function: M::Function,
        args: &[M::Value],
        results: &mut [M::Value],
    ) -> Result<Option<Ended>, Fault> {
        let called = self.machine.call(function, args, results);
        self.is_spent = !matches!(called, Ok(None));
        called
    }
}

fn integer<M: Machine>(value: i32) -> M::Value {
    M::value(ValueType::I32, f64::from(value))
}

/// What a result is before there is one.
fn zero<M: Machine>() -> M::Value {
    integer::<M>(0)
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
