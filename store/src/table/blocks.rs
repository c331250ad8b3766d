//! Where the map's slots lie, as far as look-ups have shown.
//!
//! The map finds a bucket by the top bits of a hash, learns there which of its 32 slots to look at,
//! and reads that: two cache misses, the second known only after the first. But the slots of all
//! buckets lie in one piece of memory, a block for each. Who has seen where one lies can tell
//! where the others do, and ask for both at once.
//!
//! All of it is a guess that nothing but time depends on. The map moves as it grows, and a full
//! bucket has some of its slots elsewhere; what a look-up sees is believed once it is seen often.

use crate::prefetch::{CACHE_LINE, prefetch};
use crate::sync::{AtomicU32, AtomicUsize, Ordering};

/// Bytes of a slot: those of a pointer. A block of larger ones has more lines than are worth fetching
/// for the sake of one.
pub(super) const SLOT: usize = size_of::<usize>();
/// Slots of a block.
const SLOTS: usize = 32;
const BYTES: usize = SLOT * SLOTS;
/// One look-up of so many, a power of two, is learned from.
const SAMPLED: u64 = 16;
/// Bits of a hash that choose it: neither those of the bucket nor those of the fingerprint.
const SAMPLED_BY: u64 = (SAMPLED - 1) << 8;
/// So many look-ups that found their slot elsewhere, and none between them that did not, say that
/// the blocks have moved.
const MOVED: u32 = 4;

/// Blocks of slots, and what is known of them.
pub(crate) struct Blocks {
    /// The address of the first; 0 if it is not known.
    first: AtomicUsize,
    /// What is left of a hash, shifted right by this, is the number of its block.
    shift: AtomicU32,
    /// Look-ups, one after the other, that found their slot elsewhere.
    strays: AtomicU32,
}

impl Blocks {
    pub(crate) fn unknown() -> Self {
        Self { first: AtomicUsize::new(0), shift: AtomicU32::new(0), strays: AtomicU32::new(0) }
    }

    /// Starts fetching the block of a hash.
    #[inline]
    pub(crate) fn fetch(&self, hash: u64) {
        // ORDERING: Relaxed, here and below; whatever mixture of old and new is read is a guess.
        let first = self.first.load(Ordering::Relaxed);
        if first == 0 {
            return;
        }
        let block = self.of(first, hash);
        // One that does not begin where a line does ends in one more, for few of its slots: left out.
        for byte in (0..BYTES).step_by(CACHE_LINE) {
            prefetch((block + byte) as *const u8);
        }
    }

    /// Learns from a look-up that found its slot at `place`, in a map of `capacity()` slots.
    #[inline]
    pub(crate) fn learn(&self, hash: u64, place: usize, capacity: impl FnOnce() -> usize) {
        if hash & SAMPLED_BY == 0 {
            self.learn_from(hash, place, capacity);
        }
    }

    fn learn_from(&self, hash: u64, place: usize, capacity: impl FnOnce() -> usize) {
        // ORDERING: Relaxed, as above.
        let (first, strays) =
            (self.first.load(Ordering::Relaxed), self.strays.load(Ordering::Relaxed));
        let within = place.wrapping_sub(self.of(first, hash)).cast_signed();
        let reach = BYTES.cast_signed();
        if (-reach..reach).contains(&within) && first != 0 {
            if strays != 0 {
                // ORDERING: Relaxed, as above.
                self.strays.store(0, Ordering::Relaxed);
            }
            if within < 0 {
                // The slot that was learned from was not the first of its block.
                // ORDERING: Relaxed, as above.
                self.first.store(first.wrapping_add_signed(within), Ordering::Relaxed);
            }
        } else if first != 0 && strays < MOVED {
            // ORDERING: Relaxed, as above.
            self.strays.store(strays + 1, Ordering::Relaxed);
        } else {
            let buckets = (capacity() / SLOTS).max(1);
            // ORDERING: Relaxed, as above.
            self.shift.store(u64::BITS - buckets.ilog2(), Ordering::Relaxed);
            let before = self.of(0, hash);
            // ORDERING: Relaxed, as above.
            self.first.store(place.wrapping_sub(before), Ordering::Relaxed);
            // ORDERING: Relaxed, as above.
            self.strays.store(0, Ordering::Relaxed);
        }
    }

    /// The address of the block of a hash.
    #[inline]
    fn of(&self, first: usize, hash: u64) -> usize {
        // ORDERING: Relaxed, as above.
        let shift = self.shift.load(Ordering::Relaxed);
        let block = usize::try_from(hash.checked_shr(shift).unwrap_or(0)).unwrap_or(0);
        first.wrapping_add(block.wrapping_mul(BYTES))
    }
}

#[cfg(all(test, not(any(checker = "loom", checker = "shuttle"))))]
mod tests {
    use super::*;

    fn known(blocks: &Blocks, hash: u64) -> usize {
        // ORDERING: Relaxed; one thread.
        blocks.of(blocks.first.load(Ordering::Relaxed), hash)
    }

    /// The hash of a pair in block `number` of 1024, which is learned from.
    fn hash(number: usize) -> u64 {
        (number as u64) << 54
    }

    #[test]
    fn what_is_seen_says_where_the_rest_lies() {
        let blocks = Blocks::unknown();
        blocks.learn(hash(7), 100_000 + 7 * BYTES + 5 * SLOT, || 1024 * SLOTS);
        assert_eq!(known(&blocks, hash(7)), 100_000 + 7 * BYTES + 5 * SLOT);
        blocks.learn(hash(9), 100_000 + 9 * BYTES, || unreachable!("it has not moved"));
        assert_eq!(known(&blocks, hash(1023)), 100_000 + 1023 * BYTES);
        blocks.learn(hash(9), 100_000 + 9 * BYTES + 31 * SLOT, || unreachable!("it has not moved"));
        assert_eq!(known(&blocks, hash(0)), 100_000);
    }

    #[test]
    fn a_slot_elsewhere_is_not_believed_and_many_are() {
        let blocks = Blocks::unknown();
        blocks.learn(hash(0), 100_000, || 1024 * SLOTS);
        for _ in 0..10 {
            blocks.learn(hash(1), 9_000_000, || unreachable!("one stray at a time"));
            blocks.learn(hash(2), 100_000 + 2 * BYTES, || unreachable!("it has not moved"));
        }
        assert_eq!(known(&blocks, hash(3)), 100_000 + 3 * BYTES);
        for number in 0..=MOVED as usize {
            blocks.learn(hash(number), 700_000 + number / 2 * BYTES, || 512 * SLOTS);
        }
        assert_eq!(known(&blocks, hash(1023)), 700_000 + 511 * BYTES);
    }

    #[test]
    fn most_look_ups_teach_nothing() {
        let blocks = Blocks::unknown();
        blocks.learn(hash(7) | 1 << 8, 100_000, || unreachable!("not learned from"));
        assert_eq!(known(&blocks, hash(0)), 0);
        blocks.fetch(hash(7));
    }
}
