//! What must be known of a trace before operations can be made of it.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::reader::End;
use super::sizes::Sizes;
use super::{Life, Reader, Record, Torn, Verb};
use crate::workload::model::{Command, KeyDist, KeyKind, Ttl, TtlDist, ValueKind, Verb as Done};

/// A trace, and how it is to be taken.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Source {
    /// The file.
    pub path: PathBuf,
    /// Whether all before a damage is to be taken.
    pub keep_torn: bool,
}

/// Keys are hashes already.
pub(super) type ByKey<V> = HashMap<u64, V, foldhash::fast::FixedState>;

/// The verbs that can give a TTL.
pub(super) const GIVERS: [Done; 3] = [Done::Put, Done::GetOrPut, Done::Expire];
/// TTLs from one power of eight to the next share a command, as an operation tells 65,535 apart:
/// so none is off by more than 0.01%.
pub(super) const TTL_BITS: u32 = 3;
pub(super) const TTL_CLASSES: usize = (u64::BITS / TTL_BITS) as usize + 1;
/// Values that carry their own check are this long at least.
pub(super) const VALUE_LEN_MIN: u32 = 16;
/// Decimal digits of any key's number.
pub(super) const KEY_DIGITS: u32 = 10;
/// What is first heard of a key.
#[derive(Clone, Copy, Debug)]
pub(super) struct First {
    pub(super) at_ns: u64,
    pub(super) hit: bool,
    pub(super) value_len: Option<u32>,
}

/// All that must be known of a trace before operations can be made of it.
#[derive(Debug)]
pub struct Survey {
    /// How it ended.
    pub end: End,
    /// Calls by verb.
    pub calls: BTreeMap<Verb, u64>,
    pub(super) keys: ByKey<First>,
    threads: HashSet<u32>,
    key_bytes: u64,
    key_lens: HashSet<u32>,
    pub(super) value_lens: BTreeMap<u32, u64>,
    /// The shortest and the longest TTL of each class, of each giver.
    ttls: [[Option<(u64, u64)>; TTL_CLASSES]; GIVERS.len()],
    kept_ttls: u64,
    pub(super) from_ns: u64,
    until_ns: u64,
}

/// What a recorded call becomes; `None` if the replay has nothing like it.
pub(super) fn done(record: &Record) -> Option<Done> {
    match (record.verb, record.life) {
        (Verb::Get | Verb::Contains | Verb::Update, _) => Some(Done::Get),
        (Verb::Put, _) => Some(Done::Put),
        (Verb::GetOrPut, _) => Some(Done::GetOrPut),
        (Verb::Delete, _) => Some(Done::Delete),
        (Verb::Expire, Life::After(_)) => Some(Done::Expire),
        (Verb::Expire | Verb::Persist, _) => None,
    }
}

pub(super) fn ttl_class(ttl_us: u64) -> usize {
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

    /// Keys that had a value when they were first heard of, so must have had it before; or a call
    /// that began later and ended sooner, on another thread, gave it, which no record tells.
    pub(super) fn present(&self) -> usize {
        self.keys.values().filter(|first| first.hit).count()
    }

    pub(super) fn sizes(&self) -> Sizes {
        Sizes::new(&self.value_lens)
    }

    /// All values are eight bytes, as those of a `u64` are; so is what has none.
    pub(super) fn value_kind(&self) -> ValueKind {
        let sizes = self.sizes().pairs;
        if sizes.iter().all(|(len, _)| *len == 8) {
            return ValueKind::U64;
        }
        let sizes = sizes.iter().map(|(len, weight)| ((*len).max(VALUE_LEN_MIN), *weight));
        ValueKind::Bytes { sizes: sizes.collect() }
    }

    pub(super) fn key_kind(&self) -> KeyKind {
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

    pub(super) fn replayed(&self) -> u64 {
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
    pub(super) fn commands(&self) -> Vec<Command> {
        let command = |verb: Done, dist: Option<TtlDist>| Command {
            verb,
            keyspace: 0,
            weight: 1,
            batch: None,
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
    pub(super) fn numbers(&self) -> ByKey<u32> {
        let mut keys: Vec<(bool, u64, u64)> =
            self.keys.iter().map(|(key, first)| (!first.hit, first.at_ns, *key)).collect();
        keys.sort_unstable();
        (0..).zip(keys).map(|(number, (_, _, key))| (key, number)).collect()
    }
}

/// Reads all of a trace; what is wrong names it.
pub(super) fn read(source: &Source, visit: impl FnMut(&Record)) -> Result<End, String> {
    let torn = if source.keep_torn { Torn::Keep } else { Torn::Refuse };
    let end = Reader::open(&source.path, torn)?.for_each(visit);
    end.map_err(|damage| format!("{}: {damage}", source.path.display()))
}
