//! Which of the events that are counted a step has met.

use super::super::operation::{Fault, KeyId, Meanwhile, Operation, Site, Step};
use super::super::reference::loads::LoadFailure;
use super::super::reference::{Counts, Pair};
use super::act::Outcome;
use super::run::Simulation;
use super::tally::Tally;
use crate::{Refusal, TtlError};

/// What the events of a step follow from.
pub(super) struct Seen {
    pub(super) pair_before: Option<Pair>,
    pub(super) live_before: bool,
    pub(super) weight_before: Option<u64>,
    pub(super) counts_before: Counts,
    pub(super) capacity_before: usize,
    pub(super) fired: Option<Fault>,
    pub(super) outcome: Outcome,
}

impl Simulation<'_> {
    /// Counts what was met in a step that went well.
    pub(super) fn tally(&self, step: &Step, seen: &Seen, tally: &mut Tally) {
        let counts = self.reference.counts();
        let before = &seen.counts_before;
        let lazily = counts.expired_lazily - before.expired_lazily;
        tally.event("expired pair reclaimed by a caller", lazily);
        let swept = counts.expired_by_sweeper - before.expired_by_sweeper;
        tally.event("expired pair reclaimed by the sweeper", swept);
        tally.event("pairs purged", counts.purged - before.purged);
        let deleted = counts.deletes - before.deletes;
        let retaining = matches!(step.operation, Operation::Retain { .. });
        let both = retaining && deleted > 0 && counts.entries > 0;
        tally.event("pairs retained and removed at once", u64::from(both));
        let resized = self.store.capacity() != seen.capacity_before;
        tally.event("table resized", u64::from(resized));
        if let Some(fault) = seen.fired {
            let loads =
                matches!(step.operation, Operation::Load { .. } | Operation::LoadWithTtl { .. });
            let name = match fault.site {
                Site::Closure if loads => "panic in a loader",
                Site::Closure => "panic in a closure",
                Site::Weigher => "panic in the weigher",
                Site::Listener => "panic in the listener",
                Site::Clone => "panic in Clone",
                Site::Hash => "panic in Hash",
                Site::Drop => "panic in Drop",
            };
            tally.event(name, 1);
        }
        self.tally_bound(step, seen, tally);
        match seen.outcome {
            Outcome::Swept { more: true, .. } => tally.event("sweep that left more for later", 1),
            Outcome::Swept { removed: 0, .. } => tally.event("sweep that had nothing to do", 1),
            Outcome::Replaced(Err(TtlError::Zero)) | Outcome::Expired(Err(TtlError::Zero)) => {
                tally.event("TTL of zero refused", 1);
            }
            Outcome::Replaced(Err(_)) | Outcome::Expired(Err(_)) => {
                tally.event("TTL too long refused", 1);
            }
            _ => {}
        }
        if let Some(key) = step.operation.key() {
            let pair = seen.pair_before.map(|pair| (pair, seen.live_before));
            self.tally_pair(&step.operation, key, pair, tally);
        }
    }

    /// Counts what has to do with weights and with loads.
    fn tally_bound(&self, step: &Step, seen: &Seen, tally: &mut Tally) {
        let evicted = self.reference.counts().evicted > seen.counts_before.evicted;
        let loaded = self.reference.counts().loads > seen.counts_before.loads;
        let name = match step.operation {
            Operation::Put { value, .. } if evicted && self.reference.is_too_heavy(value) => {
                "pair too heavy to stay"
            }
            Operation::Update { key, .. }
                if seen.weight_before.is_some()
                    && self
                        .reference
                        .weight_of(key)
                        .is_some_and(|w| Some(w) != seen.weight_before) =>
            {
                "weight changed by an update"
            }
            Operation::Load { meanwhile: Some(Meanwhile::Put(_)), .. } if loaded => {
                "load overtaken by a put"
            }
            Operation::Load { meanwhile: Some(Meanwhile::Delete), .. } if loaded => {
                "load overtaken by a delete"
            }
            _ => "",
        };
        if !name.is_empty() {
            tally.event(name, 1);
        }
        match seen.outcome {
            Outcome::Loaded(Err(LoadFailure::Loader)) => tally.event("load failed", 1),
            Outcome::Tried(Err(Refusal::TooHeavy { .. })) => {
                tally.event("pair too heavy handed back", 1);
            }
            _ => {}
        }
    }

    /// Counts what became of the pair of `key`, of which `before` says whether it was live.
    fn tally_pair(
        &self,
        operation: &Operation,
        key: KeyId,
        before: Option<(Pair, bool)>,
        tally: &mut Tally,
    ) {
        let pair = self.reference.pair(key).copied();
        let deadlines =
            (before.and_then(|(pair, _)| pair.deadline_ms), pair.map(|p| p.deadline_ms));
        let revivable = matches!(operation, Operation::Expire { .. } | Operation::Persist { .. });
        let name = match (before, deadlines) {
            (Some((_, false)), (_, None)) if revivable => "expired pair not revived",
            (Some((_, false)), (_, Some(_))) => "put over an expired value",
            (Some((_, true)), (Some(before), Some(Some(after)))) if after > before => {
                "deadline extended"
            }
            (Some((_, true)), (Some(before), Some(Some(after)))) if after < before => {
                "deadline shortened"
            }
            (Some((_, true)), (Some(_), Some(None))) => "deadline taken away",
            (None, (_, Some(_))) if self.shares_hash(key) => "put beside a pair of the same hash",
            _ => "",
        };
        if !name.is_empty() {
            tally.event(name, 1);
        }
        let full = pair.is_some_and(|pair| pair.deadline_ms.is_some() && !pair.indexed);
        tally.event("no node left in the shard", u64::from(full));
        let reached =
            before.is_some_and(|(before, live)| live && self.reference.is_expired(&before));
        tally.event("deadline reached inside a closure", u64::from(reached));
    }

    fn shares_hash(&self, key: KeyId) -> bool {
        let group = |key: KeyId| key / self.config.keys_a_hash;
        self.reference.held().any(|(other, _)| other != key && group(other) == group(key))
    }
}
