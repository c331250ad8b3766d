//! Draws the operations of one command in one thread's stream.

use super::op::{Op, TTL_STEPS};
use super::written::Written;
use crate::workload::Workload;
use crate::workload::mixer::Mixer;
use crate::workload::model::{Batch, Command, KeyDist, Keyspace, Ttl, Verb};
use crate::workload::random::Random;
use crate::workload::sizes::Sizes;
use crate::workload::zipf::Zipf;

/// Keys are drawn so often until one is written; then the distribution is left.
const TRIES: u32 = 256;

/// Draws the operations of one command.
pub(super) struct Drawer<'a> {
    command: &'a Command,
    space: &'a Keyspace,
    sizes: Sizes,
    picker: Picker,
}

enum Picker {
    Zipf {
        zipf: Zipf,
        scatter: Mixer,
    },
    Uniform,
    Walk {
        next: u64,
        step: u64,
        from: u64,
        len: u64,
    },
    Hotspot {
        hot: u64,
        share: f64,
        scatter: Mixer,
    },
    /// Ranks of `zipf`, which are `n`, a few more than there are keys as yet.
    Latest {
        zipf: Zipf,
        n: u32,
        s: f64,
    },
    Next,
}

impl<'a> Drawer<'a> {
    pub(super) fn new(workload: &'a Workload, command: &'a Command, thread: u64) -> Self {
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
            // The keys of a trace are not drawn: `trace::play` makes its operations.
            KeyDist::Uniform | KeyDist::Recorded => Picker::Uniform,
            KeyDist::Sequential => Picker::Walk { next: thread, step: threads, from: 0, len: keys },
            KeyDist::Blocks => {
                let (from, to) = (keys * thread / threads, keys * (thread + 1) / threads);
                Picker::Walk { next: 0, step: 1, from, len: (to - from).max(1) }
            }
            KeyDist::Hotspot { fraction, share } => {
                Picker::Hotspot { hot: hot_keys(keys, fraction), share, scatter: scatter() }
            }
            KeyDist::Latest { s } => Picker::Latest { zipf: Zipf::new(1, s), n: 1, s },
            KeyDist::Next => Picker::Next,
        };
        Self { command, space, sizes: Sizes::new(&space.value), picker }
    }

    /// Draws one operation; one on several keys adds them to `batches`.
    pub(super) fn draw(
        &mut self,
        number: usize,
        random: &mut Random,
        written: &mut Written,
        batches: &mut Vec<u32>,
    ) -> Op {
        if let Some(batch) = self.command.batch {
            return self.draw_batch(number, batch, random, written, batches);
        }
        if let Some(key) = self.absent(random) {
            // An absent key's expire must still name a TTL to be an expire.
            let ttl = draw_ttl(self.command.ttl.as_ref(), random);
            return Op::new(key, number, 0, ttl);
        }
        let key = self.space.first + self.pick(random, written);
        let size = if self.command.verb.writes() { self.sizes.draw(random) } else { 0 };
        Op::new(key, number, size, draw_ttl(self.command.ttl.as_ref(), random))
    }

    fn draw_batch(
        &mut self,
        number: usize,
        batch: Batch,
        random: &mut Random,
        written: &mut Written,
        batches: &mut Vec<u32>,
    ) -> Op {
        let spread = u64::from(batch.max - batch.min) + 1;
        let drawn = if spread == 1 { 0 } else { random.below(spread) };
        let len = batch.min + u32::try_from(drawn).unwrap_or(0);
        let first = u32::try_from(batches.len()).unwrap_or(u32::MAX);
        let mut last = None;
        for _ in 0..len {
            let local = match last {
                Some(last) if batch.run => written.after(last),
                _ => self.pick(random, written),
            };
            last = Some(local);
            let key = self.absent(random).unwrap_or(self.space.first + local);
            batches.push(key);
        }
        Op::new(first, number, 0, u16::try_from(len).unwrap_or(u16::MAX))
    }

    /// A key that never exists, as often as the command asks for one.
    fn absent(&self, random: &mut Random) -> Option<u32> {
        random.chance(self.command.miss).then(|| {
            let absent = random.below(u64::from(self.space.absent));
            self.space.first + self.space.keys + u32::try_from(absent).unwrap_or(0)
        })
    }

    /// A key by the command's distribution that may be asked for.
    fn pick(&mut self, random: &mut Random, written: &mut Written) -> u32 {
        let mut key = 0;
        for _ in 0..TRIES {
            key = self.picker.pick(self.space.keys, random, written);
            if self.command.verb == Verb::Insert || written.has(key) {
                return key;
            }
        }
        key % written.count().max(1)
    }
}

impl Picker {
    fn pick(&mut self, keys: u32, random: &mut Random, written: &mut Written) -> u32 {
        let keys = u64::from(keys);
        let key = match self {
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
            Self::Latest { zipf, n, s } => {
                let count = written.count().max(1);
                // A law over a few ranks too many, of which those too many are drawn again, is
                // exactly the law over the right ones; so it need not be made for each insert.
                if count > *n || *n / 2 > count {
                    *n = count.saturating_add(count / 16);
                    *zipf = Zipf::new(u64::from(*n), *s);
                }
                loop {
                    let rank = zipf.draw(random);
                    if rank < u64::from(count) {
                        let rank = u32::try_from(rank).unwrap_or(0);
                        break u64::from(written.recent(rank));
                    }
                }
            }
            Self::Next => u64::from(written.insert()),
        };
        u32::try_from(key).unwrap_or(u32::MAX)
    }
}

pub(super) fn draw_ttl(ttl: Option<&Ttl>, random: &mut Random) -> u16 {
    match ttl {
        Some(ttl) if random.chance(ttl.share) => {
            u16::try_from(1 + random.below(TTL_STEPS)).unwrap_or(u16::MAX)
        }
        _ => 0,
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
