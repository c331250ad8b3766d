//! Eviction: who must go when a store is full. Knows hashes, numbers and weights; no map, no key,
//! no time.
//!
//! Every pair of a bounded store stands in a queue, under a number that its entry's word holds. It
//! is put there, moved and taken out under its bucket's lock and then the queue's, in this order.
//! Who looks for room is shown a candidate, when he is [admitted](Bound::admit) or
//! [asks for one](Bound::candidate), visits its bucket with no other lock held, and asks for the verdict there:
//! the pair may be gone or used again by then.

mod debt;
mod ghosts;
mod lru;
mod queues;
mod s3fifo;

use crate::expiry::Due;
use crate::planted::{Bug, planted};
use crate::slab::{NodeId, part_of};
use crate::sync::{AtomicI64, AtomicUsize, Leaf, Ordering};
pub(crate) use debt::Debt;
use ghosts::GhostsPlace;
use lru::Lru;
use queues::Standing;
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
    /// What all pairs in the queues weigh, but for what is [owed](Debt): below zero where what is owed for was
    /// taken out again meanwhile.
    used: AtomicI64,
    max: u64,
}

enum Policy {
    S3Fifo {
        /// A power of two of them; a pair's is set by its hash.
        shards: Box<[Cell]>,
        /// Where each shard's ghosts lie.
        ghosts: Box<[GhostsPlace]>,
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

/// What two threads hand to each other with a shard's lock is two lines and no more.
#[cfg(all(target_os = "linux", target_pointer_width = "64", not(any(test, checker = "loom"))))]
const _: () = assert!(size_of::<Cell>() == 128);

/// How far from the bits that set a pair's own shard those lie that set the one to compare it with,
/// so that all stay even.
const OTHER_BITS: u32 = 13;
/// One newcomer in eight, by bits of its hash that set nothing else, compares its shard with another: enough to
/// keep all even, and few, as a look at what another thread writes to delays both.
const COMPARED_MASK: u64 = 7;
const COMPARED_BY: u32 = 8;

/// A candidate whose pair is there still.
#[derive(Clone, Copy)]
pub(crate) struct Case {
    pub(crate) due: Due,
    /// How often the pair was used.
    pub(crate) hits: u8,
    /// Whether it goes, however often it was used: nobody who looks for room is to look for long.
    pub(crate) last_chance: bool,
    /// Whether its number is freed with the verdict, as nothing else lies under it.
    pub(crate) frees: bool,
}

/// What is to be done with a candidate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It stays, with so many uses counted.
    Keep { hits: u8 },
    /// It goes: its weight is taken off, and it stands in no queue any more; its number is free if the case says so.
    Evict,
}

/// A pair that may have to go, and the hash of the one after it, which is best fetched meanwhile.
#[derive(Clone, Copy)]
pub(crate) struct Candidate {
    pub(crate) due: Due,
    pub(crate) following: Option<u64>,
}

/// Who may have to go for the sake of a newcomer, and what that one owes.
pub(crate) struct Shown<'b> {
    pub(crate) newcomer: Due,
    pub(crate) candidate: Candidate,
    pub(crate) debt: Debt<'b>,
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
                ghosts: (0..shards).map(|_| GhostsPlace::unknown()).collect(),
            },
            Eviction::Lru => Policy::Lru {
                lru: Leaf::new(Lru::new(shards, nodes_a_shard, weighed)),
                parts: shards,
            },
        };
        Self { policy, used: AtomicI64::new(0), max }
    }

    /// The most that all pairs together may weigh.
    pub(crate) fn max(&self) -> u64 {
        self.max
    }

    /// What all pairs weigh, but for what is owed; 0 if more is owed for that was taken out again.
    pub(crate) fn used(&self) -> u64 {
        u64::try_from(self.used.load(Ordering::SeqCst)).unwrap_or(0)
    }

    /// Whether so much more may be held.
    #[inline]
    fn fits(&self, weight: u64) -> bool {
        self.fits_beside(self.used.load(Ordering::SeqCst), weight)
    }

    #[inline]
    fn fits_beside(&self, used: i64, weight: u64) -> bool {
        let slack = u64::from(planted(Bug::BoundOverrun));
        u64::try_from(used).unwrap_or(0).saturating_add(weight) <= self.max.saturating_add(slack)
    }

    /// Whether somebody must go.
    #[inline]
    pub(crate) fn is_over(&self) -> bool {
        !self.fits(0)
    }

    /// Whether a hit must be told to the policy, by [`touch`](Bound::touch); otherwise it is enough
    /// to count it in the pair's word.
    #[inline]
    pub(crate) fn orders_hits(&self) -> bool {
        matches!(self.policy, Policy::Lru { .. })
    }

    /// Gives a newcomer a number and a place; `None` if its shard has no number left.
    ///
    /// In a full store somebody of its shard is shown at once, who is to go in its place if he may, as it is to be
    /// counted only then: that saves turns at the shard's lock and at the count.
    pub(crate) fn admit(&self, hash: u64, weight: u32) -> Option<(NodeId, Option<Shown<'_>>)> {
        let shards = match &self.policy {
            Policy::S3Fifo { shards, .. } => shards,
            Policy::Lru { lru, parts } => {
                let id = lru.with(|lru| lru.admit(part_of(hash, *parts), hash, weight))?;
                self.used.fetch_add(i64::from(weight), Ordering::SeqCst);
                return Some((id, None));
            }
        };
        let (own, other) = Self::shards_of(hash, shards);
        own.with(|shard| {
            let id = shard.admit(hash, weight)?;
            let newcomer = Due { hash, node: id };
            let shows = !self.fits(u64::from(weight)) && !spares_own(hash, shard.len(), other);
            let candidate = if shows { shard.candidate(Some(newcomer)) } else { None };
            if candidate.is_none() {
                self.used.fetch_add(i64::from(weight), Ordering::SeqCst);
            }
            let shown = |candidate| {
                let debt = Debt::new(self, u64::from(weight));
                Shown { newcomer, candidate, debt }
            };
            Some((id, candidate.map(shown)))
        })
    }

    /// Starts fetching what it takes to [`admit`](Bound::admit) a pair with `hash`: a caller who has not found it is
    /// likely to put it next.
    #[inline]
    pub(crate) fn expect(&self, hash: u64) {
        if let Policy::S3Fifo { shards, ghosts } = &self.policy {
            ghosts[part_of(hash, shards.len())].fetch(hash);
        }
    }

    /// Notes that a pair was used.
    pub(crate) fn touch(&self, of: Due) {
        if let Policy::Lru { lru, parts } = &self.policy {
            lru.with(|lru| lru.touch(part_of(of.hash, *parts), of));
        }
    }

    /// Notes that a candidate's pair was not found: others are shown another. Returns whether it stands in a queue
    /// still; if not, it has left meanwhile.
    pub(crate) fn pass_over(&self, of: Due) -> bool {
        self.touch(of);
        self.in_queues(of, |queues, part| queues.stands(part, of))
    }

    /// Notes that the place of an expired pair was taken by a newcomer.
    pub(crate) fn renew(&self, of: Due) {
        match &self.policy {
            Policy::S3Fifo { shards, .. } => {
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
        let change = i64::from(weight) - i64::from(before);
        self.used.fetch_add(change, Ordering::SeqCst);
    }

    /// A pair that may have to go, so that one with `hash` can stay, which is not shown itself if it is known to be a
    /// `newcomer` and there is another.
    ///
    /// S3-FIFO looks in that pair's shard; one newcomer in eight in another, if that holds more; elsewhere if there
    /// is nobody.
    pub(crate) fn candidate(&self, hash: u64, newcomer: Option<Due>) -> Option<Candidate> {
        let shards = match &self.policy {
            Policy::S3Fifo { shards, .. } => shards,
            Policy::Lru { lru, .. } => return lru.with(|lru| lru.candidate()),
        };
        let (own, other) = Self::shards_of(hash, shards);
        let spares_own = spares_own(hash, own.len(), other);
        let first = if spares_own { other } else { own };
        let found = (!spares_own || !std::ptr::eq(own, other))
            .then(|| first.with(|shard| shard.candidate(newcomer)));
        let elsewhere = || Self::candidate_elsewhere(shards, part_of(hash, shards.len()), newcomer);
        found.flatten().or_else(elsewhere)
    }

    /// The shard of a pair, and one to compare it with: any would do, by other bits of the hash, as a hand
    /// that moved would be everybody's.
    fn shards_of(hash: u64, shards: &[Cell]) -> (&Cell, &Cell) {
        let cell = |hash| &shards[part_of(hash, shards.len())];
        (cell(hash), cell(hash >> OTHER_BITS))
    }

    /// A candidate of the next shard that has one, the newcomer's `own` last.
    #[cold]
    fn candidate_elsewhere(
        shards: &[Cell],
        own: usize,
        newcomer: Option<Due>,
    ) -> Option<Candidate> {
        let (until_own, others) = shards.split_at(own + 1);
        others.iter().chain(until_own).find_map(|cell| cell.with(|shard| shard.candidate(newcomer)))
    }

    /// What becomes of a candidate whose pair is there still, for the sake of whoever owes `debt`.
    fn judge(&self, case: Case, debt: &mut Debt<'_>) -> Verdict {
        let claim = |weight| debt.claim(u64::from(weight));
        let hash = case.due.hash;
        match &self.policy {
            Policy::S3Fifo { shards, ghosts } => {
                let own = part_of(hash, shards.len());
                shards[own].with(|shard| {
                    let verdict = shard.judge(case, claim);
                    ghosts[own].learn(&shard.ghosts);
                    verdict
                })
            }
            Policy::Lru { lru, parts } => {
                lru.with(|lru| lru.judge(part_of(hash, *parts), case, claim))
            }
        }
    }

    /// Takes a pair that leaves out of its queue. Its number stays its own until it is
    /// [`released`](Bound::release).
    pub(crate) fn withdraw(&self, of: Due) {
        self.in_queues(of, |queues, part| {
            // Within the lock: who finds the pair in no queue is to find it counted nowhere.
            let weight = queues.leave(part, of);
            self.used.fetch_sub(i64::from(weight), Ordering::SeqCst);
        });
    }

    /// Frees the number of a pair that is gone.
    pub(crate) fn release(&self, of: Due) {
        self.in_queues(of, |queues, part| queues.release(part, of));
    }

    /// Runs `f` on the queues that a pair belongs to, and the part of them that is its own.
    fn in_queues<R>(&self, of: Due, f: impl FnOnce(&mut dyn Standing, usize) -> R) -> R {
        match &self.policy {
            Policy::S3Fifo { shards, .. } => {
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
            Policy::S3Fifo { shards, ghosts } => {
                let inside: usize = shards.iter().map(|cell| cell.shard.with(|s| s.bytes())).sum();
                inside + size_of_val(&**shards) + size_of_val(&**ghosts)
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

/// Whether a newcomer leaves its own shard alone, of `own_len` pairs: it stands there by itself, or is one of the few
/// that compare, and the other shard holds more.
fn spares_own(hash: u64, own_len: usize, other: &Cell) -> bool {
    own_len <= 1 || (hash >> COMPARED_BY) & COMPARED_MASK == 0 && other.len() > own_len
}

#[cfg(test)]
impl Bound {
    /// Checks every queue and the sum of all weights; returns all that stand in queues.
    pub(crate) fn verify(&self) -> Vec<Due> {
        let (found, weight) = match &self.policy {
            Policy::S3Fifo { shards, .. } => {
                let of = |cell: &Cell| cell.shard.with(|s| (s.verify(), s.total_weight()));
                let (found, weights): (Vec<_>, Vec<_>) = shards.iter().map(of).unzip();
                (found.concat(), weights.iter().sum::<u64>())
            }
            Policy::Lru { lru, .. } => lru.with(|lru| (lru.verify(), lru.total_weight())),
        };
        let used = self.used.load(Ordering::SeqCst);
        assert_eq!(used, weight.cast_signed(), "the weight of all pairs is wrong");
        assert!(weight <= self.max, "{weight} is more than the bound {}", self.max);
        found
    }
}

#[cfg(all(test, not(any(checker = "loom", checker = "shuttle"))))]
mod tests {
    use super::*;

    #[test]
    fn shards_that_were_filled_unevenly_become_even() {
        const PAIRS: usize = 1_000;
        let size = BoundSize { max: PAIRS as u64, shards: 2, nodes_a_shard: 2_000, weighed: false };
        let bound = Bound::new(Eviction::S3Fifo, size);
        let hash = |number: u64| number.wrapping_mul(0x9E37_79B9_7F4A_7C15).rotate_left(29);
        let of_one = (0..).map(hash).filter(|&hash| part_of(hash, 2) == 0);
        of_one.take(PAIRS).for_each(|hash| assert!(bound.admit(hash, 1).unwrap().1.is_none()));
        for hash in (1 << 40..).map(hash).take(40 * PAIRS) {
            let shown = bound.admit(hash, 1).unwrap().1;
            let (mut shown, mut debt) = match shown {
                Some(Shown { candidate, debt, .. }) => (Some(candidate), debt),
                None => (None, Debt::none(&bound)),
            };
            while debt.is_due() {
                let Candidate { due, .. } =
                    shown.take().or_else(|| bound.candidate(hash, None)).unwrap();
                debt.judge(Case { due, hits: 0, last_chance: false, frees: true });
            }
        }
        bound.verify();
        let Policy::S3Fifo { shards, .. } = &bound.policy else { unreachable!() };
        let lens: Vec<usize> = shards.iter().map(Cell::len).collect();
        assert!(lens.iter().all(|len| (450..=550).contains(len)), "{lens:?}");
    }

    #[test]
    fn who_was_passed_over_is_not_shown_next_and_who_has_left_is_told_apart() {
        for eviction in [Eviction::Lru, Eviction::S3Fifo] {
            let size = BoundSize { max: 9, shards: 1, nodes_a_shard: 9, weighed: false };
            let bound = Bound::new(eviction, size);
            let due = |hash| Due { hash, node: bound.admit(hash, 1).unwrap().0 };
            let (first, second) = (due(1), due(2));
            let shown = || bound.candidate(7, None).unwrap().due;
            assert_eq!(shown(), first, "{eviction:?}");
            assert!(bound.pass_over(first), "{eviction:?}: it stands there still");
            assert_eq!(shown(), second, "{eviction:?}");
            bound.withdraw(second);
            assert!(!bound.pass_over(second), "{eviction:?}: it has left");
        }
    }

    /// Else those of one shard would pay for all that are alone in theirs.
    #[test]
    fn who_is_alone_in_a_shard_is_spared_for_those_of_the_next_one() {
        const SHARDS: usize = 8;
        let size = BoundSize { max: 100, shards: SHARDS, nodes_a_shard: 100, weighed: false };
        let bound = Bound::new(Eviction::S3Fifo, size);
        let hash = |number: u64| number.wrapping_mul(0x9E37_79B9_7F4A_7C15).rotate_left(29);
        let of = |shard| (0..).map(hash).filter(move |&hash| part_of(hash, SHARDS) == shard);
        for shard in [0, 5] {
            of(shard).take(3).for_each(|hash| assert!(bound.admit(hash, 1).is_some()));
        }
        for (own, next) in [(1, 5), (4, 5), (6, 0), (7, 0)] {
            let found = bound.candidate(of(own).next().unwrap(), None).unwrap();
            assert_eq!(part_of(found.due.hash, SHARDS), next, "for one of shard {own}");
        }
    }
}
