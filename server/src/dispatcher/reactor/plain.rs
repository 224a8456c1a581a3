//! Plain mode: one task at a time, each of whose results the server computes as well.

use super::answers::duration_of;
use super::refusals::TOO_MANY_FAULTS;
use super::worker::Held;
use super::{Now, Reactor};
use crate::scheduler::PLAIN_TOLERANCE;
use std::time::Duration;
use tequio_protocol::ids::{LeaseId, TaskId, WorkerId};
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
        let task_id = TaskId(worker.next_task);
        worker.next_task += 1;
        worker.tasks += 1;
        let is_told = worker.told.take(now);
        worker.held = Some(Held { task_id, input, lease, until: now, is_told });
        if !is_told {
            worker.untold += 1;
        } else {
            match std::mem::take(&mut worker.untold) {
                0 => info!("[#{id}] task sent task_id={task_id}"),
                untold => info!("[#{id}] task sent task_id={task_id} (and {untold} before)"),
            }
        }
        self.send(id, ServerMessage::Task(Task { op, task_id, input }));
        self.watch_owed(id, now);
    }

    pub(super) fn result(&mut self, id: WorkerId, result: TaskResult, now: Now) {
        let Some(worker) = self.workers.get_mut(&id) else { return };
        let task_id = result.task_id;
        if let Some(at) = worker.needless.iter().position(|needless| *needless == task_id) {
            worker.needless.remove(at);
            self.metrics.duplicates.inc();
            return;
        }
        let Some(held) = worker.held.take_if(|held| held.task_id == task_id) else {
            let message = format!("task {task_id} is not waited for: unknown, or answered before");
            return self.refuse_task(id, ErrorCode::UnknownTask, message, task_id, now.at);
        };
        if let Some(agent) = &result.agent
            && worker.peer.agent.as_deref() != Some(agent)
        {
            worker.peer.agent = Some(tequio_protocol::text::agent(agent));
            self.live.changed.insert(id);
        }
        let expected = Number(held.input.compute());
        let is_exact = worker.hello.is_some();
        if !is_right(result.result, expected, is_exact) {
            let got = result.result.map_or("null".to_owned(), |number| number.to_string());
            let message = format!("task {task_id} is {}, which is not {got}", held.input);
            match held.lease {
                // A wrong number does not give the welcome task up: the worker may answer again.
                None => worker.held = Some(held),
                Some((lease, index)) => {
                    let wrong = result.result.unwrap_or(Number(f64::NAN));
                    let answer = if wrong == expected { Number(f64::NAN) } else { wrong };
                    let answers = [answer].into_iter().collect();
                    worker.errors += 1;
                    let refused = self.scheduler.results(id, lease, index, answers, None, now.at);
                    self.live.stream.ended(id, lease, HowEnded::Lost, now.at);
                    self.count_refusal(&refused);
                    if refused.is_err_and(|refusal| refusal.is_turned_away) {
                        self.refuse_task(id, ErrorCode::WrongResult, message, task_id, now.at);
                        return self.turn_away(id, TOO_MANY_FAULTS, now.at);
                    }
                }
            }
            return self.refuse_task(id, ErrorCode::WrongResult, message, task_id, now.at);
        }
        worker.results += 1;
        worker.rate.count(now.at, 1);
        let number = result.result.unwrap_or(expected);
        if held.is_told {
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
                let taken = self.scheduler.results(id, lease, index, answer, duration, now.at);
                self.take(id, lease, taken, result.duration_ms, now);
            }
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
