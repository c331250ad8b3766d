//! Whether objectives were met.

use serde::{Deserialize, Serialize};

use super::histogram::{Quantiles, percentile};
use super::merge::{MergedPhase, MergedVerb};
use super::step;
use crate::workload::slo::{Objective, Statistic};

/// One objective and what was measured.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Verdict {
    /// The phase it belongs to.
    pub phase: String,
    /// What was asked for.
    pub objective: Objective,
    /// What was measured, in the objective's unit; `None` if it could not be.
    pub measured: Option<f64>,
    /// Whether it was met.
    pub outcome: Outcome,
}

/// Whether an objective was met.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It was.
    Met,
    /// It was not.
    Missed,
    /// Nothing was measured that could tell.
    NotMeasured,
}

/// Judges the objectives of one phase.
///
/// Latencies are judged over all samples of all repeats, in a ramp those of its worst step; counts
/// by their sum, throughput by its median, memory by the worst repeat.
///
/// # Errors
/// If a histogram cannot be read.
pub fn judge(phase: &MergedPhase, objectives: &[Objective]) -> Result<Vec<Verdict>, String> {
    objectives
        .iter()
        .map(|objective| {
            if !phase.steps.is_empty() && step::concerns(objective) {
                return step::worst(phase, objective);
            }
            Ok(of_value(&phase.name, objective, measure(phase, objective)?))
        })
        .collect()
}

/// The verdict that follows from what was measured.
pub(super) fn of_value(phase: &str, objective: &Objective, measured: Option<f64>) -> Verdict {
    let outcome = match measured {
        None => Outcome::NotMeasured,
        Some(value) if objective.comparison.holds(value, objective.bound) => Outcome::Met,
        Some(_) => Outcome::Missed,
    };
    Verdict { phase: phase.to_owned(), objective: objective.clone(), measured, outcome }
}

#[expect(clippy::cast_precision_loss, reason = "counts and latencies are far below 2^53")]
fn measure(phase: &MergedPhase, objective: &Objective) -> Result<Option<f64>, String> {
    let counts = &phase.counts;
    let lag = phase.expiry_lag;
    Ok(match objective.subject.as_str() {
        "wrong" => Some(counts.wrong as f64),
        "stale" => Some(counts.stale as f64),
        "early" => Some(counts.early as f64),
        "late" => Some(counts.late as f64),
        "unjudged" => Some(counts.unjudged as f64),
        "entries" => phase.entries.map(|spread| spread.max),
        "throughput" => Some(phase.throughput.median),
        "bytes_per_entry" => phase.bytes_per_entry.map(|spread| spread.max),
        "rss_growth" => phase.rss_growth_bytes.map(|spread| spread.max),
        "memory_growth" => phase.memory_growth_ratio.map(|spread| spread.max),
        "hits" => counts.hit_ratio(),
        "expiry_lag" => match objective.statistic {
            Statistic::Max => lag.map(|lag| lag.max_ns as f64),
            // The target tells three numbers; the next higher one is the safe answer.
            Statistic::Percentile(p) if p <= 50.0 => lag.map(|lag| lag.p50_ns as f64),
            Statistic::Percentile(p) if p <= 99.0 => lag.map(|lag| lag.p99_ns as f64),
            _ => lag.map(|lag| lag.max_ns as f64),
        },
        "lateness" => phase.lateness.and_then(|lateness| of_lateness(&lateness, objective)),
        verb => of_verb(phase.verbs.get(verb), objective)?,
    })
}

/// What is known of lateness without its histogram: the next higher quantile is the safe answer.
#[expect(clippy::cast_precision_loss, reason = "latencies are far below 2^53")]
pub(super) fn of_lateness(lateness: &Quantiles, objective: &Objective) -> Option<f64> {
    let ns = match objective.statistic {
        Statistic::Percentile(p) if p <= 50.0 => lateness.p50_ns,
        Statistic::Percentile(p) if p <= 90.0 => lateness.p90_ns,
        Statistic::Percentile(p) if p <= 95.0 => lateness.p95_ns,
        Statistic::Percentile(p) if p <= 99.0 => lateness.p99_ns,
        Statistic::Percentile(p) if p <= 99.9 => lateness.p999_ns,
        _ => lateness.max_ns,
    };
    ns.map(|ns| ns as f64)
}

/// A latency of a verb, if there were any and enough of them.
#[expect(clippy::cast_precision_loss, reason = "latencies are far below 2^53")]
pub(super) fn of_verb(
    verb: Option<&MergedVerb>,
    objective: &Objective,
) -> Result<Option<f64>, String> {
    let Some(verb) = verb else { return Ok(None) };
    let ns = match objective.statistic {
        Statistic::Percentile(p) => percentile(&verb.latency.decode()?, p),
        _ => verb.quantiles.max_ns,
    };
    Ok(ns.map(|ns| ns as f64))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::histogram::latencies;
    use crate::report::{Counts, Encoded, Memory, PhaseRecord, Repeat, Series, VerbRecord, merge};
    use crate::workload::slo;

    fn phase() -> MergedPhase {
        let mut histogram = latencies();
        for value in 1..=10_000u64 {
            histogram.record(value * 100).expect("in range");
        }
        let verb = VerbRecord { ops: 10_000, latency: Encoded::new(&histogram) };
        let record = PhaseRecord {
            name: "mixed".into(),
            report: true,
            open_loop: false,
            threads: 2,
            seconds: 2.0,
            ops: 10_000,
            verbs: [("get".to_owned(), verb)].into(),
            counts: Counts { hit: 3, miss: 1, stale: 2, ..Counts::default() },
            lateness: None,
            own_lateness: None,
            steps: Vec::new(),
            memory: Memory {
                baseline_bytes: Some(20_000_000),
                rss_before_bytes: Some(120_000_000),
                rss_after_bytes: Some(220_000_000),
                entries: Some(2_000_000),
            },
            facts: crate::target::Facts::default(),
            series: Series::default(),
        };
        let repeat = Repeat {
            ops_digest: String::new(),
            timer_floor_ns: 20,
            prepare_seconds: 0.0,
            phases: vec![record],
        };
        merge::merge(&[repeat]).expect("mergeable").remove(0)
    }

    fn outcome(subject: &str, text: &str) -> Outcome {
        let objective = slo::parse(subject, text).expect("valid");
        judge(&phase(), &[objective]).expect("readable")[0].outcome
    }

    #[test]
    fn objectives_are_met_or_missed_by_what_was_measured() {
        assert_eq!(outcome("get", "p(99) < 1ms"), Outcome::Met);
        assert_eq!(outcome("get", "p(99) < 900us"), Outcome::Missed);
        assert_eq!(outcome("get", "max <= 1.1ms"), Outcome::Met);
        assert_eq!(outcome("wrong", "count == 0"), Outcome::Met);
        assert_eq!(outcome("stale", "count == 0"), Outcome::Missed);
        assert_eq!(outcome("throughput", "rate > 4k/s"), Outcome::Met);
        assert_eq!(outcome("bytes_per_entry", "bytes < 99B"), Outcome::Missed);
        assert_eq!(outcome("bytes_per_entry", "bytes <= 100B"), Outcome::Met);
        assert_eq!(outcome("rss_growth", "bytes < 4MiB"), Outcome::Missed);
        assert_eq!(outcome("memory_growth", "ratio <= 2.0"), Outcome::Met, "200 MB above 100 MB");
        assert_eq!(outcome("memory_growth", "ratio < 2.0"), Outcome::Missed);
        assert_eq!(outcome("entries", "count <= 2_000_000"), Outcome::Met);
        assert_eq!(outcome("entries", "count < 2_000_000"), Outcome::Missed);
        assert_eq!(outcome("hits", "ratio >= 0.75"), Outcome::Met);
        assert_eq!(outcome("hits", "ratio > 0.75"), Outcome::Missed);
    }

    #[test]
    fn what_was_not_measured_is_neither_met_nor_missed() {
        assert_eq!(outcome("get", "p(99.99) < 1ms"), Outcome::NotMeasured);
        assert_eq!(outcome("put", "p(99) < 1ms"), Outcome::NotMeasured);
        assert_eq!(outcome("expiry_lag", "max < 1s"), Outcome::NotMeasured);
    }
}
