//! The pairs that the server keeps: bytes under bytes, each with a deadline or without one. The
//! only file that names the store; everything above knows keys, values and wall-clock time.

mod scans;
mod wall;

use std::time::{Duration, Instant};

pub(crate) use store::{BuildError, Stats};
use store::{Compute, Refusal, Store, Ttl, TtlError};

use scans::Scans;
use wall::WallClock;

/// Sixteen bytes and one allocation each.
type Bytes = Box<[u8]>;

/// What can be chosen about a keyspace.
#[derive(Debug, Clone, Copy, Default)]
pub struct Settings {
    /// The most pairs to hold; who is used least goes.
    pub max_entries: Option<usize>,
    /// The most memory that all pairs may take, in bytes: keys, values and 96 for each pair; who is used least goes.
    pub max_memory: Option<u64>,
    /// The TTL of values that are stored without one.
    pub default_ttl: Option<Duration>,
}

/// All pairs, shared by all connections.
pub(crate) struct Keyspace {
    store: Store<Bytes, Bytes>,
    wall: WallClock,
    scans: Scans,
    settings: Settings,
    /// What had been counted before anybody was served.
    before: Stats,
}

/// How long a value is to stay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lifetime {
    /// As long as the server's default TTL says; for ever if it has none.
    Default,
    /// For ever.
    Never,
    /// As long as the live value that the key has now.
    Keep,
    /// Until this wall-clock time in milliseconds. If it has passed, the value is not stored, and
    /// what the key had is gone.
    Until(i64),
}

/// A live value, and the wall-clock millisecond at which it will be dead, if ever.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Found<'v> {
    /// The value.
    pub(crate) value: &'v [u8],
    /// When it ends.
    pub(crate) deadline_ms: Option<i64>,
}

/// When a key's value ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// There is no value.
    NoValue,
    /// It has no deadline.
    Never,
    /// So many milliseconds from now, or since 1970.
    Ms(i64),
}

/// What is to be done with a key.
#[derive(Debug)]
pub(crate) enum Change {
    /// Nothing.
    Keep,
    /// Store this value.
    Put(Vec<u8>, Lifetime),
}

/// Why a value was not stored, or a deadline not set. Nothing was changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refused {
    /// The deadline lies further away than can be represented: decades from the server's start.
    TooFar,
    /// The pair alone is heavier than all pairs together may be.
    TooHeavy,
}

impl From<TtlError> for Refused {
    fn from(_: TtlError) -> Self {
        Self::TooFar
    }
}

/// What a pair costs in memory beside its bytes: two allocations, and its share of table and index.
const OVERHEAD: u64 = 96;

/// What a pair costs in memory.
fn weight(key: &Bytes, value: &Bytes) -> u64 {
    (key.len() + value.len()) as u64 + OVERHEAD
}

impl Keyspace {
    /// An empty keyspace.
    ///
    /// # Errors
    /// [`BuildError`] names the setting that cannot be met.
    pub(crate) fn new(settings: Settings) -> Result<Self, BuildError> {
        let mut builder = Store::builder();
        if let Some(entries) = settings.max_entries {
            builder = builder.max_entries(entries);
        }
        if let Some(bytes) = settings.max_memory {
            builder = builder.max_weight(bytes).weigher(weight);
        }
        if let Some(ttl) = settings.default_ttl {
            builder = builder.default_ttl(ttl);
        }
        let store = builder.build()?;
        // A thread that is kept from running misses the point; it need not do so for ever.
        let anchor = (0..100).find_map(|_| grid_point(&store));
        let wall = WallClock::anchored(anchor.unwrap_or_else(Instant::now));
        let before = store.stats();
        Ok(Self { store, before, wall, scans: Scans::default(), settings })
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
    #[inline]
    pub(crate) fn read<R>(&self, key: &[u8], f: impl FnOnce(&[u8]) -> R) -> Option<R> {
        self.store.read(key, |value| f(value))
    }

    /// Whether `key` has a live value.
    pub(crate) fn contains(&self, key: &[u8]) -> bool {
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
        let Some(ttl) = self.ttl(lifetime) else {
            return Ok(self.store.delete(key).is_some());
        };
        self.store.try_put(key.into(), value.into(), ttl).map(|former| former.is_some()).map_err(
            |refused| match refused.reason {
                Refusal::TooHeavy { .. } => Refused::TooHeavy,
                _ => Refused::TooFar,
            },
        )
    }

    /// The longest value that can stay under `key`, were it the only pair.
    pub(crate) fn room(&self, key: &[u8]) -> usize {
        let most = self.settings.max_memory.unwrap_or(u64::MAX);
        let room = most.saturating_sub(OVERHEAD).saturating_sub(key.len() as u64);
        usize::try_from(room).unwrap_or(usize::MAX)
    }

    /// Has `f` set a deadline in a keyspace that nobody else uses, to the very millisecond: again, if
    /// the thread was kept from running meanwhile.
    ///
    /// # Errors
    /// Those of `f`.
    pub(crate) fn punctually<R>(f: impl Fn() -> Result<R, Refused>) -> Result<R, Refused> {
        let mut attempts = 0..100;
        loop {
            let begun = Instant::now();
            let done = f()?;
            if begun.elapsed() < wall::PROMPT || attempts.next().is_none() {
                return Ok(done);
            }
        }
    }

    /// Decides on `key` in one atomic step; returns what `f` returns beside the change.
    ///
    /// `f` runs under a lock: no call of the keyspace.
    ///
    /// # Errors
    /// [`Refused`]; nothing is changed then.
    pub(crate) fn change<R>(
        &self,
        key: &[u8],
        f: impl FnOnce(Option<Found<'_>>) -> (Change, R),
    ) -> Result<R, Refused> {
        let room = self.room(key);
        // Until `f` has returned something; the closure of a `compute` that returns has run.
        let mut answer = Err(Refused::TooFar);
        let decide = |found: Option<(&Bytes, Ttl)>| {
            let found = found.map(|(value, ttl)| {
                let deadline_ms = match ttl {
                    Ttl::After(left) => Some(self.wall.after(left)),
                    _ => None,
                };
                Found { value, deadline_ms }
            });
            let (change, returned) = f(found);
            if matches!(&change, Change::Put(value, _) if value.len() > room) {
                answer = Err(Refused::TooHeavy);
                return Compute::Keep;
            }
            answer = Ok(returned);
            match change {
                Change::Keep => Compute::Keep,
                Change::Put(value, lifetime) => match self.ttl(lifetime) {
                    Some(ttl) => Compute::PutWithTtl(value.into(), ttl),
                    None => Compute::Delete,
                },
            }
        };
        drop(self.store.compute_with_ttl(key.into(), decide)?);
        answer
    }

    /// What `f` makes of the live value of `key` and its deadline, both of one moment, which is no
    /// use of it. It runs under a lock: no call of the keyspace.
    pub(crate) fn peek<R>(&self, key: &[u8], f: impl FnOnce(&[u8], Option<i64>) -> R) -> Option<R> {
        let mut f = Some(f);
        // Without a deadline, no clock need be watched; with one, it is the second look that tells.
        for attempt in 0..10 {
            let steady = (attempt > 0).then(|| self.wall.watch());
            let is_steady = || attempt == 9 || steady.as_ref().is_some_and(|steady| steady());
            let seen = self.store.peek(key, |value, ttl| {
                let deadline_ms = match ttl {
                    Ttl::After(left) => Some(self.wall.after(left)),
                    _ => None,
                };
                // What is told apart by a step of the clock may be told wrong.
                let is_told = deadline_ms.is_none() || is_steady();
                f.take_if(|_| is_told).map(|f| f(value, deadline_ms))
            })?;
            if seen.is_some() {
                return seen;
            }
        }
        None
    }

    /// Changes the live value of `key` in place, its deadline kept; returns what `f` returns. It
    /// runs under a lock: no call of the keyspace.
    pub(crate) fn update<R>(&self, key: &[u8], f: impl FnOnce(&mut Bytes) -> R) -> Option<R> {
        self.store.update(key, f)
    }

    /// Removes `key`; returns its live value.
    pub(crate) fn delete(&self, key: &[u8]) -> Option<Bytes> {
        self.store.delete(key)
    }

    /// Gives the live value of `key` another deadline, or removes it if that has passed; returns
    /// whether there was one.
    ///
    /// # Errors
    /// [`Refused::TooFar`]; nothing is changed then.
    pub(crate) fn expire(&self, key: &[u8], deadline_ms: i64) -> Result<bool, Refused> {
        match self.ttl(Lifetime::Until(deadline_ms)) {
            // Where there is no value, a deadline is as good as any other.
            Some(ttl) => match self.store.expire(key, ttl) {
                Err(_) if !self.contains(key) => Ok(false),
                expired => Ok(expired?),
            },
            None => Ok(self.store.delete(key).is_some()),
        }
    }

    /// Lets the live value of `key` stay for ever; returns whether it had a deadline.
    pub(crate) fn persist(&self, key: &[u8]) -> bool {
        self.store.persist(key)
    }

    /// How many milliseconds `key` has left.
    pub(crate) fn remaining_ms(&self, key: &[u8]) -> End {
        self.end(key, |left| i64::try_from(left.as_millis()).unwrap_or(i64::MAX))
    }

    /// The wall-clock time at which `key` will be dead, in milliseconds.
    pub(crate) fn deadline_ms(&self, key: &[u8]) -> End {
        self.wall.steady(|wall| self.end(key, |left| wall.after(left)))
    }

    /// When the value of `key` ends, as `ms` counts it.
    fn end(&self, key: &[u8], ms: impl FnOnce(Duration) -> i64) -> End {
        match self.store.ttl(key) {
            None => End::NoValue,
            Some(Ttl::After(left)) => End::Ms(ms(left)),
            Some(_) => End::Never,
        }
    }

    /// How many pairs are held, expired ones that are not yet reclaimed among them.
    pub(crate) fn len(&self) -> usize {
        self.store.len()
    }

    /// Removes every pair.
    pub(crate) fn purge(&self) {
        self.store.purge();
    }

    /// Runs `f` on every live pair, in no order and of no one moment, under locks: no call of the
    /// keyspace. A walk over the whole table.
    pub(crate) fn for_each(&self, mut f: impl FnMut(&[u8], &[u8])) {
        self.store.for_each(|key, value| f(key, value));
    }

    /// A step of a walk over all keys, begun by a cursor of zero and ended by one: the cursor of
    /// the next step, and about `count` keys.
    ///
    /// A key that is there from the beginning of a walk to its end is returned exactly once,
    /// whatever happens beside it. Some steps look at every pair.
    pub(crate) fn scan(&self, cursor: u64, count: usize) -> (u64, Vec<Bytes>) {
        let (next, mut keys) = self.scans.step(cursor, count, self.len(), |f| {
            self.for_each(|key, _| f(key));
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

    /// The TTL that a lifetime means now; `None` if it is over.
    fn ttl(&self, lifetime: Lifetime) -> Option<Ttl> {
        Some(match lifetime {
            Lifetime::Default => Ttl::Default,
            Lifetime::Never => Ttl::Never,
            Lifetime::Keep => Ttl::Keep,
            Lifetime::Until(deadline_ms) => Ttl::After(self.wall.until(deadline_ms)?),
        })
    }
}

/// A point in time at which the store's count of milliseconds goes up.
///
/// Within its last millisecond the store tells what remains of a TTL exactly: of the readings made
/// then, the one counts that was interrupted least. Costs a put.
fn grid_point(store: &Store<Bytes, Bytes>) -> Option<Instant> {
    const PROBE: &[u8] = b"";
    let millisecond = Duration::from_millis(1);
    store.put_with_ttl(PROBE.into(), PROBE.into(), millisecond.into()).ok()?;
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
