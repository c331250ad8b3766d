//! Eviction: who must go when a store is full. Knows hashes, numbers and weights; no map, no key,
//! no time.
//!
//! Every pair of a bounded store stands in a queue, under a number that its entry's word holds. It
//! is put there, moved and taken out under its bucket's lock and then the queue's, in this order.
//! Who looks for room asks for a [`candidate`](Bound::candidate) with no lock held, visits its
//! bucket, and asks for the verdict there: the pair may be gone or used again by then.

mod ghosts;
mod lru;
mod queues;
mod s3fifo;

use crate::expiry::Due;
use crate::planted::{Bug, planted};
use crate::slab::{NodeId, part_of};
use crate::sync::{AtomicU64, AtomicUsize, Leaf, Ordering};
use lru::Lru;
use queues::Queues;
use s3fifo::Shard;

/// Which pair goes when a bounded store is full and nothing in it has expired (see
/// [`max_entries`](crate::Builder::max_entries)).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Eviction {
    /// [S3-FIFO](https://doi.org/10.1145/3600006.3613147): keeps what is used again, whatever
    /// passes by once. A hit takes no lock of the policy.
    #[default]
    S3Fifo,
    /// Exactly the least recently used. Every hit takes the policy's one lock.
    Lru,
}

/// A bound on the weight of all pairs, and the policy that keeps it.
pub(crate) struct Bound {
    policy: Policy,
    /// What all pairs in the queues weigh.
    used: AtomicU64,
    max: u64,
}

enum Policy {
    S3Fifo {
        /// A power of two of them; a pair's is set by its hash.
        shards: Box<[Cell]>,
    },
    Lru {
        lru: Leaf<Lru>,
        parts: usize,
    },
}

/// One shard and its lock, away from its neighbours' cache lines.
#[repr(align(128))]
struct Cell {
    shard: Leaf<Shard>,
    /// How many stand in the shard's queues, for those who compare shards without a lock.
    len: AtomicUsize,
}

/// How far from the bits that set a pair's own shard those lie that set the one to compare it with,
/// so that all stay even.
const OTHER_BITS: u32 = 13;

/// What is to be done with a candidate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It stays, with so many uses counted.
    Keep { hits: u8 },
    /// It goes: its weight is taken off, and it stands in no queue any more.
    Evict,
}

/// How a bound is divided and what it counts.
#[derive(Debug, Clone, Copy)]
pub(crate) struct BoundSize {
    pub(crate) max: u64,
    /// A power of two.
    pub(crate) shards: usize,
    pub(crate) nodes_a_shard: u32,
    /// Whether pairs have weights of their own.
    pub(crate) weighed: bool,
}

impl Bound {
    /// The most shards that exact LRU can number.
    pub(crate) const MAX_SHARDS: usize = queues::Seat::PARTS;
    /// The most that a pair can weigh: heavier ones count as this.
    pub(crate) const HEAVIEST: u32 = queues::HEAVIEST;

    pub(crate) fn new(eviction: Eviction, size: BoundSize) -> Self {
        let BoundSize { max, shards, nodes_a_shard, weighed } = size;
        debug_assert!(shards.is_power_of_two() && shards <= Self::MAX_SHARDS);
        let policy = match eviction {
            Eviction::S3Fifo => Policy::S3Fifo {
                shards: (0..shards)
                    .map(|_| Cell {
                        shard: Leaf::new(Shard::new(nodes_a_shard, weighed)),
                        len: AtomicUsize::new(0),
                    })
                    .collect(),
            },
            Eviction::Lru => Policy::Lru {
                lru: Leaf::new(Lru::new(shards, nodes_a_shard, weighed)),
                parts: shards,
            },
        };
        Self { policy, used: AtomicU64::new(0), max }
    }

    /// The most that all pairs together may weigh.
    pub(crate) fn max(&self) -> u64 {
        self.max
    }

    /// What all pairs weigh.
    pub(crate) fn used(&self) -> u64 {
        self.used.load(Ordering::SeqCst)
    }

    /// Whether somebody must go.
    #[inline]
    pub(crate) fn is_over(&self) -> bool {
        let slack = u64::from(planted(Bug::BoundOverrun));
        self.used() > self.max + slack
    }

    /// Whether a hit must be told to the policy, by [`touch`](Bound::touch); otherwise it is enough
    /// to count it in the pair's word.
    #[inline]
    pub(crate) fn orders_hits(&self) -> bool {
        matches!(self.policy, Policy::Lru { .. })
    }

    /// Gives a newcomer a number and a place; `None` if its shard has no number left.
    pub(crate) fn admit(&self, hash: u64, weight: u32) -> Option<NodeId> {
        let id = match &self.policy {
            Policy::S3Fifo { shards } => {
                shards[part_of(hash, shards.len())].with(|shard| shard.admit(hash, weight))?
            }
            Policy::Lru { lru, parts } => {
                lru.with(|lru| lru.admit(part_of(hash, *parts), hash, weight))?
            }
        };
        self.used.fetch_add(u64::from(weight), Ordering::SeqCst);
        Some(id)
    }

    /// Notes that a pair was used.
    pub(crate) fn touch(&self, of: Due) {
        if let Policy::Lru { lru, parts } = &self.policy {
            lru.with(|lru| lru.touch(part_of(of.hash, *parts), of));
        }
    }

    /// Notes that the place of an expired pair was taken by a newcomer.
    pub(crate) fn renew(&self, of: Due) {
        match &self.policy {
            Policy::S3Fifo { shards } => {
                shards[part_of(of.hash, shards.len())].with(|shard| shard.renew(of));
            }
            Policy::Lru { .. } => self.touch(of),
        }
    }

    /// Gives a pair another weight.
    pub(crate) fn set_weight(&self, of: Due, weight: u32) {
        let before = self.in_queues(of, |queues, part| queues.set_weight(part, of, weight));
        if planted(Bug::WeightKeptOnUpdate) {
            return;
        }
        // Wrapping: a lighter weight is added as its complement.
        let change = u64::from(weight).wrapping_sub(u64::from(before));
        self.used.fetch_add(change, Ordering::SeqCst);
    }

    /// A pair that may have to go, so that one with `hash` can stay.
    ///
    /// S3-FIFO looks in that pair's shard or in another, whichever holds more.
    pub(crate) fn candidate(&self, hash: u64) -> Option<Due> {
        let shards = match &self.policy {
            Policy::S3Fifo { shards } => shards,
            Policy::Lru { lru, .. } => return lru.with(|lru| lru.candidate()),
        };
        let own = part_of(hash, shards.len());
        // Any shard will do: by other bits of the hash, as a hand that moved would be everybody's.
        let other = part_of(hash >> OTHER_BITS, shards.len());
        // Alone in its shard the newcomer is, for whom room is made: anybody else goes first.
        let spare_own = shards[own].len() <= 1 || shards[other].len() > shards[own].len();
        let first = if spare_own { other } else { own };
        let found = (!spare_own || other != own).then(|| shards[first].with(Shard::candidate));
        found.flatten().or_else(|| Self::candidate_elsewhere(shards, own, other))
    }

    /// A candidate of whichever shard has one, the newcomer's own last.
    #[cold]
    fn candidate_elsewhere(shards: &[Cell], own: usize, other: usize) -> Option<Due> {
        let in_turn = (0..shards.len()).map(|offset| (other + offset) % shards.len());
        let others = in_turn.filter(|&at| at != own);
        others.chain(std::iter::once(own)).find_map(|at| shards[at].with(Shard::candidate))
    }

    /// What becomes of a candidate whose pair is there still and was used `hits` times.
    ///
    /// One whose `last_chance` it is goes, however often it was used: nobody who looks for room
    /// is to look for long.
    pub(crate) fn judge(&self, due: Due, hits: u8, last_chance: bool) -> Verdict {
        let claim = |weight| self.claim(weight);
        match &self.policy {
            Policy::S3Fifo { shards } => shards[part_of(due.hash, shards.len())]
                .with(|shard| shard.judge(due, hits, last_chance, claim)),
            Policy::Lru { lru, parts } => {
                lru.with(|lru| lru.judge(part_of(due.hash, *parts), due, hits, claim))
            }
        }
    }

    /// Takes the weight of a pair off, if all together weigh too much still: two who look for room
    /// must not both make it.
    fn claim(&self, weight: u32) -> bool {
        if planted(Bug::EvictedTwice) {
            self.used.fetch_sub(u64::from(weight), Ordering::SeqCst);
            return true;
        }
        let less = |used: u64| (used > self.max).then(|| used.saturating_sub(u64::from(weight)));
        self.used.fetch_update(Ordering::SeqCst, Ordering::SeqCst, less).is_ok()
    }

    /// Takes a pair that leaves out of its queue. Its number stays its own until it is
    /// [`released`](Bound::release).
    pub(crate) fn withdraw(&self, of: Due) {
        let weight = self.in_queues(of, |queues, part| queues.leave(part, of));
        self.used.fetch_sub(u64::from(weight), Ordering::SeqCst);
    }

    /// Frees the number of a pair that is gone.
    pub(crate) fn release(&self, of: Due) {
        self.in_queues(of, |queues, part| queues.release(part, of));
    }

    /// Runs `f` on the queues that a pair belongs to, and the part of them that is its own.
    fn in_queues<R>(&self, of: Due, f: impl FnOnce(&mut Queues, usize) -> R) -> R {
        match &self.policy {
            Policy::S3Fifo { shards } => {
                shards[part_of(of.hash, shards.len())].with(|shard| f(&mut shard.queues, 0))
            }
            Policy::Lru { lru, parts } => {
                lru.with(|lru| f(&mut lru.queues, part_of(of.hash, *parts)))
            }
        }
    }

    /// Memory of queues and ghosts, in bytes.
    pub(crate) fn bytes(&self) -> usize {
        match &self.policy {
            Policy::S3Fifo { shards } => {
                let inside: usize = shards.iter().map(|cell| cell.shard.with(|s| s.bytes())).sum();
                inside + size_of_val(&**shards)
            }
            Policy::Lru { lru, .. } => lru.with(|lru| lru.queues.bytes()),
        }
    }
}

impl Cell {
    #[inline]
    fn with<R>(&self, f: impl FnOnce(&mut Shard) -> R) -> R {
        self.shard.with(|shard| {
            let result = f(shard);
            // ORDERING: Relaxed; a hint which shard holds more.
            self.len.store(shard.len(), Ordering::Relaxed);
            result
        })
    }

    fn len(&self) -> usize {
        // ORDERING: Relaxed, as in `with`.
        self.len.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
impl Bound {
    /// Checks every queue and the sum of all weights; returns all that stand in queues.
    pub(crate) fn verify(&self) -> Vec<Due> {
        let (found, weight) = match &self.policy {
            Policy::S3Fifo { shards } => {
                let of = |cell: &Cell| cell.shard.with(|s| (s.verify(), s.total_weight()));
                let (found, weights): (Vec<_>, Vec<_>) = shards.iter().map(of).unzip();
                (found.concat(), weights.iter().sum::<u64>())
            }
            Policy::Lru { lru, .. } => lru.with(|lru| (lru.verify(), lru.total_weight())),
        };
        assert_eq!(self.used(), weight, "the weight of all pairs is wrong");
        assert!(weight <= self.max, "{weight} is more than the bound {}", self.max);
        found
    }
}
