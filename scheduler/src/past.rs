//! Leases that ended: what still comes of them counts where nobody was faster.

use super::lease::Lease;
use super::{Inputs, Intervals};
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tequio_protocol::ids::{JobId, LeaseId, WorkerId};
use tequio_protocol::limits::{LATE_INPUTS_BYTES_MAX, SESSION_INPUTS_BYTES_MAX};

/// A lease that ended.
#[derive(Debug)]
pub(super) struct Past {
    pub(super) id: LeaseId,
    pub(super) job: JobId,
    pub(super) whole: Range<u64>,
    /// None of what nothing more can come of: it was answered to its end, and all of it is settled.
    /// That is most of them, so most cost no more than this.
    open: Option<Box<Lease>>,
    /// The inputs of a list that it keeps, counted with everybody's.
    pub(super) counted: Option<Counted>,
}

/// Bytes of inputs that are kept for leases that ended, of all workers.
#[derive(Clone, Debug, Default)]
pub(super) struct LateInputs(Arc<AtomicUsize>);

impl LateInputs {
    fn bytes(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }

    /// What one worker may keep: no more than half of what others leave free.
    pub(super) fn bytes_max(&self, own: usize) -> usize {
        let others = self.bytes().saturating_sub(own);
        SESSION_INPUTS_BYTES_MAX.min(LATE_INPUTS_BYTES_MAX.saturating_sub(others) / 2)
    }

    fn count(&self, bytes: usize) -> Counted {
        self.0.fetch_add(bytes, Ordering::Relaxed);
        Counted { all: self.clone(), bytes }
    }
}

/// A part of these, until it is dropped.
#[derive(Debug)]
pub(super) struct Counted {
    pub(super) all: LateInputs,
    pub(super) bytes: usize,
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.all.0.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

impl Past {
    pub(super) fn new(id: LeaseId, lease: &Lease, is_settled: bool, all: &LateInputs) -> Past {
        let is_over = is_settled && lease.rest.is_empty() && lease.is_sent && !lease.is_refused;
        let open = (!is_over).then(|| {
            // Where nothing more of it can count, nothing of it needs to be checked.
            let inputs = lease.inputs.as_ref().filter(|_| !is_settled).cloned();
            Box::new(Lease {
                inputs,
                whole: lease.whole.clone(),
                rest: lease.rest.clone(),
                kept_since: None,
                ..*lease
            })
        });
        let mut past = Past { id, job: lease.job, whole: lease.whole.clone(), open, counted: None };
        past.counted = Some(past.inputs_bytes()).filter(|bytes| *bytes > 0).map(|b| all.count(b));
        past
    }

    /// The lease as it was left, or what amounts to the same.
    pub(super) fn to_lease(&self, worker: WorkerId) -> Lease {
        self.open.as_deref().cloned().unwrap_or_else(|| Lease {
            job: self.job,
            worker,
            whole: self.whole.clone(),
            rest: self.whole.end..self.whole.end,
            original: self.id,
            deadline: Duration::ZERO,
            patience: 1,
            lent_at: Duration::ZERO,
            answered_at: Duration::ZERO,
            inputs: None,
            is_sent: true,
            is_refused: false,
            is_newcomers: false,
            kept_since: None,
        })
    }

    /// Whether it had some of these tasks, and no answer to them.
    pub(super) fn holds(&self, tasks: &Range<u64>) -> bool {
        let overlaps = |rest: &Range<u64>| rest.start < tasks.end && tasks.start < rest.end;
        self.open.as_ref().is_some_and(|lease| overlaps(&lease.rest))
    }

    pub(super) fn is_sent(&self) -> bool {
        self.open.as_ref().is_none_or(|lease| lease.is_sent)
    }

    pub(super) fn is_refused(&self) -> bool {
        self.open.as_ref().is_some_and(|lease| lease.is_refused)
    }

    /// Whether nothing of it can count any more.
    pub(super) fn is_settled_in(&self, settled: &Intervals) -> bool {
        settled.covers(&self.whole)
    }

    pub(super) fn is_answered(&self) -> bool {
        self.open.as_ref().is_none_or(|lease| lease.rest.is_empty())
    }

    /// Everything before `front` was answered. Says whether that is all of it.
    pub(super) fn advance(&mut self, front: u64) -> bool {
        if let Some(lease) = &mut self.open {
            lease.rest.start = lease.rest.start.max(front);
        }
        self.is_answered()
    }

    /// It was given up because of a wrong result.
    pub(super) fn refuse(&mut self) {
        if let Some(lease) = &mut self.open {
            lease.is_refused = true;
        }
    }

    /// Nothing more of it can count.
    pub(super) fn forget_inputs(&mut self) {
        if let Some(lease) = &mut self.open {
            lease.inputs = None;
        }
        self.counted = None;
    }

    /// Its worker has given it back, and sends nothing of it any more.
    pub(super) fn close(&mut self) {
        if self.is_sent() && !self.is_refused() {
            self.open = None;
            self.counted = None;
        }
    }

    /// What its tasks are computed of, as long as something of it can count.
    pub(super) fn inputs(&self) -> Option<&Inputs> {
        self.open.as_ref().and_then(|lease| lease.inputs.as_ref())
    }

    /// Bytes of inputs that are in memory for this lease alone; a grid is its job's.
    pub(super) fn inputs_bytes(&self) -> usize {
        self.inputs().map_or(0, Inputs::bytes)
    }

    /// What it takes in memory.
    pub(super) fn bytes(&self) -> usize {
        let lease = self.open.as_ref().map_or(0, |_| size_of::<Lease>());
        size_of::<Past>() + lease + self.inputs_bytes()
    }
}

#[cfg(test)]
impl LateInputs {
    pub(super) fn bytes_kept(&self) -> usize {
        self.bytes()
    }
}
