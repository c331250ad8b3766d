//! The steps of ramps, as cells.

use super::figures::{count, latency, spread};
use super::grid::Grid;
use crate::report::verdict::Outcome;
use crate::report::{Limit, MergedPhase, MergedStep, Verdict};
use crate::workload::units;

/// A row for each step of each ramp; empty without one.
pub(super) fn table(phases: &[&MergedPhase]) -> Option<Grid> {
    let headers = [
        "ramp",
        "verb",
        "asked",
        "achieved",
        "limited by",
        "unissued",
        "own lateness p99",
        "p50",
        "p99",
        "slo",
    ];
    let mut grid = Grid::new(2, &headers);
    let mut is_empty = true;
    for phase in phases {
        for step in &phase.steps {
            // The same verb that a sweep shows: gets, if there are any.
            let verb = step.verbs.get_key_value("get").or_else(|| step.verbs.iter().next());
            let name = verb.map_or_else(|| "-".to_owned(), |(name, _)| name.clone());
            let verb = verb.map(|(_, verb)| verb);
            grid.push(vec![
                phase.name.clone(),
                name,
                units::show_rate(step.asked_per_second),
                spread(Some(&step.achieved), units::show_rate),
                step.limit.map_or("-", Limit::name).to_owned(),
                count(step.unissued),
                latency(step.own_lateness.p99_ns),
                spread(verb.and_then(|verb| verb.p50_ns.as_ref()), units::show_ns),
                spread(verb.and_then(|verb| verb.p99_ns.as_ref()), units::show_ns),
                slo(step),
            ]);
            is_empty = false;
        }
    }
    (!is_empty).then(|| grid.without_empty_columns())
}

fn slo(step: &MergedStep) -> String {
    verdicts(&step.verdicts)
}

/// Verdicts in a cell: what was missed by name.
pub(super) fn verdicts(verdicts: &[Verdict]) -> String {
    let of = |outcome| verdicts.iter().filter(move |verdict| verdict.outcome == outcome);
    let missed: Vec<String> = of(Outcome::Missed)
        .map(|verdict| format!("MISSED {} {}", verdict.objective.subject, verdict.objective.text))
        .collect();
    if !missed.is_empty() {
        return missed.join("\n");
    }
    match (of(Outcome::Met).count(), of(Outcome::NotMeasured).count()) {
        (0, 0) => "-".to_owned(),
        (_, 0) => "met".to_owned(),
        _ => "not measured".to_owned(),
    }
}
