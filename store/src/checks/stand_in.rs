//! A map to model with, in the place of `scc`: vectors behind readers-writer locks.
//!
//! The real map's epoch guard issues a `SeqCst` fence beside every call, which hides an ordering
//! of ours that is too weak. This one orders nothing that a lock does not order.

use crate::entry::{Slot, hash_of};
use crate::expiry::{Due, Lease};
use crate::sync::{RwLock, RwLockWriteGuard, atomic_step};
use std::borrow::Borrow;
use std::hash::Hash;
use std::mem::replace;
use std::sync::PoisonError;

type Pairs<K, V> = Vec<(Slot<K>, V)>;

pub(crate) struct Table<K, V> {
    /// Two buckets: keys that share one, and keys that do not.
    buckets: [RwLock<Pairs<K, V>>; 2],
}

impl<K: Hash + Eq, V> Table<K, V> {
    pub(crate) fn with_capacity(_pairs: usize) -> Self {
        Self { buckets: std::array::from_fn(|_| RwLock::new(Vec::new())) }
    }

    pub(crate) fn can_allocate(pairs: usize) -> bool {
        pairs < 1 << 40
    }

    fn bucket(&self, hash: u64) -> &RwLock<Pairs<K, V>> {
        &self.buckets[usize::from(hash >> 63 == 1)]
    }

    fn lock(&self, hash: u64) -> RwLockWriteGuard<'_, Pairs<K, V>> {
        self.bucket(hash).write().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn read<Q, R>(
        &self,
        hash: u64,
        key: &Q,
        f: impl FnOnce(&Slot<K>, &V) -> R,
    ) -> Option<R>
    where
        K: Borrow<Q>,
        Q: Eq + ?Sized,
    {
        atomic_step(|| {
            let pairs = self.bucket(hash).read().unwrap_or_else(PoisonError::into_inner);
            let (slot, value) = pairs.iter().find(|(slot, _)| slot.key.borrow() == key)?;
            Some(f(slot, value))
        })
    }

    pub(crate) fn modify<Q, R>(
        &self,
        hash: u64,
        key: &Q,
        f: impl FnOnce(Occupied<'_, K, V>) -> R,
    ) -> Option<R>
    where
        K: Borrow<Q>,
        Q: Eq + ?Sized,
    {
        self.modify_if(hash, |slot| slot.key.borrow() == key, f)
    }

    pub(crate) fn modify_due<R>(
        &self,
        due: Due,
        f: impl FnOnce(Occupied<'_, K, V>) -> R,
    ) -> Option<R> {
        self.modify_if(due.hash, |slot| slot.holds(due), f)
    }

    fn modify_if<R>(
        &self,
        hash: u64,
        wanted: impl Fn(&Slot<K>) -> bool,
        f: impl FnOnce(Occupied<'_, K, V>) -> R,
    ) -> Option<R> {
        atomic_step(|| {
            let pairs = self.lock(hash);
            let at = pairs.iter().position(|(slot, _)| wanted(slot))?;
            Some(f(Occupied { pairs, at }))
        })
    }

    pub(crate) fn with_place<T, R>(
        &self,
        key: K,
        newcomer: T,
        occupied: impl FnOnce(T, Occupied<'_, K, V>, K) -> R,
        vacant: impl FnOnce(T, Vacant<'_, K, V>) -> R,
    ) -> R {
        atomic_step(|| {
            let mut pairs = self.lock(hash_of(&key));
            let Some(at) = pairs.iter().position(|(slot, _)| slot.key == key) else {
                return vacant(newcomer, Vacant { pairs, key });
            };
            let former = replace(&mut pairs[at].0, Slot::new(key, Lease::default()));
            pairs[at].0.succeed(&former);
            occupied(newcomer, Occupied { pairs, at }, former.key)
        })
    }

    pub(crate) fn for_each(&self, mut f: impl FnMut(&K, Lease, &V)) {
        for bucket in &self.buckets {
            atomic_step(|| {
                let pairs = bucket.read().unwrap_or_else(PoisonError::into_inner);
                pairs.iter().for_each(|(slot, value)| f(&slot.key, slot.lease(), value));
            });
        }
    }

    pub(crate) fn extract_if<T>(
        &self,
        mut f: impl FnMut(&K, Lease, &V) -> Option<T>,
        mut taken: impl FnMut(T, (K, V)),
    ) {
        for bucket in &self.buckets {
            atomic_step(|| {
                let mut pairs = bucket.write().unwrap_or_else(PoisonError::into_inner);
                let mut at = 0;
                while let Some((slot, value)) = pairs.get(at) {
                    let Some(ticket) = f(&slot.key, slot.lease(), value) else {
                        at += 1;
                        continue;
                    };
                    let (slot, value) = pairs.swap_remove(at);
                    taken(ticket, (slot.key, value));
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

pub(crate) struct Occupied<'t, K, V> {
    pairs: RwLockWriteGuard<'t, Pairs<K, V>>,
    at: usize,
}

impl<K: Hash + Eq, V> Occupied<'_, K, V> {
    pub(crate) fn slot(&self) -> &Slot<K> {
        &self.pairs[self.at].0
    }

    pub(crate) fn value(&self) -> &V {
        &self.pairs[self.at].1
    }

    pub(crate) fn value_mut(&mut self) -> &mut V {
        &mut self.pairs[self.at].1
    }

    pub(crate) fn remove(mut self) -> (K, V) {
        let (slot, value) = self.pairs.swap_remove(self.at);
        (slot.key, value)
    }
}

pub(crate) struct Vacant<'t, K, V> {
    pairs: RwLockWriteGuard<'t, Pairs<K, V>>,
    key: K,
}

impl<K: Hash + Eq, V> Vacant<'_, K, V> {
    pub(crate) fn insert(mut self, value: V, lease: Lease) {
        self.pairs.push((Slot::new(self.key, lease), value));
    }

    pub(crate) fn key(&self) -> &K {
        &self.key
    }

    pub(crate) fn into_key(self) -> K {
        self.key
    }
}
