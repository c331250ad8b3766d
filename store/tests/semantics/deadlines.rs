//! Semantics 1, 3 and 4: when a value is dead, and that nothing brings it back.

use crate::support::{YEAR, after, manual, ms, must_return, unswept};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use store::{Clock, Compute, ManualClock, Store, Sweeper, Ttl};

type Numbers = Store<u32, u32>;
/// A call, by its name, and whether it finds a live value under key 1.
type Look = (&'static str, fn(&Numbers) -> bool);

/// Every call by which a caller can learn whether key 1 is alive.
const LOOKS: [Look; 18] = [
    ("get", |s| s.get(&1).is_some()),
    ("read", |s| s.read(&1, |_| ()).is_some()),
    ("contains", |s| s.contains(&1)),
    ("get_many", |s| s.get_many([&1])[0].is_some()),
    ("ttl", |s| s.ttl(&1).is_some()),
    ("peek", |s| s.peek(&1, |_, _| ()).is_some()),
    ("live_len", |s| s.live_len() == 1),
    ("for_each", |s| {
        let mut shown = false;
        s.for_each(|_, _| shown = true);
        shown
    }),
    ("retain", |s| {
        let mut shown = false;
        s.retain(|_, _| {
            shown = true;
            true
        });
        shown
    }),
    ("put", |s| s.put(1, 0).is_some()),
    ("put_with_ttl", |s| s.put_with_ttl(1, 0, Ttl::Keep).expect("the TTL is fine").is_some()),
    ("delete", |s| s.delete(&1).is_some()),
    ("update", |s| s.update(&1, |_| ()).is_some()),
    ("expire", |s| s.expire(&1, after(5)).expect("the TTL is fine")),
    ("expire, kept", |s| s.expire(&1, Ttl::Keep).expect("the TTL is fine")),
    ("persist", |s| s.persist(&1)),
    ("compute, its closure", |s| {
        let mut shown = false;
        s.compute(1, |found| {
            shown = found.is_some();
            Compute::Keep
        })
        .expect("the TTL is fine");
        shown
    }),
    ("compute, its answer", |s| {
        s.compute(1, |_| Compute::Delete).expect("the TTL is fine").is_some()
    }),
];

#[test]
fn s1_expiry_is_exact_to_the_millisecond_for_the_caller() {
    // The grain of the index must not show, and nobody sweeps.
    for tick_ms in [1, 50, 3_600_000] {
        for ttl_ms in [1, 2, 49, 50, 51, 64, 1_000, 1_001, 86_400_000] {
            for (name, finds) in LOOKS {
                let store_aged = |age_ms| {
                    let (clock, builder) = unswept();
                    let store = builder.tick(ms(tick_ms)).build().unwrap();
                    clock.advance(ms(7));
                    store.put_with_ttl(1, 10, after(ttl_ms)).unwrap();
                    clock.advance(ms(age_ms));
                    store
                };
                let context = format!("{name}, a TTL of {ttl_ms} ms, a tick of {tick_ms} ms");
                assert!(finds(&store_aged(ttl_ms - 1)), "gone early: {context}");
                assert!(!finds(&store_aged(ttl_ms)), "seen at its deadline: {context}");
                assert!(!finds(&store_aged(ttl_ms + 1)), "seen after its deadline: {context}");
            }
        }
    }
}

#[test]
fn s1_a_ttl_that_starts_within_a_millisecond_never_ends_early() {
    let (clock, store) = manual::<u32, u32>();
    clock.advance(Duration::from_micros(300));
    store.put_with_ttl(1, 1, after(10)).unwrap();
    store.put_with_ttl(2, 2, Ttl::After(Duration::from_nanos(1))).unwrap();
    assert!(store.contains(&2));
    clock.advance(ms(10).saturating_sub(Duration::from_nanos(1)));
    assert_eq!(store.get(&1), Some(1), "its 10 ms are not over");
    // Exact to one millisecond: it may be held no longer than that.
    clock.advance(ms(1) + Duration::from_nanos(1));
    assert_eq!(store.get(&1), None);
    assert_eq!(store.get(&2), None);
}

#[test]
fn s1_neither_sweep_nor_clean_takes_a_value_before_its_deadline() {
    for tick_ms in [1, 7, 50, 1_000] {
        let (clock, builder) = unswept::<u64, ()>();
        let store = builder.tick(ms(tick_ms)).build().unwrap();
        for ttl_ms in 1..=200 {
            store.put_with_ttl(ttl_ms, (), after(ttl_ms)).unwrap();
        }
        for now_ms in 1..=200 {
            clock.advance(ms(1));
            store.sweep(usize::MAX);
            if now_ms % 3 == 0 {
                store.clean();
            }
            let alive = usize::try_from(200 - now_ms).unwrap();
            assert_eq!(store.live_len(), alive, "at {now_ms} ms, a tick of {tick_ms} ms");
            assert!(now_ms == 200 || store.contains(&(now_ms + 1)));
        }
    }
}

#[test]
fn s1_a_sweeper_that_never_gets_to_it_changes_nothing_for_the_caller() {
    let clock = ManualClock::new();
    // The thread is there, but it will not look before an hour has passed.
    let store = Numbers::builder()
        .clock(clock.clone())
        .sweeper(Sweeper::Thread)
        .tick(Duration::from_secs(3600))
        .build()
        .unwrap();
    store.put_with_ttl(1, 1, after(20)).unwrap();
    clock.advance(ms(19));
    assert_eq!(store.get(&1), Some(1));
    clock.advance(ms(1));
    assert_eq!((store.live_len(), store.len()), (0, 1));
    assert_eq!(store.get(&1), None);
    must_return("the last drop", move || drop(store));
}

#[test]
fn s1_deadlines_are_exact_years_from_now() {
    let (clock, store) = manual::<u32, u32>();
    for year in 1..=30 {
        store.put_with_ttl(year, year, Ttl::After(YEAR * year)).unwrap();
    }
    store.put(0, 0);
    for year in 1..=30 {
        clock.advance(YEAR.saturating_sub(ms(1)));
        assert_eq!(store.get(&year), Some(year));
        clock.advance(ms(1));
        assert_eq!(store.get(&year), None, "after {year} years");
        assert_eq!(store.clean(), 0, "the get has removed it");
    }
    clock.advance(YEAR * 400);
    assert_eq!(store.get(&0), Some(0), "without a TTL, no time is too long");
}

/// A clock that shows whatever it is set to, in milliseconds, back and forth.
struct Settable(Arc<AtomicU64>);

impl Clock for Settable {
    fn now(&self) -> Duration {
        ms(self.0.load(Ordering::SeqCst))
    }
}

#[test]
fn s3_a_clock_that_steps_back_neither_revives_nor_prolongs_anything() {
    let shown_ms = Arc::new(AtomicU64::new(1_000_000));
    let store = Numbers::builder()
        .clock(Settable(Arc::clone(&shown_ms)))
        .sweeper(Sweeper::Manual)
        .build()
        .unwrap();
    store.put_with_ttl(1, 1, after(100)).unwrap();
    store.put_with_ttl(2, 2, after(300)).unwrap();
    store.put_with_ttl(3, 3, after(100)).unwrap();

    shown_ms.store(1_000_200, Ordering::SeqCst);
    assert_eq!(store.ttl(&2), Some(after(100)), "the store has seen 200 ms pass");
    shown_ms.store(0, Ordering::SeqCst);
    assert_eq!(store.get(&1), None, "dead by the latest time that was seen");
    assert_eq!(store.ttl(&2), Some(after(100)));
    assert_eq!(store.clean(), 1, "the other dead one");
    store.put_with_ttl(4, 4, after(50)).unwrap();

    // Time stands until the clock has caught up.
    shown_ms.store(1_000_200, Ordering::SeqCst);
    assert_eq!(store.ttl(&4), Some(after(50)));
    shown_ms.store(1_000_250, Ordering::SeqCst);
    assert_eq!((store.get(&4), store.ttl(&2)), (None, Some(after(50))));
}

#[test]
fn s3_the_origin_of_a_clock_does_not_matter() {
    struct Far(ManualClock);
    impl Clock for Far {
        fn now(&self) -> Duration {
            Duration::from_secs(u64::MAX / 2) + self.0.now()
        }
    }
    let clock = ManualClock::new();
    let store = Numbers::builder()
        .clock(Far(clock.clone()))
        .sweeper(Sweeper::Manual)
        .default_ttl(ms(10))
        .build()
        .unwrap();
    store.put(1, 1);
    clock.advance(ms(9));
    assert_eq!(store.get(&1), Some(1));
    clock.advance(ms(1));
    assert_eq!(store.clean(), 1);
}

#[test]
fn s4_a_put_over_an_expired_key_is_an_insertion() {
    type Put = (&'static str, fn(&Numbers) -> Option<u32>);
    let puts: [Put; 4] = [
        ("put", |s| s.put(1, 20)),
        ("put_with_ttl", |s| s.put_with_ttl(1, 20, after(5)).unwrap()),
        ("kept", |s| s.put_with_ttl(1, 20, Ttl::Keep).unwrap()),
        ("compute", |s| s.compute(1, |_| Compute::PutWithTtl(20, Ttl::Keep)).unwrap()),
    ];
    for (name, put) in puts {
        let (clock, store) = manual();
        store.put_with_ttl(1, 10, after(5)).unwrap();
        clock.advance(ms(8));
        assert_eq!(put(&store), None, "{name} returned a dead value");
        assert_eq!((store.get(&1), store.len(), store.live_len()), (Some(20), 1, 1), "{name}");
        let stats = store.stats();
        assert_eq!((stats.puts, stats.expired_lazily, stats.deletes), (2, 1, 0), "{name}");
        assert_eq!(stats.expiry_lag.max, ms(3), "{name}");
    }
}

#[test]
fn s4_nothing_but_a_put_revives_an_expired_key() {
    let attempts: [Look; 7] = [
        ("expire after", |s| s.expire(&1, after(1_000)).unwrap()),
        ("expire never", |s| s.expire(&1, Ttl::Never).unwrap()),
        ("expire by default", |s| s.expire(&1, Ttl::Default).unwrap()),
        ("expire, kept", |s| s.expire(&1, Ttl::Keep).unwrap()),
        ("persist", |s| s.persist(&1)),
        ("update", |s| s.update(&1, |_| ()).is_some()),
        ("compute, kept", |s| s.compute(1, |_| Compute::Keep).unwrap().is_some()),
    ];
    for (name, attempt) in attempts {
        let (clock, store) = manual();
        store.put_with_ttl(1, 10, after(5)).unwrap();
        clock.advance(ms(5));
        assert!(!attempt(&store), "{name} claims a success");
        assert_eq!((store.get(&1), store.ttl(&1)), (None, None), "{name}");
        assert_eq!(store.live_len(), 0, "{name}");
        store.clean();
        let stats = store.stats();
        assert_eq!((stats.entries, stats.expiry_nodes), (0, 0), "{name}");
        assert_eq!(stats.expired_lazily + stats.expired_by_sweeper, 1, "{name}: counted once");
    }
}

#[test]
fn s4_keep_over_an_expired_key_does_not_take_its_deadline_but_the_default() {
    let (clock, builder) = unswept::<u32, u32>();
    let store = builder.default_ttl(ms(100)).build().unwrap();
    store.put_with_ttl(1, 10, after(5)).unwrap();
    clock.advance(ms(5));
    assert_eq!(store.put_with_ttl(1, 20, Ttl::Keep), Ok(None));
    assert_eq!(store.ttl(&1), Some(after(100)));
    clock.advance(ms(99));
    assert_eq!(store.get(&1), Some(20));
    clock.advance(ms(1));
    assert_eq!(store.get(&1), None);
}
