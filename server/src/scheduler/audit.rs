//! What is believed of what workers say. Results are claims, and so are failures: some of the first
//! are computed again, drawn after they came, and all of the second, where the server can.

use super::intervals::count;
use super::job::Job;
use super::{Inputs, Mode};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use std::fmt;
use std::ops::Range;
use tequio_protocol::limits::{AUDIT_EVERY_MAX, AUDITED_FIRST, AUDITED_MIN, REFUTED_MAX};
use tequio_protocol::number::Number;
use tequio_protocol::numbers::Numbers;
use tequio_protocol::op::Op;

/// How far a plain client's result may lie from ours, relatively: browsers' own `Math.pow` and
/// the C libraries under other languages differ from each other in the last bits.
pub const PLAIN_TOLERANCE: f64 = 1e-12;

/// What a server goes by when it judges what workers say.
#[derive(Clone)]
pub struct Trust {
    /// What the choice of results to audit follows from, and what sessions are called. No worker may
    /// guess it, so it has as many bits as the generator has.
    pub seed: [u8; 32],
    /// What a worker's word is worth that a task cannot be computed.
    pub failures: Failures,
}

/// What a worker's word is worth that a task cannot be computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failures {
    /// The server computes the task itself, where it knows the op.
    Judged,
    /// Attempts of several workers make it true. For tests of tasks that nobody can compute.
    Believed,
}

/// A seed of few bits, for tests that are to be repeated.
impl From<u64> for Trust {
    fn from(seed: u64) -> Trust {
        Trust { seed: StdRng::seed_from_u64(seed).random(), failures: Failures::Judged }
    }
}

/// Without the seed: what is printed may be read by workers.
impl fmt::Debug for Trust {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Trust").field("failures", &self.failures).finish_non_exhaustive()
    }
}

impl Failures {
    /// What the server itself comes to, where a task is said to have no result.
    pub(super) fn refute(self, job: &Job, inputs: Option<&Inputs>, index: u64) -> Option<Number> {
        if self == Failures::Believed {
            return None;
        }
        match job.spec.op {
            Op::RepeatMultiply => inputs.map(|inputs| inputs.compute(index)),
            // It may never end here either.
            #[cfg(feature = "test-ops")]
            Op::Misbehave => None,
        }
    }
}

/// What a worker has shown, on all connections of its session.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Credit {
    /// Results that were audited and right.
    pub(super) audited: u64,
    /// Results that were accepted and new.
    pub(super) accepted: u64,
    /// Of these, the ones since it last held up others.
    pub(super) standing: u64,
    /// Failures that were refuted.
    refuted: u64,
}

impl Credit {
    /// Counts results that were accepted and new.
    pub(super) fn add_accepted(&mut self, tasks: u64) {
        self.accepted += tasks;
        self.standing += tasks;
    }

    /// One in so many of its next results is audited.
    fn audited_every(self) -> u64 {
        (1 + self.audited / AUDITED_FIRST).min(AUDIT_EVERY_MAX)
    }

    /// Counts a failure that was refuted, and says whether that is one too many.
    pub(super) fn add_refuted(&mut self) -> bool {
        self.refuted += 1;
        self.refuted > REFUTED_MAX + self.accepted / AUDITED_FIRST
    }

    /// What was shown on a connection since, in plain mode perhaps, is added.
    pub(super) fn add(&mut self, since: Credit) {
        self.audited += since.audited;
        self.accepted += since.accepted;
        self.standing += since.standing;
        self.refuted += since.refuted;
    }
}

/// What an audit of a message came to.
pub(super) enum Verdict {
    /// Nothing was found wrong.
    Right {
        /// Results that were computed again.
        audited: u64,
    },
    /// A result is wrong.
    Wrong(Wrong),
}

/// A wrong result.
pub(super) struct Wrong {
    pub(super) index: u64,
    pub(super) got: Number,
    /// What was found right of the same message, where all of it was audited.
    pub(super) right: Vec<Range<u64>>,
}

/// Which results of a message are audited, of those that are new: duplicates and what is settled
/// already cannot be recorded, and must not thin the audit.
///
/// One is drawn in each stretch of as many neighbours as it is to be one of, so each has the same
/// chance, also in a message of one result; lies that lie together are found sooner.
fn draw(random: &mut StdRng, credit: Credit, fresh: &[Range<u64>], mode: Mode) -> Vec<u64> {
    let tasks: u64 = fresh.iter().map(count).sum();
    let every = match mode {
        Mode::Plain => 1,
        Mode::Lease => credit.audited_every().min((tasks / AUDITED_MIN).max(1)),
    };
    if every == 1 {
        return fresh.iter().cloned().flatten().collect();
    }
    let mut drawn = Vec::with_capacity((tasks / every + 1) as usize);
    let mut runs = fresh.iter();
    let (mut run, mut passed) = (0..0, 0);
    for stretch in (0..tasks).step_by(every as usize) {
        let place = stretch + random.random_range(0..every);
        if place >= tasks {
            break;
        }
        while place >= passed + count(&run) {
            passed += count(&run);
            run = runs.next().cloned().unwrap_or(0..tasks);
        }
        drawn.push(run.start + (place - passed));
    }
    drawn
}

/// Results of a message beside what they are computed of.
pub(super) struct Claims<'a> {
    pub(super) first: u64,
    pub(super) results: &'a Numbers,
    pub(super) inputs: &'a Inputs,
    pub(super) mode: Mode,
}

impl Claims<'_> {
    /// Computes some of the new results again, and believes the others for it.
    pub(super) fn judge(
        &self,
        random: &mut StdRng,
        credit: Credit,
        fresh: &[Range<u64>],
    ) -> Verdict {
        let drawn = draw(random, credit, fresh, self.mode);
        let Some((index, got)) = self.find_wrong(&drawn, fresh) else {
            return Verdict::Right { audited: drawn.len() as u64 };
        };
        // Of one that lies from the first on nothing is lost: what was audited is known to be right.
        let is_all = drawn.len() as u64 == fresh.iter().map(count).sum::<u64>();
        let right = if is_all { self.find_right(&drawn) } else { Vec::new() };
        Verdict::Wrong(Wrong { index, got, right })
    }

    /// The tasks that the message is about.
    pub(super) fn range(&self) -> Range<u64> {
        self.first..self.first.saturating_add(self.results.len() as u64)
    }

    /// What it says of some of them.
    pub(super) fn results_of(&self, tasks: &Range<u64>) -> Numbers {
        let place = |index: u64| (index - self.first) as usize;
        self.results.slice(place(tasks.start)..place(tasks.end))
    }

    /// A result that is wrong, with its index: one that was drawn, or a new one that is not finite and
    /// must be.
    fn find_wrong(&self, drawn: &[u64], fresh: &[Range<u64>]) -> Option<(u64, Number)> {
        let mut compute = Op::RepeatMultiply.computer();
        let mut is_wrong = |index: &u64| {
            !self.is_right(*index, Number(compute(&self.inputs.of(*index))))
                // A second time, by itself: nobody is turned away for a bit that flipped here.
                && !self.is_right(*index, self.inputs.compute(*index))
        };
        let impossible = || {
            let indices = self.results.not_finite().map(|place| self.first + place as u64);
            let mut new = indices.filter(|index| fresh.iter().any(|run| run.contains(index)));
            new.find(|index| self.inputs.of(*index).is_surely_finite())
        };
        let index = drawn.iter().copied().find(|index| is_wrong(index)).or_else(impossible)?;
        Some((index, self.result(index)))
    }

    /// Those of some indices, which ascend, whose results are right.
    fn find_right(&self, indices: &[u64]) -> Vec<Range<u64>> {
        let mut right: Vec<Range<u64>> = Vec::new();
        for &index in indices {
            if !self.is_right(index, self.inputs.compute(index)) {
                continue;
            }
            match right.last_mut().filter(|run| run.end == index) {
                Some(run) => run.end += 1,
                None => right.push(index..index + 1),
            }
        }
        right
    }

    fn result(&self, index: u64) -> Number {
        self.results.get((index - self.first) as usize)
    }

    fn is_right(&self, index: u64, expected: Number) -> bool {
        match self.mode {
            Mode::Lease => self.result(index).same_bits(expected),
            Mode::Plain => self.result(index).is_close(expected, PLAIN_TOLERANCE),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    fn credit(audited: u64) -> Credit {
        Credit { audited, ..Credit::default() }
    }

    fn drawn(credit: Credit, fresh: &[Range<u64>]) -> Vec<u64> {
        draw(&mut StdRng::seed_from_u64(7), credit, fresh, Mode::Lease)
    }

    #[test]
    #[expect(clippy::single_range_in_vec_init, reason = "one run is meant, not its indices")]
    fn a_newcomers_results_are_audited_all_and_then_ever_fewer_and_never_none() {
        let message = [7..7 + 3200];
        let of = |verified: u64| drawn(credit(verified), &message).len() as u64;
        assert_eq!([0, AUDITED_FIRST - 1].map(of), [3200, 3200]);
        let known = [1, 3, 31, 1 << 30].map(|times| of(times * AUDITED_FIRST));
        assert_eq!(known, [1600, 800, 100, 100]);
        for tasks in 1..=AUDITED_MIN {
            assert_eq!(drawn(credit(1 << 30), &[7..7 + tasks]), Vec::from_iter(7..7 + tasks));
        }
        let mut random = StdRng::seed_from_u64(7);
        let mut next = || draw(&mut random, credit(1 << 30), &message, Mode::Lease);
        assert_ne!(next(), next(), "from message to message");
    }

    #[test]
    fn audits_are_of_what_is_new_and_of_all_of_it() {
        let fresh = [10..11, 100..103, 5000..5200];
        let mut random = StdRng::seed_from_u64(7);
        let mut seen = BTreeSet::new();
        for _ in 0..2000 {
            let drawn = draw(&mut random, credit(1 << 30), &fresh, Mode::Lease);
            assert!(drawn.is_sorted() && (6..=7).contains(&drawn.len()), "{drawn:?}");
            seen.extend(drawn);
        }
        assert_eq!(seen, fresh.iter().cloned().flatten().collect());
        assert_eq!(drawn(credit(1 << 30), &[]), [0; 0]);
    }

    #[test]
    fn few_failures_are_forgiven_and_more_to_who_has_shown_more() {
        let mut credit = Credit::default();
        assert!((0..REFUTED_MAX).all(|_| !credit.add_refuted()));
        assert!(credit.add_refuted());
        credit.accepted = 2 * AUDITED_FIRST;
        assert!(!credit.add_refuted());
        assert!(credit.add_refuted());
    }

    #[test]
    fn a_seed_is_not_printed() {
        let trust = Trust::from(7);
        let printed = format!("{trust:?}");
        assert!(!printed.contains("seed") && printed.contains("Judged"), "{printed}");
        assert_ne!(trust.seed[16..], [0; 16]);
    }
}
