//! The expiry index: which keys have a deadline, in the order in which to look at them.
//!
//! It knows no map and no key: only hashes, deadlines, and the node numbers it hands out. A pair's
//! node is changed under that pair's bucket lock and then the shard's lock, in this order; once
//! the pair is out of the map, its node is its remover's alone. The sweeper looks at nodes
//! ([`Expiry::due`]), and postpones those without a pair, under the shard's lock only.

mod node;
mod wheel;

use crate::clock::Deadline;
use crate::planted::{Bug, planted};
use crate::slab::{NodeId, Numbering, part_of};
use crate::sync::{AtomicBool, AtomicUsize, Leaf, Ordering};
use wheel::{LAST_TICK, Wheel};

/// How long a pair may live, and the index node that will remind the sweeper of it.
///
/// In a store without a bound, a pair without a deadline has no node. One with a deadline has
/// exactly one, registered no later than the deadline asks (or, in a shard that is full, none: see
/// [`Expiry::lease`]). In a store with a bound every pair has a number from the eviction queues,
/// and a node of the index under the same number while it has a deadline.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Lease {
    pub(crate) deadline: Option<Deadline>,
    pub(crate) node: Option<NodeId>,
}

/// A node that is due for a look: where to find its pair.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Due {
    pub(crate) hash: u64,
    pub(crate) node: NodeId,
}

/// The sharded index.
pub(crate) struct Expiry {
    /// A power of two of them, so that writers of TTLs seldom meet; each pair's is set by its hash.
    shards: Box<[Shard]>,
    /// The grain of the index.
    tick_ms: u64,
    /// Who numbers the nodes.
    numbering: Numbering,
    /// Pairs with a deadline for which no node was left.
    unindexed: AtomicUsize,
    /// Whether no pair ever had a deadline.
    unused: AtomicBool,
}

/// One wheel and its lock, away from its neighbours' cache lines.
#[repr(align(128))]
struct Shard(Leaf<Wheel>);

impl Expiry {
    /// An empty index of `shards` (a power of two) wheels with slots of `tick_ms`.
    pub(crate) fn new(shards: usize, tick_ms: u64, numbering: Numbering) -> Self {
        debug_assert!(shards.is_power_of_two() && tick_ms > 0);
        let shard = |_| Shard(Leaf::new(Wheel::new(numbering)));
        let shards = (0..shards).map(shard).collect();
        Self {
            shards,
            tick_ms,
            numbering,
            unindexed: AtomicUsize::new(0),
            unused: AtomicBool::new(true),
        }
    }

    /// The most nodes that a shard can number.
    pub(crate) const MAX_NODES_A_SHARD: u32 = (1 << NodeId::BITS) - 1;

    /// Gives the pair with `hash`, which holds `old`, the deadline `new`; returns its new lease,
    /// which the caller stores before it lets go of the pair's bucket.
    ///
    /// An extension leaves the index alone: the node fires early and is then moved on. A shard
    /// that has no node left gives a lease without one: the pair still expires to the
    /// millisecond for every caller, but only `clean` reclaims it untouched.
    ///
    /// Complexity: O(1), with the shard locked only if the index must change.
    #[inline]
    pub(crate) fn lease(&self, hash: u64, old: Lease, new: Option<Deadline>) -> Lease {
        match (old.deadline, new, old.node) {
            (None, None, _) => old,
            (Some(before), Some(after), Some(_))
                if after >= before && !planted(Bug::SecondNode) =>
            {
                Lease { deadline: new, node: old.node }
            }
            _ => self.change(hash, old, new),
        }
    }

    /// The same where the index may have to change.
    fn change(&self, hash: u64, old: Lease, new: Option<Deadline>) -> Lease {
        if self.numbering == Numbering::Given {
            if let Some(number) = old.node {
                self.lease_at(hash, number, old.deadline, new);
            }
            return Lease { deadline: new, node: old.node };
        }
        if old.node.is_none() && old.deadline.is_some() {
            // ORDERING: Relaxed; a count. Who reads it to decide on a scan, does so as a caller
            // who was told of the puts by other means.
            self.unindexed.fetch_sub(1, Ordering::Relaxed);
        }
        let node = match (old.node, new) {
            (None, None) => None,
            (None, Some(deadline)) => self.register(hash, deadline),
            (Some(node), None) => {
                self.shard(hash).with(|wheel| wheel.remove(node, hash));
                planted(Bug::NumberKeptOnPersist).then_some(node)
            }
            (Some(_), Some(deadline)) if planted(Bug::SecondNode) => self.register(hash, deadline),
            (Some(node), Some(after)) => {
                let shortened = old.deadline.is_some_and(|before| after < before);
                if shortened && !planted(Bug::ShorteningKeepsSlot) {
                    self.relink(hash, node, after);
                }
                Some(node)
            }
        };
        Lease { deadline: new, node }
    }

    /// The same where nodes are numbered by others: the node of `number` is there while there is a
    /// deadline.
    fn lease_at(&self, hash: u64, id: NodeId, old: Option<Deadline>, new: Option<Deadline>) {
        match (old, new) {
            (None, Some(deadline)) => {
                self.note_use();
                let tick = self.slot_tick(deadline);
                self.shard(hash).with(|wheel| wheel.insert_at(id, hash, tick));
            }
            (Some(_), None) => self.shard(hash).with(|wheel| wheel.remove(id, hash)),
            (Some(before), Some(after)) if after < before => self.relink(hash, id, after),
            (None, None) | (Some(_), Some(_)) => {}
        }
    }

    /// Whether no pair ever had a deadline: then nothing can have expired.
    pub(crate) fn is_unused(&self) -> bool {
        // ORDERING: Relaxed; who misses another thread's first deadline may find nothing yet.
        self.unused.load(Ordering::Relaxed)
    }

    fn note_use(&self) {
        if self.is_unused() {
            // ORDERING: Relaxed, as in `is_unused`.
            self.unused.store(false, Ordering::Relaxed);
        }
    }

    fn register(&self, hash: u64, deadline: Deadline) -> Option<NodeId> {
        let tick = self.slot_tick(deadline);
        let node = self.shard(hash).with(|wheel| wheel.insert(hash, tick));
        if node.is_none() {
            // ORDERING: Relaxed, as in `lease`.
            self.unindexed.fetch_add(1, Ordering::Relaxed);
        }
        node
    }

    /// Pairs that have a deadline but no node.
    pub(crate) fn unindexed(&self) -> usize {
        // ORDERING: Relaxed, as in `lease`.
        self.unindexed.load(Ordering::Relaxed)
    }

    /// Moves `node` to the slot of `deadline`.
    pub(crate) fn relink(&self, hash: u64, node: NodeId, deadline: Deadline) {
        let tick = self.slot_tick(deadline);
        self.shard(hash).with(|wheel| wheel.relink(node, hash, tick));
    }

    /// Moves a node whose pair could not be found beyond `through_tick`, unless it is another
    /// pair's by now.
    ///
    /// That pair was removed after the sweeper looked, or its key changed its hash while it was
    /// in the map; the latter must not stop the sweeper at this node for ever.
    pub(crate) fn postpone(&self, due: Due, through_tick: u64) {
        self.shard(due.hash).with(|wheel| wheel.postpone(due, through_tick));
    }

    /// Takes up to `room` nodes of `shard` whose turn has come by `through_tick`: those that are due
    /// for a look are appended to `batch`, the others are moved nearer to their time. Returns how
    /// many it took; none means that none is due.
    ///
    /// Those in the batch stay in the index: whoever then finds the pair, under its bucket's lock,
    /// removes or moves its node. Two sweepers may so be shown the same node; the second finds it
    /// gone.
    pub(crate) fn due(
        &self,
        shard: usize,
        through_tick: u64,
        room: usize,
        batch: &mut Vec<Due>,
    ) -> usize {
        self.shards[shard].0.with(|wheel| wheel.due(through_tick, room, batch))
    }

    /// Has the nodes of `shard` that share a slot with `tick` shown at the next look; `false`, with
    /// nothing done, while nodes hastened before have yet to be shown.
    pub(crate) fn hasten(&self, shard: usize, tick: u64) -> bool {
        self.shards[shard].0.with(|wheel| wheel.hasten(tick))
    }

    /// How many shards there are.
    pub(crate) fn shards(&self) -> usize {
        self.shards.len()
    }

    /// The last tick that has wholly passed at `now_ms`.
    pub(crate) fn passed_tick(&self, now_ms: u64) -> u64 {
        (now_ms / self.tick_ms).min(LAST_TICK)
    }

    /// When the tick that `now_ms` lies in will have passed, in milliseconds.
    pub(crate) fn end_of_tick(&self, now_ms: u64) -> u64 {
        (now_ms / self.tick_ms + 1) * self.tick_ms
    }

    /// The tick that `now_ms` lies in: every deadline up to now has a slot at it or before.
    pub(crate) fn current_tick(&self, now_ms: u64) -> u64 {
        now_ms.div_ceil(self.tick_ms).min(LAST_TICK)
    }

    /// Nodes in use.
    pub(crate) fn len(&self) -> usize {
        self.shards.iter().map(|shard| shard.0.with(|wheel| wheel.len())).sum()
    }

    /// Memory of the nodes ever used and of the wheels, in bytes.
    pub(crate) fn bytes(&self) -> usize {
        let wheels: usize =
            self.shards.iter().map(|shard| shard.0.with(|wheel| wheel.bytes())).sum();
        wheels + size_of_val(&*self.shards)
    }

    /// The tick at which `deadline` has surely passed: rounded up.
    fn slot_tick(&self, deadline: Deadline) -> u64 {
        deadline.ms().div_ceil(self.tick_ms)
    }

    #[inline]
    fn shard(&self, hash: u64) -> &Leaf<Wheel> {
        &self.shards[part_of(hash, self.shards.len())].0
    }
}

#[cfg(test)]
impl Expiry {
    /// Checks every wheel's structure; returns the hashes of all linked nodes with their numbers.
    pub(crate) fn verify(&self) -> Vec<Due> {
        self.shards.iter().flat_map(|shard| shard.0.with(|wheel| wheel.verify())).collect()
    }
    /// Which shard `hash` belongs to.
    #[cfg(not(any(checker = "loom", checker = "shuttle")))]
    pub(crate) fn shard_number(&self, hash: u64) -> usize {
        let own = self.shard(hash);
        self.shards.iter().position(|shard| std::ptr::eq(&raw const shard.0, own)).unwrap_or(0)
    }
}

#[cfg(all(test, not(any(checker = "loom", checker = "shuttle"))))]
mod tests {
    use super::*;

    #[test]
    fn a_tick_has_passed_when_it_ends_and_not_before() {
        let expiry = Expiry::new(1, 50, Numbering::Own(1));
        for now_ms in 0..500 {
            let end_ms = expiry.end_of_tick(now_ms);
            assert!(now_ms < end_ms && end_ms <= now_ms + 50, "{now_ms} {end_ms}");
            let before = expiry.passed_tick(now_ms);
            assert_eq!(expiry.passed_tick(end_ms - 1), before);
            assert_eq!(expiry.passed_tick(end_ms), before + 1);
        }
    }
}
