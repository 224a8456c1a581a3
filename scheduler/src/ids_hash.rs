//! Tables by ids. The standard hasher takes longer than the rest of a look-up, and what it guards
//! against cannot be: the server numbers jobs, workers and leases itself, one after the other, so
//! nobody can choose them to collide. Others' numbers are only looked up, never entered.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

/// A table by ids of one kind.
pub(super) type IdMap<K, V> = HashMap<K, V, BuildHasherDefault<IdHasher>>;

/// Neighbours in a table are of this many ids in sequence, in bits: what was lent together is
/// answered at about the same time, and lies in the same lines of the cache then.
const BLOCK_BITS: u32 = 3;

/// Spreads blocks of ids: 2^64 by the golden ratio, which is odd.
const SPREAD: u64 = 0x9E37_79B9_7F4A_7C15;

/// Hashes one id. A table takes the place from the lowest bits and a tag from the highest seven.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct IdHasher(u64);

impl Hasher for IdHasher {
    fn write_u64(&mut self, id: u64) {
        let spread = (id >> BLOCK_BITS).wrapping_mul(SPREAD);
        let block = spread ^ (spread >> u32::BITS);
        let within = id % (1 << BLOCK_BITS);
        self.0 = (block << BLOCK_BITS) ^ within ^ within.rotate_right(BLOCK_BITS);
    }

    /// Ids are numbers; anything else would do, slowly.
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_u64(self.0 ^ u64::from(*byte));
        }
    }

    fn finish(&self) -> u64 {
        self.0
    }
}
