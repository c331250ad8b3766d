//! A caller, and a sweeper or another caller, at one pair.

use super::{
    KEY, Model, OTHER, THIRD, Vast, after, ms, put, quiet_store, store_with_due_pair,
    store_with_early_node, two_threads, vast, verify_that_all_expires,
};
use crate::sync::thread::spawn;
use crate::{Compute, Ttl};

/// A pair is put anew in the moment in which the sweeper has come for it.
#[test]
fn refresh_against_sweep() {
    two_threads("refresh against sweep").explore(|| {
        let (store, clock) = store_with_due_pair();
        let sweeping = store.clone();
        let sweeper = spawn(move || sweeping.sweep(8));
        assert_eq!(put(&store, KEY, 2, 100), None, "the expired value was given out");
        sweeper.join().expect("the sweep does not panic");
        assert_eq!(store.get(&KEY), Some(2), "the fresh value was lost");
        verify_that_all_expires(&store, &clock);
    });
}

/// A pair is put into the tick that the sweeper is closing: its node may not be left behind.
#[test]
fn put_against_sweep_across_a_closing_tick() {
    two_threads("put against sweep across a closing tick").explore(|| {
        let (store, clock) = quiet_store();
        clock.advance(ms(5));
        let (sweeping, advancing) = (store.clone(), clock.clone());
        let sweeper = spawn(move || {
            advancing.advance(ms(15));
            sweeping.sweep(8)
        });
        put(&store, KEY, 1, 5);
        sweeper.join().expect("the sweep does not panic");
        store.verify();
        // Registered late, it may lie one tick further; by then it must be gone.
        clock.advance(ms(20));
        store.sweep(8);
        assert_eq!(store.len(), 0, "the pair was stranded behind the cursor");
        store.verify();
    });
}

/// A pair is deleted and put anew, likely with the node it had, while the sweeper comes for it.
#[test]
fn delete_and_put_again_against_sweep() {
    two_threads("delete and put again against sweep").explore(|| {
        let (store, clock) = store_with_due_pair();
        let sweeping = store.clone();
        let sweeper = spawn(move || sweeping.sweep(8));
        assert_eq!(store.delete(&KEY), None, "the expired value was given out");
        assert_eq!(put(&store, KEY, 2, 100), None);
        sweeper.join().expect("the sweep does not panic");
        assert_eq!(store.get(&KEY), Some(2), "the fresh value was lost");
        verify_that_all_expires(&store, &clock);
    });
}

/// The freed node goes to another key before the sweeper, which holds its number, arrives.
#[test]
fn node_taken_by_another_key_against_sweep() {
    two_threads("node taken by another key against sweep").explore(|| {
        let (store, clock) = store_with_due_pair();
        let sweeping = store.clone();
        let sweeper = spawn(move || sweeping.sweep(8));
        store.delete(&KEY);
        put(&store, OTHER, 2, 100);
        sweeper.join().expect("the sweep does not panic");
        assert_eq!(store.get(&OTHER), Some(2), "another key's value was swept");
        assert_eq!(store.get(&KEY), None);
        verify_that_all_expires(&store, &clock);
    });
}

/// A deadline is brought forward while the sweeper moves the pair's node on.
#[test]
fn shortening_against_sweep() {
    two_threads("shortening against sweep").explore(|| {
        let (store, clock) = store_with_early_node();
        let sweeping = store.clone();
        let sweeper = spawn(move || sweeping.sweep(8));
        assert_eq!(store.expire(&KEY, after(10)), Ok(true));
        sweeper.join().expect("the sweep does not panic");
        store.verify();
        clock.advance(ms(20));
        store.sweep(8);
        assert_eq!(store.len(), 0, "the node lies later than its pair's deadline");
        store.verify();
    });
}

/// A pair loses its TTL while the sweeper moves its node on.
#[test]
fn persisting_against_sweep() {
    two_threads("persisting against sweep").explore(|| {
        let (store, clock) = store_with_early_node();
        let sweeping = store.clone();
        let sweeper = spawn(move || sweeping.sweep(8));
        assert!(store.persist(&KEY));
        sweeper.join().expect("the sweep does not panic");
        verify_that_all_expires(&store, &clock);
        assert_eq!(store.get(&KEY), Some(1), "a pair without a TTL expired");
    });
}

/// A value is replaced with its TTL kept while the sweeper moves its node on.
#[test]
fn keeping_the_ttl_against_sweep() {
    two_threads("keeping the TTL against sweep").explore(|| {
        let (store, clock) = store_with_early_node();
        let sweeping = store.clone();
        let sweeper = spawn(move || sweeping.sweep(8));
        assert_eq!(store.put_with_ttl(KEY, 2, Ttl::Keep), Ok(Some(1)));
        sweeper.join().expect("the sweep does not panic");
        assert_eq!(store.get(&KEY), Some(2));
        assert_eq!(store.ttl(&KEY), Some(after(90)));
        verify_that_all_expires(&store, &clock);
    });
}

/// A reader that met an expired value removes it, but not the fresh one that replaced it.
#[test]
fn lazy_expiry_against_put() {
    two_threads("lazy expiry at get against put").explore(|| {
        let (store, clock) = store_with_due_pair();
        let reading = store.clone();
        let reader = spawn(move || reading.get(&KEY));
        assert_eq!(put(&store, KEY, 2, 100), None, "the expired value was given out");
        let seen = reader.join().expect("the reader does not panic");
        assert!(matches!(seen, None | Some(2)), "the expired value was read: {seen:?}");
        assert_eq!(store.get(&KEY), Some(2), "the fresh value was lost");
        verify_that_all_expires(&store, &clock);
    });
}

/// Time passes a deadline while a reader looks: it sees the value, or none, and a later reader
/// on the same thread never sees it again.
#[test]
fn reads_against_a_passing_deadline() {
    two_threads("reads against a passing deadline").explore(|| {
        let (store, clock) = quiet_store();
        put(&store, KEY, 1, 10);
        let advancing = clock.clone();
        let time = spawn(move || advancing.advance(ms(10)));
        let (first, second) = (store.get(&KEY), store.get(&KEY));
        time.join().expect("time does not panic");
        assert!(first.is_some() || second.is_none(), "a value came back after its deadline");
        assert_eq!(store.get(&KEY), None, "a value was read after its deadline");
        verify_that_all_expires(&store, &clock);
    });
}

/// A deadline is set while the pair is deleted: it is gone, and so is its node.
#[test]
fn expire_against_delete() {
    two_threads("expire against delete").explore(|| {
        let (store, clock) = quiet_store();
        store.put(KEY, 1);
        let deleting = store.clone();
        let deleter = spawn(move || deleting.delete(&KEY));
        let found = store.expire(&KEY, after(10));
        let deleted = deleter.join().expect("the deleter does not panic");
        assert!(found.is_ok());
        assert_eq!(deleted, Some(1), "expire must not remove");
        assert_eq!(store.len(), 0);
        verify_that_all_expires(&store, &clock);
    });
}

/// Two cleaners at one expired pair: one of them removes it, and neither returns before.
#[test]
fn clean_against_clean() {
    vast("clean against clean").explore(|| {
        let (store, clock) = store_with_due_pair();
        let cleaning = store.clone();
        let cleaner = spawn(move || {
            let removed = cleaning.clean();
            assert_eq!(cleaning.len(), 0, "clean returned with an expired pair held");
            removed
        });
        let removed = store.clean();
        assert_eq!(store.len(), 0, "clean returned with an expired pair held");
        let others = cleaner.join().expect("the cleaner does not panic");
        assert_eq!(removed + others, 1, "the pair was not removed exactly once");
        assert_eq!(store.stats().expired_by_sweeper, 1);
        verify_that_all_expires(&store, &clock);
    });
}

/// A sweep with a small budget stops amid a slot while a cleaner, which read the clock a moment
/// before, comes to it: what was dead at that moment must be gone when clean returns.
#[test]
fn clean_against_a_sweep_that_stops_half_way() {
    vast("clean against a sweep that stops half way").explore(|| {
        let (store, clock) = quiet_store();
        put(&store, KEY, 1, 15);
        put(&store, OTHER, 2, 15);
        clock.advance(ms(19));
        let (sweeping, advancing) = (store.clone(), clock.clone());
        let sweeper = spawn(move || {
            advancing.advance(ms(1));
            sweeping.sweep(1)
        });
        store.clean();
        assert_eq!(store.len(), 0, "clean returned with an expired pair held");
        sweeper.join().expect("the sweep does not panic");
        verify_that_all_expires(&store, &clock);
    });
}

/// A decision on a key while the sweeper comes for its expired value.
#[test]
fn compute_against_sweep() {
    two_threads("compute against sweep").explore(|| {
        let (store, clock) = store_with_due_pair();
        let sweeping = store.clone();
        let sweeper = spawn(move || sweeping.sweep(8));
        let replaced = store.compute(KEY, |found| {
            assert_eq!(found, None, "the expired value was shown");
            Compute::PutWithTtl(2, after(100))
        });
        assert_eq!(replaced, Ok(None));
        sweeper.join().expect("the sweep does not panic");
        assert_eq!(store.get(&KEY), Some(2), "the fresh value was lost");
        verify_that_all_expires(&store, &clock);
    });
}

/// Two callers and the sweeper at one pair.
#[test]
fn put_and_delete_against_sweep() {
    let model = Model {
        name: "put and delete against sweep",
        threads: 3,
        vast: Vast::No,
        exhaustive: false,
    };
    model.explore(|| {
        let (store, clock) = store_with_due_pair();
        let (sweeping, deleting) = (store.clone(), store.clone());
        let sweeper = spawn(move || sweeping.sweep(8));
        let deleter = spawn(move || deleting.delete(&KEY));
        put(&store, KEY, 2, 100);
        sweeper.join().expect("the sweep does not panic");
        let deleted = deleter.join().expect("the deleter does not panic");
        assert_ne!(deleted, Some(1), "the expired value was given out");
        let left = store.get(&KEY);
        assert_eq!(left.is_some(), deleted.is_none(), "{left:?} left, {deleted:?} deleted");
        verify_that_all_expires(&store, &clock);
    });
}

/// Three keys, one node: it wanders from one to the next while the sweeper holds its number.
#[test]
fn wandering_node_against_sweep() {
    let model = Model {
        name: "wandering node against sweep",
        threads: 3,
        vast: Vast::No,
        exhaustive: false,
    };
    model.explore(|| {
        let (store, clock) = store_with_due_pair();
        let (sweeping, passing) = (store.clone(), store.clone());
        let sweeper = spawn(move || sweeping.sweep(8));
        let passer = spawn(move || {
            put(&passing, OTHER, 2, 100);
            passing.delete(&OTHER)
        });
        store.delete(&KEY);
        put(&store, THIRD, 3, 100);
        sweeper.join().expect("the sweep does not panic");
        assert_eq!(passer.join().expect("the passer does not panic"), Some(2));
        assert_eq!(store.get(&THIRD), Some(3), "another key's value was swept");
        verify_that_all_expires(&store, &clock);
    });
}
