//! What can be chosen about a store, checked before anything is built.

mod assembly;
mod bytes;
mod size;

pub(crate) use size::IndexSize;

use crate::clock::Clock;
use crate::entry::Keyed;
use crate::error::BuildError;
use crate::eviction::Eviction;
use crate::listener::{Listener, RemovalCause};
use crate::store::{Store, Weigher};
use crate::sweep::Sweeper;
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
    huge_pages: bool,
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

/// The default grain of the expiry index.
const DEFAULT_TICK: Duration = Duration::from_millis(50);

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
            huge_pages: true,
            #[cfg(test)]
            index: None,
        }
    }

    /// Allocates room for `pairs` pairs at once, so that puts need not grow the table (except for an
    /// occasional one where `pairs` is right at the limit of what a table size holds). The table never
    /// shrinks below it. By default, the table starts small and grows as pairs come.
    ///
    /// On Linux, with [`huge_pages`](Builder::huge_pages) left on and an allocator that lets the store
    /// predict where the table will lie, the system provides a large table's memory while the store is
    /// built, so that puts need not wait for it. There are up to 2.5 times as many slots as pairs asked
    /// for. If the program may use less memory than that, the system may end it during `build`; without
    /// huge pages, it would do so only once enough pairs have come.
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

    /// The grain of the expiry index, and how long the sweeper's thread rests: 50 ms by default, and
    /// from 1 ms to 1 h. An expired pair is usually reclaimed within about two ticks; later if the
    /// thread gets no processor, or if very many pairs expire at once. Callers see expiry to the
    /// millisecond in any case.
    pub fn tick(mut self, tick: Duration) -> Self {
        self.tick = tick;
        self
    }

    /// Who reclaims what has expired: by default, a thread of the store's own.
    pub fn sweeper(mut self, sweeper: Sweeper) -> Self {
        self.sweeper = sweeper;
        self
    }

    /// Where time comes from: by default, the system's monotonic clock, read in the cheapest way
    /// that is exact. Setting [`SystemClock`](crate::SystemClock) here gives the same time, read
    /// less cheaply. That clock stands still while the machine is suspended, and so do TTLs.
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.clock = Some(Box::new(clock));
        self
    }

    /// The most pairs that the store is to hold. Beyond it, what has expired goes first (up to the
    /// last whole [`tick`](Builder::tick), and by some 256 index nodes a call), then the pair that the
    /// [`eviction`](Builder::eviction) policy chooses.
    ///
    /// A put first stores its pair and then makes room, so while `n` threads put, up to `n` pairs
    /// more may be held for a moment; once those calls have returned, the bound is kept exactly. However high the
    /// bound, a bounded store holds no more than about a billion pairs.
    ///
    /// Nothing is allocated for so many: if the store will be full most of the time, ask for
    /// [`capacity`](Builder::capacity), too, which makes its puts faster.
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
    /// [`weigher`](Builder::weigher) says what a pair weighs. While `n` threads put, up to `n` pairs
    /// more may be held for a moment.
    ///
    /// A pair that alone is heavier than this is never held: `put` treats it as stored and evicted at
    /// once, so that no older value stays in its place; [`Store::try_put`] hands it back.
    /// Where pairs are heavy and few, say how many to expect by [`capacity`](Builder::capacity).
    pub fn max_weight(mut self, weight: u64) -> Self {
        self.max_weight = Some(weight);
        self
    }

    /// What a pair weighs, such as its size in bytes; a pair of weight zero is never evicted. By
    /// default, every pair weighs 1. A pair heavier than 4 294 967 294 counts as that in the sum.
    ///
    /// `f` is called when a value is stored, with no lock held; after `update` and within `compute`,
    /// it runs under the lock that their closures run under. If it panics, nothing is stored; what
    /// an `update` has changed stays changed, with the weight that the pair had before.
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

    /// Which pair is evicted when the bound is reached: by default, as [`Eviction::S3Fifo`] chooses.
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
    /// The order has a price: a call may wait until the listener is done with earlier removals of the
    /// same key. So `f` must not wait for a thread that uses the store.
    ///
    /// There is one exception to the order, as listeners that waited for each other might do so for
    /// ever. Where `f` itself removes a key while another thread is telling, or is about to tell, of an
    /// earlier removal of that key, it does not wait for that thread: the two calls may overlap, and
    /// the later removal may be told first.
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

    /// Whether the table is to lie in huge pages, if the system (Linux) has them for programs that ask,
    /// and whether a table made with [`capacity`](Builder::capacity) is to take its memory as it is
    /// built. Both are so by default; tables below 8 MiB do neither.
    ///
    /// With them, look-ups in millions of small pairs are faster: 1.7 times for `u64` to `u64` on the
    /// machine measured (`results/ratios.md`). For a [`ByteStore`](crate::ByteStore), whose pairs lie
    /// outside the table, no gain was shown unless the allocator uses huge pages, too
    /// (`docs/memory.md`). Calls also wait less for the system while a table grows or is filled.
    ///
    /// More memory is taken only where far fewer pairs come than there is room for: with huge pages, a
    /// few in a hundred of them touch all of it. Then set this to `false`.
    ///
    /// # Examples
    /// ```
    /// // Room for all that may come, in memory that is taken as it does.
    /// let store = store::Store::<u64, u64>::builder().capacity(1_000_000).huge_pages(false).build()?;
    /// # Ok::<(), store::BuildError>(())
    /// ```
    pub fn huge_pages(mut self, wanted: bool) -> Self {
        self.huge_pages = wanted;
        self
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
            .field("huge_pages", &self.huge_pages)
            .finish_non_exhaustive()
    }
}
