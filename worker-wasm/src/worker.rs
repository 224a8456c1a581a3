//! The worker's behaviour: connect, take tasks and leases, have them computed, answer, reconnect;
//! all within what a person lends.
//!
//! A shell calls [`Worker::handle`] with each [`Event`] and carries out the [`Action`]s in their
//! order; at [`Worker::next_timeout`] it sends [`Event::Timeout`]. Times are durations since an
//! origin that the shell chooses once.

use crate::backoff::Backoff;
use crate::pace::Share;
use crate::tabs::Tabs;
use crate::work::{About, Computed, Work, notice, refuse, release};
use std::time::Duration;
use tequio_protocol::limits::{
    AGENT_CHARS_MAX, ASLEEP_AFTER, BACKOFF_RESET_AFTER, CONNECT_INTERVAL_MIN, CONNECT_TIMEOUT,
    FRAME_BYTES_MAX, HEARTBEAT, HEARTBEAT_SILENCE_MAX, SLOTS_MAX,
};
use tequio_protocol::message::{
    DurationMs, ErrorCode, Hello, Lease, MessageKind, PROTOCOL, ReadError, ServerMessage, Welcome,
    WorkerMessage, close_code,
};
use tequio_protocol::op::Op;
use tequio_protocol::page::{Allowance, ToPage};
use tequio_protocol::piece::{Piece, PieceResults};
use tequio_protocol::text::{printable, quote};

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
    will: Will,
    allowance: Allowance,
    tabs: Tabs,
    /// Slots and tabs, as the page was last told.
    told: Option<(u32, u32)>,
    backoff: Backoff,
    link: Link,
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

#[derive(Clone, Copy, Debug, PartialEq)]
enum Link {
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
            will: Will::Stopped,
            allowance: Allowance { cores: 1, share_percent: 100 },
            tabs: Tabs::default(),
            told: None,
            backoff: Backoff::new(seed),
            link: Link::Idle,
            session: None,
            attempts: 0,
            last_attempt: None,
            due: None,
            work: Work::new(printable(agent, AGENT_CHARS_MAX)),
        }
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
            self.take(event, now, &mut actions);
        }
        if self.will == Will::Stopping && self.work.is_empty() && self.link != Link::Broken {
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

    fn take(&mut self, event: Event, now: Duration, actions: &mut Vec<Action>) {
        match (event, self.link) {
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
            (Event::Opened, Link::Connecting { .. }) => self.opened(now, actions),
            (Event::Text(text), Link::Open { .. }) => {
                self.heard(now);
                self.read(&text, now, actions);
            }
            (Event::Binary { bytes }, Link::Open { .. }) => {
                self.heard(now);
                notice(actions, format!("Ignored a binary frame of {bytes} bytes"));
            }
            (Event::Closed { code, reason }, Link::Connecting { .. } | Link::Open { .. }) => {
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
            // It would fail every task, and they would be taken for impossible.
            (Event::Unable { reason }, _) => self.end(Link::Broken, reason, actions),
            (Event::RetryNow, Link::Waiting { until }) => {
                self.link = Link::Waiting { until: until.min(self.next_attempt(now)) };
                self.timeout(now, actions);
            }
            (Event::RetryNow, Link::Ended) => {
                self.tabs.rejoin(now, actions);
                self.connect_soon(now, actions);
            }
            (Event::Timeout, _) => self.timeout(now, actions),
            // What arrives for a link that is no longer in that state is late, and harmless.
            _ => {}
        }
    }

    /// When to send [`Event::Timeout`], if ever.
    pub fn next_timeout(&self) -> Option<Duration> {
        let of_link = match self.link {
            Link::Connecting { give_up_at } => Some(give_up_at),
            Link::Waiting { until } => Some(until),
            Link::Open { heard_at, heartbeat, welcome_by, .. } => heartbeat
                .map(|heartbeat| heartbeat.next.min(heard_at + HEARTBEAT_SILENCE_MAX))
                .or(welcome_by),
            Link::Idle | Link::Ended | Link::Broken => None,
        };
        of_link.into_iter().chain(self.work.next_timeout()).chain(self.tabs.next_timeout()).min()
    }

    // ---- The person -----------------------------------------------------------------------------

    fn start(&mut self, start: Start, now: Duration, actions: &mut Vec<Action>) {
        if self.link == Link::Broken {
            return;
        }
        let Start { worker, tab, allowance } = start;
        self.name = worker;
        if let Some(tab) = tab {
            self.tabs.join(&tab, now, actions);
        }
        self.will = Will::Working;
        self.work.go_on_after_all();
        self.told = None;
        self.allow(allowance, now, actions);
        if matches!(self.link, Link::Idle | Link::Ended) {
            self.connect_soon(now, actions);
        }
    }

    fn allow(&mut self, allowance: Allowance, now: Duration, actions: &mut Vec<Action>) {
        self.allowance = allowance;
        self.work.set_share(Share::from_percent(allowance.share_percent));
        self.share_out(now, actions);
    }

    /// Gives this tab its part of the cores.
    fn share_out(&mut self, now: Duration, actions: &mut Vec<Action>) {
        if self.will != Will::Working {
            return;
        }
        let slots = match self.name {
            Some(_) => self.tabs.part_of(self.allowance.cores.clamp(1, SLOTS_MAX)),
            // One task at a time is all that plain mode knows.
            None => 1,
        };
        if slots != self.work.lent() {
            self.work.set_slots(slots, now, actions);
        }
        self.tell_slots(actions);
        let told = (slots, self.tabs.count());
        if self.told != Some(told) {
            self.told = Some(told);
            actions.push(Action::Tell(ToPage::Lent { slots: told.0, tabs: told.1 }));
        }
    }

    /// Slots that the server is to lend for.
    fn slots_offered(&self) -> u32 {
        if self.will == Will::Working { self.work.lent() } else { 0 }
    }

    fn tell_slots(&mut self, actions: &mut Vec<Action>) {
        let offered = self.slots_offered();
        if let Link::Open { slots: Some(known), .. } = &mut self.link
            && *known != offered
        {
            *known = offered;
            actions.push(Action::Send(WorkerMessage::Slots { n: offered }.write()));
        }
    }

    /// Takes nothing more on.
    fn wind_up(&mut self, actions: &mut Vec<Action>) {
        if self.will == Will::Stopped || self.link == Link::Broken {
            return;
        }
        self.will = Will::Stopping;
        self.tell_slots(actions);
        if !matches!(self.link, Link::Open { .. }) {
            // Nobody is there to take what is left.
            self.stop(actions);
        }
    }

    fn stop(&mut self, actions: &mut Vec<Action>) {
        self.will = Will::Stopped;
        self.work.clear(actions);
        self.tabs.leave(actions);
        self.session = None;
        if !matches!(self.link, Link::Idle | Link::Ended) {
            actions.push(Action::Disconnect);
        }
        self.link = Link::Idle;
        actions.push(Action::Tell(ToPage::Paused));
    }

    // ---- The browser ----------------------------------------------------------------------------

    fn suspend(&mut self, actions: &mut Vec<Action>) {
        match self.will {
            Will::Working => {
                self.will = Will::Suspended;
                self.tell_slots(actions);
                self.work.drain(actions);
                self.tabs.leave(actions);
            }
            Will::Stopping => self.stop(actions),
            Will::Stopped | Will::Suspended => {}
        }
    }

    fn resume(&mut self, now: Duration, actions: &mut Vec<Action>) {
        if self.will == Will::Suspended {
            self.will = Will::Working;
            if !matches!(self.link, Link::Ended | Link::Broken) {
                self.tabs.rejoin(now, actions);
            }
        }
        if self.will == Will::Working {
            self.reconnect(now, actions);
            self.share_out(now, actions);
        }
    }

    /// The clock has jumped: this worker was frozen, or the machine was asleep.
    fn woke(&mut self, now: Duration, actions: &mut Vec<Action>) {
        self.work.woke(now);
        if self.will == Will::Working {
            self.reconnect(now, actions);
        }
    }

    /// The server may have given this worker up long ago without its having heard of that.
    fn reconnect(&mut self, now: Duration, actions: &mut Vec<Action>) {
        match self.link {
            Link::Open { .. } | Link::Connecting { .. } => {
                self.work.lost(self.session.is_some(), now);
                actions.push(Action::Disconnect);
                self.connect_soon(now, actions);
            }
            Link::Waiting { .. } => self.connect_soon(now, actions),
            Link::Idle | Link::Ended | Link::Broken => {}
        }
    }

    // ---- The link -------------------------------------------------------------------------------

    /// Connects at once, but not twice in a moment.
    fn connect_soon(&mut self, now: Duration, actions: &mut Vec<Action>) {
        self.backoff.reset();
        self.attempts = 0;
        let until = self.next_attempt(now);
        self.link = Link::Waiting { until };
        if until <= now {
            self.connect(now, actions);
        }
    }

    /// When the next attempt may be, at the earliest.
    fn next_attempt(&self, now: Duration) -> Duration {
        self.last_attempt.map_or(now, |last| now.max(last + CONNECT_INTERVAL_MIN))
    }

    fn connect(&mut self, now: Duration, actions: &mut Vec<Action>) {
        self.attempts = self.attempts.saturating_add(1);
        self.last_attempt = Some(now);
        self.link = Link::Connecting { give_up_at: now + CONNECT_TIMEOUT };
        actions.push(Action::Tell(ToPage::Connecting { attempt: self.attempts }));
        actions.push(Action::Connect);
    }

    fn opened(&mut self, now: Duration, actions: &mut Vec<Action>) {
        self.share_out(now, actions);
        let slots = self.name.as_ref().map(|_| self.slots_offered());
        let welcome_by = self.session.as_ref().map(|_| now + CONNECT_TIMEOUT);
        let (since, heard_at, heartbeat) = (now, now, None);
        self.link = Link::Open { since, heard_at, heartbeat, welcome_by, slots };
        self.work.opened(self.session.is_some());
        actions.push(Action::Tell(ToPage::Connected));
        if let (Some(name), Some(slots)) = (&self.name, slots) {
            let hello = Hello {
                protocol: PROTOCOL,
                agent: self.work.agent().to_owned(),
                slots,
                worker: name.clone(),
                ops: Op::ALL.iter().map(|op| op.name().to_owned()).collect(),
                resume: self.session.clone(),
            };
            actions.push(Action::Send(WorkerMessage::Hello(hello).write()));
        }
    }

    fn heard(&mut self, now: Duration) {
        if let Link::Open { heard_at, .. } = &mut self.link {
            *heard_at = now;
        }
    }

    fn closed(&mut self, code: u16, reason: &str, now: Duration, actions: &mut Vec<Action>) {
        // It would end the same way again: something here computes wrong, or is too old or too new.
        let text = match code {
            close_code::TURNED_AWAY => "The server has turned this worker away",
            close_code::UNSUPPORTED_PROTOCOL => "The server is of another version",
            _ => return self.lost(closed_because(code, reason), now, actions),
        };
        self.end(Link::Ended, format!("{text}: {}", quote(reason)), actions);
    }

    /// Until a person asks again ([`Link::Ended`]), or for good: what is told is to mend.
    fn end(&mut self, link: Link, text: String, actions: &mut Vec<Action>) {
        self.work.clear(actions);
        self.tabs.leave(actions);
        self.session = None;
        self.link = link;
        actions.push(Action::Disconnect);
        let can_retry = link == Link::Ended;
        actions.push(Action::Tell(ToPage::Failed { text, can_retry }));
    }

    /// The link is gone, and what waited with it.
    fn lost(&mut self, reason: String, now: Duration, actions: &mut Vec<Action>) {
        if let Link::Open { since, .. } = self.link
            && now.saturating_sub(since) >= BACKOFF_RESET_AFTER
        {
            self.backoff.reset();
            self.attempts = 0;
        }
        self.work.lost(self.session.is_some(), now);
        actions.push(Action::Disconnect);
        if self.will == Will::Stopping {
            // What was left to finish is the server's again.
            self.link = Link::Idle;
            return self.stop(actions);
        }
        let until = (now + self.backoff.draw()).max(self.next_attempt(now));
        self.link = Link::Waiting { until };
        let retry_in_ms = (until - now).as_secs_f64() * 1000.0;
        actions.push(Action::Tell(ToPage::Disconnected { reason, retry_in_ms }));
    }

    fn timeout(&mut self, now: Duration, actions: &mut Vec<Action>) {
        match self.link {
            Link::Connecting { give_up_at } if now >= give_up_at => {
                let seconds = CONNECT_TIMEOUT.as_secs();
                self.lost(format!("no answer within {seconds} s"), now, actions);
            }
            Link::Waiting { until } if now >= until => self.connect(now, actions),
            Link::Open { heard_at, heartbeat: Some(heartbeat), .. } => {
                if now >= heard_at + HEARTBEAT_SILENCE_MAX {
                    let seconds = HEARTBEAT_SILENCE_MAX.as_secs();
                    self.lost(format!("nothing heard for {seconds} s"), now, actions);
                } else if now >= heartbeat.next {
                    self.beat(now, actions);
                }
            }
            Link::Open { welcome_by: Some(by), .. } if now >= by => {
                let seconds = CONNECT_TIMEOUT.as_secs();
                self.lost(format!("no welcome within {seconds} s"), now, actions);
            }
            _ => {}
        }
        self.work.timeout(now, actions);
        self.tabs.timeout(now, actions);
        self.share_out(now, actions);
    }

    fn beat(&mut self, now: Duration, actions: &mut Vec<Action>) {
        if let Link::Open { heartbeat: Some(heartbeat), .. } = &mut self.link {
            heartbeat.next = now + heartbeat.every;
            self.work.heartbeat();
            actions.push(Action::Send(WorkerMessage::Heartbeat.write()));
        }
    }

    // ---- Messages -------------------------------------------------------------------------------

    fn read(&mut self, text: &str, now: Duration, actions: &mut Vec<Action>) {
        if text.len() > FRAME_BYTES_MAX {
            let bytes = text.len();
            return notice(
                actions,
                format!("Ignored a frame of {bytes} bytes; the limit is {FRAME_BYTES_MAX}"),
            );
        }
        match ServerMessage::read(text) {
            Ok(ServerMessage::Task(task)) => {
                // Who stops answers nothing new; there is no way to say so in plain mode.
                if self.will == Will::Working {
                    self.work.take_task(task, now, actions);
                }
            }
            Ok(ServerMessage::Lease(lease)) => self.lease(lease, now, actions),
            Ok(ServerMessage::Revoke { lease }) => self.work.revoke(lease, now),
            Ok(ServerMessage::Welcome(welcome)) => self.welcome(welcome, now, actions),
            Ok(ServerMessage::Heartbeat) => self.work.heartbeat_answered(),
            Ok(ServerMessage::Error(error)) => {
                if let (ErrorCode::UnknownLease, Some(lease)) = (error.code, error.lease) {
                    // The server takes nothing more of it.
                    self.work.revoke(lease, now);
                }
                notice(actions, format!("The server says: {}", quote(&error.message)));
            }
            Err(ReadError::Invalid { kind: MessageKind::Task, task_id, reason, .. }) => {
                notice(actions, format!("Refused a task: {reason}"));
                refuse(actions, ErrorCode::BadTask, reason, About::Task(task_id));
            }
            Err(ReadError::Invalid { kind: MessageKind::Lease, lease, reason, .. }) => {
                notice(actions, format!("Refused a lease: {reason}"));
                refuse(actions, ErrorCode::BadLease, reason, About::Lease(lease));
            }
            Err(ReadError::Invalid { kind: MessageKind::Welcome, reason, .. })
                if self.name.is_some() =>
            {
                self.reject_server(format!("its welcome cannot be read: {reason}"), actions);
            }
            Err(error) => notice(actions, format!("Ignored a frame: {error}")),
        }
    }

    fn lease(&mut self, lease: Lease, now: Duration, actions: &mut Vec<Action>) {
        if self.will == Will::Working {
            self.work.take_lease(lease, now, actions);
        } else {
            // It was on its way when the server was told.
            release(lease.lease, actions);
        }
    }

    fn welcome(&mut self, welcome: Welcome, now: Duration, actions: &mut Vec<Action>) {
        if self.name.is_none() {
            return notice(actions, "Ignored a welcome that nobody had asked for".to_owned());
        }
        if welcome.protocol != PROTOCOL {
            let theirs = welcome.protocol;
            let said =
                format!("it speaks protocol {theirs}, this page {PROTOCOL}; reload the page");
            return self.reject_server(said, actions);
        }
        if let Link::Open { heartbeat, welcome_by, .. } = &mut self.link {
            *welcome_by = None;
            // Often enough that the answers keep the silence away, whatever the server asks for.
            let every = Duration::from_secs(welcome.heartbeat_s.max(1)).min(HEARTBEAT);
            *heartbeat = Some(Heartbeat { every, next: now + every });
        }
        self.session = welcome.session;
        self.work.resumed(welcome.resumed, now, actions);
    }

    /// The server and this worker would go on misunderstanding each other.
    fn reject_server(&mut self, why: String, actions: &mut Vec<Action>) {
        refuse(actions, ErrorCode::UnsupportedProtocol, why.clone(), About::Nothing);
        self.end(Link::Ended, format!("The server is of another version: {why}"), actions);
    }
}

/// The close code and reason, for people (codes: RFC 6455, section 7.4.1).
fn closed_because(code: u16, reason: &str) -> String {
    let meaning = match code {
        1000 => "closed",
        1001 => "the server is going away",
        1006 => "no connection",
        1009 => "a message was too long",
        1011 => "the server failed",
        1012 => "the server restarts",
        _ => "closed by the server",
    };
    if reason.is_empty() {
        format!("{meaning} ({code})")
    } else {
        format!("{meaning} ({code} {})", quote(reason))
    }
}

#[cfg(test)]
mod person_tests;
#[cfg(test)]
mod tests;
