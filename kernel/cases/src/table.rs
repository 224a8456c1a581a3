//! What a case is, and those that `tests/meaning/meaning.wat` has.

use std::collections::BTreeMap;
use std::sync::Arc;
use tequio_kernel::host::{Engine, Exhausted, Fault, Program};
use tequio_kernel::{Form, Shape, normalise, sha256, shape};

/// A kernel, and what comes of some tasks.
#[derive(Debug)]
pub struct Case {
    /// What it shows.
    pub name: String,
    /// Tasks of a block.
    pub block: usize,
    /// The job's data.
    pub data: Option<Arc<[u8]>>,
    /// Inputs and their outcomes.
    pub tasks: Vec<Task>,
    /// The module as it is computed.
    pub module: Vec<u8>,
    /// What it is.
    pub shape: Shape,
}

/// A task, and what comes of it.
#[derive(Debug)]
pub struct Task {
    /// JSON, as it is submitted.
    pub input: String,
    /// A result as JSON, or `error: ` and the words, or `gave up: ` and the words.
    pub outcome: String,
}

/// All cases of `meaning.wat`. A title begins with `;; # `, and is followed by what is said of the case, and its module.
///
/// # Panics
///
/// Panics if the file is wrong.
pub fn written() -> Vec<Case> {
    let cases = include_str!("../../tests/meaning/meaning.wat").split("\n;; # ").skip(1);
    cases.map(read).collect()
}

fn read(text: &str) -> Case {
    let (name, text) = text.split_once('\n').expect("a title has a line");
    let module = wat::parse_str(text).unwrap_or_else(|error| panic!("{name}: {error}"));
    let module = normalise(&module).unwrap_or_else(|error| panic!("{name}: {error}")).bytes;
    let mut case = Case::new(name.to_owned(), module);
    for line in text.lines().filter_map(|line| line.strip_prefix(";; ")) {
        if let Some(block) = line.strip_prefix("block ") {
            case.block = block.parse().expect("a block is a number");
        } else if let Some(data) = line.strip_prefix("data ") {
            let text: String = serde_json::from_str(data).expect("data is a string of JSON");
            case.data = Some(text.into_bytes().into());
        } else if let Some((input, outcome)) = line.split_once(" => ") {
            let (input, outcome) = (case.input(input.trim()), outcome.to_owned());
            case.tasks.push(Task { input, outcome });
        }
    }
    case
}

impl Case {
    /// A case without tasks, of a module that is normalised.
    ///
    /// # Panics
    ///
    /// Panics if the module is not.
    pub fn new(name: String, module: Vec<u8>) -> Case {
        let shape = shape(&module).unwrap_or_else(|error| panic!("{name}: {error}"));
        Case { name, block: 64, data: None, tasks: Vec::new(), module, shape }
    }

    /// The op's id.
    ///
    /// # Panics
    ///
    /// Panics if a parameter of the numbers form has no type.
    pub fn op(&self) -> String {
        let Shape { form, params, .. } = &self.shape;
        let (form, params) = match form {
            Form::Numbers { result, .. } => (result.to_string(), &params[..]),
            other => (other.name().to_owned(), &[][..]),
        };
        let params = params.iter().map(|param| {
            let kind = param.kind.expect("a number has a type");
            format!("{}={kind}", param.name)
        });
        let params = params.collect::<Vec<_>>().join(",");
        let data = self.data.as_ref().map(|data| format!("+{}", sha256(data)));
        let (module, data) = (sha256(&self.module), data.unwrap_or_default());
        format!("kernel:{module}{data}:{}:{form}:{params}", self.block)
    }

    /// Of the numbers form values are given, in order.
    pub fn input(&self, text: &str) -> String {
        if !matches!(self.shape.form, Form::Numbers { .. }) {
            return text.to_owned();
        }
        let fields = text.split(' ').zip(&self.shape.params);
        let fields = fields.map(|(value, param)| format!("\"{}\":{value}", param.name));
        format!("{{{}}}", fields.collect::<Vec<_>>().join(","))
    }

    /// Whether none of its tasks was given up, which others may not do.
    pub fn has_outcomes(&self) -> bool {
        !self.tasks.iter().any(|task| is_given_up(&task.outcome))
    }

    /// What an engine comes to.
    ///
    /// # Panics
    ///
    /// Panics if the engine does not take the module.
    pub fn computed_by(&self, engine: Engine) -> Vec<String> {
        let program = Program::compile_for(engine, &self.module)
            .unwrap_or_else(|error| panic!("{}: {error}", self.name));
        let blocks = self.tasks.chunks(self.block);
        blocks.flat_map(|block| self.block_of(&program, block)).collect()
    }

    fn block_of(&self, program: &Program, tasks: &[Task]) -> Vec<String> {
        let mut instance = None;
        let mut outcomes = Vec::new();
        for task in tasks {
            let args = self.args(&task.input);
            let mut made = match instance.take() {
                Some(made) => made,
                None => match program.instance(self.data.clone(), || false) {
                    Ok(made) => made,
                    Err(fault) => {
                        outcomes.push(shown(Err(fault)));
                        continue;
                    }
                },
            };
            outcomes.push(shown(made.run(&args, &task.input)));
            instance = Some(made);
        }
        outcomes
    }

    /// Of the numbers form, the values of an input.
    fn args(&self, input: &str) -> Vec<f64> {
        if !matches!(self.shape.form, Form::Numbers { .. }) {
            return Vec::new();
        }
        let input: BTreeMap<String, f64> = serde_json::from_str(input).expect("values are numbers");
        self.shape.params.iter().map(|param| input[&param.name]).collect()
    }
}

/// Whether a task was given up, which is no outcome.
pub fn is_given_up(outcome: &str) -> bool {
    outcome.starts_with("gave up: ")
}

/// As [`Task::outcome`] has it.
///
/// # Panics
///
/// Panics if time was up: nobody stops these.
pub fn shown(outcome: Result<String, Fault>) -> String {
    match outcome {
        Ok(result) => result,
        Err(Fault::Error(error)) => format!("error: {error}"),
        Err(Fault::Exhausted(exhausted @ (Exhausted::Stack | Exhausted::Memory))) => {
            format!("gave up: {exhausted}")
        }
        Err(Fault::Exhausted(Exhausted::Time)) => unreachable!("nobody stops it"),
    }
}
