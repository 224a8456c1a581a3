//! Jobs that wait for inputs. One that nobody appends to any more was left behind, and is closed with
//! what it has.

use super::{ControlError, Effect, Now, Reactor};
use std::time::Duration;
use tequio_protocol::ids::JobId;
use tequio_protocol::limits::{OPEN_IDLE_MAX, OPEN_NOTE_INTERVAL, OPEN_RETURN_MIN};
use tracing::info;

impl Reactor {
    /// An open job was appended to in the store; it may have no more inputs than before.
    pub fn grow_job(&mut self, id: JobId, total: u64, is_open: bool, now: Now) {
        if let Some(job) = self.jobs.get_mut(&id)
            && is_open
            && now.unix_ms.abs_diff(job.noted_ms) >= OPEN_NOTE_INTERVAL.as_millis() as u64
        {
            job.noted_ms = now.unix_ms;
            self.effects.push(Effect::NoteAppended(id, now.unix_ms));
        }
        self.resize_job(id, total, is_open);
        self.wait_for_inputs(id, now.at + OPEN_IDLE_MAX);
    }

    /// Errs where a job does not wait for inputs, or is not there.
    pub fn check_open(&self, id: JobId) -> Result<(), ControlError> {
        let job = self.jobs.get(&id).ok_or(ControlError::Unknown(id))?;
        if job.is_set_aside() {
            return Err(ControlError::SetAside(id));
        }
        if job.may_grow() { Ok(()) } else { Err(ControlError::NotOpen(id, job.state)) }
    }

    /// An open job was closed in the store with what it has.
    pub fn close_job(&mut self, id: JobId) {
        let Some(job) = self.jobs.get(&id) else { return };
        info!("Job {id} is closed with {} tasks", job.total);
        self.resize_job(id, job.total, false);
        self.wait_for_inputs(id, Duration::ZERO);
    }

    /// Begins to wait for a job that was last appended to at so many milliseconds since 1970. Whatever
    /// the clock says, whoever appends to it has time to come back.
    pub(super) fn wait_since(&mut self, id: JobId, appended_at_ms: u64, now: Now) {
        let waited = Duration::from_millis(now.unix_ms.saturating_sub(appended_at_ms));
        let left = OPEN_IDLE_MAX.saturating_sub(waited).max(OPEN_RETURN_MIN);
        self.wait_for_inputs(id, now.at + left);
    }

    /// Waits for inputs of an open job until then, and for none of one that is not open.
    pub(super) fn wait_for_inputs(&mut self, id: JobId, until: Duration) {
        let Some(job) = self.jobs.get_mut(&id) else { return };
        if let Some(until) = job.waits_until.take() {
            self.waiting.remove(&(until, id));
        }
        if job.may_grow() && job.trouble.is_none() {
            job.waits_until = Some(until);
            self.waiting.insert((until, id));
        }
    }

    /// Closes jobs that have waited long enough.
    pub(super) fn close_forgotten(&mut self, now: Duration) {
        while let Some((until, id)) = self.waiting.first().copied()
            && until <= now
        {
            let hours = OPEN_IDLE_MAX.as_secs() / 3600;
            info!("Job {id} has waited for inputs for {hours} hours or more: it is closed");
            self.effects.push(Effect::CloseJob(id));
            // A disk that fails now may be mended then.
            self.wait_for_inputs(id, now + OPEN_RETURN_MIN);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::Metrics;
    use crate::store::{NewJob, StoredJob};
    use tequio_protocol::api::JobState;
    use tequio_protocol::op::OpId;

    const JOB: JobId = JobId(1);
    const HOUR: Duration = Duration::from_secs(3600);

    fn at(at: Duration) -> Now {
        Now { at, unix_ms: 1_800_000_000_000 + at.as_millis() as u64 }
    }

    /// An open job of three tasks, last appended to so long before the server starts.
    fn open_job(ago: Duration) -> StoredJob {
        let submitted_at_ms = at(Duration::ZERO).unix_ms - ago.as_millis() as u64;
        let op = OpId::new("repeat_multiply");
        let job = NewJob { submitted_at_ms, ..NewJob::of(op, None) };
        StoredJob::new(JOB, job, 3, true)
    }

    fn reactor(jobs: Vec<StoredJob>) -> Reactor {
        Reactor::new(None, 0, jobs, 1, Metrics::default().into(), at(Duration::ZERO))
    }

    /// Lets time pass, as the dispatcher does; gives what is to be closed.
    fn pass(reactor: &mut Reactor, now: Duration) -> Vec<Effect> {
        if reactor.next_timeout(now).is_some_and(|timeout| timeout <= now) {
            reactor.timeout(at(now));
        }
        let effects = reactor.effects(at(now));
        effects.into_iter().filter(|effect| matches!(effect, Effect::CloseJob(_))).collect()
    }

    #[test]
    fn a_job_that_nobody_appends_to_is_closed_after_a_day() {
        let mut reactor = reactor(Vec::new());
        reactor.add_job(open_job(Duration::ZERO), at(Duration::ZERO));
        assert_eq!(pass(&mut reactor, 23 * HOUR), []);
        reactor.grow_job(JOB, 5, true, at(23 * HOUR));
        assert_eq!(pass(&mut reactor, 46 * HOUR), [], "it was appended to");
        // Nothing new is a sign of life as well.
        reactor.grow_job(JOB, 5, true, at(46 * HOUR));
        assert_eq!(pass(&mut reactor, 69 * HOUR), []);
        assert_eq!(reactor.next_timeout(69 * HOUR), Some(70 * HOUR));
        assert_eq!(pass(&mut reactor, 70 * HOUR), [Effect::CloseJob(JOB)]);
        assert!(
            reactor.job(JOB, 70 * HOUR).is_some_and(|job| job.open),
            "the store has not said so"
        );
        assert_eq!(pass(&mut reactor, 70 * HOUR), [], "it is told once");
        assert_eq!(pass(&mut reactor, 71 * HOUR), [Effect::CloseJob(JOB)], "a disk that failed");
        reactor.close_job(JOB);
        assert!(reactor.job(JOB, 71 * HOUR).is_some_and(|job| !job.open && job.total == 5));
        assert_eq!(reactor.next_timeout(71 * HOUR), None);
        assert!(reactor.check_open(JOB).is_err());
    }

    #[test]
    fn a_job_that_has_all_its_outcomes_is_done_when_it_is_closed() {
        let mut job = open_job(25 * HOUR);
        (job.done, job.recorded) = (3, std::iter::once(0..3).collect());
        let mut reactor = reactor(vec![job]);
        reactor.close_job(JOB);
        assert_eq!(reactor.job(JOB, HOUR).map(|job| job.state), Some(JobState::Done));
        assert!(reactor.effects(at(HOUR)).contains(&Effect::SetState(JOB, JobState::Done)));
    }

    #[test]
    fn a_server_that_starts_again_counts_on() {
        let mut young = reactor(vec![open_job(20 * HOUR)]);
        assert_eq!(young.next_timeout(Duration::ZERO), Some(4 * HOUR));
        assert_eq!(pass(&mut young, 4 * HOUR), [Effect::CloseJob(JOB)]);
        // Whoever waits for the server has time to come back.
        let mut old = reactor(vec![open_job(100 * HOUR)]);
        assert_eq!(old.next_timeout(Duration::ZERO), Some(OPEN_RETURN_MIN));
        old.grow_job(JOB, 4, true, at(OPEN_RETURN_MIN / 2));
        assert_eq!(pass(&mut old, OPEN_RETURN_MIN), []);
        // A clock that was set back does not make it wait for longer than that.
        let mut future = reactor(vec![open_job(Duration::ZERO)]);
        assert_eq!(future.next_timeout(Duration::ZERO), Some(OPEN_IDLE_MAX));
        assert_eq!(pass(&mut future, OPEN_IDLE_MAX), [Effect::CloseJob(JOB)]);
    }

    #[test]
    fn that_a_job_was_appended_to_is_noted_now_and_then() {
        let mut reactor = reactor(vec![open_job(Duration::ZERO)]);
        let mut noted = |now: Duration, is_open| {
            reactor.grow_job(JOB, 4, is_open, at(now));
            let effects = reactor.effects(at(now));
            let notes = effects.iter().filter(|effect| matches!(effect, Effect::NoteAppended(..)));
            notes.count()
        };
        let seconds = Duration::from_secs;
        assert_eq!(noted(seconds(1), true), 0, "it was just submitted");
        assert_eq!(noted(OPEN_NOTE_INTERVAL, true), 1);
        assert_eq!(noted(OPEN_NOTE_INTERVAL + seconds(1), true), 0);
        assert_eq!(noted(3 * OPEN_NOTE_INTERVAL, true), 1);
        assert_eq!(noted(5 * OPEN_NOTE_INTERVAL, false), 0, "it waits no more");
    }

    #[test]
    fn jobs_that_do_not_wait_are_not_waited_for() {
        let mut closed = open_job(Duration::ZERO);
        closed.is_open = false;
        assert_eq!(reactor(vec![closed]).next_timeout(Duration::ZERO), None);
        let mut reactor = reactor(vec![open_job(Duration::ZERO)]);
        assert!(reactor.control(JOB, super::super::Control::Pause).is_ok());
        assert!(reactor.next_timeout(Duration::ZERO).is_some(), "a paused job waits as well");
        assert!(reactor.control(JOB, super::super::Control::Cancel).is_ok());
        assert_eq!(reactor.next_timeout(Duration::ZERO), None);
    }
}
