//! The operations of a workload, made before any clock starts.
//!
//! Each thread of each phase has a stream of its own, eight bytes an operation, that depends on
//! nothing but the workload: the same file gives the same operations on every machine. The ops
//! digest is a hash over all of them and over what they mean.

mod draw;
mod op;
mod written;

use sha2::{Digest as _, Sha256};

use super::digest::hex;
use super::mixer::{Mixer, scramble};
use super::model::{Arrival, Command, KeyDist, LOAD, Length, Phase, Think, Verb, Workload};
use super::random::Random;
use super::sizes::{Sizes, pick};
use draw::{Drawer, draw_ttl};
pub use op::Op;
use written::Written;

/// A thread's stream has no more operations than this; longer phases replay it in a cycle.
pub const STREAM_LEN_MAX: u64 = 8 << 20;
/// The length of a stream whose phase ends by the clock and does not pace itself.
const STREAM_LEN_TIMED: u64 = 2 << 20;
/// Changes whenever the same file would give other operations, keys or values.
const GENERATION: &str = "ops-1";
/// A thread's stream ends when its batches have so many keys, too.
pub const BATCH_KEYS_MAX: u64 = 32 << 20;

/// What one thread does in one phase.
#[derive(Clone, Debug, Default)]
pub struct Stream {
    /// The operations; started over when there are more to do than these.
    pub ops: Vec<Op>,
    /// The keys of the operations on several.
    pub batches: Vec<u32>,
    /// How many to do; `None` when the clock ends the phase.
    pub total: Option<u64>,
    /// When each is due, in nanoseconds from the phase's start, where a trace says so; else empty.
    pub due_ns: Vec<u64>,
}

/// A phase with the streams of all its threads.
#[derive(Clone, Debug)]
pub struct Script {
    /// The phase; the load is one too.
    pub phase: Phase,
    /// One stream a thread.
    pub streams: Vec<Stream>,
}

/// The load and all phases, in the order they run. A workload that loads nothing has no load.
#[must_use]
pub fn scripts(workload: &Workload) -> Vec<Script> {
    let mut scripts = Vec::new();
    if workload.loaded_count() > 0 {
        scripts.push(load(workload));
    }
    let spaces = 0..workload.keyspaces.len();
    let mut written: Vec<_> = spaces.map(|space| Written::new(workload, space)).collect();
    for (number, phase) in (0..).zip(&workload.phases) {
        let threads = workload.run.threads as u64;
        written.iter_mut().for_each(Written::begin_phase);
        let streams = (0..threads)
            .map(|thread| {
                written.iter_mut().for_each(Written::begin_thread);
                stream(workload, phase, [number, thread], &mut written)
            })
            .collect();
        scripts.push(Script { phase: phase.clone(), streams });
    }
    scripts
}

/// The hash that two runs share exactly if they did the same operations, thread by thread.
#[must_use]
pub fn digest(workload: &Workload, scripts: &[Script]) -> String {
    let mut hash = Sha256::new();
    hash.update(GENERATION);
    // What gives the operations their meaning. Neither repeats, timing nor objectives do.
    let phases: Vec<_> =
        workload.phases.iter().map(|phase| (phase.length, phase.arrival)).collect();
    let meaning = serde_json::to_vec(&(workload.seed, &workload.keyspaces, phases));
    hash.update(meaning.unwrap_or_default());
    if let Some(trace) = &workload.trace {
        hash.update(&trace.sha256);
    }
    let thinks: Vec<Option<Think>> = workload.phases.iter().map(|phase| phase.think).collect();
    if thinks.iter().any(Option::is_some) {
        hash.update(serde_json::to_vec(&thinks).unwrap_or_default());
    }
    let mut bytes = Vec::with_capacity(8 << 10);
    for script in scripts {
        let commands = serde_json::to_vec(&script.phase.commands);
        hash.update(commands.unwrap_or_default());
        for stream in &script.streams {
            hash.update(stream.total.unwrap_or(0).to_le_bytes());
            for ops in stream.ops.chunks(1 << 10) {
                bytes.clear();
                bytes.extend(ops.iter().flat_map(|op| op.word().to_le_bytes()));
                hash.update(&bytes);
            }
            for keys in stream.batches.chunks(2 << 10) {
                bytes.clear();
                bytes.extend(keys.iter().flat_map(|key| key.to_le_bytes()));
                hash.update(&bytes);
            }
        }
    }
    hex(&hash.finalize())
}

/// The load as a phase: one put of each loaded key, shuffled, split among the threads.
fn load(workload: &Workload) -> Script {
    let commands: Vec<Command> = (0..workload.keyspaces.len())
        .map(|keyspace| Command {
            verb: Verb::Put,
            keyspace,
            weight: 1,
            keys: KeyDist::Sequential,
            miss: 0.0,
            ttl: workload.keyspaces[keyspace].ttl.clone(),
            batch: None,
        })
        .collect();
    let threads = workload.run.threads;
    let mut streams = vec![Stream { total: Some(0), ..Stream::default() }; threads];
    let mut thread = 0;
    for (number, space) in workload.keyspaces.iter().enumerate() {
        let mut random = Random::new(workload.seed, "load", [number as u64, 0]);
        let sizes = Sizes::new(&space.value);
        let order = Mixer::new(u64::from(space.loaded).max(1), scramble(random.word()));
        for position in 0..u64::from(space.loaded) {
            let local = if space.shuffled { order.permute(position) } else { position };
            let key = space.first + u32::try_from(local).unwrap_or(u32::MAX);
            let (size, ttl) = (sizes.draw(&mut random), draw_ttl(space.ttl.as_ref(), &mut random));
            streams[thread].ops.push(Op::new(key, number, size, ttl));
            thread = (thread + 1) % threads;
        }
    }
    for stream in &mut streams {
        stream.total = Some(stream.ops.len() as u64);
    }
    let phase = Phase {
        name: LOAD.to_owned(),
        length: Length::Ops(workload.loaded_count()),
        arrival: Arrival::Closed,
        think: None,
        commands,
        report: workload.load_report,
        slo: workload.load_slo.clone(),
    };
    Script { phase, streams }
}

fn stream(workload: &Workload, phase: &Phase, place: [u64; 2], written: &mut [Written]) -> Stream {
    let threads = workload.run.threads as u64;
    let thread = place[1];
    let (len, total) = match phase.length {
        Length::Ops(ops) => {
            let share = ops / threads + u64::from(thread < ops % threads);
            (share.min(STREAM_LEN_MAX), Some(share))
        }
        Length::DurationNs(ns) => (timed_len(phase, ns, threads), None),
    };
    let mut random = Random::new(workload.seed, "ops", place);
    let mut drawers: Vec<Drawer> =
        phase.commands.iter().map(|command| Drawer::new(workload, command, thread)).collect();
    let weights: u64 = phase.commands.iter().map(|command| u64::from(command.weight)).sum();
    let mut ops = Vec::with_capacity(usize::try_from(len).unwrap_or(0));
    let mut batches = Vec::new();
    while (ops.len() as u64) < len && (batches.len() as u64) < BATCH_KEYS_MAX {
        let number = pick(phase.commands.iter().map(|c| c.weight), random.below(weights));
        let written = &mut written[phase.commands[number].keyspace];
        ops.push(drawers[number].draw(number, &mut random, written, &mut batches));
    }
    Stream { ops, batches, total, due_ns: Vec::new() }
}

/// The length of a thread's stream in a phase that the clock ends after `ns`.
#[must_use]
pub fn timed_len(phase: &Phase, ns: u64, threads: u64) -> u64 {
    let len = stream_len(phase.arrival, ns, threads);
    // A thread that pauses does not come further than its pauses let it.
    phase.think.map_or(len, |think| len.min(ns / think.mean_ns.max(1) * 11 / 10 + 1_000))
}

/// The length of a thread's stream in a phase that the clock ends after `ns`: enough for a paced
/// phase as a whole, with a margin for its randomness.
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "an estimate of a length, capped right after"
)]
#[must_use]
pub fn stream_len(arrival: Arrival, ns: u64, threads: u64) -> u64 {
    let len = match arrival.mean_per_second() {
        None => STREAM_LEN_TIMED,
        Some(per_second) => (per_second * ns as f64 / 1e9 / threads as f64 * 1.1) as u64 + 1_000,
    };
    len.min(STREAM_LEN_MAX)
}
