//! One worker that is connected.

use super::rate::Rate;
use crate::agent::Agent;
use crate::connection::Peer;
use crate::pace::Pace;
use std::collections::VecDeque;
use std::time::Duration;
use tequio_protocol::api::{Pulse, WorkerView};
use tequio_protocol::ids::{LeaseId, TaskId, WorkerId};
use tequio_protocol::limits::{PLAIN_REVOKED_MAX, SERVICE_LINE_PACE, SERVICE_LINES_BURST};
use tequio_protocol::message::Hello;
use tequio_protocol::op::{Exactness, Op};
use tequio_scheduler::{SessionId, Skills};

/// The id of the welcome task, which is every connection's first.
const WELCOME_TASK_ID: TaskId = TaskId(1);

#[derive(Debug)]
pub(super) struct Worker {
    pub(super) peer: Peer,
    /// What it has said hello with; none in plain mode.
    pub(super) lease_mode: Option<LeaseMode>,
    /// What it may call this connection on its next one; it has said hello.
    pub(super) session: Option<SessionId>,
    /// Whether it answered the welcome task, on an earlier connection perhaps, or there is none.
    pub(super) is_welcome: bool,
    pub(super) held: Option<Held>,
    /// When it is looked whether it still has that.
    pub(super) look_at: Option<Duration>,
    /// Tasks of plain mode that others have done meanwhile, and that it will answer all the same.
    superseded: VecDeque<TaskId>,
    next_task: u64,
    connected_at: Duration,
    /// When something of it arrived last, whatever it was.
    pub(super) heard_at: Duration,
    pub(super) tasks: u64,
    results: u64,
    rate: Rate,
    pub(super) errors: u64,
    pub(super) refused: u64,
    pub(super) lag: Option<Duration>,
    /// What the console says of its tasks of plain mode.
    lines: Pace<Duration>,
    /// Tasks since the last that the console showed.
    unshown: u64,
}

/// What is kept of a worker's hello for as long as it is connected: what somebody asks for.
#[derive(Debug)]
pub(super) struct LeaseMode {
    pub(super) slots: u32,
    /// The ops that it knows.
    pub(super) skills: Skills,
}

/// The one task of a plain worker.
#[derive(Debug)]
pub(super) struct Held {
    pub(super) task_id: TaskId,
    pub(super) op: &'static dyn Op,
    pub(super) input: String,
    /// None for the welcome task.
    pub(super) lease: Option<(LeaseId, u64)>,
    /// When its worker has had it for too long.
    pub(super) until: Duration,
    /// Whether the console showed it, and is to show its result.
    pub(super) is_shown: bool,
}

impl LeaseMode {
    pub(super) fn new(hello: &Hello) -> LeaseMode {
        LeaseMode { slots: hello.slots, skills: Skills::named(&hello.ops) }
    }

    pub(super) fn knows_an_op(&self) -> bool {
        !self.skills.is_empty()
    }
}

impl Worker {
    /// One that has just connected; whether there is no welcome task that it has to answer first.
    pub(super) fn new(peer: Peer, is_welcome: bool, now: Duration) -> Worker {
        Worker {
            peer,
            lease_mode: None,
            session: None,
            is_welcome,
            held: None,
            look_at: None,
            superseded: VecDeque::new(),
            next_task: WELCOME_TASK_ID.0,
            connected_at: now,
            heard_at: now,
            tasks: 0,
            results: 0,
            rate: Rate::default(),
            errors: 0,
            refused: 0,
            lag: None,
            lines: Pace::new(SERVICE_LINES_BURST, SERVICE_LINE_PACE, now),
            unshown: 0,
        }
    }

    /// Whether it is lent leases: it has said hello.
    pub(super) fn is_in_lease_mode(&self) -> bool {
        self.lease_mode.is_some()
    }

    /// How many tasks it computes at once.
    pub(super) fn slots(&self) -> u32 {
        self.lease_mode.as_ref().map_or(1, |mode| mode.slots)
    }

    /// A result names the user agent that it comes from; whether that is news.
    pub(super) fn update_agent(&mut self, agent: Option<&str>) -> bool {
        let Some(agent) = agent.filter(|agent| self.peer.agent.as_deref() != Some(*agent)) else {
            return false;
        };
        self.peer.agent = Some(tequio_protocol::text::agent(agent));
        true
    }

    /// How near its results of single tasks must be to ours.
    pub(super) fn exactness(&self) -> Exactness {
        if self.is_in_lease_mode() { Exactness::Exact } else { Exactness::Close }
    }

    /// Results of it were accepted.
    pub(super) fn count_results(&mut self, count: u64, now: Duration) {
        self.results += count;
        self.rate.count(now, count);
    }

    /// Holds a task of plain mode from now on: a lease and an index, or none for the welcome task. Gives
    /// its id and, if the console is to show it, how many before it were not shown.
    pub(super) fn hold(
        &mut self,
        op: &'static dyn Op,
        input: String,
        lease: Option<(LeaseId, u64)>,
        now: Duration,
    ) -> (TaskId, Option<u64>) {
        let task_id = TaskId(self.next_task);
        self.next_task += 1;
        self.tasks += 1;
        let is_shown = self.lines.take(now);
        self.held = Some(Held { task_id, op, input, lease, until: now, is_shown });
        if !is_shown {
            self.unshown += 1;
            return (task_id, None);
        }
        (task_id, Some(std::mem::take(&mut self.unshown)))
    }

    /// Others have done what it holds of a lease: what it answers is dropped.
    pub(super) fn supersede(&mut self, lease: LeaseId) {
        let is_it = |held: &mut Held| held.lease.is_some_and(|(of, _)| of == lease);
        if let Some(held) = self.held.take_if(is_it) {
            if self.superseded.len() >= PLAIN_REVOKED_MAX {
                self.superseded.pop_front();
            }
            self.superseded.push_back(held.task_id);
        }
    }

    /// It has answered a task; whether others had done that.
    pub(super) fn take_superseded(&mut self, task_id: TaskId) -> bool {
        let at = self.superseded.iter().position(|superseded| *superseded == task_id);
        at.and_then(|at| self.superseded.remove(at)).is_some()
    }

    /// When it has had its task of a job for too long, if it has one. The welcome task may take for
    /// ever: nobody waits for it.
    pub(super) fn owed_until(&self) -> Option<Duration> {
        let held = self.held.as_ref().filter(|held| held.lease.is_some());
        held.filter(|_| !self.is_in_lease_mode()).map(|held| held.until)
    }

    /// How it is shown, `leases` being what is out to it.
    pub(super) fn view(&self, id: WorkerId, leases: u32, now: Duration) -> WorkerView {
        let Agent { kind, program, system } = Agent::parse(self.peer.agent.as_deref());
        WorkerView {
            pulse: self.pulse(id, leases, now),
            address: self.peer.address.to_string(),
            path: self.peer.path.clone(),
            agent: self.peer.agent.clone(),
            kind,
            program,
            system: system.to_owned(),
            connected_s: now.saturating_sub(self.connected_at).as_secs_f64(),
            slots: self.slots(),
        }
    }

    /// What of that changes while it computes.
    pub(super) fn pulse(&self, id: WorkerId, leases: u32, now: Duration) -> Pulse {
        Pulse {
            id,
            idle_s: now.saturating_sub(self.heard_at).as_secs_f64(),
            lag_ms: self.lag.map(|lag| lag.as_secs_f64() * 1000.0),
            leases,
            tasks: self.tasks,
            results: self.results,
            rate: self.rate.per_second(now),
            errors: self.errors,
            refused: self.refused,
        }
    }
}
