//! The caches that are compared, each through the adapter that it has as a target.

use std::fmt;

use crate::target::{self, Options, Target, TargetName};
use crate::workload::model::{Bound, Eviction};

/// Peers hash by this, so that the same trace gives the same hits.
const HASH_SEED: u64 = 24_301;

/// A cache and the policy it has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policy {
    /// The cache.
    target: TargetName,
    /// What the store is to evict by; others have one policy.
    eviction: Option<Eviction>,
}

impl Policy {
    /// All, in the order of the columns.
    pub const ALL: [Self; 5] = [
        Self { target: TargetName::Store, eviction: Some(Eviction::S3fifo) },
        Self { target: TargetName::Store, eviction: Some(Eviction::Lru) },
        Self { target: TargetName::Moka, eviction: None },
        Self { target: TargetName::QuickCache, eviction: None },
        Self { target: TargetName::Lru, eviction: None },
    ];

    /// Those that this build can play.
    #[must_use]
    pub fn built_in() -> Vec<Self> {
        Self::ALL.into_iter().filter(|policy| policy.target.is_built_in()).collect()
    }

    /// How many of the gets a cache with room for `entries` answers.
    ///
    /// # Errors
    /// If it cannot be made.
    pub fn hits(self, keys: &[u64], entries: u64) -> Result<u64, String> {
        let bound = Bound { max_entries: entries, eviction: self.eviction };
        let options =
            Options { bound: Some(bound), hash_seed: Some(HASH_SEED), ..Options::default() };
        match self.target {
            TargetName::Store => play::<target::store::StoreTarget<u64, u64>>(keys, &options),
            #[cfg(feature = "moka")]
            TargetName::Moka => play::<target::moka::MokaTarget<u64, u64>>(keys, &options),
            #[cfg(feature = "quick_cache")]
            TargetName::QuickCache => {
                play::<target::quick_cache::QuickCacheTarget<u64, u64>>(keys, &options)
            }
            #[cfg(feature = "lru")]
            TargetName::Lru => play::<target::lru::LruTarget<u64, u64>>(keys, &options),
            other => Err(other.not_built_in()),
        }
    }
}

impl fmt::Display for Policy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.eviction {
            None => self.target.fmt(f),
            Some(Eviction::S3fifo) => write!(f, "{} S3-FIFO", self.target),
            Some(Eviction::Lru) => write!(f, "{} LRU", self.target),
        }
    }
}

fn play<T: Target<u64, u64>>(keys: &[u64], options: &Options) -> Result<u64, String> {
    let mut cache = T::open(options)?;
    let mut hits = 0;
    for key in keys {
        match cache.get(key, |_| ()) {
            Some(()) => hits += 1,
            None => cache.put(*key, *key),
        }
        cache.settle();
    }
    Ok(hits)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::hit_ratio::synthetic::{self, Synthetic};

    /// Exact least-recently-used, as plainly as it can be said.
    fn hits_of_plain_lru(keys: &[u64], entries: usize) -> u64 {
        let mut held: Vec<u64> = Vec::new();
        let mut hits = 0;
        for key in keys {
            match held.iter().position(|other| other == key) {
                Some(position) => {
                    held.remove(position);
                    hits += 1;
                }
                None if held.len() == entries => drop(held.remove(0)),
                None => {}
            }
            held.push(*key);
        }
        hits
    }

    /// Those that are least-recently-used exactly.
    fn exact() -> Vec<Policy> {
        let exact = |policy: &Policy| {
            policy.eviction == Some(Eviction::Lru) || policy.target == TargetName::Lru
        };
        Policy::built_in().into_iter().filter(exact).collect()
    }

    #[test]
    fn exact_lru_agrees_with_a_plain_model_of_it() {
        assert!(!exact().is_empty());
        for synthetic in Synthetic::ALL {
            let keys = synthetic.keys(3_000, 50);
            let expected = hits_of_plain_lru(&keys, 50);
            for policy in exact() {
                assert_eq!(policy.hits(&keys, 50), Ok(expected), "{policy} on {synthetic}");
            }
        }
    }

    #[test]
    fn a_loop_one_larger_than_the_cache_never_hits_under_lru() {
        let keys = |len: u64| (0..10 * len).map(|n| n % len).collect::<Vec<_>>();
        for policy in exact() {
            assert_eq!(policy.hits(&keys(101), 100), Ok(0), "{policy}");
            assert_eq!(policy.hits(&keys(100), 100), Ok(900), "{policy}");
        }
    }

    #[test]
    fn where_all_fits_each_key_is_missed_once() {
        let keys = Synthetic::Zipf { s: 0.99 }.keys(5_000, 50);
        let distinct = keys.iter().collect::<HashSet<_>>().len() as u64;
        for policy in Policy::built_in() {
            let entries = 10 * synthetic::KEYS;
            assert_eq!(policy.hits(&keys, entries), Ok(5_000 - distinct), "{policy}");
        }
    }

    #[test]
    fn what_is_popular_stays() {
        // Any policy worth the name keeps the most popular keys; one in a hundred fits.
        let keys = Synthetic::Zipf { s: 1.2 }.keys(100_000, 1_000);
        for policy in Policy::built_in() {
            let hits = policy.hits(&keys, synthetic::KEYS / 100).unwrap_or(0);
            assert!((60_000..95_000).contains(&hits), "{policy}: {hits}");
        }
    }
}
