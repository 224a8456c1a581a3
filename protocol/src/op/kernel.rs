//! Kernels: ops that people bring as WebAssembly. Such an op's id says all that a worker has to know of it: which
//! module, which data, how many tasks an instance lives for, and what the parameters are.
//!
//! Nothing here runs WebAssembly. A program that can sets its [`Engine`].

use super::{Args, Audits, Computed, Inputs, Kind, Op, PARAMS_MAX, Param};
use crate::limits::{FRAME_RESULTS_MAX, INTEGER_MAX, KERNELS_KNOWN_MAX, NAME_CHARS_MAX};
use crate::number::Number;
use crate::outcome::Outcome;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::ops::Range;
use std::str::FromStr;
use std::sync::{OnceLock, PoisonError, RwLock};

/// What an op's id begins with, if the op is a kernel.
const PREFIX: &str = "kernel:";

/// The most tasks of a block: as many as a message may have results of.
pub const BLOCK_MAX: u64 = FRAME_RESULTS_MAX as u64;

/// Tasks of the numbers form that a block is given at once: calls of it are few, and what they take is small.
const NUMBERS_AT_ONCE: u64 = 256;

/// What a worker says in its hello if it can compute kernels.
pub const SKILL: &str = "kernel";

/// What an op is that is a kernel: `kernel:MODULE[+DATA]:BLOCK:FORM:NAME=KIND,...`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KernelId {
    /// The SHA-256 of the module.
    pub module: Sha256,
    /// The SHA-256 of the data that all instances are given, if there is any.
    pub data: Option<Sha256>,
    /// Tasks in a block, which one instance computes: a power of two.
    pub block: u64,
    /// How the module is called.
    pub form: Form,
    /// Its parameters, in order: the axes of a grid. Empty if a task's input is any JSON value.
    pub params: Vec<(String, ValueType)>,
}

/// A SHA-256 in 64 lower-case hexadecimal digits.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Sha256(String);

/// How a kernel is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// Numbers in, a number of this type out.
    Numbers(ValueType),
    /// JSON in, JSON out.
    Json,
    /// A WASI command: a line in, a line out.
    Command,
}

/// What a parameter's values are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ValueType {
    /// Integers of 32 bits with a sign.
    I32,
    /// Integers; 2^53 - 1 at most, which JSON keeps.
    I64,
    /// Finite numbers, rounded to 32 bits.
    F32,
    /// Finite numbers.
    F64,
}

/// A kernel as an op. Each is there once in a process, for as long as that runs.
#[derive(Debug)]
pub struct Kernel {
    name: &'static str,
    id: KernelId,
    params: &'static [Param],
}

/// What runs kernels in this program.
pub trait Engine: Sync {
    /// Begins a block: an instance, which is initialised.
    ///
    /// # Errors
    ///
    /// Returns why none could be had here. It may be had elsewhere.
    fn begin<'a>(&'a self, kernel: &'a Kernel) -> Result<Box<dyn Block + 'a>, GaveUp>;
}

/// A block that is being computed.
pub trait Block {
    /// Computes the next task. `args` has a value for each parameter, and `input` the same as JSON.
    ///
    /// # Errors
    ///
    /// Returns why the task has no outcome here. It may have one elsewhere.
    fn run(&mut self, args: &[f64], input: &str) -> Result<Outcome, GaveUp>;

    /// Computes the next tasks of the numbers form, some at once: `args` has `params` values for each, one task
    /// after the other. Nothing more once one gave up.
    fn run_numbers(&mut self, params: usize, args: &[f64], computed: &mut Computed) {
        for args in args.chunks_exact(params) {
            computed.push_run(|| self.run(args, ""));
        }
    }
}

/// Why a task could not be computed here, in words for people: for want of time, of memory, or of the module.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct GaveUp(pub String);

static ENGINE: OnceLock<&'static dyn Engine> = OnceLock::new();

/// The kernels that this process knows, in the order of their ids.
static KNOWN: RwLock<Vec<&'static Kernel>> = RwLock::new(Vec::new());

/// Says what runs kernels in this program. What is said first stands.
pub fn set_engine(engine: &'static dyn Engine) {
    // It is the same each time.
    ENGINE.set(engine).ok();
}

/// The kernel of this id, if [`adopt`] was told of it.
pub(super) fn named(name: &str) -> Option<&'static dyn Op> {
    let known = KNOWN.read().unwrap_or_else(PoisonError::into_inner);
    let place = known.binary_search_by_key(&name, |kernel| kernel.name).ok()?;
    Some(known[place])
}

/// The hash of an id's module, if it is a kernel's.
pub(super) fn module_of(name: &str) -> Option<&str> {
    let sha256 = name.strip_prefix(PREFIX)?.get(..64)?;
    sha256.parse::<Sha256>().ok().map(|_| sha256)
}

/// The kernel of this id, which is known from now on. `None` if it is no kernel's, or if there are
/// [`KERNELS_KNOWN_MAX`] already.
pub(super) fn adopt(name: &str) -> Option<&'static dyn Op> {
    if let Some(kernel) = named(name) {
        return Some(kernel);
    }
    let id: KernelId = name.parse().ok()?;
    let mut known = KNOWN.write().unwrap_or_else(PoisonError::into_inner);
    match known.binary_search_by_key(&name, |kernel| kernel.name) {
        Ok(place) => Some(known[place]),
        Err(_) if known.len() >= KERNELS_KNOWN_MAX => None,
        Err(place) => {
            // An op is used for as long as a process runs, and is small.
            let kernel: &'static Kernel = Box::leak(Box::new(Kernel::new(id)));
            known.insert(place, kernel);
            Some(kernel)
        }
    }
}

impl Kernel {
    /// What it holds is never let go of, see [`adopt`].
    fn new(id: KernelId) -> Kernel {
        let param = |(name, of): &(String, ValueType)| Param {
            name: name.clone().leak(),
            kind: of.kind(),
            example: 1.0,
        };
        let params: Vec<Param> = id.params.iter().map(param).collect();
        Kernel { name: id.to_string().leak(), params: params.leak(), id }
    }

    /// What it is.
    pub fn id(&self) -> &KernelId {
        &self.id
    }

    fn text(&self, args: &[f64]) -> String {
        input_text(self.params.iter().map(|param| param.name).zip(args.iter().copied()))
    }

    /// Computes tasks of one block.
    fn compute_block(&self, tasks: Range<u64>, inputs: Inputs<'_>, computed: &mut Computed) {
        let Some(engine) = ENGINE.get() else {
            return computed.give_up(GaveUp("this program computes no kernels".to_owned()));
        };
        let mut block = match engine.begin(self) {
            Ok(block) => block,
            Err(gave_up) => return computed.give_up(gave_up),
        };
        let count = self.params.len();
        match self.id.form {
            _ if count == 0 => {
                for index in tasks {
                    computed.push_run(|| block.run(&[], &inputs.text(&[], index)));
                }
            }
            Form::Numbers(_) => self.compute_numbers(&mut *block, tasks, inputs, computed),
            Form::Json | Form::Command => {
                self.each(inputs, tasks, computed, &mut |args, computed| {
                    computed.push_run(|| block.run(args, &self.text(args)));
                });
            }
        }
    }

    /// Computes tasks of one block in the numbers form, some at once.
    fn compute_numbers(
        &self,
        block: &mut dyn Block,
        tasks: Range<u64>,
        inputs: Inputs<'_>,
        computed: &mut Computed,
    ) {
        let count = self.params.len();
        let mut values = Vec::with_capacity(count * NUMBERS_AT_ONCE as usize);
        let mut first = tasks.start;
        while first < tasks.end && !computed.has_given_up() {
            let some = first..(first + NUMBERS_AT_ONCE).min(tasks.end);
            first = some.end;
            values.clear();
            let unread = &mut Computed::with_capacity(0);
            self.each(inputs, some.clone(), unread, &mut |args, _| values.extend_from_slice(args));
            if values.len() as u64 == (some.end - some.start) * count as u64 {
                block.run_numbers(count, &values, computed);
            } else {
                // Some of them cannot be read, and are errors in between.
                self.each(inputs, some, computed, &mut |args, computed| {
                    block.run_numbers(count, args, computed);
                });
            }
        }
    }

    /// Calls `task` with the values of each of these tasks, see [`Inputs::each`]. One copy of that is enough.
    fn each(
        &self,
        inputs: Inputs<'_>,
        tasks: Range<u64>,
        computed: &mut Computed,
        task: &mut dyn FnMut(&[f64], &mut Computed),
    ) {
        let count = self.params.len();
        inputs.each(self.params, tasks, computed, |args: &Args, computed| {
            task(&args[..count], computed);
        });
    }
}

/// An input as JSON, as a kernel gets it, of named values: integers without a point.
pub fn input_text<'a>(values: impl Iterator<Item = (&'a str, f64)>) -> String {
    let fields = values.map(|(name, value)| {
        let is_integer = value.fract() == 0.0 && value.abs() <= INTEGER_MAX as f64;
        match is_integer {
            true => format!("\"{name}\":{}", value as i64),
            false => format!("\"{name}\":{}", Number(value)),
        }
    });
    format!("{{{}}}", fields.collect::<Vec<_>>().join(","))
}

impl Op for Kernel {
    fn name(&self) -> &'static str {
        self.name
    }

    fn params(&self) -> &'static [Param] {
        self.params
    }

    fn kernel(&self) -> Option<&Kernel> {
        Some(self)
    }

    fn compute(&self, tasks: Range<u64>, inputs: Inputs<'_>, computed: &mut Computed) {
        let mut first = tasks.start;
        while first < tasks.end && !computed.has_given_up() {
            let end = (first - first % self.id.block + self.id.block).min(tasks.end);
            self.compute_block(first..end, inputs, computed);
            first = end;
        }
    }

    fn audits(&self) -> Audits {
        Audits::OnThreads
    }
}

impl ValueType {
    const ALL: [ValueType; 4] = [ValueType::I32, ValueType::I64, ValueType::F32, ValueType::F64];

    /// The type of this name.
    pub fn named(name: &str) -> Option<ValueType> {
        ValueType::ALL.into_iter().find(|known| known.name() == name)
    }

    /// Whether its values are integers.
    pub fn is_integer(self) -> bool {
        matches!(self, ValueType::I32 | ValueType::I64)
    }

    /// As WebAssembly's text has it.
    pub fn name(self) -> &'static str {
        match self {
            ValueType::I32 => "i32",
            ValueType::I64 => "i64",
            ValueType::F32 => "f32",
            ValueType::F64 => "f64",
        }
    }

    /// What values a parameter of this type takes.
    pub fn kind(self) -> Kind {
        match self {
            ValueType::I32 => Kind::Integer { min: i32::MIN.into(), max: i32::MAX.into() },
            ValueType::I64 => Kind::Integer { min: -(INTEGER_MAX as i64), max: INTEGER_MAX as i64 },
            ValueType::F32 | ValueType::F64 => Kind::Float,
        }
    }
}

impl fmt::Display for ValueType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl Form {
    const OTHERS: [Form; 2] = [Form::Json, Form::Command];

    fn all() -> impl Iterator<Item = Form> {
        ValueType::ALL.into_iter().map(Form::Numbers).chain(Form::OTHERS)
    }

    /// As an id has it: of numbers, the result's type.
    pub fn name(self) -> &'static str {
        match self {
            Form::Numbers(result) => result.name(),
            Form::Json => "json",
            Form::Command => "command",
        }
    }
}

impl Sha256 {
    /// The digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Why a text names no kernel.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct KernelIdError(&'static str);

impl FromStr for Sha256 {
    type Err = KernelIdError;

    fn from_str(text: &str) -> Result<Sha256, KernelIdError> {
        let is_digit = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
        match text.len() == 64 && text.bytes().all(is_digit) {
            true => Ok(Sha256(text.to_owned())),
            false => Err(KernelIdError("a SHA-256 has 64 digits of 0-9 and a-f")),
        }
    }
}

impl fmt::Display for Sha256 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Whether a parameter of a kernel may be called so: a letter or `_`, then letters, digits and `_`.
pub fn is_param_name(name: &str) -> bool {
    let mut chars = name.chars();
    chars.next().is_some_and(|first| first.is_ascii_alphabetic() || first == '_')
        && chars.all(|c| c.is_ascii_alphanumeric() || c == '_')
        && name.len() <= NAME_CHARS_MAX
}

impl fmt::Display for KernelId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let KernelId { module, data, block, form, params } = self;
        write!(f, "{PREFIX}{module}")?;
        if let Some(data) = data {
            write!(f, "+{data}")?;
        }
        write!(f, ":{block}:{}:", form.name())?;
        let params = params.iter().map(|(name, of)| format!("{name}={}", of.name()));
        f.write_str(&params.collect::<Vec<_>>().join(","))
    }
}

/// Reads just what [`KernelId`]'s `Display` writes: equal kernels have equal ids.
impl FromStr for KernelId {
    type Err = KernelIdError;

    fn from_str(text: &str) -> Result<KernelId, KernelIdError> {
        let rest = text.strip_prefix(PREFIX).ok_or(KernelIdError("it is no kernel's id"))?;
        let [hashes, block, form, params] = *rest.split(':').collect::<Vec<_>>().as_slice() else {
            return Err(KernelIdError("a kernel's id has a hash, a block, a form and parameters"));
        };
        let (module, data) = match hashes.split_once('+') {
            Some((module, data)) => (module, Some(data.parse()?)),
            None => (hashes, None),
        };
        let form = Form::all().find(|known| known.name() == form);
        let id = KernelId {
            module: module.parse()?,
            data,
            block: block.parse().map_err(|_| KernelIdError("a block is a number of tasks"))?,
            form: form.ok_or(KernelIdError("a form is a number's type, json or command"))?,
            params: read_params(params)?,
        };
        let is_block = id.block.is_power_of_two() && id.block <= BLOCK_MAX;
        if !is_block || id.to_string() != text {
            return Err(KernelIdError("a block is a power of two, written without zeros in front"));
        }
        Ok(id)
    }
}

fn read_params(text: &str) -> Result<Vec<(String, ValueType)>, KernelIdError> {
    let mut params: Vec<(String, ValueType)> = Vec::new();
    for param in text.split(',').filter(|param| !param.is_empty()) {
        let (name, of) = param.split_once('=').ok_or(KernelIdError("a parameter has a type"))?;
        let of =
            ValueType::named(of).ok_or(KernelIdError("a parameter is i32, i64, f32 or f64"))?;
        if !is_param_name(name) || params.iter().any(|(before, _)| before == name) {
            return Err(KernelIdError("parameters have different names, of letters and digits"));
        }
        params.push((name.to_owned(), of));
    }
    match params.len() <= PARAMS_MAX {
        true => Ok(params),
        false => Err(KernelIdError("a kernel has at most 8 parameters")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::op::OpId;
    use crate::piece::Piece;

    const MODULE: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

    #[test]
    fn an_id_says_all_of_a_kernel() {
        let json = KernelId {
            module: MODULE.parse().unwrap(),
            data: None,
            block: 1,
            form: Form::Json,
            params: Vec::new(),
        };
        let params = vec![("n".to_owned(), ValueType::I64), ("x_1".to_owned(), ValueType::F32)];
        let data = Some(MODULE.parse().unwrap());
        let numbers = KernelId {
            block: 64,
            form: Form::Numbers(ValueType::F64),
            params,
            data,
            ..json.clone()
        };
        for (id, text) in [
            (json, format!("kernel:{MODULE}:1:json:")),
            (numbers, format!("kernel:{MODULE}+{MODULE}:64:f64:n=i64,x_1=f32")),
        ] {
            assert_eq!(id.to_string(), text);
            assert_eq!(text.parse(), Ok(id));
        }
        for text in [
            "collatz",
            "kernel:",
            &format!("kernel:{MODULE}:1:json"),
            &format!("kernel:{MODULE}:01:json:"),
            &format!("kernel:{MODULE}:3:json:"),
            &format!("kernel:{MODULE}:1:i32:n=i64,"),
            &format!("kernel:{MODULE}:1:i32:n=i64,n=i64"),
            &format!("kernel:{MODULE}:1:i32:n=i128"),
            &format!("kernel:{MODULE}:1:i32:1n=i32"),
            &format!("kernel:{}:1:json:", MODULE.to_uppercase()),
        ] {
            assert!(text.parse::<KernelId>().is_err(), "{text}");
        }
    }

    #[test]
    fn only_what_is_adopted_is_known_and_that_once() {
        let id = OpId::new(&format!("kernel:{MODULE}:4:f64:known=f64"));
        assert_eq!(id.known(), None);
        let op = id.adopt().unwrap();
        assert_eq!(id.known(), Some(op));
        assert!(std::ptr::addr_eq(id.adopt().unwrap(), op));
        assert_eq!(op.params()[0].name, "known");
        assert_eq!(OpId::new("kernel:abc").adopt(), None);
    }

    /// Says which instance computed a task, and the how-manieth it was there.
    #[derive(Debug)]
    struct Counts;

    struct Count(u64);

    impl Engine for Counts {
        fn begin<'a>(&'a self, _: &'a Kernel) -> Result<Box<dyn Block + 'a>, GaveUp> {
            Ok(Box::new(Count(0)))
        }
    }

    impl Block for Count {
        fn run(&mut self, args: &[f64], input: &str) -> Result<Outcome, GaveUp> {
            self.0 += 1;
            match args {
                [13.0] => Err(GaveUp("out of memory".to_owned())),
                [7.0] => Ok(Outcome::Error("trap: unreachable".to_owned())),
                _ => Ok(Outcome::Result(format!("[{},{input:?}]", self.0))),
            }
        }
    }

    #[test]
    fn each_block_has_an_instance_of_its_own_and_what_gives_up_has_no_outcomes() {
        set_engine(&Counts);
        let op = OpId::new(&format!("kernel:{MODULE}:4:json:n=i64")).adopt().unwrap();
        let grid = serde_json::from_str(r#"{"n":"0..100"}"#).unwrap();
        let piece = |first, count| {
            let inputs = crate::message::LeaseInputs::Grid(Clone::clone(&grid));
            Piece { op, first, count, inputs }.try_compute()
        };
        let outcomes = piece(4, 6).unwrap();
        let shown: Vec<String> = outcomes.iter().map(|outcome| outcome.to_string()).collect();
        assert_eq!(shown[0], r#"[1,"{\"n\":4}"]"#);
        assert_eq!(shown[3], "error: trap: unreachable");
        assert_eq!(shown[4..], [r#"[1,"{\"n\":8}"]"#, r#"[2,"{\"n\":9}"]"#]);
        assert_eq!(piece(12, 2), Err(GaveUp("out of memory".to_owned())));
        let any = OpId::new(&format!("kernel:{MODULE}:4:json:")).adopt().unwrap();
        let outcomes = Piece::of_one(any, r#"["a",1]"#).compute();
        assert_eq!(outcomes.get(0).to_string(), r#"[1,"[\"a\",1]"]"#);
    }

    #[test]
    fn numbers_are_computed_some_at_once_and_errors_stay_in_their_places() {
        set_engine(&Counts);
        let op = OpId::new(&format!("kernel:{MODULE}:1024:f64:n=i64")).adopt().unwrap();
        let count = 2 * NUMBERS_AT_ONCE as usize;
        let mut inputs = vec![r#"{"n":1}"#; count];
        inputs[3] = r#"{"n":1.5}"#;
        inputs[count - 1] = r#"{"n":7}"#;
        let inputs = crate::message::LeaseInputs::List(inputs.into_iter().collect());
        let outcomes = Piece { op, first: 0, count: count as u64, inputs }.try_compute().unwrap();
        let shown: Vec<String> = outcomes.iter().map(|outcome| outcome.to_string()).collect();
        assert_eq!(shown.len(), count);
        assert_eq!(shown[2], r#"[3,""]"#);
        assert!(shown[3].starts_with("error: "), "{}", shown[3]);
        assert_eq!(shown[4], r#"[4,""]"#);
        assert_eq!(shown[count - 2], format!(r#"[{},""]"#, count - 2));
        assert_eq!(shown[count - 1], "error: trap: unreachable");
    }
}
