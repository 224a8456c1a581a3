//! Kernels as they are computed outside of browsers come to what `meaning/meaning.wat` says. Tests of the page compute
//! the same cases in browsers.

#[path = "meaning/mod.rs"]
mod table;

use std::collections::BTreeMap;
use table::{Case, Task};
use tequio_kernel::Form;
use tequio_kernel::host::{Exhausted, Fault};
use tequio_protocol::op::kernel::KernelId;

#[test]
fn kernels_come_to_what_the_meaning_says() {
    let mut wrong = Vec::new();
    for case in table::cases() {
        assert!(case.op().parse::<KernelId>().is_ok(), "{}", case.op());
        for (task, outcome) in case.tasks.iter().zip(compute(&case)) {
            if task.outcome != outcome {
                wrong.push(format!("{}: {} => {outcome}", case.name, task.input));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// What comes of the tasks here.
fn compute(case: &Case) -> Vec<String> {
    case.tasks.chunks(case.block).flat_map(|block| compute_block(case, block)).collect()
}

fn compute_block(case: &Case, tasks: &[Task]) -> Vec<String> {
    let mut instance = None;
    let mut outcomes = Vec::new();
    for task in tasks {
        let args: Vec<f64> = match case.program.shape().form {
            Form::Numbers { .. } => {
                let input: BTreeMap<String, f64> =
                    serde_json::from_str(&task.input).expect("values are numbers");
                case.program.shape().params.iter().map(|param| input[&param.name]).collect()
            }
            Form::Json | Form::Command => Vec::new(),
        };
        let data = case.data.as_deref();
        let mut made = match instance.take() {
            Some(made) => made,
            None => match case.program.instance(data, &|| false) {
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

fn shown(outcome: Result<String, Fault>) -> String {
    match outcome {
        Ok(result) => result,
        Err(Fault::Error(error)) => format!("error: {error}"),
        Err(Fault::Exhausted(exhausted @ (Exhausted::Stack | Exhausted::Memory))) => {
            format!("gave up: {exhausted}")
        }
        Err(Fault::Exhausted(Exhausted::Time)) => unreachable!("nobody stops it"),
    }
}
