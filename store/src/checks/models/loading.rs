//! Threads that miss one key, and others who write it meanwhile.

use super::{KEY, quiet_store, two_threads, waiting};
use crate::sync::thread::spawn;
use crate::sync::{Arc, Leaf};

/// Two ask for a missing key: one loads, both are given what it loaded.
#[test]
fn two_ask_for_one_key() {
    waiting("two ask for one key").explore(|| {
        let (store, _clock) = quiet_store();
        let asking = store.clone();
        let asker = spawn(move || asking.get_or_put_with(KEY, || 1));
        let first = store.get_or_put_with(KEY, || 2);
        let second = asker.join().expect("the asker does not panic");
        assert_eq!(first, second, "each was given a value of its own");
        assert_eq!(store.stats().loads, 1, "the key was loaded twice");
        store.verify();
    });
}

/// Two ask, one of whom fails: the other loads.
#[test]
fn one_who_fails_wakes_the_other() {
    waiting("one who fails wakes the other").explore(|| {
        let (store, _clock) = quiet_store();
        let failing = store.clone();
        let failer = spawn(move || failing.try_get_or_put_with(KEY, || Err::<u32, ()>(())));
        assert_eq!(store.get_or_put_with(KEY, || 1), 1);
        let failed = failer.join().expect("the failer does not panic");
        assert!(matches!(failed, Err(()) | Ok(1)));
        store.verify();
    });
}

/// What is loaded is written at its source and deleted meanwhile: the old value may not stay.
#[test]
fn a_load_against_a_delete() {
    two_threads("a load against a delete").explore(|| {
        let source = Arc::new(Leaf::new(1));
        let (store, _clock) = quiet_store();
        let (deleting, writing) = (store.clone(), Arc::clone(&source));
        let deleter = spawn(move || {
            writing.with(|source| *source = 2);
            deleting.delete(&KEY)
        });
        store.get_or_put_with(KEY, || source.with(|source| *source));
        deleter.join().expect("the deleter does not panic");
        assert_ne!(store.get(&KEY), Some(1), "a value stayed that was out of date when loaded");
        store.verify();
    });
}

/// A value is put while another is loaded: it stays, and the asker is given one of the two.
#[test]
fn a_load_against_a_put() {
    two_threads("a load against a put").explore(|| {
        let (store, _clock) = quiet_store();
        let putting = store.clone();
        let putter = spawn(move || putting.put(KEY, 2));
        let asked = store.get_or_put_with(KEY, || 1);
        let replaced = putter.join().expect("the putter does not panic");
        assert_eq!(store.get(&KEY), Some(2), "the value put was overwritten");
        assert!(matches!((asked, replaced), (2, None) | (1, None | Some(1))));
        store.verify();
    });
}

/// Everything is purged while a value is loaded: what was begun before does not come back.
#[test]
fn a_load_against_a_purge() {
    two_threads("a load against a purge").explore(|| {
        let source = Arc::new(Leaf::new(1));
        let (store, _clock) = quiet_store();
        let (purging, writing) = (store.clone(), Arc::clone(&source));
        let purger = spawn(move || {
            writing.with(|source| *source = 2);
            purging.purge()
        });
        store.get_or_put_with(KEY, || source.with(|source| *source));
        purger.join().expect("the purger does not panic");
        assert_ne!(store.get(&KEY), Some(1), "a value stayed that was out of date when loaded");
        store.verify();
    });
}
