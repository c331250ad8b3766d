//! What can be chosen about a keyspace, and why there may be none.

use std::fmt;
use std::time::Duration;

use super::{BuildError, FolderError, TtlError, ValuesOnDisk};

/// What can be chosen about a keyspace.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    /// The most pairs to hold; who is used least goes.
    pub max_entries: Option<usize>,
    /// The most memory that all pairs may take, in bytes: keys, values and 96 for each pair; who is used least goes.
    pub max_memory: Option<u64>,
    /// The TTL of values that are stored without one.
    pub default_ttl: Option<Duration>,
    /// Where values are kept; in memory if `None`. Otherwise a value counts as 8 bytes of memory.
    pub values: Option<ValuesOnDisk>,
}

/// Why there is no keyspace.
#[derive(Debug)]
pub enum OpenError {
    /// The bound is zero that is set by this option.
    ZeroBound(&'static str),
    /// The default TTL is none that can be kept.
    DefaultTtl(TtlError),
    /// The store cannot be had for another reason.
    Store(BuildError),
    /// Values cannot be where they are to be.
    Values(FolderError),
}

impl OpenError {
    /// What the store refused, in the words of whoever chose `settings`.
    pub(super) fn of(error: BuildError, settings: &Settings) -> Self {
        match error {
            BuildError::ZeroBound if settings.max_entries.is_some() => {
                Self::ZeroBound("--max-entries")
            }
            BuildError::ZeroBound => Self::ZeroBound("--max-memory"),
            BuildError::DefaultTtl(error) => Self::DefaultTtl(error),
            error => Self::Store(error),
        }
    }

    /// Whether the settings are wrong everywhere, and not just what is found here.
    pub(crate) fn is_wrong_usage(&self) -> bool {
        matches!(self, Self::ZeroBound(_) | Self::DefaultTtl(_))
    }
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ZeroBound(option) => write!(
                f,
                "`{option}`: with a bound of zero nothing could be stored: say a larger one, or leave \
                 it out"
            ),
            Self::DefaultTtl(TtlError::TooLong) => f.write_str(
                "`--default-ttl`: no value can stay for longer than some 34 years: say a shorter \
                 time, or leave it out, and values stay for ever",
            ),
            Self::DefaultTtl(_) => f.write_str(
                "`--default-ttl`: values that stay for no time could not be read: say a longer one, \
                 or leave it out, and values stay for ever",
            ),
            Self::Store(BuildError::Sweeper(error)) => write!(
                f,
                "the thread that removes expired pairs could not be started ({error}): let the \
                 process have more threads (`ulimit -u`)"
            ),
            Self::Store(error) => write!(f, "{error}"),
            Self::Values(error) => write!(f, "{error}"),
        }
    }
}

impl std::error::Error for OpenError {}

impl From<BuildError> for OpenError {
    fn from(error: BuildError) -> Self {
        Self::Store(error)
    }
}
