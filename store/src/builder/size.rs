//! How many shards a store has.

use super::Builder;
use crate::error::BuildError;
use crate::eviction::{Bound, Eviction};
use crate::expiry::Expiry;

/// The size of the expiry index, and of the eviction queues.
#[derive(Clone, Copy)]
pub(crate) struct IndexSize {
    /// A power of two.
    pub(crate) shards: usize,
    pub(crate) nodes_a_shard: u32,
}

/// Enough that threads which write TTLs seldom meet.
const FEWEST_SHARDS: usize = 64;
const MOST_SHARDS: usize = 4_096;
/// A quarter of what a shard can number, as hashes do not spread evenly.
const PAIRS_A_SHARD: usize = 1 << 20;
/// Bounded stores are divided only so far that each shard has a history worth ordering.
const FEWEST_PAIRS_A_SHARD: u64 = 1 << 10;

impl<K: ?Sized, V: ?Sized, L> Builder<K, V, L> {
    /// Shards enough that writers seldom meet, and that each stays well below its node numbers;
    /// in a bounded store no more than leaves each a good number of pairs, and for exact LRU,
    /// which has one lock anyhow, as few as will do.
    pub(super) fn index_size(&self, max: Option<u64>) -> Result<IndexSize, BuildError> {
        #[cfg(test)]
        if let Some(index) = self.index {
            return Ok(index);
        }
        let nodes_a_shard = Expiry::MAX_NODES_A_SHARD;
        let Some(max) = max else {
            let wanted = self.capacity / PAIRS_A_SHARD;
            let shards = wanted.clamp(FEWEST_SHARDS, MOST_SHARDS).next_power_of_two();
            return Ok(IndexSize { shards, nodes_a_shard });
        };
        // Pairs may turn out lighter and more than expected: numbers cost nothing until used.
        let most = usize::try_from(max).unwrap_or(usize::MAX);
        let expected = match (self.max_entries, self.capacity) {
            (None, pairs) if pairs > 0 => pairs,
            (entries, _) => entries.unwrap_or(most),
        };
        let needed = (most / PAIRS_A_SHARD).clamp(1, Bound::MAX_SHARDS);
        let lru = self.eviction == Some(Eviction::Lru);
        if lru && self.max_entries.is_some_and(|n| n / Bound::MAX_SHARDS > nodes_a_shard as usize) {
            return Err(BuildError::TooManyForLru(expected));
        }
        let spread = usize::try_from(max.min(expected as u64) / FEWEST_PAIRS_A_SHARD);
        let spread = spread.unwrap_or(usize::MAX).clamp(1, FEWEST_SHARDS);
        let shards = if lru { needed } else { needed.max(spread) };
        Ok(IndexSize { shards: shards.next_power_of_two(), nodes_a_shard })
    }
}
