//! Exact LRU: one queue for the whole store, from the most to the least recently used.

use super::queues::{Node, Queues, Which};
use super::{Candidate, Case, Verdict};
use crate::expiry::Due;
use crate::planted::{Bug, planted};
use crate::slab::{NodeId, Slab};

/// The policy: all of it under one lock, which every use of a pair takes. That is the price of
/// exactness.
pub(super) struct Lru {
    pub(super) queues: Queues<Box<[Slab<Node>]>>,
}

const ALL: Which = Which::Small;

impl Lru {
    pub(super) fn new(parts: usize, nodes_a_part: u32, weighed: bool) -> Self {
        Self { queues: Queues::divided(parts, nodes_a_part, weighed) }
    }

    pub(super) fn admit(&mut self, part: usize, hash: u64, weight: u32) -> Option<NodeId> {
        self.queues.admit(part, hash, weight, ALL)
    }

    /// Makes a pair the most recently used.
    pub(super) fn touch(&mut self, part: usize, of: Due) {
        if let Some((seat, Some(_))) = self.queues.seat_and_queue(part, of) {
            self.queues.move_to_front(seat, ALL);
        }
    }

    /// The least recently used.
    pub(super) fn candidate(&self) -> Option<Candidate> {
        let (_, due) = self.queues.back(ALL)?;
        Some(Candidate { due, following: None })
    }

    /// Whether the candidate must go: unless it was used meanwhile, or somebody else made room.
    pub(super) fn judge(
        &mut self,
        part: usize,
        case: Case,
        claim: impl FnOnce(u32) -> bool,
    ) -> Verdict {
        let Case { due, hits, frees, .. } = case;
        let Some(seat) = self.queues.seat(part, due) else { return Verdict::Keep { hits } };
        let is_last = self.queues.back(ALL).is_some_and(|(back, _)| back == seat);
        let used_since = !is_last && !planted(Bug::EvictedInSpiteOfUse);
        if used_since || !claim(self.queues.weight_of(seat)) {
            return Verdict::Keep { hits };
        }
        if frees {
            self.queues.expel(part, due);
        } else {
            self.queues.withdraw(seat);
        }
        Verdict::Evict
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
