//! What a slot does next.

use super::Work;
use super::slot::{Fate, Held, Item, Running, Slot, State};
use crate::worker::Action;
use std::time::Duration;
use tequio_protocol::limits::{DEADLINE_MIN, HOLD_MAX, PIECE, UNSENT_BYTES_MAX, UNSENT_POLL};
use tequio_protocol::message::{Lease, LeaseInputs};
use tequio_protocol::page::ToPage;
use tequio_protocol::piece::Piece;

impl Work {
    pub(super) fn running_mut(&mut self) -> impl Iterator<Item = &mut Running> {
        self.slots.iter_mut().filter_map(|slot| match &mut slot.state {
            State::Running(running) => Some(running),
            State::Resting { .. } | State::Idle => None,
        })
    }

    pub(super) fn take_running(&mut self, slot: usize) -> Option<Running> {
        let state = &mut self.slots.get_mut(slot)?.state;
        match std::mem::take(state) {
            State::Running(running) => Some(running),
            other => {
                *state = other;
                None
            }
        }
    }

    /// What comes after a piece: a pause until `turn`, or at once the next piece, of the same lease
    /// if there is one.
    pub(super) fn rest_or_go_on(
        &mut self,
        slot: usize,
        turn: Duration,
        held: Option<Held>,
        now: Duration,
        actions: &mut Vec<Action>,
    ) {
        let drained_at = if self.unsent > UNSENT_BYTES_MAX { now + UNSENT_POLL } else { now };
        let until = turn.max(drained_at);
        if slot >= self.lent {
            self.slots[slot].state = State::Resting { until, held };
            self.close(slot, actions);
            self.trim();
        } else if until > now {
            self.slots[slot].state = State::Resting { until, held };
        } else if let Some(held) = held {
            self.go_on(slot, held, now, actions);
        }
        self.fill_slots(now, actions);
        if let Some(State::Idle) = self.slots.get(slot).map(|slot| &slot.state) {
            actions.push(Action::Tell(ToPage::Idle { slot: slot as u32 }));
        }
    }

    /// Ends a slot's program. What the slot held is the others', before everything else.
    pub(super) fn close(&mut self, slot: usize, actions: &mut Vec<Action>) {
        let closed = std::mem::take(&mut self.slots[slot]);
        if let State::Resting { held: Some(held), .. } = closed.state {
            self.waiting.push_front(Item::Lease(held));
        }
        actions.push(Action::Reset { slot });
    }

    /// Forgets closed slots that no other is behind.
    pub(super) fn trim(&mut self) {
        let is_idle = |slot: &Slot| matches!(slot.state, State::Idle);
        while self.slots.len() > self.lent && self.slots.last().is_some_and(is_idle) {
            self.slots.pop();
        }
    }

    pub(super) fn fill_slots(&mut self, now: Duration, actions: &mut Vec<Action>) {
        for slot in 0..self.lent.min(self.slots.len()) {
            if matches!(self.slots[slot].state, State::Idle)
                && let Some(item) = self.waiting.pop_front()
            {
                self.begin(slot, item, now, actions);
            }
        }
    }

    fn begin(&mut self, slot: usize, item: Item, now: Duration, actions: &mut Vec<Action>) {
        match item {
            Item::Task(task) => {
                let (task_id, text) = (task.task_id, task.op.show_input(&task.input));
                actions.push(Action::Tell(ToPage::Task { slot: slot as u32, task_id, text }));
                let piece = Piece::of_one(task.op, &task.input);
                self.run(slot, Item::Task(task), piece, now, actions);
            }
            Item::Lease(held) => {
                let Lease { job, op, first, count, .. } = held.lease;
                let slot_told = slot as u32;
                actions.push(Action::Tell(ToPage::Lease {
                    slot: slot_told,
                    op: op.into(),
                    job,
                    first,
                    count,
                }));
                self.go_on(slot, held, now, actions);
            }
        }
    }

    /// Computes the next piece of a lease: whole blocks.
    fn go_on(&mut self, slot: usize, held: Held, now: Duration, actions: &mut Vec<Action>) {
        let Lease { op, job, first, count, block, inputs, .. } = &held.lease;
        let left = first + count - held.next;
        // Shorter pieces for a smaller share, so that the pauses are short as well.
        let aim = self.share.of(PIECE);
        let is_singly = held.next < held.singly_until;
        let wanted = if is_singly { *block } else { self.piece_sizes.of(*job, *block, aim) };
        let (offset, count) = (held.next - first, wanted.min(left));
        let inputs = match inputs {
            LeaseInputs::Grid(grid) => LeaseInputs::Grid(grid.clone()),
            LeaseInputs::List(inputs) => {
                LeaseInputs::List(inputs.slice(offset as usize..(offset + count) as usize))
            }
        };
        let piece = Piece { op: *op, first: held.next, count, inputs };
        self.run(slot, Item::Lease(held), piece, now, actions);
    }

    fn run(
        &mut self,
        slot: usize,
        item: Item,
        piece: Piece,
        now: Duration,
        actions: &mut Vec<Action>,
    ) {
        let tasks = piece.first..piece.first + piece.count;
        actions.push(Action::Compute { slot, piece });
        // Plain mode knows no deadline.
        let limit =
            item.lease().map_or(HOLD_MAX, |held| Duration::from_millis(held.lease.deadline_ms));
        // What a server gives less is what the way of a lease has left of its time.
        let limit = limit.clamp(DEADLINE_MIN, HOLD_MAX);
        let (began, end_at, is_waiting, fate) = (now, now + limit, false, Fate::GoesOn);
        let running = Running { item, tasks, began, limit, end_at, is_waiting, fate };
        self.slots[slot].state = State::Running(running);
    }
}
