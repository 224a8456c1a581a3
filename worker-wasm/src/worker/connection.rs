//! The connection: it is asked for, opens, is watched, and ends.

use super::{Action, ConnectionState, Will, Worker};
use std::time::Duration;
use tequio_protocol::limits::{BACKOFF_RESET_AFTER, CONNECT_INTERVAL_MIN, CONNECT_TIMEOUT};
use tequio_protocol::message::{Hello, PROTOCOL, WorkerMessage, close_code};
use tequio_protocol::op;
use tequio_protocol::page::ToPage;
use tequio_protocol::text::quote;

impl Worker {
    /// Connects at once, but not twice in a moment.
    pub(super) fn connect_soon(&mut self, now: Duration, actions: &mut Vec<Action>) {
        self.backoff.reset();
        self.attempts = 0;
        let until = self.next_attempt(now);
        self.connection = ConnectionState::Waiting { until };
        if until <= now {
            self.connect(now, actions);
        }
    }

    /// When the next attempt may be, at the earliest.
    pub(super) fn next_attempt(&self, now: Duration) -> Duration {
        self.last_attempt.map_or(now, |last| now.max(last + CONNECT_INTERVAL_MIN))
    }

    pub(super) fn connect(&mut self, now: Duration, actions: &mut Vec<Action>) {
        self.attempts = self.attempts.saturating_add(1);
        self.last_attempt = Some(now);
        self.connection = ConnectionState::Connecting { give_up_at: now + CONNECT_TIMEOUT };
        actions.push(Action::Tell(ToPage::Connecting { attempt: self.attempts }));
        actions.push(Action::Connect);
    }

    pub(super) fn opened(&mut self, now: Duration, actions: &mut Vec<Action>) {
        self.share_out(now, actions);
        let slots = self.name.as_ref().map(|_| self.slots_offered());
        let welcome_by = self.session.as_ref().map(|_| now + CONNECT_TIMEOUT);
        let (since, heard_at, heartbeat) = (now, now, None);
        self.connection = ConnectionState::Open { since, heard_at, heartbeat, welcome_by, slots };
        self.work.opened(self.session.is_some());
        actions.push(Action::Tell(ToPage::Connected));
        if let (Some(name), Some(slots)) = (&self.name, slots) {
            let hello = Hello {
                protocol: PROTOCOL,
                agent: self.work.agent().to_owned(),
                slots,
                worker: name.clone(),
                ops: self.skills.clone(),
                resume: self.session.clone(),
            };
            actions.push(Action::Send(WorkerMessage::Hello(hello).write()));
        }
    }

    pub(super) fn note_arrival(&mut self, now: Duration) {
        if let ConnectionState::Open { heard_at, .. } = &mut self.connection {
            *heard_at = now;
        }
    }

    pub(super) fn closed(
        &mut self,
        code: u16,
        reason: &str,
        now: Duration,
        actions: &mut Vec<Action>,
    ) {
        // It would end the same way again: something here computes wrong, or is too old or too new.
        let text = match code {
            close_code::TURNED_AWAY => "The server has turned this worker away",
            close_code::UNSUPPORTED_PROTOCOL => "The server is of another version",
            _ => return self.lost(closed_because(code, reason), now, actions),
        };
        self.end(ConnectionState::Ended, format!("{text}: {}", quote(reason)), actions);
    }

    /// Until a person asks again ([`ConnectionState::Ended`]), or for good: what is told is to mend.
    pub(super) fn end(&mut self, state: ConnectionState, text: String, actions: &mut Vec<Action>) {
        self.work.clear(actions);
        self.tabs.leave(actions);
        self.session = None;
        self.connection = state;
        actions.push(Action::Disconnect);
        let can_retry = state == ConnectionState::Ended;
        actions.push(Action::Tell(ToPage::Failed { text, can_retry }));
    }

    /// The connection is gone, and what waited with it.
    pub(super) fn lost(&mut self, reason: String, now: Duration, actions: &mut Vec<Action>) {
        if let ConnectionState::Open { since, .. } = self.connection
            && now.saturating_sub(since) >= BACKOFF_RESET_AFTER
        {
            self.backoff.reset();
            self.attempts = 0;
        }
        self.work.lost(self.session.is_some(), now);
        actions.push(Action::Disconnect);
        if self.will == Will::Stopping {
            // What was left to finish is the server's again.
            self.connection = ConnectionState::Idle;
            return self.stop(actions);
        }
        let until = (now + self.backoff.draw()).max(self.next_attempt(now));
        self.connection = ConnectionState::Waiting { until };
        let retry_in_ms = (until - now).as_secs_f64() * 1000.0;
        actions.push(Action::Tell(ToPage::Disconnected { reason, retry_in_ms }));
    }

    pub(super) fn beat(&mut self, now: Duration, actions: &mut Vec<Action>) {
        if let ConnectionState::Open { heartbeat: Some(heartbeat), .. } = &mut self.connection {
            heartbeat.next = now + heartbeat.every;
            self.work.heartbeat();
            actions.push(Action::Send(WorkerMessage::Heartbeat.write()));
        }
    }
}

/// The close code and reason, for people (codes: RFC 6455, section 7.4.1).
fn closed_because(code: u16, reason: &str) -> String {
    let meaning = match code {
        1000 => "closed",
        1001 => "the server is going away",
        1006 => "no connection",
        1009 => "a message was too long",
        1011 => "the server failed",
        1012 => "the server restarts",
        _ => "closed by the server",
    };
    if reason.is_empty() {
        format!("{meaning} ({code})")
    } else {
        format!("{meaning} ({code} {})", quote(reason))
    }
}

/// What a worker can compute, unless it is told otherwise.
pub(super) fn skills() -> Vec<String> {
    let names = op::ALL.iter().map(|op| op.name()).chain([op::kernel::SKILL]);
    names.map(str::to_owned).collect()
}
