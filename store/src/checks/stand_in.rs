//! A map to model with, in the place of `scc`: vectors behind readers-writer locks.
//!
//! The real map's epoch guard issues a `SeqCst` fence beside every call, which hides an ordering
//! of ours that is too weak. This one orders nothing that a lock does not order.

use crate::entry::{Slot, hash_of};
use crate::expiry::{Due, Lease};
use crate::sync::gates::Passed;
use crate::sync::{RwLock, RwLockWriteGuard, atomic_step};
use std::borrow::Borrow;
use std::mem::replace;
use std::sync::PoisonError;

type Pairs<S, V> = Vec<(S, V)>;

pub(crate) struct Table<S, V> {
    /// Two buckets: keys that share one, and keys that do not.
    buckets: [RwLock<Pairs<S, V>>; 2],
}

impl<S: Slot, V> Table<S, V> {
    pub(crate) fn with_capacity(_pairs: usize, _huge_pages: bool) -> Self {
        Self { buckets: std::array::from_fn(|_| RwLock::new(Vec::new())) }
    }

    pub(crate) fn can_allocate(pairs: usize) -> bool {
        pairs < 1 << 40
    }

    fn bucket(&self, hash: u64) -> &RwLock<Pairs<S, V>> {
        &self.buckets[usize::from(hash >> 63 == 1)]
    }

    fn lock(&self, hash: u64) -> RwLockWriteGuard<'_, Pairs<S, V>> {
        self.bucket(hash).write().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn read<Q, R>(&self, hash: u64, key: &Q, f: impl FnOnce(&S, &V) -> R) -> Option<R>
    where
        S::Key: Borrow<Q>,
        Q: Eq + ?Sized,
    {
        atomic_step(|| {
            let pairs = self.bucket(hash).read().unwrap_or_else(PoisonError::into_inner);
            let (slot, value) = pairs.iter().find(|(slot, _)| {
                if S::POINTS {
                    slot.fetch::<Q>();
                }
                slot.key().borrow() == key
            })?;
            Some(f(slot, value))
        })
    }

    /// A hint, and nothing that a model could see.
    pub(crate) fn fetch(&self, _hash: u64) {}

    /// The same.
    pub(crate) fn fetch_each(
        &self,
        _hashes: impl Iterator<Item = u64> + Clone,
        _outside: Option<fn(&S, &V)>,
    ) {
    }

    /// The same.
    pub(crate) fn learn(&self, _hash: u64, _slot: *const S) {}

    /// The same.
    pub(crate) fn learn_newcomer(&self, _hash: u64, _slot: *const S) {}

    pub(crate) fn at_once<R>(&self, f: impl FnOnce(&Self) -> R) -> R {
        f(self)
    }

    pub(crate) fn modify<Q, R>(
        &self,
        _passed: Passed<'_>,
        hash: u64,
        key: &Q,
        f: impl FnOnce(Occupied<'_, S, V>) -> R,
    ) -> Option<R>
    where
        S::Key: Borrow<Q>,
        Q: Eq + ?Sized,
    {
        self.modify_if(hash, |slot| slot.key().borrow() == key, f)
    }

    pub(crate) fn modify_due<R>(
        &self,
        _passed: Passed<'_>,
        due: Due,
        f: impl FnOnce(Occupied<'_, S, V>) -> R,
    ) -> Option<R> {
        self.modify_if(due.hash, |slot| slot.holds(due), f)
    }

    fn modify_if<R>(
        &self,
        hash: u64,
        wanted: impl Fn(&S) -> bool,
        f: impl FnOnce(Occupied<'_, S, V>) -> R,
    ) -> Option<R> {
        atomic_step(|| {
            let pairs = self.lock(hash);
            let at = pairs.iter().position(|(slot, _)| wanted(slot))?;
            Some(f(Occupied { pairs, at }))
        })
    }

    pub(crate) fn with_place<T, R>(
        &self,
        _passed: Passed<'_>,
        slot: S,
        newcomer: T,
        occupied: impl FnOnce(T, Occupied<'_, S, V>, S) -> R,
        vacant: impl FnOnce(T, Vacant<'_, S, V>) -> R,
    ) -> R {
        atomic_step(|| {
            let mut pairs = self.lock(hash_of(slot.key()));
            let Some(at) = pairs.iter().position(|(other, _)| slot == *other) else {
                return vacant(newcomer, Vacant { pairs, slot });
            };
            let former = replace(&mut pairs[at].0, slot);
            pairs[at].0.word().succeed(former.word());
            occupied(newcomer, Occupied { pairs, at }, former)
        })
    }

    pub(crate) fn with_absence<T, R>(
        &self,
        _passed: Passed<'_>,
        slot: S,
        newcomer: T,
        occupied: impl FnOnce(Occupied<'_, S, V>) -> R,
        vacant: impl FnOnce(T, Vacant<'_, S, V>) -> R,
    ) -> R {
        atomic_step(|| {
            let pairs = self.lock(hash_of(slot.key()));
            match pairs.iter().position(|(other, _)| slot == *other) {
                Some(at) => occupied(Occupied { pairs, at }),
                None => vacant(newcomer, Vacant { pairs, slot }),
            }
        })
    }

    pub(crate) fn for_each(&self, mut f: impl FnMut(&S, &V)) {
        for bucket in &self.buckets {
            atomic_step(|| {
                let pairs = bucket.read().unwrap_or_else(PoisonError::into_inner);
                pairs.iter().for_each(|(slot, value)| f(slot, value));
            });
        }
    }

    pub(crate) fn extract_if<T>(
        &self,
        mut f: impl FnMut(&S, &V) -> Option<T>,
        mut taken: impl FnMut(T, (S, V)),
    ) {
        for bucket in &self.buckets {
            atomic_step(|| {
                let mut pairs = bucket.write().unwrap_or_else(PoisonError::into_inner);
                let mut at = 0;
                while let Some((slot, value)) = pairs.get(at) {
                    let Some(ticket) = f(slot, value) else {
                        at += 1;
                        continue;
                    };
                    taken(ticket, pairs.swap_remove(at));
                }
            });
        }
    }

    pub(crate) fn capacity(&self) -> usize {
        self.buckets.len() * usize::from(u16::MAX)
    }

    pub(crate) fn bytes(&self) -> usize {
        size_of_val(self)
    }
}

pub(crate) struct Occupied<'t, S, V> {
    pairs: RwLockWriteGuard<'t, Pairs<S, V>>,
    at: usize,
}

impl<S: Slot, V> Occupied<'_, S, V> {
    pub(crate) fn slot(&self) -> &S {
        &self.pairs[self.at].0
    }

    pub(crate) fn value(&self) -> &V {
        &self.pairs[self.at].1
    }

    pub(crate) fn value_mut(&mut self) -> &mut V {
        &mut self.pairs[self.at].1
    }

    pub(crate) fn remove(mut self) -> (S, V) {
        self.pairs.swap_remove(self.at)
    }
}

pub(crate) struct Vacant<'t, S, V> {
    pairs: RwLockWriteGuard<'t, Pairs<S, V>>,
    slot: S,
}

impl<S: Slot, V> Vacant<'_, S, V> {
    pub(crate) fn insert(mut self, value: V, lease: Lease) -> *const S {
        self.slot.word().set_lease(lease);
        self.pairs.push((self.slot, value));
        std::ptr::null()
    }

    pub(crate) fn slot(&self) -> &S {
        &self.slot
    }

    pub(crate) fn into_slot(self) -> S {
        self.slot
    }
}
