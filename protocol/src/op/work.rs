//! What an op is given, and what it gives.

use super::{Args, GaveUp, PARAMS_MAX, Param, Reader, args};
use crate::grid::Grid;
use crate::number::Number;
use crate::outcome::{Outcome, Outcomes};
use crate::values::Values;
use std::ops::Range;

/// What the tasks of a job, or of a part of one, are computed of.
#[derive(Clone, Copy, Debug)]
pub enum Inputs<'a> {
    /// A grid, whose axes are the op's parameters: a task's index is its input.
    Grid(&'a Grid),
    /// A list, each of whose elements the op takes.
    List {
        /// The index of the first one's task.
        first: u64,
        /// One a task.
        inputs: &'a Values,
    },
}

impl<'a> Inputs<'a> {
    /// Calls `task` with the values of each of these tasks, in order. One that cannot be read (nobody who
    /// looked at what came in lets it pass) ends with an error.
    pub fn each(
        self,
        params: &[Param],
        tasks: Range<u64>,
        computed: &mut Computed,
        mut task: impl FnMut(&Args, &mut Computed),
    ) {
        match self {
            Inputs::Grid(grid) => grid.each(params, tasks, |args| task(args, computed)),
            Inputs::List { first, inputs } => {
                let places = (tasks.start - first) as usize..(tasks.end - first) as usize;
                each_of_list(inputs, params, places, computed, &mut task);
            }
        }
    }

    /// The values of one task's parameters; as they were where its input cannot be read.
    pub fn args(self, params: &[Param], index: u64, args: &mut Args) {
        // What is added of an input that cannot be read is not looked at.
        let aside = &mut Computed::with_capacity(0);
        self.each(params, index..index + 1, aside, |values, _| *args = *values);
    }

    /// The input of one task as text, in the order of `params`.
    pub fn text(self, params: &[Param], index: u64) -> String {
        match self {
            Inputs::Grid(grid) => {
                let mut values = [0.0; PARAMS_MAX];
                grid.each(params, index..index + 1, |args| values = *args);
                args::write(params, &values)
            }
            Inputs::List { first, inputs } => inputs.get((index - first) as usize).to_owned(),
        }
    }
}

/// Not a copy for each op: to read an input takes far longer than to call a function.
fn each_of_list(
    inputs: &Values,
    params: &[Param],
    places: Range<usize>,
    computed: &mut Computed,
    task: &mut dyn FnMut(&Args, &mut Computed),
) {
    let mut reader = Reader::new(params);
    for place in places {
        match reader.read(inputs.get(place)) {
            Ok(args) => task(args, computed),
            Err(error) => computed.push_error(&error.to_string()),
        }
    }
}

/// Outcomes that an op comes to, one after the other.
#[derive(Debug)]
pub struct Computed {
    /// A JSON array whose bracket is open.
    json: Vec<u8>,
    starts: Vec<u32>,
    errors: Vec<(u32, String)>,
    /// The newest results, which are not written yet: so many.
    numbers: [f64; NUMBERS],
    unwritten: usize,
    gave_up: Option<GaveUp>,
}

/// Numbers that are written together.
const NUMBERS: usize = 64;

impl Computed {
    /// No outcomes yet, of so many that are expected.
    pub fn with_capacity(tasks: usize) -> Computed {
        // As long as most numbers: 17 digits, a point and a comma.
        let mut json = Vec::with_capacity(2 + tasks * 19);
        json.push(b'[');
        Computed {
            json,
            starts: Vec::with_capacity(tasks),
            errors: Vec::new(),
            numbers: [0.0; NUMBERS],
            unwritten: 0,
            gave_up: None,
        }
    }

    /// The next task's result: any value that serialises as JSON. Floats are [`Number`]s, or those that are
    /// not finite would be `null`.
    pub fn push(&mut self, result: &impl serde::Serialize) {
        self.begin();
        serde_json::to_writer(&mut self.json, result).expect("a result has string keys");
    }

    /// The next task's result, a number. It is written together with its neighbours, in a loop that does
    /// nothing else: a quarter faster in a browser than each where it is computed.
    pub fn push_number(&mut self, number: f64) {
        if self.unwritten == NUMBERS {
            self.write_numbers();
        }
        self.numbers[self.unwritten] = number;
        self.unwritten += 1;
    }

    /// The next task has no result, and why: the same words wherever it is computed.
    pub fn push_error(&mut self, error: &str) {
        self.begin();
        self.json.extend_from_slice(b"null");
        self.errors.push((self.starts.len() as u32 - 1, error.to_owned()));
    }

    /// The next task's outcome, which `run` comes to; nothing more once one gave up.
    pub fn push_run(&mut self, run: impl FnOnce() -> Result<Outcome, GaveUp>) {
        if self.gave_up.is_some() {
            return;
        }
        match run() {
            Ok(Outcome::Result(json)) => {
                self.begin();
                self.json.extend_from_slice(json.as_bytes());
            }
            Ok(Outcome::Error(error)) => self.push_error(&error),
            Err(gave_up) => self.give_up(gave_up),
        }
    }

    /// There will be no outcomes: they could not be computed here.
    pub(super) fn give_up(&mut self, gave_up: GaveUp) {
        self.gave_up = Some(gave_up);
    }

    /// Whether there will be no outcomes.
    pub fn has_given_up(&self) -> bool {
        self.gave_up.is_some()
    }

    fn begin(&mut self) {
        if self.unwritten > 0 {
            self.write_numbers();
        }
        self.begin_written();
    }

    #[inline(never)]
    fn write_numbers(&mut self) {
        for place in 0..std::mem::take(&mut self.unwritten) {
            self.begin_written();
            let written = serde_json::to_writer(&mut self.json, &Number(self.numbers[place]));
            written.expect("a number serialises");
        }
    }

    fn begin_written(&mut self) {
        if !self.starts.is_empty() {
            self.json.push(b',');
        }
        self.starts.push(self.json.len() as u32);
    }

    /// All of them.
    ///
    /// # Errors
    ///
    /// Returns why some could not be computed here. An op that is built in never gives up.
    pub fn into_outcomes(mut self) -> Result<Outcomes, GaveUp> {
        if let Some(gave_up) = self.gave_up {
            return Err(gave_up);
        }
        self.write_numbers();
        self.json.push(b']');
        let json = String::from_utf8(self.json).expect("JSON is UTF-8");
        Ok(Outcomes::of_parts(Values::of_parts(json, self.starts), self.errors))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outcomes_keep_their_order_however_they_are_written() {
        let mut computed = Computed::with_capacity(0);
        let mut expected = Outcomes::default();
        for index in 0..3 * NUMBERS {
            if index % 1500 == 7 {
                computed.push(&[index]);
                computed.push_error("no");
                expected.push(Outcome::Result(&format!("[{index}]")));
                expected.push(Outcome::Error("no"));
            }
            computed.push_number(index as f64);
            expected.push(Outcome::Result(&format!("{index}.0")));
        }
        assert_eq!(computed.into_outcomes(), Ok(expected));
    }
}
