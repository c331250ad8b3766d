//! Judges answers by the whole history of a run, after it is over.
//!
//! A get that finds nothing may be right: the key was deleted, or its TTL ran out, or it never
//! was there. A value returned after the deadline it carries may be right too: the deadline in it
//! is the earliest possible one, computed before the put. And a value that is intact may have
//! been overwritten or deleted long before. All three are judged here, from the operation streams
//! and the time brackets of the threads, without a second map beside the target. Everything is
//! decided in the target's favour: what is counted as early or stale cannot be explained by any
//! order in which the operations may have taken effect.

mod history;

use std::collections::HashMap;

use super::record::{Record, to_len};
use super::worker::version;
use crate::workload::mixer::scramble;
use crate::workload::model::{TtlDist, Verb};
use crate::workload::stream::{Op, Script};
use history::{EXACTNESS_NS, Effect, Explanation, History, Write};

/// Clocks that are kept right run apart by no more than this: 500 parts in a million.
const SLEWED_ONE_IN: u64 = 2_000;
/// Writes to hold in memory at a time; more are judged in several rounds over the streams.
const WRITES_MAX: u64 = 4 << 20;
/// Keys of further rounds go unjudged.
const ROUNDS_MAX: u64 = 8;

/// One phase as it was run: what was to be done, and what each thread recorded.
pub(crate) struct Played<'a> {
    pub(crate) script: &'a Script,
    pub(crate) records: &'a mut [Record],
}

/// What moments of the run and deadlines of the target have to do with each other.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Times {
    /// When the load began: cliffs count from there.
    pub(crate) load_start_ns: u64,
    /// Whether the target reads the clock of this process, and not one of its own.
    pub(crate) one_clock: bool,
}

impl Times {
    /// Where a deadline `ttl_ns` away may lie that lies within the bracket by the clock of this
    /// process. Two clocks may be slewed apart, and a server takes whole milliseconds: it keeps
    /// what is shorter for one, and sees a deadline pass at the next full one.
    fn widened(self, (earliest, latest): (u64, u64), ttl_ns: u64) -> (u64, u64) {
        if self.one_clock {
            return (earliest, latest);
        }
        let apart = ttl_ns / SLEWED_ONE_IN;
        (earliest.saturating_sub(apart), latest + apart + EXACTNESS_NS)
    }
}

/// Counts expired, early and stale answers into the records they belong to.
pub(crate) fn judge(phases: &mut [Played<'_>], times: Times, keys: u64, version_mask: u32) {
    let asked = Asked::of(phases, keys);
    if asked.count == 0 {
        return;
    }
    let writes: u64 = phases.iter().map(|phase| count_writes(phase, &asked)).sum();
    let rounds = writes.div_ceil(WRITES_MAX).max(1);
    for round in 0..rounds.min(ROUNDS_MAX) {
        let mine = |key: u32| asked.has(key) && scramble(u64::from(key)) % rounds == round;
        let mut histories: HashMap<u32, History> = HashMap::new();
        for phase in &*phases {
            collect(phase, times, &mine, &mut histories);
        }
        for history in histories.values_mut() {
            history.settle(version_mask);
        }
        for phase in &mut *phases {
            judge_phase(phase, &mine, &histories, version_mask);
        }
    }
    for round in ROUNDS_MAX..rounds {
        let mine = |key: u32| asked.has(key) && scramble(u64::from(key)) % rounds == round;
        for phase in &mut *phases {
            give_up(phase, &mine);
        }
    }
}

/// The keys whose history matters, as a bitmap.
struct Asked {
    bits: Vec<u64>,
    count: u64,
}

impl Asked {
    fn of(phases: &[Played<'_>], keys: u64) -> Self {
        let mut asked = Self { bits: vec![0; to_len(keys / 64 + 1)], count: 0 };
        for phase in phases {
            for record in &*phase.records {
                record.missed.iter().for_each(|missed| asked.add(missed.key));
                record.suspects.iter().for_each(|suspect| asked.add(suspect.key));
                record.witnesses.iter().for_each(|witness| asked.add(witness.key));
            }
        }
        asked
    }

    fn add(&mut self, key: u32) {
        let word = &mut self.bits[key as usize / 64];
        let bit = 1 << (key % 64);
        self.count += u64::from(*word & bit == 0);
        *word |= bit;
    }

    fn has(&self, key: u32) -> bool {
        self.bits[key as usize / 64] & 1 << (key % 64) != 0
    }
}

/// Every operation of a thread that may have changed its key, with its position.
fn changes<'a>(
    script: &'a Script,
    ops: &'a [Op],
    done: u64,
) -> impl Iterator<Item = (u64, Op, Verb)> + 'a {
    let positions = (0..done).zip(ops.iter().cycle());
    positions
        .map(|(position, op)| (position, *op, script.phase.commands[op.command()].verb))
        .filter(|(_, op, verb)| match verb {
            Verb::GetMany => false,
            // What it finds is given a TTL.
            Verb::Get => op.has_ttl(),
            _ => true,
        })
}

fn count_writes(phase: &Played<'_>, asked: &Asked) -> u64 {
    let threads = phase.records.iter().zip(&phase.script.streams);
    threads
        .map(|(record, stream)| {
            changes(phase.script, &stream.ops, record.done)
                .filter(|(_, op, _)| asked.has(op.key()))
                .count() as u64
        })
        .sum()
}

fn collect(
    phase: &Played<'_>,
    times: Times,
    mine: &impl Fn(u32) -> bool,
    histories: &mut HashMap<u32, History>,
) {
    let threads = phase.records.iter().zip(&phase.script.streams);
    for (thread, (record, stream)) in threads.enumerate() {
        for (position, op, verb) in changes(phase.script, &stream.ops, record.done) {
            if !mine(op.key()) {
                continue;
            }
            let (from, until) = record.bracket(position);
            let dist = phase.script.phase.commands[op.command()].ttl.as_ref().map(|ttl| ttl.dist);
            let deadline = dist
                .filter(|_| op.has_ttl())
                .and_then(|dist| deadline(dist, op, (from, until), times));
            let effect = match (verb, deadline) {
                (Verb::Delete, _) => Effect::Deleted,
                (Verb::Expire | Verb::Get, Some(deadline)) => Effect::Expire(deadline),
                (Verb::GetOrPut, deadline) => Effect::Fill(deadline),
                (_, deadline) => Effect::Put(deadline),
            };
            let version = version(thread, position);
            let history = histories.entry(op.key()).or_default();
            history.writes.push(Write { from, until, version, effect });
        }
    }
}

/// Between which moments the deadline lies that an operation of this bracket gave.
fn deadline(dist: TtlDist, op: Op, (from, until): (u64, u64), times: Times) -> Option<(u64, u64)> {
    let ttl_ns = op.ttl_ns(dist);
    if !matches!(dist, TtlDist::Cliff { .. }) {
        return Some(times.widened((from + ttl_ns, until + ttl_ns), ttl_ns));
    }
    // What was left until the cliff was computed from a reading that lies in the bracket.
    let cliff_ns = times.load_start_ns + ttl_ns;
    (cliff_ns > from).then(|| times.widened((cliff_ns, cliff_ns + (until - from)), ttl_ns))
}

fn judge_phase(
    phase: &mut Played<'_>,
    mine: &impl Fn(u32) -> bool,
    histories: &HashMap<u32, History>,
    version_mask: u32,
) {
    let nothing = History::default();
    let of = |key: u32| histories.get(&key).unwrap_or(&nothing);
    for record in &mut *phase.records {
        let mut counts = record.counts;
        for missed in record.missed.iter().filter(|missed| mine(missed.key)) {
            match of(missed.key).explain_miss(record.bracket(u64::from(missed.position))) {
                Explanation::Absent => {}
                Explanation::Expired => counts.expired += 1,
                Explanation::None => counts.early += 1,
            }
        }
        for suspect in record.suspects.iter().filter(|suspect| mine(suspect.key)) {
            match of(suspect.key).is_stale(suspect) {
                Some(true) => counts.stale += 1,
                Some(false) => {}
                None => counts.unjudged += 1,
            }
        }
        for witness in record.witnesses.iter().filter(|witness| mine(witness.key)) {
            let (seen, version) = (record.bracket(witness.position), witness.version);
            let history = of(witness.key);
            if !history.may_have_returned_version(seen, version, version_mask) {
                counts.wrong += 1;
            }
        }
        record.counts = counts;
    }
}

fn give_up(phase: &mut Played<'_>, mine: &impl Fn(u32) -> bool) {
    for record in &mut *phase.records {
        let missed = record.missed.iter().filter(|missed| mine(missed.key)).count();
        let suspects = record.suspects.iter().filter(|suspect| mine(suspect.key)).count();
        record.counts.unjudged += (missed + suspects) as u64;
    }
}
