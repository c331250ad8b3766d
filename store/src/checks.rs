//! Checks of the store from inside it, where its structure can be seen.
//!
//! - `models`: races, each run on real threads, by loom and by shuttle;
//! - `histories`: what threads saw, judged for linearizability, on real threads and by shuttle;
//! - `stress`: many threads, few keys, every call, on real threads;
//! - `simulation`: everything one thread can do, in virtual time, against `reference`.
//!
//! Each ends, or each step of it does, with [`Store::verify`](crate::Store): one node for each
//! pair with a TTL, none stranded, every count exact.

#[cfg(not(checker = "loom"))]
mod histories;
mod models;
#[cfg(not(checker = "loom"))]
#[cfg_attr(checker = "shuttle", expect(dead_code, reason = "histories use a part of it"))]
mod operation;
#[cfg(all(planted, not(any(checker = "loom", checker = "shuttle"))))]
mod planted;
#[cfg(not(any(checker = "loom", checker = "shuttle")))]
#[expect(dead_code, reason = "the property test under `tests` uses the rest of it")]
mod reference;
#[cfg(not(any(checker = "loom", checker = "shuttle")))]
mod simulation;
#[cfg(not(any(checker = "loom", checker = "shuttle")))]
mod stress;
