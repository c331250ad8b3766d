//! The tests of a server's replies, once more on servers that keep their values on disk.
//!
//! `support` gives servers of this program's tests a folder.

#![expect(clippy::duplicate_mod, reason = "each brings what it shares with the others")]

#[path = "atomic.rs"]
mod atomic;
#[path = "http.rs"]
mod http;
#[path = "interop.rs"]
mod interop;
#[path = "limits.rs"]
mod limits;
#[path = "protocol.rs"]
mod protocol;
