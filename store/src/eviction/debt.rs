//! What a newcomer owes: room that is still to be made for it.

use super::{Bound, Case, Verdict};
use crate::planted::{Bug, planted};
use crate::sync::Ordering;

/// The weight of a newcomer that was admitted to a full store, and is not counted before there is room.
///
/// Whoever goes for its sake hands on his share of the bound, and the store's one count of it is not written to,
/// which all threads would have to wait for in turn. Dropped before it is paid, it is counted all the same:
/// the store is then seen to hold too much.
pub(crate) struct Debt<'b> {
    bound: &'b Bound,
    weight: u64,
}

impl<'b> Debt<'b> {
    pub(super) fn new(bound: &'b Bound, weight: u64) -> Self {
        Self { bound, weight }
    }

    /// Nothing is owed.
    pub(crate) fn none(bound: &'b Bound) -> Self {
        Self::new(bound, 0)
    }

    /// Whether somebody must go, so that it is paid or because the store holds too much besides.
    #[inline]
    pub(crate) fn is_due(&mut self) -> bool {
        if self.weight > 0 && self.bound.fits(self.weight) && !planted(Bug::EvictedTwice) {
            self.count();
        }
        self.weight > 0 || self.bound.is_over()
    }

    /// What becomes of a candidate, whose weight is taken off what is owed if it goes.
    pub(crate) fn judge(&mut self, case: Case) -> Verdict {
        self.bound.judge(case, self)
    }

    /// Takes the weight of a pair that is to go off what is owed, and what it weighs beyond that off the count; not
    /// if there is room by now: two who look for it must not both make it.
    pub(super) fn claim(&mut self, weight: u64) -> bool {
        let owed = self.weight;
        let needs = |used| !self.bound.fits_beside(used, owed) || planted(Bug::EvictedTwice);
        let used = &self.bound.used;
        let beyond = weight.saturating_sub(owed).cast_signed();
        let claimed = if beyond == 0 {
            needs(used.load(Ordering::SeqCst))
        } else {
            let less = |used| needs(used).then(|| used - beyond);
            used.fetch_update(Ordering::SeqCst, Ordering::SeqCst, less).is_ok()
        };
        if claimed {
            self.weight = owed.saturating_sub(weight);
        }
        claimed
    }

    /// Counts the newcomer although it is not paid for: what follows may take its time, or look at the count.
    pub(crate) fn count(&mut self) {
        let weight = std::mem::take(&mut self.weight);
        if weight == 0 || planted(Bug::DebtForgotten) {
            return;
        }
        self.bound.used.fetch_add(weight.cast_signed(), Ordering::SeqCst);
    }
}

impl Drop for Debt<'_> {
    #[inline]
    fn drop(&mut self) {
        self.count();
    }
}

#[cfg(all(test, not(any(checker = "loom", checker = "shuttle"))))]
mod tests {
    use super::*;
    use crate::eviction::{BoundSize, Eviction, Shown};
    use crate::expiry::Due;
    use crate::slab::NodeId;

    /// Two pairs, of which the one that is to go first weighs two.
    fn full(max: u32) -> Bound {
        let size = BoundSize { max: max.into(), shards: 1, nodes_a_shard: 100, weighed: true };
        let bound = Bound::new(Eviction::S3Fifo, size);
        for (hash, weight) in [(1, 2), (2, max - 2)] {
            let (_, shown) = bound.admit(hash, weight).expect("there are numbers");
            assert!(shown.is_none(), "there is room");
        }
        bound
    }

    #[test]
    fn a_newcomer_of_a_full_store_is_counted_once_it_is_paid_for() {
        let bound = full(5);
        let (_, shown) = bound.admit(3, 1).unwrap();
        let Shown { candidate, mut debt, .. } = shown.unwrap();
        assert_eq!((bound.used(), candidate.due.hash), (5, 1));
        assert!(debt.is_due());
        let case = Case { due: candidate.due, hits: 0, last_chance: false, frees: true };
        assert_eq!(debt.judge(case), Verdict::Evict);
        assert!(!debt.is_due(), "two were freed for one");
        assert_eq!(bound.used(), 4);
        bound.verify();
    }

    #[test]
    fn who_is_shown_goes_only_if_there_is_no_room_still() {
        let bound = full(5);
        let (_, shown) = bound.admit(3, 2).unwrap();
        let Shown { candidate, mut debt, .. } = shown.unwrap();
        bound.withdraw(candidate.due);
        bound.release(candidate.due);
        assert!(!debt.is_due(), "as much has left");
        assert_eq!(bound.used(), 5);
        bound.verify();
    }

    #[test]
    fn of_two_who_owe_the_second_lets_the_heavy_stay_that_the_first_made_room_for() {
        let bound = full(4);
        let owing = [3, 4].map(|hash| bound.admit(hash, 1).unwrap().1.unwrap());
        let verdicts = owing.map(|Shown { candidate, mut debt, .. }| {
            let case = Case { due: candidate.due, hits: 0, last_chance: false, frees: true };
            (debt.judge(case), debt.is_due())
        });
        assert_eq!(verdicts, [(Verdict::Evict, false), (Verdict::Keep { hits: 0 }, false)]);
        assert_eq!(bound.used(), 4);
        bound.verify();
    }

    #[test]
    fn what_is_not_paid_is_counted() {
        let bound = full(5);
        let shown = bound.admit(3, 1).unwrap().1;
        assert_eq!((bound.used(), bound.is_over()), (5, false));
        drop(shown);
        assert_eq!((bound.used(), bound.is_over()), (6, true), "the next is to make room");
    }

    #[test]
    fn what_is_owed_for_may_leave_before_it_is_paid() {
        let bound = full(5);
        let (number, shown) = bound.admit(3, 4).unwrap();
        let Shown { candidate, mut debt, .. } = shown.unwrap();
        let others = [(1, candidate.due.node), (2, NodeId::from_raw(2).unwrap()), (3, number)];
        for (hash, node) in others {
            bound.withdraw(Due { hash, node });
            bound.release(Due { hash, node });
        }
        assert_eq!((bound.used(), bound.is_over()), (0, false), "less than nothing is nothing");
        assert!(!debt.is_due());
        bound.verify();
    }
}
