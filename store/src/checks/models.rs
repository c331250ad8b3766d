//! Races between callers and the sweeper, each written once and run by every checker.
//!
//! The models of one pair and one thread beside the main one are explored in full; those with
//! more up to a bound. Each ends with [`Store::verify`](crate::Store).

mod bounds;
mod bytes;
mod loading;
mod races;
mod shutdown;
mod table;
mod telling;

use crate::builder::{Builder, IndexSize};
use crate::sync::model::{Model, Vast};
use crate::{Eviction, ManualClock, Store, Sweeper, Ttl};
use std::time::Duration;

/// The key that most models are about, and two more: of these, one may take its node.
const KEY: u8 = 1;
const OTHER: u8 = 2;
const THIRD: u8 = 3;
const FOURTH: u8 = 4;

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

fn after(ttl_ms: u64) -> Ttl {
    Ttl::After(ms(ttl_ms))
}

fn two_threads(name: &'static str) -> Model {
    Model { name, threads: 2, vast: Vast::No, exhaustive: true }
}

/// Two threads of which one may wait for the other: a scheduler that lets it look again for ever
/// has no last schedule.
fn waiting(name: &'static str) -> Model {
    Model { exhaustive: false, ..two_threads(name) }
}

/// Two threads with too many executions over the real map to try each: millions, which take
/// minutes. To do so all the same: `LOOM_MAX_PREEMPTIONS=100 just test-loom NAME`.
fn vast(name: &'static str) -> Model {
    Model { vast: Vast::OverTheMap, ..two_threads(name) }
}

/// For a store without a sweeper, with one index shard and a tick of 10 ms; and its clock.
fn quiet_builder() -> (Builder<u8, u32>, ManualClock) {
    let clock = ManualClock::new();
    let builder = Store::builder()
        .clock(clock.clone())
        .sweeper(Sweeper::Manual)
        .tick(ms(10))
        .index(IndexSize { shards: 1, nodes_a_shard: 64 });
    (builder, clock)
}

fn quiet_store() -> (Store<u8, u32>, ManualClock) {
    let (builder, clock) = quiet_builder();
    (builder.build().expect("nothing was asked for that could fail"), clock)
}

/// The same with a bound.
fn bounded_store(max_entries: usize, eviction: Eviction) -> (Store<u8, u32>, ManualClock) {
    let (builder, clock) = quiet_builder();
    let store = builder.max_entries(max_entries).eviction(eviction).build();
    (store.expect("nothing was asked for that could fail"), clock)
}

/// The store of most models: `KEY` holds 1 and its deadline of 10 ms has just come.
fn store_with_due_pair() -> (Store<u8, u32>, ManualClock) {
    let (store, clock) = quiet_store();
    put(&store, KEY, 1, 10);
    clock.advance(ms(10));
    (store, clock)
}

/// `KEY` holds 1 until 100 ms; its node, registered for 10 ms, is due now and fires early.
fn store_with_early_node() -> (Store<u8, u32>, ManualClock) {
    let (store, clock) = quiet_store();
    put(&store, KEY, 1, 10);
    assert_eq!(store.expire(&KEY, after(100)), Ok(true));
    clock.advance(ms(10));
    (store, clock)
}

/// Puts with a TTL that is good; returns what it replaced.
fn put(store: &Store<u8, u32>, key: u8, value: u32, ttl_ms: u64) -> Option<u32> {
    store.put_with_ttl(key, value, after(ttl_ms)).expect("the TTL is good")
}

/// Once quiet, lets every deadline pass and sweeps: whatever has a TTL must go.
fn verify_that_all_expires(store: &Store<u8, u32>, clock: &ManualClock) {
    store.verify();
    clock.advance(ms(1_000));
    while store.sweep(64).more {}
    store.verify();
    assert_eq!(store.live_len(), store.len(), "an expired pair was left behind");
}
