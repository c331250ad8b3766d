//! A workload with nothing left open: defaults filled in, units fixed, references resolved.
//!
//! This is the *effective form* that `check` prints and reports carry.

mod command;
mod value;

use serde::{Deserialize, Serialize};

use super::ramp::Ramp;
use super::slo::Objective;
pub use command::{Batch, Command, KeyDist, Verb};
pub use value::{SizeDist, ValueKind};

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
    /// The trace that all of this was made of, if it was.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub trace: Option<Recorded>,
}

/// The trace that a workload was made of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recorded {
    /// The hash over what was recorded.
    pub sha256: String,
    /// Calls in the trace.
    pub calls: u64,
    /// Calls that were lost while recording.
    pub lost: u64,
    /// Whether it was damaged, and only what was before that was taken.
    pub is_torn: bool,
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
    /// Most of them short, a few up to twelve times the mean, as memoryless processes have it.
    Exponential {
        /// The mean, in nanoseconds.
        mean_ns: u64,
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
    /// How long a thread of a closed phase waits between an answer and its next operation, if at
    /// all.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub think: Option<Think>,
    /// The mix.
    pub commands: Vec<Command>,
    /// Whether it belongs into the tables; warm-ups do not.
    pub report: bool,
    /// What it must achieve.
    pub slo: Vec<Objective>,
}

impl Phase {
    /// How many keys of batches an operation has, on average over the mix.
    #[must_use]
    pub fn mean_batch(&self) -> f64 {
        let weights: f64 = self.commands.iter().map(|command| f64::from(command.weight)).sum();
        let keys = self.commands.iter().filter_map(|command| {
            let batch = command.batch?;
            Some(f64::from(command.weight) * f64::from(batch.min + batch.max) / 2.0)
        });
        keys.sum::<f64>() / weights
    }
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
    /// At the moments at which a trace has them.
    Recorded {
        /// So many times as fast.
        speed: f64,
    },
    /// The same, at a rate that changes in steps.
    Ramp(Ramp),
}

impl Arrival {
    /// Mean rate in operations a second over all threads; `None` where no rate is asked for.
    #[must_use]
    pub fn mean_per_second(self) -> Option<f64> {
        match self {
            // A trace's moments are its own.
            Self::Closed | Self::Recorded { .. } => None,
            Self::Poisson { per_second } => Some(per_second),
            Self::Ramp(ramp) => Some(ramp.mean_per_second()),
        }
    }
}

/// Pauses between an answer and the next operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Think {
    /// Whether all are alike.
    pub dist: ThinkDist,
    /// Their mean, in nanoseconds.
    pub mean_ns: u64,
}

/// How pauses are distributed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ThinkDist {
    /// All of the mean's length.
    Fixed,
    /// As memoryless users have them.
    Exponential,
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

    /// Whether anything inserts new keys into the key space at this position.
    #[must_use]
    pub fn inserts_into(&self, keyspace: usize) -> bool {
        let mut commands = self.phases.iter().flat_map(|phase| &phase.commands);
        commands.any(|command| command.verb == Verb::Insert && command.keyspace == keyspace)
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
