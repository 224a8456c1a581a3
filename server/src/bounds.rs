//! What peers may hold of the server's memory and places, all together.
//!
//! A bound is a number of bytes, streams or places. Whoever takes a part of it gives that back by
//! dropping it, so that nothing stays taken by what has ended.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// There is no more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("all together hold as much as they may")]
pub(crate) struct Full;

/// So much of something, shared by all peers. Cloning it costs nothing, and is the same bound.
#[derive(Clone, Debug)]
pub(crate) struct Bound(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    amount_max: usize,
    taken: AtomicUsize,
}

/// A part of a bound, which is given back when this is dropped.
#[derive(Debug)]
pub(crate) struct Held {
    bound: Bound,
    amount: usize,
}

impl Bound {
    /// All together may hold `amount_max`. There is no share for an address, since a school has one.
    pub(crate) fn new(amount_max: usize) -> Bound {
        Bound(Arc::new(Shared { amount_max, taken: AtomicUsize::new(0) }))
    }

    /// Takes `amount`.
    ///
    /// Returns an error, and takes nothing, where that is more than there is.
    pub(crate) fn take(&self, amount: usize) -> Result<Held, Full> {
        let mut held = Held { bound: self.clone(), amount: 0 };
        held.resize(amount)?;
        Ok(held)
    }

    /// What all together hold.
    #[cfg(test)]
    pub(crate) fn taken(&self) -> usize {
        self.0.taken.load(Ordering::Relaxed)
    }
}

impl Held {
    /// What this holds.
    pub(crate) fn amount(&self) -> usize {
        self.amount
    }

    /// Holds `amount` instead. Less is always given back.
    ///
    /// Returns an error, and holds what it held, where that is more than there is.
    pub(crate) fn resize(&mut self, amount: usize) -> Result<(), Full> {
        let Shared { amount_max, taken } = &*self.bound.0;
        let resized = |all: usize| {
            let all = (all - self.amount).saturating_add(amount);
            (amount <= self.amount || all <= *amount_max).then_some(all)
        };
        taken.fetch_update(Ordering::Relaxed, Ordering::Relaxed, resized).map_err(|_| Full)?;
        self.amount = amount;
        Ok(())
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        // To give back cannot fail.
        self.resize(0).ok();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_have_the_whole_and_what_is_dropped_is_given_back() {
        let bound = Bound::new(10);
        let mut first = bound.take(4).unwrap();
        assert_eq!(bound.take(7).unwrap_err(), Full);
        assert_eq!(first.resize(11), Err(Full));
        assert_eq!((bound.taken(), first.amount()), (4, 4));
        first.resize(6).unwrap();
        let second = bound.take(4).unwrap();
        assert_eq!(first.resize(7), Err(Full));
        assert_eq!(first.resize(usize::MAX), Err(Full));
        first.resize(1).unwrap();
        assert_eq!((bound.taken(), first.amount()), (5, 1));
        drop((first, second));
        assert_eq!(bound.taken(), 0);
    }
}
