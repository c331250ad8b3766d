//! The store of this workspace with a recorder beside it: writes a trace of the run.

use std::path::Path;
use std::time::Duration;

use super::store::StoreTarget;
use super::{Facts, Key, Options, Payload, Target};
use crate::trace::{self, Overflow, Recorder, Written};

/// A handle; the trace is whole once [`finish`](Target::finish) was called.
#[derive(Clone, Debug)]
pub struct RecordedTarget<K: Key, V: Payload> {
    plain: StoreTarget<K, V>,
    store: trace::Recorded<K, V>,
}

/// What may be lost to keep up, by the address that is a path: `drop:` or `block:` before it.
#[must_use]
pub fn address(path: &str, overflow: Overflow) -> String {
    match overflow {
        Overflow::Drop => format!("drop:{path}"),
        Overflow::Block => format!("block:{path}"),
    }
}

impl<K: Key, V: Payload> Target<K, V> for RecordedTarget<K, V> {
    fn open(options: &Options) -> Result<Self, String> {
        let address = options.address.as_deref().unwrap_or_default();
        let (overflow, path) = match address.split_once(':') {
            Some(("block", path)) => (Overflow::Block, path),
            Some(("drop", path)) => (Overflow::Drop, path),
            _ => return Err("no file is named to write the trace to".to_owned()),
        };
        let recording =
            trace::Options { overflow, hash_seed: options.hash_seed, default_ttl: None };
        let recorder = Recorder::create(Path::new(path), recording)
            .map_err(|error| format!("{path}: cannot be written: {error}"))?;
        let plain = StoreTarget::<K, V>::open(options)?;
        let store = trace::Recorded::new(plain.store().clone(), recorder);
        Ok(Self { plain, store })
    }

    #[inline]
    fn get<R>(&mut self, key: &K::Lent, read: impl FnOnce(&V) -> R) -> Option<R> {
        self.store.read(key, read)
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
        self.plain.entries()
    }

    fn facts(&mut self) -> Facts {
        self.plain.facts()
    }

    fn finish(&mut self) -> Result<(), String> {
        let written = self.store.recorder().finish();
        written
            .map(|_: Written| ())
            .map_err(|error| format!("the trace cannot be written: {error}"))
    }

    fn evicts(&self) -> bool {
        self.plain.evicts()
    }
}
