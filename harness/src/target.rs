//! What a workload can be replayed against: one small trait, one adapter a file.

pub mod scc;
pub mod store;

use std::borrow::Borrow;
use std::fmt;
use std::hash::Hash;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::workload::model::Capability;

/// A key as a target owns it and as look-ups lend it.
pub trait Key: Borrow<Self::Lent> + Hash + Eq + Clone + Send + Sync + 'static {
    /// What look-ups take.
    type Lent: Hash + Eq + ?Sized;
}

impl Key for u64 {
    type Lent = Self;
}

impl Key for Box<str> {
    type Lent = str;
}

/// A map under test. Each thread works through a clone of its own, so an adapter may keep what
/// a thread needs (a connection, a guard) in itself.
pub trait Target<K: Key, V: Send + Sync + 'static>: Clone + Send + Sized {
    /// Makes an empty one, with room for `capacity` entries if a number is given.
    ///
    /// # Errors
    /// Why it cannot be made.
    fn open(capacity: Option<usize>) -> Result<Self, String>;

    /// Lets `read` look at the value, if there is one.
    fn get<R>(&mut self, key: &K::Lent, read: impl FnOnce(&V) -> R) -> Option<R>;

    /// Writes a value that lives until it is deleted.
    fn put(&mut self, key: K, value: V);

    /// Writes a value that lives for `ttl`. Only called if the target has [`Capability::Ttl`].
    fn put_with_ttl(&mut self, key: K, value: V, ttl: Duration);

    /// Removes the key; says whether it was there.
    fn delete(&mut self, key: &K::Lent) -> bool;

    /// Gives the key a new TTL; says whether it was there. Only called if the target has
    /// [`Capability::Ttl`].
    fn expire(&mut self, key: &K::Lent, ttl: Duration) -> bool;

    /// How many entries are held.
    fn entries(&self) -> u64;

    /// What the target tells about itself.
    fn facts(&self) -> Facts {
        Facts::default()
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

/// The targets that this build can run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum TargetName {
    /// The store of this workspace.
    Store,
    /// The concurrent hash map under the store, without TTL or index.
    Scc,
}

impl TargetName {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::Store, Self::Scc];

    /// The word for it on the command line and in file names.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Store => "store",
            Self::Scc => "scc",
        }
    }

    /// Whether it can do what a workload may require.
    #[must_use]
    pub const fn has(self, capability: Capability) -> bool {
        match (self, capability) {
            (Self::Store, Capability::Ttl) => true,
            (Self::Scc, Capability::Ttl) => false,
        }
    }
}

impl fmt::Display for TargetName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for TargetName {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        Self::ALL.into_iter().find(|target| target.name() == name).ok_or_else(|| {
            let known = Self::ALL.map(Self::name).join(", ");
            format!("there is no target `{name}`; known here: {known}")
        })
    }
}
