//! `moka`: a cache with `TinyLFU` and a TTL for each entry through its `Expiry`. A get clones the
//! value, since that is what it offers: so bytes are to be shared ones.

use std::time::{Duration, Instant};

use moka::Expiry;
use moka::ops::compute::Op;
use moka::policy::EvictionPolicy;
use moka::sync::Cache;

use super::{Hasher, Key, Options, Payload, Target};

/// A value with its TTL: moka asks the value for it.
#[derive(Clone, Debug)]
pub struct Timed<V> {
    value: V,
    /// Nanoseconds; the largest number stands for ever.
    ttl_ns: u64,
}

const FOR_EVER: u64 = u64::MAX;

impl<V> Timed<V> {
    fn new(value: V, ttl: Duration) -> Self {
        Self { value, ttl_ns: u64::try_from(ttl.as_nanos()).unwrap_or(FOR_EVER) }
    }

    fn ttl(&self) -> Option<Duration> {
        (self.ttl_ns != FOR_EVER).then(|| Duration::from_nanos(self.ttl_ns))
    }
}

/// Each put starts the TTL that its value carries.
struct OwnTtl;

impl<K, V> Expiry<K, Timed<V>> for OwnTtl {
    fn expire_after_create(&self, _: &K, value: &Timed<V>, _: Instant) -> Option<Duration> {
        value.ttl()
    }

    fn expire_after_update(
        &self,
        _: &K,
        value: &Timed<V>,
        _: Instant,
        _: Option<Duration>,
    ) -> Option<Duration> {
        value.ttl()
    }
}

/// A cheap handle on a shared cache.
#[derive(Clone, Debug)]
pub struct MokaTarget<K: Key, V: Payload> {
    cache: Cache<K, Timed<V>, Hasher>,
    is_bounded: bool,
}

impl<K: Key, V: Payload> Target<K, V> for MokaTarget<K, V> {
    fn open(options: &Options) -> Result<Self, String> {
        let bound = options.max_entries();
        let mut builder = Cache::builder().eviction_policy(EvictionPolicy::tiny_lfu());
        if options.gives_ttl {
            builder = builder.expire_after(OwnTtl);
        }
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
        self.cache.get(key).map(|timed| read(&timed.value))
    }

    #[inline]
    fn put(&mut self, key: K, value: V) {
        self.cache.insert(key, Timed { value, ttl_ns: FOR_EVER });
    }

    #[inline]
    fn put_with_ttl(&mut self, key: K, value: V, ttl: Duration) {
        self.cache.insert(key, Timed::new(value, ttl));
    }

    #[inline]
    fn delete(&mut self, key: &K::Lent) -> bool {
        self.cache.remove(key).is_some()
    }

    /// There is no call for it: the value is put again, with its new TTL.
    #[inline]
    fn expire(&mut self, key: &K::Lent, ttl: Duration) -> bool {
        let mut is_there = false;
        self.cache.entry(K::of(key)).and_compute_with(|entry| match entry {
            Some(entry) => {
                is_there = true;
                Op::Put(Timed::new(entry.into_value().value, ttl))
            }
            None => Op::Nop,
        });
        is_there
    }

    fn entries(&mut self) -> Option<u64> {
        // The count lags behind until what is pending is done.
        self.cache.run_pending_tasks();
        Some(self.cache.entry_count())
    }

    fn settle(&mut self) {
        self.cache.run_pending_tasks();
    }

    fn evicts(&self) -> bool {
        self.is_bounded
    }
}
