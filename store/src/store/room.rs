//! Keeping a bound: what has expired goes first, then whom the policy chooses.

use super::Shared;
use crate::entry::Slot;
use crate::eviction::{Bound, Candidate, Case, Debt, Shown, Verdict};
use crate::expiry::Due;
use crate::listener::{Parting, RemovalCause};
use crate::removed::{FirstPanic, Removed};
use crate::slab::NodeId;
use crate::stats::Count;
use crate::sync::Ordering;
use std::mem::needs_drop;

/// Index nodes looked at in one go for what has expired.
const BATCH: usize = 32;
/// How often for one put, so that nobody who puts a pair reclaims a whole burst of expiry.
const BATCHES: usize = 8;
/// Candidates of the policy looked at before one goes however often it was used.
const PATIENCE: usize = 64;
/// Candidates that stand in a queue and have no pair before the bound is left to the next who looks for room: their
/// keys have changed their hashes, or panic, and nothing can find them.
const MOST_LOST: usize = 1_024;

impl<S: Slot, V> Shared<S, V> {
    /// What a pair weighs, as the user says; 1 if nobody asked.
    #[inline]
    pub(super) fn weigh(&self, slot: &S, value: &V) -> u64 {
        self.weigher.as_ref().map_or(1, |weigher| weigher(slot, value))
    }

    /// Whether a pair could not stay even if it were alone.
    #[inline]
    pub(super) fn is_too_heavy(&self, weight: u64) -> bool {
        self.bound.as_deref().is_some_and(|bound| weight > bound.max())
    }

    /// Gives a pair that stays another weight.
    pub(super) fn reweigh(&self, hash: u64, number: Option<NodeId>, weight: u64) {
        if let (Some(bound), Some(number), true) = (&self.bound, number, self.weigher.is_some()) {
            bound.set_weight(Due { hash, node: number }, counted(weight));
        }
    }

    /// Lets pairs go until the bound is kept, for the sake of a pair with `hash` that was put, whoever was
    /// `shown` then before others. Called with no lock held, after each call that added weight.
    pub(super) fn make_room(&self, hash: u64, shown: Option<Shown<'_>>) {
        if let Some(bound) = &self.bound {
            self.evict_until_kept(bound, hash, shown);
        }
    }

    /// Whether the bound is not kept at this moment.
    #[inline]
    pub(super) fn is_over(&self) -> bool {
        self.bound.as_deref().is_some_and(Bound::is_over)
    }

    #[inline(never)]
    fn evict_until_kept(&self, bound: &Bound, hash: u64, shown: Option<Shown<'_>>) {
        let (newcomer, mut shown, mut debt) = match shown {
            Some(Shown { newcomer, candidate, debt }) => (Some(newcomer), Some(candidate), debt),
            None => (None, None, Debt::none(bound)),
        };
        let mut gone = Removed::new(self.notifier.as_deref());
        // Neither a `Drop` nor a `Hash` that panics must leave the store above its bound.
        let mut panics = FirstPanic::default();
        let (mut batches, mut looks, mut lost) = (BATCHES, 0, 0);
        while debt.is_due() && lost < MOST_LOST {
            if self.reclaim_for_room(&mut batches, &mut debt, &mut panics) {
                continue;
            }
            let candidate = shown.take().or_else(|| bound.candidate(hash, newcomer));
            let Some(Candidate { due, following }) = candidate else { break };
            if let Some(following) = following {
                self.table.fetch(following);
            }
            looks += 1;
            let last_chance = looks % PATIENCE == 0;
            let visit = || self.visit_candidate(&mut debt, due, last_chance, &mut gone);
            match panics.catch(visit).flatten() {
                Some(Visited::Gone) => looks = 0,
                Some(Visited::Stays) => {}
                // Or its key cannot be hashed. Who has left this moment made room: no reason to give up.
                None => lost += usize::from(bound.pass_over(due)),
            }
        }
        // User code is to find it counted.
        drop(debt);
        gone.release(&mut panics);
        panics.resume();
    }

    /// Takes a candidate's pair out, to `gone`, if it is expired or the policy says so; `None` if there is no
    /// such pair.
    #[inline]
    fn visit_candidate(
        &self,
        debt: &mut Debt<'_>,
        due: Due,
        last_chance: bool,
        gone: &mut Removed<'_, S, V>,
    ) -> Option<Visited> {
        self.table.modify_due(self.gates.pass(due.hash), due, |entry| {
            let word = entry.slot().word();
            let lease = word.lease();
            if self.is_expired(lease) {
                gone.push(self.take_expired(due.hash, entry, Count::ExpiredBySweeper));
                return Visited::Gone;
            }
            // A pair with a deadline has a node of the expiry index under its number, which is freed first.
            let frees = lease.deadline.is_none();
            match debt.judge(Case { due, hits: word.hits(), last_chance, frees }) {
                Verdict::Keep { hits } => {
                    word.set_hits(hits);
                    return Visited::Stays;
                }
                Verdict::Evict => {}
            }
            self.counters.add(Count::Evict, 1);
            let notice = self.notice(due.hash, RemovalCause::Evicted);
            let pair = if frees {
                self.take_unnumbered(entry)
            } else {
                self.take_withdrawn(due.hash, entry)
            };
            if needs_drop::<(S, V)>() || notice.is_some() {
                gone.push(Parting::new(self.notifier.as_deref(), notice, pair));
            }
            Visited::Gone
        })
    }

    /// Reclaims some of what has expired, up to the last tick that has wholly passed, in no more than so many
    /// `batches`, of which it leaves what is left; returns whether there was anything.
    fn reclaim_for_room(
        &self,
        batches: &mut usize,
        debt: &mut Debt<'_>,
        panics: &mut FirstPanic,
    ) -> bool {
        if *batches == 0 || self.expiry.is_unused() {
            return false;
        }
        let tick = self.expiry.passed_tick(self.clock.now_ms());
        // ORDERING: Relaxed; a hint when to look again. Deadlines that are added later lie in
        // later ticks.
        if self.room_tick.load(Ordering::Relaxed) >= tick {
            return false;
        }
        // Listeners and values' `Drop` run meanwhile, and may ask what the store holds, or put.
        debt.count();
        while *batches > 0 {
            *batches -= 1;
            let (swept, met) = self.sweep_through(tick, BATCH);
            panics.join(met);
            if !swept.more {
                // ORDERING: Relaxed, as above.
                self.room_tick.fetch_max(tick, Ordering::Relaxed);
            }
            if swept.removed > 0 || !swept.more {
                return swept.removed > 0;
            }
        }
        false
    }
}

/// What became of a candidate's pair.
enum Visited {
    Gone,
    Stays,
}

/// A weight as the queues keep it.
pub(super) fn counted(weight: u64) -> u32 {
    u32::try_from(weight).unwrap_or(u32::MAX).min(Bound::HEAVIEST)
}
