//! The rows of the table of calls: what each returns, and how it is counted.

use crate::support::{after, ignore, manual, ms};
use std::cell::Cell;
use std::collections::BTreeMap;
use store::{Compute, Store, Ttl};

/// Hits, misses, puts, deletes.
fn counts<K: std::hash::Hash + Eq, V>(store: &Store<K, V>) -> (u64, u64, u64, u64) {
    let stats = store.stats();
    (stats.hits, stats.misses, stats.puts, stats.deletes)
}

#[test]
fn put_returns_the_live_value_it_replaced() {
    let (_clock, store) = manual::<u32, &str>();
    assert_eq!(store.put(1, "a"), None);
    assert_eq!(store.put(1, "b"), Some("a"));
    assert_eq!(store.put_with_ttl(1, "c", after(5)), Ok(Some("b")));
    assert_eq!(store.put_with_ttl(2, "d", Ttl::Never), Ok(None));
    assert_eq!((store.get(&1), store.get(&2)), (Some("c"), Some("d")));
    assert_eq!((store.len(), counts(&store)), (2, (2, 0, 4, 0)));
}

#[test]
fn a_store_of_strings_is_looked_up_with_str() {
    let (_clock, store) = manual::<String, Vec<u8>>();
    store.put("one".to_owned(), vec![1]);
    assert_eq!(store.get("one"), Some(vec![1]));
    assert_eq!(store.get_many(["one", "two"]), [Some(vec![1]), None]);
    assert_eq!(store.read("one", Vec::len), Some(1));
    assert!(store.contains("one") && !store.contains("two"));
    assert_eq!(store.update("one", |value| value.push(2)), Some(()));
    assert_eq!(store.expire("one", after(9)), Ok(true));
    assert_eq!(store.ttl("one"), Some(after(9)));
    assert!(store.persist("one"));
    assert_eq!(store.delete("one"), Some(vec![1, 2]));
}

#[test]
fn values_need_not_be_clone_for_anything_but_get() {
    struct Opaque(u32);
    let (_clock, store) = manual::<u32, Opaque>();
    store.put(1, Opaque(7));
    assert_eq!(store.read(&1, |value| value.0), Some(7));
    store.update(&1, |value| value.0 = 8);
    assert_eq!(store.delete(&1).map(|value| value.0), Some(8));
}

#[test]
fn keys_and_values_may_be_nothing_at_all() {
    let (clock, store) = manual::<(), ()>();
    assert_eq!(store.put_with_ttl((), (), after(5)), Ok(None));
    assert_eq!((store.put_with_ttl((), (), Ttl::Keep), store.len()), (Ok(Some(())), 1));
    clock.advance(ms(5));
    assert_eq!((store.get(&()), store.len()), (None, 0));
}

#[test]
fn only_get_read_and_get_many_count_as_hits_or_misses() {
    let (clock, store) = manual::<u32, u32>();
    store.put(1, 1);
    store.put_with_ttl(2, 2, after(5)).unwrap();
    clock.advance(ms(5));
    assert_eq!((store.get(&1), store.get(&9)), (Some(1), None));
    assert_eq!(counts(&store), (1, 1, 2, 0));
    assert_eq!((store.read(&1, |_| ()), store.read(&2, |_| ())), (Some(()), None));
    assert_eq!(counts(&store), (2, 2, 2, 0));
    store.get_many([&1, &1, &9]);
    assert_eq!(counts(&store), (4, 3, 2, 0));
    store.contains(&1);
    store.contains(&9);
    store.ttl(&1);
    store.peek(&1, |_, _| ());
    store.peek(&9, |_, _| ());
    store.update(&1, |_| ());
    store.for_each(|_, _| ());
    store.compute(1, |_| Compute::Keep).unwrap();
    store.expire(&1, Ttl::Never).unwrap();
    store.persist(&9);
    assert_eq!(counts(&store), (4, 3, 2, 0));
}

#[test]
fn peek_shows_value_and_ttl_of_one_moment() {
    let (clock, store) = manual::<u32, u32>();
    store.put(1, 10);
    store.put_with_ttl(2, 20, after(50)).unwrap();
    clock.advance(ms(20));
    let peek = |key| store.peek(&key, |&value, ttl| (value, ttl));
    assert_eq!((peek(1), peek(2)), (Some((10, Ttl::Never)), Some((20, after(30)))));
    assert_eq!(peek(3), None);
    clock.advance(ms(30));
    assert_eq!((peek(1), peek(2), store.len()), (Some((10, Ttl::Never)), None, 1));
}

#[test]
fn delete_returns_the_live_value_once() {
    let (clock, store) = manual::<u32, u32>();
    store.put(1, 10);
    store.put_with_ttl(2, 20, after(5)).unwrap();
    assert_eq!((store.delete(&1), store.delete(&1), store.delete(&9)), (Some(10), None, None));
    clock.advance(ms(5));
    assert_eq!(store.delete(&2), None, "expired");
    let stats = store.stats();
    assert_eq!((stats.deletes, stats.expired_lazily), (1, 1), "an expiry is no deletion");
    assert!(store.is_empty());
}

#[test]
fn get_many_answers_in_the_order_of_the_keys() {
    let (clock, store) = manual::<u32, u32>();
    for key in 0..100 {
        store.put_with_ttl(key, key * 10, after(if key % 2 == 0 { 5 } else { 50 })).unwrap();
    }
    clock.advance(ms(5));
    let keys: Vec<u32> = (0..200).rev().chain([7, 7]).collect();
    let expected: Vec<_> =
        keys.iter().map(|&key| (key < 100 && key % 2 == 1).then_some(key * 10)).collect();
    assert_eq!(store.get_many(&keys), expected);
    assert_eq!(store.get_many::<u32>([]), []);
}

#[test]
fn len_counts_what_is_held_and_live_len_what_is_visible() {
    let (clock, store) = manual::<u32, u32>();
    assert!(store.is_empty());
    for key in 0..10 {
        store.put_with_ttl(key, key, if key < 4 { after(5) } else { Ttl::Never }).unwrap();
    }
    clock.advance(ms(5));
    assert_eq!((store.len(), store.live_len(), store.stats().entries), (10, 6, 10));
    assert_eq!(store.get(&0), None);
    assert_eq!((store.len(), store.live_len()), (9, 6), "a look-up takes its own dead pair");
    assert_eq!(store.clean(), 3);
    assert_eq!((store.len(), store.live_len(), store.is_empty()), (6, 6, false));
    store.purge();
    assert_eq!((store.len(), store.is_empty()), (0, true));
}

#[test]
fn a_store_that_holds_only_the_dead_is_not_empty_yet() {
    let (clock, store) = manual::<u32, u32>();
    store.put_with_ttl(1, 1, after(5)).unwrap();
    clock.advance(ms(5));
    assert!(!store.is_empty(), "empty means that nothing is held");
    assert_eq!(store.live_len(), 0);
}

#[test]
fn for_each_shows_every_live_pair_once_and_no_expired_one() {
    let (clock, store) = manual::<u32, u32>();
    for key in 0..1_000 {
        store.put_with_ttl(key, key + 1, after(1 + u64::from(key % 2))).unwrap();
    }
    clock.advance(ms(1));
    let mut shown = BTreeMap::new();
    store.for_each(|&key, &value| assert_eq!(shown.insert(key, value), None));
    let expected: BTreeMap<_, _> = (0..1_000).skip(1).step_by(2).map(|k| (k, k + 1)).collect();
    assert_eq!(shown, expected);
    assert_eq!(store.len(), 1_000, "looking at all removes none");
}

#[test]
fn retain_keeps_what_it_is_told_and_never_shows_an_expired_pair() {
    let (clock, store) = manual::<u32, u32>();
    for key in 0..300 {
        store.put_with_ttl(key, key, if key < 100 { after(5) } else { after(50) }).unwrap();
    }
    clock.advance(ms(5));
    let asked = Cell::new(0);
    store.retain(|&key, &value| {
        assert!(key >= 100 && key == value);
        asked.set(asked.get() + 1);
        key % 2 == 0
    });
    assert!(asked.get() >= 200);
    assert_eq!((store.len(), store.live_len()), (100, 100));
    let stats = store.stats();
    assert_eq!((stats.deletes, stats.expired_lazily, stats.expiry_nodes), (100, 100, 100));
}

#[test]
fn update_changes_a_live_value_in_place_and_returns_what_its_closure_does() {
    let (clock, store) = manual::<u32, String>();
    store.put_with_ttl(1, "a".to_owned(), after(10)).unwrap();
    clock.advance(ms(4));
    let updated = store.update(&1, |value| {
        value.push('b');
        value.len()
    });
    assert_eq!(updated, Some(2));
    assert_eq!((store.get(&1).as_deref(), store.ttl(&1)), (Some("ab"), Some(after(6))));
    assert_eq!(store.update(&2, |_| panic!("it is absent")), None::<()>);
    clock.advance(ms(6));
    assert_eq!(store.update(&1, |_| panic!("it is expired")), None::<()>);
    assert_eq!((store.len(), store.stats().puts), (0, 1));
}

#[test]
fn compute_with_ttl_shows_what_remains() {
    let (clock, store) = manual::<u32, u32>();
    let seen = |key| {
        let mut seen = None;
        let look = |found: Option<(&u32, Ttl)>| {
            seen = found.map(|(value, ttl)| (*value, ttl));
            Compute::Keep
        };
        assert_eq!(store.compute_with_ttl(key, look), Ok(None));
        seen
    };
    store.put(1, 10);
    store.put_with_ttl(2, 20, after(100)).unwrap();
    clock.advance(ms(40));
    assert_eq!((seen(1), seen(2), seen(3)), (Some((10, Ttl::Never)), Some((20, after(60))), None));
    // A TTL that is shortened only if it is longer, in one step.
    let shorten = |found: Option<(&u32, Ttl)>| match found {
        Some((value, Ttl::After(left))) if left > ms(5) => Compute::PutWithTtl(*value, after(5)),
        _ => Compute::Keep,
    };
    assert_eq!(store.compute_with_ttl(2, shorten), Ok(Some(20)));
    assert_eq!(store.compute_with_ttl(2, shorten), Ok(None));
    clock.advance(ms(5));
    assert_eq!((seen(2), store.len()), (None, 1));
}

#[test]
fn compute_keeps_puts_and_deletes() {
    let (clock, store) = manual::<u32, u32>();
    // On an absent key.
    assert_eq!(store.compute(1, |found| absent(found, Compute::Keep)), Ok(None));
    assert_eq!(store.compute(1, |found| absent(found, Compute::Delete)), Ok(None));
    assert_eq!((store.len(), counts(&store)), (0, (0, 0, 0, 0)));
    assert_eq!(store.compute(1, |found| absent(found, Compute::Put(10))), Ok(None));
    // On a live one.
    assert_eq!(store.compute(1, |found| live(found, 10, Compute::Keep)), Ok(None));
    assert_eq!(store.get(&1), Some(10));
    assert_eq!(store.compute(1, |found| live(found, 10, Compute::Put(11))), Ok(Some(10)));
    let put = Compute::PutWithTtl(12, after(5));
    assert_eq!(store.compute(1, |found| live(found, 11, put)), Ok(Some(11)));
    assert_eq!(store.ttl(&1), Some(after(5)));
    let kept = Compute::PutWithTtl(13, Ttl::Keep);
    clock.advance(ms(2));
    assert_eq!(store.compute(1, |found| live(found, 12, kept)), Ok(Some(12)));
    assert_eq!(store.ttl(&1), Some(after(3)));
    assert_eq!(store.compute(1, |found| live(found, 13, Compute::Delete)), Ok(Some(13)));
    assert_eq!((store.len(), counts(&store)), (0, (1, 0, 4, 1)));
    // On an expired one.
    for wanted in [Compute::Keep, Compute::Delete, Compute::Put(20)] {
        store.put_with_ttl(2, 2, after(1)).unwrap();
        clock.advance(ms(1));
        let stored = if let Compute::Put(value) = wanted { Some(value) } else { None };
        assert_eq!(store.compute(2, |found| absent(found, wanted)), Ok(None));
        assert_eq!(store.get(&2), stored);
        assert_eq!(counts(&store).3, 1, "the dead are not deleted");
        store.purge();
    }
}

fn absent(found: Option<&u32>, wanted: Compute<u32>) -> Compute<u32> {
    assert_eq!(found, None);
    wanted
}

fn live(found: Option<&u32>, value: u32, wanted: Compute<u32>) -> Compute<u32> {
    assert_eq!(found, Some(&value));
    wanted
}

#[test]
fn pairs_are_neither_made_nor_lost_by_the_counts() {
    let (clock, store) = manual::<u64, u64>();
    let mut replaced = 0;
    for step in 0..5_000_u64 {
        let key = step * 7_919 % 97;
        match step % 7 {
            0 | 1 => replaced += u64::from(store.put(key, step).is_some()),
            2 => {
                let put = store.put_with_ttl(key, step, after(1 + step % 90)).unwrap();
                replaced += u64::from(put.is_some());
            }
            3 => ignore(store.delete(&key)),
            4 => ignore(store.get(&key)),
            5 => ignore(store.sweep(3)),
            _ => clock.advance(ms(step % 5)),
        }
        if step % 1_000 == 999 {
            store.retain(|key, _| key % 3 != 0);
            store.clean();
        }
    }
    store.purge();
    let stats = store.stats();
    assert_eq!(store.len(), 0);
    let removed = stats.deletes + stats.purged + stats.expired_lazily + stats.expired_by_sweeper;
    assert_eq!(stats.puts, replaced + removed, "{stats:?}");
    assert!(stats.deletes > 0 && stats.expired_lazily > 0 && stats.expired_by_sweeper > 0);
}
