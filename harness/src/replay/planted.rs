//! Targets that lie, each in one way: the oracle must see every one of them, and must see
//! nothing where nothing is wrong.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::keys::{Keys as _, Numbers, Texts};
use super::session::{self, Silent};
use super::value::Value;
use crate::report::Counts;
use crate::target::{Key, Options, Target};
use crate::workload::{Overrides, Source, Workload, load};

/// A map that is right in all but the way that `FAULT` says.
#[derive(Clone)]
struct Liar<K, V, const FAULT: u8>(Arc<Mutex<State<K, V>>>);

struct State<K, V> {
    map: HashMap<K, (V, Option<Instant>)>,
    calls: u64,
    last: Option<V>,
}

const HONEST: u8 = 0;
/// Now and then returns the value that another key was last given.
const FOREIGN: u8 = 1;
/// Returns values past their deadlines.
const NEVER_EXPIRES: u8 = 2;
/// Returns values up to 40 ms past their deadlines.
const EXPIRES_LATE: u8 = 3;
/// Ends entries 40 ms before their deadlines.
const EXPIRES_EARLY: u8 = 4;
/// Forgets one put in a hundred.
const LOSES_PUTS: u8 = 5;
/// Deletes nothing.
const KEEPS_DELETED: u8 = 6;
/// Writes only if there is nothing yet.
const KEEPS_OLD: u8 = 7;
/// Forgets one put in a hundred, as a target with a bound may.
const EVICTS: u8 = 8;
/// Has a bound, and returns values past their deadlines.
const EVICTS_BUT_NEVER_EXPIRES: u8 = 9;
/// Says that keys have got a new TTL, and leaves them the old one.
const FORGETS_EXPIRES: u8 = 10;
/// Answers a request for several keys in the wrong order.
const SHUFFLES_BATCHES: u8 = 11;
/// Leaves one answer in ten out of those to a request for several keys.
const SKIPS_IN_BATCHES: u8 = 12;

const LIE: Duration = Duration::from_millis(40);

impl<K: Key, V: Value, const FAULT: u8> Liar<K, V, FAULT> {
    fn with<R>(&self, act: impl FnOnce(&mut State<K, V>) -> R) -> R {
        act(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn is_dead(deadline: Option<Instant>) -> bool {
        let now = Instant::now();
        deadline.is_some_and(|deadline| match FAULT {
            NEVER_EXPIRES | EVICTS_BUT_NEVER_EXPIRES => false,
            EXPIRES_LATE => now >= deadline + LIE,
            EXPIRES_EARLY => now + LIE >= deadline,
            _ => now >= deadline,
        })
    }

    fn write(&self, key: K, value: V, ttl: Option<Duration>) {
        self.with(|state| {
            state.calls += 1;
            state.last = Some(value.clone());
            if matches!(FAULT, LOSES_PUTS | EVICTS) && state.calls.is_multiple_of(100) {
                state.map.remove(key.borrow());
                return;
            }
            let deadline = ttl.map(|ttl| Instant::now() + ttl);
            match state.map.get(key.borrow()) {
                Some((_, old)) if FAULT == KEEPS_OLD && !Self::is_dead(*old) => {}
                _ => drop(state.map.insert(key, (value, deadline))),
            }
        });
    }
}

impl<K: Key, V: Value, const FAULT: u8> Target<K, V> for Liar<K, V, FAULT> {
    fn open(_options: &Options) -> Result<Self, String> {
        let state = State { map: HashMap::new(), calls: 0, last: None };
        Ok(Self(Arc::new(Mutex::new(state))))
    }

    fn get<R>(&mut self, key: &K::Lent, read: impl FnOnce(&V) -> R) -> Option<R> {
        self.with(|state| {
            state.calls += 1;
            if FAULT == FOREIGN && state.calls.is_multiple_of(1_000) {
                return state.last.as_ref().map(read);
            }
            let (value, deadline) = state.map.get(key)?;
            (!Self::is_dead(*deadline)).then(|| read(value))
        })
    }

    fn get_many<'k>(
        &mut self,
        keys: impl ExactSizeIterator<Item = &'k K::Lent>,
        mut read: impl FnMut(usize, Option<&V>),
    ) where
        K::Lent: 'k,
    {
        let count = keys.len();
        for (at, key) in keys.enumerate() {
            let shown = if FAULT == SHUFFLES_BATCHES { (at + 1) % count } else { at };
            let skipped = FAULT == SKIPS_IN_BATCHES && at % 10 == 9;
            if skipped || self.get(key, |value| read(shown, Some(value))).is_none() {
                read(shown, None);
            }
        }
    }

    fn put(&mut self, key: K, value: V) {
        self.write(key, value, None);
    }

    fn put_with_ttl(&mut self, key: K, value: V, ttl: Duration) {
        self.write(key, value, Some(ttl));
    }

    fn delete(&mut self, key: &K::Lent) -> bool {
        FAULT == KEEPS_DELETED || self.with(|state| state.map.remove(key).is_some())
    }

    fn expire(&mut self, key: &K::Lent, ttl: Duration) -> bool {
        self.with(|state| match state.map.get_mut(key) {
            Some((_, deadline)) if !Self::is_dead(*deadline) => {
                if FAULT != FORGETS_EXPIRES {
                    *deadline = Some(Instant::now() + ttl);
                }
                true
            }
            _ => false,
        })
    }

    fn entries(&mut self) -> Option<u64> {
        Some(self.with(|state| state.map.len() as u64))
    }

    fn evicts(&self) -> bool {
        matches!(FAULT, EVICTS | EVICTS_BUT_NEVER_EXPIRES)
    }
}

/// Puts with and without TTL, deletes, expires and gets of the same few keys, for half a second.
const WORKLOAD: &str = r#"
schema = 1
name = "planted"
seed = 11
[run]
threads = 2
timing = { mode = "sampled", every = 4 }
[keyspace.a]
keys = 2_000
key = { kind = "KIND" }
value = VALUE
ttl = { share = 0.5, dist = "uniform", min = "60ms", max = "200ms" }
prefill = { fraction = 0.9 }
[[phase]]
name = "mixed"
duration = "400ms"
arrival = { process = "poisson", rate = "100k/s" }
commands = [
  { verb = "get", keyspace = "a", weight = 70, keys = { dist = "uniform" }, miss = 0.02 },
  { verb = "put", keyspace = "a", weight = 22, keys = { dist = "uniform" } },
  { verb = "delete", keyspace = "a", weight = 5, keys = { dist = "uniform" } },
  { verb = "expire", keyspace = "a", weight = 3, keys = { dist = "uniform" }, ttl = { dist = "fixed", after = "100ms" } },
]
"#;

/// Sessions that slide: short, and touched by most who find them.
const SLIDING: &str = r#"
schema = 1
name = "planted"
seed = 12
[run]
threads = 2
[keyspace.a]
keys = 400
key = { kind = "KIND" }
value = VALUE
ttl = { dist = "fixed", after = "100ms" }
prefill = { fraction = 1.0 }
[[phase]]
name = "mixed"
duration = "600ms"
arrival = { process = "poisson", rate = "40k/s" }
commands = [
  { verb = "get", keyspace = "a", weight = 90, keys = { dist = "zipf", s = 0.9 }, touch = { share = 0.9, dist = "fixed", after = "120ms" } },
  { verb = "put", keyspace = "a", weight = 2, keys = { dist = "uniform" } },
]
"#;

/// Reads of several keys, next versions and new keys.
const WIDE: &str = r#"
schema = 1
name = "planted"
seed = 13
[run]
threads = 2
[keyspace.a]
keys = 9_000
key = { kind = "KIND" }
value = VALUE
prefill = { fraction = 0.5 }
[[phase]]
name = "mixed"
ops = 40_000
arrival = { process = "poisson", rate = "100k/s" }
commands = [
  { verb = "get_many", keyspace = "a", weight = 30, batch = { min = 1, max = 30 }, keys = { dist = "latest", s = 0.9 }, miss = 0.1 },
  { verb = "get_many", keyspace = "a", weight = 10, batch = 20, keys = { dist = "uniform", run = true } },
  { verb = "read_modify_write", keyspace = "a", weight = 50, keys = { dist = "uniform" } },
  { verb = "insert", keyspace = "a", weight = 10 },
]
"#;

fn workload(text: &str, key: &str, value: &str) -> Workload {
    let text = text.replace("KIND", key).replace("VALUE", value);
    let source = Source { label: "planted.toml".into(), text };
    load(&source, &Overrides::default()).expect("valid").remove(0).workload
}

/// What the oracle counts, with keys and values that are texts.
fn counts<const FAULT: u8>() -> Counts {
    counts_of::<FAULT>(WORKLOAD)
}

/// The same where each get that finds nothing is followed by a put.
fn counts_read_through<const FAULT: u8>() -> Counts {
    let text = WORKLOAD.replace("verb = \"get\"", "verb = \"get_or_put\"");
    counts_of::<FAULT>(&text.replace(", miss = 0.02", ""))
}

fn counts_of<const FAULT: u8>(text: &str) -> Counts {
    let workload = workload(text, "uuid", "{ sizes = [[32, 1], [100, 1]] }");
    let repeat = session::run::<Liar<Box<str>, Box<[u8]>, FAULT>, Texts, Box<[u8]>>(
        &workload,
        None,
        None,
        &mut Silent,
        Texts::new,
    )
    .expect("runs");
    assert_eq!(repeat.phases[1].counts.unjudged, 0);
    repeat.phases[1].counts
}

#[test]
fn nothing_is_held_against_an_honest_target() {
    let counts = counts::<HONEST>();
    assert_eq!(counts.false_answers(), 0, "{counts:?}");
    assert!(counts.hit > 1_000 && counts.miss > 1_000 && counts.expired > 100, "{counts:?}");
}

#[test]
fn nothing_is_held_against_an_honest_target_of_numbers() {
    let workload = workload(WORKLOAD, "u64", "{ kind = \"u64\" }");
    assert_eq!(Numbers::new(&workload).lend(3), Numbers::new(&workload).own(3));
    let repeat = session::run::<Liar<u64, u64, HONEST>, Numbers, u64>(
        &workload,
        None,
        None,
        &mut Silent,
        Numbers::new,
    )
    .expect("runs");
    let counts = repeat.phases[1].counts;
    assert_eq!(counts.false_answers(), 0, "{counts:?}");
}

#[test]
fn another_keys_value_is_wrong() {
    let counts = counts::<FOREIGN>();
    assert!(counts.wrong > 5, "{counts:?}");
    assert_eq!((counts.stale, counts.early), (0, 0), "{counts:?}");
}

#[test]
fn a_value_past_its_deadline_is_stale() {
    let counts = counts::<NEVER_EXPIRES>();
    assert!(counts.stale > 100, "{counts:?}");
    assert_eq!((counts.wrong, counts.early), (0, 0), "{counts:?}");
}

#[test]
fn a_value_a_little_past_its_deadline_is_stale() {
    let counts = counts::<EXPIRES_LATE>();
    assert!(counts.stale > 20, "{counts:?}");
    assert_eq!((counts.wrong, counts.early), (0, 0), "{counts:?}");
}

#[test]
fn an_entry_gone_before_its_deadline_is_early() {
    let counts = counts::<EXPIRES_EARLY>();
    assert!(counts.early > 20, "{counts:?}");
    assert_eq!((counts.wrong, counts.stale), (0, 0), "{counts:?}");
}

#[test]
fn an_entry_gone_without_a_delete_is_early() {
    let counts = counts::<LOSES_PUTS>();
    assert!(counts.early > 20, "{counts:?}");
    assert_eq!((counts.wrong, counts.stale), (0, 0), "{counts:?}");
}

#[test]
fn a_deleted_value_that_comes_back_is_wrong() {
    let counts = counts::<KEEPS_DELETED>();
    assert!(counts.wrong > 20, "{counts:?}");
}

#[test]
fn an_overwritten_value_that_comes_back_is_wrong() {
    let counts = counts::<KEEPS_OLD>();
    assert!(counts.wrong > 20, "{counts:?}");
}

#[test]
fn nothing_is_held_against_an_honest_target_that_is_read_through() {
    let counts = counts_read_through::<HONEST>();
    assert_eq!(counts.false_answers(), 0, "{counts:?}");
    assert!(counts.hit > 1_000 && counts.miss > 1_000, "{counts:?}");
}

#[test]
fn faults_show_through_a_read_through_too() {
    let foreign = counts_read_through::<FOREIGN>();
    assert!(foreign.wrong > 5, "{foreign:?}");
    let stale = counts_read_through::<NEVER_EXPIRES>();
    assert!(stale.stale > 100 && stale.wrong == 0, "{stale:?}");
    let old = counts_read_through::<KEEPS_OLD>();
    assert!(old.wrong > 20, "{old:?}");
}

#[test]
fn a_target_with_a_bound_may_forget_but_not_return_the_dead() {
    let evicts = counts::<EVICTS>();
    assert_eq!(evicts.false_answers(), 0, "{evicts:?}");
    assert!(evicts.miss > 100, "{evicts:?}");
    let stale = counts::<EVICTS_BUT_NEVER_EXPIRES>();
    assert!(stale.stale > 100 && stale.early == 0, "{stale:?}");
}

#[test]
fn nothing_is_held_against_an_honest_target_of_sliding_sessions() {
    let counts = counts_of::<HONEST>(SLIDING);
    assert_eq!(counts.false_answers(), 0, "{counts:?}");
    assert!(counts.hit > 2_000 && counts.expired > 500, "{counts:?}");
}

#[test]
fn a_touch_that_is_forgotten_is_early_and_one_that_lasts_for_ever_stale() {
    let forgotten = counts_of::<FORGETS_EXPIRES>(SLIDING);
    assert!(forgotten.early > 20 && forgotten.stale == 0, "{forgotten:?}");
    let stale = counts_of::<EXPIRES_LATE>(SLIDING);
    assert!(stale.stale > 20, "{stale:?}");
}

#[test]
fn nothing_is_held_against_an_honest_target_of_batches_versions_and_inserts() {
    let counts = counts_of::<HONEST>(WIDE);
    assert_eq!(counts.false_answers(), 0, "{counts:?}");
    // Each key counts: a miss is one of those that never exist.
    assert!((15_000..25_000).contains(&counts.miss), "{counts:?}");
    assert!((270_000..300_000).contains(&(counts.hit + counts.miss)), "{counts:?}");
}

#[test]
fn every_key_of_a_batch_is_judged() {
    let shuffled = counts_of::<SHUFFLES_BATCHES>(WIDE);
    assert!(shuffled.wrong > 1_000, "{shuffled:?}");
    let skipped = counts_of::<SKIPS_IN_BATCHES>(WIDE);
    assert!(skipped.early > 1_000 && skipped.wrong == 0, "{skipped:?}");
}

#[test]
fn faults_show_through_next_versions_and_inserts() {
    let lost = counts_of::<LOSES_PUTS>(WIDE);
    assert!(lost.early > 20 && lost.wrong == 0, "{lost:?}");
    let old = counts_of::<KEEPS_OLD>(WIDE);
    assert!(old.wrong > 20 && old.early == 0, "{old:?}");
}
