//! The memory of a map: where that of one will lie that is made next, and in what pages.
//!
//! A map that is made with room for all its pairs asks the allocator for its buckets and then for its blocks.
//! Who has just asked for as much and given it back knows where they will lie, if the allocator gives out
//! again what it was given last, as most do.

use super::{BUCKET, SLOTS, WORTHWHILE, Whereabouts, shift_for};
use crate::machine::{CACHE_LINE, take_now, want_huge_pages};
use crate::sync::{AtomicU16, AtomicU32, AtomicUsize, Ordering};
use std::marker::PhantomData;

/// Bytes of buckets or of blocks from which on they are to lie in huge pages: what small pages hold is found
/// by what a processor remembers of them, up to about as much.
const WORTH_HUGE_PAGES: usize = 8 << 20;
/// Bytes that the system is asked for at once, of memory that is taken ahead.
const TAKEN_AT_ONCE: usize = 16 << 20;

/// The addresses of the first block's slots and of the first bucket; 0 if they are not known.
#[derive(Default)]
struct Places {
    first: usize,
    buckets: usize,
}

impl<S, V> Whereabouts<S, V> {
    /// Those of a map that is made right after this with so many slots.
    pub(crate) fn of_next_map(slots: usize, huge_pages: bool) -> Self {
        let buckets = slots / SLOTS;
        let worthwhile = buckets * Self::BYTES >= WORTHWHILE;
        let places = if worthwhile { Self::places_of_next(buckets) } else { None };
        let Places { first, buckets: first_bucket } = places.unwrap_or_default();
        Self {
            first: AtomicUsize::new(first),
            buckets: AtomicUsize::new(first_bucket),
            shift: AtomicU32::new(shift_for(buckets)),
            strays: AtomicU16::new(0),
            huge_pages,
            pairs: PhantomData,
        }
    }

    /// The same, with the map made: where the allocator would still give out the places that were
    /// reckoned with, the map lies elsewhere.
    pub(crate) fn once_it_is_made(self) -> Self {
        // ORDERING: Relaxed; nobody else has it yet, here and below.
        let first = self.first.load(Ordering::Relaxed);
        let first_bucket = self.buckets.load(Ordering::Relaxed);
        if first == 0 {
            return self;
        }
        let buckets = self.buckets_known();
        let next = Self::places_of_next(buckets).unwrap_or_default();
        if next.first == first || next.buckets == first_bucket {
            self.forget();
            return self;
        }
        let blocks = (first.wrapping_sub(Self::BEHIND), buckets * Self::BYTES);
        for (place, bytes) in [(first_bucket, buckets * BUCKET), blocks] {
            if self.deserves_huge_pages(bytes) {
                want_huge_pages(place, bytes);
                take_now(place, bytes);
            }
        }
        self
    }

    /// Where so many buckets and their blocks will lie if they are asked for next, in this order, as the
    /// map does. It asks for one bucket more, as it wants them to begin with a line.
    fn places_of_next(buckets: usize) -> Option<Places> {
        let places = || {
            let first_bucket = piece((buckets + 1).checked_mul(BUCKET)?)?;
            let first = piece(buckets.checked_mul(Self::BYTES)?)?;
            Some(Places {
                first: first.as_ptr().addr() + Self::BEHIND,
                buckets: first_bucket.as_ptr().addr().next_multiple_of(CACHE_LINE),
            })
        };
        // Twice: what is given back may make the allocator take pieces of this size from elsewhere from
        // now on, as glibc does.
        places()?;
        places()
    }

    /// Has the system give a piece of the blocks' memory before anybody waits for it: the one that
    /// begins at `taken`, or the first one, if that lies elsewhere. Returns where the next one begins, or
    /// `None` if all is taken, or if it is not for huge pages.
    pub(crate) fn take_ahead(&self, taken: usize) -> Option<usize> {
        // ORDERING: Relaxed, as above.
        let first = self.first.load(Ordering::Relaxed);
        let bytes = self.buckets_known() * Self::BYTES;
        let begin = first.wrapping_sub(Self::BEHIND);
        let all = begin..=begin.saturating_add(bytes);
        if first == 0 || !self.deserves_huge_pages(bytes) || taken == *all.end() {
            return None;
        }
        let begin = if all.contains(&taken) { taken } else { begin };
        let piece = TAKEN_AT_ONCE.min(all.end() - begin);
        take_now(begin, piece);
        Some(begin + piece)
    }

    /// Whether a piece of so many bytes is to lie in huge pages.
    pub(super) fn deserves_huge_pages(&self, bytes: usize) -> bool {
        self.huge_pages && bytes >= WORTH_HUGE_PAGES
    }
}

/// A piece of memory, asked for and not touched.
fn piece(bytes: usize) -> Option<Vec<u8>> {
    let mut piece = Vec::new();
    piece.try_reserve_exact(bytes).ok()?;
    Some(piece)
}

#[cfg(all(test, not(any(checker = "loom", checker = "shuttle"))))]
mod tests {
    use super::super::tests::{BLOCKS, BYTES, buckets, capacity, known, slot_at};
    use super::*;
    use crate::entry::Keyed;
    use crate::table::Table;

    #[test]
    fn a_map_lies_where_as_much_was_given_back() {
        // What other tests give back meanwhile may come in between.
        let expected = (0..100).any(|_| {
            let places = Whereabouts::<u64, ()>::of_next_map(capacity(), false);
            // As the map asks for them.
            let map = Vec::<u8>::with_capacity((BLOCKS + 1) * BUCKET);
            let blocks = Vec::<u8>::with_capacity(BLOCKS * BYTES);
            let places = places.once_it_is_made();
            buckets(&places) == map.as_ptr().addr().next_multiple_of(CACHE_LINE)
                && known(&places, 0) == blocks.as_ptr().addr()
        });
        assert!(expected, "this allocator gives out again what it was given last");
        let unmade = (0..100).any(|_| {
            let places = Whereabouts::<u64, ()>::of_next_map(capacity(), false);
            buckets(&places) != 0 && buckets(&places.once_it_is_made()) == 0
        });
        assert!(unmade, "nobody took what was given back");
    }

    #[test]
    fn memory_is_taken_ahead_piece_by_piece_wherever_the_map_lies() {
        const MANY: usize = (3 * TAKEN_AT_ONCE / BYTES).next_power_of_two();
        let pieces = |places: &Whereabouts<u64, ()>, from| {
            std::iter::successors(places.take_ahead(from), |&taken| places.take_ahead(taken))
                .take(20)
                .collect::<Vec<_>>()
        };
        // Where nothing lies, below all that programs are given.
        let at = |place: usize| {
            let places = Whereabouts::<u64, ()>::of_next_map(0, true);
            places.learn(0, slot_at(place), || MANY * SLOTS);
            places
        };
        let all: Vec<usize> = (1..=4).map(|piece| 4_096 + piece * TAKEN_AT_ONCE).collect();
        assert_eq!(pieces(&at(4_096), 0), all);
        assert_eq!(pieces(&at(4_096), all[1]), all[2..]);
        assert_eq!(pieces(&at(4_096), all[3]), [0; 0]);
        assert_eq!(pieces(&at(4_096), all[3] + 1), all, "taken of another map");

        let small = Whereabouts::<u64, ()>::of_next_map(0, true);
        assert_eq!(small.take_ahead(0), None, "nothing is known");
        small.learn(0, slot_at(4_096), || WORTH_HUGE_PAGES / 2 / BYTES * SLOTS);
        assert_eq!((known(&small, 0), small.take_ahead(0)), (4_096, None));
        let unwanted = Whereabouts::<u64, ()>::of_next_map(0, false);
        unwanted.learn(0, slot_at(4_096), || MANY * SLOTS);
        assert_eq!((known(&unwanted, 0), unwanted.take_ahead(0)), (4_096, None));
    }

    /// Bytes that the system has given of so many from `place` on, and whether it was asked for huge pages.
    #[cfg(target_os = "linux")]
    fn given(maps: &str, place: usize, bytes: usize) -> Option<(usize, bool)> {
        let (mut inside, mut given, mut huge) = (false, 0, false);
        for line in maps.lines() {
            let words: Vec<&str> = line.split_whitespace().collect();
            let range = words[0].split_once('-').and_then(|(begin, end)| {
                let number = |digits| usize::from_str_radix(digits, 16).ok();
                Some(number(begin)?..number(end)?)
            });
            match (range, words[0]) {
                (Some(range), _) => inside = range.start < place + bytes && place < range.end,
                (None, "Rss:") if inside => given += words[1].parse::<usize>().ok()? << 10,
                (None, "VmFlags:") if inside => huge |= words.contains(&"hg"),
                _ => {}
            }
        }
        Some((given, huge))
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn a_table_with_room_has_its_memory_at_once_and_only_where_huge_pages_are_wanted() {
        const BYTES: usize = Whereabouts::<Keyed<u64>, u64>::BYTES;
        // 48 MiB of blocks: what is smaller, glibc may have in use already.
        const PAIRS: usize = 1_500_000;
        let has = |wanted| {
            let table = Table::<Keyed<u64>, u64>::with_capacity(PAIRS, wanted);
            // ORDERING: Relaxed; one thread.
            let first = table.whereabouts.first.load(Ordering::Relaxed);
            let all = table.capacity() / SLOTS * BYTES;
            let maps = std::fs::read_to_string("/proc/self/smaps").unwrap();
            (first != 0).then(|| (given(&maps, first, all).unwrap(), all))
        };
        // What other tests give back meanwhile may come in between.
        let ((given, huge), all) = (0..100).find_map(|_| has(true)).unwrap();
        assert!(given >= all / 100 * 99, "{given} bytes of {all} were given");
        let known_to_system = std::path::Path::new("/sys/kernel/mm/transparent_hugepage").exists();
        assert_eq!(huge, known_to_system);
        let ((given, huge), all) = (0..100).find_map(|_| has(false)).unwrap();
        assert!(given < all / 2 && !huge, "{given} bytes of {all} were given");
    }
}
