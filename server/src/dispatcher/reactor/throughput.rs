//! How many tasks each kind of worker recorded in each of the last seconds.

use std::collections::VecDeque;
use std::time::Duration;
use tequio_protocol::api::WorkerKind;
use tequio_protocol::limits::HISTORY_S;
use tequio_protocol::live::Throughput;

/// The seconds in which anything was recorded, the oldest first.
#[derive(Debug, Default)]
pub(super) struct History {
    seconds: VecDeque<Second>,
}

#[derive(Debug)]
struct Second {
    at_s: u64,
    tasks: [u64; WorkerKind::ALL.len()],
}

impl History {
    pub(super) fn count(&mut self, now: Duration, kind: WorkerKind, tasks: u64) {
        let at_s = now.as_secs();
        if self.seconds.back().is_none_or(|last| last.at_s != at_s) {
            self.seconds.push_back(Second { at_s, tasks: [0; WorkerKind::ALL.len()] });
        }
        if let Some(second) = self.seconds.back_mut() {
            second.tasks[kind as usize] += tasks;
        }
        while self.seconds.front().is_some_and(|first| first.at_s + HISTORY_S <= at_s) {
            self.seconds.pop_front();
        }
    }

    /// The seconds from `first_s` on that have ended, within the time that is kept.
    pub(super) fn since(&self, first_s: u64, now: Duration) -> Throughput {
        let end_s = now.as_secs();
        let first_s = first_s.max(end_s.saturating_sub(HISTORY_S)).min(end_s);
        let mut block =
            Throughput { first_s, count: (end_s - first_s) as u32, ..Throughput::default() };
        for second in self.seconds.iter().filter(|second| (first_s..end_s).contains(&second.at_s)) {
            for (kind, tasks) in WorkerKind::ALL.into_iter().zip(second.tasks) {
                if tasks > 0 {
                    let column = block.tasks.entry(kind);
                    let column = column.or_insert_with(|| vec![0; block.count as usize]);
                    column[(second.at_s - first_s) as usize] = tasks;
                }
            }
        }
        block
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    #[test]
    fn seconds_are_told_once_they_have_ended() {
        let mut history = History::default();
        let at = Duration::from_millis;
        history.count(at(1200), WorkerKind::Chrome, 5);
        history.count(at(1900), WorkerKind::Chrome, 2);
        history.count(at(3000), WorkerKind::Native, 4);
        let chrome = (WorkerKind::Chrome, vec![0, 7, 0]);
        let told = history.since(0, at(3999));
        assert_eq!(told, Throughput { first_s: 0, count: 3, tasks: [chrome].into() });
        let native = (WorkerKind::Native, vec![4]);
        let told = history.since(3, at(4000));
        assert_eq!(told, Throughput { first_s: 3, count: 1, tasks: [native].into() });
        let told = history.since(4, at(4999));
        assert_eq!(told, Throughput { first_s: 4, count: 0, tasks: BTreeMap::new() });
    }

    #[test]
    fn an_hour_is_kept() {
        let mut history = History::default();
        for second in 0..2 * HISTORY_S {
            history.count(Duration::from_secs(second), WorkerKind::Firefox, second);
        }
        assert_eq!(history.seconds.len() as u64, HISTORY_S);
        let told = history.since(0, Duration::from_secs(2 * HISTORY_S));
        assert_eq!((told.first_s, u64::from(told.count)), (HISTORY_S, HISTORY_S));
        assert_eq!(told.tasks[&WorkerKind::Firefox].first(), Some(&HISTORY_S));
        let later = history.since(0, Duration::from_secs(4 * HISTORY_S));
        assert_eq!((later.first_s, later.tasks.len()), (3 * HISTORY_S, 0));
    }
}
