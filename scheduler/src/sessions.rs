//! How what is known of a worker outlives its connection: a tab that loses its line for some seconds
//! comes back with results that nobody has.

use super::Origin;
use super::memory::Memory;
use std::cmp::Reverse;
use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::time::Duration;
use tequio_protocol::ids::{JobId, WorkerId};
use tequio_protocol::limits::{SESSION_KEPT, SESSIONS_KEPT_BYTES_MAX, SESSIONS_KEPT_MAX};

/// Names what a worker has on one connection, for its next one. Whoever knows it is that worker, so
/// it is chosen where nobody can guess it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SessionId(pub(super) u128);

impl SessionId {
    const DIGITS: usize = 32;

    /// Reads a name as it is written; none of any other text.
    pub fn parse(name: &str) -> Option<SessionId> {
        let is_digit = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
        let is_name = name.len() == SessionId::DIGITS && name.bytes().all(is_digit);
        is_name.then(|| u128::from_str_radix(name, 16).ok()).flatten().map(SessionId)
    }
}

impl fmt::Display for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:0digits$x}", self.0, digits = SessionId::DIGITS)
    }
}

/// What is kept of workers whose connections were lost.
#[derive(Debug, Default)]
pub(super) struct Sessions {
    /// The one that was lost first in front, which is over first.
    kept: VecDeque<Kept>,
    /// What they take together.
    bytes: usize,
}

/// One of them.
#[derive(Debug)]
pub(super) struct Kept {
    session: SessionId,
    worker: WorkerId,
    origin: Origin,
    until: Duration,
    memory: Memory,
    bytes: usize,
}

impl Kept {
    pub(super) fn new(
        session: SessionId,
        worker: WorkerId,
        origin: Origin,
        memory: Memory,
        now: Duration,
    ) -> Kept {
        let bytes = memory.bytes();
        let until = now.saturating_add(SESSION_KEPT);
        Kept { session, worker, origin, until, memory, bytes }
    }
}

impl Sessions {
    /// Keeps what is known of a worker. Where that is too much, others are dropped for it.
    pub(super) fn keep(&mut self, kept: Kept) {
        self.bytes += kept.bytes;
        self.kept.push_back(kept);
        while self.kept.len() > SESSIONS_KEPT_MAX || self.bytes > SESSIONS_KEPT_BYTES_MAX {
            let Some(least) = self.least() else { return };
            self.remove(least);
        }
    }

    /// Which to drop first: of the address that has the most, the oldest, since who comes back does so within
    /// seconds. Those without a result are nobody's loss, wherever they are.
    fn least(&self) -> Option<usize> {
        let mut of_origin: HashMap<Origin, usize> = HashMap::new();
        for kept in &self.kept {
            *of_origin.entry(kept.origin).or_default() += 1;
        }
        let worth = |kept: &Kept| {
            let has_results = kept.memory.credit.accepted > 0;
            has_results.then(|| Reverse(of_origin[&kept.origin]))
        };
        let all = self.kept.iter().enumerate();
        all.min_by_key(|(at, kept)| (worth(kept), *at)).map(|(at, _)| at)
    }

    fn remove(&mut self, at: usize) -> Option<Kept> {
        let kept = self.kept.remove(at)?;
        self.bytes -= kept.bytes;
        Some(kept)
    }

    /// Forgets what is known of a worker that may not come back.
    pub(super) fn forget_worker(&mut self, id: WorkerId) {
        if let Some(at) = self.kept.iter().position(|kept| kept.worker == id) {
            self.remove(at);
        }
    }

    /// Hands a session out, once, if it is not over.
    pub(super) fn resume(
        &mut self,
        session: SessionId,
        now: Duration,
    ) -> Option<(WorkerId, Memory)> {
        let is_it = |kept: &Kept| kept.session == session && kept.until > now;
        let at = self.kept.iter().position(is_it)?;
        self.remove(at).map(|kept| (kept.worker, kept.memory))
    }

    pub(super) fn next_timeout(&self) -> Option<Duration> {
        self.kept.front().map(|kept| kept.until)
    }

    pub(super) fn expire(&mut self, now: Duration) {
        while self.next_timeout().is_some_and(|until| until <= now) {
            self.remove(0);
        }
    }

    pub(super) fn forget_job(&mut self, id: JobId) {
        for kept in &mut self.kept {
            kept.memory.forget_job(id);
            let bytes = kept.memory.bytes();
            self.bytes = self.bytes - std::mem::replace(&mut kept.bytes, bytes) + bytes;
        }
    }

    pub(super) fn assert_consistent(&self) {
        assert!(self.kept.len() <= SESSIONS_KEPT_MAX && self.bytes <= SESSIONS_KEPT_BYTES_MAX);
        assert_eq!(self.bytes, self.kept.iter().map(|kept| kept.bytes).sum::<usize>());
        assert!(self.kept.iter().is_sorted_by_key(|kept| kept.until));
        for kept in &self.kept {
            assert_eq!(kept.bytes, kept.memory.bytes());
            kept.memory.assert_consistent();
        }
    }
}

/// The state of a scheduler's sessions, for its tests.
#[cfg(test)]
impl Sessions {
    pub(super) fn len(&self) -> usize {
        self.kept.len()
    }

    pub(super) fn inputs_bytes(&self) -> usize {
        let leases = self.kept.iter().flat_map(|kept| kept.memory.all());
        leases.map(|past| past.inputs_bytes()).sum()
    }
}
