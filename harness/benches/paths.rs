//! The store's hot paths against a bare `scc` map and `quick_cache`, on the same operations:
//! interleaved runs in one process, each ratio from two runs that follow each other.
//!
//! `just path-cost`

#![expect(clippy::print_stdout, reason = "it is a program")]

use harness::target::Hasher;
use quick_cache::sync::{Cache, DefaultLifecycle};
use quick_cache::{OptionsBuilder, UnitWeighter};
use std::hint::black_box;
use std::time::{Duration, Instant};
use store::{Builder, Store, Sweeper, Ttl};

type Pairs = Store<u64, u64>;
type Bare = scc::HashMap<u64, u64, Hasher>;
type Quick = Cache<u64, u64, UnitWeighter, Hasher>;

const KEYS: usize = 1_000_000;
const OPERATIONS: usize = 1_000_000;
const ROUNDS: usize = 15;
const HOUR: Ttl = Ttl::After(Duration::from_secs(3600));

fn store_with(build: impl FnOnce(Builder<u64, u64>) -> Builder<u64, u64>) -> Pairs {
    let builder = build(Store::builder().sweeper(Sweeper::Manual));
    builder.build().unwrap_or_else(|error| panic!("{error}"))
}

fn bare() -> Bare {
    Bare::with_capacity_and_hasher(KEYS, Hasher::with_seed(7))
}

fn quick() -> Quick {
    let options = OptionsBuilder::new()
        .estimated_items_capacity(KEYS)
        .weight_capacity(KEYS as u64)
        .build()
        .unwrap_or_else(|error| panic!("{error}"));
    Cache::with_options(options, UnitWeighter, Hasher::with_seed(7), DefaultLifecycle::default())
}

/// An xorshift generator: the same keys in every run.
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    /// Keys of a prefilled map, each as likely as the next.
    fn uniform(&mut self) -> Vec<u64> {
        (0..OPERATIONS).map(|_| self.next() % KEYS as u64).collect()
    }

    /// Keys of ten times what fits, popular by a law near Zipf's: four in five are hits.
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a draw of 53 bits, made into a rank below ten million"
    )]
    fn popular(&mut self) -> Vec<u64> {
        let exponent = 0.01_f64;
        let top = (KEYS as f64 * 10.0).powf(exponent) - 1.0;
        let rank = |draw: u64| ((draw >> 11) as f64 / 9.007_199_254_740_992e15).mul_add(top, 1.0);
        let key =
            |rank: f64| (rank.powf(1.0 / exponent) as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        (0..OPERATIONS).map(|_| key(rank(self.next()))).collect()
    }
}

/// Keeps the optimizer from leaving out what made `result`.
fn discard<T>(result: T) {
    black_box(result);
}

#[expect(clippy::cast_precision_loss, reason = "a million")]
fn ns_each(keys: &[u64], mut operation: impl FnMut(u64)) -> f64 {
    let began = Instant::now();
    for &key in keys {
        operation(key);
    }
    began.elapsed().as_nanos() as f64 / keys.len() as f64
}

/// Prints the throughput of `ours` as a part of that of `theirs`; both are given the same keys.
fn compare(
    name: &str,
    mut keys: impl FnMut() -> Vec<u64>,
    mut ours: impl FnMut(&[u64]) -> f64,
    mut theirs: impl FnMut(&[u64]) -> f64,
) {
    let mut rounds: Vec<(f64, f64, f64)> = (0..ROUNDS)
        .map(|round| {
            let keys = keys();
            // Who goes first changes, so that no side has the warmer caches.
            let (our, their) = if round % 2 == 0 {
                let our = ours(&keys);
                (our, theirs(&keys))
            } else {
                let their = theirs(&keys);
                (ours(&keys), their)
            };
            (their / our, our, their)
        })
        .collect();
    rounds.sort_by(|a, b| a.0.total_cmp(&b.0));
    let (ratio, our, their) = rounds[ROUNDS / 2];
    let (low, high) = (rounds[ROUNDS / 4].0, rounds[ROUNDS * 3 / 4].0);
    println!("| {name} | {our:.0} | {their:.0} | {ratio:.3} | {low:.3} to {high:.3} |");
}

fn main() {
    let mut numbers = Numbers(0x9E37_79B9_7F4A_7C15);
    let (plain, ttl) = (store_with(|b| b.capacity(KEYS)), store_with(|b| b.capacity(KEYS)));
    let (bounded, bare_map, cache) = (store_with(|b| b.max_entries(KEYS)), bare(), quick());
    for key in 0..KEYS as u64 {
        plain.put(key, key);
        discard(ttl.put_with_ttl(key, key, HOUR));
        bounded.put(key, key);
        bare_map.upsert_sync(key, key);
        cache.insert(key, key);
    }
    println!("| operation | ns | of the other | throughput, ratio | quartiles |");
    println!("|---|---|---|---|---|");
    let read = |store: &Pairs, keys: &[u64]| ns_each(keys, |k| discard(store.get(&k)));
    let read_bare =
        |keys: &[u64]| ns_each(keys, |k| discard(bare_map.read_sync(&k, |_, value| *value)));
    compare("get, bare map", || numbers.uniform(), |keys| read(&plain, keys), read_bare);
    compare("get with a TTL, bare map", || numbers.uniform(), |keys| read(&ttl, keys), read_bare);
    let read_quick = |keys: &[u64]| ns_each(keys, |k| discard(cache.get(&k)));
    compare("get, bounded, quick_cache", || numbers.uniform(), |k| read(&bounded, k), read_quick);
    let refresh = |keys: &[u64]| ns_each(keys, |k| discard(ttl.put_with_ttl(k, k, HOUR)));
    let upsert = |keys: &[u64]| ns_each(keys, |k| discard(bare_map.upsert_sync(k, k)));
    compare("refresh with a TTL, bare map", || numbers.uniform(), refresh, upsert);
    let through = |keys: &[u64]| {
        ns_each(keys, |k| {
            if bounded.get(&k).is_none() {
                bounded.put(k, k);
            }
        })
    };
    let through_quick = |keys: &[u64]| {
        ns_each(keys, |k| {
            if cache.get(&k).is_none() {
                cache.insert(k, k);
            }
        })
    };
    // Until both hold what is popular.
    for _ in 0..4 {
        let keys = numbers.popular();
        through(&keys);
        through_quick(&keys);
    }
    compare("get or put, bounded, quick_cache", || numbers.popular(), through, through_quick);
    let load = |keys: &[u64]| {
        let store = store_with(|builder| builder.capacity(KEYS));
        ns_each(keys, |k| discard(store.put(k, k)))
    };
    let load_bare = |keys: &[u64]| {
        let map = bare();
        ns_each(keys, |k| discard(map.insert_sync(k, k)))
    };
    compare("load, bare map", || (0..KEYS as u64).collect(), load, load_bare);
}
