//! The whole system on virtual time: the real reactor of the dispatcher with its scheduler, the memory
//! store, and real worker state machines over a network that delays, reorders, repeats and loses;
//! tabs that freeze, vanish and lie, a disk that fails, and a server that crashes, at any step.
//!
//! Everything follows from a seed, and a failure prints it. `TEQUIO_SEEDS=7` runs that one,
//! `TEQUIO_SEEDS=1000..2000` a range; `cargo xtask soak --seeds N` runs as many as asked.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers as well")]

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tequio::connection::Peer;
use tequio::dispatcher::reactor::{Effect, Now, Reactor, Recorded};
use tequio::dispatcher::{Control, HowLeft, Progress};
use tequio::handler::{Meaning, interpret};
use tequio::metrics::Metrics;
use tequio::scheduler::{Failures, Intervals, Trust};
use tequio::store::{Fresh, MemoryStore, NewJob, Recording, Store, StoredJob};
use tequio_protocol::api::JobState;
use tequio_protocol::grid::{Axis, Grid};
use tequio_protocol::ids::{JobId, LeaseId, WorkerId};
use tequio_protocol::limits::{
    FRAME_BYTES_MAX, LEASE_COPIES_MAX, PLAIN_SILENCE_MAX, SILENCE_MAX, STORE_RETRY,
    TASK_ATTEMPTS_MAX,
};
use tequio_protocol::message::{ServerMessage, WorkerMessage};
use tequio_protocol::number::Number;
use tequio_protocol::op::{Op, RepeatMultiply};
use tequio_protocol::outcome::Outcome;
use tequio_protocol::page::{Allowance, ToPage};
use tequio_protocol::piece::{Piece, PieceResults};
use tequio_worker::worker::{Action, Event, Start, Worker};

/// Seeds of one run of the tests.
const SEEDS: Range<u64> = 0..300;

/// No job takes longer than this while somebody computes, in virtual time.
const TIME_MAX: Duration = Duration::from_secs(48 * 3600);
/// A simulation that goes on for longer goes round in circles.
const STEPS_MAX: u64 = 1_500_000;
/// For how long things go wrong; then they go right, but for the jobs that are still to be ended.
const CHAOS: Duration = Duration::from_secs(600);
/// What happened last, for a failure's message.
const LAST_SHOWN: usize = 40;

#[test]
fn whatever_goes_wrong_every_task_is_recorded_once_and_right() {
    let seeds = std::env::var("TEQUIO_SEEDS").map_or(SEEDS, |text| parse_seeds(&text));
    let next = AtomicU64::new(seeds.start);
    let threads = std::thread::available_parallelism().map_or(1, |cores| cores.get());
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= seeds.end {
                        return;
                    }
                    run(seed);
                }
            });
        }
    });
}

fn parse_seeds(text: &str) -> Range<u64> {
    let number = |text: &str| text.parse::<u64>().expect("TEQUIO_SEEDS is N or FIRST..END");
    match text.split_once("..") {
        Some((first, end)) => number(first)..number(end),
        None => number(text)..number(text) + 1,
    }
}

fn run(seed: u64) {
    let mut simulation = Simulation::new(seed);
    let ended = catch_unwind(AssertUnwindSafe(|| simulation.run()));
    if let Err(panic) = ended {
        eprintln!("the last of what happened with TEQUIO_SEEDS={seed}:");
        for line in &simulation.last {
            eprintln!("  {line}");
        }
        eprintln!("TEQUIO_SEEDS={seed} cargo test --test simulation repeats it");
        resume_unwind(panic);
    }
}

struct Simulation {
    random: StdRng,
    now: Duration,
    /// What is to come, by its time and the order of its planning.
    plan: BTreeMap<(Duration, u64), Happening>,
    planned: u64,
    store: Arc<MemoryStore>,
    server: Option<Server>,
    /// How many servers there were.
    servers: u64,
    nodes: Vec<Node>,
    connections: BTreeMap<u64, Connection>,
    connections_made: u64,
    jobs: BTreeMap<JobId, Job>,
    jobs_left: u64,
    chaos_ends: Duration,
    /// Plain clients that left so far, each perhaps without an answer.
    plain_left: u64,
    /// What is made of what tabs say to have failed.
    failures: Failures,
    last: VecDeque<String>,
}

struct Server {
    reactor: Reactor,
    number: u64,
    /// Taken, and not in the store.
    pending: Vec<Recording>,
    is_committing: bool,
    disk_fails_until: Duration,
    connections: HashMap<WorkerId, u64>,
    /// Leases sent, as long as they are out.
    leases: BTreeSet<LeaseId>,
}

/// Somebody's tab.
struct Node {
    kind: Kind,
    worker: Worker,
    /// How often each slot was ended in the middle.
    resets: HashMap<usize, u64>,
    /// How often it was opened anew.
    lives: u64,
    connection: Option<u64>,
    frozen_until: Duration,
    task_s: f64,
    delay_s: f64,
    is_gone: bool,
}

impl Node {
    fn resets_of(&self, slot: usize) -> u64 {
        self.resets.get(&slot).copied().unwrap_or(0)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// Never freezes, vanishes or lies, on a line that only breaks when the server does.
    Steady,
    /// An honest tab of somebody who closes it, on a poor network.
    Honest,
    /// Its op fails now and then.
    Flaky,
    /// Every result but that of the welcome task is wrong.
    Liar,
    /// Sends what nobody asked for.
    Inventor,
    /// Says no hello.
    Plain,
    /// Takes leases, says that it goes on, and never answers.
    Sloth,
}

struct Connection {
    node: usize,
    life: u64,
    /// The server that it leads to, and its number there.
    server: u64,
    worker: Option<WorkerId>,
    is_open_at_worker: bool,
    is_open_at_server: bool,
    /// What is sent disappears, both ways, and nobody is told.
    is_hole: bool,
    last_to_worker: Duration,
    last_to_server: Duration,
}

struct Job {
    inputs: Vec<RepeatMultiply>,
    /// Tasks that nobody can compute.
    impossible: BTreeSet<u64>,
    /// How many of `inputs` the server has.
    sent: u64,
    is_open: bool,
    durable: Intervals,
    failed: u64,
    is_cancelled: bool,
}

#[derive(Debug)]
enum Happening {
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
    Commit {
        server: u64,
    },
    Inputs {
        server: u64,
        lease: LeaseId,
        job: JobId,
        range: Range<u64>,
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
    fn new(seed: u64) -> Simulation {
        let mut random = StdRng::seed_from_u64(seed);
        let jobs_left = random.random_range(1..=3);
        let failures = if random.random_bool(0.5) { Failures::Believed } else { Failures::Judged };
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
            last: VecDeque::new(),
        };
        simulation.rise();
        simulation.open(Kind::Steady);
        for _ in 0..simulation.random.random_range(0..=6) {
            let kind = match simulation.random.random_range(0..12) {
                0..=4 => Kind::Honest,
                5..=6 => Kind::Flaky,
                7 => Kind::Liar,
                8 => Kind::Inventor,
                9..=10 => Kind::Plain,
                _ => Kind::Sloth,
            };
            simulation.open(kind);
        }
        simulation.after(0.0, Happening::Submit);
        simulation.after(0.1, Happening::Chaos);
        simulation
    }

    fn run(&mut self) {
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
            Happening::Commit { server } => self.commit(server),
            Happening::Inputs { server, lease, job, range } => {
                self.inputs(server, lease, job, range);
            }
            Happening::Chaos => self.chaos(),
            Happening::Rise => self.rise(),
            Happening::Reopen { node } => self.reopen(node),
            Happening::Submit => self.submit(),
            Happening::Grow { job } => self.grow(job),
            Happening::Resume { job } => self.control(job, Control::Resume),
        }
    }

    fn after(&mut self, seconds: f64, happening: Happening) {
        self.at(self.now + Duration::from_secs_f64(seconds), happening);
    }

    fn at(&mut self, at: Duration, happening: Happening) {
        self.planned += 1;
        self.plan.insert((at, self.planned), happening);
    }

    fn chance(&mut self, probability: f64) -> bool {
        self.random.random_bool(probability)
    }

    fn is_chaos(&self) -> bool {
        self.now < self.chaos_ends
    }

    /// The clock on the wall jumps about: nothing may depend on it.
    fn wall(&mut self) -> Now {
        Now { at: self.now, unix_ms: self.random.random_range(0..4_000_000_000_000) }
    }

    // ---- Jobs -----------------------------------------------------------------------------------

    /// Enters a job as the API does.
    fn submit(&mut self) {
        if self.server.is_none() {
            return self.after(1.0, Happening::Submit);
        }
        self.jobs_left -= 1;
        if self.jobs_left > 0 {
            let pause = self.random.random_range(0.0..60.0);
            self.after(pause, Happening::Submit);
        }
        let grid = self.chance(0.5).then(|| self.grid());
        let inputs = match &grid {
            Some(grid) => grid.inputs(0..grid.total()).collect(),
            None => self.list(),
        };
        let priority = self.random.random_range(-1..=1);
        let new = NewJob {
            name: String::new(),
            op: Op::RepeatMultiply,
            priority,
            grid,
            submitted_at_ms: 0,
        };
        let id = self.store.create_job(&new).unwrap();
        let has_grid = new.grid.is_some();
        let is_open = !has_grid && self.chance(0.4);
        let sent = if is_open { inputs.len() as u64 / 3 } else { inputs.len() as u64 };
        if !has_grid {
            self.store.append_inputs(id, 0, &inputs[..sent as usize]).unwrap();
        }
        match is_open {
            true => self.store.publish_open(id).unwrap(),
            false => self.store.publish(id).unwrap(),
        }
        let all = 0..inputs.len() as u64;
        // What the server computes itself is possible.
        let impossible = match self.failures == Failures::Believed && self.chance(0.3) {
            true => (0..3).map(|_| self.random.random_range(all.clone())).collect(),
            false => BTreeSet::new(),
        };
        let job = Job {
            inputs,
            impossible,
            sent,
            is_open,
            durable: Intervals::default(),
            failed: 0,
            is_cancelled: false,
        };
        self.jobs.insert(id, job);
        let stored = StoredJob {
            id,
            job: new,
            total: sent,
            is_open,
            appended_at_ms: 0,
            state: JobState::Running,
            done: 0,
            failed: 0,
            recorded: Vec::new(),
            trouble: None,
        };
        let now = self.wall();
        self.with_reactor(|reactor| reactor.add_job(stored, now));
        if is_open {
            self.after(5.0, Happening::Grow { job: id });
        }
    }

    fn grid(&mut self) -> Grid {
        let times = self.random.random_range(1..=300);
        let initials = (0..self.random.random_range(1..=3)).map(f64::from).collect();
        Grid::new(
            Axis::list(initials).unwrap(),
            // The second one is beyond what a number can hold.
            Axis::list(vec![1.0 + 1e-3, 3.0]).unwrap(),
            Axis::range(0.0, 1.0, times).unwrap(),
        )
        .unwrap()
    }

    fn list(&mut self) -> Vec<RepeatMultiply> {
        let count = self.random.random_range(1..=800);
        let input = |times| RepeatMultiply::new(-0.5, 1.25, times).unwrap();
        (0..count).map(|_| input(self.random.random_range(0..4000))).collect()
    }

    fn grow(&mut self, id: JobId) {
        if self.server.is_none() {
            return self.after(1.0, Happening::Grow { job: id });
        }
        let half = self.chance(0.5);
        let job = self.jobs.get_mut(&id).unwrap();
        if job.is_cancelled {
            return;
        }
        let all = job.inputs.len() as u64;
        let total = if half { all } else { all.min(job.sent + 200) };
        let more = &job.inputs[job.sent as usize..total as usize];
        self.store.append_inputs(id, job.sent, more).unwrap();
        job.sent = total;
        job.is_open = total < all;
        let is_open = job.is_open;
        if is_open {
            self.after(5.0, Happening::Grow { job: id });
        } else {
            self.store.close(id).unwrap();
        }
        let now = self.wall();
        self.with_reactor(|reactor| reactor.grow_job(id, total, is_open, now));
    }

    fn control(&mut self, id: JobId, control: Control) {
        let Some(server) = &mut self.server else {
            return self.after(1.0, Happening::Resume { job: id });
        };
        // A job may be over, which is said and changes nothing.
        let done = server.reactor.control(id, control);
        if control == Control::Cancel && done.is_ok() {
            self.jobs.get_mut(&id).unwrap().is_cancelled = true;
        }
        self.carry_out();
    }

    // ---- The server -----------------------------------------------------------------------------

    fn rise(&mut self) {
        self.servers += 1;
        let loaded = self.store.load().unwrap();
        for stored in &loaded.jobs {
            let job = &self.jobs[&stored.id];
            assert_eq!(stored.done + stored.failed, job.durable.len(), "all that was durable is");
        }
        let welcome = RepeatMultiply::new(1.0000054, 1.00000043, 1_000_000).ok();
        let trust = Trust { seed: self.random.random(), failures: self.failures };
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
            leases: BTreeSet::new(),
        });
        self.carry_out();
    }

    /// `kill -9`: what is not in the store is gone, and connections break.
    fn crash(&mut self) {
        let Some(mut server) = self.server.take() else { return };
        if self.chance(0.3) && server.disk_fails_until <= self.now {
            // The last transaction was on disk, and nobody heard of it.
            let pending = std::mem::take(&mut server.pending);
            self.record(&pending);
        }
        let open: Vec<u64> = self.connections.keys().copied().collect();
        for connection in open {
            let event = Event::Closed { code: 1006, reason: String::new() };
            self.send_to_worker(connection, event);
            self.forget_at_server(connection);
        }
        let pause = self.random.random_range(0.1..30.0);
        self.after(pause, Happening::Rise);
    }

    fn with_reactor(&mut self, act: impl FnOnce(&mut Reactor)) {
        if let Some(server) = &mut self.server {
            act(&mut server.reactor);
            self.carry_out();
        }
    }

    fn carry_out(&mut self) {
        let now = self.wall();
        let Some(server) = &mut self.server else { return };
        let number = server.number;
        for effect in server.reactor.effects(now) {
            match effect {
                Effect::Send(worker, message) => self.send(worker, &message),
                Effect::Close(worker, close) => {
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
                Effect::Record(recording) => {
                    let delay = self.random.random_range(0.0..0.1);
                    let server = self.server();
                    server.pending.push(recording);
                    if !std::mem::replace(&mut server.is_committing, true) {
                        self.after(delay, Happening::Commit { server: number });
                    }
                }
                Effect::SetState(job, state) => self.store.set_state(job, state).unwrap(),
                Effect::NoteAppended(job, at_ms) => self.store.note_appended(job, at_ms).unwrap(),
                Effect::CloseJob(job) => panic!("job {job} has not waited for a day"),
                Effect::Progress(job, progress) => self.check_progress(job, progress),
            }
        }
        self.check();
    }

    fn server(&mut self) -> &mut Server {
        self.server.as_mut().expect("the server is up")
    }

    fn commit(&mut self, number: u64) {
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

    /// Writes to the store, which says whether a task had an outcome already; each must be right.
    fn record(&mut self, recordings: &[Recording]) {
        let fresh = self.store.record(recordings).unwrap();
        assert!(fresh.iter().all(|fresh| *fresh == Fresh::All), "no task is recorded twice");
        for recording in recordings {
            let job = self.jobs.get_mut(&recording.job).unwrap();
            let range = range_of(recording);
            for (index, outcome) in range.clone().zip(&recording.outcomes.read()) {
                let right = Number(job.inputs[index as usize].compute());
                match outcome {
                    Outcome::Result(number) => {
                        assert!(number.same_bits(right), "task {index} is {right}, not {number}");
                        assert!(!job.impossible.contains(&index), "nobody can compute {index}");
                    }
                    Outcome::Error { .. } => job.failed += 1,
                }
            }
            job.durable.insert(range);
        }
    }

    fn inputs(&mut self, server: u64, lease: LeaseId, job: JobId, range: Range<u64>) {
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

    // ---- The network ----------------------------------------------------------------------------

    fn send(&mut self, worker: WorkerId, message: &ServerMessage) {
        if let ServerMessage::Lease(lease) = message {
            self.check_copies(lease.lease);
        }
        let Some(&connection) = self.server().connections.get(&worker) else { return };
        let text = message.write();
        assert!(text.len() <= FRAME_BYTES_MAX, "{} bytes", text.len());
        self.send_to_worker(connection, Event::Text(text));
    }

    /// Frames of one connection keep their order, as TCP does, unless the network is said to
    /// repeat and reorder: then it stands for a peer that does.
    fn send_to_worker(&mut self, id: u64, event: Event) {
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

    fn send_to_server(&mut self, id: u64, text: String) {
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

    fn arrives(&mut self, id: u64) {
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
        let address = "127.0.0.1:1".parse::<std::net::SocketAddr>().unwrap().into();
        let peer = Peer { address, path: "/ws".to_owned(), agent: None };
        let now = self.wall();
        let server = self.server();
        let worker = server.reactor.connected(peer, now);
        let number = server.number;
        server.connections.insert(worker, id);
        let connection = self.connections.get_mut(&id).unwrap();
        connection.worker = Some(worker);
        connection.server = number;
        connection.is_open_at_server = true;
        self.send_to_worker(id, Event::Opened);
        self.carry_out();
    }

    fn at_server(&mut self, id: u64, text: &str) {
        let Some(connection) = self.connections.get(&id) else { return };
        let Some(worker) = connection.worker.filter(|_| connection.is_open_at_server) else {
            return;
        };
        let Meaning { event, answer, .. } = interpret(text);
        if let Some(answer) = answer {
            self.send(worker, &answer);
        }
        let now = self.wall();
        self.with_reactor(|reactor| reactor.received(worker, event, now));
    }

    fn at_worker(&mut self, id: u64, event: Event) {
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

    fn gone_at_server(&mut self, id: u64) {
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

    /// The silence after which the server gives a node's connection up, in seconds.
    fn silence_max_of(&self, node: usize) -> f64 {
        let is_plain = self.nodes[node].kind == Kind::Plain;
        (if is_plain { PLAIN_SILENCE_MAX } else { SILENCE_MAX }).as_secs_f64()
    }

    fn forget_at_server(&mut self, id: u64) {
        self.connections.get_mut(&id).unwrap().is_open_at_server = false;
    }

    /// A connection ends at the worker's side; the server hears of it, or finds out.
    fn hang_up(&mut self, id: u64) {
        let Some(connection) = self.connections.get_mut(&id) else { return };
        connection.is_open_at_worker = false;
        let (is_hole, node) = (connection.is_hole, connection.node);
        let delay = if is_hole { self.silence_max_of(node) } else { 0.1 };
        self.after(delay, Happening::GoneAtServer { connection: id });
    }

    // ---- Tabs -----------------------------------------------------------------------------------

    fn open(&mut self, kind: Kind) {
        let node = Node {
            kind,
            worker: self.new_worker(),
            resets: HashMap::new(),
            lives: 0,
            connection: None,
            frozen_until: Duration::ZERO,
            task_s: 10f64.powf(self.random.random_range(-5.0..0.5)),
            delay_s: self.random.random_range(0.001..0.3),
            is_gone: false,
        };
        self.nodes.push(node);
        let start = self.start_of(kind);
        self.tell(self.nodes.len() - 1, start);
    }

    fn new_worker(&mut self) -> Worker {
        Worker::new("Simulated/1.0", self.random.random())
    }

    fn allowance(&mut self) -> Allowance {
        let cores = self.random.random_range(1..=3);
        Allowance { cores, share_percent: self.random.random_range(25..=100) }
    }

    fn start_of(&mut self, kind: Kind) -> Event {
        let worker = (kind != Kind::Plain).then(|| "simulated".to_owned());
        Event::Start(Start { worker, tab: None, allowance: self.allowance() })
    }

    /// The tab is closed, and perhaps opened again.
    fn vanish(&mut self, index: usize) {
        let node = &mut self.nodes[index];
        node.is_gone = true;
        node.lives += 1;
        if let Some(connection) = node.connection.take() {
            self.hang_up(connection);
        }
        if self.chance(0.7) {
            let pause = self.random.random_range(1.0..300.0);
            self.after(pause, Happening::Reopen { node: index });
        }
    }

    fn reopen(&mut self, index: usize) {
        let worker = self.new_worker();
        let node = &mut self.nodes[index];
        node.worker = worker;
        node.is_gone = false;
        node.frozen_until = Duration::ZERO;
        let kind = node.kind;
        let start = self.start_of(kind);
        self.tell(index, start);
    }

    fn tell(&mut self, index: usize, event: Event) {
        let node = &mut self.nodes[index];
        if node.is_gone {
            return;
        }
        for action in node.worker.handle(event, self.now) {
            self.act(index, action);
        }
    }

    fn act(&mut self, index: usize, action: Action) {
        match action {
            Action::Connect => self.connect(index),
            Action::Disconnect => {
                if let Some(connection) = self.nodes[index].connection.take() {
                    self.hang_up(connection);
                }
            }
            Action::Send(text) => {
                let Some(connection) = self.nodes[index].connection else { return };
                if self.nodes[index].kind == Kind::Inventor && self.chance(0.02) {
                    let invention = self.invention();
                    self.send_to_server(connection, invention);
                }
                // A sloth does not even say that it has failed.
                let is_failure = text.starts_with(r#"{"type":"failed""#);
                if self.nodes[index].kind != Kind::Sloth || !is_failure {
                    self.send_to_server(connection, text);
                }
            }
            Action::Compute { slot, piece } => {
                let node = &self.nodes[index];
                let (life, resets) = (node.lives, node.resets_of(slot));
                let seconds = node.task_s * piece.count as f64;
                let computed = Happening::Computed { node: index, life, slot, resets, piece };
                self.after(seconds, computed);
            }
            Action::Reset { slot } => {
                *self.nodes[index].resets.entry(slot).or_default() += 1;
            }
            // Turned away, a tab does nothing any more until a person loads it again.
            Action::Tell(ToPage::Failed { .. }) => {
                assert_ne!(self.nodes[index].kind, Kind::Steady, "the steady one is never wrong");
                self.vanish(index);
            }
            Action::Broadcast(_) | Action::Tell(_) => {}
        }
    }

    fn connect(&mut self, index: usize) {
        self.connections_made += 1;
        let id = self.connections_made;
        let node = &mut self.nodes[index];
        node.connection = Some(id);
        let connection = Connection {
            node: index,
            life: node.lives,
            server: 0,
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

    fn computed(&mut self, index: usize, life: u64, slot: usize, piece: Piece) {
        let node = &self.nodes[index];
        if node.lives != life || node.is_gone {
            return;
        }
        let kind = node.kind;
        if kind == Kind::Sloth && !self.is_welcome(&piece) {
            // It never comes back from this.
            return;
        }
        let fails = self.cannot_be_computed(&piece) || (kind == Kind::Flaky && self.chance(0.02));
        let event = if fails {
            Event::ComputeFailed { slot, reason: "it does not work".to_owned() }
        } else {
            let mut results = piece.compute();
            // The welcome task is answered right, or there would be nothing to lie about.
            if kind == Kind::Liar && !self.is_welcome(&piece) {
                results
                    .iter_mut()
                    .for_each(|result| *result = if *result == 7.0 { 8.0 } else { 7.0 });
            }
            if kind == Kind::Plain {
                // A browser's own power is off by a bit now and then.
                results.iter_mut().for_each(|result| *result *= 1.0 + f64::EPSILON);
            }
            let duration_ms = self.nodes[index].task_s * piece.count as f64 * 1000.0;
            let results = PieceResults::new(&results).unwrap();
            Event::Computed { slot, results, duration_ms }
        };
        self.tell(index, event);
    }

    fn is_welcome(&self, piece: &Piece) -> bool {
        piece.count == 1 && piece.input(0).times() == 1_000_000
    }

    /// Whether the piece has a task that nobody can compute. Plain tasks and pieces do not say
    /// their job, so inputs tell: those of impossible tasks are impossible wherever they are.
    fn cannot_be_computed(&self, piece: &Piece) -> bool {
        (0..piece.count).any(|offset| self.is_impossible(piece.input(offset)))
    }

    fn is_impossible(&self, input: RepeatMultiply) -> bool {
        self.jobs
            .values()
            .any(|job| job.impossible.iter().any(|index| job.inputs[*index as usize] == input))
    }

    /// Something that an honest worker does not send.
    fn invention(&mut self) -> String {
        let lease = LeaseId(self.random.random_range(0..1u64 << 34));
        match self.random.random_range(0..6) {
            0 => WorkerMessage::Progress { lease }.write(),
            1 => format!(r#"{{"type":"results","lease":{lease},"first":0,"results":[1]}}"#),
            2 => format!(r#"{{"type":"results","lease":{lease},"first":0,"results":[]}}"#),
            3 => format!(r#"{{"type":"failed","lease":{lease},"index":3,"error":"x"}}"#),
            4 => WorkerMessage::Slots { n: self.random.random_range(0..5) }.write(),
            _ => "what is this?".to_owned(),
        }
    }

    // ---- Chaos ----------------------------------------------------------------------------------

    fn chaos(&mut self) {
        if !self.is_chaos() {
            return self.calm();
        }
        let next = self.random.random_range(0.05..8.0);
        self.after(next, Happening::Chaos);
        let index = self.random.random_range(0..self.nodes.len());
        let is_steady = self.nodes[index].kind == Kind::Steady;
        match self.random.random_range(0..20) {
            0..=2 => self.crash(),
            3..=5 if !is_steady && !self.nodes[index].is_gone => self.vanish(index),
            6..=9 if !is_steady => {
                let seconds = self.random.random_range(1.0..600.0);
                self.nodes[index].frozen_until = self.now + Duration::from_secs_f64(seconds);
            }
            10..=12 => self.break_line(index),
            13..=14 => {
                let seconds = self.random.random_range(0.1..30.0);
                let until = self.now + Duration::from_secs_f64(seconds);
                if let Some(server) = &mut self.server {
                    server.disk_fails_until = until;
                }
            }
            15 => {
                let ids: Vec<JobId> = self.jobs.keys().copied().collect();
                if let Some(&job) = ids.first() {
                    self.control(job, Control::Pause);
                    let seconds = self.random.random_range(1.0..60.0);
                    self.after(seconds, Happening::Resume { job });
                }
            }
            17 | 18 if !self.nodes[index].is_gone => self.want(index),
            16 if self.chance(0.2) => {
                if let Some(&job) = self.jobs.keys().next_back() {
                    self.control(job, Control::Cancel);
                }
            }
            _ => {}
        }
    }

    /// A person pauses, finishes or lends otherwise; a browser puts the tab away.
    fn want(&mut self, index: usize) {
        let life = self.nodes[index].lives;
        let (allowance, kind) = (self.allowance(), self.nodes[index].kind);
        let (event, back) = match self.random.random_range(0..4) {
            0 => (Event::Pause, self.start_of(kind)),
            1 => (Event::Finish, self.start_of(kind)),
            2 => (Event::Suspend, Event::Resume),
            _ => (Event::Allow(allowance), Event::Allow(allowance)),
        };
        let pause = self.random.random_range(0.01..60.0);
        self.tell(index, event);
        self.after(pause, Happening::Wanted { node: index, life, event: back });
    }

    /// A connection breaks: both ends are told, or neither.
    fn break_line(&mut self, index: usize) {
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

    /// What is paused goes on; a server that is down rises by itself.
    fn calm(&mut self) {
        if let Some(server) = &mut self.server {
            server.disk_fails_until = Duration::ZERO;
        }
    }

    // ---- What must hold -------------------------------------------------------------------------

    fn check(&mut self) {
        let now = self.now;
        let Some(server) = &mut self.server else { return };
        server.reactor.scheduler().assert_consistent();
        for view in server.reactor.jobs(now) {
            let job = &self.jobs[&view.id];
            assert!(view.done + view.failed <= job.durable.len(), "reported before it is durable");
        }
    }

    fn check_progress(&mut self, id: JobId, progress: Progress) {
        let job = &self.jobs[&id];
        assert!(progress.recorded <= job.durable.len(), "reported before it is durable");
        assert!(progress.prefix <= job.durable.prefix_end(), "reported before it is durable");
        if progress.state == JobState::Done {
            assert_eq!(job.durable.len(), job.sent, "done is when all is recorded");
            assert!(!job.is_open);
        }
    }

    /// A new lease shares each task with at most the allowed copies.
    fn check_copies(&mut self, new: LeaseId) {
        let server = self.server();
        let rest_of = |lease: &LeaseId| server.reactor.scheduler().rest_of(*lease);
        let out: Vec<_> = server.leases.iter().filter_map(|l| Some((*l, rest_of(l)?))).collect();
        if let Some((job, range)) = rest_of(&new) {
            let shares = |index: u64| {
                out.iter().filter(|(_, (of, rest))| *of == job && rest.contains(&index)).count()
            };
            assert!(shares(range.start) <= LEASE_COPIES_MAX, "too many copies");
            assert!(shares(range.end - 1) <= LEASE_COPIES_MAX, "too many copies");
        }
        server.leases = out.into_iter().map(|(lease, _)| lease).chain([new]).collect();
    }

    fn check_ends(&mut self) {
        for stored in self.store.load().unwrap().jobs {
            let job = &self.jobs[&stored.id];
            assert_eq!((stored.done, stored.failed), (job.durable.len() - job.failed, job.failed));
            if job.is_cancelled {
                continue;
            }
            assert_eq!(stored.state, JobState::Done);
            let all = job.inputs.len() as u64;
            assert_eq!(job.durable.len(), all, "every task has an outcome");
            let runs = self.store.outcomes(stored.id, 0..all, u64::MAX).unwrap();
            let mut next = 0;
            for run in runs {
                assert_eq!(run.first, next, "each task once, in order");
                next += run.outcomes.len() as u64;
                for (index, outcome) in (run.first..).zip(&run.outcomes) {
                    let is_impossible = job.impossible.contains(&index);
                    assert!(!is_impossible || outcome.is_error(), "{index} cannot be computed");
                }
            }
            assert_eq!(next, all);
            let has_flaky = self.nodes.iter().any(|node| node.kind == Kind::Flaky);
            // Plain clients do not say that they cannot.
            let may_fail = has_flaky || self.plain_left >= TASK_ATTEMPTS_MAX as u64;
            if !may_fail && job.impossible.is_empty() && !self.has_impossible_twins(job) {
                assert_eq!(job.failed, 0, "{TASK_ATTEMPTS_MAX} attempts failed for no reason");
            }
            if self.failures == Failures::Judged {
                assert_eq!(job.failed, 0, "every task has a result");
            }
        }
    }

    /// Whether inputs of this job are impossible because of another job's.
    fn has_impossible_twins(&self, job: &Job) -> bool {
        job.inputs.iter().any(|input| self.is_impossible(*input))
    }
}

fn range_of(recording: &Recording) -> Range<u64> {
    recording.first..recording.first + recording.outcomes.len()
}
