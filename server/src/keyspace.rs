//! The pairs that the server keeps: bytes under bytes, each with a deadline or without one. The
//! only file that names the store; everything above knows keys, values and wall-clock time.

mod encoded;
mod lifetimes;
mod on_disk;
mod scans;
mod settings;
mod terms;
mod wall;

use std::sync::{Arc, MutexGuard};
use std::time::{Duration, Instant};

pub(crate) use store::{BuildError, Stats};
use store::{ByteStore, Compute, Eviction, Record, Refusal, RemovalCause, Store, Ttl, TtlError};

use encoded::{EncodedKey, decoded};
pub(crate) use on_disk::ValueStats;
use on_disk::Values;
pub use on_disk::{FolderError, ValuesOnDisk};
use scans::Scans;
pub use settings::{OpenError, Settings};
pub(crate) use terms::{Change, End, Found, Lifetime, Refused};
use wall::WallClock;

/// Sixteen bytes and one allocation each.
type Bytes = Box<[u8]>;

/// Values that were used last, of those that are on disk.
type Hot = Store<u64, Bytes>;

/// All pairs, shared by all connections.
pub(crate) struct Keyspace {
    /// Values, or the positions at which they lie on disk.
    store: ByteStore,
    values: Option<Arc<Values>>,
    wall: WallClock,
    scans: Scans,
    settings: Settings,
    /// What had been counted before anybody was served.
    before: Stats,
}

/// What a pair costs in memory beside its bytes: an allocation's header, and its share of table and index.
const OVERHEAD: u64 = 96;

/// What a pair costs in memory.
fn weight(key: &[u8], value: &[u8]) -> u64 {
    (key.len() + value.len()) as u64 + OVERHEAD
}

/// A store of values, numbered, of which those that were used last stay within `bytes`.
fn hot(bytes: u64) -> Result<Hot, BuildError> {
    let weigher = |_: &u64, value: &Bytes| value.len() as u64 + OVERHEAD;
    Store::builder().max_weight(bytes).weigher(weigher).eviction(Eviction::Lru).build()
}

impl Keyspace {
    /// An empty keyspace.
    ///
    /// # Errors
    /// [`OpenError`] names the setting that cannot be met.
    pub(crate) fn new(settings: Settings) -> Result<Self, OpenError> {
        let mut builder = ByteStore::builder();
        if let Some(entries) = settings.max_entries {
            builder = builder.max_entries(entries);
        }
        if let Some(bytes) = settings.max_memory {
            builder = builder.max_weight(bytes).weigher(weight);
        }
        if let Some(ttl) = settings.default_ttl {
            builder = builder.default_ttl(ttl);
        }
        let values = settings.values.as_ref().map(Values::open).transpose()?.map(Arc::new);
        if let Some(values) = values.clone() {
            builder = builder.on_removal(move |_, stored, cause| match cause {
                RemovalCause::Purged => values.forget_purged(stored),
                _ => values.forget(stored),
            });
        }
        let store = builder.build().map_err(|error| OpenError::of(error, &settings))?;
        // A thread that is kept from running misses the point; it need not do so for ever.
        let anchor = (0..100).find_map(|_| grid_point(&store));
        let wall = WallClock::anchored(anchor.unwrap_or_else(Instant::now));
        let before = store.stats();
        Ok(Self { store, values, before, wall, scans: Scans::default(), settings })
    }

    /// What was chosen.
    pub(crate) fn settings(&self) -> &Settings {
        &self.settings
    }

    /// The wall-clock time in milliseconds, as deadlines are told in.
    pub(crate) fn now_ms(&self) -> i64 {
        self.wall.now_ms()
    }

    /// What `f` makes of the live value of `key`. It runs under a lock: no call of the keyspace.
    ///
    /// # Errors
    /// [`Refused::DiskFailed`].
    #[inline]
    pub(crate) fn read<R>(
        &self,
        key: &[u8],
        f: impl FnOnce(&[u8]) -> R,
    ) -> Result<Option<R>, Refused> {
        let key = &EncodedKey::of(key);
        match &self.values {
            None => Ok(self.store.read(key, |value| f(value))),
            Some(values) => self.read_on_disk(values, key, f),
        }
    }

    /// Keeps others from changing `key` where that takes more than one step of the store.
    #[inline]
    fn turn(&self, key: &EncodedKey<'_>) -> Option<MutexGuard<'_, ()>> {
        self.values.as_ref().map(|values| values.turn(key))
    }

    /// Whether `key` has a live value.
    pub(crate) fn contains(&self, key: &[u8]) -> bool {
        let key = &EncodedKey::of(key);
        self.store.contains(key)
    }

    /// Stores `value` under `key`; returns whether it replaced a live one.
    ///
    /// # Errors
    /// [`Refused`]; nothing is changed then.
    #[inline]
    pub(crate) fn put(
        &self,
        key: &[u8],
        value: &[u8],
        lifetime: Lifetime,
    ) -> Result<bool, Refused> {
        let key = &EncodedKey::of(key);
        let _turn = self.turn(key);
        let Some(ttl) = self.ttl(lifetime) else {
            return Ok(self.store.delete(key).is_some());
        };
        if let Some(values) = &self.values {
            return self.put_on_disk(values, key, value, lifetime);
        }
        Ok(self.store.try_put(key, value, ttl)?.is_some())
    }

    /// The longest value that can stay under `key`, were it the only pair.
    pub(crate) fn room(&self, key: &[u8]) -> usize {
        self.room_beside(&EncodedKey::of(key))
    }

    fn room_beside(&self, key: &EncodedKey<'_>) -> usize {
        // Of a value on disk, memory holds the position alone.
        let bound = self.settings.max_memory.filter(|_| self.values.is_none());
        let most = bound.unwrap_or(u64::MAX);
        let room = most.saturating_sub(OVERHEAD).saturating_sub(key.as_ref().len() as u64);
        usize::try_from(room).unwrap_or(usize::MAX)
    }

    /// Decides on `key` in one atomic step; returns what `f` returns beside the change.
    ///
    /// `f` may be asked more than once: it counts what it said last. No call of the keyspace in it.
    ///
    /// # Errors
    /// [`Refused`]; nothing is changed then.
    pub(crate) fn change<R>(
        &self,
        key: &[u8],
        mut f: impl FnMut(Option<&[u8]>) -> (Change, R),
    ) -> Result<R, Refused> {
        let key = &EncodedKey::of(key);
        let _turn = self.turn(key);
        if let Some(values) = &self.values {
            return self.change_on_disk(values, key, f);
        }
        let room = self.room_beside(key);
        // Until `f` has returned something; the closure of a `compute` that returns has run.
        let mut answer = Err(Refused::TooFar);
        let decide = |found: Option<&Record>| {
            let (change, returned) = f(found.map(Record::value));
            if matches!(&change, Change::Put(value, _) if value.len() > room) {
                answer = Err(Refused::TooHeavy);
                return Compute::Keep;
            }
            answer = Ok(returned);
            match change {
                Change::Keep => Compute::Keep,
                Change::Put(value, lifetime) => match self.ttl(lifetime) {
                    Some(ttl) => Compute::PutWithTtl(value, ttl),
                    None => Compute::Delete,
                },
            }
        };
        drop(self.store.compute(key, decide)?);
        answer
    }

    /// What `f` makes of the live value of `key` and its deadline, both of one moment, which is no
    /// use of it. It runs under a lock: no call of the keyspace.
    ///
    /// # Errors
    /// [`Refused::DiskFailed`].
    pub(crate) fn peek<R>(
        &self,
        key: &[u8],
        f: impl FnOnce(&[u8], Option<i64>) -> R,
    ) -> Result<Option<R>, Refused> {
        let key = &EncodedKey::of(key);
        if let Some(values) = &self.values {
            let fetched = self.fetch(values, key)?;
            return Ok(fetched.map(|fetched| f(&fetched.value, fetched.deadline_ms)));
        }
        Ok(self.peek_stored(key, |record, deadline_ms| f(record.value(), deadline_ms)))
    }

    /// Removes `key`; returns its live value.
    ///
    /// # Errors
    /// [`Refused::DiskFailed`]; nothing is changed then.
    pub(crate) fn delete(&self, key: &[u8]) -> Result<Option<Bytes>, Refused> {
        let key = &EncodedKey::of(key);
        let _turn = self.turn(key);
        match &self.values {
            None => Ok(self.store.delete(key).map(|record| record.value().into())),
            Some(values) => self.delete_on_disk(values, key),
        }
    }

    /// Removes `key`; returns whether it had a live value.
    pub(crate) fn remove(&self, key: &[u8]) -> bool {
        let key = &EncodedKey::of(key);
        let _turn = self.turn(key);
        self.store.delete(key).is_some()
    }

    /// How many pairs are held, expired ones that are not yet reclaimed among them.
    pub(crate) fn len(&self) -> usize {
        self.store.len()
    }

    /// Removes every pair.
    pub(crate) fn purge(&self) {
        let purge = || {
            self.store.purge();
        };
        match &self.values {
            None => purge(),
            Some(values) => values.clear(self.store.len(), purge),
        }
    }

    /// Runs `f` on the key of every live pair, in no order and of no one moment, under locks: no
    /// call of the keyspace. A walk over the whole table.
    pub(crate) fn for_each_key(&self, mut f: impl FnMut(&[u8])) {
        self.store.for_each(|key, _| decoded(key, &mut f));
    }

    /// A step of a walk over all keys, begun by a cursor of zero and ended by one: the cursor of
    /// the next step, and about `count` keys.
    ///
    /// A key that is there from the beginning of a walk to its end is returned exactly once,
    /// whatever happens beside it. Some steps look at every pair.
    pub(crate) fn scan(&self, cursor: u64, count: usize) -> (u64, Vec<Bytes>) {
        let (next, mut keys) = self.scans.step(cursor, count, self.len(), |f| {
            self.for_each_key(|key| f(key));
        });
        keys.retain(|key| self.contains(key));
        (next, keys)
    }

    /// What the store has counted.
    pub(crate) fn stats(&self) -> Stats {
        let (mut stats, before) = (self.store.stats(), &self.before);
        stats.puts -= before.puts;
        stats.deletes -= before.deletes;
        stats.expired_lazily -= before.expired_lazily;
        stats.expired_by_sweeper -= before.expired_by_sweeper;
        stats
    }

    /// What was counted of values on disk, if they are there.
    pub(crate) fn value_stats(&self) -> Option<ValueStats> {
        self.values.as_ref().map(|values| values.stats())
    }
}

/// A point in time at which the store's count of milliseconds goes up.
///
/// Within its last millisecond the store tells what remains of a TTL exactly: of the readings made
/// then, the one counts that was interrupted least. Costs a put.
fn grid_point(store: &ByteStore) -> Option<Instant> {
    const PROBE: &[u8] = b"";
    let millisecond = Duration::from_millis(1);
    store.put_with_ttl(PROBE, PROBE, millisecond.into()).ok()?;
    let mut best: Option<(Duration, Instant)> = None;
    loop {
        let before = Instant::now();
        let Some(Ttl::After(left)) = store.ttl(PROBE) else { break };
        let after = Instant::now();
        if left < millisecond && best.is_none_or(|(took, _)| after - before < took) {
            best = Some((after - before, before + left));
        }
    }
    // Whoever looks just as it expires leaves it to the sweeper.
    store.delete(PROBE);
    best.map(|(_, point)| point)
}
