//! Races between callers and the sweeper, each written once and run by every checker.

use crate::builder::IndexSize;
use crate::sync::model::Model;
use crate::sync::thread::spawn;
use crate::{ManualClock, Store, Sweeper, Ttl};
use std::time::Duration;

const KEY: u8 = 1;

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

fn after(deadline_ms: u64) -> Ttl {
    Ttl::After(ms(deadline_ms))
}

/// A store without a sweeper, with one index shard and a tick of 10 ms, and its clock.
fn quiet_store() -> (Store<u8, u32>, ManualClock) {
    let clock = ManualClock::new();
    let store = Store::builder()
        .clock(clock.clone())
        .sweeper(Sweeper::Manual)
        .tick(ms(10))
        .index(IndexSize { shards: 1, nodes_a_shard: 64 })
        .build()
        .expect("nothing was asked for that could fail");
    (store, clock)
}

/// The store of most models: `KEY` holds 1 and its deadline of 10 ms has just come.
fn store_with_due_pair() -> Store<u8, u32> {
    let (store, clock) = quiet_store();
    store.put_with_ttl(KEY, 1, after(10)).expect("the TTL is good");
    clock.advance(ms(10));
    store
}

/// A pair is put anew in the moment in which the sweeper has come for it.
#[test]
fn refresh_against_sweep() {
    let model = Model { name: "refresh against sweep", threads: 2, exhaustive: true };
    model.explore(|| {
        let store = store_with_due_pair();
        let sweeping = store.clone();
        let sweeper = spawn(move || sweeping.sweep(8));
        let replaced = store.put_with_ttl(KEY, 2, after(100));
        sweeper.join().expect("the sweep does not panic");
        assert_eq!(replaced, Ok(None), "the expired value was given out");
        assert_eq!(store.get(&KEY), Some(2), "the fresh value was lost");
        store.verify();
    });
}

/// A pair is deleted and put anew, likely with the node it had, while the sweeper comes for it.
#[test]
fn delete_and_put_again_against_sweep() {
    let model = Model { name: "delete and put again against sweep", threads: 2, exhaustive: true };
    model.explore(|| {
        let store = store_with_due_pair();
        let sweeping = store.clone();
        let sweeper = spawn(move || sweeping.sweep(8));
        assert_eq!(store.delete(&KEY), None, "the expired value was given out");
        assert_eq!(store.put_with_ttl(KEY, 2, after(100)), Ok(None));
        sweeper.join().expect("the sweep does not panic");
        assert_eq!(store.get(&KEY), Some(2), "the fresh value was lost");
        store.verify();
    });
}
