//! What is done to the place of one key, under its bucket's lock, and what is left to do after it.

use super::room::counted;
use super::{NewDeadline, Shared};
use crate::entry::Slot;
use crate::eviction::Shown;
use crate::expiry::{Due, Lease};
use crate::listener::{Notice, Parting, RemovalCause};
use crate::planted::{Bug, planted};
use crate::removed::FirstPanic;
use crate::stats::Count;
use crate::sync::Arc;
use crate::table::{Occupied, Vacant};

/// A value that is to be stored.
pub(super) struct Newcomer<V> {
    pub(super) value: V,
    pub(super) weight: u64,
    pub(super) deadline: NewDeadline,
}

/// What a write took out of the store, to be told of, dropped or returned once the bucket is
/// unlocked.
pub(super) struct Displaced<'b, S, V> {
    /// The pair that the key had, and whether it was live: its value is then the caller's.
    former: Option<(Parting<S, V>, bool)>,
    /// The pair that was to be stored, if it is too heavy to stay.
    refused: Option<Parting<S, V>>,
    /// Who may have to go for the sake of the one that was stored.
    shown: Option<Shown<'b>>,
}

impl<S, V> Displaced<'_, S, V> {
    pub(super) fn nothing() -> Self {
        Self { former: None, refused: None, shown: None }
    }

    /// A pair that went because it has become too heavy to stay, if it has.
    pub(super) fn outgrown(refused: Option<Parting<S, V>>) -> Self {
        Self { former: None, refused, shown: None }
    }

    /// A pair that had expired.
    pub(super) fn dead(former: Parting<S, V>) -> Self {
        Self::one(former, false)
    }

    fn one(former: Parting<S, V>, live: bool) -> Self {
        Self { former: Some((former, live)), refused: None, shown: None }
    }
}

impl<S: Slot, V> Shared<S, V> {
    /// Once the bucket is unlocked: tells of what was displaced, drops it, makes room; returns the
    /// pair that was live.
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "a pair that was handed on through memory stalls")]
    pub(super) fn settle(&self, hash: u64, displaced: Displaced<'_, S, V>) -> Option<(S, V)> {
        if displaced.shown.is_none() && !self.is_over() {
            return self.hand_out(displaced);
        }
        self.settle_and_make_room(hash, displaced)
    }

    #[inline(never)]
    fn settle_and_make_room(
        &self,
        hash: u64,
        mut displaced: Displaced<'_, S, V>,
    ) -> Option<(S, V)> {
        let shown = displaced.shown.take();
        if let Displaced { former: None, refused: None, .. } = displaced {
            self.make_room(hash, shown);
            return None;
        }
        // A `Drop` that panics must not leave the store above its bound.
        let mut panics = FirstPanic::default();
        let former = panics.catch(|| self.hand_out(displaced));
        panics.catch(|| self.make_room(hash, shown));
        panics.resume();
        former.flatten()
    }

    /// Tells of all before it drops any: a `Drop` that panics must not keep a removal untold.
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "a pair that was handed on through memory stalls")]
    fn hand_out(&self, displaced: Displaced<'_, S, V>) -> Option<(S, V)> {
        if let Displaced { former: Some((Parting::Silent(slot, value), live)), refused, .. } =
            displaced
        {
            // Nobody listens. Taken apart here: a pair that was told as a whole would wait until
            // its parts, just written, can be read as one.
            drop(refused);
            return live.then_some((slot, value));
        }
        let former = displaced.former.map(|(former, live)| (self.told(former), live));
        let refused = displaced.refused.and_then(|refused| self.told(refused));
        drop(refused);
        let (pair, live) = former?;
        if live { pair } else { None }
    }

    #[inline(always)]
    #[expect(clippy::inline_always, reason = "a pair that was handed on through memory stalls")]
    pub(super) fn insert(
        &self,
        hash: u64,
        vacant: Vacant<'_, S, V>,
        newcomer: Newcomer<V>,
    ) -> Displaced<'_, S, V> {
        let (mut lease, mut shown) = (Lease::default(), None);
        if let Some(bound) = &self.bound {
            let fits = !self.is_too_heavy(newcomer.weight);
            let admitted = fits.then(|| bound.admit(hash, counted(newcomer.weight))).flatten();
            let Some((number, may_go)) = admitted else {
                self.flights.overtake(hash);
                self.counters.add(Count::Put, 1);
                let refusal = self.notice(hash, RemovalCause::Evicted);
                let refused = self.refuse(refusal, vacant.into_slot(), newcomer.value);
                return Displaced { refused: Some(refused), ..Displaced::nothing() };
            };
            (lease.node, shown) = (Some(number), may_go);
        }
        self.insert_plain(hash, vacant, newcomer, lease);
        Displaced { shown, ..Displaced::nothing() }
    }

    /// Inserts a pair that has a number already, where pairs have one.
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "a pair that was handed on through memory stalls")]
    pub(super) fn insert_plain(
        &self,
        hash: u64,
        vacant: Vacant<'_, S, V>,
        newcomer: Newcomer<V>,
        numbered: Lease,
    ) {
        self.flights.overtake(hash);
        self.counters.add(Count::Put, 1);
        let deadline = match newcomer.deadline {
            NewDeadline::Keep => self.default_deadline(),
            NewDeadline::At(deadline) => deadline,
        };
        let lease = self.expiry.lease(hash, numbered, deadline);
        let place = vacant.insert(newcomer.value, lease);
        self.table.learn_newcomer(hash, place);
        self.counters.entries_changed(1);
    }

    /// Gives a live pair another value, where all weigh the same and nobody is to be told; returns the one
    /// it had.
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "a pair that was handed on through memory stalls")]
    pub(super) fn replace_plain(
        &self,
        hash: u64,
        mut entry: Occupied<'_, S, V>,
        lease: Lease,
        newcomer: Newcomer<V>,
    ) -> V {
        self.flights.overtake(hash);
        self.counters.add(Count::Put, 1);
        let deadline = match newcomer.deadline {
            NewDeadline::At(deadline) => deadline,
            NewDeadline::Keep => lease.deadline,
        };
        entry.slot().word().set_lease(self.expiry.lease(hash, lease, deadline));
        self.note_use(hash, entry.slot());
        std::mem::replace(entry.value_mut(), newcomer.value)
    }

    /// Replaces the value of a pair, which may be expired: the new value is then a fresh one.
    ///
    /// Whether it is, the caller has looked up, once: time goes on, and an answer that came from
    /// two looks could contradict itself.
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "a pair that was handed on through memory stalls")]
    pub(super) fn replace(
        &self,
        hash: u64,
        mut entry: Occupied<'_, S, V>,
        former_slot: S,
        expired: bool,
        newcomer: Newcomer<V>,
    ) -> Displaced<'_, S, V> {
        self.flights.overtake(hash);
        self.counters.add(Count::Put, 1);
        let cause = if expired { RemovalCause::Expired } else { RemovalCause::Replaced };
        let lease = entry.slot().word().lease();
        if expired {
            self.count_expired(lease, Count::ExpiredLazily);
        }
        if self.is_too_heavy(newcomer.weight) {
            // Were the former value left, a reader would take it for the one just stored.
            let notice = self.notice(hash, cause);
            let refusal = self.notice(hash, RemovalCause::Evicted);
            let (slot, value) = self.take_out(hash, entry);
            let former = Parting::new(self.notifier.as_deref(), notice, (former_slot, value));
            let refused = self.refuse(refusal, slot, newcomer.value);
            let former = Some((former, !expired));
            return Displaced { former, refused: Some(refused), shown: None };
        }
        let deadline = match newcomer.deadline {
            NewDeadline::At(deadline) => deadline,
            NewDeadline::Keep if expired && !planted(Bug::KeepKeepsTheDead) => {
                self.default_deadline()
            }
            NewDeadline::Keep => lease.deadline,
        };
        entry.slot().word().set_lease(self.expiry.lease(hash, lease, deadline));
        self.reweigh(hash, lease.node, newcomer.weight);
        match (&self.bound, lease.node) {
            (Some(bound), Some(number)) if expired => {
                bound.renew(Due { hash, node: number });
                entry.slot().word().set_hits(0);
            }
            _ => self.note_use(hash, entry.slot()),
        }
        let notice = self.notice(hash, cause);
        let former = (former_slot, std::mem::replace(entry.value_mut(), newcomer.value));
        let former = Parting::new(self.notifier.as_deref(), notice, former);
        if expired && planted(Bug::DroppedUnderTheLock) {
            drop(former);
            return Displaced::nothing();
        }
        Displaced::one(former, !expired || planted(Bug::PutReturnsTheDead))
    }

    /// A pair that cannot stay: as if it had been stored and evicted at once.
    #[cold]
    fn refuse(&self, notice: Option<Arc<Notice<S, V>>>, slot: S, value: V) -> Parting<S, V> {
        self.counters.add(Count::Evict, 1);
        Parting::new(self.notifier.as_deref(), notice, (slot, value))
    }

    /// Removes a pair for its caller, who is given the value if it was live, and has looked whether
    /// it is.
    pub(super) fn remove(
        &self,
        hash: u64,
        entry: Occupied<'_, S, V>,
        expired: bool,
    ) -> Displaced<'_, S, V> {
        if expired {
            return Displaced::one(self.take_expired(hash, entry, Count::ExpiredLazily), false);
        }
        self.counters.add(Count::Delete, 1);
        Displaced::one(self.take(hash, entry, RemovalCause::Deleted), true)
    }
}
