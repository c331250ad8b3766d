//! Checks of the store from inside it, where its structure can be seen.
//!
//! - `models`: races, each run on real threads, by loom and by shuttle;
//! - `simulation`: everything one thread can do, in virtual time, against `reference`.
//!
//! Each ends, or each step of it does, with [`Store::verify`](crate::Store): one node for each
//! pair with a TTL, none stranded, every count exact.

mod models;
#[cfg(not(any(checker = "loom", checker = "shuttle")))]
mod operation;
#[cfg(not(any(checker = "loom", checker = "shuttle")))]
mod reference;
#[cfg(not(any(checker = "loom", checker = "shuttle")))]
mod simulation;
