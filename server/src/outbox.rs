//! What waits for somebody to take it, in order. Each may let so many bytes wait, and all of a kind
//! together so many. Where all have too many, the ones are given up that are the furthest behind: their
//! first message waits the longest.

use crate::lock::lock;
use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, Weak};
use tokio::sync::Notify;

/// A place in a queue, and what it has to spare.
const SLOT_BYTES: usize = 16;

/// What can wait.
pub(crate) trait Waits {
    /// Since when, in milliseconds since 1970.
    fn since_ms(&self) -> u64;
    /// What it counts for the one whom it waits for.
    fn bytes(&self) -> usize;
}

/// All outboxes of a kind. Cloning it costs nothing.
#[derive(Debug)]
pub(crate) struct Outboxes<T>(Arc<Shared<T>>);

impl<T> Clone for Outboxes<T> {
    fn clone(&self) -> Self {
        Outboxes(self.0.clone())
    }
}

#[derive(Debug)]
struct Shared<T> {
    bounds: Bounds,
    bytes: Arc<AtomicUsize>,
    open: Mutex<Open<T>>,
}

#[derive(Debug)]
struct Open<T> {
    last: u64,
    all: HashMap<u64, Weak<Queue<T>>>,
}

/// What may wait.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    /// Messages for one.
    pub(crate) each_max: usize,
    /// Bytes for one.
    pub(crate) each_bytes_max: usize,
    /// Bytes for all.
    pub(crate) all_bytes_max: usize,
}

/// Bytes that count among those of all, until this is dropped.
#[derive(Debug)]
pub(crate) struct Counted {
    all: Arc<AtomicUsize>,
    bytes: usize,
}

#[derive(Debug)]
struct Queue<T> {
    waiting: Mutex<Waiting<T>>,
    arrived: Notify,
}

#[derive(Debug)]
struct Waiting<T> {
    messages: VecDeque<T>,
    bytes: usize,
    /// Nothing more comes.
    is_closed: bool,
    /// It ended before what waits was taken.
    is_given_up: bool,
}

/// The end at which messages are put.
#[derive(Debug)]
pub(crate) struct Inlet<T: Waits> {
    outboxes: Outboxes<T>,
    queue: Arc<Queue<T>>,
}

/// The end at which they are taken. It ends when there is nobody to put any, or it was given up.
#[derive(Debug)]
pub(crate) struct Outbox<T> {
    queue: Arc<Queue<T>>,
    all_bytes: Arc<AtomicUsize>,
    outboxes: Weak<Shared<T>>,
    number: u64,
}

/// Why a message was not put.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NotPut {
    /// What waits is not taken.
    Overfull,
    /// Nobody is there who would take it.
    Gone,
}

impl<T: Waits> Outboxes<T> {
    pub(crate) fn new(bounds: Bounds) -> Outboxes<T> {
        let open = Mutex::new(Open { last: 0, all: HashMap::new() });
        Outboxes(Arc::new(Shared { bounds, bytes: Arc::default(), open }))
    }

    /// One more.
    pub(crate) fn open(&self) -> (Inlet<T>, Outbox<T>) {
        let waiting = Mutex::new(Waiting {
            messages: VecDeque::new(),
            bytes: 0,
            is_closed: false,
            is_given_up: false,
        });
        let queue = Arc::new(Queue { waiting, arrived: Notify::new() });
        let mut open = lock(&self.0.open);
        open.last += 1;
        let number = open.last;
        open.all.insert(number, Arc::downgrade(&queue));
        let outbox = Outbox {
            queue: queue.clone(),
            all_bytes: self.0.bytes.clone(),
            outboxes: Arc::downgrade(&self.0),
            number,
        };
        (Inlet { outboxes: self.clone(), queue }, outbox)
    }

    /// Counts what waits in several outboxes, and once among all.
    pub(crate) fn count(&self, bytes: usize) -> Counted {
        self.0.bytes.fetch_add(bytes, Ordering::Relaxed);
        Counted { all: self.0.bytes.clone(), bytes }
    }

    /// Gives up those that are the furthest behind, until an eighth is free: not for each message anew.
    fn shed(&self) {
        let bounds = self.0.bounds;
        let open = lock(&self.0.open);
        let mut behind: Vec<(u64, Arc<Queue<T>>)> = open
            .all
            .values()
            .filter_map(Weak::upgrade)
            .filter_map(|queue| {
                let since_ms = lock(&queue.waiting).messages.front().map(Waits::since_ms);
                since_ms.map(|since_ms| (since_ms, queue))
            })
            .collect();
        drop(open);
        behind.sort_by_key(|(since_ms, _)| *since_ms);
        for (_, queue) in behind {
            if self.0.bytes.load(Ordering::Relaxed) <= bounds.all_bytes_max / 8 * 7 {
                return;
            }
            let mut waiting = lock(&queue.waiting);
            let messages = std::mem::take(&mut waiting.messages);
            (waiting.bytes, waiting.is_closed, waiting.is_given_up) = (0, true, true);
            drop(waiting);
            self.0.bytes.fetch_sub(messages.len() * SLOT_BYTES, Ordering::Relaxed);
            drop(messages);
            queue.arrived.notify_one();
        }
    }
}

impl<T: Waits> Inlet<T> {
    /// Puts a message behind the others.
    pub(crate) fn put(&self, message: T) -> Result<(), NotPut> {
        let Shared { bounds, bytes: all, .. } = &*self.outboxes.0;
        let bytes = message.bytes();
        let mut waiting = lock(&self.queue.waiting);
        if waiting.is_closed && !waiting.is_given_up {
            return Err(NotPut::Gone);
        }
        if waiting.is_given_up
            || waiting.messages.len() >= bounds.each_max
            || waiting.bytes + bytes > bounds.each_bytes_max
        {
            return Err(NotPut::Overfull);
        }
        waiting.messages.push_back(message);
        waiting.bytes += bytes;
        // Before anybody can take it, who subtracts.
        let all_bytes = all.fetch_add(SLOT_BYTES, Ordering::Relaxed) + SLOT_BYTES;
        drop(waiting);
        self.queue.arrived.notify_one();
        if all_bytes > bounds.all_bytes_max {
            self.outboxes.shed();
        }
        Ok(())
    }
}

impl<T: Waits> Drop for Inlet<T> {
    fn drop(&mut self) {
        lock(&self.queue.waiting).is_closed = true;
        self.queue.arrived.notify_one();
    }
}

impl<T: Waits> Outbox<T> {
    /// The next message. Cancelling loses nothing.
    pub(crate) async fn next(&mut self) -> Option<T> {
        loop {
            match self.try_next() {
                Ok(message) => return message,
                Err(Empty) => self.queue.arrived.notified().await,
            }
        }
    }

    /// The next message, if one waits; `None` if nothing more comes.
    fn try_next(&mut self) -> Result<Option<T>, Empty> {
        /// Places that an empty queue keeps.
        const KEPT: usize = 16;
        let mut waiting = lock(&self.queue.waiting);
        let Some(message) = waiting.messages.pop_front() else {
            return if waiting.is_closed { Ok(None) } else { Err(Empty) };
        };
        waiting.bytes -= message.bytes();
        if waiting.messages.is_empty() && waiting.messages.capacity() > KEPT {
            waiting.messages = VecDeque::new();
        }
        drop(waiting);
        self.all_bytes.fetch_sub(SLOT_BYTES, Ordering::Relaxed);
        Ok(Some(message))
    }

    /// Whether it ended because too much waited.
    #[cfg(test)]
    pub(crate) fn is_given_up(&self) -> bool {
        lock(&self.queue.waiting).is_given_up
    }

    /// What waits.
    #[cfg(test)]
    pub(crate) fn take_all(&mut self) -> Vec<T> {
        std::iter::from_fn(|| self.try_next().ok().flatten()).collect()
    }

    /// Whether nothing waits, and nothing will.
    #[cfg(test)]
    pub(crate) fn has_ended(&mut self) -> bool {
        matches!(self.try_next(), Ok(None))
    }
}

/// Nothing waits now.
struct Empty;

impl<T> Drop for Outbox<T> {
    fn drop(&mut self) {
        let mut waiting = lock(&self.queue.waiting);
        waiting.is_closed = true;
        let messages = std::mem::take(&mut waiting.messages);
        drop(waiting);
        self.all_bytes.fetch_sub(messages.len() * SLOT_BYTES, Ordering::Relaxed);
        if let Some(outboxes) = self.outboxes.upgrade() {
            lock(&outboxes.open).all.remove(&self.number);
        }
    }
}

impl Counted {
    /// How many.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.all.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Message(
        u64,
        usize,
        #[expect(dead_code, reason = "it counts until it is dropped")] Counted,
    );

    impl Waits for Message {
        fn since_ms(&self) -> u64 {
            self.0
        }

        fn bytes(&self) -> usize {
            self.1
        }
    }

    #[test]
    fn the_furthest_behind_is_given_up_first() {
        let bounds = Bounds { each_max: 100, each_bytes_max: 1000, all_bytes_max: 1000 };
        let outboxes = Outboxes::new(bounds);
        let message = |at_ms, bytes| Message(at_ms, bytes, outboxes.count(bytes));
        let [(to_a, mut a), (to_b, mut b), (to_c, mut c)] = [(); 3].map(|()| outboxes.open());
        to_a.put(message(1, 100)).unwrap();
        to_b.put(message(2, 300)).unwrap();
        to_c.put(message(3, 300)).unwrap();
        // The first takes what waits; so it is not behind any more.
        assert_eq!(a.take_all().len(), 1);
        to_a.put(message(4, 200)).unwrap();
        assert_eq!(outboxes.0.bytes.load(Ordering::Relaxed), 800 + 3 * SLOT_BYTES);
        to_c.put(message(5, 300)).unwrap();
        assert!(b.is_given_up() && b.has_ended());
        assert_eq!(to_b.put(message(6, 1)), Err(NotPut::Overfull));
        assert_eq!((a.take_all().len(), c.take_all().len()), (1, 2));
        drop(to_a);
        assert!(a.has_ended() && !a.is_given_up());
        to_c.put(message(7, 9)).unwrap();
        drop(c);
        assert_eq!(to_c.put(message(8, 9)), Err(NotPut::Gone));
        drop((a, b));
        assert_eq!(outboxes.0.bytes.load(Ordering::Relaxed), 0);
        assert!(lock(&outboxes.0.open).all.is_empty());
    }

    #[test]
    fn each_has_a_bound() {
        let bounds = Bounds { each_max: 3, each_bytes_max: 100, all_bytes_max: 1000 };
        let outboxes = Outboxes::new(bounds);
        let message = |bytes| Message(1, bytes, outboxes.count(bytes));
        let (inlet, mut outbox) = outboxes.open();
        inlet.put(message(90)).unwrap();
        assert_eq!(inlet.put(message(11)), Err(NotPut::Overfull));
        inlet.put(message(5)).unwrap();
        inlet.put(message(5)).unwrap();
        assert_eq!(inlet.put(message(0)), Err(NotPut::Overfull));
        assert_eq!(outbox.take_all().len(), 3);
    }
}
