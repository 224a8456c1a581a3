//! The network: connections that delay, reorder, repeat, lose, and break.

use crate::workers::Kind;
use crate::world::{Happening, Simulation};
use rand::RngExt;
use std::collections::BTreeSet;
use std::time::Duration;
use tequio::connection::Peer;
use tequio::dispatcher::HowLeft;
use tequio::handler::{Meaning, interpret};
use tequio_protocol::ids::WorkerId;
use tequio_protocol::limits::{FRAME_BYTES_MAX, PLAIN_SILENCE_MAX, SILENCE_MAX};
use tequio_protocol::message::{Hello, ServerMessage, WorkerMessage};
use tequio_worker::worker::Event;

/// Addresses that tabs share.
const PLACES: u8 = 3;

pub(crate) struct Connection {
    pub(crate) node: usize,
    life: u64,
    worker: Option<WorkerId>,
    pub(crate) is_open_at_worker: bool,
    is_open_at_server: bool,
    /// What is sent disappears, both ways, and nobody is told.
    is_hole: bool,
    last_to_worker: Duration,
    last_to_server: Duration,
}

impl Simulation {
    pub(crate) fn send(&mut self, worker: WorkerId, message: &ServerMessage) {
        match message {
            ServerMessage::Lease(lease) => self.check_lease(worker, lease),
            ServerMessage::Task(task) => self.check_task(task),
            ServerMessage::Welcome(welcome) => self.server().people.welcome(worker, welcome),
            _ => {}
        }
        let Some(&connection) = self.server().connections.get(&worker) else { return };
        let text = message.write();
        assert!(text.len() <= FRAME_BYTES_MAX, "{} bytes", text.len());
        self.send_to_worker(connection, Event::Text(text));
    }

    /// Frames of one connection keep their order, as TCP does, unless the network is said to
    /// repeat and reorder: then it stands for a peer that does.
    pub(crate) fn send_to_worker(&mut self, id: u64, event: Event) {
        let Some(connection) = self.connections.get(&id) else { return };
        if connection.is_hole {
            return;
        }
        let node = &self.nodes[connection.node];
        let delay = Duration::from_secs_f64(self.random.random_range(0.0..=node.delay_s));
        let at = (self.now + delay).max(connection.last_to_worker);
        self.connections.get_mut(&id).unwrap().last_to_worker = at;
        self.at(at, Happening::ToWorker { connection: id, event });
    }

    pub(crate) fn send_to_server(&mut self, id: u64, text: String) {
        let Some(connection) = self.connections.get(&id) else { return };
        let node = &self.nodes[connection.node];
        if connection.is_hole || !connection.is_open_at_worker {
            return;
        }
        let is_poor = node.kind != Kind::Steady && self.now < self.chaos_ends;
        let delay = Duration::from_secs_f64(self.random.random_range(0.0..=node.delay_s));
        let mut at = (self.now + delay).max(connection.last_to_server);
        if is_poor && self.chance(0.01) {
            self.at(at + delay, Happening::ToServer { connection: id, text: text.clone() });
        }
        if is_poor && self.chance(0.01) {
            // It is overtaken by what follows.
            at += delay;
        } else if let Some(connection) = self.connections.get_mut(&id) {
            connection.last_to_server = at;
        }
        self.at(at, Happening::ToServer { connection: id, text });
    }

    pub(crate) fn connect(&mut self, index: usize) {
        self.connections_made += 1;
        let id = self.connections_made;
        let node = &mut self.nodes[index];
        node.connection = Some(id);
        let connection = Connection {
            node: index,
            life: node.lives,
            worker: None,
            is_open_at_worker: true,
            is_open_at_server: false,
            is_hole: false,
            last_to_worker: Duration::ZERO,
            last_to_server: Duration::ZERO,
        };
        let delay = node.delay_s;
        self.connections.insert(id, connection);
        self.after(delay, Happening::Arrives { connection: id });
        self.forget_old_connections();
    }

    fn forget_old_connections(&mut self) {
        let in_use: BTreeSet<u64> = self.nodes.iter().filter_map(|node| node.connection).collect();
        self.connections.retain(|id, connection| {
            in_use.contains(id) || connection.is_open_at_server || connection.is_open_at_worker
        });
    }

    pub(crate) fn arrives(&mut self, id: u64) {
        let closed = Event::Closed { code: 1006, reason: String::new() };
        if self.connections.get(&id).is_none_or(|connection| !connection.is_open_at_worker) {
            return;
        }
        if self.server.is_none() {
            return self.send_to_worker(id, closed);
        }
        if self.is_chaos() && self.chance(0.05) {
            return self.send_to_worker(id, closed);
        }
        let node = self.connections[&id].node;
        let place = std::net::Ipv4Addr::new(127, 0, 0, 1 + node as u8 % PLACES);
        let address = std::net::SocketAddr::from((place, 1)).into();
        let peer = Peer { address, path: "/ws".to_owned(), agent: None };
        let now = self.wall();
        let server = self.server();
        let worker = server.reactor.connected(peer, now);
        server.connections.insert(worker, id);
        server.nodes.insert(worker, node);
        let connection = self.connections.get_mut(&id).unwrap();
        connection.worker = Some(worker);
        connection.is_open_at_server = true;
        self.send_to_worker(id, Event::Opened);
        self.carry_out();
    }

    pub(crate) fn at_server(&mut self, id: u64, text: &str) {
        let Some(connection) = self.connections.get(&id) else { return };
        let Some(worker) = connection.worker.filter(|_| connection.is_open_at_server) else {
            return;
        };
        self.server().people.listen(worker);
        if let Ok(WorkerMessage::Hello(Hello { resume: Some(session), .. })) =
            WorkerMessage::read(text)
        {
            self.server().people.asks(worker, session);
        }
        let Meaning { event, answer, .. } = interpret(text);
        if let Some(answer) = answer {
            self.send(worker, &answer);
        }
        let now = self.wall();
        self.with_reactor(|reactor| reactor.received(worker, event, now));
    }

    pub(crate) fn at_worker(&mut self, id: u64, event: Event) {
        let Some(connection) = self.connections.get(&id) else { return };
        let (node, life) = (connection.node, connection.life);
        if !connection.is_open_at_worker || self.nodes[node].lives != life {
            return;
        }
        if self.nodes[node].frozen_until > self.now {
            let at = self.nodes[node].frozen_until;
            return self.at(at, Happening::ToWorker { connection: id, event });
        }
        if matches!(event, Event::Closed { .. }) {
            self.connections.get_mut(&id).unwrap().is_open_at_worker = false;
        }
        self.tell(node, event);
    }

    pub(crate) fn gone_at_server(&mut self, id: u64) {
        let Some(connection) = self.connections.get(&id) else { return };
        if !connection.is_open_at_server {
            return;
        }
        let worker = connection.worker.expect("it was open");
        let node = connection.node;
        self.plain_left += u64::from(self.nodes[node].kind == Kind::Plain);
        self.forget_at_server(id);
        self.server().connections.remove(&worker);
        let now = self.wall();
        self.with_reactor(|reactor| {
            reactor.disconnected(worker, "it is gone", HowLeft::Broken, now);
        });
    }

    /// A connection breaks: both ends are told, or neither.
    pub(crate) fn break_line(&mut self, index: usize) {
        let node = &self.nodes[index];
        let (kind, Some(id)) = (node.kind, node.connection) else { return };
        if kind == Kind::Steady {
            return;
        }
        if self.chance(0.5) {
            let closed = Event::Closed { code: 1006, reason: String::new() };
            self.send_to_worker(id, closed);
            return self.after(0.1, Happening::GoneAtServer { connection: id });
        }
        let Some(connection) = self.connections.get_mut(&id) else { return };
        connection.is_hole = true;
        let silence = self.silence_max_of(index);
        self.after(silence, Happening::GoneAtServer { connection: id });
        // A worker in lease mode finds out by itself; for the others TCP does, late.
        let closed = Event::Closed { code: 1006, reason: String::new() };
        self.after(900.0, Happening::ToWorker { connection: id, event: closed });
    }

    /// The silence after which the server gives a node's connection up, in seconds.
    fn silence_max_of(&self, node: usize) -> f64 {
        let is_plain = self.nodes[node].kind == Kind::Plain;
        (if is_plain { PLAIN_SILENCE_MAX } else { SILENCE_MAX }).as_secs_f64()
    }

    pub(crate) fn forget_at_server(&mut self, id: u64) {
        self.connections.get_mut(&id).unwrap().is_open_at_server = false;
    }

    /// A connection ends at the worker's side; the server hears of it, or finds out.
    pub(crate) fn hang_up(&mut self, id: u64) {
        let Some(connection) = self.connections.get_mut(&id) else { return };
        connection.is_open_at_worker = false;
        let (is_hole, node) = (connection.is_hole, connection.node);
        let delay = if is_hole { self.silence_max_of(node) } else { 0.1 };
        self.after(delay, Happening::GoneAtServer { connection: id });
    }
}
