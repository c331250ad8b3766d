//! `lru` behind one lock: exact least-recently-used, and what that costs when threads share it.
//! No TTL.

use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, PoisonError};

use ::lru::LruCache;

use super::{Hasher, Key, Options, Payload, Target};

/// A shared cache.
#[derive(Clone, Debug)]
pub struct LruTarget<K: Key, V> {
    cache: Arc<Mutex<LruCache<K, V, Hasher>>>,
    is_bounded: bool,
}

impl<K: Key, V: Payload> LruTarget<K, V> {
    #[inline]
    fn with<R>(&self, act: impl FnOnce(&mut LruCache<K, V, Hasher>) -> R) -> R {
        act(&mut self.cache.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl<K: Key, V: Payload> Target<K, V> for LruTarget<K, V> {
    fn open(options: &Options) -> Result<Self, String> {
        // It makes room ahead only for a bound; one that all keys fit into evicts nothing.
        let room = options.max_entries().or(options.capacity).and_then(NonZeroUsize::new);
        let cache = match room {
            Some(room) => LruCache::with_hasher(room, options.hasher()),
            None => LruCache::unbounded_with_hasher(options.hasher()),
        };
        Ok(Self { cache: Arc::new(Mutex::new(cache)), is_bounded: options.bound.is_some() })
    }

    #[inline]
    fn get<R>(&mut self, key: &K::Lent, read: impl FnOnce(&V) -> R) -> Option<R> {
        self.with(|cache| cache.get(key).map(read))
    }

    #[inline]
    fn put(&mut self, key: K, value: V) {
        // What it replaces is dropped when the lock is free again.
        let _replaced = self.with(|cache| cache.push(key, value));
    }

    #[inline]
    fn delete(&mut self, key: &K::Lent) -> bool {
        self.with(|cache| cache.pop(key)).is_some()
    }

    fn entries(&mut self) -> Option<u64> {
        Some(self.with(|cache| cache.len()) as u64)
    }

    fn evicts(&self) -> bool {
        self.is_bounded
    }
}
