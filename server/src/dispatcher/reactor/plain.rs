//! Plain mode: one task at a time, each of whose results the server computes as well.

use super::answers::duration_of;
use super::refusals::TOO_MANY_FAULTS;
use super::worker::Held;
use super::{Now, Reactor};
use std::time::Duration;
use tequio_protocol::ids::{LeaseId, WorkerId};
use tequio_protocol::live::HowEnded;
use tequio_protocol::message::{ErrorCode, ServerMessage, Task, TaskResult};
use tequio_protocol::op::{Exactness, Op};
use tequio_protocol::outcome::{Outcome, Outcomes, show_result};
use tequio_protocol::piece::Piece;
use tequio_protocol::text::quote;
use tequio_scheduler::{Refusal, RefusalReason};
use tracing::info;

impl Reactor {
    pub(super) fn give(
        &mut self,
        id: WorkerId,
        op: &'static dyn Op,
        input: String,
        lease: Option<(LeaseId, u64)>,
        now: Duration,
    ) {
        let Some(worker) = self.workers.get_mut(&id) else { return };
        let (task_id, shown) = worker.hold(op, input.clone(), lease, now);
        match shown {
            None => {}
            Some(0) => info!("[#{id}] task sent task_id={task_id}"),
            Some(unshown) => info!("[#{id}] task sent task_id={task_id} (and {unshown} before)"),
        }
        self.send(id, ServerMessage::Task(Task { op, task_id, input }));
        self.watch_owed(id, now);
    }

    pub(super) fn result(&mut self, id: WorkerId, result: TaskResult, now: Now) {
        let Some(worker) = self.workers.get_mut(&id) else { return };
        let task_id = result.task_id;
        if worker.take_superseded(task_id) {
            self.metrics.duplicates.inc();
            return;
        }
        let Some(held) = worker.held.take_if(|held| held.task_id == task_id) else {
            let message = format!("task {task_id} is not waited for: unknown, or answered before");
            return self.refuse_task(id, ErrorCode::UnknownTask, message, task_id, now.at);
        };
        if let Some(message) = not_a_result(held.op, &result) {
            // It may answer again.
            worker.held = Some(held);
            return self.refuse_task(id, ErrorCode::BadResult, message, task_id, now.at);
        }
        if worker.update_agent(result.agent.as_deref()) {
            self.live.changed.insert(id);
        }
        match held.lease {
            Some(of) => self.result_of_lease(id, of, &held, &result, now),
            None => self.result_of_welcome(id, held, &result, now),
        }
    }

    fn result_of_welcome(&mut self, id: WorkerId, held: Held, result: &TaskResult, now: Now) {
        let Some(worker) = self.workers.get_mut(&id) else { return };
        if held.is_answered_by(result, worker.exactness()) {
            let is_welcome = std::mem::replace(&mut worker.is_welcome, true);
            self.show_right(id, &held, result, now);
            // One that goes on with a session has begun already.
            if !is_welcome {
                self.begin(id, now.at);
            }
            return;
        }
        let (task_id, message) = (held.task_id, held.show_wrong(result));
        // A wrong number does not give the welcome task up: the worker may answer again.
        worker.held = Some(held);
        self.refuse_task(id, ErrorCode::WrongResult, message, task_id, now.at);
    }

    fn result_of_lease(
        &mut self,
        id: WorkerId,
        (lease, index): (LeaseId, u64),
        held: &Held,
        result: &TaskResult,
        now: Now,
    ) {
        let Some(worker) = self.workers.get_mut(&id) else { return };
        let answer = [Outcome::Result(result.result.json())].into_iter().collect();
        let duration = duration_of(result.duration_ms);
        let judged = self.scheduler.results(id, lease, index, answer, duration, now.at);
        let is_right = match &judged {
            Ok(accepted) if !accepted.fresh.is_empty() => true,
            Err(Refusal { reason: RefusalReason::Wrong { .. }, .. }) => false,
            // Nobody has looked at it: it does not count any more.
            _ => held.is_answered_by(result, worker.exactness()),
        };
        if is_right {
            self.show_right(id, held, result, now);
            return self.follow_up(id, lease, judged, result.duration_ms, now);
        }
        worker.errors += 1;
        let agent = worker.peer.agent.clone().unwrap_or_default();
        self.live.stream.ended(id, lease, HowEnded::Lost, now.at);
        self.count_refusal(&judged, &agent, now.at);
        let (task_id, message) = (held.task_id, held.show_wrong(result));
        self.refuse_task(id, ErrorCode::WrongResult, message, task_id, now.at);
        if judged.is_err_and(|refusal| refusal.is_turned_away) {
            self.turn_away(id, TOO_MANY_FAULTS, now.at);
        }
    }

    fn show_right(&mut self, id: WorkerId, held: &Held, result: &TaskResult, now: Now) {
        let Some(worker) = self.workers.get_mut(&id) else { return };
        worker.count_results(1, now.at);
        if !held.is_shown {
            return;
        }
        let (task_id, said) = (held.task_id, result.result.json());
        // `null` is what JSON makes of a number that it cannot hold.
        let shown = match said {
            "null" => held.compute().get(0).show(),
            said => show_result(said),
        };
        let duration = result.duration_ms.map_or("?".to_owned(), |ms| ms.to_string());
        let agent = worker.peer.agent.as_deref().unwrap_or("?");
        info!(
            "[#{id}] result task_id={task_id} result={shown} duration_ms={duration} agent={agent}"
        );
    }
}

impl Held {
    /// What the server comes to.
    fn compute(&self) -> Outcomes {
        Piece::of_one(self.op, &self.input).compute()
    }

    fn is_answered_by(&self, result: &TaskResult, how: Exactness) -> bool {
        self.op.agrees(self.compute().get(0), Outcome::Result(result.result.json()), how)
    }

    fn show_wrong(&self, result: &TaskResult) -> String {
        let (input, got) = (self.op.show_input(&self.input), show_result(result.result.json()));
        format!("task {} is {input}, which is not {got}", self.task_id)
    }
}

/// What is wrong with a result that is none of its op, whatever the input is. `null` is what JSON makes of a
/// number that it cannot hold.
fn not_a_result(op: &'static dyn Op, result: &TaskResult) -> Option<String> {
    let said = result.result.json();
    let is_one = said == "null" || op.canonical(said).is_some();
    (!is_one).then(|| format!("bad result: {} is no result of {}", quote(said), op.name()))
}
