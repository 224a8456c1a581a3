//! The state of a simulation, and what comes next in it.

use crate::audits::{Auditing, Verdict};
use crate::jobs::Job;
use crate::network::Connection;
use crate::server::Server;
use crate::workers::{Kind, Node};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;
use tequio::dispatcher::Control;
use tequio::dispatcher::reactor::Now;
use tequio::store::{MemoryStore, Store};
use tequio_protocol::ids::{JobId, LeaseId};
use tequio_protocol::piece::Piece;
use tequio_scheduler::{Audit, Failures};
use tequio_worker::worker::Event;

/// No job takes longer than this while somebody computes, in virtual time.
const TIME_MAX: Duration = Duration::from_secs(48 * 3600);
/// A simulation that goes on for longer goes round in circles.
const STEPS_MAX: u64 = 1_500_000;
/// For how long things go wrong; then they go right, but for the jobs that are still to be ended.
const CHAOS: Duration = Duration::from_secs(600);
/// What happened last, for a failure's message.
const LAST_SHOWN: usize = 40;

pub(crate) struct Simulation {
    pub(crate) random: StdRng,
    pub(crate) now: Duration,
    /// What is to come, by its time and the order of its planning.
    plan: BTreeMap<(Duration, u64), Happening>,
    planned: u64,
    pub(crate) store: Arc<MemoryStore>,
    pub(crate) server: Option<Server>,
    /// How many servers there were.
    pub(crate) servers: u64,
    pub(crate) nodes: Vec<Node>,
    pub(crate) connections: BTreeMap<u64, Connection>,
    pub(crate) connections_made: u64,
    pub(crate) jobs: BTreeMap<JobId, Job>,
    pub(crate) jobs_left: u64,
    pub(crate) chaos_ends: Duration,
    /// Plain clients that left so far, each perhaps without an answer.
    pub(crate) plain_left: u64,
    /// What is made of what tabs say to have failed.
    pub(crate) failures: Failures,
    pub(crate) auditing: Auditing,
    /// How long an audit takes at most, in seconds.
    pub(crate) audit_s_max: f64,
    /// Tasks in a block, at most.
    pub(crate) block_max: u64,
    /// The verdict that the server was told last, while it acts on that.
    pub(crate) verdict: Option<Verdict>,
    /// Inputs that no tab can compute, each with its op's name.
    pub(crate) impossible: BTreeSet<(&'static str, String)>,
    /// Those of them that hang, or that the server cannot compute either.
    pub(crate) hanging: BTreeSet<(&'static str, String)>,
    pub(crate) exhausting: BTreeSet<(&'static str, String)>,
    /// Inputs that plain clients may get.
    pub(crate) single: BTreeSet<String>,
    last: VecDeque<String>,
}

#[derive(Debug)]
pub(crate) enum Happening {
    ToServer {
        connection: u64,
        text: String,
    },
    ToWorker {
        connection: u64,
        event: Event,
    },
    Arrives {
        connection: u64,
    },
    GoneAtServer {
        connection: u64,
    },
    Computed {
        node: usize,
        life: u64,
        slot: usize,
        resets: u64,
        piece: Piece,
    },
    /// A person, or the browser, wants something of a tab.
    Wanted {
        node: usize,
        life: u64,
        event: Event,
    },
    /// A liar does not wait for the verdict: it is closed, or its line breaks.
    Flees {
        node: usize,
        life: u64,
    },
    Commit {
        server: u64,
    },
    Inputs {
        server: u64,
        lease: LeaseId,
        job: JobId,
        range: Range<u64>,
    },
    Audited {
        server: u64,
        audit: Audit,
    },
    Chaos,
    Rise,
    Reopen {
        node: usize,
    },
    Submit,
    Grow {
        job: JobId,
    },
    Resume {
        job: JobId,
    },
}

impl Simulation {
    pub(crate) fn new(seed: u64) -> Simulation {
        let mut random = StdRng::seed_from_u64(seed);
        let jobs_left = random.random_range(1..=3);
        let failures = if random.random_bool(0.5) { Failures::Believed } else { Failures::Judged };
        let auditing = Auditing::draw(&mut random);
        let audit_s_max = [0.05, 2.0, 120.0][random.random_range(0..3)];
        let block_max = [1, 4, 64, 64][random.random_range(0..4)];
        let mut simulation = Simulation {
            random,
            now: Duration::ZERO,
            plan: BTreeMap::new(),
            planned: 0,
            store: Arc::new(MemoryStore::new()),
            server: None,
            servers: 0,
            nodes: Vec::new(),
            connections: BTreeMap::new(),
            connections_made: 0,
            jobs: BTreeMap::new(),
            jobs_left,
            chaos_ends: CHAOS,
            plain_left: 0,
            failures,
            auditing,
            audit_s_max,
            block_max,
            verdict: None,
            impossible: BTreeSet::new(),
            hanging: BTreeSet::new(),
            exhausting: BTreeSet::new(),
            single: BTreeSet::new(),
            last: VecDeque::new(),
        };
        simulation.rise();
        simulation.open(Kind::Steady);
        // Of some jobs nothing ends without two.
        simulation.open(Kind::Steady);
        for _ in 0..simulation.random.random_range(0..=6) {
            let kind = match simulation.random.random_range(0..16) {
                0..=4 => Kind::Honest,
                5..=6 => Kind::Flaky,
                7..=9 if auditing == Auditing::Fails => Kind::Honest,
                7 => Kind::Liar,
                8..=9 => Kind::Sly,
                10 => Kind::Inventor,
                11..=13 => Kind::Plain,
                _ => Kind::Sloth,
            };
            simulation.open(kind);
        }
        simulation.after(0.0, Happening::Submit);
        simulation.after(0.1, Happening::Chaos);
        simulation
    }

    pub(crate) fn run(&mut self) {
        for step in 0.. {
            assert!(step < STEPS_MAX, "it goes round in circles");
            assert!(self.now < TIME_MAX, "a job does not end: {:?}", self.store.load());
            if self.is_over() {
                break;
            }
            self.step();
        }
        self.check_ends();
    }

    /// What happened last.
    pub(crate) fn last(&self) -> impl Iterator<Item = &String> {
        self.last.iter()
    }

    /// Whether every job that was to be submitted has ended.
    fn is_over(&mut self) -> bool {
        let Some(server) = &self.server else { return false };
        let jobs = server.reactor.jobs(self.now);
        self.jobs_left == 0 && jobs.iter().all(|job| job.state.is_over())
    }

    /// What comes next: something planned, or a timeout of the server or of a tab.
    fn step(&mut self) {
        let planned = self.plan.first_key_value().map(|((at, _), _)| *at);
        let of_server =
            self.server.as_ref().and_then(|server| server.reactor.next_timeout(self.now));
        let of_node = |(index, node): (usize, &Node)| {
            let at = node.worker.next_timeout()?.max(node.frozen_until);
            (!node.is_gone).then_some((at, index))
        };
        let of_nodes = self.nodes.iter().enumerate().filter_map(of_node).min();
        let at = [planned, of_server, of_nodes.map(|(at, _)| at)].into_iter().flatten().min();
        let at = at.expect("something is always to come");
        self.now = self.now.max(at);
        if planned == Some(at) {
            let (_, happening) = self.plan.pop_first().expect("it was looked at");
            self.happen(happening);
        } else if of_server == Some(at) {
            let now = self.wall();
            self.with_reactor(|reactor| reactor.timeout(now));
        } else if let Some((_, node)) = of_nodes {
            self.tell(node, Event::Timeout);
        }
    }

    fn happen(&mut self, happening: Happening) {
        let line = format!("{:.3} {happening:?}", self.now.as_secs_f64());
        self.last.push_back(line.chars().take(300).collect());
        if self.last.len() > LAST_SHOWN {
            self.last.pop_front();
        }
        match happening {
            Happening::ToServer { connection, text } => self.at_server(connection, &text),
            Happening::ToWorker { connection, event } => self.at_worker(connection, event),
            Happening::Arrives { connection } => self.arrives(connection),
            Happening::GoneAtServer { connection } => self.gone_at_server(connection),
            Happening::Computed { node, life, slot, resets, piece } => {
                let is_current = self.nodes[node].resets_of(slot) == resets;
                let frozen_until = self.nodes[node].frozen_until;
                if is_current && frozen_until > self.now {
                    let computed = Happening::Computed { node, life, slot, resets, piece };
                    self.at(frozen_until, computed);
                } else if is_current {
                    self.computed(node, life, slot, piece);
                }
            }
            Happening::Wanted { node, life, event } => {
                if self.nodes[node].lives == life {
                    self.tell(node, event);
                }
            }
            Happening::Flees { node, life } => self.flees(node, life),
            Happening::Commit { server } => self.commit(server),
            Happening::Inputs { server, lease, job, range } => {
                self.inputs(server, lease, job, range);
            }
            Happening::Audited { server, audit } => self.audited(server, &audit),
            Happening::Chaos => self.chaos(),
            Happening::Rise => self.rise(),
            Happening::Reopen { node } => self.reopen(node),
            Happening::Submit => self.submit(),
            Happening::Grow { job } => self.grow(job),
            Happening::Resume { job } => self.control(job, Control::Resume),
        }
    }

    pub(crate) fn after(&mut self, seconds: f64, happening: Happening) {
        self.at(self.now + Duration::from_secs_f64(seconds), happening);
    }

    pub(crate) fn at(&mut self, at: Duration, happening: Happening) {
        self.planned += 1;
        self.plan.insert((at, self.planned), happening);
    }

    pub(crate) fn chance(&mut self, probability: f64) -> bool {
        self.random.random_bool(probability)
    }

    pub(crate) fn is_chaos(&self) -> bool {
        self.now < self.chaos_ends
    }

    /// The clock on the wall jumps about: nothing may depend on it.
    pub(crate) fn wall(&mut self) -> Now {
        Now { at: self.now, unix_ms: self.random.random_range(0..4_000_000_000_000) }
    }
}
