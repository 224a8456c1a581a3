//! The cases of `meaning.wat`, which every host is to compute alike.

use tequio_kernel::host::Program;
use tequio_kernel::{Form, Shape, normalise, sha256};

/// A kernel, and what comes of some tasks.
pub(super) struct Case {
    /// What it shows.
    pub(super) name: &'static str,
    /// Tasks of a block.
    pub(super) block: usize,
    /// The job's data.
    pub(super) data: Option<Vec<u8>>,
    /// Inputs and their outcomes.
    pub(super) tasks: Vec<Task>,
    /// The module as it is computed.
    pub(super) module: Vec<u8>,
    /// What it is.
    pub(super) program: Program,
}

/// A task, and what comes of it.
pub(super) struct Task {
    /// JSON, as it is submitted.
    pub(super) input: String,
    /// A result as JSON, or `error: ` and the words, or `gave up: ` and the words.
    pub(super) outcome: &'static str,
}

/// All cases. A title begins with `;; # `, and is followed by what is said of the case, and its module.
pub(super) fn cases() -> Vec<Case> {
    let cases = include_str!("meaning.wat").split("\n;; # ").skip(1);
    cases.map(read).collect()
}

fn read(text: &'static str) -> Case {
    let (name, text) = text.split_once('\n').expect("a title has a line");
    let module = wat::parse_str(text).unwrap_or_else(|error| panic!("{name}: {error}"));
    let module = normalise(&module).unwrap_or_else(|error| panic!("{name}: {error}")).bytes;
    let program = Program::compile(&module).unwrap_or_else(|error| panic!("{name}: {error}"));
    let mut case = Case { name, block: 64, data: None, tasks: Vec::new(), module, program };
    for line in text.lines().filter_map(|line| line.strip_prefix(";; ")) {
        if let Some(block) = line.strip_prefix("block ") {
            case.block = block.parse().expect("a block is a number");
        } else if let Some(data) = line.strip_prefix("data ") {
            let text: String = serde_json::from_str(data).expect("data is a string of JSON");
            case.data = Some(text.into_bytes());
        } else if let Some((input, outcome)) = line.split_once(" => ") {
            case.tasks.push(Task { input: case.input(input.trim()), outcome });
        }
    }
    case
}

impl Case {
    /// The op's id.
    pub(super) fn op(&self) -> String {
        let Shape { form, params, .. } = self.program.shape();
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
    fn input(&self, text: &str) -> String {
        if !matches!(self.program.shape().form, Form::Numbers { .. }) {
            return text.to_owned();
        }
        let params = self.program.shape().params.iter();
        let fields = text.split(' ').zip(params);
        let fields = fields.map(|(value, param)| format!("\"{}\":{value}", param.name));
        format!("{{{}}}", fields.collect::<Vec<_>>().join(","))
    }
}
