//! A workload with nothing left open: defaults filled in, units fixed, references resolved.
//!
//! This is the *effective form* that `check` prints and reports carry.

use serde::{Deserialize, Serialize};

use super::ramp::Ramp;
use super::slo::Objective;

/// The name of the load among the phases of a report.
pub const LOAD: &str = "load";

/// One point of a file's sweep: a workload with one number of threads and of keys.
#[derive(Clone, Debug)]
pub struct Case {
    /// What distinguishes it, such as `threads=2` or `keys=500000`; `None` without a sweep.
    pub label: Option<String>,
    /// The workload of this case.
    pub workload: Workload,
}

/// A workload, ready to be run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Workload {
    /// Its name, the folder of its reports.
    pub name: String,
    /// Everything random is derived from this number.
    pub seed: u64,
    /// How it is run.
    pub run: Run,
    /// The families of keys, in order of their names.
    pub keyspaces: Vec<Keyspace>,
    /// Objectives of the load.
    pub load_slo: Vec<Objective>,
    /// Whether the load is a phase of the report.
    pub load_report: bool,
    /// The phases in the order they run.
    pub phases: Vec<Phase>,
}

/// How a workload is run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Run {
    /// Threads that issue operations.
    pub threads: usize,
    /// Fresh processes that each run the whole workload.
    pub repeat: u32,
    /// One operation in so many is timed; 1 times all.
    pub time_every: u32,
    /// Whether the target is asked for room for all keys before the load.
    pub preallocate: bool,
    /// Targets to run when the command line names none.
    pub targets: Vec<String>,
    /// What a target must be able to do to be run at all.
    pub requires: Vec<Capability>,
    /// How many entries the target may hold, if not all.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub bound: Option<Bound>,
}

/// A limit to what a target holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bound {
    /// Entries over all key spaces.
    pub max_entries: u64,
    /// What the store is to evict by; its own default if nothing is said. Peers have one policy
    /// each.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub eviction: Option<Eviction>,
}

/// By what the store evicts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Eviction {
    /// Three queues; a hit takes no lock.
    S3fifo,
    /// Exactly the least recently used.
    Lru,
}

impl Eviction {
    /// Both.
    pub const ALL: [Self; 2] = [Self::S3fifo, Self::Lru];

    /// The word for it in workload files.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::S3fifo => "s3fifo",
            Self::Lru => "lru",
        }
    }
}

/// Something that not every target can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Capability {
    /// A time to live for each key.
    Ttl,
    /// A limit to the number of entries.
    Bound,
}

impl Capability {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::Ttl, Self::Bound];

    /// The word for it in workload files.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ttl => "ttl",
            Self::Bound => "bound",
        }
    }
}

/// A family of keys with values of one kind.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Keyspace {
    /// Its name in the file.
    pub name: String,
    /// The number of its first key among the keys of all key spaces.
    pub first: u32,
    /// How many keys exist.
    pub keys: u32,
    /// How many further keys are known to be absent for ever; `miss` asks for these.
    pub absent: u32,
    /// What a key looks like.
    pub key: KeyKind,
    /// What a value looks like.
    pub value: ValueKind,
    /// The TTL that puts give, if any.
    pub ttl: Option<Ttl>,
    /// How many of the keys are loaded before the first phase: the first of the family.
    pub loaded: u32,
    /// Whether the load goes through the keys in shuffled order.
    pub shuffled: bool,
}

/// What a key looks like.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum KeyKind {
    /// A random UUID in its usual 36 characters.
    Uuid,
    /// A 64-bit number.
    U64,
    /// A prefix and a decimal number, zero-padded to a fixed length.
    Text {
        /// Bytes of the whole key.
        len: u32,
        /// What it starts with.
        prefix: String,
    },
}

/// What a value looks like.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum ValueKind {
    /// A 64-bit number.
    U64,
    /// A string of bytes whose length is drawn from `sizes`.
    Bytes {
        /// Lengths in bytes, each with its weight.
        sizes: Vec<(u32, u32)>,
    },
}

/// Which puts give a TTL, and which one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Ttl {
    /// The share of puts that give one.
    pub share: f64,
    /// How long.
    pub dist: TtlDist,
}

/// How long a key lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "dist")]
pub enum TtlDist {
    /// The same for each put.
    Fixed {
        /// Nanoseconds from the put.
        after_ns: u64,
    },
    /// Evenly between two ends.
    Uniform {
        /// The shortest, in nanoseconds.
        min_ns: u64,
        /// The longest, in nanoseconds.
        max_ns: u64,
    },
    /// All keys in one instant.
    Cliff {
        /// Nanoseconds from the start of the load.
        at_ns: u64,
    },
}

/// A stretch of operations with one mix and one arrival process.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Phase {
    /// Its name in the file.
    pub name: String,
    /// When it is over.
    pub length: Length,
    /// When the next operation is issued.
    pub arrival: Arrival,
    /// The mix.
    pub commands: Vec<Command>,
    /// Whether it belongs into the tables; warm-ups do not.
    pub report: bool,
    /// What it must achieve.
    pub slo: Vec<Objective>,
}

/// When a phase is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Length {
    /// After so many operations over all threads.
    Ops(u64),
    /// After so many nanoseconds.
    DurationNs(u64),
}

/// When the next operation is issued.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "process")]
pub enum Arrival {
    /// As soon as the thread's last one is answered: measures service time.
    Closed,
    /// At random moments that do not wait for answers: measures response time.
    Poisson {
        /// Mean rate in operations a second over all threads.
        per_second: f64,
    },
    /// The same, at a rate that changes in steps.
    Ramp(Ramp),
}

impl Arrival {
    /// Mean rate in operations a second over all threads; `None` in a closed loop.
    #[must_use]
    pub fn mean_per_second(self) -> Option<f64> {
        match self {
            Self::Closed => None,
            Self::Poisson { per_second } => Some(per_second),
            Self::Ramp(ramp) => Some(ramp.mean_per_second()),
        }
    }
}

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
    /// The TTL that it gives, where it gives one.
    pub ttl: Option<Ttl>,
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
}

impl Verb {
    /// All of them; a verb's position here is its number in the replay.
    pub const ALL: [Self; 5] = [Self::Get, Self::Put, Self::Delete, Self::Expire, Self::GetOrPut];

    /// The word for it in workload files and reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Get => "get",
            Self::Put => "put",
            Self::Delete => "delete",
            Self::Expire => "expire",
            Self::GetOrPut => "get_or_put",
        }
    }

    /// Whether it answers with a value or with none.
    #[must_use]
    pub const fn reads(self) -> bool {
        matches!(self, Self::Get | Self::GetOrPut)
    }

    /// Whether it writes a value, always or sometimes.
    #[must_use]
    pub const fn writes(self) -> bool {
        matches!(self, Self::Put | Self::GetOrPut)
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
    /// A share of the operations on a fraction of the keys.
    Hotspot {
        /// The fraction of the keys that is hot.
        fraction: f64,
        /// The share of operations that goes there.
        share: f64,
    },
}

impl Workload {
    /// How many keys there are in all, absent ones included.
    #[must_use]
    pub fn key_count(&self) -> u64 {
        self.keyspaces.iter().map(|space| u64::from(space.keys) + u64::from(space.absent)).sum()
    }

    /// How many keys are loaded before the first phase.
    #[must_use]
    pub fn loaded_count(&self) -> u64 {
        self.keyspaces.iter().map(|space| u64::from(space.loaded)).sum()
    }

    /// How many entries a target can come to hold.
    #[must_use]
    pub fn held_count(&self) -> u64 {
        let keys = self.keyspaces.iter().map(|space| u64::from(space.keys)).sum();
        self.run.bound.map_or(keys, |bound| bound.max_entries.min(keys))
    }

    /// Whether keys and values are numbers or bytes; the same for all key spaces.
    #[must_use]
    pub fn shape(&self) -> (KeyShape, ValueShape) {
        let first = &self.keyspaces[0];
        let key = if first.key == KeyKind::U64 { KeyShape::U64 } else { KeyShape::Text };
        let value = if first.value == ValueKind::U64 { ValueShape::U64 } else { ValueShape::Bytes };
        (key, value)
    }
}

/// The Rust type that a key has in the target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyShape {
    /// `u64`.
    U64,
    /// `Box<str>`.
    Text,
}

/// The Rust type that a value has in the target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ValueShape {
    /// `u64`.
    U64,
    /// `Box<[u8]>`.
    Bytes,
}
