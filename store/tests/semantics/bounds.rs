//! Semantic 10: a bounded store holds no more than it may, and lets the right pair go.

use crate::support::{YEAR, after, ignore, ms, must_return, random_numbers, together, unswept};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use store::{BuildError, Builder, Compute, Eviction, ManualClock, Store, Ttl};

type Numbers = Store<u64, u64>;

const POLICIES: [Eviction; 2] = [Eviction::Lru, Eviction::S3Fifo];

/// A store of at most `entries` pairs, in virtual time, that nobody sweeps.
fn bounded(entries: usize, eviction: Eviction) -> (ManualClock, Numbers) {
    let (clock, builder) = unswept();
    let builder = builder.max_entries(entries).eviction(eviction);
    (clock, builder.build().expect("a bounded store can be built"))
}

/// The keys held, in order.
fn keys(store: &Numbers) -> Vec<u64> {
    let mut keys = Vec::new();
    store.for_each(|&key, _| keys.push(key));
    keys.sort_unstable();
    keys
}

/// Does what each word says: a letter for the call and the key.
fn run(store: &Numbers, script: &str) {
    for word in script.split_whitespace() {
        let (call, key) = word.split_at(1);
        let key: u64 = key.parse().expect("a letter and a key");
        match call {
            "p" => ignore(store.put(key, key)),
            "P" => ignore(store.put_with_ttl(key, key, Ttl::After(YEAR)).expect("it is fine")),
            "t" => ignore(store.try_put(key, key, Ttl::Default).expect("it is light")),
            "g" => ignore(store.get(&key)),
            "r" => ignore(store.read(&key, |_| ())),
            "m" => ignore(store.get_many([&key])),
            "l" => ignore(store.get_or_put_with(key, || key)),
            "u" => ignore(store.update(&key, |value| *value += 1)),
            "k" => ignore(store.compute(key, |_| Compute::Put(key)).expect("no TTL")),
            "d" => ignore(store.delete(&key)),
            "D" => ignore(store.compute(key, |_| Compute::Delete).expect("no TTL")),
            "R" => store.retain(|&held, _| held != key),
            "c" => ignore(store.contains(&key)),
            "?" => ignore(store.ttl(&key)),
            "w" => ignore(store.peek(&key, |_, _| ())),
            "e" => ignore(store.expire(&key, Ttl::After(YEAR)).expect("it is fine")),
            "s" => ignore(store.persist(&key)),
            "v" => store.for_each(|_, _| ()),
            _ => panic!("{word}: no such call"),
        }
    }
}

/// The keys held, in the order in which newcomers push them out.
fn order_of_eviction(store: &Numbers) -> Vec<u64> {
    let mut held = keys(store);
    let mut order = Vec::new();
    for newcomer in 1_000.. {
        if held.is_empty() {
            break;
        }
        store.put(newcomer, 0);
        let gone: Vec<u64> = held.iter().copied().filter(|key| !store.contains(key)).collect();
        assert!(gone.len() <= 1, "one newcomer pushed out {gone:?}");
        held.retain(|key| !gone.contains(key));
        order.extend(gone);
    }
    order
}

#[test]
fn s10_lru_lets_the_least_recently_used_go() {
    let scripts: [(usize, &str, &[u64]); 26] = [
        (1, "p1", &[1]),
        (1, "p1 p2", &[2]),
        (1, "p1 g1 p2", &[2]),
        (1, "p1 p1", &[1]),
        (1, "p1 p2 g1 p1", &[1]),
        (1, "p1 d1 p2 p3", &[3]),
        (2, "p1 p2 p3", &[2, 3]),
        (2, "p1 p2 g1", &[2, 1]),
        (2, "p1 p2 g1 p3", &[1, 3]),
        (2, "p1 p2 g1 g2 p3", &[2, 3]),
        (2, "p1 p2 p1 p3", &[1, 3]),
        (2, "p1 p2 g9 p3", &[2, 3]),
        // The script that every implementation of LRU is asked for.
        (2, "p1 p2 g1 p3 g2 p4 g1 g3 g4", &[3, 4]),
        (2, "p1 p2 d2 p3 p4", &[3, 4]),
        (2, "p1 p2 D1 p3 p4", &[3, 4]),
        (3, "p1 p2 p3", &[1, 2, 3]),
        (3, "p1 p2 p3 p4", &[2, 3, 4]),
        (3, "p1 p2 p3 g1", &[2, 3, 1]),
        (3, "p1 p2 p3 g2", &[1, 3, 2]),
        (3, "p1 p2 p3 g3 g2 g1", &[3, 2, 1]),
        (3, "p1 p2 p3 g1 p4", &[3, 1, 4]),
        (3, "p1 p2 p3 p1 p4 p5", &[1, 4, 5]),
        (3, "p1 p2 p3 d1 p1 p4", &[3, 1, 4]),
        (3, "p1 p2 p3 d2 p4 p5", &[3, 4, 5]),
        (3, "p1 p2 p3 R2 p4 p5", &[3, 4, 5]),
        (3, "P1 p2 P3 g1 P2 p4 g3", &[1, 2, 4]),
    ];
    for (entries, script, order) in scripts {
        let (_clock, store) = bounded(entries, Eviction::Lru);
        run(&store, script);
        assert_eq!(order_of_eviction(&store), order, "{entries} entries, {script}");
        assert_eq!(store.len(), entries);
    }
}

#[test]
fn s10_what_uses_a_value_keeps_it_and_what_only_looks_does_not() {
    // After `p1 p2 p3`, a call on 1, and `p4`: has it saved 1 from being the one to go?
    let uses = ["g", "r", "m", "l", "p", "P", "t", "u", "k"];
    for (call, saved) in uses
        .map(|call| (call, true))
        .into_iter()
        .chain(["c", "?", "w", "e", "s", "v"].map(|call| (call, false)))
    {
        let (_clock, store) = bounded(3, Eviction::Lru);
        run(&store, &format!("P1 p2 p3 {call}1 p4"));
        let order: &[u64] = if saved { &[3, 1, 4] } else { &[2, 3, 4] };
        assert_eq!(order_of_eviction(&store), order, "{call}");
    }
}

#[test]
fn s10_the_bound_is_kept_exactly_by_one_thread() {
    for eviction in POLICIES {
        for entries in [1, 2, 3, 10, 100, 3_000] {
            let (_clock, store) = bounded(entries, eviction);
            for key in 0..4 * entries as u64 {
                assert_eq!(store.put(key, key), None);
                store.get(&key);
                let held = entries.min(usize::try_from(key).expect("few") + 1);
                assert_eq!(store.len(), held, "{eviction:?} of {entries}");
            }
            let stats = store.stats();
            let held = entries as u64;
            assert_eq!((stats.puts, stats.evicted, stats.weight), (4 * held, 3 * held, held));
            assert_eq!((stats.deletes, stats.purged), (0, 0));
            assert_eq!(store.live_len(), entries);
        }
    }
}

/// Puts keys that are asked for again now and then; returns the newcomers that went at once.
fn gone_at_once(eviction: Eviction, entries: usize) -> Vec<u64> {
    let (_clock, store) = bounded(entries, eviction);
    let went_at_once = |key: &u64| {
        store.put(*key, *key);
        let gone = store.get(key).is_none();
        if key.is_multiple_of(3) {
            (0..=*key).for_each(|used| ignore(store.get(&used)));
        }
        gone
    };
    (0..4 * entries as u64).filter(went_at_once).collect()
}

#[test]
fn s10_a_newcomer_is_there_once_its_put_has_returned() {
    for entries in [1, 2, 3, 10, 100] {
        assert_eq!(gone_at_once(Eviction::Lru, entries), []);
    }
    for entries in [10, 100] {
        assert_eq!(gone_at_once(Eviction::S3Fifo, entries), []);
    }
}

// Fails: a put stores its pair before it looks for room, and where all others were used since they
// came, the newcomer is the only one that was not.
#[test]
fn s10_a_newcomer_is_there_once_its_put_has_returned_however_small_the_store() {
    for entries in 1..10 {
        assert_eq!(gone_at_once(Eviction::S3Fifo, entries), [], "{entries} entries");
    }
}

#[test]
fn s10_putting_over_a_full_store_evicts_nobody() {
    for eviction in POLICIES {
        let (_clock, store) = bounded(10, eviction);
        (0..10).for_each(|key| ignore(store.put(key, key)));
        for round in 0..100 {
            assert_eq!(
                store.put(round % 10, round),
                Some(round.saturating_sub(10).max(round % 10))
            );
            store.update(&(round % 10), |value| *value += 0);
            assert_eq!(store.compute(round % 10, |_| Compute::Put(round)), Ok(Some(round)));
        }
        assert_eq!((store.len(), store.stats().evicted), (10, 0), "{eviction:?}");
    }
}

/// Runs puts of distinct keys on four threads, and checks the bound as they run and after.
fn crowd(eviction: Eviction, entries: usize) {
    const THREADS: u64 = 4;
    const EACH: u64 = 5_000;
    let (_clock, store) = bounded(entries, eviction);
    let shared = store.clone();
    let slack = entries + usize::try_from(THREADS).expect("a few");
    together(THREADS, move |thread| {
        for turn in 0..EACH {
            shared.put(turn * THREADS + thread, turn);
            // Not `len`, whose count is no snapshot beside puts: here every pair weighs 1.
            let held = shared.stats().weight;
            assert!(held <= slack as u64, "{held} held, {entries} allowed");
        }
    });
    let stats = store.stats();
    let name = format!("{eviction:?} of {entries}");
    assert_eq!((store.len(), store.live_len()), (entries, entries), "{name}");
    assert_eq!(stats.weight, entries as u64, "{name}");
    assert_eq!((stats.puts, stats.evicted), (THREADS * EACH, THREADS * EACH - entries as u64));
}

#[test]
fn s10_the_bound_is_kept_beside_threads_and_exactly_once_they_are_quiet() {
    for eviction in POLICIES {
        for entries in [1, 2, 10, 1_000] {
            crowd(eviction, entries);
        }
    }
}

#[test]
fn s10_threads_that_use_and_remove_beside_puts_leave_the_bound_kept() {
    for eviction in POLICIES {
        let (_clock, store) = bounded(64, eviction);
        let shared = store.clone();
        together(4, move |thread| {
            for random in random_numbers(thread).take(5_000) {
                let key = random % 256;
                match random >> 60 {
                    0..=5 => ignore(shared.put(key, key)),
                    6 => ignore(shared.put_with_ttl(key, key, Ttl::After(YEAR)).expect("fine")),
                    7 | 8 => ignore(shared.delete(&key)),
                    9 => ignore(shared.get_or_put_with(key, || key)),
                    10 => ignore(shared.compute(key, |_| Compute::Put(key)).expect("no TTL")),
                    11 if key == 0 => ignore(shared.purge()),
                    12 if key == 1 => shared.retain(|held, _| held % 2 == 0),
                    _ => assert!(shared.get(&key).is_none_or(|value| value == key)),
                }
            }
        });
        assert!(store.len() <= 64, "{eviction:?}: {} held", store.len());
        assert_eq!((store.len(), store.stats().weight), (store.live_len(), store.len() as u64));
        (0..64).for_each(|key| ignore(store.put(1_000 + key, 0)));
        assert_eq!((store.len(), store.stats().weight), (64, 64), "{eviction:?}");
        assert_eq!((store.purge(), store.stats().weight), (64, 0));
    }
}

#[test]
fn s10_expired_pairs_go_before_any_live_one() {
    for eviction in POLICIES {
        for tick_ms in [1, 50] {
            let (clock, builder) = unswept();
            let builder = builder.max_entries(100).eviction(eviction).tick(ms(tick_ms));
            let store: Numbers = builder.build().unwrap();
            for key in 0..100 {
                let ttl = if key % 2 == 0 { after(100) } else { after(10_000) };
                store.put_with_ttl(key, key, ttl).unwrap();
            }
            // The dead ones are the ones that were used.
            (0..100).step_by(2).for_each(|key| ignore(store.get(&key)));
            clock.advance(ms(100 + tick_ms));
            for key in 100..150 {
                store.put(key, key);
                assert!(store.len() <= 100);
            }
            let expected: Vec<u64> = (0..100).filter(|key| key % 2 == 1).chain(100..150).collect();
            assert_eq!(keys(&store), expected, "{eviction:?}, a tick of {tick_ms} ms");
            let stats = store.stats();
            assert_eq!((stats.evicted, stats.expired_by_sweeper), (0, 50));
            assert_eq!((stats.entries, stats.weight, stats.expiry_nodes), (100, 100, 50));
            store.put(150, 150);
            assert_eq!(store.stats().evicted, 1, "now a live one had to go");
        }
    }
}

#[test]
fn s10_the_one_expired_pair_is_found_wherever_it_stands() {
    for eviction in POLICIES {
        for dead in 0..20 {
            let (clock, builder) = unswept();
            let builder = builder.max_entries(20).eviction(eviction).tick(ms(1));
            let store: Numbers = builder.build().unwrap();
            for key in 0..20 {
                let ttl = if key == dead { after(10) } else { Ttl::Never };
                store.put_with_ttl(key, key, ttl).unwrap();
            }
            store.get(&dead);
            clock.advance(ms(11));
            store.put(20, 20);
            let expected: Vec<u64> = (0..=20).filter(|&key| key != dead).collect();
            assert_eq!(keys(&store), expected, "{eviction:?}, {dead} is dead");
            assert_eq!(store.stats().evicted, 0);
        }
    }
}

#[test]
fn s10_a_pair_whose_ttl_was_extended_is_not_taken_for_expired() {
    for extend in ["e", "s"] {
        let (clock, builder) = unswept();
        let builder = builder.max_entries(3).eviction(Eviction::Lru).tick(ms(1));
        let store: Numbers = builder.build().unwrap();
        store.put(1, 1);
        store.put_with_ttl(2, 2, after(10)).unwrap();
        store.put(3, 3);
        run(&store, &format!("{extend}2"));
        clock.advance(ms(100));
        store.put(4, 4);
        assert_eq!(keys(&store), [2, 3, 4], "{extend}");
        let stats = store.stats();
        assert_eq!((stats.evicted, stats.expired_by_sweeper), (1, 0), "{extend}");
    }
}

#[test]
fn s10_an_expired_pair_does_not_hide_behind_many_whose_ttl_was_extended() {
    let (clock, builder) = unswept();
    let builder = builder.max_entries(1_000).eviction(Eviction::Lru).tick(ms(1));
    let store: Numbers = builder.build().unwrap();
    for key in 0..1_000 {
        store.put_with_ttl(key, key, after(10)).unwrap();
        if key != 999 {
            store.expire(&key, Ttl::After(YEAR)).unwrap();
        }
    }
    clock.advance(ms(11));
    store.put(1_000, 0);
    assert!(store.contains(&0), "a live pair went before an expired one");
    assert_eq!((store.len(), store.stats().evicted), (1_000, 0));
}

#[test]
fn what_leaves_a_bounded_store_by_other_ways_makes_room() {
    type Leave = (&'static str, fn(&ManualClock, &Numbers));
    let ways: [Leave; 8] = [
        ("delete", |_, s| (0..50).for_each(|key| ignore(s.delete(&key)))),
        ("compute", |_, s| (0..50).for_each(|key| ignore(s.compute(key, |_| Compute::Delete)))),
        ("retain", |_, s| s.retain(|&key, _| key >= 50)),
        ("clean", |c, s| {
            c.advance(ms(10));
            s.clean();
        }),
        ("sweep", |c, s| {
            c.advance(YEAR);
            while s.sweep(7).more {}
        }),
        ("get", |c, s| {
            c.advance(ms(10));
            (0..50).for_each(|key| ignore(s.get(&key)));
        }),
        ("retain, expired", |c, s| {
            c.advance(ms(10));
            s.retain(|_, _| true);
        }),
        ("purge", |_, s| {
            s.purge();
            (50..100).for_each(|key| ignore(s.put(key, key)));
        }),
    ];
    for eviction in POLICIES {
        for (name, leave) in ways {
            let (clock, store) = bounded(100, eviction);
            for key in 0..100 {
                let ttl = if key < 50 { after(10) } else { Ttl::Never };
                store.put_with_ttl(key, key, ttl).unwrap();
            }
            leave(&clock, &store);
            assert_eq!((store.len(), store.stats().weight), (50, 50), "{name}, {eviction:?}");
            (100..150).for_each(|key| ignore(store.put(key, key)));
            assert_eq!(keys(&store), (50..150).collect::<Vec<_>>(), "{name}, {eviction:?}");
            assert_eq!((store.stats().evicted, store.stats().weight), (0, 100), "{name}");
            store.put(150, 0);
            assert_eq!((store.stats().evicted, store.len()), (1, 100), "{name}, {eviction:?}");
        }
    }
}

#[test]
fn churn_in_a_bounded_store_takes_no_more_memory() {
    for eviction in POLICIES {
        let (_clock, store) = bounded(1_000, eviction);
        let churn = |from: u64| {
            for key in from..from + 20_000 {
                store.put_with_ttl(key, key, Ttl::After(YEAR)).unwrap();
                store.get(&(key - key % 7));
                if key % 3 == 0 {
                    store.delete(&key);
                }
            }
            store.stats().estimated_bytes
        };
        let early = churn(0);
        let late = (1..10).map(|round| churn(round * 20_000)).max();
        assert!(late <= Some(early * 2), "{eviction:?}: {early} bytes became {late:?}");
        let stats = store.stats();
        assert_eq!((stats.expiry_nodes, stats.weight), (store.len(), store.len() as u64));
    }
}

#[test]
fn s10_s3_fifo_keeps_what_is_used_again_from_what_passes_by_once() {
    let (_clock, store) = bounded(100, Eviction::S3Fifo);
    let mut lost = 0;
    for scan in 0..10_000 {
        // Twenty keys are asked for again and again beside keys that come once.
        let hot = scan % 20;
        if store.get(&hot).is_none() {
            lost += 1;
            store.put(hot, hot);
        }
        store.put(1_000 + scan, 0);
    }
    assert!(lost <= 200, "{lost} of 10 000 look-ups of a hot key missed");
}

#[test]
fn a_key_whose_hash_collides_with_all_others_is_evicted_like_any() {
    #[derive(PartialEq, Eq)]
    struct Colliding(u64);
    impl std::hash::Hash for Colliding {
        fn hash<H: std::hash::Hasher>(&self, _: &mut H) {}
    }
    for eviction in POLICIES {
        let (_clock, builder) = unswept::<Colliding, u64>();
        let store = builder.max_entries(20).eviction(eviction).build().unwrap();
        for key in 0..200 {
            store.put(Colliding(key), key);
            assert_eq!(store.get(&Colliding(key)), Some(key));
        }
        assert_eq!((store.len(), store.stats().weight), (20, 20), "{eviction:?}");
        if eviction == Eviction::Lru {
            assert!((180..200).all(|key| store.contains(&Colliding(key))));
        }
    }
}

#[test]
fn a_value_evicted_may_use_the_store_when_it_is_dropped() {
    use crate::support::OnDrop;
    for eviction in POLICIES {
        must_return("eviction", move || {
            let (_clock, builder) = unswept::<u64, OnDrop>();
            let store = builder.max_entries(2).eviction(eviction).build().unwrap();
            let dropped = Arc::new(AtomicUsize::new(0));
            for key in 0..10 {
                let (inner, count) = (store.clone(), Arc::clone(&dropped));
                store.put(
                    key,
                    OnDrop::run(move || {
                        count.fetch_add(1, Ordering::SeqCst);
                        // Puts that evict in their turn.
                        inner.put(100 + key, OnDrop::quiet());
                    }),
                );
            }
            assert_eq!(store.len(), 2, "{eviction:?}");
            store.purge();
            assert!(dropped.load(Ordering::SeqCst) == 10 && store.len() <= 2, "{eviction:?}");
        });
    }
}

#[test]
fn a_bound_that_cannot_be_is_refused_with_its_name_and_a_remedy() {
    type Case = (Builder<u64, u64>, fn(&BuildError) -> bool, &'static [&'static str]);
    let zero: fn(&BuildError) -> bool = |error| matches!(error, BuildError::ZeroBound);
    let none: fn(&BuildError) -> bool = |error| matches!(error, BuildError::NoBound(_));
    let two: fn(&BuildError) -> bool = |error| matches!(error, BuildError::TwoBounds);
    let cases: [Case; 9] = [
        (Numbers::builder().max_entries(0), zero, &["max_entries", "at least 1"]),
        (Numbers::builder().max_weight(0), zero, &["max_weight", "at least 1"]),
        (Numbers::builder().max_entries(5).max_weight(5), two, &["max_entries", "max_weight"]),
        (Numbers::builder().max_entries(0).max_weight(5), two, &["max_entries", "max_weight"]),
        (Numbers::builder().weigher(|_, _| 1), none, &["weigher", "add `max_weight`"]),
        (
            Numbers::builder().max_entries(5).weigher(|_, _| 1),
            none,
            &["weigher", "add `max_weight`"],
        ),
        (Numbers::builder().eviction(Eviction::Lru), none, &["eviction", "add `max_entries`"]),
        (Numbers::builder().eviction(Eviction::S3Fifo), none, &["eviction", "add `max_entries`"]),
        (
            Numbers::builder().max_entries(usize::MAX).eviction(Eviction::Lru),
            |error| matches!(error, BuildError::TooManyForLru(_)),
            &["max_entries", "S3Fifo"],
        ),
    ];
    for (builder, is_right, words) in cases {
        let shown = format!("{builder:?}");
        let error = builder.build().expect_err("it cannot be met");
        assert!(is_right(&error), "{shown} gave {error:?}");
        for word in words {
            assert!(error.to_string().contains(word), "`{error}` does not say {word}");
        }
    }
}

#[test]
fn a_bound_takes_the_policy_that_is_named_or_the_default_one() {
    for builder in [
        Numbers::builder().max_entries(5),
        Numbers::builder().max_weight(5),
        Numbers::builder().max_entries(5).eviction(Eviction::Lru),
        Numbers::builder().max_weight(5).weigher(|_, _| 1).eviction(Eviction::S3Fifo),
    ] {
        let store = builder.build().unwrap();
        (0..100).for_each(|key| ignore(store.put(key, key)));
        assert_eq!((store.len(), store.stats().evicted), (5, 95));
    }
    assert!(Numbers::builder().max_entries(usize::MAX).build().is_ok(), "no bound to speak of");
    assert!(Numbers::builder().max_weight(u64::MAX).build().is_ok(), "no bound to speak of");
}

#[test]
fn a_newcomer_that_returns_is_not_the_one_to_go() {
    for eviction in POLICIES {
        let store = Store::<u32, u32>::builder().max_entries(1).eviction(eviction).build().unwrap();
        for round in 0..10 {
            for (at, key) in [1, 2, 1, 3, 2].into_iter().enumerate() {
                store.put(key, round);
                assert_eq!(
                    (store.get(&key), store.len()),
                    (Some(round), 1),
                    "{eviction:?}, {key}, {at}"
                );
            }
        }
    }
}
