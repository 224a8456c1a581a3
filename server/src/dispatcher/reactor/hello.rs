//! How a worker begins: plain, with a hello, or where it lost an earlier connection.

use super::worker::LeaseMode;
use super::{Effect, HowLeft, Now, Reactor};
use crate::connection::Close;
use std::time::Duration;
use tequio_protocol::ids::WorkerId;
use tequio_protocol::limits::HEARTBEAT;
use tequio_protocol::message::{ErrorCode, Hello, PROTOCOL, ServerMessage, Welcome, close_code};
use tequio_scheduler::{Mode, Origin, SessionId, Skills};
use tracing::info;

impl Reactor {
    /// Lends to a worker from now on, as it has said that it wants.
    pub(super) fn begin(&mut self, id: WorkerId, now: Duration) {
        let Some(worker) = self.workers.get(&id).filter(|worker| worker.is_welcome) else { return };
        let origin = Origin::from(worker.peer.address);
        match &worker.lease_mode {
            None => {
                self.scheduler.add_worker(id, origin, Mode::Plain, Skills::plain(), 1, now);
            }
            Some(mode) if mode.knows_an_op() => {
                let (skills, slots) = (mode.skills, mode.slots);
                self.scheduler.add_worker(id, origin, Mode::Lease, skills, slots, now);
            }
            Some(_) => info!("[#{id}] knows none of the ops here"),
        }
    }

    pub(super) fn hello(&mut self, id: WorkerId, hello: Hello, now: Now) {
        let Some(worker) = self.workers.get_mut(&id) else { return };
        if hello.protocol != PROTOCOL {
            return self.refuse_protocol(id, hello.protocol, now.at);
        }
        if worker.is_in_lease_mode() {
            let message = "hello was said before on this connection".to_owned();
            return self.refuse(id, ErrorCode::BadHello, message, None, now.at);
        }
        let agent = tequio_protocol::text::agent(&hello.agent);
        info!("[#{id}] hello slots={} agent={agent}", hello.slots);
        worker.peer.agent = Some(agent);
        self.live.changed.insert(id);
        let mode = LeaseMode::new(&hello);
        let (slots, skills) = (mode.slots, mode.skills);
        worker.lease_mode = Some(mode);
        let session = self.scheduler.new_session_id();
        self.sessions.insert(session, id);
        worker.session = Some(session);
        let earlier = hello.resume.and_then(|name| SessionId::parse(&name));
        let resumed =
            earlier.is_some_and(|earlier| !skills.is_empty() && self.resume(id, earlier, now));
        self.welcome(id, session, resumed);
        if resumed {
            return;
        }
        if self.scheduler.has_worker(id) {
            self.scheduler.set_lease_mode(id, skills);
            self.scheduler.set_slots(id, slots);
        } else {
            self.begin(id, now.at);
        }
    }

    fn welcome(&mut self, id: WorkerId, session: SessionId, resumed: bool) {
        let welcome = Welcome {
            protocol: PROTOCOL,
            worker_id: id,
            heartbeat_s: HEARTBEAT.as_secs(),
            session: Some(session.to_string()),
            resumed,
        };
        self.send(id, ServerMessage::Welcome(welcome));
    }

    /// A worker goes on with a session, if that is known: it has answered the welcome task there,
    /// and need not wait until it has here.
    fn resume(&mut self, id: WorkerId, session: SessionId, now: Now) -> bool {
        self.end_half_open(session, now);
        let Some(worker) = self.workers.get(&id) else { return false };
        let Some(mode) = &worker.lease_mode else { return false };
        let (origin, skills, slots) = (worker.peer.address.into(), mode.skills, mode.slots);
        let resumed = self.scheduler.resume_worker(id, origin, skills, slots, session, now.at);
        let Some(was) = resumed else { return false };
        if let Some(worker) = self.workers.get_mut(&id) {
            worker.is_welcome = true;
        }
        info!("[#{id}] goes on with what #{was} had");
        true
    }

    /// Who resumes a session has no connection of that name any more, even where nobody has told
    /// this end of it.
    fn end_half_open(&mut self, session: SessionId, now: Now) {
        let Some(old) = self.sessions.get(&session).copied() else { return };
        let reason = "the worker has connected again".to_owned();
        let said = format!("{} {reason}", close_code::GOING_AWAY);
        self.disconnected(old, &said, HowLeft::Closed, now);
        self.effects.push(Effect::Close(old, Close { code: close_code::GOING_AWAY, reason }));
    }

    fn refuse_protocol(&mut self, id: WorkerId, protocol: u32, now: Duration) {
        let message = format!(
            "this server speaks protocol {PROTOCOL}, the worker {protocol}; reload the page, or \
             use a tequio of the server's version"
        );
        self.refuse(id, ErrorCode::UnsupportedProtocol, message.clone(), None, now);
        let code = close_code::UNSUPPORTED_PROTOCOL;
        self.effects.push(Effect::Close(id, Close { code, reason: message }));
    }
}
