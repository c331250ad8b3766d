//! Callers who look for room in a bounded store, and others at the same pairs.

use super::{
    FOURTH, KEY, OTHER, THIRD, after, bounded_store, ms, put, quiet_builder, two_threads, vast,
};
use crate::Eviction;
use crate::sync::thread::spawn;

/// Two newcomers at a bound of one: both make room, but not more than is needed.
#[test]
fn two_puts_at_the_bound() {
    for eviction in [Eviction::Lru, Eviction::S3Fifo] {
        vast("two puts at the bound").explore(move || {
            let (store, _clock) = bounded_store(1, eviction);
            let putting = store.clone();
            let putter = spawn(move || putting.put(OTHER, 2));
            store.put(THIRD, 3);
            putter.join().expect("the putter does not panic");
            assert_eq!(store.len(), 1, "the bound is not kept, or more was evicted than needed");
            assert_eq!(store.stats().evicted, 1);
            store.verify();
        });
    }
}

/// Two light newcomers at a bound that two heavy pairs fill: the first of those to go is room for both.
#[test]
fn two_light_puts_for_one_heavy_pair() {
    vast("two light puts for one heavy pair").explore(|| {
        let (builder, _clock) = quiet_builder();
        let heavy = builder.max_weight(4).weigher(|_, value| u64::from(*value)).build();
        let store = heavy.expect("nothing was asked for that could fail");
        store.put(KEY, 2);
        store.put(OTHER, 2);
        let putting = store.clone();
        let putter = spawn(move || putting.put(FOURTH, 1));
        store.put(THIRD, 1);
        putter.join().expect("the putter does not panic");
        assert_eq!(store.stats().evicted, 1, "one pair is room enough");
        store.verify();
    });
}

/// The least recently used pair is used at the moment at which it has been chosen to go.
#[test]
fn a_use_against_an_eviction() {
    two_threads("a use against an eviction").explore(|| {
        let (store, _clock) = bounded_store(2, Eviction::Lru);
        store.put(KEY, 1);
        store.put(OTHER, 2);
        let reading = store.clone();
        let reader = spawn(move || reading.get(&KEY));
        store.put(THIRD, 3);
        let used = reader.join().expect("the reader does not panic").is_some();
        let left = [KEY, OTHER, THIRD].map(|key| store.contains(&key));
        assert_eq!(left, [used, !used, true], "the pair that went was not the least recent");
        store.verify();
    });
}

/// The pair that was chosen to go is deleted: its place is room enough.
#[test]
fn a_delete_against_an_eviction() {
    for eviction in [Eviction::Lru, Eviction::S3Fifo] {
        vast("a delete against an eviction").explore(move || {
            let (store, _clock) = bounded_store(1, eviction);
            store.put(KEY, 1);
            let deleting = store.clone();
            let deleter = spawn(move || deleting.delete(&KEY));
            store.put(OTHER, 2);
            let deleted = deleter.join().expect("the deleter does not panic");
            assert_eq!(store.get(&OTHER), Some(2), "the newcomer had to go");
            assert_eq!(store.stats().evicted, u64::from(deleted.is_none()));
            store.verify();
        });
    }
}

/// A pair expires and its number goes to another with a TTL while the sweeper takes it out.
#[test]
fn a_number_changes_hands_against_sweep() {
    vast("a number changes hands against sweep").explore(|| {
        let (store, clock) = bounded_store(8, Eviction::S3Fifo);
        put(&store, KEY, 1, 10);
        clock.advance(ms(10));
        let sweeping = store.clone();
        let sweeper = spawn(move || sweeping.sweep(8));
        store.delete(&KEY);
        put(&store, OTHER, 2, 100);
        sweeper.join().expect("the sweep does not panic");
        assert_eq!(store.get(&OTHER), Some(2), "another key's value was swept");
        store.verify();
        assert_eq!(store.expire(&OTHER, after(10)), Ok(true));
        clock.advance(ms(50));
        while store.sweep(8).more {}
        assert_eq!(store.len(), 0, "a pair with a TTL was left behind");
        store.verify();
    });
}

/// An expired pair is reclaimed for room while the sweeper comes for it.
#[test]
fn room_from_expiry_against_sweep() {
    vast("room from expiry against sweep").explore(|| {
        let (store, clock) = bounded_store(2, Eviction::Lru);
        store.put(KEY, 1);
        put(&store, OTHER, 2, 10);
        clock.advance(ms(10));
        let sweeping = store.clone();
        let sweeper = spawn(move || sweeping.sweep(8));
        store.put(THIRD, 3);
        sweeper.join().expect("the sweep does not panic");
        assert_eq!(store.get(&THIRD), Some(3), "the newcomer had to go");
        assert_eq!(store.get(&OTHER), None);
        store.verify();
        assert!(store.len() <= 2);
    });
}
