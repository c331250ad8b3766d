//! What two revisions that took turns gave, as text: the change beside what A differs from
//! itself.

use std::fmt::Write as _;

use super::comparison::{also, change, figure_cells, interval, subject};
use super::grid::Grid;
use super::summary::{Form, bullet};
use crate::compare::trial::{Estimate, Trial, TrialRow};
use crate::compare::{Doubt, Standing};

/// Each trial with its table, and one sentence at its end.
#[must_use]
pub fn render(trials: &[Trial], form: Form) -> String {
    let mut text = String::new();
    for trial in trials {
        let title = title(trial);
        let heading = form.heading(&title);
        let (a, b) = (&trial.a.label, &trial.b.label);
        let _ = writeln!(text, "{heading}\nA {a}\nB {b}\n{} rounds of A, B, A\n", trial.rounds);
        if !trial.rows.is_empty() {
            let _ = writeln!(text, "{}", form.table(&table(&trial.rows)));
        }
        let _ = writeln!(text, "{} {title}: {}\n", bullet(form), conclusion(trial));
    }
    text.truncate(text.trim_end().len());
    text
}

/// What was run on what.
pub(super) fn title(trial: &Trial) -> String {
    subject(&trial.workload, trial.case.as_deref(), &trial.target)
}

pub(super) fn table(rows: &[TrialRow]) -> Grid {
    let headers =
        ["figure", "A", "B", "change", "95% interval", "A/A interval", "verdict", "because"];
    let mut grid = Grid::new(1, &headers);
    for row in rows {
        let ratio = row.change.map(|estimate| estimate.ratio);
        let mut cells = figure_cells(&row.figure, row.primary, [&row.a, &row.b], ratio);
        cells.extend([
            range(row.change),
            range(row.control),
            row.verdict.name().to_owned(),
            row.doubt.as_ref().map_or_else(|| "-".to_owned(), Doubt::brief),
        ]);
        grid.push(cells);
    }
    grid.without_empty_columns()
}

fn range(estimate: Option<Estimate>) -> String {
    let found = estimate.and_then(|estimate| estimate.interval);
    found.as_ref().map_or_else(|| "-".to_owned(), interval)
}

pub(super) fn conclusion(trial: &Trial) -> String {
    if let Standing::NotComparable { reasons } = &trial.standing {
        return format!("not comparable: {}", reasons.join("; "));
    }
    let Some(row) = trial.primary() else { return "no figure to decide by".to_owned() };
    let by = row.change.map_or_else(|| "-".to_owned(), |estimate| change(estimate.ratio));
    let ranges = if row.change.is_some_and(|estimate| estimate.interval.is_some()) {
        let (own, control, delta) = (range(row.change), range(row.control), 100.0 * trial.delta);
        format!(" ({own} with 95%; A against itself {control}; delta {delta:.1}%)")
    } else {
        String::new()
    };
    let why = row.doubt.as_ref().map_or_else(String::new, |doubt| format!("; {doubt}"));
    let others = trial.rows.iter().filter(|row| !row.primary);
    let also = also(others.map(|row| (&row.figure, Some(row.verdict))));
    format!("{}: {} {by}{ranges}{why}{also}", row.verdict.name(), row.figure)
}
