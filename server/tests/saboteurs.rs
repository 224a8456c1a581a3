//! Twenty workers on virtual time, six of which are saboteurs: what they get recorded, and what they
//! cost. The real reactor of the dispatcher judges them; each comes back under a new name as soon as
//! it was turned away.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers as well")]

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tequio::connection::Peer;
use tequio::dispatcher::HowLeft;
use tequio::dispatcher::reactor::{Effect, FromWorker, Now, Reactor, Recorded};
use tequio::metrics::Metrics;
use tequio::store::{NewJob, StoredJob};
use tequio_protocol::api::JobState;
use tequio_protocol::check::Check;
use tequio_protocol::grid::{Axis, Grid};
use tequio_protocol::ids::{JobId, WorkerId};
use tequio_protocol::message::{
    DurationMs, Hello, Lease, LeaseResults, PROTOCOL, ServerMessage, TaskFailed, WorkerMessage,
};
use tequio_protocol::number::Number;
use tequio_protocol::op::{self, Computed, Inputs};
use tequio_protocol::outcome::{Outcome, OutcomeRef, Outcomes};

const WORKERS: usize = 20;
const SABOTEURS: usize = 6;
const TASKS: u64 = 200_000;
/// What a task takes everybody.
const TASK: Duration = Duration::from_millis(1);
/// Tasks of which a worker sends the results together.
const PIECE: u64 = 250;
const AWAY: Duration = Duration::from_millis(1);
/// As many results as a server audits of a newcomer, at the least.
const AUDITED_FIRST: u64 = 1024;
const JOB: JobId = JobId(1);

#[derive(Clone, Copy, Debug)]
enum Sabotage {
    /// A share of all results is wrong.
    Lies { share: f64 },
    /// The same, and every message begins with what was sent of the lease before.
    HidesLies { share: f64 },
    /// The same, once so many right results were sent on a connection.
    IsPatient { results: u64, share: f64 },
    /// A share of all tasks is said to fail.
    Fails { share: f64 },
}

use Sabotage::{Fails, HidesLies, IsPatient, Lies};

const ALL: [Sabotage; 14] = [
    Lies { share: 0.01 },
    Lies { share: 0.05 },
    Lies { share: 0.2 },
    Lies { share: 1.0 },
    HidesLies { share: 0.01 },
    HidesLies { share: 0.05 },
    HidesLies { share: 0.2 },
    IsPatient { results: AUDITED_FIRST, share: 0.05 },
    IsPatient { results: AUDITED_FIRST, share: 1.0 },
    IsPatient { results: 3 * AUDITED_FIRST, share: 1.0 },
    IsPatient { results: 10 * AUDITED_FIRST, share: 0.05 },
    Fails { share: 0.05 },
    Fails { share: 0.5 },
    Fails { share: 1.0 },
];

struct Node {
    sabotage: Option<Sabotage>,
    id: Option<WorkerId>,
    /// What it holds, with what it has answered of each; it computes the one in front.
    held: VecDeque<(Lease, u64)>,
    is_computing: bool,
    /// Counts its connections.
    life: u64,
    /// Right results on this one.
    sent: u64,
}

#[derive(Debug)]
enum Happening {
    Connects,
    /// Its piece is computed.
    Computed,
}

struct Room {
    reactor: Reactor,
    now: Duration,
    nodes: Vec<Node>,
    plan: BTreeMap<(Duration, u64), (usize, u64, Happening)>,
    planned: u64,
    random: StdRng,
    /// What every task comes to.
    right: Outcomes,
    recorded: u64,
    wrong: u64,
    errors: u64,
    /// Tasks that somebody computed.
    computed: u64,
    turned_away: u64,
    honest_turned_away: u64,
}

impl Room {
    fn new(sabotage: Option<Sabotage>, seed: u64) -> Room {
        let op = op::named("repeat_multiply").unwrap();
        let axes = [
            ("initial", Axis::value_of(1.5)),
            ("factor", Axis::value_of(1.000_000_1)),
            ("times", Axis::range(0.0, 1.0, TASKS)),
        ];
        let axes = axes.map(|(name, axis)| (name.to_owned(), axis.unwrap()));
        let grid = Grid::new(axes.into()).unwrap();
        let mut right = Computed::with_capacity(TASKS as usize);
        op.compute(0..TASKS, Inputs::Grid(&grid), &mut right);
        let job = NewJob {
            name: String::new(),
            op: op.into(),
            priority: 0,
            grid: Some(grid),
            block: 1,
            check: Check::Auto,
            submitted_at_ms: 0,
        };
        let jobs = vec![StoredJob::new(JOB, job, TASKS, false)];
        let now = Now { at: Duration::ZERO, unix_ms: 0 };
        let reactor = Reactor::new(None, 0, jobs, seed, Arc::new(Metrics::default()), now);
        let nodes = (0..WORKERS).map(|at| Node {
            sabotage: sabotage.filter(|_| at < SABOTEURS),
            id: None,
            held: VecDeque::new(),
            is_computing: false,
            life: 0,
            sent: 0,
        });
        Room {
            reactor,
            now: Duration::ZERO,
            nodes: nodes.collect(),
            plan: BTreeMap::new(),
            planned: 0,
            random: StdRng::seed_from_u64(seed),
            right: right.into_outcomes().unwrap(),
            recorded: 0,
            wrong: 0,
            errors: 0,
            computed: 0,
            turned_away: 0,
            honest_turned_away: 0,
        }
    }

    fn run(&mut self) {
        for node in 0..WORKERS {
            self.after(Duration::ZERO, node, Happening::Connects);
        }
        while self.reactor.job(JOB, self.now).unwrap().state != JobState::Done {
            let timeout = self.reactor.next_timeout(self.now);
            let planned = self.plan.first_key_value().map(|((at, _), _)| *at);
            self.now = self.now.max(planned.into_iter().chain(timeout).min().unwrap());
            if planned.is_some_and(|at| at <= self.now) {
                let (_, (node, life, happening)) = self.plan.pop_first().unwrap();
                if self.nodes[node].life == life {
                    self.happen(node, &happening);
                }
            } else {
                self.reactor.timeout(self.wall());
            }
            self.carry_out();
            if self.planned.is_multiple_of(64) {
                self.reactor.scheduler().assert_consistent();
            }
        }
    }

    fn wall(&self) -> Now {
        Now { at: self.now, unix_ms: 0 }
    }

    fn after(&mut self, pause: Duration, node: usize, happening: Happening) {
        self.planned += 1;
        let life = self.nodes[node].life;
        self.plan.insert((self.now + pause, self.planned), (node, life, happening));
    }

    fn happen(&mut self, node: usize, happening: &Happening) {
        match happening {
            Happening::Connects => {
                let address = format!("10.0.0.{node}:1").parse::<std::net::SocketAddr>().unwrap();
                let peer = Peer { address: address.into(), path: "/ws".to_owned(), agent: None };
                let id = self.reactor.connected(peer, self.wall());
                self.nodes[node].id = Some(id);
                let hello = Hello {
                    protocol: PROTOCOL,
                    agent: "Room/1.0".to_owned(),
                    slots: 1,
                    worker: "w".to_owned(),
                    ops: vec!["repeat_multiply".to_owned()],
                    resume: None,
                };
                let hello = FromWorker::Message(WorkerMessage::Hello(hello));
                self.reactor.received(id, hello, self.wall());
            }
            Happening::Computed => self.computed(node),
        }
    }

    /// A worker begins with the next piece of what it holds.
    fn compute(&mut self, node: usize) {
        let worker = &mut self.nodes[node];
        if worker.is_computing {
            return;
        }
        let Some((lease, answered)) = worker.held.front() else { return };
        worker.is_computing = true;
        let tasks = PIECE.min(lease.count - answered);
        self.after(TASK * tasks as u32, node, Happening::Computed);
    }

    fn computed(&mut self, node: usize) {
        self.nodes[node].is_computing = false;
        // Its lease may have been revoked meanwhile.
        if let Some((lease, answered)) = self.nodes[node].held.pop_front() {
            let tasks = PIECE.min(lease.count - answered);
            self.computed += tasks;
            self.answer(node, &lease, answered, tasks);
            if answered + tasks < lease.count {
                self.nodes[node].held.push_front((lease, answered + tasks));
            }
        }
        self.compute(node);
    }

    fn answer(&mut self, node: usize, lease: &Lease, answered: u64, tasks: u64) {
        let worker = &self.nodes[node];
        let (id, sabotage, sent) = (worker.id.unwrap(), worker.sabotage, worker.sent);
        let first = lease.first + answered;
        if let Some(Fails { share }) = sabotage {
            for index in first..first + tasks {
                if self.random.random_bool(share) {
                    let failed =
                        TaskFailed { lease: lease.lease, index, error: "it burnt".to_owned() };
                    let failed = FromWorker::Message(WorkerMessage::Failed(failed));
                    self.reactor.received(id, failed, self.wall());
                } else {
                    self.send(id, lease, index..index + 1, 0.0);
                }
            }
            return;
        }
        let (from, share) = match sabotage {
            Some(Lies { share }) => (first, share),
            Some(HidesLies { share }) => (lease.first, share),
            Some(IsPatient { results, share }) if sent >= results => (first, share),
            _ => (first, 0.0),
        };
        self.nodes[node].sent += tasks;
        self.send_from(id, lease, from, first..first + tasks, share);
    }

    fn send(&mut self, id: WorkerId, lease: &Lease, range: std::ops::Range<u64>, share: f64) {
        self.send_from(id, lease, range.start, range, share);
    }

    /// Sends right results from `from` on, of which those of `range` are wrong with a probability.
    fn send_from(
        &mut self,
        id: WorkerId,
        lease: &Lease,
        from: u64,
        range: std::ops::Range<u64>,
        share: f64,
    ) {
        let mut outcomes = self.right.slice(from as usize..range.start as usize);
        for index in range.clone() {
            let right = self.right.get(index as usize);
            match self.random.random_bool(share) {
                true => outcomes.push(Outcome::Result(&lie(right))),
                false => outcomes.push(right),
            }
        }
        let duration_ms = TASK.as_secs_f64() * 1e3 * (range.end - from) as f64;
        let results = LeaseResults {
            lease: lease.lease,
            first: from,
            outcomes,
            duration_ms: Some(DurationMs::new(duration_ms)),
            agent: None,
        };
        let results = FromWorker::Message(WorkerMessage::Results(results));
        self.reactor.received(id, results, self.wall());
    }

    fn carry_out(&mut self) {
        loop {
            let effects = self.reactor.effects(self.wall());
            if effects.is_empty() {
                return;
            }
            for effect in effects {
                self.do_it(effect);
            }
        }
    }

    fn do_it(&mut self, effect: Effect) {
        match effect {
            Effect::Send(id, ServerMessage::Lease(lease)) => {
                if let Some(node) = self.node_of(id) {
                    self.nodes[node].held.push_back((lease, 0));
                    self.compute(node);
                }
            }
            Effect::Send(id, ServerMessage::Revoke { lease }) => {
                if let Some(node) = self.node_of(id) {
                    self.nodes[node].held.retain(|(held, _)| held.lease != lease);
                }
            }
            Effect::Close(id, _) => {
                let Some(node) = self.node_of(id) else { return };
                self.turned_away += 1;
                self.honest_turned_away += u64::from(self.nodes[node].sabotage.is_none());
                self.reactor.disconnected(id, "turned away", HowLeft::Broken, self.wall());
                let life = self.nodes[node].life + 1;
                let sabotage = self.nodes[node].sabotage;
                let held = VecDeque::new();
                self.nodes[node] =
                    Node { sabotage, id: None, held, is_computing: false, life, sent: 0 };
                self.after(AWAY, node, Happening::Connects);
            }
            Effect::Record(recording) => {
                for (index, outcome) in (recording.first..).zip(recording.outcomes.iter()) {
                    self.recorded += 1;
                    match outcome {
                        Outcome::Result(_) => {
                            let right = self.right.get(index as usize);
                            self.wrong += u64::from(outcome != right);
                        }
                        Outcome::Error(_) => self.errors += 1,
                    }
                }
                for recorded in Recorded::all([recording]) {
                    self.reactor.recorded(recorded, self.wall());
                }
            }
            _ => {}
        }
    }

    fn node_of(&self, id: WorkerId) -> Option<usize> {
        self.nodes.iter().position(|node| node.id == Some(id))
    }
}

/// A result that is off in its last bit.
fn lie(right: OutcomeRef<'_>) -> String {
    let Outcome::Result(right) = right else { panic!("{right:?}") };
    let right = Number::read(right).unwrap();
    serde_json::to_string(&Number(right.0.next_up())).unwrap()
}

#[test]
fn a_third_of_saboteurs_spoils_less_than_a_thousandth_and_costs_less_than_a_third() {
    let mut honest = Room::new(None, 1);
    honest.run();
    assert_eq!((honest.wrong, honest.errors, honest.turned_away), (0, 0, 0));
    let (honest_s, next) = (honest.now.as_secs_f64(), AtomicUsize::new(0));
    let threads = std::thread::available_parallelism().map_or(1, |cores| cores.get());
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while let Some(sabotage) = ALL.get(next.fetch_add(1, Ordering::Relaxed)) {
                    check(*sabotage, honest_s);
                }
            });
        }
    });
}

fn check(sabotage: Sabotage, honest_s: f64) {
    let mut room = Room::new(Some(sabotage), 1);
    room.run();
    let Room { wrong, errors, turned_away, .. } = room;
    let work = room.computed as f64 / TASKS as f64;
    let time = room.now.as_secs_f64() / honest_s;
    eprintln!(
        "{sabotage:?}: {wrong} of {TASKS} wrong, {errors} errors, {work:.3} times the work in \
         {time:.3} of the time, {turned_away} turned away"
    );
    assert_eq!((room.recorded, errors), (TASKS, 0), "{sabotage:?}");
    assert_eq!(room.honest_turned_away, 0, "{sabotage:?}");
    assert!(wrong * 1000 < TASKS, "{sabotage:?}: {wrong} are wrong");
    assert!(work < 1.3, "{sabotage:?}: {work} times the work");
}
