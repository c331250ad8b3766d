//! Raw `scc::HashMap`: what the store is built on, so that the cost of the rest can be seen.

use std::sync::Arc;

use super::{Hasher, Key, Options, Payload, Target};

/// A shared map.
#[derive(Clone, Debug)]
pub struct SccTarget<K: Key, V>(Arc<scc::HashMap<K, V, Hasher>>);

impl<K: Key, V: Payload> Target<K, V> for SccTarget<K, V> {
    fn open(options: &Options) -> Result<Self, String> {
        let capacity = options.capacity.unwrap_or(0);
        Ok(Self(Arc::new(scc::HashMap::with_capacity_and_hasher(capacity, options.hasher()))))
    }

    #[inline]
    fn get<R>(&mut self, key: &K::Lent, read: impl FnOnce(&V) -> R) -> Option<R> {
        self.0.read_sync(key, |_, value| read(value))
    }

    #[inline]
    fn put(&mut self, key: K, value: V) {
        self.0.upsert_sync(key, value);
    }

    #[inline]
    fn delete(&mut self, key: &K::Lent) -> bool {
        self.0.remove_sync(key).is_some()
    }

    fn entries(&mut self) -> Option<u64> {
        Some(self.0.len() as u64)
    }
}
