//! Stress: real threads, few keys, every call at once, for a bounded number of calls.
//!
//! What each thread was told adds up, once all are done, to what the store holds and has counted.
//! Schedules are left to the operating system: this finds what is frequent or what breaks the
//! map's own locking, which no checker here can see into.

use super::operation::kept;
use crate::builder::IndexSize;
use crate::{Compute, ManualClock, Store, Sweeper, Ttl};
use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg64Mcg;
use std::ops::AddAssign;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

const KEYS: u64 = 24;
const CALLERS: u64 = 4;
const CALLS: u64 = if cfg!(debug_assertions) { 20_000 } else { 200_000 };
/// No run takes nearly as long; a caller that has not ended by then waits for ever.
const DEADLINE: Duration = Duration::from_secs(120);

/// What the calls of one thread were told, or of all.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
struct Told {
    hits: u64,
    misses: u64,
    stored: u64,
    replaced: u64,
    deleted: u64,
    purged: u64,
    swept: u64,
}

impl AddAssign for Told {
    fn add_assign(&mut self, other: Self) {
        self.hits += other.hits;
        self.misses += other.misses;
        self.stored += other.stored;
        self.replaced += other.replaced;
        self.deleted += other.deleted;
        self.purged += other.purged;
        self.swept += other.swept;
    }
}

fn ttl(rng: &mut Pcg64Mcg) -> Ttl {
    match rng.random_range(0..8) {
        0 => Ttl::Default,
        1 => Ttl::Never,
        2 => Ttl::Keep,
        _ => Ttl::After(Duration::from_millis(1 << rng.random_range(0..8_u32))),
    }
}

/// One call, chosen at random.
fn call(store: &Store<u64, u64>, rng: &mut Pcg64Mcg, told: &mut Told) {
    let (key, value) = (rng.random_range(0..KEYS), rng.random_range(0..1_000));
    let mut looked_up = |found: bool| {
        told.hits += u64::from(found);
        told.misses += u64::from(!found);
    };
    match rng.random_range(0..1_000) {
        0..150 => looked_up(store.get(&key).is_some()),
        150..250 => looked_up(store.read(&key, |value| *value).is_some()),
        250..300 => store.get_many([&key, &value]).iter().for_each(|v| looked_up(v.is_some())),
        300..500 => {
            told.stored += 1;
            let replaced = store.put_with_ttl(key, value, ttl(rng)).expect("the TTL is good");
            told.replaced += u64::from(replaced.is_some());
        }
        500..600 => told.deleted += u64::from(store.delete(&key).is_some()),
        600..700 => drop(store.expire(&key, ttl(rng)).expect("the TTL is good")),
        700..750 => drop(store.persist(&key)),
        750..800 => drop(store.update(&key, |old| *old = value)),
        800..850 => {
            told.stored += 1;
            let put = |_: Option<&u64>| Compute::PutWithTtl(value, ttl(rng));
            let replaced = store.compute(key, put).expect("the TTL is good");
            told.replaced += u64::from(replaced.is_some());
        }
        850..900 => {
            let deleted = store.compute(key, |_| Compute::Delete).expect("no TTL is asked for");
            told.deleted += u64::from(deleted.is_some());
        }
        900..930 => drop(store.ttl(&key)),
        930..960 => drop(store.contains(&key)),
        960..980 => store.for_each(|key, _| assert!(*key < KEYS)),
        980..998 => assert!(store.live_len() as u64 <= KEYS),
        998 => told.purged += store.purge() as u64,
        _ => store.retain(|_, value| {
            let keep = kept(u32::try_from(*value).unwrap_or(0), 4);
            told.deleted += u64::from(!keep);
            keep
        }),
    }
}

/// Whether somebody calls still. Fails rather than waiting for ever.
fn goes_on(done: &AtomicBool, began: Instant) -> bool {
    assert!(began.elapsed() < DEADLINE, "a caller waits for ever");
    !done.load(Ordering::SeqCst)
}

fn stress(nodes_a_shard: u32, capacity: usize) {
    let clock = ManualClock::new();
    let store = Store::builder()
        .clock(clock.clone())
        .sweeper(Sweeper::Manual)
        .tick(Duration::from_millis(2))
        .default_ttl(Duration::from_millis(50))
        .capacity(capacity)
        .index(IndexSize { shards: 2, nodes_a_shard })
        .build()
        .expect("nothing was asked for that could fail");
    let (done, began) = (AtomicBool::new(false), Instant::now());
    let told = thread::scope(|scope| {
        let callers: Vec<_> = (0..CALLERS)
            .map(|seed| {
                let store = &store;
                scope.spawn(move || {
                    let mut rng = Pcg64Mcg::seed_from_u64(seed);
                    let mut told = Told::default();
                    (0..CALLS).for_each(|_| call(store, &mut rng, &mut told));
                    told
                })
            })
            .collect();
        let sweeper = scope.spawn(|| {
            let mut told = Told::default();
            while goes_on(&done, began) {
                told.swept += store.sweep(3).removed as u64 + store.clean() as u64;
            }
            told
        });
        scope.spawn(|| {
            while goes_on(&done, began) {
                clock.advance(Duration::from_micros(100));
                thread::yield_now();
            }
        });
        let mut told = Told::default();
        for caller in callers {
            told += caller.join().expect("no call panics");
        }
        done.store(true, Ordering::SeqCst);
        told += sweeper.join().expect("no sweep panics");
        told
    });
    assert_adds_up(&store, told);
    clock.advance(Duration::from_secs(1));
    let live = store.live_len();
    store.clean();
    assert_eq!(store.len(), live, "clean left an expired pair");
    store.verify();
}

fn assert_adds_up(store: &Store<u64, u64>, told: Told) {
    store.verify();
    let stats = store.stats();
    let shown = Told {
        hits: stats.hits,
        misses: stats.misses,
        stored: stats.puts,
        deleted: stats.deletes,
        purged: stats.purged,
        swept: stats.expired_by_sweeper,
        ..told
    };
    assert_eq!(shown, told, "the counts are not what callers were told");
    let gone = told.replaced + told.deleted + told.purged + told.swept + stats.expired_lazily;
    assert_eq!(told.stored, gone + store.len() as u64, "values were lost or counted twice");
}

#[test]
fn what_many_threads_are_told_adds_up() {
    stress(1_000, 256);
}

#[test]
fn what_many_threads_are_told_adds_up_in_a_full_index_and_a_growing_table() {
    stress(3, 0);
}
