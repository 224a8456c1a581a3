//! What peers may hold of the server's memory and places, each of them and all together.
//!
//! A bound is a number of bytes, streams or places. Whoever takes a part of it gives that back by
//! dropping it, so that nothing stays taken by what has ended.

use crate::connection::PeerAddress;
use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Who shares in a bound: an address of IPv4, or a network of IPv6, since a home or a machine there has
/// 2^64 addresses to choose from (RFC 6177).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Origin(IpAddr);

impl From<IpAddr> for Origin {
    fn from(ip: IpAddr) -> Origin {
        const NETWORK: u128 = !0 << 64;
        match ip.to_canonical() {
            IpAddr::V6(ip) => Origin(IpAddr::V6(Ipv6Addr::from_bits(ip.to_bits() & NETWORK))),
            ip @ IpAddr::V4(_) => Origin(ip),
        }
    }
}

impl From<PeerAddress> for Origin {
    fn from(address: PeerAddress) -> Origin {
        Origin::from(address.ip)
    }
}

/// Why there is no more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Full {
    /// This origin holds as much as one may.
    #[error("this address holds as much as one may")]
    Yours,
    /// All together hold as much as they may.
    #[error("all together hold as much as they may")]
    All,
}

/// So much of something, shared by origins. Cloning it costs nothing, and is the same bound.
#[derive(Clone, Debug)]
pub(crate) struct Bound(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    each_max: usize,
    all_max: usize,
    taken: Mutex<Taken>,
}

#[derive(Debug, Default)]
struct Taken {
    all: usize,
    /// Only those that hold something.
    each: HashMap<Origin, usize>,
}

/// A part of a bound, which is given back when this is dropped.
#[derive(Debug)]
pub(crate) struct Held {
    bound: Bound,
    origin: Origin,
    amount: usize,
}

impl Bound {
    /// All together may hold `all_max`, and one origin `each_max` of that.
    pub(crate) fn new(each_max: usize, all_max: usize) -> Bound {
        Bound(Arc::new(Shared { each_max, all_max, taken: Mutex::default() }))
    }

    /// Takes `amount`.
    ///
    /// Returns an error, and takes nothing, where that is more than there is.
    pub(crate) fn take(&self, origin: Origin, amount: usize) -> Result<Held, Full> {
        let mut held = Held { bound: self.clone(), origin, amount: 0 };
        held.resize(amount)?;
        Ok(held)
    }

    /// What all together hold.
    #[cfg(test)]
    pub(crate) fn taken(&self) -> usize {
        self.lock().all
    }

    /// What one origin holds.
    #[cfg(test)]
    pub(crate) fn taken_by(&self, origin: Origin) -> usize {
        self.lock().each.get(&origin).copied().unwrap_or(0)
    }

    fn lock(&self) -> MutexGuard<'_, Taken> {
        self.0.taken.lock().unwrap_or_else(PoisonError::into_inner)
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
        let Shared { each_max, all_max, .. } = *self.bound.0;
        let mut taken = self.bound.lock();
        let all = (taken.all - self.amount).saturating_add(amount);
        let each = taken.each.get(&self.origin).copied().unwrap_or(0) - self.amount;
        let each = each.saturating_add(amount);
        if amount > self.amount {
            if each > each_max {
                return Err(Full::Yours);
            }
            if all > all_max {
                return Err(Full::All);
            }
        }
        taken.all = all;
        match each {
            0 => drop(taken.each.remove(&self.origin)),
            each => drop(taken.each.insert(self.origin, each)),
        }
        drop(taken);
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

    fn origin(ip: &str) -> Origin {
        Origin::from(ip.parse::<IpAddr>().unwrap())
    }

    #[test]
    fn each_has_a_part_and_all_have_the_whole() {
        let bound = Bound::new(6, 10);
        let [a, b] = [origin("10.0.0.1"), origin("10.0.0.2")];
        let mut first = bound.take(a, 4).unwrap();
        assert_eq!(bound.take(a, 3).unwrap_err(), Full::Yours);
        assert_eq!(first.resize(7), Err(Full::Yours));
        first.resize(6).unwrap();
        assert_eq!(bound.take(b, 5).unwrap_err(), Full::All);
        let second = bound.take(b, 4).unwrap();
        assert_eq!((bound.taken(), bound.taken_by(a), bound.taken_by(b)), (10, 6, 4));
        first.resize(1).unwrap();
        assert_eq!((bound.taken(), first.amount()), (5, 1));
        drop((first, second));
        assert_eq!((bound.taken(), bound.lock().each.len()), (0, 0));
    }

    #[test]
    fn a_network_of_ipv6_is_one_origin() {
        assert_eq!(origin("2001:db8::1"), origin("2001:db8::ffff:1"));
        assert_ne!(origin("2001:db8::1"), origin("2001:db8:0:1::1"));
        assert_eq!(origin("::ffff:10.0.0.1"), origin("10.0.0.1"));
        assert_ne!(origin("10.0.0.1"), origin("10.0.0.2"));
    }
}
