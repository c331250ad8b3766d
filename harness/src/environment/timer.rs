//! What a measurement of nothing measures.

use std::time::Instant;

/// The median of many pairs of clock readings with nothing between them, in nanoseconds.
/// No latency below this can be seen, and each one measured contains about this much.
#[must_use]
pub fn floor_ns() -> u64 {
    let mut readings: Vec<u64> = (0..20_001)
        .map(|_| {
            let start = Instant::now();
            u64::try_from(start.elapsed().as_nanos()).unwrap_or(u64::MAX)
        })
        .collect();
    readings.sort_unstable();
    readings[readings.len() / 2]
}
