//! Calls that leave a live pair as it is.

use super::{Shared, Store, Ttl};
use crate::entry::Slot;
use crate::owned_bytes::{fetch_owned, owns_bytes};
use crate::planted::{Bug, planted};
use crate::stats::Count;
use std::borrow::Borrow;
use std::hash::Hash;

/// Keys that are looked up together: while the last of so many are asked for, the first arrive.
const BATCH: usize = 32;

/// Starts fetching what a look-up by a `Q` and its caller will read of the pair outside its slot.
#[inline]
fn fetch_pair<Q: ?Sized, S: Slot<Key: Borrow<Q>>, V: 'static>(slot: &S, value: &V) {
    slot.fetch::<Q>();
    fetch_owned(value);
}

impl<S: Slot, V> Shared<S, V> {
    /// Runs `f` on the live value of `key` under its bucket's shared lock; an expired one is
    /// reclaimed, which is all that expiry ever costs a reader.
    #[inline]
    pub(super) fn visit<Q, R>(&self, key: &Q, f: impl FnOnce(&S, &V) -> R) -> Option<R>
    where
        S::Key: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        self.visit_hashed::<false, Q, R>(self.sought(key), key, f)
    }

    /// The same; whether it is a `USE` of the value, which keeps it from being evicted for a while.
    #[inline]
    fn visit_hashed<const USE: bool, Q, R>(
        &self,
        hash: u64,
        key: &Q,
        f: impl FnOnce(&S, &V) -> R,
    ) -> Option<R>
    where
        S::Key: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        let mut expired = false;
        let found = self.table.read(hash, key, |slot, value| {
            if !slot.word().is_blank() {
                expired = self.is_expired(slot.word().lease());
                if expired {
                    return None;
                }
                if USE {
                    self.note_use(hash, slot);
                }
            }
            Some(f(slot, value))
        });
        if expired {
            self.reclaim(hash, key);
        }
        found.flatten()
    }

    /// The same as `visit`, where it is a use of the value.
    #[inline]
    pub(super) fn visit_to_use<Q, R>(&self, key: &Q, f: impl FnOnce(&S, &V) -> R) -> Option<R>
    where
        S::Key: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        self.visit_hashed::<true, Q, R>(self.sought(key), key, f)
    }

    /// The same, counted as a hit or a miss.
    #[inline]
    pub(super) fn read<Q, R>(&self, key: &Q, f: impl FnOnce(&S, &V) -> R) -> Option<R>
    where
        S::Key: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        self.read_hashed(self.sought(key), key, f)
    }

    #[inline]
    fn read_hashed<Q, R>(&self, hash: u64, key: &Q, f: impl FnOnce(&S, &V) -> R) -> Option<R>
    where
        S::Key: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        let counted = self.counters.look_up();
        let found = self.visit_hashed::<true, Q, R>(hash, key, f);
        if let (None, Some(bound)) = (&found, &self.bound) {
            bound.expect(hash);
        }
        counted.ended(found.is_some());
        found
    }

    /// The same for each of `keys`, in their order. The misses of a look-up follow one another, but
    /// those of several overlap: so a batch takes each step together.
    pub(super) fn read_many<T, Q, R>(
        &self,
        keys: impl Iterator<Item = T>,
        key_of: impl Fn(&T) -> &Q,
        f: impl Fn(&S, &V) -> R,
    ) -> Vec<Option<R>>
    where
        S::Key: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
        V: 'static,
    {
        let mut keys = keys.fuse();
        let mut answers = Vec::with_capacity(keys.size_hint().0);
        // Keys and hashes apart, and never moved: what is written in parts and read as a whole waits
        // until all that was written before has reached the cache.
        let mut batch: [Option<T>; BATCH] = [const { None }; BATCH];
        let mut hashes = [0; BATCH];
        loop {
            let mut count = 0;
            for (place, hash) in batch.iter_mut().zip(&mut hashes) {
                *place = keys.next();
                let Some(key) = place else { break };
                *hash = self.hasher.hash_of(key_of(key));
                count += 1;
            }
            let hashes = &hashes[..count];
            self.table.at_once(|table| {
                let outside = S::POINTS || owns_bytes::<V>();
                let fetch = outside.then_some(fetch_pair::<Q, S, V> as fn(&S, &V));
                table.fetch_each(hashes.iter().copied(), fetch);
                for (&hash, key) in hashes.iter().zip(batch.iter().flatten()) {
                    answers.push(self.read_hashed(hash, key_of(key), &f));
                }
            });
            if count < BATCH {
                return answers;
            }
        }
    }

    /// Whether `key` has a live value, which is no use of it.
    pub(super) fn contains<Q>(&self, key: &Q) -> bool
    where
        S::Key: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        self.visit(key, |_, _| ()).is_some()
    }

    /// What `f` makes of a live pair and of what remains of its TTL.
    pub(super) fn peek<Q, R>(&self, key: &Q, f: impl FnOnce(&S, &V, Ttl) -> R) -> Option<R>
    where
        S::Key: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        let look = |slot: &S, value: &V| {
            let ttl = match slot.word().lease().deadline {
                None => Ttl::Never,
                // The clock may have reached the deadline since it was looked at a moment ago.
                Some(deadline) => Ttl::After(self.clock.remaining(deadline)?),
            };
            Some(f(slot, value, ttl))
        };
        self.visit(key, look).flatten()
    }

    /// How many live pairs there are, counted one by one.
    pub(super) fn live_len(&self) -> usize {
        let mut live = 0;
        self.for_each(|_, _| live += 1);
        live
    }

    /// Runs `f` on every live pair under its bucket's shared lock.
    pub(super) fn for_each(&self, mut f: impl FnMut(&S, &V)) {
        self.table.for_each(|slot, value| {
            if !self.is_expired(slot.word().lease()) {
                f(slot, value);
            }
        });
    }

    /// Removes the pair of `key` if it is expired still: between the look that found it so and
    /// this one, it may have been put anew.
    #[cold]
    fn reclaim<Q>(&self, hash: u64, key: &Q)
    where
        S::Key: Borrow<Q>,
        Q: Eq + ?Sized,
    {
        let gone = self.table.modify(self.gates.pass(hash), hash, key, |entry| {
            (self.is_expired(entry.slot().word().lease()) || planted(Bug::LazyExpiryWithoutRecheck))
                .then(|| self.take_expired(hash, entry, Count::ExpiredLazily))
        });
        drop(gone.flatten().and_then(|gone| self.told(gone)));
    }
}

impl<K: Hash + Eq, V> Store<K, V> {
    /// A clone of the live value of `key`. For large values, store an `Arc` or use
    /// [`read`](Store::read).
    ///
    /// Counts as a hit or a miss, and as a use of the value where one may be evicted.
    /// Complexity: O(1); an expired pair is removed on the way.
    ///
    /// # Examples
    /// ```
    /// let store = store::Store::<String, u32>::new();
    /// store.put("one".to_owned(), 1);
    /// assert_eq!(store.get("one"), Some(1));
    /// assert_eq!(store.get("two"), None);
    /// ```
    #[inline]
    pub fn get<Q>(&self, key: &Q) -> Option<V>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
        V: Clone,
    {
        self.read(key, V::clone)
    }

    /// What `f` makes of the live value of `key`, read in place.
    ///
    /// `f` runs under the bucket's shared lock: keep it short, and do not call the store in it.
    /// Counts as a hit or a miss, and as a use, as [`get`](Store::get) does. Complexity: O(1).
    ///
    /// # Examples
    /// ```
    /// let store = store::Store::<u32, String>::new();
    /// store.put(1, "a long text".to_owned());
    /// assert_eq!(store.read(&1, |text| text.len()), Some(11));
    /// ```
    #[inline]
    pub fn read<Q, R>(&self, key: &Q, f: impl FnOnce(&V) -> R) -> Option<R>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        self.shared.read(key, |_, value| f(value))
    }

    /// Clones of the live values of `keys`, in their order.
    ///
    /// Each key is looked up on its own: together they are no snapshot. Those of 32 at a time are
    /// fetched from memory together, and with them the bytes of values that are `String`, `Vec<u8>`,
    /// `Box<str>`, `Box<[u8]>`, `Arc<str>` or `Arc<[u8]>`: so where pairs lie beyond the caches one call for
    /// many keys takes less time than a [`get`](Store::get) for each.
    ///
    /// # Panics
    /// Passes on a panic of the keys' iterator or of `Hash`, `Eq` or `Clone`.
    ///
    /// # Examples
    /// ```
    /// let store = store::Store::<String, u32>::new();
    /// store.put("one".to_owned(), 1);
    /// store.put("three".to_owned(), 3);
    /// assert_eq!(store.get_many(["one", "two", "three"]), [Some(1), None, Some(3)]);
    /// ```
    pub fn get_many<'q, Q>(&self, keys: impl IntoIterator<Item = &'q Q>) -> Vec<Option<V>>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized + 'q,
        V: Clone + 'static,
    {
        self.shared.read_many(keys.into_iter(), |key| *key, |_, value| value.clone())
    }

    /// Whether `key` has a live value. Counts neither as a hit nor as a miss nor as a use: it keeps
    /// nothing from being evicted.
    ///
    /// Complexity: O(1).
    pub fn contains<Q>(&self, key: &Q) -> bool
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        self.shared.contains(key)
    }

    /// What remains of the TTL of `key`: `None` if it has no live value, [`Ttl::Never`] if it
    /// has no TTL, [`Ttl::After`] otherwise, rounded down to the millisecond but never to zero.
    ///
    /// Counts neither as a hit nor as a miss nor as a use. Complexity: O(1).
    ///
    /// # Examples
    /// ```
    /// use std::time::Duration;
    /// use store::{ManualClock, Store, Ttl};
    ///
    /// let clock = ManualClock::new();
    /// let store = Store::<u32, u32>::builder().clock(clock.clone()).build()?;
    /// store.put(1, 1);
    /// store.put_with_ttl(2, 2, Ttl::After(Duration::from_secs(60)))?;
    /// clock.advance(Duration::from_secs(20));
    /// assert_eq!(store.ttl(&1), Some(Ttl::Never));
    /// assert_eq!(store.ttl(&2), Some(Ttl::After(Duration::from_secs(40))));
    /// assert_eq!(store.ttl(&3), None);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn ttl<Q>(&self, key: &Q) -> Option<Ttl>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        self.peek(key, |_, ttl| ttl)
    }

    /// What `f` makes of the live value of `key` and of what remains of its TTL, as
    /// [`ttl`](Store::ttl) tells it: both of one moment.
    ///
    /// `f` runs under the bucket's shared lock, as that of [`read`](Store::read) does. Counts
    /// neither as a hit nor as a miss nor as a use: for who looks at pairs without being their
    /// user, to copy or to show them. Complexity: O(1).
    ///
    /// # Examples
    /// ```
    /// use std::time::Duration;
    /// use store::{ManualClock, Store, Ttl};
    ///
    /// let clock = ManualClock::new();
    /// let store = Store::<u32, String>::builder().clock(clock.clone()).build()?;
    /// store.put_with_ttl(1, "a text".to_owned(), Ttl::After(Duration::from_secs(60)))?;
    /// clock.advance(Duration::from_secs(20));
    /// let seen = store.peek(&1, |text, ttl| (text.len(), ttl));
    /// assert_eq!(seen, Some((6, Ttl::After(Duration::from_secs(40)))));
    /// assert_eq!(store.stats().hits, 0);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn peek<Q, R>(&self, key: &Q, f: impl FnOnce(&V, Ttl) -> R) -> Option<R>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        self.shared.peek(key, |_, value, ttl| f(value, ttl))
    }

    /// The number of live pairs, counted one by one.
    ///
    /// No snapshot: pairs put or removed meanwhile may be counted or not.
    /// Complexity: O(capacity).
    #[must_use]
    pub fn live_len(&self) -> usize {
        self.shared.live_len()
    }

    /// Runs `f` on every live pair, in no order.
    ///
    /// `f` runs under the shared lock of the pair's bucket: keep it short, and do not call the
    /// store in it. No snapshot: a pair put or removed meanwhile may be seen or not.
    /// Complexity: O(capacity).
    pub fn for_each(&self, mut f: impl FnMut(&K, &V)) {
        self.shared.for_each(|slot, value| f(slot.key(), value));
    }
}
