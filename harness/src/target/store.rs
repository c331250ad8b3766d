//! The store of this workspace, inside this process.

use std::time::Duration;

use super::{Facts, Key, Lag, Options, Payload, Target};
use crate::workload::model::Eviction;

/// A handle; the last one's drop stops the store's sweeper.
#[derive(Clone, Debug)]
pub struct StoreTarget<K: Key, V: Payload> {
    store: store::Store<K, V>,
    is_bounded: bool,
}

impl<K: Key, V: Payload> StoreTarget<K, V> {
    /// The store itself.
    pub(super) const fn store(&self) -> &store::Store<K, V> {
        &self.store
    }
}

impl<K: Key, V: Payload> Target<K, V> for StoreTarget<K, V> {
    fn open(options: &Options) -> Result<Self, String> {
        let store = as_asked(store::Store::builder(), options).build();
        let store = store.map_err(|error| error.to_string())?;
        Ok(Self { store, is_bounded: options.bound.is_some() })
    }

    #[inline]
    fn get<R>(&mut self, key: &K::Lent, read: impl FnOnce(&V) -> R) -> Option<R> {
        self.store.read(key, read)
    }

    /// Clones the values, since that is what the store's call gives.
    #[inline]
    fn get_many<'k>(
        &mut self,
        keys: impl ExactSizeIterator<Item = &'k K::Lent>,
        mut read: impl FnMut(usize, Option<&V>),
    ) where
        K::Lent: 'k,
    {
        for (at, value) in self.store.get_many(keys).iter().enumerate() {
            read(at, value.as_ref());
        }
    }

    #[inline]
    fn put(&mut self, key: K, value: V) {
        self.store.put(key, value);
    }

    #[inline]
    fn put_with_ttl(&mut self, key: K, value: V, ttl: Duration) {
        let outcome = self.store.put_with_ttl(key, value, store::Ttl::After(ttl));
        debug_assert!(outcome.is_ok(), "workloads give no TTL that a store cannot hold");
    }

    #[inline]
    fn delete(&mut self, key: &K::Lent) -> bool {
        self.store.delete(key).is_some()
    }

    #[inline]
    fn expire(&mut self, key: &K::Lent, ttl: Duration) -> bool {
        self.store.expire(key, store::Ttl::After(ttl)).unwrap_or(false)
    }

    fn entries(&mut self) -> Option<u64> {
        Some(self.store.len() as u64)
    }

    fn facts(&mut self) -> Facts {
        facts(&self.store.stats())
    }

    fn evicts(&self) -> bool {
        self.is_bounded
    }
}

/// A builder of a store as the options ask for it, whatever it holds.
pub(super) fn as_asked<K: ?Sized, V: ?Sized, L>(
    builder: store::Builder<K, V, L>,
    options: &Options,
) -> store::Builder<K, V, L> {
    let mut builder = builder.huge_pages(!options.small_pages);
    if let Some(entries) = options.capacity {
        builder = builder.capacity(entries);
    }
    if let Some(entries) = options.max_entries() {
        builder = builder.max_entries(entries);
    }
    match options.bound.and_then(|bound| bound.eviction) {
        Some(Eviction::S3fifo) => builder.eviction(store::Eviction::S3Fifo),
        Some(Eviction::Lru) => builder.eviction(store::Eviction::Lru),
        None => builder,
    }
}

/// What a store of either kind tells of itself.
pub(super) fn facts(stats: &store::Stats) -> Facts {
    let expired = stats.expired_lazily + stats.expired_by_sweeper;
    let ns = |time: Duration| u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
    let lag = stats.expiry_lag;
    let lag = Lag { p50_ns: ns(lag.p50), p99_ns: ns(lag.p99), max_ns: ns(lag.max) };
    Facts { expired: Some(expired), expiry_lag: (expired > 0).then_some(lag) }
}
