//! The store's contract, checked from outside: one test a promise, in virtual time.
//!
//! Nothing here sleeps or asserts how long something took. Tests named `s1_` to `s10_` each stand
//! for the semantic of that number; the others stand for a row of the table of calls.
#![cfg(not(any(checker = "loom", checker = "shuttle")))]

mod bounds;
mod building;
mod bytes;
mod calls;
mod deadlines;
mod listening;
mod loading;
mod memory;
mod model;
mod reclaiming;
mod shutdown;
mod support;
mod threads;
mod ttls;
mod user_drops;
mod user_panics;
mod weights;
