//! What can be chosen about a keyspace, and why there may be none.

use std::fmt;
use std::time::Duration;

use super::{BuildError, FolderError, ValuesOnDisk};

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
    /// A bound or a TTL cannot be kept.
    Bounds(BuildError),
    /// Values cannot be where they are to be.
    Values(FolderError),
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bounds(error) => write!(f, "{error}"),
            Self::Values(error) => write!(f, "{error}"),
        }
    }
}

impl std::error::Error for OpenError {}

impl From<BuildError> for OpenError {
    fn from(error: BuildError) -> Self {
        Self::Bounds(error)
    }
}
