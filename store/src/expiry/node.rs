//! A key's place in a wheel, and how it is linked.

use crate::slab::{self, NodeId};

/// One key's place in a wheel: 16 bytes, and no copy of the key.
#[derive(Debug, Clone, Copy)]
pub(super) struct Node {
    /// The hash of the key, by which the sweeper finds the pair.
    pub(super) hash: u64,
    /// What comes before in the slot's list, as [`Link`] packs it.
    pub(super) prev: Link,
    /// What comes after in the slot's list, or in the list of free nodes.
    pub(super) next: Option<NodeId>,
}

impl Node {
    /// A node for `hash`, to be linked.
    pub(super) fn new(hash: u64) -> Self {
        Self { hash, prev: Link::UNLINKED, next: None }
    }
}

impl slab::Node for Node {
    fn free(next: Option<NodeId>) -> Self {
        Self { hash: 0, prev: Link::FREE, next }
    }

    fn next_free(&self) -> Option<NodeId> {
        self.next
    }

    fn is_free(&self) -> bool {
        self.prev == Link::FREE
    }
}

/// What comes before a node: another node, the head of a slot, or nothing because it is free.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Link(u32);

/// A [`Link`], unpacked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Before {
    /// The node is first in the list of this slot.
    Head(usize),
    Node(NodeId),
    /// The node is in no list but that of the free.
    Free,
}

impl Link {
    const HEAD: u32 = 1 << 31;
    const FREE: Self = Self(0);
    /// Of a node that is about to be linked; no slot has this number.
    const UNLINKED: Self = Self(u32::MAX);

    pub(super) fn head(slot: usize) -> Self {
        // A wheel has a few hundred slots.
        Self(Self::HEAD | u32::try_from(slot).unwrap_or(0))
    }

    pub(super) fn node(node: NodeId) -> Self {
        Self(node.raw())
    }

    pub(super) fn unpack(self) -> Before {
        if self.0 & Self::HEAD != 0 {
            return Before::Head((self.0 & !Self::HEAD) as usize);
        }
        NodeId::from_raw(self.0).map_or(Before::Free, Before::Node)
    }
}

#[cfg(all(test, not(any(checker = "loom", checker = "shuttle"))))]
mod tests {
    use super::*;

    #[test]
    fn a_node_takes_sixteen_bytes() {
        assert_eq!(size_of::<Node>(), 16);
    }
}
