//! Makes a workload of a trace: the same calls on keys of the same hashes, for the replay.
//!
//! Two passes over the file. The first, a [`Survey`], learns which keys there are, which of them
//! must have been in the store before, and which lengths and TTLs occur; of it, [`workload`] makes
//! a workload that stands beside those of files. The second, [`scripts`], makes the operations.
//! All calls on one key go to one thread and keep their order, that of their beginnings.

use std::path::Path;

use super::sizes::Sizes;
use super::survey::{ByKey, GIVERS, done, read, ttl_class};
pub use super::survey::{Source, Survey};
use super::{Life, Reader, Record, Torn};
use crate::workload::Workload;
use crate::workload::mixer::scramble;
use crate::workload::model::{
    Arrival, Bound, Capability, Command, KeyDist, Keyspace, LOAD, Length, Phase, Recorded, Run,
    TtlDist, Verb as Done,
};
use crate::workload::stream::{Op, Script, Stream};

/// How a trace is to be replayed.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// The workload's name.
    pub name: String,
    /// Threads that issue operations.
    pub threads: usize,
    /// Fresh processes that each replay all of it.
    pub repeat: u32,
    /// At the recorded moments so many times as fast; `None` as fast as answers come.
    pub speed: Option<f64>,
    /// How many entries the target may hold, if not all.
    pub max_entries: Option<u64>,
}

/// In a trace of fewer calls, each is timed.
const TIME_ALL_BELOW: u64 = 100_000;
/// The name of the phase.
const PHASE: &str = "replay";

/// The workload that replays a trace by a plan.
#[must_use]
pub fn workload(survey: &Survey, plan: &Plan) -> Workload {
    let narrow = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
    let ops = survey.replayed();
    let commands = survey.commands();
    let mut requires = Vec::new();
    if commands.iter().any(|command| command.ttl.is_some()) {
        requires.push(Capability::Ttl);
    }
    if plan.max_entries.is_some() {
        requires.push(Capability::Bound);
    }
    let keyspace = Keyspace {
        name: "recorded".to_owned(),
        first: 0,
        keys: narrow(survey.keys.len()),
        absent: 0,
        key: survey.key_kind(),
        value: survey.value_kind(),
        ttl: None,
        loaded: narrow(survey.present()),
        shuffled: false,
    };
    Workload {
        name: plan.name.clone(),
        seed: 0,
        run: Run {
            threads: plan.threads,
            repeat: plan.repeat,
            time_every: if ops < TIME_ALL_BELOW { 1 } else { 64 },
            preallocate: true,
            targets: Vec::new(),
            requires,
            bound: plan.max_entries.map(|max_entries| Bound { max_entries, eviction: None }),
        },
        keyspaces: vec![keyspace],
        load_slo: Vec::new(),
        load_report: false,
        phases: vec![Phase {
            name: PHASE.to_owned(),
            length: Length::Ops(ops),
            arrival: plan.speed.map_or(Arrival::Closed, |speed| Arrival::Recorded { speed }),
            think: None,
            commands,
            report: true,
            slo: Vec::new(),
        }],
        trace: Some(Recorded {
            sha256: survey.end.sha256.clone(),
            calls: survey.end.records,
            lost: survey.end.lost,
            is_torn: survey.end.damage.is_some(),
        }),
    }
}

/// The operations of a workload that [`workload`] made of the same trace.
///
/// # Errors
/// If the trace cannot be read, or is not the one that the workload was made of.
pub fn scripts(source: &Source, workload: &Workload) -> Result<Vec<Script>, String> {
    let survey = Survey::new(source)?;
    let made_of = workload.trace.as_ref().map(|trace| trace.sha256.as_str());
    let [phase] = workload.phases.as_slice() else {
        return Err("a trace is replayed in one phase".to_owned());
    };
    if made_of != Some(survey.end.sha256.as_str()) {
        let name = source.path.display();
        return Err(format!("{name}: the trace changed while it was replayed; start again"));
    }
    let numbers = survey.numbers();
    let sizes = survey.sizes();
    let threads = workload.run.threads as u64;
    let thread_of =
        |number: u32| usize::try_from(scramble(u64::from(number)) % threads.max(1)).unwrap_or(0);
    let mut timed: Vec<Vec<(u64, Op)>> = vec![Vec::new(); workload.run.threads];
    read(source, |record| {
        if let Some(number) = numbers.get(&record.key)
            && let Some(op) = operation(record, *number, &phase.commands, &sizes)
        {
            timed[thread_of(*number)].push((record.at_ns - survey.from_ns, op));
        }
    })?;
    let mut scripts = Vec::new();
    if workload.loaded_count() > 0 {
        scripts.push(load(&survey, &numbers, &sizes, workload, thread_of));
    }
    let speed = match phase.arrival {
        Arrival::Recorded { speed } => Some(speed),
        _ => None,
    };
    let streams = timed.into_iter().map(|timed| stream(timed, speed)).collect();
    scripts.push(Script { phase: phase.clone(), streams });
    Ok(scripts)
}

fn operation(record: &Record, number: u32, commands: &[Command], sizes: &Sizes) -> Option<Op> {
    let verb = done(record)?;
    let ttl_us = match record.life {
        Life::After(ttl_us) if GIVERS.contains(&verb) => Some(ttl_us),
        _ => None,
    };
    let of_class = |command: &Command| match (ttl_us, command.ttl.as_ref().map(|ttl| ttl.dist)) {
        (None, None) => true,
        (
            Some(ttl_us),
            Some(TtlDist::Fixed { after_ns: ns } | TtlDist::Uniform { max_ns: ns, .. }),
        ) => ttl_class(ttl_us) == ttl_class(ns / 1_000),
        _ => false,
    };
    let command = commands.iter().position(|command| command.verb == verb && of_class(command))?;
    let size = match record.value_len {
        Some(len) if verb.writes() => sizes.position(len),
        _ => 0,
    };
    let step = match (ttl_us, commands[command].ttl.as_ref()) {
        (Some(ttl_us), Some(ttl)) => Op::ttl_step(ttl.dist, ttl_us.saturating_mul(1_000)),
        _ => 0,
    };
    Some(Op::new(number, command, size, step))
}

/// The keys that were there before, put in their order. Of some, no call told the length.
fn load(
    survey: &Survey,
    numbers: &ByKey<u32>,
    sizes: &Sizes,
    workload: &Workload,
    thread_of: impl Fn(u32) -> usize,
) -> Script {
    let usual =
        survey.value_lens.iter().max_by_key(|(_, count)| **count).map_or(0, |(len, _)| *len);
    let mut present: Vec<(u32, u32)> = survey
        .keys
        .iter()
        .filter(|(_, first)| first.hit)
        .filter_map(|(key, first)| Some((*numbers.get(key)?, first.value_len.unwrap_or(usual))))
        .collect();
    present.sort_unstable();
    let mut streams = vec![Vec::new(); workload.run.threads];
    for (number, len) in present {
        streams[thread_of(number)].push((0, Op::new(number, 0, sizes.position(len), 0)));
    }
    let phase = Phase {
        name: LOAD.to_owned(),
        length: Length::Ops(workload.loaded_count()),
        arrival: Arrival::Closed,
        think: None,
        commands: vec![Command {
            verb: Done::Put,
            keyspace: 0,
            weight: 1,
            batch: None,
            keys: KeyDist::Recorded,
            miss: 0.0,
            ttl: None,
        }],
        report: false,
        slo: Vec::new(),
    };
    Script { phase, streams: streams.into_iter().map(|ops| stream(ops, None)).collect() }
}

/// One thread's operations in their order, with the moments that they are due if they have any.
fn stream(mut timed: Vec<(u64, Op)>, speed: Option<f64>) -> Stream {
    // Stable: calls of one moment stay as they were written.
    timed.sort_by_key(|(at_ns, _)| *at_ns);
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "2^53 nanoseconds are 104 days, and later moments need not be exact"
    )]
    let due = |at_ns: u64, speed: f64| (at_ns as f64 / speed) as u64;
    let due_ns = speed.map(|speed| timed.iter().map(|(at_ns, _)| due(*at_ns, speed)).collect());
    let ops: Vec<Op> = timed.into_iter().map(|(_, op)| op).collect();
    let total = Some(ops.len() as u64);
    Stream { ops, batches: Vec::new(), total, due_ns: due_ns.unwrap_or_default() }
}

/// The keys that a trace's reads ask for, in their order, for caches to be tried on.
///
/// # Errors
/// As [`Reader::for_each`].
pub fn reads(bytes: &[u8], torn: Torn) -> Result<Vec<u64>, super::Damage> {
    let mut reads = Vec::new();
    Reader::new(bytes, torn)?.for_each(|record| {
        if record.verb.reads() {
            reads.push((record.at_ns, record.key));
        }
    })?;
    reads.sort_by_key(|(at_ns, _)| *at_ns);
    Ok(reads.into_iter().map(|(_, key)| key).collect())
}

/// The name of the workload that replays a file: it becomes a folder.
#[must_use]
pub fn name_of(path: &Path) -> String {
    let stem = path.file_stem().unwrap_or_default().to_string_lossy().to_lowercase();
    let plain = |c: char| if c.is_ascii_alphanumeric() || c == '-' { c } else { '_' };
    format!("trace_{}", stem.chars().map(plain).collect::<String>())
}
