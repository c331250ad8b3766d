//! The steps of a ramp: what was asked for, what was reached, and who was the limit.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::VerbRecord;
use super::histogram::{Encoded, Quantiles};
use super::merge::{MergedPhase, MergedVerb, Spread, count, merge_verbs, pour};
use super::verdict::{Outcome, Verdict, of_lateness, of_value, of_verb};
use crate::workload::slo::Objective;

/// A rate is reached if no more than this share of what was due stayed behind..
const BEHIND_MAX: f64 = 0.03;
/// ..or no more than so many operations.
const BEHIND_MAX_OPS: f64 = 10.0;

/// One step of one repeat.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StepRecord {
    /// The mean rate that was asked for.
    pub asked_per_second: f64,
    /// How long it lasted.
    pub seconds: f64,
    /// Operations whose time came in it, issued or not.
    pub due: u64,
    /// Operations that were answered in it, whenever their time had come.
    pub answered: u64,
    /// Operations whose time came in it, but that were not issued before the phase ended.
    pub unissued: u64,
    /// Response times of what was due in it, by verb.
    pub verbs: BTreeMap<String, VerbRecord>,
    /// How late what was due in it was issued.
    pub lateness: Encoded,
    /// How late it would have been through the generator's fault alone.
    pub own_lateness: Encoded,
}

/// One step over all repeats.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MergedStep {
    /// The mean rate that was asked for.
    pub asked_per_second: f64,
    /// The rate at which operations became due: what was asked for, but for chance.
    pub offered: Spread,
    /// The rate at which operations were answered.
    pub achieved: Spread,
    /// Sum over the repeats.
    pub unissued: u64,
    /// Response times by verb.
    pub verbs: BTreeMap<String, MergedVerb>,
    /// How late operations were issued.
    pub lateness: Quantiles,
    /// How late they would have been through the generator's fault alone.
    pub own_lateness: Quantiles,
    /// Who kept the offered rate from being reached; `None` if it was.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub limit: Option<Limit>,
    /// The objectives that are about one step, and whether they were met in it.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub verdicts: Vec<Verdict>,
}

/// Who kept a rate from being reached, or a time from being short.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Limit {
    /// The target: it took too long to answer.
    Target,
    /// The load generator, or the machine it shares with the target.
    Generator,
}

impl Limit {
    /// The word for it in tables.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Target => "target",
            Self::Generator => "generator",
        }
    }

    /// Who is to blame for a time of which the generator's own fault explains `own_ns`: the
    /// generator, from a half.
    #[must_use]
    pub fn of(time_ns: f64, own_ns: f64) -> Self {
        if own_ns * 2.0 > time_ns { Self::Generator } else { Self::Target }
    }

    /// Who kept `answered` behind `due`, if it did.
    #[must_use]
    pub fn of_rate(due: u64, answered: u64, late: &Quantiles, own: &Quantiles) -> Option<Self> {
        let behind = count(due.saturating_sub(answered));
        let is_reached = behind <= (count(due) * BEHIND_MAX).max(BEHIND_MAX_OPS);
        (!is_reached).then(|| Self::of(late.mean_ns, own.mean_ns))
    }
}

/// Merges step by step; one list a repeat.
pub(super) fn merge(repeats: &[&[StepRecord]]) -> Result<Vec<MergedStep>, String> {
    let steps = repeats.first().map_or(0, |steps| steps.len());
    if repeats.iter().any(|others| others.len() != steps) {
        return Err("the repeats disagree about the steps of a ramp".to_owned());
    }
    let of_number = |number| repeats.iter().map(|steps| &steps[number]).collect::<Vec<_>>();
    (0..steps).map(|number| merge_step(&of_number(number))).collect()
}

fn merge_step(repeats: &[&StepRecord]) -> Result<MergedStep, String> {
    let rate = |ops: fn(&StepRecord) -> u64| {
        let rates = repeats.iter().map(|step| Some(count(ops(step)) / step.seconds.max(1e-9)));
        Spread::of(rates).ok_or("a report without repeats")
    };
    let quantiles = |pick: fn(&StepRecord) -> &Encoded| {
        let all = pour(repeats.iter().map(|step| pick(step)))?;
        Ok::<_, String>(all.map(|all| Quantiles::of(&all)).unwrap_or_default())
    };
    let sum = |ops: fn(&StepRecord) -> u64| repeats.iter().map(|step| ops(step)).sum::<u64>();
    let lateness = quantiles(|step| &step.lateness)?;
    let own_lateness = quantiles(|step| &step.own_lateness)?;
    let (due, answered) = (sum(|step| step.due), sum(|step| step.answered));
    Ok(MergedStep {
        asked_per_second: repeats[0].asked_per_second,
        offered: rate(|step| step.due)?,
        achieved: rate(|step| step.answered)?,
        unissued: sum(|step| step.unissued),
        verbs: merge_verbs(&repeats.iter().map(|step| &step.verbs).collect::<Vec<_>>())?,
        limit: Limit::of_rate(due, answered, &lateness, &own_lateness),
        lateness,
        own_lateness,
        verdicts: Vec::new(),
    })
}

/// Whether an objective of a ramp is to be met in each of its steps.
pub(super) fn concerns(objective: &Objective) -> bool {
    objective.is_of_rate()
}

/// Judges each step of a phase by those of its objectives that are about one.
///
/// # Errors
/// If a histogram cannot be read.
pub fn judge(phase: &mut MergedPhase, objectives: &[Objective]) -> Result<(), String> {
    for step in &mut phase.steps {
        let own = objectives.iter().filter(|objective| concerns(objective));
        let verdicts =
            own.map(|own| Ok::<_, String>(of_value(&phase.name, own, measure(step, own)?)));
        step.verdicts = verdicts.collect::<Result<_, _>>()?;
    }
    Ok(())
}

/// The verdict on a whole ramp: that of its worst step.
pub(super) fn worst(phase: &MergedPhase, objective: &Objective) -> Result<Verdict, String> {
    let mut worst = of_value(&phase.name, objective, None);
    for step in &phase.steps {
        let verdict = of_value(&phase.name, objective, measure(step, objective)?);
        let rank = |verdict: &Verdict| match verdict.outcome {
            Outcome::NotMeasured => 0,
            Outcome::Met => 1,
            Outcome::Missed => 2,
        };
        // Times are to be short, whatever else they are compared with.
        let is_longer = verdict.measured > worst.measured;
        if rank(&verdict) > rank(&worst) || rank(&verdict) == rank(&worst) && is_longer {
            worst = verdict;
        }
    }
    Ok(worst)
}

fn measure(step: &MergedStep, objective: &Objective) -> Result<Option<f64>, String> {
    match objective.subject.as_str() {
        "lateness" => Ok(of_lateness(&step.lateness, objective)),
        verb => of_verb(step.verbs.get(verb), objective),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::histogram::{coarse, latencies};
    use crate::report::{Counts, Memory, PhaseRecord, Series, merge, verdict};
    use crate::target::Facts;
    use crate::workload::slo;

    fn verb(samples: u64, ns: u64) -> VerbRecord {
        let mut histogram = latencies();
        histogram.record_n(ns, samples).expect("in range");
        VerbRecord { ops: samples, latency: Encoded::new(&histogram) }
    }

    fn step(samples: u64, ns: u64) -> StepRecord {
        StepRecord {
            asked_per_second: 1_000.0,
            seconds: 1.0,
            due: samples,
            answered: samples,
            unissued: 0,
            verbs: [("get".to_owned(), verb(samples, ns))].into(),
            lateness: Encoded::new(&coarse()),
            own_lateness: Encoded::new(&coarse()),
        }
    }

    #[test]
    fn a_ramp_is_as_good_as_its_worst_step() {
        let phase = PhaseRecord {
            name: "up".into(),
            report: true,
            open_loop: true,
            threads: 1,
            seconds: 2.0,
            ops: 10_100,
            verbs: [("get".to_owned(), verb(10_000, 100_000))].into(),
            counts: Counts::default(),
            lateness: None,
            own_lateness: None,
            steps: vec![step(10_000, 100_000), step(100, 50_000_000)],
            memory: Memory::default(),
            facts: Facts::default(),
            series: Series::default(),
        };
        let mut merged = merge::of_one(&phase).expect("whole");
        let objective = slo::parse("get", "p(50) < 1ms").expect("valid");
        judge(&mut merged, std::slice::from_ref(&objective)).expect("whole");
        let outcomes: Vec<Outcome> =
            merged.steps.iter().map(|step| step.verdicts[0].outcome).collect();
        assert_eq!(outcomes, [Outcome::Met, Outcome::Missed]);
        let whole = verdict::judge(&merged, &[objective]).expect("whole").remove(0);
        assert_eq!(whole.outcome, Outcome::Missed, "most samples are of the step that is met");
        assert!(whole.measured.is_some_and(|ns| ns > 49e6), "{whole:?}");
        // What too few samples tell is not known, and does not stand for the rest.
        let strict = slo::parse("get", "p(99) < 1ms").expect("valid");
        let whole = verdict::judge(&merged, &[strict]).expect("whole").remove(0);
        assert_eq!(whole.outcome, Outcome::Met);
    }

    #[test]
    fn a_rate_is_reached_unless_more_than_a_little_stays_behind() {
        let of = |mean_ns| Quantiles { mean_ns, ..Quantiles::default() };
        let limit = |answered, own| Limit::of_rate(10_000, answered, &of(1e6), &of(own));
        assert_eq!(limit(10_000, 0.0), None);
        assert_eq!(limit(9_710, 0.0), None);
        assert_eq!(limit(9_600, 1e5), Some(Limit::Target));
        assert_eq!(limit(9_600, 9e5), Some(Limit::Generator));
        assert_eq!(limit(10_400, 9e5), None, "more than was due: a backlog is caught up");
        assert_eq!(Limit::of_rate(100, 91, &of(1e6), &of(0.0)), None, "few operations tell little");
    }
}
