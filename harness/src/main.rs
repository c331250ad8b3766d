//! Replays declarative workload files.
fn main() {}
