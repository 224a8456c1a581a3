//! Kernels in a slot: `www/js/kernel.js` runs them by the rules of `tequio_kernel::host`, and what they give becomes
//! text here.

use tequio_kernel::KernelParam;
use tequio_kernel::result::{self, Trap};
use tequio_protocol::op::kernel::{self, Block, Form, GaveUp, Kernel};
use tequio_protocol::op::{Computed, Op};
use tequio_protocol::outcome::Outcome;
use wasm_bindgen::JsValue;
use wasm_bindgen::prelude::wasm_bindgen;

// `www/js/kernel-slot.js` makes it global.
#[wasm_bindgen(js_namespace = tequioKernels)]
extern "C" {
    /// A block of tasks.
    type Running;

    /// How a call ended that gave no number.
    type Ended;

    fn keep(kernel: &JsValue);

    /// `undefined` if the kernel is not kept. The memory is this program's own.
    fn begin(name: &str, memory: &JsValue) -> Option<Running>;

    /// Makes the block's instance. `undefined` if there is one now.
    #[wasm_bindgen(method)]
    fn make(this: &Running) -> Option<Ended>;

    /// How many numbers `run` takes.
    #[wasm_bindgen(method, getter)]
    fn takes(this: &Running) -> usize;

    /// Computes tasks until one ends otherwise, and gives how many it has computed. An integer is in the result's
    /// bits.
    #[wasm_bindgen(method)]
    fn numbers(this: &Running, args: &[f64], results: &mut [f64]) -> usize;

    /// How the task behind those ended.
    #[wasm_bindgen(method, getter)]
    fn ended(this: &Running) -> Option<Ended>;

    #[wasm_bindgen(method)]
    fn json(this: &Running, input: &[u8]) -> Ended;

    #[wasm_bindgen(method)]
    fn command(this: &Running, input: &[u8]) -> Ended;

    /// Which of `www/js/kernel.js`'s words says it.
    #[wasm_bindgen(method, getter)]
    fn how(this: &Ended) -> String;

    /// The result's bytes, an error's, or stdout.
    #[wasm_bindgen(method, getter)]
    fn bytes(this: &Ended) -> Vec<u8>;

    #[wasm_bindgen(method, getter)]
    fn stderr(this: &Ended) -> Vec<u8>;

    #[wasm_bindgen(method, getter)]
    fn code(this: &Ended) -> i32;

    #[wasm_bindgen(method, getter)]
    fn message(this: &Ended) -> String;

    #[wasm_bindgen(method, getter)]
    fn file(this: &Ended) -> String;

    #[wasm_bindgen(method, getter)]
    fn line(this: &Ended) -> u32;

    #[wasm_bindgen(method, getter)]
    fn column(this: &Ended) -> u32;
}

/// What computes kernels in this worker.
pub(super) static ENGINE: Engine = Engine;

pub(super) struct Engine;

impl Engine {
    /// Keeps what the coordinator hands over before the first piece of a kernel.
    pub(super) fn keep(&self, kernel: &JsValue) {
        keep(kernel);
    }
}

impl kernel::Engine for Engine {
    fn begin<'a>(&'a self, kernel: &'a Kernel) -> Result<Box<dyn Block + 'a>, GaveUp> {
        let id = kernel.id();
        let running = begin(kernel.name(), &wasm_bindgen::memory());
        let running = running.ok_or_else(|| GaveUp("the kernel is not here".to_owned()))?;
        let params = id.params.iter().map(|(name, of)| KernelParam {
            name: name.clone(),
            kind: Some(*of),
            default: None,
            help: None,
        });
        let params = params.collect();
        Ok(Box::new(Tasks { running, form: id.form, params, takes: None, results: Vec::new() }))
    }
}

struct Tasks {
    running: Running,
    form: Form,
    params: Vec<KernelParam>,
    /// How many numbers `run` takes. `None` before the first instance.
    takes: Option<usize>,
    results: Vec<f64>,
}

impl Block for Tasks {
    fn run(&mut self, args: &[f64], input: &str) -> Result<Outcome, GaveUp> {
        match self.form {
            Form::Json => outcome(&self.running.json(input.as_bytes()), self.form),
            Form::Command => outcome(&self.running.command(input.as_bytes()), self.form),
            Form::Numbers(_) => {
                if let Some(outcome) = self.misfit(args) {
                    return outcome;
                }
                let mut computed = Computed::with_capacity(1);
                self.run_numbers(args.len(), args, &mut computed);
                let outcomes = computed.into_outcomes()?;
                let first = outcomes.iter().next().map(|outcome| outcome.to_owned());
                first.ok_or_else(|| GaveUp("the kernel takes no numbers".to_owned()))
            }
        }
    }

    fn run_numbers(&mut self, params: usize, args: &[f64], computed: &mut Computed) {
        let mut left = args;
        while !left.is_empty() && !computed.has_given_up() {
            let done = match self.misfit(&left[..params]) {
                Some(outcome) => {
                    computed.push_run(|| outcome);
                    1
                }
                None => self.run_fitting(params, left, computed),
            };
            left = &left[done * params..];
        }
    }
}

impl Tasks {
    /// Computes the tasks whose values fit, of which the first is one. Gives how many outcomes it has come to.
    fn run_fitting(&mut self, params: usize, args: &[f64], computed: &mut Computed) -> usize {
        let fitting = args.chunks_exact(params).take_while(|args| self.check(args).is_ok()).count();
        self.results.resize(fitting, 0.0);
        let done = self.running.numbers(&args[..fitting * params], &mut self.results);
        let results = &self.results[..done];
        match self.form {
            Form::Numbers(of) if of.is_integer() => {
                results.iter().for_each(|result| computed.push(&result.to_bits().cast_signed()));
            }
            _ => results.iter().for_each(|result| computed.push_number(*result)),
        }
        if done == fitting {
            return done;
        }
        computed.push_run(|| self.ended());
        done + 1
    }

    /// The outcome of a task for whose values `run` is not called.
    fn misfit(&mut self, args: &[f64]) -> Option<Result<Outcome, GaveUp>> {
        let takes = match self.takes {
            Some(takes) => takes,
            None => match self.running.make() {
                Some(ended) => return Some(outcome(&ended, self.form)),
                None => *self.takes.insert(self.running.takes()),
            },
        };
        if takes != args.len() {
            return Some(Ok(Outcome::Error(result::wrong_count(takes, args.len()))));
        }
        self.check(args).err().map(|error| Ok(Outcome::Error(error)))
    }

    fn check(&self, args: &[f64]) -> Result<(), String> {
        self.params
            .iter()
            .zip(args)
            .try_for_each(|(param, arg)| result::check_argument(param, *arg))
    }

    fn ended(&self) -> Result<Outcome, GaveUp> {
        let ended = self.running.ended();
        let ended = ended.ok_or_else(|| GaveUp("a task did not end".to_owned()))?;
        outcome(&ended, self.form)
    }
}

fn outcome(ended: &Ended, form: Form) -> Result<Outcome, GaveUp> {
    let trap = |trap: Trap| Ok(Outcome::Error(trap.error()));
    let error = match &*ended.how() {
        "nothing" => return Ok(Outcome::Result("null".to_owned())),
        "result" => return Ok(result::of_json(&ended.bytes())),
        "exit" if form == Form::Command => {
            return Ok(result::of_command(ended.code(), &ended.bytes(), &ended.stderr()));
        }
        "unreachable" => return trap(Trap::Unreachable),
        "division by zero" => return trap(Trap::DivisionByZero),
        "overflow" => return trap(Trap::Overflow),
        "out of bounds" => return trap(Trap::OutOfBounds),
        "bad call" => return trap(Trap::BadIndirectCall),
        "exit" => result::of_exit(ended.code(), &ended.stderr()),
        "abort" => result::of_abort(&ended.message(), &ended.file(), ended.line(), ended.column()),
        "error" => result::of_error(&ended.bytes()),
        "init" => result::of_init(ended.code()),
        "alloc outside" => result::ALLOC_OUTSIDE.to_owned(),
        "run outside" => result::RESULT_OUTSIDE.to_owned(),
        "too long" => result::too_long(),
        "gave up" => return Err(GaveUp(ended.message())),
        other => return Err(GaveUp(format!("a task ended by {other:?}"))),
    };
    Ok(Outcome::Error(error))
}
