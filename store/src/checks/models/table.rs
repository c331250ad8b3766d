//! Calls that concern the whole table, beside a caller.

use super::{KEY, OTHER, after, ms, put, quiet_store, two_threads, verify_that_all_expires};
use crate::sync::thread::spawn;

/// Everything goes while a pair is put: that pair may land on either side, and nothing is torn.
#[test]
fn purge_against_put() {
    two_threads("purge against put").explore(|| {
        let (store, clock) = quiet_store();
        put(&store, KEY, 1, 10);
        let purging = store.clone();
        let purger = spawn(move || purging.purge());
        assert_eq!(put(&store, OTHER, 2, 10), None);
        let purged = purger.join().expect("purge does not panic");
        assert_eq!(store.get(&KEY), None, "a pair from before the purge is left");
        let survived = usize::from(store.get(&OTHER).is_some());
        assert_eq!(purged + survived, 2);
        assert_eq!(store.len(), survived);
        verify_that_all_expires(&store, &clock);
    });
}

/// Once quiet, `len` and the statistics are exact.
#[test]
fn counts_are_exact_when_quiet() {
    two_threads("counts are exact when quiet").explore(|| {
        let (store, clock) = quiet_store();
        let other = store.clone();
        let writer = spawn(move || {
            other.put(OTHER, 2);
            other.get(&OTHER)
        });
        store.put(KEY, 1);
        assert_eq!(store.delete(&KEY), Some(1));
        assert_eq!(writer.join().expect("the writer does not panic"), Some(2));
        let stats = store.stats();
        assert_eq!((store.len(), store.live_len()), (1, 1));
        assert_eq!((stats.puts, stats.deletes, stats.hits, stats.misses), (2, 1, 1, 0));
        verify_that_all_expires(&store, &clock);
    });
}

/// Who sees in `len` that a put was made, is in the time in which it was made: no value is read
/// whose deadline had passed by then. Only the stand-in map can show this to be broken: the real
/// one fences each call. Nor can shuttle, for which atomics are no scheduling points.
#[cfg(not(checker = "shuttle"))]
#[test]
fn what_len_has_seen_has_happened() {
    two_threads("what len has seen has happened").explore(|| {
        let (store, clock) = quiet_store();
        put(&store, KEY, 1, 10);
        // In another bucket: a lock in common would order everything.
        let half = |key: &u8| crate::entry::hash_of(key) >> 63;
        let far = (2..=u8::MAX).find(|key| half(key) != half(&KEY)).expect("keys spread");
        let (putting, advancing) = (store.clone(), clock.clone());
        let writer = spawn(move || {
            advancing.advance(ms(10));
            putting.put(far, 2);
        });
        if store.len() == 2 {
            assert_eq!(store.get(&KEY), None, "a value was read after its deadline");
        }
        writer.join().expect("the writer does not panic");
        verify_that_all_expires(&store, &clock);
    });
}

/// The table grows from 64 to 128 slots under a sweep: every pair keeps its node.
#[test]
fn resize_against_sweep() {
    // Fewer cannot bring the map to grow: it does so when its first buckets overflow.
    const PAIRS: u8 = 64;
    let model = super::Model { exhaustive: false, ..super::vast("resize against sweep") };
    model.explore(|| {
        let (store, clock) = quiet_store();
        for key in 0..PAIRS {
            if key == KEY {
                put(&store, KEY, 1, 10);
            } else {
                store.put(key, 0);
            }
        }
        clock.advance(ms(10));
        let sweeping = store.clone();
        let sweeper = spawn(move || sweeping.sweep(8));
        assert_eq!(put(&store, KEY, 2, 100), None);
        for key in PAIRS..PAIRS + 8 {
            assert_eq!(store.put_with_ttl(key, 0, after(100)), Ok(None));
        }
        sweeper.join().expect("the sweep does not panic");
        let grew = store.capacity() > usize::from(PAIRS);
        assert!(grew, "the table did not grow: this model shows nothing");
        assert_eq!(store.get(&KEY), Some(2), "the fresh value was lost");
        verify_that_all_expires(&store, &clock);
        assert_eq!(store.len(), usize::from(PAIRS) - 1);
    });
}
