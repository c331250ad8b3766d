//! Semantic 8: what is done to the same keys for ever costs no memory.

use crate::support::{after, manual, ms, unswept};
use store::{Compute, Store, Ttl};

type Numbers = Store<u64, u64>;

const KEYS: u64 = 500;

/// Fills a store with keys of long TTLs, so that whatever can be allocated for them is, then does
/// `churn` to all of them many times, and checks that nothing has grown.
fn assert_costs_nothing(name: &str, churn: impl Fn(&Numbers, u64, u64)) {
    for sweeps in [false, true] {
        let (clock, builder) = unswept();
        let store = builder.capacity(4_096).build().expect("a small store can be built");
        for key in 0..KEYS {
            store.put_with_ttl(key, 0, after(3_600_000)).expect("the TTL is fine");
        }
        let warm = store.stats();
        assert_eq!(warm.expiry_nodes, 500, "one node a key with a TTL");
        for round in 0..200 {
            for key in 0..KEYS {
                churn(&store, key, round);
            }
            clock.advance(ms(round % 60));
            if sweeps {
                store.sweep(100);
            }
            let stats = store.stats();
            assert!(stats.expiry_nodes <= 500, "{name}: {} nodes", stats.expiry_nodes);
            assert_eq!(stats.estimated_bytes, warm.estimated_bytes, "{name}, round {round}");
        }
        store.purge();
        let stats = store.stats();
        assert_eq!((stats.entries, stats.expiry_nodes), (0, 0), "{name}");
    }
}

#[test]
fn s8_refreshing_keys_for_ever_does_not_grow_memory() {
    assert_costs_nothing("expire", |store, key, round| {
        store.expire(&key, after(3_600_000 + round)).expect("the TTL is fine");
    });
    assert_costs_nothing("put", |store, key, round| {
        store.put_with_ttl(key, round, after(3_600_000 + round)).expect("the TTL is fine");
    });
    assert_costs_nothing("compute", |store, key, round| {
        let put = |_: Option<&u64>| Compute::PutWithTtl(round, after(3_600_000 + round));
        store.compute(key, put).expect("the TTL is fine");
    });
}

#[test]
fn s8_shortening_keys_for_ever_does_not_grow_memory() {
    assert_costs_nothing("shorten", |store, key, round| {
        store.expire(&key, after(3_600_000 - round * 10_000)).expect("the TTL is fine");
    });
    assert_costs_nothing("shorten and extend", |store, key, round| {
        let ttl_ms = if round % 2 == 0 { 100_000 } else { 3_600_000 };
        store.expire(&key, after(ttl_ms + key)).expect("the TTL is fine");
    });
}

#[test]
fn s8_deleting_and_recreating_keys_for_ever_does_not_grow_memory() {
    assert_costs_nothing("delete", |store, key, round| {
        store.delete(&key);
        store.put_with_ttl(key, round, after(100_000 + key)).expect("the TTL is fine");
    });
    assert_costs_nothing("expiry", |store, key, round| {
        // Lives for about a round: some are swept, some met, some refreshed in time.
        store.put_with_ttl(key, round, after(1 + key % 60)).expect("the TTL is fine");
        store.get(&((key + 250) % KEYS));
    });
    assert_costs_nothing("purge", |store, key, round| {
        if key == 0 {
            store.purge();
        }
        store.put_with_ttl(key, round, after(100_000)).expect("the TTL is fine");
    });
}

#[test]
fn s8_persisting_and_expiring_keys_for_ever_does_not_grow_memory() {
    assert_costs_nothing("persist", |store, key, round| {
        assert!(store.persist(&key));
        assert!(store.expire(&key, after(3_600_000 + round)).expect("the TTL is fine"));
    });
}

#[test]
fn s8_new_keys_for_ever_need_no_more_than_those_alive_at_once() {
    let (clock, builder) = unswept::<u64, u64>();
    let store = builder.capacity(4_096).build().unwrap();
    let mut warm_bytes = 0;
    for key in 0..200_000_u64 {
        store.put_with_ttl(key, key, after(1_000)).unwrap();
        if key >= 500 {
            assert_eq!(store.delete(&(key - 500)), Some(key - 500));
        }
        if key % 1_000 == 0 {
            clock.advance(ms(1));
        }
        if key == 20_000 {
            warm_bytes = store.stats().estimated_bytes;
        }
    }
    let stats = store.stats();
    assert_eq!((stats.entries, stats.expiry_nodes), (500, 500));
    // How keys spread over the index is chance, so some slack; a leak would be a hundredfold.
    assert!(stats.estimated_bytes <= warm_bytes + warm_bytes / 2, "{stats:?} from {warm_bytes}");
}

#[test]
fn s8_the_index_holds_one_node_for_each_key_with_a_ttl_and_none_for_others() {
    let (clock, store) = manual::<u64, u64>();
    let nodes = || store.stats().expiry_nodes;
    store.put(1, 1);
    assert_eq!(nodes(), 0);
    store.put_with_ttl(1, 1, after(10)).unwrap();
    store.put_with_ttl(1, 1, after(5)).unwrap();
    store.put_with_ttl(1, 1, after(500)).unwrap();
    assert_eq!(nodes(), 1);
    store.put_with_ttl(2, 1, after(10)).unwrap();
    assert_eq!(nodes(), 2);
    store.put_with_ttl(2, 1, Ttl::Keep).unwrap();
    store.update(&2, |_| ());
    assert_eq!(nodes(), 2);
    store.persist(&2);
    assert_eq!(nodes(), 1);
    store.expire(&2, after(10)).unwrap();
    assert_eq!(nodes(), 2);
    store.delete(&1);
    assert_eq!(nodes(), 1);
    clock.advance(ms(10));
    assert_eq!((nodes(), store.len()), (1, 1), "held until it is reclaimed");
    store.get(&2);
    assert_eq!((nodes(), store.len()), (0, 0));
}
