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
use tequio_protocol::outcome::{Outcome, OutcomeRef, Outcomes, show_result};
use tequio_protocol::piece::Piece;
use tequio_protocol::text::quote;
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
        let how = if worker.is_in_lease_mode() { Exactness::Exact } else { Exactness::Close };
        let expected = Piece::of_one(held.op, &held.input).compute();
        let claimed = Outcome::Result(result.result.json());
        if held.op.agrees(expected.get(0), claimed, how) {
            self.right_result(id, &held, &result, expected.get(0), now);
        } else {
            self.wrong_result(id, held, &result, now.at);
        }
    }

    fn right_result(
        &mut self,
        id: WorkerId,
        held: &Held,
        result: &TaskResult,
        expected: OutcomeRef<'_>,
        now: Now,
    ) {
        let Some(worker) = self.workers.get_mut(&id) else { return };
        worker.count_results(1, now.at);
        if held.is_shown {
            let (task_id, result_said) = (held.task_id, result.result.json());
            // `null` is what JSON makes of a number that it cannot hold.
            let shown = if result_said == "null" { expected } else { Outcome::Result(result_said) };
            let duration = result.duration_ms.map_or("?".to_owned(), |ms| ms.to_string());
            let agent = worker.peer.agent.as_deref().unwrap_or("?");
            info!(
                "[#{id}] result task_id={task_id} result={} duration_ms={duration} agent={agent}",
                shown.show()
            );
        }
        match held.lease {
            // One that goes on with a session has begun already.
            None if worker.is_welcome => {}
            None => {
                worker.is_welcome = true;
                self.begin(id, now.at);
            }
            Some((lease, index)) => {
                let duration = duration_of(result.duration_ms);
                let answer = answer(result);
                let judged = self.scheduler.results(id, lease, index, answer, duration, now.at);
                self.follow_up(id, lease, judged, result.duration_ms, now);
            }
        }
    }

    fn wrong_result(&mut self, id: WorkerId, held: Held, result: &TaskResult, now: Duration) {
        let Some(worker) = self.workers.get_mut(&id) else { return };
        let task_id = held.task_id;
        let (input, got) = (held.op.show_input(&held.input), result.result.json());
        let message = format!("task {task_id} is {input}, which is not {}", show_result(got));
        let Some((lease, index)) = held.lease else {
            // A wrong number does not give the welcome task up: the worker may answer again.
            worker.held = Some(held);
            return self.refuse_task(id, ErrorCode::WrongResult, message, task_id, now);
        };
        worker.errors += 1;
        let refused = self.scheduler.results(id, lease, index, answer(result), None, now);
        self.live.stream.ended(id, lease, HowEnded::Lost, now);
        self.count_refusal(&refused);
        self.refuse_task(id, ErrorCode::WrongResult, message, task_id, now);
        if refused.is_err_and(|refusal| refusal.is_turned_away) {
            self.turn_away(id, TOO_MANY_FAULTS, now);
        }
    }
}

/// What is wrong with a result that is none of its op, whatever the input is. `null` is what JSON makes of a
/// number that it cannot hold.
fn not_a_result(op: &'static dyn Op, result: &TaskResult) -> Option<String> {
    let said = result.result.json();
    let is_one = said == "null" || op.canonical(said).is_some();
    (!is_one).then(|| format!("bad result: {} is no result of {}", quote(said), op.name()))
}

fn answer(result: &TaskResult) -> Outcomes {
    [Outcome::Result(result.result.json())].into_iter().collect()
}
