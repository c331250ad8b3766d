//! From a seed to a configuration and the steps to run on it.

use super::super::operation::{Decision, Fault, KeyId, Meanwhile, Operation, Site, Step};
use super::super::reference::{LAST_DEADLINE_MS, Listening};
use crate::{Eviction, Ttl};
use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg64Mcg;
use std::time::Duration;

/// When the sweeper comes, the store's own thread being away: time is the simulation's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sweeping {
    /// Whenever time has moved, until nothing is due.
    OnTime,
    /// Now and then.
    Late,
    Never,
    /// Whenever time has moved, for a few nodes.
    TinySteps,
    /// Like any other operation.
    AtRandom,
}

/// What a bound counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Measure {
    Entries,
    /// Weights, but there is no weigher.
    Alike,
    Weighed,
}

/// A bound on the size of a store.
#[derive(Debug, Clone)]
pub(super) struct Bounded {
    pub(super) max: u64,
    pub(super) measure: Measure,
    pub(super) eviction: Eviction,
}

/// Everything about a store and its users that a seed decides once.
#[derive(Debug, Clone)]
pub(super) struct Config {
    pub(super) keys: KeyId,
    pub(super) keys_a_hash: KeyId,
    pub(super) tick: Duration,
    pub(super) shards: usize,
    pub(super) nodes_a_shard: u32,
    pub(super) default_ttl: Option<Duration>,
    pub(super) capacity: usize,
    pub(super) sweeping: Sweeping,
    /// Time jumps and TTLs are shorter than 2^this nanoseconds.
    pub(super) reach_bits: u32,
    /// Whether time may pass the last deadline that can be represented.
    pub(super) beyond_horizon: bool,
    /// Whether user code panics.
    pub(super) faults: bool,
    /// Whether every `Drop` calls the store.
    pub(super) drops_call: bool,
    pub(super) bound: Option<Bounded>,
    pub(super) listening: Option<Listening>,
}

impl Config {
    /// Whether a panic in `Hash` is survived: not while a pair moves to a larger table, so the
    /// table must have room, in each of its buckets too. Nor while room is made in a bounded
    /// store, whose bound is kept no longer then.
    fn hash_may_panic(&self) -> bool {
        self.bound.is_none() && self.capacity >= 8 * usize::from(self.keys) && self.keys_a_hash <= 3
    }

    /// The longest way that time goes at once, unless it may go anywhere.
    pub(super) fn reach(&self) -> Duration {
        Duration::from_nanos(1 << self.reach_bits)
    }
}

/// A configuration and what is done under it.
pub(super) struct Plan {
    pub(super) config: Config,
    pub(super) steps: Vec<Step>,
}

/// The plan of `seed`.
pub(super) fn plan(seed: u64) -> Plan {
    let mut rng = Pcg64Mcg::seed_from_u64(seed);
    let config = config(&mut rng);
    let count = rng.random_range(200..3_000_u32);
    let mut planner = Planner { weights: weights(&mut rng, &config), config, rng, elapsed_ns: 0 };
    let mut steps = Vec::new();
    for _ in 0..count {
        planner.append(&mut steps);
    }
    Plan { config: planner.config, steps }
}

fn one_of<T: Copy>(rng: &mut Pcg64Mcg, choices: &[T]) -> T {
    let at = rng.random_range(0..u32::try_from(choices.len()).unwrap_or(1));
    choices[at as usize]
}

/// As likely between 1 and 2 as between a million and two.
fn log_uniform(rng: &mut Pcg64Mcg, bits: u32) -> u64 {
    let magnitude = 1_u64 << rng.random_range(0..bits);
    magnitude + rng.random_range(0..magnitude)
}

/// From the shortest to the longest; 2.5 ms are no whole number of milliseconds.
const TICKS_US: [u64; 7] = [1_000, 1_000, 2_500, 10_000, 50_000, 1_000_000, 3_600_000_000];

fn config(rng: &mut Pcg64Mcg) -> Config {
    let keys = one_of(rng, &[1, 2, 3, 8, 8, 24, 24, 100, 300]);
    let reach_bits = one_of(rng, &[24, 30, 34, 40, 47, 56]);
    let default_ttl = rng.random_bool(0.4).then(|| {
        let whole_ms = rng.random_bool(0.7);
        let ttl_ns = log_uniform(rng, reach_bits);
        if whole_ms { Duration::from_millis(ttl_ns / 1_000_000 + 1) } else { ns(ttl_ns) }
    });
    Config {
        keys,
        keys_a_hash: one_of(rng, &[1, 1, 1, 2, 3, keys]),
        tick: Duration::from_micros(one_of(rng, &TICKS_US)),
        shards: one_of(rng, &[1, 1, 2, 4]),
        nodes_a_shard: one_of(rng, &[1, 3, 16, 64, 1_000, 1_000, 1_000]),
        default_ttl,
        capacity: one_of(rng, &[0, 0, 64, 256, 4_096]),
        sweeping: one_of(
            rng,
            &[
                Sweeping::OnTime,
                Sweeping::Late,
                Sweeping::Never,
                Sweeping::TinySteps,
                Sweeping::AtRandom,
            ],
        ),
        reach_bits,
        beyond_horizon: rng.random_bool(0.05),
        faults: rng.random_bool(0.6),
        drops_call: rng.random_bool(0.25),
        bound: rng.random_bool(0.5).then(|| bound(rng, keys)),
        listening: one_of(rng, &[None, Some(Listening::Listens), Some(Listening::CallsBack)]),
    }
}

/// A bound that is reached: by as many pairs as there are keys, or by fewer.
fn bound(rng: &mut Pcg64Mcg, keys: KeyId) -> Bounded {
    let measure = one_of(rng, &[Measure::Entries, Measure::Alike, Measure::Weighed]);
    let most = if measure == Measure::Weighed { 2 * u64::from(keys) } else { u64::from(keys) };
    Bounded {
        max: rng.random_range(1..=most),
        measure,
        eviction: one_of(rng, &[Eviction::Lru, Eviction::S3Fifo]),
    }
}

fn ns(ns: u64) -> Duration {
    Duration::from_nanos(ns)
}

const SITES: [Site; 6] =
    [Site::Closure, Site::Clone, Site::Drop, Site::Hash, Site::Weigher, Site::Listener];

/// The kinds of operation that `Planner::operation` knows.
const KINDS: u32 = 25;
const PUTS: [u32; 2] = [0, 1];
const SWEEPS: [u32; 3] = [12, 13, 14];
const ADVANCES: [u32; 4] = [18, 19, 20, 21];
/// What takes everything away must be rare, or there is nothing to be seen.
const SWEEPING_AWAY: [u32; 2] = [15, 16];

/// How likely each kind is under this seed: every seed leaves some out and stresses others.
fn weights(rng: &mut Pcg64Mcg, config: &Config) -> Vec<u32> {
    let weight = |kind| {
        let weight = if rng.random_bool(0.2) { 0 } else { rng.random_range(1..100) };
        if PUTS.contains(&kind) || kind == ADVANCES[0] {
            return weight.max(30);
        }
        if SWEEPING_AWAY.contains(&kind) {
            return weight / 20;
        }
        match config.sweeping {
            _ if kind == 21 => weight / if config.beyond_horizon { 20 } else { 1_000 },
            Sweeping::AtRandom => weight,
            Sweeping::Never if SWEEPS.contains(&kind) => 0,
            _ if SWEEPS.contains(&kind) => weight / 20,
            _ => weight,
        }
    };
    (0..KINDS).map(weight).collect()
}

struct Planner {
    config: Config,
    weights: Vec<u32>,
    rng: Pcg64Mcg,
    /// The time that the plan lets pass, roughly, so that not every long one ends in decades
    /// without a TTL that can be represented.
    elapsed_ns: u64,
}

impl Planner {
    /// One more operation, and the sweeper's answer to it.
    fn append(&mut self, steps: &mut Vec<Step>) {
        let kind = self.kind();
        let operation = self.operation(kind);
        let fault = self.fault();
        let elapses = if self.rng.random_bool(0.1) { self.jump(20) } else { Duration::ZERO };
        steps.push(Step { operation, fault, elapses });
        if !ADVANCES.contains(&kind) {
            return;
        }
        let operation = match self.config.sweeping {
            Sweeping::OnTime => Operation::SweepUntilDone { budget: 1_024 },
            Sweeping::Late if self.rng.random_bool(0.05) => {
                Operation::SweepUntilDone { budget: self.budget().max(1) }
            }
            Sweeping::TinySteps => Operation::Sweep { budget: self.budget() % 4 },
            Sweeping::Late | Sweeping::Never | Sweeping::AtRandom => return,
        };
        steps.push(Step { operation, fault: self.fault(), elapses: Duration::ZERO });
    }

    fn kind(&mut self) -> u32 {
        let mut at = self.rng.random_range(0..self.weights.iter().sum());
        for (kind, &weight) in (0..).zip(&self.weights) {
            if at < weight {
                return kind;
            }
            at -= weight;
        }
        ADVANCES[0]
    }

    fn operation(&mut self, kind: u32) -> Operation {
        let key = self.key();
        match kind {
            0 => Operation::Put { key, value: self.value() },
            1 => Operation::PutWithTtl { key, value: self.value(), ttl: self.ttl() },
            2 => Operation::Get { key },
            3 => Operation::Read { key },
            4 => Operation::Contains { key },
            5 => Operation::GetMany { keys: (0..4).map(|_| self.key()).collect() },
            6 => Operation::Ttl { key },
            7 => Operation::Expire { key, ttl: self.ttl() },
            8 => Operation::Persist { key },
            9 => Operation::Delete { key },
            10 => Operation::Update { key, value: self.value() },
            11 => Operation::Compute { key, decision: self.decision() },
            12 => Operation::Clean,
            13 => Operation::Sweep { budget: self.budget() },
            14 => Operation::SweepUntilDone { budget: self.budget().max(1) },
            15 => Operation::Purge,
            16 => Operation::Retain { divisor: self.rng.random_range(1..6) },
            17 if self.rng.random_bool(0.5) => Operation::ForEach,
            17 => Operation::LiveLen,
            19 => Operation::AdvanceToSlot {
                level: self.rng.random_range(0..if self.config.beyond_horizon { 8 } else { 6 }),
                offset_ns: self.offset_ns(),
            },
            20 => Operation::AdvanceToDeadline { key, offset_ns: self.offset_ns() },
            21 => Operation::AdvanceToHorizon {
                early: Duration::from_millis(log_uniform(&mut self.rng, 16)),
            },
            22 => Operation::TryPut { key, value: self.value(), ttl: self.ttl() },
            23 => Operation::Load {
                key,
                value: self.value(),
                fails: self.rng.random_bool(0.2),
                meanwhile: self.meanwhile(),
            },
            24 => Operation::LoadWithTtl {
                key,
                value: self.value(),
                ttl: self.ttl(),
                fails: self.rng.random_bool(0.2),
                meanwhile: self.meanwhile(),
            },
            _ => Operation::Advance(self.jump(self.config.reach_bits)),
        }
    }

    fn key(&mut self) -> KeyId {
        self.rng.random_range(0..self.config.keys)
    }

    fn value(&mut self) -> u32 {
        self.rng.random_range(0..1_000)
    }

    fn budget(&mut self) -> usize {
        one_of(&mut self.rng, &[0, 1, 2, 3, 5, 31, 32, 33, 64, 1_000, usize::MAX])
    }

    fn decision(&mut self) -> Decision {
        match self.rng.random_range(0..5) {
            0 => Decision::Keep,
            1 => Decision::Put(self.value()),
            2 => Decision::Delete,
            _ => Decision::PutWithTtl(self.value(), self.ttl()),
        }
    }

    fn meanwhile(&mut self) -> Option<Meanwhile> {
        match self.rng.random_range(0..20) {
            0 | 1 => Some(Meanwhile::Put(self.value())),
            2 | 3 => Some(Meanwhile::Delete),
            4 => Some(Meanwhile::Purge),
            _ => None,
        }
    }

    /// Just before, at or just after an edge.
    fn offset_ns(&mut self) -> i64 {
        one_of(&mut self.rng, &[-1_000_000, -1, 0, 0, 0, 1, 999_999, 1_000_000, 2_000_000])
    }

    /// A time to let pass.
    fn jump(&mut self, bits: u32) -> Duration {
        let mut jump_ns = log_uniform(&mut self.rng, bits);
        if self.rng.random_bool(0.7) {
            jump_ns = jump_ns.next_multiple_of(1_000_000);
        }
        let horizon_ns = LAST_DEADLINE_MS * 1_000_000;
        if !self.config.beyond_horizon && self.elapsed_ns + jump_ns > horizon_ns {
            jump_ns = 1_000_000;
        }
        self.elapsed_ns = self.elapsed_ns.saturating_add(jump_ns);
        ns(jump_ns)
    }

    fn ttl(&mut self) -> Ttl {
        match self.rng.random_range(0..100) {
            0..10 => Ttl::Default,
            10..15 => Ttl::Never,
            15..25 => Ttl::Keep,
            25..28 => Ttl::After(self.strange_ttl()),
            28..50 => {
                let ticks = self.rng.random_range(1..5_u32);
                Ttl::After(self.config.tick * ticks)
            }
            _ => {
                let ttl_ns = log_uniform(&mut self.rng, self.config.reach_bits);
                let whole = self.rng.random_bool(0.7);
                Ttl::After(ns(if whole { ttl_ns.next_multiple_of(1_000_000) } else { ttl_ns }))
            }
        }
    }

    fn strange_ttl(&mut self) -> Duration {
        let longest = Duration::from_millis(LAST_DEADLINE_MS);
        match self.rng.random_range(0..8) {
            0 => Duration::ZERO,
            1 => ns(1),
            2 => Duration::from_millis(1),
            3 => Duration::MAX,
            4 => longest,
            5 => longest.saturating_sub(ns(self.elapsed_ns)),
            6 => longest + Duration::from_millis(1),
            _ => longest / 2,
        }
    }

    fn fault(&mut self) -> Option<Fault> {
        if !self.config.faults || !self.rng.random_bool(0.04) {
            return None;
        }
        let site = one_of(&mut self.rng, &SITES);
        if site == Site::Hash && !self.config.hash_may_panic() {
            return None;
        }
        Some(Fault { site, nth: one_of(&mut self.rng, &[1, 1, 1, 2, 2, 3, 5]) })
    }
}
