//! Plain mode: one task at a time, each of whose results the server computes as well.

use super::answers::duration_of;
use super::refusals::TOO_MANY_FAULTS;
use super::worker::Held;
use super::{Now, Reactor};
use crate::scheduler::PLAIN_TOLERANCE;
use std::time::Duration;
use tequio_protocol::ids::{LeaseId, WorkerId};
use tequio_protocol::live::HowEnded;
use tequio_protocol::message::{ErrorCode, ServerMessage, Task, TaskResult};
use tequio_protocol::number::Number;
use tequio_protocol::op::{Op, RepeatMultiply};
use tracing::info;

impl Reactor {
    pub(super) fn give(
        &mut self,
        id: WorkerId,
        op: Op,
        input: RepeatMultiply,
        lease: Option<(LeaseId, u64)>,
        now: Duration,
    ) {
        let Some(worker) = self.workers.get_mut(&id) else { return };
        let (task_id, shown) = worker.hold(input, lease, now);
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
        if worker.update_agent(result.agent.as_deref()) {
            self.live.changed.insert(id);
        }
        let expected = Number(held.input.compute());
        if is_right(result.result, expected, worker.is_in_lease_mode()) {
            self.right_result(id, &held, &result, expected, now);
        } else {
            self.wrong_result(id, held, &result, expected, now.at);
        }
    }

    fn right_result(
        &mut self,
        id: WorkerId,
        held: &Held,
        result: &TaskResult,
        expected: Number,
        now: Now,
    ) {
        let Some(worker) = self.workers.get_mut(&id) else { return };
        worker.count_results(1, now.at);
        let number = result.result.unwrap_or(expected);
        if held.is_shown {
            let task_id = held.task_id;
            let duration = result.duration_ms.map_or("?".to_owned(), |ms| ms.to_string());
            let agent = worker.peer.agent.as_deref().unwrap_or("?");
            info!(
                "[#{id}] result task_id={task_id} result={number} duration_ms={duration} \
                 agent={agent}"
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
                let answer = [number].into_iter().collect();
                let judged = self.scheduler.results(id, lease, index, answer, duration, now.at);
                self.follow_up(id, lease, judged, result.duration_ms, now);
            }
        }
    }

    fn wrong_result(
        &mut self,
        id: WorkerId,
        held: Held,
        result: &TaskResult,
        expected: Number,
        now: Duration,
    ) {
        let Some(worker) = self.workers.get_mut(&id) else { return };
        let task_id = held.task_id;
        let got = result.result.map_or("null".to_owned(), |number| number.to_string());
        let message = format!("task {task_id} is {}, which is not {got}", held.input);
        let Some((lease, index)) = held.lease else {
            // A wrong number does not give the welcome task up: the worker may answer again.
            worker.held = Some(held);
            return self.refuse_task(id, ErrorCode::WrongResult, message, task_id, now);
        };
        worker.errors += 1;
        let wrong = result.result.unwrap_or(Number(f64::NAN));
        let answer = if wrong == expected { Number(f64::NAN) } else { wrong };
        let answers = [answer].into_iter().collect();
        let refused = self.scheduler.results(id, lease, index, answers, None, now);
        self.live.stream.ended(id, lease, HowEnded::Lost, now);
        self.count_refusal(&refused);
        self.refuse_task(id, ErrorCode::WrongResult, message, task_id, now);
        if refused.is_err_and(|refusal| refusal.is_turned_away) {
            self.turn_away(id, TOO_MANY_FAULTS, now);
        }
    }
}

/// Whether an answer is the expected number: to the bit of a worker in lease mode, within
/// [`PLAIN_TOLERANCE`] of others. `null` is what JSON makes of a number that it cannot hold.
fn is_right(answer: Option<Number>, expected: Number, is_exact: bool) -> bool {
    match answer {
        Some(number) if is_exact => number.same_bits(expected),
        Some(number) => number.is_close(expected, PLAIN_TOLERANCE),
        None => !expected.0.is_finite(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_right_within_the_tolerance_of_plain_clients() {
        let expected = Number(1.5372656826974733);
        let is_close = |answer| is_right(answer, expected, false);
        assert!(is_close(Some(Number(1.5372656826974737))), "by 2 ulp");
        assert!(!is_right(Some(Number(1.5372656826974737)), expected, true), "not the same bits");
        assert!(is_right(Some(expected), expected, true));
        assert!(!is_close(Some(Number(1.53726568))));
        assert!(!is_close(None));
        assert!(is_right(None, Number(f64::INFINITY), false));
        assert!(is_right(None, Number(f64::NAN), false));
        assert!(!is_right(Some(Number(f64::NEG_INFINITY)), Number(f64::INFINITY), false));
    }
}
