//! Calls that take out many pairs: what has expired, what a predicate rejects, everything.

use super::{Shared, Store};
use crate::entry::{Slot, hash_of};
use crate::expiry::{Due, Lease};
use crate::listener::{Parting, RemovalCause};
use crate::planted::{Bug, planted};
use crate::removed::{FirstPanic, Removed};
use crate::stats::Count;
use crate::sweep::Swept;
use crate::sync::Ordering;
use std::hash::Hash;
use std::time::Duration;

/// Nodes looked at between two releases of an index shard's lock.
const BATCH: usize = 32;

/// What a walk over due nodes may still look at, and what it did. A panic in a value's `Drop`
/// does not end it: the first goes on when the walk is over.
struct Step {
    budget: usize,
    removed: usize,
    panics: FirstPanic,
    /// The nodes being looked at.
    batch: Vec<Due>,
}

impl Step {
    fn new(budget: usize) -> Self {
        let batch = Vec::with_capacity(BATCH);
        Self { budget, removed: 0, panics: FirstPanic::default(), batch }
    }

    fn release<S, V>(&mut self, dead: Removed<'_, S, V>) {
        self.removed += dead.len();
        dead.release(&mut self.panics);
    }
}

/// What was found at a node: a pair that was taken out, or one that stays.
pub(super) enum Found<S, V> {
    Dead(Parting<S, V>),
    Alive,
}

impl<S: Slot, V> Shared<S, V> {
    /// One step over what is due by the last tick that has wholly passed.
    fn sweep(&self, budget: usize) -> (Swept, FirstPanic) {
        let now_ms = self.clock.now_ms();
        self.sweep_through(self.expiry.passed_tick(now_ms), budget)
    }

    /// The same for a caller, whom the first panic is passed on to.
    pub(super) fn sweep_once(&self, budget: usize) -> Swept {
        let (swept, panics) = self.sweep(budget);
        panics.resume();
        swept
    }

    /// The same for the sweeper's thread, which a value's `Drop` must not end.
    pub(crate) fn sweep_counting_panics(&self, budget: usize) -> Swept {
        let (swept, panics) = self.sweep(budget);
        if planted(Bug::SweeperDiesOfPanic) {
            panics.resume();
        } else if panics.swallow() {
            self.counters.sweeper_panicked();
        }
        swept
    }

    /// How long the sweeper may rest: until more can be due, which is when a tick has passed.
    pub(crate) fn rest(&self) -> Option<Duration> {
        self.clock.until(self.expiry.end_of_tick(self.clock.now_ms()))
    }

    /// Looks at no more than `budget` nodes that are due by `through_tick`.
    pub(super) fn sweep_through(&self, through_tick: u64, budget: usize) -> (Swept, FirstPanic) {
        let shards = self.expiry.shards();
        // ORDERING: Relaxed; a hint where to begin, right wherever it points.
        let first = self.next_shard.load(Ordering::Relaxed);
        let mut step = Step::new(budget);
        let mut more = false;
        for shard in (0..shards).map(|offset| (first + offset) % shards) {
            // Should a key's `Hash` panic as the map is resized, the step ends here; the next one begins behind it.
            // ORDERING: Relaxed, as above.
            self.next_shard.store((shard + 1) % shards, Ordering::Relaxed);
            more = self.sweep_shard(shard, through_tick, &mut step);
            if more {
                // ORDERING: Relaxed, as above.
                self.next_shard.store(shard, Ordering::Relaxed);
                break;
            }
        }
        (Swept { removed: step.removed, more }, step.panics)
    }

    /// Does so in one shard; returns whether the budget ended first.
    ///
    /// Nothing is locked while one batch ends and the next is fetched, and never more than one
    /// bucket with one index shard.
    fn sweep_shard(&self, shard: usize, through_tick: u64, step: &mut Step) -> bool {
        loop {
            step.batch.clear();
            let room = BATCH.min(step.budget);
            let taken = self.expiry.due(shard, through_tick, room.max(1), &mut step.batch);
            if taken == 0 {
                return false;
            }
            if room == 0 {
                return true;
            }
            step.budget -= taken;
            if !step.batch.is_empty() {
                self.reclaim_batch(through_tick, step);
            }
        }
    }

    /// Reclaims all that has expired by now, to the millisecond: the ticks that have passed, and
    /// what is dead already of the one in progress, whose slot stays open for others.
    pub(super) fn clean(&self) -> usize {
        let now_ms = self.clock.now_ms();
        let (passed, current) = (self.expiry.passed_tick(now_ms), self.expiry.current_tick(now_ms));
        let mut step = Step::new(usize::MAX);
        for shard in 0..self.expiry.shards() {
            self.sweep_shard(shard, passed, &mut step);
            while !self.expiry.hasten(shard, current) {
                self.sweep_shard(shard, passed, &mut step);
            }
            self.sweep_shard(shard, passed, &mut step);
        }
        self.reclaim_unindexed(&mut step);
        step.panics.resume();
        step.removed
    }

    /// Removes those of the batch's pairs that are dead, to drop them after the last lock is gone,
    /// and links the others anew.
    fn reclaim_batch(&self, through_tick: u64, step: &mut Step) {
        let mut dead = Removed::new(self.notifier.as_deref());
        self.table.at_once(|table| {
            // Nobody has touched them for a while.
            table.fetch_each(step.batch.iter().map(|due| due.hash), self.fetch);
            for &due in &step.batch {
                // A key whose `Hash` panics must not keep those behind it from being reclaimed.
                match step.panics.catch(|| self.reclaim_due(due)).flatten() {
                    Some(Found::Dead(pair)) => dead.push(pair),
                    Some(Found::Alive) => {}
                    None => self.expiry.postpone(due, through_tick),
                }
            }
        });
        step.release(dead);
    }

    /// Takes out the pair of a due node if it is dead, and links the node anew if not; `None` if
    /// there is no such pair.
    fn reclaim_due(&self, due: Due) -> Option<Found<S, V>> {
        self.table.modify_due(self.gates.pass(due.hash), due, |entry| {
            // Between the look at the index and this lock, the pair may have been refreshed, or
            // deleted and put anew with the same node: only its own deadline counts.
            let lease = entry.slot().word().lease();
            if self.is_expired(lease) || planted(Bug::SweepWithoutRecheck) {
                let pair = self.take_expired(due.hash, entry, Count::ExpiredBySweeper);
                return Found::Dead(pair);
            }
            if planted(Bug::EarlyNodeFreed) {
                self.expiry.lease(due.hash, lease, None);
            } else if let Some(deadline) = lease.deadline {
                self.expiry.relink(due.hash, due.node, deadline);
            }
            Found::Alive
        })
    }

    /// Removes what has expired without a node to tell the sweeper of it.
    fn reclaim_unindexed(&self, step: &mut Step) {
        if self.expiry.unindexed() == 0 {
            return;
        }
        let dead = self.extract_if(|slot, _| {
            let lease = slot.word().lease();
            self.is_expired(lease).then(|| {
                self.count_expired(lease, Count::ExpiredBySweeper);
                RemovalCause::Expired
            })
        });
        step.release(dead);
    }

    /// Takes out every pair for which `f` gives a cause, each then its node, as [`Shared::take`]
    /// does.
    fn extract_if(&self, mut f: impl FnMut(&S, &V) -> Option<RemovalCause>) -> Removed<'_, S, V> {
        let notifier = self.notifier.as_deref();
        let mut removed = Removed::new(notifier);
        let wanted = |slot: &S, value: &V| {
            let lease = slot.word().lease();
            // First of all, since it may panic: nothing may have been counted then.
            let needs_hash = lease.node.is_some() || notifier.is_some();
            let hash = if needs_hash { hash_of(slot.key()) } else { 0 };
            f(slot, value).map(|cause| {
                self.counters.entries_changed(-1);
                (hash, lease, notifier.map(|notifier| notifier.place(hash, cause)))
            })
        };
        let taken = |(hash, lease, notice): (u64, Lease, _), pair| {
            if !planted(Bug::NodesKeptByScan) {
                if let (Some(bound), Some(number)) = (&self.bound, lease.node) {
                    bound.withdraw(Due { hash, node: number });
                }
                self.free(hash, lease);
            }
            removed.push(Parting::new(notifier, notice, pair));
        };
        self.table.extract_if(wanted, taken);
        removed
    }
}

impl<S: Slot, V> Shared<S, V> {
    /// Removes everything; returns how many pairs.
    pub(super) fn purge(&self) -> usize {
        self.flights.overtake_all();
        let removed = self.extract_if(|_, _| {
            self.counters.add(Count::Purge, 1);
            Some(RemovalCause::Purged)
        });
        removed.finish()
    }

    /// Keeps the live pairs for which `f` returns `true`.
    pub(super) fn retain(&self, mut f: impl FnMut(&S, &V) -> bool) {
        self.flights.overtake_all();
        let removed = self.extract_if(|slot, value| {
            let lease = slot.word().lease();
            if self.is_expired(lease) {
                self.count_expired(lease, Count::ExpiredLazily);
                return Some(RemovalCause::Expired);
            }
            if f(slot, value) {
                return None;
            }
            self.counters.add(Count::Delete, 1);
            Some(RemovalCause::Deleted)
        });
        removed.finish();
    }
}

impl<K: Hash + Eq, V> Store<K, V> {
    /// Reclaims everything that has expired; returns how many pairs this call removed.
    ///
    /// When it returns, no pair is held whose deadline lay before the call. Other calls go on
    /// meanwhile: pairs are locked one bucket at a time.
    /// Complexity: O(expired pairs and those that share the wheel slot of the tick in progress),
    /// mostly those of one tick; O(capacity) if an index shard was full.
    ///
    /// # Examples
    /// ```
    /// use std::time::Duration;
    /// use store::{ManualClock, Store, Sweeper, Ttl};
    ///
    /// let clock = ManualClock::new();
    /// let store = Store::<u32, u32>::builder()
    ///     .clock(clock.clone())
    ///     .sweeper(Sweeper::Manual)
    ///     .build()?;
    /// store.put_with_ttl(1, 1, Ttl::After(Duration::from_millis(5)))?;
    /// clock.advance(Duration::from_millis(5));
    /// assert_eq!((store.len(), store.live_len()), (1, 0));
    /// assert_eq!(store.clean(), 1);
    /// assert!(store.is_empty());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn clean(&self) -> usize {
        self.shared.clean()
    }

    /// One bounded step of reclaiming: looks at no more than `budget` nodes of the expiry index.
    ///
    /// For stores with [`Sweeper::Manual`](crate::Sweeper::Manual): call it once a tick, and
    /// again while it says that there is more. A deadline is due here once its whole tick has
    /// passed; [`clean`](Store::clean) goes up to the millisecond.
    /// Complexity: O(budget + index shards).
    ///
    /// # Examples
    /// ```
    /// # let store = store::Store::<u32, u32>::new();
    /// while store.sweep(1_000).more {
    ///     std::thread::yield_now();
    /// }
    /// ```
    pub fn sweep(&self, budget: usize) -> Swept {
        self.shared.sweep_once(budget)
    }

    /// Removes everything; returns how many pairs, expired ones among them.
    ///
    /// Every pair that was there when it was called is gone when it returns, and a put that
    /// begins after that survives. A put beside it may land on either side.
    /// The pairs are dropped after the scan, so their memory is freed at the end.
    /// Complexity: O(capacity).
    ///
    /// # Examples
    /// ```
    /// let store = store::Store::<u32, u32>::new();
    /// store.put(1, 1);
    /// store.put(2, 2);
    /// assert_eq!(store.purge(), 2);
    /// assert!(store.is_empty());
    /// ```
    pub fn purge(&self) -> usize {
        self.shared.purge()
    }

    /// Keeps the live pairs for which `f` returns `true`, and removes all others, expired ones
    /// without asking.
    ///
    /// `f` runs under the exclusive lock of the pair's bucket: keep it short, and do not call the
    /// store in it. A pair that it keeps may be shown to it twice while the table is resized.
    /// No snapshot: a pair put meanwhile may be seen or not, and what is just being loaded is not
    /// stored. Removed pairs are dropped after the scan. Complexity: O(capacity).
    ///
    /// # Examples
    /// ```
    /// let store = store::Store::<u32, u32>::new();
    /// (0..10).for_each(|n| drop(store.put(n, n)));
    /// store.retain(|_, value| value % 2 == 0);
    /// assert_eq!(store.len(), 5);
    /// ```
    pub fn retain(&self, mut f: impl FnMut(&K, &V) -> bool) {
        self.shared.retain(|slot, value| f(slot.key(), value));
    }
}
