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
    /// The bound is zero: nothing could be stored.
    ZeroBound,
    /// Both `max_entries` and `max_weight` were given.
    TwoBounds,
    /// `weigher` or `eviction` was given, but neither `max_entries` nor `max_weight` to which it
    /// could apply: this names it.
    NoBound(&'static str),
    /// Exact LRU cannot number this many entries.
    TooManyForLru(usize),
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
            Self::ZeroBound => f.write_str(
                "max_entries, max_weight: a bound of zero would let nothing be stored: \
                 use at least 1, or no bound",
            ),
            Self::TwoBounds => f.write_str(
                "max_entries and max_weight: a store keeps one bound: use `max_weight` with a \
                 weigher that counts what matters most",
            ),
            Self::NoBound(choice) => write!(
                f,
                "{choice}: there is no bound for it to apply to: \
                 add `{}`, or leave it out",
                if *choice == "weigher" { "max_weight" } else { "max_entries" }
            ),
            Self::TooManyForLru(entries) => write!(
                f,
                "max_entries: exact LRU orders at most {} pairs, not {entries}: \
                 use `Eviction::S3Fifo`",
                u32::MAX >> 2
            ),
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
            _ => None,
        }
    }
}
