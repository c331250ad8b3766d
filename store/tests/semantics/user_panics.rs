//! Semantic 9: a panic in user code leaves the store usable and its counts right.

use crate::support::{
    YEAR, after, ignore, manual, ms, must_return, panics, unswept, unwind, wait_until,
};
use std::hash::{Hash, Hasher};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use store::{Compute, Eviction, ManualClock, Store, Sweeper};

/// Checks that the counts are right and that every call still works.
fn assert_usable<V: Send + Sync + 'static>(
    name: &str,
    clock: &ManualClock,
    store: &Store<u32, V>,
    fresh: impl Fn() -> V,
) {
    let (held, stats) = (store.len(), store.stats());
    assert_eq!(stats.entries, held, "{name}");
    clock.advance(YEAR);
    assert_eq!(store.clean(), stats.expiry_nodes, "{name}: a node a pair with a TTL");
    assert_eq!(store.len(), held - stats.expiry_nodes, "{name}");
    assert_eq!(store.len(), store.live_len(), "{name}");
    let left = store.len();
    assert_eq!(store.purge(), left, "{name}");
    for key in 0..100 {
        assert!(store.put_with_ttl(key, fresh(), after(10)).expect("the TTL is fine").is_none());
    }
    assert_eq!((store.len(), store.live_len(), store.stats().expiry_nodes), (100, 100, 100));
    assert!(store.delete(&0).is_some() && store.update(&1, |_| ()).is_some());
    clock.advance(YEAR);
    assert_eq!((store.clean(), store.len()), (99, 0), "{name}");
}

#[test]
fn s9_a_panicking_closure_leaves_the_store_usable() {
    type Call = (&'static str, fn(&Store<u32, u32>));
    let calls: [Call; 10] = [
        ("read", |s| ignore(s.read(&1, |_| unwind()))),
        ("peek", |s| ignore(s.peek(&1, |_, _| unwind()))),
        ("update", |s| ignore(s.update(&1, |_| unwind()))),
        ("update after a change", |s| {
            s.update(&1, |value| {
                *value += 0;
                unwind()
            });
        }),
        ("compute of a live key", |s| ignore(s.compute(1, |_| unwind()))),
        ("compute of an absent key", |s| ignore(s.compute(999, |_| unwind()))),
        ("compute of an expired key", |s| ignore(s.compute(2, |_| unwind()))),
        ("for_each", |s| s.for_each(|_, _| unwind())),
        ("retain", |s| s.retain(|_, _| unwind())),
        ("an iterator of keys", |s| {
            ignore(s.get_many((0..3).map(|key| if key == 2 { unwind() } else { &1 })));
        }),
    ];
    for (name, call) in calls {
        must_return(name, move || {
            let (clock, store) = manual();
            for key in 0..50 {
                let ttl = if key == 2 { 5 } else { 1_000 };
                store.put_with_ttl(key, key, after(ttl)).unwrap();
            }
            clock.advance(ms(5));
            assert!(panics(|| call(&store)), "{name}: the panic did not pass to the caller");
            assert_eq!((store.get(&1), store.ttl(&1)), (Some(1), Some(after(995))), "{name}");
            assert_eq!((store.get(&2), store.get(&999)), (None, None), "{name}");
            assert_eq!((store.len(), store.live_len()), (49, 49), "{name}");
            assert_usable(name, &clock, &store, || 0);
        });
    }
}

#[test]
fn s9_an_update_that_panics_leaves_the_value_as_it_left_it() {
    let (_clock, store) = manual::<u32, u32>();
    store.put(1, 1);
    assert!(panics(|| {
        store.update(&1, |value| {
            *value = 2;
            unwind()
        });
    }));
    assert_eq!(store.get(&1), Some(2));
}

#[test]
fn s9_a_retain_that_panics_half_way_has_removed_what_it_was_told_to() {
    let (clock, store) = manual::<u32, u32>();
    for key in 0..100 {
        store.put_with_ttl(key, key, after(1_000)).unwrap();
    }
    let mut asked = 0;
    assert!(panics(|| store.retain(|_, _| {
        asked += 1;
        if asked > 40 { unwind() } else { false }
    })));
    assert_eq!((store.len(), store.live_len()), (60, 60));
    let stats = store.stats();
    assert_eq!((stats.deletes, stats.expiry_nodes), (40, 60));
    assert_usable("retain", &clock, &store, || 0);
}

#[test]
fn s9_a_panicking_clone_leaves_the_store_usable() {
    struct Uncopyable;
    impl Clone for Uncopyable {
        fn clone(&self) -> Self {
            unwind()
        }
    }
    let (clock, store) = manual();
    store.put(1, Uncopyable);
    assert!(panics(|| ignore(store.get(&1))));
    assert!(panics(|| ignore(store.get_many([&0, &1]))));
    assert_eq!(store.len(), 1);
    assert!(store.delete(&1).is_some());
    assert_usable("get", &clock, &store, || Uncopyable);
}

/// A value whose drop panics while `armed`, and is counted.
struct Bomb {
    armed: Arc<AtomicBool>,
    drops: Arc<AtomicUsize>,
}

impl Drop for Bomb {
    fn drop(&mut self) {
        self.drops.fetch_add(1, Ordering::SeqCst);
        // A second panic while one unwinds would abort, whoever drops.
        if self.armed.load(Ordering::SeqCst) && !std::thread::panicking() {
            unwind();
        }
    }
}

#[test]
fn s9_a_panicking_drop_leaves_the_store_usable() {
    type Call = (&'static str, usize, fn(&ManualClock, &Store<u32, Bomb>, Bomb));
    // With how many pairs of 50 each call leaves in the store.
    let calls: [Call; 14] = [
        ("put", 50, |_, s, new| ignore(s.put(1, new))),
        ("delete", 49, |_, s, _| ignore(s.delete(&1))),
        ("compute", 49, |_, s, _| ignore(s.compute(1, |_| Compute::Delete))),
        ("purge", 0, |_, s, _| ignore(s.purge())),
        ("retain", 0, |_, s, _| s.retain(|_, _| false)),
        ("retain, expired", 0, |c, s, _| {
            c.advance(YEAR);
            s.retain(|_, _| true);
        }),
        ("clean", 0, |c, s, _| {
            c.advance(YEAR);
            // A panic ends a call, not the work: it can be called again.
            while !s.is_empty() {
                let _ = catch_unwind(AssertUnwindSafe(|| s.clean()));
            }
            unwind();
        }),
        ("sweep", 0, |c, s, _| {
            c.advance(YEAR);
            while !s.is_empty() {
                let _ = catch_unwind(AssertUnwindSafe(|| s.sweep(10)));
            }
            unwind();
        }),
        ("contains, expired", 49, |c, s, _| {
            c.advance(YEAR);
            s.contains(&1);
        }),
        ("put, expired", 50, |c, s, new| {
            c.advance(YEAR);
            s.put(1, new);
        }),
        ("delete, expired", 49, |c, s, _| {
            c.advance(YEAR);
            s.delete(&1);
        }),
        ("update, expired", 49, |c, s, _| {
            c.advance(YEAR);
            s.update(&1, |_| ());
        }),
        ("persist, expired", 49, |c, s, _| {
            c.advance(YEAR);
            s.persist(&1);
        }),
        ("compute, expired", 49, |c, s, _| {
            c.advance(YEAR);
            ignore(s.compute(1, |_| Compute::Delete));
        }),
    ];
    for (name, left, call) in calls {
        must_return(name, move || {
            let armed = Arc::new(AtomicBool::new(false));
            let drops = Arc::new(AtomicUsize::new(0));
            let bomb = || Bomb { armed: Arc::clone(&armed), drops: Arc::clone(&drops) };
            let (clock, store) = manual();
            for key in 0..50 {
                store.put_with_ttl(key, bomb(), after(100)).unwrap();
            }
            let spare = bomb();
            armed.store(true, Ordering::SeqCst);
            assert!(panics(|| call(&clock, &store, spare)), "{name}: nothing panicked");
            armed.store(false, Ordering::SeqCst);
            assert_eq!(store.len(), left, "{name}");
            assert_eq!(drops.load(Ordering::SeqCst), 51 - left, "{name}: each once, none lost");
            assert_usable(name, &clock, &store, bomb);
        });
    }
}

#[test]
fn s9_a_panicking_drop_on_the_sweeper_is_counted_and_survived() {
    must_return("the sweeper", || {
        let armed = Arc::new(AtomicBool::new(true));
        let drops = Arc::new(AtomicUsize::new(0));
        let clock = ManualClock::new();
        let store = Store::<u32, Bomb>::builder()
            .clock(clock.clone())
            .sweeper(Sweeper::Thread)
            .tick(ms(1))
            .build()
            .unwrap();
        for round in 1..=3 {
            let bomb = Bomb { armed: Arc::clone(&armed), drops: Arc::clone(&drops) };
            store.put_with_ttl(1, bomb, after(10)).unwrap();
            clock.advance(ms(1_000));
            let watched = store.clone();
            // The thread lives on: it reclaims again and again.
            wait_until("the sweeper", move || watched.stats().sweeper_panics == round);
            assert_eq!((store.len(), store.stats().expired_by_sweeper), (0, round));
        }
        assert_eq!(drops.load(Ordering::SeqCst), 3);
    });
}

/// A key that cannot be hashed while its fuse is lit.
struct Fused(u32, Option<Arc<AtomicBool>>);

impl PartialEq for Fused {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}

impl Eq for Fused {}

impl Hash for Fused {
    fn hash<H: Hasher>(&self, state: &mut H) {
        if self.1.as_ref().is_some_and(|lit| lit.load(Ordering::SeqCst)) {
            unwind();
        }
        self.0.hash(state);
    }
}

#[test]
fn s9_a_key_that_cannot_be_hashed_keeps_no_other_from_being_reclaimed_or_evicted() {
    const PAIRS: u32 = 1_000;
    for eviction in [Eviction::Lru, Eviction::S3Fifo] {
        let lit = Arc::new(AtomicBool::new(false));
        let (clock, builder) = unswept::<Fused, u32>();
        // Room enough: a table that grows hashes its keys.
        let builder = builder.capacity(10_000).max_entries(PAIRS as usize).eviction(eviction);
        let store = builder.build().unwrap();
        for key in 0..PAIRS {
            let fuse = (key == 1).then(|| Arc::clone(&lit));
            store.put_with_ttl(Fused(key, fuse), key, after(10)).unwrap();
        }
        clock.advance(ms(1_000));
        lit.store(true, Ordering::SeqCst);
        assert!(panics(|| ignore(store.clean())), "{eviction:?}: nothing panicked");
        assert_eq!(store.len(), 1, "{eviction:?}");
        for key in PAIRS..4 * PAIRS {
            // Now and then somebody is told of the panic.
            let _ = catch_unwind(AssertUnwindSafe(|| store.put(Fused(key, None), key)));
            clock.advance(ms(1));
            assert!(store.len() <= PAIRS as usize, "{eviction:?}: {} held", store.len());
        }
        lit.store(false, Ordering::SeqCst);
        clock.advance(ms(1_000));
        store.clean();
        assert!(!store.contains(&Fused(1, None)), "{eviction:?}");
    }
}
