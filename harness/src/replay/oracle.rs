//! Judges answers by the whole history of a run, after it is over.
//!
//! A get that finds nothing may be right: the key was deleted, or its TTL ran out, or it never
//! was there. A value returned after the deadline it carries may be right too: the deadline in it
//! is the earliest possible one, computed before the put. And a value that is intact may have
//! been overwritten or deleted long before. All three are judged here, from the operation streams
//! and the time brackets of the threads, without a second map beside the target. Everything is
//! decided in the target's favour: what is counted as early or stale cannot be explained by any
//! order in which the operations may have taken effect.

use std::collections::HashMap;

use super::record::{Record, Suspect, to_len};
use super::worker::version;
use crate::workload::mixer::scramble;
use crate::workload::model::{TtlDist, Verb};
use crate::workload::stream::{Op, Script};

/// Deadlines are exact to a millisecond.
const EXACTNESS_NS: u64 = 1_000_000;
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

/// An operation that changed a key, or may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Write {
    /// It began at this moment or later.
    from: u64,
    /// It ended at this moment or earlier.
    until: u64,
    /// What a value that it wrote carries.
    version: u32,
    effect: Effect,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Effect {
    /// The key has a value, until a moment within the bracket if there is one.
    Put(Option<(u64, u64)>),
    Deleted,
    /// If the key had a value, it now ends within the bracket.
    Expire((u64, u64)),
    /// If the key had no value, it now has one, until a moment within the bracket if there is one.
    /// Whether it had one is not known.
    Fill(Option<(u64, u64)>),
}

impl Effect {
    /// Whether it takes place whatever the key was before, and so hides that.
    const fn is_certain(self) -> bool {
        matches!(self, Self::Put(_) | Self::Deleted)
    }

    /// Whether a get may find what it wrote.
    const fn may_write(self) -> bool {
        matches!(self, Self::Put(_) | Self::Fill(_))
    }
}

/// All that happened to one key.
#[derive(Debug, Default)]
struct History {
    /// In order of `from`.
    writes: Vec<Write>,
    /// The longest time between `from` and `until`.
    longest: u64,
    /// Whether any of them hides what was before it.
    certain: bool,
    /// Of a long history that nothing hides: when each version may have been written first. A
    /// popular key that is read through has millions of fills, too many to search for each get.
    earliest: HashMap<u32, u64>,
}

/// Histories longer than this are searched by version.
const LONG: usize = 64;

/// What explains a miss.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Explanation {
    /// A delete, or that the key was never put before.
    Absent,
    /// A deadline that may have passed.
    Expired,
    /// Nothing does.
    None,
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
            for (record, stream) in phase.records.iter().zip(&phase.script.streams) {
                for position in &record.missed {
                    asked.add(op_at(&stream.ops, u64::from(*position)).key());
                }
                record.suspects.iter().for_each(|suspect| asked.add(suspect.key));
                for witness in &record.witnesses {
                    asked.add(op_at(&stream.ops, witness.position).key());
                }
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

fn op_at(ops: &[Op], position: u64) -> Op {
    ops[to_len(position % ops.len() as u64)]
}

/// Every operation of a thread that is not a get, with its position.
fn changes<'a>(
    script: &'a Script,
    ops: &'a [Op],
    done: u64,
) -> impl Iterator<Item = (u64, Op, Verb)> + 'a {
    let positions = (0..done).zip(ops.iter().cycle());
    positions
        .map(|(position, op)| (position, *op, script.phase.commands[op.command()].verb))
        .filter(|(_, _, verb)| *verb != Verb::Get)
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
                (Verb::Expire, Some(deadline)) => Effect::Expire(deadline),
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
    for (record, stream) in phase.records.iter_mut().zip(&phase.script.streams) {
        let mut counts = record.counts;
        for position in record.missed.iter().map(|position| u64::from(*position)) {
            let key = op_at(&stream.ops, position).key();
            if mine(key) {
                match of(key).explain_miss(record.bracket(position)) {
                    Explanation::Absent => {}
                    Explanation::Expired => counts.expired += 1,
                    Explanation::None => counts.early += 1,
                }
            }
        }
        for suspect in record.suspects.iter().filter(|suspect| mine(suspect.key)) {
            match of(suspect.key).is_stale(suspect) {
                Some(true) => counts.stale += 1,
                Some(false) => {}
                None => counts.unjudged += 1,
            }
        }
        for witness in &record.witnesses {
            let key = op_at(&stream.ops, witness.position).key();
            let seen = record.bracket(witness.position);
            if mine(key) && !of(key).may_have_returned_version(seen, witness.version, version_mask)
            {
                counts.wrong += 1;
            }
        }
        record.counts = counts;
    }
}

fn give_up(phase: &mut Played<'_>, mine: &impl Fn(u32) -> bool) {
    for (record, stream) in phase.records.iter_mut().zip(&phase.script.streams) {
        let missed = record
            .missed
            .iter()
            .filter(|position| mine(op_at(&stream.ops, u64::from(**position)).key()))
            .count();
        let suspects = record.suspects.iter().filter(|suspect| mine(suspect.key)).count();
        record.counts.unjudged += (missed + suspects) as u64;
    }
}

impl History {
    /// Puts what was collected into order.
    fn settle(&mut self, version_mask: u32) {
        self.writes.sort_unstable_by_key(|write| write.from);
        self.longest = self.writes.iter().map(|write| write.until - write.from).max().unwrap_or(0);
        self.certain = self.writes.iter().any(|write| write.effect.is_certain());
        if !self.certain && self.writes.len() > LONG {
            for write in self.writes.iter().filter(|write| write.effect.may_write()) {
                self.earliest.entry(write.version & version_mask).or_insert(write.from);
            }
        }
    }

    /// The writes that can decide what a get within the bracket `seen` finds, and whether one of
    /// them was surely over when it began: the last such hides all that was over before itself.
    fn visible(&self, (from, until): (u64, u64)) -> (impl Iterator<Item = &Write>, bool) {
        let begun = &self.writes[..self.writes.partition_point(|write| write.from <= until)];
        let over = |write: &&Write| write.until <= from && write.effect.is_certain();
        let last = if self.certain { begun.iter().rev().find(over).copied() } else { None };
        let hidden_until = last.map_or(0, |last| last.from);
        let reach = hidden_until.saturating_sub(self.longest);
        let visible = begun
            .iter()
            .rev()
            .take_while(move |write| write.from >= reach)
            .filter(move |write| write.until > hidden_until || Some(**write) == last);
        (visible, last.is_some())
    }

    /// What explains that a get within the bracket `seen` found nothing.
    fn explain_miss(&self, seen: (u64, u64)) -> Explanation {
        let (visible, is_bounded) = self.visible(seen);
        if !is_bounded {
            return Explanation::Absent;
        }
        let mut explanation = Explanation::None;
        for write in visible {
            match write.effect {
                Effect::Deleted => return Explanation::Absent,
                Effect::Put(Some((earliest, _)))
                | Effect::Expire((earliest, _))
                | Effect::Fill(Some((earliest, _))) => {
                    if earliest.saturating_sub(EXACTNESS_NS) <= seen.1 {
                        explanation = Explanation::Expired;
                    }
                }
                Effect::Put(None) | Effect::Fill(None) => {}
            }
        }
        explanation
    }

    /// Whether a get within the bracket `seen` may have returned a value of this version.
    fn may_have_returned_version(&self, seen: (u64, u64), version: u32, version_mask: u32) -> bool {
        if self.earliest.is_empty() {
            let possible = |write: &Write| write.version & version_mask == version;
            return self.may_have_returned(seen, possible);
        }
        self.earliest.get(&version).is_some_and(|&from| from <= seen.1)
    }

    /// Whether a get within the bracket `seen` may have returned what a put wrote that is
    /// `possible`: not if each of those was surely overwritten or deleted before it began.
    fn may_have_returned(&self, seen: (u64, u64), possible: impl Fn(&Write) -> bool) -> bool {
        let (mut visible, _) = self.visible(seen);
        visible.any(|write| write.effect.may_write() && possible(write))
    }

    /// Whether the value was returned after the latest deadline it can have had; `None` if no put
    /// is known that may have made it.
    fn is_stale(&self, suspect: &Suspect) -> Option<bool> {
        let carried_ns = u64::from(suspect.deadline_ms) * 1_000_000;
        let may_have_made = |write: &&Write| match write.effect {
            Effect::Put(Some((earliest, latest))) | Effect::Fill(Some((earliest, latest))) => {
                earliest <= carried_ns + 1_000_000 && carried_ns <= latest
            }
            _ => false,
        };
        let mut latest = None;
        for put in self.writes.iter().filter(may_have_made) {
            if let Effect::Put(Some((_, own))) | Effect::Fill(Some((_, own))) = put.effect {
                latest = latest.max(Some(own));
            }
            // An expire that may have come after the put may have moved the deadline.
            for other in self.writes.iter().filter(|other| other.until >= put.from) {
                if let Effect::Expire((_, expire_latest)) = other.effect {
                    latest = latest.max(Some(expire_latest));
                }
            }
        }
        Some(suspect.seen_ns >= latest? + EXACTNESS_NS)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: u64 = 1_000_000;

    fn write(from: u64, until: u64, effect: Effect) -> Write {
        Write { from: from * MS, until: until * MS, version: 7, effect }
    }

    fn put(from: u64, until: u64) -> Write {
        write(from, until, Effect::Put(None))
    }

    fn put_ttl(from: u64, until: u64, ttl: u64) -> Write {
        write(from, until, Effect::Put(Some(((from + ttl) * MS, (until + ttl) * MS))))
    }

    fn history(writes: &[Write]) -> History {
        let mut history = History { writes: writes.to_vec(), ..History::default() };
        history.settle(u32::MAX);
        history
    }

    fn explain_at(writes: &[Write], from: u64, until: u64) -> Explanation {
        history(writes).explain_miss((from * MS, until * MS))
    }

    #[test]
    fn the_deadline_of_a_server_lies_where_its_clock_may_have_it() {
        let minute = 60_000 * MS;
        let of = |one_clock| {
            let times = Times { load_start_ns: 0, one_clock };
            let deadline = times.widened((minute, minute + MS), minute);
            let put = Write { from: 0, until: MS, version: 7, effect: Effect::Put(Some(deadline)) };
            let mut history = History { writes: vec![put], ..History::default() };
            history.settle(u32::MAX);
            let missed = |at: u64| history.explain_miss((at, at + MS));
            let stale =
                |seen_ns: u64| history.is_stale(&Suspect { key: 1, deadline_ms: 60_000, seen_ns });
            let ms = |ms: u64| minute + ms * MS;
            (
                [missed(ms(0) - 29 * MS), missed(ms(0) - 34 * MS)],
                [stale(ms(2)), stale(ms(32)), stale(ms(33))],
            )
        };
        let (early, late) = (Explanation::None, Some(true));
        assert_eq!(of(true), ([early, early], [late, late, late]));
        assert_eq!(of(false), ([Explanation::Expired, early], [Some(false), Some(false), late]));
    }

    #[test]
    fn a_miss_of_a_key_that_must_be_there_is_early() {
        assert_eq!(explain_at(&[put(0, 1)], 5, 6), Explanation::None);
        let deleted_then_put = [write(0, 1, Effect::Deleted), put(2, 3)];
        assert_eq!(explain_at(&deleted_then_put, 5, 6), Explanation::None);
        assert_eq!(explain_at(&[put_ttl(0, 1, 100)], 50, 60), Explanation::None);
        let expired_then_put = [put_ttl(0, 1, 3), put(10, 11)];
        assert_eq!(explain_at(&expired_then_put, 20, 21), Explanation::None);
    }

    #[test]
    fn a_miss_that_anything_may_explain_is_not_early() {
        assert_eq!(explain_at(&[], 5, 6), Explanation::Absent);
        assert_eq!(explain_at(&[put(5, 7)], 6, 8), Explanation::Absent, "put may come later");
        let deleted = [put(0, 1), write(3, 4, Effect::Deleted)];
        assert_eq!(explain_at(&deleted, 5, 6), Explanation::Absent);
        let beside = [put(0, 1), write(5, 9, Effect::Deleted)];
        assert_eq!(explain_at(&beside, 6, 7), Explanation::Absent, "delete may come first");
        let unordered = [write(2, 5, Effect::Deleted), put(3, 4)];
        assert_eq!(explain_at(&unordered, 8, 9), Explanation::Absent, "either may be last");
        assert_eq!(explain_at(&[put_ttl(0, 1, 50)], 48, 50), Explanation::Expired);
        let shortened = [put(0, 1), write(2, 3, Effect::Expire((12 * MS, 13 * MS)))];
        assert_eq!(explain_at(&shortened, 20, 21), Explanation::Expired);
    }

    #[test]
    fn a_long_history_of_fills_is_judged_as_a_short_one() {
        let fill = |at: u64, version| Write { version, ..write(at, at + 1, Effect::Fill(None)) };
        let long: Vec<Write> =
            (0..=LONG as u64).zip(0..).map(|(at, version)| fill(at, version)).collect();
        let (long, short) = (history(&long), history(&long[..LONG]));
        assert!(short.earliest.is_empty() && !long.earliest.is_empty());
        for (version, from) in [(0, 5), (5, 5), (6, 5), (7, 5), (7, 9), (30, 5), (99, 90)] {
            let judge = |history: &History| {
                history.may_have_returned_version((from * MS, (from + 1) * MS), version, u32::MAX)
            };
            assert_eq!(judge(&long), judge(&short), "version {version} seen at {from}");
        }
    }

    #[test]
    fn a_fill_may_have_written_or_not() {
        let fill = |from, until, deadline| write(from, until, Effect::Fill(deadline));
        assert_eq!(explain_at(&[fill(0, 1, None)], 5, 6), Explanation::Absent, "never surely put");
        assert_eq!(explain_at(&[put(0, 1), fill(2, 3, None)], 5, 6), Explanation::None);
        let refilled = [put_ttl(0, 1, 3), fill(10, 11, Some((20 * MS, 21 * MS)))];
        assert_eq!(explain_at(&refilled, 30, 31), Explanation::Expired);
        let own = |writes: &[Write]| {
            history(writes).may_have_returned((5 * MS, 6 * MS), |write| write.version == 7)
        };
        let newer = |effect| Write { version: 8, ..write(2, 3, effect) };
        assert!(own(&[put(0, 1), newer(Effect::Fill(None))]), "a fill may have found it there");
        assert!(own(&[fill(0, 1, None)]), "and may have written what is returned");
        assert!(!own(&[fill(0, 1, None), newer(Effect::Put(None))]), "surely overwritten");
        let late = history(&[fill(10, 14, Some((110 * MS, 114 * MS)))]);
        assert_eq!(late.is_stale(&suspect(110, 115)), Some(true));
        assert_eq!(late.is_stale(&suspect(110, 113)), Some(false));
    }

    fn suspect(deadline_ms: u32, seen: u64) -> Suspect {
        Suspect { key: 1, deadline_ms, seen_ns: seen * MS }
    }

    #[test]
    fn a_value_is_stale_only_after_the_latest_deadline_it_can_have_had() {
        let writes = [put_ttl(10, 14, 100)];
        assert_eq!(history(&writes).is_stale(&suspect(110, 113)), Some(false));
        assert_eq!(history(&writes).is_stale(&suspect(110, 115)), Some(true));
        assert_eq!(history(&writes).is_stale(&suspect(500, 600)), None, "no put made this value");
        let extended = [writes[0], write(50, 51, Effect::Expire((550 * MS, 551 * MS)))];
        assert_eq!(history(&extended).is_stale(&suspect(110, 300)), Some(false));
        assert_eq!(history(&extended).is_stale(&suspect(110, 552)), Some(true));
    }

    #[test]
    fn a_value_that_was_surely_overwritten_or_deleted_may_not_be_returned() {
        let may = |writes: &[Write], from: u64, until: u64| {
            history(writes).may_have_returned((from * MS, until * MS), |write| write.version == 7)
        };
        let newer = |from, until| Write { version: 8, ..put(from, until) };
        assert!(may(&[put(0, 1)], 5, 6));
        assert!(may(&[put(0, 1), newer(5, 7)], 6, 8), "the newer put may come later");
        assert!(!may(&[put(0, 1), newer(2, 3)], 5, 6), "surely overwritten");
        assert!(!may(&[put(0, 1), write(2, 3, Effect::Deleted)], 5, 6), "surely deleted");
        assert!(may(&[put(0, 3), write(2, 4, Effect::Deleted)], 5, 6), "either may be last");
        assert!(!may(&[newer(0, 1)], 5, 6), "never written");
    }
}
