//! What checks look at from inside: whether table, index, queues and counts agree.

use super::{Shared, Store};
#[cfg(not(any(checker = "loom", checker = "shuttle")))]
use crate::clock::Deadline;
use crate::entry::{Slot, hash_of};
use crate::expiry::Due;
use std::hash::Hash;

impl<S: Slot, V> Shared<S, V> {
    /// Checks, on a quiet store, that table, index and counters agree: one node for each pair
    /// with a TTL, none stranded, every count exact.
    pub(crate) fn verify(&self) {
        let sorted = |nodes: Vec<Due>| {
            let mut nodes: Vec<_> = nodes.iter().map(|due| (due.hash, due.node.raw())).collect();
            nodes.sort_unstable();
            nodes
        };
        let (mut held, mut queued) = (Vec::new(), Vec::new());
        let (mut pairs, mut unindexed) = (0, 0);
        self.table.for_each(|slot, _| {
            let lease = slot.word().lease();
            pairs += 1;
            let due = lease.node.map(|node| Due { hash: hash_of(slot.key()), node });
            queued.extend(due.filter(|_| self.bound.is_some()));
            match (lease.deadline, due) {
                (Some(_), Some(due)) => held.push(due),
                (Some(_), None) => unindexed += 1,
                (None, due) if self.bound.is_none() => {
                    assert_eq!(due, None, "a pair without a TTL has a node");
                }
                (None, due) => assert!(due.is_some(), "a pair stands in no queue"),
            }
        });
        if let Some(bound) = &self.bound {
            assert_eq!(sorted(bound.verify()), sorted(queued), "the queues are not the pairs");
        }
        let (linked, held) = (sorted(self.expiry.verify()), sorted(held));
        assert_eq!(linked, held, "the nodes linked are not those of the pairs");
        assert_eq!(self.counters.entries(), pairs, "len is wrong");
        assert_eq!(self.expiry.unindexed(), unindexed, "the count of unindexed pairs is wrong");
    }
}

impl<K: Hash + Eq, V> Store<K, V> {
    /// As [`Shared::verify`].
    pub(crate) fn verify(&self) {
        self.shared.verify();
    }
}

/// What the simulation needs to see.
#[cfg(not(any(checker = "loom", checker = "shuttle")))]
impl<K: Hash + Eq, V> Store<K, V> {
    /// Shows every pair held, expired ones too: its key, deadline, whether it has an index node,
    /// and its value.
    pub(crate) fn for_each_held(&self, mut f: impl FnMut(&K, Option<u64>, bool, &V)) {
        self.shared.table.for_each(|slot, value| {
            let lease = slot.word().lease();
            // In a bounded store a pair without a deadline has a number too, but no node.
            let indexed = lease.deadline.is_some() && lease.node.is_some();
            f(slot.key(), lease.deadline.map(Deadline::ms), indexed, value);
        });
    }

    /// The shard of the expiry index that `key` belongs to.
    pub(crate) fn index_shard(&self, key: &K) -> usize {
        self.shared.expiry.shard_number(hash_of(key))
    }
}
