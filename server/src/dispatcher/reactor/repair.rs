//! Jobs of which damaged rows were removed: what these had is computed again.

use super::{Effect, Now, Reactor};
use crate::scheduler::Intervals;
use crate::store::{Repaired, StoredJob, job_named};
use tequio_protocol::api::JobState;
use tequio_protocol::ids::JobId;
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
