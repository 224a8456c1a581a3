//! Kernels with inputs and outcomes, on which all hosts are compared: those that are written down
//! ([`table::written`]), and those that follow from a seed ([`made::case`]). For tests and the soak only.

pub mod made;
pub mod table;

use serde_json::json;
use table::Case;

/// Cases as tests of the page read them: a JSON array of kernels with their inputs and outcomes.
pub fn to_json<'a>(cases: impl Iterator<Item = &'a Case>) -> String {
    let cases = cases.map(|case| {
        json!({
            "name": case.name,
            "op": case.op(),
            "block": case.block,
            "data": case.data.as_deref(),
            "module": case.module,
            "inputs": case.tasks.iter().map(|task| &task.input).collect::<Vec<_>>(),
            "outcomes": case.tasks.iter().map(|task| &task.outcome).collect::<Vec<_>>(),
        })
    });
    json!(cases.collect::<Vec<_>>()).to_string()
}
