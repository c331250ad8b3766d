//! The store of this workspace, inside this process.

use std::time::Duration;

use super::{Facts, Key, Lag, Options, Payload, Target};

/// A handle; the last one's drop stops the store's sweeper.
#[derive(Clone, Debug)]
pub struct StoreTarget<K: Key, V: Payload>(store::Store<K, V>);

impl<K: Key, V: Payload> Target<K, V> for StoreTarget<K, V> {
    fn open(options: &Options) -> Result<Self, String> {
        if options.bound.is_some() {
            return Err("this build of the store has no bound; remove run.max_entries".to_owned());
        }
        let builder = store::Store::<K, V>::builder();
        let builder = match options.capacity {
            Some(entries) => builder.capacity(entries),
            None => builder,
        };
        builder.build().map(Self).map_err(|error| error.to_string())
    }

    #[inline]
    fn get<R>(&mut self, key: &K::Lent, read: impl FnOnce(&V) -> R) -> Option<R> {
        self.0.read(key, read)
    }

    #[inline]
    fn put(&mut self, key: K, value: V) {
        self.0.put(key, value);
    }

    #[inline]
    fn put_with_ttl(&mut self, key: K, value: V, ttl: Duration) {
        let outcome = self.0.put_with_ttl(key, value, store::Ttl::After(ttl));
        debug_assert!(outcome.is_ok(), "workloads give no TTL that a store cannot hold");
    }

    #[inline]
    fn delete(&mut self, key: &K::Lent) -> bool {
        self.0.delete(key).is_some()
    }

    #[inline]
    fn expire(&mut self, key: &K::Lent, ttl: Duration) -> bool {
        self.0.expire(key, store::Ttl::After(ttl)).unwrap_or(false)
    }

    fn entries(&mut self) -> u64 {
        self.0.len() as u64
    }

    fn facts(&mut self) -> Facts {
        let stats = self.0.stats();
        let expired = stats.expired_lazily + stats.expired_by_sweeper;
        let ns = |time: Duration| u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        let lag = stats.expiry_lag;
        let lag = Lag { p50_ns: ns(lag.p50), p99_ns: ns(lag.p99), max_ns: ns(lag.max) };
        Facts { expired: Some(expired), expiry_lag: (expired > 0).then_some(lag) }
    }
}
