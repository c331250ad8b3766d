//! Semantic 2, and the calls that ask for TTLs or tell them.

use crate::support::{YEAR, after, manual, ms, unswept};
use std::time::Duration;
use store::{Compute, Store, Ttl, TtlError};

type Numbers = Store<u32, u32>;

#[test]
fn s2_a_refused_ttl_changes_nothing() {
    type Call = fn(&Numbers, Ttl) -> Option<TtlError>;
    let calls: [(&str, Call); 3] = [
        ("put_with_ttl", |s, ttl| s.put_with_ttl(1, 99, ttl).err()),
        ("expire", |s, ttl| s.expire(&1, ttl).err()),
        ("compute", |s, ttl| s.compute(1, |_| Compute::PutWithTtl(99, ttl)).err()),
    ];
    let refusals = [
        (Ttl::After(Duration::ZERO), TtlError::Zero),
        (Ttl::from(Duration::ZERO), TtlError::Zero),
        (Ttl::After(Duration::MAX), TtlError::TooLong),
        (Ttl::After(YEAR * 35), TtlError::TooLong),
        (Ttl::After(ms(u64::MAX)), TtlError::TooLong),
    ];
    for (name, call) in calls {
        for (ttl, error) in refusals {
            for (value, held) in
                [(None, None), (Some(10), Some(Ttl::Never)), (Some(10), Some(after(70)))]
            {
                let (clock, store) = manual();
                store.put(2, 2);
                if let (Some(value), Some(held)) = (value, held) {
                    store.put_with_ttl(1, value, held).unwrap();
                }
                let before = store.stats();
                assert_eq!(call(&store, ttl), Some(error), "{name} with {ttl:?}");
                assert_eq!(store.stats(), before, "{name} with {ttl:?} was counted");
                assert_eq!((store.get(&1), store.ttl(&1)), (value, held), "{name} with {ttl:?}");
                clock.advance(ms(70));
                assert_eq!(store.contains(&1), held == Some(Ttl::Never), "{name} with {ttl:?}");
            }
        }
    }
}

#[test]
fn s2_a_refused_ttl_does_not_revive_an_expired_key() {
    let (clock, store) = manual::<u32, u32>();
    store.put_with_ttl(1, 1, after(5)).unwrap();
    clock.advance(ms(5));
    assert_eq!(store.expire(&1, Ttl::After(Duration::ZERO)), Err(TtlError::Zero));
    let refused = store.compute(1, |_| Compute::PutWithTtl(2, Ttl::After(Duration::MAX)));
    assert_eq!(refused, Err(TtlError::TooLong));
    assert_eq!(store.put_with_ttl(1, 2, Ttl::After(Duration::ZERO)), Err(TtlError::Zero));
    assert_eq!((store.get(&1), store.live_len()), (None, 0));
}

#[test]
fn s2_never_is_not_a_very_long_ttl() {
    let (clock, store) = manual::<u32, u32>();
    let longest = YEAR * 34;
    store.put_with_ttl(1, 1, Ttl::Never).unwrap();
    store.put_with_ttl(2, 2, Ttl::After(longest)).unwrap();
    assert_eq!(store.ttl(&1), Some(Ttl::Never));
    assert_eq!(store.ttl(&2), Some(Ttl::After(longest)));
    clock.advance(longest.saturating_sub(ms(1)));
    assert_eq!(store.ttl(&2), Some(after(1)));
    assert_eq!(store.get(&2), Some(2));
    clock.advance(ms(1));
    assert_eq!((store.get(&2), store.clean()), (None, 0));
    clock.advance(Duration::MAX);
    assert_eq!((store.get(&1), store.ttl(&1)), (Some(1), Some(Ttl::Never)));
}

#[test]
fn s2_too_long_is_counted_from_the_creation_of_the_store() {
    let (clock, store) = manual::<u32, u32>();
    clock.advance(YEAR * 10);
    assert_eq!(store.put_with_ttl(1, 1, Ttl::After(YEAR * 30)), Err(TtlError::TooLong));
    assert_eq!(store.put_with_ttl(1, 1, Ttl::After(YEAR * 24)), Ok(None));
    assert_eq!(store.ttl(&1), Some(Ttl::After(YEAR * 24)));
}

#[test]
fn the_default_ttl_applies_to_what_is_put_without_one() {
    let (clock, builder) = unswept::<u32, u32>();
    let store = builder.default_ttl(ms(100)).build().unwrap();
    store.put(1, 1);
    store.put_with_ttl(2, 2, Ttl::Default).unwrap();
    store.put_with_ttl(3, 3, Ttl::default()).unwrap();
    store.compute(4, |_| Compute::Put(4)).unwrap();
    store.compute(5, |_| Compute::PutWithTtl(5, Ttl::Default)).unwrap();
    store.put_with_ttl(6, 6, Ttl::Keep).unwrap();
    store.put_with_ttl(7, 7, Ttl::Never).unwrap();
    store.put_with_ttl(8, 8, ms(150).into()).unwrap();
    let expected: Vec<_> = (1..=8)
        .map(|key| match key {
            7 => Ttl::Never,
            8 => after(150),
            _ => after(100),
        })
        .map(Some)
        .collect();
    let ttls: Vec<_> = (1..=8).map(|key| store.ttl(&key)).collect();
    assert_eq!(ttls, expected);
    clock.advance(ms(100));
    assert_eq!(store.live_len(), 2);
}

#[test]
fn a_put_starts_the_default_ttl_anew_and_an_update_does_not() {
    let (clock, builder) = unswept::<u32, u32>();
    let store = builder.default_ttl(ms(100)).build().unwrap();
    for key in 1..=3 {
        store.put(key, 1);
    }
    clock.advance(ms(60));
    assert_eq!(store.put(1, 2), Some(1));
    assert_eq!(store.compute(3, |_| Compute::Put(2)), Ok(Some(1)));
    assert_eq!(store.ttl(&3), Some(after(100)));
    assert_eq!(store.update(&2, |value| *value += 1), Some(()));
    assert_eq!((store.ttl(&1), store.ttl(&2)), (Some(after(100)), Some(after(40))));
}

#[test]
fn a_put_without_a_default_ttl_clears_the_ttl_the_key_had() {
    let (clock, store) = manual::<u32, u32>();
    for put in [
        |s: &Numbers| s.put(1, 2),
        |s: &Numbers| s.put_with_ttl(1, 2, Ttl::Default).unwrap(),
        |s: &Numbers| s.put_with_ttl(1, 2, Ttl::Never).unwrap(),
        |s: &Numbers| s.compute(1, |_| Compute::Put(2)).unwrap(),
    ] {
        store.put_with_ttl(1, 1, after(5)).unwrap();
        assert_eq!(put(&store), Some(1));
        assert_eq!((store.ttl(&1), store.stats().expiry_nodes), (Some(Ttl::Never), 0));
        clock.advance(ms(5));
        assert_eq!(store.get(&1), Some(2));
    }
}

#[test]
fn keep_leaves_a_live_deadline_as_it_is() {
    let (clock, store) = manual::<u32, u32>();
    store.put_with_ttl(1, 1, after(100)).unwrap();
    store.put_with_ttl(2, 1, Ttl::Never).unwrap();
    clock.advance(ms(30));
    for key in [1, 2] {
        assert_eq!(store.put_with_ttl(key, 2, Ttl::Keep), Ok(Some(1)));
        assert_eq!(store.expire(&key, Ttl::Keep), Ok(true));
        let kept = store.compute(key, |_| Compute::PutWithTtl(3, Ttl::Keep));
        assert_eq!(kept, Ok(Some(2)));
    }
    assert_eq!((store.ttl(&1), store.ttl(&2)), (Some(after(70)), Some(Ttl::Never)));
    clock.advance(ms(69));
    assert_eq!(store.get(&1), Some(3));
    clock.advance(ms(1));
    assert_eq!((store.get(&1), store.get(&2)), (None, Some(3)));
}

#[test]
fn keep_for_an_absent_key_is_the_default() {
    let (_clock, store) = manual::<u32, u32>();
    assert_eq!(store.put_with_ttl(1, 1, Ttl::Keep), Ok(None));
    assert_eq!(store.ttl(&1), Some(Ttl::Never), "there is no default TTL");
    assert_eq!(store.expire(&2, Ttl::Keep), Ok(false));
    assert_eq!(store.len(), 1);
}

#[test]
fn expire_gives_a_live_key_another_ttl_counted_from_now() {
    let (clock, builder) = unswept::<u32, u32>();
    let store = builder.default_ttl(ms(1_000)).build().unwrap();
    store.put_with_ttl(1, 1, after(100)).unwrap();
    clock.advance(ms(50));
    // Longer, shorter, for ever, and by default; each read back and kept to.
    for (ttl, told) in [
        (after(5_000), after(5_000)),
        (after(20), after(20)),
        (Ttl::Never, Ttl::Never),
        (Ttl::Default, after(1_000)),
        (after(3), after(3)),
    ] {
        assert_eq!(store.expire(&1, ttl), Ok(true));
        assert_eq!(store.ttl(&1), Some(told));
    }
    clock.advance(ms(2));
    assert_eq!(store.get(&1), Some(1));
    clock.advance(ms(1));
    assert_eq!(store.get(&1), None);
    assert_eq!(store.expire(&1, after(10)), Ok(false));
    assert_eq!(store.expire(&2, after(10)), Ok(false));
    assert!(store.is_empty());
}

#[test]
fn an_extended_key_outlives_its_first_deadline_and_dies_at_its_second() {
    for sweeps in [false, true] {
        let (clock, builder) = unswept::<u32, u32>();
        let store = builder.tick(ms(1)).build().unwrap();
        store.put_with_ttl(1, 1, after(100)).unwrap();
        store.expire(&1, after(1_000)).unwrap();
        for _ in 0..999 {
            clock.advance(ms(1));
            if sweeps {
                assert_eq!((store.sweep(10).removed, store.clean()), (0, 0));
            }
            assert!(store.contains(&1));
        }
        clock.advance(ms(1));
        assert_eq!(store.live_len(), 0);
        assert_eq!(store.clean(), 1);
    }
}

#[test]
fn persist_tells_whether_there_was_a_ttl_to_take_away() {
    let (clock, store) = manual::<u32, u32>();
    store.put_with_ttl(1, 1, after(100)).unwrap();
    assert!(store.persist(&1));
    assert!(!store.persist(&1), "it has none any more");
    assert!(!store.persist(&2), "it is absent");
    assert_eq!(store.stats().expiry_nodes, 0);
    clock.advance(YEAR);
    assert_eq!((store.clean(), store.get(&1)), (0, Some(1)));
}

#[test]
fn ttl_tells_never_more_than_was_asked_and_never_zero() {
    let (clock, store) = manual::<u32, u32>();
    for step_us in [0, 1, 300, 700, 999, 1_000, 1_001, 12_345] {
        clock.advance(Duration::from_micros(step_us));
        for asked in [Duration::from_nanos(1), Duration::from_micros(900), ms(1), ms(10)] {
            store.put_with_ttl(1, 1, Ttl::After(asked)).unwrap();
            let Some(Ttl::After(told)) = store.ttl(&1) else { panic!("it has a TTL") };
            assert!(!told.is_zero(), "{asked:?}");
            // What is told is at most what was asked, where milliseconds can tell it.
            assert!(told <= asked.max(ms(1)), "{told:?} of {asked:?}");
        }
        clock.advance(Duration::from_micros(9_999));
        let Some(Ttl::After(told)) = store.ttl(&1) else { panic!("10 ms are not over") };
        assert!(told <= ms(1) && !told.is_zero(), "{told:?}");
    }
}

#[test]
fn ttl_counts_down_and_tells_absent_from_endless() {
    let (clock, store) = manual::<u32, u32>();
    store.put(1, 1);
    store.put_with_ttl(2, 2, after(60)).unwrap();
    for left in (1..=60).rev() {
        assert_eq!(store.ttl(&2), Some(after(left)));
        clock.advance(ms(1));
    }
    assert_eq!(store.ttl(&2), None);
    assert_eq!(store.ttl(&1), Some(Ttl::Never));
    assert_eq!(store.ttl(&3), None);
}
