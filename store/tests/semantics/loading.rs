//! Loads of what is missing: one loader however many ask, and nothing newer is overwritten.

use crate::support::{
    after, ignore, manual, ms, must_return, panics, together, unswept, unwind, wait_until,
};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Barrier, Mutex};
use std::thread;
use store::{Compute, RemovalCause, Store, Ttl, TtlError};

type Numbers = Store<u64, u64>;

const ASKERS: u64 = 4;

/// Waits until so many calls have looked for their key and not found it: they wait then, or will.
fn all_have_missed(store: &Numbers, calls: u64) {
    let watched = store.clone();
    wait_until("the others that ask", move || watched.stats().misses == calls);
}

#[test]
fn one_of_all_who_ask_loads_and_all_take_its_value() {
    for round in 0..20 {
        let (_clock, store) = manual::<u64, u64>();
        let (shared, loaded) = (store.clone(), Arc::new(AtomicU64::new(0)));
        let count = Arc::clone(&loaded);
        together(ASKERS, move |thread| {
            let value = shared.get_or_put_with(round, || {
                all_have_missed(&shared, ASKERS);
                count.fetch_add(1, Ordering::SeqCst);
                100 + thread
            });
            assert_eq!(Some(value), shared.read(&round, |value| *value));
        });
        assert_eq!(loaded.load(Ordering::SeqCst), 1);
        let stats = store.stats();
        assert_eq!((stats.loads, stats.puts, stats.misses, stats.hits), (1, 1, ASKERS, ASKERS));
    }
}

#[test]
fn a_load_hinders_nobody_who_asks_for_another_key() {
    let (_clock, store) = manual::<u64, u64>();
    let shared = store.clone();
    let met = Barrier::new(2);
    // Both loaders have to run at once for either to return.
    together(2, move |thread| {
        let value = shared.get_or_put_with(thread, || {
            met.wait();
            thread + 10
        });
        assert_eq!(value, thread + 10);
    });
    assert_eq!((store.get(&0), store.get(&1), store.stats().loads), (Some(10), Some(11), 2));
}

#[test]
fn when_a_loader_fails_one_of_those_who_wait_loads() {
    type Fail = fn() -> Result<u64, &'static str>;
    let ways: [(&str, Fail); 2] = [("fails", || Err("no")), ("panics", || unwind())];
    for (name, fail) in ways {
        for failures in 1..=ASKERS {
            let (_clock, store) = manual::<u64, u64>();
            let (shared, tried) = (store.clone(), AtomicU64::new(0));
            let failed = Arc::new(AtomicU64::new(0));
            let count = Arc::clone(&failed);
            together(ASKERS, move |_| {
                let load = || {
                    all_have_missed(&shared, ASKERS);
                    let failing = tried.fetch_add(1, Ordering::SeqCst) < failures;
                    if failing { fail() } else { Ok(7) }
                };
                let mut outcome = Err("panicked");
                ignore(panics(|| outcome = shared.try_get_or_put_with(1, load)));
                match outcome {
                    Ok(value) => assert_eq!(value, 7),
                    Err(_) => ignore(count.fetch_add(1, Ordering::SeqCst)),
                }
            });
            assert_eq!(failed.load(Ordering::SeqCst), failures, "{name}");
            let stats = store.stats();
            let (loads, held) = if failures == ASKERS { (ASKERS, 0) } else { (failures + 1, 1) };
            assert_eq!((stats.loads, stats.entries, stats.puts), (loads, held, held as u64));
            assert_eq!((stats.misses, stats.hits), (ASKERS, 0), "{name}");
            assert_eq!(store.get_or_put_with(1, || 7), 7, "{name}: no load is left behind");
        }
    }
}

/// Something done to key 1 while it is loaded, and what it then holds.
type Write = (&'static str, fn(&Numbers), Option<u64>);

const WRITES: [Write; 11] = [
    ("put", |s| ignore(s.put(1, 50)), Some(50)),
    ("put_with_ttl", |s| ignore(s.put_with_ttl(1, 50, after(9)).expect("it is fine")), Some(50)),
    ("try_put", |s| ignore(s.try_put(1, 50, Ttl::Never).expect("it is fine")), Some(50)),
    ("compute", |s| ignore(s.compute(1, |_| Compute::Put(50)).expect("no TTL")), Some(50)),
    ("delete", |s| ignore(s.delete(&1)), None),
    ("compute away", |s| ignore(s.compute(1, |_| Compute::Delete).expect("no TTL")), None),
    ("purge", |s| ignore(s.purge()), None),
    ("put and delete", |s| ignore((s.put(1, 50), s.delete(&1))), None),
    ("put and purge", |s| ignore((s.put(1, 50), s.purge())), None),
    ("delete and put", |s| ignore((s.delete(&1), s.put(1, 50))), Some(50)),
    ("put twice", |s| ignore((s.put(1, 40), s.put(1, 50))), Some(50)),
];

/// What the calls of `WRITES` put themselves.
fn puts_of(name: &str) -> u64 {
    match name {
        "delete" | "compute away" | "purge" => 0,
        "put twice" => 2,
        _ => 1,
    }
}

#[test]
fn a_write_by_the_loader_is_not_overwritten_by_what_it_loads() {
    for (name, write, left) in WRITES {
        must_return(name, move || {
            let (_clock, store) = manual::<u64, u64>();
            let value = store.get_or_put_with(1, || {
                write(&store);
                7
            });
            assert_eq!(value, left.unwrap_or(7), "{name}");
            assert_eq!((store.get(&1), store.stats().puts), (left, puts_of(name)), "{name}");
            // The next load is its own affair.
            assert_eq!(store.get_or_put_with(1, || 8), left.unwrap_or(8), "{name}");
            assert_eq!(store.get(&1), left.or(Some(8)), "{name}");
        });
    }
}

#[test]
fn a_write_by_another_thread_is_not_overwritten_by_what_is_loaded() {
    for (name, write, left) in WRITES {
        must_return(name, move || {
            let (_clock, store) = manual::<u64, u64>();
            let value = store.get_or_put_with(1, || {
                thread::scope(|scope| scope.spawn(|| write(&store)).join()).expect("it can write");
                7
            });
            assert_eq!(value, left.unwrap_or(7), "{name}");
            assert_eq!((store.get(&1), store.stats().puts), (left, puts_of(name)), "{name}");
        });
    }
}

#[test]
fn a_write_of_another_key_takes_nothing_from_a_load() {
    let (_clock, store) = manual::<u64, u64>();
    let value = store.get_or_put_with(1, || {
        (2..2_000).for_each(|key| ignore((store.put(key, 0), store.delete(&key))));
        store.contains(&1);
        store.compute(1, |_| Compute::Keep).expect("no TTL");
        store.update(&1, |_| ());
        7
    });
    assert_eq!((value, store.get(&1), store.len()), (7, Some(7), 1));
}

#[test]
fn those_who_wait_load_anew_when_the_load_was_overtaken_by_a_delete() {
    let (_clock, store) = manual::<u64, u64>();
    let (shared, turn) = (store.clone(), AtomicU64::new(0));
    together(ASKERS, move |_| {
        let mut own = 0;
        let value = shared.get_or_put_with(1, || {
            all_have_missed(&shared, ASKERS);
            own = 1 + turn.fetch_add(1, Ordering::SeqCst);
            if own == 1 {
                shared.delete(&1);
            }
            own
        });
        // The first keeps what it made, which may be out of date; nobody else is given it.
        assert_eq!(value, if own == 1 { 1 } else { 2 });
    });
    assert_eq!((store.get(&1), store.stats().loads, store.stats().puts), (Some(2), 2, 1));
}

#[test]
fn those_who_wait_take_what_was_put_meanwhile() {
    let (_clock, store) = manual::<u64, u64>();
    let shared = store.clone();
    together(ASKERS, move |_| {
        let value = shared.get_or_put_with(1, || {
            all_have_missed(&shared, ASKERS);
            shared.put(1, 50);
            7
        });
        assert_eq!(value, 50);
    });
    assert_eq!((store.stats().loads, store.stats().puts), (1, 1));
}

#[test]
fn a_loader_says_how_long_its_value_lives_from_when_it_returns() {
    let (clock, builder) = unswept::<u64, u64>();
    let store = builder.default_ttl(ms(500)).build().unwrap();
    let ttls = [
        (after(70), after(70)),
        (Ttl::Default, after(500)),
        (Ttl::Never, Ttl::Never),
        // There is no live value whose deadline could be kept.
        (Ttl::Keep, after(500)),
    ];
    for (key, (asked, given)) in (0..).zip(ttls) {
        let load = || {
            clock.advance(ms(1_000));
            Ok::<_, TtlError>((key, asked))
        };
        assert_eq!(store.try_get_or_put_with_ttl(key, load), Ok(key));
        assert_eq!(store.ttl(&key), Some(given), "{asked:?}");
    }
    store.get_or_put_with(10, || {
        clock.advance(ms(1_000));
        10
    });
    assert_eq!(store.ttl(&10), Some(after(500)));
    clock.advance(ms(499));
    assert_eq!(store.try_get_or_put_with(10, || Err("it is there still")), Ok(10));
    clock.advance(ms(1));
    assert_eq!(store.try_get_or_put_with(10, || Ok::<_, ()>(11)), Ok(11));
    assert_eq!(store.ttl(&10), Some(after(500)));
}

#[test]
fn a_loader_with_a_bad_ttl_stores_nothing() {
    let (_clock, store) = manual::<u64, u64>();
    for (ttl, error) in [(after(0), TtlError::Zero), (after(u64::MAX), TtlError::TooLong)] {
        assert_eq!(store.try_get_or_put_with_ttl(1, || Ok((7, ttl))), Err(error));
        assert_eq!((store.get(&1), store.len(), store.stats().puts), (None, 0, 0));
    }
    let load = || Ok::<_, TtlError>((7, after(5)));
    assert_eq!(store.try_get_or_put_with_ttl(1, load), Ok(7));
    // A value that is there is not asked about again, whatever the TTL would be.
    assert_eq!(store.try_get_or_put_with_ttl(1, || Err(TtlError::Zero)), Ok(7));
}

#[test]
fn an_expired_value_is_loaded_anew() {
    let (clock, store) = manual::<u64, u64>();
    store.put_with_ttl(1, 1, after(10)).unwrap();
    clock.advance(ms(9));
    assert_eq!(store.get_or_put_with(1, || 2), 1);
    clock.advance(ms(1));
    assert_eq!(store.get_or_put_with(1, || 2), 2);
    assert_eq!(store.ttl(&1), Some(Ttl::Never), "the dead value's TTL died with it");
    let stats = store.stats();
    assert_eq!((stats.hits, stats.misses, stats.loads, stats.expired_lazily), (1, 1, 1, 1));
}

/// Each number asks for the two before it.
fn fibonacci(store: &Numbers, n: u64) -> u64 {
    store.get_or_put_with(n, || {
        if n < 2 { n } else { fibonacci(store, n - 1) + fibonacci(store, n - 2) }
    })
}

#[test]
fn a_loader_may_use_the_store() {
    must_return("the loaders", || {
        let (_clock, store) = manual::<u64, u64>();
        assert_eq!(fibonacci(&store, 60), 1_548_008_755_920);
        assert_eq!((store.len(), store.stats().loads), (61, 61));
        let value = store.get_or_put_with(100, || {
            store.put(101, 1);
            store.for_each(|_, _| ());
            store.clean();
            store.update(&101, |value| *value += 1);
            store.get(&101).expect("it was put") + store.delete(&60).expect("it is there")
        });
        assert_eq!((value, store.get(&100)), (1_548_008_755_922, Some(value)));
    });
}

/// A group of keys is invalidated by what it has in common, while one of them is loaded.
#[test]
fn what_is_loaded_while_retain_runs_is_not_stored() {
    let (_clock, store) = manual::<u64, u64>();
    let value = store.get_or_put_with(7, || {
        store.retain(|key, _| key % 10 != 7);
        1
    });
    assert_eq!((value, store.get(&7)), (1, None));
    assert_eq!(store.get_or_put_with(7, || 2), 2);
    assert_eq!(store.get(&7), Some(2));
}

#[test]
fn a_loader_that_asks_for_its_own_key_does_not_wait_for_itself() {
    must_return("the loader", || {
        let (_clock, store) = manual::<u64, u64>();
        let value = store.get_or_put_with(1, || {
            let inner = store.get_or_put_with(1, || 5);
            assert_eq!(inner, 5);
            assert_eq!(store.get(&1), None, "what was loaded beside the load is not stored");
            inner + 1
        });
        assert_eq!((value, store.get(&1), store.len()), (6, Some(6), 1));
        assert_eq!((store.stats().loads, store.stats().puts), (2, 1));
        // And three deep, where another key stands between.
        let value = store.get_or_put_with(2, || {
            store.get_or_put_with(3, || store.get_or_put_with(2, || 10) + 1) + 1
        });
        assert_eq!((value, store.get(&2), store.get(&3)), (12, Some(12), Some(11)));
    });
}

/// Threads of which each loads its own key and asks for the next one's meanwhile.
fn ask_in_a_circle(threads: u64) {
    let (_clock, store) = manual::<u64, u64>();
    let shared = store.clone();
    let all_load = Barrier::new(usize::try_from(threads).expect("a few"));
    let loads_alone = Arc::new(AtomicU64::new(0));
    let alone = Arc::clone(&loads_alone);
    together(threads, move |own| {
        let next = (own + 1) % threads;
        let value = shared.get_or_put_with(own, || {
            all_load.wait();
            let other = shared.get_or_put_with(next, || {
                alone.fetch_add(1, Ordering::SeqCst);
                0
            });
            other + 1
        });
        assert!(value > 0);
    });
    // All but those that loaded alone got what the others stored.
    assert_eq!(store.len() as u64, threads);
    let alone = loads_alone.load(Ordering::SeqCst);
    assert!(alone >= 1 && store.stats().loads == threads + alone);
    let mut values: Vec<u64> = (0..threads).filter_map(|key| store.get(&key)).collect();
    values.sort_unstable();
    assert_eq!(values, (1..=threads).collect::<Vec<_>>(), "one had to load alone, and no more");
}

#[test]
fn loaders_that_ask_for_each_others_keys_do_not_wait_for_ever() {
    for _ in 0..50 {
        ask_in_a_circle(2);
        ask_in_a_circle(3);
        ask_in_a_circle(4);
    }
}

#[test]
fn a_call_counts_once_as_a_hit_or_a_miss() {
    let (_clock, store) = manual::<u64, u64>();
    let counts = || {
        let stats = store.stats();
        (stats.hits, stats.misses, stats.loads, stats.puts)
    };
    store.get_or_put_with(1, || 1);
    assert_eq!(counts(), (0, 1, 1, 1));
    store.get_or_put_with(1, || 2);
    assert_eq!(counts(), (1, 1, 1, 1));
    ignore(store.try_get_or_put_with(2, || Err(())));
    assert_eq!(counts(), (1, 2, 2, 1));
    assert!(panics(|| ignore(store.get_or_put_with(2, || unwind()))));
    assert_eq!(counts(), (1, 3, 3, 1));
    ignore(store.try_get_or_put_with_ttl(2, || Ok::<_, TtlError>((2, after(0)))));
    assert_eq!(counts(), (1, 4, 4, 1));
    ignore(store.try_get_or_put_with_ttl(2, || Ok::<_, TtlError>((2, after(9)))));
    assert_eq!(counts(), (1, 5, 5, 2));
    store.get_or_put_with(3, || store.put(3, 3).unwrap_or(4));
    assert_eq!(counts(), (1, 6, 6, 3), "overtaken: run, but not stored");
}

/// A key with the hash of every other.
#[derive(Debug, PartialEq, Eq)]
struct Colliding(u64);

impl std::hash::Hash for Colliding {
    fn hash<H: std::hash::Hasher>(&self, _: &mut H) {}
}

#[test]
fn keys_that_collide_get_their_own_values() {
    let (_clock, store) = manual::<Colliding, u64>();
    let shared = store.clone();
    together(ASKERS, move |thread| {
        for turn in 0..500 {
            let key = (turn + thread * 7) % 16;
            assert_eq!(shared.get_or_put_with(Colliding(key), || key * 10), key * 10);
            if turn % 5 == 0 {
                shared.delete(&Colliding((key + 3) % 16));
            }
        }
    });
    let nested = store.get_or_put_with(Colliding(50), || {
        store.get_or_put_with(Colliding(51), || 1) + store.get_or_put_with(Colliding(50), || 2)
    });
    assert_eq!((nested, store.get(&Colliding(50))), (3, Some(3)));
    store.for_each(|key, value| assert!(*value == key.0 * 10 || key.0 >= 50));
}

#[test]
fn a_bounded_store_holds_no_more_for_being_loaded_into() {
    let (_clock, builder) = unswept::<u64, u64>();
    let store = builder.max_entries(10).build().unwrap();
    let shared = store.clone();
    together(ASKERS, move |thread| {
        for turn in 0..2_000 {
            let key = (turn * 7 + thread) % 40;
            assert_eq!(shared.get_or_put_with(key, || key), key);
        }
    });
    assert_eq!((store.len(), store.stats().weight), (10, 10));
    let stats = store.stats();
    assert_eq!(stats.hits + stats.misses, ASKERS * 2_000);
    assert_eq!(stats.puts, stats.evicted + 10);
}

#[test]
fn nobody_is_given_a_value_older_than_a_delete_that_came_before_its_call() {
    // The truth is a counter; who changes it deletes the copy. So a copy that lags behind the
    // truth can only have been stored by a load that began before the delete.
    let (_clock, store) = manual::<u64, u64>();
    let (truth, done) = (Arc::new(AtomicU64::new(0)), AtomicBool::new(false));
    let (shared, source) = (store.clone(), Arc::clone(&truth));
    together(3, move |thread| {
        if thread == 0 {
            for _ in 0..20_000 {
                let now = 1 + source.fetch_add(1, Ordering::SeqCst);
                shared.delete(&0);
                let value = shared.get_or_put_with(0, || source.load(Ordering::SeqCst));
                assert!(value >= now, "{value} was given out after {now} had been announced");
            }
            done.store(true, Ordering::SeqCst);
            return;
        }
        for _ in 0..20_000 {
            if done.load(Ordering::SeqCst) {
                break;
            }
            shared.get_or_put_with(0, || source.load(Ordering::SeqCst));
        }
    });
    assert!(store.get(&0).is_none_or(|value| value == truth.load(Ordering::SeqCst)));
}

/// A store whose listener loads key 100, which another thread may be loading.
fn loading_listener() -> (Numbers, Arc<Mutex<Option<Numbers>>>) {
    let back: Arc<Mutex<Option<Numbers>>> = Arc::default();
    let inner = Arc::clone(&back);
    let (_clock, builder) = unswept::<u64, u64>();
    let builder = builder.on_removal(move |&key, _, cause| {
        let store = inner.lock().expect("it is only cloned").clone();
        if let Some(store) = store.filter(|_| key == 1 && cause == RemovalCause::Deleted) {
            store.get_or_put_with(100, || 5);
        }
    });
    let store = builder.build().expect("a plain store can be built");
    *back.lock().expect("it is only cloned") = Some(store.clone());
    (store, back)
}

// Fails: neither the wait for a load nor the wait for a listener's turn sees the other.
#[test]
fn a_listener_that_loads_and_a_loader_that_removes_do_not_wait_for_each_other() {
    must_return("the listener and the loader", || {
        let (store, back) = loading_listener();
        store.put(1, 1);
        let value = store.get_or_put_with(100, || {
            // The listener of this delete finds key 100 in the air, and its loader waiting here.
            thread::scope(|scope| {
                scope.spawn(|| store.delete(&1));
                all_have_missed(&store, 2);
                // Its removal is told after the one before it, whose listener waits for this.
                store.put(1, 2);
                store.put(1, 3);
                7
            })
        });
        assert!(value == 7 || value == 5);
        drop(back.lock().map(|mut store| store.take()));
    });
}
