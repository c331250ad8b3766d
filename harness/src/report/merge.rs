//! From repeats to one set of figures. The repeat is the unit: medians and spreads are over
//! repeats, and only the histograms are poured together.

use std::collections::{BTreeMap, BTreeSet};

use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};

use super::histogram::{Encoded, Quantiles, latencies, percentile};
use super::step::{self, MergedStep};
use super::{Counts, PhaseRecord, Repeat, VerbRecord};

/// A figure over all repeats.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Spread {
    /// The middle one.
    pub median: f64,
    /// The smallest.
    pub min: f64,
    /// The largest.
    pub max: f64,
}

impl Spread {
    /// Of the figures that are there; `None` if none is.
    #[must_use]
    pub fn of(values: impl IntoIterator<Item = Option<f64>>) -> Option<Self> {
        let mut values: Vec<f64> = values.into_iter().flatten().collect();
        values.sort_by(f64::total_cmp);
        let (min, max) = (*values.first()?, *values.last()?);
        let middle = values.len() / 2;
        let median = if values.len() % 2 == 1 {
            values[middle]
        } else {
            f64::midpoint(values[middle - 1], values[middle])
        };
        Some(Self { median, min, max })
    }
}

/// One phase over all repeats.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MergedPhase {
    /// Its name.
    pub name: String,
    /// Whether it belongs into tables.
    pub report: bool,
    /// Whether latencies are response times of an open loop, or service times.
    pub open_loop: bool,
    /// Operations a second.
    pub throughput: Spread,
    /// The time of one thread for one operation, by the untimed totals.
    pub thread_ns_per_op: Spread,
    /// Latencies by verb.
    pub verbs: BTreeMap<String, MergedVerb>,
    /// Sums over the repeats.
    pub counts: Counts,
    /// How late the generator was, in an open loop.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub lateness: Option<Quantiles>,
    /// How late it would have been through its own fault alone.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub own_lateness: Option<Quantiles>,
    /// The steps of a ramp; none at a constant rate or in a closed loop.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub steps: Vec<MergedStep>,
    /// Entries at the end of the phase.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub entries: Option<Spread>,
    /// What an entry costs.
    pub bytes_per_entry: Option<Spread>,
    /// Resident memory at the end of the phase.
    pub rss_bytes: Option<Spread>,
    /// How much resident memory grew in the phase.
    pub rss_growth_bytes: Option<Spread>,
    /// What the target's memory was at the end of the phase, in terms of what it was when the phase
    /// began.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub memory_growth_ratio: Option<Spread>,
    /// How long after their deadlines entries were reclaimed; the worst repeat of each.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub expiry_lag: Option<crate::target::Lag>,
    /// Entries that the target says it has removed for their deadline, since it was made.
    pub expired_total: Option<Spread>,
}

/// One verb over all repeats.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MergedVerb {
    /// Operations done, timed or not.
    pub ops: u64,
    /// Quantiles of all samples of all repeats.
    pub quantiles: Quantiles,
    /// The same quantiles, each over the repeats.
    pub p50_ns: Option<Spread>,
    /// 95th percentile.
    pub p95_ns: Option<Spread>,
    /// 99th percentile.
    pub p99_ns: Option<Spread>,
    /// 99.9th percentile.
    pub p999_ns: Option<Spread>,
    /// All samples of all repeats.
    pub latency: Encoded,
}

/// Merges phase by phase.
///
/// # Errors
/// If a histogram cannot be read, or the repeats are not of the same workload.
pub fn merge(repeats: &[Repeat]) -> Result<Vec<MergedPhase>, String> {
    let Some(first) = repeats.first() else { return Ok(Vec::new()) };
    let mut merged = Vec::new();
    for (position, phase) in first.phases.iter().enumerate() {
        let all: Vec<&PhaseRecord> = repeats
            .iter()
            .filter_map(|repeat| repeat.phases.get(position))
            .filter(|other| other.name == phase.name)
            .collect();
        if all.len() != repeats.len() {
            return Err(format!("the repeats disagree about phase `{}`", phase.name));
        }
        merged.push(merge_phase(&all)?);
    }
    Ok(merged)
}

/// The figures of a phase that ran once.
///
/// # Errors
/// If a histogram cannot be read.
pub fn of_one(phase: &PhaseRecord) -> Result<MergedPhase, String> {
    merge_phase(&[phase])
}

fn merge_phase(repeats: &[&PhaseRecord]) -> Result<MergedPhase, String> {
    let first = repeats[0];
    let over = |figure: &dyn Fn(&PhaseRecord) -> Option<f64>| {
        Spread::of(repeats.iter().map(|repeat| figure(repeat)))
    };
    let always = |figure: &dyn Fn(&PhaseRecord) -> f64| {
        over(&|repeat| Some(figure(repeat))).ok_or("a report without repeats")
    };
    let mut counts = Counts::default();
    for repeat in repeats {
        counts.add(&repeat.counts);
    }
    let verbs = merge_verbs(&repeats.iter().map(|repeat| &repeat.verbs).collect::<Vec<_>>())?;
    let lateness = pour(repeats.iter().filter_map(|repeat| repeat.lateness.as_ref()))?;
    let own_lateness = pour(repeats.iter().filter_map(|repeat| repeat.own_lateness.as_ref()))?;
    let lags = || repeats.iter().filter_map(|repeat| repeat.facts.expiry_lag);
    let expiry_lag = lags().next().map(|_| crate::target::Lag {
        p50_ns: lags().map(|lag| lag.p50_ns).max().unwrap_or(0),
        p99_ns: lags().map(|lag| lag.p99_ns).max().unwrap_or(0),
        max_ns: lags().map(|lag| lag.max_ns).max().unwrap_or(0),
    });
    Ok(MergedPhase {
        name: first.name.clone(),
        report: first.report,
        open_loop: first.open_loop,
        throughput: always(&|repeat| count(repeat.ops) / repeat.seconds)?,
        thread_ns_per_op: always(&|repeat| {
            repeat.seconds * 1e9 * count(repeat.threads as u64) / count(repeat.ops.max(1))
        })?,
        verbs,
        counts,
        lateness: lateness.map(|histogram| Quantiles::of(&histogram)),
        entries: over(&|repeat| repeat.memory.entries.map(count)),
        own_lateness: own_lateness.map(|histogram| Quantiles::of(&histogram)),
        steps: step::merge(&repeats.iter().map(|repeat| &*repeat.steps).collect::<Vec<_>>())?,
        bytes_per_entry: over(&|repeat| repeat.memory.bytes_per_entry()),
        rss_bytes: over(&|repeat| repeat.memory.rss_after_bytes.map(count)),
        rss_growth_bytes: over(&|repeat| repeat.memory.growth_bytes()),
        memory_growth_ratio: over(&|repeat| repeat.memory.growth_ratio()),
        expiry_lag,
        expired_total: over(&|repeat| repeat.facts.expired.map(count)),
    })
}

/// Merges verb by verb, over repeats of the same.
pub(super) fn merge_verbs(
    repeats: &[&BTreeMap<String, VerbRecord>],
) -> Result<BTreeMap<String, MergedVerb>, String> {
    let names = repeats.iter().flat_map(|verbs| verbs.keys()).collect::<BTreeSet<_>>();
    let merged = names.into_iter().map(|name| {
        let records: Vec<_> = repeats.iter().filter_map(|verbs| verbs.get(name)).collect();
        Ok((name.clone(), merge_verb(&records)?))
    });
    merged.collect()
}

fn merge_verb(records: &[&VerbRecord]) -> Result<MergedVerb, String> {
    let histograms = records
        .iter()
        .map(|record| record.latency.decode())
        .collect::<Result<Vec<Histogram<u64>>, _>>()?;
    let over = |percentage| {
        Spread::of(histograms.iter().map(|one| percentile(one, percentage).map(count)))
    };
    let all = pour(records.iter().map(|record| &record.latency))?.unwrap_or_else(latencies);
    Ok(MergedVerb {
        ops: records.iter().map(|record| record.ops).sum(),
        quantiles: Quantiles::of(&all),
        p50_ns: over(50.0),
        p95_ns: over(95.0),
        p99_ns: over(99.0),
        p999_ns: over(99.9),
        latency: Encoded::new(&all),
    })
}

/// All samples together; `None` of nothing.
pub(super) fn pour<'a>(
    encoded: impl Iterator<Item = &'a Encoded>,
) -> Result<Option<Histogram<u64>>, String> {
    let mut all: Option<Histogram<u64>> = None;
    for one in encoded {
        let one = one.decode()?;
        match &mut all {
            Some(all) => all.add(one).map_err(|error| error.to_string())?,
            None => all = Some(one),
        }
    }
    Ok(all)
}

#[expect(clippy::cast_precision_loss, reason = "counts and sizes are far below 2^53")]
pub(super) fn count(number: u64) -> f64 {
    number as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spread_is_median_and_ends() {
        let spread = Spread::of([Some(3.0), None, Some(1.0), Some(9.0)]).expect("three");
        assert_eq!(spread, Spread { median: 3.0, min: 1.0, max: 9.0 });
        let even = Spread::of([Some(1.0), Some(2.0)]).expect("two");
        assert!((even.median - 1.5).abs() < 1e-12);
        assert_eq!(Spread::of([None, None]), None);
    }
}
