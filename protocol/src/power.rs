//! Powers of a number, rounded to the nearest: the same 64 bits on every target.
//!
//! Nothing but `+`, `-`, `×`, `/` and bits of numbers is used, which IEEE 754 leaves no choice in.
//! There is no fused multiply-add either: WebAssembly has none.
//!
//! # How
//!
//! `factor^times = e^(times × ln factor)`. [`Power::of`] finds the logarithm, once for all powers of a
//! factor, as a sum of two numbers; [`Power::raise`] multiplies, and finds the power of e as a sum of
//! two numbers with a bound on what it may be wrong by. In all but one of 14,000 cases what lies within
//! the bound rounds to one number, which is the power. In the others it is computed once more, by
//! multiplying integers of 192 bits (`Long`).
//!
//! **Logarithm.** `factor = 2^e × m`. The nearest `b = 1 + i / 128` to `m` has its logarithm in a
//! table, and `ln(m / b)` is a series in `s = (m - b) / (m + b)`, at most 2^-9, of which `s` is known
//! to 100 bits, `s³ / 3` to 76 and the rest to 52. Where `m` is above 1.41, `m` and `b` are halved, so
//! that no large parts cancel and the *relative* error is small everywhere, beside a factor of 1 too.
//! The table is made when it is first used, from each entry to the next by the same series (with `s`
//! to 2^-8): it would not compress, and the page's worker is weighed.
//!
//! **Power of e.** `y = times × ln factor`, exactly but for the product with the logarithm's rest.
//! `k = round(y × 128 / ln 2)`, and `y - k × ln 2 / 128` is exact since `ln 2 / 128` is cut to 35
//! bits. `e^(k × ln 2 / 128)` is `2^(k / 128)`, near which there is a number of 26 bits in a table,
//! with the logarithm of what it is more: so the table's numbers have no error, and times the first 26
//! bits of what is left they are exact. What is left is at most ln 2 / 256, so its series is in plain
//! numbers from its square on.
//!
//! # How wrong
//!
//! With `u = 2^-53`, and `r` what is left, below 2^-8.5:
//!
//! - the table of logarithms, and so every logarithm, is wrong by at most a relative 2^-85: from `s⁵`
//!   on a step of its making is rounded four times. As `|y|` is below 746, that is 2^-75 of the power;
//! - `r` has a rest below 2^-25, whose four roundings, and those of the constants, are 2^-76;
//! - `r² / 2` and the rest of the series are below 2^-18.05, and rounded seven times up to their sum
//!   with the table's number, which is below 2: 7 × 2 × 2^-18.05 × u = 13.5 × 2^-71;
//! - the series is cut at `r⁷ / 5040`: 2^-71 with that number; the sum with the rest of the first one,
//!   and the bound itself, are rounded to 2^-71 each.
//!
//! Together below 17 × 2^-71, and `ERROR_MAX` is 18 of these. A test compares; it finds two fifths of it.
//! As a place of a power is 2^-52, it decides nothing in one of 14,000 cases.
//!
//! The multiplications cut 2^-191 at each step, which makes `times × 2^-190` of the power and so 2^-137
//! at the most. What is a tie, or a number of 53 bits, has at most 54 bits, so do all powers on
//! the way to it, and they are not cut: ties are known for what they are, and go to the even. A
//! power that is no tie and yet looks like one in 137 bits has never been seen, nor is any expected
//! among 2^84 of those that come so far; it would be a last bit.
//!
//! # Sources
//!
//! T. J. Dekker, *A floating-point technique for extending the available precision* (1971), with
//! Veltkamp's splitting; D. E. Knuth, *The Art of Computer Programming* 2, 4.2.2, the sum of two;
//! W. J. Cody and W. Waite, *Software Manual for the Elementary Functions* (1980), the reduction;
//! P. T. P. Tang, *Table-driven implementation of the exponential function* (1989); S. Gal and
//! B. Bachelis, *An accurate elementary mathematical library* (1991), tables at numbers that suit;
//! A. Ziv, *Fast evaluation of elementary mathematical functions with correctly rounded last bit*
//! (1991), once more where it is not certain.

use std::sync::LazyLock;

/// A number whose powers are computed: what they have in common is computed once.
#[derive(Clone)]
pub struct Power {
    /// The factor without its sign.
    factor: f64,
    /// The bits of -0 where the factor is negative, otherwise 0.
    sign: u64,
    ln: Split,
    roots: &'static [Root; STEPS],
}

/// `head + tail + rest`: `head` and `tail` have 26 bits each, and are `whole` together.
#[derive(Clone, Copy, Debug)]
struct Split {
    whole: f64,
    head: f64,
    tail: f64,
    rest: f64,
}

/// A sum of two that is not rounded: `low` is at most half a last place of `high`.
#[derive(Clone, Copy, Debug)]
struct Double {
    high: f64,
    low: f64,
}

/// `(high + low) × 2^exponent`, to about 2^-67 while `high + low` is from 1 to 2.
#[derive(Clone, Copy, Debug)]
struct Scaled {
    high: f64,
    low: f64,
    exponent: i32,
}

/// A short number near `2^(i / STEPS)`.
#[derive(Clone, Copy, Debug)]
struct Root {
    /// A multiple of 2^-25, from 1 to 2.
    value: f64,
    /// What its logarithm is more than `i × ln 2 / STEPS`.
    excess: f64,
}

struct Tables {
    /// `ln(1 + i / LN_STEPS)`, less `ln 2` from [`LN_UPPER`] on.
    logarithms: [Double; LN_STEPS + 1],
    roots: [Root; STEPS],
}

/// The steps in which a power of e is reduced, in one octave.
const STEPS: usize = 128;
const STEPS_PER_E: f64 = 184.6649652337873;

/// `ln 2 / STEPS` in two parts. The first has 35 bits: times a count of steps it is exact.
const STEP_HIGH: f64 = f64::from_bits(0x3f76_2e42_fefc_0000);
const STEP_LOW: f64 = f64::from_bits(0xbd3c_610c_a86c_3899);

/// `ln 2` in two parts. The first has 42 bits: times an exponent it is exact.
const LN_2_HIGH: f64 = f64::from_bits(0x3fe6_2e42_fefa_3800);
const LN_2_LOW: f64 = f64::from_bits(0x3d2e_f357_93c7_6730);

/// The steps of the logarithms' table, and the first whose number is halved.
const LN_STEPS: usize = 128;
const LN_UPPER: usize = 53;

/// What [`Power::scaled`] may be wrong by.
const ERROR_MAX: f64 = 1.125 / (1u128 << 67) as f64;

/// Powers of e between these are normal numbers.
const LN_NORMAL: std::ops::Range<f64> = -708.3..709.7;

/// Above, a power of e is infinite; below the other, it rounds to 0.
const LN_INFINITE: f64 = 709.8;
const LN_ZERO: f64 = -745.2;

const SIGN: u64 = 1 << 63;

/// The logarithm to base 2 of a number that is not negative; of 0, minus infinity.
pub(crate) fn log2(value: f64) -> f64 {
    TABLES.ln(value).high * std::f64::consts::LOG2_E
}

static TABLES: LazyLock<Tables> = LazyLock::new(Tables::new);

impl Power {
    /// For the powers of `factor`, which must be finite.
    pub fn of(factor: f64) -> Power {
        let tables = &*TABLES;
        let magnitude = factor.abs();
        let ln = Split::of(tables.ln(magnitude));
        Power { factor: magnitude, sign: factor.to_bits() & SIGN, ln, roots: &tables.roots }
    }

    /// `factor^times`, rounded to the nearest, where `times` is below 2^53. `0^0` is 1.
    #[inline]
    pub fn raise(&self, times: u64) -> f64 {
        let n = times as i64 as f64;
        let y = n * self.ln.whole;
        // False also where it is NaN.
        let is_normal = y > LN_NORMAL.start && y < LN_NORMAL.end;
        if !is_normal {
            return self.raise_to_edges(times);
        }
        let power = self.scaled(n, y);
        let lowest = power.high + (power.low - ERROR_MAX);
        let highest = power.high + (power.low + ERROR_MAX);
        if lowest != highest {
            return self.raise_exactly(times);
        }
        let exponent = i64::from(power.exponent) << 52;
        let bits = lowest.to_bits().wrapping_add_signed(exponent);
        f64::from_bits(bits ^ self.sign_of(times))
    }

    /// Whether it is of this factor.
    pub(crate) fn is_of(&self, factor: f64) -> bool {
        self.factor.to_bits() | self.sign == factor.to_bits()
    }

    /// The sign's bit of the power.
    fn sign_of(&self, times: u64) -> u64 {
        self.sign & (times << 63)
    }

    /// The power without its sign, of `n` and `y`, which is `n × ln`, rounded.
    #[inline(always)]
    fn scaled(&self, n: f64, y: f64) -> Scaled {
        // 1.5 × 2^52: added and taken away, it rounds to an integer, which is in the sum's low bits.
        const TO_INTEGER: f64 = 6755399441055744.0;
        // 1.5 × 2^18: rounds to a multiple of 2^-34.
        const TO_SHORT: f64 = 393216.0;
        let Split { head, tail, rest, .. } = self.ln;

        // Dekker: what `y` lacks of n × (head + tail), exactly.
        let n_head = f64::from_bits(n.to_bits() & !((1 << 27) - 1));
        let n_tail = n - n_head;
        let lacks = ((n_head * head - y) + n_head * tail + n_tail * head) + n_tail * tail;

        // Cody and Waite: `long + short` is what is left of n × ln beside k steps and the excess.
        let shifted = y * STEPS_PER_E + TO_INTEGER;
        let steps = shifted - TO_INTEGER;
        let k = shifted.to_bits() as u32 as i32;
        let root = &self.roots[k as usize % STEPS];
        let left = y - steps * STEP_HIGH;
        let short = (left + TO_SHORT) - TO_SHORT;
        let long = (left - short) + (lacks + (n * rest - steps * STEP_LOW) - root.excess);

        // Tang: e^left is 1 + left + more.
        let left = short + long;
        let more = left
            * left
            * (0.5
                + left
                    * (1.0 / 6.0
                        + left * (1.0 / 24.0 + left * (1.0 / 120.0 + left * (1.0 / 720.0)))));
        let high = root.value * short;
        let Double { high, low } = fast_sum(root.value, high);
        Scaled { high, low: low + root.value * (long + more), exponent: k >> STEPS.ilog2() }
    }

    /// Powers that are no normal numbers, or hardly.
    #[cold]
    #[inline(never)]
    fn raise_to_edges(&self, times: u64) -> f64 {
        let n = times as i64 as f64;
        let y = n * self.ln.whole;
        let magnitude = if times == 0 {
            1.0
        } else if y < LN_ZERO {
            0.0
        } else if y > LN_INFINITE {
            f64::INFINITY
        } else if y > LN_NORMAL.start {
            return self.raise_exactly(times);
        } else if let Some(subnormal) = self.scaled(n, y).subnormal() {
            subnormal
        } else {
            return self.raise_exactly(times);
        };
        f64::from_bits(magnitude.to_bits() ^ self.sign_of(times))
    }

    /// The power by multiplications in [`Long`], for what is too close to the middle of two numbers.
    #[cold]
    #[inline(never)]
    fn raise_exactly(&self, times: u64) -> f64 {
        let power = Long::of(self.factor).raise(times).round();
        f64::from_bits(power.to_bits() ^ self.sign_of(times))
    }
}

impl Scaled {
    /// What it rounds to where that has fewer bits than others; `None` if that is not certain.
    fn subnormal(self) -> Option<f64> {
        // In integers, since processors take long over such numbers: first of 2^-61.
        const ONE: f64 = (1u64 << 61) as f64;
        const SLACK: u64 = 4;
        let sum = fast_sum(self.high, self.low);
        let value = ((sum.high * ONE) as i64 + (sum.low * ONE) as i64) as u64;
        // Then of 2^-1074, which are the bits of such a number.
        let shift = 61 - 1074 - self.exponent;
        let half = 1 << (shift - 1);
        let value = value + half;
        let left = value & (2 * half - 1);
        let is_certain = (SLACK..2 * half - SLACK).contains(&left);
        is_certain.then(|| f64::from_bits(value >> shift))
    }
}

/// `2^exponent`, which must be a normal number.
fn power_of_two(exponent: i32) -> f64 {
    f64::from_bits(((exponent + 1023) as u64) << 52)
}

impl Split {
    fn of(value: Double) -> Split {
        let (head, tail) = split(value.high);
        Split { whole: value.high, head, tail, rest: value.low }
    }
}

impl Tables {
    fn new() -> Tables {
        let zero = Double { high: 0.0, low: 0.0 };
        let mut logarithms = [zero; LN_STEPS + 1];
        // From 1 upwards, and from 2, which is halved, downwards: what is near 0 is found from 0.
        let upwards = (1..LN_UPPER).map(|i| (i, i - 1));
        let downwards = (LN_UPPER..LN_STEPS).rev().map(|i| (i, i + 1));
        for (i, known) in upwards.chain(downwards) {
            let ratio = ln_of_ratio(ln_step(i), ln_step(known));
            logarithms[i] = logarithms[known].plus(ratio);
        }
        let mut tables = Tables { logarithms, roots: [Root { value: 1.0, excess: 0.0 }; STEPS] };

        // 1.5 × 2^27: rounds to a multiple of 2^-25.
        const TO_SHORT: f64 = 201326592.0;
        const FIRST_ROOT: f64 = 1.0054299011128027;
        let mut root = 1.0;
        for i in 1..STEPS {
            root *= FIRST_ROOT;
            let value = (root + TO_SHORT) - TO_SHORT;
            let (ln, i_steps) = (tables.ln(value), i as f64);
            let excess = ((ln.high - i_steps * STEP_HIGH) - i_steps * STEP_LOW) + ln.low;
            tables.roots[i] = Root { value, excess };
        }
        tables
    }

    /// The logarithm of a positive number to a relative 2^-85; of 0, minus infinity.
    fn ln(&self, value: f64) -> Double {
        if value == 0.0 {
            return Double { high: f64::NEG_INFINITY, low: 0.0 };
        }
        let (bits, extra) = match value.to_bits() >> 52 {
            0 => ((value * power_of_two(54)).to_bits(), 54),
            _ => (value.to_bits(), 0),
        };
        // Rounded, since its table is of the middles.
        let i = ((bits >> 44 & 0xff) as usize + 1) >> 1;
        let is_upper = i >= LN_UPPER;
        let exponent = (bits >> 52) as i32 - 1023 - extra + i32::from(is_upper);
        let mantissa = f64::from_bits(bits & ((1 << 52) - 1) | 1f64.to_bits());
        let exponent = f64::from(exponent);
        let ratio = ln_of_ratio(mantissa, ln_step(i));
        let table = self.logarithms[i];
        let sum = sum(exponent * LN_2_HIGH, table.high);
        let low = sum.low + (exponent * LN_2_LOW + table.low + ratio.low);
        let sum = self::sum(sum.high, ratio.high);
        fast_sum(sum.high, sum.low + low)
    }
}

/// Where the table of logarithms has its `i`-th entry.
fn ln_step(i: usize) -> f64 {
    1.0 + i as f64 / LN_STEPS as f64
}

/// `ln(a / b)`, where `b` is from 1 to 2 and has at most 8 bits, and `a` is within 1 / 128 of it.
///
/// It is `2 × artanh(s)` of `s = (a - b) / (a + b)`, and `artanh(s) = s + s³/3 + s⁵/5 + ...`.
fn ln_of_ratio(a: f64, b: f64) -> Double {
    const THIRD: f64 = 1.0 / 3.0;
    // s, as head + tail + low.
    let (difference, total) = (a - b, sum(a, b));
    let inverse = 1.0 / total.high;
    let high = difference * inverse;
    let back = product(high, total.high);
    let low = (((difference - back.high) - back.low) - high * total.low) * inverse;
    let (head, tail) = split(high);
    let tail = tail + low;

    // s² / 3 + s⁴ / 5 + ..., as short + rest.
    let square = head * head;
    let (short, _) = split(square * THIRD);
    let v = high * high;
    let more = v * v * (1.0 / 5.0 + v * (1.0 / 7.0 + v * (1.0 / 9.0 + v * (1.0 / 11.0))));
    let left = (square - 3.0 * short) + tail * (head + high);
    let rest = left * THIRD + more;

    let sum = fast_sum(high, head * short);
    let low = sum.low + (low + (tail * short + high * rest));
    Double { high: 2.0 * sum.high, low: 2.0 * low }
}

impl Double {
    fn plus(self, other: Double) -> Double {
        let sum = sum(self.high, other.high);
        fast_sum(sum.high, sum.low + (self.low + other.low))
    }
}

/// `a + b` (Knuth).
fn sum(a: f64, b: f64) -> Double {
    let high = a + b;
    let b_of_high = high - a;
    Double { high, low: (a - (high - b_of_high)) + (b - b_of_high) }
}

/// `a + b` where `a` is the larger, or 0 (Dekker).
#[inline(always)]
fn fast_sum(a: f64, b: f64) -> Double {
    let high = a + b;
    Double { high, low: b - (high - a) }
}

/// `a × b` (Dekker, Veltkamp).
fn product(a: f64, b: f64) -> Double {
    let high = a * b;
    let ((a_head, a_tail), (b_head, b_tail)) = (split(a), split(b));
    let low = ((a_head * b_head - high) + a_head * b_tail + a_tail * b_head) + a_tail * b_tail;
    Double { high, low }
}

/// Two numbers of 26 bits, a sign included in the second, whose sum is `value` (Veltkamp).
fn split(value: f64) -> (f64, f64) {
    let scaled = value * 134217729.0;
    let head = scaled - (scaled - value);
    (head, value - head)
}

/// A positive number of 192 bits: `limbs × 2^exponent`, the first limb being the least.
#[derive(Clone, Copy)]
struct Long {
    /// The highest bit is set.
    limbs: [u32; LIMBS],
    exponent: i64,
    /// Whether it was more, by less than one of `limbs`.
    is_cut: bool,
}

const LIMBS: usize = 6;

impl Long {
    fn of(value: f64) -> Long {
        let bits = value.to_bits();
        let (mantissa, exponent) = match bits >> 52 {
            0 => (bits, -1074),
            biased => (bits & ((1 << 52) - 1) | 1 << 52, biased as i64 - 1075),
        };
        let zeros = mantissa.leading_zeros();
        let mantissa = mantissa << zeros;
        let mut limbs = [0; LIMBS];
        (limbs[LIMBS - 2], limbs[LIMBS - 1]) = (mantissa as u32, (mantissa >> 32) as u32);
        let exponent = exponent - i64::from(zeros) - 32 * (LIMBS as i64 - 2);
        Long { limbs, exponent, is_cut: false }
    }

    /// `times` must be at least 1.
    fn raise(self, times: u64) -> Long {
        let mut power = self;
        for bit in (0..times.ilog2()).rev() {
            power = power.times(&power);
            if times >> bit & 1 == 1 {
                power = power.times(&self);
            }
        }
        power
    }

    fn times(&self, other: &Long) -> Long {
        let mut product = [0; 2 * LIMBS];
        for (i, a) in self.limbs.into_iter().enumerate() {
            let mut carry = 0;
            for (j, b) in other.limbs.into_iter().enumerate() {
                let sum = u64::from(a) * u64::from(b) + u64::from(product[i + j]) + carry;
                product[i + j] = sum as u32;
                carry = sum >> 32;
            }
            product[i + LIMBS] = carry as u32;
        }
        let zeros = product[2 * LIMBS - 1].leading_zeros();
        let limbs = std::array::from_fn(|i| {
            let pair = u64::from(product[LIMBS + i]) << 32 | u64::from(product[LIMBS + i - 1]);
            (pair << zeros >> 32) as u32
        });
        let lost = product[..LIMBS - 1].iter().fold(product[LIMBS - 1] << zeros, |a, b| a | b);
        Long {
            limbs,
            exponent: self.exponent + other.exponent + 32 * LIMBS as i64 - i64::from(zeros),
            is_cut: self.is_cut || other.is_cut || lost != 0,
        }
    }

    /// The nearest number, of two the one that is even.
    fn round(&self) -> f64 {
        // The exponent of the highest bit, and how many bits the number will have.
        let exponent = self.exponent + 32 * LIMBS as i64 - 1;
        let kept = (exponent + 1075).min(53);
        if exponent > 1023 || kept < 0 {
            return if kept < 0 { 0.0 } else { f64::INFINITY };
        }
        let top = u64::from(self.limbs[LIMBS - 1]) << 32 | u64::from(self.limbs[LIMBS - 2]);
        let integer = top.checked_shr(64 - kept as u32).unwrap_or(0);
        let (left, half) = (top & (u64::MAX >> kept), 1 << (63 - kept));
        let is_more = self.is_cut || self.limbs[..LIMBS - 2].iter().any(|limb| *limb != 0);
        let is_up = left > half || left == half && (is_more || integer & 1 == 1);
        // The integer's highest bit counts one up in the exponent, and so does a carry.
        let biased = (exponent + 1022).max(0) as u64;
        f64::from_bits((biased << 52) + integer + u64::from(is_up))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Numbers of a generator (xorshift) with a fixed seed.
    fn seeds() -> impl FnMut() -> u64 {
        let mut state = 0x9e37_79b9_7f4a_7c15_u64;
        move || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state
        }
    }

    /// Factors of every distance from 1, with the times that make a normal number of each.
    fn cases(count: usize) -> impl Iterator<Item = (Power, u64)> {
        let mut next = seeds();
        std::iter::from_fn(move || {
            let bits = next();
            let factor = match bits % 4 {
                0 => f64::from_bits(next() % (0x7ff << 52)),
                1 => 0.5 + next() as f64 / (1u64 << 63) as f64,
                _ => {
                    let distance = 1.0 / (1u64 << (bits >> 8 & 31)) as f64;
                    1.0 + distance * (next() as i64 as f64 / (1u64 << 63) as f64)
                }
            };
            let power = Power::of(factor);
            let times_max = (709.0 / power.ln.whole.abs()).min((1u64 << 53) as f64 - 1.0);
            Some((power, (next() as f64 / 2f64.powi(64) * times_max) as u64))
        })
        .filter(|(power, times)| {
            *times > 0 && LN_NORMAL.contains(&(*times as f64 * power.ln.whole))
        })
        .take(count)
    }

    /// How far a sum is from the power, in units of [`ERROR_MAX`].
    fn error(power: &Power, times: u64, sum: Scaled) -> f64 {
        let exact = Long::of(power.factor).raise(times);
        // 2^-126 of a number in 1 to 4.
        let unit = exact.exponent + 64 - i64::from(sum.exponent);
        let long = exact.limbs[2..].iter().rev().fold(0, |sum, limb| sum << 32 | u128::from(*limb));
        let exact = (long >> (-126 - unit)) as i128;
        let part = |value: f64| (value * 2f64.powi(126)) as i128;
        (part(sum.high) + part(sum.low) - exact) as f64 / 2f64.powi(126) / ERROR_MAX
    }

    #[test]
    fn the_sum_is_within_its_bound_and_rarely_undecided() {
        let (mut error_max, mut undecided) = (0f64, 0);
        const COUNT: usize = 20_000;
        for (power, times) in cases(COUNT) {
            let n = times as f64;
            let sum = power.scaled(n, n * power.ln.whole);
            error_max = error_max.max(error(&power, times, sum).abs());
            let [low, high] = [-ERROR_MAX, ERROR_MAX].map(|error| sum.high + (sum.low + error));
            undecided += usize::from(low != high);
        }
        assert!(error_max < 0.5, "{error_max}");
        assert!(undecided < COUNT / 2000, "{undecided}");
    }

    #[test]
    fn long_multiplications_give_the_same() {
        for (power, times) in cases(1000) {
            let value = power.raise(times);
            assert_eq!(value.to_bits(), power.raise_exactly(times).to_bits());
        }
        // Exact, a tie of 54 bits each way, and one that is not quite one.
        assert_eq!(Long::of(3.0).raise(33).round(), 5559060566555523.0);
        assert_eq!(Long::of(3.0).raise(34).round(), 16677181699666568.0);
        let odd = 94_906_267.0;
        assert_eq!(Long::of(odd).raise(2).round(), 9007199515875288.0);
    }

    #[test]
    fn logarithms_are_right() {
        for (value, ln) in [
            (1.0, 0.0),
            (2.0, std::f64::consts::LN_2),
            (10.0, std::f64::consts::LN_10),
            (0.5, -std::f64::consts::LN_2),
            (5e-324, -744.4400719213812),
            (1.0 + f64::EPSILON, 2.220446049250313e-16 - 2.465190328815662e-32),
        ] {
            assert_eq!(TABLES.ln(value).high, ln, "{value}");
        }
        assert!((log2(8.0) - 3.0).abs() < 1e-15);
        assert_eq!(log2(0.0), f64::NEG_INFINITY);
    }
}
