//! `dashmap`: sharded hash tables behind readers-writer locks. No TTL, no bound.

use std::sync::Arc;

use super::{Hasher, Key, Options, Payload, Target};

/// A shared map.
#[derive(Clone, Debug)]
pub struct DashmapTarget<K: Key, V>(Arc<dashmap::DashMap<K, V, Hasher>>);

impl<K: Key, V: Payload> Target<K, V> for DashmapTarget<K, V> {
    fn open(options: &Options) -> Result<Self, String> {
        let (capacity, hasher) = (options.capacity.unwrap_or(0), options.hasher());
        Ok(Self(Arc::new(dashmap::DashMap::with_capacity_and_hasher(capacity, hasher))))
    }

    #[inline]
    fn get<R>(&mut self, key: &K::Lent, read: impl FnOnce(&V) -> R) -> Option<R> {
        self.0.get(key).map(|entry| read(entry.value()))
    }

    #[inline]
    fn put(&mut self, key: K, value: V) {
        self.0.insert(key, value);
    }

    #[inline]
    fn delete(&mut self, key: &K::Lent) -> bool {
        self.0.remove(key).is_some()
    }

    fn entries(&mut self) -> Option<u64> {
        Some(self.0.len() as u64)
    }
}
