//! One run from beginning to end: prepare, load, phases, judgement.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Barrier, OnceLock};
use std::thread;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;

use super::keys::Keys;
use super::oracle::{self, Played, Times};
use super::pace::{Moments, Pace, elapsed_ns};
use super::paced::{self, Paced};
use super::pauses::Pauses;
use super::record::{Record, to_len};
use super::series::Intervals;
use super::value::Value;
use super::worker::{Shared, Worker};
use crate::environment::{process, timer};
use crate::report::histogram::{coarse, latencies};
use crate::report::{Counts, Encoded, Memory, PhaseRecord, Repeat, Series, VerbRecord};
use crate::target::{Facts, Key, Options, Payload, Place, Target};
use crate::trace;
use crate::workload::Workload;
use crate::workload::model::{Arrival, Capability, Length, TtlDist, Verb};
use crate::workload::stream::{self, Script};

/// Told how a run is getting on, several times a second.
pub trait Progress {
    /// `step` is done to this share. Returns whether to go on.
    fn report(&mut self, step: &str, share: f64) -> bool;
}

/// For who need not be told.
#[derive(Clone, Copy, Debug)]
pub struct Silent;

impl Progress for Silent {
    fn report(&mut self, _step: &str, _share: f64) -> bool {
        true
    }
}

/// How often progress and memory are looked at.
const WATCH_EVERY: Duration = Duration::from_millis(50);

/// What a phase gave beyond what its threads recorded.
pub(super) struct Outcome {
    seconds: f64,
    memory: Memory,
    facts: Facts,
    series: Series,
}

/// Runs the workload once against a new `T`.
pub(super) fn run<T: Target<S::Key, V>, S: Keys, V: Value>(
    workload: &Workload,
    address: Option<&str>,
    trace: Option<&trace::play::Source>,
    progress: &mut dyn Progress,
    make_keys: fn(&Workload) -> S,
) -> Result<Repeat, String> {
    let timer_floor_ns = timer::floor_ns();
    let origin = Instant::now();
    progress.report("operations", 0.0);
    let scripts = match trace {
        Some(source) => trace::play::scripts(source, workload)?,
        None => stream::scripts(workload),
    };
    let ops_digest = stream::digest(workload, &scripts);
    progress.report("keys", 0.0);
    let keys = make_keys(workload);
    let mut records: Vec<Vec<Record>> = scripts.iter().map(new_records).collect();
    let prepare_seconds = origin.elapsed().as_secs_f64();

    let (mut target, stage) = open::<T, S, V>(workload, &keys, origin, address)?;
    let mut outcomes = Vec::new();
    for (number, script) in scripts.iter().enumerate() {
        let fresh = std::mem::take(&mut records[number]);
        let (played, outcome) = stage.play(number as u64, script, fresh, &mut target, progress)?;
        records[number] = played;
        outcomes.push(outcome);
    }
    target.finish()?;
    // The process ends soon: to free tens of millions of entries one by one would only take time.
    std::mem::forget(target);
    let mut played: Vec<Played<'_>> = scripts
        .iter()
        .zip(&mut records)
        .map(|(script, records)| Played { script, records })
        .collect();
    oracle::judge(&mut played, stage.times(), workload.key_count(), V::VERSION_MASK);
    let phases = scripts
        .iter()
        .zip(&records)
        .zip(outcomes)
        .map(|((script, records), outcome)| phase_record(script, records, outcome))
        .collect();
    Ok(Repeat { ops_digest, timer_floor_ns, prepare_seconds, phases })
}

/// Makes the target, and what all phases have in common: from here on, the load may begin.
pub(super) fn open<'a, T: Target<S::Key, V>, S: Keys, V: Value>(
    workload: &'a Workload,
    keys: &'a S,
    origin: Instant,
    address: Option<&str>,
) -> Result<(T, Stage<'a, S>), String> {
    // Of this process before the target takes room in it, of another when it is empty.
    let resident_bytes = process::rss_bytes_exact();
    let mut target = T::open(&options(workload, address))?;
    let (one_clock, baseline_bytes) = match target.place() {
        Place::Here => (true, resident_bytes),
        Place::Elsewhere { used_bytes } => (false, used_bytes),
    };
    let load_start_ns = elapsed_ns(origin);
    Ok((target, Stage { workload, keys, origin, baseline_bytes, load_start_ns, one_clock }))
}

fn options(workload: &Workload, address: Option<&str>) -> Options {
    Options {
        capacity: workload.run.preallocate.then(|| to_len(workload.held_count())),
        bound: workload.run.bound,
        gives_ttl: workload.run.requires.contains(&Capability::Ttl),
        address: address.map(str::to_owned),
        small_pages: false,
        hash_seed: None,
    }
}

/// Memory in use where the entries lie.
fn used_bytes<K: Key, V: Payload, T: Target<K, V>>(target: &mut T) -> Option<u64> {
    match target.place() {
        Place::Here => process::rss_bytes_exact(),
        Place::Elsewhere { used_bytes } => used_bytes,
    }
}

pub(super) fn new_records(script: &Script) -> Vec<Record> {
    script.streams.iter().map(|stream| Record::new(&script.phase, stream)).collect()
}

/// What all phases of a run have in common.
pub(super) struct Stage<'a, S> {
    workload: &'a Workload,
    keys: &'a S,
    origin: Instant,
    baseline_bytes: Option<u64>,
    load_start_ns: u64,
    one_clock: bool,
}

impl<S: Keys> Stage<'_, S> {
    /// What the oracle has to know of the clocks.
    pub(super) const fn times(&self) -> Times {
        Times { load_start_ns: self.load_start_ns, one_clock: self.one_clock }
    }

    /// Plays one phase on all threads and watches them from this one.
    pub(super) fn play<T: Target<S::Key, V>, V: Value>(
        &self,
        number: u64,
        script: &Script,
        fresh: Vec<Record>,
        target: &mut T,
        progress: &mut dyn Progress,
    ) -> Result<(Vec<Record>, Outcome), String> {
        let (phase, threads) = (&script.phase, script.streams.len());
        let rss_before_bytes = used_bytes(target);
        let stop = AtomicBool::new(false);
        let done: Vec<AtomicU64> = (0..threads).map(|_| AtomicU64::new(0)).collect();
        let intervals = Intervals::default();
        intervals.prepare(0);
        let paces = self.paces(phase.arrival, number, threads);
        let start = OnceLock::new();
        let shared = Shared {
            origin: self.origin,
            number,
            start_ns: &start,
            length_ns: match phase.length {
                Length::Ops(_) => None,
                Length::DurationNs(ns) => Some(ns),
            },
            load_start_ns: self.load_start_ns,
            time_every: self.workload.run.time_every,
            stop: &stop,
            done: &done,
            intervals: &intervals,
            is_here: target.place() == Place::Here,
        };
        let records = self.perform::<T, V>(script, fresh, target, &shared, progress, paces)?;
        if let Some(failure) = records.iter().find_map(|record| record.failure.as_deref()) {
            return Err(format!("phase `{}`: {failure}", phase.name));
        }
        // ORDERING: Relaxed; this thread stored it.
        if stop.load(Ordering::Relaxed) {
            return Err("given up".to_owned());
        }
        self.check_cliff(number, script, &records)?;
        let last = records.iter().filter_map(|record| record.timeline.last()).max();
        let seconds = Duration::from_nanos(last.map_or(0, |end_ns| end_ns - shared.start_ns()));
        let memory = Memory {
            baseline_bytes: self.baseline_bytes,
            rss_before_bytes,
            rss_after_bytes: used_bytes(target),
            entries: target.entries(),
        };
        let facts = target.facts();
        if let Some(failure) = target.failure() {
            return Err(format!("after phase `{}`: {failure}", phase.name));
        }
        let series = intervals.into_series();
        let seconds = seconds.as_secs_f64().max(1e-9);
        Ok((records, Outcome { seconds, memory, facts, series }))
    }

    /// Runs the workers of a phase to their end; the clock starts when all of them are there.
    fn perform<T: Target<S::Key, V>, V: Value>(
        &self,
        script: &Script,
        fresh: Vec<Record>,
        target: &T,
        shared: &Shared<'_>,
        progress: &mut dyn Progress,
        paces: Vec<Option<Pace>>,
    ) -> Result<Vec<Record>, String> {
        let phase = &script.phase;
        // Everybody meets twice: when all threads are there, and when the clock has been started.
        let barrier = Barrier::new(script.streams.len() + 1);
        let joined = thread::scope(|scope| {
            let workers: Vec<_> = (fresh.into_iter().zip(paces).enumerate())
                .map(|(thread, (record, pace))| {
                    let (target, barrier) = (target.clone(), &barrier);
                    let stream = &script.streams[thread];
                    let (keys, workload) = (self.keys, self.workload);
                    scope.spawn(move || {
                        let place = [shared.number, thread as u64];
                        let pauses =
                            phase.think.map(|think| Pauses::new(think, workload.seed, place));
                        barrier.wait();
                        barrier.wait();
                        let worker = Worker::<_, _, V>::new(
                            target, keys, workload, phase, stream, shared, thread, record,
                        );
                        match pace {
                            None if !stream.due_ns.is_empty() => {
                                worker.run_open(Moments::new(&stream.due_ns))
                            }
                            None => worker.run_closed(pauses),
                            Some(pace) => worker.run_open(pace),
                        }
                    })
                })
                .collect();
            barrier.wait();
            let _ = shared.start_ns.set(elapsed_ns(self.origin));
            barrier.wait();
            while workers.iter().any(|worker| !worker.is_finished()) {
                thread::sleep(WATCH_EVERY);
                self.watch(script, shared, progress);
            }
            workers.into_iter().map(thread::ScopedJoinHandle::join).collect::<Result<_, _>>()
        });
        joined.map_err(|_| format!("a thread panicked in phase `{}`", phase.name))
    }

    /// The arrivals of each thread; none in a closed loop, and of a trace, whose streams carry
    /// their moments.
    fn paces(&self, arrival: Arrival, number: u64, threads: usize) -> Vec<Option<Pace>> {
        let seed = self.workload.seed;
        let pace = |thread| Pace::of(arrival, threads, seed, [number, thread]);
        (0..threads as u64).map(pace).collect()
    }

    fn watch(&self, script: &Script, shared: &Shared<'_>, progress: &mut dyn Progress) {
        let elapsed_ns = elapsed_ns(self.origin) - shared.start_ns();
        let interval = Intervals::number(elapsed_ns);
        shared.intervals.prepare(interval);
        shared.intervals.note_rss(interval, shared.is_here.then(process::rss_bytes).flatten());
        // ORDERING: Relaxed; a count for the progress bar.
        let done: u64 = shared.done.iter().map(|done| done.load(Ordering::Relaxed)).sum();
        let share = match script.phase.length {
            Length::Ops(ops) => fraction(done, ops),
            Length::DurationNs(ns) => fraction(elapsed_ns, ns),
        };
        if !progress.report(&script.phase.name, share.min(1.0)) {
            // ORDERING: Relaxed; nothing is handed over with it.
            shared.stop.store(true, Ordering::Relaxed);
        }
    }

    /// A cliff that passes while keys are still being loaded is not the workload that was asked
    /// for.
    fn check_cliff(&self, number: u64, script: &Script, records: &[Record]) -> Result<(), String> {
        let late: u64 = records.iter().map(|record| record.after_cliff).sum();
        let is_load = number == 0 && self.workload.loaded_count() > 0;
        if late == 0 || !is_load {
            return Ok(());
        }
        let cliffs = script.phase.commands.iter().filter_map(|command| match &command.ttl {
            Some(ttl) => match ttl.dist {
                TtlDist::Cliff { at_ns } => Some(at_ns),
                _ => None,
            },
            None => None,
        });
        let at = Duration::from_nanos(cliffs.min().unwrap_or(0));
        Err(format!("the load was not over at the cliff, {at:?} after its start; raise ttl.at"))
    }
}

/// What the threads of a phase counted together.
pub(super) fn counts(records: &[Record]) -> Counts {
    let mut counts = Counts::default();
    for record in records {
        counts.add(&record.counts);
    }
    counts
}

pub(super) fn phase_record(script: &Script, records: &[Record], outcome: Outcome) -> PhaseRecord {
    let mut verbs = BTreeMap::new();
    for verb in Verb::ALL {
        let ops: u64 = records.iter().map(|record| record.ops[verb as usize]).sum();
        if ops > 0 {
            let of_threads = records.iter().map(|record| &record.latencies[verb as usize]);
            let all = sum(latencies(), of_threads);
            verbs.insert(verb.name().to_owned(), VerbRecord { ops, latency: Encoded::new(&all) });
        }
    }
    let open_loop = script.phase.arrival != Arrival::Closed;
    let paced: Vec<&Paced> = records.iter().filter_map(|record| record.paced.as_ref()).collect();
    let late = |pick: fn(&Paced) -> &Histogram<u64>| {
        open_loop.then(|| Encoded::new(&sum(coarse(), paced.iter().map(|paced| pick(paced)))))
    };
    PhaseRecord {
        name: script.phase.name.clone(),
        report: script.phase.report,
        open_loop,
        threads: records.len(),
        seconds: outcome.seconds,
        ops: records.iter().map(|record| record.done).sum(),
        verbs,
        counts: counts(records),
        lateness: late(|paced| &paced.lateness),
        own_lateness: late(|paced| &paced.own_lateness),
        steps: paced::steps(&script.phase, &paced),
        memory: outcome.memory,
        facts: outcome.facts,
        series: outcome.series,
    }
}

/// `all` with the samples of each of `histograms`.
pub(super) fn sum<'a>(
    mut all: Histogram<u64>,
    histograms: impl Iterator<Item = &'a Histogram<u64>>,
) -> Histogram<u64> {
    for one in histograms {
        // Same bounds on both sides, so nothing can fail.
        let _ = all.add(one);
    }
    all
}

#[expect(clippy::cast_precision_loss, reason = "a share for a progress bar")]
fn fraction(part: u64, whole: u64) -> f64 {
    part as f64 / whole.max(1) as f64
}
