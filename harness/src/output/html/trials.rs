//! Two revisions that took turns: what is concluded, each figure beside what A differs from
//! itself, and the deciding one round by round.

use super::{environment, parts, versus};
use crate::compare::Verdict;
use crate::compare::trial::{Estimate, Party, Trial, TrialRow};
use crate::output::chart::{Axis, Chart, Dot, IntervalRow, Intervals, Line, Mark};
use crate::output::comparison::{change, named};
use crate::output::figures::to_f64;
use crate::output::markup::Markup;
use crate::output::summary::plural;
use crate::output::trials::{conclusion, table, title};

const READING: &str = "Each thick line is the ratio of B to A with its 95% interval, and the ticks \
    below it are the ratios of single rounds. The thin line and the ticks above it are the control: \
    A once more over A, where only the machine can differ. The band holds what counts as no change; \
    what lies beyond the scale stands at its edge. The starred figure decides; the others are \
    corrected for their number.";
const ROUNDS: &str = "A machine that drifts moves both lines, a change only the first.";
/// No axis of rounds is shorter.
const ROUNDS_MIN: usize = 4;

/// A page of trials: one for each case and target.
///
/// # Errors
/// If there is none.
pub fn page(trials: &[Trial]) -> Result<String, String> {
    let heading = match trials {
        [] => return Err("no trial to make a page of".to_owned()),
        [one] => format!("{}: is B as good as A?", title(one)),
        _ => format!("{} trials: is B as good as A?", trials.len()),
    };
    Ok(parts::document(&heading, |markup| {
        markup.element("h1", &[], &heading);
        for trial in trials {
            if trials.len() > 1 {
                markup.element("h2", &[], &title(trial));
            }
            section(markup, trial);
        }
    }))
}

fn section(markup: &mut Markup, trial: &Trial) {
    let class = format!("question {}", versus::class(trial.verdict));
    parts::paragraph(markup, &class, plain(trial));
    parts::paragraph(markup, "", &format!("{}: {}", title(trial), conclusion(trial)));
    for (side, party) in [("A", &trial.a), ("B", &trial.b)] {
        parts::paragraph(markup, "soft", &format!("{side}: {}", origin(party)));
    }
    let rounds = trial.rounds;
    let turns = format!(
        "{rounds} round{} of A, B and A once more, each run a fresh process; every other round in \
         the opposite order.",
        plural(rounds)
    );
    parts::paragraph(markup, "soft", &turns);
    let decides = trial.primary().and_then(|row| Some((row, round_by_round(row)?)));
    if let Some((row, chart)) = decides {
        markup.element("h3", &[], "Round by round");
        parts::paragraph(markup, "soft", ROUNDS);
        parts::figures(markup, &[(format!("{}, the figure that decides", row.figure), chart)]);
    }
    if !trial.rows.is_empty() {
        markup.element("h3", &[], "Figure by figure");
        parts::paragraph(markup, "soft", READING);
        parts::intervals(markup, "B over A, and A over itself", &intervals(trial));
        parts::table(markup, "Figures", &table(&trial.rows));
    }
    markup.element("h3", &[], "Where and what");
    let both = [&trial.a.surroundings, &trial.b.surroundings];
    parts::table(markup, "Environment", &environment::of_both(both));
}

fn plain(trial: &Trial) -> &'static str {
    match trial.verdict {
        Some(Verdict::Inconclusive) => "? These rounds cannot tell whether B differs from A.",
        None if trial.rows.is_empty() => "? A and B cannot be compared.",
        verdict => versus::plain(verdict),
    }
}

fn origin(party: &Party) -> String {
    let own = &party.surroundings;
    format!("{} · revision {} · begun {}", party.label, own.revision, own.started)
}

fn intervals(trial: &Trial) -> Intervals {
    let rows = trial.rows.iter().map(|row| {
        let by = row.change.map_or_else(|| "-".to_owned(), |estimate| change(estimate.ratio));
        IntervalRow {
            name: named(&row.figure, row.primary),
            outcome: format!("{by} {}", row.verdict.name()),
            class: versus::class(Some(row.verdict)),
            ratio: row.change.map(|estimate| estimate.ratio),
            interval: ends(row.change),
            control: ends(row.control),
            strips: [row.control_ratios.clone(), row.change_ratios.clone()],
        }
    });
    Intervals::of("Ratios of B to A", trial.delta, rows.collect())
}

fn ends(estimate: Option<Estimate>) -> Option<(f64, f64)> {
    let interval = estimate?.interval?;
    Some((interval.low, interval.high))
}

/// The deciding figure's ratios, in the order of the rounds.
fn round_by_round(row: &TrialRow) -> Option<Chart> {
    let line = |label: &str, style: usize, ratios: &[f64]| {
        let points = (1u32..).zip(ratios).map(|(round, ratio)| (f64::from(round), *ratio));
        let points: Vec<(f64, f64)> = points.collect();
        let told = |&(x, y): &(f64, f64)| Dot {
            x,
            y,
            text: format!("{label} round {x} {}", change(y)),
            seen: true,
        };
        let dots = points.iter().map(told).collect();
        Line { label: label.to_owned(), style, dots, stretches: vec![points], ..Line::default() }
    };
    let lines = vec![line("B/A", 0, &row.change_ratios), line("A/A", 1, &row.control_ratios)];
    let rounds = row.change_ratios.len().max(row.control_ratios.len());
    if rounds == 0 {
        return None;
    }
    let ratios = row.change_ratios.iter().chain(&row.control_ratios);
    let far = ratios.fold(1.0_f64, |far, ratio| far.max(ratio.max(1.0 / ratio)));
    let last = to_f64(rounds.max(ROUNDS_MIN) as u64) + 0.5;
    let x = Axis::span("round", last, |round| format!("{round:.0}"))?;
    let y = Axis::ratios("ratio to A of the same round", far * 1.02);
    let marks = vec![Mark::Level { y: 1.0, label: String::new() }];
    let summary = format!("{} round by round: B over A, and A over itself", row.figure);
    Some(Chart { summary, x, y, bands: Vec::new(), marks, lines })
}
