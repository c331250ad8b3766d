//! Where the map's buckets and slots lie, as far as can be told.
//!
//! The map finds a bucket by the top bits of a hash, learns there which of its 32 slots to look at,
//! and reads that: two cache misses, the second known only after the first. But the slots of all
//! buckets lie in one piece of memory, a block for each. Who has seen where one lies can tell
//! where the others do, and ask for both at once.
//!
//! The buckets themselves nobody is shown; where those of a map lie that was just made, [`memory`] can tell.
//! Of a map that has grown they are not known.
//!
//! All of it is a guess that nothing but time depends on. The map moves as it grows, and a full
//! bucket has some of its slots elsewhere; what a call sees is believed once it is seen often. It has
//! to be right all the same: to fetch from where nothing is takes longer than not to.

mod memory;

use crate::machine::{CACHE_LINE, prefetch};
use crate::sync::{AtomicBool, AtomicU16, AtomicU32, AtomicUsize, Ordering};
use std::cell::UnsafeCell;
use std::marker::PhantomData;
use std::mem::{MaybeUninit, offset_of};

/// Slots of a block.
const SLOTS: usize = 32;
/// Slots of a bucket that a pair is likely to be in: they are taken from the first on, and a table is
/// between two and four fifths full before it grows, one bucket more than the next.
const LIKELY: usize = 20;
/// The most lines to fetch of a block's slots, and of its values: as many as hold what is of 32 bytes,
/// such as a `String` and its word.
const MOST_LINES: usize = 10;
/// Bytes of a bucket: a line.
const BUCKET: usize = CACHE_LINE;
/// Bytes of blocks from which on they are fetched: fewer are in the caches anyway.
const WORTHWHILE: usize = 1 << 20;
/// One call of so many, a power of two, is learned from.
const SAMPLED: u64 = 16;
/// Bits of a hash that choose it: neither those of the bucket nor those of the fingerprint.
const SAMPLED_BY: u64 = (SAMPLED - 1) << 8;
/// So many calls that found their slot elsewhere, and none between them that did not, say that the
/// blocks have moved.
const MOVED: u16 = 4;

/// Those of a map with slots `S` and values `V` beside them.
pub(crate) struct Whereabouts<S, V> {
    /// The address of the first block's slots; 0 if it is not known.
    first: AtomicUsize,
    /// The address of the first bucket; 0 if it is not known.
    buckets: AtomicUsize,
    /// What is left of a hash, shifted right by this, is the number of its bucket and its block.
    shift: AtomicU32,
    /// Calls, one after the other, that found their slot elsewhere.
    strays: AtomicU16,
    /// Whether a second newcomer lay where `first` says.
    confirmed: AtomicBool,
    /// Whether the map is to lie in huge pages.
    huge_pages: bool,
    pairs: PhantomData<fn(S, V)>,
}

/// What the map keeps its slots and values in: a copy, for the compiler to lay out as it does that one.
struct Block<S, V> {
    slots: UnsafeCell<[MaybeUninit<S>; SLOTS]>,
    values: UnsafeCell<[MaybeUninit<V>; SLOTS]>,
}

impl<S, V> Whereabouts<S, V> {
    const BYTES: usize = size_of::<Block<S, V>>();
    /// How far behind the beginning of a block its slots begin.
    const BEHIND: usize = offset_of!(Block<S, V>, slots);
    /// How far behind the slots of a block its values begin; before them, if this wraps around.
    const VALUES: usize = offset_of!(Block<S, V>, values).wrapping_sub(Self::BEHIND);

    /// Starts fetching the bucket of a hash and what a pair is likely to lie in of its block.
    #[inline]
    pub(crate) fn fetch(&self, hash: u64) {
        self.fetch_bucket(hash);
        // ORDERING: Relaxed, as in `fetch_bucket`.
        let first = self.first.load(Ordering::Relaxed);
        if first == 0 {
            return;
        }
        let block = first.wrapping_add(self.number_of(hash).wrapping_mul(Self::BYTES));
        for line in 0..lines_fetched(size_of::<S>()) {
            prefetch(block.wrapping_add(line * CACHE_LINE) as *const u8);
        }
        for line in 0..lines_fetched(size_of::<V>()) {
            let values = block.wrapping_add(Self::VALUES);
            prefetch(values.wrapping_add(line * CACHE_LINE) as *const u8);
        }
    }

    /// Starts fetching the bucket of a hash alone, if it is known where it lies.
    #[inline]
    pub(crate) fn fetch_bucket(&self, hash: u64) {
        // ORDERING: Relaxed, here and below; whatever mixture of old and new is read is a guess.
        let buckets = self.buckets.load(Ordering::Relaxed);
        if buckets != 0 {
            let place = buckets.wrapping_add(self.number_of(hash).wrapping_mul(BUCKET));
            prefetch(place as *const u8);
        }
    }

    /// Learns from a call that found its `slot` or put it there, in a map of `capacity()` slots.
    #[inline]
    pub(crate) fn learn(&self, hash: u64, slot: *const S, capacity: impl FnOnce() -> usize) {
        if hash & SAMPLED_BY == 0 {
            self.learn_from(hash, slot.addr(), capacity);
        }
    }

    /// Learns from a call that put its `slot` there, with no lock held. All such calls are looked at, since
    /// they make the map grow, and the memory of one that has just grown is hardly touched yet.
    #[inline]
    pub(crate) fn learn_newcomer(
        &self,
        hash: u64,
        slot: *const S,
        capacity: impl FnOnce() -> usize,
    ) {
        // ORDERING: Relaxed, as above.
        let (first, confirmed) =
            (self.first.load(Ordering::Relaxed), self.confirmed.load(Ordering::Relaxed));
        let in_place = confirmed && self.within(first, hash, slot.addr()).is_some();
        if first != 0 && !in_place {
            self.learn_from_newcomer(hash, slot.addr(), capacity);
        } else if hash & SAMPLED_BY == 0 {
            self.learn_from(hash, slot.addr(), capacity);
        }
    }

    /// One that lies elsewhere, or the first after what was learned anew.
    #[cold]
    fn learn_from_newcomer(&self, hash: u64, place: usize, capacity: impl FnOnce() -> usize) {
        // ORDERING: Relaxed, as above.
        if self.within(self.first.load(Ordering::Relaxed), hash, place).is_some() {
            // ORDERING: Relaxed, as above.
            if !self.confirmed.swap(true, Ordering::Relaxed) {
                self.want_huge_pages();
            }
            return;
        }
        let buckets = capacity() / SLOTS;
        // ORDERING: Relaxed, as above. One that lies elsewhere in a map that is as it was is in a full bucket.
        if self.is_resized(buckets) || !self.confirmed.load(Ordering::Relaxed) {
            self.begin_anew(hash, place, buckets);
        }
    }

    /// Whether the map has another number of buckets than when that was looked at.
    fn is_resized(&self, buckets: usize) -> bool {
        // ORDERING: Relaxed, as above.
        shift_for(buckets) != self.shift.load(Ordering::Relaxed)
    }

    /// How far a slot at `place` is behind the beginning of its block, or before it, if it lies near there.
    #[inline]
    fn within(&self, first: usize, hash: u64, place: usize) -> Option<isize> {
        let block = first.wrapping_add(self.number_of(hash).wrapping_mul(Self::BYTES));
        let within = place.wrapping_sub(block).cast_signed();
        let reach = Self::BYTES.cast_signed();
        (-reach..reach).contains(&within).then_some(within)
    }

    #[cold]
    fn learn_from(&self, hash: u64, place: usize, capacity: impl FnOnce() -> usize) {
        // ORDERING: Relaxed, as above.
        let (first, strays) =
            (self.first.load(Ordering::Relaxed), self.strays.load(Ordering::Relaxed));
        let within = if first == 0 { None } else { self.within(first, hash, place) };
        if let Some(within) = within {
            if strays != 0 {
                // ORDERING: Relaxed, as above.
                self.strays.store(0, Ordering::Relaxed);
            }
            if within < 0 {
                // The slot that was learned from was not the first of its block.
                // ORDERING: Relaxed, as above.
                self.first.store(first.wrapping_add_signed(within), Ordering::Relaxed);
            }
            return;
        }
        let buckets = capacity() / SLOTS;
        // ORDERING: Relaxed, as above.
        let unconfirmed = !self.confirmed.load(Ordering::Relaxed);
        if unconfirmed || self.is_resized(buckets) || strays == MOVED {
            self.begin_anew(hash, place, buckets);
        } else {
            // ORDERING: Relaxed, as above.
            self.strays.store(strays + 1, Ordering::Relaxed);
        }
    }

    /// Takes it that the map has so many buckets now, and the block of a hash at `place`: which is believed
    /// for fetches at once, and by the system only when another newcomer confirms it.
    fn begin_anew(&self, hash: u64, place: usize, buckets: usize) {
        if buckets * Self::BYTES < WORTHWHILE {
            // ORDERING: Relaxed, as above.
            if self.first.load(Ordering::Relaxed) != 0 {
                self.forget();
            }
            return;
        }
        let shift = shift_for(buckets);
        // ORDERING: Relaxed, as above.
        if self.shift.swap(shift, Ordering::Relaxed) != shift {
            // It has been resized, and its buckets are others.
            // ORDERING: Relaxed, as above.
            self.buckets.store(0, Ordering::Relaxed);
        }
        let before = self.number_of(hash).wrapping_mul(Self::BYTES);
        // ORDERING: Relaxed, as above.
        self.first.store(place.wrapping_sub(before), Ordering::Relaxed);
        // ORDERING: Relaxed, as above.
        self.confirmed.store(false, Ordering::Relaxed);
        // ORDERING: Relaxed, as above.
        self.strays.store(0, Ordering::Relaxed);
    }

    /// Takes nothing to be known, so that nothing is fetched.
    fn forget(&self) {
        // ORDERING: Relaxed, here and below, as above.
        self.first.store(0, Ordering::Relaxed);
        self.buckets.store(0, Ordering::Relaxed);
        self.strays.store(0, Ordering::Relaxed);
        self.confirmed.store(false, Ordering::Relaxed);
    }

    /// The number of the bucket of a hash, and of its block.
    #[inline]
    fn number_of(&self, hash: u64) -> usize {
        // ORDERING: Relaxed, as above.
        let number = hash.wrapping_shr(self.shift.load(Ordering::Relaxed));
        usize::try_from(number).unwrap_or(0)
    }
}

/// By how much to shift a hash to the right, to find which of so many buckets is its own.
fn shift_for(buckets: usize) -> u32 {
    // Of one bucket too many bits are left: nothing is fetched of so few.
    u64::BITS - buckets.max(2).ilog2()
}

/// How many lines to fetch of 32 of `size` bytes: those that are likely to hold a pair. Of what is too
/// large for that, one: where the pair does not lie in it, what is saved is the way to its page.
const fn lines_fetched(size: usize) -> usize {
    let likely = (size * LIKELY).div_ceil(CACHE_LINE);
    if likely <= MOST_LINES { likely } else { 1 }
}

#[cfg(all(test, not(any(checker = "loom", checker = "shuttle"))))]
mod tests {
    use super::*;
    use crate::entry::{Keyed, hash_of};
    use crate::expiry::Lease;
    use crate::sync::gates::Passed;
    use crate::table::{Table, Vacant};

    const SLOT: usize = size_of::<u64>();
    pub(super) const BYTES: usize = SLOT * SLOTS;
    /// So many that they are worth it.
    pub(super) const BLOCKS: usize = 8_192;

    /// Where the block of a hash is thought to lie.
    pub(super) fn known(places: &Whereabouts<u64, ()>, hash: u64) -> usize {
        // ORDERING: Relaxed; one thread.
        places.first.load(Ordering::Relaxed) + places.number_of(hash) * BYTES
    }

    /// Where the first bucket is thought to lie.
    pub(super) fn buckets(places: &Whereabouts<u64, ()>) -> usize {
        // ORDERING: Relaxed; one thread.
        places.buckets.load(Ordering::Relaxed)
    }

    fn is_confirmed(places: &Whereabouts<u64, ()>) -> bool {
        // ORDERING: Relaxed; one thread.
        places.confirmed.load(Ordering::Relaxed)
    }

    pub(super) fn slot_at(place: usize) -> *const u64 {
        std::ptr::without_provenance(place)
    }

    /// The hash of a pair in block `number` of all, which is learned from.
    fn hash(number: usize) -> u64 {
        (number as u64) << (u64::BITS - BLOCKS.ilog2())
    }

    pub(super) fn capacity() -> usize {
        BLOCKS * SLOTS
    }

    #[test]
    fn what_is_seen_says_where_the_rest_lies() {
        let places = Whereabouts::<u64, ()>::of_next_map(0, false);
        places.learn(hash(7), slot_at(100_000 + 7 * BYTES + 5 * SLOT), capacity);
        assert_eq!(known(&places, hash(7)), 100_000 + 7 * BYTES + 5 * SLOT);
        let unmoved = || unreachable!("it has not moved");
        places.learn(hash(9), slot_at(100_000 + 9 * BYTES), unmoved);
        assert_eq!(known(&places, hash(BLOCKS - 1)), 100_000 + (BLOCKS - 1) * BYTES);
        places.learn(hash(9), slot_at(100_000 + 9 * BYTES + 31 * SLOT), unmoved);
        assert_eq!(known(&places, hash(0)), 100_000);
        places.fetch(hash(7));
    }

    #[test]
    fn a_slot_elsewhere_is_not_believed_and_many_are() {
        let places = Whereabouts::<u64, ()>::of_next_map(0, false);
        places.learn(hash(1), slot_at(9_000_000), capacity);
        places.learn(hash(0), slot_at(100_000), capacity);
        assert_eq!(known(&places, hash(3)), 100_000 + 3 * BYTES, "the first was not confirmed");
        places.learn_newcomer(hash(0), slot_at(100_000), || unreachable!("it is there"));
        for _ in 0..10 {
            places.learn(hash(1), slot_at(9_000_000), capacity);
            let in_place = slot_at(100_000 + 2 * BYTES);
            places.learn(hash(2), in_place, || unreachable!("it has not moved"));
        }
        assert_eq!(known(&places, hash(3)), 100_000 + 3 * BYTES);
        for number in 0..=usize::from(MOVED) {
            assert_eq!(known(&places, hash(3)), 100_000 + 3 * BYTES);
            places.learn(hash(number), slot_at(700_000 + number * BYTES), capacity);
        }
        assert_eq!(known(&places, hash(3)), 700_000 + 3 * BYTES);
        let half = || BLOCKS / 2 * SLOTS;
        places.learn(hash(2), slot_at(900_000 + BYTES), half);
        assert_eq!(known(&places, hash(BLOCKS - 1)), 900_000 + (BLOCKS / 2 - 1) * BYTES);
    }

    #[test]
    fn any_newcomer_shows_that_the_map_was_resized_and_the_next_where_it_lies() {
        let unsampled = |number| hash(number) | 1 << 8;
        let places = Whereabouts::<u64, ()>::of_next_map(0, false);
        let unlooked = || unreachable!("nothing was known");
        places.learn_newcomer(unsampled(0), slot_at(100_000), unlooked);
        places.learn_newcomer(hash(0), slot_at(100_000), capacity);
        let agreed = || unreachable!("it lies where it should");
        assert!(!is_confirmed(&places));
        places.learn_newcomer(unsampled(2), slot_at(100_000 + 2 * BYTES), agreed);
        assert!(is_confirmed(&places));
        for _ in 0..100 {
            // Those of a full bucket.
            places.learn_newcomer(unsampled(2), slot_at(9_000_000), capacity);
        }
        assert_eq!(known(&places, hash(2)), 100_000 + 2 * BYTES);

        // Doubled, just when a full bucket of the old one was put into.
        let twice = || 2 * capacity();
        places.learn_newcomer(unsampled(2), slot_at(9_000_000), twice);
        assert!(!is_confirmed(&places));
        places.learn_newcomer(unsampled(3), slot_at(50_000_000 + 6 * BYTES), twice);
        assert_eq!(known(&places, hash(4)), 50_000_000 + 8 * BYTES);
        assert!(!is_confirmed(&places));
        places.learn_newcomer(unsampled(7), slot_at(50_000_000 + 14 * BYTES), agreed);
        assert!(is_confirmed(&places));
    }

    /// Near the load at which it grows, one newcomer in seven finds its bucket full.
    #[test]
    fn full_buckets_do_not_make_believe_that_the_map_has_moved() {
        let table = Table::<Keyed<u64>, u64>::with_capacity(100_000, false);
        let (mut moves, mut former) = (0, 0);
        let fill = table.capacity() / 64 * 51;
        for key in 0..fill as u64 {
            put(&table, key);
            // ORDERING: Relaxed; one thread.
            let first = table.whereabouts.first.load(Ordering::Relaxed);
            // It may be corrected to the first slot of a block.
            moves += usize::from(first.abs_diff(former) > Whereabouts::<Keyed<u64>, u64>::BYTES);
            former = first;
        }
        assert!(moves <= 3, "{moves} moves");
        assert!(fill <= table.capacity() / 16 * 13, "it has not grown");
    }

    #[test]
    fn buckets_are_known_until_the_map_grows() {
        let places = Whereabouts::<u64, ()>::of_next_map(capacity(), false);
        // ORDERING: Relaxed; one thread.
        places.buckets.store(4_096, Ordering::Relaxed);
        let before = buckets(&places);
        places.learn(hash(3), slot_at(100_000), capacity);
        assert_eq!(buckets(&places), before);
        for _ in 0..=MOVED {
            places.learn(hash(3), slot_at(900_000_000), || 2 * capacity());
        }
        assert_eq!(buckets(&places), 0);
        assert_ne!(known(&places, 0), 0);
        for _ in 0..=MOVED {
            places.learn(hash(3), slot_at(9_000_000_000), || 2 * SLOTS);
        }
        assert_eq!(known(&places, 0), 0, "a map that has become small is forgotten");
        places.fetch(hash(3));
    }

    #[test]
    fn most_look_ups_teach_nothing_and_small_maps_none() {
        let places = Whereabouts::<u64, ()>::of_next_map(0, false);
        places.learn(hash(7) | 1 << 8, slot_at(100_000), || unreachable!("not learned from"));
        assert_eq!(known(&places, hash(0)), 0);
        places.learn(hash(7), slot_at(100_000), || WORTHWHILE / BYTES * SLOTS / 2);
        assert_eq!(known(&places, 0), 0);
        places.fetch(hash(7));
    }

    /// Should the map come to lie otherwise, the guesses are wrong, which nothing but time would tell.
    #[test]
    fn the_map_lies_as_is_guessed() {
        assert_lies_as_guessed::<u64>();
        // The compiler puts what is aligned to more, or divisible by more, first.
        assert_lies_as_guessed::<[u64; 4]>();
    }

    pub(super) fn put<V: Default>(table: &Table<Keyed<u64>, V>, key: u64) {
        let vacant = |(), vacant: Vacant<'_, _, _>| vacant.insert(V::default(), Lease::default());
        let place =
            table.with_place(Passed::Open, Keyed::new(key), (), |(), _, _| unreachable!(), vacant);
        table.learn_newcomer(hash_of(&key), place);
    }

    fn assert_lies_as_guessed<V: Default>() {
        // A load of four in five takes twice as many slots as the next power of two.
        const PAIRS: usize = 110_000;
        let table = Table::<Keyed<u64>, V>::with_capacity(PAIRS, true);
        let hashes: Vec<u64> = (0..PAIRS as u64).map(|key| hash_of(&key)).collect();
        (0..PAIRS as u64).for_each(|key| put(&table, key));
        let places = &table.whereabouts;
        let mut inside = 0;
        for (&hash, key) in hashes.iter().zip(0..) {
            // ORDERING: Relaxed; one thread.
            let first = places.first.load(Ordering::Relaxed);
            let block = first + places.number_of(hash) * Whereabouts::<Keyed<u64>, V>::BYTES;
            let found = table.read(hash, &key, |slot, value| {
                let slot = std::ptr::from_ref(slot).addr();
                let value = std::ptr::from_ref(value).addr();
                let number = slot.wrapping_sub(block) / size_of::<Keyed<u64>>();
                let expected = block
                    .wrapping_add(Whereabouts::<Keyed<u64>, V>::VALUES)
                    .wrapping_add(number * size_of::<V>());
                number < SLOTS && value == expected
            });
            inside += usize::from(found == Some(true));
        }
        // Full buckets have some elsewhere.
        assert!(inside > PAIRS / 100 * 99, "{inside} of {PAIRS} lie in their block");
        let slots = Table::<Keyed<u64>, V>::slots(PAIRS);
        assert_eq!(slots, Some(table.capacity()), "the map has as many buckets as is thought");
    }
}
