//! `papaya`: a lock-free hash table that reclaims memory by hazard eras. No TTL, no bound.

use std::sync::Arc;

use super::{Hasher, Key, Options, Payload, Target};

/// A shared map, pinned anew for each operation: a guard that is kept would keep garbage.
#[derive(Clone, Debug)]
pub struct PapayaTarget<K: Key, V>(Arc<papaya::HashMap<K, V, Hasher>>);

impl<K: Key, V: Payload> Target<K, V> for PapayaTarget<K, V> {
    fn open(options: &Options) -> Result<Self, String> {
        let (capacity, hasher) = (options.capacity.unwrap_or(0), options.hasher());
        Ok(Self(Arc::new(papaya::HashMap::with_capacity_and_hasher(capacity, hasher))))
    }

    #[inline]
    fn get<R>(&mut self, key: &K::Lent, read: impl FnOnce(&V) -> R) -> Option<R> {
        self.0.pin().get(key).map(read)
    }

    #[inline]
    fn put(&mut self, key: K, value: V) {
        self.0.pin().insert(key, value);
    }

    #[inline]
    fn delete(&mut self, key: &K::Lent) -> bool {
        self.0.pin().remove(key).is_some()
    }

    fn entries(&mut self) -> Option<u64> {
        Some(self.0.len() as u64)
    }
}
