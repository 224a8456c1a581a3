//! Reading the store for answers. A few threads do nothing else, and each read is short: no thread waits
//! for a peer. What was read ahead of a peer is kept for as long as there is room for it.

use crate::store::{Store, StoreError};
use axum::body::Bytes;
use std::collections::{BTreeMap, VecDeque};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};
use std::thread;
use tequio_protocol::limits::{READERS_MAX, READS_UNTAKEN_MAX, TAILS_BYTES_MAX};
use tokio::sync::{Semaphore, oneshot};
use tracing::warn;

/// Whose turn it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Turn {
    /// An answer that has just begun: a little is read, and somebody may look at it.
    First,
    /// An answer that goes on.
    Next,
}

/// The way to the store for all answers.
#[derive(Clone)]
pub(super) struct Readers {
    /// Here for as long as somebody may read it.
    _store: Arc<dyn Store>,
    turns: [Arc<Inlet>; 2],
    /// Places for answers that go on: what was read of one is large, and may wait for it to be taken.
    places: Arc<Semaphore>,
    tails: Arc<Mutex<Tails>>,
    next: Arc<AtomicU64>,
}

/// A read that waits for its turn.
type Read = Box<dyn FnOnce(&dyn Store) + Send>;

/// The reads that wait for the threads of a turn, in the order of the questions. Each read wakes one thread:
/// of threads that share the receiver of a channel, each wakes the next for nothing.
#[derive(Default)]
struct Queue {
    waiting: Mutex<Waiting>,
    arrived: Condvar,
}

#[derive(Default)]
struct Waiting {
    reads: VecDeque<Read>,
    is_closed: bool,
}

/// The end of a queue at which reads are put. The threads end when it is gone.
struct Inlet(Arc<Queue>);

impl Queue {
    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        // Each change is made whole.
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Drops the read where no thread is there for it.
    fn put(&self, read: Read) {
        let mut waiting = self.waiting();
        if !waiting.is_closed {
            waiting.reads.push_back(read);
            drop(waiting);
            self.arrived.notify_one();
        }
    }

    /// The next read, once there is one; `None` if none comes any more.
    fn next(&self) -> Option<Read> {
        let mut waiting = self.waiting();
        loop {
            if waiting.is_closed {
                return None;
            }
            if let Some(read) = waiting.reads.pop_front() {
                return Some(read);
            }
            waiting = self.arrived.wait(waiting).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

impl Drop for Inlet {
    fn drop(&mut self) {
        let mut waiting = self.0.waiting();
        waiting.is_closed = true;
        // Whoever waits for these is told by their absence.
        let reads = std::mem::take(&mut waiting.reads);
        drop(waiting);
        drop(reads);
        self.0.arrived.notify_all();
    }
}

/// Some lines of results, and where they may be cut.
#[derive(Debug, Default)]
pub(super) struct Block {
    text: Bytes,
    /// Where the next piece begins.
    start: usize,
    pieces: VecDeque<Piece>,
}

/// A piece of a block, from where the last one ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Piece {
    /// Where it ends in the text.
    pub(super) end: usize,
    /// The index behind its last result.
    pub(super) next: u64,
    /// How many results it has.
    pub(super) count: u64,
}

/// What was read of answers and is not sent yet: the newest of it.
#[derive(Debug, Default)]
struct Tails {
    blocks: BTreeMap<u64, Block>,
    /// Who has one, in the order in which they were last asked for.
    order: VecDeque<u64>,
    bytes: usize,
}

impl Readers {
    pub(super) fn new(store: Arc<dyn Store>) -> Readers {
        let turns = [(); 2].map(|()| Arc::new(start(&store)));
        let places = Arc::new(Semaphore::new(READS_UNTAKEN_MAX));
        Readers { _store: store, turns, places, tails: Arc::default(), next: Arc::default() }
    }

    /// The number of a new answer, under which its tail is kept.
    pub(super) fn enter(&self) -> u64 {
        self.next.fetch_add(1, Ordering::Relaxed)
    }

    /// Reads when it is one's turn.
    pub(super) async fn read<T: Send + 'static>(
        &self,
        turn: Turn,
        read: impl FnOnce(&dyn Store) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let _place = match turn {
            Turn::First => None,
            Turn::Next => Some(self.places.acquire().await.map_err(|_| failed())?),
        };
        let (reply, answer) = oneshot::channel();
        let read: Read = Box::new(move |store| {
            // Whoever has left meanwhile needs no answer.
            if !reply.is_closed() {
                reply.send(read(store)).ok();
            }
        });
        self.turns[turn as usize].0.put(read);
        answer.await.map_err(|_| failed())?
    }

    /// Keeps what an answer has not sent, while there is room.
    pub(super) fn keep(&self, answer: u64, block: Block) {
        let mut tails = self.tails();
        tails.remove(answer);
        tails.bytes += block.text.len();
        tails.order.push_back(answer);
        tails.blocks.insert(answer, block);
        while tails.bytes > TAILS_BYTES_MAX
            && let Some(oldest) = tails.order.front().copied()
        {
            tails.remove(oldest);
        }
    }

    /// What was kept for an answer; `None` where nothing was, or it had to make room.
    pub(super) fn take(&self, answer: u64) -> Option<Block> {
        self.tails().remove(answer)
    }

    fn tails(&self) -> MutexGuard<'_, Tails> {
        // Each change is made whole.
        self.tails.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Only where a read has panicked, or no thread could be started.
fn failed() -> StoreError {
    StoreError::Unavailable("a read was not answered".to_owned())
}

/// Starts the threads of a turn.
fn start(store: &Arc<dyn Store>) -> Inlet {
    let queue = Arc::new(Queue::default());
    let mut threads = 0;
    for _ in 0..READERS_MAX {
        // The store ends with its server: these do not keep it.
        let (queue, store) = (queue.clone(), Arc::downgrade(store));
        let named = thread::Builder::new().name("tequio-reader".to_owned());
        match named.spawn(move || read_all(&queue, &store)) {
            Ok(_) => threads += 1,
            Err(error) => warn!("a thread that reads results was not started: {error}"),
        }
    }
    queue.waiting().is_closed = threads == 0;
    Inlet(queue)
}

fn read_all(queue: &Queue, store: &Weak<dyn Store>) {
    while let Some(read) = queue.next()
        && let Some(store) = store.upgrade()
    {
        // Whoever asked is told by the answer's absence.
        catch_unwind(AssertUnwindSafe(|| read(&*store))).ok();
    }
}

impl Tails {
    fn remove(&mut self, answer: u64) -> Option<Block> {
        let block = self.blocks.remove(&answer)?;
        self.bytes -= block.text.len();
        self.order.retain(|other| *other != answer);
        Some(block)
    }
}

impl Block {
    /// Cuts the next piece off; it is a copy, and keeps nothing of the rest.
    pub(super) fn next_piece(&mut self) -> Option<(Bytes, Piece)> {
        let piece = self.pieces.pop_front()?;
        let start = std::mem::replace(&mut self.start, piece.end);
        Some((Bytes::copy_from_slice(&self.text[start..piece.end]), piece))
    }

    /// A text with its pieces, in their order, which has at least one.
    pub(super) fn new(text: Vec<u8>, pieces: VecDeque<Piece>) -> Block {
        // What it has to spare would be kept as well, and not be counted.
        Block { text: text.into_boxed_slice().into(), start: 0, pieces }
    }

    /// Whether no piece is left.
    pub(super) fn is_empty(&self) -> bool {
        self.pieces.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::MemoryStore;

    fn block(bytes: usize) -> Block {
        let pieces = [(bytes / 2, 1), (bytes, 2)];
        let piece = |(end, next)| Piece { end, next, count: 1 };
        Block::new(vec![b'x'; bytes], pieces.map(piece).into())
    }

    #[test]
    fn what_was_asked_for_least_recently_makes_room() {
        let readers = Readers::new(Arc::new(MemoryStore::new()));
        let [a, b, c] = [(); 3].map(|()| readers.enter());
        readers.keep(a, block(TAILS_BYTES_MAX / 2));
        readers.keep(b, block(TAILS_BYTES_MAX / 2));
        let mut kept = readers.take(a).unwrap();
        let (text, piece) = kept.next_piece().unwrap();
        assert_eq!((text.len(), piece.next), (TAILS_BYTES_MAX / 4, 1));
        readers.keep(a, kept);
        readers.keep(c, block(2));
        assert!(readers.take(b).is_none());
        let mut kept = readers.take(a).unwrap();
        assert_eq!(kept.next_piece().unwrap().1.next, 2);
        assert!(kept.is_empty());
        assert!(readers.take(c).is_some());
        assert_eq!(readers.tails().bytes, 0);
        readers.keep(a, block(2 * TAILS_BYTES_MAX));
        assert!(readers.take(a).is_none(), "it is too large for all");
    }

    #[tokio::test]
    async fn a_few_read_at_once_and_those_that_begin_do_not_wait_for_the_others() {
        let readers = Readers::new(Arc::new(MemoryStore::new()));
        let (go, wait) = std::sync::mpsc::channel::<()>();
        let wait = Arc::new(Mutex::new(wait));
        let reads: Vec<_> = (0..3 * READS_UNTAKEN_MAX)
            .map(|_| {
                let (readers, wait) = (readers.clone(), wait.clone());
                tokio::spawn(async move {
                    let read = move |_: &dyn Store| {
                        wait.lock().unwrap().recv().ok();
                        Ok(())
                    };
                    readers.read(Turn::Next, read).await.unwrap();
                })
            })
            .collect();
        // All of them have been asked for by then, and none can be answered.
        tokio::task::yield_now().await;
        readers.read(Turn::First, |_| Ok(())).await.unwrap();
        assert!(reads.iter().all(|read| !read.is_finished()));
        let waiting = readers.turns[Turn::Next as usize].0.waiting().reads.len();
        assert!(waiting <= READS_UNTAKEN_MAX, "the others have not asked yet");
        drop(go);
        for read in reads {
            read.await.unwrap();
        }
    }
}
