//! Computes what `repeat_multiply` does, but never ends where `factor` is [`ENDLESS`] and traps where it
//! is [`TRAP`]: for tests of what a worker does then.

use super::{Audits, Computed, Exactness, Inputs, Op, Param, repeat_multiply};
use crate::outcome::OutcomeRef;
use std::ops::Range;

/// The factor with which it never ends.
pub const ENDLESS: f64 = -1.0;

/// The factor with which it traps.
pub const TRAP: f64 = -2.0;

/// The op.
pub(super) const OP: Misbehave = Misbehave;

#[derive(Debug)]
pub(super) struct Misbehave;

impl Op for Misbehave {
    fn name(&self) -> &'static str {
        "misbehave"
    }

    fn params(&self) -> &'static [Param] {
        repeat_multiply::OP.params()
    }

    fn compute(&self, tasks: Range<u64>, inputs: Inputs<'_>, computed: &mut Computed) {
        for index in tasks {
            let mut factor = 0.0;
            // What it adds is not looked at.
            let aside = &mut Computed::with_capacity(0);
            inputs.each(self.params(), index..index + 1, aside, |args, _| factor = args[1]);
            if factor == ENDLESS {
                loop {
                    std::hint::spin_loop();
                }
            }
            assert!(factor != TRAP, "a task that traps, as it was told to");
            repeat_multiply::OP.compute(index..index + 1, inputs, computed);
        }
    }

    fn agrees(&self, ours: OutcomeRef<'_>, claimed: OutcomeRef<'_>, how: Exactness) -> bool {
        repeat_multiply::OP.agrees(ours, claimed, how)
    }

    /// It may never end on the server either.
    fn audits(&self) -> Audits {
        Audits::Never
    }
}
