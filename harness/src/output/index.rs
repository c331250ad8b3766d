//! `results/README.md`: the latest committed figures of every workload, target and machine, and
//! how the main one went from revision to revision.
//!
//! Made from the reports alone and sorted throughout: the same reports give the same page.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use super::figures::{bytes_per_entry, hit_share, median};
use super::grid::Grid;
use super::summary::primary_verb;
use super::trend;
use crate::report::load::read;
use crate::report::verdict::Outcome;
use crate::report::{Machine, Report};
use crate::workload::units;

const INTRODUCTION: &str = "# Results\n\n\
    Generated from the reports in this folder by `harness index`; do not edit. For each workload, \
    target and machine the latest report is shown. `harness show REPORT` prints one in full, `harness html REPORT` draws it.\n\n\
    Figures are medians over repeats, each a fresh process. Latencies are of the phase's gets, or \
    of its only verb. A closed loop measures service time, a paced phase response time from the \
    intended start. `-` means too few samples to tell.\n\n\
    Below each table the main figure, revision by revision, in a picture for each machine: \
    points are medians, bars reach from the lowest repeat to the highest.\n";

/// A file that is made from reports: where it belongs, and its text.
pub type Made = (PathBuf, String);

/// Reads every report under `folder` and makes the page, and after it the pictures that it shows.
///
/// # Errors
/// If the folder or a report in it cannot be read; names the file.
pub fn pages(folder: &Path) -> Result<Vec<Made>, String> {
    let all = full(folder)?;
    let reports = latest(all.iter().map(|(_, report)| report.clone()).collect());
    let mut text = INTRODUCTION.to_owned();
    let mut pictures = Vec::new();
    for of_one in reports.chunk_by(|a, b| a.workload.name == b.workload.name) {
        let workload = &of_one[0].workload;
        let _ =
            write!(text, "\n## {}\n\n{}\n\n{}", workload.name, workload.question, table(of_one));
        for (path, title, svg) in trends(folder, &workload.name, &all) {
            let _ = write!(text, "\n![{title}]({})\n", path.display());
            pictures.push((folder.join(path), svg));
        }
    }
    text += &machines(&reports);
    let mut made = vec![(folder.join("README.md"), text)];
    made.append(&mut pictures);
    Ok(made)
}

/// Every report under `folder` that is not of a quick run, with where it lies.
///
/// # Errors
/// If the folder or a report in it cannot be read; names the file.
pub fn full(folder: &Path) -> Result<Vec<(PathBuf, Report)>, String> {
    let mut all = Vec::new();
    for path in reports_in(folder)? {
        let report = read(&path)?;
        if !report.workload.quick {
            all.push((path, report));
        }
    }
    Ok(all)
}

/// The trends of a workload: where below `folder` they belong, their titles and pictures.
fn trends(
    folder: &Path,
    workload: &str,
    all: &[(PathBuf, Report)],
) -> Vec<(PathBuf, String, String)> {
    let own = || all.iter().filter(|(_, report)| report.workload.name == workload);
    // Where the reports lie, whatever name they give themselves.
    let below = own().find_map(|(path, _)| path.parent()?.parent()?.strip_prefix(folder).ok());
    let Some(below) = below else { return Vec::new() };
    let reports: Vec<&Report> = own().map(|(_, report)| report).collect();
    let trends = trend::of_workload(&reports).into_iter().map(|trend| {
        let machine: String = trend.machine.chars().filter(char::is_ascii_alphanumeric).collect();
        (below.join(format!("trend-{machine}.svg")), trend.title, trend.svg)
    });
    trends.collect()
}

/// The latest report of each workload, case, target and machine, in this order.
#[must_use]
pub fn latest(reports: Vec<Report>) -> Vec<Report> {
    let mut latest: BTreeMap<[String; 4], Report> = BTreeMap::new();
    for report in reports {
        let key = key(&report);
        if latest.get(&key).is_none_or(|other| other.started < report.started) {
            latest.insert(key, report);
        }
    }
    latest.into_values().collect()
}

/// Puts reports into the order of their workload, case, target, machine and time.
pub fn sort(reports: &mut [Report]) {
    reports.sort_by_cached_key(|report| (key(report), report.started.clone()));
}

fn key(report: &Report) -> [String; 4] {
    [
        report.workload.name.clone(),
        sortable(report.workload.case.as_deref().unwrap_or_default()),
        report.target.clone(),
        report.machine.id.clone(),
    ]
}

/// Reports lie at `<workload>/<target>/<name>.json`.
fn reports_in(folder: &Path) -> Result<Vec<PathBuf>, String> {
    let mut level = vec![folder.to_owned()];
    for _ in 0..3 {
        let mut next = Vec::new();
        for path in level.iter().filter(|path| path.is_dir()) {
            let entries = fs::read_dir(path).map_err(|e| format!("{}: {e}", path.display()))?;
            for entry in entries {
                next.push(entry.map_err(|e| format!("{}: {e}", path.display()))?.path());
            }
        }
        level = next;
    }
    level.retain(|path| path.extension().is_some_and(|extension| extension == "json"));
    level.sort();
    Ok(level)
}

/// Digits are padded, so that `keys=500000` comes before `keys=1000000`.
pub(super) fn sortable(case: &str) -> String {
    case.split(',')
        .map(|part| match part.split_once('=') {
            Some((name, number)) => format!("{name}={number:0>12}"),
            None => part.to_owned(),
        })
        .collect::<Vec<_>>()
        .join(",")
}

fn table(reports: &[Report]) -> String {
    let headers = [
        "target",
        "case",
        "phase",
        "rate",
        "ns/op",
        "p50",
        "p95",
        "p99",
        "p99.9",
        "hits",
        "B/entry",
        "SLO",
        "false answers",
        "revision",
        "date",
        "machine",
    ];
    let mut grid = Grid::new(3, &headers);
    for report in reports {
        for phase in report.merged.iter().filter(|phase| phase.report) {
            let verb = primary_verb(phase);
            let quantile =
                |pick: fn(&crate::report::merge::MergedVerb) -> Option<&crate::report::Spread>| {
                    median(verb.and_then(pick), units::show_ns)
                };
            grid.push(vec![
                report.target.clone(),
                report.workload.case.clone().unwrap_or_else(|| "-".to_owned()),
                phase.name.clone(),
                median(Some(&phase.throughput), units::show_rate),
                median(Some(&phase.thread_ns_per_op), |ns| format!("{ns:.0}")),
                quantile(|verb| verb.p50_ns.as_ref()),
                quantile(|verb| verb.p95_ns.as_ref()),
                quantile(|verb| verb.p99_ns.as_ref()),
                quantile(|verb| verb.p999_ns.as_ref()),
                // Where all fits, a miss is the workload's doing and no figure of the target.
                match report.workload.effective.run.bound {
                    Some(_) => hit_share(phase),
                    None => "-".to_owned(),
                },
                median(phase.bytes_per_entry.as_ref(), bytes_per_entry),
                slo(report, &phase.name),
                phase.counts.false_answers().to_string(),
                report.revision.to_string(),
                report.started.get(..10).unwrap_or_default().to_owned(),
                report.machine.id.clone(),
            ]);
        }
    }
    grid.without_empty_columns().markdown()
}

fn slo(report: &Report, phase: &str) -> String {
    let outcomes = || report.verdicts.iter().filter(|v| v.phase == phase).map(|v| v.outcome);
    let missed = outcomes().filter(|outcome| *outcome == Outcome::Missed).count();
    let met = outcomes().filter(|outcome| *outcome == Outcome::Met).count();
    match (missed, met) {
        (0, 0) => "-".to_owned(),
        (0, _) => "met".to_owned(),
        (missed, met) => format!("**{missed} of {} missed**", missed + met),
    }
}

fn machines(reports: &[Report]) -> String {
    let machines: BTreeMap<&str, &Machine> =
        reports.iter().map(|report| (report.machine.id.as_str(), &report.machine)).collect();
    if machines.is_empty() {
        return "\nNo reports yet.\n".to_owned();
    }
    let mut grid = Grid::new(6, &["machine", "CPU", "cores", "memory", "kernel", "virtualization"]);
    for machine in machines.values() {
        grid.push(vec![
            machine.id.clone(),
            machine.cpu.clone(),
            machine.cores.to_string(),
            units::show_bytes(super::figures::to_f64(machine.memory_bytes)),
            machine.kernel.clone(),
            machine.virtualization.clone(),
        ]);
    }
    format!("\n## Machines\n\n{}", grid.markdown())
}
