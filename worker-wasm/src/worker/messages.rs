//! Messages of the server.

use super::{Action, ConnectionState, Heartbeat, Will, Worker};
use crate::work::{About, notice, refuse, release};
use std::time::Duration;
use tequio_protocol::limits::{FRAME_BYTES_MAX, HEARTBEAT};
use tequio_protocol::message::{
    ErrorCode, Lease, MessageKind, PROTOCOL, ReadError, ServerMessage, Welcome,
};
use tequio_protocol::text::quote;

impl Worker {
    pub(super) fn read(&mut self, text: &str, now: Duration, actions: &mut Vec<Action>) {
        if text.len() > FRAME_BYTES_MAX {
            let bytes = text.len();
            return notice(
                actions,
                format!("Ignored a frame of {bytes} bytes; the limit is {FRAME_BYTES_MAX}"),
            );
        }
        match ServerMessage::read(text) {
            Ok(ServerMessage::Task(task)) => {
                // Who stops answers nothing new; there is no way to say so in plain mode.
                if self.will == Will::Working {
                    self.work.take_task(task, now, actions);
                }
            }
            Ok(ServerMessage::Lease(lease)) => self.lease(lease, now, actions),
            Ok(ServerMessage::Revoke { lease }) => self.work.revoke(lease, now),
            Ok(ServerMessage::Welcome(welcome)) => self.welcome(welcome, now, actions),
            Ok(ServerMessage::Heartbeat) => self.work.heartbeat_answered(),
            Ok(ServerMessage::Error(error)) => {
                if let (ErrorCode::UnknownLease, Some(lease)) = (error.code, error.lease) {
                    // The server takes nothing more of it.
                    self.work.revoke(lease, now);
                }
                notice(actions, format!("The server says: {}", quote(&error.message)));
            }
            Err(ReadError::Invalid { kind: MessageKind::Task, task_id, reason, .. }) => {
                notice(actions, format!("Refused a task: {reason}"));
                refuse(actions, ErrorCode::BadTask, reason, About::Task(task_id));
            }
            Err(ReadError::Invalid { kind: MessageKind::Lease, lease, reason, .. }) => {
                notice(actions, format!("Refused a lease: {reason}"));
                refuse(actions, ErrorCode::BadLease, reason, About::Lease(lease));
            }
            Err(ReadError::Invalid { kind: MessageKind::Welcome, reason, .. })
                if self.name.is_some() =>
            {
                self.reject_server(format!("its welcome cannot be read: {reason}"), actions);
            }
            Err(error) => notice(actions, format!("Ignored a frame: {error}")),
        }
    }

    fn lease(&mut self, lease: Lease, now: Duration, actions: &mut Vec<Action>) {
        if self.will == Will::Working {
            self.work.take_lease(lease, now, actions);
        } else {
            // It was on its way when the server was told.
            release(lease.lease, actions);
        }
    }

    fn welcome(&mut self, welcome: Welcome, now: Duration, actions: &mut Vec<Action>) {
        if self.name.is_none() {
            return notice(actions, "Ignored a welcome that nobody had asked for".to_owned());
        }
        if welcome.protocol != PROTOCOL {
            let theirs = welcome.protocol;
            let said =
                format!("it speaks protocol {theirs}, this page {PROTOCOL}; reload the page");
            return self.reject_server(said, actions);
        }
        if let ConnectionState::Open { heartbeat, welcome_by, .. } = &mut self.connection {
            *welcome_by = None;
            // Often enough that the answers keep the silence away, whatever the server asks for.
            let every = Duration::from_secs(welcome.heartbeat_s.max(1)).min(HEARTBEAT);
            *heartbeat = Some(Heartbeat { every, next: now + every });
        }
        self.session = welcome.session;
        self.work.resumed(welcome.resumed, now, actions);
    }

    /// The server and this worker would go on misunderstanding each other.
    fn reject_server(&mut self, why: String, actions: &mut Vec<Action>) {
        refuse(actions, ErrorCode::UnsupportedProtocol, why.clone(), About::Nothing);
        self.end(
            ConnectionState::Ended,
            format!("The server is of another version: {why}"),
            actions,
        );
    }
}
