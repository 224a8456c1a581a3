//! Where too much waits to be judged of jobs of which all has to wait, nothing more of these is begun, until half of
//! that is left. Of those that are audited whole all share the room, since all of it is judged in time. Of one that is
//! computed twice it may wait for ever, for a worker that can: so that has a share, and keeps no other job from
//! its own.

use super::Scheduler;
use super::twice::VotesBytes;
use tequio_protocol::check::Check;
use tequio_protocol::ids::JobId;
use tequio_protocol::limits::{CLAIMS_AHEAD_MAX, CLAIMS_BYTES_MAX, CLAIMS_HELD_BYTES_MAX};

impl Scheduler {
    /// Holds jobs that are audited whole, or goes on with them.
    pub(super) fn hold_or_free_audited(&mut self) {
        let (bytes_max, s_max) = (CLAIMS_BYTES_MAX, CLAIMS_AHEAD_MAX.as_secs_f64());
        let (bytes, seconds) = (self.claims.unpaid_bytes(), self.claims.unpaid_s());
        let is_held = match self.is_held {
            true => bytes > bytes_max / 2 || seconds > s_max / 2.0,
            false => bytes >= bytes_max || seconds >= s_max,
        };
        if is_held == self.is_held {
            return;
        }
        self.is_held = is_held;
        let jobs = self.jobs.iter_mut().filter(|(_, job)| job.spec.check == Check::All);
        let ids: Vec<JobId> = jobs
            .map(|(id, job)| {
                job.may_begin = !is_held;
                *id
            })
            .collect();
        ids.into_iter().for_each(|id| self.refresh_job(id));
    }

    /// Holds jobs that are computed twice, each for itself, or goes on with them. It looks at all of these only
    /// while there are too many votes.
    pub(super) fn hold_or_free_voted(&mut self) {
        if self.votes_bytes.get() < CLAIMS_BYTES_MAX && !self.is_some_voted_held {
            return;
        }
        self.is_some_voted_held = false;
        let share = share_of(CLAIMS_BYTES_MAX, self.voted.len());
        let mut changed = Vec::new();
        for id in &self.voted {
            let Some(job) = self.jobs.get_mut(id) else { continue };
            let is_held = job.votes.counted().is_over(CLAIMS_BYTES_MAX, share, !job.may_begin);
            self.is_some_voted_held |= is_held;
            if job.may_begin == is_held {
                job.may_begin = !is_held;
                changed.push(*id);
            }
        }
        changed.into_iter().for_each(|id| self.refresh_job(id));
    }

    /// Whether a new job is held from its beginning; one without votes is not, whatever others have.
    pub(super) fn is_held_new(&self, check: Check) -> bool {
        self.is_held && check == Check::All
    }

    /// Bytes of votes that a job has room for where all jobs have more than [`CLAIMS_HELD_BYTES_MAX`].
    pub(super) fn votes_held_share(&self) -> usize {
        share_of(CLAIMS_HELD_BYTES_MAX, self.voted.len())
    }
}

impl VotesBytes {
    /// Whether a job is held for its votes: all have too many, and it has more than its share of them. One that
    /// was held goes on where half is left of either.
    fn is_over(&self, all_max: usize, share: usize, was_held: bool) -> bool {
        match was_held {
            true => self.get() > all_max / 2 && self.of_job() > share / 2,
            false => self.get() >= all_max && self.of_job() >= share,
        }
    }
}

fn share_of(bytes: usize, jobs: usize) -> usize {
    bytes / jobs.max(1)
}
