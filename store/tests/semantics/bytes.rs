//! The store of bytes: whatever is called on it, it answers as a `Store` of vectors does; and what
//! only it has.

use crate::support::{after, ignore, ms, random_numbers, together};
use proptest::prelude::*;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use store::{
    Builder, ByteStore, Compute, Eviction, ManualClock, Refusal, RemovalCause, Store, Sweeper, Ttl,
};

#[test]
fn get_many_answers_in_order_while_the_table_grows_and_shrinks() {
    let store = ByteStore::new();
    let text = |number: u32| format!("value {number}");
    for number in 0..20_000_u32 {
        store.put(number.to_le_bytes(), text(number));
        if number % 997 == 0 || number == 19_999 {
            // Of any number of keys up to three batches, some of them not there yet.
            let asked: Vec<u32> = (0..number / 997 * 3).map(|n| (n * 7_919) % 25_000).collect();
            let found = store.get_many(asked.iter().map(|asked| asked.to_le_bytes()));
            let expected = asked.iter().map(|&asked| (asked <= number).then(|| text(asked)));
            let found = found.iter().map(|record| record.as_deref());
            assert!(
                found.eq(expected.collect::<Vec<_>>().iter().map(|v| Some(v.as_ref()?.as_bytes())))
            );
        }
    }
    store.retain(|key, _| key[0] == 0);
    let found = store.get_many((0..600_u32).map(u32::to_le_bytes));
    let live = found.iter().enumerate().filter(|(_, record)| record.is_some());
    assert!(live.map(|(at, _)| at).eq([0, 256, 512]));
    let stats = store.stats();
    assert_eq!(stats.hits + stats.misses, (1..=20).map(|n| n * 3).sum::<u64>() + 60 + 600);
}

type Bytes = Vec<u8>;
type Told = Arc<Mutex<Vec<(Bytes, Bytes, RemovalCause)>>>;

#[derive(Debug, Clone)]
enum Operation {
    Put(u8, u8, Ttl),
    TryPut(u8, u8, Ttl),
    Get(u8),
    Delete(u8),
    Ttl(u8),
    Expire(u8, Ttl),
    Persist(u8),
    Compute(u8, Compute<Bytes>),
    Load(u8, u8),
    Retain(u8),
    Advance(u64),
    Sweep,
    Clean,
    Purge,
}

fn any_ttl() -> impl Strategy<Value = Ttl> {
    prop_oneof![
        Just(Ttl::Default),
        Just(Ttl::Never),
        Just(Ttl::Keep),
        Just(after(0)),
        (1_u64..200).prop_map(after),
        (1_u64..5_000).prop_map(after),
    ]
}

fn any_operation() -> impl Strategy<Value = Operation> {
    let key = || 0_u8..8;
    let compute = prop_oneof![
        Just(Compute::Keep),
        Just(Compute::Delete),
        any::<u8>().prop_map(|n| Compute::Put(value(n))),
        (any::<u8>(), any_ttl()).prop_map(|(n, ttl)| Compute::PutWithTtl(value(n), ttl)),
    ];
    prop_oneof![
        8 => (key(), any::<u8>(), any_ttl()).prop_map(|(k, v, t)| Operation::Put(k, v, t)),
        2 => (key(), any::<u8>(), any_ttl()).prop_map(|(k, v, t)| Operation::TryPut(k, v, t)),
        4 => key().prop_map(Operation::Get),
        2 => key().prop_map(Operation::Delete),
        2 => key().prop_map(Operation::Ttl),
        3 => (key(), any_ttl()).prop_map(|(k, t)| Operation::Expire(k, t)),
        1 => key().prop_map(Operation::Persist),
        6 => (key(), compute).prop_map(|(k, c)| Operation::Compute(k, c)),
        2 => (key(), any::<u8>()).prop_map(|(k, v)| Operation::Load(k, v)),
        1 => any::<u8>().prop_map(Operation::Retain),
        6 => (0_u64..120).prop_map(Operation::Advance),
        2 => Just(Operation::Sweep),
        1 => Just(Operation::Clean),
        1 => Just(Operation::Purge),
    ]
}

/// Values from nothing to more than what is put together on the stack; heavy ones among them.
fn value(n: u8) -> Bytes {
    vec![n; usize::from(n) * 3]
}

fn key(n: u8) -> Bytes {
    format!("key {n}").into_bytes()
}

/// How the stores are bounded.
#[derive(Debug, Clone, Copy)]
enum Bound {
    None,
    Entries(Eviction),
    Weight(Eviction),
}

fn any_bound() -> impl Strategy<Value = Bound> {
    prop_oneof![
        Just(Bound::None),
        Just(Bound::Entries(Eviction::S3Fifo)),
        Just(Bound::Entries(Eviction::Lru)),
        Just(Bound::Weight(Eviction::S3Fifo)),
        Just(Bound::Weight(Eviction::Lru)),
    ]
}

/// Both stores in step, and what either told its listener.
struct Both {
    apart: Store<Bytes, Bytes>,
    together: ByteStore,
    clock: ManualClock,
    bounded: bool,
    told: [Told; 2],
}

/// What both builders are asked for.
macro_rules! choose {
    ($builder:expr, $bound:expr, $clock:expr, $told:expr) => {{
        let told = Arc::clone(&$told);
        let builder = $builder
            .clock($clock.clone())
            .sweeper(Sweeper::Manual)
            .default_ttl(ms(3_000))
            .on_removal(move |key, value, cause| {
                told.lock().unwrap().push((key.to_vec(), value.to_vec(), cause));
            });
        match $bound {
            Bound::None => builder,
            Bound::Entries(eviction) => builder.max_entries(5).eviction(eviction),
            Bound::Weight(eviction) => builder
                .max_weight(600)
                .weigher(|key, value| (key.len() + value.len()) as u64)
                .eviction(eviction),
        }
        .build()
        .expect("it can be built")
    }};
}

impl Both {
    fn new(bound: Bound) -> Self {
        let (clock, told) = (ManualClock::new(), [Told::default(), Told::default()]);
        let apart: Builder<Bytes, Bytes> = Store::builder();
        Self {
            apart: choose!(apart, bound, clock, told[0]),
            together: choose!(ByteStore::builder(), bound, clock, told[1]),
            clock,
            bounded: !matches!(bound, Bound::None),
            told,
        }
    }

    fn apply(&self, operation: Operation) {
        let (apart, together) = (&self.apart, &self.together);
        let bytes = |record: Option<store::Record>| record.map(|record| record.to_vec());
        match operation {
            Operation::Put(k, v, ttl) => assert_eq!(
                apart.put_with_ttl(key(k), value(v), ttl),
                together.put_with_ttl(key(k), value(v), ttl).map(bytes),
            ),
            Operation::TryPut(k, v, ttl) => assert_eq!(
                apart.try_put(key(k), value(v), ttl).map_err(|refused| refused.reason),
                together.try_put(key(k), value(v), ttl).map(bytes),
            ),
            Operation::Get(k) => assert_eq!(apart.get(&key(k)), bytes(together.get(key(k)))),
            Operation::Delete(k) => {
                assert_eq!(apart.delete(&key(k)), bytes(together.delete(key(k))));
            }
            Operation::Ttl(k) => {
                assert_eq!(apart.ttl(&key(k)), together.ttl(key(k)));
                let seen = together.peek(key(k), |record, ttl| (record.to_vec(), ttl));
                assert_eq!(apart.peek(&key(k), |value, ttl| (value.clone(), ttl)), seen);
            }
            Operation::Expire(k, ttl) => {
                let expired = apart.expire(&key(k), ttl);
                // A closure that is not asked cannot ask for a bad TTL.
                let wanted = if apart.contains(&key(k)) { expired } else { Ok(false) };
                assert_eq!(wanted, together.expire_with(key(k), |_, _| Some(ttl)));
                assert_eq!(apart.expire(&key(k), ttl), together.expire(key(k), ttl));
            }
            Operation::Persist(k) => assert_eq!(apart.persist(&key(k)), together.persist(key(k))),
            Operation::Compute(k, wanted) => self.compute(k, &wanted),
            Operation::Load(k, v) => assert_eq!(
                apart.get_or_put_with(key(k), || value(v)),
                together.get_or_put_with(key(k), || value(v)).value(),
            ),
            Operation::Retain(n) => {
                apart.retain(|_, value| value.first() != Some(&n));
                together.retain(|_, value| value.first() != Some(&n));
            }
            Operation::Advance(by) => {
                self.clock.advance(ms(by));
                if self.bounded {
                    // Some calls reclaim a dead pair in one store and leave it in the other, where
                    // it would then stand in the way of another.
                    assert_eq!(apart.clean(), together.clean());
                }
            }
            // In full: a pair that took an expired one's place keeps its node if it is apart, so
            // that a budget may end earlier.
            Operation::Sweep => {
                ignore((apart.sweep(usize::MAX), together.sweep(usize::MAX)));
            }
            Operation::Clean => assert_eq!(self.clean(), (0, 0)),
            Operation::Purge => {
                self.clean();
                assert_eq!(apart.purge(), together.purge());
            }
        }
    }

    fn compute(&self, k: u8, wanted: &Compute<Bytes>) {
        let (mut seen, mut seen_together) = (None, None);
        let replaced = self.apart.compute(key(k), |found| {
            seen = found.cloned();
            wanted.clone()
        });
        let replaced_together = self.together.compute(key(k), |found| {
            seen_together = found.map(|record| record.to_vec());
            wanted.clone()
        });
        assert_eq!(seen, seen_together);
        assert_eq!(replaced, replaced_together.map(|record| record.map(|record| record.to_vec())));
    }

    /// Reclaims all that is dead; then nothing is left to reclaim.
    fn clean(&self) -> (usize, usize) {
        ignore((self.apart.clean(), self.together.clean()));
        (self.apart.clean(), self.together.clean())
    }

    fn verify(&self) {
        self.clean();
        let (mut apart, mut together) = (Vec::new(), Vec::new());
        self.apart.for_each(|key, value| apart.push((key.clone(), value.clone())));
        self.together.for_each(|key, value| together.push((key.to_vec(), value.to_vec())));
        apart.sort();
        together.sort();
        assert_eq!(apart, together, "what is held");
        let [apart, together] = [self.apart.stats(), self.together.stats()].map(|stats| {
            let expired = stats.expired_lazily + stats.expired_by_sweeper;
            let counted = [stats.hits, stats.misses, stats.puts, stats.loads, stats.deletes];
            let gone = [expired, stats.evicted, stats.purged, stats.weight];
            (counted, gone, stats.entries, stats.expiry_nodes)
        });
        assert_eq!(apart, together);
        let [apart, together] = self.told.each_ref().map(|told| {
            let mut told = told.lock().expect("no listener panics").clone();
            // `purge` and `retain` tell in the order of the table, which is another.
            told.sort_by(|a, b| (&a.0, &a.1).cmp(&(&b.0, &b.1)));
            told
        });
        assert_eq!(apart, together, "what was told");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    /// One key's hash is the same in either store, so even evictions are those of the other.
    #[test]
    fn bytes_together_answer_as_bytes_apart(
        bound in any_bound(),
        operations in prop::collection::vec(any_operation(), 1..60),
    ) {
        let both = Both::new(bound);
        for operation in operations {
            both.apply(operation);
        }
        both.verify();
    }
}

#[test]
fn a_record_outlives_its_pair() {
    let store = ByteStore::new();
    store.put("k", "one");
    let held = store.get("k").expect("it was put");
    store.put("k", "two");
    ignore(store.delete("k"));
    drop(store);
    assert_eq!((held.key(), held.value()), (&b"k"[..], &b"one"[..]));
}

#[test]
fn a_record_says_whether_it_is_the_same() {
    let store = ByteStore::new();
    store.put("k", "v");
    let (first, second) = (store.get("k").expect("there"), store.get("k").expect("there"));
    assert!(first.is_same(&second));
    store.put("k", "v");
    assert!(!first.is_same(&store.get("k").expect("there")), "another put, another record");
}

#[test]
fn a_compute_that_is_overtaken_is_asked_again() {
    let store = ByteStore::new();
    store.put("k", "1");
    let mut asked = Vec::new();
    let replaced = store.compute("k", |found| {
        asked.push(found.map(|record| record.to_vec()));
        if asked.len() == 1 {
            // With no lock held, the closure itself may be who overtakes it.
            store.put("k", "2");
        }
        Compute::Put("3")
    });
    assert_eq!(asked, [Some(b"1".to_vec()), Some(b"2".to_vec())]);
    assert_eq!(replaced.expect("no TTL").as_deref(), Some(&b"2"[..]));
    assert_eq!(store.get("k").as_deref(), Some(&b"3"[..]));
}

#[test]
fn a_compute_whose_value_expires_meanwhile_is_asked_again() {
    let clock = ManualClock::new();
    let builder = ByteStore::builder().clock(clock.clone()).sweeper(Sweeper::Manual);
    let store = builder.build().expect("it can be built");
    for wanted in [Compute::Put("new"), Compute::PutWithTtl("new", Ttl::Keep), Compute::Delete] {
        store.put_with_ttl("k", "old", after(10)).expect("the TTL is good");
        let mut asked = Vec::new();
        let replaced = store.compute("k", |found| {
            asked.push(found.is_some());
            clock.advance(ms(10));
            wanted.clone()
        });
        assert_eq!(asked, [true, false]);
        assert_eq!(replaced.expect("no TTL").as_deref(), None);
        let stored = wanted != Compute::Delete;
        assert_eq!(store.get("k").is_some(), stored);
        assert_eq!(store.ttl("k"), stored.then_some(Ttl::Never), "no deadline is kept of the dead");
        store.purge();
    }
    assert_eq!((store.len(), store.stats().expiry_nodes), (0, 0));
}

#[test]
fn what_many_threads_add_is_not_lost() {
    const THREADS: u64 = 4;
    const ROUNDS: u64 = 2_000;
    let store = ByteStore::new();
    let adding = store.clone();
    together(THREADS, move |_| {
        for _ in 0..ROUNDS {
            let added = adding.compute("sum", |found| {
                let sum = found.map_or(0, |sum| u64::from_le_bytes((**sum).try_into().unwrap()));
                Compute::Put((sum + 1).to_le_bytes())
            });
            ignore(added);
        }
    });
    let sum = store.read("sum", |sum| u64::from_le_bytes(sum.try_into().unwrap()));
    assert_eq!(sum, Some(THREADS * ROUNDS));
}

#[test]
fn no_value_is_ever_that_of_another_key() {
    let store = ByteStore::builder().max_entries(64).build().expect("it can be built");
    let (using, wrong) = (store.clone(), Arc::new(AtomicU64::new(0)));
    let seen = Arc::clone(&wrong);
    together(4, move |thread| {
        for n in random_numbers(thread).take(20_000) {
            let key = (n % 128).to_le_bytes();
            match n >> 60 {
                0..5 => ignore(using.put(key, [key, key].concat())),
                5 => ignore(using.put_with_ttl(key, [key, key].concat(), after(1))),
                6 => ignore(using.delete(key)),
                _ => {
                    let right = |record: &store::Record| {
                        record.key() == key && record.value() == [key, key].concat()
                    };
                    if using.get(key).is_some_and(|record| !right(&record)) {
                        seen.fetch_add(1, Ordering::Relaxed);
                    }
                }
            }
        }
    });
    assert_eq!(wrong.load(Ordering::Relaxed), 0);
    assert!(store.len() <= 64);
}

#[test]
fn a_ttl_is_changed_under_a_condition() {
    let clock = ManualClock::new();
    let store = ByteStore::builder().clock(clock.clone()).build().expect("it can be built");
    assert_eq!(store.expire_with("k", |_, _| Some(after(1))), Ok(false), "nothing is there");
    store.put("k", "v");
    assert_eq!(store.expire_with("k", |_, ttl| (ttl == Ttl::Never).then_some(after(50))), Ok(true));
    assert_eq!(store.ttl("k"), Some(after(50)));
    assert_eq!(store.expire_with("k", |_, _| Some(Ttl::Keep)), Ok(true));
    assert!(store.expire_with("k", |_, _| Some(after(0))).is_err());
    assert_eq!(store.ttl("k"), Some(after(50)), "nothing is changed by an error");
    clock.advance(ms(50));
    assert_eq!(store.expire_with("k", |_, _| Some(after(100))), Ok(false), "it is not revived");
    store.put("k", "v");
    assert_eq!(store.expire_with("k", |_, _| None), Ok(true));
    assert_eq!((store.get("k").is_none(), store.len(), store.stats().deletes), (true, 0, 1));
}

#[test]
fn a_pair_that_is_too_heavy_is_told_of_as_such() {
    let told = Told::default();
    let seen = Arc::clone(&told);
    let store = ByteStore::builder()
        .max_weight(10)
        .weigher(|_, value| value.len() as u64)
        .on_removal(move |key, value, cause| {
            seen.lock().unwrap().push((key.to_vec(), value.to_vec(), cause));
        })
        .build()
        .expect("it can be built");
    store.put("k", "small");
    let refused = store.try_put("k", "far too large", Ttl::Default);
    assert_eq!(refused.unwrap_err(), Refusal::TooHeavy { weight: 13, max_weight: 10 });
    assert_eq!(store.put("k", "far too large").as_deref(), Some(&b"small"[..]));
    assert_eq!(store.len(), 0);
    let small = (b"k".to_vec(), b"small".to_vec(), RemovalCause::Replaced);
    let large = (b"k".to_vec(), b"far too large".to_vec(), RemovalCause::Evicted);
    assert_eq!(*told.lock().unwrap(), [small, large]);
}
