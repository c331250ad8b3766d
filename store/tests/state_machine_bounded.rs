//! A property: an exact LRU store lets go whom the plain model lets go, whatever is called.
//!
//! Time moves in whole ticks and TTLs are whole ticks, as within its tick a deadline that has
//! passed need not be known to whoever looks for room.
#![cfg(not(any(checker = "loom", checker = "shuttle")))]

use proptest::prelude::*;
use proptest::test_runner::Config;
use proptest_state_machine::{ReferenceStateMachine, StateMachineTest, prop_state_machine};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use store::RemovalCause::{Deleted, Evicted, Expired, Purged, Replaced};
use store::{Compute, Eviction, ManualClock, RemovalCause, Store, Sweeper, Ttl};

type Key = u8;
/// What was told: key, value, cause.
type Told = (Key, u64, RemovalCause);

const TICK: Duration = Duration::from_millis(1);

#[derive(Debug, Clone, Copy)]
enum Transition {
    /// A key, a value, and a TTL in ticks, if any.
    Put(Key, u64, Option<u64>),
    PutKeepingTtl(Key, u64),
    TryPut(Key, u64),
    Get(Key),
    Contains(Key),
    Expire(Key, u64),
    Persist(Key),
    Update(Key, u64),
    ComputePut(Key, u64),
    ComputeDelete(Key),
    Load(Key, u64),
    Delete(Key),
    Retain(Key),
    Clean,
    Purge,
    /// By so many ticks.
    Advance(u64),
}

#[derive(Debug, Clone, Copy)]
struct Pair {
    key: Key,
    value: u64,
    deadline: Option<u64>,
}

/// The pairs held, the least recently used first.
#[derive(Debug, Clone)]
struct Model {
    /// What fits: pairs, or the sum of their values.
    max: u64,
    weighed: bool,
    now: u64,
    held: Vec<Pair>,
    answer: Option<u64>,
    told: Vec<Told>,
}

impl Model {
    fn weight(&self, value: u64) -> u64 {
        if self.weighed { value } else { 1 }
    }

    fn sum(&self) -> u64 {
        self.held.iter().map(|pair| self.weight(pair.value)).sum()
    }

    fn take(&mut self, place: usize, cause: RemovalCause) -> Pair {
        let pair = self.held.remove(place);
        self.told.push((pair.key, pair.value, cause));
        pair
    }

    fn take_where(&mut self, cause: RemovalCause, goes: impl Fn(&Pair) -> bool) {
        while let Some(place) = self.held.iter().position(&goes) {
            self.take(place, cause);
        }
    }

    fn take_expired(&mut self) {
        let now = self.now;
        self.take_where(Expired, |pair| pair.deadline.is_some_and(|deadline| deadline <= now));
    }

    /// Where the live pair of `key` stands; one that is dead goes now.
    fn find(&mut self, key: Key) -> Option<usize> {
        let place = self.held.iter().position(|pair| pair.key == key)?;
        if self.held[place].deadline.is_some_and(|deadline| deadline <= self.now) {
            self.take(place, Expired);
            return None;
        }
        Some(place)
    }

    /// Makes the live pair of `key` the last to go; returns it to be changed.
    fn touch(&mut self, key: Key) -> Option<&mut Pair> {
        let place = self.find(key)?;
        let pair = self.held.remove(place);
        self.held.push(pair);
        self.held.last_mut()
    }

    fn put(&mut self, key: Key, value: u64, deadline: Option<u64>) -> Option<u64> {
        let former = self.find(key).map(|place| self.take(place, Replaced).value);
        self.held.push(Pair { key, value, deadline });
        self.make_room();
        former
    }

    /// What is too heavy alone goes at once; then what has expired; then the least recent of those
    /// that weigh anything.
    fn make_room(&mut self) {
        if let Some(last) = self.held.last()
            && self.weight(last.value) > self.max
        {
            self.take(self.held.len() - 1, Evicted);
        }
        if self.sum() > self.max {
            self.take_expired();
        }
        while self.sum() > self.max {
            let weighs = |pair: &Pair| self.weight(pair.value) > 0;
            let first = self.held.iter().position(weighs).expect("the sum is above zero");
            self.take(first, Evicted);
        }
    }

    fn deadline_of(&mut self, key: Key) -> Option<u64> {
        let place = self.find(key)?;
        self.held[place].deadline
    }

    fn remove(&mut self, key: Key) -> Option<u64> {
        let place = self.find(key)?;
        Some(self.take(place, Deleted).value)
    }

    fn step(&mut self, transition: &Transition) -> Option<u64> {
        match *transition {
            Transition::Put(key, value, ttl) => {
                let deadline = ttl.map(|ttl| self.now + ttl);
                self.put(key, value, deadline)
            }
            Transition::PutKeepingTtl(key, value) => {
                let deadline = self.deadline_of(key);
                self.put(key, value, deadline)
            }
            Transition::TryPut(_, value) if self.weight(value) > self.max => None,
            Transition::TryPut(key, value) | Transition::ComputePut(key, value) => {
                self.put(key, value, None)
            }
            Transition::Get(key) => self.touch(key).map(|pair| pair.value),
            Transition::Contains(key) => self.find(key).map(|_| 1),
            Transition::Expire(key, ttl) => {
                let place = self.find(key)?;
                self.held[place].deadline = Some(self.now + ttl);
                Some(1)
            }
            Transition::Persist(key) => {
                let place = self.find(key)?;
                self.held[place].deadline.take().map(|_| 1)
            }
            Transition::Update(key, value) => {
                let former = std::mem::replace(&mut self.touch(key)?.value, value);
                self.make_room();
                Some(former)
            }
            Transition::Load(key, value) => {
                if let Some(found) = self.touch(key) {
                    return Some(found.value);
                }
                self.put(key, value, None);
                Some(value)
            }
            Transition::Delete(key) | Transition::ComputeDelete(key) => self.remove(key),
            Transition::Retain(below) => {
                self.take_expired();
                self.take_where(Deleted, |pair| pair.key >= below);
                None
            }
            Transition::Clean => {
                self.take_expired();
                None
            }
            Transition::Purge => {
                self.take_where(Purged, |_| true);
                None
            }
            Transition::Advance(ticks) => {
                self.now += ticks;
                None
            }
        }
    }
}

impl ReferenceStateMachine for Model {
    type State = Self;
    type Transition = Transition;

    fn init_state() -> BoxedStrategy<Self> {
        (1..=8_u64, any::<bool>())
            .prop_map(|(max, weighed)| {
                let (held, told) = (Vec::new(), Vec::new());
                Self { max, weighed, now: 0, held, answer: None, told }
            })
            .boxed()
    }

    fn transitions(_: &Self) -> BoxedStrategy<Transition> {
        let key = || 0..12_u8;
        let value = || 0..10_u64;
        let ttl = || 1..12_u64;
        prop_oneof![
            8 => (key(), value(), prop::option::of(ttl()))
                .prop_map(|(key, value, ttl)| Transition::Put(key, value, ttl)),
            1 => (key(), value()).prop_map(|(key, value)| Transition::PutKeepingTtl(key, value)),
            1 => (key(), value()).prop_map(|(key, value)| Transition::TryPut(key, value)),
            6 => key().prop_map(Transition::Get),
            1 => key().prop_map(Transition::Contains),
            2 => (key(), ttl()).prop_map(|(key, ttl)| Transition::Expire(key, ttl)),
            1 => key().prop_map(Transition::Persist),
            2 => (key(), value()).prop_map(|(key, value)| Transition::Update(key, value)),
            2 => (key(), value()).prop_map(|(key, value)| Transition::ComputePut(key, value)),
            1 => key().prop_map(Transition::ComputeDelete),
            2 => (key(), value()).prop_map(|(key, value)| Transition::Load(key, value)),
            1 => key().prop_map(Transition::Delete),
            1 => key().prop_map(Transition::Retain),
            1 => Just(Transition::Clean),
            1 => Just(Transition::Purge),
            4 => (1..6_u64).prop_map(Transition::Advance),
        ]
        .boxed()
    }

    fn apply(mut state: Self, transition: &Transition) -> Self {
        state.told.clear();
        state.answer = state.step(transition);
        state
    }
}

struct Tested {
    store: Store<Key, u64>,
    clock: ManualClock,
    told: Arc<Mutex<Vec<Told>>>,
}

fn ticks(n: u64) -> Duration {
    Duration::from_millis(n)
}

impl Tested {
    fn step(&self, transition: Transition) -> Option<u64> {
        let store = &self.store;
        match transition {
            Transition::Put(key, value, None) => store.put(key, value),
            Transition::Put(key, value, Some(ttl)) => {
                store.put_with_ttl(key, value, ticks(ttl).into()).expect("the TTL is fine")
            }
            Transition::PutKeepingTtl(key, value) => {
                store.put_with_ttl(key, value, Ttl::Keep).expect("there is no TTL")
            }
            Transition::TryPut(key, value) => store.try_put(key, value, Ttl::Never).ok().flatten(),
            Transition::Get(key) => store.get(&key),
            Transition::Contains(key) => store.contains(&key).then_some(1),
            Transition::Expire(key, ttl) => {
                store.expire(&key, ticks(ttl).into()).expect("the TTL is fine").then_some(1)
            }
            Transition::Persist(key) => store.persist(&key).then_some(1),
            Transition::Update(key, value) => {
                store.update(&key, |held| std::mem::replace(held, value))
            }
            Transition::ComputePut(key, value) => {
                store.compute(key, |_| Compute::Put(value)).expect("there is no TTL")
            }
            Transition::ComputeDelete(key) => {
                store.compute(key, |_| Compute::Delete).expect("there is no TTL")
            }
            Transition::Load(key, value) => Some(store.get_or_put_with(key, || value)),
            Transition::Delete(key) => store.delete(&key),
            Transition::Retain(below) => {
                store.retain(|key, _| *key < below);
                None
            }
            Transition::Clean => {
                store.clean();
                None
            }
            Transition::Purge => {
                store.purge();
                None
            }
            Transition::Advance(by) => {
                self.clock.advance(ticks(by));
                None
            }
        }
    }
}

impl StateMachineTest for Tested {
    type SystemUnderTest = Self;
    type Reference = Model;

    fn init_test(model: &Model) -> Self {
        let (clock, told) = (ManualClock::new(), Arc::<Mutex<Vec<Told>>>::default());
        let log = Arc::clone(&told);
        let builder = Store::builder()
            .clock(clock.clone())
            .sweeper(Sweeper::Manual)
            .tick(TICK)
            .eviction(Eviction::Lru)
            .on_removal(move |&key, &value, cause| {
                log.lock().expect("nobody failed with it").push((key, value, cause));
            });
        let builder = if model.weighed {
            builder.max_weight(model.max).weigher(|_, value| *value)
        } else {
            builder.max_entries(usize::try_from(model.max).expect("it is small"))
        };
        Self { store: builder.build().expect("all of that can be had"), clock, told }
    }

    fn apply(tested: Self, model: &Model, transition: Transition) -> Self {
        let answer = tested.step(transition);
        assert_eq!(answer, model.answer);
        let mut told = std::mem::take(&mut *tested.told.lock().expect("nobody failed with it"));
        let mut expected = model.told.clone();
        // Those that go by one call go in no order, as far as keys of their own are concerned.
        told.sort_by_key(|told| told.0);
        expected.sort_by_key(|told| told.0);
        assert_eq!(told, expected, "who went, and why");
        tested
    }

    fn check_invariants(tested: &Self, model: &Model) {
        let is_live = |pair: &&Pair| pair.deadline.is_none_or(|deadline| deadline > model.now);
        let mut expected: Vec<_> =
            model.held.iter().filter(is_live).map(|pair| (pair.key, pair.value)).collect();
        expected.sort_unstable();
        let mut live = Vec::new();
        tested.store.for_each(|&key, &value| live.push((key, value)));
        live.sort_unstable();
        assert_eq!(live, expected);
        let stats = tested.store.stats();
        assert_eq!((stats.entries, stats.weight), (model.held.len(), model.sum()));
        let with_ttl = model.held.iter().filter(|pair| pair.deadline.is_some()).count();
        assert_eq!(stats.expiry_nodes, with_ttl);
    }
}

prop_state_machine! {
    #![proptest_config(Config { cases: 1_024, failure_persistence: None, ..Config::default() })]

    #[test]
    fn an_lru_store_holds_what_the_model_holds(sequential 1..100 => Tested);
}
