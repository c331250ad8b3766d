//! `quick_cache`: a sharded cache with a policy near S3-FIFO. No TTL. A get clones the value,
//! since that is what it offers: so bytes are to be shared ones.

use std::sync::Arc;

use quick_cache::sync::{Cache, DefaultLifecycle};
use quick_cache::{OptionsBuilder, UnitWeighter};

use super::{Hasher, Key, Options, Payload, Target};

/// More entries than there can be keys: it cannot be made without a bound.
const NO_BOUND: u64 = 1 << 32;
/// Expected entries where nothing is known; it makes room as they come.
const EXPECTED: usize = 1_000;

/// A shared cache.
#[derive(Clone, Debug)]
pub struct QuickCacheTarget<K: Key, V: Payload> {
    cache: Arc<Cache<K, V, UnitWeighter, Hasher>>,
    is_bounded: bool,
}

impl<K: Key, V: Payload> Target<K, V> for QuickCacheTarget<K, V> {
    fn open(options: &Options) -> Result<Self, String> {
        let bound = options.max_entries();
        let built = OptionsBuilder::new()
            .estimated_items_capacity(bound.or(options.capacity).unwrap_or(EXPECTED))
            .weight_capacity(bound.map_or(NO_BOUND, |entries| entries as u64))
            .build()
            .map_err(|error| error.to_string())?;
        let (weigh, listen) = (UnitWeighter, DefaultLifecycle::default());
        let cache = Arc::new(Cache::with_options(built, weigh, options.hasher(), listen));
        Ok(Self { cache, is_bounded: bound.is_some() })
    }

    #[inline]
    fn get<R>(&mut self, key: &K::Lent, read: impl FnOnce(&V) -> R) -> Option<R> {
        self.cache.get(key).map(|value| read(&value))
    }

    #[inline]
    fn put(&mut self, key: K, value: V) {
        self.cache.insert(key, value);
    }

    #[inline]
    fn delete(&mut self, key: &K::Lent) -> bool {
        self.cache.remove(key).is_some()
    }

    fn entries(&mut self) -> Option<u64> {
        Some(self.cache.len() as u64)
    }

    fn evicts(&self) -> bool {
        self.is_bounded
    }
}
