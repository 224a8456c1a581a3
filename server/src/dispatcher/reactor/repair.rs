//! Jobs of which damaged rows were removed: what these had is computed again.

use super::{Effect, Now, Reactor};
use crate::store::{Repaired, StoredJob, job_named};
use tequio_protocol::api::JobState;
use tequio_protocol::ids::JobId;
use tequio_scheduler::Intervals;
use tracing::warn;

impl Reactor {
    /// Damaged rows of a job were removed, so that fewer of its tasks have outcomes on disk. They are pending
    /// again where the job goes on; all else of it is as it was. One that was over, or set aside, goes on as the
    /// store has it.
    pub fn repaired(&mut self, repaired: Repaired, now: Now) {
        let id = repaired.id();
        let Some(job) = self.jobs.get(&id) else { return };
        warn_of(&repaired, job.state);
        let is_going = !job.state.is_over() && !job.is_set_aside();
        match repaired.job {
            StoredJob { trouble: Some(what), .. } if is_going => self.set_aside(id, what, 0),
            stored if is_going => self.unsettle(id, stored),
            // Somebody cancelled it meanwhile; that is not on disk yet.
            stored if job.state == JobState::Cancelled && !stored.state.is_over() => {}
            stored if repaired.removed.is_empty() && stored.trouble == job.trouble => {}
            stored => self.add_again(stored, now),
        }
    }

    fn unsettle(&mut self, id: JobId, stored: StoredJob) {
        let Some(job) = self.jobs.get_mut(&id) else { return };
        let recorded: Intervals = stored.recorded.into_iter().collect();
        let lost = job.durable.iter().flat_map(|durable| recorded.missing_in(&durable));
        for tasks in lost.collect::<Vec<_>>() {
            self.scheduler.unsettle(id, &tasks);
        }
        (job.done, job.failed, job.durable) = (stored.done, stored.failed, recorded);
        self.progressed.insert(id);
        self.finish_if_complete(id);
    }

    /// Replaces a job that nothing is lent of by what the store has of it.
    fn add_again(&mut self, stored: StoredJob, now: Now) {
        let id = stored.id;
        if let Some(mut job) = self.jobs.remove(&id) {
            self.grids_bytes -= job.drop_grid();
            if job.state.is_over() && !stored.state.is_over() {
                // That it is over may be on its way to the store, and then comes before this.
                self.effects.push(Effect::SetState(id, stored.state));
            }
        }
        self.add_job(stored, now);
    }
}

/// Says on the console what was removed, if anything was.
fn warn_of(repaired: &Repaired, state: JobState) {
    let Some(first) = repaired.removed.first() else { return };
    let (rows, tasks) = (repaired.removed.len(), repaired.tasks());
    let then = match state {
        JobState::Cancelled => "it was cancelled, so they stay without outcomes",
        _ => "they are computed again",
    };
    warn!(
        "{}: {rows} damaged rows of outcomes are removed, of {tasks} tasks from {} on; {then}",
        job_named(repaired.id(), &repaired.job.job.name),
        first.start
    );
}

#[cfg(test)]
#[allow(clippy::single_range_in_vec_init, reason = "one interval is meant, not its indices")]
mod tests {
    use super::*;
    use crate::dispatcher::reactor::Control;
    use crate::dispatcher::tests::grid_job;
    use crate::metrics::Metrics;
    use std::sync::Arc;
    use std::time::Duration;

    const JOB: JobId = JobId(1);
    const NOW: Now = Now { at: Duration::ZERO, unix_ms: 0 };

    /// A job of ten tasks, of which the first `done` have results.
    fn stored(state: JobState, done: u64) -> StoredJob {
        let recorded = if state.is_over() { Vec::new() } else { vec![0..done] };
        StoredJob { state, done, recorded, ..StoredJob::new(JOB, grid_job(10), 10, false) }
    }

    fn reactor(job: StoredJob) -> Reactor {
        let mut reactor = Reactor::new(None, 0, vec![job], 0, Arc::new(Metrics::default()), NOW);
        reactor.effects(NOW);
        reactor
    }

    /// What follows when the tasks from 4 on are lost, as the store has the job then.
    fn lose(reactor: &mut Reactor, state: JobState) -> Vec<Effect> {
        let removed = vec![4..8];
        let job = stored(state, 4);
        reactor.repaired(Repaired { removed, inputs: Vec::new(), job }, NOW);
        reactor.scheduler.assert_consistent();
        reactor.effects(NOW)
    }

    fn view(reactor: &Reactor) -> (JobState, u64) {
        let job = reactor.job(JOB, NOW.at).unwrap();
        (job.state, job.done)
    }

    #[test]
    fn a_job_that_goes_on_has_fewer_results_and_stays_as_it_is() {
        for state in [JobState::Running, JobState::Paused] {
            let mut reactor = reactor(stored(state, 8));
            // What a person did since is on its way to the store.
            let effects = lose(&mut reactor, JobState::Running);
            assert_eq!(view(&reactor), (state, 4));
            let [Effect::Progress(JOB, progress)] = effects[..] else { panic!("{effects:?}") };
            assert_eq!((progress.prefix, progress.recorded), (4, 4));
        }
    }

    #[test]
    fn a_job_that_was_done_runs_again_and_the_store_is_told() {
        let mut reactor = reactor(stored(JobState::Done, 10));
        let effects = lose(&mut reactor, JobState::Running);
        assert_eq!(view(&reactor), (JobState::Running, 4));
        assert!(effects.contains(&Effect::SetState(JOB, JobState::Running)), "{effects:?}");
        assert!(!reactor.scheduler.is_settled(JOB));
    }

    #[test]
    fn a_job_that_somebody_cancels_meanwhile_stays_cancelled() {
        let mut reactor = reactor(stored(JobState::Running, 8));
        reactor.control(JOB, Control::Cancel).unwrap();
        reactor.effects(NOW);
        assert_eq!(lose(&mut reactor, JobState::Running), []);
        assert_eq!(view(&reactor).0, JobState::Cancelled);
    }

    #[test]
    fn a_job_that_cannot_be_repaired_whole_is_set_aside() {
        let mut reactor = reactor(stored(JobState::Running, 8));
        let what = "the inputs of tasks 4..8 cannot be read";
        let job = StoredJob { trouble: Some(what.to_owned()), ..stored(JobState::Running, 4) };
        let inputs = vec![4..8];
        reactor.repaired(Repaired { removed: Vec::new(), inputs, job }, NOW);
        assert_eq!(reactor.job(JOB, NOW.at).unwrap().trouble.as_deref(), Some(what));
    }
}
