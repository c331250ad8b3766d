//! Queues of pairs over numbered nodes: who came, or was used, before whom.

use crate::expiry::Due;
use crate::slab::{self, NodeId, Numbering, Slab};

/// A node's place in all of a lock's slabs: which slab, then the number there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Seat(u32);

impl Seat {
    /// The most slabs that seats can tell apart.
    pub(super) const PARTS: usize = 1 << (Self::BITS - NodeId::BITS);
    /// Two bits of a node's link are its state.
    const BITS: u32 = 30;
    const NONE: Self = Self(0);

    #[expect(clippy::cast_possible_truncation, reason = "there are at most `PARTS` parts")]
    pub(super) fn new(part: usize, id: NodeId) -> Self {
        Self((part as u32) << NodeId::BITS | id.raw())
    }

    fn split(self) -> Option<(usize, NodeId)> {
        let id = NodeId::from_raw(self.0 & ((1 << NodeId::BITS) - 1))?;
        Some(((self.0 >> NodeId::BITS) as usize, id))
    }
}

/// Which queue a node stands in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Which {
    /// The first of S3-FIFO's, for newcomers; the only one of LRU.
    Small = 1,
    /// S3-FIFO's second, for what was used again.
    Main = 2,
}

/// A pair's place in a queue: 16 bytes, and no copy of the key.
#[derive(Debug, Clone, Copy)]
struct Node {
    hash: u64,
    /// The seat before, and in the two top bits the state.
    prev: u32,
    /// The seat after, or the next free number.
    next: u32,
}

const FREE: u32 = 0;
/// In no queue: its pair is leaving, or weighs nothing.
const WITHDRAWN: u32 = 3;

impl Node {
    fn state(&self) -> u32 {
        self.prev >> Seat::BITS
    }

    fn prev(&self) -> Seat {
        Seat(self.prev & ((1 << Seat::BITS) - 1))
    }

    fn set_prev(&mut self, seat: Seat) {
        self.prev = self.state() << Seat::BITS | seat.0;
    }

    fn which(&self) -> Option<Which> {
        match self.state() {
            1 => Some(Which::Small),
            2 => Some(Which::Main),
            _ => None,
        }
    }
}

impl slab::Node for Node {
    fn free(next: Option<NodeId>) -> Self {
        Self { hash: 0, prev: FREE, next: next.map_or(0, NodeId::raw) }
    }

    fn next_free(&self) -> Option<NodeId> {
        NodeId::from_raw(self.next)
    }

    fn is_free(&self) -> bool {
        self.state() == FREE
    }
}

/// What a pair weighs; beside the nodes, and only where there is a weigher.
#[derive(Clone, Copy)]
struct Weight(u32);

/// No pair weighs as much as a free weight.
const FREE_WEIGHT: u32 = u32::MAX;

impl slab::Node for Weight {
    fn free(_next: Option<NodeId>) -> Self {
        Self(FREE_WEIGHT)
    }

    fn next_free(&self) -> Option<NodeId> {
        None
    }

    fn is_free(&self) -> bool {
        self.0 == FREE_WEIGHT
    }
}

/// Where a queue begins, and how much is in it.
///
/// Its nodes stand in a ring: before the front comes the back. So the back is moved to the front
/// by a change of this alone, and no node is touched that is not in the cache.
#[derive(Debug, Clone, Copy)]
struct Ends {
    front: Seat,
    len: usize,
    weight: u64,
}

/// The most that a pair can weigh: heavier ones count as this.
pub(super) const HEAVIEST: u32 = FREE_WEIGHT - 1;

/// One lock's queues.
pub(super) struct Queues {
    /// One slab for each part of the hashes: several only where one lock holds more pairs than
    /// an entry's word can number.
    parts: Box<[Slab<Node>]>,
    /// Without a weigher every pair weighs 1.
    weights: Option<Box<[Slab<Weight>]>>,
    ends: [Ends; 2],
}

impl Queues {
    pub(super) fn new(parts: usize, nodes_a_part: u32, weighed: bool) -> Self {
        let weights = || (0..parts).map(|_| Slab::new(Numbering::Given)).collect();
        let none = Ends { front: Seat::NONE, len: 0, weight: 0 };
        Self {
            parts: (0..parts).map(|_| Slab::new(Numbering::Own(nodes_a_part))).collect(),
            weights: weighed.then(weights),
            ends: [none; 2],
        }
    }

    /// Puts a newcomer at the front of a queue; `None` when its part has no number left.
    pub(super) fn admit(
        &mut self,
        part: usize,
        hash: u64,
        weight: u32,
        which: Which,
    ) -> Option<NodeId> {
        let node = Node { hash, prev: WITHDRAWN << Seat::BITS, next: 0 };
        let id = self.parts[part].take(node)?;
        if let Some(weights) = &mut self.weights {
            weights[part].take_at(id, Weight(weight));
        }
        self.push(Seat::new(part, id), which);
        Some(id)
    }

    /// The seat of a pair, if it is still its own: it is not if the number has changed hands, or if
    /// a key has changed its hash, which must cost that key's pair its place, and not another's.
    pub(super) fn seat(&self, part: usize, of: Due) -> Option<Seat> {
        self.seat_and_queue(part, of).map(|(seat, _)| seat)
    }

    /// The same, with the queue that it stands in, if it stands in one.
    #[inline]
    pub(super) fn seat_and_queue(&self, part: usize, of: Due) -> Option<(Seat, Option<Which>)> {
        let node = self.parts[part].get(of.node)?;
        let its_own = node.hash == of.hash && node.state() != FREE;
        its_own.then(|| (Seat::new(part, of.node), node.which()))
    }

    /// Takes a pair that leaves out of its queue; returns the weight that it takes along.
    pub(super) fn leave(&mut self, part: usize, of: Due) -> u32 {
        let Some((seat, which)) = self.seat_and_queue(part, of) else { return 0 };
        let weight = which.map_or(0, |_| self.weight_of(seat));
        self.withdraw(seat);
        weight
    }

    /// Moves a node to the front of a queue, from wherever it stands.
    pub(super) fn move_to_front(&mut self, seat: Seat, which: Which) {
        self.withdraw(seat);
        self.push(seat, which);
    }

    /// Takes a node out of its queue; it keeps its number.
    pub(super) fn withdraw(&mut self, seat: Seat) {
        let Some((part, id)) = seat.split() else { return };
        let node = *self.parts[part].node(id);
        let Some(which) = node.which() else { return };
        let (before, after) = (node.prev(), Seat(node.next));
        if let (Some((part, id)), Some((part_after, id_after))) = (before.split(), after.split()) {
            self.parts[part].node_mut(id).next = after.0;
            self.parts[part_after].node_mut(id_after).set_prev(before);
        }
        let weight = u64::from(self.weight_of(seat));
        let ends = self.ends_mut(which);
        ends.len -= 1;
        ends.weight -= weight;
        if ends.front == seat {
            ends.front = if after == seat { Seat::NONE } else { after };
        }
        self.parts[part].node_mut(id).prev = WITHDRAWN << Seat::BITS;
    }

    /// Frees the number of a pair that was withdrawn.
    pub(super) fn release(&mut self, part: usize, of: Due) {
        if self.seat(part, of).is_none() {
            return;
        }
        self.parts[part].give_back(of.node);
        if let Some(weights) = &mut self.weights {
            weights[part].give_back(of.node);
        }
    }

    /// Whoever stands at the back of a queue, and with which hash.
    pub(super) fn back(&self, which: Which) -> Option<(Seat, Due)> {
        let (part, id) = self.ends(which).front.split()?;
        let seat = self.parts[part].node(id).prev();
        let (part, node) = seat.split()?;
        Some((seat, Due { hash: self.parts[part].node(node).hash, node }))
    }

    /// Moves whoever stands at the back of a queue to its front.
    pub(super) fn rotate(&mut self, which: Which) -> Option<Due> {
        let (seat, due) = self.back(which)?;
        self.ends_mut(which).front = seat;
        Some(due)
    }

    pub(super) fn weight_of(&self, seat: Seat) -> u32 {
        let Some(weights) = &self.weights else { return 1 };
        seat.split().map_or(0, |(part, id)| weights[part].node(id).0)
    }

    /// Gives a pair another weight; returns the one it had. Without weight it stands in no queue.
    pub(super) fn set_weight(&mut self, part: usize, of: Due, weight: u32) -> u32 {
        let Some((seat, which)) = self.seat_and_queue(part, of) else { return weight };
        let before = self.weight_of(seat);
        if which.is_some() && weight == 0 {
            self.withdraw(seat);
        }
        let Some(weights) = &mut self.weights else { return weight };
        weights[part].node_mut(of.node).0 = weight;
        match which {
            Some(which) if weight > 0 => {
                let ends = self.ends_mut(which);
                ends.weight = ends.weight - u64::from(before) + u64::from(weight);
            }
            Some(_) => {}
            None => self.push(seat, Which::Small),
        }
        before
    }

    /// The weight of all that stands in a queue.
    pub(super) fn weight(&self, which: Which) -> u64 {
        self.ends(which).weight
    }

    /// How many stand in a queue.
    pub(super) fn len(&self, which: Which) -> usize {
        self.ends(which).len
    }

    /// Memory, in bytes.
    pub(super) fn bytes(&self) -> usize {
        let weights = self.weights.iter().flat_map(|parts| parts.iter().map(Slab::bytes));
        self.parts.iter().map(Slab::bytes).chain(weights).sum()
    }

    /// Puts a node that stands in no queue at the front of one; not if it weighs nothing, as it
    /// would make no room.
    fn push(&mut self, seat: Seat, which: Which) {
        let Some((part, id)) = seat.split() else { return };
        let weight = u64::from(self.weight_of(seat));
        if weight == 0 {
            return;
        }
        let ends = self.ends_mut(which);
        let front = std::mem::replace(&mut ends.front, seat);
        ends.len += 1;
        ends.weight += weight;
        let (mut before, mut after) = (seat, seat);
        if let Some((part, id)) = front.split() {
            (before, after) = (self.parts[part].node(id).prev(), front);
            self.parts[part].node_mut(id).set_prev(seat);
        }
        if let Some((part, id)) = before.split() {
            self.parts[part].node_mut(id).next = seat.0;
        }
        let node = self.parts[part].node_mut(id);
        node.prev = (which as u32) << Seat::BITS | before.0;
        node.next = after.0;
    }

    fn ends(&self, which: Which) -> &Ends {
        &self.ends[which as usize - 1]
    }

    fn ends_mut(&mut self, which: Which) -> &mut Ends {
        &mut self.ends[which as usize - 1]
    }
}

#[cfg(test)]
impl Queues {
    /// Checks every queue from front to back; returns all that stand in them.
    pub(super) fn verify(&self) -> Vec<Due> {
        let mut found = Vec::new();
        for which in [Which::Small, Which::Main] {
            let ends = self.ends(which);
            let back = self.back(which).map_or(Seat::NONE, |(seat, _)| seat);
            let (mut before, mut seat, mut weight, mut len) = (back, ends.front, 0, 0);
            while let Some((part, id)) = seat.split() {
                let node = self.parts[part].node(id);
                assert_eq!(node.which(), Some(which), "a node stands in a queue not its own");
                assert_eq!(node.prev(), before, "a queue is torn");
                weight += u64::from(self.weight_of(seat));
                len += 1;
                assert!(len <= ends.len, "a queue has a cycle");
                found.push(Due { hash: node.hash, node: id });
                (before, seat) = (seat, Seat(node.next));
                if seat == ends.front {
                    break;
                }
            }
            assert_eq!((before, len, weight), (back, ends.len, ends.weight), "a queue's ends");
        }
        for (part, slab) in self.parts.iter().enumerate() {
            for (node, _) in slab.all().filter(|(_, node)| node.state() == WITHDRAWN) {
                let hash = slab.node(node).hash;
                assert_eq!(self.weight_of(Seat::new(part, node)), 0, "a pair stands in no queue");
                found.push(Due { hash, node });
            }
        }
        self.parts.iter().for_each(Slab::verify);
        let held: usize = self.parts.iter().map(Slab::len).sum();
        assert_eq!(held, found.len(), "numbers were lost");
        found
    }
}

#[cfg(all(test, not(any(checker = "loom", checker = "shuttle"))))]
mod tests {
    use super::*;

    #[test]
    fn a_node_takes_sixteen_bytes_and_a_weight_four() {
        assert_eq!(size_of::<Node>(), 16);
        assert_eq!(size_of::<Weight>(), 4);
    }

    #[test]
    fn queues_keep_their_order_over_parts_and_moves() {
        let mut queues = Queues::new(4, 100, true);
        let seats: Vec<Seat> = (0..8)
            .map(|n| {
                let id = queues.admit(n % 4, n as u64, 10, Which::Small).unwrap();
                Seat::new(n % 4, id)
            })
            .collect();
        queues.verify();
        queues.move_to_front(seats[0], Which::Small);
        queues.move_to_front(seats[3], Which::Main);
        assert_eq!(queues.back(Which::Small).unwrap().0, seats[1]);
        let third = Due { hash: 3, node: seats[3].split().unwrap().1 };
        assert_eq!(queues.set_weight(3, third, 4), 10);
        assert_eq!((queues.weight(Which::Small), queues.weight(Which::Main)), (70, 4));
        queues.withdraw(seats[1]);
        let (part, id) = seats[1].split().unwrap();
        queues.release(part, Due { hash: 1, node: id });
        assert_eq!(queues.back(Which::Small).unwrap().0, seats[2]);
        let back = queues.back(Which::Small).map(|(_, due)| due);
        assert_eq!(queues.rotate(Which::Small), back, "the back comes to the front");
        let rest = queues.verify();
        assert_eq!((rest.len(), Some(rest[0])), (7, back));
        for due in rest {
            let part = usize::try_from(due.hash % 4).unwrap();
            queues.leave(part, due);
            queues.release(part, due);
            queues.verify();
        }
        assert_eq!((queues.back(Which::Small), queues.back(Which::Main)), (None, None));
    }
}
