//! One thread's way through one phase: the timed loop.

use std::borrow::Borrow;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use super::keys::Keys;
use super::pace::{Pace, elapsed_ns, sharpen_sleep, wait_until};
use super::paced::Times;
use super::record::{CHECKPOINT, Record, Suspect, Witness, to_len};
use super::series::Intervals;
use super::value::{Carried, Stamp, Value, Wrong};
use crate::target::{Key, Target};
use crate::workload::mixer::scramble;
use crate::workload::model::{Phase, TtlDist, ValueKind, Verb, Workload};
use crate::workload::stream::{Op, Stream};

/// What the threads of a phase share.
#[derive(Debug)]
pub(crate) struct Shared<'a> {
    /// The origin of the run's clock.
    pub(crate) origin: Instant,
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

/// What a command means, looked up once a phase instead of once an operation.
#[derive(Debug)]
struct Meaning {
    verb: Verb,
    ttl: Option<TtlDist>,
    lens: Vec<usize>,
}

/// An operation with all that it needs, so that timing it times the target alone.
enum Action<K, V> {
    Get,
    Put(K, V),
    PutWithTtl(K, V, Duration),
    Delete,
    Expire(Duration),
    GetOrPut,
}

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
            lens: lens(&workload.keyspaces[command.keyspace].value),
        });
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
            values: std::marker::PhantomData,
        }
    }

    /// Issues each operation as soon as the one before it is answered.
    pub(crate) fn run_closed(mut self) -> Record {
        let mut position = 0;
        while self.goes_on(position) {
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
    pub(crate) fn run_open(mut self, mut pace: Pace) -> Record {
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
            let times = Times { due_ns, issued_ns, answered_ns: elapsed_ns(phase_start) };
            self.record.arrival(verb, pace.step(), times);
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
        !position.is_multiple_of(CHECKPOINT) || self.checkpoint(position)
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
            Verb::Get => Action::Get,
            Verb::Delete => Action::Delete,
            Verb::Expire => Action::Expire(match meaning.ttl {
                Some(dist) => Duration::from_nanos(op.ttl_ns(dist)),
                None => Duration::MAX,
            }),
            Verb::GetOrPut => Action::GetOrPut,
            Verb::Put => self.new_put(op, position),
        }
    }

    /// A put of a new value.
    #[inline]
    fn new_put(&mut self, op: Op, position: u64) -> Action<S::Key, V> {
        let (ttl_ns, len) = (self.ttl_ns(op), self.meanings[op.command()].lens[op.size()]);
        let stamp = Stamp {
            key: op.key(),
            version: version(self.thread, position),
            deadline_ms: ttl_ns.map_or(0, |ttl_ns| to_ms(self.known_ns + ttl_ns).max(1)),
        };
        let (key, value) = (self.keys.own(op.key()), V::make(stamp, len));
        match ttl_ns {
            Some(ttl_ns) => Action::PutWithTtl(key, value, Duration::from_nanos(ttl_ns)),
            None => Action::Put(key, value),
        }
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

    /// Does the operation and looks at the answer.
    #[inline]
    fn apply(&mut self, action: Action<S::Key, V>, op: Op, position: u64) -> Verb {
        let number = op.key();
        let key = self.keys.lend(number);
        let key: &<S::Key as Key>::Lent = key.borrow();
        let verb = match action {
            Action::Get => {
                let answer = self.target.get(key, |value| value.check(number));
                self.judge(answer, number, position);
                Verb::Get
            }
            Action::Put(key, value) => {
                self.target.put(key, value);
                Verb::Put
            }
            Action::PutWithTtl(key, value, ttl) => {
                self.target.put_with_ttl(key, value, ttl);
                Verb::Put
            }
            Action::Delete => {
                self.target.delete(key);
                Verb::Delete
            }
            Action::Expire(ttl) => {
                self.target.expire(key, ttl);
                Verb::Expire
            }
            Action::GetOrPut => {
                let answer = self.target.get(key, |value| value.check(number));
                if answer.is_none() {
                    // The value is made when it is known to be missing, as a loader would.
                    match self.new_put(op, position) {
                        Action::PutWithTtl(key, value, ttl) => {
                            self.target.put_with_ttl(key, value, ttl);
                        }
                        Action::Put(key, value) => self.target.put(key, value),
                        _ => {}
                    }
                }
                self.judge(answer, number, position);
                Verb::GetOrPut
            }
        };
        self.record.ops[verb as usize] += 1;
        verb
    }

    #[inline]
    fn judge(&mut self, answer: Option<Result<Carried, Wrong>>, key: u32, position: u64) {
        match answer {
            None if self.evicts => self.record.counts.miss += 1,
            None => self.record.missed(position),
            Some(Err(Wrong)) => self.record.counts.wrong += 1,
            Some(Ok(Carried { version, deadline_ms })) => {
                self.record.counts.hit += 1;
                if self.hearings.is_due() {
                    self.record.witness(Witness { position, version });
                }
                // `known_ns` was read before the get began.
                if deadline_ms != 0 && to_ms(self.known_ns) > deadline_ms {
                    self.record.suspect(Suspect { key, deadline_ms, seen_ns: self.known_ns });
                }
            }
        }
    }
}

/// Lengths of values by the positions that operations carry.
fn lens(kind: &ValueKind) -> Vec<usize> {
    match kind {
        ValueKind::U64 => vec![8],
        ValueKind::Bytes { sizes } => sizes.iter().map(|(bytes, _)| *bytes as usize).collect(),
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

/// Picks operations to time: one in `every` on average, at distances that no pattern of the
/// workload can be in step with.
#[derive(Debug)]
struct Sampler {
    every: u64,
    left: u64,
    state: u64,
}

impl Sampler {
    fn new(every: u32, thread: usize) -> Self {
        Self { every: u64::from(every), left: 0, state: scramble(thread as u64) }
    }

    #[inline]
    fn is_due(&mut self) -> bool {
        if self.left > 0 {
            self.left -= 1;
            return false;
        }
        self.state = scramble(self.state);
        // Evenly in 0..=2(every - 1), of mean every - 1: the skipped ones between two samples.
        self.left = self.state % (2 * self.every - 1);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_operation_in_so_many_is_timed() {
        for every in [1, 2, 64] {
            let mut sampler = Sampler::new(every, 1);
            let timed = (0..640_000).filter(|_| sampler.is_due()).count();
            let expected = 640_000 / every as usize;
            assert!(timed.abs_diff(expected) <= expected / 20, "1 in {every}: {timed}");
        }
    }

    #[test]
    fn versions_differ_between_threads_and_positions() {
        assert_ne!(version(0, 1), version(1, 1));
        assert_ne!(version(0, 1), version(0, 2));
    }
}
