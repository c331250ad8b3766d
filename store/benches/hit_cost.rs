//! What a hit costs in a bounded store, against one without a bound: interleaved runs of one
//! thread over a million keys, each ratio from two runs that follow each other.
//!
//! `just hit-cost`

#![expect(clippy::print_stdout, reason = "it is a program")]

use std::hint::black_box;
use std::time::Instant;
use store::{Builder, Eviction, Store, Sweeper};

const KEYS: u64 = 1_000_000;
const LOOKUPS: u64 = 2_000_000;
const ROUNDS: usize = 15;

fn filled(bound: impl FnOnce(Builder<u64, u64>) -> Builder<u64, u64>) -> Store<u64, u64> {
    let capacity = usize::try_from(KEYS).unwrap_or(usize::MAX);
    let builder = Store::builder().capacity(capacity).sweeper(Sweeper::Manual);
    let store = bound(builder).build().unwrap_or_else(|error| panic!("{error}"));
    for key in 0..KEYS {
        store.put(key, key);
    }
    store
}

/// Nanoseconds a look-up, over keys in an order that no prefetcher foresees.
fn ns_a_hit(store: &Store<u64, u64>) -> f64 {
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    let began = Instant::now();
    for _ in 0..LOOKUPS {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        black_box(store.get(&(state % KEYS)));
    }
    #[expect(clippy::cast_precision_loss, reason = "some millions")]
    let ns = began.elapsed().as_nanos() as f64 / LOOKUPS as f64;
    ns
}

fn median(figures: &mut [f64]) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures[figures.len() / 2]
}

fn main() {
    let bound = usize::try_from(KEYS).unwrap_or(usize::MAX);
    let unbounded = filled(|builder| builder);
    println!("| bounded by | ns a hit | without a bound | median ratio | quartiles |");
    println!("|---|---|---|---|---|");
    for eviction in [Eviction::S3Fifo, Eviction::Lru] {
        let bounded = filled(|builder| builder.max_entries(bound).eviction(eviction));
        let (mut ratios, mut with, mut without) = (Vec::new(), Vec::new(), Vec::new());
        for round in 0..ROUNDS {
            // Who goes first changes, so that no side has the warmer caches.
            let (a, b) = if round % 2 == 0 {
                let b = ns_a_hit(&bounded);
                (ns_a_hit(&unbounded), b)
            } else {
                let a = ns_a_hit(&unbounded);
                (a, ns_a_hit(&bounded))
            };
            ratios.push(b / a);
            with.push(b);
            without.push(a);
        }
        let middle = median(&mut ratios);
        println!(
            "| {eviction:?} | {:.1} | {:.1} | {middle:.3} | {:.3} to {:.3} |",
            median(&mut with),
            median(&mut without),
            ratios[ROUNDS / 4],
            ratios[ROUNDS * 3 / 4],
        );
    }
}
