//! Which ops a worker can compute: a job is lent to those only. Whoever cannot is no liar.

use std::fmt;
use tequio_protocol::op::{self, Audits, Op};

/// Ops of this version's table, by their places in it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Skills(u64);

impl Skills {
    /// Those ops of a list of names that this version knows.
    pub fn named<S: AsRef<str>>(names: impl IntoIterator<Item = S>) -> Skills {
        let known = names.into_iter().filter_map(|name| op::named(name.as_ref()));
        known.map(Skills::of).fold(Skills::default(), Skills::with)
    }

    /// What a plain client is taken to know, who does not say it: ops whose results the server computes on
    /// the spot, since it computes each of a plain client's.
    pub fn plain() -> Skills {
        let ops = op::ALL.iter().filter(|op| op.audits() == Audits::OnTheSpot);
        ops.map(|op| Skills::of(*op)).fold(Skills::default(), Skills::with)
    }

    /// One op.
    pub(super) fn of(op: &'static dyn Op) -> Skills {
        let place = op::ALL.iter().position(|known| *known == op);
        Skills(place.map_or(0, |place| 1 << place))
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
        let known = op::ALL.iter().filter(|op| self.has_some_of(Skills::of(**op)));
        f.write_str(&known.map(|op| op.name()).collect::<Vec<_>>().join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn skills_are_the_ops_that_are_named_and_known() {
        let both = Skills::named(["collatz", "divide", "repeat_multiply"]);
        assert_eq!(both.each().count(), 2);
        assert_eq!(both.to_string(), "repeat_multiply, collatz");
        let one = Skills::named(["collatz"]);
        assert!(both.has_some_of(one) && !both.without(one).has_some_of(one));
        assert!(Skills::named(["divide"]).is_empty());
        assert!(Skills::plain().has_some_of(one));
        assert!(op::ALL.len() <= u64::BITS as usize, "each op has a bit");
    }
}
