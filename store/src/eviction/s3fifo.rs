//! S3-FIFO: a small queue that most newcomers do not outlive, and a main one for the rest.
//!
//! After Yang, Zhang, Qiu, Yue and Rashmi, "FIFO Queues are All You Need for Cache Eviction"
//! (SOSP 2023). A hit only counts, in two bits of the pair's own word, and touches nothing here.
//! Newcomers wait in the small queue; who was used meanwhile goes on to the main queue, and who
//! was not goes, leaving a ghost. A newcomer whose ghost is still there goes to the main queue at
//! once. The main queue gives one more round for each use.
//!
//! The small queue begins with a tenth of the weight, as in the paper, and then adapts (the paper's
//! section 6.2.2 tries this, ARC of Megiddo and Modha did before): it grows when newcomers return
//! that it let go a moment ago, and shrinks when those return that the main queue let go a moment
//! ago. So a set of hot keys that moves on is followed nearly as fast as LRU follows it, while
//! scans and rare keys still pass by.
//!
//! There is a ghost for every second pair, where the paper has one for each. Who returns after longer than
//! that was as good as drawn by lot, and in the main queue is in the way of those who are used more:
//! `just hit-ratio` finds up to 2.2 more hits in a hundred (Zipf 0.8). And who left the main queue
//! begins anew in the small one: where a loop is longer than the queue, others would push each
//! other out for ever.

use super::ghosts::Ghosts;
use super::queues::{Node, Queues, Which};
use super::{Candidate, Case, Verdict};
use crate::expiry::Due;
use crate::planted::{Bug, planted};
use crate::slab::{NodeId, Slab};

/// One shard of the policy.
pub(super) struct Shard {
    pub(super) queues: Queues<Slab<Node>>,
    /// Of the small queue.
    pub(super) ghosts: Ghosts,
    /// Of the main queue: only those of a moment ago.
    main_ghosts: Ghosts,
    /// The share of the weight that newcomers may take, in 65536ths.
    share: u32,
    /// The most pairs that were ever here, which bounds the ghosts.
    #[cfg(test)]
    most: usize,
}

/// All of the weight.
const WHOLE: u32 = 1 << 16;
const FIRST_SHARE: u32 = WHOLE / 10;
const LEAST_SHARE: u32 = WHOLE / 50;
const LARGEST_SHARE: u32 = WHOLE / 10 * 9;
/// By how many pairs' weight one return changes the share.
const STEP: u32 = 16;
/// There is a ghost for so many pairs.
const PAIRS_A_GHOST: usize = 2;
/// A moment of the small queue is this part of what its ghosts remember; of the main one, as long as it takes to let
/// this part of all pairs go.
const MOMENT: usize = 8;
/// Uses, counted in two bits, from which on a newcomer has earned the main queue.
const EARNED: u8 = 1;

impl Shard {
    pub(super) fn new(nodes: u32, weighed: bool) -> Self {
        Self {
            queues: Queues::whole(nodes, weighed),
            ghosts: Ghosts::new(),
            main_ghosts: Ghosts::new(),
            share: FIRST_SHARE,
            #[cfg(test)]
            most: 0,
        }
    }

    pub(super) fn admit(&mut self, hash: u64, weight: u32) -> Option<NodeId> {
        let which = if self.returns(hash) { Which::Main } else { Which::Small };
        let id = self.queues.admit(0, hash, weight, which)?;
        #[cfg(test)]
        {
            self.most = self.most.max(self.len());
        }
        Some(id)
    }

    /// Whether the small queue let a newcomer go not long ago; what returns say of the queues is heeded.
    fn returns(&mut self, hash: u64) -> bool {
        let pairs = u32::try_from(self.len()).unwrap_or(u32::MAX);
        let step = STEP * WHOLE / pairs.max(1);
        let age = self.ghosts.remove(hash);
        if age.is_some_and(|age| age < Ghosts::AGES / MOMENT) {
            self.share = (self.share + step).min(LARGEST_SHARE);
        }
        if self.main_ghosts.remove(hash).is_some() {
            self.share = self.share.saturating_sub(step).max(LEAST_SHARE);
        }
        age.is_some()
    }

    /// Lets a pair begin anew, as a newcomer.
    pub(super) fn renew(&mut self, of: Due) {
        if let Some(seat) = self.queues.seat(0, of) {
            self.queues.move_to_front(seat, Which::Small);
        }
    }

    /// Who is next to be judged so that `newcomer` can stay, if it is known, moved to the front of its queue
    /// meanwhile: so that others who look for room are shown somebody else, and a judgement that never comes
    /// blocks nobody.
    pub(super) fn candidate(&mut self, newcomer: Option<Due>) -> Option<Candidate> {
        let small = self.queues.weight(Which::Small);
        let total = small + self.queues.weight(Which::Main);
        // Alone in its queue stands a newcomer for whose sake room is made.
        let crowded = self.queues.len(Which::Small) > 1
            && u128::from(small) * u128::from(WHOLE) > u128::from(total) * u128::from(self.share);
        let no_main = self.queues.len(Which::Main) == 0;
        let (mut first, second) = if crowded || no_main {
            (Which::Small, Which::Main)
        } else {
            (Which::Main, Which::Small)
        };
        let mut shown = self.queues.rotate(first)?;
        if newcomer == Some(shown.due) {
            if self.queues.len(first) == 1 && self.queues.len(second) > 0 {
                first = second;
            }
            shown = self.queues.rotate(first)?;
        }
        match first {
            Which::Small => self.ghosts.fetch(shown.due.hash),
            Which::Main => self.main_ghosts.fetch(shown.due.hash),
        }
        Some(shown)
    }

    /// Whether a candidate must go; `claim` takes its weight off what is owed and off the store's, or refuses
    /// because somebody else has made room.
    pub(super) fn judge(&mut self, case: Case, claim: impl FnOnce(u32) -> bool) -> Verdict {
        let Case { due, hits, last_chance, frees } = case;
        let Some((seat, Some(which))) = self.queues.seat_and_queue(0, due) else {
            return Verdict::Keep { hits };
        };
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
        if frees {
            self.queues.expel(0, due);
        } else {
            self.queues.withdraw(seat);
        }
        let pairs = (self.len() + 1) * if planted(Bug::GhostsForGood) { 64 } else { 1 };
        match which {
            Which::Small => self.ghosts.insert(due.hash, pairs.div_ceil(PAIRS_A_GHOST)),
            Which::Main => self.main_ghosts.insert(due.hash, pairs / MOMENT),
        }
        Verdict::Evict
    }

    pub(super) fn len(&self) -> usize {
        self.queues.len(Which::Small) + self.queues.len(Which::Main)
    }

    pub(super) fn bytes(&self) -> usize {
        self.queues.bytes() + self.ghosts.bytes() + self.main_ghosts.bytes()
    }
}

#[cfg(test)]
impl Shard {
    pub(super) fn verify(&self) -> Vec<Due> {
        self.ghosts.verify(self.most + 1);
        self.main_ghosts.verify(self.most + 1);
        self.queues.verify()
    }

    pub(super) fn total_weight(&self) -> u64 {
        self.queues.weight(Which::Small) + self.queues.weight(Which::Main)
    }
}

#[cfg(all(test, not(any(checker = "loom", checker = "shuttle"))))]
mod tests {
    use super::*;

    #[test]
    fn who_stands_alone_in_the_small_queue_is_not_shown_before_the_main_one() {
        let mut shard = Shard::new(10, false);
        let used = Due { hash: 1, node: shard.admit(1, 1).unwrap() };
        let case = Case { due: used, hits: EARNED, last_chance: false, frees: true };
        assert_eq!(shard.judge(case, |_| true), Verdict::Keep { hits: 0 }, "to the main queue");
        let newcomer = Due { hash: 2, node: shard.admit(2, 1).unwrap() };
        for known in [None, Some(newcomer), Some(used)] {
            let wanted = if known == Some(used) { newcomer } else { used };
            assert_eq!(shard.candidate(known).map(|shown| shown.due), Some(wanted), "{known:?}");
        }
    }
}
