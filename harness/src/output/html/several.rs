//! Several reports of one workload beside each other: targets, and the points of a sweep.

use std::collections::BTreeSet;

use super::spectrum::{self, Entry};
use super::{parts, single};
use crate::output::chart::{Axis, Chart, Line};
use crate::output::figures::point;
use crate::output::markup::Markup;
use crate::output::summary::{primary_verb, primary_verb_name, sweep_table};
use crate::report::{MergedPhase, Report, Spread};
use crate::workload::units;

/// What all reports of a page say together.
///
/// # Errors
/// If a histogram cannot be read.
pub(super) fn sections(markup: &mut Markup, reports: &[Report]) -> Result<(), String> {
    let spectra = spectra(reports)?;
    parts::notes(markup, &differences(reports));
    markup.element("h2", &[], "Side by side");
    parts::table(markup, "All reports", &sweep_table(&reports.iter().collect::<Vec<_>>()));
    let scaling = scaling(reports);
    if !scaling.is_empty() {
        markup.element("h2", &[], "Scaling");
        parts::paragraph(
            markup,
            "soft",
            "Medians over repeats; bars reach from the lowest to the highest.",
        );
        parts::figures(markup, &scaling);
    }
    markup.element("h2", &[], "Percentiles");
    parts::figures(markup, &spectra);
    Ok(())
}

/// What makes reports on one page hard to compare.
fn differences(reports: &[Report]) -> Vec<String> {
    let distinct = |what: &str, remedy: &str, pick: &dyn Fn(&Report) -> String| {
        let found: BTreeSet<String> = reports.iter().map(pick).collect();
        let list = found.iter().cloned().collect::<Vec<_>>().join(", ");
        (found.len() > 1).then(|| format!("{what}: {list}. {remedy}"))
    };
    let mut notes: Vec<String> = [
        distinct("Measured on different machines", "Ratios between them mean little.", &|report| {
            report.machine.id.clone()
        }),
        distinct(
            "Measured at different revisions",
            "What differs may be the sources.",
            &|report| report.revision.commit.clone(),
        ),
    ]
    .into_iter()
    .flatten()
    .collect();
    let mut digests: BTreeSet<(&Option<String>, &str)> = BTreeSet::new();
    let mut cases = BTreeSet::new();
    for report in reports {
        digests.insert((&report.workload.case, &report.ops_digest));
        cases.insert(&report.workload.case);
    }
    if digests.len() > cases.len() {
        notes
            .push("Reports of one case replayed different operations: do not compare them.".into());
    }
    let warned = reports.iter().filter(|report| !report.warnings.is_empty()).count();
    if warned > 0 {
        let of = reports.len();
        notes
            .push(format!("{warned} of {of} reports carry warnings of their own, told with each."));
    }
    notes
}

/// The number that a case sets, and its name: `keys=500000`.
fn position(report: &Report) -> Option<(&str, f64)> {
    let (name, number) = report.workload.case.as_deref()?.split_once('=')?;
    Some((name, number.parse().ok()?))
}

/// How the figures of each phase change along a sweep of one number.
fn scaling(reports: &[Report]) -> Vec<(String, Chart)> {
    let Some(positions) = reports.iter().map(position).collect::<Option<Vec<_>>>() else {
        return Vec::new();
    };
    let names: BTreeSet<&str> = positions.iter().map(|(name, _)| *name).collect();
    let mut places: Vec<f64> = positions.iter().map(|(_, place)| *place).collect();
    places.sort_by(f64::total_cmp);
    places.dedup();
    let (Some(name), 1, 2..) = (names.first(), names.len(), places.len()) else {
        return Vec::new();
    };
    let ticks: Vec<(f64, String)> = places.iter().map(|place| (*place, short(*place))).collect();
    let mut charts = Vec::new();
    for phase in phases(reports) {
        for figure in FIGURES {
            let lines = scaling_lines(reports, phase, figure);
            let all = || lines.iter().flat_map(|line| &line.ranges).map(|range| range.2);
            let y = Axis::linear(figure.name, all(), 1.0, figure.show);
            if let (Some(x), Some(y)) = (Axis::at(name, ticks.clone()), y) {
                let summary = format!("{} of {phase} by {name}", figure.name);
                let chart = Chart { summary, x, y, bands: Vec::new(), marks: Vec::new(), lines };
                charts.push((format!("{phase}: {}", figure.name), chart));
            }
        }
    }
    charts
}

/// A figure that a sweep is about.
struct Figure {
    name: &'static str,
    show: fn(f64) -> String,
    pick: fn(&MergedPhase) -> Option<Spread>,
}

const FIGURES: &[Figure] = &[
    Figure { name: "throughput", show: units::show_rate, pick: |phase| Some(phase.throughput) },
    Figure {
        name: "average time of an operation",
        show: units::show_ns,
        pick: |phase| Some(phase.thread_ns_per_op),
    },
    Figure {
        name: "p99",
        show: units::show_ns,
        pick: |phase| primary_verb(phase).and_then(|verb| verb.p99_ns),
    },
    Figure {
        name: "bytes an entry",
        show: |bytes| format!("{bytes:.1}B"),
        pick: |phase| phase.bytes_per_entry,
    },
];

fn scaling_lines(reports: &[Report], phase: &str, figure: &Figure) -> Vec<Line> {
    targets(reports)
        .iter()
        .enumerate()
        .map(|(style, target)| {
            let points =
                reports.iter().filter(|report| report.target == *target).filter_map(|report| {
                    let of_phase = report.merged.iter().find(|other| other.name == phase);
                    let (spread, (name, x)) = (of_phase.and_then(figure.pick)?, position(report)?);
                    let value = (figure.show)(spread.median);
                    Some(point(x, spread, format!("{target} {name}={} {value}", short(x)), ""))
                });
            Line::through(target, style, points.collect())
        })
        .collect()
}

/// For each reported phase the spectra of all targets, at the last case of a sweep.
fn spectra(reports: &[Report]) -> Result<Vec<(String, Chart)>, String> {
    let last = reports.last().and_then(|report| report.workload.case.clone());
    let of_case: Vec<&Report> =
        reports.iter().filter(|report| report.workload.case == last).collect();
    let at = last.map_or_else(String::new, |case| format!(", {case}"));
    let targets = targets(reports);
    let mut charts = Vec::new();
    for name in phases(reports) {
        let entries: Vec<Entry<'_>> = of_case
            .iter()
            .filter_map(|report| {
                let phase = report.merged.iter().find(|phase| phase.name == name)?;
                let style = targets.iter().position(|target| *target == report.target);
                let (label, verb) = (report.target.clone(), primary_verb(phase)?);
                Some(Entry { label, style: style.unwrap_or_default(), verb })
            })
            .collect();
        let of = format!("{name}{at}");
        let phase = of_case.iter().find_map(|report| report.merged.iter().find(|p| p.name == name));
        if let (Some(phase), Some(chart)) = (phase, spectrum::chart(&of, &entries, &[])?) {
            let verb = primary_verb_name(phase).unwrap_or_default();
            charts.push((format!("{of}: {} of {verb}", single::kind(phase)), chart));
        }
    }
    Ok(charts)
}

/// Reported phases, in the order they ran.
fn phases(reports: &[Report]) -> Vec<&str> {
    let phases = reports.first().map(|report| report.merged.as_slice()).unwrap_or_default();
    phases.iter().filter(|phase| phase.report).map(|phase| phase.name.as_str()).collect()
}

fn targets(reports: &[Report]) -> BTreeSet<&str> {
    reports.iter().map(|report| report.target.as_str()).collect()
}

/// `500000` as `500k`.
fn short(number: f64) -> String {
    match number {
        n if n >= 1e6 => format!("{}M", n / 1e6),
        n if n >= 1e3 => format!("{}k", n / 1e3),
        n => format!("{n}"),
    }
}
