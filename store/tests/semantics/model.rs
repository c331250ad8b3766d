//! Any sequence of calls, beside a plain model of what the contract says of them.

use crate::support::{after, ms, unswept};
use proptest::prelude::*;
use std::collections::BTreeMap;
use store::{Compute, ManualClock, Store, Ttl, TtlError};

#[derive(Debug, Clone)]
enum Operation {
    Put(u8, u32),
    PutWithTtl(u8, u32, Ttl),
    Get(u8),
    Delete(u8),
    Ttl(u8),
    Expire(u8, Ttl),
    Persist(u8),
    Update(u8, u32),
    Compute(u8, Compute<u32>),
    Retain(u32),
    Advance(u64),
    Sweep(usize),
    Clean,
    Purge,
}

fn any_ttl() -> impl Strategy<Value = Ttl> {
    prop_oneof![
        1 => Just(Ttl::Default),
        1 => Just(Ttl::Never),
        1 => Just(Ttl::Keep),
        1 => Just(after(0)),
        1 => Just(after(u64::MAX)),
        6 => (1_u64..200).prop_map(after),
        2 => (1_u64..500_000).prop_map(after),
    ]
}

fn any_compute() -> impl Strategy<Value = Compute<u32>> {
    prop_oneof![
        Just(Compute::Keep),
        any::<u32>().prop_map(Compute::Put),
        (any::<u32>(), any_ttl()).prop_map(|(value, ttl)| Compute::PutWithTtl(value, ttl)),
        Just(Compute::Delete),
    ]
}

fn any_operation() -> impl Strategy<Value = Operation> {
    let key = || 0_u8..6;
    prop_oneof![
        2 => (key(), any::<u32>()).prop_map(|(k, v)| Operation::Put(k, v)),
        6 => (key(), any::<u32>(), any_ttl()).prop_map(|(k, v, t)| Operation::PutWithTtl(k, v, t)),
        2 => key().prop_map(Operation::Get),
        2 => key().prop_map(Operation::Delete),
        1 => key().prop_map(Operation::Ttl),
        4 => (key(), any_ttl()).prop_map(|(k, t)| Operation::Expire(k, t)),
        2 => key().prop_map(Operation::Persist),
        1 => (key(), any::<u32>()).prop_map(|(k, v)| Operation::Update(k, v)),
        3 => (key(), any_compute()).prop_map(|(k, c)| Operation::Compute(k, c)),
        1 => any::<u32>().prop_map(Operation::Retain),
        6 => (0_u64..120).prop_map(Operation::Advance),
        1 => (0_u64..400_000_000_000).prop_map(Operation::Advance),
        3 => (0_usize..4).prop_map(Operation::Sweep),
        2 => Just(Operation::Clean),
        1 => Just(Operation::Purge),
    ]
}

/// What is alive: values, with their deadlines. The dead are forgotten as time moves.
struct Model {
    alive: BTreeMap<u8, (u32, Option<u64>)>,
    now_ms: u64,
    default_ttl_ms: Option<u64>,
}

impl Model {
    fn put(&mut self, key: u8, value: u32, ttl: Ttl) -> Result<Option<u32>, TtlError> {
        let deadline = self.deadline(key, ttl)?;
        Ok(self.alive.insert(key, (value, deadline)).map(|(former, _)| former))
    }

    fn deadline(&self, key: u8, ttl: Ttl) -> Result<Option<u64>, TtlError> {
        let default = self.default_ttl_ms.map(|ttl_ms| self.now_ms + ttl_ms);
        match ttl {
            Ttl::Default => Ok(default),
            Ttl::Never => Ok(None),
            Ttl::Keep => Ok(self.alive.get(&key).map_or(default, |&(_, deadline)| deadline)),
            Ttl::After(ttl) if ttl.is_zero() => Err(TtlError::Zero),
            Ttl::After(ttl) if ttl == ms(u64::MAX) => Err(TtlError::TooLong),
            Ttl::After(ttl) => {
                Ok(Some(self.now_ms + u64::try_from(ttl.as_millis()).expect("short")))
            }
        }
    }

    fn expire(&mut self, key: u8, ttl: Ttl) -> Result<bool, TtlError> {
        let deadline = self.deadline(key, ttl)?;
        let found = self.alive.get_mut(&key);
        Ok(found.map(|pair| pair.1 = deadline).is_some())
    }

    fn compute(&mut self, key: u8, wanted: &Compute<u32>) -> Result<Option<u32>, TtlError> {
        match *wanted {
            Compute::Put(value) => self.put(key, value, Ttl::Default),
            Compute::PutWithTtl(value, ttl) => self.put(key, value, ttl),
            Compute::Delete => Ok(self.delete(key)),
            _ => Ok(None),
        }
    }

    fn delete(&mut self, key: u8) -> Option<u32> {
        self.alive.remove(&key).map(|(value, _)| value)
    }

    fn get(&self, key: u8) -> Option<u32> {
        self.alive.get(&key).map(|&(value, _)| value)
    }

    fn ttl(&self, key: u8) -> Option<Ttl> {
        let &(_, deadline) = self.alive.get(&key)?;
        Some(deadline.map_or(Ttl::Never, |deadline| after(deadline - self.now_ms)))
    }

    fn advance(&mut self, step_ms: u64) {
        self.now_ms += step_ms;
        let now_ms = self.now_ms;
        self.alive.retain(|_, (_, deadline)| deadline.is_none_or(|deadline| now_ms < deadline));
    }
}

fn step(clock: &ManualClock, store: &Store<u8, u32>, model: &mut Model, operation: Operation) {
    match operation {
        Operation::Put(key, value) => {
            assert_eq!(Ok(store.put(key, value)), model.put(key, value, Ttl::Default));
        }
        Operation::PutWithTtl(key, value, ttl) => {
            assert_eq!(store.put_with_ttl(key, value, ttl), model.put(key, value, ttl));
        }
        Operation::Get(key) => assert_eq!(store.get(&key), model.get(key)),
        Operation::Delete(key) => assert_eq!(store.delete(&key), model.delete(key)),
        Operation::Ttl(key) => assert_eq!(store.ttl(&key), model.ttl(key)),
        Operation::Expire(key, ttl) => {
            assert_eq!(store.expire(&key, ttl), model.expire(key, ttl));
        }
        Operation::Persist(key) => {
            let had_ttl = matches!(model.ttl(key), Some(Ttl::After(_)));
            assert_eq!(store.persist(&key), had_ttl);
            model.expire(key, Ttl::Never).expect("it is no TTL");
        }
        Operation::Update(key, value) => {
            let updated = store.update(&key, |held| std::mem::replace(held, value));
            assert_eq!(updated, model.get(key));
            model.alive.entry(key).and_modify(|pair| pair.0 = value);
        }
        Operation::Compute(key, wanted) => {
            let expected = model.get(key);
            let computed = store.compute(key, |found| {
                assert_eq!(found.copied(), expected);
                wanted.clone()
            });
            assert_eq!(computed, model.compute(key, &wanted));
        }
        Operation::Retain(mask) => {
            store.retain(|key, _| mask >> key & 1 == 1);
            model.alive.retain(|key, _| mask >> key & 1 == 1);
            assert_eq!(store.len(), model.alive.len());
        }
        Operation::Advance(step_ms) => {
            clock.advance(ms(step_ms));
            model.advance(step_ms);
        }
        Operation::Sweep(budget) => assert!(store.sweep(budget).removed <= budget),
        Operation::Clean => {
            let held = store.len();
            assert_eq!(store.clean(), held - store.len());
            assert_eq!(store.len(), model.alive.len(), "the dead are all gone");
        }
        Operation::Purge => {
            let held = store.len();
            assert_eq!((store.purge(), store.len()), (held, 0));
            model.alive.clear();
        }
    }
}

/// What must hold whatever was called.
fn check(store: &Store<u8, u32>, model: &Model) {
    let mut shown = BTreeMap::new();
    store.for_each(|&key, &value| assert_eq!(shown.insert(key, value), None, "shown twice"));
    let alive: BTreeMap<_, _> =
        model.alive.iter().map(|(&key, &(value, _))| (key, value)).collect();
    assert_eq!(shown, alive);
    let stats = store.stats();
    let dead = store.len() - alive.len();
    let with_ttl = model.alive.values().filter(|(_, deadline)| deadline.is_some()).count();
    assert_eq!(stats.expiry_nodes, with_ttl + dead, "a node for each pair held with a TTL");
    assert_eq!((stats.entries, store.live_len()), (store.len(), alive.len()));
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(400) })]

    // Fails while `clean` misses pairs that were put after the last one within the same tick.
    #[test]
    fn any_sequence_of_calls_does_what_the_model_says(
        operations in prop::collection::vec(any_operation(), 1..100),
        tick_ms in prop_oneof![Just(1_u64), Just(3), Just(50), Just(3_600_000)],
        default_ttl_ms in prop_oneof![Just(None), (1_u64..300).prop_map(Some)],
    ) {
        let (clock, mut builder) = unswept();
        if let Some(ttl_ms) = default_ttl_ms {
            builder = builder.default_ttl(ms(ttl_ms));
        }
        let store = builder.tick(ms(tick_ms)).build().unwrap();
        let mut model = Model { alive: BTreeMap::new(), now_ms: 0, default_ttl_ms };
        for operation in operations {
            // A century of up-time is more than a deadline can tell; the tests of TTLs go there.
            if model.now_ms > 1_000_000_000_000 {
                break;
            }
            step(&clock, &store, &mut model, operation);
            check(&store, &model);
        }
    }
}
