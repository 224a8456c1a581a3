//! The worker's behaviour: connect, take tasks and leases, have them computed, answer, reconnect;
//! all within what a person lends.
//!
//! A shell calls [`Worker::handle`] with each [`Event`] and carries out the [`Action`]s in their
//! order; at [`Worker::next_timeout`] it sends [`Event::Timeout`]. Times are durations since an
//! origin that the shell chooses once.
//!
//! `person`, `browser`, `connection` and `messages` are what events of each of these lead to; what there is to
//! compute is `work`'s.

mod browser;
mod connection;
mod messages;
mod person;
#[cfg(test)]
mod person_tests;
#[cfg(test)]
mod tests;

use crate::backoff::Backoff;
use crate::tabs::Tabs;
use crate::work::{Computed, Work, notice};
use std::time::Duration;
use tequio_protocol::limits::{
    AGENT_CHARS_MAX, ASLEEP_AFTER, CONNECT_TIMEOUT, HEARTBEAT_SILENCE_MAX,
};
use tequio_protocol::message::DurationMs;
use tequio_protocol::op::kernel;
use tequio_protocol::page::{Allowance, ToPage};
use tequio_protocol::piece::{Piece, PieceResults};
use tequio_protocol::text::printable;

/// What happens to a worker.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// Begin, or go on after [`Event::Pause`] or [`Event::Finish`].
    Start(Start),
    /// What may be used has changed.
    Allow(Allowance),
    /// Stop: what ends in a moment is sent, the rest is given back.
    Pause,
    /// Take nothing more, and stop when what is here is computed.
    Finish,
    /// The shell is about to be frozen: give back what is not begun.
    Suspend,
    /// The shell was frozen, for nobody knows how long: connect anew.
    Resume,
    /// Another tab of this browser has said something to all.
    Neighbour(String),
    /// The socket asked for by the last [`Action::Connect`] is open.
    Opened,
    /// A text frame arrived.
    Text(String),
    /// A binary frame arrived.
    Binary {
        /// Its length.
        bytes: usize,
    },
    /// The socket closed, or never opened.
    Closed {
        /// The close code, as the browser gives it (1006 where there was no close frame).
        code: u16,
        /// The reason that the server gave, if any.
        reason: String,
    },
    /// The piece of a slot's last [`Action::Compute`] waits for the slot's program to start.
    Waits {
        /// The slot.
        slot: usize,
    },
    /// A piece that has waited is being computed.
    Began {
        /// The slot.
        slot: usize,
    },
    /// The piece of a slot's last [`Action::Compute`] is computed.
    Computed {
        /// The slot.
        slot: usize,
        /// What came of it.
        results: PieceResults,
        /// How long computing and writing it took.
        duration_ms: f64,
    },
    /// The piece of a slot's last [`Action::Compute`] cannot be computed.
    ComputeFailed {
        /// The slot.
        slot: usize,
        /// Why.
        reason: String,
    },
    /// The piece of a slot's last [`Action::Compute`] waits for code that cannot be loaded here.
    CannotLoad {
        /// The slot.
        slot: usize,
        /// Why.
        reason: String,
    },
    /// Nothing can be computed at all: the slots' program does not start.
    Unable {
        /// What to tell the person.
        reason: String,
    },
    /// A person, or the browser's `online` event, asks to connect at once.
    RetryNow,
    /// The time of [`Worker::next_timeout`] has come.
    Timeout,
}

impl Event {
    /// Whether it is something that a socket says.
    pub fn is_of_socket(&self) -> bool {
        matches!(self, Event::Opened | Event::Text(_) | Event::Binary { .. } | Event::Closed { .. })
    }
}

/// How a worker begins.
#[derive(Clone, Debug, PartialEq)]
pub struct Start {
    /// What the worker is called in `hello`; none where it is not to say hello, and is sent one
    /// task at a time.
    pub worker: Option<String>,
    /// What it is called among the tabs that share this machine's cores; none where there are no
    /// others.
    pub tab: Option<String>,
    /// What it may use. What is out of range is brought into it.
    pub allowance: Allowance,
}

/// What a shell does for a worker.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// Open a new socket.
    Connect,
    /// Let go of the socket, when what was sent on it is gone; nothing more is heard of it.
    Disconnect,
    /// Send a text frame.
    Send(String),
    /// Compute; a slot has never more than one under way.
    Compute {
        /// On which slot, from 0.
        slot: usize,
        /// What.
        piece: Piece,
    },
    /// End a slot's program, in the middle of what it computes if need be; nothing more is heard
    /// of that. The slot's next [`Action::Compute`] starts another.
    Reset {
        /// Which slot.
        slot: usize,
    },
    /// Say this to the browser's other tabs.
    Broadcast(String),
    /// Tell the person, on the page and on the console.
    Tell(ToPage),
}

/// A worker's state.
#[derive(Debug)]
pub struct Worker {
    name: Option<String>,
    /// What it says that it can compute.
    skills: Vec<String>,
    will: Will,
    allowance: Allowance,
    tabs: Tabs,
    /// Slots and tabs, as the page was last told.
    told: Option<(u32, u32)>,
    backoff: Backoff,
    connection: ConnectionState,
    /// The session of the last `welcome`.
    session: Option<String>,
    /// Attempts since the last connection that lasted.
    attempts: u32,
    last_attempt: Option<Duration>,
    /// When a timeout was asked for.
    due: Option<Duration>,
    work: Work,
}

/// What the person, or the browser, wants of this worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Will {
    Stopped,
    Working,
    /// Stops when nothing is here any more.
    Stopping,
    /// The browser puts the tab away, and may bring it back.
    Suspended,
}

/// How the connection to the server is, or when there is to be one.
#[derive(Clone, Copy, Debug, PartialEq)]
enum ConnectionState {
    Idle,
    Connecting {
        give_up_at: Duration,
    },
    Open {
        since: Duration,
        /// When something arrived last.
        heard_at: Duration,
        heartbeat: Option<Heartbeat>,
        /// When a server that is known to say `welcome` must have said it.
        welcome_by: Option<Duration>,
        /// Slots that the server knows of, once it was said hello to.
        slots: Option<u32>,
    },
    Waiting {
        until: Duration,
    },
    /// It does not connect by itself: the server has turned this worker away or speaks another
    /// version.
    Ended,
    /// It cannot compute.
    Broken,
}

/// A server in lease mode is told, and asked, whether the other is there.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Heartbeat {
    every: Duration,
    next: Duration,
}

impl Worker {
    /// A worker that calls itself `agent`, and whose delays follow from `seed`.
    pub fn new(agent: &str, seed: u64) -> Worker {
        Worker {
            name: None,
            skills: connection::skills(),
            will: Will::Stopped,
            allowance: Allowance { cores: 1, share_percent: 100 },
            tabs: Tabs::default(),
            told: None,
            backoff: Backoff::new(seed),
            connection: ConnectionState::Idle,
            session: None,
            attempts: 0,
            last_attempt: None,
            due: None,
            work: Work::new(printable(agent, AGENT_CHARS_MAX)),
        }
    }

    /// Has it say, from the next connection on, that it computes no kernels: their code cannot be had here.
    pub fn compute_no_kernels(&mut self) {
        self.skills.retain(|skill| skill != kernel::SKILL);
    }

    /// What to do about `event`, which happened at `now`.
    pub fn handle(&mut self, event: Event, now: Duration) -> Vec<Action> {
        let mut actions = Vec::new();
        let has_slept = self.due.is_some_and(|due| now > due + ASLEEP_AFTER);
        if has_slept {
            self.woke(now, &mut actions);
        }
        // What the old socket says is not the new one's.
        if !(has_slept && self.will == Will::Working && event.is_of_socket()) {
            self.react(event, now, &mut actions);
        }
        if self.will == Will::Stopping
            && self.work.is_empty()
            && self.connection != ConnectionState::Broken
        {
            self.stop(&mut actions);
        }
        self.due = self.next_timeout().map(|at| at.max(now));
        actions
    }

    /// How many bytes wait in the socket to be sent. To be told before an event that may have
    /// more sent.
    pub fn set_unsent(&mut self, bytes: usize) {
        self.work.set_unsent(bytes);
    }

    /// What came of [`Event::Computed`] has cost so much more of the machine: carrying results out
    /// counts for the share that a slot has of it.
    pub fn add_cost(&mut self, slot: usize, cost: Duration) {
        self.work.add_cost(slot, cost);
    }

    fn react(&mut self, event: Event, now: Duration, actions: &mut Vec<Action>) {
        match (event, self.connection) {
            (Event::Start(start), _) => self.start(start, now, actions),
            (Event::Allow(allowance), _) => self.allow(allowance, now, actions),
            (Event::Pause, _) => {
                self.wind_up(actions);
                self.work.drain(actions);
                self.work.hurry(now);
            }
            (Event::Finish, _) => self.wind_up(actions),
            (Event::Suspend, _) => self.suspend(actions),
            (Event::Resume, _) => self.resume(now, actions),
            (Event::Neighbour(text), _) => {
                self.tabs.hear(&text, now, actions);
                self.share_out(now, actions);
            }
            (Event::Opened, ConnectionState::Connecting { .. }) => self.opened(now, actions),
            (Event::Text(text), ConnectionState::Open { .. }) => {
                self.note_arrival(now);
                self.read(&text, now, actions);
            }
            (Event::Binary { bytes }, ConnectionState::Open { .. }) => {
                self.note_arrival(now);
                notice(actions, format!("Ignored a binary frame of {bytes} bytes"));
            }
            (
                Event::Closed { code, reason },
                ConnectionState::Connecting { .. } | ConnectionState::Open { .. },
            ) => {
                self.closed(code, &reason, now, actions);
            }
            (Event::Waits { slot }, _) => self.work.waits(slot, now),
            (Event::Began { slot }, _) => self.work.began(slot, now),
            (Event::Computed { slot, results, duration_ms }, _) => {
                let computed = Computed { slot, results, duration: DurationMs::new(duration_ms) };
                self.work.computed(&computed, now, actions);
            }
            (Event::ComputeFailed { slot, reason }, _) => {
                self.work.compute_failed(slot, &reason, now, actions);
            }
            (Event::CannotLoad { slot, reason }, _) => {
                self.work.cannot_load(slot, &reason, now, actions);
            }
            // It would fail every task, and they would be taken for impossible.
            (Event::Unable { reason }, _) => self.end(ConnectionState::Broken, reason, actions),
            (Event::RetryNow, ConnectionState::Waiting { until }) => {
                self.connection =
                    ConnectionState::Waiting { until: until.min(self.next_attempt(now)) };
                self.timeout(now, actions);
            }
            (Event::RetryNow, ConnectionState::Ended) => {
                self.tabs.rejoin(now, actions);
                self.connect_soon(now, actions);
            }
            (Event::Timeout, _) => self.timeout(now, actions),
            // What arrives for a connection that is no longer in that state is late, and harmless.
            _ => {}
        }
    }

    /// When to send [`Event::Timeout`], if ever.
    pub fn next_timeout(&self) -> Option<Duration> {
        let of_connection = match self.connection {
            ConnectionState::Connecting { give_up_at } => Some(give_up_at),
            ConnectionState::Waiting { until } => Some(until),
            ConnectionState::Open { heard_at, heartbeat, welcome_by, .. } => heartbeat
                .map(|heartbeat| heartbeat.next.min(heard_at + HEARTBEAT_SILENCE_MAX))
                .or(welcome_by),
            ConnectionState::Idle | ConnectionState::Ended | ConnectionState::Broken => None,
        };
        of_connection
            .into_iter()
            .chain(self.work.next_timeout())
            .chain(self.tabs.next_timeout())
            .min()
    }

    fn timeout(&mut self, now: Duration, actions: &mut Vec<Action>) {
        match self.connection {
            ConnectionState::Connecting { give_up_at } if now >= give_up_at => {
                let seconds = CONNECT_TIMEOUT.as_secs();
                self.lost(format!("no answer within {seconds} s"), now, actions);
            }
            ConnectionState::Waiting { until } if now >= until => self.connect(now, actions),
            ConnectionState::Open { heard_at, heartbeat: Some(heartbeat), .. } => {
                if now >= heard_at + HEARTBEAT_SILENCE_MAX {
                    let seconds = HEARTBEAT_SILENCE_MAX.as_secs();
                    self.lost(format!("nothing heard for {seconds} s"), now, actions);
                } else if now >= heartbeat.next {
                    self.beat(now, actions);
                }
            }
            ConnectionState::Open { welcome_by: Some(by), .. } if now >= by => {
                let seconds = CONNECT_TIMEOUT.as_secs();
                self.lost(format!("no welcome within {seconds} s"), now, actions);
            }
            _ => {}
        }
        self.work.timeout(now, actions);
        self.tabs.timeout(now, actions);
        self.share_out(now, actions);
    }
}
