//! Prints the cases that every host is to compute alike, as JSON: an array of kernels with their inputs and outcomes.

#[path = "../tests/meaning/mod.rs"]
mod table;

use serde_json::json;

fn main() {
    let cases = table::cases().into_iter().map(|case| {
        json!({
            "name": case.name,
            "op": case.op(),
            "block": case.block,
            "data": case.data,
            "module": case.module,
            "inputs": case.tasks.iter().map(|task| &task.input).collect::<Vec<_>>(),
            "outcomes": case.tasks.iter().map(|task| task.outcome).collect::<Vec<_>>(),
        })
    });
    println!("{}", json!(cases.collect::<Vec<_>>()));
}
