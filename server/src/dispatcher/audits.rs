//! The threads that compute tasks again to judge claims, where that takes long: beside the dispatcher, which
//! goes on meanwhile.

use super::event::{Report, Reports};
use crate::engine;
use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Instant;
use tequio_protocol::ids::JobId;
use tequio_protocol::limits::AUDIT_THREADS_MAX;
use tequio_scheduler::{Audit, Cost};
use tracing::error;

/// The way to the threads. They end when it is dropped; nobody waits for that, since what they compute then is of no
/// use.
#[derive(Debug)]
pub(super) struct Audits(Arc<Queue>);

#[derive(Debug, Default)]
struct Queue {
    asked: Mutex<Asked>,
    more: Condvar,
}

/// What is to be computed, each kind in the order in which it was asked for.
#[derive(Debug, Default)]
struct Asked {
    /// Of the budget, which keeps it short.
    of_budget: VecDeque<Audit>,
    /// Of jobs of which all is audited: whatever there is of these, others do not wait behind it.
    of_jobs: VecDeque<Audit>,
    is_over: bool,
}

impl Audits {
    /// Has an audit computed.
    pub(super) fn ask(&self, audit: Audit) {
        let asked = &mut *self.0.lock();
        match audit.cost {
            Cost::Budget => asked.of_budget.push_back(audit),
            Cost::Job => asked.of_jobs.push_back(audit),
        }
        self.0.more.notify_one();
    }

    /// Nobody waits for audits of a job any more: others are computed at once, and what these hold is free.
    pub(super) fn forget_job(&self, job: JobId) {
        let asked = &mut *self.0.lock();
        asked.of_budget.retain(|audit| audit.job != job);
        asked.of_jobs.retain(|audit| audit.job != job);
    }
}

impl Drop for Audits {
    fn drop(&mut self) {
        self.0.lock().is_over = true;
        self.0.more.notify_all();
    }
}

impl Queue {
    fn lock(&self) -> MutexGuard<'_, Asked> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The next audit, once there is one; `None` at the end.
    fn next(&self) -> Option<Audit> {
        let is_idle = |asked: &mut Asked| {
            !asked.is_over && asked.of_budget.is_empty() && asked.of_jobs.is_empty()
        };
        let waited = self.more.wait_while(self.lock(), is_idle);
        let mut asked = waited.unwrap_or_else(PoisonError::into_inner);
        if asked.is_over {
            return None;
        }
        asked.of_budget.pop_front().or_else(|| asked.of_jobs.pop_front())
    }
}

/// Starts the threads: half as many as there are cores, or as many as audits may take where that is more.
pub(super) fn start(reports: &Reports, cores: f64) -> std::io::Result<Audits> {
    let queue = Arc::new(Queue::default());
    let audits = Audits(queue.clone());
    let all = thread::available_parallelism().map_or(1, usize::from);
    let threads = (all / 2).clamp(1, AUDIT_THREADS_MAX).max((cores.ceil() as usize).min(all));
    for number in 0..threads {
        let (queue, reports) = (queue.clone(), reports.clone());
        let name = format!("audit {number}");
        thread::Builder::new().name(name).spawn(move || run(&queue, &reports))?;
    }
    Ok(audits)
}

fn run(queue: &Queue, reports: &Reports) {
    while let Some(audit) = queue.next() {
        let before = Instant::now();
        let computed = catch_unwind(AssertUnwindSafe(|| match audit.is_doubted {
            true => engine::doubting(|| audit.compute()),
            false => audit.compute(),
        }));
        if computed.is_err() {
            error!("an audit of {} has failed; its claim is believed", audit.op.name());
        }
        // What could not be computed here either is unknown.
        let ours = computed.ok().and_then(Result::ok);
        let (claim, took) = (audit.claim, before.elapsed());
        // Without a dispatcher nobody waits for it.
        if reports.send(Report::Audited { claim, ours, took }).is_err() {
            return;
        }
    }
}
