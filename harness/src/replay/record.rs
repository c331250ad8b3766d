//! What one thread keeps of one phase.
//!
//! Everything is allocated and touched before the load, so that recording does not count as the
//! target's memory, and does not allocate in the timed loop. That is more than thrift: after two
//! million entries were freed, the system allocator's next allocation of a kilobyte or more in
//! the same arena merges all the freed pieces first, which was seen to take 0.7 s.

use hdrhistogram::Histogram;

use super::paced::{Course, Paced};
use super::series::ThreadInterval;
use crate::report::Counts;
use crate::report::histogram::{HIGHEST_NS, coarse, latencies};
use crate::workload::model::{Command, Phase, Verb};
use crate::workload::stream::Stream;

/// The clock is read at least once in so many operations; see [`Record::timeline`].
const CHECKPOINT: u64 = 256;
/// A thread that pauses reads it more often: every so many nanoseconds, if it can be..
const CHECKPOINT_NS: u64 = 100_000;
/// ..and unless that would be oftener than so many times.
const TIMELINE_MAX: u64 = 1 << 20;
/// Misses to remember for the oracle; the rest is counted as unjudged.
const MISSED_MAX: u64 = 2 << 20;
/// Suspicions of staleness to remember. Few are expected, unless the target never expires..
const SUSPECTS_MAX: usize = 1 << 16;
/// ..or deadlines are moved, of which the values know nothing.
const SUSPECTS_MAX_MOVED: u64 = 1 << 20;
/// Values to remember for the oracle; a sample anyway.
const WITNESSES_MAX: usize = 1 << 16;
/// An operation issued later than this after its time is late.
const LATE_NS: u64 = 1_000_000;

/// What one thread keeps of one phase.
#[derive(Debug)]
pub(crate) struct Record {
    /// Operations done.
    pub(crate) done: u64,
    /// Operations done by verb.
    pub(crate) ops: [u64; Verb::ALL.len()],
    /// Latencies of the timed ones by verb.
    pub(crate) latencies: [Histogram<u64>; Verb::ALL.len()],
    /// How arrivals fared, in an open loop.
    pub(crate) paced: Option<Paced>,
    /// What can be counted on the spot.
    pub(crate) counts: Counts,
    /// The clock is read once in so many operations, a power of two.
    pub(crate) checkpoint: u64,
    /// The run's clock before each operation at a checkpoint and after the last: it brackets
    /// the time of every operation without a reading for each.
    pub(crate) timeline: Vec<u64>,
    /// Keys that were looked up and not found.
    pub(crate) missed: Vec<Missed>,
    /// Values that look stale.
    pub(crate) suspects: Vec<Suspect>,
    /// Some of the values that look right.
    pub(crate) witnesses: Vec<Witness>,
    /// The interval of the series that the thread is in.
    pub(crate) interval: ThreadInterval,
    /// Puts that came after the cliff they were to die at.
    pub(crate) after_cliff: u64,
    /// What the thread's handle says went wrong.
    pub(crate) failure: Option<String>,
}

/// A key that was looked up and not found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Missed {
    /// The position of the operation.
    pub(crate) position: u32,
    /// The key's number.
    pub(crate) key: u32,
}

/// A value that was returned when its own deadline seemed to have passed. The deadline in the
/// value is the earliest that is possible, so the oracle decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Suspect {
    /// The key's number.
    pub(crate) key: u32,
    /// The deadline in the value.
    pub(crate) deadline_ms: u32,
    /// What a write of the operation that saw it would be known by: a touch of its own comes too
    /// late to explain what it saw.
    pub(crate) reader: u32,
    /// A moment before the get began.
    pub(crate) seen_ns: u64,
}

/// A value that was returned and is intact. Whether it was still the key's value by then only
/// the whole history can tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Witness {
    /// The position of the operation that read it.
    pub(crate) position: u64,
    /// The key's number.
    pub(crate) key: u32,
    /// The version in the value.
    pub(crate) version: u32,
}

impl Record {
    /// An empty record with room for what `stream` can bring.
    pub(crate) fn new(phase: &Phase, stream: &Stream) -> Self {
        let expected = stream.total.unwrap_or(stream.ops.len() as u64 * 4);
        let reads = phase.commands.iter().any(|command| command.verb.reads());
        let keys_max = phase.commands.iter().map(|c| c.batch.map_or(1, |batch| batch.max)).max();
        let keys = expected.saturating_mul(u64::from(keys_max.unwrap_or(1)));
        let missed_max = if reads { keys.min(MISSED_MAX) } else { 0 };
        let moves = phase.commands.iter().any(Command::moves_deadlines);
        let suspects_max = match (reads, moves) {
            (false, _) => 0,
            (true, false) => SUSPECTS_MAX,
            (true, true) => SUSPECTS_MAX.max(to_len(expected.min(SUSPECTS_MAX_MOVED))),
        };
        let witnesses_max = if reads { WITNESSES_MAX } else { 0 };
        let witness = Witness { position: 0, key: 0, version: 0 };
        let missed = Missed { position: 0, key: 0 };
        let checkpoint = checkpoint(phase, expected);
        let suspect = Suspect { key: 0, deadline_ms: 0, reader: 0, seen_ns: 0 };
        Self {
            done: 0,
            ops: [0; Verb::ALL.len()],
            latencies: Verb::ALL.map(|_| latencies()),
            paced: Paced::new(phase),
            counts: Counts::default(),
            checkpoint,
            timeline: touched(to_len(expected / checkpoint + 3), 1),
            missed: touched(to_len(missed_max), missed),
            suspects: touched(suspects_max, suspect),
            witnesses: touched(witnesses_max, witness),
            interval: ThreadInterval::new(),
            after_cliff: 0,
            failure: None,
        }
    }

    /// Adds the latency of one timed operation.
    #[inline]
    pub(crate) fn latency(&mut self, verb: Verb, ns: u64) {
        // In range by the clamp, so nothing can fail.
        let _ = self.latencies[verb as usize].record(ns.clamp(1, HIGHEST_NS));
    }

    /// Adds an operation of an open loop that was due in `step`.
    #[inline]
    pub(crate) fn arrival(&mut self, verb: Verb, step: usize, course: Course) {
        let ns = course.answered_ns - course.due_ns;
        self.latency(verb, ns);
        self.interval.latency(ns);
        self.counts.late += u64::from(course.issued_ns - course.due_ns > LATE_NS);
        if let Some(paced) = &mut self.paced {
            paced.add(verb, step, course);
        }
    }

    /// Adds an operation whose time came in `step` and that is not issued any more.
    pub(crate) fn unissued(&mut self, step: usize) {
        self.counts.unissued += 1;
        if let Some(paced) = &mut self.paced {
            paced.unissued(step);
        }
    }

    /// Remembers a key that was not found.
    #[inline]
    pub(crate) fn missed(&mut self, key: u32, position: u64) {
        self.counts.miss += 1;
        match u32::try_from(position) {
            Ok(position) if self.missed.len() < self.missed.capacity() => {
                self.missed.push(Missed { position, key });
            }
            _ => self.counts.unjudged += 1,
        }
    }

    /// Remembers a value that looks stale.
    pub(crate) fn suspect(&mut self, suspect: Suspect) {
        if self.suspects.len() < self.suspects.capacity() {
            self.suspects.push(suspect);
        } else {
            self.counts.unjudged += 1;
        }
    }

    /// Remembers a value that looks right.
    pub(crate) fn witness(&mut self, witness: Witness) {
        if self.witnesses.len() < WITNESSES_MAX {
            self.witnesses.push(witness);
        }
    }

    /// Gives back what only the course of the phase needed; the oracle asks for the rest.
    pub(crate) fn compact(&mut self) {
        self.latencies = Verb::ALL.map(|_| coarse());
        self.paced = None;
        self.timeline.shrink_to_fit();
        self.missed.shrink_to_fit();
        self.suspects.shrink_to_fit();
        self.witnesses.shrink_to_fit();
    }

    /// The time bracket of the operation at `position`: not before the first, not after the
    /// second moment.
    pub(crate) fn bracket(&self, position: u64) -> (u64, u64) {
        let before = to_len(position / self.checkpoint);
        let last = self.timeline.len().saturating_sub(1);
        (self.timeline[before.min(last)], self.timeline[(before + 1).min(last)])
    }
}

/// How many operations to do between two readings of the clock.
fn checkpoint(phase: &Phase, expected: u64) -> u64 {
    let Some(think) = phase.think else { return CHECKPOINT };
    let often = CHECKPOINT_NS / think.mean_ns.max(1);
    often.max(expected / TIMELINE_MAX).clamp(1, CHECKPOINT).next_power_of_two()
}

/// Room for `capacity` items that is resident already.
fn touched<T: Clone>(capacity: usize, item: T) -> Vec<T> {
    let mut items = vec![item; capacity];
    items.clear();
    items
}

pub(crate) fn to_len(count: u64) -> usize {
    usize::try_from(count).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bracket_encloses_an_operation_by_the_checkpoints_around_it() {
        let stream = Stream { total: Some(600), ..Stream::default() };
        let phase = Phase {
            name: "p".into(),
            length: crate::workload::model::Length::Ops(600),
            arrival: crate::workload::model::Arrival::Closed,
            think: None,
            commands: Vec::new(),
            report: true,
            slo: Vec::new(),
        };
        let mut record = Record::new(&phase, &stream);
        assert_eq!(record.checkpoint, 256);
        record.timeline.extend([100, 200, 300, 350]);
        assert_eq!(record.bracket(0), (100, 200));
        assert_eq!(record.bracket(255), (100, 200));
        assert_eq!(record.bracket(256), (200, 300));
        assert_eq!(record.bracket(599), (300, 350));
    }
    #[test]
    fn a_thread_that_pauses_reads_the_clock_between_its_operations() {
        use crate::workload::model::{Arrival, Length, Think, ThinkDist};
        let phase = |mean_ns| Phase {
            name: "p".into(),
            length: Length::Ops(600),
            arrival: Arrival::Closed,
            think: Some(Think { dist: ThinkDist::Fixed, mean_ns }),
            commands: Vec::new(),
            report: true,
            slo: Vec::new(),
        };
        let of = |mean_ns, expected| checkpoint(&phase(mean_ns), expected);
        assert_eq!([of(1_000_000, 600), of(10_000, 600), of(1, 600)], [1, 16, 256]);
        assert_eq!(of(1_000_000, 1 << 40), 256, "not more moments than can be kept");
    }
}
