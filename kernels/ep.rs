//! NAS EP, the "embarrassingly parallel" benchmark: pairs of normally distributed numbers, by the polar method.
//! Task `k` computes 65,536 pairs of candidates: the sums `sx` and `sy` of those that are accepted, to 12
//! decimals, and in `q` how many have a larger member from 0 to 1, from 1 to 2, and so on.
//!
//!     tequio run ep k=0..256
//!
//! These 256 tasks are class S, whose published sums are -3247.834652034740 and -6958.407078382301, and whose
//! counts are 6140517, 5865300, 1100361, 68546, 1648, 17. Class W is `k=0..512`, class A `k=0..4096`.
//!
//! Source: Bailey and others: The NAS Parallel Benchmarks, report RNR-94-007, 1994, section 2.2.

#![cfg_attr(target_arch = "wasm32", no_std)]

#[macro_use]
#[path = "support/json.rs"]
mod json;
#[macro_use]
#[path = "support/kernel.rs"]
mod kernel;

use core::f64::consts::{LN_2, SQRT_2};
use json::Text;

kernel! {
    params: br#"[{"name":"k","default":"0..256","help":"which 65536 pairs"}]"#
}

json_form!(compute);

/// Pairs a task.
const PAIRS: u64 = 1 << 16;

/// The generator: each number is [`FACTOR`] times the one before it, modulo 2^46.
const FACTOR: u64 = 1_220_703_125;
const SEED: u64 = 271_828_183;
const MODULUS_BITS: u32 = 46;

/// More tasks than 2^27 would begin the generator's numbers again.
const K_MAX: f64 = 134_217_727.0;

fn compute(input: &[u8], result: &mut Text) -> Result<(), &'static str> {
    let [k] = json::read(input, ["k"])?;
    if !(0.0..=K_MAX).contains(&k) || k != (k as u64) as f64 {
        return Err("k must be a whole number from 0 to 134217727");
    }
    let block = Block::compute(k as u64);
    result.push("{\"sx\":");
    result.push_decimals(block.sx, 12);
    result.push(",\"sy\":");
    result.push_decimals(block.sy, 12);
    for (place, count) in block.q.into_iter().enumerate() {
        result.push(if place == 0 { ",\"q\":[" } else { "," });
        result.push_whole(count);
    }
    result.push("]}");
    Ok(())
}

/// What comes out of [`PAIRS`] pairs.
#[derive(Default)]
struct Block {
    sx: f64,
    sy: f64,
    q: [u64; 10],
}

impl Block {
    fn compute(k: u64) -> Block {
        let mut block = Block::default();
        let mut state = SEED.wrapping_mul(power(FACTOR, 2 * PAIRS * k));
        for _ in 0..PAIRS {
            let (x, y) = (next(&mut state), next(&mut state));
            block.add(x, y);
        }
        block
    }

    /// Accepts a point in the unit circle, and makes two normally distributed numbers of it.
    fn add(&mut self, x: f64, y: f64) {
        let t = x * x + y * y;
        if t > 1.0 {
            return;
        }
        let factor = sqrt(-2.0 * ln(t) / t);
        let (x, y) = (x * factor, y * factor);
        self.q[x.abs().max(y.abs()) as usize] += 1;
        self.sx += x;
        self.sy += y;
    }
}

/// The next of the generator's numbers, from -1 to 1. Never 0, since all its states are odd.
fn next(state: &mut u64) -> f64 {
    *state = state.wrapping_mul(FACTOR) % (1 << MODULUS_BITS);
    // Both are powers of two, so that nothing is rounded.
    *state as f64 * (2.0 / (1_u64 << MODULUS_BITS) as f64) - 1.0
}

/// `base` to a power, modulo 2^64, and so modulo 2^46 too. It takes as many steps as `exponent` has bits.
fn power(mut base: u64, mut exponent: u64) -> u64 {
    let mut power = 1_u64;
    while exponent > 0 {
        if exponent % 2 == 1 {
            power = power.wrapping_mul(base);
        }
        base = base.wrapping_mul(base);
        exponent /= 2;
    }
    power
}

/// The natural logarithm of a normal number above 0, by additions, multiplications and divisions alone. For `x`
/// = 2^e m with m between √½ and √2, it is e ln 2 + 2 artanh((m - 1) / (m + 1)), and artanh(s) is s + s³/3 + s⁵/5
/// + ...: after eleven terms, those that are left out are below 10^-17 of the sum.
fn ln(x: f64) -> f64 {
    let mut exponent = (x.to_bits() >> 52) as i32 - 1023;
    let mut m = f64::from_bits((x.to_bits() % (1 << 52)) | 1.0_f64.to_bits());
    if m > SQRT_2 {
        (m, exponent) = (m / 2.0, exponent + 1);
    }
    let s = (m - 1.0) / (m + 1.0);
    let z = s * s;
    let mut tail = 0.0;
    for divisor in [21.0, 19.0, 17.0, 15.0, 13.0, 11.0, 9.0, 7.0, 5.0, 3.0] {
        tail = (tail + 1.0 / divisor) * z;
    }
    f64::from(exponent) * LN_2 + 2.0 * (s + s * tail)
}

// The square root is an instruction of WebAssembly. `core` has no stable name for it; C's name gives it.
#[cfg(target_arch = "wasm32")]
unsafe extern "C" {
    safe fn sqrt(x: f64) -> f64;
}

#[cfg(not(target_arch = "wasm32"))]
fn sqrt(x: f64) -> f64 {
    x.sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn logarithms_are_right_to_the_last_bits() {
        for place in 1..1_000_000 {
            let x = f64::from(place) / 1e6;
            let (ours, theirs) = (ln(x), x.ln());
            assert!((ours - theirs).abs() <= 4e-16 * theirs.abs(), "{x}: {ours}, {theirs}");
        }
        assert_eq!(ln(1.0), 0.0);
        assert!((ln(2_f64.powi(-90)) + 90.0 * LN_2).abs() < 1e-13);
    }

    #[test]
    fn a_block_begins_where_the_one_before_it_ends() {
        let mut state = SEED;
        for _ in 0..2 * PAIRS {
            next(&mut state);
        }
        let jumped = SEED.wrapping_mul(power(FACTOR, 2 * PAIRS));
        assert_eq!(state, jumped % (1 << MODULUS_BITS));
    }

    #[test]
    fn class_s_gives_what_is_published() {
        // Verification values of the NAS Parallel Benchmarks.
        let (mut sx, mut sy, mut q) = (0.0, 0.0, [0; 10]);
        for k in 0..256 {
            let block = Block::compute(k);
            (sx, sy) = (sx + block.sx, sy + block.sy);
            q.iter_mut().zip(block.q).for_each(|(sum, count)| *sum += count);
        }
        assert!((sx / -3.247_834_652_034_74e3 - 1.0).abs() < 1e-12, "{sx}");
        assert!((sy / -6.958_407_078_382_301e3 - 1.0).abs() < 1e-12, "{sy}");
        assert_eq!(q, [6_140_517, 5_865_300, 1_100_361, 68_546, 1_648, 17, 0, 0, 0, 0]);
    }

    #[test]
    fn a_result_has_sums_and_counts() {
        let mut result = Text::new();
        compute(br#"{"k":0}"#, &mut result).unwrap();
        let expected =
            r#"{"sx":77.723214541955,"sy":27.905540154722,"q":[24010,22707,4297,265,6,0,0,0,0,0]}"#;
        assert_eq!(result.text(), expected);
    }

    #[test]
    fn a_k_that_is_none_is_refused() {
        for k in ["-1", "0.5", "134217728", "\"3\""] {
            assert!(compute(format!("{{\"k\":{k}}}").as_bytes(), &mut Text::new()).is_err(), "{k}");
        }
        assert!(compute(br#"{"k":134217727}"#, &mut Text::new()).is_ok());
    }
}
