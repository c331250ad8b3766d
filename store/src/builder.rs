//! What can be chosen about a store, checked before anything is built.

mod bytes;
mod size;

pub(crate) use size::IndexSize;

use crate::clock::{Clock, Lifetime, Timekeeper};
use crate::entry::{KeyHasher, Keyed, Slot};
use crate::error::BuildError;
use crate::eviction::{Bound, BoundSize, Eviction};
use crate::expiry::Expiry;
use crate::listener::{Listener, Notifier, RemovalCause};
use crate::slab::Numbering;
use crate::store::{Handle, Parts, Shared, Store, Weigher};
use crate::sweep::{Sweeper, SweeperThread};
use crate::sync::Arc;
use crate::table::Table;
use std::fmt;
use std::hash::Hash;
use std::marker::PhantomData;
use std::time::Duration;

impl<K, V> Store<K, V>
where
    K: Hash + Eq + Send + Sync + 'static,
    V: Send + Sync + 'static,
{
    /// A store without a default TTL that grows as needed, swept by a thread of its own.
    ///
    /// # Panics
    /// If the operating system refuses the sweeper a thread; [`builder`](Store::builder) returns
    /// that as an error.
    #[must_use]
    pub fn new() -> Self {
        match Self::builder().build() {
            Ok(store) => store,
            Err(error) => panic!("the store could not be built: {error}"),
        }
    }

    /// A builder, for everything that can be chosen.
    ///
    /// # Examples
    /// ```
    /// use std::time::Duration;
    /// use store::Store;
    ///
    /// let store = Store::<u64, String>::builder()
    ///     .capacity(100_000)
    ///     .default_ttl(Duration::from_secs(600))
    ///     .build()?;
    /// store.put(1, "one".to_owned());
    /// # Ok::<(), store::BuildError>(())
    /// ```
    pub fn builder() -> Builder<K, V> {
        Builder::new()
    }
}

impl<K, V> Default for Store<K, V>
where
    K: Hash + Eq + Send + Sync + 'static,
    V: Send + Sync + 'static,
{
    fn default() -> Self {
        Self::new()
    }
}

/// Builds a [`Store`]; made by [`Store::builder`]. Or, made by its `builder`, a
/// [`ByteStore`](crate::ByteStore).
///
/// # Examples
/// ```
/// use std::time::Duration;
/// use store::{Store, Sweeper};
///
/// let store = Store::<u64, u64>::builder()
///     .capacity(1_000_000)
///     .default_ttl(Duration::from_secs(300))
///     .tick(Duration::from_millis(20))
///     .sweeper(Sweeper::Thread)
///     .build()?;
/// assert!(store.capacity() >= 1_000_000);
/// # Ok::<(), store::BuildError>(())
/// ```
#[must_use = "a builder builds nothing until `build` is called"]
pub struct Builder<K: ?Sized, V: ?Sized, L = Apart> {
    layout: PhantomData<L>,
    capacity: usize,
    default_ttl: Option<Duration>,
    tick: Duration,
    sweeper: Sweeper,
    clock: Option<Box<dyn Clock>>,
    max_entries: Option<usize>,
    max_weight: Option<u64>,
    weigher: Option<Weigher<K, V>>,
    eviction: Option<Eviction>,
    listener: Option<Listener<K, V>>,
    #[cfg(test)]
    index: Option<IndexSize>,
}

/// Says of a [`Builder`] that it builds a [`Store`], whose keys and values lie apart.
#[derive(Debug)]
pub enum Apart {}

/// Says of a [`Builder`] that it builds a [`ByteStore`](crate::ByteStore), where a key and its value
/// lie together.
#[derive(Debug)]
pub enum Together {}

/// The grain of the expiry index unless told otherwise.
const DEFAULT_TICK: Duration = Duration::from_millis(50);
const SHORTEST_TICK: Duration = Duration::from_millis(1);
const LONGEST_TICK: Duration = Duration::from_secs(3600);

impl<K: ?Sized, V: ?Sized, L> Builder<K, V, L> {
    pub(crate) fn new() -> Self {
        Self {
            layout: PhantomData,
            capacity: 0,
            default_ttl: None,
            tick: DEFAULT_TICK,
            sweeper: Sweeper::default(),
            clock: None,
            max_entries: None,
            max_weight: None,
            weigher: None,
            eviction: None,
            listener: None,
            #[cfg(test)]
            index: None,
        }
    }

    /// Allocates room for `pairs` pairs at once, so that puts need not grow the table (but for the
    /// odd one where `pairs` lies right at the edge of what a table size holds). The table never
    /// shrinks below it. Without it, the table grows as pairs come.
    pub fn capacity(mut self, pairs: usize) -> Self {
        self.capacity = pairs;
        self
    }

    /// The TTL of values that are stored without one of their own. After decades of up-time its
    /// deadlines can no longer be represented (see [`TtlError::TooLong`](crate::TtlError)); values
    /// are then kept for ever.
    pub fn default_ttl(mut self, ttl: Duration) -> Self {
        self.default_ttl = Some(ttl);
        self
    }

    /// The grain of the expiry index, and how long the sweeper's thread rests: an expired pair is
    /// reclaimed within about two ticks. 50 ms unless set; from 1 ms to 1 h. Callers see expiry to
    /// the millisecond in any case.
    pub fn tick(mut self, tick: Duration) -> Self {
        self.tick = tick;
        self
    }

    /// Who reclaims what has expired: a thread of the store's own unless set.
    pub fn sweeper(mut self, sweeper: Sweeper) -> Self {
        self.sweeper = sweeper;
        self
    }

    /// Where time comes from. Unless set, the system's monotonic clock, read in the cheapest way
    /// that is exact; naming [`SystemClock`](crate::SystemClock) here means the same time, read
    /// less cheaply. It stands still while the machine is suspended, and so do TTLs.
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.clock = Some(Box::new(clock));
        self
    }

    /// The most pairs that the store is to hold: beyond it, what has expired goes first (up to the
    /// last whole [`tick`](Builder::tick), and some 256 index nodes a call), then whom the
    /// [`eviction`](Builder::eviction) policy chooses.
    ///
    /// A put first stores its pair and then makes room, so beside `n` threads that put, up to `n`
    /// pairs more may be held for a moment; once they have returned, the bound is kept exactly.
    ///
    /// # Examples
    /// ```
    /// use store::{Eviction, Store};
    ///
    /// let lru = Store::<u32, &str>::builder().max_entries(2).eviction(Eviction::Lru).build()?;
    /// lru.put(1, "a");
    /// lru.put(2, "b");
    /// lru.get(&1);
    /// lru.put(3, "c");
    /// assert_eq!((lru.get(&1), lru.get(&2), lru.get(&3)), (Some("a"), None, Some("c")));
    /// # Ok::<(), store::BuildError>(())
    /// ```
    pub fn max_entries(mut self, entries: usize) -> Self {
        self.max_entries = Some(entries);
        self
    }

    /// The most that all pairs together may weigh, instead of [`max_entries`](Builder::max_entries);
    /// what a pair weighs, [`weigher`](Builder::weigher) says. Beside `n` threads that put, up to
    /// `n` pairs more may be held for a moment.
    ///
    /// A pair heavier than this alone is never held: `put` treats it as stored and evicted at
    /// once, so that no older value stays in its place; [`Store::try_put`] hands it back.
    /// Where pairs are heavy and few, say how many to expect by [`capacity`](Builder::capacity).
    pub fn max_weight(mut self, weight: u64) -> Self {
        self.max_weight = Some(weight);
        self
    }

    /// What a pair weighs, such as its size in bytes; one of zero is never evicted.
    /// Without a weigher every pair weighs 1. A pair heavier than 4 294 967 294 counts as that in the sum.
    ///
    /// It is called when a value is stored, with no lock held, and after `update` and within
    /// `compute` under the lock that their closures run under. If it panics, nothing is stored; what
    /// an `update` has changed stays changed, with the weight it had.
    ///
    /// # Examples
    /// ```
    /// use store::Store;
    ///
    /// let texts = Store::<u32, String>::builder()
    ///     .max_weight(1_000_000)
    ///     .weigher(|_key, text| text.len() as u64)
    ///     .build()?;
    /// texts.put(1, "eight ch".to_owned());
    /// assert_eq!(texts.stats().weight, 8);
    /// # Ok::<(), store::BuildError>(())
    /// ```
    pub fn weigher(mut self, f: impl Fn(&K, &V) -> u64 + Send + Sync + 'static) -> Self {
        self.weigher = Some(Box::new(f));
        self
    }

    /// Who goes when the bound is reached: [`Eviction::S3Fifo`] unless set.
    pub fn eviction(mut self, eviction: Eviction) -> Self {
        self.eviction = Some(eviction);
        self
    }

    /// Calls `f` for every pair that leaves the store, exactly once, with no lock held.
    ///
    /// The removals of one key are told in their order, before the call that caused them returns
    /// (those of the sweeper, before its next step). `f` may call the store; what it removes there
    /// is told within that call. If it panics, that is caught and counted. It is not called for the
    /// pairs that are left when the store is dropped.
    ///
    /// The order has a price: a call may wait for the listener to be done with removals of the same
    /// key that came before its own. So `f` must not wait for a thread that uses the store. A
    /// listener never waits: beside one that removes a key itself, two calls for that key may
    /// overlap.
    ///
    /// # Examples
    /// ```
    /// use std::sync::{Arc, Mutex};
    /// use store::{RemovalCause, Store};
    ///
    /// let log = Arc::new(Mutex::new(Vec::new()));
    /// let seen = Arc::clone(&log);
    /// let store = Store::<u32, &str>::builder()
    ///     .on_removal(move |key, value, cause| seen.lock().unwrap().push((*key, *value, cause)))
    ///     .build()?;
    /// store.put(1, "a");
    /// store.put(1, "b");
    /// store.delete(&1);
    /// let told = log.lock().unwrap().clone();
    /// assert_eq!(told, [(1, "a", RemovalCause::Replaced), (1, "b", RemovalCause::Deleted)]);
    /// # Ok::<(), store::BuildError>(())
    /// ```
    pub fn on_removal(mut self, f: impl Fn(&K, &V, RemovalCause) + Send + Sync + 'static) -> Self {
        self.listener = Some(Box::new(f));
        self
    }

    /// Builds what keeps pairs in slots `S` with a `W` beside each, and starts its sweeper; `parts`
    /// shows the key and the value of such a pair.
    pub(crate) fn assemble<S, W>(
        mut self,
        parts: for<'p> fn(&'p S, &'p W) -> (&'p K, &'p V),
    ) -> Result<Handle<S, W>, BuildError>
    where
        S: Slot + Send + Sync + 'static,
        W: Send + Sync + 'static,
        K: 'static,
        V: 'static,
    {
        let weigher = self.weigher.take().map(|weigh| -> Weigher<S, W> {
            Box::new(move |slot, rest| {
                let (key, value) = parts(slot, rest);
                weigh(key, value)
            })
        });
        let listener = self.listener.take().map(|tell| -> Listener<S, W> {
            Box::new(move |slot, rest, cause| {
                let (key, value) = parts(slot, rest);
                tell(key, value, cause);
            })
        });
        if self.tick < SHORTEST_TICK || self.tick > LONGEST_TICK {
            return Err(BuildError::Tick(self.tick));
        }
        let max = self.bound(weigher.is_some())?;
        let index = self.index_size(max)?;
        let clock = self.clock.map_or_else(Timekeeper::system, Timekeeper::custom);
        let default_ttl = self.default_ttl.map(Lifetime::try_from).transpose();
        let default_ttl = default_ttl.map_err(BuildError::DefaultTtl)?;
        if let Some(ttl) = default_ttl {
            clock.deadline_after(ttl).map_err(BuildError::DefaultTtl)?;
        }
        if !Table::<S, W>::can_allocate(self.capacity) {
            return Err(BuildError::Capacity(self.capacity));
        }
        // At most an hour, so it fits; a fraction of a millisecond only coarsens the grain.
        let tick_ms = u64::try_from(self.tick.as_nanos().div_ceil(1_000_000)).unwrap_or(1);
        let IndexSize { shards, nodes_a_shard } = index;
        let weighed = weigher.is_some();
        let bound = max.map(|max| {
            let size = BoundSize { max, shards, nodes_a_shard, weighed };
            Box::new(Bound::new(self.eviction.unwrap_or_default(), size))
        });
        let numbering =
            if bound.is_some() { Numbering::Given } else { Numbering::Own(nodes_a_shard) };
        let shared = Arc::new(Shared::new(Parts {
            table: Table::with_capacity(self.capacity),
            hasher: KeyHasher::of_process(),
            expiry: Expiry::new(shards, tick_ms, numbering),
            clock,
            default_ttl,
            bound,
            weigher,
            notifier: listener.map(Notifier::new).map(Box::new),
        }));
        let sweeper = match self.sweeper {
            Sweeper::Manual => None,
            Sweeper::Thread => {
                let (rested, tick) = (Arc::clone(&shared), self.tick);
                let (swept, counted) = (Arc::clone(&shared), Arc::clone(&shared));
                Some(SweeperThread::start(
                    move || rested.rest().unwrap_or(tick),
                    move |budget| swept.sweep_counting_panics(budget),
                    move || counted.counters().sweeper_panicked(),
                )?)
            }
        };
        Ok(Handle::new(shared, sweeper))
    }

    /// The bound on the weight of all pairs, if there is to be one.
    fn bound(&self, weighed: bool) -> Result<Option<u64>, BuildError> {
        let max = match (self.max_entries, self.max_weight) {
            (Some(_), Some(_)) => return Err(BuildError::TwoBounds),
            (Some(0), None) | (None, Some(0)) => return Err(BuildError::ZeroBound),
            (Some(entries), None) => Some(u64::try_from(entries).unwrap_or(u64::MAX)),
            (None, weight) => weight,
        };
        if weighed && self.max_weight.is_none() {
            return Err(BuildError::NoBound("weigher"));
        }
        if self.eviction.is_some() && max.is_none() {
            return Err(BuildError::NoBound("eviction"));
        }
        Ok(max)
    }

    /// A small index, for tests of its limits and for models, where each shard costs schedules.
    #[cfg(test)]
    pub(crate) fn index(mut self, index: IndexSize) -> Self {
        self.index = Some(index);
        self
    }
}

impl<K, V> Builder<K, V>
where
    K: Hash + Eq + Send + Sync + 'static,
    V: Send + Sync + 'static,
{
    /// Builds the store, and starts its sweeper: returns once its thread runs, so it must not be called
    /// where no thread can begin.
    ///
    /// # Errors
    /// [`BuildError`] names the choice that cannot be met.
    pub fn build(self) -> Result<Store<K, V>, BuildError> {
        self.assemble(|slot: &Keyed<K>, value| (&slot.key, value)).map(Store::from)
    }
}

impl<K: ?Sized, V: ?Sized, L> fmt::Debug for Builder<K, V, L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder")
            .field("capacity", &self.capacity)
            .field("default_ttl", &self.default_ttl)
            .field("tick", &self.tick)
            .field("sweeper", &self.sweeper)
            .field("max_entries", &self.max_entries)
            .field("max_weight", &self.max_weight)
            .field("eviction", &self.eviction)
            .finish_non_exhaustive()
    }
}
