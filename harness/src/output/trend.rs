//! How a workload's main figure went from revision to revision, as a picture for each machine.
//!
//! The figure is the throughput of the first closed phase after the load, at the last case of a
//! sweep; of a workload that is all paced, the 99th percentile of its first phase.

use std::collections::BTreeMap;

use super::chart::{Axis, Chart, Line};
use super::figures::point;
use super::index::sortable;
use super::summary::{primary_verb, primary_verb_name};
use crate::report::{MergedPhase, Report, Spread};
use crate::workload::model::LOAD;
use crate::workload::units;

/// So much of a revision is written below the axis.
const REVISION_SHOWN: usize = 7;

/// A picture of one workload on one machine.
pub(super) struct Trend {
    /// The machine's short hash.
    pub(super) machine: String,
    /// What is drawn, in words.
    pub(super) title: String,
    /// The picture.
    pub(super) svg: String,
}

/// The trends of one workload, machine by machine; `reports` are all of it.
pub(super) fn of_workload(reports: &[&Report]) -> Vec<Trend> {
    let case = |report: &Report| sortable(report.workload.case.as_deref().unwrap_or_default());
    let last = reports.iter().map(|report| case(report)).max();
    let mut machines: BTreeMap<&str, Vec<&Report>> = BTreeMap::new();
    for report in reports.iter().filter(|report| Some(case(report)) == last) {
        machines.entry(&report.machine.id).or_default().push(report);
    }
    machines.into_iter().filter_map(|(machine, reports)| of_machine(machine, reports)).collect()
}

fn of_machine(machine: &str, mut reports: Vec<&Report>) -> Option<Trend> {
    reports.sort_by(|a, b| (&a.started, &a.target).cmp(&(&b.started, &b.target)));
    let phase = main_phase(reports.last()?)?;
    let (name, figure) = figure(phase);
    let mut revisions: Vec<String> =
        reports.iter().map(|report| report.revision.to_string()).collect();
    let mut seen = Vec::new();
    revisions.retain(|revision| {
        let new = !seen.contains(revision);
        seen.push(revision.clone());
        new
    });
    let place = |report: &Report| {
        let position = revisions.iter().position(|other| *other == report.revision.to_string());
        u32::try_from(position.unwrap_or_default()).map_or(0.0, f64::from)
    };
    let lines = lines(&reports, &phase.name, &figure, &place);
    let tops = || lines.iter().flat_map(|line| &line.ranges).map(|range| range.2);
    let y = Axis::linear(&name, tops(), 1.0, figure.show)?;
    let ticks = (0u32..).zip(&revisions).map(|(number, revision)| {
        (f64::from(number), revision.chars().take(REVISION_SHOWN).collect())
    });
    let along = if lines.iter().any(|line| line.stretches.len() > 1) {
        "revision, in the order of measuring; a gap: other operations"
    } else {
        "revision, in the order of measuring"
    };
    let x = Axis::at(along, ticks.collect())?;
    let workload = &reports[0].workload;
    let case = workload.case.as_ref().map_or_else(String::new, |case| format!(", {case}"));
    let heading = format!("{}{case}: {}", workload.name, phase.name);
    let title = format!("{heading}: {name}");
    let summary = format!("{title}, on machine {machine}, for revisions {}", revisions.join(", "));
    let chart = Chart { summary, x, y, bands: Vec::new(), marks: Vec::new(), lines };
    let svg = chart.document(&heading);
    Some(Trend { machine: machine.to_owned(), title, svg })
}

struct Figure {
    show: fn(f64) -> String,
    pick: fn(&MergedPhase) -> Option<Spread>,
}

fn main_phase(report: &Report) -> Option<&MergedPhase> {
    let phases = || report.merged.iter().filter(|phase| phase.report);
    let after_load = || phases().filter(|phase| phase.name != LOAD);
    after_load().find(|phase| !phase.open_loop).or_else(|| after_load().next()).or(phases().next())
}

fn figure(phase: &MergedPhase) -> (String, Figure) {
    if phase.open_loop {
        let verb = primary_verb_name(phase).unwrap_or_default();
        let pick = |phase: &MergedPhase| primary_verb(phase).and_then(|verb| verb.p99_ns);
        return (format!("p99 of {verb}, lower is better"), Figure { show: units::show_ns, pick });
    }
    let pick = |phase: &MergedPhase| Some(phase.throughput);
    let name = "throughput, higher is better".to_owned();
    (name, Figure { show: units::show_rate, pick })
}

/// A line for each target; of several reports of one revision the latest counts.
fn lines(
    reports: &[&Report],
    phase: &str,
    figure: &Figure,
    place: &dyn Fn(&Report) -> f64,
) -> Vec<Line> {
    let mut targets: BTreeMap<&str, BTreeMap<String, &Report>> = BTreeMap::new();
    for report in reports {
        targets.entry(&report.target).or_default().insert(report.revision.to_string(), report);
    }
    let line = |(style, (target, reports)): (usize, (&&str, &BTreeMap<String, &Report>))| {
        let points = reports.iter().filter_map(|(revision, report)| {
            let of_phase = report.merged.iter().find(|other| other.name == phase);
            let spread = of_phase.and_then(figure.pick)?;
            let text = format!("{target} at {revision}: {}", (figure.show)(spread.median));
            Some(point(place(report), spread, text, &report.ops_digest))
        });
        Line::through(target, style, points.collect())
    };
    targets.iter().enumerate().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::load;

    fn report(commit: &str, started: &str, machine: &str) -> Report {
        let text = include_str!("../../tests/reports/v1-smoke.json");
        let mut report = load::parse("tiny", text).expect("a report");
        commit.clone_into(&mut report.revision.commit);
        started.clone_into(&mut report.started);
        machine.clone_into(&mut report.machine.id);
        report
    }

    fn of(reports: &[Report]) -> Vec<Trend> {
        of_workload(&reports.iter().collect::<Vec<_>>())
    }

    #[test]
    fn revisions_follow_each_other_in_time_and_machines_do_not_mix() {
        let reports = [
            report("bbbbbbbbbb", "2026-02-01T00:00:00Z", "one"),
            report("aaaaaaaaaa", "2026-03-01T00:00:00Z", "one"),
            report("cccccccccc", "2026-01-01T00:00:00Z", "two"),
        ];
        let trends = of(&reports);
        assert_eq!(trends.iter().map(|trend| &*trend.machine).collect::<Vec<_>>(), ["one", "two"]);
        let svg = &trends[0].svg;
        assert!(svg.contains("revisions bbbbbbbbbb, aaaaaaaaaa") && !svg.contains("cccc"), "{svg}");
        let turned: Vec<Report> = reports.iter().rev().cloned().collect();
        assert_eq!(of(&turned)[0].svg, *svg, "the order of the files does not matter");
    }

    #[test]
    fn what_replayed_other_operations_is_not_joined() {
        let first = report("aaaaaaaaaa", "2026-01-01T00:00:00Z", "one");
        let mut other = report("bbbbbbbbbb", "2026-01-02T00:00:00Z", "one");
        let joined = |reports: &[Report]| -> bool {
            let svg = &of(reports)[0].svg;
            let (_, path) = svg.split_once("class=\"line s0\" d=\"").expect("a line");
            assert_eq!(svg.matches("<circle").count(), 2);
            path.split_once('"').expect("its end").0.contains('L')
        };
        assert!(joined(&[first.clone(), other.clone()]));
        other.ops_digest.push('x');
        assert!(!joined(&[first, other]));
    }

    #[test]
    fn a_revision_measured_again_has_one_point() {
        let first = report("aaaaaaaaaa", "2026-01-01T00:00:00Z", "one");
        let again = report("aaaaaaaaaa", "2026-01-02T00:00:00Z", "one");
        let [alone, both] = [of(std::slice::from_ref(&again)), of(&[first, again])];
        assert_eq!(alone[0].svg, both[0].svg);
    }
}
