//! Exact LRU: one queue for the whole store, from the most to the least recently used.

use super::Verdict;
use super::queues::{Queues, Seat, Which};
use crate::expiry::Due;
use crate::planted::{Bug, planted};
use crate::slab::NodeId;

/// The policy: all of it under one lock, which every use of a pair takes. That is the price of
/// exactness.
pub(super) struct Lru {
    queues: Queues,
}

const ALL: Which = Which::Small;

impl Lru {
    pub(super) fn new(parts: usize, nodes_a_part: u32, weighed: bool) -> Self {
        Self { queues: Queues::new(parts, nodes_a_part, weighed) }
    }

    pub(super) fn admit(&mut self, part: usize, hash: u64, weight: u32) -> Option<NodeId> {
        self.queues.admit(part, hash, weight, ALL)
    }

    /// Makes a pair the most recently used.
    pub(super) fn touch(&mut self, part: usize, of: Due) {
        if let Some(seat) = self.seat(part, of).filter(|&seat| self.queues.which(seat).is_some()) {
            self.queues.move_to_front(seat, ALL);
        }
    }

    /// Returns the weight that the pair had.
    pub(super) fn set_weight(&mut self, part: usize, of: Due, weight: u32) -> u32 {
        self.seat(part, of).map_or(weight, |seat| self.queues.set_weight(seat, weight))
    }

    /// The least recently used.
    pub(super) fn candidate(&self) -> Option<Due> {
        self.queues.back(ALL).map(|(_, due)| due)
    }

    /// Whether the candidate must go: unless it was used meanwhile, or somebody else made room.
    pub(super) fn judge(
        &mut self,
        part: usize,
        due: Due,
        hits: u8,
        claim: impl FnOnce(u32) -> bool,
    ) -> Verdict {
        let Some(seat) = self.seat(part, due) else { return Verdict::Keep { hits } };
        let is_last = self.queues.back(ALL).is_some_and(|(back, _)| back == seat);
        let used_since = !is_last && !planted(Bug::EvictedInSpiteOfUse);
        if used_since || !claim(self.queues.weight_of(seat)) {
            return Verdict::Keep { hits };
        }
        self.queues.withdraw(seat);
        Verdict::Evict
    }

    /// Takes a pair out of the queue; returns its weight.
    pub(super) fn withdraw(&mut self, part: usize, of: Due) -> u32 {
        let Some(seat) = self.seat(part, of) else { return 0 };
        let weight = self.queues.which(seat).map_or(0, |_| self.queues.weight_of(seat));
        self.queues.withdraw(seat);
        weight
    }

    pub(super) fn release(&mut self, part: usize, of: Due) {
        if self.seat(part, of).is_some() {
            self.queues.release(part, of.node);
        }
    }

    /// The seat of a pair, if it is still its own.
    fn seat(&self, part: usize, of: Due) -> Option<Seat> {
        let seat = Seat::new(part, of.node);
        self.queues.is_of(seat, of.hash).then_some(seat)
    }

    pub(super) fn bytes(&self) -> usize {
        self.queues.bytes()
    }
}

#[cfg(test)]
impl Lru {
    pub(super) fn verify(&self) -> Vec<Due> {
        self.queues.verify()
    }

    pub(super) fn total_weight(&self) -> u64 {
        self.queues.weight(ALL)
    }
}
