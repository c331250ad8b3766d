//! How much memory a run will need, before it takes it.

use crate::workload::Workload;
use crate::workload::model::{Arrival, KeyKind, Keyspace, Length, Phase, ValueKind, Verb};
use crate::workload::sizes;
use crate::workload::stream::{BATCH_KEYS_MAX, STREAM_LEN_MAX, timed_len};

/// Bytes that a run will need, roughly and rather too many.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Estimate {
    /// Operations made beforehand, and room for what they record.
    pub operations_bytes: u64,
    /// The table of keys.
    pub keys_bytes: u64,
    /// Entries in the target.
    pub target_bytes: u64,
}

impl Estimate {
    /// All of it.
    #[must_use]
    pub const fn total_bytes(&self) -> u64 {
        self.operations_bytes + self.keys_bytes + self.target_bytes
    }
}

/// Slot, metadata and index of an entry in a table that is two thirds full.
const SLOT_BYTES: u64 = 64;
/// What one thread records of one phase, apart from its misses: histograms and suspects.
const RECORD_BYTES: u64 = 28 << 20;
/// One histogram of latencies.
const HISTOGRAM_BYTES: u64 = 256 << 10;

/// Estimates what `workload` needs.
#[must_use]
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "an estimate, of counts far below 2^53"
)]
pub fn estimate(workload: &Workload) -> Estimate {
    let threads = workload.run.threads as u64;
    let mut operations_bytes = workload.loaded_count() * 8;
    for phase in &workload.phases {
        let len = match phase.length {
            // Of a trace, all is held: the call, when it is due, and both once more to sort them.
            Length::Ops(ops) if workload.trace.is_some() => ops.div_ceil(threads) * 3,
            Length::Ops(ops) => ops.div_ceil(threads).min(STREAM_LEN_MAX),
            Length::DurationNs(ns) => timed_len(phase, ns, threads),
        };
        // Eight bytes an operation; eight a miss, of at most as many; four each key of a batch.
        let keys = ((len as f64 * phase.mean_batch()) as u64).min(BATCH_KEYS_MAX);
        let steps = steps_bytes(phase);
        operations_bytes += threads * (len * 16 + keys * 4 + RECORD_BYTES + steps);
    }
    let spaces = &workload.keyspaces;
    let all_bytes: u64 =
        spaces.iter().map(|space| u64::from(space.keys) * entry_bytes(space)).sum();
    let keys: u64 = spaces.iter().map(|space| u64::from(space.keys)).sum();
    Estimate {
        operations_bytes,
        keys_bytes: spaces.iter().map(table_bytes).sum(),
        target_bytes: all_bytes / keys.max(1) * workload.held_count(),
    }
}

/// What one thread records of the steps of a ramp.
fn steps_bytes(phase: &Phase) -> u64 {
    let Arrival::Ramp(ramp) = phase.arrival else { return 0 };
    u64::from(ramp.steps) * Verb::ALL.len() as u64 * HISTOGRAM_BYTES
}

fn table_bytes(space: &Keyspace) -> u64 {
    match space.key {
        KeyKind::U64 => 0,
        _ => (u64::from(space.keys) + u64::from(space.absent)) * super::keys::key_len(space) as u64,
    }
}

fn entry_bytes(space: &Keyspace) -> u64 {
    let key = match space.key {
        KeyKind::U64 => 0,
        _ => allocated(super::keys::key_len(space) as u64),
    };
    SLOT_BYTES + key + mean_value_bytes(&space.value)
}

fn mean_value_bytes(kind: &ValueKind) -> u64 {
    match kind {
        ValueKind::U64 => 0,
        ValueKind::Drawn { .. } => allocated(sizes::mean(kind)),
        ValueKind::Bytes { sizes } => {
            let weights: u64 = sizes.iter().map(|(_, weight)| u64::from(*weight)).sum();
            let bytes =
                |(len, weight): &(u32, u32)| allocated(u64::from(*len)) * u64::from(*weight);
            sizes.iter().map(bytes).sum::<u64>().div_ceil(weights.max(1))
        }
    }
}

/// What the allocator takes for `len` bytes: its header, and up to the next multiple of 16.
const fn allocated(len: u64) -> u64 {
    (len + 8).next_multiple_of(16)
}
