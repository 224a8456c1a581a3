//! Who is connected over Socket.IO, what they say, and what the console says of it.

use crate::connection::{PeerAddress, list_connected};
use crate::metrics::{Service, Tally};
use crate::services::lines::Lines;
use serde_json::json;
use socketioxide::adapter::LocalAdapter;
use socketioxide::extract::{AckSender, SocketRef};
use socketioxide::handler::{FromMessageParts, MessageHandler, Value};
use socketioxide::socket::{DisconnectReason, Sid, Socket};
use socketioxide_parser_common::OTHER_NAME;
use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use tequio_protocol::limits::SOCKETIO_WAITING_MAX;
use tequio_protocol::text::quote;
use tracing::{info, warn};

/// Who is connected.
#[derive(Debug)]
pub(super) struct Clients {
    present: Mutex<Present>,
    tally: Tally,
}

#[derive(Debug, Default)]
struct Present {
    /// The newest client's number: they are listed in the order of arrival.
    last: u64,
    all: BTreeMap<u64, (Sid, PeerAddress)>,
    excesses: BTreeMap<Sid, Excess>,
}

/// What a client sent that was too much, before the library ends its connection for that and calls it
/// something else. It travels with the request that begins a session.
#[derive(Clone, Debug, Default)]
pub(super) struct Excess(Arc<OnceLock<String>>);

impl Excess {
    /// It was `what`, of more than `bytes_max`.
    pub(super) fn note(&self, what: &str, bytes_max: usize) {
        // The first is what ends it.
        self.0.set(format!("it sent a {what} of more than {bytes_max} bytes")).ok();
    }
}

impl Clients {
    pub(super) fn new(tally: Tally) -> Clients {
        Clients { present: Mutex::default(), tally }
    }

    /// Says of whoever is left that it is not any more: the server stops.
    pub(super) fn dismiss(&self) {
        let all: Vec<(u64, Sid)> =
            self.present().all.iter().map(|(number, (sid, _))| (*number, *sid)).collect();
        for (number, sid) in all {
            self.leave(number, sid, describe(DisconnectReason::ClosingServer));
        }
    }

    /// Where it is noted that a client sent too much at once.
    pub(super) fn excess_of(&self, sid: Sid) -> Excess {
        self.present().excesses.get(&sid).cloned().unwrap_or_default()
    }

    fn enter(&self, sid: Sid, address: PeerAddress, transport: &str, excess: Excess) -> u64 {
        let mut present = self.present();
        present.last += 1;
        let number = present.last;
        present.all.insert(number, (sid, address));
        present.excesses.insert(sid, excess);
        info!("socket.io {sid} connected from {address} transport={transport}");
        self.tell(&present);
        number
    }

    fn leave(&self, number: u64, sid: Sid, reason: &str) {
        let mut present = self.present();
        let excess = present.excesses.remove(&sid).unwrap_or_default();
        let reason = excess.0.get().map_or(reason, String::as_str);
        if present.all.remove(&number).is_some() {
            info!("socket.io {sid} disconnected ({reason})");
            self.tell(&present);
        }
    }

    /// Says who is there.
    fn tell(&self, present: &Present) {
        self.tally.connections.set(present.all.len() as i64);
        let list = list_connected(present.all.values().copied());
        info!("Connected to {} {list}", Service::SocketIo.name());
    }

    fn present(&self) -> MutexGuard<'_, Present> {
        // Whoever panicked while it wrote a line left the list as it is.
        self.present.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Why a client is gone, as the console says it.
pub(super) fn describe(reason: DisconnectReason) -> &'static str {
    match reason {
        DisconnectReason::TransportClose => "closed by the client",
        DisconnectReason::ClientNSDisconnect => "the client said goodbye",
        DisconnectReason::TransportError => "connection lost",
        DisconnectReason::HeartbeatTimeout => "no answer to a ping",
        DisconnectReason::PacketParsingError => "it sent what is no Socket.IO, or too much of it",
        DisconnectReason::MultipleHttpPollingError => "it polled twice at once",
        DisconnectReason::ServerNSDisconnect | DisconnectReason::ClosingServer => {
            "the server stops"
        }
    }
}

/// The place of one client among all. What it says comes here in its order.
#[derive(Debug)]
pub(super) struct Seat {
    clients: Arc<Clients>,
    number: u64,
    sid: Sid,
    said: Mutex<Said>,
}

#[derive(Debug)]
struct Said {
    lines: Lines,
    /// Whether the console knows that an answer found no place.
    is_deaf: bool,
}

impl Seat {
    /// Enters a client, and says so.
    pub(super) fn enter(clients: &Arc<Clients>, socket: &SocketRef) -> Seat {
        let extensions = &socket.req_parts().extensions;
        // Every request has it.
        let unknown = PeerAddress { ip: Ipv4Addr::UNSPECIFIED.into(), port: None };
        let address = extensions.get().copied().unwrap_or(unknown);
        let transport = format!("{:?}", socket.transport_type()).to_lowercase();
        let excess = extensions.get::<Excess>().cloned().unwrap_or_default();
        let number = clients.enter(socket.id, address, &transport, excess);
        let lines = Lines::new(format!("socket.io {}", socket.id));
        let said = Mutex::new(Said { lines, is_deaf: false });
        Seat { clients: clients.clone(), number, sid: socket.id, said }
    }

    /// Takes the client off the list, and says why it is gone. Twice does no harm.
    pub(super) fn leave(&self, reason: &str) {
        self.said().lines.end();
        self.clients.leave(self.number, self.sid, reason);
    }

    /// Says once that an answer found no place.
    fn tell_deaf(&self) {
        if !std::mem::replace(&mut self.said().is_deaf, true) {
            warn!(
                "[socket.io {}] reads nothing: {SOCKETIO_WAITING_MAX} packets wait for it, and no \
                 more is acknowledged",
                self.sid
            );
        }
    }

    fn said(&self) -> MutexGuard<'_, Said> {
        self.said.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        // A client that was gone before it was told that it is connected is not said to disconnect.
        self.leave("it left before it was served");
    }
}

/// What is done beside logging and acknowledging.
type Act = dyn Fn(&SocketRef) + Send + Sync;

/// What an event of a client does: it is logged, done and acknowledged.
#[derive(Clone)]
pub(super) struct OnEvent {
    seat: Arc<Seat>,
    act: Arc<Act>,
    /// Why it is not done.
    refusal: Option<&'static str>,
}

impl OnEvent {
    pub(super) fn new(
        seat: Arc<Seat>,
        act: impl Fn(&SocketRef) + Send + Sync + 'static,
    ) -> OnEvent {
        OnEvent { seat, act: Arc::new(act), refusal: None }
    }

    /// It is logged, and answered with the reason why it is not done.
    pub(super) fn refused(seat: Arc<Seat>, reason: &'static str) -> OnEvent {
        OnEvent { seat, act: Arc::new(|_| {}), refusal: Some(reason) }
    }
}

/// What tells [`OnEvent`] from the functions that handle events.
pub(super) struct InTurn;

/// A function would be called in a task of its own for each event, in any order; this is called by
/// the task that reads, which so does not read on meanwhile.
impl MessageHandler<LocalAdapter, InTurn> for OnEvent {
    fn call(&self, socket: Arc<Socket>, mut event: Value, ack_id: Option<i64>) {
        self.seat.clients.tally.received.inc();
        self.seat.said().lines.tell(|| said(&event));
        let Ok(ack) = AckSender::from_message_parts(&socket, &mut event, &ack_id);
        (self.act)(&SocketRef::from(socket));
        if let Some(reason) = self.refusal {
            self.seat.said().lines.tell(|| format!("refused: {reason}"));
        }
        let answer = match self.refusal {
            Some(reason) => json!({"status": "error", "error": reason}),
            None => json!({"status": "ok"}),
        };
        match ack.send(&answer) {
            Ok(()) if ack_id.is_none() => {}
            Ok(()) => drop(self.seat.clients.tally.sent.inc()),
            Err(_) => self.seat.tell_deaf(),
        }
    }
}

/// An event as the console shows it: its name, and its arguments as JSON.
fn said(event: &Value) -> String {
    let Value::Str(text, attachments) = event else { return "bytes".to_owned() };
    let mut said = match serde_json::from_str::<Vec<serde_json::Value>>(text.as_str()) {
        Ok(parts) => written(&parts),
        // It is nested deeper than what this parser takes, if anything.
        Err(_) => quote(&text.as_str().replacen(&format!("\"{OTHER_NAME}\","), "", 1)),
    };
    if let Some(attachments) = attachments {
        let bytes: usize = attachments.iter().map(|attachment| attachment.len()).sum();
        let s = if attachments.len() == 1 { "" } else { "s" };
        said += &format!(" with {} attachment{s} of {bytes} bytes", attachments.len());
    }
    said
}

fn written(parts: &[serde_json::Value]) -> String {
    let is_other = parts.len() > 1 && parts[0] == OTHER_NAME;
    let parts = if is_other { &parts[1..] } else { parts };
    let (name, arguments) = parts.split_first().unwrap_or((&serde_json::Value::Null, &[]));
    let name = match name {
        serde_json::Value::String(name) if name.is_empty() => "\"\"".to_owned(),
        serde_json::Value::String(name) => quote(name),
        serde_json::Value::Number(name) => name.to_string(),
        _ => "?".to_owned(),
    };
    let arguments: Vec<String> = arguments.iter().map(serde_json::Value::to_string).collect();
    if arguments.is_empty() { name } else { format!("{name} {}", quote(&arguments.join(", "))) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(json: &str) -> Value {
        Value::Str(json.to_owned().into(), None)
    }

    #[test]
    fn any_event_is_one_line() {
        for (json, line) in [
            (r#"["message","hola"]"#, r#"message "hola""#),
            (r#"["message","ma\u00f1ana\u001b[31m\n"]"#, r#"message "mañana\u001b[31m\n""#),
            (r#"["message"]"#, "message"),
            (r#"["message",1,[2,null],{"a":true}]"#, r#"message 1, [2,null], {"a":true}"#),
            ("[]", "?"),
            (r#"["",1]"#, r#""" 1"#),
            ("[\"\u{fdd0}\"]", "\u{fdd0}"),
            ("[\"\u{fdd0}\",\"a\\\"b\\\\c\\n\",1]", "a\"b\\c\u{fffd} 1"),
            ("[\"\u{fdd0}\",7]", "7"),
            ("[\"\u{fdd0}\",7,\"\\ud83d\"]", "[7,\"\\ud83d\"]"),
            ("rubbish\n", "rubbish\u{fffd}"),
        ] {
            assert_eq!(said(&text(json)), line);
        }
        let deep = format!(r#"["message",{}1{}]"#, "[".repeat(5000), "]".repeat(5000));
        assert_eq!(said(&text(&deep)).chars().count(), 121);
        let Value::Str(placeholder, _) = text(r#"["message",{"_placeholder":true,"num":0}]"#)
        else {
            unreachable!()
        };
        let bytes = [vec![1, 2, 3].into(), vec![4].into()];
        let line = said(&Value::Str(placeholder, Some(bytes.into())));
        assert!(line.ends_with(" with 2 attachments of 4 bytes"), "{line}");
    }
}
