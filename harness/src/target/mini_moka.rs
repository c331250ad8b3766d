//! `mini-moka`: a small kin of moka with `TinyLFU`. It has a TTL for all entries together, but
//! none for each. A get clones the value, so bytes are to be shared ones; and a text has to be owned to be
//! looked up, since that is what it offers.

use mini_moka::sync::{Cache, ConcurrentCacheExt as _};

use super::{Hasher, Key, Options, Payload, Target};

/// A cheap handle on a shared cache.
#[derive(Clone, Debug)]
pub struct MiniMokaTarget<K: Key, V: Payload> {
    cache: Cache<K, V, Hasher>,
    is_bounded: bool,
}

impl<K: Key, V: Payload> Target<K, V> for MiniMokaTarget<K, V> {
    fn open(options: &Options) -> Result<Self, String> {
        let bound = options.max_entries();
        let mut builder = Cache::builder();
        if let Some(entries) = bound {
            builder = builder.max_capacity(entries as u64);
        }
        if let Some(entries) = options.capacity {
            builder = builder.initial_capacity(entries);
        }
        Ok(Self { cache: builder.build_with_hasher(options.hasher()), is_bounded: bound.is_some() })
    }

    #[inline]
    fn get<R>(&mut self, key: &K::Lent, read: impl FnOnce(&V) -> R) -> Option<R> {
        self.cache.get(&K::of(key)).map(|value| read(&value))
    }

    #[inline]
    fn put(&mut self, key: K, value: V) {
        self.cache.insert(key, value);
    }

    /// It does not say whether the key was there.
    #[inline]
    fn delete(&mut self, key: &K::Lent) -> bool {
        self.cache.invalidate(&K::of(key));
        true
    }

    fn entries(&mut self) -> Option<u64> {
        // The count lags behind until what is pending is done.
        self.cache.sync();
        Some(self.cache.entry_count())
    }

    fn settle(&mut self) {
        self.cache.sync();
    }

    fn evicts(&self) -> bool {
        self.is_bounded
    }
}
