//! How long to wait before connecting again.

use std::time::Duration;
use tequio_protocol::limits::{BACKOFF_BASE, BACKOFF_MAX};

/// Exponential backoff with full jitter: the n-th delay in a row is uniform between nothing and
/// `BACKOFF_BASE × 2^n`, at most [`BACKOFF_MAX`].
///
/// Full jitter spreads the tabs of a classroom evenly over the interval after a server restarts,
/// which ends the queue soonest (M. Brooker, "Exponential Backoff And Jitter", AWS, 2015).
#[derive(Clone, Debug)]
pub struct Backoff {
    delays_drawn: u32,
    random: SplitMix64,
}

impl Backoff {
    /// A backoff whose delays follow from `seed` alone.
    pub fn new(seed: u64) -> Backoff {
        Backoff { delays_drawn: 0, random: SplitMix64(seed) }
    }

    /// The next delay.
    pub fn draw(&mut self) -> Duration {
        let ceiling = self.ceiling();
        self.delays_drawn = self.delays_drawn.saturating_add(1);
        ceiling.mul_f64(self.random.unit())
    }

    /// What the next delay will not exceed.
    pub fn ceiling(&self) -> Duration {
        let doubled = 2u32.saturating_pow(self.delays_drawn);
        BACKOFF_BASE.saturating_mul(doubled).min(BACKOFF_MAX)
    }

    /// Starts again from the base: a connection has lasted.
    pub fn reset(&mut self) {
        self.delays_drawn = 0;
    }
}

/// SplitMix64 (Steele, Lea, Flood: "Fast Splittable Pseudorandom Number Generators", OOPSLA 2014):
/// five lines, good far beyond what a delay needs, and fine with any seed.
#[derive(Clone, Debug)]
pub(crate) struct SplitMix64(pub(crate) u64);

impl SplitMix64 {
    /// Uniform in `[0, 1)`.
    pub(crate) fn unit(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^= z >> 31;
        (z >> 11) as f64 / (1u64 << 53) as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ceilings_double_to_the_maximum_and_reset() {
        let mut backoff = Backoff::new(1);
        let mut ceilings = Vec::new();
        for _ in 0..8 {
            ceilings.push(backoff.ceiling().as_millis());
            let ceiling = backoff.ceiling();
            assert!(backoff.draw() <= ceiling);
        }
        assert_eq!(ceilings, [500, 1000, 2000, 4000, 8000, 16_000, 30_000, 30_000]);
        for _ in 0..100 {
            assert!(backoff.draw() <= BACKOFF_MAX);
        }
        backoff.reset();
        assert_eq!(backoff.ceiling(), BACKOFF_BASE);
    }

    #[test]
    fn jitter_is_full_and_follows_the_seed() {
        let firsts = |seed| Backoff::new(seed).draw();
        assert_eq!(firsts(7), firsts(7));
        let spread: Vec<Duration> = (0..1000).map(firsts).collect();
        let below = spread.iter().filter(|d| **d < BACKOFF_BASE / 2).count();
        assert!((400..600).contains(&below), "half of the delays lie in the lower half: {below}");
    }
}
