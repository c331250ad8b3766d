//! Makes a workload of a trace: the same calls on keys of the same hashes, for the replay.
//!
//! Two passes over the file. The first, a [`Survey`], learns which keys there are, which of them
//! must have been in the store before, and which lengths and TTLs occur; of it, [`workload`] makes
//! a workload that stands beside those of files. The second, [`scripts`], makes the operations.
//! All calls on one key go to one thread and keep their order, that of their beginnings.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::reader::End;
use super::sizes::Sizes;
use super::{Life, Reader, Record, Torn, Verb};
use crate::workload::mixer::scramble;
use crate::workload::model::{
    Arrival, Bound, Capability, Command, KeyDist, KeyKind, Keyspace, LOAD, Length, Phase, Recorded,
    Run, Ttl, TtlDist, ValueKind, Verb as Done, Workload,
};
use crate::workload::stream::{Op, Script, Stream};

/// A trace, and how it is to be taken.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Source {
    /// The file.
    pub path: PathBuf,
    /// Whether all before a damage is to be taken.
    pub keep_torn: bool,
}

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

/// Keys are hashes already.
type ByKey<V> = HashMap<u64, V, foldhash::fast::FixedState>;

/// The verbs that can give a TTL.
const GIVERS: [Done; 3] = [Done::Put, Done::GetOrPut, Done::Expire];
/// TTLs from one power of eight to the next share a command, as an operation tells 65,535 apart:
/// so none is off by more than 0.01%.
const TTL_BITS: u32 = 3;
const TTL_CLASSES: usize = (u64::BITS / TTL_BITS) as usize + 1;
/// Values that carry their own check are this long at least.
const VALUE_LEN_MIN: u32 = 16;
/// In a trace of fewer calls, each is timed.
const TIME_ALL_BELOW: u64 = 100_000;
/// Decimal digits of any key's number.
const KEY_DIGITS: u32 = 10;
/// The name of the phase.
const PHASE: &str = "replay";

/// What is first heard of a key.
#[derive(Clone, Copy, Debug)]
struct First {
    at_ns: u64,
    hit: bool,
    value_len: Option<u32>,
}

/// All that must be known of a trace before operations can be made of it.
#[derive(Debug)]
pub struct Survey {
    /// How it ended.
    pub end: End,
    /// Calls by verb.
    pub calls: BTreeMap<Verb, u64>,
    keys: ByKey<First>,
    threads: HashSet<u32>,
    key_bytes: u64,
    key_lens: HashSet<u32>,
    value_lens: BTreeMap<u32, u64>,
    /// The shortest and the longest TTL of each class, of each giver.
    ttls: [[Option<(u64, u64)>; TTL_CLASSES]; GIVERS.len()],
    kept_ttls: u64,
    from_ns: u64,
    until_ns: u64,
}

/// What a recorded call becomes; `None` if the replay has nothing like it.
fn done(record: &Record) -> Option<Done> {
    match (record.verb, record.life) {
        (Verb::Get | Verb::Contains | Verb::Update, _) => Some(Done::Get),
        (Verb::Put, _) => Some(Done::Put),
        (Verb::GetOrPut, _) => Some(Done::GetOrPut),
        (Verb::Delete, _) => Some(Done::Delete),
        (Verb::Expire, Life::After(_)) => Some(Done::Expire),
        (Verb::Expire | Verb::Persist, _) => None,
    }
}

fn ttl_class(ttl_us: u64) -> usize {
    (ttl_us.max(1).ilog2() / TTL_BITS) as usize
}

impl Survey {
    /// Reads the trace through.
    ///
    /// # Errors
    /// If it cannot be read, is damaged, or there is nothing to replay in it; names it.
    pub fn new(source: &Source) -> Result<Self, String> {
        let mut survey = Self {
            end: End::default(),
            calls: BTreeMap::new(),
            keys: ByKey::default(),
            threads: HashSet::new(),
            key_bytes: 0,
            key_lens: HashSet::new(),
            value_lens: BTreeMap::new(),
            ttls: [[None; TTL_CLASSES]; GIVERS.len()],
            kept_ttls: 0,
            from_ns: u64::MAX,
            until_ns: 0,
        };
        survey.end = read(source, |record| survey.learn(record))?;
        let name = source.path.display();
        if survey.keys.is_empty() {
            return Err(format!("{name}: no call to replay is in it; record a store that is used"));
        }
        if survey.keys.len() > (u32::MAX >> 1) as usize {
            let keys = survey.keys.len();
            return Err(format!(
                "{name}: {keys} keys are too many to replay; record for less long"
            ));
        }
        Ok(survey)
    }

    fn learn(&mut self, record: &Record) {
        *self.calls.entry(record.verb).or_default() += 1;
        self.from_ns = self.from_ns.min(record.at_ns);
        self.until_ns = self.until_ns.max(record.at_ns);
        self.threads.insert(record.thread);
        let &Record { at_ns, hit, value_len, .. } = record;
        let first = First { at_ns, hit, value_len };
        let mut is_new = false;
        let known = self.keys.entry(record.key).or_insert_with(|| {
            is_new = true;
            first
        });
        if at_ns < known.at_ns {
            *known = first;
        }
        if is_new {
            self.key_bytes += u64::from(record.key_len);
            self.key_lens.insert(record.key_len);
        }
        if let Some(len) = value_len {
            *self.value_lens.entry(len).or_default() += 1;
        }
        match (record.life, done(record).and_then(|done| GIVERS.iter().position(|g| *g == done))) {
            (Life::After(ttl_us), Some(giver)) => {
                let class = &mut self.ttls[giver][ttl_class(ttl_us)];
                let (least, most) = class.unwrap_or((ttl_us, ttl_us));
                *class = Some((least.min(ttl_us), most.max(ttl_us)));
            }
            (Life::Keep, Some(_)) => self.kept_ttls += 1,
            _ => {}
        }
    }

    /// Threads that called.
    #[must_use]
    pub fn threads(&self) -> usize {
        self.threads.len().max(1)
    }

    /// From the first call to the last, in nanoseconds.
    #[must_use]
    pub const fn span_ns(&self) -> u64 {
        self.until_ns.saturating_sub(self.from_ns)
    }

    fn calls(&self, verbs: &[Verb]) -> u64 {
        verbs.iter().filter_map(|verb| self.calls.get(verb)).sum()
    }

    /// Keys that had a value when they were first heard of, so must have had it before.
    fn present(&self) -> usize {
        self.keys.values().filter(|first| first.hit).count()
    }

    fn sizes(&self) -> Sizes {
        Sizes::new(&self.value_lens)
    }

    /// All values are eight bytes, as those of a `u64` are; so is what has none.
    fn value_kind(&self) -> ValueKind {
        let sizes = self.sizes().pairs;
        if sizes.iter().all(|(len, _)| *len == 8) {
            return ValueKind::U64;
        }
        let sizes = sizes.iter().map(|(len, weight)| ((*len).max(VALUE_LEN_MIN), *weight));
        ValueKind::Bytes { sizes: sizes.collect() }
    }

    fn key_kind(&self) -> KeyKind {
        if self.key_lens.iter().all(|len| *len == 8) {
            return KeyKind::U64;
        }
        let mean = self.key_bytes.div_ceil(self.keys.len().max(1) as u64);
        let len = u32::try_from(mean).unwrap_or(u32::MAX).clamp(KEY_DIGITS, 1 << 16);
        KeyKind::Text { len, prefix: String::new() }
    }

    /// In what the replay is not what was recorded, for people to read.
    #[must_use]
    pub fn notes(&self) -> Vec<String> {
        let mut notes = Vec::new();
        let mut note = |count: u64, text: String| {
            if count > 0 {
                notes.push(text);
            }
        };
        let lost = self.end.lost;
        note(lost, format!("{lost} calls were lost while recording, and are not replayed"));
        if let Some(damage) = &self.end.damage {
            note(
                1,
                format!("the trace is damaged at {damage}: only what is before it is replayed"),
            );
        }
        let present = self.present() as u64;
        note(present, format!("{present} keys were there before: they are loaded, without TTLs"));
        let looks = self.calls(&[Verb::Contains, Verb::Update]);
        note(looks, format!("{looks} calls of contains and update are replayed as gets"));
        let left_out = self.left_out();
        note(left_out, format!("{left_out} calls that took TTLs away are left out"));
        let kept = self.kept_ttls;
        note(kept, format!("{kept} writes that kept the TTL of the value before give none"));
        let sizes = self.sizes();
        if !sizes.is_exact {
            let (all, few) = (self.value_lens.len(), sizes.pairs.len());
            note(1, format!("{few} lengths stand for {all} lengths of values"));
        }
        let is_short = |len: &u32| *len < VALUE_LEN_MIN;
        if self.value_kind() != ValueKind::U64 && self.value_lens.keys().any(is_short) {
            note(1, format!("values are {VALUE_LEN_MIN} bytes at least, to carry their check"));
        }
        if self.key_lens.len() > 1
            && let KeyKind::Text { len, .. } = self.key_kind()
        {
            let lens = self.key_lens.len();
            note(1, format!("all keys have {len} bytes, the mean of {lens} lengths"));
        }
        notes
    }

    fn left_out(&self) -> u64 {
        self.end.records - self.replayed()
    }

    fn replayed(&self) -> u64 {
        let given = self.calls.get(&Verb::Expire).copied().unwrap_or(0);
        let others: u64 = self.calls(&[
            Verb::Get,
            Verb::Contains,
            Verb::Update,
            Verb::Put,
            Verb::GetOrPut,
            Verb::Delete,
        ]);
        others + given
    }

    /// The commands that the operations refer to: one a verb, and for what gives TTLs one more
    /// for each class of them.
    fn commands(&self) -> Vec<Command> {
        let command = |verb: Done, dist: Option<TtlDist>| Command {
            verb,
            keyspace: 0,
            weight: 1,
            keys: KeyDist::Recorded,
            miss: 0.0,
            ttl: dist.map(|dist| Ttl { share: 1.0, dist }),
        };
        let mut commands = vec![
            command(Done::Get, None),
            command(Done::Put, None),
            command(Done::GetOrPut, None),
            command(Done::Delete, None),
        ];
        for (giver, classes) in GIVERS.into_iter().zip(&self.ttls) {
            for (least, most) in classes.iter().flatten() {
                let (min_ns, max_ns) = (least.saturating_mul(1_000), most.saturating_mul(1_000));
                let dist = if least == most {
                    TtlDist::Fixed { after_ns: min_ns }
                } else {
                    TtlDist::Uniform { min_ns, max_ns }
                };
                commands.push(command(giver, Some(dist)));
            }
        }
        commands
    }

    /// Each key's number: first those that are loaded, each in the order in which they were first
    /// heard of.
    fn numbers(&self) -> ByKey<u32> {
        let mut keys: Vec<(bool, u64, u64)> =
            self.keys.iter().map(|(key, first)| (!first.hit, first.at_ns, *key)).collect();
        keys.sort_unstable();
        (0..).zip(keys).map(|(number, (_, _, key))| (key, number)).collect()
    }
}

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

/// Reads all of a trace; what is wrong names it.
fn read(source: &Source, visit: impl FnMut(&Record)) -> Result<End, String> {
    let torn = if source.keep_torn { Torn::Keep } else { Torn::Refuse };
    let end = Reader::open(&source.path, torn)?.for_each(visit);
    end.map_err(|damage| format!("{}: {damage}", source.path.display()))
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
        commands: vec![Command {
            verb: Done::Put,
            keyspace: 0,
            weight: 1,
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
    Stream { ops, total, due_ns: due_ns.unwrap_or_default() }
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
