//! The last handle goes while the sweeper's thread is at work, or goes on that very thread.

use super::{KEY, Model, Vast, after, ms};
use crate::builder::IndexSize;
use crate::sync::model::wait_until;
use crate::sync::{Arc, Leaf};
use crate::{ManualClock, Store};

/// A store with a sweeper's thread, and its clock.
fn swept_store<V: Send + Sync + 'static>() -> (Store<u8, V>, ManualClock) {
    let clock = ManualClock::new();
    let store = Store::builder()
        .clock(clock.clone())
        .tick(ms(10))
        .index(IndexSize { shards: 1, nodes_a_shard: 64 })
        .build()
        .expect("nothing was asked for that could fail");
    (store, clock)
}

/// The sweeper's loop has no end of schedules, so that they cannot all be tried.
fn endless(name: &'static str) -> Model {
    Model { name, threads: 2, vast: Vast::No, exhaustive: false }
}

/// Says when it is dropped.
struct Witness(Arc<Leaf<u32>>);

impl Drop for Witness {
    fn drop(&mut self) {
        self.0.with(|dropped| *dropped += 1);
    }
}

/// The last handle is dropped while the sweeper may be at the expired pair: the thread ends, and
/// every value is dropped once.
#[test]
fn last_handle_dropped_while_the_sweeper_works() {
    endless("last handle dropped while the sweeper works").explore(|| {
        let dropped = Arc::new(Leaf::new(0));
        let (store, clock) = swept_store();
        let put = store.put_with_ttl(KEY, Witness(Arc::clone(&dropped)), after(10));
        assert!(put.is_ok());
        clock.advance(ms(10));
        drop(store);
        assert_eq!(dropped.with(|dropped| *dropped), 1, "dropped with the last handle");
    });
}

/// A value that holds the last handle of its own store.
struct Holder {
    _store: Store<u8, Holder>,
    _witness: Witness,
}

/// The sweeper reclaims the value that holds the last handle, and so drops it on its own thread:
/// it must not wait for itself.
#[test]
fn last_handle_dropped_on_the_sweeper() {
    endless("last handle dropped on the sweeper").explore(|| {
        let dropped = Arc::new(Leaf::new(0));
        let (store, clock) = swept_store();
        let holder = Holder { _store: store.clone(), _witness: Witness(Arc::clone(&dropped)) };
        assert!(store.put_with_ttl(KEY, holder, after(10)).is_ok());
        drop(store);
        clock.advance(ms(10));
        wait_until(|| dropped.with(|dropped| *dropped) == 1);
    });
}
