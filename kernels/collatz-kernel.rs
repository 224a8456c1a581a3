//! How many steps `n` takes to 1: each halves it if it is even, and else takes three times as much and one more.
//! The same numbers as the built-in op `collatz`, so that the two can be compared.
//!
//!     tequio run collatz-kernel n=1..=100000
//!
//! A kernel of numbers has no words for an error. Where the built-in op says that a value does not fit into
//! 64 bits, or that `n` is below 1, this one traps, and the outcome is *trap: unreachable*.
//!
//! Source: OEIS A006577, <https://oeis.org/A006577>.

#![cfg_attr(target_arch = "wasm32", no_std)]

#[macro_use]
#[path = "support/kernel.rs"]
mod kernel;

kernel! {
    params: br#"[{"name":"n","default":"1..=100000","help":"from 1; where it starts"}]"#
}

/// Steps from `n` to 1.
#[cfg_attr(target_arch = "wasm32", unsafe(no_mangle))]
extern "C" fn run(n: i64) -> i64 {
    match u64::try_from(n).ok().and_then(steps) {
        Some(steps) => steps,
        None => kernel::trap(),
    }
}

/// `None` for 0, and if a value on the way does not fit into 64 bits.
fn steps(mut n: u64) -> Option<i64> {
    if n == 0 {
        return None;
    }
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

    #[test]
    fn steps_are_those_that_are_published() {
        // OEIS A006577, and the records of A006877 with A006878.
        assert!((1..=10).map(|n| run(n)).eq([0, 1, 7, 2, 5, 8, 16, 3, 19, 6]));
        for (n, expected) in [(27, 111), (97, 118), (871, 178), (837799, 524), (63728127, 949)] {
            assert_eq!(run(n), expected, "{n}");
        }
        assert_eq!(run(8528817511), 726, "its highest value is the last below 2^64");
    }

    #[test]
    fn what_has_no_number_of_steps_has_none() {
        assert_eq!(steps(0), None);
        assert_eq!(steps(12327829503), None, "its highest value is the first above 2^64");
    }
}
