//! Tabs: the worker's real state machine, and the people, browsers and liars around it.

use crate::kernels::skill_of;
use crate::server::WELCOME;
use crate::world::{Happening, Simulation};
use rand::RngExt;
use std::collections::HashMap;
use std::time::Duration;
use tequio_protocol::ids::LeaseId;
use tequio_protocol::message::WorkerMessage;
use tequio_protocol::number::Number;
use tequio_protocol::op::kernel::SKILL;
use tequio_protocol::op::{self, Audits};
use tequio_protocol::outcome::{Outcome, OutcomeRef, Outcomes};
use tequio_protocol::page::{Allowance, ToPage};
use tequio_protocol::piece::{Piece, PieceResults};
use tequio_worker::worker::{Action, Event, Start, Worker};

/// How tabs call themselves.
pub(crate) const AGENT: &str = "Simulated/1.0";

/// The longest that a block takes anybody, in seconds.
const BLOCK_S_MAX: f64 = 6.0;

/// Somebody's tab.
pub(crate) struct Node {
    pub(crate) kind: Kind,
    /// What it can compute, by name.
    pub(crate) ops: Vec<String>,
    pub(crate) worker: Worker,
    /// How often each slot was ended in the middle.
    resets: HashMap<usize, u64>,
    /// How often it was opened anew.
    pub(crate) lives: u64,
    pub(crate) connection: Option<u64>,
    pub(crate) frozen_until: Duration,
    pub(crate) task_s: f64,
    pub(crate) delay_s: f64,
    pub(crate) is_gone: bool,
}

impl Node {
    pub(crate) fn resets_of(&self, slot: usize) -> u64 {
        self.resets.get(&slot).copied().unwrap_or(0)
    }

    pub(crate) fn can_compute(&self, op: &dyn op::Op) -> bool {
        self.ops.iter().any(|name| name == skill_of(op))
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Never freezes, vanishes or lies, on a line that only breaks when the server does.
    Steady,
    /// An honest tab of somebody who closes it, on a poor network.
    Honest,
    /// Its op fails now and then.
    Flaky,
    /// Every outcome but that of the welcome task is wrong.
    Liar,
    /// One outcome of each piece is wrong.
    Sly,
    /// Sends what nobody asked for.
    Inventor,
    /// Says no hello.
    Plain,
    /// Takes leases, says that it goes on, and never answers.
    Sloth,
}

impl Kind {
    pub(crate) fn lies(self) -> bool {
        matches!(self, Kind::Liar | Kind::Sly)
    }
}

impl Simulation {
    pub(crate) fn open(&mut self, kind: Kind) {
        let node = Node {
            kind,
            ops: self.ops_of(kind),
            worker: self.new_worker(),
            resets: HashMap::new(),
            lives: 0,
            connection: None,
            frozen_until: Duration::ZERO,
            task_s: self.task_s(),
            delay_s: self.random.random_range(0.001..0.3),
            is_gone: false,
        };
        self.nodes.push(node);
        let start = self.start_of(kind);
        self.tell(self.nodes.len() - 1, start);
    }

    /// All ops, or some of them, or none, and one that the server does not know.
    fn ops_of(&mut self, kind: Kind) -> Vec<String> {
        let all = op::ALL.iter().map(|op| op.name()).chain([SKILL]).map(str::to_owned);
        if kind == Kind::Steady || self.chance(0.5) {
            return all.collect();
        }
        let welcome = (kind == Kind::Plain).then_some("repeat_multiply");
        let mut some: Vec<String> = all.filter(|_| self.random.random_bool(0.5)).collect();
        some.extend(welcome.into_iter().chain(["divide"]).map(str::to_owned));
        some
    }

    /// A block is computed while a lease is waited for.
    fn task_s(&mut self) -> f64 {
        let task_s = 10f64.powf(self.random.random_range(-5.0..0.5));
        task_s.min(BLOCK_S_MAX / self.block_max as f64)
    }

    fn new_worker(&mut self) -> Worker {
        Worker::new(AGENT, self.random.random())
    }

    pub(crate) fn allowance(&mut self) -> Allowance {
        let cores = self.random.random_range(1..=3);
        Allowance { cores, share_percent: self.random.random_range(25..=100) }
    }

    pub(crate) fn start_of(&mut self, kind: Kind) -> Event {
        let worker = (kind != Kind::Plain).then(|| "simulated".to_owned());
        Event::Start(Start { worker, tab: None, allowance: self.allowance() })
    }

    /// The tab is closed, and perhaps opened again.
    pub(crate) fn vanish(&mut self, index: usize) {
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

    pub(crate) fn reopen(&mut self, index: usize) {
        let worker = self.new_worker();
        let node = &mut self.nodes[index];
        node.worker = worker;
        node.is_gone = false;
        node.frozen_until = Duration::ZERO;
        let kind = node.kind;
        let start = self.start_of(kind);
        self.tell(index, start);
    }

    /// A liar does not wait for the verdict. It may come back under its session.
    pub(crate) fn flees(&mut self, index: usize, life: u64) {
        if self.nodes[index].lives != life || self.nodes[index].is_gone {
            return;
        }
        match self.chance(0.3) {
            true => self.vanish(index),
            false => self.break_line(index),
        }
    }

    pub(crate) fn tell(&mut self, index: usize, event: Event) {
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
            Action::Send(text) => self.say(index, text),
            Action::Compute { slot, piece } => {
                let node = &self.nodes[index];
                let (life, resets) = (node.lives, node.resets_of(slot));
                let seconds = self.seconds_for(index, &piece);
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

    fn say(&mut self, index: usize, mut text: String) {
        let Some(connection) = self.nodes[index].connection else { return };
        let kind = self.nodes[index].kind;
        if kind == Kind::Inventor && self.chance(0.02) {
            let invention = self.invention();
            self.send_to_server(connection, invention);
        }
        if let Ok(WorkerMessage::Hello(mut hello)) = WorkerMessage::read(&text) {
            hello.ops.clone_from(&self.nodes[index].ops);
            text = WorkerMessage::Hello(hello).write();
        }
        let is_failure = text.starts_with(r#"{"type":"failed""#);
        if kind == Kind::Sloth && is_failure {
            // It does not even say that it has failed.
            return;
        }
        self.send_to_server(connection, text);
    }

    fn seconds_for(&self, index: usize, piece: &Piece) -> f64 {
        let is_slow = piece.op.audits() == Audits::OnThreads;
        let share = if is_slow { self.auditing.task_share() } else { 1.0 };
        self.nodes[index].task_s * share * piece.count as f64
    }

    pub(crate) fn computed(&mut self, index: usize, life: u64, slot: usize, piece: Piece) {
        let node = &self.nodes[index];
        if node.lives != life || node.is_gone {
            return;
        }
        if self.hangs(&piece) {
            return;
        }
        let (kind, knows_it) = (node.kind, node.can_compute(piece.op));
        if kind == Kind::Sloth && !is_welcome(&piece) {
            // It never comes back from this.
            return;
        }
        let is_flaky = kind == Kind::Flaky && self.chance(0.02);
        let event = if !knows_it || is_flaky || self.cannot_be_computed(&piece) {
            Event::ComputeFailed { slot, reason: "it does not work".to_owned() }
        } else {
            let outcomes = self.outcomes_of(index, &piece);
            let duration_ms = self.seconds_for(index, &piece) * 1000.0;
            Event::Computed { slot, results: PieceResults::new(outcomes).unwrap(), duration_ms }
        };
        self.tell(index, event);
    }

    /// What a node says of a piece that it has computed. The welcome task is answered right, or there would be
    /// nothing to lie about.
    fn outcomes_of(&mut self, index: usize, piece: &Piece) -> Outcomes {
        let (kind, life) = (self.nodes[index].kind, self.nodes[index].lives);
        let outcomes = piece.compute();
        match kind {
            Kind::Liar | Kind::Sly if !is_welcome(piece) => {
                let at = self.random.random_range(0..outcomes.len()) as usize;
                let lies = |place: usize| kind == Kind::Liar || place == at;
                let lie_or_not = |(place, right): (usize, OutcomeRef<'_>)| match lies(place) {
                    true => self.lie(right),
                    false => right.to_owned(),
                };
                let said: Vec<Outcome> = outcomes.iter().enumerate().map(lie_or_not).collect();
                if self.chance(0.5) {
                    let pause = self.random.random_range(0.0..1.0);
                    self.after(pause, Happening::Flees { node: index, life });
                }
                said.iter().map(Outcome::as_ref).collect()
            }
            // A browser's own power is off by a bit now and then.
            Kind::Plain if piece.op.name() == "repeat_multiply" => {
                let said: Vec<Outcome> = outcomes.iter().map(nearly).collect();
                said.iter().map(Outcome::as_ref).collect()
            }
            _ => outcomes,
        }
    }

    /// Something else than what is right.
    fn lie(&mut self, right: OutcomeRef<'_>) -> Outcome {
        match right {
            _ if self.chance(0.1) => Outcome::Error(format!("it is a lie, {}", self.number())),
            // No two lies are alike.
            Outcome::Result(right) => {
                let lie = self.number().to_string();
                Outcome::Result(if lie == right { "7".to_owned() } else { lie })
            }
            Outcome::Error(_) => Outcome::Result(self.number().to_string()),
        }
    }

    fn number(&mut self) -> u64 {
        self.random.random_range(1_000_000_000..1 << 50)
    }

    /// Whether the piece has a task that never ends.
    fn hangs(&self, piece: &Piece) -> bool {
        let inputs = piece.inputs.from(piece.first);
        let text = |index| inputs.text(piece.op.params(), index);
        let hangs = |index| self.hanging.contains(&(piece.op.name(), text(index)));
        !self.hanging.is_empty() && (piece.first..piece.first + piece.count).any(hangs)
    }

    /// Whether the piece has a task that nobody can compute. Plain tasks and pieces do not say
    /// their job, so inputs tell: those of impossible tasks are impossible wherever they are.
    fn cannot_be_computed(&self, piece: &Piece) -> bool {
        let inputs = piece.inputs.from(piece.first);
        let text = |index| inputs.text(piece.op.params(), index);
        let is_impossible = |index| self.impossible.contains(&(piece.op.name(), text(index)));
        !self.impossible.is_empty() && (piece.first..piece.first + piece.count).any(is_impossible)
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
}

fn is_welcome(piece: &Piece) -> bool {
    let is_it = || piece.inputs.from(piece.first).text(piece.op.params(), piece.first) == WELCOME;
    piece.count == 1 && is_it()
}

fn nearly(outcome: OutcomeRef<'_>) -> Outcome {
    let Outcome::Result(result) = outcome else { return outcome.to_owned() };
    let result = Number(Number::read(result).unwrap().0 * (1.0 + f64::EPSILON));
    Outcome::Result(serde_json::to_string(&result).unwrap())
}
