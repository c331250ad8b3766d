//! What a phase's operations do, and with which keys.

use serde::{Deserialize, Serialize};

use super::Ttl;

/// One kind of operation in a phase's mix.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Command {
    /// What it does.
    pub verb: Verb,
    /// The position of its key space.
    pub keyspace: usize,
    /// Its share in the mix is this over the sum of all weights.
    pub weight: u32,
    /// Which keys it takes.
    pub keys: KeyDist,
    /// The share of its keys that are absent for ever.
    pub miss: f64,
    /// The TTL that it gives, where it gives one: a get to what it has found.
    pub ttl: Option<Ttl>,
    /// How many keys an operation takes, where it is not one.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub batch: Option<Batch>,
}

impl Command {
    /// Whether it gives a key that is there another deadline than its value tells.
    #[must_use]
    pub fn moves_deadlines(&self) -> bool {
        self.verb == Verb::Expire || self.verb == Verb::Get && self.ttl.is_some()
    }
}

/// How many keys one operation takes, evenly between the ends, and which.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Batch {
    /// The fewest.
    pub min: u32,
    /// The most.
    pub max: u32,
    /// Whether only the first is drawn and the others follow it.
    pub run: bool,
}

/// What an operation does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verb {
    /// Read and check the value.
    Get,
    /// Write a value, new or over an old one.
    Put,
    /// Remove the key.
    Delete,
    /// Give the key that is there a new TTL.
    Expire,
    /// Read, and write a value if there is none, as a cache before something slower does.
    GetOrPut,
    /// Read and check the values of several keys by one call.
    GetMany,
    /// Read and check the value, then write the next one: two calls, whatever the first finds.
    ReadModifyWrite,
    /// Write the next key that nothing has written yet.
    Insert,
}

impl Verb {
    /// All of them; a verb's position here is its number in the replay.
    pub const ALL: [Self; 8] = [
        Self::Get,
        Self::Put,
        Self::Delete,
        Self::Expire,
        Self::GetOrPut,
        Self::GetMany,
        Self::ReadModifyWrite,
        Self::Insert,
    ];

    /// The word for it in workload files and reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Get => "get",
            Self::Put => "put",
            Self::Delete => "delete",
            Self::Expire => "expire",
            Self::GetOrPut => "get_or_put",
            Self::GetMany => "get_many",
            Self::ReadModifyWrite => "read_modify_write",
            Self::Insert => "insert",
        }
    }

    /// Whether it answers with a value or with none.
    #[must_use]
    pub const fn reads(self) -> bool {
        matches!(self, Self::Get | Self::GetOrPut | Self::GetMany | Self::ReadModifyWrite)
    }

    /// Whether it writes a value, always or sometimes.
    #[must_use]
    pub const fn writes(self) -> bool {
        matches!(self, Self::Put | Self::GetOrPut | Self::ReadModifyWrite | Self::Insert)
    }
}

/// Which keys a command takes.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "dist")]
pub enum KeyDist {
    /// A few keys often, most seldom, by Zipf's law.
    Zipf {
        /// The exponent.
        s: f64,
    },
    /// All alike.
    Uniform,
    /// One after the other, the threads taking turns.
    Sequential,
    /// One after the other, each thread in a block of its own.
    Blocks,
    /// What was inserted last most often, what was loaded first least, by Zipf's law.
    Latest {
        /// The exponent.
        s: f64,
    },
    /// The next that nothing has written yet: of an insert.
    Next,
    /// A share of the operations on a fraction of the keys.
    Hotspot {
        /// The fraction of the keys that is hot.
        fraction: f64,
        /// The share of operations that goes there.
        share: f64,
    },
    /// Those that a trace has.
    Recorded,
}
