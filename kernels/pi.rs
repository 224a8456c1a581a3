//! Darts for pi: of 2^16 darts that are thrown at a square, how many hit the quarter of a circle in it. Each
//! `block` has darts of its own, so pi is 4 times all hits over all darts. The counts are exact integers.
//!
//!     tequio run pi block=0..1000 --reduce sum,count
//!
//! Source: dart `i` is SplitMix64's output number `i` from seed 0 (Steele, Lea, Flood: Fast splittable
//! pseudorandom number generators, 2014). That output is a function of `i` alone, so any block starts at once.

#![cfg_attr(target_arch = "wasm32", no_std)]

#[macro_use]
#[path = "support/kernel.rs"]
mod kernel;

kernel! {
    params: br#"[{"name":"block","default":"0..1000","help":"which 65536 darts"}]"#
}

/// Darts a task.
const DARTS: u64 = 1 << 16;

/// Darts of this block that lie in the circle; at most 65,536.
#[cfg_attr(target_arch = "wasm32", unsafe(no_mangle))]
extern "C" fn run(block: i64) -> i64 {
    let first = (block as u64).wrapping_mul(DARTS);
    (0..DARTS).map(|dart| i64::from(is_hit(random(first.wrapping_add(dart))))).sum()
}

/// Whether a point of the square of 2^32 by 2^32 is nearer to its corner than 2^32.
fn is_hit(point: u64) -> bool {
    let (x, y) = (point >> 32, point & 0xffff_ffff);
    // Squares are below 2^64, and their sum is if the distance is below 2^32.
    (x * x).checked_add(y * y).is_some()
}

/// SplitMix64's output number `index`, from 0, for the seed 0.
fn random(index: u64) -> u64 {
    let mut bits = index.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn random_numbers_are_those_of_the_reference() {
        // The first three of splitmix64.c for the seed 0.
        let first = [0xe220_a839_7b1d_cdaf, 0x6e78_9e6a_a1b9_65f4, 0x06c4_5d18_8009_454f];
        assert_eq!([random(0), random(1), random(2)], first);
    }

    #[test]
    fn points_beyond_the_circle_are_no_hits() {
        let far = u64::from(u32::MAX);
        for (x, y, expected) in
            [(0, 0, true), (far, 0, true), (far, 92_681, true), (far, 92_682, false)]
        {
            assert_eq!(is_hit(x << 32 | y), expected, "{x}, {y}");
        }
    }

    #[test]
    fn many_darts_come_near_pi() {
        let hits: i64 = (0..64).map(|block| run(block)).sum();
        let pi = 4.0 * hits as f64 / (64 * DARTS) as f64;
        // Three standard deviations.
        assert!((pi - std::f64::consts::PI).abs() < 0.0025, "{pi}");
    }
}
