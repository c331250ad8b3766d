//! The store on a socket: the protocol of Redis for clients in any language.
//!
//! ```text
//! main -> cli -> serve -> {resp, http} -> commands -> {state, data, snapshot} -> {keyspace, wire}
//! ```
//!
//! `keyspace` alone names the store; `wire` knows bytes and not what they mean; `commands` know no
//! socket.

#![forbid(unsafe_code)]

pub mod cli;
mod commands;
mod data;
mod http;
pub mod interpret;
mod keyspace;
mod resp;
pub mod serve;
mod snapshot;
mod state;
mod wire;

pub use data::{LoadOptions, OnError};
pub use keyspace::{FolderError, OpenError, Settings, ValuesOnDisk};
pub use snapshot::{Contents, ReadError, SnapshotError, SnapshotSettings};
pub use state::Limits;
pub use wire::RequestLimits;
