//! `initial × factor^times`: the op that Tequio grew from.

use super::{Args, Computed, Exactness, Inputs, Kind, Op, Param};
use crate::number::Number;
use crate::outcome::{Outcome, OutcomeRef, Outcomes};
use crate::power::{self, Power};
use std::ops::Range;

/// The op.
pub(super) const OP: RepeatMultiply = RepeatMultiply;

#[derive(Debug)]
pub(super) struct RepeatMultiply;

const PARAMS: [Param; 3] = [
    Param { name: "initial", kind: Kind::Float, example: 1.0 },
    Param { name: "factor", kind: Kind::Float, example: 1.5 },
    Param { name: "times", kind: Kind::COUNT, example: 10.0 },
];

/// How far another program's result may lie from ours, relatively: browsers' own `Math.pow` and
/// the C libraries under other languages differ from each other in the last bits.
const TOLERANCE: f64 = 1e-12;

impl Op for RepeatMultiply {
    fn name(&self) -> &'static str {
        "repeat_multiply"
    }

    fn params(&self) -> &'static [Param] {
        &PARAMS
    }

    /// `initial * pow(factor, times)`: one rounding of the power and one of the product.
    ///
    /// The power is our own on every target ([`Power`]), never the platform's: browsers and C
    /// libraries differ from each other in the last bit. Of tasks that follow each other with the same
    /// factor, what they have in common is computed once.
    /// The result may be infinite, or NaN (`0 × ∞`); so is `initial * Math.pow(factor, times)`.
    fn compute(&self, tasks: Range<u64>, inputs: Inputs<'_>, computed: &mut Computed) {
        let mut known: Option<Power> = None;
        inputs.each(&PARAMS, tasks, computed, |args, computed| {
            let [initial, factor, times, ..] = *args;
            let power = match &mut known {
                Some(power) if power.is_of(factor) => power,
                known => known.insert(Power::of(factor)),
            };
            computed.push_number(initial * power.raise(times as u64));
        });
    }

    /// Infinite or NaN where it is finite for certain, or no number at all.
    fn is_impossible(&self, claimed: OutcomeRef<'_>, args: &mut dyn FnMut() -> Args) -> bool {
        match claimed {
            Outcome::Result(result) => match Number::read(result) {
                Some(number) => !number.0.is_finite() && is_surely_finite(&args()),
                None => true,
            },
            Outcome::Error(_) => true,
        }
    }

    /// Looks at no more than the first byte of most: this op's tasks take so little time that more would be seen
    /// in how many are done.
    fn find_impossible(
        &self,
        claimed: &Outcomes,
        places: Range<usize>,
        args: &mut dyn FnMut(usize) -> Args,
    ) -> Option<usize> {
        let mut others = claimed.others_than_plain_numbers(places);
        others.find(|place| self.is_impossible(claimed.get(*place), &mut || args(*place)))
    }

    fn show(&self, args: &Args) -> String {
        let [initial, factor, times, ..] = *args;
        format!("{} × {}^{}", Number(initial), Number(factor), Number(times))
    }

    fn canonical(&self, result: &str) -> Option<String> {
        serde_json::to_string(&Number::read(result)?).ok()
    }

    /// By value: `1.50` is `1.5`. Another program may be off by [`TOLERANCE`], and where ours is not finite
    /// may say `null`, which is what `JSON.stringify` makes of such numbers.
    fn agrees(&self, ours: OutcomeRef<'_>, claimed: OutcomeRef<'_>, how: Exactness) -> bool {
        let (Outcome::Result(ours), Outcome::Result(claimed)) = (ours, claimed) else {
            return false;
        };
        if ours == claimed {
            return true;
        }
        let Some(ours) = Number::read(ours) else { return false };
        match (Number::read(claimed), how) {
            (Some(claimed), Exactness::Exact) => ours.same_bits(claimed),
            (Some(claimed), Exactness::Close) => ours.is_close(claimed, TOLERANCE),
            (None, Exactness::Close) => claimed == "null" && !ours.0.is_finite(),
            (None, Exactness::Exact) => false,
        }
    }
}

/// Whether the result is finite for certain. False where it may be finite or not.
///
/// `|initial| × |factor|^times` is at most 2^(log2 |initial| + times × log2 |factor|); 1023
/// leaves more room for roundings than they need. A factor of at most 1 cannot grow.
fn is_surely_finite(args: &Args) -> bool {
    let [initial, factor, times, ..] = *args;
    let growth = power::log2(factor.abs()) * times;
    factor.abs() <= 1.0 || (growth < 1023.0 && growth + power::log2(initial.abs()) < 1023.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::INTEGER_MAX;
    use crate::values::Values;

    fn compute(initial: f64, factor: f64, times: u64) -> f64 {
        let input = format!(r#"{{"initial":{initial:?},"factor":{factor:?},"times":{times}}}"#);
        let inputs: Values = [input.as_str()].into_iter().collect();
        let mut computed = Computed::with_capacity(1);
        OP.compute(0..1, Inputs::List { first: 0, inputs: &inputs }, &mut computed);
        let outcomes = computed.into_outcomes().unwrap();
        let Outcome::Result(result) = outcomes.get(0) else { panic!("{outcomes:?}") };
        Number::read(result).unwrap().0
    }

    #[test]
    fn computes_the_power_and_its_edges() {
        assert_eq!(compute(3.0, 2.0, 10), 3072.0);
        assert_eq!(compute(3.0, 0.0, 0), 3.0, "0^0 is 1");
        assert_eq!(compute(1.0, -2.0, 3), -8.0);
        assert_eq!(compute(1.0, 2.0, 2000), f64::INFINITY);
        assert_eq!(compute(-1.0, 2.0, 2000), f64::NEG_INFINITY);
        assert!(compute(0.0, 2.0, 2000).is_nan(), "0 × ∞");
        assert_eq!(compute(1.0, 0.5, 1074), 5e-324);
        assert_eq!(compute(1.0, -1.0, INTEGER_MAX), -1.0, "2^53 - 1 is odd");
        assert_eq!(compute(1.0000054, 1.00000043, 1_000_000), 1.5372656826974733);
        assert!(compute(-0.0, 1.0, 3).is_sign_negative());
    }

    #[test]
    fn what_is_surely_finite_is_finite() {
        let is_sure = |initial, factor, times| {
            is_surely_finite(&[initial, factor, times as f64, 0.0, 0.0, 0.0, 0.0, 0.0])
        };
        assert!(is_sure(1.0, 1.00000043, 1_000_000_u64));
        assert!(is_sure(1e308, -1.0, INTEGER_MAX));
        assert!(is_sure(0.0, 2.0, 1000));
        assert!(!is_sure(1.0, 2.0, 1024), "it is infinite");
        assert!(!is_sure(0.0, 2.0, 2000), "it is NaN");
        assert!(!is_sure(1e300, 1e10, 1), "it is infinite");
        assert!(is_sure(5e-324, 2.0, 1022));
    }

    proptest::proptest! {
        #[test]
        fn no_claim_of_what_is_finite_is_infinite(
            initial in -1e300..1e300f64, factor in -1e3..1e3f64, times in 0..2000u64,
        ) {
            let mut args = || [initial, factor, times as f64, 0.0, 0.0, 0.0, 0.0, 0.0];
            let result = serde_json::to_string(&Number(compute(initial, factor, times))).unwrap();
            proptest::prop_assert!(!OP.is_impossible(Outcome::Result(&result), &mut args));
        }
    }

    #[test]
    fn what_cannot_be_is_seen_at_once() {
        let is_impossible = |result, factor| {
            let mut args = || [1.0, factor, 2000.0, 0.0, 0.0, 0.0, 0.0, 0.0];
            OP.is_impossible(Outcome::Result(result), &mut args)
        };
        assert!(is_impossible("\"Infinity\"", 1.0) && !is_impossible("\"Infinity\"", 2.0));
        for result in ["null", "\"1\"", "[1.5]", "{}", "true"] {
            assert!(is_impossible(result, 2.0), "{result}");
        }
        assert!(!is_impossible("-1.5", 1.0));
        assert!(OP.is_impossible(Outcome::Error("trap"), &mut || [0.0; 8]));
    }

    #[test]
    fn whoever_computes_with_other_powers_is_near_enough_and_no_worker_of_ours() {
        let agrees =
            |ours, claimed, how| OP.agrees(Outcome::Result(ours), Outcome::Result(claimed), how);
        for (ours, claimed, exact, close) in [
            ("1.5", "1.5", true, true),
            ("1.5", "1.50", true, true),
            ("1.5", "1.5000000000000002", false, true),
            ("1.5", "1.50000001", false, false),
            ("3.0", "3", true, true),
            ("\"Infinity\"", "\"Infinity\"", true, true),
            ("\"Infinity\"", "null", false, true),
            ("\"NaN\"", "null", false, true),
            ("1.5", "null", false, false),
            ("1.5", "\"1.5\"", false, false),
            ("1.5", "[1.5]", false, false),
        ] {
            assert_eq!(agrees(ours, claimed, Exactness::Exact), exact, "{ours} {claimed}");
            assert_eq!(agrees(ours, claimed, Exactness::Close), close, "{ours} {claimed}");
        }
        let failed = Outcome::Error("trap");
        assert!(!OP.agrees(Outcome::Result("1.5"), failed, Exactness::Close));
    }
}
