//! Kernels as they are computed outside of browsers come to what `meaning/meaning.wat` says, by each engine. Tests of the
//! page compute the same cases in browsers.

use tequio_kernel::host::Engine;
use tequio_kernel_cases::table;
use tequio_protocol::op::kernel::KernelId;

#[test]
fn kernels_come_to_what_the_meaning_says() {
    let mut wrong = Vec::new();
    for case in table::written() {
        assert!(case.op().parse::<KernelId>().is_ok(), "{}", case.op());
        for engine in Engine::ALL {
            for (task, outcome) in case.tasks.iter().zip(case.computed_by(*engine)) {
                if task.outcome != outcome {
                    wrong.push(format!("{engine}, {}: {} => {outcome}", case.name, task.input));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
