//! One report as text.

use std::fmt::Write as _;

use super::figures::{bytes_per_entry, count, hit_share, latency, measured, median, spread};
use super::grid::Grid;
use super::{scaling, steps};
use crate::report::verdict::Outcome;
use crate::report::{MergedPhase, Report};
use crate::workload::model::Arrival;
use crate::workload::units;

/// How a report is to look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// For a terminal.
    Terminal,
    /// As Markdown.
    Markdown,
}

impl Form {
    pub(super) fn table(self, grid: &Grid) -> String {
        match self {
            Self::Terminal => grid.terminal(),
            Self::Markdown => grid.markdown(),
        }
    }

    pub(super) fn heading(self, text: &str) -> String {
        match self {
            Self::Terminal => text.to_owned(),
            Self::Markdown => format!("## {text}\n"),
        }
    }
}

/// The whole report: what was run and where, latencies, answers and memory, objectives,
/// warnings.
#[must_use]
pub fn render(report: &Report, form: Form) -> String {
    let mut text = heading(report, form);
    let phases: Vec<&MergedPhase> = report.merged.iter().filter(|phase| phase.report).collect();
    let _ = writeln!(text, "\n{}", form.table(&latencies(&phases, report)));
    if let Some(steps) = steps::table(&phases) {
        let _ = writeln!(text, "{}", form.table(&steps));
    }
    let _ = writeln!(text, "{}", form.table(&answers(&phases)));
    for verdict in &report.verdicts {
        let (mark, word) = match verdict.outcome {
            Outcome::Met => ("ok", ""),
            Outcome::Missed => ("MISSED", ""),
            Outcome::NotMeasured => ("--", " (not measured)"),
        };
        let objective = &verdict.objective;
        let value = verdict
            .measured
            .map_or_else(String::new, |value| format!(", measured {}", measured(objective, value)));
        let subject = &objective.subject;
        let _ = writeln!(
            text,
            "{} slo {mark:<6} {}: {subject} {}{value}{word}",
            bullet(form),
            verdict.phase,
            objective.text
        );
    }
    for warning in &report.warnings {
        let _ = writeln!(text, "{} warning: {warning}", bullet(form));
    }
    text
}

pub(super) fn bullet(form: Form) -> &'static str {
    match form {
        Form::Terminal => " ",
        Form::Markdown => "-",
    }
}

fn heading(report: &Report, form: Form) -> String {
    let workload = &report.workload;
    let mut title = format!("{} on {}", workload.name, report.target);
    if let Some(case) = &workload.case {
        let _ = write!(title, " ({case})");
    }
    let run = &workload.effective.run;
    let bound = run.bound.map_or_else(String::new, |bound| {
        format!(" · at most {} entries", units::show_count(bound.max_entries))
    });
    let (machine, revision) = (&report.machine, &report.revision);
    let repeats = report.repeats.len();
    format!(
        "{}\n{}\n{} thread{} · {repeats} repeat{}{bound} · 1 in {} timed, timer floor {} · digest {}\n\
         {} · {} · {} · {} core{} · {} · {}",
        form.heading(&title),
        workload.question,
        run.threads,
        plural(run.threads),
        plural(repeats),
        run.time_every,
        latency(Some(report.conditions.timer_floor_ns)),
        report.ops_digest.get(..12).unwrap_or(&report.ops_digest),
        report.started,
        revision,
        machine.cpu,
        machine.cores,
        plural(machine.cores),
        units::show_bytes(super::figures::to_f64(machine.memory_bytes)),
        machine.kernel,
    )
}

pub(super) const fn plural(count: usize) -> &'static str {
    if count == 1 { "" } else { "s" }
}

pub(super) fn latencies(phases: &[&MergedPhase], report: &Report) -> Grid {
    let headers =
        ["phase", "measures", "verb", "rate", "p50", "p95", "p99", "p99.9", "max", "samples"];
    let mut grid = Grid::new(3, &headers);
    for phase in phases {
        let mut rate = spread(Some(&phase.throughput), units::show_rate);
        if let Some(asked) = asked_rate(report, &phase.name) {
            let _ = write!(rate, "\nof {asked} asked");
        }
        let mut first = true;
        for (verb, merged) in &phase.verbs {
            let shown = |text: &str| if first { text.to_owned() } else { String::new() };
            let kind = if phase.open_loop { "response" } else { "service" };
            grid.push(vec![
                shown(&phase.name),
                shown(kind),
                verb.clone(),
                shown(&rate),
                spread(merged.p50_ns.as_ref(), units::show_ns),
                spread(merged.p95_ns.as_ref(), units::show_ns),
                spread(merged.p99_ns.as_ref(), units::show_ns),
                spread(merged.p999_ns.as_ref(), units::show_ns),
                latency(merged.quantiles.max_ns),
                units::show_count(merged.quantiles.samples),
            ]);
            first = false;
        }
    }
    grid
}

fn asked_rate(report: &Report, name: &str) -> Option<String> {
    let phases = &report.workload.effective.phases;
    match phases.iter().find(|phase| phase.name == name)?.arrival {
        Arrival::Closed | Arrival::Recorded { .. } => None,
        Arrival::Poisson { per_second } => Some(units::show_rate(per_second)),
        Arrival::Ramp(ramp) => {
            let (from, to) = (ramp.from_per_second, ramp.to_per_second);
            Some(format!("{}..{}", units::show_rate(from), units::show_rate(to)))
        }
    }
}

pub(super) fn answers(phases: &[&MergedPhase]) -> Grid {
    let headers = [
        "phase",
        "hits",
        "expired",
        "wrong",
        "stale",
        "early",
        "unjudged",
        "late",
        "lateness p99",
        "lateness max",
        "own lateness p99",
        "unissued",
        "expiry lag p99",
        "expiry lag max",
        "entries",
        "B/entry",
        "rss",
        "rss growth",
    ];
    let mut grid = Grid::new(1, &headers);
    for phase in phases {
        let counts = &phase.counts;
        let growth = phase.rss_growth_bytes.map_or_else(
            || "-".to_owned(),
            |growth| {
                let sign = if growth.max > 0.0 { "+" } else { "" };
                format!("{sign}{}", units::show_bytes(growth.max))
            },
        );
        grid.push(vec![
            phase.name.clone(),
            hit_share(phase),
            count(counts.expired),
            counts.wrong.to_string(),
            counts.stale.to_string(),
            counts.early.to_string(),
            count(counts.unjudged),
            count(counts.late),
            latency(phase.lateness.and_then(|lateness| lateness.p99_ns)),
            latency(phase.lateness.and_then(|lateness| lateness.max_ns)),
            latency(phase.own_lateness.and_then(|lateness| lateness.p99_ns)),
            count(counts.unissued),
            latency(phase.expiry_lag.map(|lag| lag.p99_ns)),
            latency(phase.expiry_lag.map(|lag| lag.max_ns)),
            median(phase.entries.as_ref(), |entries| format!("{entries:.0}")),
            spread(phase.bytes_per_entry.as_ref(), bytes_per_entry),
            median(phase.rss_bytes.as_ref(), units::show_bytes),
            growth,
        ]);
    }
    grid.without_empty_columns()
}

/// The cases of a sweep side by side: the average time of an operation, what an entry costs, and
/// what more threads bring.
#[must_use]
pub fn sweep(reports: &[&Report], form: Form) -> String {
    form.table(&sweep_table(reports))
}

pub(super) fn sweep_table(reports: &[&Report]) -> Grid {
    let headers = [
        "case",
        "target",
        "phase",
        "rate",
        "average ns/op",
        "p99",
        "B/entry",
        "speed-up",
        "efficiency",
    ];
    // Targets without a sweep have no case.
    let without = usize::from(reports.iter().all(|report| report.workload.case.is_none()));
    let mut grid = Grid::new(3 - without, &headers[without..]);
    for report in reports {
        for phase in report.merged.iter().filter(|phase| phase.report) {
            let verb = primary_verb(phase);
            let scaling = scaling::of(reports, report, phase);
            let share = |share: f64| format!("{:.0}%", 100.0 * share);
            let mut row = vec![
                report.workload.case.clone().unwrap_or_default(),
                report.target.clone(),
                phase.name.clone(),
                spread(Some(&phase.throughput), units::show_rate),
                spread(Some(&phase.thread_ns_per_op), |ns| format!("{ns:.0}")),
                spread(verb.and_then(|verb| verb.p99_ns.as_ref()), units::show_ns),
                spread(phase.bytes_per_entry.as_ref(), bytes_per_entry),
                scaling.map_or_else(|| "-".to_owned(), |own| format!("{:.2}x", own.speed_up)),
                scaling.map_or_else(|| "-".to_owned(), |own| share(own.efficiency)),
            ];
            grid.push(row.split_off(without));
        }
    }
    grid.without_empty_columns()
}

/// The verb that a phase is mostly about: its gets, else whatever it has.
pub(super) fn primary_verb(phase: &MergedPhase) -> Option<&crate::report::merge::MergedVerb> {
    phase.verbs.get(primary_verb_name(phase)?)
}

/// Its name.
pub(super) fn primary_verb_name(phase: &MergedPhase) -> Option<&str> {
    let (name, _) = phase.verbs.get_key_value("get").or_else(|| phase.verbs.iter().next())?;
    Some(name)
}
