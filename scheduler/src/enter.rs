//! Jobs and workers that come, and what of them changes.

use super::job::Job;
use super::twice::Votes;
use super::worker::Worker;
use super::{JobSpec, Mode, Origin, Scheduler, SessionId, Skills};
use rand::RngExt;
use std::time::Duration;
use tequio_protocol::check::Check;
use tequio_protocol::ids::{JobId, WorkerId};

impl Scheduler {
    /// Enters a job.
    pub fn add_job(&mut self, id: JobId, spec: JobSpec) {
        let may_begin = !self.is_held_new(spec.check);
        if spec.check == Check::Twice {
            self.voted.insert(id);
        }
        let votes = Votes::new(self.votes_bytes.of_new_job());
        let job = Job { may_begin, votes, ..Job::new(spec, self.turn) };
        self.jobs.insert(id, job);
        self.refresh_job(id);
    }

    /// Lets an open job grow to `total` tasks, and to no more unless `is_open`.
    pub fn grow_job(&mut self, id: JobId, total: u64, is_open: bool) {
        let Some(job) = self.jobs.get_mut(&id) else { return };
        job.grow(total);
        job.spec.is_open = is_open;
        self.refresh_job(id);
    }

    /// Stops or resumes handing a job out. What is out of it still counts.
    pub fn set_paused(&mut self, id: JobId, is_paused: bool) {
        let Some(job) = self.jobs.get_mut(&id) else { return };
        job.spec.is_paused = is_paused;
        self.refresh_job(id);
    }

    /// Enters a worker, which is lent from now on what it has the skills for.
    pub fn add_worker(
        &mut self,
        id: WorkerId,
        origin: Origin,
        mode: Mode,
        skills: Skills,
        slots: u32,
        now: Duration,
    ) {
        let rests_until = self.suspects.rest(origin, now);
        let worker = Worker { rests_until, ..Worker::new(origin, mode, skills, slots, self.turn) };
        self.resting.extend(rests_until.map(|until| (until, id)));
        self.workers.insert(id, worker);
        self.refresh_worker(id);
    }

    /// A worker has said hello: from now on it takes leases of what it knows. What it holds it keeps.
    pub fn set_lease_mode(&mut self, id: WorkerId, skills: Skills) {
        if let Some(worker) = self.workers.get_mut(&id) {
            worker.mode = Mode::Lease;
            self.set_skills(id, skills);
        }
    }

    /// A worker has more slots, or fewer. What it holds it keeps.
    pub fn set_slots(&mut self, id: WorkerId, slots: u32) {
        if let Some(worker) = self.workers.get_mut(&id) {
            worker.slots = slots;
            self.refresh_worker(id);
        }
    }

    /// A name for what a worker will have on its connection. It comes from the generator that draws
    /// the audits: a second one of the same seed would tell in its names what is audited.
    pub fn new_session_id(&mut self) -> SessionId {
        SessionId(self.random.random())
    }

    /// A worker in lease mode goes on with a session that is kept: results of what it held then
    /// count if nobody was faster, and it need not wait as a newcomer does if some were accepted before.
    /// Tells who it was then, if there is such a session.
    pub fn resume_worker(
        &mut self,
        id: WorkerId,
        origin: Origin,
        skills: Skills,
        slots: u32,
        session: SessionId,
        now: Duration,
    ) -> Option<WorkerId> {
        let (was, memory) = self.sessions.resume(session, now)?;
        self.claims.rename_worker(was, id);
        self.rename_voter(was, id);
        if !self.has_worker(id) {
            self.add_worker(id, origin, Mode::Lease, skills, slots, now);
        }
        if memory.credit.accepted > 0 {
            self.wake(id);
        }
        self.set_lease_mode(id, skills);
        self.workers.get_mut(&id)?.memory.resume(memory);
        self.set_slots(id, slots);
        Some(was)
    }
}
