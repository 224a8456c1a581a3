//! Which ops a worker can compute: a job is lent to those only. Whoever cannot is no liar.

use std::fmt;
use tequio_protocol::op::kernel::{KernelId, Sha256};
use tequio_protocol::op::{self, Audits, Op, kernel};

/// Ops of this version's table, by their places in it, and behind them kernels, whichever: in the lower half those
/// of which single tasks are computed, and in the upper one those of which blocks of several are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Skills(u64);

/// A kernel's module and its job's data, whatever the blocks are: what a worker can get and compile, or cannot. Of each
/// hash the beginning.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct KernelKey {
    module: u64,
    data: u64,
}

impl KernelKey {
    pub(super) fn of(id: &KernelId) -> KernelKey {
        let digits = |hash: &Sha256| u64::from_str_radix(&hash.as_str()[..16], 16).unwrap_or(0);
        KernelKey { module: digits(&id.module), data: id.data.as_ref().map_or(0, digits) }
    }
}

/// The bits of each half.
const HALF: u32 = u64::BITS / 2;

impl Skills {
    /// Those ops of a list of names that this version knows, single tasks and blocks of them.
    pub fn named<S: AsRef<str>>(names: impl IntoIterator<Item = S>) -> Skills {
        let place = |name: &str| match name {
            kernel::SKILL => Some(op::ALL.len()),
            name => op::ALL.iter().position(|op| op.name() == name),
        };
        let places = names.into_iter().filter_map(|name| place(name.as_ref()));
        let single = places.fold(0, |skills, place| skills | 1 << place);
        Skills(single | single << HALF)
    }

    /// What a plain client is taken to know, who does not say it: single tasks of ops whose results the
    /// server computes on the spot, since it computes each of a plain client's.
    pub fn plain() -> Skills {
        let ops = op::ALL.iter().filter(|op| op.audits() == Audits::OnTheSpot);
        ops.map(|op| Skills::of(*op, 1)).fold(Skills::default(), Skills::with)
    }

    /// One op, in blocks of so many tasks.
    pub(super) fn of(op: &'static dyn Op, block: u64) -> Skills {
        let place = match op.kernel() {
            Some(_) => Some(op::ALL.len()),
            None => op::ALL.iter().position(|known| *known == op),
        };
        let half = if block == 1 { 0 } else { HALF };
        Skills(place.map_or(0, |place| 1 << (place as u32 + half)))
    }

    /// One op, in blocks of any size.
    pub(super) fn of_any_block(op: &'static dyn Op) -> Skills {
        Skills::of(op, 1).with(Skills::of(op, 2))
    }

    /// Kernels, in blocks of any size.
    pub(super) fn kernels() -> Skills {
        Skills::named([kernel::SKILL])
    }

    pub(super) fn with(self, others: Skills) -> Skills {
        Skills(self.0 | others.0)
    }

    pub(super) fn without(self, others: Skills) -> Skills {
        Skills(self.0 & !others.0)
    }

    /// Whether some of these are among those.
    pub(super) fn has_some_of(self, others: Skills) -> bool {
        self.0 & others.0 != 0
    }

    /// Whether there is none.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Each as one.
    pub(super) fn each(self) -> impl Iterator<Item = Skills> {
        (0..u64::BITS).map(|place| Skills(1 << place)).filter(move |one| self.has_some_of(*one))
    }
}

impl fmt::Display for Skills {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = op::ALL.iter().map(|op| op.name()).chain([kernel::SKILL]);
        let known = names.filter(|name| self.has_some_of(Skills::named([name])));
        f.write_str(&known.collect::<Vec<_>>().join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn skills_are_the_ops_that_are_named_and_known() {
        let both = Skills::named(["collatz", "divide", "repeat_multiply"]);
        assert_eq!(both.each().count(), 2 * 2, "single tasks and blocks of each");
        assert_eq!(both.to_string(), "repeat_multiply, collatz");
        let one = Skills::named(["collatz"]);
        assert!(both.has_some_of(one) && !both.without(one).has_some_of(one));
        assert!(Skills::named(["divide"]).is_empty());
        assert!(Skills::plain().has_some_of(one));
        assert!(
            op::ALL.len() < HALF as usize,
            "each op has a bit in each half, and so have kernels"
        );
    }

    #[test]
    fn plain_clients_take_no_blocks_of_several_tasks() {
        for op in op::ALL.iter().filter(|op| op.audits() == Audits::OnTheSpot) {
            let [single, blocks] = [1, 4].map(|block| Skills::of(*op, block));
            let named = Skills::named([op.name()]);
            assert!(named.has_some_of(single) && named.has_some_of(blocks));
            assert!(Skills::plain().has_some_of(single) && !Skills::plain().has_some_of(blocks));
        }
    }
}
