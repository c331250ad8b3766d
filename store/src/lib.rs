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
//! - **Callers do not pay for it**: expired pairs are reclaimed by a thread of the store's own in
//!   small steps; a look-up costs at most the removal of its own pair.
//! - **Bytes lie together**: [`ByteStore`] keeps a key, its value and what it knows of them in one
//!   allocation, and hands out counted references.
//! - **Memory does not creep**: eight bytes of metadata a pair and sixteen for each TTL, however
//!   often it is refreshed, shortened, deleted or put again.
//! - **Time can be yours**: [`ManualClock`] makes code that expires testable without sleeping.
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
