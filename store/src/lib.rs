//! A concurrent in-memory key/value store with a TTL on any key.
//!
//! ```
//! use std::time::Duration;
//! use store::{Store, Ttl};
//!
//! // A cheap handle: clone it into threads.
//! let store = Store::<String, String>::builder()
//!     .capacity(10_000)
//!     .default_ttl(Duration::from_secs(3600))
//!     .build()?;
//!
//! store.put("language".to_owned(), "Rust".to_owned());
//! store.put_with_ttl("code".to_owned(), "4711".to_owned(), Ttl::After(Duration::from_secs(30)))?;
//!
//! assert_eq!(store.get("language").as_deref(), Some("Rust"));
//! assert_eq!(store.read("code", |code| code.len()), Some(4));
//! assert_eq!(store.delete("code").as_deref(), Some("4711"));
//! assert_eq!(store.get("code"), None);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! - **Expiry is exact for callers**: a value is never returned at or after its deadline, to the
//!   millisecond, whether the sweeper is on time, late or switched off; and never gone before it.
//! - **A burst of expiry is not the callers' work**: expired pairs are reclaimed in small steps by a
//!   thread of the store's own; a look-up costs at most the removal of its own pair. That thread does
//!   compete with callers for processors.
//! - **Bytes lie together**: [`ByteStore`] keeps a key, its value and what it knows of them in one
//!   allocation, and hands out counted references.
//! - **Memory does not creep**: beside a bare `scc` map, a [`Store`] takes 8 bytes more for each slot of
//!   its table (10 to 20 a pair), 16 for each TTL, and some 18 a pair if it is bounded, however often
//!   keys are refreshed, shortened, deleted or put again.
//! - **Time can be yours**: [`ManualClock`] makes code that expires testable without sleeping.
//! - **Size can be bounded**: by [`Builder::max_entries`], or by [`Builder::max_weight`] with a
//!   [`weigher`](Builder::weigher). Pairs are evicted by S3-FIFO or by exact LRU ([`Eviction`]), and
//!   [`Builder::on_removal`] tells of every pair that leaves, and why.
//! - **One loader for each missing key**: however many threads ask [`Store::get_or_put_with`] for it,
//!   one loads the value. The others block until it is there, so in asynchronous code call it where
//!   threads may wait.
//!
//! The closures given to [`read`](Store::read), [`peek`](Store::peek), [`update`](Store::update),
//! [`compute`](Store::compute), [`for_each`](Store::for_each) and [`retain`](Store::retain) run under
//! a lock and must not call the store, which could then wait for itself (see [Locks](Store#locks)).
//! Loaders and removal listeners run under no lock. [`get`](Store::get) clones the value: store an
//! [`Arc`](std::sync::Arc) where values are large, or look at them in place with `read`.
//!
//! How it works is told in [`implementation`].

mod builder;
#[cfg(test)]
mod checks;
mod clock;
mod entry;
mod error;
mod eviction;
mod expiry;
mod flights;
pub mod implementation;
mod listener;
mod machine;
mod owned_bytes;
mod planted;
mod record;
mod removed;
mod slab;
mod stats;
mod store;
mod sweep;
mod sync;
#[cfg(not(table = "stand_in"))]
mod table;
/// The map of a model that the real map's fences would hide weak orderings from.
#[cfg(table = "stand_in")]
#[path = "checks/stand_in.rs"]
mod table;

pub use builder::{Apart, Builder, Together};
pub use clock::{Clock, ManualClock, SystemClock};
pub use error::{BuildError, TtlError};
pub use eviction::Eviction;
pub use listener::RemovalCause;
pub use record::Record;
pub use stats::{ExpiryLag, Stats};
pub use store::{ByteStore, Compute, Refusal, Refused, Store, Ttl};
pub use sweep::{Sweeper, Swept};

/// The README's example is run with the others.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;
