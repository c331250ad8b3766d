//! The builder: what it accepts, and how it says no.

use crate::support::{YEAR, ms, must_return};
use std::error::Error;
use std::time::Duration;
use store::{BuildError, Store, Sweeper, TtlError};

type Numbers = Store<u64, u64>;

#[test]
fn a_tick_outside_one_millisecond_to_one_hour_is_refused() {
    let hour = Duration::from_secs(3600);
    for tick in [Duration::ZERO, Duration::from_micros(999), hour + ms(1), Duration::MAX] {
        match Numbers::builder().tick(tick).build() {
            Err(BuildError::Tick(named)) => assert_eq!(named, tick),
            other => panic!("{tick:?} gave {other:?}"),
        }
    }
    for tick in [ms(1), Duration::from_micros(1_500), ms(50), hour] {
        // The drop must not wait for a tick to end.
        let builder = Numbers::builder().tick(tick);
        assert!(must_return("build and drop", move || builder.build().is_ok()), "{tick:?}");
    }
}

#[test]
fn a_capacity_for_which_there_is_no_memory_is_an_error_and_not_an_abort() {
    for capacity in [usize::MAX, usize::MAX / 2, usize::MAX / 16, 1 << 50] {
        match Numbers::builder().capacity(capacity).build() {
            Err(BuildError::Capacity(named)) => assert_eq!(named, capacity),
            other => panic!("{capacity} gave {other:?}"),
        }
    }
}

#[test]
fn a_default_ttl_that_no_put_could_have_is_refused() {
    let too_long = [Duration::MAX, YEAR * 35];
    match Numbers::builder().default_ttl(Duration::ZERO).build() {
        Err(BuildError::DefaultTtl(TtlError::Zero)) => {}
        other => panic!("{other:?}"),
    }
    for ttl in too_long {
        match Numbers::builder().default_ttl(ttl).build() {
            Err(BuildError::DefaultTtl(TtlError::TooLong)) => {}
            other => panic!("{ttl:?} gave {other:?}"),
        }
    }
    assert!(Numbers::builder().default_ttl(YEAR * 34).build().is_ok());
    assert!(Numbers::builder().default_ttl(Duration::from_nanos(1)).build().is_ok());
}

#[test]
fn an_error_names_the_choice_that_cannot_be_met() {
    let refused = |builder: store::Builder<u64, u64>| builder.build().expect_err("it is wrong");
    let tick = refused(Numbers::builder().tick(Duration::ZERO));
    let capacity = refused(Numbers::builder().capacity(usize::MAX));
    let ttl = refused(Numbers::builder().default_ttl(Duration::ZERO));
    assert!(tick.to_string().contains("tick"), "{tick}");
    assert!(capacity.to_string().contains("capacity"), "{capacity}");
    assert!(ttl.to_string().contains("default_ttl"), "{ttl}");
    let cause = ttl.source().expect("the TTL's own error is the cause");
    assert_eq!(cause.downcast_ref(), Some(&TtlError::Zero));
}

#[test]
fn no_put_within_the_capacity_asked_for_has_to_grow_the_table() {
    // Around powers of two, where a table that grows before it is full would show it.
    for pairs in [1_usize, 100, 1_000, 4_000, 4_096, 13_400, 16_384, 30_000] {
        let store = Numbers::builder().capacity(pairs).build().unwrap();
        let preallocated = store.capacity();
        assert!(preallocated >= pairs);
        for key in 0..pairs as u64 {
            store.put(key, key);
        }
        assert_eq!(store.capacity(), preallocated, "it grew, with room for {pairs} asked for");
        store.purge();
        assert!(store.capacity() >= pairs, "it shrank below what was asked for");
    }
}

#[test]
fn a_store_without_a_capacity_grows_as_pairs_come() {
    let store = Numbers::new();
    for key in 0..10_000 {
        assert_eq!(store.put(key, key), None);
    }
    assert_eq!((store.len(), store.live_len()), (10_000, 10_000));
    assert!((0..10_000).all(|key| store.get(&key) == Some(key)));
}

#[test]
fn new_and_default_are_stores_without_a_default_ttl() {
    for store in [Numbers::new(), Numbers::default()] {
        store.put(1, 1);
        assert_eq!(store.ttl(&1), Some(store::Ttl::Never));
    }
}

#[test]
fn every_handle_is_the_same_store() {
    let store = Numbers::builder().sweeper(Sweeper::Manual).build().unwrap();
    let clone = store.clone();
    clone.put(1, 1);
    drop(clone);
    assert_eq!((store.get(&1), store.len()), (Some(1), 1));
}
