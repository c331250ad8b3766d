//! A property: whatever is called, in whatever order, the store answers as the plain model does.
//!
//! This one sees only the public API; a failing case is shrunk by proptest. The simulation inside
//! the crate goes further: user code that panics, colliding hashes, the structure after each step.
#![cfg(not(any(checker = "loom", checker = "shuttle")))]

#[path = "../src/checks/reference.rs"]
#[expect(dead_code, reason = "the simulation uses the rest of it")]
mod reference;

use proptest::prelude::*;
use proptest::test_runner::Config;
use proptest_state_machine::{ReferenceStateMachine, StateMachineTest, prop_state_machine};
use reference::{Cause, Change, Counts, IndexRoom, Reference};
use std::time::Duration;
use store::{Compute, ManualClock, RemovalCause, Stats, Store, Sweeper, Ttl, TtlError};

type Key = u16;

#[derive(Debug, Clone)]
enum Transition {
    Put(Key, u32),
    PutWithTtl(Key, u32, Ttl),
    Get(Key),
    Contains(Key),
    Ttl(Key),
    Expire(Key, Ttl),
    Persist(Key),
    Delete(Key),
    Update(Key, u32),
    Compute(Key, Change),
    Clean,
    Sweep,
    Purge,
    /// Keeps the keys below.
    Retain(Key),
    Advance(Duration),
}

/// What a transition returned.
#[derive(Debug, Clone, PartialEq)]
enum Answer {
    Nothing,
    Value(Option<u32>),
    Stored(Result<Option<u32>, TtlError>),
    Expired(Result<bool, TtlError>),
    Flag(bool),
    Ttl(Option<Ttl>),
    Removed(usize),
}

#[derive(Debug, Clone)]
struct Model {
    reference: Reference,
    /// What the last transition must return.
    answer: Answer,
}

const DEFAULT_TTL: Duration = Duration::from_millis(40);
const TICK: Duration = Duration::from_millis(5);

fn duration() -> impl Strategy<Value = Duration> {
    prop_oneof![
        4 => (1..100_u64).prop_map(Duration::from_millis),
        2 => (1..100_000_000_u64).prop_map(Duration::from_nanos),
        1 => (1..1_000_000_000_u64).prop_map(Duration::from_millis),
    ]
}

fn ttl() -> impl Strategy<Value = Ttl> {
    prop_oneof![
        6 => duration().prop_map(Ttl::After),
        1 => Just(Ttl::Default),
        1 => Just(Ttl::Never),
        2 => Just(Ttl::Keep),
        1 => prop_oneof![Just(Duration::ZERO), Just(Duration::MAX)].prop_map(Ttl::After),
    ]
}

fn change() -> impl Strategy<Value = Change> {
    prop_oneof![
        Just(Change::Keep),
        Just(Change::Delete),
        (any::<u32>(), ttl()).prop_map(|(value, ttl)| Change::Put(value, ttl)),
    ]
}

impl ReferenceStateMachine for Model {
    type State = Self;
    type Transition = Transition;

    fn init_state() -> BoxedStrategy<Self> {
        let default_ttl = prop_oneof![Just(None), Just(Some(DEFAULT_TTL))];
        default_ttl
            .prop_map(|ttl| Self {
                reference: Reference::new(ttl, IndexRoom::unlimited()),
                answer: Answer::Nothing,
            })
            .boxed()
    }

    fn transitions(_: &Self) -> BoxedStrategy<Transition> {
        let key = || 0..6_u16;
        prop_oneof![
            3 => (key(), any::<u32>()).prop_map(|(key, value)| Transition::Put(key, value)),
            6 => (key(), any::<u32>(), ttl())
                .prop_map(|(key, value, ttl)| Transition::PutWithTtl(key, value, ttl)),
            4 => key().prop_map(Transition::Get),
            1 => key().prop_map(Transition::Contains),
            2 => key().prop_map(Transition::Ttl),
            3 => (key(), ttl()).prop_map(|(key, ttl)| Transition::Expire(key, ttl)),
            1 => key().prop_map(Transition::Persist),
            2 => key().prop_map(Transition::Delete),
            2 => (key(), any::<u32>()).prop_map(|(key, value)| Transition::Update(key, value)),
            3 => (key(), change()).prop_map(|(key, change)| Transition::Compute(key, change)),
            2 => Just(Transition::Clean),
            2 => Just(Transition::Sweep),
            1 => Just(Transition::Purge),
            1 => key().prop_map(Transition::Retain),
            6 => duration().prop_map(Transition::Advance),
        ]
        .boxed()
    }

    fn apply(mut state: Self, transition: &Transition) -> Self {
        let model = &mut state.reference;
        state.answer = match *transition {
            Transition::Put(key, value) => Answer::Stored(model.put(key, value, Ttl::Default)),
            Transition::PutWithTtl(key, value, ttl) => Answer::Stored(model.put(key, value, ttl)),
            Transition::Get(key) => Answer::Value(model.get(key)),
            Transition::Contains(key) => Answer::Flag(model.come_to(key).is_some()),
            Transition::Ttl(key) => Answer::Ttl(model.ttl(key)),
            Transition::Expire(key, ttl) => Answer::Expired(model.expire(key, ttl)),
            Transition::Persist(key) => Answer::Flag(model.persist(key)),
            Transition::Delete(key) => Answer::Value(model.delete(key)),
            Transition::Update(key, value) => {
                Answer::Value(model.update(key, value, Duration::ZERO))
            }
            Transition::Compute(key, change) => {
                Answer::Stored(model.compute(key, change, Duration::ZERO))
            }
            Transition::Clean => {
                Answer::Removed(remove(model, Cause::ExpiredBySweeper, |_, expired| expired))
            }
            // What it comes to is the sweeper's affair; `apply` of the test follows it.
            Transition::Sweep => Answer::Nothing,
            Transition::Purge => Answer::Removed(remove(model, Cause::Purged, |_, _| true)),
            Transition::Retain(below) => {
                remove(model, Cause::ExpiredLazily, |_, expired| expired);
                remove(model, Cause::Deleted, |key, _| key >= below);
                Answer::Nothing
            }
            Transition::Advance(by) => {
                model.advance(by);
                Answer::Nothing
            }
        };
        state
    }
}

/// Removes the pairs of which `f` says so, by key and whether they are expired.
fn remove(model: &mut Reference, cause: Cause, f: impl Fn(Key, bool) -> bool) -> usize {
    let all: Vec<_> = model.held().map(|(key, pair)| (key, model.is_expired(pair))).collect();
    let chosen: Vec<_> = all.into_iter().filter(|&(key, expired)| f(key, expired)).collect();
    chosen.iter().filter(|(key, _)| model.take(*key, cause).is_some()).count()
}

struct Tested {
    store: Store<Key, u32>,
    clock: ManualClock,
}

impl StateMachineTest for Tested {
    type SystemUnderTest = Self;
    type Reference = Model;

    fn init_test(model: &Model) -> Self {
        let clock = ManualClock::new();
        let builder = Store::builder().clock(clock.clone()).sweeper(Sweeper::Manual).tick(TICK);
        let builder = match model.reference.default_ttl() {
            Some(ttl) => builder.default_ttl(ttl),
            None => builder,
        };
        Self { store: builder.build().expect("nothing was asked for that could fail"), clock }
    }

    fn apply(tested: Self, model: &Model, transition: Transition) -> Self {
        let store = &tested.store;
        let answer = match transition {
            Transition::Put(key, value) => Answer::Stored(Ok(store.put(key, value))),
            Transition::PutWithTtl(key, value, ttl) => {
                Answer::Stored(store.put_with_ttl(key, value, ttl))
            }
            Transition::Get(key) => Answer::Value(store.get(&key)),
            Transition::Contains(key) => Answer::Flag(store.contains(&key)),
            Transition::Ttl(key) => Answer::Ttl(store.ttl(&key)),
            Transition::Expire(key, ttl) => Answer::Expired(store.expire(&key, ttl)),
            Transition::Persist(key) => Answer::Flag(store.persist(&key)),
            Transition::Delete(key) => Answer::Value(store.delete(&key)),
            Transition::Update(key, value) => {
                Answer::Value(store.update(&key, |old| std::mem::replace(old, value)))
            }
            Transition::Compute(key, change) => {
                Answer::Stored(store.compute(key, |_| match change {
                    Change::Keep => Compute::Keep,
                    Change::Delete => Compute::Delete,
                    Change::Put(value, ttl) => Compute::PutWithTtl(value, ttl),
                }))
            }
            Transition::Clean => {
                let removed = store.clean();
                assert_eq!(store.len(), store.live_len(), "clean left an expired pair");
                Answer::Removed(removed)
            }
            Transition::Sweep => {
                // Every live pair must survive it, which `check_invariants` sees.
                let ends = (0..1_000).any(|_| !store.sweep(3).more);
                assert!(ends, "sweeping comes to no end");
                Answer::Nothing
            }
            Transition::Purge => Answer::Removed(store.purge()),
            Transition::Retain(below) => {
                store.retain(|key, _| *key < below);
                Answer::Nothing
            }
            Transition::Advance(by) => {
                tested.clock.advance(by);
                Answer::Nothing
            }
        };
        // What a sweep has taken before, a later call no longer finds to remove.
        if let (Answer::Removed(removed), Answer::Removed(most)) = (&answer, &model.answer) {
            assert!(removed <= most, "{removed} were removed, {most} were there");
        } else {
            assert_eq!(answer, model.answer);
        }
        tested
    }

    fn check_invariants(tested: &Self, model: &Model) {
        let mut live = Vec::new();
        tested.store.for_each(|key, value| live.push((*key, *value)));
        live.sort_unstable();
        assert_eq!(live, model.reference.live().collect::<Vec<_>>());
        assert_eq!(tested.store.live_len(), live.len());
        // Only a sweep makes the store hold less than the model: expired pairs, which the model
        // has reclaimed later, if at all, by other hands.
        assert!((live.len()..=model.reference.len()).contains(&tested.store.len()));
        let (counts, expected) =
            (Counts::shown_by(&tested.store.stats()), model.reference.counts());
        let seen_by_callers = |counts: Counts| {
            let Counts { hits, misses, puts, deletes, .. } = counts;
            (hits, misses, puts, deletes)
        };
        assert_eq!(seen_by_callers(counts), seen_by_callers(expected));
    }

    fn teardown(tested: Self, _: Model) {
        let gone = tested.store.len();
        assert_eq!(tested.store.purge(), gone);
        let stats = tested.store.stats();
        assert_eq!((stats.entries, stats.expiry_nodes), (0, 0), "something was left behind");
    }
}

prop_state_machine! {
    #![proptest_config(Config { cases: 256, failure_persistence: None, ..Config::default() })]

    #[test]
    fn the_store_answers_as_the_model_does(sequential 1..80 => Tested);
}
