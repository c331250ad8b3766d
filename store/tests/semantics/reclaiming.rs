//! Semantics 6 and 7: purge, and who reclaims the expired, how much at a time, and how late.

use crate::support::{YEAR, after, ignore, manual, ms, must_return, unswept, wait_until};
use std::hash::{Hash, Hasher};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use store::{Compute, ManualClock, Store, Sweeper, Ttl};

type Numbers = Store<u64, u64>;

#[test]
fn s6_purge_removes_everything_that_was_there() {
    let (clock, store) = manual::<u64, u64>();
    for key in 0..5_000 {
        let ttl = if key % 2 == 0 { after(1 + key % 10) } else { Ttl::Never };
        store.put_with_ttl(key, key, ttl).unwrap();
    }
    clock.advance(ms(5));
    assert_eq!(store.purge(), 5_000, "the expired are among them");
    let stats = store.stats();
    assert_eq!((store.len(), store.live_len(), stats.expiry_nodes), (0, 0, 0));
    assert_eq!((stats.purged, stats.deletes, stats.expired_lazily), (5_000, 0, 0));
    assert!((0..5_000).all(|key| !store.contains(&key)));
    assert_eq!(store.purge(), 0);
}

#[test]
fn s6_a_put_after_purge_survives_it() {
    let (clock, store) = manual::<u64, u64>();
    for round in 0..100 {
        store.put_with_ttl(1, round, after(10)).unwrap();
        assert_eq!(store.purge(), 1);
        assert_eq!(store.put_with_ttl(1, round + 1, after(20)), Ok(None));
        // What was purged has left nothing behind that could take the new value with it.
        clock.advance(ms(19));
        store.clean();
        assert_eq!(store.get(&1), Some(round + 1));
        assert_eq!(store.delete(&1), Some(round + 1));
    }
}

#[test]
fn s7_a_call_removes_no_expired_pair_but_its_own() {
    type Call = (&'static str, fn(&Numbers, u64));
    let calls: [Call; 11] = [
        ("get", |s, key| ignore(s.get(&key))),
        ("read", |s, key| ignore(s.read(&key, |_| ()))),
        ("contains", |s, key| ignore(s.contains(&key))),
        ("ttl", |s, key| ignore(s.ttl(&key))),
        ("put", |s, key| ignore(s.put(key, 0))),
        ("put_with_ttl", |s, key| ignore(s.put_with_ttl(key, 0, after(9)))),
        ("delete", |s, key| ignore(s.delete(&key))),
        ("expire", |s, key| ignore(s.expire(&key, after(9)))),
        ("persist", |s, key| ignore(s.persist(&key))),
        ("update", |s, key| ignore(s.update(&key, |_| ()))),
        ("compute", |s, key| ignore(s.compute(key, |_| Compute::Keep))),
    ];
    for (name, call) in calls {
        let (clock, store) = manual();
        for key in 0..2_000 {
            store.put_with_ttl(key, key, after(10)).unwrap();
        }
        store.put(5_000, 1);
        clock.advance(YEAR);
        // A dead key, a live one, an absent one: the cliff beside them is nobody's business.
        for (key, own) in [(7, 1), (5_000, 0), (6_000, 0)] {
            let before = store.stats();
            call(&store, key);
            let reclaimed = store.stats().expired_lazily - before.expired_lazily;
            assert_eq!(reclaimed, own, "{name} of {key}");
            assert_eq!(store.stats().expired_by_sweeper, 0, "{name} of {key}");
        }
        assert_eq!(store.clean(), 1_999, "{name}");
    }
}

#[test]
fn s7_a_sweep_takes_no_more_than_its_budget_and_says_whether_more_is_due() {
    for budget in [1, 2, 7, 31, 32, 33, 64, 100] {
        let (clock, store) = manual::<u64, u64>();
        for key in 0..300 {
            store.put_with_ttl(key, key, after(10)).unwrap();
            store.put_with_ttl(1_000 + key, key, Ttl::Never).unwrap();
        }
        assert_eq!((store.sweep(budget).removed, store.sweep(budget).more), (0, false));
        clock.advance(YEAR);
        let mut left = 300;
        while left > 0 {
            let swept = store.sweep(budget);
            assert_eq!(swept.removed, budget.min(left), "with a budget of {budget}");
            left -= swept.removed;
            assert_eq!(swept.more, left > 0, "with a budget of {budget}, {left} left");
            assert_eq!(store.len(), 300 + left);
        }
        assert_eq!(store.stats().expired_by_sweeper, 300);
    }
}

/// A key that counts how often any of its kind is hashed: whoever looks for a pair must hash it.
#[derive(PartialEq, Eq)]
struct Watched(u64);

static LOOKS: AtomicUsize = AtomicUsize::new(0);

impl Hash for Watched {
    fn hash<H: Hasher>(&self, state: &mut H) {
        LOOKS.fetch_add(1, Ordering::SeqCst);
        self.0.hash(state);
    }
}

#[test]
fn s7_a_budget_also_bounds_the_looks_that_remove_nothing() {
    // Room enough, as a table that is resized hashes its keys as well.
    let (clock, builder) = unswept::<Watched, ()>();
    let store = builder.capacity(10_000).build().unwrap();
    for key in 0..600 {
        store.put_with_ttl(Watched(key), (), after(10)).unwrap();
        if key % 2 == 0 {
            store.expire(&Watched(key), Ttl::After(YEAR)).unwrap();
        }
    }
    clock.advance(ms(1_000));
    // Whether a refreshed key costs a look is the index's business; a step stays small anyhow.
    let mut removed = 0;
    for _ in 0..=600 {
        LOOKS.store(0, Ordering::SeqCst);
        let swept = store.sweep(1);
        assert!(swept.removed <= 1);
        assert!(LOOKS.load(Ordering::SeqCst) <= 4, "one step looked at many keys");
        removed += swept.removed;
        if !swept.more {
            break;
        }
    }
    assert_eq!((removed, store.len(), store.live_len()), (300, 300, 300));
    assert!(!store.sweep(usize::MAX).more);
}

/// A key with the hash of every other.
#[derive(PartialEq, Eq)]
struct Colliding(u64);

impl Hash for Colliding {
    fn hash<H: Hasher>(&self, _: &mut H) {}
}

#[test]
fn keys_that_all_collide_are_told_apart_and_reclaimed() {
    let (clock, store) = manual::<Colliding, u64>();
    for key in 0..200 {
        store.put_with_ttl(Colliding(key), key, after(10 + key)).unwrap();
    }
    assert_eq!(store.delete(&Colliding(150)), Some(150));
    assert!(store.persist(&Colliding(0)));
    clock.advance(ms(109));
    assert!((1..200).all(|key| store.contains(&Colliding(key)) == (key > 99 && key != 150)));
    clock.advance(ms(1_000));
    let swept = store.sweep(usize::MAX);
    assert_eq!((swept.removed, swept.more), (99, false));
    assert_eq!((store.len(), store.stats().expiry_nodes), (1, 0));
    assert_eq!(store.get(&Colliding(0)), Some(0));
}

#[test]
fn s7_a_sweep_without_a_budget_removes_nothing_but_tells() {
    let (clock, store) = manual::<u64, u64>();
    assert_eq!((store.sweep(0).removed, store.sweep(0).more), (0, false));
    store.put_with_ttl(1, 1, after(10)).unwrap();
    clock.advance(ms(1_000));
    assert_eq!((store.sweep(0).removed, store.sweep(0).more, store.len()), (0, true, 1));
    assert_eq!((store.sweep(1).removed, store.sweep(0).more), (1, false));
}

#[test]
fn a_sweep_reclaims_what_died_at_least_a_tick_ago() {
    for tick_ms in [1, 3, 50, 1_000] {
        let (clock, builder) = unswept::<u64, u64>();
        let store = builder.tick(ms(tick_ms)).build().unwrap();
        let mut now_ms = 0;
        for round in 0..200 {
            let ttl_ms = 1 + round * 31 % 400;
            store.put_with_ttl(round, 0, after(ttl_ms)).unwrap();
            clock.advance(ms(ttl_ms + tick_ms));
            now_ms += ttl_ms + tick_ms;
            let swept = store.sweep(usize::MAX);
            assert_eq!((swept.removed, swept.more), (1, false), "at {now_ms} of tick {tick_ms}");
        }
    }
}

#[test]
fn a_shortened_pair_is_reclaimed_by_its_new_deadline() {
    let shorten: [fn(&Numbers); 3] = [
        |s| ignore(s.expire(&1, after(10))),
        |s| ignore(s.put_with_ttl(1, 2, after(10))),
        |s| ignore(s.compute(1, |_| Compute::PutWithTtl(2, after(10)))),
    ];
    for shorten in shorten {
        for cleans in [false, true] {
            let (clock, store) = manual();
            store.put_with_ttl(1, 1, Ttl::After(YEAR)).unwrap();
            shorten(&store);
            clock.advance(if cleans { ms(10) } else { ms(10 + 50) });
            let removed = if cleans { store.clean() } else { store.sweep(10).removed };
            assert_eq!((removed, store.len()), (1, 0));
        }
    }
}

#[test]
fn clean_reclaims_to_the_millisecond_whatever_the_tick() {
    for tick_ms in [1, 50, 3_600_000] {
        for ttl_ms in [1, 49, 50, 51, 99, 3_599_999, 3_600_000, 3_600_001] {
            let (clock, builder) = unswept::<u64, u64>();
            let store = builder.tick(ms(tick_ms)).build().unwrap();
            store.put_with_ttl(1, 1, after(ttl_ms)).unwrap();
            store.put_with_ttl(2, 2, after(ttl_ms + 1)).unwrap();
            clock.advance(ms(ttl_ms));
            assert_eq!(store.clean(), 1, "a TTL of {ttl_ms} ms, a tick of {tick_ms} ms");
            assert_eq!((store.len(), store.stats().expiry_lag.max), (1, Duration::ZERO));
        }
    }
}

// Fails: a clean within a tick moves the index on to the end of that tick, and what is put after
// it with a deadline in the same tick is only found a tick later.
#[test]
fn clean_reclaims_what_was_put_after_the_last_clean_of_the_same_tick() {
    let (clock, builder) = unswept::<u64, u64>();
    let store = builder.tick(ms(50)).build().unwrap();
    clock.advance(ms(5));
    assert_eq!(store.clean(), 0);
    store.put_with_ttl(1, 1, after(1)).unwrap();
    clock.advance(ms(1));
    assert_eq!((store.clean(), store.len()), (1, 0), "all that has expired");
}

// Fails for the same reason.
#[test]
fn a_clean_does_not_make_later_sweeps_late() {
    let (clock, builder) = unswept::<u64, u64>();
    let store = builder.tick(ms(50)).build().unwrap();
    clock.advance(ms(5));
    store.clean();
    store.put_with_ttl(1, 1, after(1)).unwrap();
    // A whole tick after its deadline: the sweeper learns of a pair no later than that.
    clock.advance(ms(1 + 50));
    assert_eq!((store.sweep(usize::MAX).removed, store.len()), (1, 0));
}

// Fails for the same reason.
#[test]
fn clean_after_clean_finds_every_pair_of_a_dense_timeline() {
    for tick_ms in [1, 7, 50, 1_000] {
        let (clock, builder) = unswept::<u64, u64>();
        let store = builder.tick(ms(tick_ms)).build().unwrap();
        for now_ms in 0..1_000 {
            store.clean();
            let held = store.len();
            assert_eq!(held, store.live_len(), "at {now_ms} ms, a tick of {tick_ms} ms");
            store.put_with_ttl(now_ms, 0, after(1 + now_ms * 7 % 20)).unwrap();
            clock.advance(ms(1));
        }
    }
}

/// TTLs beside the powers of 64, where a wheel of 64 slots changes level.
const CROSSINGS: [u64; 16] = [
    1,
    62,
    63,
    64,
    65,
    127,
    128,
    4_095,
    4_096,
    4_097,
    8_192,
    262_143,
    262_144,
    262_145,
    16_777_216,
    1_073_741_825,
];

#[test]
fn a_pair_is_swept_once_due_and_not_before_at_every_level_of_the_index() {
    for start_ms in [0, 1, 62, 63, 64, 4_032, 4_095, 4_096, 262_143, 1_000_000] {
        let (clock, builder) = unswept::<u64, u64>();
        let store = builder.tick(ms(1)).build().unwrap();
        clock.advance(ms(start_ms));
        assert_eq!(store.sweep(usize::MAX).removed, 0);
        for ttl_ms in CROSSINGS {
            store.put_with_ttl(ttl_ms, 0, after(ttl_ms)).unwrap();
        }
        let mut now_ms = 0;
        for ttl_ms in CROSSINGS {
            let context = format!("a TTL of {ttl_ms} ms from {start_ms} ms");
            clock.advance(ms(ttl_ms - 1 - now_ms));
            now_ms = ttl_ms - 1;
            store.sweep(usize::MAX);
            assert!(store.contains(&ttl_ms), "gone early: {context}");
            let held = store.len();
            clock.advance(ms(1));
            now_ms += 1;
            // With a tick of a millisecond the deadline's tick is over now or at the next one.
            let removed = store.sweep(usize::MAX).removed + store.clean();
            assert_eq!((removed, store.len()), (1, held - 1), "not reclaimed: {context}");
        }
        assert_eq!(store.stats().expiry_lag.max, Duration::ZERO);
    }
}

#[test]
fn one_jump_over_every_level_reclaims_all() {
    for jump in [ms(5_000), YEAR, YEAR * 33, YEAR * 500] {
        let (clock, store) = manual::<u64, u64>();
        for key in 0..1_000 {
            store.put_with_ttl(key, 0, after(1 + key * 5)).unwrap();
        }
        store.put(9_999, 0);
        clock.advance(jump);
        assert_eq!((store.clean(), store.len()), (1_000, 1), "{jump:?}");
        assert_eq!(store.stats().expired_by_sweeper, 1_000);
    }
}

#[test]
fn expiry_lag_tells_how_late_the_expired_were_reclaimed() {
    let (clock, builder) = unswept::<u64, u64>();
    let store = builder.tick(ms(1)).build().unwrap();
    assert_eq!(store.stats().expiry_lag, store::ExpiryLag::default());
    for lag_ms in 1..=100 {
        store.put_with_ttl(lag_ms, 0, after(10)).unwrap();
        clock.advance(ms(10 + lag_ms));
        // By the sweeper and by callers in turn: both count.
        if lag_ms % 2 == 0 {
            assert_eq!(store.clean(), 1);
        } else {
            assert!(!store.contains(&lag_ms));
        }
    }
    let stats = store.stats();
    assert_eq!((stats.expired_lazily, stats.expired_by_sweeper), (50, 50));
    let lag = stats.expiry_lag;
    assert_eq!(lag.max, ms(100), "the maximum is exact");
    // Quantiles are rounded up by at most an eighth.
    assert!(lag.p50 >= ms(50) && lag.p50 <= ms(57), "{lag:?}");
    assert!(lag.p99 >= ms(99) && lag.p99 <= ms(100), "{lag:?}");
}

#[test]
fn what_leaves_before_its_deadline_has_no_lag() {
    let (clock, store) = manual::<u64, u64>();
    for key in 0..5 {
        store.put_with_ttl(key, 0, after(10)).unwrap();
    }
    store.delete(&0);
    store.persist(&1);
    store.put(2, 1);
    store.expire(&3, after(100)).unwrap();
    store.retain(|&key, _| key != 4);
    clock.advance(ms(50));
    assert_eq!(store.clean(), 0);
    assert_eq!(store.stats().expiry_lag, store::ExpiryLag::default());
}

#[test]
fn the_sweeper_thread_reclaims_what_nobody_touches() {
    let clock = ManualClock::new();
    let store = Numbers::builder()
        .clock(clock.clone())
        .sweeper(Sweeper::Thread)
        .tick(ms(1))
        .build()
        .unwrap();
    for key in 0..5_000 {
        store.put_with_ttl(key, 0, after(1 + key % 100)).unwrap();
    }
    store.put(9_999, 0);
    clock.advance(YEAR);
    let watched = store.clone();
    wait_until("the sweeper's thread", move || watched.len() == 1);
    let stats = store.stats();
    assert_eq!((stats.expired_by_sweeper, stats.expiry_nodes), (5_000, 0));
    assert_eq!(store.get(&9_999), Some(0));
    must_return("the last drop", move || drop(store));
}
