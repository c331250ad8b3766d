//! The percentile spectrum: which latency so many of the operations stay below.

use crate::output::chart::{Axis, Chart, Dot, Line, Mark};
use crate::output::figures::to_f64;
use crate::report::histogram::percentile;
use crate::report::merge::MergedVerb;
use crate::report::verdict::{Outcome, Verdict};
use crate::workload::slo::Statistic;
use crate::workload::units;

/// Points of a line for each nine.
const POINTS_PER_NINE: i32 = 24;
/// Percentiles that are told when pointed at.
const TOLD: [f64; 7] = [50.0, 90.0, 95.0, 99.0, 99.9, 99.99, 99.999];

/// The axis reaches so many times farther than an objective.
const OBJECTIVE_ROOM: f64 = 1.6;

/// One line of a spectrum.
pub(super) struct Entry<'a> {
    pub(super) label: String,
    /// Which colour: the same for the same thing in every chart of a page.
    pub(super) style: usize,
    pub(super) verb: &'a MergedVerb,
}

/// A spectrum with a line for each entry. `None` if nothing has enough samples.
///
/// # Errors
/// If a histogram cannot be read.
pub(super) fn chart(
    of: &str,
    entries: &[Entry<'_>],
    objectives: &[&Verdict],
) -> Result<Option<Chart>, String> {
    let mut lines = Vec::new();
    for entry in entries {
        lines.push(Line { style: entry.style, ..line(&entry.label, entry.verb)? });
    }
    lines.retain(|line| line.stretches.iter().any(|stretch| stretch.len() > 1));
    let marks: Vec<Mark> = objectives.iter().filter_map(|verdict| mark(verdict)).collect();
    let points = || lines.iter().flat_map(|line| line.stretches.iter().flatten());
    let bounds = marks.iter().filter_map(|mark| match mark {
        // Its triangle takes room above its tip.
        Mark::Objective { y, .. } => Some(*y * OBJECTIVE_ROOM),
        Mark::Level { .. } => None,
    });
    let name = "latency (log scale)";
    let y = Axis::log(name, points().map(|point| point.1).chain(bounds), units::show_ns);
    let one_in_max = points().map(|point| point.0).fold(0.0, f64::max);
    let labels: Vec<&str> = lines.iter().map(|line| line.label.as_str()).collect();
    let summary = format!("Percentile spectrum of {of}: {}", labels.join(", "));
    let Some(y) = y.filter(|_| one_in_max > 0.0) else { return Ok(None) };
    let x = Axis::percentiles(one_in_max);
    let marks = marks.into_iter().filter(|mark| match mark {
        Mark::Objective { x, .. } => *x <= one_in_max,
        Mark::Level { .. } => true,
    });
    Ok(Some(Chart { summary, x, y, bands: Vec::new(), marks: marks.collect(), lines }))
}

fn line(label: &str, verb: &MergedVerb) -> Result<Line, String> {
    let histogram = verb.latency.decode()?;
    // The rule that hides what is chance ends the line.
    let at = |percentage: f64| percentile(&histogram, percentage).map(|ns| to_f64(ns).max(1.0));
    let samples = to_f64(histogram.len());
    let one_in_max = samples / 10.0;
    let all = (0..10 * POINTS_PER_NINE)
        .map(|number| 10f64.powf(f64::from(number) / f64::from(POINTS_PER_NINE)))
        .take_while(|one_in| *one_in < one_in_max)
        .chain((one_in_max > 1.0).then_some(one_in_max));
    let points =
        all.filter_map(|one_in| Some((one_in, at(100.0 - 100.0 / one_in)?))).collect::<Vec<_>>();
    let dots = TOLD
        .into_iter()
        .filter_map(|percentage| {
            let y = at(percentage)?;
            let text = format!("{label} p{percentage} {}", units::show_ns(y));
            Some(Dot { x: 100.0 / (100.0 - percentage), y, text, seen: true })
        })
        .collect();
    Ok(Line { label: label.to_owned(), stretches: vec![points], dots, ..Line::default() })
}

/// Where an objective about a percentile lies.
fn mark(verdict: &Verdict) -> Option<Mark> {
    let Statistic::Percentile(percentage) = verdict.objective.statistic else { return None };
    let outcome = match verdict.outcome {
        Outcome::Met => "met",
        Outcome::Missed => "missed",
        Outcome::NotMeasured => "not measured",
    };
    let objective = &verdict.objective;
    let text = format!("objective: {} {}, {outcome}", objective.subject, objective.text);
    Some(Mark::Objective { x: 100.0 / (100.0 - percentage), y: objective.bound, text })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::histogram::latencies;
    use crate::report::{Encoded, Quantiles};

    fn verb(samples: u64) -> MergedVerb {
        let mut histogram = latencies();
        (1..=samples).for_each(|value| histogram.record(value * 100).expect("in range"));
        MergedVerb {
            ops: samples,
            quantiles: Quantiles::of(&histogram),
            p50_ns: None,
            p95_ns: None,
            p99_ns: None,
            p999_ns: None,
            latency: Encoded::new(&histogram),
        }
    }

    #[test]
    fn a_line_ends_where_fewer_than_ten_samples_lie_above() {
        let line = line("get", &verb(5_000)).expect("readable");
        let (one_in, ns) = *line.stretches[0].last().expect("points");
        assert!((one_in - 500.0).abs() < 1e-6 && (498_000.0..500_000.0).contains(&ns), "{ns}");
        assert_eq!(line.dots.last().expect("dots").text, "get p99 495us");
    }

    #[test]
    fn too_few_samples_make_no_chart() {
        for samples in [0, 1, 9, 10] {
            let verb = verb(samples);
            let entry = Entry { label: "get".into(), style: 0, verb: &verb };
            assert_eq!(chart("x", &[entry], &[]), Ok(None), "{samples}");
        }
    }
}
