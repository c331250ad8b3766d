//! The operations of a workload, made before any clock starts.
//!
//! Each thread of each phase has a stream of its own, eight bytes an operation, that depends on
//! nothing but the workload: the same file gives the same operations on every machine. The ops
//! digest is a hash over all of them and over what they mean.

use sha2::{Digest as _, Sha256};

use super::digest::hex;
use super::mixer::{Mixer, scramble};
use super::model::{
    Arrival, Command, KeyDist, Keyspace, LOAD, Length, Phase, Ttl, TtlDist, ValueKind, Verb,
    Workload,
};
use super::random::Random;
use super::zipf::Zipf;

/// A thread's stream has no more operations than this; longer phases replay it in a cycle.
pub const STREAM_LEN_MAX: u64 = 8 << 20;
/// The length of a stream whose phase ends by the clock and does not pace itself.
const STREAM_LEN_TIMED: u64 = 2 << 20;
/// Changes whenever the same file would give other operations, keys or values.
const GENERATION: &str = "ops-1";
/// Positions that a drawn TTL can take between the two ends of its distribution.
const TTL_STEPS: u64 = u16::MAX as u64;

/// One operation: which key, which command, how large a value, how long a TTL.
///
/// ```text
/// 63        48 47      42 41      36 35      32 31                 0
/// | ttl step  |  size    | command  |  unused  |        key         |
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Op(u64);

impl Op {
    fn new(key: u32, command: usize, size: usize, ttl: u16) -> Self {
        debug_assert!(command < 64 && size < 64);
        let (command, size) = (command as u64, size as u64);
        Self(u64::from(key) | command << 36 | size << 42 | u64::from(ttl) << 48)
    }

    /// The key's number among the keys of all key spaces.
    #[must_use]
    #[expect(clippy::cast_possible_truncation, reason = "the low half is meant")]
    pub const fn key(self) -> u32 {
        self.0 as u32
    }

    /// The position of the command in its phase.
    #[must_use]
    pub const fn command(self) -> usize {
        (self.0 >> 36 & 63) as usize
    }

    /// The same key and value for the command at another position.
    pub(super) fn for_command(self, command: usize) -> Self {
        debug_assert!(command < 64);
        Self(self.0 & !(63 << 36) | (command as u64) << 36)
    }

    /// The position of the value's size among those of its key space.
    #[must_use]
    pub const fn size(self) -> usize {
        (self.0 >> 42 & 63) as usize
    }

    /// Whether the operation gives a TTL.
    #[must_use]
    pub const fn has_ttl(self) -> bool {
        self.0 >> 48 != 0
    }

    /// The TTL in nanoseconds that the operation gives out of `dist`. For a cliff it is the
    /// moment instead, counted from the start of the load.
    #[must_use]
    pub fn ttl_ns(self, dist: TtlDist) -> u64 {
        match dist {
            TtlDist::Fixed { after_ns } => after_ns,
            TtlDist::Cliff { at_ns } => at_ns,
            TtlDist::Uniform { min_ns, max_ns } => {
                let step = u128::from((self.0 >> 48).saturating_sub(1));
                let span = u128::from(max_ns - min_ns);
                let above = span * step / u128::from(TTL_STEPS - 1);
                min_ns + u64::try_from(above).unwrap_or(u64::MAX)
            }
        }
    }
}

/// What one thread does in one phase.
#[derive(Clone, Debug)]
pub struct Stream {
    /// The operations; started over when there are more to do than these.
    pub ops: Vec<Op>,
    /// How many to do; `None` when the clock ends the phase.
    pub total: Option<u64>,
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
    for (number, phase) in (0..).zip(&workload.phases) {
        let threads = workload.run.threads as u64;
        let streams =
            (0..threads).map(|thread| stream(workload, phase, [number, thread])).collect();
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
    let mut bytes = Vec::with_capacity(8 << 10);
    for script in scripts {
        let commands = serde_json::to_vec(&script.phase.commands);
        hash.update(commands.unwrap_or_default());
        for stream in &script.streams {
            hash.update(stream.total.unwrap_or(0).to_le_bytes());
            for ops in stream.ops.chunks(1 << 10) {
                bytes.clear();
                bytes.extend(ops.iter().flat_map(|op| op.0.to_le_bytes()));
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
        })
        .collect();
    let threads = workload.run.threads;
    let mut streams = vec![Stream { ops: Vec::new(), total: Some(0) }; threads];
    let mut thread = 0;
    for (number, space) in workload.keyspaces.iter().enumerate() {
        let mut random = Random::new(workload.seed, "load", [number as u64, 0]);
        let order = Mixer::new(u64::from(space.loaded).max(1), scramble(random.word()));
        for position in 0..u64::from(space.loaded) {
            let local = if space.shuffled { order.permute(position) } else { position };
            let key = space.first + u32::try_from(local).unwrap_or(u32::MAX);
            let (size, ttl) = draw_value(space, space.ttl.as_ref(), &mut random);
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
        commands,
        report: workload.load_report,
        slo: workload.load_slo.clone(),
    };
    Script { phase, streams }
}

fn stream(workload: &Workload, phase: &Phase, place: [u64; 2]) -> Stream {
    let threads = workload.run.threads as u64;
    let thread = place[1];
    let (len, total) = match phase.length {
        Length::Ops(ops) => {
            let share = ops / threads + u64::from(thread < ops % threads);
            (share.min(STREAM_LEN_MAX), Some(share))
        }
        Length::DurationNs(ns) => (stream_len(phase.arrival, ns, threads), None),
    };
    let mut random = Random::new(workload.seed, "ops", place);
    let mut drawers: Vec<Drawer> =
        phase.commands.iter().map(|command| Drawer::new(workload, command, thread)).collect();
    let weights: u64 = phase.commands.iter().map(|command| u64::from(command.weight)).sum();
    let ops = (0..len)
        .map(|_| {
            let number = pick(phase.commands.iter().map(|c| c.weight), random.below(weights));
            drawers[number].draw(number, &mut random)
        })
        .collect();
    Stream { ops, total }
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

/// The position that `draw`, below the sum of all weights, falls on.
fn pick(weights: impl Iterator<Item = u32>, draw: u64) -> usize {
    let mut left = draw;
    let mut last = 0;
    for (position, weight) in weights.enumerate() {
        if left < u64::from(weight) {
            return position;
        }
        left -= u64::from(weight);
        last = position;
    }
    last
}

fn draw_value(space: &Keyspace, ttl: Option<&Ttl>, random: &mut Random) -> (usize, u16) {
    let size = match &space.value {
        ValueKind::U64 => 0,
        ValueKind::Bytes { sizes } if sizes.len() == 1 => 0,
        ValueKind::Bytes { sizes } => {
            let weights: u64 = sizes.iter().map(|(_, weight)| u64::from(*weight)).sum();
            pick(sizes.iter().map(|(_, weight)| *weight), random.below(weights))
        }
    };
    (size, draw_ttl(ttl, random))
}

fn draw_ttl(ttl: Option<&Ttl>, random: &mut Random) -> u16 {
    match ttl {
        Some(ttl) if random.chance(ttl.share) => {
            u16::try_from(1 + random.below(TTL_STEPS)).unwrap_or(u16::MAX)
        }
        _ => 0,
    }
}

/// Draws the operations of one command in one thread's stream.
struct Drawer<'a> {
    command: &'a Command,
    space: &'a Keyspace,
    picker: Picker,
}

enum Picker {
    Zipf { zipf: Zipf, scatter: Mixer },
    Uniform,
    Walk { next: u64, step: u64, from: u64, len: u64 },
    Hotspot { hot: u64, share: f64, scatter: Mixer },
}

impl<'a> Drawer<'a> {
    fn new(workload: &'a Workload, command: &'a Command, thread: u64) -> Self {
        let space = &workload.keyspaces[command.keyspace];
        let keys = u64::from(space.keys);
        let threads = workload.run.threads as u64;
        // One scatter for each key space: what is hot for gets is hot for puts.
        let scatter = || {
            let mut random = Random::new(workload.seed, "scatter", [command.keyspace as u64, 0]);
            Mixer::new(keys, random.word())
        };
        let picker = match command.keys {
            KeyDist::Zipf { s } => Picker::Zipf { zipf: Zipf::new(keys, s), scatter: scatter() },
            KeyDist::Uniform => Picker::Uniform,
            KeyDist::Sequential => Picker::Walk { next: thread, step: threads, from: 0, len: keys },
            KeyDist::Blocks => {
                let (from, to) = (keys * thread / threads, keys * (thread + 1) / threads);
                Picker::Walk { next: 0, step: 1, from, len: (to - from).max(1) }
            }
            KeyDist::Hotspot { fraction, share } => {
                Picker::Hotspot { hot: hot_keys(keys, fraction), share, scatter: scatter() }
            }
        };
        Self { command, space, picker }
    }

    fn draw(&mut self, number: usize, random: &mut Random) -> Op {
        if random.chance(self.command.miss) {
            let absent = random.below(u64::from(self.space.absent));
            let key = self.space.keys + u32::try_from(absent).unwrap_or(0);
            // An absent key's expire must still name a TTL to be an expire.
            let ttl = draw_ttl(self.command.ttl.as_ref(), random);
            return Op::new(self.space.first + key, number, 0, ttl);
        }
        let local = self.picker.pick(u64::from(self.space.keys), random);
        let key = self.space.first + u32::try_from(local).unwrap_or(u32::MAX);
        let (size, ttl) = match self.command.verb {
            Verb::Put | Verb::GetOrPut => draw_value(self.space, self.command.ttl.as_ref(), random),
            Verb::Expire => (0, draw_ttl(self.command.ttl.as_ref(), random)),
            Verb::Get | Verb::Delete => (0, 0),
        };
        Op::new(key, number, size, ttl)
    }
}

impl Picker {
    fn pick(&mut self, keys: u64, random: &mut Random) -> u64 {
        match self {
            Self::Zipf { zipf, scatter } => scatter.permute(zipf.draw(random)),
            Self::Uniform => random.below(keys),
            Self::Walk { next, step, from, len } => {
                let key = *from + *next % *len;
                *next += *step;
                key.min(keys - 1)
            }
            Self::Hotspot { hot, share, scatter } => {
                let cold = keys - *hot;
                let rank = if cold == 0 || random.chance(*share) {
                    random.below(*hot)
                } else {
                    *hot + random.below(cold)
                };
                scatter.permute(rank)
            }
        }
    }
}

#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "key counts are below 2^32 and the fraction is within 0..=1"
)]
fn hot_keys(keys: u64, fraction: f64) -> u64 {
    ((keys as f64 * fraction) as u64).clamp(1, keys)
}
