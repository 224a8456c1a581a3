//! What is believed of what workers say. Outcomes are claims, and so are failures: some of the first
//! are computed again, drawn after they came, and all of the second, where the server can.

use super::intervals::count;
use super::job::Job;
use super::{Inputs, Mode};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use std::fmt;
use std::ops::Range;
use tequio_protocol::limits::{
    AUDIT_CORES, AUDIT_EVERY_MAX, AUDITED_FIRST, AUDITED_MIN, REFUTED_MAX,
};
use tequio_protocol::op::{Audits, Exactness, Op, PARAMS_MAX};
use tequio_protocol::outcome::{OutcomeRef, Outcomes};
use tequio_protocol::ranges::push_joined;

/// What a server goes by when it judges what workers say.
#[derive(Clone)]
pub struct Trust {
    /// What the choice of results to audit follows from, and what sessions are called. No worker may
    /// guess it, so it has as many bits as the generator has.
    pub seed: [u8; 32],
    /// What a worker's word is worth that a task cannot be computed.
    pub failures: Failures,
    /// Cores that audits on threads take at the most, on average: more than 0.
    pub cores: f64,
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
        let seed = StdRng::seed_from_u64(seed).random();
        Trust { seed, failures: Failures::Judged, cores: AUDIT_CORES }
    }
}

/// Without the seed: what is printed may be read by workers.
impl fmt::Debug for Trust {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Trust").field("failures", &self.failures).finish_non_exhaustive()
    }
}

impl Failures {
    /// What the server itself comes to, where a block is said to have no outcome.
    pub(super) fn refute(
        self,
        job: &Job,
        inputs: Option<&Inputs>,
        block: &Range<u64>,
    ) -> Option<Outcomes> {
        match (self, job.spec.op.audits()) {
            (Failures::Judged, Audits::OnTheSpot) => {
                inputs.map(|inputs| inputs.compute(job.spec.op, block))
            }
            // It would take long, or may never end here either.
            (Failures::Judged, Audits::OnThreads | Audits::Never) | (Failures::Believed, _) => None,
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

/// A wrong outcome.
pub(super) struct Wrong {
    pub(super) index: u64,
    /// As people read it.
    pub(super) got: String,
    /// What was found right of the same message, where all of it was audited.
    pub(super) right: Vec<Range<u64>>,
}

/// Which blocks of a message are audited, of those that are new: duplicates and what is settled
/// already cannot be recorded, and must not thin the audit. Neighbours are joined.
///
/// One is drawn in each stretch of as many neighbours as it is to be one of, so each has the same
/// chance, also in a message of one block; lies that lie together are found sooner.
pub(super) fn draw(
    random: &mut StdRng,
    credit: Credit,
    fresh: &[Range<u64>],
    block: u64,
    mode: Mode,
) -> Vec<Range<u64>> {
    let blocks_in = |run: &Range<u64>| count(run).div_ceil(block);
    let blocks: u64 = fresh.iter().map(blocks_in).sum();
    let every = match mode {
        Mode::Plain => 1,
        Mode::Lease => credit.audited_every().min((blocks / AUDITED_MIN).max(1)),
    };
    if every == 1 {
        return fresh.to_vec();
    }
    let mut drawn = Vec::with_capacity((blocks / every + 1) as usize);
    let mut runs = fresh.iter();
    let (mut run, mut passed) = (0..0, 0);
    for stretch in (0..blocks).step_by(every as usize) {
        let place = stretch + random.random_range(0..every);
        if place >= blocks {
            break;
        }
        while place >= passed + blocks_in(&run) {
            passed += blocks_in(&run);
            run = runs.next().cloned().unwrap_or(0..blocks * block);
        }
        let first = run.start + (place - passed) * block;
        push_joined(&mut drawn, first..(first + block).min(run.end));
    }
    drawn
}

/// Outcomes of a message beside what they are computed of.
pub(super) struct Claims<'a> {
    pub(super) op: &'static dyn Op,
    pub(super) block: u64,
    pub(super) first: u64,
    pub(super) outcomes: &'a Outcomes,
    pub(super) inputs: &'a Inputs,
    pub(super) mode: Mode,
}

impl Claims<'_> {
    /// Computes what was `drawn` of what is `fresh` again, and gives what that comes to, or what is wrong of
    /// what was claimed; the others are believed for it.
    pub(super) fn judge(
        &self,
        drawn: &[Range<u64>],
        fresh: &[Range<u64>],
    ) -> Result<Outcomes, Wrong> {
        // All at once: one by one, to keep them would cost more than to compute them.
        let ours = self.inputs.compute_runs(self.op, drawn);
        let Some(index) = self.find_wrong(drawn, &ours) else { return Ok(ours) };
        // Of one that lies from the first on nothing is lost: what was audited is known to be right.
        let right = if drawn == fresh { self.find_right(drawn) } else { Vec::new() };
        Err(Wrong { index, got: self.show(index), right })
    }

    /// What it says of some of them.
    pub(super) fn outcomes_of(&self, tasks: &Range<u64>) -> Outcomes {
        self.outcomes.slice(self.place(tasks.start)..self.place(tasks.end))
    }

    /// A new outcome that cannot be, whatever its task is.
    pub(super) fn find_impossible(&self, fresh: &[Range<u64>]) -> Option<Wrong> {
        let args = &mut |place| {
            let mut values = [0.0; PARAMS_MAX];
            self.inputs.as_op().args(self.op.params(), self.first + place as u64, &mut values);
            values
        };
        let place = fresh.iter().find_map(|run| {
            let places = self.place(run.start)..self.place(run.end);
            self.op.find_impossible(self.outcomes, places, args)
        })?;
        let index = self.first + place as u64;
        Some(Wrong { index, got: self.show(index), right: Vec::new() })
    }

    /// A task of these runs whose outcome is wrong, where `ours` are those that the server came to.
    fn find_wrong(&self, runs: &[Range<u64>], ours: &Outcomes) -> Option<u64> {
        self.others(runs.iter().cloned().flatten(), ours).find_map(|index| {
            // A second time: nobody is turned away for a bit that flipped here.
            let run = runs.iter().find(|run| run.contains(&index))?;
            self.find_wrong_in(&self.block_of(index, run))
        })
    }

    /// A task of these whose outcome is wrong.
    fn find_wrong_in(&self, tasks: &Range<u64>) -> Option<u64> {
        self.find_other(tasks, &self.inputs.compute(self.op, tasks))
    }

    /// The block of a task that lies in a run of whole blocks.
    pub(super) fn block_of(&self, index: u64, run: &Range<u64>) -> Range<u64> {
        let first = index - index % self.block;
        first..(first + self.block).min(run.end)
    }

    /// A task of these whose outcome is not ours.
    pub(super) fn find_other(&self, tasks: &Range<u64>, ours: &Outcomes) -> Option<u64> {
        self.others(tasks.clone(), ours).next()
    }

    /// The tasks of these whose outcomes are not ours.
    fn others(
        &self,
        tasks: impl Iterator<Item = u64>,
        ours: &Outcomes,
    ) -> impl Iterator<Item = u64> {
        let how = match self.mode {
            Mode::Plain => Exactness::Close,
            Mode::Lease => Exactness::Exact,
        };
        let is_other = move |(index, ours): &(u64, OutcomeRef<'_>)| {
            !self.op.agrees(*ours, self.outcomes.get(self.place(*index)), how)
        };
        tasks.zip(ours.iter()).filter(is_other).map(|(index, _)| index)
    }

    /// The blocks of these runs whose outcomes are right.
    fn find_right(&self, runs: &[Range<u64>]) -> Vec<Range<u64>> {
        let mut right: Vec<Range<u64>> = Vec::new();
        for run in runs {
            for first in run.clone().step_by(self.block as usize) {
                let block = self.block_of(first, run);
                if self.find_wrong_in(&block).is_none() {
                    push_joined(&mut right, block);
                }
            }
        }
        right
    }

    fn place(&self, index: u64) -> usize {
        (index - self.first) as usize
    }

    pub(super) fn show(&self, index: u64) -> String {
        self.outcomes.get(self.place(index)).show()
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
        let runs = draw(&mut StdRng::seed_from_u64(7), credit, fresh, 1, Mode::Lease);
        runs.into_iter().flatten().collect()
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
        let mut next = || draw(&mut random, credit(1 << 30), &message, 1, Mode::Lease);
        assert_ne!(next(), next(), "from message to message");
    }

    #[test]
    fn audits_are_of_what_is_new_and_of_all_of_it() {
        let fresh = [10..11, 100..103, 5000..5200];
        let mut random = StdRng::seed_from_u64(7);
        let mut seen = BTreeSet::new();
        for _ in 0..2000 {
            let drawn = draw(&mut random, credit(1 << 30), &fresh, 1, Mode::Lease);
            let drawn: Vec<u64> = drawn.into_iter().flatten().collect();
            assert!(drawn.is_sorted() && (6..=7).contains(&drawn.len()), "{drawn:?}");
            seen.extend(drawn);
        }
        assert_eq!(seen, fresh.iter().cloned().flatten().collect());
        assert_eq!(drawn(credit(1 << 30), &[]), [0; 0]);
    }

    #[test]
    fn whole_blocks_are_audited_each_with_the_same_chance() {
        // The last block of a job is short.
        let fresh = [64..128, 256..1000];
        let mut random = StdRng::seed_from_u64(7);
        let mut seen = BTreeSet::new();
        for _ in 0..2000 {
            let drawn = draw(&mut random, credit(1 << 30), &fresh, 64, Mode::Lease);
            for run in drawn {
                assert!(run.start % 64 == 0 && (run.end % 64 == 0 || run.end == 1000), "{run:?}");
                seen.extend(run);
            }
        }
        assert_eq!(seen, fresh.iter().cloned().flatten().collect());
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
