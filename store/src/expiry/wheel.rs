//! A hierarchical timer wheel: who is due next, in O(1) a change.
//!
//! After scheme 7 of Varghese and Lauck, "Hashed and Hierarchical Timing Wheels" (1987). Seven
//! levels of 64 slots reach 2^42 ticks, further than any deadline. A node goes to the level of
//! the highest six-bit digit in which its tick differs from the cursor, into the slot named by
//! that digit. It keeps the three digits below: when the cursor reaches the slot's first tick, it
//! moves on to the slot of its own tick, and nobody has looked at its pair. There it is due *for
//! a look*: the deadline may have been extended, and it is then linked anew. On the levels whose
//! lower digits it cannot keep, hours away, it is due for a look each time.

use super::Due;
use super::node::{Before, Node, TICK_BITS};
use crate::clock::Deadline;
use crate::planted::{Bug, planted};
use crate::slab::{Node as _, NodeId, Numbering, Slab};

const LEVELS: usize = 7;
const SLOT_BITS: usize = 6;
const SLOTS: usize = 1 << SLOT_BITS;
/// The list of nodes that are to be shown whatever the cursor says, after the last real slot.
const HASTENED: usize = LEVELS * SLOTS;

/// The last tick that the cursor may reach: everything with a deadline has been shown by then.
pub(super) const LAST_TICK: u64 = (1 << (LEVELS * SLOT_BITS)) - 2;
const _: () = assert!(LAST_TICK > Deadline::MAX.ms());

/// One shard's wheel, over a slab of nodes.
pub(super) struct Wheel {
    slab: Slab<Node>,
    /// The first node of each slot; empty until the first node comes.
    heads: Vec<Option<NodeId>>,
    /// A bit for each slot that holds a node, so that empty time is skipped, years at a stride.
    occupied: [u64; LEVELS],
    /// The tick up to which slots have been shown. It moves before a slot's nodes are shown, and
    /// nothing is linked at it or before it: so a slot being emptied is never added to, and a
    /// deadline that has passed already is met at the next tick.
    cursor: u64,
}

impl Wheel {
    pub(super) fn new(numbering: Numbering) -> Self {
        Self { slab: Slab::new(numbering), heads: Vec::new(), occupied: [0; LEVELS], cursor: 0 }
    }

    /// Adds a node for `hash`, to be shown at `tick`; `None` when the slab is full.
    pub(super) fn insert(&mut self, hash: u64, tick: u64) -> Option<NodeId> {
        let id = self.slab.take(Node::new(hash))?;
        self.link(id, tick);
        Some(id)
    }

    /// Adds a node for `hash` under a number given by others, to be shown at `tick`.
    pub(super) fn insert_at(&mut self, id: NodeId, hash: u64, tick: u64) {
        self.slab.take_at(id, Node::new(hash));
        self.link(id, tick);
    }

    /// Whether the node is that of `hash`: it is not if a key has changed its hash since, which
    /// must cost that key's pair its node, and not another's.
    fn is_of(&self, id: NodeId, hash: u64) -> bool {
        self.slab.get(id).is_some_and(|node| node.hash == hash && !node.is_free())
    }

    /// Takes the node of `hash` out of its list and frees it.
    pub(super) fn remove(&mut self, id: NodeId, hash: u64) {
        if !self.is_of(id, hash) {
            return;
        }
        self.unlink(id);
        self.slab.give_back(id);
    }

    /// Moves the node of `hash` to `tick`.
    pub(super) fn relink(&mut self, id: NodeId, hash: u64, tick: u64) {
        if self.is_of(id, hash) {
            self.unlink(id);
            self.link(id, tick);
        }
    }

    /// Moves a node beyond `through_tick` if it still is that of `due.hash`.
    pub(super) fn postpone(&mut self, due: Due, through_tick: u64) {
        self.relink(due.node, due.hash, self.cursor.max(through_tick) + 1);
    }

    /// Takes up to `room` nodes whose slot has come by `through_tick`: moves on those whose own tick
    /// is later, and appends the others to `batch`, leaving them linked. Returns how many it took:
    /// none if none is due.
    pub(super) fn due(&mut self, through_tick: u64, room: usize, batch: &mut Vec<Due>) -> usize {
        if self.heads.is_empty() {
            self.cursor = self.cursor.max(through_tick);
            return 0;
        }
        let mut slot = HASTENED;
        if self.heads[HASTENED].is_none() {
            match self.next_slot() {
                // At the cursor lies what somebody else is being shown right now.
                Some((next, first_tick)) if first_tick <= through_tick.max(self.cursor) => {
                    self.cursor = first_tick;
                    slot = next;
                }
                _ => self.cursor = self.cursor.max(through_tick),
            }
        }
        let mut next = self.heads[slot];
        for taken in 0..room {
            let Some(id) = next else { return taken };
            let node = *self.slab.node(id);
            next = node.next();
            match self.own_tick(slot, &node) {
                Some(tick) if tick > through_tick.max(self.cursor) => {
                    self.unlink(id);
                    self.link(id, tick);
                }
                _ => batch.push(Due { hash: node.hash, node: id }),
            }
        }
        room
    }

    /// The tick that a node was linked for, if it keeps all of it that its slot does not say. The
    /// cursor stands at the slot's first tick.
    fn own_tick(&self, slot: usize, node: &Node) -> Option<u64> {
        let below = slot / SLOTS * SLOT_BITS;
        (below <= TICK_BITS as usize).then(|| self.cursor | (node.tick_end() % (1 << below)))
    }

    /// Has the nodes of the slot that `tick` lies in shown at the next look, before their time
    /// and without moving the cursor, so that others can still be linked there.
    ///
    /// Returns `false`, having done nothing, while nodes hastened before have yet to be shown.
    pub(super) fn hasten(&mut self, tick: u64) -> bool {
        if self.heads.is_empty() {
            return true;
        }
        // A deadline that the cursor has passed by then was linked right after it.
        let tick = tick.max(self.cursor + 1);
        if self.heads[HASTENED].is_some() {
            return false;
        }
        let slot = self.slot_of(tick);
        if let Some(first) = self.heads[slot].take() {
            self.occupied[slot / SLOTS] &= !(1 << (slot % SLOTS));
            self.heads[HASTENED] = Some(first);
            self.slab.node_mut(first).set_before(Before::Head(HASTENED));
        }
        true
    }

    /// Nodes in use.
    pub(super) fn len(&self) -> usize {
        self.slab.len()
    }

    /// Memory of the nodes and the slots, in bytes.
    pub(super) fn bytes(&self) -> usize {
        self.slab.bytes() + self.heads.len() * size_of::<Option<NodeId>>()
    }

    /// The occupied slot that comes first, and its first tick.
    ///
    /// All nodes of a level share the cursor's digits above that level, and their own digit is
    /// not below the cursor's: so the lowest bit from the cursor's digit on is the level's next.
    fn next_slot(&self) -> Option<(usize, u64)> {
        (0..LEVELS)
            .filter_map(|level| {
                let shift = level * SLOT_BITS;
                let digit = digit(self.cursor, level);
                let ahead = self.occupied[level] >> digit;
                if ahead == 0 {
                    return None;
                }
                let slot = digit + ahead.trailing_zeros() as usize;
                let above = self.cursor >> shift >> SLOT_BITS << SLOT_BITS;
                Some((level * SLOTS + slot, (above | slot as u64) << shift))
            })
            .min_by_key(|&(_, first_tick)| first_tick)
    }

    fn link(&mut self, id: NodeId, tick: u64) {
        if self.heads.is_empty() {
            self.heads = vec![None; HASTENED + 1];
        }
        let tick = if planted(Bug::LinkedBehindTheCursor) {
            tick + u64::from(tick == self.cursor)
        } else {
            tick.max(self.cursor + 1)
        };
        let slot = self.slot_of(tick);
        let next = self.heads[slot].replace(id);
        if let Some(next) = next {
            self.slab.node_mut(next).set_before(Before::Node(id));
        }
        self.slab.node_mut(id).link(Before::Head(slot), next, tick);
        self.occupied[slot / SLOTS] |= 1 << (slot % SLOTS);
    }

    /// The slot of a tick after the cursor's; the same until the cursor reaches that slot.
    fn slot_of(&self, tick: u64) -> usize {
        let level = (tick ^ self.cursor).ilog2() as usize / SLOT_BITS;
        level * SLOTS + digit(tick, level)
    }

    fn unlink(&mut self, id: NodeId) {
        let node = *self.slab.node(id);
        if let Some(next) = node.next() {
            self.slab.node_mut(next).set_before(node.before());
        }
        match node.before() {
            Before::Node(prev) => self.slab.node_mut(prev).set_next(node.next()),
            Before::Head(slot) => {
                self.heads[slot] = node.next();
                if node.next().is_none() && slot != HASTENED {
                    self.occupied[slot / SLOTS] &= !(1 << (slot % SLOTS));
                }
            }
            Before::Free | Before::Nothing => debug_assert!(false, "no list has this node"),
        }
    }
}

/// The six bits of `tick` that name its slot on `level`.
#[inline]
#[expect(clippy::cast_possible_truncation, reason = "six bits")]
fn digit(tick: u64, level: usize) -> usize {
    (tick >> (level * SLOT_BITS)) as usize % SLOTS
}

#[cfg(test)]
impl Wheel {
    /// Checks slots, lists and slab against each other; returns every linked node.
    pub(super) fn verify(&self) -> Vec<Due> {
        let mut linked = Vec::new();
        for (slot, &head) in self.heads.iter().enumerate() {
            if slot != HASTENED {
                let bit = self.occupied[slot / SLOTS] >> (slot % SLOTS) & 1;
                assert_eq!(bit == 1, head.is_some(), "the bit of slot {slot} is wrong");
            }
            let mut before = Before::Head(slot);
            let mut next = head;
            while let Some(id) = next {
                let node = self.slab.node(id);
                assert_eq!(node.before(), before, "the list of slot {slot} is torn");
                linked.push(Due { hash: node.hash, node: id });
                assert!(linked.len() <= self.slab.len(), "slot {slot} holds freed nodes");
                before = Before::Node(id);
                next = node.next();
            }
        }
        assert_eq!(linked.len(), self.slab.len(), "nodes are stranded outside every slot");
        self.slab.verify();
        linked
    }
}

#[cfg(all(test, not(any(checker = "loom", checker = "shuttle"))))]
mod tests {
    use super::*;

    /// Shows everything due by `tick` and removes it: the hashes, in order of being shown.
    fn drain(wheel: &mut Wheel, tick: u64) -> Vec<u64> {
        let mut shown = Vec::new();
        loop {
            let mut batch = Vec::new();
            let taken = wheel.due(tick, 3, &mut batch);
            wheel.verify();
            assert!(batch.len() <= taken && taken <= 3);
            if taken == 0 {
                return shown;
            }
            for due in batch {
                // The hash of a test's node is its tick: not due yet, it is linked anew.
                if due.hash > tick {
                    wheel.relink(due.node, due.hash, due.hash);
                } else {
                    wheel.remove(due.node, due.hash);
                    shown.push(due.hash);
                }
            }
        }
    }

    #[test]
    fn nodes_are_shown_at_their_tick_and_not_before() {
        let mut wheel = Wheel::new(Numbering::Own(1_000));
        let ticks = [1, 2, 63, 64, 65, 127, 128, 4_095, 4_096, 4_097, 300_000, 1 << 40];
        for tick in ticks {
            wheel.insert(tick, tick);
        }
        for tick in ticks {
            assert_eq!(drain(&mut wheel, tick - 1), []);
            assert_eq!(drain(&mut wheel, tick), [tick]);
        }
        assert_eq!(wheel.len(), 0);
    }

    #[test]
    fn a_node_that_keeps_its_tick_is_shown_once() {
        let mut wheel = Wheel::new(Numbering::Own(1_000));
        // The last is of a level whose lower digits no node keeps.
        for (tick, looks) in [(5, 1), (127, 1), (4_095, 1), ((1 << 24) - 1, 1), (1 << 24 | 1, 2)] {
            let node = wheel.insert(tick, tick).unwrap();
            let mut shown = 0;
            for now in [tick >> 18 << 18, tick >> 6 << 6, tick - 1, tick] {
                let mut batch = Vec::new();
                while wheel.due(now, 3, &mut batch) > 0 {
                    for due in batch.drain(..) {
                        shown += 1;
                        wheel.relink(due.node, due.hash, tick + u64::from(now == tick));
                    }
                }
            }
            assert_eq!(shown, looks, "of tick {tick}");
            wheel.remove(node, tick);
        }
    }

    #[test]
    fn years_are_skipped_at_a_stride_and_nobody_is_left_behind() {
        let mut wheel = Wheel::new(Numbering::Own(1_000));
        let ticks: Vec<u64> = (0..200).map(|i| 1 + (i * i * i * 7_919) % 1_000_003).collect();
        for &tick in &ticks {
            assert!(wheel.insert(tick, tick).is_some());
        }
        let mut expected = ticks;
        expected.sort_unstable();
        let mut shown = drain(&mut wheel, 1 << 39);
        shown.sort_unstable();
        assert_eq!(shown, expected);
        assert_eq!(wheel.cursor, 1 << 39);
    }

    #[test]
    fn a_deadline_in_the_past_is_shown_at_the_next_tick() {
        let mut wheel = Wheel::new(Numbering::Own(10));
        assert_eq!(drain(&mut wheel, 500), []);
        wheel.insert(3, 3);
        assert_eq!(drain(&mut wheel, 500), []);
        assert_eq!(drain(&mut wheel, 501), [3]);
    }

    #[test]
    fn a_postponed_node_leaves_the_slot_being_shown_unless_it_was_reused() {
        let mut wheel = Wheel::new(Numbering::Own(10));
        let node = wheel.insert(7, 1).unwrap();
        let mut batch = Vec::new();
        wheel.due(1, 10, &mut batch);
        wheel.postpone(batch[0], 1);
        assert_eq!(drain(&mut wheel, 1), []);
        wheel.remove(node, 7);
        assert_eq!(wheel.insert(8, 5), Some(node), "the number is used again");
        wheel.postpone(batch[0], 1);
        assert_eq!(drain(&mut wheel, 4), [], "another key's node is left alone");
    }
}
