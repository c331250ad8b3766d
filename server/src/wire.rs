//! The protocol of Redis as bytes: requests are read and replies written, and nothing is known of
//! what they mean.
//!
//! Requests are read by our own reader and not by a codec crate: it goes on where the last bytes
//! ended instead of starting anew, it copies nothing, it refuses sizes before it has memory for
//! them, knows inline commands, and words its complaints as Redis does; the crates that there are
//! do none of these. What is written is judged by one of them in `tests/`.

mod args;
mod inline;
mod reply;
mod request;

pub(crate) use args::Args;
pub(crate) use reply::Reply;
pub use request::RequestLimits;
pub(crate) use request::{RequestReader, parse_integer};
