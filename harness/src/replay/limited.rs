//! A target whose capacity is known: a search must find it, and say that the target was the limit.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use super::keys::Numbers;
use super::probing::{self, Plan};
use super::session::Silent;
use super::value::Value;
use crate::report::Limit;
use crate::report::capacity::{Probe, SearchRecord, Settings};
use crate::target::{Key, Options, Target};
use crate::workload::{Overrides, Source, load};

/// How long each get occupies the target, of which there is one for all threads.
const SERVICE: Duration = Duration::from_micros(500);
/// So it cannot answer more than this.
const LIMIT_PER_SECOND: f64 = 2_000.0;

/// A map that answers gets one after the other, each after [`SERVICE`].
#[derive(Clone)]
struct Counter<K, V> {
    map: Arc<Mutex<HashMap<K, V>>>,
    /// When it will have answered all that it was asked so far. A time rather than a lock that is
    /// slept with: what one sleep is too long the next is shorter.
    free: Arc<Mutex<Instant>>,
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<K: Key, V: Value> Target<K, V> for Counter<K, V> {
    fn open(_options: &Options) -> Result<Self, String> {
        Ok(Self { map: Arc::default(), free: Arc::new(Mutex::new(Instant::now())) })
    }

    fn get<R>(&mut self, key: &K::Lent, read: impl FnOnce(&V) -> R) -> Option<R> {
        let mut free = lock(&self.free);
        let answered = Instant::now().max(*free) + SERVICE;
        *free = answered;
        drop(free);
        thread::sleep(answered.saturating_duration_since(Instant::now()));
        lock(&self.map).get(key).map(read)
    }

    fn put(&mut self, key: K, value: V) {
        lock(&self.map).insert(key, value);
    }

    fn put_with_ttl(&mut self, key: K, value: V, _ttl: Duration) {
        self.put(key, value);
    }

    fn delete(&mut self, key: &K::Lent) -> bool {
        lock(&self.map).remove(key).is_some()
    }

    fn expire(&mut self, _key: &K::Lent, _ttl: Duration) -> bool {
        false
    }

    fn entries(&mut self) -> Option<u64> {
        Some(lock(&self.map).len() as u64)
    }
}

/// Gets alone, of keys of which the second phase deletes some.
const WORKLOAD: &str = r#"
schema = 1
name = "limited"
seed = 11
[run]
threads = 4
[keyspace.a]
keys = 200
key = { kind = "u64" }
value = { kind = "u64" }
prefill = {}
[[phase]]
name = "gets"
ops = 1
commands = [{ verb = "get", keyspace = "a", weight = 1, keys = { dist = "uniform" } }]
[phase.slo]
get = ["p(90) < 60ms"]
[[phase]]
name = "deletes"
ops = 1
commands = [
  { verb = "get", keyspace = "a", weight = 1, keys = { dist = "uniform" } },
  { verb = "delete", keyspace = "a", weight = 1, keys = { dist = "uniform" } },
]
[phase.slo]
get = ["p(50) < 60s"]
"#;

fn search(phase: usize, from: f64, to: Option<f64>, probe_seconds: f64) -> SearchRecord {
    let source = Source { label: "limited.toml".into(), text: WORKLOAD.into() };
    let mut workload = load(&source, &Overrides::default()).expect("valid").remove(0).workload;
    workload.phases.drain(..phase);
    let settings =
        Settings { from_per_second: from, to_per_second: to, precision: 0.1, probe_seconds };
    let objectives = workload.phases[0].slo.clone();
    let plan = Plan { phase: 0, objectives, settings };
    probing::run::<Counter<u64, u64>, Numbers, u64>(
        &workload,
        &plan,
        None,
        &mut Silent,
        Numbers::new,
    )
    .expect("searched")
}

#[test]
fn a_known_limit_is_found_and_is_the_targets() {
    let found = search(0, 250.0, Some(16_000.0), 0.6);
    let (holds, fails) = (found.holds_per_second, found.fails_per_second);
    let (holds, fails) = (holds.expect("some rate holds"), fails.expect("some rate fails"));
    // Half of it and twice as much leave room for a machine that is busy with something else.
    assert!(holds > 0.5 * LIMIT_PER_SECOND && holds < 1.5 * LIMIT_PER_SECOND, "{found:?}");
    assert!(fails > 0.5 * LIMIT_PER_SECOND && fails < 2.0 * LIMIT_PER_SECOND, "{found:?}");
    assert_eq!(found.counts.false_answers(), 0, "{:?}", found.counts);
    assert!(!found.is_restored, "gets change nothing");
}

#[test]
fn far_above_the_limit_nothing_holds_and_the_target_is_to_blame() {
    let found = search(0, 3.0 * LIMIT_PER_SECOND, Some(20_000.0), 0.6);
    assert_eq!(found.holds_per_second, None, "{found:?}");
    assert_eq!(found.limit, Some(Limit::Target), "{found:?}");
    assert_eq!(found.probes.len(), 2, "the lowest rate is tried twice: {found:?}");
    for probe in &found.probes {
        assert!(probe.achieved_per_second < 0.7 * probe.offered_per_second, "{probe:?}");
    }
}

#[test]
fn each_probe_finds_the_keys_that_the_one_before_deleted() {
    let found = search(1, 900.0, Some(1_000.0), 0.4);
    assert!(found.is_restored);
    assert!(found.probes.len() >= 3, "{found:?}");
    // All are of about the same rate, and do the same operations: some 200 deletes of 200 keys.
    // Without putting back, the last finds only what the others have left.
    let ratio = |probe: &Probe| probe.counts.hit_ratio().expect("there were gets");
    let [first, .., last] = &found.probes[..] else { panic!("{found:?}") };
    let (first, last) = (ratio(first), ratio(last));
    assert!(first > 0.4 && last > 0.75 * first, "{first} of gets hit, then {last}: {found:?}");
    assert_eq!(found.counts.false_answers(), 0, "{:?}", found.counts);
}
