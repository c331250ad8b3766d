//! S3-FIFO: a small queue that most newcomers do not outlive, and a main one for the rest.
//!
//! After Yang, Zhang, Qiu, Yue and Rashmi, "FIFO Queues are All You Need for Cache Eviction"
//! (SOSP 2023). A hit only counts, in two bits of the pair's own word, and touches nothing here.
//! Newcomers wait in the small queue, a tenth of the weight; who was used meanwhile goes on to
//! the main queue, and who was not goes, leaving a ghost. A newcomer whose ghost is still there
//! goes to the main queue at once. The main queue gives one more round for each use.

use super::Verdict;
use super::ghosts::Ghosts;
use super::queues::{Queues, Seat, Which};
use crate::expiry::Due;
use crate::planted::{Bug, planted};
use crate::slab::NodeId;

/// One shard of the policy.
pub(super) struct Shard {
    queues: Queues,
    ghosts: Ghosts,
    /// The most pairs that were ever here, which bounds the ghosts.
    #[cfg(test)]
    most: usize,
}

/// The share of the weight that newcomers may take, as a divisor.
const SMALL_SHARE: u64 = 10;
/// Uses, counted in two bits, from which on a newcomer has earned the main queue.
const EARNED: u8 = 1;

impl Shard {
    pub(super) fn new(nodes: u32, weighed: bool) -> Self {
        Self {
            queues: Queues::new(1, nodes, weighed),
            ghosts: Ghosts::new(),
            #[cfg(test)]
            most: 0,
        }
    }

    pub(super) fn admit(&mut self, hash: u64, weight: u32) -> Option<NodeId> {
        let which = if self.ghosts.remove(hash) { Which::Main } else { Which::Small };
        let id = self.queues.admit(0, hash, weight, which)?;
        #[cfg(test)]
        {
            self.most = self.most.max(self.len());
        }
        Some(id)
    }

    /// Lets a pair begin anew, as a newcomer.
    pub(super) fn renew(&mut self, id: NodeId) {
        self.queues.move_to_front(Seat::new(0, id), Which::Small);
    }

    pub(super) fn set_weight(&mut self, id: NodeId, weight: u32) -> u32 {
        self.queues.set_weight(Seat::new(0, id), weight)
    }

    /// Who is next to be judged, moved to the front of its queue meanwhile: so that others who look
    /// for room are shown somebody else, and a judgement that never comes blocks nobody.
    pub(super) fn candidate(&mut self) -> Option<Due> {
        let small = self.queues.weight(Which::Small);
        let total = small + self.queues.weight(Which::Main);
        let crowded = small * SMALL_SHARE > total || self.queues.len(Which::Main) == 0;
        let first =
            if crowded && self.queues.len(Which::Small) > 0 { Which::Small } else { Which::Main };
        let (seat, due) = self.queues.back(first)?;
        self.queues.move_to_front(seat, first);
        Some(due)
    }

    /// Whether a candidate that was used `hits` times must go; `claim` takes its weight off the
    /// store's, or refuses because somebody else has made room.
    pub(super) fn judge(
        &mut self,
        due: Due,
        hits: u8,
        last_chance: bool,
        claim: impl FnOnce(u32) -> bool,
    ) -> Verdict {
        let seat = Seat::new(0, due.node);
        let Some(which) = self.queues.which(seat) else { return Verdict::Keep { hits } };
        match which {
            _ if last_chance => {}
            Which::Small if hits >= EARNED => {
                self.queues.move_to_front(seat, Which::Main);
                return Verdict::Keep { hits: 0 };
            }
            Which::Main if hits > 0 => return Verdict::Keep { hits: hits - 1 },
            Which::Small | Which::Main => {}
        }
        if !claim(self.queues.weight_of(seat)) {
            return Verdict::Keep { hits };
        }
        self.queues.withdraw(seat);
        if which == Which::Small {
            let pairs = if planted(Bug::GhostsForGood) { usize::MAX } else { self.len() + 1 };
            self.ghosts.insert(due.hash, pairs);
        }
        Verdict::Evict
    }

    /// Takes a pair out of its queue; returns its weight.
    pub(super) fn withdraw(&mut self, id: NodeId) -> u32 {
        let seat = Seat::new(0, id);
        let weight = self.queues.which(seat).map_or(0, |_| self.queues.weight_of(seat));
        self.queues.withdraw(seat);
        weight
    }

    pub(super) fn release(&mut self, id: NodeId) {
        self.queues.release(0, id);
    }

    pub(super) fn len(&self) -> usize {
        self.queues.len(Which::Small) + self.queues.len(Which::Main)
    }

    pub(super) fn bytes(&self) -> usize {
        self.queues.bytes() + self.ghosts.bytes()
    }
}

#[cfg(test)]
impl Shard {
    pub(super) fn verify(&self) -> Vec<Due> {
        self.ghosts.verify(self.most + 1);
        self.queues.verify()
    }

    pub(super) fn total_weight(&self) -> u64 {
        self.queues.weight(Which::Small) + self.queues.weight(Which::Main)
    }
}
