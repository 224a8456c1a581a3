//! Which jobs and workers wait: each is put where its state says that it belongs.

use super::Scheduler;
use super::worker::Demand;
use tequio_protocol::ids::{JobId, WorkerId};

impl Scheduler {
    /// Puts a job where its state says that it belongs.
    pub(super) fn refresh_job(&mut self, id: JobId) {
        let Some(job) = self.jobs.get_mut(&id) else { return };
        let is_ready = job.has_work();
        if is_ready != job.is_ready {
            job.is_ready = is_ready;
            if is_ready {
                self.ready.insert(job.place(id));
            } else {
                self.ready.remove(&job.place(id));
            }
        }
    }

    /// Puts a worker where its state says that it belongs.
    pub(super) fn refresh_worker(&mut self, id: WorkerId) {
        let (leases_out, tasks_out) = (self.leases.len(), self.tasks_out);
        let Some(worker) = self.workers.get_mut(&id) else { return };
        let demand = worker.demand_now(leases_out, tasks_out);
        if demand != worker.demand {
            if let Some(old) = worker.demand {
                self.waiting.remove(&(old, worker.turn, id));
            }
            if let Some(new) = demand {
                self.waiting.insert((new, worker.turn, id));
            }
            worker.demand = demand;
        }
        let is_able = worker.is_able_now();
        match (std::mem::replace(&mut worker.is_able, is_able), is_able) {
            (false, true) => self.able.add(worker.origin),
            (true, false) => self.able.remove(worker.origin),
            _ => {}
        }
    }

    /// Who was served goes to the end of its queue.
    pub(super) fn move_turn(&mut self, job_id: JobId, worker_id: WorkerId) {
        if let Some(job) = self.jobs.get_mut(&job_id) {
            if job.is_ready {
                self.ready.remove(&job.place(job_id));
                job.is_ready = false;
            }
            job.turn = self.turn;
        }
        if let Some(worker) = self.workers.get_mut(&worker_id) {
            if let Some(demand) = worker.demand.take() {
                self.waiting.remove(&(demand, worker.turn, worker_id));
            }
            worker.turn = self.turn;
        }
        self.refresh_job(job_id);
        self.refresh_worker(worker_id);
    }

    /// Workers with an idle slot, those first that have shown something.
    pub(super) fn idle(&self) -> impl Iterator<Item = WorkerId> {
        let is_idle = |demand: Demand| matches!(demand, Demand::Idle | Demand::IdleNewcomer);
        let idle = self.waiting.iter().take_while(move |(demand, _, _)| is_idle(*demand));
        idle.map(|(_, _, worker)| *worker)
    }

    /// A worker need not wait for a lease any more.
    pub(super) fn wake(&mut self, id: WorkerId) {
        let worker = self.workers.get_mut(&id);
        if let Some(until) = worker.and_then(|worker| worker.rests_until.take()) {
            self.resting.remove(&(until, id));
            self.refresh_worker(id);
        }
    }
}
