//! Any order of events, against a table of what was settled.

use super::*;
use proptest::prelude::*;
use std::collections::BTreeSet;
use tequio_protocol::limits::DEADLINE_MIN;

/// Something that happens, as numbers from which it follows when it does.
#[derive(Clone, Debug)]
enum Step {
    AddWorker {
        mode: Mode,
        slots: u32,
    },
    RemoveWorker {
        at: usize,
    },
    /// A connection is lost, and of each lease a share (in eighths) of what is left with it.
    Lose {
        at: usize,
        eighths: u64,
    },
    Resume {
        at: usize,
        slots: u32,
    },
    SetSlots {
        at: usize,
        slots: u32,
    },
    Grant,
    GrantAll,
    /// A grant whose inputs cannot be read.
    Withdraw,
    /// Right results of a share (in eighths) of what a lease has left, or of all it had.
    Answer {
        at: usize,
        eighths: u64,
        is_again: bool,
    },
    Lie {
        at: usize,
    },
    Fail {
        at: usize,
    },
    Progress {
        at: usize,
    },
    Release {
        at: usize,
    },
    Pass {
        ms: u64,
    },
    Pause {
        job: u64,
        is_paused: bool,
    },
    Grow {
        by: u64,
    },
    RemoveJob {
        job: u64,
    },
    /// Outcomes of neighbouring tasks are lost.
    Unsettle {
        job: u64,
        first: u64,
        count: u64,
    },
}

fn step() -> impl Strategy<Value = Step> {
    let at = 0..64usize;
    let mode = prop_oneof![Just(Mode::Lease), Just(Mode::Lease), Just(Mode::Plain)];
    prop_oneof![
        2 => (mode, 0..4u32).prop_map(|(mode, slots)| Step::AddWorker { mode, slots }),
        1 => at.clone().prop_map(|at| Step::RemoveWorker { at }),
        1 => (at.clone(), 0..8u64).prop_map(|(at, eighths)| Step::Lose { at, eighths }),
        2 => (at.clone(), 0..4u32).prop_map(|(at, slots)| Step::Resume { at, slots }),
        1 => (at.clone(), 0..4u32).prop_map(|(at, slots)| Step::SetSlots { at, slots }),
        6 => Just(Step::Grant),
        4 => Just(Step::GrantAll),
        1 => Just(Step::Withdraw),
        16 => (at.clone(), 0..9u64, any::<bool>())
            .prop_map(|(at, eighths, is_again)| Step::Answer { at, eighths, is_again }),
        1 => at.clone().prop_map(|at| Step::Lie { at }),
        4 => at.clone().prop_map(|at| Step::Fail { at }),
        2 => at.clone().prop_map(|at| Step::Progress { at }),
        2 => at.prop_map(|at| Step::Release { at }),
        4 => prop_oneof![0..100u64, 0..20_000u64].prop_map(|ms| Step::Pass { ms }),
        1 => (1..4u64, any::<bool>()).prop_map(|(job, is_paused)| Step::Pause { job, is_paused }),
        1 => (0..60u64).prop_map(|by| Step::Grow { by }),
        1 => (2..4u64).prop_map(|job| Step::RemoveJob { job }),
        2 => (1..4u64, 0..300u64, 1..60u64)
            .prop_map(|(job, first, count)| Step::Unsettle { job, first, count }),
    ]
}

/// The scheduler beside a table of what was settled.
struct Model {
    bench: Bench,
    workers: Vec<u64>,
    /// Workers that may come back.
    lost: Vec<(u64, SessionId)>,
    /// Every lease ever sent, with the front that its worker is at.
    sent: Vec<(Grant, u64)>,
    settled: BTreeSet<(JobId, u64)>,
    next_worker: u64,
    total: u64,
}

impl Model {
    fn new() -> Model {
        let mut bench = Bench::new();
        bench.add_job(JobId(1), JobSpec { is_open: true, ..spec(100) });
        bench.add_job(JobId(2), JobSpec { priority: 1, ..spec(40) });
        bench.add_job(JobId(3), JobSpec { lease_tasks_max: 7, ..spec(300) });
        Model {
            bench,
            workers: Vec::new(),
            lost: Vec::new(),
            sent: Vec::new(),
            settled: BTreeSet::new(),
            next_worker: 1,
            total: 100,
        }
    }

    fn run(&mut self, step: &Step) -> Result<(), TestCaseError> {
        match *step {
            Step::AddWorker { mode, slots } => {
                let id = self.next_worker;
                self.next_worker += 1;
                self.workers.push(id);
                self.bench.act(|scheduler, now| {
                    scheduler.add_worker(worker(id), here(), mode, Skills::plain(), slots, now);
                });
            }
            Step::RemoveWorker { at } => {
                if !self.workers.is_empty() {
                    let id = self.workers.swap_remove(at % self.workers.len());
                    self.bench.act(|scheduler, _| scheduler.remove_worker(worker(id)));
                }
            }
            Step::Lose { at, eighths } => self.lose(at, eighths),
            Step::Resume { at, slots } => self.resume(at, slots),
            Step::SetSlots { at, slots } => {
                if let Some(id) = self.workers.get(at % self.workers.len().max(1)).copied() {
                    self.bench.set_slots(id, slots);
                }
            }
            Step::Grant => drop(self.grant()?),
            Step::GrantAll => while self.grant()? {},
            Step::Withdraw => {
                if let Some(grant) = self.bench.act(|scheduler, now| scheduler.grant(now)) {
                    self.bench.act(|scheduler, _| scheduler.withdraw(grant.lease));
                }
            }
            Step::Answer { at, eighths, is_again } => self.answer(at, eighths, is_again)?,
            Step::Lie { at } => {
                if let Some((grant, front)) = self.pick(at) {
                    let results = vec![Number(0.5); (grant.range.end - front) as usize];
                    // A lie that no audit shows is recorded as well; it is a single outcome still.
                    let answer = self.bench.send(&grant, front, &results, None);
                    self.settle(&grant, answer)?;
                }
            }
            Step::Fail { at } => {
                if let Some((grant, front)) = self.pick(at)
                    && front < grant.range.end
                {
                    let answer = self.bench.fail(&grant, front);
                    prop_assert!(answer.is_ok() || !self.is_known(&grant), "{:?}", answer);
                    self.settle(&grant, answer)?;
                    self.move_front(at, front + 1);
                }
            }
            Step::Progress { at } => {
                if let Some((grant, _)) = self.pick(at) {
                    let _ = self.bench.progress(&grant);
                }
            }
            Step::Release { at } => {
                if let Some((grant, _)) = self.pick(at) {
                    let _ = self.bench.release(&grant);
                }
            }
            Step::Pass { ms } => {
                self.bench.now += Duration::from_millis(ms);
                self.bench.act(|scheduler, now| scheduler.expire(now));
                let now = self.bench.now;
                prop_assert!(self.bench.scheduler.next_timeout().is_none_or(|next| next > now));
            }
            Step::Pause { job, is_paused } => {
                self.bench.act(|scheduler, _| scheduler.set_paused(JobId(job), is_paused));
            }
            Step::Grow { by } => {
                self.total += by;
                let total = self.total;
                self.bench.act(|scheduler, _| scheduler.grow_job(JobId(1), total, true));
            }
            Step::RemoveJob { job } => {
                self.bench.act(|scheduler, _| scheduler.remove_job(JobId(job)));
            }
            Step::Unsettle { job, first, count } => {
                let (job, lost) = (JobId(job), first..first + count);
                self.bench.act(|scheduler, _| scheduler.unsettle(job, &lost));
                self.settled.retain(|(of, index)| *of != job || !lost.contains(index));
            }
        }
        self.bench.revoked();
        self.check()
    }

    fn lose(&mut self, at: usize, eighths: u64) {
        if self.workers.is_empty() {
            return;
        }
        let id = self.workers.swap_remove(at % self.workers.len());
        let session = self.bench.lose(id);
        self.lost.push((id, session));
        for (grant, front) in self.sent.iter_mut().filter(|(grant, _)| grant.worker == worker(id)) {
            *front += (grant.range.end - *front) * eighths / 8;
        }
    }

    /// A session may be over by now.
    fn resume(&mut self, at: usize, slots: u32) {
        if self.lost.is_empty() {
            return;
        }
        let (was, session) = self.lost.swap_remove(at % self.lost.len());
        let id = self.next_worker;
        self.next_worker += 1;
        if self.bench.resume(id, slots, session).is_none() {
            return;
        }
        self.workers.push(id);
        for (grant, _) in self.sent.iter_mut().filter(|(grant, _)| grant.worker == worker(was)) {
            grant.worker = worker(id);
        }
    }

    fn pick(&self, at: usize) -> Option<(Grant, u64)> {
        self.sent.get(at % self.sent.len().max(1)).cloned()
    }

    fn move_front(&mut self, at: usize, front: u64) {
        let count = self.sent.len();
        self.sent[at % count].1 = front;
    }

    /// Whether its worker is there; of so few leases none is forgotten.
    fn is_known(&self, grant: &Grant) -> bool {
        self.bench.scheduler.has_worker(grant.worker)
    }

    fn grant(&mut self) -> Result<bool, TestCaseError> {
        let Some(grant) = self.bench.grant() else { return Ok(false) };
        prop_assert!(!grant.range.is_empty() && grant.deadline >= self.bench.now + DEADLINE_MIN);
        let is_new = grant.range.clone().any(|index| !self.settled.contains(&(grant.job, index)));
        prop_assert!(is_new, "all of {:?} is settled", grant);
        self.sent.push((grant, 0));
        let (grant, front) = self.sent.last_mut().unwrap();
        *front = grant.range.start;
        Ok(true)
    }

    /// An honest answer, in time or not: never refused.
    fn answer(&mut self, at: usize, eighths: u64, is_again: bool) -> Result<(), TestCaseError> {
        let Some((grant, front)) = self.pick(at) else { return Ok(()) };
        let left = grant.range.end - front;
        let end = front + (left * eighths).div_ceil(8);
        let first = if is_again { grant.range.start } else { front };
        if first >= end {
            return Ok(());
        }
        let is_known = self.is_known(&grant);
        let answer = self.bench.answer_part(&grant, first..end);
        prop_assert_eq!(answer.is_ok(), is_known, "{:?}", answer);
        self.move_front(at, end);
        self.settle(&grant, answer)
    }

    /// Every index is settled once at most, unless its outcome is lost, and everything is fresh or a duplicate.
    fn settle(
        &mut self,
        grant: &Grant,
        answer: Result<Accepted, Refusal>,
    ) -> Result<(), TestCaseError> {
        self.workers.retain(|id| self.bench.scheduler.has_worker(worker(*id)));
        let accepted = answer.unwrap_or_else(|refusal| refusal.saved);
        for (first, outcomes) in accepted.fresh {
            for index in first..first + outcomes.len() {
                prop_assert!(grant.range.contains(&index));
                let is_first = self.settled.insert((grant.job, index));
                prop_assert!(is_first, "{}/{} is settled twice", grant.job, index);
            }
        }
        Ok(())
    }

    fn check(&self) -> Result<(), TestCaseError> {
        for (id, job) in &self.bench.scheduler.jobs {
            let known = self.settled.range((*id, 0)..(JobId(id.0 + 1), 0)).count() as u64;
            prop_assert_eq!(job.spec.settled.len(), known, "job {}", id);
            for (_, index) in self.settled.range((*id, 0)..(JobId(id.0 + 1), 0)) {
                prop_assert!(job.spec.settled.contains(*index));
            }
        }
        Ok(())
    }

    /// However things stand, honest workers bring every job to its end.
    fn finish(&mut self) -> Result<(), TestCaseError> {
        for job in 1..4 {
            self.bench.act(|scheduler, _| scheduler.set_paused(JobId(job), false));
        }
        let total = self.total;
        self.bench.act(|scheduler, _| scheduler.grow_job(JobId(1), total, false));
        self.run(&Step::AddWorker { mode: Mode::Lease, slots: 2 })?;
        for _ in 0..2000 {
            let id = self.next_worker - 1;
            let Some(grant) = self.bench.grant() else {
                // What others hold comes back at its deadline.
                if self.bench.scheduler.next_timeout().is_none() {
                    break;
                }
                self.bench.expire();
                continue;
            };
            if grant.worker == worker(id) {
                let answer = self.bench.answer(&grant);
                prop_assert!(answer.is_ok());
                self.settle(&grant, answer)?;
            }
        }
        for id in self.bench.scheduler.jobs.keys() {
            prop_assert!(self.bench.scheduler.is_settled(*id), "job {} is stuck", id);
        }
        self.check()
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..Default::default() })]

    #[test]
    fn every_index_is_settled_once_whatever_happens_and_nothing_is_stuck(
        steps in prop::collection::vec(step(), 1..120),
    ) {
        let mut model = Model::new();
        for step in &steps {
            model.run(step)?;
        }
        model.finish()?;
    }
}
