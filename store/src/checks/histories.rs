//! Histories: what threads saw of one key, and whether one order of events explains it.
//!
//! Threads record when each of their calls began, when it ended and what it returned. The history
//! of each key is judged on its own by the Wing-Gong-Lowe search of `todc-utils` against the
//! [`specification`]. A move of the clock is an event of every history, so that a value may be seen
//! until just that event and not after. Sweeping is done by a thread of its own and is part of
//! no history: it must not be seen.

#[cfg(not(checker = "shuttle"))]
mod broken;
mod specification;

use super::operation::Decision;
use crate::builder::IndexSize;
use crate::sync::model::{Model, Vast};
use crate::sync::thread::spawn;
use crate::{Clock, Compute, ManualClock, Store, Sweeper, Ttl};
use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg64Mcg;
use specification::{Answer, Call, Event, Expiring};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use todc_utils::linearizability::WGLChecker;
use todc_utils::linearizability::history::{Action, History};

/// How far the clock moves at once.
const STEP_MS: u64 = 5;
const KEYS: [u8; 2] = [0, 1];

/// What is judged: the store, or one that is broken on purpose.
trait Subject: Clone + Send + 'static {
    /// `loading` is to be called when a loader begins.
    fn call(&self, key: u8, call: Call, loading: &mut dyn FnMut()) -> Answer;
    fn sweep(&self);
}

impl Subject for Store<u8, u32> {
    fn call(&self, key: u8, call: Call, loading: &mut dyn FnMut()) -> Answer {
        match call {
            Call::Put(value, ttl) => match self.put_with_ttl(key, value, ttl) {
                Ok(replaced) => Answer::Value(replaced),
                Err(error) => panic!("{error}"),
            },
            Call::Get => Answer::Value(self.get(&key)),
            Call::Contains => Answer::Flag(self.contains(&key)),
            Call::Delete => Answer::Value(self.delete(&key)),
            Call::Expire(ttl) => Answer::Flag(self.expire(&key, ttl).expect("the TTL is good")),
            Call::Persist => Answer::Flag(self.persist(&key)),
            Call::Update(value) => {
                Answer::Value(self.update(&key, |old| std::mem::replace(old, value)))
            }
            Call::Compute(decision) => {
                let mut shown = None;
                let returned = self.compute(key, |value| {
                    shown = value.copied();
                    match decision {
                        Decision::Keep => Compute::Keep,
                        Decision::Put(value) => Compute::Put(value),
                        Decision::PutWithTtl(value, ttl) => Compute::PutWithTtl(value, ttl),
                        Decision::Delete => Compute::Delete,
                    }
                });
                Answer::Computed { shown, returned: returned.expect("the TTL is good") }
            }
            Call::Load(value) => Answer::Value(Some(self.get_or_put_with(key, || {
                loading();
                gate::between();
                value
            }))),
            Call::Purge => {
                self.purge();
                Answer::Nothing
            }
            Call::LoadBegins(_) | Call::Advance => unreachable!("it is no call of its own"),
        }
    }

    fn sweep(&self) {
        Store::sweep(self, 2);
        self.clean();
    }
}

type Log = Vec<(u64, usize, Option<u8>, Action<Event>)>;

/// What all threads write their events to, in the order in which they happen.
#[derive(Clone)]
struct Recorder {
    log: Arc<Mutex<Log>>,
    sequence: Arc<AtomicU64>,
    clock: ManualClock,
}

impl Recorder {
    fn new(clock: ManualClock) -> Self {
        Self { log: Arc::default(), sequence: Arc::default(), clock }
    }

    fn now_ms(&self) -> u64 {
        u64::try_from(self.clock.now().as_millis()).unwrap_or(u64::MAX)
    }

    /// Runs `f`, which is `call` on `key` (or on all), and records when it began and ended.
    fn record(
        &self,
        log: &mut Log,
        thread: usize,
        key: Option<u8>,
        call: Call,
        f: impl FnOnce() -> Answer,
    ) {
        let began_ms = self.now_ms();
        let before = Event { call, answer: Answer::Nothing, began_ms, ended_ms: began_ms };
        log.push((self.next(), thread, key, Action::Call(before)));
        let answer = f();
        let after = Event { call, answer, began_ms, ended_ms: self.now_ms() };
        log.push((self.next(), thread, key, Action::Response(after)));
    }

    /// The beginning of the loader of `call`.
    fn load_begins(&self, call: Call) -> [(u64, Action<Event>); 2] {
        let Call::Load(value) = call else { unreachable!("nothing else has a loader") };
        let (call, answer, now_ms) = (Call::LoadBegins(value), Answer::Nothing, self.now_ms());
        let event = Event { call, answer, began_ms: now_ms, ended_ms: now_ms };
        [(self.next(), Action::Call(event)), (self.next(), Action::Response(event))]
    }

    fn next(&self) -> u64 {
        self.sequence.fetch_add(1, Ordering::SeqCst)
    }

    fn add(&self, log: Log) {
        self.log.lock().expect("no recording thread panics").extend(log);
    }

    /// Whether the history of every key can be explained.
    fn is_linearizable(&self) -> bool {
        let mut log = self.log.lock().expect("no recording thread panics").clone();
        log.sort_by_key(|&(sequence, ..)| sequence);
        KEYS.iter().all(|own| {
            let of_key = log.iter().filter(|(_, _, key, _)| key.is_none_or(|key| key == *own));
            let actions: Vec<_> =
                of_key.map(|(_, thread, _, action)| (*thread, action.clone())).collect();
            WGLChecker::<Expiring>::is_linearizable(History::from_actions(actions))
        })
    }
}

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

/// One of the calls, the TTLs being such that many deadlines fall on moves of the clock.
fn random_call(rng: &mut Pcg64Mcg) -> Call {
    let ttl = |rng: &mut Pcg64Mcg| match rng.random_range(0..6) {
        0 => Ttl::Never,
        1 => Ttl::Keep,
        steps => Ttl::After(ms(STEP_MS * (steps - 1))),
    };
    let value = rng.random_range(0..1_000_000);
    match rng.random_range(0..19) {
        0..3 => Call::Put(value, ttl(rng)),
        3..6 => Call::Get,
        6 => Call::Contains,
        7..9 => Call::Delete,
        9 => Call::Expire(ttl(rng)),
        10 => Call::Persist,
        11 => Call::Update(value),
        12 => Call::Compute(Decision::Keep),
        13 => Call::Compute(Decision::PutWithTtl(value, ttl(rng))),
        14 => Call::Compute(Decision::Delete),
        15..18 => Call::Load(value),
        _ => Call::Purge,
    }
}

/// Lets `callers` threads call `subject`, one move the clock and one sweep; returns the record.
fn record<S: Subject>(
    subject: &S,
    clock: &ManualClock,
    seed: u64,
    callers: usize,
    calls: usize,
) -> Recorder {
    let recorder = Recorder::new(clock.clone());
    let gate = gate::Gate::new(callers + 2);
    let mut threads = Vec::new();
    for thread in 0..callers {
        let (recorder, subject, gate) = (recorder.clone(), subject.clone(), gate.clone());
        let mut rng = Pcg64Mcg::seed_from_u64(seed * 16 + thread as u64);
        threads.push(spawn(move || {
            gate.pass();
            let mut log = Log::new();
            for _ in 0..calls {
                let call = random_call(&mut rng);
                let key = KEYS[usize::from(rng.random_bool(0.3))];
                gate::between();
                let about = (call != Call::Purge).then_some(key);
                let mut loading = None;
                recorder.record(&mut log, thread, about, call, || {
                    subject.call(key, call, &mut || loading = Some(recorder.load_begins(call)))
                });
                // As by a thread of its own: it lies within the call.
                log.extend(
                    loading
                        .into_iter()
                        .flatten()
                        .map(|(sequence, action)| (sequence, callers + 1 + thread, about, action)),
                );
            }
            recorder.add(log);
        }));
    }
    let (moving, clock, passed) = (recorder.clone(), clock.clone(), gate.clone());
    threads.push(spawn(move || {
        passed.pass();
        let mut log = Log::new();
        for _ in 0..calls / 2 {
            moving.record(&mut log, callers, None, Call::Advance, || {
                gate::between();
                clock.advance(ms(STEP_MS));
                Answer::Nothing
            });
        }
        moving.add(log);
    }));
    let sweeping = subject.clone();
    threads.push(spawn(move || {
        gate.pass();
        for _ in 0..calls {
            gate::between();
            sweeping.sweep();
        }
    }));
    for thread in threads {
        thread.join().expect("no call panics");
    }
    recorder
}

/// Threads that begin together, so that their calls overlap.
mod gate {
    /// Lets other threads in: with few processors, calls would else seldom overlap.
    #[cfg(not(checker = "shuttle"))]
    pub(super) use std::thread::yield_now as between;

    /// Lets the scheduler in, also between two moves of the clock, which are no steps of its own.
    #[cfg(checker = "shuttle")]
    pub(super) fn between() {
        crate::sync::atomic_step(|| ());
    }

    #[derive(Clone)]
    pub(super) struct Gate(#[cfg(not(checker = "shuttle"))] std::sync::Arc<std::sync::Barrier>);

    #[cfg(not(checker = "shuttle"))]
    impl Gate {
        pub(super) fn new(threads: usize) -> Self {
            Self(std::sync::Arc::new(std::sync::Barrier::new(threads)))
        }

        pub(super) fn pass(&self) {
            self.0.wait();
        }
    }

    /// The scheduler decides who begins.
    #[cfg(checker = "shuttle")]
    impl Gate {
        pub(super) fn new(_threads: usize) -> Self {
            Self()
        }

        pub(super) fn pass(&self) {
            let Self() = self;
        }
    }
}

fn fresh_store() -> (Store<u8, u32>, ManualClock) {
    let clock = ManualClock::new();
    let store = Store::builder()
        .clock(clock.clone())
        .sweeper(Sweeper::Manual)
        .tick(ms(STEP_MS))
        .default_ttl(ms(3 * STEP_MS))
        .index(IndexSize { shards: 1, nodes_a_shard: 64 })
        .build()
        .expect("nothing was asked for that could fail");
    (store, clock)
}

/// The seed of each execution's calls: the number of the execution.
fn next_seed(seeds: &AtomicU64) -> u64 {
    seeds.fetch_add(1, Ordering::SeqCst)
}

#[test]
fn every_history_of_a_key_is_linearizable() {
    let model =
        Model { name: "histories: three callers", threads: 6, vast: Vast::No, exhaustive: false };
    // Under a scheduler an execution must be one that can be run again: the calls stay the same.
    let seeds = AtomicU64::new(1);
    model.explore(move || {
        for _ in 0..if cfg!(checker = "shuttle") { 1 } else { 5 } {
            let seed = if cfg!(checker = "shuttle") { 1 } else { next_seed(&seeds) };
            let (store, clock) = fresh_store();
            let recorder = record(&store, &clock, seed, 3, 12);
            assert!(recorder.is_linearizable(), "seed {seed}: {:#?}", recorder.log);
            store.verify();
        }
    });
}

#[test]
fn every_history_of_two_callers_and_few_calls_is_linearizable() {
    for seed in 100..108 {
        let model =
            Model { name: "histories: two callers", threads: 5, vast: Vast::No, exhaustive: false };
        model.explore(move || {
            let (store, clock) = fresh_store();
            let recorder = record(&store, &clock, seed, 2, 4);
            assert!(recorder.is_linearizable(), "seed {seed}: {:#?}", recorder.log);
            store.verify();
        });
    }
}
