//! The task stream: which slot was busy with a lease of which job, and when. Bounded in rows, in
//! bars and in time, whatever the number of workers.
//!
//! A lease that is lent takes a free row of its worker; where none is free it waits for one. If it
//! is answered while it waits, the worker began with it and not with one of those that have rows, so
//! it takes the place of one that nothing was heard of.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;
use tequio_protocol::ids::{JobId, LeaseId, WorkerId};
use tequio_protocol::limits::{LIVE_INTERVAL, STREAM_BARS_MAX, STREAM_ROWS_MAX, STREAM_SPAN};
use tequio_protocol::live::{Bar, BarEnd, HowEnded, StreamRows};

#[derive(Debug, Default)]
pub(super) struct Stream {
    workers: BTreeMap<WorkerId, Rows>,
    bars: BTreeMap<u64, Bar>,
    next_bar: u64,
    /// Bars that have changed since they were told of.
    changed: BTreeSet<u64>,
    rows_changed: bool,
    /// When it was looked last whether something is too old.
    forgot_at: Duration,
}

#[derive(Debug, Default)]
struct Rows {
    /// The lease on each.
    slots: Vec<Option<OnRow>>,
    waiting: VecDeque<(LeaseId, Lent)>,
    has_left: bool,
}

/// What was lent.
#[derive(Clone, Copy, Debug)]
struct Lent {
    job: JobId,
    tasks: u64,
}

#[derive(Clone, Copy, Debug)]
struct OnRow {
    lease: LeaseId,
    lent: Lent,
    bar: u64,
    is_answered: bool,
}

impl Stream {
    /// A worker of `slots` slots was lent something.
    pub(super) fn lent(
        &mut self,
        worker: WorkerId,
        slots: u32,
        lease: LeaseId,
        job: JobId,
        tasks: u64,
        now: Duration,
    ) {
        if !self.make_rows(worker, slots, now) {
            return;
        }
        if let Some(rows) = self.workers.get_mut(&worker) {
            rows.waiting.push_back((lease, Lent { job, tasks }));
        }
        self.fill_rows(worker, now);
    }

    /// A worker has answered a part of a lease.
    pub(super) fn answered(&mut self, worker: WorkerId, lease: LeaseId) {
        let Some(rows) = self.workers.get_mut(&worker) else { return };
        let mut on_rows = rows.slots.iter_mut().flatten();
        if let Some(on_row) = on_rows.find(|on_row| on_row.lease == lease) {
            on_row.is_answered = true;
            return;
        }
        let Some(at) = rows.waiting.iter().position(|(waiting, _)| *waiting == lease) else {
            return;
        };
        let silent = |on_row: &&mut OnRow| !on_row.is_answered;
        let Some(on_row) = rows.slots.iter_mut().flatten().find(silent) else { return };
        let (_, lent) = rows.waiting[at];
        rows.waiting[at] = (on_row.lease, on_row.lent);
        *on_row = OnRow { lease, lent, is_answered: true, ..*on_row };
        if let Some(bar) = self.bars.get_mut(&on_row.bar) {
            *bar = Bar { job: lent.job, tasks: lent.tasks, ..*bar };
            self.changed.insert(on_row.bar);
        }
    }

    /// A lease is not out any more.
    pub(super) fn ended(&mut self, worker: WorkerId, lease: LeaseId, how: HowEnded, now: Duration) {
        let Some(rows) = self.workers.get_mut(&worker) else { return };
        rows.waiting.retain(|(waiting, _)| *waiting != lease);
        let is_it = |on_row: &mut OnRow| on_row.lease == lease;
        let ended = rows.slots.iter_mut().find_map(|row| row.take_if(is_it));
        if let Some(OnRow { bar, .. }) = ended {
            self.end_bar(bar, how, now);
            self.fill_rows(worker, now);
        }
    }

    /// A worker has left, and what it held is lost.
    pub(super) fn left(&mut self, worker: WorkerId, now: Duration) {
        let Some(rows) = self.workers.get_mut(&worker) else { return };
        rows.has_left = true;
        rows.waiting.clear();
        let ended: Vec<OnRow> = rows.slots.iter_mut().filter_map(Option::take).collect();
        for OnRow { bar, .. } in ended {
            self.end_bar(bar, HowEnded::Lost, now);
        }
    }

    /// Everything that is shown.
    pub(super) fn all(&mut self, now: Duration) -> (Vec<StreamRows>, Vec<Bar>) {
        self.forget(now);
        (self.rows(), self.bars.values().copied().collect())
    }

    /// What has changed since this was last called: all rows, if they have, and bars.
    pub(super) fn take_changes(&mut self, now: Duration) -> (Option<Vec<StreamRows>>, Vec<Bar>) {
        self.forget(now);
        let rows = std::mem::take(&mut self.rows_changed).then(|| self.rows());
        let changed = std::mem::take(&mut self.changed);
        (rows, changed.iter().filter_map(|bar| self.bars.get(bar)).copied().collect())
    }

    /// Whether the worker has as many rows as slots. Where there is no room for them, rows whose
    /// worker has left make way if nothing is on them any more.
    fn make_rows(&mut self, worker: WorkerId, slots: u32, now: Duration) -> bool {
        let has = self.workers.get(&worker).map_or(0, |rows| rows.slots.len() as u32);
        if has >= slots {
            return true;
        }
        let has_room = |stream: &Stream| stream.rows_count() + slots - has <= STREAM_ROWS_MAX;
        // Those beyond ask with each lease; nothing grows old faster than pages are told.
        if !has_room(self) && now >= self.forgot_at + LIVE_INTERVAL {
            self.forget(now);
        }
        if !has_room(self) {
            // It goes on with the rows that it has.
            return has > 0;
        }
        self.workers.entry(worker).or_default().slots.resize(slots as usize, None);
        self.rows_changed = true;
        true
    }

    fn fill_rows(&mut self, worker: WorkerId, now: Duration) {
        let Some(rows) = self.workers.get_mut(&worker) else { return };
        for (slot, row) in rows.slots.iter_mut().enumerate().filter(|(_, row)| row.is_none()) {
            let Some((lease, lent)) = rows.waiting.pop_front() else { return };
            let bar = self.next_bar;
            self.next_bar += 1;
            *row = Some(OnRow { lease, lent, bar, is_answered: false });
            let (slot, from_ms) = (slot as u32, now.as_millis() as u64);
            let Lent { job, tasks } = lent;
            self.bars.insert(bar, Bar { id: bar, worker, slot, job, tasks, from_ms, end: None });
            self.changed.insert(bar);
            if self.bars.len() > STREAM_BARS_MAX
                && let Some((oldest, _)) = self.bars.pop_first()
            {
                self.changed.remove(&oldest);
            }
        }
    }

    fn end_bar(&mut self, bar: u64, how: HowEnded, now: Duration) {
        // It may be so long that it was forgotten.
        let Some(bar) = self.bars.get_mut(&bar) else { return };
        bar.end = Some(BarEnd { at_ms: now.as_millis() as u64, how });
        self.changed.insert(bar.id);
    }

    /// Drops what is too old to be shown, and the rows that are left with nothing.
    fn forget(&mut self, now: Duration) {
        self.forgot_at = now;
        let first_ms = now.saturating_sub(STREAM_SPAN).as_millis() as u64;
        self.bars.retain(|_, bar| bar.end.is_none_or(|end| end.at_ms >= first_ms));
        self.changed.retain(|bar| self.bars.contains_key(bar));
        let shown: BTreeSet<WorkerId> = self.bars.values().map(|bar| bar.worker).collect();
        let workers = self.workers.len();
        self.workers.retain(|worker, rows| !rows.has_left || shown.contains(worker));
        self.rows_changed |= self.workers.len() < workers;
    }

    fn rows_count(&self) -> u32 {
        self.workers.values().map(|rows| rows.slots.len() as u32).sum()
    }

    fn rows(&self) -> Vec<StreamRows> {
        let rows = |(worker, rows): (&WorkerId, &Rows)| StreamRows {
            worker: *worker,
            slots: rows.slots.len() as u32,
        };
        self.workers.iter().map(rows).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const JOB: JobId = JobId(1);
    const WORKER: WorkerId = WorkerId(7);

    fn at(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    fn lend(stream: &mut Stream, lease: u64, ms: u64) {
        stream.lent(WORKER, 2, LeaseId(lease), JOB, lease, at(ms));
    }

    /// Tasks, row, beginning and end of a bar.
    type Shown = (u64, u32, u64, Option<(u64, HowEnded)>);

    fn bars(stream: &mut Stream) -> Vec<Shown> {
        let (_, bars) = stream.all(at(0));
        let end = |bar: &Bar| bar.end.map(|end| (end.at_ms, end.how));
        bars.iter().map(|bar| (bar.tasks, bar.slot, bar.from_ms, end(bar))).collect()
    }

    #[test]
    fn leases_take_free_rows_and_wait_where_none_is() {
        let mut stream = Stream::default();
        for lease in 1..=3 {
            lend(&mut stream, lease, 10);
        }
        assert_eq!(bars(&mut stream), [(1, 0, 10, None), (2, 1, 10, None)]);
        stream.ended(WORKER, LeaseId(2), HowEnded::Answered, at(30));
        let second = (2, 1, 10, Some((30, HowEnded::Answered)));
        assert_eq!(bars(&mut stream), [(1, 0, 10, None), second, (3, 1, 30, None)]);
    }

    #[test]
    fn what_is_answered_while_it_waits_has_the_row_of_what_is_not() {
        let mut stream = Stream::default();
        for lease in 1..=3 {
            lend(&mut stream, lease, 10);
        }
        stream.answered(WORKER, LeaseId(1));
        stream.answered(WORKER, LeaseId(3));
        assert_eq!(bars(&mut stream), [(1, 0, 10, None), (3, 1, 10, None)]);
        stream.ended(WORKER, LeaseId(3), HowEnded::Answered, at(20));
        assert_eq!(bars(&mut stream)[2], (2, 1, 20, None));
    }

    #[test]
    fn a_worker_that_leaves_loses_what_it_holds_and_its_rows_in_time() {
        let mut stream = Stream::default();
        lend(&mut stream, 1, 10);
        stream.left(WORKER, at(50));
        assert_eq!(bars(&mut stream), [(1, 0, 10, Some((50, HowEnded::Lost)))]);
        let (rows, changed) = stream.take_changes(at(60));
        assert_eq!(rows, Some(vec![StreamRows { worker: WORKER, slots: 2 }]));
        assert_eq!(changed.len(), 1);
        assert_eq!(stream.take_changes(at(70)), (None, Vec::new()));
        let later = at(51) + STREAM_SPAN;
        assert_eq!(stream.take_changes(later), (Some(Vec::new()), Vec::new()));
        assert_eq!(stream.all(later), (Vec::new(), Vec::new()));
    }

    #[test]
    fn rows_and_bars_are_bounded() {
        let mut stream = Stream::default();
        for worker in 0..2 * u64::from(STREAM_ROWS_MAX) {
            stream.lent(WorkerId(worker), 1, LeaseId(worker), JOB, 1, at(1));
        }
        assert_eq!(stream.all(at(1)).0.len() as u32, STREAM_ROWS_MAX);
        // Those that have left make way once nothing of them is shown.
        for worker in 0..2 * u64::from(STREAM_ROWS_MAX) {
            stream.left(WorkerId(worker), at(2));
        }
        let later = at(3) + STREAM_SPAN;
        stream.lent(WORKER, 2, LeaseId(1), JOB, 1, later);
        assert_eq!(stream.all(later).0, [StreamRows { worker: WORKER, slots: 2 }]);
        for lease in 0..2 * STREAM_BARS_MAX as u64 {
            stream.ended(WORKER, LeaseId(lease), HowEnded::Answered, later);
            lend(&mut stream, lease + 1, later.as_millis() as u64);
        }
        assert_eq!(stream.changed.len(), STREAM_BARS_MAX, "nobody has looked");
        assert_eq!(stream.all(later).1.len(), STREAM_BARS_MAX);
    }
}
