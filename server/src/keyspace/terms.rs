//! What is said of a pair: how long it stays, what is to become of it, why not.

use super::{Refusal, TtlError};

/// How long a value is to stay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lifetime {
    /// As long as the server's default TTL says; for ever if it has none.
    Default,
    /// For ever.
    Never,
    /// As long as the live value that the key has now.
    Keep,
    /// Until this wall-clock time in milliseconds. If it has passed, the value is not stored, and
    /// what the key had is gone.
    Until(i64),
}

/// A live value, and the wall-clock millisecond at which it will be dead, if ever.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Found<'v> {
    /// The value.
    pub(crate) value: &'v [u8],
    /// When it ends.
    pub(crate) deadline_ms: Option<i64>,
}

/// When a key's value ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// There is no value.
    NoValue,
    /// It has no deadline.
    Never,
    /// So many milliseconds from now, or since 1970.
    Ms(i64),
}

/// What is to be done with a key.
#[derive(Debug)]
pub(crate) enum Change {
    /// Nothing.
    Keep,
    /// Store this value.
    Put(Vec<u8>, Lifetime),
}

/// Why a value was not stored, or a deadline not set. Nothing was changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refused {
    /// The deadline lies further away than can be represented: decades from the server's start.
    TooFar,
    /// The pair alone is heavier than all pairs together may be.
    TooHeavy,
    /// The value, or the one before it, could not be written to disk or read from there.
    DiskFailed,
    /// There is no room on disk.
    DiskFull,
}

impl From<TtlError> for Refused {
    fn from(_: TtlError) -> Self {
        Self::TooFar
    }
}

impl From<Refusal> for Refused {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::TooHeavy { .. } => Self::TooHeavy,
            _ => Self::TooFar,
        }
    }
}
