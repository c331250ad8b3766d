//! What a store counts about itself: striped counters, and a histogram of expiry lag.

use crate::planted::{Bug, planted};
use crate::sync::{AtomicI64, Ordering, Tally, seats};
use std::mem::forget;
use std::time::Duration;

/// A store's counts since its creation, as [`Store::stats`](crate::Store::stats) found them.
///
/// Each count is exact once the store is quiet; beside running operations they may be apart from
/// each other by those operations.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// Look-ups by `get`, `read`, `get_many` and `get_or_put_with` (and its kin) that found a live value.
    pub hits: u64,
    /// Those look-ups that found none, or an expired one: also where another thread then loaded it.
    pub misses: u64,
    /// Values stored, by whichever call.
    pub puts: u64,
    /// Loaders run by `get_or_put_with` and its kin.
    pub loads: u64,
    /// Live values removed by `delete`, `retain` or `compute`.
    pub deletes: u64,
    /// Pairs removed by `purge`, live or expired.
    pub purged: u64,
    /// Pairs that had to go to keep the bound, or were too heavy for it alone.
    pub evicted: u64,
    /// Expired values reclaimed by an operation that met them.
    pub expired_lazily: u64,
    /// Expired values reclaimed by the sweeper, `sweep` or `clean`, or to make room in a bounded
    /// store.
    pub expired_by_sweeper: u64,
    /// How long after its deadline an expired value was reclaimed, over all of them.
    pub expiry_lag: ExpiryLag,
    /// Pairs held, expired ones not yet reclaimed among them.
    pub entries: usize,
    /// What all pairs of a bounded store weigh: their number, unless there is a weigher.
    pub weight: u64,
    /// Nodes in the expiry index: the pairs held that have a TTL, but for those that found their
    /// index shard full.
    pub expiry_nodes: usize,
    /// Memory of the table, the expiry index and the eviction queues, in bytes, estimated from their
    /// sizes; what keys and values own on the heap is not in it.
    pub estimated_bytes: usize,
    /// Panics of user code (values being dropped) that the sweeper's thread survived.
    pub sweeper_panics: u64,
    /// Panics of the removal listener, all of which were caught.
    pub listener_panics: u64,
}

/// How long after their deadlines expired values were reclaimed.
///
/// Quantiles come from a histogram whose buckets are an eighth of their size wide, and are
/// rounded up; the maximum is exact to the millisecond.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ExpiryLag {
    /// Half of them were reclaimed within this time.
    pub p50: Duration,
    /// 99 of 100 were reclaimed within this time.
    pub p99: Duration,
    /// The latest.
    pub max: Duration,
}

/// One of the things counted; its number is its place in a stripe.
#[derive(Clone, Copy)]
pub(crate) enum Count {
    Delete,
    Purge,
    ExpiredLazily,
    ExpiredBySweeper,
    Evict,
    Load,
    // Every call counts one of these: they stand in the last quarter of their stripe.
    Miss = 12,
    /// A hit or a miss.
    LookUp,
    Put,
}

impl Count {
    const PLACES: usize = 15;
}

/// Counters, spread over stripes so that threads do not contend for one cache line.
pub(crate) struct Counters(Box<Counted>);

struct Counted {
    /// One for each seat.
    stripes: [Stripe; seats::ALL],
    lag: LagHistogram,
    sweeper_panics: Tally,
}

/// One thread's share of the counters, two cache lines apart from the next because processors fetch
/// lines in pairs.
///
/// What every call writes stands in its last quarter: see `store::parts`.
#[repr(C, align(128))]
struct Stripe {
    counts: [Tally; Count::PLACES],
    /// Pairs inserted less pairs removed here: signed, as one thread removes another's pair.
    entries: AtomicI64,
}

const _: () =
    assert!(Count::Miss as usize * size_of::<Tally>() == size_of::<[Tally; 16]>() / 4 * 3);

impl Counters {
    pub(crate) fn new() -> Self {
        let stripe = || Stripe {
            counts: std::array::from_fn(|_| Tally::new(0)),
            entries: AtomicI64::new(0),
        };
        Self(Box::new(Counted {
            stripes: std::array::from_fn(|_| stripe()),
            lag: LagHistogram::new(),
            sweeper_panics: Tally::new(0),
        }))
    }

    #[inline]
    pub(crate) fn add(&self, count: Count, n: u64) {
        // Nobody else writes to a stripe of the thread's own.
        let Some(stripe) = self.own_stripe() else { return self.add_beside_others(count, n) };
        let count = &stripe.counts[count as usize];
        // ORDERING: Relaxed, all of it; a count orders nothing, and its readers promise exactness
        // only once the store is quiet.
        count.store(count.load(Ordering::Relaxed) + n, Ordering::Relaxed);
    }

    #[cold]
    fn add_beside_others(&self, count: Count, n: u64) {
        // ORDERING: Relaxed, as in `add`.
        self.any_stripe().counts[count as usize].fetch_add(n, Ordering::Relaxed);
    }

    /// Counts a look-up that begins. To count what it found would be to wait for it: a processor goes
    /// on with what comes next while memory is on its way, but not past a locked instruction with
    /// a count before it that is not known yet.
    #[inline]
    pub(crate) fn look_up(&self) -> LookUp<'_> {
        self.add(Count::LookUp, 1);
        LookUp(self)
    }

    #[inline]
    pub(crate) fn entries_changed(&self, by: i64) {
        let Some(stripe) = self.own_stripe() else { return self.entries_changed_beside_others(by) };
        let entries = &stripe.entries;
        // ORDERING: Relaxed, and Release as below; nobody else writes to it.
        entries.store(entries.load(Ordering::Relaxed) + by, release());
    }

    #[cold]
    fn entries_changed_beside_others(&self, by: i64) {
        let entries = &self.any_stripe().entries;
        if planted(Bug::CountReadThenWritten) {
            entries.store(entries.load(Ordering::SeqCst) + by, Ordering::SeqCst);
            return;
        }
        // ORDERING: Release, for the Acquire in `entries`: who sees a put counted in `len` sees all
        // that came before it, such as the time it was made at.
        entries.fetch_add(by, release());
    }

    /// Records that a value was reclaimed `lag_ms` after its deadline.
    pub(crate) fn expired(&self, count: Count, lag_ms: u64) {
        self.add(count, 1);
        self.0.lag.record(lag_ms);
    }

    pub(crate) fn sweeper_panicked(&self) {
        // ORDERING: Relaxed, as in `add`.
        self.0.sweeper_panics.fetch_add(1, Ordering::Relaxed);
    }

    /// Pairs held.
    pub(crate) fn entries(&self) -> usize {
        // ORDERING: Acquire, for the Release in `entries_changed`.
        let sum: i64 = self.0.stripes.iter().map(|s| s.entries.load(acquire())).sum();
        // A removal may be seen before its insertion: the sum is then below zero for a moment.
        usize::try_from(sum).unwrap_or(0)
    }

    /// Everything counted here; the caller adds what the table and the index know.
    pub(crate) fn snapshot(&self) -> Stats {
        // A miss is counted after its look-up.
        let misses = self.total(Count::Miss);
        Stats {
            hits: self.total(Count::LookUp).saturating_sub(misses),
            misses,
            puts: self.total(Count::Put),
            deletes: self.total(Count::Delete),
            purged: self.total(Count::Purge),
            evicted: self.total(Count::Evict),
            loads: self.total(Count::Load),
            expired_lazily: self.total(Count::ExpiredLazily),
            expired_by_sweeper: self.total(Count::ExpiredBySweeper),
            expiry_lag: self.0.lag.summary(),
            entries: self.entries(),
            // ORDERING: Relaxed, as in `add`.
            sweeper_panics: self.0.sweeper_panics.load(Ordering::Relaxed),
            ..Stats::default()
        }
    }

    fn total(&self, count: Count) -> u64 {
        // ORDERING: Relaxed, as in `add`.
        self.0.stripes.iter().map(|s| s.counts[count as usize].load(Ordering::Relaxed)).sum()
    }

    /// The stripe that only this thread writes to, if it has one.
    #[inline]
    fn own_stripe(&self) -> Option<&Stripe> {
        seats::own().map(|seat| &self.0.stripes[seat])
    }

    /// The stripe to count in, which may be one that other threads write to.
    fn any_stripe(&self) -> &Stripe {
        &self.0.stripes[seats::any()]
    }

    #[cold]
    fn take_back_look_up(&self) {
        // ORDERING: Relaxed, as in `add`.
        self.any_stripe().counts[Count::LookUp as usize].fetch_sub(1, Ordering::Relaxed);
    }
}

/// A look-up that has been counted. If it is dropped, as user code in it panicked, it counts as none.
pub(crate) struct LookUp<'c>(&'c Counters);

impl LookUp<'_> {
    #[inline]
    pub(crate) fn ended(self, found: bool) {
        if !found {
            self.0.add(Count::Miss, 1);
        }
        forget(self);
    }
}

impl Drop for LookUp<'_> {
    #[inline]
    fn drop(&mut self) {
        self.0.take_back_look_up();
    }
}

/// `Release`, unless that is the bug to be made.
#[inline]
fn release() -> Ordering {
    // ORDERING: named by `entries_changed`, which uses it.
    if planted(Bug::CountOrdersNothing) { Ordering::Relaxed } else { Ordering::Release }
}

/// `Acquire`, unless that is the bug to be made.
#[inline]
fn acquire() -> Ordering {
    // ORDERING: named by `entries`, which uses it.
    if planted(Bug::CountOrdersNothing) { Ordering::Relaxed } else { Ordering::Acquire }
}

/// Buckets an octave of the lag histogram is divided into.
const PER_OCTAVE: usize = 8;
/// Buckets for every lag of up to 2^40 ms.
const LAG_BUCKETS: usize = (40 - 2) * PER_OCTAVE;

/// A log-linear histogram of milliseconds: exact below 16, an eighth of the value wide above.
struct LagHistogram {
    buckets: Box<[Tally]>,
    max_ms: Tally,
}

impl LagHistogram {
    fn new() -> Self {
        Self { buckets: (0..LAG_BUCKETS).map(|_| Tally::new(0)).collect(), max_ms: Tally::new(0) }
    }

    fn record(&self, lag_ms: u64) {
        // ORDERING: Relaxed, as in `Counters::add`.
        self.buckets[bucket_of(lag_ms)].fetch_add(1, Ordering::Relaxed);
        // ORDERING: Relaxed, as in `Counters::add`.
        self.max_ms.fetch_max(lag_ms, Ordering::Relaxed);
    }

    fn summary(&self) -> ExpiryLag {
        // ORDERING: Relaxed, as in `Counters::add`.
        let counts: Vec<u64> = self.buckets.iter().map(|b| b.load(Ordering::Relaxed)).collect();
        // ORDERING: Relaxed, as in `Counters::add`.
        let max_ms = self.max_ms.load(Ordering::Relaxed);
        let total: u64 = counts.iter().sum();
        let quantile = |per_cent: u64| {
            let rank = (total * per_cent).div_ceil(100).max(1);
            let mut seen = 0;
            let bucket = counts.iter().position(|count| {
                seen += count;
                seen >= rank
            });
            Duration::from_millis(bucket.map_or(0, |bucket| upper_ms(bucket).min(max_ms)))
        };
        ExpiryLag { p50: quantile(50), p99: quantile(99), max: Duration::from_millis(max_ms) }
    }
}

/// The bucket of a lag: its octave (from 8 ms on), then its top three bits below the first.
fn bucket_of(lag_ms: u64) -> usize {
    let octave = (lag_ms | 7).ilog2() - 2;
    let shift = octave.saturating_sub(1);
    let within = usize::try_from(lag_ms >> shift).unwrap_or(usize::MAX) % PER_OCTAVE;
    (octave as usize * PER_OCTAVE + within).min(LAG_BUCKETS - 1)
}

/// The largest lag that falls into `bucket`.
fn upper_ms(bucket: usize) -> u64 {
    let (octave, within) = (bucket / PER_OCTAVE, (bucket % PER_OCTAVE) as u64);
    if octave == 0 {
        return within;
    }
    ((PER_OCTAVE as u64 + within + 1) << (octave - 1)) - 1
}

#[cfg(all(test, not(any(checker = "loom", checker = "shuttle"))))]
mod tests {
    use super::*;

    #[test]
    fn every_lag_falls_into_the_bucket_that_covers_it() {
        let mut previous = 0;
        for lag_ms in (0..5_000).chain((13..40).map(|bit| 1 << bit)) {
            let bucket = bucket_of(lag_ms);
            assert!(bucket >= previous && lag_ms <= upper_ms(bucket), "{lag_ms} in {bucket}");
            assert!(bucket == 0 || lag_ms > upper_ms(bucket - 1), "{lag_ms} in {bucket}");
            previous = bucket;
        }
        assert_eq!(bucket_of(u64::MAX), LAG_BUCKETS - 1);
    }

    #[test]
    fn lag_quantiles_are_those_of_what_was_recorded() {
        let lag = LagHistogram::new();
        assert_eq!(lag.summary(), ExpiryLag::default());
        (1..=100).for_each(|ms| lag.record(ms));
        let summary = lag.summary();
        assert_eq!(summary.p50, Duration::from_millis(51));
        assert_eq!(summary.p99, Duration::from_millis(100));
        assert_eq!(summary.max, Duration::from_millis(100));
    }

    #[test]
    fn a_removal_on_another_thread_balances_the_count() {
        let counters = Counters::new();
        counters.entries_changed(2);
        std::thread::scope(|scope| {
            scope.spawn(|| counters.entries_changed(-1));
        });
        assert_eq!(counters.entries(), 1);
    }
}
