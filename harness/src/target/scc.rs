//! Raw `scc::HashMap`: what the store is built on, so that the cost of the rest can be seen.

use std::sync::Arc;
use std::time::Duration;

use super::{Key, Target};

/// A shared map with a fast hasher: the default one would be most of what is measured.
#[derive(Clone, Debug)]
pub struct SccTarget<K: Key, V>(Arc<scc::HashMap<K, V, foldhash::fast::RandomState>>);

impl<K: Key, V: Clone + Send + Sync + 'static> Target<K, V> for SccTarget<K, V> {
    fn open(capacity: Option<usize>) -> Result<Self, String> {
        let hasher = foldhash::fast::RandomState::default();
        Ok(Self(Arc::new(scc::HashMap::with_capacity_and_hasher(capacity.unwrap_or(0), hasher))))
    }

    #[inline]
    fn get<R>(&mut self, key: &K::Lent, read: impl FnOnce(&V) -> R) -> Option<R> {
        self.0.read_sync(key, |_, value| read(value))
    }

    #[inline]
    fn put(&mut self, key: K, value: V) {
        self.0.upsert_sync(key, value);
    }

    fn put_with_ttl(&mut self, _key: K, _value: V, _ttl: Duration) {
        unreachable!("a workload that gives TTLs is not run against a target without them");
    }

    #[inline]
    fn delete(&mut self, key: &K::Lent) -> bool {
        self.0.remove_sync(key).is_some()
    }

    fn expire(&mut self, _key: &K::Lent, _ttl: Duration) -> bool {
        unreachable!("a workload that gives TTLs is not run against a target without them");
    }

    fn entries(&self) -> u64 {
        self.0.len() as u64
    }
}
