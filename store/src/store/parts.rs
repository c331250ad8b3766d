//! What a store is made of, and how that lies in memory.
//!
//! What every call reads of a store stands in the first three quarters of a pair of cache lines; what
//! every call writes stands in the last quarter of other pairs: a thread's counts, and the map's note
//! that the thread is reading (in `sdd`, which has it there).
//!
//! For a processor tells a load from the stores before it by the low twelve bits of their addresses.
//! Where those agree it lets the load wait until the store is done, and that one waits in its turn
//! for whatever memory the former call has asked for: calls that would overlap come one after the
//! other, at three times the price (Intel's optimization manual: 4-KByte aliasing). Laid out like
//! this they never agree, wherever the allocator puts things.

use super::Shared;
use crate::clock::{Lifetime, Timekeeper};
use crate::entry::{KeyHasher, Keyed};
use crate::eviction::Bound;
use crate::expiry::Expiry;
use crate::listener::Notifier;
use crate::table::Table;
use std::mem::offset_of;

/// What a builder builds a store from: first what every call reads.
#[repr(C)]
pub(crate) struct Parts<S, V> {
    pub(crate) table: Table<S, V>,
    /// A copy, at hand.
    pub(crate) hasher: KeyHasher,
    pub(crate) clock: Timekeeper,
    /// The bound and who keeps it; pairs of a store without one stand in no queue.
    pub(crate) bound: Option<Box<Bound>>,
    pub(crate) notifier: Option<Box<Notifier<S, V>>>,
    pub(crate) default_ttl: Option<Lifetime>,
    /// What pairs weigh; 1 without it.
    pub(crate) weigher: Option<Weigher<S, V>>,
    pub(crate) expiry: Expiry,
    /// Starts fetching what taking out a pair will look at outside its slot, if there is any such.
    pub(crate) fetch: Option<fn(&S, &V)>,
}

/// What checkers put in the place of atomics and of the map has other sizes.
const AS_SHIPPED: bool = !cfg!(any(checker = "loom", table = "stand_in"));
const LAST_QUARTER: usize = 96;
const _: () = assert!(
    !AS_SHIPPED || offset_of!(Shared<Keyed<u64>, u64>, parts.weigher) <= LAST_QUARTER,
    "what every call reads has grown into the last quarter of its lines",
);

/// What weighs pairs: the user's function, or one that hands it a pair's parts.
pub(crate) type Weigher<S, V> = Box<dyn Fn(&S, &V) -> u64 + Send + Sync>;
