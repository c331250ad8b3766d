//! Numbered nodes that never move: what the expiry index and the eviction queues lie on.

use std::num::NonZeroU32;

/// The number of a node within its shard; it fits in [`NodeId::BITS`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct NodeId(NonZeroU32);

impl NodeId {
    /// The bits a node number fits in: four million nodes a shard.
    pub(crate) const BITS: u32 = 22;

    /// The number `raw`, or `None` for zero.
    #[inline]
    pub(crate) const fn from_raw(raw: u32) -> Option<Self> {
        match NonZeroU32::new(raw) {
            Some(raw) => Some(Self(raw)),
            None => None,
        }
    }

    /// The number as it is packed into an entry's word.
    #[inline]
    pub(crate) const fn raw(self) -> u32 {
        self.0.get()
    }
}

/// What a slab holds: a node in use, or a link in the list of the free.
pub(crate) trait Node: Copy {
    /// A node that is in no list but that of the free, before `next`.
    fn free(next: Option<NodeId>) -> Self;

    /// The free node after this one, which is free.
    fn next_free(&self) -> Option<NodeId>;

    /// Whether it is free.
    fn is_free(&self) -> bool;
}

/// Who numbers the nodes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Numbering {
    /// The slab, up to this many.
    Own(u32),
    /// Somebody else, who gives the same number to no two nodes in use at a time.
    Given,
}

/// Nodes in blocks, so that growing moves nothing and pauses nobody, and only blocks that were
/// used occupy memory. It does not shrink: freed nodes are used again first.
pub(crate) struct Slab<N> {
    /// Every block but the last is full, if the slab numbers the nodes itself; otherwise a block
    /// is as long as its highest number in use was ever.
    blocks: Vec<Vec<N>>,
    numbering: Numbering,
    /// Nodes ever numbered here.
    numbered: u32,
    /// The first free node; the others follow by `next_free`.
    free: Option<NodeId>,
    /// Nodes in use.
    len: u32,
}

/// Nodes a block, as a power of two.
const BLOCK_BITS: u32 = 10;

impl<N: Node> Slab<N> {
    pub(crate) fn new(numbering: Numbering) -> Self {
        Self { blocks: Vec::new(), numbering, numbered: 0, free: None, len: 0 }
    }

    /// Keeps `node` under a number of its own; `None` when every number is in use.
    pub(crate) fn take(&mut self, node: N) -> Option<NodeId> {
        if let Some(id) = self.free {
            let free = std::mem::replace(self.node_mut(id), node);
            self.free = free.next_free();
            self.len += 1;
            return Some(id);
        }
        if self.numbering == Numbering::Own(self.numbered) {
            return None;
        }
        let id = NodeId::from_raw(self.numbered + 1)?;
        self.numbered += 1;
        self.keep(id, node);
        Some(id)
    }

    /// Keeps `node` under a number that somebody else gave it.
    pub(crate) fn take_at(&mut self, id: NodeId, node: N) {
        debug_assert_eq!(self.numbering, Numbering::Given);
        self.keep(id, node);
    }

    fn keep(&mut self, id: NodeId, node: N) {
        let (block, within) = place(id);
        if block >= self.blocks.len() {
            self.blocks.resize_with(block + 1, Vec::new);
        }
        let nodes = &mut self.blocks[block];
        if block > 0 && nodes.capacity() == 0 {
            nodes.reserve_exact(1 << BLOCK_BITS);
        }
        if within >= nodes.len() {
            nodes.resize(within + 1, N::free(None));
        }
        debug_assert!(nodes[within].is_free() || self.numbering != Numbering::Given);
        nodes[within] = node;
        self.len += 1;
    }

    /// Frees a node that no list holds any more.
    pub(crate) fn give_back(&mut self, id: NodeId) {
        let next = match self.numbering {
            Numbering::Own(_) => self.free.replace(id),
            Numbering::Given => None,
        };
        *self.node_mut(id) = N::free(next);
        self.len -= 1;
    }

    #[inline]
    pub(crate) fn node(&self, id: NodeId) -> &N {
        let (block, within) = place(id);
        &self.blocks[block][within]
    }

    /// The node of this number, if there ever was one.
    pub(crate) fn get(&self, id: NodeId) -> Option<&N> {
        let (block, within) = place(id);
        self.blocks.get(block)?.get(within)
    }

    #[inline]
    pub(crate) fn node_mut(&mut self, id: NodeId) -> &mut N {
        let (block, within) = place(id);
        &mut self.blocks[block][within]
    }

    /// Nodes in use.
    pub(crate) fn len(&self) -> usize {
        self.len as usize
    }

    /// Memory of the blocks, in bytes.
    pub(crate) fn bytes(&self) -> usize {
        let nodes: usize = self.blocks.iter().map(Vec::capacity).sum();
        nodes * size_of::<N>() + self.blocks.capacity() * size_of::<Vec<N>>()
    }
}

/// The one of `parts` (a power of two) that `hash` belongs to. Where two slabs share their numbers,
/// they must be divided alike, so everybody divides by this.
///
/// By bits from the middle: the map takes its buckets from the top and its fingerprints from the
/// bottom.
#[inline]
pub(crate) fn part_of(hash: u64, parts: usize) -> usize {
    (hash >> 20) as usize & (parts - 1)
}

/// The block of a node, and its place in it.
#[inline]
fn place(id: NodeId) -> (usize, usize) {
    let from_zero = id.raw() - 1;
    ((from_zero >> BLOCK_BITS) as usize, (from_zero & ((1 << BLOCK_BITS) - 1)) as usize)
}

#[cfg(test)]
impl<N: Node> Slab<N> {
    /// Every node there ever was, free ones too.
    pub(crate) fn all(&self) -> impl Iterator<Item = (NodeId, &N)> {
        (1..).filter_map(NodeId::from_raw).zip(self.blocks.iter().flatten())
    }

    /// Checks that every node is in use or free, once: in the list of the free, if there is one.
    pub(crate) fn verify(&self) {
        let all = self.blocks.iter().flatten();
        let in_use = all.filter(|node| !node.is_free()).count();
        assert_eq!(in_use, self.len(), "nodes in use are miscounted");
        if self.numbering == Numbering::Given {
            return;
        }
        let mut free = 0;
        let mut next = self.free;
        while let Some(id) = next {
            assert!(self.node(id).is_free(), "a free node is linked");
            free += 1;
            assert!(free <= self.numbered as usize, "the list of free nodes has a cycle");
            next = self.node(id).next_free();
        }
        assert_eq!(free + self.len(), self.numbered as usize, "nodes were lost");
    }
}

#[cfg(all(test, not(any(checker = "loom", checker = "shuttle"))))]
mod tests {
    use super::*;

    #[derive(Debug, Clone, Copy, PartialEq)]
    enum Number {
        Used(u32),
        Free(Option<NodeId>),
    }

    impl Node for Number {
        fn free(next: Option<NodeId>) -> Self {
            Self::Free(next)
        }

        fn next_free(&self) -> Option<NodeId> {
            match self {
                Self::Free(next) => *next,
                Self::Used(_) => None,
            }
        }

        fn is_free(&self) -> bool {
            matches!(self, Self::Free(_))
        }
    }

    #[test]
    fn every_number_has_its_own_place() {
        let mut slab = Slab::new(Numbering::Own(3_000));
        let ids: Vec<_> = (0..3_000).map(|n| slab.take(Number::Used(n)).unwrap()).collect();
        assert_eq!(slab.take(Number::Used(0)), None, "the limit holds");
        for (n, &id) in (0..).zip(&ids) {
            assert_eq!(*slab.node(id), Number::Used(n));
        }
        slab.verify();
    }

    #[test]
    fn freed_nodes_are_used_again_before_memory_grows() {
        let mut slab = Slab::new(Numbering::Own(3_000));
        let ids: Vec<_> = (0..100).map(|n| slab.take(Number::Used(n)).unwrap()).collect();
        let bytes = slab.bytes();
        for &id in &ids {
            slab.give_back(id);
        }
        slab.verify();
        (0..100).for_each(|n| assert!(slab.take(Number::Used(n)).is_some()));
        assert_eq!((slab.len(), slab.bytes()), (100, bytes));
        slab.verify();
    }

    #[test]
    fn numbers_given_by_others_cost_only_their_blocks() {
        let mut slab = Slab::new(Numbering::Given);
        let far = NodeId::from_raw(1_000_000).unwrap();
        slab.take_at(far, Number::Used(7));
        assert_eq!(*slab.node(far), Number::Used(7));
        assert!(slab.bytes() < 64 << 10, "{}", slab.bytes());
        slab.give_back(far);
        slab.verify();
        slab.take_at(far, Number::Used(8));
        assert_eq!(slab.len(), 1);
    }
}
