//! The store of this workspace that keeps a pair of bytes in one allocation, inside this process.

use std::borrow::Cow;
use std::time::Duration;

use store::{ByteStore, Record, Ttl};

use super::store::{as_asked, facts};
use super::{Facts, Key, Options, Payload, Target};
use crate::trace::Length;

/// A value on its way in, or the record of a pair that has one.
#[derive(Clone, Debug)]
pub enum Kept<V> {
    /// Its bytes are copied into the record.
    Made(V),
    /// A counted reference.
    Read(Record),
}

impl<V: Length> Length for Kept<V> {
    fn length(&self) -> usize {
        match self {
            Self::Made(value) => value.length(),
            Self::Read(record) => record.value().len(),
        }
    }
}

impl<V: Payload> Payload for Kept<V> {
    fn bytes(&self) -> Cow<'_, [u8]> {
        match self {
            Self::Made(value) => value.bytes(),
            Self::Read(record) => Cow::Borrowed(record.value()),
        }
    }

    fn of(bytes: Vec<u8>) -> Self {
        Self::Made(V::of(bytes))
    }
}

/// A handle; the last one's drop stops the store's sweeper.
#[derive(Clone, Debug)]
pub struct ByteStoreTarget {
    store: ByteStore,
    is_bounded: bool,
}

impl<K: Key, V: Payload> Target<K, Kept<V>> for ByteStoreTarget {
    fn open(options: &Options) -> Result<Self, String> {
        let store = as_asked(ByteStore::builder(), options).build();
        let store = store.map_err(|error| error.to_string())?;
        Ok(Self { store, is_bounded: options.bound.is_some() })
    }

    /// Takes the reference that the store's call gives, and looks at the value with no lock held.
    #[inline]
    fn get<R>(&mut self, key: &K::Lent, read: impl FnOnce(&Kept<V>) -> R) -> Option<R> {
        self.store.get(K::bytes(key)).map(|record| read(&Kept::Read(record)))
    }

    #[inline]
    fn get_many<'k>(
        &mut self,
        keys: impl ExactSizeIterator<Item = &'k K::Lent>,
        mut read: impl FnMut(usize, Option<&Kept<V>>),
    ) where
        K::Lent: 'k,
    {
        let records = self.store.get_many(keys.map(|key| K::bytes(key)));
        for (at, record) in records.into_iter().enumerate() {
            read(at, record.map(Kept::Read).as_ref());
        }
    }

    #[inline]
    fn put(&mut self, key: K, value: Kept<V>) {
        self.store.put(K::bytes(key.borrow()), value.bytes());
    }

    #[inline]
    fn put_with_ttl(&mut self, key: K, value: Kept<V>, ttl: Duration) {
        let key = K::bytes(key.borrow());
        let outcome = self.store.put_with_ttl(key, value.bytes(), Ttl::After(ttl));
        debug_assert!(outcome.is_ok(), "workloads give no TTL that a store cannot hold");
    }

    #[inline]
    fn delete(&mut self, key: &K::Lent) -> bool {
        self.store.delete(K::bytes(key)).is_some()
    }

    #[inline]
    fn expire(&mut self, key: &K::Lent, ttl: Duration) -> bool {
        self.store.expire(K::bytes(key), Ttl::After(ttl)).unwrap_or(false)
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
