//! Capacities as text: what was tried, what held, and who was the limit.

use std::fmt::Write as _;

use super::figures::{latency, spread};
use super::grid::Grid;
use super::steps::verdicts;
use super::summary::{Form, bullet, plural};
use crate::report::Limit;
use crate::report::capacity::{Capacity, Probe};
use crate::workload::units;

/// Each capacity with its probes, and all of them side by side.
#[must_use]
pub fn render(found: &[&Capacity], form: Form) -> String {
    let mut text = String::new();
    for one in found {
        let _ = writeln!(text, "{}\n", heading(one, form));
        let _ = writeln!(text, "{}", form.table(&probes(one)));
    }
    let _ = writeln!(text, "{}", form.table(&answers(found)));
    for one in found {
        for sentence in sentences(one) {
            let _ = writeln!(text, "{} {sentence}", bullet(form));
        }
        for warning in &one.warnings {
            let _ = writeln!(text, "{} {}: warning: {warning}", bullet(form), one.target);
        }
    }
    text
}

/// What it is, in a line.
#[must_use]
pub fn title(found: &Capacity) -> String {
    let workload = &found.workload;
    let case = workload.case.as_ref().map_or_else(String::new, |case| format!(" ({case})"));
    format!("Capacity of {} under {}/{}{case}", found.target, workload.name, found.phase)
}

fn heading(found: &Capacity, form: Form) -> String {
    let Capacity { settings, revision, machine, repeats, .. } = found;
    let objectives: Vec<String> =
        found.objectives.iter().map(|own| format!("{} {}", own.subject, own.text)).collect();
    let threads = found.workload.effective.run.threads;
    let restored = if repeats.iter().any(|search| search.is_restored) {
        ", keys put back in between"
    } else {
        ""
    };
    format!(
        "{}\nWhat is the highest rate at which {} still holds?\n{threads} thread{} · {} search{} · \
         {} s a probe{restored} · to within {:.1}%\n{} · {} · {} · {} core{} · {}",
        form.heading(&title(found)),
        objectives.join(" and "),
        plural(threads),
        repeats.len(),
        if repeats.len() == 1 { "" } else { "es" },
        settings.probe_seconds,
        settings.precision * 100.0,
        found.started,
        revision,
        machine.cpu,
        machine.cores,
        plural(machine.cores),
        machine.kernel,
    )
}

fn probes(found: &Capacity) -> Grid {
    let headers = [
        "search",
        "probe",
        "asked",
        "achieved",
        "own lateness p99",
        "verb",
        "p50",
        "p99",
        "slo",
        "limited by",
    ];
    let mut grid = Grid::new(2, &headers);
    for (search, record) in (1..).zip(&found.repeats) {
        for (number, probe) in (1..).zip(&record.probes) {
            let (verb, quantiles) = decisive(found, probe);
            grid.push(vec![
                format!("{search}"),
                format!("{number}"),
                units::show_rate(probe.asked_per_second),
                units::show_rate(probe.achieved_per_second),
                latency(probe.own_lateness.p99_ns),
                verb,
                latency(quantiles.and_then(|quantiles| quantiles.p50_ns)),
                latency(quantiles.and_then(|quantiles| quantiles.p99_ns)),
                verdicts(&probe.verdicts),
                probe.limit.map_or("-", Limit::name).to_owned(),
            ]);
        }
    }
    grid
}

/// The verb of the first objective that is about one, else the first there is.
fn decisive<'a>(
    found: &Capacity,
    probe: &'a Probe,
) -> (String, Option<&'a crate::report::Quantiles>) {
    let mut named =
        found.objectives.iter().filter_map(|own| probe.verbs.get_key_value(&own.subject));
    let own = named.next().or_else(|| probe.verbs.iter().next());
    own.map_or_else(|| ("-".to_owned(), None), |(name, own)| (name.clone(), Some(own)))
}

/// The capacities side by side.
fn answers(found: &[&Capacity]) -> Grid {
    let headers = ["target", "case", "phase", "holds", "fails", "between", "limited by", "probes"];
    let mut grid = Grid::new(3, &headers);
    for one in found {
        let answer = &one.answer;
        let (holds, fails) = (&answer.holds_per_second, &answer.fails_per_second);
        let between = holds.as_ref().zip(fails.as_ref()).map_or_else(
            || "-".to_owned(),
            |(holds, fails)| format!("+{:.1}%", 100.0 * (fails.median / holds.median - 1.0)),
        );
        grid.push(vec![
            one.target.clone(),
            one.workload.case.clone().unwrap_or_else(|| "-".to_owned()),
            one.phase.clone(),
            spread(holds.as_ref(), units::show_rate),
            spread(fails.as_ref(), units::show_rate),
            between,
            answer.limit.map_or("-", Limit::name).to_owned(),
            one.repeats.iter().map(|search| search.probes.len()).sum::<usize>().to_string(),
        ]);
    }
    grid
}

/// The answer in words, and what is to be known about it.
fn sentences(found: &Capacity) -> Vec<String> {
    let (answer, target) = (&found.answer, &found.target);
    let show = units::show_rate;
    let mut sentences = Vec::new();
    sentences.push(match (&answer.holds_per_second, &answer.fails_per_second) {
        (Some(holds), Some(fails)) => {
            format!("{target}: {} holds, {} does not", show(holds.median), show(fails.median))
        }
        (Some(holds), None) => {
            format!("{target}: {}, the highest rate to be tried, holds", show(holds.median))
        }
        (None, _) => {
            format!("{target}: not even {} holds", show(found.settings.from_per_second))
        }
    });
    if answer.limit == Some(Limit::Generator) {
        sentences.push(format!(
            "{target}: the load generator was the limit, or the machine that it shares with the \
             target: the target's own limit lies higher; free the machine, or take a larger one"
        ));
    }
    if !answer.is_settled {
        sentences.push(format!(
            "{target}: the same rate held and failed in turn, and the search was given up: raise \
             --seconds or --precision, or stop what else is running"
        ));
    }
    let false_answers = answer.counts.false_answers();
    if false_answers > 0 {
        sentences.push(format!("{target}: {false_answers} answers were wrong, stale or early"));
    }
    sentences
}
