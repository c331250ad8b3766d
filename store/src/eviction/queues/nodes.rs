//! What queues are made of: numbered nodes, where they have their seats, and the slabs that they lie on.

use crate::slab::{self, NodeId, Slab};

/// A node's place in all of a lock's slabs: which slab, then the number there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::eviction) struct Seat(pub(super) u32);

impl Seat {
    /// The most slabs that seats can tell apart.
    pub(in crate::eviction) const PARTS: usize = 1 << (Self::BITS - NodeId::BITS);
    /// Two bits of a node's link are its state.
    pub(super) const BITS: u32 = 30;
    pub(super) const NONE: Self = Self(0);

    #[expect(clippy::cast_possible_truncation, reason = "there are at most `PARTS` parts")]
    pub(super) fn new(part: usize, id: NodeId) -> Self {
        Self((part as u32) << NodeId::BITS | id.raw())
    }

    pub(super) fn part(self) -> usize {
        (self.0 >> NodeId::BITS) as usize
    }

    pub(super) fn split(self) -> Option<(usize, NodeId)> {
        let id = NodeId::from_raw(self.0 & ((1 << NodeId::BITS) - 1))?;
        Some((self.part(), id))
    }
}

/// Which queue a node stands in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::eviction) enum Which {
    /// The first of S3-FIFO's, for newcomers; the only one of LRU.
    Small = 1,
    /// S3-FIFO's second, for what was used again.
    Main = 2,
}

/// A pair's place in a queue: 16 bytes, and no copy of the key.
#[derive(Debug, Clone, Copy)]
pub(in crate::eviction) struct Node {
    pub(super) hash: u64,
    /// The seat before, and in the two top bits the state.
    pub(super) prev: u32,
    /// The seat after, or the next free number.
    pub(super) next: u32,
}

pub(super) const FREE: u32 = 0;
/// In no queue: its pair is leaving, or weighs nothing.
pub(super) const WITHDRAWN: u32 = 3;

impl Node {
    pub(super) fn state(&self) -> u32 {
        self.prev >> Seat::BITS
    }

    pub(super) fn prev(&self) -> Seat {
        Seat(self.prev & ((1 << Seat::BITS) - 1))
    }

    pub(super) fn set_prev(&mut self, seat: Seat) {
        self.prev = self.state() << Seat::BITS | seat.0;
    }

    pub(super) fn which(&self) -> Option<Which> {
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
pub(super) struct Weight(pub(super) u32);

/// No pair weighs as much as a free weight.
pub(super) const FREE_WEIGHT: u32 = u32::MAX;

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

/// The slabs of one lock's nodes, one for each part of the hashes.
pub(in crate::eviction) trait Parts {
    fn part(&self, part: usize) -> &Slab<Node>;
    fn part_mut(&mut self, part: usize) -> &mut Slab<Node>;
    fn all(&self) -> &[Slab<Node>];
}

/// One: there is no other to look for.
impl Parts for Slab<Node> {
    #[inline]
    fn part(&self, _only: usize) -> &Slab<Node> {
        self
    }

    #[inline]
    fn part_mut(&mut self, _only: usize) -> &mut Slab<Node> {
        self
    }

    fn all(&self) -> &[Slab<Node>] {
        std::slice::from_ref(self)
    }
}

/// Several, where one lock holds more pairs than an entry's word can number.
impl Parts for Box<[Slab<Node>]> {
    #[inline]
    fn part(&self, part: usize) -> &Slab<Node> {
        &self[part]
    }

    #[inline]
    fn part_mut(&mut self, part: usize) -> &mut Slab<Node> {
        &mut self[part]
    }

    fn all(&self) -> &[Slab<Node>] {
        self
    }
}
