//! Traces that are made: the same on every machine and for every policy.

use std::fmt;

use crate::workload::mixer::{Mixer, scramble};
use crate::workload::random::Random;
use crate::workload::zipf::Zipf;

/// How many keys a trace draws from, where it draws from a fixed number.
pub const KEYS: u64 = 100_000;
/// The sizes to try unless told otherwise: one, five and twenty in a hundred of the keys.
pub const ENTRIES: [u64; 3] = [KEYS / 100, KEYS / 20, KEYS / 5];

const SEED: u64 = 24_301;
/// A stretch of Zipf gets, then a scan of keys that are never asked for again.
const STRETCH: u64 = 10_000;
const SCAN: u64 = 5_000;
/// So many keys are hot, for so many gets; then others are.
const HOT: u64 = 2_000;
const HOT_FOR: u64 = 50_000;
const HOT_SHARE: f64 = 0.9;

/// A way to make a trace.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Synthetic {
    /// Popularity by Zipf's law.
    Zipf {
        /// The exponent.
        s: f64,
    },
    /// The same with scans in between.
    ZipfWithScans {
        /// The exponent.
        s: f64,
    },
    /// The same keys over and over, a tenth more than the cache holds.
    Loop,
    /// A small set of keys takes most gets, until another does.
    ShiftingHotSet,
}

impl Synthetic {
    /// All, in the order of the rows.
    pub const ALL: [Self; 6] = [
        Self::Zipf { s: 0.8 },
        Self::Zipf { s: 0.99 },
        Self::Zipf { s: 1.2 },
        Self::ZipfWithScans { s: 0.99 },
        Self::Loop,
        Self::ShiftingHotSet,
    ];

    /// So many keys, for a cache with room for `entries`.
    #[must_use]
    pub fn keys(self, accesses: u64, entries: u64) -> Vec<u64> {
        let mut random = Random::new(SEED, "hit_ratio", [0, 0]);
        let scatter = Mixer::new(KEYS, scramble(SEED));
        match self {
            Self::Zipf { s } => {
                let zipf = Zipf::new(KEYS, s);
                (0..accesses).map(|_| scatter.permute(zipf.draw(&mut random))).collect()
            }
            Self::ZipfWithScans { s } => {
                let zipf = Zipf::new(KEYS, s);
                let key = |number: u64| match (number % (STRETCH + SCAN)).checked_sub(STRETCH) {
                    None => scatter.permute(zipf.draw(&mut random)),
                    Some(_) => KEYS + number,
                };
                (0..accesses).map(key).collect()
            }
            Self::Loop => {
                let len = entries + entries.div_ceil(10);
                (0..accesses).map(|number| number % len).collect()
            }
            Self::ShiftingHotSet => {
                let key = |number: u64| {
                    if random.chance(HOT_SHARE) {
                        let first = number / HOT_FOR * HOT;
                        scatter.permute((first + random.below(HOT)) % KEYS)
                    } else {
                        random.below(KEYS)
                    }
                };
                (0..accesses).map(key).collect()
            }
        }
    }
}

impl fmt::Display for Synthetic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Zipf { s } => write!(f, "Zipf {s}"),
            Self::ZipfWithScans { s } => write!(f, "Zipf {s} with scans"),
            Self::Loop => f.write_str("loop, a tenth too long"),
            Self::ShiftingHotSet => f.write_str("shifting hot set"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trace_is_the_same_every_time_and_has_what_its_name_says() {
        for synthetic in Synthetic::ALL {
            let keys = synthetic.keys(40_000, 1_000);
            assert_eq!(keys.len(), 40_000);
            assert_eq!(keys, synthetic.keys(40_000, 1_000), "{synthetic}");
        }
        let scanned = Synthetic::ZipfWithScans { s: 0.99 }.keys(30_000, 1);
        assert_eq!(scanned.iter().filter(|key| **key >= KEYS).count(), 10_000);
        let loops = Synthetic::Loop.keys(3_000, 1_000);
        assert_eq!((loops[1_099], loops[1_100]), (1_099, 0));
        let hot = Synthetic::ShiftingHotSet.keys(2 * HOT_FOR, 1);
        let distinct = |keys: &[u64]| {
            let mut counts = std::collections::HashMap::new();
            for key in keys {
                *counts.entry(*key).or_insert(0) += 1;
            }
            counts.into_iter().filter(|(_, count)| *count > 10).map(|(key, _)| key).collect()
        };
        let split = hot.split_at(usize::try_from(HOT_FOR).expect("small"));
        let (first, second): (std::collections::HashSet<u64>, std::collections::HashSet<u64>) =
            (distinct(split.0), distinct(split.1));
        assert!(first.len() > 1_900 && second.len() > 1_900);
        assert!(first.intersection(&second).count() < 20, "the hot set has moved");
    }
}
