//! What workers are told that did wrong, and how they are turned away.

use super::complaints::complain;
use super::{Effect, Reactor};
use crate::agent::engine_of;
use crate::connection::Close;
use std::time::Duration;
use tequio_protocol::ids::{LeaseId, TaskId, WorkerId};
use tequio_protocol::limits::NOISE_LOGGED_MAX;
use tequio_protocol::message::{ErrorCode, ErrorMessage, ServerMessage, close_code};
use tequio_scheduler::{Refusal, RefusalReason};
use tracing::warn;

/// Why workers are turned away.
const A_WRONG_RESULT: &str = "a wrong result";
pub(super) const TOO_MANY_FAULTS: &str = "too many wrong results";
const TOO_MANY_FAILURES: &str = "too many failures of tasks that have a result";

impl Reactor {
    pub(super) fn answer_refusal(
        &mut self,
        id: WorkerId,
        lease: LeaseId,
        refusal: &Refusal,
        now: Duration,
    ) {
        let (code, why) = match refusal.reason {
            RefusalReason::UnknownLease(_) => (ErrorCode::UnknownLease, TOO_MANY_FAULTS),
            RefusalReason::OutOfShape { .. } => (ErrorCode::BadResult, TOO_MANY_FAULTS),
            RefusalReason::Wrong { .. } => (ErrorCode::WrongResult, A_WRONG_RESULT),
            RefusalReason::Refuted { .. } => (ErrorCode::WrongResult, TOO_MANY_FAILURES),
        };
        self.refuse(id, code, refusal.reason.to_string(), Some(lease), now);
        if refusal.is_turned_away {
            self.turn_away(id, why, now);
        }
    }

    /// Counts a wrong result, by the engine that came to it: many of one version are a fault of that, and not of
    /// people.
    pub(super) fn count_refusal<T>(
        &mut self,
        answer: &Result<T, Refusal>,
        agent: &str,
        now: Duration,
    ) {
        let Err(Refusal { reason: RefusalReason::Wrong { .. }, .. }) = answer else { return };
        self.metrics.wrong.inc();
        let (engine, count) = self.metrics.count_mismatch(engine_of(agent));
        complain!(self.complaints, now, "a wrong result of {engine}, {count} so far");
    }

    pub(super) fn turn_away(&mut self, id: WorkerId, why: &str, now: Duration) {
        self.metrics.turned_away.inc();
        complain!(self.complaints, now, "[#{id}] turned away: {why}");
        let reason = why.to_owned();
        let error = ErrorMessage {
            code: ErrorCode::TurnedAway,
            message: reason.clone(),
            task_id: None,
            lease: None,
        };
        self.send(id, ServerMessage::Error(error));
        let code = close_code::TURNED_AWAY;
        self.effects.push(Effect::Close(id, Close { code, reason }));
    }

    pub(super) fn refuse(
        &mut self,
        id: WorkerId,
        code: ErrorCode,
        message: String,
        lease: Option<LeaseId>,
        now: Duration,
    ) {
        self.log_refusal(id, &message, now);
        let error = ErrorMessage { code, message, task_id: None, lease };
        self.send(id, ServerMessage::Error(error));
    }

    pub(super) fn refuse_task(
        &mut self,
        id: WorkerId,
        code: ErrorCode,
        message: String,
        task_id: TaskId,
        now: Duration,
    ) {
        self.log_refusal(id, &message, now);
        let error = ErrorMessage { code, message, task_id: Some(task_id), lease: None };
        self.send(id, ServerMessage::Error(error));
    }

    fn log_refusal(&mut self, id: WorkerId, message: &str, now: Duration) {
        let Some(worker) = self.workers.get_mut(&id) else { return };
        worker.refused += 1;
        if is_logged(worker.refused) {
            complain!(self.complaints, now, "[#{id}] result refused: {message}");
        }
    }
}

/// Whether the `nth` thing of one kind that one worker does wrong is worth a line: the first few
/// are, then each whose number is a power of two. A flood must not fill a disk with log.
pub(crate) fn is_logged(nth: u64) -> bool {
    nth <= NOISE_LOGGED_MAX || nth.is_power_of_two()
}

#[cfg(test)]
mod tests {
    use super::super::{FromWorker, Now};
    use super::*;
    use crate::connection::Peer;
    use crate::metrics::Metrics;
    use tequio_protocol::limits::STRIKES_MAX;
    use tequio_protocol::message::{Hello, PROTOCOL, WorkerMessage};

    #[test]
    fn who_refuses_leases_that_it_never_had_is_told_and_closed() {
        let now = Now { at: Duration::ZERO, unix_ms: 0 };
        let mut reactor = Reactor::new(None, 0, Vec::new(), 1, Metrics::default().into(), now);
        let address = std::net::SocketAddr::from(([127, 0, 0, 1], 1)).into();
        let id = reactor.connected(Peer { address, path: "/".to_owned(), agent: None }, now);
        let hello = Hello {
            protocol: PROTOCOL,
            agent: String::new(),
            slots: 1,
            worker: String::new(),
            ops: Vec::new(),
            resume: None,
        };
        reactor.received(id, FromWorker::Message(WorkerMessage::Hello(hello)), now);
        reactor.effects(now);
        let error = ErrorMessage {
            code: ErrorCode::ComputeFailed,
            message: String::new(),
            task_id: None,
            lease: Some(LeaseId(u64::MAX)),
        };
        let closed = (1..=STRIKES_MAX).map(|_| {
            let refused = WorkerMessage::Error(error.clone());
            reactor.received(id, FromWorker::Message(refused), now);
            let effects = reactor.effects(now);
            assert!(effects.iter().any(|effect| matches!(effect, Effect::Send(..))), "it is told");
            effects.iter().any(|effect| matches!(effect, Effect::Close(..)))
        });
        assert_eq!(closed.collect::<Vec<_>>(), [false, false, true]);
    }
}
