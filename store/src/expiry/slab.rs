//! Nodes of a wheel, numbered, reused, and never moved.

use super::NodeId;

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
    pub(super) const FREE: Self = Self(0);

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

/// Nodes in blocks of doubling size, so that growing moves nothing and pauses nobody, and only
/// nodes that were used occupy memory. It does not shrink: freed nodes are used again first.
pub(super) struct Slab {
    blocks: Vec<Vec<Node>>,
    /// Nodes ever numbered.
    numbered: u32,
    /// The most that may be numbered.
    limit: u32,
    /// The first free node; the others follow by `next`.
    free: Option<NodeId>,
    /// Nodes in use.
    len: usize,
}

/// Nodes in the first block, as a power of two.
const FIRST_BLOCK_BITS: u32 = 6;

impl Slab {
    pub(super) fn new(limit: u32) -> Self {
        Self { blocks: Vec::new(), numbered: 0, limit, free: None, len: 0 }
    }

    /// Takes a node for `hash`, linked nowhere yet; `None` when every number is in use.
    pub(super) fn take(&mut self, hash: u64) -> Option<NodeId> {
        let fresh = Node { hash, prev: Link::FREE, next: None };
        let id = if let Some(id) = self.free {
            self.free = self.node(id).next;
            *self.node_mut(id) = fresh;
            id
        } else {
            if self.numbered == self.limit {
                return None;
            }
            let id = NodeId::from_raw(self.numbered + 1)?;
            let (block, _) = place(id);
            if block == self.blocks.len() {
                self.blocks.push(Vec::with_capacity(1 << (FIRST_BLOCK_BITS as usize + block)));
            }
            self.blocks[block].push(fresh);
            self.numbered += 1;
            id
        };
        self.len += 1;
        Some(id)
    }

    /// Puts a node that no list holds any more among the free.
    pub(super) fn give_back(&mut self, id: NodeId) {
        let next = self.free.replace(id);
        *self.node_mut(id) = Node { hash: 0, prev: Link::FREE, next };
        self.len -= 1;
    }

    pub(super) fn node(&self, id: NodeId) -> &Node {
        let (block, within) = place(id);
        &self.blocks[block][within]
    }

    pub(super) fn node_mut(&mut self, id: NodeId) -> &mut Node {
        let (block, within) = place(id);
        &mut self.blocks[block][within]
    }

    /// Nodes in use.
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// Memory of the nodes ever numbered, in bytes.
    pub(super) fn bytes(&self) -> usize {
        self.numbered as usize * size_of::<Node>()
    }
}

/// The block and the place in it of a node: block `b` holds 2^(6 + b) nodes.
#[inline]
fn place(id: NodeId) -> (usize, usize) {
    let shifted = id.raw() - 1 + (1 << FIRST_BLOCK_BITS);
    let block = shifted.ilog2() - FIRST_BLOCK_BITS;
    (block as usize, (shifted - (1 << (FIRST_BLOCK_BITS + block))) as usize)
}

#[cfg(test)]
impl Slab {
    /// Checks that every node ever numbered is in use or in the list of the free, once.
    pub(super) fn verify(&self) {
        let mut free = 0;
        let mut next = self.free;
        while let Some(id) = next {
            assert_eq!(self.node(id).prev.unpack(), Before::Free, "a free node is linked");
            free += 1;
            assert!(free <= self.numbered as usize, "the list of free nodes has a cycle");
            next = self.node(id).next;
        }
        assert_eq!(free + self.len, self.numbered as usize, "nodes were lost");
    }
}

#[cfg(all(test, not(any(checker = "loom", checker = "shuttle"))))]
mod tests {
    use super::*;

    #[test]
    fn a_node_takes_sixteen_bytes() {
        assert_eq!(size_of::<Node>(), 16);
    }

    #[test]
    fn every_number_has_its_own_place() {
        let mut slab = Slab::new(1_000);
        let ids: Vec<_> = (0..1_000).map(|hash| slab.take(hash).unwrap()).collect();
        assert_eq!(slab.take(0), None, "the limit holds");
        for (hash, &id) in (0..).zip(&ids) {
            assert_eq!(slab.node(id).hash, hash);
        }
        slab.verify();
    }

    #[test]
    fn freed_nodes_are_used_again_before_memory_grows() {
        let mut slab = Slab::new(1_000);
        let ids: Vec<_> = (0..100).map(|hash| slab.take(hash).unwrap()).collect();
        let bytes = slab.bytes();
        for &id in &ids {
            slab.give_back(id);
        }
        slab.verify();
        (0..100).for_each(|hash| assert!(slab.take(hash).is_some()));
        assert_eq!((slab.len(), slab.bytes()), (100, bytes));
        slab.verify();
    }
}
