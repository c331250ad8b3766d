//! Removals of one key by two threads, and who is told of them when.

use super::{KEY, Model, OTHER, Vast, quiet_builder, waiting};
use crate::sync::thread::spawn;
use crate::sync::{Arc, Leaf};
use crate::{RemovalCause, Store};

/// A key, its value, and why the pair was removed.
type Told = (u8, u32, RemovalCause);

/// A store that logs each removal.
fn logging_store() -> (Store<u8, u32>, Arc<Leaf<Vec<Told>>>) {
    let log = Arc::new(Leaf::new(Vec::new()));
    let written = Arc::clone(&log);
    let (builder, _clock) = quiet_builder();
    let builder = builder.on_removal(move |&key, &value, cause| {
        written.with(|log| log.push((key, value, cause)));
    });
    (builder.build().expect("nothing was asked for that could fail"), log)
}

/// Two replacements of one key are told in their order, each once, before the puts return.
#[test]
fn two_replacements_are_told_in_order() {
    waiting("two replacements are told in order").explore(|| {
        let (store, log) = logging_store();
        store.put(KEY, 1);
        let putting = store.clone();
        let putter = spawn(move || putting.put(KEY, 2));
        store.put(KEY, 3);
        putter.join().expect("the putter does not panic");
        let between = if store.get(&KEY) == Some(3) { 2 } else { 3 };
        let expected = [1, between].map(|value| (KEY, value, RemovalCause::Replaced));
        assert_eq!(log.with(|log| log.clone()), expected);
        store.verify();
    });
}

/// A deletion beside a replacement: whoever returns a value, the listener is told of it.
#[test]
fn what_is_returned_is_told() {
    waiting("what is returned is told").explore(|| {
        let (store, log) = logging_store();
        store.put(KEY, 1);
        let deleting = store.clone();
        let deleter = spawn(move || deleting.delete(&KEY));
        let replaced = store.put(KEY, 2);
        let deleted = deleter.join().expect("the deleter does not panic");
        let log = log.with(|log| log.clone());
        let told = |cause| log.iter().find(|told| told.2 == cause).map(|told| told.1);
        assert_eq!(told(RemovalCause::Replaced), replaced);
        assert_eq!(told(RemovalCause::Deleted), deleted);
        store.verify();
    });
}

/// Listeners that write each other's keys wait for each other no longer than it takes.
#[test]
fn listeners_that_write_do_not_wait_for_ever() {
    Model { vast: Vast::Everywhere, ..waiting("listeners that write do not wait for ever") }
        .explore(|| {
            let handle = Arc::new(Leaf::new(None::<Store<u8, u32>>));
            let inside = Arc::clone(&handle);
            let (builder, _clock) = quiet_builder();
            let store = builder
                .on_removal(move |&key, &value, _| {
                    if value < 10 {
                        let store = inside.with(|store| store.clone());
                        let other = if key == KEY { OTHER } else { KEY };
                        store.expect("it is there while the threads run").put(other, value + 10);
                    }
                })
                .build()
                .expect("nothing was asked for that could fail");
            store.put(KEY, 1);
            store.put(OTHER, 2);
            handle.with(|handle| *handle = Some(store.clone()));
            let putting = store.clone();
            let putter = spawn(move || putting.put(KEY, 3));
            store.put(OTHER, 4);
            putter.join().expect("the putter does not panic");
            let former = handle.with(Option::take);
            drop(former);
            assert_eq!(store.len(), 2);
            store.verify();
        });
}
