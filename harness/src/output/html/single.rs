//! One report in full.

use super::spectrum::{self, Entry};
use super::{environment, parts, timeline};
use crate::output::chart::Chart;
use crate::output::figures::measured;
use crate::output::markup::Markup;
use crate::output::summary::{self, plural};
use crate::report::verdict::{Outcome, Verdict};
use crate::report::{MergedPhase, Report, Surroundings};

/// Below the page's heading: everything that one report says.
///
/// # Errors
/// If a histogram cannot be read.
pub(super) fn sections(markup: &mut Markup, report: &Report) -> Result<(), String> {
    let spectra = spectra(report)?;
    let warnings: Vec<String> = report.warnings.iter().map(ToString::to_string).collect();
    parts::paragraph(markup, "soft", &origin(report));
    parts::notes(markup, &warnings);
    objectives(markup, &report.verdicts);
    let phases: Vec<&MergedPhase> = report.merged.iter().filter(|phase| phase.report).collect();
    markup.element("h2", &[], "Phases");
    parts::paragraph(markup, "soft", READING);
    parts::table(markup, "Latencies", &summary::latencies(&phases, report));
    parts::table(markup, "Answers and memory", &summary::answers(&phases));
    markup.element("h2", &[], "Percentiles");
    parts::paragraph(markup, "soft", SPECTRUM);
    parts::figures(markup, &spectra);
    markup.element("h2", &[], "Over time");
    parts::paragraph(markup, "soft", COURSE);
    let charts: Vec<(String, Chart)> = timeline::charts(report)
        .into_iter()
        .map(|(title, chart)| (title.to_owned(), chart))
        .collect();
    parts::figures(markup, &charts);
    markup.element("h2", &[], "Where and what");
    parts::terms(markup, &environment::terms(&Surroundings::of(report)));
    effective(markup, report);
    Ok(())
}

const READING: &str = "Medians over repeats, each a fresh process, and below them the lowest and \
    the highest. A closed loop measures service time; a paced phase response time, from the \
    intended start.";
const SPECTRUM: &str = "All samples of all repeats. A line ends where fewer than ten samples lie \
    above it. Triangles are objectives: the line must pass below the tip.";
const COURSE: &str = "The repeat of middle length; the throughput of the others is drawn thin. \
    Phases follow each other from left to right. Latencies are of all verbs; a quantile with fewer \
    than ten samples above it in its interval is left out; to time more operations (run.timing) \
    shows it.";

fn origin(report: &Report) -> String {
    let run = &report.workload.effective.run;
    format!(
        "{} · {} · revision {} · machine {} · {} thread{}, {} repeat{}",
        report.target,
        report.started,
        report.revision,
        report.machine.id,
        run.threads,
        plural(run.threads),
        report.repeats.len(),
        plural(report.repeats.len()),
    )
}

fn objectives(markup: &mut Markup, verdicts: &[Verdict]) {
    if verdicts.is_empty() {
        return;
    }
    markup.element("h2", &[], "Objectives");
    let attributes =
        [("class", "scroll"), ("tabindex", "0"), ("role", "region"), ("aria-label", "Objectives")];
    markup.around("div", &attributes, |markup| {
        markup.around("table", &[], |markup| {
            markup.around("tr", &[], |markup| {
                for header in ["", "phase", "of", "objective"] {
                    markup.element("th", &[("scope", "col")], header);
                }
                markup.element("th", &[("scope", "col"), ("class", "number")], "measured");
            });
            for verdict in verdicts {
                objective(markup, verdict);
            }
        });
    });
}

fn objective(markup: &mut Markup, verdict: &Verdict) {
    let (class, word) = match verdict.outcome {
        Outcome::Met => ("met", "✓ met"),
        Outcome::Missed => ("missed", "✗ missed"),
        Outcome::NotMeasured => ("soft", "? not measured"),
    };
    let value = verdict
        .measured
        .map_or_else(|| "-".to_owned(), |value| measured(&verdict.objective, value));
    markup.around("tr", &[], |markup| {
        markup.element("td", &[("class", class)], word);
        markup.element("td", &[], &verdict.phase);
        markup.element("td", &[], &verdict.objective.subject);
        markup.element("td", &[], &verdict.objective.text);
        markup.element("td", &[("class", "number")], &value);
    });
}

fn spectra(report: &Report) -> Result<Vec<(String, Chart)>, String> {
    let mut charts = Vec::new();
    let mut verbs: Vec<&String> =
        report.merged.iter().flat_map(|phase| phase.verbs.keys()).collect();
    // Gets first: they are what most phases are about.
    verbs.sort_by_key(|name| (*name != "get", *name));
    verbs.dedup();
    for phase in report.merged.iter().filter(|phase| phase.report) {
        let entries: Vec<Entry<'_>> = phase
            .verbs
            .iter()
            .map(|(name, verb)| {
                let style = verbs.iter().position(|other| *other == name).unwrap_or_default();
                Entry { label: name.clone(), style, verb }
            })
            .collect();
        let objectives: Vec<&Verdict> = report
            .verdicts
            .iter()
            .filter(|verdict| verdict.phase == phase.name)
            .filter(|verdict| phase.verbs.contains_key(&verdict.objective.subject))
            .collect();
        if let Some(chart) = spectrum::chart(&phase.name, &entries, &objectives)? {
            charts.push((format!("{}: {}", phase.name, kind(phase)), chart));
        }
    }
    Ok(charts)
}

/// What a phase's latencies are.
pub(super) fn kind(phase: &MergedPhase) -> &'static str {
    if phase.open_loop { "response time" } else { "service time" }
}

fn effective(markup: &mut Markup, report: &Report) {
    parts::folded(markup, "The workload file", &report.workload.text);
    if let Ok(text) = serde_json::to_string_pretty(&report.workload.effective) {
        parts::folded(markup, "Its effective form, with every default filled in", &text);
    }
}
