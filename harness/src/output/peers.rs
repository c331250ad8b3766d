//! Targets side by side: what each did with the same operations, at one revision, on one machine.
//!
//! Made from saved reports. A column a target, a row a figure; nothing is left out for looking
//! bad, and nothing stands beside what was not run in the same way.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::figures::bytes_per_entry;
use super::grid::Grid;
use super::index::sortable;
use super::summary::{plural, primary_verb, primary_verb_name};
use crate::report::{Machine, MergedPhase, Report, Spread};
use crate::workload::model::{Capability, LOAD};
use crate::workload::units;

/// Whose column comes first.
const OURS: &str = "store";
/// The verb that has rows even where another is what a phase is about: calls that change something have
/// tails of their own.
const PUT: &str = "put";

/// Reports of one workload and case that differ in nothing but the target; the latest of each.
type Group<'a> = BTreeMap<&'a str, &'a Report>;

/// One figure of every target that has it.
struct Row {
    name: String,
    higher_is_better: bool,
    show: fn(f64) -> String,
    of_targets: BTreeMap<String, Spread>,
}

/// The table of all workloads that several targets ran at one clean revision, as Markdown: at
/// `revision`, or else at the one that was measured last. A table for each machine.
///
/// # Errors
/// If there are no two targets to put beside each other; says what to run.
pub fn tables(reports: &[Report], revision: Option<&str>) -> Result<String, String> {
    let groups = groups(reports);
    let own = |group: &Group<'_>| first(group).map(|report| report.revision.commit.clone());
    let latest = |group: &&Group<'_>| group.values().map(|report| report.started.clone()).max();
    let chosen = match revision {
        Some(wanted) => groups.iter().filter_map(own).find(|own| own.starts_with(wanted)),
        None => groups.iter().max_by_key(latest).and_then(own),
    };
    let Some(chosen) = chosen else {
        let at = revision.map_or_else(String::new, |revision| format!(" at revision {revision}"));
        return Err(format!(
            "no two targets have reports of the same workload{at}, in full and from a clean working \
             tree; `just bench-peers FILE..` makes them"
        ));
    };
    let mut machines: BTreeMap<&str, Vec<&Group<'_>>> = BTreeMap::new();
    for group in groups.iter().filter(|group| own(group).as_ref() == Some(&chosen)) {
        if let Some(report) = first(group) {
            machines.entry(&report.machine.id).or_default().push(group);
        }
    }
    let tables = machines.into_values().filter_map(|groups| on_one_machine(&groups));
    Ok(tables.collect::<Vec<_>>().join("\n"))
}

/// What may stand in one table, in the order of workloads and cases.
fn groups(reports: &[Report]) -> Vec<Group<'_>> {
    let mut groups: BTreeMap<[String; 7], Group<'_>> = BTreeMap::new();
    for report in reports.iter().filter(|report| !report.revision.dirty && !report.workload.quick) {
        let workload = &report.workload;
        let same = [
            workload.name.clone(),
            sortable(workload.case.as_deref().unwrap_or_default()),
            workload.sha256.clone(),
            workload.set.join(" "),
            report.ops_digest.clone(),
            report.machine.id.clone(),
            report.revision.commit.clone(),
        ];
        let latest = groups.entry(same).or_default().entry(&report.target).or_insert(report);
        if latest.started < report.started {
            *latest = report;
        }
    }
    groups.into_values().filter(|group| group.len() > 1).collect()
}

fn first<'a>(group: &Group<'a>) -> Option<&'a Report> {
    group.values().next().copied()
}

fn on_one_machine(groups: &[&Group<'_>]) -> Option<String> {
    let about = first(groups.first()?)?;
    let mut targets: Vec<&str> = groups.iter().flat_map(|group| group.keys().copied()).collect();
    targets.sort_by_key(|target| (*target != OURS, *target));
    targets.dedup();
    let headers: Vec<&str> =
        ["workload", "figure"].into_iter().chain(targets.iter().copied()).collect();
    let mut grid = Grid::new(2, &headers);
    for group in groups {
        let mut heading = first(group).map(heading);
        for row in rows(group) {
            let best = row.best();
            let mut cells = vec![heading.take().unwrap_or_default(), row.name.clone()];
            cells.extend(targets.iter().map(|target| row.cell(target, best.as_ref())));
            grid.push(cells);
        }
    }
    Some(format!("{}\n{}", grid.markdown(), legend(about, groups)))
}

/// The workload, its case, and what it asks of a target.
fn heading(report: &Report) -> String {
    let workload = &report.workload;
    let mut text = workload.name.clone();
    if let Some(case) = &workload.case {
        let _ = write!(text, " ({case})");
    }
    let requires = &workload.effective.run.requires;
    if !requires.is_empty() {
        let names: Vec<&str> = requires.iter().map(|capability| capability.name()).collect();
        let _ = write!(text, "\nneeds {}", names.join(", "));
    }
    text
}

/// The figures of a group: rates where operations follow each other as fast as they go, the tails
/// of the main verb, and at the end of the last phase the hits, the memory and the expiry.
fn rows(group: &Group<'_>) -> Vec<Row> {
    let Some(report) = first(group) else { return Vec::new() };
    let names: Vec<&str> =
        report.merged.iter().filter(|phase| phase.report).map(|phase| &*phase.name).collect();
    let mut rows = Vec::new();
    for (number, name) in names.iter().enumerate() {
        of_phase(group, report, name, number + 1 == names.len(), &mut rows);
    }
    rows.retain(|row| !row.of_targets.is_empty());
    rows
}

fn of_phase(group: &Group<'_>, of: &Report, name: &str, last: bool, rows: &mut Vec<Row>) {
    let of_name = |report: &&Report| report.merged.iter().position(|phase| phase.name == name);
    let phases: Vec<(&str, &MergedPhase)> = group
        .iter()
        .filter_map(|(target, report)| Some((*target, &report.merged[of_name(report)?])))
        .collect();
    let Some((_, about)) = phases.first() else { return };
    let mut add = |name: String, higher_is_better, show, pick: &dyn Fn(&MergedPhase) -> _| {
        let of_targets = phases.iter().filter_map(|(target, phase)| {
            let spread: Option<Spread> = pick(phase);
            Some(((*target).to_owned(), spread?))
        });
        let of_targets = of_targets.collect();
        rows.push(Row { name, higher_is_better, show, of_targets });
    };
    if !about.open_loop {
        add(format!("{name}: rate"), true, units::show_rate, &|phase| Some(phase.throughput));
    }
    if name != LOAD {
        let verb = primary_verb_name(about).unwrap_or_default();
        add(format!("{name}: {verb} p99"), false, units::show_ns, &|phase| {
            primary_verb(phase)?.p99_ns
        });
        add(format!("{name}: {verb} p99.9"), false, units::show_ns, &|phase| {
            primary_verb(phase)?.p999_ns
        });
        if verb != PUT {
            add(format!("{name}: {PUT} p99"), false, units::show_ns, &|phase| {
                phase.verbs.get(PUT)?.p99_ns
            });
        }
        if of.workload.effective.run.bound.is_some() {
            add(format!("{name}: hits"), true, share, &|phase| phase.counts.hit_ratio().map(alone));
        }
    }
    if last {
        add("bytes an entry".to_owned(), false, bytes_per_entry, &|phase| phase.bytes_per_entry);
        add("expiry lag p99, worst repeat".to_owned(), false, units::show_ns, &|phase| {
            let lag = phase.expiry_lag?;
            #[expect(clippy::cast_precision_loss, reason = "a lag is far below 2^53 ns")]
            Some(alone(lag.p99_ns as f64))
        });
    }
}

/// A figure that all repeats have together.
const fn alone(value: f64) -> Spread {
    Spread { median: value, min: value, max: value }
}

fn share(share: f64) -> String {
    format!("{:.2}%", 100.0 * share)
}

impl Row {
    fn best(&self) -> Option<Spread> {
        let by_median = |a: &&Spread, b: &&Spread| a.median.total_cmp(&b.median);
        let spreads = self.of_targets.values();
        if self.higher_is_better { spreads.max_by(by_median) } else { spreads.min_by(by_median) }
            .copied()
    }

    /// The median; in bold where the repeats reach as far as some of the best target's did.
    fn cell(&self, target: &str, best: Option<&Spread>) -> String {
        let (Some(own), Some(best)) = (self.of_targets.get(target), best) else {
            return "-".to_owned();
        };
        let text = (self.show)(own.median);
        let reaches = own.min <= best.max && best.min <= own.max;
        if reaches && self.of_targets.len() > 1 { format!("**{text}**") } else { text }
    }
}

fn legend(about: &Report, groups: &[&Group<'_>]) -> String {
    let Machine { cores, cpu, id, .. } = &about.machine;
    let repeats = || groups.iter().flat_map(|group| group.values()).map(|r| r.repeats.len());
    let (fewest, most) = (repeats().min().unwrap_or_default(), repeats().max().unwrap_or_default());
    let count = if fewest == most { format!("{most}") } else { format!("{fewest} to {most}") };
    let mut text = format!(
        "Revision `{}`, {cores} core{} of {cpu} (machine {id}): medians of {count} repeats, each a \
         fresh process, the targets taking turns. **Bold**: the best, and all whose repeats overlap \
         with those of the best.",
        about.revision.commit,
        plural(*cores),
    );
    let needed = |capability: &Capability| {
        let requires =
            |report: &&Report| report.workload.effective.run.requires.contains(capability);
        groups.iter().filter_map(|group| first(group)).any(|report| requires(&report))
    };
    if Capability::ALL.iter().any(needed) {
        text += " `-`: the target lacks what the workload needs, or does not tell.";
    }
    let wrong: u64 = groups
        .iter()
        .flat_map(|group| group.values())
        .flat_map(|report| &report.merged)
        .map(|phase| phase.counts.false_answers())
        .sum();
    let _ = writeln!(
        text,
        " False answers: {}.",
        if wrong == 0 { "none".to_owned() } else { wrong.to_string() }
    );
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::load;

    fn report(target: &str, started: &str, rate: f64) -> Report {
        let text = include_str!("../../tests/reports/v1-smoke.json");
        let mut report = load::parse("tiny", text).expect("a report");
        target.clone_into(&mut report.target);
        started.clone_into(&mut report.started);
        report.revision.dirty = false;
        report.workload.quick = false;
        for phase in &mut report.merged {
            phase.throughput = Spread { median: rate, min: 0.9 * rate, max: 1.1 * rate };
        }
        report
    }

    fn line<'a>(table: &'a str, figure: &str) -> &'a str {
        table.lines().find(|line| line.contains(figure)).expect("the row is there")
    }

    #[test]
    fn ours_comes_first_and_what_is_as_good_as_the_best_is_bold() {
        let reports =
            [report("scc", "1", 1e6), report("store", "1", 2e6), report("moka", "1", 1.9e6)];
        let table = tables(&reports, None).expect("a table");
        assert!(table.starts_with("| workload | figure | store | moka | scc |"), "{table}");
        assert!(
            line(&table, ": rate").ends_with("| **2.00M/s** | **1.90M/s** | 1.00M/s |\n".trim())
        );
    }

    #[test]
    fn what_is_asked_first_and_puts_have_their_rows() {
        let table = tables(&[report("store", "1", 2e6), report("scc", "1", 1e6)], None);
        let table = table.expect("a table");
        for figure in ["mixed: get p99 ", "mixed: put p99 "] {
            assert!(line(&table, figure).contains("us"), "{table}");
        }
        assert!(!table.contains("load: put p99"), "{table}");
    }

    #[test]
    fn only_what_was_run_in_the_same_way_stands_side_by_side() {
        let ours = report("store", "1", 1e6);
        let none = "no two targets";
        for change in [
            (|other| other.revision.dirty = true) as fn(&mut Report),
            |other| other.workload.quick = true,
            |other| other.revision.commit = "other".to_owned(),
            |other| other.ops_digest = "other".to_owned(),
            |other| other.machine.id = "other".to_owned(),
            |other| other.workload.set = vec!["run.threads=1".to_owned()],
            |other| other.target = "store".to_owned(),
        ] {
            let mut other = report("scc", "1", 1e6);
            change(&mut other);
            let refused = tables(&[ours.clone(), other], None).expect_err("nothing to compare");
            assert!(refused.starts_with(none), "{refused}");
        }
        let refused = tables(&[ours.clone(), report("scc", "1", 1e6)], Some("fff"));
        assert!(refused.expect_err("no such revision").contains("at revision fff"));
    }

    #[test]
    fn of_several_reports_of_a_target_the_latest_counts() {
        let reports =
            [report("store", "2", 3e6), report("store", "1", 9e6), report("scc", "1", 1e6)];
        let table = tables(&reports, None).expect("a table");
        assert!(line(&table, ": rate").contains("3.00M/s"), "{table}");
    }
}
