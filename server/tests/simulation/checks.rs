//! What must hold.

use crate::audits::{Auditing, FLIPPED};
use crate::jobs::Job;
use crate::workers::{AGENT, Kind, Node};
use crate::world::Simulation;
use std::collections::BTreeSet;
use std::ops::Range;
use tequio::connection::Close;
use tequio::dispatcher::Progress;
use tequio::store::{Recording, Store};
use tequio_protocol::api::JobState;
use tequio_protocol::check::Check;
use tequio_protocol::ids::{JobId, LeaseId, WorkerId};
use tequio_protocol::limits::{LEASE_COPIES_MAX, TASK_ATTEMPTS_MAX};
use tequio_protocol::message::{Lease, Task};
use tequio_protocol::op::Audits;
use tequio_protocol::outcome::OutcomeRef;
use tequio_scheduler::{ClaimId, Failures};

/// What a recorded outcome is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Truth {
    Right,
    /// Its worker has lied, or a bit has flipped.
    Lie,
    /// An error of a task that has a result, as nobody could come to that.
    GivenUp,
}

impl Simulation {
    pub(crate) fn check(&mut self) {
        let now = self.now;
        let Some(server) = &mut self.server else { return };
        server.reactor.scheduler().assert_consistent();
        for view in server.reactor.jobs(now) {
            let job = &self.jobs[&view.id];
            assert!(view.done + view.failed <= job.durable.len(), "reported before it is durable");
        }
    }

    pub(crate) fn check_progress(&mut self, id: JobId, progress: Progress) {
        let job = &self.jobs[&id];
        assert!(progress.recorded <= job.durable.len(), "reported before it is durable");
        assert!(progress.prefix <= job.durable.prefix_end(), "reported before it is durable");
        if progress.state == JobState::Done {
            assert_eq!(job.durable.len(), job.sent, "done is when all is recorded");
            assert!(!job.is_open);
        }
    }

    /// A lease is of whole blocks, and of an op that its worker knows.
    pub(crate) fn check_lease(&mut self, worker: WorkerId, lease: &Lease) {
        let node = self.server().nodes[&worker];
        let node = &self.nodes[node];
        assert_ne!(node.kind, Kind::Plain);
        assert!(node.can_compute(lease.op), "it was lent what it cannot compute");
        let job = &self.jobs[&lease.job];
        assert_eq!((job.block, job.op), (lease.block, lease.op));
        job.check_blocks(&(lease.first..lease.first + lease.count));
        self.check_copies(lease.lease);
    }

    pub(crate) fn check_task(&self, task: &Task) {
        assert_eq!(task.op.audits(), Audits::OnTheSpot, "it was lent to a plain client");
        let is_welcome = task.input == crate::server::WELCOME;
        assert!(is_welcome || self.single.contains(&task.input), "a part of a block was lent");
    }

    /// A new lease shares each task with at most the allowed copies.
    fn check_copies(&mut self, new: LeaseId) {
        let server = self.server();
        let rest_of = |lease: &LeaseId| server.reactor.scheduler().rest_of(*lease);
        let out: Vec<_> = server.leases.iter().filter_map(|l| Some((*l, rest_of(l)?))).collect();
        if let Some((job, range)) = rest_of(&new) {
            let shares = |index: u64| {
                out.iter().filter(|(_, (of, rest))| *of == job && rest.contains(&index)).count()
            };
            assert!(shares(range.start) <= LEASE_COPIES_MAX, "too many copies");
            assert!(shares(range.end - 1) <= LEASE_COPIES_MAX, "too many copies");
        }
        server.leases = out.into_iter().map(|(lease, _)| lease).chain([new]).collect();
    }

    /// Only who lies is turned away for a wrong result.
    pub(crate) fn check_close(&mut self, worker: WorkerId, close: &Close) {
        let node = self.server().nodes[&worker];
        let kind = self.nodes[node].kind;
        assert!(kind.lies() || close.reason != "a wrong result", "a {kind:?} was turned away");
    }

    /// Whose claim was found wrong is out, also on another connection under its session.
    pub(crate) fn check_found(&mut self, claim: ClaimId) {
        let server = self.server();
        for worker in server.people.find_out(claim) {
            let is_there = server.reactor.scheduler().has_worker(worker);
            assert!(!is_there, "#{worker} has lied and is still there");
        }
    }

    /// Outcomes that are to be recorded are of whole blocks, and right: but those of which nobody could come to
    /// a result, and lies that nobody found as nobody looked.
    pub(crate) fn check_recording(&mut self, recording: &Recording) {
        let job = &self.jobs[&recording.job];
        job.check_blocks(&range_of(recording));
        let mut wrong = (recording.first..).zip(recording.outcomes.iter());
        let wrong =
            wrong.find(|(index, outcome)| self.truth_of(recording, *index, *outcome) == Truth::Lie);
        let Some((index, outcome)) = wrong else { return };
        let may_be_believed = match job.check {
            Check::Auto => self.auditing != Auditing::Quick && job.is_slow(),
            Check::None => true,
            // Nobody lies where bits flip here.
            Check::All | Check::Twice => self.auditing == Auditing::Fails,
        };
        assert!(may_be_believed, "task {index} is not {outcome:?}");
        if recording.agent != AGENT {
            return;
        }
        let Some(verdict) = &self.verdict else { return };
        let is_found = (recording.first..)
            .zip(recording.outcomes.iter())
            .filter(|(index, _)| verdict.runs.iter().any(|run| run.contains(index)))
            .any(|(index, outcome)| self.truth_of(recording, index, outcome) == Truth::Lie);
        assert!(!is_found, "an audit has found that task {index} is not {outcome:?}");
    }

    fn truth_of(&self, recording: &Recording, index: u64, outcome: OutcomeRef<'_>) -> Truth {
        let job = &self.jobs[&recording.job];
        let right = job.right.get(index as usize);
        // An attempt that failed has its own words for an error.
        let is_right = outcome == right || (outcome.is_error() && right.is_error());
        let is_of_tab = recording.agent == AGENT;
        let is_impossible = job.is_impossible(index) && is_of_tab;
        assert!(!is_impossible || outcome.is_error(), "nobody can compute {index}");
        match self.server.as_ref().and_then(|server| server.nodes.get(&recording.worker)) {
            _ if is_right => Truth::Right,
            Some(node) if self.nodes[*node].kind.lies() && !is_given_up(outcome) => Truth::Lie,
            _ if outcome.is_error() => Truth::GivenUp,
            // A bit has flipped where the server was to find out whether a task has an outcome.
            _ if !is_of_tab && self.auditing == Auditing::Fails && outcome == FLIPPED => Truth::Lie,
            _ => panic!("task {index} is {right:?}, not {outcome:?}"),
        }
    }

    /// Counts outcomes that are on disk.
    pub(crate) fn count(&mut self, recording: &Recording) {
        let mut truths = [0; 3];
        for (index, outcome) in (recording.first..).zip(recording.outcomes.iter()) {
            truths[self.truth_of(recording, index, outcome) as usize] += 1;
        }
        let job = self.jobs.get_mut(&recording.job).unwrap();
        job.failed += recording.outcomes.failed();
        job.believed += truths[Truth::Lie as usize];
        job.given_up += truths[Truth::GivenUp as usize];
        job.durable.insert(range_of(recording));
    }

    pub(crate) fn check_ends(&mut self) {
        assert_eq!(self.server().reactor.scheduler().claims_waiting(), 0, "all jobs are over");
        for stored in self.store.load().unwrap().jobs {
            let job = &self.jobs[&stored.id];
            assert_eq!((stored.done, stored.failed), (job.durable.len() - job.failed, job.failed));
            if job.is_cancelled {
                continue;
            }
            assert_eq!(stored.state, JobState::Done);
            self.check_outcomes(stored.id, job);
            self.check_audited(job, stored.audited);
            if !self.may_be_given_up(job) {
                assert_eq!(job.given_up, 0, "{TASK_ATTEMPTS_MAX} attempts failed for no reason");
            }
        }
    }

    /// As many tasks were audited as the job says.
    fn check_audited(&self, job: &Job, audited: u64) {
        let all = job.durable.len();
        assert!(audited <= all);
        let has_unknown =
            self.has_some_of(job, &self.hanging) || self.has_some_of(job, &self.exhausting);
        let is_known = self.failures == Failures::Judged && self.auditing != Auditing::Fails;
        if job.check == Check::All && is_known && !has_unknown {
            assert_eq!(audited, all, "all of a job that is audited whole");
        }
    }

    /// Every task has one outcome in the store, and they are those that were looked at.
    fn check_outcomes(&self, id: JobId, job: &Job) {
        let all = job.inputs.len() as u64;
        assert_eq!(job.durable.len(), all, "every task has an outcome");
        let (mut next, mut wrong) = (0, 0);
        for run in self.store.outcomes(id, 0..all, u64::MAX).unwrap() {
            assert_eq!(run.first, next, "each task once, in order");
            next += run.outcomes.len();
            for (index, outcome) in (run.first..).zip(run.outcomes.iter()) {
                let right = job.right.get(index as usize);
                wrong += u64::from(outcome != right && !(outcome.is_error() && right.is_error()));
            }
        }
        assert_eq!((next, wrong), (all, job.believed + job.given_up));
    }

    /// Whether tasks of a job that have a result may end without.
    fn may_be_given_up(&self, job: &Job) -> bool {
        match (self.failures, job.is_slow()) {
            (Failures::Judged, false) => false,
            (Failures::Judged, true) => {
                let is_flaky = |node: &Node| node.kind == Kind::Flaky;
                let may_fail = self.nodes.iter().any(is_flaky) || self.has_impossible(job);
                self.auditing == Auditing::Fails
                    || self.has_some_of(job, &self.hanging)
                    || self.has_some_of(job, &self.exhausting)
                    || job.check == Check::None && may_fail
            }
            (Failures::Believed, _) => {
                // Plain clients that leave do not say whether they could.
                let has_left = self.plain_left >= TASK_ATTEMPTS_MAX as u64;
                let may_fail = |node: &Node| match node.kind {
                    Kind::Plain => has_left || !node.can_compute(job.op),
                    kind => kind == Kind::Flaky,
                };
                self.nodes.iter().any(may_fail) || self.has_impossible(job)
            }
        }
    }

    /// Whether a job has tasks that nobody can compute, perhaps because of another job's.
    fn has_impossible(&self, job: &Job) -> bool {
        self.has_some_of(job, &self.impossible)
    }

    fn has_some_of(&self, job: &Job, inputs: &BTreeSet<(&'static str, String)>) -> bool {
        let is_of = |input: &str| inputs.contains(&(job.op.name(), input.into()));
        !inputs.is_empty() && job.inputs.iter().any(is_of)
    }
}

impl Job {
    fn check_blocks(&self, tasks: &Range<u64>) {
        let is_end = !self.is_open && tasks.end == self.sent;
        assert!(tasks.start.is_multiple_of(self.block), "{tasks:?} is not of blocks");
        assert!(is_end || tasks.end.is_multiple_of(self.block), "{tasks:?} is not of blocks");
    }
}

/// Whether these are the words of a tab that could not compute a task.
fn is_given_up(outcome: OutcomeRef<'_>) -> bool {
    let said = |said: &str| said == "it does not work" || said.starts_with("it had not ended");
    matches!(outcome, OutcomeRef::Error(error) if said(error))
}

fn range_of(recording: &Recording) -> Range<u64> {
    recording.first..recording.first + recording.outcomes.len()
}
