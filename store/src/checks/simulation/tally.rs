//! What a simulation has seen, so that a reader can tell that none of it passes by seeing nothing.

use std::collections::BTreeMap;
use std::fmt;

/// Events that a run of some length must have met, each a case in which a store could go wrong.
pub(super) const EVENTS: [&str; 42] = [
    "crossing of wheel level 1",
    "crossing of wheel level 2",
    "crossing of wheel level 3",
    "crossing of wheel level 4",
    "crossing of wheel level 5",
    "time beyond the last deadline",
    "put beside a pair of the same hash",
    "put over an expired value",
    "deadline extended",
    "deadline shortened",
    "deadline taken away",
    "no node left in the shard",
    "TTL of zero refused",
    "TTL too long refused",
    "expired pair reclaimed by a caller",
    "expired pair reclaimed by the sweeper",
    "expired pair reclaimed over ten ticks late",
    "sweep that left more for later",
    "sweep that had nothing to do",
    "deadline reached inside a closure",
    "expired pair not revived",
    "pairs purged",
    "pairs retained and removed at once",
    "table resized",
    "panic in a closure",
    "panic in Clone",
    "panic in Hash",
    "panic in Drop",
    "panic amid the removal of many",
    "pair evicted by LRU",
    "pair evicted by S3-FIFO",
    "expired pair reclaimed for room",
    "pair too heavy to stay",
    "pair too heavy handed back",
    "weight changed by an update",
    "removal told",
    "panic in the listener",
    "panic in the weigher",
    "panic in a loader",
    "load failed",
    "load overtaken by a put",
    "load overtaken by a delete",
];

#[derive(Default)]
pub(super) struct Tally {
    pub(super) seeds: u64,
    pub(super) operations: u64,
    kinds: BTreeMap<&'static str, u64>,
    events: BTreeMap<&'static str, u64>,
}

impl Tally {
    pub(super) fn operation(&mut self, name: &'static str) {
        self.operations += 1;
        *self.kinds.entry(name).or_default() += 1;
    }

    pub(super) fn event(&mut self, name: &'static str, times: u64) {
        debug_assert!(EVENTS.contains(&name), "{name} is not among the events");
        if times > 0 {
            *self.events.entry(name).or_default() += times;
        }
    }

    /// Events that were not met.
    pub(super) fn unseen(&self) -> Vec<&'static str> {
        EVENTS.into_iter().filter(|name| !self.events.contains_key(name)).collect()
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} seeds, {} operations", self.seeds, self.operations)?;
        for (name, times) in &self.kinds {
            writeln!(f, "{times:>12}  {name}")?;
        }
        writeln!(f, "events:")?;
        for name in EVENTS {
            writeln!(f, "{:>12}  {name}", self.events.get(name).copied().unwrap_or(0))?;
        }
        Ok(())
    }
}
