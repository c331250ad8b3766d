//! Queues of pairs over numbered nodes: who came, or was used, before whom.

mod nodes;

use super::Candidate;
use crate::expiry::Due;
use crate::machine::prefetch;
use crate::slab::{NodeId, Numbering, Slab};
use nodes::{FREE, FREE_WEIGHT, Parts, WITHDRAWN, Weight};
pub(super) use nodes::{Node, Seat, Which};

/// Where a queue begins, and how many stand in it.
///
/// Its nodes stand in a ring: before the front comes the back. So the back is moved to the front
/// by a change of this alone, and no node is touched that is not in the cache.
#[derive(Debug, Clone, Copy)]
struct Ends {
    front: Seat,
    len: u32,
}

/// The most that a pair can weigh: heavier ones count as this.
pub(super) const HEAVIEST: u32 = FREE_WEIGHT - 1;

/// One lock's queues.
pub(super) struct Queues<P> {
    parts: P,
    /// Without a weigher every pair weighs 1.
    weights: Option<Box<Weights>>,
    ends: [Ends; 2],
}

/// Apart from the rest, which is to lie in as few cache lines as can be.
struct Weights {
    /// One for each part.
    parts: Box<[Slab<Weight>]>,
    /// Of all that stands in each queue.
    sums: [u64; 2],
}

impl Weights {
    fn sum(&self, which: Which) -> u64 {
        self.sums[which as usize - 1]
    }

    fn sum_mut(&mut self, which: Which) -> &mut u64 {
        &mut self.sums[which as usize - 1]
    }
}

impl Queues<Slab<Node>> {
    pub(super) fn whole(nodes: u32, weighed: bool) -> Self {
        Self::of(Slab::new(Numbering::Own(nodes)), weighed)
    }
}

impl Queues<Box<[Slab<Node>]>> {
    pub(super) fn divided(parts: usize, nodes_a_part: u32, weighed: bool) -> Self {
        let part = |_| Slab::new(Numbering::Own(nodes_a_part));
        Self::of((0..parts).map(part).collect(), weighed)
    }
}

impl<P: Parts> Queues<P> {
    fn of(parts: P, weighed: bool) -> Self {
        let slabs = || parts.all().iter().map(|_| Slab::new(Numbering::Given)).collect();
        let weights = || Box::new(Weights { parts: slabs(), sums: [0; 2] });
        let none = Ends { front: Seat::NONE, len: 0 };
        Self { weights: weighed.then(weights), parts, ends: [none; 2] }
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
        let id = self.parts.part_mut(part).take(node)?;
        if let Some(weights) = &mut self.weights {
            weights.parts[part].take_at(id, Weight(weight));
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
        let node = self.parts.part(part).get(of.node)?;
        let its_own = node.hash == of.hash && node.state() != FREE;
        its_own.then(|| (Seat::new(part, of.node), node.which()))
    }

    /// Moves a node to the front of a queue, from wherever it stands.
    pub(super) fn move_to_front(&mut self, seat: Seat, which: Which) {
        self.withdraw(seat);
        self.push(seat, which);
    }

    /// Takes a node out of its queue; it keeps its number.
    pub(super) fn withdraw(&mut self, seat: Seat) {
        let Some((part, id)) = seat.split() else { return };
        let node = *self.parts.part(part).node(id);
        let Some(which) = node.which() else { return };
        let (before, after) = (node.prev(), Seat(node.next));
        if let (Some((part, id)), Some((part_after, id_after))) = (before.split(), after.split()) {
            self.parts.part_mut(part).node_mut(id).next = after.0;
            self.parts.part_mut(part_after).node_mut(id_after).set_prev(before);
        }
        if let Some(weights) = &mut self.weights {
            *weights.sum_mut(which) -= u64::from(weights.parts[part].node(id).0);
        }
        let ends = self.ends_mut(which);
        ends.len -= 1;
        if ends.front == seat {
            ends.front = if after == seat { Seat::NONE } else { after };
        }
        self.parts.part_mut(part).node_mut(id).prev = WITHDRAWN << Seat::BITS;
    }

    /// Takes a node out of its queue, and frees its number.
    pub(super) fn expel(&mut self, part: usize, of: Due) {
        self.withdraw(Seat::new(part, of.node));
        self.free(part, of.node);
    }

    fn free(&mut self, part: usize, number: NodeId) {
        self.parts.part_mut(part).give_back(number);
        if let Some(weights) = &mut self.weights {
            weights.parts[part].give_back(number);
        }
    }

    /// Whoever stands at the back of a queue, and with which hash.
    pub(super) fn back(&self, which: Which) -> Option<(Seat, Due)> {
        let (part, id) = self.ends(which).front.split()?;
        let seat = self.parts.part(part).node(id).prev();
        let (part, node) = seat.split()?;
        Some((seat, Due { hash: self.parts.part(part).node(node).hash, node }))
    }

    /// Moves whoever stands at the back of a queue to its front; also says with which hash the one stands at
    /// the back then, and starts fetching the node of the one after that.
    pub(super) fn rotate(&mut self, which: Which) -> Option<Candidate> {
        let (seat, due) = self.back(which)?;
        self.ends_mut(which).front = seat;
        let (part, node) = self.parts.part(seat.part()).node(due.node).prev().split()?;
        let following = self.parts.part(part).node(node);
        if let Some((part, node)) = following.prev().split() {
            prefetch(self.parts.part(part).node(node));
        }
        Some(Candidate { due, following: Some(following.hash) })
    }

    pub(super) fn weight_of(&self, seat: Seat) -> u32 {
        let Some(weights) = &self.weights else { return 1 };
        seat.split().map_or(0, |(part, id)| weights.parts[part].node(id).0)
    }

    /// The weight of all that stands in a queue.
    pub(super) fn weight(&self, which: Which) -> u64 {
        self.weights.as_ref().map_or(self.ends(which).len.into(), |weights| weights.sum(which))
    }

    /// How many stand in a queue.
    pub(super) fn len(&self, which: Which) -> usize {
        self.ends(which).len as usize
    }

    /// Memory, in bytes.
    pub(super) fn bytes(&self) -> usize {
        let weights = self.weights.iter().flat_map(|weights| weights.parts.iter().map(Slab::bytes));
        self.parts.all().iter().map(Slab::bytes).chain(weights).sum()
    }

    /// Puts a node that stands in no queue at the front of one; not if it weighs nothing, as it
    /// would make no room.
    fn push(&mut self, seat: Seat, which: Which) {
        let Some((part, id)) = seat.split() else { return };
        if let Some(weights) = &mut self.weights {
            let weight = u64::from(weights.parts[part].node(id).0);
            if weight == 0 {
                return;
            }
            *weights.sum_mut(which) += weight;
        }
        let ends = self.ends_mut(which);
        let front = std::mem::replace(&mut ends.front, seat);
        ends.len += 1;
        let (mut before, mut after) = (seat, seat);
        if let Some((part, id)) = front.split() {
            (before, after) = (self.parts.part(part).node(id).prev(), front);
            self.parts.part_mut(part).node_mut(id).set_prev(seat);
        }
        if let Some((part, id)) = before.split() {
            self.parts.part_mut(part).node_mut(id).next = seat.0;
        }
        let node = self.parts.part_mut(part).node_mut(id);
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

/// What is done to one pair of whichever queues, which are known by nothing else.
pub(super) trait Standing {
    /// Whether a pair stands in a queue.
    fn stands(&self, part: usize, of: Due) -> bool;

    /// Takes a pair that leaves out of its queue; returns the weight that it takes along.
    fn leave(&mut self, part: usize, of: Due) -> u32;

    /// Frees the number of a pair that was withdrawn.
    fn release(&mut self, part: usize, of: Due);

    /// Gives a pair another weight; returns the one it had. Without weight it stands in no queue.
    fn set_weight(&mut self, part: usize, of: Due, weight: u32) -> u32;
}

impl<P: Parts> Standing for Queues<P> {
    fn stands(&self, part: usize, of: Due) -> bool {
        self.seat_and_queue(part, of).is_some_and(|(_, which)| which.is_some())
    }

    fn leave(&mut self, part: usize, of: Due) -> u32 {
        let Some((seat, which)) = self.seat_and_queue(part, of) else { return 0 };
        let weight = which.map_or(0, |_| self.weight_of(seat));
        self.withdraw(seat);
        weight
    }

    fn release(&mut self, part: usize, of: Due) {
        if self.seat(part, of).is_some() {
            self.free(part, of.node);
        }
    }

    fn set_weight(&mut self, part: usize, of: Due, weight: u32) -> u32 {
        let Some((seat, which)) = self.seat_and_queue(part, of) else { return weight };
        let before = self.weight_of(seat);
        if which.is_some() && weight == 0 {
            self.withdraw(seat);
        }
        let Some(weights) = &mut self.weights else { return weight };
        weights.parts[part].node_mut(of.node).0 = weight;
        match which {
            Some(which) if weight > 0 => {
                let sum = weights.sum_mut(which);
                *sum = *sum - u64::from(before) + u64::from(weight);
            }
            Some(_) => {}
            None => self.push(seat, Which::Small),
        }
        before
    }
}

#[cfg(test)]
impl<P: Parts> Queues<P> {
    /// Checks every queue from front to back; returns all that stand in them.
    pub(super) fn verify(&self) -> Vec<Due> {
        let mut found = Vec::new();
        for which in [Which::Small, Which::Main] {
            let ends = self.ends(which);
            let back = self.back(which).map_or(Seat::NONE, |(seat, _)| seat);
            let (mut before, mut seat, mut weight, mut len) = (back, ends.front, 0_u64, 0);
            while let Some((part, id)) = seat.split() {
                let node = self.parts.part(part).node(id);
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
            let ends = (back, ends.len, self.weight(which));
            assert_eq!((before, len, weight), ends, "a queue's ends");
        }
        for (part, slab) in self.parts.all().iter().enumerate() {
            for (node, _) in slab.all().filter(|(_, node)| node.state() == WITHDRAWN) {
                let hash = slab.node(node).hash;
                assert_eq!(self.weight_of(Seat::new(part, node)), 0, "a pair stands in no queue");
                found.push(Due { hash, node });
            }
        }
        self.parts.all().iter().for_each(Slab::verify);
        let held: usize = self.parts.all().iter().map(Slab::len).sum();
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
        let mut queues = Queues::divided(4, 100, true);
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
        assert_eq!(
            queues.rotate(Which::Small).map(|shown| shown.due),
            back,
            "the back comes to the front"
        );
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
