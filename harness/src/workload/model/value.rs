//! What values look like.

use serde::{Deserialize, Serialize};

/// What a value looks like.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum ValueKind {
    /// A 64-bit number.
    U64,
    /// A string of bytes whose length is drawn from `sizes`.
    Bytes {
        /// Lengths in bytes, each with its weight.
        sizes: Vec<(u32, u32)>,
    },
    /// A string of bytes whose length follows a law.
    Drawn {
        /// The law.
        sizes: SizeDist,
    },
}

/// How the lengths of values are distributed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "dist")]
pub enum SizeDist {
    /// Half of them below the median, a few very long ones: what caches see.
    Lognormal {
        /// The length that half of the values stay below.
        median: u32,
        /// The length that one value in a hundred exceeds.
        p99: u32,
        /// The longest; what would be longer is cut to it.
        max: u32,
    },
    /// Evenly between two ends.
    Uniform {
        /// The shortest.
        min: u32,
        /// The longest.
        max: u32,
    },
    /// Evenly within each of some ranges.
    Histogram {
        /// First and last length of each range, and its weight.
        buckets: Vec<(u32, u32, u32)>,
    },
}
