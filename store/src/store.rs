//! The store: the only place where map, expiry index, clock and counters meet.
//!
//! This file holds what they share and the rules of a single pair; the calls are in
//! `reads`, `writes`, `compute`, `loads` and `reclaim`.

mod bytes;
mod compute;
mod handle;
mod loads;
mod parts;
mod places;
mod reads;
mod reclaim;
mod room;
#[cfg(test)]
mod verify;
mod writes;

pub use bytes::ByteStore;
pub use compute::Compute;
pub(crate) use handle::Handle;
pub(crate) use parts::{Parts, Weigher};
pub use writes::{Refusal, Refused};

use crate::clock::Deadline;
use crate::entry::{Keyed, Slot};
use crate::error::TtlError;
use crate::eviction::Bound;
use crate::expiry::{Due, Lease};
use crate::flights::Flights;
use crate::listener::{Notice, Notifier, Parting, RemovalCause};
use crate::planted::{Bug, planted};
use crate::stats::{Count, Counters, Stats};
use crate::sync::gates::Gates;
use crate::sync::{Arc, AtomicU64, AtomicUsize};
use crate::table::Occupied;
use std::fmt;
use std::hash::Hash;
use std::ops::Deref;
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::time::Duration;

/// A concurrent key/value store with a TTL on any key.
///
/// A `Store` is a cheap handle: clone it into threads. When the last handle is dropped, the
/// sweeper's thread is stopped and joined and the pairs are dropped.
///
/// # Examples
/// ```
/// use std::time::Duration;
/// use store::{Store, Ttl};
///
/// let sessions = Store::<String, u64>::new();
/// sessions.put_with_ttl("alice".to_owned(), 1, Ttl::After(Duration::from_secs(1800)))?;
/// sessions.put("root".to_owned(), 0);
///
/// std::thread::scope(|threads| {
///     for _ in 0..4 {
///         threads.spawn(|| assert_eq!(sessions.get("alice"), Some(1)));
///     }
/// });
/// assert_eq!(sessions.delete("alice"), Some(1));
/// # Ok::<(), store::TtlError>(())
/// ```
///
/// # Locks
/// A call on a key locks that key's bucket (up to a few dozen keys), shared to read and exclusive
/// to write, and at most one shard of the expiry index inside it. The closures of [`read`],
/// [`peek`], [`update`], [`compute`], [`for_each`] and [`retain`], the `Clone` of a value that is handed out,
/// `Hash` and `Eq` of keys, a [`weigher`](crate::Builder::weigher) where an [`update`] or a [`compute`] has it called,
/// and a [`Clock`](crate::Clock) of yours run under the bucket's lock: they must be short and must not call the store, which could then wait for itself. What
/// the store removes or replaces is dropped outside every lock; what a closure drops itself, such
/// as the value that it overwrites in [`update`], is not. While the table grows, any call may lock
/// a few other buckets in turn to move their pairs. Where calls were seen to queue, those that write to
/// keys of the same thousandth go one at a time for a while, before they lock.
///
/// [`get`]: Store::get
/// [`read`]: Store::read
/// [`peek`]: Store::peek
/// [`update`]: Store::update
/// [`compute`]: Store::compute
/// [`for_each`]: Store::for_each
/// [`retain`]: Store::retain
///
/// # Panics
/// A panic in a closure, in a value's `Clone` or in a `Drop` passes to the caller and leaves the
/// store usable and its counts right; in the sweeper's thread it is caught and counted. A panic in
/// `Hash` does so too, but for a pair that is just then moved to a larger table: it may be lost.
pub struct Store<K, V> {
    shared: Handle<Keyed<K>, V>,
}

/// How long a value is to live.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Ttl {
    /// As long as the store's default TTL says; for ever if it has none.
    #[default]
    Default,
    /// For ever.
    Never,
    /// As long as the live value that the key has now; as [`Ttl::Default`] if it has none.
    Keep,
    /// For this long from now, to the millisecond. Zero is refused.
    After(Duration),
}

impl From<Duration> for Ttl {
    fn from(duration: Duration) -> Self {
        Self::After(duration)
    }
}

/// What the handles and the sweeper share: pairs in slots `S`, with a `V` beside each. How it lies in
/// memory matters: see [`parts`].
#[repr(C, align(128))]
pub(crate) struct Shared<S, V> {
    counters: Counters,
    parts: Parts<S, V>,
    /// Loads of missing keys that are in progress.
    flights: Flights,
    /// The index shard at which the next sweep begins, so that small budgets reach all in turn.
    next_shard: AtomicUsize,
    /// The tick up to which nothing was left to reclaim when room was last looked for: until the
    /// next, nothing is looked for again.
    room_tick: AtomicU64,
    /// Passed before the table is called to change a pair.
    gates: Gates,
}

/// A [`Ttl`] made into a point in time.
#[derive(Clone, Copy)]
enum NewDeadline {
    Keep,
    At(Option<Deadline>),
}

impl<S: Slot, V> Shared<S, V> {
    pub(crate) fn new(parts: Parts<S, V>) -> Self {
        Self {
            counters: Counters::new(),
            parts,
            flights: Flights::new(),
            next_shard: AtomicUsize::new(0),
            room_tick: AtomicU64::new(0),
            gates: Gates::new(),
        }
    }

    pub(crate) fn counters(&self) -> &Counters {
        &self.counters
    }

    fn stats(&self) -> Stats {
        let queues = self.bound.as_deref().map_or(0, Bound::bytes);
        Stats {
            expiry_nodes: self.expiry.len(),
            weight: self.bound.as_deref().map_or(0, Bound::used),
            listener_panics: self.notifier.as_deref().map_or(0, Notifier::panics),
            estimated_bytes: self.table.bytes() + self.expiry.bytes() + queues,
            ..self.counters.snapshot()
        }
    }

    /// Whether the pair with this lease is dead. One without a deadline costs no look at a clock.
    #[inline]
    fn is_expired(&self, lease: Lease) -> bool {
        lease.deadline.is_some_and(|deadline| self.clock.is_due(deadline))
    }

    /// The hash of a key that is about to be looked for: what there is to look at is on its way as
    /// soon as it is known.
    #[inline]
    fn sought<Q: Hash + ?Sized>(&self, key: &Q) -> u64 {
        let hash = self.hasher.hash_of(key);
        self.table.fetch(hash);
        hash
    }

    #[inline]
    fn resolve(&self, ttl: Ttl) -> Result<NewDeadline, TtlError> {
        Ok(match ttl {
            Ttl::Default => NewDeadline::At(self.default_deadline()),
            Ttl::Never => NewDeadline::At(None),
            Ttl::Keep => NewDeadline::Keep,
            Ttl::After(ttl) => NewDeadline::At(Some(self.clock.deadline_after(ttl.try_into()?)?)),
        })
    }

    /// The builder has checked the default TTL, so only an up-time of decades can make its
    /// deadline unrepresentable; the value then stays, as none may be gone before its time.
    fn default_deadline(&self) -> Option<Deadline> {
        self.clock.deadline_after(self.default_ttl?).ok()
    }

    /// Counts a use of a live pair, whose bucket is locked.
    #[inline]
    fn note_use(&self, hash: u64, slot: &S) {
        let Some(bound) = &self.bound else { return };
        if !bound.orders_hits() {
            slot.word().note_hit();
        } else if let Some(number) = slot.word().lease().node {
            bound.touch(Due { hash, node: number });
        }
    }

    /// Takes an expired pair out: its counts, then the pair itself.
    fn take_expired(&self, hash: u64, entry: Occupied<'_, S, V>, count: Count) -> Parting<S, V> {
        self.count_expired(entry.slot().word().lease(), count);
        self.take(hash, entry, RemovalCause::Expired)
    }

    /// Takes a pair out of its queue, then out of the table.
    fn take(&self, hash: u64, entry: Occupied<'_, S, V>, cause: RemovalCause) -> Parting<S, V> {
        let notice = self.notice(hash, cause);
        Parting::new(self.notifier.as_deref(), notice, self.take_out(hash, entry))
    }

    /// The same where nobody is to be told of this very pair.
    fn take_out(&self, hash: u64, entry: Occupied<'_, S, V>) -> (S, V) {
        if let (Some(bound), Some(number)) = (&self.bound, entry.slot().word().lease().node) {
            bound.withdraw(Due { hash, node: number });
        }
        self.take_withdrawn(hash, entry)
    }

    /// Takes the next place for telling of a removal of the key with `hash`, whose bucket is
    /// locked.
    #[inline]
    fn notice(&self, hash: u64, cause: RemovalCause) -> Option<Arc<Notice<S, V>>> {
        self.notifier.as_deref().map(|notifier| notifier.place(hash, cause))
    }

    /// Takes a pair out that stands in no queue, then frees its node.
    ///
    /// In this order, who finds no node left may rely on the pair being gone, as `clean` does. The
    /// node is nobody else's meanwhile: a sweeper that is shown it finds no pair that holds it.
    fn take_withdrawn(&self, hash: u64, entry: Occupied<'_, S, V>) -> (S, V) {
        let lease = entry.slot().word().lease();
        if planted(Bug::NodeFreedBeforePair) {
            self.free(hash, lease);
            let pair = entry.remove();
            self.counters.entries_changed(-1);
            return pair;
        }
        let pair = self.take_unnumbered(entry);
        if !planted(Bug::NodeKeptOnRemoval) {
            self.free(hash, lease);
        }
        pair
    }

    /// The same of a pair whose number is free already: first it is counted out.
    fn take_unnumbered(&self, entry: Occupied<'_, S, V>) -> (S, V) {
        self.counters.entries_changed(-1);
        entry.remove()
    }

    /// Frees the node of a pair that is gone, and its number last: the node lies under it.
    fn free(&self, hash: u64, lease: Lease) {
        let release = || {
            if let (Some(bound), Some(number)) = (&self.bound, lease.node) {
                bound.release(Due { hash, node: number });
            }
        };
        if planted(Bug::NumberFreedBeforeNode) {
            release();
            self.expiry.lease(hash, lease, None);
            return;
        }
        self.expiry.lease(hash, lease, None);
        release();
    }

    /// A pair that has left, once the listener has been told. No lock may be held.
    #[inline]
    fn told(&self, parting: Parting<S, V>) -> Option<(S, V)> {
        parting.told(self.notifier.as_deref())
    }

    fn count_expired(&self, lease: Lease, count: Count) {
        let deadline_ms = lease.deadline.map_or(0, Deadline::ms);
        self.counters.expired(count, self.clock.now_ms().saturating_sub(deadline_ms));
    }
}

impl<S, V> Deref for Shared<S, V> {
    type Target = Parts<S, V>;

    #[inline]
    fn deref(&self) -> &Parts<S, V> {
        &self.parts
    }
}

impl<K, V> From<Handle<Keyed<K>, V>> for Store<K, V> {
    fn from(shared: Handle<Keyed<K>, V>) -> Self {
        Self { shared }
    }
}

impl<K: Hash + Eq, V> Store<K, V> {
    /// The number of pairs held, expired ones that are not yet reclaimed among them. Exact once
    /// the store is quiet.
    ///
    /// Complexity: O(1).
    #[must_use]
    pub fn len(&self) -> usize {
        self.shared.counters.entries()
    }

    /// Whether no pair is held.
    ///
    /// Complexity: O(1).
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The slots of the table as it is now; it grows when about 13 in 16 are taken.
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.shared.table.capacity()
    }

    /// What has been counted since the store was created.
    ///
    /// Complexity: O(1) in the number of pairs.
    ///
    /// # Examples
    /// ```
    /// let store = store::Store::<u32, u32>::new();
    /// store.put(1, 10);
    /// store.get(&1);
    /// store.get(&2);
    /// let stats = store.stats();
    /// assert_eq!((stats.puts, stats.hits, stats.misses), (1, 1, 1));
    /// ```
    #[must_use]
    pub fn stats(&self) -> Stats {
        self.shared.stats()
    }
}

impl<K, V> Clone for Store<K, V> {
    fn clone(&self) -> Self {
        Self { shared: self.shared.clone() }
    }
}

impl<K, V> UnwindSafe for Store<K, V> {}

impl<K, V> RefUnwindSafe for Store<K, V> {}

impl<K, V> fmt::Debug for Store<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.shared.show("Store", f)
    }
}
