//! Replays declarative workload files against the store and its peers.
pub mod workload;
