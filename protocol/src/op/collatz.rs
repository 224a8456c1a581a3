//! How many steps a number takes to 1: each halves it if it is even, and else takes three times as much
//! and one more. Collatz asked whether all get there; nobody knows.

use super::{Args, Computed, Inputs, Kind, Op, Param};
use crate::limits::INTEGER_MAX;
use crate::number::Number;
use crate::outcome::{Outcome, OutcomeRef};
use std::ops::Range;

/// The op.
pub(super) const OP: Collatz = Collatz;

#[derive(Debug)]
pub(super) struct Collatz;

const PARAMS: [Param; 1] =
    [Param { name: "n", kind: Kind::Integer { min: 1, max: INTEGER_MAX as i64 }, example: 27.0 }];

impl Op for Collatz {
    fn name(&self) -> &'static str {
        "collatz"
    }

    fn params(&self) -> &'static [Param] {
        &PARAMS
    }

    fn compute(&self, tasks: Range<u64>, inputs: Inputs<'_>, computed: &mut Computed) {
        inputs.each(&PARAMS, tasks, computed, |args, computed| match steps(args[0] as u64) {
            Some(steps) => computed.push(&steps),
            None => computed.push_error("a value on its way does not fit into 64 bits"),
        });
    }

    fn is_impossible(&self, claimed: OutcomeRef<'_>, _: &mut dyn FnMut() -> Args) -> bool {
        matches!(claimed, Outcome::Result(result) if self.canonical(result).is_none())
    }

    fn canonical(&self, result: &str) -> Option<String> {
        let value = Number::read(result)?.0;
        (value.fract() == 0.0 && value >= 0.0).then(|| (value as u64).to_string())
    }
}

/// Steps from `n`, which is at least 1; none where a value on the way leaves 64 bits.
fn steps(mut n: u64) -> Option<u64> {
    let mut steps = 0;
    while n != 1 {
        n = if n.is_multiple_of(2) { n / 2 } else { n.checked_mul(3)?.checked_add(1)? };
        steps += 1;
    }
    Some(steps)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::values::Values;

    #[test]
    fn steps_are_those_that_are_published() {
        // OEIS A006577, and the records of A006877 with A006878.
        let first = [0, 1, 7, 2, 5, 8, 16, 3, 19, 6].map(Some);
        assert!((1..=10).map(steps).eq(first));
        for (n, expected) in [(27, 111), (97, 118), (871, 178), (837799, 524), (63728127, 949)] {
            assert_eq!(steps(n), Some(expected), "{n}");
        }
        assert_eq!(steps(8528817511), Some(726), "its highest value is the last below 2^64");
        assert_eq!(steps(12327829503), None, "its highest is the first above");
    }

    #[test]
    fn a_value_that_leaves_64_bits_is_an_error() {
        let inputs: Values =
            [r#"{"n":27}"#, r#"{"n":12327829503}"#, r#"{"n":1}"#].into_iter().collect();
        let mut computed = Computed::with_capacity(3);
        OP.compute(7..10, Inputs::List { first: 7, inputs: &inputs }, &mut computed);
        let outcomes = computed.into_outcomes().unwrap();
        assert_eq!(outcomes.get(0), Outcome::Result("111"));
        assert!(outcomes.get(1).is_error());
        assert_eq!(outcomes.get(2), Outcome::Result("0"));
    }
}
