//! A key's place in a wheel, and how it is linked.

use crate::slab::{self, NodeId};

/// One key's place in a wheel: 16 bytes, and no copy of the key.
#[derive(Debug, Clone, Copy)]
pub(super) struct Node {
    /// The hash of the key, by which the sweeper finds the pair.
    pub(super) hash: u64,
    /// From the bottom: what comes before in the slot's list (a kind and a number), what comes
    /// after, there or in the list of free nodes (0 for nothing), and the end of the tick that the
    /// node is linked for.
    links: u64,
}

/// What comes before a node in its slot's list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Before {
    /// The node is in no list but that of the free.
    Free,
    /// The node is about to be linked.
    Nothing,
    /// The node is first in the list of this slot.
    Head(usize),
    Node(NodeId),
}

/// The bits of a tick that a node keeps, from the bottom.
pub(super) const TICK_BITS: u32 = u64::BITS - TICK_SHIFT;

const KIND_BITS: u32 = 2;
const NEXT_SHIFT: u32 = KIND_BITS + NodeId::BITS;
const TICK_SHIFT: u32 = NEXT_SHIFT + NodeId::BITS;
const NUMBER_MASK: u64 = (1 << NodeId::BITS) - 1;
const BEFORE_MASK: u64 = (1 << NEXT_SHIFT) - 1;
const NEXT_MASK: u64 = NUMBER_MASK << NEXT_SHIFT;

const FREE: u64 = 0;
const NOTHING: u64 = 1;
const HEAD: u64 = 2;
const NODE: u64 = 3;

impl Node {
    /// A node for `hash`, to be linked.
    pub(super) fn new(hash: u64) -> Self {
        Self { hash, links: NOTHING }
    }

    pub(super) fn before(&self) -> Before {
        let number = self.links >> KIND_BITS & NUMBER_MASK;
        match self.links & ((1 << KIND_BITS) - 1) {
            HEAD => Before::Head(usize::try_from(number).unwrap_or(usize::MAX)),
            NODE => id(number).map_or(Before::Nothing, Before::Node),
            NOTHING => Before::Nothing,
            _ => Before::Free,
        }
    }

    pub(super) fn set_before(&mut self, before: Before) {
        self.links = self.links & !BEFORE_MASK | pack(before);
    }

    pub(super) fn next(&self) -> Option<NodeId> {
        id(self.links >> NEXT_SHIFT & NUMBER_MASK)
    }

    pub(super) fn set_next(&mut self, next: Option<NodeId>) {
        self.links = self.links & !NEXT_MASK | raw(next) << NEXT_SHIFT;
    }

    /// The last [`TICK_BITS`] of the tick that it was linked for.
    pub(super) fn tick_end(&self) -> u64 {
        self.links >> TICK_SHIFT
    }

    /// Links it anew, for `tick`.
    pub(super) fn link(&mut self, before: Before, next: Option<NodeId>, tick: u64) {
        self.links = pack(before) | raw(next) << NEXT_SHIFT | tick << TICK_SHIFT;
    }
}

impl slab::Node for Node {
    fn free(next: Option<NodeId>) -> Self {
        Self { hash: 0, links: FREE | raw(next) << NEXT_SHIFT }
    }

    fn next_free(&self) -> Option<NodeId> {
        self.next()
    }

    fn is_free(&self) -> bool {
        self.before() == Before::Free
    }
}

fn pack(before: Before) -> u64 {
    match before {
        Before::Free => FREE,
        Before::Nothing => NOTHING,
        // A wheel has a few hundred slots.
        Before::Head(slot) => HEAD | (slot as u64) << KIND_BITS,
        Before::Node(id) => NODE | raw(Some(id)) << KIND_BITS,
    }
}

fn raw(id: Option<NodeId>) -> u64 {
    u64::from(id.map_or(0, NodeId::raw))
}

fn id(number: u64) -> Option<NodeId> {
    u32::try_from(number).ok().and_then(NodeId::from_raw)
}

#[cfg(all(test, not(any(checker = "loom", checker = "shuttle"))))]
mod tests {
    use super::*;
    use crate::slab::Node as _;

    #[test]
    fn a_node_takes_sixteen_bytes() {
        assert_eq!(size_of::<Node>(), 16);
    }

    #[test]
    fn what_a_node_is_told_it_says_again() {
        let numbers = [1, 2, 1 << 21, (1 << NodeId::BITS) - 1].map(NodeId::from_raw);
        let mut befores = vec![Before::Nothing, Before::Head(0), Before::Head(448)];
        befores.extend(numbers.iter().flatten().map(|&id| Before::Node(id)));
        for &before in &befores {
            for next in numbers.into_iter().chain([None]) {
                for tick in [0, 1, (1 << TICK_BITS) - 1, 1 << TICK_BITS, u64::MAX] {
                    let mut node = Node::new(u64::MAX);
                    node.link(before, next, tick);
                    assert_eq!((node.before(), node.next()), (before, next));
                    assert_eq!(node.tick_end(), tick % (1 << TICK_BITS));
                    assert!(!node.is_free());
                    for &other in &befores {
                        node.set_before(other);
                        assert_eq!((node.before(), node.next()), (other, next));
                    }
                    node.set_next(None);
                    assert_eq!((node.before(), node.next()), (befores[befores.len() - 1], None));
                    assert_eq!(node.tick_end(), tick % (1 << TICK_BITS));
                }
            }
        }
        for next in numbers {
            assert_eq!((Node::free(next).next_free(), Node::free(next).is_free()), (next, true));
        }
    }
}
