//! What the page is told of the slots, a few times a second instead of for each piece: with short
//! pieces and many slots it would come to nothing but listening.

use std::collections::BTreeMap;
use tequio_protocol::page::ToPage;

/// What was not told yet.
#[derive(Debug, Default)]
pub struct Digest {
    slots: BTreeMap<u32, Slot>,
}

/// Of one slot, in the order in which it is told.
#[derive(Debug, Default)]
struct Slot {
    /// The last lease that it has begun.
    lease: Option<ToPage>,
    /// The last results, with the number and the time of all.
    results: Option<ToPage>,
    /// That it has nothing to do, if so.
    idle: Option<ToPage>,
}

impl Digest {
    /// Keeps what can wait; gives back what cannot.
    pub fn add(&mut self, message: ToPage) -> Option<ToPage> {
        match message {
            ToPage::Lease { slot, .. } => {
                let slot = self.slots.entry(slot).or_default();
                slot.lease = Some(message);
                slot.idle = None;
            }
            ToPage::Idle { slot } => self.slots.entry(slot).or_default().idle = Some(message),
            ToPage::Results { slot, .. } => {
                let slot = self.slots.entry(slot).or_default();
                slot.results = Some(sum(slot.results.take(), message));
            }
            _ => return Some(message),
        }
        None
    }

    /// Whether nothing is kept.
    pub fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }

    /// Everything that was kept.
    pub fn take(&mut self) -> impl Iterator<Item = ToPage> + use<> {
        let slots = std::mem::take(&mut self.slots).into_values();
        slots.flat_map(|slot| [slot.lease, slot.results, slot.idle]).flatten()
    }
}

/// The newer results, with the number and the time of both.
fn sum(older: Option<ToPage>, mut newer: ToPage) -> ToPage {
    if let ToPage::Results { count, duration_ms, .. } = &mut newer
        && let Some(ToPage::Results { count: more, duration_ms: longer, .. }) = older
    {
        *count += more;
        *duration_ms += longer;
    }
    newer
}

#[cfg(test)]
mod tests {
    use super::*;
    use tequio_protocol::ids::JobId;
    use tequio_protocol::op::OpId;

    fn lease(slot: u32, first: u64) -> ToPage {
        let op = OpId::new("collatz");
        ToPage::Lease { slot, op, job: JobId(1), first, count: 10 }
    }

    fn results(slot: u32, last: u64, count: u64, duration_ms: f64) -> ToPage {
        let (text, result) = ("text".to_owned(), last.to_string());
        ToPage::Results { slot, job: JobId(1), last, count, text, result, duration_ms }
    }

    #[test]
    fn what_slots_do_is_summed_up_and_the_rest_is_told_at_once() {
        let mut digest = Digest::default();
        assert!(digest.is_empty());
        for message in [
            lease(1, 0),
            results(1, 4, 5, 1.5),
            results(1, 9, 5, 2.0),
            ToPage::Idle { slot: 1 },
            lease(1, 10),
            lease(0, 20),
            results(0, 29, 10, 4.0),
            ToPage::Idle { slot: 0 },
            results(1, 19, 10, 0.5),
        ] {
            assert_eq!(digest.add(message), None);
        }
        assert_eq!(digest.add(ToPage::Connected), Some(ToPage::Connected));
        assert!(!digest.is_empty());
        let told: Vec<_> = digest.take().collect();
        let expected = [
            lease(0, 20),
            results(0, 29, 10, 4.0),
            ToPage::Idle { slot: 0 },
            lease(1, 10),
            results(1, 19, 20, 4.0),
        ];
        assert_eq!(told, expected);
        assert!(digest.is_empty() && digest.take().next().is_none());
    }
}
