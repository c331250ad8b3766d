//! How what was chosen is checked and becomes a store.

use super::{Builder, IndexSize};
use crate::clock::{Lifetime, Timekeeper};
use crate::entry::{KeyHasher, Slot};
use crate::error::BuildError;
use crate::eviction::{Bound, BoundSize};
use crate::expiry::Expiry;
use crate::listener::{Listener, Notifier};
use crate::owned_bytes::{fetch_owned, owns_bytes};
use crate::slab::Numbering;
use crate::store::{Handle, Parts, Shared, Weigher};
use crate::sweep::{Sweeper, SweeperThread};
use crate::sync::Arc;
use crate::table::Table;
use std::time::Duration;

const SHORTEST_TICK: Duration = Duration::from_millis(1);
const LONGEST_TICK: Duration = Duration::from_secs(3600);

impl<K: ?Sized, V: ?Sized, L> Builder<K, V, L> {
    /// Builds what keeps pairs in slots `S` with a `W` beside each, and starts its sweeper; `parts`
    /// shows the key and the value of such a pair.
    pub(crate) fn assemble<S, W>(
        mut self,
        parts: for<'p> fn(&'p S, &'p W) -> (&'p K, &'p V),
    ) -> Result<Handle<S, W>, BuildError>
    where
        S: Slot + Send + Sync + 'static,
        W: Send + Sync + 'static,
        K: 'static,
        V: 'static,
    {
        let weigher = self.weigher.take().map(|weigh| -> Weigher<S, W> {
            Box::new(move |slot, rest| {
                let (key, value) = parts(slot, rest);
                weigh(key, value)
            })
        });
        let listener = self.listener.take().map(|tell| -> Listener<S, W> {
            Box::new(move |slot, rest, cause| {
                let (key, value) = parts(slot, rest);
                tell(key, value, cause);
            })
        });
        if self.tick < SHORTEST_TICK || self.tick > LONGEST_TICK {
            return Err(BuildError::Tick(self.tick));
        }
        let max = self.bound(weigher.is_some())?;
        let index = self.index_size(max)?;
        let clock = self.clock.map_or_else(Timekeeper::system, Timekeeper::custom);
        let default_ttl = self.default_ttl.map(Lifetime::try_from).transpose();
        let default_ttl = default_ttl.map_err(BuildError::DefaultTtl)?;
        if let Some(ttl) = default_ttl {
            clock.deadline_after(ttl).map_err(BuildError::DefaultTtl)?;
        }
        if !Table::<S, W>::can_allocate(self.capacity) {
            return Err(BuildError::Capacity(self.capacity));
        }
        // At most an hour, so it fits; a fraction of a millisecond only coarsens the grain.
        let tick_ms = u64::try_from(self.tick.as_nanos().div_ceil(1_000_000)).unwrap_or(1);
        let IndexSize { shards, nodes_a_shard } = index;
        let weighed = weigher.is_some();
        let bound = max.map(|max| {
            let size = BoundSize { max, shards, nodes_a_shard, weighed };
            Box::new(Bound::new(self.eviction.unwrap_or_default(), size))
        });
        let numbering =
            if bound.is_some() { Numbering::Given } else { Numbering::Own(nodes_a_shard) };
        let shared = Arc::new(Shared::new(Parts {
            table: Table::with_capacity(self.capacity, self.huge_pages),
            hasher: KeyHasher::of_process(),
            expiry: Expiry::new(shards, tick_ms, numbering),
            clock,
            default_ttl,
            bound,
            weigher,
            notifier: listener.map(Notifier::new).map(Box::new),
            fetch: (S::POINTS || owns_bytes::<W>()).then_some(fetch_pair),
        }));
        let sweeper = match self.sweeper {
            Sweeper::Manual => None,
            Sweeper::Thread => Some(start_sweeper(&shared, self.tick)?),
        };
        Ok(Handle::new(shared, sweeper))
    }

    /// The bound on the weight of all pairs, if there is to be one.
    fn bound(&self, weighed: bool) -> Result<Option<u64>, BuildError> {
        let max = match (self.max_entries, self.max_weight) {
            (Some(_), Some(_)) => return Err(BuildError::TwoBounds),
            (Some(0), None) | (None, Some(0)) => return Err(BuildError::ZeroBound),
            (Some(entries), None) => Some(u64::try_from(entries).unwrap_or(u64::MAX)),
            (None, weight) => weight,
        };
        if weighed && self.max_weight.is_none() {
            return Err(BuildError::NoBound("weigher"));
        }
        if self.eviction.is_some() && max.is_none() {
            return Err(BuildError::NoBound("eviction"));
        }
        Ok(max)
    }
}

/// Starts fetching all that a pair is known to own.
fn fetch_pair<S: Slot + 'static, V: 'static>(slot: &S, value: &V) {
    slot.fetch_owned();
    fetch_owned(value);
}

/// Starts the thread that sweeps a store.
fn start_sweeper<S, V>(
    shared: &Arc<Shared<S, V>>,
    tick: Duration,
) -> Result<SweeperThread, BuildError>
where
    S: Slot + Send + Sync + 'static,
    V: Send + Sync + 'static,
{
    let [rested, swept, counted] = [shared, shared, shared].map(Arc::clone);
    SweeperThread::start(
        move || rested.rest().unwrap_or(tick),
        move |budget| swept.sweep_counting_panics(budget),
        move || counted.counters().sweeper_panicked(),
    )
}
