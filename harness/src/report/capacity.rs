//! The report of a search for the highest rate at which a phase meets its objectives: a kind of
//! report of its own, with a version of its own.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::merge::Spread;
use super::{Build, Conditions, Counts, Limit, Machine, Quantiles, Revision, Verdict};
use super::{Warning, WorkloadRecord};
use crate::workload::slo::Objective;

/// What such a report says it is.
pub const KIND: &str = "capacity";
/// The version of this format. It grows with every change that an older reader would misread.
pub const SCHEMA: u32 = 1;

/// The capacity of one target under one phase of one workload.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Capacity {
    /// [`KIND`].
    pub kind: String,
    /// [`SCHEMA`] at the time of writing.
    pub schema: u32,
    /// When the search began, in UTC.
    pub started: String,
    /// What was run.
    pub workload: WorkloadRecord,
    /// The phase whose rate was varied.
    pub phase: String,
    /// What it was run against.
    pub target: String,
    /// How it was searched.
    pub settings: Settings,
    /// The objectives that decided, those that are about times.
    pub objectives: Vec<Objective>,
    /// The sources of the harness and the store.
    pub revision: Revision,
    /// How they were built.
    pub build: Build,
    /// Where it was run.
    pub machine: Machine,
    /// What else the machine was doing, and what a reading of its clock costs.
    pub conditions: Conditions,
    /// The searches together.
    pub answer: Answer,
    /// What should make a reader careful.
    pub warnings: Vec<Warning>,
    /// Each search, in a fresh process, in the order they ran.
    pub repeats: Vec<SearchRecord>,
}

/// How it was searched.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Settings {
    /// The lowest rate to be tried, in operations a second.
    pub from_per_second: f64,
    /// The highest; `None`: whatever can be reached.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub to_per_second: Option<f64>,
    /// The share by which the upper end may lie above the lower one.
    pub precision: f64,
    /// How long each rate was tried.
    pub probe_seconds: f64,
}

/// What all searches say together.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Answer {
    /// The highest rate that held; `None` if in some search not even the lowest did.
    pub holds_per_second: Option<Spread>,
    /// The lowest rate that did not; `None` if in some search all held.
    pub fails_per_second: Option<Spread>,
    /// Who was the limit there; `None` if nobody was, or the searches disagree.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub limit: Option<Limit>,
    /// Whether every search came to an end that a second probe of both ends confirmed.
    pub is_settled: bool,
    /// Answers over all probes; the false ones are no matter of a rate.
    pub counts: Counts,
}

/// One search.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SearchRecord {
    /// The hash over its operations.
    pub ops_digest: String,
    /// The timer's floor in this process.
    pub timer_floor_ns: u64,
    /// Time spent until the first probe: on operations, keys, the load, and phases before.
    pub prepare_seconds: f64,
    /// Whether something was put back between probes, so that each found the same keys.
    pub is_restored: bool,
    /// The highest rate that held, if any did.
    pub holds_per_second: Option<f64>,
    /// The lowest rate that did not, if any did not.
    pub fails_per_second: Option<f64>,
    /// Who was the limit there.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub limit: Option<Limit>,
    /// Whether both ends were confirmed by a second probe.
    pub is_settled: bool,
    /// Answers of all that ran: the load, phases before, probes and what was done between them.
    pub counts: Counts,
    /// Each rate that was tried, in order.
    pub probes: Vec<Probe>,
}

/// One rate, tried once.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Probe {
    /// The mean rate that was asked for.
    pub asked_per_second: f64,
    /// The rate at which operations became due: what was asked for, but for chance.
    pub offered_per_second: f64,
    /// The rate at which operations were answered.
    pub achieved_per_second: f64,
    /// From the common start to the last thread's end.
    pub seconds: f64,
    /// Response times by verb.
    pub verbs: BTreeMap<String, Quantiles>,
    /// How late operations were issued.
    pub lateness: Quantiles,
    /// How late they would have been through the generator's fault alone.
    pub own_lateness: Quantiles,
    /// The objectives that decide.
    pub verdicts: Vec<Verdict>,
    /// Whether the offered rate was reached with all objectives met.
    pub holds: bool,
    /// If not, who was the limit.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub limit: Option<Limit>,
    /// What the answers were.
    pub counts: Counts,
}

/// Puts searches together.
#[must_use]
pub fn merge(repeats: &[SearchRecord]) -> Answer {
    let of_all = |pick: fn(&SearchRecord) -> Option<f64>| {
        let is_whole = repeats.iter().all(|search| pick(search).is_some());
        if is_whole { Spread::of(repeats.iter().map(pick)) } else { None }
    };
    let mut counts = Counts::default();
    for search in repeats {
        counts.add(&search.counts);
    }
    let limit = repeats.first().and_then(|first| first.limit);
    Answer {
        holds_per_second: of_all(|search| search.holds_per_second),
        fails_per_second: of_all(|search| search.fails_per_second),
        limit: limit.filter(|limit| repeats.iter().all(|search| search.limit == Some(*limit))),
        is_settled: repeats.iter().all(|search| search.is_settled),
        counts,
    }
}
