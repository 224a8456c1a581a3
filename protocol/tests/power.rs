//! Powers beside exact ones, which are multiplied here in 320 bits, and beside `libm`'s.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers as well")]

use tequio_protocol::grid::Grid;
use tequio_protocol::limits::INTEGER_MAX;
use tequio_protocol::message::LeaseInputs;
use tequio_protocol::number::Number;
use tequio_protocol::op::{self, Inputs};
use tequio_protocol::outcome::Outcome;
use tequio_protocol::piece::Piece;
use tequio_protocol::power::Power;
use tequio_protocol::values::Values;

/// Cases of each kind; `libm` misses a last bit in one of sixteen.
const CASES: usize = 3000;

/// Numbers of a generator (xorshift) with a fixed seed.
struct Seeds(u64);

impl Seeds {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    /// From 0 to 1.
    fn part(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1u64 << 53) as f64
    }

    fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    fn sign(&mut self) -> f64 {
        [1.0, -1.0][self.below(2) as usize]
    }

    /// Any factor, subnormal ones included.
    fn factor(&mut self) -> f64 {
        f64::from_bits(1 + self.below((0x7ff << 52) - 1))
    }

    /// As many times as make e^ln of it, for an `ln` between these.
    fn times(&mut self, factor: f64, ln: std::ops::Range<f64>) -> u64 {
        let ln = ln.start + (ln.end - ln.start) * self.part();
        let times = (ln / factor.abs().ln()).abs();
        times.min(INTEGER_MAX as f64) as u64
    }
}

/// A power as `mantissa × 2^exponent`, cut to 320 bits; the first limb is the highest.
#[derive(Clone, Copy)]
struct Wide {
    limbs: [u64; 5],
    exponent: i64,
    is_cut: bool,
}

impl Wide {
    fn of(value: f64) -> Wide {
        let (bits, mut exponent) = (value.abs().to_bits(), -1074);
        let mut mantissa = bits & ((1 << 52) - 1);
        if bits >> 52 > 0 {
            mantissa |= 1 << 52;
            exponent += (bits >> 52) as i64 - 1;
        }
        let zeros = mantissa.leading_zeros();
        let limbs = [mantissa << zeros, 0, 0, 0, 0];
        Wide { limbs, exponent: exponent - i64::from(zeros) - 256, is_cut: false }
    }

    fn times(self, other: Wide) -> Wide {
        // By columns of weight 2^-64, from the lowest.
        let mut product = [0u64; 10];
        let mut column = (0u128, 0u64);
        for place in (0..=8).rev() {
            for i in 0..5 {
                if let Some(j) = usize::checked_sub(place, i).filter(|j| *j < 5) {
                    let part = u128::from(self.limbs[i]) * u128::from(other.limbs[j]);
                    let (sum, is_over) = column.0.overflowing_add(part);
                    column = (sum, column.1 + u64::from(is_over));
                }
            }
            product[place + 1] = column.0 as u64;
            column = (column.0 >> 64 | u128::from(column.1) << 64, 0);
        }
        product[0] = column.0 as u64;
        let is_short = product[0] >> 63 == 0;
        if is_short {
            for i in 0..9 {
                product[i] = product[i] << 1 | product[i + 1] >> 63;
            }
            product[9] <<= 1;
        }
        Wide {
            limbs: product[..5].try_into().unwrap(),
            exponent: self.exponent + other.exponent + 320 - i64::from(is_short),
            is_cut: self.is_cut || other.is_cut || product[5..].iter().any(|limb| *limb > 0),
        }
    }

    fn rounded(self) -> f64 {
        let exponent = self.exponent + 319;
        let bits = 53.min(exponent + 1075);
        match bits {
            ..0 => 0.0,
            // At least a half of the least number, and more where any other bit is set.
            0 => {
                let is_half = self.limbs == [1 << 63, 0, 0, 0, 0] && !self.is_cut;
                if is_half { 0.0 } else { 5e-324 }
            }
            _ if exponent > 1023 => f64::INFINITY,
            _ => {
                let kept = self.limbs[0] >> (64 - bits);
                let rest = self.limbs[0] << bits;
                let is_cut = self.is_cut || self.limbs[1..].iter().any(|limb| *limb > 0);
                let is_up = match rest.cmp(&(1 << 63)) {
                    std::cmp::Ordering::Less => false,
                    std::cmp::Ordering::Equal => is_cut || kept % 2 == 1,
                    std::cmp::Ordering::Greater => true,
                };
                // In two steps, neither of which rounds.
                let lowest = exponent + 1 - bits;
                let half = lowest / 2;
                let number = (kept + u64::from(is_up)) as f64;
                number * 2f64.powi(half as i32) * 2f64.powi((lowest - half) as i32)
            }
        }
    }
}

/// The power that is right, to the last bit.
fn exact(factor: f64, times: u64) -> f64 {
    let sign = if factor.is_sign_negative() && times % 2 == 1 { -1.0 } else { 1.0 };
    if times == 0 || factor == 0.0 {
        return if times == 0 { 1.0 } else { 0.0 * sign };
    }
    let mut power = Wide::of(factor);
    let first = power;
    for bit in (0..times.ilog2()).rev() {
        power = power.times(power);
        if times >> bit & 1 == 1 {
            power = power.times(first);
        }
        // It is infinite, or 0, and stays so.
        if !(-1000 * 1100..1000 * 1100).contains(&power.exponent) {
            return if power.exponent > 0 { f64::INFINITY * sign } else { 0.0 * sign };
        }
    }
    power.rounded() * sign
}

/// Asserts that every power is right; gives how many of `libm`'s are not.
fn compare(name: &str, mut case: impl FnMut(&mut Seeds) -> (f64, u64)) -> usize {
    let mut seeds = Seeds(0x2545_f491_4f6c_dd1d);
    let mut missed = 0;
    for _ in 0..CASES {
        let (factor, times) = case(&mut seeds);
        let (ours, right) = (Power::of(factor).raise(times), exact(factor, times));
        assert_eq!(ours.to_bits(), right.to_bits(), "{name}: {factor:?}^{times} is {right:?}");
        missed += usize::from(libm::pow(factor, times as f64).to_bits() != right.to_bits());
    }
    missed
}

#[test]
fn powers_are_the_nearest_numbers() {
    let mut missed = 0;
    missed += compare("any", |seeds| {
        let factor = seeds.factor();
        (factor * seeds.sign(), seeds.times(factor, 0.0..760.0))
    });
    missed += compare("about 1", |seeds| {
        let factor = 0.5 + 1.5 * seeds.part();
        (factor * seeds.sign(), seeds.below(600))
    });
    missed += compare("near 1", |seeds| {
        let distance = seeds.sign() * 2f64.powf(-52.0 * seeds.part());
        (1.0 + distance, seeds.times(1.0 + distance, 0.0..740.0))
    });
    missed += compare("a sweep", |seeds| (1.000_000_43, seeds.below(1_000_000)));
    assert!(missed > 4 * CASES / 50, "libm misses more than that: {missed}");
}

#[test]
fn powers_at_the_edges_are_the_nearest_numbers() {
    compare("subnormal", |seeds| {
        let factor = 0.01 + 0.98 * seeds.part();
        (factor * seeds.sign(), seeds.times(factor, 707.0..747.0))
    });
    compare("of subnormal", |seeds| (f64::from_bits(seeds.below(1 << 52)), seeds.below(4)));
    compare("almost infinite", |seeds| {
        let factor = 1.01 + seeds.part();
        (factor * seeds.sign(), seeds.times(factor, 709.0..711.0))
    });
    compare("by a last place", |seeds| {
        let places = seeds.below(40) as f64 - 20.0;
        (1.0 + places * f64::EPSILON / 2.0, seeds.below(INTEGER_MAX + 1))
    });
}

#[test]
fn exact_powers_are_exact_and_ties_go_to_the_even() {
    compare("integers", |seeds| (seeds.below(1000) as f64 * seeds.sign(), seeds.below(60)));
    // Squares of 27 bits are ties half of the time.
    compare("squares", |seeds| ((seeds.below(1 << 26) + (1 << 26)) as f64, 2));
    compare("fourths", |seeds| (seeds.below(11585) as f64, 4));
    compare("twos", |seeds| {
        let exponent = seeds.below(60) as i32 - 30;
        (2f64.powi(exponent) * seeds.sign(), seeds.below(100))
    });
    // Subnormal ties: of few bits, so far down that they are cut.
    compare("small squares", |seeds| {
        let factor = seeds.below(1 << 12) as f64 * 2f64.powi(-530 - seeds.below(14) as i32);
        (factor, 2)
    });
}

#[test]
fn powers_that_others_have_computed() {
    // By mpmath, in 400 bits.
    for (factor, times, power) in [
        (1.00000043, 1000000, 1.5372573815076132),
        (1.0000000000000002, 9007199254740991, 7.389056098930647),
        (0.9999999999999999, 9007199254740991, 0.36787944117144233),
        (-1.5, 1001, -1.8507608953592603e+176),
        (3.0, 34, 1.6677181699666568e+16),
        (10.0, 22, 1e22),
        (10.0, 23, 1e23),
        (10.0, 308, 1e308),
        (0.1, 300, 1.0000000000000166e-300),
        (std::f64::consts::PI, 600, 1.9495016921159543e+298),
        (94906267.0, 2, 9007199515875288.0),
        (1.5, 20, 3325.256730079651),
        (0.75, 2580, 4.4e-323),
        (0.9, 7000, 4.985e-321),
        (-0.9, 7003, -3.63e-321),
        (std::f64::consts::FRAC_1_SQRT_2, 2149, 5e-324),
        (1e-162, 2, 0.0),
        (3e-162, 2, 1e-323),
        (0.999, 744000, 5e-324),
        (1.0000001, 7097000, 2.03338108147766),
    ] {
        assert_eq!(Power::of(factor).raise(times), power, "{factor}^{times}");
        assert_eq!(exact(factor, times), power, "the test's own {factor}^{times}");
    }
}

#[test]
fn powers_of_special_numbers() {
    let infinity = f64::INFINITY;
    for (factor, times, power) in [
        (0.0, 0, 1.0),
        (-0.0, 0, 1.0),
        (0.0, 1, 0.0),
        (-0.0, 1, -0.0),
        (-0.0, 2, 0.0),
        (-0.0, INTEGER_MAX, -0.0),
        (1.0, INTEGER_MAX, 1.0),
        (-1.0, INTEGER_MAX, -1.0),
        (-1.0, INTEGER_MAX - 1, 1.0),
        (-7.5, 0, 1.0),
        (-7.5, 1, -7.5),
        (2.0, 1023, 8.98846567431158e307),
        (2.0, 1024, infinity),
        (-2.0, 1025, -infinity),
        (0.5, 1022, f64::MIN_POSITIVE),
        (0.5, 1074, 5e-324),
        (0.5, 1075, 0.0),
        (-0.5, 1077, -0.0),
        (f64::MAX, 1, f64::MAX),
        (f64::MAX, 2, infinity),
        (f64::MAX, INTEGER_MAX, infinity),
        (-f64::MAX, INTEGER_MAX, -infinity),
        (5e-324, 1, 5e-324),
        (5e-324, 2, 0.0),
        (-5e-324, INTEGER_MAX, -0.0),
        (f64::MIN_POSITIVE, 1, f64::MIN_POSITIVE),
    ] {
        let ours = Power::of(factor).raise(times);
        assert_eq!(ours.to_bits(), f64::to_bits(power), "{factor:?}^{times} is {ours:?}");
    }
}

#[test]
fn a_piece_gives_what_its_tasks_give_one_by_one() {
    let grid: Grid = serde_json::from_str(
        r#"{"initial":[1,-0.0,3e300],"factor":[-1.5,0,-0.0,0.25,1.0000001],"times":"0..=700:7"}"#,
    )
    .unwrap();
    let op = op::named("repeat_multiply").unwrap();
    let (first, count) = (37, 1000);
    let text = |index| Inputs::Grid(&grid).text(op.params(), index);
    let inputs: Values = (first..first + count).map(text).collect();
    let alone = |input: &str| Piece::of_one(op, input).compute().get(0).to_owned();
    let one_by_one: Vec<Outcome> = inputs.iter().map(alone).collect();
    for inputs in [LeaseInputs::Grid(grid.clone()), LeaseInputs::List(inputs.clone())] {
        let together = Piece { op, first, count, inputs }.compute();
        assert!(together.iter().eq(one_by_one.iter().map(Outcome::as_ref)));
    }
    // And these what a multiplication gives, beside a power that is known to be right.
    for (index, outcome) in (first..).zip(&one_by_one) {
        let [initial, factor, times] = grid.values(index).collect::<Vec<_>>()[..] else {
            panic!("three axes");
        };
        let result = Number(initial * Power::of(factor).raise(times as u64));
        assert_eq!(*outcome, Outcome::Result(serde_json::to_string(&result).unwrap()));
    }
}
