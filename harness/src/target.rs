//! What a workload can be replayed against: one small trait, one adapter a file.
//!
//! Each peer is behind a cargo feature of its own, so that the store can be measured without
//! building all of them; all maps get the same fast hasher, so that it is not what differs.

pub mod byte_store;
#[cfg(feature = "dashmap")]
pub mod dashmap;
#[cfg(feature = "lru")]
pub mod lru;
#[cfg(feature = "mini-moka")]
pub mod mini_moka;
#[cfg(feature = "moka")]
pub mod moka;
mod name;
#[cfg(feature = "papaya")]
pub mod papaya;
#[cfg(feature = "quick_cache")]
pub mod quick_cache;
pub mod recorded;
#[cfg(feature = "redis")]
pub mod redis;
pub mod scc;
pub mod store;

use std::borrow::{Borrow, Cow};
use std::hash::{BuildHasher as _, Hash};
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::trace::Length;
use crate::workload::model::Bound;
#[cfg(doc)]
use crate::workload::model::Capability;
pub use name::{Choice, TargetName};

/// The hasher of every map under test: the default one would be most of what is measured.
pub type Hasher = foldhash::fast::FixedState;

/// A key as a target owns it and as look-ups lend it.
pub trait Key: Borrow<Self::Lent> + Hash + Eq + Clone + Length + Send + Sync + 'static {
    /// What look-ups take.
    type Lent: Hash + Eq + Length + ?Sized;

    /// Makes one to own of one that was lent.
    fn of(lent: &Self::Lent) -> Self;

    /// The key as it goes over a wire.
    fn bytes(lent: &Self::Lent) -> Cow<'_, [u8]>;
}

impl Key for u64 {
    type Lent = Self;

    fn of(lent: &Self) -> Self {
        *lent
    }

    fn bytes(lent: &Self) -> Cow<'_, [u8]> {
        Cow::Owned(lent.to_be_bytes().to_vec())
    }
}

impl Key for Box<str> {
    type Lent = str;

    fn of(lent: &str) -> Self {
        lent.into()
    }

    fn bytes(lent: &str) -> Cow<'_, [u8]> {
        Cow::Borrowed(lent.as_bytes())
    }
}

/// A value that a target can hold, be it in this process or at the end of a wire.
pub trait Payload: Clone + Length + Send + Sync + 'static {
    /// The value as it goes over a wire.
    fn bytes(&self) -> Cow<'_, [u8]>;

    /// The value that came over a wire. Bytes that no value becomes give one that fails every
    /// check.
    fn of(bytes: Vec<u8>) -> Self;
}

impl Payload for u64 {
    fn bytes(&self) -> Cow<'_, [u8]> {
        Cow::Owned(self.to_be_bytes().to_vec())
    }

    fn of(bytes: Vec<u8>) -> Self {
        bytes.try_into().map_or(Self::MAX, Self::from_be_bytes)
    }
}

impl Payload for Box<[u8]> {
    fn bytes(&self) -> Cow<'_, [u8]> {
        Cow::Borrowed(self)
    }

    fn of(bytes: Vec<u8>) -> Self {
        bytes.into_boxed_slice()
    }
}

impl Payload for Arc<[u8]> {
    fn bytes(&self) -> Cow<'_, [u8]> {
        Cow::Borrowed(self)
    }

    fn of(bytes: Vec<u8>) -> Self {
        bytes.into()
    }
}

/// What a target is to be like when it is made.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// Make room for so many entries at once.
    pub capacity: Option<usize>,
    /// Hold no more than so many entries. Only given if the target has
    /// [`Capability::Bound`].
    pub bound: Option<Bound>,
    /// Whether any entry will be given a TTL: some targets are cheaper if none is.
    pub gives_ttl: bool,
    /// Where it is, if not in this process; or where it is to write to.
    pub address: Option<String>,
    /// Lie in the system's small pages, also where the target would ask for huge ones by itself.
    pub small_pages: bool,
    /// Hash by this seed instead of a new one, so that what depends on hashes comes out the same.
    /// The store hashes by a seed of its own.
    pub hash_seed: Option<u64>,
}

impl Options {
    /// How many entries it may hold at most, if there is a bound.
    #[must_use]
    pub fn max_entries(&self) -> Option<usize> {
        self.bound.map(|bound| usize::try_from(bound.max_entries).unwrap_or(usize::MAX))
    }

    /// The hasher for a map.
    #[must_use]
    pub fn hasher(&self) -> Hasher {
        let random = || std::hash::RandomState::new().hash_one(0);
        Hasher::with_seed(self.hash_seed.unwrap_or_else(random))
    }
}

/// Where the entries of a target lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// In the memory of this process.
    Here,
    /// In another process, which may tell what it uses.
    Elsewhere {
        /// All memory that it has in use for its entries.
        used_bytes: Option<u64>,
    },
}

/// A map under test. Each thread works through a clone of its own, so an adapter may keep what
/// a thread needs (a connection, a guard) in itself.
pub trait Target<K: Key, V: Payload>: Clone + Send + Sized {
    /// Makes an empty one.
    ///
    /// # Errors
    /// Why it cannot be made.
    fn open(options: &Options) -> Result<Self, String>;

    /// Lets `read` look at the value, if there is one.
    fn get<R>(&mut self, key: &K::Lent, read: impl FnOnce(&V) -> R) -> Option<R>;

    /// Looks up several keys by one call where the target has one, else one after the other; lets
    /// `read` look at each value, or at there being none, by the key's position.
    fn get_many<'k>(
        &mut self,
        keys: impl ExactSizeIterator<Item = &'k K::Lent>,
        mut read: impl FnMut(usize, Option<&V>),
    ) where
        K::Lent: 'k,
    {
        for (at, key) in keys.enumerate() {
            if self.get(key, |value| read(at, Some(value))).is_none() {
                read(at, None);
            }
        }
    }

    /// Writes a value that lives until it is deleted.
    fn put(&mut self, key: K, value: V);

    /// Writes a value that lives for `ttl`. Only called if the target has [`Capability::Ttl`]; a
    /// target without it leaves this as it is.
    fn put_with_ttl(&mut self, _key: K, _value: V, _ttl: Duration) {
        unreachable!("a workload that gives TTLs is not run against a target without them");
    }

    /// Removes the key; says whether it was there.
    fn delete(&mut self, key: &K::Lent) -> bool;

    /// Gives the key a new TTL; says whether it was there. Only called if the target has
    /// [`Capability::Ttl`]; a target without it leaves this as it is.
    fn expire(&mut self, _key: &K::Lent, _ttl: Duration) -> bool {
        unreachable!("a workload that gives TTLs is not run against a target without them");
    }

    /// How many entries are held; `None` if nobody tells.
    fn entries(&mut self) -> Option<u64>;

    /// Does what the target has put off, so that it is as it would be some time later.
    fn settle(&mut self) {}

    /// What the target tells about itself.
    fn facts(&mut self) -> Facts {
        Facts::default()
    }

    /// Where the entries lie.
    fn place(&mut self) -> Place {
        Place::Here
    }

    /// The first thing that went wrong in this handle and that no answer could show: from then on
    /// its answers mean nothing. Asked every few hundred operations, and at the end of each phase.
    fn failure(&self) -> Option<&str> {
        None
    }

    /// Called when all is done: for what has something to bring to its end.
    ///
    /// # Errors
    /// Why that did not go well.
    fn finish(&mut self) -> Result<(), String> {
        Ok(())
    }

    /// Whether entries may disappear for want of room. If so, no miss is an early one.
    fn evicts(&self) -> bool {
        false
    }
}

/// What a target tells about itself, so far as it does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Facts {
    /// Entries removed because their deadline had passed.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub expired: Option<u64>,
    /// How long after their deadlines entries were reclaimed.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub expiry_lag: Option<Lag>,
}

/// A summary of delays, in nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lag {
    /// The median.
    pub p50_ns: u64,
    /// The 99th percentile.
    pub p99_ns: u64,
    /// The largest.
    pub max_ns: u64,
}
