//! What a run leaves behind: plain data with a version, complete enough to be rendered, judged
//! and compared without running anything again.

pub mod capacity;
pub mod histogram;
pub mod load;
pub mod merge;
pub mod step;
mod surroundings;
pub mod verdict;
mod warning;

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::target::Facts;
use crate::workload::model::Workload;
use crate::workload::units;
pub use histogram::{Encoded, Quantiles};
pub use merge::{MergedPhase, Spread};
pub use step::{Limit, MergedStep, StepRecord};
pub use surroundings::Surroundings;
pub use verdict::Verdict;
pub use warning::Warning;

/// The version of this format. It grows with every change that an older reader would misread.
pub const SCHEMA: u32 = 1;

/// One workload (one case of a sweep) against one target.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// [`SCHEMA`] at the time of writing.
    pub schema: u32,
    /// When the run began, in UTC.
    pub started: String,
    /// What was run.
    pub workload: WorkloadRecord,
    /// What it was run against.
    pub target: String,
    /// The hash over all operations and their meaning.
    pub ops_digest: String,
    /// The sources of the harness and the store.
    pub revision: Revision,
    /// How they were built.
    pub build: Build,
    /// Where it was run.
    pub machine: Machine,
    /// What else the machine was doing, and what a reading of its clock costs.
    pub conditions: Conditions,
    /// The repeats together.
    pub merged: Vec<MergedPhase>,
    /// The objectives and whether they were met.
    pub verdicts: Vec<Verdict>,
    /// What should make a reader careful.
    pub warnings: Vec<Warning>,
    /// Each repeat, in the order they ran.
    pub repeats: Vec<Repeat>,
}

/// What was run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct WorkloadRecord {
    /// Its name.
    pub name: String,
    /// The question it answers.
    pub question: String,
    /// Which point of its sweep, such as `keys=500000`.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub case: Option<String>,
    /// The hash of the file's text.
    pub sha256: String,
    /// What `--set` changed.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub set: Vec<String>,
    /// Whether only a hundredth of it was run.
    pub quick: bool,
    /// What the file means, with every default filled in.
    pub effective: Workload,
    /// The file's text.
    pub text: String,
}

/// The state of the sources.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Revision {
    /// The commit; `unknown` outside a repository.
    pub commit: String,
    /// Whether tracked files differ from it.
    pub dirty: bool,
}

/// The commit, and `-dirty` behind it if the sources differ.
impl fmt::Display for Revision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.commit)?;
        f.write_str(if self.dirty { "-dirty" } else { "" })
    }
}

/// How the program was built.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Build {
    /// The version of the harness.
    pub harness: String,
    /// The compiler.
    pub rustc: String,
    /// `release` or `debug`.
    pub profile: String,
    /// The memory allocator.
    pub allocator: String,
    /// Cargo features that were on.
    pub features: Vec<String>,
}

/// A machine, without anything that names its owner.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Machine {
    /// A short hash of all that follows.
    pub id: String,
    /// The processor's model.
    pub cpu: String,
    /// Cores that this process may use.
    pub cores: usize,
    /// Main memory.
    pub memory_bytes: u64,
    /// The kernel's release.
    pub kernel: String,
    /// The hypervisor, `none`, or `unknown`.
    pub virtualization: String,
}

/// All of it, for a page that says where its figures were measured.
impl fmt::Display for Machine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { id, cpu, cores, kernel, virtualization, .. } = self;
        #[expect(clippy::cast_precision_loss, reason = "it is shown with three digits")]
        let memory = units::show_bytes(self.memory_bytes as f64);
        write!(
            f,
            "machine {id}: {cpu}, {cores} cores, {memory}, {kernel}, virtualization {virtualization}"
        )
    }
}

/// What could have disturbed the run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Conditions {
    /// Load average of one minute before the run.
    pub load_before: f64,
    /// And after it.
    pub load_after: f64,
    /// The shortest time that can be measured: two readings of the clock with nothing between.
    pub timer_floor_ns: u64,
}

/// One fresh process that ran the whole workload.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Repeat {
    /// The hash over its operations.
    pub ops_digest: String,
    /// The timer's floor in this process.
    pub timer_floor_ns: u64,
    /// Time spent on making operations and keys.
    pub prepare_seconds: f64,
    /// What it measured.
    pub phases: Vec<PhaseRecord>,
}

/// One phase of one repeat.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PhaseRecord {
    /// Its name; `load` is the prefill.
    pub name: String,
    /// Whether it belongs into tables.
    pub report: bool,
    /// Whether latencies are response times of an open loop, or service times.
    pub open_loop: bool,
    /// Threads that issued operations.
    pub threads: usize,
    /// From the common start to the last thread's end.
    pub seconds: f64,
    /// Operations done.
    pub ops: u64,
    /// Latencies by verb.
    pub verbs: BTreeMap<String, VerbRecord>,
    /// What the answers were.
    pub counts: Counts,
    /// How late the generator was, in an open loop.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub lateness: Option<Encoded>,
    /// How late it would have been through its own fault alone: with the waits for the target's
    /// answers taken out. Reports of earlier harnesses do not know.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub own_lateness: Option<Encoded>,
    /// The steps of a ramp; none at a constant rate or in a closed loop.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub steps: Vec<StepRecord>,
    /// What the process held.
    pub memory: Memory,
    /// What the target tells, since it was made.
    pub facts: Facts,
    /// The course of the phase.
    pub series: Series,
}

/// One verb in one phase of one repeat.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct VerbRecord {
    /// Operations done, timed or not.
    pub ops: u64,
    /// The latencies of the timed ones, in nanoseconds.
    pub latency: Encoded,
}

/// What the answers were.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Gets that returned the right value.
    pub hit: u64,
    /// Gets that returned nothing.
    pub miss: u64,
    /// Misses that a TTL explains.
    pub expired: u64,
    /// Values that fail their check, belong to another key, or were surely overwritten or deleted
    /// before the get began (this last of a sample).
    pub wrong: u64,
    /// Values returned after their deadline.
    pub stale: u64,
    /// Misses that nothing explains: gone before the deadline, or without a delete.
    pub early: u64,
    /// Answers that could not be judged, because there were too many to remember.
    pub unjudged: u64,
    /// Operations issued more than a millisecond after their time.
    pub late: u64,
    /// Operations whose time had come when the phase ended, but that were not issued any more.
    pub unissued: u64,
}

impl Counts {
    /// Adds another phase's counts.
    pub fn add(&mut self, other: &Self) {
        self.hit += other.hit;
        self.miss += other.miss;
        self.expired += other.expired;
        self.wrong += other.wrong;
        self.stale += other.stale;
        self.early += other.early;
        self.unjudged += other.unjudged;
        self.late += other.late;
        self.unissued += other.unissued;
    }

    /// Answers that no correct target could have given.
    #[must_use]
    pub const fn false_answers(&self) -> u64 {
        self.wrong + self.stale + self.early
    }

    /// The part of gets that found a value; `None` if there were none.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "counts are far below 2^53")]
    pub fn hit_ratio(&self) -> Option<f64> {
        let gets = self.hit + self.miss;
        (gets > 0).then(|| self.hit as f64 / gets as f64)
    }
}

/// What the process held, or the server that was asked instead. `None` where nobody tells.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Memory {
    /// Resident before the target was made, operations and keys included.
    pub baseline_bytes: Option<u64>,
    /// Resident when the phase began.
    pub rss_before_bytes: Option<u64>,
    /// Resident when the phase ended.
    pub rss_after_bytes: Option<u64>,
    /// Entries held by the target when the phase ended.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub entries: Option<u64>,
}

/// From less than this, the megabyte that a process gains anyhow would be growth.
const GROWTH_FROM_MIN: u64 = 64 << 20;
/// Below so many entries, pages and arenas outweigh what is to be measured.
const ENTRIES_MIN: u64 = 50_000;

impl Memory {
    /// What an entry costs: resident memory above the baseline over entries held. `None` for
    /// fewer entries than can be measured this way.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "memory sizes are far below 2^53")]
    pub fn bytes_per_entry(&self) -> Option<f64> {
        let above = self.rss_after_bytes?.saturating_sub(self.baseline_bytes?);
        let entries = self.entries.filter(|entries| *entries >= ENTRIES_MIN)?;
        Some(above as f64 / entries as f64)
    }

    /// How much more was resident at the end than at the beginning; negative if less.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "memory sizes are far below 2^53")]
    pub fn growth_bytes(&self) -> Option<f64> {
        Some(self.rss_after_bytes? as f64 - self.rss_before_bytes? as f64)
    }

    /// What was resident above the baseline at the end, over what was at the beginning: 1 is flat.
    /// `None` where there was too little at the beginning to tell.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "memory sizes are far below 2^53")]
    pub fn growth_ratio(&self) -> Option<f64> {
        let above = |bytes: Option<u64>| Some(bytes?.saturating_sub(self.baseline_bytes?));
        let (before, after) = (above(self.rss_before_bytes)?, above(self.rss_after_bytes)?);
        (before >= GROWTH_FROM_MIN).then(|| after as f64 / before as f64)
    }
}

/// The course of a phase, in equal intervals.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Series {
    /// The length of each interval.
    pub interval_ms: u64,
    /// Operations done in it.
    pub ops: Vec<u64>,
    /// Median latency in it, over all verbs; `None` for too few samples.
    pub p50_ns: Vec<Option<u64>>,
    /// 99th percentile in it.
    pub p99_ns: Vec<Option<u64>>,
    /// 99.9th percentile in it; nothing at all in reports of older harnesses.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub p999_ns: Vec<Option<u64>>,
    /// Largest latency in it.
    pub max_ns: Vec<Option<u64>>,
    /// Resident memory at its end.
    pub rss_bytes: Vec<Option<u64>>,
}
