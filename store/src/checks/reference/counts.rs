//! What the reference counts.

use crate::Stats;

/// What `stats` must say.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) hits: u64,
    pub(crate) misses: u64,
    pub(crate) puts: u64,
    pub(crate) deletes: u64,
    pub(crate) purged: u64,
    pub(crate) expired_lazily: u64,
    pub(crate) expired_by_sweeper: u64,
    pub(crate) evicted: u64,
    pub(crate) loads: u64,
    pub(crate) weight: u64,
    pub(crate) listener_panics: u64,
    pub(crate) lag_ms_max: u64,
    pub(crate) entries: usize,
    pub(crate) expiry_nodes: usize,
}

impl Counts {
    pub(crate) fn shown_by(stats: &Stats) -> Self {
        Self {
            hits: stats.hits,
            misses: stats.misses,
            puts: stats.puts,
            deletes: stats.deletes,
            purged: stats.purged,
            expired_lazily: stats.expired_lazily,
            expired_by_sweeper: stats.expired_by_sweeper,
            evicted: stats.evicted,
            loads: stats.loads,
            weight: stats.weight,
            listener_panics: stats.listener_panics,
            lag_ms_max: u64::try_from(stats.expiry_lag.max.as_millis()).unwrap_or(u64::MAX),
            entries: stats.entries,
            expiry_nodes: stats.expiry_nodes,
        }
    }
}
