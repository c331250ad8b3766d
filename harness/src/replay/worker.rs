//! One thread's way through one phase: the timed loop.

mod act;

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use super::keys::Keys;
use super::pace::{Due, elapsed_ns, sharpen_sleep, wait_until};
use super::paced::Course;
use super::pauses::Pauses;
use super::record::{Record, to_len};
use super::sampler::Sampler;
use super::series::Intervals;
use super::value::{Carried, Stamp, Value, Wrong};
use crate::target::Target;
use crate::workload::model::{Phase, TtlDist, Verb, Workload};
use crate::workload::sizes;
use crate::workload::stream::{Op, Stream};

/// What the threads of a phase share.
#[derive(Debug)]
pub(crate) struct Shared<'a> {
    /// The origin of the run's clock.
    pub(crate) origin: Instant,
    /// Which script of the run is played.
    pub(crate) number: u64,
    /// When the phase began, on the run's clock; set when all threads are there and waiting.
    pub(crate) start_ns: &'a OnceLock<u64>,
    /// How long it is to last, if the clock ends it.
    pub(crate) length_ns: Option<u64>,
    /// When the load began: cliffs count from there.
    pub(crate) load_start_ns: u64,
    /// One in so many operations is timed.
    pub(crate) time_every: u32,
    /// Set when the run is to be given up.
    pub(crate) stop: &'a AtomicBool,
    /// Operations done, by thread, for the progress display.
    pub(crate) done: &'a [AtomicU64],
    /// The course of the phase.
    pub(crate) intervals: &'a Intervals,
    /// Whether this process's memory is the target's.
    pub(crate) is_here: bool,
}

impl Shared<'_> {
    /// When the phase began; not to be asked before.
    pub(crate) fn start_ns(&self) -> u64 {
        self.start_ns.get().copied().unwrap_or_default()
    }
}

/// The oracle hears one right-looking answer in so many.
const HEAR_EVERY: u32 = 32;
/// A pause is looked up from so often, to see whether the run is given up.
const PAUSE_PART_NS: u64 = 50_000_000;

/// What a command means, looked up once a phase instead of once an operation.
#[derive(Debug)]
struct Meaning {
    verb: Verb,
    ttl: Option<TtlDist>,
    lens: Vec<u32>,
}

/// A pair to be written.
struct Pair<K, V> {
    key: K,
    value: V,
    ttl: Option<Duration>,
}

/// An operation with all that it needs, so that timing it times the target alone.
enum Action<K, V> {
    Get,
    /// A get; what is found gets this TTL.
    Touch(Duration),
    Put(Pair<K, V>),
    Delete,
    Expire(Duration),
    GetOrPut,
    /// Of the keys that are in the worker's batch.
    GetMany,
    /// The next value is made beforehand, since what is timed is the target.
    ReadModifyWrite(Pair<K, V>),
    Insert(Pair<K, V>),
}

/// What a look-up gave.
type Answer = Option<Result<Carried, Wrong>>;

/// One thread of one phase.
pub(crate) struct Worker<'a, T, S: Keys, V> {
    target: T,
    keys: &'a S,
    stream: &'a Stream,
    shared: &'a Shared<'a>,
    thread: usize,
    meanings: Vec<Meaning>,
    sampler: Sampler,
    /// Picks the answers that the oracle will hear as witnesses.
    hearings: Sampler,
    /// When the phase began, and when it is to end if the clock ends it.
    start_ns: u64,
    end_ns: Option<u64>,
    /// The last reading of the run's clock: a moment not after whatever comes next.
    known_ns: u64,
    record: Record,
    /// Whether a miss may be for want of room, so that none needs an explanation.
    evicts: bool,
    /// The keys of an operation on several, and room for the answers.
    batch: Vec<(u32, S::Ref<'a>)>,
    answers: Vec<Answer>,
    values: std::marker::PhantomData<V>,
}

impl<'a, T, S, V> Worker<'a, T, S, V>
where
    T: Target<S::Key, V>,
    S: Keys,
    V: Value,
{
    #[expect(clippy::too_many_arguments, reason = "the parts of one thread's work, each once")]
    pub(crate) fn new(
        target: T,
        keys: &'a S,
        workload: &Workload,
        phase: &Phase,
        stream: &'a Stream,
        shared: &'a Shared<'a>,
        thread: usize,
        record: Record,
    ) -> Self {
        let start_ns = shared.start_ns();
        let meanings = phase.commands.iter().map(|command| Meaning {
            verb: command.verb,
            ttl: command.ttl.as_ref().map(|ttl| ttl.dist),
            lens: sizes::lengths(&workload.keyspaces[command.keyspace].value),
        });
        let most = phase.commands.iter().filter_map(|command| command.batch).map(|b| b.max).max();
        let most = most.unwrap_or(0) as usize;
        Self {
            evicts: target.evicts(),
            target,
            keys,
            stream,
            shared,
            thread,
            meanings: meanings.collect(),
            sampler: Sampler::new(shared.time_every, thread),
            hearings: Sampler::new(HEAR_EVERY, thread + 1_000),
            start_ns,
            end_ns: shared.length_ns.map(|length_ns| start_ns + length_ns),
            known_ns: elapsed_ns(shared.origin),
            record,
            batch: Vec::with_capacity(most),
            answers: Vec::with_capacity(most),
            values: std::marker::PhantomData,
        }
    }

    /// Issues each operation as soon as the one before it is answered, or after a pause.
    pub(crate) fn run_closed(mut self, mut pauses: Option<Pauses>) -> Record {
        let mut position = 0;
        while self.goes_on(position) {
            if let Some(pauses) = &mut pauses
                && position > 0
                && !self.pause(pauses.next_ns())
            {
                break;
            }
            let op = self.op(position);
            let action = self.prepare(op, position);
            if self.sampler.is_due() {
                let start = Instant::now();
                let verb = self.apply(action, op, position);
                let ns = elapsed_ns(start);
                self.record.latency(verb, ns);
                self.record.interval.latency(ns);
            } else {
                self.apply(action, op, position);
            }
            position += 1;
        }
        self.finish(position)
    }

    /// Issues operations when they are due, whether or not the one before was answered in time.
    pub(crate) fn run_open(mut self, mut pace: impl Due) -> Record {
        sharpen_sleep();
        let phase_start = self.shared.origin + Duration::from_nanos(self.start_ns);
        let length_ns = self.shared.length_ns;
        let mut position = 0;
        while self.goes_on(position) {
            let due_ns = pace.next_due_ns();
            if length_ns.is_some_and(|length_ns| due_ns >= length_ns) {
                break;
            }
            let op = self.op(position);
            let issued_ns = wait_until(phase_start, due_ns);
            self.known_ns = self.start_ns + issued_ns;
            let action = self.prepare(op, position);
            let verb = self.apply(action, op, position);
            let course = Course { due_ns, issued_ns, answered_ns: elapsed_ns(phase_start) };
            self.record.arrival(verb, pace.step(), course);
            position += 1;
        }
        if let Some(length_ns) = length_ns
            && !self.stopped()
        {
            // What was due before the end and is not done: the backlog of an overload.
            while pace.next_due_ns() < length_ns {
                self.record.unissued(pace.step());
            }
        }
        self.finish(position)
    }

    /// Does nothing for so long, but no longer than the phase lasts; returns whether to go on.
    fn pause(&mut self, ns: u64) -> bool {
        self.known_ns = elapsed_ns(self.shared.origin);
        let until_ns = self.known_ns + ns;
        let until_ns = self.end_ns.map_or(until_ns, |end_ns| until_ns.min(end_ns));
        while self.known_ns < until_ns && !self.stopped() {
            let next_ns = until_ns.min(self.known_ns + PAUSE_PART_NS);
            self.known_ns = wait_until(self.shared.origin, next_ns);
        }
        !self.stopped() && self.end_ns.is_none_or(|end_ns| self.known_ns < end_ns)
    }

    #[inline]
    fn op(&self, position: u64) -> Op {
        let ops = &self.stream.ops;
        let len = ops.len() as u64;
        ops[to_len(if position < len { position } else { position % len })]
    }

    /// Whether there is more to do; reads the clock at each checkpoint.
    #[inline]
    fn goes_on(&mut self, position: u64) -> bool {
        if self.stream.total == Some(position) {
            return false;
        }
        position & (self.record.checkpoint - 1) != 0 || self.checkpoint(position)
    }

    fn checkpoint(&mut self, position: u64) -> bool {
        self.known_ns = elapsed_ns(self.shared.origin);
        self.record.timeline.push(self.known_ns);
        self.advance(position);
        if self.target.failure().is_some() {
            // ORDERING: Relaxed; nothing is handed over with it, and the others need only see it
            // soon.
            self.shared.stop.store(true, Ordering::Relaxed);
        }
        let over = self.end_ns.is_some_and(|end_ns| self.known_ns >= end_ns);
        !over && !self.stopped()
    }

    fn stopped(&self) -> bool {
        // ORDERING: Relaxed; nothing is handed over with the flag, and joining orders the rest.
        self.shared.stop.load(Ordering::Relaxed)
    }

    fn advance(&mut self, position: u64) {
        let ops = position - self.record.done;
        self.record.done = position;
        // ORDERING: Relaxed; a count for the progress bar.
        self.shared.done[self.thread].store(position, Ordering::Relaxed);
        let elapsed_ns = self.known_ns - self.start_ns;
        self.record.interval.advance(ops, elapsed_ns, self.shared.intervals);
    }

    fn finish(mut self, position: u64) -> Record {
        self.known_ns = elapsed_ns(self.shared.origin);
        self.record.timeline.push(self.known_ns);
        self.advance(position);
        self.record.interval.hand_in(self.shared.intervals);
        self.record.failure = self.target.failure().map(str::to_owned);
        self.record
    }

    /// Makes what the operation needs to be given.
    #[inline]
    fn prepare(&mut self, op: Op, position: u64) -> Action<S::Key, V> {
        let meaning = &self.meanings[op.command()];
        match meaning.verb {
            Verb::Get => match meaning.ttl {
                Some(dist) if op.has_ttl() => Action::Touch(Duration::from_nanos(op.ttl_ns(dist))),
                _ => Action::Get,
            },
            Verb::Delete => Action::Delete,
            Verb::Expire => Action::Expire(match meaning.ttl {
                Some(dist) => Duration::from_nanos(op.ttl_ns(dist)),
                None => Duration::MAX,
            }),
            Verb::GetOrPut => Action::GetOrPut,
            Verb::Put => Action::Put(self.new_pair(op, position)),
            Verb::ReadModifyWrite => Action::ReadModifyWrite(self.new_pair(op, position)),
            Verb::Insert => Action::Insert(self.new_pair(op, position)),
            Verb::GetMany => {
                self.batch.clear();
                let numbers = self.stream.batches.get(op.batch()).unwrap_or_default();
                self.batch.extend(numbers.iter().map(|number| (*number, self.keys.lend(*number))));
                Action::GetMany
            }
        }
    }

    /// A new value with its key.
    #[inline]
    fn new_pair(&mut self, op: Op, position: u64) -> Pair<S::Key, V> {
        let (ttl_ns, len) = (self.ttl_ns(op), self.meanings[op.command()].lens[op.size()]);
        let stamp = Stamp {
            key: op.key(),
            version: self.version(position),
            deadline_ms: ttl_ns.map_or(0, |ttl_ns| to_ms(self.known_ns + ttl_ns).max(1)),
        };
        let (key, value) = (self.keys.own(op.key()), V::make(stamp, len as usize));
        Pair { key, value, ttl: ttl_ns.map(Duration::from_nanos) }
    }

    /// The TTL that a put gives; a cliff's is what remains until it.
    #[inline]
    fn ttl_ns(&mut self, op: Op) -> Option<u64> {
        if !op.has_ttl() {
            return None;
        }
        let dist = self.meanings[op.command()].ttl?;
        let ttl_ns = op.ttl_ns(dist);
        if !matches!(dist, TtlDist::Cliff { .. }) {
            return Some(ttl_ns);
        }
        let left_ns = (self.shared.load_start_ns + ttl_ns).checked_sub(self.known_ns);
        let left_ns = left_ns.filter(|left_ns| *left_ns > 0);
        self.record.after_cliff += u64::from(left_ns.is_none());
        left_ns
    }
}

/// Whole milliseconds: the resolution of deadlines in values, good for 49 days.
#[inline]
fn to_ms(ns: u64) -> u32 {
    u32::try_from(ns / 1_000_000).unwrap_or(u32::MAX)
}

/// A number that differs between the puts of a phase.
#[inline]
#[expect(clippy::cast_possible_truncation, reason = "the low half is meant")]
pub(crate) fn version(thread: usize, position: u64) -> u32 {
    (position as u32) ^ ((thread as u32) << 26)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_differ_between_threads_and_positions() {
        assert_ne!(version(0, 1), version(1, 1));
        assert_ne!(version(0, 1), version(0, 2));
    }
}
