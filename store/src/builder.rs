//! What can be chosen about a store, checked before anything is built.

use crate::clock::{Clock, Timekeeper};
use crate::error::BuildError;
use crate::expiry::Expiry;
use crate::store::{Shared, Store};
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

/// Builds a [`Store`]; made by [`Store::builder`].
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
pub struct Builder<K, V> {
    capacity: usize,
    default_ttl: Option<Duration>,
    tick: Duration,
    sweeper: Sweeper,
    clock: Option<Box<dyn Clock>>,
    #[cfg(test)]
    index: Option<IndexSize>,
    pairs: PhantomData<fn() -> (K, V)>,
}

/// The size of the expiry index.
#[derive(Clone, Copy)]
pub(crate) struct IndexSize {
    /// A power of two.
    pub(crate) shards: usize,
    pub(crate) nodes_a_shard: u32,
}

/// The grain of the expiry index unless told otherwise.
const DEFAULT_TICK: Duration = Duration::from_millis(50);
const SHORTEST_TICK: Duration = Duration::from_millis(1);
const LONGEST_TICK: Duration = Duration::from_secs(3600);

/// Enough that threads which write TTLs seldom meet.
const FEWEST_SHARDS: usize = 64;
const MOST_SHARDS: usize = 4_096;
/// A quarter of what a shard can number, as hashes do not spread evenly.
const PAIRS_A_SHARD: usize = 1 << 20;

impl<K, V> Builder<K, V>
where
    K: Hash + Eq + Send + Sync + 'static,
    V: Send + Sync + 'static,
{
    pub(crate) fn new() -> Self {
        Self {
            capacity: 0,
            default_ttl: None,
            tick: DEFAULT_TICK,
            sweeper: Sweeper::default(),
            clock: None,
            #[cfg(test)]
            index: None,
            pairs: PhantomData,
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

    /// Builds the store, and starts its sweeper.
    ///
    /// # Errors
    /// [`BuildError`] names the choice that cannot be met.
    pub fn build(self) -> Result<Store<K, V>, BuildError> {
        if self.tick < SHORTEST_TICK || self.tick > LONGEST_TICK {
            return Err(BuildError::Tick(self.tick));
        }
        let index = self.index_size();
        let clock = self.clock.map_or_else(Timekeeper::system, Timekeeper::custom);
        if let Some(ttl) = self.default_ttl {
            clock.deadline_after(ttl).map_err(BuildError::DefaultTtl)?;
        }
        if !Table::<K, V>::can_allocate(self.capacity) {
            return Err(BuildError::Capacity(self.capacity));
        }
        // At most an hour, so it fits; a fraction of a millisecond only coarsens the grain.
        let tick_ms = u64::try_from(self.tick.as_nanos().div_ceil(1_000_000)).unwrap_or(1);
        let shared = Arc::new(Shared::new(
            Table::with_capacity(self.capacity),
            Expiry::new(index.shards, tick_ms, index.nodes_a_shard),
            clock,
            self.default_ttl,
        ));
        let sweeper = match self.sweeper {
            Sweeper::Manual => None,
            Sweeper::Thread => {
                let (swept, counted) = (Arc::clone(&shared), Arc::clone(&shared));
                Some(SweeperThread::start(
                    self.tick,
                    move |budget| swept.sweep_counting_panics(budget),
                    move || counted.counters().sweeper_panicked(),
                )?)
            }
        };
        Ok(Store::from_parts(shared, sweeper))
    }

    /// Shards enough that writers seldom meet, and that each stays well below its node numbers.
    fn index_size(&self) -> IndexSize {
        #[cfg(test)]
        if let Some(index) = self.index {
            return index;
        }
        let wanted = self.capacity / PAIRS_A_SHARD;
        let shards = wanted.clamp(FEWEST_SHARDS, MOST_SHARDS).next_power_of_two();
        IndexSize { shards, nodes_a_shard: Expiry::MAX_NODES_A_SHARD }
    }

    /// A small index, for tests of its limits and for models, where each shard costs schedules.
    #[cfg(test)]
    pub(crate) fn index(mut self, index: IndexSize) -> Self {
        self.index = Some(index);
        self
    }
}

impl<K, V> fmt::Debug for Builder<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder")
            .field("capacity", &self.capacity)
            .field("default_ttl", &self.default_ttl)
            .field("tick", &self.tick)
            .field("sweeper", &self.sweeper)
            .finish_non_exhaustive()
    }
}
