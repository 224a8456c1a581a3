//! Audits of slow ops: they come back after a while, in any order, and not at all when the server has
//! crashed meanwhile.

use crate::world::{Happening, Simulation};
use rand::RngExt;
use rand::rngs::StdRng;
use std::ops::Range;
use std::time::Duration;
use tequio_protocol::check::Check;
use tequio_protocol::outcome::{Outcome, OutcomeRef, Outcomes};
use tequio_scheduler::Audit;

/// How long a task of a slow op takes, of how long it would take elsewhere, where all are audited.
const QUICKLY: f64 = 1e-4;

/// What a flipped bit makes of an outcome.
pub(crate) const FLIPPED: OutcomeRef<'static> = Outcome::Result("-1");

/// What audits of slow ops are like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Auditing {
    /// There is time for all that are drawn, so every lie is found.
    Quick,
    /// The budget does not reach: lies that nobody audits are believed.
    Tight,
    /// Some cannot be computed, and some come out wrong at first. Nobody lies.
    Fails,
}

/// What the server was told.
pub(crate) struct Verdict {
    /// What was computed again; nothing where it could not be.
    pub(crate) runs: Vec<Range<u64>>,
}

impl Auditing {
    pub(crate) fn draw(random: &mut StdRng) -> Auditing {
        match random.random_range(0..5) {
            0..=2 => Auditing::Quick,
            3 => Auditing::Tight,
            _ => Auditing::Fails,
        }
    }

    /// How long a task of a slow op takes, of how long one of another op does.
    pub(crate) fn task_share(self) -> f64 {
        if self == Auditing::Quick { QUICKLY } else { 1.0 }
    }
}

impl Simulation {
    pub(crate) fn audit(&mut self, server: u64, audit: Audit) {
        self.server().people.claims(audit.claim);
        let delay = self.random.random_range(0.0..self.audit_s_max);
        self.after(delay, Happening::Audited { server, audit });
    }

    pub(crate) fn audited(&mut self, server: u64, audit: &Audit) {
        if self.server.as_ref().is_none_or(|now| now.number != server) {
            return;
        }
        let is_first = self.server().audited.insert(audit.claim);
        let fails = self.auditing == Auditing::Fails;
        let is_unknown = (fails && self.chance(0.1)) || self.cannot_be_audited(audit);
        let mut ours = (!is_unknown).then(|| audit.compute().unwrap());
        if let Some(ours) = &mut ours
            && is_first
            && fails
            && self.chance(0.2)
        {
            self.flip(ours);
        }
        let took = match self.auditing {
            Auditing::Quick => Duration::ZERO,
            Auditing::Tight | Auditing::Fails => {
                Duration::from_secs_f64(self.random.random_range(0.0..3.0))
            }
        };
        let runs = if ours.is_some() { audit.runs.clone() } else { Vec::new() };
        self.verdict = Some(Verdict { runs });
        let (claim, now) = (audit.claim, self.wall());
        self.with_reactor(|reactor| reactor.audited(claim, ours, took, now));
        self.verdict = None;
        // Of two who differ either may be wrong. Else it is doubted since nobody's bits flip where there are liars.
        let is_twice = self.jobs[&audit.job].check == Check::Twice;
        if !is_first && !fails && !is_twice {
            self.check_found(claim);
        }
    }

    /// Whether the server cannot compute what is to be audited: it hangs here as well, or there is no room.
    fn cannot_be_audited(&self, audit: &Audit) -> bool {
        let text = |index| audit.inputs.as_op().text(audit.op.params(), index);
        let cannot = |index: u64| {
            let task = (audit.op.name(), text(index));
            self.hanging.contains(&task) || self.exhausting.contains(&task)
        };
        audit.runs.iter().cloned().flatten().any(cannot)
    }

    /// A bit has flipped here, and one outcome is wrong.
    fn flip(&mut self, ours: &mut [Outcomes]) {
        let run = self.random.random_range(0..ours.len());
        let place = self.random.random_range(0..ours[run].len()) as usize;
        let flipped = |(at, outcome)| match at == place {
            true => FLIPPED,
            false => outcome,
        };
        ours[run] = ours[run].iter().enumerate().map(flipped).collect();
    }
}
