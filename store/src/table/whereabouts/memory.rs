//! The memory of a map: where that of one will lie that is made next, and in what pages.
//!
//! A map that is made with room for all its pairs asks the allocator for its buckets and then for its blocks.
//! Who has just asked for as much and given it back knows where they will lie, if the allocator gives out
//! again what it was given last, as most do.

use super::{BUCKET, SLOTS, WORTHWHILE, Whereabouts, shift_for};
use crate::machine::{CACHE_LINE, take_now, want_huge_pages};
use crate::sync::{AtomicBool, AtomicU16, AtomicU32, AtomicUsize, Ordering};
use std::marker::PhantomData;

/// Bytes of buckets or of blocks from which on they are to lie in huge pages: what small pages hold is found
/// by what a processor remembers of them, up to about as much.
const WORTH_HUGE_PAGES: usize = 8 << 20;

/// The addresses of the first block's slots and of the first bucket; 0 if they are not known.
#[derive(Clone, Copy, Default)]
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
            confirmed: AtomicBool::new(places.is_some()),
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
        for (place, bytes) in [(first_bucket, buckets * BUCKET), self.blocks()] {
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

    /// Asks for huge pages for the blocks, if they are worth it.
    pub(super) fn want_huge_pages(&self) {
        let (place, bytes) = self.blocks();
        if self.deserves_huge_pages(bytes) {
            want_huge_pages(place, bytes);
        }
    }

    /// Where the blocks lie, and how many bytes they take.
    fn blocks(&self) -> (usize, usize) {
        // ORDERING: Relaxed, here and below; a guess like all that is known here.
        let first = self.first.load(Ordering::Relaxed);
        (first.wrapping_sub(Self::BEHIND), self.buckets_known() * Self::BYTES)
    }

    /// How many buckets the map had when that was looked at.
    fn buckets_known(&self) -> usize {
        // ORDERING: Relaxed, as above. There are two at least, so there is something to shift by.
        1 << (u64::BITS - self.shift.load(Ordering::Relaxed))
    }

    /// Whether a piece of so many bytes is to lie in huge pages.
    fn deserves_huge_pages(&self, bytes: usize) -> bool {
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
    use super::super::tests::{BLOCKS, BYTES, buckets, capacity, known, put};
    use super::*;
    use crate::entry::{Keyed, hash_of};
    use crate::table::Table;
    use std::fs::File;
    use std::io::{Read, Seek, SeekFrom};
    use std::path::Path;

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

    /// How many pages of so many bytes from `place` on the system has given, of how many; `None` if it does not
    /// tell.
    #[cfg(target_os = "linux")]
    fn pages_given(place: usize, bytes: usize) -> Option<(usize, usize)> {
        const PAGE: usize = 4_096;
        const PRESENT: u8 = 1 << 7;
        let mut map = File::open("/proc/self/pagemap").ok()?;
        map.seek(SeekFrom::Start((place / PAGE * 8) as u64)).ok()?;
        let mut pages = vec![0; bytes / PAGE * 8];
        map.read_exact(&mut pages).ok()?;
        let given = pages.chunks(8).filter(|page| page[7] & PRESENT != 0).count();
        Some((given, bytes / PAGE))
    }

    /// Whether huge pages were asked for where `place` is.
    #[cfg(target_os = "linux")]
    fn are_huge_pages_wanted(place: usize) -> Option<bool> {
        let maps = std::fs::read_to_string("/proc/self/smaps").ok()?;
        let number = |digits| usize::from_str_radix(digits, 16).ok();
        let mut lines = maps.lines().skip_while(|line| {
            let range = line.split_whitespace().next().and_then(|range| range.split_once('-'));
            let range = range.and_then(|(begin, end)| Some(number(begin)?..number(end)?));
            range.is_none_or(|range| !range.contains(&place))
        });
        let flags = lines.find(|line| line.starts_with("VmFlags:"))?;
        Some(flags.split_whitespace().any(|flag| flag == "hg"))
    }

    /// The page size is that of x86-64; the kernel, one of 2021 or later.
    #[test]
    #[cfg(all(target_os = "linux", target_arch = "x86_64"))]
    fn a_table_with_room_has_its_memory_at_once_and_only_where_huge_pages_are_wanted() {
        const BYTES: usize = Whereabouts::<Keyed<u64>, u64>::BYTES;
        // 48 MiB of blocks: what is smaller, glibc may have in use already.
        const PAIRS: usize = 1_500_000;
        let has = |wanted| {
            let table = Table::<Keyed<u64>, u64>::with_capacity(PAIRS, wanted);
            put(&table, 1);
            let hash = hash_of(&1_u64);
            let place = table.read(hash, &1, |slot, _| std::ptr::from_ref(slot).addr()).unwrap();
            // ORDERING: Relaxed; one thread.
            let first = table.whereabouts.first.load(Ordering::Relaxed);
            let inside = first + (1 << 20);
            let all = table.capacity() / SLOTS * BYTES - (2 << 20);
            table.whereabouts.within(first, hash, place).map(|_| {
                (pages_given(inside, all).unwrap(), are_huge_pages_wanted(inside).unwrap())
            })
        };
        // What other tests give back meanwhile may come in between.
        let ((given, all), huge) = (0..100).find_map(|_| has(true)).unwrap();
        assert_eq!(given, all, "pages");
        let known_to_system = Path::new("/sys/kernel/mm/transparent_hugepage").exists();
        assert_eq!(huge, known_to_system);
        let ((given, all), huge) = (0..100).find_map(|_| has(false)).unwrap();
        assert!(given <= 2 && !huge, "{given} pages of {all} were given");
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn a_table_that_has_grown_lies_in_huge_pages_only_where_they_are_wanted() {
        // More than glibc may have in use already.
        const PAIRS: u64 = 900_000;
        let is_huge = |wanted| {
            let table = Table::<Keyed<u64>, u64>::with_capacity(0, wanted);
            (0..PAIRS).for_each(|key| put(&table, key));
            let (place, bytes) = table.whereabouts.blocks();
            assert!(bytes > WORTH_HUGE_PAGES);
            are_huge_pages_wanted(place + bytes / 2).unwrap()
        };
        let known_to_system = Path::new("/sys/kernel/mm/transparent_hugepage").exists();
        assert!(!is_huge(false));
        assert_eq!(is_huge(true), known_to_system);
    }
}
