//! The map, and the only file that names `scc`.
//!
//! Everything else sees pairs through closures that run under a bucket's lock. A closure must not
//! come back to the table: with a bucket held, another look-up may deadlock. What is removed is
//! handed out, so that user code in a `Drop` runs after the lock is gone.

mod whereabouts;

use crate::entry::{Slot, hash_of};
use crate::expiry::{Due, Lease};
use crate::machine::prefetch;
use crate::sync::gates::Passed;
use crate::sync::{MODELLED, atomic_step};
use scc::hash_map::{Entry, OccupiedEntry, ReplaceResult, VacantEntry};
use std::borrow::Borrow;
use std::hash::{BuildHasher, Hash, Hasher};
use whereabouts::Whereabouts;

/// The pairs: each in a slot `S`, with as much of it as does not lie there in a `V` beside it.
pub(crate) struct Table<S, V> {
    map: scc::HashMap<S, V, PassThrough>,
    /// Where `map` has its buckets and slots.
    whereabouts: Whereabouts<S, V>,
}

impl<S: Slot, V> Table<S, V> {
    /// A table with room for `pairs`, in huge pages if they are wanted and to be had.
    pub(crate) fn with_capacity(pairs: usize, huge_pages: bool) -> Self {
        // In this order: what is asked for in between would lie where the map is expected.
        let whereabouts = Whereabouts::of_next_map(Self::slots(pairs).unwrap_or(0), huge_pages);
        let map = scc::HashMap::with_capacity_and_hasher(pairs, PassThrough);
        Self { map, whereabouts: whereabouts.once_it_is_made() }
    }

    /// Whether memory for `pairs` can be had: the map itself would panic.
    pub(crate) fn can_allocate(pairs: usize) -> bool {
        // Two bytes a slot besides, for fingerprints and locks.
        let bytes = Self::slots(pairs).and_then(|slots| slots.checked_mul(size_of::<(S, V)>() + 2));
        bytes.is_some_and(|bytes| Vec::<u8>::new().try_reserve_exact(bytes).is_ok())
    }

    /// Slots that the map makes for `pairs`: it plans for a load of four in five.
    fn slots(pairs: usize) -> Option<usize> {
        (pairs / 4).checked_mul(5)?.checked_next_power_of_two()
    }

    /// Runs `f` on the pair of `key` under its bucket's shared lock.
    #[inline]
    pub(crate) fn read<Q, R>(&self, hash: u64, key: &Q, f: impl FnOnce(&S, &V) -> R) -> Option<R>
    where
        S::Key: Borrow<Q>,
        Q: Eq + ?Sized,
    {
        let probe = ByKey { hash, key };
        atomic_step(|| {
            self.map.read_sync(&probe, |slot, value| {
                self.learn(hash, slot);
                f(slot, value)
            })
        })
    }

    /// Starts fetching what a call that follows will look at to find a pair of this hash, as far as it is
    /// known where that lies.
    #[inline]
    pub(crate) fn fetch(&self, hash: u64) {
        if !MODELLED {
            self.whereabouts.fetch(hash);
        }
    }

    /// The same for several pairs that are looked up one after the other, each of whose steps overlaps with
    /// those of the others: their buckets, where those are known, then what these say of where their
    /// slots lie, then what `outside` fetches of a pair, if there is anything to fetch.
    ///
    /// No more is fetched than is needed: what overlaps is limited by how much memory is asked for.
    pub(crate) fn fetch_each(
        &self,
        hashes: impl Iterator<Item = u64> + Clone,
        outside: Option<fn(&S, &V)>,
    ) {
        if MODELLED {
            return;
        }
        hashes.clone().for_each(|hash| self.whereabouts.fetch_bucket(hash));
        for hash in hashes.clone() {
            self.map.read_sync(&ByHash(hash), |slot, value| {
                prefetch(slot);
                prefetch(value);
            });
        }
        let Some(fetch) = outside else { return };
        for hash in hashes {
            self.map.read_sync(&ByHash(hash), fetch);
        }
    }

    /// Learns where a pair of this hash lies: for those that are fetched later.
    #[inline]
    pub(crate) fn learn(&self, hash: u64, slot: *const S) {
        if !MODELLED {
            // Under a bucket's lock, but the map's capacity is read without any.
            self.whereabouts.learn(hash, slot, || self.map.capacity());
        }
    }

    /// The same of a slot that was just put there, which may have made the map grow.
    #[inline]
    pub(crate) fn learn_newcomer(&self, hash: u64, slot: *const S) {
        if !MODELLED {
            self.whereabouts.learn_newcomer(hash, slot, || self.map.capacity());
        }
    }

    /// Runs `f`, in which each call of the table is cheaper: the map's promise to keep what is being
    /// read, a fence each time, is made once for all.
    #[inline]
    pub(crate) fn at_once<R>(&self, f: impl FnOnce(&Self) -> R) -> R {
        let _kept = (!MODELLED).then(scc::Guard::new);
        f(self)
    }

    /// Runs `f` on the pair of `key` under its bucket's exclusive lock, for a call that has passed the gate
    /// of its hash.
    #[inline]
    pub(crate) fn modify<Q, R>(
        &self,
        passed: Passed<'_>,
        hash: u64,
        key: &Q,
        f: impl FnOnce(Occupied<'_, S, V>) -> R,
    ) -> Option<R>
    where
        S::Key: Borrow<Q>,
        Q: Eq + ?Sized,
    {
        self.modify_found(passed, &ByKey { hash, key }, f)
    }

    /// Runs `f` on the pair that holds the index node `due`, under its bucket's exclusive lock.
    #[inline]
    pub(crate) fn modify_due<R>(
        &self,
        passed: Passed<'_>,
        due: Due,
        f: impl FnOnce(Occupied<'_, S, V>) -> R,
    ) -> Option<R> {
        self.modify_found(passed, &ByNode(due), f)
    }

    /// Runs `f` on the pair that a probe finds: whatever it is looked for by, a call has the lock from here on.
    #[inline]
    fn modify_found<R>(
        &self,
        mut passed: Passed<'_>,
        probe: &(impl scc::Equivalent<S> + Hash),
        f: impl FnOnce(Occupied<'_, S, V>) -> R,
    ) -> Option<R> {
        atomic_step(|| {
            let entry = self.map.get_sync(probe)?;
            passed.has_locked();
            Some(f(Occupied(entry)))
        })
    }

    /// Runs one of two closures on the place of `key`, under its bucket's exclusive lock:
    /// `occupied` if a pair has it, `vacant` if it is free. Either is given what is to be put there.
    ///
    /// A pair keeps the new slot, with the word of the one it had; `occupied` is given that one, to
    /// hand out.
    ///
    /// Two closures, since one that took an enum of both would be given it through memory: what is
    /// written in parts and read as a whole waits until it has reached the cache.
    #[inline]
    pub(crate) fn with_place<T, R>(
        &self,
        mut passed: Passed<'_>,
        slot: S,
        newcomer: T,
        occupied: impl FnOnce(T, Occupied<'_, S, V>, S) -> R,
        vacant: impl FnOnce(T, Vacant<'_, S, V>) -> R,
    ) -> R {
        atomic_step(|| {
            let place = self.map.replace_sync(slot);
            passed.has_locked();
            match place {
                ReplaceResult::Replaced(entry, former) => {
                    entry.key().word().succeed(former.word());
                    occupied(newcomer, Occupied(entry), former)
                }
                ReplaceResult::NotReplaced(entry) => vacant(newcomer, Vacant(entry)),
            }
        })
    }

    /// The same, but a pair that has the place is left as it is: the new slot is then dropped, under
    /// the lock, so no user code may be in its `Drop`.
    pub(crate) fn with_absence<T, R>(
        &self,
        mut passed: Passed<'_>,
        slot: S,
        newcomer: T,
        occupied: impl FnOnce(Occupied<'_, S, V>) -> R,
        vacant: impl FnOnce(T, Vacant<'_, S, V>) -> R,
    ) -> R {
        atomic_step(|| {
            let place = self.map.entry_sync(slot);
            passed.has_locked();
            match place {
                Entry::Occupied(entry) => occupied(Occupied(entry)),
                Entry::Vacant(entry) => vacant(newcomer, Vacant(entry)),
            }
        })
    }

    /// Runs `f` on every pair under shared locks, one bucket at a time.
    pub(crate) fn for_each(&self, mut f: impl FnMut(&S, &V)) {
        atomic_step(|| {
            self.map.iter_sync(|slot, value| {
                f(slot, value);
                true
            })
        });
    }

    /// Removes every pair for which `f` gives a ticket, under exclusive locks, one bucket at a
    /// time; `taken` is given each ticket and its pair once that is out, the lock still held. A
    /// pair kept may be visited twice while the table is resized.
    pub(crate) fn extract_if<T>(
        &self,
        mut f: impl FnMut(&S, &V) -> Option<T>,
        mut taken: impl FnMut(T, (S, V)),
    ) {
        atomic_step(|| {
            self.map.iter_mut_sync(|entry| {
                let ticket = f(entry.key(), &entry);
                if let Some(ticket) = ticket {
                    taken(ticket, entry.consume());
                }
                true
            })
        });
    }

    /// Pairs that fit before the table grows, nearly: it grows at 13/16 of this.
    pub(crate) fn capacity(&self) -> usize {
        atomic_step(|| self.map.capacity())
    }

    /// Memory of the table in bytes: its slots, and two bytes a slot for fingerprints and locks.
    pub(crate) fn bytes(&self) -> usize {
        self.capacity() * (size_of::<(S, V)>() + 2)
    }
}

/// A pair under its bucket's exclusive lock, which is held until this is dropped.
pub(crate) struct Occupied<'t, S: Slot, V>(OccupiedEntry<'t, S, V, PassThrough>);

impl<S: Slot, V> Occupied<'_, S, V> {
    #[inline]
    pub(crate) fn slot(&self) -> &S {
        self.0.key()
    }

    #[inline]
    pub(crate) fn value(&self) -> &V {
        self.0.get()
    }

    #[inline]
    pub(crate) fn value_mut(&mut self) -> &mut V {
        self.0.get_mut()
    }

    /// Takes the pair out and lets go of the lock.
    #[inline]
    pub(crate) fn remove(self) -> (S, V) {
        self.0.remove_entry()
    }
}

/// A free place for a key, under its bucket's exclusive lock, held until this is dropped.
pub(crate) struct Vacant<'t, S: Slot, V>(VacantEntry<'t, S, V, PassThrough>);

impl<S: Slot, V> Vacant<'_, S, V> {
    /// Puts the pair here and lets go of the lock; returns where its slot lies.
    #[inline]
    pub(crate) fn insert(self, value: V, lease: Lease) -> *const S {
        self.0.key().word().set_lease(lease);
        self.0.insert_entry(value).key()
    }

    /// The slot that is to be put here.
    pub(crate) fn slot(&self) -> &S {
        self.0.key()
    }

    /// Lets go of the lock, and hands the slot back.
    pub(crate) fn into_slot(self) -> S {
        self.0.into_key()
    }
}

/// The map's hasher: hands through the one number that is written to it.
#[derive(Clone, Copy, Default)]
struct PassThrough;

impl BuildHasher for PassThrough {
    type Hasher = OneNumber;

    #[inline]
    fn build_hasher(&self) -> OneNumber {
        OneNumber(0)
    }
}

struct OneNumber(u64);

impl Hasher for OneNumber {
    #[inline]
    fn finish(&self) -> u64 {
        self.0
    }

    #[inline]
    fn write_u64(&mut self, number: u64) {
        self.0 = number;
    }

    fn write(&mut self, bytes: &[u8]) {
        debug_assert!(false, "only hashes are written to the map's hasher");
        self.0 = hash_of(bytes);
    }
}

/// Finds a pair by its key, hashed already.
struct ByKey<'q, Q: ?Sized> {
    hash: u64,
    key: &'q Q,
}

impl<Q: ?Sized> Hash for ByKey<'_, Q> {
    #[inline]
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.hash);
    }
}

impl<S: Slot<Key: Borrow<Q>>, Q: Eq + ?Sized> scc::Equivalent<S> for ByKey<'_, Q> {
    #[inline]
    fn equivalent(&self, slot: &S) -> bool {
        if S::POINTS {
            slot.fetch::<Q>();
        }
        slot.key().borrow() == self.key
    }
}

/// Finds the first pair whose fingerprint in its bucket is that of a hash, which costs no look at
/// the pair: nearly always the right one, as there are 256 of them and 32 pairs at most.
struct ByHash(u64);

impl Hash for ByHash {
    #[inline]
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.0);
    }
}

impl<S: Slot> scc::Equivalent<S> for ByHash {
    #[inline]
    fn equivalent(&self, _: &S) -> bool {
        true
    }
}

/// Finds the pair that holds an index node.
struct ByNode(Due);

impl Hash for ByNode {
    #[inline]
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.0.hash);
    }
}

impl<S: Slot> scc::Equivalent<S> for ByNode {
    #[inline]
    fn equivalent(&self, slot: &S) -> bool {
        slot.holds(self.0)
    }
}
