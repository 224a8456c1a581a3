//! What comes from the slots, and is sent to the server.

use super::replies::{About, notice, refuse, release};
use super::slot::{Fate, Held, Item, Running, Slot, State};
use super::{Computed, Uplink, Work};
use crate::pace::Share;
use crate::worker::Action;
use std::ops::Range;
use std::time::Duration;
use tequio_protocol::message::{ErrorCode, Lease, Task, TaskFailed, TaskResult, WorkerMessage};
use tequio_protocol::outcome::Outcome;
use tequio_protocol::page::ToPage;
use tequio_protocol::text::quote;
use tequio_protocol::values::Value;

impl Work {
    pub(crate) fn computed(
        &mut self,
        computed: &Computed,
        now: Duration,
        actions: &mut Vec<Action>,
    ) {
        let slot = computed.slot;
        let Some(running) = self.take_running(slot) else { return };
        let done_before = actions.len();
        let took = Duration::from_secs_f64(computed.duration.get() / 1000.0);
        let turn = match self.share {
            // Two clocks are compared below, and one grain of theirs would be a pause.
            Share::WHOLE => now,
            share => self.slots[slot].pace.computed(running.began, took, now, share),
        };
        let Running { item, tasks, fate, .. } = running;
        let count = tasks.end - tasks.start;
        let mut goes_on = None;
        match item {
            _ if fate == Fate::Dropped => {}
            Item::Task(task) => match computed.results.only() {
                Outcome::Result(result) => self.send_result(&task, result, computed, actions),
                Outcome::Error(error) => refuse_task(&task, error, actions),
            },
            Item::Lease(mut held) => {
                self.piece_sizes.measure(held.lease.job, count, took);
                self.send_results(&held, &tasks, computed, actions);
                held.reported_at = now;
                goes_on = self.advance(held, count, fate, actions);
            }
        }
        self.rest_or_go_on(slot, turn, goes_on, now, actions);
        // First of all the slot goes on: to send its results takes as long as to compute some.
        let is_compute = |action: &Action| matches!(action, Action::Compute { .. });
        let (first, later): (Vec<_>, Vec<_>) = actions.drain(done_before..).partition(is_compute);
        actions.extend(first.into_iter().chain(later));
    }

    /// A slot's piece waits for the slot's program.
    pub(crate) fn waits(&mut self, slot: usize, now: Duration) {
        self.begin_anew(slot, now, true);
    }

    /// A slot's piece, which has waited, is being computed.
    pub(crate) fn began(&mut self, slot: usize, now: Duration) {
        self.begin_anew(slot, now, false);
    }

    fn begin_anew(&mut self, slot: usize, now: Duration, is_waiting: bool) {
        if let Some(Slot { state: State::Running(running), .. }) = self.slots.get_mut(slot)
            && !(is_waiting && running.is_waiting)
        {
            running.is_waiting = is_waiting;
            running.began = now;
            if running.fate == Fate::GoesOn {
                running.end_at = now + running.time_max();
            }
        }
    }

    /// A piece could not be computed. Of several blocks any may be the one at fault, so they are
    /// computed again one by one; the one that fails by itself is reported.
    pub(crate) fn compute_failed(
        &mut self,
        slot: usize,
        reason: &str,
        now: Duration,
        actions: &mut Vec<Action>,
    ) {
        let Some(Running { item, tasks, fate, is_waiting, .. }) = self.take_running(slot) else {
            return;
        };
        let count = tasks.end - tasks.start;
        let mut goes_on = None;
        match item {
            _ if matches!(fate, Fate::Dropped | Fate::Orphan) => {}
            // Who pauses, or has no program, does not say that a task cannot be computed.
            Item::Task(_) if fate == Fate::Last || is_waiting => {}
            Item::Lease(held) if fate == Fate::Last || is_waiting => {
                release(held.lease.lease, actions);
            }
            Item::Task(task) => refuse_task(&task, reason, actions),
            Item::Lease(mut held) if count > held.lease.block => {
                held.singly_until = tasks.end;
                goes_on = Some(held);
            }
            Item::Lease(mut held) => {
                let (job, index) = (held.lease.job, held.next);
                notice(actions, format!("Task {index} of job {job} failed: {}", quote(reason)));
                let lease = held.lease.lease;
                let failed = TaskFailed { lease, index, error: reason.to_owned() };
                actions.push(Action::Send(WorkerMessage::Failed(failed).write()));
                held.reported_at = now;
                goes_on = self.advance(held, count, fate, actions);
            }
        }
        self.rest_or_go_on(slot, now, goes_on, now, actions);
    }

    /// A piece waited for code that cannot be had here: others may have it.
    pub(crate) fn cannot_load(
        &mut self,
        slot: usize,
        reason: &str,
        now: Duration,
        actions: &mut Vec<Action>,
    ) {
        let Some(Running { item, fate, .. }) = self.take_running(slot) else { return };
        if let Item::Lease(held) = item
            && !matches!(fate, Fate::Dropped | Fate::Orphan)
        {
            notice(actions, reason.to_owned());
            let about = About::Lease(Some(held.lease.lease));
            refuse(actions, ErrorCode::CannotLoad, reason.to_owned(), about);
        }
        self.rest_or_go_on(slot, now, None, now, actions);
    }

    /// `count` more tasks of a lease have an outcome. Gives it back to its slot if it goes on there.
    fn advance(
        &self,
        mut held: Held,
        count: u64,
        fate: Fate,
        actions: &mut Vec<Action>,
    ) -> Option<Held> {
        held.next += count;
        if held.next >= held.lease.first + held.lease.count {
            return None;
        }
        match fate {
            Fate::GoesOn => Some(held),
            Fate::Last => {
                release(held.lease.lease, actions);
                None
            }
            // The server has the rest again.
            Fate::Orphan | Fate::Dropped => None,
        }
    }

    fn send_result(
        &self,
        task: &Task,
        result: &str,
        computed: &Computed,
        actions: &mut Vec<Action>,
    ) {
        let message = WorkerMessage::Result(TaskResult {
            task_id: task.task_id,
            result: Value::new(result),
            duration_ms: Some(computed.duration),
            agent: Some(self.agent.clone()),
        });
        actions.push(Action::Send(message.write()));
        actions.push(Action::Tell(ToPage::Result {
            slot: computed.slot as u32,
            task_id: task.task_id,
            text: task.op.show_input(&task.input),
            result: computed.results.last().to_owned(),
            duration_ms: computed.duration.get(),
        }));
    }

    fn send_results(
        &mut self,
        held: &Held,
        tasks: &Range<u64>,
        computed: &Computed,
        actions: &mut Vec<Action>,
    ) {
        let Computed { slot, results, duration } = computed;
        let Lease { lease, job, op, first, inputs, .. } = &held.lease;
        let (last, agent) = (tasks.end - 1, &self.agent);
        let text = WorkerMessage::write_results(*lease, tasks.start, results, *duration, agent);
        self.sent.push(text.clone());
        if self.uplink == Uplink::Open {
            actions.push(Action::Send(text));
        }
        actions.push(Action::Tell(ToPage::Results {
            slot: *slot as u32,
            job: *job,
            last,
            count: last + 1 - tasks.start,
            text: op.show_input(&inputs.from(*first).text(op.params(), last)),
            result: results.last().to_owned(),
            duration_ms: duration.get(),
        }));
    }
}

/// A task of plain mode has no result.
fn refuse_task(task: &Task, reason: &str, actions: &mut Vec<Action>) {
    notice(actions, format!("Task {} failed: {}", task.task_id, quote(reason)));
    let about = About::Task(Some(task.task_id));
    refuse(actions, ErrorCode::ComputeFailed, reason.to_owned(), about);
}
