//! What can go wrong, as values: a bad TTL or a builder that cannot build.

use std::fmt;
use std::time::Duration;

/// Why a TTL was refused. Nothing in the store was changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum TtlError {
    /// The TTL is zero. To remove a pair use `delete`; to keep it for ever use `Ttl::Never`.
    Zero,
    /// The deadline lies further from the store's creation than it can represent (34.8 years).
    TooLong,
}

impl fmt::Display for TtlError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Zero => f.write_str(
                "the TTL is zero: use `delete` to remove a pair, `Ttl::Never` to keep it",
            ),
            Self::TooLong => f.write_str(
                "the deadline lies more than 34.8 years after the store's creation: \
                 use a shorter TTL or `Ttl::Never`",
            ),
        }
    }
}

impl std::error::Error for TtlError {}

/// Why a [`Builder`](crate::Builder) could not build a store.
#[derive(Debug)]
#[non_exhaustive]
pub enum BuildError {
    /// The default TTL is zero or too long.
    DefaultTtl(TtlError),
    /// The tick lies outside 1 ms to 1 h.
    Tick(Duration),
    /// Memory for this many pairs cannot be had.
    Capacity(usize),
    /// The operating system refused the sweeper's thread.
    Sweeper(std::io::Error),
}

impl fmt::Display for BuildError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::DefaultTtl(error) => write!(f, "default_ttl: {error}"),
            Self::Tick(tick) => {
                write!(f, "tick: {tick:?} is outside 1ms to 1h: about 50ms suits most stores")
            }
            Self::Capacity(pairs) => {
                write!(f, "capacity: no memory for {pairs} pairs: preallocate fewer, or none")
            }
            Self::Sweeper(error) => write!(
                f,
                "sweeper: the thread could not be started ({error}): \
                 use `Sweeper::Manual` and call `sweep` from a thread of yours"
            ),
        }
    }
}

impl std::error::Error for BuildError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::DefaultTtl(error) => Some(error),
            Self::Sweeper(error) => Some(error),
            Self::Tick(_) | Self::Capacity(_) => None,
        }
    }
}
