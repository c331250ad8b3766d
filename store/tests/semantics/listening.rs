//! The removal listener: told of every pair that leaves, once, with the right cause, in order.

use crate::support::{
    YEAR, after, ignore, ms, must_return, panics, random_numbers, together, unswept, unwind,
    wait_until,
};
use std::cell::Cell;
use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock};
use std::thread;
use store::RemovalCause::{Deleted, Evicted, Expired, Purged, Replaced};
use store::{Builder, Compute, Eviction, ManualClock, RemovalCause, Store, Sweeper, Ttl};

/// Not `Clone`: nothing here may need it.
#[derive(Debug, PartialEq, Eq)]
struct Token(u64);

type Tokens = Store<u64, Token>;
type Told = (u64, u64, RemovalCause);
type Log = Arc<Mutex<Vec<Told>>>;

fn entries(log: &Log) -> MutexGuard<'_, Vec<Told>> {
    log.lock().expect("nobody failed with it")
}

/// The builder's store with a listener that writes down what it is told.
fn logging(builder: Builder<u64, Token>) -> (Tokens, Log) {
    let log = Log::default();
    let told = Arc::clone(&log);
    let builder = builder.on_removal(move |&key, value, cause| {
        entries(&told).push((key, value.0, cause));
    });
    (builder.build().expect("a plain store can be built"), log)
}

/// A handle for listeners, which are made before their store is.
struct Back<V>(Mutex<Option<Store<u64, V>>>);

impl<V: Send + Sync + 'static> Back<V> {
    /// The builder's store, whose listener is given a handle of it.
    fn build(
        builder: Builder<u64, V>,
        listener: impl Fn(&Store<u64, V>, u64, &V, RemovalCause) + Send + Sync + 'static,
    ) -> (Store<u64, V>, Arc<Self>) {
        let back = Arc::new(Self(Mutex::new(None)));
        let inner = Arc::clone(&back);
        let builder = builder.on_removal(move |&key, value, cause| {
            let store = inner.0.lock().expect("it is only cloned").clone();
            if let Some(store) = store {
                listener(&store, key, value, cause);
            }
        });
        let store = builder.build().expect("a plain store can be built");
        *back.0.lock().expect("it is only cloned") = Some(store.clone());
        (store, back)
    }

    /// Without this the store would hold itself for ever.
    fn cut(&self) {
        let store = self.0.lock().expect("it is only cloned").take();
        drop(store);
    }
}

#[test]
fn each_way_to_leave_is_told_once_with_its_cause() {
    type Call = (&'static str, fn(&ManualClock, &Tokens), Option<RemovalCause>);
    let calls: [Call; 20] = [
        ("put", |_, s| ignore(s.put(1, Token(2))), Some(Replaced)),
        ("put_with_ttl", |_, s| ignore(s.put_with_ttl(1, Token(2), after(9))), Some(Replaced)),
        ("put, TTL kept", |_, s| ignore(s.put_with_ttl(1, Token(2), Ttl::Keep)), Some(Replaced)),
        ("try_put", |_, s| ignore(s.try_put(1, Token(2), Ttl::Never)), Some(Replaced)),
        ("compute", |_, s| ignore(s.compute(1, |_| Compute::Put(Token(2)))), Some(Replaced)),
        ("delete", |_, s| ignore(s.delete(&1)), Some(Deleted)),
        ("compute away", |_, s| ignore(s.compute(1, |_| Compute::Delete)), Some(Deleted)),
        ("retain", |_, s| s.retain(|_, _| false), Some(Deleted)),
        ("purge", |_, s| ignore(s.purge()), Some(Purged)),
        // Nothing leaves here.
        ("bad TTL", |_, s| ignore(s.put_with_ttl(1, Token(2), after(0))), None),
        ("refused", |_, s| ignore(s.try_put(1, Token(2), after(0))), None),
        (
            "compute, bad TTL",
            |_, s| ignore(s.compute(1, |_| Compute::PutWithTtl(Token(2), after(0)))),
            None,
        ),
        ("compute, kept", |_, s| ignore(s.compute(1, |_| Compute::Keep)), None),
        ("update", |_, s| ignore(s.update(&1, |value| value.0 += 1)), None),
        ("expire", |_, s| ignore(s.expire(&1, after(9))), None),
        ("persist", |_, s| ignore(s.persist(&1)), None),
        ("read", |_, s| ignore(s.read(&1, |_| ())), None),
        ("retain all", |_, s| s.retain(|_, _| true), None),
        ("delete of another", |_, s| ignore(s.delete(&2)), None),
        (
            "clean before it is due",
            |c, s| {
                c.advance(ms(99));
                s.clean();
            },
            None,
        ),
    ];
    for (name, call, cause) in calls {
        let (clock, builder) = unswept();
        let (store, log) = logging(builder);
        store.put_with_ttl(1, Token(1), after(100)).unwrap();
        call(&clock, &store);
        let expected: Vec<Told> = cause.into_iter().map(|cause| (1, 1, cause)).collect();
        assert_eq!(*entries(&log), expected, "{name}");
        // The others, and their like, are told of when they go themselves; nothing is told twice.
        let left = store.len();
        store.purge();
        assert_eq!(entries(&log).len(), expected.len() + left, "{name}");
    }
}

#[test]
fn whoever_finds_a_pair_expired_tells_it_as_expired() {
    type Call = (&'static str, fn(&ManualClock, &Tokens));
    let calls: [Call; 16] = [
        ("read", |_, s| ignore(s.read(&1, |_| ()))),
        ("contains", |_, s| ignore(s.contains(&1))),
        ("ttl", |_, s| ignore(s.ttl(&1))),
        ("put", |_, s| ignore(s.put(1, Token(2)))),
        ("try_put", |_, s| ignore(s.try_put(1, Token(2), Ttl::Keep))),
        ("delete", |_, s| ignore(s.delete(&1))),
        ("expire", |_, s| ignore(s.expire(&1, after(9)))),
        ("persist", |_, s| ignore(s.persist(&1))),
        ("update", |_, s| ignore(s.update(&1, |_| ()))),
        ("compute, kept", |_, s| ignore(s.compute(1, |_| Compute::Keep))),
        ("compute, put", |_, s| ignore(s.compute(1, |_| Compute::Put(Token(2))))),
        ("compute, deleted", |_, s| ignore(s.compute(1, |_| Compute::Delete))),
        ("retain", |_, s| s.retain(|_, _| true)),
        ("clean", |_, s| ignore(s.clean())),
        ("sweep", |c, s| {
            c.advance(YEAR);
            while s.sweep(1).more {}
        }),
        ("room", |c, s| {
            c.advance(YEAR);
            (10..15).for_each(|key| ignore(s.put(key, Token(key))));
        }),
    ];
    for (name, call) in calls {
        let (clock, builder) = unswept();
        let (store, log) = logging(builder.max_entries(5));
        store.put_with_ttl(1, Token(1), after(100)).unwrap();
        clock.advance(ms(100));
        assert_eq!(*entries(&log), [], "nobody has come to it yet");
        call(&clock, &store);
        assert_eq!(*entries(&log), [(1, 1, Expired)], "{name}");
        call(&clock, &store);
        assert!(entries(&log).iter().all(|told| told.1 != 1 || *told == (1, 1, Expired)));
        assert_eq!(entries(&log).iter().filter(|told| told.1 == 1).count(), 1, "{name}");
    }
}

#[test]
fn a_load_over_an_expired_pair_tells_it_as_expired() {
    let log = Arc::new(Mutex::new(Vec::new()));
    let told = Arc::clone(&log);
    let (clock, builder) = unswept::<u64, u64>();
    let builder = builder.on_removal(move |&key, &value, cause| {
        told.lock().expect("nobody failed with it").push((key, value, cause));
    });
    let store = builder.build().unwrap();
    store.put_with_ttl(1, 10, after(5)).unwrap();
    clock.advance(ms(5));
    assert_eq!(store.get_or_put_with(1, || 20), 20);
    assert_eq!(*log.lock().unwrap(), [(1, 10, Expired)]);
}

#[test]
fn the_sweeper_thread_tells_what_it_reclaims() {
    let clock = ManualClock::new();
    let builder = Tokens::builder().clock(clock.clone()).sweeper(Sweeper::Thread).tick(ms(1));
    let (store, log) = logging(builder);
    for key in 0..500 {
        store.put_with_ttl(key, Token(key), after(10)).unwrap();
    }
    clock.advance(ms(1_000));
    let told = Arc::clone(&log);
    wait_until("the sweeper", move || entries(&told).len() >= 500);
    let mut told = entries(&log).clone();
    told.sort_unstable_by_key(|told| told.0);
    assert_eq!(told, (0..500).map(|key| (key, key, Expired)).collect::<Vec<_>>());
}

#[test]
fn many_at_once_are_told_once_each() {
    let (clock, builder) = unswept();
    let (store, log) = logging(builder);
    let fill = || (0..900).for_each(|key| ignore(store.put_with_ttl(key, Token(key), after(10))));
    let told = |cause| {
        let mut told = std::mem::take(&mut *entries(&log));
        told.sort_unstable_by_key(|told| told.0);
        assert_eq!(told, (0..900).map(|key| (key, key, cause)).collect::<Vec<_>>());
    };
    fill();
    store.purge();
    told(Purged);
    fill();
    store.retain(|_, _| false);
    told(Deleted);
    fill();
    clock.advance(ms(10));
    store.clean();
    told(Expired);
    fill();
    clock.advance(ms(10));
    store.retain(|_, _| panic!("a dead pair was shown"));
    told(Expired);
}

#[test]
fn what_is_left_when_the_store_is_dropped_is_not_told() {
    let (_clock, builder) = unswept();
    let (store, log) = logging(builder.max_entries(10));
    (0..10).for_each(|key| ignore(store.put(key, Token(key))));
    let other = store.clone();
    drop(store);
    assert_eq!(other.delete(&3), Some(Token(3)));
    drop(other);
    assert_eq!(*entries(&log), [(3, 3, Deleted)]);
    assert_eq!(Arc::strong_count(&log), 1, "the listener went with its store");
}

/// What one thread was handed, and so knows the cause of.
type Handed = Vec<(u64, RemovalCause)>;

/// Random calls on a few keys by one of several threads, which puts tokens of its own.
fn scramble(store: &Tokens, clock: &ManualClock, thread: u64, next: &AtomicU64) -> Handed {
    let mut handed = Vec::new();
    for random in random_numbers(thread).take(4_000) {
        let key = random % 24;
        let token = || Token(next.fetch_add(1, Ordering::SeqCst));
        let ttl = if random & 64 == 0 { Ttl::Never } else { after(1 + random / 128 % 8) };
        match random >> 60 {
            0..=4 => {
                let former = store.put_with_ttl(key, token(), ttl).expect("the TTL is fine");
                handed.extend(former.map(|former| (former.0, Replaced)));
            }
            5 | 6 => {
                let put = |_: Option<&Token>| Compute::PutWithTtl(token(), ttl);
                let former = store.compute(key, put).expect("the TTL is fine");
                handed.extend(former.map(|former| (former.0, Replaced)));
            }
            7 | 8 => handed.extend(store.delete(&key).map(|gone| (gone.0, Deleted))),
            9 => {
                let gone = store.compute(key, |_| Compute::Delete).expect("no TTL");
                handed.extend(gone.map(|gone| (gone.0, Deleted)));
            }
            10 => clock.advance(ms(1)),
            11 => ignore(store.sweep(5)),
            12 if key == 0 => ignore(store.purge()),
            13 if key < 3 => store.retain(|held, _| held % 3 != key),
            14 => ignore(store.clean()),
            _ => ignore(store.read(&key, |_| ())),
        }
    }
    handed
}

/// Checks that every token put is told once, or is still held; and the causes against all that is
/// known of them.
fn check_tokens(store: &Tokens, log: &Log, handed: &Handed, put: u64) {
    let told = entries(log);
    let causes: HashMap<u64, RemovalCause> = told.iter().map(|told| (told.1, told.2)).collect();
    assert_eq!(causes.len(), told.len(), "a pair was told twice");
    let mut seen: Vec<u64> = causes.keys().copied().collect();
    store.for_each(|_, token| seen.push(token.0));
    seen.sort_unstable();
    assert_eq!(seen, (0..put).collect::<Vec<_>>(), "a pair was lost, or told while it is held");
    for (token, cause) in handed {
        assert_eq!(causes.get(token), Some(cause), "token {token}");
    }
    let count = |cause| told.iter().filter(|told| told.2 == cause).count() as u64;
    let stats = store.stats();
    assert_eq!(
        count(Replaced),
        handed.iter().filter(|(_, cause)| *cause == Replaced).count() as u64
    );
    assert_eq!((count(Deleted), count(Purged)), (stats.deletes, stats.purged));
    assert_eq!(count(Evicted), stats.evicted);
    assert_eq!(count(Expired), stats.expired_lazily + stats.expired_by_sweeper);
    assert_eq!((stats.puts, stats.listener_panics), (put, 0));
    assert!(count(Expired) > 0 && count(Deleted) > 0 && count(Replaced) > 0, "hardly a test");
}

#[test]
fn every_value_put_by_threads_is_told_exactly_once_with_its_cause() {
    let unbounded: fn(Builder<u64, Token>) -> Builder<u64, Token> = |builder| builder;
    let kinds = [
        unbounded,
        |builder| builder.max_entries(12).eviction(Eviction::Lru),
        |builder| builder.max_entries(12),
        |builder| builder.max_weight(40).weigher(|_, token| token.0 % 6),
    ];
    for kind in kinds {
        let (clock, builder) = unswept();
        let (store, log) = logging(kind(builder.tick(ms(1))));
        let (next, handed) = (Arc::new(AtomicU64::new(0)), Arc::new(Mutex::new(Vec::new())));
        let (shared, numbers, all) = (store.clone(), Arc::clone(&next), Arc::clone(&handed));
        together(4, move |thread| {
            let mine = scramble(&shared, &clock, thread, &numbers);
            all.lock().expect("nobody failed").extend(mine);
        });
        // Nothing but the living is left to be counted as held.
        store.clean();
        check_tokens(&store, &log, &handed.lock().unwrap(), next.load(Ordering::SeqCst));
    }
}

#[test]
fn the_removals_of_a_key_are_told_in_their_order() {
    const KEYS: u64 = 3;
    let log = Log::default();
    let told = Arc::clone(&log);
    let (_clock, builder) = unswept();
    let builder = builder.on_removal(move |&key, value: &Token, cause| {
        // Whoever may overtake it is to have the time to.
        thread::yield_now();
        entries(&told).push((key, value.0, cause));
    });
    let store: Tokens = builder.build().unwrap();
    (0..KEYS).for_each(|key| ignore(store.put(key, Token(key))));
    // What came right after what, as the calls returned it.
    let successors = Arc::new(Mutex::new(HashMap::new()));
    let (shared, all) = (store.clone(), Arc::clone(&successors));
    together(4, move |thread| {
        let mut mine = Vec::new();
        for turn in 0..4_000 {
            let (key, value) = (turn % KEYS, KEYS + thread + 4 * turn);
            let former = if turn % 2 == 0 {
                shared.put(key, Token(value))
            } else {
                shared.compute(key, |_| Compute::Put(Token(value))).expect("no TTL")
            };
            mine.push((former.expect("the key is never absent").0, value));
        }
        all.lock().expect("nobody failed").extend(mine);
    });
    // A copy, as deletes below are told too.
    let (told, successors) = (entries(&log).clone(), successors.lock().unwrap());
    assert_eq!((told.len(), successors.len()), (16_000, 16_000));
    for key in 0..KEYS {
        let mut expected = key;
        for &(_, value, cause) in told.iter().filter(|told| told.0 == key) {
            assert_eq!((value, cause), (expected, Replaced), "key {key}");
            expected = successors[&value];
        }
        assert_eq!(store.delete(&key), Some(Token(expected)));
    }
}

#[test]
fn a_call_returns_after_its_own_removal_was_told() {
    let (_clock, builder) = unswept();
    let (store, log) = logging(builder);
    let (shared, told) = (store.clone(), Arc::clone(&log));
    together(4, move |thread| {
        for turn in 0..1_000 {
            let value = thread * 1_000 + turn;
            // One key for all, so that a call's removal may have to wait for others.
            let gone = if turn % 2 == 0 { shared.put(0, Token(value)) } else { shared.delete(&0) };
            if let Some(Token(gone)) = gone {
                assert!(entries(&told).iter().any(|told| told.1 == gone), "{gone} is not told");
            }
        }
    });
}

#[test]
fn a_listener_may_call_the_store() {
    type Listen = fn(&Store<u64, u64>, u64, &u64, RemovalCause);
    // Each is told of key 1; what key 1, 2 and 3 hold then.
    let listeners: [(&str, Listen, [Option<u64>; 3]); 8] = [
        ("get of the same key", |s, key, _, _| ignore(s.get(&key)), [None, Some(2), Some(3)]),
        ("get of another", |s, _, _, _| assert_eq!(s.get(&2), Some(2)), [None, Some(2), Some(3)]),
        (
            "put back",
            |s, key, value, _| {
                if *value < 9 {
                    s.put(key, value + 1);
                }
            },
            [Some(2), Some(2), Some(3)],
        ),
        (
            "put of another",
            |s, _, value, _| {
                if *value == 1 {
                    s.put(2, 20);
                }
            },
            [None, Some(20), Some(3)],
        ),
        ("delete of others", |s, key, _, _| ignore(s.delete(&(key + 1))), [None, None, None]),
        ("purge", |s, _, _, _| ignore(s.purge()), [None, None, None]),
        (
            "update, compute",
            |s, _, value, _| {
                s.update(&2, |held| *held += value);
                s.compute(3, |_| Compute::Keep).expect("no TTL");
            },
            [None, Some(3), Some(3)],
        ),
        (
            "load, clean, retain",
            |s, key, _, _| {
                s.clean();
                s.sweep(10);
                s.retain(|_, _| true);
                assert_eq!((s.get_or_put_with(key, || 7), s.stats().listener_panics), (7, 0));
            },
            [Some(7), Some(2), Some(3)],
        ),
    ];
    for (name, listener, expected) in listeners {
        must_return(name, move || {
            let (_clock, builder) = unswept();
            let (store, back) = Back::build(builder, listener);
            (1..=3).for_each(|key| ignore(store.put(key, key)));
            assert_eq!(store.delete(&1), Some(1), "{name}");
            assert_eq!([1, 2, 3].map(|key| store.get(&key)), expected, "{name}");
            assert_eq!(store.stats().listener_panics, 0, "{name}");
            back.cut();
        });
    }
}

#[test]
fn a_listener_of_a_bounded_store_may_put_what_evicts_in_turn() {
    for eviction in [Eviction::Lru, Eviction::S3Fifo] {
        must_return("a chain of evictions", move || {
            let (_clock, builder) = unswept::<u64, u64>();
            let builder = builder.max_entries(4).eviction(eviction);
            // A second chance under another key, thrice.
            let (store, back) = Back::build(builder, |store, key, &value, cause| {
                if cause == Evicted && value < 3 {
                    store.put(key + 1_000, value + 1);
                }
            });
            (0..100).for_each(|key| ignore(store.put(key, 0)));
            let stats = store.stats();
            assert_eq!((store.len(), stats.weight), (4, 4), "{eviction:?}");
            assert!(stats.evicted >= 300, "{eviction:?}: {} went", stats.evicted);
            assert_eq!((stats.puts, stats.listener_panics), (stats.evicted + 4, 0));
            back.cut();
        });
    }
}

thread_local! {
    /// How many listeners this thread is in.
    static DEPTH: Cell<u64> = const { Cell::new(0) };
}

/// Listeners that write each other's keys, on all threads at once.
fn entangle(builder: Builder<u64, u64>) {
    const THREADS: u64 = 4;
    let told = Arc::new(AtomicU64::new(0));
    let count = Arc::clone(&told);
    let (store, back) = Back::build(builder, move |store, key, &value, _| {
        count.fetch_add(1, Ordering::SeqCst);
        if DEPTH.get() >= 3 {
            return;
        }
        DEPTH.set(DEPTH.get() + 1);
        let next = (key + 1) % THREADS;
        match value % 4 {
            0 => ignore(store.delete(&next)),
            1 => ignore(store.compute(next, |_| Compute::Put(value + 1)).expect("no TTL")),
            _ => ignore(store.put(next, value + 1)),
        }
        DEPTH.set(DEPTH.get() - 1);
    });
    let shared = store.clone();
    together(THREADS, move |thread| {
        for turn in 0..2_000 {
            shared.put(thread, turn);
        }
    });
    let stats = store.stats();
    assert_eq!(stats.puts, told.load(Ordering::SeqCst) + store.len() as u64);
    assert_eq!((store.len(), stats.listener_panics), (store.live_len(), 0));
    back.cut();
}

#[test]
fn listeners_that_write_each_others_keys_do_not_wait_for_each_other_for_ever() {
    entangle(unswept().1);
    entangle(unswept().1.max_entries(2).eviction(Eviction::Lru));
    entangle(unswept().1.max_entries(2));
}

#[test]
fn s9_a_panicking_listener_is_counted_and_nobody_else_notices() {
    let (clock, builder) = unswept::<u64, u64>();
    let store = builder.max_entries(50).on_removal(|_, _, _| unwind()).build().unwrap();
    assert!(!panics(|| {
        (0..50).for_each(|key| ignore(store.put_with_ttl(key, key, after(100))));
        assert_eq!(store.put_with_ttl(1, 100, after(100)), Ok(Some(1)));
        assert_eq!(store.delete(&1), Some(100));
        assert_eq!(store.compute(2, |_| Compute::Delete), Ok(Some(2)));
        store.retain(|&key, _| key != 3);
        (100..104).for_each(|key| ignore(store.put(key, key)));
        assert_eq!((store.len(), store.stats().listener_panics), (50, 5));
        clock.advance(ms(100));
        assert_eq!((store.get(&5).or(store.get(&6)), store.clean()), (None, 44));
        assert_eq!((store.len(), store.stats().listener_panics), (4, 51));
        assert_eq!(store.purge(), 4);
    }));
    let stats = store.stats();
    assert_eq!((stats.listener_panics, stats.entries, stats.weight), (55, 0, 0));
    assert_eq!((stats.expiry_nodes, stats.sweeper_panics), (0, 0));
}

#[test]
fn s9_a_listener_that_panics_now_and_then_is_told_the_rest() {
    let told = Arc::new(AtomicU64::new(0));
    let count = Arc::clone(&told);
    let (_clock, builder) = unswept::<u64, u64>();
    let builder = builder.on_removal(move |_, value, _| {
        count.fetch_add(1, Ordering::SeqCst);
        if value % 3 == 0 {
            unwind();
        }
    });
    let store = builder.build().unwrap();
    let shared = store.clone();
    together(4, move |thread| {
        (0..3_000).for_each(|turn| ignore(shared.put(turn % 5, 4 * turn + thread)));
    });
    store.purge();
    let panicked = (0..12_000).filter(|value| value % 3 == 0).count();
    assert_eq!(told.load(Ordering::SeqCst), 12_000);
    assert_eq!(store.stats().listener_panics, panicked as u64);
}

#[test]
fn s9_the_sweeper_survives_a_panicking_listener() {
    let clock = ManualClock::new();
    let store = Store::<u64, u64>::builder()
        .clock(clock.clone())
        .tick(ms(1))
        .on_removal(|_, _, _| unwind())
        .build()
        .unwrap();
    for round in 1..=3 {
        store.put_with_ttl(1, 1, after(10)).unwrap();
        clock.advance(ms(1_000));
        let watched = store.clone();
        wait_until("the sweeper", move || watched.stats().listener_panics == round);
    }
    assert_eq!((store.len(), store.stats().expired_by_sweeper), (0, 3));
}

#[test]
fn the_last_handle_may_go_inside_a_listener() {
    must_return("the drop", || {
        let slot: Arc<Mutex<Option<Store<u64, u64>>>> = Arc::default();
        let inner = Arc::clone(&slot);
        let store = Store::<u64, u64>::builder()
            .tick(ms(1))
            .on_removal(move |_, _, _| drop(inner.lock().expect("only taken from").take()))
            .build()
            .unwrap();
        *slot.lock().unwrap() = Some(store.clone());
        store.put(1, 1);
        store.put_with_ttl(2, 2, after(1)).unwrap();
        drop(store);
        // The sweeper's thread tells of key 2, and drops the last handle there.
        let watched = Arc::clone(&slot);
        wait_until("the sweeper", move || watched.lock().is_ok_and(|slot| slot.is_none()));
        wait_until("the listener's end", move || Arc::strong_count(&slot) == 1);
    });
}

/// Told from within each other, the removals of a listener's own would nest as deep as there are
/// pairs, and end the process.
#[test]
fn a_listener_that_writes_is_not_nested_by_a_removal_of_many() {
    std::thread_local! {
        static DEPTH: Cell<usize> = const { Cell::new(0) };
        static DEEPEST: Cell<usize> = const { Cell::new(0) };
    }
    const COUNT: u64 = u64::MAX;
    let handle: Arc<OnceLock<Store<u64, u64>>> = Arc::new(OnceLock::new());
    let inside = Arc::clone(&handle);
    let store = Store::<u64, u64>::builder()
        .sweeper(Sweeper::Manual)
        .on_removal(move |key, _, _| {
            DEPTH.set(DEPTH.get() + 1);
            DEEPEST.set(DEEPEST.get().max(DEPTH.get()));
            if *key != COUNT
                && let Some(store) = inside.get()
            {
                let counted = store.compute(COUNT, |n| Compute::Put(n.map_or(1, |n| n + 1)));
                assert!(counted.is_ok());
            }
            DEPTH.set(DEPTH.get() - 1);
        })
        .build()
        .expect("it can be built");
    assert!(handle.set(store.clone()).is_ok());
    (0..20_000).for_each(|key| ignore(store.put(key, key)));
    store.retain(|key, _| *key == COUNT);
    assert_eq!(store.get(&COUNT), Some(20_000));
    assert!(DEEPEST.get() <= 2, "{} listeners deep", DEEPEST.get());
}
