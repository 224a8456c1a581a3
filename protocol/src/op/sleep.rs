//! Takes as long as it is told to: for tests of what tasks that last cost everybody else. Natively only: a
//! browser's compute worker has no way to wait.

use super::{Audits, Computed, Inputs, Kind, Op, Param};
use std::ops::Range;
use std::thread;
use std::time::Duration;

/// The op.
pub(super) const OP: Sleep = Sleep;

#[derive(Debug)]
pub(super) struct Sleep;

const PARAMS: [Param; 2] = [
    Param { name: "n", kind: Kind::COUNT, example: 1.0 },
    Param { name: "ms", kind: Kind::Integer { min: 0, max: 600_000 }, example: 250.0 },
];

impl Op for Sleep {
    fn name(&self) -> &'static str {
        "sleep"
    }

    fn params(&self) -> &'static [Param] {
        &PARAMS
    }

    /// The result is `n`, after `ms` milliseconds.
    fn compute(&self, tasks: Range<u64>, inputs: Inputs<'_>, computed: &mut Computed) {
        inputs.each(&PARAMS, tasks, computed, |args, computed| {
            thread::sleep(Duration::from_millis(args[1] as u64));
            computed.push(&(args[0] as u64));
        });
    }

    fn audits(&self) -> Audits {
        Audits::OnThreads
    }
}
