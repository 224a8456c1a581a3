//! The server: its reactor, whose effects are carried out here, its disk, and its crashes.

use crate::people::People;
use crate::world::{Happening, Simulation};
use rand::RngExt;
use std::collections::{BTreeSet, HashMap, HashSet};
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;
use tequio::dispatcher::WelcomeTask;
use tequio::dispatcher::reactor::{Effect, Reactor, Recorded};
use tequio::metrics::Metrics;
use tequio::store::{Fresh, Recording, Store};
use tequio_protocol::ids::{JobId, LeaseId, WorkerId};
use tequio_protocol::limits::STORE_RETRY;
use tequio_protocol::op;
use tequio_scheduler::{ClaimId, Trust};
use tequio_worker::worker::Event;

/// What everyone is asked at first.
pub(crate) const WELCOME: &str = r#"{"initial":1.0000054,"factor":1.00000043,"times":1000000}"#;

pub(crate) struct Server {
    pub(crate) reactor: Reactor,
    pub(crate) number: u64,
    /// Taken, and not in the store.
    pending: Vec<Recording>,
    is_committing: bool,
    pub(crate) disk_fails_until: Duration,
    pub(crate) connections: HashMap<WorkerId, u64>,
    /// Whose worker is who, also of those that have left.
    pub(crate) nodes: HashMap<WorkerId, usize>,
    /// Leases sent, as long as they are out.
    pub(crate) leases: BTreeSet<LeaseId>,
    /// Whose sessions and claims are whose.
    pub(crate) people: People,
    /// Claims that were judged once.
    pub(crate) audited: HashSet<ClaimId>,
}

impl Simulation {
    pub(crate) fn rise(&mut self) {
        self.servers += 1;
        let loaded = self.store.load().unwrap();
        for stored in &loaded.jobs {
            let job = &self.jobs[&stored.id];
            assert_eq!(stored.done + stored.failed, job.durable.len(), "all that was durable is");
        }
        let op = op::named("repeat_multiply").unwrap();
        let welcome = Some(WelcomeTask { op, input: WELCOME.to_owned() });
        let trust = Trust { seed: self.random.random(), failures: self.failures, ..Trust::from(0) };
        let metrics = Arc::new(Metrics::default());
        let now = self.wall();
        let reactor = Reactor::new(welcome, loaded.epoch, loaded.jobs, trust, metrics, now);
        self.server = Some(Server {
            reactor,
            number: self.servers,
            pending: Vec::new(),
            is_committing: false,
            disk_fails_until: Duration::ZERO,
            connections: HashMap::new(),
            nodes: HashMap::new(),
            leases: BTreeSet::new(),
            people: People::default(),
            audited: HashSet::new(),
        });
        self.carry_out();
    }

    /// `kill -9`: what is not in the store is gone, and connections break.
    pub(crate) fn crash(&mut self) {
        let Some(server) = &mut self.server else { return };
        let (now, pending) = (self.now, std::mem::take(&mut server.pending));
        if server.disk_fails_until <= now && self.chance(0.3) {
            // The last transaction was on disk, and nobody heard of it.
            self.record(&pending);
        }
        self.server = None;
        let open: Vec<u64> = self.connections.keys().copied().collect();
        for connection in open {
            let event = Event::Closed { code: 1006, reason: String::new() };
            self.send_to_worker(connection, event);
            self.forget_at_server(connection);
        }
        let pause = self.random.random_range(0.1..30.0);
        self.after(pause, Happening::Rise);
    }

    pub(crate) fn with_reactor(&mut self, act: impl FnOnce(&mut Reactor)) {
        if let Some(server) = &mut self.server {
            act(&mut server.reactor);
            self.carry_out();
        }
    }

    pub(crate) fn carry_out(&mut self) {
        let now = self.wall();
        let Some(server) = &mut self.server else { return };
        let number = server.number;
        for effect in server.reactor.effects(now) {
            match effect {
                Effect::Send(worker, message) => self.send(worker, &message),
                Effect::Close(worker, close) => {
                    self.check_close(worker, &close);
                    let Some(&connection) = self.server().connections.get(&worker) else {
                        continue;
                    };
                    let event = Event::Closed { code: close.code, reason: close.reason };
                    self.send_to_worker(connection, event);
                    self.after(0.05, Happening::GoneAtServer { connection });
                }
                Effect::ReadInputs { lease, job, range } => {
                    let delay = self.random.random_range(0.0..0.05);
                    self.after(delay, Happening::Inputs { server: number, lease, job, range });
                }
                Effect::Audit(audit) => self.audit(number, audit),
                // What was asked for is computed all the same: it may have begun.
                Effect::ForgetAudits(_) => {}
                Effect::Record(recording) => self.write(number, recording),
                Effect::SetState(job, state) => self.store.set_state(job, state).unwrap(),
                Effect::NoteAppended(job, at_ms) => self.store.note_appended(job, at_ms).unwrap(),
                Effect::CloseJob(job) => panic!("job {job} has not waited for a day"),
                Effect::Progress(job, progress) => self.check_progress(job, progress),
            }
        }
        self.check();
    }

    pub(crate) fn server(&mut self) -> &mut Server {
        self.server.as_mut().expect("the server is up")
    }

    /// Has outcomes written with the next commit.
    fn write(&mut self, number: u64, recording: Recording) {
        self.check_recording(&recording);
        let delay = self.random.random_range(0.0..0.1);
        let server = self.server();
        server.pending.push(recording);
        if !std::mem::replace(&mut server.is_committing, true) {
            self.after(delay, Happening::Commit { server: number });
        }
    }

    pub(crate) fn commit(&mut self, number: u64) {
        let Some(server) = self.server.as_mut().filter(|server| server.number == number) else {
            return;
        };
        if self.now < server.disk_fails_until {
            server.reactor.set_store_error(Some("the disk is full".to_owned()));
            let at = self.now + STORE_RETRY;
            self.at(at, Happening::Commit { server: number });
            return self.carry_out();
        }
        server.is_committing = false;
        let recordings = std::mem::take(&mut server.pending);
        if server.reactor.store_error().is_some() {
            server.reactor.set_store_error(None);
        }
        self.record(&recordings);
        let now = self.wall();
        for recorded in Recorded::all(recordings) {
            self.with_reactor(|reactor| reactor.recorded(recorded, now));
        }
        self.carry_out();
    }

    /// Writes to the store, which says whether a task had an outcome already.
    fn record(&mut self, recordings: &[Recording]) {
        let fresh = self.store.record(recordings).unwrap();
        assert!(fresh.iter().all(|fresh| *fresh == Fresh::All), "no task is recorded twice");
        for recording in recordings {
            self.count(recording);
        }
    }

    pub(crate) fn inputs(&mut self, server: u64, lease: LeaseId, job: JobId, range: Range<u64>) {
        if self.server.as_ref().is_none_or(|now| now.number != server) {
            return;
        }
        let inputs = match self.is_chaos() && self.chance(0.02) {
            true => Err("the disk has a bad day".to_owned()),
            false => Ok(self.store.inputs(job, range).unwrap()),
        };
        let now = self.wall();
        self.with_reactor(|reactor| reactor.inputs_read(lease, inputs, now));
    }
}
