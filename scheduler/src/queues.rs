//! Which jobs and workers wait: each is put where its state says that it belongs, among those of the same
//! op, or of the same skills. There are few of these, and each queue is in order.

use super::Scheduler;
use super::Skills;
use super::worker::Demand;
use std::cmp::Reverse;
use std::collections::{BTreeSet, btree_set};
use std::iter::Peekable;
use tequio_protocol::ids::{JobId, WorkerId};

/// Jobs that have something to hand out, the next one first: by priority, and then by turns.
pub(super) type Ready = Queues<(Reverse<i32>, u64, JobId)>;

/// Workers that may be lent more: those with an idle slot first, then by turns.
pub(super) type Waiting = Queues<(Demand, u64, WorkerId)>;

/// Queues by skills.
#[derive(Debug)]
pub(super) struct Queues<T> {
    /// An empty one stays until there is another: where nearly all are busy, a queue is empty after each
    /// grant.
    of: Vec<(Skills, BTreeSet<T>)>,
}

impl<T> Default for Queues<T> {
    fn default() -> Queues<T> {
        Queues { of: Vec::new() }
    }
}

impl<T: Ord + Copy> Queues<T> {
    pub(super) fn insert(&mut self, skills: Skills, entry: T) {
        if let Some((_, queue)) = self.of.iter_mut().find(|(with, _)| *with == skills) {
            queue.insert(entry);
            return;
        }
        self.of.retain(|(_, queue)| !queue.is_empty());
        self.of.push((skills, BTreeSet::from([entry])));
    }

    pub(super) fn remove(&mut self, skills: Skills, entry: &T) {
        if let Some((_, queue)) = self.of.iter_mut().find(|(with, _)| *with == skills) {
            queue.remove(entry);
        }
    }

    /// All skills that somebody waits with.
    pub(super) fn skills(&self) -> Skills {
        let waiting = self.of.iter().filter(|(_, queue)| !queue.is_empty());
        waiting.map(|(with, _)| *with).fold(Skills::default(), Skills::with)
    }

    /// Those that have some of these skills, all in one order.
    pub(super) fn with(&self, skills: Skills) -> Merged<'_, T> {
        let with_some = self.of.iter().filter(move |(with, _)| with.has_some_of(skills));
        let mut queues = with_some.map(|(_, queue)| queue.iter().peekable());
        Merged { first: queues.next(), others: queues.collect() }
    }
}

/// What is in several queues, in one order. Mostly there is one, and nothing is allocated for it.
pub(super) struct Merged<'a, T> {
    first: Option<Peekable<btree_set::Iter<'a, T>>>,
    others: Vec<Peekable<btree_set::Iter<'a, T>>>,
}

impl<T: Ord + Copy> Iterator for Merged<'_, T> {
    type Item = T;

    fn next(&mut self) -> Option<T> {
        if self.others.is_empty() {
            return self.first.as_mut()?.next().copied();
        }
        let queues = self.first.iter_mut().chain(&mut self.others);
        let heads = queues.filter_map(|queue| Some((**queue.peek()?, queue)));
        let (_, queue) = heads.min_by_key(|(head, _)| *head)?;
        queue.next().copied()
    }
}

impl Scheduler {
    /// Puts a job where its state says that it belongs.
    pub(super) fn refresh_job(&mut self, id: JobId) {
        let Some(job) = self.jobs.get_mut(&id) else { return };
        let is_ready = job.has_work();
        if is_ready != job.is_ready {
            job.is_ready = is_ready;
            if is_ready {
                self.ready.insert(job.skill, job.place(id));
            } else {
                self.ready.remove(job.skill, &job.place(id));
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
                self.waiting.remove(worker.skills, &(old, worker.turn, id));
            }
            if let Some(new) = demand {
                self.waiting.insert(worker.skills, (new, worker.turn, id));
            }
            worker.demand = demand;
        }
        let is_able = worker.is_able_now();
        match (std::mem::replace(&mut worker.is_able, is_able), is_able) {
            (false, true) => self.able.add(worker.origin, worker.skills, &worker.cannot),
            (true, false) => self.able.remove(worker.origin, worker.skills, &worker.cannot),
            _ => {}
        }
    }

    /// A worker can compute something else than it could.
    pub(super) fn set_skills(&mut self, id: WorkerId, skills: Skills) {
        self.leave_queues(id);
        if let Some(worker) = self.workers.get_mut(&id) {
            worker.skills = skills;
            // Of who is lent no kernels it need not be known which.
            if !skills.has_some_of(Skills::kernels()) {
                worker.cannot.clear();
            }
            self.refresh_worker(id);
        }
    }

    /// A worker is in no queue, until it is refreshed.
    pub(super) fn leave_queues(&mut self, id: WorkerId) {
        let Some(worker) = self.workers.get_mut(&id) else { return };
        if let Some(demand) = worker.demand.take() {
            self.waiting.remove(worker.skills, &(demand, worker.turn, id));
        }
        if std::mem::take(&mut worker.is_able) {
            self.able.remove(worker.origin, worker.skills, &worker.cannot);
        }
    }

    /// Who was served goes to the end of its queue.
    pub(super) fn move_turn(&mut self, job_id: JobId, worker_id: WorkerId) {
        if let Some(job) = self.jobs.get_mut(&job_id) {
            if job.is_ready {
                self.ready.remove(job.skill, &job.place(job_id));
                job.is_ready = false;
            }
            job.turn = self.turn;
        }
        if let Some(worker) = self.workers.get_mut(&worker_id) {
            if let Some(demand) = worker.demand.take() {
                self.waiting.remove(worker.skills, &(demand, worker.turn, worker_id));
            }
            worker.turn = self.turn;
        }
        self.refresh_job(job_id);
        self.refresh_worker(worker_id);
    }

    /// Workers with an idle slot that can compute some of these, those first that have shown something.
    pub(super) fn idle(&self, skills: Skills) -> impl Iterator<Item = WorkerId> {
        let is_idle = |demand: Demand| matches!(demand, Demand::Idle | Demand::IdleNewcomer);
        let idle = self.waiting.with(skills).take_while(move |(demand, _, _)| is_idle(*demand));
        idle.map(|(_, _, worker)| worker)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queues_of_several_skills_are_one_in_order() {
        let [one, other] = ["repeat_multiply", "collatz"].map(|name| Skills::named([name]));
        let mut queues = Queues::default();
        for (skills, entry) in [(one, 3), (other, 1), (one.with(other), 2), (one, 5), (other, 4)] {
            queues.insert(skills, entry);
        }
        let of = |queues: &Queues<i32>, skills| queues.with(skills).collect::<Vec<_>>();
        assert_eq!(of(&queues, one.with(other)), [1, 2, 3, 4, 5]);
        assert_eq!(of(&queues, one), [2, 3, 5]);
        assert_eq!(of(&queues, Skills::default()), [0; 0]);
        for entry in [1, 4] {
            queues.remove(other, &entry);
        }
        queues.remove(one.with(other), &2);
        assert_eq!(queues.skills(), one);
        assert_eq!(of(&queues, other), [0; 0]);
    }
}
