//! What `/metrics` shows, in the words of Prometheus.

use crate::agent::OTHER_ENGINE;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::{Registry, Unit};
use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};
use tequio_protocol::limits::MISMATCH_ENGINES_MAX;

/// What a connection is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Service {
    /// Tasks are sent, and results come back.
    Tasks,
    /// What is sent comes back.
    Echo,
    /// What one sends, all get.
    Chat,
    /// Events for the clients of another ecosystem.
    SocketIo,
}

impl Service {
    /// All of them.
    pub const ALL: [Service; 4] = [Service::Tasks, Service::Echo, Service::Chat, Service::SocketIo];

    /// What the console and the metrics call it.
    pub fn name(self) -> &'static str {
        match self {
            Service::Tasks => "tasks",
            Service::Echo => "echo",
            Service::Chat => "chat",
            Service::SocketIo => "socket.io",
        }
    }
}

/// What is counted of a service's connections.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    /// Those that are open.
    pub connections: Gauge,
    /// Messages that peers sent.
    pub received: Counter,
    /// Messages that peers were sent.
    pub sent: Counter,
}

/// The label of each measure of a [`Tally`].
type OfService = [(&'static str, &'static str); 1];

/// The label of each count of wrong results.
type OfEngine = [(&'static str, String); 1];

/// Every measure of a server. Counters only grow; gauges are set when they are looked at.
#[derive(Debug)]
pub struct Metrics {
    /// Tasks whose outcome is on disk.
    pub recorded: Counter,
    /// Leases granted.
    pub grants: Counter,
    /// Leases not answered in time.
    pub expiries: Counter,
    /// Outcomes dropped because their task had one.
    pub duplicates: Counter,
    /// Answers with a wrong result.
    pub wrong: Counter,
    /// Workers turned away.
    pub turned_away: Counter,
    /// Leases out.
    pub leases: Gauge,
    /// Workers connected.
    pub workers: Gauge,
    /// Pages that are told what is new.
    pub pages: Gauge,
    /// Outcomes that wait for the disk.
    pub uncommitted: Gauge,
    /// Claims that wait for a verdict.
    pub claims: Gauge,
    /// Events that wait for the dispatcher.
    pub events: Gauge,
    /// How long transactions of outcomes take, in seconds.
    pub commit: Histogram,
    /// How long the dispatcher takes for what has come together, in seconds: nobody else is heard meanwhile.
    pub turn: Histogram,
    mismatches: Family<OfEngine, Counter>,
    /// The engines that have a count of their own, see [`Metrics::count_mismatch`].
    engines: Mutex<BTreeSet<String>>,
    connections: Family<OfService, Gauge>,
    received: Family<OfService, Counter>,
    sent: Family<OfService, Counter>,
    registry: Registry,
}

impl Default for Metrics {
    fn default() -> Metrics {
        let mut registry = Registry::with_prefix("tequio");
        let mut counter = |name: &str, help: &str| {
            let counter = Counter::default();
            registry.register(name, help, counter.clone());
            counter
        };
        let recorded = counter("tasks_recorded", "Tasks whose outcome is on disk");
        let grants = counter("leases_granted", "Leases granted");
        let expiries = counter("leases_expired", "Leases not answered in time");
        let duplicates =
            counter("duplicates_dropped", "Outcomes dropped because their task had one");
        let wrong = counter("wrong_results", "Answers with a wrong result");
        let turned_away = counter("workers_turned_away", "Workers turned away");
        let mut gauge = |name: &str, help: &str| {
            let gauge = Gauge::default();
            registry.register(name, help, gauge.clone());
            gauge
        };
        let leases = gauge("leases_out", "Leases out");
        let workers = gauge("workers_connected", "Workers connected");
        let pages = gauge("pages_watching", "Pages that are told what is new");
        let uncommitted = gauge("tasks_uncommitted", "Outcomes that wait for the disk");
        let claims = gauge("claims_waiting", "Claims that wait for a verdict");
        let events = gauge("dispatcher_queue", "Events that wait for the dispatcher");
        // 0.25 ms to 8 s: from a fast disk's flush to one that is in trouble.
        let commit = Histogram::new(exponential_buckets(0.000_25, 2.0, 16));
        let help = "How long transactions of outcomes take";
        registry.register_with_unit("commit", help, Unit::Seconds, commit.clone());
        // 20 us to 0.3 s.
        let turn = Histogram::new(exponential_buckets(0.000_02, 2.0, 15));
        let help = "How long the dispatcher's turns take";
        registry.register_with_unit("dispatcher_turn", help, Unit::Seconds, turn.clone());
        let mismatches = Family::default();
        let help = "Wrong results by the engine that came to them";
        registry.register("mismatches", help, mismatches.clone());
        let connections = Family::default();
        registry.register("connections", "Connections that are open", connections.clone());
        let received = Family::default();
        registry.register("messages_received", "Messages that peers sent", received.clone());
        let sent = Family::default();
        registry.register("messages_sent", "Messages that peers were sent", sent.clone());
        let metrics = Metrics {
            recorded,
            grants,
            expiries,
            duplicates,
            wrong,
            turned_away,
            leases,
            workers,
            pages,
            uncommitted,
            claims,
            events,
            commit,
            turn,
            mismatches,
            engines: Mutex::default(),
            connections,
            received,
            sent,
            registry,
        };
        // A service that nobody uses is there with its zeros.
        for service in Service::ALL {
            metrics.tally(service);
        }
        metrics
    }
}

impl Metrics {
    /// Their content type.
    pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

    /// What is counted of a service's connections.
    pub fn tally(&self, service: Service) -> Tally {
        let label = [("service", service.name())];
        Tally {
            connections: self.connections.get_or_create_owned(&label),
            received: self.received.get_or_create_owned(&label),
            sent: self.sent.get_or_create_owned(&label),
        }
    }

    /// Counts a wrong result by the engine that came to it, or as `other` where there are [`MISMATCH_ENGINES_MAX`]
    /// counts: workers say what they are. Gives what it was counted as, and how many there are of it.
    pub fn count_mismatch(&self, engine: String) -> (String, u64) {
        let mut engines = self.engines.lock().unwrap_or_else(PoisonError::into_inner);
        let has_place = engines.contains(&engine) || engines.len() < MISMATCH_ENGINES_MAX;
        let engine = if has_place { engine } else { OTHER_ENGINE.to_owned() };
        engines.insert(engine.clone());
        let counter = self.mismatches.get_or_create_owned(&[("browser", engine.clone())]);
        (engine, counter.inc() + 1)
    }

    /// The text that Prometheus reads.
    pub fn text(&self) -> String {
        let mut text = String::new();
        encode(&mut text, &self.registry).expect("writing to a string does not fail");
        text
    }
}
