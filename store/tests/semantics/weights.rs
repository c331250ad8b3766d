//! Semantic 10 where pairs weigh what the user says: the sum is exact, and never above the bound.

use crate::support::{YEAR, after, ignore, ms, panics, random_numbers, together, unswept, unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use store::{Compute, Eviction, ManualClock, Refusal, RemovalCause, Store, Sweeper, Ttl, TtlError};

/// Values weigh what they are.
type Weights = Store<u64, u64>;
type Log = Arc<Mutex<Vec<(u64, u64, RemovalCause)>>>;

/// A store whose values weigh what they are, and what its listener was told.
fn weighed(max_weight: u64, eviction: Eviction) -> (ManualClock, Weights, Log) {
    let log = Log::default();
    let told = Arc::clone(&log);
    let (clock, builder) = unswept();
    let store = builder
        .max_weight(max_weight)
        .weigher(|_, value| *value)
        .eviction(eviction)
        .on_removal(move |&key, &value, cause| {
            told.lock().expect("nobody failed with it").push((key, value, cause));
        })
        .build()
        .expect("a bounded store can be built");
    (clock, store, log)
}

fn lru(max_weight: u64) -> (ManualClock, Weights, Log) {
    weighed(max_weight, Eviction::Lru)
}

/// What was told since this was last asked.
fn told(log: &Log) -> Vec<(u64, u64, RemovalCause)> {
    std::mem::take(&mut *log.lock().expect("nobody failed with it"))
}

/// The live pairs, in the order of their keys.
fn pairs(store: &Weights) -> Vec<(u64, u64)> {
    let mut pairs = Vec::new();
    store.for_each(|&key, &value| pairs.push((key, value)));
    pairs.sort_unstable();
    pairs
}

#[test]
fn s10_pairs_go_until_the_sum_fits() {
    let (_clock, store, log) = lru(10);
    (1..=4).for_each(|key| ignore(store.put(key, 2)));
    assert_eq!(store.stats().weight, 8);
    store.put(5, 2);
    assert_eq!((store.stats().weight, told(&log)), (10, vec![]), "full is not too full");
    store.put(6, 5);
    let gone = [1, 2, 3].map(|key| (key, 2, RemovalCause::Evicted));
    assert_eq!((store.stats().weight, told(&log).as_slice()), (9, &gone[..]));
    assert_eq!(pairs(&store), [(4, 2), (5, 2), (6, 5)]);
    store.put(7, 10);
    assert_eq!((pairs(&store), store.stats().evicted), (vec![(7, 10)], 6));
}

#[test]
fn s10_what_weighs_nothing_needs_no_room() {
    for eviction in [Eviction::Lru, Eviction::S3Fifo] {
        let (_clock, store, log) = weighed(3, eviction);
        (0..1_000).for_each(|key| ignore(store.put(key, 0)));
        assert_eq!((store.len(), store.stats().weight), (1_000, 0));
        store.put(1_000, 3);
        (1_001..1_100).for_each(|key| ignore(store.put(key, 0)));
        assert_eq!((store.len(), store.stats().weight), (1_100, 3));
        assert_eq!(told(&log), [], "{eviction:?}");
        // Weightless or not, it is a pair like any.
        assert_eq!((store.get(&7), store.delete(&7), store.put(8, 1)), (Some(0), Some(0), Some(0)));
        assert!(store.stats().weight <= 3);
    }
}

#[test]
fn s10_a_pair_too_heavy_alone_takes_the_former_with_it_and_nobody_else() {
    type Call = (&'static str, fn(&Weights) -> Option<u64>);
    let calls: [Call; 5] = [
        ("put", |s| s.put(1, 11)),
        ("put_with_ttl", |s| s.put_with_ttl(1, 11, after(10)).expect("the TTL is fine")),
        ("put_with_ttl, kept", |s| s.put_with_ttl(1, 11, Ttl::Keep).expect("no TTL")),
        ("compute", |s| s.compute(1, |_| Compute::Put(11)).expect("no TTL")),
        ("compute with a TTL", |s| {
            s.compute(1, |_| Compute::PutWithTtl(11, after(10))).expect("the TTL is fine")
        }),
    ];
    for eviction in [Eviction::Lru, Eviction::S3Fifo] {
        for (name, call) in calls {
            let (_clock, store, log) = weighed(10, eviction);
            store.put(2, 4);
            assert_eq!(call(&store), None, "{name}");
            assert_eq!(told(&log), [(1, 11, RemovalCause::Evicted)], "{name}, over nothing");
            store.put_with_ttl(1, 3, after(1_000)).unwrap();
            assert_eq!(call(&store), Some(3), "{name}");
            let both = [(1, 3, RemovalCause::Replaced), (1, 11, RemovalCause::Evicted)];
            assert_eq!(told(&log), both, "{name}, over a value");
            assert_eq!((pairs(&store), store.stats().weight), (vec![(2, 4)], 4), "{name}");
            let stats = store.stats();
            assert_eq!((stats.puts, stats.evicted, stats.expiry_nodes), (4, 2, 0), "{name}");
            assert_eq!((stats.entries, stats.deletes), (1, 0), "{name}");
        }
    }
}

#[test]
fn s10_try_put_hands_back_what_is_too_heavy_and_changes_nothing() {
    let (clock, store, log) = lru(10);
    store.put(2, 4);
    store.put_with_ttl(1, 3, after(100)).unwrap();
    clock.advance(ms(40));
    let before = store.stats();
    for ttl in [Ttl::Default, Ttl::Never, Ttl::Keep, after(7)] {
        for key in [1, 3] {
            let refused = store.try_put(key, 11, ttl).expect_err("it is too heavy");
            assert_eq!((refused.key, refused.value), (key, 11));
            assert_eq!(refused.reason, Refusal::TooHeavy { weight: 11, max_weight: 10 });
            let message = refused.reason.to_string();
            for word in ["11", "10", "max_weight"] {
                assert!(message.contains(word), "`{message}` does not say {word}");
            }
        }
    }
    let refused = store.try_put(1, 5, after(0)).expect_err("the TTL is zero");
    assert_eq!(refused.reason, Refusal::Ttl(TtlError::Zero));
    let refused = store.try_put(1, 5, Ttl::After(YEAR * 100)).expect_err("the TTL is too long");
    assert_eq!((refused.value, refused.reason), (5, Refusal::Ttl(TtlError::TooLong)));
    assert_eq!((store.stats(), told(&log)), (before, vec![]));
    assert_eq!((pairs(&store), store.ttl(&1)), (vec![(1, 3), (2, 4)], Some(after(60))));
    // It has not been used either: 2 is the one to go still.
    assert_eq!(store.try_put(3, 7, Ttl::Default), Ok(None));
    assert_eq!(told(&log), [(2, 4, RemovalCause::Evicted)]);
    assert_eq!(store.try_put(3, 6, after(9)), Ok(Some(7)));
    assert_eq!((store.stats().weight, store.ttl(&3)), (9, Some(after(9))));
}

#[test]
fn s10_each_way_to_change_a_value_changes_its_weight() {
    let (clock, store, log) = lru(20);
    store.put(1, 3);
    store.put(2, 4);
    let weight = || store.stats().weight;
    assert_eq!((store.put(1, 7), weight()), (Some(3), 11));
    assert_eq!((store.put_with_ttl(1, 1, after(50)), weight()), (Ok(Some(7)), 5));
    assert_eq!((store.update(&1, |value| std::mem::replace(value, 9)), weight()), (Some(1), 13));
    assert_eq!(store.ttl(&1), Some(after(50)), "an update keeps the TTL");
    assert_eq!((store.compute(1, |_| Compute::Put(2)), weight()), (Ok(Some(9)), 6));
    assert_eq!((store.compute(1, |_| Compute::Keep), weight()), (Ok(None), 6));
    assert_eq!((store.compute(3, |_| Compute::PutWithTtl(5, after(9))), weight()), (Ok(None), 11));
    assert_eq!((store.get_or_put_with(4, || 6), weight()), (6, 17));
    assert_eq!((store.expire(&1, after(9)), store.persist(&1), weight()), (Ok(true), true, 17));
    assert_eq!((store.compute(4, |_| Compute::Delete), weight()), (Ok(Some(6)), 11));
    assert_eq!((store.delete(&2), weight()), (Some(4), 7));
    clock.advance(ms(9));
    assert_eq!((store.get(&3), weight()), (None, 2));
    assert_eq!((store.update(&1, |value| *value = 0), weight(), store.len()), (Some(()), 0, 1));
    assert!(told(&log).iter().all(|(_, _, cause)| *cause != RemovalCause::Evicted));
    assert_eq!((store.purge(), weight()), (1, 0));
}

#[test]
fn s10_growing_in_place_pushes_others_out() {
    type Grow = (&'static str, fn(&Weights));
    let ways: [Grow; 4] = [
        ("update", |s| ignore(s.update(&2, |value| *value = 6))),
        ("put", |s| ignore(s.put(2, 6))),
        ("compute", |s| ignore(s.compute(2, |_| Compute::Put(6)))),
        ("try_put", |s| ignore(s.try_put(2, 6, Ttl::Keep).expect("it is light"))),
    ];
    for (name, grow) in ways {
        let (_clock, store, log) = lru(10);
        (1..=4).for_each(|key| ignore(store.put(key, 2)));
        grow(&store);
        let gone: Vec<_> = told(&log).into_iter().filter(|gone| gone.0 != 2).collect();
        assert_eq!(gone, [(1, 2, RemovalCause::Evicted)], "{name}");
        assert_eq!((pairs(&store), store.stats().weight), (vec![(2, 6), (3, 2), (4, 2)], 10));
    }
}

#[test]
fn s10_a_value_that_an_update_makes_too_heavy_is_evicted() {
    for eviction in [Eviction::Lru, Eviction::S3Fifo] {
        let (_clock, store, log) = weighed(10, eviction);
        store.put_with_ttl(1, 3, after(100)).unwrap();
        store.put(2, 4);
        assert_eq!(store.update(&1, |value| std::mem::replace(value, 11)), Some(3));
        assert_eq!(told(&log), [(1, 11, RemovalCause::Evicted)]);
        assert_eq!((pairs(&store), store.stats().weight), (vec![(2, 4)], 4));
        assert_eq!((store.stats().evicted, store.stats().expiry_nodes), (1, 0));
        assert_eq!(store.put(1, 1), None);
    }
}

#[test]
fn s10_a_loaded_value_too_heavy_is_returned_but_not_held() {
    let (_clock, store, log) = lru(10);
    store.put(2, 4);
    assert_eq!(store.get_or_put_with(1, || 11), 11);
    assert_eq!(told(&log), [(1, 11, RemovalCause::Evicted)]);
    assert_eq!((pairs(&store), store.stats().weight), (vec![(2, 4)], 4));
}

#[test]
fn weights_beyond_32_bits_count_as_the_most_that_does_fit() {
    const MOST: u64 = 4_294_967_294;
    let (_clock, store, log) = lru(u64::MAX);
    for (count, weight) in (1..).zip([u64::MAX, MOST, MOST + 1, 1 << 40, u64::MAX - 1]) {
        store.put(count, weight);
        assert_eq!(store.stats().weight, count * MOST);
    }
    assert_eq!(store.put(6, MOST - 1), None);
    assert_eq!(store.stats().weight, 6 * MOST - 1);
    assert_eq!((store.update(&6, |value| *value = u64::MAX), store.len()), (Some(()), 6));
    assert_eq!((store.stats().weight, told(&log)), (6 * MOST, vec![]));
    assert_eq!((store.delete(&1), store.stats().weight), (Some(u64::MAX), 5 * MOST));
    assert_eq!((store.purge(), store.stats().weight), (5, 0));
}

#[test]
fn s10_the_sum_is_exact_and_within_the_bound_after_every_call() {
    for eviction in [Eviction::Lru, Eviction::S3Fifo] {
        let (clock, store, log) = weighed(40, eviction);
        for random in random_numbers(0).take(20_000) {
            let (key, weight) = (random % 16, random / 16 % 14);
            match random >> 60 {
                0..=3 => ignore(store.put(key, weight)),
                4 => ignore(store.put_with_ttl(key, weight, after(1 + weight)).expect("fine")),
                5 | 6 => ignore(store.update(&key, |value| *value = weight)),
                7 => ignore(store.compute(key, |_| Compute::Put(weight)).expect("no TTL")),
                8 => ignore(store.compute(key, |_| Compute::Delete).expect("no TTL")),
                9 => ignore(store.delete(&key)),
                10 => ignore(store.try_put(key, weight * 4, Ttl::Keep)),
                11 => store.retain(|held, _| held % 8 != key),
                12 => ignore(store.get_or_put_with(key, || weight)),
                13 => clock.advance(ms(weight)),
                _ => ignore(store.get(&key)),
            }
            // So that all that is held can be seen.
            store.clean();
            let sum: u64 = pairs(&store).iter().map(|(_, weight)| weight).sum();
            assert_eq!(store.stats().weight, sum, "{eviction:?}");
            assert!(sum <= 40, "{eviction:?}: {sum} held");
            let stats = store.stats();
            let gone = u64::try_from(log.lock().unwrap().len()).unwrap();
            assert_eq!(stats.puts, gone + stats.entries as u64, "{eviction:?}: told once each");
        }
        let evicted = told(&log).iter().filter(|gone| gone.2 == RemovalCause::Evicted).count();
        assert_eq!(store.stats().evicted, evicted as u64);
        assert!(evicted > 100, "{eviction:?}: the bound was hardly tried");
    }
}

#[test]
fn s10_the_sum_is_exact_once_threads_are_quiet() {
    for eviction in [Eviction::Lru, Eviction::S3Fifo] {
        let (_clock, store, log) = weighed(500, eviction);
        let shared = store.clone();
        together(4, move |thread| {
            for random in random_numbers(thread).take(5_000) {
                let (key, weight) = (random % 64, random / 64 % 50);
                match random >> 61 {
                    0 | 1 => ignore(shared.put(key, weight)),
                    2 | 3 => ignore(shared.update(&key, |value| *value = weight)),
                    4 => ignore(shared.compute(key, |_| Compute::Put(weight)).expect("no TTL")),
                    5 => ignore(shared.delete(&key)),
                    6 => ignore(shared.put(key, 501)),
                    _ => ignore(shared.get(&key)),
                }
            }
        });
        let sum: u64 = pairs(&store).iter().map(|(_, weight)| weight).sum();
        let stats = store.stats();
        assert_eq!((stats.weight, stats.entries), (sum, store.live_len()), "{eviction:?}");
        assert!(sum <= 500, "{eviction:?}: {sum} held");
        assert_eq!(stats.puts, (told(&log).len() + store.len()) as u64, "{eviction:?}");
    }
}

#[test]
fn s9_a_panicking_weigher_stores_nothing_and_leaves_the_store_usable() {
    type Call = (&'static str, fn(&Weights));
    let calls: [Call; 9] = [
        ("put", |s| ignore(s.put(1, 5))),
        ("put of an absent key", |s| ignore(s.put(9, 5))),
        ("put_with_ttl", |s| ignore(s.put_with_ttl(1, 5, after(9)))),
        ("try_put", |s| ignore(s.try_put(1, 5, Ttl::Never))),
        ("compute", |s| ignore(s.compute(1, |_| Compute::Put(5)))),
        ("compute of an absent key", |s| ignore(s.compute(9, |_| Compute::Put(5)))),
        ("get_or_put_with", |s| ignore(s.get_or_put_with(9, || 5))),
        ("update that changes nothing", |s| ignore(s.update(&1, |_| ()))),
        ("update that panics itself", |s| ignore(s.update(&1, |_| unwind()))),
    ];
    for eviction in [Eviction::Lru, Eviction::S3Fifo] {
        for (name, call) in calls {
            let armed = Arc::new(AtomicBool::new(false));
            let (_clock, builder) = unswept::<u64, u64>();
            let fuse = Arc::clone(&armed);
            let weigher = move |_: &u64, value: &u64| {
                if fuse.load(Ordering::SeqCst) { unwind() } else { *value }
            };
            let builder = builder.max_weight(10).weigher(weigher).eviction(eviction);
            let store = builder.build().unwrap();
            store.put_with_ttl(1, 3, after(1_000)).unwrap();
            store.put(2, 4);
            let before = store.stats();
            armed.store(true, Ordering::SeqCst);
            assert!(panics(|| call(&store)), "{name}: the panic did not pass to the caller");
            armed.store(false, Ordering::SeqCst);
            assert_eq!(pairs(&store), [(1, 3), (2, 4)], "{name}");
            assert_eq!(store.ttl(&1), Some(after(1_000)), "{name}");
            let after_it = store.stats();
            assert_eq!(
                (after_it.weight, after_it.puts, after_it.evicted, after_it.expiry_nodes),
                (before.weight, before.puts, before.evicted, before.expiry_nodes),
                "{name}"
            );
            // Usable: the same call goes through, and the sum comes out right.
            ignore(store.get_or_put_with(9, || 1));
            assert_eq!((store.put(1, 5), store.put(2, 4)), (Some(3), Some(4)), "{name}");
            let sum: u64 = pairs(&store).iter().map(|(_, weight)| weight).sum();
            assert_eq!(store.stats().weight, sum, "{name}");
            store.purge();
            assert_eq!((store.stats().weight, store.len()), (0, 0), "{name}");
        }
    }
}

#[test]
fn s9_an_update_that_panics_half_way_is_weighed_as_it_left_the_value() {
    for (left, expected) in [(5, vec![(1, 5), (2, 4)]), (8, vec![(1, 8)]), (11, vec![(2, 4)])] {
        let (_clock, store, log) = lru(10);
        store.put(1, 3);
        store.put(2, 4);
        assert!(panics(|| {
            store.update(&1, |value| {
                *value = left;
                unwind()
            });
        }));
        // Whoever puts next makes the room that the panicking call did not.
        store.put(3, 0);
        store.delete(&3);
        assert_eq!(pairs(&store), expected);
        let sum: u64 = expected.iter().map(|(_, weight)| weight).sum();
        assert_eq!((store.stats().weight, told(&log).len()), (sum, 1 + 2 - expected.len()));
    }
}

/// They would make no room: a store full of them must not be emptied for one that weighs.
#[test]
fn s10_pairs_that_weigh_nothing_are_never_evicted() {
    for eviction in [Eviction::Lru, Eviction::S3Fifo] {
        let store = Store::<u64, u64>::builder()
            .max_weight(10)
            .weigher(|_, value| *value)
            .eviction(eviction)
            .sweeper(Sweeper::Manual)
            .build()
            .expect("it can be built");
        (0..5_000).for_each(|key| ignore(store.put(key, 0)));
        store.put(5_000, 10);
        store.put(5_001, 5);
        assert_eq!((store.stats().evicted, store.get(&5_000)), (1, None), "{eviction:?}");
        assert_eq!((store.len(), store.stats().weight), (5_001, 5), "{eviction:?}");
        // One that comes to weigh something can go like any other, and back.
        store.update(&1, |value| *value = 5);
        store.update(&5_001, |value| *value = 0);
        store.put(5_002, 6);
        assert_eq!((store.get(&1), store.get(&5_001)), (None, Some(0)), "{eviction:?}");
        assert_eq!((store.len(), store.stats().weight), (5_001, 6), "{eviction:?}");
    }
}

#[test]
fn s7_a_put_reclaims_no_whole_burst_of_pairs_that_weigh_nothing() {
    const DEAD: u64 = 5_000;
    for eviction in [Eviction::Lru, Eviction::S3Fifo] {
        let (clock, builder) = unswept::<u64, u64>();
        let builder = builder.max_weight(10).weigher(|_, value| *value).eviction(eviction);
        let store = builder.build().unwrap();
        (0..DEAD).for_each(|key| ignore(store.put_with_ttl(key, 0, after(10)).unwrap()));
        store.put(DEAD, 10);
        clock.advance(ms(1_000));
        store.put(DEAD + 1, 10);
        let stats = store.stats();
        assert_eq!((stats.weight, stats.evicted), (10, 1), "{eviction:?}");
        assert!(stats.expired_by_sweeper <= 256, "{eviction:?}: {}", stats.expired_by_sweeper);
    }
}
