//! Semantic 9: keys and values are dropped outside every lock, so their `Drop` may call the store.

use crate::support::{OnDrop, WATCHDOG, after, ignore, manual, ms, must_return, unwind};
use std::borrow::Borrow;
use std::hash::{Hash, Hasher};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc;
use std::time::Duration;
use store::{Compute, ManualClock, Store, Sweeper, Ttl};

type Actors = Store<u32, OnDrop>;

/// Puts a value under key 1, with a TTL of 10 ms, that calls `store` in every way when dropped:
/// for its own key, and for enough others to meet any lock there is. Then it tells `dropped`.
fn put_actor(store: &Actors, dropped: &mpsc::Sender<()>) {
    let (handle, dropped) = (store.clone(), dropped.clone());
    let value = OnDrop::run(move || {
        for key in 0..200 {
            handle.contains(&key);
            handle.put(key, OnDrop::quiet());
            handle.update(&key, |_| ());
            handle.expire(&key, after(5)).expect("the TTL is fine");
            handle.compute(key, |_| Compute::Keep).expect("it asks for no TTL");
            handle.ttl(&key);
            handle.delete(&key);
        }
        ignore(handle.live_len());
        handle.sweep(10);
        handle.clean();
        handle.purge();
        let _ = dropped.send(());
    });
    store.put_with_ttl(1, value, after(10)).expect("the TTL is fine");
}

#[test]
fn s9_a_value_may_call_the_store_when_it_is_dropped() {
    type Removal = (&'static str, fn(&ManualClock, &Actors));
    let removals: [Removal; 17] = [
        ("put", |_, s| ignore(s.put(1, OnDrop::quiet()))),
        ("put_with_ttl", |_, s| ignore(s.put_with_ttl(1, OnDrop::quiet(), after(3)))),
        ("delete", |_, s| ignore(s.delete(&1))),
        ("compute, put", |_, s| ignore(s.compute(1, |_| Compute::Put(OnDrop::quiet())))),
        ("compute, delete", |_, s| ignore(s.compute(1, |_| Compute::Delete))),
        ("purge", |_, s| ignore(s.purge())),
        ("retain", |_, s| s.retain(|_, _| false)),
        ("retain, expired", |c, s| {
            c.advance(ms(10));
            s.retain(|_, _| true);
        }),
        ("clean", |c, s| {
            c.advance(ms(10));
            s.clean();
        }),
        ("sweep", |c, s| {
            c.advance(ms(1_000));
            s.sweep(100);
        }),
        ("read, expired", |c, s| {
            c.advance(ms(10));
            assert!(s.read(&1, |_| ()).is_none());
        }),
        ("ttl, expired", |c, s| {
            c.advance(ms(10));
            assert!(s.ttl(&1).is_none());
        }),
        ("put, expired", |c, s| {
            c.advance(ms(10));
            assert!(s.put(1, OnDrop::quiet()).is_none());
        }),
        ("delete, expired", |c, s| {
            c.advance(ms(10));
            assert!(s.delete(&1).is_none());
        }),
        ("expire, expired", |c, s| {
            c.advance(ms(10));
            assert_eq!(s.expire(&1, after(5)), Ok(false));
        }),
        ("update, expired", |c, s| {
            c.advance(ms(10));
            assert!(s.update(&1, |_| ()).is_none());
        }),
        ("compute, expired", |c, s| {
            c.advance(ms(10));
            assert!(s.compute(1, |_| Compute::Put(OnDrop::quiet())).is_ok());
            s.purge();
        }),
    ];
    for (name, remove) in removals {
        must_return(name, move || {
            let (clock, store) = manual();
            let (dropped, drops) = mpsc::channel();
            put_actor(&store, &dropped);
            remove(&clock, &store);
            assert_eq!(drops.try_recv(), Ok(()), "{name}: it was not dropped before the return");
            store.purge();
            assert_eq!((store.len(), store.stats().expiry_nodes), (0, 0), "{name}");
        });
    }
}

#[test]
fn s9_a_value_that_is_refused_may_call_the_store_when_it_is_dropped() {
    must_return("a refusal", || {
        let (_clock, store) = manual::<u32, OnDrop>();
        for (key, present) in [(1, false), (2, true)] {
            if present {
                store.put(key, OnDrop::quiet());
            }
            let actor =
                |handle: Actors| OnDrop::run(move || ignore(handle.put(key, OnDrop::quiet())));
            let zero = Ttl::After(Duration::ZERO);
            assert!(store.put_with_ttl(key, actor(store.clone()), zero).is_err());
            assert!(store.contains(&key), "the drop has put it");
            let value = actor(store.clone());
            assert!(store.compute(key, |_| Compute::PutWithTtl(value, zero)).is_err());
            assert_eq!((store.contains(&key), store.stats().expiry_nodes), (true, 0));
        }
    });
}

#[test]
fn s9_a_value_may_call_the_store_when_the_sweeper_drops_it() {
    must_return("the sweeper", || {
        let clock = ManualClock::new();
        let store = Actors::builder()
            .clock(clock.clone())
            .sweeper(Sweeper::Thread)
            .tick(ms(1))
            .build()
            .unwrap();
        let (dropped, drops) = mpsc::channel();
        for _ in 0..20 {
            put_actor(&store, &dropped);
            clock.advance(ms(1_000));
            drops.recv_timeout(WATCHDOG).expect("the sweeper never got through with it");
        }
        assert_eq!(store.stats().sweeper_panics, 0);
    });
}

/// A key that acts when dropped; equal, and looked up, by its number alone.
struct Key {
    number: u32,
    _on_drop: OnDrop,
}

impl Key {
    fn quiet(number: u32) -> Self {
        Self { number, _on_drop: OnDrop::quiet() }
    }

    /// One that calls `store` about itself and others when it is dropped.
    fn acting(number: u32, store: &Store<Self, u32>, dropped: &mpsc::Sender<()>) -> Self {
        let (handle, dropped) = (store.clone(), dropped.clone());
        let on_drop = OnDrop::run(move || {
            for other in 0..200 {
                handle.get(&other);
                handle.put(Self::quiet(other), 0);
                handle.delete(&other);
            }
            let _ = dropped.send(());
        });
        Self { number, _on_drop: on_drop }
    }
}

impl Hash for Key {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.number.hash(state);
    }
}

impl PartialEq for Key {
    fn eq(&self, other: &Self) -> bool {
        self.number == other.number
    }
}

impl Eq for Key {}

impl Borrow<u32> for Key {
    fn borrow(&self) -> &u32 {
        &self.number
    }
}

#[test]
fn s9_a_key_may_call_the_store_when_it_is_dropped() {
    type Removal = (&'static str, fn(&ManualClock, &Store<Key, u32>));
    let removals: [Removal; 11] = [
        // Which of two equal keys is kept is not promised; purge drops the other.
        ("put", |_, s| {
            s.put(Key::quiet(1), 2);
            s.purge();
        }),
        ("compute, kept", |_, s| {
            s.compute(Key::quiet(1), |_| Compute::Keep).unwrap();
            s.purge();
        }),
        ("compute, deleted", |_, s| ignore(s.compute(Key::quiet(1), |_| Compute::Delete))),
        ("delete", |_, s| ignore(s.delete(&1))),
        ("purge", |_, s| ignore(s.purge())),
        ("retain", |_, s| s.retain(|_, _| false)),
        ("clean", |c, s| {
            c.advance(ms(10));
            s.clean();
        }),
        ("sweep", |c, s| {
            c.advance(ms(1_000));
            s.sweep(100);
        }),
        ("get, expired", |c, s| {
            c.advance(ms(10));
            assert!(s.get(&1).is_none());
        }),
        ("delete, expired", |c, s| {
            c.advance(ms(10));
            assert!(s.delete(&1).is_none());
        }),
        ("persist, expired", |c, s| {
            c.advance(ms(10));
            assert!(!s.persist(&1));
        }),
    ];
    for (name, remove) in removals {
        must_return(name, move || {
            let (clock, store) = manual();
            let (dropped, drops) = mpsc::channel();
            store.put_with_ttl(Key::acting(1, &store, &dropped), 1, after(10)).unwrap();
            remove(&clock, &store);
            assert_eq!(drops.try_recv(), Ok(()), "{name}: it was not dropped before the return");
            store.purge();
            assert_eq!(store.len(), 0, "{name}");
        });
    }
}

#[test]
fn s9_a_key_that_finds_no_place_is_dropped_outside_the_locks() {
    must_return("unused keys", || {
        let (_clock, store) = manual();
        let (dropped, drops) = mpsc::channel();
        let key = || Key::acting(1, &store, &dropped);
        let zero = Ttl::After(Duration::ZERO);
        store.compute(key(), |_| Compute::Keep).unwrap();
        store.compute(key(), |_| Compute::Delete).unwrap();
        assert!(store.compute(key(), |_| Compute::PutWithTtl(1, zero)).is_err());
        assert!(store.put_with_ttl(key(), 1, zero).is_err());
        // A closure that panics leaves its key without a place, too.
        let panicked = catch_unwind(AssertUnwindSafe(|| store.compute(key(), |_| unwind())));
        assert!(panicked.is_err());
        assert_eq!(drops.try_iter().count(), 5);
        assert_eq!(store.len(), 0);
    });
}

/// Calls that are slow make others wait their turn before the lock, and what waits for a turn while it has one would
/// wait for ever.
#[test]
fn s9_what_a_panic_drops_may_call_the_store_however_slow_the_calls_were() {
    const CALLS: usize = 500;
    must_return("slow calls", || {
        let (_clock, store) = manual();
        let (dropped, drops) = mpsc::channel();
        for _ in 0..CALLS {
            let slow = || {
                store.compute(Key::acting(1, &store, &dropped), |_| {
                    std::thread::sleep(Duration::from_micros(100));
                    unwind()
                })
            };
            assert!(catch_unwind(AssertUnwindSafe(slow)).is_err());
        }
        assert_eq!(drops.try_iter().count(), CALLS);
    });
}
