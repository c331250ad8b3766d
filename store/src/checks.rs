//! Checks of the store by its own structure: models under every checker.
//!
//! The models are built from the real store over the real map, with one thread for each line of
//! a race, and end with [`Store::verify`](crate::Store): one node for each pair with a TTL, none
//! stranded, every count exact.

mod models;
#[cfg(all(planted, not(any(checker = "loom", checker = "shuttle"))))]
mod planted;
